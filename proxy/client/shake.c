/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An intercepted TLS connection that may be ended here: what has to be known first, then the handshake.
 *
 *	shake_begin: listed? distrusted? a flood? --> VERDICT --> LEAF --> ATTEMPT or TURN --> SHAKING --> ASKING
 *	                                              is the vendor's own  our certi-  written down,       the first
 *	                                              certificate good?    ficate      or after others     request
 *
 * Until SHAKING the device has heard nothing of us, and whatever speaks against it, or takes longer than
 * WAIT_MS, has the connection carried through (give_up). From then on it is at stake, and what the device does
 * about it is remembered (proxy/tls/distrust.h).
 *
 * While something is awaited nothing is read (await). `struct saving` outlives us, since the writer can't be asked to
 * forget it.
 */
#include <stdatomic.h>

#include "firmware/base/log.h"
#include "proxy/client/client_priv.h"
#include "proxy/tls/decide.h"
#include "proxy/tls/leaves.h"
#include "proxy/tls/objection.h"
#include "proxy/tls/tally.h"
#include "proxy/upstream/verdict.h"

#define WAIT_MS	      1500 /* for verdict, certificate and store */
#define SHAKES_MAX    512  /* of a worker, from their begin to their first request */
#define SHAKES_DEVICE 64   /* of these, a device's */
#define FLOOD_BURST   64   /* handshakes of a device with a worker at once, then ... */
#define FLOOD_MS      50   /* one in this time */
#define TURN_MS	      2	   /* how often it is asked whose turn it is */
#define PROOF_MS                                                                                   \
	300 /* so long after its handshake who does not trust us has closed; others wait for that */
#define HASTE_MS                                                                                   \
	10000 /* so soon after, one that is closed without a request was no spare connection */

enum phase {
	VERDICT,
	LEAF,
	ATTEMPT,
	TURN,
	SHAKING,
	ASKING,
};

struct saving {
	struct mail mail;
	struct worker *worker;
	struct shake *shake; /* NULL: it is gone */
	atomic_int rc;
};

struct shake {
	struct conn *conn;
	enum phase phase;
	struct profile_match match;
	struct hello_reader *hello; /* until SHAKING */
	struct verdict_ask *verdict_ask;
	enum leaf_kind kind;
	struct leaf_ask *leaf_ask;
	struct leaf *leaf;
	struct saving *saving;
	struct event limit, again;
	struct flood *flood;
	uint64_t authority;
	uint64_t finished; /* mono_ms */
	bool attempt;	   /* written down, and undecided */
	bool own;	   /* the box itself is asked, and nobody stands behind it */
	bool was_trusted;  /* then it waits for its turn */
	bool turn;	   /* it is ours */
};

static void await(struct shake *shake, enum phase phase)
{
	shake->phase = phase;
	conn_unwatch_read(shake->conn);
}

/* ---- the end ----------------------------------------------------------------------------------- */

static struct distrust *distrust_of(const struct shake *shake)
{
	return shake->conn->worker->proxy->distrust;
}

static int64_t wall_ms(const struct shake *shake)
{
	return worker_now(shake->conn->worker)->wall_ms;
}

static void turn_give(struct shake *shake)
{
	if (shake->turn)
		distrust_turn_give(distrust_of(shake), &shake->conn->device, shake->match.host);
	shake->turn = false;
}

/* What is undecided now was not decided by the device; but one whose handshake we cut saw it fail. */
void shake_free(struct conn *conn)
{
	struct shake *shake = conn->shake;

	conn->shake = NULL;
	if (!shake)
		return;
	if (shake->attempt && shake->phase == SHAKING)
		distrust_failed(distrust_of(shake), &conn->device, shake->match.host,
				DISTRUST_INTERRUPTED, wall_ms(shake), 0);
	else if (shake->attempt)
		distrust_undecided(distrust_of(shake), &conn->device, shake->match.host);
	turn_give(shake);
	if (shake->saving)
		shake->saving->shake = NULL;
	verdict_cancel(&shake->verdict_ask);
	leaf_ask_cancel(conn->worker->proxy->leaves, &shake->leaf_ask);
	leaf_unref(&shake->leaf);
	hello_reader_free(&shake->hello);
	event_del(&shake->limit);
	event_del(&shake->again);
	shake->flood->open--;
	conn->worker->client->shakes_n--;
	free(shake);
}

