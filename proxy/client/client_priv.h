/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rooms of the client side share:
 *
 *	conn.c	   the connection: reading heads, keep-alive, its end
 *	linger.c   what remains of a connection that is over: unread input
 *	owed.c	   ... and bytes of the store that the device has not acknowledged
 *	request.c  a request: whose it is, and where it goes
 *	lookup.c   ... its keys, and what is stored under them
 *	cached.c   ... through the store and flights
 *	fill.c	   ... through objects of which only a part is stored
 *	invalidate.c what unsafe requests make worthless
 *	secure.c   what becomes of TLS
 *	shake.c	   ... that may be ended here: what must be known first, and the handshake
 *	relay.c	   ... through to the origin and back, tunnels, splices
 *	respond.c  heads of responses
 *	deliver.c  bodies of responses
 *	access.c   a line in the log for each request
 *	flows.c	   what goes on, for the admin
 *	asked.c    a note of who asked for what
 *	hold.c     a vendor's generations: what is held back, who finishes on the one before
 *
 * Everything here belongs to one worker's thread, but for `mail` of a request, which flights post.
 */
#ifndef PROXY_CLIENT_CLIENT_PRIV_H
#define PROXY_CLIENT_CLIENT_PRIV_H

#include <stdlib.h>
#include <sys/queue.h>

#include "firmware/base/histogram.h"
#include "firmware/base/stat.h"
#include "proxy/client/conn.h"
#include "proxy/config.h"
#include "proxy/generation.h"
#include "proxy/http/chunk.h"
#include "proxy/http/frame.h"
#include "proxy/http/scan.h"
#include "proxy/loop.h"
#include "proxy/policy/policy.h"
#include "proxy/proxy.h"
#include "proxy/splice.h"
#include "proxy/tls/decide.h"
#include "proxy/tls/distrust.h"
#include "proxy/tls/leaf.h"
#include "proxy/tls/server.h"
#include "proxy/upstream/fetch.h"

#define CONN_READ_BYTES	 4096  /* of an input buffer at first */
#define REQUEST_SPARES	 64    /* kept by a worker for the next requests */
#define HELLOS_MAX	 128   /* TLS hellos of a worker that are not whole: some 5 MiB */
#define RELAY_READ_BYTES 16384 /* of a request's body at once */
#define REQUEST_REDOS	 3     /* lookups again before a request goes its own way */

/* X(NAME, "name", what it waits for) */
#define REQUEST_STEPS(X)                                                                           \
	X(READ_HEAD, "read-head", "the rest of the head")                                          \
	X(FLIGHT, "flight", "the head of the response, from a flight")                             \
	X(SETTLE, "settle", "the store to have what a flight stored")                              \
	X(RELAY, "relay", "the head of a relayed response")                                        \
	X(DELIVER, "deliver", "the device's socket, or more of the body")

enum request_step {
#define X(name, text, help) REQUEST_##name,
	REQUEST_STEPS(X)
#undef X
};

struct request;

struct conn {
	TAILQ_ENTRY(conn) link;
	struct worker *worker;
	enum conn_mode mode;
	int fd;
	struct addr device, origin;
	struct event read_event, write_event;
	bool reading; /* read_event is added */

	char *in; /* what came and is not used yet; the head of `req` stays in it */
	size_t in_room, in_n;
	struct head_scan scan;
	uint64_t head_due; /* mono_ms: the head that began must be complete */

	uint64_t sniff_due; /* mono_ms: what began must say by then what it speaks; 0: not begun */
	struct hello_reader *hello; /* of a TLS hello that is not whole, or not decided about yet */
	size_t hello_fed;	    /* bytes of `in` that it has */

	struct request *req;  /* NULL: idle */
	bool sniffed;	      /* it speaks HTTP */
	bool secure;	      /* ... inside TLS that ends here */
	struct shake *shake;  /* until the first request inside TLS; or NULL */
	struct tls_conn *tls; /* of which the handshake has begun; or NULL */
	char *sni;	      /* the host that it asked for; or NULL */
	bool served;	      /* at least one response was begun */
	bool last;	      /* no request after this one */
	bool broken;	      /* half a message is on the wire: nothing may follow */
	bool ended;	      /* the device has closed its side, and all it said was read */

