/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table, by host, under one lock; the control loop speaks with the keeper, any loop asks.
 *
 *	leaves_ask: no leaf, or one that is to be renewed --> asking --> tell_run: MINT --> sent
 *	leaves_minted: signed, and by our CA --> the asks get it        \
 *	               refused --> the asks are told, and who asks soon   > not asking
 *	tick_run: no answer within LEAVES_WAIT_MS                        /
 *
 * Each ECDSA leaf has a key of its own, all RSA leaves one together (proxy/tls/rsa_key.h), for which their asks wait.
 *
 * An ask belongs to its loop: it is taken off the list under the lock before its mail is posted, and posted under the
 * lock, so that leaf_ask_cancel() can take it back. Another CA's file (tarnctl ca rotate): all leaves go, before the API
 * tells of that CA (leaves_look).
 */
#include "proxy/tls/leaves.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <uthash.h>

#include "firmware/base/log.h"
#include "firmware/base/profile.h"
#include "firmware/base/stat.h"
#include "firmware/mint/public.h"
#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/tls/rsa_key.h"

#define TICK_MS	   1000
#define REFUSED_MS 60000 /* a refusal is remembered; one that may pass, */
#define SOON_MS	   2000	 /* only so long */

struct leaf_ask {
	LIST_ENTRY(leaf_ask) link;
	struct worker *worker;
	leaf_f *f;
	void *arg;
	struct mail mail;
	struct leaf *leaf;
	int rc;
	bool done; /* off the list; its mail is posted */
};

struct entry {
	UT_hash_handle hh;		 /* in the order of use */
	char name[1 + PROFILE_HOST_MAX]; /* kind and host */
	enum leaf_kind kind;
	struct leaf *leaf; /* NULL: none */
	int refused;	   /* -errno, until ... */
	uint64_t refused_until;
	bool asking, sent;
	uint32_t ticket;
	uint64_t asked_ms;
	EVP_PKEY *key; /* of the one that is being signed; NULL: it is being made */
	LIST_HEAD(, leaf_ask) asks;
};

struct leaves {
	struct worker *control;
	pthread_mutex_t lock;
	struct entry *entries;
	unsigned asked_n;
	uint32_t ticket;
	bool served;	    /* somebody signs */
	uint64_t authority; /* leaves_authority() */
	struct mail tell;   /* there is something to ask the keeper */
	struct rsa_key *rsa;

	/* the control loop's */
	struct keeper *keeper;
	char *dir;
	X509 *ca;
	struct stat ca_seen;
	struct event tick;
};

/* ---- asks and entries; all under the lock ------------------------------------------------------ */

static void ask_end(struct leaf_ask *ask, int rc, struct leaf *leaf)
{
	LIST_REMOVE(ask, link);
	ask->done = true;
	ask->rc = rc;
	ask->leaf = leaf ? leaf_ref(leaf) : NULL;
	mailbox_post(ask->worker, &ask->mail);
}

/* The keeper's word, or none: the asks are told. */
static void entry_answered(struct leaves *leaves, struct entry *entry, int rc)
{
	EVP_PKEY_free(entry->key);
	entry->key = NULL;
	leaves->asked_n -= entry->asking;
	entry->asking = entry->sent = false;
	while (!LIST_EMPTY(&entry->asks))
		ask_end(LIST_FIRST(&entry->asks), rc, rc ? NULL : entry->leaf);
}

static void entry_free(struct leaves *leaves, struct entry *entry)
{
	HASH_DEL(leaves->entries, entry);
	entry_answered(leaves, entry, -ECANCELED);
	leaf_unref(&entry->leaf);
	free(entry);
}

/* Room for one more: the one that was used longest ago and waits for nothing. */
static void room_make(struct leaves *leaves)
{
	struct entry *entry, *next;

	if (HASH_COUNT(leaves->entries) < LEAVES_MAX)
		return;
	HASH_ITER(hh, leaves->entries, entry, next)
	{
		if (entry->asking)
			continue;
		entry_free(leaves, entry);
		return;
	}
}

static const char *host_of(const struct entry *entry)
{
	return entry->name + 1;
}

/* Found or made, and the one used last. NULL without memory. */
static struct entry *entry_get(struct leaves *leaves, const char *host, enum leaf_kind kind)
{
	char name[1 + PROFILE_HOST_MAX];
	struct entry *entry;

