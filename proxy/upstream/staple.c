/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pure over what the handshake left. A response that is there and is not right counts as wrong, also where none was
 * demanded: who could leave it out could also send nonsense.
 */
#include "proxy/upstream/staple.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#define CLOCK_SKEW_S   300
#define FEATURE_STATUS 5 /* status_request (RFC 6066, 8) */

static bool must_staple(const X509 *leaf)
{
	TLS_FEATURE *features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
	bool must = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		must |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == FEATURE_STATUS;
	TLS_FEATURE_free(features);
	return must;
}

/* Does this one speak of `leaf`? Who wrote it chose the digest. */
static bool is_of(OCSP_SINGLERESP *single, const X509 *leaf, const X509 *issuer)
{
	const OCSP_CERTID *theirs = OCSP_SINGLERESP_get0_id(single);
	ASN1_OBJECT *digest = NULL;
	OCSP_CERTID *ours;
	bool same;

	if (OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)(uintptr_t)theirs) != 1 ||
	    !EVP_get_digestbyobj(digest))
		return false;
	ours = OCSP_cert_to_id(EVP_get_digestbyobj(digest), leaf, issuer);
	same = ours && OCSP_id_cmp(ours, theirs) == 0;
	OCSP_CERTID_free(ours);
	return same;
}

/* Seconds since 1970, or 0. */
static int64_t seconds_of(const ASN1_GENERALIZEDTIME *time)
{
	struct tm tm;

	return time && ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* Time is an argument here, so OCSP_check_validity() does not do. */
static bool is_current(const ASN1_GENERALIZEDTIME *from, const ASN1_GENERALIZEDTIME *next,
		       int64_t wall_s)
{
	return seconds_of(from) && seconds_of(from) <= wall_s + CLOCK_SKEW_S &&
	       (!next || seconds_of(next) >= wall_s - CLOCK_SKEW_S);
}

static int judge(OCSP_BASICRESP *basic, const X509 *leaf, const X509 *issuer, int64_t wall_s,
		 int64_t *until, enum secure_reason *ret_reason)
{
	ASN1_GENERALIZEDTIME *from = NULL, *next = NULL;
	int status = -1;

	*ret_reason = SECURE_BAD_STAPLE;
	for (int i = 0; i < OCSP_resp_count(basic) && status < 0; i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		if (is_of(single, leaf, issuer))
			status = OCSP_single_get0_status(single, NULL, NULL, &from, &next);
	}
	if (status == V_OCSP_CERTSTATUS_REVOKED) {
		*ret_reason = SECURE_REVOKED;
		return -EPERM;
	}
	if (status != V_OCSP_CERTSTATUS_GOOD || !is_current(from, next, wall_s))
		return -EPERM;
	if (next && seconds_of(next) < *until)
		*until = seconds_of(next);
	return 0;
}

int staple_check(SSL *ssl, STACK_OF(X509) * chain, int64_t wall_s, int64_t *until,
		 enum secure_reason *ret_reason)
{
	X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
	const X509 *leaf = sk_X509_value(chain, 0);
	const X509 *issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0);
	OCSP_RESPONSE *response = NULL;
	OCSP_BASICRESP *basic = NULL;
	const unsigned char *bytes = NULL;
	long n = SSL_get_tlsext_status_ocsp_resp(ssl, &bytes);
	int rc = -EPERM;

	if (n <= 0 || !bytes) {
		*ret_reason = SECURE_NO_STAPLE;
		return must_staple(leaf) ? -EPERM : 0;
	}
	*ret_reason = SECURE_BAD_STAPLE;
	response = d2i_OCSP_RESPONSE(NULL, &bytes, n);
	if (response && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	if (basic && OCSP_basic_verify(basic, chain, store, 0) == 1)
		rc = judge(basic, leaf, issuer, wall_s, until, ret_reason);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return rc;
}
