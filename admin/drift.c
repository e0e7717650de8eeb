/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See drift.h.
 */
#include "admin/drift.h"

#include <stdlib.h>
#include <string.h>

#include "admin/when.h"

#define DAY_MS INT64_C(86400000)
/* For so long after the first message nothing is new, for all is. */
#define YOUNG_MS (7 * DAY_MS)
/* Ranges, same weekdays, or days of any kind, that make something usual. */
#define LEAST_VALUES 4
#define LEAST_DAYS 14
/* Back after nothing for so long. */
#define AWAY_MS (28 * DAY_MS)
/* Half the width of the band: so many deviations, or so much of the median and some messages, or so many
 * messages, whichever is most. */
#define DEVIATIONS (3.5 * 1.4826)
#define PART_OF_MEDIAN 0.5
#define MORE_THAN_PART 10.0
#define FLOOR 20.0
/* Silence is told of what has so many messages in the middle, or one that is the same always. */
#define SILENT_FLOOR 10.0
#define STEADY_VALUES 6
/* That many new ones in the range before are how the app is. */
#define USUAL_NEW 5

/* ---- what is usual */

struct usual {
	double v[DRIFT_BEFORE];   /* sorted */
	size_t n;
	bool is_weekday;
	double median, width;
};

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median_of(double *v, size_t n)
{
	qsort(v, n, sizeof *v, compare);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Whole ranges before range i, each `step` ranges, since then. */
static size_t
take(const struct drift_ranges *r, const uint64_t *n, size_t i, size_t step, int64_t since, double *v)
{
	size_t k = 0;

	for (size_t j = i + step; j <= r->n; j += step)
		if (r->bound[j + 1] >= since && r->bound[j + 1] >= r->known_since)
			v[k++] = (double)n[j];
	return k;
}

/* What was usual before range i: on the same day of the week where that is known long enough. False
 * where nothing is. */
static bool
find_usual(const struct drift_ranges *r, const uint64_t *n, size_t i, int64_t since, struct usual *u)
{
	double away[DRIFT_BEFORE];

	u->is_weekday = false;
	u->n = 0;
	if (r->is_daily) {
		u->n = take(r, n, i, 7, since, u->v);
		u->is_weekday = u->n >= LEAST_VALUES;
	}
	if (!u->is_weekday)
		u->n = take(r, n, i, 1, since, u->v);
	if (u->n < (r->is_daily && !u->is_weekday ? LEAST_DAYS : LEAST_VALUES))
		return false;
	u->median = median_of(u->v, u->n);
	for (size_t k = 0; k < u->n; k++)
		away[k] = u->v[k] > u->median ? u->v[k] - u->median : u->median - u->v[k];
	u->width = DEVIATIONS * median_of(away, u->n);
	if (u->width < PART_OF_MEDIAN * u->median + MORE_THAN_PART)
		u->width = PART_OF_MEDIAN * u->median + MORE_THAN_PART;
	if (u->width < FLOOR)
		u->width = FLOOR;
	return true;
}

/* Whether two of the ranges were as high, or as low. */
static bool
was_so_twice(const struct usual *u, double now, bool is_more)
{
	size_t n = 0;

	for (size_t k = 0; k < u->n; k++)
		n += is_more ? u->v[k] >= 0.8 * now : u->v[k] <= 1.25 * now;
	return n >= 2;
}

/* Whether it was as high a month ago. */
static bool
was_so_a_month_ago(const struct drift_ranges *r, const uint64_t *n)
{
	size_t from = r->is_daily ? 28 : 4, to = r->is_daily ? 31 : 5;

	for (size_t j = from; j <= to && j <= r->n; j++)
		if (r->bound[j + 1] >= r->known_since && (double)n[j] >= 0.8 * (double)n[0])
			return true;
	return false;
}

/* Whether range i is silent where it is usual to send. */
static bool
is_silent(const struct drift_ranges *r, const uint64_t *n, size_t i, int64_t since)
{
	struct usual u;
	size_t present = 0;

	if (n[i] > 0 || !find_usual(r, n, i, since, &u) || u.is_weekday != r->is_daily)
		return false; /* of days of any kind some are silent as they should be */
	for (size_t k = 0; k < u.n; k++)
		present += u.v[k] > 0;
	if (u.n >= STEADY_VALUES && u.v[0] > 0 && u.v[0] >= u.v[u.n - 1])
		return true; /* sorted: always the same */
	return u.median >= SILENT_FLOOR && 4 * present >= 3 * u.n;
}

/* The same of range 0, told once: not where an earlier range of this silence was one of which it was told. */
static bool
fell_silent(const struct drift_ranges *r, const uint64_t *n, int64_t since)
{
	if (!is_silent(r, n, 0, since))
		return false;
	for (size_t i = 1; i <= r->n && n[i] == 0; i++)
		if (is_silent(r, n, i, since))
			return false;
	return true;
}

static void
set_usual(struct drift *d, const struct usual *u)
{
	bool first = true;

	d->values = u->n;
	d->is_weekday = u->is_weekday;
	for (size_t k = 0; k < u->n; k++) {
		if (u->v[k] < u->median - u->width || u->v[k] > u->median + u->width) {
			d->odd++;
			continue;
		}
		d->high = (uint64_t)u->v[k];
		if (first)
			d->low = d->high;
		first = false;
	}
}

/* ---- an app */

static bool
is_young(const struct drift_ranges *r, int64_t began)
{
	return began > r->bound[1] - YOUNG_MS;
}

static size_t
known_ranges(const struct drift_ranges *r)
{
	size_t n = 0;

	while (n < r->n && r->bound[n + 2] >= r->known_since)
		n++;
	return n;
}

static struct drift
make(const struct drift_ranges *r, enum drift_kind kind, const char *app, uint64_t now)
{
	return (struct drift){.kind = kind, .is_daily = r->is_daily, .app = app, .name = "", .was = "", .now = now, .id = ""};
}

/* Whether it is new, or back after all that is known. */
static bool
judge_new(const struct drift_ranges *r, const struct drift_app *a, struct drift *d)
{
	size_t known = known_ranges(r);

	if (a->tried[0] == 0)
		return false;
	if (a->first >= r->bound[1]) {
		*d = make(r, DRIFT_NEW_APP, a->name, a->tried[0]);
		d->first = a->first;
		return !is_young(r, r->began);
	}
	for (size_t i = 1; i <= known; i++)
		if (a->tried[i] > 0)
			return false;
	*d = make(r, DRIFT_BACK, a->name, a->tried[0]);
	d->values = known;
	return r->bound[1] - r->bound[known + 1] >= AWAY_MS && a->first < r->bound[known + 1];
}

static bool
judge_volume(const struct drift_ranges *r, const struct drift_app *a, struct drift *d)
{
	bool is_gone = fell_silent(r, a->tried, a->first);
	const uint64_t *n = is_gone ? a->tried : a->sent;
	double now = (double)n[0];
	struct usual u;

	if (!find_usual(r, n, 0, a->first, &u))
		return false;
	if (is_gone)
		*d = make(r, DRIFT_SILENT_APP, a->name, 0);
	else if (now > u.median + u.width && !was_so_twice(&u, now, true) && !was_so_a_month_ago(r, n))
		*d = make(r, DRIFT_MORE, a->name, n[0]);
	else if (a->tried[0] > 0 && now < u.median - u.width && !was_so_twice(&u, now, false))
		*d = make(r, DRIFT_LESS, a->name, n[0]);
	else
		return false;
	set_usual(d, &u);
	return true;
}

static const struct drift_method *
most_used(const struct drift_app *a, size_t range)
{
	const struct drift_method *most = NULL;

	for (size_t i = 0; i < a->n_methods; i++)
		if (a->method[i].n[range] > 0 && (most == NULL || a->method[i].n[range] > most->n[range]))
			most = &a->method[i];
	return most;
}

/* A method that it did not use when it last sent. */
static bool
judge_method(const struct drift_ranges *r, const struct drift_app *a, struct drift *d)
{
	const struct drift_method *was = NULL, *is = NULL;
	size_t last = 0;

	while (was == NULL && ++last <= r->n)
		was = most_used(a, last);
	for (size_t i = 0; was != NULL && i < a->n_methods; i++)
		if (a->method[i].n[0] > 0 && a->method[i].n[last] == 0 && (is == NULL || a->method[i].n[0] > is->n[0]))
			is = &a->method[i];
	if (is == NULL)
		return false;
	*d = make(r, DRIFT_METHOD, a->name, is->n[0]);
	d->of = a->tried[0];
	d->name = is->name;
	d->was = was->name;
	return true;
}

size_t
drift_app(const struct drift_ranges *r, const struct drift_app *a, struct drift drifts[DRIFT_OF_APP])
{
	size_t n = 0;

	if (judge_new(r, a, &drifts[n]))
		return 1; /* what is new has nothing that could have changed */
	n += judge_volume(r, a, &drifts[n]);
	n += judge_method(r, a, &drifts[n]);
	return n;
}

/* ---- senders and clients of an app */

void
drift_names_begin(struct drift_names *x, const struct drift_ranges *r, const struct drift_app *a, bool is_client)
{
	*x = (struct drift_names){.ranges = r, .app = a, .is_client = is_client};
}

/* Keeps those with most messages, the largest first; of equals the one that came first. */
static void
keep(struct drift *kept, size_t n_before, const struct drift *d)
{
	size_t n = n_before < DRIFT_NAMES ? n_before : DRIFT_NAMES, i = n;

	while (i > 0 && kept[i - 1].now + kept[i - 1].high < d->now + d->high)
		i--;
	if (i == DRIFT_NAMES)
		return;
	memmove(&kept[i + 1], &kept[i], ((n < DRIFT_NAMES ? n : DRIFT_NAMES - 1) - i) * sizeof *kept);
	kept[i] = *d;
}

/* Whether range i is the first with a message. */
static bool
begins_in(const struct drift_ranges *r, const struct drift_name *n, size_t i)
{
	if (n->n[i] == 0)
		return false;
	for (size_t k = i + 1; k <= r->n; k++)
		if (n->n[k] > 0)
			return false;
	return true;
}

void
drift_names_add(struct drift_names *x, const struct drift_name *n, struct arena *a)
{
	const struct drift_ranges *r = x->ranges;
	struct usual u;
	struct drift d;

	x->n_new_before += begins_in(r, n, 1);
	if (begins_in(r, n, 0)) {
		d = make(r, x->is_client ? DRIFT_NEW_CLIENT : DRIFT_NEW_SENDER, x->app->name, n->n[0]);
		d.name = arena_string(a, n->name);
		d.id = arena_string(a, n->first_id);
		d.first = n->first;
		d.values = known_ranges(r);
		keep(x->added, x->n_new++, &d);
	} else if (x->is_client && fell_silent(r, n->n, x->app->first) && find_usual(r, n->n, 0, x->app->first, &u)) {
		d = make(r, DRIFT_SILENT_CLIENT, x->app->name, 0);
		d.name = arena_string(a, n->name);
		set_usual(&d, &u);
		keep(x->silent, x->n_silent++, &d);
	}
}

static size_t
tell(const struct drift *kept, size_t n, struct drift *drifts)
{
	size_t shown = n < DRIFT_NAMES ? n : DRIFT_NAMES;

	if (shown == 0)
		return 0;
	memcpy(drifts, kept, shown * sizeof *kept);
	if (n == shown)
		return shown;
	drifts[shown] = (struct drift){
		.kind = kept->kind, .is_daily = kept->is_daily, .app = kept->app, .name = "", .was = "", .now = n - shown, .id = "",
	};
	return shown + 1;
}

size_t
drift_names_end(const struct drift_names *x, struct drift drifts[DRIFT_OF_NAMES])
{
	const struct drift_ranges *r = x->ranges;
	bool is_usual = x->n_new_before >= USUAL_NEW && x->n_new <= 2 * x->n_new_before;
	bool is_known = !is_young(r, x->app->first) && !is_young(r, r->known_since);
	bool is_gone = x->app->tried[0] == 0; /* that is told of the app, not of each of its clients */
	size_t n = is_usual || !is_known ? 0 : tell(x->added, x->n_new, drifts);

	return is_gone ? n : n + tell(x->silent, x->n_silent, drifts + n);
}

/* ---- words */

static const char *const names[] = {
	[DRIFT_NEW_APP] = "new-app", [DRIFT_BACK] = "back", [DRIFT_SILENT_APP] = "silent-app", [DRIFT_MORE] = "more",
	[DRIFT_LESS] = "less", [DRIFT_METHOD] = "method", [DRIFT_NEW_SENDER] = "new-sender", [DRIFT_NEW_CLIENT] = "new-client",
	[DRIFT_SILENT_CLIENT] = "silent-client",
};

const char *
drift_kind_name(enum drift_kind kind)
{
	return names[kind];
}

static const char *
messages(struct arena *a, uint64_t n)
{
	return arena_printf(a, "%llu message%s", (unsigned long long)n, n == 1 ? "" : "s");
}

/* "in the 8 weeks before" */
static const char *
before(const struct drift *d, struct arena *a)
{
	const char *what = d->is_weekday ? "same weekdays" : d->is_daily ? "days" : "weeks";

	return arena_printf(a, "%s the %zu %s before", d->is_weekday ? "on" : "in", d->values, what);
}

static const char *
usually(const struct drift *d, struct arena *a)
{
	const char *range = d->low == d->high ? arena_printf(a, "%llu", (unsigned long long)d->low)
			    : arena_printf(a, "%llu to %llu", (unsigned long long)d->low, (unsigned long long)d->high);

	return d->odd == 0 ? arena_printf(a, "%s %s", before(d, a), range)
	       : arena_printf(a, "%s %s, all but %zu of them", before(d, a), range, d->odd);
}

static const char *
since(const struct drift *d, struct arena *a)
{
	char at[WHEN_SIZE];

	return d->first == 0 ? "" : arena_printf(a, ", the first at %s", when_format(d->first, at));
}

static const char *
new_name_text(const struct drift *d, struct arena *a)
{
	bool is_sender = d->kind == DRIFT_NEW_SENDER;

	if (d->name[0] == '\0' && d->id[0] == '\0')
		return arena_printf(a, "%s has %llu more new %s%s", d->app, (unsigned long long)d->now, is_sender ? "sender" : "client",
				    d->now == 1 ? "" : "s");
	return arena_printf(a, "%s %s %s, not seen %s: %s%s", d->app, is_sender ? "sends as" : "sends from",
			    d->name[0] != '\0' ? d->name : is_sender ? "<>" : "this machine", before(d, a), messages(a, d->now), since(d, a));
}

const char *
drift_text(const struct drift *d, struct arena *a)
{
	switch (d->kind) {
	case DRIFT_NEW_APP:
		return arena_printf(a, "%s is new: %s%s", d->app, messages(a, d->now), since(d, a));
	case DRIFT_BACK:
		return arena_printf(a, "%s sends again: %s, none %s", d->app, messages(a, d->now), before(d, a));
	case DRIFT_SILENT_APP:
		return arena_printf(a, "%s fell silent: it sent nothing, %s", d->app, usually(d, a));
	case DRIFT_MORE:
		return arena_printf(a, "%s sent more: %s, %s", d->app, messages(a, d->now), usually(d, a));
	case DRIFT_LESS:
		return arena_printf(a, "%s sent less: %s, %s", d->app, messages(a, d->now), usually(d, a));
	case DRIFT_METHOD:
		return arena_printf(a, "%s sends by %s now (%llu of %s), before by %s", d->app, d->name, (unsigned long long)d->now,
				    messages(a, d->of), d->was);
	case DRIFT_NEW_SENDER:
	case DRIFT_NEW_CLIENT:
		return new_name_text(d, a);
	case DRIFT_SILENT_CLIENT:
		break;
	}
	if (d->values == 0)
		return arena_printf(a, "%llu more clients of %s fell silent", (unsigned long long)d->now, d->app);
	return arena_printf(a, "%s of %s fell silent: nothing, %s", d->name[0] != '\0' ? d->name : "this machine", d->app, usually(d, a));
}
