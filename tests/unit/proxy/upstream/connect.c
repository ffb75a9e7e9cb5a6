/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting (Happy Eyeballs over real loopback sockets) and the pool of idle connections.
 */
#include "tests/unit/proxy/rig.h"

#include <sys/socket.h>

#include "firmware/base/stat.h"
#include "proxy/upstream/connect.h"
#include "proxy/upstream/pool.h"

static const char *const sets[] = { "upstream.connect_timeout=500ms", "upstream.stagger=50ms",
				    "upstream.pool_max_idle=2", "upstream.idle_timeout=200ms",
				    NULL };

struct outcome {
	bool done;
	int err, fd;
	struct addr peer;
};

static void on_end(void *arg, int err, int fd, const struct addr *peer)
{
	struct outcome *outcome = arg;

	assert_false(outcome->done);
	outcome->done = true;
	outcome->err = err;
	outcome->fd = fd;
	if (peer)
		outcome->peer = *peer;
}

/* A listener on a free port of 127.0.0.1 or ::1. */
static int listener(int family, int backlog, struct addr *ret_addr)
{
	socklen_t len = sizeof(*ret_addr);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(addr_parse(span_of(family == AF_INET ? "127.0.0.1" : "::1"), 0, ret_addr),
			 0);
	assert_int_equal(bind(fd, &ret_addr->sa, addr_len(ret_addr)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &ret_addr->sa, &len), 0);
	return fd;
}

/* An address that answers nothing: its accept queue is full. */
struct silent {
	int listener, filler[2];
};

static void silent_make(struct silent *silent, struct addr *ret_addr)
{
	silent->listener = listener(AF_INET, 0, ret_addr);
	for (size_t i = 0; i < ARRAY_LEN(silent->filler); i++) {
		silent->filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(silent->filler[i], &ret_addr->sa, addr_len(ret_addr));
	}
}

static void silent_end(struct silent *silent)
{
	for (size_t i = 0; i < ARRAY_LEN(silent->filler); i++)
		close(silent->filler[i]);
	close(silent->listener);
}

/* An address that refuses: nobody listens there any more. */
static struct addr refusing(void)
{
	struct addr addr;

	close(listener(AF_INET, 1, &addr));
	return addr;
}

static void test_one_address(void **state)
{
	struct outcome outcome = { 0 };
	struct connect *connect;
	struct addr addr;
	struct rig rig;
	int fd;

	(void)state;
	rig_make(&rig, NULL, sets);
	fd = listener(AF_INET6, 8, &addr);
	assert_int_equal(connect_addr(rig.worker, &addr, on_end, &outcome, &connect), 0);
	assert_false(outcome.done);
	RIG_UNTIL(&rig, outcome.done);
	assert_int_equal(outcome.err, 0);
	assert_true(addr_eq(&outcome.peer, &addr));
	close(outcome.fd);
	close(fd);
	rig_end(&rig);
}

static void test_refused_then_next(void **state)
{
	struct outcome outcome = { 0 };
	struct connect *connect;
	struct addr addrs[2];
	struct rig rig;
	uint64_t began;
	int fd;

	(void)state;
	rig_make(&rig, NULL, sets);
	addrs[0] = refusing();
	fd = listener(AF_INET, 8, &addrs[1]);
	began = clock_read().mono_ms;
	assert_int_equal(connect_addrs(rig.worker, addrs, 2, on_end, &outcome, &connect), 0);
	RIG_UNTIL(&rig, outcome.done);
	assert_int_equal(outcome.err, 0);
	assert_true(addr_eq(&outcome.peer, &addrs[1]));
	/* A refusal does not wait for the stagger. */
	assert_true(clock_read().mono_ms - began < 40);
	assert_true(balance_rested(rig.proxy.balance, &addrs[0], clock_read().mono_ms));
	assert_false(balance_rested(rig.proxy.balance, &addrs[1], clock_read().mono_ms));
	close(outcome.fd);
	close(fd);
	rig_end(&rig);
}

static void test_silent_then_next(void **state)
{
	struct outcome outcome = { 0 };
	struct connect *connect;
	struct silent silent;
	struct addr addrs[2];
	struct rig rig;
	uint64_t began;
	int fd;

	(void)state;
	rig_make(&rig, NULL, sets);
	silent_make(&silent, &addrs[0]);
	fd = listener(AF_INET6, 8, &addrs[1]);
	began = clock_read().mono_ms;
	assert_int_equal(connect_addrs(rig.worker, addrs, 2, on_end, &outcome, &connect), 0);
	RIG_UNTIL(&rig, outcome.done);
	assert_int_equal(outcome.err, 0);
	assert_true(addr_eq(&outcome.peer, &addrs[1]));
	assert_in_range(clock_read().mono_ms - began, 49, 400);
	/* It was given its time and lost: the next connection does not begin with it. */
	assert_true(balance_rested(rig.proxy.balance, &addrs[0], clock_read().mono_ms));
	close(outcome.fd);
	close(fd);
	silent_end(&silent);
	rig_end(&rig);
}

