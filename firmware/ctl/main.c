/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl: for people and scripts. Commands and options are tables (ctl.h); this reads the command line by
 * them. Options may stand anywhere; one that the command does not have is refused.
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

#define LETTERS_FROM 256 /* getopt's values for options without a letter */
#define LIKE_BYTES   3	 /* alike, for a command to be suggested */
#define ALL_MAX	     128 /* options of all commands together */

/* Append your table here; the help shows them in this order. */
/* clang-format off */
#define CTL_TABLES(X) \
	X(status) \
	X(stat) \
	X(upstreams) \
	X(flows) \
	X(why) \
	X(config) \
	X(config_show) \
	X(config_reload) \
	X(settings) \
	X(ca) \
	X(tls) \
	X(selftest) \
	X(sync) \
	X(cache) \
	X(export) \
	X(import) \
	X(log) \
	X(admin) \
	X(support) \
	X(man) \
	X(completion) \
	X(appliance) \
	X(update) \
	X(channel) \
	X(main)
/* clang-format on */

#define X(name) extern const struct ctl_table ctl_table_##name;
CTL_TABLES(X)
#undef X

static const struct ctl_table *const tables[] = {
#define X(name) &ctl_table_##name,
	CTL_TABLES(X)
#undef X
};

const struct ctl_option ctl_common[] = {
	{ 'j', "json", NULL, "JSON, for scripts" },
	{ 'v', "verbose", NULL, "more of it" },
	{ 'c', "config", "FILE", "instead of " TARN_CONF_PATH },
	{ 's', "socket", "PATH", "tarn-proxy's socket" },
	{ 'k', "keeper", "PATH", "tarnd's socket" },
	{ 'h', "help", NULL, "how the command is used" },
};
const size_t ctl_common_n = ARRAY_LEN(ctl_common);

void ctl_each(ctl_each_f *f, void *arg)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; i < tables[t]->n; i++)
			f(&tables[t]->commands[i], arg);
}

/* ---- its own commands ----------------------------------------------------------------------------- */

static int version_command(const struct ctl_options *options, char **args)
{
	(void)args;
	printf(options->json ? "{\"version\": \"%s\"}\n" : "tarnctl %s\n", TARN_VERSION);
	return CTL_WORKING;
}

static int help_command(const struct ctl_options *options, char **args)
{
	(void)options, (void)args;
	ctl_help_all(stdout);
	return CTL_WORKING;
}

static const struct ctl_command commands[] = {
	{ "version", "", 0, 0, version_command, "the version", NULL, { NULL } },
	{ "help", "", 0, 0, help_command, "this", NULL, { NULL } },
};
CTL_TABLE(main, commands);

/* ---- options -------------------------------------------------------------------------------------- */

const char *ctl_option_at(const struct ctl_options *options, const char *name, size_t i)
{
	for (size_t k = 0; k < options->given_n; k++)
		if (strcmp(options->given[k].option->name, name) == 0 && i-- == 0)
			return options->given[k].value;
	return NULL;
}

const char *ctl_option(const struct ctl_options *options, const char *name)
{
	const char *last = NULL;

	for (size_t k = 0; k < options->given_n; k++)
		if (strcmp(options->given[k].option->name, name) == 0)
			last = options->given[k].value;
	return last;
}

/* The options of all commands, each name once. */
struct all {
	const struct ctl_option *v[ALL_MAX];
	size_t n;
};

static void all_add(struct all *all, const struct ctl_option *option)
{
	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(all->v[i]->name, option->name) == 0) {
			CHECK(all->v[i]->letter == option->letter &&
			      !all->v[i]->arg == !option->arg);
			return;
		}
		CHECK(!option->letter || all->v[i]->letter != option->letter);
	}
	CHECK(all->n < ALL_MAX);
	all->v[all->n++] = option;
}

static void all_of(const struct ctl_command *command, void *arg)
{
	for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i]; i++)
		all_add(arg, command->options[i]);
}

static int usage(const char *what, const char *which)
{
	fprintf(stderr, "tarnctl: %s%s; see tarnctl help\n", what, which);
	return CTL_USAGE;
}

static int take(struct ctl_options *options, const struct ctl_option *option, const char *value)
{
	if (options->given_n == CTL_GIVEN_MAX)
		return -1;
	options->given[options->given_n].option = option;
	options->given[options->given_n++].value = value ? value : "";
	return 0;
}

static int options_parse(int argc, char **argv, const struct all *all, struct ctl_options *options)
{
	struct option longs[ALL_MAX + 1] = { 0 };
	char shorts[ALL_MAX * 2 + 1] = "";
	size_t n = 0;
	int value;

	for (size_t i = 0; i < all->n; i++) {
		const struct ctl_option *option = all->v[i];

		longs[i] = (struct option){ option->name, option->arg != NULL, NULL,
					    LETTERS_FROM + (int)i };
		if (option->letter)
			shorts[n++] = (char)option->letter;
		if (option->letter && option->arg)
			shorts[n++] = ':';
	}
	while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		size_t i = 0;

		while (i < all->n && all->v[i]->letter != value && LETTERS_FROM + (int)i != value)
			i++;
		if (i == all->n)
			return -1;
		if (take(options, all->v[i], optarg) < 0)
			return usage("too many options", ""), -1;
	}
	options->json = ctl_option(options, "json") != NULL;
	options->verbose = ctl_option(options, "verbose") != NULL;
	options->config = ctl_option(options, "config");
	options->proxy_socket = ctl_option(options, "socket");
	options->keeper_socket = ctl_option(options, "keeper");
	return 0;
}

