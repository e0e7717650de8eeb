/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Display names: what a reader sees, whether that is certain, and the
 * addresses that a reader finds in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/address.h"
#include "policy/display.h"

#define AT_WIDE "\xef\xbc\xa0"       /* U+FF20 */
#define AT_SMALL "\xef\xb9\xab"      /* U+FE6B */
#define STOP_WIDE "\xef\xbc\x8e"     /* U+FF0E */
#define STOP_IDEOGRAPHIC "\xe3\x80\x82" /* U+3002 */
#define STOP_HALF "\xef\xbd\xa1"     /* U+FF61 */
#define STOP_SMALL "\xef\xb9\x92"    /* U+FE52 */
#define O_UMLAUT "\xc3\xb6"          /* U+00F6 */
#define KANJI "\xe6\x97\xa5"         /* U+65E5 */
#define ZERO_WIDTH "\xe2\x80\x8b"    /* U+200B */
#define OVERRIDE "\xe2\x80\xae"      /* U+202E */

static const struct {
	const char *in;
	const char *text;       /* NULL: any */
	bool has_word;
	bool is_certain;
} rows[] = {
	/* Text that is no encoded word stays. */
	{ "", "", false, true },
	{ "CRM of Contoso = ?", "CRM of Contoso = ?", false, true },
	{ "J" O_UMLAUT "rg", "J" O_UMLAUT "rg", false, true },
	{ "J\xf6rg", "J\xf6rg", false, false },
	{ "\xc0\xbc", "\xc0\xbc", false, false },

	/* Both encodings, in either case. */
	{ "=?utf-8?q?J=C3=B6rg?=", "J" O_UMLAUT "rg", true, true },
	{ "=?UTF-8?Q?J=c3=b6rg?=", "J" O_UMLAUT "rg", true, true },
	{ "=?utf-8?B?SsO2cmc=?=", "J" O_UMLAUT "rg", true, true },
	{ "=?utf-8?b?YQ==?=", "a", true, true },
	{ "=?utf-8?b?YWI=?=", "ab", true, true },
	{ "=?utf-8?b?YWJj?=", "abc", true, true },
	{ "=?utf-8?b?/+8=?=", "\xff\xef", true, false },
	{ "=?utf-8?q?a_b=5Fc?=", "a b_c", true, true },
	{ "=?utf-8?q?a=40b.com?=", "a@b.com", true, true },
	{ "=?utf-8?q?=3Ca=40b.com=3E?=", "<a@b.com>", true, true },
	{ "=?utf-8?q?" "?=", "", true, true },
	{ "=?utf-8?b?" "?=", "", true, true },

	/* Charsets. */
	{ "=?us-ascii?q?a?=", "a", true, true },
	{ "=?us-ascii?q?=C3=B6?=", O_UMLAUT, true, false },
	{ "=?utf-8*de?q?a?=", "a", true, true },
	{ "=?utf8?q?=F6?=", "\xf6", true, false },
	{ "=?iso-8859-1?q?J=F6rg?=", "J\xf6rg", true, true },
	{ "=?ISO-8859-15*de?q?J=F6rg?=", "J\xf6rg", true, true },
	{ "=?windows-1252?q?=93a=94?=", "\x93" "a\x94", true, true },
	{ "=?koi8-r?q?=C1?=", "\xc1", true, true },
	{ "=?gb2312?b?1tDOxA==?=", "\xd6\xd0\xce\xc4", true, true },
	{ "=?gb18030?b?1tDOxDEy?=", "\xd6\xd0\xce\xc4" "12", true, true },
	{ "=?gb18030?q?=81=81=811?=", NULL, true, false },
	{ "=?gb18030?b?Y3JtgTanMW1vYw==?=", NULL, true, false },
	{ "=?utf-7?q?+ADw-a?=", "+ADw-a", true, false },
	{ "=?utf-16?b?AGE=?=", " a", true, false },
	{ "=?utf-16be?q?a?=", "a", true, false },
	{ "=?x-unknown?q?a?=", "a", true, false },
	{ "=?iso-8859-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?q?a?=", "a", true, false },

	/* Words beside each other and beside text. */
	{ "=?utf-8?q?a?= =?utf-8?q?b?=", "ab", true, true },
	{ "=?utf-8?q?a?= \t =?utf-8?b?Yg==?=", "ab", true, true },
	{ "=?utf-8?q?a?==?utf-8?q?b?=", "ab", true, true },
	{ "=?utf-8?q?a?= b", "a b", true, true },
	{ "a =?utf-8?q?b?=", "a b", true, true },
	{ "x=?utf-8?q?a?=y", "xay", true, true },
	{ "=?utf-8?q?a_?= =?utf-8?q?b?=", "a b", true, true },
	{ "=?utf-8?q?=C3?= =?utf-8?q?=B6?=", O_UMLAUT, true, true },
	{ "=?utf-8?q?=C3?= =?iso-8859-1?q?=B6?=", O_UMLAUT, true, false },
	{ "=?iso-8859-1?q?=C3?= =?utf-8?q?=B6?=", O_UMLAUT, true, false },
	{ "=?utf-8?q?=C3?= \xb6", "\xc3 \xb6", true, false },
	{ "=?iso-8859-1?q?=F6?= J" O_UMLAUT, "\xf6 J" O_UMLAUT, true, true },
	{ "=?iso-8859-1?q?=F6?= =?utf-8?q?=C3=B6?=", "\xf6" O_UMLAUT, true, true },

	/* Malformed words are shown as they are, and not certain. */
	{ "=?", "=?", false, false },
	{ "=?utf-8?q?a", "=?utf-8?q?a", false, false },
	{ "=?utf-8?q?a?", "=?utf-8?q?a?", false, false },
	{ "=?utf-8?q?a b?=", "=?utf-8?q?a b?=", false, false },
	{ "=?utf-8?q?" O_UMLAUT "?=", "=?utf-8?q?" O_UMLAUT "?=", false, false },
	{ "=?utf-8?x?a?=", "=?utf-8?x?a?=", false, false },
	{ "=?utf-8?qq?a?=", "=?utf-8?qq?a?=", false, false },
	{ "=??q?a?=", "=??q?a?=", false, false },
	{ "=?utf 8?q?a?=", "=?utf 8?q?a?=", false, false },
	{ "=?utf-8?q?a?= =?utf-8", "a=?utf-8", true, false },
	{ "=?utf-8?q?a=?=", "a=", true, false },
	{ "=?utf-8?q?a=4?=", "a=4", true, false },
	{ "=?utf-8?q?=4g?=", "=4g", true, false },
	{ "=?utf-8?b?YQ?=", "a", true, false },
	{ "=?utf-8?b?YR==?=", "a", true, false },
	{ "=?utf-8?b?YWJ=?=", "ab", true, false },
	{ "=?utf-8?b?Y===?=", "", true, false },
	{ "=?utf-8?b?Y!Q==?=", "a", true, false },
	{ "=?utf-8?b?YWI=gICA?=", NULL, true, false },

	/* Controls become spaces; a tab is no harm. */
	{ "=?utf-8?q?a=0D=0Ab?=", "a  b", true, false },
	{ "=?utf-8?q?a=00b?=", "a b", true, false },
	{ "=?utf-8?b?YX9i?=", "a b", true, false },
	{ "=?utf-8?q?a=1Bb?=", "a b", true, false },
	{ "=?utf-8?q?a=09b?=", "a b", true, true },

	/* ISO 2022: only what is in ASCII is kept. */
	{ "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "", true, true },
	{ "=?iso-2022-jp?q?a=1B$BF|=1B(Bb?=", "ab", true, true },
	{ "=?iso-2022-jp?q?=1B(Ja=40b?=", "a@b", true, true },
	{ "=?iso-2022-jp?q?a=1B(I=40=1B(Bb?=", "ab", true, true },
	{ "=?iso-2022-jp?q?a=1B$(D=40=40=1B(Bb?=", "ab", true, true },
	{ "=?iso-2022-jp?q?a=1B$=40=30=40=1B(Bb?=", "ab", true, true },
	{ "=?iso-2022-kr?q?a=0E=40=40=0Fb?=", "ab", true, true },
	{ "=?iso-2022-jp?q?=1B$B=30?= =?iso-2022-jp?q?ab?=", "ab", true, true },
	{ "=?iso-2022-jp?q?a=1B?=", "a", true, false },
	{ "=?iso-2022-jp?q?a=1B$?=", "a", true, false },
	{ "=?iso-2022-jp?q?a=0Ab?=", "a b", true, false },
};

static void
test_decode(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct display d;

		display_decode(a, rows[i].in, strlen(rows[i].in), &d);
		if (rows[i].text != NULL && strcmp(d.text, rows[i].text) != 0)
			fail_msg("\"%s\" reads \"%s\"", rows[i].in, d.text);
		if (d.has_encoded_word != rows[i].has_word || d.is_certain != rows[i].is_certain)
			fail_msg("\"%s\": word %d, certain %d", rows[i].in, d.has_encoded_word,
				 d.is_certain);
	}
	arena_free(&a);
}

