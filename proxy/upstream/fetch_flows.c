/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetches of this worker, described for the admin.
 */
#include "proxy/flow.h"
#include "proxy/upstream/fetch_priv.h"

struct filling {
	struct worker *worker;
	struct flow_list *list;
};

static void describe(const struct fetch *f, struct flow *flow)
{
	flow->serial = f->serial;
	flow->peer = f->peer;
	if (f->profile)
		flow_text(flow->vendor, sizeof(flow->vendor), span_of(profile_name(f->profile)));
	flow_text(flow->host, sizeof(flow->host), span_of(f->at));
	/* A query may identify an installation. */
	flow_text(flow->path, sizeof(flow->path), span_head(f->target, span_find(f->target, '?')));
	flow->secure = f->secure;
	flow->state = fetch_step_name(f->step);
	flow->age_ms = worker_now(f->worker)->mono_ms - f->began_ms;
	if (!f->headed)
		return;
	flow->status = f->response ? f->response->status : 0;
	flow->bytes = flight_published(f->flight);
	flow->length = f->end != UINT64_MAX ? (int64_t)f->end : f->length;
}

static void add(const struct fetch *f, void *arg)
{
	struct filling *filling = arg;
	struct flow *flow = flow_list_add(filling->list, FLOW_FETCH, filling->worker);

	if (flow)
		describe(f, flow);
}

void fetch_flows(struct worker *worker, struct flow_list *list)
{
	struct filling filling = { worker, list };

	fetch_each(add, &filling);
}
