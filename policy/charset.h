/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Text of the charsets that mail is written in, made UTF-8. Octets may come in
 * pieces that end anywhere: within a character, within an escape sequence.
 * ASCII, UTF-8, UTF-16, UTF-32 and windows-1252 are read here, all others by
 * the system's iconv. Pure, but that iconv loads a table from disk when it is
 * first used.
 */
#ifndef POSTERN_POLICY_CHARSET_H
#define POSTERN_POLICY_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

struct charset;
struct charset_reader;

/* Where text goes: UTF-8, in whole characters. */
struct charset_sink {
	void (*put)(void *context, const char *utf8, size_t len);
	void *context;
};

/* The charset of this name (a MIME name or a usual alias, ASCII case ignored),
 * or NULL for what is not known. UTF-7 is not: nobody needs it who does not
 * hide something. Names are read as mail readers do: iso-8859-1 is
 * windows-1252, gb2312 is GB18030, and so on. Static, lives for ever. */
const struct charset *charset_find(const char *name);

/* Text that does not say its charset: UTF-8 where it is well formed, each
 * other octet windows-1252. Text that holds both counts as malformed. */
const struct charset *charset_undeclared(void);

/* Whether it is US-ASCII; its octets above 0x7f are malformed. */
bool charset_is_ascii(const struct charset *c);

/* Whether characters are units of two or four octets. */
bool charset_is_wide(const struct charset *c);

/* Whether escape sequences say what octets mean (ISO 2022). */
bool charset_is_stateful(const struct charset *c);

/* Whether both names found the same one. */
bool charset_same(const struct charset *a, const struct charset *b);

/* A reader, freed with charset_close(). NULL when the system does not have
 * the charset or memory is short. One thread at a time. */
struct charset_reader *charset_open(const struct charset *c, struct charset_sink sink);
void charset_close(struct charset_reader **r);

/* Reads on. What is malformed becomes U+FFFD, a byte order mark at the start
 * is taken out; text may be kept back until charset_end(). */
void charset_read(struct charset_reader *r, const char *s, size_t len);

/* The text is over: what is incomplete is malformed. The reader is as new,
 * but remembers whether anything was malformed. */
void charset_end(struct charset_reader *r);

/* Whether anything so far was malformed, or a UTF-16 or UTF-32 text did not
 * say its byte order (then read as RFC 2781 section 4.3 has it: big endian). */
bool charset_has_malformed(const struct charset_reader *r);

#endif