	TAILQ_ENTRY(conn) owes; /* while `owed` is there */
	struct owed *owed; /* leases on what its socket's queue may have of the store; or NULL */
	bool guarded;	   /* that queue is dropped if nobody waits for it (owed.c) */
	bool copies;	   /* the store's file can not be sent by sendfile(2) */
};

TAILQ_HEAD(conns, conn);

/* Where the bytes of a response body come from, and how far they are. */
struct deliver {
	bool active;
	bool head_only;
	bool chunked;
	bool ended;		       /* the body's end is in `frame` or needs none */
	uint64_t pos, end;	       /* of the object, in bytes; end UINT64_MAX: unknown yet */
	const struct object *object;   /* what `stored` serves; NULL: the flight serves all */
	const struct range_set *parts; /* several ranges: multipart */
	struct span part_fields;       /* ... with these fields, of a whole of `whole` bytes */
	int64_t whole;
	unsigned part;
	uint64_t frame_left; /* body bytes that the frame on its way still covers */
	char frame[256];     /* chunk head, or a part's head */
	struct span frame_out;
	struct span head_out; /* not sent yet ... */
	char *head_owned;     /* ... and if it had to be kept, here */
	bool gave_up;	      /* a hole that nothing fills */
	uint64_t filled_at;   /* pos + 1 of the last hole that a flight was begun for */
	uint64_t sent;
};

struct request {
	struct conn *conn;
	enum request_step step;
	struct config *config;
	struct now began;
	uint64_t serial;       /* proxy/flow.h */
	struct http_head head; /* spans into conn->in */
	size_t body_at;	       /* in conn->in: where what follows the head begins */
	struct framing framing;
	bool keep; /* the connection goes on after this */

	/* whose it is */
	const struct profile *profile; /* NULL: nobody's */
	struct profile_match match;
	bool secure; /* its URI is of https */
	uint16_t port;
	struct span path;		      /* without a /<vendor> prefix */
	char authority[PROFILE_HOST_MAX + 8]; /* empty: the request's own */
	bool expects_continue;
	struct policy_req policy;
	unsigned status;   /* of the answer; 0: none was begun */
	uint64_t first_ms; /* mono_ms when it was begun; 0: it was not */
	bool logged, timed, asked;
	uint64_t pinned; /* the generation before, if its update began on that; else 0 */

	/* cached.c */
	char *key; /* text of the primary key */
	size_t key_n;
	char *variant; /* text of the variant's, or NULL */
	size_t variant_n;
	char *vary;  /* names, or NULL */
	bool learnt; /* these come from a flight: the store need not have a marker yet */
	struct stored *stored;
	struct policy_verdict verdict;
	struct policy_answer answer;
	struct object
		*pending; /* what another's flight brings, too old for us; then its new record */
	struct flight_reader seat;
	struct mail mail;
	bool joined_new; /* took its seat before there was a head */
	bool collapsed;	 /* another request's fetch served */
	bool stored_now; /* what is served is being stored */
	bool replaced;	 /* what was stored is gone: the origin has something else */
	bool filling;	 /* the seat fills a hole of `stored` */
	uint64_t bad_id; /* this object has a damaged chunk, to be fetched again; 0: none has */
	uint32_t bad_index;
	uint64_t marker;     /* id of the marker of variants that the store has; 0: none */
	struct stored *part; /* the beginning of it, stored by itself: only the rest is fetched */
	bool has_part;	     /* a part is stored by itself, but not this one */
	bool alone;	     /* just the range is asked for, as the device asked */
	bool whole; /* a part of it is not what the device is to get: its If-Range names another */
	bool awaits; /* the seat is in a flight of another part, for the record that both belong to */
	unsigned redos;
	unsigned fwd_status;
	const char *detail;

	/* relay.c */
	struct fetch *fetch;
	struct removal *removal; /* what this request invalidated is still being removed */
	uint64_t body_left;
	struct chunk_dec body_chunks;
	struct span body_data; /* decoded, not taken yet */
	char *body_buf;
	size_t body_buf_at, body_buf_n;
	bool body_done, relaying;
	bool body_begun;  /* the fetch has asked for it: it is not in `in` as it came any more */
	int body_refusal; /* what was wrong with the body, or 0 */

