/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash report. It may run in a signal handler and in a broken process: it uses write(2), its
 * own number formatting and backtrace_symbols_fd(), which does not allocate once libgcc has been
 * loaded (check_install() sees to that). Each report part is a write of its own; nothing is locked.
 */
#include "firmware/base/check.h"

#include <execinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES_MAX 48

static const char *program_name = "?";
static _Thread_local check_context_f *context_f;
static _Thread_local void *context_arg;
static _Thread_local volatile sig_atomic_t reporting;

static void put(const char *text)
{
	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

	(void)ignored;
}

static void put_number(long n)
{
	char digits[24];
	char *p = digits + sizeof(digits) - 1;
	unsigned long rest = n < 0 ? 0ul - (unsigned long)n : (unsigned long)n;

	*p = '\0';
	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (n < 0)
		*--p = '-';
	put(p);
}

static void put_head(void)
{
	put(program_name);
	put("[");
	put_number((long)getpid());
	put("]: ");
}

/*
 * What goes under every report's first line. A crash within the report ends it, not the reporting.
 */
static void put_body(void)
{
	void *frames[FRAMES_MAX];
	int n;

	if (reporting)
		return;
	reporting = 1;
	if (context_f)
		context_f(STDERR_FILENO, context_arg);
	n = backtrace(frames, FRAMES_MAX);
	backtrace_symbols_fd(frames, n, STDERR_FILENO);
}

void check_failed(const char *expression, int rc, const char *file, int line, const char *function)
{
	put_head();
	put("check failed: ");
	put(expression);
	if (rc) {
		put(" = ");
		put_number(rc);
	}
	put(" at ");
	put(file);
	put(":");
	put_number(line);
	put(" in ");
	put(function);
	put("()\n");
	put_body();
	abort();
}

/* SA_RESETHAND: returning runs the instruction again, which now kills with the true signal. */
static void on_fatal(int signal_number)
{
	put_head();
	put("fatal signal ");
	put_number(signal_number);
	put("\n");
	put_body();
	raise(signal_number);
}

void check_install(const char *program)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	struct sigaction action = { .sa_handler = on_fatal, .sa_flags = SA_RESETHAND };
	void *warm_up[1];

	program_name = program;
	(void)backtrace(warm_up, 1);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		CHECK_OK(sigaction(fatal[i], &action, NULL));
}

void check_context_set(check_context_f *f, void *arg)
{
	context_f = f;
	context_arg = arg;
}
