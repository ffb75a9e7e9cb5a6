/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES runs a program that says XDP_PASS, and the kernel then receives the
 * frame as from that port: generic XDP, tcx, tc and netfilter's ingress hooks see it as they see a device's.
 */
#include "firmware/steer/probe.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "build/bpf/probe.skel.h"
#include "firmware/base/clock.h"
#include "firmware/steer/steer.h"
#include "firmware/steer/vendors.h"

#define TTL_S	  60
#define READ_MAX  2048
#define BATCH_MAX 64 /* frames looked at in one call */

struct probe {
	struct probe_bpf *bpf;
	struct steer_maps maps;
	struct tarn_flow_key flow;
	bool begun;
	int fd;
	uint8_t buf[READ_MAX];
};

static int socket_open(int ifindex)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	rc = bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

int probe_new(struct steer *steer, int peer, struct probe **ret_probe)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int rc;

	if (!probe)
		return -ENOMEM;
	steer_maps(steer, &probe->maps);
	probe->fd = socket_open(peer);
	rc = probe->fd < 0 ? probe->fd : 0;
	if (!rc) {
		probe->bpf = probe_bpf__open_and_load();
		rc = probe->bpf ? 0 : -EOPNOTSUPP;
	}
	if (rc) {
		probe_free(&probe);
		return rc;
	}
	*ret_probe = probe;
	return 0;
}

void probe_free(struct probe **probe)
{
	if (!*probe)
		return;
	probe_end(*probe);
	probe_bpf__destroy((*probe)->bpf);
	if ((*probe)->fd >= 0)
		close((*probe)->fd);
	free(*probe);
	*probe = NULL;
}

int probe_fd(const struct probe *probe)
{
	return probe->fd;
}

int probe_begin(struct probe *probe, const struct tarn_flow_key *flow)
{
	probe_end(probe);
	probe->flow = *flow;
	probe->begun = true;
	return vendors_add(probe->maps.vendors, flow->vendor.b, TTL_S, clock_mono_ns());
}

void probe_end(struct probe *probe)
{
	if (!probe->begun)
		return;
	probe->begun = false;
	vendors_drop(probe->maps.vendors, probe->flow.vendor.b);
	(void)bpf_map_delete_elem(probe->maps.flows, &probe->flow);
	(void)bpf_map_delete_elem(probe->maps.bypass, &probe->flow);
}

int probe_send(struct probe *probe, int port, const struct frame_tcp *tcp)
{
	uint8_t frame[FRAME_MAX];
	struct xdp_md at = { .ingress_ifindex = (__u32)port };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .ctx_in = &at,
			    .ctx_size_in = sizeof(at), .repeat = 1, .batch_size = 1,
			    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	run.data_size_in = (__u32)frame_make(&probe->flow, tcp, frame);
	at.data_end = run.data_size_in;
	return bpf_prog_test_run_opts(bpf_program__fd(probe->bpf->progs.probe_in), &run) < 0
		       ? -errno
		       : 0;
}

int probe_read(struct probe *probe, struct frame_tcp *ret_tcp)
{
	for (int i = 0; i < BATCH_MAX; i++) {
		ssize_t n = recv(probe->fd, probe->buf, sizeof(probe->buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -EAGAIN;
		if (probe->begun &&
		    !frame_read(&probe->flow, span_make(probe->buf, (size_t)n), ret_tcp))
			return 0;
	}
	return -EAGAIN;
}

enum probe_fate probe_fate(const struct probe *probe)
{
	struct tarn_bypass passed;
	struct tarn_flow steered;

	if (!bpf_map_lookup_elem(probe->maps.flows, &probe->flow, &steered))
		return PROBE_STEERED;
	return bpf_map_lookup_elem(probe->maps.bypass, &probe->flow, &passed) ? PROBE_UNSEEN
									      : PROBE_PASSED;
}
