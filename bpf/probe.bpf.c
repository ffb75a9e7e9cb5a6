/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Attached to nothing: run by BPF_PROG_TEST_RUN with live frames, it lets the selftest's frames into the stack as if
 * they had come in at a port (linux/Documentation/bpf/bpf_prog_run.rst; Linux 5.18 or later).
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int probe_in(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
