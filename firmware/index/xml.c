/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML by libexpat. No document type, so no entities but the five of XML itself; limits on depth, on
 * the bytes of one token, and (in reader.c) on all bytes and entries.
 *
 * Where a thing stands is a word of the profile:
 *
 *	Size		the entry's attribute
 *	location/href	the attribute of a child
 *	checksum/	the text of a child
 *	/		the entry's own text
 *
 * Of several words the first that is there counts. The folder may stand in an element around the entry, the
 * nearest counts. Element `*` is each one that has the path as an attribute.
 *
 *	     on_start			     on_end
 *	outside ──► in an entry (depth d) ──► outside		children at d + 1 are looked at,
 *			│ ▲				those below them are not
 *			└─┘ on_start, on_text: collect
 */
#include <expat.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/index/index_priv.h"

#define SLICE                                                                                      \
	16384 /* what the parser gets at once: it looks at an unfinished token again each time */
#define TAIL_MAX 65536

enum field {
	FIELD_PATH,
	FIELD_FOLDER,
	FIELD_SIZE,
	FIELD_DIGEST,
	FIELD_NAME,
	FIELDS
};

struct text {
	char *p;
	size_t n, size;
	size_t rank; /* of the word that it came by; SIZE_MAX: absent */
};

struct xml {
	XML_Parser parser;
	struct index_reader *reader;
	uint32_t depth;	       /* of the element we are in; the root is 1 */
	uint32_t entry;	       /* depth of the entry we are in; 0: none */
	uint64_t line, column; /* where that began */
	struct text texts[FIELDS];
	int capture; /* the field that text goes to, or -1 */
	size_t capture_rank;
	char **folders;	   /* by depth; NULL: that of the element around it */
	uint64_t fed;	   /* bytes the parser had before this slice */
	uint64_t root_end; /* where the root ended, once it has */
	bool in_tail, semicolon;
	uint64_t tail;
};

static const struct string_list *words_of(const struct profile_index *format, enum field field)
{
	switch (field) {
	case FIELD_PATH:
		return &format->at_path;
	case FIELD_FOLDER:
		return &format->at_folder;
	case FIELD_SIZE:
		return &format->at_size;
	case FIELD_DIGEST:
		return &format->at_digest;
	default:
		return &format->at_name;
	}
}

/* ---- failing in a callback ---------------------------------------------------------------------- */

static void stop(struct xml *xml, int rc)
{
	if (rc < 0 && !xml->reader->rc)
		xml->reader->rc = rc;
	(void)XML_StopParser(xml->parser, XML_FALSE);
}

static void locate(struct xml *xml)
{
	xml->reader->line = XML_GetCurrentLineNumber(xml->parser);
	xml->reader->column = XML_GetCurrentColumnNumber(xml->parser) + 1;
}

/* ---- collecting --------------------------------------------------------------------------------- */

static int text_add(struct xml *xml, struct text *text, struct span more)
{
	size_t need = text->n + more.n;

	if (need > xml->reader->config.limits.token)
		return index_refuse(xml->reader, INDEX_TOO_LONG_, "a text of more than %u bytes",
				    xml->reader->config.limits.token);
	if (need > text->size) {
		char *grown = realloc(text->p, need + 64);

		if (!grown)
			return -ENOMEM;
		text->p = grown;
		text->size = need + 64;
	}
	if (more.n)
		memcpy(text->p + text->n, more.p, more.n);
	text->n = need;
	return 0;
}

/* Puts a value that came by word `rank` unless a better word has been there. */
static int text_set(struct xml *xml, enum field field, size_t rank, struct span value)
{
	struct text *text = &xml->texts[field];

	if (text->rank <= rank)
		return 0;
	text->rank = rank;
	text->n = 0;
	return text_add(xml, text, value);
}

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

/* "child/attribute" of child `name` ("" is the entry itself): the attribute, or NULL if it is another child's. */
static const char *word_for(const char *word, const char *child)
{
	const char *slash = strchr(word, '/');

	if (!*child)
		return slash ? (slash == word && !slash[1] ? "" : NULL) : word;
	if (!slash || (size_t)(slash - word) != strlen(child) ||
	    strncmp(word, child, strlen(child)) != 0)
		return NULL;
	return slash + 1;
}

/* What an element (the entry with child "", or one of its children) tells of a field. */
static int collect_field(struct xml *xml, enum field field, const char *child,
			 const XML_Char **attributes)
{
	const struct string_list *words = words_of(xml->reader->config.format, field);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < words->n; i++) {
		const char *want = word_for(words->v[i], child);

		if (!want)
			continue;
		if (!*want && xml->texts[field].rank > i) {
			xml->capture = (int)field;
			xml->capture_rank = i;
			xml->texts[field].rank = i;
			xml->texts[field].n = 0;
		}
		for (size_t a = 0; rc == 0 && *want && attributes[a]; a += 2)
			if (strcmp(attributes[a], want) == 0)
				rc = text_set(xml, field, i, span_of(attributes[a + 1]));
	}
	return rc;
}

