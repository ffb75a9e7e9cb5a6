/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A head from the network. Byte 0 says request or response and the method that is answered, byte 1
 * where the input is cut in two. Held to: the end is found at the same place however the bytes come;
 * what is accepted consists of good pieces of the input; what we forward of it, our own parser
 * reads as the same message.
 */
#include "tests/fuzz/fuzz.h"
#include "proxy/http/cachectl.h"
#include "proxy/http/cond.h"
#include "proxy/http/frame.h"
#include "proxy/http/scan.h"
#include "proxy/http/write.h"

#define NOW INT64_C(1795392000)

/* head_scan() over in[0..cut), then over all of it. */
static int scan_twice(struct span in, size_t cut, bool exact, size_t *ret_start, size_t *ret_len)
{
	struct head_scan s = { .exact = exact };
	int rc = head_scan(&s, in.p, cut, CONFIG_HEAD_MAX, ret_len);

	if (rc == -EAGAIN)
		rc = head_scan(&s, in.p, in.n, CONFIG_HEAD_MAX, ret_len);
	*ret_start = s.skipped;
	return rc;
}

/* The head at the front of the input, the same for every cut. */
static int find_head(struct span in, size_t cut, bool exact, struct span *ret_head)
{
	size_t start = 0, len = 0, start2 = 0, len2 = 0;
	int rc = scan_twice(in, in.n, exact, &start, &len);

	CHECK(scan_twice(in, cut, exact, &start2, &len2) == rc);
	CHECK(start == start2 && len == len2);
	if (rc == 0)
		*ret_head = span_sub(in, start, start + len);
	return rc;
}

static void check_fields(const struct http_head *h, struct span head)
{
	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->fields[i];
		unsigned iter = 0;

		CHECK(span_lies_in(f->name, head) && span_lies_in(f->value, head));
		CHECK(http_is_token(f->name) && http_is_field_value(f->value));
		CHECK(f->id == http_field_id(f->name) && http_has(h, f->id));
		CHECK(http_field_named(h, f->name, &iter));
	}
}

static void check_request(const struct http_head *h, struct span head)
{
	struct span all[] = { h->method_name, h->target, h->scheme, h->authority,
			      h->host,	      h->path,	 h->query };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CHECK(span_lies_in(all[i], head));
	CHECK(h->authority.n > 0 || h->minor == 0);
	CHECK(h->host.n <= h->authority.n);
	CHECK(http_field_count(h, HTTP_FIELD_HOST) <= 1);
}

/* Every question that others ask of a head. None may crash; some have an answer to check. */
static void ask(const struct http_head *h)
{
	struct validators v = { .etag = { SPAN("\"a\""), false },
				.has_last_modified = true,
				.last_modified = 784111777,
				.date_is_strong = true };
	struct cachectl cc = h->is_request ? cachectl_of_request(h) : cachectl_of_response(h);
	struct range_specs specs;
	struct range_set set;

	CHECK(cc.max_age >= -1 && cc.max_age <= CACHECTL_SECONDS_MAX);
	CHECK(http_cond_evaluate(h, &v, true, NOW) <= COND_FAILED);
	if (http_range_of(h, &specs) == 0 &&
	    http_range_resolve(&specs, 1000, &set) == RANGE_SATISFIABLE)
		CHECK(set.n >= 1 && set.range[set.n - 1].last < 1000);
	(void)http_via_loops(h, SPAN("tarn"));
	(void)http_wants_upgrade(h);
}

static void check_framing(const struct http_head *h, enum http_method method)
{
	struct framing f;
	uint64_t left;

	if (http_framing(h, method, &f) == 0) {
		bool te = http_has(h, HTTP_FIELD_TRANSFER_ENCODING);

		CHECK(!te || !http_has(h, HTTP_FIELD_CONTENT_LENGTH));
		CHECK(f.kind != FRAMING_CHUNKED || te);
		CHECK(f.kind != FRAMING_LENGTH || f.has_length);
		CHECK(f.kind != FRAMING_UNTIL_CLOSE || !h->is_request);
		CHECK(!h->is_request || f.kind != FRAMING_TUNNEL);
	}
	if (h->is_request) {
		(void)!http_expects_continue(h);
		(void)!http_max_forwards(h, &left);
	}
}

/* What is forwarded means the same, and has no field of this connection any more. */
static void forward(const struct http_head *h)
{
	static char buf[2 * CONFIG_HEAD_MAX];
	static struct http_head again;
	struct head_out o = head_out_init(buf, sizeof(buf));
	unsigned kept = 0;

	if (h->is_request)
		head_out_request(&o, h->method_name, h->target);
	else
		head_out_status(&o, h->status, h->reason);
	head_out_copy(&o, h, NULL);
	head_out_via(&o, h, SPAN("tarn"));
	CHECK(head_out_end(&o) == 0);
	if (h->is_request && h->authority.n == 0)
		return; /* HTTP/1.0 without Host can't become HTTP/1.1 */
	if (h->nfields + 1 + http_field_count(h, HTTP_FIELD_VIA) > CONFIG_FIELDS_MAX)
		return;
	CHECK((h->is_request ? http_request_parse : http_response_parse)(&again, buf, o.len) == 0);
	for (unsigned i = 0; i < h->nfields; i++)
		kept += !http_hop_by_hop(h, &h->fields[i]);
	CHECK(again.nfields >= kept);
	CHECK(!http_has(&again, HTTP_FIELD_CONNECTION));
	CHECK(!http_has(&again, HTTP_FIELD_TRANSFER_ENCODING));
	if (h->is_request) {
		CHECK(span_eq(again.host, h->host) && again.port == h->port);
		CHECK(span_eq(again.path, h->path) && span_eq(again.query, h->query));
		CHECK(again.method == h->method && again.form == h->form && !again.host_differs);
	} else {
		CHECK(again.status == h->status);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head h;
	struct span in = span_make(data, size), head;
	unsigned kind = fuzz_byte(&in);
	size_t cut = fuzz_byte(&in);
	bool is_request = kind & 1;
	char *copy;
	int rc;

	if (cut > in.n)
		cut = in.n;
	if (find_head(in, cut, !is_request, &head) < 0)
		return 0;
	copy = fuzz_copy(head);
	head.p = copy;
	rc = is_request ? http_request_parse(&h, head.p, head.n)
			: http_response_parse(&h, head.p, head.n);
	CHECK(rc == 0 || http_is_refusal(rc));
	if (rc == 0) {
		CHECK(h.is_request == is_request && h.size == head.n);
		check_fields(&h, head);
		if (is_request)
			check_request(&h, head);
		check_framing(&h, (kind >> 1) % HTTP_METHOD_COUNT);
		ask(&h);
		forward(&h);
	}
	free(copy);
	return 0;
}
