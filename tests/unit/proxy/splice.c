/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splices over real sockets: every byte arrives in order, ends are passed on one direction at a time, a slow reader
 * holds the writer, refusals are answered, resets are passed on, nothing is left.
 */
#include "tests/unit/proxy/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "firmware/base/stat.h"
#include "proxy/splice.h"
#include "proxy/tls/tally.h"

/* What all clocks of this program, libevent's too, are ahead of the kernel's. */
static time_t ahead_s;

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	t->tv_sec += ahead_s;
	return rc;
}

/* A device, the worker's end of its connection, and a server. */
struct scene {
	struct rig rig;
	int device, client, listener, server;
	struct addr server_addr;
};

static void tcp_listener(int *ret_fd, struct addr *ret_addr)
{
	socklen_t len = sizeof(*ret_addr);

	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(addr_parse(SPAN("127.0.0.1"), 0, ret_addr), 0);
	assert_int_equal(bind(*ret_fd, &ret_addr->sa, addr_len(ret_addr)), 0);
	assert_int_equal(listen(*ret_fd, 8), 0);
	assert_int_equal(getsockname(*ret_fd, &ret_addr->sa, &len), 0);
}

static void scene_make(struct scene *scene)
{
	static const char *const sets[] = { "upstream.connect_timeout=300ms", NULL };
	struct addr addr;
	int front;

	memset(scene, 0, sizeof(*scene));
	rig_make(&scene->rig, NULL, sets);
	tcp_listener(&scene->listener, &scene->server_addr);
	tcp_listener(&front, &addr);
	scene->device = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(scene->device, &addr.sa, addr_len(&addr)), 0);
	assert_int_equal(fcntl(scene->device, F_SETFL, O_NONBLOCK), 0);
	scene->client = accept4(front, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(scene->client >= 0);
	close(front);
	scene->server = -1;
}

static void scene_end(struct scene *scene)
{
	assert_int_equal(stat_read(STAT_SPLICE_OPEN), 0);
	assert_int_equal(worker_held(scene->rig.worker), 0);
	splice_cut_all(scene->rig.worker);
	close(scene->device);
	close(scene->listener);
	if (scene->server >= 0)
		close(scene->server);
	rig_end(&scene->rig);
}

static bool came(struct scene *scene)
{
	if (scene->server < 0)
		scene->server = accept4(scene->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return scene->server >= 0;
}

static struct splice_plan plan_of(const struct scene *scene)
{
	return (struct splice_plan){
		.fd = scene->client,
		.reason = SPLICE_TLS,
		.addr = scene->server_addr,
	};
}

/* Byte i of a stream. */
static uint8_t byte_of(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16));
}

struct stream {
	size_t sent, got, total;
	bool ended;
};

/* Writes what fits, reads what is there, checks it. */
static void stream_step(struct stream *stream, int from, int to, size_t most)
{
	uint8_t bytes[65536];
	ssize_t n;

	while (stream->sent < stream->total) {
		size_t part = stream->total - stream->sent;

		if (part > sizeof(bytes))
			part = sizeof(bytes);
		for (size_t i = 0; i < part; i++)
			bytes[i] = byte_of(stream->sent + i);
		n = send(from, bytes, part, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		stream->sent += (size_t)n;
		if (stream->sent == stream->total)
			shutdown(from, SHUT_WR);
	}
	while (!stream->ended) {
		n = recv(to, bytes, most < sizeof(bytes) ? most : sizeof(bytes), 0);
		if (n < 0)
			break;
		if (n == 0)
			stream->ended = true;
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != byte_of(stream->got + (size_t)i))
				fail_msg("byte %zu is wrong", stream->got + (size_t)i);
		stream->got += (size_t)n;
		if (most < sizeof(bytes))
			break;
	}
}

