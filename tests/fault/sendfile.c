/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sendfile(2) of a tarn-proxy that fails when a test says so (build/tests/fault/tarn-proxy): linked in the place of the
 * C library's, all else is as in the program that is installed.
 *
 * The file TARN_FAULT (struct fault, of this machine) says which call it is, from the next on, and what becomes of it and of
 * those after it. Each takes one off `calls`; those that come to 0 or below, `times` of them, fail with `error`, or give 0, as
 * at the end of a file that was cut short, where that is 0. What is sent stops at `most` bytes a call.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fault {
	_Atomic int64_t calls, times;
	_Atomic int64_t error, most;
};

static struct fault *fault;

/* Before main(): later it may open nothing. */
__attribute__((constructor)) static void fault_map(void)
{
	const char *path = getenv("TARN_FAULT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *page = fd < 0 ? MAP_FAILED
			    : mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED) {
		perror("TARN_FAULT");
		exit(64);
	}
	fault = page;
}

ssize_t sendfile(int to, int from, off_t *at, size_t n)
{
	int64_t most = atomic_load(&fault->most);

	if (atomic_fetch_sub(&fault->calls, 1) <= 1 && atomic_fetch_sub(&fault->times, 1) > 0) {
		errno = (int)atomic_load(&fault->error);
		return errno ? -1 : 0;
	}
	return syscall(SYS_sendfile, to, from, at, (int64_t)n > most ? (size_t)most : n);
}
