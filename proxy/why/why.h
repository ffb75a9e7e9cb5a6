/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why: what would be done with a request now, rule by rule, each with where it is written. It asks the
 * same functions as a request does (profiles, policy), and changes nothing.
 *
 * tarn-proxy answers GET /api/v1/why with it; tarnctl makes it itself where no proxy runs, from the
 * configuration alone.
 */
#ifndef TARN_PROXY_WHY_WHY_H
#define TARN_PROXY_WHY_WHY_H

#include <jansson.h>

#include "cache/object.h"
#include "firmware/base/profile.h"
#include "firmware/base/tarn_conf.h"
#include "proxy/tls/decide.h"

#define WHY_FIELDS_MAX 64
#define WHY_PARENT_MAX 300

struct why_ask {
	const char *url;		    /* http://host[:port]/path[?query] */
	const char *method;		    /* NULL: GET */
	const char *fields[WHY_FIELDS_MAX]; /* "Name: value" */
	size_t fields_n;
	const char *from; /* address of the device, or NULL */
};

/* What is known of a vendor's reachability. */
struct why_reach {
	bool checked, reachable, via_public;
	const char *state;
	char resolver[ADDR_TEXT_MAX]; /* if via_public */
};

struct why_world {
	const struct profiles *profiles;
	const struct net_list *allow;	      /* who may use the explicit proxy */
	const struct tarn_settings *settings; /* for [scope]; NULL: everybody is served */
	/* What is known of a device's frames, into *who, whose addr is set. NULL: nothing. */
	void (*link)(void *arg, struct scope_who *who);
	const char *pseudonym; /* ours in Via, or NULL */
	int64_t now;	       /* seconds */
	int64_t heuristic_max; /* as struct policy_env */
	/* What is stored under a key, object_free() it: 0 or -errno. NULL: the store can't be seen. */
	int (*look)(void *arg, const struct cache_key *key, struct object **ret_object);
	uint64_t (*generation)(void *arg, const char *profile); /* as look */
	/*
	 * What is known to speak against ending TLS here, of the device (NULL: any) and the vendor; TLS_ENDED_HERE:
	 * nothing, then *ret_text, which lives for ever, says of the device what is known. NULL: nobody knows.
	 */
	enum tls_reason (*objection)(void *arg, const struct addr *device,
				     const struct profile_match *match, const char **ret_text);
	/*
	 * Whom a request to this vendor would ask, by https if `secure`: a parent's text, or "" and whether that is only
	 * because none is well. False: there are no parents. NULL likewise.
	 */
	bool (*parent)(void *arg, const char *profile, bool secure, char ret_text[WHY_PARENT_MAX],
		       bool *ret_bypassed);
	/* False: nothing is known. NULL likewise. */
	bool (*reach)(void *arg, const char *profile, struct why_reach *ret_reach);
	void *arg;
};

/* What is wrong with the question itself: a sentence that lives for ever; NULL: nothing. */
const char *why_nonsense(const struct why_ask *ask);

/*
 * The explanation: an object with `does` (one word), `sentence`, `rules` (an array of about, source, text
 * and perhaps token, in the order in which they were applied) and the facts: host, class, key, stored.
 * Its members are listed in why.c. 0; -EINVAL (it makes no sense: *ret_error is
 * what why_nonsense() says), -ENOMEM.
 */
MUST_USE int why_explain(const struct why_ask *ask, const struct why_world *world,
			 json_t **ret_json, const char **ret_error);

#endif
