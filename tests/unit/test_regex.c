/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Regular expressions: what they match as a whole and in pieces cut anywhere, what
 * they refuse, and that no limit that is hit looks like "no".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/regex-private.h"

/* A clock that moves `step` each time it is asked. */
struct clock {
	int64_t now;
	int64_t step;
	unsigned asked;
};

static int64_t
tick(void *context)
{
	struct clock *c = context;

	c->asked++;
	c->now += c->step;
	return c->now;
}

static struct clock stopped;
static const struct regex_budget unlimited = { tick, &stopped, 1 };

static const struct regex_how hows[] = {
	{ .steps = 1000000, .slice = 1024, .capacity = 16384, .capacity_max = 524288 },
	{ .steps = 10000, .slice = 8, .capacity = 64, .capacity_max = 1024 },
	{ .no_jit = true, .steps = 10000, .slice = 8, .capacity = 64, .capacity_max = 1024 },
	{ .always_careful = true, .steps = 10000, .slice = 8, .capacity = 64, .capacity_max = 1024 },
};
#define HOWS (sizeof hows / sizeof hows[0])

static struct regex *
make(const char *pattern, const char *flags, const struct regex_how *how)
{
	char error[160];
	size_t column;
	struct regex *r = regex_compile(pattern, flags, how, &column, error, sizeof error);

	if (r == NULL)
		fail_msg("/%s/%s: column %zu: %s", pattern, flags, column, error);
	return r;
}

/* The text in three pieces, or with cut = 0 in single octets. */
static enum found
stream(const struct regex *r, const char *s, size_t len, size_t cut, size_t again)
{
	struct arena *a = arena_new(0);
	struct regex_scan *scan = regex_scan_new(a, r, &unlimited);
	enum found found;

	if (cut == 0) {
		for (size_t i = 0; i < len; i++)
			regex_scan_add(scan, s + i, 1);
	} else {
		regex_scan_add(scan, s, cut - 1);
		regex_scan_add(scan, s + cut - 1, again - cut);
		regex_scan_add(scan, s + again - 1, len + 1 - again);
	}
	found = regex_scan_end(scan);
	assert_int_equal(regex_scan_end(scan), found);
	regex_scan_free(&scan);
	arena_free(&a);
	return found;
}

