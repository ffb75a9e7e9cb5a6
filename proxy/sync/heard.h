/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listens to what devices call themselves by Multicast DNS, while [demand] names wants it: on the bridge, or on a gateway's
 * ports towards the devices. It hears what is sent to the group, and sends nothing itself (that it listens, the kernel tells
 * the switches, by IGMP and MLD). No privilege is needed. The control loop's alone.
 */
#ifndef TARN_PROXY_SYNC_HEARD_H
#define TARN_PROXY_SYNC_HEARD_H

#include "proxy/dns/mdns.h"

struct heard;
struct worker;

/* A device (in6_addr) has said what it is called. */
typedef void heard_f(void *arg, const uint8_t device[16], const char *name);

/* 0 or -ENOMEM. It listens from heard_reload() on. */
MUST_USE int heard_new(struct worker *control, heard_f *f, void *arg, struct heard **ret_heard);
void heard_free(struct heard **heard);
/* As the control loop's configuration says now. An interface that is not there yet is tried again. */
void heard_reload(struct heard *heard);

#endif