static int collect(struct xml *xml, const char *child, const XML_Char **attributes)
{
	int rc = 0;

	xml->capture = -1;
	for (unsigned field = 0; rc == 0 && field < FIELDS; field++)
		rc = collect_field(xml, (enum field)field, child, attributes);
	return rc;
}

/* ---- entries ------------------------------------------------------------------------------------ */

static struct span trimmed(struct span s)
{
	while (s.n && strchr(" \t\r\n", s.p[0]) && s.p[0])
		s = span_drop(s, 1);
	while (s.n && strchr(" \t\r\n", s.p[s.n - 1]) && s.p[s.n - 1])
		s.n--;
	return s;
}

static struct span value_of(const struct xml *xml, enum field field)
{
	const struct text *text = &xml->texts[field];

	return text->rank == SIZE_MAX ? (struct span){ NULL, 0 }
				      : trimmed(span_make(text->p ? text->p : "", text->n));
}

/* The nearest folder around depth `depth`. */
static const char *folder_around(const struct xml *xml, uint32_t depth)
{
	for (; depth; depth--)
		if (xml->folders[depth])
			return xml->folders[depth];
	return "";
}

static int entry_end(struct xml *xml)
{
	struct raw_entry raw = {
		.path = value_of(xml, FIELD_PATH),
		.folder = value_of(xml, FIELD_FOLDER),
		.size = value_of(xml, FIELD_SIZE),
		.digest = value_of(xml, FIELD_DIGEST),
		.name = value_of(xml, FIELD_NAME),
		.kind = (enum index_digest)xml->reader->config.format->digest,
	};

	if (!raw.folder.p)
		raw.folder = span_of(folder_around(xml, xml->entry));
	xml->entry = 0;
	xml->capture = -1;
	xml->reader->line = xml->line;
	xml->reader->column = xml->column;
	if (!raw.path.n)
		return index_refuse(xml->reader, INDEX_NO_PATH_, "an entry without a path");
	return index_emit(xml->reader, &raw);
}

static bool has_any(const struct string_list *words, const XML_Char **attributes)
{
	for (size_t i = 0; i < words->n; i++)
		for (size_t a = 0; attributes[a]; a += 2)
			if (strcmp(attributes[a], words->v[i]) == 0)
				return true;
	return false;
}

static bool is_entry(const struct xml *xml, const char *name, const XML_Char **attributes)
{
	const struct profile_index *format = xml->reader->config.format;

	for (size_t i = 0; i < format->element.n; i++) {
		const char *want = format->element.v[i];

		if (strcmp(want, name) == 0 || strcmp(want, local_name(name)) == 0)
			return true;
		if (strcmp(want, "*") == 0 && has_any(&format->at_path, attributes))
			return true;
	}
	return false;
}

static int entry_begin(struct xml *xml, const XML_Char **attributes)
{
	/* One within another: the outer one has said all that it says in its attributes. */
	int rc = xml->entry ? entry_end(xml) : 0;

	locate(xml);
	xml->line = xml->reader->line;
	xml->column = xml->reader->column;
	for (unsigned i = 0; i < FIELDS; i++) {
		xml->texts[i].rank = SIZE_MAX;
		xml->texts[i].n = 0;
	}
	xml->entry = xml->depth;
	return rc < 0 ? rc : collect(xml, "", attributes);
}

/* ---- the parser's callbacks --------------------------------------------------------------------- */

static int folder_set(struct xml *xml, const XML_Char **attributes)
{
	const struct string_list *words = &xml->reader->config.format->at_folder;

	for (size_t i = 0; i < words->n; i++)
		for (size_t a = 0; attributes[a]; a += 2)
			if (strcmp(attributes[a], words->v[i]) == 0) {
				xml->folders[xml->depth] = strdup(attributes[a + 1]);
				return xml->folders[xml->depth] ? 0 : -ENOMEM;
			}
	return 0;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct xml *xml = arg;
	int rc = 0;

	if (xml->reader->rc)
		return;
	locate(xml);
	if (xml->depth == xml->reader->config.limits.depth) {
		stop(xml, index_refuse(xml->reader, INDEX_TOO_DEEP_, "more than %u elements deep",
				       xml->depth));
		return;
	}
	xml->depth++;
	rc = folder_set(xml, attributes);
	if (rc == 0 && is_entry(xml, name, attributes))
		rc = entry_begin(xml, attributes);
	else if (rc == 0 && xml->entry && xml->depth == xml->entry + 1)
		rc = collect(xml, local_name(name), attributes);
	else
		xml->capture = -1;
	if (rc < 0)
		stop(xml, rc);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int n)
{
	struct xml *xml = arg;
	int rc = 0;

	if (xml->reader->rc || !xml->entry || xml->capture < 0)
		return;
	locate(xml);
	rc = text_add(xml, &xml->texts[xml->capture], span_make(text, (size_t)n));
	if (rc < 0)
		stop(xml, rc);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct xml *xml = arg;
	int rc = 0;

	(void)name;
	if (xml->reader->rc)
		return;
	locate(xml);
	xml->capture = -1;
	if (xml->entry == xml->depth)
		rc = entry_end(xml);
	free(xml->folders[xml->depth]);
	xml->folders[xml->depth] = NULL;
	xml->depth--;
	if (rc == 0 && xml->depth == 0 && xml->reader->config.format->tail) {
		xml->in_tail = true;
		xml->root_end = (uint64_t)XML_GetCurrentByteIndex(xml->parser) +
				(uint64_t)XML_GetCurrentByteCount(xml->parser);
		stop(xml, 0);
	}
	if (rc < 0)
		stop(xml, rc);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
			       const XML_Char *public, int internal)
{
	struct xml *xml = arg;

	(void)name, (void)system, (void)public, (void)internal;
	locate(xml);
	stop(xml, index_refuse(xml->reader, INDEX_DOCTYPE_, "a document type declaration"));
}

