/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl support: an archive for those who are asked what is wrong. It holds what both programs say of themselves,
 * the settings by line, what the configuration's check says, the important events, and what the machine is like. All
 * of it goes through scrub.h; of devices their number alone is in it. A program that does not answer is told in its
 * file's place: the archive is made all the same.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>

#include "firmware/base/clock.h"
#include "firmware/base/profile.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/base/version.h"
#include "firmware/ctl/ask.h"
#include "firmware/ctl/ctl.h"
#include "firmware/ctl/scrub.h"
#include "firmware/ctl/tar.h"

#define FILE_MAX_BYTES 65536

struct support {
	const struct ctl_options *options;
	struct tarn_settings settings;
	struct scrub scrub;
	struct tar *tar;
	uint64_t now_s;
};

static const char about[] = "What is in here was collected by `tarnctl support` on the machine "
			    "that it is about, for whoever helps with it.\n"
			    "Passwords, tokens, cookies and keys are not in it, nor what "
			    "identifies the installation to a vendor. Of devices\n"
			    "their number alone; and no address at all where [demand] devices is "
			    "not `on`. Read it before you send it: these\n"
			    "are plain text files.\n\n"
			    "  keeper.json   what tarnd says of itself\n"
			    "  status.json   what tarn-proxy says of itself\n"
			    "  stat.json     its counters\n"
			    "  events.json   its last important events\n"
			    "  sync.json     fetching ahead\n"
			    "  devices.json  how many devices are known, by state\n"
			    "  settings.txt  every setting, and the line that sets it\n"
			    "  check.txt     what is wrong with the configuration\n"
			    "  machine.txt   kernel, memory, load, disk, ports\n";

static void add_text(struct support *s, const char *name, const char *text)
{
	char *clean = scrub_text(&s->scrub, text);

	tar_add(s->tar, name, span_of(clean), s->now_s);
	free(clean);
}

static void add_json(struct support *s, const char *name, const json_t *json)
{
	json_t *clean = scrub_json(&s->scrub, json);
	char *text = json_dumps(clean, JSON_INDENT(1) | JSON_ENCODE_ANY);

	CHECK(text != NULL);
	tar_add(s->tar, name, span_of(text), s->now_s);
	free(text);
	json_decref(clean);
}

/* What a program answers, or that it does not. */
static void add_answer(struct support *s, const char *name, int rc, json_t *answer)
{
	if (rc < 0)
		answer = json_pack("{s:s}", "no_answer", ask_error_text(rc));
	CHECK(answer != NULL);
	add_json(s, name, answer);
	json_decref(answer);
}

static void add_proxy(struct support *s, const char *name, const char *target)
{
	json_t *answer = NULL;
	int rc = ask_proxy(s->options->proxy_socket, target, &answer);

	add_answer(s, name, rc, answer);
}

/* How many of each state; not which. */
static void add_devices(struct support *s)
{
	json_t *answer = NULL, *states = json_object(), *device;
	size_t i;

	CHECK(states != NULL);
	if (ask_proxy(s->options->proxy_socket, "/api/v1/devices", &answer) == 0)
		json_array_foreach(json_object_get(answer, "devices"), i, device)
		{
			const char *state = ctl_text(device, "state");
			json_int_t n = json_integer_value(json_object_get(states, state));

			CHECK_OK(json_object_set_new(states, state, json_integer(n + 1)));
		}
	add_json(s, "devices.json", states);
	json_decref(states);
	json_decref(answer);
}

/* ---- the configuration ---------------------------------------------------------------------------- */

static void put_setting(const struct support *s, size_t i, unsigned line, FILE *to)
{
	const struct setting *row = &tarn_conf_table.rows[i];
	char *value = setting_text(&tarn_conf_table, i, &s->settings);

	CHECK(value != NULL);
	fprintf(to, "%s.%s = %s", row->section, row->key,
		tarn_conf_private(row) && value[0] ? SCRUBBED : value);
	if (line)
		fprintf(to, "  (line %u)\n", line);
	else
		fputc('\n', to);
	free(value);
}

static void add_settings(struct support *s, const unsigned *lines)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	CHECK(to != NULL);
	for (size_t i = 0; i < tarn_conf_table.n; i++)
		put_setting(s, i, lines[i], to);
	CHECK(fclose(to) == 0);
	add_text(s, "settings.txt", text);
	free(text);
}

static void add_check(struct support *s, const struct settings_error *conf_error)
{
	struct profiles *profiles = NULL;
	struct settings_error error;
	char text[2048];
	size_t n = 0;

	if (conf_error->what[0]) {
		add_text(s, "check.txt", settings_error_text(conf_error, text, sizeof(text)));
		return;
	}
	if (profiles_load(s->settings.vendors.dir, &profiles, &error) < 0) {
		add_text(s, "check.txt", settings_error_text(&error, text, sizeof(text)));
		return;
	}
	n = (size_t)snprintf(text, sizeof(text), "the configuration is right; vendors:");
	for (size_t i = 0; i < profiles_count(profiles) && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %s",
				      profile_name(profiles_at(profiles, i)));
	profiles_unref(&profiles);
	add_text(s, "check.txt", text);
}

