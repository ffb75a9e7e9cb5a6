/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why: rows of a request, what is stored for it, and what must be said. The store, generations and reachability are
 * given by the row; what is stored was made by policy itself of a response.
 */
#include <jansson.h>
#include <unistd.h>

#include "proxy/why/why.h"
#include "tests/unit/proxy/policy_table.h"

static struct profiles *profiles;

static const char profile_text[] = "[vendor]\n"
				   "name = acme\n"
				   "[hosts]\n"
				   "exact = updates.example.com\n"
				   "never = login.example.com\n"
				   "[group mirrors]\n"
				   "exact = m1.example.net, m2.example.net\n"
				   "[class pass]\n"
				   "path = /pass/**\n"
				   "[class index]\n"
				   "path = /**/index.xml\n"
				   "force_ttl = 2h\n"
				   "[query]\n"
				   "drop = install\n";

static const char refuse_text[] = "[vendor]\n"
				  "name = refuse\n"
				  "[hosts]\n"
				  "exact = updates.refuse.example\n"
				  "never = login.refuse.example\n"
				  "[tls]\n"
				  "mode = refuse\n";

struct row {
	const char *sentence;
	const char *url;
	const char *method;
	const char *fields[4];
	unsigned status;      /* of the response that is stored; 0: nothing is */
	const char *response; /* its fields */
	int64_t after;	      /* seconds between its coming and the question */
	const char *marker;   /* names of a Vary marker, which then holds it under `variant` */
	const char *variant;  /* that field's value when it was stored */
	uint64_t generation;  /* of the profile now, 0: that of the object */
	const char *expect;
	const char *from;
};

#define URL "http://updates.example.com"

