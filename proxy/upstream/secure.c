/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS connection to a vendor. OpenSSL does the protocol and the chain; here is what it leaves to its caller: the name
 * to expect, the staple, what a resumed session may rely on, and a word for each way to fail.
 *
 *	secure_new --> secure_handshake ... --> accepted? --> secure_recv, secure_send --> secure_free
 *	               (a session of before)     staple, ALPN
 *
 * A struct secure belongs to one worker; contexts and sessions are shared. Once `broken`, nothing is said any more.
 */
#include "proxy/upstream/secure.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "firmware/base/stat.h"
#include "proxy/upstream/sessions.h"
#include "proxy/upstream/staple.h"
#include "proxy/upstream/trust.h"

/* What was verified is verified again after so long, though the session could still be resumed. */
#define VERIFIED_FOR_S 3600

struct secure {
	SSL *ssl;
	char host[PROFILE_HOST_MAX];
	uint16_t port;
	int64_t wall_s; /* of the beginning */
	int64_t until;
	bool done, broken, wants_certificate;
};

/* ---- reasons --------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *error, *help;
} reasons[] = {
#define X(name_, label_, help_) { label_, "tls_" label_, help_ },
	SECURE_REASONS(X)
#undef X
};

_Static_assert(ARRAY_LEN(reasons) <=
		       STAT_UPSTREAM_TLS_REFUSED_LAST - STAT_UPSTREAM_TLS_REFUSED_FIRST + 1,
	       "a counter each");

int secure_error(enum secure_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	if (reason == SECURE_CLOSED)
		return -ECONNRESET;
	if (reason == SECURE_TIMEOUT)
		return -ETIMEDOUT;
	return -(SECURE_ERROR_BASE + (int)reason);
}

bool secure_error_reason(int error, enum secure_reason *ret_reason)
{
	if (error > -SECURE_ERROR_BASE || error <= -(SECURE_ERROR_BASE + (int)ARRAY_LEN(reasons)))
		return false;
	*ret_reason = (enum secure_reason)(-error - SECURE_ERROR_BASE);
	return true;
}

const char *secure_error_name(int error)
{
	enum secure_reason reason;

	return secure_error_reason(error, &reason) ? reasons[reason].error : NULL;
}

const char *secure_reason_name(enum secure_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	return reasons[reason].name;
}

const char *secure_reason_help(enum secure_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	return reasons[reason].help;
}

void secure_reason_count(enum secure_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	stat_add(STAT_UPSTREAM_TLS_REFUSED_FIRST + (unsigned)reason, 1);
}

void secure_label_counters(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++)
		stat_label(STAT_UPSTREAM_TLS_REFUSED_FIRST, i, reasons[i].name, reasons[i].help);
}

static enum secure_reason reason_of_chain(long result)
{
	switch (result) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return SECURE_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return SECURE_NOT_YET_VALID;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return SECURE_WRONG_NAME;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return SECURE_SELF_SIGNED;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return SECURE_UNKNOWN_CA;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return SECURE_WEAK;
	case X509_V_ERR_CERT_REVOKED:
		return SECURE_REVOKED;
	default:
		return SECURE_CHAIN;
	}
}

static enum secure_reason reason_of_library(unsigned long error)
{
	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return SECURE_PROTOCOL;
	switch (ERR_GET_REASON(error)) {
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
		return SECURE_VERSION;
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
	case SSL_R_WRONG_CIPHER_RETURNED:
		return SECURE_CIPHER;
	case SSL_R_DH_KEY_TOO_SMALL:
	case SSL_R_EE_KEY_TOO_SMALL:
	case SSL_R_CA_KEY_TOO_SMALL:
	case SSL_R_CA_MD_TOO_WEAK:
		return SECURE_WEAK;
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return SECURE_CLIENT_CERTIFICATE;
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return SECURE_CLOSED;
	default:
		return SECURE_PROTOCOL;
	}
}

static enum secure_reason reason_of(const struct secure *s, int error)
{
	long result = SSL_get_verify_result(s->ssl);

	if (result != X509_V_OK)
		return reason_of_chain(result);
	if (error == SSL_ERROR_SYSCALL)
		return SECURE_CLOSED;
	return reason_of_library(ERR_peek_error());
}

/* ---- what OpenSSL asks us ---------------------------------------------------------------------------- */

