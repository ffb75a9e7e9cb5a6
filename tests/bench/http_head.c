/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to find, parse and frame a typical head, on this machine: nanoseconds a head, the
 * best of several rounds (others use the machine too). Usage: http_head [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proxy/http/cachectl.h"
#include "proxy/http/frame.h"
#include "proxy/http/scan.h"
#include "proxy/http/write.h"

#define HEADS 200000

static const struct span request = SPAN("GET /updates/index/u1313g.xml?product=11.2 HTTP/1.1\r\n"
					"Host: p07.upd.vendor.example\r\n"
					"User-Agent: updater/21.3.10.391 (linux; x86_64)\r\n"
					"Accept: */*\r\n"
					"Accept-Encoding: identity\r\n"
					"If-None-Match: \"5f3a-61a0c9b27e540\"\r\n"
					"If-Modified-Since: Sun, 22 Nov 2026 21:14:09 GMT\r\n"
					"Cache-Control: no-cache\r\n"
					"Connection: keep-alive\r\n\r\n");

static const struct span response = SPAN("HTTP/1.1 200 OK\r\n"
					 "Server: nginx\r\n"
					 "Date: Mon, 23 Nov 2026 07:48:39 GMT\r\n"
					 "Content-Type: application/octet-stream\r\n"
					 "Content-Length: 1048576\r\n"
					 "Last-Modified: Sun, 22 Nov 2026 21:14:09 GMT\r\n"
					 "ETag: \"5f3a-61a0c9b27e540\"\r\n"
					 "Accept-Ranges: bytes\r\n"
					 "Cache-Control: public, max-age=3600\r\n"
					 "Connection: keep-alive\r\n\r\n");

static struct http_head head;

static void scan(struct span text)
{
	struct head_scan s = HEAD_SCAN_REQUEST;
	size_t len;

	CHECK_OK(head_scan(&s, text.p, text.n, CONFIG_HEAD_MAX, &len));
}

static void parse(struct span text)
{
	CHECK_OK((text.p == request.p ? http_request_parse : http_response_parse)(&head, text.p,
										  text.n));
}

static void all(struct span text)
{
	struct framing f;

	scan(text);
	parse(text);
	CHECK_OK(http_framing(&head, HTTP_METHOD_GET, &f));
}

static void directives(struct span text)
{
	struct cachectl cc;

	(void)text;
	cc = cachectl_of(&head);
	CHECK(cc.present);
}

static void copy(struct span text)
{
	static char buf[4096];
	struct head_out o = head_out_init(buf, sizeof(buf));

	(void)text;
	head_out_status(&o, 200, SPAN("OK"));
	head_out_copy(&o, &head, NULL);
	CHECK_OK(head_out_end(&o));
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

typedef void work_f(struct span text);

static void measure(const char *what, work_f *work, struct span text, int rounds)
{
	double best = 1e18;

	while (rounds-- > 0) {
		double start = now_ns(), each;

		for (int i = 0; i < HEADS; i++)
			work(text);
		each = (now_ns() - start) / HEADS;
		best = each < best ? each : best;
	}
	printf("%-32s %6.0f ns, %zu bytes\n", what, best, text.n);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10;

	measure("request: find", scan, request, rounds);
	measure("request: parse", parse, request, rounds);
	measure("request: find, parse, frame", all, request, rounds);
	measure("response: find, parse, frame", all, response, rounds);
	measure("response: directives", directives, response, rounds);
	measure("response: copy to be forwarded", copy, response, rounds);
	return 0;
}
