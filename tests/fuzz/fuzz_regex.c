/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A pattern from a small grammar and a text of few characters: matched as a whole
 * and as a stream in pieces, with and without JIT, in slices and buffers of any
 * small size, it is what one plain call of PCRE2's interpreter says, or unknown.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/regex-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *next;
	size_t left;
};

static unsigned
pick(struct input *in, unsigned n)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->next++ % n;
}

static const char *const letters[] = {
	"a", "b", "A", "k", " ", "\n", "\r", "\r\n", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
	"\xe2\x84\xaa", "\x80", "\xf0\x9f", "1", "-", "aaaaaaaa", "ab ab ", "\xef\xbf\xbd",
};
#define LETTERS (sizeof letters / sizeof letters[0])

static const char *const atoms[] = {
	"a", "b", "ab", "k", "1", "-", " ", ".", "\\w", "\\W", "\\d", "\\s", "\\S", "\\b", "\\B",
	"^", "$", "\\A", "\\z", "\\Z", "\\R", "\\n", "\\r", "\\h", "\\v", "\\N", "[ab]", "[^a]",
	"[^\\s]", "[\\x09-\\x0c]", "\xc3\xa9", "\\x{20ac}", "\\x{fffd}", "\\x{1f600}", "\\1",
	"\\p{L}", "[[:alpha:]]", ".*", "\\w+", "(?1)", "(?R)", "(?(1)a|b)", "(?m)", "(?s)",
	"(?i)", "(?U)", "\\x00", "[\\w-]", "\\Q.*\\E", "[^b]*", "(?s:.*)", "(?<=a)", "(?<!\\w)",
	"(?<=(?<!b)a)", "(?<=^..)", "(?<!\\A.{3})", "(?<=\\ba.\\s)", "(?<=(?=a.*b)..)",
	"(?<=[^a]{5})", "(?<=(?<=(?<=k)a)b)", "(?<!\\r)", "(?<=\\v)",
};
#define ATOMS (sizeof atoms / sizeof atoms[0])

static const char *const groups[] = {
	"(", "(?:", "(?:", "(?>", "(?=", "(?!", "(?i:", "(?m:", "(?|", "(?<=",
};
#define GROUPS (sizeof groups / sizeof groups[0])

static const char *const repeats[] = {
	"", "", "", "*", "+", "?", "{2}", "{0,2}", "*?", "+?", "??", "*+", "++", "?+", "{1,}",
};
#define REPEATS (sizeof repeats / sizeof repeats[0])

static void
make_pattern(struct input *in, struct text *t, unsigned depth)
{
	unsigned n = 1 + pick(in, 5);

	for (unsigned i = 0; i < n && t->len < 400; i++) {
		unsigned what = pick(in, ATOMS + 2 * GROUPS + 2);

		if (what < ATOMS) {
			text_add(t, atoms[what]);
		} else if (what >= ATOMS + 2 * GROUPS || depth == 0) {
			text_add(t, "|");
			continue;
		} else {
			text_add(t, groups[(what - ATOMS) / 2]);
			make_pattern(in, t, depth - 1);
			text_add(t, ")");
		}
		text_add(t, repeats[pick(in, REPEATS)]);
	}
}

static void
make_text(struct input *in, struct text *t)
{
	unsigned times = pick(in, 8) == 7 ? 40 : 1;
	unsigned first = pick(in, LETTERS), kinds = 1 + pick(in, 5);
	size_t len;

	for (unsigned n = 10 + pick(in, 100); n > 0 && in->left > 0; n--)
		text_add(t, letters[(first + pick(in, kinds)) % LETTERS]);
	if (pick(in, 4) == 3)
		text_add_char(t, '\0');
	len = t->len;
	for (; times > 1 && t->len < 3000; times--)
		for (size_t i = 0; i < len; i++)
			text_add_char(t, t->s[i]);
}

