/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Multicast DNS packet behind its source's 16 bytes. Held to: what is called a name is one label of host name characters,
 * and whatever is not leaves the name alone.
 */
#include "tests/fuzz/fuzz.h"
#include "proxy/dns/mdns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[MDNS_NAME_MAX] = "?";
	enum mdns_verdict verdict;

	if (size < 16)
		return 0;
	verdict = mdns_read(span_make(data + 16, size - 16), data, name);
	CHECK(verdict < MDNS_VERDICTS_N);
	if (verdict == MDNS_NAMED)
		CHECK(name[0] && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_")] == 0);
	else
		CHECK(strcmp(name, "?") == 0);
	return 0;
}
