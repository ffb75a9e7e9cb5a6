/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Maps that more than one BPF object uses. User space loads steer.bpf.o first and hands its maps to
 * the other objects (bpf_map__reuse_fd), so there is one of each.
 */
#ifndef TARN_BPF_MAPS_H
#define TARN_BPF_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#define SECOND_NS 1000000000ull

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TARN_STAT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tarn_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TARN_VENDORS_MAX);
	__type(key, struct tarn_addr);
	__type(value, struct tarn_vendor);
} vendors SEC(".maps");

/* DNS questions on their way to a resolver; an answer without one is not believed. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TARN_QUERIES_MAX);
	__type(key, struct tarn_query_key);
	__type(value, __u8);
} queries SEC(".maps");

/* 1: one of our processes is dying, steer nothing more. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} doom SEC(".maps");

/* Zero at first: all is open. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tarn_front);
} front_door SEC(".maps");

/* clang turns longer __builtin_memcmp() into a call of memcmp, which BPF has not. */
static __always_inline bool bytes_same(const __u8 *a, const __u8 *b, int n)
{
	__u8 differ = 0;

	for (int i = 0; i < n; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

static __always_inline void count(enum tarn_stat stat)
{
	__u32 key = stat;
	__u64 *n = bpf_map_lookup_elem(&stats, &key);

	if (n)
		(*n)++;
}

/* Counts and gives back `verdict`. */
static __always_inline int verdict(enum tarn_stat stat, int verdict)
{
	count(stat);
	return verdict;
}

static __always_inline const struct tarn_config *config_get(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&config, &key);
}

#endif
