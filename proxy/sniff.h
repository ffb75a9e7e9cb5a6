/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does a device speak? Decided by the first bytes of a connection; pure functions.
 */
#ifndef TARN_PROXY_SNIFF_H
#define TARN_PROXY_SNIFF_H

#include "firmware/base/span.h"

/* So many bytes always decide. */
#define SNIFF_BYTES 48

enum sniff {
	SNIFF_MORE,   /* can't be told yet */
	SNIFF_HTTP,   /* the start of an HTTP/1 request line */
	SNIFF_TLS,    /* a TLS record with a ClientHello */
	SNIFF_OTHER,  /* neither */
	SNIFF_SILENT, /* nothing came: the device expects the server to speak first */
};

enum sniff sniff_bytes(struct span peeked);

/* The same when `waited_ms` have passed since accept: silence for `wait_ms` is SNIFF_SILENT, and a start that
 * is still undecided after it is SNIFF_OTHER. */
enum sniff sniff_waited(struct span peeked, uint64_t waited_ms, uint64_t wait_ms);

const char *sniff_name(enum sniff sniff);

#endif
