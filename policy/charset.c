/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A table of names, and two ways to read: next_*() for charsets known here,
 * one character at a time and runs of ASCII at once; iconv for the others. No
 * name from a message ever reaches iconv_open(): converters that were never
 * asked for (ISO-2022-CN-EXT and its like) have had holes.
 */
#include "policy/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum kind {
	KIND_ASCII, KIND_UTF8, KIND_UNDECLARED, KIND_1252, KIND_UTF16, KIND_UTF32, KIND_ICONV, KIND_ISO2022,
};
enum order { ORDER_NONE, ORDER_BIG, ORDER_LITTLE };

struct charset {
	const char *alias;      /* lower case, '_' as '-' */
	enum kind kind;
	const char *name;       /* iconv's name, NULL for those read here */
	enum order order;       /* of UTF-16 and UTF-32 */
};

static const struct charset undeclared = { "", KIND_UNDECLARED, NULL, ORDER_NONE };

static const struct charset charsets[] = {
	{ "us-ascii", KIND_ASCII, NULL, ORDER_NONE },
	{ "ascii", KIND_ASCII, NULL, ORDER_NONE },
	{ "ansi-x3.4-1968", KIND_ASCII, NULL, ORDER_NONE },
	{ "iso646-us", KIND_ASCII, NULL, ORDER_NONE },
	{ "utf-8", KIND_UTF8, NULL, ORDER_NONE },
	{ "utf8", KIND_UTF8, NULL, ORDER_NONE },
	{ "unicode-1-1-utf-8", KIND_UTF8, NULL, ORDER_NONE },
	{ "unknown-8bit", KIND_UNDECLARED, NULL, ORDER_NONE }, /* RFC 1428: Sendmail's word for it */
	{ "utf-16", KIND_UTF16, NULL, ORDER_NONE },
	{ "utf-16be", KIND_UTF16, NULL, ORDER_BIG },
	{ "utf-16le", KIND_UTF16, NULL, ORDER_LITTLE },
	{ "utf-32", KIND_UTF32, NULL, ORDER_NONE },
	{ "utf-32be", KIND_UTF32, NULL, ORDER_BIG },
	{ "utf-32le", KIND_UTF32, NULL, ORDER_LITTLE },
	{ "iso-8859-1", KIND_1252, NULL, ORDER_NONE },
	{ "latin1", KIND_1252, NULL, ORDER_NONE },
	{ "windows-1252", KIND_1252, NULL, ORDER_NONE },
	{ "iso-8859-2", KIND_ICONV, "ISO-8859-2", ORDER_NONE },
	{ "latin2", KIND_ICONV, "ISO-8859-2", ORDER_NONE },
	{ "iso-8859-3", KIND_ICONV, "ISO-8859-3", ORDER_NONE },
	{ "iso-8859-4", KIND_ICONV, "ISO-8859-4", ORDER_NONE },
	{ "iso-8859-5", KIND_ICONV, "ISO-8859-5", ORDER_NONE },
	{ "iso-8859-6", KIND_ICONV, "ISO-8859-6", ORDER_NONE },
	{ "iso-8859-7", KIND_ICONV, "ISO-8859-7", ORDER_NONE },
	{ "iso-8859-8", KIND_ICONV, "ISO-8859-8", ORDER_NONE },
	{ "iso-8859-8-i", KIND_ICONV, "ISO-8859-8", ORDER_NONE },
	{ "iso-8859-9", KIND_ICONV, "WINDOWS-1254", ORDER_NONE },
	{ "iso-8859-10", KIND_ICONV, "ISO-8859-10", ORDER_NONE },
	{ "iso-8859-11", KIND_ICONV, "CP874", ORDER_NONE },
	{ "iso-8859-13", KIND_ICONV, "ISO-8859-13", ORDER_NONE },
	{ "iso-8859-14", KIND_ICONV, "ISO-8859-14", ORDER_NONE },
	{ "iso-8859-15", KIND_ICONV, "ISO-8859-15", ORDER_NONE },
	{ "latin-9", KIND_ICONV, "ISO-8859-15", ORDER_NONE },
	{ "iso-8859-16", KIND_ICONV, "ISO-8859-16", ORDER_NONE },
	{ "windows-1250", KIND_ICONV, "WINDOWS-1250", ORDER_NONE },
	{ "windows-1251", KIND_ICONV, "WINDOWS-1251", ORDER_NONE },
	{ "windows-1253", KIND_ICONV, "WINDOWS-1253", ORDER_NONE },
	{ "windows-1254", KIND_ICONV, "WINDOWS-1254", ORDER_NONE },
	{ "windows-1255", KIND_ICONV, "WINDOWS-1255", ORDER_NONE },
	{ "windows-1256", KIND_ICONV, "WINDOWS-1256", ORDER_NONE },
	{ "windows-1257", KIND_ICONV, "WINDOWS-1257", ORDER_NONE },
	{ "windows-1258", KIND_ICONV, "WINDOWS-1258", ORDER_NONE },
	{ "windows-874", KIND_ICONV, "CP874", ORDER_NONE },
	{ "tis-620", KIND_ICONV, "CP874", ORDER_NONE },
	{ "koi8-r", KIND_ICONV, "KOI8-R", ORDER_NONE },
	{ "koi8-u", KIND_ICONV, "KOI8-U", ORDER_NONE },
	{ "macintosh", KIND_ICONV, "MACINTOSH", ORDER_NONE },
	{ "mac-roman", KIND_ICONV, "MACINTOSH", ORDER_NONE },
	{ "ibm437", KIND_ICONV, "IBM437", ORDER_NONE },
	{ "ibm850", KIND_ICONV, "IBM850", ORDER_NONE },
	{ "ibm852", KIND_ICONV, "IBM852", ORDER_NONE },
	{ "ibm866", KIND_ICONV, "IBM866", ORDER_NONE },
	{ "gb2312", KIND_ICONV, "GB18030", ORDER_NONE },
	{ "euc-cn", KIND_ICONV, "GB18030", ORDER_NONE },
	{ "gbk", KIND_ICONV, "GB18030", ORDER_NONE },
	{ "windows-936", KIND_ICONV, "GB18030", ORDER_NONE },
	{ "gb18030", KIND_ICONV, "GB18030", ORDER_NONE },
	{ "big5", KIND_ICONV, "BIG5", ORDER_NONE },
	{ "windows-950", KIND_ICONV, "BIG5", ORDER_NONE },
	{ "big5-hkscs", KIND_ICONV, "BIG5-HKSCS", ORDER_NONE },
	{ "euc-tw", KIND_ICONV, "EUC-TW", ORDER_NONE },
	{ "shift-jis", KIND_ICONV, "CP932", ORDER_NONE },
	{ "sjis", KIND_ICONV, "CP932", ORDER_NONE },
	{ "windows-31j", KIND_ICONV, "CP932", ORDER_NONE },
	{ "windows-932", KIND_ICONV, "CP932", ORDER_NONE },
	{ "euc-jp", KIND_ICONV, "EUC-JP", ORDER_NONE },
	{ "euc-kr", KIND_ICONV, "CP949", ORDER_NONE },
	{ "ks-c-5601-1987", KIND_ICONV, "CP949", ORDER_NONE },
	{ "windows-949", KIND_ICONV, "CP949", ORDER_NONE },
	{ "iso-2022-jp", KIND_ISO2022, "ISO-2022-JP", ORDER_NONE },
	{ "iso-2022-jp-1", KIND_ISO2022, "ISO-2022-JP-1", ORDER_NONE },
	{ "iso-2022-jp-2", KIND_ISO2022, "ISO-2022-JP-2", ORDER_NONE },
	{ "iso-2022-kr", KIND_ISO2022, "ISO-2022-KR", ORDER_NONE },
};

