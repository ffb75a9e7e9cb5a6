/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a request to the HTTPS side meant for us, and by our own page? Text alone.
 */
#ifndef TARN_PROXY_ADMIN_GUARD_H
#define TARN_PROXY_ADMIN_GUARD_H

#include <stdbool.h>

#include "firmware/base/settings.h"

/*
 * May the Host field be ours? An address always; a name only if it is one of `names`: a page whose name was made to
 * resolve to us (DNS rebinding) still says its own. NULL is not.
 */
bool guard_host(const char *host, const struct string_list *names);

/* Is the Origin field, if there is one, that of our own page under this Host? NULL is: no browser, or its own page's. */
bool guard_origin(const char *origin, const char *host);

/* The value of our cookie in a Cookie field, into `buf`; "" if there is none or it does not fit. */
const char *guard_cookie(const char *field, const char *name, char *buf, size_t size);

#endif
