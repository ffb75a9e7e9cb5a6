/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl: for people and scripts. Commands and options are tables; the help is made of them. It
 * changes nothing: it asks the two programs and reads files.
 */
#include "firmware/ctl/ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "firmware/base/log.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/base/version.h"

_Static_assert(CTL_USAGE == EX_USAGE && CTL_SOFTWARE == EX_SOFTWARE &&
		       CTL_NOT_ALLOWED == EX_NOPERM && CTL_CONFIG == EX_CONFIG,
	       "sysexits");

static ctl_command_f help_command, version_command;

static const struct command {
	const char *words; /* "config check" */
	const char *args;  /* as in the help */
	int args_max;
	ctl_command_f *run;
	const char *help;
} commands[] = {
	{ "status", "", 0, ctl_status, "is it working, why not, and what was saved" },
	{ "stat", "", 0, ctl_stat, "every counter; -v: with its meaning" },
	{ "why", "URL", 1, ctl_why, "what would be done with a request, rule by rule" },
	{ "config check", "[FILE]", 1, ctl_config_check,
	  "check tarn.conf and all vendor profiles" },
	{ "config help", "", 0, ctl_config_help,
	  "every setting of tarn.conf, as a commented file" },
	{ "ca show", "", 0, ctl_ca_show, "the certificate authority: what it may speak for" },
	{ "ca export", "", 0, ctl_ca_export, "its certificate (PEM), for devices to trust" },
	{ "version", "", 0, version_command, "the version" },
	{ "help", "", 0, help_command, "this" },
};

static const struct choice {
	struct option option;
	const char *arg;
	const char *help;
} choices[] = {
	{ { "json", no_argument, NULL, 'j' }, "", "JSON, for scripts" },
	{ { "verbose", no_argument, NULL, 'v' }, "", "more of it" },
	{ { "config", required_argument, NULL, 'c' }, "FILE", "instead of " TARN_CONF_PATH },
	{ { "socket", required_argument, NULL, 's' }, "PATH", "tarn-proxy's socket" },
	{ { "keeper", required_argument, NULL, 'k' }, "PATH", "tarnd's socket" },
	{ { "header", required_argument, NULL, 'H' }, "'N: V'", "of why: a field of the request" },
	{ { "method", required_argument, NULL, 'M' }, "M", "of why: instead of GET" },
	{ { "from", required_argument, NULL, 'f' }, "IP", "of why: the device's address" },
	{ { "help", no_argument, NULL, 'h' }, "", "this" },
};

void ctl_put_text(const char *text, FILE *to)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
}

const char *ctl_bytes(double bytes, char buf[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double size = bytes < 0 ? -bytes : bytes;
	size_t unit = 0;

	for (; size >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		size /= 1024;
	(void)snprintf(buf, 32, "%s%.*f %s", bytes < 0 ? "-" : "", unit ? 1 : 0, size, units[unit]);
	return buf;
}

static void print_help(FILE *to)
{
	char text[64];

	fprintf(to, "Usage: tarnctl [OPTION]... COMMAND\n\nCommands\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		(void)snprintf(text, sizeof(text), "%s %s", commands[i].words, commands[i].args);
		fprintf(to, "  %-20s %s\n", text, commands[i].help);
	}
	fprintf(to, "\nOptions\n");
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		(void)snprintf(text, sizeof(text), "-%c, --%s %s", choices[i].option.val,
			       choices[i].option.name, choices[i].arg);
		fprintf(to, "  %-20s %s\n", text, choices[i].help);
	}
	fprintf(to, "\nExit status\n"
		    "  0  done; of status: working\n"
		    "  1  of status: degraded, it says why\n"
		    "  2  Tarn is not running, or does not answer\n"
		    " 64  wrong usage    77  not allowed to ask    78  wrong configuration\n");
}

static int help_command(const struct ctl_options *options, char **args)
{
	(void)options, (void)args;
	print_help(stdout);
	return 0;
}

static int version_command(const struct ctl_options *options, char **args)
{
	(void)args;
	printf(options->json ? "{\"version\": \"%s\"}\n" : "tarnctl %s\n", TARN_VERSION);
	return 0;
}

/* Does argv begin with the command's words? Then *ret_args stands behind them. */
static bool is_command(const struct command *command, char **argv, char ***ret_args)
{
	struct span rest = span_of(command->words), word;

	for (; span_cut(&rest, ' ', &word); argv++)
		if (!*argv || !span_eq(word, span_of(*argv)))
			return false;
	*ret_args = argv;
	return true;
}

static int usage(const char *what, const char *which)
{
	fprintf(stderr, "tarnctl: %s%s; see tarnctl help\n", what, which);
	return CTL_USAGE;
}

static int run(const struct ctl_options *options, char **argv)
{
	char **args;
	int n = 0;

	if (!*argv)
		return usage("a command is missing", "");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!is_command(&commands[i], argv, &args))
			continue;
		while (args[n])
			n++;
		if (n > commands[i].args_max)
			return usage("too many arguments for ", commands[i].words);
		return commands[i].run(options, args);
	}
	return usage("unknown command: ", *argv);
}

static int options_parse(int argc, char **argv, struct ctl_options *options)
{
	struct option table[ARRAY_LEN(choices) + 1] = { 0 };
	int letter;

	for (size_t i = 0; i < ARRAY_LEN(choices); i++)
		table[i] = choices[i].option;
	while ((letter = getopt_long(argc, argv, "jvc:s:k:H:M:f:h", table, NULL)) != -1) {
		switch (letter) {
		case 'j':
			options->json = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'c':
			options->config = optarg;
			break;
		case 's':
			options->proxy_socket = optarg;
			break;
		case 'k':
			options->keeper_socket = optarg;
			break;
		case 'M':
			options->method = optarg;
			break;
		case 'f':
			options->from = optarg;
			break;
		case 'H':
			if (options->fields_n == CTL_FIELDS_MAX)
				return usage("too many headers, from ", optarg), -1;
			options->fields[options->fields_n++] = optarg;
			break;
		case 'h':
			print_help(stdout);
			exit(0);
		default:
			return -1;
		}
	}
	return 0;
}

/*
 * Sockets that no option names are those of tarn.conf; a wrong file must not keep status from
 * answering.
 */
static void sockets_fill(struct ctl_options *options, struct tarn_settings *settings)
{
	struct settings_error error;
	char text[1024];

	if (tarn_conf_load(options->config, settings, &error) < 0) {
		fprintf(stderr, "tarnctl: %s\n", settings_error_text(&error, text, sizeof(text)));
		CHECK_OK(settings_load(NULL, true, &tarn_conf_table, settings, &error));
	}
	if (!options->proxy_socket)
		options->proxy_socket = settings->proxy.admin_socket;
	if (!options->keeper_socket)
		options->keeper_socket = settings->keeper.socket;
}

int main(int argc, char **argv)
{
	struct ctl_options options = { 0 };
	struct tarn_settings settings = { 0 };
	bool sockets;
	int rc;

	check_install("tarnctl");
	if (options_parse(argc, argv, &options) < 0)
		return CTL_USAGE;
	sockets = argv[optind] &&
		  (strcmp(argv[optind], "status") == 0 || strcmp(argv[optind], "stat") == 0 ||
		   strcmp(argv[optind], "why") == 0);
	if (sockets && !(options.proxy_socket && options.keeper_socket))
		sockets_fill(&options, &settings);
	rc = run(&options, argv + optind);
	tarn_conf_free(&settings);
	if (fflush(stdout) != 0 || ferror(stdout))
		return rc ? rc : CTL_SOFTWARE;
	return rc;
}