#define T(s) s, sizeof s - 1
static const struct {
	const char *pattern, *flags, *text;
	size_t len;
	enum found found;
} rows[] = {
	{ "payroll", "i", T("the PayRoll of May"), FOUND_YES },
	{ "payroll", "", T("the PayRoll of May"), FOUND_NO },
	{ "\\bpay\\b", "", T("repay payroll pay"), FOUND_YES },
	{ "\\bpay\\b", "", T("repay payroll"), FOUND_NO },
	{ "\\bpay\\b", "", T("pay\xc3\xa9"), FOUND_NO },
	{ "\\b\xc3\xbc" "bung\\b", "i", T("eine \xc3\x9c" "bung"), FOUND_YES },
	{ "pay\\B", "", T("a pay, a pay."), FOUND_NO },
	/* True starts and ends. */
	{ "^abc", "", T("abc abc"), FOUND_YES },
	{ "^abc", "", T("xabc\nabc abc"), FOUND_NO },
	{ "\\Aabc", "m", T(" abc\nabc"), FOUND_NO },
	{ "^abc", "m", T("xabc\nabc"), FOUND_YES },
	{ "^abc", "m", T("xabc\r\nabc"), FOUND_YES },
	{ "^abc", "m", T("xabc\nxabc abc"), FOUND_NO },
	{ "abc$", "", T("abc abc"), FOUND_YES },
	{ "abc$", "", T("abc abc\r\n"), FOUND_YES },
	{ "abc\\z", "", T("abc abc\n"), FOUND_NO },
	{ "abc$", "", T("abc\nabcx"), FOUND_NO },
	{ "abc$", "m", T("abc\r\nabcx"), FOUND_YES },
	{ "^.*$", "", T("a\rb"), FOUND_NO },
	{ "\\A(?:a\\R)+\\z", "", T("a\r\na\na\r"), FOUND_YES },
	{ "a\\r\\nb", "", T("xa\r\nb"), FOUND_YES },
	/* PCRE2 does not begin a match within CRLF. */
	{ "[^X]A", "", T("b\r\nAb"), FOUND_NO },
	{ "[^X\\n]A", "", T("b\r\rA"), FOUND_YES },
	/* It does where it skipped the CR as no possible start. */
	{ "[\\x09-\\x0c]A", "", T("b\r\nAb"), FOUND_YES },
	/* Looking about. */
	{ "(?<=ab)c", "", T("xxabc"), FOUND_YES },
	{ "(?<!ab)c", "", T("xxabc"), FOUND_NO },
	{ "(?<=a.{9})z", "s", T("aa123456789z"), FOUND_YES },
	{ "(?<=(?<!b)a)c", "", T("bac"), FOUND_NO },
	{ "(?<=(?<=(?<=x)yy)zz)c", "", T("12345678901234567890123456789012345678901234567890xyyzzc"), FOUND_YES },
	{ "(?<=\\A..)c", "", T("abbc"), FOUND_NO },
	{ "(?<!^..)c", "", T("abc"), FOUND_NO },
	{ "pay(?!roll)", "", T("payroll payrol payrolx"), FOUND_YES },
	{ "pay(?!roll)", "", T("payroll payroll"), FOUND_NO },
	{ "pay(?=.*done)", "", T("pay it well and be done"), FOUND_YES },
	{ "(\\w+) \\1\\b", "", T("some words words2 words2"), FOUND_YES },
	{ "(\\w+) \\1\\b", "", T("some words words2"), FOUND_NO },
	{ "<(?:[^<>]|(?R))*>", "", T("< <<> <"), FOUND_YES },
	{ "(?>a+)b?ab", "", T("aaaab aab"), FOUND_NO },
	{ "a++b|a", "", T("xaac"), FOUND_YES },
	{ "a b # c", "x", T("xab"), FOUND_YES },
	{ "\\Qa.b\\E$", "", T("axb a.b"), FOUND_YES },
	{ "\\\\Games \\[Kx\\(?C", "", T("\\Games [Kx(C"), FOUND_YES },
	/* Characters. */
	{ "gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac\xf0\x9f\x98\x80$", "",
	  T("gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac\xf0\x9f\x98\x80"), FOUND_YES },
	{ "^.{4}$", "", T("\xc3\xbc" "a\xe2\x82\xac\xf0\x9f\x98\x80"), FOUND_YES },
	{ "a\\x00b", "", T("xa\0b"), FOUND_YES },
	{ "a.b.\\z", "", T("xa\0b\0"), FOUND_YES },
	{ "^a\\x{fffd}b\\x{fffd}\\x{fffd}$", "", T("a\xff" "b\xc3\xc3"), FOUND_YES },
	{ "^\\x{fffd}{3}$", "", T("\xf0\x9f\x98"), FOUND_YES },
	{ "^\\x{fffd}{3}x", "", T("\xed\xa0\x80x"), FOUND_YES },
	{ "^\\x{fffd}{2}/", "", T("\xc0\xaf/"), FOUND_YES },
	{ "^\\x{fffd}{4}x", "", T("\xf4\x90\x80\x80x"), FOUND_YES },
	{ "^\\x{fffd}\xc3\xa9$", "", T("\xe2\xc3\xa9"), FOUND_YES },
	{ "^\\x{fffd}{2}$", "", T("\xe2\x82\xac\x82"), FOUND_NO },
	/* Nothing. */
	{ "", "", T(""), FOUND_YES },
	{ "a", "", T(""), FOUND_NO },
	{ "^$", "", T(""), FOUND_YES },
	{ "^$", "m", T("ab"), FOUND_NO },
	{ "^$", "m", T("ab\n\ncd"), FOUND_YES },
	{ "b*", "", T("aaa"), FOUND_YES },
	{ "b*\\z", "", T("aaa"), FOUND_YES },
	{ "(?<!a)b*\\z", "", T("aaa"), FOUND_NO },
	{ "(?!a)", "", T("aaa"), FOUND_YES },
	{ "(?!a)(?=.)", "", T("aaa"), FOUND_NO },
	{ "\\B\\z", "", T("aaa"), FOUND_NO },
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t h = 0; h < HOWS; h++) {
			struct regex *r = make(rows[i].pattern, rows[i].flags, &hows[h]);

			if (regex_match(r, rows[i].text, rows[i].len, &unlimited) != rows[i].found)
				fail_msg("/%s/%s, row %zu, how %zu", rows[i].pattern, rows[i].flags, i, h);
			for (size_t cut = 0; cut <= rows[i].len + 1; cut++)
				for (size_t again = cut; again <= rows[i].len + 1 && again <= cut + 5; again++)
					if (stream(r, rows[i].text, rows[i].len, cut, again) != rows[i].found)
						fail_msg("/%s/%s, row %zu, how %zu, cut at %zu and %zu",
							 rows[i].pattern, rows[i].flags, i, h, cut, again);
			regex_free(&r);
		}
}

