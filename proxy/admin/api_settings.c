/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: the settings, and changing them. What is asked for is judged here, setting by setting, so that the asker learns
 * what is wrong with which; the keeper judges it again as a whole and writes the file (firmware/keeper/change.c).
 */
#include <stdlib.h>
#include <string.h>

#include "proxy/admin/admin.h"
#include "proxy/admin/changes.h"
#include "proxy/config.h"
#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

/* ---- GET ------------------------------------------------------------------------------------------ */

static const char *type_name(enum setting_type type)
{
	static const char *const names[] = {
		[SETTING_BOOL] = "bool",       [SETTING_INT] = "int",
		[SETTING_BYTES] = "bytes",     [SETTING_DURATION] = "duration",
		[SETTING_STRING] = "string",   [SETTING_PATH] = "path",
		[SETTING_ENUM] = "enum",       [SETTING_STRINGS] = "strings",
		[SETTING_ADDRS] = "addresses", [SETTING_NETS] = "networks",
		[SETTING_PORTS] = "ports",     [SETTING_ORIGINS] = "strings",
		[SETTING_SCOPES] = "scopes",   [SETTING_INT_OR_0] = "int",
	};

	return names[type];
}

static json_t *choices_json(const char *const *choices)
{
	json_t *all = json_array();

	for (; *choices; choices++)
		json_array_append_new(all, json_string(*choices));
	return all;
}

static void limits_put(json_t *json, const struct setting *row)
{
	if ((row->type == SETTING_INT || row->type == SETTING_BYTES ||
	     row->type == SETTING_DURATION) &&
	    (row->min || row->max)) {
		json_object_set_new(json, "min", json_integer(row->min));
		json_object_set_new(json, "max", json_integer(row->max));
	}
	if (row->choices)
		json_object_set_new(json, "choices", choices_json(row->choices));
	if (tarn_conf_at_start(row))
		json_object_set_new(json, "restart",
				    json_string(tarn_conf_at_proxy_start(row) ? "proxy" : "tarnd"));
	if (tarn_conf_file_only(row))
		json_object_set_new(json, "fixed", json_true());
}

/* What identifies an installation is for those alone who may change it. */
static json_t *setting_json(const struct admin_ask *ask, size_t i, const struct tarn_settings *now,
			    const struct tarn_settings *defaults)
{
	const struct setting *row = &tarn_conf_table.rows[i];
	char *value = setting_text(&tarn_conf_table, i, now);
	char *fallback = setting_text(&tarn_conf_table, i, defaults);
	bool hidden = ask->role < ADMIN_OPERATE && tarn_conf_private(row);
	json_t *json = NULL;

	if (value && fallback)
		json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "section", row->section, "key",
				 row->key, "type", type_name(row->type), "value",
				 hidden ? "" : value, "default", fallback, "help", row->help);
	if (json)
		limits_put(json, row);
	free(value);
	free(fallback);
	return json;
}

static void get_settings(struct admin_ask *ask)
{
	struct changes *changes = admin_changes(ask->admin);
	struct tarn_settings defaults;
	struct settings_error error;
	json_t *all = json_array();
	int rc = settings_load(NULL, true, &tarn_conf_table, &defaults, &error);

	for (size_t i = 0; i < tarn_conf_table.n && !rc; i++)
		rc = json_array_append_new(
			all, setting_json(ask, i, &ask->control->config->settings, &defaults));
	if (rc == 0 || rc == -1)
		tarn_conf_free(&defaults);
	if (rc) {
		json_decref(all);
		admin_answer_errno(ask, -ENOMEM);
		return;
	}
	admin_answer_json(ask, 200,
			  json_pack("{s:o, s:o, s:o}", "settings", all, "pending",
				    changes_pending(changes), "undo", changes_undo(changes)));
}

/* ---- PATCH ---------------------------------------------------------------------------------------- */

static const struct setting *row_of(const char *name)
{
	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];
		size_t n = strlen(row->section);

		if (strncmp(name, row->section, n) == 0 && name[n] == '.' &&
		    strcmp(name + n + 1, row->key) == 0)
			return row;
	}
	return NULL;
}

