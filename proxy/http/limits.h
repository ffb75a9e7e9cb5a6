/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of this folder. Kconfig sets the first two; the values here are for the others, and
 * for a build without Kconfig.
 */
#ifndef TARN_HTTP_LIMITS_H
#define TARN_HTTP_LIMITS_H

/* Field lines a head may have; one more is refused (431). Each is 40 bytes of struct http_head. */
#ifndef CONFIG_FIELDS_MAX
#define CONFIG_FIELDS_MAX 256
#endif

/* Bytes of a head, start line and final empty line included (431, or 414 for the first line). */
#ifndef CONFIG_HEAD_MAX
#define CONFIG_HEAD_MAX 65536
#endif

/* Bytes of a request line or status line (414). RFC 9112 3 recommends at least 8000. */
#ifndef CONFIG_HTTP_LINE_MAX
#define CONFIG_HTTP_LINE_MAX 8192
#endif

/*
 * Bytes of all Connection fields. Each field of a head that is forwarded is looked up in that list,
 * so its length is a price that a peer makes us pay many times.
 */
#ifndef CONFIG_HTTP_CONNECTION_MAX
#define CONFIG_HTTP_CONNECTION_MAX 1024
#endif

/* Bytes of one chunk's extensions, and of a whole body's: more is an attack (RFC 9112 7.1.1). */
#ifndef CONFIG_HTTP_CHUNK_EXT_MAX
#define CONFIG_HTTP_CHUNK_EXT_MAX 1024
#endif
#ifndef CONFIG_HTTP_CHUNK_EXT_TOTAL_MAX
#define CONFIG_HTTP_CHUNK_EXT_TOTAL_MAX 65536
#endif

/* Bytes of a trailer section. */
#ifndef CONFIG_HTTP_TRAILER_MAX
#define CONFIG_HTTP_TRAILER_MAX 8192
#endif

/* Ranges in one Range field; a longer list is ignored (RFC 9110 14.2). */
#ifndef CONFIG_HTTP_RANGES_MAX
#define CONFIG_HTTP_RANGES_MAX 16
#endif

#endif
