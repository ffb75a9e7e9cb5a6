/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the parents themselves whether they are there, so that no request has to find out: at the start, every [parent]
 * check, and a second after it did not answer. Any answer in HTTP is a good one, but 508 (it leads back here) and 407
 * (it wants a password, which we have not). Control loop only.
 */
#ifndef TARN_PROXY_UPSTREAM_PARENT_CHECK_H
#define TARN_PROXY_UPSTREAM_PARENT_CHECK_H

struct worker;
struct parent_check;

/* A parent is well now and was not, or the other way round. */
typedef void parent_moved_f(void *arg);

/* 0 or -ENOMEM. control->proxy->parents is there. */
int parent_check_new(struct worker *control, parent_moved_f *moved, void *arg,
		     struct parent_check **ret_check) __attribute__((warn_unused_result));
void parent_check_free(struct parent_check **check);
/* The control loop's settings changed: takes them over for the table, too. NULL is allowed. */
void parent_check_reload(struct parent_check *check);

#endif
