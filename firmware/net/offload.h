/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a port's hardware may do before the kernel, and so Tarn, sees a packet. Reads alone.
 */
#ifndef FIRMWARE_NET_OFFLOAD_H
#define FIRMWARE_NET_OFFLOAD_H

#include <stdbool.h>

#define OFFLOAD_CHIP 65 /* bytes, with the ending zero */

struct net_offloads {
	bool lro; /* packets are merged in a way that can't be undone: a bridge can't pass them on */
	bool hw_tc;		 /* the card may run filters of others, before the kernel's */
	char chip[OFFLOAD_CHIP]; /* the switch chip that it is a port of, in hex; "": none */
};

/* What is not known is not there. */
void offload_read(const char *port, struct net_offloads *ret_offloads);

#endif
