/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store is read on this worker's reader, and now and then written: the row that one selftest writes is what the next
 * ones read. One at a time, by struct worker.
 */
#include "proxy/probe.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cache/store.h"
#include "cache/writer.h"
#include "firmware/base/selftest.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define LIMIT_MS 5000
#define WRITE_MS 30000 /* between two writes, of all workers */
#define ROW	 SPAN("selftest")

struct probe {
	struct worker *worker;
	int fd;
	struct event event;
	struct selftest_ask ask;
	size_t n;
};

static bool is_one_of(const struct addr *addr, const uint8_t v4[16], const uint8_t v6[16])
{
	if (addr->sa.sa_family == AF_INET)
		return memcmp(&addr->in4.sin_addr, v4 + 12, 4) == 0;
	return addr->sa.sa_family == AF_INET6 && memcmp(&addr->in6.sin6_addr, v6, 16) == 0;
}

bool probe_is(const struct addr *peer, const struct addr *meant)
{
	static const uint8_t client4[16] = SELFTEST_CLIENT_4, client6[16] = SELFTEST_CLIENT_6;
	static const uint8_t vendor4[16] = SELFTEST_VENDOR_4, vendor6[16] = SELFTEST_VENDOR_6;

	return is_one_of(peer, client4, client6) && is_one_of(meant, vendor4, vendor6);
}

void probe_stop(struct worker *worker)
{
	struct probe *probe = worker->probe;

	if (!probe)
		return;
	worker->probe = NULL;
	event_del(&probe->event);
	close(probe->fd);
	free(probe);
	worker_release(worker);
}

/* At most one write in WRITE_MS, by whoever comes first. */
static void row_write(struct worker *worker)
{
	static _Atomic uint64_t next_ms;
	struct now now = *worker_now(worker);
	uint64_t due = atomic_load(&next_ms);

	if (now.mono_ms >= due &&
	    atomic_compare_exchange_strong(&next_ms, &due, now.mono_ms + WRITE_MS))
		(void)!writer_put_state(worker->proxy->writer, ROW,
					span_make(&now.wall_ms, sizeof(now.wall_ms)), NULL, NULL);
}

/* Whether a store that can't be used is a fault, is for the keeper to say. */
static struct selftest_answer answer_make(struct probe *probe)
{
	struct worker *worker = probe->worker;
	struct selftest_answer answer = { .magic = SELFTEST_MAGIC };
	struct store_stat stat;
	int64_t written;
	size_t n;
	int rc;

	row_write(worker);
	rc = store_state_get(worker->reader, ROW, &written, sizeof(written), &n);
	store_stat(worker->proxy->store, &stat);
	answer.word[0] = probe->ask.word[0];
	answer.word[1] = probe->ask.word[1];
	answer.store_fails = (rc && rc != -ENOENT) || stat.state != STORE_SERVING;
	answer.store_lag_ms = stat.lag_ms;
	return answer;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;
	struct selftest_answer answer;
	ssize_t n;

	if (what & EV_TIMEOUT) {
		probe_stop(probe->worker);
		return;
	}
	n = recv(fd, (char *)&probe->ask + probe->n, sizeof(probe->ask) - probe->n, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	probe->n += n > 0 ? (size_t)n : 0;
	if (n > 0 && probe->n < sizeof(probe->ask))
		return;
	if (n > 0 && probe->ask.magic == SELFTEST_MAGIC) {
		answer = answer_make(probe);
		(void)!send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
	}
	probe_stop(probe->worker);
}

void probe_start(struct worker *worker, int fd)
{
	struct probe *probe = worker->probe ? NULL : calloc(1, sizeof(*probe));

	if (!probe) {
		close(fd);
		return;
	}
	probe->worker = worker;
	probe->fd = fd;
	CHECK_OK(event_assign(&probe->event, worker->base, fd, EV_READ | EV_PERSIST, on_event,
			      probe));
	CHECK_OK(event_add(&probe->event, worker_timeout(worker, LIMIT_MS)));
	worker->probe = probe;
	worker_hold(worker);
}