/* Only the octets given are read. */
static void
test_length(void **state)
{
	static const char word[] = "=?utf-8?q?ab?=";
	struct arena *a = arena_new(0);
	struct display d;

	(void)state;
	for (size_t len = 2; len < sizeof word - 1; len++) {
		display_decode(a, word, len, &d);
		assert_int_equal(strlen(d.text), len);
		assert_false(d.has_encoded_word);
		assert_false(d.is_certain);
	}
	display_decode(a, word, sizeof word - 1, &d);
	assert_string_equal(d.text, "ab");
	arena_free(&a);
}

/* Names, quotes and comments of a field, as struct mailbox shows them. */
static void
test_mailbox(void **state)
{
	static const struct {
		const char *in;
		const char *display;
		bool is_certain;
	} fields[] = {
		{ "crm@contoso.com", "", true },
		{ " CRM <crm@contoso.com>", "CRM", true },
		{ "\"CRM, \\\"x\\\"\" <crm@contoso.com>", "CRM, \"x\"", true },
		{ "\"=?utf-8?q?a=40b?=\" <crm@contoso.com>", "a@b", true },
		{ "=?utf-8?q?a?=\r\n =?utf-8?q?b?= <crm@contoso.com>", "ab", true },
		{ "crm@contoso.com (via =?utf-8?q?c=40d?=)", "(via c@d)", true },
		{ "A (b)\r\n C <crm@contoso.com> (d)", "A (b) C  (d)", true },
		{ "=?utf-7?q?a?= <crm@contoso.com>", "a", false },
		{ "\xf6 <crm@contoso.com>", "\xf6", false },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		struct mailbox m;
		struct address_error e;

		if (address_parse_mailbox(a, fields[i].in, &m, &e) != 0)
			fail_msg("\"%s\": %s", fields[i].in, e.what);
		assert_string_equal(m.address.text, "crm@contoso.com");
		assert_string_equal(m.display, fields[i].display);
		if (m.display_is_certain != fields[i].is_certain)
			fail_msg("\"%s\": certain %d", fields[i].in, m.display_is_certain);
	}
	arena_free(&a);
}

