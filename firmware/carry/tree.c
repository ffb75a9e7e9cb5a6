/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/carry/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIECE 262144

int tree_open(const char *path, bool make, int *ret_fd)
{
	int fd;

	if (make && mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int open_beneath(int top, const char *place, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, top, place, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int tree_read(int top, const char *place, int *ret_fd, uint64_t *ret_size)
{
	struct stat st;
	int fd = open_beneath(top, place, O_RDONLY, 0);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return -EINVAL;
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

/* The folder of a place, and the name in it. */
static int open_folder(int top, const char *place, const char **ret_name)
{
	const char *slash = strrchr(place, '/');
	char *folder;
	int fd;

	*ret_name = slash ? slash + 1 : place;
	folder = slash ? strndup(place, (size_t)(slash - place)) : strdup(".");
	if (!folder)
		return -ENOMEM;
	fd = open_beneath(top, folder, O_DIRECTORY | O_RDONLY, 0);
	free(folder);
	return fd;
}

int tree_folders(int top, const char *place)
{
	char *copy = strdup(place);
	int rc = copy ? 0 : -ENOMEM;

	for (char *slash = copy ? strchr(copy, '/') : NULL; rc == 0 && slash;
	     slash = strchr(slash + 1, '/')) {
		const char *name;
		int folder;

		*slash = '\0';
		folder = open_folder(top, copy, &name);
		if (folder < 0)
			rc = folder;
		else if (mkdirat(folder, name, 0755) < 0 && errno != EEXIST)
			rc = -errno;
		if (folder >= 0)
			(void)close(folder);
		*slash = '/';
	}
	free(copy);
	return rc;
}

int tree_create(int top, const char *place, int *ret_fd)
{
	const char *name;
	int fd, folder, rc = tree_folders(top, place);

	if (rc < 0)
		return rc;
	folder = open_folder(top, place, &name);
	if (folder < 0)
		return folder;
	(void)unlinkat(folder, name, 0);
	(void)close(folder);
	fd = open_beneath(top, place, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

int tree_append(int top, const char *place, int *ret_fd)
{
	int fd, rc = tree_folders(top, place);

	if (rc < 0)
		return rc;
	fd = open_beneath(top, place, O_WRONLY | O_APPEND | O_CREAT, 0644);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

int tree_rename(int top, const char *from, const char *to)
{
	const char *from_name = from, *to_name = to;
	int from_fd = -1, to_fd = -1, rc = tree_folders(top, to);

	if (rc == 0)
		rc = from_fd = open_folder(top, from, &from_name);
	if (rc >= 0)
		rc = to_fd = open_folder(top, to, &to_name);
	if (rc >= 0)
		rc = renameat(from_fd, from_name, to_fd, to_name) < 0 ? -errno : 0;
	if (from_fd >= 0)
		(void)close(from_fd);
	if (to_fd >= 0)
		(void)close(to_fd);
	return rc;
}

void tree_remove(int top, const char *place)
{
	char *copy = strdup(place);
	int flags = 0;

	for (char *slash = copy; slash; flags = AT_REMOVEDIR) {
		const char *name;
		int folder = open_folder(top, copy, &name), rc = -1;

		if (folder >= 0) {
			rc = unlinkat(folder, name, flags);
			(void)close(folder);
		}
		slash = rc < 0 ? NULL : strrchr(copy, '/');
		if (slash)
			*slash = '\0';
	}
	free(copy);
}

int tree_digest(int fd, const char *name, uint64_t size, uint8_t *ret_digest)
{
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *buf = malloc(PIECE);
	uint64_t at = 0;
	ssize_t n = 1;
	int rc = md && context && buf && EVP_DigestInit_ex2(context, md, NULL) == 1 ? 0 : -ENOMEM;

	while (rc == 0 && n > 0) {
		n = pread(fd, buf, PIECE, (off_t)at);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			rc = -errno;
		else if (n > 0 && EVP_DigestUpdate(context, buf, (size_t)n) != 1)
			rc = -ENOMEM;
		else
			at += (uint64_t)n;
		if (rc == 0 && at > size)
			rc = -EBADMSG;
	}
	if (rc == 0 && at != size)
		rc = -EBADMSG;
	if (rc == 0 && EVP_DigestFinal_ex(context, ret_digest, NULL) != 1)
		rc = -ENOMEM;
	free(buf);
	EVP_MD_CTX_free(context);
	EVP_MD_free(md);
	return rc;
}

static int read_whole(int fd, char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = pread(fd, text + at, size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	text[size] = '\0';
	return 0;
}

int tree_load(int top, const char *place, size_t max, char **ret_text, size_t *ret_n)
{
	uint64_t size;
	char *text = NULL;
	int fd, rc = tree_read(top, place, &fd, &size);

	if (rc < 0)
		return rc;
	rc = size > max ? -EFBIG : 0;
	if (rc == 0)
		text = malloc((size_t)size + 1);
	if (rc == 0)
		rc = text ? read_whole(fd, text, (size_t)size) : -ENOMEM;
	(void)close(fd);
	if (rc < 0) {
		free(text);
		return rc;
	}
	*ret_text = text;
	*ret_n = (size_t)size;
	return 0;
}

int tree_store(int top, const char *place, struct span bytes)
{
	char beside[REPOSITORY_PLACE_MAX];
	int fd = -1, rc;

	if (snprintf(beside, sizeof(beside), "%s.part", place) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	rc = tree_create(top, beside, &fd);
	for (size_t at = 0; rc == 0 && at < bytes.n;) {
		ssize_t n = write(fd, bytes.p + at, bytes.n - at);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (fd >= 0)
		(void)close(fd);
	if (rc == 0)
		rc = tree_rename(top, beside, place);
	else if (fd >= 0)
		tree_remove(top, beside);
	return rc;
}
