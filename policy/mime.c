/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See mime.h. Octets take one of two ways: lines of headers, and lines that
 * begin with '-' where a boundary may stand, are gathered into `line` and
 * judged whole; all else is handed on in runs as long as they come. The line
 * end before a boundary belongs to the boundary, so the last line end of a run
 * is held until the next line has begun.
 */
#include "policy/mime.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "policy/flow.h"
#include "policy/part.h"

/* Where the present octets belong. */
enum where {
	IN_HEADER,
	IN_TEXT,                /* of a text part */
	IN_OTHER,               /* in a part that is not read, before the first part, after the last */
	IN_NOTHING,             /* too many parts: nothing is read any more */
};

/* A multipart, or a message in the message (without boundary). */
struct level {
	char boundary[MIME_BOUNDARY_MAX];
	size_t len;
	bool is_multi;
	bool is_digest;
	bool has_part;
	bool is_closed;
};

struct mime {
	struct mime_events events;
	void *context;
	const char *doubt_text, *doubt_parts;

	struct level levels[MIME_DEPTH_MAX];
	size_t depth;
	size_t n_multi;         /* levels that have a boundary */
	size_t n_parts;
	enum where where;

	/* Lines. */
	bool at_line_start;
	bool skips_line;        /* the rest of a header line that is too long */
	char line[MIME_LINE_MAX];
	size_t line_len;
	char held[2];           /* a line end, or CR that may begin one */
	size_t held_len;

	/* The header being read: fields that are looked at, each line after "\n". */
	struct arena *arena;
	char head[MIME_HEADER_MAX];
	size_t head_len;
	bool has_field;
	bool keeps_field;

	struct flow flow;       /* the text */
};

static void
doubt_text(struct mime *m, const char *why)
{
	if (m->doubt_text == NULL)
		m->doubt_text = why;
}

static void
doubt_parts(struct mime *m, const char *why)
{
	if (m->doubt_parts == NULL)
		m->doubt_parts = why;
}

static void
doubt(struct mime *m, const char *why)
{
	doubt_text(m, why);
	doubt_parts(m, why);
}

/* ---- headers ---- */

static void
start_header(struct mime *m)
{
	m->where = IN_HEADER;
	m->head_len = 0;
	m->has_field = m->keeps_field = false;
	if (++m->n_parts > MIME_PARTS_MAX) {
		doubt(m, "more parts than are read");
		m->where = IN_NOTHING;
	}
}

static void
push(struct mime *m, const char *boundary, bool is_digest)
{
	struct level *l = &m->levels[m->depth++];

	memset(l, 0, sizeof *l);
	if (boundary == NULL)
		return;
	l->is_multi = true;
	l->is_digest = is_digest;
	l->len = strlen(boundary);
	memcpy(l->boundary, boundary, l->len);
	m->n_multi++;
}

static void
tell_part(struct mime *m, const struct part *p)
{
	if (m->events.part != NULL)
		m->events.part(m->context, p->type, p->disposition);
	for (const struct part_name *n = p->names; n != NULL && m->events.name != NULL; n = n->next)
		m->events.name(m->context, n->text);
}

/* A header is known: what follows is its body. */
static void
start_body(struct mime *m, const struct header *h, const char *default_type)
{
	struct part p;

	part_read(m->arena, h, default_type, &p);
	if (p.doubt_text != NULL)
		doubt_text(m, p.doubt_text);
	if (p.doubt_parts != NULL)
		doubt_parts(m, p.doubt_parts);
	if (p.kind != PART_MULTI)
		tell_part(m, &p);
	m->where = IN_OTHER;
	if (p.kind == PART_TEXT) {
		if (m->events.text != NULL && flow_start(&m->flow, p.charset, p.encoding))
			m->where = IN_TEXT;
	} else if (p.kind != PART_OTHER && m->depth >= MIME_DEPTH_MAX) {
		doubt(m, "parts nested more deeply than is read");
	} else if (p.kind == PART_MULTI) {
		push(m, p.boundary, strcmp(p.type, "multipart/digest") == 0);
	} else if (p.kind == PART_MESSAGE) {
		push(m, NULL, false);
		start_header(m);
	}
}

/* Adds the fields in `head` to the header. */
static void
parse_head(struct mime *m, struct header *h)
{
	char *s = m->head, *end = m->head + m->head_len;

	header_start(h, m->arena);
	while (s < end) {
		char *colon = memchr(s, ':', (size_t)(end - s));
		char *stop = memchr(s, '\n', (size_t)(end - s));

		while (stop + 1 < end && (stop[1] == ' ' || stop[1] == '\t'))
			stop = memchr(stop + 1, '\n', (size_t)(end - stop - 1));
		*colon = *stop = '\0';
		if (strlen(colon + 1) != (size_t)(stop - colon - 1))
			doubt(m, "a header with NUL octets");
		header_add(h, s, colon + 1, false);
		s = stop + 1;
	}
}

