/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tc hooks by libbpf's bpf_tc_*: replacing a filter of the same handle and priority is atomic, no packet
 * sees none. Filters survive us and hold their programs, so a killed keeper's are found here by the
 * program's name, and its clsact qdisc counts as ours.
 */
#include "firmware/steer/hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOOK_HANDLE   1
#define HOOK_PRIORITY 1

static const char *const our_programs[] = { "lan_in", "wan_in", "scout_in", "ic_out" };

static bool program_ours(unsigned id)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id), rc;

	if (fd < 0)
		return false;
	rc = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	for (size_t i = 0; !rc && i < sizeof(our_programs) / sizeof(*our_programs); i++)
		if (!strcmp(info.name, our_programs[i]))
			return true;
	return false;
}

int hook_program(int ifindex, bool egress, unsigned *ret_id)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, at, .ifindex = ifindex,
			    .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HOOK_HANDLE, .priority = HOOK_PRIORITY);

	if (bpf_tc_query(&at, &opts))
		return -ENOENT;
	if (!program_ours(opts.prog_id))
		return -EBUSY;
	*ret_id = opts.prog_id;
	return 0;
}

int hook_attach(int ifindex, bool egress, int prog_fd, struct hook *ret_hook)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, at, .ifindex = ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HOOK_HANDLE, .priority = HOOK_PRIORITY,
			    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);
	struct hook hook = { .ifindex = ifindex, .egress = egress };
	unsigned old;
	int rc = bpf_tc_hook_create(&at);

	if (rc && rc != -EEXIST)
		return rc;
	hook.qdisc_ours = !rc;
	rc = hook_program(ifindex, egress, &old);
	if (rc == -EBUSY)
		return rc;
	if (!rc)
		hook.qdisc_ours = true;
	at.attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
	rc = bpf_tc_attach(&at, &opts);
	if (!rc)
		*ret_hook = hook;
	return rc;
}

/* Linux 6.6 and later; the headers here are older. An older kernel has none. */
static bool has_tcx(const struct hook *hook)
{
	enum bpf_attach_type type = (enum bpf_attach_type)(hook->egress ? 47 : 46);
	__u32 flags = 0, n = 0;

	return bpf_prog_query(hook->ifindex, type, 0, &flags, NULL, &n) == 0 && n > 0;
}

int hook_check(const struct hook *hook, char rival[HOOK_RIVAL])
{
	__u32 xdp = 0;
	unsigned id;
	int rc = hook_program(hook->ifindex, hook->egress, &id);

	if (rc)
		return -ENOENT;
	if (!hook->egress && bpf_xdp_query_id(hook->ifindex, 0, &xdp) == 0 && xdp)
		snprintf(rival, HOOK_RIVAL, "an XDP program (id %u)", xdp);
	else if (has_tcx(hook))
		snprintf(rival, HOOK_RIVAL, "a tcx program");
	else
		return 0;
	return -EEXIST;
}

void hook_detach(const struct hook *hook)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, at, .ifindex = hook->ifindex,
			    .attach_point = hook->egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HOOK_HANDLE, .priority = HOOK_PRIORITY);
	unsigned id;

	if (!hook_program(hook->ifindex, hook->egress, &id))
		(void)bpf_tc_detach(&at, &opts);
	if (!hook->qdisc_ours)
		return;
	at.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	(void)bpf_tc_hook_destroy(&at);
}
