/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Group commit. Admits wait for their result on the stack of their caller;
 * records are copied and bounded; refusal counts are fetched once a second.
 */
#include "sql/writer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"

#define ADMITS_MAX 256u
#define RECORDS_MAX 1024u
#define REFUSALS_MAX 512u
#define NOTES_MAX 16u
#define REACHED_MAX 64u
#define LOG_EVERY_MS 60000
/* Rows deleted in one step, and how often a step is made when there is nothing more to delete. */
#define PRUNE_ROWS 100
#define PRUNE_EVERY_MS 1000
#define TEND_EVERY_MS 250
/* Timings are written with mail only, and so often. */
#define TIMINGS_EVERY_MS 10000

struct waiter {
	struct waiter *next;
	struct admit *admit;
	pthread_cond_t done;
	bool is_done;
	const char *error;
};

struct queued {
	struct arena *arena;
	const struct record *record;
};

struct writer {
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_t thread;
	bool stopping;
	struct waiter *first;
	struct waiter **last;
	struct queued records[RECORDS_MAX];
	size_t n_records;
	struct arena *notes_arena; /* owns the notes */
	struct policy_note notes[NOTES_MAX];
	size_t n_notes, n_notes_taken;
	struct arena *reached_arena;
	struct reached reached[REACHED_MAX];
	size_t n_reached, n_reached_taken;
	struct unrecorded unrecorded;
	struct timing timings[STORE_TIMED_COUNT];
	uint64_t n_waiting;
	unsigned long dropped;    /* records that found no room, not yet said */
	const char *error;
	int64_t keep_ms;

	/* The thread's own. */
	int64_t pruned_ms;        /* when a step last found nothing to delete */
	int64_t tended_ms;
	bool has_more;            /* to tend: it goes on as soon as nobody waits */
	const struct store_ops *ops;
	void *backend;
	struct refusals *refusals;
	struct store_options options;
	char logged[200];         /* the fault last said, "" for none */
	int64_t logged_ms;
	bool is_down;             /* a fault was said, its end was not */
	int64_t dropped_logged_ms;
	struct waiter *waiters[ADMITS_MAX];
	struct admit *admits[ADMITS_MAX];
	const char *errors[ADMITS_MAX];
	struct queued taken[RECORDS_MAX];
	const struct record *taken_records[RECORDS_MAX];
	struct refusal_delta deltas[REFUSALS_MAX];
	struct unrecorded taken_unrecorded;
	struct timing taken_timings[STORE_TIMED_COUNT];
	int64_t timings_ms;       /* when they were last written */
	struct batch batch;
};

static int64_t
boot_ms(const struct writer *w)
{
	return w->options.clock->boot_ms(w->options.clock->context);
}

/* A fault that comes and goes is said once a minute, not at each turn. */
static void
log_fault(struct writer *w, const char *error)
{
	int64_t now = boot_ms(w);
	char line[300];

	if (w->options.log == NULL)
		return;
	if (error == NULL) {
		if (w->is_down)
			w->options.log(w->options.log_context, false, "the store writes again");
		w->is_down = false;
		return;
	}
	if (w->logged[0] != '\0' && strncmp(w->logged, error, sizeof w->logged - 1) == 0 &&
	    now - w->logged_ms < LOG_EVERY_MS)
		return;
	snprintf(w->logged, sizeof w->logged, "%s", error);
	w->logged_ms = now;
	w->is_down = true;
	snprintf(line, sizeof line, "the store cannot write: %s", error);
	w->options.log(w->options.log_context, true, line);
}

/* Says once a minute how many refused messages are known by their count only. */
static void
log_dropped(struct writer *w)
{
	int64_t now = boot_ms(w);
	unsigned long n = 0;
	char line[160];

	if (w->options.log == NULL || now - w->dropped_logged_ms < LOG_EVERY_MS)
		return;
	pthread_mutex_lock(&w->lock);
	n = w->dropped;
	w->dropped = 0;
	pthread_mutex_unlock(&w->lock);
	if (n == 0)
		return;
	w->dropped_logged_ms = now;
	snprintf(line, sizeof line, "%lu refused messages were counted but not stored with their facts: the queue was full", n);
	w->options.log(w->options.log_context, true, line);
}

