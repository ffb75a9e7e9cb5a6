/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hellos of real clients (OpenSSL, GnuTLS, curl, Python; those that are installed) and of hostile ones, cut
 * at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/addr.h"
#include "tests/unit/proxy/tls/hellos.h"

#define HOST "downloads.vendor.example"

static struct hellos *hellos;
static struct bytes said, extensions, body;

static int setup(void **state)
{
	(void)state;
	return hellos_new(&hellos);
}

static int teardown(void **state)
{
	(void)state;
	hellos_free(&hellos);
	return 0;
}

static struct span all(const struct bytes *b)
{
	return span_make(b->p, b->n);
}

static void same(const struct hello *a, const struct hello *b)
{
	assert_int_equal(a->name, b->name);
	assert_string_equal(a->host, b->host);
	assert_int_equal(a->hidden, b->hidden);
	assert_int_equal(a->tls12, b->tls12);
	assert_int_equal(a->tls13, b->tls13);
	assert_int_equal(a->http1, b->http1);
}

/* Reads it whole, then cut at every byte, then byte by byte: always the same, never early. */
static struct hello read_all_ways(const struct bytes *b)
{
	struct hello whole, cut;

	assert_int_equal(hello_read(hellos, all(b), b->n, 1, &whole), 0);
	for (size_t i = 0; i < b->n; i++) {
		assert_int_equal(hello_read(hellos, span_head(all(b), i), i, 1, &cut), -EAGAIN);
		assert_int_equal(hello_read(hellos, all(b), i, b->n, &cut), 0);
		same(&cut, &whole);
	}
	assert_int_equal(hello_read(hellos, all(b), 1, 1, &cut), 0);
	same(&cut, &whole);
	return whole;
}

/* ---- OpenSSL's client, in memory --------------------------------------------------------------- */

static void openssl_says(void **state)
{
	struct hello hello;

	(void)state;
	say_hello(&said, HOST, 0, SPAN("\x02h2\x08http/1.1"));
	hello = read_all_ways(&said);
	assert_int_equal(hello.name, HELLO_NAME_HOST);
	assert_string_equal(hello.host, HOST);
	assert_true(hello.tls12 && hello.tls13 && hello.http1 && !hello.hidden);
}

static void versions(void **state)
{
	struct hello hello;

	(void)state;
	say_hello(&said, HOST, TLS1_2_VERSION, SPAN(""));
	hello = read_all_ways(&said);
	assert_true(hello.tls12 && !hello.tls13);
}

static void alpn(void **state)
{
	struct hello hello;

	(void)state;
	say_hello(&said, HOST, 0, SPAN("\x02h2"));
	assert_int_equal(hello_read(hellos, all(&said), said.n, 1, &hello), 0);
	assert_false(hello.http1);
	say_hello(&said, HOST, 0, SPAN(""));
	assert_int_equal(hello_read(hellos, all(&said), said.n, 1, &hello), 0);
	assert_true(hello.http1);
}

static void no_name(void **state)
{
	struct hello hello;

	(void)state;
	say_hello(&said, NULL, 0, SPAN(""));
	hello = read_all_ways(&said);
	assert_int_equal(hello.name, HELLO_NAME_NONE);
	assert_string_equal(hello.host, "");
}

static void more_behind_it(void **state)
{
	struct hello hello;

	(void)state;
	say_hello(&said, HOST, 0, SPAN(""));
	put(&said, "early data, or whatever", 23);
	assert_int_equal(hello_read(hellos, all(&said), said.n, 1, &hello), 0);
	assert_string_equal(hello.host, HOST);
}

/* ---- names -------------------------------------------------------------------------------------- */

static struct hello named(const void *name, size_t n)
{
	struct hello hello;

	extensions.n = said.n = 0;
	put_sni(&extensions, name, n);
	put_hello(&said, &extensions, 16384);
	memset(&hello, 0x5a, sizeof(hello));
	assert_int_equal(hello_read(hellos, all(&said), said.n, 1, &hello), 0);
	return hello;
}

static void odd(const void *name, size_t n)
{
	struct hello hello = named(name, n);

	if (hello.name != HELLO_NAME_ODD)
		fail_msg("taken as a host name: \"%.*s\"", (int)n, (const char *)name);
	assert_string_equal(hello.host, "");
}

#define ODD(literal) odd(literal, sizeof(literal) - 1)

