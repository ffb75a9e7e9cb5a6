/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loops: threads, mailboxes, heartbeats, draining.
 *
 * Who owns what: `struct workers` owns its threads and their struct worker; the main thread owns the control
 * worker. A worker's fields are its thread's alone, except mailbox.posted, mail.pending and config_next.
 *
 * A worker's life (function of each arrow):
 *
 *	            worker_main: setup hook
 *	created ---------------------------> running --drain_run--> draining
 *	                 | setup failed          |                      | nothing held (worker_release)
 *	                 v                       | stop                 | or limit (drain_expired)
 *	               ended <---- teardown -----+<---------------------+
 *
 * Invariants
 * 1. A mail is in at most one list of one mailbox, and exactly then its `pending` is true.
 * 2. `pending` becomes false before run() is called, so news published during run() post again.
 * 3. The eventfd is written by whoever finds the mailbox empty; the loop empties the eventfd first and
 *    the list after it, so no mail is left lying without a wake-up. What the loop posts near goes into its own
 *    list, and the mailbox's event is made active for it.
 * 4. The heartbeat is written from the loop alone, and is 0 when no new connection is wanted.
 */
#include "cache/store.h"
#include "proxy/loop.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "firmware/base/thread.h"
#include "firmware/heritage.h"
#include "proxy/config.h"

#define CONTROL_NICE	 10
#define CONTROL_SLICE_NS 100000

/* A little more often than promised, since a timer is late rather than early. */
#define BEAT_MS (HERITAGE_BEAT_MS * 3 / 4)

struct workers {
	unsigned count, started;
	const struct worker_hooks *hooks;
	atomic_uint running;
	sem_t ready;
	int setup_rc;	  /* the first failure; guarded by the semaphore's order */
	bool drain_asked; /* main thread's */
	atomic_uint drain_ms;
	struct worker *control;
	struct mail *drained;
	_Atomic uint64_t *beats, *own_beats;
	struct {
		pthread_t thread;
		struct worker worker;
		atomic_int setup_rc;
	} seats[];
};

/* ---- mailboxes -------------------------------------------------------------------------------- */

void mailbox_post(struct worker *worker, struct mail *mail)
{
	struct mailbox *box = &worker->mailbox;
	struct mail *head;
	uint64_t one = 1;

	if (atomic_exchange_explicit(&mail->pending, true, memory_order_acq_rel))
		return;
	head = atomic_load_explicit(&box->posted, memory_order_relaxed);
	do {
		mail->next = head;
	} while (!atomic_compare_exchange_weak_explicit(
		&box->posted, &head, mail, memory_order_release, memory_order_relaxed));
	/* EAGAIN (the counter is full) means that a wake-up is waiting already. */
	if (!head && write(box->fd, &one, sizeof(one)) < 0)
		CHECK(errno == EAGAIN);
}

/* A list of mails, its first and its last. */
static void taken_append(struct mailbox *box, struct mail *first, struct mail *last)
{
	if (box->taken)
		box->taken_last->next = first;
	else
		box->taken = first;
	box->taken_last = last;
}

/* The worker whose loop this thread runs. */
static _Thread_local const struct worker *here;

void mailbox_post_near(struct worker *worker, struct mail *mail)
{
	struct mailbox *box = &worker->mailbox;

	if (here != worker || box->running) {
		mailbox_post(worker, mail);
		return;
	}
	if (atomic_exchange_explicit(&mail->pending, true, memory_order_acq_rel))
		return;
	mail->next = NULL;
	taken_append(box, mail, mail);
	event_active(&box->event, EV_TIMEOUT, 0);
}

/* Appends what was posted to the loop's own list, oldest first. */
static void mailbox_collect(struct mailbox *box)
{
	struct mail *mail, *next, *newest, *oldest = NULL;

	newest = atomic_exchange_explicit(&box->posted, NULL, memory_order_acquire);
	for (mail = newest; mail; mail = next) {
		next = mail->next;
		mail->next = oldest;
		oldest = mail;
	}
	if (newest)
		taken_append(box, oldest, newest);
}

static void mailbox_run(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	struct mail *mail;
	uint64_t count;

	if (what & EV_READ && read(fd, &count, sizeof(count)) < 0)
		CHECK(errno == EAGAIN);
	worker->mailbox.running = true;
	if (what & EV_READ)
		mailbox_collect(&worker->mailbox);
	while ((mail = worker->mailbox.taken)) {
		worker->mailbox.taken = mail->next;
		atomic_exchange_explicit(&mail->pending, false, memory_order_acq_rel);
		mail->run(worker, mail);
	}
	worker->mailbox.running = false;
}

