/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pull, on its worker:
 *
 *	pull_start -- mail --> begin
 *	                         |
 *	          +----------> look ---- stored, and it is what the index names ----+
 *	          |              | else                                             |
 *	          |              v                                                  |
 *	          |            join: leader: fetch_start                            |
 *	          | REDO,        |                                                  |
 *	          | failed       v  woken                                           v
 *	          +----------- FLIGHT -- a head, then all bytes --> SETTLE ------> CHECK, a chunk a turn
 *	                                                    woken: in the store     |
 *	                                                                            v
 *	                                                  finish -- mail --> done, on the control loop
 *
 * It belongs to the worker from the first mail until pull_finish(), then to the control loop; `bytes` is all that both see
 * in between. A cancellation is a mail of its own that goes there and back: the pull is freed when both are back, so
 * that nothing of it lies in a mailbox any more.
 */
#include <stdlib.h>

#include "cache/manifest.h"
#include "firmware/base/log.h"
#include "proxy/config.h"
#include "proxy/proxy.h"
#include "proxy/sync/pull_priv.h"
#include "proxy/upstream/fetch.h"
#include "proxy/upstream/parent.h"

#define TRIES	   3
#define TURN_SPANS 64 /* pieces of a flight in a turn of the loop */

static const char *const outcomes[] = {
#define X(name, text, help) [PULL_##name] = text,
	PULL_OUTCOMES(X)
#undef X
};

