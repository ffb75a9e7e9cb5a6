/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/appliance.h"

#include <errno.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/boot/history.h"
#include "firmware/boot/note.h"
#include "firmware/boot/progress.h"
#include "firmware/boot/restart.h"
#include "firmware/boot/screen.h"
#include "firmware/boot/slots.h"

#define SLOTS_NOTE NOTE_FOLDER "/slots.json"

static json_t *newest(size_t events)
{
	json_t *all = boot_history_load(HISTORY_PATH);

	while (json_array_size(all) > events)
		(void)json_array_remove(all, 0);
	return all;
}

static json_t *restart_json(void)
{
	int64_t at;

	return restart_planned(&at) ? json_integer((json_int_t)at) : json_null();
}

/* As somebody has left them since the machine started, or as pid 1 found them. */
static json_t *slots_now(const json_t *machine)
{
	json_t *slots = json_load_file(SLOTS_NOTE, 0, NULL);

	return slots ? slots : json_incref(json_object_get(machine, "slots"));
}

void appliance_slots_note(const char *folder, const char *running)
{
	struct slot slots[SLOTS_MAX];
	int n = slots_list(folder, slots);
	json_t *all = n < 0 ? NULL : slots_json(slots, n, running);
	char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	int rc = text ? note_put(SLOTS_NOTE, span_of(text)) : -ENOMEM;

	if (rc)
		LOG(LOG_L_WARN, "appliance.slots", "error=%d", n < 0 ? n : rc);
	free(text);
	json_decref(all);
}

json_t *appliance_document(size_t events)
{
	json_t *machine = json_load_file(APPLIANCE_PATH, 0, NULL), *all = NULL;

	if (machine)
		all = json_pack("{s:O, s:O, s:O, s:o, s:o, s:o, s:o, s:O*}", "version",
				json_object_get(machine, "version"), "factory",
				json_object_get(machine, "factory"), "on_trial",
				json_object_get(machine, "on_trial"), "slots", slots_now(machine),
				"history", newest(events), "update", progress_json(NOTE_FOLDER),
				"restart_at", restart_json(), "drive",
				json_object_get(machine, "drive"));
	json_decref(machine);
	return all;
}
