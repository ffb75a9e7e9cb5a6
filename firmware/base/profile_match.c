/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking things up in a loaded set of profiles. The set is immutable, so any thread may, at once.
 * What comes in (hosts, paths, queries) is from the network: every walk here is bounded by its
 * length.
 */
#include "firmware/base/profile_priv.h"

static bool is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_label(struct span label)
{
	return label.n > 0 && label.n <= 63 && label.p[0] != '-' && label.p[label.n - 1] != '-';
}

/* Labels with dots between them? *ret_last: the last. */
static bool are_labels(struct span host, struct span *ret_last)
{
	size_t from = 0;

	for (size_t i = 0; i < host.n; i++) {
		if (host.p[i] == '.') {
			if (!is_label(span_sub(host, from, i)))
				return false;
			from = i + 1;
		} else if (!is_label_byte(span_lower(host.p[i]))) {
			return false;
		}
	}
	*ret_last = span_drop(host, from);
	return is_label(*ret_last);
}

/* The usual spelling of an address, so that equal ones are equal as text. */
static int literal_normalise(struct span host, char ret_host[PROFILE_HOST_MAX])
{
	char text[ADDR_TEXT_MAX];
	struct addr addr;

	if (span_copy(host, text, sizeof(text)) < 0)
		return -EINVAL;
	if (addr_parse(host, 0, &addr) < 0 || host.p[0] == '[' || addr_port(&addr) != 0)
		return -EINVAL;
	(void)addr_ip_format(&addr, text);
	return span_copy(span_of(text), ret_host, PROFILE_HOST_MAX);
}

int host_normalise(struct span host, char ret_host[PROFILE_HOST_MAX])
{
	struct span label;

	if (span_find(host, ':') < host.n)
		return literal_normalise(host, ret_host);
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	if (host.n >= PROFILE_HOST_MAX || !are_labels(host, &label))
		return -EINVAL;
	/*
	 * No top-level domain is a number (RFC 3696, section 2): then it is an IPv4 address or nothing.
	 */
	if (label.p[0] >= '0' && label.p[0] <= '9' && span_find(label, '-') == label.n) {
		uint64_t number;

		if (span_u64(label, &number) != -EINVAL)
			return literal_normalise(host, ret_host);
	}
	for (size_t i = 0; i < host.n; i++)
		ret_host[i] = span_lower(host.p[i]);
	ret_host[host.n] = '\0';
	return 0;
}