static const struct {
	const char *pattern, *flags;
	size_t column;
	const char *text;
} bad[] = {
	{ "a(b", "", 4, "missing closing parenthesis" },
	{ "[z", "", 3, "missing terminating ]" },
	{ "*a", "", 1, "quantifier" },
	{ "a\xc3", "", 2, "UTF-8" },
	{ "(?<=a+)b", "", 1, "lookbehind" },
	{ "ab\\Cd", "", 5, "\\C" },
	{ "ab\\Gd", "", 3, "\\G" },
	{ "ab\\\\\\K", "", 5, "\\K" },
	{ "\\c\\\\X", "", 4, "\\X" },
	{ "(*UTF)a", "", 1, "(*" },
	{ "(*LIMIT_MATCH=4000000000)a", "", 1, "(*" },
	{ "(*NO_JIT)a", "", 1, "(*" },
	{ "a(*SKIP)b", "", 2, "(*" },
	{ "(?<=a)(b)(?1)", "", 10, "subroutine" },
	{ "(?<n>b)(?<!a)\\g'n'", "", 14, "subroutine" },
	{ "((?<=(?-1))b)", "", 6, "subroutine" },
	{ "x(?<=a{9000})b", "", 2, "too far" },
	{ "abc", "iz", 6, "flag" },
	{ "abc", "ii", 6, "flag" },
	{ "abc", "I", 5, "flag" },
};

static void
test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char error[160] = "";
		size_t column = 99;
		struct regex *r = regex_new(bad[i].pattern, bad[i].flags, &column, error, sizeof error);

		if (r != NULL || column != bad[i].column || strstr(error, bad[i].text) == NULL)
			fail_msg("/%s/%s: column %zu: %s", bad[i].pattern, bad[i].flags, column, error);
		regex_new(bad[i].pattern, bad[i].flags, &column, error, 8);
		assert_true(strlen(error) <= 7);
	}
}

/* Memory of `size` octets, "x " over and over. */
static char *
filler(size_t size)
{
	char *s = malloc(size);

	assert_non_null(s);
	for (size_t i = 0; i < size; i++)
		s[i] = "x "[i % 2];
	return s;
}

static enum found
stream_pieces(const struct regex *r, const char *s, size_t len, size_t piece)
{
	struct arena *a = arena_new(0);
	struct regex_scan *scan = regex_scan_new(a, r, &unlimited);
	enum found found;

	for (size_t i = 0; i < len; i += piece)
		regex_scan_add(scan, s + i, len - i < piece ? len - i : piece);
	found = regex_scan_end(scan);
	regex_scan_free(&scan);
	arena_free(&a);
	return found;
}

