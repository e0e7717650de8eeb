/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of problems of one run. See file.h.
 */
#include "policy/file/file.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/printable.h"

#define PROBLEMS_MAX 1000u
#define TEXT_MAX_SHOWN 2000u

struct entry {
	struct problem problem;
	size_t rank;            /* of its file */
	size_t order;           /* in which it was added */
};

struct problems {
	struct arena *arena;
	struct entry *list;
	size_t count, capacity, errors;
};

struct problems *
problems_new(void)
{
	struct problems *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->arena = arena_new(0);
	if (p->arena == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

void
problems_free(struct problems **p)
{
	if (*p != NULL) {
		arena_free(&(*p)->arena);
		free((*p)->list);
		free(*p);
	}
	*p = NULL;
}

static bool
make_room(struct problems *p)
{
	struct entry *list;
	size_t n;

	if (p->count < p->capacity)
		return true;
	if (p->count >= PROBLEMS_MAX)
		return false;
	n = p->capacity == 0 ? 16 : p->capacity * 2;
	list = realloc(p->list, n * sizeof *list);
	if (list == NULL)
		return false;
	p->list = list;
	p->capacity = n;
	return true;
}

void
problems_add(struct problems *p, bool is_error, const char *file, unsigned line,
	     unsigned column, const char *format, ...)
{
	struct entry *e;
	va_list args;

	if (is_error)
		p->errors++;
	if (!make_room(p))
		return;
	e = &p->list[p->count];
	*e = (struct entry){.rank = p->count, .order = p->count};
	e->problem = (struct problem){.is_error = is_error, .line = line, .column = column};
	for (size_t i = 0; i < p->count && e->problem.file == NULL; i++) {
		if (strcmp(p->list[i].problem.file, file) == 0) {
			e->problem.file = p->list[i].problem.file;
			e->rank = p->list[i].rank;
		}
	}
	if (e->problem.file == NULL)
		e->problem.file = arena_string(p->arena, file);
	va_start(args, format);
	e->problem.text = arena_vprintf(p->arena, format, args);
	va_end(args);
	p->count++;
}

size_t
problems_count(const struct problems *p)
{
	return p == NULL ? 0 : p->count;
}

size_t
problems_errors(const struct problems *p)
{
	return p == NULL ? 0 : p->errors;
}

const struct problem *
problems_at(const struct problems *p, size_t i)
{
	return &p->list[i].problem;
}

static int
order_of(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int
compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = order_of(x->rank, y->rank);

	if (r == 0)
		r = order_of(x->problem.line, y->problem.line);
	if (r == 0)
		r = order_of(x->problem.column, y->problem.column);
	return r != 0 ? r : order_of(x->order, y->order);
}

void
problems_sort(struct problems *p)
{
	if (p->count > 0)
		qsort(p->list, p->count, sizeof *p->list, compare);
}

/* UTF-8 stays readable; control octets and stray ones do not get through. */
static void
add_shown(struct text *t, const char *s)
{
	size_t len = strlen(s), used;

	if (len > TEXT_MAX_SHOWN)
		len = TEXT_MAX_SHOWN;
	for (size_t i = 0; i < len; i += used) {
		int32_t c = text_utf8_next(s + i, len - i, &used);

		if (c == '\\' || (c >= 0xA0 && !(c >= 0x2028 && c <= 0x202E) && !(c >= 0x2066 && c <= 0x2069)))
			text_add_octets(t, s + i, used);
		else
			printable_add(t, s + i, used, used);
	}
}

void
problem_write(const struct problem *p, struct text *t)
{
	add_shown(t, p->file);
	if (p->line > 0)
		text_printf(t, ":%u:%u", p->line, p->column);
	text_add(t, p->is_error ? ": error: " : ": warning: ");
	add_shown(t, p->text);
}

void
problems_print(const struct problems *p, FILE *f)
{
	struct text t = {0};

	for (size_t i = 0; i < p->count; i++) {
		text_clear(&t);
		problem_write(&p->list[i].problem, &t);
		fprintf(f, "%s\n", text_string(&t));
	}
	text_free(&t);
}