const char *pull_outcome_name(enum pull_outcome outcome)
{
	return outcomes[outcome];
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void pull_free(struct pull *p)
{
	config_unref(&p->config);
	free(p->key);
	free(p->target);
	free(p->head_text);
	free(p->head);
	free(p->result_key);
	free(p);
}

/* All that is the worker's. */
static void leave(struct pull *p)
{
	if (p->fetch)
		fetch_owner_gone(p->fetch);
	p->fetch = NULL;
	flight_leave(&p->seat);
	stored_free(&p->base);
	stored_free(&p->found);
	EVP_MD_CTX_free(p->digest);
	p->digest = NULL;
	if (event_initialized(&p->turn))
		event_del(&p->turn);
}

static void reap(struct pull *p)
{
	if (!p->is_back || p->cancel_sent != p->cancel_is_back)
		return;
	p->result.key = span_of(p->result_key ? p->result_key : p->key);
	p->done(p->arg, &p->result, p->sent);
	pull_free(p);
}

static void on_back(struct worker *control, struct mail *mail)
{
	struct pull *p = (struct pull *)((char *)mail - offsetof(struct pull, back));

	(void)control;
	p->is_back = true;
	reap(p);
}

static void on_cancel_back(struct worker *control, struct mail *mail)
{
	struct pull *p = (struct pull *)((char *)mail - offsetof(struct pull, cancel_back));

	(void)control;
	p->cancel_is_back = true;
	reap(p);
}

void pull_finish(struct pull *p, enum pull_outcome outcome, int error)
{
	p->result.outcome = outcome;
	p->result.error = error;
	leave(p);
	p->step = STEP_END;
	mail_cancel(p->worker, &p->mail);
	worker_release(p->worker);
	mailbox_post(p->control, &p->back);
}

/* ---- asking -------------------------------------------------------------------------------------- */

static void on_sent(void *arg, struct span head)
{
	struct pull *p = arg;

	(void)!span_copy(span_head(head, sizeof(p->sent) - 1), p->sent, sizeof(p->sent));
	p->result.asked = true;
}

static void on_ended(void *arg)
{
	((struct pull *)arg)->fetch = NULL;
}

/* The first byte that the base lacks; 0: all, so that it can't be added to. */
static uint64_t base_until(const struct pull *p)
{
	const struct object *base = p->base ? stored_object(p->base) : NULL;
	uint64_t until = base && base->length > 0 && !base->body.n && policy_strong(base)
				 ? object_stored_until(base, 0)
				 : 0;

	return until - until % CONFIG_CHUNK_BYTES;
}

static int lead(struct pull *p, struct span key, const char *vary, struct flight_want want)
{
	struct fetch_ask a = {
		.kind = FETCH_CACHE,
		.profile = p->profile,
		.host = p->match.host,
		.group = p->match.group,
		.secure = p->secure,
		.port = p->port,
		.request = p->head,
		.policy = &p->policy,
		.target = span_of(p->target),
		.key = key,
		.vary = span_of(vary),
		.generation = p->generation,
		.rate = p->rate,
		.direct = p->direct,
		.sent = on_sent,
		.ended = on_ended,
		.arg = p,
	};

	if (p->base && want.from) {
		a.stored = stored_object(p->base);
		a.has_range = true;
		a.range = (struct byte_range){ want.from, RANGE_UNKNOWN };
	} else if (p->base && object_complete(stored_object(p->base))) {
		a.stored = stored_object(p->base);
		a.cond = POLICY_COND_OURS;
	}
	return fetch_start(p->worker, flight_of(&p->seat), &a, &p->fetch);
}

static void progress(struct pull *p);

void pull_fetch(struct pull *p)
{
	char staged_buf[CACHE_KEY_TEXT_MAX], primary_buf[CACHE_KEY_TEXT_MAX];
	char names[POLICY_VARY_MAX];
	struct span plain = span_of(p->key);
	bool staged = p->base != NULL;
	struct cache_key key = staged ? pull_staged_key(plain, staged_buf) : key_of(plain);
	struct span first = staged ? pull_staged_key(pull_primary(plain), primary_buf).text
				   : pull_primary(plain);
	struct flight_want want = { .from = base_until(p), .to = UINT64_MAX };
	enum flight_role role;
	int rc;

	if (p->base && object_complete(stored_object(p->base)))
		want.from = 0;
	(void)pull_marker(p, first, names);
	p->step = STEP_FLIGHT;
	p->pos = want.from;
	p->seat = (struct flight_reader){ .wake = p->seat.wake };
	rc = flight_join(p->worker->proxy->flights, &key, want, *worker_now(p->worker), &p->seat,
			 &role);
	if (rc == 0 && role == FLIGHT_ROLE_LEADER && !p->base &&
	    pull_peek(p, plain, &p->found) == 0) {
		flight_abandon(flight_of(&p->seat)); /* it came meanwhile */
		pull_look(p);
		return;
	}
	if (rc == 0 && role != FLIGHT_ROLE_FOLLOWER) {
		rc = lead(p, first, names, want);
		if (rc < 0)
			flight_abandon(flight_of(&p->seat));
	}
	if (rc < 0)
		pull_finish(p, PULL_FAILED, rc);
	else
		progress(p);
}

void pull_look(struct pull *p)
{
	char buf[CACHE_KEY_TEXT_MAX];
	struct span plain = span_of(p->key);
	bool sure;

	if (p->fetch)
		fetch_owner_gone(p->fetch);
	p->fetch = NULL;
	flight_leave(&p->seat);
	stored_free(&p->base);
	stored_free(&p->found);
	if (p->tries++ == TRIES) {
		pull_finish(p, PULL_FAILED, -EREMOTEIO);
		return;
	}
	p->base_staged = pull_peek(p, pull_staged_key(plain, buf).text, &p->base) == 0;
	if (!p->base_staged && pull_peek(p, plain, &p->base) < 0)
		p->base = NULL;
	/* A digest says more than the vendor's "not modified". */
	sure = p->base && pull_digest(p) && object_complete(stored_object(p->base)) &&
	       pull_size_is_right(p, stored_object(p->base));
	if (!sure) {
		pull_fetch(p);
		return;
	}
	p->found = NULL;
	if (pull_peek(p, stored_object(p->base)->key, &p->found) < 0) {
		pull_fetch(p);
		return;
	}
	p->for_plain = true;
	pull_check(p);
}

/* ---- the flight ---------------------------------------------------------------------------------- */

/* It is in the store, as far as it will be. */
static void settled(struct pull *p)
{
	const struct object *object = flight_object(&p->seat);
	uint64_t id = object->id;

	if (!flight_settled(&p->seat))
		return;
	if (pull_peek(p, object->key, &p->found) < 0 || stored_object(p->found)->id != id ||
	    !object_complete(stored_object(p->found))) {
		pull_look(p);
		return;
	}
	pull_check(p);
}

/* Takes what came. True: it is all there. */
static bool read_on(struct pull *p)
{
	for (unsigned i = 0; i < TURN_SPANS; i++) {
		struct flight_piece piece = { 0 };
		enum flight_got got = flight_read(&p->seat, p->pos, &piece);

		if (got == FLIGHT_GOT_WAIT)
			return false;
		if (got == FLIGHT_GOT_END)
			return true;
		if (got == FLIGHT_GOT_CUT) {
			pull_look(p);
			return false;
		}
		p->pos += piece.bytes.n;
		atomic_store_explicit(&p->bytes, p->pos, memory_order_relaxed);
		flight_piece_done(&piece);
	}
	mailbox_post(p->worker, &p->mail);
	return false;
}

static void headed(struct pull *p)
{
	const struct object *object = flight_object(&p->seat);
	enum flight_verdict verdict = flight_verdict(&p->seat);

	p->result.status = verdict == FLIGHT_REFRESHED ? 304 : object->status;
	if (verdict != FLIGHT_REFRESHED && object->status != 200) {
		bool gone = object->status == 404 || object->status == 410;

		pull_finish(p, gone ? PULL_GONE : PULL_FAILED, gone ? 0 : -EREMOTEIO);
		return;
	}
	if (verdict != FLIGHT_STORE && verdict != FLIGHT_REFRESHED) {
		pull_finish(p, PULL_FAILED, -EOPNOTSUPP); /* it must not be stored */
		return;
	}
	if (verdict == FLIGHT_STORE && !read_on(p))
		return;
	if (p->step == STEP_FLIGHT) {
		p->step = STEP_SETTLE;
		settled(p);
	}
}

static void progress(struct pull *p)
{
	if (p->step == STEP_SETTLE) {
		settled(p);
		return;
	}
	switch (flight_look(&p->seat)) {
	case FLIGHT_NEW:
		break;
	case FLIGHT_REDO:
	case FLIGHT_FAILED:
		p->result.error = flight_error(&p->seat);
		pull_look(p);
		break;
	case FLIGHT_BODY:
	case FLIGHT_DONE:
		headed(p);
		break;
	}
}

/* ---- the beginning ------------------------------------------------------------------------------- */

static void begin(struct pull *p)
{
	struct span target = span_of(p->target);

	worker_hold(p->worker);
	CHECK_OK(evtimer_assign(&p->turn, p->worker->base, pull_check_turn, p));
	p->step = STEP_FLIGHT;
	policy_request(p->head,
		       profile_classify(p->profile, span_head(target, span_find(target, '?'))),
		       &p->policy, NULL);
	p->policy.secure = p->secure;
	if (p->policy.route != POLICY_ROUTE_CACHE)
		pull_finish(p, PULL_FAILED, -EOPNOTSUPP);
	else
		pull_look(p);
}

static void on_mail(struct worker *worker, struct mail *mail)
{
	struct pull *p = (struct pull *)((char *)mail - offsetof(struct pull, mail));

	(void)worker;
	if (p->step == STEP_BEGIN)
		begin(p);
	else if (p->step == STEP_FLIGHT || p->step == STEP_SETTLE)
		progress(p);
}

/* Behind the first mail, so it has begun. */
static void on_cancel(struct worker *worker, struct mail *mail)
{
	struct pull *p = (struct pull *)((char *)mail - offsetof(struct pull, cancel));

	(void)worker;
	if (p->step != STEP_END)
		pull_finish(p, PULL_CANCELLED, 0);
	mailbox_post(p->control, &p->cancel_back);
}

static void on_wake(struct flight_reader *seat)
{
	struct pull *p = (struct pull *)((char *)seat - offsetof(struct pull, seat));

	mailbox_post(p->worker, &p->mail);
}

/*
 * Host and port, and whose they are now. By https if that alone is what the key is for, or if it may be that and the
 * profile prefers it (as request_dial() does).
 */
static int match_host(struct pull *p, struct span host)
{
	struct span rest = span_of(p->key), profile, place, name;
	bool ip6;

	if (!span_cut(&rest, ' ', &profile) || !span_cut(&rest, ' ', &place))
		return -EINVAL;
	(void)policy_place_group(place, &p->secure);

	if (http_authority_split(host, &name, &p->port, &ip6) < 0 ||
	    !profile_match_host(p->config->profiles, name, &p->match) || p->match.never)
		return -EINVAL;
	p->profile = p->match.profile;
	if (!p->port && profile_schemes_same(p->profile))
		p->secure |= profile_upstream_secure(p->profile);
	p->port = p->port ? p->port : p->secure ? 443 : 80;
	return span_eq(span_of(profile_name(p->profile)), profile) ? 0 : -EINVAL;
}

static int head_make(struct pull *p, const struct pull_ask *ask_)
{
	int n = asprintf(&p->head_text, "GET %.*s HTTP/1.1\r\nHost: %.*s\r\n%.*s\r\n",
			 SPAN_FMT(ask_->target), SPAN_FMT(ask_->host), SPAN_FMT(ask_->headers));

	if (n < 0) {
		p->head_text = NULL;
		return -ENOMEM;
	}
	p->head = malloc(sizeof(*p->head));
	if (!p->head)
		return -ENOMEM;
	return http_request_parse(p->head, p->head_text, (size_t)n) < 0 ? -EINVAL : 0;
}

int pull_start(struct worker *control, struct worker *worker, const struct pull_ask *ask_,
	       pull_done_f *done, void *arg, struct pull **ret_pull)
{
	struct pull *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return -ENOMEM;
	p->control = control;
	p->worker = worker;
	p->done = done;
	p->arg = arg;
	p->config = config_ref(control->config);
	p->generation = ask_->generation;
	p->rate = ask_->rate;
	p->index = ask_->index;
	p->expect = ask_->expect;
	p->seat.wake = on_wake;
	mail_init(&p->mail, on_mail);
	mail_init(&p->back, on_back);
	mail_init(&p->cancel, on_cancel);
	mail_init(&p->cancel_back, on_cancel_back);
	p->key = span_dup(ask_->key);
	p->target = span_dup(ask_->target);
	rc = p->key && p->target ? match_host(p, ask_->host) : -ENOMEM;
	if (rc == 0)
		rc = head_make(p, ask_);
	if (rc < 0) {
		pull_free(p);
		return rc;
	}
	*ret_pull = p;
	mailbox_post(worker, &p->mail);
	return 0;
}

void pull_cancel(struct pull *p)
{
	if (p->cancel_sent)
		return;
	p->cancel_sent = true;
	mailbox_post(p->worker, &p->cancel);
}

void pull_drop(struct pull **pull)
{
	struct pull *p = *pull;

	*pull = NULL;
	if (!p)
		return;
	if (p->step != STEP_END) {
		p->fetch = NULL;
		flight_leave(&p->seat);
		stored_free(&p->base);
		stored_free(&p->found);
		EVP_MD_CTX_free(p->digest);
	}
	mail_cancel(p->control, &p->back);
	mail_cancel(p->control, &p->cancel_back);
	pull_free(p);
}

uint64_t pull_bytes(const struct pull *p)
{
	return atomic_load_explicit(&p->bytes, memory_order_relaxed);
}