/* Prefixes that stand for another one. */
static const struct {
	const char *from, *to;
} spellings[] = {
	{ "x-", "" }, { "cp125", "windows-125" }, { "cp9", "windows-9" }, { "cp874", "windows-874" },
	{ "cp", "ibm" }, { "ms9", "windows-9" }, { "win-125", "windows-125" }, { "iso8859-", "iso-8859-" },
};

#define REPLACEMENT 0xfffd
#define PENDING_MAX 16u

struct charset_reader {
	const struct charset *charset;
	struct charset_sink sink;
	iconv_t cd;
	enum order order;       /* found out by a byte order mark */
	bool has_started;       /* text has been put */
	bool has_malformed;
	bool has_utf8, has_other; /* in undeclared text */
	char pending[PENDING_MAX]; /* the start of a character */
	size_t n_pending;
	char out[4096];
	size_t n_out;
};

/* windows-1252 from 0x80 to 0x9f; what is not assigned stays a control. */
static const uint16_t upper_1252[32] = {
	0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160,
	0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
};

static void
spell(const char *name, char r[32])
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
		if (!text_has_prefix(name, spellings[i].from))
			continue;
		name += strlen(spellings[i].from);
		n = strlen(spellings[i].to);
		memcpy(r, spellings[i].to, n);
		if (n > 0)
			break;
	}
	for (; *name != '\0' && n < 31; name++)
		r[n++] = *name == '_' ? '-' : text_lower_char(*name);
	r[*name == '\0' ? n : 0] = '\0';
}

