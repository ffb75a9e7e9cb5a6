/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that make up an ask: route.c (its life), answer.c, stream.c. */
#ifndef TARN_PROXY_ADMIN_ASK_PRIV_H
#define TARN_PROXY_ADMIN_ASK_PRIV_H

#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include "proxy/admin/route.h"

struct ask {
	struct admin_ask public; /* first: ask_of() */
	struct asks *asks;
	struct evhttp_request *request;
	struct evkeyvalq words; /* of the query */
	char *path;
	bool *answered; /* of asks_take(), while that runs */
	bool kept;
	admin_gone_f *gone;
	void *gone_arg;
	TAILQ_ENTRY(ask) link; /* while kept */
};

struct ask *ask_of(struct admin_ask *ask);
struct streams *ask_streams(struct ask *ask);
/* Frees the ask; what is left is to answer the request. */
struct evhttp_request *ask_end(struct admin_ask *ask);

struct streams *streams_new(void);
/* Ends all of them. */
void streams_free(struct streams **streams);

#endif
