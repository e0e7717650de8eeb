/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See header.h.
 */
#include "policy/header.h"

#include <string.h>

#include "base/text.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

/* Fields beyond this are counted but not kept: far more than any policy passes. */
#define FIELDS_KEPT 4000u

/* RFC 5322 section 3.6 and RFC 2045: fields that may stand once, but From,
 * which has reasons of its own. */
static const char *const single[] = {
	"Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID",
	"In-Reply-To", "References", "MIME-Version", "Content-Type",
	"Content-Transfer-Encoding", "Content-Disposition", "Content-ID",
};

void
header_start(struct header *h, struct arena *a)
{
	*h = (struct header){.arena = a};
}

static size_t
longest_line(const char *name, const char *value)
{
	size_t longest = 0, line = strlen(name) + 1;

	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			longest = line > longest ? line : longest;
			line = 0;
		} else {
			line++;
		}
	}
	return line > longest ? line : longest;
}

void
header_add(struct header *h, const char *name, const char *value, bool covers)
{
	struct header_field *f;
	size_t n = strlen(name), octets = n + strlen(value) + 3, line;

	h->count++;
	h->octets += octets;
	if (octets > h->largest)
		h->largest = octets;
	if (h->count > FIELDS_KEPT || (f = arena_alloc(h->arena, sizeof *f)) == NULL)
		return;
	while (n > 0 && (name[n - 1] == ' ' || name[n - 1] == '\t'))
		n--;
	f->name = arena_substring(h->arena, name, n);
	f->value = arena_string(h->arena, value);
	f->index = header_count(h, f->name) + 1;
	if (h->last == NULL)
		h->first = f;
	else
		h->last->next = f;
	h->last = f;
	line = longest_line(f->name, value);
	if (covers && line > h->longest_signed_line)
		h->longest_signed_line = line;
}

const struct header_field *
header_find(const struct header *h, const char *name)
{
	for (const struct header_field *f = h->first; f != NULL; f = f->next)
		if (text_same(f->name, name))
			return f;
	return NULL;
}

size_t
header_count(const struct header *h, const char *name)
{
	size_t n = 0;

	for (const struct header_field *f = h->first; f != NULL; f = f->next)
		n += text_same(f->name, name);
	return n;
}

const char *
header_unfold(struct arena *a, const char *value)
{
	size_t n = strlen(value), k = 0;
	char *r;

	value += strspn(value, " \t\r\n");
	n = strlen(value);
	while (n > 0 && strchr(" \t\r\n", value[n - 1]) != NULL)
		n--;
	r = arena_alloc(a, n + 1);
	if (r == NULL)
		return "";
	for (size_t i = 0; i < n; i++)
		if (value[i] != '\n' && !(value[i] == '\r' && value[i + 1] == '\n'))
			r[k++] = value[i];
	return r;
}

const char *
header_repeated(const struct header *h)
{
	for (const struct header_field *f = h->first; f != NULL; f = f->next) {
		if (f->index != 2)
			continue;
		for (size_t i = 0; i < COUNT_OF(single); i++)
			if (text_same(f->name, single[i]))
				return f->name;
	}
	return NULL;
}

const char *
header_resent(const struct header *h)
{
	for (const struct header_field *f = h->first; f != NULL; f = f->next)
		if (text_has_prefix(f->name, "Resent-"))
			return f->name;
	return NULL;
}

static bool
name_is_good(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (*s < 33 || *s > 126 || *s == ':')
			return false;
	return true;
}

static bool
value_is_good(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\r' && s[1] != '\n')
			return false;
		if (*s == '\n' && s[1] != ' ' && s[1] != '\t')
			return false;
	}
	return true;
}

const char *
header_broken(const struct header *h)
{
	for (const struct header_field *f = h->first; f != NULL; f = f->next)
		if (!name_is_good(f->name) || !value_is_good(f->value))
			return f->name;
	return NULL;
}

/* Past white space and comments (RFC 5322 section 3.2.2). */
static const char *
skip_cfws(const char *s)
{
	size_t depth = 0;

	for (; *s != '\0'; s++) {
		if (*s == '(')
			depth++;
		else if (*s == ')' && depth > 0)
			depth--;
		else if (*s == '\\' && depth > 0 && s[1] != '\0')
			s++;
		else if (depth == 0 && strchr(" \t\r\n", *s) == NULL)
			break;
	}
	return s;
}

static const char *
token(const char *s, size_t *len_r)
{
	s = skip_cfws(s);
	*len_r = strcspn(s, " \t\r\n()<>@,;:\\\"/[]?=");
	return s;
}

const char *
header_media_type(const struct header *h, struct arena *a)
{
	const struct header_field *f = header_find(h, "Content-Type");
	const char *type, *subtype;
	size_t n, m;

	if (f == NULL)
		return "text/plain";
	type = token(f->value, &n);
	subtype = skip_cfws(type + n);
	if (n == 0 || *subtype != '/')
		return "text/plain";
	subtype = token(subtype + 1, &m);
	if (m == 0)
		return "text/plain";
	return arena_printf(a, "%s/%s", arena_lower(a, type, n), arena_lower(a, subtype, m));
}
