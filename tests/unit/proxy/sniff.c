/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device speaks: first bytes of real protocols, and that no decision is taken back by further bytes.
 */
#include "tests/unit/proxy/rig.h"
#include "proxy/sniff.h"

struct row {
	const char *what;
	struct span bytes;
	enum sniff want;
};

#define BYTES(literal) SPAN(literal)

static const struct row rows[] = {
	{ "nothing", BYTES(""), SNIFF_MORE },
	{ "one letter", BYTES("G"), SNIFF_MORE },
	{ "a method", BYTES("GET"), SNIFF_MORE },
	{ "a method and a space", BYTES("GET "), SNIFF_MORE },
	{ "a request", BYTES("GET / HTTP/1.1\r\n"), SNIFF_HTTP },
	{ "as little as decides", BYTES("GET /"), SNIFF_HTTP },
	{ "asterisk form", BYTES("OPTIONS * HTTP/1.1\r\n"), SNIFF_HTTP },
	{ "absolute form", BYTES("GET http://a/ HTTP/1.1\r\n"), SNIFF_HTTP },
	{ "absolute form, upper case", BYTES("GET HTTP://a/ HTTP/1.1\r\n"), SNIFF_HTTP },
	{ "absolute form, not whole", BYTES("GET htt"), SNIFF_MORE },
	{ "authority form", BYTES("CONNECT a:443 HTTP/1.1\r\n"), SNIFF_HTTP },
	{ "extension method", BYTES("VERSION-CONTROL /x HTTP/1.1\r\n"), SNIFF_HTTP },
	{ "empty line before it", BYTES("\r\nGET / HTTP/1.1\r\n"), SNIFF_HTTP },
	{ "empty line, half", BYTES("\r"), SNIFF_MORE },
	{ "HTTP/2 with prior knowledge", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), SNIFF_OTHER },
	{ "HTTP/2 or a method PRI", BYTES("PRI * HTTP/"), SNIFF_MORE },
	{ "method PRI", BYTES("PRI * HTTP/1.1\r\n"), SNIFF_HTTP },
	{ "lower-case method", BYTES("get / HTTP/1.1\r\n"), SNIFF_OTHER },
	{ "two spaces", BYTES("GET  / HTTP/1.1\r\n"), SNIFF_OTHER },
	{ "another scheme", BYTES("GET ftp://a/ HTTP/1.1\r\n"), SNIFF_OTHER },
	{ "SSH", BYTES("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), SNIFF_OTHER },
	{ "SMTP", BYTES("EHLO mail.example\r\n"), SNIFF_OTHER },
	{ "RTSP looks like HTTP at first", BYTES("DESCRIBE rtsp://a/ RTSP/1.0\r\n"), SNIFF_OTHER },
	{ "zeroes", BYTES("\0\0\0\0"), SNIFF_OTHER },
	{ "a word without end", BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), SNIFF_OTHER },
	{ "TLS 1.2 hello", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), SNIFF_TLS },
	{ "TLS, five bytes", BYTES("\x16\x03\x01\x02\x00"), SNIFF_MORE },
	{ "TLS, not a hello", BYTES("\x16\x03\x01\x02\x00\x02"), SNIFF_OTHER },
	{ "TLS, record too long", BYTES("\x16\x03\x01\x40\x01\x01"), SNIFF_OTHER },
	{ "TLS, record too short", BYTES("\x16\x03\x01\x00\x03\x01"), SNIFF_OTHER },
	{ "TLS, another version", BYTES("\x16\x02"), SNIFF_OTHER },
	{ "TLS alert", BYTES("\x15\x03\x01\x00\x02\x02"), SNIFF_OTHER },
	{ "SSLv2 hello", BYTES("\x80\x2e\x01\x00\x02"), SNIFF_OTHER },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum sniff got = sniff_bytes(rows[i].bytes);

		if (got != rows[i].want)
			fail_msg("%s: %s, not %s", rows[i].what, sniff_name(got),
				 sniff_name(rows[i].want));
	}
}

/* Once it is no longer MORE, more bytes change nothing: peeking early or late gives the same. */
static void test_decisions_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum sniff decided = SNIFF_MORE;

		for (size_t n = 0; n <= rows[i].bytes.n; n++) {
			enum sniff now = sniff_bytes(span_head(rows[i].bytes, n));

			if (decided != SNIFF_MORE && now != decided)
				fail_msg("%s: changes at byte %zu", rows[i].what, n);
			decided = now;
		}
	}
}

static void test_silence(void **state)
{
	(void)state;
	assert_int_equal(sniff_waited(SPAN(""), 0, 300), SNIFF_MORE);
	assert_int_equal(sniff_waited(SPAN(""), 299, 300), SNIFF_MORE);
	assert_int_equal(sniff_waited(SPAN(""), 300, 300), SNIFF_SILENT);
	assert_int_equal(sniff_waited(SPAN("GE"), 299, 300), SNIFF_MORE);
	assert_int_equal(sniff_waited(SPAN("GE"), 300, 300), SNIFF_OTHER);
	assert_int_equal(sniff_waited(SPAN("GET /"), 300, 300), SNIFF_HTTP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_decisions_stay),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
