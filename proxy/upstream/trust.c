/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts of OpenSSL for clients. Ciphers, groups, signatures and protocol come from the system's policy
 * (/etc/ssl/openssl.cnf), which SSL_CTX_new() applies; it is only ever made stricter here: TLS 1.2 or [upstream]
 * tls_min at least, security level 2 at least.
 *
 * The system's list is read once for all configurations, as long as its file is the same one.
 */
#include "proxy/upstream/trust.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "firmware/base/log.h"
#include "proxy/upstream/secure.h"
#include "proxy/upstream/sessions.h"

#define LEVEL_MIN     2
#define READ_AHEAD    65536 /* four records a system call; given back when it is empty */
#define LIST_PATH_MAX 4096

struct entry {
	const struct profile *profile; /* NULL: hosts of none */
	STACK_OF(X509) * own;	       /* beside the system's; NULL: none */
	SSL_CTX *context;	       /* NULL: not asked for yet */
};

struct trust {
	pthread_mutex_t lock;
	unsigned serial;
	int min_version;
	char *list;
	size_t n;
	struct entry entries[]; /* the first is that of no profile */
};

/* ---- the system's list ----------------------------------------------------------------------------- */

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static X509_STORE *list; /* and what it was read from: under the lock */
static char list_path[LIST_PATH_MAX];
static struct stat list_stat;

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void list_read(const char *path, const struct stat *st)
{
	X509_STORE *store = X509_STORE_new();

	if (store && X509_STORE_load_file(store, path) != 1)
		LOG(LOG_L_WARN, "upstream.no_ca_file",
		    "path=%s note=\"no vendor's certificate can be verified by it\"",
		    LOG_QUOTE(span_of(path)));
	ERR_clear_error();
	X509_STORE_free(list);
	list = store;
	list_stat = *st;
	(void)snprintf(list_path, sizeof(list_path), "%s", path);
}

/* A reference, or NULL: no memory. */
static X509_STORE *list_get(const char *path)
{
	struct stat st = { 0 };
	X509_STORE *store;

	(void)!stat(path, &st);
	CHECK_OK(pthread_mutex_lock(&list_lock));
	if (!list || strcmp(path, list_path) != 0 || !is_same(&st, &list_stat))
		list_read(path, &st);
	store = list;
	if (store && X509_STORE_up_ref(store) != 1)
		store = NULL;
	CHECK_OK(pthread_mutex_unlock(&list_lock));
	return store;
}

/* The system's and the profile's own, or NULL. */
static X509_STORE *store_of(const struct trust *trust, const struct entry *entry)
{
	X509_STORE *system = list_get(trust->list), *both;
	STACK_OF(X509) * all;
	bool ok;

	if (!system || !entry->own)
		return system;
	both = X509_STORE_new();
	all = X509_STORE_get1_all_certs(system);
	ok = both && all;
	for (int i = 0; ok && i < sk_X509_num(all); i++)
		ok = X509_STORE_add_cert(both, sk_X509_value(all, i)) == 1;
	for (int i = 0; ok && i < sk_X509_num(entry->own); i++)
		ok = X509_STORE_add_cert(both, sk_X509_value(entry->own, i)) == 1;
	sk_X509_pop_free(all, X509_free);
	X509_STORE_free(system);
	if (ok)
		return both;
	X509_STORE_free(both);
	return NULL;
}

/* ---- contexts -------------------------------------------------------------------------------------- */

/* The sessions go with their context, which goes with the last connection. */
static void sessions_end(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl,
			 void *argp)
{
	struct sessions *sessions = ptr;

	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	sessions_free(&sessions);
}

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int sessions_index = -1;

static void index_make(void)
{
	sessions_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, sessions_end);
	CHECK(sessions_index >= 0);
}

struct sessions *trust_sessions(SSL_CTX *context)
{
	return SSL_CTX_get_ex_data(context, sessions_index);
}

