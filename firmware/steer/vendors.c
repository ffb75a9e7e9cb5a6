/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry that has expired takes no new connection, but stays for a while: later packets of old connections
 * still look at it. BPF may write at the same time; the longer life wins except in a race, where the
 * loser's word comes again with its next answer.
 */
#include "firmware/steer/vendors.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define SECOND_NS   1000000000ull
#define LINGER_NS   (3600 * SECOND_NS)
#define SWEEP_BATCH 256

static bool allowed4(const uint8_t a[4], bool private_ok)
{
	if (a[0] == 0 || a[0] == 127 || a[0] >= 224 || (a[0] == 169 && a[1] == 254))
		return false;
	if (a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
	    (a[0] == 100 && (a[1] & 0xc0) == 64))
		return private_ok;
	return true;
}

bool vendor_allowed(const uint8_t addr[16], bool private_ok)
{
	struct in6_addr a;

	memcpy(&a, addr, sizeof(a));
	if (IN6_IS_ADDR_V4MAPPED(&a))
		return allowed4(addr + 12, private_ok);
	if (IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_LOOPBACK(&a) || IN6_IS_ADDR_V4COMPAT(&a) ||
	    IN6_IS_ADDR_MULTICAST(&a) || IN6_IS_ADDR_LINKLOCAL(&a))
		return false;
	return (addr[0] & 0xfe) != 0xfc || private_ok;
}

int vendors_add(int map, const uint8_t addr[16], uint32_t ttl, uint64_t now_ns)
{
	struct tarn_vendor v = { .expires_ns = now_ns + ttl * SECOND_NS,
				 .sources = TARN_VENDOR_PROXY };
	struct tarn_vendor old;
	struct tarn_addr key;

	memcpy(key.b, addr, sizeof(key.b));
	if (!bpf_map_lookup_elem(map, &key, &old)) {
		v.sources |= old.sources;
		if (old.expires_ns > v.expires_ns)
			v.expires_ns = old.expires_ns;
	}
	return bpf_map_update_elem(map, &key, &v, BPF_ANY);
}

void vendors_drop(int map, const uint8_t addr[16])
{
	struct tarn_addr key;

	memcpy(key.b, addr, sizeof(key.b));
	(void)bpf_map_delete_elem(map, &key);
}

/* Deleting while walking makes the walk begin again, so the old ones are collected first. */
unsigned vendors_sweep(int map, uint64_t now_ns)
{
	struct tarn_addr old[SWEEP_BATCH], key, next;
	unsigned left = 0, n = 0;
	struct tarn_vendor v;
	void *at = NULL;

	while (!bpf_map_get_next_key(map, at, &next)) {
		if (!bpf_map_lookup_elem(map, &next, &v)) {
			if (v.expires_ns + LINGER_NS > now_ns)
				left++;
			else if (n < SWEEP_BATCH)
				old[n++] = next;
		}
		key = next;
		at = &key;
	}
	while (n > 0)
		(void)bpf_map_delete_elem(map, &old[--n]);
	return left;
}
