/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's bound: LOG_MAX bytes in the current file and as much in each of the two before it. Cutting copies and
 * truncates, since those who write keep their descriptor; a line that comes in between is lost.
 */
#include "firmware/boot/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/log.h"

#define LOG_MAX	   (2 << 20)
#define EARLY_PATH "/run/early.log"

static int console_fd = -1, log_fd = -1;
static char log_folder[200];

static int log_file_open(const char *path)
{
	return open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

void say_open(void)
{
	console_fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	log_fd = log_file_open(EARLY_PATH);
	if (log_fd >= 0)
		log_fd_set(log_fd);
}

int say_log_fd(void)
{
	return log_fd;
}

/* `text` is made printable. */
static void console_put(const char *stage, char *text)
{
	char line[520];
	int n;

	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	/* The console's driver adds no carriage return to what is written while nobody has it open. */
	n = snprintf(line, sizeof(line), "\r\nTARN %s %s\r\n", stage, text);
	if (console_fd >= 0 && write(console_fd, line, (size_t)n) < 0) {
		/* nobody to tell */
	}
}

void say(const char *stage, const char *format, ...)
{
	char text[480];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	console_put(stage, text);
	log_event(NULL, LOG_L_NOTICE, stage, " %s", text);
}

void say_once(const char *stage, const char *format, ...)
{
	char text[480];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	console_put(stage, text);
}

static int copy_all(int from, int to)
{
	off_t at = 0;
	ssize_t n;

	do {
		n = sendfile(to, from, &at, LOG_MAX);
	} while (n > 0);
	return n < 0 ? -errno : 0;
}

int say_log_to(const char *folder)
{
	char path[256];
	int fd;

	if (mkdir(folder, 0750) && errno != EEXIST)
		return -errno;
	(void)snprintf(path, sizeof(path), "%s/tarn.log", folder);
	fd = log_file_open(path);
	if (fd < 0)
		return -errno;
	(void)snprintf(log_folder, sizeof(log_folder), "%s", folder);
	if (log_fd >= 0) {
		/* sendfile(2) refuses a target that appends. */
		char buf[4096];
		ssize_t n;

		(void)lseek(log_fd, 0, SEEK_SET);
		while ((n = read(log_fd, buf, sizeof(buf))) > 0)
			if (write(fd, buf, (size_t)n) < 0)
				break;
		close(log_fd);
		(void)unlink(EARLY_PATH);
	}
	log_fd = fd;
	log_fd_set(fd);
	return 0;
}

void say_log_bound(void)
{
	char older[256], old[256], new[256];
	struct stat st;
	int to;

	if (log_fd < 0 || fstat(log_fd, &st) || st.st_size < LOG_MAX)
		return;
	if (*log_folder) {
		(void)snprintf(older, sizeof(older), "%s/tarn.log.2", log_folder);
		(void)snprintf(old, sizeof(old), "%s/tarn.log.1", log_folder);
		(void)snprintf(new, sizeof(new), "%s/tarn.log.new", log_folder);
		to = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (to >= 0) {
			if (!copy_all(log_fd, to)) {
				(void)rename(old, older);
				(void)rename(new, old);
			}
			close(to);
		}
	}
	/* Full disk or not: the bound holds. */
	if (ftruncate(log_fd, 0))
		LOG(LOG_L_WARN, "log.bound", "error=%d", errno);
}
