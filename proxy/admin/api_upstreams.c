/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the vendors: whose DNS is used, what each name resolved to, and which of the addresses rest after failures.
 * Control loop only. As in report.c a NULL of jansson is carried through to the end.
 */
#include <stdlib.h>
#include <string.h>

#include "proxy/admin/route.h"
#include "proxy/config.h"
#include "proxy/dns/reach.h"
#include "proxy/dns/resolve.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/balance.h"
#include "proxy/upstream/parent.h"

struct rows {
	struct worker *control;
	json_t *all;
	bool bad;
};

static void append(struct rows *rows, json_t *row)
{
	if (json_array_append_new(rows->all, row) < 0)
		rows->bad = true;
}

/* {name: rows}; NULL: no memory. Takes the rows. */
static json_t *finish(struct rows *rows, const char *name)
{
	if (!rows->bad)
		return json_pack("{s:o}", name, rows->all);
	json_decref(rows->all);
	return NULL;
}

static struct rows rows_begin(const struct admin_ask *ask)
{
	struct rows rows = { .control = ask->control, .all = json_array() };

	rows.bad = !rows.all;
	return rows;
}

/* ---- /upstreams ----------------------------------------------------------------------------------- */

static void upstream_row(struct rows *rows, const char *vendor, const char *host,
			 const struct addr *addr)
{
	uint64_t now = worker_now(rows->control)->mono_ms;
	unsigned failures = 0;
	uint64_t rests = balance_rests_ms(rows->control->proxy->balance, addr, now, &failures);
	char text[ADDR_TEXT_MAX];

	append(rows,
	       json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "vendor", vendor, "host", host,
			 "address", addr_ip_format(addr, text), "state", rests ? "resting" : "good",
			 "failures", (int)failures, "rests_s", (int)((rests + 999) / 1000)));
}

static void upstream_name(const struct resolver_view *view, void *arg)
{
	struct rows *rows = arg;
	struct profile_match match;

	if (!profile_match_host(rows->control->config->profiles, span_of(view->host), &match) ||
	    match.never)
		return;
	for (size_t i = 0; i < view->n; i++)
		upstream_row(rows, profile_name(match.profile), view->host, &view->addrs[i]);
}

static void parent_rows(struct rows *rows)
{
	struct parents *parents = rows->control->proxy->parents;
	uint64_t now = worker_now(rows->control)->mono_ms;
	char at[ORIGIN_TEXT_MAX];
	struct parent_view view;

	if (!parents_count(parents))
		return;
	for (size_t i = 0; parents_at(parents, i, now, &view); i++)
		append(rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I}", "parent",
				       origin_format(&view.way.at, at), "mode",
				       view.way.proxy ? "proxy" : "reverse", "state",
				       parent_state_name(view.state), "why", view.why, "name",
				       view.pseudonym, "failures", (int)view.failures, "rests_s",
				       (int)((view.rests_ms + 999) / 1000), "requests",
				       (json_int_t)view.requests));
}

static void get_upstreams(struct admin_ask *ask)
{
	struct rows rows = rows_begin(ask), parents = rows_begin(ask);
	json_t *made = json_object();

	if (!rows.bad && ask->control->proxy->resolver)
		resolver_each(ask->control->proxy->resolver, upstream_name, &rows);
	if (!parents.bad)
		parent_rows(&parents);
	if (json_object_update_new(made, finish(&rows, "upstreams")) < 0 ||
	    json_object_update_new(made, finish(&parents, "parents")) < 0) {
		json_decref(made);
		made = NULL;
	}
	admin_answer_json(ask, 200, made);
}

/* ---- /dns ----------------------------------------------------------------------------------------- */

static void vendor_row(const struct reach_view *view, void *arg)
{
	struct rows *rows = arg;
	uint64_t now = worker_now(rows->control)->mono_ms;
	char text[ADDR_TEXT_MAX];

	append(rows,
	       json_pack("{s:s, s:b, s:b, s:s, s:s, s:s?, s:I}", "vendor", view->vendor, "checked",
			 view->checked, "reachable", view->reachable, "state", view->state, "via",
			 view->via_public ? "public" : "system", "resolver",
			 view->via_public ? addr_format(&view->resolver, text) : NULL, "since_s",
			 (json_int_t)((now - view->since_mono_ms) / 1000)));
}

static json_t *addresses(const struct resolver_view *view)
{
	json_t *all = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < view->n; i++)
		(void)json_array_append_new(all,
					    json_string(addr_ip_format(&view->addrs[i], text)));
	return all;
}

static void name_row(const struct resolver_view *view, void *arg)
{
	char text[ADDR_TEXT_MAX];

	append(arg, json_pack("{s:s, s:s?, s:o, s:s, s:s?, s:I}", "name", view->host, "server",
			      view->server ? addr_format(view->server, text) : NULL, "addresses",
			      addresses(view), "state",
			      !view->n	      ? "failed"
			      : view->left_ms ? "fresh"
					      : "stale",
			      "error", view->n ? NULL : strerrorname_np(-view->err), "ttl_s",
			      (json_int_t)(view->left_ms / 1000)));
}

static void system_rows(struct rows *rows, const struct resolver *resolver)
{
	char *csv = resolver_system(resolver);
	struct span rest = span_of(csv ? csv : ""), one;

	while (rest.n && span_cut(&rest, ',', &one))
		append(rows, json_pack("{s:s%, s:s}", "address", one.p, one.n, "kind", "system"));
	free(csv);
}

static void get_dns(struct admin_ask *ask)
{
	struct rows vendors = rows_begin(ask), servers = rows_begin(ask), names = rows_begin(ask);
	const struct proxy *proxy = ask->control->proxy;
	json_t *made = json_object();

	if (proxy->reach)
		reach_each(proxy->reach, vendor_row, &vendors);
	if (proxy->resolver) {
		system_rows(&servers, proxy->resolver);
		resolver_each(proxy->resolver, name_row, &names);
	}
	if (json_object_update_new(made, finish(&vendors, "vendors")) < 0 ||
	    json_object_update_new(made, finish(&servers, "servers")) < 0 ||
	    json_object_update_new(made, finish(&names, "names")) < 0) {
		json_decref(made);
		made = NULL;
	}
	admin_answer_json(ask, 200, made);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/upstreams", ADMIN_VIEW, get_upstreams },
	{ ADMIN_GET, "/api/v1/dns", ADMIN_VIEW, get_dns },
};
ADMIN_TABLE(upstreams, routes);
