/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: RFC 3986 6.2, RFC 9110 4.2.3, 12.5; RFC 9111 2, 4.1; and the profile's groups and parameters. */
#include <unistd.h>

#include "tests/unit/proxy/policy_table.h"

static struct profiles *profiles;

/* ---- primary keys --------------------------------------------------------------------------------- */

struct keys {
	const char *sentence;
	const char *a, *b; /* host[:port]/path?query */
	bool same;
};

static const struct keys key_rows[] = {
	{ "RFC 9111 2: the same URI has the same key", "a.example.com/x?v=1", "a.example.com/x?v=1",
	  true },
	{ "RFC 9111 2: another path, another key", "a.example.com/x", "a.example.com/y", false },
	{ "RFC 9111 2: another query, another key", "a.example.com/x?v=1", "a.example.com/x?v=2",
	  false },
	{ "RFC 9111 2: a query and none, two keys", "a.example.com/x?v=1", "a.example.com/x",
	  false },
	{ "RFC 3986 6.2.3: an empty query is not none", "a.example.com/x?", "a.example.com/x",
	  false },
	{ "RFC 3986 6.2.2.1: the host has no case", "A.EXAMPLE.com/x", "a.example.com/x", true },
	{ "RFC 3986 6.2.2.1: the path has case", "a.example.com/X", "a.example.com/x", false },
	{ "RFC 3986 6.2.2.1: hex digits have no case", "a.example.com/%c3%a9",
	  "a.example.com/%C3%A9", true },
	{ "RFC 3986 6.2.2.2: unreserved characters may be encoded", "a.example.com/%7Ex%2D",
	  "a.example.com/~x-", true },
	{ "RFC 3986 6.2.2.2: an encoded slash is no slash", "a.example.com/a%2Fb",
	  "a.example.com/a/b", false },
	{ "RFC 3986 6.2.2.2: an encoded question mark starts no query", "a.example.com/a%3Fv=1",
	  "a.example.com/a?v=1", false },
	{ "RFC 3986 6.2.2.3: dot segments are removed", "a.example.com/a/./b/../c",
	  "a.example.com/a/c", true },
	{ "RFC 3986 5.2.4: ... and do not climb above the root", "a.example.com/../a",
	  "a.example.com/a", true },
	{ "RFC 3986 3.3: two slashes are not one", "a.example.com/a//b", "a.example.com/a/b",
	  false },
	{ "RFC 3986 3.3: a final slash counts", "a.example.com/a/", "a.example.com/a", false },
	{ "RFC 9110 4.2.3: an empty path is /", "a.example.com", "a.example.com/", true },
	{ "RFC 9110 4.2.3: the default port is no port", "a.example.com:80/x", "a.example.com/x",
	  true },
	{ "RFC 9110 4.2.3: another port is another place", "a.example.com:8080/x",
	  "a.example.com/x", false },
	{ "RFC 3986 3.4: the order of parameters counts", "a.example.com/x?v=1&w=2",
	  "a.example.com/x?w=2&v=1", false },
	{ "profile: mirrors of one group share keys", "m1.example.net/x", "m2.example.net/x",
	  true },
	{ "profile: hosts of no group do not", "a.example.com/x", "b.example.com/x", false },
	{ "profile: a host and a group do not", "a.example.com/x", "m1.example.net/x", false },
	{ "profile: dropped parameters are not part of the key", "a.example.com/x?v=1&install=77",
	  "a.example.com/x?v=1&install=78", true },
	{ "profile: ... also if nothing is left", "a.example.com/x?install=77", "a.example.com/x",
	  true },
	{ "RFC 9110 4.2.2: https is another origin", "https://a.example.com/x", "a.example.com/x",
	  false },
	{ "RFC 9110 4.2.2: 443 is its default port", "https://a.example.com:443/x",
	  "https://a.example.com/x", true },
	{ "RFC 9110 4.2.2: ... which http on that port is not", "a.example.com:443/x",
	  "https://a.example.com/x", false },
	{ "RFC 9110 4.2.2: ... and 80 is not", "https://a.example.com:80/x", "a.example.com/x",
	  false },
	{ "profile: mirrors share keys of https", "https://m1.example.net/x",
	  "https://m2.example.net/x", true },
	{ "profile: ... apart from those of http", "https://m1.example.net/x", "m1.example.net/x",
	  false },
	{ "profile: schemes = same makes one object of both", "https://same.example.org/x",
	  "same.example.org/x", true },
	{ "profile: ... on the default ports alone", "https://same.example.org:8443/x",
	  "same.example.org:8443/x", false },
	{ "profile: two profiles never share", "a.example.com/x", "other.example.org/x", false },
};

