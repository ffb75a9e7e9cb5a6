/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CA as certificate and as files.
 *
 * Key and certificate are one file, replaced by rename(2): there is never one without the other. The public copy is
 * made from it at each start. Nothing but ca_rotate() ever replaces a CA that is there: devices trust it.
 *
 * The key passes through OpenSSL's secure heap alone where a program has one (secret.h): locked, and never in a core dump.
 */
#include "firmware/mint/ca.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/mint/certificate.h"

#define PATH_BYTES 4096
#define CA_BYTES   65536 /* of its file at most */

/* A key and its certificate. */
struct pair {
	EVP_PKEY *key;
	X509 *certificate;
};

static void pair_free(struct pair *pair)
{
	EVP_PKEY_free(pair->key);
	X509_free(pair->certificate);
	*pair = (struct pair){ 0 };
	ERR_clear_error();
}

/* ---- name constraints -------------------------------------------------------------------------- */

/* Takes `value`. 0 or -ENOMEM. */
static int subtree_add(STACK_OF(GENERAL_SUBTREE) * *trees, int type, ASN1_STRING *value)
{
	GENERAL_SUBTREE *tree = value ? GENERAL_SUBTREE_new() : NULL;

	if (!*trees)
		*trees = sk_GENERAL_SUBTREE_new_null();
	if (!tree || !*trees) {
		GENERAL_SUBTREE_free(tree);
		ASN1_STRING_free(value);
		return -ENOMEM;
	}
	GENERAL_NAME_set0_value(tree->base, type, value);
	if (sk_GENERAL_SUBTREE_push(*trees, tree) > 0)
		return 0;
	GENERAL_SUBTREE_free(tree);
	return -ENOMEM;
}

static ASN1_STRING *string_new(int type, const void *p, size_t n)
{
	ASN1_STRING *string = ASN1_STRING_type_new(type);

	if (string && ASN1_STRING_set(string, p, (int)n) == 1)
		return string;
	ASN1_STRING_free(string);
	return NULL;
}

static int names_put(STACK_OF(GENERAL_SUBTREE) * *trees, const struct ca_names *names)
{
	int rc = 0;

	for (size_t i = 0; i < names->n && rc == 0; i++)
		rc = subtree_add(trees, GEN_DNS,
				 string_new(V_ASN1_IA5STRING, names->v[i], strlen(names->v[i])));
	return rc;
}

/* An address and its mask, all zero: every address of the family. */
static int addresses_put(STACK_OF(GENERAL_SUBTREE) * *trees)
{
	static const uint8_t zero[32];
	int rc = subtree_add(trees, GEN_IPADD, string_new(V_ASN1_OCTET_STRING, zero, 8));

	return rc ? rc : subtree_add(trees, GEN_IPADD, string_new(V_ASN1_OCTET_STRING, zero, 32));
}

static int constrain(X509 *certificate, const struct profiles *profiles)
{
	struct ca_names permitted, excluded;
	NAME_CONSTRAINTS *nc;
	int rc = ca_names_of(profiles, &permitted, &excluded);

	if (rc < 0)
		return rc;
	nc = NAME_CONSTRAINTS_new();
	if (!permitted.n)
		rc = -ENOENT; /* without any it could speak for every name */
	else if (!nc)
		rc = -ENOMEM;
	else
		rc = ca_names_add(&permitted, SPAN(CA_OWN_NAME));
	rc = rc ? rc : names_put(&nc->permittedSubtrees, &permitted);
	rc = rc ? rc : names_put(&nc->excludedSubtrees, &excluded);
	rc = rc ? rc : addresses_put(&nc->excludedSubtrees);
	if (rc == 0 && X509_add1_ext_i2d(certificate, NID_name_constraints, nc, 1, 0) != 1)
		rc = -ENOMEM;
	NAME_CONSTRAINTS_free(nc);
	ca_names_free(&permitted);
	ca_names_free(&excluded);
	return rc;
}

/* ---- making ------------------------------------------------------------------------------------ */

/* A name that tells this box's CA from another's. */
static bool name_it(X509 *certificate)
{
	uint8_t serial[CERTIFICATE_SERIAL];
	X509_NAME *name = X509_get_subject_name(certificate);
	char common[64];

	if (!certificate_number(certificate, serial))
		return false;
	snprintf(common, sizeof(common), "Tarn update cache %02x%02x%02x%02x", serial[12],
		 serial[13], serial[14], serial[15]);
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)common, -1, -1,
					  0) == 1 &&
	       X509_set_issuer_name(certificate, name) == 1;
}

/* From a day before, for devices whose clocks are behind. */
static bool date_it(X509 *certificate, int64_t wall_s)
{
	return certificate_date(certificate, wall_s - CERTIFICATE_DAY,
				wall_s + (int64_t)CA_DAYS * CERTIFICATE_DAY);
}

