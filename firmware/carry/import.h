/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import: what export wrote becomes a profile's generation on this box, all of it or nothing. The manifest must be
 * signed by a box that is trusted here, each file must be what it says, and what the indexes name must be these
 * files; the proxy checks each once more as it comes. A run that was cut short is gone on with: what had come is
 * not sent again.
 */
#ifndef FIRMWARE_CARRY_IMPORT_H
#define FIRMWARE_CARRY_IMPORT_H

#include "firmware/carry/bundle.h"
#include "firmware/carry/export.h"
#include "firmware/carry/verify.h"

struct import_config {
	struct asker *asker;
	const struct profile *profile;
	int top; /* tree_open() */
	const struct string_list *trust;
	bool older;		    /* also what was published before that which is here */
	carry_progress_f *progress; /* or NULL */
	void *arg;
};

struct import_result {
	uint64_t number; /* that it has here */
	int64_t published_ms;
	bool unchanged; /* that is what is here: nothing was done */
	size_t files, sent, had, changed;
	uint64_t bytes, bytes_sent;
	char key[SEAL_KEY_TEXT]; /* whose signature the manifest has; "" if none */
	struct verify_fault fault;
};

/*
 * 0; -ENOENT (the tree has nothing of this profile); -EKEYREJECTED (not signed by who is trusted; see key); -EBADMSG or
 * another with the fault filled: nothing was changed; -EPROTO (the proxy refused; fault.why is what it says); of the medium,
 * or as asker_ask(). *ret_result is filled in any case.
 */
MUST_USE int import_run(const struct import_config *config, struct import_result *ret_result);

/* Names of the profiles that the tree has a manifest of; NULL-terminated, freed by repository_names_free(). 0 or -errno. */
MUST_USE int import_names(int top, char ***ret_names);

#endif
