/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket on which a worker accepts intercepted connections.
 */
#ifndef FIRMWARE_STEER_LISTENER_H
#define FIRMWARE_STEER_LISTENER_H

#include <stdint.h>

/* A listening socket as firmware/heritage.h promises it. The descriptor, or -errno. */
__attribute__((warn_unused_result)) int listener_open(uint32_t mark);

#endif
