/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands that change the appliance's systems share.
 */
#ifndef FIRMWARE_CTL_APPLIANCE_H
#define FIRMWARE_CTL_APPLIANCE_H

#include "firmware/ctl/ctl.h"

/* What pid 1 says of the machine. NULL, and it is said: this is none. */
json_t *appliance(void);

/* False, and it is said: somebody else asks. */
bool appliance_root(void);

/* Fetches, verifies and installs; restarts at `when`. The exit status; why not is said, and in the history. */
MUST_USE int appliance_update_url(const struct ctl_options *options, const json_t *machine,
				  const char *url, const char *when);

#endif
