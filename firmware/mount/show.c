/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inode numbers. The mount's top and its folders current and previous are alive: each look into them goes to the snapshot of
 * now. All below is of one snapshot: the number of such a folder or file is the address of its node, and
 * the kernel's count of look-ups is a count of references of the node's tree, so a node is there as long as the
 * kernel may name it. Nothing of a node ever changes: the kernel may remember names, attributes and bytes as long as
 * it likes; another generation has other numbers.
 */
#include "firmware/mount/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "firmware/base/program.h"
#include "firmware/mount/view.h"

#define LIVE_S                                                                                     \
	(VIEW_LOOK_MS /                                                                            \
	 1000.0) /* how long the kernel believes in what was looked up in a folder that is alive */
#define EVER_S 86400.0

enum live {
	LIVE_TOP = FUSE_ROOT_ID,
	LIVE_CURRENT,
	LIVE_PREVIOUS,
	LIVE_END,
};

static const char *const live_names[] = {
	[LIVE_CURRENT] = "current", [LIVE_PREVIOUS] = "previous"
};

static struct view *view_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static bool is_live(fuse_ino_t ino)
{
	return ino < LIVE_END;
}

static const struct node *node_of(fuse_ino_t ino)
{
	return (const struct node *)(uintptr_t)ino;
}

static fuse_ino_t ino_of(const struct node *node)
{
	return (fuse_ino_t)(uintptr_t)node;
}

static const struct node *live_node(const struct tree *tree, fuse_ino_t ino)
{
	return tree_top(tree, ino == LIVE_CURRENT ? REPOSITORY_CURRENT : REPOSITORY_PREVIOUS);
}

/* ---- attributes ---------------------------------------------------------------------------------------- */

static struct stat stat_of(fuse_ino_t ino)
{
	const struct node *node = is_live(ino) ? NULL : node_of(ino);
	const struct repository_file *file = node ? node->file : NULL;
	int64_t mtime = file ? file->mtime : node ? node->repository->published_ms / 1000 : 0;
	uint64_t size = file ? file->size : 4096;

	return (struct stat){
		.st_ino = ino,
		.st_mode = file ? S_IFREG | 0444 : S_IFDIR | 0555,
		.st_nlink = file ? 1 : 2,
		.st_size = (off_t)size,
		.st_blksize = 1 << 17,
		.st_blocks = (blkcnt_t)((size + 511) / 512),
		.st_mtim.tv_sec = mtime,
		.st_ctim.tv_sec = mtime,
		.st_atim.tv_sec = mtime,
	};
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat st = stat_of(ino);

	(void)info;
	(void)fuse_reply_attr(req, &st, is_live(ino) ? LIVE_S : EVER_S);
}

static void on_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const struct statvfs fs = { .f_bsize = 4096,
				    .f_frsize = 4096,
				    .f_namemax = INDEX_SEGMENT_MAX };

	(void)ino;
	(void)fuse_reply_statfs(req, &fs);
}

/* ---- names ------------------------------------------------------------------------------------------------ */

static void entry_reply(fuse_req_t req, fuse_ino_t ino, double timeout)
{
	const struct fuse_entry_param entry = {
		.ino = ino,
		.attr = stat_of(ino),
		.attr_timeout = is_live(ino) ? LIVE_S : EVER_S,
		.entry_timeout = timeout,
	};
	struct tree *tree = is_live(ino) ? NULL : node_of(ino)->tree;

	/* The kernel has not got it: it will not forget it either. */
	if (fuse_reply_entry(req, &entry) < 0)
		tree_unref(&tree, 1);
}

static void top_lookup(fuse_req_t req, const char *name)
{
	for (fuse_ino_t ino = LIVE_CURRENT; ino < LIVE_END; ino++)
		if (strcmp(name, live_names[ino]) == 0)
			return entry_reply(req, ino, EVER_S);
	(void)fuse_reply_err(req, ENOENT);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct node *node;
	struct tree *tree = NULL;

	if (parent == LIVE_TOP)
		return top_lookup(req, name);
	if (!is_live(parent))
		tree = tree_ref(node_of(parent)->tree);
	else if (view_tree(view_of(req), &tree) < 0)
		return (void)fuse_reply_err(req, EIO);
	node = node_child(is_live(parent) ? live_node(tree, parent) : node_of(parent), name);
	if (node)
		return entry_reply(req, ino_of(node), is_live(parent) ? LIVE_S : EVER_S);
	tree_unref(&tree, 1);
	(void)fuse_reply_err(req, ENOENT);
}

static void forget(fuse_ino_t ino, uint64_t lookups)
{
	struct tree *tree = is_live(ino) ? NULL : node_of(ino)->tree;

	tree_unref(&tree, lookups);
}

static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	forget(ino, lookups);
	fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *all)
{
	for (size_t i = 0; i < n; i++)
		forget(all[i].ino, all[i].nlookup);
	fuse_reply_none(req);
}

/* ---- folders ---------------------------------------------------------------------------------------------- */

/* An open folder that is alive holds the snapshot that its names are read from. */
static void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct tree *tree = NULL;

	if (ino != LIVE_TOP && is_live(ino) && view_tree(view_of(req), &tree) < 0)
		return (void)fuse_reply_err(req, EIO);
	info->fh = (uint64_t)(uintptr_t)tree;
	info->cache_readdir = !is_live(ino);
	info->keep_cache = !is_live(ino);
	if (fuse_reply_open(req, info) < 0)
		tree_unref(&tree, 1);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct tree *tree = (struct tree *)(uintptr_t)info->fh;

	(void)ino;
	tree_unref(&tree, 1);
	(void)fuse_reply_err(req, 0);
}

