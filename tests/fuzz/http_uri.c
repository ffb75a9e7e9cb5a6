/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths, queries, hosts and authorities. Held to: normalising twice changes nothing more, no dot
 * segment and no lower case escape is left, the result is never longer than the input, and a
 * buffer that is too small is noticed.
 */
#include "tests/fuzz/fuzz.h"
#include "proxy/http/head.h"
#include "proxy/http/uri.h"

typedef int normalise_f(struct span in, char *buf, size_t cap, size_t *ret_len);

/* The result in memory of exactly its size, or p NULL. The caller frees it. */
static struct span normalise(struct span in, normalise_f *f)
{
	size_t cap = in.n ? in.n : 1, len = 0, again = 0;
	char *buf = malloc(cap), *second = malloc(cap);
	int rc = f(in, buf, cap, &len);

	CHECK(buf && second && (rc == 0 || rc == -EINVAL) && len <= cap);
	if (rc == 0) {
		CHECK(f(span_make(buf, len), second, cap, &again) == 0);
		CHECK(span_eq(span_make(buf, len), span_make(second, again)));
		if (len > 0)
			CHECK(f(in, second, len - 1, &again) == -EMSGSIZE);
	}
	free(second);
	if (rc < 0) {
		free(buf);
		return (struct span){ NULL, 0 };
	}
	return span_make(buf, len);
}

static bool is_upper_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static void check_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		CHECK(s.p[i] > 0x20 && s.p[i] < 0x7f && s.p[i] != '#');
		if (s.p[i] == '%')
			CHECK(i + 2 < s.n && is_upper_hex(s.p[i + 1]) && is_upper_hex(s.p[i + 2]));
	}
}

static void check_path(struct span path)
{
	struct span rest = span_drop(path, 1), segment;

	CHECK(path.n > 0 && path.p[0] == '/');
	check_text(path);
	while (span_cut(&rest, '/', &segment))
		CHECK(!span_eq(segment, SPAN(".")) && !span_eq(segment, SPAN("..")));
}

static void check_parameters(struct span query)
{
	struct span rest = query, name, value;
	size_t n = 0;

	while (uri_query_next(&rest, &name, &value)) {
		CHECK(span_lies_in(name, query) && span_lies_in(value, query));
		n += name.n + (value.p ? 1 + value.n : 0) + 1;
	}
	CHECK(n == query.n + 1);
}

static void check_authority(struct span in)
{
	struct span host;
	uint16_t port;
	bool is_ip6;
	char buf[256];
	size_t len;

	if (http_authority_split(in, &host, &port, &is_ip6) < 0)
		return;
	CHECK(span_lies_in(host, in) && host.n > 0 && host.n < sizeof(buf));
	/* What a request may name, a key can be made of. */
	CHECK(uri_host_normalise(host, buf, sizeof(buf), &len) == 0 && len > 0);
	CHECK(is_ip6 == (span_find(host, ':') < host.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_make(data, size));
	struct span in = span_make(copy, size), out;

	out = normalise(in, uri_path_normalise);
	if (out.p)
		check_path(out);
	free((char *)out.p);
	out = normalise(in, uri_query_normalise);
	if (out.p) {
		check_text(out);
		check_parameters(out);
	}
	free((char *)out.p);
	out = normalise(in, uri_host_normalise);
	free((char *)out.p);
	check_authority(in);
	free(copy);
	return 0;
}
