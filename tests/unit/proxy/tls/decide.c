/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of TLS, for every kind of name and mode; and the order of the reasons. */
#include "tests/unit/proxy/rig.h"

#include "firmware/base/stat.h"
#include "proxy/tls/decide.h"

#define PROFILE(mode)                                                                              \
	"[vendor]\nname = v\n[hosts]\nexact = a.v.example\nsuffix = cdn.example\n"                 \
	"never = x.cdn.example\nnever = .y.cdn.example\n[tls]\nmode = " mode "\n"

static struct tls_verdict decide(const char *profile, enum hello_name name, const char *host,
				 bool hidden)
{
	struct hello hello = { .name = name, .hidden = hidden };
	struct tls_verdict verdict;
	struct rig rig;

	rig_make(&rig, profile, NULL);
	strcpy(hello.host, host);
	memset(&verdict, 0x5a, sizeof(verdict));
	tls_decide(rig.worker->config->profiles, &hello, &verdict);
	rig_end(&rig);
	return verdict;
}

static void is(struct tls_verdict verdict, enum tls_action action, enum tls_reason reason,
	       bool ours)
{
	if (verdict.reason != reason)
		fail_msg("%s, not %s", tls_reason_name(verdict.reason), tls_reason_name(reason));
	assert_int_equal(verdict.action, action);
	assert_int_equal(verdict.ours, ours);
}

#define HOST(profile, host) decide(profile, HELLO_NAME_HOST, host, false)

static void by_mode(void **state)
{
	(void)state;
	is(HOST(PROFILE("splice"), "a.v.example"), TLS_SPLICE, TLS_MODE_SPLICE, true);
	is(HOST(PROFILE("refuse"), "a.v.example"), TLS_REFUSE, TLS_MODE_REFUSE, true);
	is(HOST(PROFILE("refuse"), "b.c.cdn.example"), TLS_REFUSE, TLS_MODE_REFUSE, true);
	assert_string_equal(HOST(PROFILE("refuse"), "b.cdn.example").match.host, "b.cdn.example");
}

static struct tls_verdict with(bool ecdsa, bool rsa, bool http1)
{
	struct hello hello = { .name = HELLO_NAME_HOST,
			       .host = "a.v.example",
			       .ecdsa = ecdsa,
			       .rsa = rsa,
			       .http1 = http1 };
	struct tls_verdict verdict;
	struct rig rig;

	rig_make(&rig, PROFILE("intercept"), NULL);
	tls_decide(rig.worker->config->profiles, &hello, &verdict);
	rig_end(&rig);
	return verdict;
}

static void intercepted_if_it_can_be(void **state)
{
	(void)state;
	is(with(true, true, true), TLS_INTERCEPT, TLS_ENDED_HERE, true);
	is(with(true, false, true), TLS_INTERCEPT, TLS_ENDED_HERE, true);
	is(with(false, true, true), TLS_INTERCEPT, TLS_ENDED_HERE, true);
	is(with(false, false, true), TLS_SPLICE, TLS_OLD_CLIENT, true);
	is(with(true, true, false), TLS_SPLICE, TLS_OTHER_ALPN, true);
}

/* Whatever is not surely the profile's is spliced, also where the profile refuses. */
static void never_broken(void **state)
{
	const char *profile = PROFILE("refuse");

	(void)state;
	is(HOST(profile, "b.v.example"), TLS_SPLICE, TLS_FOREIGN_HOST, false);
	is(HOST(profile, "example"), TLS_SPLICE, TLS_FOREIGN_HOST, false);
	is(HOST(profile, "notcdn.example"), TLS_SPLICE, TLS_FOREIGN_HOST, false);
	is(HOST(profile, "x.cdn.example"), TLS_SPLICE, TLS_NEVER_HOST, false);
	is(HOST(profile, "z.y.cdn.example"), TLS_SPLICE, TLS_NEVER_HOST, false);
	is(HOST(NULL, "a.v.example"), TLS_SPLICE, TLS_FOREIGN_HOST, false);
	is(decide(profile, HELLO_NAME_NONE, "", false), TLS_SPLICE, TLS_NO_NAME, false);
	is(decide(profile, HELLO_NAME_ODD, "", false), TLS_SPLICE, TLS_ODD_NAME, false);
	is(decide(profile, HELLO_NAME_HOST, "a.v.example", true), TLS_SPLICE, TLS_HIDDEN_NAME,
	   false);
	is(decide(profile, HELLO_NAME_HOST, "x.cdn.example", true), TLS_SPLICE, TLS_NEVER_HOST,
	   false);
}

static void unread(void **state)
{
	static const struct {
		int rc;
		enum tls_reason reason;
	} cases[] = {
		{ -EBADMSG, TLS_NOT_HELLO }, { -EMSGSIZE, TLS_TOO_LARGE }, { -EAGAIN, TLS_SLOW },
		{ -ENOMEM, TLS_BUSY },	     { -EBUSY, TLS_BUSY },
	};
	struct tls_verdict verdict;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tls_decide_unread(cases[i].rc, &verdict);
		is(verdict, TLS_SPLICE, cases[i].reason, false);
	}
}

static void count_one(const struct stat_view *view, void *arg)
{
	int64_t *found = arg;

	if (strcmp(view->name, "tls.decided") != 0)
		return;
	assert_non_null(view->help);
	if (strcmp(view->label, "mode_refuse") == 0)
		*found = view->value;
}

static void counted(void **state)
{
	int64_t found = -1;

	(void)state;
	tls_reason_label_counters();
	tls_reason_count(TLS_MODE_REFUSE);
	tls_reason_count(TLS_MODE_REFUSE);
	stat_each(count_one, &found);
	assert_int_equal(found, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_mode),	cmocka_unit_test(intercepted_if_it_can_be),
		cmocka_unit_test(never_broken), cmocka_unit_test(unread),
		cmocka_unit_test(counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
