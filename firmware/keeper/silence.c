/* SPDX-License-Identifier: Apache-2.0 */
/* A window begins anew with each connection that arrives. */
#include "firmware/keeper/silence.h"

static void window_begin(struct silence *s, uint64_t steered, uint64_t arrived)
{
	s->steered = steered;
	s->arrived = arrived;
}

bool silence_see(struct silence *s, uint64_t steered, uint64_t arrived, uint64_t now_ms)
{
	if (s->until_ms && now_ms < s->until_ms)
		return true;
	if (s->until_ms) { /* tried again from here on */
		s->until_ms = 0;
		window_begin(s, steered, arrived);
		return false;
	}
	if (arrived != s->arrived) {
		s->wait_ms = 0;
		window_begin(s, steered, arrived);
	}
	if (steered - s->steered < SILENCE_SYNS)
		return false;
	s->wait_ms = s->wait_ms ? s->wait_ms * 2 : SILENCE_TRY_MS;
	if (s->wait_ms > SILENCE_TRY_MAX_MS)
		s->wait_ms = SILENCE_TRY_MAX_MS;
	s->until_ms = now_ms + s->wait_ms;
	return true;
}
