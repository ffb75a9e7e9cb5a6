/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	upload_begin ──► open, fd ── upload_piece: the last ──► whole, no fd ── taken by tarnctl
 *	                    └── upload_drop, on_idle, another upload_begin ──┴──► none, and no file
 */
#include "proxy/admin/uploads.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/heritage.h"
#include "proxy/config.h"
#include "proxy/loop.h"

#define SPARE (16 << 20) /* of the disk are left */

struct uploads {
	struct worker *control;
	struct event idle;
	uint32_t id;		 /* 0: none */
	uint64_t size, at, last; /* bytes: in all, that are there, of the piece that came last */
	int fd;			 /* -1: it is whole, or there is none */
	char path[4096];
};

static void gone(struct uploads *u)
{
	event_del(&u->idle);
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	u->id = 0;
	if (unlink(u->path) < 0 && errno != ENOENT)
		LOG(LOG_L_WARN, "upload.left", "error=%s", strerrorname_np(errno));
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	gone(arg);
}

int uploads_new(struct worker *control, struct uploads **ret_uploads)
{
	struct uploads *u = calloc(1, sizeof(*u));
	int n;

	if (!u)
		return -ENOMEM;
	n = snprintf(u->path, sizeof(u->path), "%s/" HERITAGE_UPLOADED,
		     control->config->settings.cache.path);
	if (n < 0 || (size_t)n >= sizeof(u->path)) {
		free(u);
		return -ENAMETOOLONG;
	}
	u->control = control;
	u->fd = -1;
	CHECK_OK(evtimer_assign(&u->idle, control->base, on_idle, u));
	(void)unlink(u->path);
	*ret_uploads = u;
	return 0;
}

void uploads_free(struct uploads **uploads)
{
	if (!*uploads)
		return;
	/* One that is whole may be about to be taken; the next start removes it. */
	if ((*uploads)->fd >= 0)
		gone(*uploads);
	event_del(&(*uploads)->idle);
	free(*uploads);
	*uploads = NULL;
}

int upload_begin(struct uploads *u, uint64_t bytes, uint32_t *ret_id)
{
	struct statvfs st;
	int rc = 0;

	gone(u);
	u->fd = open(u->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (u->fd < 0)
		return -errno;
	if (fstatvfs(u->fd, &st) < 0)
		rc = -errno;
	else if ((uint64_t)st.f_bavail * st.f_frsize < bytes + SPARE)
		rc = -ENOSPC;
	while (rc == 0 && u->id == 0)
		rc = RAND_bytes((unsigned char *)&u->id, sizeof(u->id)) == 1 ? 0 : -EIO;
	if (rc < 0) {
		gone(u);
		return rc;
	}
	u->size = bytes;
	u->at = u->last = 0;
	CHECK_OK(event_add(&u->idle, worker_timeout(u->control, UPLOAD_IDLE_MS)));
	*ret_id = u->id;
	return 0;
}

static int write_all(int fd, struct span bytes)
{
	while (bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		bytes = span_drop(bytes, (size_t)n);
	}
	return 0;
}

static int piece_check(const struct uploads *u, uint64_t at, struct span bytes)
{
	static const struct span magic = SPAN("TARN-UPDATE ");

	if (u->fd < 0 || at != u->at)
		return -ESTALE;
	if (!bytes.n || bytes.n > UPLOAD_PIECE || bytes.n > u->size - u->at)
		return -E2BIG;
	if (at == 0 && !span_starts(bytes, magic))
		return -EBADMSG;
	return 0;
}

int upload_piece(struct uploads *u, uint32_t id, uint64_t at, struct span bytes, uint64_t *ret_next)
{
	int rc;

	if (!id || id != u->id)
		return -ENOENT;
	*ret_next = u->at;
	/* Its answer was lost, and it is told again. */
	if (u->last && at + bytes.n == u->at && bytes.n == u->last)
		return 0;
	rc = piece_check(u, at, bytes);
	if (rc == 0)
		rc = write_all(u->fd, bytes);
	if (rc < 0) {
		if (rc != -ESTALE && rc != -E2BIG)
			gone(u);
		return rc;
	}
	u->at += bytes.n;
	u->last = bytes.n;
	*ret_next = u->at;
	if (u->at == u->size) {
		close(u->fd);
		u->fd = -1;
	}
	CHECK_OK(event_add(&u->idle, worker_timeout(u->control, UPLOAD_IDLE_MS)));
	return 0;
}

bool upload_whole(const struct uploads *u, uint32_t id)
{
	return id && id == u->id && u->fd < 0;
}

void upload_drop(struct uploads *u, uint32_t id)
{
	if (id && id == u->id)
		gone(u);
}
