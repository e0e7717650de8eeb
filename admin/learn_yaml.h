/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Text that others wrote, put into YAML and its comments so that it stays what it
 * is: nothing in it ends the string, the line or the comment.
 */
#ifndef POSTERN_ADMIN_LEARN_YAML_H
#define POSTERN_ADMIN_LEARN_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* Adds s as a value: bare where that cannot be misread, otherwise in double quotes,
 * all that is not printable ASCII escaped. Octets that are not UTF-8 have no place
 * in YAML: see learn_yaml_can(). */
void learn_yaml_value(struct text *t, const char *s);

/* Whether YAML can hold the text. */
bool learn_yaml_can(const char *s);

/* Adds s to a comment: what is not printable ASCII as \xHH, at most `max` octets. */
void learn_yaml_said(struct text *t, const char *s, size_t max);

/* Adds `lines` with "# " before each. */
void learn_yaml_comment_out(struct text *t, const char *lines, const char *indent);

#endif
