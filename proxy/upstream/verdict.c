/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table for all workers under a lock, by host and port. Who waits for a verdict is in its entry's list, and is told by a
 * mail to its worker.
 *
 *	            probe begun                 verdict_note
 *	UNKNOWN ------------------> UNKNOWN ------------------> GOOD, BAD, UNREACHABLE
 *	   ^                       (probing)                        | until_ms, or another configuration
 *	   +--------------------------------------------------------+
 *
 * A probe belongs to the worker that began it and frees itself at its end. An entry that is probing, or waited for, is not
 * given away.
 */
#include "proxy/upstream/verdict.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/dial.h"
#include "proxy/upstream/trust.h"

struct key {
	uint16_t port;
	char host[PROFILE_HOST_MAX];
};

LIST_HEAD(asks, verdict_ask);

struct entry {
	UT_hash_handle hh;
	struct key key;
	unsigned serial; /* of the trust by which it was found */
	struct verdict verdict;
	uint64_t renew_ms;
	bool probing;
	struct asks asks;
};

struct verdicts {
	pthread_mutex_t lock;
	struct entry *entries; /* in the order of their making */
	unsigned probes;
};

struct verdict_ask {
	LIST_ENTRY(verdict_ask) link;
	bool waiting; /* in the list; under the lock */
	struct verdicts *verdicts;
	struct worker *worker;
	struct mail mail;
	verdict_f *f;
	void *arg;
	struct verdict verdict;
};

struct probe {
	LIST_ENTRY(probe) link;
	struct worker *worker;
	struct key key;
	struct dial *dial;
};

static _Thread_local LIST_HEAD(, probe) running;

const char *verdict_state_name(enum verdict_state state)
{
	static const char *const names[] = { "unknown", "good", "bad", "unreachable" };

	CHECK((size_t)state < ARRAY_LEN(names));
	return names[state];
}

/* ---- the table: all under the lock ----------------------------------------------------------------- */

static bool key_make(const char *host, uint16_t port, struct key *ret_key)
{
	memset(ret_key, 0, sizeof(*ret_key));
	ret_key->port = port;
	return span_copy(span_of(host), ret_key->host, sizeof(ret_key->host)) == 0;
}

static struct entry *entry_find(struct verdicts *v, const struct key *key)
{
	struct entry *entry;

	HASH_FIND(hh, v->entries, key, sizeof(*key), entry);
	return entry;
}

static void entry_free(struct verdicts *v, struct entry *entry)
{
	HASH_DEL(v->entries, entry);
	free(entry);
}

static void make_room(struct verdicts *v)
{
	struct entry *entry, *next;

	HASH_ITER(hh, v->entries, entry, next)
	{
		if (HASH_COUNT(v->entries) < VERDICT_HOSTS)
			return;
		if (!entry->probing && LIST_EMPTY(&entry->asks))
			entry_free(v, entry);
	}
}

static struct entry *entry_get(struct verdicts *v, const struct key *key)
{
	struct entry *entry = entry_find(v, key);

	if (entry)
		return entry;
	make_room(v);
	entry = HASH_COUNT(v->entries) < VERDICT_HOSTS ? calloc(1, sizeof(*entry)) : NULL;
	if (!entry)
		return NULL;
	entry->key = *key;
	LIST_INIT(&entry->asks);
	HASH_ADD(hh, v->entries, key, sizeof(entry->key), entry);
	if (entry->hh.tbl)
		return entry;
	free(entry);
	return NULL;
}

static struct verdict entry_now(const struct entry *entry, unsigned serial, uint64_t mono_ms)
{
	if (entry->serial == serial && entry->verdict.until_ms > mono_ms)
		return entry->verdict;
	return (struct verdict){ .state = VERDICT_UNKNOWN };
}

/* Those who waited get it: their own copy, and a mail. */
static void tell(struct entry *entry)
{
	struct verdict_ask *ask;

	while ((ask = LIST_FIRST(&entry->asks))) {
		LIST_REMOVE(ask, link);
		ask->waiting = false;
		ask->verdict = entry->verdict;
		mailbox_post(ask->worker, &ask->mail);
	}
}

/* ---- probes ---------------------------------------------------------------------------------------- */

