/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See summary.h: the facts of a week or a day, of all apps.
 */
#include "config.h"

#include "admin/summary.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "maillog/maillog.h"
#include "policy/reason.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define WEEKS_BEFORE 8
/* What is kept apart; more is counted. */
#define CAUSES_MAX 2000
#define ANSWERS_MAX 500
#define LIMITS_MAX 300
#define DRIFTS_MAX 1000
/* So much of the time before must be known. */
#define LEAST_KNOWN_MS (28 * DAY_MS)

/* ---- the range */

/* The midnight, here, that many days before the day of t; to the whole hour, as roll-ups are. */
static int64_t
midnight(const struct tm *t, int days)
{
	struct tm d = {.tm_year = t->tm_year, .tm_mon = t->tm_mon, .tm_mday = t->tm_mday - days, .tm_isdst = -1};
	int64_t ms = (int64_t)mktime(&d) * 1000;

	return ms - ms % HOUR_MS;
}

void
summary_ranges(bool is_daily, const struct summary_wish *w, int minute, int64_t now, struct drift_ranges *r)
{
	time_t seconds = (time_t)(now / 1000);
	int step = is_daily ? 1 : 7, back = 0;
	struct tm t = {0};

	*r = (struct drift_ranges){.is_daily = is_daily, .n = is_daily ? DRIFT_BEFORE : WEEKS_BEFORE};
	localtime_r(&seconds, &t);
	if (t.tm_hour * 60 + t.tm_min < minute)
		back = 1;
	if (!is_daily)
		back += (t.tm_wday - back - w->weekday + 14) % 7;
	for (size_t i = 0; i < r->n + 2; i++)
		r->bound[i] = midnight(&t, back + (int)i * step);
}

/* ---- apps and their traffic */

struct reading {
	struct summary_facts *f;
	struct store_reader *r;
	const struct policy *policy;
	size_t room;              /* of apps */
	struct drift_names names; /* of the app at hand */
	struct summary_app *app;
	struct drift_name name;   /* the one at hand */
	char *name_text, *name_id;
	bool is_client;
};

static int
compare_apps(const void *a, const void *b)
{
	return strcmp(((const struct summary_app *)a)->name, ((const struct summary_app *)b)->name);
}

static struct summary_app *
find(struct reading *x, const char *name)
{
	const struct summary_app key = {.name = name};

	if (x->app != NULL && strcmp(x->app->name, name) == 0)
		return x->app;
	return x->f->n_apps == 0 ? NULL : bsearch(&key, x->f->apps, x->f->n_apps, sizeof key, compare_apps);
}

static int
keep_ever(void *context, const struct store_traffic *s)
{
	struct reading *x = context;
	struct summary_facts *f = x->f;
	struct summary_app *a;

	if (f->n_apps == x->room) {
		struct summary_app *more = arena_array(f->arena, x->room = x->room == 0 ? 32 : 2 * x->room, sizeof *more);

		if (more == NULL)
			return -2;
		if (f->n_apps > 0)
			memcpy(more, f->apps, f->n_apps * sizeof *more);
		f->apps = more;
	}
	a = &f->apps[f->n_apps++];
	a->name = a->series.name = arena_string(f->arena, s->app);
	a->series.first = s->first;
	a->first_id = "";
	if (f->ranges.began == 0 || s->first < f->ranges.began)
		f->ranges.began = s->first;
	return 0;
}

static void
add_numbers(struct store_traffic *to, const struct store_traffic *s)
{
	uint64_t *const sums[] = {
		&to->messages, &to->accepted, &to->held, &to->deferred, &to->rejected, &to->discarded, &to->counted, &to->on_trial,
		&to->is_unsigned, &to->recipients, &to->external, &to->bytes,
	};
	const uint64_t more[] = {
		s->messages, s->accepted, s->held, s->deferred, s->rejected, s->discarded, s->counted, s->on_trial,
		s->is_unsigned, s->recipients, s->external, s->bytes,
	};

	for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
		*sums[i] += more[i];
}

static void
add_method(struct summary_facts *f, struct drift_app *a, const char *name, size_t range, uint64_t n)
{
	size_t i = 0;

	if (name[0] == '\0')
		return;
	while (i < a->n_methods && strcmp(a->method[i].name, name) != 0)
		i++;
	if (i == DRIFT_METHODS)
		return;
	if (i == a->n_methods)
		a->method[a->n_methods++].name = arena_string(f->arena, name);
	a->method[i].n[range] += n;
}

