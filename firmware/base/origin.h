/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheme, host and port of a server, as text: "http://192.0.2.7:3128", "https://cache.example".
 */
#ifndef FIRMWARE_BASE_ORIGIN_H
#define FIRMWARE_BASE_ORIGIN_H

#include "firmware/base/profile.h"

struct origin {
	bool secure;   /* https */
	uint16_t port; /* host order; the scheme's own if none was written */
	char host
		[PROFILE_HOST_MAX]; /* as host_normalise() has it; an IPv6 address without brackets */
};

/* "https://[2001:db8::1]:65535" with the longest host, and the NUL. */
#define ORIGIN_TEXT_MAX (PROFILE_HOST_MAX + 20)

/* http or https, a name or an address, a port or none; a "/" at the end is tolerated. 0 or -EINVAL. */
MUST_USE int origin_parse(struct span text, struct origin *ret_origin);

/* Always with the port. Gives `buf` back. */
const char *origin_format(const struct origin *origin, char buf[ORIGIN_TEXT_MAX]);

#endif
