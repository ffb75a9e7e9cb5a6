/* SPDX-License-Identifier: Apache-2.0 */
/* A new rig for each test of a program: `rig`, with cmocka's setup and teardown for it. */
#ifndef TESTS_UNIT_CACHE_EACH_H
#define TESTS_UNIT_CACHE_EACH_H

#include "tests/unit/cache/rig.h"

static struct rig rig;

RIG_UNUSED static int setup(void **state)
{
	(void)state;
	rig_new(&rig, RIG_LIMIT);
	return 0;
}

RIG_UNUSED static int teardown(void **state)
{
	(void)state;
	rig_free(&rig);
	return 0;
}

RIG_UNUSED static struct store_stat stat_now(void)
{
	struct store_stat s;

	store_stat(rig.store, &s);
	return s;
}

#endif
