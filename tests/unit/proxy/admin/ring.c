/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings of figures: time going on, standing still, jumping; what is kept and read again; damaged bytes.
 */
#include "tests/unit/proxy/rig.h"

#include "proxy/admin/ring.h"

#define NONE RING_NONE

static struct ring made(unsigned slots, unsigned series)
{
	struct ring ring;

	assert_int_equal(ring_init(&ring, slots, series), 0);
	return ring;
}

static void put(struct ring *ring, int64_t step, int64_t value)
{
	*ring_at(ring, step) = value;
}

/* The first series, newest first. */
static void ring_is(const struct ring *ring, const int64_t *want, unsigned n)
{
	for (unsigned back = 0; back < n; back++)
		assert_int_equal(ring_look(ring, back, 0), want[back]);
}
#define RING_IS(ring, ...)                                                                         \
	ring_is((ring), (const int64_t[]){ __VA_ARGS__ },                                          \
		sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static void test_empty(void **state)
{
	struct ring ring = made(3, 1);

	(void)state;
	RING_IS(&ring, NONE, NONE, NONE, NONE);
	ring_clear(&ring);
}

static void test_time_goes_on(void **state)
{
	struct ring ring = made(3, 1);

	(void)state;
	put(&ring, 100, 1);
	RING_IS(&ring, 1, NONE, NONE, NONE);
	put(&ring, 101, 2);
	*ring_at(&ring, 101) += 5;
	RING_IS(&ring, 7, 1, NONE, NONE);
	put(&ring, 103, 4); /* the box was off at 102 */
	RING_IS(&ring, 4, NONE, 7, NONE);
	put(&ring, 104, 5);
	RING_IS(&ring, 5, 4, NONE, NONE);
	put(&ring, 1000000, 6);
	RING_IS(&ring, 6, NONE, NONE, NONE);
	ring_clear(&ring);
}

static void test_clock_put_back(void **state)
{
	struct ring ring = made(4, 1);

	(void)state;
	for (int64_t step = 10; step < 14; step++)
		put(&ring, step, step);
	*ring_at(&ring, 11) += 100;
	RING_IS(&ring, 111, 10, NONE, NONE);
	put(&ring, 12, 12);
	RING_IS(&ring, 12, 111, 10, NONE);
	put(&ring, 2, 2); /* by more than the ring */
	RING_IS(&ring, 2, NONE, NONE, NONE);
	put(&ring, 0, 1);
	RING_IS(&ring, 1, NONE, NONE, NONE);
	ring_clear(&ring);
}

static uint8_t *written(const struct ring *ring, size_t *ret_n)
{
	uint8_t *bytes = malloc(ring_bytes(ring));

	*ret_n = ring_bytes(ring);
	ring_write(ring, bytes);
	return bytes;
}

static void test_kept(void **state)
{
	struct ring ring = made(3, 2), again = made(3, 2), larger = made(5, 3),
		    smaller = made(2, 1);
	uint8_t *bytes;
	size_t n;

	(void)state;
	for (int64_t step = 5; step < 9; step++) {
		put(&ring, step, step);
		ring_at(&ring, step)[1] = -step;
	}
	bytes = written(&ring, &n);
	assert_int_equal(ring_read(&again, span_make(bytes, n)), 0);
	RING_IS(&again, 8, 7, 6, NONE);
	assert_int_equal(ring_look(&again, 2, 1), -6);
	assert_int_equal(ring_read(&larger, span_make(bytes, n)), 0);
	RING_IS(&larger, 8, 7, 6, NONE, NONE);
	assert_true(ring_look(&larger, 0, 2) == NONE);
	assert_int_equal(ring_read(&smaller, span_make(bytes, n)), 0);
	RING_IS(&smaller, 8, 7, NONE);
	put(&again, 9, 9);
	RING_IS(&again, 9, 8, 7, NONE);
	free(bytes);
	ring_clear(&ring);
	ring_clear(&again);
	ring_clear(&larger);
	ring_clear(&smaller);
}

static void test_damaged(void **state)
{
	struct ring ring = made(3, 2), target = made(3, 2);
	uint8_t *bytes;
	size_t n;

	(void)state;
	put(&target, 1, 77);
	put(&ring, 5, 1);
	bytes = written(&ring, &n);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(ring_read(&target, span_make(bytes, cut)), -EBADMSG);
	/* Version, slots, series, newest: each of the head's bytes. */
	for (size_t i = 0; i < 13; i++) {
		bytes[i] ^= 0xff;
		assert_int_equal(ring_read(&target, span_make(bytes, n)), -EBADMSG);
		bytes[i] ^= 0xff;
	}
	RING_IS(&target, 77, NONE, NONE);
	assert_int_equal(ring_read(&target, span_make(bytes, n)), 0);
	free(bytes);
	ring_clear(&ring);
	ring_clear(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	       cmocka_unit_test(test_time_goes_on),
		cmocka_unit_test(test_clock_put_back), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
