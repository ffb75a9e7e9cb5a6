/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table under one lock, in shards; each shard is a row of the store's state, "tls-distrust/0" on, that is written whole
 * with each change. The row, all numbers big-endian:
 *
 *	u32 version (1) | u32 count | count x { 16 bytes device (as in6_addr; of a /64 the rest is zero), u8 state,
 *	u8 reason, u8 failures, u8 length of the host, u64 since, u64 until, u64 authority, host }
 *
 * Wall time, in ms since 1970: it outlives a boot.
 *
 *	NEW -- distrust_try --> TRYING -- distrust_trusts --> TRUSTING ---+
 *	 ^                        | | \-- distrust_undecided --> NEW      | distrust_failed
 *	 |                        | \---- distrust_failed --> DISTRUSTING <
 *	 |                        \------ our death ---------^    |
 *	 +----------------------- until is over ------------------+
 */
#include "proxy/tls/distrust.h"

#include <arpa/inet.h>
#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"

#define VERSION	   1
#define HEAD_BYTES 8
#define ONE_BYTES  (16 + 4 + 24)
#define SHARDS	   64
#define SHARD_MAX  (DISTRUST_MAX / SHARDS)
#define TRUST_MS   (90 * 86400 * INT64_C(1000)) /* trust is renewed by each use */
#define RENEW_MS   (86400 * INT64_C(1000))	/* but written at most once a day */

_Static_assert(HEAD_BYTES + SHARD_MAX * (ONE_BYTES + PROFILE_HOST_MAX) <= WRITER_STATE_MAX,
	       "a shard fits a row");

enum state {
	TRYING,
	TRUSTING,
	DISTRUSTING,
	STATES
};

struct key {
	uint8_t device[16];
	char host[PROFILE_HOST_MAX];
};

struct entry {
	UT_hash_handle hh; /* in the order of being decided */
	enum state state;
	enum distrust_reason reason;
	uint8_t failures;
	bool turn; /* it trusts, and a connection finds out whether it does still; not kept */
	int64_t since_ms, until_ms;
	uint64_t authority;
	size_t key_n;
	struct key key;
};

struct distrust {
	pthread_mutex_t lock;
	struct writer *writer;
	struct entry *shards[SHARDS];
};

static const struct {
	const char *name, *help;
	bool lasts;
} reasons[] = {
#define X(name_, text, lasts_, help_) { text, help_, lasts_ },
	DISTRUST_REASONS(X)
#undef X
};

/* ---- keys -------------------------------------------------------------------------------------- */

static size_t key_make(const struct addr *device, const char *host, struct key *ret_key)
{
	size_t n = strlen(host);

	memset(ret_key, 0, sizeof(*ret_key));
	addr_to_in6(device, ret_key->device);
	CHECK(n < sizeof(ret_key->host));
	memcpy(ret_key->host, host, n);
	return offsetof(struct key, host) + n;
}

/* Of an IPv6 device, its network. */
static void key_widen(struct key *key)
{
	if (!addr_in6_is_ip4(key->device))
		memset(key->device + 8, 0, 8);
}

/* By the network, so that all of it is in one row. */
static unsigned shard_of(const struct key *key)
{
	struct key wide = *key;
	unsigned hash = 5381;

	key_widen(&wide);
	for (size_t i = 0; i < sizeof(wide.device); i++)
		hash = hash * 33 + wide.device[i];
	for (const char *p = wide.host; *p; p++)
		hash = hash * 33 + (uint8_t)*p;
	return hash % SHARDS;
}

static struct entry *find(struct distrust *d, const struct key *key, size_t n)
{
	struct entry *entry;

	HASH_FIND(hh, d->shards[shard_of(key)], key, n, entry);
	return entry;
}

/* The one that decides: the network's distrust, or the device's own. */
static struct entry *find_word(struct distrust *d, const struct key *key, size_t n)
{
	struct key wide = *key;
	struct entry *entry;

	key_widen(&wide);
	entry = find(d, &wide, n);
	return entry && entry->state == DISTRUSTING ? entry : find(d, key, n);
}

static void entry_drop(struct distrust *d, struct entry *entry)
{
	HASH_DEL(d->shards[shard_of(&entry->key)], entry);
	free(entry);
}

static bool distrusts_now(const struct entry *entry, int64_t wall_ms)
{
	return entry->state == DISTRUSTING && wall_ms < entry->until_ms;
}

