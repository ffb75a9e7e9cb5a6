/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents, and which way a request takes.
 *
 * Owns a small table that all threads read and write under its lock. An entry lives as long as its server stands in the
 * settings; its id is never used again, so that what a fetch says of a parent that is gone meets nobody.
 *
 *	        parents_failed, longer each time               parents_checked(why)
 *	good --------------------------------> resting     good/resting ------------> down
 *	  ^                                      |                                     |
 *	  +---------- rest over <----------------+        good <-- parents_checked ----+
 *
 *	parents_failed(loop): loop, until its rest is over. parents_heard: mutual, as long as it goes on.
 */
#include "proxy/upstream/parent.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"

struct parent {
	unsigned id;
	struct origin at;
	char pseudonym[PSEUDONYM_MAX]; /* as it told; "": not a Tarn, or not known */
	const char *why;
	bool checked, down, loop;
	unsigned failures;
	uint64_t until_ms;  /* rests until then */
	uint64_t mutual_ms; /* goes straight until then */
	uint64_t requests;
};

struct parents {
	pthread_mutex_t lock;
	atomic_uint n; /* 0 is the usual case, which needs no lock */
	bool proxy, direct;
	/* One that has us for its parent asks us in its checks: so long without one is the end of it. */
	uint64_t mutual_ms;
	unsigned last_id;
	char *vendors[32]; /* whose hosts are asked through them; none: all */
	size_t vendors_n;
	struct parent all[PARENTS_MAX];
};

const char *parent_state_name(enum parent_state state)
{
	static const char *const names[] = {
#define X(name, text, help) [PARENT_##name] = text,
		PARENT_STATES(X)
#undef X
	};
	return names[state];
}

/* ---- the table ----------------------------------------------------------------------------------- */

static struct parent *by_id(struct parents *p, unsigned id)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->all[i].id == id)
			return &p->all[i];
	return NULL;
}

static enum parent_state state_of(const struct parent *parent, uint64_t mono_ms)
{
	if (parent->mutual_ms > mono_ms)
		return PARENT_MUTUAL;
	if (parent->until_ms > mono_ms)
		return parent->loop ? PARENT_LOOP : PARENT_RESTING;
	return parent->down ? PARENT_DOWN : PARENT_GOOD;
}

static void down_count(const struct parents *p, uint64_t mono_ms)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += state_of(&p->all[i], mono_ms) != PARENT_GOOD;
	STAT_SET(STAT_PARENT_DOWN, n);
}

static void say(const struct parent *parent, const char *event, const char *why)
{
	char text[ORIGIN_TEXT_MAX];

	LOG(LOG_L_NOTICE, event, "parent=%s why=%s failures=%u", origin_format(&parent->at, text),
	    LOG_QUOTE(span_of(why)), parent->failures);
}

static void vendors_free(struct parents *p)
{
	while (p->vendors_n)
		free(p->vendors[--p->vendors_n]);
}

static void vendors_set(struct parents *p, const struct string_list *names)
{
	vendors_free(p);
	for (size_t i = 0; i < names->n && p->vendors_n < ARRAY_LEN(p->vendors); i++) {
		char *copy = strdup(names->v[i]);

		if (copy)
			p->vendors[p->vendors_n++] = copy;
	}
}

