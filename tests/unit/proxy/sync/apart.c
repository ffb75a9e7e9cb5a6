/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices stand apart from the repository, and why; and those that have asked for nothing.
 */
#include "tests/unit/proxy/rig.h"

#include "proxy/sync/apart.h"
#include "proxy/tls/distrust.h"

#define PROFILE "[vendor]\nname = acme\n[hosts]\nexact = a.acme.example b.acme.example\n"
#define HOUR	3600
#define LONG	(30 * INT64_C(86400000))

static struct rig rig;

static int64_t now(void)
{
	return worker_now(rig.worker)->wall_ms / 1000;
}

static void make(const char *setting)
{
	const char *const sets[] = { setting, NULL };

	rig_make(&rig, PROFILE, sets);
	assert_int_equal(distrust_new(NULL, NULL, now() * 1000, &rig.proxy.distrust), 0);
}

static void end(void)
{
	distrust_free(&rig.proxy.distrust);
	rig_end(&rig);
}

/* `ago`: seconds. */
static void distrusts(const char *device, const char *host, int64_t ago)
{
	struct addr addr;

	assert_int_equal(addr_parse(span_of(device), 0, &addr), 0);
	distrust_trusts(rig.proxy.distrust, &addr, host, 1, (now() - ago) * 1000);
	distrust_failed(rig.proxy.distrust, &addr, host, DISTRUST_ALERT, (now() - ago) * 1000,
			LONG);
}

/* A device that came first and last so long ago, has got an index or not, and met with errors. */
struct came {
	int64_t first, last;
	bool updated;
	uint64_t errors;
};

static enum apart_reason of(struct apart *apart, const char *text, struct came came)
{
	struct demand_standing standing = {
		.profile = "acme",
		.last = now() - came.last,
		.updated = came.updated ? now() - came.last : 0,
		.requests = 5,
		.errors = came.errors,
	};
	struct demand_device device = { .named = true, .first = now() - came.first };
	struct addr addr;

	assert_int_equal(addr_parse(span_of(text), 0, &addr), 0);
	addr_to_in6(&addr, device.id);
	return apart_of(apart, &device, &standing);
}

/* As of(), by itself. */
static enum apart_reason alone(const char *text, struct came came)
{
	struct apart *apart;
	enum apart_reason reason;

	assert_int_equal(apart_new(rig.worker, &apart), 0);
	reason = of(apart, text, came);
	apart_free(&apart);
	return reason;
}

static const struct came updated = { .first = HOUR, .last = 60, .updated = true };

static void test_straight(void **state)
{
	(void)state;
	make("scope.straight=192.0.2.0/24");
	assert_int_equal(alone("192.0.2.7", updated), APART_STRAIGHT);
	assert_int_equal(alone("198.51.100.7", updated), APART_NO);
	end();
}

static void test_https(void **state)
{
	struct came later = updated;

	(void)state;
	make(NULL);
	distrusts("192.0.2.7", "a.acme.example", 30);
	distrusts("2001:db8:1:2::7", "a.acme.example", 30);
	distrusts("192.0.2.9", "other.example", 30);
	assert_int_equal(alone("192.0.2.7", updated), APART_HTTPS);
	assert_int_equal(alone("2001:db8:1:2::8", updated), APART_HTTPS); /* its network's word */
	assert_int_equal(alone("2001:db8:1:3::7", updated), APART_NO);
	assert_int_equal(alone("192.0.2.8", updated), APART_NO);
	assert_int_equal(alone("192.0.2.9", updated), APART_NO); /* no vendor's host */
	later.last = 10;					 /* it has come by HTTP since */
	assert_int_equal(alone("192.0.2.7", later), APART_NO);
	end();
}

static void test_no_index(void **state)
{
	(void)state;
	make(NULL);
	assert_int_equal(alone("192.0.2.7", (struct came){ HOUR, 60, false, 0 }), APART_NO_INDEX);
	assert_int_equal(alone("192.0.2.7", (struct came){ HOUR, 60, false, 4 }), APART_NO_INDEX);
	/* That fails, and does not stand apart. */
	assert_int_equal(alone("192.0.2.7", (struct came){ HOUR, 60, false, 5 }), APART_NO);
	/* It has only begun. */
	assert_int_equal(alone("192.0.2.7", (struct came){ 60, 10, false, 0 }), APART_NO);
	end();
}

struct others {
	unsigned n;
	char text[4][64];
	int64_t since_ms[4];
};

static int other_add(void *arg, const struct apart_other *other)
{
	struct others *others = arg;

	assert_in_range(others->n, 0, 3);
	assert_string_equal(other->profile, "acme");
	strcpy(others->text[others->n], other->device);
	others->since_ms[others->n++] = other->since_ms;
	return 0;
}

static void test_others(void **state)
{
	struct others others = { 0 };
	struct apart *apart;

	(void)state;
	make(NULL);
	distrusts("192.0.2.7", "a.acme.example", 30);
	distrusts("192.0.2.8", "a.acme.example", 30);
	distrusts("192.0.2.8", "b.acme.example", 40);
	distrusts("2001:db8:1:2::7", "b.acme.example", 30);
	assert_int_equal(apart_new(rig.worker, &apart), 0);
	assert_int_equal(of(apart, "192.0.2.7", updated), APART_HTTPS);
	assert_int_equal(apart_each_other(apart, other_add, &others), 0);
	assert_int_equal(others.n, 2); /* each once, and not the one that has asked us */
	for (unsigned i = 0; i < others.n; i++) {
		bool four = !strcmp(others.text[i], "192.0.2.8");

		assert_true(four || !strcmp(others.text[i], "2001:db8:1:2::/64"));
		assert_int_equal(others.since_ms[i], (now() - (four ? 40 : 30)) * 1000);
	}
	apart_free(&apart);
	end();
}

static void test_not_named(void **state)
{
	struct others others = { 0 };
	struct apart *apart;

	(void)state;
	make("demand.devices=hashed");
	distrusts("192.0.2.7", "a.acme.example", 30);
	assert_int_equal(apart_new(rig.worker, &apart), 0);
	assert_int_equal(apart_each_other(apart, other_add, &others), 0);
	assert_int_equal(others.n, 0);
	apart_free(&apart);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_straight),  cmocka_unit_test(test_https),
		cmocka_unit_test(test_no_index),  cmocka_unit_test(test_others),
		cmocka_unit_test(test_not_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
