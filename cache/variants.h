/* SPDX-License-Identifier: Apache-2.0 */
/* How many variants of one URI are kept (RFC 9111 4.1); variants.c tells the rest. */
#ifndef TARN_CACHE_VARIANTS_H
#define TARN_CACHE_VARIANTS_H

/* More are counted in store.variants_dropped. */
#define VARIANTS_MAX 64

#endif
