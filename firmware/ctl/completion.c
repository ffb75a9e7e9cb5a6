/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl completion: for bash, of the table of commands. The script holds no list but those that are printed here.
 */
#include <string.h>

#include "firmware/base/tarn_conf.h"
#include "firmware/ctl/ctl.h"

/* The words of `command` up to the i-th are a prefix; the next word is said under it. */
static void next_row(const struct ctl_command *command, void *arg)
{
	struct span whole = span_of(command->words), rest = whole, word;

	(void)arg;
	while (rest.n && span_cut(&rest, ' ', &word)) {
		size_t before = (size_t)(word.p - whole.p);
		int at = (int)(before ? before - 1 : 0);

		/* "config" is the first word of several, but said once. */
		printf("\t[[ \" ${next['.%.*s']} \" == *' %.*s '* ]] || next['.%.*s']+=' %.*s'\n",
		       at, whole.p, SPAN_FMT(word), at, whole.p, SPAN_FMT(word));
	}
}

static void put_option(const struct ctl_option *option)
{
	printf(" --%s", option->name);
	if (option->letter)
		printf(" -%c", option->letter);
}

static void option_row(const struct ctl_command *command, void *arg)
{
	(void)arg;
	if (!command->options[0])
		return;
	printf("\towns['.%s']='", command->words);
	for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i]; i++)
		put_option(command->options[i]);
	puts("'");
}

static void takes_one(const struct ctl_option *option)
{
	if (!option->arg)
		return;
	printf(" --%s", option->name);
	if (option->letter)
		printf(" -%c", option->letter);
}

static void takes_row(const struct ctl_command *command, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i]; i++)
		takes_one(command->options[i]);
}

static void put_settings(void)
{
	const char *section = "";

	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];

		if (strcmp(section, row->section) != 0)
			printf(" %s", row->section);
		section = row->section;
		printf(" %s.%s", row->section, row->key);
	}
}

static const char script[] =
	"\tlocal i word='' skip='' at='' cur=${COMP_WORDS[COMP_CWORD]} "
	"last=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ $skip ]]; then\n"
	"\t\t\tskip=\n"
	"\t\telif [[ $word == -* ]]; then\n"
	"\t\t\t[[ \" $takes \" == *\" $word \"* ]] && skip=yes\n"
	"\t\telif [[ \" ${next[.$at]} \" == *\" $word \"* ]]; then\n"
	"\t\t\tat=${at:+$at }$word\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ \" $takes \" == *\" $last \"* ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\telif [[ $cur == -* ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"${owns[.$at]} $common\" -- \"$cur\")\n"
	"\telif [[ ${next[.$at]} ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"${next[.$at]}\" -- \"$cur\")\n"
	"\telif [[ $at == 'config show' || $at == 'config set' ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$settings\" -- \"$cur\")\n"
	"\telif [[ $at == 'log level' ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W 'error warn notice info debug' -- \"$cur\")\n"
	"\telse\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\tfi\n"
	"}\n"
	"complete -F _tarnctl tarnctl\n";

static int completion(const struct ctl_options *options, char **args)
{
	(void)options, (void)args;
	puts("# Made of tarnctl's table of commands by tarnctl completion.\n_tarnctl()\n{\n"
	     "\tlocal -A next=() owns=()");
	ctl_each(next_row, NULL);
	ctl_each(option_row, NULL);
	printf("\tlocal common='");
	for (size_t i = 0; i < ctl_common_n; i++)
		put_option(&ctl_common[i]);
	printf("'\n\tlocal takes='");
	for (size_t i = 0; i < ctl_common_n; i++)
		takes_one(&ctl_common[i]);
	ctl_each(takes_row, NULL);
	printf("'\n\tlocal settings='");
	put_settings();
	puts("'");
	fputs(script, stdout);
	return CTL_WORKING;
}

static const struct ctl_command commands[] = {
	{ "completion",
	  "",
	  0,
	  0,
	  completion,
	  "what bash needs to complete commands: . <(tarnctl completion)",
	  NULL,
	  { NULL } },
};
CTL_TABLE(completion, commands);
