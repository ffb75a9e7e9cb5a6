/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	LOOK ─► the document, at once
 *	UPDATE, UPLOADED ─► tarnctl update URL, or the file ─► that it has begun; how it goes on is in the document (boot/progress.h)
 *	ROLLBACK, RESTART, RESET ─► tarnctl ─► on_output: it ended ─► done, or why not
 *
 * tarnctl decides: who asks here may do what root may do at a prompt, and nothing but a URL and the one file that the
 * data plane may write for it is ever an update's source. A child outlives us; what it prints is lost then.
 */
#include "firmware/keeper/appliance.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/boot/appliance.h"
#include "firmware/boot/note.h"
#include "firmware/boot/progress.h"
#include "firmware/boot/restart.h"
#include "firmware/boot/run.h"

#define EVENTS	 50 /* of the history */
#define SAID_MAX 4096
#define ARGS_MAX 12

/* A tarnctl that runs. */
struct job {
	struct appliance *appliance;
	pid_t pid; /* 0: none */
	int fd;
	struct event *event;
	uint32_t id; /* to be answered when it ends; 0: it is already */
	size_t n;
	char said[SAID_MAX];
};

struct appliance {
	struct event_base *base;
	const char *config, *socket, *cache;
	appliance_tell_f *tell;
	void *arg;
	char tarnctl[PATH_MAX];
	struct job update, deed;
};

static const char *const words[] = { "look",	"update",	 "rollback",
				     "restart", "factory-reset", "update" };

/* ---- the answer --------------------------------------------------------------------------------- */

static void text_tell(struct appliance *a, uint32_t id, int error, const char *text)
{
	union heritage_message m = { .systems_said = HERITAGE_INIT(HERITAGE_SYSTEMS_SAID,
								   heritage_systems_said) };
	struct heritage_systems_said *said = &m.systems_said;
	size_t total = strlen(text), at = 0;

	said->id = id;
	said->error = (uint32_t)error;
	said->total = (uint32_t)total;
	do {
		size_t n = total - at < HERITAGE_PIECE ? total - at : HERITAGE_PIECE;

		said->at = (uint32_t)at;
		said->n = (uint32_t)n;
		memcpy(said->text, text + at, n);
		a->tell(&m, a->arg);
		at += n;
	} while (at < total);
}

/* Takes `json`. */
static void json_tell(struct appliance *a, uint32_t id, int error, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	if (text && strlen(text) <= HERITAGE_SYSTEMS_MAX)
		text_tell(a, id, error, text);
	free(text);
	json_decref(json);
}

static void refuse(struct appliance *a, uint32_t id, int error, const char *word, const char *text)
{
	json_tell(a, id, error, json_pack("{s:s, s:s}", "error", word, "text", text));
}

/* ---- tarnctl ------------------------------------------------------------------------------------ */

/* Its last words: the reason as it gave it. */
static void job_answer(struct job *job, int status)
{
	json_t *json = json_loadb(job->said, job->n, 0, NULL);
	const char *word = json_string_value(json_object_get(json, "error"));
	const char *text = json_string_value(json_object_get(json, "text"));
	char unsaid[64];

	(void)snprintf(unsaid, sizeof(unsaid), "tarnctl ended with status %d", status);
	if (!status)
		text_tell(job->appliance, job->id, 0, "");
	else
		refuse(job->appliance, job->id, EBUSY, word ? word : "refused",
		       text ? text : unsaid);
	json_decref(json);
}

static void job_end(struct job *job)
{
	int status = 0;

	event_free(job->event);
	job->event = NULL;
	close(job->fd);
	/* It has closed its output, so it is at its end. */
	while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
		;
	job->pid = 0;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	LOG(LOG_L_NOTICE, "appliance.ended", "status=%d", status);
	if (job->id)
		job_answer(job, status);
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	char more[SAID_MAX];
	ssize_t n = read(fd, more, sizeof(more));

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		job_end(job);
		return;
	}
	if ((size_t)n > sizeof(job->said) - job->n)
		n = (ssize_t)(sizeof(job->said) - job->n);
	memcpy(job->said + job->n, more, (size_t)n);
	job->n += (size_t)n;
}

static int job_begin(struct appliance *a, struct job *job, const char *const argv[], uint32_t id)
{
	pid_t pid;

	if (access(argv[0], X_OK) < 0)
		return -errno;
	pid = run_piped(argv, &job->fd);
	if (pid < 0)
		return pid;
	job->appliance = a;
	job->pid = pid;
	job->id = id;
	job->n = 0;
	job->event = event_new(a->base, job->fd, EV_READ | EV_PERSIST, on_output, job);
	CHECK(job->event && !event_add(job->event, NULL));
	return 0;
}

