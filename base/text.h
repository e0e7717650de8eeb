/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Text: a string that grows, and comparisons that know ASCII only.
 */
#ifndef POSTERN_BASE_TEXT_H
#define POSTERN_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string. Start with {0}; `s` is NULL until something is added. */
struct text {
	char *s;
	size_t len;
	size_t capacity;
	bool failed; /* memory was short once; the text is no longer whole */
};

void text_add(struct text *t, const char *s);
void text_add_octets(struct text *t, const char *s, size_t len);
void text_add_char(struct text *t, char c);
void text_printf(struct text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *t, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* The text as a string, never NULL. Valid until the next change. */
const char *text_string(const struct text *t);

/* Empties it and keeps the memory. */
void text_clear(struct text *t);

/* Frees the memory and makes it {0} again. */
void text_free(struct text *t);

/* ASCII lower case of one octet; all others stay (no locale). */
static inline char
text_lower_char(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool
text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
text_is_alpha(char c)
{
	c = text_lower_char(c);
	return c >= 'a' && c <= 'z';
}

/* Equal when ASCII case is ignored. */
bool text_same(const char *a, const char *b);
bool text_same_n(const char *a, const char *b, size_t len);

/* Whether s begins with prefix, ASCII case ignored. */
bool text_has_prefix(const char *s, const char *prefix);

/* Orders like strcmp() with ASCII case ignored; for bsearch and qsort. */
int text_compare(const char *a, const char *b);

/* Whether `s` matches `pattern`, in which each * stands for any run of
 * octets (also none). ASCII case is ignored. Linear in practice, never
 * exponential. */
bool text_glob(const char *pattern, const char *s);

/* Whether these octets are well-formed UTF-8 (RFC 3629: no overlong forms,
 * no surrogates, nothing above U+10FFFF). ASCII is. */
bool text_is_utf8(const char *s, size_t len);

/* The code point that starts at s (len > 0), its length in *used_r;
 * -1 with *used_r = 1 where it is not well formed. */
int32_t text_utf8_next(const char *s, size_t len, size_t *used_r);

/* The word of the list that is nearest to `word` by edit distance, or NULL
 * when none is near enough to be worth a "did you mean". */
const char *text_nearest(const char *word, const char *const *list, size_t n);

/* A decimal number, nothing before or after it: 0, or -1 when it is none or
 * does not fit. */
int text_to_u64(const char *s, uint64_t *r);

#endif
