/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vendor addresses over restarts of the proxy: kept, bounded, forgotten in time; a damaged row harms nobody.
 */
#include "tests/unit/proxy/rig.h"

#include <ftw.h>

#include "cache/store.h"
#include "cache/writer.h"
#include "proxy/known.h"

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static int dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tarn-known-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_remove(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct told {
	unsigned n;
	struct addr last;
	uint32_t ttl;
};

static void on_told(void *arg, const struct addr *addr, uint32_t ttl)
{
	struct told *told = arg;

	told->n++;
	told->last = *addr;
	told->ttl = ttl;
}

/* One life of the proxy. */
struct life {
	struct rig rig;
	struct known *known;
	struct told told;
};

static void life_begin(struct life *life, uint64_t skew_ms)
{
	struct store_config config = { .path = dir };

	memset(life, 0, sizeof(*life));
	rig_make(&life->rig, NULL, NULL);
	life->rig.skew_ms = skew_ms;
	rig_turn(&life->rig, 0);
	assert_int_equal(store_open(&config, clock_read(), &life->rig.proxy.store), 0);
	assert_int_equal(writer_new(life->rig.proxy.store, &life->rig.proxy.writer), 0);
	assert_int_equal(writer_start(life->rig.proxy.writer), 0);
	assert_int_equal(known_new(life->rig.worker, on_told, &life->told, &life->known), 0);
}

static void life_end(struct life *life)
{
	known_free(&life->known);
	writer_stop(&life->rig.proxy.writer);
	store_close(&life->rig.proxy.store);
	rig_end(&life->rig);
}

static struct addr at(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(span_of(text), 0, &addr), 0);
	return addr;
}

static void test_over_a_restart(void **state)
{
	struct addr v4 = at("192.0.2.1"), v6 = at("2001:db8::1");
	struct life life;

	(void)state;
	life_begin(&life, 0);
	assert_int_equal(life.told.n, 0);
	known_add(life.known, &v4, 60);
	known_add(life.known, &v6, 60);
	known_add(life.known, &v4, 300);
	assert_int_equal(known_count(life.known), 2);
	life_end(&life);

	life_begin(&life, 1000);
	assert_int_equal(life.told.n, 2);
	/* The one that was seen last comes last. */
	assert_true(addr_ip_eq(&life.told.last, &v4));
	assert_in_range(life.told.ttl, KNOWN_KEEP_S - 100, KNOWN_KEEP_S);
	life_end(&life);

	/* A day later nothing of it counts. */
	life_begin(&life, KNOWN_KEEP_S * UINT64_C(1000) + 2000);
	assert_int_equal(life.told.n, 0);
	life_end(&life);
}

/* Saved while running, too: a kill -9 loses some seconds at most. */
static void test_saved_meanwhile(void **state)
{
	struct addr addr = at("192.0.2.7");
	struct store_reader *reader;
	struct life life;
	uint8_t row[4096];
	size_t n;

	(void)state;
	life_begin(&life, 0);
	known_add(life.known, &addr, 60);
	assert_int_equal(store_reader_new(life.rig.proxy.store, &reader), 0);
	RIG_UNTIL(&life.rig,
		  store_state_get(reader, SPAN("vendor-addresses"), row, sizeof(row), &n) == 0);
	assert_int_equal(n, 8 + 24);
	store_reader_free(&reader);
	life_end(&life);
}

static void test_bounded(void **state)
{
	struct addr addr = at("2001:db8::");
	struct life life;

	(void)state;
	life_begin(&life, 0);
	for (unsigned i = 1; i <= KNOWN_MAX + 500; i++) {
		addr.in6.sin6_addr.s6_addr[14] = (uint8_t)(i >> 8);
		addr.in6.sin6_addr.s6_addr[15] = (uint8_t)i;
		known_add(life.known, &addr, 60);
	}
	assert_int_equal(known_count(life.known), KNOWN_MAX);
	life_end(&life);
	life_begin(&life, 0);
	/* Some at once, all soon. */
	assert_in_range(life.told.n, 1, KNOWN_MAX - 1);
	RIG_UNTIL(&life.rig, life.told.n == KNOWN_MAX);
	assert_true(addr_ip_eq(&life.told.last, &addr));
	life_end(&life);
}

static void row_put(struct life *life, struct span row)
{
	assert_int_equal(
		writer_put_state(life->rig.proxy.writer, SPAN("vendor-addresses"), row, NULL, NULL),
		0);
}

static void test_damaged(void **state)
{
	static const struct span rows[] = {
		SPAN(""),
		SPAN("\0\0\0"),
		SPAN("\0\0\0\2\0\0\0\0"),
		SPAN("\0\0\0\1\0\0\0\1"),
		SPAN("\0\0\0\1\377\377\377\377"),
		SPAN("\0\0\0\1\0\0\0\1abcdefghijklmnop\0\0\0\0\0\0\0"),
	};
	struct life life;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		life_begin(&life, 0);
		row_put(&life, rows[i]);
		life_end(&life);
		life_begin(&life, 0);
		assert_int_equal(life.told.n, 0);
		life_end(&life);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_over_a_restart, dir_make, dir_remove),
		cmocka_unit_test_setup_teardown(test_saved_meanwhile, dir_make, dir_remove),
		cmocka_unit_test_setup_teardown(test_bounded, dir_make, dir_remove),
		cmocka_unit_test_setup_teardown(test_damaged, dir_make, dir_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
