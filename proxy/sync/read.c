/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the indexes of a run say: first the stored ones that have changed (what were the names of what devices ask
 * for?), then the new ones (what are size and digest, and what has these names now?). A chunk a turn of the loop, so
 * that a large index holds nobody up. An index whose format no profile tells says nothing, and that is fine.
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/policy/policy.h"
#include "proxy/sync/sync_priv.h"

/* A name under which something that is asked for stood in an old index. */
struct wanted {
	UT_hash_handle hh;
	char *name;
	char host[DEMAND_HOST_MAX + 1];
	const struct item *item; /* what stood there */
};

struct reading {
	struct run *run;
	struct event turn;
	bool new;     /* the second pass */
	size_t item;  /* the index that is read */
	size_t count; /* items before this reading: those it adds are no indexes of it */
	struct index_reader *reader;
	struct stored *stored;
	uint32_t chunk;
	struct wanted *wanted;
};

static struct item *item_now(const struct reading *r)
{
	return r->run->items[r->item];
}

/* "profile group " before the path. */
static struct span prefix_of(const struct item *item)
{
	struct span rest = span_of(item->key), word;
	size_t n = 0;

	for (int i = 0; i < 2 && span_cut(&rest, ' ', &word); i++)
		n += word.n + 1;
	return span_make(item->key, n);
}

static struct item *item_at(const struct reading *r, struct span path, char *buf, size_t size,
			    struct span *ret_key)
{
	struct span prefix = prefix_of(item_now(r));

	*ret_key = (struct span){ 0 };
	if (!path.n || prefix.n + path.n > size)
		return NULL;
	memcpy(buf, prefix.p, prefix.n);
	memcpy(buf + prefix.n, path.p, path.n);
	*ret_key = span_make(buf, prefix.n + path.n);
	return run_find(r->run, *ret_key);
}

/* ---- entries ------------------------------------------------------------------------------------- */

static void want_name(struct reading *r, struct span name, const struct item *item)
{
	struct wanted *w;

	HASH_FIND(hh, r->wanted, name.p, name.n, w);
	if (w)
		return;
	w = calloc(1, sizeof(*w));
	if (w)
		w->name = span_dup(name);
	if (!w || !w->name) {
		free(w);
		return;
	}
	w->item = item;
	(void)!span_copy(span_of(item->host), w->host, sizeof(w->host));
	HASH_ADD_KEYPTR(hh, r->wanted, w->name, name.n, w);
}

static void expect(struct item *item, const struct index_entry *entry)
{
	item->in_new = true;
	item->expect = (struct pull_expect){
		.known = !item->index,
		.size = entry->size,
		.kind = entry->kind,
		.digest_n = entry->digest_n,
	};
	memcpy(item->expect.digest, entry->digest, sizeof(entry->digest));
}

/* A path that must be encoded in a URL, or a query in it, is none that can be asked for as it is. */
static bool can_be_asked(struct span path)
{
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] <= ' ' || (unsigned char)path.p[i] >= 0x7f ||
		    strchr("%?#\"<>\\^`{|}", path.p[i]))
			return false;
	return path.n > 0;
}

static int entry_old(struct reading *r, struct item *item, const struct index_entry *entry)
{
	if (!item)
		return 0;
	item->in_old = true;
	if (entry->name.n && !span_eq(entry->name, entry->path))
		want_name(r, entry->name, item);
	return 0;
}

static int entry_new(struct reading *r, struct item *item, const struct index_entry *entry,
		     struct span key)
{
	const struct profile *profile =
		profiles_by_name(r->run->config->profiles, span_of(r->run->vendor->name));
	struct wanted *w;

	if (item) {
		expect(item, entry);
		return 0;
	}
	HASH_FIND(hh, r->wanted, entry->name.p, entry->name.n, w);
	if (!w || !key.n || !can_be_asked(entry->path) || !profile ||
	    profile_classify(profile, entry->path)->kind != PROFILE_OBJECT)
		return 0;
	item = run_item(r->run, key, span_of(w->host), false, false);
	if (item) {
		item->takes = w->item;
		expect(item, entry);
	}
	return 0;
}

static int on_entry(const struct index_entry *entry, void *arg)
{
	struct reading *r = arg;
	char buf[CACHE_KEY_TEXT_MAX], alias_buf[CACHE_KEY_TEXT_MAX];
	struct span key, alias_key;
	struct item *item = item_at(r, entry->path, buf, sizeof(buf), &key);
	struct item *alias = item_at(r, entry->alias, alias_buf, sizeof(alias_buf), &alias_key);

	if (!r->new)
		return entry_old(r, item ? item : alias, entry);
	if (alias)
		expect(alias, entry);
	return alias && !item ? 0 : entry_new(r, item, entry, key);
}

/* ---- bytes --------------------------------------------------------------------------------------- */

static struct span path_of(const struct item *item)
{
	return span_drop(span_make(item->key, item->base_n), prefix_of(item).n);
}

