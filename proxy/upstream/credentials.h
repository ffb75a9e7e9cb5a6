/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The password by which parents know us ([parent] credentials), as a line of a request's head (RFC 7617). It goes into no log
 * and to nobody but a parent.
 */
#ifndef TARN_PROXY_UPSTREAM_CREDENTIALS_H
#define TARN_PROXY_UPSTREAM_CREDENTIALS_H

#include "firmware/base/tarn_conf.h"

#define CREDENTIALS_MAX	     1024 /* bytes of user, colon and password; longer ones are not used */
#define CREDENTIALS_LINE_MAX 1536

/*
 * "Proxy-Authorization: Basic ...\r\n" to a parent that is asked as a proxy, "Authorization: ..." to one in reverse. Gives its
 * length; 0 and "": the settings have none.
 */
size_t credentials_line(const struct tarn_settings *settings, bool proxy,
			char ret_line[CREDENTIALS_LINE_MAX]);

#endif
