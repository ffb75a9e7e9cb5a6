/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /api/v1/why: proxy/why/why.h with what this process knows: its configuration, the store, generations,
 * the vendors' reachability. Control loop only.
 */
#ifndef TARN_PROXY_ADMIN_QUESTION_H
#define TARN_PROXY_ADMIN_QUESTION_H

#include <jansson.h>

#include "firmware/base/check.h"

struct worker;
struct evkeyvalq;

/*
 * @words: of the query: url, method, header (each "Name: value"), from. 0; -EINVAL with *ret_error, which
 * lives for ever, or -ENOMEM, -EUSERS.
 */
MUST_USE int question_answer(struct worker *control, const struct evkeyvalq *words,
			     json_t **ret_json, const char **ret_error);

#endif
