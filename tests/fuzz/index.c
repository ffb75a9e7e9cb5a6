/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes firmware/index. The first byte chooses the profile's section, the second the size of the pieces, the
 * rest is the index. Whatever it says: paths are normal, digests whole, limits kept, a refusal has its
 * place, and pieces of any size give the same.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "firmware/base/profile_priv.h"
#include "firmware/index/path.h"

static const char *const sections[] = {
	"path = /**\nelement = file\nat_path = Name\nat_folder = Folder\nat_size = Size\n"
	"at_digest = Hash\ntail = yes\nbase = host\n",
	"path = /**\nelement = *\nat_path = Name, a/b, c/\nat_folder = Folder, a/f\nat_size = s/\n"
	"at_digest = Hash, d/\ndigest = md5\nat_name = /\n",
	"path = /**\nformat = lines\nline = {digest} *{path}\nskip = #\ndigest = sha256\n",
	"path = /**\nformat = lines\nline = {name}:{size}:{}:{path}\n",
	"path = /**\nformat = release\n",
	"path = /**\nformat = packages\n",
};

#define SECTIONS ARRAY_LEN(sections)
#define ENTRIES	 1000

static const char *const hosts[] = { "a.example.com" };

struct result {
	int rc;
	uint64_t entries, hash;
};

static struct profile *profile_of(unsigned i)
{
	static struct profile *made[SECTIONS];
	struct settings_error error;
	char path[40];
	int fd;

	if (made[i])
		return made[i];
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(fd >= 0);
	CHECK(dprintf(fd, "[vendor]\nname = x\n[hosts]\nexact = a.example.com\n[index x]\n%s",
		      sections[i]) > 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(profile_load(path, &made[i], &error));
	(void)close(fd);
	return made[i];
}

static void mix(struct result *result, struct span bytes)
{
	for (size_t i = 0; i < bytes.n; i++)
		result->hash = (result->hash ^ (uint8_t)bytes.p[i]) * 1099511628211u;
}

static int on_entry(const struct index_entry *entry, void *arg)
{
	struct result *result = arg;

	CHECK(path_is_normal(entry->path));
	CHECK(!entry->alias.n || path_is_normal(entry->alias));
	CHECK(entry->name.n > 0);
	CHECK(entry->kind != INDEX_DIGEST_ANY);
	CHECK(entry->digest_n == index_digest_bytes(entry->kind));
	CHECK(entry->size == INDEX_SIZE_UNKNOWN || entry->size <= INT64_MAX);
	CHECK(++result->entries <= ENTRIES);
	mix(result, entry->path);
	mix(result, entry->name);
	mix(result, span_make(entry->digest, entry->digest_n));
	return 0;
}

static struct result read_index(unsigned section, struct span text, size_t piece)
{
	struct result result = { 0 };
	struct index_config config = {
		.path = SPAN("/debian/dists/s/index/x"),
		.hosts = hosts,
		.hosts_n = 1,
		.limits = { .bytes = 1 << 20,
			    .entries = ENTRIES,
			    .depth = 8,
			    .token = 4096,
			    .time_ms = 1000 },
		.entry = on_entry,
		.arg = &result,
	};
	struct index_reader *reader;

	config.format = profile_index_find(profile_of(section), config.path);
	CHECK_OK(index_reader_new(&config, &reader));
	do {
		struct span head = span_head(text, piece);
		char *copy = fuzz_copy(head);

		text = span_drop(text, piece);
		result.rc = index_reader_feed(reader, span_make(copy, head.n), text.n == 0, 0);
		free(copy);
	} while (result.rc == 0 && text.n);
	CHECK((result.rc == -EBADMSG) == (index_reader_error(reader) != NULL));
	CHECK(result.rc == 0 || result.rc == -EBADMSG || result.rc == -ENOMEM);
	if (result.rc == -EBADMSG)
		CHECK(index_reader_error(reader)->what[0] != '\0');
	CHECK(index_reader_entries(reader) == result.entries);
	index_reader_free(&reader);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_make(data, size);
	unsigned section = fuzz_byte(&input) % SECTIONS;
	size_t piece = fuzz_byte(&input) + 1;
	struct result whole = read_index(section, input, input.n + 1);
	struct result pieces = read_index(section, input, piece);

	/* How far a refused one was read may differ, not whether it is whole or what it then says. */
	CHECK(whole.rc == pieces.rc);
	if (whole.rc == 0)
		CHECK(whole.entries == pieces.entries && whole.hash == pieces.hash);
	return 0;
}
