/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions. A reader of the store lives as long as one question: they are rare, and a reader that rests costs the
 * writer a look at each commit.
 */
#include "proxy/admin/question.h"

#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <sys/queue.h>

#include "cache/store.h"
#include "proxy/config.h"
#include "proxy/dns/reach.h"
#include "proxy/generation.h"
#include "proxy/loop.h"
#include "proxy/policy/policy.h"
#include "proxy/proxy.h"
#include "proxy/sync/intake.h"
#include "proxy/tls/objection.h"
#include "proxy/upstream/parent.h"
#include "proxy/upstream/verdict.h"
#include "proxy/why/why.h"

#define HTTPS_PORT 443

struct sight {
	struct worker *control;
	struct store_reader *reader;
};

static int look(void *arg, const struct cache_key *key, struct object **ret_object)
{
	struct sight *sight = arg;
	struct stored *stored;
	int rc = store_peek(sight->reader, key, &stored);

	if (rc < 0)
		return rc;
	*ret_object = object_dup(stored_object(stored));
	stored_free(&stored);
	return *ret_object ? 0 : -ENOMEM;
}

static uint64_t generation(void *arg, const char *profile)
{
	struct sight *sight = arg;

	return generation_of(sight->control->proxy->generations, sight->reader, profile);
}

struct search {
	const char *profile;
	struct why_reach *found;
	bool is_found;
};

static void search_row(const struct reach_view *view, void *arg)
{
	struct search *search = arg;
	char text[ADDR_TEXT_MAX];

	if (strcmp(view->vendor, search->profile) != 0)
		return;
	search->is_found = true;
	*search->found = (struct why_reach){
		.checked = view->checked,
		.reachable = view->reachable,
		.via_public = view->via_public,
		.state = view->state,
	};
	if (view->via_public)
		(void)snprintf(search->found->resolver, sizeof(search->found->resolver), "%s",
			       addr_format(&view->resolver, text));
}

static bool reach(void *arg, const char *profile, struct why_reach *ret_reach)
{
	struct sight *sight = arg;
	struct search search = { .profile = profile, .found = ret_reach };

	if (sight->control->proxy->reach)
		reach_each(sight->control->proxy->reach, search_row, &search);
	return search.is_found;
}

/* What the vendor's own certificate says, if that is known; TLS_ENDED_HERE: nothing against it. */
static enum tls_reason vendor_objection(struct worker *control, const struct profile_match *match)
{
	struct verdict verdict;

	verdict_get(control, match->host, HTTPS_PORT, &verdict);
	switch (verdict.state) {
	case VERDICT_BAD:
		return TLS_UPSTREAM_BAD;
	case VERDICT_UNREACHABLE:
		return TLS_UPSTREAM_AWAY;
	case VERDICT_GOOD:
		return verdict.wants_client_certificate ? TLS_UPSTREAM_ASKS : TLS_ENDED_HERE;
	case VERDICT_UNKNOWN:
		break;
	}
	return TLS_ENDED_HERE;
}

/* In the order of client/shake.c. */
static enum tls_reason objection(void *arg, const struct addr *device,
				 const struct profile_match *match, const char **ret_text)
{
	struct worker *control = ((struct sight *)arg)->control;
	enum tls_reason reason = TLS_ENDED_HERE;
	enum distrust_word word;

	if (device) {
		reason = tls_objection(control, device, match->host, &word);
		*ret_text = word == DISTRUST_TRUSTS
				    ? "it has taken our certificate for this host"
				    : "it was not tried with this host: its next connection is the "
				      "attempt";
	}
	return reason == TLS_ENDED_HERE ? vendor_objection(control, match) : reason;
}

static void link_of(void *arg, struct scope_who *who)
{
	struct intake *intake = ((struct sight *)arg)->control->proxy->intake;

	if (intake)
		intake_link(intake, who);
}

static bool parent_of(void *arg, const char *profile, bool secure, char ret_text[WHY_PARENT_MAX],
		      bool *ret_bypassed)
{
	struct worker *control = ((struct sight *)arg)->control;
	struct parent_way way;

	ret_text[0] = 0;
	if (!parents_peek(control->proxy->parents, profile, secure, worker_now(control)->mono_ms,
			  &way, ret_bypassed))
		return false;
	if (way.id)
		(void)origin_format(&way.at, ret_text);
	return true;
}

/* The question; false: more words than one has. */
static bool read_words(const struct evkeyvalq *words, struct why_ask *ask)
{
	struct evkeyval *word;

	TAILQ_FOREACH(word, words, next)
	{
		if (strcmp(word->key, "url") == 0)
			ask->url = word->value;
		else if (strcmp(word->key, "method") == 0)
			ask->method = word->value;
		else if (strcmp(word->key, "from") == 0)
			ask->from = word->value;
		else if (strcmp(word->key, "header") == 0 && ask->fields_n < WHY_FIELDS_MAX)
			ask->fields[ask->fields_n++] = word->value;
		else
			return false;
	}
	return ask->url != NULL;
}

int question_answer(struct worker *control, const struct evkeyvalq *words, json_t **ret_json,
		    const char **ret_error)
{
	const struct tarn_settings *settings = &control->config->settings;
	struct sight sight = { .control = control };
	struct why_ask ask = { 0 };
	struct why_world world = {
		.profiles = control->config->profiles,
		.allow = &settings->proxy.allow,
		.settings = settings,
		.link = link_of,
		.pseudonym = control->proxy->pseudonym,
		.now = worker_now(control)->wall_ms / 1000,
		.heuristic_max = settings->cache.heuristic_max > 0
					 ? settings->cache.heuristic_max / 1000
					 : FRESH_UNSET,
		.look = look,
		.generation = generation,
		.objection = objection,
		.parent = parent_of,
		.reach = reach,
		.arg = &sight,
	};
	int rc;

	if (!read_words(words, &ask)) {
		*ret_error = "url= once, and perhaps method=, from=, header= (several)";
		return -EINVAL;
	}
	rc = store_reader_new(control->proxy->store, &sight.reader);
	if (rc < 0)
		return rc;
	rc = why_explain(&ask, &world, ret_json, ret_error);
	store_reader_free(&sight.reader);
	return rc;
}
