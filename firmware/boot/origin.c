/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/origin.h"

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "firmware/boot/efivar.h"

#define DEVICE_PATH EFIVARS "TarnDevicePath" EFIVAR_TARN
#define FUNCTIONS   16 /* of PCI, one behind the other */

/* A node: type, subtype, and its whole length in two bytes, little-endian. */
#define NODE_HEAD  4
#define TYPE_HARD  0x01
#define SUB_PCI	   0x01
#define PCI_LENGTH 6 /* ... then the function and the device */
#define TYPE_END   0x7f

struct way {
	uint8_t at[FUNCTIONS]; /* device << 3 | function */
	size_t n;
};

static bool way_add(struct way *way, unsigned device, unsigned function)
{
	if (way->n == FUNCTIONS || device > 31 || function > 7)
		return false;
	way->at[way->n++] = (uint8_t)(device << 3 | function);
	return true;
}

/* False: it is no device path, or one that is too long for us. */
static bool way_of_path(struct span path, struct way *way)
{
	const uint8_t *p;
	size_t n;

	while (path.n >= NODE_HEAD && (p = (const uint8_t *)path.p)[0] != TYPE_END) {
		n = (size_t)p[2] | (size_t)p[3] << 8;
		if (n < NODE_HEAD || n > path.n)
			return false;
		if (p[0] == TYPE_HARD && p[1] == SUB_PCI &&
		    (n != PCI_LENGTH || !way_add(way, p[5], p[4])))
			return false;
		path = span_drop(path, n);
	}
	return true;
}

/* ../devices/pci0000:00/0000:00:1c.4/0000:02:00.0/nvme/nvme0/nvme0n1 */
static bool way_of_link(struct span link, struct way *way)
{
	unsigned domain, bus, device, function;
	struct span part;
	char text[24];
	int end;

	while (span_cut(&link, '/', &part)) {
		if (span_copy(part, text, sizeof(text)))
			continue;
		end = -1;
		if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) ==
			    4 &&
		    end == (int)part.n && !way_add(way, device, function))
			return false;
	}
	return true;
}

enum origin_is origin_judge(struct span path, struct span link)
{
	struct way from = { 0 }, to = { 0 };

	if (!way_of_path(path, &from) || !from.n)
		return ORIGIN_UNKNOWN;
	if (!way_of_link(link, &to) || to.n != from.n)
		return ORIGIN_OTHER;
	return memcmp(from.at, to.at, from.n) ? ORIGIN_OTHER : ORIGIN_HERE;
}

enum origin_is origin_of(struct span path, const char *disk)
{
	char name[64], link[512];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/sys/block/%.40s", disk);
	n = readlink(name, link, sizeof(link));
	return origin_judge(path, span_make(link, n > 0 ? (size_t)n : 0));
}

struct span origin_read(uint8_t buf[ORIGIN_BYTES])
{
	size_t n;

	return efivar_raw(DEVICE_PATH, buf, ORIGIN_BYTES, &n) ? span_make(buf, 0)
							      : span_make(buf, n);
}
