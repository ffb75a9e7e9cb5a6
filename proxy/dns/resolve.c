/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses: the cache, and the mails between workers and the control loop.
 *
 * Who owns what: the resolver (control loop) owns its entries and channels. A `struct resolve` is a worker's
 * question; it goes to the control loop by `to_control` and comes back by `to_asker`, whose run() calls the asker
 * and frees it. Cancelling only forgets the callback: the question still makes its round and is freed at the end.
 *
 * An entry is a name as one server set sees it:
 *
 *	          entry_ask                   family_answered: both families, or one and 50 ms
 *	(new) ---------------> asking (open > 0) ---------------------------> known --- ttl over ---> stale
 *	                          ^                                                                    |
 *	                          +------------------------- entry_ask -------------------------------+
 *
 * Invariants
 * 1. An entry with questions open or somebody waiting is never dropped.
 * 2. The list of those who wait is taken off the entry before the first of them is called.
 * 3. An answer that failed for want of a resolver does not replace known addresses: they are used, stale, up to
 *    STALE_MS. An answer that says "no such name" does.
 */
#include "proxy/dns/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/queue.h>
#include <uthash.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/dns/channel.h"
#include "proxy/dns/recent.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/balance.h"

#define RESOLV_CONF	    "/etc/resolv.conf"
#define ENTRIES_MAX	    1024
#define TTL_MIN_S	    5
#define TTL_MAX_S	    86400
#define FAILED_MS	    2000  /* a failure of the resolvers is remembered so long */
#define NO_NAME_MS	    10000 /* "no such name" is */
#define STALE_MS	    (UINT64_C(24) * 3600 * 1000)
#define RESOLUTION_DELAY_MS 50 /* RFC 8305, 3: for the other family, once one is there */

_Static_assert(RESOLVE_ADDRS_MAX <= BALANCE_ORDER_MAX, "one answer can be ordered");

/* A worker's question. */
struct resolve {
	struct mail to_control, to_asker;
	struct worker *asker;
	struct resolve *next; /* in an entry's list */
	resolve_f *f;	      /* the asker's; NULL: cancelled */
	void *arg;
	int err;
	size_t n;
	struct addr addrs[RESOLVE_ADDRS_MAX];
	uint16_t port;
	uint64_t left_ms; /* so long the asker may take the answer for the name's (recent.h) */
	char host[PROFILE_HOST_MAX];
};

struct entry_key {
	struct addr server; /* AF_UNSPEC: the system's */
	char host[PROFILE_HOST_MAX];
};

struct entry {
	UT_hash_handle hh;
	struct resolver *resolver;
	struct entry_key key;
	unsigned open; /* questions to c-ares, one a family */
	bool telling;  /* callbacks run: not to be dropped */
	int err;       /* of the known answer; of the round while asking */
	int round_err;
	uint64_t fresh_until_ms, stale_until_ms;
	unsigned turn;
	uint32_t ttl;
	size_t n, round_n;
	struct addr addrs[RESOLVE_ADDRS_MAX], round[RESOLVE_ADDRS_MAX];
	uint32_t round_ttl;
	struct event delay;
	struct resolve *waiting;
	struct resolver_ask *asks;
};

struct server {
	SLIST_ENTRY(server) link;
	struct addr addr;
	struct channel *channel;
};

struct resolver {
	struct worker *control;
	struct channel *system;
	struct timespec resolv_time; /* of the resolv.conf that `system` was made from */
	ino_t resolv_inode;
	uint64_t resolv_checked_ms;
	SLIST_HEAD(, server) servers;
	struct entry *entries;
	resolver_route_f *route;
	resolver_trouble_f *trouble;
	void *arg;
};

static uint64_t now_ms(struct resolver *resolver)
{
	return worker_now(resolver->control)->mono_ms;
}

/* ---- channels --------------------------------------------------------------------------------- */

static int channel_make(struct resolver *resolver, const struct addr *servers, size_t n,
			struct channel **ret_channel)
{
	unsigned timeout = (unsigned)resolver->control->config->settings.dns.timeout;

	return channel_new(resolver->control, servers, n, timeout, ret_channel);
}