	struct deliver out;
	SLIST_ENTRY(request) spare;
};

struct removal;
LIST_HEAD(removals, removal);

struct lingering;
TAILQ_HEAD(lingers, lingering);

struct owed;
TAILQ_HEAD(debts, owed);

struct client {
	struct worker *worker;
	struct conns conns;
	struct lingers lingers;
	struct conns owing; /* connections that have `owed` */
	struct debts debts; /* what connections owed that are over */
	unsigned debts_n;   /* ... of which the socket is waited for */
	struct event sweep; /* while there are lingers, owing or debts */
	bool sweeping;
	struct removals removals;
	SLIST_HEAD(, request) spares;
	unsigned spares_n;
	uint64_t requests_n; /* that there ever were */
	unsigned hellos_n;   /* connections with a hello_reader */
	unsigned shakes_n;   /* connections with a shake */
	struct flood {
		uint64_t since; /* mono_ms */
		unsigned used;
		unsigned open; /* shakes */
	} floods[256];	       /* by device */
	/* For heads and keys that are being put together; nothing in it outlives a callback. */
	char scratch[POLICY_HEAD_MAX + 8192];
	char text[CACHE_KEY_TEXT_MAX];
};

static inline struct now request_now(const struct request *req)
{
	return *worker_now(req->conn->worker);
}

static inline int64_t request_wall(const struct request *req)
{
	return request_now(req).wall_ms / 1000;
}

static inline struct span request_scheme(const struct request *req)
{
	return req->secure ? SPAN("https") : SPAN("http");
}

/* The generation of its profile now. */
static inline uint64_t request_generation(const struct request *req)
{
	const struct worker *worker = req->conn->worker;

	return req->profile ? generation_of(worker->proxy->generations, worker->reader,
					    profile_name(req->profile))
			    : 0;
}

static inline const struct tarn_settings *request_settings(const struct request *req)
{
	return &req->config->settings;
}

/* ---- conn.c */
void conn_watch_read(struct conn *conn);
void conn_unwatch_read(struct conn *conn);
void conn_watch_write(struct conn *conn);
/* The handshake goes on when the socket can be read, or written. */
void conn_watch_shake(struct conn *conn, bool to_write);
/* TLS is there: what comes is HTTP. */
void conn_secured(struct conn *conn);
/* As recv(2) and writev(2), through TLS if there is some (tls_conn_send()). */
ssize_t conn_recv(struct conn *conn, void *buf, size_t n);
ssize_t conn_send(struct conn *conn, const struct iovec *iov, unsigned n);
/* The request is answered whole: the next one, or the end. May free the connection. */
void conn_answered(struct conn *conn);
/* Closes at once, undelivered bytes are lost; `reset`: the device must see that it was cut. */
void conn_cut(struct conn *conn, bool reset);
/* No more requests; what was sent arrives, then it is closed. Frees the connection. */
void conn_close(struct conn *conn);
/* The socket becomes a splice's: fills plan->fd and peer, starts it. Frees the connection. */
void conn_hand_over(struct conn *conn, struct splice_plan *plan);

/* ---- linger.c */
void linger_init(struct client *client);
/* Takes the socket: what was sent arrives, what comes is dropped, then it is closed. */
void linger_start(struct client *client, int fd);
void linger_end_all(struct client *client);
/* Looks over lingers, owing and debts in a moment. */
void client_sweep_soon(struct client *client);

/* ---- owed.c */
/*
 * May bytes of that lease leave by sendfile(2)? If so it is kept until they are acknowledged. Ask before each; if not,
 * they have to be copied.
 */
bool owed_take(struct conn *conn, struct lease *lease);
/* True: the socket is taken, until all is acknowledged and linger_start() gets it. False: there is nothing to wait for. */
bool owed_close(struct conn *conn);
void owed_cut(struct conn *conn);	/* the socket has been closed */
void owed_hand_over(struct conn *conn); /* ... becomes another's */
/* Gives back what is acknowledged. True: there is more to look at later. */
bool owed_sweep(struct client *client);
void owed_end_all(struct client *client);

