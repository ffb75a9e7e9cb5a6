/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	            run_begin              way_begin: SYN in            on_syn_ack: what we ask
 *	RESTING ───────────────► (a way) ───────────────► SYN_SENT ───────────────────► ASKED
 *	   ▲  timer, selftest_run    ▲                       │ too late: way_lost          │ on_data: the answer
 *	   │                         └── the next way ───────┼──────── way_end ◄───────────┤
 *	   └──── run_end: all were tried, or one failed ◄────┴── way_end: a fault ◄────────┘ too late, or cut
 *
 * A way is one port in one family. All of the path but the worker runs within probe_send(), so that time limits are for
 * the worker: a late SYN-ACK is a lost one. Keeper's loop alone.
 */
#include "firmware/keeper/selftest.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/net/net.h"
#include "firmware/steer/probe.h"
#include "firmware/steer/steer.h"

#define SYN_MS	   1000
#define SERVE_MS   4000
#define STORE_LAG  10000 /* ms; a write that waits for longer: it hangs */
#define PORT_FIRST 33000
#define PORTS	   16384

enum phase {
	RESTING,
	SYN_SENT,
	ASKED
};

struct selftest {
	struct event_base *base;
	struct steer *steer;
	const struct network *net;
	struct probe *probe;
	struct event *readable, *timer;
	selftest_done_f *done;
	void *arg;
	uint64_t every_ms;
	bool ready;

	enum phase phase;
	unsigned way;	/* port * 2 + (1: IPv6) */
	unsigned tried; /* ways of this run */
	bool second;	/* the first try has failed */
	bool taken;	/* our stack has confirmed what we ask */
	uint64_t began_ns;
	uint32_t asked_id;
	uint16_t next_port;
	uint32_t seq, ack; /* ours and theirs, next */
	struct selftest_ask ask;
	struct selftest_answer answer;
	size_t answer_n;
	uint64_t before[TARN_STAT_COUNT];
	struct heritage_selftest result;
};

static void timer_set(struct selftest *s, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	(void)evtimer_add(s->timer, &tv);
}

static void rest(struct selftest *s)
{
	s->phase = RESTING;
	if (s->probe)
		probe_end(s->probe);
	(void)evtimer_del(s->timer);
}

/* ---- a run ---------------------------------------------------------------------------------------- */

static const struct net_port *port_of(const struct selftest *s, unsigned way)
{
	const struct net_port *ports;
	size_t n;

	ports = net_ports(s->net, &n);
	return way / 2 < n ? &ports[way / 2] : NULL;
}

static bool way_exists(const struct selftest *s, unsigned way)
{
	return port_of(s, way)->role == NET_LAN &&
	       (way % 2 == 0 || access("/proc/net/if_inet6", F_OK) == 0);
}

static void said(struct selftest *s)
{
	s->result.id = s->asked_id;
	s->asked_id = 0;
	s->done(&s->result, s->arg);
	s->result.id = 0;
}

static const char *fault_name(uint32_t fault)
{
	static const char *const names[] = {
#define X(name, text, step, todo) text,
		SELFTEST_FAULTS(X)
#undef X
	};

	return names[fault];
}

static unsigned fault_step(enum selftest_fault fault)
{
	static const unsigned steps[] = {
#define X(name, text, step, todo) SELFTEST_##step,
		SELFTEST_FAULTS(X)
#undef X
	};

	return fault == SELFTEST_FAULT_NONE ? SELFTEST_STEPS_N : steps[fault];
}

static void result_set(struct selftest *s, enum selftest_fault fault, const char *text)
{
	struct heritage_selftest *r = &s->result;
	uint32_t before = r->fault;

	r->state = fault == SELFTEST_FAULT_NONE ? SELFTEST_IS_OK : SELFTEST_IS_FAILED;
	r->fault = fault;
	r->steps = (1u << fault_step(fault)) - 1;
	r->ways = s->tried;
	r->took_us = (uint32_t)((clock_mono_ns() - s->began_ns) / 1000);
	r->at_ms = (uint64_t)clock_read().wall_ms;
	heritage_text(r->text, sizeof(r->text), text);
	if (fault != before)
		LOG(fault ? LOG_L_ERROR : LOG_L_NOTICE, "keeper.selftest",
		    "fault=%s ways=%u why=%s", fault_name(fault), s->tried,
		    LOG_QUOTE(span_of(text)));
}

