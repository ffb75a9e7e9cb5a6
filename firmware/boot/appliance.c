/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/appliance.h"

#include "firmware/boot/history.h"
#include "firmware/boot/note.h"
#include "firmware/boot/progress.h"
#include "firmware/boot/restart.h"
#include "firmware/boot/screen.h"

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

json_t *appliance_document(size_t events)
{
	json_t *machine = json_load_file(APPLIANCE_PATH, 0, NULL), *all = NULL;

	if (machine)
		all = json_pack("{s:O, s:O, s:O, s:O, s:o, s:o, s:o}", "version",
				json_object_get(machine, "version"), "factory",
				json_object_get(machine, "factory"), "on_trial",
				json_object_get(machine, "on_trial"), "slots",
				json_object_get(machine, "slots"), "history", newest(events),
				"update", progress_json(NOTE_FOLDER), "restart_at", restart_json());
	json_decref(machine);
	return all;
}