/* ---- bytes --------------------------------------------------------------------------------------- */

/* Blanks, ';', and whatever the signature is. */
static int tail_feed(struct xml *xml, struct span bytes)
{
	for (size_t i = 0; i < bytes.n && !xml->semicolon; i++) {
		xml->semicolon = bytes.p[i] == ';';
		if (!xml->semicolon && !(bytes.p[i] && strchr(" \t\r\n", bytes.p[i])))
			return index_refuse(xml->reader, INDEX_TAIL_, "%s after the XML",
					    LOG_QUOTE(span_head(span_drop(bytes, i), 20)));
	}
	xml->tail += bytes.n;
	if (xml->tail > TAIL_MAX)
		return index_refuse(xml->reader, INDEX_TAIL_, "more than %d bytes after the XML",
				    TAIL_MAX);
	return 0;
}

static int complain(struct xml *xml)
{
	enum XML_Error code = XML_GetErrorCode(xml->parser);

	if (xml->reader->rc)
		return xml->reader->rc;
	if (code == XML_ERROR_NO_MEMORY)
		return -ENOMEM;
	locate(xml);
	switch (code) {
	case XML_ERROR_NO_ELEMENTS:
	case XML_ERROR_UNCLOSED_TOKEN:
	case XML_ERROR_UNCLOSED_CDATA_SECTION:
	case XML_ERROR_PARTIAL_CHAR:
		return index_refuse(xml->reader, INDEX_TRUNCATED_, "%s", XML_ErrorString(code));
	default:
		return index_refuse(xml->reader, INDEX_MALFORMED_, "%s", XML_ErrorString(code));
	}
}

static int slice_feed(struct xml *xml, struct span bytes, bool last)
{
	struct index_reader *reader = xml->reader;
	enum XML_Status status = XML_Parse(xml->parser, bytes.n ? bytes.p : "", (int)bytes.n, last);
	XML_Index at;

	if (reader->rc)
		return reader->rc;
	if (xml->in_tail) {
		size_t used = (size_t)(xml->root_end - xml->fed);

		return tail_feed(xml, span_drop(bytes, used));
	}
	if (status != XML_STATUS_OK)
		return complain(xml);
	xml->fed += bytes.n;
	at = XML_GetCurrentByteIndex(xml->parser);
	if (at >= 0 && xml->fed - (uint64_t)at > reader->config.limits.token + SLICE) {
		locate(xml);
		return index_refuse(reader, INDEX_TOO_LONG_, "a tag or text of more than %u bytes",
				    reader->config.limits.token);
	}
	return 0;
}

int xml_feed(struct xml *xml, struct index_reader *reader, struct span bytes, bool last)
{
	int rc = 0;

	do {
		struct span slice = span_head(bytes, SLICE);

		bytes = span_drop(bytes, slice.n);
		if (xml->in_tail)
			rc = tail_feed(xml, slice);
		else
			rc = slice_feed(xml, slice, last && !bytes.n);
	} while (rc == 0 && bytes.n);
	(void)reader;
	return rc;
}

int xml_new(struct index_reader *reader, struct xml **ret_xml)
{
	struct xml *xml = calloc(1, sizeof(*xml));

	if (!xml)
		return -ENOMEM;
	xml->reader = reader;
	xml->capture = -1;
	xml->folders = calloc((size_t)reader->config.limits.depth + 1, sizeof(*xml->folders));
	xml->parser = XML_ParserCreate(NULL);
	if (!xml->folders || !xml->parser) {
		xml_free(&xml);
		return -ENOMEM;
	}
	XML_SetUserData(xml->parser, xml);
	XML_SetElementHandler(xml->parser, on_start, on_end);
	XML_SetCharacterDataHandler(xml->parser, on_text);
	XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
	*ret_xml = xml;
	return 0;
}

void xml_free(struct xml **ptr)
{
	struct xml *xml = *ptr;

	if (!xml)
		return;
	if (xml->folders)
		for (uint32_t i = 0; i <= xml->reader->config.limits.depth; i++)
			free(xml->folders[i]);
	free(xml->folders);
	for (unsigned i = 0; i < FIELDS; i++)
		free(xml->texts[i].p);
	if (xml->parser)
		XML_ParserFree(xml->parser);
	free(xml);
	*ptr = NULL;
}
