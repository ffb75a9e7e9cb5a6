/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One change at a time. All that counts is on the disk (record.h), memory only has the timer:
 *
 *	          take() ─► pending ─► confirm() ─► undo-able ─► undo() ─┐
 *	            ▲          │ undo(), on_expired(), change_recover()  │
 *	            └──────────┴─────────────────────────────────────────┘
 *
 * Before tarn.conf is replaced the record of what it was is on the disk. Someone who edits the file by hand meanwhile
 * is not cut off: then the file stays as it is, and the record goes.
 */
#include "firmware/keeper/change.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/base/settings_edit.h"
#include "firmware/keeper/keeper.h"
#include "firmware/keeper/record.h"

struct change {
	char path[PATH_MAX];
	struct change_calls calls;
	void *arg;
	struct event *timer; /* armed while something is pending */
	uint64_t until_ms;   /* CLOCK_BOOTTIME */
	uint32_t id;	     /* of the settings that are being told */
	uint32_t n;
	struct heritage_setting settings[HERITAGE_SETTINGS_MAX];
};

static const char *path_or_default(const char *path)
{
	return path ? path : TARN_CONF_PATH;
}

/* Where the file really is: a link stays one. */
static void path_resolve(const char *path, char ret_path[PATH_MAX])
{
	if (!realpath(path_or_default(path), ret_path))
		(void)snprintf(ret_path, PATH_MAX, "%s", path_or_default(path));
}

static uint64_t boot_ms(void)
{
	char boot[RECORD_BOOT];
	uint64_t now;

	record_boot(boot, &now);
	return now;
}

/* ---- taking back -------------------------------------------------------------------------------- */

/* Puts back what `suffix` holds. -ESTALE: the file was edited by somebody else; then the record alone goes. */
static int put_back(const char *path, const char *suffix)
{
	struct conf_text now = { 0 };
	struct record record;
	int rc = record_read(path, suffix, &record);

	if (rc == -EBADMSG && record_move(path, suffix, NULL))
		LOG(LOG_L_WARN, "settings.record", "stays=%s", suffix);
	if (rc)
		return rc;
	rc = conf_text_read(path, &now);
	if (!rc && conf_text_print(&now) != record.after)
		rc = -ESTALE;
	if (!rc)
		rc = conf_replace(path, &record.before);
	if (!rc || rc == -ESTALE) {
		int gone = record_move(path, suffix, NULL);

		rc = rc ? rc : gone;
	}
	conf_text_free(&now);
	record_free(&record);
	return rc;
}

/* How long a pending change of this boot may wait yet; 0: its time is over, or it is of another boot. */
static uint64_t time_left(const struct record *record)
{
	char boot[RECORD_BOOT];
	uint64_t now;

	record_boot(boot, &now);
	return strcmp(boot, record->boot) == 0 && now < record->until_ms ? record->until_ms - now
									 : 0;
}

void change_recover(const char *from)
{
	struct record record;
	char path[PATH_MAX];
	uint64_t left;
	int rc;

	path_resolve(from, path);
	conf_unstage(path);
	rc = record_read(path, RECORD_PENDING, &record);
	if (rc == -ENOENT)
		return;
	left = rc ? 0 : time_left(&record);
	if (!rc)
		record_free(&record);
	if (left)
		return;
	rc = put_back(path, RECORD_PENDING);
	LOG(rc ? LOG_L_ERROR : LOG_L_WARN, "settings.taken_back", "when=start error=%s",
	    rc ? strerrorname_np(-rc) : "none");
}

bool change_give_up(const char *from)
{
	char path[PATH_MAX];
	int rc;

	path_resolve(from, path);
	rc = put_back(path, RECORD_PENDING);
	if (rc != -ENOENT)
		LOG(rc ? LOG_L_ERROR : LOG_L_WARN, "settings.taken_back", "when=no_start error=%s",
		    rc ? strerrorname_np(-rc) : "none");
	return rc == 0;
}

/* ---- telling ------------------------------------------------------------------------------------ */

static uint64_t undo_at(const struct change *c)
{
	struct conf_text now = { 0 };
	struct record record;
	uint64_t at = 0;

	if (record_read(c->path, RECORD_UNDO, &record))
		return 0;
	if (conf_text_read(c->path, &now) == 0 && conf_text_print(&now) == record.after)
		at = record.at_ms;
	conf_text_free(&now);
	record_free(&record);
	return at;
}

static void tell(struct change *c, uint32_t id, enum heritage_changed_how how, int rc,
		 const char *text, bool restart)
{
	union heritage_message m = { .changed = HERITAGE_INIT(HERITAGE_CHANGED, heritage_changed) };
	uint64_t now = boot_ms();

	m.changed.id = id;
	m.changed.how = how;
	m.changed.error = (uint32_t)-rc;
	m.changed.restart = restart;
	if (evtimer_pending(c->timer, NULL))
		m.changed.left_ms = c->until_ms > now ? (uint32_t)(c->until_ms - now) : 1;
	m.changed.undo_at_ms = undo_at(c);
	heritage_text(m.changed.text, sizeof(m.changed.text), text);
	c->calls.tell(&m, c->arg);
}

