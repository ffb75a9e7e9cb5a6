/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request: whose it is, and where it goes.
 *
 *	 intercepted, by Host --- no profile's, or a never-intercept host ---> splice to where it was going
 *	      |
 *	      |   proxy listener:  CONNECT ---------------------------------> tunnel
 *	      |       |            absolute-form, origin-form with a profile's Host, /<vendor>/<path>
 *	      v       v
 *	 policy_request --- GET, HEAD that the store may answer --> cached.c
 *	      |        \--- Max-Forwards used up ----------------> answered here
 *	      +--- all else ------------------------------------> relay.c
 */
#include <stdio.h>
#include <sys/socket.h>

#include "firmware/base/log.h"
#include "proxy/client/client_priv.h"
#include "proxy/upstream/parent.h"

/* ---- life ---------------------------------------------------------------------------------------- */

static void on_mail(struct worker *worker, struct mail *mail)
{
	struct request *req = (struct request *)((char *)mail - offsetof(struct request, mail));

	(void)worker;
	switch (req->step) {
	case REQUEST_FLIGHT:
	case REQUEST_SETTLE:
		cached_progress(req);
		break;
	case REQUEST_RELAY:
		relay_progress(req);
		break;
	case REQUEST_DELIVER:
		if (req->out.active)
			deliver_run(req);
		break;
	case REQUEST_READ_HEAD:
		break;
	}
}

/* Any thread. */
static void on_wake(struct flight_reader *seat)
{
	struct request *req = (struct request *)((char *)seat - offsetof(struct request, seat));

	mailbox_post_near(req->conn->worker, &req->mail);
}

struct request *request_new(struct conn *conn)
{
	struct client *client = conn->worker->client;
	struct request *req = SLIST_FIRST(&client->spares);

	if (req) {
		SLIST_REMOVE_HEAD(&client->spares, spare);
		client->spares_n--;
		/* All but the table of fields, which the parser fills. */
		memset(req, 0, offsetof(struct request, head));
		memset((char *)req + offsetof(struct request, body_at), 0,
		       sizeof(*req) - offsetof(struct request, body_at));
	} else {
		req = calloc(1, sizeof(*req));
	}
	if (!req)
		return NULL;
	req->conn = conn;
	req->config = config_ref(conn->worker->config);
	req->began = *worker_now(conn->worker);
	req->serial = ++client->requests_n;
	req->seat.wake = on_wake;
	mail_init(&req->mail, on_mail);
	return req;
}

void request_free(struct request **request)
{
	struct request *req = *request;
	struct client *client;

	*request = NULL;
	if (!req)
		return;
	client = req->conn->worker->client;
	relay_end(req);
	invalidate_leave(req);
	cached_leave(req);
	mail_cancel(req->conn->worker, &req->mail);
	deliver_end(&req->out);
	stored_free(&req->stored);
	stored_free(&req->part);
	object_free(&req->pending);
	config_unref(&req->config);
	free(req->key);
	free(req->variant);
	free(req->vary);
	free(req->body_buf);
	if (client->spares_n < REQUEST_SPARES) {
		SLIST_INSERT_HEAD(&client->spares, req, spare);
		client->spares_n++;
	} else {
		free(req);
	}
}

/* ---- refusals ------------------------------------------------------------------------------------ */

/* What is not even HTTP, as the first thing on an intercepted connection, is not ours to judge. */
static bool is_foreign(const struct conn *conn, int refusal)
{
	return conn->mode == CONN_INTERCEPTED && !conn->secure && !conn->served &&
	       (refusal == -HTTP_REFUSED_BAD_REQUEST_LINE || refusal == -HTTP_REFUSED_BAD_METHOD ||
		refusal == -HTTP_REFUSED_BAD_VERSION || refusal == -HTTP_REFUSED_HTTP2_PREFACE);
}

static void say_and_close(struct conn *conn, const char *text, int n)
{
	if (n > 0)
		(void)!conn_send(conn, &(struct iovec){ (void *)(uintptr_t)text, (size_t)n }, 1);
	conn_close(conn);
}

void request_refused(struct conn *conn, int refusal)
{
	char *text = conn->worker->client->scratch;
	int n;

	if (is_foreign(conn, refusal)) {
		relay_splice_raw(conn, SPLICE_NOT_HTTP);
		return;
	}
	STAT_INC(STAT_REQUEST_REFUSED);
	n = http_refusal_write(text, POLICY_HEAD_MAX, refusal,
			       worker_now(conn->worker)->wall_ms / 1000);
	say_and_close(conn, text, n);
}

