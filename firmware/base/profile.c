/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading one vendor profile. The file becomes a struct profile that owns its texts, claims, groups
 * and rules. It is made by one thread and immutable afterwards.
 *
 * Sections of fixed name go through the settings table as they are. [group NAME] and [class KIND]
 * are tables of their own, one struct a section. Lists that need more than words (hosts, patterns)
 * are drained from the table's struct after each line, while the line number is at hand.
 */
#include "firmware/base/profile_priv.h"

#include <stdlib.h>

#include "firmware/base/log.h"

#define RANGE_MAX	 1000 /* hosts of one brace range */
#define NAME_MAX_BYTES	 32

#define AT(member)	 offsetof(struct profile, member)
#define CLASS_AT(member) offsetof(struct class_values, member)
#define GROUP_AT(member) offsetof(struct group, member)

static const char *const tls_modes[] = { "splice", "refuse", "intercept", NULL };
static const char *const upstreams[] = { "http", "https", NULL };
static const char *const schemes[] = { "separate", "same", NULL };
static const char *const class_names[] = { "object", "index", "pass", NULL };

_Static_assert(PROFILE_OBJECT == 0 && PROFILE_INDEX == 1 && PROFILE_PASS == 2, "class_names");
_Static_assert(PROFILE_SCHEMES_SEPARATE == 0 && PROFILE_SCHEMES_SAME == 1, "schemes");
_Static_assert(PROFILE_TLS_SPLICE == 0 && PROFILE_TLS_REFUSE == 1 && PROFILE_TLS_INTERCEPT == 2,
	       "tls_modes");

/* clang-format off */
static const struct setting profile_rows[] = {
	{ "vendor", "name", SETTING_STRING, AT(name), "",
	  "Short name: lower-case letters, digits, '-'. Part of every key, and of the update source's paths.", 0, 0, NULL },
	{ "vendor", "title", SETTING_STRING, AT(title), "", "Name for people; default: the name.", 0, 0, NULL },
	{ "vendor", "source", SETTING_STRING, AT(source_text), "",
	  "host or host:port that /<name>/... of the update source is fetched from; default: the first exact host, port 80, or 443 with upstream = https.", 0, 0, NULL },
	{ "vendor", "upstream", SETTING_ENUM, AT(upstream), "http",
	  "How the update source, and what is fetched ahead, is asked of the vendor. https is verified in full and never replaced by http.", 0, 0, upstreams },
	{ "vendor", "schemes", SETTING_ENUM, AT(schemes), "separate",
	  "same: the vendor's hosts carry the same content by http and https, so that what came by one answers the other.", 0, 0, schemes },
	{ "vendor", "enabled", SETTING_BOOL, AT(enabled), "yes",
	  "no: the file is checked, but not used.", 0, 0, NULL },
	{ "hosts", "exact", SETTING_STRINGS, AT(exact), "", "Hosts whose traffic is cached; ranges as s{00..19}.example.com.", 0, 0, NULL },
	{ "hosts", "suffix", SETTING_STRINGS, AT(suffix), "", "Names that are cached with all names below them.", 0, 0, NULL },
	{ "hosts", "never", SETTING_STRINGS, AT(never), "",
	  "host, .suffix or pattern with '*': never intercepted, whatever else matches.", 0, 0, NULL },
	{ "query", "keep", SETTING_STRINGS, AT(keep), "", "The only parameters of a query that select content. One of keep, drop, drop_all.", 0, 0, NULL },
	{ "query", "drop", SETTING_STRINGS, AT(drop), "", "Parameters that do not select content: those that identify an installation.", 0, 0, NULL },
	{ "query", "drop_all", SETTING_BOOL, AT(drop_all), "no", "No parameter selects content.", 0, 0, NULL },
	{ "reach", "host", SETTING_STRING, AT(reach_host_text), "", "The host whose reachability is checked: it is resolved and connected.", 0, 0, NULL },
	{ "reach", "port", SETTING_INT, AT(reach_port), "443", "The port that is connected.", 1, 65535, NULL },
	{ "reach", "resolvers", SETTING_ADDRS, AT(resolvers), "", "Public resolvers, in order, for when the network's own do not reach the vendor ([dns] public in tarn.conf).", 53, 0, NULL },
	{ "tls", "mode", SETTING_ENUM, AT(tls_mode), "splice", "What becomes of TLS.", 0, 0, tls_modes },
	{ "tls", "ca_file", SETTING_STRING, AT(ca_file), "",
	  "Certificates (PEM) that may vouch for this vendor's, beside the system's.", 0, 0, NULL },
	{ "sync", "ahead", SETTING_BOOL, AT(ahead), "no", "Fetch ahead what devices ask for, and publish index and objects together.", 0, 0, NULL },
	{ "sync", "headers", SETTING_STRINGS, AT(sync_headers), "", "NAME=TEMPLATE: fields of the box's own requests; {product_id}, {product_version}, {installation_id}, {licence_id} are [sync] settings of tarn.conf, {run} another number each time.", 0, 0, NULL },
	{ "sync", "query", SETTING_STRINGS, AT(sync_query), "", "NAME=TEMPLATE: parameters of the box's own requests, as with headers.", 0, 0, NULL },
};
static const struct setting class_rows[] = {
	{ "class", "path", SETTING_STRINGS, CLASS_AT(path), "", "Patterns of paths; the first that matches decides, in the order of the file. * is any run within a segment, ** any number of segments.", 0, 0, NULL },
	{ "class", "default_ttl", SETTING_DURATION, CLASS_AT(default_ttl), "0", "How long a response is fresh where the vendor does not say. Not set: guessed from Last-Modified (RFC 9111).", 0, 0, NULL },
	{ "class", "max_ttl", SETTING_DURATION, CLASS_AT(max_ttl), "0", "Fresh for no longer than this, whatever the vendor says. Not set: no limit.", 0, 0, NULL },
	{ "class", "force_ttl", SETTING_DURATION, CLASS_AT(force_ttl), "0", "Fresh for just this long, against what the vendor says. Not together with the other two.", 0, 0, NULL },
	{ "class", "stale_if_error", SETTING_DURATION, CLASS_AT(stale_if_error), "0", "How long after that it may still be served while the vendor can not be reached. Not set: never.", 0, 0, NULL },
};
static const struct setting group_rows[] = {
	{ "group", "exact", SETTING_STRINGS, GROUP_AT(exact), "", "Hosts that carry one content: the same path is the same object on each, and one steps in for another that fails. Ranges as s{00..19}.example.com.", 0, 0, NULL },
	{ "group", "suffix", SETTING_STRINGS, GROUP_AT(suffix), "", "Names that belong to it with all names below them.", 0, 0, NULL },
};
/* clang-format on */

