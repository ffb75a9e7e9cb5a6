/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/steer/frame.c: what is made, byte for byte and with its checksums; what is read, whole and cut.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/base/selftest.h"
#include "firmware/steer/frame.h"

static struct tarn_flow_key flow(bool v6)
{
	static const struct tarn_addr ends[2][2] = {
		{ { SELFTEST_CLIENT_4 }, { SELFTEST_VENDOR_4 } },
		{ { SELFTEST_CLIENT_6 }, { SELFTEST_VENDOR_6 } },
	};

	return (struct tarn_flow_key){ .client = ends[v6][0],
				       .vendor = ends[v6][1],
				       .client_port = htons(33000),
				       .vendor_port = htons(80) };
}

/* RFC 1071, over the pseudo header and what is behind the IP header: 0 if the checksum in it is right. */
static uint16_t folded(const uint8_t *addresses, size_t addresses_n, const uint8_t *tcp, size_t n)
{
	uint32_t sum = 6 + (uint32_t)n;

	for (size_t i = 0; i < addresses_n; i += 2)
		sum += (uint32_t)addresses[i] << 8 | addresses[i + 1];
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? tcp[i] : (uint32_t)tcp[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void made_for_ipv4(void **state)
{
	static const uint8_t head[] = { 0x01, 0x80, 0xc2, 0, 0,	   1,	 0,   0,
					0,    0,    0,	  0, 0x08, 0x00, 0x45 };
	struct frame_tcp tcp = { 0x01020304, 0x05060708, FRAME_PSH | FRAME_ACK, SPAN("odd") };
	struct tarn_flow_key key = flow(false);
	uint8_t buf[FRAME_MAX];
	uint32_t sum = 0;

	(void)state;
	assert_int_equal(frame_make(&key, &tcp, buf), 14 + 20 + 20 + 3);
	assert_memory_equal(buf, head, sizeof(head));
	assert_memory_equal(buf + 26, "\xc0\0\0\x08\xc0\0\x02\x01", 8);
	assert_memory_equal(buf + 34, "\x80\xe8\0\x50\1\2\3\4\5\6\7\x08\x50\x18", 14);
	assert_memory_equal(buf + 54, "odd", 3);
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)buf[i] << 8 | buf[i + 1];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	assert_int_equal(folded(buf + 26, 8, buf + 34, 23), 0);
}

static void made_for_ipv6(void **state)
{
	struct frame_tcp tcp = { .seq = 7, .flags = FRAME_SYN };
	struct tarn_flow_key key = flow(true);
	uint8_t buf[FRAME_MAX];

	(void)state;
	assert_int_equal(frame_make(&key, &tcp, buf), 14 + 40 + 20);
	assert_memory_equal(buf + 12, "\x86\xdd\x60\0\0\0\0\x14\x06\x40", 10);
	assert_memory_equal(buf + 22, key.client.b, 16);
	assert_memory_equal(buf + 38, key.vendor.b, 16);
	assert_int_equal(folded(buf + 22, 32, buf + 54, 20), 0);
}

/* What the vendor would send: a frame of ours, turned around. */
static size_t answer(bool v6, const struct frame_tcp *tcp, uint8_t buf[FRAME_MAX])
{
	struct tarn_flow_key key = flow(v6), back = { .client = key.vendor,
						      .vendor = key.client,
						      .client_port = key.vendor_port,
						      .vendor_port = key.client_port };

	return frame_make(&back, tcp, buf);
}

static void read_back(void **state)
{
	struct frame_tcp tcp = { 11, 22, FRAME_SYN | FRAME_ACK, SPAN("answer") }, got;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tarn_flow_key key = flow(v6);
		uint8_t buf[FRAME_MAX] = { 0 };
		size_t n = answer(v6, &tcp, buf);

		/* With and without an Ethernet frame's padding. */
		for (size_t pad = 0; pad < 8; pad += 4) {
			assert_int_equal(frame_read(&key, span_make(buf, n + pad), &got), 0);
			assert_int_equal(got.seq, 11);
			assert_int_equal(got.ack, 22);
			assert_int_equal(got.flags, FRAME_SYN | FRAME_ACK);
			assert_true(span_eq(got.data, SPAN("answer")));
		}
		for (size_t cut = 0; cut < n; cut++)
			assert_true(frame_read(&key, span_make(buf, cut), &got) < 0);
	}
}

static void others_are_not_ours(void **state)
{
	struct frame_tcp tcp = { .flags = FRAME_ACK }, got;
	struct tarn_flow_key key = flow(false), other;
	uint8_t buf[FRAME_MAX];
	size_t n;

	(void)state;
	n = frame_make(&key, &tcp, buf); /* the wrong way round */
	assert_int_equal(frame_read(&key, span_make(buf, n), &got), -ENOENT);
	n = answer(false, &tcp, buf);
	other = key;
	other.client_port = htons(33001);
	assert_int_equal(frame_read(&other, span_make(buf, n), &got), -ENOENT);
	other = flow(true);
	assert_int_equal(frame_read(&other, span_make(buf, n), &got), -ENOENT);
	buf[14] = 0x46; /* options */
	assert_int_equal(frame_read(&key, span_make(buf, n), &got), -ENOENT);
	buf[14] = 0x45;
	buf[17] = 5; /* shorter than its own header */
	assert_int_equal(frame_read(&key, span_make(buf, n), &got), -EBADMSG);
	buf[17] = 40;
	buf[46] = 0x40; /* a TCP header of four words */
	assert_int_equal(frame_read(&key, span_make(buf, n), &got), -EBADMSG);
	buf[46] = 0xf0; /* and one of fifteen, that are not there */
	assert_int_equal(frame_read(&key, span_make(buf, n), &got), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_for_ipv4),
		cmocka_unit_test(made_for_ipv6),
		cmocka_unit_test(read_back),
		cmocka_unit_test(others_are_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
