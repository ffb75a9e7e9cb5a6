/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_BASE_VERSION_H
#define FIRMWARE_BASE_VERSION_H

/* Of the whole of Tarn. */
#define TARN_VERSION "0.1"
/* Of its manual pages, as mdoc(7) has dates. */
#define TARN_DATE "November 25, 2026"

#endif
