/* SPDX-License-Identifier: Apache-2.0 */
/* The first failure is kept in `rc`; after it nothing more is written. */
#include "firmware/ctl/tar.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK 512

struct tar {
	gzFile gz;
	char *path;
	int rc;
};

/* Numbers are octal text with a NUL. */
struct head {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct head) == BLOCK, "a tar header is a block");

int tar_create(const char *path, struct tar **ret_tar)
{
	struct tar *tar = calloc(1, sizeof(*tar));
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? -errno : 0;

	if (tar)
		tar->path = strdup(path);
	if (rc == 0 && (!tar || !tar->path || !(tar->gz = gzdopen(fd, "wb9")))) {
		(void)close(fd);
		(void)unlink(path);
		rc = -ENOMEM;
	}
	if (rc < 0) {
		if (tar)
			free(tar->path);
		free(tar);
		return rc;
	}
	*ret_tar = tar;
	return 0;
}

static void put(struct tar *tar, const void *bytes, size_t n)
{
	if (tar->rc == 0 && n && gzwrite(tar->gz, bytes, (unsigned)n) != (int)n)
		tar->rc = errno ? -errno : -EIO;
}

static void sum(struct head *head)
{
	const unsigned char *p = (const unsigned char *)head;
	unsigned total = 0;

	memset(head->checksum, ' ', sizeof(head->checksum));
	for (size_t i = 0; i < BLOCK; i++)
		total += p[i];
	(void)snprintf(head->checksum, sizeof(head->checksum), "%06o", total);
	head->checksum[7] = ' ';
}

void tar_add(struct tar *tar, const char *name, struct span bytes, uint64_t mtime_s)
{
	static const char zeros[BLOCK];
	struct head head = { .mode = "0000600", .uid = "0000000", .gid = "0000000", .type = '0' };

	memcpy(head.magic, "ustar", 6);
	memcpy(head.version, "00", 2);
	CHECK_OK(span_copy(span_of(name), head.name, sizeof(head.name)));
	(void)snprintf(head.size, sizeof(head.size), "%011o", (unsigned)bytes.n);
	(void)snprintf(head.mtime, sizeof(head.mtime), "%011llo",
		       (unsigned long long)mtime_s & 077777777777ull);
	sum(&head);
	put(tar, &head, BLOCK);
	put(tar, bytes.p, bytes.n);
	put(tar, zeros, (BLOCK - bytes.n % BLOCK) % BLOCK);
}

int tar_close(struct tar **tar)
{
	static const char zeros[2 * BLOCK];
	struct tar *t = *tar;
	int rc;

	put(t, zeros, sizeof(zeros));
	if (gzclose(t->gz) != Z_OK && t->rc == 0)
		t->rc = errno ? -errno : -EIO;
	rc = t->rc;
	if (rc < 0)
		(void)unlink(t->path);
	free(t->path);
	free(t);
	*tar = NULL;
	return rc;
}
