/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fields in a list, and in buckets by name so that counting equal names does
 * not make a header of many fields slow.
 */
#include "policy/header.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* RFC 5322 section 3.6 and the MIME fields; From is judged on its own. */
static const char *const once[] = {
	"Date", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "In-Reply-To",
	"References", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"Content-ID", "Content-Description", "Content-Disposition",
};

/* What is beyond is counted but not kept: far more than any policy passes. */
#define FIELDS_KEPT 4000u
#define OCTETS_KEPT (1u << 20)

void
header_start(struct header *h, struct arena *a)
{
	memset(h, 0, sizeof *h);
	h->arena = a;
}

static struct header_field **
bucket(const struct header *h, const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)text_lower_char(*name)) * 16777619u;
	hash ^= hash >> 16;
	/* The bucket is the header's; constness is the caller's. */
	return (struct header_field **)(uintptr_t)&h->buckets[hash % HEADER_BUCKETS];
}

/* The field of this name that was added last. */
static const struct header_field *
newest(const struct header *h, const char *name)
{
	const struct header_field *f = *bucket(h, name);

	while (f != NULL && !text_same(f->name, name))
		f = f->older;
	return f;
}

/* Octets on the wire: name, colon, value, and CR LF for each line end. */
static void
measure(struct header *h, size_t name_len, const char *value, bool covers)
{
	size_t line = name_len + 1, total = line;

	for (;; value++) {
		bool is_end = *value == '\0' || *value == '\n';

		if (is_end) {
			total += 2;
			if (covers && line > h->longest_signed_line)
				h->longest_signed_line = line;
			line = 0;
		} else if (*value != '\r' || value[1] != '\n') {
			line++;
			total++;
		}
		if (*value == '\0')
			break;
	}
	h->octets += total;
	if (total > h->largest)
		h->largest = total;
}

void
header_add(struct header *h, const char *name, const char *value, bool covers)
{
	size_t n = strlen(name);
	struct header_field *f, **b;

	while (n > 0 && (name[n - 1] == ' ' || name[n - 1] == '\t'))
		n--;
	measure(h, n, value, covers);
	h->count++;
	if (h->count > FIELDS_KEPT || h->octets > OCTETS_KEPT || (f = arena_alloc(h->arena, sizeof *f)) == NULL)
		return;
	f->name = arena_substring(h->arena, name, n);
	b = bucket(h, f->name);
	f->index = header_count(h, f->name) + 1;
	f->value = arena_string(h->arena, value);
	f->older = *b;
	*b = f;
	if (h->last != NULL)
		h->last->next = f;
	else
		h->first = f;
	h->last = f;
}

const struct header_field *
header_find(const struct header *h, const char *name)
{
	const struct header_field *f = h->first;

	while (f != NULL && !text_same(f->name, name))
		f = f->next;
	return f;
}

size_t
header_count(const struct header *h, const char *name)
{
	const struct header_field *f = newest(h, name);

	return f != NULL ? f->index : 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The octets of the line end at s: 2, 1, or 0 when there is none. */
static size_t
line_end(const char *s)
{
	if (s[0] == '\r' && s[1] == '\n')
		return 2;
	return s[0] == '\n' ? 1 : 0;
}

/* The octets of all line ends at s, one after the other. */
static size_t
line_ends(const char *s)
{
	size_t n = 0, end;

	while ((end = line_end(s + n)) > 0)
		n += end;
	return n;
}

const char *
header_unfold(struct arena *a, const char *value)
{
	char *buf = arena_alloc(a, strlen(value) + 1);
	size_t len = 0, start = 0;

	if (buf == NULL)
		return "";
	while (*value != '\0') {
		size_t ends = line_ends(value), n = ends > 0 ? ends : 1;

		if (ends == 0 || !is_blank(value[ends])) {
			memcpy(buf + len, value, n);
			len += n;
		}
		value += n;
	}
	while (len > 0 && is_blank(buf[len - 1]))
		len--;
	buf[len] = '\0';
	while (is_blank(buf[start]))
		start++;
	return buf + start;
}

static bool
may_stand_once(const char *name)
{
	for (size_t i = 0; i < sizeof once / sizeof once[0]; i++)
		if (text_same(name, once[i]))
			return true;
	return false;
}

const char *
header_repeated(const struct header *h)
{
	for (const struct header_field *f = h->first; f != NULL; f = f->next)
		if (f->index == 2 && may_stand_once(f->name))
			return f->name;
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

bool
header_is_trusted(const char *name)
{
	static const char *const families[] = {
		"X-MS-Exchange-Organization-",
		"X-MS-Exchange-CrossPremises-",
		"X-MS-Exchange-CrossTenant-",
		"X-MS-Exchange-Forest-",
		"X-Postern-",
	};

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (text_has_prefix(name, families[i]))
			return true;
	return false;
}

static bool
is_field_name(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name > '~' || *name == ':')
			return false;
	return true;
}

static bool
is_folded_well(const char *value)
{
	while (*value != '\0') {
		size_t end = line_end(value);

		if (end > 0 && !is_blank(value[end]))
			return false;
		if (end == 0 && *value == '\r')
			return false;
		value += end > 0 ? end : 1;
	}
	return true;
}

const char *
header_broken(const struct header *h)
{
	for (const struct header_field *f = h->first; f != NULL; f = f->next)
		if (!is_field_name(f->name) || !is_folded_well(f->value))
			return f->name;
	return NULL;
}

/* Skips white space and comments; NULL when a comment does not end. */
static const char *
skip_comments(const char *s)
{
	size_t depth = 0;

	for (; *s != '\0'; s++) {
		if (*s == '(')
			depth++;
		else if (*s == ')' && depth > 0)
			depth--;
		else if (*s == '\\' && depth > 0 && s[1] != '\0')
			s++;
		else if (depth == 0 && !is_blank(*s))
			break;
	}
	return depth > 0 ? NULL : s;
}

/* The octets of the MIME token at s (RFC 2045 section 5.1). */
static size_t
token_length(const char *s)
{
	size_t n = 0;

	while (s[n] > ' ' && s[n] <= '~' && strchr("()<>@,;:\\\"/[]?=", s[n]) == NULL)
		n++;
	return n;
}

const char *
header_media_type(const struct header *h, struct arena *a)
{
	static const char fallback[] = "text/plain";
	const struct header_field *f = header_find(h, "Content-Type");
	const char *type, *subtype, *s;
	size_t type_len, subtype_len;

	if (f == NULL || (type = skip_comments(header_unfold(a, f->value))) == NULL)
		return fallback;
	type_len = token_length(type);
	s = skip_comments(type + type_len);
	if (type_len == 0 || s == NULL || *s != '/' || (subtype = skip_comments(s + 1)) == NULL)
		return fallback;
	subtype_len = token_length(subtype);
	s = skip_comments(subtype + subtype_len);
	if (subtype_len == 0 || s == NULL || (*s != '\0' && *s != ';'))
		return fallback;
	s = arena_printf(a, "%.*s/%.*s", (int)type_len, type, (int)subtype_len, subtype);
	return arena_lower(a, s, strlen(s));
}
