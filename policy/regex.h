/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Regular expressions of the admin, matched against text of strangers: PCRE2
 * under limits, with three answers. A limit that is hit is "unknown", never
 * "no". Pure: the clock is the caller's.
 *
 * Patterns are UTF-8 and so is the text; an octet of the text that is no part
 * of a well-formed character is matched as U+FFFD. \w, \d, \s and \b know all
 * of Unicode. A line ends in CRLF, LF or CR for ^, $ and dot; \R is any of them.
 *
 * Refused, because text is searched in slices and pieces and these depend on
 * where a search begins or look back without bound: \G, \K, \X, every (*VERB),
 * and a subroutine call, as (?1) or (?R), in one pattern with a lookbehind.
 * \C is refused too, and a pattern whose compiled form is too large for PCRE2
 * (Debian's: 64 KiB, about 8,000 octets of plain text).
 *
 * How long it may take. Text is searched in slices of 1 KiB, quickly: with at
 * most 250 backtracking steps from each start. Where that is not enough, or a
 * match reaches out of its slice, the search goes on carefully: 1,000,000 steps
 * from each start, 4 MiB of JIT stack or 8 MiB of heap without JIT, and the
 * budget is asked while PCRE2 is at work. Measured on 1 MiB with 19 bad patterns, a
 * search ended at most 13 ms after its budget was spent, mostly within 1 ms, with
 * JIT and without. Ordinary patterns on ordinary mail are far from these limits; a
 * word is looked for at 600 MB/s, without JIT at 400 (`make bench-regex`).
 *
 * A struct regex is never changed once made and serves all threads. What a
 * match needs besides is made for each call or scan.
 */
#ifndef POSTERN_POLICY_REGEX_H
#define POSTERN_POLICY_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum found { FOUND_NO, FOUND_YES, FOUND_UNKNOWN };

struct regex;

/* Compiles `pattern`, what stands between the slashes. `flags`: any of "imsx",
 * each once. NULL on error, with a text, cut to error_size, and its column: 1 is
 * the first octet of the pattern; the flags follow behind one more octet, the
 * slash. Column 0: memory was short. */
struct regex *regex_new(const char *pattern, const char *flags, size_t *column_r,
			char *error_r, size_t error_size);

/* Sets *r to NULL. NULL is fine. No call or scan may be using it. */
void regex_free(struct regex **r);

/* CPU time for one message: `spent_us` tells what it has used so far, in
 * microseconds, and is asked about once a KiB. From limit_us on every search
 * ends with FOUND_UNKNOWN, unless it has found its match already. */
struct regex_budget {
	int64_t (*spent_us)(void *context);
	void *context;
	int64_t limit_us;
};

/* Whether the text, any `len` octets, has a match. Text that is not UTF-8 costs
 * a copy of up to three times its size; memory that is short is FOUND_UNKNOWN. */
enum found regex_match(const struct regex *r, const char *s, size_t len,
		       const struct regex_budget *b);

/* A search in text that comes in pieces, cut anywhere, also within a character.
 * The answer is the one regex_match() would give for the whole, but that a match
 * that may be unfinished is followed for 256 KiB only: then the answer is
 * FOUND_UNKNOWN unless there is a match elsewhere. It takes 16 KiB of the arena,
 * up to 1 MiB while a long match is unfinished. One thread at a time. */
struct regex_scan;

/* The regex must outlive the scan, the budget is copied. NULL when memory is
 * short, which the other functions take: the answer is FOUND_UNKNOWN. */
struct regex_scan *regex_scan_new(struct arena *a, const struct regex *r,
				  const struct regex_budget *b);

/* The next octets. Returns whether the answer is settled: more text would cost
 * nothing and change nothing. */
bool regex_scan_add(struct regex_scan *scan, const char *s, size_t len);

/* The text ends here. Asked again, the answer is the same. */
enum found regex_scan_end(struct regex_scan *scan);

/* Frees what is not the arena's; needed also after regex_scan_end(), and before
 * the arena is freed. Sets *scan to NULL. NULL is fine. */
void regex_scan_free(struct regex_scan **scan);

#endif
