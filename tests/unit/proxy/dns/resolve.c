/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolving, against a DNS server of the test's own on the same loop: one question for many askers, TTLs, failures,
 * stale answers, answers that can't be true, servers that say nothing.
 */
#include "tests/unit/proxy/rig.h"

#include <sys/socket.h>

#include "firmware/base/stat.h"
#include "proxy/dns/recent.h"

/* ---- a DNS server ------------------------------------------------------------------------------ */

enum mood {
	ANSWERS,
	SAYS_NO_NAME,
	FAILS,
	SILENT,
	SLOW_AAAA, /* never answers AAAA */
};

struct server {
	struct event event;
	int fd;
	struct addr addr;
	enum mood mood;
	uint32_t ttl;
	unsigned asked_a, asked_aaaa;
	const char *v4[4], *v6[4]; /* NULL-terminated */
};

static size_t put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
	return 2;
}

static size_t put_record(uint8_t *p, const struct server *server, const char *text)
{
	struct addr addr;
	size_t n = 0, bytes;

	assert_int_equal(addr_parse(span_of(text), 0, &addr), 0);
	bytes = addr.sa.sa_family == AF_INET ? 4 : 16;
	n += put16(p + n, 0xc00c); /* the question's name */
	n += put16(p + n, bytes == 4 ? 1 : 28);
	n += put16(p + n, 1);
	n += put16(p + n, server->ttl >> 16);
	n += put16(p + n, server->ttl & 0xffff);
	n += put16(p + n, (unsigned)bytes);
	memcpy(p + n, bytes == 4 ? (void *)&addr.in4.sin_addr : (void *)&addr.in6.sin6_addr, bytes);
	return n + bytes;
}

static void on_question(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t p[512];
	unsigned type, answers = 0, rcode = 0;
	const char *const *texts;
	ssize_t got = recvfrom(fd, p, 300, 0, (struct sockaddr *)&from, &from_len);
	size_t n;

	(void)what;
	assert_true(got > 17);
	for (n = 12; p[n]; n += p[n] + 1u)
		;
	type = (unsigned)p[n + 1] << 8 | p[n + 2];
	n += 5;
	assert_true(type == 1 || type == 28);
	if (type == 1)
		server->asked_a++;
	else
		server->asked_aaaa++;
	if (server->mood == SILENT || (server->mood == SLOW_AAAA && type == 28))
		return;
	texts = type == 1 ? server->v4 : server->v6;
	if (server->mood == SAYS_NO_NAME)
		rcode = 3;
	else if (server->mood == FAILS)
		rcode = 2;
	else
		for (; texts[answers]; answers++)
			n += put_record(p + n, server, texts[answers]);
	put16(p + 2, 0x8180 | rcode);
	put16(p + 6, answers);
	put16(p + 8, 0);
	put16(p + 10, 0); /* no OPT back */
	assert_true(sendto(fd, p, n, 0, (struct sockaddr *)&from, from_len) == (ssize_t)n);
}

static void server_make(struct server *server, struct addr *addr)
{
	socklen_t len = sizeof(*addr);

	memset(server, 0, sizeof(*server));
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(addr_parse(SPAN("127.0.0.1"), 0, addr), 0);
	assert_int_equal(bind(server->fd, &addr->sa, addr_len(addr)), 0);
	assert_int_equal(getsockname(server->fd, &addr->sa, &len), 0);
	server->ttl = 300;
	server->v4[0] = "192.0.2.1";
}

/* ---- the rig ----------------------------------------------------------------------------------- */

struct fixture {
	struct rig rig;
	struct server server;
};

static void fixture_make(struct fixture *f, const char *profile, const char *more)
{
	char servers[80], text[ADDR_TEXT_MAX];
	const char *sets[] = { servers, "dns.timeout=100ms", more, NULL };
	struct addr addr;

	server_make(&f->server, &addr);
	snprintf(servers, sizeof(servers), "dns.servers=%s", addr_format(&addr, text));
	rig_make(&f->rig, profile, sets);
	assert_int_equal(event_assign(&f->server.event, f->rig.worker->base, f->server.fd,
				      EV_READ | EV_PERSIST, on_question, &f->server),
			 0);
	assert_int_equal(event_add(&f->server.event, NULL), 0);
}

static void fixture_end(struct fixture *f)
{
	event_del(&f->server.event);
	close(f->server.fd);
	rig_end(&f->rig);
}

struct answer {
	unsigned calls;
	int err;
	size_t n;
	struct addr addrs[RESOLVE_ADDRS_MAX];
};

static void on_answer(void *arg, int err, const struct addr *addrs, size_t n)
{
	struct answer *answer = arg;

	answer->calls++;
	answer->err = err;
	answer->n = n;
	if (n)
		memcpy(answer->addrs, addrs, n * sizeof(*addrs));
}