/* What it carries is counted by host, too, until its end. */
static void test_tally(void **state)
{
	struct profile_match match = { .host = "a.example" };
	struct tally_view top, sum;
	struct scene scene;
	struct splice_plan plan;
	char buf[8];

	(void)state;
	scene_make(&scene);
	assert_int_equal(tally_new(&scene.rig.proxy.tally), 0);
	plan = plan_of(&scene);
	plan.head = SPAN("hello");
	plan.tally = tally_open(scene.rig.proxy.tally, &match);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, came(&scene));
	assert_int_equal(send(scene.server, "answer", 6, 0), 6);
	shutdown(scene.server, SHUT_WR);
	RIG_UNTIL(&scene.rig, recv(scene.device, buf, sizeof(buf), MSG_PEEK) == 6);
	assert_int_equal(tally_top(scene.rig.proxy.tally, &top, 1, &sum), 1);
	assert_string_equal(top.host, "a.example");
	assert_int_equal(top.bytes_up, 5);
	assert_int_equal(top.bytes_down, 6);
	assert_int_equal(top.open, 1);
	shutdown(scene.device, SHUT_WR);
	RIG_UNTIL(&scene.rig, stat_read(STAT_SPLICE_OPEN) == 0);
	assert_int_equal(tally_top(scene.rig.proxy.tally, &top, 1, &sum), 1);
	assert_int_equal(top.open, 0);
	tally_free(&scene.rig.proxy.tally);
	scene_end(&scene);
}

static void carry(struct scene *scene, size_t up_bytes, size_t down_bytes)
{
	struct stream up = { .total = up_bytes }, down = { .total = down_bytes };
	struct splice_plan plan = plan_of(scene);

	splice_start(scene->rig.worker, &plan);
	RIG_UNTIL(&scene->rig, came(scene));
	if (!up_bytes)
		shutdown(scene->device, SHUT_WR);
	RIG_UNTIL(&scene->rig, (stream_step(&up, scene->device, scene->server, 1 << 20),
				stream_step(&down, scene->server, scene->device, 1 << 20),
				up.ended && down.ended));
	assert_int_equal(up.got, up_bytes);
	assert_int_equal(down.got, down_bytes);
	RIG_UNTIL(&scene->rig, stat_read(STAT_SPLICE_OPEN) == 0);
}

static void test_both_ways(void **state)
{
	struct scene scene;
	int64_t up = stat_read(STAT_SPLICE_BYTES_UP), down = stat_read(STAT_SPLICE_BYTES_DOWN);

	(void)state;
	scene_make(&scene);
	carry(&scene, 3000001, 5000003);
	assert_int_equal(stat_read(STAT_SPLICE_BYTES_UP) - up, 3000001);
	assert_int_equal(stat_read(STAT_SPLICE_BYTES_DOWN) - down, 5000003);
	scene_end(&scene);
}

/* Out of descriptors there is no pipe: bytes are copied. */
static void test_without_pipes(void **state)
{
	struct rlimit before, low;
	struct scene scene;
	struct splice_plan plan;
	struct stream up = { .total = 300001 }, down = { .total = 400001 };
	int most;

	(void)state;
	scene_make(&scene);
	plan = plan_of(&scene);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, came(&scene));
	most = dup(0);
	close(most);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){ (rlim_t)most, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	RIG_UNTIL(&scene.rig, (stream_step(&up, scene.device, scene.server, 1 << 20),
			       stream_step(&down, scene.server, scene.device, 1 << 20),
			       up.ended && down.ended));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(up.got, up.total);
	assert_int_equal(down.got, down.total);
	RIG_UNTIL(&scene.rig, stat_read(STAT_SPLICE_OPEN) == 0);
	scene_end(&scene);
}

static ssize_t server_reads(struct scene *scene, char *bytes, size_t n)
{
	ssize_t got = recv(scene->server, bytes, n, 0);

	return got < 0 ? -errno : got;
}

