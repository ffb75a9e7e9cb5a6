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
#include <linux/pkt_sched.h>
#include <netlink/route/classifier.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>
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

/* A filter for egress would be one for ingress in an ingress qdisc, without a word. */
static bool has_egress(int ifindex)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct rtnl_qdisc *qdisc = NULL;
	struct nl_cache *qdiscs = NULL;
	bool has = true; /* what is not known is not claimed */

	if (socket && nl_connect(socket, NETLINK_ROUTE) == 0 &&
	    rtnl_qdisc_alloc_cache(socket, &qdiscs) == 0) {
		qdisc = rtnl_qdisc_get_by_parent(qdiscs, ifindex, TC_H_CLSACT);
		has = qdisc && strcmp(rtnl_tc_get_kind(TC_CAST(qdisc)), "clsact") == 0;
	}
	rtnl_qdisc_put(qdisc);
	nl_cache_free(qdiscs);
	nl_socket_free(socket);
	return has;
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
	if (egress && rc && !has_egress(ifindex))
		return -EBUSY;
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

/* Filters of one priority are asked in the order in which the kernel lists them, and the newest comes first. */
static bool filter_before(struct nl_cache *filters, char rival[HOOK_RIVAL])
{
	for (struct nl_object *o = nl_cache_get_first(filters); o; o = nl_cache_get_next(o)) {
		struct rtnl_tc *filter = (struct rtnl_tc *)o;
		uint32_t chain = 0, handle = rtnl_tc_get_handle(filter);
		const char *kind = rtnl_tc_get_kind(filter);

		if (rtnl_cls_get_prio((struct rtnl_cls *)o) != HOOK_PRIORITY || !handle ||
		    (rtnl_tc_get_chain(filter, &chain) == 0 && chain))
			continue;
		if (handle == HOOK_HANDLE)
			return false;
		snprintf(rival, HOOK_RIVAL, "a tc filter (%.8s 0x%x)", kind ? kind : "?", handle);
		return true;
	}
	return false;
}

static bool has_filter_before(const struct hook *hook, char rival[HOOK_RIVAL])
{
	uint32_t parent = TC_H_MAKE(TC_H_CLSACT, hook->egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
	struct nl_sock *socket = nl_socket_alloc();
	struct nl_cache *filters = NULL;
	bool found = false;

	if (socket && nl_connect(socket, NETLINK_ROUTE) == 0 &&
	    rtnl_cls_alloc_cache(socket, hook->ifindex, parent, &filters) == 0)
		found = filter_before(filters, rival);
	nl_cache_free(filters);
	nl_socket_free(socket);
	return found;
}

int hook_check(const struct hook *hook, char rival[HOOK_RIVAL])
{
	__u32 xdp = 0;
	unsigned id;
	int rc = hook_program(hook->ifindex, hook->egress, &id);

	if (rc || (hook->egress && !has_egress(hook->ifindex)))
		return -ENOENT;
	if (!hook->egress && bpf_xdp_query_id(hook->ifindex, 0, &xdp) == 0 && xdp)
		snprintf(rival, HOOK_RIVAL, "an XDP program (id %u)", xdp);
	else if (has_tcx(hook))
		snprintf(rival, HOOK_RIVAL, "a tcx program");
	else if (!has_filter_before(hook, rival))
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
