/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question as a request: what a device would send for it.
 */
#include "proxy/why/why_priv.h"

#include "proxy/http/frame.h"
#include "proxy/http/refusal.h"

/* Printable ASCII, with or without spaces. */
static bool is_plain(const char *text, char lowest)
{
	for (; *text; text++)
		if (*text < lowest || *text > '~')
			return false;
	return true;
}

static int add(struct why *w, size_t *n, struct span text)
{
	if (text.n > sizeof(w->text) - *n)
		return -EMSGSIZE;
	memcpy(w->text + *n, text.p, text.n);
	*n += text.n;
	return 0;
}

/* The request as the device would send it to a proxy. The URL's authority gives Host unless a field does. */
static int request_write(struct why *w, struct span url, size_t *ret_n)
{
	struct span method = span_of(w->ask->method ? w->ask->method : "GET");
	struct span rest = span_drop(url, w->tls ? 8 : 7);
	size_t end = 0, n = 0;
	bool host = false;
	int rc;

	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	rc = add(w, &n, method) ?: add(w, &n, SPAN(" "));
	if (rc == 0)
		rc = add(w, &n, span_eq(method, SPAN("CONNECT")) ? span_head(rest, end) : url);
	rc = rc ?: add(w, &n, SPAN(" HTTP/1.1\r\n"));
	for (size_t i = 0; rc == 0 && i < w->ask->fields_n; i++) {
		struct span field = span_of(w->ask->fields[i]);

		host |= span_ieq(span_head(field, span_find(field, ':')), SPAN("Host"));
		rc = add(w, &n, field) ?: add(w, &n, SPAN("\r\n"));
	}
	if (rc == 0 && !host)
		rc = add(w, &n, SPAN("Host: ")) ?: add(w, &n, span_head(rest, end)) ?:
			add(w, &n, SPAN("\r\n"));
	rc = rc ?: add(w, &n, SPAN("\r\n"));
	*ret_n = n;
	return rc;
}

static bool has_scheme(struct span url, struct span scheme)
{
	return span_ieq(span_head(url, scheme.n), scheme);
}

const char *why_nonsense(const struct why_ask *ask)
{
	struct span url = span_of(ask->url);
	size_t sum = url.n;
	struct addr device;

	if (!is_plain(ask->url, '!'))
		return "a URL is one word of ASCII";
	if (!has_scheme(url, SPAN("http://")) && !has_scheme(url, SPAN("https://")))
		return "a URL begins with http:// or https://";
	if (ask->method && (!ask->method[0] || !is_plain(ask->method, '!')))
		return "a method is one word";
	for (size_t i = 0; i < ask->fields_n; i++) {
		if (!is_plain(ask->fields[i], ' ') || !strchr(ask->fields[i], ':'))
			return "a header field is one line: Name: value";
		sum += strlen(ask->fields[i]) + 2;
	}
	if (ask->from && addr_parse(span_of(ask->from), 0, &device) < 0)
		return "the device is no IP address";
	return sum > CONFIG_HEAD_MAX ? "the request is too long" : NULL;
}

/* 0 or a refusal: the request itself is at fault. */
int why_request_make(struct why *w)
{
	struct span url = span_of(w->ask->url);
	struct framing framing;
	uint64_t left;
	size_t n;
	int rc;

	url = span_head(url, span_find(url, '#'));
	w->tls = has_scheme(url, SPAN("https://"));
	if (request_write(w, url, &n) < 0)
		return -HTTP_REFUSED_HEAD_TOO_LARGE;
	rc = http_request_parse(&w->head, w->text, n);
	if (rc == 0)
		rc = http_framing(&w->head, w->head.method, &framing);
	if (rc == 0)
		rc = http_expects_continue(&w->head);
	return rc < 0 ? rc : http_max_forwards(&w->head, &left);
}
