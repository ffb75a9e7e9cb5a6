/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a device and speaks against ending its TLS here: the settings, and what it did before
 * (proxy/tls/distrust.h).
 */
#ifndef TARN_PROXY_TLS_OBJECTION_H
#define TARN_PROXY_TLS_OBJECTION_H

#include "proxy/tls/decide.h"
#include "proxy/tls/distrust.h"

struct worker;

/* TLS_ENDED_HERE: nothing does. *ret_word, if it is not NULL, is what distrust_look() said, or NEW. Any loop. */
enum tls_reason tls_objection(struct worker *worker, const struct addr *device, const char *host,
			      enum distrust_word *ret_word);
/* The reason that a word is. */
enum tls_reason tls_objection_of(enum distrust_word word);

#endif