/* All finds with a space before each; ? is one that is no address for certain. */
static const char *
finds(struct arena *a, const char *text)
{
	const char *r = "", *rest = text;
	struct address found;

	while ((rest = address_find_in_text(a, rest, &found)) != NULL) {
		assert_true(rest > text && rest <= text + strlen(text));
		r = arena_printf(a, "%s %s", r, found.is_null ? "?" : found.text);
	}
	assert_true(found.is_null);
	return r;
}

static void
test_find(void **state)
{
	static const char *const texts[][2] = {
		{ "", "" },
		{ "CRM", "" },
		{ "@", "" },
		{ "@@@", "" },
		{ "a@b", "" },
		{ "a@b.", "" },
		{ "a@.com", "" },
		{ "a @ b.com", "" },
		{ "@b.com", "" },
		{ "meet @ 5.pm", "" },
		{ "crm@contoso.com", " crm@contoso.com" },
		{ "CRM@Contoso.COM", " CRM@contoso.com" },
		{ "via <crm@contoso.com>, x", " crm@contoso.com" },
		{ "(crm@contoso.com)", " crm@contoso.com" },
		{ "see crm@contoso.com.", " crm@contoso.com" },
		{ "a@b.com, c+d@e.co.uk", " a@b.com c+d@e.co.uk" },
		{ "a@b.com@c.com", " a@b.com b.com@c.com" },
		{ "a..b@c.com", " ?" },
		{ "a@b..com", " ?" },
		{ "a@10.1.2.3", " ?" },
		{ "a@b_c.com", " ?" },

		/* Forms that look like an at sign or a dot, and wide letters. */
		{ "ceo" AT_WIDE "contoso.com", " ceo@contoso.com" },
		{ "ceo" AT_SMALL "contoso.com", " ceo@contoso.com" },
		{ "ceo@contoso" STOP_WIDE "com", " ceo@contoso.com" },
		{ "ceo@contoso" STOP_IDEOGRAPHIC "com", " ceo@contoso.com" },
		{ "ceo@contoso" STOP_HALF "com", " ceo@contoso.com" },
		{ "ceo@contoso" STOP_SMALL "com", " ceo@contoso.com" },
		{ "ceo@contoso.com" STOP_IDEOGRAPHIC, " ceo@contoso.com" },
		{ "ceo@contoso.com\xef\xbc\x8c" KANJI, " ceo@contoso.com" }, /* a wide comma */
		{ "\xef\xbd\x83\xef\xbd\x85\xef\xbd\x8f" AT_WIDE "\xef\xbd\x81" STOP_WIDE
		  "\xef\xbd\x82\xef\xbd\x83", " ceo@a.bc" },
		{ "@" AT_WIDE "@", "" },

		/* Letters of other scripts around. */
		{ "ceo@m" O_UMLAUT "nch.example", " ceo@xn--mnch-5qa.example" },
		{ KANJI "ceo@contoso.com", " ceo@contoso.com" },
		{ KANJI STOP_IDEOGRAPHIC "ceo@contoso.com", " ceo@contoso.com" },
		{ KANJI "@contoso.com", " ?" },
		{ "\xff" "ceo@contoso.com", " ceo@contoso.com" },
		{ "ceo@\xff.com", " ?" },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *found = finds(a, texts[i][0]);

		if (strcmp(found, texts[i][1]) != 0)
			fail_msg("\"%s\":%s, not%s", texts[i][0], found, texts[i][1]);
	}
	arena_free(&a);
}

