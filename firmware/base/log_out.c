/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the log's bytes leave. Nobody waits here: whoever reads the log may have stopped doing so, and devices are not to
 * feel it. A regular file is written to at once. All else - journald's socket, a pipe, a terminal - gets what it takes
 * now, under a lock, so that room which one thread has seen is not used up by another; the rest is lost, and counted.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/log_priv.h"
#include "firmware/base/stat.h"

enum out_kind {
	OUT_OTHER,
	OUT_SOCKET,
	OUT_FILE
};

static _Atomic int out_fd = STDERR_FILENO;
static _Atomic int out_kind = OUT_OTHER;
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
static bool out_cut; /* under out_lock: the last line has no end */

static enum out_kind kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return OUT_OTHER;
	return S_ISREG(st.st_mode) ? OUT_FILE : S_ISSOCK(st.st_mode) ? OUT_SOCKET : OUT_OTHER;
}

void log_fd_set(int fd)
{
	atomic_store(&out_kind, (int)OUT_OTHER); /* right for each, if not the fastest */
	atomic_store(&out_fd, fd);
	atomic_store(&out_kind, (int)kind_of(fd));
}

void log_out_look(void)
{
	log_fd_set(atomic_load(&out_fd));
}

/* What it takes now; -1: nothing. */
static ssize_t put_some(int fd, enum out_kind kind, const char *bytes, size_t n)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };

	if (kind == OUT_FILE)
		return write(fd, bytes, n);
	if (kind == OUT_SOCKET)
		return send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT))
		return -1;
	return write(fd, bytes, n);
}

/* A pipe that is ready takes so much whole, and others write to it, too: whole lines, so long as one of them fits. */
static size_t piece_of(const char *bytes, size_t n)
{
	const char *end;

	if (n <= PIPE_BUF)
		return n;
	end = memrchr(bytes, '\n', PIPE_BUF);
	return end ? (size_t)(end - bytes) + 1 : PIPE_BUF;
}

/* Bytes that were taken. */
static size_t put_all(int fd, enum out_kind kind, const char *bytes, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t piece = kind == OUT_FILE ? n - done : piece_of(bytes + done, n - done);
		ssize_t put = put_some(fd, kind, bytes + done, piece);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			break;
		done += (size_t)put;
	}
	return done;
}

static size_t put_now(int fd, enum out_kind kind, const char *bytes, size_t n)
{
	size_t done = 0;

	CHECK_OK(pthread_mutex_lock(&out_lock));
	if (!out_cut || put_all(fd, kind, "\n", 1) == 1) {
		done = put_all(fd, kind, bytes, n);
		out_cut = done ? bytes[done - 1] != '\n' : false;
	}
	CHECK_OK(pthread_mutex_unlock(&out_lock));
	return done;
}

void log_out(const char *bytes, size_t n)
{
	int fd = atomic_load_explicit(&out_fd, memory_order_relaxed);
	enum out_kind kind = (enum out_kind)atomic_load_explicit(&out_kind, memory_order_relaxed);
	size_t done = kind == OUT_FILE ? put_all(fd, kind, bytes, n) : put_now(fd, kind, bytes, n);

	for (; done < n; done++)
		if (bytes[done] == '\n')
			STAT_INC(STAT_LOG_LOST);
}