static const struct settings_table profile_table = { profile_rows, ARRAY_LEN(profile_rows),
						     sizeof(struct profile) };
static const struct settings_table class_table = { class_rows, ARRAY_LEN(class_rows),
						   sizeof(struct class_values) };
static const struct settings_table group_table = { group_rows, ARRAY_LEN(group_rows),
						   sizeof(struct group) };

static const struct profile_section sections[] = {
	{ "vendor", NULL, &profile_table, "vendor" },
	{ "hosts", "A host of no profile passes untouched. No two profiles may claim one name.",
	  &profile_table, "hosts" },
	{ "group NAME", "Any number of groups of mirrors.", &group_table, "group" },
	{ "class KIND",
	  "KIND is index (short-lived: it says which objects are current), object (long-lived) or "
	  "pass (relayed, never stored; it has no times). A path that no pattern matches is an "
	  "object.",
	  &class_table, "class" },
	{ "index NAME",
	  "How an index names its objects, so that they can be fetched ahead and checked. Any "
	  "number "
	  "of sections; of those with a matching pattern the first counts.",
	  &profile_index_table, "index" },
	{ "query", "Which parameters of a query are part of the key; without this section all are.",
	  &profile_table, "query" },
	{ "reach", NULL, &profile_table, "reach" },
	{ "tls", NULL, &profile_table, "tls" },
	{ "sync", NULL, &profile_table, "sync" },
};

size_t profile_sections(const struct profile_section **ret_sections)
{
	*ret_sections = sections;
	return ARRAY_LEN(sections);
}

_Static_assert(ARRAY_LEN(group_rows) == sizeof(((struct group *)0)->seen), "a byte a row");

/* One file being read. */
struct loading {
	struct profile *profile;
	uint8_t seen[ARRAY_LEN(profile_rows)];
	uint8_t class_seen[PROFILE_KINDS][ARRAY_LEN(class_rows)];
	struct class_values values[PROFILE_KINDS];
	struct claim **claims_end;
	struct rule **rules_end;
	struct group **groups_end;
	unsigned line;
	/* of what only the whole file can tell to be wrong; 0: not there */
	unsigned name_line, query_line, reach_line, source_line;
};