static void hostile_names(void **state)
{
	char longest[300];

	(void)state;
	ODD("");
	ODD(".");
	ODD("downloads.vendor.example\0.evil.example");
	ODD("\0downloads.vendor.example");
	ODD("downloads.vendor.example\0");
	ODD("*.vendor.example");
	ODD("*");
	ODD("192.0.2.1");
	ODD("192.0.2.1.");
	ODD("2001:db8::1");
	ODD("[2001:db8::1]");
	ODD("::ffff:192.0.2.1");
	ODD("0x7f.1");
	ODD("downloads..vendor.example");
	ODD("downloads.vendor.example..");
	ODD("-a.vendor.example");
	ODD("b\xc3\xbc"
	    "cher.vendor.example");
	ODD("downloads.vendor.example:443");
	ODD("user@vendor.example");
	ODD("downloads.vendor.example/");
	ODD("downloads vendor.example");
	ODD("downloads.vendor.example\r\n");
	memset(longest, 'a', sizeof(longest));
	odd(longest, 300);
	odd(longest, 64);
	for (size_t i = 49; i < sizeof(longest); i += 50)
		longest[i] = '.';
	odd(longest, 298);
	odd(longest, 254);
}

static void good_names(void **state)
{
	char longest[253];

	(void)state;
	assert_string_equal(named("DownLoads.Vendor.EXAMPLE", 24).host, HOST);
	assert_string_equal(named("downloads.vendor.example.", 25).host, HOST);
	assert_string_equal(named("xn--bcher-kva.example", 21).host, "xn--bcher-kva.example");
	assert_string_equal(named("localhost", 9).host, "localhost");
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 49; i < sizeof(longest); i += 50)
		longest[i] = '.';
	assert_int_equal(strlen(named(longest, 253).host), 253);
}

/* Exactly one host_name; a list of none, of two, of another type, or with something behind it is odd. */
static void odd_lists(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} lists[] = {
		{ "", 0 },
		{ "\x00", 1 },
		{ "\x00\x00", 2 },
		{ "\x00\x03\x00\x00\x00", 5 },
		{ "\x00\x05\x00\x00\x01"
		  "ab",
		  7 },
		{ "\x00\x04\x01\x00\x01"
		  "a",
		  6 },
		{ "\x00\x04\x00\x00\x01"
		  "a!",
		  7 },
		{ "\x00\x09\x00\x00\x01"
		  "a\x00\x00\x01"
		  "b.",
		  11 },
		{ "\x00\x04\x00\x00\xff"
		  "a",
		  6 },
		{ "\xff\xff\x00\x00\x01"
		  "a",
		  6 },
	};
	struct hello hello;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		body.n = extensions.n = said.n = 0;
		put(&body, lists[i].p, lists[i].n);
		put_extension(&extensions, TLSEXT_TYPE_server_name, &body);
		put_hello(&said, &extensions, 16384);
		assert_int_equal(hello_read(hellos, all(&said), said.n, 1, &hello), 0);
		if (hello.name != HELLO_NAME_ODD)
			fail_msg("list %zu was taken: \"%s\"", i, hello.host);
	}
}

/* Which of our certificates would it take? NULL: as OpenSSL's client has it. */
static void takes(int version, const char *suites, const char *signs, const char *groups,
		  const char *expected)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct hello hello;
	char kinds[3] = "";

	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
	assert_true(!suites || SSL_CTX_set_cipher_list(ctx, suites) == 1);
	assert_true(!signs || SSL_CTX_set1_sigalgs_list(ctx, signs) == 1);
	assert_true(!groups || SSL_CTX_set1_groups_list(ctx, groups) == 1);
	say_hello_of(&said, ctx, HOST, SPAN(""));
	hello = read_all_ways(&said);
	strcat(kinds, hello.ecdsa ? "e" : "");
	strcat(kinds, hello.rsa ? "r" : "");
	if (strcmp(kinds, expected))
		fail_msg("%x, %s, %s, %s: \"%s\"", (unsigned)version, suites ? suites : "-",
			 signs ? signs : "-", groups ? groups : "-", kinds);
}