void mail_cancel(struct worker *worker, struct mail *mail)
{
	struct mailbox *box = &worker->mailbox;
	struct mail **at, *before = NULL;

	if (!atomic_load_explicit(&mail->pending, memory_order_acquire))
		return;
	mailbox_collect(box);
	for (at = &box->taken; *at && *at != mail; at = &(*at)->next)
		before = *at;
	CHECK(*at == mail);
	*at = mail->next;
	if (box->taken_last == mail)
		box->taken_last = before;
	atomic_store_explicit(&mail->pending, false, memory_order_release);
}

/* ---- one worker ------------------------------------------------------------------------------- */

const struct now *worker_now(struct worker *worker)
{
	if (worker->now_turn != worker->turn) {
		worker->now_turn = worker->turn;
		worker->now_read = clock_read();
	}
	return &worker->now_read;
}

const struct timeval *worker_timeout(struct worker *worker, unsigned ms)
{
	static _Thread_local struct timeval plain;
	const struct timeval *common;
	unsigned i;

	for (i = 0; i < worker->timeout_count; i++)
		if (worker->timeout_ms[i] == ms)
			return worker->timeouts[i];
	plain = (struct timeval){ ms / 1000, (suseconds_t)(ms % 1000) * 1000 };
	if (i == ARRAY_LEN(worker->timeouts))
		return &plain;
	common = event_base_init_common_timeout(worker->base, &plain);
	if (!common)
		return &plain;
	worker->timeouts[i] = common;
	worker->timeout_ms[i] = ms;
	worker->timeout_count++;
	return common;
}

void worker_next_turn(struct event *timer)
{
	static const struct timeval now = { 0, 0 };

	CHECK_OK(event_add(timer, &now));
}

void worker_hold(struct worker *worker)
{
	worker->held++;
}

void worker_release(struct worker *worker)
{
	CHECK(worker->held > 0);
	if (--worker->held == 0 && worker->draining)
		worker->stop = true;
}

unsigned worker_held(const struct worker *worker)
{
	return worker->held;
}

static void beat_run(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	uint64_t now = clock_mono_ns();

	(void)fd;
	(void)what;
	if (worker->beat_due_ns && now > worker->beat_due_ns) {
		uint64_t late = (now - worker->beat_due_ns) / 1000000;

		if (late > atomic_load_explicit(&worker->lag_ms, memory_order_relaxed))
			atomic_store_explicit(&worker->lag_ms, (unsigned)late,
					      memory_order_relaxed);
	}
	worker->beat_due_ns = now + BEAT_MS * UINT64_C(1000000);
	if (worker->beat && !worker->draining)
		atomic_store_explicit(worker->beat, now, memory_order_relaxed);
	CHECK_OK(event_add(&worker->beat_event, worker_timeout(worker, BEAT_MS)));
}

static void config_run(struct worker *worker, struct mail *mail)
{
	struct config *next = atomic_exchange(&worker->config_next, NULL);

	(void)mail;
	if (!next)
		return;
	config_unref(&worker->config);
	worker->config = next;
}

static void drain_expired(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	LOG(LOG_L_NOTICE, "worker.drain_limit", "worker=%u left=%u", worker->index, worker->held);
	worker->stop = true;
}

static void drain_run(struct worker *worker, struct mail *mail)
{
	struct workers *workers = worker->workers;

	(void)mail;
	if (worker->draining) {
		/* Asked again: without patience. */
		worker->stop = worker->stop || !workers->drain_ms;
		return;
	}
	worker->draining = true;
	if (worker->beat)
		atomic_store_explicit(worker->beat, 0, memory_order_relaxed);
	if (workers->hooks->drain)
		workers->hooks->drain(worker);
	if (!worker->held || !workers->drain_ms) {
		worker->stop = true;
		return;
	}
	CHECK_OK(event_add(&worker->drain_event, worker_timeout(worker, workers->drain_ms)));
}

