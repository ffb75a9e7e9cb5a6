/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates: one signed file is one system (image/steps/papers.sh makes it).
 *
 *	0	TARN-UPDATE 1 \n version=V \n arch=A \n bytes=N \n sha256=HEX \n
 *		signature=BASE64 \n	Ed25519 of everything before this line
 *		\n, then zeros up to 4096
 *	4096	the unified kernel image, N bytes
 *
 * Installing touches nothing before the whole file is known to be good: signature, digest, version, space. Then the
 * slot that does not run is cleared, the new one written under another name, synced, read back from the disk,
 * compared, and renamed to tarn-V+3.efi: it has three tries to become healthy. At every moment the running slot is
 * whole, and so is what the boot loader sees.
 */
#ifndef FIRMWARE_BOOT_UPDATE_H
#define FIRMWARE_BOOT_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/boot/slots.h"

#define UPDATE_HEAD	 4096
#define UPDATE_BYTES_MAX (256ull << 20) /* of the file */
#define UPDATE_KEYS	 "/usr/share/tarn/keys"
/* The kind of machine, as in the name of an image's files. */
#ifdef CONFIG_BOARD_QEMU
#define UPDATE_BOARD "-qemu"
#else
#define UPDATE_BOARD ""
#endif
#if defined(__x86_64__)
#define UPDATE_ARCH "amd64" UPDATE_BOARD
#elif defined(__aarch64__)
#define UPDATE_ARCH "arm64" UPDATE_BOARD
#else
#define UPDATE_ARCH "unknown"
#endif

/* X(NAME, word, what is said): why an update is not installed. The word is for scripts and the history. */
#define UPDATE_FATES(X)                                                                            \
	X(OK, "ok", "installed")                                                                   \
	X(NOT_ONE, "not-an-update", "the file is not an update of Tarn")                           \
	X(UNSIGNED, "unsigned", "none of this system's keys has signed it")                        \
	X(TRUNCATED, "truncated", "the file is not as long as its head says")                      \
	X(TAMPERED, "tampered", "its content is not what was signed")                              \
	X(OTHER_ARCH, "other-arch", "it is for another kind of machine")                           \
	X(NO_VERSION, "no-version", "this system does not know its own version")                   \
	X(TOO_OLD, "too-old", "it is older than what runs here (--force allows it)")               \
	X(RUNNING, "running", "this version runs already")                                         \
	X(FAILED_BEFORE, "failed-before",                                                          \
	  "this version was tried here and did not become healthy (--force tries it again)")       \
	X(ON_TRIAL, "on-trial", "this system is on trial itself: wait until it is marked good")    \
	X(FACTORY_NEWER, "factory-newer",                                                          \
	  "the factory's system is newer and would be started in its place")                       \
	X(NOT_FETCHED, "not-fetched", "it can't be fetched")                                       \
	X(NO_SPACE, "no-space", "the boot partition has no room for it")                           \
	X(UNREADABLE, "unreadable", "the file can not be read")                                    \
	X(NOT_WRITTEN, "not-written", "the boot partition can not be written")                     \
	X(NOT_THE_SAME, "not-the-same", "what is read back from the disk is not what was written")

enum update_fate {
#define X(name, word, text) UPDATE_##name,
	UPDATE_FATES(X)
#undef X
};
const char *update_word(enum update_fate fate);
const char *update_text(enum update_fate fate);

struct update {
	char version[SLOT_VERSION];
	char arch[16];
	uint64_t bytes; /* of the unified kernel image */
	uint8_t sha256[32];
	char key[64]; /* the file of the key that has signed it, without its folder */
};

/* Where an update would go. */
struct update_place {
	const char *folder; /* of slots, mounted (slots.h) */
	const char *keys;   /* folder of Ed25519 public keys, *.pem */
	const char *running;
	const char *factory; /* "": unknown */
	bool force;	     /* an older version, too, or one that has failed here */
	/* May be NULL. `stage`: "check", "write", "compare". */
	void (*progress)(void *arg, const char *stage, uint64_t done, uint64_t total);
	void *arg;
};

/* The head of an open file: its form and its signature. UPDATE_OK, _NOT_ONE, _UNSIGNED, _UNREADABLE. */
MUST_USE enum update_fate update_head(int fd, const char *keys, struct update *ret_update);

/* All that can be known without writing. Any fate but the last three. */
MUST_USE enum update_fate update_check(int fd, const struct update_place *place,
				       struct update *ret_update);

/* Checks, and installs. ret_update->version is set as soon as it is known, "" before. */
MUST_USE enum update_fate update_install(int fd, const struct update_place *place,
					 struct update *ret_update);

#endif
