/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/ntp.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/timex.h>

#include "firmware/boot/say.h"
#include "firmware/boot/service.h"

bool ntp_again(struct ntp *ntp, struct now now, bool synced, uint64_t ran_ms)
{
	int64_t offset = now.wall_ms - (int64_t)now.mono_ms;

	ntp->right = ntp->right || synced ||
		     (ntp->begun && ran_ms && llabs(offset - ntp->offset_ms) > NTP_STEPPED_MS);
	ntp->offset_ms = offset;
	ntp->begun = true;
	if (!ntp->wait_ms)
		ntp->wait_ms = NTP_FIRST_MS;
	if (ntp->right || ran_ms < ntp->wait_ms)
		return false;
	ntp->wait_ms = ntp->wait_ms * 2 < NTP_LAST_MS ? ntp->wait_ms * 2 : NTP_LAST_MS;
	return true;
}

/* adjtimex(2): the client says so when it follows a server. */
static bool clock_is_synced(void)
{
	struct timex asked = { 0 };
	int rc = adjtimex(&asked);

	return rc >= 0 && rc != TIME_ERROR;
}

void ntp_see_to(struct ntp *ntp, struct service *service)
{
	struct now now = clock_read();
	uint64_t ran_ms = service->pid > 0 ? now.mono_ms - service->started_ms : 0;
	bool right = ntp->right;

	if (ntp_again(ntp, now, clock_is_synced(), ran_ms))
		service_signal(service, SIGTERM);
	if (ntp->right && !right)
		say("clock", "ntp=right at=%" PRId64, now.wall_ms / 1000);
}
