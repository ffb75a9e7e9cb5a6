/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands that change the appliance's systems share.
 */
#ifndef FIRMWARE_CTL_APPLIANCE_H
#define FIRMWARE_CTL_APPLIANCE_H

#include "firmware/ctl/ctl.h"

/* --restart */
extern const struct ctl_option appliance_when;

/* What pid 1 says of the machine, to root. NULL, it is said, and *ret_status is set: this is none, or somebody else asks. */
json_t *appliance_of_root(int *ret_status);

/* "now", "no" or "HH:MM". False, and it is said. */
bool appliance_when_known(const char *when);

/* Says why not: to people, or with --json as the API does. CTL_REFUSED. */
__attribute__((format(printf, 3, 4))) int
appliance_refuse(const struct ctl_options *options, const char *word, const char *format, ...);

/* The lock of progress.h, to be closed; -1 or less: somebody else has it, and it is said. */
MUST_USE int appliance_claim(const struct ctl_options *options);

/* Plans it. The exit status. */
MUST_USE int appliance_restart(const struct ctl_options *options, const char *when);

/*
 * Fetches if it is a URL, verifies and installs; restarts at `when`. The exit status; why not is said, and in the history.
 */
MUST_USE int appliance_update(const struct ctl_options *options, const json_t *machine,
			      const char *what, const char *when);

#endif
