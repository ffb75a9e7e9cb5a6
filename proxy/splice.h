/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries a connection through whole, byte for byte, both ways, without looking into it: TLS, unknown
 * protocols, foreign hosts, CONNECT tunnels.
 */
#ifndef TARN_PROXY_SPLICE_H
#define TARN_PROXY_SPLICE_H

#include "firmware/base/addr.h"

struct worker;
struct tally_row;

/* X(NAME, counter, text for logs) */
#define SPLICE_REASONS(X)                                                                          \
	X(TLS, STAT_SPLICE_TLS, "tls")                                                             \
	X(CONNECT, STAT_SPLICE_CONNECT, "connect")                                                 \
	X(NOT_HTTP, STAT_SPLICE_NOT_HTTP, "not_http")                                              \
	X(SILENT, STAT_SPLICE_SILENT, "silent")                                                    \
	X(FOREIGN, STAT_SPLICE_FOREIGN, "foreign_host")                                            \
	X(NEVER, STAT_SPLICE_NEVER, "never_host")                                                  \
	X(UNREACHABLE, STAT_SPLICE_UNREACHABLE, "unreachable")                                     \
	X(REFUSED, STAT_SPLICE_REFUSED, "refused")

enum splice_reason {
#define X(name, stat, text) SPLICE_##name,
	SPLICE_REASONS(X)
#undef X
};

struct splice_plan {
	int fd;		  /* the device's; becomes the splice's */
	struct addr peer; /* device, for the log */
	enum splice_reason reason;
	struct span head; /* bytes already read from the device, sent first; copied */
	const char *host; /* connect to this name (copied) ... */
	uint16_t port;
	struct addr addr; /* ... or, if host is NULL, to this address: the original destination */
	struct tally_row *tally; /* its bytes are counted there, too; taken; or NULL */
	bool from_outside;	 /* as in struct fetch_ask */
	bool answer_connect; /* the device waits for the answer to CONNECT: 200, or 502/504 and close */
};

/*
 * Takes plan->fd, whatever happens; counts itself with worker_hold(). A destination that is one of our own
 * listeners is refused (counted as failed), so that no loop can form.
 */
void splice_start(struct worker *worker, const struct splice_plan *plan);

/* Draining: splices have no natural end. Cuts those of this worker that are left. */
void splice_cut_all(struct worker *worker);

#endif
