/* SPDX-License-Identifier: Apache-2.0 */
/* No state. */
#include "proxy/admin/guard.h"

#include <string.h>

/* The host without its port; a port must be one. */
static bool host_part(struct span text, struct span *ret_host)
{
	size_t end;
	struct span port;

	if (span_starts(text, SPAN("["))) {
		end = span_find(text, ']');
		if (end == text.n)
			return false;
		*ret_host = span_head(span_drop(text, 1), end - 1);
		port = span_drop(text, end + 1);
	} else {
		end = span_find(text, ':');
		*ret_host = span_head(text, end);
		port = span_drop(text, end);
	}
	if (!port.n)
		return true;
	if (port.p[0] != ':' || port.n < 2)
		return false;
	for (size_t i = 1; i < port.n; i++)
		if (port.p[i] < '0' || port.p[i] > '9')
			return false;
	return true;
}

bool guard_host(const char *text, const struct string_list *names)
{
	struct span host;
	struct addr addr;

	if (!text || !host_part(span_of(text), &host) || !host.n)
		return false;
	if (addr_parse(host, 0, &addr) == 0 || span_ieq(host, SPAN("localhost")))
		return true;
	for (size_t i = 0; i < names->n; i++)
		if (span_ieq(host, span_of(names->v[i])))
			return true;
	return false;
}

bool guard_origin(const char *origin, const char *host)
{
	static const struct span scheme = SPAN("https://");
	struct span text;

	if (!origin)
		return true;
	text = span_of(origin);
	return host && span_starts(text, scheme) &&
	       span_ieq(span_drop(text, scheme.n), span_of(host));
}

const char *guard_cookie(const char *field, const char *name, char *buf, size_t size)
{
	struct span rest = span_of(field ? field : ""), pair;
	size_t n = strlen(name);

	buf[0] = 0;
	while (span_cut(&rest, ';', &pair)) {
		pair = span_trim(pair);
		if (pair.n > n + 1 && memcmp(pair.p, name, n) == 0 && pair.p[n] == '=' &&
		    span_copy(span_drop(pair, n + 1), buf, size) < 0)
			buf[0] = 0;
	}
	return buf;
}
