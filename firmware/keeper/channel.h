/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's end of the socket to the data plane: messages in, checked; messages out, dropped when full.
 */
#ifndef FIRMWARE_KEEPER_CHANNEL_H
#define FIRMWARE_KEEPER_CHANNEL_H

#include "firmware/heritage.h"

struct event_base;
struct plane_channel;

/* A message that heritage_valid() took. It must not free the channel. */
typedef void channel_message_f(const union heritage_message *message, void *arg);

/* A pair of sockets: one becomes the channel, the other is the caller's, to be inherited. 0 or -errno. */
__attribute__((warn_unused_result)) int plane_channel_new(struct event_base *base,
							  channel_message_f *f, void *arg,
							  struct plane_channel **ret_channel,
							  int *ret_peer_fd);
void plane_channel_free(struct plane_channel **channel);

/* NULL channel: nothing. */
void plane_channel_send(struct plane_channel *channel, const union heritage_message *message);

/* Packets from all channels so far that were no valid message. */
uint64_t plane_channel_refused(void);

#endif
