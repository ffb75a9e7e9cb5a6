/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the data plane inherits: the whole contract between tarnd, the keeper (root, firmware/keeper),
 * and tarn-proxy, the data plane (no user, no capability, proxy/). Nothing else passes between the two.
 *
 * 1. The keeper forks, the child gives up everything (uid and gid of `tarn`, no groups, no capability,
 *    no_new_privs) and executes `tarn-proxy --config FILE` with the descriptors of HERITAGE_FDS at exactly
 *    these numbers and with HERITAGE_ENV=1 and HERITAGE_ENV_WORKERS=N in the environment. Without
 *    HERITAGE_ENV the proxy runs alone and must not touch these numbers.
 * 2. The listeners are the proxy's only: the keeper closes its copies right after the fork. When the proxy
 *    dies, its listeners die, their SOCKMAP entries vanish, and new connections pass straight through.
 * 3. Every worker loop writes CLOCK_MONOTONIC in nanoseconds into its own slot of HERITAGE_FD_BEATS, at least
 *    every HERITAGE_BEAT_MS, from the loop itself, never from a spare thread. A slot older than
 *    HERITAGE_STALE_MS gets no new connection; older than the keeper's limit, the proxy is killed. Zero means
 *    "not running": the worker gets no connection and nobody is killed for it.
 * 4. Messages on HERITAGE_FD_KEEPER are one packet each, of exactly the size in HERITAGE_MESSAGES, native
 *    byte order. Both sides drop (and count) what heritage_valid() refuses. A full socket drops
 *    the message at the sender; none of them is needed for correctness, the next one says the same. MINT is
 *    answered by one MINTED or, if either is dropped, never: the proxy asks again. SETTING (one each) and CHANGE are
 *    answered by one CHANGED with CHANGE's id; what does not come through whole is refused, or not answered, and
 *    the asker is told. SYSTEMS is answered by SYSTEMS_SAID, piece after piece, or never.
 * 5. End of file on HERITAGE_FD_KEEPER: the keeper is gone. The proxy zeroes its heartbeats (new connections
 *    pass), finishes what it has, and exits 0. STOP asks for the same.
 * 6. The proxy arms nothing. The keeper arms interception after READY, while beats are fresh and the last
 *    HEALTH said `reachable`. A proxy that sends no HEALTH for HERITAGE_HEALTH_MS counts as not reachable. Where
 *    [steer] offline has devices served what is stored (proxy/offline.h), HEALTH says so for that, too.
 * 7. Where nothing is steered ([steer] mode = off, a kernel without BPF) HERITAGE_ENV is HERITAGE_ENV_PLAIN: only
 *    HERITAGE_FD_KEEPER, HERITAGE_FD_ADMIN and HERITAGE_FD_ACCESS are there, and the proxy makes the rest as if it were
 *    alone.
 * 8. Who may use the admin page is kept twice: in the store, and by the keeper, which the loss of the store does not touch. The
 *    proxy reads HERITAGE_FD_ACCESS once, at its start, and says ACCESS until ACCESS_KEPT answers with its serial and no error.
 */
#ifndef TARN_FIRMWARE_HERITAGE_H
#define TARN_FIRMWARE_HERITAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "firmware/base/access_kept.h"
#include "firmware/base/selftest.h"

#define HERITAGE_ENV	      "TARN_HERITAGE" /* "1" */
#define HERITAGE_ENV_PLAIN    "plain"
#define HERITAGE_ENV_WORKERS  "TARN_WORKERS" /* decimal, 1..HERITAGE_WORKERS_MAX */

