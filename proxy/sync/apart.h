/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices that can't use the repository, or are not to: that is a note, with its reason, and no failure of theirs. Decided
 * from what is known anyway: [scope], who does not take our certificate (proxy/tls/distrust.h), and what was asked for.
 * Control loop only; made for one look at all devices.
 */
#ifndef TARN_PROXY_SYNC_APART_H
#define TARN_PROXY_SYNC_APART_H

#include "cache/demand.h"

struct apart;
struct worker;

/* X(NAME, "name", why) */
#define APART_REASONS(X)                                                                           \
	X(NO, "", "it uses the repository, or is to")                                              \
	X(STRAIGHT, "straight", "by [scope] it goes straight to the vendor")                       \
	X(HTTPS, "https",                                                                          \
	  "it asks the vendor by HTTPS alone and does not take the box's certificate: its "        \
	  "updates pass, uncached")                                                                \
	X(NO_INDEX, "no_index",                                                                    \
	  "it asks for objects alone, never for an index: what it needs next is not known, and "   \
	  "not fetched ahead")

enum apart_reason {
#define X(name, text, help) APART_##name,
	APART_REASONS(X)
#undef X
};

const char *apart_name(enum apart_reason reason);
const char *apart_help(enum apart_reason reason);

/* 0 or -ENOMEM. */
MUST_USE int apart_new(struct worker *control, struct apart **ret_apart);
void apart_free(struct apart **apart);

/* Of a device that has asked us. Devices that are not known by their address stand apart by what they ask for alone. */
enum apart_reason apart_of(struct apart *apart, const struct demand_device *device,
			   const struct demand_standing *standing);

/* Then the others: of whom nothing is known but that they do not take the certificate for a host of `profile`. */
struct apart_other {
	const char *device; /* an address, or a prefix as "2001:db8::/64" */
	const char *profile;
	uint8_t id[16];	  /* its address, or the prefix and zeros */
	int64_t since_ms; /* wall */
};
typedef int apart_other_f(void *arg, const struct apart_other *other);
/* Gives what the callback returns if not 0. */
int apart_each_other(const struct apart *apart, apart_other_f *f, void *arg);

#endif
