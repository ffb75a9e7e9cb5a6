/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pid 1's one thread and loop.
 *
 *	machine_new     bridge without ports, devices begin to load
 *	  on uevent       each Ethernet port joins the bridge at once: devices pass from here on
 *	  on tick         disk_look: is the boot disk there? after DISK_WAIT_MS without news we go on without
 *	    └► disk_take    grow, check, mount; identity; assessment of the slot
 *	         └► services_begin   DHCP, time, tarnd as soon as the ports are known
 *	  on tick         health_see_to: tarnd well, its selftest, too? then the slot is good, or in the end it is not
 *	  on_typed        who stands before the machine asks for a factory reset
 *	SIGTERM, SIGINT  the machine starts again; SIGUSR2 it powers off
 *
 * Nothing here waits for the network, and nothing that goes wrong with disk, slots or services touches the bridge.
 */
#include "firmware/boot/machine.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <net/if.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/boot/assess.h"
#include "firmware/boot/bridge.h"
#include "firmware/boot/console.h"
#include "firmware/boot/devices.h"
#include "firmware/boot/disk.h"
#include "firmware/boot/drive.h"
#include "firmware/boot/health.h"
#include "firmware/boot/history.h"
#include "firmware/boot/host.h"
#include "firmware/boot/loop.h"
#include "firmware/boot/manage.h"
#include "firmware/boot/restart.h"
#include "firmware/boot/run.h"
#include "firmware/boot/say.h"
#include "firmware/boot/screen.h"
#include "firmware/boot/seed.h"
#include "firmware/boot/service.h"
#include "firmware/boot/share.h"
#include "firmware/boot/smb.h"
#include "firmware/boot/volumes.h"
#include "firmware/boot/wall.h"
#include "firmware/boot/watchdog.h"
#include "firmware/net/kernel.h"

#define TICK_MS		 100
#define SLOW_TICK_MS	 1000
#define DISK_WAIT_MS	 30000 /* after the last device was seen to */
#define DISK_DOUBT_MS	 5000
#define DISK_LIMIT_MS	 180000
#define PORTS_WAIT_MS	 3000
#define PORTS_MOVED_MS	 2000
#define HEALTHY_S	 120 /* a slot on trial has so long */
#define WELL_MS		 5000
#define DEAF_LIMIT	 20  /* questions that tarnd leaves unanswered in a row, one a second */
#define DEAF_FIRST	 180 /* while it starts: its BPF programs take a slow machine long */
#define CONFIG_WRONG	 78  /* EX_CONFIG */
#define KEEPER_SOCKET	 "/run/tarn/keeper.sock"
#define TARN_UID	 800

#define CHANNEL_EVERY_MS 60000
#define PASSWORD_NOTE	 "/state/boot/password-unseen"
#define PASSWORD_THERE                                                                             \
	3 /* tarnctl's status: tarn-proxy says no; to a first one: somebody has one */
#define PASSWORD_WRONG	  64 /* ... and what it is given is no hash */
#define PASSWORD_AGAIN_MS 10000

enum {
	S_TARND,
	S_DHCP,
	S_DHCP6,
	S_TIME,
	S_SSH,
	S_SHELL,
	S_MOUNT,
	S_FTP,
	S_SMB,
	SERVICES
};

static const char *const tarnd_argv[] = { "/usr/bin/tarnd", NULL };
static const char *const tarnd_safe_argv[] = { "/usr/bin/tarnd", "-c", "/usr/share/tarn/safe.conf",
					       NULL };
static const char *const tarnd_one_argv[] = { "/usr/bin/tarnd", "--one-arm", NULL };
static const char *const tarnd_one_safe_argv[] = { "/usr/bin/tarnd", "--one-arm", "-c",
						   "/usr/share/tarn/safe.conf", NULL };
static const char *const time_argv[] = { "/usr/sbin/ntpd",	    "-d", "-s", "-f",
					 "/etc/openntpd/ntpd.conf", NULL };
static const char *const ssh_argv[] = { "/usr/sbin/dropbear", "-F", "-E", "-s", "-j", "-k", "-r",
					"/state/ssh/hostkey", NULL };
