/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of spans that are not hot enough to be inline. No state; any thread. */
#include "firmware/base/span.h"

#include <stdlib.h>

int span_u64(struct span s, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value))
			return -ERANGE;
	*ret_value = value;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int span_hex(struct span s, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (hex_digit(s.p[i]) < 0)
			return -EINVAL;
	if (s.n > 16)
		return -ERANGE;
	for (size_t i = 0; i < s.n; i++)
		value = value << 4 | (uint64_t)hex_digit(s.p[i]);
	*ret_value = value;
	return 0;
}

size_t span_digits(uint64_t value, char buf[SPAN_DIGITS_MAX])
{
	char digits[SPAN_DIGITS_MAX];
	size_t i = sizeof(digits), n;

	do
		digits[--i] = (char)('0' + value % 10);
	while (value /= 10);
	n = sizeof(digits) - i;
	memcpy(buf, digits + i, n);
	return n;
}

struct span span_numbered(struct span name, uint64_t number, char *buf, size_t size)
{
	char digits[SPAN_DIGITS_MAX];
	size_t n = span_digits(number, digits);

	CHECK(name.n + 1 + n < size);
	if (name.n)
		memcpy(buf, name.p, name.n);
	buf[name.n] = ':';
	memcpy(buf + name.n + 1, digits, n);
	buf[name.n + 1 + n] = '\0';
	return span_make(buf, name.n + 1 + n);
}

int span_copy(struct span s, char *buf, size_t size)
{
	if (s.n >= size)
		return -ENOSPC;
	if (s.n && memchr(s.p, '\0', s.n))
		return -EINVAL;
	if (s.n)
		memcpy(buf, s.p, s.n);
	buf[s.n] = '\0';
	return 0;
}

char *span_dup(struct span s)
{
	char *copy = malloc(s.n + 1);

	if (!copy)
		return NULL;
	if (s.n)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}
