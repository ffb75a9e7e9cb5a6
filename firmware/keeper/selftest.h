/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a device's connection come through? Every minute, and when asked, one is made by each port that leads to devices and
 * in each family, up to a worker's answer, whether or not anything is armed. Once is chance: what fails twice in a row has
 * failed, and is tried again every SELFTEST_AGAIN_MS until it is well.
 */
#ifndef FIRMWARE_KEEPER_SELFTEST_H
#define FIRMWARE_KEEPER_SELFTEST_H

#include <jansson.h>

#include "firmware/base/selftest.h"
#include "firmware/heritage.h"

struct event_base;
struct network;
struct selftest;
struct steer;

#define SELFTEST_SOON_MS  300  /* after all is ready, and between the two tries */
#define SELFTEST_AGAIN_MS 5000 /* while it fails */

/* After each run: what came of it. */
typedef void selftest_done_f(const struct heritage_selftest *result, void *arg);

/*
 * `every_ms` 0: once when all is ready (an appliance that is on trial waits for it), and when asked. NULL steer: never.
 * 0 or -errno.
 */
__attribute__((warn_unused_result)) int selftest_new(struct event_base *base, struct steer *steer,
						     const struct network *net, uint64_t every_ms,
						     selftest_done_f *done, void *arg,
						     struct selftest **ret_selftest);
void selftest_free(struct selftest **selftest);

/* Is there anything to test? If not, what runs is given up without a word, and nothing is known any more. */
void selftest_ready(struct selftest *selftest, bool ready);

/* Soon, or with the one that runs; `id`, if not 0, is in its result. When there is nothing to test, `done` is called at
 * once. */
void selftest_run(struct selftest *selftest, uint32_t id);

/* Why devices would wait in vain for what is steered, in words; NULL: they would not, or nobody knows. */
const char *selftest_broken(const struct selftest *selftest);
const struct heritage_selftest *selftest_result(const struct selftest *selftest);
json_t *selftest_json(const struct selftest *selftest);

#endif
