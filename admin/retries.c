/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See retries.h. What an arrival says of the 451s before it:
 *
 *     its Message-ID came                         it came back
 *     nothing came that can be it                 nothing followed
 *     what came is claimed by it: one 451 each    it came back, if habit says that such mail is rare
 *     otherwise                                   cannot tell
 */
#include "config.h"

#include "admin/retries-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 2000000u
#define CLAIM_STEPS 64

static void
habit_arrival(const struct retries *r, struct track *t, uint32_t g, int64_t now, bool calm)
{
	const struct track *group = &r->tracks[g];

	t->group = g;
	if (t->sample != 0 && group->deferral > t->sample) {
		t->sample = 0; /* what follows may be a retry */
	} else if (t->sample != 0 && now - t->sample >= RETRIES_PAUSE_MS) {
		t->samples++;
		t->followed += now - t->sample <= r->within;
		t->sample = 0;
	}
	if (t->sample == 0 && calm && (group->deferral == 0 || now - group->deferral > r->within))
		t->sample = now;
}

/* Whether a message is to the recipient that w was to. */
static bool
is_to_same(struct retries *r, const struct retry_arrival *a, const struct waiting *w)
{
	for (size_t i = 0; i < a->record->n_rcpt; i++)
		if (learn_table_find(r->mark_names, retries_address_name(r, a->record->rcpt[i].address)) == w->recipient)
			return true;
	return false;
}

static void
settle_by_id(struct retries *r, struct waiting *w, int64_t after)
{
	struct retry_place *p = &r->places[w->place];

	w->done = true;
	retries_settle(p, after <= r->within ? RETRY_SAME_ID : RETRY_LATE, &w->id, 1);
	if (p->latest_ms < after)
		p->latest_ms = after;
	if (p->soonest_ms == 0 || after < p->soonest_ms)
		p->soonest_ms = after;
}

/* The Message-ID of 451s came again, to the same recipient; of whichever client of the
 * app. An app may give one Message-ID to messages to several recipients. */
static bool
came_by_id(struct retries *r, const struct retry_arrival *a)
{
	uint32_t n = a->record == NULL || a->record->message_id[0] == '\0' ? 0
		     : learn_table_find(r->mark_names, retries_message_id_name(r, a));
	struct waiting **at = n == 0 ? NULL : &r->marks[n].first;
	bool any = false;

	while (at != NULL && *at != NULL) {
		struct waiting *w = *at;

		if (!is_to_same(r, a, w)) {
			at = &w->next_of_mark;
			continue;
		}
		*at = w->next_of_mark;
		settle_by_id(r, w, a->time - w->time);
		any = true;
	}
	return any;
}

static bool
is_to(struct retries *r, const struct retry_arrival *a, uint32_t track)
{
	for (size_t i = 0; i < a->record->n_rcpt; i++)
		if (retries_track(r, a, a->record->rcpt[i].address) == track)
			return true;
	return false;
}

/* As what this arrival can be the retry of w; UNCLAIMED: it cannot. */
static int
claim_as(struct retries *r, const struct waiting *w, const struct retry_arrival *a, uint32_t content)
{
	uint32_t track;

	if (w->done || w->claimed != UNCLAIMED || a->time - w->time < RETRIES_PAUSE_MS)
		return UNCLAIMED;
	if (w->kind == MESSAGE && a->record != NULL)
		return w->content == content ? BY_CONTENT : UNCLAIMED;
	if (w->kind != TO_RECIPIENT)
		return BY_OTHER;
	if (a->record != NULL)
		return is_to(r, a, w->track) ? BY_OTHER : UNCLAIMED;
	track = retries_track(r, a, a->recipient);
	return a->recipient[0] == '\0' || track == w->track ? BY_OTHER : UNCLAIMED;
}

/* Gives the arrival to the first 451 of the group that it can be the retry of. */
static void
claim(struct retries *r, struct track *g, const struct retry_arrival *a, uint32_t content)
{
	struct waiting *before = NULL;
	int steps = 0;

	for (struct waiting *w = g->first; w != NULL && steps < CLAIM_STEPS; before = w, w = w->next_of_group, steps++) {
		int as = claim_as(r, w, a, content);

		if (as == UNCLAIMED)
			continue;
		w->claimed = as;
		if (before == NULL)
			g->first = w->next_of_group;
		else
			before->next_of_group = w->next_of_group;
		if (g->last == w)
			g->last = before;
		return;
	}
}

