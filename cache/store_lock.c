/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file `lock` in the store's directory: one process at a time has the store, by an flock on it; and its bytes
 * are a note for the next process, for the descriptor is at hand in a signal handler. They are none (all is well), or
 *
 *	'x'			it crashed inside the tree
 *	'x' or 0, count		and so many processes in a row did not come out of opening the file
 *
 * One that was killed just then says nothing about the file, OPENINGS_LOST of them do. Other bytes are nobody's.
 * The writer's thread, or store_open() and store_close().
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/store_priv.h"

#define OPENINGS_LOST 3

/* The file under its name, made if need be. */
static int lock_open(const struct store *store, int *ret_fd)
{
	int dir, fd, rc;

	/* That it is gone says more than that it can't be made again by who has no rights there. */
	if (access(store->path, F_OK) < 0 && errno == ENOENT && mkdir(store->path, 0700) < 0)
		return errno == EACCES || errno == EPERM ? -ENOENT : -errno;
	dir = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : 0;
	close(dir);
	if (rc == 0)
		*ret_fd = fd;
	return rc;
}

static bool same_file(int a, int b)
{
	struct stat st_a, st_b;

	return fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 && st_a.st_ino == st_b.st_ino &&
	       st_a.st_dev == st_b.st_dev;
}

int store_lock_take(struct store *store)
{
	int fd = -1, rc = lock_open(store, &fd);

	if (rc)
		return rc;
	if (store->lock_fd >= 0 && same_file(fd, store->lock_fd)) {
		close(fd);
		return 0;
	}
	store_lock_give(store); /* of a file that is gone: it keeps nobody away */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
		return rc;
	}
	store->lock_fd = fd;
	return 0;
}

void store_lock_give(struct store *store)
{
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	store->lock_fd = -1;
}

void store_note_crash(struct store *store)
{
	(void)!pwrite(store->lock_fd, "x", 1, 0);
}

static void note_read(const struct store *store, bool *ret_crashed, uint8_t *ret_lost)
{
	uint8_t note[3] = { 0 };
	ssize_t n = pread(store->lock_fd, note, sizeof(note), 0);
	bool ours = n == 1 ? note[0] == 'x'
			   : n == 2 && (note[0] == 'x' || note[0] == 0) && note[1] <= OPENINGS_LOST;

	*ret_crashed = ours && note[0] == 'x';
	*ret_lost = ours ? note[1] : 0;
}

int store_opening_begin(struct store *store, struct now now)
{
	uint8_t note[2] = { 0 };
	bool crashed;
	int rc;

	note_read(store, &crashed, &note[1]);
	if (crashed || note[1] >= OPENINGS_LOST) {
		rc = db_set_aside(store->path, now.wall_ms / 1000);
		if (rc && rc != -ENOENT)
			return rc;
		STORE_FIGURE_ADD(store, set_aside, 1);
		note[1] = 0;
	}
	note[1]++;
	/* A full disk is no reason not to open. */
	(void)!ftruncate(store->lock_fd, 0);
	(void)!pwrite(store->lock_fd, note, sizeof(note), 0);
	return 0;
}

void store_opening_end(struct store *store)
{
	if (store->lock_fd >= 0)
		(void)!ftruncate(store->lock_fd, 0);
}