/* Moves what is queued into the batch; the lock is held. */
static void
take(struct writer *w)
{
	struct batch *b = &w->batch;

	memset(b, 0, sizeof *b);
	b->admits = w->admits;
	b->admit_errors = w->errors;
	b->records = w->taken_records;
	b->refusals = w->deltas;
	while (w->first != NULL && b->n_admits < ADMITS_MAX) {
		w->waiters[b->n_admits] = w->first;
		w->admits[b->n_admits] = w->first->admit;
		w->errors[b->n_admits] = NULL;
		b->n_admits++;
		w->first = w->first->next;
	}
	if (w->first == NULL)
		w->last = &w->first;
	for (size_t i = 0; i < w->n_records; i++) {
		w->taken[i] = w->records[i];
		w->taken_records[i] = w->records[i].record;
	}
	b->n_records = w->n_records;
	w->n_records = 0;
	b->notes = w->notes;
	b->n_notes = w->n_notes_taken = w->n_notes;
	b->reached = w->reached;
	b->n_reached = w->n_reached_taken = w->n_reached;
	w->taken_unrecorded = w->unrecorded;
	b->unrecorded = w->unrecorded.n > 0 ? &w->taken_unrecorded : NULL;
	memcpy(w->taken_timings, w->timings, sizeof w->timings);
	if (b->n_admits > 0 && (w->timings_ms == 0 || boot_ms(w) - w->timings_ms >= TIMINGS_EVERY_MS) && w->timings[STORE_TIMED_ADMIT].count > 0)
		b->timings = w->taken_timings;
}

/* What came meanwhile stays; the lock is held. */
static void
drop_timings(struct writer *w)
{
	for (int k = 0; w->batch.timings != NULL && k < STORE_TIMED_COUNT; k++) {
		const struct timing *taken = &w->taken_timings[k];
		struct timing *t = &w->timings[k];

		t->count -= taken->count;
		t->sum_us -= taken->sum_us;
		t->most = w->n_waiting;
		for (int i = 0; i < STORE_TRAFFIC_BUCKETS; i++)
			t->within[i] -= taken->within[i];
	}
	if (w->batch.timings != NULL)
		w->timings_ms = boot_ms(w);
}

/* The lock is held. */
static void
note_timing(struct timing *t, int64_t us)
{
	uint64_t n = us < 0 ? 0 : (uint64_t)us;

	t->count++;
	t->sum_us += n;
	for (int i = 0; i < STORE_TRAFFIC_BUCKETS; i++)
		t->within[i] += us <= store_traffic_within_us[i];
}

/* What came meanwhile gets a row of its own; the lock is held. */
static void
drop_unrecorded(struct writer *w)
{
	w->unrecorded.n -= w->taken_unrecorded.n;
	w->unrecorded.first = w->taken_unrecorded.last;
	if (w->taken_unrecorded.n > 0)
		w->unrecorded.id.s[0] = '\0';
}

/* Forgets the notes that are written; the lock is held. */
static void
drop_notes(struct writer *w)
{
	size_t n = w->n_notes_taken;

	memmove(w->notes, w->notes + n, (w->n_notes - n) * sizeof w->notes[0]);
	w->n_notes -= n;
	w->n_notes_taken = 0;
	if (w->n_notes == 0)
		arena_reset(w->notes_arena);
}

/* Likewise. */
static void
drop_reached(struct writer *w)
{
	size_t n = w->n_reached_taken;

	memmove(w->reached, w->reached + n, (w->n_reached - n) * sizeof w->reached[0]);
	w->n_reached -= n;
	w->n_reached_taken = 0;
	if (w->n_reached == 0)
		arena_reset(w->reached_arena);
}

/* Tells the callers and puts back what must be tried again; the lock is held. */
static void
finish(struct writer *w, const char *error, bool is_away)
{
	for (size_t i = 0; i < w->batch.n_admits; i++) {
		struct waiter *x = w->waiters[i];

		x->error = error != NULL ? error : w->errors[i];
		if (x->error != NULL)
			x->admit->charged = false;
		x->admit->is_away = error != NULL && is_away;
		x->is_done = true;
		pthread_cond_signal(&x->done);
	}
	for (size_t i = 0; i < w->batch.n_records; i++)
		if (error != NULL && w->n_records < RECORDS_MAX) {
			w->records[w->n_records++] = w->taken[i];
		} else {
			w->dropped += error != NULL;
			arena_free(&w->taken[i].arena);
		}
	if (error == NULL) {
		drop_notes(w);
		drop_reached(w);
		drop_unrecorded(w);
		drop_timings(w);
	}
	w->error = error;
}

static void
log_unrecorded(struct writer *w)
{
	const struct unrecorded *u = w->batch.unrecorded;
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE], line[200];

	if (u == NULL || w->options.log == NULL)
		return;
	clock_write(u->first, first);
	clock_write(u->last, last);
	snprintf(line, sizeof line, "%llu messages were accepted unrecorded and uncharged from %s to %s",
		 (unsigned long long)u->n, first, last);
	w->options.log(w->options.log_context, true, line);
}

