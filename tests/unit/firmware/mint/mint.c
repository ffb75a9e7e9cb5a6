/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaves: what is signed, and what is refused; and where the CA's key is not.
 */
#define _GNU_SOURCE 1
#include "tests/unit/firmware/mint/rig.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "firmware/mint/ca.h"
#include "firmware/mint/mint.h"
#include "firmware/mint/secret.h"

#define NOW_S INT64_C(1795392000)
#define HOSTS                                                                                      \
	"exact = mirror.v.example\nsuffix = cdn.example\nnever = .secret.cdn.example "             \
	"*.odd.cdn.example"

static struct mint_rig rig;
static struct mint *mint;
static struct now now;
static EVP_PKEY *key;
static uint8_t point[MINT_POINT];
static uint8_t der[2048];
static size_t der_n;

static int begin(void **state)
{
	bool made;
	size_t n;

	(void)state;
	mint_rig_make(&rig, HOSTS);
	assert_int_equal(mint_new(rig.state, &mint), 0);
	assert_int_equal(ca_ensure(rig.state, rig.profiles, NOW_S, &made), 0);
	now = (struct now){ NOW_S * 1000, 1000000 };
	key = EVP_EC_gen("P-256");
	assert_int_equal(
		EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", point, sizeof(point), &n),
		1);
	assert_int_equal(n, MINT_POINT);
	return 0;
}

static int end(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	mint_free(&mint);
	mint_rig_end(&rig);
	return 0;
}

static int ask_key(struct span host, struct span public_key)
{
	struct mint_ask ask = { host, public_key };

	der_n = 0;
	return mint_leaf(mint, rig.profiles, &ask, now, der, sizeof(der), &der_n);
}

static int ask_span(struct span host)
{
	return ask_key(host, span_make(point, sizeof(point)));
}

static int ask(const char *host)
{
	return ask_span(span_of(host));
}

static X509 *leaf(void)
{
	const uint8_t *p = der;
	X509 *x = d2i_X509(NULL, &p, (long)der_n);

	assert_non_null(x);
	return x;
}

/* openssl verifies it as the server `host`. */
static void verify(const char *host)
{
	char path[96], line[400];
	FILE *f;
	X509 *x = leaf();

	snprintf(path, sizeof(path), "%s/leaf.crt", rig.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	X509_free(x);
	snprintf(line, sizeof(line),
		 "openssl verify -attime %lld -x509_strict -purpose sslserver -verify_hostname %s "
		 "-CAfile %s/ca.crt %s >/dev/null",
		 (long long)NOW_S, host, rig.state, path);
	assert_int_equal(system(line), 0);
}

static void signs_a_profile_s_host(void **state)
{
	int days, seconds;
	X509 *x;

	(void)state;
	assert_int_equal(ask("mirror.v.example"), 0);
	verify("mirror.v.example");
	x = leaf();
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), key), 1);
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
	assert_int_equal(
		ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x), X509_get0_notAfter(x)), 1);
	assert_true(days <= 47);
	X509_free(x);
	assert_int_equal(ask("a.b.cdn.example"), 0);
	verify("a.b.cdn.example");
	assert_int_equal(ask(CA_OWN_NAME), 0);
	verify(CA_OWN_NAME);
	assert_int_equal(mint_count(mint, MINT_ISSUED), 3);
}

/* Too long for a subject, not for a SAN. */
static void long_names(void **state)
{
	char host[PROFILE_HOST_MAX] = "";
	X509 *x;

	(void)state;
	for (int i = 0; i < 4; i++)
		strcat(host, "abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnop.");
	strcat(host, "cdn.example");
	assert_int_equal(ask(host), 0);
	verify(host);
	x = leaf();
	assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(x)), 0);
	X509_free(x);
}

static void odd_names(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} names[] = {
#define N(text) { text, sizeof(text) - 1 }
		N(""),
		N("."),
		N("cdn.example."),
		N("CDN.example"),
		N("*.cdn.example"),
		N("a.cdn.example\0.evil.example"),
		N("evil.example\0.cdn.example"),
		N("b\xc3\xbc"
		  "cher.cdn.example"),
		N("a..cdn.example"),
		N(".cdn.example"),
		N("a,DNS:evil.example.cdn.example"),
		N("a/cdn.example"),
		N("a@cdn.example"),
		N("a cdn.example"),
		N("192.0.2.1"),
		N("2001:db8::1"),
		N("[2001:db8::1]"),
		N("a\n.cdn.example"),
#undef N
	};
	char large[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (ask_span(span_make(names[i].p, names[i].n)) != -EINVAL)
			fail_msg("%zu: %s", i, names[i].p);
		assert_int_equal(mint_count(mint, MINT_NAME), i + 1);
	}
	memset(large, 'a', sizeof(large));
	memcpy(large + 300 - 12, ".cdn.example", 12);
	assert_int_equal(ask_span(span_make(large, 300)), -EINVAL);
	assert_int_equal(mint_count(mint, MINT_ISSUED), 0);
}

