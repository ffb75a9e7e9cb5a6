/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose is it: the host, its profile, and what TLS, loops and upgrades make of the connection.
 */
#include "proxy/why/why_priv.h"

#include "proxy/http/uri.h"

/* May that device ask us as a proxy? Not knowing the device is neither. */
void why_explain_device(struct why *w)
{
	struct addr device;
	bool allowed = false;

	if (!w->ask->from || !w->world->allow)
		return;
	if (addr_parse(span_of(w->ask->from), 0, &device) < 0)
		return;
	for (size_t i = 0; i < w->world->allow->n; i++)
		allowed |= net_contains(&w->world->allow->v[i], &device);
	why_put(w, w->top, "may_use_proxy", json_boolean(allowed));
	why_rule(
		w, "device", "setting proxy.allow",
		allowed ? "%s may also use this box as a configured proxy"
			: "%s may not use this box as a configured proxy (403); what it sends to a "
			  "vendor is intercepted all the same",
		w->ask->from);
}

static void explain_host(struct why *w, bool ours)
{
	json_t *host = why_part(w, "host");
	const struct profile_match *m = &w->match;

	why_put_text(w, host, "name", m->profile ? span_of(m->host) : w->head.host);
	why_put(w, host, "port", json_integer(w->port));
	why_put(w, host, "never", json_boolean(m->profile && m->never));
	if (!m->profile) {
		why_put(w, host, "profile", json_null());
		why_rule(w, "host", "profile", "%.*s belongs to no vendor profile",
			 SPAN_FMT(span_head(w->head.host, 260)));
		return;
	}
	why_put_text(w, host, "profile", span_of(profile_name(m->profile)));
	why_put_text(w, host, "title", span_of(profile_title(m->profile)));
	why_put_text(w, host, "file", span_of(profile_file(m->profile)));
	why_put_text(w, host, "group", span_of(m->group));
	if (!ours)
		why_rule(w, "host", profile_file(m->profile),
			 "%s is in [hosts] never of vendor %s: never intercepted, never cached",
			 m->host, profile_name(m->profile));
	else if (m->group[0] == '@')
		why_rule(w, "host", profile_file(m->profile),
			 "%s belongs to vendor %s, as a mirror of group %s: they share what is "
			 "stored",
			 m->host, profile_name(m->profile), m->group + 1);
	else
		why_rule(w, "host", profile_file(m->profile),
			 "%s belongs to vendor %s, and to no group: what is stored is its own",
			 m->host, profile_name(m->profile));
}

/* The profile would have it ended here: do the device and the vendor's certificate agree? */
static void explain_objection(struct why *w, struct tls_verdict *verdict)
{
	struct addr device;
	bool known = w->ask->from && addr_parse(span_of(w->ask->from), 0, &device) == 0;
	const char *text = "";

	if (!w->world->objection)
		return;
	verdict->reason =
		w->world->objection(w->world->arg, known ? &device : NULL, &verdict->match, &text);
	verdict->action = tls_reason_action(verdict->reason);
	if (verdict->reason != TLS_ENDED_HERE)
		why_put_rule(w, "TLS", "", tls_reason_name(verdict->reason),
			     tls_reason_help(verdict->reason));
	else if (known)
		why_rule(w, "TLS", "", "%s: %s", w->ask->from, text);
}

/* As for a hello that names the URL's host; an address is not named in one (RFC 6066, 3). */
static void explain_tls(struct why *w)
{
	struct hello hello = { .name = HELLO_NAME_ODD, .http1 = true, .ecdsa = true };
	struct tls_verdict verdict;
	struct addr addr;

	if (addr_parse(w->head.host, 0, &addr) == 0)
		hello.name = HELLO_NAME_NONE;
	else if (host_normalise(w->head.host, hello.host) == 0)
		hello.name = HELLO_NAME_HOST;
	tls_decide(w->world->profiles, &hello, &verdict);
	why_put_rule(w, "request", verdict.ours ? profile_file(w->match.profile) : "",
		     tls_reason_name(verdict.reason),
		     verdict.action == TLS_INTERCEPT
			     ? "may be ended here, as the profile says for its hosts"
			     : tls_reason_help(verdict.reason));
	if (verdict.action == TLS_INTERCEPT)
		explain_objection(w, &verdict);
	if (verdict.action == TLS_REFUSE)
		why_decide(w, "refuse",
			   "reset at once, so that the device comes by HTTP (asked as a configured "
			   "proxy: a tunnel): it is TLS");
	else if (verdict.action == TLS_INTERCEPT)
		why_decide(
			w, "intercept",
			"ended here for devices that trust the box's certificate, once the "
			"vendor's "
			"own is found good; carried through for all others (asked as a configured "
			"proxy: a tunnel): it is TLS");
	else
		why_decide(w, "splice",
			   "carried through untouched: it is TLS, nobody here looks inside");
}

