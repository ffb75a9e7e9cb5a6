/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispute - what do caches do with messages that caches disagree about?
 *
 *	dispute [-t] [-c] [-k] [-x HOST] ORIGIN_PORT CASES NAME=PORT[/PREFIX]...
 *
 * -c: the origin sends chunked bodies, as most programs do that make their answers; -k: each case's requests come on
 * one connection, as a browser's do; -x: as to an explicit proxy, for http://HOST:ORIGIN_PORT/.
 *
 * Plays every case of the file CASES (its format stands at its top) through each of the caches that listen on
 * 127.0.0.1, as client and as their origin on 127.0.0.9, all cases of one cache at the same time. Prints a
 * table of who does what the case wants; with -t a line of TAP for each case, for one cache.
 */
#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>

#include "tests/tools/raw.h"

#define CASES_MAX     1024
#define EXCHANGES_MAX 8
#define WANTS_MAX     12
#define CACHES_MAX    6
#define TEXT_MAX      16384
#define LIMIT_MS      9000

/* One request, what the origin says if it is asked, and what has to come of it. */
struct exchange {
	char method[32], path[256];
	char request[TEXT_MAX / 4]; /* fields, each with its CR LF */
	unsigned status;	    /* of the origin; 0: it closes */
	char response[TEXT_MAX / 4];
	char interim[256];
	char body[2048];
	bool conditional; /* `from 304`: only if the request has a condition, else 200 */
	bool unframed;	  /* the close ends the body */
	unsigned delay_ms, wait_ms;
	const char *wants[WANTS_MAX];
	unsigned wants_n;

	/* what came of it, guarded by `lock` */
	unsigned asked;
	bool asked_if; /* with a condition */
	char seen[TEXT_MAX];
};

struct dispute {
	char name[128], rfc[64];
	struct exchange exchange[EXCHANGES_MAX];
	unsigned n, current, id;
	char result[CACHES_MAX][160]; /* empty: as wanted */
	unsigned cache;
	pthread_t thread;
};

struct cache {
	const char *name, *prefix;
	unsigned port, good;
};

static struct dispute *cases[CASES_MAX];
static unsigned cases_n;
static struct cache caches[CACHES_MAX];
static unsigned caches_n, round_cache;
static time_t round_began; /* $now of its cases */
static bool chunked, kept;
static char authority[128] = "disputed"; /* in the Host of each request */
static bool explicitly;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- text ------------------------------------------------------------------------------------------- */

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

__attribute__((format(printf, 3, 4))) static void add(char *buf, size_t size, const char *format,
						      ...)
{
	size_t n = strlen(buf);
	va_list args;

	va_start(args, format);
	if (vsnprintf(buf + n, size - n, format, args) >= (int)(size - n))
		raw_die("text too long");
	va_end(args);
}

static void add_date(char *buf, size_t size, time_t t)
{
	char date[64];
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
	add(buf, size, "%s", date);
}

/* What stands at @at, "$now", "$now-N" or "$now+N"; gives what is behind it. */
static const char *add_now(char *buf, size_t size, const char *at)
{
	time_t t = round_began;

	at += strlen("$now");
	if (*at == '-' || *at == '+')
		t += strtol(at, (char **)(uintptr_t)&at, 10);
	add_date(buf, size, t);
	return at;
}

/* The value of a field of a head, or NULL; the first, or the one after *at. */
static const char *field_at(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n'))
		if (!strncasecmp(line + 1, name, n) && line[1 + n] == ':')
			return line + 2 + n + strspn(line + 2 + n, " ");
	return NULL;
}

static bool field_is(const char *head, const char *name, const char *value)
{
	for (const char *at = head; (at = field_at(at, name));) {
		size_t n = strcspn(at, "\r\n");

		if (n == strlen(value) && !memcmp(at, value, n))
			return true;
		at--;
	}
	return false;
}

/* ---- reading the cases ------------------------------------------------------------------------------- */

static struct exchange *exchange_new(struct dispute *d)
{
	struct exchange *x = &d->exchange[d->n];

	if (d->n++ == EXCHANGES_MAX)
		raw_die("too many exchanges");
	x->status = 200;
	add(x->body, sizeof(x->body), "%s #%u", d->name, d->n);
	return x;
}

