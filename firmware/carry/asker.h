/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking tarn-proxy's admin socket many times over one connection: HTTP/1.1, kept alive, blocking
 * with a time limit. One thread.
 */
#ifndef FIRMWARE_CARRY_ASKER_H
#define FIRMWARE_CARRY_ASKER_H

#include <jansson.h>

#include "firmware/base/span.h"

#define ASKER_LIMIT_S 30 /* for any one wait */

struct asker;

/* Connects at the first question. `socket_path` is copied. 0 or -ENOMEM, -ENAMETOOLONG. */
MUST_USE int asker_new(const char *socket_path, struct asker **ret_client);
void asker_free(struct asker **asker);

/* Bytes of the answer's body, in pieces. Gives 0, or what ends it. */
typedef int asker_sink_f(void *arg, struct span bytes);

/*
 * Asks `method` `target` (a path with its query, percent-encoded). `body`: JSON, or NULL. A connection that the
 * other side closed between two questions is made anew once. 0 with the status and, if it is 2xx, the whole body given
 * to the sink; else -errno: of connect(2), -ETIMEDOUT, -EBADMSG (not HTTP, or cut off), -ENOMEM, the
 * sink's. The text of a refusal is asker_refusal().
 */
MUST_USE int asker_ask(struct asker *asker, const char *method, const char *target,
		       const json_t *body, asker_sink_f *sink, void *arg, int *ret_status);

/* The same where the answer is one JSON object. *ret_answer is a reference; NULL for 204. */
MUST_USE int asker_json(struct asker *asker, const char *method, const char *target,
			const json_t *body, int *ret_status, json_t **ret_answer);

/* What the server said with the last status that was not 2xx: printable, "" if nothing. */
const char *asker_refusal(const struct asker *asker);

/* Percent-encodes into buf (with NUL). 0 or -ENOSPC. */
MUST_USE int asker_encode(struct span text, char *buf, size_t size);

/* What such a -errno means, for people. */
const char *asker_error_text(int rc);

#endif
