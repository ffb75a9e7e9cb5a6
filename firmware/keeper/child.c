/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between fork and exec. The order matters: descriptors and limits while still root, then groups, gid and
 * uid, then what capabilities are left, and no_new_privs, so that no set-uid file gives any of it back.
 * Runs in the keeper's only thread, so the child may use the heap.
 */
#include "firmware/keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "firmware/heritage.h"

#define NOBODY	  65534
#define FILES_MAX 65536
#define SCRATCH	  1024 /* descriptors from here on are free while the fixed ones are being placed */

int child_identity(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *pw = getpwnam(user);

	if (pw && (!pw->pw_uid || !pw->pw_gid))
		return -EINVAL;
	*ret_uid = pw ? pw->pw_uid : NOBODY;
	*ret_gid = pw ? pw->pw_gid : NOBODY;
	return 0;
}

__attribute__((noreturn)) static void give_up(const char *what)
{
	fprintf(stderr, "tarnd: starting the data plane: %s: %s\n", what, strerror(errno));
	_exit(EX_OSERR);
}

static void limit(int resource, rlim_t value)
{
	struct rlimit r;

	/* The hard limit may be lower already, and root without CAP_SYS_RESOURCE can't raise it. */
	if (getrlimit(resource, &r))
		give_up("getrlimit");
	if (r.rlim_max == RLIM_INFINITY || r.rlim_max > value)
		r.rlim_max = value;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(resource, &r))
		give_up("setrlimit");
}

struct placement {
	int from, to;
};

/* A source may sit on another's place: all go out of the way first. */
static void fds_place(struct placement *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		p[i].from = fcntl(p[i].from, F_DUPFD_CLOEXEC, SCRATCH);
		if (p[i].from < 0)
			give_up("fcntl");
	}
	for (unsigned i = 0; i < n; i++)
		if (dup2(p[i].from, p[i].to) < 0)
			give_up("dup2");
}

static void close_from(unsigned first, unsigned last)
{
	if (first <= last && syscall(SYS_close_range, first, last, 0))
		give_up("close_range");
}

/* Only 0, 1, 2 and the heritage stay open. */
static void fds_inherit(const struct child_plan *plan)
{
	struct placement p[5 + HERITAGE_WORKERS_MAX] = {
		{ plan->keeper_fd, HERITAGE_FD_KEEPER }, { plan->admin_fd, HERITAGE_FD_ADMIN },
		{ plan->access_fd, HERITAGE_FD_ACCESS }, { plan->beats_fd, HERITAGE_FD_BEATS },
		{ plan->lookup_fd, HERITAGE_FD_LOOKUP },
	};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		give_up("/dev/null");
	if (plan->beats_fd < 0) {
		fds_place(p, 3);
		close_from(HERITAGE_FD_KEEPER + 1, HERITAGE_FD_ADMIN - 1);
		close_from(HERITAGE_FD_ACCESS + 1, ~0u);
		return;
	}
	for (unsigned i = 0; i < plan->workers; i++)
		p[5 + i] = (struct placement){ plan->listeners[i], HERITAGE_FD_LISTEN + (int)i };
	fds_place(p, 5 + plan->workers);
	close_from(HERITAGE_FD_ACCESS + 1, HERITAGE_FD_LISTEN - 1);
	close_from(HERITAGE_FD_LISTEN + plan->workers, ~0u);
}

static void environment_set(const struct child_plan *plan)
{
	char workers[16];

	unsetenv(HERITAGE_ENV);
	unsetenv(HERITAGE_ENV_WORKERS);
	if (plan->beats_fd < 0) {
		if (setenv(HERITAGE_ENV, HERITAGE_ENV_PLAIN, 1))
			give_up("setenv");
		return;
	}
	snprintf(workers, sizeof(workers), "%u", plan->workers);
	if (setenv(HERITAGE_ENV, "1", 1) || setenv(HERITAGE_ENV_WORKERS, workers, 1))
		give_up("setenv");
}

static void signals_reset(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void privileges_drop(uid_t uid, gid_t gid)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	/* The bounding set ends where the kernel says EINVAL. */
	for (unsigned long cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EINVAL)
			give_up("PR_CAPBSET_DROP");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		give_up("PR_CAP_AMBIENT");
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		give_up("becoming an ordinary user");
	if (syscall(SYS_capset, &head, none))
		give_up("capset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		give_up("PR_SET_NO_NEW_PRIVS");
	if (!setuid(0) || !getuid() || !geteuid()) {
		errno = EPERM;
		give_up("still root");
	}
}

__attribute__((noreturn)) static void child_run(const struct child_plan *plan)
{
	char *argv[4 + 2 * CHILD_OVERRIDES] = { (char *)"tarn-proxy" };
	size_t n = 1;

	if (plan->config) {
		argv[n++] = (char *)"--config";
		argv[n++] = (char *)plan->config;
	}
	for (size_t i = 0; plan->overrides && plan->overrides[i] && i < CHILD_OVERRIDES; i++) {
		argv[n++] = (char *)"-o";
		argv[n++] = (char *)plan->overrides[i];
	}
	setsid();
	umask(027);
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_CORE, 0);
	signals_reset();
	environment_set(plan);
	fds_inherit(plan);
	privileges_drop(plan->uid, plan->gid);
	execv(plan->program, argv);
	fprintf(stderr, "tarnd: %s: %s%s\n", plan->program, strerror(errno),
		errno == EACCES ? ": may the user that it is to run as ([keeper] user) walk into "
				  "each of these folders?"
				: "");
	_exit(EX_UNAVAILABLE);
}

pid_t child_start(const struct child_plan *plan)
{
	pid_t pid;

	if (!plan->uid || !plan->gid || plan->workers > HERITAGE_WORKERS_MAX)
		return -EINVAL;
	pid = fork();
	if (!pid)
		child_run(plan);
	return pid < 0 ? -errno : pid;
}
