/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: the store as a whole, and reading it again. Control loop only. */
#include <string.h>

#include "cache/scrub.h"
#include "proxy/admin/object_json.h"
#include "proxy/admin/route.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define RATE_MAX (INT64_C(1) << 40)

static json_t *pass_json(const struct scrub_pass *pass)
{
	if (!pass->began_ms)
		return json_null();
	return json_pack("{s:b, s:I, s:o, s:I, s:I, s:I, s:o}", "asked", pass->asked, "began_at",
			 (json_int_t)pass->began_ms, "ended_at",
			 pass->ended_ms ? json_integer((json_int_t)pass->ended_ms) : json_null(),
			 "objects", (json_int_t)pass->objects, "bytes", (json_int_t)pass->bytes,
			 "bad", (json_int_t)pass->bad, "error",
			 pass->rc ? json_string(strerrorname_np(-pass->rc)) : json_null());
}

static json_t *scrub_json(struct worker *control)
{
	struct scrub_state s;

	scrub_state(control->proxy->scrub, &s);
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:o, s:o}", "running", s.running, "waiting",
			 s.waiting, "rate", (json_int_t)s.rate, "total_objects",
			 (json_int_t)s.total_objects, "total_bytes", (json_int_t)s.total_bytes,
			 "now", s.running ? pass_json(&s.now) : json_null(), "last",
			 pass_json(&s.last));
}

static void get_cache(struct admin_ask *ask)
{
	struct store_stat s;
	json_t *json;

	store_stat(ask->control->proxy->store, &s);
	json = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I}", "state", store_state_name(s.state),
			 "last_error",
			 s.last_error ? json_string(strerrorname_np(-s.last_error)) : json_null(),
			 "limit", (json_int_t)s.limit, "file_bytes", (json_int_t)s.file, "bytes",
			 (json_int_t)s.live, "waiting_bytes", (json_int_t)s.doomed, "objects",
			 (json_int_t)s.objects);
#define X(name, value)                                                                             \
	if (json && json_object_set_new(json, name, json_integer((json_int_t)(value))) < 0)        \
		json_decref(json), json = NULL;
	X("leases", s.leases)
	X("queue_bytes", s.queue_bytes)
	X("queue_ops", s.queue_ops)
	X("lag_ms", s.lag_ms)
	X("commits", s.commits)
	X("commit_errors", s.commit_errors)
	X("commit_worst_ms", s.commit_worst_ms)
	X("map_full", s.map_full)
	X("padding_bytes", s.padding)
	X("evicted", s.evicted)
	X("evicted_bytes", s.evicted_bytes)
	X("bad_chunks", s.bad_chunks)
	X("bad_records", s.bad_records)
	X("set_aside", s.set_aside)
	X("reopened", s.reopened)
#undef X
	if (json && json_object_set_new(json, "scrub", scrub_json(ask->control)) < 0) {
		json_decref(json);
		json = NULL;
	}
	admin_answer_json(ask, 200, json);
}

static void post_verify(struct admin_ask *ask)
{
	const char *match = admin_body_text(ask, "match");
	const json_t *rate = json_object_get(ask->body, "rate");
	int64_t bytes = json_integer_value(rate);
	int rc;

	if (bytes < 0 || bytes > RATE_MAX)
		return admin_answer_error(ask, 422, "bad_rate", "rate is bytes a second, 0 to %lld",
					  (long long)RATE_MAX);
	rc = scrub_now(ask->control->proxy->scrub, match && *match ? object_matches : NULL, match,
		       (uint64_t)bytes);
	if (rc == -EBUSY)
		return admin_answer_error(ask, 409, "busy", "a verification runs already");
	if (rc)
		return admin_answer_errno(ask, rc);
	admin_answer_done(ask);
}

static void delete_verify(struct admin_ask *ask)
{
	scrub_cancel(ask->control->proxy->scrub);
	admin_answer_done(ask);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/cache", ADMIN_VIEW, get_cache },
	{ ADMIN_POST, "/api/v1/cache/verify", ADMIN_OPERATE, post_verify },
	{ ADMIN_DELETE, "/api/v1/cache/verify", ADMIN_OPERATE, delete_verify },
};

ADMIN_TABLE(cache, routes);
