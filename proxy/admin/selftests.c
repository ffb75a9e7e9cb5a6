/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One may wait for an answer at a time. An asker that went away is answered all the same (route.h).
 */
#include "proxy/admin/selftests.h"

#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

struct selftests {
	struct worker *control;
	uint32_t id;
	struct admin_ask *asked; /* waits for the result with `id`; NULL: nobody */
	struct event limit;
	struct heritage_selftest last;
};

static const struct {
	const char *word, *todo;
} faults[] = {
#define X(name, word, step, todo) { word, todo },
	SELFTEST_FAULTS(X)
#undef X
};

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct selftests *selftests = arg;
	struct admin_ask *ask = selftests->asked;

	(void)fd, (void)what;
	selftests->asked = NULL;
	if (ask)
		admin_answer_error(ask, 503, "keeper", "tarnd did not answer; look again");
}

int selftests_new(struct worker *control, struct selftests **ret_selftests)
{
	struct selftests *selftests = calloc(1, sizeof(*selftests));

	if (!selftests)
		return -ENOMEM;
	selftests->control = control;
	CHECK_OK(evtimer_assign(&selftests->limit, control->base, on_limit, selftests));
	*ret_selftests = selftests;
	return 0;
}

void selftests_free(struct selftests **selftests)
{
	if (!*selftests)
		return;
	event_del(&(*selftests)->limit);
	free(*selftests);
	*selftests = NULL;
}

/* The server ends. */
static void on_gone(void *arg)
{
	struct selftests *selftests = arg;

	selftests->asked = NULL;
	event_del(&selftests->limit);
}

void selftests_ask(struct selftests *selftests, struct admin_ask *ask)
{
	struct keeper *keeper = selftests->control->proxy->keeper;

	if (!keeper_steers(keeper)) {
		admin_answer_error(ask, 409, "not_steered",
				   "nothing is intercepted here: there is no way to test");
		return;
	}
	if (selftests->asked) {
		admin_answer_error(ask, 409, "busy", "one is under way");
		return;
	}
	if (++selftests->id == 0)
		selftests->id = 1;
	if (!keeper_selftest(keeper, selftests->id)) {
		admin_answer_error(ask, 503, "keeper", "tarnd can't be told now");
		return;
	}
	selftests->asked = ask;
	admin_keep(ask, on_gone, selftests);
	CHECK_OK(event_add(&selftests->limit,
			   worker_timeout(selftests->control, SELFTESTS_LIMIT_MS)));
}

void selftests_told(struct selftests *selftests, const struct heritage_selftest *result)
{
	struct admin_ask *ask = selftests->asked;
	bool failed = result->state == SELFTEST_IS_FAILED;

	STAT_SET(STAT_SELFTEST_OK, result->state == SELFTEST_IS_OK);
	if (failed)
		STAT_INC(STAT_SELFTEST_FAILED);
	if (failed && result->fault != selftests->last.fault)
		LOG(LOG_L_ERROR, "selftest.failed", "fault=%s why=%s", faults[result->fault].word,
		    LOG_QUOTE(span_of(result->text)));
	else if (!failed && selftests->last.state == SELFTEST_IS_FAILED)
		LOG(LOG_L_NOTICE, "selftest.mended", "ways=%u", result->ways);
	selftests->last = *result;
	if (!ask || result->id != selftests->id)
		return;
	selftests->asked = NULL;
	event_del(&selftests->limit);
	admin_answer_json(ask, 200, selftests_json(selftests));
}

/* ---- as JSON -------------------------------------------------------------------------------------- */

static const char *state_name(const struct selftests *s)
{
	static const char *const names[] = {
#define X(name, text, what) text,
		SELFTEST_STATES(X)
#undef X
	};

	if (!keeper_steers(s->control->proxy->keeper))
		return names[SELFTEST_IS_OFF];
	return names[s->last.state];
}

/* Those behind the one that failed are not known: null. */
static json_t *steps_json(const struct heritage_selftest *last)
{
	static const char *const names[][2] = {
#define X(name, text, what) { text, what },
		SELFTEST_STEPS(X)
#undef X
	};
	json_t *all = json_array();
	bool known = last->state == SELFTEST_IS_OK || last->state == SELFTEST_IS_FAILED;

	for (unsigned i = 0; i < SELFTEST_STEPS_N; i++) {
		bool ok = last->steps & 1u << i;

		json_array_append_new(all, json_pack("{s:s, s:o, s:s}", "name", names[i][0], "ok",
						     known ? json_boolean(ok) : json_null(), "text",
						     names[i][1]));
		known = known && ok;
	}
	return all;
}

json_t *selftests_json(const struct selftests *s)
{
	const struct heritage_selftest *last = &s->last;
	bool failed = last->state == SELFTEST_IS_FAILED;

	return json_pack("{s:s, s:o, s:f, s:i, s:o, s:s, s:s, s:o}", "state", state_name(s), "at",
			 last->at_ms ? json_integer((json_int_t)last->at_ms) : json_null(),
			 "took_ms", (double)last->took_us / 1000, "ways", (int)last->ways, "code",
			 failed ? json_string(faults[last->fault].word) : json_null(), "text",
			 last->text, "todo", failed ? faults[last->fault].todo : "", "steps",
			 steps_json(last));
}
