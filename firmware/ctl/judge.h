/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both programs said of themselves, judged: is it working, if not why not, and what is to be done about it.
 */
#ifndef FIRMWARE_CTL_JUDGE_H
#define FIRMWARE_CTL_JUDGE_H

#include "firmware/ctl/ctl.h"

struct status {
	json_t *keeper, *proxy, *counters; /* NULL: no answer */
	int keeper_rc, proxy_rc;	   /* why not, as of ask.h */
	json_t *problems;		   /* strings: why it is not simply "working" */
	json_t *todo;			   /* strings: what to do about them */
	json_t *notes;			   /* strings: worth knowing, though it works */
	enum ctl_exit verdict;
};

/* Fills problems, todo and notes (arrays), and the verdict, of the rest. */
void status_judge(struct status *s);

/* tarn-proxy's counter of this name; -1: not known. */
double judge_counter(const struct status *s, const char *name);
bool judge_is_armed(const struct status *s);
/* Devices are served what is stored, for no vendor can be reached ([steer] offline). */
bool judge_is_offline(const struct status *s);
/* A vendor that has not been checked yet is neither reachable nor not. */
bool judge_reach_known(const json_t *row);

#endif
