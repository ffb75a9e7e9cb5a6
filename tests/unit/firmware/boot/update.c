/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/update.c: what is installed, and what is refused with nothing touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/boot/update.h"

#define CONTENT 3000000

struct rig {
	char dir[48], slots[64], keys[64];
	EVP_PKEY *key;
	struct update_place place;
};

static void shell(const char *format, const char *a)
{
	char line[300];

	(void)snprintf(line, sizeof(line), format, a);
	assert_int_equal(system(line), 0);
}

static EVP_PKEY *key_make(struct rig *rig, const char *name)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char path[128];
	FILE *file;

	assert_non_null(key);
	if (name) {
		(void)snprintf(path, sizeof(path), "%s/%s", rig->keys, name);
		file = fopen(path, "w");
		assert_non_null(file);
		assert_int_equal(PEM_write_PUBKEY(file, key), 1);
		(void)fclose(file);
	}
	return key;
}

static int rig_make(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	strcpy(rig->dir, "/tmp/tarn-update-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	(void)snprintf(rig->slots, sizeof(rig->slots), "%s/slots", rig->dir);
	(void)snprintf(rig->keys, sizeof(rig->keys), "%s/keys", rig->dir);
	assert_int_equal(mkdir(rig->slots, 0700) + mkdir(rig->keys, 0700), 0);
	rig->key = key_make(rig, "build.pem");
	rig->place = (struct update_place){
		.folder = rig->slots, .keys = rig->keys, .running = "2", .factory = "1"
	};
	shell("touch %s/slots/tarn-2.efi", rig->dir);
	*state = rig;
	return 0;
}

static int rig_end(void **state)
{
	struct rig *rig = *state;

	shell("rm -rf %s", rig->dir);
	EVP_PKEY_free(rig->key);
	free(rig);
	return 0;
}

static uint8_t *content_make(void)
{
	uint8_t *bytes = malloc(CONTENT);

	assert_non_null(bytes);
	for (size_t i = 0; i < CONTENT; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	return bytes;
}

/* Signed with `key` (NULL: with none); an open file. */
static int update_make(struct rig *rig, EVP_PKEY *key, const char *version, const char *arch)
{
	uint8_t *bytes = content_make(), sha[32], sign[64];
	char head[UPDATE_HEAD] = { 0 }, text[100], path[96];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t sign_n = sizeof(sign);
	int n, fd;

	assert_int_equal(EVP_Digest(bytes, CONTENT, sha, NULL, EVP_sha256(), NULL), 1);
	n = snprintf(head, sizeof(head),
		     "TARN-UPDATE 1\nversion=%s\narch=%s\nbytes=%d\nsha256=", version, arch,
		     CONTENT);
	for (size_t i = 0; i < 32; i++)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "%02x", sha[i]);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\n");
	if (key) {
		assert_int_equal(EVP_DigestSignInit(md, NULL, NULL, NULL, key), 1);
		assert_int_equal(
			EVP_DigestSign(md, sign, &sign_n, (const uint8_t *)head, (size_t)n), 1);
		EVP_EncodeBlock((uint8_t *)text, sign, sizeof(sign));
		(void)snprintf(head + n, sizeof(head) - (size_t)n, "signature=%s\n\n", text);
	}
	EVP_MD_CTX_free(md);
	(void)snprintf(path, sizeof(path), "%s/update", rig->dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
	assert_int_equal(write(fd, bytes, CONTENT), CONTENT);
	free(bytes);
	return fd;
}

static bool there(const struct rig *rig, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", rig->slots, name);
	return !access(path, F_OK);
}

/* Whatever is refused leaves both slots as they were. */
static void refused(struct rig *rig, int fd, enum update_fate fate)
{
	enum update_fate got;
	struct update update;

	shell("touch %s/slots/tarn-1.5.efi", rig->dir);
	got = update_install(fd, &rig->place, &update);
	if (got != fate)
		fail_msg("%s instead of %s", update_word(got), update_word(fate));
	assert_true(there(rig, "tarn-2.efi"));
	assert_true(there(rig, "tarn-1.5.efi"));
	close(fd);
}

static void test_installed(void **state)
{
	struct rig *rig = *state;
	int fd = update_make(rig, rig->key, "2.1", UPDATE_ARCH), slot;
	uint8_t *bytes = content_make(), *got = malloc(CONTENT + 1);
	struct update update;
	char path[128];

	shell("touch %s/slots/tarn-1.5.efi", rig->dir);
	shell("touch %s/slots/tarn-7.new", rig->dir);
	assert_int_equal(update_install(fd, &rig->place, &update), UPDATE_OK);
	assert_string_equal(update.version, "2.1");
	assert_string_equal(update.key, "build.pem");
	assert_true(there(rig, "tarn-2.efi"));
	assert_false(there(rig, "tarn-1.5.efi"));
	assert_false(there(rig, "tarn-7.new"));
	(void)snprintf(path, sizeof(path), "%s/tarn-2.1+3.efi", rig->slots);
	slot = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(slot, got, CONTENT + 1), CONTENT);
	assert_memory_equal(got, bytes, CONTENT);
	close(slot);
	close(fd);
	free(got);
	free(bytes);
}

static void test_signatures(void **state)
{
	struct rig *rig = *state;
	EVP_PKEY *stranger = key_make(rig, NULL), *next;
	struct update update;
	int fd;

	refused(rig, update_make(rig, NULL, "3", UPDATE_ARCH), UPDATE_UNSIGNED);
	refused(rig, update_make(rig, stranger, "3", UPDATE_ARCH), UPDATE_UNSIGNED);
	/* A rotation: the image brings the next key before it is used. */
	next = key_make(rig, "next.pem");
	fd = update_make(rig, next, "3", UPDATE_ARCH);
	assert_int_equal(update_install(fd, &rig->place, &update), UPDATE_OK);
	assert_string_equal(update.key, "next.pem");
	close(fd);
	EVP_PKEY_free(next);
	EVP_PKEY_free(stranger);
}

static void poke(int fd, off_t at)
{
	char c;

	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static void test_damaged(void **state)
{
	struct rig *rig = *state;
	int fd;

	for (off_t at = 14; at < 120; at += 7) {
		fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
		poke(fd, at);
		shell("touch %s/slots/tarn-1.5.efi", rig->dir);
		/* In its form, or in what is signed. */
		assert_int_not_equal(update_install(fd, &rig->place, &(struct update){ 0 }),
				     UPDATE_OK);
		assert_true(there(rig, "tarn-1.5.efi"));
		close(fd);
	}
	fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
	poke(fd, 0);
	refused(rig, fd, UPDATE_NOT_ONE);
	fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
	poke(fd, UPDATE_HEAD + CONTENT / 2);
	refused(rig, fd, UPDATE_TAMPERED);
	fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
	assert_int_equal(ftruncate(fd, UPDATE_HEAD + CONTENT - 1), 0);
	refused(rig, fd, UPDATE_TRUNCATED);
	fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
	assert_int_equal(ftruncate(fd, 100), 0);
	refused(rig, fd, UPDATE_NOT_ONE);
	fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
	assert_int_equal(ftruncate(fd, UPDATE_HEAD + CONTENT + 1), 0);
	refused(rig, fd, UPDATE_TRUNCATED);
}

static void test_versions(void **state)
{
	struct rig *rig = *state;
	struct update update;
	int fd;

	refused(rig, update_make(rig, rig->key, "3", "pdp11"), UPDATE_OTHER_ARCH);
	refused(rig, update_make(rig, rig->key, "2", UPDATE_ARCH), UPDATE_RUNNING);
	refused(rig, update_make(rig, rig->key, "1.9", UPDATE_ARCH), UPDATE_TOO_OLD);
	refused(rig, update_make(rig, rig->key, "../3", UPDATE_ARCH), UPDATE_NOT_ONE);
	rig->place.running = "0";
	refused(rig, update_make(rig, rig->key, "3", UPDATE_ARCH), UPDATE_NO_VERSION);
	rig->place.running = "";
	refused(rig, update_make(rig, rig->key, "3", UPDATE_ARCH), UPDATE_NO_VERSION);
	rig->place.running = "2";
	rig->place.force = true;
	refused(rig, update_make(rig, rig->key, "2", UPDATE_ARCH), UPDATE_RUNNING);
	refused(rig, update_make(rig, rig->key, "0.9", UPDATE_ARCH), UPDATE_FACTORY_NEWER);
	fd = update_make(rig, rig->key, "1.9", UPDATE_ARCH);
	assert_int_equal(update_install(fd, &rig->place, &update), UPDATE_OK);
	close(fd);
}

/* Once all of it is checked, its last byte becomes another. */
static void swap(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	if (!strcmp(stage, "check") && done == total)
		assert_int_equal(pwrite(*(int *)arg, "!", 1, UPDATE_HEAD + CONTENT - 1), 1);
}

static void test_changed_after_the_check(void **state)
{
	struct rig *rig = *state;
	int fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
	struct update update;

	rig->place.progress = swap;
	rig->place.arg = &fd;
	assert_int_equal(update_install(fd, &rig->place, &update), UPDATE_TAMPERED);
	assert_true(there(rig, "tarn-2.efi"));
	assert_false(there(rig, "tarn-3+3.efi"));
	assert_false(there(rig, "tarn-3.new"));
	close(fd);
}

/* A system on trial has its way back in the other slot. */
static void test_on_trial(void **state)
{
	struct rig *rig = *state;

	shell("touch %s/slots/tarn-2+2-1.efi", rig->dir);
	refused(rig, update_make(rig, rig->key, "3", UPDATE_ARCH), UPDATE_ON_TRIAL);
}

static void test_failed_before(void **state)
{
	struct rig *rig = *state;
	struct update update;
	int fd;

	shell("touch %s/slots/tarn-3+0-3.efi", rig->dir);
	refused(rig, update_make(rig, rig->key, "3", UPDATE_ARCH), UPDATE_FAILED_BEFORE);
	rig->place.force = true;
	fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
	assert_int_equal(update_install(fd, &rig->place, &update), UPDATE_OK);
	assert_true(there(rig, "tarn-3+3.efi"));
	assert_false(there(rig, "tarn-3+0-3.efi"));
	close(fd);
}

static void test_no_place(void **state)
{
	struct rig *rig = *state;
	int fd = update_make(rig, rig->key, "3", UPDATE_ARCH);
	struct update update;

	rig->place.folder = "/nonexistent";
	assert_int_equal(update_install(fd, &rig->place, &update), UPDATE_NOT_WRITTEN);
	assert_string_equal(update.version, "3");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_installed, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_signatures, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_damaged, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_versions, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_changed_after_the_check, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_on_trial, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_failed_before, rig_make, rig_end),
		cmocka_unit_test_setup_teardown(test_no_place, rig_make, rig_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
