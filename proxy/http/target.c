/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which resource does a request mean? The target's four forms, the authority, and Host.
 *
 * A host is accepted if DNS could carry it (letters, digits, '-', '.', '_') or if it is an IPv6
 * literal: narrower than RFC 3986's reg-name, whose '%', ';' or '@' make two parsers disagree.
 */
#include "proxy/http/target.h"

#include <arpa/inet.h>

#include "proxy/http/chars.h"
#include "proxy/http/uri.h"

#define HOST_MAX 255

static size_t class_run(struct span s, unsigned class)
{
	size_t i = 0;

	while (i < s.n && http_char_is(s.p[i], class))
		i++;
	return i;
}

/* ---- authority --------------------------------------------------------------------------- */

static bool ip6_is_valid(struct span s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr unused;

	return span_copy(s, text, sizeof(text)) == 0 && inet_pton(AF_INET6, text, &unused) == 1;
}

/* Labels of DNS, none of them empty but the last (RFC 1034 3.1). */
static bool host_is_valid(struct span s)
{
	return s.n > 0 && s.n <= HOST_MAX && s.p[0] != '.' && s.p[0] != '-' &&
	       class_run(s, HTTP_C_HOST) == s.n && !memmem(s.p, s.n, "..", 2);
}

/* What stands behind the host: nothing, or a colon and maybe a number. */
static int port_parse(struct span s, uint16_t *ret_port)
{
	uint64_t port = 0;

	if (s.n > 0 && s.p[0] != ':')
		return -EINVAL;
	s = span_drop(s, 1);
	if (s.n > 5 || (s.n > 0 && span_u64(s, &port) < 0))
		return -EINVAL;
	if (s.n > 0 && (port == 0 || port > 65535))
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

int http_authority_split(struct span authority, struct span *ret_host, uint16_t *ret_port,
			 bool *ret_is_ip6)
{
	bool is_ip6 = authority.n > 0 && authority.p[0] == '[';
	size_t end = span_find(authority, is_ip6 ? ']' : ':');
	struct span host = span_sub(authority, is_ip6, end);
	struct span rest = span_drop(authority, end + is_ip6);

	if (is_ip6 ? end == authority.n || !ip6_is_valid(host) : !host_is_valid(host))
		return -EINVAL;
	if (port_parse(rest, ret_port) < 0)
		return -EINVAL;
	*ret_host = host;
	*ret_is_ip6 = is_ip6;
	return 0;
}

static int authority_set(struct http_head *h, struct span authority)
{
	h->authority = authority;
	return http_authority_split(authority, &h->host, &h->port, &h->host_is_ip6);
}

/* ---- the four forms ---------------------------------------------------------------------- */

static void path_set(struct http_head *h, struct span s)
{
	size_t mark = span_find(s, '?');

	h->path = span_head(s, mark);
	h->has_query = mark < s.n;
	h->query = span_drop(s, mark + 1);
}

/* CONNECT: host and port, the port always there (RFC 9110 9.3.6). */
static int authority_form_parse(struct http_head *h)
{
	h->form = HTTP_TARGET_AUTHORITY;
	if (authority_set(h, h->target) < 0 || h->port == 0)
		return -HTTP_REFUSED_BAD_AUTHORITY;
	return 0;
}

static int absolute_form_parse(struct http_head *h)
{
	size_t colon = span_find(h->target, ':'), end;
	struct span scheme = span_head(h->target, colon), rest = span_drop(h->target, colon);

	if (scheme.n == 0 || !http_char_is(scheme.p[0], HTTP_C_ALPHA) ||
	    !span_starts(rest, SPAN("://")))
		return -HTTP_REFUSED_BAD_TARGET;
	for (size_t i = 1; i < scheme.n; i++)
		if (!http_char_is(scheme.p[i], HTTP_C_ALPHA | HTTP_C_DIGIT) && scheme.p[i] != '+' &&
		    scheme.p[i] != '-' && scheme.p[i] != '.')
			return -HTTP_REFUSED_BAD_TARGET;
	h->form = HTTP_TARGET_ABSOLUTE;
	h->scheme = scheme;
	rest = span_drop(rest, 3);
	for (end = 0; end < rest.n && rest.p[end] != '/' && rest.p[end] != '?'; end++)
		;
	if (authority_set(h, span_head(rest, end)) < 0)
		return -HTTP_REFUSED_BAD_AUTHORITY;
	path_set(h, span_drop(rest, end));
	return 0;
}

int http_target_parse(struct http_head *h)
{
	struct span target = h->target;

	if (target.n == 0 || class_run(target, HTTP_C_TARGET) != target.n)
		return -HTTP_REFUSED_BAD_TARGET;
	if (h->method == HTTP_METHOD_CONNECT)
		return authority_form_parse(h);
	if (target.p[0] == '/') {
		h->form = HTTP_TARGET_ORIGIN;
		path_set(h, target);
		return 0;
	}
	if (span_eq(target, SPAN("*"))) {
		h->form = HTTP_TARGET_ASTERISK;
		return h->method == HTTP_METHOD_OPTIONS ? 0 : -HTTP_REFUSED_BAD_TARGET;
	}
	return absolute_form_parse(h);
}

/* ---- Host -------------------------------------------------------------------------------- */

static uint16_t port_or_default(uint16_t port, struct span scheme)
{
	return port ? port : uri_default_port(scheme);
}

static int host_missing(const struct http_head *h)
{
	return h->minor > 0 ? -HTTP_REFUSED_HOST_MISSING : 0;
}

int http_host_apply(struct http_head *h, const struct http_field *host)
{
	struct span name;
	uint16_t port;
	bool is_ip6;

	if (!host)
		return host_missing(h);
	if (http_authority_split(host->value, &name, &port, &is_ip6) < 0)
		return -HTTP_REFUSED_HOST_INVALID;
	if (h->authority.n > 0) {
		h->host_differs =
			!span_ieq(name, h->host) ||
			port_or_default(port, h->scheme) != port_or_default(h->port, h->scheme);
		return 0;
	}
	h->authority = host->value;
	h->host = name;
	h->port = port;
	h->host_is_ip6 = is_ip6;
	return 0;
}
