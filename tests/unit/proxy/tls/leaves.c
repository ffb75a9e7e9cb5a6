/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates from the keeper, over the true socket: asked for once, shared, renewed, refused; and another CA.
 */
#include "tests/unit/proxy/rig.h"

#include <ftw.h>
#include <sys/socket.h>

#include "firmware/base/stat.h"
#include "firmware/keeper/authority.h"
#include "firmware/mint/ca.h"
#include "proxy/heritage_client.h"
#include "proxy/tls/leaves.h"

#define PROFILE "[vendor]\nname = v\n[hosts]\nsuffix = cdn.example\n"

static struct rig rig;
static char state_dir[64];
static struct authority *authority;
static struct leaves *leaves;
static struct keeper *keeper;
static int peer;
static unsigned asked; /* MINT messages that the keeper got */
static bool mute;

struct got {
	unsigned n;
	int rc;
	struct leaf *leaf;
	struct leaf_ask *ask;
};

static void on_leaf(void *arg, int rc, struct leaf *leaf)
{
	struct got *got = arg;

	got->n++;
	got->rc = rc;
	leaf_unref(&got->leaf);
	got->leaf = leaf;
	got->ask = NULL;
}

static void on_stop(void *arg, const char *why)
{
	(void)arg, (void)why;
}

static void on_seen(void *arg, const struct addr *addr, uint32_t ttl)
{
	(void)arg, (void)addr, (void)ttl;
}

static void on_minted(void *arg, const struct heritage_minted *answer)
{
	(void)arg;
	leaves_minted(leaves, answer);
}

/* So that nothing else gets it. */
static void hold_number(void)
{
	assert_int_equal(dup2(STDIN_FILENO, HERITAGE_FD_KEEPER), HERITAGE_FD_KEEPER);
}

