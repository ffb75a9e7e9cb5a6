/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loops: the workers, one thread each, and the control loop on the main thread. They talk by
 * mailboxes. All of a connection's life is on one worker; no locks in the data path.
 */
#ifndef TARN_PROXY_LOOP_H
#define TARN_PROXY_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "firmware/base/clock.h"
#include "firmware/base/check.h"

struct worker;
struct mail;

/* Runs on the thread of `worker`, from its loop. The mail may be posted again or freed in it. */
typedef void mail_f(struct worker *worker, struct mail *mail);

/*
 * A note to a loop, kept inside the object it is about: posting allocates nothing and can't fail. While it
 * is on its way, posting it again does nothing (that is what makes wake-ups cheap): whoever posts must have
 * published its news before, and run() must look at all of it.
 */
struct mail {
	struct mail *next;
	mail_f *run;
	atomic_bool pending;
};

static inline void mail_init(struct mail *mail, mail_f *run)
{
	mail->next = NULL;
	mail->run = run;
	atomic_init(&mail->pending, false);
}

struct mailbox {
	_Atomic(struct mail *) posted; /* newest first; pushed by anybody */
	struct mail *taken;	       /* oldest first; the loop's own */
	struct mail *taken_last;       /* while there is one */
	bool running;		       /* mails are being run; the loop's own */
	int fd;			       /* eventfd that wakes the loop */
	struct event event;
};

/* The main thread's loop: signals, DNS, reach, keeper, admin. It serves no device. */
#define WORKER_CONTROL (~0u)

struct worker {
	unsigned index; /* 0 .. workers - 1, or WORKER_CONTROL */
	struct event_base *base;
	struct proxy *proxy; /* proxy/proxy.h: what all threads share */
	struct config
		*config; /* proxy/config.h: current one; config_ref() to keep it past a callback */

	/* Per-worker rooms; each is set by its owner in the setup hook (main.c) and NULL before. */
	struct store_reader *reader; /* cache/store.h */
	struct pool *pool;	     /* proxy/upstream/pool.h */
	struct recent *recent;	     /* proxy/dns/recent.h */
	struct listen *listen;	     /* proxy/listen.h */
	struct client *client;	     /* proxy/client/ */
	struct splices *splices;     /* proxy/splice.h; made by the first splice */
	struct probe *probe;	     /* proxy/probe.h; while the selftest runs */

	bool draining; /* finish what is running, begin nothing: no keep-alive, no pooling */

	/* loop.c's own */
	struct mailbox mailbox;
	struct now now_read;
	uint64_t turn, now_turn;
	unsigned held;
	struct workers *workers;
	_Atomic uint64_t *beat;
	struct event beat_event;
	uint64_t beat_due_ns;
	atomic_uint lag_ms; /* latest beat since it was last looked at */
	struct event drain_event;
	struct mail drain_mail, config_mail;
	_Atomic(struct config *) config_next;
	const struct timeval *timeouts[64];
	unsigned timeout_ms[64], timeout_count;
	bool stop;
};

/* Any thread. See struct mail. */
void mailbox_post(struct worker *worker, struct mail *mail);
/*
 * The same for news that a callback of this worker's own loop has, most of the time: then the mail runs when that callback is
 * over, before any socket is looked at, and costs no system call. What is posted while mails run waits for the next turn, so
 * two that answer each other hold up nobody. Any thread.
 */
void mailbox_post_near(struct worker *worker, struct mail *mail);

/*
 * Takes back a mail that is on its way to `worker`, on the thread of `worker` only. The caller has made sure
 * that nobody posts it any more (and that no post is half done), e.g. by unhooking under the lock that
 * posters hold. After it the mail may be freed.
 */
void mail_cancel(struct worker *worker, struct mail *mail);

/* The time, read at most once in each turn of the loop. The worker's own thread. */
const struct now *worker_now(struct worker *worker);

/*
 * For event_add(): `ms` from now. Kept in a queue by duration, so adding and removing are O(1); few different
 * durations are expected (those of the settings), more than 64 become ordinary timeouts.
 * Valid until the next call on this worker.
 */
const struct timeval *worker_timeout(struct worker *worker, unsigned ms);

/*
 * For long work in small steps: the timer's callback runs when all sockets and timers that are ready had their turn. Not
 * event_active() for that: libevent runs what a callback makes active before it looks at any socket.
 */
void worker_next_turn(struct event *timer);

/* Counts what must end before a draining worker may: connections, splices, flights' fetches. */
void worker_hold(struct worker *worker);
void worker_release(struct worker *worker);
/* How many holds there are: what max_connections is compared with. */
unsigned worker_held(const struct worker *worker);

/* ---- the set of workers; called on the main thread ---------------------------------------------- */

struct workers;

struct worker_hooks {
	/* On the worker's thread before its loop runs. -errno ends the start of all. */
	int (*setup)(struct worker *worker);
	/* On the worker's thread when draining begins: stop accepting, close what is idle. */
	void (*drain)(struct worker *worker);
	/* On the worker's thread after its loop; also after a setup that failed half way. */
	void (*teardown)(struct worker *worker);
};

/* A worker that was made for the calling (main) thread, not running. Free by control_free(). */
MUST_USE int control_new(struct proxy *proxy, struct worker **ret_control);
/*
 * From here on the calling (main) thread steps back behind the workers, which are there by now: a thread inherits it. On a
 * core that is busy with devices, whoever asks or attacks the admin side gets what they leave, and about a tenth where they
 * leave nothing; what this thread does by itself is far less.
 */
void control_step_back(void);
/* Runs until control_stop(). */
void control_run(struct worker *control);
void control_stop(struct worker *control);
void control_free(struct worker **control);

/*
 * Starts `count` threads and returns when each has finished its setup: 0, or the first failed setup's -errno
 * with everything taken down again. `beats`: heartbeat slots (firmware/heritage.h), NULL: a private array.
 * `config` is referenced for each worker.
 */
MUST_USE int workers_start(unsigned count, struct proxy *proxy, struct config *config,
			   const struct worker_hooks *hooks, _Atomic uint64_t *beats,
			   struct workers **ret_workers);
unsigned workers_count(const struct workers *workers);
struct worker *workers_at(struct workers *workers, unsigned i);

/* How late the loops' timers ran at worst since the last call, in milliseconds. */
unsigned workers_lag_ms(struct workers *workers);

/* Gives every worker a new configuration; takes references of its own. */
void workers_config(struct workers *workers, struct config *config);

/*
 * Begins to drain: heartbeats become 0 (no new connection is steered here), the drain hooks run, and each
 * worker ends when nothing is held any more or `limit_ms` has passed. `done` is posted to `control` when
 * all have ended. A second call with limit 0 ends them at once.
 */
void workers_drain(struct workers *workers, unsigned limit_ms, struct worker *control,
		   struct mail *done);
/* Waits for the threads and frees. Drains with limit 0 if that was not asked before. */
void workers_stop(struct workers **workers);

#endif
