/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl ca: the certificate authority that tarnd made, to look at and to give to devices. Only its public part is
 * read.
 */
#include "firmware/ctl/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#include "firmware/base/tarn_conf.h"
#include "firmware/ctl/ask.h"
#include "firmware/mint/ca.h"

/* What is shown. */
struct authority {
	X509 *certificate;
	char common[128];
	char digest[EVP_MAX_MD_SIZE * 3];
	char from[24], until[24];
	struct ca_names permitted, excluded, uncovered;
};

static void complain(const char *file, int rc)
{
	fprintf(stderr, "tarnctl: %s/%s: %s\n", file, CA_PUBLIC,
		rc == -ENOENT ? "there is no certificate authority; tarnd makes it when it starts"
		: rc == -EBADMSG ? "this is no certificate"
				 : strerror(-rc));
}

static int exit_of(int rc)
{
	return rc == -ENOENT ? CTL_NOT_RUNNING : rc == -EACCES ? CTL_NOT_ALLOWED : CTL_SOFTWARE;
}

/* Settings and certificate. CTL_WORKING, or the exit status with everything said and freed. */
static int load(const struct ctl_options *options, struct tarn_settings *settings,
		X509 **ret_certificate)
{
	struct settings_error error;
	char text[1024];
	int rc;

	if (tarn_conf_load(options->config, settings, &error) < 0) {
		fprintf(stderr, "tarnctl: %s\n", settings_error_text(&error, text, sizeof(text)));
		return CTL_CONFIG;
	}
	rc = ca_certificate(settings->keeper.state, ret_certificate);
	if (rc == 0)
		return CTL_WORKING;
	complain(settings->keeper.state, rc);
	tarn_conf_free(settings);
	return exit_of(rc);
}

static void date_text(const ASN1_TIME *time, char text[24])
{
	struct tm tm;

	text[0] = '\0';
	if (ASN1_TIME_to_tm(time, &tm) == 1)
		(void)strftime(text, 24, "%Y-%m-%d", &tm);
}

static void digest_text(const X509 *certificate, char *text)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	CHECK(X509_digest(certificate, EVP_sha256(), digest, &n) == 1);
	for (unsigned i = 0; i < n; i++)
		text += sprintf(text, "%s%02X", i ? ":" : "", digest[i]);
}

static void look(struct authority *a, const struct tarn_settings *settings)
{
	struct profiles *profiles = NULL;
	struct settings_error error;

	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(a->certificate), NID_commonName,
					a->common, sizeof(a->common));
	digest_text(a->certificate, a->digest);
	date_text(X509_get0_notBefore(a->certificate), a->from);
	date_text(X509_get0_notAfter(a->certificate), a->until);
	CHECK_OK(ca_permitted(a->certificate, &a->permitted));
	CHECK_OK(ca_excluded(a->certificate, &a->excluded));
	/* Profiles that are wrong are config check's business. */
	if (profiles_load(settings->vendors.dir, &profiles, &error) < 0)
		return;
	CHECK_OK(ca_names_uncovered(&a->permitted, profiles, &a->uncovered));
	profiles_unref(&profiles);
}

static void print_names(const char *label, const struct ca_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		printf("%-14s", i ? "" : label);
		ctl_put_text(names->v[i], stdout);
		putchar('\n');
	}
}

static void print_words(const struct authority *a, const char *dir)
{
	printf("%-14s", "Authority");
	ctl_put_text(a->common, stdout);
	printf("\n%-14s%s\n%-14s%s to %s\n%-14s%s/%s\n", "SHA-256", a->digest, "Valid", a->from,
	       a->until, "File", dir, CA_PUBLIC);
	printf("%-14s%s\n", "Used for",
	       "hosts of profiles that say [tls] mode = intercept, and the box's own name");
	print_names("May speak for", &a->permitted);
	print_names("Never for", &a->excluded);
	print_names("Not for", &a->uncovered);
	if (a->uncovered.n)
		printf("%-14s%s\n", "",
		       "(hosts of the profiles now; tarnctl ca rotate makes a new one for them)");
}

static json_t *names_json(const struct ca_names *names)
{
	json_t *array = json_array();

	for (size_t i = 0; i < names->n; i++)
		CHECK_OK(json_array_append_new(array, json_string(names->v[i])));
	return array;
}

