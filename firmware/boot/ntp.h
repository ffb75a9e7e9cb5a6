/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time client sets a clock that is far off only when it starts (openntpd's -s), and gives up after seconds if no server answers:
 * where the network comes later, the clock would stay hours off for ever. So until the clock was right once it is started again,
 * after one minute, two, four, in the end every hour. One thread.
 */
#ifndef FIRMWARE_BOOT_NTP_H
#define FIRMWARE_BOOT_NTP_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/clock.h"

struct service;

struct ntp { /* zeros at first */
	bool right;
	bool begun;
	uint64_t wait_ms;  /* that it is given now */
	int64_t offset_ms; /* of wall clock to monotonic clock */
};

/* Once a second. */
void ntp_see_to(struct ntp *ntp, struct service *service);

/* ---- its parts, for tests ----------------------------------------------------------------------------------- */

#define NTP_FIRST_MS   60000
#define NTP_LAST_MS    3600000
#define NTP_STEPPED_MS 1000 /* a clock that moved so far was set */

/* Has it to be started again? `synced`: the kernel's word; it runs since `ran_ms`, 0: it does not. */
bool ntp_again(struct ntp *ntp, struct now now, bool synced, uint64_t ran_ms);

#endif
