/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/profile.h"

static char dir[64];
static struct settings_error error;
static char error_text[1024];
static struct profiles *set;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/tarn-profile.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[512];

	(void)state;
	profiles_unref(&set);
	while (d && (entry = readdir(d))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		(void)unlink(path);
	}
	(void)closedir(d);
	return rmdir(dir);
}

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int load(void)
{
	int rc;

	profiles_unref(&set);
	rc = profiles_load(dir, &set, &error);
	(void)settings_error_text(&error, error_text, sizeof(error_text));
	return rc;
}

static const struct profile *load_one(const char *text)
{
	put("a.conf", text);
	if (load() < 0)
		fail_msg("refused: %s", error_text);
	return profiles_at(set, 0);
}

static void refuse(const char *text, unsigned line, const char *part)
{
	put("a.conf", text);
	if (load() == 0)
		fail_msg("took: %s", text);
	assert_null(set);
	if (error.line != line || !strstr(error_text, part) || !strstr(error.file, "/a.conf"))
		fail_msg("wanted line %u and '%s', got: %s", line, part, error_text);
}

/* The group that a host is of, "never", or "no". */
static const char *group_of(const char *host)
{
	static struct profile_match match;

	if (!profile_match_host(set, span_of(host), &match))
		return "no";
	return match.never ? "never" : match.group;
}

#define V "[vendor]\nname = v\n"

static void matches_hosts(void **state)
{
	struct profile_match match;

	(void)state;
	(void)load_one(V
		       "[hosts]\nexact = a.example.com, B.Example.com.\nsuffix = cdn.example.net\n"
		       "never = no.cdn.example.net .deep.cdn.example.net, ping-*.cdn.example.net\n"
		       "[group g]\nexact = m{08..11}.example.com\nsuffix = in.cdn.example.net\n");
	assert_string_equal(group_of("a.example.com"), "a.example.com");
	assert_string_equal(group_of("A.EXAMPLE.com."), "a.example.com");
	assert_string_equal(group_of("b.example.com"), "b.example.com");
	assert_string_equal(group_of("m08.example.com"), "@g");
	assert_string_equal(group_of("m11.example.com"), "@g");
	assert_string_equal(group_of("m12.example.com"), "no");
	assert_string_equal(group_of("m8.example.com"), "no");
	assert_string_equal(group_of("cdn.example.net"), "cdn.example.net");
	assert_string_equal(group_of("x.y.cdn.example.net"), "x.y.cdn.example.net");
	assert_string_equal(group_of("x.in.cdn.example.net"), "@g"); /* the longest suffix */
	assert_string_equal(group_of("notcdn.example.net"), "no");   /* whole labels only */
	assert_string_equal(group_of("cdn.example.net.evil.org"), "no");
	assert_string_equal(group_of("no.cdn.example.net"), "never");
	assert_string_equal(group_of("x.no.cdn.example.net"), "x.no.cdn.example.net");
	assert_string_equal(group_of("x.deep.cdn.example.net"), "never");
	assert_string_equal(group_of("deep.cdn.example.net"), "never");
	assert_string_equal(group_of("ping-1.cdn.example.net"), "never");
	assert_string_equal(group_of("ping-1.a.cdn.example.net"), "ping-1.a.cdn.example.net");
	assert_true(profile_match_host(set, SPAN("M09.example.COM"), &match));
	assert_string_equal(match.host, "m09.example.com");
	assert_string_equal(profile_name(match.profile), "v");
	assert_string_equal(profile_title(match.profile), "v");
}