static void line_from(struct exchange *x, const char *rest)
{
	x->conditional = starts(rest, "304");
	if (starts(rest, "close"))
		x->status = 0;
	else
		x->status = (unsigned)atoi(rest);
	x->response[0] = 0;
}

static void line_read(struct dispute **d, char *line)
{
	struct exchange *x = *d && (*d)->n ? &(*d)->exchange[(*d)->n - 1] : NULL;

	if (starts(line, "case ")) {
		if (cases_n == CASES_MAX)
			raw_die("too many cases");
		*d = cases[cases_n] = calloc(1, sizeof(**d));
		if (!*d)
			raw_die("cases");
		(*d)->id = cases_n++;
		add((*d)->name, sizeof((*d)->name), "%s", line + 5);
	} else if (starts(line, "rfc ")) {
		add((*d)->rfc, sizeof((*d)->rfc), "%s", line + 4);
	} else if (starts(line, "ask ")) {
		x = exchange_new(*d);
		if (sscanf(line + 4, "%31s %255s", x->method, x->path) < 1)
			raw_die(line);
	} else if (!x) {
		raw_die(line);
	} else if (starts(line, "> ")) {
		add(x->request, sizeof(x->request), "%s\r\n", line + 2);
	} else if (starts(line, "from ")) {
		line_from(x, line + 5);
	} else if (starts(line, "< ")) {
		add(x->response, sizeof(x->response), "%s\r\n", line + 2);
	} else if (starts(line, "interim ")) {
		add(x->interim, sizeof(x->interim), "HTTP/1.1 %s\r\nLink: </early>\r\n\r\n",
		    line + 8);
	} else if (!strcmp(line, "body") || starts(line, "body ")) {
		x->body[0] = 0;
		add(x->body, sizeof(x->body), "%s", line + (line[4] ? 5 : 4));
	} else if (starts(line, "unframed")) {
		x->unframed = true;
	} else if (starts(line, "delay ")) {
		x->delay_ms = (unsigned)atoi(line + 6);
	} else if (starts(line, "wait ")) {
		x->wait_ms = (unsigned)atoi(line + 5);
	} else if (starts(line, "want ") && x->wants_n < WANTS_MAX) {
		x->wants[x->wants_n++] = strdup(line + 5);
	} else {
		raw_die(line);
	}
}

static void cases_read(const char *path)
{
	FILE *f = fopen(path, "re");
	struct dispute *d = NULL;
	char line[4096];

	if (!f)
		raw_die(path);
	while (fgets(line, sizeof(line), f)) {
		char *text = line + strspn(line, " \t");

		text[strcspn(text, "\n")] = 0;
		if (*text && *text != '#')
			line_read(&d, text);
	}
	fclose(f);
}

/* ---- the origin -------------------------------------------------------------------------------------- */

static struct exchange *exchange_of(const char *head)
{
	const char *at = strstr(head, "/case-");
	unsigned cache, id;

	if (!at || at > head + strcspn(head, "\r") || sscanf(at, "/case-%u-%u", &cache, &id) != 2 ||
	    cache != round_cache || id >= cases_n || cases[id]->current >= cases[id]->n)
		return NULL;
	return &cases[id]->exchange[cases[id]->current];
}

/* The fields of a 304, in the 200 that stands for it: its length is another. */
static void without_length(char *fields)
{
	char *line = strcasestr(fields, "Content-Length:");
	size_t n = line ? strcspn(line, "\n") + 1 : 0;

	if (line)
		memmove(line, line + n, strlen(line + n) + 1);
}

/* @text with dates for $now; and of a response, $path as the origin knows the case's URL, and $origin as its Host. */
static void add_text(char *buf, size_t size, const char *text, const char *head)
{
	const char *path = head ? strstr(strchr(head, ' ') + 1, "/case-") : "";
	const char *host = head ? field_at(head, "host") : NULL;

	for (const char *at; (at = strchr(text, '$')); text = at) {
		add(buf, size, "%.*s", (int)(at - text), text);
		if (starts(at, "$now")) {
			at = add_now(buf, size, at);
		} else if (head && starts(at, "$path")) {
			add(buf, size, "%.*s", (int)strcspn(path + 1, "/? ") + 1, path);
			at += strlen("$path");
		} else if (head && starts(at, "$origin")) {
			add(buf, size, "%.*s", host ? (int)strcspn(host, "\r") : 0, host);
			at += strlen("$origin");
		} else {
			add(buf, size, "$");
			at++;
		}
	}
	add(buf, size, "%s", text);
}

