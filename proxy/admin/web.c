/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evhttp over bufferevent_openssl.
 *
 * A connection's TLS session carries a struct guest; it goes with the TLS session, which goes with evhttp's connection:
 * not at once, but in a later turn of the loop, at the end in event_base_free(). A guest may so outlive the web; then it
 * knows none (guests_orphan()).
 * Limits: WEB_MAX connections (over it the oldest of the address that has most is shut down, so that no address can
 * keep others out); a request must be complete WEB_REQUEST_MS after the connection or the request before, which on_sweep()
 * enforces against drippers. What is answered or streamed is let be: writing has evhttp's own limit.
 *
 *	guards, in order	counted as admin.refused
 *	address	[admin] allow	the connection is shut down
 *	Host	an address or [admin] names, else 421
 *	Origin	our own, else 403
 *	CSRF	a session's write carries its token, else 403
 */
#include "proxy/admin/web.h"

#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/admin/access.h"
#include "proxy/admin/cert.h"
#include "proxy/admin/guard.h"
#include "proxy/admin/page.h"
#include "proxy/config.h"
#include "proxy/loop.h"

#define BACKLOG	       64
#define TIMEOUT_S      10
#define HEAD_MAX       16384
#define BODY_MAX       65536
#define WEB_MAX	       64
#define WEB_REQUEST_MS 20000
#define SWEEP_MS       1000
#define METHODS                                                                                    \
	(EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH |  \
	 EVHTTP_REQ_DELETE)
#define CSP                                                                                        \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "    \
	"'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "                    \
	"require-trusted-types-for 'script'; trusted-types 'none'"

struct guest {
	struct web *web; /* NULL: gone; the guest is in no list */
	struct bufferevent *bufferevent;
	uint64_t since_ms; /* it owes us a request since then */
	bool busy;	   /* a request of it is being answered */
	bool cut;	   /* shut down: it waits among `leaving` for evhttp to see it */
	struct addr addr;  /* .sa.sa_family is AF_UNSPEC until it was asked for */
	TAILQ_ENTRY(guest) link;
};

struct web {
	struct worker *control;
	struct asks *asks;
	struct access *access;
	struct evhttp *http;
	struct cert *cert;
	struct event sweep;
	TAILQ_HEAD(guests, guest) guests, leaving; /* oldest first */
	unsigned n;				   /* guests */
};

static int guest_index = -1; /* of SSL's ex_data; once a process */

/* ---- guests --------------------------------------------------------------------------------------- */

static void guest_unlink(struct guest *guest)
{
	struct web *web = guest->web;

	TAILQ_REMOVE(guest->cut ? &web->leaving : &web->guests, guest, link);
	web->n -= !guest->cut;
}

static void guest_free(void *parent, void *arg, CRYPTO_EX_DATA *data, int index, long argl,
		       void *argp)
{
	struct guest *guest = arg;

	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	if (!guest)
		return;
	if (guest->web)
		guest_unlink(guest);
	STAT_DEC(STAT_ADMIN_CONNECTIONS);
	free(guest);
}

static void guests_orphan(struct guests *guests)
{
	struct guest *guest;

	while ((guest = TAILQ_FIRST(guests))) {
		guest_unlink(guest);
		guest->web = NULL;
	}
}

static int guest_fd(const struct guest *guest)
{
	return bufferevent_getfd(guest->bufferevent);
}

/* NULL: it has none (yet: evhttp gives the bufferevent its socket after on_accept()). */
static const struct addr *guest_addr(struct guest *guest)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (guest->addr.sa.sa_family == AF_UNSPEC &&
	    (getpeername(guest_fd(guest), (struct sockaddr *)&ss, &len) < 0 ||
	     addr_from_sockaddr((struct sockaddr *)&ss, len, &guest->addr) < 0)) {
		guest->addr.sa.sa_family = AF_UNSPEC;
		return NULL;
	}
	return &guest->addr;
}