/* ---- hosts ---- */

/* Checks a name by its kind and stores it as a claim. */
static int claim_add(struct loading *l, enum claim_kind kind, struct span text, struct group *group,
		     struct settings_error *error)
{
	char host[PROFILE_HOST_MAX] = "";
	char probe[PROFILE_HOST_MAX];
	bool dot = kind == CLAIM_NEVER_SUFFIX;
	struct span name = span_drop(text, dot);
	struct claim *claim;
	struct addr addr;

	/* A pattern is a host name once each '*' is a letter. */
	if (span_copy(name, probe, sizeof(probe)) < 0)
		probe[0] = '\0';
	for (char *p = probe; kind == CLAIM_NEVER_GLOB && *p; p++)
		*p = *p == '*' ? 'x' : *p;
	if (host_normalise(span_of(probe), host) < 0)
		return settings_wrong(error, "a host name, or a range as s{00..19}.example.com",
				      "%s is not a host name", LOG_QUOTE(text));
	if ((kind == CLAIM_SUFFIX || dot) &&
	    (!strchr(host, '.') || addr_parse(span_of(host), 0, &addr) == 0))
		return settings_wrong(error, "a domain of at least two labels",
				      "%s is too wide a suffix", LOG_QUOTE(text));
	for (size_t i = 0; kind == CLAIM_NEVER_GLOB && host[i]; i++)
		if (name.p[i] == '*')
			host[i] = '*';
	claim = calloc(1, sizeof(*claim));
	if (!claim || asprintf(&claim->text, "%s%s", dot ? "." : "", host) < 0) {
		free(claim);
		return profile_no_memory(error);
	}
	claim->kind = kind;
	claim->name = claim->text + dot;
	claim->profile = l->profile;
	claim->group = group;
	claim->line = l->line;
	*l->claims_end = claim;
	l->claims_end = &claim->next;
	if (group && kind == CLAIM_EXACT)
		group->n++;
	return 0;
}

/* "s{00..19}.example.com" into its parts; false if it has no such range. */
struct range {
	struct span before, after;
	uint64_t first, last;
	size_t width;
};

static int range_parse(struct span word, struct range *ret_range, struct settings_error *error)
{
	size_t open = span_find(word, '{'), close = span_find(word, '}');
	struct span inside = span_sub(word, open + 1, close);
	struct span first = span_head(inside, span_find(inside, '.'));
	struct span last = span_drop(inside, first.n + 2);
	struct range r = { span_head(word, open), span_drop(word, close + 1), 0, 0, first.n };

	if (close <= open || inside.n < first.n + 2 || inside.p[first.n + 1] != '.' ||
	    first.n != last.n || first.n > 4 || span_u64(first, &r.first) < 0 ||
	    span_u64(last, &r.last) < 0 || r.first > r.last || r.last - r.first >= RANGE_MAX)
		return settings_wrong(error,
				      "{00..19}: rising, both ends of one width, at most 1000",
				      "%s has a wrong range", LOG_QUOTE(word));
	*ret_range = r;
	return 0;
}

static int word_add(struct loading *l, enum claim_kind kind, struct span word, struct group *group,
		    struct settings_error *error)
{
	struct range r = { 0 };
	int rc = 0;

	if (span_find(word, '{') == word.n && span_find(word, '}') == word.n)
		return claim_add(l, kind, word, group, error);
	rc = range_parse(word, &r, error);
	for (uint64_t i = r.first; rc == 0 && i <= r.last; i++) {
		char name[PROFILE_HOST_MAX + 8];
		int n = snprintf(name, sizeof(name), "%.*s%0*u%.*s", SPAN_FMT(r.before),
				 (int)r.width, (unsigned)i, SPAN_FMT(r.after));

		rc = claim_add(l, kind, span_make(name, (size_t)n), group, error);
	}
	return rc;
}

static enum claim_kind never_kind(struct span word)
{
	if (span_find(word, '*') < word.n)
		return CLAIM_NEVER_GLOB;
	return word.n && word.p[0] == '.' ? CLAIM_NEVER_SUFFIX : CLAIM_NEVER;
}

static void strings_clear(struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct string_list){ 0 };
}

/* Moves the words of a list to the claims. */
static int hosts_drain(struct loading *l, enum claim_kind kind, struct string_list *list,
		       struct group *group, struct settings_error *error)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < list->n; i++) {
		struct span word = span_of(list->v[i]);

		rc = word_add(l, kind == CLAIM_NEVER ? never_kind(word) : kind, word, group, error);
	}
	strings_clear(list);
	return rc;
}