static void test_all_fail(void **state)
{
	struct outcome outcome = { 0 };
	struct connect *connect;
	struct silent silent;
	struct addr addrs[2];
	struct rig rig;
	uint64_t began;

	(void)state;
	rig_make(&rig, NULL, sets);
	addrs[0] = addrs[1] = refusing();
	assert_int_equal(connect_addrs(rig.worker, addrs, 2, on_end, &outcome, &connect), 0);
	RIG_UNTIL(&rig, outcome.done);
	assert_int_equal(outcome.err, -ECONNREFUSED);
	assert_int_equal(outcome.fd, -1);

	outcome = (struct outcome){ 0 };
	silent_make(&silent, &addrs[0]);
	began = clock_read().mono_ms;
	assert_int_equal(connect_addrs(rig.worker, addrs, 1, on_end, &outcome, &connect), 0);
	RIG_UNTIL(&rig, outcome.done);
	assert_int_equal(outcome.err, -ETIMEDOUT);
	assert_in_range(clock_read().mono_ms - began, 490, 1500);
	silent_end(&silent);
	rig_end(&rig);
}

static void test_exact_rests_nobody(void **state)
{
	struct outcome outcome = { 0 };
	struct connect *connect;
	struct addr addr = refusing();
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, sets);
	assert_int_equal(connect_addr(rig.worker, &addr, on_end, &outcome, &connect), 0);
	RIG_UNTIL(&rig, outcome.done);
	assert_int_equal(outcome.err, -ECONNREFUSED);
	assert_false(balance_rested(rig.proxy.balance, &addr, clock_read().mono_ms));
	rig_end(&rig);
}

static void test_cancel(void **state)
{
	struct outcome outcome = { 0 };
	struct connect *connect;
	struct silent silent;
	struct addr addr;
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, sets);
	silent_make(&silent, &addr);
	for (int turns = 0; turns < 3; turns++) {
		assert_int_equal(connect_addrs(rig.worker, &addr, 1, on_end, &outcome, &connect),
				 0);
		for (int i = 0; i < turns; i++)
			rig_turn(&rig, 5);
		connect_cancel(&connect);
		assert_null(connect);
	}
	assert_int_equal(connect_host(rig.worker, "127.0.0.1", 80, on_end, &outcome, &connect), 0);
	connect_cancel(&connect);
	connect_cancel(&connect);
	rig_settle(&rig, 20);
	assert_false(outcome.done);
	silent_end(&silent);
	rig_end(&rig);
}

static void test_literal_host(void **state)
{
	struct outcome outcome = { 0 };
	struct connect *connect;
	struct addr addr;
	struct rig rig;
	int fd;

	(void)state;
	rig_make(&rig, NULL, sets);
	fd = listener(AF_INET6, 8, &addr);
	assert_int_equal(
		connect_host(rig.worker, "::1", addr_port(&addr), on_end, &outcome, &connect), 0);
	RIG_UNTIL(&rig, outcome.done);
	assert_int_equal(outcome.err, 0);
	assert_true(addr_eq(&outcome.peer, &addr));
	close(outcome.fd);
	close(fd);
	rig_end(&rig);
}

/* ---- the pool --------------------------------------------------------------------------------- */

static void pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
}

/* In clear. */
static int take(struct worker *worker, const char *host, uint16_t port, int *ret_fd,
		struct addr *ret_peer)
{
	struct dial_to to = { .host = host, .port = port };
	struct stream stream;
	int rc = pool_take(worker, &to, &stream, ret_peer);

	if (rc == 0) {
		assert_null(stream.secure);
		*ret_fd = stream.fd;
	}
	return rc;
}

static void give(struct worker *worker, const char *host, uint16_t port, int fd,
		 const struct addr *peer)
{
	struct stream stream = { .fd = fd };

	pool_give(worker, host, port, &stream, peer);
	assert_int_equal(stream.fd, -1);
}