/* evhttp sees the end and frees it. */
static void guest_cut(struct guest *guest)
{
	struct web *web = guest->web;

	if (guest_fd(guest) >= 0)
		(void)shutdown(guest_fd(guest), SHUT_RDWR);
	TAILQ_REMOVE(&web->guests, guest, link);
	TAILQ_INSERT_TAIL(&web->leaving, guest, link);
	guest->cut = true;
	web->n--;
}

static bool is_allowed(const struct web *web, const struct addr *addr)
{
	const struct net_list *allow = &web->control->config->settings.admin.allow;

	for (size_t i = 0; i < allow->n; i++)
		if (net_contains(&allow->v[i], addr))
			return true;
	return false;
}

/* How many guests have this address. */
static unsigned count_of(const struct web *web, const struct addr *addr)
{
	const struct addr *theirs;
	struct guest *guest;
	unsigned n = 0;

	TAILQ_FOREACH(guest, &web->guests, link)
	{
		theirs = guest_addr(guest);
		n += theirs && addr_ip_eq(theirs, addr);
	}
	return n;
}

/* Room for one more: the oldest connection of the address that has most; before all, one without an address. */
static void make_room(struct web *web)
{
	struct guest *worst = TAILQ_FIRST(&web->guests), *guest;
	unsigned most = 0;

	TAILQ_FOREACH(guest, &web->guests, link)
	{
		const struct addr *addr = guest_addr(guest);
		unsigned n = addr ? count_of(web, addr) : WEB_MAX + 1;

		if (n > most) {
			most = n;
			worst = guest;
		}
	}
	STAT_INC(STAT_ADMIN_OVER_LIMIT);
	guest_cut(worst);
}

/* Takes the SSL. NULL: no memory. */
static struct bufferevent *guest_new(struct web *web, struct event_base *base, SSL *ssl)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	struct bufferevent *bufferevent;

	if (!guest || SSL_set_ex_data(ssl, guest_index, NULL) != 1) {
		free(guest);
		SSL_free(ssl);
		return NULL;
	}
	bufferevent =
		bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
					       BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!bufferevent) { /* whose the SSL is now depends on libevent's version: rather lost than freed twice */
		free(guest);
		return NULL;
	}
	CHECK(SSL_set_ex_data(ssl, guest_index, guest) == 1); /* its room was made above */
	bufferevent_openssl_set_allow_dirty_shutdown(bufferevent, 1);
	guest->web = web;
	guest->bufferevent = bufferevent;
	guest->since_ms = worker_now(web->control)->mono_ms;
	TAILQ_INSERT_TAIL(&web->guests, guest, link);
	web->n++;
	STAT_INC(STAT_ADMIN_CONNECTIONS);
	return bufferevent;
}

/* For each connection that evhttp has accepted. After NULL it speaks without TLS: on_request() refuses that. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct web *web = arg;
	SSL *ssl = SSL_new(cert_context(web->cert));
	struct bufferevent *bufferevent;

	if (web->n >= WEB_MAX)
		make_room(web);
	bufferevent = ssl ? guest_new(web, base, ssl) : NULL;
	if (!bufferevent)
		STAT_INC(STAT_ADMIN_NO_MEMORY);
	return bufferevent;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct web *web = arg;
	uint64_t now = worker_now(web->control)->mono_ms;
	struct guest *guest, *next;

	(void)fd, (void)what;
	for (guest = TAILQ_FIRST(&web->guests); guest; guest = next) {
		const struct addr *addr = guest_addr(guest);

		next = TAILQ_NEXT(guest, link);
		if ((!guest->busy && now - guest->since_ms > WEB_REQUEST_MS) ||
		    (addr && !is_allowed(web, addr)))
			guest_cut(guest);
	}
	CHECK_OK(event_add(&web->sweep, worker_timeout(web->control, SWEEP_MS)));
}

/* ---- requests ------------------------------------------------------------------------------------- */

typedef const char *const pair[2]; /* name and value */

static bool fields_add(struct evhttp_request *request, pair *fields, size_t n)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(request);

	for (size_t i = 0; i < n; i++)
		if (evhttp_add_header(out, fields[i][0], fields[i][1]) < 0)
			return false;
	return true;
}