static int pair_make(const struct profiles *profiles, int64_t wall_s, struct pair *ret_pair)
{
	struct pair pair = { .key = EVP_EC_gen("P-256"), .certificate = X509_new() };
	X509 *c = pair.certificate;
	int rc = -ENOMEM;

	if (pair.key && c && X509_set_version(c, X509_VERSION_3) == 1 && name_it(c) &&
	    date_it(c, wall_s) && X509_set_pubkey(c, pair.key) == 1 &&
	    certificate_extend(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    certificate_extend(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    certificate_extend(c, c, NID_ext_key_usage, "serverAuth") &&
	    certificate_extend(c, c, NID_subject_key_identifier, "hash"))
		rc = constrain(c, profiles);
	if (rc == 0 && X509_sign(c, pair.key, EVP_sha256()) <= 0)
		rc = -ENOMEM;
	if (rc < 0)
		pair_free(&pair);
	else
		*ret_pair = pair;
	return rc;
}

/* ---- files ------------------------------------------------------------------------------------- */

static int path_of(const char *dir, const char *file, char path[PATH_BYTES])
{
	int n = snprintf(path, PATH_BYTES, "%s/%s", dir, file);

	return n < 0 || n >= PATH_BYTES ? -ENAMETOOLONG : 0;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t put = write(fd, p, n);

		if (put < 0)
			return -errno;
		p += put;
		n -= (size_t)put;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

/* Whole or not at all: "X.new", which becomes X. */
static int file_put(const char *dir, const char *file, mode_t mode, struct span text)
{
	char path[PATH_BYTES], fresh[PATH_BYTES + 4];
	int fd, rc = path_of(dir, file, path);

	if (rc < 0)
		return rc;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	rc = fchmod(fd, mode) < 0 ? -errno : write_all(fd, text.p, text.n);
	close(fd);
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlink(fresh);
	return rc ? rc : dir_sync(dir);
}

static struct span bio_text(BIO *bio)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	return span_make(p, n > 0 ? (size_t)n : 0);
}

/* The certificate as PEM, after the key if it is given. */
static int pem_put(const char *dir, const char *file, mode_t mode, const struct pair *pair,
		   bool with_key)
{
	BIO *bio = BIO_new(with_key ? BIO_s_secmem() : BIO_s_mem());
	int rc = -ENOMEM;

	if (bio &&
	    (!with_key ||
	     PEM_write_bio_PrivateKey(bio, pair->key, NULL, NULL, 0, NULL, NULL) == 1) &&
	    PEM_write_bio_X509(bio, pair->certificate) == 1)
		rc = file_put(dir, file, mode, bio_text(bio));
	BIO_free(bio);
	return rc;
}

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

/* Reads what there is, to `size` bytes. How many, or -errno. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, buf + n, size - n);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* The file of key and certificate, in memory of its own (OPENSSL_secure_clear_free). How long, or -errno. */
static ssize_t secret_get(const char *dir, char **ret_text)
{
	char path[PATH_BYTES], *text;
	struct stat st;
	int fd, rc = path_of(dir, CA_FILE, path);
	ssize_t n;

	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	text = OPENSSL_secure_malloc(CA_BYTES);
	if (!text)
		n = -ENOMEM;
	else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size >= CA_BYTES)
		n = -EBADMSG;
	else
		n = read_all(fd, text, CA_BYTES);
	close(fd);
	if (n < 0)
		OPENSSL_secure_clear_free(text, CA_BYTES);
	else
		*ret_text = text;
	return n;
}

static int pair_parse(const char *text, size_t n, struct pair *ret_pair)
{
	BIO *bio = BIO_new_mem_buf(text, (int)n);
	struct pair pair = { 0 };

	if (!bio)
		return -ENOMEM;
	pair.key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	pair.certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (!pair.key || !pair.certificate || X509_check_ca(pair.certificate) != 1 ||
	    X509_check_private_key(pair.certificate, pair.key) != 1) {
		pair_free(&pair);
		return -EBADMSG;
	}
	*ret_pair = pair;
	return 0;
}

static int pair_read(const char *dir, struct pair *ret_pair)
{
	char *text;
	ssize_t n = secret_get(dir, &text);
	int rc;

	if (n < 0)
		return (int)n;
	rc = pair_parse(text, (size_t)n, ret_pair);
	OPENSSL_secure_clear_free(text, CA_BYTES);
	return rc;
}

int ca_load(const char *dir, EVP_PKEY **ret_key, X509 **ret_certificate)
{
	struct pair pair;
	int rc = pair_read(dir, &pair);

	if (rc < 0)
		return rc;
	*ret_key = pair.key;
	*ret_certificate = pair.certificate;
	return 0;
}

/* The public copy is that of the CA. */
static int publish(const char *dir, const struct pair *pair)
{
	X509 *copy = NULL;
	bool same = ca_certificate(dir, &copy) == 0 && X509_cmp(copy, pair->certificate) == 0;

	X509_free(copy);
	return same ? 0 : pem_put(dir, CA_PUBLIC, 0644, pair, false);
}

int ca_ensure(const char *dir, const struct profiles *profiles, int64_t wall_s, bool *ret_made)
{
	struct pair pair;
	bool made = false;
	int rc;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	rc = pair_read(dir, &pair);
	if (rc == -ENOENT) {
		made = true;
		rc = wall_s < CA_CLOCK_MIN ? -EAGAIN : pair_make(profiles, wall_s, &pair);
		if (rc == 0)
			rc = pem_put(dir, CA_FILE, 0600, &pair, true);
		else
			return rc;
	} else if (rc < 0) {
		return rc;
	}
	rc = rc ? rc : publish(dir, &pair);
	pair_free(&pair);
	if (rc == 0)
		*ret_made = made;
	return rc;
}

int ca_rotate(const char *dir, const struct profiles *profiles, int64_t wall_s)
{
	struct pair pair;
	int rc;

	if (wall_s < CA_CLOCK_MIN)
		return -EAGAIN;
	rc = pair_make(profiles, wall_s, &pair);
	if (rc < 0)
		return rc;
	rc = pem_put(dir, CA_FILE, 0600, &pair, true);
	rc = rc ? rc : publish(dir, &pair);
	pair_free(&pair);
	return rc;
}
