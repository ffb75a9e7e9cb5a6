/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generation of a profile's repository as the running proxy tells it: a list of whole objects, each
 * with the name of the file that it is in the vendor's own folder structure. What export writes,
 * import brings and tarn-mount shows is this list.
 *
 * Why over the admin socket: the store has one process (LMDB's pages move under a second one that holds no
 * lease). Here the proxy holds the lease for each piece that it gives.
 */
#ifndef FIRMWARE_CARRY_REPOSITORY_H
#define FIRMWARE_CARRY_REPOSITORY_H

#include "firmware/carry/asker.h"
#include "firmware/index/path.h"

#define REPOSITORY_FILES_MAX 65536
#define FILE_DIGEST	     32 /* SHA-256 */

/* One object. Texts are owned by the repository. */
struct repository_file {
	char *key;	       /* its plain key in the store */
	char *path;	       /* as a URL has it: "/bases/a%20b" */
	char *group;	       /* "@mirrors", or the host */
	char *name;	       /* of its file: "bases/a b"; relative, plain segments */
	char *etag;	       /* "" if none */
	char *fields;	       /* the stored header block, base64 */
	uint64_t id;	       /* in that store */
	uint64_t size;	       /* bytes of the body */
	int64_t mtime;	       /* Last-Modified, else Date; seconds since 1970 */
	int64_t last_modified; /* INT64_MIN: none */
	uint32_t lifetime;     /* seconds */
	bool index;
	bool has_sha256;
	uint8_t sha256[FILE_DIGEST];
};

struct repository {
	char *profile, *source; /* source: the group whose tree is the update source's */
	uint64_t
		number; /* of the generation; 0: none is published, this is all that is stored whole */
	int64_t published_ms;
	int64_t made_s;		       /* of a manifest: when it was written */
	bool whole;		       /* nothing that belongs to it is missing */
	struct repository_file *files; /* by group, then name */
	size_t n;
	size_t left_out; /* objects that can't be files: with a query, a name that is a folder too ... */
	uint64_t bytes; /* of all files */
};

enum repository_which {
	REPOSITORY_CURRENT,
	REPOSITORY_PREVIOUS,
};

/*
 * 0; -ENOENT (the proxy has no such profile, or nothing of that generation), or as asker_ask(); -EBADMSG: what it
 * said makes no sense.
 */
MUST_USE int repository_get(struct asker *asker, const char *profile, enum repository_which which,
			    struct repository **ret_repository);
void repository_free(struct repository **repository);

/* A new empty one, and a file added to it (texts copied; name found from path). For manifests. */
MUST_USE int repository_new(const char *profile, struct repository **ret_repository);
/* 0; -EINVAL (not a normal path ...: counted in left_out), -ENOSPC (too many), -ENOMEM. */
MUST_USE int repository_add(struct repository *repository, const struct repository_file *file);
/* Sorts, and leaves out what can't be beside the others. */
void repository_sort(struct repository *repository);

void repository_remove(struct repository *repository, size_t i);
/* The file of that group and name in a sorted one, or NULL. */
const struct repository_file *repository_find(const struct repository *repository,
					      const char *group, const char *name);

/* Names of the profiles that the proxy has; NULL-terminated, freed by repository_names_free(). */
MUST_USE int repository_names(struct asker *asker, char ***ret_names);
void repository_names_free(char ***names);

/*
 * Bytes [from, from + n) of a file's body, at most REPOSITORY_READ_MAX. 0 with all of them, or -ENOENT (evicted, or a
 * later generation has taken its place), or as asker_ask().
 */
#define REPOSITORY_READ_MAX (1u << 20)
MUST_USE int repository_read(struct asker *asker, const struct repository_file *file, uint64_t from,
			     void *buf, size_t n);

/* Where a file stands in an exported tree: "<profile>/bases/a", of other groups "<profile>@<group>/bases/a". */
#define REPOSITORY_PLACE_MAX (INDEX_PATH_MAX + 512)
void repository_place(const struct repository *repository, const struct repository_file *file,
		      char buf[REPOSITORY_PLACE_MAX]);

/*
 * The name of the file for a path that is normal: decoded, without the first '/'. 0, -EINVAL (it would be no
 * plain name), -ENOSPC.
 */
MUST_USE int file_name_of(struct span path, char *buf, size_t size);

#endif
