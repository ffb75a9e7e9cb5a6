/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: which devices do not trust us for which hosts; and the certificate authority, as far as it is public.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <time.h>

#include "firmware/base/log.h"
#include "firmware/mint/public.h"
#include "proxy/admin/route.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/tls/distrust.h"
#include "proxy/tls/leaves.h"

static void entry_add(const struct distrust_view *view, void *arg)
{
	/* Without memory one is missing. */
	(void)json_array_append_new(
		arg, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "device", view->device, "host",
			       view->host, "reason", distrust_reason_name(view->reason), "text",
			       distrust_reason_help(view->reason), "since",
			       (json_int_t)view->since_ms, "until", (json_int_t)view->until_ms));
}

static void get_distrust(struct admin_ask *ask)
{
	struct distrust *distrust = ask->control->proxy->distrust;
	int64_t now = worker_now(ask->control)->wall_ms;
	json_t *entries = json_array();
	size_t no, yes;

	if (entries)
		distrust_each(distrust, now, entry_add, entries);
	distrust_count(distrust, now, &no, &yes);
	admin_answer_json(
		ask, 200,
		json_pack("{s:o*, s:I}", "entries", entries, "trusting", (json_int_t)yes));
}

static void delete_distrust(struct admin_ask *ask)
{
	const char *device = admin_query(ask, "device"), *host = admin_query(ask, "host");
	size_t n = distrust_forget(ask->control->proxy->distrust, device, host);

	if (!n && (device || host))
		return admin_answer_error(ask, 404, "unknown", "that distrust is not known");
	LOG(LOG_L_NOTICE, "tls.forgotten", "device=%s host=%s n=%zu by=%s",
	    device ? LOG_QUOTE(span_of(device)) : "-", host ? LOG_QUOTE(span_of(host)) : "-", n,
	    ask->peer);
	admin_answer_done(ask);
}

/* ---- the CA ------------------------------------------------------------------------------------ */

static const struct config *config_of(const struct admin_ask *ask)
{
	return ask->control->config;
}

/* Who is told of a CA is not shown a certificate of the one before it. */
static X509 *authority(struct admin_ask *ask)
{
	X509 *x;
	int rc = ca_certificate(config_of(ask)->settings.keeper.state, &x);

	if (ask->control->proxy->leaves)
		leaves_look(ask->control->proxy->leaves);
	if (rc == 0)
		return x;
	if (rc == -ENOENT || rc == -EACCES)
		admin_answer_error(ask, 404, "no_authority",
				   "there is no certificate authority; tarnd makes it");
	else
		admin_answer_errno(ask, rc);
	return NULL;
}

static json_t *date_json(const ASN1_TIME *time)
{
	char text[24] = "";
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) == 1)
		(void)strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	return json_string(text);
}

static json_t *digest_json(const X509 *x)
{
	char text[EVP_MAX_MD_SIZE * 3] = "";
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(x, EVP_sha256(), digest, &n) != 1)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(text + strlen(text), 4, "%s%02X", i ? ":" : "", digest[i]);
	return json_string(text);
}

static json_t *names_json(const struct ca_names *names)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < names->n; i++)
		(void)json_array_append_new(array, json_string(names->v[i]));
	return array;
}

/* NULL without memory. */
static json_t *authority_json(const X509 *x, const struct profiles *profiles)
{
	struct ca_names permitted = { 0 }, excluded = { 0 }, uncovered = { 0 };
	json_t *json = NULL;
	char common[128] = "";

	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, common,
					sizeof(common));
	if (ca_permitted(x, &permitted) == 0 && ca_excluded(x, &excluded) == 0 &&
	    ca_names_uncovered(&permitted, profiles, &uncovered) == 0)
		json = json_pack(
			"{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "authority", common, "sha256",
			digest_json(x), "from", date_json(X509_get0_notBefore(x)), "until",
			date_json(X509_get0_notAfter(x)), "permitted", names_json(&permitted),
			"excluded", names_json(&excluded), "uncovered", names_json(&uncovered));
	ca_names_free(&permitted);
	ca_names_free(&excluded);
	ca_names_free(&uncovered);
	return json;
}

static void get_authority(struct admin_ask *ask)
{
	X509 *x = authority(ask);

	if (!x)
		return;
	admin_answer_json(ask, 200, authority_json(x, config_of(ask)->profiles));
	X509_free(x);
}

static void get_authority_file(struct admin_ask *ask)
{
	X509 *x = authority(ask);
	BIO *bio = BIO_new(BIO_s_mem());
	struct evbuffer *body = evbuffer_new();
	char *p = NULL;
	long n = 0;

	if (x && bio && body && PEM_write_bio_X509(bio, x) == 1)
		n = BIO_get_mem_data(bio, &p);
	if (n > 0 && evbuffer_add(body, p, (size_t)n) == 0)
		admin_answer_bytes(ask, "application/x-x509-ca-cert", body);
	else if (x)
		admin_answer_errno(ask, -ENOMEM);
	if (body)
		evbuffer_free(body);
	BIO_free(bio);
	X509_free(x);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/tls/distrust", ADMIN_VIEW, get_distrust },
	{ ADMIN_DELETE, "/api/v1/tls/distrust", ADMIN_OPERATE, delete_distrust },
	{ ADMIN_GET, "/api/v1/tls/ca", ADMIN_VIEW, get_authority },
	{ ADMIN_GET, "/api/v1/tls/ca.crt", ADMIN_VIEW, get_authority_file },
};
ADMIN_TABLE(tls, routes);
