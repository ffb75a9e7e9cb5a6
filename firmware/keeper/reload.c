/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's loop alone. Settings are compared by the text that they would be written as. */
#include "firmware/keeper/reload.h"

#include <stdlib.h>
#include <string.h>

#include "firmware/base/log.h"

void reload_begin(struct reload *reload, uint64_t wall_ms)
{
	reload->times++;
	reload->at_ms = wall_ms;
	reload->taken = false;
	reload->why[0] = 0;
	reload->next_start[0] = 0;
	reload->of_tarnd = false;
}

static bool differs(size_t i, const struct tarn_settings *a, const struct tarn_settings *b)
{
	char *before = setting_text(&tarn_conf_table, i, a);
	char *after = setting_text(&tarn_conf_table, i, b);
	bool differ = before && after && strcmp(before, after) != 0;

	free(before);
	free(after);
	return differ;
}

void reload_compare(struct reload *reload, const struct tarn_settings *running,
		    const struct tarn_settings *fresh)
{
	size_t room = sizeof(reload->next_start), n = 0;

	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];

		if (!tarn_conf_at_start(row) || !differs(i, running, fresh))
			continue;
		reload->of_tarnd = reload->of_tarnd || !tarn_conf_at_proxy_start(row);
		if (n >= room)
			continue;
		n += (size_t)snprintf(reload->next_start + n, room - n, "%s%s.%s", n ? " " : "",
				      row->section, row->key);
	}
	if (n)
		LOG(LOG_L_WARN, "keeper.reload", "at_next_start=%s",
		    LOG_QUOTE(span_of(reload->next_start)));
}

json_t *reload_json(const struct reload *reload)
{
	struct span rest = span_of(reload->next_start), name;
	json_t *names = json_array();

	while (rest.n && span_cut(&rest, ' ', &name))
		json_array_append_new(names, json_stringn(name.p, name.n));
	return json_pack("{s:i, s:I, s:b, s:s, s:o}", "times", (int)reload->times, "at",
			 (json_int_t)reload->at_ms, "taken", reload->taken, "why", reload->why,
			 "next_start", names);
}
