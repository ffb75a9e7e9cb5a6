/* SPDX-License-Identifier: Apache-2.0 */
/*
 * efivarfs (Documentation/filesystems/efivarfs.rst): four bytes of attributes, then the value. Text is UTF-16, little-endian,
 * with or without an ending zero.
 */
#include "firmware/boot/efivar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define ATTRIBUTES 4
#define RAW_MAX	   512

static ssize_t whole(const char *path, uint8_t raw[RAW_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : read(fd, raw, RAW_MAX);

	if (fd < 0)
		return n;
	n = n < 0 ? -errno : n;
	close(fd);
	return n;
}

int efivar_raw(const char *path, uint8_t *ret, size_t size, size_t *ret_n)
{
	uint8_t raw[RAW_MAX];
	ssize_t got = whole(path, raw);
	size_t n = got < ATTRIBUTES ? 0 : (size_t)got - ATTRIBUTES;

	if (got < 0)
		return (int)got;
	if (n > size || got == RAW_MAX)
		return -ENOSPC;
	memcpy(ret, raw + ATTRIBUTES, n);
	*ret_n = n;
	return 0;
}

int efivar_text(const char *path, char *ret_text, size_t size)
{
	uint8_t raw[RAW_MAX];
	char text[RAW_MAX / 2];
	size_t n = 0;
	ssize_t got = whole(path, raw);

	if (got < 0)
		return (int)got;
	for (ssize_t i = ATTRIBUTES; i + 1 < got && (raw[i] || raw[i + 1]); i += 2) {
		if (raw[i + 1] || raw[i] < ' ' || raw[i] > '~')
			return -EILSEQ;
		text[n++] = (char)raw[i];
	}
	if (n >= size)
		return -ENOSPC;
	memcpy(ret_text, text, n);
	ret_text[n] = '\0';
	return 0;
}
