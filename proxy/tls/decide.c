/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the questions is the order of what must not be broken: a host that is never to be touched, a
 * host of nobody's, a name that may be a cover for another, and only then what the profile wants.
 */
#include "proxy/tls/decide.h"

#include "firmware/base/stat.h"

static const struct {
	enum tls_action action;
	const char *name, *help;
} reasons[] = {
#define X(name_, action_, label_, help_) { TLS_##action_, label_, help_ },
	TLS_REASONS(X)
#undef X
};

_Static_assert(ARRAY_LEN(reasons) <= STAT_TLS_DECIDED_LAST - STAT_TLS_DECIDED_FIRST + 1,
	       "a counter each");

static enum tls_reason reason_of_mode(const struct profile *profile, const struct hello *hello)
{
	switch (profile_tls(profile)) {
	case PROFILE_TLS_REFUSE:
		return TLS_MODE_REFUSE;
	case PROFILE_TLS_INTERCEPT:
		return !hello->ecdsa && !hello->rsa ? TLS_OLD_CLIENT
		       : !hello->http1		    ? TLS_OTHER_ALPN
						    : TLS_ENDED_HERE;
	case PROFILE_TLS_SPLICE:
		break;
	}
	return TLS_MODE_SPLICE;
}

static enum tls_reason reason_of(const struct profiles *profiles, const struct hello *hello,
				 struct tls_verdict *verdict)
{
	if (hello->name == HELLO_NAME_NONE)
		return TLS_NO_NAME;
	if (hello->name == HELLO_NAME_ODD)
		return TLS_ODD_NAME;
	if (!profile_match_host(profiles, span_of(hello->host), &verdict->match))
		return TLS_FOREIGN_HOST;
	if (verdict->match.never)
		return TLS_NEVER_HOST;
	if (hello->hidden)
		return TLS_HIDDEN_NAME;
	verdict->ours = true;
	return reason_of_mode(verdict->match.profile, hello);
}

void tls_decide(const struct profiles *profiles, const struct hello *hello,
		struct tls_verdict *ret_verdict)
{
	struct tls_verdict verdict = { 0 };

	verdict.reason = reason_of(profiles, hello, &verdict);
	verdict.action = reasons[verdict.reason].action;
	*ret_verdict = verdict;
}

void tls_decide_unread(int rc, struct tls_verdict *ret_verdict)
{
	struct tls_verdict verdict = { .reason = rc == -EBADMSG	   ? TLS_NOT_HELLO
						 : rc == -EMSGSIZE ? TLS_TOO_LARGE
						 : rc == -EAGAIN   ? TLS_SLOW
								   : TLS_BUSY };

	verdict.action = reasons[verdict.reason].action;
	*ret_verdict = verdict;
}

enum tls_action tls_reason_action(enum tls_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	return reasons[reason].action;
}

const char *tls_reason_name(enum tls_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	return reasons[reason].name;
}

const char *tls_reason_help(enum tls_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	return reasons[reason].help;
}

void tls_reason_count(enum tls_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(reasons));
	stat_add(STAT_TLS_DECIDED_FIRST + (unsigned)reason, 1);
}

void tls_reason_label_counters(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++)
		stat_label(STAT_TLS_DECIDED_FIRST, i, reasons[i].name, reasons[i].help);
}