static void add_body(char *buf, size_t size, const char *body, bool in_chunks)
{
	if (!in_chunks)
		add(buf, size, "%s", body);
	else if (*body)
		add(buf, size, "%zx\r\n%s\r\n0\r\n\r\n", strlen(body), body);
	else
		add(buf, size, "0\r\n\r\n");
}

/* False: close. */
static bool origin_answer(int fd, const char *head)
{
	static const char lost[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	char out[TEXT_MAX] = "";
	struct exchange *x;
	unsigned status;
	bool bodiless, in_chunks;

	pthread_mutex_lock(&lock);
	x = exchange_of(head);
	if (x) {
		x->asked++;
		x->asked_if =
			field_at(head, "if-none-match") || field_at(head, "if-modified-since");
		x->seen[0] = 0;
		add(x->seen, sizeof(x->seen), "%s", head);
	}
	pthread_mutex_unlock(&lock);
	if (!x)
		return raw_send(fd, lost, sizeof(lost) - 1);
	if (x->delay_ms)
		nanosleep(&(struct timespec){ x->delay_ms / 1000, x->delay_ms % 1000 * 1000000 },
			  NULL);
	if (!x->status)
		return false;
	status = x->conditional && !x->asked_if ? 200 : x->status;
	bodiless = status == 304 || status == 204;
	add(out, sizeof(out), "%sHTTP/1.1 %u Status\r\n", x->interim, status);
	add_text(out, sizeof(out), x->response, head);
	if (status != x->status)
		without_length(out);
	if (!field_at(out, "date") && !strstr(x->response, "No-Date:")) {
		add(out, sizeof(out), "Date: ");
		add_date(out, sizeof(out), time(NULL));
		add(out, sizeof(out), "\r\n");
	}
	in_chunks = chunked && !x->unframed && !field_at(out, "content-length");
	if (!bodiless && in_chunks)
		add(out, sizeof(out), "Transfer-Encoding: chunked\r\n");
	else if (!bodiless && !x->unframed && !field_at(out, "content-length"))
		add(out, sizeof(out), "Content-Length: %zu\r\n", strlen(x->body));
	add(out, sizeof(out), "\r\n");
	if (!bodiless && !starts(head, "HEAD"))
		add_body(out, sizeof(out), x->body, in_chunks);
	return raw_send(fd, out, strlen(out)) && !x->unframed;
}

static void *origin_conn(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[TEXT_MAX];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0)) > 0) {
		const char *end, *length;
		size_t size;

		n += (size_t)got;
		buf[n] = 0;
		end = strstr(buf, "\r\n\r\n");
		length = end ? field_at(buf, "content-length") : NULL;
		size = end ? (size_t)(end - buf) + 4 + (length ? strtoul(length, NULL, 10) : 0) : 0;
		if (!end || n < size)
			continue;
		if (!origin_answer(fd, buf))
			break;
		n -= size;
		memmove(buf, buf + size, n);
	}
	close(fd);
	return NULL;
}

