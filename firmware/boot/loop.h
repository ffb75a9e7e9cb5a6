/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop through us: two of our ports lead to each other outside, over a switch or a second box. A bridge there is a storm that
 * takes the whole network down. So each port says something now and then that nobody can know but us; where that comes in by
 * another port, one of the two forwards nothing until it has been quiet for a while. Devices reach each other by that other way.
 *
 * No spanning tree: a switch may shut a port on which it hears one. What comes back by the port that it went out by is none of
 * our loops, and no reason to do anything: whoever is behind that port can send it.
 */
#ifndef FIRMWARE_BOOT_LOOP_H
#define FIRMWARE_BOOT_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/base/check.h"

struct loop;
struct net_kernel;

#define LOOP_PORTS    16
#define LOOP_EVERY_MS 4000 /* between two rounds */
#define LOOP_OPEN_MS                                                                               \
	300 /* a round is listened to for so long: who listens costs each packet a little */
#define LOOP_QUIET_MS 20000
#define LOOP_FIRST_MS                                                                              \
	6000 /* of two boxes that have shut a port, for the first to open: two rounds */

/* 0 or -errno. `kernel` is borrowed. */
MUST_USE int loop_new(struct event_base *base, struct net_kernel *kernel, struct loop **ret_loop);
/* A port has joined the bridge, or is gone. */
void loop_port(struct loop *loop, const char *name, bool there);
/* How many ports forward nothing. */
size_t loop_blocked(const struct loop *loop);

#endif
