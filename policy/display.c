/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * RFC 2047 encoded words decoded as far as ASCII goes: enough to see an address
 * that a display name would show. Charsets that keep ASCII octets as they are
 * are read as octets; what is not among them is not certain.
 */
#include "policy/display.h"

#include <string.h>


#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

/* Charsets in which every ASCII octet outside a multi-octet character means
 * itself; a final * stands for any tail. */
static const char *const ascii_compatible[] = {
	"utf-8", "us-ascii", "iso-8859-*", "windows-125*", "windows-874", "cp125*", "koi8-*", "gb2312", "gbk",
	"gb18030", "big5*", "euc-*", "shift_jis", "shift-jis", "ks_c_5601-1987", "tis-620", "macintosh",
	"iso-2022-*",
};

static bool
charset_is_known(const char *charset)
{
	for (size_t i = 0; i < COUNT_OF(ascii_compatible); i++)
		if (text_glob(ascii_compatible[i], charset))
			return true;
	return false;
}

static int
hex(char c)
{
	if (text_is_digit(c))
		return c - '0';
	c = text_lower_char(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
decode_q(const char *s, const char *end, struct text *out)
{
	for (; s < end; s++) {
		if (*s == '_') {
			text_add_char(out, ' ');
		} else if (*s != '=') {
			text_add_char(out, *s);
		} else {
			if (end - s < 3 || hex(s[1]) < 0 || hex(s[2]) < 0)
				return false;
			text_add_char(out, (char)(hex(s[1]) * 16 + hex(s[2])));
			s += 2;
		}
	}
	return true;
}

static int
base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c == '\0' ? NULL : strchr(digits, c);

	return p == NULL ? -1 : (int)(p - digits);
}

static bool
decode_b(const char *s, const char *end, struct text *out)
{
	unsigned bits = 0, n = 0;

	for (; s < end && *s != '='; s++) {
		int v = base64_value(*s);

		if (v < 0)
			return false;
		bits = (bits << 6 | (unsigned)v) & 0xffff;
		n += 6;
		if (n >= 8) {
			n -= 8;
			text_add_char(out, (char)(bits >> n & 0xff));
		}
	}
	while (s < end && *s == '=')
		s++;
	return s == end;
}

/* ISO 2022: only what stands in the ASCII state is ASCII. */
static void
keep_ascii_state(struct text *t)
{
	bool ascii = true;
	size_t k = 0;

	for (size_t i = 0; i < t->len; i++) {
		if (t->s[i] == 0x1b && i + 2 < t->len) {
			ascii = t->s[i + 1] == '(' && (t->s[i + 2] == 'B' || t->s[i + 2] == 'J');
			i += 2;
		} else if (ascii) {
			t->s[k++] = t->s[i];
		}
	}
	t->len = k;
	if (t->s != NULL)
		t->s[k] = '\0';
}

/* Decodes the encoded word at s ("=?..."); returns its end, or NULL when it is
 * malformed or cannot be read for certain. */
static const char *
encoded_word(struct arena *a, const char *s, const char *end, struct text *out)
{
	const char *charset = s + 2, *q1, *q2, *stop, *star;
	struct text word = {0};
	const char *name;
	bool ok;

	q1 = memchr(charset, '?', (size_t)(end - charset));
	q2 = q1 == NULL || end - q1 < 3 ? NULL : q1 + 2;
	if (q2 == NULL || *q2 != '?')
		return NULL;
	stop = memchr(q2 + 1, '?', (size_t)(end - q2 - 1));
	if (stop == NULL || stop + 1 >= end || stop[1] != '=')
		return NULL;
	star = memchr(charset, '*', (size_t)(q1 - charset)); /* RFC 2231: a language behind it */
	name = arena_lower(a, charset, (size_t)((star == NULL ? q1 : star) - charset));
	ok = charset_is_known(name);
	if (text_lower_char(q1[1]) == 'q')
		ok = ok && decode_q(q2 + 1, stop, &word);
	else if (text_lower_char(q1[1]) == 'b')
		ok = ok && decode_b(q2 + 1, stop, &word);
	else
		ok = false;
	if (ok && text_has_prefix(name, "iso-2022-"))
		keep_ascii_state(&word);
	if (ok && strcmp(name, "utf-8") == 0)
		ok = text_is_utf8(text_string(&word), word.len);
	if (ok && memchr(text_string(&word), '\0', word.len) != NULL)
		ok = false;
	if (ok)
		text_add_octets(out, text_string(&word), word.len);
	text_free(&word);
	return ok ? stop + 2 : NULL;
}

static bool
only_spaces(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	return s == end;
}

void
display_read(struct arena *a, const struct text *raw, struct mailbox *m)
{
	const char *s = text_string(raw), *end = s + raw->len, *plain = s;
	struct text out = {0};
	bool after_word = false;

	m->display_is_certain = !raw->failed && text_is_utf8(s, raw->len);
	for (const char *p = s; p < end;) {
		const char *next;

		if (p[0] != '=' || p + 1 >= end || p[1] != '?') {
			p++;
			continue;
		}
		/* White space between two encoded words is not shown. */
		if (!after_word || !only_spaces(plain, p))
			text_add_octets(&out, plain, (size_t)(p - plain));
		m->has_encoded_word = true;
		next = encoded_word(a, p, end, &out);
		if (next == NULL) {
			m->display_is_certain = false;
			plain = p;
			break;
		}
		p = plain = next;
		after_word = true;
	}
	text_add_octets(&out, plain, (size_t)(end - plain));
	m->display = arena_string(a, text_string(&out) + strspn(text_string(&out), " "));
	if (out.failed)
		m->display_is_certain = false;
	text_free(&out);
}

static bool
is_local_octet(char c)
{
	return text_is_alpha(c) || text_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

const char *
address_find_in_text(struct arena *a, const char *text, struct address *r)
{
	const char *at = strchr(text, '@');

	for (; at != NULL; at = strchr(at + 1, '@')) {
		const char *s = at, *e = at + 1;
		struct address_error error;

		while (s > text && at - s < 64 && is_local_octet(s[-1]))
			s--;
		while (e - at < 255 && (text_is_alpha(*e) || text_is_digit(*e) || *e == '-' || *e == '.'))
			e++;
		while (e > at + 1 && (e[-1] == '.' || e[-1] == '-'))
			e--;
		if (s == at || memchr(at, '.', (size_t)(e - at)) == NULL)
			continue;
		if (address_parse_path(a, arena_substring(a, s, (size_t)(e - s)), false, r, &error) != 0)
			*r = (struct address){.local = "", .domain = "", .text = "", .is_null = true};
		return e;
	}
	return NULL;
}

bool
address_display_is_hostile(const char *display)
{
	bool in_angle = false;

	for (size_t i = 0, n = strlen(display), used; i < n; i += used) {
		int32_t c = text_utf8_next(display + i, n - i, &used);

		if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
			return true;
		if (c == '<')
			in_angle = true;
		else if (c == '>')
			in_angle = false;
		else if (c == '@' && in_angle)
			return true;
	}
	return false;
}
