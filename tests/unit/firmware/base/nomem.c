/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading settings and profiles while the Nth allocation fails, for every N: each load ends in an error that
 * says so and gives nothing, or (libc can do without some) gives all; and leaves nothing behind. A running proxy reloads, so it must outlive this.
 *
 * The allocator of this program is replaced for it; a sanitizer has its own, then this is a visible skip.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/base/profile.h"
#include "firmware/base/tarn_conf.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int main(void)
{
	printf("1..1\nok 1 - out of memory # SKIP the sanitizer's allocator can't be replaced\n");
	return 0;
}

#else

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static bool watching;
static long countdown; /* allocations until one fails; then all succeed again */
static long live;      /* pieces allocated and not freed while watching */

static bool refuse(void)
{
	bool refused = watching && countdown-- == 0;

	if (refused)
		errno = ENOMEM;
	return refused;
}

void *malloc(size_t n)
{
	void *p = refuse() ? NULL : __libc_malloc(n);

	live += watching && p;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = refuse() ? NULL : __libc_calloc(n, size);

	live += watching && p;
	return p;
}

void *realloc(void *old, size_t n)
{
	/* To make a piece smaller never fails; libc keeps the larger one if it does. */
	bool grows = !old || malloc_usable_size(old) < n;
	void *p = grows && refuse() ? NULL : __libc_realloc(old, n);

	live += watching && p && !old;
	return p;
}

void free(void *p)
{
	live -= watching && p;
	__libc_free(p);
}

typedef int load_f(struct settings_error *error);

static int load_conf(struct settings_error *error)
{
	struct tarn_settings settings;
	int rc = tarn_conf_load("/dev/null", &settings, error);

	if (rc < 0)
		return rc;
	assert_int_equal(settings.proxy.allow.n, 7);
	tarn_conf_free(&settings);
	return 0;
}

static char dir[] = "/tmp/tarn-nomem.XXXXXX";

static void count(const struct profile *profile, struct span host, void *arg)
{
	size_t *n = arg;

	assert_non_null(profile);
	*n += host.n;
}

static size_t bytes_expected; /* in all names of hosts */

static int load_profiles(struct settings_error *error)
{
	struct profiles *set = NULL;
	int rc = profiles_load(dir, &set, error);
	size_t bytes = 0;

	if (rc < 0)
		return rc;
	profile_each_exact_host(set, count, &bytes);
	profile_each_never(set, count, &bytes);
	if (bytes_expected == 0)
		bytes_expected = bytes;
	assert_int_equal(bytes, bytes_expected);
	assert_int_equal(profiles_count(set), 2);
	profiles_unref(&set);
	return 0;
}

static void every_allocation_may_fail(load_f *load, long at_least)
{
	struct settings_error error;
	long n = 0, failed = 0;
	int rc;

	for (;; n++) {
		countdown = n;
		live = 0;
		watching = true;
		rc = load(&error);
		watching = false;
		if (live != 0)
			fail_msg("allocation %ld failing leaves %ld behind", n, live);
		if (countdown >= 0) /* none failed: it was the last round */
			break;
		if (rc != -ENOMEM && rc != 0)
			fail_msg("allocation %ld failing gives %d: %s", n, rc, error.what);
		assert_int_equal(error.what[0] != '\0', rc < 0);
		failed += rc < 0;
	}
	assert_int_equal(rc, 0);
	assert_true(failed >= at_least);
}

static void settings_without_memory(void **state)
{
	(void)state;
	every_allocation_may_fail(load_conf, 10);
}

static void profiles_without_memory(void **state)
{
	char command[200];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(
		command, sizeof(command),
		"sed 's/^enabled = no/enabled = yes/' firmware/vendors/example.conf >%s/a.conf &&"
		"cp firmware/vendors/kaspersky.conf %s/",
		dir, dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(load_profiles(&(struct settings_error){ 0 }), 0);
	every_allocation_may_fail(load_profiles, 100);
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_without_memory),
		cmocka_unit_test(profiles_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
