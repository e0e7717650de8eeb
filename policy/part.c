/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See part.h.
 */
#include "policy/part.h"

#include <string.h>

#include "base/text.h"
#include "policy/mime.h"
#include "policy/param.h"

/* The first doubt stays. */
static void
doubt(const char **doubt_r, const char *why)
{
	if (*doubt_r == NULL)
		*doubt_r = why;
}

static void
doubt_both(struct part *p, const char *why)
{
	if (why == NULL)
		return;
	doubt(&p->doubt_text, why);
	doubt(&p->doubt_parts, why);
}

/* The field unfolded, or NULL; one that another field of its name contradicts
 * is a doubt. */
static const char *
find(struct arena *a, const struct header *h, const char *name, const char **doubt_r)
{
	const struct header_field *f = header_find(h, name);
	const char *value;

	if (f == NULL)
		return NULL;
	value = header_unfold(a, f->value);
	for (f = f->next; f != NULL; f = f->next)
		if (text_same(f->name, name) && strcmp(header_unfold(a, f->value), value) != 0)
			doubt(doubt_r, "a field that stands twice in a header");
	return value;
}

static bool
is_media_type(const char *s)
{
	const char *slash = strchr(s, '/');

	return slash != NULL && slash != s && slash[1] != '\0';
}

/* A boundary that can be found: any printable ASCII but what would need an
 * escape, though RFC 2046 section 5.1.1 allows less. */
static bool
is_boundary(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > MIME_BOUNDARY_MAX || s[len - 1] == ' ')
		return false;
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return false;
	return true;
}

static void
read_multi(struct arena *a, const struct param_list *l, struct part *r)
{
	const char *d = l->doubt;

	r->boundary = param_one(a, l, "boundary", &d);
	doubt_both(r, d);
	if (r->boundary != NULL && is_boundary(r->boundary)) {
		r->kind = PART_MULTI;
		return;
	}
	doubt_both(r, r->boundary == NULL ? "a multipart without boundary" : "a boundary that is none");
	r->kind = PART_TEXT;
	r->charset = charset_undeclared();
}

static void
read_text(struct arena *a, const struct param_list *l, struct part *r)
{
	const char *d = l->doubt, *name = param_one(a, l, "charset", &d);

	if (d != NULL)
		doubt(&r->doubt_text, d);
	r->kind = PART_TEXT;
	r->charset = charset_undeclared();
	if (name == NULL || *name == '\0')
		return;
	r->charset = charset_find(name);
	if (r->charset == NULL)
		doubt(&r->doubt_text, "text in an unknown charset");
	/* What writes anything writes "us-ascii" over it. */
	if (r->charset == NULL || charset_is_ascii(r->charset))
		r->charset = charset_undeclared();
}

static void
read_kind(struct arena *a, const struct param_list *l, struct part *r)
{
	if (text_has_prefix(r->type, "multipart/")) {
		read_multi(a, l, r);
	} else if (text_has_prefix(r->type, "text/")) {
		read_text(a, l, r);
	} else {
		bool is_rfc822 = strcmp(r->type, "message/rfc822") == 0;

		r->kind = is_rfc822 || strcmp(r->type, "message/global") == 0 ? PART_MESSAGE : PART_OTHER;
		if (strcmp(r->type, "message/partial") == 0)
			doubt_both(r, "a message in pieces (message/partial)");
	}
	if (l->doubt != NULL)
		doubt(&r->doubt_parts, l->doubt);
}

/* RFC 2045 section 6.4 and RFC 2046 section 5: what has parts is not encoded.
 * Where it claims to be, some readers decode first and others do not; here a
 * multipart is read as it stands, a message not at all. */
static void
read_encoding(struct arena *a, const struct header *h, struct part *r)
{
	const char *d = NULL, *value = find(a, h, "Content-Transfer-Encoding", &d);
	struct param_list l;

	doubt_both(r, d);
	r->encoding = TRANSFER_IDENTITY;
	if (value == NULL)
		return;
	param_read(a, value, &l);
	r->encoding = l.first == NULL && l.doubt == NULL ? transfer_find(l.value) : TRANSFER_UNKNOWN;
	if (r->kind == PART_OTHER || r->encoding == TRANSFER_IDENTITY)
		return;
	if (r->kind == PART_TEXT) {
		if (r->encoding == TRANSFER_UNKNOWN)
			doubt(&r->doubt_text, "an unknown transfer encoding");
		return;
	}
	doubt_both(r, "a multipart or message in a transfer encoding");
	if (r->kind == PART_MESSAGE)
		r->kind = PART_OTHER;
}

struct names {
	struct arena *arena;
	struct part_name **end;
	struct part *part;
};

/* Adds a name that is not there yet. */
static void
add_name(void *context, const char *text)
{
	struct names *n = context;
	struct part_name *name;

	if (*text == '\0')
		return;
	for (name = n->part->names; name != NULL; name = name->next)
		if (strcmp(name->text, text) == 0)
			return;
	name = arena_alloc(n->arena, sizeof *name);
	if (name == NULL)
		return;
	name->text = text;
	*n->end = name;
	n->end = &name->next;
}

/* Both parameters of either field: writers mix them up, and readers know it. */
static void
add_names(struct names *n, const struct param_list *l)
{
	param_names(n->arena, l, "filename", add_name, n, &n->part->doubt_parts);
	param_names(n->arena, l, "name", add_name, n, &n->part->doubt_parts);
}

void
part_read(struct arena *a, const struct header *h, const char *default_type, struct part *r)
{
	struct param_list type, disposition;
	const char *value, *d = NULL;
	struct names n = {a, &r->names, r};

	memset(r, 0, sizeof *r);
	value = find(a, h, "Content-Disposition", &r->doubt_parts);
	param_read(a, value != NULL ? value : "", &disposition);
	r->disposition = disposition.value;
	if (value != NULL && disposition.doubt != NULL)
		doubt(&r->doubt_parts, disposition.doubt);
	value = find(a, h, "Content-Type", &d);
	doubt_both(r, d);
	param_read(a, value != NULL ? value : default_type, &type);
	r->type = type.value;
	if (!is_media_type(r->type)) {
		doubt_both(r, "a Content-Type that is not well formed");
		r->type = "text/plain";
	}
	read_kind(a, &type, r);
	read_encoding(a, h, r);
	if (r->kind == PART_TEXT && charset_is_wide(r->charset) && r->encoding != TRANSFER_BASE64)
		doubt(&r->doubt_text, "a charset of wide characters without base64");
	add_names(&n, &disposition);
	add_names(&n, &type);
	if (arena_failed(a))
		doubt_both(r, "memory is short");
}
