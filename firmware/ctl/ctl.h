/* SPDX-License-Identifier: Apache-2.0 */
/* Between tarnctl's main and its commands. */
#ifndef FIRMWARE_CTL_CTL_H
#define FIRMWARE_CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses, as the help tells them; from 64 on as in sysexits.h. */
enum ctl_exit {
	CTL_WORKING = 0,
	CTL_DEGRADED = 1,
	CTL_NOT_RUNNING = 2,
	CTL_USAGE = 64,
	CTL_SOFTWARE = 70,
	CTL_NOT_ALLOWED = 77,
	CTL_CONFIG = 78,
};

#define CTL_FIELDS_MAX 64

struct ctl_options {
	bool json;
	bool verbose;
	const char *config; /* NULL: the usual place */
	const char *proxy_socket;
	const char *keeper_socket;
	/* of why: the request that is asked about */
	const char *method, *from;
	const char *fields[CTL_FIELDS_MAX];
	size_t fields_n;
};

/* A command: its arguments after its name, NULL-terminated. Gives the exit status. */
typedef int ctl_command_f(const struct ctl_options *options, char **args);

ctl_command_f ctl_status;
ctl_command_f ctl_stat;
ctl_command_f ctl_why;
ctl_command_f ctl_config_check;
ctl_command_f ctl_config_help;
ctl_command_f ctl_ca_show;
ctl_command_f ctl_ca_export;

/* Text that came over a socket, without control characters. */
void ctl_put_text(const char *text, FILE *to);

/* "1.5 GiB", into `buf`, which it gives back. */
const char *ctl_bytes(double bytes, char buf[32]);

#endif