static bool origin_eq(const struct origin *a, const struct origin *b)
{
	return a->secure == b->secure && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The parent at this place as it was before, or a new one. */
static struct parent kept(struct parents *p, const struct parent *before, size_t n,
			  const struct origin *at)
{
	for (size_t i = 0; i < n; i++)
		if (origin_eq(&before[i].at, at))
			return before[i];
	return (struct parent){ .id = ++p->last_id, .at = *at, .why = "" };
}

void parents_set(struct parents *p, const struct tarn_settings *settings)
{
	const struct string_list *servers = &settings->parent.servers;
	struct parent before[PARENTS_MAX];
	struct origin at;
	unsigned was, n = 0;

	CHECK_OK(pthread_mutex_lock(&p->lock));
	was = p->n;
	memcpy(before, p->all, sizeof(before));
	for (size_t i = 0; i < servers->n && n < PARENTS_MAX; i++)
		if (origin_parse(span_of(servers->v[i]), &at) == 0)
			p->all[n++] = kept(p, before, was, &at);
	p->n = n;
	p->proxy = settings->parent.mode == TARN_PARENT_PROXY;
	p->direct = settings->parent.direct;
	p->mutual_ms = 6 * (uint64_t)settings->parent.check;
	vendors_set(p, &settings->parent.vendors);
	CHECK_OK(pthread_mutex_unlock(&p->lock));
}

int parents_new(const struct tarn_settings *settings, struct parents **ret_parents)
{
	struct parents *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	CHECK_OK(pthread_mutex_init(&p->lock, NULL));
	parents_set(p, settings);
	*ret_parents = p;
	return 0;
}

void parents_free(struct parents **ptr)
{
	struct parents *p = *ptr;

	if (!p)
		return;
	vendors_free(p);
	pthread_mutex_destroy(&p->lock);
	free(p);
	*ptr = NULL;
}

/* ---- the way of a request ------------------------------------------------------------------------ */

static bool is_for(const struct parents *p, const char *vendor)
{
	if (!vendor)
		return false;
	for (size_t i = 0; i < p->vendors_n; i++)
		if (strcmp(p->vendors[i], vendor) == 0)
			return true;
	return p->vendors_n == 0;
}

/* https stays https on each part of the way: by CONNECT through one in clear, or to one by https. */
static bool can(const struct parents *p, const struct parent *parent, bool secure)
{
	return !secure || parent->at.secure != p->proxy;
}

static struct parent_way way_of(const struct parents *p, const struct parent *parent)
{
	return (struct parent_way){ .id = parent->id,
				    .at = parent->at,
				    .proxy = p->proxy,
				    .tarn = parent->pseudonym[0] != '\0' };
}

/* In a set of those tried; straight is the first. */
static unsigned bit_of(unsigned id)
{
	return id ? 2U << (id - 1) % 31 : 1U;
}

unsigned parent_tried(unsigned tried, unsigned id)
{
	return tried | bit_of(id);
}

static struct parent *choose(struct parents *p, bool secure, unsigned tried, bool well,
			     uint64_t mono_ms)
{
	for (size_t i = 0; i < p->n; i++) {
		struct parent *parent = &p->all[i];

		if (!(tried & bit_of(parent->id)) && can(p, parent, secure) &&
		    (!well || state_of(parent, mono_ms) == PARENT_GOOD))
			return parent;
	}
	return NULL;
}

/* Whom to ask; NULL: nobody, and whether the vendor itself may be asked then. *ret_bypassed: only because none is well. */
static struct parent *next_of(struct parents *p, const char *vendor, bool secure, unsigned tried,
			      uint64_t mono_ms, bool *ret_straight, bool *ret_bypassed)
{
	struct parent *parent;
	bool able;

	*ret_straight = true;
	*ret_bypassed = false;
	if (!is_for(p, vendor))
		return NULL;
	able = choose(p, secure, 0, false, mono_ms) != NULL;
	*ret_straight = p->direct || !able;
	parent = choose(p, secure, tried, true, mono_ms);
	if (!parent && !*ret_straight)
		parent = choose(p, secure, tried, false, mono_ms);
	*ret_bypassed = !parent && !tried && able;
	return parent;
}

bool parents_next(struct parents *p, const char *vendor, bool secure, unsigned tried,
		  uint64_t mono_ms, struct parent_way *ret_way)
{
	struct parent *parent;
	bool straight, bypassed;

	*ret_way = (struct parent_way){ 0 };
	if (!p || !atomic_load_explicit(&p->n, memory_order_relaxed))
		return !(tried & bit_of(0));
	CHECK_OK(pthread_mutex_lock(&p->lock));
	parent = next_of(p, vendor, secure, tried, mono_ms, &straight, &bypassed);
	if (bypassed)
		STAT_INC(STAT_PARENT_BYPASSED);
	if (parent) {
		parent->requests++;
		*ret_way = way_of(p, parent);
	}
	CHECK_OK(pthread_mutex_unlock(&p->lock));
	return parent || (straight && !(tried & bit_of(0)));
}

bool parents_peek(struct parents *p, const char *vendor, bool secure, uint64_t mono_ms,
		  struct parent_way *ret_way, bool *ret_bypassed)
{
	struct parent *parent;
	bool straight;

	if (!p || !atomic_load_explicit(&p->n, memory_order_relaxed))
		return false;
	CHECK_OK(pthread_mutex_lock(&p->lock));
	parent = next_of(p, vendor, secure, 0, mono_ms, &straight, ret_bypassed);
	*ret_way = parent ? way_of(p, parent) : (struct parent_way){ 0 };
	CHECK_OK(pthread_mutex_unlock(&p->lock));
	return true;
}

static void rest(struct parent *parent, bool loop, uint64_t mono_ms)
{
	unsigned shift = parent->failures < 6 ? parent->failures : 6;
	uint64_t ms = (uint64_t)PARENT_REST_MIN_MS << shift;

	/* Requests that were under way together are one failure. */
	if (parent->until_ms > mono_ms && parent->loop == loop)
		return;
	parent->failures++;
	parent->loop = loop;
	parent->until_ms = mono_ms + (loop			? PARENT_LOOP_REST_MS
				      : ms > PARENT_REST_MAX_MS ? PARENT_REST_MAX_MS
								: ms);
}

void parents_failed(struct parents *p, unsigned id, const char *why, bool loop, uint64_t mono_ms)
{
	struct parent *parent;

	if (!id)
		return;
	STAT_INC(STAT_PARENT_FAILURES);
	CHECK_OK(pthread_mutex_lock(&p->lock));
	parent = by_id(p, id);
	if (parent && state_of(parent, mono_ms) == PARENT_GOOD) {
		rest(parent, loop, mono_ms);
		parent->why = why;
		if (loop)
			STAT_INC(STAT_PARENT_LOOPS);
		say(parent, "parent.failed", why);
	}
	down_count(p, mono_ms);
	CHECK_OK(pthread_mutex_unlock(&p->lock));
}

void parents_good(struct parents *p, unsigned id)
{
	struct parent *parent;

	if (!id)
		return;
	CHECK_OK(pthread_mutex_lock(&p->lock));
	parent = by_id(p, id);
	if (parent && parent->failures) {
		parent->failures = 0;
		parent->until_ms = 0;
		parent->down = parent->loop = false;
		parent->why = "";
	}
	CHECK_OK(pthread_mutex_unlock(&p->lock));
}

/* ---- rings --------------------------------------------------------------------------------------- */

static bool is_tarn(struct span name)
{
	return name.n < PSEUDONYM_MAX && span_istarts(name, SPAN("tarn-"));
}

/* [protocol-name "/"] protocol-version SP received-by [SP comment] */
static struct span received_by(struct span element)
{
	struct span word = { 0 };

	element = span_trim(span_drop(element, span_find(element, ' ')));
	return span_cut(&element, ' ', &word) ? word : (struct span){ 0 };
}

void parent_pseudonym(const struct http_head *head, char ret_text[PSEUDONYM_MAX])
{
	struct http_list list = http_list_of(head, HTTP_FIELD_VIA);
	struct span element, name = { 0 };

	ret_text[0] = '\0';
	while (http_list_element(&list, &element))
		name = received_by(element);
	if (is_tarn(name))
		CHECK_OK(span_copy(name, ret_text, PSEUDONYM_MAX));
}

/* What the Via of a request says of our parents, by their places. */
struct passed {
	bool by[PARENTS_MAX];	/* it came by that one */
	bool last[PARENTS_MAX]; /* and what it came by since has a name behind ours */
};

static void passed_read(const struct parents *p, const struct http_head *request, const char *ours,
			struct passed *ret)
{
	struct http_list list = http_list_of(request, HTTP_FIELD_VIA);
	struct span element;
	char name[PSEUDONYM_MAX];

	*ret = (struct passed){ 0 };
	while (http_list_element(&list, &element)) {
		if (!is_tarn(received_by(element)))
			continue;
		CHECK_OK(span_copy(received_by(element), name, sizeof(name)));
		for (size_t i = 0; i < p->n; i++) {
			bool is = strcasecmp(name, p->all[i].pseudonym) == 0;

			ret->last[i] = (is || ret->last[i]) && strcasecmp(ours, name) <= 0;
			ret->by[i] |= is;
		}
	}
}

static void goes_straight(const struct parents *p, struct parent *parent, uint64_t mono_ms)
{
	if (parent->mutual_ms <= mono_ms) {
		parent->why = "it has this box for its parent, too";
		STAT_INC(STAT_PARENT_LOOPS);
		say(parent, "parent.mutual", parent->why);
	}
	parent->mutual_ms = mono_ms + p->mutual_ms;
}

void parents_heard(struct parents *p, const struct http_head *request, const char *ours,
		   uint64_t mono_ms)
{
	struct passed passed;

	if (!p || !atomic_load_explicit(&p->n, memory_order_relaxed))
		return;
	CHECK_OK(pthread_mutex_lock(&p->lock));
	passed_read(p, request, ours, &passed);
	for (size_t i = 0; i < p->n; i++)
		if (passed.by[i] && passed.last[i])
			goes_straight(p, &p->all[i], mono_ms);
	CHECK_OK(pthread_mutex_unlock(&p->lock));
}

unsigned parents_passed(struct parents *p, const struct http_head *request)
{
	struct passed passed;
	unsigned tried = 0;

	if (!p || !atomic_load_explicit(&p->n, memory_order_relaxed) ||
	    !http_has(request, HTTP_FIELD_VIA))
		return 0;
	CHECK_OK(pthread_mutex_lock(&p->lock));
	passed_read(p, request, "", &passed);
	for (size_t i = 0; i < p->n; i++)
		if (passed.by[i])
			tried = parent_tried(tried, p->all[i].id);
	CHECK_OK(pthread_mutex_unlock(&p->lock));
	return tried;
}

/* ---- checks, and what is shown ------------------------------------------------------------------- */

bool parents_reach(struct parents *p, const char *vendor, uint64_t mono_ms)
{
	bool any = false;

	if (!p || !atomic_load_explicit(&p->n, memory_order_relaxed))
		return false;
	CHECK_OK(pthread_mutex_lock(&p->lock));
	for (size_t i = 0; i < p->n && is_for(p, vendor); i++)
		any |= p->all[i].checked && state_of(&p->all[i], mono_ms) == PARENT_GOOD;
	CHECK_OK(pthread_mutex_unlock(&p->lock));
	return any;
}

size_t parents_count(struct parents *p)
{
	return p ? atomic_load(&p->n) : 0;
}

bool parents_at(struct parents *p, size_t i, uint64_t mono_ms, struct parent_view *ret_view)
{
	bool found;

	CHECK_OK(pthread_mutex_lock(&p->lock));
	found = i < p->n;
	if (found) {
		const struct parent *parent = &p->all[i];

		*ret_view = (struct parent_view){
			.way = way_of(p, parent),
			.state = state_of(parent, mono_ms),
			.why = parent->why,
			.failures = parent->failures,
			.rests_ms = parent->until_ms > mono_ms ? parent->until_ms - mono_ms : 0,
			.requests = parent->requests,
		};
		memcpy(ret_view->pseudonym, parent->pseudonym, sizeof(parent->pseudonym));
	}
	CHECK_OK(pthread_mutex_unlock(&p->lock));
	return found;
}

/* The state after a check; true: it was another. */
static bool check_apply(struct parent *parent, const char *why, bool loop, const char *pseudonym,
			uint64_t mono_ms)
{
	bool was = parent->checked && state_of(parent, mono_ms) == PARENT_GOOD;

	parent->checked = true;
	if (!why) {
		if (strcmp(pseudonym, parent->pseudonym) != 0)
			parent->mutual_ms = 0; /* it was another's */
		CHECK_OK(span_copy(span_of(pseudonym), parent->pseudonym, PSEUDONYM_MAX));
		parent->down = false;
		if (parent->loop)
			parent->until_ms = 0;
		parent->loop = false;
		if (!parent->failures && parent->mutual_ms <= mono_ms)
			parent->why = "";
		return was != (state_of(parent, mono_ms) == PARENT_GOOD);
	}
	parent->why = why;
	if (loop)
		rest(parent, true, mono_ms);
	else
		parent->down = true;
	return was;
}

bool parents_checked(struct parents *p, unsigned id, const char *why, bool loop,
		     const char *pseudonym, uint64_t mono_ms)
{
	struct parent *parent;
	bool changed = false;

	STAT_INC(STAT_PARENT_CHECKS);
	if (why)
		STAT_INC(STAT_PARENT_CHECK_FAILURES);
	CHECK_OK(pthread_mutex_lock(&p->lock));
	parent = by_id(p, id);
	if (parent) {
		bool looped = parent->loop;

		changed = check_apply(parent, why, loop, pseudonym, mono_ms);
		if (loop && !looped)
			STAT_INC(STAT_PARENT_LOOPS);
		if (changed)
			say(parent, why ? "parent.lost" : "parent.found", why ? why : "");
	}
	down_count(p, mono_ms);
	CHECK_OK(pthread_mutex_unlock(&p->lock));
	return changed;
}