static bool policy_apply(SSL_CTX *context, int min_version)
{
	static const unsigned char alpn[] = "\x08http/1.1";

	/* 0 is "as old as may be". */
	if (SSL_CTX_get_min_proto_version(context) < min_version &&
	    SSL_CTX_set_min_proto_version(context, min_version) != 1)
		return false;
	if (SSL_CTX_get_security_level(context) < LEVEL_MIN)
		SSL_CTX_set_security_level(context, LEVEL_MIN);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
	return SSL_CTX_set_alpn_protos(context, alpn, sizeof(alpn) - 1) == 0;
}

static SSL_CTX *context_new(const struct trust *trust, const struct entry *entry)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	X509_STORE *store = store_of(trust, entry);
	struct sessions *sessions = NULL;

	CHECK_OK(pthread_once(&index_once, index_make));
	if (context && store && policy_apply(context, trust->min_version) &&
	    sessions_new(&sessions) == 0 &&
	    SSL_CTX_set_ex_data(context, sessions_index, sessions) == 1) {
		SSL_CTX_set_cert_store(context, store);
		secure_prepare(context);
		return context;
	}
	ERR_clear_error();
	X509_STORE_free(store);
	SSL_CTX_free(context);
	return NULL;
}

SSL_CTX *trust_context(struct trust *trust, const struct profile *profile)
{
	struct entry *entry = &trust->entries[0];
	SSL_CTX *context;

	for (size_t i = 1; i < trust->n; i++)
		if (profile &&
		    !strcmp(profile_name(trust->entries[i].profile), profile_name(profile)))
			entry = &trust->entries[i];
	CHECK_OK(pthread_mutex_lock(&trust->lock));
	if (!entry->context)
		entry->context = context_new(trust, entry);
	context = entry->context;
	CHECK_OK(pthread_mutex_unlock(&trust->lock));
	return context;
}

/* ---- a configuration's ----------------------------------------------------------------------------- */

static int own_read(const struct profile *profile, STACK_OF(X509) * *ret_own,
		    struct settings_error *error)
{
	const char *path = profile_ca_file(profile);
	X509_STORE *store = X509_STORE_new();
	bool read;

	if (!store)
		return -ENOMEM;
	read = X509_STORE_load_file(store, path) == 1;
	if (read)
		*ret_own = X509_STORE_get1_all_certs(store);
	ERR_clear_error();
	X509_STORE_free(store);
	if (read && *ret_own)
		return 0;
	(void)snprintf(error->file, sizeof(error->file), "%s", profile_file(profile));
	error->line = 0;
	return settings_wrong(error, "a file of certificates (PEM)", "[tls] ca_file = %s", path);
}

int trust_new(const struct tarn_settings *settings, const struct profiles *profiles,
	      struct trust **ret_trust, struct settings_error *error)
{
	static atomic_uint serial;
	size_t n = profiles_count(profiles) + 1;
	struct trust *trust = calloc(1, sizeof(*trust) + n * sizeof(trust->entries[0]));
	int rc = 0;

	if (!trust)
		return settings_wrong(error, "", "out of memory");
	CHECK_OK(pthread_mutex_init(&trust->lock, NULL));
	trust->serial = atomic_fetch_add(&serial, 1);
	trust->min_version =
		settings->upstream.tls_min == TARN_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
	trust->n = n;
	trust->list = strdup(settings->upstream.ca_file);
	if (!trust->list)
		rc = settings_wrong(error, "", "out of memory");
	for (size_t i = 1; i < n && rc == 0; i++) {
		trust->entries[i].profile = profiles_at(profiles, i - 1);
		if (profile_ca_file(trust->entries[i].profile))
			rc = own_read(trust->entries[i].profile, &trust->entries[i].own, error);
	}
	if (rc < 0)
		trust_free(&trust);
	else
		*ret_trust = trust;
	return rc;
}

void trust_free(struct trust **ptr)
{
	struct trust *trust = *ptr;

	*ptr = NULL;
	if (!trust)
		return;
	for (size_t i = 0; i < trust->n; i++) {
		SSL_CTX_free(trust->entries[i].context);
		sk_X509_pop_free(trust->entries[i].own, X509_free);
	}
	CHECK_OK(pthread_mutex_destroy(&trust->lock));
	free(trust->list);
	free(trust);
}

unsigned trust_serial(const struct trust *trust)
{
	return trust->serial;
}
