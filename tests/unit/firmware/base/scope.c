/* SPDX-License-Identifier: Apache-2.0 */
/* What is an entry of [scope], and which of them decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "firmware/base/scope.h"

static void entries_are_read_and_written(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.0/24", "192.0.2.0/24" },
		{ "192.0.2.7", "192.0.2.7/32" },
		{ "2001:db8::/32", "2001:db8::/32" },
		{ "2001:db8::7", "2001:db8::7/128" },
		{ "02:00:5E:00:53:01", "02:00:5e:00:53:01" },
		{ "vlan:20", "vlan:20" },
		{ "VLAN:0", "vlan:0" },
		{ "vlan:4094", "vlan:4094" },
	};
	char text[SCOPE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scope_item item;

		assert_int_equal(scope_parse(span_of(rows[i][0]), &item), 0);
		assert_string_equal(scope_format(&item, text), rows[i][1]);
	}
}

static void nonsense_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"vlan:",
		"vlan:4095",
		"vlan:-1",
		"vlan:x",
		"192.0.2.7/24",
		"192.0.2.0/33",
		"02:00:5e:00:53",
		"guests",
		"02:00:5e:00:53:0g",
		"02:00:5e:00:53:01:",
		"ff:ff:ff:ff:ff:ff",
		"vlan: 20",
		"01:00:5e:00:53:01",
		"00:00:00:00:00:00",
		"02-00-5e-00-53-01",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scope_item item = { .kind = 77 };

		assert_int_equal(scope_parse(span_of(rows[i]), &item), -EINVAL);
		assert_int_equal(item.kind, 77);
	}
}

static struct scope_list list_of(struct scope_item items[4], const char *text)
{
	struct scope_list list = { .v = items };
	struct span rest = span_of(text), word;

	while (rest.n && span_cut(&rest, ' ', &word))
		assert_int_equal(scope_parse(word, &list.v[list.n++]), 0);
	return list;
}

static struct scope_who device(const char *addr, const char *mac, uint16_t vlan)
{
	struct scope_who who = { .link_known = mac != NULL, .vlan = vlan };
	struct scope_item item;

	assert_int_equal(addr_parse(span_of(addr), 0, &who.addr), 0);
	if (!mac)
		return who;
	assert_int_equal(scope_parse(span_of(mac), &item), 0);
	memcpy(who.mac, item.mac, sizeof(who.mac));
	return who;
}

/* "yes ENTRY" or "no ENTRY"; no entry: the default decided. */
static const char *says(const char *in, const char *out, const struct scope_who *who)
{
	static char answer[SCOPE_TEXT_MAX + 8];
	struct scope_item items[2][4];
	struct scope_list lists[2] = { list_of(items[0], in), list_of(items[1], out) };
	const struct scope_item *by;
	char text[SCOPE_TEXT_MAX] = "";
	bool takes = scope_takes(&lists[0], &lists[1], who, &by);

	assert_int_equal(takes, scope_takes(&lists[0], &lists[1], who, NULL));
	(void)snprintf(answer, sizeof(answer), "%s %s", takes ? "yes" : "no",
		       by ? scope_format(by, text) : "");
	return answer;
}

#define MAC "02:00:5e:00:53:01"

static void without_lists_everybody_is_meant(void **state)
{
	struct scope_who who = device("10.7.0.11", NULL, 0);

	(void)state;
	assert_string_equal(says("", "", &who), "yes ");
	assert_string_equal(says("", "10.8.0.0/16", &who), "yes ");
	assert_string_equal(says("10.8.0.0/16", "", &who), "no ");
}

static void the_most_precise_entry_decides(void **state)
{
	struct scope_who who = device("10.7.0.11", MAC, 20);

	(void)state;
	assert_string_equal(says("10.7.0.0/16", "10.0.0.0/8", &who), "yes 10.7.0.0/16");
	assert_string_equal(says("10.7.0.0/16", "10.7.0.11", &who), "no 10.7.0.11/32");
	assert_string_equal(says(MAC, "10.7.0.11", &who), "yes " MAC);
	assert_string_equal(says("10.7.0.11", MAC, &who), "no " MAC);
	assert_string_equal(says("0.0.0.0/0", "vlan:20", &who), "yes 0.0.0.0/0");
	assert_string_equal(says("vlan:20", "vlan:30", &who), "yes vlan:20");
	assert_string_equal(says("vlan:30", "", &who), "no ");
	/* In both: left alone. */
	assert_string_equal(says("vlan:20", "vlan:20", &who), "no vlan:20");
	assert_string_equal(says("10.7.0.11", "10.7.0.11", &who), "no 10.7.0.11/32");
}

static void what_is_not_known_of_a_device_does_not_match(void **state)
{
	struct scope_who who = device("2001:db8::7", NULL, 0);

	(void)state;
	assert_string_equal(says("vlan:0 " MAC, "", &who), "no ");
	assert_string_equal(says("", "0.0.0.0/0", &who), "yes ");
	assert_string_equal(says("", "::/0", &who), "no ::/0");
	who = (struct scope_who){ .link_known = true, .vlan = 5 };
	assert_string_equal(says("::/0 0.0.0.0/0", "vlan:5", &who), "no vlan:5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_read_and_written),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(without_lists_everybody_is_meant),
		cmocka_unit_test(the_most_precise_entry_decides),
		cmocka_unit_test(what_is_not_known_of_a_device_does_not_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