static int
keep_hour(void *context, const struct store_traffic *s)
{
	struct reading *x = context;
	struct summary_app *a = find(x, s->app);
	const struct drift_ranges *r = &x->f->ranges;
	size_t i = 0;

	while (i <= r->n && s->hour < r->bound[i + 1])
		i++;
	if (a == NULL || i > r->n || s->hour >= r->bound[0])
		return 0;
	a->series.tried[i] += s->messages;
	a->series.sent[i] += s->messages - s->deferred;
	add_method(x->f, &a->series, s->method, i, s->messages);
	if (i == 0)
		add_numbers(&a->now, s);
	return 0;
}

/* All apps there ever were, then their hours. */
static int
read_traffic(struct reading *x, const char **error_r)
{
	const struct drift_ranges *r = &x->f->ranges;
	struct store_traffic_query q = {.ever = true, .by = STORE_TRAFFIC_APP};
	int rc = store_reader_traffic(x->r, &q, keep_ever, x, error_r);

	qsort(x->f->apps, x->f->n_apps, sizeof *x->f->apps, compare_apps);
	q = (struct store_traffic_query){
		.since = r->bound[r->n + 1], .until = r->bound[0], .by = STORE_TRAFFIC_HOUR | STORE_TRAFFIC_APP | STORE_TRAFFIC_METHOD,
	};
	return rc == 0 && x->f->n_apps > 0 ? store_reader_traffic(x->r, &q, keep_hour, x, error_r) : rc;
}

/* ---- refusals, limits, what waits */

static int
keep_cause(void *context, const struct store_traffic *s)
{
	struct summary_facts *f = context;

	if (strcmp(s->verdict, "accept") == 0)
		return 0;
	if (f->n_causes == CAUSES_MAX) {
		f->left_out++;
		return 0;
	}
	f->causes[f->n_causes++] = (struct summary_cause){
		arena_string(f->arena, s->app), arena_string(f->arena, s->reason), arena_string(f->arena, s->verdict), s->messages,
	};
	return 0;
}

static int
keep_event(void *context, const struct store_event *e)
{
	struct summary_facts *f = context;
	struct summary_limit *l;
	const char *app = strncmp(e->scope, "tenant:", 7) == 0 ? "" : e->app;
	bool is_near = strcmp(e->kind, "near") == 0;
	size_t i = 0;

	if (e->time < f->since || e->time >= f->until || (!is_near && strcmp(e->kind, "reached") != 0))
		return 0;
	while (i < f->n_limits && (strcmp(f->limits[i].name, e->name) != 0 || strcmp(f->limits[i].key, e->key) != 0 ||
				   strcmp(f->limits[i].app, app) != 0))
		i++;
	if (i == LIMITS_MAX) {
		f->left_out++;
		return 0;
	}
	l = &f->limits[i];
	if (i == f->n_limits) {
		f->n_limits++;
		*l = (struct summary_limit){.app = arena_string(f->arena, app), .name = arena_string(f->arena, e->name),
					    .key = arena_string(f->arena, e->key), .unit = e->unit};
	}
	*(is_near ? &l->near : &l->reached) += 1;
	l->last = e->time;
	l->used = e->used;
	l->count = e->count > UINT64_MAX - e->boost ? UINT64_MAX : e->count + e->boost;
	return 0;
}

static int
keep_holding(void *context, const struct store_holding *h)
{
	struct summary_app *a = find(context, h->app);

	if (a != NULL)
		*(strcmp(h->state, "kept") == 0 ? &a->kept : &a->waiting) += h->messages;
	return 0;
}

static int
compare_limits(const void *a, const void *b)
{
	const struct summary_limit *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	if (x->reached != y->reached)
		return x->reached > y->reached ? -1 : 1;
	return c != 0 ? c : strcmp(x->key, y->key);
}

static int
read_stops(struct reading *x, const char **error_r)
{
	struct summary_facts *f = x->f;
	const struct store_traffic_query q = {
		.since = f->since, .until = f->until, .by = STORE_TRAFFIC_REASON | STORE_TRAFFIC_VERDICT | STORE_TRAFFIC_APP,
	};
	int rc = store_reader_traffic(x->r, &q, keep_cause, f, error_r);

	if (rc == 0)
		rc = store_reader_events(x->r, "", 0, keep_event, f, error_r);
	qsort(f->limits, f->n_limits, sizeof *f->limits, compare_limits);
	return rc == 0 ? store_reader_holding(x->r, keep_holding, x, error_r) : rc;
}

/* ---- answers */

