/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See learn_present.h. Works on the tree that the policy file is read into, and
 * knows no option but those that name files or make up the draft: an option that
 * is new in the schema is passed on.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>

#include "admin/learn_present.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/learn_yaml.h"
#include "policy/file/schema.h"

#define FILES_MAX 1001u
#define FILE_MAX ((size_t)4 << 20)
#define LINE_WIDTH 100u

struct learn_present {
	struct arena *arena;
	const char *folder;         /* absolute, with its final "/" */
	struct node *file[FILES_MAX];
	size_t n_files;
};

static const struct node *
member(const struct node *map, const char *name)
{
	for (const struct node *n = map->first; n != NULL; n = n->next)
		if (strcmp(n->key->text, name) == 0)
			return n;
	return NULL;
}

static const char *
absolute(const struct learn_present *p, const char *path)
{
	return path[0] == '/' ? path : arena_printf(p->arena, "%s%s", p->folder, path);
}

/* The octets, for free(); NULL when they cannot be read. */
static char *
read_file(const char *path, size_t *len_r)
{
	char *s = malloc(FILE_MAX);
	FILE *f = s == NULL ? NULL : fopen(path, "rb");

	*len_r = f == NULL ? 0 : fread(s, 1, FILE_MAX, f);
	if (f == NULL || ferror(f)) {
		free(s);
		s = NULL;
	}
	if (f != NULL)
		fclose(f);
	return s;
}

static int
add_file(struct learn_present *p, const char *path, char *error_r, size_t error_size)
{
	struct problems *problems = problems_new();
	struct node *root = NULL;
	size_t len = 0;
	char *s = problems == NULL ? NULL : read_file(path, &len);

	if (s != NULL)
		root = yaml_read(p->arena, arena_string(p->arena, path), s, len, problems);
	free(s);
	problems_free(&problems);
	if (root == NULL || root->kind != NODE_MAP || p->n_files == FILES_MAX) {
		snprintf(error_r, error_size, "%s cannot be read again", path);
		return -1;
	}
	p->file[p->n_files++] = root;
	return 0;
}