static void *origin_run(void *arg)
{
	pthread_t thread;
	int fd;

	while ((fd = accept4((int)(intptr_t)arg, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (pthread_create(&thread, NULL, origin_conn, (void *)(intptr_t)fd) != 0)
			raw_die("thread");
		pthread_detach(thread);
	}
	raw_die("accept");
	return NULL;
}

/* ---- the client -------------------------------------------------------------------------------------- */

struct reply {
	char text[TEXT_MAX * 4]; /* the final head, with its empty line cut off */
	char *body;
	char interim[TEXT_MAX];
	unsigned status;
	bool whole;
};

/* Takes interim heads off r->text[0..*n). False: no final head is there yet. */
static bool take_interims(struct reply *r, size_t *n)
{
	char *end;

	while ((end = strstr(r->text, "\r\n\r\n"))) {
		size_t size = (size_t)(end - r->text) + 4;

		if (!starts(r->text, "HTTP/1.1 1"))
			return true;
		add(r->interim, sizeof(r->interim), "%.*s", (int)size, r->text);
		*n -= size;
		memmove(r->text, r->text + size, *n + 1);
	}
	return false;
}

/* The chunk at @p: its bytes, and what is behind them. False: it is not whole yet. */
static bool chunk_at(char *p, char **ret_data, size_t *ret_n, char **ret_behind)
{
	char *end;
	size_t n = strtoul(p, &end, 16);

	end = strstr(end, "\r\n");
	if (!end || strlen(end + 2) < n + 2)
		return false;
	*ret_data = end + 2;
	*ret_n = n;
	*ret_behind = end + 2 + n + 2;
	return true;
}

/* The chunks at @p, put together in place. False: their end is not there, and nothing has changed. */
static bool unchunk(char *p)
{
	char *to = p, *data, *at = p;
	size_t n;

	do {
		if (!chunk_at(at, &data, &n, &at))
			return false;
	} while (n);
	for (at = p; chunk_at(at, &data, &n, &at) && n; to += n)
		memmove(to, data, n);
	*to = 0;
	return true;
}

/* Is the message that begins r->text whole? Then what it is stands in @r. `closed`: no more will come. */
static bool reply_end(struct reply *r, size_t n, bool is_head, bool closed)
{
	char *end = strstr(r->text, "\r\n\r\n");
	const char *length, *encoding;
	bool bodiless;

	if (!end || (starts(r->text, "HTTP/1.1 1") && !closed))
		return false;
	r->status = (unsigned)atoi(r->text + strcspn(r->text, " "));
	length = field_at(r->text, "content-length");
	encoding = field_at(r->text, "transfer-encoding");
	bodiless = is_head || r->status == 304 || r->status == 204;
	if (encoding && (size_t)(encoding - r->text) > (size_t)(end - r->text))
		encoding = NULL;
	if (length && (size_t)(length - r->text) > (size_t)(end - r->text))
		length = NULL;
	n -= (size_t)(end + 4 - r->text);
	if (bodiless)
		r->whole = true;
	else if (length)
		r->whole = n == strtoul(length, NULL, 10);
	else
		r->whole = encoding ? (n >= 5 && unchunk(end + 4)) : closed;
	if (!r->whole && !closed)
		return false;
	end[2] = 0;
	r->body = end + 4;
	return true;
}

static void ask_make(const struct cache *cache, const struct dispute *d, const struct exchange *x,
		     char *ask, size_t size)
{
	add(ask, size, "%s ", x->method);
	if (explicitly)
		add(ask, size, "http://%s", authority);
	add(ask, size, "%s/case-%u-%u%s HTTP/1.1\r\nHost: %s\r\n", cache->prefix, round_cache,
	    d->id, x->path, authority);
	if (!kept)
		add(ask, size, "Connection: close\r\n");
	if (!strcmp(x->method, "POST") || !strcmp(x->method, "PUT"))
		add(ask, size, "Content-Length: 0\r\n");
	add_text(ask, size, x->request, NULL);
	add(ask, size, "\r\n");
}

/* True: the connection may be used again. */
static bool reply_read(int fd, bool is_head, struct reply *r)
{
	int64_t due = raw_ms() + LIMIT_MS;
	size_t n = 0;

	while (n < sizeof(r->text) - 1 && raw_ms() < due) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, (int)(due - raw_ms())) <= 0)
			break;
		got = recv(fd, r->text + n, sizeof(r->text) - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
		r->text[n] = 0;
		if (take_interims(r, &n) && kept && reply_end(r, n, is_head, false))
			return !field_is(r->text, "connection", "close");
	}
	(void)reply_end(r, n, is_head, true);
	return false;
}

