/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small things of a host: kernel settings, name and identity, folders of settings, figures of memory.
 */
#ifndef FIRMWARE_BOOT_HOST_H
#define FIRMWARE_BOOT_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* From the kernel's command line, which is part of what is signed. */
struct host_flags {
	bool debug;	     /* tarn.debug: a shell on debug_tty */
	char debug_tty[32];  /* tarn.debug=ttyX */
	unsigned deadline_s; /* tarn.deadline=N: a slot on trial must be healthy by then */
};
void host_flags_read(struct host_flags *ret_flags, unsigned deadline_s);

/* Kernel settings (sysctl). What this kernel lacks is passed over. */
void host_hardening(void);

/* /state/id: made at the first boot. Sets the host's name by it. */
void host_identity(void);

/* /etc/tarn and what stands in it, before tarnd reads it. At the first boot that is first.conf. */
void host_config(void);

/* The built-in profiles and the own ones, together in one folder. */
void host_vendors(void);

/* Keys were given for it. */
bool host_wants_ssh(void);

uint64_t host_memory_used_kib(void);
uint64_t host_memory_available_kib(void);

/* Waits for this child's end. pid 0: nothing to wait for. */
void host_wait_end(pid_t pid, unsigned limit_s);

#endif
