/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See retries-private.h: places, tracks and marks by their names.
 */
#include "config.h"

#include "admin/retries-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 100000u
#define TRACKS_MAX 400000u    /* at most half of them of recipients */
#define MARKS_MAX 2000000u

struct retries *
retries_new(int64_t within_ms)
{
	struct retries *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->within = within_ms;
	r->arena = arena_new(0);
	r->place_names = learn_table_new(PLACES_MAX);
	r->track_names = learn_table_new(TRACKS_MAX);
	r->mark_names = learn_table_new(MARKS_MAX);
	if (r->arena == NULL || r->place_names == NULL || r->track_names == NULL || r->mark_names == NULL)
		retries_free(&r);
	return r;
}

static void
free_queue(struct queue *q)
{
	while (q->first != NULL) {
		struct waiting *w = q->first;

		q->first = w->next;
		free(w);
	}
}

void
retries_free(struct retries **r)
{
	if (*r == NULL)
		return;
	free_queue(&(*r)->waiting);
	free_queue(&(*r)->late);
	learn_table_free(&(*r)->place_names);
	learn_table_free(&(*r)->track_names);
	learn_table_free(&(*r)->mark_names);
	free((*r)->places);
	free((*r)->tracks);
	free((*r)->marks);
	text_free(&(*r)->name);
	arena_free(&(*r)->arena);
	free(*r);
	*r = NULL;
}

const char *
retries_failed(const struct retries *r)
{
	return r->failed;
}

void
retries_fail(struct retries *r)
{
	if (r->failed == NULL)
		r->failed = "there are too many to tell apart, or memory is short; take a shorter time";
}

/* Room for number `n` in an array whose elements count from 1; the new ones are 0. */
static bool
make_room(struct retries *r, void **array, size_t *room, uint32_t n, size_t size)
{
	size_t more = *room == 0 ? 256 : *room * 2;
	char *grown;

	if (n < *room)
		return true;
	grown = realloc(*array, more * size);
	if (grown == NULL) {
		retries_fail(r);
		return false;
	}
	memset(grown + *room * size, 0, (more - *room) * size);
	*array = grown;
	*room = more;
	return true;
}

/* Texts joined so that no two lists give the same. */
static const char *
joined(struct retries *r, char kind, const char *a, const char *b, const char *c)
{
	text_clear(&r->name);
	text_printf(&r->name, "%c%zu %zu %s%s%s", kind, strlen(a), strlen(b), a, b, c);
	if (r->name.failed)
		retries_fail(r);
	return text_string(&r->name);
}

uint32_t
retries_place(struct retries *r, const char *app, const char *client)
{
	const char *name = joined(r, 'p', app, client, "");
	bool is_new;
	uint32_t n = learn_table_add(r->place_names, name, &is_new);

	if (n == 0)
		retries_fail(r);
	if (n == 0 || !make_room(r, (void **)&r->places, &r->places_room, n, sizeof *r->places))
		return 0;
	if (is_new) {
		r->places[n].app = arena_string(r->arena, app);
		r->places[n].client = arena_string(r->arena, client);
	}
	if (arena_failed(r->arena))
		retries_fail(r);
	return n;
}

static const char *
group_name(struct retries *r, const char *client, const char *sender)
{
	return joined(r, 'g', client, sender, "");
}

static const char *
recipient_name(struct retries *r, const char *client, const char *sender, const char *recipient)
{
	return joined(r, 'r', client, sender, recipient);
}

/* The recipient of a 451 by whom it is told from others; "" unknown. */
const char *
retries_recipient(const struct retry_arrival *a)
{
	for (size_t i = 0; a->record != NULL && i < a->record->n_rcpt; i++)
		if (a->record->rcpt[i].accepted)
			return a->record->rcpt[i].address;
	return a->record == NULL ? a->recipient : "";
}

static void
add_track(struct retries *r, const char *name)
{
	uint32_t n = learn_table_add(r->track_names, name, NULL);

	make_room(r, (void **)&r->tracks, &r->tracks_room, n, sizeof *r->tracks);
}

void
retries_watch(struct retries *r, const struct retry_arrival *a)
{
	const char *recipient = retries_recipient(a);

	add_track(r, group_name(r, a->client, a->sender));
	if (recipient[0] != '\0' && learn_table_count(r->track_names) < TRACKS_MAX / 2)
		add_track(r, recipient_name(r, a->client, a->sender, recipient));
}

uint32_t
retries_group(struct retries *r, const char *client, const char *sender)
{
	return learn_table_find(r->track_names, group_name(r, client, sender));
}

bool
retries_watched(struct retries *r, const char *client, const char *sender)
{
	return retries_group(r, client, sender) != 0;
}

uint32_t
retries_track(struct retries *r, const struct retry_arrival *a, const char *recipient)
{
	return recipient[0] == '\0' ? 0
	       : learn_table_find(r->track_names, recipient_name(r, a->client, a->sender, recipient));
}

/* Names what makes two messages of a client alike where their Message-IDs do not say so. */
const char *
retries_content_name(struct retries *r, const struct retry_arrival *a)
{
	const struct record *m = a->record;
	char size[24];

	snprintf(size, sizeof size, "%lld ", (long long)m->size);
	joined(r, 'c', a->client, a->sender, size);
	text_printf(&r->name, "%zu %s", strlen(m->subject), m->subject);
	for (size_t i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].accepted)
			text_printf(&r->name, " %s", m->rcpt[i].address);
	if (r->name.failed)
		retries_fail(r);
	return text_string(&r->name);
}

const char *
retries_address_name(struct retries *r, const char *address)
{
	return joined(r, 'a', address, "", "");
}

const char *
retries_message_id_name(struct retries *r, const struct retry_arrival *a)
{
	return joined(r, 'i', a->app, a->sender, a->record->message_id);
}

uint32_t
retries_mark(struct retries *r, const char *name)
{
	uint32_t n = learn_table_add(r->mark_names, name, NULL);

	return make_room(r, (void **)&r->marks, &r->marks_room, n, sizeof *r->marks) ? n : 0;
}
