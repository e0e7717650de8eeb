/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See words.h. display.c uses the finder and the decoders, and judges what
 * comes out of them more strictly.
 */
#include "policy/words.h"

#include <string.h>

#include "base/text.h"
#include "policy/charset.h"
#include "policy/transfer.h"

/* Times that another charset is turned to: a converter costs a microsecond and
 * 4 KiB. A field written by software has words of one charset, or of a few;
 * one that has more is not certain and its words are read as if they had none. */
#define CHARSETS_MAX 32u

/* Reads the word's start, "=?CHARSET?X?"; its body, or NULL when it is none. */
static const char *
find_body(const char *s, const char *end, struct encoded_word *r)
{
	const char *p = s + 2;

	r->charset = p;
	while (p < end && *p > ' ' && *p <= '~' && strchr("()<>@,;:\\\"/[]?.=", *p) == NULL)
		p++;
	r->charset_len = (size_t)(p - r->charset);
	if (r->charset_len == 0 || end - p < 3 || p[0] != '?' || p[2] != '?')
		return NULL;
	r->encoding = text_lower_char(p[1]);
	return p + 3;
}

bool
words_find(const char *s, const char *end, struct encoded_word *r)
{
	const char *p = find_body(s, end, r);

	if (p == NULL || (r->encoding != 'b' && r->encoding != 'q'))
		return false;
	r->body = p;
	while (p < end && *p > ' ' && *p <= '~' && *p != '?')
		p++;
	r->body_len = (size_t)(p - r->body);
	if (end - p < 2 || p[0] != '?' || p[1] != '=')
		return false;
	r->len = (size_t)(p + 2 - s);
	return true;
}

void
words_charset(const struct encoded_word *w, char name[32])
{
	const char *star = memchr(w->charset, '*', w->charset_len);
	size_t len = star != NULL ? (size_t)(star - w->charset) : w->charset_len;

	if (len >= 32)
		len = 0;
	memcpy(name, w->charset, len);
	name[len] = '\0';
}

static size_t
octets_q(const struct encoded_word *w, char *out, bool *is_certain)
{
	const char *s = w->body;
	size_t n = 0, len = w->body_len;

	for (size_t i = 0; i < len; i++) {
		int high = i + 2 < len ? transfer_hex(s[i + 1]) : -1;
		int low = i + 2 < len ? transfer_hex(s[i + 2]) : -1;

		if (s[i] == '_') {
			out[n++] = ' ';
		} else if (s[i] == '=' && high >= 0 && low >= 0) {
			out[n++] = (char)(unsigned char)(high * 16 + low);
			i += 2;
		} else {
			if (s[i] == '=')
				*is_certain = false;
			out[n++] = s[i];
		}
	}
	return n;
}

size_t
words_octets(const struct encoded_word *w, char *out, bool *is_certain)
{
	struct transfer t;
	char none[TRANSFER_HELD + 2];
	size_t n;

	if (w->encoding == 'q')
		return octets_q(w, out, is_certain);
	transfer_start(&t, TRANSFER_BASE64);
	n = transfer_decode(&t, w->body, w->body_len, out);
	transfer_end(&t, none);
	if (t.is_malformed)
		*is_certain = false;
	return n;
}

struct decoder {
	struct text out;
	char *octets;                   /* room for those of one word */
	bool is_certain;
	bool in_word;
	const struct charset *charset;  /* of `reader` */
	struct charset_reader *reader;  /* of words, NULL before the first */
	struct charset_reader *plain;   /* of what is no word */
	unsigned n_opened;
};

/* The sink. Text out of a word has no control characters. */
static void
put(void *context, const char *s, size_t len)
{
	struct decoder *d = context;
	size_t start = d->out.len;

	text_add_octets(&d->out, s, len);
	for (size_t i = start; d->in_word && i < d->out.len; i++) {
		char *c = &d->out.s[i];

		if ((unsigned char)*c >= 0x20 && *c != 0x7f)
			continue;
		if (*c != '\t')
			d->is_certain = false;
		*c = ' ';
	}
}

