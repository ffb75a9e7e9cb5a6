/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops: no mail is lost or run twice, mails can be taken back, heartbeats beat and stop, draining ends, a new
 * configuration arrives.
 */
#include "tests/unit/proxy/rig.h"

#include <pthread.h>

#include "firmware/heritage.h"

#define POSTERS 4
#define ROUNDS	20000

/* ---- mail ------------------------------------------------------------------------------------- */

struct counted {
	struct mail mail;
	_Atomic unsigned posted, seen;
	unsigned runs;
};

static void counted_run(struct worker *worker, struct mail *mail)
{
	struct counted *counted = (struct counted *)mail;

	(void)worker;
	counted->runs++;
	counted->seen = counted->posted;
}

struct poster {
	struct worker *to;
	struct counted *counted;
};

static void *post_many(void *arg)
{
	struct poster *poster = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct counted *counted = &poster->counted[i % 7];

		counted->posted++;
		mailbox_post(poster->to, &counted->mail);
	}
	return NULL;
}

static bool all_seen(struct counted *counted)
{
	for (int i = 0; i < 7; i++)
		if (counted[i].posted != counted[i].seen)
			return false;
	return true;
}

/* Four threads post seven mails over and over. Whoever posts last is seen. */
static void test_nothing_is_lost(void **state)
{
	struct counted counted[7];
	struct poster poster;
	pthread_t threads[POSTERS];
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, NULL);
	memset(counted, 0, sizeof(counted));
	for (int i = 0; i < 7; i++)
		mail_init(&counted[i].mail, counted_run);
	poster = (struct poster){ rig.worker, counted };
	for (int i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &poster), 0);
	for (int i = 0; i < 200; i++)
		rig_turn(&rig, 1);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	RIG_UNTIL(&rig, all_seen(counted));
	for (int i = 0; i < 7; i++) {
		assert_false(counted[i].mail.pending);
		assert_in_range(counted[i].runs, 1, POSTERS * ROUNDS);
	}
	rig_end(&rig);
}

static unsigned order[3], order_n;

static void note(struct worker *worker, struct mail *mail)
{
	(void)worker;
	order[order_n++] = (unsigned)((struct counted *)mail)->posted;
}

static void counted_begin(struct counted counted[3])
{
	order_n = 0;
	for (unsigned i = 0; i < 3; i++) {
		mail_init(&counted[i].mail, note);
		counted[i].posted = i;
	}
}

/* All three run, in their order, once. */
static void assert_order(struct rig *rig)
{
	RIG_UNTIL(rig, order_n == 3);
	rig_settle(rig, 20);
	assert_int_equal(order_n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(order[i], i);
}

static void test_order_and_coalescing(void **state)
{
	struct counted counted[3];
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, NULL);
	counted_begin(counted);
	for (unsigned i = 0; i < 3; i++) {
		mailbox_post(rig.worker, &counted[i].mail);
		mailbox_post(rig.worker, &counted[i].mail);
	}
	mailbox_post(rig.worker, &counted[0].mail);
	assert_order(&rig);
	rig_end(&rig);
}

static void test_taken_back(void **state)
{
	struct counted counted[3];
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, NULL);
	counted_begin(counted);
	for (unsigned i = 0; i < 3; i++)
		mailbox_post(rig.worker, &counted[i].mail);
	mail_cancel(rig.worker, &counted[1].mail);
	mail_cancel(rig.worker, &counted[1].mail);
	assert_false(counted[1].mail.pending);
	RIG_UNTIL(&rig, order_n == 2);
	rig_settle(&rig, 20);
	assert_int_equal(order_n, 2);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 2);
	/* It can be posted again. */
	mailbox_post(rig.worker, &counted[1].mail);
	RIG_UNTIL(&rig, order_n == 3);
	rig_end(&rig);
}

static void test_last_taken_back(void **state)
{
	struct counted counted[3];
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, NULL);
	counted_begin(counted);
	mailbox_post(rig.worker, &counted[0].mail);
	mailbox_post(rig.worker, &counted[1].mail);
	mail_cancel(rig.worker, &counted[1].mail);
	/* What comes then is behind the first. */
	mailbox_post(rig.worker, &counted[2].mail);
	mailbox_post(rig.worker, &counted[1].mail);
	mail_cancel(rig.worker, &counted[1].mail);
	mail_cancel(rig.worker, &counted[2].mail);
	mail_cancel(rig.worker, &counted[0].mail);
	for (unsigned i = 0; i < 3; i++)
		mailbox_post(rig.worker, &counted[i].mail);
	assert_order(&rig);
	rig_end(&rig);
}

/* A mail that takes back the one behind it, which is on the loop's own list by then. */
static struct counted second;

static void cancel_second(struct worker *worker, struct mail *mail)
{
	(void)mail;
	mail_cancel(worker, &second.mail);
	order_n++;
}

