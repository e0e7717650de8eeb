/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files of regex share; tests and the bench use it too, nobody else.
 *     regex_pattern.c  looks at the text of a pattern
 *     regex.c          compiles, searches in text at hand; includes pcre2.h
 *     regex_scan.c     brings text that comes in pieces into one buffer
 */
#ifndef POSTERN_POLICY_REGEX_PRIVATE_H
#define POSTERN_POLICY_REGEX_PRIVATE_H

#include "policy/regex.h"

struct regex_facts {
	size_t lookbehinds;     /* at most so many, nested or not */
	size_t lookbehind_at;   /* offset of the first */
	bool is_monotone;       /* a match that ends before the end of some text is
				 * still one when more text follows */
	uint64_t paths;         /* at most so many ways lead through its groups, those
				 * repeated without bound taken once more than they must be; saturating */
};

/* Looks for what is refused: 0, or -1 with its offset and a static text. */
int regex_look(const char *pattern, struct regex_facts *r, size_t *offset_r, const char **error_r);

/* How to compile and search; tests make everything small. */
struct regex_how {
	bool no_jit;
	bool always_careful;
	uint32_t steps;         /* of careful code, from each start */
	size_t slice;           /* octets searched at once, 8 at least */
	size_t capacity;        /* of a scan's buffer at first, 64 at least */
	size_t capacity_max;    /* a power of two times `capacity` */
};
extern const struct regex_how regex_how_default;

struct regex *regex_compile(const char *pattern, const char *flags, const struct regex_how *how,
			    size_t *column_r, char *error_r, size_t error_size);
const struct regex_how *regex_how(const struct regex *r);

/* A search: match data, limits and stack for one text. NULL: no memory. */
struct regex_search;
struct regex_search *regex_search_new(const struct regex *r, const struct regex_budget *b);
void regex_search_free(struct regex_search **x);

/* Looks for a match that begins at *at_r or later, in text of whole characters;
 * `is_end`: no more will follow. 1: there is one. 0: none that begins before
 * *at_r, which it sets; *missed_r becomes true where a limit kept it from
 * knowing. -1: the budget is spent, or memory is short. */
int regex_search_run(struct regex_search *x, const char *text, size_t len, bool is_end,
		     size_t *at_r, bool *missed_r);

/* For monotone patterns: whether a match begins at `at` and ends before the end of
 * the text. As above, without *at_r. */
int regex_search_here(struct regex_search *x, const char *text, size_t len, size_t at);

bool regex_is_monotone(const struct regex *r);

/* The offset from which text must be kept to go on at `at`: lookbehinds. */
size_t regex_keep_from(const struct regex *r, const char *text, size_t at);

/* The next place after `at` < len where a search may begin, never between CR
 * and LF. */
size_t regex_next(const char *text, size_t len, size_t at);

/* Copies octets as well-formed UTF-8, each stray one as U+FFFD, while there are 4
 * octets of room; unless is_end, also stops at a character that may be cut off.
 * Returns the octets written, *used_r tells those read. */
size_t regex_clean(const char *in, size_t len, bool is_end, char *out, size_t room, size_t *used_r);

bool regex_is_clean(const char *s, size_t len);

#endif
