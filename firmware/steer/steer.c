/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF side as one thing. Three objects share maps: steer (lan_in, ic_out, lookup) owns them, names (wan_in)
 * and scout borrow. Nothing is pinned: tc filters and the sk_lookup link hold programs, programs hold maps.
 *
 * The keeper is the only writer of map `config`. Closing detaches all; being killed detaches only the
 * sk_lookup link, of which the data plane holds a descriptor until it has drained.
 */
#include "firmware/steer/steer.h"

#include <bpf/bpf.h>
#include <net/if.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "build/bpf/doom.skel.h"
#include "build/bpf/names.skel.h"
#include "build/bpf/scout.skel.h"
#include "build/bpf/steer.skel.h"
#include "firmware/base/log.h"
#include "firmware/base/span.h"
#include "firmware/steer/heirloom.h"
#include "firmware/steer/hook.h"
#include "firmware/steer/listener.h"
#include "firmware/steer/name.h"
#include "firmware/steer/scope.h"
#include "firmware/steer/vendors.h"

struct steer {
	struct steer_options options;
	struct steer_bpf *main;
	struct names_bpf *names;
	struct scout_bpf *scout;
	struct doom_bpf *doom; /* NULL: this kernel has no tracing */
	struct bpf_link *lookup;
	struct ring_buffer *ring;
	steer_seen_f *seen;
	void *seen_arg;
	int netns;
	volatile uint64_t *beats; /* TARN_WORKERS_MAX, shared with the data plane and BPF */
	struct tarn_config config;
	unsigned vendors; /* at the last sweep, and added since */
	struct hook hooks[TARN_PORTS_MAX + 1];
	unsigned n_hooks;
	struct tarn_name_key *wanted; /* between steer_names_begin and _end, values beside them */
	__u32 *wanted_value;
	size_t n_wanted;
};

__attribute__((format(printf, 3, 4))) static int refuse(char why[STEER_WHY_MAX], int rc,
							const char *format, ...)
{
	size_t n;
	va_list args;

	va_start(args, format);
	vsnprintf(why, STEER_WHY_MAX, format, args);
	va_end(args);
	n = strlen(why);
	snprintf(why + n, STEER_WHY_MAX - n, ": %s", strerror(-rc));
	return rc;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	/* "Exclusivity flag on" is what the kernel says when the clsact qdisc is there already. */
	(void)level, (void)format, (void)args;
	return 0;
}

static int config_write(struct steer *s)
{
	__u32 zero = 0;

	return bpf_map_update_elem(bpf_map__fd(s->main->maps.config), &zero, &s->config, BPF_ANY);
}

static int main_try(struct steer *s, const int *ports, unsigned n_ports, bool hostnames)
{
	struct bpf_map *heirlooms[5];
	unsigned id;

	s->main = steer_bpf__open();
	if (!s->main)
		return -errno;
	s->main->rodata->icpt_ifindex = s->options.icpt_ifindex;
	memcpy((void *)s->main->rodata->icpt_mac, s->options.icpt_mac, 6);
	s->main->rodata->steer_mark = s->options.mark;
	s->main->rodata->hostnames_able = hostnames;
	heirlooms[0] = s->main->maps.flows;
	heirlooms[1] = s->main->maps.bypass;
	heirlooms[2] = s->main->maps.vendors;
	heirlooms[3] = s->main->maps.queries;
	heirlooms[4] = s->main->maps.stats;
	/* ic_out leads to flows and stats, lan_in to all, wan_in to vendors. */
	if (!hook_program(s->options.icpt_ifindex, true, &id))
		(void)heirloom_take(id, heirlooms, 5);
	for (unsigned i = 0; i < n_ports; i++)
		if (!hook_program(ports[i], false, &id))
			(void)heirloom_take(id, heirlooms, 5);
	return steer_bpf__load(s->main);
}

/* Wanted, and the kernel does not let us. */
static void hostnames_say(const struct steer *s, bool wanted)
{
	if (wanted && !s->main->rodata->hostnames_able)
		LOG(LOG_L_WARN, "steer.no_hostnames", "note=%s",
		    "\"this kernel's verifier refuses the part that reads them: [demand] names has "
		    "no effect\"");
}

/* A kernel whose verifier does not take the part that reads host names is served without it. */
static int main_load(struct steer *s, const int *ports, unsigned n_ports)
{
	int rc = main_try(s, ports, n_ports, true);

	if (!rc || !s->main)
		return rc;
	steer_bpf__destroy(s->main);
	s->main = NULL;
	rc = main_try(s, ports, n_ports, false);
	if (!rc)
		hostnames_say(s, s->options.hostnames);
	return rc;
}