/* A match at each place about the borders of slices and of the buffer. */
static void
test_borders(void **state)
{
	static const size_t borders[] = { 1024, 2048, 16384, 24576, 65536 };
	static const char mark[] = "<SECRET-\xe2\x82\xac\r\n-MARK>";
	const size_t size = 80 * 1024;
	struct regex *r = make("(?<=x |^ |<)SECRET-.\\R-MARK(?!ER)", "", &regex_how_default);

	(void)state;
	for (size_t b = 0; b < sizeof borders / sizeof borders[0]; b++)
		for (size_t back = 0; back <= sizeof mark; back++) {
			char *s = filler(size);

			memcpy(s + borders[b] - back, mark, sizeof mark - 1);
			assert_int_equal(regex_match(r, s, size, &unlimited), FOUND_YES);
			assert_int_equal(stream_pieces(r, s, size, 65536), FOUND_YES);
			assert_int_equal(stream_pieces(r, s, size, 1000), FOUND_YES);
			memcpy(s + borders[b] - back + sizeof mark - 2, "ER", 2);
			assert_int_equal(regex_match(r, s, size, &unlimited), FOUND_NO);
			assert_int_equal(stream_pieces(r, s, size, 65536), FOUND_NO);
			free(s);
		}
	regex_free(&r);
}

/* After any number of other characters, so that slices and buffers end anywhere. */
static void
test_padded(void **state)
{
	static const struct {
		const char *pattern, *text;
		enum found found;
	} cases[] = {
		{ "(?<=ab)c", "abc", FOUND_YES },
		{ "(?<!a.....)c", "a.....c", FOUND_NO },
		{ "(?<=(?<=(?<=a)bb)cc)d", "abbccd", FOUND_YES },
		{ "(?<=(?<!a)bb)c", "abbc", FOUND_NO },
		{ "(?<=\bbb)c", "abbc", FOUND_NO },
		{ "(?<=(?=â¬..d)â¬.)c", "â¬" "bcd", FOUND_YES },
		{ "(?<!\\A|\\A.)c", "c", FOUND_YES },
		{ "[^X]A", "\r\nA", FOUND_NO },
		{ "[^\\s]??[\\x09-\\x0c]A", "\r\nA", FOUND_NO },
		{ "[\\x09-\\x0c]A", "\r\nA", FOUND_YES },
		{ "(?m)^abc$", "abc", FOUND_NO },
	};
	char s[200];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t h = 1; h < HOWS; h++) {
			struct regex *r = make(cases[i].pattern, "", &hows[h]);

			for (size_t pad = 2; pad < 140; pad++) {
				memset(s, '.', pad);
				strcpy(s + pad, cases[i].text);
				if (stream_pieces(r, s, strlen(s), 3) != cases[i].found ||
				    regex_match(r, s, strlen(s), &unlimited) != cases[i].found)
					fail_msg("/%s/, how %zu, after %zu", cases[i].pattern, h, pad);
			}
			regex_free(&r);
		}
	assert_int_equal(regex_next("\r\nA", 3, 0), 2);
	assert_int_equal(regex_next("\rA", 2, 0), 1);
}

/* What stays unfinished for longer than a scan remembers. */
static void
test_unfinished(void **state)
{
	static const struct {
		const char *pattern;
		const char *first;      /* at 1000 */
		const char *last;       /* at the end */
		enum found found;
	} cases[] = {
		{ "<.*>", "<a", "a", FOUND_UNKNOWN },
		{ "<.*>", "<a", ">", FOUND_UNKNOWN },
		{ "<.*>", "<a>", "a", FOUND_YES },
		{ "\\b<?.*>\\B", "<a>", "a", FOUND_YES },
		{ "<.*>$", "<a>", "a", FOUND_UNKNOWN },
		{ "<.*>(?!.*a)", "<a>", "a", FOUND_UNKNOWN },
		{ "<(?>.*a|a)>", "<a>", "a", FOUND_UNKNOWN },
		{ "<.*+>|>.$", "<a", ">a", FOUND_YES },
		{ "<.*?>", "<a>", "a", FOUND_YES },
		{ "<[^x]*>", "<a", ">", FOUND_NO },
	};
	const size_t size = 1u << 20;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (unsigned no_jit = 0; no_jit < 2; no_jit++) {
			struct regex_how how = regex_how_default;
			char *s = filler(size);
			struct regex *r;

			how.no_jit = no_jit != 0;
			r = make(cases[i].pattern, "s", &how);
			memcpy(s + 1000, cases[i].first, strlen(cases[i].first));
			memcpy(s + size - strlen(cases[i].last), cases[i].last, strlen(cases[i].last));
			if (stream_pieces(r, s, size, 10000) != cases[i].found)
				fail_msg("/%s/s, no_jit %u", cases[i].pattern, no_jit);
			regex_free(&r);
			free(s);
		}
}

