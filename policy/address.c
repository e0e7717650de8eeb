/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One cursor that only moves forward. Display names and encoded words are in
 * display.c, patterns of senders in pattern.c.
 */
#include "policy/address.h"

#include <string.h>

#include "base/text.h"
#include "policy/display.h"
#include "policy/domain.h"
#include "policy/network.h"

#define LOCAL_MAX 64u
#define ADDRESS_MAX 254u

struct cursor {
	struct arena *arena;
	const char *start, *s;  /* ends in NUL */
	struct address_error *error;
	char *shown;            /* what a reader sees beside the address; NULL: nothing kept */
	size_t shown_len;
};

static int
fail(struct cursor *c, const char *what, const char *expected)
{
	c->error->column = (size_t)(c->s - c->start) + 1;
	c->error->what = what;
	c->error->expected = expected;
	return -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool
is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}

static bool
is_atext(char c)
{
	return text_is_alpha(c) || text_is_digit(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_dot_atom(const char *s)
{
	if (*s == '\0')
		return false;
	for (size_t i = 0; s[i] != '\0'; i++) {
		bool is_lone_dot = s[i] == '.' && (i == 0 || s[i + 1] == '\0' || s[i + 1] == '.');

		if (is_lone_dot || (s[i] != '.' && !is_atext(s[i])))
			return false;
	}
	return true;
}

/* What stands at the cursor where it should not. */
static int
fail_here(struct cursor *c, const char *expected)
{
	static const struct {
		char c;
		const char *what;
	} marks[] = {
		{ '\0', "the end" },          { ' ', "white space" },
		{ '\t', "white space" },      { '\r', "a line end" },
		{ '\n', "a line end" },       { '(', "a comment" },
		{ ')', "a closing parenthesis" }, { '<', "a second '<'" },
		{ '>', "'>'" },               { ',', "a list of mailboxes" },
		{ ':', "a group or a route" }, { ';', "a semicolon" },
		{ '@', "a second '@'" },      { '"', "a quotation mark" },
		{ '\\', "a backslash outside quotes" }, { '[', "a bracket" },
		{ ']', "a bracket" },
	};

	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		if (*c->s == marks[i].c)
			return fail(c, marks[i].what, expected);
	if (is_control(*c->s))
		return fail(c, "a control octet", expected);
	if (is_8bit(*c->s))
		return fail(c, "an octet that is not ASCII", expected);
	return fail(c, "text that does not belong here", expected);
}

/* The quoted local part: without quotes into r->local. */
static int
read_quoted_local(struct cursor *c, struct address *r)
{
	const char *open = c->s;
	char buf[LOCAL_MAX + 1];
	size_t len = 0;

	for (c->s++; *c->s != '"'; c->s++) {
		if (*c->s == '\\') {
			c->s++;
			if (*c->s != '"' && *c->s != '\\')
				return fail(c, "a needless backslash", "'\"' or '\\' after it");
		} else if (*c->s != ' ' && (*c->s <= ' ' || *c->s > '~')) {
			return fail_here(c, "the closing quotation mark");
		}
		if (len == LOCAL_MAX)
			return fail(c, "a local part of more than 64 octets", "a shorter one");
		buf[len++] = *c->s;
	}
	c->s++;
	buf[len] = '\0';
	if (is_dot_atom(buf)) {
		c->s = open;
		return fail(c, "needless quotes", "the local part without quotes");
	}
	r->local = arena_substring(c->arena, buf, len);
	r->is_quoted = true;
	return 0;
}

static int
read_local(struct cursor *c, struct address *r)
{
	const char *from = c->s;

	if (*c->s == '"')
		return read_quoted_local(c, r);
	for (; is_atext(*c->s) || *c->s == '.'; c->s++)
		if (*c->s == '.' && (c->s == from || c->s[-1] == '.'))
			return fail(c, "a dot with no atom before it", "an atom");
	if (c->s == from)
		return *c->s == '@' ? fail(c, "a source route or no local part", "a local part")
				    : fail_here(c, "a local part");
	if (c->s[-1] == '.')
		return fail(c, "a dot with no atom after it", "an atom");
	if ((size_t)(c->s - from) > LOCAL_MAX)
		return fail(c, "a local part of more than 64 octets", "a shorter one");
	r->local = arena_substring(c->arena, from, (size_t)(c->s - from));
	return 0;
}

/* "[10.1.2.3]" or "[IPv6:2001:db8::1]". */
static int
read_literal(struct cursor *c, struct address *r)
{
	char buf[IP_TEXT_SIZE + 8];
	struct ip ip;
	size_t len = strcspn(c->s, "]");

	if (c->s[len] != ']' || len - 1 >= sizeof buf)
		return fail(c, "an address literal that does not end", "']'");
	memcpy(buf, c->s + 1, len - 1);
	buf[len - 1] = '\0';
	if (ip_parse(buf, &ip) != 0 ||
	    (strchr(buf, ':') != NULL && !text_has_prefix(buf, "IPv6:")))
		return fail(c, "an address literal that is no IP address", "an IP address");
	r->domain = arena_lower(c->arena, c->s, len + 1);
	r->is_literal = true;
	c->s += len + 1;
	return 0;
}

static int
read_domain(struct cursor *c, struct address *r)
{
	const char *from = c->s, *why;
	size_t column;

	if (*c->s == '[')
		return read_literal(c, r);
	while (text_is_alpha(*c->s) || text_is_digit(*c->s) || *c->s == '-' || *c->s == '.' ||
	       is_8bit(*c->s))
		c->s++;
	if (c->s == from)
		return fail_here(c, "a domain");
	r->domain = domain_normalise(c->arena, from, (size_t)(c->s - from), &why, &column);
	if (r->domain == NULL) {
		r->domain = "";
		c->s = from + column - 1;
		return fail(c, why, "a domain");
	}
	return 0;
}

/* The local part as it must be written. */
static const char *
written_local(struct arena *a, const struct address *r)
{
	char buf[2 * LOCAL_MAX + 3];
	size_t len = 0;

	if (!r->is_quoted)
		return r->local;
	buf[len++] = '"';
	for (const char *s = r->local; *s != '\0' && len + 3 < sizeof buf; s++) {
		if (*s == '"' || *s == '\\')
			buf[len++] = '\\';
		buf[len++] = *s;
	}
	buf[len++] = '"';
	return arena_substring(a, buf, len);
}

static void
clear_address(struct address *r)
{
	memset(r, 0, sizeof *r);
	r->local = r->domain = r->text = "";
}

/* local-part "@" domain, and nothing of what follows. */
static int
read_addr_spec(struct cursor *c, struct address *r)
{
	if (read_local(c, r) != 0)
		return -1;
	if (*c->s == '\0' || *c->s == '>')
		return fail(c, "an address without a domain", "'@' and a domain");
	if (*c->s != '@')
		return fail_here(c, "'@'");
	c->s++;
	if (read_domain(c, r) != 0)
		return -1;
	r->text = arena_printf(c->arena, "%s@%s", written_local(c->arena, r), r->domain);
	r->has_routing = strpbrk(r->local, "%!@") != NULL;
	if (strlen(r->text) > ADDRESS_MAX)
		return fail(c, "an address of more than 254 octets", "a shorter one");
	if (arena_failed(c->arena))
		return fail(c, "more than memory was there for", "less");
	return 0;
}

/* "postmaster" up to the end or ">". */
static bool
is_postmaster(const char *s)
{
	return text_has_prefix(s, "postmaster") && (s[10] == '\0' || strcmp(s + 10, ">") == 0);
}

int
address_parse_path(struct arena *a, const char *s, bool empty_is_null, struct address *r,
		   struct address_error *error_r)
{
	struct cursor c = { .arena = a, .start = s, .s = s, .error = error_r };
	bool has_brackets = *s == '<';

	clear_address(r);
	if (strcmp(s, "<>") == 0 || (*s == '\0' && empty_is_null)) {
		r->is_null = true;
		return 0;
	}
	if (has_brackets)
		c.s++;
	if (is_postmaster(c.s) && has_brackets == (c.s[10] == '>')) {
		r->is_postmaster = true;
		r->local = r->text = arena_substring(a, c.s, 10);
		return 0;
	}
	if (read_addr_spec(&c, r) != 0)
		return -1;
	if (has_brackets && *c.s != '>')
		return fail_here(&c, "'>'");
	if (has_brackets)
		c.s++;
	return *c.s == '\0' ? 0 : fail_here(&c, "the end of the address");
}

static void
show(struct cursor *c, char octet)
{
	c->shown[c->shown_len++] = octet;
}

/* The octets of white space at s, a fold included; 0 for none. */
static size_t
space_length(const char *s)
{
	if (is_blank(*s))
		return 1;
	if (s[0] == '\n' && is_blank(s[1]))
		return 2;
	return s[0] == '\r' && s[1] == '\n' && is_blank(s[2]) ? 3 : 0;
}

static void
skip_space(struct cursor *c)
{
	size_t n;

	if (space_length(c->s) > 0)
		show(c, ' ');
	while ((n = space_length(c->s)) > 0)
		c->s += n;
}

/* One octet within quotes or a comment: what follows a backslash, white space,
 * or text. */
static int
read_inner(struct cursor *c)
{
	size_t n = space_length(c->s);

	if (n > 0) {
		show(c, ' ');
		c->s += n;
		return 0;
	}
	if (*c->s == '\\' && c->s[1] != '\0')
		c->s++;
	if (is_control(*c->s) && *c->s != '\t')
		return fail_here(c, "the end of quotes or a comment");
	show(c, *c->s++);
	return 0;
}

static int
read_comment(struct cursor *c)
{
	size_t depth = 0;

	do {
		if (*c->s == '(' || *c->s == ')') {
			depth = *c->s == '(' ? depth + 1 : depth - 1;
			show(c, *c->s++);
		} else if (*c->s == '\0') {
			return fail(c, "a comment that does not end", "')'");
		} else if (read_inner(c) != 0) {
			return -1;
		}
	} while (depth > 0);
	return 0;
}

static int
skip_comments(struct cursor *c)
{
	for (;;) {
		skip_space(c);
		if (*c->s != '(')
			return 0;
		if (read_comment(c) != 0)
			return -1;
	}
}

static int
read_quoted_word(struct cursor *c)
{
	for (c->s++; *c->s != '"';) {
		if (*c->s == '\0')
			return fail(c, "quotes that do not end", "'\"'");
		if (read_inner(c) != 0)
			return -1;
	}
	c->s++;
	return 0;
}

/* Whether an address without angle brackets begins here: one word, then '@'. */
static bool
is_bare_address(const char *s)
{
	if (*s == '"') {
		for (s++; *s != '"' && *s != '\0'; s++)
			if (*s == '\\' && s[1] != '\0')
				s++;
		return *s == '"' && s[1] == '@';
	}
	while (is_atext(*s) || *s == '.' || is_8bit(*s))
		s++;
	return *s == '@';
}

/* The display name, up to '<'. */
static int
read_phrase(struct cursor *c)
{
	while (*c->s != '<') {
		if (*c->s == '"') {
			if (read_quoted_word(c) != 0)
				return -1;
		} else if (is_atext(*c->s) || *c->s == '.' || is_8bit(*c->s)) {
			show(c, *c->s++);
		} else if (space_length(c->s) > 0 || *c->s == '(') {
			if (skip_comments(c) != 0)
				return -1;
		} else if (*c->s == '\0') {
			return fail(c, "no address with a domain", "one mailbox");
		} else if (*c->s == ':') {
			return fail(c, "a group", "one mailbox");
		} else if (*c->s == '@') {
			return fail(c, "an '@' in a display name without quotes", "'<'");
		} else {
			return fail_here(c, "one mailbox");
		}
	}
	return 0;
}

static int
read_angle_address(struct cursor *c, struct address *r)
{
	c->s++;
	if (*c->s == '>')
		return fail(c, "an empty address", "an address");
	if (read_addr_spec(c, r) != 0)
		return -1;
	if (*c->s != '>')
		return fail_here(c, "'>'");
	c->s++;
	return 0;
}

/* All of the value; what a reader sees beside the address into c->shown. */
static int
read_mailbox(struct cursor *c, struct address *r)
{
	if (skip_comments(c) != 0)
		return -1;
	if (is_bare_address(c->s)) {
		if (read_addr_spec(c, r) != 0)
			return -1;
	} else if (read_phrase(c) != 0 || read_angle_address(c, r) != 0) {
		return -1;
	}
	if (skip_comments(c) != 0)
		return -1;
	return *c->s == '\0' ? 0 : fail_here(c, "the end after one mailbox");
}

int
address_parse_mailbox(struct arena *a, const char *value, struct mailbox *r,
		      struct address_error *error_r)
{
	struct cursor c = { .arena = a, .start = value, .s = value, .error = error_r };
	struct display d;
	size_t start = 0;

	memset(r, 0, sizeof *r);
	clear_address(&r->address);
	r->display = "";
	c.shown = arena_alloc(a, strlen(value) + 2);
	if (c.shown == NULL)
		return fail(&c, "more than memory was there for", "less");
	if (read_mailbox(&c, &r->address) != 0)
		return -1;
	while (c.shown_len > 0 && c.shown[c.shown_len - 1] == ' ')
		c.shown_len--;
	while (start < c.shown_len && c.shown[start] == ' ')
		start++;
	display_decode(a, c.shown + start, c.shown_len - start, &d);
	r->display = d.text;
	r->has_encoded_word = d.has_encoded_word;
	r->display_is_certain = d.is_certain;
	return 0;
}
