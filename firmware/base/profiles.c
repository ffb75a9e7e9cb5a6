/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of vendor profiles: the enabled ones of a directory, entered in one hash of host names,
 * where two claims on one name meet and are refused. Made by one thread, immutable afterwards, gone
 * with the last reference; claims live in the profiles, the hash only points at them.
 */
#include "firmware/base/profile_priv.h"

#include <dirent.h>
#include <stdlib.h>

int profile_no_memory(struct settings_error *error)
{
	(void)settings_wrong(error, "", "out of memory");
	return -ENOMEM;
}

static _Thread_local bool hash_failed;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(element) (hash_failed = true)

static int claim_enter(struct profiles *set, const struct claim *c, struct settings_error *error)
{
	struct host *host;
	const struct claim *other;

	HASH_FIND(hh, set->hosts, c->name, strlen(c->name), host);
	if (!host) {
		host = calloc(1, sizeof(*host));
		if (!host)
			return profile_no_memory(error);
		host->name = c->name;
		hash_failed = false;
		HASH_ADD_KEYPTR(hh, set->hosts, host->name, strlen(host->name), host);
		if (hash_failed) {
			free(host);
			return profile_no_memory(error);
		}
	}
	other = host->claims[c->kind];
	if (other) {
		error->line = c->line;
		return settings_wrong(error, "one claim a name", "%s is already claimed at %s:%u",
				      c->name, other->profile->file, other->line);
	}
	host->claims[c->kind] = c;
	return 0;
}

static int glob_enter(struct profiles *set, const struct claim *c, struct settings_error *error)
{
	const struct claim **grown = realloc(set->globs, (set->n_globs + 1) * sizeof(*grown));

	if (!grown)
		return profile_no_memory(error);
	set->globs = grown;
	set->globs[set->n_globs++] = c;
	return 0;
}

/* The source must be a host of this profile: else the update source would fetch from strangers. */
static int source_check(const struct profiles *set, const struct profile *p,
			struct settings_error *error)
{
	struct profile_match match;

	if (p->source_host[0] && (!profile_match_host(set, span_of(p->source_host), &match) ||
				  match.profile != p || match.never))
		return settings_wrong(error, "a host of this profile", "[vendor] source = %s",
				      p->source_host);
	return 0;
}

static int profile_enter(struct profiles *set, struct profile *p, struct settings_error *error)
{
	int rc = 0;

	(void)snprintf(error->file, sizeof(error->file), "%s", p->file);
	for (size_t i = 0; i + 1 < set->n; i++)
		if (strcmp(set->v[i]->name, p->name) == 0)
			return settings_wrong(error, "a name of its own",
					      "[vendor] name = %s is already that of %s", p->name,
					      set->v[i]->file);
	for (const struct claim *c = p->claims; rc == 0 && c; c = c->next)
		rc = c->kind == CLAIM_NEVER_GLOB ? glob_enter(set, c, error)
						 : claim_enter(set, c, error);
	return rc;
}

static int is_conf(const struct dirent *entry)
{
	struct span name = span_of(entry->d_name);

	return name.n > 5 && name.p[0] != '.' && span_ends(name, SPAN(".conf"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Loads one file; if it is enabled, the set owns it and its claims. */
static int set_add(struct profiles *set, const char *path, struct settings_error *error)
{
	struct profile *profile = NULL;
	struct profile **grown;
	int rc = profile_load(path, &profile, error);

	if (rc < 0)
		return rc;
	if (!profile->enabled) {
		profile_free(&profile);
		return 0;
	}
	grown = realloc(set->v, (set->n + 1) * sizeof(struct profile *));
	if (!grown) {
		profile_free(&profile);
		return profile_no_memory(error);
	}
	set->v = grown;
	set->v[set->n++] = profile;
	return profile_enter(set, profile, error);
}

static int set_load(struct profiles *set, const char *dir, struct settings_error *error)
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, is_conf, by_name);
	int rc = n < 0 ? -errno : 0;

	if (rc < 0)
		(void)settings_wrong(
			error,
			"a folder of vendor profiles, *.conf; [vendors] dir in tarn.conf names it",
			"%s", strerror(-rc));
	for (int i = 0; i < n; i++) {
		char *path = NULL;

		if (rc == 0 && asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0)
			rc = profile_no_memory(error);
		else if (rc == 0)
			rc = set_add(set, path, error);
		free(path);
		free(entries[i]);
	}
	free(entries);
	for (size_t i = 0; rc == 0 && i < set->n; i++) {
		(void)snprintf(error->file, sizeof(error->file), "%s", set->v[i]->file);
		rc = source_check(set, set->v[i], error);
	}
	return rc;
}

static void set_free(struct profiles *set)
{
	struct host *host, *next;

	HASH_ITER(hh, set->hosts, host, next)
	{
		HASH_DEL(set->hosts, host);
		free(host);
	}
	for (size_t i = 0; i < set->n; i++)
		profile_free(&set->v[i]);
	free(set->v);
	free(set->globs);
	free(set);
}

int profiles_load(const char *dir, struct profiles **ret_profiles, struct settings_error *error)
{
	struct profiles *set = calloc(1, sizeof(*set));
	int rc;

	*error = (struct settings_error){ 0 };
	(void)snprintf(error->file, sizeof(error->file), "%s", dir);
	if (!set)
		return profile_no_memory(error);
	atomic_init(&set->refs, 1);
	rc = set_load(set, dir, error);
	if (rc < 0) {
		set_free(set);
		return rc;
	}
	*error = (struct settings_error){ 0 };
	*ret_profiles = set;
	return 0;
}

struct profiles *profiles_ref(struct profiles *profiles)
{
	CHECK(atomic_fetch_add_explicit(&profiles->refs, 1, memory_order_relaxed) > 0);
	return profiles;
}

void profiles_unref(struct profiles **profiles)
{
	struct profiles *set = *profiles;

	*profiles = NULL;
	if (set && atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1)
		set_free(set);
}

size_t profiles_count(const struct profiles *profiles)
{
	return profiles->n;
}

const struct profile *profiles_at(const struct profiles *profiles, size_t i)
{
	CHECK(i < profiles->n);
	return profiles->v[i];
}

const struct profile *profiles_by_name(const struct profiles *profiles, struct span name)
{
	for (size_t i = 0; i < profiles->n; i++)
		if (span_eq(span_of(profiles->v[i]->name), name))
			return profiles->v[i];
	return NULL;
}
