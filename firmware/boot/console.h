/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is typed at the machine, on its monitor's keyboard or its serial console. There is no log-in: who stands there may as
 * well take the disk out. One command is known, `factory-reset`, for who has lost the password; it is obeyed when two lines in
 * a row are that word and nothing else, within CONSOLE_AGAIN_MS: a line that is not connected, and its noise, says no such thing.
 * One thread.
 */
#ifndef FIRMWARE_BOOT_CONSOLE_H
#define FIRMWARE_BOOT_CONSOLE_H

#include <event2/event.h>
#include <stdint.h>

#include "firmware/base/span.h"

#define CONSOLE_AGAIN_MS 30000
#define CONSOLE_LINE	 32 /* bytes; what is longer is no command */

struct consoles;

/* Listens at each terminal that the kernel has as its console; `reset` is called for each time that it was asked for. */
MUST_USE int consoles_new(struct event_base *base, void (*reset)(void *arg), void *arg,
			  struct consoles **ret_consoles);

/* ---- its parts, for tests ----------------------------------------------------------------------------------- */

/* What was typed at one terminal so far; zeros at first. */
struct typed {
	char line[CONSOLE_LINE];
	size_t n; /* CONSOLE_LINE: too long */
	bool asked;
	uint64_t asked_ms;
};

enum typed_word {
	TYPED_NOTHING,
	TYPED_ASK,   /* the word, once */
	TYPED_RESET, /* ... and twice */
};

/* What came from the terminal; what the last whole line in it says. */
enum typed_word typed_take(struct typed *typed, struct span bytes, uint64_t now_ms);

#endif
