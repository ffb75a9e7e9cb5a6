/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARN_PROXY_VERSION_H
#define TARN_PROXY_VERSION_H

/* Of the whole of Tarn, as the admin API, `--version` and the Via field show it. */
#define TARN_VERSION "0.1"

#endif
