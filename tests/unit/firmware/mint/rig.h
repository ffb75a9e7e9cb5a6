/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with a vendor profile, and one for a CA beside it. */
#ifndef TESTS_UNIT_FIRMWARE_MINT_RIG_H
#define TESTS_UNIT_FIRMWARE_MINT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "firmware/base/profile.h"

struct mint_rig {
	char dir[48], vendors[64], state[64];
	struct profiles *profiles;
};

static inline void mint_command(const char *format, const char *a)
{
	char line[400];

	snprintf(line, sizeof(line), format, a);
	assert_int_equal(system(line), 0);
}

/* `hosts`: lines of [hosts]; NULL: no profile. */
static inline void mint_profile(struct mint_rig *rig, const char *hosts)
{
	struct settings_error error;
	char path[96];
	FILE *out;

	profiles_unref(&rig->profiles);
	snprintf(path, sizeof(path), "%s/v.conf", rig->vendors);
	if (hosts) {
		out = fopen(path, "w");
		assert_non_null(out);
		fprintf(out, "[vendor]\nname = v\n[hosts]\n%s\n", hosts);
		assert_int_equal(fclose(out), 0);
	}
	if (profiles_load(rig->vendors, &rig->profiles, &error) < 0)
		fail_msg("%s: %s", error.file, error.what);
}

static inline void mint_rig_make(struct mint_rig *rig, const char *hosts)
{
	memset(rig, 0, sizeof(*rig));
	strcpy(rig->dir, "/tmp/tarn-mint-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->vendors, sizeof(rig->vendors), "%s/vendors", rig->dir);
	snprintf(rig->state, sizeof(rig->state), "%s/state", rig->dir);
	mint_command("mkdir %s", rig->vendors);
	mint_profile(rig, hosts);
}

static inline void mint_rig_end(struct mint_rig *rig)
{
	profiles_unref(&rig->profiles);
	mint_command("rm -r %s", rig->dir);
}

#endif
