/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON, read and written. The only module that knows the JSON library.
 */
#ifndef POSTERN_BASE_JSON_H
#define POSTERN_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* A JSON value. The root owns all below it; free only the root. */
struct jsonv;

/* Parses one JSON text. NULL on error, with "LINE:COLUMN: what" in error_r
 * (caller's buffer). */
struct jsonv *jsonv_parse(const char *s, size_t len, char *error_r, size_t error_size);
void jsonv_free(struct jsonv **v);

bool jsonv_is_array(const struct jsonv *v);
bool jsonv_is_object(const struct jsonv *v);
bool jsonv_is_string(const struct jsonv *v);
/* 1 true, 0 false, -1 no boolean. */
int jsonv_boolean(const struct jsonv *v);
/* Borrowed string, or NULL when v is none. */
const char *jsonv_text(const struct jsonv *v);
bool jsonv_integer(const struct jsonv *v, int64_t *r);
size_t jsonv_count(const struct jsonv *array);
const struct jsonv *jsonv_at(const struct jsonv *array, size_t i);
/* Member of an object by name, ASCII case ignored; NULL when there is none. */
const struct jsonv *jsonv_member(const struct jsonv *object, const char *name);

/* Building. Text that is not UTF-8 has its stray octets shown as U+FFFD. A
 * NULL string becomes null. A container is owned by what it was added to.
 * When memory is short the member is left out. */
struct jsonv *jsonv_new_object(void);
struct jsonv *jsonv_new_array(void);
void jsonv_set_text(struct jsonv *object, const char *name, const char *s);
void jsonv_set_integer(struct jsonv *object, const char *name, int64_t n);
void jsonv_set_boolean(struct jsonv *object, const char *name, bool b);
/* A new empty object or array as member `name`, or as last element. */
struct jsonv *jsonv_set_object(struct jsonv *object, const char *name);
struct jsonv *jsonv_set_array(struct jsonv *object, const char *name);
struct jsonv *jsonv_add_object(struct jsonv *array);
void jsonv_add_text(struct jsonv *array, const char *s);

/* Appends the text of v, in the order the members were set; indented when
 * pretty, with a line end. 0, or -1 when memory was short. */
int jsonv_write(const struct jsonv *v, bool pretty, struct text *t);

#endif
