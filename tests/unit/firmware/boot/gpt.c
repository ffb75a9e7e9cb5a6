/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/gpt.c: on tables that sfdisk made; and sfdisk finds no fault with ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/boot/gpt.h"

#define MIB 2048u /* sectors */

struct rig {
	char path[48];
	struct gpt gpt;
	int fd;
};

static void shell(const char *format, const char *a)
{
	char line[400];

	(void)snprintf(line, sizeof(line), format, a);
	if (system(line))
		fail_msg("%s", line);
}

/* 100 MiB with two partitions. */
static int rig_make(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	strcpy(rig->path, "/tmp/tarn-gpt-XXXXXX");
	rig->fd = mkstemp(rig->path);
	assert_true(rig->fd >= 0);
	assert_int_equal(ftruncate(rig->fd, 100 << 20), 0);
	shell("printf 'label: gpt\\nstart=1MiB, size=32MiB, name=tarn-state\\nsize=32MiB, "
	      "name=tarn-cache\\n' | PATH=$PATH:/sbin:/usr/sbin sfdisk -q %s",
	      rig->path);
	*state = rig;
	return 0;
}

static int rig_end(void **state)
{
	struct rig *rig = *state;

	close(rig->fd);
	(void)unlink(rig->path);
	free(rig);
	return 0;
}

static void disk_size(struct rig *rig, unsigned mib)
{
	assert_int_equal(ftruncate(rig->fd, (off_t)mib << 20), 0);
}

static void sfdisk_is_content(const struct rig *rig)
{
	shell("PATH=$PATH:/sbin:/usr/sbin sfdisk -V %s 2>&1 | grep -q 'No errors detected'",
	      rig->path);
}

static void wipe(const struct rig *rig, uint64_t sector)
{
	static const uint8_t junk[GPT_SECTOR] = { 1, 2, 3 };

	assert_int_equal(pwrite(rig->fd, junk, sizeof(junk), (off_t)(sector * GPT_SECTOR)),
			 GPT_SECTOR);
}

static void test_read(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(gpt_read(rig->fd, 100 * MIB, &rig->gpt), 0);
	assert_true(rig->gpt.primary_good && rig->gpt.backup_good);
	assert_int_equal(gpt_find(&rig->gpt, "tarn-state"), 0);
	assert_int_equal(gpt_find(&rig->gpt, "tarn-cache"), 1);
	assert_int_equal(gpt_find(&rig->gpt, "tarn-cach"), -1);
	assert_int_equal(rig->gpt.entries[0].first, MIB);
	assert_int_equal(rig->gpt.entries[1].last, 65 * MIB - 1);
}

static void test_grow(void **state)
{
	struct rig *rig = *state;

	disk_size(rig, 500);
	assert_int_equal(gpt_read(rig->fd, 500 * MIB, &rig->gpt), 0);
	assert_true(rig->gpt.primary_good);
	assert_false(rig->gpt.backup_good);
	assert_false(gpt_grow(&rig->gpt, 0)); /* not the last one */
	assert_int_equal(gpt_read(rig->fd, 500 * MIB, &rig->gpt), 0);
	assert_true(gpt_grow(&rig->gpt, 1));
	assert_int_equal(gpt_write(rig->fd, &rig->gpt), 0);
	sfdisk_is_content(rig);
	assert_int_equal(gpt_read(rig->fd, 500 * MIB, &rig->gpt), 0);
	assert_true(rig->gpt.primary_good && rig->gpt.backup_good);
	assert_int_equal(rig->gpt.entries[1].last, 499 * MIB - 1);
	assert_false(gpt_grow(&rig->gpt, 1)); /* it is */
}

static void test_one_copy(void **state)
{
	struct rig *rig = *state;

	for (int which = 0; which < 2; which++) {
		wipe(rig, which ? 100 * MIB - 1 : 1);
		assert_int_equal(gpt_read(rig->fd, 100 * MIB, &rig->gpt), 0);
		assert_int_equal(rig->gpt.primary_good, which != 0);
		assert_int_equal(rig->gpt.backup_good, which == 0);
		assert_int_equal(gpt_find(&rig->gpt, "tarn-cache"), 1);
		assert_int_equal(gpt_write(rig->fd, &rig->gpt), 0);
		sfdisk_is_content(rig);
	}
}

/* The power went between the two copies while the table grew: the primary still says the old size. */
static void test_cut_while_growing(void **state)
{
	struct rig *rig = *state;
	struct gpt old;

	disk_size(rig, 500);
	assert_int_equal(gpt_read(rig->fd, 500 * MIB, &old), 0);
	rig->gpt = old;
	assert_true(gpt_grow(&rig->gpt, 1));
	assert_int_equal(gpt_write(rig->fd, &rig->gpt), 0);
	/* Back to what the primary was. */
	old.sectors = 100 * MIB;
	assert_int_equal(gpt_write(rig->fd, &old), 0);
	assert_int_equal(gpt_read(rig->fd, 500 * MIB, &rig->gpt), 0);
	assert_true(rig->gpt.primary_good);
	assert_false(rig->gpt.backup_good);
	assert_true(gpt_grow(&rig->gpt, 1));
	assert_int_equal(gpt_write(rig->fd, &rig->gpt), 0);
	sfdisk_is_content(rig);
}

static void test_nothing(void **state)
{
	struct rig *rig = *state;

	wipe(rig, 1);
	wipe(rig, 100 * MIB - 1);
	assert_int_equal(gpt_read(rig->fd, 100 * MIB, &rig->gpt), -EBADMSG);
	assert_int_equal(gpt_read(rig->fd, 10, &rig->gpt), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_grow, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_one_copy, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_cut_while_growing, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_nothing, rig_make, rig_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