/* ---- sections ---- */

static bool is_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c != '-' || i == 0))
			return false;
	}
	return name.n > 0 && name.n <= NAME_MAX_BYTES;
}

static struct group *group_get(struct loading *l, struct span name)
{
	struct group *group;

	for (group = l->profile->groups; group; group = group->next)
		if (span_eq(span_of(group->name + 1), name))
			return group;
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	(void)snprintf(group->name, sizeof(group->name), "@%.*s", SPAN_FMT(name));
	*l->groups_end = group;
	l->groups_end = &group->next;
	return group;
}

static int group_line(struct loading *l, struct span name, struct span key, struct span value,
		      struct settings_error *error)
{
	struct group *group;
	int rc;

	if (!is_name(name))
		return settings_wrong(error, "[group NAME], NAME of a-z, 0-9, '-', at most 32",
				      "%s is not a group's name", LOG_QUOTE(name));
	group = group_get(l, name);
	if (!group)
		return profile_no_memory(error);
	rc = settings_set(&group_table, SPAN("group"), key, value, group->seen, group, error);
	if (rc < 0)
		return rc;
	rc = hosts_drain(l, CLAIM_EXACT, &group->exact, group, error);
	return rc < 0 ? rc : hosts_drain(l, CLAIM_SUFFIX, &group->suffix, group, error);
}

bool profile_is_pattern(struct span pattern)
{
	struct span rest = span_drop(pattern, 1), segment;

	if (pattern.n == 0 || pattern.p[0] != '/')
		return false;
	while (span_cut(&rest, '/', &segment))
		for (size_t i = 0; i + 1 < segment.n; i++)
			if (segment.p[i] == '*' && segment.p[i + 1] == '*' && segment.n != 2)
				return false;
	return span_find(pattern, '?') == pattern.n && span_find(pattern, '#') == pattern.n;
}

static int rule_add(struct loading *l, enum profile_kind kind, char *pattern,
		    struct settings_error *error)
{
	struct rule *rule;

	if (!profile_is_pattern(span_of(pattern)))
		return settings_wrong(error,
				      "/ and segments; * within one, ** as a whole one; no query",
				      "%s is not a path pattern", LOG_QUOTE(span_of(pattern)));
	rule = calloc(1, sizeof(*rule));
	if (!rule || !(rule->pattern = span_dup(span_of(pattern)))) {
		free(rule);
		return profile_no_memory(error);
	}
	rule->class = &l->profile->classes[kind];
	*l->rules_end = rule;
	l->rules_end = &rule->next;
	return 0;
}

static int class_line(struct loading *l, struct span name, struct span key, struct span value,
		      struct settings_error *error)
{
	struct class_values *values;
	int kind = 0, rc;

	while (class_names[kind] && !span_eq(name, span_of(class_names[kind])))
		kind++;
	if (!class_names[kind])
		return settings_wrong(error, "[class index], [class object], [class pass]",
				      "%s is not a class", LOG_QUOTE(name));
	values = &l->values[kind];
	rc = settings_set(&class_table, SPAN("class"), key, value, l->class_seen[kind], values,
			  error);
	for (size_t i = 0; rc == 0 && i < values->path.n; i++)
		rc = rule_add(l, (enum profile_kind)kind, values->path.v[i], error);
	strings_clear(&values->path);
	return rc;
}

static int index_line(struct loading *l, struct span name, struct span key, struct span value,
		      struct settings_error *error)
{
	if (!is_name(name))
		return settings_wrong(error, "[index NAME], NAME of a-z, 0-9, '-', at most 32",
				      "%s is not an index's name", LOG_QUOTE(name));
	return profile_index_line(&l->profile->indexes, name, key, value, error);
}

static int fixed_line(struct loading *l, struct span section, struct span key, struct span value,
		      struct settings_error *error)
{
	struct profile *p = l->profile;
	int rc = settings_set(&profile_table, section, key, value, l->seen, p, error);
	size_t n = strlen(error->allowed);

	if (rc < 0) {
		if (span_starts(span_of(error->what), SPAN("unknown section")))
			(void)snprintf(error->allowed + n, sizeof(error->allowed) - n,
				       ", group NAME, class index, class object, class pass, "
				       "index NAME");
		return rc;
	}
	rc = hosts_drain(l, CLAIM_EXACT, &p->exact, NULL, error);
	if (rc == 0)
		rc = hosts_drain(l, CLAIM_SUFFIX, &p->suffix, NULL, error);
	if (rc == 0)
		rc = hosts_drain(l, CLAIM_NEVER, &p->never, NULL, error);
	return rc;
}

