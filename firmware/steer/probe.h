/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that is none: frames are let into the stack as if they had come in at a port, and what the stack answers is
 * read at the other end of the intercept device. Nothing of it leaves this machine (bpf/abi.h: TARN_SELFTEST_MAC).
 * One thread; one connection at a time.
 */
#ifndef FIRMWARE_STEER_PROBE_H
#define FIRMWARE_STEER_PROBE_H

#include "firmware/steer/frame.h"

struct probe;
struct steer;

/* What became of the first frame of a connection. */
enum probe_fate {
	PROBE_UNSEEN,  /* our program has not seen it */
	PROBE_PASSED,  /* it let it pass */
	PROBE_STEERED, /* it steered it */
};

/* `peer`: ifindex of the intercept device's other end. 0; -EOPNOTSUPP: this kernel can't; or -errno. */
MUST_USE int probe_new(struct steer *steer, int peer, struct probe **ret_probe);
void probe_free(struct probe **probe);

/* Readable when there is something for probe_read(). */
int probe_fd(const struct probe *probe);

/* From now on that flow's vendor address is one, for some seconds; probe_end() forgets address and flow. 0 or -errno. */
MUST_USE int probe_begin(struct probe *probe, const struct tarn_flow_key *flow);
void probe_end(struct probe *probe);

/* Lets a frame in at the port. 0 or -errno. */
MUST_USE int probe_send(struct probe *probe, int port, const struct frame_tcp *tcp);
/* The next frame of the flow: 0; -EAGAIN: none is there. What else comes is dropped. Valid until the next call. */
MUST_USE int probe_read(struct probe *probe, struct frame_tcp *ret_tcp);

enum probe_fate probe_fate(const struct probe *probe);

#endif
