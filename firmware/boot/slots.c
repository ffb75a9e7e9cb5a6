/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/slots.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "tarn-"
#define SUFFIX ".efi"

bool version_valid(struct span v)
{
	if (!v.n || v.n >= SLOT_VERSION || !isdigit((unsigned char)v.p[0]))
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (!isalnum((unsigned char)v.p[i]) && v.p[i] != '.' && v.p[i] != '~')
			return false;
	return true;
}

/* A number of at most four digits. */
static int count_parse(struct span s, int *ret)
{
	uint64_t value;

	if (s.n > 4 || span_u64(s, &value))
		return -EINVAL;
	*ret = (int)value;
	return 0;
}

int slot_parse(const char *file, struct slot *ret_slot)
{
	struct span s = span_of(file), version, left;
	struct slot slot = { .left = -1 };

	if (s.n >= SLOT_FILE || !span_starts(s, SPAN(PREFIX)) || !span_ends(s, SPAN(SUFFIX)) ||
	    s.n < sizeof(PREFIX SUFFIX) - 1)
		return -EINVAL;
	memcpy(slot.file, file, s.n + 1);
	s = span_sub(s, sizeof(PREFIX) - 1, s.n - (sizeof(SUFFIX) - 1));
	version = span_head(s, span_find(s, '+'));
	s = span_drop(s, version.n);
	if (s.n) {
		s = span_drop(s, 1);
		left = span_head(s, span_find(s, '-'));
		s = span_drop(s, left.n);
		if (count_parse(left, &slot.left) ||
		    (s.n && count_parse(span_drop(s, 1), &slot.done)))
			return -EINVAL;
	}
	if (!version_valid(version) || span_copy(version, slot.version, sizeof(slot.version)))
		return -EINVAL;
	*ret_slot = slot;
	return 0;
}

const char *slot_state(const struct slot *slot)
{
	return slot->left < 0 ? "good" : slot->left ? "trying" : "bad";
}

/* The part of digits, as a number without limit: the longer is the larger, zeros in front do not count. */
static int digits_compare(const char **a, const char **b)
{
	size_t n, m;
	int order;

	*a += strspn(*a, "0");
	*b += strspn(*b, "0");
	n = strspn(*a, "0123456789");
	m = strspn(*b, "0123456789");
	order = n != m ? (n < m ? -1 : 1) : strncmp(*a, *b, n);
	*a += n;
	*b += m;
	return order;
}

/* '~' is before the end, the end before '.', then letters. */
static int rank(char c)
{
	return c == '~' ? 0 : !c ? 1 : c == '.' ? 2 : isdigit((unsigned char)c) ? 3 : 4;
}

int version_compare(const char *a, const char *b)
{
	int order;

	for (;;) {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			order = digits_compare(&a, &b);
			if (order)
				return order;
			continue;
		}
		if (rank(*a) != rank(*b))
			return rank(*a) - rank(*b);
		if (*a != *b)
			return (unsigned char)*a - (unsigned char)*b;
		if (!*a)
			return 0;
		a++;
		b++;
	}
}

static int slot_order(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	if ((x->left == 0) != (y->left == 0))
		return x->left == 0 ? 1 : -1;
	return version_compare(y->version, x->version);
}

int slots_list(const char *folder, struct slot ret_slots[SLOTS_MAX])
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	int n = 0;

	if (!dir)
		return -errno;
	while (n < SLOTS_MAX && (e = readdir(dir)))
		if (!slot_parse(e->d_name, &ret_slots[n]))
			n++;
	closedir(dir);
	qsort(ret_slots, (size_t)n, sizeof(ret_slots[0]), slot_order);
	return n;
}

json_t *slots_json(const struct slot *slots, int n, const char *running)
{
	json_t *all = json_array();

	for (int i = 0; i < n; i++) {
		const struct slot *s = &slots[i];
		json_t *left = s->left < 0 ? json_null() : json_integer(s->left);

		json_array_append_new(all, json_pack("{s:s, s:s, s:o, s:b}", "version", s->version,
						     "state", slot_state(s), "tries_left", left,
						     "running", !strcmp(s->version, running)));
	}
	return all;
}

/* Renames within the folder, and has that on the disk. */
static int slot_rename(const char *folder, const char *from, const char *to)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (renameat(fd, from, fd, to) || syncfs(fd))
		rc = -errno;
	close(fd);
	return rc;
}

static int slot_mark(const char *folder, const char *version, const char *counter)
{
	struct slot slots[SLOTS_MAX];
	char to[SLOT_FILE];
	int n = slots_list(folder, slots), rc = 0;

	for (int i = 0; i < n && !rc; i++) {
		if (strcmp(slots[i].version, version))
			continue;
		(void)snprintf(to, sizeof(to), PREFIX "%s%s" SUFFIX, version, counter);
		if (strcmp(to, slots[i].file))
			rc = slot_rename(folder, slots[i].file, to);
	}
	return n < 0 ? n : rc;
}

int slot_mark_good(const char *folder, const char *version)
{
	return slot_mark(folder, version, "");
}

int slot_mark_bad(const char *folder, const char *version)
{
	return slot_mark(folder, version, "+0");
}

int slot_remove(const char *folder, const char *file)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (unlinkat(fd, file, 0) || syncfs(fd))
		rc = -errno;
	close(fd);
	return rc;
}

int slots_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (syncfs(fd))
		rc = -errno;
	close(fd);
	return rc;
}

int slots_clear(const char *folder, const char *keep)
{
	struct dirent *e;
	struct slot slot;
	DIR *dir = opendir(folder);
	int rc = 0;

	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (!slot_parse(e->d_name, &slot) && !strcmp(slot.version, keep))
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0))
			rc = -errno;
	}
	closedir(dir);
	return rc;
}
