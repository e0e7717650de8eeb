/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See json.h. A struct jsonv is the library's json_t under our own name.
 */
#include "base/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *
own(const struct jsonv *v)
{
	return (json_t *)(uintptr_t)v;
}

static struct jsonv *
ours(json_t *j)
{
	return (struct jsonv *)j;
}

struct jsonv *
jsonv_parse(const char *s, size_t len, char *error_r, size_t error_size)
{
	json_error_t e;
	json_t *j = json_loadb(s, len, JSON_REJECT_DUPLICATES, &e);

	if (j == NULL)
		snprintf(error_r, error_size, "%d:%d: %s", e.line, e.column, e.text);
	return ours(j);
}

void
jsonv_free(struct jsonv **v)
{
	json_decref(own(*v));
	*v = NULL;
}

bool
jsonv_is_array(const struct jsonv *v)
{
	return json_is_array(own(v));
}

bool
jsonv_is_object(const struct jsonv *v)
{
	return json_is_object(own(v));
}

bool
jsonv_is_string(const struct jsonv *v)
{
	return json_is_string(own(v));
}

int
jsonv_boolean(const struct jsonv *v)
{
	return json_is_boolean(own(v)) ? json_is_true(own(v)) : -1;
}

const char *
jsonv_text(const struct jsonv *v)
{
	return json_string_value(own(v));
}

bool
jsonv_integer(const struct jsonv *v, int64_t *r)
{
	if (!json_is_integer(own(v)))
		return false;
	*r = json_integer_value(own(v));
	return true;
}

size_t
jsonv_count(const struct jsonv *array)
{
	return json_array_size(own(array));
}

const struct jsonv *
jsonv_at(const struct jsonv *array, size_t i)
{
	return ours(json_array_get(own(array), i));
}

const struct jsonv *
jsonv_member(const struct jsonv *object, const char *name)
{
	void *i = json_object_iter(own(object));

	for (; i != NULL; i = json_object_iter_next(own(object), i))
		if (text_same(json_object_iter_key(i), name))
			return ours(json_object_iter_value(i));
	return NULL;
}

struct jsonv *
jsonv_new_object(void)
{
	return ours(json_object());
}

struct jsonv *
jsonv_new_array(void)
{
	return ours(json_array());
}

/* A JSON string of s, its stray octets replaced. */
static json_t *
new_string(const char *s)
{
	struct text t = {0};
	json_t *j;

	if (s == NULL)
		return json_null();
	for (size_t len = strlen(s); len > 0;) {
		size_t used;

		if (text_utf8_next(s, len, &used) < 0)
			text_add(&t, "\xef\xbf\xbd");
		else
			text_add_octets(&t, s, used);
		s += used;
		len -= used;
	}
	j = t.failed ? NULL : json_string(text_string(&t));
	text_free(&t);
	return j;
}

/* Puts a value in; NULL when memory was short, and the member is missing. */
static json_t *
put(struct jsonv *object, const char *name, json_t *value)
{
	/* What cannot be put in, the library frees, also where the object is NULL. */
	if (value == NULL || json_object_set_new(own(object), name, value) != 0)
		return NULL;
	return value;
}

void
jsonv_set_text(struct jsonv *object, const char *name, const char *s)
{
	put(object, name, new_string(s));
}

void
jsonv_set_integer(struct jsonv *object, const char *name, int64_t n)
{
	put(object, name, json_integer(n));
}

void
jsonv_set_boolean(struct jsonv *object, const char *name, bool b)
{
	put(object, name, json_boolean(b));
}

struct jsonv *
jsonv_set_object(struct jsonv *object, const char *name)
{
	return ours(put(object, name, json_object()));
}

struct jsonv *
jsonv_set_array(struct jsonv *object, const char *name)
{
	return ours(put(object, name, json_array()));
}

static json_t *
append(struct jsonv *array, json_t *value)
{
	if (value == NULL || json_array_append_new(own(array), value) != 0)
		return NULL;
	return value;
}

struct jsonv *
jsonv_add_object(struct jsonv *array)
{
	return ours(append(array, json_object()));
}

void
jsonv_add_text(struct jsonv *array, const char *s)
{
	append(array, new_string(s));
}

int
jsonv_write(const struct jsonv *v, bool pretty, struct text *t)
{
	char *s = v == NULL ? NULL : json_dumps(own(v), pretty ? JSON_INDENT(2) : JSON_COMPACT);

	if (s == NULL)
		return -1;
	text_add(t, s);
	if (pretty)
		text_add_char(t, '\n');
	free(s);
	return t->failed ? -1 : 0;
}
