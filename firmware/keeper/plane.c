/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One life after the other:
 *
 *	plane_start ─► life_begin ─► process ─► SIGCHLD ─► life_end ─► wait (backoff) ─┐
 *	                   ▲                       ▲                                    │
 *	                   │                       └── kill: plane_watch, stop too slow │
 *	                   ├────────────── at once, if plane_restart() asked for it ────┤
 *	                   └────────────────────────────────────────────────────────────┘
 *
 * The process owns its listeners alone: ours are closed in life_begin() once it is forked, so interception
 * ends with its death, before we even hear of it. life_end() disarms what is left.
 */
#include "firmware/keeper/plane.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/keeper/access.h"
#include "firmware/keeper/backoff.h"
#include "firmware/keeper/channel.h"
#include "firmware/keeper/child.h"
#include "firmware/steer/steer.h"

#define STOP_GRACE_MS 2000 /* on top of HERITAGE_DRAIN_MS */

struct plane {
	struct event_base *base;
	struct plane_options options;
	struct plane_calls calls;
	void *arg;
	struct plane_state state;
	struct plane_channel *channel;
	struct backoff backoff;
	struct event *sigchld;
	struct event *timer; /* next start; while stopping, the end of patience */
	struct event *again; /* when a restart that was asked for begins */
	bool stopping;
	bool starting_anew; /* it was asked to end so that plane_restart() can start it */
	bool killed_for_hang;
	uint64_t doomed_at_ms; /* since when a fatal signal has been on its way; 0: none */
};

static struct timeval ms(uint64_t n)
{
	return (struct timeval){ .tv_sec = (time_t)(n / 1000),
				 .tv_usec = (suseconds_t)(n % 1000 * 1000) };
}

static void timer_set(struct plane *p, uint64_t in_ms)
{
	struct timeval tv = ms(in_ms);

	(void)evtimer_add(p->timer, &tv);
}

static void message_in(const union heritage_message *m, void *arg)
{
	struct plane *p = arg;

	switch (m->head.type) {
	case HERITAGE_READY:
		if (p->options.steer && m->ready.workers != p->options.workers) {
			LOG(LOG_L_ERROR, "plane.workers", "asked=%u serves=%u", p->options.workers,
			    m->ready.workers);
			return;
		}
		p->state.ready = true;
		LOG(LOG_L_INFO, "plane.ready", "pid=%d ms=%llu", (int)p->state.pid,
		    (unsigned long long)(clock_read().mono_ms - p->state.started_at_ms));
		break;
	case HERITAGE_HEALTH:
		p->state.health_seen = true;
		p->state.reachable = m->health.reachable;
		memcpy(p->state.reason, m->health.reason, sizeof(p->state.reason));
		p->state.health_at_ms = clock_read().mono_ms;
		break;
	case HERITAGE_VENDOR_ADDR:
		p->calls.vendor(m->vendor.addr, m->vendor.ttl, p->arg);
		return;
	case HERITAGE_MINT:
		p->calls.mint(&m->mint, p->arg);
		return;
	default:
		p->calls.message(m, p->arg);
		return;
	}
	p->calls.changed(p->arg);
	if (m->head.type == HERITAGE_READY)
		p->calls.message(m, p->arg);
}

static int process_start(struct plane *p, int peer, const int *listeners)
{
	const struct plane_options *o = &p->options;
	int access_fd = access_open(o->state), rc;
	struct child_plan plan = {
		.program = o->program,
		.config = o->config,
		.overrides = o->overrides,
		.uid = o->uid,
		.gid = o->gid,
		.keeper_fd = peer,
		.beats_fd = o->steer ? steer_beats_fd(o->steer) : -1,
		.lookup_fd = o->steer ? steer_lookup_fd(o->steer) : -1,
		.admin_fd = o->admin_fd,
		.access_fd = access_fd,
		.listeners = listeners,
		.workers = o->steer ? o->workers : 0,
	};

	if (access_fd < 0)
		return access_fd;
	rc = child_start(&plan);
	close(access_fd);
	return rc;
}

