/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots are made by whoever finds that the last one is old: another generation is published, a read has found an
 * object evicted, or it is time to count whether all is there. The others take the last one. A snapshot that says the
 * same as the last is thrown away: what the kernel remembers of that stays good. Each thread has a connection to
 * the proxy of its own, for it answers one question at a time.
 *
 * A tree is referred to by the view (the last one), by what the kernel has looked up and by open folders. With the
 * last reference goes all of it.
 */
#include "firmware/mount/view.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/base/profile.h"

struct tree {
	atomic_uint_fast64_t refs;
	struct node tops[2]; /* by enum repository_which */
	struct repository **repositories;
	size_t n;
};

struct view {
	char *socket_path;
	pthread_key_t asker;	/* of each thread */
	pthread_mutex_t build;	/* one builds */
	pthread_mutex_t digest; /* those in the files */
	pthread_mutex_t lock;	/* what follows */
	struct tree *tree;	/* the last one */
	char *published;	/* what the proxy said when it was made */
	uint64_t looked_ms, counted_ms;
	atomic_bool stale; /* something of it is gone */
};

/* ---- connections ------------------------------------------------------------------------------------ */

static void asker_end(void *asker)
{
	struct asker *a = asker;

	asker_free(&a);
}

static struct asker *asker_of(struct view *view)
{
	struct asker *asker = pthread_getspecific(view->asker);

	if (!asker && asker_new(view->socket_path, &asker) == 0 &&
	    pthread_setspecific(view->asker, asker) != 0)
		asker_free(&asker);
	return asker;
}

/* ---- nodes ------------------------------------------------------------------------------------------- */

static void node_clear(struct node *node)
{
	for (size_t i = 0; i < node->n; i++)
		node_clear(&node->children[i]);
	free(node->children);
	free(node->name);
}

static struct node *child_add(struct node *node, const struct repository *r, struct span name)
{
	size_t room = node->room ? node->room * 2 : 4;
	struct node *grown;

	if (node->n == node->room) {
		grown = realloc(node->children, room * sizeof(*grown));
		if (!grown)
			return NULL;
		node->children = grown;
		node->room = room;
	}
	node->children[node->n] =
		(struct node){ .name = span_dup(name), .tree = node->tree, .repository = r };
	return node->children[node->n].name ? &node->children[node->n++] : NULL;
}

/* Files come sorted, so what is in one folder comes together: it is the last child, or new. */
static struct node *folder_of(struct node *node, const struct repository *r, struct span name)
{
	struct node *last = node->n ? &node->children[node->n - 1] : NULL;

	return last && span_eq(span_of(last->name), name) ? last : child_add(node, r, name);
}

static int file_add(struct node *top, const struct repository *r, struct repository_file *file)
{
	char place[REPOSITORY_PLACE_MAX];
	struct span rest, name;

	repository_place(r, file, place);
	rest = span_of(place);
	while (top && span_find(rest, '/') < rest.n && span_cut(&rest, '/', &name))
		top = folder_of(top, r, name);
	top = top ? child_add(top, r, rest) : NULL;
	if (!top)
		return -ENOMEM;
	top->file = file;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->name, ((const struct node *)b)->name);
}

static void node_sort(struct node *node)
{
	if (node->n)
		qsort(node->children, node->n, sizeof(*node->children), by_name);
	for (size_t i = 0; i < node->n; i++)
		node_sort(&node->children[i]);
}

const struct node *node_child(const struct node *node, const char *name)
{
	const struct node want = { .name = (char *)(uintptr_t)name };

	return node->n ? bsearch(&want, node->children, node->n, sizeof(want), by_name) : NULL;
}

const struct node *tree_top(const struct tree *tree, enum repository_which which)
{
	return &tree->tops[which];
}

/* ---- snapshots ------------------------------------------------------------------------------------------ */

struct tree *tree_ref(struct tree *tree)
{
	atomic_fetch_add(&tree->refs, 1);
	return tree;
}

void tree_unref(struct tree **tree, uint64_t n)
{
	struct tree *t = *tree;

	*tree = NULL;
	if (!t || atomic_fetch_sub(&t->refs, n) > n)
		return;
	for (size_t i = 0; i < ARRAY_LEN(t->tops); i++)
		node_clear(&t->tops[i]);
	for (size_t i = 0; i < t->n; i++)
		repository_free(&t->repositories[i]);
	free(t->repositories);
	free(t);
}