static void probe_end(struct probe *probe)
{
	struct verdicts *v = probe->worker->proxy->verdicts;
	struct entry *entry;

	CHECK_OK(pthread_mutex_lock(&v->lock));
	v->probes--;
	entry = entry_find(v, &probe->key);
	if (entry) {
		entry->probing = false;
		tell(entry); /* nobody, unless it was cut short */
	}
	CHECK_OK(pthread_mutex_unlock(&v->lock));
	LIST_REMOVE(probe, link);
	dial_cancel(&probe->dial);
	worker_release(probe->worker);
	free(probe);
}

static void probed(void *arg, int err, const struct stream *stream, const struct addr *peer)
{
	struct probe *probe = arg;
	struct stream mine;

	(void)peer;
	probe->dial = NULL;
	if (err == 0) {
		mine = *stream;
		stream_close(&mine);
	}
	probe_end(probe);
}

/* Its place in the table is taken already. */
static void probe_begin(struct worker *worker, const struct profile *profile, const struct key *key)
{
	struct dial_to to = { .secure = true,
			      .fresh = true,
			      .profile = profile,
			      .host = key->host,
			      .port = key->port };
	struct probe *probe = calloc(1, sizeof(*probe));
	struct verdicts *v = worker->proxy->verdicts;
	struct entry *entry;

	STAT_INC(STAT_UPSTREAM_TLS_PROBES);
	if (probe) {
		probe->worker = worker;
		probe->key = *key;
		LIST_INSERT_HEAD(&running, probe, link);
		worker_hold(worker);
		if (dial(worker, &to, probed, probe, &probe->dial) < 0)
			probe_end(probe);
		return;
	}
	CHECK_OK(pthread_mutex_lock(&v->lock));
	v->probes--;
	entry = entry_find(v, key);
	if (entry) {
		entry->probing = false;
		tell(entry);
	}
	CHECK_OK(pthread_mutex_unlock(&v->lock));
}

void verdict_end_all(void)
{
	while (!LIST_EMPTY(&running))
		probe_end(LIST_FIRST(&running));
}

/* Under the lock: should this caller find out? Then the place is taken for it. */
static bool probe_due(struct verdicts *v, struct entry *entry, const struct verdict *now,
		      uint64_t mono_ms)
{
	if (entry->probing || v->probes >= VERDICT_PROBES ||
	    (now->state != VERDICT_UNKNOWN && mono_ms < entry->renew_ms))
		return false;
	entry->probing = true;
	v->probes++;
	return true;
}

/* ---- asking ---------------------------------------------------------------------------------------- */

/*
 * What is known. With a `profile` the vendor is asked if that is due; `ask`, if there is one, waits in the list while
 * nothing is known and the vendor is being asked. True: it waits.
 */
static bool look(struct worker *worker, const struct profile *profile, const char *host,
		 uint16_t port, struct verdict_ask *ask, struct verdict *ret_verdict)
{
	struct verdicts *v = worker->proxy->verdicts;
	uint64_t mono_ms = worker_now(worker)->mono_ms;
	struct verdict now = { .state = VERDICT_UNKNOWN };
	struct entry *entry = NULL;
	bool probe = false, waits;
	struct key key;

	CHECK_OK(pthread_mutex_lock(&v->lock));
	if (key_make(host, port, &key))
		entry = entry_get(v, &key);
	if (entry) {
		now = entry_now(entry, trust_serial(worker->config->trust), mono_ms);
		probe = profile && probe_due(v, entry, &now, mono_ms);
	}
	waits = ask && entry && entry->probing && now.state == VERDICT_UNKNOWN;
	if (waits) {
		LIST_INSERT_HEAD(&entry->asks, ask, link);
		ask->waiting = true;
	}
	CHECK_OK(pthread_mutex_unlock(&v->lock));
	if (probe)
		probe_begin(worker, profile, &key);
	*ret_verdict = now;
	return waits;
}

void verdict_get(struct worker *worker, const char *host, uint16_t port,
		 struct verdict *ret_verdict)
{
	(void)look(worker, NULL, host, port, NULL, ret_verdict);
}

static void on_told(struct worker *worker, struct mail *mail)
{
	struct verdict_ask *ask =
		(struct verdict_ask *)((char *)mail - offsetof(struct verdict_ask, mail));
	struct verdict verdict = ask->verdict;
	verdict_f *f = ask->f;
	void *arg = ask->arg;

	(void)worker;
	free(ask);
	f(arg, &verdict);
}

