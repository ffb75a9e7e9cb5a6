/* SPDX-License-Identifier: Apache-2.0 */
/* A window begins anew with each connection that arrives, and another one with each packet that follows a SYN. */
#include "firmware/keeper/silence.h"

static enum silence_kind judge(struct silence *s, const struct silence_counts *now, uint64_t now_ms)
{
	if (now->steered - s->hearing.steered < SILENCE_SYNS ||
	    now->sent - s->hearing.sent < SILENCE_SYNS)
		s->unheard_ms = 0;
	else if (!s->unheard_ms)
		s->unheard_ms = now_ms; /* what they say may be on its way */
	else if (now_ms - s->unheard_ms >= SILENCE_GRACE_MS)
		return SILENCE_UNHEARD;
	return now->steered - s->arrival.steered >= SILENCE_SYNS ? SILENCE_LOST : SILENCE_NONE;
}

enum silence_kind silence_see(struct silence *s, const struct silence_counts *now, uint64_t now_ms)
{
	if (s->until_ms && now_ms < s->until_ms)
		return s->kind;
	if (s->until_ms) { /* tried again from here on */
		s->until_ms = s->unheard_ms = 0;
		s->arrival = s->hearing = *now;
		return SILENCE_NONE;
	}
	if (now->arrived != s->arrival.arrived)
		s->arrival = *now;
	if (now->heard != s->hearing.heard) {
		s->wait_ms = 0;
		s->hearing = *now;
	}
	s->kind = judge(s, now, now_ms);
	if (s->kind == SILENCE_NONE)
		return s->kind;
	s->wait_ms = s->wait_ms ? s->wait_ms * 2 : SILENCE_TRY_MS;
	if (s->wait_ms > SILENCE_TRY_MAX_MS)
		s->wait_ms = SILENCE_TRY_MAX_MS;
	s->until_ms = now_ms + s->wait_ms;
	return s->kind;
}
