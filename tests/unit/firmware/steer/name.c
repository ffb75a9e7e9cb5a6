/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/steer/name.c: names as keys of the trie, byte for byte; and which addresses a vendor could have.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/steer/name.h"
#include "firmware/steer/vendors.h"

static void key_is(const char *name, bool suffix, const char *text, size_t n)
{
	struct tarn_name_key key;

	assert_int_equal(name_key(name, strlen(name), suffix, &key), 0);
	assert_int_equal(key.bits, n * 8);
	assert_memory_equal(key.text, text, n);
}

static int result(const char *name, bool suffix)
{
	struct tarn_name_key key = { 0 };

	return name_key(name, strlen(name), suffix, &key);
}

static void keys_are_reversed_wire_format(void **state)
{
	(void)state;
	key_is("upd.example.com", true, "moc\003elpmaxe\007dpu\003", 16);
	key_is("upd.example.com", false, "moc\003elpmaxe\007dpu\003\377", 17);
	key_is(".Example.COM", true, "moc\003elpmaxe\007", 12);
	key_is("a", false, "a\001\377", 3);
}

static void what_is_no_name_is_refused(void **state)
{
	char name[200];

	(void)state;
	assert_int_equal(result("", true), -EINVAL);
	assert_int_equal(result(".", true), -EINVAL);
	assert_int_equal(result("a..b", true), -EINVAL);
	assert_int_equal(result("a.b.", true), -EINVAL);
	assert_int_equal(result("a b", true), -EINVAL);
	assert_int_equal(result("a\003b", true), -EINVAL);
	assert_int_equal(result("*.example", true), -EINVAL);
	memset(name, 'a', sizeof(name));
	strcpy(name + TARN_LABEL_MAX, ".example");
	assert_int_equal(result(name, true), 0);
	memset(name, 'a', sizeof(name));
	strcpy(name + TARN_LABEL_MAX + 1, ".example");
	assert_int_equal(result(name, true), -EINVAL);
}

static void the_longest_name_fits(void **state)
{
	char name[TARN_NAME_BYTES + 2] = "";

	(void)state;
	while (strlen(name) < TARN_NAME_BYTES - 1)
		strcat(name, strlen(name) % 2 ? "." : "a");
	assert_int_equal(result(name, true), 0); /* 127 characters are 128 bytes */
	assert_int_equal(result(name, false), -EINVAL);
}

static bool allowed(const char *text, bool private_ok)
{
	uint8_t addr[16] = { 0 };

	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
	} else {
		addr[10] = addr[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, text, addr + 12), 1);
	}
	return vendor_allowed(addr, private_ok);
}

static void vendors_have_public_addresses(void **state)
{
	static const char *const never[] = { "0.0.0.0",	    "0.1.2.3",	   "127.0.0.1",
					     "169.254.1.1", "224.0.0.1",   "::",
					     "::1",	    "::192.0.2.1", "255.255.255.255",
					     "fe80::1",	    "ff02::1" };
	static const char *const private[] = { "10.0.0.1",    "172.16.0.1", "172.31.0.1",
					       "192.168.0.1", "100.64.0.1", "fd00::1" };
	static const char *const public[] = { "192.0.2.1",   "198.51.100.1", "172.32.0.1",
					      "2001:db8::1", "100.128.0.1",  "223.255.255.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		assert_false(allowed(never[i], false));
		assert_false(allowed(never[i], true));
	}
	for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++) {
		assert_false(allowed(private[i], false));
		assert_true(allowed(private[i], true));
	}
	for (size_t i = 0; i < sizeof(public) / sizeof(*public); i++)
		assert_true(allowed(public[i], false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_reversed_wire_format),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(the_longest_name_fits),
		cmocka_unit_test(vendors_have_public_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
