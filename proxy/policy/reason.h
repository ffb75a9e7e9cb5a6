/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every reason for which policy decides something: a token (detail= of Cache-Status, and what logs
 * show), where it is written, and a sentence for people (`tarnctl why`).
 *
 * A trace collects the reasons of one request in the order in which they were found.
 */
#ifndef TARN_POLICY_REASON_H
#define TARN_POLICY_REASON_H

#include <stdbool.h>

/* X(ID, "token", "source", "sentence") */
/* clang-format off */
#define POLICY_REASONS(X) \
	X(NONE, "none", "", "nothing was decided") \
	/* requests: where they go */ \
	X(REQUEST_CACHEABLE, "cacheable", "RFC 9111 2", "a GET or HEAD that the store may answer") \
	X(REQUEST_METHOD, "method", "RFC 9111 3", "the method's responses are not cached here") \
	X(REQUEST_UNSAFE, "unsafe-method", "RFC 9111 4", "an unsafe method is written through to the origin") \
	X(REQUEST_BODY, "request-body", "RFC 9110 9.3.1", "the request has content, which no key covers") \
	X(REQUEST_CONNECT, "connect", "RFC 9110 9.3.6", "the device asks for a tunnel") \
	X(REQUEST_IF_MATCH, "if-match", "RFC 9111 4.3.2", "If-Match and If-Unmodified-Since are for the origin to evaluate") \
	X(REQUEST_RANGE_METHOD, "range-method", "RFC 9110 14.2", "Range means something only in a GET") \
	X(REQUEST_MAX_FORWARDS, "max-forwards", "RFC 9110 7.6.2", "Max-Forwards is used up: the answer is ours") \
	X(REQUEST_NO_STORE, "request-no-store", "RFC 9111 5.2.1.5", "the request forbids storing its response") \
	X(REQUEST_NO_CACHE, "request-no-cache", "RFC 9111 5.2.1.4", "the request wants what is stored validated first") \
	X(REQUEST_PRAGMA, "pragma", "RFC 9111 5.4", "Pragma: no-cache, as there is no Cache-Control") \
	X(REQUEST_ONLY_IF_CACHED, "only-if-cached", "RFC 9111 5.2.1.7", "the request wants a stored response or none") \
	X(PROFILE_PASS, "profile-pass", "profile", "the profile passes this path through uncached") \
	X(PROFILE_NONE, "no-profile", "profile", "the host belongs to no profile") \
	X(SCOPE, "scope", "[scope]", "the device is one that goes straight to the vendor") \
	/* lookups */ \
	X(NOT_STORED, "not-stored", "RFC 9111 4", "nothing is stored for this URI") \
	X(NO_VARIANT, "no-variant", "RFC 9111 4.1", "what is stored was selected by other request fields") \
	X(HEAD_NOT_STORED, "head-forwarded", "RFC 9111 4.3.5", "nothing fresh is stored, so HEAD goes to the origin as such") \
	X(FRESH, "fresh", "RFC 9111 4.2", "the stored response is fresh") \
	X(STALE, "stale", "RFC 9111 4.2.4", "the stored response is stale") \
	X(NO_CACHE, "no-cache", "RFC 9111 5.2.2.4", "the stored response must be validated before each use") \
	X(MAX_AGE_REQUEST, "request-max-age", "RFC 9111 5.2.1.1", "the stored response is older than the request takes") \
	X(MIN_FRESH, "min-fresh", "RFC 9111 5.2.1.3", "the stored response will not stay fresh for long enough") \
	X(MAX_STALE, "max-stale", "RFC 9111 5.2.1.2", "stale, but the request takes it so") \
	X(STALE_WHILE_REVALIDATE, "stale-while-revalidate", "RFC 5861 3", "stale, used while it is being revalidated") \
	X(GENERATION, "generation", "profile", "the profile's index has changed since this was stored") \
	X(IMMUTABLE, "immutable", "RFC 8246 2", "it is fresh and said to be immutable: no validation in between") \
	X(GATEWAY_TIMEOUT, "not-cached", "RFC 9111 5.2.1.7", "only-if-cached, and nothing stored satisfies it: 504") \
	/* storing */ \
	X(STORE_EXPLICIT, "explicit", "RFC 9111 4.2.1", "stored: the origin states how long it is fresh") \
	X(STORE_HEURISTIC, "heuristic", "RFC 9111 4.2.2", "stored: fresh for a tenth of the time since it changed") \
	X(STORE_DEFAULT, "default-ttl", "profile", "stored: the origin states nothing, the profile does") \
	X(STORE_FORCED, "force-ttl", "profile", "stored: the profile sets the lifetime against the origin's word") \
	X(STORE_TO_VALIDATE, "validate", "RFC 9111 4.3", "stored without lifetime: to be validated at each use") \
	X(STORE_CAPPED, "max-ttl", "profile", "the profile shortens the lifetime") \
	X(STORE_CDN, "cdn-cache-control", "RFC 9213 2.2", "CDN-Cache-Control applies, Cache-Control and Expires do not") \
	X(STORE_PARTIAL, "partial", "RFC 9111 3.3", "stored: a part of the whole") \
	X(STORE_MUST_UNDERSTAND, "must-understand", "RFC 9111 5.2.2.3", "must-understand, and the status is understood: no-store does not count") \
	X(STORE_AUTHORIZED, "authorized", "RFC 9111 3.5", "the request was authorized, and the response allows sharing") \
	X(NO_METHOD, "not-get", "RFC 9111 3", "only responses to GET are stored") \
	X(NO_INTERIM, "interim", "RFC 9111 3", "the response is not final") \
	X(NO_STORE, "no-store", "RFC 9111 5.2.2.5", "the response forbids storing") \
	X(NO_PRIVATE, "private", "RFC 9111 5.2.2.7", "the response is for one user") \
	X(NO_AUTHORIZATION, "authorization", "RFC 9111 3.5", "the request was authorized, and nothing in the response allows sharing") \
	X(NO_VARY_STAR, "vary-star", "RFC 9111 4.1", "Vary: * matches no other request") \
	X(NO_VARY_LONG, "vary-long", "limits", "Vary names more fields than are kept apart here") \
	X(NO_STATUS, "status", "RFC 9111 3", "this status is stored only with explicit freshness, or public") \
	X(NO_UNDERSTANDING, "status-not-understood", "RFC 9111 5.2.2.3", "must-understand, and the status is not understood") \
	X(NO_NOT_MODIFIED, "not-modified", "RFC 9111 3", "304 and 412 answer a condition, 416 a range: not the resource itself") \
	X(NO_PARTIAL, "bad-partial", "RFC 9110 15.3.7", "206 without a range that can be read, or in several parts") \
	X(NO_COOKIE, "set-cookie", "RFC 9111 7.3", "Set-Cookie, and sharing is only guessed") \
	X(NO_USE, "no-use", "RFC 9111 4", "neither fresh nor open to validation: storing it helps nobody") \
	X(NO_ERROR, "validation-error", "RFC 9111 4.3.3", "an error in place of a validation does not replace what is stored") \
	/* validation */ \
	X(VALIDATED, "validated", "RFC 9111 4.3.4", "the origin confirmed what is stored (304)") \
	X(REPLACED, "replaced", "RFC 9111 4.3.3", "the origin sent a full response instead of what is stored") \
	X(VALIDATED_FORBIDDEN, "validated-forbidden", "RFC 9111 3.2", "the 304 says that what is stored may not be: asked again without condition, for the one who asked") \
	X(VALIDATED_OTHER, "validated-other", "RFC 9111 4.3.4", "the 304 is for another validator: asked again without condition") \
	X(ERROR_STALE, "stale-if-error", "RFC 5861 4", "the origin failed, and what is stored may be used in its place") \
	X(ERROR_FORWARDED, "error", "RFC 9111 4.3.3", "the origin failed, and what is stored may not be used") \
	X(HEAD_UPDATED, "head-update", "RFC 9111 4.3.5", "a HEAD response agrees with what is stored, and renews it") \
	X(HEAD_DIFFERS, "head-differs", "RFC 9111 4.3.5", "a HEAD response differs from what is stored, which so is stale") \
	/* what the device gets */ \
	X(ANSWER_WHOLE, "whole", "RFC 9110 15.3.1", "the whole of it") \
	X(ANSWER_NOT_MODIFIED, "client-validated", "RFC 9110 15.4.5", "the device has it already: 304") \
	X(ANSWER_RANGE, "range", "RFC 9110 14.2", "the bytes that were asked for: 206") \
	X(ANSWER_UNSATISFIABLE, "range-unsatisfiable", "RFC 9110 15.5.17", "none of the ranges exists: 416") \
	X(ANSWER_IF_RANGE, "if-range", "RFC 9110 13.1.5", "If-Range does not match: the whole instead of a part") \
	/* invalidation */ \
	X(INVALIDATED, "invalidated", "RFC 9111 4.4", "an unsafe request succeeded: what was stored for the URI is gone")
/* clang-format on */

enum policy_reason {
#define X(id, token, source, text) WHY_##id,
	POLICY_REASONS(X)
#undef X
	WHY_COUNT
};

struct policy_reason_info {
	const char *token;
	const char *source; /* "RFC 9111 4.2", or "profile" */
	const char *text;
};

/* The row; it lives for ever. */
const struct policy_reason_info *policy_reason_info(enum policy_reason reason);

#define POLICY_TRACE_MAX 16

/* Zeroed: empty. What does not fit is left out. */
struct policy_trace {
	unsigned n;
	enum policy_reason reason[POLICY_TRACE_MAX];
};

/* @trace may be NULL. */
void policy_trace_add(struct policy_trace *trace, enum policy_reason reason);
bool policy_trace_has(const struct policy_trace *trace, enum policy_reason reason);

#endif
