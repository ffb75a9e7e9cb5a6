/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of /etc/tarn/tarn.conf. One row is one setting: its limits, default and documentation.
 */
#include "firmware/base/tarn_conf.h"

#include <string.h>

#include "firmware/base/log.h"

#define MS_DAY (86400 * 1000LL)

static const char *const steer_modes[] = { "off", "bridge", "gateway", NULL };
static const char *const tls_versions[] = { "1.2", "1.3", NULL };
static const char *const parent_modes[] = { "proxy", "reverse", NULL };
static const char *const quic_modes[] = { "pass", "drop", NULL };
static const char *const proxy_sendfile[] = { "auto", "yes", "no", NULL };
static const char *const demand_names[] = { "off", "dhcp", "mdns", "both", NULL };
static const char *const demand_devices[] = { "on", "hashed", "off", NULL };
static const char *const admin_from[] = { "lan", "any", NULL };
static const char *const log_formats[] = { "text", "json", NULL };
static const char *const log_tos[] = { "stderr", "syslog", NULL };
static const char *const log_levels[] = { "error", "warn", "notice", "info", "debug", NULL };

_Static_assert(TARN_STEER_GATEWAY == 2 && TARN_QUIC_DROP == 1 && LOG_L_DEBUG == 4 &&
		       LOG_JSON == 1 && LOG_SYSLOG == 1 && TARN_TLS_1_3 == 1 &&
		       TARN_PARENT_REVERSE == 1 && TARN_ADMIN_ANY == 1,
	       "the choices above stand in the order of their enums");

#define AT(member) offsetof(struct tarn_settings, member)