static void run_end(struct selftest *s, enum selftest_fault fault, const char *text)
{
	rest(s);
	if (fault && !s->second && s->result.state != SELFTEST_IS_FAILED) {
		s->second = true;
		timer_set(s, SELFTEST_SOON_MS);
		return;
	}
	s->second = false;
	result_set(s, fault, text);
	if (fault)
		timer_set(s, SELFTEST_AGAIN_MS);
	else if (s->every_ms)
		timer_set(s, s->every_ms);
	said(s);
}

static void way_begin(struct selftest *s);

static void way_next(struct selftest *s)
{
	s->way++;
	while (port_of(s, s->way) && !way_exists(s, s->way))
		s->way++;
	if (port_of(s, s->way))
		way_begin(s);
	else
		run_end(s, SELFTEST_FAULT_NONE, "");
}

__attribute__((format(printf, 3, 4))) static void
way_end(struct selftest *s, enum selftest_fault fault, const char *format, ...)
{
	char text[HERITAGE_TEXT] = "";
	va_list args;

	/* Else the worker's side would wait for the end of it. */
	(void)!probe_send(s->probe, port_of(s, s->way)->ifindex,
			  &(struct frame_tcp){ s->seq, s->ack, FRAME_RST | FRAME_ACK, { 0 } });
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (fault)
		run_end(s, fault, text);
	else
		way_next(s);
}

static const char *family(const struct selftest *s)
{
	return s->way % 2 ? "IPv6" : "IPv4";
}

/* ---- what can be wrong ---------------------------------------------------------------------------- */

static const char *passed_why(const struct selftest *s)
{
	uint64_t now[TARN_STAT_COUNT];

	steer_stats(s->steer, now);
	for (unsigned i = TARN_STAT_PASS_EXPIRED; i <= TARN_STAT_PASS_QUEUE_FULL; i++) {
		const char *colon = strstr(steer_stat_text(i), ": ");

		if (now[i] != s->before[i] && colon)
			return colon + 2;
	}
	return "no reason was counted";
}

static bool has_arrived(const struct selftest *s)
{
	uint64_t now[TARN_STAT_COUNT];

	steer_stats(s->steer, now);
	return now[TARN_STAT_LOOKUP_ASSIGNED] != s->before[TARN_STAT_LOOKUP_ASSIGNED] ||
	       now[TARN_STAT_LOOKUP_NONE] != s->before[TARN_STAT_LOOKUP_NONE];
}

/* No answer to the SYN. The counters are everybody's, so they decide between two names of one thing alone. */
static void way_lost(struct selftest *s)
{
	const char *port = port_of(s, s->way)->name;

	switch (probe_fate(s->probe)) {
	case PROBE_UNSEEN:
		way_end(s, SELFTEST_FAULT_UNSEEN,
			"%s: what devices send is taken before our program sees it", port);
		break;
	case PROBE_PASSED:
		way_end(s, SELFTEST_FAULT_PASSED, "%s: connections are let pass: %s", port,
			passed_why(s));
		break;
	case PROBE_STEERED:
		if (has_arrived(s))
			way_end(s, SELFTEST_FAULT_UNANSWERED,
				"%s: the answers to devices are lost on their way", family(s));
		else
			way_end(s, SELFTEST_FAULT_LOST,
				"%s: what is steered does not reach our stack", family(s));
		break;
	}
}

static void on_late(struct selftest *s)
{
	if (s->phase == SYN_SENT)
		way_lost(s);
	else if (!s->taken)
		way_end(s, SELFTEST_FAULT_LOST,
			"%s: of what is steered, just the first packet reaches our stack",
			family(s));
	else
		way_end(s, SELFTEST_FAULT_UNSERVED, "%s: no worker answers a connection",
			family(s));
}

/* ---- a connection --------------------------------------------------------------------------------- */

static void flow_make(struct selftest *s, struct tarn_flow_key *ret_flow)
{
	static const struct tarn_addr ends[2][2] = {
		{ { SELFTEST_CLIENT_4 }, { SELFTEST_VENDOR_4 } },
		{ { SELFTEST_CLIENT_6 }, { SELFTEST_VENDOR_6 } },
	};

	*ret_flow = (struct tarn_flow_key){
		.client = ends[s->way % 2][0],
		.vendor = ends[s->way % 2][1],
		.client_port = htons((uint16_t)(PORT_FIRST + s->next_port)),
		.vendor_port = htons(SELFTEST_PORT),
	};
	s->next_port = (uint16_t)((s->next_port + 1) % PORTS);
}

