/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both programs may be of another version than this one: every member of their answers may be missing, and what is
 * not known is not claimed.
 *
 *	keeper	proxy	verdict
 *	up	up	working if armed and every vendor is reachable, else degraded
 *	up	down	degraded: connections pass straight through
 *	down	up	working if reachable: the proxy alone, nothing is intercepted
 *	down	down	not running
 *
 * Each problem has its advice. What is no fault, or mends itself, is a note and leaves the verdict alone.
 */
#include "firmware/ctl/judge.h"

#include <stdarg.h>
#include <string.h>

#include "firmware/base/selftest.h"
#include "firmware/ctl/ask.h"

#define RESTARTS_MANY 3
#define UP_SHORT_MS   (10.0 * 60 * 1000)

/* What to do, by a piece of the reason that tarnd or tarn-proxy gives for not intercepting. */
static const struct {
	const char *piece;
	const char *advice;
} advices[] = {
	{ "which port leads to the router",
	  "Connect both ports, the router to one and the switch to the other; traffic through the "
	  "bridge tells which is "
	  "which. Or name them: [steer] lan and wan" },
	{ "the data plane died", "Wait: tarnd starts it again by itself. Why it died is in tarnd's "
				 "log (journalctl -u tarnd)" },
	{ "the data plane does not run",
	  "See tarnd's log (journalctl -u tarnd); start tarnd again" },
	{ "is starting", "Wait some seconds" },
	{ "has not said yet", "Wait some seconds" },
	{ "heartbeat is old", "Look for what keeps this machine busy or its disk waiting (top, "
			      "dmesg); tarnd kills and restarts a proxy that "
			      "hangs" },
	{ "has not said for long",
	  "Look for what keeps this machine busy or its disk waiting (top, dmesg)" },
	{ "no vendor profile", "Put a vendor's profile into the folder that `tarnctl config show "
			       "vendors.dir` names, then `tarnctl config "
			       "reload`" },
	{ "not checked yet", "Wait some seconds" },
	{ "nothing is stored yet",
	  "Bring it what another box has exported: `tarnctl import DIR`, or a drive labelled "
	  "TARN-IMPORT" },
	{ "no default route", "Give it an address and a default route, as devices have" },
	{ "does not reach our stack", "Run `tarnctl selftest`: it says where it is lost" },
	{ "does not reach devices",
	  "Look at the devices' port (`tarnctl status` names it): `tc filter show dev PORT "
	  "egress`, "
	  "`tc -s qdisc show dev PORT` (dropped), `nft list ruleset` (hook egress), `ethtool -K "
	  "PORT "
	  "tx off` as a trial, its cable and its switch. It is tried again by itself" },
	{ "its place is taken",
	  "See what it is: `tc qdisc show dev PORT`, `tc filter show dev PORT ingress` (icpt0: "
	  "egress). Take it away; tarnd puts its own back" },
	{ "stands before ours", "Take it away, or run Tarn without it: `tarnctl selftest` says "
				"whether anything still comes through" },
	{ "port", "See [steer] lan, wan and bridge (`tarnctl config show steer`) against the ports "
		  "of `ip link`" },
	{ "permission",
	  "tarnd needs root's rights and a kernel with BPF; see its log (journalctl -u tarnd)" },
};

double judge_counter(const struct status *s, const char *name)
{
	const json_t *rows = json_object_get(s->counters, "counters");
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		if (strcmp(ctl_text(row, "name"), name) == 0)
			return ctl_number(row, "value");
	}
	return -1;
}

static void append(json_t *texts, const char *text)
{
	json_t *one;
	size_t i;

	json_array_foreach(texts, i, one)
	{
		if (strcmp(json_string_value(one), text) == 0)
			return;
	}
	CHECK_OK(json_array_append_new(texts, json_string(text)));
}