static int borrow(struct bpf_map *to, const struct bpf_map *from)
{
	return bpf_map__reuse_fd(to, bpf_map__fd(from));
}

/* The maps of bpf/maps.h, for another object. */
#define BORROW(rc, to, from)                                                                       \
	do {                                                                                       \
		rc = borrow((to)->maps.stats, (from)->maps.stats);                                 \
		rc = rc ? rc : borrow((to)->maps.config, (from)->maps.config);                     \
		rc = rc ? rc : borrow((to)->maps.vendors, (from)->maps.vendors);                   \
		rc = rc ? rc : borrow((to)->maps.queries, (from)->maps.queries);                   \
		rc = rc ? rc : borrow((to)->maps.doom, (from)->maps.doom);                         \
		rc = rc ? rc : borrow((to)->maps.front_door, (from)->maps.front_door);             \
	} while (0)

static int others_load(struct steer *s)
{
	int rc;

	s->names = names_bpf__open();
	s->scout = scout_bpf__open();
	if (!s->names || !s->scout)
		return -errno;
	BORROW(rc, s->names, s->main);
	if (!rc)
		BORROW(rc, s->scout, s->main);
	if (rc)
		return rc;
	rc = names_bpf__load(s->names);
	return rc ? rc : scout_bpf__load(s->scout);
}

/* Not all kernels trace; all can do without. */
static void doom_load(struct steer *s)
{
	int rc = -ENOMEM;

	s->doom = doom_bpf__open();
	if (s->doom)
		BORROW(rc, s->doom, s->main);
	if (!rc)
		rc = doom_bpf__load(s->doom);
	if (!rc)
		rc = doom_bpf__attach(s->doom);
	if (rc) {
		doom_bpf__destroy(s->doom);
		s->doom = NULL;
	}
}

static int ring_event(void *arg, void *data, size_t size)
{
	struct steer *s = arg;

	if (size >= sizeof(struct tarn_seen) && s->seen)
		s->seen(data, s->seen_arg);
	return 0;
}

static int beats_map(struct steer *s)
{
	void *at = mmap(NULL, TARN_WORKERS_MAX * sizeof(uint64_t), PROT_READ | PROT_WRITE,
			MAP_SHARED, bpf_map__fd(s->main->maps.beats), 0);

	if (at == MAP_FAILED)
		return -errno;
	s->beats = at;
	return 0;
}

static int lookup_attach(struct steer *s)
{
	s->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (s->netns < 0)
		return -errno;
	s->lookup = bpf_program__attach_netns(s->main->progs.lookup, s->netns);
	return s->lookup ? 0 : -errno;
}

static int hook_add(struct steer *s, int ifindex, bool egress, int prog_fd)
{
	struct hook hook;
	unsigned i;
	int rc = hook_attach(ifindex, egress, prog_fd, &hook);

	if (rc)
		return rc;
	for (i = 0; i < s->n_hooks; i++)
		if (s->hooks[i].ifindex == ifindex && s->hooks[i].egress == egress)
			break;
	if (i == s->n_hooks) {
		if (s->n_hooks == TARN_PORTS_MAX + 1) {
			hook_detach(&hook);
			return -E2BIG;
		}
		s->n_hooks++;
	} else {
		hook.qdisc_ours |= s->hooks[i].qdisc_ours;
	}
	s->hooks[i] = hook;
	return 0;
}

int steer_icpt(struct steer *s)
{
	return hook_add(s, s->options.icpt_ifindex, true, bpf_program__fd(s->main->progs.ic_out));
}

int steer_check(const struct steer *s, char why[STEER_WHY_MAX])
{
	char rival[HOOK_RIVAL], name[IF_NAMESIZE];

	for (unsigned i = 0; i < s->n_hooks; i++) {
		const struct hook *hook = &s->hooks[i];
		int rc = hook_check(hook, rival);

		if (!if_indextoname((unsigned)hook->ifindex, name))
			snprintf(name, sizeof(name), "a port");
		if (rc == -ENOENT)
			snprintf(why, STEER_WHY_MAX, "%s: our program is gone", name);
		else if (rc)
			snprintf(why, STEER_WHY_MAX, "%s: %s stands before ours", name, rival);
		if (rc)
			return rc;
	}
	return 0;
}

