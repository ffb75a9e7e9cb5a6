/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate is read by whoever wants to know it; nothing here ever opens the file with the key.
 */
#include "firmware/mint/public.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#define PATH_BYTES 4096
#define FILE_MAX   (1 << 20)

static int names_get(const X509 *certificate, bool permitted, struct ca_names *ret_names)
{
	NAME_CONSTRAINTS *nc = X509_get_ext_d2i(certificate, NID_name_constraints, NULL, NULL);
	STACK_OF(GENERAL_SUBTREE) *trees = NULL;
	struct ca_names names = { 0 };
	int rc = 0;

	if (nc)
		trees = permitted ? nc->permittedSubtrees : nc->excludedSubtrees;
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees) && rc == 0; i++) {
		const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(trees, i)->base;

		if (base->type == GEN_DNS)
			rc = ca_names_add(&names,
					  span_make(ASN1_STRING_get0_data(base->d.dNSName),
						    (size_t)ASN1_STRING_length(base->d.dNSName)));
	}
	NAME_CONSTRAINTS_free(nc);
	if (rc < 0)
		ca_names_free(&names);
	else
		*ret_names = names;
	return rc;
}

int ca_permitted(const X509 *certificate, struct ca_names *ret_names)
{
	return names_get(certificate, true, ret_names);
}

int ca_excluded(const X509 *certificate, struct ca_names *ret_names)
{
	return names_get(certificate, false, ret_names);
}

/* A file as a BIO for reading. 0 or -errno. */
static int file_get(const char *path, BIO **ret_bio)
{
	struct stat st;
	FILE *in = fopen(path, "re");

	if (!in)
		return -errno;
	if (fstat(fileno(in), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		fclose(in);
		return -EBADMSG;
	}
	*ret_bio = BIO_new_fp(in, BIO_CLOSE);
	if (*ret_bio)
		return 0;
	fclose(in);
	return -ENOMEM;
}

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

int ca_certificate(const char *dir, X509 **ret_certificate)
{
	char path[PATH_BYTES];
	X509 *certificate;
	int n = snprintf(path, sizeof(path), "%s/" CA_PUBLIC, dir), rc;
	BIO *bio = NULL;

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	rc = file_get(path, &bio);
	if (rc < 0)
		return rc;
	certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (!certificate)
		return -EBADMSG;
	*ret_certificate = certificate;
	return 0;
}