static int on_certificate_wanted(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	struct secure *s = SSL_get_app_data(ssl);

	(void)certificate;
	(void)key;
	s->wants_certificate = true;
	return 0; /* none */
}

/* Takes the session, which came with a ticket after the handshake, or at its end (TLS 1.2). */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct secure *s = SSL_get_app_data(ssl);

	/* In TLS 1.2 it comes before all is checked: secure_handshake() takes that one. */
	if (!s->done || !SSL_SESSION_is_resumable(session))
		return 0;
	sessions_put(trust_sessions(SSL_get_SSL_CTX(ssl)), s->host, s->port, session, s->until);
	return 1;
}

void secure_prepare(SSL_CTX *context)
{
	SSL_CTX_set_client_cert_cb(context, on_certificate_wanted);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_session);
}

/* ---- the beginning ----------------------------------------------------------------------------------- */

static bool expect(struct secure *s)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
	struct addr addr;

	X509_VERIFY_PARAM_set_time(param, (time_t)s->wall_s);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	/* An address is not named in a hello (RFC 6066, 3). */
	if (addr_parse(span_of(s->host), 0, &addr) == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(param, s->host) == 1;
	return X509_VERIFY_PARAM_set1_host(param, s->host, 0) == 1 &&
	       SSL_set_tlsext_host_name(s->ssl, s->host) == 1;
}

static void session_set(struct secure *s)
{
	struct sessions *sessions = trust_sessions(SSL_get_SSL_CTX(s->ssl));
	SSL_SESSION *session = sessions_take(sessions, s->host, s->port, s->wall_s, &s->until);

	if (session)
		(void)SSL_set_session(s->ssl, session);
	SSL_SESSION_free(session);
}

int secure_new(SSL_CTX *context, int fd, const char *host, uint16_t port, int64_t wall_s,
	       bool resume, struct secure **ret_secure)
{
	struct secure *s = calloc(1, sizeof(*s));
	int rc = s ? span_copy(span_of(host), s->host, sizeof(s->host)) : -ENOMEM;

	if (rc < 0)
		goto out;
	s->port = port;
	s->wall_s = wall_s;
	s->ssl = SSL_new(context);
	rc = -ENOMEM;
	if (!s->ssl || SSL_set_app_data(s->ssl, s) != 1 || SSL_set_fd(s->ssl, fd) != 1 ||
	    !expect(s))
		goto out;
	SSL_set_connect_state(s->ssl);
	if (resume)
		session_set(s);
	*ret_secure = s;
	return 0;
out:
	ERR_clear_error();
	if (s)
		SSL_free(s->ssl);
	free(s);
	return rc;
}

void secure_free(struct secure **secure)
{
	struct secure *s = *secure;

	*secure = NULL;
	if (!s)
		return;
	ERR_clear_error();
	if (s->done && !s->broken)
		(void)SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	ERR_clear_error();
	free(s);
}

/* ---- the handshake ----------------------------------------------------------------------------------- */

static int64_t not_after(const X509 *certificate)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1 ? (int64_t)timegm(&tm)
									  : 0;
}

/* The chain holds; what else is there to see. A resumed session shows nothing: it relies on what was seen. */
static int check_shown(struct secure *s, enum secure_reason *ret_reason)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(s->ssl);

	*ret_reason = SECURE_CHAIN;
	if (SSL_get_verify_result(s->ssl) != X509_V_OK || sk_X509_num(chain) <= 0)
		return -EPERM;
	s->until = s->wall_s + VERIFIED_FOR_S;
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (not_after(sk_X509_value(chain, i)) < s->until)
			s->until = not_after(sk_X509_value(chain, i));
	return staple_check(s->ssl, chain, s->wall_s, &s->until, ret_reason);
}

