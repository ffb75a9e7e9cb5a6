/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What counts as a device's own name, and what hostile packets are called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "firmware/base/addr.h"
#include "proxy/dns/mdns.h"

#define ANSWER	       "\x84\0"
#define COUNTS(an, ar) "\0\0\0" an "\0\0\0" ar
#define HEAD(an, ar)   "\0\0" ANSWER COUNTS(an, ar)
#define IN	       "\x80\x01" /* with the bit for "forget what you knew" */
#define A	       "\0\x01" IN
#define TTL	       "\0\0\0\x78"
#define PC	       "\2PC\5local\0"
#define OWN	       "\0\4\x0a\7\0\x0b"
#define OTHER	       "\0\4\x0a\7\0\x0c"

struct row {
	const char *what;
	struct span packet;
	enum mdns_verdict verdict;
	const char *name;
};

#define ROW(what, packet, verdict, name)                                                           \
	{                                                                                          \
		what, SPAN(packet), MDNS_##verdict, name                                           \
	}

static const struct row rows[] = {
	ROW("a device's announcement", HEAD("\1", "\0") PC A TTL OWN, NAMED, "pc"),
	ROW("... among the additional records, behind another",
	    HEAD("\1", "\1") "\1x\xc0\x0f" A TTL OTHER PC A TTL OWN, MALFORMED,
	    NULL), /* x points into what is no name */
	ROW("... among the additional records",
	    HEAD("\1", "\1") "\1x\5local\0" A TTL OTHER PC A TTL OWN, NAMED, "pc"),
	ROW("... compressed",
	    HEAD("\2", "\0") "\1x\5local\0"
			     "\0\x10" IN TTL "\0\1\0"
			     "\2PC\xc0\x0e" A TTL OWN,
	    NAMED, "pc"),
	ROW("a question", "\0\0\0\0\0\0\0\0\0\0\0\0", NOTHING, NULL),
	ROW("a question with a known answer", "\0\0\0\0\0\0\0\1\0\0\0\0" PC A TTL OWN, NOTHING,
	    NULL),
	ROW("an answer without an address", HEAD("\1", "\0") PC "\0\x10" IN TTL "\0\1\0", NOTHING,
	    NULL),
	ROW("a goodbye", HEAD("\1", "\0") PC A "\0\0\0\0" OWN, NOTHING, NULL),
	ROW("of another class", HEAD("\1", "\0") PC "\0\x01\0\x03" TTL OWN, NOTHING, NULL),
	ROW("an address of three bytes", HEAD("\1", "\0") PC A TTL "\0\3\x0a\7\0", NOTHING, NULL),
	ROW("another's name", HEAD("\1", "\0") PC A TTL OTHER, FOREIGN, NULL),
	ROW("a name outside of .local", HEAD("\1", "\0") "\2PC\3com\0" A TTL OWN, NO_HOST, NULL),
	ROW("a name of two labels", HEAD("\1", "\0") "\2PC\1x\5local\0" A TTL OWN, NO_HOST, NULL),
	ROW("a dot within the label", HEAD("\1", "\0") "\3P.C\5local\0" A TTL OWN, NO_HOST, NULL),
	ROW("a zero within the label", HEAD("\1", "\0") "\3P\0C\5local\0" A TTL OWN, NO_HOST, NULL),
	ROW("a line's end within the label", HEAD("\1", "\0") "\3P\nC\5local\0" A TTL OWN, NO_HOST,
	    NULL),
	ROW("HTML", HEAD("\1", "\0") "\3<b>\5local\0" A TTL OWN, NO_HOST, NULL),
	ROW("UTF-8", HEAD("\1", "\0") "\2\xc3\xa4\5local\0" A TTL OWN, NO_HOST, NULL),
	ROW("the root", HEAD("\1", "\0") "\0" A TTL OWN, NO_HOST, NULL),
	ROW("local itself", HEAD("\1", "\0") "\5local\0" A TTL OWN, NO_HOST, NULL),
	ROW("nothing at all", "", MALFORMED, NULL),
	ROW("half a head", "\0\0\x84", MALFORMED, NULL),
	ROW("fewer records than it says", HEAD("\2", "\0") PC A TTL OWN, MALFORMED, NULL),
	ROW("more bytes than it says", HEAD("\1", "\0") PC A TTL OWN "x", MALFORMED, NULL),
	ROW("cut in the address", HEAD("\1", "\0") PC A TTL "\0\4\x0a\7", MALFORMED, NULL),
	ROW("a label longer than the packet", HEAD("\1", "\0") "\x3fPC", MALFORMED, NULL),
	ROW("a name that points to itself", HEAD("\1", "\0") "\xc0\x0c" A TTL OWN, MALFORMED, NULL),
	ROW("two that point to each other", HEAD("\1", "\0") "\xc0\x0e\xc0\x0c" A TTL OWN,
	    MALFORMED, NULL),
	ROW("a name that points behind the end", HEAD("\1", "\0") "\xff\xff" A TTL OWN, MALFORMED,
	    NULL),
	ROW("an error", "\0\0\x84\3" COUNTS("\1", "\0") PC A TTL OWN, MALFORMED, NULL),
	ROW("an operation that is none", "\0\0\xac\0" COUNTS("\1", "\0") PC A TTL OWN, MALFORMED,
	    NULL),
};

