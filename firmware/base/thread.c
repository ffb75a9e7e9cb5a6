/* SPDX-License-Identifier: Apache-2.0 */
/* A new thread has the signal mask of its maker: so that is set around the making. */
#include "firmware/base/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
	static const int crash[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	for (unsigned i = 0; i < sizeof(crash) / sizeof(crash[0]); i++)
		sigdelset(&all, crash[i]);
	CHECK_OK(pthread_sigmask(SIG_SETMASK, &all, &before));
	rc = pthread_create(ret_thread, NULL, run, arg);
	CHECK_OK(pthread_sigmask(SIG_SETMASK, &before, NULL));
	return -rc;
}