/* `advice` "": none. */
static void problem(struct status *s, enum ctl_exit verdict, const char *what, const char *why,
		    const char *advice)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "%s%s%s", what, why[0] ? ": " : "", why);
	append(s->problems, text);
	if (advice[0])
		append(s->todo, advice);
	if (verdict > s->verdict)
		s->verdict = verdict;
}

__attribute__((format(printf, 2, 3))) static void note(struct status *s, const char *format, ...)
{
	char text[500];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	append(s->notes, text);
}

bool judge_is_armed(const struct status *s)
{
	const json_t *armed = json_object_get(s->keeper, "armed");

	if (armed)
		return json_is_true(armed) || (json_is_integer(armed) && json_integer_value(armed));
	return strcmp(ctl_text(s->keeper, "state"), "armed") == 0;
}

bool judge_is_offline(const struct status *s)
{
	return strcmp(ctl_text(s->proxy, "state"), "offline") == 0;
}

bool judge_reach_known(const json_t *row)
{
	return !json_is_false(json_object_get(row, "checked"));
}

/* ---- the way to the vendors ----------------------------------------------------------------------- */

static void judge_reach(struct status *s)
{
	const json_t *reach = json_object_get(s->proxy, "reach");
	json_t *row;
	size_t i;

	json_array_foreach(reach, i, row)
	{
		if (!judge_reach_known(row))
			continue;
		if (json_is_false(json_object_get(row, "reachable")) && judge_is_offline(s))
			note(s, "No vendor can be reached, and [steer] offline = yes: devices are "
				"served "
				"what is stored; all else fails for them until one can be reached "
				"again");
		else if (json_is_false(json_object_get(row, "reachable")))
			problem(s, CTL_DEGRADED, "a vendor can't be reached",
				ctl_text(row, "vendor"),
				"Devices ask the vendor themselves meanwhile. Look at this box's "
				"own way out: "
				"its address, default route, DNS (`tarnctl dns`), and a firewall "
				"that must let it "
				"connect to ports 80 and 443");
		else if (strcmp(ctl_text(row, "via"), "public") == 0)
			note(s,
			     "%.60s does not resolve, or not to what answers, by this network's "
			     "DNS; the public "
			     "resolver %.60s is used until it does (see `tarnctl dns`)",
			     ctl_text(row, "vendor"), ctl_text(row, "resolver"));
	}
}

/* ---- the store ------------------------------------------------------------------------------------ */

static const char *store_advice(const char *error)
{
	if (strcmp(error, "ENOSPC") == 0)
		return "Its disk is full: free some of it, or set a smaller [cache] size (`tarnctl "
		       "config show cache`). "
		       "Devices are served meanwhile, by fetching anew";
	if (strcmp(error, "EACCES") == 0 || strcmp(error, "EPERM") == 0)
		return "The folder [cache] path must belong to the user that tarn-proxy runs as "
		       "([keeper] user)";
	if (strcmp(error, "EIO") == 0)
		return "The disk fails: see dmesg, and replace it";
	if (strcmp(error, "EROFS") == 0)
		return "Its file system is read-only. If it was made so by errors (dmesg), replace "
		       "the disk, or "
		       "have it checked, mount it again and restart tarnd";
	if (strcmp(error, "ENOENT") == 0 || strcmp(error, "ENOTDIR") == 0)
		return "The folder [cache] path is gone: make it again, or restart tarnd, which "
		       "does";
	if (strcmp(error, "EBUSY") == 0)
		return "Another tarn-proxy uses this store: end it, or give this one a [cache] "
		       "path of its own";
	return "See [cache] path (`tarnctl config show cache`) and `tarnctl log`";
}

