/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who trusts us: one attempt at a time, one failure at most, also over deaths.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cache/store.h"
#include "proxy/tls/distrust.h"

#define HOST "a.v.example"
#define CA   7
#define DAY  INT64_C(86400000)
#define LONG (30 * DAY)

static char dir[64];
static struct store *store;
static struct writer *writer;
static struct distrust *d;
static int64_t now;
static unsigned saved_n;
static int saved_rc;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st, (void)type, (void)walk;
	return remove(path);
}

static void life_begin(void)
{
	struct store_config config = { .path = dir };

	assert_int_equal(store_open(&config, clock_read(), &store), 0);
	assert_int_equal(writer_new(store, &writer), 0);
	assert_int_equal(writer_start(writer), 0);
	assert_int_equal(distrust_new(store, writer, now, &d), 0);
}

static void life_end(void)
{
	distrust_free(&d);
	writer_stop(&writer);
	store_close(&store);
}

static int begin(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tarn-distrust-XXXXXX");
	assert_non_null(mkdtemp(dir));
	now = 1000 * DAY;
	saved_n = 0;
	life_begin();
	return 0;
}

static int end(void **state)
{
	(void)state;
	life_end();
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct addr device(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(span_of(text), 0, &addr), 0);
	return addr;
}

static enum distrust_word look(const char *who, const char *host)
{
	struct addr addr = device(who);

	return distrust_look(d, &addr, host, CA, now);
}

/* The writer's thread. */
static void on_saved(void *arg, int rc)
{
	(void)arg;
	__atomic_store_n(&saved_rc, rc, __ATOMIC_RELAXED);
	__atomic_add_fetch(&saved_n, 1, __ATOMIC_RELEASE);
}

static int attempt(const char *who, const char *host)
{
	struct addr addr = device(who);

	return distrust_try(d, &addr, host, CA, now, on_saved, NULL);
}

static void fail_it(const char *who, const char *host, enum distrust_reason reason)
{
	struct addr addr = device(who);

	distrust_failed(d, &addr, host, reason, now, LONG);
}

static void trust_it(const char *who, const char *host)
{
	struct addr addr = device(who);

	distrust_trusts(d, &addr, host, CA, now);
}

static void one_attempt_at_a_time(void **state)
{
	struct addr addr = device("10.0.0.1");

	(void)state;
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_NEW);
	assert_int_equal(attempt("10.0.0.1", HOST), 0);
	assert_int_equal(attempt("10.0.0.1", HOST), -EBUSY);
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_TRYING);
	/* Others, and another host of the same, are tried apart. */
	assert_int_equal(look("10.0.0.2", HOST), DISTRUST_NEW);
	assert_int_equal(look("10.0.0.1", "b.v.example"), DISTRUST_NEW);
	distrust_undecided(d, &addr, HOST);
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_NEW);
}

static void is_durable_when_told(void **state)
{
	(void)state;
	assert_int_equal(attempt("10.0.0.1", HOST), 0);
	while (!__atomic_load_n(&saved_n, __ATOMIC_ACQUIRE))
		;
	assert_int_equal(saved_rc, 0);
}

/* We die in the middle: what was not decided counts as failed. */
static void deaths(void **state)
{
	(void)state;
	assert_int_equal(attempt("10.0.0.1", HOST), 0);
	trust_it("10.0.0.2", HOST);
	fail_it("10.0.0.3", HOST, DISTRUST_ALERT);
	life_end();
	life_begin();
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_PAIR);
	assert_int_equal(look("10.0.0.2", HOST), DISTRUST_TRUSTS);
	assert_int_equal(look("10.0.0.3", HOST), DISTRUST_PAIR);
	now += DAY;
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_NEW);
	assert_int_equal(look("10.0.0.3", HOST), DISTRUST_PAIR);
}

static void is_tried_again_later_and_later(void **state)
{
	(void)state;
	fail_it("10.0.0.1", HOST, DISTRUST_ALERT);
	now += LONG - 1;
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_PAIR);
	now += 1;
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_NEW);
	fail_it("10.0.0.1", HOST, DISTRUST_ALERT);
	now += 2 * LONG - 1;
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_PAIR);
	for (int i = 0; i < 300; i++)
		fail_it("10.0.0.1", HOST, DISTRUST_ALERT);
	now += DISTRUST_LONG_MAX - 1;
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_PAIR);
	now += 1;
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_NEW);
	fail_it("10.0.0.2", HOST, DISTRUST_SLOW);
	now += DAY;
	assert_int_equal(look("10.0.0.2", HOST), DISTRUST_NEW);
}