void change_greet(struct change *c)
{
	tell(c, 0, HERITAGE_CHANGED_NOT, 0, "", false);
}

/* ---- which rows differ -------------------------------------------------------------------------- */

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

static bool is_told(const struct change *c, const struct setting *row)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (row_of(c->settings[i].name) == row)
			return true;
	return false;
}

static bool differs(size_t i, const struct tarn_settings *a, const struct tarn_settings *b)
{
	char *one = setting_text(&tarn_conf_table, i, a),
	     *other = setting_text(&tarn_conf_table, i, b);
	bool differ = !one || !other || strcmp(one, other) != 0;

	free(one);
	free(other);
	return differ;
}

/* Is the difference what was told? Then whether it takes a start of the data plane. */
static bool compare(const struct change *c, const struct tarn_settings *before,
		    const struct tarn_settings *after, bool *ret_restart)
{
	*ret_restart = false;
	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];

		if (!differs(i, before, after))
			continue;
		if (c && !is_told(c, row))
			return false;
		*ret_restart = *ret_restart || tarn_conf_at_proxy_start(row);
	}
	return true;
}

/* ---- taking ------------------------------------------------------------------------------------- */

static void settings_read_before(const struct change *c, struct tarn_settings *ret_settings)
{
	struct settings_error error;

	/* A file that is wrong by now: what runs had been good once; all is compared with the defaults. */
	if (settings_load(c->path, true, &tarn_conf_table, ret_settings, &error))
		CHECK_OK(settings_load(NULL, true, &tarn_conf_table, ret_settings, &error));
}

/* The text with all that was told. 0, or -errno and why. */
static int text_make(const struct change *c, const struct conf_text *before, char **ret_text,
		     char why[TARND_WHY_MAX])
{
	char *text = strdup(before->text ? before->text : ""), *next = NULL;
	int rc = text ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < c->n && !rc; i++) {
		const struct heritage_setting *s = &c->settings[i];
		const struct setting *row = row_of(s->name);

		if (!row || tarn_conf_file_only(row))
			rc = -EPERM;
		else
			rc = settings_edit(span_of(text), row, s->unset ? NULL : s->value, &next);
		if (rc) {
			snprintf(why, TARND_WHY_MAX, "%s: %s", s->name,
				 rc == -EPERM ? "is set in the file alone" : "fits into no line");
			break;
		}
		free(text);
		text = next;
	}
	if (rc)
		free(text);
	else
		*ret_text = text;
	return rc;
}

/* Is what is staged a good configuration that differs in what was told alone? */
static int staged_check(const struct change *c, bool *ret_restart, char why[TARND_WHY_MAX])
{
	struct tarn_settings before;
	struct tarnd_config config;
	char fresh[PATH_MAX + 8];
	int rc;

	snprintf(fresh, sizeof(fresh), "%s%s", c->path, RECORD_NEW);
	rc = tarnd_config_load(fresh, &config, why);
	if (rc)
		return rc;
	settings_read_before(c, &before);
	rc = tarnd_config_check(&config, why);
	if (!rc && !compare(c, &before, &config.settings, ret_restart)) {
		snprintf(why, TARND_WHY_MAX, "the file is such that this can't be written into it");
		rc = -EINVAL;
	}
	tarn_conf_free(&before);
	tarnd_config_free(&config);
	return rc;
}

static void timer_arm(struct change *c, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	c->until_ms = boot_ms() + ms;
	(void)evtimer_add(c->timer, &tv);
}

/* The record first, then the file. */
static int staged_commit(struct change *c, const struct conf_text *before, const char *text,
			 uint64_t confirm_ms)
{
	struct conf_text after = { (char *)text, strlen(text) };
	struct record record = { .before = *before,
				 .after = conf_text_print(&after),
				 .at_ms = clock_read().wall_ms };
	int rc;

	record_boot(record.boot, &record.until_ms);
	record.until_ms += confirm_ms;
	rc = record_write(c->path, RECORD_PENDING, &record);
	rc = rc ? rc : conf_commit(c->path);
	if (!rc)
		timer_arm(c, confirm_ms);
	else if (record_move(c->path, RECORD_PENDING, NULL))
		LOG(LOG_L_WARN, "settings.record", "stays=%s", RECORD_PENDING);
	return rc;
}

static int take(struct change *c, uint64_t confirm_ms, bool *ret_restart, char why[TARND_WHY_MAX])
{
	struct conf_text before = { 0 };
	char *text = NULL;
	int rc;

	if (evtimer_pending(c->timer, NULL)) {
		snprintf(why, TARND_WHY_MAX, "a change waits to be confirmed or taken back");
		return -EBUSY;
	}
	rc = conf_text_read(c->path, &before);
	rc = rc ? rc : text_make(c, &before, &text, why);
	rc = rc ? rc : conf_stage(c->path, span_of(text));
	if (!rc) {
		rc = staged_check(c, ret_restart, why);
		rc = rc ? rc : staged_commit(c, &before, text, confirm_ms);
		if (rc)
			conf_unstage(c->path);
	}
	if (rc && !why[0])
		snprintf(why, TARND_WHY_MAX, "the file can't be written: %s", strerror(-rc));
	free(text);
	conf_text_free(&before);
	return rc;
}

