/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/steer/scope.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi.h"

static struct tarn_scope_net net_key(const struct net *net)
{
	bool v4 = net->bits >= 96 && addr_in6_is_ip4(net->bytes);
	struct tarn_scope_net key = { .bits = 8u + net->bits, .family = v4 ? 4 : 6 };

	memcpy(key.addr, net->bytes, sizeof(key.addr));
	return key;
}

static struct tarn_scope_link link_key(const struct scope_item *item)
{
	struct tarn_scope_link key = { .vlan = TARN_SCOPE_MAC };

	if (item->kind == SCOPE_MAC)
		memcpy(key.mac, item->mac, sizeof(key.mac));
	else
		key.vlan = item->vlan;
	return key;
}

static int put(const struct scope_maps *maps, const struct scope_item *item, __u32 word)
{
	struct tarn_scope_net net;
	struct tarn_scope_link link;

	if (item->kind == SCOPE_NET) {
		net = net_key(&item->net);
		return bpf_map_update_elem(maps->nets, &net, &word, BPF_ANY);
	}
	link = link_key(item);
	return bpf_map_update_elem(maps->links, &link, &word, BPF_ANY);
}

static bool same(const struct scope_item *item, bool nets, const void *key)
{
	struct tarn_scope_net net;
	struct tarn_scope_link link;

	if ((item->kind == SCOPE_NET) != nets)
		return false;
	if (nets) {
		net = net_key(&item->net);
		return !memcmp(&net, key, sizeof(net));
	}
	link = link_key(item);
	return !memcmp(&link, key, sizeof(link));
}

static bool is_in(const struct scope_list *list, bool nets, const void *key)
{
	for (size_t i = 0; i < list->n; i++)
		if (same(&list->v[i], nets, key))
			return true;
	return false;
}

/* The walk begins anew after each deletion: this is a reload. */
static int drop_others(int map, bool nets, const struct scope_list *take,
		       const struct scope_list *straight)
{
	union {
		struct tarn_scope_net net;
		struct tarn_scope_link link;
	} at, next;
	bool first = true;
	int rc = 0;

	while (!rc && !bpf_map_get_next_key(map, first ? NULL : &at, &next)) {
		first = !is_in(take, nets, &next) && !is_in(straight, nets, &next);
		if (first)
			rc = bpf_map_delete_elem(map, &next);
		at = next;
	}
	return rc;
}

int scope_maps_fill(const struct scope_maps *maps, const struct scope_list *take,
		    const struct scope_list *straight)
{
	int rc = 0;

	for (size_t i = 0; i < take->n && !rc; i++)
		rc = put(maps, &take->v[i], TARN_SCOPE_TAKE);
	for (size_t i = 0; i < straight->n && !rc; i++)
		rc = put(maps, &straight->v[i], TARN_SCOPE_STRAIGHT);
	if (!rc)
		rc = drop_others(maps->nets, true, take, straight);
	return rc ? rc : drop_others(maps->links, false, take, straight);
}