static void test_pool(void **state)
{
	struct addr addr, peer;
	int a[2], b[2], c[2], fd;
	struct stream secured;
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, sets);
	assert_int_equal(addr_parse(SPAN("192.0.2.1"), 80, &addr), 0);
	assert_int_equal(pool_new(rig.worker), 0);
	assert_int_equal(take(rig.worker, "a.example", 80, &fd, &peer), -ENOENT);
	pair(a);
	pair(b);
	pair(c);
	give(rig.worker, "a.example", 80, a[0], &addr);
	give(rig.worker, "a.example", 80, b[0], &addr);
	assert_int_equal(stat_read(STAT_UPSTREAM_IDLE), 2);
	/* By scheme, host and port. */
	assert_int_equal(
		pool_take(rig.worker,
			  &(struct dial_to){ .secure = true, .host = "a.example", .port = 80 },
			  &secured, &peer),
		-ENOENT);
	assert_int_equal(take(rig.worker, "b.example", 80, &fd, &peer), -ENOENT);
	assert_int_equal(take(rig.worker, "a.example", 81, &fd, &peer), -ENOENT);
	/* The newest first. */
	assert_int_equal(take(rig.worker, "a.example", 80, &fd, &peer), 0);
	assert_int_equal(fd, b[0]);
	assert_true(addr_eq(&peer, &addr));
	give(rig.worker, "a.example", 80, b[0], &addr);
	/* One more than pool_max_idle: the oldest goes. */
	give(rig.worker, "a.example", 80, c[0], &addr);
	assert_int_equal(stat_read(STAT_UPSTREAM_IDLE), 2);
	assert_int_equal(recv(a[1], &fd, 1, 0), 0);
	/* What the other side has closed is not given out, even before its event. */
	close(c[1]);
	assert_int_equal(take(rig.worker, "a.example", 80, &fd, &peer), 0);
	assert_int_equal(fd, b[0]);
	assert_int_equal(stat_read(STAT_UPSTREAM_IDLE), 0);
	close(fd);
	close(a[1]);
	close(b[1]);
	pool_free(rig.worker);
	rig_end(&rig);
}

static void test_pool_closes(void **state)
{
	struct addr addr;
	int a[2];
	struct rig rig;
	char byte;

	(void)state;
	rig_make(&rig, NULL, sets);
	assert_int_equal(addr_parse(SPAN("192.0.2.1"), 80, &addr), 0);
	assert_int_equal(pool_new(rig.worker), 0);
	/* Bytes that nobody asked for. */
	pair(a);
	give(rig.worker, "a.example", 80, a[0], &addr);
	assert_int_equal(send(a[1], "x", 1, 0), 1);
	RIG_UNTIL(&rig, stat_read(STAT_UPSTREAM_IDLE) == 0);
	close(a[1]);
	/* The other side's end. */
	pair(a);
	give(rig.worker, "a.example", 80, a[0], &addr);
	close(a[1]);
	RIG_UNTIL(&rig, stat_read(STAT_UPSTREAM_IDLE) == 0);
	/* The idle limit. */
	pair(a);
	give(rig.worker, "a.example", 80, a[0], &addr);
	RIG_UNTIL(&rig, stat_read(STAT_UPSTREAM_IDLE) == 0);
	assert_int_equal(recv(a[1], &byte, 1, 0), 0);
	close(a[1]);
	/* A failed address; draining; bytes already there. */
	pair(a);
	give(rig.worker, "a.example", 80, a[0], &addr);
	pool_forget(rig.worker, "b.example", &addr);
	assert_int_equal(stat_read(STAT_UPSTREAM_IDLE), 1);
	pool_forget(rig.worker, "a.example", &addr);
	assert_int_equal(stat_read(STAT_UPSTREAM_IDLE), 0);
	close(a[1]);
	pair(a);
	assert_int_equal(send(a[1], "x", 1, 0), 1);
	give(rig.worker, "a.example", 80, a[0], &addr);
	assert_int_equal(stat_read(STAT_UPSTREAM_IDLE), 0);
	close(a[1]);
	rig.worker->draining = true;
	pair(a);
	give(rig.worker, "a.example", 80, a[0], &addr);
	assert_int_equal(stat_read(STAT_UPSTREAM_IDLE), 0);
	close(a[1]);
	assert_int_equal(stat_read(STAT_UPSTREAM_OPEN), 0);
	pool_free(rig.worker);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_address),	   cmocka_unit_test(test_refused_then_next),
		cmocka_unit_test(test_silent_then_next),   cmocka_unit_test(test_all_fail),
		cmocka_unit_test(test_exact_rests_nobody), cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_literal_host),	   cmocka_unit_test(test_pool),
		cmocka_unit_test(test_pool_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