/* ---- the machine ---------------------------------------------------------------------------------- */

static void put_file(const char *path, FILE *to)
{
	FILE *from = fopen(path, "re");
	char bytes[4096];
	size_t got, n = 0;

	fprintf(to, "\n%s\n", path);
	if (!from)
		return;
	while (n < FILE_MAX_BYTES && (got = fread(bytes, 1, sizeof(bytes), from)) > 0) {
		(void)fwrite(bytes, 1, got, to);
		n += got;
	}
	(void)fclose(from);
}

static void put_disk(const char *path, FILE *to)
{
	char all[32], left[32];
	struct statvfs disk;

	if (statvfs(path, &disk) < 0) {
		fprintf(to, "store: %s: %s\n", path, strerror(errno));
		return;
	}
	fprintf(to, "store: %s: disk of %s, %s free\n", path,
		ctl_bytes((double)disk.f_blocks * (double)disk.f_frsize, all),
		ctl_bytes((double)disk.f_bavail * (double)disk.f_frsize, left));
}

static void add_machine(struct support *s)
{
	char *text = NULL;
	struct utsname name;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	CHECK(to != NULL);
	fprintf(to, "tarnctl %s\n", TARN_VERSION);
	if (uname(&name) == 0) /* not its host name */
		fprintf(to, "%s %s %s %s\n", name.sysname, name.release, name.version,
			name.machine);
	put_disk(s->settings.cache.path, to);
	put_file("/etc/os-release", to);
	put_file("/proc/uptime", to);
	put_file("/proc/loadavg", to);
	put_file("/proc/meminfo", to);
	put_file("/proc/net/dev", to);
	CHECK(fclose(to) == 0);
	add_text(s, "machine.txt", text);
	free(text);
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static void collect(struct support *s, const unsigned *lines, const struct settings_error *error)
{
	json_t *keeper = NULL;
	int rc = ask_keeper(s->options->keeper_socket, &keeper);

	tar_add(s->tar, "README.txt", span_of(about), s->now_s);
	add_answer(s, "keeper.json", rc, keeper);
	add_proxy(s, "status.json", "/api/v1/status");
	add_proxy(s, "stat.json", "/api/v1/stat");
	add_proxy(s, "events.json", "/api/v1/events?limit=1000");
	add_proxy(s, "sync.json", "/api/v1/sync");
	add_devices(s);
	add_settings(s, lines);
	add_check(s, error);
	add_machine(s);
}

static const char *default_name(time_t now, char name[64])
{
	struct tm tm;

	if (!localtime_r(&now, &tm) ||
	    !strftime(name, 64, "tarn-support-%Y%m%d-%H%M%S.tar.gz", &tm))
		memcpy(name, "tarn-support.tar.gz", 20);
	return name;
}

static int support(const struct ctl_options *options, char **args)
{
	unsigned *lines = calloc(tarn_conf_table.n, sizeof(*lines));
	struct support s = { .options = options, .now_s = clock_read().wall_ms / 1000 };
	const char *path = options->config ? options->config : TARN_CONF_PATH, *file;
	struct settings_error error, none;
	char name[64];
	int rc;

	CHECK(lines != NULL);
	/* A wrong file is no reason to have no archive; then what is private in it is not known: no address goes out. */
	rc = settings_load_lines(path, options->config == NULL, &tarn_conf_table, &s.settings,
				 lines, &error);
	if (rc < 0)
		CHECK_OK(settings_load(NULL, true, &tarn_conf_table, &s.settings, &none));
	s.scrub = scrub_of(&s.settings);
	s.scrub.addresses |= rc < 0;
	file = args[0] ? args[0] : default_name((time_t)s.now_s, name);
	rc = tar_create(file, &s.tar);
	if (rc == 0) {
		collect(&s, lines, &error);
		rc = tar_close(&s.tar);
	}
	if (rc < 0)
		fprintf(stderr, "tarnctl: %s: %s\n", file, strerror(-rc));
	else if (options->json)
		(void)ctl_print_json(json_pack("{s:s}", "file", file));
	else
		printf("%s: no password, key or installation id is in it; look into it before you "
		       "send it\n",
		       file);
	tarn_conf_free(&s.settings);
	free(lines);
	return rc < 0 ? CTL_REFUSED : CTL_WORKING;
}

static const struct ctl_command commands[] = {
	{ "support",
	  "[FILE]",
	  0,
	  1,
	  support,
	  "an archive for those who help: state, settings, events, machine; no secrets",
	  "A tar.gz of plain text files, by default in the current folder under a name with the "
	  "time. No password, token, "
	  "cookie, key or installation id is in it, and of devices their number alone; no address "
	  "at all unless [demand] "
	  "devices is on. Programs that do not run are no hindrance.",
	  { NULL } },
};
CTL_TABLE(support, commands);