/* ---- the messages ------------------------------------------------------------------------------- */

static void on_take(struct change *c, const struct heritage_change *m, uint64_t confirm_ms)
{
	char why[TARND_WHY_MAX] = "";
	bool restart = false;
	int rc = -EAGAIN;

	if (m->id == c->id && m->settings == c->n && c->n)
		rc = take(c, confirm_ms, &restart, why);
	else
		snprintf(why, sizeof(why), "not all of it came through");
	LOG(rc ? LOG_L_NOTICE : LOG_L_WARN, "settings.change", "n=%u error=%s confirm_ms=%llu",
	    m->settings, rc ? strerrorname_np(-rc) : "none", (unsigned long long)confirm_ms);
	c->n = 0;
	c->id = 0;
	if (!rc)
		restart = c->calls.taken(restart, c->arg);
	tell(c, m->id, rc ? HERITAGE_CHANGED_NOT : HERITAGE_CHANGED_TAKEN, rc, why, restart);
}

static void on_confirm(struct change *c, uint32_t id)
{
	int rc = -ENOENT;

	if (evtimer_pending(c->timer, NULL))
		rc = record_move(c->path, RECORD_PENDING, RECORD_UNDO);
	if (!rc)
		(void)evtimer_del(c->timer);
	LOG(LOG_L_NOTICE, "settings.confirm", "error=%s", rc ? strerrorname_np(-rc) : "none");
	tell(c, id, rc ? HERITAGE_CHANGED_NOT : HERITAGE_CHANGED_CONFIRMED, rc,
	     rc == -ENOENT ? "nothing waits to be confirmed"
	     : rc	   ? strerror(-rc)
			   : "",
	     false);
}

/* Whatever waits, or was confirmed last. */
static void take_back(struct change *c, uint32_t id, enum heritage_changed_how how)
{
	bool pending = how == HERITAGE_CHANGED_EXPIRED || evtimer_pending(c->timer, NULL);
	struct tarn_settings before, after;
	bool restart = false;
	int rc;

	settings_read_before(c, &before);
	rc = put_back(c->path, pending ? RECORD_PENDING : RECORD_UNDO);
	settings_read_before(c, &after);
	(void)compare(NULL, &before, &after, &restart);
	tarn_conf_free(&before);
	tarn_conf_free(&after);
	/* A full disk, say: tried again. */
	if (pending && rc && rc != -ESTALE && rc != -ENOENT && rc != -EBADMSG)
		timer_arm(c, 1000);
	else
		(void)evtimer_del(c->timer);
	LOG(LOG_L_WARN, "settings.taken_back", "when=%s error=%s",
	    how == HERITAGE_CHANGED_EXPIRED ? "expired" : "asked",
	    rc ? strerrorname_np(-rc) : "none");
	if (!rc)
		restart = c->calls.taken(restart, c->arg);
	tell(c, id, rc ? HERITAGE_CHANGED_NOT : how, rc,
	     rc == -ENOENT   ? "there is nothing to take back"
	     : rc == -ESTALE ? "the file was edited meanwhile, and stays as it is"
	     : rc	     ? strerror(-rc)
			     : "",
	     restart && !rc);
}

static void on_expired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	take_back(arg, 0, HERITAGE_CHANGED_EXPIRED);
}

static void on_setting(struct change *c, const struct heritage_setting *m)
{
	if (m->id != c->id) {
		c->id = m->id;
		c->n = 0;
	}
	if (c->n < HERITAGE_SETTINGS_MAX)
		c->settings[c->n++] = *m;
}

void change_message(struct change *c, const union heritage_message *m, uint64_t confirm_ms)
{
	if (m->head.type == HERITAGE_SETTING)
		on_setting(c, &m->setting);
	else if (m->change.what == HERITAGE_CHANGE_TAKE)
		on_take(c, &m->change, confirm_ms);
	else if (m->change.what == HERITAGE_CHANGE_CONFIRM)
		on_confirm(c, m->change.id);
	else
		take_back(c, m->change.id, HERITAGE_CHANGED_UNDONE);
}

/* ---- its life ----------------------------------------------------------------------------------- */

int change_new(struct event_base *base, const char *path, const struct change_calls *calls,
	       void *arg, struct change **ret_change)
{
	struct change *c = calloc(1, sizeof(*c));
	struct record record;

	if (!c)
		return -ENOMEM;
	path_resolve(path, c->path);
	c->calls = *calls;
	c->arg = arg;
	c->timer = evtimer_new(base, on_expired, c);
	if (!c->timer) {
		free(c);
		return -ENOMEM;
	}
	if (record_read(c->path, RECORD_PENDING, &record) == 0) {
		uint64_t left = time_left(&record);

		timer_arm(c, left ? left : 1);
		record_free(&record);
	}
	*ret_change = c;
	return 0;
}

void change_free(struct change **change)
{
	if (!*change)
		return;
	event_free((*change)->timer);
	free(*change);
	*change = NULL;
}
