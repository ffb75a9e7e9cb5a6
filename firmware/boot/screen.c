/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/screen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/check.h"
#include "firmware/base/log.h"
#include "firmware/boot/assess.h"
#include "firmware/boot/health.h"
#include "firmware/boot/note.h"
#include "firmware/boot/qr.h"

#define SCREEN	   "/dev/tty1"
#define ADDRESSES  8
#define TEXT_MAX   16384
#define COLUMNS	   80 /* of the least console */
#define LABEL	   17 /* columns before a value */
#define QR_ROW	   4
#define REPAINT_MS 10000 /* kernel messages may have run over it */

/* The interface's addresses, without the link-local one of IPv6. */
static json_t *addresses(const char *interface)
{
	char text[INET6_ADDRSTRLEN];
	struct ifaddrs *all = NULL;
	json_t *list = json_array();

	if (getifaddrs(&all))
		return list;
	for (const struct ifaddrs *i = all; i && json_array_size(list) < ADDRESSES;
	     i = i->ifa_next) {
		const void *addr = NULL;

		if (!i->ifa_addr || strcmp(i->ifa_name, interface) != 0)
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
		"{s:s, s:s, s:b, s:b, s:o, s:o, s:i, s:i, s:i, s:{s:s, s:s, s:s, s:I}, s:b, "
		"s:b, s:i, s:I, "
		"s:b, s:s, s:s}",
		"version", a->version,					       /**/
		"factory", a->factory,					       /**/
		"on_trial", a->counted && !a->good,			       /**/
		"runs_factory", !strcmp(a->version, a->factory),	       /**/
		"slots", slots_json(a->slots, a->slots_n, a->version),	       /**/
		"addresses", addresses(p->interface),			       /**/
		"management_vlan", (int)p->vlan,			       /**/
		"ports", (int)p->ports,					       /**/
		"ports_blocked", (int)p->blocked,			       /**/
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

/* What is painted, and the columns that its values may take. */
struct page {
	char text[TEXT_MAX];
	size_t width;
};

static void put(struct page *page, const char *format, ...)
{
	size_t n = strlen(page->text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(page->text + n, TEXT_MAX - n, format, args);
	va_end(args);
}

/* What does not fit goes on in the next line. */
static void line(struct page *page, const char *label, const char *value)
{
	do {
		size_t n = strlen(value), word = n;

		if (n > page->width) {
			n = word = page->width;
			while (word && value[word] != ' ')
				word--;
			word = word ? word : n;
		}
		put(page, "  %-14s %.*s\r\n", label, (int)word, value);
		value += word + strspn(value + word, " ");
		label = "";
	} while (*value);
}

/* The page's address for a telephone's camera, at the right edge; the text that follows leaves it room. */
static void qr_put(struct page *page, const char *url)
{
	char code[QR_TEXT_MAX], *rest = code, *one;
	unsigned width, row = QR_ROW;

	if (qr_text(url, code, &width) || width + LABEL + 20 > COLUMNS)
		return;
	while ((one = strsep(&rest, "\n")) && *one)
		put(page, "\033[%u;%uH%s", row++, COLUMNS - width, one);
	put(page, "\033[%d;1H", QR_ROW);
	page->width = COLUMNS - width - LABEL - 1;
}

static void address_url(const char *address, char ret_url[80])
{
	(void)snprintf(ret_url, 80, strchr(address, ':') ? "https://[%s]/" : "https://%s/",
		       address);
}

static void address_lines(struct page *text, const json_t *list, unsigned vlan)
{
	char url[80], where[100], in[20] = "";
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *a = json_string_value(one);

		address_url(a, url);
		line(text, i ? "" : "Address", url);
	}
	if (vlan)
		(void)snprintf(in, sizeof(in), " in VLAN %u", vlan);
	(void)snprintf(where, sizeof(where),
		       "none yet: no answer from a DHCP server%s. Devices pass all the same.", in);
	if (!json_array_size(list))
		line(text, "Address", where);
	else if (vlan)
		line(text, "", in + 1);
}

static void paint(const struct picture *p, const json_t *doc)
{
	struct page page = { .text = "\033[2J\033[H\033[?25l\r\n  Tarn\r\n\r\n",
			     .width = COLUMNS - LABEL - 1 },
		    *text = &page;
	const json_t *address = json_array_get(json_object_get(doc, "addresses"), 0);
	char value[200];
	int fd;

	if (address) {
		address_url(json_string_value(address), value);
		qr_put(&page, value);
	}

	line(text, "State",
	     !p->ready_ms	  ? "starting; devices pass"
	     : p->health->armed	  ? "working"
	     : p->health->answers ? "devices pass; not intercepting"
				  : "devices pass; the keeper does not answer");
	if (p->health->answers && !p->health->armed)
		line(text, "Because", p->health->why_not);
	address_lines(text, json_object_get(doc, "addresses"), p->vlan);
	(void)snprintf(value, sizeof(value), "%zu in the bridge%s%s", p->ports,
		       p->blocked ? "; one leads back to another outside, and is shut" : "",
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
	if (*p->state && strcmp(p->state, "memory") != 0)
		line(text, "Reset",
		     "type factory-reset and Enter: state and cache as on the first day");
	fd = open(SCREEN, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, page.text, strlen(page.text)) < 0)
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
