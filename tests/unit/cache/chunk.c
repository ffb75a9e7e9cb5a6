/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cache/chunk.h"

static unsigned calls;

static void count(struct chunk_waiter *waiter)
{
	(void)waiter;
	calls++;
}

static void counts_references(void **state)
{
	struct chunk_pool *pool;
	struct chunk *a, *b;

	(void)state;
	assert_int_equal(chunk_pool_new(2, &pool), 0);
	a = chunk_new(pool);
	assert_non_null(a);
	assert_int_equal((uintptr_t)chunk_pages(a) % 4096, 0); /* as the store writes them */
	assert_ptr_equal(chunk_pages(a) + 16, a->data);
	a->data[CONFIG_CHUNK_BYTES - 1] = 1;
	b = chunk_ref(a);
	chunk_unref(&a);
	assert_null(a);
	assert_int_equal(chunk_pool_use(pool).out, 1);
	chunk_unref(&b);
	assert_int_equal(chunk_pool_use(pool).out, 0);
	assert_true(chunk_pool_use(pool).spare >= 1);
	chunk_pool_free(&pool);
}

static void the_last_that_came_back_is_the_next(void **state)
{
	struct chunk_pool *pool;
	struct chunk *a, *b, *was;

	(void)state;
	assert_int_equal(chunk_pool_new(64, &pool), 0);
	a = chunk_new(pool);
	b = chunk_new(pool);
	was = a;
	chunk_unref(&a);
	a = chunk_new(pool);
	assert_ptr_equal(a, was);
	was = b;
	chunk_unref(&b);
	b = chunk_new(pool);
	assert_ptr_equal(b, was);
	chunk_unref(&a);
	chunk_unref(&b);
	chunk_pool_free(&pool);
}

#define MANY 256

/* What is out keeps its bytes; what nobody needed from one call to the next is given back, but for a little. */
static void gives_back_what_was_not_needed(void **state)
{
	struct chunk_pool *pool;
	struct chunk *chunks[MANY];
	uint32_t most;

	(void)state;
	assert_int_equal(chunk_pool_new(MANY, &pool), 0);
	for (int i = 0; i < MANY; i++) {
		chunks[i] = chunk_new(pool);
		assert_non_null(chunks[i]);
		memset(chunks[i]->data, i, CONFIG_CHUNK_BYTES);
	}
	chunk_pool_trim(pool);
	most = chunk_pool_use(pool).spare;
	for (int i = 1; i < MANY; i++)
		chunk_unref(&chunks[i]);
	assert_int_equal(chunk_pool_use(pool).spare, most + MANY - 1);
	chunk_pool_trim(pool); /* all were needed since the last call */
	assert_int_equal(chunk_pool_use(pool).spare, most + MANY - 1);
	chunk_pool_trim(pool);
	assert_true(chunk_pool_use(pool).spare < MANY / 4);
	for (int i = 0; i < CONFIG_CHUNK_BYTES; i++)
		assert_int_equal(chunks[0]->data[i], 0);
	/* And all of them once more. */
	for (int i = 1; i < MANY; i++) {
		chunks[i] = chunk_new(pool);
		assert_non_null(chunks[i]);
		chunks[i]->data[0] = 1;
	}
	for (int i = 0; i < MANY; i++)
		chunk_unref(&chunks[i]);
	chunk_pool_free(&pool);
}

static void stops_at_its_limit_and_wakes_in_turn(void **state)
{
	struct chunk_waiter first = { .ready = count }, second = { .ready = count };
	struct chunk_pool *pool;
	struct chunk *a, *b;

	(void)state;
	calls = 0;
	assert_int_equal(chunk_pool_new(1, &pool), 0);
	a = chunk_new(pool);
	assert_non_null(a);
	assert_null(chunk_new(pool));
	chunk_wait(pool, &first);
	chunk_wait(pool, &second);
	chunk_wait(pool, &second); /* is waiting already */
	assert_int_equal(calls, 0);
	b = chunk_ref(a);
	chunk_unref(&b);
	assert_int_equal(calls, 0);
	chunk_unref(&a);
	assert_int_equal(calls, 1);
	assert_false(first.waiting);
	assert_true(second.waiting);
	chunk_wait_cancel(pool, &second);
	a = chunk_new(pool);
	chunk_unref(&a);
	assert_int_equal(calls, 1);
	/* One is free: no waiting. */
	chunk_wait(pool, &first);
	assert_int_equal(calls, 2);
	chunk_pool_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_references),
		cmocka_unit_test(the_last_that_came_back_is_the_next),
		cmocka_unit_test(gives_back_what_was_not_needed),
		cmocka_unit_test(stops_at_its_limit_and_wakes_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