static void hosts_from_the_network_are_checked(void **state)
{
	static const char *const wrong[] = {
		"",
		".",
		"..",
		"a..b",
		".example.com",
		"example.com..",
		"exa mple.com",
		"example.com:80",
		"example.com/",
		"-a.example.com",
		"a-.example.com",
		"a\tb.example.com",
		"ex*mple.com",
		"[2001:db8::1]",
		"192.0.2.256",
		"1.2.3",
		"192.0.2.01",
		"192.0.2.1:80",
		"\xc3\xa4.com",
		"0123456789012345678901234567890123456789012345678901234567890123.example.com",
	};
	char long_host[300], host[PROFILE_HOST_MAX] = "same";

	(void)state;
	(void)load_one(V "[hosts]\nexact = a.example.com\nsuffix = example.com\n");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (host_normalise(span_of(wrong[i]), host) == 0)
			fail_msg("took %s", wrong[i]);
		assert_string_equal(host, "same");
		assert_string_equal(group_of(wrong[i]), "no");
	}
	assert_int_equal(host_normalise(SPAN("a\0.example.com"), host), -EINVAL);
	for (size_t i = 0; i < sizeof(long_host); i += 2)
		memcpy(long_host + i, "a.", 2);
	memcpy(long_host + 253 - 11, "example.com", 12);
	assert_string_equal(group_of(long_host), long_host); /* 253 bytes */
	memcpy(long_host + 255 - 11, "example.com", 12);
	assert_string_equal(group_of(long_host), "no");
	assert_int_equal(host_normalise(SPAN("2001:DB8:0::1"), host), 0);
	assert_string_equal(host, "2001:db8::1");
	assert_int_equal(host_normalise(SPAN("192.0.2.1"), host), 0);
	assert_int_equal(host_normalise(SPAN("a_b.c-d.9x"), host), 0);
	assert_string_equal(host, "a_b.c-d.9x");
}

static void classifies_paths(void **state)
{
	static const struct {
		const char *path;
		enum profile_kind kind;
	} cases[] = {
		{ "/index/u.xml", PROFILE_INDEX },
		{ "/a/b/index/u.xml", PROFILE_INDEX },
		{ "/index/sub/u.xml", PROFILE_OBJECT },
		{ "/index/u.xml/", PROFILE_OBJECT },
		{ "/index/u.xmlx", PROFILE_OBJECT },
		{ "/myindex/u.xml", PROFILE_OBJECT },
		{ "/index/.xml", PROFILE_INDEX },
		{ "/index/pass.xml", PROFILE_PASS }, /* the first pattern wins */
		{ "/live", PROFILE_PASS },
		{ "/live/", PROFILE_PASS },
		{ "/live/a/b", PROFILE_PASS },
		{ "/lives", PROFILE_OBJECT },
		{ "/x/k/y/z/k/end", PROFILE_INDEX },
		{ "/x/k/end/z", PROFILE_OBJECT },
		{ "/v1.2/cur/list", PROFILE_INDEX },
		{ "/v1.2/a/list", PROFILE_OBJECT },
		{ "/", PROFILE_OBJECT },
		{ "", PROFILE_OBJECT },
		{ "*", PROFILE_OBJECT },
		{ "/exact", PROFILE_PASS },
		{ "//exact", PROFILE_OBJECT },
		{ "/EXACT", PROFILE_OBJECT },
	};
	const struct profile *p =
		load_one(V "[hosts]\nexact = a.example.com\n"
			   "[class pass]\npath = /index/pass.xml /live/**, /exact\n"
			   "[class index]\npath = /**/index/*.xml\n"
			   "path = /**/k/**/end\npath = /v*.*/*ur*/list\n"
			   "default_ttl = 60s\nmax_ttl = 5m\nstale_if_error = 1d\n"
			   "[class object]\nforce_ttl = 30d\n");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (profile_classify(p, span_of(cases[i].path))->kind != cases[i].kind)
			fail_msg("%s is not %d", cases[i].path, cases[i].kind);
	assert_int_equal(profile_classify(p, SPAN("/index/u.xml"))->default_ttl, 60000);
	assert_int_equal(profile_classify(p, SPAN("/index/u.xml"))->max_ttl, 300000);
	assert_int_equal(profile_classify(p, SPAN("/index/u.xml"))->stale_if_error, 86400000);
	assert_int_equal(profile_classify(p, SPAN("/index/u.xml"))->force_ttl, -1);
	assert_int_equal(profile_classify(p, SPAN("/x"))->default_ttl, -1);
	assert_true(profile_classify(p, SPAN("/x"))->force_ttl == 30ll * 86400000);
}

