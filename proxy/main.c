/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarn-proxy, the data plane. Started by tarnd with what firmware/heritage.h lists, or alone: then it is an ordinary
 * unprivileged explicit proxy and update source.
 *
 * main() is the ladder of what is made, and its labels, read upward, that of what is freed. The main thread then is
 * the control loop. SIGTERM and SIGINT drain (a second one ends at once), SIGHUP reloads the
 * configuration. The exit status is 0, or one of <sysexits.h>: 64 usage, 78 configuration, 70/71 otherwise.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cache/flight.h"
#include "cache/scrub.h"
#include "cache/store.h"
#include "cache/writer.h"
#include "firmware/base/log.h"
#include "firmware/base/program.h"
#include "firmware/base/stat.h"
#include "firmware/base/version.h"
#include "firmware/index/index.h"
#include "proxy/admin/admin.h"
#include "proxy/admin/events.h"
#include "proxy/admin/history.h"
#include "proxy/carry/import.h"
#include "proxy/client/conn.h"
#include "proxy/config.h"
#include "proxy/confine.h"
#include "proxy/dns/reach.h"
#include "proxy/dns/recent.h"
#include "proxy/dns/resolve.h"
#include "proxy/generation.h"
#include "proxy/heritage_client.h"
#include "proxy/http/refusal.h"
#include "proxy/known.h"
#include "proxy/listen.h"
#include "proxy/loop.h"
#include "proxy/offline.h"
#include "proxy/probe.h"
#include "proxy/proxy.h"
#include "proxy/splice.h"
#include "proxy/sync/intake.h"
#include "proxy/sync/sync.h"
#include "proxy/tls/decide.h"
#include "proxy/tls/distrust.h"
#include "proxy/tls/leaves.h"
#include "proxy/tls/server.h"
#include "proxy/tls/tally.h"
#include "proxy/upstream/balance.h"
#include "proxy/upstream/parent.h"
#include "proxy/upstream/parent_check.h"
#include "proxy/upstream/pool.h"
#include "proxy/upstream/secure.h"
#include "proxy/upstream/verdict.h"

#define OVERRIDES_MAX 64
#define DRAIN_MS      (HERITAGE_DRAIN_MS - 2000) /* the rest of the time is for the writer */
#define LOOK_MS	      1000			 /* between two looks at the workers' lag */
#define TRIM_LOOKS    4				 /* so many of them between two trims */

struct options {
	const char *config; /* NULL: the default path */
	const char *user;   /* NULL: the setting */
	const char *overrides[OVERRIDES_MAX];
	size_t overrides_n;
	bool check;
};

struct program {
	struct options options;
	struct proxy proxy;
	struct heritage heritage;
	struct admin *admin;
	struct known *known;
	struct event term, interrupt, hup, look;
	struct mail drained;
	bool draining;
	unsigned looks;
	bool reachable; /* reach's last word */
	char unreachable_why[128];
	bool told, told_well; /* the keeper's */
	char told_why[128];
};

static struct program program;

/* ---- options ---------------------------------------------------------------------------------- */

enum {
	OPTION_CHECK = 256,
	OPTION_SETTINGS
};

/* Fills *options. -1: go on; else the exit status. */
static int options_parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "user", required_argument, NULL, 'u' },
		{ "check", no_argument, NULL, OPTION_CHECK },
		{ "settings", no_argument, NULL, OPTION_SETTINGS },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:o:u:hV", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'u':
			options->user = optarg;
			break;
		case 'o':
			if (options->overrides_n == OVERRIDES_MAX) {
				fprintf(stderr, "tarn-proxy: more than %d -o\n", OVERRIDES_MAX);
				return EX_USAGE;
			}
			options->overrides[options->overrides_n++] = optarg;
			break;
		case OPTION_CHECK:
			options->check = true;
			break;
		case OPTION_SETTINGS:
			settings_print(&tarn_conf_table, stdout);
			return EX_OK;
		case 'h':
			program_help(&program_proxy, stdout);
			return EX_OK;
		case 'V':
			puts("tarn-proxy " TARN_VERSION);
			return EX_OK;
		default:
			program_help(&program_proxy, stderr);
			return EX_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "tarn-proxy: what is \"%s\"?\n", argv[optind]);
	program_help(&program_proxy, stderr);
	return EX_USAGE;
}

