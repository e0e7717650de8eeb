/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A look at the text of a pattern before PCRE2 compiles it. It knows that a
 * backslash takes the next octet with it and nothing else: not classes, \Q..\E or
 * comments. So it may see what is not there, and then refuses a pattern for
 * nothing; but it misses nothing that is there.
 */
#include <string.h>

#include "base/text.h"
#include "policy/regex-private.h"

static const struct {
	char letter;
	const char *error;
} escapes[] = {
	{ 'G', "\\G is not supported, use \\A" },
	{ 'K', "\\K is not supported, nor needed: only whether there is a match counts" },
	{ 'X', "\\X is not supported" },
};

static bool
is_call(const char *p)
{
	if (strncmp(p, "\\g", 2) == 0)
		return p[2] == '<' || p[2] == '\'';
	if (strncmp(p, "(?", 2) != 0)
		return false;
	if (p[2] == '+' || p[2] == '-')
		return text_is_digit(p[3]);
	return p[2] == 'R' || p[2] == '&' || strncmp(p + 2, "P>", 2) == 0 || text_is_digit(p[2]);
}

static bool
is_lookbehind(const char *p)
{
	return strncmp(p, "(?<", 3) == 0 && p[3] != '\0' && strchr("=!*", p[3]) != NULL;
}

/* A group that is only a group: plain, named, or with options but x. */
static bool
is_plain_group(const char *p)
{
	if (p[1] != '?')
		return true;
	if (p[2] == '<' || p[2] == '\'')
		return text_is_alpha(p[3]);
	if (p[2] == 'P')
		return p[3] == '<';
	p += 2 + strspn(p + 2, "imsnJU-^");
	return *p == ':' || *p == ')' || *p == '|';
}

/* What makes a match depend on the end of the text: anchors, lookaround, and
 * whatever gives nothing back. */
static bool
is_monotone_item(const char *p, char before)
{
	switch (*p) {
	case '\\':
		return p[1] != '\0' && strchr("zZg", p[1]) == NULL;
	case '(':
		return is_plain_group(p);
	case '+':
		return before == '\0' || strchr("*+?}", before) == NULL;
	default:
		return *p != '$';
	}
}

static const char *
refuse(const char *p)
{
	if (strncmp(p, "(*", 2) == 0)
		return "(*...) is not supported";
	for (size_t i = 0; *p == '\\' && i < sizeof escapes / sizeof escapes[0]; i++)
		if (p[1] == escapes[i].letter)
			return escapes[i].error;
	return NULL;
}

/* Octets of the item at p: an escape with what it takes along, or one. */
static size_t
item_length(const char *p)
{
	size_t n = *p != '\\' ? 1 : p[1] != 'c' ? 2 : 3;

	return strnlen(p, n);
}

/* Ways beyond this are not told apart. */
#define PATHS_MAX UINT64_C(1000000)
#define DEPTH_MAX 250u

static uint64_t
times(uint64_t a, uint64_t b)
{
	return a > PATHS_MAX / b ? PATHS_MAX : a * b;
}

/* How often the group that ended at p is there: the n of {m,n}, or m + 1 of {m,}. */
static unsigned
copies(const char *p)
{
	unsigned m = 0, n = 0;

	if (*p != '{' || !text_is_digit(p[1]))
		return 1;
	for (p++; text_is_digit(*p) && m < 10000; p++)
		m = m * 10 + (unsigned)(*p - '0');
	if (*p != ',')
		return m;
	for (p++; text_is_digit(*p) && n < 10000; p++)
		n = n * 10 + (unsigned)(*p - '0');
	return n == 0 ? m + 1 : n;
}

/* The octet behind a class; p is at its '['. */
static const char *
class_end(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	if (*p == ']')
		p++;
	while (*p != '\0' && *p != ']') {
		const char *end = p[0] == '[' && p[1] == ':' ? strstr(p + 2, ":]") : NULL;

		p += end != NULL ? (size_t)(end + 2 - p) : item_length(p);
	}
	return *p == ']' ? p + 1 : p;
}

/* Alternatives add up, what follows each other multiplies. */
static uint64_t
count_paths(const char **p, unsigned depth)
{
	uint64_t all = 0, branch = 1;

	while (**p != '\0' && **p != ')') {
		if (**p == '(' && depth < DEPTH_MAX) {
			uint64_t group;
			unsigned n;

			++*p;
			group = count_paths(p, depth + 1);
			*p += **p == ')';
			for (n = copies(*p); n > 0 && branch < PATHS_MAX && group > 1; n--)
				branch = times(branch, group);
		} else if (**p == '|') {
			all += branch;
			branch = 1;
			++*p;
		} else {
			*p = **p == '[' ? class_end(*p) : *p + item_length(*p);
		}
	}
	all += branch;
	return all < PATHS_MAX ? all : PATHS_MAX;
}

/* Whether some group turns on the option x, in which '#' begins a comment. */
static bool
may_have_comments(const char *pattern)
{
	for (const char *p = pattern; (p = strstr(p, "(?")) != NULL; p += 2)
		if (p[2] == '#' || memchr(p + 2, 'x', strspn(p + 2, "imsnJUx-^")) != NULL)
			return true;
	return false;
}

/* Calls, quotations and comments are not looked into: there may be any number. */
static uint64_t
find_paths(const char *pattern, bool has_call)
{
	const char *p = pattern;
	uint64_t n = count_paths(&p, 0);

	if (has_call || *p != '\0' || strstr(pattern, "\\Q") != NULL || may_have_comments(pattern))
		return PATHS_MAX;
	return n;
}

int
regex_look(const char *pattern, struct regex_facts *r, size_t *offset_r, const char **error_r)
{
	const char *call = NULL;
	char before = '\0';

	memset(r, 0, sizeof *r);
	r->is_monotone = true;
	for (const char *p = pattern; *p != '\0'; p += item_length(p)) {
		*offset_r = (size_t)(p - pattern);
		*error_r = refuse(p);
		if (*error_r != NULL)
			return -1;
		if (is_lookbehind(p) && r->lookbehinds++ == 0)
			r->lookbehind_at = *offset_r;
		if (is_call(p))
			call = p;
		r->is_monotone = r->is_monotone && is_monotone_item(p, before);
		before = *p != '\\' ? *p : '\0';
	}
	r->paths = find_paths(pattern, call != NULL);
	if (call == NULL || r->lookbehinds == 0)
		return 0;
	*offset_r = (size_t)(call - pattern);
	*error_r = "a subroutine call is not supported in a pattern with a lookbehind";
	return -1;
}
