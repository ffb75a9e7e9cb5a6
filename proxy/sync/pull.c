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
 * It belongs to the worker from the first mail until finish(), then to the control loop; `bytes` is all that both see
 * in between. A cancellation is a mail of its own that goes there and back: the pull is freed when both are back, so
 * that nothing of it lies in a mailbox any more.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "cache/flight.h"
#include "cache/manifest.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/policy/policy.h"
#include "proxy/proxy.h"
#include "proxy/sync/pull.h"
#include "proxy/upstream/fetch.h"
#include "proxy/upstream/parent.h"

#define TRIES	   3
#define TURN_SPANS 64 /* pieces of a flight in a turn of the loop */
#define SENT_MAX   4096

enum step {
	STEP_BEGIN,
	STEP_FLIGHT,
	STEP_SETTLE,
	STEP_CHECK,
	STEP_END
};

struct pull {
	struct worker *control, *worker;
	struct mail mail, back; /* to the worker, to the control loop */
	struct mail cancel, cancel_back;
	bool is_back, cancel_sent, cancel_is_back; /* the control loop's */
	struct event turn;			   /* the next chunk of a check */
	pull_done_f *done;
	void *arg;
	struct config *config;
	_Atomic uint64_t bytes;

	/* what was asked */
	const struct profile *profile;
	struct profile_match match;
	bool secure;
	uint16_t port;
	char *key, *target, *head_text;
	struct http_head *head;
	struct policy_req policy;
	uint64_t generation, rate;
	bool index;
	struct pull_expect expect;

	/* how far it is */
	enum step step;
	unsigned tries;
	struct flight_reader seat;
	struct fetch *fetch;
	struct stored *base; /* what is asked about, or NULL */
	bool base_staged;
	uint64_t pos;
	struct stored *found; /* what there is in the end */
	uint32_t chunk;	      /* of it: the next to check */
	EVP_MD_CTX *digest;
	bool direct;	/* past the parents: one had what the index does not name */
	bool for_plain; /* the check may end without asking the vendor */
	struct pull_result result;
	char *result_key;
	char sent[SENT_MAX];
};

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

static void finish(struct pull *p, enum pull_outcome outcome, int error)
{
	p->result.outcome = outcome;
	p->result.error = error;
	leave(p);
	p->step = STEP_END;
	mail_cancel(p->worker, &p->mail);
	worker_release(p->worker);
	mailbox_post(p->control, &p->back);
}

/* ---- keys ---------------------------------------------------------------------------------------- */

/* The part of a variant's key that all its variants share. */
static struct span primary(struct span key)
{
	return span_head(key, span_find(key, '\n'));
}

static struct cache_key staged_key(struct span plain, char *buf)
{
	struct cache_key key;

	CHECK_OK(manifest_key(plain, MANIFEST_STAGED, buf, CACHE_KEY_TEXT_MAX, &key));
	return key;
}

/* The plain key of a record's, which may be staged. */
static char *plain_of(struct span key)
{
	size_t at = span_find(key, '\n');
	struct span rest = span_drop(key, at);
	char *text = malloc(key.n + 1);

	if (!text)
		return NULL;
	if (span_starts(rest, MANIFEST_STAGED))
		rest = span_drop(rest, MANIFEST_STAGED.n);
	memcpy(text, key.p, at);
	memcpy(text + at, rest.p, rest.n);
	text[at + rest.n] = 0;
	return text;
}

static int peek(const struct pull *p, struct span text, struct stored **ret_stored)
{
	struct cache_key key = key_of(text);
	int rc = store_peek(p->worker->reader, &key, ret_stored);

	if (rc == 0 && stored_object(*ret_stored)->kind == OBJECT_RESPONSE)
		return 0;
	if (rc == 0)
		stored_free(ret_stored);
	return rc < 0 ? rc : -ENOENT;
}

