/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's state for tarnctl and scripts: who connects to the socket gets one JSON document, then the end.
 * Nothing is read from them.
 */
#ifndef FIRMWARE_KEEPER_STATUS_H
#define FIRMWARE_KEEPER_STATUS_H

#include <jansson.h>

struct event_base;
struct status;

/* Makes the document; the status frees it. NULL: out of memory, nobody gets anything. */
typedef json_t *status_document_f(void *arg);

/* Listens at `path` (mode 0660), replacing a socket that is there. 0 or -errno. */
__attribute__((warn_unused_result)) int status_new(struct event_base *base, const char *path,
						   status_document_f *f, void *arg,
						   struct status **ret_status);
/* And removes the path. */
void status_free(struct status **status);

/* A listening unix stream socket at `path`, mode 0660, close-on-exec, non-blocking, its folder made if need be.
 * The descriptor or -errno. */
__attribute__((warn_unused_result)) int unix_listen(const char *path);

#endif
