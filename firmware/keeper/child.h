/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the data plane as somebody who may do nothing.
 */
#ifndef FIRMWARE_KEEPER_CHILD_H
#define FIRMWARE_KEEPER_CHILD_H

#include <sys/types.h>

#define CHILD_OVERRIDES 2

struct child_plan {
	const char *program;
	const char *config;	      /* NULL: its default */
	const char *const *overrides; /* for its -o, ended by NULL; NULL: none */
	uid_t uid;		      /* never 0 */
	gid_t gid;
	/* Its heritage (firmware/heritage.h), all open; with beats_fd -1 it is the plain one. */
	int keeper_fd;
	int beats_fd;
	int lookup_fd;
	int admin_fd;
	int access_fd;
	const int *listeners;
	unsigned workers;
};

/* Whose rights the data plane gets: those of `user`; if there is no such user, nobody's (65534). -EINVAL if
 * that is root. */
__attribute__((warn_unused_result)) int child_identity(const char *user, uid_t *ret_uid,
						       gid_t *ret_gid);

/* The pid, or -errno. Does not take the descriptors. What fails after the fork is written to stderr, and the
 * child exits with EX_OSERR (71), or EX_UNAVAILABLE (69) if the program can't be executed. */
__attribute__((warn_unused_result)) pid_t child_start(const struct child_plan *plan);

#endif