#define HERITAGE_WORKERS_MAX  64
#define HERITAGE_BEAT_MS      100   /* a worker beats at least this often */
#define HERITAGE_STALE_MS     500   /* older: no new connection for this worker */
#define HERITAGE_HEALTH_MS    15000 /* the proxy repeats HEALTH at least three times in this time */
#define HERITAGE_DRAIN_MS     10000 /* after STOP or end of file, the proxy is gone within this time */
#define HERITAGE_TTL_MAX      604800 /* seconds; longer ones are cut by the sender */
#define HERITAGE_REASON	      64     /* bytes, with the ending zero */
#define HERITAGE_HOST	      256    /* the same */
#define HERITAGE_NAME	      64     /* the same */
#define HERITAGE_VALUE	      1024   /* the same */
#define HERITAGE_TEXT	      256    /* the same */
#define HERITAGE_POINT	      65     /* bytes of a point on P-256, not compressed */
#define HERITAGE_MODULUS      256    /* bytes of an RSA modulus; its exponent is 65537 */
#define HERITAGE_LEAF	      2048   /* bytes of a certificate at most */
#define HERITAGE_SETTINGS_MAX 64     /* of one change */
#define HERITAGE_PIECE	      1536   /* bytes */
#define HERITAGE_SYSTEMS_MAX  65536  /* bytes of an answer */
#define HERITAGE_UPLOADED                                                                          \
	"update.uploaded" /* in [cache] path: what the admin page was given; nobody's word for it */

/* X(NAME, number, what it is) */
#define HERITAGE_FDS(X)                                                                            \
	X(KEEPER, 3, "SOCK_SEQPACKET socket to the keeper, non-blocking")                          \
	X(BEATS, 4,                                                                                \
	  "heartbeat map: mmap(PROT_READ|PROT_WRITE, MAP_SHARED), uint64_t[HERITAGE_WORKERS_MAX]") \
	X(LOOKUP, 5,                                                                               \
	  "sk_lookup link: only kept open, so that steered flows outlive a killed keeper")         \
	X(ADMIN, 6, "listening unix stream socket of the proxy's admin API, non-blocking")         \
	X(ACCESS, 7, "to be read: who may use the admin page (base/access_kept.h); may be empty")

enum heritage_fd {
#define X(name, number, what) HERITAGE_FD_##name = (number),
	HERITAGE_FDS(X)
#undef X
	/* Worker i serves HERITAGE_FD_LISTEN + i: a listening TCP socket, AF_INET6 dual stack, transparent and
	 * marked (children inherit both), non-blocking. getsockname() of a child is the original destination,
	 * getpeername() the device. */
	HERITAGE_FD_LISTEN = 16,
};

/* X(NAME, struct, type, true if the proxy is the sender, what it says) */
#define HERITAGE_MESSAGES(X)                                                                       \
	X(READY, heritage_ready, 1, true, "all loops run, all listeners are served")               \
	X(HEALTH, heritage_health, 2, true, "whether an upstream can be reached, and why not")     \
	X(VENDOR_ADDR, heritage_vendor, 3, true, "an address of a vendor's host, resolved by us")  \
	X(VENDOR_SEEN, heritage_vendor, 4, false, "an address learned from a device's DNS answer") \
	X(STATE, heritage_state, 5, false, "armed or not, and why not")                            \
	X(STOP, heritage_stop, 6, false, "stop beating, drain, exit")                              \
	X(MINT, heritage_mint, 7, true, "asks for a certificate for a host, to the proxy's key")   \
	X(MINTED, heritage_minted, 8, false, "the certificate, or that there is none")             \
	X(SETTING, heritage_setting, 20, true, "one setting of the change to come")                \
	X(CHANGE, heritage_change, 21, true, "change the settings, confirm or take back")          \
	X(CHANGED, heritage_changed, 22, false, "what became of it, and what waits")               \
	X(SELFTEST_RUN, heritage_selftest_run, 23, true, "run the selftest now")                   \
	X(SELFTEST, heritage_selftest, 24, false, "what came of the selftest")                     \
	X(KERNEL, heritage_kernel, 25, false, "a figure of the kernel's side, for the metrics")    \
	X(WHO, heritage_who, 30, true, "asks what the frames of a device look like")               \
	X(STATION, heritage_station, 31, false, "that is what they look like, if it is known")     \
	X(SYSTEMS, heritage_systems, 40, true,                                                     \
	  "asks about the appliance's systems, or for a deed")                                     \
	X(SYSTEMS_SAID, heritage_systems_said, 41, false, "a piece of the answer")                 \
	X(ACCESS, heritage_access, 50, true, "who may use the admin page: to be kept")             \
	X(ACCESS_KEPT, heritage_access_kept, 51, false, "it is kept, or can't be")

