/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	tarn.conf another than before? ──► read ──► hosts.allow ──► ftp = yes: tarn-mount, vsftpd
 *						smb.hosts	smb = yes: tarn-mount, smbd
 *						                 no: they end, and who is connected with them
 *						ntp = yes: ntpd
 *						management_vlan, mtu: manage.h
 *
 * Settings that are wrong change nothing here: tarnd runs with the defaults then, and says so.
 */
#include "firmware/boot/share.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/boot/manage.h"
#include "firmware/boot/note.h"
#include "firmware/boot/run.h"
#include "firmware/boot/say.h"
#include "firmware/boot/service.h"
#include "firmware/boot/smb.h"

#define MODPROBE_S 30
#define ALLOW_PATH SHARE_FOLDER "/hosts.allow" /* /etc/hosts.allow leads here */
#define SMB_PATH   SHARE_FOLDER "/smb.hosts"   /* smb.conf includes it */

void share_begin(struct share *s)
{
	static const char *const folders[] = { SHARE_FOLDER, SHARE_MOUNT };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (mkdir(folders[i], 0755) && errno != EEXIST)
			LOG(LOG_L_WARN, "share.folder", "path=%s error=%d", folders[i], errno);
	s->seen = (struct stat){ 0 };
	s->ntp_wanted = true;
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

/* Whoever is admitted by it. `text` may be NULL: no memory for it. 0 or -errno. */
static int hosts_put(const char *path, const char *text)
{
	int rc = text ? note_put(path, span_of(text)) : -ENOMEM;

	if (rc)
		LOG(LOG_L_WARN, "share.hosts", "path=%s error=%d", path, rc);
	return rc;
}

static void ftp_hosts_put(const struct net_list *allow)
{
	char *text = share_hosts(allow);

	(void)hosts_put(ALLOW_PATH, text);
	free(text);
}

/* smbd reads it at its start; its sessions keep what they have read, so others are admitted by another smbd. */
static void smb_hosts_put(struct share *s, const struct net_list *allow)
{
	char *text = smb_hosts(allow);

	bool same = text && s->smb_hosts && !strcmp(text, s->smb_hosts);

	if (same || hosts_put(SMB_PATH, text)) {
		free(text);
		return;
	}
	service_drop(s->smb);
	free(s->smb_hosts);
	s->smb_hosts = text;
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

static void ftp_switch(struct share *s, bool wanted)
{
	if (wanted == s->ftp_wanted)
		return;
	s->ftp_wanted = wanted;
	say("share", "ftp=%s", wanted ? "on" : "off");
}

/* An image can be without it (CONFIG_SMB). */
static void smb_switch(struct share *s, bool wanted)
{
	bool there = !access(SMB_PROGRAM, X_OK);

	if (wanted && !there)
		say("share", "smb=on error=\"not in this image\"");
	wanted = wanted && there;
	if (wanted == s->smb_wanted)
		return;
	s->smb_wanted = wanted;
	say("share", "smb=%s", wanted ? "on" : "off");
}

static void ntp_switch(struct share *s, bool wanted)
{
	if (wanted == s->ntp_wanted)
		return;
	s->ntp_wanted = wanted;
	say("clock", "ntp=%s", wanted ? "on" : "off");
}

static void settings_take(struct share *s, const struct tarn_settings *settings, uint64_t now_ms)
{
	bool before = s->ftp_wanted || s->smb_wanted;

	if (settings->share.ftp)
		ftp_hosts_put(&settings->proxy.allow);
	if (settings->share.smb)
		smb_hosts_put(s, &settings->proxy.allow);
	ftp_switch(s, settings->share.ftp);
	smb_switch(s, settings->share.smb);
	ntp_switch(s, settings->appliance.ntp);
	if (s->manage)
		manage_set(s->manage, (unsigned)settings->appliance.management_vlan,
			   (unsigned)settings->appliance.mtu, now_ms);
	if (!before && (s->ftp_wanted || s->smb_wanted))
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
		settings_take(s, &settings, now_ms);
		tarn_conf_free(&settings);
	}
	service_set(s->mount, s->ftp_wanted || s->smb_wanted, now_ms);
	service_set(s->ftp, s->ftp_wanted, now_ms);
	service_set(s->smb, s->smb_wanted, now_ms);
	service_set(s->time, s->ntp_wanted, now_ms);
	ntp_see_to(&s->ntp, s->time);
}

void share_ended(const struct share *s, const struct service *service, pid_t pid)
{
	if (service == s->mount)
		(void)umount2(SHARE_MOUNT, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (service != s->smb)
		return;
	(void)kill(-pid, SIGKILL); /* its sessions, should it have been killed */
	smb_ended();
}
