/* SPDX-License-Identifier: Apache-2.0 */
/* A failing check is run in a child; its stderr and its way of dying are looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/check.h"

static char report[8192];

/* Runs f in a child. Gives the signal that ended it, 0 if none did. */
static int die_by(void (*f)(void))
{
	const struct rlimit no_core = { 0, 0 };
	size_t n = 0;
	ssize_t got;
	int pipe_fd[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipe_fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)signal(SIGABRT, SIG_DFL);
		(void)dup2(pipe_fd[1], STDERR_FILENO);
		(void)close(pipe_fd[1]);
		check_install("unit");
		f();
		_exit(0);
	}
	(void)close(pipe_fd[1]);
	while ((got = read(pipe_fd[0], report + n, sizeof(report) - 1 - n)) > 0)
		n += (size_t)got;
	report[n] = '\0';
	(void)close(pipe_fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int evaluated;

static void pass(void)
{
	CHECK(++evaluated == 1);
	CHECK_OK(evaluated - 1);
	CHECK(evaluated == 1);
}

static void fail_plain(void)
{
	CHECK(evaluated == 77);
}

static int broken(void)
{
	return -5;
}

static void fail_rc(void)
{
	CHECK_OK(broken());
}

static void tell(int fd, void *arg)
{
	ssize_t ignored = write(fd, arg, strlen(arg));

	(void)ignored;
}

static void fail_with_context(void)
{
	char text[] = "request 42\n";

	check_context_set(tell, text);
	CHECK(!"so");
}

static void tell_badly(int fd, void *arg)
{
	(void)fd, (void)arg;
	CHECK(!"and a failure within the report");
}

static void fail_twice(void)
{
	check_context_set(tell_badly, NULL);
	CHECK(!"first");
}

static void segfault(void)
{
	raise(SIGSEGV);
}

static void true_conditions_do_nothing(void **state)
{
	(void)state;
	assert_int_equal(die_by(pass), 0);
	assert_string_equal(report, "");
}

static void reports_and_aborts(void **state)
{
	(void)state;
	assert_int_equal(die_by(fail_plain), SIGABRT);
	assert_non_null(strstr(report, "unit["));
	assert_non_null(strstr(report, "check failed: evaluated == 77 at "));
	assert_non_null(strstr(report, "tests/unit/firmware/base/check.c:"));
	assert_non_null(strstr(report, " in fail_plain()\n"));
	assert_non_null(strstr(report, "(+0x")); /* the backtrace */
}

static void shows_the_code(void **state)
{
	(void)state;
	assert_int_equal(die_by(fail_rc), SIGABRT);
	assert_non_null(strstr(report, "broken() = -5 at "));
}

static void asks_for_context(void **state)
{
	(void)state;
	assert_int_equal(die_by(fail_with_context), SIGABRT);
	assert_non_null(strstr(report, "\nrequest 42\n"));
}

static void survives_a_failing_report(void **state)
{
	(void)state;
	assert_int_equal(die_by(fail_twice), SIGABRT);
	assert_non_null(strstr(report, "\"first\""));
	assert_non_null(strstr(report, "within the report"));
}

static void reports_fatal_signals(void **state)
{
	(void)state;
	assert_int_equal(die_by(segfault), SIGSEGV);
	assert_non_null(strstr(report, "fatal signal 11\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(true_conditions_do_nothing),
		cmocka_unit_test(reports_and_aborts),
		cmocka_unit_test(shows_the_code),
		cmocka_unit_test(asks_for_context),
		cmocka_unit_test(survives_a_failing_report),
		cmocka_unit_test(reports_fatal_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
