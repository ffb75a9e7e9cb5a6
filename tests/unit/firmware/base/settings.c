/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machinery, on a table of its own; tarn_conf.c has the real one. Also what a hostile file may
 * hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/settings.h"

struct values {
	bool flag;
	int64_t number, gap, bytes, time;
	char *text, *path;
	int choice;
	struct string_list words;
	struct addr_list addrs;
	struct net_list nets;
	struct port_list ports;
};

static const char *const choices[] = { "red", "green", NULL };

#define AT(member) offsetof(struct values, member)
static const struct setting rows[] = {
	{ "one", "flag", SETTING_BOOL, AT(flag), "yes", "A flag.", 0, 0, NULL },
	{ "one", "number", SETTING_INT, AT(number), "5", "A number.", 1, 10, NULL },
	{ "one", "gap", SETTING_INT_OR_0, AT(gap), "0", "None, or some.", 8, 10, NULL },
	{ "one", "bytes", SETTING_BYTES, AT(bytes), "64K", "Bytes.", 0, 0, NULL },
	{ "one", "time", SETTING_DURATION, AT(time), "4s", "A time.", 100, 86400000, NULL },
	{ "two", "text", SETTING_STRING, AT(text), "", "A text.", 0, 0, NULL },
	{ "two", "path", SETTING_PATH, AT(path), "/x", "A path.", 0, 0, NULL },
	{ "two", "choice", SETTING_ENUM, AT(choice), "green", "A choice.", 0, 0, choices },
	{ "two", "words", SETTING_STRINGS, AT(words), "a b", "Words.", 0, 0, NULL },
	{ "two", "addrs", SETTING_ADDRS, AT(addrs), "192.0.2.1", "Addresses.", 53, 0, NULL },
	{ "two", "nets", SETTING_NETS, AT(nets), "192.0.2.0/24", "Networks.", 0, 0, NULL },
	{ "two", "ports", SETTING_PORTS, AT(ports), "", "Ports.", 0, 0, NULL },
};
static const struct settings_table table = { rows, ARRAY_LEN(rows), sizeof(struct values) };

static char dir[] = "/tmp/tarn-settings.XXXXXX";
static char file[64];
static struct settings_error error;
static char error_text[1024];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(file, sizeof(file), "%s/a.conf", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(file);
	return rmdir(dir);
}

static int load_bytes(const char *text, size_t n, struct values *values)
{
	FILE *f = fopen(file, "w");
	int rc;

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	rc = settings_load(file, false, &table, values, &error);
	(void)settings_error_text(&error, error_text, sizeof(error_text));
	return rc;
}

static struct values load(const char *text)
{
	struct values values;

	if (load_bytes(text, strlen(text), &values) < 0)
		fail_msg("refused: %s", error_text);
	return values;
}

/* Refused at this line with this text in the message, and the output untouched. */
static void refuse_bytes(const char *text, size_t n, unsigned line, const char *part)
{
	struct values values, before;

	memset(&values, 0x5a, sizeof(values));
	memcpy(&before, &values, sizeof(values));
	if (load_bytes(text, n, &values) == 0)
		fail_msg("took: %s", text);
	assert_memory_equal(&values, &before, sizeof(values));
	assert_string_equal(error.file, file);
	if (error.line != line || !strstr(error_text, part))
		fail_msg("wanted line %u and '%s', got: %s", line, part, error_text);
}

static void refuse(const char *text, unsigned line, const char *part)
{
	refuse_bytes(text, strlen(text), line, part);
}

static void empty_file_is_the_defaults(void **state)
{
	static const char *const texts[] = {
		"", "\n", "# nothing\n; nothing\n", "[one]\n\n[two]", "\xef\xbb\xbf", "\r\n\r\n"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct values v = load(texts[i]);

		assert_true(v.flag && v.number == 5 && v.bytes == 65536 && v.time == 4000);
		assert_string_equal(v.text, "");
		assert_string_equal(v.path, "/x");
		assert_int_equal(v.choice, 1);
		assert_int_equal(v.words.n, 2);
		assert_string_equal(v.words.v[1], "b");
		assert_int_equal(addr_port(&v.addrs.v[0]), 53);
		assert_int_equal(v.nets.n, 1);
		assert_int_equal(v.ports.n, 0);
		settings_free(&table, &v);
		assert_null(v.text);
	}
}