/* It is no fault of interception that nobody can look at it. */
static void cannot(struct selftest *s, int rc)
{
	s->result = (struct heritage_selftest)HERITAGE_INIT(HERITAGE_SELFTEST, heritage_selftest);
	s->result.state = SELFTEST_IS_OFF;
	(void)snprintf(s->result.text, sizeof(s->result.text),
		       "this kernel can't make the probe (Linux 5.18 can): %s", strerror(-rc));
	LOG(LOG_L_WARN, "keeper.selftest", "state=off why=%s", LOG_QUOTE(span_of(s->result.text)));
}

static void way_begin(struct selftest *s)
{
	struct tarn_flow_key flow;
	struct frame_tcp syn;
	int rc;

	s->tried++;
	s->phase = SYN_SENT;
	s->taken = false;
	s->answer_n = 0;
	s->ask.magic = SELFTEST_MAGIC;
	if (getrandom(s->ask.word, sizeof(s->ask.word), GRND_NONBLOCK) < 0)
		s->ask.word[0] = clock_mono_ns();
	s->seq = (uint32_t)s->ask.word[1];
	s->ack = 0;
	flow_make(s, &flow);
	steer_stats(s->steer, s->before);
	timer_set(s, SYN_MS);
	syn = (struct frame_tcp){ .seq = s->seq, .flags = FRAME_SYN };
	rc = probe_begin(s->probe, &flow);
	rc = rc ? rc : probe_send(s->probe, port_of(s, s->way)->ifindex, &syn);
	s->seq++;
	if (rc == 0 && probe_fate(s->probe) != PROBE_STEERED) {
		way_lost(s);
	} else if (rc) {
		rest(s);
		cannot(s, rc);
		said(s);
	}
}

static void on_syn_ack(struct selftest *s, const struct frame_tcp *tcp)
{
	struct frame_tcp out = { .flags = FRAME_PSH | FRAME_ACK,
				 .data = span_make(&s->ask, sizeof(s->ask)) };

	if ((tcp->flags & FRAME_RST) && tcp->ack == s->seq) {
		way_end(s, SELFTEST_FAULT_UNSERVED, "%s: the connection is refused", family(s));
		return;
	}
	if ((tcp->flags & (FRAME_SYN | FRAME_ACK)) != (FRAME_SYN | FRAME_ACK) || tcp->ack != s->seq)
		return;
	s->phase = ASKED;
	s->ack = tcp->seq + 1;
	out.seq = s->seq;
	out.ack = s->ack;
	s->seq += (uint32_t)sizeof(s->ask);
	timer_set(s, SERVE_MS);
	(void)!probe_send(s->probe, port_of(s, s->way)->ifindex, &out);
}

static void answer_judge(struct selftest *s)
{
	const struct selftest_answer *a = &s->answer;

	if (a->magic != SELFTEST_MAGIC || memcmp(a->word, s->ask.word, sizeof(a->word)) != 0)
		way_end(s, SELFTEST_FAULT_FOREIGN, "%s: something else answers", family(s));
	else if (a->store_fails || a->store_lag_ms > STORE_LAG)
		way_end(s, SELFTEST_FAULT_STORE, "the store can't be read and written");
	else
		way_end(s, SELFTEST_FAULT_NONE, "%s", "");
}

static void on_data(struct selftest *s, const struct frame_tcp *tcp)
{
	size_t n = tcp->data.n, room = sizeof(s->answer) - s->answer_n;

	s->taken |= (tcp->flags & FRAME_ACK) && tcp->ack == s->seq;
	if (n && tcp->seq == s->ack) {
		memcpy((uint8_t *)&s->answer + s->answer_n, tcp->data.p, n < room ? n : room);
		s->answer_n += n < room ? n : room;
		s->ack += (uint32_t)n;
		if (s->answer_n == sizeof(s->answer)) {
			answer_judge(s);
			return;
		}
	}
	if (tcp->flags & (FRAME_RST | FRAME_FIN))
		way_end(s, SELFTEST_FAULT_FOREIGN, "%s: it is closed without an answer", family(s));
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct selftest *s = arg;
	struct frame_tcp tcp;

	(void)fd, (void)what;
	while (!probe_read(s->probe, &tcp)) {
		if (s->phase == SYN_SENT)
			on_syn_ack(s, &tcp);
		else if (s->phase == ASKED)
			on_data(s, &tcp);
	}
}

