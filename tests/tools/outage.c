/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outage - disks as power cuts leave them, from one recording of everything a virtual machine wrote: the log of QEMU's
 * driver "blklogwrites", whose form is that of the kernel (drivers/md/dm-log-writes.c, little-endian).
 *
 *	outage LOG			how many entries it has
 *	outage LOG at BYTES		how many of them are in its first BYTES
 *	outage LOG cut DISK N [SEED]	writes the first N to DISK, which is as it was when the recording began
 *
 * Without SEED every write that was completed is there, as after the death of the machine's process. With it, those
 * since the last flush have been in the disk's volatile cache only: half of them are lost, and one of eight is torn:
 * its first sectors are there, the others not.
 */
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC	  UINT64_C(0x6a736677736872)
#define SECTOR	  512
#define FLUSH	  1
#define DISCARD	  4
#define SEED_NONE 0

struct super {
	uint64_t magic, version, entries;
	uint32_t sector;
};

struct entry {
	uint64_t sector, sectors, flags, bytes;
};

struct recording {
	const uint8_t *log;
	uint64_t size, entries;
};

__attribute__((noreturn)) static void die(const char *what)
{
	perror(what);
	exit(2);
}

static struct recording recording_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct recording r = { 0 };
	struct super super;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	r.size = (uint64_t)st.st_size;
	r.log = mmap(NULL, r.size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (r.log == MAP_FAILED)
		die(path);
	memcpy(&super, r.log, sizeof(super));
	if (le64toh(super.magic) != MAGIC || le32toh(super.sector) != SECTOR) {
		fprintf(stderr, "outage: %s is no log of 512-byte sectors\n", path);
		exit(2);
	}
	r.entries = le64toh(super.entries);
	return r;
}

/* The entry at *at, whose data follows it; *at is the next one's place then. False: the log ends before that. */
static bool entry_next(const struct recording *r, uint64_t *at, struct entry *e)
{
	if (r->size - *at < SECTOR)
		return false;
	memcpy(e, r->log + *at, sizeof(*e));
	*e = (struct entry){ le64toh(e->sector), le64toh(e->sectors), le64toh(e->flags),
			     *at + SECTOR };
	*at += SECTOR;
	if (e->flags & DISCARD)
		return true;
	if (e->sectors > (r->size - *at) / SECTOR)
		return false;
	*at += e->sectors * SECTOR;
	return true;
}

static uint64_t entries_in(const struct recording *r, uint64_t bytes)
{
	uint64_t at = SECTOR, n = 0;
	struct entry e;

	while (n < r->entries && entry_next(r, &at, &e) && at <= bytes)
		n++;
	return n;
}

/* The last flush among the first `n`: how many entries end with it. */
static uint64_t flushed(const struct recording *r, uint64_t n)
{
	uint64_t at = SECTOR, last = 0;
	struct entry e;

	for (uint64_t i = 0; i < n && entry_next(r, &at, &e); i++)
		if (e.flags & FLUSH)
			last = i + 1;
	return last;
}

static void sectors_write(int fd, const struct recording *r, const struct entry *e,
			  uint64_t sectors)
{
	const uint8_t *from = r->log + e->bytes;
	size_t n = sectors * SECTOR;

	if (pwrite(fd, from, n, (off_t)(e->sector * SECTOR)) != (ssize_t)n)
		die("pwrite");
}

/* splitmix64: the same cut from the same seed on every machine. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* How many sectors of a write that nobody has flushed reach the disk. */
static uint64_t survive(uint64_t sectors, uint64_t *state)
{
	uint64_t fate = draw(state) % 16;

	if (fate < 2)
		return draw(state) % (sectors + 1);
	return fate < 9 ? 0 : sectors;
}

static void cut(const struct recording *r, const char *disk, uint64_t n, uint64_t seed)
{
	uint64_t sure = seed == SEED_NONE ? n : flushed(r, n), at = SECTOR, lost = 0, i, some;
	int fd = open(disk, O_WRONLY | O_CLOEXEC);
	struct entry e;

	if (fd < 0)
		die(disk);
	for (i = 0; i < n && entry_next(r, &at, &e); i++) {
		if (e.flags & DISCARD)
			continue;
		some = i < sure ? e.sectors : survive(e.sectors, &seed);
		lost += some < e.sectors;
		if (some)
			sectors_write(fd, r, &e, some);
	}
	if (close(fd))
		die(disk);
	printf("writes %" PRIu64 " unflushed %" PRIu64 " lost %" PRIu64 "\n", i, i - sure, lost);
}

int main(int argc, char **argv)
{
	struct recording r;

	if (argc < 2 || argc == 3 || (argc > 3 && !strcmp(argv[2], "cut") && argc < 5)) {
		fprintf(stderr, "usage: outage LOG [at BYTES | cut DISK N [SEED]]\n");
		return 2;
	}
	r = recording_open(argv[1]);
	if (argc == 2)
		printf("%" PRIu64 "\n", r.entries);
	else if (!strcmp(argv[2], "at"))
		printf("%" PRIu64 "\n", entries_in(&r, strtoull(argv[3], NULL, 10)));
	else
		cut(&r, argv[3], strtoull(argv[4], NULL, 10),
		    argc > 5 ? strtoull(argv[5], NULL, 10) : SEED_NONE);
	return 0;
}
