/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom an answered request was for: how the device's frames look, as far as the keeper has seen them, what it calls
 * itself, and whether it counts for fetching ahead ([scope] ahead, not_ahead). The control loop's alone; bounded; nothing of
 * it is kept or shown.
 */
#ifndef TARN_PROXY_SYNC_WHOM_H
#define TARN_PROXY_SYNC_WHOM_H

#include "firmware/base/scope.h"

struct demand_device;
struct heritage_station;
struct tarn_settings;
struct worker;
struct whom;

/* 0 or -ENOMEM. */
MUST_USE int whom_new(struct worker *control, struct whom **ret_whom);
void whom_free(struct whom **whom);

/* What is known of a device; the keeper is asked about one that is new or was told of long ago. */
void whom_look(struct whom *whom, const uint8_t device[16], struct scope_who *ret_who);
/* The same, without asking. */
void whom_peek(const struct whom *whom, const uint8_t device[16], struct scope_who *ret_who);
/*
 * What it calls itself: letters, digits, '-', '_', '.' and '?' for all else; "" if that is not known, or not to be. By mDNS
 * before DHCP: it is the device's own word of its address, not of its frames.
 */
const char *whom_name(const struct whom *whom, const uint8_t device[16]);
/* What a device said of itself by mDNS. Of devices that have asked for nothing, too: they say it at their start. */
void whom_heard(struct whom *whom, const uint8_t device[16], const char *name);
/* Forgets that, where it is not wanted any more. */
void whom_reload(struct whom *whom);
/* The keeper's word. */
void whom_told(struct whom *whom, const struct heritage_station *station);

/* What is known of a device of the demand table, which knows it by its address. */
void whom_known(const struct demand_device *device, struct scope_who *ret_who);

/* Is fetched ahead for it? What is not known yet but may still be told counts against it. */
bool whom_counts(const struct whom *whom, const uint8_t device[16], const struct scope_who *who);

#endif