enum heritage_type {
#define X(name, shape, number, from_proxy, what) HERITAGE_##name = (number),
	HERITAGE_MESSAGES(X)
#undef X
};

struct heritage_head {
	uint32_t type; /* enum heritage_type */
	uint32_t size; /* bytes of the whole message, this head included */
};

struct heritage_ready {
	struct heritage_head head;
	uint32_t workers; /* served listeners; must equal HERITAGE_ENV_WORKERS */
	uint32_t zero;
};

struct heritage_health {
	struct heritage_head head;
	uint32_t reachable;	      /* 0 or 1 */
	char reason[HERITAGE_REASON]; /* printable, zero-ended; empty when reachable */
	uint32_t zero;
};

struct heritage_vendor {
	struct heritage_head head;
	uint8_t addr[16]; /* in6_addr, network order; IPv4 as ::ffff:a.b.c.d */
	uint32_t ttl;	  /* seconds from now, 0..HERITAGE_TTL_MAX; 0 in VENDOR_ADDR withdraws it */
	uint32_t zero;
};

struct heritage_state {
	struct heritage_head head;
	uint32_t armed;		      /* 0 or 1 */
	uint32_t restarts;	      /* of the proxy since the keeper began */
	uint32_t hang_kills;	      /* of these, killed for a stale heartbeat */
	char reason[HERITAGE_REASON]; /* why not armed, in words; empty when armed */
	uint32_t far; /* 0 or 1: all ports are hardware, what leaves by them leaves this machine */
};

struct heritage_stop {
	struct heritage_head head;
};

struct heritage_mint {
	struct heritage_head head;
	uint32_t ticket; /* the proxy's; comes back */
	uint8_t point[HERITAGE_POINT];
	uint8_t rsa; /* 0 or 1: the key is `modulus`, not `point` */
	uint8_t zero[2];
	char host[HERITAGE_HOST]; /* lower case, zero-filled; the keeper checks what it is */
	uint8_t modulus[HERITAGE_MODULUS];
};

struct heritage_minted {
	struct heritage_head head;
	uint32_t ticket;
	uint32_t error; /* errno: why there is none; 0 */
	uint32_t n;	/* bytes of the certificate */
	uint32_t zero;
	uint8_t leaf[HERITAGE_LEAF]; /* DER */
};

/* The keeper looks at it as at a line of the file, and takes no setting that names a path, a program or a user. */
struct heritage_setting {
	struct heritage_head head;
	uint32_t id;		    /* of the CHANGE that follows */
	uint32_t unset;		    /* 1: its default counts; the value is empty */
	char name[HERITAGE_NAME];   /* "section.key" */
	char value[HERITAGE_VALUE]; /* no control characters, zero-ended */
};

enum heritage_change_what {
	HERITAGE_CHANGE_TAKE, /* the `settings` told before with this id; they wait to be confirmed */
	HERITAGE_CHANGE_CONFIRM, /* what waits stays */
	HERITAGE_CHANGE_UNDO, /* what waits, or else the last one that was confirmed, is taken back */
};

struct heritage_change {
	struct heritage_head head;
	uint32_t id; /* never 0 */
	uint32_t what;
	uint32_t settings;
	uint32_t zero;
};

enum heritage_changed_how {
	HERITAGE_CHANGED_NOT, /* nothing was; `error` tells whether something was wrong */
	HERITAGE_CHANGED_TAKEN,
	HERITAGE_CHANGED_CONFIRMED,
	HERITAGE_CHANGED_UNDONE,
	HERITAGE_CHANGED_EXPIRED, /* not confirmed in time: taken back */
};

