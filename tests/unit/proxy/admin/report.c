/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the admin API says: shapes of the JSON documents, Prometheus text, escaping.
 */
#include "tests/unit/proxy/rig.h"

#include "firmware/base/histogram.h"
#include "firmware/heritage.h"
#include "proxy/admin/report.h"
#include "proxy/tls/tally.h"

static char *text_of(struct evbuffer *buffer)
{
	evbuffer_add(buffer, "", 1);
	return (char *)evbuffer_pullup(buffer, -1);
}

static void metric_is(const struct stat_view *view, const char *named, const char *want)
{
	struct evbuffer *out = evbuffer_new();

	report_metric(out, view, named);
	assert_string_equal(text_of(out), want);
	evbuffer_free(out);
}

static void test_one_metric(void **state)
{
	struct stat_view counter = { "a.b-c", NULL, "help", STAT_KIND_COUNTER, 7 };
	struct stat_view gauge = { "a.b", NULL, "one\ntwo \\ \"three\"", STAT_KIND_GAUGE, -7 };
	struct stat_view late = { "a.lag_ms", NULL, "help", STAT_KIND_GAUGE, 1500 };
	struct stat_view labelled = { "a.b", "x\"y\\z\n", "help", STAT_KIND_COUNTER, 1 };

	(void)state;
	metric_is(&counter, NULL,
		  "# HELP tarn_a_b_c_total help\n# TYPE tarn_a_b_c_total counter\n"
		  "tarn_a_b_c_total 7\n");
	metric_is(&gauge, NULL,
		  "# HELP tarn_a_b one\\ntwo \\\\ \"three\"\n# TYPE tarn_a_b gauge\ntarn_a_b -7\n");
	metric_is(&late, NULL,
		  "# HELP tarn_a_lag_seconds help\n# TYPE tarn_a_lag_seconds gauge\n"
		  "tarn_a_lag_seconds 1.500\n");
	metric_is(&labelled, "a.b", "tarn_a_b_total{reason=\"x\\\"y\\\\z\\n\"} 1\n");
}

/* HELP and TYPE stand once for all of a range. */
static void test_all_metrics(void **state)
{
	struct evbuffer *out = evbuffer_new();
	unsigned types = 0;
	char *text;

	(void)state;
	stat_label(STAT_HTTP_REFUSED_FIRST, 0, "one", "help");
	stat_label(STAT_HTTP_REFUSED_FIRST, 1, "two", "help");
	STAT_ADD(STAT_REQUESTS, 3);
	report_metrics(out);
	text = text_of(out);
	assert_non_null(strstr(text, "\ntarn_requests_total 3\n"));
	assert_non_null(strstr(text, "\ntarn_http_refused_total{reason=\"one\"} 0\n"));
	assert_non_null(strstr(text, "\ntarn_http_refused_total{reason=\"two\"} 0\n"));
	for (char *at = text; (at = strstr(at, "# TYPE tarn_http_refused_total ")); at++)
		types++;
	assert_int_equal(types, 1);
	evbuffer_free(out);
}

static void test_kernel(void **state)
{
	const struct heritage_kernel figures[] = {
		{ .value = 7, .name = "syn_steered" },
		{ .value = 3, .limit = 65536, .name = "flows" },
		{ .value = 0, .name = "pass_qinq" },
	};
	struct evbuffer *out = evbuffer_new();

	(void)state;
	report_kernel(out, figures, 3);
	assert_non_null(strstr(text_of(out),
			       " counter\ntarn_kernel_events_total{event=\"syn_steered\"} 7\n"
			       "tarn_kernel_events_total{event=\"pass_qinq\"} 0\n# HELP"));
	assert_non_null(
		strstr(text_of(out), " gauge\ntarn_kernel_map_entries{map=\"flows\"} 3\n# HELP"));
	assert_non_null(
		strstr(text_of(out), " gauge\ntarn_kernel_map_limit{map=\"flows\"} 65536\n"));
	evbuffer_free(out);
}

