/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See address.h. One pass, one octet of lookahead; every error names the octet
 * at which certainty ended. Display names are read in display.c, patterns in
 * pattern.c.
 */
#include "policy/address.h"

#include <string.h>

#include "base/text.h"
#include "policy/display.h"
#include "policy/domain.h"

#define LOCAL_MAX 256u

/* What is being read. */
struct reader {
	struct arena *arena;
	const char *start, *end;
	struct address_error *error;
};

static int
fail(struct reader *r, const char *at, const char *what, const char *expected)
{
	r->error->column = (size_t)(at - r->start) + 1;
	r->error->what = what;
	r->error->expected = expected;
	return -1;
}

/* RFC 5322 section 3.2.3. */
static bool
is_atext(char c)
{
	return text_is_alpha(c) || text_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_dot_atom(const char *s, size_t n)
{
	if (n == 0 || s[0] == '.' || s[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '.' ? s[i + 1] == '.' : !is_atext(s[i]))
			return false;
	return true;
}

static const char *
quote_local(struct arena *a, const char *s)
{
	struct text t = {0};
	const char *r;

	text_add_char(&t, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			text_add_char(&t, '\\');
		text_add_char(&t, *s);
	}
	text_add_char(&t, '"');
	r = arena_string(a, text_string(&t));
	text_free(&t);
	return r;
}

/* A quoted local part that starts at s; *next_r is behind its last quote. */
static int
quoted_local(struct reader *r, const char *s, const char *end, const char **next_r, struct address *a)
{
	struct text t = {0};
	const char *p;
	int result = 0;

	for (p = s + 1; p < end && *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (p >= end || (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) {
			result = fail(r, p < end ? p : s, "an octet that no quoted local part holds", "printable ASCII");
			break;
		}
		text_add_char(&t, *p);
	}
	if (result == 0 && p >= end)
		result = fail(r, s, "a quote that is not closed", "'\"'");
	if (result == 0) {
		a->local = arena_string(r->arena, text_string(&t));
		a->is_quoted = true;
		if (is_dot_atom(a->local, strlen(a->local)))
			result = fail(r, s, "needless quotes, a second spelling of the address",
				      "the local part without quotes");
	}
	text_free(&t);
	*next_r = p + 1;
	return result;
}

/* What a stray octet in an address means. */
static int
stray(struct reader *r, const char *at)
{
	unsigned char c = (unsigned char)*at;

	if (c >= 0x80)
		return fail(r, at, "an octet beyond ASCII in the local part", "ASCII");
	if (c == '(' || c == ')')
		return fail(r, at, "a comment inside the address", "local-part@domain without comments");
	if (is_space(*at))
		return fail(r, at, "white space inside the address", "local-part@domain without spaces");
	if (c == '@')
		return fail(r, at, "a second '@' or a route", "one '@'");
	if (c == ':')
		return fail(r, at, "a group or a route", "one mailbox");
	if (c == ',' || c == ';')
		return fail(r, at, "a list", "one mailbox");
	if (c < 0x20 || c == 0x7f)
		return fail(r, at, "a control octet", "printable ASCII");
	return fail(r, at, "an octet that no address holds there", "local-part@domain");
}

static int
plain_local(struct reader *r, const char *s, const char *end, const char **next_r, struct address *a)
{
	const char *p = s;

	while (p < end && (is_atext(*p) || *p == '.'))
		p++;
	*next_r = p;
	if (p == s)
		return p == end ? fail(r, p, "no address", "local-part@domain") : stray(r, p);
	if (p == end)
		return fail(r, p, "an address without a domain", "'@' and a domain");
	if (*p != '@')
		return stray(r, p);
	if (!is_dot_atom(s, (size_t)(p - s)))
		return fail(r, s, "a local part with a dot at its edge or two in a row", "a plain local part");
	a->local = arena_substring(r->arena, s, (size_t)(p - s));
	return 0;
}

static int
domain_part(struct reader *r, const char *s, const char *end, struct address *a)
{
	size_t n = (size_t)(end - s), column = 1;
	const char *what = "";

	if (n == 0)
		return fail(r, s, "an address without a domain", "a domain");
	if (*s == '[') {
		for (const char *p = s + 1; p < end - 1; p++)
			if (!text_is_alpha(*p) && !text_is_digit(*p) && *p != '.' && *p != ':' && *p != '-')
				return fail(r, p, "an octet that no address literal holds", "an address literal");
		if (n < 3 || end[-1] != ']')
			return fail(r, s, "an address literal that is not closed", "']'");
		a->is_literal = true;
		a->domain = arena_lower(r->arena, s, n);
		return 0;
	}
	for (const char *p = s; p < end; p++)
		if (*p == '@' || *p == '(' || *p == ')' || *p == ':' || *p == ',' || *p == ';' || is_space(*p))
			return stray(r, p);
	a->domain = domain_normalise(r->arena, s, n, &what, &column);
	return a->domain == NULL ? fail(r, s + column - 1, what, "a domain name") : 0;
}

/* RFC 5322 section 3.4.1 without comments, white space and obsolete forms. */
static int
addr_spec(struct reader *r, const char *s, const char *end, struct address *a)
{
	const char *at = s;
	int result;

	*a = (struct address){.local = "", .domain = "", .text = ""};
	if (s < end && *s == '@')
		return fail(r, s, "a route or an empty local part", "a local part");
	result = s < end && *s == '"' ? quoted_local(r, s, end, &at, a) : plain_local(r, s, end, &at, a);
	if (result != 0)
		return -1;
	if (at >= end)
		return fail(r, end, "an address without a domain", "'@' and a domain");
	if (*at != '@')
		return stray(r, at);
	if (strlen(a->local) > LOCAL_MAX)
		return fail(r, s, "a local part of more than 256 octets", "a shorter one");
	if (domain_part(r, at + 1, end, a) != 0)
		return -1;
	a->has_routing = strpbrk(a->local, "%!@") != NULL;
	a->text = arena_printf(r->arena, "%s@%s", a->is_quoted ? quote_local(r->arena, a->local) : a->local, a->domain);
	return 0;
}

int
address_parse_path(struct arena *arena, const char *s, bool empty_is_null, struct address *a,
		   struct address_error *error_r)
{
	struct reader r = {.arena = arena, .start = s, .end = s + strlen(s), .error = error_r};
	const char *end = r.end;

	*a = (struct address){.local = "", .domain = "", .text = ""};
	if (s == end) {
		a->is_null = empty_is_null;
		return empty_is_null ? 0 : fail(&r, s, "nothing", "an address or <>");
	}
	if (*s == '<') {
		if (end[-1] != '>')
			return fail(&r, end, "an angle bracket that is not closed", "'>'");
		s++;
		end--;
		if (s == end) {
			a->is_null = true;
			return 0;
		}
	}
	if ((size_t)(end - s) == strlen("postmaster") && text_same_n(s, "postmaster", strlen("postmaster"))) {
		a->local = "postmaster";
		a->text = "postmaster";
		a->is_postmaster = true;
		return 0;
	}
	return addr_spec(&r, s, end, a);
}

/* Past white space and comments; comments go to the display text. NULL when a
 * comment is not closed. */
static const char *
skip_cfws(struct reader *r, const char *p, struct text *display)
{
	while (p < r->end && (is_space(*p) || *p == '(')) {
		const char *open = p;
		size_t depth = 0;

		if (is_space(*p)) {
			text_add_char(display, ' ');
			p++;
			continue;
		}
		do {
			if (*p == '(')
				depth++;
			else if (*p == ')')
				depth--;
			else if (*p == '\\' && p + 1 < r->end)
				p++;
			text_add_char(display, *p);
			p++;
		} while (p < r->end && depth > 0);
		if (depth > 0) {
			fail(r, open, "a comment that is not closed", "')'");
			return NULL;
		}
	}
	return p;
}

static const char *
quoted_string(struct reader *r, const char *p, struct text *display)
{
	const char *open = p;

	for (p++; p < r->end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < r->end)
			p++;
		text_add_char(display, *p == '\r' || *p == '\n' ? ' ' : *p);
	}
	if (p >= r->end) {
		fail(r, open, "a quote that is not closed", "'\"'");
		return NULL;
	}
	return p + 1;
}

/* Octets that no header field may hold, folding aside. */
static int
check_octets(struct reader *r)
{
	for (const char *p = r->start; p < r->end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '\r' && p + 1 < r->end && p[1] == '\n')
			continue;
		if (c == '\n' && (p + 1 == r->end || p[1] == ' ' || p[1] == '\t'))
			continue;
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return fail(r, p, "a control octet", "printable text");
	}
	return 0;
}

/* What a special in a display name means. */
static int
stray_in_phrase(struct reader *r, const char *p)
{
	switch (*p) {
	case ',':
		return fail(r, p, "a second mailbox", "one mailbox");
	case ':':
	case ';':
		return fail(r, p, "a group", "one mailbox");
	case '\\':
		return fail(r, p, "a backslash outside quotes", "a display name or '<'");
	case '@':
		return fail(r, p, "an unquoted '@' in the display name", "quotes around the display name");
	default:
		return fail(r, p, "a special that a display name holds only in quotes", "'<'");
	}
}

/* Reads the display name up to '<'; *at_r is there, or at the '@' of a bare
 * address, or at the end. */
static int
phrase(struct reader *r, const char *p, const char **at_r, struct text *display)
{
	while (p < r->end && *p != '<' && *p != '@') {
		if (is_space(*p) || *p == '(') {
			p = skip_cfws(r, p, display);
		} else if (*p == '"') {
			p = quoted_string(r, p, display);
		} else if (is_atext(*p) || *p == '.' || (unsigned char)*p >= 0x80) {
			text_add_char(display, *p++);
		} else {
			return stray_in_phrase(r, p);
		}
		if (p == NULL)
			return -1;
	}
	*at_r = p;
	return 0;
}

static int
expect_end(struct reader *r, const char *p, struct text *display)
{
	p = skip_cfws(r, p, display);
	if (p == NULL)
		return -1;
	if (p == r->end)
		return 0;
	if (*p == ',' || *p == '<')
		return fail(r, p, "a second mailbox", "the end");
	return fail(r, p, "text after the address", "the end");
}

/* [display-name] <addr-spec> */
static int
name_addr(struct reader *r, const char *open, struct mailbox *m, struct text *display)
{
	const char *p = open + 1;
	bool quoted = false;

	while (p < r->end && (quoted || *p != '>')) {
		if (*p == '\\' && quoted && p + 1 < r->end)
			p++;
		else if (*p == '"')
			quoted = !quoted;
		p++;
	}
	if (p >= r->end)
		return fail(r, r->end, "an angle bracket that is not closed", "'>'");
	if (addr_spec(r, open + 1, p, &m->address) != 0)
		return -1;
	return expect_end(r, p + 1, display);
}

/* addr-spec alone: what stood before its '@' was no display name. */
static int
bare(struct reader *r, struct mailbox *m, struct text *display)
{
	const char *s, *p;
	bool quoted = false;

	text_clear(display);
	s = skip_cfws(r, r->start, display);
	if (s == NULL)
		return -1;
	for (p = s; p < r->end && (quoted || (!is_space(*p) && *p != '(' && *p != ',' && *p != '<')); p++) {
		if (*p == '\\' && quoted && p + 1 < r->end)
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	if (p < r->end && *p == '(' && p > s && !is_space(p[-1]) && memchr(s, '@', (size_t)(p - s)) == NULL)
		return stray(r, p);
	if (addr_spec(r, s, p, &m->address) != 0)
		return -1;
	return expect_end(r, p, display);
}

int
address_parse_mailbox(struct arena *arena, const char *value, struct mailbox *m, struct address_error *error_r)
{
	struct reader r = {.arena = arena, .start = value, .end = value + strlen(value), .error = error_r};
	struct text display = {0};
	const char *at = value;
	int result;

	*m = (struct mailbox){.address = {.local = "", .domain = "", .text = ""}, .display = ""};
	result = check_octets(&r) == 0 ? phrase(&r, value, &at, &display) : -1;
	if (result == 0 && at == r.end)
		result = fail(&r, at, "no address", "local-part@domain");
	else if (result == 0)
		result = *at == '<' ? name_addr(&r, at, m, &display) : bare(&r, m, &display);
	if (result == 0)
		display_read(arena, &display, m);
	text_free(&display);
	return result;
}

bool
address_same(const struct address *a, const struct address *b)
{
	return a->is_null == b->is_null && text_same(a->local, b->local) && text_same(a->domain, b->domain);
}