/* The i-th of a folder: false behind the last. */
static bool folder_at(fuse_ino_t ino, const struct tree *tree, size_t i, const char **ret_name,
		      fuse_ino_t *ret_ino)
{
	const struct node *node;

	if (i < 2 || ino == LIVE_TOP) {
		*ret_ino = i < 2 ? ino : LIVE_CURRENT + (i - 2);
		*ret_name = i == 0 ? "." : i == 1 ? ".." : NULL;
		if (i >= 2 && *ret_ino < LIVE_END)
			*ret_name = live_names[*ret_ino];
		return *ret_name;
	}
	node = is_live(ino) ? live_node(tree, ino) : node_of(ino);
	if (i - 2 >= node->n)
		return false;
	*ret_name = node->children[i - 2].name;
	*ret_ino = ino_of(&node->children[i - 2]);
	return true;
}

static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t from,
		       struct fuse_file_info *info)
{
	const struct tree *tree = (const struct tree *)(uintptr_t)info->fh;
	char *buf = malloc(size);
	const char *name;
	fuse_ino_t child;
	size_t n = 0;

	if (!buf)
		return (void)fuse_reply_err(req, ENOMEM);
	for (size_t i = (size_t)from; folder_at(ino, tree, i, &name, &child); i++) {
		struct stat st = stat_of(child);
		size_t one = fuse_add_direntry(req, buf + n, size - n, name, &st, (off_t)i + 1);

		if (one > size - n)
			break;
		n += one;
	}
	(void)fuse_reply_buf(req, buf, n);
	free(buf);
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	if ((info->flags & O_ACCMODE) != O_RDONLY)
		return (void)fuse_reply_err(req, EROFS);
	info->keep_cache = 1;
	(void)fuse_reply_open(req, info);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t from,
		    struct fuse_file_info *info)
{
	char *buf = malloc(size);
	size_t n = 0;
	int got = buf ? 1 : -ENOMEM;

	(void)info;
	while (got > 0 && n < size) {
		got = view_read(view_of(req), node_of(ino), (uint64_t)from + n, buf + n, size - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		(void)fuse_reply_err(req, -got);
	else
		(void)fuse_reply_buf(req, buf, n);
	free(buf);
}

/* ---- extended attributes ------------------------------------------------------------------------------------ */

/* Its length, or -errno. Names are those of program_mount.attributes. */
static int value_write(struct view *view, const struct node *node, const char *name, char *buf,
		       size_t size)
{
	uint8_t digest[FILE_DIGEST];
	int rc;

	if (strcmp(name, "user.tarn.etag") == 0 && node->file->etag[0])
		return snprintf(buf, size, "%s", node->file->etag);
	if (strcmp(name, "user.tarn.path") == 0)
		return snprintf(buf, size, "%s", node->file->path);
	if (strcmp(name, "user.tarn.generation") == 0)
		return snprintf(buf, size, "%llu", (unsigned long long)node->repository->number);
	if (strcmp(name, "user.tarn.sha256") != 0)
		return -ENODATA;
	rc = view_digest(view, node, digest);
	for (unsigned i = 0; rc >= 0 && i < FILE_DIGEST; i++)
		rc += snprintf(buf + 2 * i, size - 2 * i, "%02x", digest[i]);
	return rc;
}

/* As getxattr(2) wants it: size 0 asks how long it is. */
static void xattr_reply(fuse_req_t req, const char *buf, size_t n, size_t size)
{
	if (size == 0)
		(void)fuse_reply_xattr(req, n);
	else if (n > size)
		(void)fuse_reply_err(req, ERANGE);
	else
		(void)fuse_reply_buf(req, buf, n);
}

static void on_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char buf[INDEX_PATH_MAX + 16];
	int n = -ENODATA;

	if (!is_live(ino) && node_of(ino)->file)
		n = value_write(view_of(req), node_of(ino), name, buf, sizeof(buf));
	if (n < 0 || n >= (int)sizeof(buf))
		(void)fuse_reply_err(req, n < 0 ? -n : E2BIG);
	else
		xattr_reply(req, buf, (size_t)n, size);
}

static void on_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	const struct program_row *row = program_mount.attributes;
	char list[512];
	size_t n = 0;

	for (; !is_live(ino) && node_of(ino)->file && row->help; row++) {
		if (strcmp(row->name, "user.tarn.etag") == 0 && !node_of(ino)->file->etag[0])
			continue;
		CHECK(n + strlen(row->name) < sizeof(list));
		memcpy(list + n, row->name, strlen(row->name) + 1);
		n += strlen(row->name) + 1;
	}
	xattr_reply(req, list, n, size);
}

const struct fuse_lowlevel_ops show_ops = {
	.lookup = on_lookup,
	.forget = on_forget,
	.forget_multi = on_forget_multi,
	.getattr = on_getattr,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.releasedir = on_releasedir,
	.open = on_open,
	.read = on_read,
	.statfs = on_statfs,
	.getxattr = on_getxattr,
	.listxattr = on_listxattr,
};
