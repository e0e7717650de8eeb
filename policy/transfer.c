/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See transfer.h. Four symbols of base64 and runs of plain quoted-printable
 * are taken at once, all else octet by octet.
 */
#include "policy/transfer.h"

#include <string.h>

#include "base/text.h"

/* After '=': nothing, one digit, white space, CR. */
enum { QP_TEXT, QP_EQUALS, QP_DIGIT, QP_BLANKS, QP_CR };

/* What symbol() says of octets that are no symbol of base64. */
enum { SYMBOLS = 64, PAD, SPACE, STRAY };

enum transfer_encoding
transfer_find(const char *name)
{
	if (text_same(name, "7bit") || text_same(name, "8bit") || text_same(name, "binary"))
		return TRANSFER_IDENTITY;
	if (text_same(name, "quoted-printable"))
		return TRANSFER_QUOTED_PRINTABLE;
	return text_same(name, "base64") ? TRANSFER_BASE64 : TRANSFER_UNKNOWN;
}

void
transfer_start(struct transfer *t, enum transfer_encoding encoding)
{
	memset(t, 0, sizeof *t);
	t->encoding = encoding;
	t->is_malformed = encoding == TRANSFER_UNKNOWN;
}

int
transfer_hex(char c)
{
	c = text_lower_char(c);
	if (text_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline unsigned
symbol(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0' + 52);
	if (c == '+' || c == '/')
		return c == '+' ? 62 : 63;
	if (c == '=')
		return PAD;
	return c == '\r' || c == '\n' || c == ' ' || c == '\t' ? SPACE : STRAY;
}

/* One octet of base64; returns how many came out. */
static size_t
base64_octet(struct transfer *t, char c, char *out)
{
	unsigned v = symbol(c);

	if (v == SPACE)
		return 0;
	if (v == STRAY) {
		t->is_malformed = true;
		return 0;
	}
	t->n_symbols++;
	if (v == PAD) {
		t->padding++;
		return 0;
	}
	if (t->padding > 0) {
		t->is_malformed = true;
		t->padding = 0;
		t->n_bits = 0;
	}
	t->bits = (t->bits << 6 | v) & 0xffffffu;
	t->n_bits += 6;
	if (t->n_bits < 8)
		return 0;
	t->n_bits -= 8;
	*out = (char)(unsigned char)(t->bits >> t->n_bits & 0xffu);
	return 1;
}

static size_t
base64_decode(struct transfer *t, const char *s, size_t len, char *out)
{
	size_t n = 0, i = 0;

	while (i < len) {
		while (len - i >= 4 && t->n_bits == 0 && t->padding == 0) {
			unsigned a = symbol(s[i]), b = symbol(s[i + 1]);
			unsigned c = symbol(s[i + 2]), d = symbol(s[i + 3]);
			uint32_t bits = a << 18 | b << 12 | c << 6 | d;

			if ((a | b | c | d) >= SYMBOLS)
				break;
			out[n++] = (char)(unsigned char)(bits >> 16 & 0xffu);
			out[n++] = (char)(unsigned char)(bits >> 8 & 0xffu);
			out[n++] = (char)(unsigned char)(bits & 0xffu);
			t->n_symbols += 4;
			i += 4;
		}
		if (i < len)
			n += base64_octet(t, s[i++], out + n);
	}
	return n;
}

/* Hands out what was kept back. */
static size_t
qp_release(struct transfer *t, char *out)
{
	size_t n = t->n_held;

	memcpy(out, t->held, n);
	t->n_held = 0;
	return n;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
qp_hold(struct transfer *t, char c, char *out, size_t *n)
{
	if (t->n_held == TRANSFER_HELD)
		*n += qp_release(t, out + *n);
	t->held[t->n_held++] = c;
}

/* One octet where no '=' came before it. */
static void
qp_text(struct transfer *t, char c, char *out, size_t *n)
{
	if (is_blank(c)) {
		qp_hold(t, c, out, n);
		return;
	}
	if (c == '\r' || c == '\n')
		t->n_held = 0;
	else
		*n += qp_release(t, out + *n);
	if (c == '=') {
		t->state = QP_EQUALS;
		return;
	}
	if ((unsigned char)c > '~' || ((unsigned char)c < ' ' && c != '\r' && c != '\n'))
		t->is_malformed = true;
	out[(*n)++] = c;
}

/* What came after the '=' encodes nothing: it stays as it is. */
static void
qp_literal(struct transfer *t, char c, char *out, size_t *n)
{
	t->is_malformed = true;
	out[(*n)++] = '=';
	if (t->state == QP_DIGIT)
		out[(*n)++] = t->digit;
	if (t->state == QP_CR) {
		t->n_held = 0;
		out[(*n)++] = '\r';
	}
	t->state = QP_TEXT;
	qp_text(t, c, out, n);
}

/* One octet after an '=' (RFC 2045 section 6.7, rules 1 and 5). */
static void
qp_escape(struct transfer *t, char c, char *out, size_t *n)
{
	int digit = transfer_hex(c);
	bool may_end = t->state == QP_EQUALS || t->state == QP_BLANKS;

	if (t->state == QP_EQUALS && digit >= 0) {
		t->state = QP_DIGIT;
		t->digit = c;
	} else if (t->state == QP_DIGIT && digit >= 0) {
		t->state = QP_TEXT;
		out[(*n)++] = (char)(unsigned char)(transfer_hex(t->digit) * 16 + digit);
	} else if (t->state != QP_DIGIT && c == '\n') {
		t->state = QP_TEXT;
		t->n_held = 0;
	} else if (may_end && c == '\r') {
		t->state = QP_CR;
	} else if (may_end && is_blank(c) && t->n_held < TRANSFER_HELD) {
		t->state = QP_BLANKS;
		t->held[t->n_held++] = c;
	} else {
		qp_literal(t, c, out, n);
	}
}

static size_t
qp_decode(struct transfer *t, const char *s, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		size_t run = 0;

		if (t->state != QP_TEXT) {
			qp_escape(t, s[i], out, &n);
			continue;
		}
		while (i + run < len && s[i + run] > ' ' && s[i + run] <= '~' && s[i + run] != '=')
			run++;
		if (run == 0) {
			qp_text(t, s[i], out, &n);
			continue;
		}
		n += qp_release(t, out + n);
		memcpy(out + n, s + i, run);
		n += run;
		i += run - 1;
	}
	return n;
}

size_t
transfer_decode(struct transfer *t, const char *s, size_t len, char *out)
{
	if (t->encoding == TRANSFER_BASE64)
		return base64_decode(t, s, len, out);
	if (t->encoding == TRANSFER_QUOTED_PRINTABLE)
		return qp_decode(t, s, len, out);
	if (len > 0)
		memcpy(out, s, len);
	return len;
}

size_t
transfer_end(struct transfer *t, char *out)
{
	size_t n = 0;

	if (t->encoding == TRANSFER_BASE64 &&
	    (t->n_symbols % 4 != 0 || t->padding > 2 || (t->bits & ((1u << t->n_bits) - 1)) != 0))
		t->is_malformed = true;
	if (t->encoding == TRANSFER_QUOTED_PRINTABLE && t->state == QP_DIGIT) {
		t->is_malformed = true;
		out[n++] = '=';
		out[n++] = t->digit;
	}
	return n;
}
