/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CA: made once and kept; and what a thief of its key can't do. Forged certificates are shown to OpenSSL's,
 * GnuTLS's and NSS's own programs.
 */
#include "tests/unit/firmware/mint/rig.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "firmware/mint/ca.h"

#define NOW   INT64_C(1795392000)
#define HOSTS "exact = mirror.v.example\nsuffix = cdn.example\nnever = .secret.cdn.example"

static struct mint_rig rig;
static bool made;

static int begin(void **state)
{
	(void)state;
	mint_rig_make(&rig, HOSTS);
	made = false;
	return 0;
}

static int end(void **state)
{
	(void)state;
	mint_rig_end(&rig);
	return 0;
}

static int ensure(int64_t wall_s)
{
	return ca_ensure(rig.state, rig.profiles, wall_s, &made);
}

static const char *file(const char *name)
{
	static char path[2][128];
	static unsigned i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", rig.state, name);
	return path[i];
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(file(name), &st), 0);
	return st.st_mode & 07777;
}

static X509 *certificate(void)
{
	X509 *x;

	assert_int_equal(ca_certificate(rig.state, &x), 0);
	return x;
}

/* ---- its life ----------------------------------------------------------------------------------- */

static void is_made_once(void **state)
{
	X509 *first, *second;

	(void)state;
	assert_int_equal(ensure(NOW), 0);
	assert_true(made);
	assert_int_equal(mode_of(CA_FILE), 0600);
	assert_int_equal(mode_of(CA_PUBLIC), 0644);
	first = certificate();
	assert_int_equal(ensure(NOW + 1000), 0);
	assert_false(made);
	second = certificate();
	assert_int_equal(X509_cmp(first, second), 0);
	X509_free(first);
	X509_free(second);
	/* No key in the public file, and nothing half written beside it. */
	mint_command("! grep -q PRIVATE %s", file(CA_PUBLIC));
	mint_command("test \"$(ls %s | wc -l)\" = 2", rig.state);
}

/* Other profiles, another mode of the file, a lost public copy: still the same CA. */
static void is_never_replaced(void **state)
{
	X509 *first, *second;

	(void)state;
	assert_int_equal(ensure(NOW), 0);
	first = certificate();
	mint_profile(&rig, "exact = other.example");
	assert_int_equal(unlink(file(CA_PUBLIC)), 0);
	assert_int_equal(ensure(NOW), 0);
	assert_false(made);
	second = certificate();
	assert_int_equal(X509_cmp(first, second), 0);
	X509_free(second);
	mint_command("echo garbage >%s", file(CA_PUBLIC));
	assert_int_equal(ensure(NOW), 0);
	second = certificate();
	assert_int_equal(X509_cmp(first, second), 0);
	X509_free(second);
	X509_free(first);
	/* One that can't be read is not replaced either. */
	mint_command("echo garbage >%s", file(CA_FILE));
	assert_int_equal(ensure(NOW), -EBADMSG);
	mint_command("grep -q garbage %s", file(CA_FILE));
}

/* A key and a certificate that do not belong together; a certificate of no CA. */
static void must_fit(void **state)
{
	(void)state;
	mint_command("mkdir %s", rig.state);
	mint_command(
		"cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
		"-subj /CN=x -keyout k -out c 2>/dev/null && openssl ecparam -genkey -name "
		"prime256v1 -noout -out other && cat other c >ca.pem",
		rig.state);
	assert_int_equal(ensure(NOW), -EBADMSG);
	mint_command("cd %s && openssl req -x509 -key k -subj /CN=x -addext "
		     "basicConstraints=critical,CA:FALSE -out c 2>/dev/null && cat k c >ca.pem",
		     rig.state);
	assert_int_equal(ensure(NOW), -EBADMSG);
}

static void waits_for_the_clock(void **state)
{
	(void)state;
	assert_int_equal(ensure(86400), -EAGAIN);
	assert_int_equal(ensure(CA_CLOCK_MIN - 1), -EAGAIN);
	assert_int_equal(access(file(CA_FILE), F_OK), -1);
	assert_int_equal(ensure(CA_CLOCK_MIN), 0);
	assert_true(made);
	/* One that is there stands, whatever the clock says. */
	assert_int_equal(ensure(0), 0);
}