/* The device never hears of us. Frees the connection. */
static void give_up(struct shake *shake, enum tls_reason reason)
{
	struct profile_match match = shake->match;
	struct conn *conn = shake->conn;
	bool own = shake->own;

	shake_free(conn);
	if (own) {
		STAT_INC(STAT_TLS_SOURCE_REFUSED);
		conn_cut(conn, true);
		return;
	}
	secure_note(reason, match.host);
	relay_splice_host(conn, SPLICE_TLS, &match);
}

static void distrusts(struct conn *conn, const char *host, enum distrust_reason reason, int64_t ms)
{
	char device[ADDR_TEXT_MAX];

	distrust_failed(conn->worker->proxy->distrust, &conn->device, host, reason,
			worker_now(conn->worker)->wall_ms, ms);
	LOG(LOG_L_NOTICE, "tls.distrust", "device=%s host=%s why=%s",
	    addr_ip_format(&conn->device, device), host, distrust_reason_name(reason));
}

static int64_t long_ms(const struct conn *conn)
{
	return conn->worker->config->settings.tls.distrust;
}

static void failed(struct shake *shake, enum distrust_reason reason)
{
	if (shake->own)
		return;
	/* One that had trusted us and is just gone may have lost its network. */
	bool brief = !shake->attempt && (reason == DISTRUST_ENDED || reason == DISTRUST_NO_REQUEST);

	shake->attempt = false;
	distrusts(shake->conn, shake->match.host, reason,
		  brief ? DISTRUST_SHORT_MS : long_ms(shake->conn));
}

void shake_unfit(struct conn *conn, enum distrust_reason reason)
{
	if (conn->mode != CONN_INTERCEPTED || !conn->secure)
		return;
	if (conn->shake)
		conn->shake->attempt = false;
	distrusts(conn, conn->sni, reason, long_ms(conn));
}

/* ---- the handshake ----------------------------------------------------------------------------- */

static void limit_set(struct shake *shake, unsigned ms)
{
	CHECK_OK(event_add(&shake->limit, worker_timeout(shake->conn->worker, ms)));
}

static void done(struct shake *shake)
{
	struct conn *conn = shake->conn;

	shake->phase = ASKING;
	shake->finished = worker_now(conn->worker)->mono_ms;
	if (shake->turn)
		limit_set(shake, PROOF_MS);
	else
		event_del(&shake->limit);
	leaf_unref(&shake->leaf);
	if (!shake->own)
		secure_note(TLS_ENDED_HERE, shake->match.host);
	conn_secured(conn);
}

void shake_step(struct conn *conn)
{
	struct shake *shake = conn->shake;
	bool to_write = false;
	int rc = tls_conn_handshake(conn->tls, &to_write);

	if (rc == 0) {
		done(shake);
	} else if (rc == -EAGAIN) {
		conn_watch_shake(conn, to_write);
	} else {
		failed(shake, rc == -EPROTO	  ? DISTRUST_ALERT
			      : rc == -ECONNRESET ? DISTRUST_ENDED
						  : DISTRUST_NO_COMMON);
		conn_cut(conn, false);
	}
}

bool shake_runs(const struct conn *conn)
{
	return conn->shake && conn->shake->phase <= SHAKING;
}

/* Its CA may have been another one when we began to wait. */
static bool is_of_now(const struct shake *shake)
{
	return leaf_authority_number(shake->leaf) ==
	       leaves_authority(shake->conn->worker->proxy->leaves);
}

static void start(struct shake *shake)
{
	struct conn *conn = shake->conn;

	if (!is_of_now(shake)) {
		give_up(shake, TLS_NO_LEAF);
		return;
	}
	if (tls_conn_new(conn->worker->proxy->tls_server, conn->fd, shake->leaf, &shake->hello,
			 &conn->tls) < 0) {
		give_up(shake, TLS_BUSY);
		return;
	}
	conn->in_n = 0;
	shake->phase = SHAKING;
	limit_set(shake, (unsigned)conn->worker->config->settings.proxy.head_timeout);
	shake_step(conn);
}

void shake_asked(struct conn *conn)
{
	struct shake *shake = conn->shake;

	if (!shake)
		return;
	shake->attempt = false;
	if (!shake->own)
		distrust_trusts(distrust_of(shake), &conn->device, shake->match.host,
				shake->authority, wall_ms(shake));
	shake_free(conn);
}