/* @fd: the case's connection, or -1. */
static void fetch(const struct cache *cache, const struct dispute *d, const struct exchange *x,
		  int *fd, struct reply *r)
{
	char ask[TEXT_MAX] = "";

	ask_make(cache, d, x, ask, sizeof(ask));
	memset(r, 0, sizeof(*r));
	if (*fd < 0)
		*fd = raw_connect("127.0.0.1", cache->port);
	if (raw_send(*fd, ask, strlen(ask)) && reply_read(*fd, !strcmp(x->method, "HEAD"), r))
		return;
	close(*fd);
	*fd = -1;
}

/* ---- what is wanted ---------------------------------------------------------------------------------- */

/* Chunked or not, the text is in it. */
static bool body_has(const struct reply *r, const char *text)
{
	return r->body && strstr(r->body, text);
}

static const char *outcome(const struct exchange *x)
{
	return !x->asked ? "hit" : x->asked_if ? "validated" : "fetched";
}

/* "Name: value" or "Name" in @head. */
static bool has_field(const char *head, const char *text)
{
	char name[128];
	const char *colon = strchr(text, ':');

	if (!colon)
		return field_at(head, text) != NULL;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
	return field_is(head, name, colon + 1 + strspn(colon + 1, " "));
}

static bool age_is(const struct reply *r, const char *text)
{
	const char *at = field_at(r->text, "age");
	long age = at ? strtol(at, NULL, 10) : -1, least, most;

	return sscanf(text, "%ld..%ld", &least, &most) == 2 && age >= least && age <= most;
}

/* Is `want` so? Else what is, in *ret. */
static bool judge(const char *want, const struct dispute *d, const struct exchange *x,
		  const struct reply *r, char *ret, size_t size)
{
	bool right;

	(void)snprintf(ret, size, "not: %s", want);
	if (!strcmp(want, "hit") || !strcmp(want, "validated") || !strcmp(want, "fetched")) {
		right = !strcmp(outcome(x), want);
		(void)snprintf(ret, size, "%s", outcome(x));
	} else if (!strcmp(want, "asked")) {
		right = x->asked > 0;
		(void)snprintf(ret, size, "%s", outcome(x));
	} else if (starts(want, "status ")) {
		right = r->status == (unsigned)atoi(want + 7);
		(void)snprintf(ret, size, "status %u", r->status);
	} else if (starts(want, "body of ")) {
		right = r->whole && body_has(r, d->exchange[atoi(want + 8) - 1].body);
	} else if (starts(want, "body ")) {
		right = r->whole && body_has(r, want + 5);
	} else if (starts(want, "has ")) {
		right = has_field(r->text, want + 4);
	} else if (starts(want, "no ")) {
		right = r->status && !has_field(r->text, want + 3);
	} else if (starts(want, "age ")) {
		const char *at = field_at(r->text, "age");

		right = age_is(r, want + 4);
		(void)snprintf(ret, size, "Age %.*s", at ? (int)strcspn(at, "\r") : 4,
			       at ? at : "none");
	} else if (starts(want, "interim ")) {
		right = strstr(r->interim, want + 8);
	} else if (starts(want, "sent ")) {
		right = x->asked && has_field(x->seen, want + 5);
	} else if (starts(want, "not sent ")) {
		right = x->asked && !has_field(x->seen, want + 9);
	} else {
		raw_die(want);
		return false;
	}
	return right;
}

static void exchange_judge(struct dispute *d, const struct exchange *x, const struct reply *r)
{
	char *result = d->result[d->cache], what[128];
	const char *says = field_at(r->text, "cache-status");

	for (unsigned i = 0; i < x->wants_n && !result[0]; i++)
		if (!judge(x->wants[i], d, x, r, what, sizeof(what)))
			(void)snprintf(result, sizeof(d->result[0]), "%u: %s%s%.*s", d->current + 1,
				       what, says ? "; " : "", says ? (int)strcspn(says, "\r") : 0,
				       says ? says : "");
}

/* ---- the play ---------------------------------------------------------------------------------------- */

