/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Charsets, in pieces of every kind; the octets were made by another
 * implementation (Python's codecs). And transfer encodings the same way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "policy/charset.h"
#include "policy/transfer.h"

#define OCTETS(s) s, sizeof s - 1

struct row {
	const char *name;
	const char *in;
	size_t len;
	const char *out;
	bool is_malformed;
};

static const struct row rows[] = {
	{ "us-ascii", OCTETS("plain"), "plain", false },
	{ "US-ASCII", OCTETS("a\xe9" "b"), "a\xef\xbf\xbd" "b", true },
	{ "utf-8", OCTETS("Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80"), "Zürich € 😀", false },
	{ "utf-8", OCTETS("\xef\xbb\xbfmarked"), "marked", false },
	{ "utf-8", OCTETS("a\xef\xbb\xbf" "b"), "a\xef\xbb\xbf" "b", false },
	{ "utf-8", OCTETS("\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
	  "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", false },
	{ "utf8", OCTETS("a\xc3"), "a\xef\xbf\xbd", true },
	{ "utf-8", OCTETS("\xc3\x28"), "\xef\xbf\xbd(", true },
	{ "utf-8", OCTETS("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd", true },         /* overlong '/' */
	{ "utf-8", OCTETS("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", true }, /* a surrogate */
	{ "utf-8", OCTETS("\xf5\x80" "a"), "\xef\xbf\xbd\xef\xbf\xbd" "a", true },
	{ "utf-16", OCTETS("\xff\xfe" "a\0\xfc\0"), "aü", false },
	{ "utf-16", OCTETS("\xfe\xff\0a\0\xfc"), "aü", false },
	{ "utf-16", OCTETS("\0a\0\xfc"), "aü", true },                            /* no byte order mark */
	{ "utf-16le", OCTETS("a\0\xfc\0\xac\x20\x3d\xd8\0\xde"), "aü€😀", false },
	{ "utf-16be", OCTETS("\0a\0\xfc\x20\xac\xd8\x3d\xde\0"), "aü€😀", false },
	{ "utf-16be", OCTETS("\xd8\0\xdc\0\xdb\xff\xdf\xff\xd7\xff\xe0\0"),
	  "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", false },
	{ "utf-16be", OCTETS("\xfe\xff\0a"), "a", false },
	{ "utf-16le", OCTETS("\xfe\xff" "a\0"), "\xef\xbf\xbd" "a", true },        /* the other byte order */
	{ "utf-16be", OCTETS("\xd8\x3d\0a"), "\xef\xbf\xbd" "a", true },           /* half a pair */
	{ "utf-16be", OCTETS("\xde\0\0a"), "\xef\xbf\xbd" "a", true },
	{ "utf-16be", OCTETS("\0a\0"), "a\xef\xbf\xbd", true },
	{ "utf-16be", OCTETS("\0a\xd8\x3d\xde"), "a\xef\xbf\xbd", true },
	{ "utf-32le", OCTETS("a\0\0\0\0\xf6\x01\0"), "a😀", false },
	{ "utf-32", OCTETS("\0\0\xfe\xff\0\0\0a"), "a", false },
	{ "utf-32be", OCTETS("\0\x11\0\0\0\0\xd8\0"), "\xef\xbf\xbd\xef\xbf\xbd", true },
	{ "utf-32be", OCTETS("\0\0\xdf\xff\0\0\xe0\0"), "\xef\xbf\xbd\xee\x80\x80", true },
	{ "", OCTETS("Z\xfcrich\x80"), "Zürich€", false },
	{ "", OCTETS("Z\xc3\xbcrich"), "Zürich", false },
	{ "", OCTETS("\xc3\xbc \xfc"), "ü ü", true },                             /* both at once */
	{ "", OCTETS("end \xe2\x82"), "end â‚", false },
	{ "unknown-8bit", OCTETS("\xfc"), "ü", false },
	{ "iso-8859-1", OCTETS("\xfc\x80\x81"), "ü€\xc2\x81", false },
	{ "windows-1252", OCTETS("\x93\xfc\x94"), "“ü”", false },
	{ "iso-8859-2", OCTETS("\xa3\xf3" "d\xbc"), "Łódź", false },
	{ "ISO_8859-5", OCTETS("\xbf\xe0\xd8\xd2\xd5\xe2"), "Привет", false },
	{ "iso8859-7", OCTETS("\xc1\xe8\xde\xed\xe1"), "Αθήνα", false },
	{ "iso-8859-8-i", OCTETS("\xf9\xec\xe5\xed"), "שלום", false },
	{ "iso-8859-9", OCTETS("I\xf0" "d\xfdr"), "Iğdır", false },
	{ "iso-8859-15", OCTETS("5 \xa4"), "5 €", false },
	{ "windows-1250", OCTETS("\x8elu\x9d"), "Žluť", false },
	{ "cp1251", OCTETS("\xcf\xf0\xe8\xe2\xe5\xf2"), "Привет", false },
	{ "x-cp1251", OCTETS("\xcf\xf0\xe8\xe2\xe5\xf2"), "Привет", false },
	{ "windows-1253", OCTETS("\xc1\xe8\xde\xed\xe1"), "Αθήνα", false },
	{ "windows-1256", OCTETS("\xd3\xe1\xc7\xe3"), "سلام", false },
	{ "windows-1257", OCTETS("\xd0\xed\xfbnis"), "Šķūnis", false },
	{ "windows-874", OCTETS("\xe4\xb7\xc2"), "ไทย", false },
	{ "TIS-620", OCTETS("\xe4\xb7\xc2"), "ไทย", false },
	{ "koi8-r", OCTETS("\xf0\xd2\xc9\xd7\xc5\xd4"), "Привет", false },
	{ "KOI8-U", OCTETS("\xb7\xd6\xc1\xcb"), "Їжак", false },
	{ "gb2312", OCTETS("\xd6\xd0\xce\xc4"), "中文", false },
	{ "gb2312", OCTETS("\xe9" "F"), "镕", false },                             /* GBK under the old name */
	{ "gb18030", OCTETS("\xd6\xd0\x95\x32\x82\x36"), "中𠀀", false },
	{ "gb18030", OCTETS("a\x95\x32\x82"), "a\xef\xbf\xbd", true },
	{ "big5", OCTETS("\xc1" "c\xc5\xe9"), "繁體", false },
	{ "big5", OCTETS("a\xff" "b\xc1"), "a\xef\xbf\xbd" "b\xef\xbf\xbd", true },
	{ "windows-1253", OCTETS("a\xd2" "b"), "a\xef\xbf\xbd" "b", true },
	{ "euc-jp", OCTETS("\xc6\xfc\xff\xcb\xdc"), "日\xef\xbf\xbd本", true },
	{ "euc-jp", OCTETS("\xc6\xfc\xcb\xdc\xb8\xec"), "日本語", false },
	{ "shift_jis", OCTETS("\x93\xfa\x96{\x8c\xea\x87@"), "日本語①", false },
	{ "x-sjis", OCTETS("\xc3\xbd\xc4"), "ﾃｽﾄ", false },
	{ "euc-kr", OCTETS("\xc7\xd1\xb1\xb9\xbe\xee"), "한국어", false },
	{ "ks_c_5601-1987", OCTETS("\xbe\xee\x8c" "c"), "어똠", false },
	{ "macintosh", OCTETS("Z\x9frich"), "Zürich", false },
	{ "cp437", OCTETS("Z\x81rich"), "Zürich", false },
	{ "cp850", OCTETS("Z\x81rich"), "Zürich", false },
	{ "cp866", OCTETS("\x8f\xe0\xa8\xa2\xa5\xe2"), "Привет", false },
	{ "iso-2022-jp", OCTETS("ab\x1b$BF|K\\8l\x1b(Bcd"), "ab日本語cd", false },
	{ "iso-2022-jp", OCTETS("a\x1b$BF|K"), "a日\xef\xbf\xbd", true },
	{ "iso-2022-jp", OCTETS("a\x1b$BK\\|\x1b(Bb"), "a本\xef\xbf\xbd" "b", true },
	{ "iso-2022-kr", OCTETS("\x1b$)Cab\x0eGQ19>n\x0f" "cd"), "ab한국어cd", false },
};

static const char *const unknown[] = {
	"utf-7", "unicode-1-1-utf-7", "x-utf-7", "iso-2022-cn-ext", "utf-8//IGNORE", "ucs-2", "cp", "x-", "utf-8 ",
	"iso-8859-12", "none", "a-name-that-is-longer-than-any-charset-has",
};

static void
add(void *context, const char *s, size_t len)
{
	if (len == 0 || !text_is_utf8(s, len))
		fail_msg("a piece that is no text");
	text_add_octets(context, s, len);
}

static const struct charset *
find(const char *name)
{
	return *name == '\0' ? charset_undeclared() : charset_find(name);
}

static void
check(const struct row *row, const struct text *t, bool is_malformed, size_t cut)
{
	if (strcmp(text_string(t), row->out) != 0)
		fail_msg("%s cut at %zu: \"%s\", not \"%s\"", row->name, cut, text_string(t), row->out);
	if (is_malformed != row->is_malformed)
		fail_msg("%s \"%s\" cut at %zu: malformed %d", row->name, row->out, cut, is_malformed);
}

static void
test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];

		assert_non_null(find(row->name));
		for (size_t cut = 0; cut <= row->len; cut++) {
			struct text t = {0};
			struct charset_reader *r = charset_open(find(row->name), (struct charset_sink){add, &t});

			assert_non_null(r);
			charset_read(r, row->in, cut);
			charset_read(r, row->in + cut, row->len - cut);
			charset_end(r);
			check(row, &t, charset_has_malformed(r), cut);
			charset_close(&r);
			text_free(&t);
		}
	}
}

/* Twice through one reader, octet by octet: charset_end() leaves it as new. */
static void
test_octets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		struct text t = {0};
		struct charset_reader *r = charset_open(find(row->name), (struct charset_sink){add, &t});

		for (int twice = 0; twice < 2; twice++) {
			text_clear(&t);
			for (size_t k = 0; k < row->len; k++)
				charset_read(r, row->in + k, 1);
			charset_end(r);
			check(row, &t, charset_has_malformed(r), row->len);
		}
		charset_close(&r);
		text_free(&t);
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		if (charset_find(unknown[i]) != NULL)
			fail_msg("%s is known", unknown[i]);
	assert_true(charset_same(charset_find("GBK"), charset_find("gb18030")));
	assert_true(charset_same(charset_find("latin1"), charset_find("cp1252")));
	assert_false(charset_same(charset_find("utf-16le"), charset_find("utf-16be")));
	assert_false(charset_same(charset_find("koi8-r"), charset_find("koi8-u")));
	assert_false(charset_same(charset_find("utf-8"), charset_undeclared()));
}