static const char *const channel_argv[] = { "/usr/bin/tarnctl", "channel", "--due", NULL };
static const char *const mount_argv[] = { "/usr/bin/tarn-mount", "--all", "--user", "mount",
					  SHARE_MOUNT,		 NULL };
static const char *const ftp_argv[] = { "/usr/sbin/vsftpd", "/usr/share/tarn/vsftpd.conf", NULL };
static const char *const shell_argv[] = { "/usr/bin/sh", NULL };

struct machine {
	struct event_base *base;
	struct net_kernel *kernel;
	struct loop *loop; /* may be NULL */
	struct devices *devices;
	struct consoles *consoles; /* may be NULL */
	struct event *tick, *slow, *sigchld, *sigterm, *sigint, *sigusr2;
	struct disk disk;
	bool disk_known, disk_over; /* found; or not looked for any more */
	bool services, sticks;	    /* begun; a disk came */
	struct drives drives;
	struct share share;
	struct manage manage;
	enum volume_fate state, cache;
	uint64_t cache_bytes;
	uint64_t begun_ms, busy_ms, ports_at_ms, passing_since_ms, ready_ms;
	unsigned ports_moved; /* since tarnd was started */
	unsigned deaf;
	bool heard; /* tarnd has answered since its start */
	struct host_flags flags;
	struct assess assess;
	struct health health;
	struct service service[SERVICES];
	pid_t channel;	     /* tarnctl channel, while it runs */
	uint64_t channel_ms; /* not before */
	bool softdog;	     /* asked for */
	bool password_done;
	uint64_t password_ms; /* not before */
	char password[64];    /* that was made at this start; shown, kept nowhere */
	int how;
};

static bool is_well(const struct machine *m)
{
	return m->health.answers && m->health.ready;
}

/* ---- ports ------------------------------------------------------------------------------------ */

static void on_net(const char *name, bool there, void *arg)
{
	struct machine *m = arg;
	int rc = there ? bridge_join(m->kernel, name) : 0;
	uint64_t now = clock_read().mono_ms;

	if (rc < 0)
		say("port", "name=%s error=%d", name, rc);
	if (m->loop && (rc > 0 || !there))
		loop_port(m->loop, name, there);
	if (rc <= 0)
		return;
	if (m->manage.begun)
		manage_port(&m->manage, name);
	m->ports_at_ms = now;
	if (m->service[S_TARND].pid)
		m->ports_moved++;
	say("port", "name=%s bridge=" BRIDGE_NAME " ports=%zu up_ms=%llu", name, bridge_ports(),
	    (unsigned long long)now);
}

/* tarnd takes its ports at its start, and adopts all else that is there: devices pass meanwhile. */
static void ports_follow(struct machine *m, uint64_t now)
{
	if (m->manage.ports_changed && m->service[S_TARND].pid) {
		m->ports_moved++;
		m->ports_at_ms = now;
	}
	m->manage.ports_changed = false;
	if (!m->ports_moved || now - m->ports_at_ms < PORTS_MOVED_MS)
		return;
	m->ports_moved = 0;
	say("port", "ports=%zu action=restart-tarnd", bridge_ports());
	service_signal(&m->service[S_TARND], SIGTERM);
}

/* ---- disk ------------------------------------------------------------------------------------- */

static void on_block(const char *name, bool there, void *arg)
{
	struct machine *m = arg;

	m->sticks = m->sticks || there; /* the tick looks */
	drives_came(&m->drives, name, there);
}

static void disk_take(struct machine *m)
{
	const struct disk *disk = m->disk_known ? &m->disk : NULL;
	char by[32] = "";
	bool grown = false;
	struct now now;
	int rc = 0;

	if (disk)
		rc = disk_grow(disk, &grown);
	m->state = volumes_state(disk);
	wall_mend();
	now = clock_read();
	if (disk && reset_wanted(by))
		volumes_reset(disk);
	if (say_log_to("/state/log"))
		say("log", "where=memory");
	m->cache = volumes_cache(disk, TARN_UID, TARN_UID, &m->cache_bytes);
	say("disk", "name=%s state=%s cache=%s cache_mib=%llu grown=%d error=%d",
	    disk ? disk->name : "none", volume_fate_name(m->state), volume_fate_name(m->cache),
	    (unsigned long long)(m->cache_bytes >> 20), grown, rc);
	host_identity();
	host_config();
	if (*by)
		reset_done(by, now.wall_ms);
	if (disk)
		(void)seed_esp(disk, now.wall_ms);
	assess_begin(&m->assess, disk, now.mono_ms + m->flags.deadline_s * 1000ULL, now);
	if (m->assess.restart)
		event_base_loopbreak(m->base);
}

