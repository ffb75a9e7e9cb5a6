/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step's slot is step % slots, so nothing moves when time goes on.
 */
#include "proxy/admin/ring.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define VERSION	   1
#define HEAD_BYTES 20
#define SLOTS_MAX  65536 /* of what is read */

int ring_init(struct ring *ring, unsigned slots, unsigned series)
{
	CHECK(slots > 0 && series > 0 && series <= RING_SERIES_MAX);
	*ring = (struct ring){ .slots = slots, .series = series, .newest = -1 };
	ring->values = calloc((size_t)slots * series, sizeof(*ring->values));
	return ring->values ? 0 : -ENOMEM;
}

void ring_clear(struct ring *ring)
{
	free(ring->values);
	ring->values = NULL;
}

static int64_t *slot(const struct ring *ring, int64_t step)
{
	return ring->values + (size_t)(step % ring->slots) * ring->series;
}

static void slot_empty(struct ring *ring, int64_t step)
{
	int64_t *values = slot(ring, step);

	for (unsigned i = 0; i < ring->series; i++)
		values[i] = RING_NONE;
}

static void empty(struct ring *ring, int64_t newest)
{
	for (unsigned i = 0; i < ring->slots; i++)
		slot_empty(ring, i);
	ring->newest = newest;
}

int64_t *ring_at(struct ring *ring, int64_t step)
{
	CHECK(step >= 0);
	if (ring->newest < 0 || step - ring->newest >= ring->slots ||
	    ring->newest - step >= ring->slots)
		empty(ring, step);
	while (ring->newest < step)
		slot_empty(ring, ++ring->newest);
	while (ring->newest > step)
		slot_empty(ring, ring->newest--);
	return slot(ring, step);
}

int64_t ring_look(const struct ring *ring, unsigned back, unsigned series)
{
	if (ring->newest < back || back >= ring->slots || series >= ring->series)
		return RING_NONE;
	return slot(ring, ring->newest - back)[series];
}

/* ---- on disk ---------------------------------------------------------------------------------- */

size_t ring_bytes(const struct ring *ring)
{
	return HEAD_BYTES + (size_t)ring->slots * ring->series * 8;
}

static uint8_t *put32(uint8_t *p, uint32_t value)
{
	value = htobe32(value);
	memcpy(p, &value, sizeof(value));
	return p + sizeof(value);
}

static uint8_t *put64(uint8_t *p, int64_t value)
{
	uint64_t bits = htobe64((uint64_t)value);

	memcpy(p, &bits, sizeof(bits));
	return p + sizeof(bits);
}

void ring_write(const struct ring *ring, uint8_t *bytes)
{
	uint8_t *p = put32(put32(put32(bytes, VERSION), ring->slots), ring->series);

	p = put64(p, ring->newest);
	for (unsigned back = ring->slots; back-- > 0;)
		for (unsigned i = 0; i < ring->series; i++)
			p = put64(p, ring_look(ring, back, i));
}

struct head {
	uint32_t version, slots, series;
	uint64_t newest;
};

static int head_read(struct cursor *c, struct head *head)
{
	if (cursor_u32be(c, &head->version) < 0 || cursor_u32be(c, &head->slots) < 0 ||
	    cursor_u32be(c, &head->series) < 0 || cursor_u64be(c, &head->newest) < 0)
		return -EBADMSG;
	if (head->version != VERSION || !head->slots || head->slots > SLOTS_MAX || !head->series ||
	    head->series > RING_SERIES_MAX || head->newest > INT64_MAX / 2 ||
	    cursor_remaining(c) != (size_t)head->slots * head->series * 8)
		return -EBADMSG;
	return 0;
}

int ring_read(struct ring *ring, struct span bytes)
{
	struct cursor c = cursor_make(bytes.p, bytes.n);
	struct head head;

	if (head_read(&c, &head) < 0)
		return -EBADMSG;
	empty(ring, (int64_t)head.newest);
	for (uint32_t back = head.slots; back-- > 0;) {
		for (uint32_t i = 0; i < head.series; i++) {
			uint64_t value;

			CHECK_OK(cursor_u64be(&c, &value));
			if (back < ring->slots && back <= head.newest && i < ring->series)
				slot(ring, (int64_t)head.newest - back)[i] = (int64_t)value;
		}
	}
	return 0;
}