static int config_read(const struct options *options, struct config **ret_config,
		       struct settings_error *error)
{
	struct config_source source = {
		.path = options->config,
		.overrides = options->overrides,
		.overrides_n = options->overrides_n,
	};

	return config_load(&source, ret_config, error);
}

/* ---- workers ---------------------------------------------------------------------------------- */

static void accepted(struct worker *worker, int fd, enum listen_mode mode, const struct addr *peer,
		     const struct addr *local)
{
	struct conn_from from = {
		.mode = mode == LISTEN_INTERCEPT ? CONN_INTERCEPTED
			: mode == LISTEN_SECURE	 ? CONN_SECURE
						 : CONN_PROXY,
		.fd = fd,
		.device = *peer,
		.origin = *local,
	};

	if (conn_start(worker, &from) < 0)
		close(fd);
}

static int worker_setup(struct worker *worker)
{
	int rc = store_reader_new(worker->proxy->store, &worker->reader);

	rc = rc ? rc : pool_new(worker);
	rc = rc ? rc : recent_new(worker);
	rc = rc ? rc : client_new(worker);
	rc = rc ? rc
		: listen_new(worker, heritage_listener(&program.heritage, worker->index), accepted);
	if (rc == 0)
		STAT_INC(STAT_WORKERS_RUNNING);
	return rc;
}

static void worker_drain(struct worker *worker)
{
	STAT_DEC(STAT_WORKERS_RUNNING);
	listen_stop(worker);
	client_drain(worker);
	pool_close_all(worker);
}

static void worker_teardown(struct worker *worker)
{
	listen_free(worker);
	probe_stop(worker);
	splice_cut_all(worker);
	if (worker->client)
		client_free(worker);
	pool_free(worker);
	recent_free(worker);
	if (worker->reader)
		store_reader_free(&worker->reader);
}

static const struct worker_hooks hooks = { worker_setup, worker_drain, worker_teardown };

/* One a core that we may run on, if the settings do not say. The keeper says so with its listeners. */
static unsigned workers_wanted(const struct config *config)
{
	int64_t wanted = config->settings.proxy.workers;
	cpu_set_t cores;

	if (program.heritage.given)
		return program.heritage.workers;
	if (!wanted && sched_getaffinity(0, sizeof(cores), &cores) == 0)
		wanted = CPU_COUNT(&cores);
	if (wanted > CONFIG_WORKERS_MAX)
		wanted = CONFIG_WORKERS_MAX;
	return wanted < 1		       ? 1
	       : wanted > HERITAGE_WORKERS_MAX ? HERITAGE_WORKERS_MAX
					       : (unsigned)wanted;
}

/* ---- the control loop's events ---------------------------------------------------------------- */

static void drained(struct worker *control, struct mail *mail)
{
	(void)mail;
	control_stop(control);
}

static void drain(const char *why)
{
	unsigned limit = program.draining ? 0 : DRAIN_MS;

	LOG(LOG_L_NOTICE, "proxy.drain", "why=%s limit_ms=%u", LOG_QUOTE(span_of(why)), limit);
	program.draining = true;
	sync_stop(program.proxy.sync);
	imports_stop(program.proxy.imports);
	program.proxy.control->draining = true;
	workers_drain(program.proxy.workers, limit, program.proxy.control, &program.drained);
}

