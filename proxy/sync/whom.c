/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that is not answered about is asked for again after AGAIN_S, one that is after REFRESH_S: it may have moved.
 * When the table is full the one that came first goes.
 */
#include "proxy/sync/whom.h"

#define HASH_NONFATAL_OOM 1
#include <stdlib.h>
#include <uthash.h>

#include "cache/demand.h"
#include "firmware/heritage.h"
#include "proxy/config.h"
#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define STATIONS_MAX 8192
#define HEARD_MAX    4096
#define AGAIN_S	     5
#define REFRESH_S    300

struct station {
	UT_hash_handle hh; /* by addr, in the order of being made */
	uint8_t addr[16];
	uint64_t asked; /* seconds of the clock that never steps; 0: never */
	bool told;
	struct scope_who who;
	char name[HERITAGE_STATION_NAME];
};

/* A name by mDNS. */
struct heard_name {
	UT_hash_handle hh; /* by addr, in the order of being made */
	uint8_t addr[16];
	char name[HERITAGE_STATION_NAME];
};

struct whom {
	struct worker *control;
	struct station *by_addr;
	struct heard_name *heard;
};

int whom_new(struct worker *control, struct whom **ret_whom)
{
	struct whom *whom = calloc(1, sizeof(*whom));

	if (!whom)
		return -ENOMEM;
	whom->control = control;
	*ret_whom = whom;
	return 0;
}

static void station_drop(struct whom *whom, struct station *station)
{
	HASH_DELETE(hh, whom->by_addr, station);
	free(station);
}

static void heard_drop(struct whom *whom, struct heard_name *heard)
{
	HASH_DELETE(hh, whom->heard, heard);
	free(heard);
}

void whom_free(struct whom **whom)
{
	struct whom *w = *whom;

	*whom = NULL;
	if (!w)
		return;
	while (w->by_addr)
		station_drop(w, w->by_addr);
	while (w->heard)
		heard_drop(w, w->heard);
	free(w);
}

static const struct tarn_settings *settings_of(const struct whom *whom)
{
	return &whom->control->config->settings;
}

static bool has_links(const struct scope_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind != SCOPE_NET)
			return true;
	return false;
}

/* Does it matter for what is fetched ahead what frames look like? */
static bool links_matter(const struct whom *whom)
{
	const struct tarn_settings *s = settings_of(whom);

	return has_links(&s->scope.ahead) || has_links(&s->scope.not_ahead);
}

static struct station *station_find(const struct whom *whom, const uint8_t device[16])
{
	struct station *station;

	HASH_FIND(hh, whom->by_addr, device, 16, station);
	return station;
}

static struct station *station_of(struct whom *whom, const uint8_t device[16])
{
	struct station *station = station_find(whom, device);

	if (station)
		return station;
	if (HASH_CNT(hh, whom->by_addr) >= STATIONS_MAX)
		station_drop(whom, whom->by_addr);
	station = calloc(1, sizeof(*station));
	if (!station)
		return NULL;
	memcpy(station->addr, device, sizeof(station->addr));
	HASH_ADD(hh, whom->by_addr, addr, sizeof(station->addr), station);
	if (!station->hh.tbl) {
		free(station);
		return NULL;
	}
	return station;
}

void whom_peek(const struct whom *whom, const uint8_t device[16], struct scope_who *ret_who)
{
	const struct station *station = station_find(whom, device);

	*ret_who = station ? station->who : (struct scope_who){ 0 };
	addr_from_in6(device, &ret_who->addr);
}

void whom_look(struct whom *whom, const uint8_t device[16], struct scope_who *ret_who)
{
	uint64_t now = worker_now(whom->control)->mono_ms / 1000;
	struct keeper *keeper = whom->control->proxy->keeper;
	struct station *station = NULL;

	/* Who is not to be known is not asked about, unless somebody's settings need it. */
	if (keeper_steers(keeper) &&
	    (settings_of(whom)->demand.devices == (int)DEMAND_DEVICES_ON || links_matter(whom)))
		station = station_of(whom, device);
	if (station &&
	    (!station->asked || now - station->asked >= (station->told ? REFRESH_S : AGAIN_S)) &&
	    keeper_who(keeper, device))
		station->asked = now;
	whom_peek(whom, device, ret_who);
}

/* No device chooses what people and their programs have to read but the characters of host names (RFC 1123, 2.1). */
static void name_take(char to[HERITAGE_STATION_NAME], const char *name)
{
	size_t n = 0;

	for (; name[n] && n < HERITAGE_STATION_NAME - 1; n++) {
		char c = name[n];
		bool letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		to[n] = letter || c == '-' || c == '_' || c == '.' ? c : '?';
	}
	to[n] = 0;
}

static struct heard_name *heard_find(const struct whom *whom, const uint8_t device[16])
{
	struct heard_name *heard;

	HASH_FIND(hh, whom->heard, device, 16, heard);
	return heard;
}

const char *whom_name(const struct whom *whom, const uint8_t device[16])
{
	const struct heard_name *heard = heard_find(whom, device);
	const struct station *station = station_find(whom, device);

	if (heard)
		return heard->name;
	return station && tarn_conf_hears_dhcp(settings_of(whom)) ? station->name : "";
}

void whom_heard(struct whom *whom, const uint8_t device[16], const char *name)
{
	struct heard_name *heard = heard_find(whom, device);

	if (heard) {
		name_take(heard->name, name);
		return;
	}
	if (HASH_CNT(hh, whom->heard) >= HEARD_MAX)
		heard_drop(whom, whom->heard);
	heard = calloc(1, sizeof(*heard));
	if (!heard)
		return;
	memcpy(heard->addr, device, sizeof(heard->addr));
	name_take(heard->name, name);
	HASH_ADD(hh, whom->heard, addr, sizeof(heard->addr), heard);
	if (!heard->hh.tbl)
		free(heard);
}

void whom_reload(struct whom *whom)
{
	if (!tarn_conf_hears_mdns(settings_of(whom)))
		while (whom->heard)
			heard_drop(whom, whom->heard);
}

/* Another machine has the address now: it is not called as the one before. */
static void heard_forget_other(struct whom *whom, const struct station *station,
			       const struct heritage_station *told)
{
	struct heard_name *heard = heard_find(whom, station->addr);

	if (heard && station->who.link_known &&
	    memcmp(station->who.mac, told->mac, sizeof(told->mac)) != 0)
		heard_drop(whom, heard);
}

void whom_told(struct whom *whom, const struct heritage_station *told)
{
	struct station *station = station_find(whom, told->addr);

	/* Only what was asked for: nothing fills the table but devices that asked for something. */
	if (!station)
		return;
	station->told = true;
	if (!told->known)
		return;
	heard_forget_other(whom, station, told);
	station->who.link_known = true;
	memcpy(station->who.mac, told->mac, sizeof(station->who.mac));
	station->who.vlan = told->vlan;
	name_take(station->name, told->name);
}

void whom_known(const struct demand_device *device, struct scope_who *ret_who)
{
	*ret_who = (struct scope_who){
		.link_known = device->link.known,
		.vlan = device->link.vlan,
	};
	memcpy(ret_who->mac, device->link.mac, sizeof(ret_who->mac));
	addr_from_in6(device->id, &ret_who->addr);
}

bool whom_counts(const struct whom *whom, const uint8_t device[16], const struct scope_who *who)
{
	const struct tarn_settings *s = settings_of(whom);
	const struct station *station = station_find(whom, device);

	if (station && !station->told && links_matter(whom))
		return false;
	return scope_takes(&s->scope.ahead, &s->scope.not_ahead, who, NULL);
}
