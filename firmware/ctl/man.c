/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl man: the manual pages, as mdoc(7), of the tables that the programs themselves work by: commands (ctl.h),
 * the daemons' options (program.h), settings (tarn_conf.c) and the keys of a profile (profile.c). The build writes
 * them to files; `mandoc -Tlint` has nothing to say about them.
 */
#include <ctype.h>
#include <string.h>

#include "firmware/base/profile.h"
#include "firmware/base/program.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/base/version.h"
#include "firmware/ctl/ctl.h"

#define TEXT_WIDTH 76

/* ---- text that roff takes for text ---------------------------------------------------------------- */

static void put_escaped(struct span text, FILE *to)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\\')
			fputs("\\e", to);
		else if (c == '-')
			fputs("\\-", to);
		else if (c == '"')
			fputs("\\(dq", to);
		else if (c == '`' || c == '\'')
			fputs(c == '`' ? "\\(ga" : "\\(aq", to);
		else if (c == '~' || c == '^')
			fputs(c == '~' ? "\\(ti" : "\\(ha", to);
		else
			fputc(c, to);
	}
}

/* An argument of a macro that is no macro itself, whatever it is spelt like. */
static void put_argument(const char *text, FILE *to)
{
	fputs("\\&", to);
	for (struct span rest = span_of(text), word; span_cut(&rest, ' ', &word);) {
		put_escaped(word, to);
		if (rest.n)
			fputs("\\ ", to);
	}
}

/* Running text: a sentence begins a line. */
static void put_text(const char *text, FILE *to)
{
	size_t column = 0;

	for (struct span rest = span_of(text), word; span_cut(&rest, ' ', &word);) {
		bool ends;

		if (!word.n)
			continue;
		ends = strchr(".?!", word.p[word.n - 1]) != NULL;
		if (column && column + word.n + 1 > TEXT_WIDTH) {
			fputc('\n', to);
			column = 0;
		}
		if (column)
			fputc(' ', to);
		else if (word.p[0] == '.' || word.p[0] == '\'')
			fputs("\\&", to);
		put_escaped(word, to);
		column = ends ? 0 : column + word.n + 1;
		if (ends && rest.n)
			fputc('\n', to);
	}
	fputc('\n', to);
}

/* A help text of a table: a capital first, a dot last. */
static void put_sentence(const char *text, FILE *to)
{
	char sentence[1200];
	size_t n = strlen(text);

	(void)snprintf(sentence, sizeof(sentence), "%s%s", text,
		       n && strchr(".?!", text[n - 1]) ? "" : ".");
	/* A word that has its letters for a reason stays as it is. */
	if (islower((unsigned char)sentence[0]) && !strchr("0123456789-_./:", sentence[1]))
		sentence[0] = (char)toupper((unsigned char)sentence[0]);
	put_text(sentence, to);
}

static void head(const char *name, const char *section, const char *summary, FILE *to)
{
	char upper[40];
	size_t i;

	for (i = 0; name[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	upper[i] = 0;
	fprintf(to, ".\\\" Made of Tarn's tables by tarnctl man.\n");
	fprintf(to, ".Dd %s\n.Dt %s %s\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", TARN_DATE, upper, section,
		name);
	put_escaped(span_of(summary), to);
	fputc('\n', to);
}

/* "tarnctl 1": all but the page itself, by section and name. */
static void see_also(const char *self, FILE *to)
{
	static const char *const pages[] = { "tarnctl 1",    "tarn-vendor 5", "tarn.conf 5",
					     "tarn-mount 8", "tarn-proxy 8",  "tarnd 8" };
	bool any = false;

	fputs(".Sh SEE ALSO\n", to);
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (strncmp(pages[i], self, strlen(self)) == 0 && pages[i][strlen(self)] == ' ')
			continue;
		fprintf(to, "%s.Xr %s", any ? " ,\n" : "", pages[i]);
		any = true;
	}
	fputc('\n', to);
}

/* ---- tarnctl(1) ----------------------------------------------------------------------------------- */

static void put_option(const struct ctl_option *option, FILE *to)
{
	fputs(".It", to);
	if (option->letter)
		fprintf(to, " Fl %c ,", option->letter);
	fputs(" Fl \\-", to);
	put_escaped(span_of(option->name), to);
	if (option->arg) {
		fputs(" Ar ", to);
		put_argument(option->arg, to);
	}
	fputc('\n', to);
	put_sentence(option->help, to);
}

static void command_page(const struct ctl_command *command, void *arg)
{
	FILE *to = arg;

	fputs(".It Cm ", to);
	put_argument(command->words, to);
	if (command->args[0]) {
		fputs(" Ar ", to);
		put_argument(command->args, to);
	}
	fputc('\n', to);
	put_sentence(command->help, to);
	if (command->more)
		put_sentence(command->more, to);
	if (!command->options[0])
		return;
	fputs(".Bl -tag -width Ds -compact\n", to);
	for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i]; i++)
		put_option(command->options[i], to);
	fputs(".El\n", to);
}