	name[0] = kind == LEAF_RSA ? 'r' : 'e';
	CHECK_OK(span_copy(span_of(host), name + 1, sizeof(name) - 1));
	HASH_FIND_STR(leaves->entries, name, entry);
	if (entry) {
		HASH_DEL(leaves->entries, entry);
	} else {
		room_make(leaves);
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return NULL;
		memcpy(entry->name, name, sizeof(name));
		entry->kind = kind;
		LIST_INIT(&entry->asks);
	}
	HASH_ADD_STR(leaves->entries, name, entry);
	return entry;
}

static int key_begin(struct leaves *leaves, struct entry *entry)
{
	if (entry->kind == LEAF_RSA)
		return rsa_key_begin(leaves->rsa);
	entry->key = EVP_EC_gen("P-256");
	return entry->key ? 0 : -ENOMEM;
}

static int entry_ask(struct leaves *leaves, struct entry *entry, uint64_t now_ms)
{
	int rc;

	if (entry->asking)
		return 0;
	if (entry->refused && now_ms < entry->refused_until)
		return entry->refused;
	if (leaves->asked_n >= LEAVES_ASKED_MAX) {
		STAT_INC(STAT_TLS_LEAF_BUSY);
		return -EBUSY;
	}
	rc = key_begin(leaves, entry);
	if (rc < 0) {
		ERR_clear_error();
		return rc;
	}
	entry->refused = 0;
	entry->asking = true;
	entry->sent = false;
	entry->ticket = ++leaves->ticket;
	entry->asked_ms = now_ms;
	leaves->asked_n++;
	mailbox_post(leaves->control, &leaves->tell);
	return 0;
}

static void ask_run(struct worker *worker, struct mail *mail)
{
	struct leaf_ask *ask = (struct leaf_ask *)((char *)mail - offsetof(struct leaf_ask, mail));
	leaf_f *f = ask->f;
	void *arg = ask->arg;
	struct leaf *leaf = ask->leaf;
	int rc = ask->rc;

	(void)worker;
	free(ask);
	f(arg, rc, leaf);
}

static int ask_add(struct entry *entry, struct worker *worker, leaf_f *f, void *arg,
		   struct leaf_ask **ret_ask)
{
	struct leaf_ask *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return -ENOMEM;
	ask->worker = worker;
	ask->f = f;
	ask->arg = arg;
	mail_init(&ask->mail, ask_run);
	LIST_INSERT_HEAD(&entry->asks, ask, link);
	*ret_ask = ask;
	return -EINPROGRESS;
}

static int ask_locked(struct leaves *leaves, struct worker *worker, const char *host,
		      enum leaf_kind kind, leaf_f *f, void *arg, struct leaf_ask **ret_ask,
		      struct leaf **ret_leaf)
{
	struct now now = *worker_now(worker);
	struct entry *entry;
	int64_t left = 0;
	int rc;

	if (!leaves->served)
		return -ENOENT;
	entry = entry_get(leaves, host, kind);
	if (!entry)
		return -ENOMEM;
	if (entry->leaf)
		left = leaf_until(entry->leaf) - now.wall_ms / 1000;
	rc = left > LEAVES_RENEW_S ? 0 : entry_ask(leaves, entry, now.mono_ms);
	if (left > 0) {
		/* Good for now, whatever becomes of the next one. */
		*ret_leaf = leaf_ref(entry->leaf);
		return 0;
	}
	return rc ? rc : ask_add(entry, worker, f, arg, ret_ask);
}

int leaves_ask(struct leaves *leaves, struct worker *worker, const char *host, enum leaf_kind kind,
	       leaf_f *f, void *arg, struct leaf_ask **ret_ask, struct leaf **ret_leaf)
{
	int rc;

	pthread_mutex_lock(&leaves->lock);
	rc = ask_locked(leaves, worker, host, kind, f, arg, ret_ask, ret_leaf);
	pthread_mutex_unlock(&leaves->lock);
	return rc;
}

void leaf_ask_cancel(struct leaves *leaves, struct leaf_ask **ptr)
{
	struct leaf_ask *ask = *ptr;

	*ptr = NULL;
	if (!ask)
		return;
	pthread_mutex_lock(&leaves->lock);
	if (!ask->done)
		LIST_REMOVE(ask, link);
	pthread_mutex_unlock(&leaves->lock);
	mail_cancel(ask->worker, &ask->mail);
	leaf_unref(&ask->leaf);
	free(ask);
}

