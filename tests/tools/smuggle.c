/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smuggle - malformed and ambiguous messages through tarn-proxy to an origin that records what arrives.
 *
 *	smuggle PROXY_PORT ORIGIN_PORT ADMIN_SOCKET
 *
 *	devices --> tarn-proxy 127.0.0.1:PROXY_PORT --> origin 127.0.0.9:ORIGIN_PORT (the vendor `acme`)
 *	                                            \-> origin 127.0.0.20:ORIGIN_PORT (nobody's)
 *
 * smuggle_cases.h says what each message is and what has to become of it. Each goes through in several rounds
 * (struct round); a line of TAP for a case. Checked are the responses, that the connection ends behind a
 * refusal, that the refusal's own counter moved by one, that as many requests arrive as Tarn counted,
 * and that none of them has a doubtful framing: the origin reads with a parser of its own, which
 * takes nothing but the one plain form.
 */
#include <ctype.h>
#include <pthread.h>
#include <signal.h>

#include "tests/tools/raw.h"
#include "tests/tools/smuggle_cases.h"

#define LIMIT_MS     8000
#define MESSAGE_MAX  (2 << 20)
#define STATUSES_MAX 8

#define GOOD_BODY    "good"
#define GOOD_RESPONSE                                                                              \
	"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 4\r\n\r\n" GOOD_BODY

static struct {
	unsigned proxy, origin;
	const char *admin;
} at;

/* ---- the origin -------------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	unsigned arrived; /* whole requests */
	char doubt[128];  /* why one of them is not plain */
	const struct origin_case *script;
} origin = { .lock = PTHREAD_MUTEX_INITIALIZER };

static char script[MESSAGE_MAX]; /* of origin.script, expanded */
static size_t script_n;

static void doubt(const char *why)
{
	pthread_mutex_lock(&origin.lock);
	(void)snprintf(origin.doubt, sizeof(origin.doubt), "%s", why);
	pthread_mutex_unlock(&origin.lock);
}

/* One line of a head; what is not plain is told. */
struct plain {
	unsigned hosts, lengths, codings;
	uint64_t length;
};

static void check_field(const char *line, size_t n, struct plain *p)
{
	const char *colon = memchr(line, ':', n);
	size_t name = colon ? (size_t)(colon - line) : 0;
	const char *value = colon ? colon + 1 + (colon[1] == ' ') : line;
	size_t value_n = n - (size_t)(value - line);

	if (!name || isspace((unsigned char)line[0]) || isspace((unsigned char)colon[-1]))
		doubt("a field is not name and colon");
	if (name == 4 && !strncasecmp(line, "host", 4)) {
		p->hosts++;
		if (strncmp(value, "127.0.0.", 8) != 0)
			doubt("the Host is not the origin's");
	} else if (name == 14 && !strncasecmp(line, "content-length", 14)) {
		p->lengths++;
		p->length = strtoull(value, NULL, 10);
		if (!value_n || strspn(value, "0123456789") != value_n)
			doubt("the length is no number");
	} else if (name == 17 && !strncasecmp(line, "transfer-encoding", 17)) {
		p->codings++;
		if (value_n != 7 || memcmp(value, "chunked", 7) != 0)
			doubt("the coding is not chunked");
	}
}

/* The plain form of a head, buf[0..n) with its empty line. */
static void check_head(const char *buf, size_t n, struct plain *p)
{
	const char *line = buf, *end = buf + n - 2;

	for (size_t i = 0; i < n; i++)
		if (((unsigned char)buf[i] < 0x20 && !strchr("\r\n\t", buf[i])) || !buf[i] ||
		    (buf[i] == '\n' && (i == 0 || buf[i - 1] != '\r')) ||
		    (buf[i] == '\r' && (i + 1 == n || buf[i + 1] != '\n')))
			doubt("a control octet or a bare CR or LF");
	if (memmem(buf, n, "smuggled", 8))
		doubt("the smuggled request, or what should have been left out");
	while (line < end) {
		const char *stop = memmem(line, (size_t)(end - line) + 2, "\r\n", 2);

		if (line != buf)
			check_field(line, (size_t)(stop - line), p);
		else if (!memmem(line, (size_t)(stop - line), " HTTP/1.1", 9))
			doubt("not HTTP/1.1");
		line = stop + 2;
	}
	if (p->hosts != 1)
		doubt("not one Host");
	if (p->lengths + p->codings > 1)
		doubt("more than one framing");
}

