/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child's signals are reset, its descriptors above 2 closed, and it gets a session of its own.
 */
#include "firmware/boot/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/boot/say.h"

static run_tick_f *tick;
static void *tick_arg;

void run_tick_set(run_tick_f *f, void *arg)
{
	tick = f;
	tick_arg = arg;
}

static void signals_reset(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* `output_fd` -1: the log. */
static void child_fds(int input_fd, int output_fd, const char *tty)
{
	int error = say_log_fd(), out = output_fd < 0 ? error : output_fd, fd;

	(void)setsid();
	if (tty) {
		fd = open(tty, O_RDWR);
		input_fd = out = error = fd;
		(void)ioctl(fd, TIOCSCTTY, 1);
	}
	if (input_fd < 0)
		input_fd = open("/dev/null", O_RDWR);
	if (out < 0)
		out = open("/dev/null", O_RDWR);
	if (error < 0)
		error = output_fd < 0 ? out : STDERR_FILENO;
	(void)dup2(input_fd, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(error, STDERR_FILENO);
	(void)syscall(SYS_close_range, 3, ~0u, 0);
}

static pid_t start(const char *const argv[], int input_fd, int output_fd, const char *tty)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		signals_reset();
		child_fds(input_fd, output_fd, tty);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

pid_t run_start(const char *const argv[], int input_fd, const char *tty)
{
	return start(argv, input_fd, -1, tty);
}

pid_t run_prepared(run_prepare_f *prepare, void *arg)
{
	const char *const *argv;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		signals_reset();
		(void)setsid();
		argv = prepare(arg);
		if (!argv)
			_exit(0);
		child_fds(-1, -1, NULL);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

/* Waits at most until `until_ms`; then kills. */
static int wait_until(pid_t pid, uint64_t until_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), status = 0, rc = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (fd >= 0 && poll(&p, 1, 1000) == 0) {
		if (tick)
			tick(tick_arg);
		if (clock_read().mono_ms >= until_ms) {
			(void)kill(pid, SIGKILL);
			rc = -ETIMEDOUT;
			break;
		}
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	if (rc)
		return rc;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A pipe's buffer holds every input that we have. */
static int input_pipe(const char *input, int *ret_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	if (write(ends[1], input, strlen(input)) < 0) {
		close(ends[0]);
		close(ends[1]);
		return -EIO;
	}
	close(ends[1]);
	*ret_fd = ends[0];
	return 0;
}

int run_tool(const char *const argv[], const char *input, unsigned limit_s)
{
	int fd = -1, rc = input ? input_pipe(input, &fd) : 0;
	pid_t pid;

	if (rc)
		return rc;
	pid = run_start(argv, fd, NULL);
	if (fd >= 0)
		close(fd);
	if (pid < 0)
		return pid;
	return wait_until(pid, clock_read().mono_ms + limit_s * 1000ULL);
}

pid_t run_piped(const char *const argv[], int *ret_fd)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	pid = start(argv, -1, ends[1], NULL);
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	else
		*ret_fd = ends[0];
	return pid;
}

int run_capture(const char *const argv[], char *buf, size_t size, unsigned limit_s)
{
	int fd, rc;
	ssize_t n;
	pid_t pid;

	*buf = '\0';
	pid = run_piped(argv, &fd);
	if (pid < 0)
		return pid;
	rc = wait_until(pid, clock_read().mono_ms + limit_s * 1000ULL);
	/* A pipe's buffer holds what we ask for; what is more is not wanted. */
	n = rc < 0 ? -1 : read(fd, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	close(fd);
	return rc;
}