static const struct row rows[] = {
	{ "RFC 9111 4: nothing is stored: fetch", URL "/a",
	  .expect =
		  "fetch:|stored under \"acme updates.example.com /a\"|nothing is stored for this "
		  "URI [RFC 9111 4]|no pattern of the profile: class object|RFC 9111 3]" },
	{ "RFC 9111 4.2: fresh: hit, with age and what is left", URL "/a", .status = 200,
	  .response = "Cache-Control: max-age=600\nETag: \"x\"\n", .after = 100,
	  .expect =
		  "hit: answered with 200|its age is 100 s|it stays fresh for 500 s (8 min)|strong "
		  "validator: ETag \"x\"|the stored response is fresh [RFC 9111 4.2]|lifetime is "
		  "600 s (10 min)|!fetch" },
	{ "RFC 9111 4.3.1: stale: validate, with these conditions", URL "/a", .status = 200,
	  .response = "Cache-Control: max-age=10\nETag: W/\"x\"\nLast-Modified: {-1000}\n",
	  .after = 100,
	  .expect = "validate:|If-None-Match: W/\"x\", If-Modified-Since: |it is stale for 90 "
		    "s (1 min)|[RFC 9111 4.3.1]|weak validator" },
	{ "RFC 5861 3: stale, and revalidated meanwhile", URL "/a", .status = 200,
	  .response = "Cache-Control: max-age=10, stale-while-revalidate=1000\n", .after = 100,
	  .expect = "hit:|asked meanwhile|[RFC 5861 3]" },
	{ "RFC 5861 4: what becomes of it if the origin fails", URL "/a", .status = 200,
	  .response = "Cache-Control: max-age=10, stale-if-error=1000\nETag: \"x\"\n", .after = 100,
	  .expect = "validate:|if it fails|[RFC 5861 4]" },
	{ "RFC 9111 5.2.1.4: no-cache of the request", URL "/a",
	  .fields = { "Cache-Control: no-cache" }, .status = 200,
	  .response = "Cache-Control: max-age=600\n", .expect = "validate:|[RFC 9111 5.2.1.4]" },
	{ "RFC 9111 5.2.1.7: only-if-cached", URL "/a",
	  .fields = { "Cache-Control: only-if-cached" },
	  .expect = "refuse:|504|[RFC 9111 5.2.1.7]" },
	{ "RFC 9111 5.2.1.5: no-store of the request", URL "/a",
	  .fields = { "Cache-Control: no-store" }, .expect = "relay:|[RFC 9111 5.2.1.5]" },
	{ "RFC 9111 5.2.2.5: no-store left nothing, and that is said", URL "/a",
	  .expect = "fetch:|what forbade storing (no-store" },
	{ "RFC 9111 3.5: authorized: what would let it be stored", URL "/a",
	  .fields = { "Authorization: Basic x" }, .expect = "fetch:|[RFC 9111 3.5]|public" },
	{ "RFC 9111 4.1: this variant", URL "/a", .fields = { "X-Kind: 1" }, .status = 200,
	  .response = "Cache-Control: max-age=600\nVary: X-Kind\n", .marker = "x-kind",
	  .variant = "1", .expect = "hit:|vary with the request's x-kind [RFC 9111 4.1]" },
	{ "RFC 9111 4.1: another variant", URL "/a", .fields = { "X-Kind: 2" }, .status = 200,
	  .response = "Cache-Control: max-age=600\nVary: X-Kind\n", .marker = "x-kind",
	  .variant = "1", .expect = "fetch:|selected by other request fields [RFC 9111 4.1]" },
	{ "RFC 9111 4.3.2: the device has it: 304", URL "/a", .fields = { "If-None-Match: \"x\"" },
	  .status = 200, .response = "Cache-Control: max-age=600\nETag: \"x\"\n",
	  .expect = "hit: answered with 304|[RFC 9110 15.4.5]" },
	{ "RFC 9110 14.2: a range", URL "/a", .fields = { "Range: bytes=1-2" }, .status = 200,
	  .response = "Cache-Control: max-age=600\nETag: \"x\"\n",
	  .expect = "hit: answered with 206|[RFC 9110 14.2]" },
	{ "RFC 9110 15.5.17: a range behind the end", URL "/a", .fields = { "Range: bytes=100-" },
	  .status = 200, .response = "Cache-Control: max-age=600\nETag: \"x\"\n",
	  .expect = "hit: answered with 416|[RFC 9110 15.5.17]" },
	{ "RFC 9111 3.3: a range inside of a stored part", URL "/a",
	  .fields = { "Range: bytes=1-2" }, .status = 206,
	  .response = "Cache-Control: max-age=600\nETag: \"x\"\nContent-Range: bytes 0-3/10\n",
	  .expect = "hit: answered with 206 from the stored part|bytes 0 to 3 of 10 are stored by "
		    "themselves|[RFC 9111 3.3]" },
	{ "RFC 9111 3.3: a range beyond a stored part", URL "/a", .fields = { "Range: bytes=1-5" },
	  .status = 206,
	  .response = "Cache-Control: max-age=600\nETag: \"x\"\nContent-Range: bytes 0-3/10\n",
	  .expect = "fetch:|they are not all that is asked for" },
	{ "RFC 9111 3.3: a stored part that is stale", URL "/a", .fields = { "Range: bytes=1-2" },
	  .status = 206,
	  .response = "Cache-Control: max-age=600\nETag: \"x\"\nContent-Range: bytes 0-3/10\n",
	  .after = 601, .expect = "fetch:|they are not fresh" },
	{ "RFC 9111 3.4: the whole, of which the beginning is stored", URL "/a", .status = 206,
	  .response = "Cache-Control: max-age=600\nETag: \"x\"\nContent-Range: bytes 0-3/10\n",
	  .expect = "fetch:|what is behind them is asked for [RFC 9111 3.4]" },
	{ "RFC 9111 4.2.2: stored with a guess", URL "/a", .status = 200,
	  .response = "Last-Modified: {-1000}\n", .after = 10, .expect = "hit:|[RFC 9111 4.2.2]" },
	{ "profile: force_ttl", URL "/d/index.xml", .status = 200,
	  .response = "Cache-Control: no-cache\n", .after = 3600,
	  .expect = "hit:|matches /**/index.xml of class index|force_ttl = 2 h 00 min" },
	{ "profile: an index that changed makes an object validate", URL "/a", .status = 200,
	  .response = "Cache-Control: max-age=600\nETag: \"x\"\n", .generation = GENERATION + 1,
	  .expect = "validate:|index of the vendor has changed since|the profile's index has "
		    "changed" },
	{ "profile: pass", URL "/pass/x",
	  .expect = "relay:|/pass/** of class pass|passes this path" },
	{ "profile: index", URL "/d/index.xml", .expect = "fetch:|of class index" },
	{ "profile: mirrors share", "http://m2.example.net/a",
	  .expect = "fetch:|group mirrors|\"acme @mirrors /a\"" },
	{ "profile: parameters that identify an installation are in no key",
	  URL "/a?v=1&install=77", .expect = "fetch:|/a?v=1\"|drops are no part of it|!key 77" },
	{ "profile: never", "http://login.example.com/a",
	  .expect = "splice:|[hosts] never of vendor acme|!stored under" },
	{ "profile: nobody's", "http://other.example/a",
	  .expect = "splice:|other.example belongs to no vendor profile|!stored under" },
	{ "TLS is carried through", "https://updates.example.com/a",
	  .expect = "splice:|it is TLS|as the profile says for its hosts|!reset" },
	{ "TLS is refused where the profile says so", "https://updates.refuse.example/a",
	  .expect = "refuse: reset at once|reset: as the profile says" },
	{ "TLS to a never host is carried through also there", "https://login.refuse.example/a",
	  .expect = "splice:|the profile says never" },
	{ "TLS to a host of nobody", "https://other.example/a",
	  .expect = "splice:|the host is no vendor" },
	{ "TLS to an address names no host", "https://192.0.2.1/",
	  .expect = "splice:|names no host" },
	{ "RFC 9110 7.8: so is what is upgraded", URL "/a",
	  .fields = { "Connection: upgrade", "Upgrade: x" }, .expect = "splice:|[RFC 9110 7.8]" },
	{ "RFC 9110 7.6.3: a loop", URL "/a", .fields = { "Via: 1.1 tarn-00c0ffee" },
	  .expect = "refuse:|508|[RFC 9110 7.6.3]" },
	{ "RFC 9110 7.6.3: another Tarn is no loop", URL "/a",
	  .fields = { "Via: 1.1 tarn-00c0ffef" }, .expect = "fetch:|!508" },
	{ "RFC 9110 9.3.6: CONNECT", URL ":443/", "CONNECT", .expect = "tunnel:" },
	{ "RFC 9111 4: unsafe methods are written through", URL "/a", "POST",
	  .expect = "relay:|[RFC 9111 4]|what is stored for this URI is removed" },
	{ "RFC 9112 6.3: what is refused says its status", URL "/a",
	  .fields = { "Content-Length: x" }, .expect = "refuse:|400|[RFC 9112" },
	{ "RFC 9110 10.1.1: an expectation", URL "/a", .fields = { "Expect: cake" },
	  .expect = "refuse:|417|[RFC 9110 10.1.1]" },
	{ "a device that may use the proxy", URL "/a", .from = "192.0.2.1",
	  .expect = "fetch:|192.0.2.1 may also use this box" },
	{ "a device that may not", URL "/a", .from = "198.51.100.1",
	  .expect = "fetch:|198.51.100.1 may not use this box" },
	{ "the vendor's reachability, and through which DNS", URL "/a",
	  .expect =
		  "acme is reachable; names are resolved through the public resolver 192.0.2.53" },
};