/* The system's channel, made anew when resolv.conf has changed. NULL: could not be made. */
static struct channel *system_channel(struct resolver *resolver)
{
	const struct addr_list *servers = &resolver->control->config->settings.dns.servers;
	struct stat st = { 0 };
	int rc;

	if (resolver->system && now_ms(resolver) - resolver->resolv_checked_ms < 1000)
		return resolver->system;
	resolver->resolv_checked_ms = now_ms(resolver);
	if (stat(RESOLV_CONF, &st) == 0 && resolver->system && !servers->n &&
	    (st.st_ino != resolver->resolv_inode ||
	     st.st_mtim.tv_sec != resolver->resolv_time.tv_sec ||
	     st.st_mtim.tv_nsec != resolver->resolv_time.tv_nsec)) {
		LOG(LOG_L_INFO, "dns.resolv_conf_changed");
		channel_retire(&resolver->system);
	}
	if (resolver->system)
		return resolver->system;
	resolver->resolv_inode = st.st_ino;
	resolver->resolv_time = st.st_mtim;
	rc = channel_make(resolver, servers->v, servers->n, &resolver->system);
	if (rc < 0)
		LOG(LOG_L_ERROR, "dns.channel", "server=system error=%s", strerrorname_np(-rc));
	return resolver->system;
}

static struct channel *server_channel(struct resolver *resolver, const struct addr *addr)
{
	struct server *server;

	SLIST_FOREACH(server, &resolver->servers, link)
	if (addr_eq(&server->addr, addr))
		return server->channel;
	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->addr = *addr;
	if (channel_make(resolver, addr, 1, &server->channel) < 0) {
		free(server);
		return NULL;
	}
	SLIST_INSERT_HEAD(&resolver->servers, server, link);
	return server->channel;
}

static void channels_retire(struct resolver *resolver, void (*end)(struct channel **))
{
	struct server *server;

	end(&resolver->system);
	while ((server = SLIST_FIRST(&resolver->servers))) {
		SLIST_REMOVE_HEAD(&resolver->servers, link);
		end(&server->channel);
		free(server);
	}
}

/* ---- answering -------------------------------------------------------------------------------- */

static void resolve_back(struct worker *worker, struct mail *mail)
{
	struct resolve *resolve =
		(struct resolve *)((char *)mail - offsetof(struct resolve, to_asker));
	resolve_f *f = resolve->f;

	if (worker->recent && resolve->left_ms)
		recent_told(worker->recent, resolve->host, resolve->addrs, resolve->n,
			    worker_now(worker)->mono_ms, resolve->left_ms);
	if (f)
		f(resolve->arg, resolve->err, resolve->addrs, resolve->n);
	free(resolve);
}

static void resolve_answer(struct resolve *resolve, int err, const struct addr *addrs, size_t n)
{
	resolve->err = err;
	resolve->n = n;
	for (size_t i = 0; i < n; i++) {
		resolve->addrs[i] = addrs[i];
		addr_port_set(&resolve->addrs[i], resolve->port);
	}
	mailbox_post(resolve->asker, &resolve->to_asker);
}

/* A worker's own order: turned, rested addresses last. Those are known with their port. */
static void resolve_from(struct resolve *resolve, struct entry *entry, int err)
{
	struct worker *control = entry->resolver->control;
	struct addr addrs[RESOLVE_ADDRS_MAX];
	uint64_t now = now_ms(entry->resolver);

	if (err) {
		STAT_INC(STAT_DNS_FAILURES);
		resolve_answer(resolve, err, NULL, 0);
		return;
	}
	for (size_t i = 0; i < entry->n; i++) {
		addrs[i] = entry->addrs[i];
		addr_port_set(&addrs[i], resolve->port);
	}
	balance_order(control->proxy->balance, addrs, entry->n, entry->turn++, now);
	if (!entry->err && entry->fresh_until_ms > now)
		resolve->left_ms = entry->fresh_until_ms - now;
	resolve_answer(resolve, 0, addrs, entry->n);
}

/* A request is in want of this name. Whose is it? */
static void entry_trouble(struct entry *entry)
{
	struct resolver *resolver = entry->resolver;
	struct profile_match match;

	if (resolver->trouble && profile_match_host(resolver->control->config->profiles,
						    span_of(entry->key.host), &match))
		resolver->trouble(resolver->arg, match.profile);
}

