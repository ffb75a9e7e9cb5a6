/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A process that has been killed keeps its listeners until its memory is gone: tens of milliseconds for a few
 * hundred MiB. Connections that begin meanwhile would be accepted by the kernel and reset. So the moment a fatal
 * signal is sent to one of our processes, or its main thread exits, interception stops: map `doom` is read
 * by every decision to steer (steer.bpf.c). The keeper clears it when it starts the next data plane.
 *
 * Which processes are ours, the keeper says by pidfd, so PID namespaces do not matter. Without tracing in
 * the kernel everything works but for these milliseconds.
 */
#include "bpf/maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

struct task_struct {
	struct task_struct *group_leader;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} ours SEC(".maps");

/* By number, as asm-generic/signal.h and x86 agree: those that end a process unless handled. */
#define FATAL (1u << 4 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 9 | 1u << 11 | 1u << 31)

static __always_inline void doomed(struct task_struct *task)
{
	__u32 zero = 0, *flag;

	if (!bpf_task_storage_get(&ours, task, NULL, 0))
		return;
	flag = bpf_map_lookup_elem(&doom, &zero);
	if (flag)
		*flag = 1;
}

/* ILL, ABRT, BUS, FPE, KILL, SEGV, SYS; not TRAP, which debuggers use. */
SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int sig, void *info, struct task_struct *task)
{
	if (sig > 0 && sig < 32 && FATAL >> sig & 1)
		doomed(task->group_leader);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	doomed(task);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