static void certificates(void **state)
{
	(void)state;
	takes(TLS1_3_VERSION, NULL, NULL, NULL, "er");
	takes(TLS1_2_VERSION, NULL, NULL, NULL, "er");
	takes(TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", NULL, NULL, "r");
	takes(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL, NULL, "e");
	takes(TLS1_2_VERSION, "AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256", NULL, NULL, "");
	/* A certificate on a curve that it does not name (TLS 1.2); in 1.3 that is for the key exchange alone. */
	takes(TLS1_2_VERSION, NULL, NULL, "X25519", "r");
	takes(TLS1_3_VERSION, NULL, NULL, "X25519", "er");
	/* Who can't verify what the CA signs takes none of them. */
	takes(TLS1_2_VERSION, NULL, "RSA+SHA256:RSA-PSS+SHA256", NULL, "");
	takes(TLS1_3_VERSION, NULL, "RSA+SHA256:RSA-PSS+SHA256", NULL, "");
	takes(TLS1_3_VERSION, NULL, "ECDSA+SHA384:RSA-PSS+SHA256", NULL, "");
	takes(TLS1_3_VERSION, NULL, "ECDSA+SHA256", NULL, "e");
	takes(TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "ECDSA+SHA256:RSA+SHA384", NULL, "");
}

/* signature_algorithms_cert speaks for the chain, where it is (RFC 8446, 4.2.3). */
static void chain(const char *handshake, const char *certificates_by, bool ecdsa, bool rsa)
{
	struct hello hello;

	body.n = extensions.n = said.n = 0;
	put_sni(&extensions, HOST, strlen(HOST));
	put(&body, "\x02\x03\x04", 3);
	put_extension(&extensions, TLSEXT_TYPE_supported_versions, &body);
	body.n = 0;
	put(&body, handshake, 6);
	put_extension(&extensions, TLSEXT_TYPE_signature_algorithms, &body);
	body.n = 0;
	put(&body, certificates_by, 4);
	put_extension(&extensions, TLSEXT_TYPE_signature_algorithms_cert, &body);
	put_hello(&said, &extensions, 16384);
	hello = read_all_ways(&said);
	assert_int_equal(hello.ecdsa, ecdsa);
	assert_int_equal(hello.rsa, rsa);
}

static void chains(void **state)
{
	(void)state;
	chain("\x00\x04\x04\x03\x08\x04", "\x00\x02\x04\x03", true, true);
	chain("\x00\x04\x04\x03\x08\x04", "\x00\x02\x04\x01", false, false);
	chain("\x00\x04\x08\x05\x08\x04", "\x00\x02\x04\x03", false, true);
	chain("\x00\x04\x04\x03\x08\x05", "\x00\x02\x04\x03", true, false);
}

static void encrypted_name(void **state)
{
	static const unsigned types[] = { 0xfe0d, 0xffce };
	struct hello hello;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		body.n = extensions.n = said.n = 0;
		put(&body, "\x00 grease, or the true one", 25);
		put_sni(&extensions, HOST, strlen(HOST));
		put_extension(&extensions, types[i], &body);
		put_hello(&said, &extensions, 16384);
		hello = read_all_ways(&said);
		assert_true(hello.hidden);
		assert_string_equal(hello.host, HOST);
	}
}

/* ---- sizes and nonsense ------------------------------------------------------------------------- */

/* A large key share or padding, in one record or in many. */
static void sizes(void **state)
{
	static const size_t fragments[] = { 16384, 1400, 100, 1 };
	struct hello hello;

	(void)state;
	for (size_t n = 0; n <= 2000; n += 500) {
		for (size_t i = 0; i < ARRAY_LEN(fragments); i++) {
			body.n = extensions.n = said.n = 0;
			put_sni(&extensions, HOST, strlen(HOST));
			for (size_t k = 0; k < n; k++)
				put_uint(&body, 1, 0);
			put_extension(&extensions, TLSEXT_TYPE_padding, &body);
			put_hello(&said, &extensions, fragments[i]);
			assert_int_equal(hello_read(hellos, all(&said), said.n, 1, &hello), 0);
			assert_string_equal(hello.host, HOST);
			assert_int_equal(hello_read(hellos, all(&said), 1, 1, &hello), 0);
		}
	}
}

static void too_large(void **state)
{
	struct hello hello;

	(void)state;
	body.n = extensions.n = said.n = 0;
	for (size_t k = 0; k < 20000; k++)
		put_uint(&body, 1, 0);
	put_extension(&extensions, TLSEXT_TYPE_padding, &body);
	put_hello(&said, &extensions, 16384);
	assert_int_equal(hello_read(hellos, all(&said), said.n, 1, &hello), -EMSGSIZE);
	assert_int_equal(hello_read(hellos, all(&said), HELLO_BYTES_MAX - 1, 1, &hello), -EMSGSIZE);
	assert_int_equal(
		hello_read(hellos, span_head(all(&said), HELLO_BYTES_MAX - 1), 1000, 1000, &hello),
		-EAGAIN);
}