int verdict_ask(struct worker *worker, const struct profile *profile, const char *host,
		uint16_t port, verdict_f *f, void *arg, struct verdict_ask **ret_ask,
		struct verdict *ret_verdict)
{
	struct verdict_ask *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return -ENOMEM;
	ask->verdicts = worker->proxy->verdicts;
	ask->worker = worker;
	ask->f = f;
	ask->arg = arg;
	mail_init(&ask->mail, on_told);
	if (look(worker, profile, host, port, ask, ret_verdict)) {
		*ret_ask = ask;
		return -EINPROGRESS;
	}
	free(ask);
	return 0;
}

void verdict_cancel(struct verdict_ask **ptr)
{
	struct verdict_ask *ask = *ptr;

	*ptr = NULL;
	if (!ask)
		return;
	CHECK_OK(pthread_mutex_lock(&ask->verdicts->lock));
	if (ask->waiting)
		LIST_REMOVE(ask, link);
	CHECK_OK(pthread_mutex_unlock(&ask->verdicts->lock));
	mail_cancel(ask->worker, &ask->mail);
	free(ask);
}

/* ---- what handshakes say --------------------------------------------------------------------------- */

static struct verdict verdict_of(int err, const struct secure *secure, const struct now *now)
{
	struct verdict v = { .state = VERDICT_UNREACHABLE };
	int64_t left_s;

	if (err == 0) {
		left_s = secure_until(secure) - now->wall_ms / 1000;
		v.state = VERDICT_GOOD;
		v.wants_client_certificate = secure_wants_certificate(secure);
		v.until_ms =
			now->mono_ms + (left_s <= 0			  ? 0
					: left_s * 1000 < VERDICT_GOOD_MS ? (uint64_t)left_s * 1000
									  : VERDICT_GOOD_MS);
	} else if (secure_error_reason(err, &v.reason)) {
		v.state = VERDICT_BAD;
		v.until_ms = now->mono_ms + VERDICT_BAD_MS;
	} else {
		v.until_ms = now->mono_ms + VERDICT_UNREACHABLE_MS;
	}
	return v;
}

/* What the administrator should see: a vendor's certificate that does not hold (any more), and that it does again. */
static void say_change(const struct key *key, const struct verdict *before,
		       const struct verdict *after)
{
	if (after->state == VERDICT_BAD &&
	    (before->state != VERDICT_BAD || before->reason != after->reason))
		LOG(LOG_L_WARN, "upstream.certificate_bad", "host=%s port=%u why=%s note=\"%s\"",
		    key->host, key->port, secure_reason_name(after->reason),
		    secure_reason_help(after->reason));
	else if (after->state == VERDICT_GOOD && before->state == VERDICT_BAD)
		LOG(LOG_L_NOTICE, "upstream.certificate_good", "host=%s port=%u", key->host,
		    key->port);
}

void verdict_note(struct worker *worker, const struct config *config, const struct profile *profile,
		  const char *host, uint16_t port, int err, const struct secure *secure)
{
	struct verdicts *v = worker->proxy->verdicts;
	const struct now *now = worker_now(worker);
	struct verdict before, after = verdict_of(err, secure, now);
	struct entry *entry = NULL;
	struct key key;

	/* Out of memory says nothing of the vendor, nor does a resumed handshake: it shows no certificate. */
	if ((secure && secure_resumed(secure)) || !v || !profile || err == -ENOMEM ||
	    !key_make(host, port, &key))
		return;
	CHECK_OK(pthread_mutex_lock(&v->lock));
	entry = entry_get(v, &key);
	if (entry) {
		before = entry->verdict;
		entry->verdict = after;
		entry->serial = trust_serial(config->trust);
		entry->renew_ms = now->mono_ms + (after.until_ms - now->mono_ms) / 2;
		tell(entry);
	}
	CHECK_OK(pthread_mutex_unlock(&v->lock));
	if (entry)
		say_change(&key, &before, &after);
}

/* ---- life ------------------------------------------------------------------------------------------ */

int verdicts_new(struct verdicts **ret_verdicts)
{
	struct verdicts *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	CHECK_OK(pthread_mutex_init(&v->lock, NULL));
	*ret_verdicts = v;
	return 0;
}

void verdicts_free(struct verdicts **verdicts)
{
	struct verdicts *v = *verdicts;

	*verdicts = NULL;
	if (!v)
		return;
	while (v->entries)
		entry_free(v, v->entries);
	CHECK_OK(pthread_mutex_destroy(&v->lock));
	free(v);
}
