/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ClientHello from the network. The first two bytes say where the input is cut. Held to: the answer is the
 * same however the bytes come; a host that is read is a host name in its normal form; what was
 * decided of it is decided again.
 */
#include "tests/fuzz/fuzz.h"
#include "proxy/tls/hello.h"

static struct hellos *hellos;

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return hellos_new(&hellos);
}

static int read_cut(struct span in, size_t cut, struct hello *ret_hello)
{
	struct span parts[] = { span_head(in, cut), span_drop(in, cut) };
	struct hello_reader *reader;
	int rc = -EAGAIN;

	CHECK(hello_reader_new(hellos, &reader) == 0);
	for (size_t i = 0; i < 2 && rc == -EAGAIN; i++) {
		char *copy = fuzz_copy(parts[i]);

		rc = hello_feed(reader, span_make(copy, parts[i].n), ret_hello);
		free(copy);
	}
	hello_reader_free(&reader);
	return rc;
}

static void check(const struct hello *hello)
{
	char again[PROFILE_HOST_MAX];
	struct addr addr;

	if (hello->name != HELLO_NAME_HOST) {
		CHECK(!hello->host[0]);
		return;
	}
	CHECK(host_normalise(span_of(hello->host), again) == 0);
	CHECK(strcmp(again, hello->host) == 0);
	CHECK(addr_parse(span_of(hello->host), 0, &addr) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	size_t cut = fuzz_byte(&in) << 8;
	struct hello whole = { 0 }, parts = { 0 };
	int rc;

	cut |= fuzz_byte(&in);
	rc = read_cut(in, in.n, &whole);
	CHECK(rc == 0 || rc == -EAGAIN || rc == -EBADMSG || rc == -EMSGSIZE);
	CHECK(read_cut(in, in.n ? cut % in.n : 0, &parts) == rc);
	if (rc == 0) {
		check(&whole);
		CHECK(memcmp(&whole, &parts, sizeof(whole)) == 0);
	}
	return 0;
}