static void line_note(struct loading *l, struct span section, struct span key)
{
	if (span_eq(section, SPAN("query")))
		l->query_line = l->line;
	else if (span_eq(section, SPAN("reach")) && span_eq(key, SPAN("host")))
		l->reach_line = l->line;
	else if (span_eq(section, SPAN("vendor")) && span_eq(key, SPAN("name")))
		l->name_line = l->line;
	else if (span_eq(section, SPAN("vendor")) && span_eq(key, SPAN("source")))
		l->source_line = l->line;
}

static int on_line(void *arg, struct span section, struct span key, struct span value,
		   unsigned line, struct settings_error *error)
{
	struct loading *l = arg;
	struct span kind = span_head(section, span_find(section, ' '));
	struct span name = span_trim(span_drop(section, kind.n));

	l->line = line;
	line_note(l, section, key);
	if (span_eq(kind, SPAN("group")))
		return group_line(l, name, key, value, error);
	if (span_eq(kind, SPAN("class")))
		return class_line(l, name, key, value, error);
	if (span_eq(kind, SPAN("index")))
		return index_line(l, name, key, value, error);
	return fixed_line(l, section, key, value, error);
}

/* ---- a whole file ---- */

static int class_finish(struct loading *l, enum profile_kind kind, struct settings_error *error)
{
	const struct class_values *v = &l->values[kind];
	const uint8_t *seen = l->class_seen[kind];

	l->profile->classes[kind] = (struct profile_class){
		.kind = kind,
		.default_ttl = seen[1] ? v->default_ttl : -1,
		.max_ttl = seen[2] ? v->max_ttl : -1,
		.force_ttl = seen[3] ? v->force_ttl : -1,
		.stale_if_error = seen[4] ? v->stale_if_error : -1,
	};
	if (kind == PROFILE_PASS && (seen[1] || seen[2] || seen[3] || seen[4]))
		return settings_wrong(error, "path", "[class pass] is not stored and has no times");
	if (seen[3] && (seen[1] || seen[2]))
		return settings_wrong(error, "force_ttl, or default_ttl and max_ttl",
				      "[class %s] has force_ttl and another ttl",
				      class_names[kind]);
	return 0;
}

/* The mirrors of each group, in the file's order. */
static int groups_finish(struct profile *p, struct settings_error *error)
{
	for (struct group *g = p->groups; g; g = g->next) {
		g->mirrors = calloc(g->n + 1, sizeof(*g->mirrors));
		if (!g->mirrors)
			return profile_no_memory(error);
		g->n = 0;
	}
	for (const struct claim *c = p->claims; c; c = c->next)
		if (c->group && c->kind == CLAIM_EXACT)
			c->group->mirrors[c->group->n++] = c->name;
	return 0;
}

/* [vendor] source: the host and port as given, or the first exact host. */
static int source_finish(struct profile *p, struct settings_error *error)
{
	struct span text = span_of(p->source_text);
	size_t colon = span_find(text, ':');
	uint64_t port = profile_upstream_secure(p) ? 443 : 80;

	if (text.n) {
		if (host_normalise(span_head(text, colon), p->source_host) < 0 ||
		    (colon < text.n && (span_u64(span_drop(text, colon + 1), &port) < 0 ||
					port == 0 || port > UINT16_MAX)))
			return settings_wrong(error, "host or host:port", "[vendor] source = %s",
					      LOG_QUOTE(text));
	} else {
		const struct claim *c = p->claims;

		while (c && c->kind != CLAIM_EXACT)
			c = c->next;
		if (c)
			CHECK_OK(span_copy(span_of(c->name), p->source_host, PROFILE_HOST_MAX));
	}
	p->source_port = (uint16_t)port;
	return 0;
}

static bool claims_any(const struct profile *p)
{
	for (const struct claim *c = p->claims; c; c = c->next)
		if (c->kind == CLAIM_EXACT || c->kind == CLAIM_SUFFIX)
			return true;
	return false;
}