static int open_steps(struct steer *s, const int *ports, unsigned n_ports, char why[STEER_WHY_MAX])
{
	int rc = main_load(s, ports, n_ports);

	if (rc)
		return refuse(why, rc, "loading the steering programs");
	rc = others_load(s);
	if (rc)
		return refuse(why, rc, "loading the DNS programs");
	doom_load(s);
	rc = beats_map(s);
	if (rc)
		return refuse(why, rc, "mapping the heartbeats");
	rc = config_write(s);
	if (rc)
		return refuse(why, rc, "writing the configuration map");
	s->ring = ring_buffer__new(bpf_map__fd(s->names->maps.seen), ring_event, s, NULL);
	if (!s->ring)
		return refuse(why, -errno, "opening the ring buffer");
	rc = lookup_attach(s);
	if (rc)
		return refuse(why, rc, "attaching sk_lookup");
	rc = steer_icpt(s);
	if (rc)
		return refuse(why, rc, "attaching to the intercept device");
	return 0;
}

int steer_open(const struct steer_options *options, const int *ports, unsigned n_ports,
	       steer_seen_f *seen, void *arg, struct steer **ret_steer, char why[STEER_WHY_MAX])
{
	struct steer *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return refuse(why, -ENOMEM, "steering");
	libbpf_set_print(quiet);
	s->options = *options;
	s->seen = seen;
	s->seen_arg = arg;
	s->netns = -1;
	s->config = (struct tarn_config){
		.flags = (options->quic_drop ? TARN_CFG_QUIC_DROP : 0) |
			 (options->dns_any ? TARN_CFG_DNS_ANY : 0) |
			 (options->private_ok ? TARN_CFG_PRIVATE_OK : 0) |
			 (options->hostnames ? TARN_CFG_HOSTNAMES : 0),
		.stale_ms = options->stale_ms,
		.ttl_min = STEER_VENDOR_TTL_MIN,
		.ttl_max = STEER_VENDOR_TTL_MAX,
	};
	rc = open_steps(s, ports, n_ports, why);
	if (rc) {
		steer_close(&s);
		return rc;
	}
	*ret_steer = s;
	return 0;
}

void steer_close(struct steer **steer)
{
	struct steer *s = *steer;

	if (!s)
		return;
	while (s->n_hooks > 0)
		hook_detach(&s->hooks[--s->n_hooks]);
	bpf_link__destroy(s->lookup);
	ring_buffer__free(s->ring);
	if (s->beats)
		munmap((void *)s->beats, TARN_WORKERS_MAX * sizeof(uint64_t));
	doom_bpf__destroy(s->doom);
	scout_bpf__destroy(s->scout);
	names_bpf__destroy(s->names);
	steer_bpf__destroy(s->main);
	if (s->netns >= 0)
		close(s->netns);
	free(s->wanted);
	free(s->wanted_value);
	free(s);
	*steer = NULL;
}

int steer_port(struct steer *s, int ifindex, enum steer_role role)
{
	const struct bpf_program *program = role == STEER_LAN	? s->main->progs.lan_in
					    : role == STEER_WAN ? s->names->progs.wan_in
								: s->scout->progs.scout_in;

	return hook_add(s, ifindex, false, bpf_program__fd(program));
}

int steer_listeners(struct steer *s, unsigned workers, int ret_fds[])
{
	int map = bpf_map__fd(s->main->maps.listeners), rc = 0;
	unsigned n;

	if (!workers || workers > TARN_WORKERS_MAX)
		return -EINVAL;
	steer_listeners_gone(s);
	for (n = 0; n < workers; n++) {
		__u64 value;

		ret_fds[n] = listener_open(s->options.mark);
		if (ret_fds[n] < 0) {
			rc = ret_fds[n];
			break;
		}
		value = (__u64)ret_fds[n];
		rc = bpf_map_update_elem(map, &n, &value, BPF_ANY);
		if (rc) {
			close(ret_fds[n]);
			break;
		}
	}
	if (!rc) {
		s->config.workers = workers;
		rc = config_write(s);
	}
	while (rc && n > 0)
		close(ret_fds[--n]);
	return rc;
}

void steer_listeners_gone(struct steer *s)
{
	int map = bpf_map__fd(s->main->maps.listeners);

	steer_arm(s, false);
	s->config.workers = 0;
	(void)config_write(s);
	for (__u32 i = 0; i < TARN_WORKERS_MAX; i++)
		(void)bpf_map_delete_elem(map, &i);
}

/* Writing to our own array map can't fail. */
void steer_arm(struct steer *s, bool armed)
{
	s->config.armed = armed;
	(void)config_write(s);
}

bool steer_armed(const struct steer *s)
{
	return s->config.armed;
}

