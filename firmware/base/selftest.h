/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selftest: tarnd makes a connection as a device would and sees whether it comes through: what it shows, what can be
 * wrong, and what is said on it. No code.
 *
 * Its addresses are nobody's: the client's is the IPv4 dummy address (RFC 7600) and one of the discard-only prefix (RFC
 * 6666), the vendor's one of TEST-NET-1 (RFC 5737) and of the discard-only prefix. Its frames have a source that no
 * bridge learns and a destination that none forwards (IEEE 802.3 pause), so that what is not steered ends there.
 */
#ifndef FIRMWARE_BASE_SELFTEST_H
#define FIRMWARE_BASE_SELFTEST_H

#include <stdint.h>

/* X(NAME, "name", what it shows), in the order in which a connection takes them */
#define SELFTEST_STEPS(X)                                                                          \
	X(SEE, "see", "what comes in at the devices' port is seen and steered")                    \
	X(ARRIVE, "arrive", "what is steered arrives, and the answer finds the way back")          \
	X(SERVE, "serve", "a worker takes the connection and answers")                             \
	X(STORE, "store", "the store can be read and written")

enum selftest_step {
#define X(name, text, what) SELFTEST_##name,
	SELFTEST_STEPS(X)
#undef X
	SELFTEST_STEPS_N
};

/* X(NAME, "name", what it means) */
#define SELFTEST_STATES(X)                                                                         \
	X(NONE, "none", "it has not run yet")                                                      \
	X(OFF, "off", "it can't or shall not run")                                                 \
	X(OK, "ok", "a connection comes through")                                                  \
	X(FAILED, "failed", "a connection does not come through")

enum selftest_state {
#define X(name, text, what) SELFTEST_IS_##name,
	SELFTEST_STATES(X)
#undef X
	SELFTEST_STATES_N
};

/* X(NAME, "word", step that fails, what is to be done) */
#define SELFTEST_FAULTS(X)                                                                         \
	X(NONE, "none", SEE, "")                                                                   \
	X(UNSEEN, "unseen", SEE,                                                                   \
	  "Something takes packets off that port before Tarn: look with `tc filter show dev PORT " \
	  "ingress` and `ip -details link show PORT` (XDP), and take it away")                     \
	X(PASSED, "passed", SEE,                                                                   \
	  "New connections pass straight through: look for what keeps this machine busy (top, "    \
	  "dmesg)")                                                                                \
	X(LOST, "lost", ARRIVE,                                                                    \
	  "A firewall drops it, or a rule of ours is gone: look at `nft list ruleset` for chains " \
	  "that drop what comes in by icpt0, at `ip rule` and `ip -6 rule`; `systemctl restart "   \
	  "tarnd` puts rules and routes back")                                                     \
	X(UNANSWERED, "unanswered", ARRIVE,                                                        \
	  "A firewall drops the answers, or a rule of ours is gone: look at `nft list ruleset` "   \
	  "for chains that drop output from ports 80 and 443 or to icpt0, and at `ip rule`; "      \
	  "`systemctl restart tarnd` puts rules and routes back")                                  \
	X(UNSERVED, "unserved", SERVE,                                                             \
	  "tarn-proxy is overloaded or stuck: look at top and dmesg; tarnd restarts it if its "    \
	  "loops stand still")                                                                     \
	X(FOREIGN, "foreign", SERVE,                                                               \
	  "Another program of this machine takes the connections: look for it with `ss -ltnp`, "   \
	  "and for sk_lookup programs with `bpftool net`")                                         \
	X(STORE, "store", STORE, "See the store's state in `tarnctl status`")

enum selftest_fault {
#define X(name, text, step, todo) SELFTEST_FAULT_##name,
	SELFTEST_FAULTS(X)
#undef X
	SELFTEST_FAULTS_N
};

#define SELFTEST_CLIENT_4                                                                          \
	{                                                                                          \
		[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 8                                     \
	}
#define SELFTEST_VENDOR_4                                                                          \
	{                                                                                          \
		[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1                           \
	}
#define SELFTEST_CLIENT_6                                                                          \
	{                                                                                          \
		[0] = 1, [15] = 8                                                                  \
	}
#define SELFTEST_VENDOR_6                                                                          \
	{                                                                                          \
		[0] = 1, [15] = 1                                                                  \
	}
#define SELFTEST_PORT 80

/* What is said on the connection, both in this machine's byte order: the asker's word comes back with the answer. */
#define SELFTEST_MAGIC 0x7461726e74657374ull

struct selftest_ask {
	uint64_t magic;
	uint64_t word[2];
};

struct selftest_answer {
	uint64_t magic;
	uint64_t word[2];
	uint32_t store_fails;  /* 0: it can be read and written; 1: not */
	uint32_t store_lag_ms; /* age of the oldest write that waits */
};

_Static_assert(sizeof(struct selftest_ask) == 24, "selftest_ask");
_Static_assert(sizeof(struct selftest_answer) == 32, "selftest_answer");

#endif
