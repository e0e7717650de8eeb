/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See match.h.
 */
#include "policy/match.h"

#include <string.h>

#include "base/text.h"
#include "policy/domain.h"

enum found
found_or(enum found a, enum found b)
{
	if (a == FOUND_YES || b == FOUND_YES)
		return FOUND_YES;
	return a == FOUND_UNKNOWN || b == FOUND_UNKNOWN ? FOUND_UNKNOWN : FOUND_NO;
}

enum found
found_and(enum found a, enum found b)
{
	if (a == FOUND_NO || b == FOUND_NO)
		return FOUND_NO;
	return a == FOUND_UNKNOWN || b == FOUND_UNKNOWN ? FOUND_UNKNOWN : FOUND_YES;
}

enum found
found_not(enum found a)
{
	return a == FOUND_UNKNOWN ? a : a == FOUND_YES ? FOUND_NO : FOUND_YES;
}

/* Behind what PCRE2 may be told at a pattern's start and is anyway: that text is
 * UTF-8 and characters are Unicode's. */
static const char *
skip_verbs(const char *s, const char *end)
{
	while (end - s >= 6 && (strncmp(s, "(*UTF)", 6) == 0 || strncmp(s, "(*UCP)", 6) == 0))
		s += 6;
	return s;
}

/* "/PATTERN/FLAGS" at s, which is text + offset. */
static int
parse_regex(struct arena *a, const char *s, size_t offset, struct match *r, size_t *column_r,
	    const char **error_r)
{
	const char *end = strrchr(s, '/'), *start;
	size_t column = 0;
	char error[200];

	r->kind = MATCH_REGEX;
	if (end == s) {
		*column_r = offset + strlen(s) + 1;
		*error_r = "the pattern has no closing slash";
		return -1;
	}
	start = skip_verbs(s + 1, end);
	if (start == end) {
		*column_r = offset + 1;
		*error_r = "the pattern is empty, so it would match anything";
		return -1;
	}
	r->regex = regex_new(arena_substring(a, start, (size_t)(end - start)), end + 1, &column, error, sizeof error);
	if (r->regex != NULL)
		return 0;
	*column_r = offset + (size_t)(start - s) + (column == 0 ? 1 : column);
	*error_r = arena_string(a, error);
	return -1;
}

int
match_parse(struct arena *a, const char *text, enum match_kind otherwise, struct match *r,
	    size_t *column_r, const char **error_r)
{
	struct address_error e;
	const char *s = text;

	*r = (struct match){.text = arena_string(a, text), .kind = otherwise, .is_negated = *text == '!'};
	s += r->is_negated ? 1 : 0;
	s += strspn(s, " ");
	*column_r = (size_t)(s - text) + 1;
	if (*s == '\0') {
		*error_r = "there is no pattern";
		return -1;
	}
	if (*s == '/')
		return parse_regex(a, s, (size_t)(s - text), r, column_r, error_r);
	r->glob = arena_string(a, s);
	if (otherwise == MATCH_REGEX) {
		*error_r = "expected a pattern between slashes, such as /payroll/i";
		return -1;
	}
	if (otherwise != MATCH_ADDRESS || address_parse_pattern(a, s, &r->address, &e) == 0)
		return 0;
	*column_r += e.column - 1;
	*error_r = arena_printf(a, "%s; expected %s", e.what, e.expected);
	return -1;
}

enum found
match_texts(const struct match *p, const char *const *texts, size_t n, const struct regex_budget *b)
{
	enum found r = FOUND_NO;

	for (size_t i = 0; i < n && r != FOUND_YES; i++) {
		if (p->kind == MATCH_REGEX)
			r = found_or(r, regex_match(p->regex, texts[i], strlen(texts[i]), b));
		else if (p->kind == MATCH_GLOB && text_glob(p->glob, texts[i]))
			r = FOUND_YES;
	}
	return r;
}

/* Unlike address_matches(), which grants, this must not be evaded: a local part
 * is compared as it is, however it is quoted or routed. */
static bool
covers(const struct address_pattern *p, const struct address *a)
{
	if (p->is_null || a->is_null)
		return p->is_null && a->is_null;
	if (p->any_subdomain ? !domain_is_below(a->domain, p->domain) : strcmp(a->domain, p->domain) != 0)
		return false;
	return p->has_star ? text_glob(p->local, a->local) : text_same(p->local, a->local);
}

enum found
match_address(const struct match *p, const struct address *a, const struct regex_budget *b)
{
	const char *text = a->is_null ? "<>" : a->text;

	if (p->kind == MATCH_ADDRESS)
		return covers(&p->address, a) ? FOUND_YES : FOUND_NO;
	return match_texts(p, &text, 1, b);
}

/* What the patterns of a list came to so far. */
struct holding {
	enum found any, none;
	bool has_plain;
};

static void
hold_one(struct holding *h, const struct match *p, enum found answer)
{
	if (p->is_negated) {
		h->none = found_and(h->none, found_not(answer));
	} else {
		h->has_plain = true;
		h->any = found_or(h->any, answer);
	}
}

static enum found
hold_all(const struct holding *h)
{
	return h->has_plain ? found_and(h->any, h->none) : h->none;
}

enum found
match_list_holds(const struct match_list *l, const enum found *answers)
{
	struct holding h = {.any = FOUND_NO, .none = FOUND_YES};

	for (size_t i = 0; i < l->n; i++)
		hold_one(&h, &l->items[i], answers[i]);
	return hold_all(&h);
}

enum found
match_list_texts(const struct match_list *l, const char *const *texts, size_t n,
		 const struct regex_budget *b)
{
	struct holding h = {.any = FOUND_NO, .none = FOUND_YES};

	for (size_t i = 0; i < l->n; i++)
		hold_one(&h, &l->items[i], match_texts(&l->items[i], texts, n, b));
	return hold_all(&h);
}

enum found
match_list_address(const struct match_list *l, const struct address *a, const struct regex_budget *b)
{
	struct holding h = {.any = FOUND_NO, .none = FOUND_YES};

	for (size_t i = 0; i < l->n; i++)
		hold_one(&h, &l->items[i], match_address(&l->items[i], a, b));
	return hold_all(&h);
}
