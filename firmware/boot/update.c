/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/update.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "firmware/base/log.h"

#define MAGIC	   "TARN-UPDATE 1\n"
#define SIGN_BYTES 64
#define SIGN_TEXT  88 /* of base64 */
#define PIECE	   (1 << 20)
#define SPARE	   (1 << 20) /* FAT's own tables and folders */

static const struct {
	const char *word, *text;
} fates[] = {
#define X(name, word, text) { word, text },
	UPDATE_FATES(X)
#undef X
};

const char *update_word(enum update_fate fate)
{
	return fates[fate].word;
}

const char *update_text(enum update_fate fate)
{
	return fates[fate].text;
}

/* ---- the head --------------------------------------------------------------------------------- */

static EVP_PKEY *key_load(const char *folder, const char *name)
{
	char path[320];
	EVP_PKEY *key;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	key = file ? PEM_read_PUBKEY(file, NULL, NULL, NULL) : NULL;
	if (file)
		(void)fclose(file);
	if (key && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static bool key_signed(EVP_PKEY *key, struct span text, const uint8_t *sign)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool good = md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestVerify(md, sign, SIGN_BYTES, (const uint8_t *)text.p, text.n) == 1;

	EVP_MD_CTX_free(md);
	return good;
}

/* By any of the folder's keys: that is how one takes the place of another. */
static bool any_signed(const char *folder, struct span text, const uint8_t *sign, char ret_key[64])
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	bool good = false;

	while (dir && !good && (e = readdir(dir))) {
		EVP_PKEY *key = NULL;

		if (e->d_name[0] != '.' && span_ends(span_of(e->d_name), SPAN(".pem")))
			key = key_load(folder, e->d_name);
		good = key && key_signed(key, text, sign);
		EVP_PKEY_free(key);
		if (good)
			(void)snprintf(ret_key, 64, "%.63s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return good;
}

/* "key=value\n" off the front. */
static bool field_take(struct span *rest, struct span key, struct span *ret_value)
{
	struct span line;

	return span_cut(rest, '\n', &line) && span_starts(line, key) &&
	       (*ret_value = span_drop(line, key.n), ret_value->n > 0);
}

static bool sign_parse(struct span text, uint8_t ret[SIGN_BYTES])
{
	uint8_t raw[SIGN_TEXT / 4 * 3];

	if (text.n != SIGN_TEXT || EVP_DecodeBlock(raw, (const uint8_t *)text.p, SIGN_TEXT) < 0)
		return false;
	memcpy(ret, raw, SIGN_BYTES);
	return true;
}

static bool sha_parse(struct span text, uint8_t ret[32])
{
	uint64_t byte;

	if (text.n != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		if (span_hex(span_sub(text, i * 2, i * 2 + 2), &byte))
			return false;
		ret[i] = (uint8_t)byte;
	}
	return true;
}

static enum update_fate head_parse(struct span head, const char *keys, struct update *u)
{
	struct span rest = span_drop(head, sizeof(MAGIC) - 1), version, arch, bytes, sha, sign_text;
	struct span text;
	uint8_t sign[SIGN_BYTES];

	if (!span_starts(head, SPAN(MAGIC)) || !field_take(&rest, SPAN("version="), &version) ||
	    !field_take(&rest, SPAN("arch="), &arch) ||
	    !field_take(&rest, SPAN("bytes="), &bytes) || !field_take(&rest, SPAN("sha256="), &sha))
		return UPDATE_NOT_ONE;
	text = span_head(head, (size_t)(rest.p - head.p));
	/* Nothing of it is believed before the signature is. */
	if (!field_take(&rest, SPAN("signature="), &sign_text) || !sign_parse(sign_text, sign) ||
	    !any_signed(keys, text, sign, u->key))
		return UPDATE_UNSIGNED;
	if (!version_valid(version) || span_copy(version, u->version, sizeof(u->version)) ||
	    span_copy(arch, u->arch, sizeof(u->arch)) || span_u64(bytes, &u->bytes) || !u->bytes ||
	    u->bytes > UPDATE_BYTES_MAX - UPDATE_HEAD || !sha_parse(sha, u->sha256))
		return UPDATE_NOT_ONE;
	return UPDATE_OK;
}

enum update_fate update_head(int fd, const char *keys, struct update *ret_update)
{
	char head[UPDATE_HEAD];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	*ret_update = (struct update){ 0 };
	if (n < 0)
		return UPDATE_UNREADABLE;
	if (n != sizeof(head))
		return UPDATE_NOT_ONE;
	return head_parse(span_make(head, sizeof(head)), keys, ret_update);
}

/* ---- content ---------------------------------------------------------------------------------- */

struct copy {
	const struct update_place *place;
	const struct update *update;
	const char *stage;
	int from;
	off_t at;
	int to; /* -1: only the digest */
};

static bool piece_write(int fd, const char *buf, size_t n)
{
	ssize_t done;

	for (size_t at = 0; at < n; at += (size_t)done) {
		done = write(fd, buf + at, n - at);
		if (done <= 0)
			return false;
	}
	return true;
}

/* From a file to another and through the digest. `differs` is the fate of a wrong one. */
static enum update_fate content_copy(const struct copy *c, enum update_fate differs)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	enum update_fate fate = UPDATE_OK;
	uint64_t left = c->update->bytes;
	uint8_t sha[32];
	char *buf = malloc(PIECE);
	off_t at = c->at;

	CHECK(buf && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
	while (!fate && left) {
		ssize_t n = pread(c->from, buf, left < PIECE ? (size_t)left : PIECE, at);

		if (n <= 0)
			fate = n ? UPDATE_UNREADABLE : UPDATE_TRUNCATED;
		else if (EVP_DigestUpdate(md, buf, (size_t)n) != 1)
			fate = differs;
		else if (c->to >= 0 && !piece_write(c->to, buf, (size_t)n))
			fate = UPDATE_NOT_WRITTEN;
		if (fate)
			break;
		at += n;
		left -= (uint64_t)n;
		if (c->place->progress)
			c->place->progress(c->place->arg, c->stage, c->update->bytes - left,
					   c->update->bytes);
	}
	if (!fate && (EVP_DigestFinal_ex(md, sha, NULL) != 1 ||
		      memcmp(sha, c->update->sha256, sizeof(sha)) != 0))
		fate = differs;
	EVP_MD_CTX_free(md);
	free(buf);
	return fate;
}

/* What the slots that are there say about it. */
static enum update_fate slots_check(const struct update *u, const struct update_place *place)
{
	struct slot slots[SLOTS_MAX];
	int n = slots_list(place->folder, slots);

	for (int i = 0; i < n; i++) {
		/* On trial: the slot before it is its way back, and may not be cleared. */
		if (!strcmp(slots[i].version, place->running) && slots[i].left >= 0)
			return UPDATE_ON_TRIAL;
		if (!strcmp(slots[i].version, u->version) && slots[i].left == 0 && !place->force)
			return UPDATE_FAILED_BEFORE;
	}
	return UPDATE_OK;
}

static enum update_fate version_check(const struct update *u, const struct update_place *place)
{
	int order;

	/* Unknown, the running slot could not be told from the one that is cleared. */
	if (!version_valid(span_of(place->running)) || !strcmp(place->running, "0"))
		return UPDATE_NO_VERSION;
	order = version_compare(u->version, place->running);
	if (!order)
		return UPDATE_RUNNING;
	if (order < 0 && !place->force)
		return UPDATE_TOO_OLD;
	/* Good for ever: the boot loader prefers it to all that is older. */
	if (*place->factory && version_compare(u->version, place->factory) <= 0)
		return UPDATE_FACTORY_NEWER;
	return slots_check(u, place);
}

enum update_fate update_check(int fd, const struct update_place *place, struct update *ret_update)
{
	struct copy c = { place, ret_update, "check", fd, UPDATE_HEAD, -1 };
	enum update_fate fate = update_head(fd, place->keys, ret_update);
	struct stat st;

	if (fate)
		return fate;
	if (strcmp(ret_update->arch, UPDATE_ARCH) != 0)
		return UPDATE_OTHER_ARCH;
	fate = version_check(ret_update, place);
	if (fate)
		return fate;
	if (fstat(fd, &st))
		return UPDATE_UNREADABLE;
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size != UPDATE_HEAD + ret_update->bytes)
		return UPDATE_TRUNCATED;
	return content_copy(&c, UPDATE_TAMPERED);
}

/* ---- the slot --------------------------------------------------------------------------------- */

static bool room_for(const char *folder, uint64_t bytes)
{
	struct statvfs st;

	return !statvfs(folder, &st) && (uint64_t)st.f_bavail * st.f_frsize >= bytes + SPARE;
}

/* Written, on the disk, and from there the same again. */
static enum update_fate slot_write(int fd, const struct update_place *place, const struct update *u,
				   const char *path)
{
	struct copy c = { place, u, "write", fd, UPDATE_HEAD, -1 };
	enum update_fate fate;

	c.to = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c.to < 0)
		return UPDATE_NOT_WRITTEN;
	fate = content_copy(&c, UPDATE_TAMPERED);
	if (!fate && fsync(c.to))
		fate = UPDATE_NOT_WRITTEN;
	if (!fate) {
		/* Not from memory. */
		(void)posix_fadvise(c.to, 0, 0, POSIX_FADV_DONTNEED);
		c = (struct copy){ place, u, "compare", c.to, 0, -1 };
		fate = content_copy(&c, UPDATE_NOT_THE_SAME);
		close(c.from);
		return fate;
	}
	close(c.to);
	return fate;
}

enum update_fate update_install(int fd, const struct update_place *place, struct update *ret_update)
{
	enum update_fate fate = update_check(fd, place, ret_update);
	char new[300], final[300];

	if (fate)
		return fate;
	if (slots_clear(place->folder, place->running))
		return UPDATE_NOT_WRITTEN;
	if (!room_for(place->folder, ret_update->bytes))
		return UPDATE_NO_SPACE;
	(void)snprintf(new, sizeof(new), "%s/tarn-%s.new", place->folder, ret_update->version);
	(void)snprintf(final, sizeof(final), "%s/tarn-%s+%d.efi", place->folder,
		       ret_update->version, SLOT_TRIES);
	fate = slot_write(fd, place, ret_update, new);
	if (!fate && rename(new, final))
		fate = UPDATE_NOT_WRITTEN;
	if (!fate && slots_sync(place->folder))
		fate = UPDATE_NOT_WRITTEN;
	if (fate)
		(void)unlink(new);
	return fate;
}
