/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of certificates.
 */
#include "firmware/mint/certificate.h"

#include <errno.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <time.h>

bool certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	ok = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

bool certificate_number(X509 *certificate, uint8_t ret_serial[CERTIFICATE_SERIAL])
{
	BIGNUM *number;
	bool ok;

	if (RAND_bytes(ret_serial, CERTIFICATE_SERIAL) != 1)
		return false;
	ret_serial[0] = (uint8_t)((ret_serial[0] & 0x7f) | 0x40);
	number = BN_bin2bn(ret_serial, CERTIFICATE_SERIAL, NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return ok;
}

bool certificate_date(X509 *certificate, int64_t from_s, int64_t until_s)
{
	return ASN1_TIME_set(X509_getm_notBefore(certificate), from_s) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), until_s);
}

int certificate_until(const X509 *certificate, int64_t *ret_until_s)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
		return -EBADMSG;
	*ret_until_s = timegm(&tm);
	return 0;
}
