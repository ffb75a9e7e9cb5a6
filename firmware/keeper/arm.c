/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision to intercept. See arm.h for the picture.
 */
#include "firmware/keeper/arm.h"

static struct arm_verdict verdict(enum arm_step step, const char *why_not)
{
	struct arm_verdict v = { .step = step };

	/* Without words of its own a reason is still none to arm. */
	heritage_reason(v.why_not, *why_not || step == ARM_ARMED ? why_not : "no reason was given");
	return v;
}

struct arm_verdict arm_decide(const struct arm_facts *f)
{
	if (f->stopping)
		return verdict(ARM_STOPPING, "stopping");
	if (!f->running && f->restarting)
		return verdict(ARM_BACKING_OFF, "the data plane died and is started again soon");
	if (!f->running)
		return verdict(ARM_IDLE, f->steering ? "the data plane does not run" : f->reason);
	if (!f->ready)
		return verdict(ARM_STARTING, "the data plane is starting");
	if (!f->health_seen)
		return verdict(ARM_WARMING, "the data plane has not said yet whether it is well");
	if (!f->steering)
		return verdict(ARM_UNHEALTHY, f->reason);
	if (f->broken)
		return verdict(ARM_UNHEALTHY, f->broken);
	if (!f->roles_known)
		return verdict(ARM_UNHEALTHY, "which port leads to the router is not known yet");
	if (f->beat_ms > HERITAGE_STALE_MS)
		return verdict(ARM_UNHEALTHY, "a worker's heartbeat is old");
	if (f->health_ms > HERITAGE_HEALTH_MS)
		return verdict(ARM_UNHEALTHY, "the data plane has not said for long how it is");
	if (!f->reachable)
		return verdict(ARM_UNHEALTHY, f->reason);
	return verdict(ARM_ARMED, "");
}

const char *arm_step_name(enum arm_step step)
{
	static const char *const names[] = {
#define X(name, text, what) text,
		ARM_STEPS(X)
#undef X
	};

	return names[step];
}
