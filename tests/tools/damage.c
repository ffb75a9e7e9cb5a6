/* SPDX-License-Identifier: Apache-2.0 */
/*
 * damage FILE BODY BYTES [AT] - what a bad disk does: wherever the bytes of BODY from AT on (its middle) stand in FILE,
 * one bit of them is flipped (BYTES 1) or so many of them are zeroed. Exit status 1: they stand nowhere.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KNOWN_BY 64 /* bytes */

static uint8_t *map_whole(const char *path, int flags, size_t *ret_n)
{
	int fd = open(path, flags == PROT_READ ? O_RDONLY : O_RDWR);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		exit(2);
	}
	p = mmap(NULL, (size_t)st.st_size, flags, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED) {
		perror(path);
		exit(2);
	}
	*ret_n = (size_t)st.st_size;
	return p;
}

int main(int argc, char **argv)
{
	size_t file_n, body_n, bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 0, times = 0;
	uint8_t known[KNOWN_BY], *file, *body, *at;
	size_t from;

	if (bytes == 0) {
		fprintf(stderr, "usage: damage FILE BODY BYTES [AT]\n");
		return 2;
	}
	file = map_whole(argv[1], PROT_READ | PROT_WRITE, &file_n);
	body = map_whole(argv[2], PROT_READ, &body_n);
	from = argc > 4 ? strtoul(argv[4], NULL, 10) : body_n / 2;
	if (body_n < KNOWN_BY || from > body_n - KNOWN_BY)
		return 2;
	memcpy(known, body + from, sizeof(known));
	for (at = file; (at = memmem(at, file_n - (size_t)(at - file), known, sizeof(known)));
	     at++) {
		size_t left = file_n - (size_t)(at - file);

		if (bytes == 1)
			*at ^= 4;
		else
			memset(at, 0, bytes < left ? bytes : left);
		times++;
	}
	return times == 0;
}