static void
explain(const struct store_answer *s, struct summary_answer *a)
{
	struct m365_reply r = m365_read(s->reply, s->dsn[0] != '\0' && s->next_hop[0] != '\0' ? s->dsn : NULL);

	a->is_foreign = r.is_reply && !s->is_believed && !m365_is_host(s->next_hop, maillog_host_length(s->next_hop));
	a->meaning = a->is_foreign ? (struct m365_meaning){.keyword = ""} : m365_explain(&r, s->reply);
}

static int
keep_answer(void *context, const struct store_answer *s)
{
	struct reading *x = context;
	struct summary_facts *f = x->f;
	struct summary_app *app = find(x, s->app);
	struct summary_answer a = {.status = s->status};
	bool is_sent = strcmp(s->status, "sent") == 0;
	size_t i = 0;

	if (app != NULL)
		*(is_sent ? &app->sent : &app->unsent) += s->recipients;
	if (is_sent)
		return 0;
	explain(s, &a);
	while (i < f->n_answers && (strcmp(f->answers[i].app, s->app) != 0 || strcmp(f->answers[i].status, s->status) != 0 ||
				    f->answers[i].is_foreign != a.is_foreign ||
				    strcmp(f->answers[i].meaning.keyword, a.meaning.keyword) != 0))
		i++;
	if (i == ANSWERS_MAX) {
		f->left_out += s->recipients;
		return 0;
	}
	if (i == f->n_answers) {
		a.app = arena_string(f->arena, s->app);
		a.status = arena_string(f->arena, s->status);
		a.reply = arena_string(f->arena, s->reply);
		f->answers[f->n_answers++] = a;
	}
	f->answers[i].recipients += s->recipients;
	return 0;
}

static int
compare_answers(const void *a, const void *b)
{
	const struct summary_answer *x = a, *y = b;
	int c = strcmp(x->app, y->app);

	if (x->recipients != y->recipients)
		return x->recipients > y->recipients ? -1 : 1;
	return c != 0 ? c : strcmp(x->meaning.keyword, y->meaning.keyword);
}

static int
read_answers(struct reading *x, const char **error_r)
{
	int rc = store_reader_answers(x->r, x->f->since, x->f->until, keep_answer, x, error_r);

	x->f->is_followed = rc != STORE_NO_DELIVERIES;
	qsort(x->f->answers, x->f->n_answers, sizeof *x->f->answers, compare_answers);
	return rc == STORE_NO_DELIVERIES ? 0 : rc;
}

/* ---- drift */

static void
add_drifts(struct summary_facts *f, const struct drift *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (f->n_drifts == DRIFTS_MAX)
			f->left_out++;
		else
			f->drifts[f->n_drifts++] = d[i];
}

static void
end_name(struct reading *x)
{
	if (x->app != NULL && x->name_text != NULL) {
		x->name.name = x->name_text;
		x->name.first_id = x->name_id;
		drift_names_add(&x->names, &x->name, x->f->arena);
	}
	free(x->name_text);
	free(x->name_id);
	x->name_text = x->name_id = NULL;
	memset(&x->name, 0, sizeof x->name);
}

static void
end_app(struct reading *x)
{
	struct drift d[DRIFT_OF_NAMES];

	end_name(x);
	if (x->app != NULL && x->app->name[0] != '\0')
		add_drifts(x->f, d, drift_names_end(&x->names, d));
	x->app = NULL;
}

/* The names of an app come one after the other, the ranges of a name too. */
static int
keep_seen(void *context, const struct store_seen *s)
{
	struct reading *x = context;

	if (x->app == NULL || strcmp(x->app->name, s->app) != 0) {
		end_app(x);
		x->app = find(x, s->app);
		if (x->app == NULL)
			return 0;
		drift_names_begin(&x->names, &x->f->ranges, &x->app->series, x->is_client);
	}
	if (x->name_text == NULL || strcmp(x->name_text, s->name) != 0) {
		end_name(x);
		x->name_text = strdup(s->name);
		x->name_id = strdup(s->first_id);
		x->name.first = s->first;
		if (x->name_text == NULL || x->name_id == NULL)
			return -2;
	}
	if (s->range >= 0 && (size_t)s->range <= x->f->ranges.n)
		x->name.n[s->range] += s->messages;
	if (s->range == 0 && !x->is_client && (x->app->first_id[0] == '\0' || strcmp(s->first_id, x->app->first_id) < 0))
		x->app->first_id = arena_string(x->f->arena, s->first_id);
	return 0;
}

