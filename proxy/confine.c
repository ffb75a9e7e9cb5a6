/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives up what the proxy does not need. Main thread, while it is the only one.
 *
 * Order: user and capabilities, then no_new_privs (without which an unprivileged process may install no filter),
 * then files, then system calls, since each step needs calls that the last one forbids.
 */
#include "proxy/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "proxy/confine_calls.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_CONFINE false
#else
#define CAN_CONFINE true
#endif

static int failed(const char *what, int rc)
{
	LOG(LOG_L_ERROR, "confine.failed", "what=%s error=%s", what, strerrorname_np(-rc));
	return rc;
}

/* ---- user and capabilities -------------------------------------------------------------------- */

static int dir_make(const char *path, uid_t uid, gid_t gid)
{
	char parent[4096];
	const char *slash = strrchr(path, '/');

	/* One level above, too: /var/cache/tarn on a machine without /var/cache. */
	if (slash && slash != path && (size_t)(slash - path) < sizeof(parent)) {
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = '\0';
		(void)mkdir(parent, 0755);
	}
	if (mkdir(path, 0750) < 0)
		return errno == EEXIST ? 0 : -errno;
	return chown(path, uid, gid) < 0 ? -errno : 0;
}

static int capabilities_drop(void)
{
	cap_t none = cap_init();
	int rc = none && cap_set_proc(none) == 0 ? 0 : -errno;

	if (none)
		cap_free(none);
	return rc;
}

static int become(const struct passwd *user)
{
	if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return -errno;
	/* It must not be possible to come back. */
	CHECK(setuid(0) < 0);
	return 0;
}

int confine_user(const char *name, const char *const *dirs)
{
	const struct passwd *user;
	int rc;

	if (geteuid() != 0) {
		rc = capabilities_drop();
		return rc < 0 ? failed("capabilities", rc) : 0;
	}
	user = getpwnam(name);
	if (!user)
		user = getpwnam("nobody");
	if (!user || !user->pw_uid) {
		LOG(LOG_L_ERROR, "confine.user", "user=%s error=no_such_unprivileged_user", name);
		return -ENOENT;
	}
	for (; *dirs; dirs++) {
		rc = dir_make(*dirs, user->pw_uid, user->pw_gid);
		if (rc < 0)
			LOG(LOG_L_WARN, "confine.dir", "path=%s error=%s", *dirs,
			    strerrorname_np(-rc));
	}
	rc = become(user);
	if (rc == 0)
		rc = capabilities_drop();
	if (rc < 0)
		return failed("user", rc);
	LOG(LOG_L_NOTICE, "confine.user", "user=%s uid=%u", user->pw_name, user->pw_uid);
	return 0;
}

/* ---- files: Landlock (Documentation/userspace-api/landlock.rst) -------------------------------- */

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                             \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define FS_NEVER                                                                                   \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                               \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Opens a tree, or its nearest parent that exists. */
static int tree_open(const char *path)
{
	char text[4096];
	char *slash;
	int fd;

	if (strlen(path) >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, path, strlen(path) + 1);
	for (;;) {
		fd = open(text, O_PATH | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		slash = strrchr(text, '/');
		if (errno != ENOENT || !slash || slash == text)
			return -errno;
		*slash = '\0';
	}
}

static int tree_allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	struct stat st;
	int rc = 0, fd = tree_open(path);

	if (fd < 0)
		return fd == -ENOENT || fd == -EACCES ? 0 : fd;
	/* A file can't be given rights on directories. */
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int files_confine(const struct confine_files *files)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = FS_READ | FS_WRITE | FS_NEVER };
	int ruleset, rc = 0;

	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0) {
		LOG(LOG_L_INFO, "confine.no_landlock", "error=%s", strerrorname_np(errno));
		return 0;
	}
	for (const char *const *at = files->rw; *at && rc == 0; at++)
		rc = tree_allow(ruleset, *at, FS_READ | FS_WRITE);
	for (const char *const *at = files->ro; *at && rc == 0; at++)
		rc = tree_allow(ruleset, *at, FS_READ);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		rc = -errno;
	close(ruleset);
	return rc;
}

/* ---- system calls ----------------------------------------------------------------------------- */

#ifdef CONFIG_SECCOMP

/* With CONFIG_DEBUG_CHECKS a call outside the list raises SIGSYS. */
static void forbidden(int signal_number, siginfo_t *info, void *context)
{
	char text[80];
	int n = snprintf(text, sizeof(text), "confine: system call %d is not in the list\n",
			 info->si_syscall);

	(void)signal_number;
	(void)context;
	(void)!write(2, text, (size_t)n);
	abort();
}

static uint32_t default_action(void)
{
#ifdef CONFIG_DEBUG_CHECKS
	struct sigaction action = { .sa_sigaction = forbidden, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSYS, &action, NULL));
	return SCMP_ACT_TRAP;
#else
	(void)forbidden;
	return SCMP_ACT_ERRNO(EPERM);
#endif
}

/* Calls that are allowed with some arguments only. */
static int calls_with_arguments(scmp_filter_ctx filter)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
	static const uint64_t ioctls[] = { FIONREAD, FIONBIO, TIOCOUTQ };
	static const uint64_t prctls[] = { PR_SET_NAME, PR_GET_NAME };
	static const uint64_t fcntls[] = { F_GETFD,	    F_SETFD,	F_GETFL, F_SETFL,
					   F_DUPFD_CLOEXEC, F_SETLK,	F_GETLK, F_SETLKW,
					   F_SETPIPE_SZ,    F_OFD_SETLK };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		rc = rc ? rc
			: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					   SCMP_A0(SCMP_CMP_EQ, (uint64_t)families[i], 0));
	for (size_t i = 0; i < ARRAY_LEN(ioctls); i++)
		rc = rc ? rc
			: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					   SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0));
	for (size_t i = 0; i < ARRAY_LEN(prctls); i++)
		rc = rc ? rc
			: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
					   SCMP_A0(SCMP_CMP_EQ, prctls[i], 0));
	for (size_t i = 0; i < ARRAY_LEN(fcntls); i++)
		rc = rc ? rc
			: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
					   SCMP_A1(SCMP_CMP_EQ, fcntls[i], 0));
	/* Limits may be read (glibc does), not set. */
	rc = rc ? rc
		: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
				   SCMP_A2(SCMP_CMP_EQ, 0, 0));
	/* Threads, no processes. clone3's arguments can't be seen; without it glibc takes clone. */
	rc = rc ? rc
		: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	rc = rc ? rc : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

static int calls_confine(void)
{
	scmp_filter_ctx filter = seccomp_init(default_action());
	int rc = filter ? 0 : -ENOMEM;

#define X(name) rc = rc ? rc : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(name), 0);
	CONFINE_CALLS(X)
#undef X
	rc = rc ? rc : calls_with_arguments(filter);
	/* A search tree instead of a chain: fewer steps a call. */
	rc = rc ? rc : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	rc = rc ? rc : seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}

#else

static int calls_confine(void)
{
	return 0;
}

#endif

int confine_process(const struct confine_files *files)
{
	struct rlimit none = { 0, 0 };
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed("no_new_privs", -errno);
	if (!CAN_CONFINE)
		return 0;
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return failed("dumps", -errno);
	rc = files_confine(files);
	if (rc < 0)
		return failed("files", rc);
	rc = calls_confine();
	return rc < 0 ? failed("system calls", rc) : 0;
}
