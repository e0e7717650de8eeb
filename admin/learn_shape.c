/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See learn_shape.h.
 */
#include "config.h"

#include "admin/learn_shape.h"

#include <string.h>

#define HEX_TOKEN 8u
#define LETTERS 3u
#define SUBJECT_WORDS 2u
/* Messages of a source from which on it is compared, and what share of what was
 * counted must be the same. */
#define ENOUGH 3u
#define ALIKE_PERCENT 30u
#define DIFFERENT_PERCENT 5u

static bool
is_hex(char c)
{
	c = text_lower_char(c);
	return text_is_digit(c) || (c >= 'a' && c <= 'f');
}

static size_t
digits(const char *s)
{
	size_t n = 0;

	while (text_is_digit(s[n]))
		n++;
	return n;
}

/* The length of a hexadecimal token that begins here; 0 where there is none. */
static size_t
hex_token(const char *s)
{
	bool has_digit = false;
	size_t n;

	for (n = 0; is_hex(s[n]); n++)
		has_digit = has_digit || text_is_digit(s[n]);
	if (n < HEX_TOKEN || !has_digit || text_is_alpha(s[n]))
		return 0;
	return n;
}

unsigned
learn_shape_local(const char *local, struct text *t)
{
	unsigned stars = 0;
	bool after_star = false;

	for (const char *s = local; *s != '\0';) {
		bool at_start = s == local || !(text_is_alpha(s[-1]) || text_is_digit(s[-1]));
		size_t n = at_start ? hex_token(s) : 0;

		if (n == 0)
			n = digits(s);
		if (*s == '+' && s != local && s[1] != '\0') {
			text_add(t, "+*");
			return stars + 1;
		}
		if (n == 0) {
			text_add_char(t, text_lower_char(*s++));
			after_star = false;
			continue;
		}
		if (!after_star) {
			text_add_char(t, '*');
			stars++;
		}
		after_star = true;
		s += n;
	}
	return stars;
}

bool
learn_shape_is_telling(const char *shape)
{
	unsigned letters = 0, stars = 0;

	for (; *shape != '\0' && *shape != '@'; shape++) {
		letters += text_is_alpha(*shape);
		stars += *shape == '*';
	}
	return stars == 1 && letters >= LETTERS;
}

void
learn_shape_host(const char *host, struct text *t)
{
	while (*host != '\0') {
		size_t n = digits(host);

		text_add_char(t, n > 0 ? '#' : text_lower_char(*host));
		host += n > 0 ? n : 1;
	}
}

void
learn_shape_message_id(const char *id, struct text *t)
{
	const char *at = strrchr(id, '@');
	char host[256];
	size_t n;

	if (at == NULL)
		return;
	n = strcspn(at + 1, ">");
	if (n >= sizeof host)
		return;
	memcpy(host, at + 1, n);
	host[n] = '\0';
	learn_shape_host(host, t);
}

uint32_t
learn_shape_number(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h == 0 ? 1 : h;
}

/* What the audit keeps instead of a subject where the policy says so. */
static bool
is_hashed(const char *s)
{
	return s[0] == '#' && (s[1] == '\0' || (strlen(s) == 17 && strspn(s + 1, "0123456789abcdef") == 16));
}

uint32_t
learn_shape_subject(const char *subject)
{
	uint32_t h = 2166136261u;
	unsigned words = 0;

	if (is_hashed(subject)) /* equal ones can still be told */
		return subject[1] == '\0' ? 0 : learn_shape_number(subject);
	for (const char *s = subject; *s != '\0' && words < SUBJECT_WORDS;) {
		size_t n = digits(s);
		char c = n > 0 ? '#' : text_lower_char(*s);

		if (c == ' ' && s != subject && s[-1] != ' ')
			words++;
		h = (h ^ (unsigned char)c) * 16777619u;
		s += n > 0 ? n : 1;
	}
	return subject[0] == '\0' ? 0 : h == 0 ? 1 : h;
}

void
learn_sketch_add(struct learn_sketch *s, uint32_t number)
{
	if (number == 0)
		return;
	s->total++;
	for (unsigned i = 0; i < LEARN_SKETCH; i++) {
		if (s->number[i] != number && s->number[i] != 0)
			continue;
		s->number[i] = number;
		s->count[i] += s->count[i] < UINT32_MAX;
		return;
	}
}

/* Whether it can be compared: enough was counted, and what is kept is most of it
 * and comes again. */
static bool
is_telling(const struct learn_sketch *s)
{
	uint64_t kept = 0, again = 0;

	for (unsigned i = 0; i < LEARN_SKETCH; i++) {
		kept += s->count[i];
		again += s->count[i] > 1 ? s->count[i] : 0;
	}
	return s->total >= ENOUGH && kept * 2 >= s->total && again * 2 >= kept;
}

enum learn_alike
learn_sketch_compare(const struct learn_sketch *a, const struct learn_sketch *b)
{
	uint64_t percent = 0;

	if (!is_telling(a) || !is_telling(b))
		return LEARN_UNKNOWN;
	for (unsigned i = 0; i < LEARN_SKETCH && a->number[i] != 0; i++) {
		for (unsigned j = 0; j < LEARN_SKETCH && b->number[j] != 0; j++) {
			uint64_t x, y;

			if (a->number[i] != b->number[j])
				continue;
			x = a->count[i] * UINT64_C(100) / a->total;
			y = b->count[j] * UINT64_C(100) / b->total;
			percent += x < y ? x : y;
		}
	}
	if (percent >= ALIKE_PERCENT)
		return LEARN_ALIKE;
	return percent < DIFFERENT_PERCENT ? LEARN_DIFFERENT : LEARN_UNKNOWN;
}
