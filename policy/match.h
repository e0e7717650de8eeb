/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What an admin's rule compares a fact with: lists of patterns, three-valued.
 * A pattern is /PCRE2/ with flags behind the last slash, or text in which *
 * stands for any run of octets and which must match the whole value; for
 * addresses it is written as in `senders`. "!" before a pattern negates it. Pure.
 *
 * A list holds when no negated pattern matches and, if there are others, one of
 * those does.
 */
#ifndef POSTERN_POLICY_MATCH_H
#define POSTERN_POLICY_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/address.h"
#include "policy/regex.h"

enum match_kind { MATCH_GLOB, MATCH_REGEX, MATCH_ADDRESS };

struct match {
	const char *text;               /* as written */
	bool is_negated;
	enum match_kind kind;
	const char *glob;
	struct regex *regex;            /* owned by who made it */
	struct address_pattern address;
};

struct match_list {
	struct match *items;
	size_t n;
};

/* Reads one pattern; `otherwise` is what it is when not between slashes. 0, or
 * -1 with *column_r (1 is the first octet) and a text in the arena. What r->regex
 * points at must be freed with regex_free(). */
int match_parse(struct arena *a, const char *text, enum match_kind otherwise, struct match *r,
		size_t *column_r, const char **error_r);

/* One pattern, its negation left aside: against a text of octets, any one of
 * several readings of it. An address pattern never matches. */
enum found match_texts(const struct match *p, const char *const *texts, size_t n,
		       const struct regex_budget *b);

/* The same against an address (a glob or regex sees its canonical text, "<>" for
 * the null path). */
enum found match_address(const struct match *p, const struct address *a,
			 const struct regex_budget *b);

/* Three-valued or, and, not. */
enum found found_or(enum found a, enum found b);
enum found found_and(enum found a, enum found b);
enum found found_not(enum found a);

/* What a list comes to when items[i] came to answers[i]. */
enum found match_list_holds(const struct match_list *l, const enum found *answers);

/* The list against readings of one text, and against an address. */
enum found match_list_texts(const struct match_list *l, const char *const *texts, size_t n,
			    const struct regex_budget *b);
enum found match_list_address(const struct match_list *l, const struct address *a,
			      const struct regex_budget *b);

#endif