static void disk_look(struct machine *m, uint64_t now)
{
	uint64_t wait = DISK_WAIT_MS;
	bool doubt;

	if (m->disk_over)
		return;
	m->disk_known = !disk_find(&m->disk, &doubt);
	if (devices_busy(m->devices))
		m->busy_ms = now;
	if (m->disk_known)
		wait = doubt ? DISK_DOUBT_MS : 0;
	if (wait && now - m->busy_ms < wait && now - m->begun_ms < DISK_LIMIT_MS)
		return;
	m->disk_over = true;
	disk_take(m);
}

/* ---- services --------------------------------------------------------------------------------- */

/*
 * Which settings tarnd gets: the own ones; if those are wrong, the defaults, for an appliance that does nothing helps
 * nobody. With fewer than two ports it intercepts nothing.
 */
static bool tarnd_is_safe(const struct service *s)
{
	return s->argv == tarnd_safe_argv || s->argv == tarnd_one_safe_argv;
}

static void tarnd_choose(struct machine *m)
{
	struct service *s = &m->service[S_TARND];
	bool one = bridge_ports() < 2;
	bool safe = s->last_status == CONFIG_WRONG || tarnd_is_safe(s);
	const char *const *argv = one	 ? safe ? tarnd_one_safe_argv : tarnd_one_argv
				  : safe ? tarnd_safe_argv
					 : tarnd_argv;

	if (argv != s->argv)
		say("tarnd", "settings=%s%s", safe ? "defaults why=\"own are wrong\"" : "own",
		    one ? " ports=one" : "");
	s->argv = argv;
}

/* The box's own place in the network; where the settings can't be read, as without any. */
static void network_begin(struct machine *m, uint64_t now)
{
	if (!m->kernel)
		return;
	m->manage.kernel = m->kernel;
	m->manage.dhcp = &m->service[S_DHCP];
	m->manage.dhcp6 = &m->service[S_DHCP6];
	m->share.manage = &m->manage;
	share_see_to(&m->share, now);
	if (!m->manage.begun)
		manage_set(&m->manage, 0, 0, now);
}

static void services_begin(struct machine *m, uint64_t now)
{
	static const char *const names[] = { "tarnd", "dhcp",  "dhcp6", "time", "ssh",
					     "shell", "mount", "ftp",	"smb" };
	static const char *const *const argvs[] = { tarnd_argv, NULL,	  NULL,
						    time_argv,	ssh_argv, shell_argv,
						    mount_argv, ftp_argv, NULL };

	for (int i = 0; i < SERVICES; i++) {
		m->service[i].name = names[i];
		m->service[i].argv = argvs[i];
	}
	m->services = true;
	m->share.mount = &m->service[S_MOUNT];
	m->share.ftp = &m->service[S_FTP];
	m->share.smb = &m->service[S_SMB];
	m->share.time = &m->service[S_TIME];
	m->share.smb->prepare = smb_prepare;
	share_begin(&m->share);
	network_begin(m, now);
	if (m->flags.debug) {
		m->service[S_SHELL].tty = m->flags.debug_tty;
		service_want(&m->service[S_SHELL], now);
	}
	m->sticks = true; /* one that was in from the start */
	if (host_wants_ssh())
		service_want(&m->service[S_SSH], now);
	assess_stage(&m->assess, "services");
}

/* A disk came: is it a stick for us? */
static void sticks_look(struct machine *m, uint64_t now)
{
	if (!m->sticks || !m->services)
		return;
	m->sticks = false;
	switch (seed_stick(m->disk_known ? &m->disk : NULL, m->assess.version, m->assess.factory,
			   clock_read().wall_ms)) {
	case SEED_NOTHING:
		return;
	case SEED_RELOAD:
		host_vendors();
		m->password_done = m->password_done && access(SEED_PASSWORD, F_OK);
		service_signal(&m->service[S_TARND], SIGHUP);
		if (host_wants_ssh())
			service_want(&m->service[S_SSH], now);
		return;
	case SEED_RESTART:
	case SEED_RESET:
		event_base_loopbreak(m->base);
	}
}