/* Who resumes a session has trusted us before. */
static bool is_hasty(const struct shake *shake)
{
	return worker_now(shake->conn->worker)->mono_ms - shake->finished < HASTE_MS &&
	       !tls_conn_resumed(shake->conn->tls);
}

void shake_closed(struct conn *conn)
{
	struct shake *shake = conn->shake;

	if (shake && shake->phase == ASKING && (shake->attempt || is_hasty(shake)))
		failed(shake, DISTRUST_NO_REQUEST);
}

/* ---- the attempt is written down --------------------------------------------------------------- */

static void saved_run(struct worker *worker, struct mail *mail)
{
	struct saving *saving = (struct saving *)((char *)mail - offsetof(struct saving, mail));
	struct shake *shake = saving->shake;
	int rc = atomic_load(&saving->rc);

	free(saving);
	worker_release(worker);
	if (!shake)
		return;
	shake->saving = NULL;
	if (rc == 0)
		start(shake);
	else
		give_up(shake, TLS_UNSAVED);
}

/* The writer's thread. */
static void saved(void *arg, int rc)
{
	struct saving *saving = arg;

	atomic_store(&saving->rc, rc);
	mailbox_post(saving->worker, &saving->mail);
}

static void attempt(struct shake *shake)
{
	struct saving *saving = calloc(1, sizeof(*saving));
	struct conn *conn = shake->conn;
	int rc = -ENOMEM;

	if (saving) {
		mail_init(&saving->mail, saved_run);
		saving->worker = conn->worker;
		saving->shake = shake;
		rc = distrust_try(distrust_of(shake), &conn->device, shake->match.host,
				  shake->authority, wall_ms(shake), saved, saving);
	}
	if (rc < 0) {
		free(saving);
		give_up(shake, rc == -EBUSY ? TLS_BEING_TRIED : TLS_UNSAVED);
		return;
	}
	worker_hold(conn->worker);
	shake->saving = saving;
	shake->attempt = true;
	await(shake, ATTEMPT);
}

/* ---- whose turn is it? ------------------------------------------------------------------------- */

static void turn_ask(struct shake *shake)
{
	struct conn *conn = shake->conn;
	enum distrust_word word =
		distrust_turn_take(distrust_of(shake), &conn->device, shake->match.host,
				   shake->authority, wall_ms(shake));

	if (word == DISTRUST_NEW) {
		attempt(shake);
	} else if (word == DISTRUST_TRUSTS) {
		shake->turn = true;
		start(shake);
	} else if (word == DISTRUST_TRYING && shake->was_trusted) {
		await(shake, TURN);
		CHECK_OK(event_add(&shake->again, worker_timeout(conn->worker, TURN_MS)));
	} else {
		give_up(shake, tls_objection_of(word));
	}
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn_ask(arg);
}

static void ready(struct shake *shake)
{
	struct conn *conn = shake->conn;

	if (shake->own) {
		start(shake);
		return;
	}
	shake->authority = leaf_authority_number(shake->leaf);
	shake->was_trusted = distrust_look(distrust_of(shake), &conn->device, shake->match.host,
					   shake->authority, wall_ms(shake)) == DISTRUST_TRUSTS;
	turn_ask(shake);
}

/* ---- what has to be known ---------------------------------------------------------------------- */

static void leaf_come(void *arg, int rc, struct leaf *leaf)
{
	struct shake *shake = arg;

	shake->leaf_ask = NULL;
	shake->leaf = leaf;
	if (rc < 0)
		give_up(shake, TLS_NO_LEAF);
	else
		ready(shake);
}

static void leaf_get(struct shake *shake)
{
	struct worker *worker = shake->conn->worker;
	int rc;

	rc = leaves_ask(worker->proxy->leaves, worker, shake->match.host, shake->kind, leaf_come,
			shake, &shake->leaf_ask, &shake->leaf);
	if (rc == 0)
		ready(shake);
	else if (rc == -EINPROGRESS)
		await(shake, LEAF);
	else
		give_up(shake, TLS_NO_LEAF);
}