/* A process with its heritage. The pid, or -errno with nothing left open. */
static int life_begin(struct plane *p)
{
	int listeners[HERITAGE_WORKERS_MAX], peer = -1, rc = 0;
	unsigned n = 0;

	if (p->options.steer) {
		steer_beats_clear(p->options.steer);
		steer_doom_clear(p->options.steer);
		rc = steer_listeners(p->options.steer, p->options.workers, listeners);
		if (rc)
			return rc;
		n = p->options.workers;
	}
	rc = plane_channel_new(p->base, message_in, p, &p->channel, &peer);
	if (!rc)
		rc = process_start(p, peer, listeners);
	while (n > 0)
		close(listeners[--n]);
	if (peer >= 0)
		close(peer);
	if (rc < 0)
		plane_channel_free(&p->channel);
	return rc;
}

static void life_next(struct plane *p, uint64_t lived_ms)
{
	unsigned wait = backoff_wait(&p->backoff, lived_ms);

	p->state.restarting = true;
	timer_set(p, wait);
	LOG(LOG_L_NOTICE, "plane.restart", "in_ms=%u", wait);
	p->calls.changed(p->arg);
}

void plane_start(struct plane *p)
{
	unsigned restarts = p->state.restarts, kills = p->state.hang_kills,
		 starts = p->state.starts;
	char last_exit[sizeof(p->state.last_exit)];
	int rc;

	memcpy(last_exit, p->state.last_exit, sizeof(last_exit));
	p->calls.begins(p->arg);
	rc = life_begin(p);
	p->state = (struct plane_state){ .starts = starts + 1,
					 .restarts = restarts + (starts > 0),
					 .hang_kills = kills,
					 .started_at_ms = clock_read().mono_ms };
	memcpy(p->state.last_exit, last_exit, sizeof(last_exit));
	p->killed_for_hang = false;
	p->doomed_at_ms = 0;
	if (rc < 0) {
		LOG(LOG_L_ERROR, "plane.start", "error=%s", LOG_QUOTE(span_of(strerror(-rc))));
		life_next(p, 0);
		return;
	}
	p->state.pid = rc;
	if (p->options.steer && steer_doom_watch(p->options.steer, rc))
		LOG(LOG_L_INFO, "plane.doom", "watched=no");
	LOG(LOG_L_NOTICE, "plane.start", "pid=%d uid=%u workers=%u", rc, (unsigned)p->options.uid,
	    p->options.workers);
	p->calls.changed(p->arg);
}

static void exit_words(struct plane *p, int status)
{
	char *out = p->state.last_exit;
	size_t size = sizeof(p->state.last_exit);

	if (p->killed_for_hang)
		snprintf(out, size, "killed: its loops stood still");
	else if (WIFSIGNALED(status))
		snprintf(out, size, "signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(out, size, "exit status %d", WEXITSTATUS(status));
}

static void life_end(struct plane *p, int status)
{
	uint64_t lived = clock_read().mono_ms - p->state.started_at_ms;

	if (p->options.steer)
		steer_listeners_gone(p->options.steer);
	exit_words(p, status);
	LOG(p->stopping ? LOG_L_NOTICE : LOG_L_ERROR, "plane.exit", "pid=%d lived_ms=%llu how=%s",
	    (int)p->state.pid, (unsigned long long)lived, LOG_QUOTE(span_of(p->state.last_exit)));
	p->state.pid = 0;
	p->state.ready = p->state.health_seen = p->state.reachable = false;
	plane_channel_free(&p->channel);
	(void)evtimer_del(p->timer);
	if (p->stopping) {
		p->calls.ended(p->arg);
	} else if (p->starting_anew) {
		p->starting_anew = false;
		plane_start(p);
	} else {
		life_next(p, lived);
	}
}

static void on_sigchld(evutil_socket_t fd, short what, void *arg)
{
	struct plane *p = arg;
	int status;

	(void)fd, (void)what;
	if (p->state.pid && waitpid(p->state.pid, &status, WNOHANG) == p->state.pid)
		life_end(p, status);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct plane *p = arg;

	(void)fd, (void)what;
	if (p->state.pid)
		(void)kill(p->state.pid, SIGKILL);
	else if (!p->stopping)
		plane_start(p);
}

static void end_ask(struct plane *p)
{
	union heritage_message stop = { .stop = HERITAGE_INIT(HERITAGE_STOP, heritage_stop) };

	if (p->channel)
		plane_channel_send(p->channel, &stop);
	else
		(void)kill(p->state.pid, SIGTERM);
}

/* One that is just being started reads the file anew anyway. */
static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct plane *p = arg;

	(void)fd, (void)what;
	if (!p->state.pid || p->stopping || p->starting_anew)
		return;
	p->starting_anew = true;
	LOG(LOG_L_NOTICE, "plane.restart", "pid=%d why=settings", (int)p->state.pid);
	end_ask(p);
	timer_set(p, HERITAGE_DRAIN_MS + STOP_GRACE_MS);
}

