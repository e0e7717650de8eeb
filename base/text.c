/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See text.h. Nothing here asks the locale.
 */
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
reserve(struct text *t, size_t more)
{
	size_t want = t->capacity == 0 ? 64 : t->capacity;
	char *s;

	if (t->failed || more > SIZE_MAX / 4 || t->len > SIZE_MAX / 4) {
		t->failed = true;
		return false;
	}
	if (t->len + more + 1 <= t->capacity)
		return true;
	while (want < t->len + more + 1)
		want *= 2;
	s = realloc(t->s, want);
	if (s == NULL) {
		t->failed = true;
		return false;
	}
	t->s = s;
	t->capacity = want;
	return true;
}

void
text_add_octets(struct text *t, const char *s, size_t len)
{
	if (!reserve(t, len))
		return;
	if (len > 0)
		memcpy(t->s + t->len, s, len);
	t->len += len;
	t->s[t->len] = '\0';
}

void
text_add(struct text *t, const char *s)
{
	text_add_octets(t, s, strlen(s));
}

void
text_add_char(struct text *t, char c)
{
	text_add_octets(t, &c, 1);
}

void
text_vprintf(struct text *t, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0 || !reserve(t, (size_t)n)) {
		t->failed = true;
		return;
	}
	vsnprintf(t->s + t->len, (size_t)n + 1, format, args);
	t->len += (size_t)n;
}

void
text_printf(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprintf(t, format, args);
	va_end(args);
}

const char *
text_string(const struct text *t)
{
	return t->s == NULL ? "" : t->s;
}

void
text_clear(struct text *t)
{
	t->len = 0;
	t->failed = false;
	if (t->s != NULL)
		t->s[0] = '\0';
}

void
text_free(struct text *t)
{
	free(t->s);
	*t = (struct text){0};
}

int
text_compare(const char *a, const char *b)
{
	for (;; a++, b++) {
		unsigned char x = (unsigned char)text_lower_char(*a);
		unsigned char y = (unsigned char)text_lower_char(*b);

		if (x != y)
			return x < y ? -1 : 1;
		if (x == '\0')
			return 0;
	}
}

bool
text_same(const char *a, const char *b)
{
	return text_compare(a, b) == 0;
}

bool
text_same_n(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text_lower_char(a[i]) != text_lower_char(b[i]))
			return false;
		if (a[i] == '\0')
			return true;
	}
	return true;
}

bool
text_has_prefix(const char *s, const char *prefix)
{
	return text_same_n(s, prefix, strlen(prefix));
}

bool
text_glob(const char *pattern, const char *s)
{
	const char *star = NULL, *mark = NULL;

	while (*s != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			mark = s;
		} else if (text_lower_char(*pattern) == text_lower_char(*s)) {
			pattern++;
			s++;
		} else if (star != NULL) {
			pattern = star + 1;
			s = ++mark;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* Length of the sequence that a lead octet starts, 0 for a bad lead. */
static size_t
utf8_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	if (c >= 0xf0 && c <= 0xf4)
		return 4;
	return 0;
}

int32_t
text_utf8_next(const char *s, size_t len, size_t *used_r)
{
	static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = (unsigned char)s[0];
	size_t n = utf8_length(lead);
	int32_t code;

	*used_r = 1;
	if (n == 0 || n > len)
		return -1;
	code = n == 1 ? lead : lead & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c & 0xc0) != 0x80)
			return -1;
		code = code << 6 | (c & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return -1;
	*used_r = n;
	return code;
}

bool
text_is_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t used;

		if (text_utf8_next(s + i, len - i, &used) < 0)
			return false;
		i += used;
	}
	return true;
}

#define NEAREST_MAX 64

static size_t
least_of(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein distance of two words of fewer than NEAREST_MAX octets. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NEAREST_MAX + 1];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t cost = text_lower_char(a[i - 1]) != text_lower_char(b[j - 1]);
			size_t next = least_of(row[j] + 1, row[j - 1] + 1, diagonal + cost);

			diagonal = row[j];
			row[j] = next;
		}
	}
	return row[n];
}

const char *
text_nearest(const char *word, const char *const *list, size_t n)
{
	const char *best = NULL;
	size_t length = strlen(word);
	size_t least = length / 3 + 2;

	if (length >= NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d;

		if (strlen(list[i]) >= NEAREST_MAX)
			continue;
		d = distance(word, list[i]);
		if (d < least) {
			least = d;
			best = list[i];
		}
	}
	return best;
}

int
text_to_u64(const char *s, uint64_t *r)
{
	uint64_t v = 0;

	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		uint64_t digit;

		if (!text_is_digit(*s))
			return -1;
		digit = (uint64_t)(*s - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return -1;
		v = v * 10 + digit;
	}
	*r = v;
	return 0;
}
