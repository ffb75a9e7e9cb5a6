/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream to a vendor: a connection (connect.h), a tunnel if it goes through a proxy, and, for https, a handshake that
 * verified him.
 */
#ifndef TARN_PROXY_UPSTREAM_DIAL_H
#define TARN_PROXY_UPSTREAM_DIAL_H

#include "firmware/base/origin.h"
#include "proxy/upstream/stream.h"

struct worker;
struct dial;

/*
 * The end, never before dial() has returned; the handle is gone then. `err` 0: *stream is the callee's, `peer` what
 * it is connected to. Else NULLs, and `err` as connect_f's or a secure_error().
 */
typedef void dial_f(void *arg, int err, const struct stream *stream, const struct addr *peer);

struct dial_to {
	bool secure;
	bool fresh; /* no session of before: the certificate is to be seen */
	const struct profile
		*profile; /* whose certificates are believed; NULL: the system's list alone */
	const char *host; /* lower case */
	uint16_t port;
	const struct origin
		*through; /* secure: a proxy in clear that gives a tunnel; NULL: straight */
};

/*
 * connect_timeout holds for the connection, once more for the tunnel and once more for the handshake. An address whose
 * handshake fails is rested. 0, -EINVAL, -ENOMEM.
 */
MUST_USE int dial(struct worker *worker, const struct dial_to *to, dial_f *f, void *arg,
		  struct dial **ret_dial);
/* The callback will not come; nulls. NULL is allowed. */
void dial_cancel(struct dial **dial);

#endif
