/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarn-init, the appliance's pid 1. Its end is the machine's; a crash of it panics the kernel, which starts again.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/boot/machine.h"
#include "firmware/boot/say.h"
#include "firmware/boot/volumes.h"

int main(void)
{
	static const struct rlimit no_core = { 0, 0 };
	struct machine *machine;
	int how = RB_AUTOBOOT, rc;

	if (getpid() != 1)
		return fputs("tarn-init: is pid 1 of the appliance, nothing else\n", stderr), 64;
	check_install("tarn-init");
	log_open("tarn-init", LOG_L_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)reboot(RB_DISABLE_CAD);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	volumes_kernel();
	say_open();
	rc = machine_new(&machine);
	if (rc)
		say("init", "error=%d action=reboot", rc);
	else
		how = machine_run(machine);
	volumes_end();
	(void)reboot(how);
	return 1;
}
