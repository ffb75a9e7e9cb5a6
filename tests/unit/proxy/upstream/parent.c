/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents: which way a request takes, rests, loops, and two that are each other's.
 */
#include "tests/unit/proxy/rig.h"

#include "firmware/base/stat.h"
#include "proxy/upstream/parent.h"

#define OURS "tarn-55555555"

static struct tarn_settings settings;

static struct parents *make(bool proxy, bool direct, char *one, char *two)
{
	static char *servers[2];
	struct parents *parents;

	servers[0] = one;
	servers[1] = two;
	memset(&settings, 0, sizeof(settings));
	settings.parent.servers.v = servers;
	settings.parent.servers.n = two ? 2 : one ? 1 : 0;
	settings.parent.mode = proxy ? TARN_PARENT_PROXY : TARN_PARENT_REVERSE;
	settings.parent.direct = direct;
	settings.parent.check = 10000;
	assert_int_equal(parents_new(&settings, &parents), 0);
	return parents;
}

/* The host of the next way, "straight", or "none". */
static const char *next(struct parents *parents, bool secure, unsigned tried, uint64_t now)
{
	static struct parent_way way;

	if (!parents_next(parents, "acme", secure, tried, now, &way))
		return "none";
	return way.id ? way.at.host : "straight";
}

static unsigned id_of(struct parents *parents, size_t i)
{
	struct parent_view view;

	assert_true(parents_at(parents, i, 0, &view));
	return view.way.id;
}

static enum parent_state state(struct parents *parents, size_t i, uint64_t now)
{
	struct parent_view view;

	assert_true(parents_at(parents, i, now, &view));
	return view.state;
}

static void hear(struct parents *parents, const char *via, uint64_t now)
{
	static char text[256];
	static struct http_head head;
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\nVia: %s\r\n\r\n", via);

	assert_int_equal(http_request_parse(&head, text, (size_t)n), 0);
	parents_heard(parents, &head, OURS, now);
}

static void test_without(void **unused)
{
	struct parents *parents = make(true, true, NULL, NULL);

	(void)unused;
	assert_string_equal(next(parents, false, 0, 5), "straight");
	assert_string_equal(next(parents, false, parent_tried(0, 0), 5), "none");
	assert_string_equal(next(NULL, false, 0, 5), "straight");
	assert_false(parents_reach(parents, "acme", 5));
	parents_free(&parents);
}

static void test_order(void **unused)
{
	struct parents *parents = make(true, true, "http://192.0.2.1:1", "http://192.0.2.2:1");
	unsigned tried = 0;

	(void)unused;
	assert_string_equal(next(parents, false, tried, 5), "192.0.2.1");
	tried = parent_tried(tried, id_of(parents, 0));
	assert_string_equal(next(parents, false, tried, 5), "192.0.2.2");
	tried = parent_tried(tried, id_of(parents, 1));
	assert_string_equal(next(parents, false, tried, 5), "straight");
	tried = parent_tried(tried, 0);
	assert_string_equal(next(parents, false, tried, 5), "none");
	parents_free(&parents);
}

static void test_rests(void **unused)
{
	struct parents *parents = make(true, true, "http://192.0.2.1:1", NULL);
	unsigned id = id_of(parents, 0);
	uint64_t now = 1000, rest = PARENT_REST_MIN_MS;

	(void)unused;
	for (int i = 0; i < 9; i++) {
		parents_failed(parents, id, "broken", false, now);
		parents_failed(parents, id, "broken", false,
			       now); /* at the same time: the same failure */
		assert_int_equal(state(parents, 0, now + rest - 1), PARENT_RESTING);
		assert_string_equal(next(parents, false, 0, now + rest - 1), "straight");
		assert_string_equal(next(parents, false, 0, now + rest), "192.0.2.1");
		now += rest;
		rest = rest * 2 > PARENT_REST_MAX_MS ? PARENT_REST_MAX_MS : rest * 2;
	}
	parents_good(parents, id);
	parents_failed(parents, id, "broken", false, now);
	assert_int_equal(state(parents, 0, now + PARENT_REST_MIN_MS), PARENT_GOOD);
	parents_failed(parents, id + 1, "gone long ago", false, now); /* nobody's */
	parents_free(&parents);
}

