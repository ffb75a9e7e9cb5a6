/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/service.h"

#include <signal.h>
#include <sys/wait.h>

#include "firmware/boot/say.h"

#define SOON_MS	     10000
#define DELAY_MS     200
#define DELAY_MAX_MS 10000
#define END_MS	     5000

void service_want(struct service *s, uint64_t now_ms)
{
	if (s->wanted)
		return;
	s->wanted = true;
	s->next_ms = now_ms;
	s->last_status = -1;
}

void service_drop(struct service *s)
{
	if (s->wanted && s->pid > 0) {
		(void)kill(s->ends_its_own ? s->pid : -s->pid, SIGTERM);
		s->dropped = s->asked = true;
		s->kill_ms = 0;
	}
	s->wanted = false;
}

/* What was told to end does, or is ended. */
static void end_see_to(struct service *s, uint64_t now_ms)
{
	if (!s->dropped || s->pid <= 0)
		return;
	if (!s->kill_ms)
		s->kill_ms = now_ms + END_MS;
	if (now_ms < s->kill_ms)
		return;
	say("service", "name=%s action=kill", s->name);
	(void)kill(-s->pid, SIGKILL);
	s->dropped = false;
}

void service_see_to(struct service *s, uint64_t now_ms)
{
	end_see_to(s, now_ms);
	if (!s->wanted || s->pid > 0 || now_ms < s->next_ms)
		return;
	s->pid = s->prepare ? run_prepared(s->prepare, NULL) : run_start(s->argv, -1, s->tty);
	s->started_ms = now_ms;
	s->starts++;
	if (s->pid > 0)
		return;
	s->last_status = s->pid;
	s->pid = 0;
	s->next_ms = now_ms + DELAY_MAX_MS;
}

bool service_ended(struct service *s, pid_t pid, int wait_status, uint64_t now_ms)
{
	uint64_t delay = DELAY_MS;

	if (s->pid <= 0 || pid != s->pid)
		return false;
	s->pid = 0;
	s->dropped = false;
	s->last_status =
		WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
	s->quick = now_ms - s->started_ms < SOON_MS ? s->quick + 1 : 0;
	for (unsigned i = 0; i < s->quick && delay < DELAY_MAX_MS; i++)
		delay *= 2;
	s->next_ms = now_ms + (delay < DELAY_MAX_MS ? delay : DELAY_MAX_MS);
	if (!s->asked)
		say("service", "name=%s ended=%d starts=%u again_ms=%llu", s->name, s->last_status,
		    s->starts, (unsigned long long)(s->next_ms - now_ms));
	s->asked = false;
	return true;
}

void service_signal(struct service *s, int number)
{
	if (s->pid <= 0)
		return;
	s->asked = s->asked || number == SIGTERM;
	(void)kill(s->pid, number);
}
