/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host names as keys of the BPF programs' name trie.
 */
#ifndef FIRMWARE_STEER_NAME_H
#define FIRMWARE_STEER_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/abi.h"

/* "upd.example.com" (any case, no trailing dot; a leading dot is skipped) into *ret_key: reversed wire
 * format, see bpf/abi.h. 0; -EINVAL: no host name, or one that the trie can't tell apart. */
__attribute__((warn_unused_result)) int name_key(const char *name, size_t len, bool suffix,
						 struct tarn_name_key *ret_key);

#endif
