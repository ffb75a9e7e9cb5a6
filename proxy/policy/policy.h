/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shared cache decides (RFC 9110, 9111, 5861, 8246, 9213, and the vendor's profile), as pure
 * functions: no sockets, no clock, no store. In the order of a request's life:
 *
 *	policy_request	   the device's head: cacheable, relayed, answered here
 *	policy_key, _vary  what it is stored under
 *	policy_lookup	   may the stored response be used as it is?
 *	policy_forward	   the head that goes upstream
 *	policy_response	   may the response be stored, how long is it fresh? -> struct object
 *	policy_validated   the answer to a conditional request: 304, something new, failure
 *	policy_answer	   200, 206, 304 or 416 to this device
 *	policy_invalidate  what an unsafe request made worthless
 *
 * Times are seconds since 1970. Where a function writes into a caller's buffer, its results borrow
 * from it. Each decision names its reason (reason.h); those on the way to it go to the trace.
 */
#ifndef TARN_POLICY_POLICY_H
#define TARN_POLICY_POLICY_H

#include "cache/fresh.h"
#include "cache/object.h"
#include "firmware/base/profile.h"
#include "proxy/http/write.h"
#include "proxy/policy/reason.h"

/* Enough for what policy writes of one head: what was received and some fields of our own. */
#define POLICY_HEAD_MAX (CONFIG_HEAD_MAX + 4096)
/* Most selecting fields of a Vary that are kept apart. */
#define POLICY_VARY_FIELDS_MAX 16
/* The second word of a key, with its NUL. */
#define POLICY_PLACE_MAX (PROFILE_GROUP_MAX + 16)
/* A list of that many names. */
#define POLICY_VARY_MAX 1024

/* Bits in struct object's flags: those of enum fresh_flag from OBJECT_POLICY_SHIFT up, then these. */
enum policy_flag {
	POLICY_F_STALE_IF_ERROR = 1 << 24, /* the origin stated it (0 counts) */
	POLICY_F_WHOLE_ONLY = 1 << 25,	   /* it has a Content-Range of its own: no 206 of it */
	POLICY_F_NO_COMBINE = 1 << 26,	   /* partial, without strong validator: never add to it */
};

/* ---- the request ----------------------------------------------------------------------------- */

enum policy_route {
	POLICY_ROUTE_CACHE,  /* look it up */
	POLICY_ROUTE_RELAY,  /* to the origin and back, nothing stored */
	POLICY_ROUTE_TUNNEL, /* CONNECT */
	POLICY_ROUTE_ANSWER, /* TRACE or OPTIONS with Max-Forwards: 0: answer as the final recipient */
};

struct policy_req {
	enum policy_route route;
	enum policy_reason reason;	   /* of the route */
	const struct profile_class *class; /* NULL: none */
	enum http_method method;
	bool secure;	/* of an https URI: for the caller to set */
	bool may_store; /* the response may be stored; else a miss is fetched for this one only */
	bool only_if_cached;
	bool authorized;  /* Authorization is there */
	bool conditional; /* If-None-Match or If-Modified-Since is there */
	bool ranged;	  /* Range is there, in bytes, and can be read */
	bool part; /* a 206 is stored by itself, as the part that it is: for the caller to set */
	bool invalidates; /* unsafe: policy_invalidate() when its response is there */
	struct fresh_want want;
};

/* @class: of the target's path in its profile, NULL for a host of none. */
void policy_request(const struct http_head *req, const struct profile_class *class,
		    struct policy_req *ret, struct policy_trace *trace);

/* ---- keys (RFC 9111 2, 4.1) -------------------------------------------------------------------- */

/* What is asked for; in reverse mode without /<vendor>. */
struct policy_target {
	const struct profile *profile;
	const char *group; /* struct profile_match */
	bool secure;	   /* https */
	uint16_t port;	   /* 0: the default of the scheme */
	struct span path;
	bool has_query;
	struct span query;
};

/*
 * The second word of a key is its place: GROUP, GROUP:PORT if the port is not the scheme's default, and "+https" behind it
 * for what came by https, unless the profile says that both schemes carry the same and the port is the default.
 *
 * buf: CACHE_KEY_TEXT_MAX. 0; -EINVAL (not a URI path), -ENOSPC: do not cache.
 */
MUST_USE int policy_key(const struct policy_target *target, char *buf, size_t size,
			struct cache_key *ret_key);

/* The place alone: of profile, group, scheme and port. */
struct span policy_place(const struct policy_target *target, char buf[POLICY_PLACE_MAX]);

/* A key's place taken apart: its group (borrowed), and whether it is of https alone. */
struct span policy_place_group(struct span place, bool *ret_secure);

/*
 * The selecting fields of a response: names in lower case, sorted, comma separated; empty without
 * Vary. Content-Encoding without Vary counts as Vary: Accept-Encoding, so that an origin that forgets
 * it does no harm. 0; -EOPNOTSUPP for "*"; -E2BIG for too many.
 */
MUST_USE int policy_vary(const struct http_head *resp, char *buf, size_t size,
			 struct span *ret_names);

/* All names of both lists, as a new marker must have them if the origin's Vary changes. As above. */
MUST_USE int policy_vary_join(struct span a, struct span b, char *buf, size_t size,
			      struct span *ret_names);

/*
 * Are the selecting fields that this response names, if it names any, among `names`? If not, what it updates is for other
 * requests than those that find it under a key of `names`.
 */
bool policy_vary_within(const struct http_head *resp, struct span names);

/*
 * The variant's key: adds the request's values of these fields to *key, which borrows buf
 * (CACHE_KEY_TEXT_MAX). Values are normalised as far as their meaning stays the same. 0 or -ENOSPC.
 */
MUST_USE int policy_vary_key(struct span names, const struct http_head *req, char *buf, size_t size,
			     struct cache_key *key);

/* ---- lookup (RFC 9111 4) ----------------------------------------------------------------------- */

enum policy_use {
	POLICY_USE_HIT,	       /* serve what is stored */
	POLICY_USE_REVALIDATE, /* serve it, and revalidate in the background */
	POLICY_USE_VALIDATE,   /* ask the origin first, with its validators (policy_forward OURS) */
	POLICY_USE_FETCH,      /* get it */
	POLICY_USE_RELAY,      /* get it for this request alone: no flight, nothing stored */
	POLICY_USE_504,	       /* only-if-cached: 504 */
};

/* Which conditions go upstream. */
enum policy_cond {
	POLICY_COND_NONE,
	POLICY_COND_OURS,   /* those of the stored response */
	POLICY_COND_DEVICE, /* the device's own: nothing is stored that could answer them */
};

struct policy_env {
	int64_t now;
	uint64_t generation;   /* of the profile */
	int64_t heuristic_max; /* seconds; FRESH_UNSET: a day */
};

struct policy_verdict {
	enum policy_use use;
	enum policy_reason reason;
	enum policy_cond cond; /* for FETCH, VALIDATE and RELAY */
	enum cache_status_fwd fwd;
	bool has_ttl;
	int64_t ttl; /* of the stored response: left, or negative */
	int64_t age; /* its Age */
};

/*
 * @object: what the store gave for the request's key, NULL for nothing; @variants: a marker was there,
 * but not this variant. Whether a partial object has the bytes is for the caller to see.
 */
void policy_lookup(const struct policy_req *req, const struct object *object, bool variants,
		   const struct policy_env *env, struct policy_verdict *ret,
		   struct policy_trace *trace);

/* A stored response's numbers, and its current age (the value of Age). */
struct fresh policy_fresh(const struct object *object);
int64_t policy_age(const struct object *object, int64_t now);

/* Is its entity tag, or Last-Modified, a strong validator (RFC 9110 8.8.1)? Then parts may be joined. */
bool policy_strong(const struct object *object);
struct validators policy_validators(const struct object *object);
/* Do strong validators say that these are the same bytes? */
bool policy_same_version(const struct object *a, const struct object *b);

/* Cache-Status for a verdict; the caller adds stored, collapsed and fwd_status. */
void policy_cache_status(const struct policy_verdict *verdict, struct cache_status *ret);

/* ---- upstream (RFC 9110 7.6; RFC 9111 4.3.1) --------------------------------------------------- */

#define POLICY_OTHERS_MAX 8

struct policy_forward {
	const struct http_head *request; /* the device's */
	struct span target;		 /* origin-form, or absolute to a proxy */
	struct span authority;		 /* the Host field; empty: the request's */
	struct span pseudonym;		 /* ours, in Via */
	bool relay;			 /* all of the device's fields: also Range and conditions */
	enum policy_cond cond;
	const struct object *stored; /* for OURS, and for If-Range of `has_range` */
	const struct object *others
		[POLICY_OTHERS_MAX]; /* OURS without `stored`: variants whose tags are offered */
	unsigned others_n;
	bool as_asked;	/* the device's own Range */
	bool has_range; /* bytes first..last (RANGE_UNKNOWN: to the end) */
	struct byte_range range;
	bool end_to_end; /* a cache on the way is to ask the vendor whether what it has is the latest */
};

/*
 * The device's If-Range, if it is a strong entity tag or a date; else p is NULL. It goes upstream with a range of what is
 * not stored: the origin then says which answer it is.
 */
struct span policy_if_range(const struct http_head *req);

/*
 * The request's head as it goes upstream: without what is hop-by-hop, with Via. The body's framing
 * is as received (Content-Length copied; Transfer-Encoding: chunked written if it was there).
 * 0 with its length, -EMSGSIZE, -EINVAL.
 */
MUST_USE int policy_forward(const struct policy_forward *what, char *buf, size_t cap,
			    size_t *ret_len);

/* Whose the request's target is, to the one who answers. */
struct policy_origin {
	struct span scheme, host;
	uint16_t port; /* 0: the scheme's default */
};

/* @authority: the Host that went upstream; empty: the request's own. Borrows from both. */
struct policy_origin policy_origin(struct span scheme, const struct http_head *req,
				   struct span authority);

/* ---- the response (RFC 9111 3, 4.2) ------------------------------------------------------------- */

struct policy_times {
	int64_t requested; /* when our request was sent */
	int64_t received;  /* when its head had come */
};

struct policy_stored {
	bool store;
	enum policy_reason reason;
	/*
	 * kind, status, class, flags, fields, etag, times, freshness, length; also if it is not to be
	 * stored (then `fields` is what a proxy passes on). Not: id, key, body, map, digest. `fields` is
	 * without Content-Length, Age, and anything hop-by-hop. generation is env's: read it when
	 * the request is sent, not when the response comes.
	 */
	struct object object;
	/* Field lines for the device alone that asked: no-cache="..." and private="..." name them. */
	struct span private_fields;
	struct span vary; /* names for a marker; empty: none */
	/* A 206. These bytes are what comes; object is of the whole, with status 200, or with policy_req.part of this part alone. */
	bool partial;
	struct byte_range range;
};

/*
 * The response to a request that went upstream: @req as policy_request() saw it. For a 304 to our own
 * conditions use policy_validated(). buf: POLICY_HEAD_MAX. 0, or -EMSGSIZE.
 */
MUST_USE int policy_response(const struct policy_req *req, const struct http_head *resp,
			     const struct policy_times *times, const struct policy_env *env,
			     char *buf, size_t cap, struct policy_stored *ret,
			     struct policy_trace *trace);

/* A 304 to the devices' own conditions: is it for all that sent the same ones? */
bool policy_shares_304(const struct policy_req *req, const struct http_head *resp);

/*
 * Does the response to a POST answer later GETs as well (RFC 9110 9.3.3)? If it says how long it is fresh and
 * that it is what @target (origin-form) has. True: as policy_response() for such a GET.
 */
bool policy_post_response(const struct policy_req *req, const struct http_head *request,
			  const struct policy_origin *origin, struct span target,
			  const struct http_head *resp, const struct policy_times *times,
			  const struct policy_env *env, char *buf, size_t cap,
			  struct policy_stored *ret, struct policy_trace *trace);

/* ---- validation (RFC 9111 4.3.3, 4.3.4, 4.3.5) --------------------------------------------------- */

enum policy_outcome {
	POLICY_OUTCOME_UPDATED, /* confirmed: *ret_object is the new record of the same body */
	POLICY_OUTCOME_NEW,	/* something else came: policy_response() */
	POLICY_OUTCOME_AGAIN, /* a 304 that is not for this object, or forbids keeping it: ask without conditions */
	POLICY_OUTCOME_STALE, /* failed: serve the stored response as it is */
	POLICY_OUTCOME_ERROR, /* failed: pass the error on, 502 or 504 if there is no response */
};

/*
 * What became of a validation (or of the fetch of a missing part) of @stored; resp NULL: no answer
 * came. *ret_object (UPDATED) borrows from buf (2 x POLICY_HEAD_MAX) and from stored. 0 or -EMSGSIZE.
 */
MUST_USE int policy_validated(const struct policy_req *req, const struct object *stored,
			      const struct http_head *resp, const struct policy_times *times,
			      const struct policy_env *env, char *buf, size_t cap,
			      enum policy_outcome *ret_outcome, struct object *ret_object,
			      struct policy_trace *trace);

/*
 * A 206 that brings the rest of a stored part (RFC 9111 3.4): the record of the whole. @stored: the part's, without
 * its Content-Range, status 200 and of the complete length. Borrows as above; 0 or -EMSGSIZE.
 */
MUST_USE int policy_combined(const struct policy_req *req, const struct object *stored,
			     const struct http_head *resp, const struct policy_times *times,
			     const struct policy_env *env, char *buf, size_t cap,
			     struct object *ret_object);

/*
 * A response to HEAD, with what is stored for its GET: true if the stored record changes to
 * *ret_object (renewed, or from now on stale). Borrows as above; -EMSGSIZE counts as false.
 */
bool policy_head_response(const struct policy_req *req, const struct object *stored,
			  const struct http_head *resp, const struct policy_times *times,
			  const struct policy_env *env, char *buf, size_t cap,
			  struct object *ret_object, struct policy_trace *trace);

/* ---- the device's answer (RFC 9110 13.2.2, 14; RFC 9111 4.3.2) ------------------------------------ */

enum policy_answer_kind {
	POLICY_ANSWER_WHOLE,	     /* as stored */
	POLICY_ANSWER_NOT_MODIFIED,  /* 304 with policy_fields_304() */
	POLICY_ANSWER_PARTIAL,	     /* 206 with `ranges`; more than one: multipart/byteranges */
	POLICY_ANSWER_UNSATISFIABLE, /* 416 with Content-Range: bytes * / length */
};

struct policy_answer {
	enum policy_answer_kind kind;
	enum policy_reason reason;
	struct range_set ranges;
};

/*
 * How this request is answered from @object (stored, or the head of a flight). @length: complete
 * length, -1 unknown: then single ranges with a first byte are given as far as known (last is
 * RANGE_UNKNOWN if open), others ignored.
 */
void policy_answer(const struct http_head *req, const struct object *object, int64_t length,
		   int64_t now, struct policy_answer *ret);

/* Which of a stored block's lines a 304 has (RFC 9110 15.4.5). 0 with the length, or -EMSGSIZE. */
MUST_USE int policy_fields_304(const struct object *object, char *buf, size_t cap, size_t *ret_len);

/* The value of a stored block's first line of that name; empty if there is none. Borrows from the block. */
struct span policy_block_value(struct span block, enum http_field_id id);

/*
 * Once a device was given a part of what is stored with holes: is the rest fetched as well, for those who come? It is where
 * most chunks are there, or among the bytes that are just `coming` (empty: none are).
 */
struct policy_coming {
	uint64_t from, to;
};
bool policy_fills(const struct policy_req *req, const struct object *object,
		  const struct policy_answer *answer, struct policy_coming coming);

/* ---- parts that are stored by themselves (RFC 9111 3.3, 3.4) ---------------------------------------- */

/* One range, and no condition that would need the whole to be judged: such a part may answer, or become one. */
bool policy_wants_part(const struct policy_req *req, const struct http_head *head,
		       struct range_specs *ret_specs);
/* The whole: is what is stored of its beginning of use? And is this part such a beginning, which bytes? */
bool policy_wants_rest(const struct policy_req *req, const struct http_head *head);
bool policy_part_begins(const struct object *part, struct content_range *ret);
/* Which bytes a stored part is; false: its record does not say. */
bool policy_part_range(const struct object *part, struct content_range *ret);
/* Is what is wanted inside? Then it is *ret. */
bool policy_part_has(const struct content_range *part, const struct range_specs *specs,
		     struct byte_range *ret);

/*
 * Its key: behind the primary key's text (its first `primary` bytes) the word ":part" (see cache/manifest.h), then the
 * variant's lines. -ENOSPC: too long.
 */
#define POLICY_PART_KEY SPAN("\n:part")
MUST_USE int policy_part_key(struct span key, size_t primary, char *buf, size_t size,
			     struct cache_key *ret_key);

/* ---- invalidation (RFC 9111 4.4) ----------------------------------------------------------------- */

#define POLICY_INVALIDATES_MAX 3

struct policy_uri {
	struct span path;
	bool has_query;
	struct span query;
};

struct policy_invalid {
	unsigned n;
	struct policy_uri uri[POLICY_INVALIDATES_MAX]; /* on the request's own host and port */
};

/*
 * What the response to an unsafe request made invalid: the target, and Location and Content-Location if
 * they are on the same host and port. None for an error. Make keys of them (policy_key) and remove
 * those, markers included. Results borrow from buf (3 x CONFIG_HEAD_MAX is
 * always enough; what does not fit is left out, the target never is).
 */
void policy_invalidate(const struct http_head *req, const struct policy_origin *origin,
		       const struct http_head *resp, char *buf, size_t cap,
		       struct policy_invalid *ret, struct policy_trace *trace);

/* Does a field of the response name the very resource that was asked for? @target: in origin-form, as sent. */
bool policy_names_target(const struct policy_origin *origin, struct span target, struct span value);

/* The cache's name in Cache-Status (RFC 9211 2). In Via each box has its own: proxy/pseudonym.h. */
#define POLICY_CACHE_NAME "tarn"

#endif
