/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The important events: the last 10,000 lines of the log of level notice and above, kept over restarts in the store's
 * rows "events/0" to "events/<EVENT_PAGES - 1>". Control loop, but for the log's tap.
 */
#ifndef TARN_PROXY_ADMIN_EVENTS_H
#define TARN_PROXY_ADMIN_EVENTS_H

#include <jansson.h>

#include "firmware/base/check.h"

#define EVENTS_A_PAGE  64
#define EVENT_PAGES    157
#define EVENTS_MAX     (EVENTS_A_PAGE * EVENT_PAGES)
#define EVENT_WHAT_MAX 40  /* bytes, with the NUL */
#define EVENT_TEXT_MAX 260 /* bytes, with the NUL: a page fits a row of state whatever it holds */

struct worker;
struct events;

/* Reads what was kept and begins to listen. One a process. 0 or -ENOMEM. */
MUST_USE int events_new(struct worker *control, struct events **ret_events);
/* Saves what there is. Threads may still log. */
void events_free(struct events **events);

/*
 * [{"id", "at" (ms since 1970), "level", "what", "text"} ...], oldest first: at most `limit` that came after the id
 * `after`, or with after < 0 the newest. NULL: no memory.
 */
json_t *events_json(struct events *events, int64_t after, size_t limit);
/* The newest one's id; 0: there is none. */
int64_t events_newest(struct events *events);

#endif