/* The header being read is over. */
static void
end_header(struct mime *m)
{
	const struct level *l = m->depth > 0 ? &m->levels[m->depth - 1] : NULL;
	bool in_digest = l != NULL && l->is_digest;
	struct header h;

	arena_reset(m->arena);
	parse_head(m, &h);
	start_body(m, &h, in_digest ? "message/rfc822" : "text/plain");
}

static bool
is_blank(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && (s[n] == ' ' || s[n] == '\t'))
		n++;
	return n == len;
}

/* The octets of the field name that the line begins with, 0 for none (RFC
 * 5322 section 3.6.8). White space before the colon is let pass, as by MTAs. */
static size_t
field_name(const char *s, size_t len)
{
	size_t n = 0, colon;

	while (n < len && s[n] > ' ' && s[n] <= '~' && s[n] != ':')
		n++;
	for (colon = n; colon < len && (s[colon] == ' ' || s[colon] == '\t'); colon++)
		;
	return colon < len && s[colon] == ':' ? n : 0;
}

static bool
is_looked_at(const char *name, size_t len)
{
	static const char *const names[] = {
		"Content-Type", "Content-Transfer-Encoding", "Content-Disposition",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == len && text_same_n(names[i], name, len))
			return true;
	return false;
}

static void
keep_line(struct mime *m, const char *s, size_t len)
{
	if (!m->keeps_field)
		return;
	if (len + 1 > sizeof m->head - m->head_len) {
		doubt(m, "a header of a part that is too large");
		m->keeps_field = false;
		return;
	}
	memcpy(m->head + m->head_len, s, len);
	m->head[m->head_len + len] = '\n';
	m->head_len += len + 1;
}

/* One line of a header without its end; `is_cut`: it is longer than this.
 * False when it is no line of a header, so that the body begins with it. */
static bool
read_header_line(struct mime *m, const char *s, size_t len, bool is_cut)
{
	size_t name = field_name(s, len);

	if (len == 0) {
		end_header(m);
		return true;
	}
	if (m->has_field && (*s == ' ' || *s == '\t')) {
		if (is_blank(s, len))
			doubt(m, "a line of white space in a header");
	} else if (name > 0) {
		m->has_field = true;
		m->keeps_field = is_looked_at(s, name);
	} else {
		doubt(m, "a line in a header that is no field");
		end_header(m);
		return false;
	}
	if (is_cut && m->keeps_field)
		doubt(m, "a header of a part that is too large");
	keep_line(m, s, len);
	return true;
}

/* ---- boundaries ---- */

enum likeness { UNLIKE, LIKE, SAME };

/* Compares a line that begins with "--" with a boundary, *closes_r when it is
 * the last one. White space may follow (RFC 2046 section 5.1.1). */
static enum likeness
compare(const struct level *l, const char *s, size_t len, bool *closes_r)
{
	size_t n = 2 + l->len;

	if (!l->is_multi || len < n || memcmp(s + 2, l->boundary, l->len) != 0)
		return UNLIKE;
	*closes_r = len >= n + 2 && s[n] == '-' && s[n + 1] == '-';
	if (*closes_r)
		n += 2;
	return is_blank(s + n, len - n) ? SAME : LIKE;
}

/* The number of levels that stay open at this line, the last of them its own;
 * 0 for no boundary. A line that only begins like a boundary is one to readers
 * that take RFC 2046 at its word. */
static size_t
find_boundary(struct mime *m, const char *s, size_t len, bool *closes_r)
{
	size_t found = 0;

	if (m->n_multi == 0 || len < 3 || s[0] != '-' || s[1] != '-')
		return 0;
	for (size_t n = m->depth; n > 0; n--) {
		bool closes;
		enum likeness is = compare(&m->levels[n - 1], s, len, &closes);

		if (is == SAME && found > 0)
			doubt(m, "a boundary of two multiparts");
		if (is == LIKE && found == 0)
			doubt(m, "a line that only begins like a boundary");
		if (is == SAME && found == 0) {
			found = n;
			*closes_r = closes;
		}
	}
	return found;
}

/* Ends all that is open within the levels up to this one. */
static void
close_levels(struct mime *m, size_t depth)
{
	while (m->where == IN_HEADER)
		end_header(m);
	flow_end(&m->flow);
	m->held_len = 0;
	for (; m->depth > depth; m->depth--) {
		const struct level *l = &m->levels[m->depth - 1];

		if (l->is_multi && !l->has_part)
			doubt(m, "a multipart without a part");
		m->n_multi -= l->is_multi;
	}
}

static void
take_boundary(struct mime *m, size_t depth, bool closes)
{
	struct level *l = &m->levels[depth - 1];

	close_levels(m, depth);
	if (m->where == IN_NOTHING)
		return;
	m->where = IN_OTHER;
	if (closes) {
		l->is_closed = true;
		return;
	}
	if (l->is_closed)
		doubt(m, "a part after the last one");
	l->has_part = true;
	start_header(m);
}