/* A path made to make matching slow: linear work, or this takes minutes. */
static void matching_is_bounded(void **state)
{
	static char path[1 << 16];
	const struct profile *p =
		load_one(V "[hosts]\nexact = a.example.com\n[class index]\n"
			   "path = /**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b\n"
			   "path = /**/*a*a*a*a*a*a*a*a*a*a*b\n");

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(path); i += 2)
		memcpy(path + i, "/a", 2);
	assert_int_equal(profile_classify(p, span_make(path, sizeof(path)))->kind, PROFILE_OBJECT);
	memset(path + 1, 'a', 4096);
	assert_int_equal(profile_classify(p, span_make(path, 4096))->kind, PROFILE_OBJECT);
}

static const char *query(const struct profile *p, const char *text)
{
	static char buf[200];
	size_t n = 99;

	assert_int_equal(profile_query_normalise(p, span_of(text), buf, strlen(text), &n), 0);
	assert_true(n <= strlen(text));
	buf[n] = '\0';
	return buf;
}

static void normalises_queries(void **state)
{
	const struct profile *p = load_one(V "[hosts]\nexact = a.example.com\n");
	char small[4];
	size_t n;

	(void)state;
	assert_string_equal(query(p, "b=2&a=1&&b=%32&c"), "b=2&a=1&&b=%32&c");
	assert_string_equal(query(p, ""), "");
	assert_int_equal(profile_query_normalise(p, SPAN("a=1&b"), small, 4, &n), -ENOSPC);
	assert_int_equal(profile_query_normalise(p, SPAN("a=12"), small, 4, &n), 0);
	assert_int_equal(n, 4);
	p = load_one(V "[hosts]\nexact = a.example.com\n[query]\ndrop = id, sess\n");
	assert_string_equal(query(p, "id=5&v=1&sess&x=id"), "v=1&x=id");
	assert_string_equal(query(p, "%69%64=5&i%64=6&ID=7&id2=8&id%=9"), "ID=7&id2=8&id%=9");
	assert_string_equal(query(p, "id=5"), "");
	p = load_one(V "[hosts]\nexact = a.example.com\n[query]\nkeep = v\n");
	assert_string_equal(query(p, "id=5&v=1&sess&v=2&%76=3"), "v=1&v=2&%76=3");
	p = load_one(V "[hosts]\nexact = a.example.com\n[query]\ndrop_all = yes\n");
	assert_string_equal(query(p, "id=5&v=1"), "");
}

static void gives_mirrors_source_and_reach(void **state)
{
	const struct profile *p =
		load_one(V "title = Vendor\nsource = m2.example.com:8080\n"
			   "[group g]\nexact = m{1..3}.example.com\nsuffix = s.example.com\n"
			   "[reach]\nhost = M1.example.com\n"
			   "resolvers = 192.0.2.53, [2001:db8::53]:5353\n");
	const char *const *mirrors;
	uint16_t port = 0;
	size_t n;

	(void)state;
	mirrors = profile_mirrors(p, "@g", &n);
	assert_int_equal(n, 3);
	assert_string_equal(mirrors[0], "m1.example.com");
	assert_string_equal(mirrors[2], "m3.example.com");
	assert_null(profile_mirrors(p, "m1.example.com", &n));
	assert_int_equal(n, 0);
	assert_string_equal(profile_source(p, &port), "m2.example.com");
	assert_int_equal(port, 8080);
	assert_string_equal(profile_reach_host(p, &port), "m1.example.com");
	assert_int_equal(port, 443);
	assert_int_equal(profile_resolvers(p)->n, 2);
	assert_int_equal(addr_port(&profile_resolvers(p)->v[0]), 53);
	assert_int_equal(addr_port(&profile_resolvers(p)->v[1]), 5353);
	assert_string_equal(profile_title(p), "Vendor");
	assert_ptr_equal(profiles_by_name(set, SPAN("v")), p);
	assert_null(profiles_by_name(set, SPAN("w")));

	p = load_one(V "[hosts]\nsuffix = example.com\n");
	assert_null(profile_source(p, &port));
	assert_null(profile_reach_host(p, &port));
	p = load_one(V "[hosts]\nexact = z.example.com y.example.com\n");
	assert_string_equal(profile_source(p, &port), "z.example.com");
	assert_int_equal(port, 80);
}