static void a_number_may_be_zero_or_of_a_range(void **state)
{
	static const char *const wrong[] = { "1", "7", "11", "-1", "ten", "" };
	struct values v = load("[one]\ngap = 0\n");
	char text[64];

	(void)state;
	assert_int_equal(v.gap, 0);
	settings_free(&table, &v);
	v = load("[one]\ngap = 8\n");
	assert_int_equal(v.gap, 8);
	settings_free(&table, &v);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		(void)snprintf(text, sizeof(text), "[one]\n\ngap = %s\n", wrong[i]);
		refuse(text, 3, "allowed: 0, or a whole number, from 8 to 10");
	}
}

static void reads_every_type(void **state)
{
	struct values v =
		load("[one]\nflag = OFF\nnumber=10\nbytes = 2g\ntime : 1h ; an hour\n"
		     "[two] # comment\n text = two words = x \n\tpath = /a b/c\n"
		     "choice = Red\nwords = p, q r,,s\nwords = t\n"
		     "addrs = 192.0.2.2:54 [2001:db8::1]\nnets = ::/0\nports = 443, 80\n");

	(void)state;
	assert_true(!v.flag && v.number == 10 && v.bytes == 2ll << 30 && v.time == 3600000);
	assert_string_equal(v.text, "two words = x");
	assert_string_equal(v.path, "/a b/c");
	assert_int_equal(v.choice, 0);
	assert_int_equal(v.words.n, 5); /* the default is replaced, the second line appends */
	assert_string_equal(v.words.v[0], "p");
	assert_string_equal(v.words.v[3], "s");
	assert_string_equal(v.words.v[4], "t");
	assert_int_equal(v.addrs.n, 2);
	assert_int_equal(addr_port(&v.addrs.v[0]), 54);
	assert_int_equal(addr_port(&v.addrs.v[1]), 53);
	assert_int_equal(v.nets.v[0].bits, 0);
	assert_int_equal(v.ports.n, 2);
	assert_int_equal(v.ports.v[1], 80);
	settings_free(&table, &v);
}

static void tolerates_bom_crlf_and_no_last_newline(void **state)
{
	struct values v = load("\xef\xbb\xbf[one]\r\nnumber = 7\r\n[two]\r\ntext = end");

	(void)state;
	assert_int_equal(v.number, 7);
	assert_string_equal(v.text, "end");
	settings_free(&table, &v);
	v = load("[two]\nwords =\n"); /* an empty list is not the default */
	assert_int_equal(v.words.n, 0);
	settings_free(&table, &v);
}

static void refuses_wrong_values(void **state)
{
	(void)state;
	refuse("[one]\nnumber = 11\n", 2, "allowed: a whole number, from 1 to 10");
	refuse("[one]\nnumber = 0\n", 2, "number = 0 is not valid");
	refuse("[one]\nnumber = -1\n", 2, "number");
	refuse("[one]\nnumber = 5x\n", 2, "number");
	refuse("[one]\nnumber =\n", 2, "number");
	refuse("[one]\nnumber = 99999999999999999999999\n", 2, "number");
	refuse("[one]\nflag = maybe\n", 2, "allowed: yes, no");
	refuse("[one]\nbytes = 10Q\n", 2, "64K");
	refuse("[one]\nbytes = 9000000000G\n", 2, "bytes");
	refuse("[one]\nbytes = 18446744073709551615T\n", 2, "bytes");
	refuse("[one]\nbytes = K\n", 2, "bytes");
	refuse("[one]\ntime = 5\n", 2, "allowed: a time, as 250ms");
	refuse("[one]\ntime = 99ms\n", 2, "from 100 to 86400000 ms");
	refuse("[one]\ntime = 0\n", 2, "time");
	refuse("[one]\ntime = 5 s\n", 2, "time");
	refuse("[two]\nchoice = blue\n", 2, "allowed: red, green");
	refuse("[two]\npath = relative/x\n", 2, "an absolute path");
	refuse("[two]\npath =\n", 2, "an absolute path");
	refuse("[two]\naddrs = 192.0.2.1, example.com\n", 2, "IP addresses");
	refuse("[two]\nnets = 192.0.2.1/24\n", 2, "host bits 0");
	refuse("[two]\nports = 443 0\n", 2, "1 to 65535");
	refuse("[two]\nports = 65536\n", 2, "1 to 65535");
}