/* No byte that is wrong, and no cut, does worse than to be refused. */
static void broken(void **state)
{
	static struct bytes bad;
	unsigned refused = 0;
	struct hello hello;

	(void)state;
	say_hello(&said, HOST, 0, SPAN("\x08http/1.1"));
	for (size_t i = 0; i < said.n; i++) {
		for (unsigned flip = 1; flip < 256; flip <<= 1) {
			int rc;

			bad = said;
			bad.p[i] ^= (uint8_t)flip;
			rc = hello_read(hellos, all(&bad), bad.n, 1, &hello);
			assert_true(rc == 0 || rc == -EAGAIN || rc == -EBADMSG);
			refused += rc == -EBADMSG;
		}
	}
	assert_true(refused > 100);
}

static void no_hello(void **state)
{
	static const struct span not [] = {
		SPAN("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"),
		SPAN("\x16\x03\x01\x00\x04\x02\x00\x00\x00"),
		SPAN("\x15\x03\x01\x00\x02\x01\x00"),
		SPAN("\x17\x03\x03\x00\x04xxxx"),
		SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	};
	struct hello hello;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(not ); i++)
		assert_int_equal(hello_read(hellos, not [i], not [i].n, 1, &hello), -EBADMSG);
}

/* ---- programs ----------------------------------------------------------------------------------- */

static int listener(char port[8])
{
	struct addr addr;
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(addr_parse(SPAN("127.0.0.1"), 0, &addr), 0);
	assert_int_equal(bind(fd, &addr.sa, addr_len(&addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, &addr.sa, &len), 0);
	snprintf(port, 8, "%u", addr_port(&addr));
	return fd;
}

static bool waits(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 10000) == 1;
}

/* Everything that a program says before it is answered. Skips the test if there is no such program. */
static void capture(const char *command)
{
	char port[8], line[600];
	struct hello hello;
	int fd, conn, status;
	pid_t pid;

	snprintf(line, sizeof(line), "command -v %.*s >/dev/null", (int)strcspn(command, " "),
		 command);
	if (system(line) != 0)
		skip();
	fd = listener(port);
	snprintf(line, sizeof(line), "port=%s; exec %s", port, command);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(127);
	}
	assert_true(waits(fd));
	conn = accept(fd, NULL, NULL);
	said.n = 0;
	do {
		ssize_t n;

		assert_true(waits(conn));
		n = read(conn, said.p + said.n, sizeof(said.p) - said.n);
		assert_true(n > 0);
		said.n += (size_t)n;
	} while (hello_read(hellos, all(&said), said.n, 1, &hello) == -EAGAIN);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(conn);
	close(fd);
	hello = read_all_ways(&said);
	assert_int_equal(hello.name, HELLO_NAME_HOST);
	assert_string_equal(hello.host, HOST);
	assert_true(hello.tls12 && hello.http1 && !hello.hidden);
}

static void openssl_program(void **state)
{
	(void)state;
	capture("openssl s_client -connect 127.0.0.1:$port -servername " HOST);
}

static void gnutls_program(void **state)
{
	(void)state;
	capture("gnutls-cli --insecure --sni-hostname=" HOST " -p $port 127.0.0.1");
}

static void curl_program(void **state)
{
	(void)state;
	capture("curl -sk --noproxy '*' --resolve " HOST ":$port:127.0.0.1 https://" HOST
		":$port/");
}

static void python_program(void **state)
{
	(void)state;
	capture("python3 -c 'import socket,ssl,sys; ssl._create_unverified_context().wrap_socket("
		"socket.create_connection((\"127.0.0.1\",int(sys.argv[1]))),"
		"server_hostname=\"" HOST "\")' $port");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_says),	  cmocka_unit_test(versions),
		cmocka_unit_test(alpn),		  cmocka_unit_test(no_name),
		cmocka_unit_test(more_behind_it), cmocka_unit_test(hostile_names),
		cmocka_unit_test(good_names),	  cmocka_unit_test(odd_lists),
		cmocka_unit_test(certificates),	  cmocka_unit_test(chains),
		cmocka_unit_test(encrypted_name), cmocka_unit_test(sizes),
		cmocka_unit_test(too_large),	  cmocka_unit_test(broken),
		cmocka_unit_test(no_hello),	  cmocka_unit_test(openssl_program),
		cmocka_unit_test(gnutls_program), cmocka_unit_test(curl_program),
		cmocka_unit_test(python_program),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
