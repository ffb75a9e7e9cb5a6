/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keeper says of its selftest (firmware/base/selftest.h), and asking for one. Control loop only.
 */
#ifndef TARN_PROXY_ADMIN_SELFTESTS_H
#define TARN_PROXY_ADMIN_SELFTESTS_H

#include "firmware/heritage.h"
#include "proxy/admin/route.h"

struct selftests;

MUST_USE int selftests_new(struct worker *control, struct selftests **ret_selftests);
void selftests_free(struct selftests **selftests);

/* Asks the keeper, and answers the ask once it has spoken, or after SELFTESTS_LIMIT_MS: two tries of two steps. */
#define SELFTESTS_LIMIT_MS 20000
void selftests_ask(struct selftests *selftests, struct admin_ask *ask);

/* What the keeper says. */
void selftests_told(struct selftests *selftests, const struct heritage_selftest *result);

/* The last one, as the API shows it; also where there is no keeper. NULL: no memory. */
json_t *selftests_json(const struct selftests *selftests);

#endif