static struct span key_make(const char *uri, char *buf, size_t size)
{
	struct profile_match match;
	struct policy_target t = { 0 };
	struct cache_key key;
	struct span rest = span_of(uri), host, port;
	bool secure = span_starts(rest, SPAN("https://"));
	size_t slash, query;
	uint64_t number = 0;

	rest = span_drop(rest, secure ? 8 : 0);
	slash = span_find(rest, '/');

	host = span_head(rest, slash);
	rest = span_drop(rest, slash);
	port = span_drop(host, span_find(host, ':') + 1);
	host = span_head(host, span_find(host, ':'));
	assert_true(profile_match_host(profiles, host, &match));
	if (port.n)
		assert_int_equal(span_u64(port, &number), 0);
	query = span_find(rest, '?');
	t.profile = match.profile;
	t.group = match.group;
	t.secure = secure;
	t.port = (uint16_t)number;
	t.path = span_head(rest, query);
	t.has_query = query < rest.n;
	t.query = span_drop(rest, query + 1);
	assert_int_equal(policy_key(&t, buf, size, &key), 0);
	return key.text;
}

static void key_run(void **state)
{
	const struct keys *row = *state;
	static char a[CACHE_KEY_TEXT_MAX], b[CACHE_KEY_TEXT_MAX];
	struct span x = key_make(row->a, a, sizeof(a)), y = key_make(row->b, b, sizeof(b));

	if (span_eq(x, y) != row->same)
		fail_msg("keys are '%.*s' and '%.*s'", SPAN_FMT(x), SPAN_FMT(y));
}

static void bad_paths_have_no_key(void **state)
{
	char buf[64];
	struct profile_match match;
	struct policy_target t = { .path = SPAN("/%zz") };
	struct cache_key key;

	(void)state;
	assert_true(profile_match_host(profiles, SPAN("a.example.com"), &match));
	t.profile = match.profile;
	t.group = match.group;
	assert_int_equal(policy_key(&t, buf, sizeof(buf), &key), -EINVAL);
	t.path = SPAN("/0123456789012345678901234567890123456789012345678901234567890123456789");
	assert_int_equal(policy_key(&t, buf, sizeof(buf), &key), -ENOSPC);
}

/* ---- Vary ----------------------------------------------------------------------------------------- */

struct names {
	const char *sentence;
	const char *resp;
	const char *expect;
};

static const struct names name_rows[] = {
	{ "RFC 9110 12.5.5: no Vary, no selecting fields", "X: 1\n", "<>" },
	{ "RFC 9110 12.5.5: one name", "Vary: Accept\n", "<accept>" },
	{ "RFC 9110 12.5.5: names have no case", "Vary: ACCEPT\n", "<accept>" },
	{ "RFC 9110 12.5.5: their order does not matter", "Vary: User-Agent, Accept\n",
	  "<accept,user-agent>" },
	{ "RFC 9110 12.5.5: several lines are one list", "Vary: User-Agent\nVary: Accept\n",
	  "<accept,user-agent>" },
	{ "RFC 9110 12.5.5: twice is once", "Vary: Accept, accept\n", "<accept>" },
	{ "RFC 9110 5.6.1: empty elements are none", "Vary: , Accept,,\n", "<accept>" },
	{ "RFC 9110 12.5.5: an empty Vary names nothing", "Vary:\n", "<>" },
	{ "RFC 9110 12.5.5: * is everything", "Vary: *\n", "star" },
	{ "RFC 9110 12.5.5: a coding with Vary on it needs no help",
	  "Content-Encoding: gzip\nVary: Accept-Encoding\n", "<accept-encoding>" },
	{ "prudence: a coding without Vary counts as Vary: Accept-Encoding",
	  "Content-Encoding: gzip\n", "<accept-encoding>" },
	{ "prudence: ... beside what Vary names", "Content-Encoding: gzip\nVary: X\n",
	  "<accept-encoding,x>" },
	{ "RFC 9110 8.4.1: identity is no coding", "Content-Encoding: identity\n", "<>" },
	{ "limits: too many names", "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\n", "long" },
};

