/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/drive.c: which drives are ours, and how they wait. That they are mounted: tests/image/qemu/drive.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/check.h"
#include "firmware/boot/drive.h"

static void test_identify(void **state)
{
	struct drive_kind kind;

	(void)state;
	assert_true(drive_identify(
		"/dev/sdb1: LABEL=\"TARN-IMPORT\" UUID=\"FABE-3B7B\" TYPE=\"vfat\"\n", &kind));
	assert_string_equal(kind.label, "TARN-IMPORT");
	assert_string_equal(kind.type, "vfat");
	assert_true(drive_identify("/dev/sdb: LABEL=\"TARN-EXPORT\" UUID=\"1-2\" TYPE=\"ext4\"\n",
				   &kind));
	assert_string_equal(kind.label, "TARN-EXPORT");
	assert_string_equal(kind.type, "ext4");
	/* Ours, but nothing that is mounted. */
	assert_true(drive_identify("/dev/sdb1: LABEL=\"TARN-IMPORT\" TYPE=\"ntfs\"\n", &kind));
	assert_string_equal(kind.type, "");
	assert_true(drive_identify("/dev/sdb1: LABEL=\"TARN-IMPORT\" UUID=\"1\"\n", &kind));
	assert_string_equal(kind.type, "");
}

static void test_not_ours(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"/dev/sdb1: UUID=\"FABE-3B7B\" TYPE=\"vfat\"\n",
		"/dev/sdb1: LABEL=\"tarn-import\" TYPE=\"vfat\"\n",
		"/dev/sdb1: LABEL=\"TARN-IMPORT2\" TYPE=\"vfat\"\n",
		"/dev/sdb1: LABEL=\"TARN-SEED\" TYPE=\"vfat\"\n",
		"/dev/sdb1: PARTLABEL=\"TARN-IMPORT\" TYPE=\"vfat\"\n",
	};
	struct drive_kind kind = { "untouched", "untouched" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_false(drive_identify(lines[i], &kind));
	assert_string_equal(kind.label, "untouched");
}

static void link_make(const char *folder, const char *name, const char *target)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)unlink(path);
	assert_return_code(target ? symlink(target, path) : 0, 0);
}

static void test_usb(void **state)
{
	char folder[] = "/tmp/tarn-drive.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(folder));
	link_make(folder, "sda1",
		  "../../devices/pci0000:00/0000:00:1f.2/ata1/host0/block/sda/sda1");
	link_make(folder, "sdb1",
		  "../../devices/pci0000:00/0000:00:06.0/usb2/2-1/2-1:1.0/host6/block/sdb/sdb1");
	assert_false(drive_is_usb(folder, "sda1"));
	assert_true(drive_is_usb(folder, "sdb1"));
	assert_false(drive_is_usb(folder, "sdc1"));
	link_make(folder, "sda1", NULL);
	link_make(folder, "sdb1", NULL);
	assert_return_code(rmdir(folder), 0);
}

static void test_waiting(void **state)
{
	struct drives d = { .waiting = { "sdb1", "sdc", "sdd1" }, .n = 3 };

	(void)state;
	drives_came(&d, "sdc", false);
	assert_int_equal(d.n, 2);
	assert_string_equal(d.waiting[0], "sdb1");
	assert_string_equal(d.waiting[1], "sdd1");
	drives_came(&d, "sdc", false);
	drives_came(&d, "no-such-disk", true);
	assert_int_equal(d.n, 2);
	assert_false(drives_ended(&d, 4711, 0, (struct now){ 0 }));
	drives_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_usb),
		cmocka_unit_test(test_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