static void refuses_unknown_names_and_suggests(void **state)
{
	(void)state;
	refuse("[one]\nnumbr = 1\n", 2,
	       "unknown key numbr (did you mean number?); allowed: flag, ");
	refuse("[one]\nbanana = 1\n", 2,
	       "unknown key banana; allowed: flag, number, gap, bytes, time");
	refuse("[tow]\ntext = 1\n", 2,
	       "unknown section tow (did you mean two?); allowed: one, two");
	refuse("\n\n[One]\nflag = yes\n", 4, "did you mean one?");
	refuse("flag = yes\n", 1, "in no section");
	refuse("[one]\nFLAG = yes\n", 2, "did you mean flag?");
}

static void refuses_a_scalar_twice(void **state)
{
	(void)state;
	refuse("[one]\nnumber = 1\n[two]\n[one]\nnumber = 1\n", 5, "number is set a second time");
}

static void the_first_error_counts(void **state)
{
	(void)state;
	refuse("[one]\ngarbage\nnumber = 99\n", 2, "neither a section nor key = value");
	refuse("[one]\nnumber = 99\ngarbage\n", 2, "number = 99");
	refuse("[one]\nnumber = 99\nbanana = 2\n", 2, "number = 99");
}

static void refuses_what_is_not_ini(void **state)
{
	(void)state;
	refuse("[one\nflag = yes\n", 1, "without its ']'");
	refuse("[]\nflag = yes\n", 1, "section name is 0 long");
	refuse("[one] flag = yes\n", 1, "text after");
	refuse("[0123456789012345678901234567890123456789012345678]\n", 1,
	       "section name is 49 long");
	refuse("= 5\n", 1, "in no section");
	refuse("[one]\n = 5\n", 2, "unknown key");
	refuse("<xml>", 1, "neither");
}

static void refuses_hostile_bytes(void **state)
{
	static char big[(1 << 20) + 2];
	char line[400];

	(void)state;
	refuse_bytes("[one]\nflag = y\0es\n", 18, 2, "control character 0x00");
	refuse_bytes("\0", 1, 1, "control character 0x00");
	refuse("[one]\nflag = yes\rnumber = 3\n", 2, "control character 0x0d");
	refuse("[two]\ntext = \x1b[2J\n", 2, "control character 0x1b");
	/* One byte more than allowed, and one that libinih would have split in two lines. */
	(void)snprintf(line, sizeof(line), "[two]\ntext = %0174d\n", 0);
	refuse(line, 2, "line of 181 bytes");
	(void)snprintf(line, sizeof(line), "[two]\ntext = %0240dflag = no\n", 0);
	refuse(line, 2, "line of 256 bytes");
	memset(big, '\n', sizeof(big));
	refuse_bytes(big, sizeof(big), 0, "File too large");
	/* What goes back into the message is quoted. */
	refuse("[one]\n\xff\xfe = 1\n", 2, "\"\\xff\\xfe\"");
}

static void the_longest_line_fits(void **state)
{
	char text[400];
	struct values v;

	(void)state;
	(void)snprintf(text, sizeof(text), "[two]\ntext = %0173d\n", 0);
	v = load(text);
	assert_int_equal(strlen(v.text), 173);
	settings_free(&table, &v);
	/* Comments may be longer. */
	(void)snprintf(text, sizeof(text), "# %0300d\n[two]\ntext = x\n", 0);
	v = load(text);
	assert_string_equal(v.text, "x");
	settings_free(&table, &v);
}