static void source_of(const char *text, uint8_t ret_source[16])
{
	struct addr addr;

	assert_int_equal(addr_parse(span_of(text), 0, &addr), 0);
	addr_to_in6(&addr, ret_source);
}

static void packets(void **state)
{
	uint8_t source[16];

	(void)state;
	source_of("10.7.0.11", source);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[MDNS_NAME_MAX] = "untouched";
		enum mdns_verdict verdict = mdns_read(rows[i].packet, source, name);

		if (verdict != rows[i].verdict)
			print_error("%s: %d\n", rows[i].what, (int)verdict);
		assert_int_equal(verdict, rows[i].verdict);
		assert_string_equal(name, rows[i].name ? rows[i].name : "untouched");
	}
}

static void cut_anywhere(void **state)
{
	static const char whole[] = HEAD("\2", "\0") "\1x\5local\0"
						     "\0\x10" IN TTL "\0\1\0"
						     "\2PC\xc0\x0e" A TTL OWN;
	char name[MDNS_NAME_MAX];
	uint8_t source[16];

	(void)state;
	source_of("10.7.0.11", source);
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_int_equal(mdns_read(span_make(whole, n), source, name), MDNS_MALFORMED);
}

static void longest_name(void **state)
{
	char packet[256] = "", name[MDNS_NAME_MAX];
	char *at = packet;
	uint8_t source[16];

	(void)state;
	source_of("10.7.0.11", source);
	at = mempcpy(at, HEAD("\1", "\0"), 12);
	*at++ = 63;
	memset(at, 'A', 63);
	at = mempcpy(at + 63, "\5local\0" A TTL OWN, 7 + 14);
	assert_int_equal(mdns_read(span_make(packet, (size_t)(at - packet)), source, name),
			 MDNS_NAMED);
	assert_int_equal(strlen(name), 63);
}

static void ip6(void **state)
{
	static const char packet[] = HEAD("\2", "\0") PC A TTL OWN
		"\xc0\x0c"
		"\0\x1c" IN TTL "\0\x10\x20\x01\x0d\xb8\0\7\0\0\0\0\0\0\0\0\0\x11";
	char name[MDNS_NAME_MAX];
	uint8_t source[16];

	(void)state;
	source_of("2001:db8:7::11", source);
	assert_int_equal(mdns_read(span_make(packet, sizeof(packet) - 1), source, name),
			 MDNS_NAMED);
	assert_string_equal(name, "pc");
	source_of("2001:db8:7::12", source);
	assert_int_equal(mdns_read(span_make(packet, sizeof(packet) - 1), source, name),
			 MDNS_FOREIGN);
}

static void largest(void **state)
{
	static char packet[MDNS_PACKET_MAX + 1];
	char name[MDNS_NAME_MAX];
	uint8_t source[16];

	(void)state;
	source_of("10.7.0.11", source);
	/* As many records as it says, each of a name that is the root. */
	memcpy(packet, "\0\0" ANSWER "\0\0\xff\xff\0\0\0\0", 12);
	assert_int_equal(mdns_read(span_make(packet, sizeof(packet) - 1), source, name),
			 MDNS_MALFORMED);
	assert_int_equal(mdns_read(span_make(packet, sizeof(packet)), source, name),
			 MDNS_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets),	cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(longest_name), cmocka_unit_test(ip6),
		cmocka_unit_test(largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
