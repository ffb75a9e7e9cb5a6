/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages whose end, or whose meaning, two readers could see differently, and what has to become of each.
 *
 * In a message $T is the target that this round uses (origin-form to an update source, absolute-form to a proxy), $A
 * the origin's address and port, $Pn; stands for n letters, $Fn; for n field lines. Behind each
 * message the tool sends one request more: for /smuggled behind a message that must be refused, for
 * /last behind one that must be accepted.
 */
#ifndef TESTS_TOOLS_SMUGGLE_CASES_H
#define TESTS_TOOLS_SMUGGLE_CASES_H

#define G  "GET $T HTTP/1.1\r\n"
#define P  "POST $T HTTP/1.1\r\n"
#define H  "Host: x\r\n"
#define E  "\r\n"
#define TE "Transfer-Encoding: chunked\r\n"

/* X(name, raw): see the lists below. */
enum smuggle_kind {
	REFUSED,      /* the head is refused: status, counter http.refused.<label>, closed */
	REFUSED_BODY, /* the head is good, the body is not; nothing whole arrives */
	ACCEPTED,     /* `arrive` requests arrive, each is answered 200 */
	LOCAL, /* answered here with `status`; nothing arrives; the label's counter, if any */
};

enum smuggle_flag {
	ENDS = 1,      /* an accepted message after which the connection is closed */
	TO_PROXY = 2,  /* only in the absolute-form's rounds */
	TO_SOURCE = 4, /* only in the origin-form's rounds */
};

struct smuggle_case {
	const char *name;
	const char *raw;
	size_t n;
	enum smuggle_kind kind;
	unsigned status;
	const char *label;
	unsigned arrive; /* requests that reach the origin (before the refused one) */
	unsigned flags;
};

#define BAD(name_, status_, label_, raw_)                                                          \
	{                                                                                          \
		.name = name_, .raw = raw_, .n = sizeof(raw_) - 1, .kind = REFUSED,                \
		.status = status_, .label = label_                                                 \
	}
#define BAD_TO(name_, status_, label_, flags_, raw_)                                               \
	{                                                                                          \
		.name = name_, .raw = raw_, .n = sizeof(raw_) - 1, .kind = REFUSED,                \
		.status = status_, .label = label_, .flags = flags_                                \
	}
#define BAD_AFTER(name_, arrive_, status_, label_, raw_)                                           \
	{                                                                                          \
		.name = name_, .raw = raw_, .n = sizeof(raw_) - 1, .kind = REFUSED,                \
		.status = status_, .label = label_, .arrive = arrive_                              \
	}
#define BODY(name_, status_, label_, raw_)                                                         \
	{                                                                                          \
		.name = name_, .raw = P H TE E raw_, .n = sizeof(P H TE E raw_) - 1,               \
		.kind = REFUSED_BODY, .status = status_, .label = label_                           \
	}
#define GOOD(name_, arrive_, flags_, raw_)                                                         \
	{                                                                                          \
		.name = name_, .raw = raw_, .n = sizeof(raw_) - 1, .kind = ACCEPTED,               \
		.status = 200, .arrive = arrive_, .flags = flags_                                  \
	}
#define HERE(name_, status_, label_, flags_, raw_)                                                 \
	{                                                                                          \
		.name = name_, .raw = raw_, .n = sizeof(raw_) - 1, .kind = LOCAL,                  \
		.status = status_, .label = label_, .flags = flags_                                \
	}
/* With Content-Length: v, and a body of five bytes. */
#define LENGTH(name_, label_, v) BAD(name_, 400, label_, P H "Content-Length: " v "\r\n\r\nhello")
#define CODING(name_, status_, label_, v)                                                          \
	BAD(name_, status_, label_, P H "Transfer-Encoding: " v "\r\n\r\n0\r\n\r\n")