static void names_of_others(void **state)
{
	static const char *const names[] = {
		"evil.example",
		"v.example",
		"notcdn.example",
		"x.mirror.v.example",
		"secret.cdn.example.evil.example",
		"a.secret.cdn.example",
		"x.odd.cdn.example",
		"x." CA_OWN_NAME,
		"localhost",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (ask(names[i]) != -EACCES)
			fail_msg("%s", names[i]);
	assert_int_equal(mint_count(mint, MINT_FOREIGN), ARRAY_LEN(names));
}

/* The profiles have come to name hosts that devices did not allow this CA. */
static void names_after_the_ca(void **state)
{
	(void)state;
	mint_profile(&rig, "suffix = cdn.example other.example");
	assert_int_equal(ask("a.other.example"), -EDOM);
	assert_int_equal(ask("mirror.v.example"), -EACCES);
	assert_int_equal(ask("a.cdn.example"), 0);
	assert_int_equal(ca_rotate(rig.state, rig.profiles, NOW_S), 0);
	assert_int_equal(ask("a.other.example"), 0);
	verify("a.other.example");
	assert_int_equal(mint_count(mint, MINT_UNCOVERED), 1);
}

static void to_an_rsa_key(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	uint8_t modulus[MINT_MODULUS + 1];
	struct span whole = span_make(modulus, MINT_MODULUS);
	BIGNUM *n = NULL;
	X509 *x;

	(void)state;
	assert_int_equal(EVP_PKEY_get_bn_param(rsa, "n", &n), 1);
	assert_int_equal(BN_bn2binpad(n, modulus, MINT_MODULUS), MINT_MODULUS);
	BN_free(n);
	assert_int_equal(ask_key(SPAN("a.cdn.example"), whole), 0);
	verify("a.cdn.example");
	x = leaf();
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), rsa), 1);
	assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
	X509_free(x);
	EVP_PKEY_free(rsa);
	assert_int_equal(ask_key(SPAN("evil.example"), whole), -EACCES);

	assert_int_equal(ask_key(SPAN("a.cdn.example"), span_make(modulus, MINT_MODULUS + 1)),
			 -EKEYREJECTED);
	assert_int_equal(ask_key(SPAN("a.cdn.example"), span_make(modulus, MINT_MODULUS - 1)),
			 -EKEYREJECTED);
	assert_int_equal(ask_key(SPAN("a.cdn.example"), span_make(modulus, 0)), -EKEYREJECTED);
	modulus[MINT_MODULUS - 1] ^= 1;
	assert_int_equal(ask_key(SPAN("a.cdn.example"), whole), -EKEYREJECTED);
	modulus[MINT_MODULUS - 1] ^= 1;
	modulus[0] &= 0x7f;
	assert_int_equal(ask_key(SPAN("a.cdn.example"), whole), -EKEYREJECTED);
	assert_int_equal(mint_count(mint, MINT_ISSUED), 1);
	assert_int_equal(mint_count(mint, MINT_KEY), 5);
}

static void odd_keys(void **state)
{
	(void)state;
	point[40] ^= 1;
	assert_int_equal(ask("a.cdn.example"), -EKEYREJECTED);
	memset(point, 0, sizeof(point));
	assert_int_equal(ask("a.cdn.example"), -EKEYREJECTED);
	point[0] = 2;
	assert_int_equal(ask("a.cdn.example"), -EKEYREJECTED);
	assert_int_equal(mint_count(mint, MINT_KEY), 3);
}

static void no_more_than_so_many(void **state)
{
	(void)state;
	for (int i = 0; i < MINT_BURST; i++)
		assert_int_equal(ask("a.cdn.example"), 0);
	assert_int_equal(ask("a.cdn.example"), -EBUSY);
	now = now_after(now, MINT_EACH_MS);
	assert_int_equal(ask("a.cdn.example"), 0);
	assert_int_equal(ask("a.cdn.example"), -EBUSY);
	now = now_after(now, 86400000);
	for (int i = 0; i < MINT_BURST; i++)
		assert_int_equal(ask("a.cdn.example"), 0);
	assert_int_equal(ask("a.cdn.example"), -EBUSY);
}