/* A mailbox that can be posted to, and a base without events of its own yet. */
static int worker_init(struct worker *worker, unsigned index, struct proxy *proxy)
{
	struct event_config *config;

	memset(worker, 0, sizeof(*worker));
	worker->index = index;
	worker->proxy = proxy;
	worker->turn = 1;
	worker->mailbox.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->mailbox.fd < 0)
		return -errno;
	config = event_config_new();
	if (config) {
		/*
		 * No locks: a base is one thread's alone. And not EVENT_BASE_FLAG_PRECISE_TIMER: it sets a timer of
		 * the kernel in each turn of the loop, which is one system call more a turn. So timers keep
		 * to the kernel's tick (4 ms at 250 Hz), and by the exact clock may come that much early.
		 */
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		worker->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!worker->base) {
		close(worker->mailbox.fd);
		worker->mailbox.fd = -1;
		return -ENOMEM;
	}
	mail_init(&worker->drain_mail, drain_run);
	mail_init(&worker->config_mail, config_run);
	CHECK_OK(event_assign(&worker->mailbox.event, worker->base, worker->mailbox.fd,
			      EV_READ | EV_PERSIST, mailbox_run, worker));
	CHECK_OK(evtimer_assign(&worker->beat_event, worker->base, beat_run, worker));
	CHECK_OK(evtimer_assign(&worker->drain_event, worker->base, drain_expired, worker));
	if (event_add(&worker->mailbox.event, NULL) < 0) {
		event_base_free(worker->base);
		close(worker->mailbox.fd);
		return -ENOMEM;
	}
	return 0;
}

static void worker_fini(struct worker *worker)
{
	struct config *next = atomic_exchange(&worker->config_next, NULL);

	if (!worker->base)
		return;
	config_unref(&next);
	config_unref(&worker->config);
	event_del(&worker->drain_event);
	event_del(&worker->beat_event);
	event_del(&worker->mailbox.event);
	event_base_free(worker->base);
	close(worker->mailbox.fd);
	worker->base = NULL;
}

static void worker_loop(struct worker *worker)
{
	log_gather();
	here = worker;
	beat_run(-1, 0, worker);
	while (!worker->stop) {
		size_t waiting = log_gathered();
		int flags = waiting ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE;

		/* A new turn: the first callback that asks for the time reads the clock. */
		worker->turn++;
		CHECK(event_base_loop(worker->base, flags) >= 0);
		/* While lines come turn by turn they are gathered; they go before it sleeps. */
		if (waiting && log_gathered() == waiting)
			log_flush();
	}
	log_flush();
	here = NULL;
	if (worker->beat)
		atomic_store_explicit(worker->beat, 0, memory_order_relaxed);
}

/* ---- the control loop ------------------------------------------------------------------------- */

int control_new(struct proxy *proxy, struct worker **ret_control)
{
	struct worker *control = malloc(sizeof(*control));
	int rc;

	if (!control)
		return -ENOMEM;
	rc = worker_init(control, WORKER_CONTROL, proxy);
	if (rc < 0) {
		free(control);
		return rc;
	}
	*ret_control = control;
	return 0;
}

/* sched_setattr(2)'s, whose header and <sched.h> do not go together. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void control_step_back(void)
{
	/* Its share by nice; of a slice so short a worker that wakes waits no longer (Linux 6.12 on, else ignored). */
	const struct attr attr = {
		.size = sizeof(attr),
		.policy = SCHED_BATCH, /* waking, it takes the core from nobody */
		.nice = CONTROL_NICE,
		.runtime = CONTROL_SLICE_NS,
	};

	if (syscall(SYS_sched_setattr, 0, &attr, 0) < 0) /* 0: this thread */
		LOG(LOG_L_WARN, "control.nice", "error=%s", strerrorname_np(errno));
}

void control_run(struct worker *control)
{
	worker_loop(control);
}

void control_stop(struct worker *control)
{
	control->stop = true;
}

void control_free(struct worker **control)
{
	if (!*control)
		return;
	worker_fini(*control);
	free(*control);
	*control = NULL;
}

/* ---- the set ---------------------------------------------------------------------------------- */

static void worker_context(int fd, void *arg)
{
	struct worker *worker = arg;

	dprintf(fd, "worker %u: held=%u draining=%d turn=%llu\n", worker->index, worker->held,
		worker->draining, (unsigned long long)worker->turn);
	store_reader_crashed(worker->reader);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct workers *workers = worker->workers;
	char name[24]; /* 15 bytes of it count; there are at most HERITAGE_WORKERS_MAX */
	int rc;

	snprintf(name, sizeof(name), "worker/%u", worker->index);
	pthread_setname_np(pthread_self(), name);
	check_context_set(worker_context, worker);
	rc = workers->hooks->setup ? workers->hooks->setup(worker) : 0;
	atomic_store(&workers->seats[worker->index].setup_rc, rc);
	sem_post(&workers->ready);
	if (rc == 0)
		worker_loop(worker);
	if (workers->hooks->teardown)
		workers->hooks->teardown(worker);
	check_context_set(NULL, NULL);
	if (atomic_fetch_sub(&workers->running, 1) == 1 && workers->drained)
		mailbox_post(workers->control, workers->drained);
	return NULL;
}