/* clang-format off */
static const struct setting rows[] = {
	{ "proxy", "workers", SETTING_INT, AT(proxy.workers), "0",
	  "Event loops, one thread each; 0 takes one a processor core.", 0, 64, NULL },
	{ "proxy", "listen", SETTING_ADDRS, AT(proxy.listen), "127.0.0.1:3128",
	  "Where tarn-proxy listens as an explicit proxy and as an update source. Connections that the keeper steers here need no line. Empty: nowhere.", 3128, 0, NULL },
	{ "proxy", "listen_tls", SETTING_ADDRS, AT(proxy.listen_tls), "",
	  "Where tarn-proxy listens as an update source over HTTPS (https://tarn.internal/<vendor>/path), with the certificate of the box's CA for those of [admin] names that it may speak for; needs tarnd. Empty: nowhere.", 443, 0, NULL },
	{ "proxy", "explicit", SETTING_BOOL, AT(proxy.explicit_proxy), "yes",
	  "Serve as an explicit proxy: absolute-form requests and CONNECT.", 0, 0, NULL },
	{ "proxy", "reverse", SETTING_BOOL, AT(proxy.reverse), "yes",
	  "Serve as an update source: /<vendor>/<path>.", 0, 0, NULL },
	{ "proxy", "allow", SETTING_NETS, AT(proxy.allow),
	  "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fe80::/10",
	  "Networks whose devices may use the explicit proxy.", 0, 0, NULL },
	{ "proxy", "connect_ports", SETTING_PORTS, AT(proxy.connect_ports), "443",
	  "Ports that CONNECT may reach.", 0, 0, NULL },
	{ "proxy", "sniff_wait", SETTING_DURATION, AT(proxy.sniff_wait), "300ms",
	  "A device that stays silent this long after connecting waits for the server: its connection is carried through as it is.", 10, 10000, NULL },
	{ "proxy", "head_timeout", SETTING_DURATION, AT(proxy.head_timeout), "10s",
	  "A request head must be complete within this time.", 100, 600000, NULL },
	{ "proxy", "idle_timeout", SETTING_DURATION, AT(proxy.idle_timeout), "60s",
	  "A connection on which nothing moves for this long is closed.", 100, MS_DAY, NULL },
	{ "proxy", "max_connections", SETTING_INT, AT(proxy.max_connections), "8192",
	  "Devices' connections open at once; over it new ones are closed, so that devices go elsewhere.", 1, 1000000, NULL },
	{ "proxy", "sendfile", SETTING_ENUM, AT(proxy.sendfile), "auto",
	  "Send what is stored without copying it: to intercepted devices behind hardware ports (auto), to all without TLS (yes), or never (no). Not for programs and containers on this very machine: they could read what has been written over since, so auto leaves them out.", 0, 0, proxy_sendfile },
	{ "proxy", "admin_socket", SETTING_PATH, AT(proxy.admin_socket), "/run/tarn/proxy.sock",
	  "Unix socket of the admin API.", 0, 0, NULL },

	{ "cache", "path", SETTING_PATH, AT(cache.path), "/var/cache/tarn",
	  "Directory of the store.", 0, 0, NULL },
	{ "cache", "size", SETTING_BYTES, AT(cache.size), "0",
	  "Largest size of the store's file; 0 takes the partition less 10 %. Seven eighths of it are for what is stored.", 0, 0, NULL },
	{ "cache", "object_max", SETTING_BYTES, AT(cache.object_max), "0",
	  "Larger objects are passed on and not stored; 0 sets no limit but the store's own.", 0, 0, NULL },
	{ "cache", "heuristic_max", SETTING_DURATION, AT(cache.heuristic_max), "1d",
	  "Longest freshness guessed from Last-Modified, where neither the vendor nor the profile states one (RFC 9111, 4.2.2).", 0, 365 * MS_DAY, NULL },
	{ "cache", "scrub_rate", SETTING_BYTES, AT(cache.scrub_rate), "2M",
	  "Once a week all that is stored is read again and compared with its checksums, so many bytes a second; 0: only when tarnctl cache verify asks.", 0, 0, NULL },

	{ "upstream", "connect_timeout", SETTING_DURATION, AT(upstream.connect_timeout), "4s",
	  "A connection to a vendor must come to be within this time; then the next address or mirror is tried.", 50, 120000, NULL },
	{ "upstream", "stagger", SETTING_DURATION, AT(upstream.stagger), "250ms",
	  "Wait before the next address is tried beside the first (RFC 8305, Connection Attempt Delay).", 10, 2000, NULL },
	{ "upstream", "first_byte_timeout", SETTING_DURATION, AT(upstream.first_byte_timeout), "8s",
	  "A response must begin within this time; then the next address or mirror is tried.", 50, 600000, NULL },
	{ "upstream", "idle_timeout", SETTING_DURATION, AT(upstream.idle_timeout), "20s",
	  "A response on which nothing moves for this long is taken up elsewhere; an idle kept-alive connection is closed.", 50, 600000, NULL },
	{ "upstream", "pool_max_idle", SETTING_INT, AT(upstream.pool_max_idle), "8",
	  "Idle kept-alive connections a host, in each worker.", 0, 1024, NULL },
	{ "upstream", "max_per_host", SETTING_INT, AT(upstream.max_per_host), "64",
	  "Connections a host, in each worker; further fetches wait.", 1, 65536, NULL },
	{ "upstream", "ca_file", SETTING_PATH, AT(upstream.ca_file), "/etc/ssl/certs/ca-certificates.crt",
	  "Whose word counts for the certificates of vendors, beside the ca_file of a profile: certificates (PEM), below /etc. A changed file is read at the next reload.", 0, 0, NULL },
	{ "upstream", "tls_min", SETTING_ENUM, AT(upstream.tls_min), "1.2",
	  "The oldest TLS that is spoken to vendors. Ciphers, groups, signatures and key sizes are those of the system's policy (/etc/ssl/openssl.cnf, system_default), and never below OpenSSL's security level 2.", 0, 0, tls_versions },

	{ "parent", "servers", SETTING_ORIGINS, AT(parent.servers), "",
	  "Caches between this box and the vendors, asked in this order: another Tarn, Squid, Traffic Server, Varnish, nginx, as http://HOST:PORT or https://HOST:PORT. One that fails is left alone for a while. Empty: none.", 0, 0, NULL },
	{ "parent", "mode", SETTING_ENUM, AT(parent.mode), "proxy",
	  "How they are asked: as a proxy (a vendor's https goes through by CONNECT, and is verified here), or in reverse, as if they were the vendor (a vendor's https only to those with https://).", 0, 0, parent_modes },
	{ "parent", "credentials", SETTING_STRING, AT(parent.credentials), "",
	  "USER:PASSWORD by which the servers know this box, if they want one (Basic: whoever is on the way can read it, but not to a server with https://). In reverse, a device's own comes first. In no log and no support archive.", 0, 0, NULL },
	{ "parent", "vendors", SETTING_STRINGS, AT(parent.vendors), "",
	  "The vendors, by their profiles' names, that are asked through them; empty: all.", 0, 0, NULL },
	{ "parent", "direct", SETTING_BOOL, AT(parent.direct), "yes",
	  "When none of them does, the vendor itself is asked.", 0, 0, NULL },
	{ "parent", "check", SETTING_DURATION, AT(parent.check), "10s",
	  "How often each of them is asked whether it is there.", 100, MS_DAY, NULL },

	{ "dns", "servers", SETTING_ADDRS, AT(dns.servers), "",
	  "Resolvers to use as the system's own; empty takes those of /etc/resolv.conf.", 53, 0, NULL },
	{ "dns", "public", SETTING_BOOL, AT(dns.public_resolvers), "yes",
	  "May the profile's public resolvers be asked when a vendor can't be reached through the system's? They learn which vendor this network uses.", 0, 0, NULL },
	{ "dns", "probe_interval", SETTING_DURATION, AT(dns.probe_interval), "30s",
	  "How often a vendor's reachability is checked.", 100, MS_DAY, NULL },
	{ "dns", "probe_fail", SETTING_INT, AT(dns.probe_fail), "3",
	  "Checks that must fail in a row before the public resolvers are used.", 1, 100, NULL },
	{ "dns", "probe_good", SETTING_INT, AT(dns.probe_good), "3",
	  "Checks that must succeed in a row before the system's resolvers are used again.", 1, 100, NULL },
	{ "dns", "timeout", SETTING_DURATION, AT(dns.timeout), "2s",
	  "A resolver must answer within this time; then the next one is asked.", 50, 60000, NULL },

	{ "scope", "intercept", SETTING_SCOPES, AT(scope.intercept), "",
	  "Whose connections to vendors are taken over: subnets, single devices by IP or MAC address, VLANs (vlan:20; vlan:0 is what has no tag). Empty: everybody's. The most precise entry of this and the next line decides: MAC address, then the longest subnet, then VLAN.", 0, 0, NULL },
	{ "scope", "straight", SETTING_SCOPES, AT(scope.straight), "",
	  "Who goes straight to the vendor, as if this box were not there. A device that asks the box itself, as a proxy or an update source, is passed on without the store.", 0, 0, NULL },
	{ "scope", "ahead", SETTING_SCOPES, AT(scope.ahead), "",
	  "For whom is fetched ahead: whose requests count as demand. Empty: everybody who is served.", 0, 0, NULL },
	{ "scope", "not_ahead", SETTING_SCOPES, AT(scope.not_ahead), "",
	  "For whom nothing is fetched ahead, although they are served: guests, for example.", 0, 0, NULL },

	{ "demand", "devices", SETTING_ENUM, AT(demand.devices), "on",
	  "Which device asked for what: known by its address (on), by a keyed hash of it, told apart but not named (hashed), or not at all (off). A change forgets what was known.", 0, 0, demand_devices },
	{ "demand", "names", SETTING_ENUM, AT(demand.names), "off",
	  "What devices are called, beside their addresses: nothing (off), the host name of their DHCP requests that pass the bridge (dhcp), what they say of themselves by Multicast DNS, listened to on the bridge or a gateway's lan ports (mdns), or what of that there is (both). Only while devices is on; off forgets the names.", 0, 0, demand_names },
	{ "demand", "window", SETTING_DURATION, AT(demand.window), "14d",
	  "What nobody has asked for in this time is forgotten, and not fetched ahead any more. Who has the newest of something and looks at an index asks for it.", 60000, 365 * MS_DAY, NULL },

	{ "sync", "enabled", SETTING_BOOL, AT(sync.enabled), "yes",
	  "Fetch ahead, for vendors whose profile says so: what devices have asked for within [demand] window, and what took its place.", 0, 0, NULL },
	{ "sync", "interval", SETTING_DURATION, AT(sync.interval), "1h",
	  "How often a vendor's indexes are looked at. A change that a device's request shows begins a run at once.", 1000, 30 * MS_DAY, NULL },
	{ "sync", "jitter", SETTING_DURATION, AT(sync.jitter), "5m",
	  "A run begins up to this much later, so that not all boxes come at once.", 0, MS_DAY, NULL },
	{ "sync", "times", SETTING_STRINGS, AT(sync.times), "",
	  "Times of day (HH:MM, local) at which runs begin, instead of the interval.", 0, 0, NULL },
	{ "sync", "quiet", SETTING_STRINGS, AT(sync.quiet), "",
	  "Times of day (HH:MM-HH:MM, local) in which no run begins by itself.", 0, 0, NULL },
	{ "sync", "rate", SETTING_BYTES, AT(sync.rate), "0",
	  "Most bytes a second that are fetched ahead; 0: no limit. What a device waits for is not slowed down.", 0, 0, NULL },
	{ "sync", "retry", SETTING_DURATION, AT(sync.retry), "1m",
	  "A run that failed is tried again after this, then after twice as long, up to an hour.", 100, 3600000, NULL },
	{ "sync", "publish_limit", SETTING_DURATION, AT(sync.publish_limit), "10m",
	  "A new index is held back until the objects that devices ask for are here, but not for longer than this.", 1000, MS_DAY, NULL },
	{ "sync", "finish_limit", SETTING_DURATION, AT(sync.finish_limit), "15m",
	  "A device that began an update before a new generation was published may finish it on the old one for this long.", 0, MS_DAY, NULL },
	{ "sync", "product_id", SETTING_STRING, AT(sync.product_id), "",
	  "What the box says of itself to the vendor when it fetches ahead, where the profile's [sync] names it; empty: nothing.", 0, 0, NULL },
	{ "sync", "product_version", SETTING_STRING, AT(sync.product_version), "", "The version of it that is said, in the same way.", 0, 0, NULL },
	{ "sync", "installation_id", SETTING_STRING, AT(sync.installation_id), "", "The installation that is said, in the same way.", 0, 0, NULL },
	{ "sync", "licence_id", SETTING_STRING, AT(sync.licence_id), "", "The licence that is said, in the same way.", 0, 0, NULL },

	{ "repository", "trust", SETTING_STRINGS, AT(repository.trust), "",
	  "Whose exports this box takes in, beside its own: the keys that tarnctl export --key shows on those boxes.", 0, 0, NULL },

	{ "share", "ftp", SETTING_BOOL, AT(share.ftp), "no",
	  "Of an appliance: an FTP server shows whole generations (current/<vendor>, previous/<vendor>), to be read by anybody of the networks of [proxy] allow. Elsewhere tarn-mount and a server do it.", 0, 0, NULL },
	{ "share", "smb", SETTING_BOOL, AT(share.smb), "no",
	  "The same by an SMB server, as the share named updates: for guests, by SMB 2 and 3.", 0, 0, NULL },

	{ "appliance", "ntp", SETTING_BOOL, AT(appliance.ntp), "yes",
	  "Of an appliance: ask time servers (NTP, Debian's pool). Off: its clock is the machine's, and never before the day its system was made or last ran.", 0, 0, NULL },

	{ "appliance", "management_vlan", SETTING_INT, AT(appliance.management_vlan), "0",
	  "Of an appliance: the VLAN in which the box itself is: its addresses, its way to vendors, its admin page. Other traffic, with a tag or without, is bridged and intercepted as ever. 0: it is where frames have no tag.", 0, 4094, NULL },
	{ "appliance", "mtu", SETTING_INT_OR_0, AT(appliance.mtu), "0",
	  "Of an appliance: the MTU of its Ethernet ports, for a network whose frames are not of the usual size. A port that refuses it keeps its own, and the console says so. 0: each port has its own.", 1280, 16000, NULL },

	{ "tls", "probe", SETTING_BOOL, AT(tls.probe), "yes",
	  "Where a profile says [tls] mode = intercept: try each device once, and carry those through that do not trust the box's certificate; no: only what `devices` lists.", 0, 0, NULL },
	{ "tls", "devices", SETTING_NETS, AT(tls.devices), "",
	  "Devices and networks that have the box's certificate. One that does not take it is carried through all the same.", 0, 0, NULL },
	{ "tls", "distrust", SETTING_DURATION, AT(tls.distrust), "30d",
	  "How long a device that does not trust us is left alone before it is tried again; twice as long the next time, at most a year.", MS_DAY, 365 * MS_DAY, NULL },

	{ "vendors", "dir", SETTING_PATH, AT(vendors.dir), "/etc/tarn/vendors",
	  "Directory of the vendor profiles, *.conf.", 0, 0, NULL },

	{ "steer", "mode", SETTING_ENUM, AT(steer.mode), "bridge",
	  "How traffic passes this machine: through a bridge of two ports, as a gateway (routed), or not at all.", 0, 0, steer_modes },
	{ "steer", "lan", SETTING_STRING, AT(steer.lan), "",
	  "Ports towards the devices, separated by spaces or commas; empty: every wired port but the one towards the router. A gateway must name them.", 0, 0, NULL },
	{ "steer", "wan", SETTING_STRING, AT(steer.wan), "",
	  "Port towards the router; empty: found out from the traffic. A gateway without one stands beside the devices' way: its vendor addresses come from tarn-proxy alone.", 0, 0, NULL },
	{ "steer", "bridge", SETTING_STRING, AT(steer.bridge), "br0",
	  "Name of the bridge.", 0, 0, NULL },
	{ "steer", "quic", SETTING_ENUM, AT(steer.quic), "pass",
	  "UDP 443 to a vendor's addresses: let it pass, or drop it so that devices fall back to TCP.", 0, 0, quic_modes },
	{ "steer", "allow_private_vendor", SETTING_BOOL, AT(steer.allow_private_vendor), "no",
	  "May a vendor's name resolve to a private address? Otherwise such an answer counts as hijacked.", 0, 0, NULL },
	{ "steer", "offline", SETTING_BOOL, AT(steer.offline), "no",
	  "For a site without internet: devices are intercepted also while no vendor can be reached, once something is stored (an import, say), and are served that; all else fails for them, as it does without the box. no: they go straight then.", 0, 0, NULL },

	{ "keeper", "socket", SETTING_PATH, AT(keeper.socket), "/run/tarn/keeper.sock",
	  "Unix socket on which tarnd tells its state.", 0, 0, NULL },
	{ "keeper", "user", SETTING_STRING, AT(keeper.user), "tarn",
	  "User that tarn-proxy runs as; never root.", 0, 0, NULL },
	{ "keeper", "proxy", SETTING_PATH, AT(keeper.proxy), "/usr/bin/tarn-proxy",
	  "The program that tarnd starts.", 0, 0, NULL },
	{ "keeper", "state", SETTING_PATH, AT(keeper.state), "/var/lib/tarn",
	  "Directory of what tarnd keeps for itself: the certificate authority.", 0, 0, NULL },
	{ "keeper", "hang_limit", SETTING_DURATION, AT(keeper.hang_limit), "2s",
	  "A tarn-proxy whose loops stand still for this long is killed and started again. New connections pass it by long before.", 200, 600000, NULL },
	{ "keeper", "vendor_max", SETTING_INT, AT(keeper.vendor_max), "4096",
	  "Vendor addresses taken from tarn-proxy at once; more are refused. Those from DNS answers that pass come on top, up to 8192 in all.", 16, 8192, NULL },
	{ "keeper", "selftest", SETTING_DURATION, AT(keeper.selftest), "60s",
	  "How often tarnd makes a connection as a device would and sees whether it comes through to tarn-proxy and back; nothing of it leaves the box. 0: only when it starts, and when asked (`tarnctl selftest`).", 0, 86400000, NULL },

	{ "admin", "listen", SETTING_ADDRS, AT(admin.listen), "",
	  "Where the admin page is served by HTTPS. Empty: nowhere. Name addresses of the devices' side; one that is not there yet is waited for.", 8443, 0, NULL },
	{ "admin", "from", SETTING_ENUM, AT(admin.from), "lan",
	  "From where the admin page may be reached: not by the port towards the router (lan), or by any port (any). lan needs tarnd, and a port that is known to lead to the router; who comes in from another network through the router, an admin in another office for one, needs any.", 0, 0, admin_from },
	{ "admin", "allow", SETTING_NETS, AT(admin.allow),
	  "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fe80::/10",
	  "Networks from which the admin page may be used.", 0, 0, NULL },
	{ "admin", "names", SETTING_STRINGS, AT(admin.names), "tarn tarn.local tarn.internal",
	  "Names by which the admin page may be called, beside any address. Others are refused: a foreign page could have its name resolve to this box.", 0, 0, NULL },
	{ "admin", "confirm", SETTING_DURATION, AT(admin.confirm), "60s",
	  "Settings that were changed by the page or the API are taken back by themselves after this, unless they are confirmed: a change that cuts off the admin heals.", 2000, 3600000, NULL },

	{ "update", "channel", SETTING_STRING, AT(update.channel), "",
	  "Of an appliance: a file on a web server (https://) that says which version a fleet is to run. Empty: nobody is asked, and updates come by hand (`tarnctl update`).", 0, 0, NULL },
	{ "update", "interval", SETTING_DURATION, AT(update.interval), "6h",
	  "How often it is looked at.", 60000, 7 * MS_DAY, NULL },
	{ "update", "restart", SETTING_STRING, AT(update.restart), "03:00",
	  "When the appliance starts what the channel brought: a time of day (HH:MM, UTC), now, or no.", 0, 0, NULL },

	{ "log", "level", SETTING_ENUM, AT(log.level), "info",
	  "What is written to the log: this level and those before it.", 0, 0, log_levels },
	{ "log", "access", SETTING_BOOL, AT(log.access), "no",
	  "A log line for each request: device, vendor, host, path, status, bytes, times, and what the cache did.", 0, 0, NULL },
	{ "log", "format", SETTING_ENUM, AT(log.format), "text",
	  "A line is key=value pairs (text), or the same as one JSON object (json).", 0, 0, log_formats },
	{ "log", "to", SETTING_ENUM, AT(log.to), "stderr",
	  "Where the log goes: stderr, which systemd puts into its journal, or syslog's /dev/log. What syslog does not take goes to stderr.", 0, 0, log_tos },
};
/* clang-format on */