/* ---- the world of a row --------------------------------------------------------------------------- */

struct world {
	const struct row *row;
	struct text buf;
	struct object object, marker;
	char variant_text[CACHE_KEY_TEXT_MAX];
	struct span variant;
	unsigned looks;
};

static void make_object(struct world *w)
{
	static struct message req, resp;
	static char buf[POLICY_HEAD_MAX];
	const struct row *row = w->row;
	struct policy_times times = { T0, T0 };
	struct policy_env env = env_at(0);
	struct policy_stored stored;
	struct policy_req policy;
	struct profile_match match;
	const struct profile_class *class;
	const char *path = strchr(row->url + 7, '/');

	assert_true(profile_match_host(profiles, SPAN("updates.example.com"), &match));
	class = profile_classify(match.profile, span_of(path));
	policy_request(make_request(&req, NULL, NULL), class, &policy, NULL);
	policy.part = row->status == 206;
	assert_int_equal(policy_response(&policy, make_response(&resp, row->status, row->response),
					 &times, &env, buf, sizeof(buf), &stored, NULL),
			 0);
	assert_true(stored.store);
	w->object = stored.object;
	w->object.kind = OBJECT_RESPONSE;
	w->object.key = SPAN("x");
	w->object.body = SPAN("body");
	w->object.length = 4;
	w->object.flags |= OBJECT_COMPLETE;
}