static void list_host(const struct profile *profile, struct span host, void *arg)
{
	char *to = arg;

	assert_non_null(profile);
	(void)snprintf(to + strlen(to), 200 - strlen(to), "%.*s;", SPAN_FMT(host));
}

static void feeds_the_vendor_set(void **state)
{
	char exact[200] = "", suffix[200] = "", never[200] = "";

	(void)state;
	put("b.conf", "[vendor]\nname = w\n[hosts]\nexact = w.example.org\n");
	(void)load_one(
		V "[group g]\nexact = m1.example.com\n[hosts]\nexact = a.example.com\n"
		  "suffix = example.net\nnever = n.example.com, .o.example.com p*.example.com\n");
	assert_int_equal(profiles_count(set), 2);
	profile_each_exact_host(set, list_host, exact);
	assert_string_equal(exact, "m1.example.com;a.example.com;w.example.org;");
	profile_each_suffix(set, list_host, suffix);
	assert_string_equal(suffix, "example.net;");
	profile_each_never(set, list_host, never);
	assert_string_equal(never, "n.example.com;.o.example.com;p*.example.com;");
}

static void refuses_wrong_files(void **state)
{
	(void)state;
	refuse("[hosts]\nexact = a.example.com\n", 0, "[vendor] name");
	refuse("[vendor]\nname = Kas\n[hosts]\nexact = a.example.com\n", 2, "a-z, 0-9");
	refuse("[vendor]\nname = ../x\n[hosts]\nexact = a.example.com\n", 2, "a-z, 0-9");
	refuse(V, 0, "names no host");
	refuse(V "[hosts]\nnever = a.example.com\n", 0, "names no host");
	refuse(V "[hosts]\nexact = a.example.com\nexat = b\n", 5, "did you mean exact?");
	refuse(V "[host]\nexact = a.example.com\n", 4, "did you mean hosts?");
	refuse(V "[zzzzz]\nexact = a.example.com\n", 4, "group NAME, class index");
	refuse(V "[hosts]\nexact = *.example.com\n", 4, "is not a host name");
	refuse(V "[hosts]\nsuffix = *.example.com\n", 4, "is not a host name");
	refuse(V "[hosts]\nsuffix = .example.com\n", 4, "is not a host name");
	refuse(V "[hosts]\nsuffix = com\n", 4, "too wide");
	refuse(V "[hosts]\nsuffix = 192.0.2.1\n", 4, "too wide");
	refuse(V "[hosts]\nnever = .com\n", 4, "too wide");
	refuse(V "[hosts]\nexact = http://a.example.com\n", 4, "is not a host name");
	refuse(V "[hosts]\nexact = a.example.com/x\n", 4, "is not a host name");
	refuse(V "[hosts]\nexact = a{1..2.example.com\n", 4, "wrong range");
	refuse(V "[hosts]\nexact = a{2..1}.example.com\n", 4, "wrong range");
	refuse(V "[hosts]\nexact = a{1..10}.example.com\n", 4, "wrong range");
	refuse(V "[hosts]\nexact = a{0000..1000}.example.com\n", 4, "at most 1000");
	refuse(V "[hosts]\nexact = a{1-2}.example.com\n", 4, "wrong range");
	refuse(V "[hosts]\nexact = a}1{.example.com\n", 4, "wrong range");
	refuse(V "[hosts]\nexact = a{1..2}{3..4}.example.com\n", 4, "is not a host name");
	refuse(V "[hosts]\nexact = a.example.com\n[class database]\npath = /x\n", 6,
	       "[class index]");
	refuse(V "[hosts]\nexact = a.example.com\n[class index]\npath = x/*\n", 6, "path pattern");
	refuse(V "[hosts]\nexact = a.example.com\n[class index]\npath = /x**\n", 6,
	       "** as a whole");
	refuse(V "[hosts]\nexact = a.example.com\n[class index]\npath = /x?a=1\n", 6, "no query");
	refuse(V "[hosts]\nexact = a.example.com\n[class index]\nmax_ttl = 5\n", 6, "250ms");
	refuse(V "[hosts]\nexact = a.example.com\n[class pass]\nmax_ttl = 5s\n", 0, "has no times");
	refuse(V "[hosts]\nexact = a.example.com\n[class object]\nmax_ttl = 5s\nforce_ttl = 1s\n",
	       0, "force_ttl and another");
	refuse(V "[hosts]\nexact = a.example.com\n[query]\nkeep = a\ndrop = b\n", 7, "contradicts");
	refuse(V "[hosts]\nexact = a.example.com\n[tls]\nmode = terminate\n", 6,
	       "allowed: splice, refuse");
	refuse(V "[hosts]\nexact = a.example.com\n[reach]\nhost = a b\n", 6, "[reach] host");
	refuse(V "[hosts]\nexact = a.example.com\n[reach]\nresolvers = dns.example\n", 6,
	       "IP addresses");
	refuse(V "[hosts]\nexact = a.example.com\n[group A B]\nexact = c.example.com\n", 6,
	       "group");
	refuse(V "[hosts]\nexact = a.example.com\n[group]\nexact = c.example.com\n", 6,
	       "[group NAME]");
	refuse(V "source = evil.org\n[hosts]\nexact = a.example.com\n", 3,
	       "a host of this profile");
	refuse(V "source = a.example.com:0\n[hosts]\nexact = a.example.com\n", 3, "host:port");
	refuse(V "source = n.example.com\n[hosts]\nsuffix = example.com\nnever = n.example.com\n",
	       3, "a host of this profile");
}

