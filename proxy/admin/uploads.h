/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file from the admin's browser, piece by piece, since no request may be as long as an update: into
 * HERITAGE_UPLOADED in the cache's folder, from where tarnctl takes it and judges it like any other. One at a time: a
 * new one takes the place of the one before. What nobody goes on with is removed. Control loop only.
 */
#ifndef TARN_PROXY_ADMIN_UPLOADS_H
#define TARN_PROXY_ADMIN_UPLOADS_H

#include "firmware/base/span.h"

#define UPLOAD_PIECE   45000	   /* bytes; base64 of it fits into a request over HTTPS */
#define UPLOAD_MAX     (256 << 20) /* as UPDATE_BYTES_MAX (firmware/boot/update.h) */
#define UPLOAD_MIN     4096	   /* an update's head alone */
#define UPLOAD_IDLE_MS 600000

struct uploads;
struct worker;

/* What an earlier run has left is removed. */
MUST_USE int uploads_new(struct worker *control, struct uploads **ret_uploads);
void uploads_free(struct uploads **uploads);

/* Begins with a file of so many bytes. 0; -ENOSPC; -errno of the disk. *ret_id is never 0. */
MUST_USE int upload_begin(struct uploads *uploads, uint64_t bytes, uint32_t *ret_id);
/*
 * The bytes from `at` on, at most UPLOAD_PIECE; those that came last may be told again. 0; -ENOENT: another has begun, or
 * it was given up; -ESTALE: they are not the next, *ret_next says which are; -E2BIG: more than was announced; -EBADMSG: no
 * update begins like that, and it is given up; -errno of the disk. After 0, too, *ret_next is what comes next.
 */
MUST_USE int upload_piece(struct uploads *uploads, uint32_t id, uint64_t at, struct span bytes,
			  uint64_t *ret_next);
/* Is all of it there? Then it stays for a while, to be taken. */
bool upload_whole(const struct uploads *uploads, uint32_t id);
/* Gives it up, if that is it. */
void upload_drop(struct uploads *uploads, uint32_t id);

#endif
