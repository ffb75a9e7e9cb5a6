/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/base/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAC_TEXT 17 /* "02:00:5e:00:53:01" */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A device's own: neither the zero address nor one of a group. */
static int parse_mac(struct span text, uint8_t mac[6])
{
	uint8_t any = 0;

	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(text.p[3 * i]), low = hex_digit(text.p[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text.p[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
		any |= mac[i];
	}
	return any && !(mac[0] & 1) ? 0 : -EINVAL;
}

static bool looks_like_mac(struct span text)
{
	size_t colons = 0;

	for (size_t i = 0; i < text.n; i++)
		colons += text.p[i] == ':';
	return text.n == MAC_TEXT && colons == 5 && !memmem(text.p, text.n, "::", 2);
}

int scope_parse(struct span text, struct scope_item *ret_item)
{
	static const struct span vlan = { .p = "vlan:", .n = 5 };
	struct scope_item item = { .kind = SCOPE_NET };
	uint64_t number;
	int rc;

	if (text.n > vlan.n && span_ieq(span_head(text, vlan.n), vlan)) {
		item.kind = SCOPE_VLAN;
		rc = span_u64(span_drop(text, vlan.n), &number);
		if (rc < 0 || number > SCOPE_VLAN_MAX)
			return -EINVAL;
		item.vlan = (uint16_t)number;
	} else if (looks_like_mac(text)) {
		item.kind = SCOPE_MAC;
		rc = parse_mac(text, item.mac);
	} else {
		rc = net_parse(text, &item.net);
	}
	if (rc == 0)
		*ret_item = item;
	return rc < 0 ? -EINVAL : 0;
}

const char *scope_format(const struct scope_item *item, char buf[SCOPE_TEXT_MAX])
{
	const uint8_t *m = item->mac;

	switch (item->kind) {
	case SCOPE_NET:
		return net_format(&item->net, buf);
	case SCOPE_MAC:
		(void)snprintf(buf, SCOPE_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
			       m[2], m[3], m[4], m[5]);
		return buf;
	case SCOPE_VLAN:
		(void)snprintf(buf, SCOPE_TEXT_MAX, "vlan:%u", item->vlan);
		return buf;
	}
	return "";
}

static bool item_eq(const struct scope_item *a, const struct scope_item *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case SCOPE_NET:
		return a->net.bits == b->net.bits && !memcmp(a->net.bytes, b->net.bytes, 16);
	case SCOPE_MAC:
		return !memcmp(a->mac, b->mac, 6);
	case SCOPE_VLAN:
		return a->vlan == b->vlan;
	}
	return false;
}

bool scope_list_eq(const struct scope_list *a, const struct scope_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!item_eq(&a->v[i], &b->v[i]))
			return false;
	return true;
}

/* How precisely it names the device; 0: not at all. A VLAN is wider than any subnet, a MAC address narrower. */
static unsigned precision(const struct scope_item *item, const struct scope_who *who)
{
	switch (item->kind) {
	case SCOPE_NET:
		return who->addr.sa.sa_family != AF_UNSPEC && net_contains(&item->net, &who->addr)
			       ? 2 + item->net.bits
			       : 0;
	case SCOPE_MAC:
		return who->link_known && memcmp(item->mac, who->mac, 6) == 0 ? 255 : 0;
	case SCOPE_VLAN:
		return who->link_known && item->vlan == who->vlan;
	}
	return 0;
}

static unsigned best(const struct scope_list *list, const struct scope_who *who,
		     const struct scope_item **ret_item)
{
	unsigned most = 0;

	for (size_t i = 0; i < list->n; i++) {
		unsigned now = precision(&list->v[i], who);

		if (now <= most)
			continue;
		most = now;
		*ret_item = &list->v[i];
	}
	return most;
}

bool scope_takes(const struct scope_list *in, const struct scope_list *out,
		 const struct scope_who *who, const struct scope_item **ret_by)
{
	const struct scope_item *yes = NULL, *no = NULL;
	unsigned for_it = best(in, who, &yes), against = best(out, who, &no);
	bool takes = for_it > against || (!for_it && !against && !in->n);

	if (ret_by)
		*ret_by = takes ? yes : no;
	return takes;
}
