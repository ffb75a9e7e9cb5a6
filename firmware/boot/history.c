/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files are written new, synced and renamed: after a power cut there is the old one or the new one.
 */
#include "firmware/boot/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/span.h"

#define PATH_MAX_ 256
#define BYTES_MAX (256 << 10)

static int file_put(const char *folder, const char *name, const char *text, size_t n)
{
	char to[PATH_MAX_], new[PATH_MAX_];
	int fd, dir, rc = 0;

	(void)mkdir(folder, 0755);
	(void)snprintf(to, sizeof(to), "%s/%s", folder, name);
	(void)snprintf(new, sizeof(new), "%s/%s.new", folder, name);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, n) != (ssize_t)n || fsync(fd))
		rc = errno ? -errno : -EIO;
	close(fd);
	if (!rc && rename(new, to))
		rc = -errno;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		(void)fsync(dir);
		close(dir);
	}
	return rc;
}

/* The whole file, NUL-terminated and malloc'd, or NULL. */
static char *file_get(const char *folder, const char *name)
{
	char path[PATH_MAX_], *text = malloc(BYTES_MAX + 1);
	ssize_t n = -1;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && text)
		n = read(fd, text, BYTES_MAX);
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

json_t *boot_history_load(const char *folder)
{
	char *text = file_get(folder, "history");
	struct span rest = span_of(text), line;
	json_t *all = json_array(), *one;

	while (all && span_cut(&rest, '\n', &line)) {
		one = json_loadb(line.p, line.n, 0, NULL);
		if (json_is_object(one))
			json_array_append(all, one);
		json_decref(one);
	}
	free(text);
	return all;
}

void boot_history_add(const char *folder, int64_t wall_ms, const char *event, const char *version,
		      const char *reason)
{
	json_t *all = boot_history_load(folder), *one;
	size_t n = json_array_size(all), first, bytes = 0;
	char *text = malloc(BYTES_MAX);
	int rc = -ENOMEM;

	one = json_pack("{s:I, s:s, s:s, s:s}", "at", (json_int_t)wall_ms, "event", event,
			"version", version, "reason", reason);
	if (one && text && all && !json_array_append(all, one)) {
		n++;
		first = n > HISTORY_LINES ? n - HISTORY_LINES : 0;
		for (size_t i = first; i < n && bytes + 1024 < BYTES_MAX; i++) {
			size_t room = BYTES_MAX - bytes - 1;
			size_t len = json_dumpb(json_array_get(all, i), text + bytes, room,
						JSON_COMPACT | JSON_PRESERVE_ORDER);

			if (len < room) {
				bytes += len;
				text[bytes++] = '\n';
			}
		}
		rc = file_put(folder, "history", text, bytes);
	}
	LOG(rc ? LOG_L_ERROR : LOG_L_NOTICE, "boot.history",
	    "what=%s version=%s reason=%s error=%d", event, version, LOG_QUOTE(span_of(reason)),
	    rc);
	free(text);
	json_decref(one);
	json_decref(all);
}

static bool member_is(const json_t *event, const char *name, const char *text)
{
	const char *value = json_string_value(json_object_get(event, name));

	return value && !strcmp(value, text);
}

bool boot_history_ends(const char *folder, const char *event, const char *version,
		       const char *reason)
{
	json_t *all = boot_history_load(folder);
	const json_t *last =
		json_array_size(all) ? json_array_get(all, json_array_size(all) - 1) : NULL;
	bool same = member_is(last, "event", event) && member_is(last, "version", version) &&
		    member_is(last, "reason", reason);

	json_decref(all);
	return same;
}

void attempt_note(const char *folder, const char *version, const char *stage)
{
	char text[32 + ATTEMPT_STAGE + 2];
	int n = snprintf(text, sizeof(text), "%.31s %.*s\n", version, ATTEMPT_STAGE - 1, stage);
	int rc = file_put(folder, "attempt", text, (size_t)n);

	if (rc)
		LOG(LOG_L_ERROR, "boot.attempt", "error=%d", rc);
}

int attempt_load(const char *folder, char ret_version[32], char ret_stage[ATTEMPT_STAGE])
{
	char *text = file_get(folder, "attempt");
	struct span rest = span_of(text), version = { "", 0 }, stage = { "", 0 };
	int rc = text ? 0 : -ENOENT;

	if (!rc &&
	    (!span_cut(&rest, ' ', &version) || !span_cut(&rest, '\n', &stage) ||
	     span_copy(version, ret_version, 32) || span_copy(stage, ret_stage, ATTEMPT_STAGE)))
		rc = -ENOENT;
	free(text);
	return rc;
}

void attempt_end(const char *folder)
{
	char path[PATH_MAX_];

	(void)snprintf(path, sizeof(path), "%s/attempt", folder);
	(void)unlink(path);
}