static struct answer ask(struct fixture *f, const char *host)
{
	struct answer answer = { 0 };
	struct resolve *resolve;

	assert_int_equal(resolve_host(f->rig.worker, host, 80, on_answer, &answer, &resolve), 0);
	assert_int_equal(answer.calls, 0);
	RIG_UNTIL(&f->rig, answer.calls);
	assert_int_equal(answer.calls, 1);
	return answer;
}

static void assert_addr(const struct addr *addr, const char *text)
{
	char got[ADDR_TEXT_MAX];

	assert_string_equal(addr_format(addr, got), text);
}

/* The clock that the resolver sees goes on; nothing else happens. */
static void expire(struct fixture *f, uint64_t ms)
{
	f->rig.skew_ms += ms;
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void test_both_families(void **state)
{
	struct fixture f;
	struct answer answer;

	(void)state;
	fixture_make(&f, NULL, NULL);
	f.server.v4[1] = "192.0.2.2";
	f.server.v6[0] = "2001:db8::1";
	answer = ask(&f, "WWW.Example.com.");
	assert_int_equal(answer.err, 0);
	assert_int_equal(answer.n, 3);
	assert_addr(&answer.addrs[0], "[2001:db8::1]:80");
	assert_addr(&answer.addrs[1], "192.0.2.1:80");
	assert_addr(&answer.addrs[2], "192.0.2.2:80");
	fixture_end(&f);
}

static void test_remembered_and_turned(void **state)
{
	struct fixture f;
	struct answer first, second;

	(void)state;
	fixture_make(&f, NULL, NULL);
	f.server.v4[1] = "192.0.2.2";
	first = ask(&f, "a.example");
	second = ask(&f, "a.example");
	assert_int_equal(f.server.asked_a, 1);
	assert_addr(&first.addrs[0], "192.0.2.1:80");
	assert_addr(&second.addrs[0], "192.0.2.2:80");
	expire(&f, 301000);
	ask(&f, "a.example");
	assert_int_equal(f.server.asked_a, 2);
	fixture_end(&f);
}

static void test_asked_once_for_many(void **state)
{
	struct answer answers[50] = { 0 };
	struct resolve *resolves[50];
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL, NULL);
	for (int i = 0; i < 50; i++)
		assert_int_equal(resolve_host(f.rig.worker, "a.example", 80, on_answer, &answers[i],
					      &resolves[i]),
				 0);
	resolve_cancel(&resolves[7]);
	RIG_UNTIL(&f.rig, answers[0].calls && answers[49].calls);
	rig_settle(&f.rig, 20);
	assert_int_equal(f.server.asked_a, 1);
	assert_int_equal(f.server.asked_aaaa, 1);
	for (int i = 0; i < 50; i++)
		assert_int_equal(answers[i].calls, i == 7 ? 0 : 1);
	fixture_end(&f);
}

static void test_literals_ask_nobody(void **state)
{
	struct fixture f;
	struct answer answer;

	(void)state;
	fixture_make(&f, NULL, NULL);
	answer = ask(&f, "192.0.2.7");
	assert_int_equal(answer.err, 0);
	assert_addr(&answer.addrs[0], "192.0.2.7:80");
	answer = ask(&f, "2001:db8::7");
	assert_addr(&answer.addrs[0], "[2001:db8::7]:80");
	assert_int_equal(f.server.asked_a, 0);
	fixture_end(&f);
}

static void test_bad_names(void **state)
{
	struct resolve *resolve;
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL, NULL);
	assert_int_equal(resolve_host(f.rig.worker, "", 80, on_answer, NULL, &resolve), -EINVAL);
	assert_int_equal(resolve_host(f.rig.worker, "a b", 80, on_answer, NULL, &resolve), -EINVAL);
	assert_int_equal(resolve_host(f.rig.worker, "a..b", 80, on_answer, NULL, &resolve),
			 -EINVAL);
	fixture_end(&f);
}

static void test_no_name(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL, NULL);
	f.server.mood = SAYS_NO_NAME;
	assert_int_equal(ask(&f, "a.example").err, -ENOENT);
	assert_int_equal(ask(&f, "a.example").err, -ENOENT);
	assert_int_equal(f.server.asked_a, 1);
	/* Remembered for a short time only. */
	f.server.mood = ANSWERS;
	expire(&f, 10001);
	assert_int_equal(ask(&f, "a.example").err, 0);
	/* The name is there, but has no address. */
	f.server.v4[0] = NULL;
	assert_int_equal(ask(&f, "b.example").err, -ENOENT);
	fixture_end(&f);
}

static void test_servers_fail(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL, NULL);
	f.server.mood = FAILS;
	assert_int_equal(ask(&f, "a.example").err, -EHOSTUNREACH);
	f.server.mood = SILENT;
	assert_int_equal(ask(&f, "b.example").err, -ETIMEDOUT);
	fixture_end(&f);
}