/* What the entry can say now to a request: 0 also when it has to fall back on what it knew before. */
static int entry_verdict(struct entry *entry)
{
	if (!entry->err)
		return 0;
	entry_trouble(entry);
	if (entry->n && entry->stale_until_ms > now_ms(entry->resolver)) {
		STAT_INC(STAT_DNS_STALE_USED);
		return 0;
	}
	return entry->err;
}

static void entry_tell(struct entry *entry)
{
	struct resolve *resolve = entry->waiting, *next;
	struct resolver_ask *ask = entry->asks, *next_ask;
	int verdict;

	entry->waiting = NULL;
	entry->asks = NULL;
	entry->telling = true;
	for (; ask; ask = next_ask) {
		next_ask = ask->next;
		if (ask->f)
			ask->f(ask->arg, entry->err, entry->addrs, entry->err ? 0 : entry->n,
			       entry->ttl);
	}
	for (; resolve; resolve = next) {
		next = resolve->next;
		verdict = entry_verdict(entry);
		resolve_from(resolve, entry, verdict);
	}
	entry->telling = false;
}

/* ---- a round of questions --------------------------------------------------------------------- */

/* Takes addresses that can't be true for a public name out of an answer. */
static void drop_private(struct entry *entry)
{
	struct worker *control = entry->resolver->control;
	struct profile_match match;
	size_t kept = 0;
	char text[ADDR_TEXT_MAX];

	if (control->config->settings.steer.allow_private_vendor ||
	    !profile_match_host(control->config->profiles, span_of(entry->key.host), &match))
		return;
	for (size_t i = 0; i < entry->round_n; i++) {
		if (addr_is_public(&entry->round[i])) {
			entry->round[kept++] = entry->round[i];
			continue;
		}
		STAT_INC(STAT_DNS_HIJACKED);
		LOG(LOG_L_WARN, "dns.hijacked", "host=%s address=%s", entry->key.host,
		    addr_ip_format(&entry->round[i], text));
	}
	if (entry->round_n && !kept)
		entry->round_err = -EADDRNOTAVAIL;
	entry->round_n = kept;
}

/* Puts what this round has brought in force, and answers. */
static void round_end(struct entry *entry)
{
	uint64_t now = now_ms(entry->resolver);
	uint32_t ttl = entry->round_ttl;

	event_del(&entry->delay);
	drop_private(entry);
	if (entry->round_n) {
		ttl = ttl < TTL_MIN_S ? TTL_MIN_S : ttl > TTL_MAX_S ? TTL_MAX_S : ttl;
		memcpy(entry->addrs, entry->round, entry->round_n * sizeof(entry->round[0]));
		entry->n = entry->round_n;
		entry->ttl = ttl;
		entry->err = 0;
		entry->fresh_until_ms = now + ttl * UINT64_C(1000);
		entry->stale_until_ms = entry->fresh_until_ms + STALE_MS;
	} else {
		entry->err = entry->round_err == -ENODATA ? -ENOENT : entry->round_err;
		entry->fresh_until_ms = now + (entry->err == -ENOENT ? NO_NAME_MS : FAILED_MS);
		if (entry->err == -ENOENT)
			entry->n = 0;
	}
	entry_tell(entry);
}

/* The worst of both families' failures says why: a resolver that failed may have known the name. */
static int worse(int a, int b)
{
	static const int order[] = { 0,		 -ENODATA, -ENOENT,   -EHOSTUNREACH,
				     -ETIMEDOUT, -ENOMEM,  -ECANCELED };
	size_t i = 0, j = 0;

	while (i < ARRAY_LEN(order) && order[i] != a)
		i++;
	while (j < ARRAY_LEN(order) && order[j] != b)
		j++;
	return i > j ? a : b;
}

static void delay_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	round_end(arg);
}

