/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/check.h"
#include "firmware/base/log.h"
#include "firmware/base/span.h"
#include "firmware/boot/run.h"

#define ID_PATH	      "/state/id"
#define ID_BYTES      16
#define SSH_KEY	      "/state/ssh/hostkey"
#define VENDORS	      "/run/tarn/vendors"
#define VENDORS_BUILT "/usr/share/tarn/vendors"
#define VENDORS_OWN   "/state/vendors"
#define CONF	      "/state/etc/tarn.conf"
#define CONF_FIRST    "/usr/share/tarn/first.conf"

static const struct {
	const char *path, *value;
} settings[] = {
	{ "/proc/sys/kernel/kptr_restrict", "2" },
	{ "/proc/sys/kernel/dmesg_restrict", "1" },
	{ "/proc/sys/kernel/unprivileged_bpf_disabled", "1" },
	{ "/proc/sys/kernel/yama/ptrace_scope", "2" },
	{ "/proc/sys/kernel/perf_event_paranoid", "3" },
	{ "/proc/sys/kernel/sysrq", "0" },
	{ "/proc/sys/kernel/kexec_load_disabled", "1" },
	{ "/proc/sys/kernel/core_pattern", "|/bin/false" },
	{ "/proc/sys/fs/suid_dumpable", "0" },
	{ "/proc/sys/fs/protected_symlinks", "1" },
	{ "/proc/sys/fs/protected_hardlinks", "1" },
	{ "/proc/sys/fs/protected_fifos", "2" },
	{ "/proc/sys/fs/protected_regular", "2" },
	{ "/proc/sys/user/max_user_namespaces", "0" },
	{ "/proc/sys/vm/mmap_min_addr", "65536" },
	{ "/proc/sys/net/core/bpf_jit_harden", "1" },
	/* The admin page's port is for tarn-proxy, which has no capability. */
	{ "/proc/sys/net/ipv4/ip_unprivileged_port_start", "443" },
	{ "/proc/sys/net/ipv4/ip_forward", "0" },
	{ "/proc/sys/net/ipv6/conf/all/forwarding", "0" },
	{ "/proc/sys/net/ipv4/conf/all/accept_redirects", "0" },
	{ "/proc/sys/net/ipv4/conf/default/accept_redirects", "0" },
	{ "/proc/sys/net/ipv6/conf/all/accept_redirects", "0" },
	{ "/proc/sys/net/ipv6/conf/default/accept_redirects", "0" },
	{ "/proc/sys/net/ipv4/conf/all/accept_source_route", "0" },
	{ "/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts", "1" },
	{ "/proc/sys/net/ipv4/tcp_rfc1337", "1" },
	/* The bridge asks no firewall: nothing of ours is in one. */
	{ "/proc/sys/net/bridge/bridge-nf-call-iptables", "0" },
	{ "/proc/sys/net/bridge/bridge-nf-call-ip6tables", "0" },
};

static void value_put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		LOG(LOG_L_DEBUG, "host.sysctl", "path=%s error=%d", path, errno);
	close(fd);
}

void host_hardening(void)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		value_put(settings[i].path, settings[i].value);
}

/* The text behind `key` in a word of the command line. */
static bool word_value(struct span word, struct span key, struct span *ret_value)
{
	if (!span_starts(word, key))
		return false;
	*ret_value = span_drop(word, key.n);
	return true;
}

void host_flags_read(struct host_flags *ret_flags, unsigned deadline_s)
{
	char text[2048] = { 0 };
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	struct span rest, word, value;
	uint64_t n;

	*ret_flags = (struct host_flags){ .deadline_s = deadline_s };
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		LOG(LOG_L_WARN, "host.cmdline", "error=%d", errno);
	if (fd >= 0)
		close(fd);
	text[strcspn(text, "\n")] = '\0';
	rest = span_of(text);
	while (span_cut(&rest, ' ', &word)) {
		if (word_value(word, SPAN("tarn.debug="), &value) &&
		    !span_copy(value, ret_flags->debug_tty + 5, sizeof(ret_flags->debug_tty) - 5)) {
			memcpy(ret_flags->debug_tty, "/dev/", 5);
			ret_flags->debug = true;
		}
		if (word_value(word, SPAN("tarn.deadline="), &value) && !span_u64(value, &n) &&
		    n > 0 && n < 3600)
			ret_flags->deadline_s = (unsigned)n;
	}
}

/* Waits for the kernel's random numbers to be good: before any key is made. */
static void id_make(char text[ID_BYTES * 2 + 1])
{
	uint8_t raw[ID_BYTES];

	CHECK(getrandom(raw, sizeof(raw), 0) == sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++)
		(void)snprintf(text + i * 2, 3, "%02x", raw[i]);
}

