/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "firmware/boot/note.h"

#define PATH_ROOM 256

static const struct {
	const char *word;
	bool busy;
} states[] = {
#define X(name, word, busy) { word, busy },
	PROGRESS_STATES(X)
#undef X
};

/* The lock's file. -errno of open(2). */
static int lock_open(const char *folder, int flags)
{
	char path[PATH_ROOM];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/update.lock", folder);
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? -errno : fd;
}

int progress_claim(const char *folder)
{
	int fd = lock_open(folder, O_RDWR | O_CREAT);

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return -EBUSY;
}

bool progress_claimed(const char *folder)
{
	int fd = lock_open(folder, O_RDONLY);
	bool claimed;

	if (fd < 0)
		return false;
	claimed = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	return claimed;
}

static json_t *pack(const char *state, uint64_t done, uint64_t total, const char *version,
		    const char *text)
{
	return json_pack("{s:s, s:I, s:I, s:s, s:s}", "state", state, "done", (json_int_t)done,
			 "total", (json_int_t)total, "version", version, "text", text);
}

static void note_path(const char *folder, char ret_path[PATH_ROOM])
{
	(void)snprintf(ret_path, PATH_ROOM, "%s/update.json", folder);
}

int progress_put(const char *folder, const struct progress *p)
{
	json_t *json = pack(states[p->state].word, p->done, p->total, p->version, p->text);
	char path[PATH_ROOM], *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int rc = -ENOMEM;

	note_path(folder, path);
	if (text)
		rc = note_put(path, span_of(text));
	free(text);
	json_decref(json);
	return rc;
}

static bool is_busy(const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (!strcmp(state, states[i].word))
			return states[i].busy;
	return false;
}

static json_t *note_load(const char *folder)
{
	char path[PATH_ROOM];

	note_path(folder, path);
	return json_load_file(path, 0, NULL);
}

json_t *progress_json(const char *folder)
{
	json_t *json = note_load(folder);
	const char *state = json_string_value(json_object_get(json, "state"));

	/* One that ends while we look has said what came of it before it gave the lock back: look again. */
	if (state && is_busy(state) && !progress_claimed(folder)) {
		json_decref(json);
		json = note_load(folder);
		state = json_string_value(json_object_get(json, "state"));
		if (state && is_busy(state))
			(void)json_object_update_new(
				json,
				json_pack("{s:s, s:s}", "state", states[PROGRESS_REFUSED].word,
					  "text", "it was cut off before its end"));
	}
	if (state)
		return json;
	json_decref(json);
	return pack(states[PROGRESS_IDLE].word, 0, 0, "", "");
}