static int accept_it(struct secure *s, enum secure_reason *ret_reason)
{
	const unsigned char *alpn;
	unsigned n;

	SSL_get0_alpn_selected(s->ssl, &alpn, &n);
	*ret_reason = SECURE_PROTOCOL;
	if (n && !span_eq(span_make(alpn, n), SPAN("http/1.1")))
		return -EPERM;
	if (!SSL_session_reused(s->ssl) && check_shown(s, ret_reason) < 0)
		return -EPERM;
	s->done = true;
	STAT_INC(STAT_UPSTREAM_TLS_HANDSHAKES);
	if (SSL_session_reused(s->ssl))
		STAT_INC(STAT_UPSTREAM_TLS_RESUMED);
	else if (SSL_version(s->ssl) < TLS1_3_VERSION &&
		 SSL_SESSION_is_resumable(SSL_get0_session(s->ssl)))
		sessions_put(trust_sessions(SSL_get_SSL_CTX(s->ssl)), s->host, s->port,
			     SSL_get1_session(s->ssl), s->until);
	return 0;
}

int secure_handshake(struct secure *s, bool *ret_write, enum secure_reason *ret_reason)
{
	int rc, error;

	ERR_clear_error();
	rc = SSL_do_handshake(s->ssl);
	if (rc == 1) {
		rc = accept_it(s, ret_reason);
		s->broken |= rc < 0;
		return rc;
	}
	error = SSL_get_error(s->ssl, rc);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		*ret_write = error == SSL_ERROR_WANT_WRITE;
		return -EAGAIN;
	}
	s->broken = true;
	*ret_reason = reason_of(s, error);
	ERR_clear_error();
	return -EPERM;
}

/* ---- bytes ------------------------------------------------------------------------------------------- */

/* What recv(2) and send(2) would have said. */
static ssize_t ended(struct secure *s)
{
	int saved = errno, error = SSL_get_error(s->ssl, 0);
	unsigned long why = ERR_peek_error();

	ERR_clear_error();
	switch (error) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: /* a few bytes of TLS's own into an empty socket: at worst idle_timeout ends it */
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		s->broken = true;
		errno = saved ? saved : ECONNRESET;
		return -1;
	default:
		s->broken = true;
		if (ERR_GET_LIB(why) == ERR_LIB_SSL &&
		    ERR_GET_REASON(why) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			STAT_INC(STAT_UPSTREAM_TLS_CUT);
			errno = ECONNRESET;
		} else {
			errno = EPROTO;
		}
		return -1;
	}
}

ssize_t secure_recv(struct secure *s, void *buf, size_t n)
{
	size_t got;

	errno = 0;
	ERR_clear_error();
	return SSL_read_ex(s->ssl, buf, n, &got) == 1 ? (ssize_t)got : ended(s);
}

ssize_t secure_send(struct secure *s, const void *buf, size_t n)
{
	size_t sent;
	ssize_t rc;

	errno = 0;
	ERR_clear_error();
	if (SSL_write_ex(s->ssl, buf, n, &sent) == 1)
		return (ssize_t)sent;
	rc = ended(s);
	if (rc == 0)
		errno = EPIPE;
	return -1;
}

bool secure_has_more(const struct secure *s)
{
	return SSL_has_pending(s->ssl) == 1;
}

bool secure_is_idle(struct secure *s)
{
	char byte;
	size_t n;

	if (s->broken)
		return false;
	errno = 0;
	ERR_clear_error();
	if (SSL_peek_ex(s->ssl, &byte, 1, &n) == 1)
		return false;
	return ended(s) < 0 && errno == EAGAIN;
}

bool secure_is_of(const struct secure *s, const SSL_CTX *context)
{
	return SSL_get_SSL_CTX(s->ssl) == context;
}

bool secure_resumed(const struct secure *s)
{
	return SSL_session_reused(s->ssl) == 1;
}

bool secure_wants_certificate(const struct secure *s)
{
	return s->wants_certificate;
}

int64_t secure_until(const struct secure *s)
{
	return s->until;
}