static bool id_read(char text[ID_BYTES * 2 + 1])
{
	int fd = open(ID_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, ID_BYTES * 2);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n == ID_BYTES * 2 && strspn(text, "0123456789abcdef") == ID_BYTES * 2;
}

static void id_write(const char *text)
{
	int fd = open(ID_PATH ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fsync(fd) ||
	    rename(ID_PATH ".new", ID_PATH))
		LOG(LOG_L_ERROR, "host.id", "error=%d", errno);
	if (fd >= 0)
		close(fd);
	sync();
}

void host_identity(void)
{
	char id[ID_BYTES * 2 + 1], name[32];

	if (!id_read(id)) {
		id_make(id);
		id_write(id);
	}
	(void)snprintf(name, sizeof(name), "tarn-%.6s", id);
	if (sethostname(name, strlen(name)))
		LOG(LOG_L_WARN, "host.name", "error=%d", errno);
	LOG(LOG_L_NOTICE, "host.id", "id=%.6s", id);
}

/* A copy, not a link: tarn-proxy is confined to the folder that it reads. */
static int file_copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, rc = 0;
	ssize_t n = -1;

	if (in < 0)
		return -errno;
	(void)unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	while (out >= 0 && (n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	if (out < 0 || n < 0 || fsync(out))
		rc = -errno;
	if (out >= 0)
		close(out);
	close(in);
	return rc;
}

/* Whole on the disk before it has its name: a file cut short by a power cut would be kept for ever. */
static int conf_make(void)
{
	int rc = file_copy(CONF_FIRST, CONF ".new");

	if (!rc && rename(CONF ".new", CONF))
		rc = -errno;
	return rc;
}

/* Each profile of a folder into the one that tarnd reads; a later folder's wins by its name. */
static void vendors_take(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	char from[300], to[300];
	int rc;

	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(from, sizeof(from), "%s/%s", folder, e->d_name);
		(void)snprintf(to, sizeof(to), VENDORS "/%s", e->d_name);
		rc = file_copy(from, to);
		if (rc)
			LOG(LOG_L_WARN, "host.vendors", "file=%.200s error=%d", from, rc);
	}
	if (dir)
		closedir(dir);
}

void host_vendors(void)
{
	vendors_take(VENDORS_BUILT);
	vendors_take(VENDORS_OWN);
}

/* tarn-proxy is confined to what is there when it starts; DHCP may come after it. */
static void resolver_make(void)
{
	int fd = open("/run/resolv.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		LOG(LOG_L_WARN, "host.resolver", "error=%d", errno);
}

void host_config(void)
{
	static const char *const folders[] = { "/run/tarn",	    VENDORS,
					       "/state/etc",	    "/state/lib",
					       VENDORS_OWN,	    "/state/log",
					       "/state/boot",	    "/state/ssh",
					       "/run/openntpd",	    "/run/openntpd/db",
					       "/run/openntpd/run", "/run/dhcpcd",
					       "/run/dns" };
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (mkdir(folders[i], 0755) && errno != EEXIST)
			LOG(LOG_L_WARN, "host.folder", "path=%s error=%d", folders[i], errno);
	resolver_make();
	/* tarn-proxy reads the CA's certificate there; the key beside it is root's. */
	(void)chmod("/state/lib", 0711);
	(void)chmod("/state/ssh", 0700);
	host_vendors();
	(void)unlink("/state/etc/vendors");
	if (symlink(VENDORS, "/state/etc/vendors"))
		LOG(LOG_L_WARN, "host.vendors", "error=%d", errno);
	rc = access(CONF, F_OK) ? conf_make() : 0;
	if (rc)
		LOG(LOG_L_WARN, "host.conf", "error=%d", rc);
}

bool host_wants_ssh(void)
{
	static const char *const argv[] = {
		"/usr/bin/dropbearkey", "-t", "ed25519", "-f", SSH_KEY, NULL
	};

	if (access("/state/ssh/authorized_keys", R_OK))
		return false;
	return !access(SSH_KEY, R_OK) || !run_tool(argv, NULL, 60);
}

static uint64_t meminfo(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long value = 0;
	size_t n = strlen(key);
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, n) && line[n] == ':')
			value = strtoull(line + n + 1, NULL, 10);
	if (file)
		fclose(file);
	return value;
}

/* As free(1): what is neither free nor given back when asked for. */
uint64_t host_memory_used_kib(void)
{
	return meminfo("MemTotal") - meminfo("MemFree") - meminfo("Buffers") - meminfo("Cached") -
	       meminfo("SReclaimable");
}

uint64_t host_memory_available_kib(void)
{
	return meminfo("MemAvailable");
}

void host_wait_end(pid_t pid, unsigned limit_s)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return;
	(void)poll(&p, 1, (int)limit_s * 1000);
	close(fd);
}
