/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the two programs over their unix sockets. One question, one JSON document, a time limit.
 */
#ifndef FIRMWARE_CTL_ASK_H
#define FIRMWARE_CTL_ASK_H

#include <jansson.h>

#include "firmware/base/check.h"

#define ASK_LIMIT_MS  3000
#define ASK_DO_MS     25000 /* of all but GET: what it does may take its time */
#define ASK_BYTES_MAX (16u << 20)

/*
 * The keeper's whole state. 0 and a reference to the document, or -ENOENT, -ECONNREFUSED (not
 * running), -EACCES (not allowed), -ETIMEDOUT (does not answer), -EBADMSG (no JSON object), or
 * another of connect(2).
 */
MUST_USE int ask_keeper(const char *socket_path, json_t **ret_document);

/*
 * `target` of the proxy's admin API, as "/api/v1/stat". As above; -EPROTO: the answer is not a 200.
 */
MUST_USE int ask_proxy(const char *socket_path, const char *target, json_t **ret_document);

/*
 * The same with any method and a body (NULL: none). *ret_status is the HTTP status; the document is NULL if the answer
 * is empty. Gives 0 for every answer that is one, also for refusals.
 */
MUST_USE int ask_proxy_do(const char *socket_path, const char *method, const char *target,
			  const json_t *body, int *ret_status, json_t **ret_document);

/*
 * A GET whose body goes piece by piece to `f`, which ends it by not giving 0 (that is what is given back). No limit of
 * size; the limit of time holds for the head alone. An answer that is not a 200 gives -EPROTO, *ret_status
 * and the document as above. 0: the body ended.
 */
typedef int ask_piece_f(void *arg, const char *bytes, size_t n);
MUST_USE int ask_proxy_stream(const char *socket_path, const char *target, ask_piece_f *f,
			      void *arg, int *ret_status, json_t **ret_document);

/* What such an error means, for people. */
const char *ask_error_text(int rc);

#endif
