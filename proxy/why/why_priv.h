/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why: what its rooms share. Each adds its members to `top` and its rules to `rules`; the first that decides says what
 * would be done.
 */
#ifndef TARN_PROXY_WHY_WHY_PRIV_H
#define TARN_PROXY_WHY_WHY_PRIV_H

#include "proxy/policy/policy.h"
#include "proxy/why/why.h"

struct why {
	const struct why_ask *ask;
	const struct why_world *world;
	json_t *top, *rules;
	bool bad;

	char text[POLICY_HEAD_MAX];
	struct http_head head;
	bool tls;
	uint16_t port;
	struct span path;
	struct profile_match match;
	struct policy_req policy;
	struct policy_trace trace;
	char key_text[CACHE_KEY_TEXT_MAX], variant_text[CACHE_KEY_TEXT_MAX];
	struct cache_key key, variant;
	struct object *marker, *stored;
	char part_text[CACHE_KEY_TEXT_MAX];
	struct cache_key part_key;
	struct object *part;
	struct policy_env env;
	struct policy_verdict verdict;
	char fields[2 * POLICY_HEAD_MAX];
};

/* say.c: members of an object; what is no UTF-8 is left out. */
void why_put(struct why *w, json_t *object, const char *name, json_t *value);
void why_put_text(struct why *w, json_t *object, const char *name, struct span text);
/* A member of the answer that is an object; borrowed. */
json_t *why_part(struct why *w, const char *name);
/* Printable ASCII of a text: bytes of a URL and of fields may be anything. */
void why_clean(char *text);

/*
 * say.c: rules. `token` may be NULL. The format's conversions end with d, u or s; where it has any, the row says its
 * sentence's form and values, too.
 */
void why_put_rule(struct why *w, const char *about, const char *source, const char *token,
		  const char *text);
__attribute__((format(printf, 4, 5))) void why_rule(struct why *w, const char *about,
						    const char *source, const char *format, ...);
/* A reason of policy's, in its own words; those of the trace, which is empty then. */
void why_rule_reason(struct why *w, const char *about, enum policy_reason reason);
void why_rule_trace(struct why *w, const char *about);

/* say.c: what would be done, in a word and in a sentence; a refusal (refusal.h). */
__attribute__((format(printf, 3, 4))) void why_decide(struct why *w, const char *does,
						      const char *format, ...);
void why_refuse(struct why *w, int refusal);

/* "40 s", "5 min", "3 h 05 min", "2 d 07 h", without a sign; why_seconds(): "3600 s (1 h 00 min)", "40 s". */
const char *why_duration(int64_t s, char buf[48]);
const char *why_seconds(int64_t s, char buf[96]);

/* request.c: 0 or a refusal: the request itself is at fault. */
MUST_USE int why_request_make(struct why *w);

/* whose.c: may that device ask us as a proxy? True: it is a vendor's, to be looked into. Is the vendor reachable? */
void why_explain_device(struct why *w);
MUST_USE bool why_explain_whose(struct why *w);
void why_explain_reach(struct why *w);

/* scope.c: false: the device goes straight, whatever it asks for. */
MUST_USE bool why_explain_scope(struct why *w);

/* route.c: true: it goes to the store; a key could be made. */
void why_explain_class(struct why *w);
MUST_USE bool why_explain_route(struct why *w);
MUST_USE bool why_explain_key(struct why *w);

/* stored.c: 0 or -errno as struct why_world's look; then what was found. */
MUST_USE int why_look(struct why *w);
void why_explain_stored(struct why *w);
/* What of it is stored by itself, into w->part: as why_look(). */
MUST_USE int why_look_part(struct why *w);

/* part.c: true: a stored part is the answer, and that is told. */
MUST_USE bool why_explain_part(struct why *w);

/* does.c: 0 or -ENOMEM; the store can't be seen. */
MUST_USE int why_explain_lookup(struct why *w);
void why_explain_unseen(struct why *w);

#endif
