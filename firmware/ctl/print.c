/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tarnctl prints for people: quantities, tables, a bar. Text from a socket goes out through ctl_put_text() alone.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/ctl/ctl.h"

#define CELL_MAX    200
#define COLUMNS_MAX 16
#define PROGRESS_MS 200
#define BAR_WIDTH   30
#define LABEL_WIDTH 14
#define LINE_MIN    20

void ctl_put_text(const char *text, FILE *to)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
}

const char *ctl_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

double ctl_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_number(value) ? json_number_value(value) : -1;
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

const char *ctl_count(double n, const char *one, const char *many, char buf[60])
{
	(void)snprintf(buf, 60, "%.0f %s", n, n >= 0.5 && n < 1.5 ? one : many);
	return buf;
}

const char *ctl_duration(double seconds, char buf[40])
{
	long long s = seconds > 0 && seconds < 1e15 ? (long long)seconds : 0;

	if (s < 60)
		(void)snprintf(buf, 40, "%lld s", s);
	else if (s < 3600)
		(void)snprintf(buf, 40, "%lld min", s / 60);
	else if (s < 86400)
		(void)snprintf(buf, 40, "%lld h %02lld min", s / 3600, s / 60 % 60);
	else
		(void)snprintf(buf, 40, "%lld d %02lld h", s / 86400, s / 3600 % 24);
	return buf;
}

const char *ctl_time(double ms, char buf[40])
{
	time_t when = ms >= 1 && ms < 1e15 ? (time_t)(ms / 1000) : 0;
	struct tm tm;

	if (!when || !localtime_r(&when, &tm) || !strftime(buf, 40, "%Y-%m-%d %H:%M:%S", &tm))
		memcpy(buf, "-", 2);
	return buf;
}

int ctl_print_json(json_t *document)
{
	CHECK(document != NULL);
	CHECK_OK(json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY));
	putchar('\n');
	json_decref(document);
	return CTL_WORKING;
}

/* Columns for text behind a label; 0: as many as it takes, as for scripts. */
static size_t line_width(void)
{
	struct winsize size;

	if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ||
	    size.ws_col < LABEL_WIDTH + LINE_MIN)
		return 0;
	return size.ws_col - LABEL_WIDTH;
}

/* Bytes of `text` for a line: up to the last blank that fits, or one word that does not. */
static size_t line_bytes(const char *text, size_t width)
{
	size_t n = 0, at;

	for (at = 0; text[at]; at++) {
		if (text[at] == ' ' && (at <= width || !n))
			n = at;
		if (at >= width && n)
			return n;
	}
	return at <= width || !n ? at : n;
}

/* On a terminal it is broken at blanks. */
void ctl_line(const char *label, const char *text)
{
	size_t width = line_width(), n;

	for (; *text; text += n + (text[n] == ' ')) {
		n = width ? line_bytes(text, width) : strlen(text);
		printf("%-*s", LABEL_WIDTH, label);
		for (size_t i = 0; i < n; i++)
			fputc((unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i],
			      stdout);
		putchar('\n');
		label = "";
	}
}

/* ---- tables --------------------------------------------------------------------------------------- */

static void cell(const json_t *row, const struct ctl_column *column, char text[CELL_MAX])
{
	const json_t *value = json_object_get(row, column->member);
	double number = ctl_number(row, column->member);
	char buf[40];
	const char *made = "-";

	if (!value || json_is_null(value)) {
		memcpy(text, "-", 2);
		return;
	}
	switch (column->shape) {
	case CTL_TEXT:
		made = json_is_string(value) ? json_string_value(value) : "-";
		break;
	case CTL_NUMBER:
		(void)snprintf(buf, sizeof(buf), "%.*f", json_is_real(value) ? 1 : 0, number);
		made = buf;
		break;
	case CTL_BYTES:
		made = ctl_bytes(number, buf);
		break;
	case CTL_SECONDS:
		made = ctl_duration(number, buf);
		break;
	case CTL_MS_TIME:
		made = ctl_time(number, buf);
		break;
	case CTL_YES_NO:
		made = json_is_true(value) ? "yes" : "no";
		break;
	}
	(void)snprintf(text, CELL_MAX, "%s", made);
}

/* Characters, not bytes, so that columns stand. */
static int cell_width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static bool is_right(enum ctl_shape shape)
{
	return shape == CTL_NUMBER || shape == CTL_BYTES;
}

static void put_cell(const char *text, int width, bool right, bool last)
{
	int pad = width - cell_width(text);

	if (right)
		printf("%*s", pad, "");
	ctl_put_text(text, stdout);
	if (!last)
		printf("%*s  ", right ? 0 : pad, "");
}

void ctl_print_table(const json_t *rows, const struct ctl_column *columns, size_t n,
		     const char *empty)
{
	int widths[COLUMNS_MAX];
	char text[CELL_MAX];
	json_t *row;
	size_t i;

	CHECK(n <= COLUMNS_MAX);
	if (json_array_size(rows) == 0) {
		printf("%s\n", empty);
		return;
	}
	for (size_t c = 0; c < n; c++) {
		widths[c] = cell_width(columns[c].title);
		json_array_foreach(rows, i, row)
		{
			cell(row, &columns[c], text);
			if (cell_width(text) > widths[c])
				widths[c] = cell_width(text);
		}
		put_cell(columns[c].title, widths[c], is_right(columns[c].shape), c + 1 == n);
	}
	putchar('\n');
	json_array_foreach(rows, i, row)
	{
		for (size_t c = 0; c < n; c++) {
			cell(row, &columns[c], text);
			put_cell(text, widths[c], is_right(columns[c].shape), c + 1 == n);
		}
		putchar('\n');
	}
}

/* ---- a bar ---------------------------------------------------------------------------------------- */

void ctl_progress_begin(struct ctl_progress *progress, const char *what)
{
	*progress = (struct ctl_progress){ .what = what,
					   .begun_ms = clock_read().mono_ms,
					   .terminal = isatty(STDERR_FILENO) == 1 };
}

void ctl_progress_show(struct ctl_progress *progress, double done, double total)
{
	uint64_t now = clock_read().mono_ms;
	double part = total >= 1 ? done / total : 0;
	char bar[BAR_WIDTH + 1], bytes[32], speed[32];
	double s = (double)(now - progress->begun_ms) / 1000;

	if (!progress->terminal || now - progress->drawn_ms < PROGRESS_MS)
		return;
	progress->drawn_ms = now;
	part = part < 0 ? 0 : part > 1 ? 1 : part;
	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '#', (size_t)(part * BAR_WIDTH));
	bar[BAR_WIDTH] = 0;
	fprintf(stderr, "\r%s [%s] %3.0f %%  %s  %s/s \033[K", progress->what, bar, part * 100,
		ctl_bytes(done, bytes), ctl_bytes(s > 0.1 ? done / s : 0, speed));
}

void ctl_progress_end(struct ctl_progress *progress)
{
	if (progress->terminal && progress->drawn_ms)
		fprintf(stderr, "\r\033[K");
}