void plane_restart(struct plane *p, unsigned in_ms)
{
	struct timeval tv = ms(in_ms);

	(void)evtimer_add(p->again, &tv);
}

int plane_new(struct event_base *base, const struct plane_options *options,
	      const struct plane_calls *calls, void *arg, struct plane **ret_plane)
{
	struct plane *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->base = base;
	p->options = *options;
	p->calls = *calls;
	p->arg = arg;
	p->timer = evtimer_new(base, on_timer, p);
	p->again = evtimer_new(base, on_again, p);
	p->sigchld = evsignal_new(base, SIGCHLD, on_sigchld, p);
	if (!p->timer || !p->again || !p->sigchld || event_add(p->sigchld, NULL)) {
		plane_free(&p);
		return -ENOMEM;
	}
	*ret_plane = p;
	return 0;
}

void plane_free(struct plane **plane)
{
	struct plane *p = *plane;

	if (!p)
		return;
	if (p->state.pid) {
		(void)kill(p->state.pid, SIGKILL);
		(void)waitpid(p->state.pid, NULL, 0);
	}
	plane_channel_free(&p->channel);
	if (p->timer)
		event_free(p->timer);
	if (p->again)
		event_free(p->again);
	if (p->sigchld)
		event_free(p->sigchld);
	free(p);
	*plane = NULL;
}

void plane_stop(struct plane *p)
{
	bool again = p->stopping;

	p->stopping = true;
	p->starting_anew = false;
	p->state.restarting = false;
	if (!p->state.pid) {
		(void)evtimer_del(p->timer);
		p->calls.ended(p->arg);
		return;
	}
	end_ask(p);
	timer_set(p, again ? 0 : HERITAGE_DRAIN_MS + STOP_GRACE_MS);
}

uint64_t plane_beat_age(const struct plane *p)
{
	uint64_t now = clock_mono_ns(), oldest = 0;

	for (unsigned i = 0; p->options.steer && i < p->options.workers; i++) {
		uint64_t at = steer_beat(p->options.steer, i);

		if (!at)
			return UINT64_MAX;
		if (at < now && now - at > oldest)
			oldest = now - at;
	}
	return oldest / 1000000;
}

/* Nobody is killed for a heartbeat of zero: that worker ends on purpose. A fatal signal that does not end the
 * process leaves it useless: nothing is steered any more. */
void plane_watch(struct plane *p)
{
	uint64_t age, now = clock_read().mono_ms;
	const char *why = NULL;

	if (!p->state.pid || p->killed_for_hang || p->stopping || !p->options.steer)
		return;
	age = plane_beat_age(p);
	if (!steer_doomed(p->options.steer))
		p->doomed_at_ms = 0;
	else if (!p->doomed_at_ms)
		p->doomed_at_ms = now;
	if (p->doomed_at_ms && now - p->doomed_at_ms > p->options.hang_ms)
		why = "it does not die of a fatal signal";
	else if (p->state.ready && age != UINT64_MAX && age > p->options.hang_ms)
		why = "its loops stand still";
	else if (!p->state.ready && now - p->state.started_at_ms > PLANE_START_MS)
		why = "it does not become ready";
	if (!why)
		return;
	LOG(LOG_L_ERROR, "plane.hang", "pid=%d beat_ms=%llu why=%s", (int)p->state.pid,
	    (unsigned long long)age, LOG_QUOTE(span_of(why)));
	p->killed_for_hang = true;
	p->state.hang_kills++;
	steer_arm(p->options.steer, false);
	(void)kill(p->state.pid, SIGKILL);
}

const struct plane_state *plane_state(const struct plane *p)
{
	return &p->state;
}

void plane_tell(struct plane *p, const union heritage_message *message)
{
	plane_channel_send(p->channel, message);
}

void plane_signal(struct plane *p, int signal)
{
	if (p->state.pid)
		(void)kill(p->state.pid, signal);
}
