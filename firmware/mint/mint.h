/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaves: certificates that the box's CA gives for a profile's host, to the process that speaks with devices. That
 * process makes their keys; this signs, and holds the CA's key (in memory as secret.h makes it).
 *
 * Whoever asks is not believed: a leaf is for a name that a profile has now, that is not to be kept hands off, and
 * that the CA may speak for; or for the box's own name.
 */
#ifndef FIRMWARE_MINT_MINT_H
#define FIRMWARE_MINT_MINT_H

#include "firmware/base/clock.h"
#include "firmware/base/profile.h"

struct mint;

#define MINT_DAYS    45	 /* from now on; and one before */
#define MINT_POINT   65	 /* bytes of a P-256 point, not compressed */
#define MINT_MODULUS 256 /* bytes of an RSA modulus */
#define MINT_BURST   64	 /* leaves at once, then ... */
#define MINT_EACH_MS 250

/* X(NAME, error of mint_leaf(), "name", what it means): each is counted. */
#define MINT_OUTCOMES(X)                                                                           \
	X(ISSUED, 0, "issued", "leaves signed")                                                    \
	X(NAME, -EINVAL, "refused_name", "refused: that is no plain host name")                    \
	X(FOREIGN, -EACCES, "refused_foreign", "refused: the host is not one of the profiles'")    \
	X(UNCOVERED, -EDOM, "refused_uncovered", "refused: the CA may not speak for the host")     \
	X(KEY, -EKEYREJECTED, "refused_key", "refused: that is no P-256 or RSA-2048 public key")   \
	X(BUSY, -EBUSY, "refused_busy", "refused: too many at once")                               \
	X(NO_CA, -ENOENT, "refused_no_ca", "refused: there is no CA")                              \
	X(CLOCK, -EAGAIN, "refused_clock", "refused: the clock is not set, or the CA is over")     \
	X(FAILED, -ENOMEM, "failed", "no memory, or the CA can't be read")

enum mint_outcome {
#define X(name, rc, text, help) MINT_##name,
	MINT_OUTCOMES(X)
#undef X
	MINT_OUTCOMES_N
};

/* Of the CA in `dir`, which need not be there yet. 0 or -ENOMEM. */
MUST_USE int mint_new(const char *dir, struct mint **ret_mint);
void mint_free(struct mint **mint);

struct mint_ask {
	struct span host;
	/* The leaf's public key: MINT_POINT bytes, or, for a client that takes no ECDSA, MINT_MODULUS (exponent 65537). */
	struct span key;
};

/* Signs: *ret_n bytes of DER in `buf`. 0, or the error of an outcome above. Looks at the CA's file each time. */
MUST_USE int mint_leaf(struct mint *mint, const struct profiles *profiles,
		       const struct mint_ask *ask, struct now now, void *buf, size_t size,
		       size_t *ret_n);

/* How often each outcome was. */
uint64_t mint_count(const struct mint *mint, enum mint_outcome outcome);
const char *mint_outcome_name(enum mint_outcome outcome);

#endif
