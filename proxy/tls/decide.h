/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a device's TLS connection, and why. Pure functions.
 *
 * Whatever is not surely for us is carried through whole (spliced): a splice too many costs traffic, anything
 * else done wrongly costs a device its connection.
 */
#ifndef TARN_PROXY_TLS_DECIDE_H
#define TARN_PROXY_TLS_DECIDE_H

#include "proxy/tls/hello.h"

enum tls_action {
	TLS_SPLICE, /* to where the device meant to go */
	TLS_REFUSE, /* reset at once, so that a client with another way uses it */
};

/* X(NAME, action, "label of the counter tls.decided", "help"). Append; at most 32. */
#define TLS_REASONS(X)                                                                             \
	X(NOT_HELLO, SPLICE, "not_hello", "spliced: began as TLS does, but not with a hello")      \
	X(TOO_LARGE, SPLICE, "too_large", "spliced: a hello of more than 16 KiB")                  \
	X(SLOW, SPLICE, "slow", "spliced: the hello was not whole within sniff_wait")              \
	X(BUSY, SPLICE, "busy", "spliced: no memory to look, or too many hellos were incomplete")  \
	X(NO_NAME, SPLICE, "no_name", "spliced: the hello names no host")                          \
	X(ODD_NAME, SPLICE, "odd_name", "spliced: the hello names something that is no host name") \
	X(FOREIGN_HOST, SPLICE, "foreign_host", "spliced: the host is no vendor's")                \
	X(NEVER_HOST, SPLICE, "never_host", "spliced: the profile says never for this host")       \
	X(HIDDEN_NAME, SPLICE, "hidden_name", "spliced: the true name may be encrypted (ECH)")     \
	X(MODE_SPLICE, SPLICE, "mode_splice", "spliced: as the profile says for its hosts")        \
	X(MODE_REFUSE, REFUSE, "mode_refuse", "reset: as the profile says for its hosts")

enum tls_reason {
#define X(name, action, label, help) TLS_##name,
	TLS_REASONS(X)
#undef X
};

struct tls_verdict {
	enum tls_action action;
	enum tls_reason reason;
	bool ours; /* a profile's host, and not one to keep hands off: */
	struct profile_match match;
};

/* By a hello that was read. */
void tls_decide(const struct profiles *profiles, const struct hello *hello,
		struct tls_verdict *ret_verdict);

/* Without one: `rc` is what hello_feed() gave, -EAGAIN when the time for it was over. */
void tls_decide_unread(int rc, struct tls_verdict *ret_verdict);

const char *tls_reason_name(enum tls_reason reason);
const char *tls_reason_help(enum tls_reason reason);
void tls_reason_count(enum tls_reason reason);
/* Names the counters. Once, before the threads start. */
void tls_reason_label_counters(void);

#endif
