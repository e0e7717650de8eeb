/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See printable.h.
 */
#include "base/printable.h"

#include <stdbool.h>
#include <string.h>

#define SHORT_MAX 200

void
printable_add(struct text *t, const char *s, size_t len, size_t max)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (i == max) {
			text_add(t, "...");
			return;
		}
		if (c == '\\')
			text_add(t, "\\\\");
		else if (c >= 0x20 && c < 0x7f)
			text_add_char(t, (char)c);
		else
			text_printf(t, "\\x%02x", c);
	}
}

const char *
printable(struct arena *a, const char *s)
{
	struct text t = {0};
	const char *r;

	printable_add(&t, s, strlen(s), SHORT_MAX);
	r = t.failed ? "?" : arena_string(a, text_string(&t));
	text_free(&t);
	return r;
}

/* Code points that move the cursor, the line or the reading direction. */
static bool
is_unsafe(int32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

static bool
is_bare(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return len > 0;
}

/* Adds one code point, or one octet that is none, and tells how long it was. */
static size_t
add_one(struct text *t, const char *s, size_t len)
{
	size_t used;
	int32_t c = text_utf8_next(s, len, &used);

	if (c < 0)
		text_printf(t, "\\x%02x", (unsigned char)*s);
	else if (is_unsafe(c))
		text_printf(t, "\\u{%x}", (unsigned)c);
	else
		text_add_octets(t, s, used);
	return used;
}

void
printable_add_value(struct text *t, const char *s, size_t len)
{
	if (is_bare(s, len)) {
		text_add_octets(t, s, len);
		return;
	}
	text_add_char(t, '"');
	for (size_t i = 0; i < len;) {
		if (s[i] == '"' || s[i] == '\\')
			text_add_char(t, '\\');
		i += add_one(t, s + i, len - i);
	}
	text_add_char(t, '"');
}

void
printable_add_line(struct text *t, const char *s, size_t len)
{
	for (size_t i = 0; i < len;)
		i += add_one(t, s + i, len - i);
}

void
printable_add_lines(struct text *t, const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		if (s[i] == '\n' || s[i] == '\t')
			text_add_char(t, s[i++]);
		else
			i += add_one(t, s + i, len - i);
	}
}
