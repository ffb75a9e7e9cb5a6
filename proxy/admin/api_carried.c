/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: what became of an export or import, told by who did it (tarnctl), so that it stands among the box's events. It
 * changes nothing else. Only the local socket leads here.
 */
#include "firmware/base/log.h"
#include "proxy/admin/route.h"

struct carried {
	struct span vendor, where, why;
	uint64_t generation, objects, bytes, moved, missing;
};

static uint64_t number_of(const struct admin_ask *ask, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(ask->body, name));
}

static void exported(const struct carried *c)
{
	if (c->why.n)
		LOG(LOG_L_WARN, "export.failed", "vendor=%s where=%s why=%s", LOG_QUOTE(c->vendor),
		    LOG_QUOTE(c->where), LOG_QUOTE(c->why));
	else if (c->missing)
		LOG(LOG_L_WARN, "export.partial",
		    "vendor=%s where=%s number=%ju objects=%ju bytes=%ju written=%ju missing=%ju",
		    LOG_QUOTE(c->vendor), LOG_QUOTE(c->where), (uintmax_t)c->generation,
		    (uintmax_t)c->objects, (uintmax_t)c->bytes, (uintmax_t)c->moved,
		    (uintmax_t)c->missing);
	else
		LOG(LOG_L_NOTICE, "export.done",
		    "vendor=%s where=%s number=%ju objects=%ju bytes=%ju written=%ju",
		    LOG_QUOTE(c->vendor), LOG_QUOTE(c->where), (uintmax_t)c->generation,
		    (uintmax_t)c->objects, (uintmax_t)c->bytes, (uintmax_t)c->moved);
}

static void imported(const struct carried *c)
{
	if (c->why.n)
		LOG(LOG_L_WARN, "import.failed", "vendor=%s where=%s why=%s", LOG_QUOTE(c->vendor),
		    LOG_QUOTE(c->where), LOG_QUOTE(c->why));
	else
		LOG(LOG_L_NOTICE, "import.done",
		    "vendor=%s where=%s number=%ju objects=%ju bytes=%ju read=%ju",
		    LOG_QUOTE(c->vendor), LOG_QUOTE(c->where), (uintmax_t)c->generation,
		    (uintmax_t)c->objects, (uintmax_t)c->bytes, (uintmax_t)c->moved);
}

static void post_carried(struct admin_ask *ask)
{
	const char *way = admin_body_text(ask, "way"), *vendor = admin_body_text(ask, "profile"),
		   *where = admin_body_text(ask, "where"), *why = admin_body_text(ask, "why");
	bool is_export = span_eq(span_of(way), SPAN("export"));
	struct carried c = {
		.vendor = span_of(vendor),
		.where = span_of(where),
		.why = span_of(why),
		.generation = number_of(ask, "generation"),
		.objects = number_of(ask, "objects"),
		.bytes = number_of(ask, "bytes"),
		.moved = number_of(ask, "moved"),
		.missing = number_of(ask, "missing"),
	};

	if (!ask->local) {
		admin_answer_error(ask, 403, "local", "this comes over the unix socket alone");
		return;
	}
	if (!c.vendor.n || !c.where.n || (!is_export && !span_eq(span_of(way), SPAN("import")))) {
		admin_answer_error(ask, 422, "invalid",
				   "way is export or import; profile and where must be there");
		return;
	}
	if (is_export)
		exported(&c);
	else
		imported(&c);
	admin_answer_done(ask);
}

static const struct admin_route routes[] = {
	{ ADMIN_POST, "/api/v1/carried", ADMIN_OPERATE, post_carried },
};
ADMIN_TABLE(carried, routes);