static int reader_new(struct reading *r)
{
	const struct item *item = item_now(r);
	const struct profile *profile =
		profiles_by_name(r->run->config->profiles, span_of(r->run->vendor->name));
	struct index_config config = {
		.format = profile ? profile_index_find(profile, path_of(item)) : NULL,
		.path = path_of(item),
		.limits = INDEX_LIMITS_DEFAULT,
		.entry = on_entry,
		.arg = r,
	};
	char group[PROFILE_GROUP_MAX];
	const char *host = item->host;
	struct span rest = span_of(item->key), word;
	bool secure;

	if (!config.format)
		return -ENOENT;
	(void)span_cut(&rest, ' ', &word);
	(void)span_cut(&rest, ' ', &word);
	if (span_copy(policy_place_group(word, &secure), group, sizeof(group)) == 0)
		config.hosts = profile_mirrors(profile, group, &config.hosts_n);
	if (!config.hosts) {
		config.hosts = &host;
		config.hosts_n = 1;
	}
	return index_reader_new(&config, &r->reader);
}

/* The record to read: 0, or -ENOENT: nothing. */
static int record_find(struct reading *r)
{
	const struct item *item = item_now(r);
	char buf[CACHE_KEY_TEXT_MAX];
	struct cache_key key;

	if (!item->index || !item->done || !item->found_key ||
	    (item->outcome != PULL_STAGED && item->outcome != PULL_UNCHANGED &&
	     item->outcome != PULL_FRESH))
		return -ENOENT;
	key = key_of(span_of(item->found_key));
	if (item->outcome == PULL_STAGED &&
	    r->new &&manifest_key(span_of(item->found_key), MANIFEST_STAGED, buf, sizeof(buf),
				  &key) < 0)
		return -ENOENT;
	if (item->outcome == PULL_FRESH && !r->new)
		return -ENOENT;
	return store_peek(r->run->sync->reader, &key, &r->stored);
}

static void refused(struct reading *r, int rc)
{
	const struct index_error *error = index_reader_error(r->reader);
	char text[600];

	STAT_INC(STAT_SYNC_INDEX_REFUSED);
	if (error)
		(void)index_error_text(error, text, sizeof(text));
	else
		(void)snprintf(text, sizeof(text), "%s: %s", item_now(r)->key, strerror(-rc));
	LOG(LOG_L_WARN, "sync.index_refused", "vendor=%s error=%s", r->run->vendor->name,
	    LOG_QUOTE(span_of(text)));
	if (r->new)
		run_trouble(r->run, "index refused: %.120s", text);
}

/* The next piece: 1: there is more; 0: that was all; -errno. */
static int piece_feed(struct reading *r)
{
	const struct object *object = stored_object(r->stored);
	uint32_t chunks = object_chunks(object);
	struct store_place place = { .bytes = object->body };
	int rc = 0;

	if (r->chunk < chunks)
		rc = stored_chunk(r->run->sync->reader, r->stored, r->chunk, &place);
	if (rc == 0)
		rc = index_reader_feed(r->reader, place.bytes, r->chunk + 1 >= chunks,
				       worker_now(r->run->sync->control)->mono_ms);
	r->chunk++;
	return rc < 0 ? rc : r->chunk < chunks;
}

static void record_over(struct reading *r)
{
	index_reader_free(&r->reader);
	stored_free(&r->stored);
	r->item++;
}

/* ---- turns --------------------------------------------------------------------------------------- */

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct reading *r = arg;
	int rc;

	(void)fd;
	(void)what;
	if (r->item == r->count && r->new) {
		run_read(r->run); /* frees it */
		return;
	}
	if (r->item == r->count) {
		r->new = true;
		r->item = 0;
	} else if (!r->reader && (record_find(r) < 0 || reader_new(r) < 0)) {
		record_over(r);
	} else {
		r->chunk = r->reader && r->chunk ? r->chunk : 0;
		rc = piece_feed(r);
		if (rc < 0)
			refused(r, rc);
		if (rc <= 0) {
			record_over(r);
			r->chunk = 0;
		}
	}
	worker_next_turn(&r->turn);
}

void reading_begin(struct run *run)
{
	struct reading *r = calloc(1, sizeof(*r));

	if (!r) {
		run_trouble(run, "no memory");
		run_end(run, "failed");
		return;
	}
	for (size_t i = 0; i < run->n; i++) {
		run->items[i]->in_old = run->items[i]->in_new = false;
		run->items[i]->expect = (struct pull_expect){ 0 };
	}
	r->run = run;
	r->count = run->n;
	run->reading = r;
	CHECK_OK(evtimer_assign(&r->turn, run->sync->control->base, on_turn, r));
	worker_next_turn(&r->turn);
}

void reading_free(struct reading **reading)
{
	struct reading *r = *reading;
	struct wanted *w, *next;

	*reading = NULL;
	if (!r)
		return;
	event_del(&r->turn);
	index_reader_free(&r->reader);
	stored_free(&r->stored);
	HASH_ITER(hh, r->wanted, w, next)
	{
		HASH_DEL(r->wanted, w);
		free(w->name);
		free(w);
	}
	free(r);
}