/* Without a name to permit it would be permitted all. */
static void needs_a_name(void **state)
{
	(void)state;
	mint_profile(&rig, "exact = 192.0.2.1");
	assert_int_equal(ensure(NOW), -ENOENT);
	assert_int_equal(access(file(CA_FILE), F_OK), -1);
	mint_profile(&rig, HOSTS);
	assert_int_equal(ensure(NOW), 0);
}

static void no_folder(void **state)
{
	X509 *x = NULL;

	(void)state;
	snprintf(rig.state, sizeof(rig.state), "%s/no/such", rig.dir);
	assert_int_equal(ensure(NOW), -ENOENT);
	assert_int_equal(ca_certificate(rig.state, &x), -ENOENT);
	assert_null(x);
}

static void says_what_it_is(void **state)
{
	struct ca_names names;
	int days, seconds;
	X509 *x;

	(void)state;
	assert_int_equal(ensure(NOW), 0);
	x = certificate();
	assert_int_equal(X509_get_pathlen(x), 0);
	assert_int_equal(X509_get_key_usage(x), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
	assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(x)), 256);
	assert_true(X509_EXTENSION_get_critical(
		X509_get_ext(x, X509_get_ext_by_NID(x, NID_name_constraints, -1))));
	assert_int_equal(
		ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x), X509_get0_notAfter(x)), 1);
	assert_int_equal(days, CA_DAYS + 1);
	assert_int_equal(ca_permitted(x, &names), 0);
	assert_int_equal(names.n, 3);
	assert_string_equal(names.v[0], "cdn.example");
	assert_string_equal(names.v[1], "mirror.v.example");
	assert_string_equal(names.v[2], CA_OWN_NAME);
	ca_names_free(&names);
	assert_int_equal(ca_excluded(x, &names), 0);
	assert_int_equal(names.n, 1);
	assert_string_equal(names.v[0], "secret.cdn.example");
	ca_names_free(&names);
	X509_free(x);
}

/* ---- with its key stolen ------------------------------------------------------------------------ */

static void extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* One that the stolen key signs: state/<name>.crt and .key; `issuer` is the name of another such, or "ca". */
static void forge(const char *name, const char *issuer, const char *common, const char *san,
		  bool ca)
{
	char path[64];
	EVP_PKEY *key = EVP_EC_gen("P-256"), *issuer_key;
	X509 *x = X509_new(), *issuer_x;
	uint8_t serial;
	FILE *f;

	snprintf(path, sizeof(path), "%s.pem", issuer);
	f = fopen(file(path), "r");
	assert_non_null(f);
	issuer_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	issuer_x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_true(key && x && issuer_key && issuer_x);
	assert_int_equal(RAND_bytes(&serial, 1), 1);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1 + serial);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const uint8_t *)common, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer_x));
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	extension(x, issuer_x, NID_subject_key_identifier, "hash");
	extension(x, issuer_x, NID_authority_key_identifier, "keyid");
	if (ca) {
		extension(x, issuer_x, NID_basic_constraints, "critical,CA:TRUE");
		extension(x, issuer_x, NID_key_usage, "critical,keyCertSign");
	}
	if (san)
		extension(x, issuer_x, NID_subject_alt_name, san);
	assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	snprintf(path, sizeof(path), "%s.pem", name);
	f = fopen(file(path), "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	snprintf(path, sizeof(path), "%s.crt", name);
	f = fopen(file(path), "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	X509_free(x);
	X509_free(issuer_x);
	EVP_PKEY_free(key);
	EVP_PKEY_free(issuer_key);
}

/* Does the program accept what it is given? `line` has the folder as %s. */
static bool accepts(const char *line)
{
	char command[400];

	snprintf(command, sizeof(command), line, rig.state);
	return system(command) == 0;
}

/* It refuses, and for this reason (a basic regular expression) rather than another. */
static bool refuses(const char *line, const char *why)
{
	char command[400];

	snprintf(command, sizeof(command), "grep -q '%s' %s", why, file("verify.log"));
	return !accepts(line) && system(command) == 0;
}

#define OPENSSL "cd %s && openssl verify -x509_strict -purpose sslserver -CAfile ca.crt "
#define GNUTLS                                                                                     \
	"cd %s && certtool --verify --verify-purpose 1.3.6.1.5.5.7.3.1 --load-ca-certificate "     \
	"ca.crt "
#define PURPOSE(what) "cd %s && openssl verify -purpose " what " -CAfile ca.crt leaf.crt "
#define QUIET	      " >verify.log 2>&1"

static const struct {
	const char *common, *san;
	bool good;
} leaves[] = {
	{ "mirror", "DNS:mirror.v.example", true },
	{ "a", "DNS:a.cdn.example", true },
	{ "two", "DNS:a.cdn.example,DNS:mirror.v.example", true },
	{ "other", "DNS:other.example", false },
	{ "bank", "DNS:www.bank.example", false },
	{ "parent", "DNS:v.example", false },
	{ "sibling", "DNS:mirror2.v.example", false },
	{ "suffix of a label", "DNS:evilcdn.example", false },
	{ "never", "DNS:secret.cdn.example", false },
	{ "below never", "DNS:a.secret.cdn.example", false },
	{ "one good, one bad", "DNS:mirror.v.example,DNS:other.example", false },
	{ "wildcard over all", "DNS:*.example", false },
	{ "IPv4", "IP:192.0.2.1", false },
	{ "IPv6", "IP:2001:db8::1", false },
	{ "a name and an address", "DNS:mirror.v.example,IP:192.0.2.1", false },
	{ "www.bank.example", NULL, false },
};

static int begin_forging(void **state)
{
	bool unused;
	int rc = begin(state);

	/* By the real clock, which the programs judge by. */
	return rc ? rc : ca_ensure(rig.state, rig.profiles, (int64_t)time(NULL), &unused);
}

static void thief_against(const char *verify, const char *why)
{
	char line[300];

	snprintf(line, sizeof(line), "%s" QUIET, verify);
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		forge("leaf", "ca", leaves[i].common, leaves[i].san, false);
		if (leaves[i].good ? !accepts(line) : !refuses(line, why))
			fail_msg("%s: %s", leaves[i].common,
				 leaves[i].good ? "refused"
						: "accepted, or refused for another reason");
	}
}

