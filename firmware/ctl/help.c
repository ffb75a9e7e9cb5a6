/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tables of commands say to people: the help as a whole and each command's.
 */
#include <stdio.h>
#include <string.h>

#include "firmware/ctl/ctl.h"

#define COLUMN 26
#define WIDTH  78

/* "  left     right", the left side in a column. */
static void row(FILE *to, const char *left, const char *right)
{
	if (strlen(left) > COLUMN)
		fprintf(to, "  %s\n  %-*s %s\n", left, COLUMN, "", right);
	else
		fprintf(to, "  %-*s %s\n", COLUMN, left, right);
}

static void option_row(FILE *to, const struct ctl_option *option)
{
	char left[80], letter[8] = "    ";

	if (option->letter)
		(void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
	(void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
		       option->arg ? " " : "", option->arg ? option->arg : "");
	row(to, left, option->help);
}

/* Breaks lines at words. */
static void paragraph(FILE *to, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column && column + 1 + n > WIDTH) {
			fputc('\n', to);
			column = 0;
		}
		column += (size_t)fprintf(to, "%s%.*s", column ? " " : "", (int)n, text);
		text += n + (text[n] == ' ');
	}
	fputc('\n', to);
}

static void command_row(const struct ctl_command *command, void *arg)
{
	char left[100];

	(void)snprintf(left, sizeof(left), "%s%s%s", command->words, command->args[0] ? " " : "",
		       command->args);
	row(arg, left, command->help);
}

struct group {
	const char *word;
	FILE *to;
	bool any;
};

static void group_row(const struct ctl_command *command, void *arg)
{
	struct group *group = arg;
	size_t n = strlen(group->word);

	if (strncmp(command->words, group->word, n) != 0 || command->words[n] != ' ')
		return;
	if (!group->any)
		fprintf(group->to, "Usage: tarnctl [OPTION]... %s COMMAND\n\nCommands\n",
			group->word);
	group->any = true;
	command_row(command, group->to);
}

bool ctl_help_group(const char *word, FILE *to)
{
	struct group group = { .word = word, .to = to };

	ctl_each(group_row, &group);
	return group.any;
}

void ctl_help_all(FILE *to)
{
	fputs("Usage: tarnctl [OPTION]... COMMAND\n\nCommands\n", to);
	ctl_each(command_row, to);
	fputs("\nOptions of all (tarnctl COMMAND --help shows its own, too)\n", to);
	for (size_t i = 0; i < ctl_common_n; i++)
		option_row(to, &ctl_common[i]);
	fputs("\nExit status\n", to);
#define X(name, number, what) fprintf(to, "  %2d  %s\n", number, what);
	CTL_EXITS(X)
#undef X
}

void ctl_help_one(const struct ctl_command *command, FILE *to)
{
	fprintf(to, "Usage: tarnctl [OPTION]... %s%s%s\n\n", command->words,
		command->args[0] ? " " : "", command->args);
	fprintf(to, "%s: %s.\n", command->words, command->help);
	if (command->more) {
		fputc('\n', to);
		paragraph(to, command->more);
	}
	fputs("\nOptions\n", to);
	for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i]; i++)
		option_row(to, command->options[i]);
	for (size_t i = 0; i < ctl_common_n; i++)
		option_row(to, &ctl_common[i]);
}