static void on_end(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	(void)arg;
	drain(number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void reload(struct worker *control)
{
	struct settings_error error;
	struct config *config;
	char text[1024];

	if (config_read(&program.options, &config, &error) < 0) {
		STAT_INC(STAT_CONFIG_REFUSED);
		LOG(LOG_L_ERROR, "config.refused", "error=%s",
		    LOG_QUOTE(span_of(settings_error_text(&error, text, sizeof(text)))));
		return;
	}
	STAT_INC(STAT_CONFIG_RELOADS);
	log_level_set((enum log_level)config->settings.log.level);
	log_output((enum log_format)config->settings.log.format,
		   (enum log_to)config->settings.log.to);
	config_unref(&control->config);
	control->config = config;
	workers_config(program.proxy.workers, config);
	intake_reload(program.proxy.intake);
	sync_reload(program.proxy.sync);
	resolver_reload(program.proxy.resolver);
	parent_check_reload(program.proxy.parent_check);
	reach_reload(program.proxy.reach);
	LOG(LOG_L_NOTICE, "config.reloaded", "vendors=%zu", profiles_count(config->profiles));
}

static void on_reload(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	reload(arg);
}

static void store_look(void)
{
	struct store_stat store;

	if (!program.proxy.store)
		return;
	store_stat(program.proxy.store, &store);
	STAT_SET(STAT_STORE_FILE_BYTES, store.file);
	STAT_SET(STAT_STORE_MAP_BYTES, store.map);
	STAT_SET(STAT_STORE_DOOMED_BYTES, store.doomed);
	STAT_SET(STAT_STORE_WRITER_LAG_MS, store.lag_ms);
	STAT_SET(STAT_STORE_COMMIT_WORST_MS, store.commit_worst_ms);
}

/*
 * Shall devices be intercepted? While a vendor can be reached, or what is stored is to be served without
 * (proxy/offline.h). Told when it changes.
 */
static void health_look(struct worker *control)
{
	const char *why = program.unreachable_why, *lacks = NULL;
	bool offline = !program.reachable && control->config->settings.steer.offline;
	bool well;

	if (offline)
		lacks = offline_lacks(control);
	well = program.reachable || (offline && !lacks);
	why = well ? "" : lacks ? lacks : why;
	if (program.told && program.told_well == well && !strcmp(program.told_why, why))
		return;
	LOG(LOG_L_INFO, "health.changed", "well=%d offline=%d why_not=%s", well, offline && well,
	    LOG_QUOTE(span_of(why)));
	program.told = true;
	program.told_well = well;
	(void)snprintf(program.told_why, sizeof(program.told_why), "%s", why);
	keeper_health(program.proxy.keeper, well, why);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct worker *control = arg;

	(void)fd;
	(void)what;
	STAT_SET(STAT_LOOP_LAG_MS, workers_lag_ms(program.proxy.workers));
	store_look();
	health_look(control);
	if (program.proxy.flights && ++program.looks % TRIM_LOOKS == 0)
		flights_trim(program.proxy.flights);
	CHECK_OK(event_add(&program.look, worker_timeout(control, LOOK_MS)));
}

static void reach_changed(void *arg, bool reachable, const char *why_not)
{
	(void)arg;
	LOG(LOG_L_NOTICE, "reach.changed", "reachable=%d why_not=%s", reachable,
	    LOG_QUOTE(span_of(why_not)));
	program.reachable = reachable;
	(void)snprintf(program.unreachable_why, sizeof(program.unreachable_why), "%s", why_not);
	health_look(program.proxy.control);
}

/* A parent came or went: the vendors that it leads to did, too. */
static void parent_moved(void *arg)
{
	(void)arg;
	reach_tell(program.proxy.reach);
}

static void vendor_resolved(void *arg, const struct addr *addr, uint32_t ttl)
{
	(void)arg;
	keeper_vendor(program.proxy.keeper, addr, ttl);
	known_add(program.known, addr, ttl);
}

/* From before the restart. */
static void vendor_known(void *arg, const struct addr *addr, uint32_t ttl)
{
	(void)arg;
	keeper_vendor(program.proxy.keeper, addr, ttl);
}

static void keeper_stop(void *arg, const char *why)
{
	(void)arg;
	if (!program.draining)
		drain(why);
}

static void keeper_seen(void *arg, const struct addr *addr, uint32_t ttl)
{
	(void)arg;
	known_add(program.known, addr, ttl);
}

static void keeper_minted(void *arg, const struct heritage_minted *answer)
{
	(void)arg;
	leaves_minted(program.proxy.leaves, answer);
}

static void keeper_changed(void *arg, const struct heritage_changed *changed)
{
	(void)arg;
	if (changed->how == HERITAGE_CHANGED_TAKEN || changed->how == HERITAGE_CHANGED_UNDONE ||
	    changed->how == HERITAGE_CHANGED_EXPIRED)
		reload(program.proxy.control);
	admin_changed(program.admin, changed);
}

static void keeper_tested(void *arg, const struct heritage_selftest *result)
{
	(void)arg;
	admin_selftest(program.admin, result);
}

static void keeper_station(void *arg, const struct heritage_station *station)
{
	(void)arg;
	intake_station(program.proxy.intake, station);
}

static void keeper_access_kept(void *arg, const struct heritage_access_kept *answer)
{
	(void)arg;
	admin_access_kept(program.admin, answer);
}

static void keeper_systems_said(void *arg, const struct heritage_systems_said *said)
{
	(void)arg;
	admin_systems_said(program.admin, said);
}

static void signals_add(struct worker *control)
{
	CHECK_OK(evsignal_assign(&program.term, control->base, SIGTERM, on_end, control));
	CHECK_OK(evsignal_assign(&program.interrupt, control->base, SIGINT, on_end, control));
	CHECK_OK(evsignal_assign(&program.hup, control->base, SIGHUP, on_reload, control));
	CHECK_OK(evtimer_assign(&program.look, control->base, on_look, control));
	CHECK_OK(event_add(&program.term, NULL));
	CHECK_OK(event_add(&program.interrupt, NULL));
	CHECK_OK(event_add(&program.hup, NULL));
	on_look(-1, 0, control);
}

static void signals_del(void)
{
	event_del(&program.term);
	event_del(&program.interrupt);
	event_del(&program.hup);
	event_del(&program.look);
}

/* ---- the ladder ------------------------------------------------------------------------------- */

/* As many descriptors as we may have: a connection that is carried through takes up to six. */
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The directory of a file's path. */
static const char *folder(const char *path, char buf[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return "/";
	snprintf(buf, PATH_MAX, "%.*s", (int)(slash - path), path);
	return buf;
}

static int give_up_user(const struct config *config)
{
	const struct tarn_settings *settings = &config->settings;
	char socket_at[PATH_MAX];
	const char *dirs[] = { settings->cache.path,
			       folder(settings->proxy.admin_socket, socket_at), NULL };

	if (program.heritage.keeper)
		dirs[0] = NULL;
	return confine_user(program.options.user ? program.options.user : settings->keeper.user,
			    dirs);
}

static int give_up_rest(const struct config *config)
{
	static const char resolv_conf[] = "/etc/resolv.conf";
	const struct tarn_settings *settings = &config->settings;
	const char *ca_file = settings->upstream.ca_file;
	char resolv[PATH_MAX], resolv_at[PATH_MAX], socket_at[PATH_MAX], config_at[PATH_MAX];
	char ca[PATH_MAX], ca_at[PATH_MAX];
	const char *rw[] = { settings->cache.path,
			     program.heritage.keeper
				     ? NULL
				     : folder(settings->proxy.admin_socket, socket_at),
			     NULL };
	/* Folders, not files: a new resolv.conf is another file of that name, so is a new list of authorities. */
	const char *ro[] = {
		"/etc",
		folder(realpath(resolv_conf, resolv) ? resolv : resolv_conf, resolv_at),
		folder(realpath(ca_file, ca) ? ca : ca_file, ca_at),
		settings->vendors.dir,
		settings->keeper.state, /* the CA's certificate; its key is root's */
		program.options.config ? folder(program.options.config, config_at) : "/etc/tarn",
		"/dev/urandom",
		"/proc/self",
		"/proc/sys/vm/overcommit_memory",
		"/sys/devices/system/cpu",
		NULL
	};
	struct confine_files files = { rw, ro };

	return confine_process(&files);
}

static int complain(const char *what, int rc)
{
	LOG(LOG_L_ERROR, "proxy.start", "what=%s error=%s", what, strerrorname_np(-rc));
	return rc;
}

/* What has no thread and no socket of its own yet. Freed by rooms_free(), whatever of it was made. */
static int rooms_make(struct proxy *proxy, const struct config *config)
{
	struct store_config store = { .path = config->settings.cache.path,
				      .limit = (uint64_t)config->settings.cache.size };
	int rc = store_open(&store, clock_read(), &proxy->store);

	if (rc < 0)
		return complain("store", rc);
	rc = writer_new(proxy->store, &proxy->writer);
	if (rc < 0)
		return complain("writer", rc);
	pseudonym_find(proxy->store, proxy->writer, proxy->pseudonym);
	rc = generations_new(proxy->writer, &proxy->generations);
	if (rc < 0)
		return complain("generations", rc);
	rc = flights_new(proxy->store, proxy->writer, &FLIGHT_LIMITS_DEFAULT, &proxy->flights);
	if (rc < 0)
		return complain("flights", rc);
	rc = intake_new(proxy->control, &proxy->intake);
	if (rc < 0)
		return complain("demand", rc);
	rc = sync_new(proxy->control, &proxy->sync);
	if (rc < 0)
		return complain("sync", rc);
	rc = imports_new(proxy->control, &proxy->imports);
	if (rc < 0)
		return complain("imports", rc);
	rc = balance_new(&proxy->balance);
	if (rc < 0)
		return complain("balance", rc);
	rc = parents_new(&config->settings, &proxy->parents);
	if (rc < 0)
		return complain("parents", rc);
	rc = verdicts_new(&proxy->verdicts);
	if (rc < 0)
		return complain("verdicts", rc);
	rc = hellos_new(&proxy->hellos);
	if (rc < 0)
		return complain("TLS", rc);
	rc = tally_new(&proxy->tally);
	if (rc < 0)
		return complain("tally", rc);
	rc = leaves_new(proxy->control, config->settings.keeper.state, &proxy->leaves);
	if (rc < 0)
		return complain("leaves", rc);
	rc = tls_server_new(proxy->hellos, &proxy->tls_server);
	if (rc < 0)
		return complain("TLS", rc);
	rc = distrust_new(proxy->store, proxy->writer, clock_read().wall_ms, &proxy->distrust);
	if (rc < 0)
		return complain("distrust", rc);
	rc = resolver_new(proxy->control, &proxy->resolver);
	return rc < 0 ? complain("resolver", rc) : 0;
}

static void rooms_free(struct proxy *proxy)
{
	scrub_free(&proxy->scrub);
	resolver_free(&proxy->resolver);
	leaves_free(&proxy->leaves);
	tls_server_free(&proxy->tls_server);
	distrust_free(&proxy->distrust);
	tally_free(&proxy->tally);
	hellos_free(&proxy->hellos);
	verdicts_free(&proxy->verdicts);
	parents_free(&proxy->parents);
	balance_free(&proxy->balance);
	sync_free(&proxy->sync);
	intake_free(&proxy->intake);
	/* The writer's last callbacks are about flights: it goes first. */
	if (proxy->writer)
		writer_stop(&proxy->writer);
	imports_free(&proxy->imports);
	if (proxy->flights)
		flights_free(&proxy->flights);
	if (proxy->generations)
		generations_free(&proxy->generations);
	if (proxy->store)
		store_close(&proxy->store);
}

/* Serves until it is told to end. The threads run; everything is confined. */
static int serve(struct worker *control, unsigned workers)
{
	const struct keeper_calls calls = { keeper_stop,	 keeper_seen,	    keeper_minted,
					    keeper_changed,	 keeper_tested,	    keeper_station,
					    keeper_systems_said, keeper_access_kept };
	struct proxy *proxy = &program.proxy;
	int rc = 0;

	if (program.heritage.keeper)
		rc = keeper_new(control, program.heritage.given, &calls, NULL, &proxy->keeper);
	if (rc < 0)
		return complain("keeper", rc);
	rc = known_new(control, vendor_known, NULL, &program.known);
	if (rc < 0) {
		complain("known addresses", rc);
		goto no_known;
	}
	rc = events_new(control, &proxy->events);
	if (rc < 0) {
		complain("events", rc);
		goto no_events;
	}
	rc = history_new(control, &proxy->history);
	if (rc < 0) {
		complain("history", rc);
		goto no_history;
	}
	rc = reach_new(control, reach_changed, vendor_resolved, NULL, &proxy->reach);
	if (rc < 0) {
		complain("reach", rc);
		goto no_reach;
	}
	rc = parent_check_new(control, parent_moved, NULL, &proxy->parent_check);
	if (rc < 0) {
		complain("parents", rc);
		goto no_parent_check;
	}
	signals_add(control);
	leaves_serve(proxy->leaves, proxy->keeper);
	keeper_ready(proxy->keeper, workers);
	LOG(LOG_L_NOTICE, "proxy.ready", "version=%s workers=%u vendors=%zu heritage=%d",
	    TARN_VERSION, workers, profiles_count(control->config->profiles),
	    program.heritage.given);

	control_run(control);

	LOG(LOG_L_NOTICE, "proxy.end");
	signals_del();
	leaves_serve(proxy->leaves, NULL);
	parent_check_free(&proxy->parent_check);
no_parent_check:
	reach_free(&proxy->reach);
no_reach:
	history_free(&proxy->history);
no_history:
	events_free(&proxy->events);
no_events:
	known_free(&program.known);
no_known:
	keeper_free(&proxy->keeper);
	return rc;
}

_Static_assert(STAT_LOOP_WORKER_LAG_LAST - STAT_LOOP_WORKER_LAG_FIRST + 1 == HERITAGE_WORKERS_MAX,
	       "a gauge for each worker that can be");

/* Each worker's gauges have its number. */
static void worker_labels(unsigned workers)
{
	static char names[HERITAGE_WORKERS_MAX][12];

	for (unsigned i = 0; i < workers && i < HERITAGE_WORKERS_MAX; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%u", i);
		stat_label(STAT_LOOP_WORKER_LAG_FIRST, i, names[i],
			   "how late this worker's timers ran at worst in the last seconds");
	}
}

static int run(struct config *config)
{
	struct proxy *proxy = &program.proxy;
	unsigned workers = workers_wanted(config);
	int rc;

	rc = control_new(proxy, &proxy->control);
	if (rc < 0)
		return complain("control loop", rc);
	proxy->control->config = config_ref(config);
	mail_init(&program.drained, drained);
	rc = rooms_make(proxy, config);
	if (rc < 0)
		goto no_rooms;
	rc = admin_new(proxy->control, program.heritage.admin_fd,
		       program.heritage.keeper ? HERITAGE_FD_ACCESS : -1,
		       config->settings.proxy.admin_socket, &program.admin);
	if (rc < 0) {
		complain("admin socket", rc);
		goto no_rooms;
	}
	rc = give_up_rest(config);
	if (rc < 0)
		goto no_threads;

	/* From here on there are threads. */
	rc = writer_start(proxy->writer);
	if (rc < 0) {
		complain("writer's thread", rc);
		goto no_threads;
	}
	worker_labels(workers);
	rc = scrub_new(proxy->store, (uint64_t)config->settings.cache.scrub_rate, &proxy->scrub);
	if (rc < 0) {
		complain("scrub's thread", rc);
		goto no_threads;
	}
	rc = workers_start(workers, proxy, config, &hooks, program.heritage.beats, &proxy->workers);
	if (rc < 0) {
		complain("workers", rc);
		goto no_threads;
	}
	control_step_back();
	rc = serve(proxy->control, workers);
	workers_stop(&proxy->workers);
no_threads:
	admin_free(&program.admin);
no_rooms:
	rooms_free(proxy);
	control_free(&proxy->control);
	return rc;
}

int main(int argc, char **argv)
{
	struct settings_error error;
	struct config *config;
	char text[1024];
	int rc;

	check_install("tarn-proxy");
	tzset(); /* reads its file while we may; history asks for it later */
	http_refusal_label_counters();
	log_open("tarn-proxy", LOG_L_INFO);
	rc = options_parse(argc, argv, &program.options);
	if (rc >= 0)
		return rc;
	if (config_read(&program.options, &config, &error) < 0) {
		fprintf(stderr, "tarn-proxy: %s\n",
			settings_error_text(&error, text, sizeof(text)));
		return EX_CONFIG;
	}
	if (program.options.check) {
		printf("%zu vendor profiles, no error\n", profiles_count(config->profiles));
		config_unref(&config);
		return EX_OK;
	}
	log_level_set((enum log_level)config->settings.log.level);
	log_output((enum log_format)config->settings.log.format,
		   (enum log_to)config->settings.log.to);
	signal(SIGPIPE, SIG_IGN);
	http_refusal_label_counters();
	tls_reason_label_counters();
	secure_label_counters();
	distrust_label_counters();
	index_label_counters();
	descriptors_raise();
	rc = heritage_take(&program.heritage);
	if (rc == 0)
		rc = give_up_user(config);
	if (rc == 0)
		rc = run(config);
	heritage_drop(&program.heritage);
	config_unref(&config);
	return rc == 0 ? EX_OK : EX_OSERR;
}
