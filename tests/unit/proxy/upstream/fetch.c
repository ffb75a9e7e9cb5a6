/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fetch takes its turns: however fast the vendor sends, the loop's other events come between two parts of a body.
 */
#include "tests/unit/proxy/rig.h"

#include <errno.h>
#include <sys/socket.h>

#include "proxy/upstream/fetch.h"
#include "proxy/upstream/pool.h"

/* What one turn of the loop may take of a body: 64 KiB, and a last piece that is no longer than a chunk. */
#define TURN_MOST  ((64u << 10) + CONFIG_CHUNK_BYTES)
#define BODY_BYTES (4u << 20)

static void woken(struct flight_reader *reader)
{
	(void)reader;
}

/* The vendor: never waits, and has sent all that fits before each turn of the loop. */
struct vendor {
	int listener, fd;
	struct addr addr;
	char *bytes; /* all that it sends */
	size_t n, sent;
};

static void vendor_make(struct vendor *v, const char *head, bool chunked)
{
	socklen_t len = sizeof(v->addr);
	size_t at = strlen(head);

	*v = (struct vendor){ .fd = -1 };
	assert_int_equal(addr_parse(span_of("127.0.0.1"), 0, &v->addr), 0);
	v->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(v->listener, &v->addr.sa, addr_len(&v->addr)), 0);
	assert_int_equal(listen(v->listener, 4), 0);
	assert_int_equal(getsockname(v->listener, &v->addr.sa, &len), 0);
	v->bytes = malloc(BODY_BYTES + 4096);
	assert_non_null(v->bytes);
	memcpy(v->bytes, head, at);
	if (chunked)
		at += (size_t)sprintf(v->bytes + at, "%x\r\n", BODY_BYTES);
	memset(v->bytes + at, 'x', BODY_BYTES);
	at += BODY_BYTES;
	if (chunked)
		at += (size_t)sprintf(v->bytes + at, "\r\n0\r\n\r\n");
	v->n = at;
}

static void vendor_send(struct vendor *v)
{
	const int room = BODY_BYTES;
	ssize_t n = 0;

	if (v->fd < 0) {
		v->fd = accept4(v->listener, NULL, NULL, SOCK_CLOEXEC);
		if (v->fd < 0)
			return;
		setsockopt(v->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	}
	for (; v->sent < v->n && n >= 0; v->sent += n > 0 ? (size_t)n : 0)
		n = send(v->fd, v->bytes + v->sent, v->n - v->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void vendor_end(struct vendor *v)
{
	close(v->fd);
	close(v->listener);
	free(v->bytes);
}

static void begin(struct rig *rig, const struct vendor *v, struct flight_reader *reader)
{
	static const char text[] = "GET /big HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	struct http_head request;
	struct policy_req policy;
	struct fetch_ask ask = { .kind = FETCH_RELAY,
				 .host = "127.0.0.1",
				 .port = addr_port(&v->addr),
				 .request = &request,
				 .policy = &policy,
				 .authority = SPAN("127.0.0.1"),
				 .target = SPAN("/big") };

	assert_int_equal(flights_new(NULL, NULL, &FLIGHT_LIMITS_DEFAULT, &rig->proxy.flights), 0);
	assert_int_equal(http_request_parse(&request, text, sizeof(text) - 1), 0);
	policy_request(&request, NULL, &policy, NULL);
	strcpy(rig->proxy.pseudonym, "tarn");
	assert_int_equal(pool_new(rig->worker), 0);
	assert_int_equal(flight_alone(rig->proxy.flights, reader), 0);
	assert_int_equal(fetch_start(rig->worker, flight_of(reader), &ask, NULL), 0);
}

static void takes_turns(const char *head, bool chunked)
{
	struct flight_reader reader = { .wake = woken };
	struct vendor vendor;
	uint64_t before = 0, at = 0;
	struct rig rig;

	rig_make(&rig, NULL, NULL);
	vendor_make(&vendor, head, chunked);
	begin(&rig, &vendor, &reader);
	for (unsigned turns = 0; at < BODY_BYTES; turns++, before = at) {
		assert_true(turns < 10000 && flight_look(&reader) != FLIGHT_FAILED);
		vendor_send(&vendor);
		rig_turn(&rig, 100);
		at = flight_published(flight_of(&reader));
		assert_in_range(at - before, 0, TURN_MOST);
	}
	RIG_UNTIL(&rig, flight_look(&reader) == FLIGHT_DONE);
	assert_int_equal(flight_published(flight_of(&reader)), BODY_BYTES);
	flight_leave(&reader);
	assert_int_equal(worker_held(rig.worker), 0);
	pool_free(rig.worker);
	flights_free(&rig.proxy.flights);
	vendor_end(&vendor);
	rig_end(&rig);
}

static void test_counted(void **state)
{
	(void)state;
	takes_turns("HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n", false);
}

static void test_chunked(void **state)
{
	(void)state;
	takes_turns("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_chunked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