/* Buckets are cumulated, in seconds; what is slower than all bounds is in +Inf alone. */
static void test_histogram(void **state)
{
	struct evbuffer *out = evbuffer_new();
	char *text;

	(void)state;
	histogram_add(STAT_REQUEST_WHOLE_FIRST, REQUEST_KIND_MISS, 0);
	histogram_add(STAT_REQUEST_WHOLE_FIRST, REQUEST_KIND_MISS, 2);
	histogram_add(STAT_REQUEST_WHOLE_FIRST, REQUEST_KIND_MISS, 3);
	histogram_add(STAT_REQUEST_WHOLE_FIRST, REQUEST_KIND_MISS, 60001);
	report_metrics(out);
	text = text_of(out);
	assert_non_null(strstr(text, "\n# TYPE tarn_request_whole_seconds histogram\n"));
	assert_non_null(strstr(
		text, "_seconds_bucket{outcome=\"miss\",le=\"0.001\"} 1\n"
		      "tarn_request_whole_seconds_bucket{outcome=\"miss\",le=\"0.002\"} 2\n"
		      "tarn_request_whole_seconds_bucket{outcome=\"miss\",le=\"0.005\"} 3\n"));
	assert_non_null(strstr(text,
			       "{outcome=\"miss\",le=\"60\"} 3\n"
			       "tarn_request_whole_seconds_bucket{outcome=\"miss\",le=\"+Inf\"} 4\n"
			       "tarn_request_whole_seconds_sum{outcome=\"miss\"} 60.006\n"
			       "tarn_request_whole_seconds_count{outcome=\"miss\"} 4\n"));
	assert_null(strstr(text, "request_whole_total"));
	evbuffer_free(out);
}

static void test_stat(void **state)
{
	json_t *stat = report_stat(), *rows, *row;
	bool found = false;
	size_t i;

	(void)state;
	rows = json_object_get(stat, "counters");
	assert_true(json_is_array(rows) && json_array_size(rows) > 50);
	json_array_foreach(rows, i, row)
	{
		assert_true(json_is_string(json_object_get(row, "name")));
		assert_true(json_is_string(json_object_get(row, "help")));
		assert_true(json_is_integer(json_object_get(row, "value")));
		if (strcmp(json_string_value(json_object_get(row, "name")), "conn.open") == 0) {
			assert_string_equal(json_string_value(json_object_get(row, "kind")),
					    "gauge");
			found = true;
		}
	}
	assert_true(found);
	json_decref(stat);
}

/* Alone, without store, reach and keeper, it still says what it is. */
static void test_status(void **state)
{
	struct rig rig;
	json_t *status, *saved;

	(void)state;
	rig_make(&rig, NULL, NULL);
	STAT_ADD(STAT_BYTES_TO_DEVICES, 4000);
	STAT_ADD(STAT_BYTES_FROM_VENDOR, 1000);
	status = report_status(rig.worker, worker_now(rig.worker)->mono_ms - 5300);
	assert_non_null(status);
	assert_int_equal(json_integer_value(json_object_get(status, "uptime_s")), 5);
	assert_string_equal(json_string_value(json_object_get(status, "state")), "uncached");
	saved = json_object_get(status, "saved");
	assert_true(json_real_value(json_object_get(saved, "percent")) == 75.0);
	assert_true(json_is_false(json_object_get(json_object_get(status, "intercept"), "armed")));
	assert_true(json_is_array(json_object_get(status, "reach")));
	json_decref(status);
	rig_end(&rig);
}

/* Hosts that TLS was carried to, with the profile's word about them now. */
static void test_tls(void **state)
{
	struct profile_match known = { .host = "a.v.example" }, gone = { .host = "b.example" };
	struct tally_row *row;
	struct rig rig;
	json_t *status, *tls, *hosts, *want;

	(void)state;
	rig_make(&rig, "[vendor]\nname = v\n[hosts]\nexact = a.v.example\n[tls]\nmode = refuse\n",
		 NULL);
	assert_int_equal(tally_new(&rig.proxy.tally), 0);
	row = tally_open(rig.proxy.tally, &known);
	tally_bytes(row, 3, 500);
	tally_close(rig.proxy.tally, &row);
	tally_refused(rig.proxy.tally, &gone);
	status = report_status(rig.worker, worker_now(rig.worker)->mono_ms);
	assert_non_null(status);
	tls = json_object_get(status, "tls");
	assert_int_equal(json_integer_value(json_object_get(tls, "bytes_down")), 500);
	assert_int_equal(json_integer_value(json_object_get(tls, "refused")), 1);
	hosts = json_object_get(tls, "hosts");
	assert_int_equal(json_array_size(hosts), 2);
	want = json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:i}", "host", "a.v.example", "vendor", "v",
			 "mode", "refuse", "connections", 1, "open", 0, "refused", 0, "bytes_up", 3,
			 "bytes_down", 500);
	assert_true(json_equal(json_array_get(hosts, 0), want));
	json_decref(want);
	assert_true(json_is_null(json_object_get(json_array_get(hosts, 1), "vendor")));
	assert_true(json_is_null(json_object_get(json_array_get(hosts, 1), "mode")));
	json_decref(status);
	tally_free(&rig.proxy.tally);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_metric), cmocka_unit_test(test_all_metrics),
		cmocka_unit_test(test_stat),	   cmocka_unit_test(test_status),
		cmocka_unit_test(test_tls),	   cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