static void test_never_straight(void **unused)
{
	struct parents *parents = make(true, false, "http://192.0.2.1:1", NULL);
	unsigned id = id_of(parents, 0);

	(void)unused;
	parents_failed(parents, id, "broken", false, 5);
	/* There is no other way: so it is tried all the same, but once. */
	assert_string_equal(next(parents, false, 0, 6), "192.0.2.1");
	assert_string_equal(next(parents, false, parent_tried(0, id), 6), "none");
	parents_free(&parents);
}

/* What would be done now, as next(): it is told, and counted nowhere. */
static const char *peek(struct parents *parents, bool secure, uint64_t now, bool *ret_bypassed)
{
	static struct parent_way way;

	if (!parents_peek(parents, "acme", secure, now, &way, ret_bypassed))
		return "none";
	return way.id ? way.at.host : "straight";
}

static uint64_t requests(struct parents *parents, size_t i)
{
	struct parent_view view;

	assert_true(parents_at(parents, i, 0, &view));
	return view.requests;
}

static void test_peek(void **unused)
{
	struct parents *parents = make(true, true, "http://192.0.2.1:1", "http://192.0.2.2:1");
	int64_t bypassed_n = stat_read(STAT_PARENT_BYPASSED);
	bool bypassed = true;

	(void)unused;
	assert_string_equal(peek(parents, false, 5, &bypassed), "192.0.2.1");
	assert_false(bypassed);
	assert_int_equal(requests(parents, 0), 0);
	parents_failed(parents, id_of(parents, 0), "broken", false, 5);
	assert_string_equal(peek(parents, false, 6, &bypassed), "192.0.2.2");
	assert_false(bypassed);
	parents_failed(parents, id_of(parents, 1), "broken", false, 5);
	assert_string_equal(peek(parents, false, 6, &bypassed), "straight");
	assert_true(bypassed);
	assert_int_equal(stat_read(STAT_PARENT_BYPASSED), bypassed_n);
	/* It said what the next request does. */
	assert_string_equal(next(parents, false, 0, 6), "straight");
	assert_string_equal(peek(parents, false, 5 + PARENT_REST_MIN_MS, &bypassed), "192.0.2.1");
	parents_free(&parents);

	parents = make(true, true, NULL, NULL);
	assert_string_equal(peek(parents, false, 5, &bypassed), "none");
	assert_string_equal(peek(NULL, false, 5, &bypassed), "none");
	parents_free(&parents);
	/* Straight because no parent is for it is no bypass. */
	parents = make(true, true, "https://192.0.2.1", NULL);
	assert_string_equal(peek(parents, true, 5, &bypassed), "straight");
	assert_false(bypassed);
	parents_free(&parents);
}

static void test_schemes(void **unused)
{
	struct parents *proxies = make(true, true, "https://192.0.2.1", "http://192.0.2.2");
	struct parents *reverse = make(false, true, "http://192.0.2.2", "https://192.0.2.1");

	(void)unused;
	assert_string_equal(next(proxies, false, 0, 5), "192.0.2.1");
	assert_string_equal(next(proxies, true, 0, 5), "192.0.2.2"); /* a tunnel */
	assert_string_equal(next(reverse, false, 0, 5), "192.0.2.2");
	assert_string_equal(next(reverse, true, 0, 5), "192.0.2.1"); /* https on each part */
	parents_free(&proxies);
	parents_free(&reverse);
	/* Where none can, straight is not forbidden. */
	reverse = make(false, false, "http://192.0.2.2", NULL);
	assert_string_equal(next(reverse, true, 0, 5), "straight");
	parents_free(&reverse);
}

static void test_vendors(void **unused)
{
	struct parents *parents = make(true, true, "http://192.0.2.1:1", NULL);
	static char *names[] = { "other" };
	struct parent_way way;

	(void)unused;
	assert_true(parents_next(parents, NULL, false, 0, 5, &way)); /* a host of none */
	assert_int_equal(way.id, 0);
	settings.parent.vendors.v = names;
	settings.parent.vendors.n = 1;
	parents_set(parents, &settings);
	assert_string_equal(next(parents, false, 0, 5), "straight");
	assert_true(parents_next(parents, "other", false, 0, 5, &way));
	assert_string_equal(way.at.host, "192.0.2.1");
	parents_free(&parents);
}

