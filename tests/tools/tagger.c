/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tagger DEVICE VLAN: from now on DEVICE sends and takes only frames with this 802.1Q tag, as a device on a
 * tagged VLAN does; without the kernel's 8021q module, by two small BPF programs in its clsact qdisc.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#define INSN(c, d, s, o, i)                                                                        \
	{                                                                                          \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)                \
	}
#define MOV_IMM(d, i)  INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_REG(d, s)  INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define LDX_W(d, s, o) INSN(BPF_LDX | BPF_MEM | BPF_W, d, s, o, 0)
#define ALU_AND(d, i)  INSN(BPF_ALU64 | BPF_AND | BPF_K, d, 0, 0, i)
#define JNE(d, i, o)   INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define CALL(f)	       INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT	       INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int attach(int ifindex, enum bpf_tc_attach_point point, const struct bpf_insn *insns,
		  size_t n)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);

	opts.prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tagger", "GPL", insns, n, NULL);
	if (opts.prog_fd < 0)
		return -errno;
	return bpf_tc_attach(&hook, &opts);
}

int main(int argc, char **argv)
{
	int ifindex = argc == 3 ? (int)if_nametoindex(argv[1]) : 0,
	    vlan = argc == 3 ? atoi(argv[2]) : 0;
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	const struct bpf_insn push[] = {
		MOV_IMM(BPF_REG_2, htons(ETH_P_8021Q)),
		MOV_IMM(BPF_REG_3, vlan),
		CALL(BPF_FUNC_skb_vlan_push),
		MOV_IMM(BPF_REG_0, TC_ACT_OK),
		EXIT,
	};
	/* Another tag, or none: not for us. */
	const struct bpf_insn pop[] = {
		LDX_W(BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, vlan_present)),
		JNE(BPF_REG_2, 1, 6),
		LDX_W(BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, vlan_tci)),
		ALU_AND(BPF_REG_2, 0xfff),
		JNE(BPF_REG_2, vlan, 3),
		CALL(BPF_FUNC_skb_vlan_pop),
		MOV_IMM(BPF_REG_0, TC_ACT_OK),
		EXIT,
		MOV_IMM(BPF_REG_0, TC_ACT_SHOT),
		EXIT,
	};
	int rc;

	if (!ifindex || vlan < 1 || vlan > 4094) {
		fprintf(stderr, "usage: tagger DEVICE VLAN\n");
		return 2;
	}
	rc = bpf_tc_hook_create(&hook);
	if (!rc)
		rc = attach(ifindex, BPF_TC_EGRESS, push, sizeof(push) / sizeof(*push));
	if (!rc)
		rc = attach(ifindex, BPF_TC_INGRESS, pop, sizeof(pop) / sizeof(*pop));
	if (rc)
		fprintf(stderr, "tagger: %s: %s\n", argv[1], strerror(-rc));
	return rc != 0;
}
