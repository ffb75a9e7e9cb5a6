/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl config reload: has the running programs read the configuration again, and tells what became of it.
 *
 * The file is checked here first, so that a wrong one is told by line and nothing is asked of anybody. Then tarnd (or
 * a tarn-proxy that runs alone) gets SIGHUP: the process that listens at the other end of its socket, by SO_PEERCRED.
 * tarnd's status tells its outcome, the proxy's counters tell the proxy's.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/profile.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/ctl/ask.h"
#include "firmware/ctl/ctl.h"

#define WAIT_MS 10000
#define STEP_MS 50

/* How far each program's count of reloads has come; -1: it is not there. */
struct counts {
	double keeper, taken, refused;
};

static int say(int rc, const char *text)
{
	fputs("tarnctl: ", stderr);
	ctl_put_text(text, stderr);
	fputc('\n', stderr);
	return rc;
}

static bool file_is_good(const struct ctl_options *options)
{
	struct profiles *profiles = NULL;
	struct tarn_settings settings;
	struct settings_error error;
	char text[1024];
	bool good = tarn_conf_load(options->config, &settings, &error) == 0;

	if (good) {
		good = profiles_load(settings.vendors.dir, &profiles, &error) == 0;
		profiles_unref(&profiles);
		tarn_conf_free(&settings);
	}
	if (!good)
		(void)say(0, settings_error_text(&error, text, sizeof(text)));
	return good;
}

/* Who listens there. -errno: nobody. */
static pid_t peer_of(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int fd, rc;

	if (span_copy(span_of(path), at.sun_path, sizeof(at.sun_path)) < 0)
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
			     getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0
		     ? -errno
		     : peer.pid;
	(void)close(fd);
	return rc;
}

static double counter(const json_t *stat, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(stat, "counters"), i, row)
	{
		if (strcmp(ctl_text(row, "name"), name) == 0)
			return ctl_number(row, "value");
	}
	return -1;
}

/* *ret_reload: tarnd's word of its last reload, or NULL. */
static struct counts count(const struct ctl_options *options, json_t **ret_reload)
{
	struct counts counts = { -1, -1, -1 };
	json_t *keeper = NULL, *stat = NULL;

	*ret_reload = NULL;
	if (ask_keeper(options->keeper_socket, &keeper) == 0) {
		*ret_reload = json_incref(json_object_get(keeper, "reload"));
		counts.keeper = ctl_number(*ret_reload, "times");
	}
	if (ask_proxy(options->proxy_socket, "/api/v1/stat", &stat) == 0) {
		counts.taken = counter(stat, "config.reloads");
		counts.refused = counter(stat, "config.refused");
	}
	json_decref(keeper);
	json_decref(stat);
	return counts;
}

static bool keeper_is_done(const struct counts *before, const struct counts *now)
{
	return before->keeper < 0 || now->keeper > before->keeper;
}

static bool proxy_is_done(const struct counts *before, const struct counts *now)
{
	return before->taken < 0 || now->taken > before->taken || now->refused > before->refused;
}

/* Waits for the outcome. The same numbers after WAIT_MS: none came. */
static struct counts outcome(const struct ctl_options *options, const struct counts *before,
			     json_t **ret_reload)
{
	uint64_t until = clock_read().mono_ms + WAIT_MS;

	for (;;) {
		struct counts now = count(options, ret_reload);
		bool refused = *ret_reload && now.keeper > before->keeper &&
			       json_is_false(json_object_get(*ret_reload, "taken"));

		if (refused || (keeper_is_done(before, &now) && proxy_is_done(before, &now)) ||
		    clock_read().mono_ms > until)
			return now;
		json_decref(*ret_reload);
		(void)poll(NULL, 0, STEP_MS);
	}
}

static void print_next_start(const json_t *reload)
{
	const json_t *names = json_object_get(reload, "next_start");
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		printf(i ? ", " : "At the next start of tarnd only: ");
		ctl_put_text(json_string_value(name) ? json_string_value(name) : "", stdout);
	}
	if (json_array_size(names))
		putchar('\n');
}

static int judge(const struct ctl_options *options, const struct counts *before,
		 const struct counts *now, const json_t *reload)
{
	const char *why = ctl_text(reload, "why");

	if (!keeper_is_done(before, now))
		return say(CTL_NOT_RUNNING,
			   "tarnd did not say within 10 s whether it took the configuration");
	if (before->keeper >= 0 && json_is_false(json_object_get(reload, "taken"))) {
		(void)say(0, why[0] ? why : "tarnd refused the configuration");
		return say(CTL_CONFIG, "the old configuration stays");
	}
	if (now->refused > before->refused)
		return say(CTL_CONFIG, "tarn-proxy refused the configuration, the old one stays; "
				       "`tarnctl log` says why");
	if (!proxy_is_done(before, now))
		return say(CTL_NOT_RUNNING,
			   "tarn-proxy did not say within 10 s whether it took the configuration");
	if (options->json)
		return ctl_print_json(json_pack("{s:b, s:b, s:O?}", "tarnd", before->keeper >= 0,
						"tarn-proxy", before->taken >= 0, "reload",
						reload));
	printf("The configuration was taken over by %s%s%s; no connection was dropped\n",
	       before->keeper >= 0 ? "tarnd" : "",
	       before->keeper >= 0 && before->taken >= 0 ? " and " : "",
	       before->taken >= 0 ? "tarn-proxy" : "");
	print_next_start(reload);
	return CTL_WORKING;
}

static int reload_run(const struct ctl_options *options, char **args)
{
	json_t *reload = NULL;
	struct counts before, now;
	pid_t pid;
	int rc;

	(void)args;
	if (!file_is_good(options))
		return say(CTL_CONFIG, "nothing was asked of the running programs");
	pid = peer_of(options->keeper_socket);
	if (pid == -ENOENT || pid == -ECONNREFUSED)
		pid = peer_of(options->proxy_socket);
	if (pid == -EACCES || pid == -EPERM)
		return say(CTL_NOT_ALLOWED, "not allowed to ask (try as root)");
	if (pid <= 0)
		return say(CTL_NOT_RUNNING, "neither tarnd nor tarn-proxy is running");
	before = count(options, &reload);
	json_decref(reload);
	if (kill(pid, SIGHUP) < 0)
		return errno == EPERM
			       ? say(CTL_NOT_ALLOWED, "not allowed to signal it (try as root)")
			       : say(CTL_NOT_RUNNING, "it has just ended");
	now = outcome(options, &before, &reload);
	rc = judge(options, &before, &now, reload);
	json_decref(reload);
	return rc;
}

static const struct ctl_command commands[] = {
	{ "config reload",
	  "",
	  0,
	  0,
	  reload_run,
	  "have the running programs read the configuration again",
	  "The file is checked first. A wrong one is told by file and line and changes nothing. No "
	  "connection is "
	  "dropped. Some settings are taken over at the next start only; those that changed are "
	  "named.",
	  { NULL } },
};
CTL_TABLE(config_reload, commands);
