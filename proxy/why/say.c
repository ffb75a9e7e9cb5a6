/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What why says: members of the answer, and its rules in the order in which they were applied.
 *
 * A NULL of jansson is carried through to `bad`, so that one look at the end tells whether there was memory.
 */
#include "proxy/why/why_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "proxy/http/refusal.h"

#define LINE_MAX_CHARS 640

void why_put(struct why *w, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		w->bad = true;
}

void why_put_text(struct why *w, json_t *object, const char *name, struct span text)
{
	/* What is no UTF-8 can't be said in JSON: left out. */
	json_t *value = json_stringn(text.p ? text.p : "", text.n);

	if (value)
		why_put(w, object, name, value);
}

json_t *why_part(struct why *w, const char *name)
{
	json_t *object = json_object();

	why_put(w, w->top, name, object);
	return json_object_get(w->top, name);
}

/* Printable ASCII of a text: bytes of a URL and of fields may be anything. */
static char clean(char c)
{
	return c < ' ' || c > '~' ? '?' : c;
}

void why_clean(char *text)
{
	for (; *text; text++)
		*text = clean(*text);
}

/* ---- sentences ------------------------------------------------------------------------------------ */

/*
 * A sentence is printed with marks around its values, so that it can be told in another language, too: `text` is all of
 * it, `form` has {0}, {1} ... in place of the values. Bytes of a value may be anything, marks, too: then there is no form.
 */
#define VALUE_BEGIN '\1'
#define VALUE_END   '\2'
#define VALUES_MAX  16

struct sentence {
	char text[LINE_MAX_CHARS], form[LINE_MAX_CHARS + 4 * VALUES_MAX];
	json_t *values; /* owned; NULL: there is no form */
};

/* The format with marks around each conversion; gives how many there are. */
static size_t mark_format(const char *format, char marked[LINE_MAX_CHARS])
{
	size_t n = 0, conversions = 0;

	while (*format && n + 8 < LINE_MAX_CHARS) {
		size_t conversion = *format == '%' ? strcspn(format, "dus") + 1 : 0;

		if (!conversion) {
			marked[n++] = *format++;
			continue;
		}
		/* "%.*s" is the longest, and "%%" is not among them. */
		CHECK(conversion < 6);
		conversions++;
		marked[n++] = VALUE_BEGIN;
		memcpy(marked + n, format, conversion);
		n += conversion;
		marked[n++] = VALUE_END;
		format += conversion;
	}
	marked[n] = 0;
	CHECK(conversions <= VALUES_MAX);
	return conversions;
}

static size_t marks_in(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == VALUE_BEGIN || *text == VALUE_END;
	return n;
}

/* The marks go; what stands between two of them is a value. There are as many as the format has, so all has room. */
static void take_values(const char *marked, struct sentence *s)
{
	size_t n = 0, form = 0, begin = 0;
	bool inside = false;

	for (; *marked; marked++) {
		if (*marked == VALUE_BEGIN) {
			begin = n;
			form += (size_t)snprintf(s->form + form, sizeof(s->form) - form, "{%zu}",
						 json_array_size(s->values));
			inside = true;
		} else if (*marked == VALUE_END) {
			(void)json_array_append_new(s->values,
						    json_stringn(s->text + begin, n - begin));
			inside = false;
		} else {
			s->text[n++] = clean(*marked);
			if (!inside)
				s->form[form++] = *marked;
		}
	}
	s->text[n] = s->form[form] = 0;
}

static void sentence_print(struct sentence *s, const char *format, va_list ap)
{
	char marked[LINE_MAX_CHARS], printed[LINE_MAX_CHARS];
	size_t conversions = mark_format(format, marked);
	va_list plain;
	int n;

	va_copy(plain, ap);
	n = vsnprintf(printed, sizeof(printed), marked, ap);
	s->values = NULL;
	if (conversions && n >= 0 && (size_t)n < sizeof(printed) &&
	    marks_in(printed) == 2 * conversions) {
		s->values = json_array();
		take_values(printed, s);
	} else {
		(void)vsnprintf(s->text, sizeof(s->text), format, plain);
		why_clean(s->text);
	}
	va_end(plain);
}

/* Into an object; takes the values. */
static void sentence_put(struct why *w, json_t *object, const char *name, struct sentence *s)
{
	why_put(w, object, name, json_string(s->text));
	if (!s->values)
		return;
	why_put(w, object, "form", json_string(s->form));
	why_put(w, object, "values", s->values);
}

/* ---- rules ---------------------------------------------------------------------------------------- */

void why_put_rule(struct why *w, const char *about, const char *source, const char *token,
		  const char *text)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s*}", "about", about, "source", source, "text",
				text, "token", token);

	if (json_array_append_new(w->rules, row) < 0)
		w->bad = true;
}

void why_rule(struct why *w, const char *about, const char *source, const char *format, ...)
{
	json_t *row = json_pack("{s:s, s:s}", "about", about, "source", source);
	struct sentence s;
	va_list ap;

	va_start(ap, format);
	sentence_print(&s, format, ap);
	va_end(ap);
	sentence_put(w, row, "text", &s);
	if (json_array_append_new(w->rules, row) < 0)
		w->bad = true;
}

/* A reason of policy's, in its own words. */
void why_rule_reason(struct why *w, const char *about, enum policy_reason reason)
{
	const struct policy_reason_info *info = policy_reason_info(reason);

	why_put_rule(w, about, info->source, info->token, info->text);
}

void why_rule_trace(struct why *w, const char *about)
{
	for (unsigned i = 0; i < w->trace.n; i++)
		why_rule_reason(w, about, w->trace.reason[i]);
	w->trace.n = 0;
}

void why_decide(struct why *w, const char *does, const char *format, ...)
{
	struct sentence s;
	va_list ap;

	va_start(ap, format);
	sentence_print(&s, format, ap);
	va_end(ap);
	why_put(w, w->top, "does", json_string(does));
	sentence_put(w, w->top, "sentence", &s);
}

void why_refuse(struct why *w, int refusal)
{
	const struct http_refusal_info *info = http_refusal_info(refusal);

	why_put_rule(w, "request", info->rfc, info->label, info->text);
	why_put(w, w->top, "status", json_integer(info->status));
	why_decide(w, "refuse", "refused with %d: %s", info->status, info->text);
}

/* "40 s", "5 min", "3 h 05 min", "2 d 07 h"; the sign is the caller's. */
const char *why_duration(int64_t s, char buf[48])
{
	s = s < 0 ? -s : s;
	if (s < 60)
		(void)snprintf(buf, 48, "%jd s", (intmax_t)s);
	else if (s < 3600)
		(void)snprintf(buf, 48, "%jd min", (intmax_t)(s / 60));
	else if (s < 86400)
		(void)snprintf(buf, 48, "%jd h %02jd min", (intmax_t)(s / 3600),
			       (intmax_t)(s / 60 % 60));
	else
		(void)snprintf(buf, 48, "%jd d %02jd h", (intmax_t)(s / 86400),
			       (intmax_t)(s / 3600 % 24));
	return buf;
}

/* "3600 s (1 h 00 min)", "40 s". */
const char *why_seconds(int64_t s, char buf[96])
{
	char words[48];

	s = s < 0 ? -s : s;
	if (s < 60)
		(void)snprintf(buf, 96, "%jd s", (intmax_t)s);
	else
		(void)snprintf(buf, 96, "%jd s (%s)", (intmax_t)s, why_duration(s, words));
	return buf;
}