/* 1, 0, or -1 where PCRE2 cannot tell. */
static int
oracle(const char *pattern, const char *s, size_t len, uint32_t options)
{
	struct text clean = { 0 };
	pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
	pcre2_match_context *mc = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_code *code;
	size_t used, offset;
	int rc, error;

	for (size_t i = 0; i < len; i += used) {
		if (text_utf8_next(s + i, len - i, &used) < 0)
			text_add(&clean, "\xef\xbf\xbd");
		else
			text_add_octets(&clean, s + i, used);
	}
	pcre2_set_newline(cc, PCRE2_NEWLINE_ANYCRLF);
	pcre2_set_match_limit(mc, (uint32_t)(300000 / (len + 20)));
	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options | PCRE2_UTF | PCRE2_UCP, &error,
			     &offset, cc);
	if (code == NULL)
		abort();
	rc = pcre2_match(code, (PCRE2_SPTR)text_string(&clean), clean.len, 0, 0, data, mc);
	pcre2_code_free(code);
	pcre2_match_data_free(data);
	pcre2_match_context_free(mc);
	pcre2_compile_context_free(cc);
	text_free(&clean);
	return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static int64_t asked;

static int64_t
spent(void *context)
{
	(void)context;
	return ++asked;
}

static enum found
match_stream(struct input *in, const struct regex *r, const char *s, size_t len, const struct regex_budget *b)
{
	struct arena *a = arena_new(1u << 20);
	struct regex_scan *scan = regex_scan_new(a, r, b);
	unsigned piece = 1 + pick(in, 40);
	enum found found;

	while (len > 0) {
		size_t n = 1 + pick(in, piece);

		n = n < len ? n : len;
		(void)regex_scan_add(scan, s, n);
		s += n;
		len -= n;
	}
	found = regex_scan_end(scan);
	regex_scan_free(&scan);
	arena_free(&a);
	return found;
}

static void
compare(const char *what, const char *pattern, const char *flags, enum found found, int truth)
{
	if (found == FOUND_UNKNOWN || truth < 0 || found == (truth ? FOUND_YES : FOUND_NO))
		return;
	fprintf(stderr, "%s: /%s/%s found %d, it is %d\n", what, pattern, flags, (int)found, truth);
	abort();
}

static void
check(struct input *in, const char *pattern, const char *s, size_t len)
{
	static const char *const all_flags[] = { "", "i", "m", "s", "ims" };
	static const uint32_t options[] = {
		0, PCRE2_CASELESS, PCRE2_MULTILINE, PCRE2_DOTALL, PCRE2_CASELESS | PCRE2_MULTILINE | PCRE2_DOTALL,
	};
	struct regex_how how = { 0 };
	struct regex_budget b = { spent, NULL, 1000 };
	unsigned knobs = pick(in, 256), flags = pick(in, 5);
	char error[160] = "";
	size_t column;
	struct regex *r;
	int truth;

	how.no_jit = (knobs & 1) != 0;
	how.always_careful = (knobs & 6) == 6;
	how.steps = 2000;
	how.slice = 8 + pick(in, 64);
	how.capacity = 64;
	how.capacity_max = 1024u << (knobs >> 3 & 2);
	r = regex_compile(pattern, all_flags[flags], &how, &column, error, sizeof error);
	if (r == NULL) {
		if (column == 0 || column > strlen(pattern) + 1 || error[0] == '\0')
			abort();
		return;
	}
	truth = oracle(pattern, s, len, options[flags]);
	asked = 0;
	compare("whole", pattern, all_flags[flags], regex_match(r, s, len, &b), truth);
	asked = 0;
	compare("stream", pattern, all_flags[flags], match_stream(in, r, s, len, &b), truth);
	if (asked > b.limit_us + 1)
		abort();
	regex_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct text pattern = { 0 }, text = { 0 };

	if (pick(&in, 4) == 0)
		text_add(&pattern, "(a|b\\w*)?");
	make_pattern(&in, &pattern, 3);
	make_text(&in, &text);
	check(&in, text_string(&pattern), text_string(&text), text.len);
	text_free(&pattern);
	text_free(&text);
	return 0;
}