static int
add_included(struct learn_present *p, const char *pattern, char *error_r, size_t error_size)
{
	glob_t g = {0};
	int rc = 0;

	if (glob(absolute(p, pattern), GLOB_ERR, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc && rc == 0; i++)
			rc = add_file(p, g.gl_pathv[i], error_r, error_size);
	globfree(&g);
	return rc;
}

static int
read_all(struct learn_present *p, const char *file, char *error_r, size_t error_size)
{
	char *real = realpath(file, NULL);
	const struct node *include;
	int rc = -1;

	snprintf(error_r, error_size, "%s cannot be found again", file);
	if (real != NULL) {
		p->folder = arena_substring(p->arena, real, (size_t)(strrchr(real, '/') - real) + 1);
		rc = add_file(p, real, error_r, error_size);
	}
	free(real);
	include = rc == 0 ? member(p->file[0], "include") : NULL;
	if (include == NULL)
		return rc;
	if (include->kind == NODE_TEXT)
		return include->text[0] == '\0' ? 0 : add_included(p, include->text, error_r, error_size);
	for (const struct node *n = include->first; n != NULL && rc == 0; n = n->next)
		rc = add_included(p, n->text, error_r, error_size);
	return rc;
}

struct learn_present *
learn_present_read(const char *file, char *error_r, size_t error_size)
{
	struct learn_present *p = calloc(1, sizeof *p);

	snprintf(error_r, error_size, "memory is short");
	if (p == NULL || (p->arena = arena_new(0)) == NULL || read_all(p, file, error_r, error_size) != 0)
		learn_present_free(&p);
	return p;
}

void
learn_present_free(struct learn_present **p)
{
	if (*p == NULL)
		return;
	arena_free(&(*p)->arena);
	free(*p);
	*p = NULL;
}

/* Where a value is written, and what of it is the name of a file. */
struct writer {
	const struct learn_present *p;
	const struct learn_additions *more; /* of an app's lists; NULL elsewhere */
	struct text *t;
	const char *files;          /* the option here that names files; "" for none */
};

static void
indent_to(const struct writer *w, unsigned indent)
{
	text_printf(w->t, "%*s", (int)indent, "");
}

static void
write_text(const struct writer *w, const struct node *n, bool is_file)
{
	size_t n_digits = strspn(n->text, "0123456789");

	if (!n->is_quoted && n_digits > 0 && n->text[n_digits] == '\0')
		text_add(w->t, n->text); /* a number stays one for other readers of YAML */
	else if (n->text[0] != '\0' || n->is_quoted)
		learn_yaml_value(w->t, is_file ? absolute(w->p, n->text) : n->text);
}

static bool
is_texts(const struct node *n)
{
	for (const struct node *e = n->first; e != NULL; e = e->next)
		if (e->kind != NODE_TEXT)
			return false;
	return true;
}

/* A list of texts that fits on a line. */
static bool
write_flow(const struct writer *w, const struct node *n, bool is_file)
{
	struct text line = {0};
	struct writer inner = {.p = w->p, .t = &line, .files = ""};
	bool fits;

	text_add_char(&line, '[');
	for (const struct node *e = n->first; e != NULL; e = e->next) {
		write_text(&inner, e, is_file);
		text_add(&line, e->next == NULL ? "" : ", ");
	}
	text_add_char(&line, ']');
	fits = line.len <= LINE_WIDTH;
	if (fits)
		text_printf(w->t, " %s\n", text_string(&line));
	text_free(&line);
	return fits;
}

static void write_members(const struct writer *w, const struct node *map, unsigned indent, bool first_is_indented);

/* The elements of a list, one a line (a map over several). */
static void
write_elements(const struct writer *w, const struct node *list, unsigned indent, bool is_file)
{
	const struct node *one = list->kind == NODE_TEXT ? list : list->first;

	for (const struct node *e = one; e != NULL; e = list->kind == NODE_TEXT ? NULL : e->next) {
		indent_to(w, indent);
		text_add(w->t, "- ");
		if (e->kind == NODE_MAP) {
			write_members(w, e, indent + 2, true);
		} else {
			write_text(w, e, is_file);
			text_add_char(w->t, '\n');
		}
	}
}

/* What stands behind "name:", with the line's end. */
static void
write_value(const struct writer *w, const struct node *n, unsigned indent)
{
	bool is_file = strcmp(n->key->text, w->files) == 0;
	bool has_more = w->more != NULL && w->more->has(w->more->context, n->key->text);

	if (has_more) {
		char spaces[32];

		text_add_char(w->t, '\n');
		write_elements(w, n, indent + 2, is_file);
		snprintf(spaces, sizeof spaces, "%*s", (int)indent + 2, "");
		w->more->add(w->more->context, n->key->text, spaces, w->t);
	} else if (n->kind == NODE_TEXT) {
		text_add(w->t, n->text[0] == '\0' && !n->is_quoted ? "" : " ");
		write_text(w, n, is_file);
		text_add_char(w->t, '\n');
	} else if (n->first == NULL) {
		text_add(w->t, n->kind == NODE_LIST ? " []\n" : " {}\n");
	} else if (n->kind == NODE_LIST) {
		if (is_texts(n) && write_flow(w, n, is_file))
			return;
		text_add_char(w->t, '\n');
		write_elements(w, n, indent + 2, is_file);
	} else {
		text_add_char(w->t, '\n');
		write_members(w, n, indent + 2, false);
	}
}

static void
write_members(const struct writer *w, const struct node *map, unsigned indent, bool first_is_indented)
{
	for (const struct node *n = map->first; n != NULL; n = n->next) {
		if (n != map->first || !first_is_indented)
			indent_to(w, indent);
		learn_yaml_value(w->t, n->key->text);
		text_add_char(w->t, ':');
		write_value(w, n, indent);
	}
	if (map->first == NULL && first_is_indented)
		text_add(w->t, "{}\n");
}

/* "sqlite:postern.db" is relative to the policy file. */
static void
write_database(const struct writer *w, const struct node *n)
{
	static const char sqlite[] = "sqlite:";
	struct text url = {0};

	if (strncmp(n->text, sqlite, strlen(sqlite)) == 0)
		text_printf(&url, "%s%s", sqlite, absolute(w->p, n->text + strlen(sqlite)));
	else
		text_add(&url, n->text);
	text_add(w->t, "database: ");
	learn_yaml_value(w->t, text_string(&url));
	text_add_char(w->t, '\n');
	text_free(&url);
}

/* An option that several files may have: their members, or elements, together. */
static void
write_united(const struct writer *w, const char *name)
{
	bool begun = false;

	for (size_t i = 0; i < w->p->n_files; i++) {
		const struct node *n = member(w->p->file[i], name);

		if (n == NULL || n->first == NULL)
			continue;
		if (!begun)
			text_printf(w->t, "%s:\n", name);
		begun = true;
		if (n->kind == NODE_LIST)
			write_elements(w, n, 2, false);
		else
			write_members(w, n, 2, false);
	}
}

void
learn_present_write(const struct learn_present *p, struct text *t, void (*write_apps)(void *context, struct text *t),
		    void *context)
{
	for (size_t i = 0; i < schema_top.n; i++) {
		const struct option *o = &schema_top.options[i];
		const struct node *n = member(p->file[0], o->name);
		const struct writer w = {
			.p = p, .t = t,
			.files = i == TOP_TENANTS ? "accepted-domains" : i == TOP_SIGNING ? "key" : "",
		};

		if (i == TOP_APPS) {
			write_apps(context, t);
		} else if (o->in_include) {
			write_united(&w, o->name);
		} else if (n != NULL && i == TOP_DATABASE) {
			write_database(&w, n);
		} else if (n != NULL && i != TOP_INCLUDE) {
			text_printf(t, "%s:", o->name);
			write_value(&w, n, 0);
		}
	}
}

void
learn_present_write_app(const struct learn_present *p, size_t index, const struct learn_additions *more,
			struct text *t)
{
	const struct writer w = {.p = p, .t = t, .more = more, .files = ""};

	for (size_t i = 0; i < p->n_files; i++) {
		const struct node *apps = member(p->file[i], "apps");

		for (const struct node *n = apps == NULL ? NULL : apps->first; n != NULL; n = n->next) {
			if (index-- > 0)
				continue;
			text_add(t, "  - ");
			write_members(&w, n, 4, true);
			return;
		}
	}
}
