/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the header of a message or of a part says of its body. For mime.c. Pure.
 */
#ifndef POSTERN_POLICY_PART_H
#define POSTERN_POLICY_PART_H

#include <stdbool.h>

#include "base/arena.h"
#include "policy/charset.h"
#include "policy/header.h"
#include "policy/transfer.h"

enum part_kind {
	PART_MULTI,             /* multipart/anything that has a boundary */
	PART_MESSAGE,           /* message/rfc822, message/global */
	PART_TEXT,              /* text/anything, and what is to be read as text */
	PART_OTHER,
};

struct part_name {
	const char *text;       /* UTF-8 */
	struct part_name *next;
};

/* Strings are in the arena. A doubt is a static text, NULL for none. */
struct part {
	enum part_kind kind;
	const char *type;       /* media type in lower case */
	const char *disposition; /* lower case, "" for none */
	const char *boundary;   /* of PART_MULTI */
	const struct charset *charset; /* of PART_TEXT, never NULL there */
	enum transfer_encoding encoding;
	struct part_name *names; /* each once */
	const char *doubt_text; /* the text or the structure within may be read in two ways */
	const char *doubt_parts; /* the structure, the type or the names may be */
};

/* Reads Content-Type (absent: default_type; not well formed: text/plain, RFC
 * 2045 section 5.2, and a doubt), Content-Transfer-Encoding and
 * Content-Disposition. */
void part_read(struct arena *a, const struct header *h, const char *default_type, struct part *r);

#endif
