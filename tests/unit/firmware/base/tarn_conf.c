/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/tarn_conf.h"

static void defaults_are_a_working_box(void **state)
{
	struct tarn_settings s;
	struct settings_error error;
	char text[ADDR_TEXT_MAX];
	struct addr device;

	(void)state;
	assert_int_equal(settings_load(NULL, true, &tarn_conf_table, &s, &error), 0);
	assert_int_equal(s.proxy.listen.n, 1);
	assert_string_equal(addr_format(&s.proxy.listen.v[0], text), "127.0.0.1:3128");
	assert_true(s.proxy.explicit_proxy && s.proxy.reverse);
	assert_int_equal(s.proxy.allow.n, 7);
	assert_int_equal(addr_parse(SPAN("192.168.7.1"), 0, &device), 0);
	assert_true(net_contains(&s.proxy.allow.v[4], &device));
	assert_int_equal(s.proxy.connect_ports.v[0], 443);
	assert_true(s.proxy.sniff_wait == 300 && s.upstream.first_byte_timeout == 8000);
	assert_string_equal(s.cache.path, "/var/cache/tarn");
	assert_int_equal(s.dns.servers.n, 0);
	assert_int_equal(s.steer.mode, TARN_STEER_BRIDGE);
	assert_int_equal(s.steer.quic, TARN_QUIC_PASS);
	assert_int_equal(s.log.level, LOG_L_INFO);
	tarn_conf_free(&s);
}

/* Choices and enums are written in two places. */
static void choices_match_their_enums(void **state)
{
	char path[] = "/tmp/tarn-conf.XXXXXX";
	static const char text[] = "[steer]\nmode = gateway\nquic = drop\n[log]\nlevel = debug\n"
				   "[proxy]\nlisten = [2001:db8::1]\n[dns]\nservers = 192.0.2.1 "
				   "192.0.2.2:5353\n";
	struct tarn_settings s;
	struct settings_error error;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(tarn_conf_load(path, &s, &error), 0);
	assert_int_equal(s.steer.mode, TARN_STEER_GATEWAY);
	assert_int_equal(s.steer.quic, TARN_QUIC_DROP);
	assert_int_equal(s.log.level, LOG_L_DEBUG);
	assert_int_equal(addr_port(&s.proxy.listen.v[0]), 3128);
	assert_int_equal(addr_port(&s.dns.servers.v[0]), 53);
	assert_int_equal(addr_port(&s.dns.servers.v[1]), 5353);
	tarn_conf_free(&s);
	(void)close(fd);
	(void)unlink(path);
	/* Named and not there is an error; only the usual place may be empty. */
	assert_int_equal(tarn_conf_load(path, &s, &error), -ENOENT);
}

static void every_setting_is_documented(void **state)
{
	(void)state;
	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];

		assert_true(strlen(row->help) > 10);
		assert_int_equal(row->help[strlen(row->help) - 1], '.');
		for (size_t j = 0; j < i; j++)
			assert_false(strcmp(row->key, tarn_conf_table.rows[j].key) == 0 &&
				     strcmp(row->section, tarn_conf_table.rows[j].section) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_a_working_box),
		cmocka_unit_test(choices_match_their_enums),
		cmocka_unit_test(every_setting_is_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
