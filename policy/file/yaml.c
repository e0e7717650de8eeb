/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads events into a tree, with a stack of the open lists and maps. The
 * library's own errors are put into the place they speak of.
 */
#include "policy/file/yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/text.h"

#define DEPTH_MAX 16u
#define NODES_MAX 500000u

struct open {
	struct node *node;
	struct node *last;      /* child */
	struct node *key;       /* waiting for its value */
};

struct reader {
	struct arena *arena;
	const char *file;
	struct problems *problems;
	yaml_parser_t parser;
	struct open stack[DEPTH_MAX];
	size_t depth;
	size_t nodes;
	struct node *root;
	unsigned documents;
	bool stop;
	bool failed;
};

const char *
node_kind_name(const struct node *n)
{
	static const char *const names[] = {"text", "a list", "a mapping"};

	return names[n->kind];
}

static void
error_at(struct reader *r, const yaml_mark_t *m, const char *text)
{
	problems_add(r->problems, true, r->file, (unsigned)m->line + 1, (unsigned)m->column + 1, "%s", text);
}

static void
stop(struct reader *r, const yaml_mark_t *m, const char *text)
{
	error_at(r, m, text);
	r->stop = r->failed = true;
}

static struct node *
make_node(struct reader *r, enum node_kind kind, const yaml_mark_t *m)
{
	struct node *n;

	if (++r->nodes > NODES_MAX) {
		stop(r, m, "the file has too many values");
		return NULL;
	}
	n = arena_alloc(r->arena, sizeof *n);
	if (n == NULL) {
		stop(r, m, "memory is short");
		return NULL;
	}
	*n = (struct node){
		.kind = kind, .file = r->file, .text = "",
		.line = (unsigned)m->line + 1, .column = (unsigned)m->column + 1,
	};
	return n;
}

static void
append(struct open *o, struct node *n)
{
	if (o->last == NULL)
		o->node->first = n;
	else
		o->last->next = n;
	o->last = n;
	o->node->count++;
}

/* A member of a map: its key must be text and new. The hash of the map would
 * be a waste: maps of a policy have few members. */
static void
take_key(struct reader *r, struct open *o, struct node *key)
{
	if (key->kind != NODE_TEXT) {
		node_error(r->problems, key, "expected a name, then \":\", but %s stands here", node_kind_name(key));
		key->is_broken = true;
	}
	for (struct node *n = o->node->first; n != NULL && !key->is_broken; n = n->next) {
		if (strcmp(n->key->text, key->text) != 0 || n->key->is_broken)
			continue;
		node_error(r->problems, key, "\"%s\" stands twice, first at %s:%u:%u; keep one of them",
			   key->text, n->file, n->key->line, n->key->column);
		key->is_broken = true;
	}
	o->key = key;
}

/* Puts a node where it belongs: root, list element, key or value. */
static void
place(struct reader *r, struct node *n)
{
	struct open *o;

	if (r->depth == 0) {
		if (r->root == NULL)
			r->root = n;
		return;
	}
	o = &r->stack[r->depth - 1];
	if (o->node->kind == NODE_LIST) {
		append(o, n);
	} else if (o->key == NULL) {
		take_key(r, o, n);
	} else {
		n->key = o->key;
		o->key = NULL;
		append(o, n);
	}
}

static void
open_node(struct reader *r, struct node *n, const yaml_mark_t *m)
{
	place(r, n);
	if (r->depth == DEPTH_MAX) {
		stop(r, m, "lists and mappings are nested too deep");
		return;
	}
	r->stack[r->depth++] = (struct open){.node = n};
}

static void
take_text(struct reader *r, const yaml_event_t *e)
{
	struct node *n = make_node(r, NODE_TEXT, &e->start_mark);
	const char *s = (const char *)e->data.scalar.value;

	if (n == NULL)
		return;
	n->is_quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_substring(r->arena, s, e->data.scalar.length);
	if (memchr(s, '\0', e->data.scalar.length) != NULL) {
		error_at(r, &e->start_mark, "the text holds a NUL character");
		n->is_broken = true;
	}
	place(r, n);
}

static void
check_anchor(struct reader *r, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		error_at(r, &e->start_mark, "anchors (&name) are not supported; write the value out");
	if (tag != NULL)
		error_at(r, &e->start_mark, "tags (!name) are not supported; put text that begins with \"!\" in quotes");
}