/* Whether ISO 2022 text ends in another state than ASCII. */
static bool
ends_shifted(const char *s, size_t len)
{
	bool is_shifted = false, is_designated = false;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\016' || s[i] == '\017')
			is_shifted = s[i] == '\016';
		if (s[i] != '\033' || len - i < 3)
			continue;
		if (s[i + 1] == '(')
			is_designated = s[i + 2] != 'B' && s[i + 2] != 'J';
		else if (s[i + 1] == '$' && s[i + 2] != ')')
			is_designated = true;
	}
	return is_shifted || is_designated;
}

static void
close_reader(struct decoder *d, struct charset_reader **r)
{
	if (*r == NULL)
		return;
	charset_end(*r);
	if (charset_has_malformed(*r))
		d->is_certain = false;
	charset_close(r);
}

/* Has d->reader read this charset. */
static void
turn_to(struct decoder *d, const struct charset *c)
{
	struct charset_sink sink = {put, d};

	if (d->reader != NULL && charset_same(c, d->charset)) {
		charset_end(d->reader);
		return;
	}
	close_reader(d, &d->reader);
	d->charset = c;
	d->reader = ++d->n_opened <= CHARSETS_MAX ? charset_open(c, sink) : NULL;
	if (d->reader != NULL)
		return;
	d->is_certain = false;
	d->charset = charset_undeclared();
	d->reader = charset_open(d->charset, sink);
}

static void
decode_word(struct decoder *d, const struct encoded_word *w, bool is_adjacent)
{
	char name[32];
	const struct charset *c;
	size_t n = words_octets(w, d->octets, &d->is_certain);

	words_charset(w, name);
	c = charset_find(name);
	if (c == NULL) {
		d->is_certain = false;
		c = charset_undeclared();
	}
	d->in_word = true;
	if (!is_adjacent || charset_is_stateful(c) || !charset_same(c, d->charset))
		turn_to(d, c);
	if (d->reader != NULL)
		charset_read(d->reader, d->octets, n);
	if (charset_is_stateful(c) && ends_shifted(d->octets, n))
		d->is_certain = false;
}

static void
decode_plain(struct decoder *d, const char *s, size_t len)
{
	struct charset_sink sink = {put, d};

	if (d->reader != NULL)
		charset_end(d->reader);
	d->in_word = false;
	if (d->plain == NULL)
		d->plain = charset_open(charset_undeclared(), sink);
	if (d->plain == NULL)
		return;
	charset_read(d->plain, s, len);
	charset_end(d->plain);
}

static bool
is_white(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n'))
		s++;
	return s == end;
}

static void
decode(struct decoder *d, const char *s)
{
	const char *end = s + strlen(s), *plain = s;
	bool after_word = false;
	struct encoded_word w;

	while (s < end) {
		bool is_adjacent;

		if (s[0] != '=' || s[1] != '?') {
			s++;
			continue;
		}
		if (!words_find(s, end, &w)) {
			if (find_body(s, end, &w) != NULL)
				d->is_certain = false;
			s++;
			continue;
		}
		is_adjacent = after_word && is_white(plain, s);
		if (!is_adjacent && s > plain)
			decode_plain(d, plain, (size_t)(s - plain));
		decode_word(d, &w, is_adjacent);
		after_word = true;
		plain = s += w.len;
	}
	decode_plain(d, plain, (size_t)(s - plain));
}

const char *
words_decode(struct arena *a, const char *value, bool *is_certain_r)
{
	struct decoder d = {.is_certain = true, .octets = arena_alloc(a, strlen(value) + 1)};
	const char *text = "";

	if (d.octets != NULL)
		decode(&d, value);
	close_reader(&d, &d.reader);
	d.in_word = false;
	if (d.plain == NULL || d.out.failed)
		d.is_certain = false;
	close_reader(&d, &d.plain);
	if (!d.out.failed)
		text = arena_substring(a, text_string(&d.out), d.out.len);
	text_free(&d.out);
	*is_certain_r = d.is_certain && !arena_failed(a);
	return text;
}
