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
	TLS_SPLICE,    /* to where the device meant to go */
	TLS_REFUSE,    /* reset at once, so that a client with another way uses it */
	TLS_INTERCEPT, /* ended here, if nothing more speaks against it (client/secure.c) */
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
	X(MODE_REFUSE, REFUSE, "mode_refuse", "reset: as the profile says for its hosts")          \
	X(OLD_CLIENT, SPLICE, "old_client", "spliced: it can't take our kinds of certificate")     \
	X(OTHER_ALPN, SPLICE, "other_alpn", "spliced: it does not speak http/1.1")                 \
	X(NOT_LISTED, SPLICE, "not_listed", "spliced: probe = off, and the device is not listed")  \
	X(DISTRUSTED, SPLICE, "distrusted",                                                        \
	  "spliced: the device does not trust us for this host: see tarnctl tls distrust")         \
	X(DISTRUSTED_HOST, SPLICE, "distrusted_host",                                              \
	  "spliced: no device trusts us for this host: see tarnctl tls distrust")                  \
	X(DISTRUSTED_ALL, SPLICE, "distrusted_all",                                                \
	  "spliced: the device trusts us for no host: see tarnctl tls distrust")                   \
	X(BEING_TRIED, SPLICE, "being_tried",                                                      \
	  "spliced: another connection is finding out whether the device trusts us")               \
	X(UPSTREAM_BAD, SPLICE, "upstream_bad", "spliced: the vendor's own certificate is wrong")  \
	X(UPSTREAM_AWAY, SPLICE, "upstream_away", "spliced: we can't reach the vendor over TLS")   \
	X(UPSTREAM_ASKS, SPLICE, "upstream_asks", "spliced: the vendor asks for a certificate")    \
	X(NO_LEAF, SPLICE, "no_leaf", "spliced: there is no certificate of ours for this host")    \
	X(UNSAVED, SPLICE, "unsaved", "spliced: the attempt could not be written down")            \
	X(FLOOD, SPLICE, "flood", "spliced: too many handshakes of this device, or at once")       \
	X(ENDED_HERE, INTERCEPT, "intercepted", "ended here, as the profile says for its hosts")

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

enum tls_action tls_reason_action(enum tls_reason reason);
const char *tls_reason_name(enum tls_reason reason);
const char *tls_reason_help(enum tls_reason reason);
void tls_reason_count(enum tls_reason reason);
/* Names the counters. Once, before the threads start. */
void tls_reason_label_counters(void);

#endif
