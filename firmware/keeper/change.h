/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the settings that the admin makes through the data plane's API. The keeper writes tarn.conf (the data
 * plane can't), and takes the change back unless it is confirmed within [admin] confirm: whoever shut himself out
 * just waits. So it is after kill -9 of either program, and after a reboot at once.
 */
#ifndef FIRMWARE_KEEPER_CHANGE_H
#define FIRMWARE_KEEPER_CHANGE_H

#include "firmware/heritage.h"

struct event_base;
struct change;

struct change_calls {
	/* The file is another: read it. `restart`: the data plane must be started again for it, too. Returns whether that
	 * or tarnd itself will be. */
	bool (*taken)(bool restart, void *arg);
	void (*tell)(const union heritage_message *message, void *arg);
};

/* Before tarn.conf is read for the first time: takes back what a predecessor left and nobody confirmed in time. */
void change_recover(const char *path);
/* It can't start with the file as it is: takes back what waits, in time or not. False: nothing did, or it stays. */
__attribute__((warn_unused_result)) bool change_give_up(const char *path);

/* `path` NULL: the default. Arms what is left of a predecessor's time. 0 or -errno. */
__attribute__((warn_unused_result)) int change_new(struct event_base *base, const char *path,
						   const struct change_calls *calls, void *arg,
						   struct change **ret_change);
void change_free(struct change **change);

/* SETTING or CHANGE. `confirm_ms` is [admin] confirm. */
void change_message(struct change *change, const union heritage_message *message,
		    uint64_t confirm_ms);
/* Says how it stands, to a data plane that has just begun. */
void change_greet(struct change *change);

#endif
