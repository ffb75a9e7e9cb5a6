/* SPDX-License-Identifier: Apache-2.0 */
/* Telling it. A drive that firmware/systemd/drive serves is called by its label: where it is mounted says nothing to anybody. */
#include "firmware/ctl/carried.h"

#include <limits.h>
#include <stdlib.h>

static json_t *where_of(const char *dir)
{
	const char *drive = getenv("TARN_DRIVE");
	char path[PATH_MAX];
	json_t *where;

	if (drive)
		return json_sprintf("drive %s", drive);
	where = json_string(realpath(dir, path) ? path : dir);
	return where ? where : json_string("a folder whose name is not UTF-8");
}

void ctl_carried_tell(struct asker *asker, const struct ctl_carried *c)
{
	json_t *answer = NULL, *body;
	int status;

	body = json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I}", "way", c->way, "profile",
			 c->profile, "where", where_of(c->dir), "why", c->why ? c->why : "",
			 "generation", (json_int_t)c->generation, "objects", (json_int_t)c->objects,
			 "bytes", (json_int_t)c->bytes, "moved", (json_int_t)c->moved, "missing",
			 (json_int_t)c->missing);
	if (body && asker_json(asker, "POST", "/api/v1/carried", body, &status, &answer) == 0)
		json_decref(answer);
	json_decref(body);
}