/* Longer than what any reader holds at once. */
static void
test_long(void **state)
{
	static const struct {
		const char *name, *octets, *text;
	} units[] = {
		{ "utf-8", "x\xe2\x82\xac", "x€" }, { "koi8-r", "x\xf0\xd2", "xПр" },
		{ "us-ascii", "The quick brown fox", "The quick brown fox" }, { "shift_jis", "x\x93\xfa\x96{", "x日本" }, { "iso-8859-1", "x\xfc", "xü" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		struct text in = {0}, want = {0}, t = {0};
		struct charset_reader *r = charset_open(find(units[i].name), (struct charset_sink){add, &t});

		while (in.len < 20000) {
			text_add(&in, units[i].octets);
			text_add(&want, units[i].text);
		}
		charset_read(r, in.s, in.len);
		charset_end(r);
		assert_string_equal(text_string(&t), want.s);
		assert_false(charset_has_malformed(r));
		charset_close(&r);
		text_free(&in);
		text_free(&want);
		text_free(&t);
	}
}

static const struct row encoded[] = {
	{ "base64", OCTETS("QUJD\r\nREU=\r\n"), "ABCDE", false },
	{ "base64", OCTETS("QUJDRA=="), "ABCD", false },
	{ "Base64", OCTETS("Q U\tJ\nD"), "ABC", false },
	{ "base64", OCTETS(""), "", false },
	{ "base64", OCTETS("QUJDRA"), "ABCD", true },
	{ "base64", OCTETS("QUJDR"), "ABC", true },
	{ "base64", OCTETS("QUJDRB=="), "ABCD", true },           /* bits left over */
	{ "base64", OCTETS("QU.JD"), "ABC", true },
	{ "base64", OCTETS("QQ==\r\nQkM="), "ABC", true },         /* one after the other */
	{ "base64", OCTETS("QQ=QkM="), "ABC", true },
	{ "base64", OCTETS("QUJD===="), "ABC", true },
	{ "base64", OCTETS("QUJD="), "ABC", true },
	{ "base64", OCTETS("QUJDQQ==\r\nfoot"), "ABCA\x7e\x8a-", true },   /* a list's */
	{ "quoted-printable", OCTETS("a=3Db=C3=bc"), "a=bü", false },
	{ "quoted-printable", OCTETS("SEC=\r\nRET"), "SECRET", false },
	{ "quoted-printable", OCTETS("SEC= \t\r\nRET"), "SECRET", false },
	{ "quoted-printable", OCTETS("SEC=\nRET"), "SECRET", false },
	{ "quoted-printable", OCTETS("a \t \r\nb  c \n"), "a\r\nb  c\n", false },
	{ "quoted-printable", OCTETS("a ="), "a ", false },
	{ "quoted-printable", OCTETS("a  "), "a", false },
	{ "quoted-printable", OCTETS("a=20\r\n"), "a \r\n", false },
	{ "quoted-printable", OCTETS("a=G1=1"), "a=G1=1", true },
	{ "quoted-printable", OCTETS("a=1G"), "a=1G", true },
	{ "quoted-printable", OCTETS("a==3D"), "a==", true },
	{ "quoted-printable", OCTETS("a= b"), "a= b", true },
	{ "quoted-printable", OCTETS("a= \rb"), "a=\rb", true },
	{ "quoted-printable", OCTETS("a=\r=3D"), "a=\r=", true },
	{ "quoted-printable", OCTETS("\xfc"), "\xfc", true },
	{ "quoted-printable", OCTETS("a\x01"), "a\x01", true },
	{ "8BIT", OCTETS("a=3D \xfc "), "a=3D \xfc ", false },
	{ "7bit", OCTETS("QUJD"), "QUJD", false },
	{ "binary", OCTETS("QUJD"), "QUJD", false },
	{ "x-uuencode", OCTETS("#86)C"), "#86)C", true },
};

static void
test_transfer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof encoded / sizeof encoded[0]; i++) {
		const struct row *row = &encoded[i];

		for (size_t cut = 0; cut <= row->len; cut++) {
			struct transfer d;
			struct text t = {0};
			char out[256];

			transfer_start(&d, transfer_find(row->name));
			text_add_octets(&t, out, transfer_decode(&d, row->in, cut, out));
			for (size_t k = cut; k < row->len; k++)
				text_add_octets(&t, out, transfer_decode(&d, row->in + k, 1, out));
			text_add_octets(&t, out, transfer_end(&d, out));
			check(row, &t, d.is_malformed, cut);
			text_free(&t);
		}
	}
}

/* White space that may end a line is kept back, but not for ever. */
static void
test_blanks(void **state)
{
	static char in[1000], out[sizeof in + TRANSFER_HELD + 2];
	struct transfer d;
	size_t n;

	(void)state;
	memset(in, ' ', sizeof in);
	transfer_start(&d, TRANSFER_QUOTED_PRINTABLE);
	n = transfer_decode(&d, in, sizeof in, out);
	assert_true(n >= sizeof in - TRANSFER_HELD);
	assert_int_equal(n + transfer_decode(&d, "x", 1, out), sizeof in + 1);
	assert_false(d.is_malformed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