static int seat_start(struct workers *workers, unsigned i, struct proxy *proxy,
		      struct config *config)
{
	struct worker *worker = &workers->seats[i].worker;
	int rc;

	rc = worker_init(worker, i, proxy);
	if (rc < 0)
		return rc;
	worker->workers = workers;
	worker->config = config_ref(config);
	worker->beat = &workers->beats[i];
	atomic_fetch_add(&workers->running, 1);
	rc = thread_start(&workers->seats[i].thread, worker_main, worker);
	if (rc < 0) {
		atomic_fetch_sub(&workers->running, 1);
		worker_fini(worker);
		return rc;
	}
	workers->started = i + 1;
	return 0;
}

int workers_start(unsigned count, struct proxy *proxy, struct config *config,
		  const struct worker_hooks *hooks, _Atomic uint64_t *beats,
		  struct workers **ret_workers)
{
	struct workers *workers;
	int rc = 0;

	CHECK(count >= 1 && count <= HERITAGE_WORKERS_MAX);
	workers = calloc(1, sizeof(*workers) + count * sizeof(workers->seats[0]));
	if (!workers)
		return -ENOMEM;
	workers->count = count;
	workers->hooks = hooks;
	workers->own_beats = beats ? NULL : calloc(count, sizeof(*beats));
	workers->beats = beats ? beats : workers->own_beats;
	if (!workers->beats) {
		free(workers);
		return -ENOMEM;
	}
	CHECK_OK(sem_init(&workers->ready, 0, 0));

	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = seat_start(workers, i, proxy, config);

	for (unsigned i = 0; i < workers->started; i++)
		while (sem_wait(&workers->ready) < 0)
			CHECK(errno == EINTR);
	for (unsigned i = 0; i < workers->started && rc == 0; i++)
		rc = atomic_load(&workers->seats[i].setup_rc);
	if (rc < 0) {
		workers_stop(&workers);
		return rc;
	}
	*ret_workers = workers;
	return 0;
}

unsigned workers_count(const struct workers *workers)
{
	return workers->count;
}

struct worker *workers_at(struct workers *workers, unsigned i)
{
	CHECK(i < workers->count);
	return &workers->seats[i].worker;
}

unsigned workers_lag_ms(struct workers *workers)
{
	unsigned most = 0;

	for (unsigned i = 0; i < workers->started; i++) {
		unsigned lag = atomic_exchange_explicit(&workers->seats[i].worker.lag_ms, 0,
							memory_order_relaxed);

		STAT_SET((enum stat_id)(STAT_LOOP_WORKER_LAG_FIRST + i), lag);
		if (lag > most)
			most = lag;
	}
	return most;
}

void workers_config(struct workers *workers, struct config *config)
{
	for (unsigned i = 0; i < workers->started; i++) {
		struct worker *worker = &workers->seats[i].worker;
		struct config *older;

		older = atomic_exchange(&worker->config_next, config_ref(config));
		config_unref(&older);
		mailbox_post(worker, &worker->config_mail);
	}
}

void workers_drain(struct workers *workers, unsigned limit_ms, struct worker *control,
		   struct mail *done)
{
	/* A second time only the limit is taken over. */
	workers->drain_ms = limit_ms;
	if (!workers->drain_asked) {
		workers->drain_asked = true;
		workers->control = control;
		workers->drained = done;
	}
	for (unsigned i = 0; i < workers->started; i++)
		mailbox_post(&workers->seats[i].worker, &workers->seats[i].worker.drain_mail);
}

void workers_stop(struct workers **ptr)
{
	struct workers *workers = *ptr;

	if (!workers)
		return;
	if (!workers->drain_asked)
		workers_drain(workers, 0, NULL, NULL);
	for (unsigned i = 0; i < workers->started; i++)
		CHECK_OK(pthread_join(workers->seats[i].thread, NULL));
	/* Only now: the last thread's teardown may still post to another worker's mailbox. */
	for (unsigned i = 0; i < workers->started; i++)
		worker_fini(&workers->seats[i].worker);
	sem_destroy(&workers->ready);
	free(workers->own_beats);
	free(workers);
	*ptr = NULL;
}
