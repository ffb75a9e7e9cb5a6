/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl as people run it, against stand-ins of the two programs that give canned answers. A
 * stand-in is a child process on a unix socket, which listens before the child is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/check.h"

static char program[300];
static char dir[] = "/tmp/tarnctl.XXXXXX";
static char proxy_path[64], keeper_path[64], conf_path[64], vendors_path[64], profile_path[128];
static char out[1 << 16];
static char err[1 << 14];
static pid_t stand_ins[2];

#define HTTP_OK "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
#define KEEPER_ARMED                                                                               \
	"{\"state\":\"armed\",\"armed\":true,\"why_not_armed\":\"\",\"mode\":\"bridge\","          \
	"\"ports\":[{\"name\":\"eth0\",\"role\":\"lan\"},{\"name\":\"eth1\",\"role\":\"wan\"}],"   \
	"\"vendors\":12,\"proxy\":{\"pid\":5,\"restarts\":2,\"hang_kills\":1,\"last_exit\":"       \
	"\"signal 9\"},\"counters\":{\"syn_steered\":7,\"novel\":-8}}"
#define PROXY_OK                                                                                   \
	HTTP_OK "{\"version\":\"9.9\",\"uptime_s\":93784,\"workers\":2,\"state\":\"ok\","          \
		"\"reach\":[{\"vendor\":\"v\",\"checked\":true,\"reachable\":true,\"via\":"        \
		"\"public\",\"resolver\":\"192.0.2.53:53\"}],\"cache\":{\"bytes\":1536,\"limit\":" \
		"3072,\"objects\":3},\"saved\":{\"to_devices\":4096,\"from_vendor\":1024}}"
#define PROXY_STAT                                                                                 \
	HTTP_OK "{\"counters\":[{\"name\":\"conn.open\",\"kind\":\"gauge\",\"value\":4,\"help\":"  \
		"\"open now\"},{\"name\":\"conn.accepted\",\"kind\":\"counter\",\"value\":"        \
		"9007199254740993,\"help\":\"accepted\"},{\"name\":\"requests\",\"kind\":"         \
		"\"counter\",\"value\":5,\"help\":\"heads\"}]}"

/* Serves until it is killed. NULL: takes connections and says nothing. */
static void serve(int fd, const char *status, const char *stat)
{
	for (;;) {
		int c = accept(fd, NULL, NULL);
		char request[512] = "";
		const char *answer = status;

		if (c < 0)
			_exit(1);
		if (!status) {
			(void)pause();
			_exit(1);
		}
		if (stat) {
			size_t n = 0;
			ssize_t got;

			while (!strstr(request, "\r\n\r\n") &&
			       (got = read(c, request + n, sizeof(request) - 1 - n)) > 0)
				n += (size_t)got;
			if (strncmp(request, "GET /api/v1/stat HTTP/1.0\r\n", 27) == 0)
				answer = stat;
		}
		for (size_t n = strlen(answer); n;) { /* in small pieces */
			ssize_t put = write(c, answer, n < 100 ? n : 100);

			if (put <= 0)
				break;
			answer += put;
			n -= (size_t)put;
		}
		(void)close(c);
	}
}

static void stand_in(unsigned which, const char *path, const char *status, const char *stat)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 8), 0);
	stand_ins[which] = fork();
	assert_true(stand_ins[which] >= 0);
	if (stand_ins[which] == 0)
		serve(fd, status, stat);
	(void)close(fd);
}

static void proxy(const char *status)
{
	stand_in(0, proxy_path, status, PROXY_STAT);
}

static void keeper(const char *document)
{
	stand_in(1, keeper_path, document, NULL);
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		if (stand_ins[i] > 0) {
			(void)kill(stand_ins[i], SIGKILL);
			(void)waitpid(stand_ins[i], NULL, 0);
		}
		stand_ins[i] = 0;
	}
	(void)unlink(proxy_path);
	(void)unlink(keeper_path);
	return 0;
}

static void read_file(int fd, char *text, size_t size)
{
	ssize_t n;

	(void)lseek(fd, 0, SEEK_SET);
	n = read(fd, text, size - 1);
	text[n < 0 ? 0 : n] = '\0';
}

