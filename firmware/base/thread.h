/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a thread. Signals are the main thread's, but for those of a crash: blocked, they kill without a report.
 */
#ifndef FIRMWARE_BASE_THREAD_H
#define FIRMWARE_BASE_THREAD_H

#include <pthread.h>

#include "firmware/base/check.h"

/* As pthread_create(3). 0 or -errno. */
MUST_USE int thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);

#endif