static void
test_hostile(void **state)
{
	static const struct {
		const char *in;
		bool is_hostile;
	} names[] = {
		{ "", false },
		{ "CRM", false },
		{ "crm@contoso.com", false },
		{ "crm@contoso.com <", false },
		{ "<CRM> crm@contoso.com", false },
		{ "a < b > c@d", false },
		{ "<crm@contoso.com>", true },
		{ "a <b> <c@d", true },
		{ "<ceo" AT_WIDE "contoso.com", true },
		{ "<ceo" AT_SMALL "contoso.com", true },
		{ "\xef\xbc\x9c" "ceo@contoso.com", true }, /* U+FF1C */
		{ "\xef\xb9\xa4" "ceo@contoso.com", true }, /* U+FE64 */
		{ OVERRIDE "mrc", true },
		{ "\xe2\x80\xa9 CRM", false }, /* U+2029, before the range */
		{ "\xe2\x80\xaa CRM", true },
		{ "\xe2\x80\xaf CRM", false },
		{ "\xe2\x81\xa5 CRM", false },
		{ "\xe2\x81\xa6 CRM", true },
		{ "\xe2\x81\xa9 CRM", true },
		{ "\xe2\x81\xaa CRM", false },
		{ "CR" ZERO_WIDTH "M", false },
		{ "ceo@con" ZERO_WIDTH "toso.com", true },
		{ "\xc2\xad" "ceo@contoso.com", true },     /* U+00AD */
		{ "ceo@contoso.com \xef\xbb\xbf", true },   /* U+FEFF */
		{ "\xff\xfe <a@b", true },
		{ "\xff\xfe", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (address_display_is_hostile(names[i].in) != names[i].is_hostile)
			fail_msg("\"%s\" is %s", names[i].in, names[i].is_hostile ? "hostile" : "not hostile");
}

/* 60 kB of one thing are read, and soon. */
static void
test_long(void **state)
{
	static const char *const units[] = { "=?", "a@", "a@b.c", "=?utf-8?q?a?=", " =?utf-8?b?a", "@.", AT_WIDE };
	static char s[60001];

	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		struct arena *a = arena_new(32u << 20);
		struct display d;
		struct address found;
		const char *rest;

		for (size_t k = 0; k < sizeof s - 1; k++)
			s[k] = units[i][k % strlen(units[i])];
		display_decode(a, s, sizeof s - 1, &d);
		for (rest = s; rest != NULL;)
			rest = address_find_in_text(a, rest, &found);
		assert_false(arena_failed(a));
		arena_free(&a);
	}
}

static void
test_no_memory(void **state)
{
	struct arena *a = arena_new(8);
	struct display d;
	struct address found;

	(void)state;
	display_decode(a, "a long enough name", 18, &d);
	assert_string_equal(d.text, "");
	assert_false(d.is_certain);
	(void)address_find_in_text(a, "ceo@contoso.com", &found);
	assert_true(found.is_null);
	assert_true(arena_failed(a));
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
