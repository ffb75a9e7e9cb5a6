/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy on one thread for tests: the test's own thread is the loop, which a test turns until its condition
 * holds or its deadline has passed.
 */
#ifndef TESTS_UNIT_PROXY_RIG_H
#define TESTS_UNIT_PROXY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/config.h"
#include "proxy/dns/resolve.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/balance.h"

struct rig {
	struct proxy proxy;
	struct worker *worker;
	char dir[64];	  /* of vendor profiles */
	uint64_t skew_ms; /* how far ahead of the clock worker_now() is to be */
};

/* `profile` is the text of a vendor profile, or NULL; `sets` are "section.key=value", NULL-terminated. */
static inline void rig_make(struct rig *rig, const char *profile, const char *const *sets)
{
	const char *all[16];
	struct config_source source = { .overrides = all };
	struct settings_error error;
	char file[80], dir[96], empty[80];
	FILE *out;

	memset(rig, 0, sizeof(*rig));
	strcpy(rig->dir, "/tmp/tarn-rig-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(empty, sizeof(empty), "%s/tarn", rig->dir);
	out = fopen(empty, "w");
	assert_non_null(out);
	fclose(out);
	source.path = empty;
	if (profile) {
		snprintf(file, sizeof(file), "%s/test.conf", rig->dir);
		out = fopen(file, "w");
		assert_non_null(out);
		fputs(profile, out);
		fclose(out);
	}
	snprintf(dir, sizeof(dir), "vendors.dir=%s", rig->dir);
	all[source.overrides_n++] = dir;
	for (; sets && *sets; sets++)
		all[source.overrides_n++] = *sets;
	assert_int_equal(control_new(&rig->proxy, &rig->worker), 0);
	rig->proxy.control = rig->worker;
	if (config_load(&source, &rig->worker->config, &error) != 0)
		fail_msg("%s: %s", error.file, error.what);
	assert_int_equal(balance_new(&rig->proxy.balance), 0);
	assert_int_equal(resolver_new(rig->worker, &rig->proxy.resolver), 0);
}

static inline void rig_end(struct rig *rig)
{
	char file[80];

	resolver_free(&rig->proxy.resolver);
	balance_free(&rig->proxy.balance);
	control_free(&rig->worker);
	snprintf(file, sizeof(file), "%s/test.conf", rig->dir);
	unlink(file);
	snprintf(file, sizeof(file), "%s/tarn", rig->dir);
	unlink(file);
	rmdir(rig->dir);
}

/* One turn of the loop, at most `ms` long. */
static inline void rig_turn(struct rig *rig, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	rig->worker->turn++;
	rig->worker->now_turn = rig->worker->turn;
	rig->worker->now_read = now_after(clock_read(), rig->skew_ms);
	event_base_loopexit(rig->worker->base, &tv);
	assert_true(event_base_loop(rig->worker->base, EVLOOP_ONCE) >= 0);
}

/* Turns the loop until `condition` holds; fails the test after 10 s. */
#define RIG_UNTIL(rig, condition)                                                                  \
	do {                                                                                       \
		uint64_t rig_end_ = clock_read().mono_ms + 10000;                                  \
		while (!(condition)) {                                                             \
			if (clock_read().mono_ms > rig_end_)                                       \
				fail_msg("never came true: %s", #condition);                       \
			rig_turn(rig, 20);                                                         \
		}                                                                                  \
	} while (0)

/* Turns the loop for a while, in which something must not happen. */
static inline void rig_settle(struct rig *rig, unsigned ms)
{
	uint64_t end = clock_read().mono_ms + ms;

	while (clock_read().mono_ms < end)
		rig_turn(rig, 5);
}

#endif