static void clocks(void **state)
{
	time_t end;
	X509 *x;

	(void)state;
	now.wall_ms = 86400000;
	assert_int_equal(ask("a.cdn.example"), -EAGAIN);
	/* Near its own end, the CA gives no leaf that outlives it. */
	now.wall_ms = (NOW_S + (int64_t)(CA_DAYS - 1) * 86400) * 1000;
	assert_int_equal(ask("a.cdn.example"), 0);
	x = leaf();
	now.wall_ms += 86400000;
	end = now.wall_ms / 1000 + 1;
	assert_true(X509_cmp_time(X509_get0_notAfter(x), &end) < 0);
	X509_free(x);
	assert_int_equal(ask("a.cdn.example"), -EAGAIN);
}

static void no_ca(void **state)
{
	(void)state;
	mint_command("rm %s/ca.pem", rig.state);
	assert_int_equal(ask("a.cdn.example"), -ENOENT);
	mint_command("echo garbage >%s/ca.pem", rig.state);
	assert_int_equal(ask("a.cdn.example"), -ENOMEM);
	assert_int_equal(mint_count(mint, MINT_NO_CA), 1);
	assert_int_equal(mint_count(mint, MINT_FAILED), 1);
}

static void small_room(void **state)
{
	struct mint_ask a = { SPAN("a.cdn.example"), span_make(point, sizeof(point)) };

	(void)state;
	assert_int_equal(mint_leaf(mint, rig.profiles, &a, now, der, 100, &der_n), -ENOMEM);
}

/* ---- where the key is not ----------------------------------------------------------------------- */

/* The private number, as files and messages show it (big-endian) and as OpenSSL counts with it (little-endian). */
static void secret(uint8_t ret_big[32], uint8_t ret_little[32])
{
	EVP_PKEY *ca;
	BIGNUM *number = NULL;
	X509 *x;

	assert_int_equal(ca_load(rig.state, &ca, &x), 0);
	assert_int_equal(EVP_PKEY_get_bn_param(ca, "priv", &number), 1);
	assert_int_equal(BN_bn2binpad(number, ret_big, 32), 32);
	assert_int_equal(BN_bn2lebinpad(number, ret_little, 32), 32);
	BN_free(number);
	EVP_PKEY_free(ca);
	X509_free(x);
}

/* In how many places of the memory of `pid` that a core dump would hold, and in how many of all. */
static void search(pid_t pid, const uint8_t *what, unsigned *dumped, unsigned *all)
{
	char path[64], line[512], flags[512];
	unsigned long a, b, from = 0, to = 0;
	FILE *maps, *mem;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = fopen(path, "r");
	assert_true(maps && mem);
	while (fgets(line, sizeof(line), maps)) {
		size_t n;
		char *bytes, *at;

		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			from = a;
			to = b;
			continue;
		}
		if (sscanf(line, "VmFlags: %500[^\n]", flags) != 1 || !strstr(flags, "wr"))
			continue;
		n = to - from;
		bytes = malloc(n);
		assert_non_null(bytes);
		if (fseek(mem, (long)from, SEEK_SET) == 0 && fread(bytes, 1, n, mem) == n)
			for (at = bytes; (at = memmem(at, n - (size_t)(at - bytes), what, 32));
			     at++) {
				*dumped += !strstr(flags, " dd");
				(*all)++;
			}
		free(bytes);
	}
	fclose(maps);
	fclose(mem);
}

static void the_key_is_in_no_core_dump(void **state)
{
	uint8_t big[32], little[32];
	unsigned dumped = 0, all = 0;
	int ready[2];
	char byte;
	pid_t child;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	print_message("the sanitizer maps more memory than can be searched\n");
	skip();
#endif
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (ask("a.cdn.example") == 0)
			(void)!write(ready[1], "x", 1);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	secret(big, little);
	search(child, big, &dumped, &all);
	search(child, little, &dumped, &all);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (!all || dumped)
		fail_msg("%u places, %u of them dumped", all, dumped);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(the_key_is_in_no_core_dump),
		T(signs_a_profile_s_host),
		T(long_names),
		T(odd_names),
		T(names_of_others),
		T(names_after_the_ca),
		T(to_an_rsa_key),
		T(odd_keys),
		T(no_more_than_so_many),
		T(clocks),
		T(no_ca),
		T(small_room),
	};

	CHECK_OK(secret_memory());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
