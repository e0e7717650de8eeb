/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See retries-private.h: once the time of a 451 is over, what came of it.
 */
#include "config.h"

#include "admin/retries-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MAX 100000u      /* whose time is over, and whose Message-ID may still come */

void
retries_settle(struct retry_place *p, enum retry_evidence e, const struct id *id, uint64_t n)
{
	p->n[e] += n;
	p->deferrals += n;
	if (p->example[e].s[0] == '\0')
		p->example[e] = *id;
}

void
retries_count(struct retries *r, const char *app, const char *client, const char *id,
	      enum retry_evidence why, uint64_t n)
{
	uint32_t place = retries_place(r, app, client);
	struct id kept;

	if (place == 0 || n == 0)
		return;
	snprintf(kept.s, sizeof kept.s, "%s", id);
	retries_settle(&r->places[place], why, &kept, n);
}

/* The weak outcomes of a track for a place. */
static struct weak *
weak_of(struct retries *r, struct track *t, uint32_t place)
{
	struct weak *k;

	for (k = t->weak; k != NULL; k = k->next)
		if (k->place == place)
			return k;
	k = arena_alloc(r->arena, sizeof *k);
	if (k == NULL) {
		retries_fail(r);
		return NULL;
	}
	*k = (struct weak){.next = t->weak, .place = place};
	return t->weak = k;
}

static void
settle_weakly(struct retries *r, const struct waiting *w)
{
	struct weak *k = weak_of(r, &r->tracks[w->track], w->place);

	if (k == NULL)
		return;
	k->n[w->claimed]++;
	if (k->example[w->claimed].s[0] == '\0')
		k->example[w->claimed] = w->id;
}

static void
settle_waiting(struct retries *r, const struct waiting *w)
{
	struct retry_place *p = &r->places[w->place];

	if (w->done)
		return;
	if (w->outcome < 0) {
		settle_weakly(r, w);
		return;
	}
	retries_settle(p, (enum retry_evidence)w->outcome, &w->id, 1);
	if (w->by_limit && w->outcome >= RETRY_NOTHING && w->outcome <= RETRY_LAST)
		p->lost_to_limits++;
}

/* Whether something came after it that can be it. */
static bool
may_have_come(const struct retries *r, const struct waiting *w)
{
	const struct track *g = &r->tracks[w->group];

	switch (w->kind) {
	case MESSAGE:
		return g->refusal > w->time || r->marks[w->content].time > w->time;
	case TO_RECIPIENT:
		return g->nameless > w->time || r->tracks[w->track].message > w->time || r->tracks[w->track].refusal > w->time;
	case ANY_MAIL:
		break;
	}
	return g->refusal > w->time || g->message > w->time;
}

/* What is known of it once its time is over. */
static int
judge(const struct retries *r, const struct waiting *w)
{
	const struct track *g = &r->tracks[w->group];

	if (w->claimed != UNCLAIMED || may_have_come(r, w))
		return -1;
	if (r->anybody <= w->time)
		return RETRY_SILENCE;
	if (g->message > w->time || g->refusal > w->time)
		return RETRY_OTHER_MAIL;
	return w->several ? RETRY_LAST : RETRY_NOTHING;
}

void
retries_queue(struct queue *q, struct waiting *w)
{
	w->next = NULL;
	if (q->first == NULL)
		q->first = w;
	else
		q->last->next = w;
	q->last = w;
	q->n++;
}

static struct waiting *
take_first(struct queue *q)
{
	struct waiting *w = q->first;

	q->first = w->next;
	q->n--;
	return w;
}

static void
drop(struct retries *r, struct waiting *w)
{
	if (w->message_id != 0 && !w->done) {
		struct waiting **at = &r->marks[w->message_id].first;

		while (*at != NULL && *at != w)
			at = &(*at)->next_of_mark;
		if (*at == w)
			*at = w->next_of_mark;
	}
	free(w);
}

/* Ends the waiting of the first in the queue. */
static void
end_first(struct retries *r, bool may_come_late)
{
	struct waiting *w = take_first(&r->waiting);
	struct track *g = &r->tracks[w->group];

	if (g->first == w)
		g->first = w->next_of_group;
	if (w->message_id != 0 && !w->done && w->claimed == UNCLAIMED && may_come_late) {
		retries_queue(&r->late, w);
		if (r->late.n <= LATE_MAX)
			return;
		w = take_first(&r->late);
	}
	settle_waiting(r, w);
	drop(r, w);
}

/* Judges those whose time is over before now. */
void
retries_expire(struct retries *r, int64_t now)
{
	while (r->waiting.first != NULL && now - r->waiting.first->time > r->within) {
		r->waiting.first->outcome = judge(r, r->waiting.first);
		end_first(r, true);
	}
}

static bool
is_rare(const struct track *t)
{
	return t->samples >= RETRIES_SAMPLES && (uint64_t)t->followed * RETRIES_RARE <= t->samples;
}

static void
settle_track(struct retries *r, const struct track *t)
{
	enum retry_evidence other = t->samples < RETRIES_SAMPLES ? RETRY_UNKNOWN_HABIT : RETRY_ANYWAY;
	bool rare = is_rare(t);

	for (const struct weak *k = t->weak; k != NULL; k = k->next) {
		struct retry_place *p = &r->places[k->place];

		if (k->n[BY_CONTENT] > 0)
			retries_settle(p, rare ? RETRY_SAME_CONTENT : other, &k->example[BY_CONTENT], k->n[BY_CONTENT]);
		if (k->n[BY_OTHER] > 0)
			retries_settle(p, rare ? RETRY_UNUSUAL : other, &k->example[BY_OTHER], k->n[BY_OTHER]);
		if (k->n[UNCLAIMED] > 0)
			retries_settle(p, rare || other == RETRY_UNKNOWN_HABIT ? RETRY_POSSIBLE : RETRY_ANYWAY,
			       &k->example[UNCLAIMED], k->n[UNCLAIMED]);
	}
}

static void
end_sample(const struct retries *r, struct track *t, int64_t end)
{
	if (t->sample != 0 && r->tracks[t->group].deferral <= t->sample && end - t->sample > r->within)
		t->samples++;
}

void
retries_end(struct retries *r, int64_t end_ms)
{
	retries_expire(r, end_ms);
	while (r->waiting.first != NULL) {
		r->waiting.first->outcome = r->waiting.first->claimed == UNCLAIMED ? RETRY_NOT_OVER : -1;
		end_first(r, false);
	}
	while (r->late.first != NULL) {
		struct waiting *w = take_first(&r->late);

		settle_waiting(r, w);
		drop(r, w);
	}
	for (uint32_t n = 1; n <= learn_table_count(r->track_names); n++) {
		end_sample(r, &r->tracks[n], end_ms);
		settle_track(r, &r->tracks[n]);
	}
	if (arena_failed(r->arena) || learn_table_failed(r->place_names) || learn_table_failed(r->track_names))
		retries_fail(r);
}

const struct retry_place *
retries_places(const struct retries *r, size_t *n_r)
{
	*n_r = learn_table_count(r->place_names);
	return *n_r == 0 ? NULL : r->places + 1;
}