static int
read_names(struct reading *x, bool is_client, const char **error_r)
{
	const struct drift_ranges *r = &x->f->ranges;
	const struct store_seen_query q = {
		.by = is_client ? STORE_BY_CLIENT : STORE_BY_SENDER, .since = r->bound[1], .until = r->bound[0],
		.oldest = r->bound[r->n + 1] > r->known_since ? r->bound[r->n + 1] : r->known_since,
		.range_ms = r->is_daily ? DAY_MS : 7 * DAY_MS,
	};
	int rc;

	x->is_client = is_client;
	x->app = NULL;
	rc = store_reader_seen(x->r, &q, keep_seen, x, error_r);
	end_app(x);
	return rc;
}

static void
judge_apps(struct summary_facts *f)
{
	for (size_t i = 0; i < f->n_apps; i++) {
		struct summary_app *a = &f->apps[i];
		struct drift d[DRIFT_OF_APP];
		size_t n = a->name[0] == '\0' ? 0 : drift_app(&f->ranges, &a->series, d);

		for (size_t k = 0; k < n; k++)
			if (d[k].kind == DRIFT_NEW_APP)
				d[k].id = a->first_id;
		add_drifts(f, d, n);
		a->before = a->series.tried[1];
		a->is_before_known = f->ranges.bound[2] >= f->ranges.known_since;
	}
}

/* App by app; of one app as the kinds stand, then as they came. */
static int
compare_drifts(const void *a, const void *b)
{
	const struct drift *x = a, *y = b;
	int c = strcmp(x->app, y->app);

	if (c != 0 || x->kind != y->kind)
		return c != 0 ? c : x->kind < y->kind ? -1 : 1;
	if ((x->name[0] == '\0' && x->id[0] == '\0') != (y->name[0] == '\0' && y->id[0] == '\0'))
		return x->name[0] == '\0' && x->id[0] == '\0' ? 1 : -1;
	return x->now != y->now ? (x->now > y->now ? -1 : 1) : strcmp(x->name, y->name);
}

/* From when on all is kept. */
static void
set_known(struct reading *x, int64_t now)
{
	struct drift_ranges *r = &x->f->ranges;
	int64_t kept = now - (int64_t)x->policy->audit_keep * 1000;

	r->known_since = r->began > kept ? r->began : kept;
	x->f->is_young = r->began > r->bound[1] - LEAST_KNOWN_MS;
	x->f->is_short = !x->f->is_young && kept > r->bound[1] - LEAST_KNOWN_MS;
}

static int
read_all(struct reading *x, int64_t now, const char **error_r)
{
	struct summary_facts *f = x->f;
	int rc;

	f->causes = arena_array(f->arena, CAUSES_MAX, sizeof *f->causes);
	f->answers = arena_array(f->arena, ANSWERS_MAX, sizeof *f->answers);
	f->limits = arena_array(f->arena, LIMITS_MAX, sizeof *f->limits);
	f->drifts = arena_array(f->arena, DRIFTS_MAX, sizeof *f->drifts);
	if (arena_failed(f->arena))
		return -2;
	rc = read_traffic(x, error_r);
	set_known(x, now);
	if (rc == 0)
		rc = read_stops(x, error_r);
	if (rc == 0)
		rc = read_answers(x, error_r);
	if (rc == 0)
		rc = read_names(x, false, error_r);
	if (rc == 0)
		rc = read_names(x, true, error_r);
	judge_apps(f);
	qsort(f->drifts, f->n_drifts, sizeof *f->drifts, compare_drifts);
	return rc;
}

struct summary_facts *
summary_read(struct store_reader *r, const struct policy *p, const struct drift_ranges *ranges, int64_t now, const char **error_r)
{
	struct summary_facts *f = calloc(1, sizeof *f);
	struct reading x = {.f = f, .r = r, .policy = p};
	int rc = -2;

	if (f != NULL && (f->arena = arena_new(0)) != NULL) {
		f->ranges = *ranges;
		f->since = ranges->bound[1];
		f->until = ranges->bound[0];
		rc = read_all(&x, now, error_r);
	}
	if (rc == -2 || (f != NULL && f->arena != NULL && arena_failed(f->arena))) {
		*error_r = "memory is short";
		rc = -1;
	}
	if (rc != 0)
		summary_free(&f);
	return f;
}

void
summary_free(struct summary_facts **f)
{
	if (*f != NULL)
		arena_free(&(*f)->arena);
	free(*f);
	*f = NULL;
}
