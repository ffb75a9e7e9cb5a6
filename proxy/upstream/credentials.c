/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream/credentials.h"

#include <openssl/evp.h>
#include <stdio.h>

size_t credentials_line(const struct tarn_settings *settings, bool proxy,
			char ret_line[CREDENTIALS_LINE_MAX])
{
	struct span pair = span_of(settings->parent.credentials);
	unsigned char text[CREDENTIALS_MAX / 3 * 4 + 8];

	ret_line[0] = 0;
	if (!pair.n || pair.n > CREDENTIALS_MAX)
		return 0;
	(void)EVP_EncodeBlock(text, (const unsigned char *)pair.p, (int)pair.n);
	return (size_t)snprintf(ret_line, CREDENTIALS_LINE_MAX, "%s: Basic %s\r\n",
				proxy ? "Proxy-Authorization" : "Authorization", (char *)text);
}
