/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/screen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/check.h"
#include "firmware/base/log.h"
#include "firmware/boot/assess.h"
#include "firmware/boot/bridge.h"
#include "firmware/boot/health.h"
#include "firmware/boot/note.h"

#define SCREEN	   "/dev/tty1"
#define ADDRESSES  8
#define TEXT_MAX   2048
#define REPAINT_MS 10000 /* kernel messages may have run over it */

/* The bridge's addresses, without the link-local one of IPv6. */
static json_t *addresses(void)
{
	char text[INET6_ADDRSTRLEN];
	struct ifaddrs *all = NULL;
	json_t *list = json_array();

	if (getifaddrs(&all))
		return list;
	for (const struct ifaddrs *i = all; i && json_array_size(list) < ADDRESSES;
	     i = i->ifa_next) {
		const void *addr = NULL;

		if (!i->ifa_addr || strcmp(i->ifa_name, BRIDGE_NAME) != 0)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			addr = &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
		else if (i->ifa_addr->sa_family == AF_INET6 &&
			 !IN6_IS_ADDR_LINKLOCAL(
				 &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)
					  ->sin6_addr))
			addr = &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr;
		if (addr && inet_ntop(i->ifa_addr->sa_family, addr, text, sizeof(text)))
			json_array_append_new(list, json_string(text));
	}
	freeifaddrs(all);
	return list;
}

static json_t *document(const struct picture *p)
{
	const struct assess *a = p->assess;

	return json_pack(
		"{s:s, s:s, s:b, s:b, s:o, s:o, s:i, s:{s:s, s:s, s:s, s:I}, s:b, s:b, s:i, s:I, "
		"s:b, s:s, s:s}",
		"version", a->version,					       /**/
		"factory", a->factory,					       /**/
		"on_trial", a->counted && !a->good,			       /**/
		"runs_factory", !strcmp(a->version, a->factory),	       /**/
		"slots", slots_json(a->slots, a->slots_n, a->version),	       /**/
		"addresses", addresses(),				       /**/
		"ports", (int)p->ports,					       /**/
		"disk", "name", p->disk, "state", p->state, "cache", p->cache, /**/
		"cache_bytes", (json_int_t)p->cache_bytes,		       /**/
		"watchdog", p->watchdog,				       /**/
		"settings_wrong", p->settings_wrong,			       /**/
		"tarnd_restarts", (int)p->restarts,			       /**/
		"ready_ms", (json_int_t)p->ready_ms,			       /**/
		"well", p->health->answers && p->health->ready,		       /**/
		"why_not_armed", p->health->answers ? p->health->why_not : "tarnd does not answer",
		"drive", p->drive);
}

static void document_put(const char *text)
{
	int rc = note_put(APPLIANCE_PATH, span_of(text));

	if (rc)
		LOG(LOG_L_WARN, "screen.document", "error=%d", rc);
}

static void line(char *text, const char *label, const char *value)
{
	size_t n = strlen(text);

	(void)snprintf(text + n, TEXT_MAX - n, "  %-14s %s\r\n", label, value);
}

static void address_lines(char *text, const json_t *list)
{
	char url[80];
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *a = json_string_value(one);

		(void)snprintf(url, sizeof(url), strchr(a, ':') ? "https://[%s]/" : "https://%s/",
			       a);
		line(text, i ? "" : "Address", url);
	}
	if (!json_array_size(list))
		line(text, "Address",
		     "none yet: no answer from a DHCP server. Devices pass all the same.");
}

static void paint(const struct picture *p, const json_t *doc)
{
	char text[TEXT_MAX] = "\033[2J\033[H\033[?25l\r\n  Tarn\r\n\r\n", value[200];
	int fd;

	line(text, "State",
	     !p->ready_ms	  ? "starting; devices pass"
	     : p->health->armed	  ? "working"
	     : p->health->answers ? "devices pass; not intercepting"
				  : "devices pass; the keeper does not answer");
	if (p->health->answers && !p->health->armed)
		line(text, "Because", p->health->why_not);
	address_lines(text, json_object_get(doc, "addresses"));
	(void)snprintf(value, sizeof(value), "%zu in the bridge%s", p->ports,
		       p->ports < 2 ? ": one arm, devices have to be told to come here" : "");
	line(text, "Ports", value);
	(void)snprintf(value, sizeof(value), "%s%s%s", p->assess->version,
		       p->assess->counted && !p->assess->good ? ", on trial" : "",
		       !strcmp(p->assess->version, p->assess->factory) ? ", the factory's" : "");
	line(text, "Version", value);
	(void)snprintf(value, sizeof(value), "%s; state %s, cache %s, %llu MiB", p->disk, p->state,
		       p->cache, (unsigned long long)(p->cache_bytes >> 20));
	line(text, "Disk", value);
	if (*p->password) {
		line(text, "Password", p->password);
		line(text, "", "made at this first start, and shown until the next");
	}
	if (*p->drive)
		line(text, "Drive", p->drive);
	if (p->settings_wrong)
		line(text, "Settings", "tarn.conf is wrong: running with the defaults");
	fd = open(SCREEN, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		LOG(LOG_L_DEBUG, "screen.paint", "error=%d", errno);
	close(fd);
}

void screen_show(const struct picture *p)
{
	static uint64_t painted_ms;
	static char *last;
	json_t *doc = document(p);
	char *text = doc ? json_dumps(doc, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;

	if (text && (!last || strcmp(text, last) != 0)) {
		document_put(text);
		free(last);
		last = text;
		text = NULL;
		painted_ms = 0;
	}
	free(text);
	if (doc && (!painted_ms || p->now.mono_ms - painted_ms > REPAINT_MS)) {
		paint(p, doc);
		painted_ms = p->now.mono_ms;
	}
	json_decref(doc);
}
