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

#define LOOP_PORTS 16

/* ms */
struct loop_times {
	unsigned every; /* between two rounds, and up to an eighth more */
	unsigned
		open; /* a round is listened to for so long: who listens costs each packet a little */
	unsigned quiet; /* nothing heard: a port that is shut opens */
	unsigned
		first; /* ... of two boxes that have shut one each, that of the first to open: two rounds */
};

#define LOOP_TIMES ((struct loop_times){ 4000, 300, 20000, 6000 })

/* 0 or -errno. `kernel` is borrowed. */
MUST_USE int loop_new(struct event_base *base, struct net_kernel *kernel, struct loop_times times,
		      struct loop **ret_loop);
/* A port has joined the bridge, or is gone. */
void loop_port(struct loop *loop, const char *name, bool there);
/* How many ports forward nothing. */
size_t loop_blocked(const struct loop *loop);

#endif
