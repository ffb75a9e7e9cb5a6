/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy's end of firmware/heritage.h.
 *
 * heritage_take() runs before any thread exists; what it gives (the beats, the numbers of descriptors) lives as
 * long as the process. The keeper link is the control loop's: it never blocks, and a message that does
 * not fit is dropped, since a later one says the same.
 */
#include "proxy/heritage_client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define OUTSIDE_MS  600000 /* between two events that say the same */
#define BEATS_BYTES (HERITAGE_WORKERS_MAX * sizeof(uint64_t))

/* ---- what was inherited ----------------------------------------------------------------------- */

static int take_fd(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return 0;
	LOG(LOG_L_ERROR, "heritage.missing", "fd=%d error=%s", fd, strerrorname_np(errno));
	return -EINVAL;
}

/* "1" .. HERITAGE_WORKERS_MAX, else 0. */
static unsigned workers_parse(const char *text)
{
	char *end;
	unsigned long n;

	if (!text || *text < '1' || *text > '9')
		return 0;
	n = strtoul(text, &end, 10);
	return *end || n > HERITAGE_WORKERS_MAX ? 0 : (unsigned)n;
}

int heritage_take(struct heritage *ret_heritage)
{
	static const int fixed[] = {
#define X(name, number, what) number,
		HERITAGE_FDS(X)
#undef X
	};
	struct heritage heritage = { .keeper = true, .given = true, .admin_fd = HERITAGE_FD_ADMIN };
	const char *given = getenv(HERITAGE_ENV);
	void *beats;
	int rc = 0;

	if (given && strcmp(given, HERITAGE_ENV_PLAIN) == 0) {
		heritage.keeper = true;
		heritage.given = false;
		*ret_heritage = heritage;
		rc = take_fd(HERITAGE_FD_KEEPER);
		rc = rc ? rc : take_fd(HERITAGE_FD_ADMIN);
		return rc ? rc : take_fd(HERITAGE_FD_ACCESS);
	}
	if (!given || strcmp(given, "1") != 0) {
		*ret_heritage = (struct heritage){ .admin_fd = -1 };
		return 0;
	}
	heritage.workers = workers_parse(getenv(HERITAGE_ENV_WORKERS));
	if (!heritage.workers) {
		LOG(LOG_L_ERROR, "heritage.workers", "env=%s wanted=1..%d", HERITAGE_ENV_WORKERS,
		    HERITAGE_WORKERS_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_LEN(fixed) && rc == 0; i++)
		rc = take_fd(fixed[i]);
	for (unsigned i = 0; i < heritage.workers && rc == 0; i++)
		rc = take_fd(HERITAGE_FD_LISTEN + (int)i);
	if (rc < 0)
		return rc;
	beats = mmap(NULL, BEATS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, HERITAGE_FD_BEATS, 0);
	if (beats == MAP_FAILED) {
		LOG(LOG_L_ERROR, "heritage.beats", "error=%s", strerrorname_np(errno));
		return -EINVAL;
	}
	heritage.beats = beats;
	unsetenv(HERITAGE_ENV);
	unsetenv(HERITAGE_ENV_WORKERS);
	*ret_heritage = heritage;
	return 0;
}

int heritage_listener(const struct heritage *heritage, unsigned worker)
{
	return worker < heritage->workers ? HERITAGE_FD_LISTEN + (int)worker : -1;
}

void heritage_drop(struct heritage *heritage)
{
	if (heritage->beats)
		munmap((void *)heritage->beats, BEATS_BYTES);
	heritage->beats = NULL;
}

/* ---- the link --------------------------------------------------------------------------------- */

struct keeper {
	struct worker *control;
	struct keeper_calls calls;
	void *arg;
	bool steers;
	struct event readable, repeat;
	struct heritage_health health;
	bool health_known;
	struct heritage_state state;
	bool state_known;
	bool gone;
	struct heritage_kernel kernel[HERITAGE_KERNEL_MAX];
	size_t kernel_n;
	uint64_t outside; /* packets for the admin page from the upstream side, not told yet */
	uint64_t outside_said_ms;
};

static bool keeper_send(struct keeper *keeper, const void *message, size_t size)
{
	if (keeper->gone)
		return false;
	if (send(HERITAGE_FD_KEEPER, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	STAT_INC(STAT_KEEPER_DROPPED);
	return false;
}

static void keeper_gone(struct keeper *keeper, const char *why)
{
	keeper->gone = true;
	event_del(&keeper->readable);
	event_del(&keeper->repeat);
	keeper->calls.stop(keeper->arg, why);
}

static void seen(struct keeper *keeper, const struct heritage_vendor *vendor)
{
	struct addr addr;

	addr_from_in6(vendor->addr, &addr);
	STAT_INC(STAT_KEEPER_LEARNED);
	keeper->calls.vendor_seen(keeper->arg, &addr, vendor->ttl);
}

/* Who tries to open the page from the upstream side is an event; one who keeps trying fills no ring with it. */
static void outside(struct keeper *keeper, uint64_t packets, uint64_t before)
{
	uint64_t now = worker_now(keeper->control)->mono_ms;

	if (packets < before)
		before = 0;
	keeper->outside += packets - before;
	STAT_ADD(STAT_ADMIN_OUTSIDE, packets - before);
	if (!keeper->outside ||
	    (keeper->outside_said_ms && now - keeper->outside_said_ms < OUTSIDE_MS))
		return;
	LOG(LOG_L_WARN, "admin.outside", "packets=%" PRIu64, keeper->outside);
	keeper->outside = 0;
	keeper->outside_said_ms = now;
}

static void counted(struct keeper *keeper, const struct heritage_kernel *figure)
{
	size_t i = 0;

	while (i < keeper->kernel_n && strcmp(keeper->kernel[i].name, figure->name) != 0)
		i++;
	if (i == ARRAY_LEN(keeper->kernel))
		return;
	if (i < keeper->kernel_n && strcmp(figure->name, "admin_outside") == 0)
		outside(keeper, figure->value, keeper->kernel[i].value);
	keeper->kernel[i] = *figure;
	keeper->kernel_n += i == keeper->kernel_n;
}

static void told(struct keeper *keeper, const union heritage_message *message)
{
	switch (message->head.type) {
	case HERITAGE_VENDOR_SEEN:
		seen(keeper, &message->vendor);
		break;
	case HERITAGE_STATE:
		if (!keeper->state_known || keeper->state.armed != message->state.armed ||
		    strcmp(keeper->state.reason, message->state.reason) != 0)
			LOG(message->state.armed ? LOG_L_NOTICE : LOG_L_WARN, "intercept.changed",
			    "armed=%u why_not=%s", message->state.armed,
			    LOG_QUOTE(span_of(message->state.reason)));
		keeper->state = message->state;
		atomic_store(&keeper->control->proxy->far, message->state.far != 0);
		keeper->state_known = true;
		break;
	case HERITAGE_CHANGED:
		keeper->calls.changed(keeper->arg, &message->changed);
		break;
	case HERITAGE_KERNEL:
		counted(keeper, &message->kernel);
		break;
	case HERITAGE_SELFTEST:
		keeper->calls.selftest(keeper->arg, &message->selftest);
		break;
	case HERITAGE_STATION:
		keeper->calls.station(keeper->arg, &message->station);
		break;
	case HERITAGE_SYSTEMS_SAID:
		keeper->calls.systems(keeper->arg, &message->systems_said);
		break;
	case HERITAGE_ACCESS_KEPT:
		keeper->calls.access_kept(keeper->arg, &message->access_kept);
		break;
	case HERITAGE_STOP:
		keeper_gone(keeper, "the keeper asks us to stop");
		break;
	case HERITAGE_MINTED:
		keeper->calls.minted(keeper->arg, &message->minted);
		break;
	default:
		break;
	}
}

static void keeper_readable(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *keeper = arg;
	union heritage_message message;
	ssize_t n;

	(void)what;
	/* Bounded, so that a chatty keeper does not hold the control loop. */
	for (int i = 0; i < 64 && !keeper->gone; i++) {
		n = recv(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			keeper_gone(keeper, "the keeper is gone");
			return;
		}
		if ((size_t)n > sizeof(message) || !heritage_valid(&message, (size_t)n, false)) {
			STAT_INC(STAT_KEEPER_REFUSED);
			LOG(LOG_L_WARN, "keeper.refused", "bytes=%zd", n);
			continue;
		}
		told(keeper, &message);
	}
}

static void keeper_repeat(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *keeper = arg;

	(void)fd;
	(void)what;
	if (keeper->health_known)
		(void)keeper_send(keeper, &keeper->health, sizeof(keeper->health));
	CHECK_OK(event_add(&keeper->repeat,
			   worker_timeout(keeper->control, HERITAGE_HEALTH_MS / 4)));
}

int keeper_new(struct worker *control, bool steers, const struct keeper_calls *calls, void *arg,
	       struct keeper **ret_keeper)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return -ENOMEM;
	keeper->control = control;
	keeper->steers = steers;
	keeper->calls = *calls;
	keeper->arg = arg;
	CHECK_OK(event_assign(&keeper->readable, control->base, HERITAGE_FD_KEEPER,
			      EV_READ | EV_PERSIST, keeper_readable, keeper));
	CHECK_OK(evtimer_assign(&keeper->repeat, control->base, keeper_repeat, keeper));
	if (event_add(&keeper->readable, NULL) < 0) {
		free(keeper);
		return -ENOMEM;
	}
	keeper_repeat(-1, 0, keeper);
	*ret_keeper = keeper;
	return 0;
}

void keeper_free(struct keeper **keeper)
{
	if (!*keeper)
		return;
	event_del(&(*keeper)->readable);
	event_del(&(*keeper)->repeat);
	free(*keeper);
	*keeper = NULL;
}

void keeper_ready(struct keeper *keeper, unsigned workers)
{
	struct heritage_ready ready = HERITAGE_INIT(HERITAGE_READY, heritage_ready);

	if (!keeper)
		return;
	ready.workers = workers;
	(void)keeper_send(keeper, &ready, sizeof(ready));
}

void keeper_health(struct keeper *keeper, bool reachable, const char *why_not)
{
	struct heritage_health health = HERITAGE_INIT(HERITAGE_HEALTH, heritage_health);

	if (!keeper)
		return;
	health.reachable = reachable;
	heritage_reason(health.reason, reachable ? "" : why_not);
	keeper->health = health;
	keeper->health_known = true;
	(void)keeper_send(keeper, &health, sizeof(health));
}

void keeper_vendor(struct keeper *keeper, const struct addr *addr, uint32_t ttl)
{
	struct heritage_vendor vendor = HERITAGE_INIT(HERITAGE_VENDOR_ADDR, heritage_vendor);

	if (!keeper)
		return;
	addr_to_in6(addr, vendor.addr);
	vendor.ttl = ttl > HERITAGE_TTL_MAX ? HERITAGE_TTL_MAX : ttl;
	(void)keeper_send(keeper, &vendor, sizeof(vendor));
}

bool keeper_setting(struct keeper *keeper, const struct heritage_setting *setting)
{
	return keeper && keeper_send(keeper, setting, sizeof(*setting));
}

bool keeper_change(struct keeper *keeper, uint32_t id, enum heritage_change_what what,
		   unsigned settings)
{
	struct heritage_change change = HERITAGE_INIT(HERITAGE_CHANGE, heritage_change);

	change.id = id;
	change.what = what;
	change.settings = settings;
	return keeper && keeper_send(keeper, &change, sizeof(change));
}

bool keeper_selftest(struct keeper *keeper, uint32_t id)
{
	struct heritage_selftest_run run =
		HERITAGE_INIT(HERITAGE_SELFTEST_RUN, heritage_selftest_run);

	run.id = id;
	return keeper && keeper_send(keeper, &run, sizeof(run));
}

bool keeper_who(struct keeper *keeper, const uint8_t addr[16])
{
	struct heritage_who who = HERITAGE_INIT(HERITAGE_WHO, heritage_who);

	memcpy(who.addr, addr, sizeof(who.addr));
	return keeper_steers(keeper) && keeper_send(keeper, &who, sizeof(who));
}

bool keeper_systems(struct keeper *keeper, const struct heritage_systems *ask)
{
	struct heritage_systems message = *ask;

	message.head = (struct heritage_head){ HERITAGE_SYSTEMS, sizeof(message) };
	return keeper && keeper_send(keeper, &message, sizeof(message));
}

bool keeper_access(struct keeper *keeper, const struct access_kept *kept)
{
	struct heritage_access message = HERITAGE_INIT(HERITAGE_ACCESS, heritage_access);

	message.kept = *kept;
	return keeper && keeper_send(keeper, &message, sizeof(message));
}

bool keeper_steers(const struct keeper *keeper)
{
	return keeper && keeper->steers;
}

size_t keeper_kernel(const struct keeper *keeper, const struct heritage_kernel **ret_figures)
{
	if (!keeper)
		return 0;
	*ret_figures = keeper->kernel;
	return keeper->kernel_n;
}

int keeper_mint(struct keeper *keeper, uint32_t ticket, struct span key, const char *host)
{
	struct heritage_mint mint = HERITAGE_INIT(HERITAGE_MINT, heritage_mint);
	size_t n = strlen(host);

	if (!keeper || keeper->gone)
		return -ENOENT;
	CHECK(n < sizeof(mint.host));
	mint.ticket = ticket;
	mint.rsa = key.n == sizeof(mint.modulus);
	CHECK(mint.rsa || key.n == sizeof(mint.point));
	memcpy(mint.rsa ? mint.modulus : mint.point, key.p, key.n);
	memcpy(mint.host, host, n);
	return keeper_send(keeper, &mint, sizeof(mint)) ? 0 : -EAGAIN;
}

const struct heritage_state *keeper_state(const struct keeper *keeper)
{
	return keeper && keeper->state_known ? &keeper->state : NULL;
}