/* Known addresses outlive their TTL as long as nobody can say better; "no such name" is better. */
static void test_stale(void **state)
{
	struct fixture f;
	struct answer answer;

	(void)state;
	fixture_make(&f, NULL, NULL);
	ask(&f, "a.example");
	f.server.mood = FAILS;
	expire(&f, 301000);
	answer = ask(&f, "a.example");
	assert_int_equal(answer.err, 0);
	assert_addr(&answer.addrs[0], "192.0.2.1:80");
	f.server.mood = SAYS_NO_NAME;
	expire(&f, 2001);
	assert_int_equal(ask(&f, "a.example").err, -ENOENT);
	/* Not for ever. */
	f.server.mood = ANSWERS;
	expire(&f, 10001);
	ask(&f, "a.example");
	f.server.mood = FAILS;
	expire(&f, UINT64_C(25) * 3600 * 1000);
	assert_int_equal(ask(&f, "a.example").err, -EHOSTUNREACH);
	fixture_end(&f);
}

/* A server that drops AAAA questions costs 50 ms (RFC 8305, 3), not its time limit. */
static void test_one_family_is_slow(void **state)
{
	struct fixture f;
	struct answer answer;
	uint64_t began;

	(void)state;
	fixture_make(&f, NULL, "dns.timeout=2s");
	f.server.mood = SLOW_AAAA;
	began = clock_read().mono_ms;
	answer = ask(&f, "a.example");
	assert_int_equal(answer.err, 0);
	assert_int_equal(answer.n, 1);
	assert_in_range(clock_read().mono_ms - began, 45, 1000);
	fixture_end(&f);
}

static const char vendor[] = "[vendor]\nname = v\n[hosts]\nexact = up.vendor.example\n";

static void test_hijacked(void **state)
{
	struct fixture f;
	struct answer answer;
	int64_t before = stat_read(STAT_DNS_HIJACKED);

	(void)state;
	fixture_make(&f, vendor, NULL);
	f.server.v4[0] = "10.1.2.3";
	assert_int_equal(ask(&f, "up.vendor.example").err, -EADDRNOTAVAIL);
	assert_int_equal(stat_read(STAT_DNS_HIJACKED), before + 1);
	/* Others may be where they like. */
	answer = ask(&f, "intranet.example");
	assert_int_equal(answer.err, 0);
	assert_addr(&answer.addrs[0], "10.1.2.3:80");
	fixture_end(&f);

	/* One true address among the false ones. */
	fixture_make(&f, vendor, NULL);
	f.server.v4[0] = "127.0.0.1";
	f.server.v4[1] = "192.0.2.9";
	answer = ask(&f, "up.vendor.example");
	assert_int_equal(answer.n, 1);
	assert_addr(&answer.addrs[0], "192.0.2.9:80");
	fixture_end(&f);

	fixture_make(&f, vendor, "steer.allow_private_vendor=yes");
	f.server.v4[0] = "10.1.2.3";
	assert_int_equal(ask(&f, "up.vendor.example").err, 0);
	fixture_end(&f);
}

/* ---- routes and fresh questions ----------------------------------------------------------------- */

struct detour {
	struct addr server;
	unsigned troubles;
};

static const struct addr *detour_route(void *arg, const struct profile *profile)
{
	struct detour *detour = arg;

	assert_string_equal(profile_name(profile), "v");
	return &detour->server;
}

/* Another server, for detour_route(): the vendor's host is elsewhere there. */
static void detour_make(struct fixture *f, struct server *other, struct detour *detour)
{
	server_make(other, &detour->server);
	other->v4[0] = "198.51.100.1";
	event_assign(&other->event, f->rig.worker->base, other->fd, EV_READ | EV_PERSIST,
		     on_question, other);
	event_add(&other->event, NULL);
}

static void detour_trouble(void *arg, const struct profile *profile)
{
	(void)profile;
	((struct detour *)arg)->troubles++;
}

/* A vendor's names go where reach says, with a memory of their own; failures are told. */
static void test_route(void **state)
{
	struct fixture f;
	struct server other;
	struct detour detour = { 0 };
	struct answer answer;

	(void)state;
	fixture_make(&f, vendor, NULL);
	detour_make(&f, &other, &detour);
	answer = ask(&f, "up.vendor.example");
	assert_addr(&answer.addrs[0], "192.0.2.1:80");
	resolver_route_set(f.rig.proxy.resolver, detour_route, detour_trouble, &detour);
	answer = ask(&f, "up.vendor.example");
	assert_addr(&answer.addrs[0], "198.51.100.1:80");
	answer = ask(&f, "elsewhere.example");
	assert_addr(&answer.addrs[0], "192.0.2.1:80");
	assert_int_equal(detour.troubles, 0);
	other.mood = FAILS;
	expire(&f, 301000);
	assert_int_equal(ask(&f, "up.vendor.example").err, 0); /* stale */
	assert_int_equal(detour.troubles, 1);
	event_del(&other.event);
	close(other.fd);
	fixture_end(&f);
}

