/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/origin.c: is that disk the one that the firmware has started from? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "firmware/boot/origin.h"

#define ROOT	   "\x02\x01\x0c\x00\xd0\x41\x03\x0a\x00\x00\x00\x00"
#define PCI_1C	   "\x01\x01\x06\x00\x04\x1c" /* 1c.4 */
#define PCI_0	   "\x01\x01\x06\x00\x00\x00" /* 00.0 */
#define NVME	   "\x03\x17\x10\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
#define END	   "\x7f\xff\x04\x00"
#define PATH(text) span_make(text, sizeof(text) - 1)

#define HERE	   "../devices/pci0000:00/0000:00:1c.4/0000:02:00.0/nvme/nvme0/nvme0n1"

static const struct span nvme = { ROOT PCI_1C PCI_0 NVME END,
				  sizeof(ROOT PCI_1C PCI_0 NVME END) - 1 };

static enum origin_is judge(struct span path, const char *link)
{
	return origin_judge(path, span_of(link));
}

static void test_told_apart(void **state)
{
	(void)state;
	assert_int_equal(judge(nvme, HERE), ORIGIN_HERE);
	/* Buses are numbered by the firmware and by the kernel as each likes. */
	assert_int_equal(
		judge(nvme, "../devices/pci0000:00/0000:00:1c.4/0000:7f:00.0/nvme/nvme3/n"),
		ORIGIN_HERE);
	assert_int_equal(
		judge(nvme, "../devices/pci0000:00/0000:00:1c.5/0000:02:00.0/nvme/nvme0/n"),
		ORIGIN_OTHER);
	assert_int_equal(
		judge(nvme, "../devices/pci0000:00/0000:00:1c.4/0000:02:00.1/nvme/nvme0/n"),
		ORIGIN_OTHER);
	/* A stick. */
	assert_int_equal(judge(nvme, "../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/"
				     "target4:0:0/4:0:0:0/block/sda"),
			 ORIGIN_OTHER);
	/* The controller's beginning only, or more than it. */
	assert_int_equal(judge(nvme, "../devices/pci0000:00/0000:00:1c.4/block/sda"), ORIGIN_OTHER);
	assert_int_equal(judge(PATH(ROOT PCI_1C END), HERE), ORIGIN_OTHER);
	/* One that hangs on no PCI. */
	assert_int_equal(
		judge(nvme, "../devices/platform/soc/fe340000.mmc/mmc_host/mmc0/block/mmcblk0"),
		ORIGIN_OTHER);
	assert_int_equal(judge(nvme, ""), ORIGIN_OTHER);
}

static void test_unknown(void **state)
{
	char much[20 * 6 + 4], *p = much, *raw;

	(void)state;
	assert_int_equal(judge(span_make("", 0), HERE), ORIGIN_UNKNOWN);
	assert_int_equal(judge(PATH(END), HERE), ORIGIN_UNKNOWN);
	assert_int_equal(judge(PATH(ROOT NVME END), HERE), ORIGIN_UNKNOWN);
	/* Nodes of wrong lengths. */
	assert_int_equal(judge(PATH("\x01\x01\x00\x00\x04\x1c"), HERE), ORIGIN_UNKNOWN);
	assert_int_equal(judge(PATH("\x01\x01\x03\x00\x04\x1c"), HERE), ORIGIN_UNKNOWN);
	assert_int_equal(judge(PATH("\x01\x01\x07\x00\x04\x1c"), HERE), ORIGIN_UNKNOWN);
	assert_int_equal(judge(PATH("\x01\x01\x05\x00\x04" PCI_0 END), HERE), ORIGIN_UNKNOWN);
	assert_int_equal(judge(PATH("\x01\x01\x06\x00\x04\x20" END), HERE), ORIGIN_UNKNOWN);
	assert_int_equal(judge(PATH(PCI_1C "\xff\xff\xff\xff"), HERE), ORIGIN_UNKNOWN);
	/* More than there is room for. */
	for (int i = 0; i < 20; i++, p += 6)
		memcpy(p, PCI_0, 6);
	memcpy(p, END, 4);
	assert_int_equal(judge(span_make(much, sizeof(much)), HERE), ORIGIN_UNKNOWN);
	/* Cut short anywhere: no byte behind it is read (the sanitizers look). */
	for (size_t n = 1; n < nvme.n; n++) {
		raw = malloc(n);
		assert_non_null(raw);
		memcpy(raw, nvme.p, n);
		(void)judge(span_make(raw, n), HERE);
		free(raw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_apart),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