static bool harden(struct evhttp_request *request)
{
	static pair fields[] = {
		{ "Content-Security-Policy", CSP },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Permissions-Policy", "camera=(), geolocation=(), microphone=()" },
	};

	return fields_add(request, fields, ARRAY_LEN(fields));
}

static void refuse(struct evhttp_request *request, int status, const char *phrase, const char *json)
{
	struct evbuffer *body = evbuffer_new();

	STAT_INC(STAT_ADMIN_REFUSED);
	if (body)
		(void)evbuffer_add_printf(body, "%s\n", json);
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
				"application/json");
	evhttp_send_reply(request, status, phrase, body);
	if (body)
		evbuffer_free(body);
}

static const char *field(struct evhttp_request *request, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(request), name);
}

static bool is_read(struct evhttp_request *request)
{
	return evhttp_request_get_command(request) & (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
}

/* Is it a file of the page? Then it is answered. They are the same for all. */
static bool serve_page(struct evhttp_request *request)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	const struct page_file *file = page_find(path && path[0] ? path : "/");
	const char *known = field(request, "If-None-Match"),
		   *coding = field(request, "Accept-Encoding");
	struct evbuffer *body;

	if (!file || !is_read(request))
		return false;
	body = evbuffer_new();
	if (!body || !fields_add(request,
				 (pair[]){ { "ETag", file->etag },
					   { "Cache-Control", "no-cache" },
					   { "Vary", "Accept-Encoding" } },
				 3)) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
	} else if (known && strcmp(known, file->etag) == 0) {
		evhttp_send_reply(request, HTTP_NOTMODIFIED, "Not Modified", NULL);
	} else if (!coding || !strstr(coding, "gzip")) {
		refuse(request, 406, "Not Acceptable",
		       "{\"error\": \"gzip\", \"text\": \"the page is there as gzip alone\"}");
	} else if (!fields_add(request,
			       (pair[]){ { "Content-Type", file->type },
					 { "Content-Encoding", "gzip" } },
			       2) ||
		   evbuffer_add_reference(body, file->gzip, file->gzip_n, NULL, NULL) < 0) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
	} else {
		evhttp_send_reply(request, HTTP_OK, "OK", body);
	}
	if (body)
		evbuffer_free(body);
	return true;
}

/* Fills in who asks. False: the CSRF token is missing or wrong, and it is answered. */
static bool identify(struct web *web, struct evhttp_request *request, struct admin_ask *ask)
{
	static const struct span bearer = SPAN("Bearer ");
	const char *word = field(request, "Authorization"), *csrf = field(request, WEB_CSRF);
	char cookie[SESSION_TOKEN];
	struct session *session;

	if (word && span_starts(span_of(word), bearer)) {
		if (access_token_fits(web->access, word + bearer.n))
			ask->role = ADMIN_VIEW;
		return true;
	}
	(void)guard_cookie(field(request, "Cookie"), WEB_COOKIE, cookie, sizeof(cookie));
	session = session_find(access_sessions(web->access), cookie,
			       worker_now(web->control)->mono_ms);
	if (!session)
		return true;
	if (!is_read(request) && !session_token_eq(csrf ? csrf : "", session->csrf)) {
		refuse(request, 403, "Forbidden",
		       "{\"error\": \"csrf\", \"text\": \"the field " WEB_CSRF
		       " must hold the session's token\"}");
		return false;
	}
	ask->role = session->role;
	ask->session = session;
	return true;
}

static void on_complete(struct evhttp_request *request, void *arg)
{
	struct guest *guest = arg;

	(void)request;
	guest->busy = false;
	guest->since_ms = worker_now(guest->web->control)->mono_ms;
}