void request_timed_out(struct conn *conn)
{
	char *text = conn->worker->client->scratch;
	int n = http_error_write(text, POLICY_HEAD_MAX, 408, "the request head took too long", true,
				 false, worker_now(conn->worker)->wall_ms / 1000);

	say_and_close(conn, text, n);
}

static void deny(struct request *req, unsigned status, const char *text)
{
	STAT_INC(STAT_REQUEST_REFUSED);
	req->keep = false;
	respond_error(req, status, text);
}

/* ---- whose? -------------------------------------------------------------------------------------- */

bool request_device_allowed(const struct request *req)
{
	const struct net_list *allow = &request_settings(req)->proxy.allow;

	for (size_t i = 0; i < allow->n; i++)
		if (net_contains(&allow->v[i], &req->conn->device))
			return true;
	return false;
}

/* The profile of the request's host, unless it is nobody's or not to be touched. */
static bool match_host(struct request *req, bool *ret_never)
{
	*ret_never = false;
	if (!profile_match_host(req->config->profiles, req->head.host, &req->match))
		return false;
	*ret_never = req->match.never;
	if (*ret_never)
		req->match = (struct profile_match){ 0 };
	req->profile = req->match.profile;
	return req->profile;
}

/* Can what it expects be met? If not, it is refused. */
static bool demands_met(struct request *req)
{
	uint64_t left;
	int rc = http_expects_continue(&req->head);

	req->expects_continue = rc == 1;
	if (rc >= 0)
		rc = http_max_forwards(&req->head, &left);
	if (rc == 0)
		return true;
	http_refusal_count(rc);
	deny(req, (unsigned)http_refusal_info(rc)->status, http_refusal_info(rc)->text);
	return false;
}

static uint16_t default_port(bool secure)
{
	return secure ? 443 : 80;
}

/* Who is intercepted was judged when the connection began, by more than is known here. */
static bool goes_straight(const struct request *req)
{
	const struct tarn_settings *settings = request_settings(req);
	struct scope_who who = { .addr = req->conn->device };

	return req->conn->mode != CONN_INTERCEPTED && req->profile &&
	       !scope_takes(&settings->scope.intercept, &settings->scope.straight, &who, NULL);
}

static void classify(struct request *req)
{
	const struct profile_class *class =
		req->profile ? profile_classify(req->profile, req->path) : NULL;

	if (!demands_met(req))
		return;
	policy_request(&req->head, class, &req->policy, NULL);
	req->policy.secure = req->secure;
	if (req->policy.route != POLICY_ROUTE_ANSWER && goes_straight(req)) {
		req->policy.route = POLICY_ROUTE_RELAY;
		req->policy.reason = WHY_SCOPE;
		req->policy.may_store = false;
		STAT_INC(STAT_REQUEST_STRAIGHT);
	}
	switch (req->policy.route) {
	case POLICY_ROUTE_ANSWER:
		respond_here(req);
		break;
	case POLICY_ROUTE_CACHE:
		cached_begin(req);
		break;
	default:
		relay_begin(req, POLICY_COND_DEVICE);
	}
}

/* It came by here before. Another Tarn's Via is no loop. */
static bool is_loop(const struct request *req)
{
	return http_via_loops(&req->head, span_of(req->conn->worker->proxy->pseudonym));
}

/* Inside TLS that ends here: only the host that the device has named and has verified (RFC 9110, 7.4 and 15.5.20). */
static void from_secure(struct request *req)
{
	uint16_t port = addr_port(&req->conn->origin);
	bool never;

	if (!match_host(req, &never) || strcmp(req->match.host, req->conn->sni) != 0 ||
	    (req->head.port && req->head.port != port) || req->head.form == HTTP_TARGET_AUTHORITY ||
	    (req->head.form == HTTP_TARGET_ABSOLUTE &&
	     !span_ieq(req->head.scheme, SPAN("https")))) {
		STAT_INC(STAT_TLS_MISDIRECTED);
		shake_unfit(req->conn, DISTRUST_OTHER_HOST);
		deny(req, 421, "this connection is for another host");
	} else if (http_wants_upgrade(&req->head)) {
		STAT_INC(STAT_TLS_UPGRADES);
		shake_unfit(req->conn, DISTRUST_REFUSED);
		deny(req, 421, "on the next connection the vendor answers itself");
	} else if (is_loop(req)) {
		deny(req, 508, "the request has been here before");
	} else {
		req->port = port;
		classify(req);
	}
}

static void from_intercepted(struct request *req)
{
	uint16_t port = addr_port(&req->conn->origin);
	bool never;

	if (req->conn->secure) {
		from_secure(req);
		return;
	}
	if (!match_host(req, &never) || req->head.form == HTTP_TARGET_AUTHORITY ||
	    (req->head.port && req->head.port != port) || http_wants_upgrade(&req->head) ||
	    is_loop(req)) {
		relay_splice(req, never);
		return;
	}
	req->port = port;
	classify(req);
}

