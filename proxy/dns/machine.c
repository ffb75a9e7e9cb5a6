/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which DNS path reaches a vendor.
 *
 *	                        good
 *	  START ------------------------------------> SYSTEM <----------------------------+
 *	    |                                           |                                 | system good,
 *	    | system bad, `fail` in a row               | system bad, `fail` in a row     | `good` in a row
 *	    v                                           v                                 |
 *	  SEARCH <--------------------------------------+    public good               PUBLIC
 *	    |  ^   \--------------------------------------------------------------------> |
 *	    |  +--------------------------------------- public bad, `fail` in a row ------+
 *	    |  ^
 *	    |  | after fast_ms
 *	    | each public resolver bad (or none may be used)
 *	    v  |
 *	   LOST ---- system good, once ----> SYSTEM        (SEARCH too: any path will do)
 *
 * All arrows are in machine_verdict(). The system's path is probed in every step, so that we notice
 * when it comes back.
 */
#include "proxy/dns/machine.h"

const char *machine_step_name(enum machine_step step)
{
	static const char *const names[] = {
#define X(name, text, help) [MACHINE_##name] = text,
		MACHINE_STEPS(X)
#undef X
	};

	CHECK((size_t)step < ARRAY_LEN(names));
	return names[step];
}

static void enter(struct machine *machine, enum machine_step step, uint64_t mono_ms)
{
	if (step != machine->step)
		machine->since_ms = mono_ms;
	machine->step = step;
	machine->system_bad = machine->system_good = machine->public_bad = 0;
}

static void enter_system(struct machine *machine, uint64_t mono_ms)
{
	enter(machine, MACHINE_SYSTEM, mono_ms);
	machine->path = 0;
	machine->public_due_ms = UINT64_MAX;
}

static void enter_search(struct machine *machine, unsigned first, uint64_t mono_ms)
{
	if (!machine->rules.publics) {
		enter(machine, MACHINE_LOST, mono_ms);
		machine->path = 0;
		machine->public_due_ms = UINT64_MAX;
		return;
	}
	enter(machine, MACHINE_SEARCH, mono_ms);
	machine->path = machine->first = first;
	machine->public_due_ms = mono_ms;
}

void machine_init(struct machine *machine, const struct machine_rules *rules, uint64_t mono_ms)
{
	*machine = (struct machine){
		.rules = *rules,
		.step = MACHINE_START,
		.since_ms = mono_ms,
		.system_due_ms = mono_ms,
		.public_due_ms = UINT64_MAX,
	};
}

void machine_rules_set(struct machine *machine, const struct machine_rules *rules, uint64_t mono_ms)
{
	bool fits = machine->path <= rules->publics;

	machine->rules = *rules;
	if (!fits) {
		machine_init(machine, rules, mono_ms);
		return;
	}
	machine->system_due_ms = mono_ms;
	if (machine->step == MACHINE_SEARCH || machine->step == MACHINE_PUBLIC)
		machine->public_due_ms = mono_ms;
}

void machine_due(const struct machine *machine, uint64_t mono_ms, bool *ret_system,
		 unsigned *ret_public)
{
	*ret_system = machine->system_due_ms <= mono_ms;
	*ret_public = machine->public_due_ms <= mono_ms ? machine->path : 0;
}

uint64_t machine_next_ms(const struct machine *machine)
{
	return machine->system_due_ms < machine->public_due_ms ? machine->system_due_ms
							       : machine->public_due_ms;
}

void machine_began(struct machine *machine, unsigned path)
{
	if (path == 0)
		machine->system_due_ms = UINT64_MAX;
	else
		machine->public_due_ms = UINT64_MAX;
}

static void system_verdict(struct machine *machine, bool good, uint64_t mono_ms)
{
	machine->system_good = good ? machine->system_good + 1 : 0;
	machine->system_bad = good ? 0 : machine->system_bad + 1;
	switch (machine->step) {
	case MACHINE_START:
	case MACHINE_LOST:
	case MACHINE_SEARCH:
		if (good)
			enter_system(machine, mono_ms);
		else if (machine->step == MACHINE_START &&
			 machine->system_bad >= machine->rules.fail)
			enter_search(machine, 1, mono_ms);
		else if (machine->step == MACHINE_LOST)
			enter_search(machine, 1, mono_ms);
		break;
	case MACHINE_SYSTEM:
		if (machine->system_bad >= machine->rules.fail)
			enter_search(machine, 1, mono_ms);
		break;
	case MACHINE_PUBLIC:
		if (machine->system_good >= machine->rules.good)
			enter_system(machine, mono_ms);
		break;
	}
}

static void public_verdict(struct machine *machine, bool good, uint64_t mono_ms)
{
	unsigned next = machine->path % machine->rules.publics + 1;

	if (machine->step == MACHINE_SEARCH && good) {
		enter(machine, MACHINE_PUBLIC, mono_ms);
	} else if (machine->step == MACHINE_SEARCH && next == machine->first) {
		enter(machine, MACHINE_LOST, mono_ms);
		machine->path = 0;
		machine->public_due_ms = UINT64_MAX;
	} else if (machine->step == MACHINE_SEARCH) {
		machine->path = next;
		machine->public_due_ms = mono_ms;
	} else if (machine->step == MACHINE_PUBLIC) {
		machine->public_bad = good ? 0 : machine->public_bad + 1;
		if (machine->public_bad >= machine->rules.fail)
			enter_search(machine, next, mono_ms);
	}
}

void machine_verdict(struct machine *machine, unsigned path, bool good, uint64_t mono_ms)
{
	uint64_t fast = mono_ms + machine->rules.fast_ms;
	uint64_t slow = mono_ms + machine->rules.interval_ms;

	if (path == 0) {
		/* On a public path the system's is asked quickly only while it is coming back. */
		system_verdict(machine, good, mono_ms);
		switch (machine->step) {
		case MACHINE_SYSTEM:
			machine->system_due_ms = machine->system_bad ? fast : slow;
			break;
		case MACHINE_PUBLIC:
			machine->system_due_ms = machine->system_good ? fast : slow;
			break;
		default:
			machine->system_due_ms = fast;
			break;
		}
		return;
	}
	if (path != machine->path)
		return;
	public_verdict(machine, good, mono_ms);
	if (machine->step == MACHINE_PUBLIC)
		machine->public_due_ms = machine->public_bad ? fast : slow;
}

void machine_hurry(struct machine *machine, uint64_t mono_ms)
{
	/* UINT64_MAX: a probe is under way, or that path is not in question. */
	if (machine->system_due_ms != UINT64_MAX &&
	    machine->system_due_ms > mono_ms + machine->rules.fast_ms)
		machine->system_due_ms = mono_ms;
	if (machine->public_due_ms != UINT64_MAX &&
	    machine->public_due_ms > mono_ms + machine->rules.fast_ms)
		machine->public_due_ms = mono_ms;
}

bool machine_reachable(const struct machine *machine)
{
	return machine->step == MACHINE_SYSTEM || machine->step == MACHINE_PUBLIC;
}

unsigned machine_path(const struct machine *machine)
{
	return machine->step == MACHINE_PUBLIC ? machine->path : 0;
}
