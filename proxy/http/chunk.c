/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder: one step a byte, but for data, which is given out in pieces as large as they came.
 *
 *   size ──"\r"─► size_lf ──► data ──► data_cr ──► data_lf ──► size ...      step_size ... step_data_lf
 *     │ "; ext"      ▲ └─(size 0)─► line ──► name ──► value ──► value_lf ──► line ...
 *     └──► ext_* ────┘                └─"\r"─► last_lf ──► done              step_line ... step_last_lf
 *
 * Invariants: `left` is the size read so far in `size`, the bytes to come in `data`, else 0. A
 * refusal is final: the decoder stays in `broken` and repeats it.
 */
#include "proxy/http/chunk.h"

#include "proxy/http/chars.h"

#define CHUNK_STEPS(X)                                                                             \
	X(size)                                                                                    \
	X(ext_space)                                                                               \
	X(ext_start)                                                                               \
	X(ext_name)                                                                                \
	X(ext_name_space)                                                                          \
	X(ext_value_start)                                                                         \
	X(ext_token)                                                                               \
	X(ext_quoted)                                                                              \
	X(ext_escaped)                                                                             \
	X(ext_end)                                                                                 \
	X(size_lf)                                                                                 \
	X(data)                                                                                    \
	X(data_cr)                                                                                 \
	X(data_lf)                                                                                 \
	X(line)                                                                                    \
	X(name)                                                                                    \
	X(value)                                                                                   \
	X(value_lf)                                                                                \
	X(last_lf)

enum chunk_step {
#define X(name) STEP_##name,
	CHUNK_STEPS(X)
#undef X
	STEP_done,
	STEP_broken,
};

#define DIGITS_MAX 16

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static int go(struct chunk_dec *d, enum chunk_step next)
{
	d->state = (uint8_t)next;
	return 0;
}

/* An LF before its CR is told from other octets that don't belong here. */
static int unexpected(char c, enum http_refusal otherwise)
{
	return c == '\n' ? -HTTP_REFUSED_BARE_LF : -(int)otherwise;
}

/* ---- the size line ------------------------------------------------------------------------- */

static int step_size(struct chunk_dec *d, char c)
{
	if (http_char_is(c, HTTP_C_HEX)) {
		/* A size is an offset elsewhere: what no signed 64-bit number holds is none. */
		if (d->digits == DIGITS_MAX || d->left > INT64_MAX >> 4)
			return -HTTP_REFUSED_CHUNK_SIZE_INVALID;
		d->digits++;
		d->left = d->left << 4 | http_hex_value(c);
		return 0;
	}
	if (d->digits == 0)
		return unexpected(c, HTTP_REFUSED_CHUNK_SIZE_INVALID);
	if (c == '\r')
		return go(d, STEP_size_lf);
	if (c == ';')
		return go(d, STEP_ext_start);
	if (is_space(c))
		return go(d, STEP_ext_space);
	return unexpected(c, HTTP_REFUSED_CHUNK_SIZE_INVALID);
}

/* Behind a size or a whole extension, in the white space that only another extension may end. */
static int step_ext_space(struct chunk_dec *d, char c)
{
	if (is_space(c))
		return 0;
	return c == ';' ? go(d, STEP_ext_start) : unexpected(c, HTTP_REFUSED_CHUNK_EXT_INVALID);
}

static int step_ext_start(struct chunk_dec *d, char c)
{
	if (is_space(c))
		return 0;
	if (http_char_is(c, HTTP_C_TOKEN))
		return go(d, STEP_ext_name);
	return unexpected(c, HTTP_REFUSED_CHUNK_EXT_INVALID);
}

static int step_ext_name(struct chunk_dec *d, char c)
{
	if (http_char_is(c, HTTP_C_TOKEN))
		return 0;
	if (c == '=')
		return go(d, STEP_ext_value_start);
	if (is_space(c))
		return go(d, STEP_ext_name_space);
	if (c == ';')
		return go(d, STEP_ext_start);
	return c == '\r' ? go(d, STEP_size_lf) : unexpected(c, HTTP_REFUSED_CHUNK_EXT_INVALID);
}

static int step_ext_name_space(struct chunk_dec *d, char c)
{
	if (c == '=')
		return go(d, STEP_ext_value_start);
	return step_ext_space(d, c);
}

static int step_ext_value_start(struct chunk_dec *d, char c)
{
	if (is_space(c))
		return 0;
	if (c == '"')
		return go(d, STEP_ext_quoted);
	if (http_char_is(c, HTTP_C_TOKEN))
		return go(d, STEP_ext_token);
	return unexpected(c, HTTP_REFUSED_CHUNK_EXT_INVALID);
}

/* Behind a whole value. */
static int step_ext_end(struct chunk_dec *d, char c)
{
	if (c == '\r')
		return go(d, STEP_size_lf);
	d->state = STEP_ext_space;
	return step_ext_space(d, c);
}

static int step_ext_token(struct chunk_dec *d, char c)
{
	return http_char_is(c, HTTP_C_TOKEN) ? 0 : step_ext_end(d, c);
}

static int step_ext_quoted(struct chunk_dec *d, char c)
{
	if (c == '\\')
		return go(d, STEP_ext_escaped);
	if (c == '"')
		return go(d, STEP_ext_end);
	return http_char_is(c, HTTP_C_VALUE) ? 0 : unexpected(c, HTTP_REFUSED_CHUNK_EXT_INVALID);
}

static int step_ext_escaped(struct chunk_dec *d, char c)
{
	if (!http_char_is(c, HTTP_C_VALUE))
		return unexpected(c, HTTP_REFUSED_CHUNK_EXT_INVALID);
	return go(d, STEP_ext_quoted);
}