void steer_quic(struct steer *s, bool drop)
{
	s->config.flags &= ~TARN_CFG_QUIC_DROP;
	s->config.flags |= drop ? TARN_CFG_QUIC_DROP : 0;
	(void)config_write(s);
}

int steer_front(struct steer *s, const struct tarn_front *front)
{
	__u32 zero = 0;

	return bpf_map_update_elem(bpf_map__fd(s->main->maps.front_door), &zero, front, BPF_ANY);
}

int steer_beats_fd(const struct steer *s)
{
	return bpf_map__fd(s->main->maps.beats);
}

int steer_lookup_fd(const struct steer *s)
{
	return bpf_link__fd(s->lookup);
}

uint64_t steer_beat(const struct steer *s, unsigned worker)
{
	return worker < TARN_WORKERS_MAX ? s->beats[worker] : 0;
}

void steer_beats_clear(struct steer *s)
{
	for (unsigned i = 0; i < TARN_WORKERS_MAX; i++)
		s->beats[i] = 0;
}

int steer_doom_watch(struct steer *s, pid_t pid)
{
	__u32 value = 1;
	int fd, rc;

	if (!s->doom)
		return -EOPNOTSUPP;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -errno;
	rc = bpf_map_update_elem(bpf_map__fd(s->doom->maps.ours), &fd, &value, BPF_ANY);
	close(fd);
	return rc;
}

bool steer_doomed(const struct steer *s)
{
	__u32 zero = 0, flag = 0;

	(void)bpf_map_lookup_elem(bpf_map__fd(s->main->maps.doom), &zero, &flag);
	return flag;
}

void steer_doom_clear(struct steer *s)
{
	__u32 zero = 0, flag = 0;

	(void)bpf_map_update_elem(bpf_map__fd(s->main->maps.doom), &zero, &flag, BPF_ANY);
}

int steer_vendor_set(struct steer *s, const uint8_t addr[16], uint32_t ttl, uint64_t now_ns)
{
	int map = bpf_map__fd(s->main->maps.vendors);
	struct tarn_vendor old;
	bool known;

	if (!vendor_allowed(addr, s->options.private_ok))
		return -EINVAL;
	if (!ttl) {
		vendors_drop(map, addr);
		return 0;
	}
	known = !bpf_map_lookup_elem(map, addr, &old);
	if (!known && s->vendors >= s->options.vendor_max)
		return -ENOSPC;
	s->vendors += !known;
	return vendors_add(map, addr, ttl < STEER_VENDOR_TTL_MIN ? STEER_VENDOR_TTL_MIN : ttl,
			   now_ns);
}

unsigned steer_vendors_sweep(struct steer *s, uint64_t now_ns)
{
	s->vendors = vendors_sweep(bpf_map__fd(s->main->maps.vendors), now_ns);
	return s->vendors;
}

unsigned steer_vendors(const struct steer *s)
{
	return s->vendors;
}

void steer_names_begin(struct steer *s)
{
	s->n_wanted = 0;
}

int steer_name_add(struct steer *s, const char *name, size_t len, bool suffix, bool never)
{
	if (!s->wanted) {
		s->wanted = calloc(TARN_NAMES_MAX, sizeof(*s->wanted));
		s->wanted_value = calloc(TARN_NAMES_MAX, sizeof(*s->wanted_value));
	}
	if (!s->wanted || !s->wanted_value)
		return -ENOMEM;
	if (s->n_wanted == TARN_NAMES_MAX)
		return -ENOSPC;
	s->wanted_value[s->n_wanted] = never ? TARN_NAME_NEVER : TARN_NAME_VENDOR;
	return name_key(name, len, suffix, &s->wanted[s->n_wanted]) ? -EINVAL : (s->n_wanted++, 0);
}

static bool name_wanted(const struct steer *s, const struct tarn_name_key *key)
{
	for (size_t i = 0; i < s->n_wanted; i++)
		if (s->wanted[i].bits == key->bits &&
		    !memcmp(s->wanted[i].text, key->text, key->bits / 8))
			return true;
	return false;
}

/* New names go in before old ones go out. The walk begins anew after each deletion: the trie is small and
 * this is a reload. */
int steer_names_end(struct steer *s)
{
	int map = bpf_map__fd(s->names->maps.names), rc = 0;
	struct tarn_name_key at, next;
	bool first = true;

	for (size_t i = 0; i < s->n_wanted && !rc; i++)
		rc = bpf_map_update_elem(map, &s->wanted[i], &s->wanted_value[i], BPF_ANY);
	while (!rc && !bpf_map_get_next_key(map, first ? NULL : &at, &next)) {
		first = !name_wanted(s, &next);
		if (first)
			rc = bpf_map_delete_elem(map, &next);
		at = next;
	}
	return rc;
}