static void thief_against_openssl(void **state)
{
	(void)state;
	thief_against(OPENSSL "leaf.crt", "subtree violation");
	/* Path length 0: no CA below it, also not for names that are permitted. */
	forge("sub", "ca", "sub", NULL, true);
	forge("leaf", "sub", "mirror", "DNS:mirror.v.example", false);
	assert_true(refuses(OPENSSL "-untrusted sub.crt leaf.crt" QUIET, "path length"));
	/* For servers alone. */
	forge("leaf", "ca", "mirror", "DNS:mirror.v.example", false);
	assert_true(accepts(OPENSSL "leaf.crt" QUIET));
	assert_true(refuses(PURPOSE("smimesign") QUIET, "purpose"));
	assert_true(refuses(PURPOSE("sslclient") QUIET, "purpose"));
}

static void thief_against_gnutls(void **state)
{
	(void)state;
	if (system("command -v certtool >/dev/null") != 0)
		skip();
	thief_against(GNUTLS "--infile leaf.crt", "violates the signer");
	forge("sub", "ca", "sub", NULL, true);
	forge("leaf", "sub", "mirror", "DNS:mirror.v.example", false);
	mint_command("cd %s && cat leaf.crt sub.crt >chain.crt", rig.state);
	assert_true(refuses(GNUTLS "--infile chain.crt" QUIET, "violates the signer"));
}

/* NSS, by its own verifier, and by its PKIX library (which refuses the same, with a reason that says nothing). */
#define NSS(option) "cd %s && vfychain -d sql:nss " option "-u 1 -a leaf.crt"

static void thief_against_nss(void **state)
{
	(void)state;
	if (system("command -v vfychain >/dev/null && command -v certutil >/dev/null") != 0)
		skip();
	mint_command("cd %s && mkdir nss && certutil -N -d sql:nss --empty-password && "
		     "certutil -A -d sql:nss -n tarn -t C,, -a -i ca.crt",
		     rig.state);
	thief_against(NSS(""), "not permitted to issue");
	thief_against(NSS("-pp "), "Chain is bad");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
#define F(f) cmocka_unit_test_setup_teardown(f, begin_forging, end)
	static const struct CMUnitTest tests[] = {
		T(is_made_once),	T(is_never_replaced),	  T(must_fit),
		T(waits_for_the_clock), T(needs_a_name),	  T(no_folder),
		T(says_what_it_is),	F(thief_against_openssl), F(thief_against_gnutls),
		F(thief_against_nss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