const struct charset *
charset_find(const char *name)
{
	char alias[32];

	for (size_t i = 0; i < sizeof charsets / sizeof charsets[0]; i++)
		if (text_same(charsets[i].alias, name))
			return &charsets[i];
	spell(name, alias);
	for (size_t i = 0; i < sizeof charsets / sizeof charsets[0]; i++)
		if (strcmp(charsets[i].alias, alias) == 0)
			return &charsets[i];
	return NULL;
}

const struct charset *
charset_undeclared(void)
{
	return &undeclared;
}

bool
charset_is_ascii(const struct charset *c)
{
	return c->kind == KIND_ASCII;
}

bool
charset_is_wide(const struct charset *c)
{
	return c->kind == KIND_UTF16 || c->kind == KIND_UTF32;
}

bool
charset_is_stateful(const struct charset *c)
{
	return c->kind == KIND_ISO2022;
}

bool
charset_same(const struct charset *a, const struct charset *b)
{
	return a->kind == b->kind && a->order == b->order &&
	       (a->name == b->name || (a->name != NULL && b->name != NULL && strcmp(a->name, b->name) == 0));
}

/* A converter of each charset once used stays open: the C library unloads a
 * table that nobody uses, and 60 us to load it again, a thousand times in a
 * message, would be a way to keep us busy. */
static void
keep(const struct charset *c)
{
	static _Atomic(iconv_t) kept[sizeof charsets / sizeof charsets[0]];
	_Atomic(iconv_t) *slot = &kept[c - charsets];
	iconv_t none = NULL, cd;

	if (atomic_load(slot) != NULL)
		return;
	cd = iconv_open("UTF-8", c->name);
	if (cd != (iconv_t)-1 && !atomic_compare_exchange_strong(slot, &none, cd))
		iconv_close(cd);
}

struct charset_reader *
charset_open(const struct charset *c, struct charset_sink sink)
{
	struct charset_reader *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->charset = c;
	r->sink = sink;
	r->order = c->order;
	if (c->name == NULL)
		return r;
	keep(c);
	r->cd = iconv_open("UTF-8", c->name);
	if (r->cd == (iconv_t)-1) {
		free(r);
		return NULL;
	}
	return r;
}

void
charset_close(struct charset_reader **r)
{
	if (*r == NULL)
		return;
	if ((*r)->charset->name != NULL)
		iconv_close((*r)->cd);
	free(*r);
	*r = NULL;
}

/* Hands on what is in `out`, which ends after a whole character. */
static void
flush(struct charset_reader *r)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t skip = 0;

	if (r->n_out == 0)
		return;
	if (!r->has_started && r->n_out >= 3 && memcmp(r->out, mark, 3) == 0)
		skip = 3;
	r->has_started = true;
	if (r->n_out > skip)
		r->sink.put(r->sink.context, r->out + skip, r->n_out - skip);
	r->n_out = 0;
}

static void
put_ascii(struct charset_reader *r, const char *s, size_t len)
{
	while (len > 0) {
		size_t n = sizeof r->out - r->n_out;

		if (n == 0) {
			flush(r);
			continue;
		}
		if (n > len)
			n = len;
		memcpy(r->out + r->n_out, s, n);
		r->n_out += n;
		s += n;
		len -= n;
	}
}

