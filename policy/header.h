/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The header of a message: its fields in order, and the checks of form that
 * need no policy. Pure; memory from the message's arena.
 */
#ifndef POSTERN_POLICY_HEADER_H
#define POSTERN_POLICY_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct header_field {
	const char *name;      /* without white space before the colon */
	const char *value;     /* as received, leading space kept, lines after "\n" */
	size_t index;          /* 1 for the first field of this name, 2 for the next: what a milter calls it */
	struct header_field *next;
	struct header_field *older; /* the field before it in its bucket */
};

#define HEADER_BUCKETS 256u

struct header {
	struct arena *arena;
	struct header_field *first, *last;
	struct header_field *buckets[HEADER_BUCKETS]; /* by name, the newest first */
	size_t count;
	size_t octets;         /* name, value, colon and line ends */
	size_t largest;        /* the largest field */
	size_t longest_signed_line; /* octets of the longest line of fields for which `covers` was said */
};

void header_start(struct header *h, struct arena *a);

/* Adds a field; strings are copied. `covers`: whether a signature covers it. */
void header_add(struct header *h, const char *name, const char *value, bool covers);

/* The first field of this name (ASCII case ignored), or NULL. */
const struct header_field *header_find(const struct header *h, const char *name);
size_t header_count(const struct header *h, const char *name);

/* The value unfolded: line ends before white space (also several) taken out,
 * white space at both ends trimmed. In the arena. */
const char *header_unfold(struct arena *a, const char *value);

/* The first field name that may stand once (RFC 5322 section 3.6, RFC 2045)
 * but stands twice, other than From; NULL when there is none. */
const char *header_repeated(const struct header *h);

/* The first Resent-* field's name (RFC 5322 section 3.6.6), or NULL. */
const char *header_resent(const struct header *h);

/* A field whose value has a bare CR, a line end not followed by white space,
 * or whose name is no field name (RFC 5322 section 3.6.8): its name, or NULL. */
const char *header_broken(const struct header *h);

/* Whether a field of this name is trusted further on and so nobody's to bring:
 * those of what Exchange calls its header firewall, and our own. */
bool header_is_trusted(const char *name);

/* The media type of Content-Type in lower case, "text/plain" when there is
 * none or it cannot be read (RFC 2045 section 5; comments and white space may
 * stand between its tokens). */
const char *header_media_type(const struct header *h, struct arena *a);

#endif