/* tarnd comes when the ports are there, or will not be. */
static void tarnd_begin(struct machine *m, uint64_t now)
{
	struct service *s = &m->service[S_TARND];

	if (s->wanted)
		return;
	if (devices_busy(m->devices) || now - m->ports_at_ms < PORTS_WAIT_MS / 3 ||
	    (bridge_ports() < 2 && now - m->begun_ms < PORTS_WAIT_MS * 4))
		return;
	service_want(s, now);
}

static void services_see_to(struct machine *m, uint64_t now)
{
	if (!m->services)
		return;
	tarnd_begin(m, now);
	ports_follow(m, now);
	if (m->service[S_TARND].wanted && !m->service[S_TARND].pid)
		tarnd_choose(m);
	for (int i = 0; i < SERVICES; i++)
		service_see_to(&m->service[i], now);
}

static void on_child(evutil_socket_t sig, short what, void *arg)
{
	struct machine *m = arg;
	uint64_t now = clock_read().mono_ms;
	int status;
	pid_t pid;

	(void)sig, (void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (devices_ended(m->devices, pid) ||
		    drives_ended(&m->drives, pid, status, clock_read()))
			continue;
		if (pid == m->channel)
			m->channel = 0;
		for (int i = 0; i < SERVICES; i++)
			if (service_ended(&m->service[i], pid, status, now)) {
				share_ended(&m->share, &m->service[i], pid);
				break;
			}
	}
}

/* ---- health ----------------------------------------------------------------------------------- */

/* What a seed brought. True: tarn-proxy has it, or it never will. */
static bool password_seeded(void)
{
	const char *const argv[] = { "/usr/bin/tarnctl", "admin",	"password",
				     "--hash",		 SEED_PASSWORD, NULL };
	int rc = run_tool(argv, NULL, 30);

	if (rc && rc != PASSWORD_THERE && rc != PASSWORD_WRONG)
		return false;
	say("password", "role=operate from=seed result=%s", rc ? "refused" : "taken");
	(void)unlink(SEED_PASSWORD);
	return true;
}

/*
 * Nobody has one yet: made, and shown to who stands before the machine. The note says that tarn-proxy was asked and its
 * answer not shown: it may have made one that nobody has seen, then another takes its place. True: not to be tried again.
 */