static const struct smuggle_case smuggle_cases[] = {
	/* ---- both lengths */
	BAD("Content-Length and Transfer-Encoding", 400, "length_and_coding",
	    P H "Content-Length: 4\r\n" TE E "0\r\n\r\n"),
	BAD("Transfer-Encoding and Content-Length", 400, "length_and_coding",
	    P H TE "Content-Length: 4\r\n" E "0\r\n\r\n"),
	BAD("Content-Length: 0 and Transfer-Encoding", 400, "length_and_coding",
	    P H TE "Content-Length: 0\r\n" E "0\r\n\r\n"),
	BAD("both, in a GET", 400, "length_and_coding",
	    G H TE "Content-Length: 4\r\n" E "0\r\n\r\n"),
	BAD("both, in other cases of letters", 400, "length_and_coding",
	    P H "tRANSFER-eNCODING: CHUNKED\r\ncontent-length: 4\r\n" E "0\r\n\r\n"),
	BAD("both, far apart", 400, "length_and_coding",
	    P H "Content-Length: 4\r\n$F100;" TE E "0\r\n\r\n"),
	BAD("both, in HTTP/1.0", 400, "coding_in_http10",
	    "POST $T HTTP/1.0\r\n" H "Content-Length: 4\r\n" TE E "0\r\n\r\n"),
	BAD("a length and a coding that is none", 400, "transfer_encoding",
	    P H "Content-Length: 4\r\nTransfer-Encoding: x\r\n" E "hell"),
	BAD("a length and an empty coding", 400, "transfer_encoding",
	    P H "Content-Length: 4\r\nTransfer-Encoding:\r\n" E "hell"),
	BAD("both, the coding hidden by Connection", 400, "length_and_coding",
	    P H "Connection: Transfer-Encoding\r\n" TE "Content-Length: 4\r\n" E "0\r\n\r\n"),
	BAD("both, the length hidden by Connection", 400, "length_and_coding",
	    P H "Connection: Content-Length\r\n" TE "Content-Length: 4\r\n" E "0\r\n\r\n"),

	/* ---- Content-Length */
	BAD("two different lengths", 400, "content_length_conflict",
	    P H "Content-Length: 5\r\nContent-Length: 6\r\n" E "hello"),
	BAD("twice the same length", 400, "content_length_conflict",
	    P H "Content-Length: 5\r\nContent-Length: 5\r\n" E "hello"),
	BAD("two lengths, cases differ", 400, "content_length_conflict",
	    P H "Content-Length: 5\r\ncontent-length: 0\r\n" E "hello"),
	LENGTH("a list of the same length", "content_length_conflict", "5, 5"),
	LENGTH("a list of lengths", "content_length_conflict", "5,6"),
	LENGTH("a length and a comma", "content_length_conflict", "5,"),
	LENGTH("a length with plus", "content_length", "+5"),
	LENGTH("a negative length", "content_length", "-5"),
	LENGTH("minus nothing", "content_length", "-0"),
	LENGTH("a hexadecimal length", "content_length", "0x5"),
	LENGTH("a length in hexadecimal letters", "content_length", "a"),
	LENGTH("an empty length", "content_length", ""),
	LENGTH("a length with a space inside", "content_length", "0 5"),
	LENGTH("a length with a tab inside", "content_length", "0\t5"),
	LENGTH("a length with a fraction", "content_length", "5.0"),
	LENGTH("a length with an exponent", "content_length", "5e0"),
	LENGTH("a length in quotes", "content_length", "\"5\""),
	LENGTH("a length with a parameter", "content_length", "5;x=y"),
	LENGTH("a length of 2^63", "content_length", "9223372036854775808"),
	LENGTH("a length of 2^64 + 5", "content_length", "18446744073709551621"),
	LENGTH("a length of 40 digits", "content_length",
	       "0000000000111111111122222222223333333333"),
	LENGTH("a length in other digits", "content_length", "\xd9\xa5"),
	LENGTH("a length behind a vertical tab", "field_value_invalid", "\v5"),
	LENGTH("a length behind a form feed", "field_value_invalid", "\f5"),
	LENGTH("a length and a NUL", "field_value_invalid", "5\0"),
	BAD("a length with space before its colon", 400, "field_name_space",
	    P H "Content-Length : 5\r\n" E "hello"),
	BAD("a folded length", 400, "obs_fold", P H "Content-Length:\r\n 5\r\n" E "hello"),
	BAD("a length for CONNECT", 400, "content_length",
	    "CONNECT $A HTTP/1.1\r\n" H "Content-Length: 5\r\n" E "hello"),
	BAD("a coding for CONNECT", 400, "transfer_encoding",
	    "CONNECT $A HTTP/1.1\r\n" H TE E "0\r\n\r\n"),

	/* ---- Transfer-Encoding */
	BAD("two codings, in two lines", 400, "transfer_encoding", P H TE TE E "0\r\n\r\n"),
	CODING("chunked twice", 400, "transfer_encoding", "chunked, chunked"),
	CODING("chunked is not the last", 400, "transfer_encoding", "chunked, identity"),
	CODING("identity", 400, "transfer_encoding", "identity"),
	CODING("gzip alone", 400, "transfer_encoding", "gzip"),
	CODING("gzip, then chunked", 501, "transfer_coding_unknown", "gzip, chunked"),
	CODING("identity, then chunked", 501, "transfer_coding_unknown", "identity, chunked"),
	CODING("an empty coding", 400, "transfer_encoding", ""),
	CODING("chunked with a parameter", 400, "transfer_encoding", "chunked;q=1"),
	CODING("chunked in quotes", 400, "transfer_encoding", "\"chunked\""),
	CODING("chunked with a letter before", 400, "transfer_encoding", "xchunked"),
	CODING("chunked with a letter behind", 400, "transfer_encoding", "chunkedx"),
	CODING("chunked in two words", 400, "transfer_encoding", "chunk ed"),
	CODING("chunked with a semicolon before", 400, "transfer_encoding", ";chunked"),
	CODING("chunked behind a vertical tab", 400, "field_value_invalid", "\vchunked"),
	CODING("chunked and a NUL", 400, "field_value_invalid", "chunked\0"),
	CODING("chunked and a bare CR", 400, "bare_cr", "chunked\rx"),
	CODING("chunked and a no-break space", 400, "transfer_encoding", "chunked\xa0"),
	BAD("a coding with space before its colon", 400, "field_name_space",
	    P H "Transfer-Encoding : chunked\r\n" E "0\r\n\r\n"),
	BAD("a coding with a tab before its colon", 400, "field_name_space",
	    P H "Transfer-Encoding\t: chunked\r\n" E "0\r\n\r\n"),
	BAD("a folded coding", 400, "obs_fold",
	    P H "Transfer-Encoding:\r\n chunked\r\n" E "0\r\n\r\n"),
	BAD("a coding behind a folded field", 400, "obs_fold",
	    P H "A: b\r\n Transfer-Encoding: chunked\r\n" E "0\r\n\r\n"),
	BAD("a coding behind a bare LF", 400, "bare_lf",
	    P H "A: b\nTransfer-Encoding: chunked\r\n" E "0\r\n\r\n"),
	BAD("a coding behind a bare CR", 400, "bare_cr",
	    P H "A: b\rTransfer-Encoding: chunked\r\n" E "0\r\n\r\n"),
	BAD("a coding in HTTP/1.0", 400, "coding_in_http10",
	    "POST $T HTTP/1.0\r\n" H TE E "0\r\n\r\n"),

	/* ---- chunks */
	BODY("a chunk without size", 400, "chunk_size", "\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size that is no number", 400, "chunk_size", "g\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size with 0x", 400, "chunk_size", "0x5\r\nhello\r\n0\r\n\r\n"),
	BODY("a negative chunk size", 400, "chunk_size", "-5\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size with plus", 400, "chunk_size", "+5\r\nhello\r\n0\r\n\r\n"),
	BODY("a space before the chunk size", 400, "chunk_size", " 5\r\nhello\r\n0\r\n\r\n"),
	BODY("a space behind the chunk size", 400, "chunk_extension", "5 \r\nhello\r\n0\r\n\r\n"),
	BODY("a tab behind the chunk size", 400, "chunk_extension", "5\t\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size of 17 digits", 400, "chunk_size",
	     "00000000000000005\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size beyond 2^64", 400, "chunk_size",
	     "10000000000000005\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size of 2^64 - 1", 400, "chunk_size",
	     "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size of 2^63", 400, "chunk_size", "8000000000000000\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size with an underscore", 400, "chunk_size", "0_5\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size and a NUL", 400, "chunk_size", "5\0\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size and a comma", 400, "chunk_size", "5,5\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size ended by LF", 400, "bare_lf", "5\nhello\r\n0\r\n\r\n"),
	BODY("a chunk size ended by CR", 400, "bare_cr", "5\rhello\r\n0\r\n\r\n"),
	BODY("a chunk size ended by CR CR LF", 400, "bare_cr", "5\r\r\nhello\r\n0\r\n\r\n"),
	BODY("a last chunk ended by LF", 400, "bare_lf", "5\r\nhello\r\n0\n\r\n"),
	BODY("a body ended by LF", 400, "bare_lf", "5\r\nhello\r\n0\r\n\n"),
	BODY("a body ended by CR", 400, "bare_cr", "5\r\nhello\r\n0\r\n\rx"),
	BODY("a chunk longer than its size", 400, "chunk_end", "5\r\nhello world\r\n0\r\n\r\n"),
	BODY("a chunk shorter than its size", 400, "bare_lf", "6\r\nhello\r\n0\r\n\r\n"),
	BODY("a chunk ended by LF", 400, "bare_lf", "5\r\nhello\n0\r\n\r\n"),
	BODY("a chunk ended by CR", 400, "bare_cr", "5\r\nhello\r0\r\n\r\n"),
	BODY("an extension without name", 400, "chunk_extension", "5;\r\nhello\r\n0\r\n\r\n"),
	BODY("an extension with a value and no name", 400, "chunk_extension",
	     "5;=b\r\nhello\r\n0\r\n\r\n"),
	BODY("an extension without its value", 400, "chunk_extension",
	     "5;a=\r\nhello\r\n0\r\n\r\n"),
	BODY("an extension ended by LF", 400, "bare_lf", "5;a\nhello\r\n0\r\n\r\n"),
	BODY("an extension ended by CR", 400, "bare_cr", "5;a\rx\r\nhello\r\n0\r\n\r\n"),
	BODY("CR LF in an extension's quotes", 400, "chunk_extension",
	     "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n"),
	BODY("an escaped CR in an extension's quotes", 400, "chunk_extension",
	     "5;a=\"\\\r\n\"\r\nhello\r\n0\r\n\r\n"),
	BODY("LF in an extension's quotes", 400, "bare_lf", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
	BODY("an extension whose quotes stay open", 400, "chunk_extension",
	     "5;a=\"b\r\nhello\r\n0\r\n\r\n"),
	BODY("a NUL in an extension", 400, "chunk_extension", "5;a\0\r\nhello\r\n0\r\n\r\n"),
	BODY("an extension too long", 400, "chunk_extension_long",
	     "5;$P2000;\r\nhello\r\n0\r\n\r\n"),
	BODY("a request in place of the trailers", 400, "field_name_space",
	     "5\r\nhello\r\n0\r\nGET :/smuggled HTTP/1.1\r\n\r\n"),
	BODY("a trailer without colon", 400, "field_no_colon", "0\r\nabc\r\n\r\n"),
	BODY("a trailer without name", 400, "field_name_empty", "0\r\n: abc\r\n\r\n"),
	BODY("a folded trailer", 400, "obs_fold", "0\r\nA: b\r\n c\r\n\r\n"),
	BODY("a trailer that begins with a space", 400, "leading_space", "0\r\n A: b\r\n\r\n"),
	BODY("a trailer with space before its colon", 400, "field_name_space",
	     "0\r\nA : b\r\n\r\n"),
	BODY("a trailer with a NUL", 400, "field_value_invalid", "0\r\nA: \0\r\n\r\n"),
	BODY("a trailer ended by LF", 400, "bare_lf", "0\r\nA: b\n\r\n"),
	BODY("trailers too large", 431, "trailer_too_large", "0\r\nA: $P9000;\r\n\r\n"),

	/* ---- ends of lines */
	BAD("all lines end with LF", 400, "bare_lf", "GET $T HTTP/1.1\nHost: x\n\n"),
	BAD("the request line ends with LF", 400, "bare_lf", "GET $T HTTP/1.1\n" H E),
	BAD("a field ends with LF", 400, "bare_lf", G "Host: x\n" E),
	BAD("the head ends with LF", 400, "bare_lf", G H "\n"),
	BAD("LF before the request", 400, "bare_lf", "\n" G H E),
	BAD("CR before the request", 400, "bare_cr", "\r" G H E),
	BAD("two empty lines before the request", 400, "request_line", "\r\n\r\n" G H E),
	BAD("CR CR LF behind a field", 400, "bare_cr", G "Host: x\r\r\n" E),
	BAD("CR CR LF behind the request line", 400, "bare_cr", "GET $T HTTP/1.1\r\r\n" H E),
	BAD("CR in a value", 400, "bare_cr", G H "A: b\rc: d\r\n" E),
	BAD("CR in a name", 400, "bare_cr", G H "A\rb: c\r\n" E),
	BAD("CR in the request line", 400, "bare_cr", "GET $T\rx HTTP/1.1\r\n" H E),
	BAD("LF in the request line", 400, "bare_lf", "GET $T\nx HTTP/1.1\r\n" H E),
	BAD("CR LF in the request line", 400, "request_line", "GET $T\r\nx HTTP/1.1\r\n" H E),

	/* ---- fields */
	BAD("a folded field, by a space", 400, "obs_fold", G H "A: b\r\n c\r\n" E),
	BAD("a folded field, by a tab", 400, "obs_fold", G H "A: b\r\n\tc\r\n" E),
	BAD("a folded Host", 400, "obs_fold", G "Host: x\r\n y\r\n" E),
	BAD("a space before the first field", 400, "leading_space", G " Host: x\r\n" E),
	BAD("a tab before the first field", 400, "leading_space", G "\tHost: x\r\n" E),
	BAD("a line of spaces before the end", 400, "obs_fold", G H "  \r\n" E),
	BAD("space before a colon", 400, "field_name_space", G "Host : x\r\n" E),
	BAD("a field without colon", 400, "field_no_colon", G H "abc\r\n" E),
	BAD("a field without name", 400, "field_name_empty", G H ": b\r\n" E),
	BAD("a space in a name", 400, "field_name_invalid", G H "A b: c\r\n" E),
	BAD("a slash in a name", 400, "field_name_invalid", G H "A/b: c\r\n" E),
	BAD("quotes around a name", 400, "field_name_invalid", G H "\"A\": c\r\n" E),
	BAD("brackets in a name", 400, "field_name_invalid", G H "A[b]: c\r\n" E),
	BAD("a NUL in a name", 400, "field_name_invalid", G H "A\0b: c\r\n" E),
	BAD("an octet above 127 in a name", 400, "field_name_invalid", G H "A\xc2: c\r\n" E),
	BAD("a control octet in a name", 400, "field_name_invalid", G H "A\x01: c\r\n" E),
	BAD("a NUL in a value", 400, "field_value_invalid", G H "A: b\0c\r\n" E),
	BAD("a bell in a value", 400, "field_value_invalid", G H "A: b\ac\r\n" E),
	BAD("an escape in a value", 400, "field_value_invalid", G H "A: \x1b[31m\r\n" E),
	BAD("DEL in a value", 400, "field_value_invalid", G H "A: \x7f\r\n" E),
	BAD("more fields than a head may have", 431, "too_many_fields", G H "$F300;" E),
	BAD("a head that is too large", 431, "head_too_large", G H "A: $P70000;\r\n" E),
	BAD("Connection too long", 431, "connection_too_long", G H "Connection: $P2000;\r\n" E),

	/* ---- Host */
	BAD("no Host", 400, "host_missing", G E),
	BAD("two Hosts", 400, "host_duplicate", G H "Host: y\r\n" E),
	BAD("twice the same Host", 400, "host_duplicate", G H H E),
	BAD("two Hosts, cases differ", 400, "host_duplicate", G H "hOST: x\r\n" E),
	BAD("an empty Host", 400, "host_invalid", G "Host:\r\n" E),
	BAD("a list of Hosts", 400, "host_invalid", G "Host: x, y\r\n" E),
	BAD("a space in Host", 400, "host_invalid", G "Host: x y\r\n" E),
	BAD("a path in Host", 400, "host_invalid", G "Host: x/y\r\n" E),
	BAD("a user in Host", 400, "host_invalid", G "Host: u@x\r\n" E),
	BAD("a URI in Host", 400, "host_invalid", G "Host: http://x\r\n" E),
	BAD("a port too large in Host", 400, "host_invalid", G "Host: x:65536\r\n" E),
	BAD("two ports in Host", 400, "host_invalid", G "Host: x:80:80\r\n" E),
	BAD("a port that is no number", 400, "host_invalid", G "Host: x:8a\r\n" E),
	BAD("an open bracket in Host", 400, "host_invalid", G "Host: [::1\r\n" E),
	BAD("an empty label in Host", 400, "host_invalid", G "Host: x..y\r\n" E),
	BAD("a percent sign in Host", 400, "host_invalid", G "Host: x%2ey\r\n" E),
	BAD("a NUL in Host", 400, "field_value_invalid", G "Host: x\0y\r\n" E),
	BAD("a Host of 300 letters", 400, "host_invalid", G "Host: $P300;\r\n" E),

	/* ---- the request line */
	BAD("two spaces behind the method", 400, "request_line", "GET  $T HTTP/1.1\r\n" H E),
	BAD("two spaces before the version", 400, "request_line", "GET $T  HTTP/1.1\r\n" H E),
	BAD("a tab behind the method", 400, "request_line", "GET\t$T HTTP/1.1\r\n" H E),
	BAD("a tab before the version", 400, "request_line", "GET $T\tHTTP/1.1\r\n" H E),
	BAD("a vertical tab behind the method", 400, "request_line", "GET\v$T HTTP/1.1\r\n" H E),
	BAD("a space before the method", 400, "request_line", " GET $T HTTP/1.1\r\n" H E),
	BAD("a space behind the version", 400, "request_line", "GET $T HTTP/1.1 \r\n" H E),
	BAD("a tab behind the version", 400, "bad_version", "GET $T HTTP/1.1\t\r\n" H E),
	BAD("no version", 400, "request_line", "GET $T\r\n" H E),
	BAD("a method alone", 400, "request_line", "GET\r\n" H E),
	BAD("another word in the line", 400, "request_line", "GET $T x HTTP/1.1\r\n" H E),
	BAD("HTTP/0.9", 505, "version", "GET $T HTTP/0.9\r\n" H E),
	BAD("HTTP/2.0", 505, "version", "GET $T HTTP/2.0\r\n" H E),
	BAD("HTTP/9.9", 505, "version", "GET $T HTTP/9.9\r\n" H E),
	BAD("the preface of HTTP/2", 505, "http2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	BAD("a version in small letters", 400, "bad_version", "GET $T http/1.1\r\n" H E),
	BAD("HTTP/1.10", 400, "bad_version", "GET $T HTTP/1.10\r\n" H E),
	BAD("HTTP/01.1", 400, "bad_version", "GET $T HTTP/01.1\r\n" H E),
	BAD("HTTP/1.", 400, "bad_version", "GET $T HTTP/1.\r\n" H E),
	BAD("HTTP/1", 400, "bad_version", "GET $T HTTP/1\r\n" H E),
	BAD("HTTP/1,1", 400, "bad_version", "GET $T HTTP/1,1\r\n" H E),
	BAD("HTTP/+1.1", 400, "bad_version", "GET $T HTTP/+1.1\r\n" H E),
	BAD("another protocol", 400, "bad_version", "GET $T RTSP/1.0\r\n" H E),
	BAD("a method with a bracket", 400, "method", "G(T $T HTTP/1.1\r\n" H E),
	BAD("a method with a colon", 400, "method", "GET: $T HTTP/1.1\r\n" H E),
	BAD("a method with quotes", 400, "method", "\"GET\" $T HTTP/1.1\r\n" H E),
	BAD("a method above 127", 400, "method", "G\xc3\x89T $T HTTP/1.1\r\n" H E),
	BAD("a method of 40 letters", 400, "method", "$P40; $T HTTP/1.1\r\n" H E),
	BAD("a method with a NUL", 400, "request_line", "GE\0T $T HTTP/1.1\r\n" H E),
	BAD("a NUL in the target", 400, "request_line", "GET $T\0x HTTP/1.1\r\n" H E),
	BAD("a DEL in the target", 400, "request_line", "GET $T\x7f HTTP/1.1\r\n" H E),
	BAD("a tab in the target", 400, "target", "GET $T\tx HTTP/1.1\r\n" H E),
	BAD("a fragment in the target", 400, "target", "GET $T#x HTTP/1.1\r\n" H E),
	BAD("a target above 127", 400, "target", "GET $T\xc3\xa9 HTTP/1.1\r\n" H E),
	BAD("a target without slash", 400, "target", "GET acme HTTP/1.1\r\n" H E),
	BAD("a query alone", 400, "target", "GET ?acme HTTP/1.1\r\n" H E),
	BAD("GET *", 400, "target", "GET * HTTP/1.1\r\n" H E),
	BAD("GET host:port", 400, "target", "GET $A HTTP/1.1\r\n" H E),
	BAD("GET name:port", 400, "target", "GET x:80 HTTP/1.1\r\n" H E),
	BAD("a scheme and one slash", 400, "target", "GET http:/x HTTP/1.1\r\n" H E),
	BAD("a scheme and no slash", 400, "target", "GET http:x HTTP/1.1\r\n" H E),
	BAD("no scheme", 400, "target", "GET ://$A/x HTTP/1.1\r\n" H E),
	BAD("a scheme with an underscore", 400, "target", "GET ht_tp://$A/x HTTP/1.1\r\n" H E),
	BAD("a user in the target", 400, "authority", "GET http://u@$A/x HTTP/1.1\r\n" H E),
	BAD("a user and a password", 400, "authority", "GET http://u:p@$A/x HTTP/1.1\r\n" H E),
	BAD("an address as user of another host", 400, "authority",
	    "GET http://$A@y/x HTTP/1.1\r\n" H E),
	BAD("no host in the target", 400, "authority", "GET http:///x HTTP/1.1\r\n" H E),
	BAD("a port alone in the target", 400, "authority", "GET http://:80/x HTTP/1.1\r\n" H E),
	BAD("port 0 in the target", 400, "authority", "GET http://x:0/x HTTP/1.1\r\n" H E),
	BAD("a port too large in the target", 400, "authority",
	    "GET http://x:65536/x HTTP/1.1\r\n" H E),
	BAD("a port of letters in the target", 400, "authority",
	    "GET http://x:8a/x HTTP/1.1\r\n" H E),
	BAD("a backslash in the host", 400, "authority", "GET http://x\\y/x HTTP/1.1\r\n" H E),
	BAD("a percent sign in the host", 400, "authority", "GET http://x%2fy/x HTTP/1.1\r\n" H E),
	BAD("an open bracket in the host", 400, "authority", "GET http://[::1/x HTTP/1.1\r\n" H E),
	BAD("a bad address in brackets", 400, "authority", "GET http://[::g]/x HTTP/1.1\r\n" H E),
	BAD("a colon too many in the host", 400, "authority", "GET http://::1/x HTTP/1.1\r\n" H E),
	BAD("CONNECT to a path", 400, "authority", "CONNECT /x HTTP/1.1\r\n" H E),
	BAD("CONNECT without port", 400, "authority", "CONNECT x HTTP/1.1\r\n" H E),
	BAD("CONNECT to a URI", 400, "authority", "CONNECT http://x:80/ HTTP/1.1\r\n" H E),
	BAD("CONNECT with a user", 400, "authority", "CONNECT u@x:80 HTTP/1.1\r\n" H E),
	BAD("a request line that is too long", 414, "line_too_long",
	    "GET $T?$P9000; HTTP/1.1\r\n" H E),
	BAD("a request line without end", 414, "line_too_long", "GET $T?$P70000;"),

	/* ---- what comes behind */
	BAD_AFTER("garbage behind a body", 1, 400, "request_line",
		  P H "Content-Length: 5\r\n" E "hellogarbage\r\n\r\n"),
	BAD_AFTER("garbage behind chunks", 1, 400, "request_line",
		  P H TE E "5\r\nhello\r\n0\r\n\r\ngarbage\r\n\r\n"),
	BAD_AFTER("a bad request behind a good one", 1, 400, "host_missing", G H E G E),

	/* ---- answered here */
	HERE("OPTIONS *", 200, NULL, 0, "OPTIONS * HTTP/1.1\r\n" H E),
	HERE("an unknown expectation", 417, "expectation", ENDS, P H "Expect: cake\r\n" E),
	HERE("an unknown expectation beside a known one", 417, "expectation", ENDS,
	     P H "Expect: 100-continue, cake\r\n" E),
	HERE("Max-Forwards that is no number", 400, "max_forwards", ENDS,
	     "OPTIONS $T HTTP/1.1\r\n" H "Max-Forwards: -1\r\n" E),
	HERE("two Max-Forwards", 400, "max_forwards", ENDS,
	     "OPTIONS $T HTTP/1.1\r\n" H "Max-Forwards: 1\r\nMax-Forwards: 2\r\n" E),
	HERE("another scheme", 501, NULL, ENDS, "GET ftp://$A/x HTTP/1.1\r\n" H E),
	HERE("https in the clear", 501, NULL, ENDS, "GET https://$A/x HTTP/1.1\r\n" H E),
	HERE("two slashes at first", 404, NULL, ENDS, "GET //acme/x HTTP/1.1\r\n" H E),
	HERE("CONNECT to a port that is not allowed", 403, NULL, ENDS,
	     "CONNECT $A HTTP/1.1\r\n" H E),

	/* ---- accepted: they arrive once, with one framing */
	GOOD("a request", 1, 0, G H E),
	GOOD("two pipelined", 2, 0, G H E G H E),
	GOOD("an empty line before", 1, 0, "\r\n" G H E),
	GOOD("a body by length", 1, 0, P H "Content-Length: 5\r\n" E "hello"),
	GOOD("a body by length that looks like a request", 1, 0,
	     P H "Content-Length: 46\r\n" E
		 "GET /smuggled HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n!!!!!"),
	GOOD("a length with zeros before it", 1, 0, P H "Content-Length: 005\r\n" E "hello"),
	GOOD("a length of 0", 1, 0, P H "Content-Length: 0\r\n" E),
	GOOD("a body in chunks", 1, 0, P H TE E "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"),
	GOOD("chunks that look like a request", 1, 0,
	     P H TE E "2e\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n!!!!!\r\n0\r\n\r\n"),
	GOOD("a last chunk of many zeros", 1, 0, P H TE E "5\r\nhello\r\n000\r\n\r\n"),
	GOOD("extensions", 1, 0, P H TE E "5;a;b=c; d = \"\\\"e;\"\r\nhello\r\n0;x\r\n\r\n"),
	GOOD("CHUNKED", 1, 0, P H "Transfer-Encoding: CHUNKED\r\n" E "0\r\n\r\n"),
	GOOD("chunked in a list with nothing else", 1, 0,
	     P H "Transfer-Encoding: , chunked,\r\n" E "0\r\n\r\n"),
	GOOD("a trailer", 1, 0, P H TE E "0\r\nA: b\r\n\r\n"),
	GOOD("a trailer with a length", 1, 0, P H TE E "0\r\nContent-Length: 9\r\n\r\n"),
	GOOD("a trailer with a coding", 1, 0, P H TE E "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	GOOD("a trailer with a Host", 1, 0, P H TE E "0\r\nHost: smuggled\r\n\r\n"),
	GOOD("a GET with a body by length", 1, 0, G H "Content-Length: 5\r\n" E "hello"),
	GOOD("a GET with a body in chunks", 1, 0, G H TE E "5\r\nhello\r\n0\r\n\r\n"),
	GOOD("a length that Connection lists", 1, 0,
	     P H "Connection: Content-Length\r\nContent-Length: 5\r\n" E "hello"),
	GOOD("a coding that Connection lists", 1, 0,
	     P H "Connection: Transfer-Encoding\r\n" TE E "5\r\nhello\r\n0\r\n\r\n"),
	GOOD("a Host that Connection lists", 1, 0, G H "Connection: Host\r\n" E),
	GOOD("a field that Connection lists", 1, 0, G H "Connection: gone\r\nGone: smuggled\r\n" E),
	GOOD("Proxy-Connection", 1, 0, G H "Proxy-Connection: smuggled\r\n" E),
	GOOD("an upgrade to h2c", 1, 0,
	     G H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n" E),
	GOOD("100-continue", 1, 0, P H "Expect: 100-continue\r\nContent-Length: 5\r\n" E "hello"),
	GOOD("HTTP/1.2", 1, 0, "GET $T HTTP/1.2\r\n" H E),
	GOOD("HTTP/1.9 with chunks", 1, 0, "POST $T HTTP/1.9\r\n" H TE E "1\r\nx\r\n0\r\n\r\n"),
	GOOD("HTTP/1.0", 1, ENDS, "GET $T HTTP/1.0\r\n" E),
	GOOD("HTTP/1.0 with a length", 1, ENDS,
	     "POST $T HTTP/1.0\r\nContent-Length: 5\r\n" E "hello"),
	GOOD("close, and more behind it", 1, ENDS, G H "Connection: close\r\n" E),
	GOOD("close in a list", 1, ENDS, G H "Connection: x, CLOSE\r\n" E),
	GOOD("a method in small letters", 1, 0, "get $T HTTP/1.1\r\n" H E),
	GOOD("a method of our own", 1, 0, "BAKE-CAKE $T HTTP/1.1\r\n" H E),
	GOOD("no space behind the colon", 1, 0, G "Host:x\r\n" E),
	GOOD("tabs around a value", 1, 0, G "Host:\t x \t\r\n" E),
	GOOD("octets above 127 in a value", 1, 0, G H "A: \xc3\xa9\xff\r\n" E),
	GOOD("an empty value", 1, 0, G H "A:\r\n" E),
	GOOD("a long value", 1, 0, G H "A: $P60000;\r\n" E),
	GOOD("a long name", 1, 0, G H "$P10000;: x\r\n" E),
	GOOD("many fields", 1, 0, G H "$F200;" E),
	GOOD("a field like a framing field", 1, 0,
	     P H "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n" E "hello"),
	GOOD("a backslash in the target", 1, 0, "GET $T\\..\\x HTTP/1.1\r\n" H E),
	GOOD("dot segments in the target", 1, 0, "GET $T/../x HTTP/1.1\r\n" H E),
	GOOD("an encoded CR LF in the target", 1, 0, "GET $T%0d%0aHost:%20x HTTP/1.1\r\n" H E),
	GOOD("a target and a Host that differ", 1, TO_PROXY, G "Host: smuggled\r\n" E),
	GOOD("a target without path", 1, TO_PROXY, "GET http://$A HTTP/1.1\r\n" H E),
	GOOD("a target with a query and no path", 1, TO_PROXY, "GET http://$A?x HTTP/1.1\r\n" H E),
	GOOD("a scheme in capitals", 1, TO_PROXY, "GET HTTP://$A/x HTTP/1.1\r\n" H E),
};

/* ---- what an origin may do ------------------------------------------------------------------------- */

#define R	"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n"
#define LEN(n)	"Content-Length: " #n "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

enum origin_want {
	WANT_502,
	WANT_BODY,	 /* status and `body`, whole */
	WANT_CUT_OR_502, /* cut, or 502 where the bad was seen before the device was told anything */
};

/*
 * The origin sends `raw` once and, if `closes`, closes. Wherever a byte does not belong to the response it spells evil.
 * Then the device asks again, and for something else, and gets `good` (or `body` again, where that
 * was right and could be stored).
 */
struct origin_case {
	const char *name;
	const char *raw;
	size_t n;
	bool closes;
	enum origin_want want;
	unsigned status;
	const char *body;
};

#define FROM(name_, closes_, want_, status_, body_, raw_)                                          \
	{                                                                                          \
		.name = name_, .raw = raw_, .n = sizeof(raw_) - 1, .closes = closes_,              \
		.want = want_, .status = status_, .body = body_                                    \
	}
#define FROM_502(name_, raw_) FROM(name_, true, WANT_502, 502, NULL, raw_)
#define FROM_CHUNKS(name_, raw_)                                                                   \
	FROM(name_, true, WANT_CUT_OR_502, 200, NULL, R CHUNKED E "4\r\nhead\r\n" raw_)

static const struct origin_case origin_cases[] = {
	FROM_502("a length and chunks", R LEN(4) CHUNKED E "4\r\nevil\r\n0\r\n\r\n"),
	FROM_502("chunks and a length", R CHUNKED LEN(4) E "4\r\nevil\r\n0\r\n\r\n"),
	FROM_502("two lengths", R LEN(4) LEN(8) E "evilevil"),
	FROM_502("twice the same length", R LEN(4) LEN(4) E "evil"),
	FROM_502("a list of lengths", R "Content-Length: 4, 4\r\n" E "evil"),
	FROM_502("a negative length", R LEN(-4) E "evil"),
	FROM_502("a length with plus", R LEN(+4) E "evil"),
	FROM_502("a hexadecimal length", R LEN(0x4) E "evil"),
	FROM_502("an empty length", R "Content-Length:\r\n" E "evil"),
	FROM_502("a length too large", R LEN(99999999999999999999) E "evil"),
	FROM_502("chunked twice", R "Transfer-Encoding: chunked, chunked\r\n" E "0\r\n\r\n"),
	FROM_502("an unknown coding", R "Transfer-Encoding: evil\r\n" E "evil"),
	FROM_502("gzip, chunked", R "Transfer-Encoding: gzip, chunked\r\n" E "0\r\n\r\n"),
	FROM_502("a coding from HTTP/1.0",
		 "HTTP/1.0 200 OK\r\n" CHUNKED E "4\r\nevil\r\n0\r\n\r\n"),
	FROM_CHUNKS("a chunk size that is no number", "x\r\nevil\r\n0\r\n\r\n"),
	FROM_CHUNKS("a negative chunk size", "-4\r\nevil\r\n0\r\n\r\n"),
	FROM_CHUNKS("a chunk size too large", "fffffffffffffffff\r\nevil\r\n0\r\n\r\n"),
	FROM_CHUNKS("a chunk size of 2^64 - 1", "ffffffffffffffff\r\nevil\r\n0\r\n\r\n"),
	FROM_CHUNKS("a chunk longer than its size", "4\r\nevilevil\r\n0\r\n\r\n"),
	FROM_CHUNKS("a chunk shorter than its size", "6\r\nevil\r\n0\r\n\r\n"),
	FROM_CHUNKS("a chunk ended by LF", "4\nevil\n0\n\n"),
	FROM_CHUNKS("an extension with CR LF in quotes", "4;a=\"\r\n\"\r\nevil\r\n0\r\n\r\n"),
	FROM_CHUNKS("no last chunk", "4\r\nevil\r\n"),
	FROM_CHUNKS("half a chunk", "8\r\nevil"),
	FROM_CHUNKS("no end behind the last chunk", "0\r\n"),
	FROM_CHUNKS("a trailer without colon", "0\r\nevil\r\n\r\n"),
	FROM_CHUNKS("a response in place of the trailers", "0\r\nHTTP/1.1 200 OK\r\n\r\nevil"),
	FROM("a body shorter than its length", true, WANT_CUT_OR_502, 200, NULL,
	     R LEN(10) E "evil"),
	FROM("a body longer than its length", false, WANT_BODY, 200, "fine", R LEN(4) E "fineevil"),
	FROM("a second response behind the first", false, WANT_BODY, 200, "fine",
	     R LEN(4) E "fine" R LEN(4) E "evil"),
	FROM("a second response behind chunks", false, WANT_BODY, 200, "fine",
	     R CHUNKED E "4\r\nfine\r\n0\r\n\r\n" R LEN(4) E "evil"),
	FROM("a trailer with a length", false, WANT_BODY, 200, "fine",
	     R CHUNKED E "4\r\nfine\r\n0\r\nContent-Length: 9\r\n\r\n"),
	FROM("a length that Connection lists", false, WANT_BODY, 200, "fine",
	     R "Connection: Content-Length\r\n" LEN(4) E "fine"),
	FROM("204 with a body", false, WANT_BODY, 204, "",
	     "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n" E R LEN(4) E "evil"),
	FROM("204 with a length", true, WANT_BODY, 204, "",
	     "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n" LEN(4) E "evil"),
	FROM("a body that the close ends", true, WANT_BODY, 200, "fine", R E "fine"),
	FROM("a body that the close ends, from HTTP/1.0", true, WANT_BODY, 200, "fine",
	     "HTTP/1.0 200 OK\r\n" E "fine"),
	FROM("interim responses before", false, WANT_BODY, 200, "fine",
	     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" R LEN(4)
		     E "fine"),
	FROM_502("an upgrade that nobody asked for",
		 "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: evil\r\n" E
		 "evil"),
	FROM_502("a part that nobody asked for",
		 "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-7/8\r\n" LEN(4) E "evil"),
	FROM_502("lines ended by LF", "HTTP/1.1 200 OK\nContent-Length: 4\n\nevil"),
	FROM_502("a field ended by LF", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 4\r\n\r\nevil"),
	FROM_502("CR in a value", R "A: b\rSet-Cookie: evil\r\n" LEN(4) E "evil"),
	FROM_502("NUL in a value", R "A: \0\r\n" LEN(4) E "evil"),
	FROM_502("a folded field", R "A: b\r\n Set-Cookie: evil\r\n" LEN(4) E "evil"),
	FROM_502("space before a colon", R "Content-Length : 4\r\n" E "evil"),
	FROM_502("space before the first field", "HTTP/1.1 200 OK\r\n A: b\r\n" LEN(4) E "evil"),
	FROM_502("a field without colon", R "evil\r\n" LEN(4) E "evil"),
	FROM_502("an empty name", R ": evil\r\n" LEN(4) E "evil"),
	FROM_502("HTTP/2.0", "HTTP/2.0 200 OK\r\n" LEN(4) E "evil"),
	FROM_502("another protocol", "ICY 200 OK\r\n" LEN(4) E "evil"),
	FROM_502("no HTTP at all", "evil\r\n\r\n"),
	FROM_502("a status of four digits", "HTTP/1.1 2000 OK\r\n" LEN(4) E "evil"),
	FROM_502("a status of two digits", "HTTP/1.1 20 OK\r\n" LEN(4) E "evil"),
	FROM_502("a status that is no number", "HTTP/1.1 2x0 OK\r\n" LEN(4) E "evil"),
	FROM_502("a status below 100", "HTTP/1.1 099 OK\r\n" LEN(4) E "evil"),
	FROM_502("an empty line at first", "\r\n" R LEN(4) E "evil"),
	FROM_502("nothing at all", ""),
	FROM_502("half a head", "HTTP/1.1 200 OK\r\nContent-Le"),
	FROM_502("an interim response and nothing more", "HTTP/1.1 103 Early Hints\r\n\r\n"),
	FROM_502("too many fields", R "$F300;" LEN(4) E "evil"),
	FROM_502("a head that is too large", R "A: $P70000;\r\n" LEN(4) E "evil"),
	FROM_502("a flood of interim responses", "$I50000;" R LEN(4) E "evil"),
	FROM("a status without reason", false, WANT_BODY, 200, "fine",
	     "HTTP/1.1 200\r\nCache-Control: max-age=600\r\n" LEN(4) E "fine"),
	FROM("an unknown status", false, WANT_BODY, 599, "fine",
	     "HTTP/1.1 599 X\r\n" LEN(4) E "fine"),
};

#endif
