/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the admin API answers: JSON and Prometheus text from the state of the proxy. No sockets.
 */
#ifndef TARN_PROXY_ADMIN_REPORT_H
#define TARN_PROXY_ADMIN_REPORT_H

#include <event2/buffer.h>
#include <jansson.h>

#include "firmware/base/stat.h"

struct worker;

/* {"counters": [{"name", "kind", "value", "help"} ...]}, in the table's order. NULL: no memory. */
json_t *report_stat(void);

/*
 * {"version", "uptime_s", "state", "workers", "reach": [...], "cache": {...}, "saved": {...}, "intercept": {...},
 * "tls": {...}, "flights", "connections", "requests"}; `started_ms` of CLOCK_MONOTONIC. NULL: no memory.
 */
json_t *report_status(struct worker *control, uint64_t started_ms);

/* Prometheus' text format 0.0.4: HELP and TYPE once a name, "tarn_" before it, counters end in "_total". */
void report_metrics(struct evbuffer *out);
/* Those of the kernel's side (struct heritage_kernel); without any, what they would be called. */
struct heritage_kernel;
void report_kernel(struct evbuffer *out, const struct heritage_kernel *figures, size_t n);
/* One row of it; `named` is the name whose HELP and TYPE stand above, or NULL. */
void report_metric(struct evbuffer *out, const struct stat_view *view, const char *named);

#endif