static void names_run(void **state)
{
	static struct message m;
	const struct names *row = *state;
	char buf[POLICY_VARY_MAX];
	struct span names;
	struct text got = { 0 };
	int rc = policy_vary(make_response(&m, 200, row->resp), buf, sizeof(buf), &names);

	if (rc == 0)
		say(&got, "<%.*s>", SPAN_FMT(names));
	else
		say(&got, "%s", rc == -EOPNOTSUPP ? "star" : rc == -E2BIG ? "long" : "?");
	expect_text(&got, row->expect);
}

struct within {
	const char *sentence;
	const char *resp, *names;
	bool within;
};

static const struct within within_rows[] = {
	{ "RFC 9111 4.1: an update without Vary leaves the selecting fields", "", "x", true },
	{ "RFC 9111 4.1: ... also where there are none", "", "", true },
	{ "RFC 9111 4.1: an update that names the same fields", "Vary: X\n", "x", true },
	{ "RFC 9111 4.1: an update that names fewer", "Vary: X\n", "accept,x", true },
	{ "RFC 9111 4.1: an update that names another is for other requests", "Vary: X, Y\n", "x",
	  false },
	{ "RFC 9111 4.1: ... also where there were none", "Vary: X\n", "", false },
	{ "RFC 9111 4.1: an update with an asterisk matches nothing", "Vary: *\n", "x", false },
};

static void within_run(void **state)
{
	static struct message m;
	const struct within *row = *state;

	assert_int_equal(policy_vary_within(make_response(&m, 304, row->resp), span_of(row->names)),
			 row->within);
}

struct varies {
	const char *sentence;
	const char *names;
	const char *a, *b; /* requests' fields */
	bool same;
};