static void test_taken_back_while_running(void **state)
{
	struct mail first;
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, NULL);
	order_n = 0;
	mail_init(&first, cancel_second);
	mail_init(&second.mail, counted_run);
	second.runs = 0;
	mailbox_post(rig.worker, &first);
	mailbox_post(rig.worker, &second.mail);
	RIG_UNTIL(&rig, order_n == 1);
	rig_settle(&rig, 20);
	assert_int_equal(second.runs, 0);
	rig_end(&rig);
}

/* ---- the set of workers ----------------------------------------------------------------------- */

static _Atomic unsigned setups, drains, teardowns;
static _Atomic int setup_result;

static int on_setup(struct worker *worker)
{
	setups++;
	return worker->index == 1 ? setup_result : 0;
}

static void on_drain(struct worker *worker)
{
	assert_true(worker->draining);
	drains++;
}

static void on_teardown(struct worker *worker)
{
	(void)worker;
	teardowns++;
}

static const struct worker_hooks hooks = { on_setup, on_drain, on_teardown };

static bool beats_after(_Atomic uint64_t *beats, unsigned n, uint64_t ns)
{
	for (unsigned i = 0; i < n; i++)
		if (beats[i] <= ns)
			return false;
	return true;
}

static bool all_ended;

static void ended(struct worker *worker, struct mail *mail)
{
	(void)worker;
	(void)mail;
	all_ended = true;
}

static void begin(struct rig *rig, _Atomic uint64_t *beats, struct workers **ret_workers)
{
	rig_make(rig, NULL, NULL);
	setups = drains = teardowns = 0;
	setup_result = 0;
	all_ended = false;
	assert_int_equal(
		workers_start(3, &rig->proxy, rig->worker->config, &hooks, beats, ret_workers), 0);
	assert_int_equal(setups, 3);
}

static void test_heartbeat(void **state)
{
	_Atomic uint64_t beats[3] = { 0 };
	struct workers *workers;
	struct mail mail;
	struct rig rig;
	uint64_t now;

	(void)state;
	begin(&rig, beats, &workers);
	for (int i = 0; i < 3; i++) {
		now = clock_mono_ns();
		RIG_UNTIL(&rig, beats_after(beats, 3, now));
		assert_true(clock_mono_ns() - now < HERITAGE_STALE_MS * UINT64_C(1000000));
	}
	mail_init(&mail, ended);
	workers_drain(workers, 1000, rig.worker, &mail);
	RIG_UNTIL(&rig, all_ended);
	for (int i = 0; i < 3; i++)
		assert_int_equal(beats[i], 0);
	workers_stop(&workers);
	assert_int_equal(drains, 3);
	assert_int_equal(teardowns, 3);
	rig_end(&rig);
}

struct holder {
	struct mail mail;
	_Atomic bool release;
};

static void hold(struct worker *worker, struct mail *mail)
{
	if (((struct holder *)mail)->release)
		worker_release(worker);
	else
		worker_hold(worker);
}

/* A worker that still holds something goes on until it is released. */
static void test_drain_waits(void **state)
{
	struct workers *workers;
	struct holder holder = { .release = false };
	struct mail mail;
	struct rig rig;

	(void)state;
	begin(&rig, NULL, &workers);
	mail_init(&holder.mail, hold);
	mailbox_post(workers_at(workers, 2), &holder.mail);
	RIG_UNTIL(&rig, !holder.mail.pending);
	mail_init(&mail, ended);
	workers_drain(workers, 60000, rig.worker, &mail);
	RIG_UNTIL(&rig, teardowns == 2);
	rig_settle(&rig, 50);
	assert_false(all_ended);
	holder.release = true;
	mailbox_post(workers_at(workers, 2), &holder.mail);
	RIG_UNTIL(&rig, all_ended);
	workers_stop(&workers);
	rig_end(&rig);
}

/* ... or until the limit, or a second call without patience. */
static void test_drain_limit(void **state)
{
	for (int again = 0; again < 2; again++) {
		struct holder holder = { .release = false };
		struct workers *workers;
		struct mail mail;
		struct rig rig;

		(void)state;
		begin(&rig, NULL, &workers);
		mail_init(&holder.mail, hold);
		mailbox_post(workers_at(workers, 0), &holder.mail);
		RIG_UNTIL(&rig, !holder.mail.pending);
		mail_init(&mail, ended);
		workers_drain(workers, again ? 60000 : 100, rig.worker, &mail);
		if (again) {
			RIG_UNTIL(&rig, teardowns == 2);
			workers_drain(workers, 0, rig.worker, &mail);
		}
		RIG_UNTIL(&rig, all_ended);
		workers_stop(&workers);
		rig_end(&rig);
	}
}

static void test_failed_setup(void **state)
{
	struct workers *workers = NULL;
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, NULL);
	setups = drains = teardowns = 0;
	setup_result = -EADDRINUSE;
	assert_int_equal(workers_start(3, &rig.proxy, rig.worker->config, &hooks, NULL, &workers),
			 -EADDRINUSE);
	assert_null(workers);
	assert_int_equal(setups, 3);
	assert_int_equal(teardowns, 3);
	rig_end(&rig);
}

struct look {
	struct mail mail;
	_Atomic(struct config *) seen;
};