static void test_head_goes_first(void **state)
{
	struct splice_plan plan;
	struct scene scene;
	char bytes[32] = "";
	ssize_t n = -EAGAIN;

	(void)state;
	scene_make(&scene);
	plan = plan_of(&scene);
	plan.head = SPAN("already read ");
	assert_int_equal(send(scene.device, "and more", 8, 0), 8);
	shutdown(scene.device, SHUT_WR);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, came(&scene));
	RIG_UNTIL(&scene.rig, recv(scene.server, bytes, sizeof(bytes), MSG_PEEK) == 21);
	RIG_UNTIL(&scene.rig, (n = server_reads(&scene, bytes, 21)) == 21);
	assert_memory_equal(bytes, "already read and more", 21);
	/* The device's end is passed on; the server may still speak. */
	RIG_UNTIL(&scene.rig, server_reads(&scene, bytes, 1) == 0);
	assert_int_equal(send(scene.server, "late", 4, 0), 4);
	RIG_UNTIL(&scene.rig, recv(scene.device, bytes, 4, 0) == 4);
	assert_memory_equal(bytes, "late", 4);
	assert_int_equal(stat_read(STAT_SPLICE_OPEN), 1);
	close(scene.server);
	scene.server = -1;
	RIG_UNTIL(&scene.rig, stat_read(STAT_SPLICE_OPEN) == 0);
	assert_int_equal(recv(scene.device, bytes, 4, 0), 0);
	scene_end(&scene);
}

/* Nobody reads at the other end: what is taken from the device is bounded. */
static void test_back_pressure(void **state)
{
	struct splice_plan plan;
	struct scene scene;
	uint8_t bytes[65536] = { 0 };
	size_t sent = 0, before = SIZE_MAX;

	(void)state;
	scene_make(&scene);
	plan = plan_of(&scene);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, came(&scene));
	while (sent != before) {
		before = sent;
		for (ssize_t n; (n = send(scene.device, bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0;)
			sent += (size_t)n;
		rig_settle(&scene.rig, 100);
	}
	/* Socket buffers (at most some MiB each by tcp_wmem and tcp_rmem) and one pipe. */
	assert_in_range(sent, 65536, 64 << 20);
	splice_cut_all(scene.rig.worker);
	scene_end(&scene);
}

static void test_reset_is_passed_on(void **state)
{
	struct linger linger = { 1, 0 };
	struct splice_plan plan;
	struct scene scene;
	char byte;

	(void)state;
	scene_make(&scene);
	plan = plan_of(&scene);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, came(&scene));
	setsockopt(scene.server, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(scene.server);
	scene.server = -1;
	RIG_UNTIL(&scene.rig, stat_read(STAT_SPLICE_OPEN) == 0);
	assert_int_equal(recv(scene.device, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	scene_end(&scene);
}

static void refused(const char *want, bool silent)
{
	struct splice_plan plan;
	struct scene scene;
	char bytes[256] = "";
	size_t n = 0;
	ssize_t got = -1;
	int64_t failed = stat_read(STAT_SPLICE_FAILED);

	scene_make(&scene);
	plan = plan_of(&scene);
	plan.answer_connect = true;
	plan.reason = SPLICE_CONNECT;
	if (silent) {
		/* A listener whose queue is full answers nothing. */
		assert_int_equal(listen(scene.listener, 0), 0);
		for (int i = 0; i < 2; i++) {
			int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

			(void)connect(fd, &scene.server_addr.sa, addr_len(&scene.server_addr));
		}
	} else {
		close(scene.listener);
		scene.listener = -1;
	}
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, ((got = recv(scene.device, bytes + n, sizeof(bytes) - 1 - n, 0)) > 0
				       ? n += (size_t)got
				       : 0,
			       got == 0));
	assert_memory_equal(bytes, want, strlen(want));
	assert_int_equal(stat_read(STAT_SPLICE_FAILED), failed + 1);
	scene_end(&scene);
}

static void test_refusals_are_answered(void **state)
{
	(void)state;
	refused("HTTP/1.1 502 ", false);
	refused("HTTP/1.1 504 ", true);
}

static void test_tunnel(void **state)
{
	static const char answer[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	struct splice_plan plan;
	struct scene scene;
	char bytes[64] = "";

	(void)state;
	scene_make(&scene);
	plan = plan_of(&scene);
	plan.answer_connect = true;
	plan.host = "127.0.0.1";
	plan.port = addr_port(&scene.server_addr);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, recv(scene.device, bytes, sizeof(bytes), 0) == sizeof(answer) - 1);
	assert_string_equal(bytes, answer);
	RIG_UNTIL(&scene.rig, came(&scene));
	splice_cut_all(scene.rig.worker);
	scene_end(&scene);
}

/* Idle splices hold no pipe. */
static void test_idle_holds_little(void **state)
{
	struct splice_plan plan;
	struct scene scene;
	char byte = 'x';
	int before, after;

	(void)state;
	scene_make(&scene);
	plan = plan_of(&scene);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, came(&scene));
	rig_settle(&scene.rig, 20);
	before = dup(0);
	close(before);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(send(scene.device, &byte, 1, 0), 1);
		RIG_UNTIL(&scene.rig, recv(scene.server, &byte, 1, 0) == 1);
	}
	after = dup(0);
	close(after);
	/* One pipe, in the worker's stock. */
	assert_in_range(after, before, before + 2);
	splice_cut_all(scene.rig.worker);
	scene_end(&scene);
}

