/* SPDX-License-Identifier: Apache-2.0 */
/* The log into a pipe that a test reads. */
#ifndef TARN_TESTS_LOG_PIPE_H
#define TARN_TESTS_LOG_PIPE_H

#include <fcntl.h>
#include <unistd.h>

#include "firmware/base/log_priv.h"

static int pipe_fd[2];
static char text[1 << 16];

static int setup(void **state)
{
	(void)state;
	if (pipe2(pipe_fd, O_NONBLOCK) < 0)
		return -1;
	log_open("unit", LOG_L_INFO);
	log_fd_set(pipe_fd[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_output(LOG_TEXT, LOG_STDERR);
	log_fd_set(STDERR_FILENO);
	(void)close(pipe_fd[0]);
	(void)close(pipe_fd[1]);
	return 0;
}

/* What has been logged since the last call. */
static const char *drain(void)
{
	ssize_t n = read(pipe_fd[0], text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

#endif
