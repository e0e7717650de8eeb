/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses: paths of the envelope (RFC 5321 section 4.1.2) and mailboxes of
 * header fields (RFC 5322 section 3.4), strict: what could be read in two ways
 * is an error, never a guess. Linear in time. Pure.
 */
#ifndef POSTERN_POLICY_ADDRESS_H
#define POSTERN_POLICY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* An address that could be parsed for certain. All strings are in the arena. */
struct address {
	const char *local;   /* local part, unquoted; "" for the null path */
	const char *domain;  /* A-labels, lower case, no final dot; "" for none; "[...]" for a literal */
	const char *text;    /* canonical: local part as it must be written, "@", domain */
	bool is_null;        /* <> */
	bool is_quoted;      /* the local part can only be written quoted */
	bool is_literal;     /* the domain is an address literal */
	bool is_postmaster;  /* <postmaster> without a domain (RFC 5321 section 4.5.1) */
	bool has_routing;    /* an unquoted or quoted local part with % ! or @ in it */
};

/* Why something could not be parsed. */
struct address_error {
	size_t column;       /* 1 is the first octet: where certainty ended */
	const char *what;    /* static: "a second mailbox", "a group", ... */
	const char *expected;/* static: "one mailbox", "'>'", ... */
};

/* A path as the MTA hands it over, with or without angle brackets. A null path
 * is <> (or an empty string when `empty_is_null`). Source routes, comments,
 * white space, control octets, unqualified names (but postmaster), a final
 * dot, needless quotes and 8-bit local parts are errors; a domain in UTF-8 is
 * turned into A-labels by strict IDNA 2008 (no mapping: full-width, upper case
 * non-ASCII and ignorable code points are errors). 0, or -1 with *error_r. */
int address_parse_path(struct arena *a, const char *s, bool empty_is_null,
		       struct address *r, struct address_error *error_r);

/* A mailbox of a header field. */
struct mailbox {
	struct address address;
	/* The display name and comments as a reader would see them, with RFC
	 * 2047 encoded words decoded as far as ASCII goes (octets of ASCII
	 * compatible charsets as they are); "" for none. */
	const char *display;
	bool has_encoded_word;
	/* 1 certain; 0 the display name holds an encoded word in a charset
	 * whose reading is not certain (UTF-7, UTF-16, unknown; characters of
	 * four octets in GB 18030), a malformed encoded word, or octets that
	 * are not UTF-8. */
	bool display_is_certain;
};

/* The value of a field that must hold exactly one mailbox (From, Sender): the
 * unfolded or folded value (CRLF or LF before white space is white space). A
 * group, a list, a route, an address without domain, a comment or white space
 * inside the addr-spec, text after the angle bracket, an unquoted special in
 * the display name, control octets: errors. Display names may be atoms
 * with dots, quoted strings, encoded words, raw UTF-8. 0, or -1 with *error_r. */
int address_parse_mailbox(struct arena *a, const char *value,
			  struct mailbox *r, struct address_error *error_r);

/* The next thing in a display name that a reader takes for an address: text
 * with an @ between what could be a local part and a dotted domain, in ASCII
 * or wide forms. Returns where to look for the one after it, or NULL when
 * there is none; the find is parsed into *r (its local part from where it is
 * plain ASCII) when it is an address for certain, otherwise *r is a null
 * address. */
const char *address_find_in_text(struct arena *a, const char *text, struct address *r);

/* Whether a display name shows an address within angle brackets, has
 * bidirectional overrides, embeddings or isolates (U+202A-202E, U+2066-2069),
 * or an at sign and code points that show nothing. */
bool address_display_is_hostile(const char *display);

/* A pattern of `senders`: address, or glob with * in the local part or as
 * the whole local part, "@", domain, which may begin with "*." for any
 * subdomain; or "<>". Kept parsed. */
struct address_pattern {
	const char *local;      /* lower case; with * when has_star */
	const char *domain;     /* A-labels, lower case, without "*." */
	const char *text;       /* as written */
	bool has_star;
	bool any_subdomain;     /* the domain began with "*." */
	bool is_null;           /* "<>" */
};

int address_parse_pattern(struct arena *a, const char *s,
			  struct address_pattern *r, struct address_error *error_r);

/* Whether the address matches. ASCII case is ignored. A pattern without * does
 * not cover sub-addresses; one with * covers only dot-atom local parts without
 * % and ! and not those that begin with SRS0 or SRS1 and = + or -. */
bool address_matches(const struct address_pattern *p, const struct address *a);

/* Whether two addresses are the same mailbox (local part and domain, ASCII
 * case ignored). */
bool address_same(const struct address *a, const struct address *b);

#endif
