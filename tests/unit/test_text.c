/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Growing text, comparisons that know ASCII only, UTF-8, numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"
#include "base/text.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

static void
test_growing(void **state)
{
	struct text t = {0};

	(void)state;
	assert_string_equal(text_string(&t), "");
	text_add(&t, "a");
	text_add_char(&t, 'b');
	text_add_octets(&t, "c\0d", 3);
	text_add_octets(&t, "", 0);
	text_printf(&t, "%s-%d", "e", 12);
	assert_int_equal(t.len, 9);
	assert_memory_equal(text_string(&t), "abc\0de-12", 10);
	text_clear(&t);
	assert_string_equal(text_string(&t), "");
	for (int i = 0; i < 1000; i++)
		text_printf(&t, "%03d", i);
	assert_int_equal(strlen(text_string(&t)), 3000);
	assert_memory_equal(text_string(&t) + 2997, "999", 4);
	assert_false(t.failed);
	text_free(&t);
	assert_null(t.s);
	assert_int_equal(t.len, 0);
	text_printf(&t, "%200s", "x");
	assert_int_equal(t.len, 200);
	text_free(&t);
}

/* Once short of memory, it stays marked, and takes no more, until it is cleared. */
static void
test_failure(void **state)
{
	struct text t = {0};

	(void)state;
	text_add(&t, "abc");
	text_add_octets(&t, "", SIZE_MAX / 2);
	assert_true(t.failed);
	text_add(&t, "d");
	text_printf(&t, "%d", 1);
	assert_true(t.failed);
	assert_string_equal(text_string(&t), "abc");
	text_clear(&t);
	assert_false(t.failed);
	text_add(&t, "d");
	assert_string_equal(text_string(&t), "d");
	text_free(&t);
}

static void
test_compare(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} rows[] = {
		{ "", "", 0 },       { "a", "", 1 },         { "Abc", "aBC", 0 },
		{ "abc", "abd", -1 }, { "ABC", "abd", -1 },   { "abc", "abcd", -1 },
		{ "[", "a", -1 },    { "Z", "[", 1 },        { "_", "A", -1 },
		{ "\xe4", "\xc4", 1 }, { "z", "\x80", -1 },   { "@", "`", -1 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		assert_int_equal(text_compare(rows[i].a, rows[i].b), rows[i].order);
		assert_int_equal(text_compare(rows[i].b, rows[i].a), -rows[i].order);
		assert_true(text_same(rows[i].a, rows[i].b) == (rows[i].order == 0));
	}
	assert_true(text_same_n("abcX", "ABCy", 3));
	assert_false(text_same_n("abcX", "ABCy", 4));
	assert_true(text_same_n("ab", "ab", 10));
	assert_false(text_same_n("ab", "abc", 10));
	assert_true(text_has_prefix("Resent-From", "resent-"));
	assert_true(text_has_prefix("x", ""));
	assert_false(text_has_prefix("Resent", "Resent-"));
}