static void family_answered(void *arg, int err, const struct addr *addrs, size_t n, uint32_t ttl)
{
	struct entry *entry = arg;
	bool v6 = n && addrs[0].sa.sa_family == AF_INET6;
	size_t room = RESOLVE_ADDRS_MAX / 2;

	entry->open--;
	if (n > room)
		n = room;
	/* IPv6 first: the order in which families take their turns (RFC 8305, 4). */
	if (v6)
		memmove(entry->round + n, entry->round, entry->round_n * sizeof(*entry->round));
	if (n)
		memcpy(entry->round + (v6 ? 0 : entry->round_n), addrs, n * sizeof(*addrs));
	entry->round_n += n;
	if (n && ttl < entry->round_ttl)
		entry->round_ttl = ttl;
	if (err)
		entry->round_err = worse(entry->round_err, err);
	if (!entry->open)
		round_end(entry);
	else if (n)
		CHECK_OK(event_add(&entry->delay,
				   worker_timeout(entry->resolver->control, RESOLUTION_DELAY_MS)));
}

/* Begins a round unless one is under way. */
static void entry_ask(struct entry *entry)
{
	struct resolver *resolver = entry->resolver;
	struct channel *channel;

	if (entry->open)
		return;
	entry->round_n = 0;
	entry->round_err = 0;
	entry->round_ttl = UINT32_MAX;
	channel = entry->key.server.sa.sa_family == AF_UNSPEC
			  ? system_channel(resolver)
			  : server_channel(resolver, &entry->key.server);
	if (!channel) {
		entry->round_err = -ENOMEM;
		round_end(entry);
		return;
	}
	/* Either may answer at once: both are open before the first is asked. */
	entry->open = 2;
	channel_ask(channel, entry->key.host, AF_INET6, family_answered, entry);
	channel_ask(channel, entry->key.host, AF_INET, family_answered, entry);
}

/* ---- entries ---------------------------------------------------------------------------------- */

static void entry_free(struct resolver *resolver, struct entry *entry)
{
	HASH_DEL(resolver->entries, entry);
	event_del(&entry->delay);
	free(entry);
}

/* Drops the oldest entry that nobody needs. */
static void entries_trim(struct resolver *resolver)
{
	struct entry *entry, *next;

	if (HASH_COUNT(resolver->entries) < ENTRIES_MAX)
		return;
	HASH_ITER(hh, resolver->entries, entry, next)
	{
		if (entry->open || entry->waiting || entry->asks || entry->telling)
			continue;
		entry_free(resolver, entry);
		return;
	}
}

static struct entry *entry_get(struct resolver *resolver, const char *host,
			       const struct addr *server)
{
	struct entry_key key;
	struct entry *entry;

	memset(&key, 0, sizeof(key));
	if (server)
		key.server = *server;
	if (host_normalise(span_of(host), key.host) < 0)
		return NULL;
	HASH_FIND(hh, resolver->entries, &key, sizeof(key), entry);
	if (entry)
		return entry;
	entries_trim(resolver);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->key = key;
	entry->resolver = resolver;
	CHECK_OK(evtimer_assign(&entry->delay, resolver->control->base, delay_over, entry));
	HASH_ADD(hh, resolver->entries, key, sizeof(entry->key), entry);
	return entry;
}

/* ---- questions -------------------------------------------------------------------------------- */

/* A worker's question has arrived at the control loop. */
static void resolve_arrived(struct worker *control, struct mail *mail)
{
	struct resolve *resolve =
		(struct resolve *)((char *)mail - offsetof(struct resolve, to_control));
	struct resolver *resolver = control->proxy->resolver;
	const struct addr *server = NULL;
	struct profile_match match;
	struct entry *entry;

	if (resolver->route &&
	    profile_match_host(control->config->profiles, span_of(resolve->host), &match))
		server = resolver->route(resolver->arg, match.profile);
	entry = entry_get(resolver, resolve->host, server);
	if (!entry) {
		resolve_answer(resolve, -ENOMEM, NULL, 0);
		return;
	}
	if (entry->fresh_until_ms > now_ms(resolver)) {
		STAT_INC(STAT_DNS_CACHE_HITS);
		resolve_from(resolve, entry, entry_verdict(entry));
	} else {
		resolve->next = entry->waiting;
		entry->waiting = resolve;
		entry_ask(entry);
	}
}

