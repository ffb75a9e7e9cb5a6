/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API and page over HTTPS ([admin] listen), on the control loop. Every request passes the guards (allowed
 * address, Host, Origin, session or token, CSRF token) before it comes to the routes.
 */
#ifndef TARN_PROXY_ADMIN_WEB_H
#define TARN_PROXY_ADMIN_WEB_H

#include "firmware/base/check.h"

#define WEB_COOKIE "__Host-tarn"
#define WEB_CSRF   "X-Tarn-CSRF"

struct worker;
struct asks;
struct access;
struct web;

/*
 * Listens where the settings say; nowhere gives 0 and NULL. An address that can't be had is counted and logged. 0 or
 * -errno. Before the process is confined.
 */
MUST_USE int web_new(struct worker *control, struct asks *asks, struct access *access,
		     struct web **ret_web);
/* asks_free() before: nothing may be under way. */
void web_free(struct web **web);

#endif
