/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See learn_table.h. Open addressing, at most half full; the strings stand in
 * an arena. The hash begins at a place that nobody outside can know, since what
 * is counted comes from whoever sends mail.
 */
#include "config.h"

#include "admin/learn_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define FIRST_SLOTS 1024u

struct learn_table {
	struct arena *arena;
	const char **texts;     /* texts[number - 1] */
	uint64_t *hashes;       /* of the same */
	uint32_t *slots;        /* numbers, 0 for free; a power of two of them */
	uint32_t n, max, n_slots;
	uint64_t start;
	bool failed;
};

static bool
make_slots(struct learn_table *t, uint32_t n_slots)
{
	uint32_t *slots = calloc(n_slots, sizeof *slots);
	const char **texts = realloc(t->texts, n_slots / 2 * sizeof *texts);
	uint64_t *hashes;

	if (texts != NULL)
		t->texts = texts;
	hashes = realloc(t->hashes, n_slots / 2 * sizeof *hashes);
	if (hashes != NULL)
		t->hashes = hashes;
	if (slots == NULL || texts == NULL || hashes == NULL) {
		free(slots);
		t->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t at = (uint32_t)t->hashes[i] & (n_slots - 1);

		while (slots[at] != 0)
			at = (at + 1) & (n_slots - 1);
		slots[at] = i + 1;
	}
	free(t->slots);
	t->slots = slots;
	t->n_slots = n_slots;
	return true;
}

struct learn_table *
learn_table_new(uint32_t max)
{
	struct learn_table *t = calloc(1, sizeof *t);
	const struct clock *clock = clock_system();

	if (t == NULL)
		return NULL;
	t->max = max;
	clock->random(clock->context, (uint8_t *)&t->start, sizeof t->start);
	t->arena = arena_new(0);
	if (t->arena == NULL || !make_slots(t, FIRST_SLOTS))
		learn_table_free(&t);
	return t;
}

void
learn_table_free(struct learn_table **t)
{
	if (*t == NULL)
		return;
	arena_free(&(*t)->arena);
	free((*t)->texts);
	free((*t)->hashes);
	free((*t)->slots);
	free(*t);
	*t = NULL;
}

static uint64_t
hash_of(const struct learn_table *t, const char *s)
{
	uint64_t h = t->start;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h ^ (h >> 29);
}

/* The slot that holds s, or the free one where it belongs. */
static uint32_t
slot_of(const struct learn_table *t, const char *s, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & (t->n_slots - 1);

	while (t->slots[at] != 0) {
		uint32_t i = t->slots[at] - 1;

		if (t->hashes[i] == hash && strcmp(t->texts[i], s) == 0)
			break;
		at = (at + 1) & (t->n_slots - 1);
	}
	return at;
}

uint32_t
learn_table_add(struct learn_table *t, const char *s, bool *is_new_r)
{
	uint64_t hash = hash_of(t, s);
	uint32_t at = slot_of(t, s, hash);

	if (is_new_r != NULL)
		*is_new_r = false;
	if (t->slots[at] != 0)
		return t->slots[at];
	if (t->n >= t->max || t->failed)
		return 0;
	if (t->n == t->n_slots / 2) {
		if (!make_slots(t, t->n_slots * 2))
			return 0;
		at = slot_of(t, s, hash);
	}
	t->texts[t->n] = arena_string(t->arena, s);
	t->hashes[t->n] = hash;
	t->failed = arena_failed(t->arena);
	if (t->failed)
		return 0;
	if (is_new_r != NULL)
		*is_new_r = true;
	return t->slots[at] = ++t->n;
}

uint32_t
learn_table_find(const struct learn_table *t, const char *s)
{
	return t->slots[slot_of(t, s, hash_of(t, s))];
}

const char *
learn_table_text(const struct learn_table *t, uint32_t number)
{
	return number == 0 ? "" : t->texts[number - 1];
}

uint32_t
learn_table_count(const struct learn_table *t)
{
	return t->n;
}

bool
learn_table_failed(const struct learn_table *t)
{
	return t->failed;
}
