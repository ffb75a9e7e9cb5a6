/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of sentences: each row is what an RFC says (in our words, with its section), a case, and what
 * has to come of it. A row is one test, and its sentence the test's name, so that the output reads as the
 * table "sentence, result".
 *
 * What happens is written as a line of text, and `expect` lists parts that must be in it, separated by '|';
 * one that starts with '!' must not be in it. Field lines are written with "\n"; {N} in them is the
 * date N seconds after the moment T0 at which the first response arrives.
 */
#ifndef TARN_TESTS_POLICY_TABLE_H
#define TARN_TESTS_POLICY_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proxy/http/date.h"
#include "proxy/policy/policy.h"

/* Rows leave out what is zero at their ends. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define T0	   INT64_C(1700000000)
#define TEXT_MAX   16384
#define GENERATION 7

/* ---- text --------------------------------------------------------------------------------------- */

struct text {
	size_t n;
	char p[TEXT_MAX];
};

__attribute__((format(printf, 2, 3))) static inline void say(struct text *t, const char *format,
							     ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->p + t->n, sizeof(t->p) - t->n, format, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < sizeof(t->p) - t->n);
	t->n += (size_t)n;
}

static inline void say_date(struct text *t, int64_t at)
{
	char date[HTTP_DATE_LEN + 1];

	http_date_print(at, date);
	say(t, "%s", date);
}

/* Field lines as on the wire: "\n" becomes CR LF, {N} a date; the last line end may be left out. */
static inline void say_lines(struct text *t, const char *lines)
{
	for (const char *p = lines; p && *p; p++) {
		if (*p == '{') {
			char *end;

			say_date(t, T0 + strtoll(p + 1, &end, 10));
			p = end;
		} else if (*p == '\n') {
			say(t, "\r\n");
		} else {
			say(t, "%c", *p);
		}
	}
	if (lines && *lines && lines[strlen(lines) - 1] != '\n')
		say(t, "\r\n");
}

/* ---- messages ------------------------------------------------------------------------------------ */

struct message {
	struct text text;
	struct http_head head;
};

/* @what: "GET /path", or only "GET" or nothing. */
static inline struct http_head *make_request(struct message *m, const char *what, const char *lines)
{
	const char *method = what ? what : "GET";

	m->text.n = 0;
	say(&m->text, "%s%s HTTP/1.1\r\nHost: updates.example.com\r\n", method,
	    strchr(method, ' ') ? "" : " /dir/a?v=1");
	say_lines(&m->text, lines);
	say(&m->text, "\r\n");
	assert_int_equal(http_request_parse(&m->head, m->text.p, m->text.n), 0);
	return &m->head;
}

static inline struct http_head *make_response(struct message *m, unsigned status, const char *lines)
{
	m->text.n = 0;
	say(&m->text, "HTTP/1.1 %u Status\r\n", status ? status : 200);
	say_lines(&m->text, lines);
	say(&m->text, "\r\n");
	assert_int_equal(http_response_parse(&m->head, m->text.p, m->text.n), 0);
	return &m->head;
}

/* A class that adds nothing to the RFCs. */
static const struct profile_class plain_class = {
	.kind = PROFILE_OBJECT,
	.default_ttl = -1,
	.max_ttl = -1,
	.force_ttl = -1,
	.stale_if_error = -1,
};

static inline struct policy_env env_at(int64_t after)
{
	return (struct policy_env){ .now = T0 + after,
				    .generation = GENERATION,
				    .heuristic_max = FRESH_UNSET };
}

static inline const char *use_name(enum policy_use use)
{
	static const char *const names[] = {
		"hit", "refresh", "validate", "fetch", "relay", "504"
	};

	return names[use];
}

static const struct policy_times times_first = { T0, T0 };

/* ---- one exchange: request, response, and what is made of them ------------------------------------- */

struct exchange {
	struct message req, resp;
	struct policy_req policy;
	struct policy_stored stored;
	char buf[2 * POLICY_HEAD_MAX];
};

static inline void exchange_run(struct exchange *x, const struct profile_class *class,
				const char *what, const char *req, unsigned status,
				const char *resp)
{
	struct policy_env env = env_at(0);

	policy_request(make_request(&x->req, what, req), class ? class : &plain_class, &x->policy,
		       NULL);
	assert_int_equal(policy_response(&x->policy, make_response(&x->resp, status, resp),
					 &times_first, &env, x->buf, sizeof(x->buf), &x->stored,
					 NULL),
			 0);
}

/* ---- expectations -------------------------------------------------------------------------------- */

static inline bool contains(const struct text *t, const char *part, size_t n)
{
	return memmem(t->p, t->n, part, n) != NULL;
}

static inline void expect_text(const struct text *t, const char *expect)
{
	for (const char *p = expect; *p;) {
		size_t n = strcspn(p, "|");
		bool negated = *p == '!';
		struct text part = { 0 };

		/* Dates in expectations, too. */
		char copy[256];

		assert_true(n < sizeof(copy));
		snprintf(copy, sizeof(copy), "%.*s", (int)(n - negated), p + negated);
		say_lines(&part, copy);
		/* say_lines() ended the line if the row did not. */
		if (copy[0] && copy[strlen(copy) - 1] != '\n')
			part.n -= 2;
		if (contains(t, part.p, part.n) == negated)
			fail_msg("expected%s '%.*s', got: %.*s", negated ? " no" : "", (int)part.n,
				 part.p, (int)t->n, t->p);
		p += n + (p[n] == '|');
	}
}

/* ---- running ------------------------------------------------------------------------------------- */

/*
 * Adds a table to the tests of this program: rows are structs whose first member is the sentence.
 * `run` gets a row as its state.
 */
#define TABLE_MAX 600

struct tables {
	size_t n;
	struct CMUnitTest tests[TABLE_MAX];
};

static inline void tables_add(struct tables *all, const void *rows, size_t count, size_t size,
			      CMUnitTestFunction run)
{
	for (size_t i = 0; i < count; i++) {
		const char *row = (const char *)rows + i * size;

		assert_true(all->n < TABLE_MAX);
		all->tests[all->n++] =
			(struct CMUnitTest){ *(const char *const *)(const void *)row, run, NULL,
					     NULL, (void *)(uintptr_t)row };
	}
}

#define TABLE(all, rows, run) tables_add((all), (rows), ARRAY_LEN(rows), sizeof((rows)[0]), (run))

static inline int tables_run(const char *name, struct tables *all)
{
	return _cmocka_run_group_tests(name, all->tests, all->n, NULL, NULL);
}

#endif
