/* SPDX-License-Identifier: Apache-2.0 */
/*
 * efivarfs (Documentation/filesystems/efivarfs.rst): four bytes of attributes, then the value; here UTF-16, little-endian,
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

int efivar_text(const char *path, char *ret_text, size_t size)
{
	uint8_t raw[RAW_MAX];
	char text[RAW_MAX / 2];
	size_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, raw, sizeof(raw));
	int rc = got < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	for (ssize_t i = ATTRIBUTES; i + 1 < got && (raw[i] || raw[i + 1]); i += 2) {
		if (raw[i + 1] || raw[i] < ' ' || raw[i] > '~')
			return -EILSEQ;
		text[n++] = (char)raw[i];
	}
	if (rc)
		return rc;
	if (n >= size)
		return -ENOSPC;
	memcpy(ret_text, text, n);
	ret_text[n] = '\0';
	return 0;
}