static int step_size_lf(struct chunk_dec *d, char c)
{
	if (c != '\n')
		return -HTTP_REFUSED_BARE_CR;
	d->digits = 0;
	d->ext = 0;
	return go(d, d->left > 0 ? STEP_data : STEP_line);
}

/* ---- data ---------------------------------------------------------------------------------- */

/* Never called: data is taken in pieces, by data_take(). */
static int step_data(struct chunk_dec *d, char c)
{
	(void)c;
	CHECK(d->state != STEP_data);
	return 0;
}

static int step_data_cr(struct chunk_dec *d, char c)
{
	return c == '\r' ? go(d, STEP_data_lf) : unexpected(c, HTTP_REFUSED_CHUNK_DATA_END);
}

static int step_data_lf(struct chunk_dec *d, char c)
{
	return c == '\n' ? go(d, STEP_size) : -HTTP_REFUSED_BARE_CR;
}

/* ---- the trailer section: the rules of head.c, a byte at a time ------------------------------- */

static int step_line(struct chunk_dec *d, char c)
{
	if (c == '\r')
		return go(d, STEP_last_lf);
	if (is_space(c))
		return d->lines ? -HTTP_REFUSED_OBS_FOLD : -HTTP_REFUSED_LEADING_SPACE;
	if (c == ':')
		return -HTTP_REFUSED_FIELD_NAME_EMPTY;
	if (!http_char_is(c, HTTP_C_TOKEN))
		return unexpected(c, HTTP_REFUSED_FIELD_NAME_INVALID);
	if (d->lines++ == CONFIG_FIELDS_MAX)
		return -HTTP_REFUSED_TOO_MANY_FIELDS;
	return go(d, STEP_name);
}

static int step_name(struct chunk_dec *d, char c)
{
	if (http_char_is(c, HTTP_C_TOKEN))
		return 0;
	if (c == ':')
		return go(d, STEP_value);
	if (is_space(c))
		return -HTTP_REFUSED_FIELD_NAME_SPACE;
	if (c == '\r')
		return -HTTP_REFUSED_FIELD_NO_COLON;
	return unexpected(c, HTTP_REFUSED_FIELD_NAME_INVALID);
}

static int step_value(struct chunk_dec *d, char c)
{
	if (http_char_is(c, HTTP_C_VALUE))
		return 0;
	return c == '\r' ? go(d, STEP_value_lf) : unexpected(c, HTTP_REFUSED_FIELD_VALUE_INVALID);
}

static int step_value_lf(struct chunk_dec *d, char c)
{
	return c == '\n' ? go(d, STEP_line) : -HTTP_REFUSED_BARE_CR;
}

static int step_last_lf(struct chunk_dec *d, char c)
{
	return c == '\n' ? go(d, STEP_done) : -HTTP_REFUSED_BARE_CR;
}

/* ---- the decoder ------------------------------------------------------------------------------ */

typedef int step_f(struct chunk_dec *d, char c);

static step_f *const steps[] = {
#define X(name) [STEP_##name] = step_##name,
	CHUNK_STEPS(X)
#undef X
};

/* Counts the byte that is about to be looked at against the limit of its part. */
static int bounds_check(struct chunk_dec *d)
{
	if (d->state >= STEP_ext_space && d->state <= STEP_ext_end) {
		if (++d->ext > CONFIG_HTTP_CHUNK_EXT_MAX ||
		    ++d->ext_total > CONFIG_HTTP_CHUNK_EXT_TOTAL_MAX)
			return -HTTP_REFUSED_CHUNK_EXT_TOO_LONG;
	} else if (d->state >= STEP_line && d->state <= STEP_value_lf) {
		if (++d->trailer > CONFIG_HTTP_TRAILER_MAX)
			return -HTTP_REFUSED_TRAILER_TOO_LARGE;
	}
	return 0;
}

static int break_off(struct chunk_dec *d, int refusal)
{
	d->state = STEP_broken;
	d->refusal = (int16_t)refusal;
	return refusal;
}

static size_t data_take(struct chunk_dec *d, const char *in, size_t n, struct span *ret_data)
{
	size_t piece = d->left < n ? (size_t)d->left : n;

	d->left -= piece;
	d->data_total += piece;
	if (d->left == 0)
		d->state = STEP_data_cr;
	*ret_data = span_make(in, piece);
	return piece;
}

int chunk_decode(struct chunk_dec *d, const char *in, size_t n, size_t *ret_used,
		 struct span *ret_data)
{
	size_t used = 0;

	while (used < n && d->state < STEP_done) {
		int rc;

		if (d->state == STEP_data) {
			used += data_take(d, in + used, n - used, ret_data);
			*ret_used = used;
			return 1;
		}
		rc = bounds_check(d);
		if (rc == 0)
			rc = steps[d->state](d, in[used]);
		if (rc < 0)
			return break_off(d, rc);
		used++;
	}
	if (d->state == STEP_broken)
		return d->refusal;
	*ret_used = used;
	return d->state == STEP_done ? 0 : -EAGAIN;
}

/* ---- the encoder -------------------------------------------------------------------------------- */

size_t chunk_head_write(char buf[CHUNK_HEAD_MAX], uint64_t size)
{
	unsigned shift = 60;
	size_t n = 0;

	CHECK(size > 0);
	while (!(size >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		buf[n++] = "0123456789abcdef"[size >> shift & 15];
		if (shift == 0)
			break;
	}
	buf[n++] = '\r';
	buf[n++] = '\n';
	return n;
}