/* Entries first: between the two writes a device is judged by the old flags, which is one of the two honest answers. */
int steer_scope(struct steer *s, const struct scope_list *take, const struct scope_list *straight)
{
	struct scope_maps maps = { bpf_map__fd(s->main->maps.scope_nets),
				   bpf_map__fd(s->main->maps.scope_links) };
	int rc = scope_maps_fill(&maps, take, straight);

	if (rc) {
		const struct scope_list none = { 0 };

		(void)!scope_maps_fill(&maps, &none, &none);
	}
	s->config.flags &= ~(TARN_CFG_SCOPE | TARN_CFG_LISTED);
	if (rc || take->n || straight->n)
		s->config.flags |= TARN_CFG_SCOPE;
	if (rc || take->n)
		s->config.flags |= TARN_CFG_LISTED;
	return config_write(s) ? -EIO : rc;
}

bool steer_station(const struct steer *s, const uint8_t addr[16], struct tarn_station *ret_station)
{
	struct tarn_addr key;

	memcpy(key.b, addr, sizeof(key.b));
	return !bpf_map_lookup_elem(bpf_map__fd(s->main->maps.stations), &key, ret_station);
}

void steer_hostnames(struct steer *s, bool note)
{
	int map = bpf_map__fd(s->main->maps.hostnames);
	struct tarn_mac mac;

	s->config.flags &= ~TARN_CFG_HOSTNAMES;
	s->config.flags |= note ? TARN_CFG_HOSTNAMES : 0;
	hostnames_say(s, note);
	(void)config_write(s);
	for (unsigned i = 0; !note && i < TARN_HOSTNAMES_MAX; i++)
		if (bpf_map_get_next_key(map, NULL, &mac) || bpf_map_delete_elem(map, &mac))
			break;
}

bool steer_hostname(const struct steer *s, const uint8_t mac[6], struct tarn_hostname *ret_name)
{
	struct tarn_mac key = { 0 };

	memcpy(key.b, mac, sizeof(key.b));
	return !bpf_map_lookup_elem(bpf_map__fd(s->main->maps.hostnames), &key, ret_name);
}

int steer_seen_fd(const struct steer *s)
{
	return ring_buffer__epoll_fd(s->ring);
}

void steer_seen(struct steer *s)
{
	(void)ring_buffer__consume(s->ring);
}

uint64_t steer_heard(const struct steer *s, int ifindex)
{
	struct tarn_heard heard;
	__u32 key = (__u32)ifindex;

	if (bpf_map_lookup_elem(bpf_map__fd(s->scout->maps.heard), &key, &heard))
		return 0;
	return heard.dhcp_reply + heard.router_advert + heard.dns_reply;
}

void steer_maps(const struct steer *s, struct steer_maps *ret_maps)
{
	ret_maps->flows = bpf_map__fd(s->main->maps.flows);
	ret_maps->bypass = bpf_map__fd(s->main->maps.bypass);
	ret_maps->vendors = bpf_map__fd(s->main->maps.vendors);
}

void steer_stats(const struct steer *s, uint64_t ret_stats[TARN_STAT_COUNT])
{
	int map = bpf_map__fd(s->main->maps.stats), cpus = libbpf_num_possible_cpus();
	uint64_t *each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;

	for (__u32 i = 0; i < TARN_STAT_COUNT; i++) {
		ret_stats[i] = 0;
		if (!each || bpf_map_lookup_elem(map, &i, each))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			ret_stats[i] += each[cpu];
	}
	free(each);
}

void steer_each_map(const struct steer *s, steer_map_f *f, void *arg)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, s->main->obj)
	{
		f(bpf_map__name(map), bpf_map__fd(map), arg);
	}
	f("names", bpf_map__fd(s->names->maps.names), arg);
}

const char *steer_stat_name(enum tarn_stat stat, char buf[STEER_NAME_MAX])
{
	static const char *const names[] = {
#define X(name, text) #name,
		TARN_STATS(X)
#undef X
	};
	size_t n = 0;

	for (; n + 1 < STEER_NAME_MAX && names[stat][n]; n++)
		buf[n] = span_lower(names[stat][n]);
	buf[n] = '\0';
	return buf;
}

const char *steer_stat_text(enum tarn_stat stat)
{
	static const char *const texts[] = {
#define X(name, text) text,
		TARN_STATS(X)
#undef X
	};

	return texts[stat];
}