struct heritage_changed {
	struct heritage_head head;
	uint32_t id;	  /* 0: nobody asked */
	uint32_t how;	  /* TAKEN, UNDONE and EXPIRED: the file is another now */
	uint32_t error;	  /* errno; 0: well */
	uint32_t restart; /* 1: the proxy is started again for it, soon */
	uint32_t left_ms; /* until what waits is taken back; 0: nothing waits */
	uint32_t zero;
	uint64_t
		undo_at_ms; /* since 1970: when what UNDO would take back was confirmed; 0: nothing */
	char text[HERITAGE_TEXT]; /* what was wrong; printable */
};

/* Answered by one SELFTEST with its id, or never. */
struct heritage_selftest_run {
	struct heritage_head head;
	uint32_t id; /* never 0 */
	uint32_t zero;
};

/* firmware/base/selftest.h has the words. */
struct heritage_selftest {
	struct heritage_head head;
	uint32_t id;	/* 0: nobody asked */
	uint32_t state; /* enum selftest_state */
	uint32_t fault; /* enum selftest_fault */
	uint32_t steps; /* 1 << enum selftest_step: those that went well on every way */
	uint32_t ways;	/* ports and families tried */
	uint32_t took_us;
	uint64_t at_ms;		  /* since 1970; 0: never */
	char text[HERITAGE_TEXT]; /* what is wrong; printable */
};

struct heritage_who {
	struct heritage_head head;
	uint8_t addr[16]; /* as in heritage_vendor */
};

#define HERITAGE_STATION_NAME 64
struct heritage_station {
	struct heritage_head head;
	uint8_t addr[16];
	uint8_t mac[6]; /* zero if not known */
	uint16_t vlan;	/* host order, 0: no tag */
	uint32_t known; /* 0 or 1 */
	uint32_t zero;
	char name
		[HERITAGE_STATION_NAME]; /* as it calls itself; "" if that is not known, or not to be */
};

/* What the appliance that tarnd runs on is to do; LOOK: nothing, only tell. */
enum heritage_systems_what {
	HERITAGE_SYSTEMS_LOOK,
	HERITAGE_SYSTEMS_UPDATE, /* from `value`, a URL; answered when it has begun */
	HERITAGE_SYSTEMS_ROLLBACK,
	HERITAGE_SYSTEMS_RESTART,
	HERITAGE_SYSTEMS_RESET,	   /* to the factory's state */
	HERITAGE_SYSTEMS_UPLOADED, /* as UPDATE, from HERITAGE_UPLOADED; `value` is "" */
};

struct heritage_systems {
	struct heritage_head head;
	uint32_t id; /* never 0 */
	uint32_t what;
	char when[8];		    /* to restart, as firmware/boot/restart.h takes it */
	char value[HERITAGE_VALUE]; /* no control characters, zero-ended */
};

/* Together the pieces with one id are a JSON object, or nothing: LOOK's document; {"error", "text"} if error is not 0. */
struct heritage_systems_said {
	struct heritage_head head;
	uint32_t id;
	uint32_t error;	       /* errno, the same in each; ENOENT: this is no appliance */
	uint32_t at, n, total; /* bytes */
	uint32_t zero;
	char text[HERITAGE_PIECE];
};

struct heritage_access {
	struct heritage_head head;
	struct access_kept kept;
};

struct heritage_access_kept {
	struct heritage_head head;
	uint64_t serial; /* of what it answers */
	uint32_t error;	 /* errno: why it is not kept; EAGAIN: too soon after the last. 0 */
	uint32_t zero;
};

_Static_assert(sizeof(struct heritage_access) == 400, "heritage_access");
_Static_assert(sizeof(struct heritage_access_kept) == 24, "heritage_access_kept");
_Static_assert(sizeof(struct heritage_systems) == 1048, "heritage_systems");
_Static_assert(sizeof(struct heritage_systems_said) == 1568, "heritage_systems_said");
_Static_assert(sizeof(struct heritage_who) == 24, "heritage_who");
_Static_assert(sizeof(struct heritage_station) == 104, "heritage_station");
#define HERITAGE_KERNEL_MAX 64 /* different names */

/* A counter of TARN_STATS, or how full a map is. Each is told again every few seconds. */
struct heritage_kernel {
	struct heritage_head head;
	uint64_t value;
	uint64_t limit;		  /* entries that the map takes; 0: it is a counter */
	char name[HERITAGE_NAME]; /* a-z, 0-9 and '_' */
};

