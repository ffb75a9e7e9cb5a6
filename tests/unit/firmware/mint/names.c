/* SPDX-License-Identifier: Apache-2.0 */
/* Which names profiles come to as name constraints. */
#include "firmware/mint/names.h"
#include "tests/unit/firmware/mint/rig.h"

/* "a b c" */
static void is(const struct ca_names *names, const char *want)
{
	char text[1000] = "";

	for (size_t i = 0; i < names->n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, names->v[i]);
	}
	assert_string_equal(text, want);
}

static void come_to(const char *hosts, const char *permitted, const char *excluded)
{
	struct ca_names yes, no;
	struct mint_rig rig;

	mint_rig_make(&rig, hosts);
	assert_int_equal(ca_names_of(rig.profiles, &yes, &no), 0);
	is(&yes, permitted);
	is(&no, excluded);
	ca_names_free(&yes);
	ca_names_free(&no);
	assert_null(yes.v);
	mint_rig_end(&rig);
}

static void of_profiles(void **state)
{
	(void)state;
	come_to(NULL, "", "");
	come_to("exact = b.example a.example", "b.example a.example", "");
	come_to("exact = s{1..3}.example", "s1.example s2.example s3.example", "");
	come_to("exact = a.cdn.example, b.example\nsuffix = cdn.example", "cdn.example b.example",
		"");
	come_to("exact = a.b.example, b.example", "a.b.example b.example", "");
	come_to("exact = 192.0.2.1, 2001:db8::1", "", "");
}

static void of_never(void **state)
{
	(void)state;
	come_to("suffix = cdn.example\nnever = a.cdn.example, .b.cdn.example, x.b.cdn.example",
		"cdn.example", "a.cdn.example b.cdn.example");
	/* Nothing to exclude where nothing is permitted; patterns can't be said. */
	come_to("suffix = cdn.example\nnever = other.example, p-*.cdn.example", "cdn.example", "");
	/* It would take c.a.cdn.example away, which is permitted. */
	come_to("suffix = cdn.example\nexact = c.a.cdn2.example\nnever = a.cdn2.example",
		"cdn.example c.a.cdn2.example", "");
}

static void cover(void **state)
{
	struct ca_names names = { 0 };

	(void)state;
	assert_false(ca_names_cover(&names, SPAN("a.example")));
	assert_int_equal(ca_names_add(&names, SPAN("a.example")), 0);
	assert_int_equal(ca_names_add(&names, SPAN("b.example")), 0);
	assert_true(ca_names_cover(&names, SPAN("a.example")));
	assert_true(ca_names_cover(&names, SPAN("B.EXAMPLE")));
	assert_true(ca_names_cover(&names, SPAN("x.y.b.example")));
	assert_false(ca_names_cover(&names, SPAN("xb.example")));
	assert_false(ca_names_cover(&names, SPAN("example")));
	assert_false(ca_names_cover(&names, SPAN("b.example.org")));
	assert_false(ca_names_cover(&names, SPAN("")));
	ca_names_free(&names);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_profiles),
		cmocka_unit_test(of_never),
		cmocka_unit_test(cover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
