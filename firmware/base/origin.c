/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheme, host and port of a server, from text and back.
 */
#include "firmware/base/origin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "host", "host:port", "[ipv6]" or "[ipv6]:port" in two; the port is empty where none stands. */
static int split(struct span text, struct span *ret_host, struct span *ret_port)
{
	size_t end = span_find(text, ':');

	if (text.n && text.p[0] == '[') {
		end = span_find(text, ']');
		if (end == text.n)
			return -EINVAL;
		*ret_host = span_sub(text, 1, end);
		if (span_find(*ret_host, ':') == ret_host->n)
			return -EINVAL;
		end++;
	} else {
		*ret_host = span_head(text, end);
	}
	*ret_port = span_drop(text, end);
	return 0;
}

int origin_parse(struct span text, struct origin *ret_origin)
{
	struct origin origin = { .secure = span_istarts(text, SPAN("https://")) };
	struct span host, port;
	uint64_t number;

	if (!origin.secure && !span_istarts(text, SPAN("http://")))
		return -EINVAL;
	origin.port = origin.secure ? 443 : 80;
	text = span_drop(text, origin.secure ? 8 : 7);
	if (span_ends(text, SPAN("/")))
		text.n--;
	if (split(text, &host, &port) < 0 || host_normalise(host, origin.host) < 0)
		return -EINVAL;
	if (port.n) {
		if (port.p[0] != ':' || span_u64(span_drop(port, 1), &number) < 0 || !number ||
		    number > UINT16_MAX)
			return -EINVAL;
		origin.port = (uint16_t)number;
	}
	*ret_origin = origin;
	return 0;
}

const char *origin_format(const struct origin *origin, char buf[ORIGIN_TEXT_MAX])
{
	(void)snprintf(buf, ORIGIN_TEXT_MAX,
		       strchr(origin->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
		       origin->secure ? "https" : "http", origin->host, origin->port);
	return buf;
}