static void
write_batch(struct writer *w)
{
	struct batch *b = &w->batch;
	const char *error = NULL;
	int rc;

	b->n_refusals = refusals_take(w->refusals, w->deltas, REFUSALS_MAX);
	if (b->n_admits + b->n_records + b->n_refusals + b->n_notes + b->n_reached == 0 && b->unrecorded == NULL)
		return;
	rc = w->ops->commit(w->backend, b, &error);
	if (rc != 0 && error == NULL)
		error = "the write failed";
	refusals_done(w->refusals, rc == 0,
		      w->options.clock->wall_ms(w->options.clock->context));
	log_fault(w, rc == 0 ? NULL : error);
	if (rc == 0)
		log_unrecorded(w);
	pthread_mutex_lock(&w->lock);
	finish(w, rc == 0 ? NULL : error, rc == STORE_AWAY);
	pthread_mutex_unlock(&w->lock);
}

/* Waits for work, at most until it is time to tend; the lock is held. After a failure only
 * admits end the wait early. */
static void
wait_for_work(struct writer *w)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (w->has_more ? 1 : TEND_EVERY_MS) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	while (!w->stopping && w->first == NULL && (w->n_records + w->n_notes == 0 || w->error != NULL))
		if (pthread_cond_timedwait(&w->work, &w->lock, &until) != 0)
			break;
}

/* One step of deleting what is older than is kept; a backlog takes a step after
 * each batch. */
static void
prune(struct writer *w)
{
	int64_t now = boot_ms(w), keep;

	pthread_mutex_lock(&w->lock);
	keep = w->keep_ms;
	pthread_mutex_unlock(&w->lock);
	if (keep == 0 || w->ops->prune == NULL || w->error != NULL || now - w->pruned_ms < PRUNE_EVERY_MS)
		return;
	if (w->ops->prune(w->backend, w->options.clock->wall_ms(w->options.clock->context) - keep, PRUNE_ROWS) <= 0)
		w->pruned_ms = now;
}

/* What nobody waits for. */
static void
tend(struct writer *w)
{
	int64_t now = boot_ms(w);
	const char *error = NULL;
	int rc;

	if (w->ops->tend == NULL || (!w->has_more && now - w->tended_ms < TEND_EVERY_MS))
		return;
	w->tended_ms = now;
	rc = w->ops->tend(w->backend, &error);
	w->has_more = rc > 0;
	if (rc < 0)
		log_fault(w, error);
}

static void *
run(void *arg)
{
	struct writer *w = arg;
	bool stopping;

	do {
		pthread_mutex_lock(&w->lock);
		wait_for_work(w);
		stopping = w->stopping && w->first == NULL;
		take(w);
		pthread_mutex_unlock(&w->lock);
		write_batch(w);
		log_dropped(w);
		tend(w);
		prune(w);
	} while (!stopping || (w->batch.n_refusals == REFUSALS_MAX && w->error == NULL));
	return NULL;
}

/* Of one whose thread did not start. */
static struct writer *
writer_free(struct writer *w)
{
	arena_free(&w->notes_arena);
	arena_free(&w->reached_arena);
	free(w);
	return NULL;
}

struct writer *
writer_start(const struct store_ops *ops, void *backend, struct refusals *refusals,
	     const struct store_options *o)
{
	struct writer *w = calloc(1, sizeof *w);
	pthread_condattr_t attr;

	if (w == NULL)
		return NULL;
	w->ops = ops;
	w->backend = backend;
	w->refusals = refusals;
	w->options = *o;
	w->last = &w->first;
	w->notes_arena = arena_new(0);
	w->reached_arena = arena_new(0);
	if (w->notes_arena == NULL || w->reached_arena == NULL)
		return writer_free(w);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->work, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&w->thread, NULL, run, w) == 0)
		return w;
	return writer_free(w);
}