/* Bytes of a chunked body in buf[0..n), 0: not whole yet. */
static size_t chunks_size(const char *buf, size_t n)
{
	size_t used = 0;

	for (;;) {
		const char *end = memmem(buf + used, n - used, "\r\n", 2);
		char *stop;
		uint64_t size;

		if (!end)
			return 0;
		size = strtoull(buf + used, &stop, 16);
		if (stop == buf + used || stop != end || !isxdigit((unsigned char)buf[used]))
			doubt("a chunk size that is not plain");
		used = (size_t)(end - buf) + 2;
		if (size > n || n - used < size + 2)
			return 0;
		used += size;
		if (memcmp(buf + used, "\r\n", 2) != 0)
			doubt("a chunk without its end, or trailers");
		used += 2;
		if (!size)
			return used;
	}
}

/* Bytes of the request that buf begins with, 0: not whole yet. */
static size_t request_size(const char *buf, size_t n)
{
	const char *end = memmem(buf, n, "\r\n\r\n", 4);
	struct plain p = { 0 };
	size_t head = end ? (size_t)(end - buf) + 4 : 0, body;

	if (!end)
		return 0;
	check_head(buf, head, &p);
	if (p.codings) {
		body = chunks_size(buf + head, n - head);
		return body ? head + body : 0;
	}
	return n - head >= p.length ? head + p.length : 0;
}

/* Answers one whole request. False: the connection is over. */
static bool origin_answer(int fd, const char *request)
{
	const struct origin_case *c;

	pthread_mutex_lock(&origin.lock);
	origin.arrived++;
	c = origin.script;
	pthread_mutex_unlock(&origin.lock);
	if (!c || strncmp(request, "GET /o", 6) != 0)
		return raw_send(fd, GOOD_RESPONSE, sizeof(GOOD_RESPONSE) - 1);
	return raw_send(fd, script, script_n) && !c->closes;
}

static void *origin_conn(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *buf = malloc(MESSAGE_MAX);
	size_t n = 0, used;
	ssize_t got;

	if (!buf)
		raw_die("origin");
	while ((got = recv(fd, buf + n, MESSAGE_MAX - n, 0)) > 0) {
		n += (size_t)got;
		while (n && (used = request_size(buf, n))) {
			if (!origin_answer(fd, buf)) {
				(void)shutdown(fd, SHUT_WR);
				break;
			}
			n -= used;
			memmove(buf, buf + used, n);
		}
	}
	close(fd);
	free(buf);
	return NULL;
}

static void *origin_run(void *arg)
{
	int listener = (int)(intptr_t)arg;
	pthread_t thread;

	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (pthread_create(&thread, NULL, origin_conn, (void *)(intptr_t)fd) != 0)
			raw_die("thread");
		pthread_detach(thread);
	}
	raw_die("accept");
	return NULL;
}

static void origin_start(const char *address)
{
	int fd = raw_listen(address, at.origin);
	pthread_t thread;

	if (pthread_create(&thread, NULL, origin_run, (void *)(intptr_t)fd) != 0)
		raw_die("thread");
	pthread_detach(thread);
}

static unsigned origin_arrived(void)
{
	unsigned n;

	pthread_mutex_lock(&origin.lock);
	n = origin.arrived;
	pthread_mutex_unlock(&origin.lock);
	return n;
}

/* ---- messages ---------------------------------------------------------------------------------------- */

struct message {
	char *p;
	size_t n;
};

static void put(struct message *m, const char *p, size_t n)
{
	if (m->n + n > MESSAGE_MAX)
		raw_die("message too long");
	memcpy(m->p + m->n, p, n);
	m->n += n;
}

static void put_text(struct message *m, const char *text)
{
	put(m, text, strlen(text));
}

/* $Pn; $Fn; $In; - @p behind the letter; returns behind the semicolon. */
static const char *put_many(struct message *m, char what, const char *p)
{
	char *end;
	long n = strtol(p, &end, 10);

	for (long i = 0; i < n; i++)
		put_text(m, what == 'P'	  ? "a"
			    : what == 'F' ? "Field: x\r\n"
					  : "HTTP/1.1 103 Early Hints\r\n\r\n");
	return end + 1;
}

static void put_raw(struct message *m, const char *raw, size_t n, const char *target,
		    const char *authority)
{
	const char *end = raw + n;

	while (raw < end) {
		if (*raw != '$' || raw + 1 == end) {
			put(m, raw++, 1);
		} else if (raw[1] == 'T' || raw[1] == 'A') {
			put_text(m, raw[1] == 'T' ? target : authority);
			raw += 2;
		} else {
			raw = put_many(m, raw[1], raw + 2);
		}
	}
}

