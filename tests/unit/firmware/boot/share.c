/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/share.c and smb.c: who may come. That servers start and end: tests/image/qemu/share.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "firmware/base/check.h"
#include "firmware/boot/share.h"
#include "firmware/boot/smb.h"

typedef char *hosts_f(const struct net_list *allow);

static void hosts_are(hosts_f *f, const char *const *texts, size_t n, const char *want)
{
	struct net nets[8];
	struct net_list list = { nets, n };
	char *text;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(net_parse(span_of(texts[i]), &nets[i]), 0);
	text = f(&list);
	assert_string_equal(text, want);
	free(text);
}

static void test_hosts(void **state)
{
	static const char *const all[] = { "127.0.0.0/8", "::1", "10.1.0.0/16", "192.0.2.7",
					   "fe80::/10" };

	(void)state;
	hosts_are(share_hosts, all, ARRAY_LEN(all),
		  "vsftpd: 127.0.0.0/8 [::1]/128 10.1.0.0/16 192.0.2.7/32 [fe80::]/10\n");
	/* Nobody: the word alone admits none, and hosts.deny has all. */
	hosts_are(share_hosts, all, 0, "vsftpd:\n");
}

/* What samba makes of such lines was tried on samba: [::]/0 admits nobody, 2001:db8::1/128 everybody. */
static void test_smb_hosts(void **state)
{
	static const char *const all[] = { "127.0.0.0/8", "::1",
					   "10.1.0.0/16", "192.0.2.7",
					   "fe80::/10",	  "0.0.0.0/0",
					   "::/0",	  "2001:db8::8:0/109" };

	(void)state;
	hosts_are(smb_hosts, all, ARRAY_LEN(all),
		  "hosts allow = 127.0.0.1 127.0.0.0/8 ::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "10.1.0.0/16 192.0.2.7/32 fe80::/10 0.0.0.0/0 ::/0 "
		  "2001:db8::8:0/ffff:ffff:ffff:ffff:ffff:ffff:fff8:0\n");
	/* An empty list would be everybody's. */
	hosts_are(smb_hosts, all, 0, "hosts allow = 127.0.0.1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_hosts),
					    cmocka_unit_test(test_smb_hosts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