static bool is_part(struct span key)
{
	return memmem(key.p, key.n, "\n:part", 6) != NULL;
}

static int look(void *arg, const struct cache_key *key, struct object **ret_object)
{
	struct world *w = arg;
	bool second = w->looks++ > 0;

	if (!w->row->status || (w->row->status == 206) != is_part(key->text))
		return -ENOENT;
	if (w->row->marker && !second) {
		*ret_object = object_dup(&w->marker);
		return 0;
	}
	if (w->row->marker) {
		struct span end = span_drop(key->text, span_find(key->text, ':') + 1);

		if (!span_eq(end, span_of(w->row->variant)))
			return -ENOENT;
	}
	*ret_object = object_dup(&w->object);
	return 0;
}

static uint64_t generation(void *arg, const char *profile)
{
	const struct world *w = arg;

	assert_string_equal(profile, "acme");
	return w->row->generation ? w->row->generation : GENERATION;
}

static bool reach(void *arg, const char *profile, struct why_reach *ret)
{
	(void)arg;
	assert_true(strcmp(profile, "acme") == 0 || strcmp(profile, "refuse") == 0);
	*ret = (struct why_reach){ true, true, true, "public", "192.0.2.53" };
	return true;
}

/* ---- the answer as text ---------------------------------------------------------------------------- */

static void say_answer(const json_t *json, struct text *t)
{
	json_t *rule;
	size_t i;

	say(t, "%s: %s\n", json_string_value(json_object_get(json, "does")),
	    json_string_value(json_object_get(json, "sentence")));
	json_array_foreach(json_object_get(json, "rules"), i, rule)
	{
		say(t, "%s %s [%s]\n", json_string_value(json_object_get(rule, "about")),
		    json_string_value(json_object_get(rule, "text")),
		    json_string_value(json_object_get(rule, "source")));
	}
}

/* What a translation is made of: the form with its values in it is the sentence, to the letter. */
static void check_form(const json_t *object, const char *name)
{
	const char *form = json_string_value(json_object_get(object, "form"));
	const json_t *values = json_object_get(object, "values");
	char text[1000] = "";
	size_t n = 0;

	assert_int_equal(form == NULL, values == NULL);
	for (; form && *form; form++) {
		if (*form == '{') {
			size_t i = strtoul(form + 1, (char **)&form, 10);

			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
					      json_string_value(json_array_get(values, i)));
			assert_int_equal(*form, '}');
		} else {
			text[n++] = *form;
		}
	}
	if (form)
		assert_string_equal(text, json_string_value(json_object_get(object, name)));
}

static void check_forms(const json_t *json)
{
	json_t *rule;
	size_t i;

	check_form(json, "sentence");
	json_array_foreach(json_object_get(json, "rules"), i, rule) check_form(rule, "text");
}

static void holds(const char *expect, const char *said)
{
	struct span rest = span_of(expect), part;

	while (span_cut(&rest, '|', &part)) {
		char word[300];
		bool absent = part.p[0] == '!';

		assert_int_equal(span_copy(span_drop(part, absent), word, sizeof(word)), 0);
		if (!strstr(said, word) != absent)
			fail_msg("%s \"%s\" in:\n%s", absent ? "there is" : "there is no", word,
				 said);
	}
}