static int repository_put(struct tree *tree, struct node *top, struct repository *r)
{
	struct repository **grown =
		realloc(tree->repositories, (tree->n + 1) * sizeof(struct repository *));
	int rc = 0;

	if (!grown) {
		repository_free(&r);
		return -ENOMEM;
	}
	tree->repositories = grown;
	grown[tree->n++] = r;
	for (size_t i = 0; rc == 0 && i < r->n; i++)
		rc = file_add(top, r, &r->files[i]);
	return rc;
}

/* A generation that is not whole is left out, as is what is stored without one. */
static int generation_put(struct tree *tree, struct node *top, struct asker *asker,
			  const char *profile, enum repository_which which)
{
	struct repository *r;
	int rc = repository_get(asker, profile, which, &r);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (r->number && r->whole)
		return repository_put(tree, top, r);
	repository_free(&r);
	return 0;
}

static int tree_fill(struct tree *tree, struct asker *asker, char **names)
{
	int rc = 0;

	for (unsigned which = 0; rc == 0 && which < ARRAY_LEN(tree->tops); which++) {
		tree->tops[which].tree = tree;
		for (size_t i = 0; rc == 0 && names[i]; i++)
			rc = generation_put(tree, &tree->tops[which], asker, names[i],
					    (enum repository_which)which);
		node_sort(&tree->tops[which]);
	}
	return rc;
}

static int tree_make(struct asker *asker, struct tree **ret_tree)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	char **names = NULL;
	int rc = tree ? repository_names(asker, &names) : -ENOMEM;

	if (rc < 0) {
		free(tree);
		return rc;
	}
	atomic_init(&tree->refs, 1);
	rc = tree_fill(tree, asker, names);
	repository_names_free(&names);
	if (rc < 0)
		tree_unref(&tree, 1);
	else
		*ret_tree = tree;
	return rc;
}

/* A number stands for one list of objects for ever; both trees hold whole ones alone. */
static bool tree_says_same(const struct tree *a, const struct tree *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct repository *x = a->repositories[i], *y = b->repositories[i];

		if (strcmp(x->profile, y->profile) != 0 || x->number != y->number || x->n != y->n)
			return false;
	}
	return a->tops[0].n == b->tops[0].n;
}

/* ---- which is the one of now? ------------------------------------------------------------------------------ */

/* What is published, as one text. */
static int published_ask(struct asker *asker, char **ret_text)
{
	json_t *answer = NULL;
	int status = 0, rc = asker_json(asker, "GET", "/api/v1/repository", NULL, &status, &answer);

	if (rc == 0 && status != 200)
		rc = -EPROTO;
	if (rc < 0)
		return rc;
	*ret_text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(answer);
	return *ret_text ? 0 : -ENOMEM;
}

/* Takes both over. */
static void take(struct view *view, struct tree *tree, char *published)
{
	pthread_mutex_lock(&view->lock);
	if (!view->tree || !tree_says_same(view->tree, tree)) {
		struct tree *before = view->tree;

		view->tree = tree;
		tree = before;
	}
	free(view->published);
	view->published = published;
	pthread_mutex_unlock(&view->lock);
	tree_unref(&tree, 1);
}

/* With `build`. `count`: made anew though the same is published. */
static int renew(struct view *view, bool count)
{
	struct asker *asker = asker_of(view);
	struct tree *tree;
	char *text = NULL;
	int rc = asker ? published_ask(asker, &text) : -ENOMEM;

	if (rc == 0 && view->tree && !count && strcmp(text, view->published) == 0) {
		free(text);
		return 0;
	}
	if (rc == 0)
		rc = tree_make(asker, &tree);
	if (rc == 0) {
		take(view, tree, text);
		return 0;
	}
	free(text);
	LOG(LOG_L_WARN, "mount.ask", "error=%s", LOG_QUOTE(span_of(asker_error_text(rc))));
	return rc;
}

enum look {
	LOOK_NOT,
	LOOK_PUBLISHED,
	LOOK_COUNT,
};

static enum look look_due(struct view *view)
{
	uint64_t ms = clock_read().mono_ms;
	enum look look = LOOK_NOT;

	pthread_mutex_lock(&view->lock);
	if (!view->tree || ms - view->looked_ms >= VIEW_LOOK_MS) {
		look = LOOK_PUBLISHED;
		view->looked_ms = ms;
		if (atomic_exchange(&view->stale, false) ||
		    ms - view->counted_ms >= VIEW_COUNT_MS) {
			look = LOOK_COUNT;
			view->counted_ms = ms;
		}
	}
	pthread_mutex_unlock(&view->lock);
	return look;
}