/* NULL: it can be set so. Else why not, in `buf` or constant. */
static const char *why_not(const char *name, const json_t *value, char *buf, size_t size)
{
	const struct setting *row = row_of(name);
	struct tarn_settings scratch = { 0 };
	struct settings_error error = { 0 };
	uint8_t *seen;
	int rc;

	if (!row)
		return "there is no such setting";
	if (tarn_conf_file_only(row))
		return "is set in the file alone";
	if (json_is_null(value))
		return NULL;
	if (!json_is_string(value))
		return "a string, as it would stand in the file, or null";
	if (json_string_length(value) >= HERITAGE_VALUE)
		return "too long";
	seen = calloc(tarn_conf_table.n, 1);
	if (!seen)
		return "out of memory";
	rc = settings_set(&tarn_conf_table, span_of(row->section), span_of(row->key),
			  span_of(json_string_value(value)), seen, &scratch, &error);
	settings_free(&tarn_conf_table, &scratch);
	free(seen);
	if (rc == 0)
		return NULL;
	(void)snprintf(buf, size, "%s%s%s", error.what, error.allowed[0] ? "; allowed: " : "",
		       error.allowed);
	return buf;
}

/* [{setting, text}] of all that is wrong. NULL: no memory. */
static json_t *errors_json(const json_t *body)
{
	json_t *errors = json_array(), *value;
	const char *name;
	char buf[600];

	json_object_foreach((json_t *)body, name, value)
	{
		const char *why = why_not(name, value, buf, sizeof(buf));

		if (why && json_array_append_new(errors, json_pack("{s:s, s:s}", "setting", name,
								   "text", why)) < 0) {
			json_decref(errors);
			return NULL;
		}
	}
	return errors;
}

/* The first error is in the sentence, for askers that look no further. */
static void answer_errors(struct admin_ask *ask, json_t *errors)
{
	json_t *first = json_array_get(errors, 0);
	char text[700];

	(void)snprintf(text, sizeof(text), "%s: %s",
		       json_string_value(json_object_get(first, "setting")),
		       json_string_value(json_object_get(first, "text")));
	admin_answer_json(
		ask, 422,
		json_pack("{s:s, s:s, s:o}", "error", "setting", "text", text, "errors", errors));
}

static bool tell(struct admin_ask *ask, uint32_t id, const char *name, const char *value)
{
	struct heritage_setting setting = HERITAGE_INIT(HERITAGE_SETTING, heritage_setting);

	setting.id = id;
	setting.unset = !value;
	(void)snprintf(setting.name, sizeof(setting.name), "%s", name);
	(void)snprintf(setting.value, sizeof(setting.value), "%s", value ? value : "");
	return keeper_setting(ask->control->proxy->keeper, &setting);
}

static void patch_settings(struct admin_ask *ask)
{
	struct changes *changes = admin_changes(ask->admin);
	size_t n = json_object_size(ask->body);
	json_t *errors, *value;
	const char *name;
	uint32_t id;

	if (!n || n > HERITAGE_SETTINGS_MAX)
		return admin_answer_error(ask, 422, "number", "1 to %d settings at once",
					  HERITAGE_SETTINGS_MAX);
	errors = errors_json(ask->body);
	if (!errors)
		return admin_answer_errno(ask, -ENOMEM);
	if (json_array_size(errors))
		return answer_errors(ask, errors);
	json_decref(errors);
	id = changes_id(changes, ask);
	if (!id)
		return;
	json_object_foreach(ask->body, name, value)
	{
		if (!tell(ask, id, name, json_string_value(value)))
			return admin_answer_error(ask, 503, "keeper", "tarnd can't be told now");
	}
	changes_ask(changes, ask, id, HERITAGE_CHANGE_TAKE, (unsigned)n);
}

static void post(struct admin_ask *ask, enum heritage_change_what what)
{
	struct changes *changes = admin_changes(ask->admin);
	uint32_t id = changes_id(changes, ask);

	if (id)
		changes_ask(changes, ask, id, what, 0);
}

static void post_confirm(struct admin_ask *ask)
{
	post(ask, HERITAGE_CHANGE_CONFIRM);
}

static void post_undo(struct admin_ask *ask)
{
	post(ask, HERITAGE_CHANGE_UNDO);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/settings", ADMIN_VIEW, get_settings },
	{ ADMIN_PATCH, "/api/v1/settings", ADMIN_OPERATE, patch_settings },
	{ ADMIN_POST, "/api/v1/settings/confirm", ADMIN_OPERATE, post_confirm },
	{ ADMIN_POST, "/api/v1/settings/undo", ADMIN_OPERATE, post_undo },
};
ADMIN_TABLE(settings, routes);