static void *case_run(void *arg)
{
	struct dispute *d = arg;
	struct reply *r = malloc(sizeof(*r));
	int fd = -1;

	if (!r)
		raw_die("reply");
	for (unsigned i = 0; i < d->n; i++) {
		struct exchange *x = &d->exchange[i];

		if (x->wait_ms)
			nanosleep(&(struct timespec){ x->wait_ms / 1000,
						      x->wait_ms % 1000 * 1000000 },
				  NULL);
		pthread_mutex_lock(&lock);
		d->current = i;
		x->asked = 0;
		x->asked_if = false;
		pthread_mutex_unlock(&lock);
		fetch(&caches[d->cache], d, x, &fd, r);
		pthread_mutex_lock(&lock);
		exchange_judge(d, x, r);
		pthread_mutex_unlock(&lock);
	}
	if (fd >= 0)
		close(fd);
	free(r);
	return NULL;
}

static void play(unsigned cache)
{
	round_cache = cache;
	round_began = time(NULL);
	for (unsigned i = 0; i < cases_n; i++) {
		cases[i]->cache = cache;
		if (pthread_create(&cases[i]->thread, NULL, case_run, cases[i]) != 0)
			raw_die("thread");
	}
	for (unsigned i = 0; i < cases_n; i++) {
		pthread_join(cases[i]->thread, NULL);
		caches[cache].good += !cases[i]->result[cache][0];
	}
}

static void table_print(void)
{
	printf("%-60s %-24s", "what a cache should do", "says");
	for (unsigned c = 0; c < caches_n; c++)
		printf(" %-18s", caches[c].name);
	putchar('\n');
	for (unsigned i = 0; i < cases_n; i++) {
		printf("%-60.60s %-24.24s", cases[i]->name, cases[i]->rfc);
		for (unsigned c = 0; c < caches_n; c++)
			printf(" %-18.18s", cases[i]->result[c][0] ? cases[i]->result[c] : "yes");
		putchar('\n');
	}
	printf("%-60s %-24s", "as wanted", "");
	for (unsigned c = 0; c < caches_n; c++)
		printf(" %3u of %-11u", caches[c].good, cases_n);
	putchar('\n');
}

static int tap_print(void)
{
	struct tap tap = { 0 };
	char what[256];

	for (unsigned i = 0; i < cases_n; i++) {
		(void)snprintf(what, sizeof(what), "%s (%s)", cases[i]->name, cases[i]->rfc);
		tap_line(&tap, what, cases[i]->result[0][0] ? cases[i]->result[0] : NULL);
	}
	return tap_end(&tap);
}

static void cache_add(char *text)
{
	char *equals = strchr(text, '='), *slash = strchr(text, '/');

	if (!equals || caches_n == CACHES_MAX)
		raw_die(text);
	*equals = 0;
	caches[caches_n++] = (struct cache){
		.name = text,
		.port = (unsigned)atoi(equals + 1),
		.prefix = slash ? slash : "",
	};
}

static bool options(int argc, char **argv, const char **ret_host)
{
	bool tap = false;
	int c;

	while ((c = getopt(argc, argv, "tckx:")) != -1) {
		tap |= c == 't';
		chunked |= c == 'c';
		kept |= c == 'k';
		if (c == 'x')
			*ret_host = optarg;
	}
	if (argc - optind < 3 || (tap && argc - optind != 3)) {
		fputs("usage: dispute [-t] [-c] [-k] [-x HOST] ORIGIN_PORT CASES "
		      "NAME=PORT[/PREFIX]...\n",
		      stderr);
		exit(2);
	}
	return tap;
}

int main(int argc, char **argv)
{
	const char *host = NULL;
	bool tap = options(argc, argv, &host);
	pthread_t thread;
	int fd;

	argv += optind;
	explicitly = host;
	if (host)
		(void)snprintf(authority, sizeof(authority), "%s:%s", host, argv[0]);
	signal(SIGPIPE, SIG_IGN);
	fd = raw_listen("127.0.0.9", (unsigned)atoi(argv[0]));
	if (pthread_create(&thread, NULL, origin_run, (void *)(intptr_t)fd) != 0)
		raw_die("thread");
	pthread_detach(thread);
	cases_read(argv[1]);
	for (argv += 2; *argv; argv++)
		cache_add(*argv);
	for (unsigned c = 0; c < caches_n; c++)
		play(c);
	if (tap)
		return tap_print();
	table_print();
	return 0;
}
