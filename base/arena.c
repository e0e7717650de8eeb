/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Blocks in a list, the newest first; big requests get a block of their own.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define BLOCK_SIZE 4000u
#define ALIGNMENT (_Alignof(max_align_t))

struct block {
	struct block *next;
	size_t size;
	size_t used;
	max_align_t data[];
};

struct arena {
	struct block *blocks;
	size_t limit;
	size_t used;
	bool failed;
};

struct arena *
arena_new(size_t limit)
{
	struct arena *a = calloc(1, sizeof *a);

	if (a != NULL)
		a->limit = limit;
	return a;
}

static void
free_blocks(struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

void
arena_free(struct arena **a)
{
	if (*a == NULL)
		return;
	free_blocks((*a)->blocks);
	free(*a);
	*a = NULL;
}

void
arena_reset(struct arena *a)
{
	struct block *b = a->blocks;

	if (b != NULL) {
		free_blocks(b->next);
		b->next = NULL;
		b->used = 0;
		if (b->size > BLOCK_SIZE) {
			free(b);
			a->blocks = NULL;
		}
	}
	a->used = 0;
	a->failed = false;
}

static void *
fail(struct arena *a)
{
	a->failed = true;
	return NULL;
}

static struct block *
add_block(struct arena *a, size_t size)
{
	size_t want = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct block *b = malloc(sizeof *b + want);

	if (b == NULL)
		return NULL;
	b->size = want;
	b->used = 0;
	if (want > BLOCK_SIZE && a->blocks != NULL) {
		/* Keep filling the block in use; the big one goes behind it. */
		b->next = a->blocks->next;
		a->blocks->next = b;
	} else {
		b->next = a->blocks;
		a->blocks = b;
	}
	return b;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct block *b = a->blocks;
	size_t need = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	void *p;

	if (need < size || (a->limit != 0 && need > a->limit - a->used))
		return fail(a);
	if (b == NULL || b->size - b->used < need)
		b = add_block(a, need);
	if (b == NULL)
		return fail(a);
	p = (char *)b->data + b->used;
	b->used += need;
	a->used += need;
	memset(p, 0, need);
	return p;
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return fail(a);
	return arena_alloc(a, count * size);
}

const char *
arena_substring(struct arena *a, const char *s, size_t len)
{
	char *p = len == SIZE_MAX ? fail(a) : arena_alloc(a, len + 1);

	if (p == NULL)
		return "";
	memcpy(p, s, len);
	return p;
}

const char *
arena_string(struct arena *a, const char *s)
{
	return arena_substring(a, s, strlen(s));
}

const char *
arena_vprintf(struct arena *a, const char *format, va_list args)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	p = n < 0 ? fail(a) : arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return "";
	vsnprintf(p, (size_t)n + 1, format, args);
	return p;
}

const char *
arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	const char *s;

	va_start(args, format);
	s = arena_vprintf(a, format, args);
	va_end(args);
	return s;
}

const char *
arena_lower(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (p == NULL)
		return "";
	for (size_t i = 0; i < len; i++)
		p[i] = text_lower_char(s[i]);
	return p;
}

bool
arena_failed(const struct arena *a)
{
	return a->failed;
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}