/* /<vendor>/<path>: the profile's source host. */
static bool match_source(struct request *req)
{
	struct span rest = span_drop(req->head.path, 1);
	struct span name;
	const struct profile *profile;
	struct profile_match match;
	uint16_t port;
	const char *host;

	if (!request_settings(req)->proxy.reverse || !span_cut(&rest, '/', &name))
		return false;
	profile = profiles_by_name(req->config->profiles, name);
	host = profile ? profile_source(profile, &port) : NULL;
	if (!host || !profile_match_host(req->config->profiles, span_of(host), &match) ||
	    match.profile != profile || match.never)
		return false;
	req->match = match;
	req->profile = profile;
	req->secure = profile_upstream_secure(profile);
	req->port = port;
	req->path = span_drop(req->head.path, 1 + name.n);
	if (port == default_port(req->secure))
		CHECK_OK(span_copy(span_of(host), req->authority, sizeof(req->authority)));
	else
		(void)span_numbered(span_of(host), port, req->authority, sizeof(req->authority));
	return true;
}

/* To us as an update source. */
static void from_origin_form(struct request *req)
{
	bool never;

	if (req->head.form == HTTP_TARGET_ASTERISK) {
		respond_here(req);
	} else if (match_host(req, &never)) {
		classify(req);
	} else if (match_source(req)) {
		classify(req);
	} else {
		deny(req, 404, "no such vendor here");
	}
}

static void from_absolute_form(struct request *req)
{
	bool never;

	if (!request_settings(req)->proxy.explicit_proxy || !request_device_allowed(req)) {
		STAT_INC(STAT_CONN_DENIED);
		deny(req, 403, "this proxy is not for you");
	} else if (!span_ieq(req->head.scheme, SPAN("http"))) {
		/* In clear up to here it would not be what https promises (RFC 9110, 4.2.2). */
		STAT_INC(STAT_REQUEST_HTTPS_REFUSED);
		deny(req, 501, "only http is proxied; use CONNECT for the rest");
	} else {
		if (!match_host(req, &never)) {
			STAT_INC(STAT_REQUEST_FOREIGN);
			if (host_normalise(req->head.host, req->match.host) < 0) {
				deny(req, 400, "the host is no host name");
				return;
			}
		}
		classify(req);
	}
}

void request_begin(struct request *req)
{
	const struct worker *worker = req->conn->worker;

	if (http_has(&req->head, HTTP_FIELD_VIA))
		parents_heard(worker->proxy->parents, &req->head, worker->proxy->pseudonym,
			      worker_now(req->conn->worker)->mono_ms);
	req->path = req->head.path.n ? req->head.path : SPAN("/");
	req->secure = req->conn->secure;
	req->port = req->head.port ? req->head.port : default_port(req->secure);
	if (req->conn->mode == CONN_INTERCEPTED)
		from_intercepted(req);
	else if (req->conn->mode == CONN_SECURE && req->head.form != HTTP_TARGET_ORIGIN)
		deny(req, 421, "this is an update source, and no proxy");
	else if (is_loop(req))
		deny(req, 508, "the request has been here before");
	else if (req->head.form == HTTP_TARGET_AUTHORITY)
		relay_tunnel(req);
	else if (req->head.form == HTTP_TARGET_ABSOLUTE)
		from_absolute_form(req);
	else
		from_origin_form(req);
}

/*
 * A profile whose schemes carry the same and whose upstream is https has all fetched by https: what anybody on the way could
 * alter never fills what answers https.
 */
void request_dial(const struct request *req, struct fetch_ask *ask)
{
	bool lift = !req->secure && req->profile && req->port == 80 && !req->head.host_is_ip6 &&
		    profile_schemes_same(req->profile) && profile_upstream_secure(req->profile);

	ask->host = req->match.host;
	ask->secure = req->secure || lift;
	ask->port = lift ? 443 : req->port;
	ask->authority = lift && req->head.port ? req->head.host : span_of(req->authority);
}

struct span request_target(struct request *req)
{
	struct client *client = req->conn->worker->client;
	size_t n = req->path.n + (req->head.has_query ? 1 + req->head.query.n : 0);
	char *at = client->text;

	if (req->head.form == HTTP_TARGET_ASTERISK)
		return SPAN("*");
	if (n > sizeof(client->text))
		return (struct span){ 0 };
	memcpy(at, req->path.p, req->path.n);
	at += req->path.n;
	if (req->head.has_query) {
		*at++ = '?';
		memcpy(at, req->head.query.p, req->head.query.n);
	}
	return span_make(client->text, n);
}
