/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Encoded words, and what a display name may pretend. Decoding is never done
 * before an address is parsed, only to see what a person would see.
 */
#include "policy/display.h"

#include <string.h>

#include "base/text.h"
#include "policy/address.h"
#include "policy/words.h"

enum charset { CHARSET_UNKNOWN, CHARSET_ASCII, CHARSET_UTF8, CHARSET_LEGACY, CHARSET_GB18030, CHARSET_ISO2022 };

struct decoder {
	char *out;
	size_t len;
	size_t checked;         /* octets of out before this are known to be what they are */
	bool is_certain;
	bool is_ascii_state;    /* ISO 2022: what follows is ASCII */
	bool is_shifted;        /* ISO 2022: after SO */
	size_t escape;          /* ISO 2022: octets of an escape sequence seen */
	char escape_first;
	bool is_after_lead;     /* GB 18030: within a character */
};

/* Charsets whose ASCII octets are ASCII; a final * stands for anything. */
static const struct {
	const char *pattern;
	enum charset charset;
} charsets[] = {
	{ "utf-8", CHARSET_UTF8 },      { "utf8", CHARSET_UTF8 },
	{ "us-ascii", CHARSET_ASCII },  { "ascii", CHARSET_ASCII },
	{ "iso-8859-*", CHARSET_LEGACY }, { "windows-125*", CHARSET_LEGACY },
	{ "windows-874", CHARSET_LEGACY }, { "cp125*", CHARSET_LEGACY },
	{ "koi8-*", CHARSET_LEGACY },   { "gb2312", CHARSET_LEGACY },
	{ "gbk", CHARSET_LEGACY },      { "gb18030", CHARSET_GB18030 },
	{ "big5", CHARSET_LEGACY },     { "euc-*", CHARSET_LEGACY },
	{ "shift_jis", CHARSET_LEGACY }, { "ks_c_5601-1987", CHARSET_LEGACY },
	{ "iso-2022-*", CHARSET_ISO2022 },
};

static enum charset
find_charset(const struct encoded_word *w)
{
	char name[32];

	words_charset(w, name);
	for (size_t i = 0; name[0] != '\0' && i < sizeof charsets / sizeof charsets[0]; i++)
		if (text_glob(charsets[i].pattern, name))
			return charsets[i].charset;
	return CHARSET_UNKNOWN;
}

static void
start_word(struct decoder *d)
{
	d->is_after_lead = false;
	d->is_ascii_state = true;
	d->is_shifted = false;
	d->escape = 0;
	d->escape_first = '\0';
}

/* Follows the escape sequences; true for an octet that is ASCII. */
static bool
step_iso2022(struct decoder *d, char c)
{
	if (d->escape > 0) {
		bool is_final = d->escape > 1 ? c >= '0' && c <= '~' : c >= '@' && c <= '~';

		if (d->escape == 1)
			d->escape_first = c;
		d->escape++;
		if (is_final) {
			d->escape = 0;
			if (d->escape_first == '(')
				d->is_ascii_state = c == 'B' || c == 'J';
			else if (d->escape_first == '$')
				d->is_ascii_state = false;
		}
		return false;
	}
	if (c == '\033') {
		d->escape = 1;
		return false;
	}
	if (c == '\016' || c == '\017') {
		d->is_shifted = c == '\016';
		return false;
	}
	return d->is_ascii_state && !d->is_shifted;
}

/* Follows the characters; true in one of four octets, which may be any code
 * point of Unicode, also those that turn the reading direction. */
static bool
step_gb18030(struct decoder *d, char c)
{
	bool is_second = d->is_after_lead;

	d->is_after_lead = !is_second && (unsigned char)c >= 0x81;
	return is_second && text_is_digit(c);
}

/* One decoded octet. */
static void
put(struct decoder *d, enum charset charset, char c)
{
	if (charset == CHARSET_ISO2022 && !step_iso2022(d, c))
		return;
	if (charset == CHARSET_GB18030 && step_gb18030(d, c))
		d->is_certain = false;
	if ((unsigned char)c < 0x20 || c == 0x7f) {
		if (c != '\t')
			d->is_certain = false;
		c = ' ';
	}
	if (charset == CHARSET_ASCII && (unsigned char)c >= 0x80)
		d->is_certain = false;
	d->out[d->len++] = c;
}

/* All since the last check must be UTF-8. */
static void
check_utf8(struct decoder *d)
{
	if (!text_is_utf8(d->out + d->checked, d->len - d->checked))
		d->is_certain = false;
	d->checked = d->len;
}

static void
decode_word(struct decoder *d, const struct encoded_word *w)
{
	enum charset charset = find_charset(w);
	bool is_utf8 = charset == CHARSET_UTF8 || charset == CHARSET_ASCII;
	/* No octet makes more than one of output: they wait where it will stand. */
	const char *octets = d->out + d->len;
	size_t n;

	if (charset == CHARSET_UNKNOWN)
		d->is_certain = false;
	if (!is_utf8)
		check_utf8(d);
	start_word(d);
	n = words_octets(w, d->out + d->len, &d->is_certain);
	for (size_t i = 0; i < n; i++)
		put(d, charset, octets[i]);
	if (d->escape > 0)
		d->is_certain = false;
	if (!is_utf8)
		d->checked = d->len;
}

