/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /etc/tarn/tarn.conf: the one configuration, read by all three programs. What each setting means
 * stands in the table (tarn_conf.c) and is printed by `tarnctl config help`. An empty or absent
 * file is a working box.
 */
#ifndef FIRMWARE_BASE_TARN_CONF_H
#define FIRMWARE_BASE_TARN_CONF_H

#include "firmware/base/settings.h"

#define TARN_CONF_PATH "/etc/tarn/tarn.conf"

enum tarn_steer_mode {
	TARN_STEER_OFF,
	TARN_STEER_BRIDGE,
	TARN_STEER_GATEWAY
};
enum tarn_tls {
	TARN_TLS_1_2,
	TARN_TLS_1_3
};
enum tarn_parent_mode {
	TARN_PARENT_PROXY,
	TARN_PARENT_REVERSE
};
enum tarn_sendfile {
	TARN_SENDFILE_AUTO,
	TARN_SENDFILE_YES,
	TARN_SENDFILE_NO
};
enum tarn_names {
	TARN_NAMES_OFF,
	TARN_NAMES_DHCP,
	TARN_NAMES_MDNS,
	TARN_NAMES_BOTH
};
enum tarn_admin_from {
	TARN_ADMIN_LAN,
	TARN_ADMIN_ANY
};
enum tarn_quic {
	TARN_QUIC_PASS,
	TARN_QUIC_DROP
};

/* All sizes in bytes, all times in milliseconds. */
struct tarn_settings {
	struct {
		int64_t workers; /* 0: one a core */
		struct addr_list listen;
		struct addr_list listen_tls;
		bool explicit_proxy;
		bool reverse;
		struct net_list allow;
		struct port_list connect_ports;
		int64_t sniff_wait;
		int64_t head_timeout;
		int64_t idle_timeout;
		int64_t max_connections;
		int sendfile; /* enum tarn_sendfile */
		char *admin_socket;
	} proxy;
	struct {
		char *path;
		int64_t size;	    /* 0: the partition less 10 % */
		int64_t object_max; /* 0: no limit but the cache's */
		int64_t heuristic_max;
		int64_t scrub_rate; /* bytes a second; 0: never by itself */
	} cache;
	struct {
		int64_t connect_timeout;
		int64_t stagger;
		int64_t first_byte_timeout;
		int64_t idle_timeout;
		int64_t pool_max_idle;
		int64_t max_per_host;
		char *ca_file;
		int tls_min; /* enum tarn_tls */
	} upstream;
	struct {
		struct string_list servers; /* origin.h; empty: none */
		int mode;		    /* enum tarn_parent_mode */
		char *credentials;	    /* "user:password"; empty: none */
		struct string_list vendors; /* profiles' names; empty: all */
		bool direct;
		int64_t check;
	} parent;
	struct {
		struct addr_list servers; /* empty: the system's (resolv.conf) */
		bool public_resolvers;
		int64_t probe_interval;
		int64_t probe_fail;
		int64_t probe_good;
		int64_t timeout;
	} dns;
	struct {
		struct scope_list intercept; /* empty: everybody */
		struct scope_list straight;
		struct scope_list ahead; /* empty: everybody */
		struct scope_list not_ahead;
	} scope;
	struct {
		int devices; /* enum demand_devices (cache/demand.h) */
		int names;   /* enum tarn_names */
		int64_t window;
	} demand;
	struct {
		bool enabled;
		int64_t interval;
		int64_t jitter;
		struct string_list times; /* "HH:MM"; empty: by the interval */
		struct string_list quiet; /* "HH:MM-HH:MM" */
		int64_t rate;		  /* bytes a second; 0: no limit */
		int64_t retry;
		int64_t publish_limit;
		int64_t finish_limit;
		char *product_id, *product_version, *installation_id, *licence_id;
	} sync;
	struct {
		bool ftp, smb;
	} share;
	struct {
		bool ntp;
		int64_t management_vlan; /* 0: none */
		int64_t mtu;		 /* 0: each port's own */
	} appliance;
	struct {
		struct string_list trust; /* keys, as tarnctl export --key shows them */
	} repository;
	struct {
		bool probe;
		struct net_list devices;
		int64_t distrust;
	} tls;
	struct {
		char *dir;
	} vendors;
	struct {
		int mode;  /* enum tarn_steer_mode */
		char *lan; /* "": all other ports */
		char *wan; /* "": found out by itself */
		char *bridge;
		int quic; /* enum tarn_quic */
		bool allow_private_vendor;
		bool offline;
	} steer;
	struct {
		char *socket;
		char *user;
		char *proxy; /* the program that tarnd starts */
		char *state;
		int64_t hang_limit;
		int64_t vendor_max;
		int64_t selftest; /* ms between two; 0: only at the start, and when asked */
	} keeper;
	struct {
		struct addr_list listen;
		int from; /* enum tarn_admin_from */
		struct net_list allow;
		struct string_list names;
		int64_t confirm;
	} admin;
	struct {
		char *channel; /* "": none */
		int64_t interval;
		char *restart; /* as firmware/boot/restart.h takes it */
	} update;
	struct {
		int level; /* enum log_level */
		bool access;
		int format; /* enum log_format */
		int to;	    /* enum log_to */
	} log;
};

extern const struct settings_table tarn_conf_table;

/* Does its value identify an installation? Then no log, event or support archive shows it. */
bool tarn_conf_private(const struct setting *row);

/* Are devices' names taken from DHCP, from Multicast DNS ([demand] names)? */
bool tarn_conf_hears_dhcp(const struct tarn_settings *settings);
bool tarn_conf_hears_mdns(const struct tarn_settings *settings);

/* Is this setting taken over at the programs' next start only, not by a reload? */
bool tarn_conf_at_start(const struct setting *row);
/* Of those: is a start of tarn-proxy alone enough? */
bool tarn_conf_at_proxy_start(const struct setting *row);

/*
 * Is it set in the file alone? What names a path, a program or a user is no matter of the admin API: who took over the
 * unprivileged half must not lead the privileged one by it.
 */
bool tarn_conf_file_only(const struct setting *row);

/* As settings_load; `path` NULL is TARN_CONF_PATH, which need not exist. An explicit path must. */
MUST_USE int tarn_conf_load(const char *path, struct tarn_settings *ret_settings,
			    struct settings_error *error);
void tarn_conf_free(struct tarn_settings *settings);

#endif