/* ---- when ----------------------------------------------------------------------------------------- */

static void run_begin(struct selftest *s)
{
	s->began_ns = clock_mono_ns();
	s->tried = 0;
	s->way = ~0u;
	way_next(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct selftest *s = arg;

	(void)fd, (void)what;
	if (s->phase != RESTING)
		on_late(s);
	else if (s->ready)
		run_begin(s);
}

void selftest_ready(struct selftest *s, bool ready)
{
	if (!s->probe || ready == s->ready)
		return;
	s->ready = ready;
	rest(s);
	s->second = false;
	if (ready) {
		timer_set(s, SELFTEST_SOON_MS);
		return;
	}
	s->result = (struct heritage_selftest)HERITAGE_INIT(HERITAGE_SELFTEST, heritage_selftest);
	if (s->asked_id)
		said(s);
}

void selftest_run(struct selftest *s, uint32_t id)
{
	if (id)
		s->asked_id = id;
	if (id && (!s->probe || !s->ready))
		said(s);
	else if (s->ready && s->phase == RESTING)
		timer_set(s, 0);
}

/* ---- its life ------------------------------------------------------------------------------------- */

static int open_probe(struct selftest *s)
{
	int rc = probe_new(s->steer, (int)if_nametoindex(NET_ICPT_PEER), &s->probe);

	if (rc)
		return rc;
	s->readable = event_new(s->base, probe_fd(s->probe), EV_READ | EV_PERSIST, on_readable, s);
	return s->readable && !event_add(s->readable, NULL) ? 0 : -ENOMEM;
}

int selftest_new(struct event_base *base, struct steer *steer, const struct network *net,
		 uint64_t every_ms, selftest_done_f *done, void *arg,
		 struct selftest **ret_selftest)
{
	struct selftest *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	*s = (struct selftest){ .base = base,
				.steer = steer,
				.net = net,
				.every_ms = every_ms,
				.done = done,
				.arg = arg };
	s->result = (struct heritage_selftest)HERITAGE_INIT(HERITAGE_SELFTEST, heritage_selftest);
	s->timer = evtimer_new(base, on_timer, s);
	rc = s->timer ? 0 : -ENOMEM;
	if (!rc && steer)
		rc = open_probe(s);
	if (rc && s->timer) {
		probe_free(&s->probe);
		cannot(s, rc);
		rc = 0;
	} else if (!steer) {
		s->result.state = SELFTEST_IS_OFF;
		heritage_text(s->result.text, sizeof(s->result.text), "nothing is steered");
	}
	if (rc) {
		selftest_free(&s);
		return rc;
	}
	*ret_selftest = s;
	return 0;
}

void selftest_free(struct selftest **selftest)
{
	struct selftest *s = *selftest;

	if (!s)
		return;
	if (s->readable)
		event_free(s->readable);
	if (s->timer)
		event_free(s->timer);
	probe_free(&s->probe);
	free(s);
	*selftest = NULL;
}

const char *selftest_broken(const struct selftest *s)
{
	switch (s->result.fault) {
	case SELFTEST_FAULT_LOST:
	case SELFTEST_FAULT_UNANSWERED:
	case SELFTEST_FAULT_UNSERVED:
	case SELFTEST_FAULT_FOREIGN:
		return s->result.text;
	default:
		return NULL;
	}
}

const struct heritage_selftest *selftest_result(const struct selftest *s)
{
	return &s->result;
}

json_t *selftest_json(const struct selftest *s)
{
	static const char *const states[] = {
#define X(name, text, what) text,
		SELFTEST_STATES(X)
#undef X
	};
	const struct heritage_selftest *r = &s->result;

	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:i}", "state", states[r->state], "fault",
			 fault_name(r->fault), "text", r->text, "at", (json_int_t)r->at_ms,
			 "took_us", (json_int_t)r->took_us, "ways", (int)r->ways);
}