/* Of the marker under a primary key: its id, 0 if there is none; and its names. */
static uint64_t marker(const struct pull *p, struct span key, char names[POLICY_VARY_MAX])
{
	struct cache_key at = key_of(key);
	struct stored *stored;
	uint64_t id = 0;

	names[0] = 0;
	if (store_peek(p->worker->reader, &at, &stored) < 0)
		return 0;
	if (stored_object(stored)->kind == OBJECT_VARY &&
	    span_copy(stored_object(stored)->fields, names, POLICY_VARY_MAX) == 0)
		id = stored_object(stored)->id;
	stored_free(&stored);
	return id;
}

/* ---- checking what is stored ---------------------------------------------------------------------- */

static void look(struct pull *p);
static void ask(struct pull *p);

static const char *digest_of(const struct pull *p)
{
	return p->expect.known && p->expect.digest_n ? index_digest_name(p->expect.kind) : NULL;
}

static bool size_is_right(const struct pull *p, const struct object *object)
{
	return !p->expect.known || p->expect.size == INDEX_SIZE_UNKNOWN ||
	       (uint64_t)object->length == p->expect.size;
}

static void confirmed(struct pull *p)
{
	struct object object = *stored_object(p->found);

	object.generation = p->generation;
	object.body = span_make(NULL, 0);
	if (stored_object(p->found)->body.n)
		object.body = stored_object(p->found)->body;
	if (writer_update_object(p->worker->proxy->writer, &object, NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
}

static void settle_result(struct pull *p)
{
	const struct object *object = stored_object(p->found);
	char names[POLICY_VARY_MAX], buf[CACHE_KEY_TEXT_MAX];
	bool staged = manifest_key_is_beside(object->key);

	p->result.id = object->id;
	p->result.size = object->length;
	p->result_key = plain_of(object->key);
	if (!p->result_key) {
		finish(p, PULL_FAILED, -ENOMEM);
		return;
	}
	if (staged)
		p->result.marker_id =
			marker(p, staged_key(primary(span_of(p->result_key)), buf).text, names);
	if (p->for_plain)
		confirmed(p);
	finish(p, staged ? PULL_STAGED : p->base || p->for_plain ? PULL_UNCHANGED : PULL_FRESH, 0);
}

/* It is not what the index names. What was there before stays. */
static void mismatch(struct pull *p)
{
	const struct object *object = stored_object(p->found);
	struct cache_key key = key_of(object->key);
	bool came = !p->base || stored_object(p->base)->id != object->id ||
		    manifest_key_is_beside(object->key);

	if (p->for_plain) {
		stored_free(&p->found);
		p->for_plain = false;
		ask(p);
		return;
	}
	if (came && writer_remove(p->worker->proxy->writer, &key, object->id, NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
	if (!p->direct && parents_count(p->worker->proxy->parents)) {
		p->direct = true; /* a parent may have had an old one */
		look(p);
		return;
	}
	STAT_INC(STAT_SYNC_MISMATCH);
	finish(p, PULL_MISMATCH, 0);
}

static void check_end(struct pull *p)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	bool right = EVP_DigestFinal_ex(p->digest, digest, &n) == 1 && n == p->expect.digest_n &&
		     !memcmp(digest, p->expect.digest, n);

	EVP_MD_CTX_free(p->digest);
	p->digest = NULL;
	if (right)
		settle_result(p);
	else
		mismatch(p);
}

/* The next chunk, then the loop's other events. */
static void check_turn(evutil_socket_t fd, short what, void *arg)
{
	struct pull *p = arg;
	const struct object *object = stored_object(p->found);
	struct store_place place;

	(void)fd;
	(void)what;
	if (object->body.n)
		(void)EVP_DigestUpdate(p->digest, object->body.p, object->body.n);
	if (p->chunk >= object_chunks(object)) {
		check_end(p);
		return;
	}
	if (stored_chunk(p->worker->reader, p->found, p->chunk++, &place) < 0) {
		finish(p, PULL_FAILED, -EIO); /* damaged: the next run finds a hole */
		return;
	}
	(void)EVP_DigestUpdate(p->digest, place.bytes.p, place.bytes.n);
	worker_next_turn(&p->turn);
}

/* What there is, `found`, against what the index names. */
static void check(struct pull *p)
{
	const EVP_MD *md = digest_of(p) ? EVP_get_digestbyname(digest_of(p)) : NULL;

	p->step = STEP_CHECK;
	if (!size_is_right(p, stored_object(p->found))) {
		mismatch(p);
		return;
	}
	if (!md) {
		settle_result(p);
		return;
	}
	p->chunk = 0;
	p->digest = EVP_MD_CTX_new();
	if (!p->digest || EVP_DigestInit_ex(p->digest, md, NULL) != 1) {
		finish(p, PULL_FAILED, -ENOMEM);
		return;
	}
	worker_next_turn(&p->turn);
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

static void ask(struct pull *p)
{
	char staged_buf[CACHE_KEY_TEXT_MAX], primary_buf[CACHE_KEY_TEXT_MAX];
	char names[POLICY_VARY_MAX];
	struct span plain = span_of(p->key);
	bool staged = p->base != NULL;
	struct cache_key key = staged ? staged_key(plain, staged_buf) : key_of(plain);
	struct span first = staged ? staged_key(primary(plain), primary_buf).text : primary(plain);
	struct flight_want want = { .from = base_until(p), .to = UINT64_MAX };
	enum flight_role role;
	int rc;

	if (p->base && object_complete(stored_object(p->base)))
		want.from = 0;
	(void)marker(p, first, names);
	p->step = STEP_FLIGHT;
	p->pos = want.from;
	p->seat = (struct flight_reader){ .wake = p->seat.wake };
	rc = flight_join(p->worker->proxy->flights, &key, want, *worker_now(p->worker), &p->seat,
			 &role);
	if (rc == 0 && role == FLIGHT_ROLE_LEADER && !p->base && peek(p, plain, &p->found) == 0) {
		flight_abandon(flight_of(&p->seat)); /* it came meanwhile */
		look(p);
		return;
	}
	if (rc == 0 && role != FLIGHT_ROLE_FOLLOWER) {
		rc = lead(p, first, names, want);
		if (rc < 0)
			flight_abandon(flight_of(&p->seat));
	}
	if (rc < 0)
		finish(p, PULL_FAILED, rc);
	else
		progress(p);
}

static void look(struct pull *p)
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
		finish(p, PULL_FAILED, -EREMOTEIO);
		return;
	}
	p->base_staged = peek(p, staged_key(plain, buf).text, &p->base) == 0;
	if (!p->base_staged && peek(p, plain, &p->base) < 0)
		p->base = NULL;
	/* A digest says more than the vendor's "not modified". */
	sure = p->base && digest_of(p) && object_complete(stored_object(p->base)) &&
	       size_is_right(p, stored_object(p->base));
	if (!sure) {
		ask(p);
		return;
	}
	p->found = NULL;
	if (peek(p, stored_object(p->base)->key, &p->found) < 0) {
		ask(p);
		return;
	}
	p->for_plain = true;
	check(p);
}

/* ---- the flight ---------------------------------------------------------------------------------- */

/* It is in the store, as far as it will be. */
static void settled(struct pull *p)
{
	const struct object *object = flight_object(&p->seat);
	uint64_t id = object->id;

	if (!flight_settled(&p->seat))
		return;
	if (peek(p, object->key, &p->found) < 0 || stored_object(p->found)->id != id ||
	    !object_complete(stored_object(p->found))) {
		look(p);
		return;
	}
	check(p);
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
			look(p);
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

		finish(p, gone ? PULL_GONE : PULL_FAILED, gone ? 0 : -EREMOTEIO);
		return;
	}
	if (verdict != FLIGHT_STORE && verdict != FLIGHT_REFRESHED) {
		finish(p, PULL_FAILED, -EOPNOTSUPP); /* it must not be stored */
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
		look(p);
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
	CHECK_OK(evtimer_assign(&p->turn, p->worker->base, check_turn, p));
	p->step = STEP_FLIGHT;
	policy_request(p->head,
		       profile_classify(p->profile, span_head(target, span_find(target, '?'))),
		       &p->policy, NULL);
	p->policy.secure = p->secure;
	if (p->policy.route != POLICY_ROUTE_CACHE)
		finish(p, PULL_FAILED, -EOPNOTSUPP);
	else
		look(p);
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
		finish(p, PULL_CANCELLED, 0);
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