static void refuses_two_claims_on_one_name(void **state)
{
	(void)state;
	refuse(V "[hosts]\nexact = a.example.com\n[group g]\nexact = A.example.com.\n", 6,
	       "a.example.com is already claimed at ");
	assert_non_null(strstr(error.what, "/a.conf:4"));
	put("b.conf",
	    "[vendor]\nname = w\n[hosts]\nexact = z.example.org\nexact = a.example.com\n");
	put("a.conf", V "[hosts]\nexact = a.example.com\n");
	assert_int_equal(load(), -EINVAL);
	assert_non_null(strstr(error.file, "/b.conf"));
	assert_int_equal(error.line, 5);
	assert_non_null(strstr(error.what, "/a.conf:4"));
	put("b.conf", "[vendor]\nname = v\n[hosts]\nexact = z.example.org\n");
	assert_int_equal(load(), -EINVAL);
	assert_non_null(strstr(error_text, "name = v is already that of "));
	/* One profile's never holds against another's suffix. */
	put("b.conf",
	    "[vendor]\nname = w\n[hosts]\nexact = z.example.org\nnever = n.example.com\n");
	put("a.conf", V "[hosts]\nsuffix = example.com\n");
	assert_int_equal(load(), 0);
	assert_string_equal(group_of("n.example.com"), "never");
}