uint64_t leaves_authority(struct leaves *leaves)
{
	uint64_t authority;

	pthread_mutex_lock(&leaves->lock);
	authority = leaves->authority;
	pthread_mutex_unlock(&leaves->lock);
	return authority;
}

/* ---- the CA, as published ---------------------------------------------------------------------- */

/* Reads it if it is another file than the one that was read. */
void leaves_look(struct leaves *leaves)
{
	struct entry *entry, *next;
	char path[4096];
	struct stat st;
	X509 *ca;

	(void)snprintf(path, sizeof(path), "%s/" CA_PUBLIC, leaves->dir);
	if (!leaves->keeper || stat(path, &st) < 0 ||
	    (leaves->ca && st.st_ino == leaves->ca_seen.st_ino &&
	     st.st_mtim.tv_sec == leaves->ca_seen.st_mtim.tv_sec &&
	     st.st_mtim.tv_nsec == leaves->ca_seen.st_mtim.tv_nsec) ||
	    ca_certificate(leaves->dir, &ca) < 0)
		return;
	leaves->ca_seen = st;
	if (leaves->ca && X509_cmp(leaves->ca, ca) == 0) {
		X509_free(ca);
		return;
	}
	LOG(LOG_L_NOTICE, "tls.authority", "new=%s", leaves->ca ? "yes" : "no");
	X509_free(leaves->ca);
	leaves->ca = ca;
	pthread_mutex_lock(&leaves->lock);
	leaves->authority = authority_number(ca);
	HASH_ITER(hh, leaves->entries, entry, next)
	{
		leaf_unref(&entry->leaf);
		entry->refused = 0;
	}
	pthread_mutex_unlock(&leaves->lock);
}

/* ---- the keeper -------------------------------------------------------------------------------- */

/* Its bytes for the keeper; empty: no memory. */
static struct span key_public(const EVP_PKEY *key, enum leaf_kind kind,
			      uint8_t buf[HERITAGE_MODULUS])
{
	size_t n = 0, whole = kind == LEAF_RSA ? HERITAGE_MODULUS : HERITAGE_POINT;
	BIGNUM *modulus = NULL;

	if (kind == LEAF_ECDSA)
		(void)EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, buf,
						      HERITAGE_POINT, &n);
	else if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1 &&
		 BN_bn2binpad(modulus, buf, HERITAGE_MODULUS) == HERITAGE_MODULUS)
		n = HERITAGE_MODULUS;
	BN_free(modulus);
	ERR_clear_error();
	return span_make(buf, n == whole ? n : 0);
}

static void tell(struct leaves *leaves, struct entry *entry)
{
	uint8_t buf[HERITAGE_MODULUS];
	struct span key;

	if (!entry->key && entry->kind == LEAF_RSA)
		entry->key = rsa_key_get(leaves->rsa);
	if (!entry->key)
		return;
	key = key_public(entry->key, entry->kind, buf);
	if (!key.n)
		entry_answered(leaves, entry, -ENOMEM);
	else
		entry->sent = keeper_mint(leaves->keeper, entry->ticket, key, host_of(entry)) == 0;
}

static void tell_all(struct leaves *leaves)
{
	struct entry *entry, *next;

	if (!leaves->keeper)
		return;
	pthread_mutex_lock(&leaves->lock);
	HASH_ITER(hh, leaves->entries, entry, next)
	{
		if (entry->asking && !entry->sent)
			tell(leaves, entry);
	}
	pthread_mutex_unlock(&leaves->lock);
}

/* The thread that made the key. */
static void rsa_made(void *arg)
{
	struct leaves *leaves = arg;

	mailbox_post(leaves->control, &leaves->tell);
}

static void tell_run(struct worker *control, struct mail *mail)
{
	(void)control;
	tell_all((struct leaves *)((char *)mail - offsetof(struct leaves, tell)));
}

