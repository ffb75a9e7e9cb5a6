/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for keys: locked, and in no core dump. */
#ifndef FIRMWARE_MINT_SECRET_H
#define FIRMWARE_MINT_SECRET_H

#include "firmware/base/check.h"

/*
 * First thing in main(), before OpenSSL has allocated anything: private numbers live in OpenSSL's secure heap, pages
 * that are locked, fenced, and left out of core dumps (CRYPTO_secure_malloc_init(3)); and what OpenSSL frees
 * elsewhere is overwritten, since its readers of keys leave copies there. 0, or -EALREADY: it was used before.
 */
MUST_USE int secret_memory(void);

#endif