/* ---- commands ------------------------------------------------------------------------------------- */

struct search {
	char **argv;
	const struct ctl_command *found;
	char **args; /* behind its words */
};

static void search_row(const struct ctl_command *command, void *arg)
{
	struct span rest = span_of(command->words), word;
	struct search *search = arg;
	char **at = search->argv;

	for (; span_cut(&rest, ' ', &word); at++)
		if (!*at || !span_eq(word, span_of(*at)))
			return;
	/* The longest words count: "log level" before "log". */
	if (search->found && at <= search->args)
		return;
	search->found = command;
	search->args = at;
}

static bool has_option(const struct ctl_command *command, const struct ctl_option *option)
{
	for (size_t i = 0; i < ctl_common_n; i++)
		if (strcmp(ctl_common[i].name, option->name) == 0)
			return true;
	for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i]; i++)
		if (strcmp(command->options[i]->name, option->name) == 0)
			return true;
	return false;
}

/* A command whose words begin as those that were given. */
struct likeness {
	const char *word;
	const struct ctl_command *found;
	size_t n; /* bytes alike */
};

static void likeness_row(const struct ctl_command *command, void *arg)
{
	struct likeness *likeness = arg;
	size_t n = 0;
	bool first; /* the whole first word, of two */

	while (likeness->word[n] && likeness->word[n] == command->words[n])
		n++;
	first = !likeness->word[n] && command->words[n] == ' ';
	if ((n < LIKE_BYTES && !first) || n < likeness->n || (first && n == likeness->n))
		return;
	likeness->n = n;
	likeness->found = command;
}

static int unknown(const char *word)
{
	struct likeness likeness = { .word = word };

	ctl_each(likeness_row, &likeness);
	if (likeness.found && likeness.n == strlen(word) &&
	    likeness.found->words[likeness.n] == ' ') {
		fprintf(stderr, "tarnctl: %s what? See tarnctl %s --help\n", word, word);
		return CTL_USAGE;
	}
	fputs("tarnctl: unknown command: ", stderr);
	ctl_put_text(word, stderr);
	if (likeness.found)
		fprintf(stderr, " (did you mean %s?)", likeness.found->words);
	fputs("; see tarnctl help\n", stderr);
	return CTL_USAGE;
}

static int run(const struct ctl_options *options, char **argv)
{
	struct search search = { .argv = argv };
	bool help = ctl_option(options, "help") != NULL;
	int n = 0;

	ctl_each(search_row, &search);
	if (help && !*argv)
		return help_command(options, argv);
	if (!*argv)
		return usage("a command is missing", "");
	if (!search.found && help && ctl_help_group(*argv, stdout))
		return CTL_WORKING;
	if (!search.found)
		return unknown(*argv);
	if (help) {
		ctl_help_one(search.found, stdout);
		return CTL_WORKING;
	}
	for (size_t i = 0; i < options->given_n; i++)
		if (!has_option(search.found, options->given[i].option))
			return usage("this command has no option --",
				     options->given[i].option->name);
	while (search.args[n])
		n++;
	if (n > search.found->args_max)
		return usage("too many arguments for ", search.found->words);
	if (n < search.found->args_min)
		return usage("an argument is missing for ", search.found->words);
	return search.found->run(options, search.args);
}

/*
 * Sockets that no option names are those of tarn.conf; a wrong file must not keep status from
 * answering.
 */
static void sockets_fill(struct ctl_options *options, struct tarn_settings *settings, bool quiet)
{
	struct settings_error error;
	char text[1024];

	if (tarn_conf_load(options->config, settings, &error) < 0) {
		if (!quiet)
			fprintf(stderr, "tarnctl: %s\n",
				settings_error_text(&error, text, sizeof(text)));
		CHECK_OK(settings_load(NULL, true, &tarn_conf_table, settings, &error));
	}
	if (!options->proxy_socket)
		options->proxy_socket = settings->proxy.admin_socket;
	if (!options->keeper_socket)
		options->keeper_socket = settings->keeper.socket;
}

/* Commands that say themselves what is wrong with the configuration. */
static bool about_config(char **argv)
{
	static const char *const words[] = {
		"config", "ca", "version", "help", "man", "completion"
	};

	for (size_t i = 0; *argv && i < ARRAY_LEN(words); i++)
		if (strcmp(*argv, words[i]) == 0)
			return true;
	return !*argv;
}

int main(int argc, char **argv)
{
	struct ctl_options options = { 0 };
	struct tarn_settings settings = { 0 };
	struct all all = { 0 };
	int rc;

	check_install("tarnctl");
	log_open("tarnctl",
		 LOG_L_WARN); /* what a library's room notes is for logs, not for who has asked */
	for (size_t i = 0; i < ctl_common_n; i++)
		all_add(&all, &ctl_common[i]);
	ctl_each(all_of, &all);
	if (options_parse(argc, argv, &all, &options) < 0)
		return CTL_USAGE;
	if (!(options.proxy_socket && options.keeper_socket))
		sockets_fill(&options, &settings,
			     about_config(argv + optind) || ctl_option(&options, "help"));
	rc = run(&options, argv + optind);
	tarn_conf_free(&settings);
	if (fflush(stdout) != 0 || ferror(stdout))
		return rc ? rc : CTL_SOFTWARE;
	return rc;
}