/* Runs tarnctl with these words (after --config); its exit status, -1 if it did not exit. */
static int run(const char *words)
{
	char copy[400], out_path[100], err_path[100];
	char *argv[20] = { program, (char *)"--config", conf_path };
	int argc = 3, status, out_fd, err_fd;
	pid_t pid;

	(void)snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	(void)snprintf(out_path, sizeof(out_path), "%s/out", dir);
	(void)snprintf(err_path, sizeof(err_path), "%s/err", dir);
	out_fd = open(out_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	err_fd = open(err_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(out_fd >= 0 && err_fd >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(out_fd, STDOUT_FILENO);
		(void)dup2(err_fd, STDERR_FILENO);
		execv(program, argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	read_file(out_fd, out, sizeof(out));
	read_file(err_fd, err, sizeof(err));
	(void)close(out_fd);
	(void)close(err_fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *where, const char *text)
{
	if (!strstr(where, text))
		fail_msg("'%s' is not in:\n%s", text, where);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The configuration that names the sockets and the profiles; with more lines after it. */
static void put_conf(const char *more)
{
	char text[1000];

	(void)snprintf(text, sizeof(text),
		       "[proxy]\nadmin_socket = %s\n[keeper]\nsocket = %s\n[vendors]\ndir = %s\n%s",
		       proxy_path, keeper_path, vendors_path, more);
	put(conf_path, text);
}

static int begin(void **state)
{
	(void)end(state);
	put_conf("");
	put(profile_path,
	    "[vendor]\nname = v\n[hosts]\nexact = a{1..3}.example.com\nsuffix = b.example.com\n");
	return 0;
}

static void nothing_runs(void **state)
{
	(void)state;
	assert_int_equal(run("status"), 2);
	expect(out, "Tarn is       not running\n");
	expect(out, "tarnd: not running\n");
	expect(out, "tarn-proxy: not running\n");
	assert_int_equal(run("stat"), 2);
	assert_string_equal(out, "");
	expect(err, "tarn-proxy: not running");
	/* A socket file whose owner died. */
	keeper("{}");
	(void)kill(stand_ins[1], SIGKILL);
	(void)waitpid(stand_ins[1], NULL, 0);
	stand_ins[1] = 0;
	assert_int_equal(run("status"), 2);
}

static void all_is_well(void **state)
{
	(void)state;
	keeper(KEEPER_ARMED);
	proxy(PROXY_OK);
	assert_int_equal(run("status"), 0);
	assert_string_equal(err, "");
	assert_string_equal(
		out, "Tarn is       working\n"
		     "Note          v does not resolve, or not to what answers, by this network's "
		     "DNS; the "
		     "public resolver 192.0.2.53:53 is used until it does (see `tarnctl dns`)\n"
		     "Interception  armed, mode bridge\n"
		     "Ports         eth0 lan, eth1 wan\n"
		     "Addresses     12 known to be a vendor's\n"
		     "Restarts      2, 1 of them because it hung; last: signal 9\n"
		     "tarn-proxy    9.9, up 1 d 02 h, 2 workers\n"
		     "Connections   4 open, 9007199254740992 accepted, 5 requests\n"
		     "Saved         3.0 KiB (75.0 %): 4.0 KiB to devices, 1.0 KiB from vendors\n"
		     "Cache         1.5 KiB of 3.0 KiB (50.0 %), 3 objects\n"
		     "Vendors       v: reachable, DNS: public resolver 192.0.2.53:53\n");
}

/* What HTTPS keeps from the cache: the sum, and the first three hosts. */
static void https(void **state)
{
	(void)state;
	proxy(HTTP_OK "{\"state\":\"ok\",\"tls\":{\"connections\":0,\"refused\":0,"
		      "\"bytes_down\":0,\"hosts\":[]}}");
	(void)run("status");
	assert_null(strstr(out, "HTTPS"));
	(void)end(state);
	proxy(HTTP_OK
	      "{\"state\":\"ok\",\"tls\":{\"connections\":7,\"refused\":2,"
	      "\"bytes_down\":3072,\"hosts\":["
	      "{\"host\":\"a.example\",\"mode\":\"splice\",\"bytes_down\":2048,\"refused\":0},"
	      "{\"host\":\"b.example\",\"mode\":null,\"bytes_down\":1024},"
	      "{\"host\":\"c\\nd\",\"mode\":\"refuse\",\"bytes_down\":0,\"refused\":2},"
	      "{\"host\":\"fourth.example\",\"bytes_down\":0}]}}");
	(void)run("status");
	expect(out, "HTTPS         3.0 KiB from vendors uncached in 7 connections; 2 refused\n"
		    "              a.example: 2.0 KiB, 0 refused, mode splice\n"
		    "              b.example: 1.0 KiB, 0 refused, mode -\n");
	expect(out, ", 2 refused, mode refuse\n");
	assert_null(strstr(out, "c\nd"));
	assert_null(strstr(out, "fourth"));
}

static void status_as_json(void **state)
{
	json_t *document;

	(void)state;
	keeper(KEEPER_ARMED);
	proxy(PROXY_OK);
	assert_int_equal(run("--json status"), 0);
	document = json_loads(out, 0, NULL);
	assert_non_null(document);
	assert_string_equal(json_string_value(json_object_get(document, "state")), "working");
	assert_int_equal(json_array_size(json_object_get(document, "problems")), 0);
	assert_true(json_is_true(json_object_get(json_object_get(document, "keeper"), "armed")));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(document, "proxy"), "workers")),
		2);
	json_decref(document);
	(void)end(state);
	assert_int_equal(run("status --json"), 2);
	document = json_loads(out, 0, NULL);
	assert_non_null(document);
	assert_true(json_is_null(json_object_get(document, "proxy")));
	assert_int_equal(json_array_size(json_object_get(document, "problems")), 2);
	json_decref(document);
}

static void the_proxy_alone_works(void **state)
{
	(void)state;
	proxy(PROXY_OK);
	assert_int_equal(run("status"), 0);
	expect(out, "Tarn is       working\n");
	expect(out, "\nInterception  none");
}

static void steering_off_is_a_choice(void **state)
{
	(void)state;
	keeper("{\"armed\":false,\"why_not_armed\":\"steering is off\",\"mode\":\"off\"}");
	proxy(PROXY_OK);
	assert_int_equal(run("status"), 0);
	expect(out, "Interception  not armed, mode off\n");
}

static void the_keeper_alone_is_degraded(void **state)
{
	(void)state;
	keeper("{\"state\":\"backing-off\",\"armed\":false,\"why_not_armed\":\"the data plane "
	       "died\"}");
	assert_int_equal(run("status"), 1);
	expect(out,
	       "Tarn is       degraded\nBecause       nothing is intercepted, connections pass "
	       "straight through: the data plane died\n              tarn-proxy: not running\n");
}

static void a_vendor_out_of_reach_is_degraded(void **state)
{
	(void)state;
	keeper(KEEPER_ARMED);
	proxy(HTTP_OK
	      "{\"state\":\"no_upstream\",\"reach\":[{\"vendor\":\"w\",\"checked\":false,"
	      "\"reachable\":false},{\"vendor\":\"v\",\"reachable\":false,\"via\":\"system\"}]}");
	assert_int_equal(run("status"), 1);
	expect(out, "Because       a vendor can't be reached: v\n"
		    "To do         Devices ask the vendor themselves meanwhile.");
	expect(out, "Vendors       w: not known yet\n              v: not reachable, DNS: system");
}

static void a_site_without_internet_is_no_fault(void **state)
{
	(void)state;
	keeper(KEEPER_ARMED);
	proxy(HTTP_OK "{\"state\":\"offline\",\"reach\":[{\"vendor\":\"v\",\"checked\":true,"
		      "\"reachable\":false,\"via\":\"system\"}]}");
	assert_int_equal(run("status"), 0);
	expect(out, "Tarn is       working\n");
	expect(out, ", offline: what is stored is served\n");
	expect(out, "Note          No vendor can be reached, and [steer] offline = yes: ");
}

static void an_unusable_store_is_degraded(void **state)
{
	(void)state;
	keeper(KEEPER_ARMED);
	proxy(HTTP_OK "{\"state\":\"uncached\",\"cache\":{\"last_error\":\"ENOSPC\"}}");
	assert_int_equal(run("status"), 1);
	expect(out, "nothing is cached, the store can't be used: ENOSPC\n");
	expect(out, "To do         Its disk is full: free some of it");
}

static void says(const char *keeper_says, int status, const char *text)
{
	keeper(keeper_says);
	proxy(PROXY_OK);
	assert_int_equal(run("status"), status);
	expect(out, text);
	(void)end(NULL);
}

/* Each state of the keeper that is wrong has words, and says what to do. */
static void what_to_do(void **state)
{
	(void)state;
	says("{\"armed\":false,\"mode\":\"bridge\",\"why_not_armed\":\"which port leads to the "
	     "router is not known "
	     "yet\"}",
	     1, "To do         Connect both ports");
	says("{\"armed\":true,\"ports\":[{\"name\":\"eth1\",\"role\":\"wan\"}]}", 1,
	     "Because       no port leads to the devices\nTo do         Connect the devices' "
	     "switch");
	says("{\"armed\":true,\"reload\":{\"times\":2,\"taken\":false,\"why\":\"f:3: no\"}}", 1,
	     "the one before is in use: f:3: no\nTo do         Mend it until `tarnctl config "
	     "check`");
	says("{\"armed\":true,\"reload\":{\"times\":3,\"taken\":true,\"why\":\"\"}}", 0,
	     "working\n");
	says("{\"armed\":true,\"proxy\":{\"restarts\":3,\"up_ms\":900,\"last_exit\":\"signal "
	     "11\"}}",
	     1, "Because       tarn-proxy keeps dying: signal 11\n");
	says("{\"armed\":true,\"proxy\":{\"restarts\":9,\"up_ms\":9000000}}", 0, "working\n");
	keeper(KEEPER_ARMED);
	proxy(HTTP_OK "{\"state\":\"uncached\",\"cache\":{\"last_error\":\"EBUSY\"}}");
	assert_int_equal(run("--json status"), 1);
	expect(out, "\"Another tarn-proxy uses this store");
}

static void answers_may_be_anything(void **state)
{
	static const char *const answers[] = {
		"",
		"HTTP/1.0 200 OK\r\n\r\n",
		HTTP_OK "[]",
		HTTP_OK "{\"a\":",
		HTTP_OK "\xff",
		"HTTP/1.0 500 No\r\n\r\n{}",
		"HTTP/2 200\r\n\r\n{}",
		"{}",
		HTTP_OK "{}{}",
	};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		(void)end(state);
		keeper(KEEPER_ARMED);
		proxy(answers[i]);
		if (run("status") != 1)
			fail_msg("answer %zu: %s", i, out);
		expect(out, "tarn-proxy: gave an answer that makes no sense\n");
	}
	(void)end(state);
	keeper("{\"armed\":\"yes\",\"ports\":7,\"proxy\":[],\"vendors\":{},\"counters\":5}");
	proxy(HTTP_OK "{\"reach\":{},\"cache\":[],\"saved\":{\"to_devices\":null},\"state\":3,"
		      "\"uptime_s\":\"x\"}");
	assert_int_equal(run("status"), 1);
	expect(out, "nothing is intercepted");
	assert_int_equal(run("-v stat"), 0);
	(void)end(state);
	keeper("{}");
	proxy(HTTP_OK "{}");
	assert_int_equal(run("status"), 1);
}

static void texts_do_not_reach_the_terminal_raw(void **state)
{
	(void)state;
	keeper("{\"armed\":false,\"why_not_armed\":\"\\u001b[2Jx\\ny\"}");
	proxy(PROXY_OK);
	assert_int_equal(run("status"), 1);
	expect(out, "straight through: ?[2Jx?y\n");
}

/* Takes ASK_LIMIT_MS. */
static void one_that_hangs_is_told(void **state)
{
	(void)state;
	stand_in(1, keeper_path, NULL, NULL);
	proxy(PROXY_OK);
	assert_int_equal(run("status"), 1);
	expect(out, "tarnd: does not answer\n");
}

static void shows_counters(void **state)
{
	json_t *document, *row;

	(void)state;
	keeper(KEEPER_ARMED);
	proxy(PROXY_OK);
	assert_int_equal(run("stat"), 0);
	assert_string_equal(out, "conn.open                            4\n"
				 "conn.accepted         9007199254740993\n"
				 "requests                             5\n"
				 "steer.syn_steered                    7\n"
				 "steer.novel                         -8\n");
	assert_int_equal(run("stat -v"), 0);
	expect(out, "conn.open                            4  gauge    open now\n");
	expect(out, "steer.syn_steered                    7  counter  connections steered to the "
		    "proxy\n");
	assert_int_equal(run("stat --json"), 0);
	document = json_loads(out, 0, NULL);
	assert_non_null(document);
	row = json_array_get(json_object_get(document, "proxy"), 1);
	assert_true(json_integer_value(json_object_get(row, "value")) == 9007199254740993ll);
	assert_int_equal(json_array_size(json_object_get(document, "keeper")), 2);
	json_decref(document);
}

static void paths_by_option(void **state)
{
	char words[300];

	(void)state;
	proxy(PROXY_OK);
	(void)snprintf(words, sizeof(words), "--socket %s --keeper /nonexistent/k status",
		       proxy_path);
	put(conf_path, "garbage\n"); /* is then not even read */
	assert_int_equal(run(words), 0);
	assert_string_equal(err, "");
	assert_int_equal(run("status"), 2); /* told, and the usual places are tried */
	expect(err, "a.conf:1: neither a section nor key = value");
}

static void checks_a_configuration(void **state)
{
	json_t *document, *error;
	char part[200];

	(void)state;
	assert_int_equal(run("config check"), 0);
	assert_string_equal(err, "");
	expect(out, "OK: 1 vendor, 3 hosts, 1 suffixes\n  v (v) from ");

	put_conf("[cache]\nsize = 10 apples\n");
	assert_int_equal(run("config check"), 78);
	assert_string_equal(out, "");
	(void)snprintf(part, sizeof(part),
		       "%s:8: size = \"10 apples\" is not valid; allowed: bytes, as 4096",
		       conf_path);
	expect(err, part);
	assert_int_equal(run("--json config check"), 78);
	document = json_loads(out, 0, NULL);
	assert_non_null(document);
	assert_true(json_is_false(json_object_get(document, "ok")));
	error = json_array_get(json_object_get(document, "errors"), 0);
	assert_int_equal(json_integer_value(json_object_get(error, "line")), 8);
	json_decref(document);

	put_conf("");
	put(profile_path, "[vendor]\nname = v\n[hosts]\nexact = *.example.com\n");
	assert_int_equal(run("config check"), 78);
	(void)snprintf(part, sizeof(part),
		       "%s:4: *.example.com is not a host name; allowed: ", profile_path);
	expect(err, part);
	assert_int_equal(run("config check /nonexistent/tarn.conf"), 78);
	expect(err, "/nonexistent/tarn.conf: No such file or directory\n");
}

static void its_own_help_is_a_configuration(void **state)
{
	char words[200];

	(void)state;
	assert_int_equal(run("config help"), 0);
	expect(out, "[proxy]\n");
	put(conf_path, out);
	(void)snprintf(words, sizeof(words), "config check %s", conf_path);
	(void)run(words); /* /etc/tarn/vendors may not be there, but each line is understood */
	assert_null(strstr(err, "a.conf"));
}

static void usage(void **state)
{
	(void)state;
	assert_int_equal(run(""), 64);
	assert_int_equal(run("stats"), 64);
	expect(err, "unknown command: stats (did you mean stat?); see tarnctl help\n");
	assert_int_equal(run("ca"), 64);
	expect(err, "tarnctl: ca what? See tarnctl ca --help\n");
	assert_int_equal(run("config"), 64);
	assert_int_equal(run("status now"), 64);
	assert_int_equal(run("config check a b"), 64);
	assert_int_equal(run("--wrong status"), 64);
	assert_int_equal(run("help"), 0);
	expect(out, "config check [FILE]");
	assert_int_equal(run("--help"), 0);
	assert_int_equal(run("version"), 0);
	expect(out, "tarnctl ");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(nothing_runs),
		T(all_is_well),
		T(https),
		T(status_as_json),
		T(the_proxy_alone_works),
		T(steering_off_is_a_choice),
		T(the_keeper_alone_is_degraded),
		T(a_vendor_out_of_reach_is_degraded),
		T(a_site_without_internet_is_no_fault),
		T(an_unusable_store_is_degraded),
		T(what_to_do),
		T(answers_may_be_anything),
		T(texts_do_not_reach_the_terminal_raw),
		T(one_that_hangs_is_told),
		T(shows_counters),
		T(paths_by_option),
		T(checks_a_configuration),
		T(its_own_help_is_a_configuration),
		T(usage),
	};
	const char *build = getenv("BUILD");
	char command[400];
	int rc;

	(void)snprintf(program, sizeof(program), "%s/bin/tarnctl", build ? build : "build");
	if (access(program, X_OK) < 0) {
		printf("1..1\nok 1 - tarnctl # SKIP %s is not built\n", program);
		return 0;
	}
	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(proxy_path, sizeof(proxy_path), "%s/p", dir);
	(void)snprintf(keeper_path, sizeof(keeper_path), "%s/k", dir);
	(void)snprintf(conf_path, sizeof(conf_path), "%s/a.conf", dir);
	(void)snprintf(vendors_path, sizeof(vendors_path), "%s/vendors", dir);
	(void)snprintf(profile_path, sizeof(profile_path), "%s/v.conf", vendors_path);
	(void)snprintf(command, sizeof(command), "mkdir %s", vendors_path);
	rc = system(command);
	if (rc == 0)
		rc = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		rc = 1;
	return rc;
}
