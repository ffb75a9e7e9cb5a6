/* SPDX-License-Identifier: Apache-2.0 */
/* A view as what libfuse calls. */
#ifndef FIRMWARE_MOUNT_SHOW_H
#define FIRMWARE_MOUNT_SHOW_H

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

/* Of a session whose userdata is a struct view *. They run on any thread. */
extern const struct fuse_lowlevel_ops show_ops;

#endif
