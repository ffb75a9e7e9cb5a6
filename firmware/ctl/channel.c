/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl channel: what a fleet is to run, and whether this box takes it. pid 1 runs it with --due every minute;
 * when it last asked is the time of a file in /run.
 */
#include "firmware/ctl/appliance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/boot/channel.h"
#include "firmware/boot/history.h"
#include "firmware/boot/restart.h"
#include "firmware/boot/update.h"

#define ASKED	"/run/tarn/channel-asked"
#define ID_PATH "/state/id"

/* ---- when ------------------------------------------------------------------------------------- */

/* Boxes that were switched on together ask one after another: each waits for its own part of the interval first. */
static bool is_due(const char *id, int64_t interval_ms)
{
	int64_t now = (int64_t)clock_read().mono_ms, first;
	struct stat st;

	if (!stat(ASKED, &st))
		return clock_read().wall_ms - st.st_mtim.tv_sec * 1000LL >= interval_ms ||
		       clock_read().wall_ms < st.st_mtim.tv_sec * 1000LL;
	first = interval_ms * channel_place(id, "") / CHANNEL_PARTS;
	return now >= first;
}

static void asked_note(void)
{
	int fd = open(ASKED, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || futimens(fd, NULL))
		fprintf(stderr, "tarnctl: %s: %s\n", ASKED, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* ---- what it says ----------------------------------------------------------------------------- */

struct answer {
	size_t n;
	char text[CHANNEL_BYTES_MAX + 4096]; /* tarn-proxy's line before it */
};

static int on_piece(void *arg, const char *bytes, size_t n)
{
	struct answer *a = arg;

	if (n > sizeof(a->text) - a->n)
		return -EFBIG;
	memcpy(a->text + a->n, bytes, n);
	a->n += n;
	return 0;
}

/* Its first line is of tarn-proxy: did the server give the file, and all of it? */
static bool answer_whole(struct span line, struct span body)
{
	json_t *json = json_loadb(line.p, line.n, 0, NULL);
	bool whole = json_integer_value(json_object_get(json, "status")) == 200 &&
		     json_integer_value(json_object_get(json, "size")) == (json_int_t)body.n;

	json_decref(json);
	return whole;
}

static int channel_get(const struct ctl_options *options, const char *url,
		       struct channel *ret_channel)
{
	struct answer *a = calloc(1, sizeof(*a));
	char *path = ctl_path_query(strdup("/api/v1/download"), "url", url);
	struct span rest, line = { "", 0 };
	int rc = ctl_ask_stream(options, path, on_piece, a);

	rest = span_make(a->text, a->n);
	if (!rc && (!span_cut(&rest, '\n', &line) || !answer_whole(line, rest) ||
		    channel_parse(rest, UPDATE_ARCH, ret_channel))) {
		fprintf(stderr, "tarnctl: %s is no channel of Tarn\n", url);
		rc = CTL_REFUSED;
	}
	free(path);
	free(a);
	return rc;
}

/* ---- the command ------------------------------------------------------------------------------ */

static void id_read(char ret_id[64])
{
	int fd = open(ID_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_id, 63);

	if (fd >= 0)
		close(fd);
	ret_id[n > 0 ? n : 0] = '\0';
}

static int verdict_say(const struct ctl_options *options, const struct channel *c,
		       enum channel_verdict verdict)
{
	if (options->json)
		return ctl_print_json(json_pack("{s:s, s:f, s:b, s:s}", "version", c->version,
						"share", c->share * 100.0 / CHANNEL_PARTS, "take",
						verdict == CHANNEL_TAKE, "text",
						channel_verdict_text(verdict)));
	printf("%s: %s\n", c->version, channel_verdict_text(verdict));
	return CTL_WORKING;
}

static int channel_follow(const struct ctl_options *options, const json_t *machine,
			  const struct tarn_settings *settings, const char *id)
{
	char attempt[32] = "", stage[ATTEMPT_STAGE];
	enum channel_verdict verdict;
	struct channel c;
	int rc;

	if (attempt_load(HISTORY_PATH, attempt, stage))
		attempt[0] = '\0';
	rc = channel_get(options, settings->update.channel, &c);
	if (rc)
		return rc;
	verdict = channel_judge(&c, machine, attempt, id);
	if (verdict != CHANNEL_TAKE || !ctl_option(options, "due"))
		return verdict_say(options, &c, verdict);
	return appliance_update(options, machine, c.url, settings->update.restart);
}

static int channel_run(const struct ctl_options *options, const json_t *machine)
{
	bool due = ctl_option(options, "due") != NULL;
	struct tarn_settings settings;
	struct settings_error error;
	char id[64];
	int64_t at;
	int rc = CTL_WORKING;

	if (tarn_conf_load(options->config, &settings, &error)) {
		fprintf(stderr, "tarnctl: the settings are wrong: see tarnctl config check\n");
		return CTL_CONFIG;
	}
	id_read(id);
	if (!*settings.update.channel) {
		if (!due)
			printf("no channel is set ([update] channel)\n");
	} else if (strncmp(settings.update.channel, "https://", 8) ||
		   restart_time(settings.update.restart, clock_read().wall_ms, &at)) {
		fprintf(stderr, "tarnctl: [update] channel begins with https://, and restart is "
				"now, no, or a time of day as 03:00\n");
		rc = CTL_CONFIG;
	} else if (!due || is_due(id, settings.update.interval)) {
		if (due)
			asked_note();
		rc = channel_follow(options, machine, &settings, id);
	}
	tarn_conf_free(&settings);
	return rc;
}

static int channel(const struct ctl_options *options, char **args)
{
	json_t *machine;
	int rc;

	(void)args;
	machine = appliance_of_root(&rc);
	if (!machine)
		return rc;
	rc = channel_run(options, machine);
	json_decref(machine);
	return rc;
}

static const struct ctl_option due = {
	0, "due", NULL, "ask only when [update] interval is over, and install what is for this box"
};

static const struct ctl_command commands[] = {
	{ "channel",
	  "",
	  0,
	  0,
	  channel,
	  "which version the fleet's channel has, and whether this box takes it",
	  "The channel is a file on a web server ([update] channel): TARN-CHANNEL 1, then lines "
	  "version=, amd64= and arm64= with the update's https address, and share=, the percent of "
	  "the boxes that take it now. Without --due nothing is installed.",
	  { &due } },
};
CTL_TABLE(channel, commands);