/* ---- lines ---- */

static void
read_content(struct mime *m, const char *s, size_t len)
{
	if (m->where == IN_TEXT)
		flow_read(&m->flow, s, len);
}

static void
release_held(struct mime *m)
{
	read_content(m, m->held, m->held_len);
	m->held_len = 0;
}

/* Judges the gathered line: whole, or as much of it as there is room for. */
static void
judge(struct mime *m)
{
	bool is_whole = m->line[m->line_len - 1] == '\n', closes = false;
	bool is_cut = !is_whole && m->line_len == sizeof m->line;
	size_t len = m->line_len, depth;

	if (is_whole)
		len--;
	if (is_whole && len > 0 && m->line[len - 1] == '\r')
		len--;
	depth = find_boundary(m, m->line, len, &closes);
	m->at_line_start = is_whole;
	if (is_cut && depth > 0)
		doubt(m, "a boundary with too much white space");
	if (depth > 0 && !is_cut) {
		take_boundary(m, depth, closes);
	} else if (m->where != IN_HEADER || !read_header_line(m, m->line, len, is_cut)) {
		release_held(m);
		read_content(m, m->line, len);
		memcpy(m->held, m->line + len, m->line_len - len);
		m->held_len = m->line_len - len;
	}
	m->skips_line = is_cut && m->where == IN_HEADER;
	m->line_len = 0;
}

/* Gathers up to the end of the line; returns what was taken. */
static size_t
gather(struct mime *m, const char *s, size_t len)
{
	const char *end = memchr(s, '\n', len);
	size_t n = end != NULL ? (size_t)(end - s) + 1 : len;

	if (m->skips_line) {
		m->skips_line = end == NULL;
		return n;
	}
	if (n > sizeof m->line - m->line_len)
		n = sizeof m->line - m->line_len;
	memcpy(m->line + m->line_len, s, n);
	m->line_len += n;
	if (m->line_len == sizeof m->line || m->line[m->line_len - 1] == '\n')
		judge(m);
	return n;
}

/* The octets up to the next line that begins with '-'. */
static size_t
find_dash(const char *s, size_t len)
{
	const char *end = s + len, *p = s;

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p++;
		if (p == end || *p == '-')
			return (size_t)(p - s);
	}
	return len;
}

/* A run of octets that needs no look at its lines; returns what was taken. */
static size_t
run(struct mime *m, const char *s, size_t len)
{
	size_t n, end;

	if (m->n_multi == 0) {
		release_held(m);
		read_content(m, s, len);
		return len;
	}
	n = end = find_dash(s, len);
	m->at_line_start = s[n - 1] == '\n';
	if (m->where != IN_TEXT)
		return n;
	if (m->held_len == 1 && m->held[0] == '\r' && *s == '\n') {
		m->held[m->held_len++] = '\n';
		m->at_line_start = true;
		return 1;
	}
	release_held(m);
	if (s[end - 1] == '\n')
		end--;
	if (end > 0 && s[end - 1] == '\r')
		end--;
	read_content(m, s, end);
	memcpy(m->held, s + end, n - end);
	m->held_len = n - end;
	return n;
}

/* ---- the interface ---- */

struct mime *
mime_new(const struct header *top, const struct mime_events *e, void *context)
{
	struct mime *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->arena = arena_new(1u << 20);
	if (m->arena == NULL) {
		free(m);
		return NULL;
	}
	m->events = *e;
	m->context = context;
	m->flow.sink = (struct charset_sink){e->text, context};
	m->at_line_start = true;
	m->n_parts = 1;
	start_body(m, top, "text/plain");
	return m;
}

void
mime_free(struct mime **m)
{
	if (*m == NULL)
		return;
	flow_drop(&(*m)->flow);
	arena_free(&(*m)->arena);
	free(*m);
	*m = NULL;
}

void
mime_body(struct mime *m, const void *data, size_t len)
{
	const char *s = data;

	while (len > 0 && m->where != IN_NOTHING) {
		bool gathers = m->where == IN_HEADER || m->line_len > 0 || m->skips_line ||
			       (m->at_line_start && *s == '-' && m->n_multi > 0);
		size_t n = gathers ? gather(m, s, len) : run(m, s, len);

		s += n;
		len -= n;
	}
}

void
mime_end(struct mime *m)
{
	if (m->line_len > 0)
		judge(m);
	release_held(m);
	close_levels(m, 0);
}

const char *
mime_text_uncertain(const struct mime *m)
{
	return m->doubt_text != NULL ? m->doubt_text : m->flow.doubt;
}

const char *
mime_parts_uncertain(const struct mime *m)
{
	return m->doubt_parts;
}

const char *
mime_uncertain(const struct mime *m)
{
	const char *doubt = mime_text_uncertain(m);

	return doubt != NULL ? doubt : m->doubt_parts;
}
