/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our place in a device's tc hooks: handle 1, priority 1 of the clsact qdisc.
 */
#ifndef FIRMWARE_STEER_HOOK_H
#define FIRMWARE_STEER_HOOK_H

#include <stdbool.h>

struct hook {
	int ifindex;
	bool egress;
	bool qdisc_ours; /* nobody else had a clsact qdisc here */
};

/* Attaches the program, replacing at once what we had there. 0 or -errno; -EBUSY if another's program, or
 * another's qdisc that has no such side, is in our place. */
__attribute__((warn_unused_result)) int hook_attach(int ifindex, bool egress, int prog_fd,
						    struct hook *ret_hook);
void hook_detach(const struct hook *hook);

/*
 * Does the hook do its work? 0; -ENOENT: the program is not there any more; -EEXIST with `rival` in words: another one
 * sees the packets before it (XDP, tcx, a tc filter), and may take them.
 */
#define HOOK_RIVAL 48
__attribute__((warn_unused_result)) int hook_check(const struct hook *hook, char rival[HOOK_RIVAL]);

/* The id of our program in this place, of this or an earlier keeper. -ENOENT: none. */
__attribute__((warn_unused_result)) int hook_program(int ifindex, bool egress, unsigned *ret_id);

#endif
