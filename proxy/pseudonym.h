/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name that this box gives itself in Via (RFC 9110 7.6.3): "tarn-" and eight hex digits, another for each box,
 * so that several in a row do not take one another for a loop. Made at the first start and kept in the store's
 * state; where the store can't be read, a new one each start.
 */
#ifndef TARN_PROXY_PSEUDONYM_H
#define TARN_PROXY_PSEUDONYM_H

#include "cache/writer.h"

#define PSEUDONYM_MAX 16 /* with the NUL */

/* Before the threads run. */
void pseudonym_find(struct store *store, struct writer *writer, char ret_text[PSEUDONYM_MAX]);

#endif
