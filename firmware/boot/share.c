/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	tarn.conf another than before? ──► read ──► hosts.allow ──► ftp = yes: tarn-mount, vsftpd
 *						                 no: both end, and who is connected with them
 *
 * Settings that are wrong change nothing here: tarnd runs with the defaults then, and says so.
 */
#include "firmware/boot/share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "firmware/base/log.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/boot/note.h"
#include "firmware/boot/run.h"
#include "firmware/boot/say.h"
#include "firmware/boot/service.h"

#define MODPROBE_S 30
#define ALLOW_PATH SHARE_FOLDER "/hosts.allow" /* /etc/hosts.allow leads here */

void share_begin(struct share *s)
{
	static const char *const folders[] = { SHARE_FOLDER, SHARE_MOUNT };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (mkdir(folders[i], 0755) && errno != EEXIST)
			LOG(LOG_L_WARN, "share.folder", "path=%s error=%d", folders[i], errno);
	s->seen = (struct stat){ 0 };
}

char *share_hosts(const struct net_list *allow)
{
	char one[ADDR_TEXT_MAX], *text = NULL;
	const char *slash;
	size_t n = 0;
	FILE *file = open_memstream(&text, &n);

	if (!file)
		return NULL;
	fputs("vsftpd:", file);
	for (size_t i = 0; i < allow->n; i++) {
		net_format(&allow->v[i], one);
		slash = strchr(one, '/');
		if (strchr(one, ':'))
			fprintf(file, " [%.*s]%s", (int)(slash - one), one, slash);
		else
			fprintf(file, " %s", one);
	}
	fputc('\n', file);
	if (fclose(file)) {
		free(text);
		return NULL;
	}
	return text;
}

static void hosts_put(const struct net_list *allow)
{
	char *text = share_hosts(allow);
	int rc = text ? note_put(ALLOW_PATH, span_of(text)) : -ENOMEM;

	if (rc)
		LOG(LOG_L_WARN, "share.hosts", "error=%d", rc);
	free(text);
}

static void service_set(struct service *service, bool wanted, uint64_t now_ms)
{
	if (wanted)
		service_want(service, now_ms);
	else
		service_drop(service);
}

/* Not before it is wanted: what is off has nothing in the kernel, either. */
static void fuse_load(void)
{
	static const char *const argv[] = { "/sbin/modprobe", "-q", "fuse", NULL };
	int rc = run_tool(argv, NULL, MODPROBE_S);

	if (rc)
		LOG(LOG_L_WARN, "share.fuse", "error=%d", rc);
}

static void settings_take(struct share *s, const struct tarn_settings *settings)
{
	if (settings->share.ftp)
		hosts_put(&settings->proxy.allow);
	if (settings->share.ftp == s->wanted)
		return;
	s->wanted = settings->share.ftp;
	say("share", "ftp=%s", s->wanted ? "on" : "off");
	if (s->wanted)
		fuse_load();
}

/* Is it the file that was seen? Whoever writes it puts a new one in its place. */
static bool settings_seen(struct share *s)
{
	struct stat st = { 0 };
	bool same;

	if (stat(TARN_CONF_PATH, &st))
		st = (struct stat){ .st_nlink = 1 }; /* none is seen once, too */
	same = st.st_ino == s->seen.st_ino && st.st_size == s->seen.st_size &&
	       st.st_nlink == s->seen.st_nlink &&
	       !memcmp(&st.st_mtim, &s->seen.st_mtim, sizeof(st.st_mtim));
	s->seen = st;
	return same;
}

void share_see_to(struct share *s, uint64_t now_ms)
{
	struct tarn_settings settings = { 0 };
	struct settings_error error;

	if (!settings_seen(s) && !tarn_conf_load(NULL, &settings, &error)) {
		settings_take(s, &settings);
		tarn_conf_free(&settings);
	}
	service_set(s->mount, s->wanted, now_ms);
	service_set(s->ftp, s->wanted, now_ms);
}

void share_ended(const struct share *s)
{
	if (!s->mount->pid)
		(void)umount2(SHARE_MOUNT, MNT_DETACH | UMOUNT_NOFOLLOW);
}