static void judge_store(struct status *s)
{
	const char *error = ctl_text(json_object_get(s->proxy, "cache"), "last_error");
	double failed = judge_counter(s, "store.commit_errors"),
	       dropped = judge_counter(s, "store.dropped");

	if (strcmp(ctl_text(s->proxy, "state"), "uncached") == 0)
		problem(s, CTL_DEGRADED, "nothing is cached, the store can't be used", error,
			store_advice(error));
	else if (failed > 0)
		note(s,
		     "%.0f writes to the store have failed since the start%s%s; what they held was "
		     "served all "
		     "the same. Is the disk full (df) or failing (dmesg)?",
		     failed, error[0] ? ", last by " : "", error);
	else if (dropped > 0)
		note(s, "%.0f objects were not stored because the disk was full or too slow",
		     dropped);
}

/* ---- tarn-proxy ----------------------------------------------------------------------------------- */

/* The proxy's own word. no_upstream is told vendor by vendor. */
static void judge_proxy(struct status *s)
{
	const char *state = ctl_text(s->proxy, "state");
	double over = judge_counter(s, "conn.over_limit"),
	       hijacked = judge_counter(s, "dns.hijacked");

	if (strcmp(state, "draining") == 0)
		problem(s, CTL_DEGRADED, "tarn-proxy is about to end", "", "");
	else if (state[0] && strcmp(state, "ok") != 0 && strcmp(state, "no_upstream") != 0 &&
		 strcmp(state, "uncached") != 0 && !judge_is_offline(s))
		problem(s, CTL_DEGRADED, "tarn-proxy", state, "");
	if (judge_counter(s, "admin.unheard") > 0)
		note(s,
		     "The admin page is not on %.0f of the addresses of [admin] listen: another "
		     "program has them "
		     "(`tarnctl log`, admin.listen)",
		     judge_counter(s, "admin.unheard"));
	if (over > 0)
		note(s,
		     "%.0f connections were turned away because [proxy] max_connections were open",
		     over);
	if (hijacked > 0)
		note(s,
		     "%.0f answers of DNS named a private address for a vendor, which can't be "
		     "true, and were not "
		     "used: see who answers DNS here (`tarnctl dns`); if it is meant so, [steer] "
		     "allow_private_vendor",
		     hijacked);
	judge_store(s);
	judge_reach(s);
}

/* ---- tarnd ---------------------------------------------------------------------------------------- */

static const char *advice_for(const char *why)
{
	for (size_t i = 0; i < ARRAY_LEN(advices); i++)
		if (strstr(why, advices[i].piece))
			return advices[i].advice;
	return "";
}

/* Roles are known, but no port is the devices'. */
static void judge_ports(struct status *s)
{
	const json_t *ports = json_object_get(s->keeper, "ports");
	bool lan = false, wan = false;
	json_t *port;
	size_t i;

	json_array_foreach(ports, i, port)
	{
		lan |= strcmp(ctl_text(port, "role"), "lan") == 0;
		wan |= strcmp(ctl_text(port, "role"), "wan") == 0;
	}
	if (wan && !lan)
		problem(s, CTL_DEGRADED, "no port leads to the devices", "",
			"Connect the devices' switch to a second port, or name the port: [steer] "
			"lan "
			"(`tarnctl config show steer`)");
}

static void judge_reload(struct status *s)
{
	const json_t *reload = json_object_get(s->keeper, "reload");
	const char *why = ctl_text(reload, "why");

	if (ctl_number(reload, "times") > 0 && why[0])
		problem(s, CTL_DEGRADED,
			"the configuration was refused at the last reload, the one before is in "
			"use",
			why,
			"Mend it until `tarnctl config check` is content, then `tarnctl config "
			"reload`");
}

static void judge_restarts(struct status *s)
{
	const json_t *proxy = json_object_get(s->keeper, "proxy");
	double restarts = ctl_number(proxy, "restarts"), up = ctl_number(proxy, "up_ms");

	if (restarts >= RESTARTS_MANY && up >= 0 && up < UP_SHORT_MS)
		problem(s, CTL_DEGRADED, "tarn-proxy keeps dying", ctl_text(proxy, "last_exit"),
			"Its last words are in tarnd's log (journalctl -u tarnd); `tarnctl "
			"support` packs what a "
			"report of it needs");
}

