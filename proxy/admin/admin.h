/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API: HTTP and JSON on a unix socket, on the control loop. Its resources: proxy/admin/route.h.
 */
#ifndef TARN_PROXY_ADMIN_ADMIN_H
#define TARN_PROXY_ADMIN_ADMIN_H

#include <stdint.h>

#include "firmware/base/check.h"

struct worker;
struct admin;

/*
 * `inherited_fd`: a listening unix socket, or -1: then one is made at `path` with mode 0660; a socket file that
 * nobody listens on any more is replaced. "" is no admin API. `kept_fd`: who may use the page, as the keeper has kept it
 * (firmware/heritage.h), or -1: nobody keeps it but the store. 0 or -errno (-EADDRINUSE: somebody listens).
 */
MUST_USE int admin_new(struct worker *control, int inherited_fd, int kept_fd, const char *path,
		       struct admin **ret_admin);
void admin_free(struct admin **admin);

/* The keeper has said what became of a change of the settings. NULL admin: nobody asks. */
struct heritage_changed;
void admin_changed(struct admin *admin, const struct heritage_changed *changed);

/* ... and what came of its selftest. */
struct heritage_selftest;
void admin_selftest(struct admin *admin, const struct heritage_selftest *result);

/* ... and of the appliance's systems. */
struct heritage_systems_said;
void admin_systems_said(struct admin *admin, const struct heritage_systems_said *said);

/* ... and of keeping who may use the page. */
struct heritage_access_kept;
void admin_access_kept(struct admin *admin, const struct heritage_access_kept *answer);

struct systems;
struct systems *admin_systems(struct admin *admin);

struct uploads;
struct uploads *admin_uploads(struct admin *admin);

struct changes;
struct changes *admin_changes(struct admin *admin);

struct selftests;
struct selftests *admin_selftests(struct admin *admin);

struct snapshots;
struct snapshots *admin_snapshots(struct admin *admin);

struct access;
struct access *admin_access(struct admin *admin);

struct logins;
struct logins *admin_logins(struct admin *admin);

/* When it was made, of CLOCK_MONOTONIC. */
uint64_t admin_started_ms(const struct admin *admin);

#endif
