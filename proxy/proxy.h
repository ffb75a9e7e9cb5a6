/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all threads of tarn-proxy share. Made by main() before the workers start, freed after they ended;
 * each pointer is constant in between. The rooms do their own locking.
 */
#ifndef TARN_PROXY_PROXY_H
#define TARN_PROXY_PROXY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "proxy/pseudonym.h"

struct proxy {
	char pseudonym[PSEUDONYM_MAX];	   /* ours, in Via */
	struct worker *control;		   /* proxy/loop.h */
	struct workers *workers;	   /* proxy/loop.h; control loop's alone */
	struct store *store;		   /* cache/store.h */
	struct writer *writer;		   /* cache/writer.h */
	struct scrub *scrub;		   /* cache/scrub.h */
	struct flights *flights;	   /* cache/flight.h */
	struct generations *generations;   /* proxy/generation.h; NULL: objects have none */
	struct intake *intake;		   /* proxy/sync/intake.h; NULL: nothing is noted */
	struct sync *sync;		   /* proxy/sync/sync.h; control loop's alone */
	struct imports *imports;	   /* proxy/carry/import.h; control loop's alone */
	struct resolver *resolver;	   /* proxy/dns/resolve.h */
	struct reach *reach;		   /* proxy/dns/reach.h; control loop's alone */
	struct hellos *hellos;		   /* proxy/tls/hello.h */
	struct tally *tally;		   /* proxy/tls/tally.h */
	struct leaves *leaves;		   /* proxy/tls/leaves.h */
	struct verdicts *verdicts;	   /* proxy/upstream/verdict.h */
	struct tls_server *tls_server;	   /* proxy/tls/server.h */
	struct distrust *distrust;	   /* proxy/tls/distrust.h */
	struct balance *balance;	   /* proxy/upstream/balance.h */
	struct parents *parents;	   /* proxy/upstream/parent.h; NULL: there are none */
	struct parent_check *parent_check; /* proxy/upstream/parent_check.h; control loop's alone */
	struct events *events;		   /* proxy/admin/events.h; control loop's alone */
	struct history *history;	   /* proxy/admin/history.h; control loop's alone */
	struct keeper
		*keeper; /* proxy/heritage_client.h; control loop's alone; NULL: we run alone */
	/* What goes to intercepted devices leaves this machine: the keeper says so. */
	_Atomic bool far;
};

#endif
