/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An intercepted connection that begins with TLS: its hello is looked at, and what was decided is done.
 *
 * The hello is nearly always in the first segment, so that a decision costs no waiting. When it is not, its reader stays
 * with the connection until the hello is whole, it can't be one, or sniff_wait is over (conn.c): then the connection is
 * carried through, as it is when too many wait already. What read a hello that may be answered goes on with it (shake.c).
 */
#include "firmware/base/log.h"
#include "proxy/client/client_priv.h"
#include "proxy/tls/decide.h"
#include "proxy/tls/tally.h"

void secure_forget(struct conn *conn)
{
	if (conn->hello)
		conn->worker->client->hellos_n--;
	hello_reader_free(&conn->hello);
}

struct hello_reader *secure_take(struct conn *conn)
{
	struct hello_reader *reader = conn->hello;

	CHECK(reader);
	conn->hello = NULL;
	conn->worker->client->hellos_n--;
	return reader;
}

static int reader_begin(struct conn *conn)
{
	struct client *client = conn->worker->client;
	int rc;

	if (conn->hello)
		return 0;
	if (client->hellos_n >= HELLOS_MAX)
		return -EBUSY;
	rc = hello_reader_new(conn->worker->proxy->hellos, &conn->hello);
	if (rc == 0)
		client->hellos_n++;
	return rc;
}

/* As hello_feed(). */
static int look(struct conn *conn, struct hello *ret_hello)
{
	struct span news;
	int rc = reader_begin(conn);

	if (rc < 0)
		return rc;
	news = span_drop(span_make(conn->in, conn->in_n), conn->hello_fed);
	conn->hello_fed = conn->in_n;
	return hello_feed(conn->hello, news, ret_hello);
}

static enum leaf_kind kind_for(const struct hello *hello)
{
	return !hello->ecdsa && hello->rsa ? LEAF_RSA : LEAF_ECDSA;
}

void secure_note(enum tls_reason reason, const char *host)
{
	STAT_INC(STAT_SNIFF_TLS);
	tls_reason_count(reason);
	LOG(tls_reason_action(reason) == TLS_REFUSE ? LOG_L_INFO : LOG_L_DEBUG, "tls.decided",
	    "why=%s host=%s", tls_reason_name(reason), host);
}

/* By its normal form. */
static bool is_name_of_box(const struct conn *conn, const char *host)
{
	const struct string_list *names = &conn->worker->config->settings.admin.names;
	char name[PROFILE_HOST_MAX];

	for (size_t i = 0; i < names->n; i++)
		if (host_normalise(span_of(names->v[i]), name) == 0 && !strcmp(name, host))
			return true;
	return false;
}

bool secure_serve(struct conn *conn, bool waited)
{
	struct hello hello;
	int rc = look(conn, &hello);

	if (rc == -EAGAIN && !waited)
		return false;
	if (rc == 0 && hello.name == HELLO_NAME_HOST && is_name_of_box(conn, hello.host)) {
		shake_serve(conn, hello.host, kind_for(&hello));
		return true;
	}
	STAT_INC(STAT_TLS_SOURCE_REFUSED);
	conn_cut(conn, true);
	return true;
}

bool secure_look(struct conn *conn, bool waited)
{
	struct tls_verdict verdict;
	struct hello hello;
	int rc = look(conn, &hello);

	if (rc == -EAGAIN && !waited)
		return false;
	if (rc == 0)
		tls_decide(conn->worker->config->profiles, &hello, &verdict);
	else
		tls_decide_unread(rc, &verdict);
	if (verdict.action == TLS_INTERCEPT) {
		shake_begin(conn, &verdict.match, kind_for(&hello));
		return true;
	}
	/* Names of others are nobody's business: only a vendor's is logged. */
	secure_note(verdict.reason, verdict.ours ? verdict.match.host : "-");
	if (verdict.action == TLS_REFUSE) {
		tally_refused(conn->worker->proxy->tally, &verdict.match);
		conn_cut(conn, true);
	} else if (verdict.ours) {
		relay_splice_host(conn, SPLICE_TLS, &verdict.match);
	} else {
		relay_splice_raw(conn,
				 verdict.reason == TLS_NEVER_HOST ? SPLICE_NEVER : SPLICE_TLS);
	}
	return true;
}