static void page_tarnctl(FILE *to)
{
	head("tarnctl", "1", "is Tarn working, what did it save, and why did a device not get it",
	     to);
	fputs(".Sh SYNOPSIS\n.Nm\n.Op Ar OPTION\n.Ar COMMAND\n.Sh DESCRIPTION\n.Nm\n"
	      "asks\n.Xr tarnd 8\nand\n.Xr tarn-proxy 8\nover their sockets and prints what they "
	      "say, for "
	      "people\nor, with\n.Fl \\-json ,\nfor scripts.\n"
	      "Options may stand before or behind the command.\n.Ss Commands\n"
	      ".Bl -tag -width Ds\n",
	      to);
	ctl_each(command_page, to);
	fputs(".El\n.Ss Options of all commands\n.Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < ctl_common_n; i++)
		put_option(&ctl_common[i], to);
	fputs(".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n", to);
#define X(name, number, what)                                                                      \
	fprintf(to, ".It %d\n", number);                                                           \
	put_sentence(what, to);
	CTL_EXITS(X)
#undef X
	fputs(".El\n", to);
	see_also("tarnctl", to);
}

/* ---- tarnd(8), tarn-proxy(8), tarn-mount(8) ---------------------------------------------------------------------- */

static void program_option(const struct program_option *option, FILE *to)
{
	fputs(".It", to);
	if (option->letter)
		fprintf(to, " Fl %c%s", option->letter, option->name ? " ," : "");
	if (option->name) {
		fputs(" Fl \\-", to);
		put_escaped(span_of(option->name), to);
	}
	if (option->arg) {
		fputs(" Ar ", to);
		put_argument(option->arg, to);
	}
	fputc('\n', to);
	put_sentence(option->help, to);
}

static void program_rows(const char *title, const struct program_row *rows, FILE *to)
{
	fprintf(to, "%s\n.Bl -tag -width Ds\n", title);
	for (; rows->help; rows++) {
		fputs(".It ", to);
		put_argument(rows->name, to);
		fputc('\n', to);
		put_sentence(rows->help, to);
	}
	fputs(".El\n", to);
}

static void page_program(const struct program_doc *program, FILE *to)
{
	head(program->name, "8", program->summary, to);
	fputs(".Sh SYNOPSIS\n.Nm\n.Op Ar OPTION\n", to);
	if (program->operand)
		fprintf(to, ".Ar %s\n", program->operand);
	fputs(".Sh DESCRIPTION\n", to);
	for (size_t i = 0; program->paragraphs[i]; i++) {
		if (i)
			fputs(".Pp\n", to);
		put_text(program->paragraphs[i], to);
	}
	fputs(".Pp\nThe options:\n.Bl -tag -width Ds\n", to);
	for (const struct program_option *option = program->options; option->help; option++)
		program_option(option, to);
	fputs(".El\n", to);
	program_rows(".Pp\nIt listens to signals:", program->signals, to);
	if (program->attributes)
		program_rows(".Pp\nExtended attributes of files:", program->attributes, to);
	program_rows(".Sh FILES", program->files, to);
	program_rows(".Sh EXIT STATUS", program->exits, to);
	if (program->example) {
		fputs(".Sh EXAMPLES\n.Bd -literal -offset indent\n", to);
		put_escaped(span_of(program->example), to);
		fputs("\n.Ed\n", to);
	}
	see_also(program->name, to);
}

/* ---- tarn.conf(5), tarn-vendor(5) ----------------------------------------------------------------- */

static const char format_text[] = "A section is a line [section], a setting a line key = value. A "
				  "comment is a line that begins with # or ; "
				  "or what follows a blank and a semicolon. A list is separated by "
				  "commas or blanks, and its key may be "
				  "repeated; any other key stands once. A line has at most 180 "
				  "bytes. A wrong line is refused by file and "
				  "line, with what is allowed, and nothing of the file is taken "
				  "over: tarnctl config check tells it "
				  "beforehand.";

static void setting_page(const struct setting *row, bool restart, FILE *to)
{
	char allowed[256], text[400];

	fputs(".It Cm ", to);
	put_argument(row->key, to);
	fputc('\n', to);
	if (row->help[0])
		put_sentence(row->help, to);
	(void)snprintf(text, sizeof(text), "Allowed: %s.",
		       setting_allowed(row, allowed, sizeof(allowed)));
	put_text(text, to);
	if (row->fallback[0]) {
		(void)snprintf(text, sizeof(text), "Default: %s.", row->fallback);
		put_text(text, to);
	}
	if (restart)
		put_text("Taken over at the next start, not by a reload.", to);
}

static void page_conf(FILE *to)
{
	const char *section = "";

	head("tarn.conf", "5", "the settings of Tarn", to);
	fputs(".Sh SYNOPSIS\n.Pa " TARN_CONF_PATH "\n.Sh DESCRIPTION\n", to);
	put_text("Every setting has a default: an empty or absent file is a working box.", to);
	put_text(format_text, to);
	put_text("tarnctl config show prints each setting with the line that sets it, tarnctl "
		 "config reload has "
		 "the running programs read the file again.",
		 to);
	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];

		if (strcmp(section, row->section) != 0)
			fprintf(to, "%s.Ss [%s]\\&\n.Bl -tag -width Ds\n",
				section[0] ? ".El\n" : "", row->section);
		section = row->section;
		setting_page(row, tarn_conf_at_start(row), to);
	}
	fputs(".El\n", to);
	see_also("tarn.conf", to);
}

