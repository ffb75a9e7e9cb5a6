/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on just now: each request that is being answered, each connection that is carried through, each fetch
 * from a vendor, as their rooms describe them for the admin. A worker describes its own, on its own thread; all of
 * it is copied.
 */
#ifndef TARN_PROXY_FLOW_H
#define TARN_PROXY_FLOW_H

#include "firmware/base/addr.h"
#include "firmware/base/profile.h"

struct worker;

#define FLOW_PATH_MAX	256
#define FLOW_VENDOR_MAX 64

/* X(NAME, letter of its id) */
#define FLOW_KINDS(X)                                                                              \
	X(REQUEST, 'r') /* an HTTP request of a device */                                          \
	X(SPLICE, 's')	/* a connection that is carried through whole */                           \
	X(FETCH, 'f')	/* a response on its way from a vendor */

enum flow_kind {
#define X(name, letter) FLOW_##name,
	FLOW_KINDS(X)
#undef X
	FLOW_KIND_COUNT
};

struct flow {
	enum flow_kind kind;
	unsigned worker;
	uint64_t serial;	      /* from 1, of this worker and kind: never another's */
	struct addr peer;	      /* the device; of a FETCH the vendor's address, or none yet */
	char vendor[FLOW_VENDOR_MAX]; /* empty: nobody's */
	char host[PROFILE_HOST_MAX];  /* empty: not known */
	/* As in the access log: nothing that identifies an installation. Cut if it is long; empty: none. */
	char path[FLOW_PATH_MAX];
	bool secure;	   /* inside TLS that ends here, or by https to the vendor */
	const char *state; /* what it waits for; constant */
	/* REQUEST: what becomes of it, once it is answered; SPLICE: why; else NULL; constant. */
	const char *outcome;
	unsigned status;   /* 0: none yet */
	uint64_t bytes;	   /* to the device; of a FETCH: of the object, from the vendor */
	uint64_t bytes_up; /* SPLICE: from the device */
	int64_t length;	   /* what `bytes` will be; -1: not known */
	uint64_t age_ms;
};

/* Of one worker. */
struct flow_list {
	struct flow *flows;
	size_t n, room, limit; /* `limit` of each kind */
	size_t of_kind[FLOW_KIND_COUNT];
	unsigned connections, idle; /* of devices over HTTP; without a request */
	bool more;		    /* than the limit, or than there was memory for */
};

/* The next one, zeroed but for kind and worker; NULL: full. */
struct flow *flow_list_add(struct flow_list *list, enum flow_kind kind,
			   const struct worker *worker);
void flow_list_clear(struct flow_list *list);

/* What of `text` fits. */
void flow_text(char *to, size_t size, struct span text);

/* On the worker's thread: proxy/client/flows.c, proxy/splice.c, proxy/upstream/fetch_flows.c. */
void client_flows(struct worker *worker, struct flow_list *list);
void splice_flows(struct worker *worker, struct flow_list *list);
void fetch_flows(struct worker *worker, struct flow_list *list);

#endif