static void distrust_weighs_more(void **state)
{
	(void)state;
	trust_it("10.0.0.1", HOST);
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_TRUSTS);
	fail_it("10.0.0.1", HOST, DISTRUST_ALERT);
	trust_it("10.0.0.1", HOST);
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_PAIR);
}

static void trust_is_in_one_authority(void **state)
{
	struct addr addr = device("10.0.0.1");

	(void)state;
	trust_it("10.0.0.1", HOST);
	assert_int_equal(distrust_look(d, &addr, HOST, CA + 1, now), DISTRUST_NEW);
	now += 91 * DAY;
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_NEW);
}

/* Addresses that a device makes up for itself are one device. */
static void of_ipv6_the_network(void **state)
{
	(void)state;
	trust_it("2001:db8::1", HOST);
	assert_int_equal(attempt("2001:db8::2", HOST), 0);
	assert_int_equal(look("2001:db8::3", HOST), DISTRUST_NEW);
	fail_it("2001:db8::2", HOST, DISTRUST_ALERT);
	assert_int_equal(look("2001:db8::2", HOST), DISTRUST_PAIR);
	assert_int_equal(look("2001:db8::3", HOST), DISTRUST_PAIR);
	assert_int_equal(look("2001:db8::1", HOST), DISTRUST_PAIR);
	assert_int_equal(look("2001:db8:0:1::3", HOST), DISTRUST_NEW);
	life_end();
	life_begin();
	assert_int_equal(look("2001:db8::9", HOST), DISTRUST_PAIR);
}

static void a_host_that_nobody_trusts(void **state)
{
	(void)state;
	fail_it("10.0.0.1", HOST, DISTRUST_ALERT);
	fail_it("10.0.0.2", HOST, DISTRUST_ALERT);
	assert_int_equal(look("10.0.0.9", HOST), DISTRUST_NEW);
	fail_it("10.0.0.3", HOST, DISTRUST_ALERT);
	assert_int_equal(look("10.0.0.9", HOST), DISTRUST_HOST);
	assert_int_equal(attempt("10.0.0.9", HOST), -EBUSY);
	trust_it("10.0.0.4", HOST);
	assert_int_equal(look("10.0.0.9", HOST), DISTRUST_NEW);
}

static void a_device_that_trusts_for_nothing(void **state)
{
	(void)state;
	fail_it("10.0.0.1", "a.v.example", DISTRUST_ALERT);
	fail_it("10.0.0.1", "b.v.example", DISTRUST_NO_REQUEST);
	fail_it("10.0.0.1", "c.v.example", DISTRUST_ENDED);
	assert_int_equal(look("10.0.0.1", "d.v.example"), DISTRUST_DEVICE);
	assert_int_equal(look("10.0.0.2", "d.v.example"), DISTRUST_NEW);
	assert_int_equal(distrust_forget(d, "10.0.0.1", "b.v.example"), 1);
	assert_int_equal(look("10.0.0.1", "d.v.example"), DISTRUST_NEW);
}

static void seen(const struct distrust_view *view, void *arg)
{
	unsigned *n = arg;

	assert_string_equal(view->host, HOST);
	assert_string_equal(view->device, (*n)++ ? "2001:db8::/64" : "10.0.0.1");
	assert_int_equal(view->reason, DISTRUST_ALERT);
	assert_int_equal(view->until_ms - view->since_ms, LONG);
}

static void is_shown_and_forgotten(void **state)
{
	size_t no, yes;
	unsigned n = 0;

	(void)state;
	fail_it("10.0.0.1", HOST, DISTRUST_ALERT);
	trust_it("10.0.0.2", HOST);
	distrust_each(d, now, seen, &n);
	assert_int_equal(n, 1);
	distrust_count(d, now, &no, &yes);
	assert_int_equal(no, 1);
	assert_int_equal(yes, 1);
	assert_int_equal(distrust_forget(d, "10.0.0.2", NULL), 0);
	assert_int_equal(distrust_forget(d, NULL, NULL), 1);
	life_end();
	life_begin();
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_NEW);
	fail_it("2001:db8::77", HOST, DISTRUST_ALERT);
	n = 1;
	distrust_each(d, now, seen, &n);
	assert_int_equal(n, 2);
}