/* ---- the device -------------------------------------------------------------------------------------- */

struct reply {
	char *p;
	size_t n;
	bool closed;
	unsigned statuses[STATUSES_MAX], count;
	const char *body; /* of the last one */
	size_t body_n;
	bool whole; /* the last one is */
};

/* Sends all, a byte at a time if @drip, and reads until the other side closes. */
static void talk(const struct message *m, bool drip, struct reply *r)
{
	int fd = raw_connect("127.0.0.1", at.proxy);
	int64_t due = raw_ms() + LIMIT_MS;
	size_t sent = 0;

	r->n = 0;
	r->closed = false;
	while (!r->closed && raw_ms() < due) {
		struct pollfd p = { .fd = fd, .events = POLLIN | (sent < m->n ? POLLOUT : 0) };

		if (poll(&p, 1, (int)(due - raw_ms())) < 0)
			raw_die("poll");
		if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t got = recv(fd, r->p + r->n, MESSAGE_MAX - r->n, MSG_DONTWAIT);

			r->closed = got == 0 || (got < 0 && errno != EAGAIN);
			r->n += got > 0 ? (size_t)got : 0;
		}
		if (p.revents & POLLOUT) {
			ssize_t n = send(fd, m->p + sent, drip ? 1 : m->n - sent,
					 MSG_NOSIGNAL | MSG_DONTWAIT);

			sent = n > 0 ? sent + (size_t)n : errno == EAGAIN ? sent : m->n;
		}
	}
	close(fd);
}

static const char *field_of(const char *head, size_t n, const char *name)
{
	const char *line = head, *end = head + n;
	size_t len = strlen(name);

	while ((line = memchr(line, '\n', (size_t)(end - line))) && ++line + len < end)
		if (!strncasecmp(line, name, len) && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " ");
	return NULL;
}

/* One response at p[0..n): its size, or 0 when it is not whole. */
static size_t response_size(struct reply *r, const char *p, size_t n, bool closed)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4), *length;
	unsigned status = n > 12 && !memcmp(p, "HTTP/1.1 ", 9) ? (unsigned)atoi(p + 9) : 999;
	size_t head = end ? (size_t)(end - p) + 4 : 0, size;

	if (!end || status == 999) {
		if (r->count < STATUSES_MAX)
			r->statuses[r->count++] = 999;
		return 0;
	}
	if (status < 200)
		return head;
	if (r->count < STATUSES_MAX)
		r->statuses[r->count++] = status;
	r->body = p + head;
	r->body_n = n - head;
	length = field_of(p, head, "content-length");
	if (field_of(p, head, "transfer-encoding"))
		size = chunks_size(r->body, r->body_n);
	else
		size = length	       ? strtoull(length, NULL, 10)
		       : status == 204 ? 0
		       : closed	       ? n - head
				       : n;
	r->whole = n - head >= size && (size || !field_of(p, head, "transfer-encoding"));
	if (r->whole)
		r->body_n = size;
	return r->whole ? head + size : 0;
}

static void reply_read(struct reply *r)
{
	size_t used = 0, size;

	r->count = 0;
	r->whole = false;
	r->body = "";
	r->body_n = 0;
	while (used < r->n && (size = response_size(r, r->p + used, r->n - used, r->closed)))
		used += size;
}

/* ---- requests ---------------------------------------------------------------------------------------- */

struct round {
	const char *name, *target, *address;
	bool drip, after;
	unsigned flag; /* cases that have a flag of another kind of target are left out */
};

static const struct round rounds[] = {
	{ "to a source", "/acme/%u", "127.0.0.9", false, false, TO_SOURCE },
	{ "behind a good request", "/acme/%u", "127.0.0.9", false, true, TO_SOURCE },
	{ "a byte at a time", "/acme/%u", "127.0.0.9", true, false, TO_SOURCE },
	{ "to a proxy", "http://127.0.0.9:%2$u/%1$u", "127.0.0.9", false, false, TO_PROXY },
	{ "to a proxy, behind a good request", "http://127.0.0.9:%2$u/%1$u", "127.0.0.9", false,
	  true, TO_PROXY },
	{ "to a proxy, for a host of no vendor", "http://127.0.0.20:%2$u/%1$u", "127.0.0.20", false,
	  false, TO_PROXY },
};

