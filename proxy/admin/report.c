/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the admin API answers. Control loop only (status looks at rooms of that loop); the counters may be read
 * on any thread.
 *
 * A NULL from jansson is carried through: json_object_set_new() takes it and fails, so that one look at
 * `bad` at the end tells whether there was memory for all.
 */
#include "proxy/admin/report.h"

#include <string.h>

#include "cache/store.h"
#include "firmware/base/histogram.h"
#include "firmware/base/version.h"
#include "proxy/config.h"
#include "proxy/dns/reach.h"
#include "proxy/offline.h"
#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/tls/tally.h"

#define TLS_HOSTS_SHOWN 32

/* An object under construction; `bad` once anything could not be made. */
struct builder {
	json_t *object;
	bool bad;
};

static void put(struct builder *builder, const char *key, json_t *value)
{
	if (json_object_set_new(builder->object, key, value) < 0)
		builder->bad = true;
}

static json_t *finish(struct builder *builder)
{
	if (!builder->bad)
		return builder->object;
	json_decref(builder->object);
	return NULL;
}

/* ---- counters --------------------------------------------------------------------------------- */

static void stat_row(const struct stat_view *view, void *arg)
{
	struct builder row = { .object = json_object() }, *all = arg;
	char name[128];

	if (view->label)
		snprintf(name, sizeof(name), "%s.%s", view->name, view->label);
	else
		snprintf(name, sizeof(name), "%s", view->name);
	put(&row, "name", json_string(name));
	put(&row, "kind", json_string(view->kind == STAT_KIND_GAUGE ? "gauge" : "counter"));
	put(&row, "value", json_integer(view->value));
	put(&row, "help", json_string(view->help));
	if (json_array_append_new(all->object, finish(&row)) < 0)
		all->bad = true;
}

json_t *report_stat(void)
{
	struct builder all = { .object = json_array() }, top = { .object = json_object() };

	stat_each(stat_row, &all);
	put(&top, "counters", finish(&all));
	return finish(&top);
}

/* ---- status ----------------------------------------------------------------------------------- */

struct reach_rows {
	struct builder all;
	uint64_t now_ms;
};

static void reach_row(const struct reach_view *view, void *arg)
{
	struct reach_rows *rows = arg;
	struct builder row = { .object = json_object() };
	char text[ADDR_TEXT_MAX];

	put(&row, "vendor", json_string(view->vendor));
	put(&row, "checked", json_boolean(view->checked));
	put(&row, "reachable", json_boolean(view->reachable));
	put(&row, "state", json_string(view->state));
	put(&row, "via", json_string(view->via_public ? "public" : "system"));
	if (view->via_public)
		put(&row, "resolver", json_string(addr_format(&view->resolver, text)));
	else
		put(&row, "resolver", json_null());
	put(&row, "since_s",
	    json_integer((json_int_t)((rows->now_ms - view->since_mono_ms) / 1000)));
	if (json_array_append_new(rows->all.object, finish(&row)) < 0)
		rows->all.bad = true;
}

static json_t *reach_json(struct worker *control)
{
	struct reach_rows rows = { .all.object = json_array(),
				   .now_ms = worker_now(control)->mono_ms };

	if (control->proxy->reach)
		reach_each(control->proxy->reach, reach_row, &rows);
	return finish(&rows.all);
}

static json_t *cache_json(struct worker *control)
{
	struct builder cache = { .object = json_object() };
	struct store_stat stat = { 0 };

	if (control->proxy->store)
		store_stat(control->proxy->store, &stat);
	put(&cache, "state",
	    json_string(control->proxy->store ? store_state_name(stat.state) : "none"));
	put(&cache, "bytes", json_integer((json_int_t)stat.live));
	put(&cache, "limit", json_integer((json_int_t)stat.limit));
	put(&cache, "objects", json_integer((json_int_t)stat.objects));
	put(&cache, "file_bytes", json_integer((json_int_t)stat.file));
	put(&cache, "queue_bytes", json_integer((json_int_t)stat.queue_bytes));
	put(&cache, "last_error",
	    stat.last_error ? json_string(strerrorname_np(-stat.last_error)) : json_null());
	return finish(&cache);
}

