/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Encoded words (RFC 2047): found, undone, and whole header fields as a reader
 * sees them. Linear in time. Pure.
 */
#ifndef POSTERN_POLICY_WORDS_H
#define POSTERN_POLICY_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* One encoded word; the pointers lead into the text it was found in. */
struct encoded_word {
	const char *charset;
	size_t charset_len;     /* with the language of RFC 2231 section 5, if there is one */
	char encoding;          /* 'b' or 'q' */
	const char *body;
	size_t body_len;
	size_t len;             /* octets of the whole word */
};

/* The encoded word that begins at s ("=?"); false when it is none that is
 * well formed. What stands before and after it does not matter. */
bool words_find(const char *s, const char *end, struct encoded_word *r);

/* The name of the charset without its language; "" when it is too long for one. */
void words_charset(const struct encoded_word *w, char name[32]);

/* The octets of the word, at most body_len of them, to `out`, which may not
 * be the word itself. Sets *is_certain (never true) to false when the body is
 * malformed; it is read as transfer.h says. */
size_t words_octets(const struct encoded_word *w, char *out, bool *is_certain);

/* An unfolded field value in UTF-8, as a reader sees it: encoded words decoded
 * wherever they stand, white space between two taken out, characters that are
 * split over words of one charset put together. What is no word stays; octets
 * outside of words are UTF-8 or windows-1252. Control octets that come out of
 * a word become spaces. *is_certain_r is false for: a word that is not well
 * formed (it stays as it stands) or whose body is malformed, an unknown
 * charset (read as if it had none), control octets, malformed characters.
 * Never NULL; "" when memory is short (see arena_failed()). */
const char *words_decode(struct arena *a, const char *value, bool *is_certain_r);

#endif