static void verdict_come(void *arg, const struct verdict *verdict)
{
	struct shake *shake = arg;

	shake->verdict_ask = NULL;
	if (verdict->state == VERDICT_BAD)
		give_up(shake, TLS_UPSTREAM_BAD);
	else if (verdict->state != VERDICT_GOOD)
		give_up(shake, TLS_UPSTREAM_AWAY);
	else if (verdict->wants_client_certificate)
		give_up(shake, TLS_UPSTREAM_ASKS);
	else
		leaf_get(shake);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct shake *shake = arg;

	(void)fd;
	(void)what;
	if (shake->phase == SHAKING) {
		struct conn *conn = shake->conn;

		failed(shake, DISTRUST_SLOW);
		conn_cut(conn, true);
	} else if (shake->phase == ASKING) {
		turn_give(shake);
	} else {
		give_up(shake, shake->phase == VERDICT ? TLS_UPSTREAM_AWAY
			       : shake->phase == LEAF  ? TLS_NO_LEAF
			       : shake->phase == TURN  ? TLS_BEING_TRIED
						       : TLS_UNSAVED);
	}
}

/* Devices share one where it can't be helped. */
static struct flood *flood_of(const struct conn *conn)
{
	struct client *client = conn->worker->client;
	uint8_t device[16];
	unsigned hash = 5381;

	addr_to_in6(&conn->device, device);
	for (size_t i = 0; i < sizeof(device); i++)
		hash = hash * 33 + device[i];
	return &client->floods[hash % ARRAY_LEN(client->floods)];
}

/* A device's handshakes with this worker. */
static bool is_flood(struct conn *conn)
{
	uint64_t now = worker_now(conn->worker)->mono_ms, more;
	struct flood *flood = flood_of(conn);

	more = (now - flood->since) / FLOOD_MS;
	if (more) {
		flood->used = more < flood->used ? flood->used - (unsigned)more : 0;
		flood->since = now;
	}
	if (flood->used >= FLOOD_BURST || flood->open >= SHAKES_DEVICE)
		return true;
	flood->used++;
	return false;
}

/* What speaks against it at once; TLS_ENDED_HERE: nothing. */
static enum tls_reason objection(struct conn *conn, const struct profile_match *match)
{
	struct worker *worker = conn->worker;
	enum tls_reason reason = tls_objection(worker, &conn->device, match->host, NULL);

	if (reason != TLS_ENDED_HERE)
		return reason;
	if (worker->client->shakes_n >= SHAKES_MAX || is_flood(conn))
		return TLS_FLOOD;
	return TLS_ENDED_HERE;
}

static struct shake *shake_new(struct conn *conn, const struct profile_match *match,
			       enum leaf_kind kind)
{
	struct shake *shake = calloc(1, sizeof(*shake));

	if (!shake)
		return NULL;
	shake->conn = conn;
	shake->match = *match;
	shake->kind = kind;
	shake->hello = secure_take(conn);
	CHECK_OK(evtimer_assign(&shake->limit, conn->worker->base, on_limit, shake));
	CHECK_OK(evtimer_assign(&shake->again, conn->worker->base, on_again, shake));
	shake->flood = flood_of(conn);
	shake->flood->open++;
	conn->shake = shake;
	conn->worker->client->shakes_n++;
	return shake;
}

void shake_begin(struct conn *conn, const struct profile_match *match, enum leaf_kind kind)
{
	enum tls_reason reason = objection(conn, match);
	struct shake *shake;
	struct verdict verdict;
	int rc;

	conn->sni = reason == TLS_ENDED_HERE ? strdup(match->host) : NULL;
	shake = conn->sni ? shake_new(conn, match, kind) : NULL;
	if (!shake) {
		secure_note(reason == TLS_ENDED_HERE ? TLS_BUSY : reason, match->host);
		relay_splice_host(conn, SPLICE_TLS, match);
		return;
	}
	limit_set(shake, WAIT_MS);
	rc = verdict_ask(conn->worker, match->profile, match->host, addr_port(&conn->origin),
			 verdict_come, shake, &shake->verdict_ask, &verdict);
	if (rc == 0)
		verdict_come(shake, &verdict);
	else if (rc == -EINPROGRESS)
		await(shake, VERDICT);
	else
		give_up(shake, TLS_UPSTREAM_AWAY);
}

void shake_serve(struct conn *conn, const char *host, enum leaf_kind kind)
{
	struct profile_match match = { 0 };
	struct shake *shake = NULL;

	CHECK_OK(span_copy(span_of(host), match.host, sizeof(match.host)));
	if (conn->worker->client->shakes_n < SHAKES_MAX && !is_flood(conn))
		shake = shake_new(conn, &match, kind);
	if (!shake) {
		STAT_INC(STAT_TLS_SOURCE_REFUSED);
		conn_cut(conn, true);
		return;
	}
	shake->own = true;
	limit_set(shake, WAIT_MS);
	leaf_get(shake);
}
