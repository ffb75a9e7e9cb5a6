/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of hosts under one lock, each with a few sessions, newest last. The lock is held for a look-up only.
 */
#include "proxy/upstream/sessions.h"

#include <pthread.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct key {
	uint16_t port;
	char host[PROFILE_HOST_MAX];
};

struct place {
	UT_hash_handle hh;
	struct key key;
	unsigned n;
	SSL_SESSION *session[SESSIONS_A_HOST];
	int64_t until[SESSIONS_A_HOST];
};

struct sessions {
	pthread_mutex_t lock;
	struct place *places; /* in the order of their making */
};

int sessions_new(struct sessions **ret_sessions)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	CHECK_OK(pthread_mutex_init(&s->lock, NULL));
	*ret_sessions = s;
	return 0;
}

static void drop(struct place *place, unsigned i)
{
	SSL_SESSION_free(place->session[i]);
	place->n--;
	memmove(&place->session[i], &place->session[i + 1],
		(place->n - i) * sizeof(place->session[0]));
	memmove(&place->until[i], &place->until[i + 1], (place->n - i) * sizeof(place->until[0]));
}

static void place_free(struct sessions *s, struct place *place)
{
	while (place->n)
		drop(place, place->n - 1);
	HASH_DEL(s->places, place);
	free(place);
}

void sessions_free(struct sessions **sessions)
{
	struct sessions *s = *sessions;

	*sessions = NULL;
	if (!s)
		return;
	while (s->places)
		place_free(s, s->places);
	CHECK_OK(pthread_mutex_destroy(&s->lock));
	free(s);
}

static bool key_make(const char *host, uint16_t port, struct key *ret_key)
{
	memset(ret_key, 0, sizeof(*ret_key));
	ret_key->port = port;
	return span_copy(span_of(host), ret_key->host, sizeof(ret_key->host)) == 0;
}

static struct place *place_find(struct sessions *s, const struct key *key)
{
	struct place *place;

	HASH_FIND(hh, s->places, key, sizeof(*key), place);
	return place;
}

static struct place *place_make(struct sessions *s, const struct key *key)
{
	struct place *place = place_find(s, key);

	if (place)
		return place;
	if (HASH_COUNT(s->places) >= SESSIONS_HOSTS)
		place_free(s, s->places);
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	place->key = *key;
	HASH_ADD(hh, s->places, key, sizeof(place->key), place);
	if (place->hh.tbl)
		return place;
	free(place);
	return NULL;
}

void sessions_put(struct sessions *s, const char *host, uint16_t port, SSL_SESSION *session,
		  int64_t until)
{
	struct place *place = NULL;
	struct key key;

	CHECK_OK(pthread_mutex_lock(&s->lock));
	if (key_make(host, port, &key))
		place = place_make(s, &key);
	if (place && place->n == SESSIONS_A_HOST)
		drop(place, 0);
	if (place) {
		place->session[place->n] = session;
		place->until[place->n++] = until;
	} else {
		SSL_SESSION_free(session);
	}
	CHECK_OK(pthread_mutex_unlock(&s->lock));
}

/* The newest that holds; what does not is dropped on the way. */
static SSL_SESSION *newest(struct place *place, int64_t wall_s, int64_t *ret_until)
{
	SSL_SESSION *session;

	while (place->n && place->until[place->n - 1] <= wall_s)
		drop(place, place->n - 1);
	if (!place->n)
		return NULL;
	session = place->session[place->n - 1];
	*ret_until = place->until[place->n - 1];
	CHECK(SSL_SESSION_up_ref(session) == 1);
	if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
		drop(place, place->n - 1);
	return session;
}

SSL_SESSION *sessions_take(struct sessions *s, const char *host, uint16_t port, int64_t wall_s,
			   int64_t *ret_until)
{
	SSL_SESSION *session = NULL;
	struct place *place;
	struct key key;

	if (!key_make(host, port, &key))
		return NULL;
	CHECK_OK(pthread_mutex_lock(&s->lock));
	place = place_find(s, &key);
	if (place)
		session = newest(place, wall_s, ret_until);
	if (place && !place->n)
		place_free(s, place);
	CHECK_OK(pthread_mutex_unlock(&s->lock));
	return session;
}
