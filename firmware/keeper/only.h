/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One keeper in a network namespace.
 */
#ifndef FIRMWARE_KEEPER_ONLY_H
#define FIRMWARE_KEEPER_ONLY_H

/* A descriptor to keep open while this process is the keeper; -EADDRINUSE: another one is, and did not go within
 * `wait_ms`. It ends with the process, however that ends. */
__attribute__((warn_unused_result)) int only_claim(unsigned wait_ms);

#endif
