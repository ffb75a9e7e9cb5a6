/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of what goes on: grows as it is filled, within its limit.
 */
#include "proxy/flow.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/loop.h"

#define ROOM_FIRST 16

static bool grow(struct flow_list *list)
{
	size_t room = list->room ? 2 * list->room : ROOM_FIRST;
	struct flow *flows = reallocarray(list->flows, room, sizeof(*flows));

	if (!flows)
		return false;
	list->flows = flows;
	list->room = room;
	return true;
}

struct flow *flow_list_add(struct flow_list *list, enum flow_kind kind, const struct worker *worker)
{
	struct flow *flow;

	if (list->of_kind[kind] == list->limit || (list->n == list->room && !grow(list))) {
		list->more = true;
		return NULL;
	}
	flow = &list->flows[list->n++];
	list->of_kind[kind]++;
	*flow = (struct flow){ .kind = kind, .worker = worker->index, .length = -1 };
	return flow;
}

void flow_list_clear(struct flow_list *list)
{
	free(list->flows);
	*list = (struct flow_list){ .limit = list->limit };
}

void flow_text(char *to, size_t size, struct span text)
{
	text = span_head(text, size - 1);
	if (text.n)
		memcpy(to, text.p, text.n);
	to[text.n] = 0;
}
