/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the vendor's own certificate for a host valid now, and can he be reached? For who is about to show a device another one
 * in its place: only what is good may be replaced, so that a device sees every fault of the vendor's itself.
 *
 * Verdicts come from handshakes: a fetch's, or one that is made to find out. They are remembered for a while, and made
 * anew before they lapse while somebody asks. Any worker; nothing blocks.
 */
#ifndef TARN_PROXY_UPSTREAM_VERDICT_H
#define TARN_PROXY_UPSTREAM_VERDICT_H

#include "proxy/upstream/secure.h"

struct worker;
struct config;
struct verdicts;
struct verdict_ask;

#define VERDICT_HOSTS	       1024
#define VERDICT_PROBES	       64     /* under way at once */
#define VERDICT_GOOD_MS	       600000 /* or until what was verified lapses */
#define VERDICT_BAD_MS	       60000
#define VERDICT_UNREACHABLE_MS 10000

enum verdict_state {
	VERDICT_UNKNOWN,     /* ask again; a probe is under way, or there are too many of them */
	VERDICT_GOOD,	     /* verified, as a device would */
	VERDICT_BAD,	     /* `reason` */
	VERDICT_UNREACHABLE, /* no connection, or no end of the handshake */
};

struct verdict {
	enum verdict_state state;
	enum secure_reason reason;
	bool wants_client_certificate; /* seen in the handshake: leave it alone */
	uint64_t until_ms;	       /* mono */
};

/* 0 or -ENOMEM. */
MUST_USE int verdicts_new(struct verdicts **ret_verdicts);
void verdicts_free(struct verdicts **verdicts);

/* What is known. Nobody is asked. */
void verdict_get(struct worker *worker, const char *host, uint16_t port,
		 struct verdict *ret_verdict);

typedef void verdict_f(void *arg, const struct verdict *verdict);

/*
 * As known, or else a probe finds out; also if it is soon known no more. `profile`: of the worker's configuration.
 * 0: *ret_verdict is known at once. -EINPROGRESS: `f` is called once on this worker, never before this has returned, and
 * the handle is gone then; it may say UNKNOWN. -ENOMEM.
 */
MUST_USE int verdict_ask(struct worker *worker, const struct profile *profile, const char *host,
			 uint16_t port, verdict_f *f, void *arg, struct verdict_ask **ret_ask,
			 struct verdict *ret_verdict);
/* `f` will not be called; nulls. NULL is allowed. On the worker that asked. */
void verdict_cancel(struct verdict_ask **ask);

/* A handshake ended (dial.c): `err` 0 with `secure`, or why not. */
void verdict_note(struct worker *worker, const struct config *config, const struct profile *profile,
		  const char *host, uint16_t port, int err, const struct secure *secure);

/* Ends the probes of the calling worker: it ends itself. */
void verdict_end_all(void);

const char *verdict_state_name(enum verdict_state state);

#endif
