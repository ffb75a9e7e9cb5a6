/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The repository as a tree of folders and files:
 *
 *	current/<profile>/...		what tarnctl export writes: the vendor's own folders
 *	current/<profile>@<group>/...	hosts whose content is another than the update source's
 *	previous/...			the generation before
 *
 * A profile stands there only with a whole generation: none of its objects is missing. What was looked up is a
 * snapshot that never changes: who stands in a profile's folder or has opened a file of it goes on with that
 * generation, though another is published meanwhile. Any thread.
 */
#ifndef FIRMWARE_MOUNT_VIEW_H
#define FIRMWARE_MOUNT_VIEW_H

#include "firmware/carry/repository.h"

#define VIEW_LOOK_MS  1000  /* between two looks at what is published */
#define VIEW_COUNT_MS 10000 /* between two looks whether all of it is still there */

struct view;
struct tree;

/* A file or a folder of a snapshot; lives as long as that. */
struct node {
	char *name;
	struct tree *tree;
	const struct repository *repository; /* NULL: the top of all */
	struct repository_file *file;	     /* NULL: a folder */
	struct node *children;		     /* by name */
	size_t n, room;
};

/* 0 or -ENOMEM, -ENAMETOOLONG. Asks nothing yet. */
MUST_USE int view_new(const char *socket_path, struct view **ret_view);
/* Nobody holds a snapshot any more. */
void view_free(struct view **view);

/*
 * The snapshot of now; the last one if the proxy does not answer. 0; or as asker_ask(), if there has never been
 * one.
 */
MUST_USE int view_tree(struct view *view, struct tree **ret_tree);
struct tree *tree_ref(struct tree *tree);
/* Gives back n references. */
void tree_unref(struct tree **tree, uint64_t n);

/* Its folder "current" or "previous", and what is in a folder by that name, or NULL. */
const struct node *tree_top(const struct tree *tree, enum repository_which which);
const struct node *node_child(const struct node *node, const char *name);

/* Up to n bytes from `from` on: how many, or -EIO: they are not there any more, or nobody answers. */
MUST_USE int view_read(struct view *view, const struct node *node, uint64_t from, void *buf,
		       size_t n);

/* Its SHA-256, which may mean reading it once. 0 or -EIO, -ENOMEM. */
MUST_USE int view_digest(struct view *view, const struct node *node,
			 uint8_t ret_digest[FILE_DIGEST]);

#endif
