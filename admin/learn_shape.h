/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What texts of one origin have in common: what varies from message to message
 * or device to device is left out. Pure; ASCII case is ignored.
 */
#ifndef POSTERN_ADMIN_LEARN_SHAPE_H
#define POSTERN_ADMIN_LEARN_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* A local part with * for each run of digits, each longer hexadecimal token, and all
 * behind a "+": "scanner-*", "bounce+*". Added to t; how many stars. */
unsigned learn_shape_local(const char *local, struct text *t);

/* Whether a local part's shape says enough to become a pattern: one * and at least
 * three letters beside it. */
bool learn_shape_is_telling(const char *shape);

/* A host name with # for each run of digits; "" for none. Added to t. */
void learn_shape_host(const char *host, struct text *t);

/* The host of a Message-ID, likewise. */
void learn_shape_message_id(const char *id, struct text *t);

/* How a subject begins, as a number: its first two words with # for digits. 0 where
 * there is no subject, or it was dropped; of one that is kept as a hash, the whole. */
uint32_t learn_shape_subject(const char *subject);

/* A text's number, never 0. */
uint32_t learn_shape_number(const char *s);

/* A few of the numbers that were seen, with their counts: the first ones, and how
 * many there were of all. */
#define LEARN_SKETCH 16u
struct learn_sketch {
	uint32_t number[LEARN_SKETCH];
	uint32_t count[LEARN_SKETCH];
	uint64_t total;
};

/* Counts a number; 0 is none and is not counted. */
void learn_sketch_add(struct learn_sketch *s, uint32_t number);

/* Whether two sources are alike by what was counted of them. Unknown where one has
 * too little, or no two messages of it are alike. */
enum learn_alike { LEARN_UNKNOWN, LEARN_ALIKE, LEARN_DIFFERENT };
enum learn_alike learn_sketch_compare(const struct learn_sketch *a, const struct learn_sketch *b);

#endif