/* "tarnctl --json COMMAND VALUE" with what leads it to the same files as us. */
static int command_run(struct appliance *a, struct job *job, const char *const command[],
		       uint32_t id)
{
	const char *argv[ARGS_MAX] = { a->tarnctl, "--json", "-s", a->socket };
	size_t n = 4;

	if (a->config) {
		argv[n++] = "-c";
		argv[n++] = a->config;
	}
	for (size_t i = 0; command[i]; i++) {
		CHECK(n < ARGS_MAX - 1);
		argv[n++] = command[i];
	}
	return job_begin(a, job, argv, id);
}

/* ---- the question ------------------------------------------------------------------------------- */

static bool is_url(const char *text)
{
	return !strncmp(text, "https://", 8) || !strncmp(text, "http://", 7);
}

static void update_begin(struct appliance *a, const struct heritage_systems *ask)
{
	bool uploaded = ask->what == HERITAGE_SYSTEMS_UPLOADED;
	char file[PATH_MAX];
	const char *const command[] = { "update", "--restart", ask->when,
					uploaded ? file : ask->value, NULL };
	int rc;

	(void)snprintf(file, sizeof(file), "%s/" HERITAGE_UPLOADED, a->cache);
	if (a->update.pid || progress_claimed(NOTE_FOLDER))
		return refuse(a, ask->id, EBUSY, "busy", "an update or a rollback is under way");
	rc = command_run(a, &a->update, command, 0);
	if (rc)
		return refuse(a, ask->id, -rc, "failed", strerror(-rc));
	text_tell(a, ask->id, 0, "");
}

static void deed_begin(struct appliance *a, const struct heritage_systems *ask)
{
	const char *const rollback[] = { "rollback", "--restart", ask->when, NULL };
	const char *const restart[] = { "restart", ask->when, NULL };
	const char *const reset[] = { "factory-reset", "--yes", NULL };
	int rc;

	if (a->deed.pid)
		return refuse(a, ask->id, EBUSY, "busy", "tarnctl does something else just now");
	rc = command_run(a, &a->deed,
			 ask->what == HERITAGE_SYSTEMS_ROLLBACK	 ? rollback
			 : ask->what == HERITAGE_SYSTEMS_RESTART ? restart
								 : reset,
			 ask->id);
	if (rc)
		refuse(a, ask->id, -rc, "failed", strerror(-rc));
}

void appliance_asked(struct appliance *a, const struct heritage_systems *ask)
{
	json_t *document = appliance_document(EVENTS);
	int64_t at;

	if (!document)
		return refuse(a, ask->id, ENOENT, "no_appliance",
			      "this machine does not run Tarn's image");
	if (ask->what == HERITAGE_SYSTEMS_LOOK)
		return json_tell(a, ask->id, 0, document);
	json_decref(document);
	LOG(LOG_L_NOTICE, "appliance.begins", "what=%s restart=%s", words[ask->what], ask->when);
	if (ask->what == HERITAGE_SYSTEMS_UPDATE && !is_url(ask->value))
		return refuse(a, ask->id, EINVAL, "bad_url", "url is http:// or https://");
	if (ask->what != HERITAGE_SYSTEMS_RESET &&
	    restart_time(ask->when, clock_read().wall_ms, &at))
		return refuse(a, ask->id, EINVAL, "bad_restart",
			      "restart is now, no, or a time of day as 03:00 (UTC)");
	if (ask->what == HERITAGE_SYSTEMS_UPDATE || ask->what == HERITAGE_SYSTEMS_UPLOADED)
		update_begin(a, ask);
	else
		deed_begin(a, ask);
}

/* ---- life --------------------------------------------------------------------------------------- */

/* The one that was installed with us. */
static int beside_us(const char *name, char ret_path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	ret_path[n] = '\0';
	slash = strrchr(ret_path, '/');
	if (!slash || (size_t)(slash + 1 - ret_path) + strlen(name) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(slash + 1, name, strlen(name) + 1);
	return 0;
}

int appliance_new(struct event_base *base, const char *config, const char *socket,
		  const char *cache, appliance_tell_f *tell, void *arg,
		  struct appliance **ret_appliance)
{
	struct appliance *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	*a = (struct appliance){ .base = base,
				 .config = config,
				 .socket = socket,
				 .cache = cache,
				 .tell = tell,
				 .arg = arg };
	rc = beside_us("tarnctl", a->tarnctl);
	if (rc) {
		free(a);
		return rc;
	}
	*ret_appliance = a;
	return 0;
}

static void job_leave(struct job *job)
{
	if (!job->event)
		return;
	event_free(job->event);
	close(job->fd);
}

void appliance_free(struct appliance **appliance)
{
	if (!*appliance)
		return;
	job_leave(&(*appliance)->update);
	job_leave(&(*appliance)->deed);
	free(*appliance);
	*appliance = NULL;
}