static const char *selftest_advice(const char *fault)
{
	static const char *const advice[][2] = {
#define X(name, word, step, todo) { word, todo },
		SELFTEST_FAULTS(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_LEN(advice); i++)
		if (strcmp(advice[i][0], fault) == 0)
			return advice[i][1];
	return "";
}

static void judge_selftest(struct status *s)
{
	const json_t *selftest = json_object_get(s->keeper, "selftest");

	if (strcmp(ctl_text(selftest, "state"), "failed") == 0)
		problem(s, CTL_DEGRADED, "the selftest fails", ctl_text(selftest, "text"),
			selftest_advice(ctl_text(selftest, "fault")));
}

/* None of it is a fault by itself: it may do no harm. */
static void judge_offload(struct status *s)
{
	const char *what = ctl_text(s->keeper, "offload"), *port = strstr(what, " of ");

	if (strstr(what, "switch chip"))
		note(s,
		     "%.60s. Such ports may pass frames on between themselves, and Tarn then sees "
		     "none of them: if devices are not served, use ports of two cards, or one port "
		     "that is not the switch's",
		     what);
	else if (port && strncmp(what, "lro", 3) == 0)
		note(s,
		     "%.60s is on: it merges packets in a way that can't be undone, and what a "
		     "bridge or gateway should pass on is lost. `ethtool -K %.15s lro off`",
		     what, port + 4);
	else if (port)
		note(s,
		     "%.60s is on: the card may run filters before Tarn's, and what they take "
		     "never gets here. Unless you need it: `ethtool -K %.15s hw-tc-offload off`",
		     what, port + 4);
}

static void judge_keeper(struct status *s)
{
	const char *why = ctl_text(s->keeper, "why_not_armed");

	/* Mode off is the administrator's choice and no fault. */
	if (!judge_is_armed(s) && strcmp(ctl_text(s->keeper, "mode"), "off") != 0)
		problem(s, CTL_DEGRADED,
			"nothing is intercepted, connections pass straight through", why,
			advice_for(why));
	judge_selftest(s);
	judge_ports(s);
	judge_offload(s);
	judge_reload(s);
	judge_restarts(s);
}

static void judge_nobody(struct status *s)
{
	bool forbidden = s->keeper_rc == -EACCES || s->proxy_rc == -EACCES;
	bool hangs = s->keeper_rc == -ETIMEDOUT;

	problem(s, forbidden ? CTL_NOT_ALLOWED : CTL_NOT_RUNNING, "tarnd",
		ask_error_text(s->keeper_rc),
		forbidden ? "Ask as root"
		: hangs ? "Look for what keeps this machine busy or its disk waiting (top, dmesg); "
			  "then start it again (systemctl restart tarnd). Devices reach the "
			  "vendor without it"
			: "Start it (systemctl start tarnd); why it ended is in its log "
			  "(journalctl -u tarnd). "
			  "Devices reach the vendor without it");
	problem(s, CTL_NOT_RUNNING, "tarn-proxy", ask_error_text(s->proxy_rc), "");
}

void status_judge(struct status *s)
{
	if (!s->keeper && !s->proxy) {
		judge_nobody(s);
		return;
	}
	if (s->keeper)
		judge_keeper(s);
	else if (s->keeper_rc != -ENOENT && s->keeper_rc != -ECONNREFUSED)
		problem(s, CTL_DEGRADED, "tarnd", ask_error_text(s->keeper_rc),
			s->keeper_rc == -EACCES ? "Ask as root"
						: "Start tarnd again (systemctl restart tarnd)");
	if (s->proxy)
		judge_proxy(s);
	else
		problem(s, CTL_DEGRADED, "tarn-proxy", ask_error_text(s->proxy_rc),
			s->proxy_rc == -EACCES ? "Ask as root"
			: s->proxy_rc == -ETIMEDOUT
				? "Wait: tarnd kills and restarts a proxy that hangs"
				: "");
}
