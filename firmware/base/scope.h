/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of devices, by subnet, MAC address or VLAN, and what a pair of such lists says of a device. The same rule as in
 * bpf/steer.bpf.c: the most precise entry decides - a MAC address, else the longest subnet, else the VLAN - and of two
 * that are equally precise the one that leaves the device alone. Pure; any thread.
 */
#ifndef FIRMWARE_BASE_SCOPE_H
#define FIRMWARE_BASE_SCOPE_H

#include "firmware/base/addr.h"

#define SCOPE_VLAN_MAX 4094 /* 0: frames without a tag */
#define SCOPE_TEXT_MAX ADDR_TEXT_MAX

enum scope_kind {
	SCOPE_NET,
	SCOPE_MAC,
	SCOPE_VLAN,
};

struct scope_item {
	enum scope_kind kind;
	union {
		struct net net;
		uint8_t mac[6];
		uint16_t vlan;
	};
};

struct scope_list {
	struct scope_item *v;
	size_t n;
};

/* "192.0.2.0/24", "2001:db8::7", "02:00:5e:00:53:01", "vlan:20". 0 or -EINVAL. */
MUST_USE int scope_parse(struct span text, struct scope_item *ret_item);
/* What scope_parse() takes. Gives `buf` back. */
const char *scope_format(const struct scope_item *item, char buf[SCOPE_TEXT_MAX]);

/* The same entries, in the same order? */
bool scope_list_eq(const struct scope_list *a, const struct scope_list *b);

/* A device, as far as it is known. */
struct scope_who {
	struct addr addr; /* AF_UNSPEC: unknown */
	bool link_known;  /* how its frames look: */
	uint8_t mac[6];
	uint16_t vlan;
};

/*
 * Is the device one of `in` rather than of `out`? An empty `in` is everybody. *ret_by is the entry that decides, or NULL
 * where none does; `ret_by` may be NULL.
 */
bool scope_takes(const struct scope_list *in, const struct scope_list *out,
		 const struct scope_who *who, const struct scope_item **ret_by);

#endif
