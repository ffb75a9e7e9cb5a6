/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to a head: methods, repeated fields, lists over lines, the connection; and the table
 * of refusals.
 */
#include "tests/unit/proxy/http/rows.h"

#include "firmware/base/stat.h"

#define Q  "GET / HTTP/1.1\r\nHost: a\r\n"
#define Q0 "GET / HTTP/1.0\r\n"
#define R  "HTTP/1.1 200 OK\r\n"
#define R0 "HTTP/1.0 200 OK\r\n"

static void test_methods(void **state)
{
	(void)state;
	for (unsigned m = 1; m < HTTP_METHOD_COUNT; m++)
		assert_int_equal(http_method_id(span_of(http_method_text(m))), m);
	assert_int_equal(http_method_id(SPAN("get")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_id(SPAN("OTHER")), HTTP_METHOD_OTHER);
	assert_true(http_method_is_safe(HTTP_METHOD_HEAD));
	assert_false(http_method_is_safe(HTTP_METHOD_PUT));
	assert_true(http_method_is_idempotent(HTTP_METHOD_PUT));
	assert_false(http_method_is_idempotent(HTTP_METHOD_POST));
	assert_false(http_method_is_idempotent(HTTP_METHOD_OTHER));
}

static void test_repeated_fields(void **state)
{
	const struct http_head *h =
		head_of(SPAN(R "Via: 1\r\nX: y\r\nVIA: 2, \"3,4\"\r\nVia:\r\n\r\n"));
	struct http_list l = http_list_of(h, HTTP_FIELD_VIA);
	struct span element;
	unsigned iter = 0;

	(void)state;
	assert_int_equal(http_field_count(h, HTTP_FIELD_VIA), 3);
	assert_ptr_equal(http_field_first(h, HTTP_FIELD_VIA), &h->fields[0]);
	assert_ptr_equal(http_field_next(h, HTTP_FIELD_VIA, &iter), &h->fields[0]);
	assert_ptr_equal(http_field_next(h, HTTP_FIELD_VIA, &iter), &h->fields[2]);
	assert_ptr_equal(http_field_next(h, HTTP_FIELD_VIA, &iter), &h->fields[3]);
	assert_null(http_field_next(h, HTTP_FIELD_VIA, &iter));
	assert_null(http_field_first(h, HTTP_FIELD_AGE));
	iter = 0;
	assert_null(http_field_named(h, SPAN("Age"), &iter));
	assert_null(http_field_named(h, SPAN("X-Not-There"), &iter));
	assert_true(http_list_element(&l, &element) && span_eq(element, SPAN("1")));
	assert_true(http_list_element(&l, &element) && span_eq(element, SPAN("2")));
	assert_true(http_list_element(&l, &element) && span_eq(element, SPAN("\"3,4\"")));
	assert_false(http_list_element(&l, &element));
	assert_true(http_list_has(h, HTTP_FIELD_VIA, SPAN("2")));
	assert_false(http_list_has(h, HTTP_FIELD_VIA, SPAN("4\"")));
}

struct bool_row {
	const char *rfc;
	const char *text;
	struct span head;
	bool want;
};

static const struct bool_row persistent_rows[] = {
	{ "RFC 9112 9.3", "HTTP/1.1", TEXT(Q "\r\n"), true },
	{ "RFC 9112 9.3", "close", TEXT(Q "Connection: close\r\n\r\n"), false },
	{ "RFC 9112 9.3", "close among others", TEXT(Q "Connection: keep-alive,CLOSE\r\n\r\n"),
	  false },
	{ "RFC 9112 9.3", "close on the second line",
	  TEXT(R "Connection: x\r\nConnection: close\r\n\r\n"), false },
	{ "RFC 9112 9.3", "not quite close", TEXT(R "Connection: closed\r\n\r\n"), true },
	{ "RFC 9112 9.3", "HTTP/1.0", TEXT(Q0 "\r\n"), false },
	{ "RFC 9112 9.3", "HTTP/1.0 with keep-alive", TEXT(Q0 "Connection: Keep-Alive\r\n\r\n"),
	  true },
	{ "RFC 9112 9.3", "HTTP/1.0 to a proxy",
	  TEXT("GET http://a/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), false },
	{ "RFC 9112 9.3", "HTTP/1.0 response", TEXT(R0 "Connection: keep-alive\r\n\r\n"), true },
	{ "RFC 9110 2.5", "HTTP/1.7", TEXT("HTTP/1.7 200 OK\r\n\r\n"), true },
};

static void test_persistence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(persistent_rows); i++)
		ROW_NUMBER(&persistent_rows[i], "persistent",
			   http_persistent(head_of(persistent_rows[i].head)),
			   persistent_rows[i].want);
}

static const struct bool_row upgrade_rows[] = {
	{ "RFC 9110 7.8", "both", TEXT(Q "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
	  true },
	{ "RFC 9110 7.8", "no Connection", TEXT(Q "Upgrade: websocket\r\n\r\n"), false },
	{ "RFC 9110 7.8", "no Upgrade", TEXT(Q "Connection: upgrade\r\n\r\n"), false },
	{ "RFC 9110 7.8", "HTTP/1.0", TEXT(Q0 "Connection: upgrade\r\nUpgrade: x\r\n\r\n"), false },
};

static void test_upgrade(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(upgrade_rows); i++)
		ROW_NUMBER(&upgrade_rows[i], "upgrade",
			   http_wants_upgrade(head_of(upgrade_rows[i].head)), upgrade_rows[i].want);
}

/* Statuses are real, labels are unique: each refusal is one counter. */
static void test_refusals(void **state)
{
	(void)state;
	assert_false(http_is_refusal(0));
	assert_false(http_is_refusal(-EAGAIN));
	assert_false(http_is_refusal(-HTTP_REFUSAL_END_));
	http_refusal_label_counters();
	for (int rc = -HTTP_REFUSAL_BASE; rc > -HTTP_REFUSAL_END_; rc--) {
		const struct http_refusal_info *info = http_refusal_info(rc);
		enum stat_id id = STAT_HTTP_REFUSED_FIRST + (unsigned)(-rc - HTTP_REFUSAL_BASE);

		assert_true(http_is_refusal(rc));
		assert_true(info->status >= 400 && info->status < 600);
		assert_true(span_starts(span_of(info->rfc), SPAN("RFC ")));
		for (int other = -HTTP_REFUSAL_BASE; other > rc; other--)
			assert_string_not_equal(http_refusal_info(other)->label, info->label);
		http_refusal_count(rc);
		assert_int_equal(stat_read(id), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods),	    cmocka_unit_test(test_repeated_fields),
		cmocka_unit_test(test_persistence), cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
