/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	medium mounted ──► digest new? ──► each file: copied beside its place, checked, renamed ──► said, noted
 *
 * Files are small and read whole; what is larger than FILE_MAX is refused.
 */
#include "firmware/boot/seed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/password.h"
#include "firmware/boot/assess.h"
#include "firmware/boot/bridge.h"
#include "firmware/boot/disk.h"
#include "firmware/boot/history.h"
#include "firmware/boot/host.h"
#include "firmware/boot/run.h"
#include "firmware/boot/say.h"
#include "firmware/boot/update.h"
#include "firmware/boot/watchdog.h"

#define MOUNT		 "/tmp/seed"
#define FOLDER		 MOUNT "/tarn"
#define FILE_MAX	 (1 << 20)
#define FILES_MAX	 64
#define RESET_NOTE	 "/state/reset"
#define RESET_BY	 "/state/boot/reset-by"
#define PATH_ROOM	 400
#define CONFIG_REFUSED	 "tarnd would refuse it; the log says what is wrong"
#define PASSWORD_REFUSED "not what tarnctl admin hash prints"

struct seed {
	const char *from; /* "esp", "stick" */
	char device[48];
	int taken, refused;
	EVP_MD_CTX *digest;
};

/* ---- small files ------------------------------------------------------------------------------ */

/* malloc'd, with a zero behind it; -EFBIG, or of open(2). */
static int file_read(const char *path, char **ret_bytes, size_t *ret_n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
	char *bytes = malloc(FILE_MAX + 1);
	ssize_t n = fd < 0 || !bytes ? -1 : read(fd, bytes, FILE_MAX + 1);

	if (n < 0 || n > FILE_MAX)
		rc = n > 0 ? -EFBIG : -errno;
	if (fd >= 0)
		close(fd);
	if (rc) {
		free(bytes);
		return rc;
	}
	bytes[n] = '\0';
	*ret_bytes = bytes;
	*ret_n = (size_t)n;
	return 0;
}

static int file_write(const char *path, const char *bytes, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, bytes, n) != (ssize_t)n || fsync(fd))
		rc = errno ? -errno : -EIO;
	close(fd);
	return rc;
}

/* ---- one file of it --------------------------------------------------------------------------- */

/* Would tarnd take these settings? */
static bool config_good(const char *path)
{
	/* Without two ports it has no bridge to make, and asks for none. */
	const char *const argv[] = { "/usr/bin/tarnd",
				     "--check",
				     "--config",
				     path,
				     bridge_ports() < 2 ? "--one-arm" : NULL,
				     NULL };

	return run_tool(argv, NULL, 30) == 0;
}

/* A CA's certificate and the key to it? Else nothing could be intercepted by TLS, and nobody would know why. */
static bool ca_good(const char *path)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, (void *)"") : NULL;
	X509 *certificate;
	bool good;

	if (file)
		rewind(file);
	certificate = file ? PEM_read_X509(file, NULL, NULL, (void *)"") : NULL;
	good = key && certificate && X509_check_private_key(certificate, key) == 1 &&
	       X509_check_ca(certificate) == 1;
	X509_free(certificate);
	EVP_PKEY_free(key);
	if (file)
		(void)fclose(file);
	return good;
}

/* Its first line, with or without an end. */
static bool password_good(const char *path)
{
	char *bytes, text[PASSWORD_TEXT_MAX] = "";
	size_t n, line;

	if (file_read(path, &bytes, &n))
		return false;
	line = strcspn(bytes, "\r\n");
	if (line < sizeof(text))
		memcpy(text, bytes, line);
	free(bytes);
	return password_hash_valid(text);
}

static const char *refusal(bool (*check)(const char *))
{
	return check == ca_good		? "not a CA and its key"
	       : check == password_good ? PASSWORD_REFUSED
					: CONFIG_REFUSED;
}

static void fate_say(struct seed *s, const char *name, const char *why)
{
	*(*why ? &s->refused : &s->taken) += 1;
	say("seed", "from=%s file=%s result=%s%s%s%s", s->from, name, *why ? "refused" : "taken",
	    *why ? " why=\"" : "", why, *why ? "\"" : "");
}

/* `check`: of the new file before it takes its place. */
static void file_take(struct seed *s, const char *name, const char *to, mode_t mode,
		      bool (*check)(const char *))
{
	char from[PATH_ROOM], new[PATH_ROOM], *bytes;
	size_t n;
	int rc;

	(void)snprintf(from, sizeof(from), FOLDER "/%s", name);
	if (access(from, F_OK))
		return;
	(void)snprintf(new, sizeof(new), "%s.new", to);
	rc = file_read(from, &bytes, &n);
	if (!rc) {
		rc = file_write(new, bytes, n, mode);
		free(bytes);
	}
	if (!rc && check && !check(new)) {
		(void)unlink(new);
		fate_say(s, name, refusal(check));
		return;
	}
	if (!rc && rename(new, to))
		rc = -errno;
	fate_say(s, name, rc ? strerror(-rc) : "");
}

