/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet frames of one TCP connection, as the selftest makes and reads them: no options, no fragments. Functions of
 * their arguments alone.
 */
#ifndef FIRMWARE_STEER_FRAME_H
#define FIRMWARE_STEER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "firmware/base/span.h"

#define FRAME_MAX  256 /* bytes of one that we make */
#define FRAME_DATA 128 /* of these, data at most */

#define FRAME_FIN  0x01
#define FRAME_SYN  0x02
#define FRAME_RST  0x04
#define FRAME_PSH  0x08
#define FRAME_ACK  0x10

struct frame_tcp {
	uint32_t seq, ack; /* host order */
	uint8_t flags;	   /* FRAME_* */
	struct span data;
};

/* From the client to the vendor. IPv4 if both addresses are ::ffff:a.b.c.d. The number of bytes. */
size_t frame_make(const struct tarn_flow_key *flow, const struct frame_tcp *tcp,
		  uint8_t buf[FRAME_MAX]);

/*
 * Is this a frame from the vendor to the client of that flow? 0: `ret_tcp` borrows its data; -ENOENT: of another flow,
 * or of something else; -EBADMSG: too short for what it says it is.
 */
MUST_USE int frame_read(const struct tarn_flow_key *flow, struct span frame,
			struct frame_tcp *ret_tcp);

#endif
