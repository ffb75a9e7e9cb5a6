/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy's end of firmware/heritage.h: finds the inherited descriptors, talks with the keeper. Control loop
 * only.
 */
#ifndef TARN_PROXY_HERITAGE_CLIENT_H
#define TARN_PROXY_HERITAGE_CLIENT_H

#include "firmware/base/addr.h"
#include "firmware/heritage.h"

struct worker;
struct keeper;

/* What came with us. Without a keeper: all false, workers 0, beats NULL, fds -1; with a plain heritage: keeper alone. */
struct heritage {
	bool keeper;
	bool given;
	unsigned workers;
	_Atomic uint64_t *beats;
	int admin_fd;
};

/*
 * Looks at the environment and takes over the descriptors (sets close-on-exec, maps the beats).
 * -EINVAL: the environment says there is a heritage, but it is not whole (logged).
 */
MUST_USE int heritage_take(struct heritage *ret_heritage);
/* The inherited listener of a worker, or -1. */
int heritage_listener(const struct heritage *heritage, unsigned worker);
/* Unmaps the beats. The listeners and the rest end with the process. */
void heritage_drop(struct heritage *heritage);

struct keeper_calls {
	/* The keeper asks us to end, or is gone. */
	void (*stop)(void *arg, const char *why);
	/* A device's DNS answer taught the keeper this address. */
	void (*vendor_seen)(void *arg, const struct addr *addr, uint32_t ttl);
	/* What it says to keeper_mint(). */
	void (*minted)(void *arg, const struct heritage_minted *answer);
	/* What became of a change of the settings; `how` TAKEN, UNDONE, EXPIRED: read them again. */
	void (*changed)(void *arg, const struct heritage_changed *changed);
	/* What came of a selftest. */
	void (*selftest)(void *arg, const struct heritage_selftest *result);
	/* What it says to keeper_who(). */
	void (*station)(void *arg, const struct heritage_station *station);
	/* A piece of what it says to keeper_systems(). */
	void (*systems)(void *arg, const struct heritage_systems_said *said);
	/* What it says to keeper_access(). */
	void (*access_kept)(void *arg, const struct heritage_access_kept *answer);
};

/* Begins to serve HERITAGE_FD_KEEPER. 0 or -errno. */
MUST_USE int keeper_new(struct worker *control, bool steers, const struct keeper_calls *calls,
			void *arg, struct keeper **ret_keeper);
void keeper_free(struct keeper **keeper);

/* NULL keeper: nothing happens. A message that does not fit into the socket is dropped and counted; HEALTH is
 * repeated every third of HERITAGE_HEALTH_MS by itself. */
void keeper_ready(struct keeper *keeper, unsigned workers);
void keeper_health(struct keeper *keeper, bool reachable, const char *why_not);
void keeper_vendor(struct keeper *keeper, const struct addr *addr, uint32_t ttl);

/* Asks for a certificate. 0; -EAGAIN: the socket is full; -ENOENT: no keeper. */
MUST_USE int keeper_mint(struct keeper *keeper, uint32_t ticket, struct span key, const char *host);

/* SETTING and CHANGE. False: the socket is full, or there is no keeper any more. */
MUST_USE bool keeper_setting(struct keeper *keeper, const struct heritage_setting *setting);
MUST_USE bool keeper_change(struct keeper *keeper, uint32_t id, enum heritage_change_what what,
			    unsigned settings);

/* SELFTEST_RUN. False: the same. */
MUST_USE bool keeper_selftest(struct keeper *keeper, uint32_t id);

/* WHO, of an address as in6_addr. False: the same, or nothing is steered. */
MUST_USE bool keeper_who(struct keeper *keeper, const uint8_t addr[16]);

/* SYSTEMS, with its head set here. False: the socket is full, or there is no keeper any more. */
MUST_USE bool keeper_systems(struct keeper *keeper, const struct heritage_systems *ask);

/* ACCESS. False: the same. */
MUST_USE bool keeper_access(struct keeper *keeper, const struct access_kept *kept);

/* Does it steer connections to us? NULL: no. */
bool keeper_steers(const struct keeper *keeper);
/* What the keeper said last; NULL before. */
const struct heritage_state *keeper_state(const struct keeper *keeper);
/* What it last said of the kernel's side, borrowed; how many that are, 0 before and for NULL. */
size_t keeper_kernel(const struct keeper *keeper, const struct heritage_kernel **ret_figures);

#endif
