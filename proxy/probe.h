/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data plane's end of the keeper's selftest (firmware/base/selftest.h): a connection that no device makes, answered by
 * the worker that got it with what it finds of the store. It asks no vendor and is none of the figures.
 */
#ifndef TARN_PROXY_PROBE_H
#define TARN_PROXY_PROBE_H

#include <stdbool.h>

#include "firmware/base/addr.h"

struct worker;

/* Is this connection, between these two, the selftest's? */
bool probe_is(const struct addr *peer, const struct addr *meant);

/* On the worker's thread. Takes the socket; a second one at the same time ends at once. */
void probe_start(struct worker *worker, int fd);
/* Ends the one that runs. */
void probe_stop(struct worker *worker);

#endif
