/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for the hosts that we speak for, each with its key: made here, signed by the keeper (firmware/heritage.h,
 * MINT), kept, and renewed in time. Bounded; none is ever stored.
 */
#ifndef TARN_PROXY_TLS_LEAVES_H
#define TARN_PROXY_TLS_LEAVES_H

#include "firmware/heritage.h"
#include "proxy/tls/leaf.h"

#define LEAVES_MAX	 256 /* hosts, once a kind; the one used longest ago makes room */
#define LEAVES_ASKED_MAX 32  /* that are being signed */
#define LEAVES_RENEW_S	 (15 * 86400)
#define LEAVES_WAIT_MS	 2000

struct worker;
struct keeper;
struct leaves;
struct leaf_ask;

/* `dir`: where the keeper publishes the CA's certificate. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int leaves_new(struct worker *control, const char *dir,
						   struct leaves **ret_leaves);
void leaves_free(struct leaves **leaves);
/* Control loop: from now on there is somebody who signs; NULL: not any more. */
void leaves_serve(struct leaves *leaves, struct keeper *keeper);
/* Control loop: what the keeper answered. */
void leaves_minted(struct leaves *leaves, const struct heritage_minted *answer);

/* `leaf` is a reference, or NULL with rc -errno. The ask is gone. */
typedef void leaf_f(void *arg, int rc, struct leaf *leaf);

/*
 * On a loop, for `host` in its normal form, with a key of that kind. 0: *ret_leaf is a reference; -EINPROGRESS: f is
 * called once, later, on this loop, within some LEAVES_WAIT_MS; -ENOENT: nobody signs, or there is no CA; -EACCES,
 * -EDOM, ...: as the keeper said lately; -EBUSY: too many at once; -ENOMEM.
 */
__attribute__((warn_unused_result)) int leaves_ask(struct leaves *leaves, struct worker *worker,
						   const char *host, enum leaf_kind kind, leaf_f *f,
						   void *arg, struct leaf_ask **ret_ask,
						   struct leaf **ret_leaf);
/* f will not be called. Nulls it; NULL is nothing. */
void leaf_ask_cancel(struct leaves *leaves, struct leaf_ask **ask);

/* Control loop: is there another CA? Then no leaf of the one before is given any more. It looks by itself each second. */
void leaves_look(struct leaves *leaves);
/* authority_number() of the CA; 0: none was seen. Any thread. */
uint64_t leaves_authority(struct leaves *leaves);

#endif
