/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message on the keeper's socket, from a data plane that somebody has taken over. The first byte says whether
 * the key is the input's own or a good one (on P-256). Held to: a leaf is signed only for a host in its normal form that a
 * profile has and does not keep hands off, for exactly that one name, and to the key that was given.
 */
#include "tests/fuzz/fuzz.h"

#include <openssl/x509v3.h>
#include <stdio.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/base/profile.h"
#include "firmware/heritage.h"
#include "firmware/keeper/authority.h"

static struct authority *authority;
static struct profiles *profiles;
static uint8_t good[HERITAGE_POINT];

int LLVMFuzzerInitialize(int *argc, char ***argv);

static void profile_write(const char *dir)
{
	char path[96];
	FILE *out;

	snprintf(path, sizeof(path), "%s/v.conf", dir);
	out = fopen(path, "w");
	CHECK(out != NULL);
	fputs("[vendor]\nname = v\n[hosts]\nexact = m.v\nsuffix = cdn.e\nnever = no.cdn.e "
	      "*x.cdn.e\n",
	      out);
	CHECK_OK(fclose(out));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char dir[] = "/tmp/tarn-fuzz-mint-XXXXXX", state[64];
	struct settings_error error;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	size_t n;

	(void)argc;
	(void)argv;
	log_level_set(LOG_L_ERROR);
	CHECK(mkdtemp(dir) != NULL);
	profile_write(dir);
	CHECK_OK(profiles_load(dir, &profiles, &error));
	snprintf(state, sizeof(state), "%s/state", dir);
	CHECK_OK(authority_new(state, &authority));
	authority_see_to(authority, profiles, clock_read().wall_ms / 1000);
	CHECK(EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", good, sizeof(good), &n) == 1);
	EVP_PKEY_free(key);
	return 0;
}

static void leaf_check(const struct heritage_mint *ask, const struct heritage_minted *answer)
{
	const uint8_t *p = answer->leaf;
	struct profile_match match;
	X509 *leaf = d2i_X509(NULL, &p, (long)answer->n);
	GENERAL_NAMES *names;
	const ASN1_STRING *name;

	CHECK(leaf && p == answer->leaf + answer->n);
	names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	CHECK(names && sk_GENERAL_NAME_num(names) == 1);
	CHECK(sk_GENERAL_NAME_value(names, 0)->type == GEN_DNS);
	name = sk_GENERAL_NAME_value(names, 0)->d.dNSName;
	CHECK(span_eq(span_make(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name)),
		      span_of(ask->host)));
	CHECK(X509_check_ca(leaf) == 0);
	CHECK(!strcmp(ask->host, "tarn.internal") ||
	      (profile_match_host(profiles, span_of(ask->host), &match) && !match.never &&
	       !strcmp(match.host, ask->host)));
	GENERAL_NAMES_free(names);
	X509_free(leaf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	bool own_key = fuzz_byte(&in) & 1;
	union heritage_message ask = { 0 }, answer = { 0 };

	in = span_head(in, sizeof(ask.mint) - sizeof(ask.head));
	ask.mint = (struct heritage_mint)HERITAGE_INIT(HERITAGE_MINT, heritage_mint);
	memcpy((char *)&ask + sizeof(ask.head), in.p, in.n);
	if (!own_key)
		memcpy(ask.mint.point, good, sizeof(good));
	if (!heritage_valid(&ask, sizeof(ask.mint), true))
		return 0;
	authority_mint(authority, profiles, &ask.mint, &answer.minted);
	CHECK(answer.minted.ticket == ask.mint.ticket);
	CHECK(heritage_valid(&answer, sizeof(answer.minted), false));
	if (!answer.minted.error)
		leaf_check(&ask.mint, &answer.minted);
	return 0;
}
