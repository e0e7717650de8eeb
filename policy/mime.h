/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A message body read as MIME (RFC 2045, 2046) while it comes in, for rules
 * that ask for text, attachment names and types. Nothing of the body is kept:
 * a reader takes some 40 KiB whatever it reads. Attachments are not decoded,
 * only searched for boundaries.
 *
 * What can be read in two ways is read in one of them and is uncertain: who
 * decides by what was read must ask. Two readers that see one message
 * differently are how content gets past a filter.
 *
 * A message within the message is read like its own parts, but not when it
 * claims to be base64 or quoted-printable, which RFC 2046 section 5.2.1
 * forbids: then it is uncertain, as is a multipart that does, which is read as
 * it stands.
 *
 * What is not looked into: archives and documents, TNEF, uuencoded text within
 * plain text, encrypted and opaquely signed parts (rules can name their types),
 * and charsets that only the text itself claims (HTML's meta). Bare CR and LF
 * are the caller's to refuse (struct body_facts): here LF ends a line, CR does not.
 */
#ifndef POSTERN_POLICY_MIME_H
#define POSTERN_POLICY_MIME_H

#include <stddef.h>

#include "policy/header.h"

/* Beyond these a message is uncertain. Mail as people and programs write it
 * has a tenth of each at most. */
#define MIME_DEPTH_MAX 20u        /* open multiparts, messages within messages: 280 octets of memory each */
#define MIME_PARTS_MAX 1000u      /* a header costs up to 100 us; what follows is not read */
#define MIME_TEXT_MAX (16u << 20) /* octets of UTF-8: patterns run over so much in well under a second */
#define MIME_HEADER_MAX 16384u    /* those fields of a part's header that are looked at */
#define MIME_LINE_MAX 4096u       /* a line of such a field, and a boundary's; RFC 5322 allows 998 */
#define MIME_BOUNDARY_MAX 250u    /* RFC 2046 allows 70 */

struct mime;

/* What is told of the message, in its order. Strings live for the call. Each
 * may be NULL; without `text`, text is not decoded. */
struct mime_events {
	/* A part that is no multipart, also a message within the message, before
	 * what is in it; then its names. `type` and `disposition` in lower case,
	 * disposition "" when there is none. */
	void (*part)(void *context, const char *type, const char *disposition);

	/* One name of the part, UTF-8, as it stands: ".." and "/" are for the
	 * rule to see. Each way to read it is told, each once. */
	void (*name)(void *context, const char *name);

	/* A piece of the decoded text of all text parts, whatever their
	 * disposition, in whole characters of valid UTF-8; lines end in "\n", and
	 * there is one "\n" between two parts that have text. */
	void (*text)(void *context, const char *utf8, size_t len);
};

/* A reader for the body below this header; may tell of a part at once. `top`
 * is not needed any more afterwards. Freed with mime_free(). NULL when memory
 * is short. One thread at a time. */
struct mime *mime_new(const struct header *top, const struct mime_events *e, void *context);
void mime_free(struct mime **m);

/* Some octets of the body, cut anywhere. */
void mime_body(struct mime *m, const void *data, size_t len);

/* The body is over. */
void mime_end(struct mime *m);

/* NULL when all was read for certain so far, or the first reason why not, a
 * static text: of the text (and what is a text), of parts and their names, of either. */
const char *mime_text_uncertain(const struct mime *m);
const char *mime_parts_uncertain(const struct mime *m);
const char *mime_uncertain(const struct mime *m);

#endif