/* Where the buffer happens to end, no match may be seen that more text unmakes. */
static void
test_unmade(void **state)
{
	static const struct regex_how how = { .steps = 10000, .slice = 8, .capacity = 64, .capacity_max = 1024 };
	static const char *const cases[][3] = {
		/* what looks like a match where the text is cut, and what is one */
		{ "\\bpay.*roll\\b", "roller", "roll" },
		{ "pay.*roll$", "roll\nx", NULL },
		{ "pay.*roll\\Z", "roll\nx", NULL },
		{ "p(?:.*l|ay)++ ", "rollx", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct regex *r = make(cases[i][0], "s", &how);

		for (size_t at = 990; at < 1060; at++) {
			char *s = filler(3000);

			memcpy(s + 10, " pay ", 5);
			memcpy(s + at, cases[i][1], strlen(cases[i][1]));
			assert_int_equal(stream_pieces(r, s, 3000, 7), FOUND_UNKNOWN);
			memcpy(s + at, "      ", strlen(cases[i][1]));
			if (cases[i][2] != NULL) {
				memcpy(s + at, cases[i][2], strlen(cases[i][2]));
				assert_int_not_equal(stream_pieces(r, s, 3000, 7), FOUND_NO);
			}
			free(s);
		}
		regex_free(&r);
	}
}

static void
test_limits(void **state)
{
	static const struct {
		const char *pattern;
		const char *tail;
		enum found found;
	} cases[] = {
		{ "(a+)+$", "!", FOUND_UNKNOWN },
		{ "(a|a)+$", "!", FOUND_UNKNOWN },
		{ "(?:a|b|ab)*c", "!", FOUND_NO },
		{ "(a+)+$|payroll", "! the payroll", FOUND_YES },
		{ "((?:a+)+\\d)?payroll", "! the payroll", FOUND_YES },
		{ "(a+)+$", "! aaa", FOUND_YES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t h = 0; h < HOWS; h++) {
			struct regex *r = make(cases[i].pattern, "", &hows[h]);
			char s[80];

			snprintf(s, sizeof s, "aaaaaaaaaaaaaaaaaaaaaa%s", cases[i].tail);
			if (regex_match(r, s, strlen(s), &unlimited) != cases[i].found ||
			    stream_pieces(r, s, strlen(s), 5) != cases[i].found)
				fail_msg("/%s/ %s, how %zu", cases[i].pattern, cases[i].tail, h);
			regex_free(&r);
		}
}

/* More stack or heap than there is. */
static void
test_depth(void **state)
{
	const size_t size = 2u << 20;
	char *s = malloc(size);

	(void)state;
	assert_non_null(s);
	memset(s, 'a', size);
	for (unsigned no_jit = 0; no_jit < 2; no_jit++) {
		struct regex_how how = regex_how_default;
		struct clock c = { 0, 1, 0 };
		struct regex_budget b = { tick, &c, 2000 };
		struct regex *r;

		how.no_jit = no_jit != 0;
		r = make("\\A(?:a|b)*c", "", &how);
		assert_int_equal(regex_match(r, s, 20000, &b), FOUND_NO);
		assert_int_equal(regex_match(r, s, size, &b), FOUND_UNKNOWN);
		regex_free(&r);
	}
	free(s);
}

static void
test_budget(void **state)
{
	struct clock c = { 0, 10, 0 };
	const struct regex_budget b = { tick, &c, 100 };
	struct arena *a = arena_new(0);
	struct regex *r = make("SECRET", "", &regex_how_default);
	struct regex *bad_one = make("\\A(a|aa)+$", "", &regex_how_default);
	struct regex_scan *scan = regex_scan_new(a, r, &b);
	char *s = filler(1u << 20);

	(void)state;
	/* Spent after some slices: settled, and not asked again. */
	assert_true(regex_scan_add(scan, s, 1u << 20));
	assert_int_equal(c.asked, 10);
	assert_true(regex_scan_add(scan, "SECRET", 6));
	assert_int_equal(regex_scan_end(scan), FOUND_UNKNOWN);
	assert_int_equal(c.asked, 10);
	regex_scan_free(&scan);
	/* Spent from the start. */
	assert_int_equal(regex_match(r, "SECRET", 6, &b), FOUND_UNKNOWN);
	/* In the midst of one start. */
	c = (struct clock){ 0, 10, 0 };
	memset(s, 'a', 1000);
	s[1000] = '!';
	assert_int_equal(regex_match(bad_one, s, 1001, &b), FOUND_UNKNOWN);
	assert_int_equal(c.asked, 10);
	/* Found before it was spent: stays found, at no cost. */
	c = (struct clock){ 0, 10, 0 };
	memcpy(s + 2000, "SECRET", 6);
	scan = regex_scan_new(a, r, &b);
	assert_true(regex_scan_add(scan, s, 1u << 20));
	c.now = 1000;
	assert_true(regex_scan_add(scan, s, 1u << 20));
	assert_int_equal(regex_scan_end(scan), FOUND_YES);
	assert_in_range(c.asked, 1, 4);
	regex_scan_free(&scan);
	free(s);
	regex_free(&r);
	regex_free(&bad_one);
	arena_free(&a);
}

static void
test_memory(void **state)
{
	struct regex *r = make("a", "", &regex_how_default);
	struct arena *a = arena_new(1000);
	struct regex_scan *scan = regex_scan_new(a, r, &unlimited);

	(void)state;
	assert_true(regex_scan_add(scan, "bbb", 3));
	assert_int_equal(regex_scan_end(scan), FOUND_UNKNOWN);
	regex_scan_free(&scan);
	arena_free(&a);
	a = arena_new(16);
	scan = regex_scan_new(a, r, &unlimited);
	assert_null(scan);
	assert_true(regex_scan_add(scan, "a", 1));
	assert_int_equal(regex_scan_end(scan), FOUND_UNKNOWN);
	regex_scan_free(&scan);
	regex_free(&r);
	regex_free(&r);
	arena_free(&a);
}

/* The ways through a pattern's groups, never fewer than there are. */
static void
test_paths(void **state)
{
	static const struct {
		const char *pattern;
		uint64_t paths;
	} ways[] = {
		{ "plain", 1 }, { "a|b|c", 3 }, { "(a|b)(c|d|e)", 6 }, { "(a|b){3}", 8 }, { "(a|b){1,3}", 8 },
		{ "(a|b){2,}", 8 }, { "(a|b)+", 2 }, { "((a|b){2}|c){2}", 25 }, { "[(|]{5}x|y", 2 },
		{ "[]|(]+(a|b)", 2 }, { "[[:alpha:]|](a|b)", 2 }, { "\\(a|b\\)", 2 }, { "[^]|\\]|](a|b)", 2 },
		{ "(?:a|b)(?=a|b)(?<n>a|b)", 8 }, { "(a|b){9999}", 1000000 }, { "(a|b)\\Q[\\E(a|b)]", 1000000 },
		{ "(?x) # [\n(a|b) # ]\n", 1000000 }, { "(a|b)(?1)", 1000000 }, { "(?#()a|b", 1000000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct regex_facts facts;
		const char *error;
		size_t offset;

		assert_int_equal(regex_look(ways[i].pattern, &facts, &offset, &error), 0);
		if (facts.paths != ways[i].paths)
			fail_msg("%s: %llu", ways[i].pattern, (unsigned long long)facts.paths);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_padded),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_unmade),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
