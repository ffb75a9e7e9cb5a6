/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of this worker that are being answered, described for the admin.
 */
#include "proxy/flow.h"

#include "firmware/base/histogram.h"
#include "proxy/client/client_priv.h"

static const char *step_name(enum request_step step)
{
	static const char *const names[] = {
#define X(name, text, help) [REQUEST_##name] = text,
		REQUEST_STEPS(X)
#undef X
	};
	return names[step];
}

static const char *kind_name(enum request_kind kind)
{
	static const char *const names[] = {
#define X(name, label) [REQUEST_KIND_##name] = label,
		REQUEST_KINDS(X)
#undef X
	};
	return names[kind];
}

/* Of the body, as far as its end is known. */
static int64_t length_of(const struct request *req)
{
	const struct deliver *out = &req->out;

	if (!req->status || out->parts || out->end == UINT64_MAX)
		return -1;
	return (int64_t)(out->sent + out->end - out->pos);
}

static void describe(const struct request *req, struct flow *flow)
{
	char target[ACCESS_TARGET_MAX];

	flow->serial = req->serial;
	flow->peer = req->conn->device;
	flow->secure = req->conn->secure;
	flow->state = req->port ? step_name(req->step) : step_name(REQUEST_READ_HEAD);
	flow->age_ms = request_now(req).mono_ms - req->began.mono_ms;
	flow->status = req->status;
	flow->bytes = req->out.sent;
	if (!req->port)
		return; /* whose it is is not known yet */
	if (req->profile)
		flow_text(flow->vendor, sizeof(flow->vendor), span_of(profile_name(req->profile)));
	flow_text(flow->host, sizeof(flow->host), span_of(req->match.host));
	flow_text(flow->path, sizeof(flow->path), access_target(req, target));
	if (!req->status)
		return;
	flow->outcome = kind_name(access_kind(req));
	flow->length = length_of(req);
}

void client_flows(struct worker *worker, struct flow_list *list)
{
	const struct conn *conn;

	TAILQ_FOREACH(conn, &worker->client->conns, link)
	{
		struct flow *flow;

		list->connections++;
		if (!conn->req) {
			list->idle++;
			continue;
		}
		flow = flow_list_add(list, FLOW_REQUEST, worker);
		if (flow)
			describe(conn->req, flow);
	}
}