static void
put_code(struct charset_reader *r, int32_t code)
{
	uint32_t c = (uint32_t)code;
	unsigned char *p;

	if (sizeof r->out - r->n_out < 4)
		flush(r);
	p = (unsigned char *)r->out + r->n_out;
	if (c < 0x80) {
		*p++ = (unsigned char)c;
	} else if (c < 0x800) {
		*p++ = (unsigned char)(0xc0 | c >> 6);
		*p++ = (unsigned char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*p++ = (unsigned char)(0xe0 | c >> 12);
		*p++ = (unsigned char)(0x80 | (c >> 6 & 0x3f));
		*p++ = (unsigned char)(0x80 | (c & 0x3f));
	} else {
		*p++ = (unsigned char)(0xf0 | c >> 18);
		*p++ = (unsigned char)(0x80 | (c >> 12 & 0x3f));
		*p++ = (unsigned char)(0x80 | (c >> 6 & 0x3f));
		*p++ = (unsigned char)(0x80 | (c & 0x3f));
	}
	r->n_out = (size_t)((char *)p - r->out);
}

static void
put_malformed(struct charset_reader *r)
{
	r->has_malformed = true;
	put_code(r, REPLACEMENT);
}

static int32_t
code_1252(unsigned char c)
{
	return c >= 0x80 && c <= 0x9f ? upper_1252[c - 0x80] : c;
}

/* The octets of the UTF-8 character that this one begins; 1 where it begins none. */
static size_t
utf8_wants(unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return 1;
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* The next_*() functions: the character at p, its octets in *used_r (0 when
 * more must come first, never so when is_last); -1 for a malformed one. */
static int32_t
next_utf8(struct charset_reader *r, const char *p, size_t len, bool is_last, size_t *used_r)
{
	int32_t code;

	*used_r = 0;
	if (len < utf8_wants((unsigned char)*p) && !is_last)
		return -1;
	code = text_utf8_next(p, len, used_r);
	if (r->charset->kind == KIND_UTF8)
		return code;
	if (code >= 0x80)
		r->has_utf8 = true;
	if (code >= 0)
		return code;
	r->has_other = true;
	return code_1252((unsigned char)*p);
}

/* So many octets in the byte order found. */
static uint32_t
unit(const struct charset_reader *r, const char *s, size_t octets)
{
	uint32_t v = 0;

	for (size_t i = 0; i < octets; i++)
		v = v << 8 | (unsigned char)s[r->order == ORDER_LITTLE ? octets - 1 - i : i];
	return v;
}

static void
find_order(struct charset_reader *r, const char *p, size_t octets)
{
	r->order = ORDER_LITTLE;
	if (unit(r, p, octets) == 0xfeff)
		return;
	r->order = ORDER_BIG;
	if (unit(r, p, octets) != 0xfeff)
		r->has_malformed = true;
}

static int32_t
next_wide(struct charset_reader *r, const char *p, size_t len, bool is_last, size_t *used_r)
{
	size_t octets = r->charset->kind == KIND_UTF16 ? 2 : 4;
	uint32_t high, low;

	*used_r = len < octets ? 0 : octets;
	if (len < octets) {
		if (is_last)
			*used_r = len;
		return -1;
	}
	if (r->order == ORDER_NONE)
		find_order(r, p, octets);
	high = unit(r, p, octets);
	if (high == 0xfffe) /* a byte order mark that contradicts the name */
		return -1;
	if (octets == 4 || high < 0xd800 || high > 0xdfff)
		return high > 0x10ffff || (high >= 0xd800 && high <= 0xdfff) ? -1 : (int32_t)high;
	if (high > 0xdbff)
		return -1;
	if (len < 4) {
		*used_r = is_last ? len : 0;
		return -1;
	}
	low = unit(r, p + 2, 2);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	*used_r = 4;
	return (int32_t)(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
}

static int32_t
next_here(struct charset_reader *r, const char *p, size_t len, bool is_last, size_t *used_r)
{
	switch (r->charset->kind) {
	case KIND_UTF8:
	case KIND_UNDECLARED:
		return next_utf8(r, p, len, is_last, used_r);
	case KIND_UTF16:
	case KIND_UTF32:
		return next_wide(r, p, len, is_last, used_r);
	case KIND_1252:
		*used_r = 1;
		return code_1252((unsigned char)*p);
	default:
		*used_r = 1;
		return (unsigned char)*p < 0x80 ? *p : -1;
	}
}

static size_t
ascii_run(const char *s, size_t len)
{
	size_t n = 0;
	uint64_t eight;

	for (; n + 8 <= len; n += 8) {
		memcpy(&eight, s + n, 8);
		if ((eight & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	while (n < len && (unsigned char)s[n] < 0x80)
		n++;
	return n;
}

/* Reads what can be read; returns how many octets of an unfinished character
 * are left. */
static size_t
read_here(struct charset_reader *r, const char *p, size_t len, bool is_last)
{
	bool has_ascii = !charset_is_wide(r->charset);

	while (len > 0) {
		size_t used = has_ascii ? ascii_run(p, len) : 0;
		int32_t code;

		if (used > 0) {
			put_ascii(r, p, used);
		} else {
			code = next_here(r, p, len, is_last, &used);
			if (used == 0)
				break;
			if (code < 0)
				put_malformed(r);
			else
				put_code(r, code);
		}
		p += used;
		len -= used;
	}
	return len;
}

/* The same by iconv. */
static size_t
read_iconv(struct charset_reader *r, const char *p, size_t len)
{
	while (len > 0) {
		char *in = (char *)(uintptr_t)p, *out = r->out + r->n_out;
		size_t room = sizeof r->out - r->n_out, left = len;
		size_t n = iconv(r->cd, &in, &left, &out, &room);
		int error = n == (size_t)-1 ? errno : 0;

		p = in;
		len = left;
		r->n_out = sizeof r->out - room;
		if (error == E2BIG && r->n_out > 0) {
			flush(r);
		} else if (error == EINVAL) {
			break;
		} else if (error != 0) {
			put_malformed(r);
			p++;
			len--;
		}
	}
	return len;
}

static size_t
read_some(struct charset_reader *r, const char *p, size_t len, bool is_last)
{
	return r->charset->name != NULL ? read_iconv(r, p, len) : read_here(r, p, len, is_last);
}

/* Octets join those pending one by one, until none is. */
static size_t
read_pending(struct charset_reader *r, const char *s, size_t len)
{
	size_t i = 0, left;

	while (r->n_pending > 0 && i < len) {
		r->pending[r->n_pending++] = s[i++];
		left = read_some(r, r->pending, r->n_pending, false);
		if (left == PENDING_MAX) {
			put_malformed(r);
			left--;
		}
		memmove(r->pending, r->pending + (r->n_pending - left), left);
		r->n_pending = left;
	}
	return i;
}

void
charset_read(struct charset_reader *r, const char *s, size_t len)
{
	size_t used = read_pending(r, s, len), left;

	s += used;
	len -= used;
	left = read_some(r, s, len, false);
	while (left >= PENDING_MAX) {
		put_malformed(r);
		left = read_some(r, s + (len - left) + 1, left - 1, false);
	}
	if (left > 0) {
		memcpy(r->pending, s + (len - left), left);
		r->n_pending = left;
	}
	flush(r);
}

static void
end_iconv(struct charset_reader *r)
{
	if (r->n_pending > 0)
		put_malformed(r);
	/* The second time has all the room there is. */
	for (int i = 0; i < 2; i++) {
		char *out = r->out + r->n_out;
		size_t room = sizeof r->out - r->n_out;
		size_t n = iconv(r->cd, NULL, NULL, &out, &room);

		r->n_out = sizeof r->out - room;
		if (n != (size_t)-1)
			break;
		flush(r);
	}
}

void
charset_end(struct charset_reader *r)
{
	if (r->charset->name != NULL)
		end_iconv(r);
	else
		read_here(r, r->pending, r->n_pending, true);
	flush(r);
	r->n_pending = 0;
	r->has_started = false;
	r->order = r->charset->order;
}

bool
charset_has_malformed(const struct charset_reader *r)
{
	return r->has_malformed || (r->has_utf8 && r->has_other);
}