bool glob_match(struct span pattern, struct span text, char separator)
{
	size_t p = 0, t = 0;
	size_t star = SIZE_MAX,
	       from = 0; /* where to take up again: after this star, at this byte */

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.n && pattern.p[p] == text.p[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX && text.p[from] != separator) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

/* What is left of a path, segment by segment; "/a/" has the segments "a" and "". */
struct segments {
	struct span rest;
	bool end;
};

static struct span segment_next(struct segments *s)
{
	size_t i = span_find(s->rest, '/');
	struct span segment = span_head(s->rest, i);

	s->end = i == s->rest.n;
	s->rest = span_drop(s->rest, i + 1);
	return segment;
}

bool path_match(struct span pattern, struct span path)
{
	struct segments p = { span_drop(pattern, 1), pattern.n == 0 };
	struct segments t = { span_drop(path, 1), path.n == 0 };
	struct segments p_back = { .end = true }; /* what follows the last "**" */
	struct segments t_back = { .end = true }; /* and where its match is tried next */

	while (!t.end) {
		struct segments p_next = p, t_next = t;
		struct span want = p.end ? SPAN("") : segment_next(&p_next);

		if (!p.end && span_eq(want, SPAN("**"))) {
			p = p_back = p_next;
			t_back = t;
			if (p.end)
				return true;
		} else if (!p.end && glob_match(want, segment_next(&t_next), '/')) {
			p = p_next;
			t = t_next;
		} else if (!t_back.end) {
			(void)segment_next(&t_back); /* "**" takes one segment more */
			t = t_back;
			p = p_back;
		} else {
			return false;
		}
	}
	while (!p.end)
		if (!span_eq(segment_next(&p), SPAN("**")))
			return false;
	return true;
}

static const struct rule *rule_find(const struct profile *profile, struct span path)
{
	for (const struct rule *rule = profile->rules; rule; rule = rule->next)
		if (path_match(span_of(rule->pattern), path))
			return rule;
	return NULL;
}

const struct profile_class *profile_classify(const struct profile *profile, struct span path)
{
	const struct rule *rule = rule_find(profile, path);

	return rule ? rule->class : &profile->classes[PROFILE_OBJECT];
}

const char *profile_pattern(const struct profile *profile, struct span path)
{
	const struct rule *rule = rule_find(profile, path);

	return rule ? rule->pattern : NULL;
}

static const struct host *host_find(const struct profiles *profiles, struct span name)
{
	struct host *host;

	HASH_FIND(hh, profiles->hosts, name.p, name.n, host);
	return host;
}

/*
 * The claim that decides about a name: a never one if there is any, else exact, else longest
 * suffix.
 */
static const struct claim *claim_find(const struct profiles *profiles, struct span name)
{
	const struct claim *found = NULL;
	struct span rest = name;

	for (size_t i = 0; i < profiles->n_globs; i++)
		if (glob_match(span_of(profiles->globs[i]->name), name, '.'))
			return profiles->globs[i];
	for (bool whole = true; rest.n; whole = false) {
		const struct host *host = host_find(profiles, rest);

		if (host && whole && host->claims[CLAIM_NEVER])
			return host->claims[CLAIM_NEVER];
		if (host && host->claims[CLAIM_NEVER_SUFFIX])
			return host->claims[CLAIM_NEVER_SUFFIX];
		if (host && whole)
			found = host->claims[CLAIM_EXACT];
		if (host && !found)
			found = host->claims[CLAIM_SUFFIX];
		rest = span_drop(rest, span_find(rest, '.') + 1);
	}
	return found;
}

bool profile_match_host(const struct profiles *profiles, struct span host,
			struct profile_match *ret_match)
{
	char name[PROFILE_HOST_MAX];
	const struct claim *claim;

	if (host_normalise(host, name) < 0)
		return false;
	claim = claim_find(profiles, span_of(name));
	if (!claim)
		return false;
	ret_match->profile = claim->profile;
	ret_match->never = claim->kind >= CLAIM_NEVER;
	memcpy(ret_match->host, name, sizeof(name));
	CHECK_OK(span_copy(span_of(claim->group ? claim->group->name : name), ret_match->group,
			   sizeof(ret_match->group)));
	return true;
}

static int hex_value(char c)
{
	uint64_t value;

	return span_hex(span_make(&c, 1), &value) < 0 ? -1 : (int)value;
}

/* Is this parameter name, percent-encoded in any way, that one? "%69d" must not slip past "id". */
static bool name_is(struct span encoded, struct span plain)
{
	size_t n = 0;

	for (size_t i = 0; i < encoded.n; i++, n++) {
		char c = encoded.p[i];

		if (c == '%' && i + 2 < encoded.n && hex_value(encoded.p[i + 1]) >= 0 &&
		    hex_value(encoded.p[i + 2]) >= 0) {
			c = (char)(hex_value(encoded.p[i + 1]) << 4 | hex_value(encoded.p[i + 2]));
			i += 2;
		}
		if (n >= plain.n || plain.p[n] != c)
			return false;
	}
	return n == plain.n;
}

static bool list_has(const struct string_list *list, struct span name)
{
	for (size_t i = 0; i < list->n; i++)
		if (name_is(name, span_of(list->v[i])))
			return true;
	return false;
}

static bool is_kept(const struct profile *profile, struct span parameter)
{
	struct span name = span_head(parameter, span_find(parameter, '='));

	if (profile->drop_all)
		return false;
	if (profile->keep.n)
		return list_has(&profile->keep, name);
	return !list_has(&profile->drop, name);
}

int profile_query_normalise(const struct profile *profile, struct span query, char *buf,
			    size_t size, size_t *ret_n)
{
	struct span parameter;
	bool first = true;
	size_t n = 0;

	while (span_cut(&query, '&', &parameter)) {
		if (!is_kept(profile, parameter))
			continue;
		if (parameter.n + !first > size - n)
			return -ENOSPC;
		if (!first)
			buf[n++] = '&';
		if (parameter.n)
			memcpy(buf + n, parameter.p, parameter.n);
		n += parameter.n;
		first = false;
	}
	*ret_n = n;
	return 0;
}

const char *const *profile_mirrors(const struct profile *profile, const char *group, size_t *ret_n)
{
	for (const struct group *g = profile->groups; g; g = g->next) {
		if (strcmp(g->name, group) == 0) {
			*ret_n = g->n;
			return g->n ? g->mirrors : NULL;
		}
	}
	*ret_n = 0;
	return NULL;
}

static void each_claim(const struct profiles *profiles, unsigned kinds, profile_host_f *f,
		       void *arg)
{
	for (size_t i = 0; i < profiles->n; i++)
		for (const struct claim *c = profiles->v[i]->claims; c; c = c->next)
			if (kinds & 1u << c->kind)
				f(c->profile, span_of(c->text), arg);
}

void profile_each_exact_host(const struct profiles *profiles, profile_host_f *f, void *arg)
{
	each_claim(profiles, 1u << CLAIM_EXACT, f, arg);
}

void profile_each_suffix(const struct profiles *profiles, profile_host_f *f, void *arg)
{
	each_claim(profiles, 1u << CLAIM_SUFFIX, f, arg);
}

void profile_each_never(const struct profiles *profiles, profile_host_f *f, void *arg)
{
	each_claim(profiles, 1u << CLAIM_NEVER | 1u << CLAIM_NEVER_SUFFIX | 1u << CLAIM_NEVER_GLOB,
		   f, arg);
}

bool profile_ahead(const struct profile *profile)
{
	return profile->ahead;
}

const struct string_list *profile_sync_headers(const struct profile *profile)
{
	return &profile->sync_headers;
}

const struct string_list *profile_sync_query(const struct profile *profile)
{
	return &profile->sync_query;
}