static void
see_message(struct retries *r, uint32_t group, const struct retry_arrival *a, uint32_t content)
{
	const struct record *m = a->record;
	bool calm = !a->deferred && strcmp(m->verdict, "reject") != 0;
	struct track *g = &r->tracks[group];

	habit_arrival(r, g, group, a->time, calm);
	g->message = a->time;
	if (content != 0)
		r->marks[content].time = a->time;
	for (size_t i = 0; i < m->n_rcpt; i++) {
		uint32_t n = retries_track(r, a, m->rcpt[i].address);

		if (n == 0)
			continue;
		habit_arrival(r, &r->tracks[n], group, a->time, calm);
		r->tracks[n].message = a->time;
	}
}

static void
see_refusal(struct retries *r, uint32_t group, const struct retry_arrival *a)
{
	struct track *g = &r->tracks[group];
	uint32_t n = retries_track(r, a, a->recipient);

	habit_arrival(r, g, group, a->time, false);
	g->refusal = a->time;
	if (a->recipient[0] == '\0')
		g->nameless = a->time;
	if (n == 0)
		return;
	habit_arrival(r, &r->tracks[n], group, a->time, false);
	r->tracks[n].refusal = a->time;
}

static void
wait_for_message_id(struct retries *r, struct waiting *w, const struct retry_arrival *a)
{
	if (a->record->message_id[0] == '\0')
		return;
	w->recipient = retries_mark(r, retries_address_name(r, retries_recipient(a)));
	w->message_id = w->recipient == 0 ? 0 : retries_mark(r, retries_message_id_name(r, a));
	if (w->message_id == 0)
		return;
	w->next_of_mark = r->marks[w->message_id].first;
	r->marks[w->message_id].first = w;
}

/* A 451 begins to wait. */
static void
wait(struct retries *r, uint32_t group, const struct retry_arrival *a, uint32_t content)
{
	struct waiting *w = calloc(1, sizeof *w);
	const char *to = retries_recipient(a);
	struct track *g = &r->tracks[group];

	if (w == NULL) {
		retries_fail(r);
		return;
	}
	w->time = a->time;
	w->place = retries_place(r, a->app, a->client);
	w->group = group;
	w->track = retries_track(r, a, to);
	w->kind = a->record != NULL ? MESSAGE : w->track != 0 ? TO_RECIPIENT : ANY_MAIL;
	if (w->track == 0)
		w->track = group;
	w->content = content;
	w->by_limit = a->by_limit;
	w->several = a->several;
	w->claimed = UNCLAIMED;
	snprintf(w->id.s, sizeof w->id.s, "%s", a->id);
	if (a->record != NULL)
		wait_for_message_id(r, w, a);
	retries_queue(&r->waiting, w);
	if (g->first == NULL)
		g->first = w;
	else
		g->last->next_of_group = w;
	g->last = w;
}

void
retries_arrive(struct retries *r, const struct retry_arrival *a)
{
	uint32_t group, content = 0;
	bool known;

	if (r->failed != NULL)
		return;
	retries_expire(r, a->time);
	r->anybody = a->time;
	known = came_by_id(r, a);
	group = retries_group(r, a->client, a->sender);
	if (group == 0 && a->is_asked)
		retries_count(r, a->app, a->client, a->id, RETRY_TOO_MANY, 1);
	if (group == 0)
		return;
	if (a->record != NULL && a->deferred)
		content = retries_mark(r, retries_content_name(r, a));
	else if (a->record != NULL)
		content = learn_table_find(r->mark_names, retries_content_name(r, a));
	if (!known)
		claim(r, &r->tracks[group], a, content);
	if (a->record != NULL)
		see_message(r, group, a, content);
	else
		see_refusal(r, group, a);
	if (!a->deferred || r->failed != NULL)
		return;
	r->tracks[group].deferral = a->time;
	if (a->is_asked && (r->waiting.n >= WAITING_MAX || (a->record != NULL && content == 0)))
		retries_count(r, a->app, a->client, a->id, RETRY_TOO_MANY, 1);
	else if (a->is_asked)
		wait(r, group, a, content);
}