static json_t *saved_json(void)
{
	struct builder saved = { .object = json_object() };
	int64_t to = stat_read(STAT_BYTES_TO_DEVICES), from = stat_read(STAT_BYTES_FROM_VENDOR);

	put(&saved, "to_devices", json_integer(to));
	put(&saved, "from_vendor", json_integer(from));
	put(&saved, "percent", json_real(to > 0 ? 100.0 * (double)(to - from) / (double)to : 0.0));
	return finish(&saved);
}

static json_t *intercept_json(struct worker *control)
{
	struct builder intercept = { .object = json_object() };
	const struct heritage_state *state = keeper_state(control->proxy->keeper);

	put(&intercept, "keeper", json_boolean(keeper_steers(control->proxy->keeper)));
	put(&intercept, "armed", json_boolean(state && state->armed));
	put(&intercept, "why_not",
	    json_string(state			 ? state->reason
			: control->proxy->keeper ? "no word from the keeper yet"
						 : "runs alone, without a keeper"));
	put(&intercept, "restarts", json_integer(state ? state->restarts : 0));
	put(&intercept, "hang_kills", json_integer(state ? state->hang_kills : 0));
	return finish(&intercept);
}

static json_t *tls_row(struct worker *control, const struct tally_view *view)
{
	struct builder row = { .object = json_object() };
	struct profile_match match;
	/* A reload may have taken the host from its profile. */
	bool known = profile_match_host(control->config->profiles, span_of(view->host), &match);

	put(&row, "host", json_string(view->host));
	put(&row, "vendor", known ? json_string(profile_name(match.profile)) : json_null());
	put(&row, "mode",
	    known && !match.never ? json_string(profile_tls_name(match.profile)) : json_null());
	put(&row, "connections", json_integer((json_int_t)view->connections));
	put(&row, "open", json_integer((json_int_t)view->open));
	put(&row, "refused", json_integer((json_int_t)view->refused));
	put(&row, "bytes_up", json_integer((json_int_t)view->bytes_up));
	put(&row, "bytes_down", json_integer((json_int_t)view->bytes_down));
	return finish(&row);
}

/* What of the vendors' went through encrypted, and so uncached. */
static json_t *tls_json(struct worker *control)
{
	struct builder tls = { .object = json_object() }, hosts = { .object = json_array() };
	struct tally_view views[TLS_HOSTS_SHOWN], sum = { 0 };
	size_t n = 0;

	if (control->proxy->tally)
		n = tally_top(control->proxy->tally, views, TLS_HOSTS_SHOWN, &sum);
	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(hosts.object, tls_row(control, &views[i])) < 0)
			hosts.bad = true;
	put(&tls, "connections", json_integer((json_int_t)sum.connections));
	put(&tls, "open", json_integer((json_int_t)sum.open));
	put(&tls, "refused", json_integer((json_int_t)sum.refused));
	put(&tls, "bytes_up", json_integer((json_int_t)sum.bytes_up));
	put(&tls, "bytes_down", json_integer((json_int_t)sum.bytes_down));
	put(&tls, "hosts", finish(&hosts));
	return finish(&tls);
}

static json_t *scope_list_json(const struct scope_list *list)
{
	struct builder entries = { .object = json_array() };
	char text[SCOPE_TEXT_MAX];

	for (size_t i = 0; i < list->n; i++)
		if (json_array_append_new(entries.object,
					  json_string(scope_format(&list->v[i], text))) < 0)
			entries.bad = true;
	return finish(&entries);
}

static json_t *scope_json(const struct tarn_settings *settings)
{
	struct builder scope = { .object = json_object() };

	put(&scope, "intercept", scope_list_json(&settings->scope.intercept));
	put(&scope, "straight", scope_list_json(&settings->scope.straight));
	put(&scope, "ahead", scope_list_json(&settings->scope.ahead));
	put(&scope, "not_ahead", scope_list_json(&settings->scope.not_ahead));
	return finish(&scope);
}