/* True: it is a vendor's, to be looked into. */
bool why_explain_whose(struct why *w)
{
	bool ours;

	w->port = w->head.port ? w->head.port : w->tls ? 443 : 80;
	w->path = w->head.path.n ? w->head.path : SPAN("/");
	ours = profile_match_host(w->world->profiles, w->head.host, &w->match) && !w->match.never;
	explain_host(w, ours);
	why_explain_device(w);
	if (ours && !why_explain_scope(w))
		return false;
	if (w->tls) {
		explain_tls(w);
		return false;
	}
	if (w->world->pseudonym && http_via_loops(&w->head, span_of(w->world->pseudonym))) {
		why_rule(w, "request", "RFC 9110 7.6.3",
			 "its Via says that it has been here before");
		why_put(w, w->top, "status", json_integer(508));
		why_decide(w, "refuse", "refused with 508 (intercepted: carried through): a loop");
		return false;
	}
	if (http_wants_upgrade(&w->head)) {
		why_rule(w, "request", "RFC 9110 7.8", "the device asks for another protocol");
		why_decide(w, "splice", "carried through untouched: an upgrade is asked for");
		return false;
	}
	if (ours)
		return true;
	why_decide(w, "splice",
		   "carried through untouched to where it was going, nothing is stored; asked as a "
		   "configured proxy, it would be relayed uncached");
	return false;
}

/* ---- the vendor ----------------------------------------------------------------------------------- */

static void explain_parent(struct why *w)
{
	const struct profile *profile = w->match.profile;
	bool secure = w->tls || (profile_schemes_same(profile) && profile_upstream_secure(profile));
	char text[WHY_PARENT_MAX];
	bool bypassed;

	if (!w->world->parent ||
	    !w->world->parent(w->world->arg, profile_name(profile), secure, text, &bypassed))
		return;
	why_put(w, w->top, "parent", text[0] ? json_string(text) : json_null());
	if (text[0])
		why_rule(w, "parent", "setting parent.servers",
			 "what is not answered from the store is asked of %s", text);
	else
		why_rule(w, "parent", bypassed ? "setting parent.direct" : "setting parent.vendors",
			 bypassed ? "no parent is well: the vendor itself is asked"
				  : "no parent is for this vendor: it is asked itself");
}

void why_explain_reach(struct why *w)
{
	struct why_reach reach;
	json_t *json;

	if (!w->match.profile)
		return;
	explain_parent(w);
	if (!w->world->reach ||
	    !w->world->reach(w->world->arg, profile_name(w->match.profile), &reach))
		return;
	json = why_part(w, "reach");
	why_put(w, json, "checked", json_boolean(reach.checked));
	why_put(w, json, "reachable", json_boolean(reach.reachable));
	why_put(w, json, "state", json_string(reach.state));
	why_put(w, json, "via", json_string(reach.via_public ? "public" : "system"));
	if (reach.via_public)
		why_put(w, json, "resolver", json_string(reach.resolver));
	why_rule(w, "vendor", profile_file(w->match.profile),
		 "%s %s; names are resolved through %s%s", profile_name(w->match.profile),
		 !reach.checked	   ? "is not checked for being reachable"
		 : reach.reachable ? "is reachable"
				   : "can't be reached now",
		 reach.via_public ? "the public resolver " : "the system's resolvers",
		 reach.via_public ? reach.resolver : "");
}
