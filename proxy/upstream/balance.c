/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a host's addresses first.
 *
 * Owns a small table of addresses that failed lately. An entry rests for BALANCE_REST_MIN_MS, twice as long
 * at each further failure, up to BALANCE_REST_MAX_MS; when the rest is over the address is tried like any
 * other, and one success forgets it. The table is bounded: the entry whose rest ends first makes room.
 */
#include "proxy/upstream/balance.h"

#include <pthread.h>
#include <stdlib.h>

#include "firmware/base/stat.h"

#define ENTRIES 128

struct entry {
	struct addr addr; /* AF_UNSPEC: free */
	uint64_t until_ms;
	uint32_t rest_ms;
};

struct balance {
	pthread_mutex_t lock;
	atomic_uint used; /* 0 is the usual case, which needs no lock */
	struct entry entries[ENTRIES];
};

int balance_new(struct balance **ret_balance)
{
	struct balance *balance = calloc(1, sizeof(*balance));

	if (!balance)
		return -ENOMEM;
	CHECK_OK(pthread_mutex_init(&balance->lock, NULL));
	*ret_balance = balance;
	return 0;
}

void balance_free(struct balance **balance)
{
	if (!*balance)
		return;
	pthread_mutex_destroy(&(*balance)->lock);
	free(*balance);
	*balance = NULL;
}

static struct entry *entry_find(struct balance *balance, const struct addr *addr)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		struct entry *entry = &balance->entries[i];

		if (entry->addr.sa.sa_family != AF_UNSPEC && addr_eq(&entry->addr, addr))
			return entry;
	}
	return NULL;
}

static struct entry *entry_make(struct balance *balance, const struct addr *addr)
{
	struct entry *oldest = &balance->entries[0];

	for (size_t i = 0; i < ENTRIES; i++) {
		struct entry *entry = &balance->entries[i];

		if (entry->addr.sa.sa_family == AF_UNSPEC) {
			oldest = entry;
			atomic_fetch_add(&balance->used, 1);
			break;
		}
		if (entry->until_ms < oldest->until_ms)
			oldest = entry;
	}
	*oldest = (struct entry){ .addr = *addr };
	return oldest;
}

void balance_failed(struct balance *balance, const struct addr *addr, uint64_t mono_ms)
{
	struct entry *entry;

	CHECK_OK(pthread_mutex_lock(&balance->lock));
	entry = entry_find(balance, addr);
	if (!entry)
		entry = entry_make(balance, addr);
	/* Attempts that were under way together are one failure. */
	if (entry->until_ms <= mono_ms) {
		entry->rest_ms = entry->rest_ms ? entry->rest_ms * 2 : BALANCE_REST_MIN_MS;
		if (entry->rest_ms > BALANCE_REST_MAX_MS)
			entry->rest_ms = BALANCE_REST_MAX_MS;
		entry->until_ms = mono_ms + entry->rest_ms;
		STAT_INC(STAT_UPSTREAM_RESTED);
	}
	CHECK_OK(pthread_mutex_unlock(&balance->lock));
}

void balance_good(struct balance *balance, const struct addr *addr)
{
	struct entry *entry;

	if (!atomic_load_explicit(&balance->used, memory_order_relaxed))
		return;
	CHECK_OK(pthread_mutex_lock(&balance->lock));
	entry = entry_find(balance, addr);
	if (entry) {
		memset(entry, 0, sizeof(*entry));
		atomic_fetch_sub(&balance->used, 1);
	}
	CHECK_OK(pthread_mutex_unlock(&balance->lock));
}

bool balance_rested(struct balance *balance, const struct addr *addr, uint64_t mono_ms)
{
	struct entry *entry;
	bool rested;

	if (!atomic_load_explicit(&balance->used, memory_order_relaxed))
		return false;
	CHECK_OK(pthread_mutex_lock(&balance->lock));
	entry = entry_find(balance, addr);
	rested = entry && entry->until_ms > mono_ms;
	CHECK_OK(pthread_mutex_unlock(&balance->lock));
	return rested;
}

uint64_t balance_rests_ms(struct balance *balance, const struct addr *addr, uint64_t mono_ms,
			  unsigned *ret_failures)
{
	uint64_t rests = 0;

	*ret_failures = 0;
	CHECK_OK(pthread_mutex_lock(&balance->lock));
	for (size_t i = 0; i < ENTRIES; i++) {
		const struct entry *entry = &balance->entries[i];

		if (entry->addr.sa.sa_family == AF_UNSPEC || !addr_ip_eq(&entry->addr, addr))
			continue;
		if (entry->until_ms > mono_ms && entry->until_ms - mono_ms > rests)
			rests = entry->until_ms - mono_ms;
		for (uint32_t ms = entry->rest_ms; ms >= BALANCE_REST_MIN_MS; ms /= 2)
			++*ret_failures; /* each doubled the rest */
	}
	CHECK_OK(pthread_mutex_unlock(&balance->lock));
	return rests;
}

/* Takes the next address of that family (or, if none is left, of the other) out of `from`. */
static struct addr take_next(struct addr *from, size_t *n, int family)
{
	struct addr addr;
	size_t i = 0;

	while (i < *n && from[i].sa.sa_family != family)
		i++;
	if (i == *n)
		i = 0;
	addr = from[i];
	memmove(from + i, from + i + 1, (*n - i - 1) * sizeof(*from));
	(*n)--;
	return addr;
}

static void interleave(struct addr *from, size_t n, int family, struct addr *to)
{
	while (n) {
		*to = take_next(from, &n, family);
		family = to->sa.sa_family == AF_INET6 ? AF_INET : AF_INET6;
		to++;
	}
}

void balance_order(struct balance *balance, struct addr *addrs, size_t n, unsigned turn,
		   uint64_t mono_ms)
{
	struct addr usable[BALANCE_ORDER_MAX], resting[BALANCE_ORDER_MAX];
	size_t usable_n = 0, resting_n = 0;
	int family;

	CHECK(n <= BALANCE_ORDER_MAX);
	if (n < 2)
		return;
	family = addrs[0].sa.sa_family;
	for (size_t i = 0; i < n; i++) {
		const struct addr *addr = &addrs[(i + turn) % n];

		if (balance_rested(balance, addr, mono_ms))
			resting[resting_n++] = *addr;
		else
			usable[usable_n++] = *addr;
	}
	interleave(usable, usable_n, family, addrs);
	interleave(resting, resting_n, family, addrs + usable_n);
}
