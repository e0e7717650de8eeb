/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pieces first, exactly as they stand; then the two ways to ask for them.
 */
#include "policy/param.h"

#include <string.h>

#include "base/text.h"
#include "policy/charset.h"
#include "policy/transfer.h"
#include "policy/words.h"

#define SECTIONS_MAX 10000

struct scanner {
	struct arena *arena;
	const char *s;
	struct param_list *list;
};

/* The first doubt stays. */
static void
doubt(const char **doubt_r, const char *why)
{
	if (*doubt_r == NULL)
		*doubt_r = why;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* White space and comments. A comment with what would end a parameter in it
 * is another parameter to who does not know comments. */
static void
skip_blank(struct scanner *c)
{
	size_t depth = 0;

	for (; *c->s != '\0'; c->s++) {
		if (*c->s == '(') {
			depth++;
		} else if (depth == 0) {
			if (!is_blank(*c->s))
				break;
		} else if (*c->s == ')') {
			depth--;
		} else if (*c->s == ';' || *c->s == '=' || *c->s == '"' || *c->s == '\\') {
			doubt(&c->list->doubt, "a comment that looks like a parameter");
			if (*c->s == '\\' && c->s[1] != '\0')
				c->s++;
		}
	}
	if (depth > 0)
		doubt(&c->list->doubt, "a comment that does not end");
}

/* RFC 2045 section 5.1. */
static bool
is_token(char c)
{
	return c > ' ' && c <= '~' && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static size_t
token_length(const char *s)
{
	size_t n = 0;

	while (is_token(s[n]))
		n++;
	return n;
}

/* Up to the next ';' that is not within quotes. */
static void
skip_to_semicolon(struct scanner *c)
{
	bool in_quotes = false;

	for (; *c->s != '\0' && (in_quotes || *c->s != ';'); c->s++) {
		if (*c->s == '"')
			in_quotes = !in_quotes;
		else if (*c->s == '\\' && in_quotes && c->s[1] != '\0')
			c->s++;
	}
}

/* What stands from `start` up to the next ';', without white space after it. */
static const char *
literal(struct scanner *c, const char *start)
{
	size_t len = strcspn(start, ";");

	while (len > 0 && is_blank(start[len - 1]))
		len--;
	return arena_substring(c->arena, start, len);
}

static size_t
quoted_length(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0' && s[n] != '"')
		n += s[n] == '\\' && s[n + 1] != '\0' ? 2 : 1;
	return n;
}

static void
read_quoted(struct scanner *c, struct param_piece *p)
{
	const char *start = ++c->s, *end = start + quoted_length(start);
	char *value = arena_alloc(c->arena, (size_t)(end - start) + 1);
	bool is_plain = true;

	if (value != NULL)
		p->value = value;
	for (; c->s < end; c->s++) {
		if (*c->s == '\\' && c->s + 1 < end) {
			c->s++;
			is_plain = is_plain && (*c->s == '"' || *c->s == '\\');
		}
		if (value != NULL)
			*value++ = *c->s;
	}
	if (!is_plain)
		p->literal = arena_substring(c->arena, start, (size_t)(end - start));
	if (*end == '"')
		c->s++;
	else
		doubt(&c->list->doubt, "a quoted value that does not end");
}

/* A token, or what writers who do not quote put there: everyone reads up to
 * white space or ';'. */
static void
read_unquoted(struct scanner *c, struct param_piece *p, bool has_begun)
{
	const char *start = c->s;

	while (*c->s != '\0' && *c->s != ';' && *c->s != '(' && !is_blank(*c->s)) {
		if (!is_token(*c->s) && strchr("=/:?@[]", *c->s) == NULL && (unsigned char)*c->s < 0x80)
			doubt(&c->list->doubt, "a value that needs quotes");
		c->s++;
	}
	if (*c->s == '(')
		doubt(&c->list->doubt, "a value that needs quotes");
	p->value = arena_substring(c->arena, start, (size_t)(c->s - start));
	if (has_begun)
		p->literal = literal(c, start);
	if (has_begun && strcmp(p->literal, p->value) == 0)
		p->literal = NULL;
}

/* NAME, NAME*, NAME*N or NAME*N*; false when the number is none. */
static bool
read_name(struct scanner *c, const char *s, size_t len, struct param_piece *p)
{
	const char *star = memchr(s, '*', len), *end = s + len, *start = s;

	p->section = -1;
	p->is_extended = len > 1 && s[len - 1] == '*';
	p->name = arena_lower(c->arena, s, star != NULL ? (size_t)(star - s) : len);
	if (star == NULL || star + 1 == end)
		return star != start;
	if (p->is_extended)
		end--;
	s = star + 1;
	if (s == end || (*s == '0' && end - s > 1))
		return false;
	for (p->section = 0; s < end; s++) {
		if (!text_is_digit(*s) || p->section > SECTIONS_MAX)
			return false;
		p->section = p->section * 10 + (*s - '0');
	}
	return star != start;
}

static void
add(struct param_list *l, struct param_piece *p)
{
	if (l->last != NULL)
		l->last->next = p;
	else
		l->first = p;
	l->last = p;
	l->count++;
}

/* One parameter; `has_begun`: after a ';'. What is none is left out, up to
 * the next ';'. */
static void
read_piece(struct scanner *c, bool has_begun)
{
	struct param_piece *p = arena_alloc(c->arena, sizeof *p);
	const char *name = c->s;
	size_t len = token_length(name);

	if (p == NULL)
		return;
	c->s += len;
	skip_blank(c);
	if (len == 0 || *c->s != '=' || !read_name(c, name, len, p)) {
		doubt(&c->list->doubt, "a parameter that is not well formed");
		skip_to_semicolon(c);
		return;
	}
	c->s++;
	skip_blank(c);
	p->value = "";
	if (*c->s == '"')
		read_quoted(c, p);
	else
		read_unquoted(c, p, has_begun);
	add(c->list, p);
}

/* TOKEN or TOKEN/TOKEN. */
static const char *
read_value(struct scanner *c)
{
	const char *start = c->s;
	size_t len = token_length(start);

	if (start[len] == '=')
		len = 0;
	if (len > 0 && start[len] == '/')
		len += 1 + token_length(start + len + 1);
	c->s += len;
	if (len == 0)
		doubt(&c->list->doubt, "no value before the parameters");
	return arena_lower(c->arena, start, len);
}

void
param_read(struct arena *a, const char *value, struct param_list *r)
{
	struct scanner c = {a, value, r};
	bool has_begun = false;

	memset(r, 0, sizeof *r);
	skip_blank(&c);
	r->value = read_value(&c);
	for (skip_blank(&c); *c.s != '\0'; skip_blank(&c)) {
		if (*c.s == ';') {
			has_begun = true;
			c.s++;
			continue;
		}
		if (!has_begun)
			doubt(&r->doubt, "text where a ';' is wanted");
		if (r->count >= PARAM_PIECES_MAX) {
			doubt(&r->doubt, "too many parameters");
			break;
		}
		read_piece(&c, has_begun);
		has_begun = false;
	}
}

/* A value put together. */
struct joiner {
	struct text out;
	struct charset_reader *reader;
	const char **doubt_r;
};

static void
put_text(void *context, const char *s, size_t len)
{
	struct text *t = context;

	for (size_t i = 0; i < len; i++)
		text_add_char(t, s[i] == '\0' ? ' ' : s[i]);
}

static void
close_reader(struct joiner *j)
{
	if (j->reader == NULL)
		return;
	charset_end(j->reader);
	if (charset_has_malformed(j->reader))
		doubt(j->doubt_r, "a name with malformed characters");
	charset_close(&j->reader);
}

/* Opens the charset; NULL for none that is known. */
static void
open_reader(struct joiner *j, const struct charset *c)
{
	struct charset_sink sink = {put_text, &j->out};

	if (c != NULL)
		j->reader = charset_open(c, sink);
	if (j->reader != NULL)
		return;
	doubt(j->doubt_r, "a name in an unknown charset");
	j->reader = charset_open(charset_undeclared(), sink);
}

/* CHARSET'LANGUAGE' of an extended value: opens the charset, returns the rest. */
static const char *
read_charset(struct joiner *j, const char *s)
{
	size_t len = strcspn(s, "'");
	const char *language = s[len] == '\0' ? NULL : strchr(s + len + 1, '\'');
	char name[32];

	if (language == NULL) {
		doubt(j->doubt_r, "an extended parameter without charset");
		open_reader(j, charset_undeclared());
		return s;
	}
	if (len >= sizeof name)
		len = sizeof name - 1;
	memcpy(name, s, len);
	name[len] = '\0';
	open_reader(j, len == 0 ? charset_undeclared() : charset_find(name));
	return language + 1;
}

static void
join_percent(struct joiner *j, const char *s)
{
	char buf[256];
	size_t n = 0;

	while (*s != '\0') {
		int high = *s == '%' ? transfer_hex(s[1]) : -1;
		int low = high >= 0 ? transfer_hex(s[2]) : -1;

		if (*s == '%' && low < 0)
			doubt(j->doubt_r, "percent coding that is not well formed");
		buf[n++] = low >= 0 ? (char)(unsigned char)(high * 16 + low) : *s;
		s += low >= 0 ? 3 : 1;
		if (j->reader != NULL && (n == sizeof buf || *s == '\0'))
			charset_read(j->reader, buf, n);
		if (n == sizeof buf)
			n = 0;
	}
}

/* Plain text among sections stands for itself. */
static void
join_plain(struct joiner *j, const char *s)
{
	if (j->reader != NULL)
		charset_end(j->reader);
	text_add(&j->out, s);
}

/* The continuations of a name in the order of their numbers; of two with one
 * number the first stands first. */
static size_t
find_sections(const struct param_list *l, const char *name, const struct param_piece *r[PARAM_PIECES_MAX])
{
	size_t n = 0;

	for (const struct param_piece *p = l->first; p != NULL; p = p->next) {
		size_t i = n;

		if (p->section < 0 || strcmp(p->name, name) != 0)
			continue;
		for (; i > 0 && r[i - 1]->section > p->section; i--)
			r[i] = r[i - 1];
		r[i] = p;
		n++;
	}
	return n;
}

static void
join(struct joiner *j, const struct param_piece *const *pieces, size_t n)
{
	int want = 0;

	for (size_t i = 0; i < n; i++) {
		const struct param_piece *p = pieces[i];

		if (p->section < want) {
			doubt(j->doubt_r, "a continuation that stands twice");
			continue;
		}
		if (p->section > want)
			doubt(j->doubt_r, "a continuation is missing");
		want = p->section + 1;
		if (!p->is_extended) {
			join_plain(j, p->value);
		} else if (i == 0) {
			join_percent(j, read_charset(j, p->value));
		} else {
			if (j->reader == NULL) {
				doubt(j->doubt_r, "an extended parameter without charset");
				open_reader(j, charset_undeclared());
			}
			join_percent(j, p->value);
		}
	}
}

/* What was put together, in the arena. */
static const char *
joined(struct arena *a, struct joiner *j)
{
	const char *s;

	close_reader(j);
	if (j->out.failed)
		doubt(j->doubt_r, "memory is short");
	s = arena_substring(a, text_string(&j->out), j->out.len);
	text_free(&j->out);
	return s;
}

/* The continuations put together; NULL when there are none. */
static const char *
join_sections(struct arena *a, const struct param_list *l, const char *name, const char **doubt_r)
{
	const struct param_piece *pieces[PARAM_PIECES_MAX];
	struct joiner j = {.doubt_r = doubt_r};
	size_t n = find_sections(l, name, pieces);
	bool has_extended, is_certain = true;
	const char *s;

	if (n == 0)
		return NULL;
	join(&j, pieces, n);
	has_extended = j.reader != NULL;
	s = joined(a, &j);
	if (!has_extended || !text_is_utf8(s, strlen(s)))
		s = words_decode(a, s, &is_certain);
	if (!is_certain)
		doubt(doubt_r, "a name that cannot be read for certain");
	return s;
}

static const char *
decode_extended(struct arena *a, const char *value, const char **doubt_r)
{
	struct joiner j = {.doubt_r = doubt_r};

	join_percent(&j, read_charset(&j, value));
	return joined(a, &j);
}

const char *
param_one(struct arena *a, const struct param_list *l, const char *name, const char **doubt_r)
{
	const char *found = NULL;
	bool is_extended = false;

	for (const struct param_piece *p = l->first; p != NULL; p = p->next) {
		if (strcmp(p->name, name) != 0)
			continue;
		if (p->section >= 0 || p->is_extended)
			is_extended = true;
		else if (found != NULL)
			doubt(doubt_r, "a parameter that stands twice");
		else
			found = p->value;
	}
	if (is_extended)
		doubt(doubt_r, "a parameter that not every reader can read");
	if (found != NULL || !is_extended)
		return found;
	found = join_sections(a, l, name, doubt_r);
	for (const struct param_piece *p = l->first; p != NULL && found == NULL; p = p->next)
		if (p->is_extended && strcmp(p->name, name) == 0)
			found = decode_extended(a, p->value, doubt_r);
	return found;
}

static const char *
decode_plain(struct arena *a, const char *value, const char **doubt_r)
{
	bool is_certain;
	const char *s = words_decode(a, value, &is_certain);

	if (!is_certain)
		doubt(doubt_r, "a name that cannot be read for certain");
	return s;
}

void
param_names(struct arena *a, const struct param_list *l, const char *name,
	    void (*put)(void *context, const char *utf8), void *context, const char **doubt_r)
{
	const char *whole = join_sections(a, l, name, doubt_r);

	if (whole != NULL)
		put(context, whole);
	for (const struct param_piece *p = l->first; p != NULL; p = p->next) {
		if (p->section >= 0 || strcmp(p->name, name) != 0)
			continue;
		if (p->is_extended)
			put(context, decode_extended(a, p->value, doubt_r));
		else
			put(context, decode_plain(a, p->value, doubt_r));
		if (p->literal != NULL)
			put(context, decode_plain(a, p->literal, doubt_r));
	}
}
