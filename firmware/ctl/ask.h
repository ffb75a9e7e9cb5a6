/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the two programs over their unix sockets. One question, one JSON document, a time limit.
 */
#ifndef FIRMWARE_CTL_ASK_H
#define FIRMWARE_CTL_ASK_H

#include <jansson.h>

#include "firmware/base/check.h"

#define ASK_LIMIT_MS  3000
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

/* What such an error means, for people. */
const char *ask_error_text(int rc);

#endif