static void
take_alias(struct reader *r, const yaml_event_t *e)
{
	struct node *n = make_node(r, NODE_TEXT, &e->start_mark);

	error_at(r, &e->start_mark,
		 "aliases (*name) are not supported; put text that begins with \"*\" in quotes");
	if (n != NULL) {
		n->is_broken = true;
		place(r, n);
	}
}

static void
take_start(struct reader *r, const yaml_event_t *e)
{
	bool is_list = e->type == YAML_SEQUENCE_START_EVENT;
	struct node *n = make_node(r, is_list ? NODE_LIST : NODE_MAP, &e->start_mark);

	if (is_list)
		check_anchor(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
	else
		check_anchor(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
	if (n != NULL)
		open_node(r, n, &e->start_mark);
}

static void
take_event(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++r->documents > 1)
			stop(r, &e->start_mark, "a second document (---) begins here; expected one document a file");
		break;
	case YAML_ALIAS_EVENT:
		take_alias(r, e);
		break;
	case YAML_SCALAR_EVENT:
		check_anchor(r, e, e->data.scalar.anchor, e->data.scalar.tag);
		take_text(r, e);
		break;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		take_start(r, e);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		break;
	case YAML_STREAM_END_EVENT:
		r->stop = true;
		break;
	default:
		break;
	}
}

/* Line and column of an octet; the library's reader errors have no mark. */
static yaml_mark_t
mark_of(const char *s, size_t len, size_t offset)
{
	yaml_mark_t m = {.index = offset};

	for (size_t i = 0; i < offset && i < len; i++) {
		if (s[i] == '\n') {
			m.line++;
			m.column = 0;
		} else if (((unsigned char)s[i] & 0xC0) != 0x80) {
			m.column++;
		}
	}
	return m;
}

static const char *
in_plain_words(struct reader *r)
{
	const char *p = r->parser.problem == NULL ? "it cannot be read" : r->parser.problem;

	if (strstr(p, "cannot start any token") != NULL)
		return "a tab or a character that must stand in quotes; indent with spaces, and quote text that "
		       "begins with one of @ ` % or a tab";
	if (strstr(p, "mapping values are not allowed") != NULL)
		return "a \":\" is not expected here; check the indentation, or put the text in quotes";
	if (strstr(p, "did not find expected key") != NULL || strstr(p, "could not find expected ':'") != NULL)
		return "expected \"name: value\"; check the indentation and the lines before this one";
	if (strstr(p, "did not find expected '-' indicator") != NULL)
		return "expected another \"- \" of the list, or less indentation";
	return arena_printf(r->arena, "not well-formed YAML: %s", p);
}

static void
say_parser_error(struct reader *r, const char *s, size_t len)
{
	const yaml_parser_t *p = &r->parser;
	yaml_mark_t m = p->problem_mark;

	r->stop = r->failed = true;
	if (p->error == YAML_READER_ERROR) {
		m = mark_of(s, len, p->problem_offset);
		error_at(r, &m, "a control character or octets that are not UTF-8; save the file as UTF-8");
	} else {
		error_at(r, &m, in_plain_words(r));
	}
}

/* The first octet that is not UTF-8, or len. */
static size_t
first_bad(const char *s, size_t len)
{
	size_t used;

	for (size_t i = 0; i < len; i += used)
		if (text_utf8_next(s + i, len - i, &used) < 0)
			return i;
	return len;
}

struct node *
yaml_read(struct arena *a, const char *file, const char *s, size_t len, struct problems *problems)
{
	struct reader r = {.arena = a, .file = arena_string(a, file), .problems = problems};
	yaml_mark_t m = mark_of(s, len, first_bad(s, len));
	yaml_event_t event;

	if (m.index < len) {
		error_at(&r, &m, "octets that are not UTF-8; save the file as UTF-8");
		return NULL;
	}
	if (!yaml_parser_initialize(&r.parser))
		return NULL;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)s, len);
	while (!r.stop) {
		if (!yaml_parser_parse(&r.parser, &event)) {
			say_parser_error(&r, s, len);
			break;
		}
		take_event(&r, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&r.parser);
	if (r.failed)
		return NULL;
	if (r.root == NULL)
		r.root = make_node(&r, NODE_MAP, &(yaml_mark_t){0});
	return r.root;
}