void
display_decode(struct arena *a, const char *raw, size_t len, struct display *r)
{
	struct decoder d = { .out = arena_alloc(a, len + 1), .is_certain = true };
	const char *s = raw, *end = raw + len;
	struct encoded_word w;

	r->text = "";
	r->has_encoded_word = false;
	r->is_certain = false;
	if (d.out == NULL)
		return;
	while (s < end) {
		bool is_mark = end - s >= 2 && s[0] == '=' && s[1] == '?';
		const char *next;

		if (!is_mark || !words_find(s, end, &w)) {
			d.is_certain = d.is_certain && !is_mark;
			d.out[d.len++] = *s++;
			continue;
		}
		r->has_encoded_word = true;
		decode_word(&d, &w);
		s += w.len;
		/* White space between two encoded words is not shown. */
		for (next = s; next < end && (*next == ' ' || *next == '\t'); next++)
			;
		if (end - next >= 2 && next[0] == '=' && next[1] == '?')
			s = next;
	}
	check_utf8(&d);
	d.out[d.len] = '\0';
	r->text = d.out;
	r->is_certain = d.is_certain;
}

/* The octets of an at sign at s, also of its wide and small forms; 0 for none. */
static size_t
at_sign(const char *s)
{
	if (*s == '@')
		return 1;
	return strncmp(s, "\xef\xbc\xa0", 3) == 0 || strncmp(s, "\xef\xb9\xab", 3) == 0 ? 3 : 0;
}

static bool
is_domain_octet(char c)
{
	return (unsigned char)c >= 0x80 || text_is_alpha(c) || text_is_digit(c) || c == '-' ||
	       c == '.' || c == '_';
}

static bool
is_local_octet(char c)
{
	return is_domain_octet(c) || (c != '\0' && strchr("!#$%&'*+/=?^`{|}~", c) != NULL);
}

/* The code point that a wide, small or ideographic form stands for. */
static int32_t
narrow(int32_t c)
{
	if (c >= 0xFF01 && c <= 0xFF5E)
		return c - 0xFEE0;
	return c == 0x3002 || c == 0xFF61 || c == 0xFE52 ? '.' : c;
}

/* A copy of len octets with narrow forms, ending where `is_domain` and one
 * comes that no domain has. */
static char *
narrow_copy(struct arena *a, const char *s, size_t len, bool is_domain)
{
	char *r = arena_alloc(a, len + 1);
	size_t n = 0;

	for (size_t i = 0, used; r != NULL && i < len; i += used) {
		int32_t c = narrow(text_utf8_next(s + i, len - i, &used));
		bool is_ascii = c >= 0 && c < 0x80;

		if (is_domain && is_ascii && !is_domain_octet((char)c))
			break;
		if (is_ascii) {
			r[n++] = (char)c;
		} else {
			memcpy(r + n, s + i, used);
			n += used;
		}
	}
	return r;
}

/* The dotted domain that begins at s as a reader sees it, or NULL. */
static const char *
dotted_domain(struct arena *a, const char *s)
{
	size_t len = 0;
	char *r;

	while (is_domain_octet(s[len]) && at_sign(s + len) == 0)
		len++;
	r = narrow_copy(a, s, len, true);
	len = r != NULL ? strlen(r) : 0;
	while (len > 0 && (r[len - 1] == '.' || r[len - 1] == '-'))
		r[--len] = '\0';
	return len > 0 && strchr(r + 1, '.') != NULL ? r : NULL;
}

/* Domain and what of the local part stands after the last octet that no local
 * part has, as an address. */
static void
parse_found(struct arena *a, const char *local, const char *domain, struct address *r)
{
	struct address_error error;
	const char *tail = local;
	struct address parsed;

	for (const char *s = local; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80 || !is_local_octet(*s))
			tail = s + 1;
	while (*tail == '.')
		tail++;
	if (address_parse_path(a, arena_printf(a, "%s@%s", tail, domain), false, &parsed, &error) == 0)
		*r = parsed;
}

const char *
address_find_in_text(struct arena *a, const char *text, struct address *r)
{
	const char *start = text;

	memset(r, 0, sizeof *r);
	r->local = r->domain = r->text = "";
	r->is_null = true;
	for (const char *s = text; *s != '\0';) {
		size_t at = at_sign(s);
		const char *local = s, *domain;

		if (at == 0) {
			s++;
			continue;
		}
		while (local > start && is_local_octet(local[-1]))
			local--;
		start = s + at;
		if (local < s && (domain = dotted_domain(a, start)) != NULL &&
		    (local = narrow_copy(a, local, (size_t)(s - local), false)) != NULL) {
			parse_found(a, local, domain, r);
			return start;
		}
		s = start;
	}
	return NULL;
}

/* Overrides, embeddings and isolates. */
static bool
is_bidi_control(int32_t c)
{
	return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* What shows nothing and so may stand unseen within an address. */
static bool
is_invisible(int32_t c)
{
	return c == 0xAD || c == 0x34F || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
	       (c >= 0x2060 && c <= 0x2064) || c == 0xFEFF;
}

bool
address_display_is_hostile(const char *display)
{
	const char *end = display + strlen(display);
	bool in_brackets = false, has_at = false, has_invisible = false;

	for (size_t used; display < end; display += used) {
		int32_t c = text_utf8_next(display, (size_t)(end - display), &used);

		if (is_bidi_control(c))
			return true;
		has_invisible = has_invisible || is_invisible(c);
		if (c == '<' || c == 0xFF1C || c == 0xFE64) {
			in_brackets = true;
		} else if (c == '>') {
			in_brackets = false;
		} else if (at_sign(display) > 0) {
			has_at = true;
			if (in_brackets)
				return true;
		}
	}
	return has_at && has_invisible;
}