static void minutes_pass(struct scene *scene, unsigned minutes)
{
	rig_settle(&scene->rig, 20);
	ahead_s += minutes * 60;
	rig_settle(&scene->rig, 20);
}

/* RFC 5382, REQ-5: two hours and four minutes of silence, and each byte begins them again. */
static void test_idle_too_long(void **state)
{
	struct splice_plan plan;
	struct scene scene;
	char byte = 'x';

	(void)state;
	scene_make(&scene);
	plan = plan_of(&scene);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, came(&scene));
	minutes_pass(&scene, 120);
	assert_int_equal(send(scene.device, &byte, 1, 0), 1);
	RIG_UNTIL(&scene.rig, recv(scene.server, &byte, 1, 0) == 1);
	minutes_pass(&scene, 120);
	assert_int_equal(stat_read(STAT_SPLICE_OPEN), 1);
	minutes_pass(&scene, 5);
	assert_int_equal(stat_read(STAT_SPLICE_OPEN), 0);
	assert_int_equal(recv(scene.device, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(recv(scene.server, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	scene_end(&scene);
}

/* Four minutes, once one side has ended: the end itself begins them. */
static void test_half_closed_too_long(void **state)
{
	struct splice_plan plan;
	struct scene scene;
	char byte = 'x';

	(void)state;
	scene_make(&scene);
	plan = plan_of(&scene);
	splice_start(scene.rig.worker, &plan);
	RIG_UNTIL(&scene.rig, came(&scene));
	assert_int_equal(shutdown(scene.device, SHUT_WR), 0);
	RIG_UNTIL(&scene.rig, recv(scene.server, &byte, 1, 0) == 0);
	minutes_pass(&scene, 3);
	assert_int_equal(send(scene.server, &byte, 1, 0), 1);
	RIG_UNTIL(&scene.rig, recv(scene.device, &byte, 1, 0) == 1);
	minutes_pass(&scene, 3);
	assert_int_equal(stat_read(STAT_SPLICE_OPEN), 1);
	minutes_pass(&scene, 2);
	assert_int_equal(stat_read(STAT_SPLICE_OPEN), 0);
	assert_int_equal(recv(scene.device, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_tally),
		cmocka_unit_test(test_without_pipes),
		cmocka_unit_test(test_head_goes_first),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_reset_is_passed_on),
		cmocka_unit_test(test_refusals_are_answered),
		cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_idle_holds_little),
		cmocka_unit_test(test_idle_too_long),
		cmocka_unit_test(test_half_closed_too_long),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