static const struct varies vary_rows[] = {
	{ "RFC 9111 4.1: equal values match", "x", "X: 1\n", "X: 1\n", true },
	{ "RFC 9111 4.1: different values do not", "x", "X: 1\n", "X: 2\n", false },
	{ "RFC 9111 4.1: absent matches absent", "x", "", "", true },
	{ "RFC 9111 4.1: absent does not match present", "x", "", "X: 1\n", false },
	{ "RFC 9111 4.1: absent does not match empty", "x", "", "X:\n", false },
	{ "RFC 9111 4.1: other fields do not matter", "x", "X: 1\nY: 1\n", "Y: 2\nX: 1\n", true },
	{ "RFC 9111 4.1: all selecting fields have to match", "x,y", "X: 1\nY: 1\n", "X: 1\nY: 2\n",
	  false },
	{ "RFC 9111 4.1: ... all", "x,y,z", "X: 1\nY: 1\nZ: 1\n", "Z: 1\nY: 1\nX: 1\n", true },
	{ "RFC 9111 4.1: one absent of several", "x,y", "X: 1\n", "X: 1\nY: 1\n", false },
	{ "RFC 9111 4.1: a value does not slip into the next field", "x,y", "X: 1\n", "Y: 1\n",
	  false },
	{ "RFC 9111 4.1: names have no case in requests", "x-foo", "x-foo: 1\n", "X-FOO: 1\n",
	  true },
	{ "RFC 9111 4.1: values have case", "x", "X: a\n", "X: A\n", false },
	{ "RFC 9111 4.1: several lines are one list", "x", "X: 1\nX: 2\n", "X: 1, 2\n", true },
	{ "RFC 9111 4.1: white space around commas is nothing", "x", "X: 1,2\n", "X: 1 ,  2\n",
	  true },
	{ "RFC 9111 4.1: white space within an element is something", "x", "X: 1 2\n", "X: 12\n",
	  false },
	{ "RFC 9111 4.1: the order of unknown values counts", "x", "X: 1,2\n", "X: 2,1\n", false },
	{ "RFC 9111 4.1: a comma in quotes is no comma", "x", "X: \"a, b\"\n", "X: \"a,b\"\n",
	  false },
	{ "RFC 9111 4.1: white space at the ends is nothing", "user-agent", "User-Agent:   a\n",
	  "User-Agent: a\n", true },
	{ "RFC 9111 4.1: what is known not to be a list stays as it is", "user-agent",
	  "User-Agent: a, b\n", "User-Agent: a,b\n", false },
	{ "RFC 9110 12.5.3: the order of codings does not matter", "accept-encoding",
	  "Accept-Encoding: gzip, br\n", "Accept-Encoding: br, gzip\n", true },
	{ "RFC 9110 8.4.1: codings have no case", "accept-encoding", "Accept-Encoding: GZIP\n",
	  "Accept-Encoding: gzip\n", true },
	{ "RFC 9110 8.4.1.3: x-gzip is gzip", "accept-encoding", "Accept-Encoding: x-gzip\n",
	  "Accept-Encoding: gzip\n", true },
	{ "RFC 9110 12.4.2: q=1 is no weight", "accept-encoding", "Accept-Encoding: gzip;q=1.0\n",
	  "Accept-Encoding: gzip\n", true },
	{ "RFC 9110 12.4.2: zeros behind a weight are nothing", "accept-encoding",
	  "Accept-Encoding: gzip;q=0.5\n", "Accept-Encoding: gzip ; Q=0.500\n", true },
	{ "RFC 9110 12.4.2: another weight is another wish", "accept-encoding",
	  "Accept-Encoding: gzip;q=0.5\n", "Accept-Encoding: gzip;q=0.6\n", false },
	{ "RFC 9110 12.4.2: q=0 is a refusal", "accept-encoding", "Accept-Encoding: gzip;q=0\n",
	  "Accept-Encoding: gzip\n", false },
	{ "RFC 9110 12.5.3: fewer codings are another wish", "accept-encoding",
	  "Accept-Encoding: gzip, br\n", "Accept-Encoding: gzip\n", false },
	{ "RFC 9110 12.5.3: none is not the same as no coding", "accept-encoding", "",
	  "Accept-Encoding: identity\n", false },
	{ "RFC 9110 12.5.3: an empty wish is not none", "accept-encoding", "Accept-Encoding:\n", "",
	  false },
	{ "RFC 9110 12.5.4: ranges of languages have no case", "accept-language",
	  "Accept-Language: EN-us\n", "Accept-Language: en-US\n", true },
	{ "RFC 9110 12.5.4: weights say the order", "accept-language",
	  "Accept-Language: en;q=0.5, de\n", "Accept-Language: de,en;q=0.5\n", true },
	{ "RFC 9110 12.4.2: what has no such form is compared as it is", "accept-encoding",
	  "Accept-Encoding: gzip;level=9\n", "Accept-Encoding: gzip\n", false },
	{ "RFC 9110 12.5.1: parameters of media types may have case", "accept", "Accept: a/b;v=X\n",
	  "Accept: a/b;v=x\n", false },
	{ "RFC 9110 12.5.1: white space around commas is nothing", "accept", "Accept: a/b,c/d\n",
	  "Accept: a/b, c/d\n", true },
};

static struct span vary_make(const char *names, const char *fields, char *buf)
{
	static struct message m;
	struct cache_key key;

