/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fields of a value and parameters: Content-Type and Content-Disposition (RFC
 * 2045 section 5.1, RFC 2183), with the continuations, charsets and percent
 * coding of RFC 2231 and, within values, the encoded words that mailers put
 * there against RFC 2047 section 5. Reads what can be read, and says where two
 * readers could differ. Pure.
 */
#ifndef POSTERN_POLICY_PARAM_H
#define POSTERN_POLICY_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* More pieces than this are not read and make a doubt: putting them together
 * takes time by their square, and no mailer writes more than a dozen. */
#define PARAM_PIECES_MAX 128u

/* One parameter as it stands. */
struct param_piece {
	const char *name;       /* lower case, without what RFC 2231 adds */
	int section;            /* of a continuation, -1 for none */
	bool is_extended;       /* the name ends in '*' */
	const char *value;      /* unquoted */
	const char *literal;    /* another way to read it, or NULL: see param_names() */
	struct param_piece *next;
};

struct param_list {
	const char *value;      /* before the first ';', lower case, without comments; "" for none */
	struct param_piece *first, *last;
	size_t count;
	const char *doubt;      /* static: what readers may differ about, or NULL */
};

/* Reads an unfolded field value. All strings are in the arena. */
void param_read(struct arena *a, const char *value, struct param_list *r);

/* The one value of a parameter that machines act on (boundary, charset), or
 * NULL. *doubt_r is set (never cleared) when it is given twice, or by means of
 * RFC 2231, which not every reader knows. */
const char *param_one(struct arena *a, const struct param_list *l, const char *name, const char **doubt_r);

/* Hands every way to read a parameter that people act on (filename, name) to
 * `put` in UTF-8: each value that stands there, the continuations put together
 * in the order of their numbers, a value with backslashes that mean nothing
 * also with them, an unquoted value also up to the next ';'. The same text may
 * come twice. *doubt_r as above: a broken encoding, unknown charset, missing
 * number. */
void param_names(struct arena *a, const struct param_list *l, const char *name,
		 void (*put)(void *context, const char *utf8), void *context, const char **doubt_r);

#endif
