/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Demand: which device asked for which object of which profile, and when; and so what each device has. No list of
 * devices is kept by hand: who asks is in it, who has not asked for the window's length is not.
 *
 * One thread (the control loop); workers speak through rings (demand_ring.h). `now` is an argument. Bounded: what
 * is asked for longest ago goes first. Kept in rows of state of the store.
 */
#ifndef CACHE_DEMAND_H
#define CACHE_DEMAND_H

#include "cache/demand_ring.h"
#include "cache/writer.h"

struct demand;

/* How a device is known. */
enum demand_devices {
	DEMAND_DEVICES_ON,     /* by its address */
	DEMAND_DEVICES_HASHED, /* by a keyed hash of it: told apart, but not named */
	DEMAND_DEVICES_OFF,    /* not at all: what is asked for counts, not who asks */
};

struct demand_limits {
	uint32_t objects, devices;
	uint32_t pairs; /* of a device: the objects that it asks for; at most DEMAND_PAIRS_MAX */
};

#define DEMAND_PAIRS_MAX 3000
#define DEMAND_LIMITS_DEFAULT                                                                      \
	((struct demand_limits){ .objects = 16384, .devices = 4096, .pairs = DEMAND_PAIRS_MAX })

/* Profiles that a device uses; further ones are not followed. */
#define DEMAND_STANDINGS_MAX 8
#define DEMAND_NAME_MAX	     64
#define DEMAND_DEVICE_TEXT   48 /* an address, or 16 hex digits */

/* 0 or -ENOMEM. */
MUST_USE int demand_new(const struct demand_limits *limits, enum demand_devices devices,
			struct demand **ret_demand);
void demand_free(struct demand **demand);

/* Another way of knowing devices: what was known of them is forgotten. */
void demand_devices_set(struct demand *demand, enum demand_devices devices);

/* A request was answered. Without memory or room it is not noted. */
void demand_note(struct demand *demand, const struct demand_event *event);

/* How a device's frames look, and what it calls itself. Noted only where devices are known by their address. */
struct demand_link {
	bool known;
	uint8_t mac[6];
	uint16_t vlan;		    /* 0: no tag */
	char name[DEMAND_NAME_MAX]; /* "": not known, which leaves the last one */
};
void demand_link_set(struct demand *demand, const uint8_t device[16],
		     const struct demand_link *link);
/* The same of a device's name alone, which is not "". */
void demand_name_set(struct demand *demand, const uint8_t device[16], const char *name);
/* Forgets what devices call themselves. */
void demand_names_forget(struct demand *demand);

/*
 * From now on it counts what a device has asked for, too, although it came as DEMAND_APART; and the other way round: what
 * no device asked for of whom `counts` says so counts no more. Both as far as it is known who asked for what.
 */
void demand_count_in(struct demand *demand, const uint8_t device[16]);
struct demand_device;
typedef bool demand_counts_f(void *arg, const struct demand_device *device);
void demand_count_again(struct demand *demand, demand_counts_f *counts, void *arg);

/*
 * Who has an object asks for it again when it has changed: until then, to look at an index of the profile is to ask for what
 * it names. So what `is_current` says of a device's copy (its id) is asked for as of when that device got an index last, if
 * that is `step` seconds later than what was known at least. Where no device is known, each object of which it says so (id 0)
 * is, as of the last index that anybody asked for. `counts`: as above.
 */
typedef bool demand_is_current_f(void *arg, struct span key, uint64_t id);
void demand_hold(struct demand *demand, const char *profile, int64_t step,
		 demand_is_current_f *is_current, demand_counts_f *counts, void *arg);

/*
 * `by` has taken the place of `key`: it is as much in demand, and for as long, though nobody has asked for it yet; `key` is not
 * wanted any more until it is asked for again. Nothing if there is no such demand, or no room.
 */
void demand_replaced(struct demand *demand, struct span key, struct span by);

/* The vendor has no such object any more: nothing to ask for again. */
void demand_gone(struct demand *demand, struct span key);

/* Forgets what was last asked for before `before` (seconds). */
void demand_expire(struct demand *demand, int64_t before);

/* ---- what is asked for ------------------------------------------------------------------------- */

struct demand_object {
	struct span key;  /* text of its record */
	struct span host; /* asked for last, "name" or "name:port" */
	bool index;
	int64_t first, last; /* seconds */
	uint64_t asked;	     /* times */
};

/* Gives what the callback returns if not 0. Spans live until the table changes. */
typedef int demand_object_f(void *arg, const struct demand_object *object);

/* Every object of a profile that was asked for since `since` by a device that counts; in no particular order. */
int demand_each_object(const struct demand *demand, const char *profile, int64_t since,
		       demand_object_f *f, void *arg);

/* ---- who asks ---------------------------------------------------------------------------------- */

/* How a device stands with a profile. */
struct demand_standing {
	char profile[DEMAND_NAME_MAX];
	int64_t last;	     /* its last request, seconds */
	int64_t updated;     /* when it got an index last; 0: never */
	uint64_t generation; /* that this index was of */
	uint64_t bytes, requests, hits, errors;
};

struct demand_device {
	char name[DEMAND_DEVICE_TEXT];
	uint8_t id[16]; /* its address, if devices are known by it */
	bool named;	/* they are */
	struct demand_link link;
	int64_t first, last;
	const struct demand_standing *standings;
	unsigned standings_n;
	uint32_t slot; /* for demand_each_pair() */
};

typedef int demand_device_f(void *arg, const struct demand_device *device);
int demand_each_device(const struct demand *demand, demand_device_f *f, void *arg);

/* An object that a device asked for, and which one it has: the id of the last one that it got whole, or 0. */
typedef int demand_pair_f(void *arg, const struct demand_object *object, int64_t last,
			  uint64_t got_id);
int demand_each_pair(const struct demand *demand, uint32_t device_slot, demand_pair_f *f,
		     void *arg);

struct demand_count {
	uint32_t objects, devices;
	uint64_t dropped; /* notes and objects for which there was no room */
};
void demand_count(const struct demand *demand, struct demand_count *ret_count);

/* ---- kept over restarts ------------------------------------------------------------------------ */

/* Fills a new table from the rows; damaged ones are left out. If they know devices in another way, those are not
 * taken. */
void demand_load(struct demand *demand, struct store_reader *reader);

/* Writes what changed since the last call, at most `rows` rows; true: there is more. */
bool demand_save(struct demand *demand, struct writer *writer, unsigned rows);

#endif