	assert_int_equal(
		key_build(SPAN("p"), SPAN("g"), SPAN("/"), SPAN(""), buf, CACHE_KEY_TEXT_MAX, &key),
		0);
	assert_int_equal(policy_vary_key(span_of(names), make_request(&m, NULL, fields), buf,
					 CACHE_KEY_TEXT_MAX, &key),
			 0);
	return key.text;
}

static void vary_run(void **state)
{
	const struct varies *row = *state;
	static char a[CACHE_KEY_TEXT_MAX], b[CACHE_KEY_TEXT_MAX];
	struct span x = vary_make(row->names, row->a, a), y = vary_make(row->names, row->b, b);

	if (span_eq(x, y) != row->same)
		fail_msg("keys are '%.*s' and '%.*s'", SPAN_FMT(x), SPAN_FMT(y));
}

static void names_are_joined(void **state)
{
	char buf[POLICY_VARY_MAX];
	struct span names;

	(void)state;
	assert_int_equal(policy_vary_join(SPAN("b,d"), SPAN("a,b,c"), buf, sizeof(buf), &names), 0);
	assert_true(span_eq(names, SPAN("a,b,c,d")));
	assert_int_equal(policy_vary_join(SPAN(""), SPAN(""), buf, sizeof(buf), &names), 0);
	assert_int_equal(names.n, 0);
	assert_int_equal(policy_vary_join(SPAN("a,b,c,d,e,f,g,h,i"), SPAN("j,k,l,m,n,o,p,q"), buf,
					  sizeof(buf), &names),
			 -E2BIG);
	assert_int_equal(policy_vary_join(SPAN("abc"), SPAN("def"), buf, 6, &names), -E2BIG);
}

static void long_values_are_told(void **state)
{
	static struct message m;
	static char small[40];
	struct cache_key key;

	(void)state;
	make_request(&m, NULL, "X: 0123456789012345678901234567890123456789\n");
	assert_int_equal(
		key_build(SPAN("p"), SPAN("g"), SPAN("/"), SPAN(""), small, sizeof(small), &key),
		0);
	assert_int_equal(policy_vary_key(SPAN("x"), &m.head, small, sizeof(small), &key), -ENOSPC);
}

/* ---- profiles -------------------------------------------------------------------------------------- */

static const char profile_text[] = "[vendor]\nname = one\n[hosts]\nexact = a.example.com, "
				   "b.example.com\n[group mirrors]\nexact = m{1..2}.example.net\n"
				   "[query]\ndrop = install\n";
static const char other_text[] = "[vendor]\nname = two\nschemes = same\n[hosts]\nexact = "
				 "other.example.org, same.example.org\n";

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void drop_file(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static void profiles_are_loaded(void **state)
{
	char dir[] = "/tmp/tarn-policy-XXXXXX";
	struct settings_error error;
	int rc;

	(void)state;
	assert_non_null(mkdtemp(dir));
	put_file(dir, "one.conf", profile_text);
	put_file(dir, "two.conf", other_text);
	rc = profiles_load(dir, &profiles, &error);
	drop_file(dir, "one.conf");
	drop_file(dir, "two.conf");
	rmdir(dir);
	assert_int_equal(rc, 0);
}

int main(void)
{
	static struct tables all;
	static const struct CMUnitTest others[] = {
		{ "two profiles for what follows", profiles_are_loaded, NULL, NULL, NULL },
		{ "RFC 3986 2.1: what is no URI path has no key", bad_paths_have_no_key, NULL, NULL,
		  NULL },
		{ "RFC 9111 4.1: the names of two Vary fields are joined", names_are_joined, NULL,
		  NULL, NULL },
		{ "limits: a key too long is told, not cut", long_values_are_told, NULL, NULL,
		  NULL },
	};
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		all.tests[all.n++] = others[i];
	TABLE(&all, key_rows, key_run);
	TABLE(&all, name_rows, names_run);
	TABLE(&all, within_rows, within_run);
	TABLE(&all, vary_rows, vary_run);
	rc = tables_run("policy_key", &all);
	profiles_unref(&profiles);
	return rc;
}