static void look_at_config(struct worker *worker, struct mail *mail)
{
	((struct look *)mail)->seen = worker->config;
}

static void test_new_configuration(void **state)
{
	struct look look = { .seen = NULL };
	struct workers *workers;
	struct rig rig, other;

	(void)state;
	begin(&rig, NULL, &workers);
	rig_make(&other, NULL, NULL);
	/* Faster than the workers look: the last one counts, none leaks. */
	for (int i = 0; i < 100; i++) {
		workers_config(workers, rig.worker->config);
		workers_config(workers, other.worker->config);
	}
	mail_init(&look.mail, look_at_config);
	mailbox_post(workers_at(workers, 1), &look.mail);
	RIG_UNTIL(&rig, look.seen != NULL);
	assert_ptr_equal(look.seen, other.worker->config);
	workers_stop(&workers);
	assert_int_equal(rig.worker->config->refs, 1);
	assert_int_equal(other.worker->config->refs, 1);
	rig_end(&other);
	rig_end(&rig);
}

/* One reading a turn of the loop, a new one in the next. */
static void test_clock(void **state)
{
	struct rig rig;
	const struct now *now;
	uint64_t before;

	(void)state;
	rig_make(&rig, NULL, NULL);
	now = worker_now(rig.worker);
	before = now->mono_ms;
	while (clock_read().mono_ms < before + 5)
		;
	assert_int_equal(worker_now(rig.worker)->mono_ms, before);
	rig.worker->turn++;
	assert_true(worker_now(rig.worker)->mono_ms > before);
	rig_end(&rig);
}

/* Long work in small steps, and a mail that comes after the first of them. */
struct steps {
	struct event event;
	struct worker *worker;
	struct counted counted;
	unsigned done, mail_at;
};

static void step(evutil_socket_t fd, short what, void *arg)
{
	struct steps *steps = arg;

	(void)fd;
	(void)what;
	if (steps->counted.runs && !steps->mail_at)
		steps->mail_at = steps->done;
	if (++steps->done == 1)
		mailbox_post(steps->worker, &steps->counted.mail);
	if (steps->done < 1000)
		worker_next_turn(&steps->event);
}

static void test_steps_leave_turns(void **state)
{
	struct steps steps = { .done = 0 };
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, NULL);
	steps.worker = rig.worker;
	mail_init(&steps.counted.mail, counted_run);
	CHECK_OK(evtimer_assign(&steps.event, rig.worker->base, step, &steps));
	worker_next_turn(&steps.event);
	RIG_UNTIL(&rig, steps.done == 1000);
	assert_in_range(steps.mail_at, 1, 4);
	rig_end(&rig);
}

/* Two that answer each other; the first is told by a callback of the loop. */
struct near {
	struct mail begin, a, b;
	struct event timer;
	struct worker *worker;
	uint64_t turns[3]; /* of the callback, and of the mails that came of it */
	_Atomic bool done;
};

static void near_b(struct worker *worker, struct mail *mail)
{
	struct near *near = (struct near *)((char *)mail - offsetof(struct near, b));

	near->turns[2] = worker->turn;
	near->done = true;
}

static void near_a(struct worker *worker, struct mail *mail)
{
	struct near *near = (struct near *)((char *)mail - offsetof(struct near, a));

	near->turns[1] = worker->turn;
	mailbox_post_near(worker, &near->b);
}

static void near_timer(evutil_socket_t fd, short what, void *arg)
{
	struct near *near = arg;

	(void)fd;
	(void)what;
	near->turns[0] = near->worker->turn;
	mailbox_post_near(near->worker, &near->a);
	mailbox_post_near(near->worker, &near->a); /* is on its way */
	CHECK(near->turns[1] == 0);		   /* not before this is over */
}

static void near_begin(struct worker *worker, struct mail *mail)
{
	struct near *near = (struct near *)mail;

	near->worker = worker;
	CHECK_OK(evtimer_assign(&near->timer, worker->base, near_timer, near));
	worker_next_turn(&near->timer);
}

/* In the same turn, but what mails post comes in the next one. From another thread it is as any mail. */
static void test_near(void **state)
{
	struct near near = { .done = false };
	struct workers *workers;
	struct rig rig;

	(void)state;
	begin(&rig, NULL, &workers);
	mail_init(&near.begin, near_begin);
	mail_init(&near.a, near_a);
	mail_init(&near.b, near_b);
	mailbox_post_near(workers_at(workers, 1), &near.begin);
	RIG_UNTIL(&rig, near.done);
	workers_stop(&workers);
	assert_int_equal(near.turns[1], near.turns[0]);
	assert_int_equal(near.turns[2], near.turns[0] + 1);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost),
		cmocka_unit_test(test_order_and_coalescing),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_last_taken_back),
		cmocka_unit_test(test_taken_back_while_running),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_steps_leave_turns),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_drain_waits),
		cmocka_unit_test(test_drain_limit),
		cmocka_unit_test(test_failed_setup),
		cmocka_unit_test(test_new_configuration),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