void
writer_stop(struct writer **w)
{
	struct writer *x = *w;

	if (x == NULL)
		return;
	pthread_mutex_lock(&x->lock);
	x->stopping = true;
	pthread_cond_signal(&x->work);
	pthread_mutex_unlock(&x->lock);
	pthread_join(x->thread, NULL);
	for (size_t i = 0; i < x->n_records; i++)
		arena_free(&x->records[i].arena);
	arena_free(&x->notes_arena);
	arena_free(&x->reached_arena);
	pthread_cond_destroy(&x->work);
	pthread_mutex_destroy(&x->lock);
	free(x);
	*w = NULL;
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void
writer_signed(struct writer *w, int64_t us)
{
	pthread_mutex_lock(&w->lock);
	note_timing(&w->timings[STORE_TIMED_SIGN], us);
	pthread_mutex_unlock(&w->lock);
}

int
writer_admit(struct writer *w, struct admit *a, const char **error_r)
{
	struct waiter x = { .admit = a };
	int64_t began = now_us();
	struct timing *t = &w->timings[STORE_TIMED_ADMIT];

	a->charged = a->is_share = a->is_away = false;
	pthread_cond_init(&x.done, NULL);
	pthread_mutex_lock(&w->lock);
	*w->last = &x;
	w->last = &x.next;
	if (++w->n_waiting > t->most)
		t->most = w->n_waiting;
	pthread_cond_signal(&w->work);
	while (!x.is_done)
		pthread_cond_wait(&x.done, &w->lock);
	w->n_waiting--;
	note_timing(t, now_us() - began);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_destroy(&x.done);
	if (error_r != NULL)
		*error_r = x.error;
	return x.error == NULL ? 0 : -1;
}

void
writer_record(struct writer *w, const struct record *r)
{
	struct queued q = { arena_new(0), NULL };

	if (q.arena != NULL)
		q.record = record_copy(q.arena, r);
	pthread_mutex_lock(&w->lock);
	if (q.record == NULL || w->n_records == RECORDS_MAX) {
		w->dropped++;
	} else {
		w->records[w->n_records++] = q;
		q.arena = NULL;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	arena_free(&q.arena);
}

void
writer_note(struct writer *w, const struct policy_note *note)
{
	struct policy_rule *rules;

	pthread_mutex_lock(&w->lock);
	rules = arena_array(w->notes_arena, note->n_rules + 1, sizeof *rules);
	for (size_t i = 0; rules != NULL && i < note->n_rules; i++)
		rules[i] = (struct policy_rule){
			.name = arena_string(w->notes_arena, note->rules[i].name),
			.conditions = arena_string(w->notes_arena, note->rules[i].conditions),
		};
	/* One too many is only missed by what-ifs. */
	if (rules != NULL && w->n_notes < NOTES_MAX) {
		w->notes[w->n_notes++] = (struct policy_note){
			.policy = arena_string(w->notes_arena, note->policy), .rules = rules, .n_rules = note->n_rules,
		};
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
}

static bool
is_counter(const struct charge *a, const struct charge *b)
{
	return a->unit == b->unit && a->period == b->period && strcmp(a->scope, b->scope) == 0 &&
	       strcmp(a->key, b->key) == 0;
}

/* A charge with all it points to. */
static struct charge
copy_charge(struct arena *a, const struct charge *c)
{
	struct charge copy = *c;

	copy.scope = arena_string(a, c->scope);
	copy.key = arena_string(a, c->key);
	copy.name = arena_string(a, c->name);
	copy.reserves = c->n_reserves == 0 ? NULL : arena_array(a, c->n_reserves, sizeof *copy.reserves);
	for (size_t i = 0; copy.reserves != NULL && i < c->n_reserves; i++) {
		copy.reserves[i] = c->reserves[i];
		copy.reserves[i].key = arena_string(a, c->reserves[i].key);
		copy.reserves[i].name = arena_string(a, c->reserves[i].name);
	}
	return copy;
}

/* One of a counter is enough; one that finds no room comes again with the next refusal. */
void
writer_reached(struct writer *w, const struct charge *c, const struct cause *cause)
{
	struct reached *r;

	pthread_mutex_lock(&w->lock);
	for (r = w->reached; r < w->reached + w->n_reached; r++)
		if (is_counter(&r->charge, c))
			break;
	if (r == w->reached + w->n_reached && w->n_reached < REACHED_MAX) {
		struct arena *a = w->reached_arena;

		*r = (struct reached){
			.charge = copy_charge(a, c), .cause = {arena_string(a, cause->id), arena_string(a, cause->app),
							       arena_string(a, cause->tenant)},
		};
		w->n_reached += arena_failed(a) ? 0 : 1;
	}
	pthread_mutex_unlock(&w->lock);
}

void
writer_unrecorded(struct writer *w)
{
	const struct clock *clock = w->options.clock;
	uint8_t chance[ID_RANDOM_OCTETS];
	int64_t now = clock->wall_ms(clock->context);

	clock->random(clock->context, chance, sizeof chance);
	pthread_mutex_lock(&w->lock);
	if (w->unrecorded.n++ == 0)
		w->unrecorded.first = now;
	w->unrecorded.last = now;
	if (w->unrecorded.id.s[0] == '\0')
		w->unrecorded.id = id_make(now, chance);
	pthread_mutex_unlock(&w->lock);
}

void
writer_keep(struct writer *w, int64_t keep_ms)
{
	pthread_mutex_lock(&w->lock);
	w->keep_ms = keep_ms;
	pthread_mutex_unlock(&w->lock);
}

int
writer_health(struct writer *w, const char **error_r)
{
	const char *error;

	pthread_mutex_lock(&w->lock);
	error = w->error;
	pthread_mutex_unlock(&w->lock);
	if (error_r != NULL)
		*error_r = error;
	return error == NULL ? 0 : -1;
}
