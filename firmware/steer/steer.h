/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs and their maps, from user space: load, attach, arm, feed the vendor set, read out.
 *
 * Fail open is the programs' business (bpf/steer.bpf.c); this room only says what they may do. One thread.
 */
#ifndef FIRMWARE_STEER_STEER_H
#define FIRMWARE_STEER_STEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi.h"

#define STEER_WHY_MAX	     160
#define STEER_VENDOR_TTL_MIN 600 /* seconds; a device may use an answer longer than its TTL says */
#define STEER_VENDOR_TTL_MAX 86400 /* seconds */

struct steer;
struct scope_list;

struct steer_options {
	int icpt_ifindex;
	uint8_t icpt_mac[6];
	uint32_t mark;
	uint32_t stale_ms;   /* no new connection for a worker whose heartbeat is older */
	uint32_t vendor_max; /* addresses accepted from the data plane */
	bool quic_drop;
	bool dns_any;	 /* answers count without a question seen (routed: NAT hides it) */
	bool private_ok; /* private addresses may be a vendor's */
	bool hostnames;	 /* note what devices call themselves by DHCP */
};

enum steer_role {
	STEER_LAN,  /* lan_in */
	STEER_WAN,  /* wan_in */
	STEER_SCOUT /* scout_in */
};

/* Each address learned from DNS. */
typedef void steer_seen_f(const struct tarn_seen *seen, void *arg);

/*
 * Loads the programs and attaches those of icpt0 and sk_lookup: disarmed, nothing is steered. `ports` are the
 * ifindexes on which a killed keeper may have left programs: the flows, vendor addresses and counters of those
 * are taken over. 0 or -errno with `why` in words.
 */
__attribute__((warn_unused_result)) int
steer_open(const struct steer_options *options, const int *ports, unsigned n_ports,
	   steer_seen_f *seen, void *arg, struct steer **ret_steer, char why[STEER_WHY_MAX]);
/* Detaches everything from everywhere. */
void steer_close(struct steer **steer);

/* Puts the role's program on a port, in place of what was there of ours. */
__attribute__((warn_unused_result)) int steer_port(struct steer *s, int ifindex,
						   enum steer_role role);

/* New listeners for `workers` workers, into the map and as descriptors that the caller owns; the programs
 * know the number of workers from now on. Disarms. */
__attribute__((warn_unused_result)) int steer_listeners(struct steer *s, unsigned workers,
							int ret_fds[]);
/* No listeners any more: the data plane has died. Disarms. */
void steer_listeners_gone(struct steer *s);

/*
 * Are all programs where they were put, and first? 0; -ENOENT: one is gone (steer_port() puts it back); -EEXIST: another
 * sees the packets before; `why` names it.
 */
__attribute__((warn_unused_result)) int steer_check(const struct steer *s, char why[STEER_WHY_MAX]);
/* Puts the intercept device's program back. */
__attribute__((warn_unused_result)) int steer_icpt(struct steer *s);

void steer_arm(struct steer *s, bool armed);
bool steer_armed(const struct steer *s);
void steer_quic(struct steer *s, bool drop);

/* What the upstream side does not reach of this machine. 0 or -errno. */
__attribute__((warn_unused_result)) int steer_front(struct steer *s,
						    const struct tarn_front *front);

/* Borrowed descriptors, for the data plane to inherit. */
int steer_beats_fd(const struct steer *s);
int steer_lookup_fd(const struct steer *s);

/* When worker i last beat, CLOCK_MONOTONIC ns; 0: not running. */
uint64_t steer_beat(const struct steer *s, unsigned worker);
void steer_beats_clear(struct steer *s);

/* From now on a fatal signal to this process stops all steering in the instant it is sent, until
 * steer_doom_clear(). -EOPNOTSUPP: this kernel can't; then it stops when the process has died. */
__attribute__((warn_unused_result)) int steer_doom_watch(struct steer *s, pid_t pid);
bool steer_doomed(const struct steer *s);
void steer_doom_clear(struct steer *s);

/* What the vendor set holds from the data plane's word. -EINVAL: no address that a vendor could have; -ENOSPC:
 * vendor_max reached. TTL 0 withdraws. */
__attribute__((warn_unused_result)) int steer_vendor_set(struct steer *s, const uint8_t addr[16],
							 uint32_t ttl, uint64_t now_ns);
/* Drops what expired long ago; gives the number left. */
unsigned steer_vendors_sweep(struct steer *s, uint64_t now_ns);
unsigned steer_vendors(const struct steer *s);

/* Names whose DNS answers feed the vendor set; the last steer_names_end() replaces all earlier ones.
 * -EINVAL: a name that the trie can't hold (a label over TARN_LABEL_MAX bytes). */
void steer_names_begin(struct steer *s);
__attribute__((warn_unused_result)) int steer_name_add(struct steer *s, const char *name,
						       size_t len, bool suffix, bool never);
__attribute__((warn_unused_result)) int steer_names_end(struct steer *s);

/* Whom it is about from now on, of new connections. If that can't be said, nobody: -errno. */
__attribute__((warn_unused_result)) int steer_scope(struct steer *s, const struct scope_list *take,
						    const struct scope_list *straight);

/* How the frames of a device looked that was steered not long ago. False: it is not known. */
bool steer_station(const struct steer *s, const uint8_t addr[16], struct tarn_station *ret_station);

/* Whether it is noted what devices call themselves by DHCP; if not, what was noted is forgotten. */
void steer_hostnames(struct steer *s, bool note);
/* What the device with this MAC address called itself last: bytes as it sent them. False: it is not known. */
bool steer_hostname(const struct steer *s, const uint8_t mac[6], struct tarn_hostname *ret_name);

/* Readable when addresses were seen; then call steer_seen(). */
int steer_seen_fd(const struct steer *s);
void steer_seen(struct steer *s);

/* Signs of a router behind a port, since scout_in was put there. */
uint64_t steer_heard(const struct steer *s, int ifindex);

/* Descriptors of maps, borrowed; for firmware/steer/probe.h. */
struct steer_maps {
	int flows, bypass, vendors;
};
void steer_maps(const struct steer *s, struct steer_maps *ret_maps);

void steer_stats(const struct steer *s, uint64_t ret_stats[TARN_STAT_COUNT]);
/* Shows each map, by its descriptor. */
typedef void steer_map_f(const char *name, int fd, void *arg);
void steer_each_map(const struct steer *s, steer_map_f *f, void *arg);

/* "syn_steered", into buf, which it gives back; and the words for people. */
#define STEER_NAME_MAX 48
const char *steer_stat_name(enum tarn_stat stat, char buf[STEER_NAME_MAX]);
const char *steer_stat_text(enum tarn_stat stat);

#endif