static int begin(void **state)
{
	static const struct keeper_calls calls = { .stop = on_stop,
						   .vendor_seen = on_seen,
						   .minted = on_minted };
	int pair[2];

	(void)state;
	rig_make(&rig, PROFILE, NULL);
	strcpy(state_dir, "/tmp/tarn-leaves-XXXXXX");
	assert_non_null(mkdtemp(state_dir));
	assert_int_equal(authority_new(state_dir, &authority), 0);
	authority_see_to(authority, rig.worker->config->profiles, clock_read().wall_ms / 1000);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	peer = pair[0];
	assert_int_equal(dup2(pair[1], HERITAGE_FD_KEEPER), HERITAGE_FD_KEEPER);
	close(pair[1]);
	asked = 0;
	mute = false;
	rig_turn(&rig, 0);
	assert_int_equal(leaves_new(rig.worker, state_dir, &leaves), 0);
	assert_int_equal(keeper_new(rig.worker, true, &calls, NULL, &keeper), 0);
	leaves_serve(leaves, keeper);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st, (void)type, (void)walk;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	leaves_serve(leaves, NULL);
	keeper_free(&keeper);
	leaves_free(&leaves);
	close(peer);
	hold_number();
	authority_free(&authority);
	rig_end(&rig);
	return nftw(state_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The keeper's turn. */
static bool answered(void)
{
	union heritage_message m, answer = { 0 };
	ssize_t n = recv(peer, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0 || !heritage_valid(&m, (size_t)n, true) || m.head.type != HERITAGE_MINT)
		return false;
	asked++;
	if (mute)
		return true;
	authority_mint(authority, rig.worker->config->profiles, &m.mint, &answer.minted);
	assert_true(send(peer, &answer, answer.head.size, 0) > 0);
	return true;
}

static int ask(const char *host, struct got *got)
{
	return leaves_ask(leaves, rig.worker, host, LEAF_ECDSA, on_leaf, got, &got->ask,
			  &got->leaf);
}

static void one_for_all_who_ask(void **state)
{
	struct got got[3] = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask("a.cdn.example", &got[i]), -EINPROGRESS);
	leaf_ask_cancel(leaves, &got[1].ask);
	RIG_UNTIL(&rig, (answered(), got[0].n && got[2].n));
	assert_int_equal(asked, 1);
	assert_int_equal(got[1].n, 0);
	assert_int_equal(got[0].rc, 0);
	assert_ptr_equal(got[0].leaf, got[2].leaf);
	assert_int_equal(ask("a.cdn.example", &got[1]), 0);
	assert_ptr_equal(got[1].leaf, got[0].leaf);
	assert_int_equal(X509_verify(leaf_certificate(got[0].leaf),
				     X509_get0_pubkey(leaf_authority(got[0].leaf))),
			 1);
	assert_int_equal(
		X509_check_private_key(leaf_certificate(got[0].leaf), leaf_key(got[0].leaf)), 1);
	assert_true(leaf_until(got[0].leaf) > rig.worker->now_read.wall_ms / 1000 + 40 * 86400);
	assert_int_not_equal(leaves_authority(leaves), 0);
	for (int i = 0; i < 3; i++)
		leaf_unref(&got[i].leaf);
}

/* One key for all hosts, made when it is needed first; and beside it the other kind. */
static void for_old_clients(void **state)
{
	static const char *const hosts[] = { "a.cdn.example", "a.cdn.example", "b.cdn.example" };
	struct got got[3] = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(leaves_ask(leaves, rig.worker, hosts[i], i ? LEAF_RSA : LEAF_ECDSA,
					    on_leaf, &got[i], &got[i].ask, &got[i].leaf),
				 -EINPROGRESS);
	RIG_UNTIL(&rig, (answered(), got[0].n && got[1].n && got[2].n));
	assert_int_equal(asked, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(got[i].rc, 0);
		assert_string_equal(EVP_PKEY_get0_type_name(leaf_key(got[i].leaf)),
				    i ? "RSA" : "EC");
	}
	assert_int_equal(EVP_PKEY_eq(leaf_key(got[1].leaf), leaf_key(got[2].leaf)), 1);
	for (int i = 0; i < 3; i++)
		leaf_unref(&got[i].leaf);
	assert_int_equal(leaves_ask(leaves, rig.worker, hosts[1], LEAF_RSA, on_leaf, &got[1],
				    &got[1].ask, &got[1].leaf),
			 0);
	leaf_unref(&got[1].leaf);
}

/* Whoever waits for the key may go, and so may all of it. */
static void ends_while_the_key_is_made(void **state)
{
	struct got got = { 0 };

	(void)state;
	assert_int_equal(leaves_ask(leaves, rig.worker, "a.cdn.example", LEAF_RSA, on_leaf, &got,
				    &got.ask, &got.leaf),
			 -EINPROGRESS);
	leaf_ask_cancel(leaves, &got.ask);
}

static void is_renewed_in_time(void **state)
{
	struct got got = { 0 }, later = { 0 };
	int64_t before = stat_read(STAT_TLS_LEAF_MINTED);

	(void)state;
	assert_int_equal(ask("a.cdn.example", &got), -EINPROGRESS);
	RIG_UNTIL(&rig, (answered(), got.n));
	rig.skew_ms = (45 * UINT64_C(86400) - LEAVES_RENEW_S + 60) * 1000;
	rig_turn(&rig, 0);
	/* Still good, so nobody waits; the next one is on its way. */
	assert_int_equal(ask("a.cdn.example", &later), 0);
	assert_ptr_equal(later.leaf, got.leaf);
	RIG_UNTIL(&rig, (answered(), asked == 2));
	RIG_UNTIL(&rig, stat_read(STAT_TLS_LEAF_MINTED) >= before + 2);
	leaf_unref(&later.leaf);
	/* (The keeper's clock is not skewed, so the new one is no younger; but it is another.) */
	assert_int_equal(ask("a.cdn.example", &later), 0);
	assert_ptr_not_equal(later.leaf, got.leaf);
	leaf_unref(&later.leaf);
	/* One that is over is never given. */
	rig.skew_ms = 46 * UINT64_C(86400) * 1000;
	rig_turn(&rig, 0);
	assert_int_equal(ask("a.cdn.example", &later), -EINPROGRESS);
	leaf_ask_cancel(leaves, &later.ask);
	leaf_unref(&got.leaf);
}

static void a_refusal_is_remembered(void **state)
{
	struct got got = { 0 };

	(void)state;
	assert_int_equal(ask("evil.example", &got), -EINPROGRESS);
	RIG_UNTIL(&rig, (answered(), got.n));
	assert_int_equal(got.rc, -EACCES);
	assert_null(got.leaf);
	assert_int_equal(ask("evil.example", &got), -EACCES);
	assert_int_equal(asked, 1);
	rig.skew_ms = 61000;
	rig_turn(&rig, 0);
	assert_int_equal(ask("evil.example", &got), -EINPROGRESS);
	leaf_ask_cancel(leaves, &got.ask);
}

static void a_silent_keeper(void **state)
{
	struct got got = { 0 };

	(void)state;
	mute = true;
	assert_int_equal(ask("a.cdn.example", &got), -EINPROGRESS);
	RIG_UNTIL(&rig, (answered(), asked));
	rig.skew_ms = LEAVES_WAIT_MS + 100;
	RIG_UNTIL(&rig, got.n);
	assert_int_equal(got.rc, -ETIMEDOUT);
	mute = false;
	assert_int_equal(ask("a.cdn.example", &got), -EINPROGRESS);
	RIG_UNTIL(&rig, (answered(), got.n == 2));
	assert_int_equal(got.rc, 0);
	leaf_unref(&got.leaf);
}

static void nobody_who_signs(void **state)
{
	struct got got = { 0 };

	(void)state;
	leaves_serve(leaves, NULL);
	assert_int_equal(ask("a.cdn.example", &got), -ENOENT);
}

static void another_ca(void **state)
{
	struct got got = { 0 }, later = { 0 };
	uint64_t first;

	(void)state;
	assert_int_equal(ask("a.cdn.example", &got), -EINPROGRESS);
	RIG_UNTIL(&rig, (answered(), got.n));
	first = leaves_authority(leaves);
	assert_int_equal(
		ca_rotate(state_dir, rig.worker->config->profiles, clock_read().wall_ms / 1000), 0);
	leaves_look(leaves);
	assert_true(leaves_authority(leaves) != first);
	assert_true(leaf_authority_number(got.leaf) == first);
	assert_int_equal(ask("a.cdn.example", &later), -EINPROGRESS);
	RIG_UNTIL(&rig, (answered(), later.n));
	assert_int_equal(later.rc, 0);
	assert_int_not_equal(X509_cmp(leaf_authority(later.leaf), leaf_authority(got.leaf)), 0);
	leaf_unref(&got.leaf);
	leaf_unref(&later.leaf);
}

static void not_too_many(void **state)
{
	struct got got[LEAVES_ASKED_MAX + 1] = { 0 };
	char host[40];

	(void)state;
	mute = true;
	for (int i = 0; i < LEAVES_ASKED_MAX; i++) {
		snprintf(host, sizeof(host), "h%d.cdn.example", i);
		assert_int_equal(ask(host, &got[i]), -EINPROGRESS);
	}
	assert_int_equal(ask("more.cdn.example", &got[LEAVES_ASKED_MAX]), -EBUSY);
	for (int i = 0; i < LEAVES_ASKED_MAX; i++)
		leaf_ask_cancel(leaves, &got[i].ask);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(one_for_all_who_ask),
		T(for_old_clients),
		T(ends_while_the_key_is_made),
		T(is_renewed_in_time),
		T(a_refusal_is_remembered),
		T(a_silent_keeper),
		T(nobody_who_signs),
		T(another_ca),
		T(not_too_many),
	};

	hold_number();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