/* ---- request.c */
MUST_USE struct request *request_new(struct conn *conn);
void request_free(struct request **req);
void request_begin(struct request *req);		/* the head is parsed */
bool request_device_allowed(const struct request *req); /* ... to use the explicit proxy */
/* Origin-form, in client->text. Empty: it can't be. */
struct span request_target(struct request *req);
/* Where it is fetched from, and by which scheme; what Host says there, empty: the request's own. */
void request_dial(const struct request *req, struct fetch_ask *ask);
void request_refused(struct conn *conn, int refusal); /* no request could be made of it */
void request_timed_out(struct conn *conn);	      /* its head did not come in time */

/* ---- lookup.c */
MUST_USE int request_key_make(struct request *req); /* -errno: it can't have one */
/* The key under which this request's flights are; borrows from the request. */
struct cache_key request_flight_key(const struct request *req);
/* The same for those that ask the origin with the same conditions, or for the same range. -ENOSPC: too long. */
MUST_USE int request_cond_key(struct request *req, struct cache_key *ret_key);
/* What is stored for this request: 0 or -errno; *ret_variants: there is something for others. */
MUST_USE int request_look(struct request *req, struct stored **ret_stored, bool *ret_variants);
/*
 * The same, but first in flights whose response is newer than the store's: -EINPROGRESS, and the seat is taken in
 * one that this request selects.
 */
MUST_USE int request_look_all(struct request *req, struct stored **ret_stored, bool *ret_variants);
/* The variants that are stored where this one is not, as far as their tags may be offered, into the question. */
void request_offer(struct request *req, struct fetch_ask *ask);
/* A seat in the flight under `key` that has newer than the store; of another's variant it only learns what selects. */
MUST_USE bool request_see(struct request *req, const struct cache_key *key);
/* The variant's key of this request, from that of another's response. 0 or -errno. */
MUST_USE int request_learn(struct request *req, const struct object *object);
/* Does this request select the response that another's fetch brought? */
bool request_selects(struct request *req, const struct object *object);

/* ---- fill.c */
/* Is that byte stored, and not known to be damaged? */
bool fill_has(const struct request *req, const struct object *object, uint64_t at);
void fill_bad(struct request *req,
	      uint64_t at);	  /* the chunk of `stored` with that byte is damaged */
uint64_t fill_chunk(uint64_t at); /* where its chunk begins */
/* Where the answer from `stored` needs a byte that is not there, or damaged; UINT64_MAX: nowhere. */
uint64_t fill_hole(struct request *req);
void fill_first(struct request *req, uint64_t hole); /* nothing was said yet */
/* A part is served: when most of the object is stored or on its way, one more hole is fetched in the background. */
void fill_more(struct request *req);
/* A hole of the stored object at out.pos: 0 a flight will fill it, -EALREADY it is stored now, -errno. */
MUST_USE int fill_next_hole(struct request *req);

/* ---- part.c */
/* Is what it wants inside a part that is stored by itself? Then it is answered. */
bool part_answers(struct request *req, const struct policy_env *env);
/* Is the range to be asked for, and stored, by itself? */
bool part_alone(struct request *req);
/*
 * Is there a stored beginning to add the rest to? 0: req->part is it; -EINPROGRESS: it is just being stored, the
 * seat is taken; -ENOENT, -errno.
 */
MUST_USE int part_begins(struct request *req);
/* To ask for the rest of req->part; *whole is the record for ask->stored and borrows from the scratch buffer. */
void part_ask(struct request *req, struct object *whole, struct fetch_ask *ask);

/* ---- cached.c */
void cached_ask(struct request *req, struct fetch_ask *ask);
void cached_join(struct request *req, struct flight_want want);
void cached_begin(struct request *req);
void cached_progress(struct request *req); /* the seat was woken, in FLIGHT or SETTLE */
void cached_leave(struct request *req);

/* ---- relay.c */
void relay_begin(struct request *req, enum policy_cond cond);
void relay_progress(struct request *req);
void relay_readable(struct request *req);
void relay_end(struct request *req); /* gives back all it has */
/* For struct fetch_ask: interim responses go to the device; `fetch` has ended. */
void relay_interim(void *req, const struct http_head *head);
void relay_ended(void *req);
void relay_tunnel(struct request *req);
void relay_splice(struct request *req, bool never);		     /* intercepted, not ours */
void relay_splice_raw(struct conn *conn, enum splice_reason reason); /* no request yet */
bool relay_fail_open(struct request *req, int error);