_Static_assert(sizeof(struct heritage_kernel) == 88, "heritage_kernel");
_Static_assert(sizeof(struct heritage_selftest_run) == 16, "heritage_selftest_run");
_Static_assert(sizeof(struct heritage_selftest) == 296, "heritage_selftest");
_Static_assert(sizeof(struct heritage_setting) == 1104, "heritage_setting");
_Static_assert(sizeof(struct heritage_change) == 24, "heritage_change");
_Static_assert(sizeof(struct heritage_changed) == 296, "heritage_changed");
_Static_assert(sizeof(struct heritage_ready) == 16, "heritage_ready");
_Static_assert(sizeof(struct heritage_health) == 80, "heritage_health");
_Static_assert(sizeof(struct heritage_vendor) == 32, "heritage_vendor");
_Static_assert(sizeof(struct heritage_state) == 88, "heritage_state");
_Static_assert(sizeof(struct heritage_stop) == 8, "heritage_stop");
_Static_assert(sizeof(struct heritage_mint) == 592, "heritage_mint");
_Static_assert(sizeof(struct heritage_minted) == 2072, "heritage_minted");

/* A receiver's buffer: large enough, and aligned, for every message. */
union heritage_message {
	struct heritage_head head;
	struct heritage_ready ready;
	struct heritage_health health;
	struct heritage_vendor vendor;
	struct heritage_state state;
	struct heritage_stop stop;
	struct heritage_mint mint;
	struct heritage_minted minted;
	struct heritage_setting setting;
	struct heritage_change change;
	struct heritage_changed changed;
	struct heritage_selftest_run selftest_run;
	struct heritage_selftest selftest;
	struct heritage_who who;
	struct heritage_station station;
	struct heritage_kernel kernel;
	struct heritage_systems systems;
	struct heritage_systems_said systems_said;
	struct heritage_access access;
	struct heritage_access_kept access_kept;
};

#define HERITAGE_INIT(type_, shape_)                                                               \
	{                                                                                          \
		.head = {.type = (type_), .size = sizeof(struct shape_) }                          \
	}

/* Zero-ended and without control characters; `ascii`: nothing over 0x7e either. */
static inline bool heritage_line_valid(const char *text, size_t size, bool ascii)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!c)
			return true;
		if (c < 0x20 || c == 0x7f || (ascii && c > 0x7e))
			return false;
	}
	return false;
}

/* Ends, and is zero behind its end: nothing is carried along. */
static inline bool heritage_host_valid(const char host[HERITAGE_HOST])
{
	size_t n = strnlen(host, HERITAGE_HOST);

	for (size_t i = n; i < HERITAGE_HOST; i++)
		if (host[i])
			return false;
	return n > 0 && n < HERITAGE_HOST;
}

static inline bool heritage_minted_valid(const struct heritage_minted *m)
{
	if (m->error)
		return m->n == 0 && m->error < 4096;
	return m->n > 0 && m->n <= HERITAGE_LEAF;
}

/* A word that can be a label as it is; ends, and is zero behind its end. */
static inline bool heritage_word_valid(const char word[HERITAGE_NAME])
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_");

	for (size_t i = n; i < HERITAGE_NAME; i++)
		if (word[i])
			return false;
	return n > 0;
}

static inline bool heritage_systems_valid(const struct heritage_systems *m)
{
	return m->id && m->what <= HERITAGE_SYSTEMS_UPLOADED &&
	       heritage_line_valid(m->when, sizeof(m->when), true) &&
	       heritage_line_valid(m->value, sizeof(m->value), true);
}

static inline bool heritage_systems_said_valid(const struct heritage_systems_said *m)
{
	return m->id && m->error < 4096 && m->total <= HERITAGE_SYSTEMS_MAX && m->at <= m->total &&
	       m->n <= HERITAGE_PIECE && m->n <= m->total - m->at;
}

static inline bool heritage_text_valid(const char text[HERITAGE_REASON])
{
	return heritage_line_valid(text, HERITAGE_REASON, true);
}

