/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy is a header of one sector and the entries, which each have a CRC. On disk:
 *
 *	0 protective MBR | 1 header | 2..33 entries | partitions ... | N-33..N-2 entries | N-1 header
 */
#include "firmware/boot/gpt.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define HEADER_BYTES  92
#define ENTRY_BYTES   128
#define TABLE_BYTES   (GPT_ENTRIES * ENTRY_BYTES)
#define TABLE_SECTORS (TABLE_BYTES / GPT_SECTOR)
#define ALIGN_SECTORS 2048

struct header {
	char signature[8];
	uint32_t revision, bytes, crc, reserved;
	uint64_t here, other, first_usable, last_usable;
	uint8_t id[16];
	uint64_t entries_at;
	uint32_t entries_n, entry_bytes, entries_crc;
} __attribute__((packed));

_Static_assert(sizeof(struct header) == HEADER_BYTES, "UEFI 2.10, table 5.5");
_Static_assert(sizeof(struct gpt_entry) == ENTRY_BYTES, "UEFI 2.10, table 5.7");

static uint32_t crc(const void *p, size_t n)
{
	return (uint32_t)crc32(0, p, (uInt)n);
}

static int read_at(int fd, void *p, size_t n, uint64_t sector)
{
	ssize_t got = pread(fd, p, n, (off_t)(sector * GPT_SECTOR));

	return got < 0 ? -errno : (size_t)got == n ? 0 : -EBADMSG;
}

static int write_at(int fd, const void *p, size_t n, uint64_t sector)
{
	ssize_t put = pwrite(fd, p, n, (off_t)(sector * GPT_SECTOR));

	return put < 0 ? -errno : (size_t)put == n ? 0 : -EIO;
}

static bool header_good(struct header *h, uint64_t at, uint64_t sectors)
{
	uint32_t was = le32toh(h->crc), now;

	h->crc = 0;
	now = crc(h, HEADER_BYTES);
	return !memcmp(h->signature, "EFI PART", 8) && le32toh(h->bytes) == HEADER_BYTES &&
	       was == now && le64toh(h->here) == at && le32toh(h->entries_n) == GPT_ENTRIES &&
	       le32toh(h->entry_bytes) == ENTRY_BYTES && le64toh(h->last_usable) < sectors &&
	       le64toh(h->entries_at) < sectors;
}

/* One copy, whole, or -EBADMSG. */
static int copy_read(int fd, uint64_t at, struct gpt *gpt)
{
	uint8_t sector[GPT_SECTOR];
	struct header h;
	int rc = read_at(fd, sector, sizeof(sector), at);

	if (rc)
		return rc;
	memcpy(&h, sector, sizeof(h));
	if (!header_good(&h, at, gpt->sectors))
		return -EBADMSG;
	rc = read_at(fd, gpt->entries, TABLE_BYTES, le64toh(h.entries_at));
	if (rc)
		return rc;
	if (crc(gpt->entries, TABLE_BYTES) != le32toh(h.entries_crc))
		return -EBADMSG;
	gpt->first_usable = le64toh(h.first_usable);
	gpt->last_usable = le64toh(h.last_usable);
	gpt->backup_at = at == 1 ? le64toh(h.other) : at;
	memcpy(gpt->id, h.id, sizeof(gpt->id));
	for (int i = 0; i < GPT_ENTRIES; i++) {
		gpt->entries[i].first = le64toh(gpt->entries[i].first);
		gpt->entries[i].last = le64toh(gpt->entries[i].last);
	}
	return 0;
}

int gpt_read(int fd, uint64_t sectors, struct gpt *ret_gpt)
{
	struct gpt primary = { .sectors = sectors }, backup = { .sectors = sectors };
	int rc, rc_backup;

	if (sectors < ALIGN_SECTORS)
		return -EBADMSG;
	rc = copy_read(fd, 1, &primary);
	rc_backup = copy_read(fd, sectors - 1, &backup);
	if (rc && rc_backup)
		return rc;
	*ret_gpt = rc ? backup : primary;
	ret_gpt->primary_good = !rc;
	ret_gpt->backup_good =
		!rc_backup && (rc || !memcmp(primary.entries, backup.entries, TABLE_BYTES));
	return 0;
}

int gpt_find(const struct gpt *gpt, const char *name)
{
	uint8_t wide[GPT_NAME * 2] = { 0 };

	for (size_t i = 0; i < GPT_NAME && name[i]; i++)
		wide[i * 2] = (uint8_t)name[i];
	for (int i = 0; i < GPT_ENTRIES; i++)
		if (gpt->entries[i].first && !memcmp(gpt->entries[i].name, wide, sizeof(wide)))
			return i;
	return -1;
}

bool gpt_grow(struct gpt *gpt, int index)
{
	uint64_t usable = gpt->sectors - TABLE_SECTORS - 2, end = usable;
	struct gpt_entry *e = &gpt->entries[index];
	bool moved = gpt->backup_at != gpt->sectors - 1;

	end -= (end + 1) % ALIGN_SECTORS;
	for (int i = 0; i < GPT_ENTRIES; i++)
		if (i != index && gpt->entries[i].first > e->first)
			return false;
	gpt->last_usable = usable;
	gpt->backup_at = gpt->sectors - 1;
	if (end <= e->last)
		return moved;
	e->last = end;
	return true;
}

static int copy_write(int fd, const struct gpt *gpt, bool primary)
{
	struct gpt_entry table[GPT_ENTRIES];
	uint8_t sector[GPT_SECTOR] = { 0 };
	uint64_t last = gpt->sectors - 1, entries_at = primary ? 2 : last - TABLE_SECTORS;
	struct header h = {
		.signature = { 'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T' },
		.revision = htole32(0x00010000),
		.bytes = htole32(HEADER_BYTES),
		.here = htole64(primary ? 1 : last),
		.other = htole64(primary ? last : 1),
		.first_usable = htole64(gpt->first_usable),
		.last_usable = htole64(last - TABLE_SECTORS - 1),
		.entries_at = htole64(entries_at),
		.entries_n = htole32(GPT_ENTRIES),
		.entry_bytes = htole32(ENTRY_BYTES),
	};
	int rc;

	memcpy(h.id, gpt->id, sizeof(h.id));
	memcpy(table, gpt->entries, sizeof(table));
	for (int i = 0; i < GPT_ENTRIES; i++) {
		table[i].first = htole64(table[i].first);
		table[i].last = htole64(table[i].last);
	}
	h.entries_crc = htole32(crc(table, TABLE_BYTES));
	h.crc = htole32(crc(&h, HEADER_BYTES));
	memcpy(sector, &h, sizeof(h));
	rc = write_at(fd, table, TABLE_BYTES, entries_at);
	if (!rc)
		rc = write_at(fd, sector, sizeof(sector), primary ? 1 : last);
	if (!rc && fsync(fd))
		rc = -errno;
	return rc;
}

int gpt_write(int fd, const struct gpt *gpt)
{
	int rc = copy_write(fd, gpt, false);

	return rc ? rc : copy_write(fd, gpt, true);
}
