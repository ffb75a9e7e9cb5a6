/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel aims at: the vendors' names, and whose connections ([scope]). Both are told anew as a whole. */
#ifndef FIRMWARE_KEEPER_AIM_H
#define FIRMWARE_KEEPER_AIM_H

#include <stddef.h>

struct profiles;
struct steer;
struct tarn_settings;

/* *ret_refused: names that the kernel's table does not take. 0 or -errno. */
__attribute__((warn_unused_result)) int
aim_names(struct steer *steer, const struct profiles *profiles, unsigned *ret_refused);

/* 0 or -errno: then nobody may be intercepted, and aim_scope_error() says why. */
__attribute__((warn_unused_result)) int aim_scope(struct steer *steer,
						  const struct tarn_settings *settings);
void aim_scope_error(int rc, char *why, size_t size);

#endif