static void a_file_that_is_none(void **state)
{
	struct values v;

	(void)state;
	assert_int_equal(settings_load("/nonexistent/x", false, &table, &v, &error), -ENOENT);
	(void)settings_error_text(&error, error_text, sizeof(error_text));
	assert_string_equal(error_text, "/nonexistent/x: No such file or directory");
	assert_int_equal(settings_load("/nonexistent/x", true, &table, &v, &error), 0);
	assert_int_equal(v.number, 5);
	settings_free(&table, &v);
	assert_int_equal(settings_load(dir, true, &table, &v, &error), -EISDIR);
	(void)unlink(file);
	assert_int_equal(mkfifo(file, 0600), 0); /* must not hang; reads as empty */
	assert_int_equal(settings_load(file, false, &table, &v, &error), 0);
	settings_free(&table, &v);
	assert_int_equal(unlink(file), 0);
}

static void the_printed_table_is_a_valid_file(void **state)
{
	struct values v, w;
	char *text = NULL, *line;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	(void)state;
	assert_non_null(to);
	settings_print(&table, to);
	assert_int_equal(fclose(to), 0);
	assert_non_null(strstr(text, "# Allowed: a whole number, from 1 to 10.\n#number = 5\n"));
	v = load(text);
	for (line = text; (line = strchr(line, '\n')); line++) /* bring the defaults to life */
		if (line[1] == '#' && line[2] != ' ')
			line[1] = ' ';
	w = load(text);
	assert_true(v.number == w.number && v.bytes == w.bytes && v.words.n == w.words.n);
	settings_free(&table, &v);
	settings_free(&table, &w);
	free(text);
}

/* What a value is as text means the same when it is read; and where it came from is told. */
static void a_value_as_text(void **state)
{
	static const char *const want[] = { "no",
					    "10",
					    "0",
					    "2G",
					    "90s",
					    "two words",
					    "/a b",
					    "red",
					    "p q",
					    "192.0.2.2:54 2001:db8::1",
					    "::/0 192.0.2.0/24",
					    "443 80" };
	static const unsigned where[] = { 2, 0, 0, 3, 4, 6, 0, 7, 8, 10, 0, 0 };
	struct values v = load("[one]\nflag = OFF\nnumber=10\nbytes = 2048m\ntime = 90s\n[two]\n"
			       "text = two words\npath = /a b\nchoice = Red\nwords = p, q\n"
			       "addrs = 192.0.2.2:54 [2001:db8::1]:53\nnets = ::/0 192.0.2.0/24\n"
			       "ports = 443, 80\n");
	unsigned lines[ARRAY_LEN(rows)];
	char *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		text = setting_text(&table, i, &v);
		assert_string_equal(text, want[i]);
		free(text);
	}
	settings_free(&table, &v);
	v = load("[one]\nflag = OFF\nbytes = 0\ntime = 100ms\n[two]\ntext = x\nchoice = Red\n"
		 "words = p\nwords = q\naddrs = ::1\n");
	settings_free(&table, &v);
	assert_int_equal(settings_load_lines(file, false, &table, &v, lines, &error), 0);
	assert_memory_equal(lines, where, sizeof(where));
	text = setting_text(&table, 3, &v);
	assert_string_equal(text, "0");
	free(text);
	text = setting_text(&table, 4, &v);
	assert_string_equal(text, "100ms");
	free(text);
	settings_free(&table, &v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_as_text),
		cmocka_unit_test(empty_file_is_the_defaults),
		cmocka_unit_test(a_number_may_be_zero_or_of_a_range),
		cmocka_unit_test(reads_every_type),
		cmocka_unit_test(tolerates_bom_crlf_and_no_last_newline),
		cmocka_unit_test(refuses_wrong_values),
		cmocka_unit_test(refuses_unknown_names_and_suggests),
		cmocka_unit_test(refuses_a_scalar_twice),
		cmocka_unit_test(the_first_error_counts),
		cmocka_unit_test(refuses_what_is_not_ini),
		cmocka_unit_test(refuses_hostile_bytes),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(a_file_that_is_none),
		cmocka_unit_test(the_printed_table_is_a_valid_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