/* One word that answers "is it working?". */
static const char *state_word(struct worker *control)
{
	struct store_stat stat;

	if (control->draining)
		return "draining";
	if (control->proxy->reach && !reach_any(control->proxy->reach))
		return offline_serves(control) ? "offline" : "no_upstream";
	if (!control->proxy->store)
		return "uncached";
	store_stat(control->proxy->store, &stat);
	return stat.state == STORE_SERVING ? "ok" : "uncached";
}

json_t *report_status(struct worker *control, uint64_t started_ms)
{
	struct builder top = { .object = json_object() };
	uint64_t up = worker_now(control)->mono_ms - started_ms;

	put(&top, "version", json_string(TARN_VERSION));
	put(&top, "pseudonym", json_string(control->proxy->pseudonym));
	put(&top, "uptime_s", json_integer((json_int_t)(up / 1000)));
	put(&top, "state", json_string(state_word(control)));
	put(&top, "workers", json_integer(stat_read(STAT_WORKERS_RUNNING)));
	put(&top, "reach", reach_json(control));
	put(&top, "cache", cache_json(control));
	put(&top, "saved", saved_json());
	put(&top, "intercept", intercept_json(control));
	put(&top, "scope", scope_json(&control->config->settings));
	put(&top, "tls", tls_json(control));
	put(&top, "flights", json_integer(stat_read(STAT_FLIGHT_OPEN)));
	put(&top, "connections", json_integer(stat_read(STAT_CONN_OPEN)));
	put(&top, "requests", json_integer(stat_read(STAT_REQUESTS)));
	return finish(&top);
}

/* ---- Prometheus ------------------------------------------------------------------------------- */

/* Milliseconds inside, seconds outside: Prometheus wants base units. */
static bool is_ms(const struct stat_view *view)
{
	size_t n = strlen(view->name);

	return n > 3 && strcmp(view->name + n - 3, "_ms") == 0;
}

static void metric_name(struct evbuffer *out, const struct stat_view *view)
{
	size_t n = strlen(view->name) - (is_ms(view) ? 3 : 0);

	evbuffer_add_printf(out, "tarn_");
	for (size_t i = 0; i < n; i++)
		evbuffer_add(out, strchr(".-", view->name[i]) ? "_" : view->name + i, 1);
	if (is_ms(view))
		evbuffer_add_printf(out, "_seconds");
	if (view->kind == STAT_KIND_COUNTER)
		evbuffer_add_printf(out, "_total");
}

static void metric_value(struct evbuffer *out, const struct stat_view *view)
{
	if (is_ms(view))
		evbuffer_add_printf(out, " %.3f\n", (double)view->value / 1000);
	else
		evbuffer_add_printf(out, " %lld\n", (long long)view->value);
}

/* Backslash and newline are escaped in HELP, the quote in labels, too. */
static void escaped(struct evbuffer *out, const char *text, bool label)
{
	for (; *text; text++) {
		if (*text == '\n')
			evbuffer_add(out, "\\n", 2);
		else if (*text == '\\' || (label && *text == '"'))
			evbuffer_add_printf(out, "\\%c", *text);
		else
			evbuffer_add(out, text, 1);
	}
}

void report_metric(struct evbuffer *out, const struct stat_view *view, const char *named)
{
	if (!named || strcmp(named, view->name) != 0) {
		evbuffer_add_printf(out, "# HELP ");
		metric_name(out, view);
		evbuffer_add_printf(out, " ");
		escaped(out, view->label ? view->name : view->help, false);
		evbuffer_add_printf(out, "\n# TYPE ");
		metric_name(out, view);
		evbuffer_add_printf(out, " %s\n",
				    view->kind == STAT_KIND_GAUGE ? "gauge" : "counter");
	}
	metric_name(out, view);
	if (view->label) {
		evbuffer_add_printf(out, "{%s=\"",
				    strncmp(view->name, "loop.", 5) == 0 ? "worker" : "reason");
		escaped(out, view->label, true);
		evbuffer_add_printf(out, "\"}");
	}
	metric_value(out, view);
}

