/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One small question on a stream, a head without a body, and the head of the answer. The stream stays the caller's.
 */
#ifndef TARN_PROXY_UPSTREAM_EXCHANGE_H
#define TARN_PROXY_UPSTREAM_EXCHANGE_H

#include "proxy/http/head.h"
#include "proxy/upstream/stream.h"

struct worker;
struct exchange;

#define EXCHANGE_HEAD_MAX 4096 /* of what is said; answers may have CONFIG_HEAD_MAX */

/*
 * The end, never before exchange_begin() has returned; the handle is gone then. `err` 0: a final head has come, and `rest`
 * behind it; both live as long as this call. Else -ETIMEDOUT, -EBADMSG (it is no HTTP), or as recv(2)
 * and send(2) have it.
 */
typedef void exchange_f(void *arg, int err, const struct http_head *head, struct span rest);

/* `text` is copied. All of it has `limit_ms`. 0, -EMSGSIZE, -ENOMEM. */
MUST_USE int exchange_begin(struct worker *worker, const struct stream *stream, struct span text,
			    unsigned limit_ms, exchange_f *f, void *arg,
			    struct exchange **ret_exchange);
/* The callback will not come; nulls. NULL is allowed. */
void exchange_cancel(struct exchange **exchange);

#endif
