/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnd, the keeper: see firmware/keeper/keeper.h. Runs in the foreground and logs to stderr.
 *
 * It becomes itself anew (exec, same process) for settings that only a start takes over, and when it can't begin with a
 * change that waits to be confirmed: that one is taken back first.
 */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/program.h"
#include "firmware/keeper/change.h"
#include "firmware/keeper/keeper.h"
#include "firmware/keeper/only.h"
#include "firmware/mint/secret.h"

/* A killed predecessor may take this long to be gone. */
#define PREDECESSOR_MS 2000

/* What net_check() and the readers give for a configuration that is wrong, not for a system that fails. */
static int exit_status(int rc)
{
	switch (rc) {
	case -EPERM:
	case -EACCES:
		return EX_NOPERM;
	case -ENOMEM:
	case -EIO:
		return EX_OSERR;
	default:
		return EX_CONFIG;
	}
}

/* Ends with the exit status. *ret_anew: it is to begin again. */
static int run(struct event_base *base, struct tarnd_config *config, bool *ret_anew)
{
	char why[TARND_WHY_MAX] = "out of memory";
	int claim = only_claim(PREDECESSOR_MS), rc;
	struct tarnd *tarnd;

	if (claim < 0) {
		fprintf(stderr, "tarnd: %s\n",
			claim == -EADDRINUSE ? "another tarnd keeps this network"
					     : strerror(-claim));
		return claim == -EADDRINUSE ? EX_TEMPFAIL : EX_OSERR;
	}
	rc = tarnd_new(base, config, &tarnd, why);
	if (rc) {
		fprintf(stderr, "tarnd: %s\n", why);
		*ret_anew = change_give_up(config->path);
		return EX_OSERR;
	}
	rc = event_base_dispatch(base);
	*ret_anew = tarnd_anew(tarnd);
	tarnd_free(&tarnd);
	return rc < 0 ? EX_SOFTWARE : 0;
}

/* Reads the configuration and does what it says. `check`: only the reading. */
static int live(const char *path, bool check, bool *ret_anew)
{
	bool keeps = !check && !geteuid();
	char why[TARND_WHY_MAX] = "";
	struct tarnd_config config;
	struct event_base *base;
	int rc;

	if (keeps)
		change_recover(path);
	rc = tarnd_config_load(path, &config, why);
	if (rc) {
		fprintf(stderr, "%s\n", why);
		*ret_anew = keeps && change_give_up(path);
		return exit_status(rc);
	}
	tarnd_config_adapt(&config);
	log_level_set((enum log_level)config.settings.log.level);
	log_output((enum log_format)config.settings.log.format,
		   (enum log_to)config.settings.log.to);
	rc = tarnd_config_check(&config, why);
	if (rc) {
		fprintf(stderr, "tarnd: %s: %s\n", path ? path : TARN_CONF_PATH, why);
		*ret_anew = keeps && change_give_up(path);
		rc = exit_status(rc);
	} else if (check) {
		printf("configuration is good\n");
	} else if (!keeps) {
		fprintf(stderr, "tarnd: must be root to build the network\n");
		rc = EX_NOPERM;
	} else {
		base = event_base_new();
		rc = base ? run(base, &config, ret_anew) : EX_OSERR;
		if (base)
			event_base_free(base);
	}
	tarnd_config_free(&config);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "one-arm", no_argument, NULL, '1' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool check = false, anew = false;
	const char *path = NULL;
	int c, rc;

	check_install("tarnd");
	(void)prctl(PR_SET_NAME, "tarnd"); /* anew, it is called as what it was executed by */
	log_open("tarnd", LOG_L_INFO);
	if (secret_memory())
		LOG(LOG_L_WARN, "keeper.secret", "note=\"keys are in ordinary memory\"");
	while ((c = getopt_long(argc, argv, "c:n1h", options, NULL)) != -1) {
		if (c == 'c')
			path = optarg;
		else if (c == 'n')
			check = true;
		else if (c == '1')
			tarnd_one_arm();
		else
			return program_help(&program_tarnd, c == 'h' ? stdout : stderr),
			       c == 'h' ? 0 : EX_USAGE;
	}
	if (optind < argc) {
		fprintf(stderr, "tarnd: unexpected argument '%s'\n", argv[optind]);
		program_help(&program_tarnd, stderr);
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	rc = live(path, check, &anew);
	if (!anew)
		return rc;
	(void)execv("/proc/self/exe", argv);
	LOG(LOG_L_ERROR, "keeper.anew", "error=%s", strerrorname_np(errno));
	return EX_TEMPFAIL; /* whoever watches over it starts it again */
}