struct metrics {
	struct evbuffer *out;
	const char *named;
};

static void metric_row(const struct stat_view *view, void *arg)
{
	struct metrics *metrics = arg;

	report_metric(metrics->out, view, metrics->named);
	metrics->named = view->name;
}

static void histogram_name(struct evbuffer *out, const struct histogram_view *view)
{
	evbuffer_add_printf(out, "tarn_");
	for (const char *p = view->name; *p; p++)
		evbuffer_add(out, *p == '.' ? "_" : p, 1);
	evbuffer_add_printf(out, "_seconds");
}

static void histogram_line(struct evbuffer *out, const struct histogram_view *view,
			   const char *suffix, const char *le, int64_t value)
{
	histogram_name(out, view);
	evbuffer_add_printf(out, "%s{outcome=\"%s\"", suffix, view->kind);
	if (le)
		evbuffer_add_printf(out, ",le=\"%s\"", le);
	evbuffer_add_printf(out, "} %lld\n", (long long)value);
}

/* Buckets are cumulated; le is in seconds. */
static void histogram_rows(const struct histogram_view *view, void *arg)
{
	struct metrics *metrics = arg;
	int64_t total = 0;
	char le[32];

	if (metrics->named != view->name) {
		evbuffer_add_printf(metrics->out, "# HELP ");
		histogram_name(metrics->out, view);
		evbuffer_add_printf(metrics->out, " %s\n# TYPE ", view->help);
		histogram_name(metrics->out, view);
		evbuffer_add_printf(metrics->out, " histogram\n");
	}
	metrics->named = view->name;
	for (unsigned i = 0; i < view->n; i++) {
		total += view->buckets[i];
		if (i + 1 < view->n)
			(void)snprintf(le, sizeof(le), "%g", (double)view->bounds_ms[i] / 1000);
		histogram_line(metrics->out, view, "_bucket", i + 1 < view->n ? le : "+Inf", total);
	}
	histogram_name(metrics->out, view);
	evbuffer_add_printf(metrics->out, "_sum{outcome=\"%s\"} %.3f\n", view->kind,
			    (double)view->sum_ms / 1000);
	histogram_line(metrics->out, view, "_count", NULL, total);
}

void report_metrics(struct evbuffer *out)
{
	struct metrics metrics = { .out = out };

	stat_each(metric_row, &metrics);
	metrics.named = NULL;
	histogram_each(histogram_rows, &metrics);
}

/* One family; a counter has no limit. */
static void kernel_rows(struct evbuffer *out, const char *family, const char *label,
			const struct heritage_kernel *figures, size_t n)
{
	bool counters = strcmp(label, "event") == 0, limits = strstr(family, "limit") != NULL;

	for (size_t i = 0; i < n; i++)
		if (counters == !figures[i].limit)
			evbuffer_add_printf(
				out, "%s{%s=\"%s\"} %llu\n", family, label, figures[i].name,
				(unsigned long long)(limits ? figures[i].limit : figures[i].value));
}

void report_kernel(struct evbuffer *out, const struct heritage_kernel *figures, size_t n)
{
	static const struct {
		const char *family, *type, *label, *help;
	} families[] = {
		{ "tarn_kernel_events_total", "counter", "event",
		  "what the programs in the kernel did with packets; tarnctl stat says what each "
		  "is" },
		{ "tarn_kernel_map_entries", "gauge", "map",
		  "entries of a table of the programs in the kernel" },
		{ "tarn_kernel_map_limit", "gauge", "map", "entries that the table takes" },
	};

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", families[i].family,
				    families[i].help, families[i].family, families[i].type);
		kernel_rows(out, families[i].family, families[i].label, figures, n);
	}
}