int view_tree(struct view *view, struct tree **ret_tree)
{
	enum look look = look_due(view);
	int rc = 0;

	if (look != LOOK_NOT) {
		pthread_mutex_lock(&view->build);
		rc = renew(view, look == LOOK_COUNT);
		pthread_mutex_unlock(&view->build);
		if (rc < 0 && look == LOOK_COUNT)
			atomic_store(&view->stale, true);
	}
	pthread_mutex_lock(&view->lock);
	if (view->tree) {
		*ret_tree = tree_ref(view->tree);
		rc = 0;
	}
	pthread_mutex_unlock(&view->lock);
	return rc;
}

/* ---- bytes ------------------------------------------------------------------------------------------------- */

int view_read(struct view *view, const struct node *node, uint64_t from, void *buf, size_t n)
{
	struct asker *asker = asker_of(view);
	uint64_t size = node->file->size;
	int rc;

	if (from >= size)
		return 0;
	n = n < size - from ? n : (size_t)(size - from);
	n = n < REPOSITORY_READ_MAX ? n : REPOSITORY_READ_MAX;
	rc = asker ? repository_read(asker, node->file, from, buf, n) : -ENOMEM;
	if (rc == 0)
		return (int)n;
	if (rc == -ENOENT)
		atomic_store(&view->stale, true);
	LOG(LOG_L_WARN, "mount.read", "file=%s error=%s", LOG_QUOTE(span_of(node->file->name)),
	    LOG_QUOTE(span_of(rc == -ENOENT ? "not stored any more" : asker_error_text(rc))));
	return -EIO;
}

static int digest_make(struct view *view, const struct node *node, uint8_t digest[FILE_DIGEST])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *buf = malloc(REPOSITORY_READ_MAX);
	uint64_t at = 0;
	int n = context && buf && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 ? 1 : -ENOMEM;

	while (n > 0) {
		n = view_read(view, node, at, buf, REPOSITORY_READ_MAX);
		if (n > 0 && EVP_DigestUpdate(context, buf, (size_t)n) != 1)
			n = -ENOMEM;
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (n == 0 && EVP_DigestFinal_ex(context, digest, NULL) != 1)
		n = -ENOMEM;
	EVP_MD_CTX_free(context);
	free(buf);
	return n;
}

int view_digest(struct view *view, const struct node *node, uint8_t ret_digest[FILE_DIGEST])
{
	struct repository_file *file = node->file;
	uint8_t digest[FILE_DIGEST];
	bool known;
	int rc;

	pthread_mutex_lock(&view->digest);
	known = file->has_sha256;
	if (known)
		memcpy(ret_digest, file->sha256, FILE_DIGEST);
	pthread_mutex_unlock(&view->digest);
	rc = known ? 0 : digest_make(view, node, digest);
	if (known || rc < 0)
		return rc;
	pthread_mutex_lock(&view->digest);
	memcpy(file->sha256, digest, FILE_DIGEST);
	file->has_sha256 = true;
	pthread_mutex_unlock(&view->digest);
	memcpy(ret_digest, digest, FILE_DIGEST);
	return 0;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

int view_new(const char *socket_path, struct view **ret_view)
{
	struct view *view = calloc(1, sizeof(*view));
	struct asker *asker;
	int rc = view ? asker_new(socket_path, &asker) : -ENOMEM;

	if (rc < 0) {
		free(view);
		return rc;
	}
	asker_free(&asker); /* it could be made */
	view->socket_path = strdup(socket_path);
	CHECK_OK(pthread_mutex_init(&view->lock, NULL));
	CHECK_OK(pthread_mutex_init(&view->build, NULL));
	CHECK_OK(pthread_mutex_init(&view->digest, NULL));
	if (!view->socket_path || pthread_key_create(&view->asker, asker_end) != 0) {
		free(view->socket_path);
		free(view);
		return -ENOMEM;
	}
	*ret_view = view;
	return 0;
}

void view_free(struct view **view)
{
	struct view *v = *view;

	*view = NULL;
	if (!v)
		return;
	tree_unref(&v->tree, 1);
	asker_end(pthread_getspecific(v->asker));
	(void)pthread_key_delete(v->asker);
	free(v->published);
	free(v->socket_path);
	free(v);
}