/* NULL: it came without TLS. */
static struct guest *guest_of(struct evhttp_request *request)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(request);
	SSL *ssl = bufferevent_openssl_get_ssl(evhttp_connection_get_bufferevent(conn));

	return ssl ? SSL_get_ex_data(ssl, guest_index) : NULL;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct web *web = arg;
	const struct tarn_settings *settings = &web->control->config->settings;
	const char *host = field(request, "Host");
	struct admin_ask ask = { .peer = "?" };
	struct guest *guest = guest_of(request);
	const struct addr *addr;

	if (!guest || !harden(request))
		return evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
	addr = guest_addr(guest);
	guest->busy = true;
	evhttp_request_set_on_complete_cb(request, on_complete, guest);
	if (addr) {
		(void)addr_ip_format(addr, ask.peer);
		if (!is_allowed(web, addr))
			return refuse(
				request, 403, "Forbidden",
				"{\"error\": \"address\", \"text\": \"not for this address\"}");
	}
	if (!guard_host(host, &settings->admin.names))
		return refuse(request, 421, "Misdirected Request",
			      "{\"error\": \"host\", \"text\": \"ask by address, or by a name of "
			      "[admin] names\"}");
	if (!guard_origin(field(request, "Origin"), host))
		return refuse(request, 403, "Forbidden",
			      "{\"error\": \"origin\", \"text\": \"another site's page asks\"}");
	if (serve_page(request))
		return;
	if (identify(web, request, &ask))
		asks_take(web->asks, request, &ask);
}

/* ---- its life ------------------------------------------------------------------------------------- */

/* The address need not be there yet: DHCP may come later. */
static int listen_at(const struct addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, rc = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
	    /* Else [::] takes IPv4's port, too, and 0.0.0.0 beside it is refused. */
	    (addr->sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, &addr->sa, addr_len(addr)) < 0 || listen(fd, BACKLOG) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

/* Devices come first: an address that another program has is no reason for the data plane not to start. */
static void listen_all(struct web *web, const struct addr_list *addresses)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < addresses->n; i++) {
		int fd = listen_at(&addresses->v[i]);

		if (fd >= 0 && evhttp_accept_socket(web->http, fd) < 0) {
			close(fd);
			fd = -ENOMEM;
		}
		LOG(fd < 0 ? LOG_L_ERROR : LOG_L_NOTICE, "admin.listen", "at=%s error=%s",
		    addr_format(&addresses->v[i], text), fd < 0 ? strerrorname_np(-fd) : "none");
		if (fd < 0)
			STAT_INC(STAT_ADMIN_UNHEARD);
	}
}

static int http_make(struct web *web)
{
	web->http = evhttp_new(web->control->base);
	if (!web->http)
		return -ENOMEM;
	evhttp_set_allowed_methods(web->http, METHODS);
	evhttp_set_max_headers_size(web->http, HEAD_MAX);
	evhttp_set_max_body_size(web->http, BODY_MAX);
	evhttp_set_timeout(web->http, TIMEOUT_S);
	evhttp_set_bevcb(web->http, on_accept, web);
	evhttp_set_gencb(web->http, on_request, web);
	return 0;
}

int web_new(struct worker *control, struct asks *asks, struct access *access, struct web **ret_web)
{
	const struct tarn_settings *settings = &control->config->settings;
	struct web *web;
	int rc;

	if (!settings->admin.listen.n)
		return 0;
	if (guest_index < 0)
		guest_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, guest_free);
	web = calloc(1, sizeof(*web));
	if (!web || guest_index < 0) {
		free(web);
		return -ENOMEM;
	}
	TAILQ_INIT(&web->guests);
	TAILQ_INIT(&web->leaving);
	web->control = control;
	web->asks = asks;
	web->access = access;
	CHECK_OK(evtimer_assign(&web->sweep, control->base, on_sweep, web));
	rc = cert_new(control, &settings->admin.names, &settings->admin.listen, &web->cert);
	rc = rc ? rc : http_make(web);
	if (rc < 0) {
		web_free(&web);
		return rc;
	}
	listen_all(web, &settings->admin.listen);
	on_sweep(-1, 0, web);
	*ret_web = web;
	return 0;
}

void web_free(struct web **ptr)
{
	struct web *web = *ptr;

	*ptr = NULL;
	if (!web)
		return;
	event_del(&web->sweep);
	if (web->http)
		evhttp_free(web->http); /* no callback of ours comes after it but guest_free() */
	guests_orphan(&web->guests);
	guests_orphan(&web->leaving);
	cert_free(&web->cert);
	free(web);
}