static void print_json(const struct authority *a, const char *dir)
{
	json_t *document =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "authority", a->common,
			  "sha256", a->digest, "from", a->from, "until", a->until, "dir", dir,
			  "permitted", names_json(&a->permitted), "excluded",
			  names_json(&a->excluded), "uncovered", names_json(&a->uncovered));

	CHECK(document != NULL);
	CHECK_OK(json_dumpf(document, stdout, JSON_INDENT(2)));
	putchar('\n');
	json_decref(document);
}

static int ca_show(const struct ctl_options *options, char **args)
{
	struct tarn_settings settings;
	struct authority a = { 0 };
	int status = load(options, &settings, &a.certificate);

	(void)args;
	if (status != CTL_WORKING)
		return status;
	look(&a, &settings);
	if (options->json)
		print_json(&a, settings.keeper.state);
	else
		print_words(&a, settings.keeper.state);
	ca_names_free(&a.permitted);
	ca_names_free(&a.excluded);
	ca_names_free(&a.uncovered);
	X509_free(a.certificate);
	tarn_conf_free(&settings);
	return CTL_WORKING;
}

static int ca_export(const struct ctl_options *options, char **args)
{
	struct tarn_settings settings;
	X509 *certificate;
	int status = load(options, &settings, &certificate);

	(void)args;
	if (status != CTL_WORKING)
		return status;
	if (PEM_write_X509(stdout, certificate) != 1)
		status = CTL_SOFTWARE;
	X509_free(certificate);
	tarn_conf_free(&settings);
	return status;
}

/*
 * tarn-proxy lets go of what the old one has signed before it says which one there is. Where it does not answer, it
 * does so within a second, or at its start.
 */
static bool taken_over(const struct ctl_options *options)
{
	json_t *answer = NULL;
	int rc = ask_proxy(options->proxy_socket, "/api/v1/tls/ca", &answer);

	if (rc == 0)
		json_decref(answer);
	return rc == 0 || rc == -ENOENT || rc == -ECONNREFUSED;
}

static int ca_rotate_now(const struct ctl_options *options, char **args)
{
	struct tarn_settings settings;
	struct profiles *profiles = NULL;
	struct settings_error error;
	char text[1024];
	int rc;

	(void)args;
	if (tarn_conf_load(options->config, &settings, &error) < 0 ||
	    profiles_load(settings.vendors.dir, &profiles, &error) < 0) {
		fprintf(stderr, "tarnctl: %s\n", settings_error_text(&error, text, sizeof(text)));
		return CTL_CONFIG;
	}
	rc = ca_rotate(settings.keeper.state, profiles, time(NULL));
	if (rc < 0)
		fprintf(stderr, "tarnctl: %s: %s; nothing has changed\n", settings.keeper.state,
			rc == -EAGAIN	? "the clock is not set"
			: rc == -ENOENT ? "there is no such folder, or no profile names a host"
					: strerror(-rc));
	else if (!taken_over(options))
		fprintf(stderr, "tarnctl: tarn-proxy does not answer: for a second the old one may "
				"still be shown\n");
	if (rc == 0)
		printf("There is a new certificate authority, and it is used from now on. Give "
		       "devices its\n"
		       "certificate (tarnctl ca export) and take the old one from them. To the box "
		       "all\n"
		       "devices are new now: one that asks before it has the certificate loses one "
		       "connection\n"
		       "for each host, and is carried through after that.\n");
	profiles_unref(&profiles);
	tarn_conf_free(&settings);
	return rc == 0 ? CTL_WORKING : rc == -EACCES ? CTL_NOT_ALLOWED : CTL_REFUSED;
}

static const struct ctl_command commands[] = {
	{ "ca show",
	  "",
	  0,
	  0,
	  ca_show,
	  "the certificate authority: what it may speak for",
	  NULL,
	  { NULL } },
	{ "ca export",
	  "",
	  0,
	  0,
	  ca_export,
	  "its certificate (PEM), for devices to trust",
	  NULL,
	  { NULL } },
	{ "ca rotate",
	  "",
	  0,
	  0,
	  ca_rotate_now,
	  "a new certificate authority, for the profiles' hosts of now",
	  "As root, on the box. The old one is gone; every device must be given the new one.",
	  { NULL } },
};
CTL_TABLE(ca, commands);