static void page_vendor(FILE *to)
{
	const struct profile_section *sections = NULL;
	size_t n = profile_sections(&sections);

	head("tarn-vendor", "5", "what of a vendor\\(aqs traffic Tarn keeps", to);
	fputs(".Sh SYNOPSIS\n.Pa /etc/tarn/vendors/*.conf\n.Sh DESCRIPTION\n", to);
	put_text("One file a vendor. The code knows no vendor: what counts as one stands in such a "
		 "profile.",
		 to);
	put_text(format_text, to);
	put_text("The file example.conf beside the others explains the format by example.", to);
	for (size_t s = 0; s < n; s++) {
		fprintf(to, ".Ss [%s]\\&\n", sections[s].name);
		if (sections[s].help)
			put_text(sections[s].help, to);
		fputs(".Bl -tag -width Ds\n", to);
		for (size_t i = 0; i < sections[s].table->n; i++)
			if (strcmp(sections[s].table->rows[i].section, sections[s].part) == 0)
				setting_page(&sections[s].table->rows[i], false, to);
		fputs(".El\n", to);
	}
	see_also("tarn-vendor", to);
}

static void page_tarnd(FILE *to)
{
	page_program(&program_tarnd, to);
}

static void page_proxy(FILE *to)
{
	page_program(&program_proxy, to);
}

static void page_mount(FILE *to)
{
	page_program(&program_mount, to);
}

static const struct {
	const char *name;
	void (*page)(FILE *to);
} pages[] = {
	{ "tarnctl", page_tarnctl },  { "tarnd", page_tarnd },	  { "tarn-proxy", page_proxy },
	{ "tarn-mount", page_mount }, { "tarn.conf", page_conf }, { "tarn-vendor", page_vendor },
};

static int man(const struct ctl_options *options, char **args)
{
	(void)options;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (strcmp(args[0], pages[i].name) == 0) {
			pages[i].page(stdout);
			return CTL_WORKING;
		}
	}
	fputs("tarnctl: no such page; allowed: tarnctl, tarnd, tarn-proxy, tarn-mount, "
	      "tarn.conf, tarn-vendor\n",
	      stderr);
	return CTL_USAGE;
}

static const struct ctl_command commands[] = {
	{ "man",
	  "PAGE",
	  1,
	  1,
	  man,
	  "a manual page, as mdoc: tarnctl man tarn.conf | man -l -",
	  "One of tarnctl, tarnd, tarn-proxy, tarn-mount, tarn.conf, tarn-vendor.",
	  { NULL } },
};
CTL_TABLE(man, commands);