/* The same for a host of a profile whose bytes are to be counted. */
void relay_splice_host(struct conn *conn, enum splice_reason reason,
		       const struct profile_match *match);

/* ---- secure.c */
/*
 * Looks at the hello in conn->in. False: more is needed; true: the connection is somebody else's, or over, and
 * freed. `waited`: no more will come in time.
 */
bool secure_look(struct conn *conn, bool waited);
/* The same on a listener of our own for TLS, where only the box's names are served and all else is cut. */
bool secure_serve(struct conn *conn, bool waited);
void secure_forget(struct conn *conn);
/* The reader of the whole hello that was looked at is the caller's now. */
struct hello_reader *secure_take(struct conn *conn);
/* Counts and logs what became of a TLS connection. Once each. */
void secure_note(enum tls_reason reason, const char *host);

/* ---- shake.c */
/*
 * The hello in conn->in asks for match->host, whose TLS we may end: finds out whether we should, and does, or
 * carries it through. The connection may be freed.
 */
void shake_begin(struct conn *conn, const struct profile_match *match, enum leaf_kind kind);
/* It asks for `host`, which is the box itself. The same. */
void shake_serve(struct conn *conn, const char *host, enum leaf_kind kind);
bool shake_runs(const struct conn *conn); /* nothing of HTTP yet: */
void shake_step(struct conn *conn);	  /* its socket can be read or written */
void shake_asked(struct conn *conn);	  /* the first request is there */
void shake_closed(struct conn *conn);	  /* the device has closed it; before conn_cut() */
/* Inside our TLS this device wants what we do not do: its next connection is carried through. Else nothing. */
void shake_unfit(struct conn *conn, enum distrust_reason reason);
void shake_free(struct conn *conn);

/* ---- invalidate.c */
/* Removes what the response to an unsafe request made invalid. Until it is gone, req->removal is set. */
void invalidate_begin(struct request *req, const struct http_head *response);
/* Stores the new record of what is stored, and waits for it in the same way. */
void update_begin(struct request *req, const struct object *object);
/* Removes that very object, and waits in the same way; goes on with cached_progress(). */
void outdated_begin(struct request *req, const struct object *object);
void invalidate_leave(struct request *req);
void removals_forget(struct client *client);

/* ---- respond.c */
void respond_stored(struct request *req, const struct object *object);
void respond_flight(struct request *req, const struct object *fields);
void respond_relayed(struct request *req);
void respond_error(struct request *req, unsigned status, const char *text);
void respond_here(struct request *req);
/* From a part that is stored by itself: these bytes of the object. */
void respond_part(struct request *req, const struct object *fields, const struct byte_range *range,
		  const struct content_range *part);
/* A stored block without one field, in buf. */
struct span respond_block_without(struct span block, enum http_field_id drop, char *buf,
				  size_t size);
/* The head of a part of a multipart body, or for part == n its end. */
size_t respond_part_head(const struct request *req, unsigned part, char *buf, size_t size);

/* What Cache-Status says of it. */
void respond_cache_status(const struct request *req, struct cache_status *ret_status);

/* ---- access.c */
/* Before the bytes of its head go; `whole`: its answer went out to the end. Once a request. */
void access_log(struct request *req, bool whole);
/* Path and what is kept of the query, in `text`; cut, if it is too long. */
#define ACCESS_TARGET_MAX 512
struct span access_target(const struct request *req, char text[ACCESS_TARGET_MAX]);
/* What became of a request that is answered. */
enum request_kind access_kind(const struct request *req);

/* ---- asked.c */
/* At its end; `sent`: all of its answer was. Once a request. */
void asked_note(struct request *req, bool sent);

/* ---- hold.c */
/* What would be validated is served as it is: then the verdict says so. */
bool hold_serves(struct request *req);
/* Its key is known: has the device's update begun on the generation before? */
void hold_begin(struct request *req);
/* It was looked up: if so, what that generation had takes the place of what was found. */
void hold_look(struct request *req);
/* What is stored is what the device gets. */
void hold_serving(struct request *req);

/* ---- deliver.c */
void deliver_begin(struct request *req, struct span head);
void deliver_run(struct request *req);
void deliver_end(struct deliver *out);

#endif