/* One that nobody answers is asked for again by whoever needs it next. */
static void tick_run(evutil_socket_t fd, short what, void *arg)
{
	struct leaves *leaves = arg;
	struct now now = *worker_now(leaves->control);
	struct entry *entry, *next;

	(void)fd;
	(void)what;
	leaves_look(leaves);
	tell_all(leaves);
	pthread_mutex_lock(&leaves->lock);
	HASH_ITER(hh, leaves->entries, entry, next)
	{
		if (!entry->asking || now_since(now, entry->asked_ms) < LEAVES_WAIT_MS)
			continue;
		STAT_INC(STAT_TLS_LEAF_LOST);
		entry_answered(leaves, entry, -ETIMEDOUT);
	}
	pthread_mutex_unlock(&leaves->lock);
	CHECK_OK(event_add(&leaves->tick, worker_timeout(leaves->control, TICK_MS)));
}

/* Takes the key. NULL: it is not our CA's, not for that key, or there is no memory. */
static struct leaf *leaf_of(struct leaves *leaves, const struct heritage_minted *answer,
			    EVP_PKEY *key)
{
	const uint8_t *p = answer->leaf;

	return leaf_new(key, d2i_X509(NULL, &p, (long)answer->n), leaves->ca);
}

static void refused(struct leaves *leaves, struct entry *entry, int rc)
{
	bool lasts = rc == -EACCES || rc == -EDOM || rc == -EINVAL;

	STAT_INC(STAT_TLS_LEAF_REFUSED);
	LOG(LOG_L_NOTICE, "tls.leaf", "host=%s refused=%s", host_of(entry), strerrorname_np(-rc));
	entry->refused = rc;
	entry->refused_until =
		worker_now(leaves->control)->mono_ms + (lasts ? REFUSED_MS : SOON_MS);
	entry_answered(leaves, entry, rc);
}

static void minted(struct leaves *leaves, struct entry *entry, const struct heritage_minted *answer)
{
	struct leaf *leaf;

	if (answer->error) {
		refused(leaves, entry, -(int)answer->error);
		return;
	}
	leaf = leaf_of(leaves, answer, entry->key);
	entry->key = NULL;
	if (!leaf) {
		refused(leaves, entry, -EBADMSG);
		return;
	}
	STAT_INC(STAT_TLS_LEAF_MINTED);
	leaf_unref(&entry->leaf);
	entry->leaf = leaf;
	entry_answered(leaves, entry, 0);
}

void leaves_minted(struct leaves *leaves, const struct heritage_minted *answer)
{
	struct entry *entry, *next;

	leaves_look(leaves);
	pthread_mutex_lock(&leaves->lock);
	HASH_ITER(hh, leaves->entries, entry, next)
	{
		if (entry->asking && entry->sent && entry->ticket == answer->ticket) {
			minted(leaves, entry, answer);
			break;
		}
	}
	pthread_mutex_unlock(&leaves->lock);
}

void leaves_serve(struct leaves *leaves, struct keeper *keeper)
{
	leaves->keeper = keeper;
	pthread_mutex_lock(&leaves->lock);
	leaves->served = keeper != NULL;
	pthread_mutex_unlock(&leaves->lock);
	if (!keeper)
		return;
	tick_run(-1, 0, leaves);
}

/* ---- life -------------------------------------------------------------------------------------- */

int leaves_new(struct worker *control, const char *dir, struct leaves **ret_leaves)
{
	struct leaves *leaves = calloc(1, sizeof(*leaves));

	if (!leaves)
		return -ENOMEM;
	leaves->dir = strdup(dir);
	if (!leaves->dir || rsa_key_new(rsa_made, leaves, &leaves->rsa) < 0) {
		free(leaves->dir);
		free(leaves);
		return -ENOMEM;
	}
	leaves->control = control;
	CHECK_OK(pthread_mutex_init(&leaves->lock, NULL));
	mail_init(&leaves->tell, tell_run);
	CHECK_OK(evtimer_assign(&leaves->tick, control->base, tick_run, leaves));
	*ret_leaves = leaves;
	return 0;
}

/* The workers have ended, and with them all asks. */
void leaves_free(struct leaves **ptr)
{
	struct leaves *leaves = *ptr;
	struct entry *entry, *next;

	*ptr = NULL;
	if (!leaves)
		return;
	event_del(&leaves->tick);
	rsa_key_free(&leaves->rsa);
	mail_cancel(leaves->control, &leaves->tell);
	HASH_ITER(hh, leaves->entries, entry, next)
	{
		entry_free(leaves, entry);
	}
	X509_free(leaves->ca);
	CHECK_OK(pthread_mutex_destroy(&leaves->lock));
	free(leaves->dir);
	free(leaves);
}
