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
void why_clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

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
	char text[LINE_MAX_CHARS];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	why_clean(text);
	why_put_rule(w, about, source, NULL, text);
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
	char text[LINE_MAX_CHARS];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	why_clean(text);
	why_put(w, w->top, "does", json_string(does));
	why_put(w, w->top, "sentence", json_string(text));
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