const struct settings_table tarn_conf_table = {
	.rows = rows,
	.n = ARRAY_LEN(rows),
	.size = sizeof(struct tarn_settings),
};

static bool is_one_of(const struct setting *row, const char *const names[][2], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(row->section, names[i][0]) == 0 && strcmp(row->key, names[i][1]) == 0)
			return true;
	return false;
}

bool tarn_conf_private(const struct setting *row)
{
	static const char *const names[][2] = {
		{ "sync", "installation_id" },
		{ "sync", "licence_id" },
		{ "parent", "credentials" },
	};

	return is_one_of(row, names, ARRAY_LEN(names));
}

bool tarn_conf_hears_dhcp(const struct tarn_settings *settings)
{
	return settings->demand.names == TARN_NAMES_DHCP ||
	       settings->demand.names == TARN_NAMES_BOTH;
}

bool tarn_conf_hears_mdns(const struct tarn_settings *settings)
{
	return settings->demand.names == TARN_NAMES_MDNS ||
	       settings->demand.names == TARN_NAMES_BOTH;
}

/* What is opened, mapped or taken apart once: a running box would lose traffic or its store over it. */
bool tarn_conf_at_start(const struct setting *row)
{
	static const char *const names[][2] = {
		{ "proxy", "workers" },	   { "proxy", "listen" },      { "proxy", "admin_socket" },
		{ "cache", "path" },	   { "cache", "size" },	       { "cache", "scrub_rate" },
		{ "steer", "mode" },	   { "steer", "lan" },	       { "steer", "wan" },
		{ "steer", "bridge" },	   { "keeper", "socket" },     { "keeper", "user" },
		{ "keeper", "proxy" },	   { "keeper", "state" },      { "admin", "listen" },
		{ "admin", "names" },	   { "keeper", "hang_limit" }, { "keeper", "vendor_max" },
		{ "proxy", "listen_tls" }, { "keeper", "selftest" },
	};

	return is_one_of(row, names, ARRAY_LEN(names));
}

bool tarn_conf_at_proxy_start(const struct setting *row)
{
	static const char *const names[][2] = {
		{ "proxy", "listen" }, { "proxy", "listen_tls" }, { "cache", "size" },
		{ "admin", "listen" }, { "admin", "names" },
	};

	return is_one_of(row, names, ARRAY_LEN(names));
}

bool tarn_conf_file_only(const struct setting *row)
{
	return row->type == SETTING_PATH || strcmp(row->section, "keeper") == 0;
}

int tarn_conf_load(const char *path, struct tarn_settings *ret_settings,
		   struct settings_error *error)
{
	return settings_load(path ? path : TARN_CONF_PATH, path == NULL, &tarn_conf_table,
			     ret_settings, error);
}

void tarn_conf_free(struct tarn_settings *settings)
{
	settings_free(&tarn_conf_table, settings);
}