#define ROUNDS	 (sizeof(rounds) / sizeof(rounds[0]))
#define DRIP_MAX 3000 /* bytes of a message that is worth it */

static struct message message;
static struct reply reply;
static char why[512];

static bool expect(bool right, const char *text, long want, long got)
{
	if (!right && !why[0])
		(void)snprintf(why, sizeof(why), "%s: expected %ld, got %ld", text, want, got);
	return right;
}

/* What must come back and arrive. */
struct expected {
	unsigned statuses[STATUSES_MAX], count, arrive, accepted;
};

static struct expected expected_of(const struct smuggle_case *c, const struct round *round)
{
	struct expected e = { 0 };

	for (unsigned i = 0; i < c->arrive + round->after; i++)
		e.statuses[e.count++] = 200;
	e.arrive = e.accepted = c->arrive + round->after;
	if (c->kind != ACCEPTED)
		e.statuses[e.count++] = c->status;
	if (c->kind == REFUSED_BODY || c->kind == LOCAL)
		e.accepted++;
	if ((c->kind == ACCEPTED || c->kind == LOCAL) && !(c->flags & ENDS)) {
		e.statuses[e.count++] = 200;
		e.arrive++;
		e.accepted++;
	}
	return e;
}

static void message_build(const struct smuggle_case *c, const struct round *round, unsigned number)
{
	bool refused = c->kind == REFUSED || c->kind == REFUSED_BODY || c->flags & ENDS;
	char target[128], authority[64], next[256];

	(void)snprintf(target, sizeof(target), round->target, number, at.origin);
	(void)snprintf(authority, sizeof(authority), "%s:%u", round->address, at.origin);
	(void)snprintf(next, sizeof(next), "GET %s/%s HTTP/1.1\r\nHost: x\r\n%s\r\n", target,
		       refused ? "smuggled" : "last", refused ? "" : "Connection: close\r\n");
	message.n = 0;
	if (round->after) {
		put_text(&message, "GET ");
		put_text(&message, target);
		put_text(&message, "/first HTTP/1.1\r\nHost: x\r\n\r\n");
	}
	put_raw(&message, c->raw, c->n, target, authority);
	put_text(&message, next);
}

static void case_round(const struct smuggle_case *c, const struct round *round, unsigned number)
{
	struct expected e = expected_of(c, round);
	char *before = raw_admin(at.admin, "/api/v1/stat"), *after, label[96];
	unsigned arrived = origin_arrived();

	(void)snprintf(label, sizeof(label), "http.refused.%s", c->label ? c->label : "");
	message_build(c, round, number);
	talk(&message, round->drip, &reply);
	reply_read(&reply);
	after = raw_admin(at.admin, "/api/v1/stat");
	expect(reply.closed, "the connection is closed", 1, reply.closed);
	for (unsigned i = 0; i < e.count && i < reply.count; i++)
		expect(reply.statuses[i] == e.statuses[i], "status", e.statuses[i],
		       reply.statuses[i]);
	expect(reply.count == e.count, "responses", e.count, reply.count);
	arrived = origin_arrived() - arrived;
	expect(arrived == e.arrive, "requests that arrive", e.arrive, arrived);
	expect(raw_counter(after, "requests") - raw_counter(before, "requests") == e.accepted,
	       "requests that were counted", e.accepted,
	       raw_counter(after, "requests") - raw_counter(before, "requests"));
	if (c->label)
		expect(raw_counter(after, label) >= 0 &&
			       raw_counter(after, label) - raw_counter(before, label) == 1,
		       label, 1, raw_counter(after, label) - raw_counter(before, label));
	free(before);
	free(after);
	pthread_mutex_lock(&origin.lock);
	if (origin.doubt[0] && !why[0])
		(void)snprintf(why, sizeof(why), "at the origin: %s", origin.doubt);
	origin.doubt[0] = 0;
	pthread_mutex_unlock(&origin.lock);
}

