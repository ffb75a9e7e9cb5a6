/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of publications and runs outlives the program, however many vendors there are and however long they have
 * published each hour.
 */
#include "tests/unit/proxy/rig.h"

#include <stdio.h>

#include "cache/writer.h"
#include "proxy/sync/sync_priv.h"

#define VENDORS 40

static struct rig rig;
static char store_dir[64];

static void profiles_write(unsigned n)
{
	char path[128];

	for (unsigned i = 0; i < n; i++) {
		FILE *out;

		snprintf(path, sizeof(path), "%s/v%u.conf", rig.dir, i);
		out = fopen(path, "w");
		assert_non_null(out);
		fprintf(out,
			"[vendor]\nname = v%u\n[hosts]\nexact = a.v%u.example\n[sync]\nahead = "
			"yes\n",
			i, i);
		fclose(out);
	}
}

static void profiles_load_again(void)
{
	char path[96], dir[96];
	const char *overrides[] = { dir };
	struct config_source source = { .overrides = overrides, .overrides_n = 1, .path = path };
	struct settings_error error;

	snprintf(path, sizeof(path), "%s/tarn", rig.dir);
	snprintf(dir, sizeof(dir), "vendors.dir=%s", rig.dir);
	config_unref(&rig.worker->config);
	if (config_load(&source, &rig.worker->config, &error) != 0)
		fail_msg("%s: %s", error.file, error.what);
}

static void profiles_remove(void)
{
	char path[128];

	for (unsigned i = 0; i < VENDORS; i++) {
		snprintf(path, sizeof(path), "%s/v%u.conf", rig.dir, i);
		unlink(path);
	}
}

static struct sync *begin(void)
{
	const struct store_config config = { .path = store_dir, .limit = 64 << 20, .readers = 8 };
	struct sync *sync;

	assert_int_equal(store_open(&config, clock_read(), &rig.proxy.store), 0);
	assert_int_equal(writer_new(rig.proxy.store, &rig.proxy.writer), 0);
	assert_int_equal(generations_new(rig.proxy.writer, &rig.proxy.generations), 0);
	assert_int_equal(sync_new(rig.worker, &sync), 0);
	return sync;
}

static void end(struct sync *sync)
{
	sync_stop(sync);
	sync_free(&sync);
	generations_free(&rig.proxy.generations);
	writer_stop(&rig.proxy.writer);
	store_close(&rig.proxy.store);
}

static struct vendor *vendor_of(struct sync *sync, const char *name)
{
	struct vendor *vendor;

	LIST_FOREACH(vendor, &sync->vendors, link)
	if (!strcmp(vendor->name, name))
		return vendor;
	return NULL;
}

static void published(struct sync *sync, unsigned n)
{
	char name[8];

	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < 250; k++) { /* ten days of hours */
			struct sync_carried one = { .profile = name, .number = 1700000000000 + k };

			snprintf(name, sizeof(name), "v%u", i);
			history_published(vendor_of(sync, name), one.number, 1700000000000);
			if (k == 249)
				sync_carried_add(sync, &one);
		}
}

static void test_many(void **state)
{
	struct sync *sync;

	(void)state;
	strcpy(store_dir, "/tmp/tarn-history-XXXXXX");
	assert_non_null(mkdtemp(store_dir));
	rig_make(&rig, NULL, NULL);
	profiles_write(VENDORS);
	profiles_load_again();
	sync = begin();
	published(sync, VENDORS);
	assert_int_equal(sync_command(sync, SYNC_PAUSE, "v7"), 0);
	end(sync);

	sync = begin();
	assert_int_equal(json_array_size(sync->history), VENDORS);
	for (unsigned i = 0; i < VENDORS; i++) {
		char name[8];
		const struct vendor *vendor;

		snprintf(name, sizeof(name), "v%u", i);
		vendor = vendor_of(sync, name);
		assert_non_null(vendor);
		assert_int_equal(vendor->published_n, SYNC_NUMBERS_MAX);
		assert_int_equal(vendor->published[SYNC_NUMBERS_MAX - 1].number, 1700000000249);
		assert_int_equal(vendor->paused, i == 7);
	}
	end(sync);

	/* One that is out of the configuration when the program starts, and comes back while it runs. */
	profiles_remove();
	profiles_load_again();
	sync = begin();
	assert_null(vendor_of(sync, "v7"));
	profiles_write(VENDORS);
	profiles_load_again();
	sync_reload(sync);
	assert_true(vendor_of(sync, "v7")->paused);
	assert_int_equal(vendor_of(sync, "v7")->published_n, SYNC_NUMBERS_MAX);
	end(sync);
	profiles_remove();
	rig_end(&rig);
}

/* 0.1 up to November 2026 had all vendors in the row of runs. What an operator paused there stays so, also when the next
 * run is put into that row. */
static void test_older(void **state)
{
	static const char row[] = "{\"history\": [], \"vendors\": {\"v1\": {\"last\": 1700000000, "
				  "\"published\": [[1700000000001, 1700000000002]], "
				  "\"paused\": true, \"cuts\": 0}}}";
	struct sync *sync;

	(void)state;
	strcpy(store_dir, "/tmp/tarn-history-XXXXXX");
	assert_non_null(mkdtemp(store_dir));
	rig_make(&rig, NULL, NULL);
	profiles_write(2);
	profiles_load_again();
	sync = begin();
	sync_stop(sync);
	assert_int_equal(
		writer_put_state(rig.proxy.writer, SPAN("sync/history"), span_of(row), NULL, NULL),
		0);
	sync_free(&sync);
	generations_free(&rig.proxy.generations);
	writer_stop(&rig.proxy.writer);
	store_close(&rig.proxy.store);

	for (unsigned round = 0; round < 2; round++) {
		sync = begin();
		assert_true(vendor_of(sync, "v1")->paused);
		assert_int_equal(vendor_of(sync, "v1")->last, 1700000000);
		assert_int_equal(vendor_of(sync, "v1")->published_n, 1);
		assert_false(vendor_of(sync, "v0")->paused);
		history_save(sync);
		end(sync);
	}
	profiles_remove();
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_many),
					    cmocka_unit_test(test_older) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
