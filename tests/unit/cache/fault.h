/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault seam: this program's own pwrite, writev, fdatasync, ftruncate, open and mmap stand before libc's for
 * every library it is linked with, LMDB among them. Include it in one .c file of a program.
 *
 * The Nth of these calls (counted from fault_arm) fails, or all from the Nth on. Syncs are not passed on: what
 * is proven here is what happens to errors, not to power cuts.
 */
#ifndef TESTS_UNIT_CACHE_FAULT_H
#define TESTS_UNIT_CACHE_FAULT_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Also what glibc calls for files of 64-bit offsets; on LP64 they are one. */
_Static_assert(sizeof(off_t) == sizeof(long), "the calls below pass offsets in one register");

enum fault_kind {
	FAULT_ENOSPC, /* writes */
	FAULT_EIO,    /* writes and syncs */
	FAULT_SHORT,  /* writes do half of it */
	FAULT_OPEN,   /* no descriptor is left (EMFILE) */
	FAULT_MMAP,   /* no memory to map (ENOMEM) */
};

static struct {
	enum fault_kind kind;
	long at;      /* which call; 0: none */
	bool forever; /* and all after it */
	long calls;
	long fired;
} fault;

__attribute__((unused)) static void fault_arm(enum fault_kind kind, long at, bool forever)
{
	fault.kind = kind;
	fault.at = at;
	fault.forever = forever;
	fault.calls = 0;
	fault.fired = 0;
}

__attribute__((unused)) static void fault_disarm(void)
{
	fault.at = 0;
}

static bool fault_counts(void)
{
	fault.calls++;
	if (fault.forever ? fault.calls < fault.at : fault.calls != fault.at)
		return false;
	fault.fired++;
	return true;
}

static bool fault_hits(bool is_sync)
{
	if (fault.at == 0 || fault.kind >= FAULT_OPEN || (is_sync && fault.kind != FAULT_EIO))
		return false;
	return fault_counts();
}

static bool fault_hits_kind(enum fault_kind kind)
{
	return fault.at != 0 && fault.kind == kind && fault_counts();
}

static int fault_errno(void)
{
	return fault.kind == FAULT_ENOSPC ? ENOSPC : EIO;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	if (!fault_hits(false))
		return syscall(SYS_pwrite64, fd, buf, n, at);
	if (fault.kind == FAULT_SHORT)
		return syscall(SYS_pwrite64, fd, buf, n / 2, at);
	errno = fault_errno();
	return -1;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	if (!fault_hits(false))
		return syscall(SYS_writev, fd, iov, n);
	if (fault.kind == FAULT_SHORT)
		return syscall(SYS_writev, fd, iov, n > 1 ? n / 2 : n);
	errno = fault_errno();
	return -1;
}

int ftruncate(int fd, off_t size)
{
	if (!fault_hits(false))
		return (int)syscall(SYS_ftruncate, fd, size);
	errno = fault_errno();
	return -1;
}

int fdatasync(int fd)
{
	(void)fd;
	if (!fault_hits(true))
		return 0;
	errno = fault_errno();
	return -1;
}

static int fault_open(int dir, const char *path, int flags, va_list args)
{
	mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;

	if (!fault_hits_kind(FAULT_OPEN))
		return (int)syscall(SYS_openat, dir, path, flags, mode);
	errno = EMFILE;
	return -1;
}

#define FAULT_OPENS(name, dir, ...)                                                                \
	int name(__VA_ARGS__, int flags, ...)                                                      \
	{                                                                                          \
		va_list args;                                                                      \
		int fd;                                                                            \
                                                                                                   \
		va_start(args, flags);                                                             \
		fd = fault_open(dir, path, flags, args);                                           \
		va_end(args);                                                                      \
		return fd;                                                                         \
	}
FAULT_OPENS(open, AT_FDCWD, const char *path)
FAULT_OPENS(open64, AT_FDCWD, const char *path)
FAULT_OPENS(openat, dir, int dir, const char *path)

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	if (!fault_hits_kind(FAULT_MMAP))
		return (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
	errno = ENOMEM;
	return MAP_FAILED;
}

#endif