/* Without the control loop: an address, or a name that was told just now? */
static bool is_known(struct worker *worker, struct resolve *resolve)
{
	uint64_t now = worker_now(worker)->mono_ms;
	unsigned turn;

	if (addr_parse(span_of(resolve->host), resolve->port, &resolve->addrs[0]) == 0) {
		resolve->n = 1;
		return true;
	}
	if (worker->recent)
		resolve->n = recent_find(worker->recent, resolve->host, now, resolve->addrs, &turn);
	if (!resolve->n)
		return false;
	for (size_t i = 0; i < resolve->n; i++)
		addr_port_set(&resolve->addrs[i], resolve->port);
	balance_order(worker->proxy->balance, resolve->addrs, resolve->n, turn, now);
	STAT_INC(STAT_DNS_CACHE_HITS);
	return true;
}

int resolve_host(struct worker *worker, const char *host, uint16_t port, resolve_f *f, void *arg,
		 struct resolve **ret_resolve)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));

	if (!resolve)
		return -ENOMEM;
	if (host_normalise(span_of(host), resolve->host) < 0) {
		free(resolve);
		return -EINVAL;
	}
	resolve->asker = worker;
	resolve->f = f;
	resolve->arg = arg;
	resolve->port = port;
	mail_init(&resolve->to_asker, resolve_back);
	mail_init(&resolve->to_control, resolve_arrived);
	*ret_resolve = resolve;
	if (is_known(worker, resolve))
		mailbox_post_near(worker, &resolve->to_asker);
	else
		mailbox_post(worker->proxy->control, &resolve->to_control);
	return 0;
}

void resolve_cancel(struct resolve **resolve)
{
	if (*resolve)
		(*resolve)->f = NULL;
	*resolve = NULL;
}

void resolver_ask_fresh(struct resolver *resolver, const char *host, const struct addr *server,
			struct resolver_ask *ask)
{
	struct entry *entry = entry_get(resolver, host, server);

	if (!entry) {
		ask->f(ask->arg, -ENOMEM, NULL, 0, 0);
		return;
	}
	/* A round that has answered already and waits for the other family would not answer again. */
	ask->next = entry->asks;
	entry->asks = ask;
	entry_ask(entry);
}

void resolver_ask_cancel(struct resolver *resolver, struct resolver_ask *ask)
{
	struct entry *entry, *next;

	HASH_ITER(hh, resolver->entries, entry, next)
	for (struct resolver_ask **at = &entry->asks; *at; at = &(*at)->next)
		if (*at == ask) {
			*at = ask->next;
			return;
		}
}

/* ---- its life --------------------------------------------------------------------------------- */

int resolver_new(struct worker *control, struct resolver **ret_resolver)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return -ENOMEM;
	resolver->control = control;
	SLIST_INIT(&resolver->servers);
	*ret_resolver = resolver;
	return 0;
}

void resolver_route_set(struct resolver *resolver, resolver_route_f *route,
			resolver_trouble_f *trouble, void *arg)
{
	resolver->route = route;
	resolver->trouble = trouble;
	resolver->arg = arg;
}

void resolver_reload(struct resolver *resolver)
{
	channels_retire(resolver, channel_retire);
}

void resolver_free(struct resolver **ptr)
{
	struct resolver *resolver = *ptr;
	struct entry *entry, *next;

	if (!resolver)
		return;
	/* Ends every round with -ECANCELED, so nobody waits after it. */
	channels_retire(resolver, channel_free);
	HASH_ITER(hh, resolver->entries, entry, next)
	{
		CHECK(!entry->open);
		entry_free(resolver, entry);
	}
	free(resolver);
	*ptr = NULL;
}

/* ---- shown ------------------------------------------------------------------------------------ */

void resolver_each(const struct resolver *resolver, resolver_each_f *f, void *arg)
{
	uint64_t now = worker_now(resolver->control)->mono_ms;

	for (const struct entry *entry = resolver->entries; entry; entry = entry->hh.next) {
		struct resolver_view view = {
			.host = entry->key.host,
			.server = entry->key.server.sa.sa_family == AF_UNSPEC ? NULL
									      : &entry->key.server,
			.err = entry->err,
			.left_ms = entry->fresh_until_ms > now ? entry->fresh_until_ms - now : 0,
			.addrs = entry->addrs,
			.n = entry->n,
		};

		f(&view, arg);
	}
}

char *resolver_system(const struct resolver *resolver)
{
	return resolver->system ? channel_servers(resolver->system) : NULL;
}