static void a_directory(void **state)
{
	struct profiles *other;
	char path[100];

	(void)state;
	assert_int_equal(load(), 0); /* empty */
	assert_int_equal(profiles_count(set), 0);
	assert_string_equal(group_of("a.example.com"), "no");
	put("notes.txt", "not a profile");
	put(".hidden.conf", "not a profile");
	put("off.conf", "[vendor]\nenabled = no\nname = off\n[hosts]\nexact = a.example.com\n");
	assert_int_equal(load(), 0);
	assert_int_equal(profiles_count(set), 0);
	put("off.conf", "[vendor]\nenabled = no\nname = off\n[hosts]\nexact = a..example.com\n");
	assert_int_equal(load(), -EINVAL); /* switched off, and checked all the same */
	put("off.conf", V "[hosts]\nexact = a.example.com\n");
	assert_int_equal(load(), 0);
	other = profiles_ref(set);
	profiles_unref(&set);
	assert_int_equal(profiles_count(other), 1); /* the second reference holds it */
	profiles_unref(&other);
	assert_null(other);
	(void)snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(profiles_load(path, &set, &error), -ENOENT);
	assert_string_equal(error.file, path);
}

/* What Tarn ships. */
static void shipped_profiles_load(void **state)
{
	struct profile_match match;
	const struct profile *p;
	char command[300];
	uint16_t port;
	size_t n;

	(void)state;
	assert_int_equal(profiles_load("firmware/vendors", &set, &error), 0);
	assert_int_equal(profiles_count(set), 1); /* the example is switched off */
	p = profiles_by_name(set, SPAN("kaspersky"));
	assert_non_null(p);
	assert_string_equal(group_of("s00.upd.kaspersky.com"), "@updates");
	assert_string_equal(group_of("s19.upd.kaspersky.com"), "@updates");
	assert_string_equal(group_of("s20.upd.kaspersky.com"), "no");
	assert_string_equal(group_of("dnl-19.geo.kaspersky.com"), "@updates");
	assert_string_equal(group_of("downloads.upd.kaspersky.com"), "downloads.upd.kaspersky.com");
	assert_string_equal(group_of("touch.kaspersky.com"), "never");
	assert_string_equal(group_of("activation-v2.kaspersky.com"), "never");
	assert_string_equal(group_of("ksn-file-geo.kaspersky-labs.com"), "never");
	assert_string_equal(group_of("www.kaspersky.com"), "no");
	(void)profile_mirrors(p, "@updates", &n);
	assert_int_equal(n, 20 + 20 + 19);
	assert_int_equal(profile_classify(p, SPAN("/index/u1313g.xml"))->kind, PROFILE_INDEX);
	assert_int_equal(profile_classify(p, SPAN("/index/kdb-i386-0607g.xml"))->kind,
			 PROFILE_INDEX);
	assert_int_equal(profile_classify(p, SPAN("/bases/av/base001.dat"))->kind, PROFILE_OBJECT);
	assert_string_equal(profile_reach_host(p, &port), "downloads.upd.kaspersky.com");
	assert_int_equal(profile_resolvers(p)->n, 5);
	profiles_unref(&set);

	/* The example, switched on. */
	(void)snprintf(
		command, sizeof(command),
		"sed 's/^enabled = no/enabled = yes/' firmware/vendors/example.conf >%s/a.conf",
		dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(load(), 0);
	assert_int_equal(profiles_count(set), 1);
	assert_string_equal(group_of("mirror-07.example.com"), "@mirrors");
	assert_string_equal(group_of("a.telemetry.example.com"), "never");
	assert_true(profile_match_host(set, SPAN("x.cdn.example.net"), &match));
	assert_int_equal(profile_classify(match.profile, SPAN("/a/b.cgi"))->kind, PROFILE_PASS);
	assert_int_equal(profile_classify(match.profile, SPAN("/index/a.xml"))->kind,
			 PROFILE_INDEX);
	assert_int_equal(profile_classify(match.profile, SPAN("/x/y/index/b.xml"))->kind,
			 PROFILE_INDEX);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(matches_hosts),
		T(hosts_from_the_network_are_checked),
		T(classifies_paths),
		T(matching_is_bounded),
		T(normalises_queries),
		T(gives_mirrors_source_and_reach),
		T(feeds_the_vendor_set),
		T(refuses_wrong_files),
		T(refuses_two_claims_on_one_name),
		T(a_directory),
		T(shipped_profiles_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