static void test_row(void **state)
{
	static struct world w;
	static struct text said;
	const struct row *row = *state;
	struct net nets[1];
	struct net_list allow = { .v = nets, .n = 1 };
	struct why_ask ask = { .url = row->url, .method = row->method, .from = row->from };
	struct why_world world = {
		.profiles = profiles,
		.allow = &allow,
		.pseudonym = "tarn-00c0ffee",
		.now = T0 + row->after,
		.heuristic_max = FRESH_UNSET,
		.look = look,
		.generation = generation,
		.reach = reach,
		.arg = &w,
	};
	const char *error;
	json_t *json;

	assert_int_equal(net_parse(SPAN("192.0.2.0/24"), &nets[0]), 0);
	memset(&w, 0, sizeof(w));
	w.row = row;
	if (row->status)
		make_object(&w);
	if (row->marker)
		w.marker = (struct object){ .kind = OBJECT_VARY,
					    .key = SPAN("x"),
					    .fields = span_of(row->marker) };
	for (; ask.fields_n < 4 && row->fields[ask.fields_n]; ask.fields_n++)
		ask.fields[ask.fields_n] = row->fields[ask.fields_n];
	assert_int_equal(why_explain(&ask, &world, &json, &error), 0);
	said.n = 0;
	say_answer(json, &said);
	check_forms(json);
	json_decref(json);
	holds(row->expect, said.p);
}

/* ---- without a store, and questions that make no sense -------------------------------------------------- */

static void test_unseen(void **state)
{
	static struct text said;
	struct why_ask ask = { .url = URL "/a" };
	struct why_world world = { .profiles = profiles, .now = T0 };
	const char *error;
	json_t *json;

	(void)state;
	assert_int_equal(why_explain(&ask, &world, &json, &error), 0);
	assert_true(json_is_false(json_object_get(json, "store_seen")));
	said.n = 0;
	say_answer(json, &said);
	json_decref(json);
	holds("lookup:|the store can't be seen|stored under \"acme updates.example.com /a\"|!hit:",
	      said.p);
}

static void test_nonsense(void **state)
{
	static const struct why_ask asks[] = {
		{ .url = "ftp://x/" },
		{ .url = "updates.example.com/a" },
		{ .url = URL "/a b" },
		{ .url = URL "/a\r\nX: y" },
		{ .url = URL "/\xc3\xa9" },
		{ .url = URL "/a", .method = "GET /b HTTP/1.1\r\n" },
		{ .url = URL "/a", .method = "" },
		{ .url = URL "/a", .fields = { "no colon" }, .fields_n = 1 },
		{ .url = URL "/a", .fields = { "A: b\r\nC: d" }, .fields_n = 1 },
		{ .url = URL "/a", .from = "nobody" },
	};
	struct why_world world = { .profiles = profiles, .now = T0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		const char *error = NULL;
		json_t *json = NULL;

		assert_non_null(why_nonsense(&asks[i]));
		assert_int_equal(why_explain(&asks[i], &world, &json, &error), -EINVAL);
		assert_non_null(error);
		assert_null(json);
	}
}

/* ---- ------------------------------------------------------------------------------------------------ */

static bool put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

static int load(void **state)
{
	char dir[] = "/tmp/tarn-why.XXXXXX", acme[64], refuse[64];
	struct settings_error error;
	int rc;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(acme, sizeof(acme), "%s/acme.conf", dir);
	(void)snprintf(refuse, sizeof(refuse), "%s/refuse.conf", dir);
	rc = put_file(acme, profile_text) && put_file(refuse, refuse_text)
		     ? profiles_load(dir, &profiles, &error)
		     : -1;
	(void)unlink(acme);
	(void)unlink(refuse);
	(void)rmdir(dir);
	return rc;
}

static int unload(void **state)
{
	(void)state;
	profiles_unref(&profiles);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(rows) + 2];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].sentence, test_row, NULL, NULL,
						(void *)&rows[i] };
	tests[ARRAY_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(test_unseen);
	tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_nonsense);
	return _cmocka_run_group_tests("why", tests, ARRAY_LEN(tests), load, unload);
}
