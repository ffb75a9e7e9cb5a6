/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file from a URL, which tarn-proxy asks for (GET /api/v1/download): by its resolver, its parents and its TLS. What is
 * cut goes on where it was, in this run and in the next, as long as the server says that the file is the same.
 *
 * It stands in `path`, and beside it, in `path`.from, what it is of. The folder may belong to somebody who is trusted
 * with nothing: files of others, and links, are not written to.
 */
#ifndef FIRMWARE_BOOT_DOWNLOAD_H
#define FIRMWARE_BOOT_DOWNLOAD_H

#include <stdint.h>

#include "firmware/base/check.h"

#define DOWNLOAD_WHY   200
#define DOWNLOAD_FAILS 5 /* in a row, without a byte between them */
#define DOWNLOAD_TURNS 5 /* redirections */

typedef int download_piece_f(void *arg, const char *bytes, size_t n);

struct download {
	const char *url;  /* http:// or https:// */
	const char *path; /* shorter than 200 bytes */
	uint64_t limit;	  /* of its size */
	/*
	 * Asks for `url` from byte `from` of the file that has the tag `etag` ("" with from 0), and gives what comes to `piece`:
	 * a line of JSON, then bytes. 0: it ended, whole or not; -EAGAIN: not now; what piece gave; another -errno: never.
	 * Not 0: `why` says why.
	 */
	int (*ask)(void *arg, const char *url, uint64_t from, const char *etag,
		   download_piece_f *piece, void *piece_arg, char why[DOWNLOAD_WHY]);
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* or NULL */
	/* The first `early_bytes` are there: anything but 0 ends it. NULL: nothing looks. */
	int (*early)(void *arg, int fd);
	uint64_t early_bytes;
	void (*rest)(void *arg, unsigned seconds); /* before it asks again */
	void *arg;
};

/*
 * 0: *ret_fd is the whole file, which stays until download_forget(). -EFBIG: over the limit; what early() gave; -EIO: the
 * disk; -EPROTO: what was asked for is not to be had. ret_why in words.
 */
MUST_USE int download(const struct download *d, int *ret_fd, char ret_why[DOWNLOAD_WHY]);

/* Removes what is there of any. */
void download_forget(const char *path);

#endif
