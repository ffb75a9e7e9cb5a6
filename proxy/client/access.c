/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is noted of a request at its end: how long it took (histogram.h), and the access log ([log] access = yes), one
 * line a request, however many there are.
 *
 *	event=request device=192.0.2.7 vendor=acme method=GET host=updates.example.com path=/a?v=1 status=200
 *	bytes=65536 first_ms=0 ms=3 whole=yes cache="tarn; hit; ttl=3599"
 *
 * Nothing in it identifies an installation: of the query only what enters the key stands in it, for a host of no
 * profile nothing; no field of the request does. Times count from the request's head. A request that was carried
 * through (spliced, tunnelled) has status=0: its bytes are the splice's.
 */
#include "firmware/base/histogram.h"
#include "firmware/base/log_line.h"
#include "proxy/client/client_priv.h"

struct span access_target(const struct request *req, char text[ACCESS_TARGET_MAX])
{
	struct span path = span_head(req->path, ACCESS_TARGET_MAX - 2);
	size_t n = path.n, more = 0;

	if (n)
		memcpy(text, path.p, n);
	if (req->profile && req->head.has_query &&
	    profile_query_normalise(req->profile, req->head.query, text + n + 1,
				    ACCESS_TARGET_MAX - n - 1, &more) == 0 &&
	    more > 0) {
		text[n] = '?';
		n += 1 + more;
	}
	return span_make(text, n);
}

/* What Cache-Status said; "-" where there was none. Lives in `buf`. */
static struct span cache_of(const struct request *req, char *buf, size_t size)
{
	static const struct span name = SPAN("Cache-Status: "), end = SPAN("\r\n");
	struct head_out o = head_out_init(buf, size);
	struct cache_status status;

	if (!req->status || req->policy.route == POLICY_ROUTE_ANSWER ||
	    req->head.form == HTTP_TARGET_ASTERISK)
		return SPAN("-");
	respond_cache_status(req, &status);
	head_out_cache_status(&o, NULL, SPAN(POLICY_CACHE_NAME), &status);
	if (o.overflow || o.invalid)
		return SPAN("-");
	return span_sub(span_make(o.buf, o.len), name.n, o.len - end.n);
}

enum request_kind access_kind(const struct request *req)
{
	if (req->policy.route != POLICY_ROUTE_CACHE)
		return REQUEST_KIND_PASS;
	if (req->collapsed)
		return REQUEST_KIND_COLLAPSED;
	if (req->verdict.fwd == CACHE_FWD_NONE)
		return REQUEST_KIND_HIT;
	if (req->verdict.fwd == CACHE_FWD_STALE && req->fwd_status == 304)
		return REQUEST_KIND_REVALIDATED;
	return req->verdict.fwd == CACHE_FWD_BYPASS ? REQUEST_KIND_PASS : REQUEST_KIND_MISS;
}

/* What we answer of our own accord (errors, refusals) says nothing about how long a device waits for an update. */
static void time_note(struct request *req, bool whole)
{
	enum request_kind kind;

	if (req->timed || !req->first_ms || req->policy.route == POLICY_ROUTE_ANSWER)
		return;
	req->timed = true;
	kind = access_kind(req);
	histogram_add(STAT_REQUEST_FIRST_BYTE_FIRST, kind, req->first_ms - req->began.mono_ms);
	if (whole)
		histogram_add(STAT_REQUEST_WHOLE_FIRST, kind,
			      request_now(req).mono_ms - req->began.mono_ms);
}

static void put_line(const struct request *req, bool whole)
{
	char device[ADDR_TEXT_MAX], target[ACCESS_TARGET_MAX], cache[256];
	struct now now = request_now(req);
	uint64_t began = req->began.mono_ms;
	struct span host = span_of(req->match.host);
	struct log_line line;

	log_line_begin(&line, LOG_L_NOTICE, "request", now.wall_ms);
	log_line_word(&line, SPAN(" device="), span_of(addr_ip_format(&req->conn->device, device)));
	log_line_word(&line, SPAN(" vendor="),
		      req->profile ? span_of(profile_name(req->profile)) : SPAN("-"));
	log_line_word(&line, SPAN(" method="), span_of(http_method_text(req->head.method)));
	log_line_word(&line, SPAN(" host="), host.n ? host : SPAN("-"));
	log_line_quoted(&line, SPAN(" path="), access_target(req, target), ACCESS_TARGET_MAX);
	log_line_number(&line, SPAN(" status="), req->status);
	log_line_number(&line, SPAN(" bytes="), req->out.sent);
	log_line_number(&line, SPAN(" first_ms="),
			(req->first_ms ? req->first_ms : now.mono_ms) - began);
	log_line_number(&line, SPAN(" ms="), now.mono_ms - began);
	log_line_word(&line, SPAN(" whole="), whole ? SPAN("yes") : SPAN("no"));
	log_line_quoted(&line, SPAN(" cache="), cache_of(req, cache, sizeof(cache)), LOG_QUOTE_MAX);
	log_line_end(&line);
}

void access_log(struct request *req, bool whole)
{
	asked_note(req, whole);
	time_note(req, whole);
	if (!request_settings(req)->log.access || req->logged || !req->port)
		return;
	req->logged = true;
	put_line(req, whole);
}