static bool password_first(struct machine *m)
{
	bool again = !access(PASSWORD_NOTE, F_OK);
	const char *const argv[] = { "/usr/bin/tarnctl", "admin", "password",
				     again ? NULL : "--first", NULL };
	int fd = open(PASSWORD_NOTE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = run_capture(argv, m->password, sizeof(m->password), 30);

	if (fd >= 0)
		close(fd);
	m->password[strcspn(m->password, "\n")] = '\0';
	if (rc)
		m->password[0] = '\0';
	if (*m->password)
		say_once("password", "role=operate value=%s", m->password);
	else if (rc != PASSWORD_THERE)
		return false;
	(void)unlink(PASSWORD_NOTE);
	return true;
}

static void on_well(struct machine *m, struct now now)
{
	m->ready_ms = now.mono_ms;
	assess_stage(&m->assess, "ready");
	say("ready",
	    "up_ms=%llu version=%s armed=%d ports=%zu mem_used_kib=%llu mem_available_kib=%llu",
	    (unsigned long long)now.mono_ms, m->assess.version, m->health.armed, bridge_ports(),
	    (unsigned long long)host_memory_used_kib(),
	    (unsigned long long)host_memory_available_kib());
}

/* On trial, and the time is over: the loader's next choice shall have its turn. */
static void trial_end(struct machine *m, const char *lacks)
{
	char stage[ATTEMPT_STAGE];

	(void)snprintf(stage, sizeof(stage), "not healthy in %us: %s", m->flags.deadline_s, lacks);
	assess_stage(&m->assess, stage);
	say("slots", "trial=%s result=failed reason=\"%s\" action=reboot", m->assess.version,
	    stage);
	event_base_loopbreak(m->base);
}

/* Is this system good? On trial that takes more than to be ready. */
static void trial_see_to(struct machine *m, struct now now)
{
	char buf[HEALTH_WHY];
	const char *lacks = health_lacks(
		&m->health, tarnd_is_safe(&m->service[S_TARND]) && m->assess.counted, buf);

	if (m->assess.good)
		return;
	if (lacks) {
		m->passing_since_ms = 0;
		if (m->assess.counted && now.mono_ms >= m->assess.deadline_ms)
			trial_end(m, lacks);
		return;
	}
	if (!m->passing_since_ms) {
		m->passing_since_ms = now.mono_ms;
		say("selftest", "state=%s ways=%d", m->health.selftest, m->health.ways);
	}
	if (now.mono_ms - m->passing_since_ms >= WELL_MS)
		assess_good(&m->assess, m->disk_known ? &m->disk : NULL, now);
}

static void tarnd_deaf(struct machine *m)
{
	if (m->health.answers || !m->service[S_TARND].pid) {
		m->heard = m->health.answers;
		m->deaf = 0;
		return;
	}
	if (++m->deaf < (m->heard ? DEAF_LIMIT : DEAF_FIRST))
		return;
	say("tarnd", "deaf_s=%u action=kill", m->deaf);
	m->deaf = 0;
	m->heard = false;
	service_signal(&m->service[S_TARND], SIGKILL);
}

static void health_see_to(struct machine *m, struct now now)
{
	int rc = health_ask(KEEPER_SOCKET, &m->health);

	(void)rc; /* says the same as `answers` */
	tarnd_deaf(m);
	trial_see_to(m, now);
	if (!is_well(m))
		return;
	if (!m->ready_ms)
		on_well(m, now);
	if (!m->password_done && now.mono_ms >= m->password_ms) {
		m->password_done =
			access(SEED_PASSWORD, F_OK) ? password_first(m) : password_seeded();
		m->password_ms = clock_read().mono_ms + PASSWORD_AGAIN_MS;
	}
}

/* Is there something new for the fleet? tarnctl knows whether anybody wants to know, and when. */
static void channel_see_to(struct machine *m, uint64_t now)
{
	bool on_trial = m->assess.counted && !m->assess.good;

	/* A system that is not well may get what mends it. */
	if (on_trial || !m->ready_ms || m->channel > 0 || now < m->channel_ms)
		return;
	m->channel = run_start(channel_argv, -1, NULL);
	m->channel_ms = now + CHANNEL_EVERY_MS;
}

/* ---- what others see ---------------------------------------------------------------------------- */

static void picture_show(struct machine *m, struct now now)
{
	struct picture p = {
		.assess = &m->assess,
		.health = &m->health,
		.interface = m->manage.interface,
		.vlan = m->manage.vlan,
		.ports = bridge_ports(),
		.blocked = m->loop ? loop_blocked(m->loop) : 0,
		.disk = m->disk_known ? m->disk.name : "none",
		.state = volume_fate_name(m->state),
		.cache = volume_fate_name(m->cache),
		.cache_bytes = m->cache_bytes,
		.watchdog = watchdog_is_open(),
		.restarts = m->service[S_TARND].starts ? m->service[S_TARND].starts - 1 : 0,
		.settings_wrong = tarnd_is_safe(&m->service[S_TARND]),
		.ready_ms = m->ready_ms,
		.password = m->password,
		.drive = m->drives.text,
		.now = now,
	};

	screen_show(&p);
}

/* ---- the loop ----------------------------------------------------------------------------------- */

/* All devices are known, and none is a watchdog: the kernel's own takes its place. */
static void watchdog_look(struct machine *m, uint64_t now)
{
	char name[32];

	if (watchdog_open()) {
		watchdog_name(name);
		say("watchdog", "open=yes up_ms=%llu name=\"%s\"", (unsigned long long)now, name);
	}
	if (!m->softdog && m->services && !watchdog_is_open() && !devices_busy(m->devices)) {
		m->softdog = true;
		devices_want(m->devices, "softdog");
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct machine *m = arg;
	uint64_t now = clock_read().mono_ms;

	(void)fd, (void)what;
	watchdog_look(m, now);
	disk_look(m, now);
	if (m->disk_over && !m->services && !m->assess.restart)
		services_begin(m, now);
	services_see_to(m, now);
	sticks_look(m, now);
}

static void on_slow(evutil_socket_t fd, short what, void *arg)
{
	struct machine *m = arg;
	struct now now = clock_read();

	(void)fd, (void)what;
	watchdog_pet();
	if (!m->services)
		return;
	health_see_to(m, now);
	channel_see_to(m, now.mono_ms);
	if (is_well(m) || m->drives.pid > 0)
		drives_see_to(&m->drives, now);
	share_see_to(&m->share, now.mono_ms);
	picture_show(m, now);
	say_log_bound();
	wall_note(now.wall_ms, false);
	if (restart_due(now.wall_ms)) {
		say("end", "restart=asked");
		event_base_loopbreak(m->base);
	}
}

static void on_end(evutil_socket_t number, short what, void *arg)
{
	struct machine *m = arg;

	(void)what;
	m->how = number == SIGUSR2 ? RB_POWER_OFF : RB_AUTOBOOT;
	say("end", "signal=%d", (int)number);
	event_base_loopbreak(m->base);
}

static void on_typed(void *arg)
{
	struct machine *m = arg;
	int rc = m->services && m->disk_known ? reset_note("console") : -ENODEV;

	if (rc) {
		say("reset", "from=console error=%d", rc);
		return;
	}
	say("reset", "from=console action=restart");
	event_base_loopbreak(m->base);
}

static void tool_tick(void *arg)
{
	(void)arg;
	watchdog_pet();
	(void)watchdog_open();
}

static struct event *every(struct machine *m, unsigned ms, event_callback_fn f)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct event *e = event_new(m->base, -1, EV_PERSIST, f, m);

	return e && !event_add(e, &tv) ? e : NULL;
}

static struct event *on_signal(struct machine *m, int number, event_callback_fn f)
{
	struct event *e = evsignal_new(m->base, number, f, m);

	return e && !event_add(e, NULL) ? e : NULL;
}

int machine_new(struct machine **ret_machine)
{
	static const struct devices_calls calls = { on_net, on_block };
	struct machine *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return -ENOMEM;
	m->begun_ms = m->busy_ms = m->ports_at_ms = clock_read().mono_ms;
	m->how = RB_AUTOBOOT;
	host_flags_read(&m->flags, HEALTHY_S);
	say("init", "up_ms=%llu", (unsigned long long)m->begun_ms);
	m->base = event_base_new();
	if (!m->base)
		return -ENOMEM;
	m->sigchld = on_signal(m, SIGCHLD, on_child);
	m->sigterm = on_signal(m, SIGTERM, on_end);
	m->sigint = on_signal(m, SIGINT, on_end);
	m->sigusr2 = on_signal(m, SIGUSR2, on_end);
	m->tick = every(m, TICK_MS, on_tick);
	m->slow = every(m, SLOW_TICK_MS, on_slow);
	if (!m->sigchld || !m->sigterm || !m->sigint || !m->sigusr2 || !m->tick || !m->slow)
		return -ENOMEM;
	run_tick_set(tool_tick, m);
	host_hardening();
	rc = net_kernel_open(&m->kernel);
	if (!rc)
		rc = m->kernel->ops->link_up(m->kernel, "lo", true, false);
	if (!rc)
		rc = bridge_make(m->kernel);
	if (rc)
		say("bridge", "error=%d", rc);
	else if (loop_new(m->base, m->kernel, LOOP_TIMES, &m->loop))
		m->loop = NULL;
	if (consoles_new(m->base, on_typed, m, &m->consoles))
		m->consoles = NULL;
	*ret_machine = m;
	/* Without netlink there is no bridge; all the same tarnctl and the page are to be reached. */
	return devices_new(m->base, &calls, m, &m->devices);
}

int machine_run(struct machine *m)
{
	(void)event_base_dispatch(m->base);
	if (m->services)
		wall_note(clock_read().wall_ms, true);
	drives_end(&m->drives);
	for (int i = 0; i < SERVICES; i++) {
		m->service[i].wanted = false;
		/* tarnd's SIGTERM takes down what it made; its proxy ends in order, the store is whole either way. */
		service_signal(&m->service[i], SIGTERM);
	}
	host_wait_end(m->service[S_TARND].pid, 5);
	return m->how;
}