static int is_conf(const struct dirent *e)
{
	return e->d_name[0] != '.' && span_ends(span_of(e->d_name), SPAN(".conf"));
}

/* A profile is checked among the others: all of them have to be right together. Refused, the one before stays. */
static void profile_take(struct seed *s, const char *name)
{
	char from[300], own[300], together[300], path[PATH_ROOM], *bytes;
	size_t n;
	int rc;

	(void)snprintf(from, sizeof(from), "vendors/%.200s", name);
	(void)snprintf(path, sizeof(path), FOLDER "/%s", from);
	(void)snprintf(own, sizeof(own), "/state/vendors/%.200s", name);
	(void)snprintf(together, sizeof(together), "/run/tarn/vendors/%.200s", name);
	rc = file_read(path, &bytes, &n);
	if (!rc) {
		rc = file_write(together, bytes, n, 0644);
		free(bytes);
	}
	if (!rc && config_good("/usr/share/tarn/safe.conf")) {
		file_take(s, from, own, 0644, NULL);
	} else {
		(void)unlink(together);
		fate_say(s, from, rc ? strerror(-rc) : CONFIG_REFUSED);
	}
	host_vendors();
}

static void profiles_take(struct seed *s)
{
	struct dirent **entries;
	int n = scandir(FOLDER "/vendors", &entries, is_conf, alphasort);

	for (int i = 0; i < n; i++) {
		if (i < FILES_MAX)
			profile_take(s, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static void settings_take(struct seed *s)
{
	profiles_take(s);
	file_take(s, "tarn.conf", "/state/etc/tarn.conf", 0644, config_good);
	file_take(s, "authorized_keys", "/state/ssh/authorized_keys", 0600, NULL);
	file_take(s, "ca.pem", "/state/lib/ca.pem", 0600, ca_good);
	file_take(s, "password", SEED_PASSWORD, 0600, password_good);
}

/* ---- was it read before? ---------------------------------------------------------------------- */

static void digest_file(struct seed *s, const char *folder, const char *name)
{
	char path[PATH_ROOM], *bytes;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (file_read(path, &bytes, &n))
		return;
	CHECK(EVP_DigestUpdate(s->digest, name, strlen(name) + 1) == 1 &&
	      EVP_DigestUpdate(s->digest, &n, sizeof(n)) == 1 &&
	      EVP_DigestUpdate(s->digest, bytes, n) == 1);
	free(bytes);
}

static int is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void digest_folder(struct seed *s, const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_visible, alphasort);

	for (int i = 0; i < n; i++) {
		digest_file(s, folder, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

/* The medium's digest in `text`, as hex; true if it is the one that was kept. */
static bool read_before(struct seed *s, char path[64], char text[65])
{
	uint8_t raw[32];
	char *old = NULL;
	size_t n = 0;
	bool same;

	(void)snprintf(path, 64, "/state/boot/seed-%s", s->from);
	s->digest = EVP_MD_CTX_new();
	CHECK(s->digest && EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL) == 1);
	digest_folder(s, FOLDER);
	digest_folder(s, FOLDER "/vendors");
	CHECK(EVP_DigestFinal_ex(s->digest, raw, NULL) == 1);
	EVP_MD_CTX_free(s->digest);
	for (size_t i = 0; i < sizeof(raw); i++)
		(void)snprintf(text + i * 2, 3, "%02x", raw[i]);
	same = !file_read(path, &old, &n) && n == 64 && !memcmp(old, text, 64);
	free(old);
	return same;
}

/* Settings of a mounted medium. */
static enum seed_wants medium_take(struct seed *s, int64_t wall_ms)
{
	char path[64], text[65], reason[80];

	if (read_before(s, path, text))
		return SEED_NOTHING;
	settings_take(s);
	if (file_write(path, text, 64, 0644))
		LOG(LOG_L_WARN, "seed.note", "error=%d", errno);
	if (!s->taken && !s->refused)
		return SEED_NOTHING;
	(void)snprintf(reason, sizeof(reason), "from the %s: %d taken, %d refused", s->from,
		       s->taken, s->refused);
	boot_history_add(HISTORY_PATH, wall_ms, "seed", "", reason);
	say("seed", "from=%s taken=%d refused=%d", s->from, s->taken, s->refused);
	return SEED_RELOAD;
}

static int medium_mount(const char *device)
{
	(void)mkdir(MOUNT, 0700);
	return mount(device, MOUNT, "vfat",
		     MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME, "umask=0077")
		       ? -errno
		       : 0;
}

static void medium_unmount(void)
{
	if (umount2(MOUNT, UMOUNT_NOFOLLOW))
		LOG(LOG_L_WARN, "seed.unmount", "error=%d", errno);
}

enum seed_wants seed_esp(const struct disk *disk, int64_t wall_ms)
{
	struct seed s = { .from = "esp" };
	enum seed_wants wants;
	int rc = medium_mount(disk->part[DISK_ESP]);

	if (rc) {
		say("seed", "from=esp error=%d", rc);
		return SEED_NOTHING;
	}
	wants = medium_take(&s, wall_ms);
	medium_unmount();
	return wants;
}

/* ---- what only a stick can bring ---------------------------------------------------------------- */

static int is_update(const struct dirent *e)
{
	return e->d_name[0] != '.' && span_ends(span_of(e->d_name), SPAN(".update"));
}

/* It takes longer than the watchdog waits. */
static void on_progress(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	(void)arg, (void)stage, (void)done, (void)total;
	watchdog_pet();
}

static enum seed_wants update_take(const struct disk *disk, const char *running,
				   const char *factory, const char *name, int64_t wall_ms)
{
	struct update_place place = {
		.folder = BOOT_SLOTS,
		.keys = UPDATE_KEYS,
		.running = running,
		.factory = factory,
		.progress = on_progress,
	};
	struct update update = { 0 };
	enum update_fate fate;
	char path[PATH_ROOM];
	int fd;

	(void)snprintf(path, sizeof(path), FOLDER "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return SEED_NOTHING;
	if (boot_mount(disk->part[DISK_BOOT], false)) {
		close(fd);
		return SEED_NOTHING;
	}
	fate = update_install(fd, &place, &update);
	boot_unmount();
	close(fd);
	say("update", "from=stick file=%s version=%s result=%s", name,
	    *update.version ? update.version : "unknown", update_word(fate));
	/* A stick that stays in is seen at each boot. */
	if (fate == UPDATE_RUNNING || fate == UPDATE_ON_TRIAL)
		return SEED_NOTHING;
	boot_history_add(HISTORY_PATH, wall_ms, fate ? "refused" : "installed",
			 *update.version ? update.version : "unknown",
			 fate ? update_text(fate) : "from a stick");
	if (fate)
		return SEED_NOTHING;
	attempt_note(HISTORY_PATH, update.version, "installed: its own init was never reached");
	return SEED_RESTART;
}

static enum seed_wants updates_take(const struct disk *disk, const char *running,
				    const char *factory, int64_t wall_ms)
{
	enum seed_wants wants = SEED_NOTHING;
	struct dirent **entries;
	int n = scandir(FOLDER, &entries, is_update, alphasort);

	for (int i = 0; i < n; i++) {
		if (wants == SEED_NOTHING && disk)
			wants = update_take(disk, running, factory, entries[i]->d_name, wall_ms);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return wants;
}

/* The serial number of a FAT32 file system, at 67 of its boot sector. */
static void serial_read(const char *device, char ret[32])
{
	uint8_t sector[512] = { 0 };
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, sector, sizeof(sector));
	bool fat32 = !memcmp(sector + 82, "FAT32", 5);
	const uint8_t *at = sector + (fat32 ? 67 : 39);

	if (fd >= 0)
		close(fd);
	(void)snprintf(ret, 32, "%02x%02x%02x%02x%s", at[0], at[1], at[2], at[3],
		       n == sizeof(sector) ? "" : "?");
}

static bool reset_asked(const char *device)
{
	char serial[32], *by = NULL;
	size_t n = 0;
	bool before;

	if (access(FOLDER "/factory-reset", F_OK))
		return false;
	serial_read(device, serial);
	before = !file_read(RESET_BY, &by, &n) && n == strlen(serial) && !memcmp(by, serial, n);
	free(by);
	if (before || reset_note(serial))
		return false;
	say("reset", "from=stick serial=%s action=restart", serial);
	return true;
}

enum seed_wants seed_stick(const struct disk *disk, const char *running, const char *factory,
			   int64_t wall_ms)
{
	struct seed s = { .from = "stick" };
	enum seed_wants wants = SEED_NOTHING, system;

	if (disk_labelled(SEED_LABEL, disk, s.device) || medium_mount(s.device))
		return SEED_NOTHING;
	if (disk && reset_asked(s.device)) {
		medium_unmount();
		return SEED_RESET;
	}
	wants = medium_take(&s, wall_ms);
	system = updates_take(disk, running, factory, wall_ms);
	medium_unmount();
	return system > wants ? system : wants;
}

/* ---- factory reset ------------------------------------------------------------------------------ */

bool reset_wanted(char ret_by[32])
{
	char *by = NULL;
	size_t n = 0;

	if (file_read(RESET_NOTE, &by, &n))
		return false;
	(void)snprintf(ret_by, 32, "%.*s", (int)n, by);
	free(by);
	return true;
}

int reset_note(const char *by)
{
	return file_write(RESET_NOTE, by, strlen(by), 0600);
}

void reset_done(const char *by, int64_t wall_ms)
{
	if (file_write(RESET_BY, by, strlen(by), 0600))
		LOG(LOG_L_WARN, "reset.note", "error=%d", errno);
	boot_history_add(HISTORY_PATH, wall_ms, "reset", "", "state and cache were made anew");
	say("reset", "by=%s result=done", by);
}
