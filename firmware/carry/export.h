/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Export: a generation of a profile as a plain tree of files with a signed manifest. Only what is not
 * there yet is written; each file is read back from the medium before it counts. Whatever ends it in the middle
 * (a kill, a full or vanished drive), what was whole stays and the next run goes on from there.
 */
#ifndef FIRMWARE_CARRY_EXPORT_H
#define FIRMWARE_CARRY_EXPORT_H

#include "firmware/carry/bundle.h"

/* How far it is: of bytes and files that belong to the generation, those that are there and verified. */
struct carry_progress {
	const char *profile, *doing; /* "checking", "writing" ... */
	uint64_t bytes, bytes_all;
	size_t files, files_all;
};
typedef void carry_progress_f(const struct carry_progress *progress, void *arg);

struct export_config {
	struct asker *asker;
	const char *profile;
	int top; /* tree_open() */
	const struct seal *seal;
	int64_t now_s;
	carry_progress_f *progress; /* or NULL */
	void *arg;
};

struct export_result {
	uint64_t number;
	bool whole;
	size_t files, written, kept, removed; /* kept: they were there already */
	size_t missing;			      /* evicted while we were at it */
	size_t left_out;		      /* can't be files */
	uint64_t bytes, bytes_written;
	uint64_t need, room; /* of -ENOSPC before the start */
	char place[256];     /* of the file that failed; "" */
};

/*
 * 0; -ENOSPC with need and room set (nothing was written) or not (it filled up on the way); -EBUSY (another export
 * or import is at this tree); -EIO with place (the medium does not give back what was written); -ENOENT (the proxy
 * has nothing of that profile); or of the file system, or as asker_ask(). *ret_result is filled in any case.
 */
MUST_USE int export_run(const struct export_config *config, struct export_result *ret_result);

/* Keeps a second one away from the tree: 0 with a descriptor to close, or -EBUSY, -errno. */
MUST_USE int carry_lock(int top, int *ret_fd);

#endif