/* A worker keeps for a second what it was told; then it asks, and hears what holds now. */
static void test_told_just_now(void **state)
{
	struct fixture f;
	struct server other;
	struct detour detour = { 0 };
	struct answer answer;

	(void)state;
	fixture_make(&f, vendor, NULL);
	detour_make(&f, &other, &detour);
	assert_int_equal(recent_new(f.rig.worker), 0);
	f.server.v4[1] = "192.0.2.2";
	ask(&f, "up.vendor.example");
	resolver_route_set(f.rig.proxy.resolver, detour_route, detour_trouble, &detour);
	for (int i = 0; i < 4; i++) {
		answer = ask(&f, "UP.vendor.example");
		assert_int_equal(answer.n, 2);
		assert_addr(&answer.addrs[0], i % 2 ? "192.0.2.1:80" : "192.0.2.2:80");
	}
	expire(&f, 1001);
	rig_settle(&f.rig, 1); /* a turn, which reads the clock */
	answer = ask(&f, "up.vendor.example");
	assert_int_equal(answer.n, 1);
	assert_addr(&answer.addrs[0], "198.51.100.1:80");
	assert_int_equal(f.server.asked_a, 1);
	recent_free(f.rig.worker);
	event_del(&other.event);
	close(other.fd);
	fixture_end(&f);
}

struct fresh {
	struct resolver_ask ask;
	unsigned calls;
	int err;
	uint32_t ttl;
};

static void on_fresh(void *arg, int err, const struct addr *addrs, size_t n, uint32_t ttl)
{
	struct fresh *fresh = arg;

	(void)addrs;
	assert_int_equal(!err, n > 0);
	fresh->calls++;
	fresh->err = err;
	fresh->ttl = ttl;
}

static void test_fresh_questions(void **state)
{
	struct fresh fresh = { .ask = { .f = on_fresh } };
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL, NULL);
	fresh.ask.arg = &fresh;
	ask(&f, "a.example");
	/* Asks although the answer is known, and tells the truth where a request would get the old one. */
	resolver_ask_fresh(f.rig.proxy.resolver, "a.example", NULL, &fresh.ask);
	RIG_UNTIL(&f.rig, fresh.calls == 1);
	assert_int_equal(f.server.asked_a, 2);
	assert_int_equal(fresh.ttl, 300);
	f.server.mood = FAILS;
	resolver_ask_fresh(f.rig.proxy.resolver, "a.example", NULL, &fresh.ask);
	RIG_UNTIL(&f.rig, fresh.calls == 2);
	assert_int_equal(fresh.err, -EHOSTUNREACH);
	assert_int_equal(ask(&f, "a.example").err, 0);
	f.server.mood = SILENT;
	resolver_ask_fresh(f.rig.proxy.resolver, "b.example", NULL, &fresh.ask);
	resolver_ask_cancel(f.rig.proxy.resolver, &fresh.ask);
	rig_settle(&f.rig, 500);
	assert_int_equal(fresh.calls, 2);
	fixture_end(&f);
}

/* Questions under way when the settings change still get their answer. */
static void test_reload(void **state)
{
	struct answer answer = { 0 };
	struct resolve *resolve;
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL, NULL);
	assert_int_equal(resolve_host(f.rig.worker, "a.example", 80, on_answer, &answer, &resolve),
			 0);
	rig_turn(&f.rig, 0);
	resolver_reload(f.rig.proxy.resolver);
	RIG_UNTIL(&f.rig, answer.calls);
	assert_int_equal(answer.err, 0);
	rig_settle(&f.rig, 20);
	assert_int_equal(ask(&f, "b.example").err, 0);
	fixture_end(&f);
}

static void test_many_names(void **state)
{
	struct fixture f;
	char host[40];

	(void)state;
	fixture_make(&f, NULL, NULL);
	for (int i = 0; i < 1100; i++) {
		snprintf(host, sizeof(host), "h%d.example", i);
		assert_int_equal(ask(&f, host).err, 0);
	}
	assert_int_equal(f.server.asked_a, 1100);
	/* The latest are known, the first are not. */
	ask(&f, "h1099.example");
	assert_int_equal(f.server.asked_a, 1100);
	ask(&f, "h0.example");
	assert_int_equal(f.server.asked_a, 1101);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals_ask_nobody),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_remembered_and_turned),
		cmocka_unit_test(test_asked_once_for_many),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_servers_fail),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_one_family_is_slow),
		cmocka_unit_test(test_hijacked),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_told_just_now),
		cmocka_unit_test(test_fresh_questions),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