static void request_case(struct tap *tap, const struct smuggle_case *c, unsigned number)
{
	char name[160];

	why[0] = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		bool was = why[0];

		if (c->flags & (TO_PROXY | TO_SOURCE) && !(c->flags & rounds[i].flag))
			continue;
		message_build(c, &rounds[i], number);
		if (rounds[i].drip && message.n > DRIP_MAX)
			continue;
		case_round(c, &rounds[i], number);
		if (why[0] && !was) {
			size_t n = strlen(why);

			(void)snprintf(why + n, sizeof(why) - n, " (%s; %.*s)", rounds[i].name,
				       (int)strcspn(reply.n ? reply.p : "", "\r"),
				       reply.n ? reply.p : "");
		}
	}
	(void)snprintf(name, sizeof(name), "%s: %s",
		       c->kind == ACCEPTED ? "accepted"
		       : c->kind == LOCAL  ? "answered"
					   : "refused",
		       c->name);
	tap_line(tap, name, why[0] ? why : NULL);
}

/* ---- responses --------------------------------------------------------------------------------------- */

static void get(const char *target)
{
	message.n = 0;
	put_text(&message, "GET ");
	put_text(&message, target);
	put_text(&message, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	talk(&message, false, &reply);
	reply.p[reply.n] = 0;
	reply_read(&reply);
}

static bool body_is(const char *body)
{
	static char decoded[64];
	size_t n = 0;

	if (!reply.whole)
		return false;
	if (reply.body_n == strlen(body) && !memcmp(reply.body, body, reply.body_n))
		return true;
	/* Chunked: one chunk, as small as they are. */
	n = (size_t)snprintf(decoded, sizeof(decoded), "%zx\r\n%s\r\n0\r\n\r\n", strlen(body),
			     body);
	return reply.body_n == n && !memcmp(reply.body, decoded, n);
}

static void first_answer(const struct origin_case *c)
{
	unsigned status = reply.count ? reply.statuses[0] : 0;

	expect(reply.closed, "the connection is closed", 1, reply.closed);
	expect(reply.count == 1, "responses", 1, reply.count);
	switch (c->want) {
	case WANT_502:
		expect(status == 502, "status", 502, status);
		break;
	case WANT_BODY:
		expect(status == c->status, "status", c->status, status);
		expect(body_is(c->body), "the body is right", 1, 0);
		break;
	case WANT_CUT_OR_502:
		if (status == 502)
			break;
		expect(status == c->status, "status", c->status, status);
		expect(!reply.whole, "the body is cut", 1, 0);
		break;
	}
}

static void response_case(struct tap *tap, const struct origin_case *c, unsigned number)
{
	struct message m = { .p = script };
	char same[64], other[64], name[160];

	(void)snprintf(same, sizeof(same), "/acme/o%u", number);
	(void)snprintf(other, sizeof(other), "/acme/p%u", number);
	why[0] = 0;
	put_raw(&m, c->raw, c->n, "", "");
	pthread_mutex_lock(&origin.lock);
	script_n = m.n;
	origin.script = c;
	pthread_mutex_unlock(&origin.lock);
	get(same);
	first_answer(c);
	pthread_mutex_lock(&origin.lock);
	origin.script = NULL;
	pthread_mutex_unlock(&origin.lock);

	get(other);
	expect(body_is(GOOD_BODY), "another object is right", 1, 0);
	get(same);
	expect(body_is(GOOD_BODY) || (c->want == WANT_BODY && c->body[0] && body_is(c->body)),
	       "what is stored is right", 1, 0);
	expect(!strstr(reply.p, "evil"), "nothing evil is in it", 0, 1);
	(void)snprintf(name, sizeof(name), "from the origin: %s", c->name);
	tap_line(tap, name, why[0] ? why : NULL);
}

/* ---- main -------------------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
	unsigned requests = sizeof(smuggle_cases) / sizeof(smuggle_cases[0]);
	unsigned responses = sizeof(origin_cases) / sizeof(origin_cases[0]);
	struct tap tap = { 0 };

	if (argc != 4) {
		fputs("usage: smuggle PROXY_PORT ORIGIN_PORT ADMIN_SOCKET\n", stderr);
		return 2;
	}
	at.proxy = (unsigned)atoi(argv[1]);
	at.origin = (unsigned)atoi(argv[2]);
	at.admin = argv[3];
	signal(SIGPIPE, SIG_IGN);
	message.p = malloc(MESSAGE_MAX);
	reply.p = malloc(MESSAGE_MAX + 1);
	if (!message.p || !reply.p)
		raw_die("smuggle");
	origin_start("127.0.0.9");
	origin_start("127.0.0.20");
	for (unsigned i = 0; i < requests; i++)
		request_case(&tap, &smuggle_cases[i], i);
	for (unsigned i = 0; i < responses; i++)
		response_case(&tap, &origin_cases[i], i);
	return tap_end(&tap);
}
