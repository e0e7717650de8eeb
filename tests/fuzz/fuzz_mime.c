/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Any octets as a message (after three that say how it is cut): the same comes
 * out of it whole, in pieces and octet by octet; text and names are UTF-8; and
 * no more comes out than the bounds allow.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/mime.h"
#include "policy/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct log {
	struct text told;       /* parts, names and text in their order */
	size_t n_parts;
	size_t text_len;
	const char *text_doubt, *parts_doubt;
};

static void
tell_part(void *context, const char *type, const char *disposition)
{
	struct log *l = context;

	if (++l->n_parts > MIME_PARTS_MAX)
		abort();
	text_printf(&l->told, "\n<%s %s>", type, disposition);
}

static void
tell_name(void *context, const char *name)
{
	struct log *l = context;

	if (*name == '\0' || !text_is_utf8(name, strlen(name)))
		abort();
	text_printf(&l->told, "<%s>", name);
}

static void
tell_text(void *context, const char *s, size_t len)
{
	struct log *l = context;

	if (len == 0 || !text_is_utf8(s, len))
		abort();
	l->text_len += len;
	if (l->text_len > MIME_TEXT_MAX + MIME_PARTS_MAX)
		abort();
	text_add_octets(&l->told, s, len);
}

/* The fields before the first empty line; returns what is after it. */
static const char *
read_header(struct header *h, const char *s, const char *end)
{
	struct arena *a = h->arena;

	while (s < end) {
		const char *stop = memchr(s, '\n', (size_t)(end - s)), *colon;
		const char *line;

		while (stop != NULL && stop + 1 < end && (stop[1] == ' ' || stop[1] == '\t'))
			stop = memchr(stop + 1, '\n', (size_t)(end - stop - 1));
		if (stop == NULL)
			stop = end;
		line = arena_substring(a, s, (size_t)(stop - s));
		s = stop < end ? stop + 1 : end;
		colon = strchr(line, ':');
		if (colon == NULL)
			break;
		header_add(h, arena_substring(a, line, (size_t)(colon - line)), colon + 1, false);
	}
	return s;
}

/* Reads it in pieces of `step` octets, or of lengths drawn from `seed`. */
static void
read_message(const char *s, size_t len, size_t step, uint32_t seed, struct log *l)
{
	static const struct mime_events events = {tell_part, tell_name, tell_text};
	struct arena *a = arena_new(0);
	struct header h;
	struct mime *m;
	const char *end = s + len;

	memset(l, 0, sizeof *l);
	header_start(&h, a);
	s = read_header(&h, s, end);
	m = mime_new(&h, &events, l);
	if (m == NULL)
		abort();
	while (s < end) {
		size_t n = step;

		if (n == 0) {
			seed = seed * 1664525u + 1013904223u;
			n = 1 + (seed >> 16) % (seed & 0x100 ? 200 : 5);
		}
		if (n > (size_t)(end - s))
			n = (size_t)(end - s);
		mime_body(m, s, n);
		s += n;
	}
	mime_end(m);
	l->text_doubt = mime_text_uncertain(m);
	l->parts_doubt = mime_parts_uncertain(m);
	mime_free(&m);
	arena_free(&a);
}

static void
check_same(const struct log *a, const struct log *b)
{
	if (a->told.len != b->told.len || memcmp(text_string(&a->told), text_string(&b->told), a->told.len) != 0)
		abort();
	if (a->text_doubt != b->text_doubt || a->parts_doubt != b->parts_doubt)
		abort();
}

static void
check_words(const char *s, size_t len)
{
	struct arena *a = arena_new(0);
	bool is_certain;
	const char *text = words_decode(a, arena_substring(a, s, len), &is_certain);

	if (!text_is_utf8(text, strlen(text)))
		abort();
	arena_free(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data + 3;
	struct log whole, other;
	uint32_t seed;

	if (size < 3)
		return 0;
	size -= 3;
	seed = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
	read_message(s, size, size + 1, 0, &whole);
	for (int i = 0; i < 3; i++) {
		read_message(s, size, i == 0 ? 1 : 0, seed + (uint32_t)i, &other);
		check_same(&whole, &other);
		text_free(&other.told);
	}
	text_free(&whole.told);
	check_words(s, size);
	return 0;
}
