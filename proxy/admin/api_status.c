/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: the state as a whole, every counter, metrics, and why.
 */
#include "proxy/admin/admin.h"
#include "proxy/admin/question.h"
#include "proxy/admin/report.h"
#include "proxy/admin/route.h"
#include "proxy/admin/selftests.h"
#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static void get_status(struct admin_ask *ask)
{
	json_t *status = report_status(ask->control, admin_started_ms(ask->admin));

	if (status && json_object_set_new(status, "selftest",
					  selftests_json(admin_selftests(ask->admin))) < 0) {
		json_decref(status);
		status = NULL;
	}
	admin_answer_json(ask, 200, status);
}

static void get_stat(struct admin_ask *ask)
{
	admin_answer_json(ask, 200, report_stat());
}

static void get_metrics(struct admin_ask *ask)
{
	const struct heritage_kernel *figures = NULL;
	struct evbuffer *body = evbuffer_new();
	size_t n = keeper_kernel(ask->control->proxy->keeper, &figures);

	if (!body)
		return admin_answer_errno(ask, -ENOMEM);
	report_metrics(body);
	report_kernel(body, figures, n);
	admin_answer_bytes(ask, METRICS_TYPE, body);
	evbuffer_free(body);
}

static void get_why(struct admin_ask *ask)
{
	const char *error = "";
	json_t *json = NULL;
	int rc = question_answer(ask->control, ask->query, &json, &error);

	if (rc == 0)
		admin_answer_json(ask, 200, json);
	else if (rc == -EINVAL)
		admin_answer_error(ask, 400, "question", "%s", error);
	else
		admin_answer_errno(ask, rc);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/status", ADMIN_VIEW, get_status },
	{ ADMIN_GET, "/api/v1/stat", ADMIN_VIEW, get_stat },
	{ ADMIN_GET, "/api/v1/why", ADMIN_VIEW, get_why },
	{ ADMIN_GET, "/metrics", ADMIN_VIEW, get_metrics },
};
ADMIN_TABLE(status, routes);
