/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarn-mount: the repository as a read-only file system (libfuse3), for what shares folders: FTP, SMB, cp, rsync. It
 * asks tarn-proxy over its socket, as tarnctl does. Threads: libfuse's own, as many as there are questions at
 * once. It runs until it is unmounted or gets SIGTERM.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/program.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/base/version.h"
#include "firmware/mount/show.h"
#include "firmware/mount/view.h"

#define IDLE_THREADS 10

struct options {
	const char *config, *socket_path, *user, *folder;
	bool all;
};

/* -1: go on; else the exit status. */
static int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, 's' },
		{ "user", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "ac:s:u:hV", longs, NULL)) != -1) {
		switch (option) {
		case 'a':
			o->all = true;
			break;
		case 'c':
			o->config = optarg;
			break;
		case 's':
			o->socket_path = optarg;
			break;
		case 'u':
			o->user = optarg;
			break;
		case 'h':
			program_help(&program_mount, stdout);
			return EX_OK;
		case 'V':
			puts("tarn-mount " TARN_VERSION);
			return EX_OK;
		default:
			return EX_USAGE;
		}
	}
	o->folder = argv[optind];
	if (argc - optind == 1)
		return -1;
	program_help(&program_mount, stderr);
	return EX_USAGE;
}

/*
 * What a tarn-mount that was killed has left: a mount that nobody answers for. Only root may take it away. statfs(2) asks
 * whoever answers; what stat(2) says the kernel may know by itself.
 */
static int folder_free(const char *folder)
{
	struct statfs fs;

	if (statfs(folder, &fs) == 0)
		return 0;
	if (errno != ENOTCONN)
		return -errno;
	return umount2(folder, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

/* Only mounting takes rights: what comes by the socket afterwards meets none. 0 or -errno. */
static int rights_drop(const char *user)
{
	const struct passwd *p;

	if (!user)
		return 0;
	errno = 0;
	p = getpwnam(user);
	if (!p)
		return errno ? -errno : -ENOENT;
	if (setgroups(0, NULL) < 0 || setgid(p->pw_gid) < 0 || setuid(p->pw_uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static int session_run(struct fuse_session *session, const struct options *o)
{
	struct fuse_loop_config loop = { .clone_fd = 0, .max_idle_threads = IDLE_THREADS };
	int rc;

	if (fuse_set_signal_handlers(session) < 0)
		return EX_OSERR;
	if (fuse_session_mount(session, o->folder) < 0) { /* it has said why */
		fuse_remove_signal_handlers(session);
		return EX_OSERR;
	}
	rc = rights_drop(o->user);
	if (rc < 0) {
		fprintf(stderr, "tarn-mount: --user %s: %s\n", o->user, strerror(-rc));
	} else {
		LOG(LOG_L_NOTICE, "mount.start", "folder=%s", LOG_QUOTE(span_of(o->folder)));
		rc = fuse_session_loop_mt(session, &loop);
	}
	fuse_remove_signal_handlers(session);
	fuse_session_unmount(session);
	return rc < 0 ? EX_OSERR : EX_OK; /* a signal's number, when one has ended it */
}

static int serve(struct view *view, const struct options *o)
{
	char name[] = "tarn-mount", flag[] = "-o", all[] = "allow_other";
	char options[] = "ro,nosuid,nodev,noexec,fsname=tarn,subtype=tarn,default_permissions";
	char *argv[] = { name, flag, options, flag, all, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(o->all ? 5 : 3, argv);
	struct fuse_session *session;
	int status, rc = folder_free(o->folder);

	if (rc < 0) {
		fprintf(stderr, "tarn-mount: %s: %s%s\n", o->folder, strerror(-rc),
			rc == -EPERM ? " (an earlier one was killed: fusermount3 -u it)" : "");
		return EX_OSERR;
	}
	session = fuse_session_new(&args, &show_ops, sizeof(show_ops), view);
	if (!session)
		return EX_SOFTWARE;
	status = session_run(session, o);
	fuse_session_destroy(session);
	fuse_opt_free_args(&args);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct tarn_settings settings = { 0 };
	struct settings_error error;
	struct view *view;
	char text[1024];
	int rc, status = options_parse(argc, argv, &options);

	if (status >= 0)
		return status;
	log_open("tarn-mount", LOG_L_NOTICE);
	if (tarn_conf_load(options.config, &settings, &error) < 0) {
		fprintf(stderr, "tarn-mount: %s\n",
			settings_error_text(&error, text, sizeof(text)));
		return EX_CONFIG;
	}
	rc = view_new(options.socket_path ? options.socket_path : settings.proxy.admin_socket,
		      &view);
	if (rc < 0) {
		fprintf(stderr, "tarn-mount: %s\n", strerror(-rc));
		status = EX_SOFTWARE;
	} else {
		status = serve(view, &options);
		view_free(&view);
	}
	tarn_conf_free(&settings);
	return status;
}