static void is_bounded(void **state)
{
	size_t no, yes;
	char who[40];

	(void)state;
	for (unsigned i = 0; i < 2 * DISTRUST_MAX; i++) {
		snprintf(who, sizeof(who), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		trust_it(who, HOST);
	}
	distrust_count(d, now, &no, &yes);
	assert_true(yes <= DISTRUST_MAX && yes > DISTRUST_MAX / 2);
}

/* What trusts makes room; what distrusts would lose a connection once more. */
static void what_distrusts_is_kept(void **state)
{
	char who[40];

	(void)state;
	fail_it("10.9.0.1", HOST, DISTRUST_ALERT);
	assert_int_equal(attempt("10.9.0.2", HOST), 0);
	for (unsigned i = 0; i < 2 * DISTRUST_MAX; i++) {
		snprintf(who, sizeof(who), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		trust_it(who, HOST);
	}
	assert_int_equal(look("10.9.0.1", HOST), DISTRUST_PAIR);
	assert_int_equal(look("10.9.0.2", HOST), DISTRUST_TRYING);
}

/* One device that trusts for one host can't fill the table with hosts for which it does not. */
static void of_a_device_so_many(void **state)
{
	char host[40];
	unsigned i;

	(void)state;
	trust_it("10.0.0.1", HOST);
	for (i = 0; look("10.0.0.1", "new.v.example") == DISTRUST_NEW; i++) {
		snprintf(host, sizeof(host), "h%u.v.example", i);
		fail_it("10.0.0.1", host, DISTRUST_ALERT);
	}
	assert_int_equal(i, DISTRUST_DEVICE_MAX);
	assert_int_equal(look("10.0.0.1", HOST), DISTRUST_TRUSTS);
	assert_int_equal(look("10.0.0.2", "new.v.example"), DISTRUST_NEW);
}

static enum distrust_word turn(const char *who)
{
	struct addr addr = device(who);

	return distrust_turn_take(d, &addr, HOST, CA, now);
}

/* Trust may have been withdrawn: one connection at a time finds out. */
static void one_turn_at_a_time(void **state)
{
	struct addr addr = device("10.0.0.1"), six = device("2001:db8::1");

	(void)state;
	assert_int_equal(turn("10.0.0.1"), DISTRUST_NEW);
	trust_it("10.0.0.1", HOST);
	trust_it("10.0.0.2", HOST);
	assert_int_equal(turn("10.0.0.1"), DISTRUST_TRUSTS);
	assert_int_equal(turn("10.0.0.1"), DISTRUST_TRYING);
	assert_int_equal(turn("10.0.0.2"), DISTRUST_TRUSTS);
	trust_it("10.0.0.1", HOST); /* nor is it given back by that */
	assert_int_equal(turn("10.0.0.1"), DISTRUST_TRYING);
	distrust_turn_give(d, &addr, HOST);
	assert_int_equal(turn("10.0.0.1"), DISTRUST_TRUSTS);
	fail_it("10.0.0.1", HOST, DISTRUST_ALERT);
	assert_int_equal(turn("10.0.0.1"), DISTRUST_PAIR);
	distrust_turn_give(d, &addr, HOST);
	assert_int_equal(turn("10.0.0.1"), DISTRUST_PAIR);
	/* An entry that is gone by then. */
	trust_it("2001:db8::1", HOST);
	assert_int_equal(turn("2001:db8::1"), DISTRUST_TRUSTS);
	fail_it("2001:db8::1", HOST, DISTRUST_ALERT);
	distrust_turn_give(d, &six, HOST);
	assert_int_equal(turn("2001:db8::1"), DISTRUST_PAIR);
}

/* What the store gives may be anything. */
static void bad_rows(void **state)
{
	static const char *const rows[] = { "", "x", "\0\0\0\1\0\0\0\5", "\0\0\0\2\0\0\0\0" };

	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(writer_put_state(writer, SPAN("tls-distrust/0"),
						  span_make(rows[i], i == 1 ? 1 : 8), NULL, NULL),
				 0);
		life_end();
		life_begin();
		assert_int_equal(look("10.0.0.1", HOST), DISTRUST_NEW);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(one_attempt_at_a_time),
		T(is_durable_when_told),
		T(deaths),
		T(is_tried_again_later_and_later),
		T(distrust_weighs_more),
		T(trust_is_in_one_authority),
		T(of_ipv6_the_network),
		T(a_host_that_nobody_trusts),
		T(a_device_that_trusts_for_nothing),
		T(is_shown_and_forgotten),
		T(is_bounded),
		T(what_distrusts_is_kept),
		T(of_a_device_so_many),
		T(one_turn_at_a_time),
		T(bad_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