static int profile_finish(struct loading *l, struct settings_error *error)
{
	struct profile *p = l->profile;
	int rc = 0;

	error->line = l->name_line;
	if (!is_name(span_of(p->name)))
		return settings_wrong(error, "a-z, 0-9, '-', at most 32", "[vendor] name = %s",
				      LOG_QUOTE(span_of(p->name)));
	error->line = 0;
	if (!claims_any(p))
		return settings_wrong(error, "exact or suffix in [hosts] or [group NAME]",
				      "the profile names no host");
	error->line = l->query_line;
	if ((p->keep.n > 0) + (p->drop.n > 0) + p->drop_all > 1)
		return settings_wrong(error, "one of keep, drop, drop_all",
				      "[query] contradicts itself");
	error->line = l->reach_line;
	if (p->reach_host_text[0] && host_normalise(span_of(p->reach_host_text), p->reach_host) < 0)
		return settings_wrong(error, "a host name", "[reach] host = %s",
				      LOG_QUOTE(span_of(p->reach_host_text)));
	error->line = 0;
	if (p->ca_file[0] && p->ca_file[0] != '/')
		return settings_wrong(error, "an absolute path", "[tls] ca_file = %s",
				      LOG_QUOTE(span_of(p->ca_file)));
	for (unsigned kind = 0; rc == 0 && kind < PROFILE_KINDS; kind++)
		rc = class_finish(l, (enum profile_kind)kind, error);
	if (rc == 0)
		rc = groups_finish(p, error);
	if (rc == 0)
		rc = profile_index_finish(p->indexes, error);
	if (rc < 0)
		return rc;
	error->line = l->source_line;
	return source_finish(p, error);
}

void profile_free(struct profile **profile)
{
	struct profile *p = *profile;

	if (!p)
		return;
	for (struct claim *c = p->claims, *next; c; c = next) {
		next = c->next;
		free(c->text);
		free(c);
	}
	for (struct rule *r = p->rules, *next; r; r = next) {
		next = r->next;
		free(r->pattern);
		free(r);
	}
	for (struct group *g = p->groups, *next; g; g = next) {
		next = g->next;
		settings_free(&group_table, g);
		free(g->mirrors);
		free(g);
	}
	profile_index_free(&p->indexes);
	settings_free(&profile_table, p);
	free(p->file);
	free(p);
	*profile = NULL;
}

int profile_load(const char *path, struct profile **ret_profile, struct settings_error *error)
{
	struct loading l = { .profile = calloc(1, sizeof(struct profile)) };
	int rc;

	*error = (struct settings_error){ 0 };
	(void)snprintf(error->file, sizeof(error->file), "%s", path);
	if (!l.profile)
		return profile_no_memory(error);
	l.claims_end = &l.profile->claims;
	l.rules_end = &l.profile->rules;
	l.groups_end = &l.profile->groups;
	l.profile->file = span_dup(span_of(path));
	rc = l.profile->file ? settings_defaults(&profile_table, NULL, l.profile) : -ENOMEM;
	if (rc < 0)
		(void)profile_no_memory(error);
	if (rc == 0)
		rc = settings_read(path, on_line, &l, error);
	if (rc == 0)
		rc = profile_finish(&l, error);
	if (rc < 0)
		profile_free(&l.profile);
	else
		*ret_profile = l.profile;
	for (size_t i = 0; i < PROFILE_KINDS; i++)
		settings_free(&class_table, &l.values[i]);
	return rc;
}

const char *profile_name(const struct profile *profile)
{
	return profile->name;
}

const char *profile_title(const struct profile *profile)
{
	return profile->title[0] ? profile->title : profile->name;
}

const char *profile_file(const struct profile *profile)
{
	return profile->file;
}

const char *profile_source(const struct profile *profile, uint16_t *ret_port)
{
	if (!profile->source_host[0])
		return NULL;
	*ret_port = profile->source_port;
	return profile->source_host;
}

bool profile_upstream_secure(const struct profile *profile)
{
	return profile->upstream == 1;
}

bool profile_schemes_same(const struct profile *profile)
{
	return profile->schemes == PROFILE_SCHEMES_SAME;
}

const char *profile_ca_file(const struct profile *profile)
{
	return profile->ca_file[0] ? profile->ca_file : NULL;
}

const char *profile_reach_host(const struct profile *profile, uint16_t *ret_port)
{
	if (!profile->reach_host[0])
		return NULL;
	*ret_port = (uint16_t)profile->reach_port;
	return profile->reach_host;
}

enum profile_tls profile_tls(const struct profile *profile)
{
	return (enum profile_tls)profile->tls_mode;
}

const char *profile_tls_name(const struct profile *profile)
{
	return tls_modes[profile->tls_mode];
}

const struct addr_list *profile_resolvers(const struct profile *profile)
{
	return &profile->resolvers;
}
