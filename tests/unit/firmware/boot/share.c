/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/share.c: who may come. That it starts and ends the servers: tests/image/qemu/share.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "firmware/base/check.h"
#include "firmware/boot/share.h"

static void hosts_are(const char *const *texts, size_t n, const char *want)
{
	struct net nets[8];
	struct net_list list = { nets, n };
	char *text;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(net_parse(span_of(texts[i]), &nets[i]), 0);
	text = share_hosts(&list);
	assert_string_equal(text, want);
	free(text);
}

static void test_hosts(void **state)
{
	static const char *const all[] = { "127.0.0.0/8", "::1", "10.1.0.0/16", "192.0.2.7",
					   "fe80::/10" };

	(void)state;
	hosts_are(all, ARRAY_LEN(all),
		  "vsftpd: 127.0.0.0/8 [::1]/128 10.1.0.0/16 192.0.2.7/32 [fe80::]/10\n");
	/* Nobody: the word alone admits none, and hosts.deny has all. */
	hosts_are(all, 0, "vsftpd:\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_hosts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