/* Is this packet of `len` bytes (as recv() gave, without MSG_TRUNC) a message which that sender may send, of the
 * right size and with every field in range? Whether an address makes sense is for the receiver to say. */
static inline bool heritage_valid(const union heritage_message *m, size_t len, bool from_proxy)
{
	size_t size = 0;

	if (len < sizeof(m->head) || m->head.size != len)
		return false;
	switch (m->head.type) {
#define X(name, shape, number, proxy, what)                                                        \
	case number:                                                                               \
		size = (proxy) == from_proxy ? sizeof(struct shape) : 0;                           \
		break;
		HERITAGE_MESSAGES(X)
#undef X
	default:
		return false;
	}
	if (len != size)
		return false;
	switch (m->head.type) {
	case HERITAGE_READY:
		return m->ready.workers >= 1 && m->ready.workers <= HERITAGE_WORKERS_MAX;
	case HERITAGE_HEALTH:
		return m->health.reachable <= 1 && heritage_text_valid(m->health.reason);
	case HERITAGE_VENDOR_ADDR:
	case HERITAGE_VENDOR_SEEN:
		return m->vendor.ttl <= HERITAGE_TTL_MAX;
	case HERITAGE_STATE:
		return m->state.armed <= 1 && m->state.far <= 1 &&
		       heritage_text_valid(m->state.reason);
	case HERITAGE_MINT:
		return m->mint.rsa <= 1 && heritage_host_valid(m->mint.host);
	case HERITAGE_MINTED:
		return heritage_minted_valid(&m->minted);
	case HERITAGE_SETTING:
		return m->setting.id && m->setting.unset <= 1 &&
		       heritage_line_valid(m->setting.name, HERITAGE_NAME, true) &&
		       heritage_line_valid(m->setting.value, HERITAGE_VALUE, false);
	case HERITAGE_CHANGE:
		return m->change.id && m->change.what <= HERITAGE_CHANGE_UNDO &&
		       m->change.settings <= HERITAGE_SETTINGS_MAX;
	case HERITAGE_CHANGED:
		return m->changed.how <= HERITAGE_CHANGED_EXPIRED && m->changed.restart <= 1 &&
		       heritage_line_valid(m->changed.text, HERITAGE_TEXT, true);
	case HERITAGE_SELFTEST_RUN:
		return m->selftest_run.id != 0;
	case HERITAGE_KERNEL:
		return m->kernel.name[HERITAGE_NAME - 1] == 0 &&
		       heritage_word_valid(m->kernel.name);
	case HERITAGE_SELFTEST:
		return m->selftest.state < SELFTEST_STATES_N &&
		       m->selftest.fault < SELFTEST_FAULTS_N &&
		       heritage_line_valid(m->selftest.text, HERITAGE_TEXT, true);
	case HERITAGE_SYSTEMS:
		return heritage_systems_valid(&m->systems);
	case HERITAGE_SYSTEMS_SAID:
		return heritage_systems_said_valid(&m->systems_said);
	case HERITAGE_ACCESS:
		return access_kept_valid(&m->access.kept);
	case HERITAGE_ACCESS_KEPT:
		return m->access_kept.serial && m->access_kept.error < 4096;
	case HERITAGE_STATION:
		return m->station.known <= 1 && m->station.vlan < 4096 &&
		       heritage_line_valid(m->station.name, HERITAGE_STATION_NAME, true);
	default:
		return true;
	}
}

/* Copies a text so that heritage_line_valid() holds: cut to fit, unprintable bytes as '?', zero-filled. */
static inline void heritage_text(char *dst, size_t size, const char *text)
{
	size_t n = strlen(text);

	if (n > size - 1)
		n = size - 1;
	for (size_t i = 0; i < n; i++)
		dst[i] = text[i] < 0x20 || text[i] > 0x7e ? '?' : text[i];
	memset(dst + n, 0, size - n);
}

static inline void heritage_reason(char dst[HERITAGE_REASON], const char *text)
{
	heritage_text(dst, HERITAGE_REASON, text);
}

#endif