static void test_checks(void **unused)
{
	struct parents *parents = make(true, true, "http://192.0.2.1:1", NULL);
	unsigned id = id_of(parents, 0);

	(void)unused;
	assert_false(parents_reach(parents, "acme", 5)); /* not known yet */
	assert_true(parents_checked(parents, id, NULL, false, "", 5));
	assert_false(parents_checked(parents, id, NULL, false, "", 6));
	assert_true(parents_reach(parents, "acme", 6));
	assert_true(parents_checked(parents, id, "no connection", false, "", 7));
	assert_int_equal(state(parents, 0, UINT64_MAX), PARENT_DOWN);
	assert_false(parents_reach(parents, "acme", 8));
	assert_true(parents_checked(parents, id, NULL, false, "", 9));
	assert_true(parents_checked(parents, id, "back here", true, "", 10));
	assert_int_equal(state(parents, 0, 10), PARENT_LOOP);
	assert_true(parents_checked(parents, id, NULL, false, "", 11));
	assert_int_equal(state(parents, 0, 11), PARENT_GOOD);
	parents_free(&parents);
}

static void test_mutual(void **unused)
{
	struct parents *parents = make(true, true, "http://192.0.2.1:1", "http://192.0.2.2:1");

	(void)unused;
	parents_checked(parents, id_of(parents, 0), NULL, false, "tarn-66666666", 5);
	parents_checked(parents, id_of(parents, 1), NULL, false, "tarn-44444444", 5);
	hear(parents, "1.1 squid, 1.1 tarn-77777777", 6);
	assert_int_equal(state(parents, 0, 6), PARENT_GOOD);
	hear(parents, "1.0 fred, 1.1 tarn-66666666 (x)", 7);
	assert_int_equal(state(parents, 0, 7), PARENT_MUTUAL);
	assert_int_equal(state(parents, 0, 60007), PARENT_GOOD); /* it has stopped */
	hear(parents, "1.1 tarn-44444444", 8);
	assert_int_equal(state(parents, 1, 8), PARENT_GOOD); /* that one goes straight */
	hear(parents, "1.1 tarn-66666666", 9);
	parents_checked(parents, id_of(parents, 0), NULL, false, "tarn-33333333", 10);
	assert_int_equal(state(parents, 0, 10), PARENT_GOOD); /* another box now */
	parents_free(&parents);
}

/* What the request came by in its Via was asked before us: the next way of it. */
static const char *next_after(struct parents *parents, const char *via, uint64_t now)
{
	static char text[256];
	static struct http_head head;
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\nVia: %s\r\n\r\n", via);

	assert_int_equal(http_request_parse(&head, text, (size_t)n), 0);
	return next(parents, false, parents_passed(parents, &head), now);
}

static void test_ring(void **unused)
{
	struct parents *parents = make(true, true, "http://192.0.2.1:1", NULL);

	(void)unused;
	parents_checked(parents, id_of(parents, 0), NULL, false, "tarn-66666666", 5);
	/* Another of the ring comes first: that one goes straight, we do so for this request alone. */
	hear(parents, "1.1 tarn-66666666, 1.1 tarn-33333333", 6);
	assert_int_equal(state(parents, 0, 6), PARENT_GOOD);
	assert_string_equal(next_after(parents, "1.1 tarn-66666666, 1.1 tarn-33333333", 6),
			    "straight");
	assert_string_equal(next_after(parents, "1.1 tarn-33333333", 6), "192.0.2.1");
	/* Who is in front of our parent is none of the ring. */
	hear(parents, "1.1 tarn-33333333, 1.1 tarn-66666666, 1.1 tarn-77777777", 7);
	assert_int_equal(state(parents, 0, 7), PARENT_MUTUAL);
	parents_free(&parents);
}

static void test_reload(void **unused)
{
	struct parents *parents = make(true, true, "http://192.0.2.1:1", "http://192.0.2.2:1");
	static char *servers[] = { "http://192.0.2.3:1", "http://192.0.2.2:1" };
	unsigned one = id_of(parents, 0), two = id_of(parents, 1);

	(void)unused;
	parents_checked(parents, two, "no connection", false, "", 5);
	settings.parent.servers.v = servers;
	parents_set(parents, &settings);
	assert_int_equal(id_of(parents, 1), two);
	assert_int_equal(state(parents, 1, 6), PARENT_DOWN);
	assert_int_not_equal(id_of(parents, 0), one);
	assert_int_equal(state(parents, 0, 6), PARENT_GOOD);
	parents_free(&parents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without), cmocka_unit_test(test_order),
		cmocka_unit_test(test_rests),	cmocka_unit_test(test_never_straight),
		cmocka_unit_test(test_peek),	cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_vendors), cmocka_unit_test(test_checks),
		cmocka_unit_test(test_mutual),	cmocka_unit_test(test_ring),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