/*
 * A full shard makes room: what trusts can be tried again and loses nothing, but for what distrusts a connection would be
 * lost again. So that one device can't push out the others, either.
 */
static bool make_room(struct distrust *d, struct entry *shard, int64_t wall_ms)
{
	struct entry *entry, *next;

	if (HASH_COUNT(shard) < SHARD_MAX)
		return true;
	HASH_ITER(hh, shard, entry, next)
	{
		if (entry->state == TRYING || entry->turn || distrusts_now(entry, wall_ms))
			continue;
		entry_drop(d, entry);
		return true;
	}
	return false;
}

/* Found or made, and the one decided last. NULL without memory, or room. */
static struct entry *entry_get(struct distrust *d, const struct key *key, size_t n, int64_t wall_ms)
{
	struct entry **shard = &d->shards[shard_of(key)], *entry = find(d, key, n);

	if (entry) {
		HASH_DEL(*shard, entry);
	} else {
		if (!make_room(d, *shard, wall_ms))
			return NULL;
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return NULL;
		memcpy(&entry->key, key, n);
		entry->key_n = n;
	}
	HASH_ADD_KEYPTR(hh, *shard, &entry->key, n, entry);
	return entry;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static uint8_t *put_be64(uint8_t *p, uint64_t value)
{
	value = htobe64(value);
	memcpy(p, &value, sizeof(value));
	return p + sizeof(value);
}

static uint8_t *put_be32(uint8_t *p, uint32_t value)
{
	value = htobe32(value);
	memcpy(p, &value, sizeof(value));
	return p + sizeof(value);
}

static uint8_t *entry_write(const struct entry *entry, uint8_t *p)
{
	size_t host_n = entry->key_n - offsetof(struct key, host);

	memcpy(p, entry->key.device, 16);
	p += 16;
	*p++ = (uint8_t)entry->state;
	*p++ = (uint8_t)entry->reason;
	*p++ = entry->failures;
	*p++ = (uint8_t)host_n;
	p = put_be64(p, (uint64_t)entry->since_ms);
	p = put_be64(p, (uint64_t)entry->until_ms);
	p = put_be64(p, entry->authority);
	memcpy(p, entry->key.host, host_n);
	return p + host_n;
}

static struct span row_name(unsigned shard, char name[32])
{
	(void)snprintf(name, 32, "tls-distrust/%u", shard);
	return span_of(name);
}

/* The shard of `key` goes to the store. */
static int save(struct distrust *d, const struct key *key, writer_done_f *done, void *arg)
{
	unsigned shard = shard_of(key);
	struct entry *entry, *next;
	uint8_t *row, *p;
	char name[32];
	int rc;

	if (!d->writer)
		return -ENODEV;
	row = malloc(HEAD_BYTES +
		     HASH_COUNT(d->shards[shard]) * (size_t)(ONE_BYTES + PROFILE_HOST_MAX));
	if (!row)
		return -ENOMEM;
	p = put_be32(row, VERSION);
	p = put_be32(p, HASH_COUNT(d->shards[shard]));
	HASH_ITER(hh, d->shards[shard], entry, next)
	{
		p = entry_write(entry, p);
	}
	rc = writer_put_state(d->writer, row_name(shard, name), span_make(row, (size_t)(p - row)),
			      done, arg);
	if (rc == 0)
		writer_hurry(d->writer);
	free(row);
	return rc;
}

/* Nobody waits for it. */
static void save_soon(struct distrust *d, const struct key *key)
{
	if (save(d, key, NULL, NULL) < 0)
		STAT_INC(STAT_TLS_DISTRUST_UNSAVED);
}

static int entry_read(struct distrust *d, struct cursor *c, int64_t wall_ms)
{
	uint8_t state, reason, failures, host_n;
	uint64_t since, until, authority;
	struct span device, host;
	struct key key = { 0 };
	struct entry *entry;

	if (cursor_bytes(c, 16, &device) < 0 || cursor_u8(c, &state) < 0 ||
	    cursor_u8(c, &reason) < 0 || cursor_u8(c, &failures) < 0 || cursor_u8(c, &host_n) < 0 ||
	    cursor_u64be(c, &since) < 0 || cursor_u64be(c, &until) < 0 ||
	    cursor_u64be(c, &authority) < 0 || cursor_bytes(c, host_n, &host) < 0 ||
	    state >= STATES || reason >= ARRAY_LEN(reasons) || host_n >= PROFILE_HOST_MAX)
		return -EBADMSG;
	memcpy(key.device, device.p, 16);
	memcpy(key.host, host.p, host.n);
	entry = entry_get(d, &key, offsetof(struct key, host) + host.n, wall_ms);
	if (!entry)
		return -ENOMEM;
	entry->state = (enum state)state;
	entry->reason = (enum distrust_reason)reason;
	entry->failures = failures;
	entry->since_ms = (int64_t)since;
	entry->until_ms = (int64_t)until;
	entry->authority = authority;
	if (entry->state != TRYING)
		return 0;
	/* We died over it, and the device may have lost its connection. */
	entry->state = DISTRUSTING;
	entry->reason = DISTRUST_INTERRUPTED;
	entry->until_ms = wall_ms + DISTRUST_SHORT_MS;
	return 0;
}

static int row_read(struct distrust *d, struct span row, int64_t wall_ms)
{
	struct cursor c = cursor_make(row.p, row.n);
	uint32_t version, count;
	int rc = 0;

	if (cursor_u32be(&c, &version) < 0 || version != VERSION || cursor_u32be(&c, &count) < 0 ||
	    count > SHARD_MAX)
		return -EBADMSG;
	for (; count && rc == 0; count--)
		rc = entry_read(d, &c, wall_ms);
	return rc;
}

static void rows_read(struct distrust *d, struct store *store, int64_t wall_ms)
{
	struct store_reader *reader;
	char name[32];
	uint8_t *row = malloc(WRITER_STATE_MAX);
	size_t n;

	if (row && store_reader_new(store, &reader) == 0) {
		for (unsigned i = 0; i < SHARDS; i++)
			if (store_state_get(reader, row_name(i, name), row, WRITER_STATE_MAX, &n) ==
				    0 &&
			    row_read(d, span_make(row, n), wall_ms) < 0)
				LOG(LOG_L_WARN, "tls.bad_row", "name=%s bytes=%zu", name, n);
		store_reader_free(&reader);
	}
	free(row);
}

/* ---- life -------------------------------------------------------------------------------------- */

int distrust_new(struct store *store, struct writer *writer, int64_t wall_ms,
		 struct distrust **ret_distrust)
{
	struct distrust *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	CHECK_OK(pthread_mutex_init(&d->lock, NULL));
	d->writer = writer;
	if (store)
		rows_read(d, store, wall_ms);
	*ret_distrust = d;
	return 0;
}

void distrust_free(struct distrust **distrust)
{
	struct distrust *d = *distrust;

	*distrust = NULL;
	if (!d)
		return;
	for (unsigned i = 0; i < SHARDS; i++)
		while (d->shards[i])
			entry_drop(d, d->shards[i]);
	CHECK_OK(pthread_mutex_destroy(&d->lock));
	free(d);
}

/* ---- words ------------------------------------------------------------------------------------- */

struct tally_of {
	unsigned host_no, host_yes, device_no, device_yes;
};

/* What is known of the host with other devices, and of the device with other hosts. Only for what is new. */
static struct tally_of around(struct distrust *d, const struct key *key, uint64_t authority,
			      int64_t wall_ms)
{
	struct tally_of t = { 0 };
	struct entry *entry, *next;

	for (unsigned i = 0; i < SHARDS; i++) {
		HASH_ITER(hh, d->shards[i], entry, next)
		{
			bool no = distrusts_now(entry, wall_ms);
			bool yes = entry->state == TRUSTING && entry->authority == authority;

			if (!strcmp(entry->key.host, key->host)) {
				t.host_no += no;
				t.host_yes += yes;
			}
			if (!memcmp(entry->key.device, key->device, sizeof(key->device))) {
				t.device_no += no;
				t.device_yes += yes;
			}
		}
	}
	return t;
}

static enum distrust_word look(struct distrust *d, const struct key *key, size_t n,
			       uint64_t authority, int64_t wall_ms)
{
	struct entry *entry = find_word(d, key, n);
	struct tally_of t;

	if (entry && entry->state == TRYING)
		return DISTRUST_TRYING;
	if (entry && distrusts_now(entry, wall_ms))
		return DISTRUST_PAIR;
	if (entry && entry->state == TRUSTING && entry->authority == authority &&
	    wall_ms < entry->until_ms)
		return DISTRUST_TRUSTS;
	t = around(d, key, authority, wall_ms);
	if (t.host_no >= DISTRUST_HOST_AT && !t.host_yes)
		return DISTRUST_HOST;
	if ((t.device_no >= DISTRUST_DEVICE_AT && !t.device_yes) ||
	    t.device_no >= DISTRUST_DEVICE_MAX)
		return DISTRUST_DEVICE;
	return DISTRUST_NEW;
}

enum distrust_word distrust_look(struct distrust *d, const struct addr *device, const char *host,
				 uint64_t authority, int64_t wall_ms)
{
	struct key key;
	size_t n = key_make(device, host, &key);
	enum distrust_word word;

	pthread_mutex_lock(&d->lock);
	word = look(d, &key, n, authority, wall_ms);
	pthread_mutex_unlock(&d->lock);
	return word;
}

static int try_locked(struct distrust *d, const struct key *key, size_t n, uint64_t authority,
		      int64_t wall_ms, writer_done_f *done, void *arg)
{
	struct entry *entry;
	int rc;

	if (look(d, key, n, authority, wall_ms) != DISTRUST_NEW)
		return -EBUSY;
	entry = entry_get(d, key, n, wall_ms);
	if (!entry)
		return -ENOMEM;
	entry->state = TRYING;
	entry->since_ms = wall_ms;
	entry->authority = authority;
	rc = save(d, key, done, arg);
	if (rc < 0)
		entry_drop(d, entry);
	return rc;
}

int distrust_try(struct distrust *d, const struct addr *device, const char *host,
		 uint64_t authority, int64_t wall_ms, writer_done_f *done, void *arg)
{
	struct key key;
	size_t n = key_make(device, host, &key);
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = try_locked(d, &key, n, authority, wall_ms, done, arg);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

enum distrust_word distrust_turn_take(struct distrust *d, const struct addr *device,
				      const char *host, uint64_t authority, int64_t wall_ms)
{
	struct key key;
	size_t n = key_make(device, host, &key);
	enum distrust_word word;
	struct entry *entry;

	pthread_mutex_lock(&d->lock);
	word = look(d, &key, n, authority, wall_ms);
	if (word == DISTRUST_TRUSTS) {
		entry = find(d, &key, n);
		if (entry->turn)
			word = DISTRUST_TRYING;
		entry->turn = true;
	}
	pthread_mutex_unlock(&d->lock);
	return word;
}

void distrust_turn_give(struct distrust *d, const struct addr *device, const char *host)
{
	struct key key;
	size_t n = key_make(device, host, &key);
	struct entry *entry;

	pthread_mutex_lock(&d->lock);
	entry = find(d, &key, n);
	if (entry)
		entry->turn = false;
	pthread_mutex_unlock(&d->lock);
}

void distrust_trusts(struct distrust *d, const struct addr *device, const char *host,
		     uint64_t authority, int64_t wall_ms)
{
	struct key key;
	size_t n = key_make(device, host, &key);
	struct entry *entry;

	pthread_mutex_lock(&d->lock);
	entry = find_word(d, &key, n);
	/* Another program of that device may distrust us: that weighs more. */
	if (entry && distrusts_now(entry, wall_ms))
		goto out;
	if (entry && entry->state == TRUSTING && entry->authority == authority &&
	    wall_ms - entry->since_ms < RENEW_MS)
		goto out;
	entry = entry_get(d, &key, n, wall_ms);
	if (!entry)
		goto out;
	entry->state = TRUSTING;
	entry->failures = 0;
	entry->authority = authority;
	entry->since_ms = wall_ms;
	entry->until_ms = wall_ms + TRUST_MS;
	save_soon(d, &key);
out:
	pthread_mutex_unlock(&d->lock);
}

static int64_t lasts_ms(const struct entry *entry, int64_t long_ms)
{
	int64_t ms = reasons[entry->reason].lasts ? long_ms : DISTRUST_SHORT_MS;

	for (unsigned i = 1; i < entry->failures && ms < DISTRUST_LONG_MAX; i++)
		ms *= 2;
	return ms < DISTRUST_LONG_MAX ? ms : DISTRUST_LONG_MAX;
}

void distrust_failed(struct distrust *d, const struct addr *device, const char *host,
		     enum distrust_reason reason, int64_t wall_ms, int64_t long_ms)
{
	struct key key;
	size_t n = key_make(device, host, &key);
	struct entry *entry;

	stat_add(STAT_TLS_FAILED_FIRST + (unsigned)reason, 1);
	pthread_mutex_lock(&d->lock);
	entry = find(d, &key, n);
	if (entry && !addr_in6_is_ip4(key.device)) {
		entry_drop(d, entry);
		entry = NULL;
	}
	key_widen(&key);
	if (!entry)
		entry = entry_get(d, &key, n, wall_ms);
	if (entry) {
		entry->state = DISTRUSTING;
		entry->reason = reason;
		entry->failures += entry->failures < UINT8_MAX;
		entry->since_ms = wall_ms;
		entry->until_ms = wall_ms + lasts_ms(entry, long_ms);
		save_soon(d, &key);
	}
	pthread_mutex_unlock(&d->lock);
}

void distrust_undecided(struct distrust *d, const struct addr *device, const char *host)
{
	struct key key;
	size_t n = key_make(device, host, &key);
	struct entry *entry;

	pthread_mutex_lock(&d->lock);
	entry = find(d, &key, n);
	if (entry && entry->state == TRYING) {
		entry_drop(d, entry);
		save_soon(d, &key);
	}
	pthread_mutex_unlock(&d->lock);
}

/* ---- for people -------------------------------------------------------------------------------- */

static void device_text(const struct key *key, char text[ADDR_TEXT_MAX])
{
	static const uint8_t zero[8];

	if (addr_in6_is_ip4(key->device)) {
		(void)inet_ntop(AF_INET, key->device + 12, text, ADDR_TEXT_MAX);
		return;
	}
	(void)inet_ntop(AF_INET6, key->device, text, ADDR_TEXT_MAX - 4);
	if (!memcmp(key->device + 8, zero, sizeof(zero)))
		strcat(text, "/64");
}

static void view_make(const struct entry *entry, struct distrust_view *view)
{
	device_text(&entry->key, view->device);
	(void)snprintf(view->host, sizeof(view->host), "%s", entry->key.host);
	view->reason = entry->reason;
	view->since_ms = entry->since_ms;
	view->until_ms = entry->until_ms;
}

void distrust_each(struct distrust *d, int64_t wall_ms, distrust_each_f *f, void *arg)
{
	struct entry *entry, *next;
	struct distrust_view view;

	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < SHARDS; i++) {
		HASH_ITER(hh, d->shards[i], entry, next)
		{
			if (!distrusts_now(entry, wall_ms))
				continue;
			view_make(entry, &view);
			f(&view, arg);
		}
	}
	pthread_mutex_unlock(&d->lock);
}

size_t distrust_forget(struct distrust *d, const char *device, const char *host)
{
	struct entry *entry, *next;
	char text[ADDR_TEXT_MAX];
	size_t n = 0;

	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < SHARDS; i++) {
		HASH_ITER(hh, d->shards[i], entry, next)
		{
			struct key key = entry->key;

			device_text(&key, text);
			if (entry->state != DISTRUSTING || (device && strcmp(device, text) != 0) ||
			    (host && strcmp(host, key.host) != 0))
				continue;
			entry_drop(d, entry);
			save_soon(d, &key);
			n++;
		}
	}
	pthread_mutex_unlock(&d->lock);
	return n;
}

void distrust_count(struct distrust *d, int64_t wall_ms, size_t *ret_distrusting,
		    size_t *ret_trusting)
{
	struct entry *entry, *next;

	*ret_distrusting = *ret_trusting = 0;
	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < SHARDS; i++) {
		HASH_ITER(hh, d->shards[i], entry, next)
		{
			*ret_distrusting += distrusts_now(entry, wall_ms);
			*ret_trusting += entry->state == TRUSTING;
		}
	}
	pthread_mutex_unlock(&d->lock);
}

const char *distrust_reason_name(enum distrust_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	return reasons[reason].name;
}

const char *distrust_reason_help(enum distrust_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	return reasons[reason].help;
}

void distrust_label_counters(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++)
		stat_label(STAT_TLS_FAILED_FIRST, i, reasons[i].name, reasons[i].help);
}