static void
test_glob(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool matches;
	} rows[] = {
		{ "", "", true },           { "", "a", false },         { "a", "", false },
		{ "*", "", true },          { "**", "", true },         { "*", "anything", true },
		{ "abc", "ABC", true },     { "ABC", "abc", true },     { "abc", "abcd", false },
		{ "abcd", "abc", false },   { "a*", "a", true },        { "a*", "abc", true },
		{ "a*", "ba", false },      { "*c", "abc", true },      { "*c", "abcd", false },
		{ "a*c", "ac", true },      { "a*c", "abcbc", true },   { "a*c", "abcb", false },
		{ "*b*", "abc", true },     { "*b*", "ac", false },     { "a*b*c", "axbxbxc", true },
		{ "a*b*c", "axcxb", false }, { "*aab", "aaaab", true }, { "*ab*ab", "ab", false },
		{ "a?c", "abc", false },    { "a?c", "a?c", true },     { "[a]", "a", false },
		{ "a*", "A*", true },       { "*\xe4", "\xc4", false }, { "\\*", "\\x", true },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		if (text_glob(rows[i].pattern, rows[i].s) != rows[i].matches)
			fail_msg("\"%s\" %s \"%s\"", rows[i].pattern,
				 rows[i].matches ? "does not match" : "matches", rows[i].s);
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *s;
		size_t len;
		int32_t code;
	} rows[] = {
		{ "", 1, 0 },
		{ "a", 1, 'a' },
		{ "\x7f", 1, 0x7f },
		{ "\xc2\x80", 2, 0x80 },
		{ "\xc3\xb6", 2, 0xf6 },
		{ "\xdf\xbf", 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 0x800 },
		{ "\xed\x9f\xbf", 3, 0xd7ff },
		{ "\xee\x80\x80", 3, 0xe000 },
		{ "\xef\xbf\xbf", 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
		/* Overlong, surrogates, too great, cut, no lead. */
		{ "\xc0\x80", 2, -1 },
		{ "\xc1\xbf", 2, -1 },
		{ "\xe0\x9f\xbf", 3, -1 },
		{ "\xf0\x8f\xbf\xbf", 4, -1 },
		{ "\xed\xa0\x80", 3, -1 },
		{ "\xed\xbf\xbf", 3, -1 },
		{ "\xf4\x90\x80\x80", 4, -1 },
		{ "\xf5\x80\x80\x80", 4, -1 },
		{ "\xf8\x88\x80\x80", 4, -1 },
		{ "\xff", 1, -1 },
		{ "\x80", 1, -1 },
		{ "\xc3", 1, -1 },
		{ "\xc3\xb6", 1, -1 },
		{ "\xe0\xa0\x80", 2, -1 },
		{ "\xf0\x90\x80\x80", 3, -1 },
		{ "\xc3\x28", 2, -1 },
		{ "\xe0\xa0\x28", 3, -1 },
		{ "\xe0\xa0\xc0", 3, -1 },
		{ "\xf0\x90\x80\x28", 4, -1 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		size_t used = 99, len = rows[i].len;
		int32_t code = text_utf8_next(rows[i].s, len, &used);

		if (code != rows[i].code || used != (code < 0 ? 1 : len))
			fail_msg("row %zu: %d, %zu octets", i, (int)code, used);
		assert_true(text_is_utf8(rows[i].s, len) == (code >= 0));
	}
	assert_true(text_is_utf8("", 0));
	assert_true(text_is_utf8("a\xc3\xb6z\xe0\xa0\x80", 7));
	assert_false(text_is_utf8("a\xc3\xb6z\xe0\xa0\x80", 6));
	assert_false(text_is_utf8("a\xb6z", 3));
}

static void
test_nearest(void **state)
{
	static const char *const list[] = {
		"clients", "logins", "certificates", "method", "senders", "limits", "owner", "mode",
		"a-word-of-more-than-sixty-four-octets-is-never-the-nearest-one-to-anything",
	};
	static const char *const rows[][2] = {
		{ "clients", "clients" },   { "client", "clients" },   { "cleints", "clients" },
		{ "CLIENTS", "clients" },   { "metod", "method" },     { "mod", "mode" },
		{ "sender", "senders" },    { "limit", "limits" },     { "certificate", "certificates" },
		{ "certificats", "certificates" }, { "x", NULL },      { "", NULL },
		{ "moxx", "mode" },         { "mxxx", NULL },          { "qlimints", "limits" },
		{ "quarantine", NULL },     { "lxxxxs", NULL },
		{ "a-word-of-more-than-sixty-four-octets-is-never-the-nearest-one-to-anything", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const char *found = text_nearest(rows[i][0], list, LENGTH(list));

		if (rows[i][1] == NULL ? found != NULL : found == NULL || strcmp(found, rows[i][1]) != 0)
			fail_msg("\"%s\": %s", rows[i][0], found == NULL ? "none" : found);
	}
	assert_null(text_nearest("clients", list, 0));
	assert_string_equal(text_nearest("mozz", (const char *const[]){ "moab", "mocd" }, 2), "moab");
}

static void
test_to_u64(void **state)
{
	static const struct {
		const char *s;
		int rc;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "7", 0, 7 },
		{ "007", 0, 7 },
		{ "18446744073709551609", 0, UINT64_MAX - 6 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -1, 0 },
		{ "18446744073709551620", -1, 0 },
		{ "99999999999999999999", -1, 0 },
		{ "184467440737095516150", -1, 0 },
		{ "", -1, 0 },
		{ " 1", -1, 0 },
		{ "1 ", -1, 0 },
		{ "+1", -1, 0 },
		{ "-1", -1, 0 },
		{ "1.0", -1, 0 },
		{ "0x10", -1, 0 },
		{ "1e3", -1, 0 },
		{ "/", -1, 0 },
		{ ":", -1, 0 },
		{ "\xb2", -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint64_t value = 42;

		if (text_to_u64(rows[i].s, &value) != rows[i].rc)
			fail_msg("\"%s\"", rows[i].s);
		assert_true(value == (rows[i].rc == 0 ? rows[i].value : 42));
	}
}

/* What somebody else wrote, as a log line's value, on one line and on several. */
static void
test_printable(void **state)
{
	static const struct {
		const char *s, *value, *line, *lines;
	} rows[] = {
		{ "plain", "plain", "plain", "plain" },
		{ "", "\"\"", "", "" },
		{ "a b=\"c\\", "\"a b=\\\"c\\\\\"", "a b=\"c\\", "a b=\"c\\" },
		{ "Größe", "\"Größe\"", "Größe", "Größe" },
		{ "\x1b[2J", "\"\\u{1b}[2J\"", "\\u{1b}[2J", "\\u{1b}[2J" },
		{ "a\n\tb\r", "\"a\\u{a}\\u{9}b\\u{d}\"", "a\\u{a}\\u{9}b\\u{d}", "a\n\tb\\u{d}" },
		{ "\xc2\x9b" "1m", "\"\\u{9b}1m\"", "\\u{9b}1m", "\\u{9b}1m" },
		{ "x\xe2\x80\xaey", "\"x\\u{202e}y\"", "x\\u{202e}y", "x\\u{202e}y" },
		{ "\xc3(\xff", "\"\\xc3(\\xff\"", "\\xc3(\\xff", "\\xc3(\\xff" },
		{ "\x7f", "\"\\u{7f}\"", "\\u{7f}", "\\u{7f}" },
	};
	struct text t = {0};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		printable_add_value(&t, rows[i].s, strlen(rows[i].s));
		assert_string_equal(text_string(&t), rows[i].value);
		text_clear(&t);
		printable_add_line(&t, rows[i].s, strlen(rows[i].s));
		assert_string_equal(text_string(&t), rows[i].line);
		text_clear(&t);
		printable_add_lines(&t, rows[i].s, strlen(rows[i].s));
		assert_string_equal(text_string(&t), rows[i].lines);
		text_clear(&t);
	}
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_to_u64),
		cmocka_unit_test(test_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
