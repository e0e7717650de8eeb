/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See traffic.h.
 */
#include "config.h"

#include "admin/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/reported.h"
#include "policy/policy.h"
#include "policy/reason.h"

/* Reports by mail that are looked at. */
#define REPORTS_MAX 100000
#define HOUR_MS INT64_C(3600000)
/* Of the range before, so many names are looked at. */
#define BEFORE_MAX 10000
/* Reasons, each with each of its apps. */
#define CAUSES_MAX 10000

static const struct {
	const char *name;
	unsigned by;
	const char *none;         /* what "" means */
} kinds[] = {
	{"app", STORE_TRAFFIC_APP, "(no app)"}, {"department", STORE_TRAFFIC_DEPARTMENT, "(no department)"},
	{"tenant", STORE_TRAFFIC_TENANT, "(no tenant)"}, {"method", STORE_TRAFFIC_METHOD, "(no method)"},
	{"sender", STORE_TRAFFIC_SENDER, "<>"}, {"client", STORE_TRAFFIC_CLIENT, "(this machine)"},
	{"reason", STORE_TRAFFIC_REASON, "(nothing to remark)"}, {"relay", STORE_TRAFFIC_RELAY, "(not known)"},
};
#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

unsigned
traffic_by(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].by;
	return 0;
}

const char *
traffic_name(const struct traffic *t, const char *name)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (name[0] == '\0' && strcmp(kinds[i].name, t->by) == 0)
			return kinds[i].none;
	return name;
}

const char *
traffic_share(uint64_t part, uint64_t whole, char buf[TRAFFIC_WORD])
{
	double percent = whole == 0 ? 0 : 100.0 * (double)part / (double)whole;

	if (part > 0 && percent < 1)
		return "<1%";
	snprintf(buf, TRAFFIC_WORD, "%.0f%%", percent > 99 && part < whole ? 99 : percent);
	return buf;
}

const char *
traffic_change(const struct traffic *t, uint64_t now, uint64_t before, char buf[TRAFFIC_WORD])
{
	double percent = before == 0 ? 0 : 100.0 * ((double)now - (double)before) / (double)before;

	if (before == 0)
		return now == 0 || t->total_before.messages == 0 ? "" : "new";
	if (percent >= 1000)
		snprintf(buf, TRAFFIC_WORD, "x%.0f", (double)now / (double)before);
	else
		snprintf(buf, TRAFFIC_WORD, "%+.0f%%", percent);
	return strcmp(buf, "-0%") == 0 || strcmp(buf, "+0%") == 0 ? "=" : buf;
}

const char *
traffic_advice(const struct traffic_reason *r)
{
	const struct reason *known = reason_find(r->reason);

	if (strcmp(r->verdict, "hold") == 0)
		return strncmp(r->reason, "limit:", 6) == 0
		       ? "It leaves in its turn; postern release --list shows what waits."
		       : "It waits until somebody lets it go: postern release --list, then --now.";
	if (strcmp(r->verdict, "discard") == 0)
		return "The rule throws it away, and tells nobody.";
	return known == NULL ? "" : known->advice;
}

const char *
traffic_better_method(const char *method, uint64_t outside)
{
	if (strcmp(method, method_facts(METHOD_DIRECT_SEND)->name) == 0)
		return outside > 0
		       ? "A connector, or smtp-auth: it writes to addresses outside, which Direct Send does not reach."
		       : "A connector by certificate or address: Exchange Online takes Direct Send for anyone's mail, filters it "
			 "as such, and refuses it once RejectDirectSend is on.";
	if (strcmp(method, method_facts(METHOD_HVE)->name) == 0 && outside > 0)
		return "A connector, smtp-auth or acs: High Volume Email does not reach addresses outside.";
	return "";
}

/* ---- reading */

/* A name of the range before. */
struct past {
	const char *name, *other;
	uint64_t messages;
};

struct reading {
	struct traffic *t;
	struct store_reader *r;
	unsigned by;
	const struct traffic_want *want;
	struct past *past;
	size_t n_past, past_room;
	bool is_past_whole;
	struct traffic_reason *causes; /* by reason, verdict and app */
	size_t n_causes;
};

static const char *
name_of(const struct store_traffic *s, unsigned by)
{
	switch (by) {
	case STORE_TRAFFIC_DEPARTMENT: return s->department;
	case STORE_TRAFFIC_TENANT: return s->tenant;
	case STORE_TRAFFIC_METHOD: return s->method;
	case STORE_TRAFFIC_SENDER: return s->sender;
	case STORE_TRAFFIC_CLIENT: return s->client;
	case STORE_TRAFFIC_REASON: return s->reason;
	case STORE_TRAFFIC_RELAY: return s->relay;
	default: return s->app;
	}
}

/* What is wanted of a range. */
static struct store_traffic_query
query(const struct reading *x, int64_t since, int64_t until, unsigned by)
{
	return (struct store_traffic_query){
		.since = since, .until = until, .by = by, .only = x->want->only, .name = x->want->name,
		.unsigned_only = x->want->unsigned_only,
	};
}

/* Without the words, which live for the call only. */
static struct store_traffic
numbers_of(const struct store_traffic *s)
{
	struct store_traffic n = *s;

	n.relay = n.app = n.tenant = n.department = n.method = n.verdict = n.reason = n.signing = n.sender = n.client = "";
	return n;
}

static void
add_to(struct store_traffic *total, const struct store_traffic *s)
{
	uint64_t *const to[] = {
		&total->messages, &total->accepted, &total->held, &total->deferred, &total->rejected, &total->discarded,
		&total->counted, &total->on_trial, &total->is_unsigned, &total->recipients, &total->external, &total->bytes,
		&total->decide_us,
	};
	const uint64_t from[] = {
		s->messages, s->accepted, s->held, s->deferred, s->rejected, s->discarded, s->counted, s->on_trial, s->is_unsigned,
		s->recipients, s->external, s->bytes, s->decide_us,
	};

	if (total->messages == 0 || s->first < total->first)
		total->first = s->first;
	total->last = s->last > total->last ? s->last : total->last;
	for (size_t i = 0; i < COUNT_OF(to); i++)
		*to[i] += from[i];
}

static int
keep_row(void *context, const struct store_traffic *s)
{
	struct reading *x = context;
	struct traffic_row *row = &x->t->rows[x->t->n_rows++];

	*row = (struct traffic_row){.name = arena_string(x->t->arena, name_of(s, x->by)), .now = numbers_of(s)};
	if (x->want->rows_only)
		add_to(&x->t->total, s);
	else
		x->t->others -= s->messages;
	return 0;
}

/* The range before: what `name` and `other` had. */
static int
keep_past(struct reading *x, const char *name, const char *other, uint64_t messages)
{
	if (x->n_past == x->past_room)
		return 1; /* there are more */
	x->past[x->n_past++] = (struct past){arena_string(x->t->arena, name), arena_string(x->t->arena, other), messages};
	return 0;
}

static int
keep_past_row(void *context, const struct store_traffic *s)
{
	struct reading *x = context;

	return keep_past(x, name_of(s, x->by), "", s->messages);
}

static int
keep_past_reason(void *context, const struct store_traffic *s)
{
	struct reading *x = context;

	add_to(&x->t->total_before, s);
	(void)keep_past(x, s->reason, s->verdict, s->messages); /* the sum is of all */
	return 0;
}

static int
compare_past(const void *a, const void *b)
{
	const struct past *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : strcmp(x->other, y->other);
}

static const struct past *
find_past(const struct reading *x, const char *name, const char *other)
{
	const struct past key = {name, other, 0};

	return x->n_past == 0 ? NULL : bsearch(&key, x->past, x->n_past, sizeof key, compare_past);
}

/* Asks for the range before; 0, or -1. */
static int
read_past(struct reading *x, unsigned by, int (*each)(void *context, const struct store_traffic *s), const char **error_r)
{
	struct store_traffic_query q = query(x, x->t->before, x->t->since, by);
	int rc;

	q.max = by == x->by ? BEFORE_MAX + 1 : 0;
	q.brief = by == x->by;
	x->past_room = BEFORE_MAX;
	x->n_past = 0;
	x->is_past_whole = true;
	if (x->want->without_before || x->want->rows_only)
		return 0;
	if (x->past == NULL)
		x->past = arena_array(x->t->arena, BEFORE_MAX, sizeof *x->past);
	if (x->past == NULL)
		return -2;
	rc = store_reader_traffic(x->r, &q, each, x, error_r);
	x->is_past_whole = rc == 0;
	qsort(x->past, x->n_past, sizeof *x->past, compare_past);
	return rc < 0 ? rc : 0;
}

static int
read_rows(struct reading *x, const char **error_r)
{
	struct store_traffic_query q = query(x, x->t->since, x->t->until, x->by);
	struct traffic *t = x->t;
	int rc;

	q.max = TRAFFIC_ROWS;
	t->rows = arena_array(t->arena, TRAFFIC_ROWS, sizeof *t->rows);
	t->others = t->total.messages;
	if (t->rows == NULL)
		return -2;
	rc = store_reader_traffic(x->r, &q, keep_row, x, error_r);
	if (rc == 0)
		rc = read_past(x, x->by, keep_past_row, error_r);
	t->is_gone = t->n_rows < TRAFFIC_ROWS && t->others > 0;
	for (size_t i = 0; rc == 0 && i < t->n_rows; i++) {
		const struct past *p = find_past(x, t->rows[i].name, "");

		t->rows[i].before = p == NULL ? 0 : p->messages;
		t->rows[i].is_known_before = p != NULL || x->is_past_whole;
	}
	return rc;
}

static int
keep_cause(void *context, const struct store_traffic *s)
{
	struct reading *x = context;

	add_to(&x->t->total, s);
	if (strcmp(s->verdict, "accept") == 0 || x->n_causes == CAUSES_MAX)
		return 0;
	x->causes[x->n_causes++] = (struct traffic_reason){
		.reason = arena_string(x->t->arena, s->reason), .verdict = arena_string(x->t->arena, s->verdict),
		.messages = s->messages, .app = arena_string(x->t->arena, s->app), .of_app = s->messages,
	};
	return 0;
}

static int
compare_causes(const void *a, const void *b)
{
	const struct traffic_reason *x = a, *y = b;
	int c = strcmp(x->reason, y->reason);

	if (c == 0)
		c = strcmp(x->verdict, y->verdict);
	return c != 0 ? c : (x->of_app < y->of_app) - (x->of_app > y->of_app);
}

static int
compare_reasons(const void *a, const void *b)
{
	const struct traffic_reason *x = a, *y = b;

	return x->messages != y->messages ? (x->messages < y->messages) - (x->messages > y->messages) : compare_causes(a, b);
}

/* The apps of a reason become one; the one with most of it is first. */
static void
join_causes(struct reading *x)
{
	struct traffic_reason *r = x->causes;
	size_t n = 0;

	qsort(r, x->n_causes, sizeof *r, compare_causes);
	for (size_t i = 0; i < x->n_causes; i++)
		if (n > 0 && strcmp(r[n - 1].reason, r[i].reason) == 0 && strcmp(r[n - 1].verdict, r[i].verdict) == 0)
			r[n - 1].messages += r[i].messages;
		else
			r[n++] = r[i];
	qsort(r, n, sizeof *r, compare_reasons);
	x->t->reasons = r;
	x->t->n_reasons = n;
}

static int
read_reasons(struct reading *x, const char **error_r)
{
	const struct store_traffic_query q =
		query(x, x->t->since, x->t->until, STORE_TRAFFIC_REASON | STORE_TRAFFIC_VERDICT | STORE_TRAFFIC_APP);
	int rc;

	x->causes = arena_array(x->t->arena, CAUSES_MAX, sizeof *x->causes);
	if (x->causes == NULL)
		return -2;
	rc = store_reader_traffic(x->r, &q, keep_cause, x, error_r);
	if (rc != 0)
		return rc;
	join_causes(x);
	rc = read_past(x, STORE_TRAFFIC_REASON | STORE_TRAFFIC_VERDICT, keep_past_reason, error_r);
	for (size_t i = 0; rc == 0 && i < x->t->n_reasons; i++) {
		const struct past *p = find_past(x, x->t->reasons[i].reason, x->t->reasons[i].verdict);

		x->t->reasons[i].before = p == NULL ? 0 : p->messages;
	}
	return rc;
}

static int64_t
step_for(int64_t ms)
{
	static const int hours[] = {1, 2, 3, 6, 12, 24, 48, 168, 336, 672};
	size_t i = 0;

	while (i + 1 < COUNT_OF(hours) && ms / (hours[i] * HOUR_MS) > TRAFFIC_STEPS - 2)
		i++;
	return ms / (hours[i] * HOUR_MS) > TRAFFIC_STEPS - 2 ? (ms / TRAFFIC_STEPS / HOUR_MS + 2) * HOUR_MS : hours[i] * HOUR_MS;
}

static int
keep_step(void *context, const struct store_traffic *s)
{
	struct traffic *t = context;
	int64_t i = (s->hour - t->steps[0].at) / t->step_ms;

	if (i < 0 || (size_t)i >= t->n_steps)
		return 0;
	t->steps[i] = (struct traffic_step){
		.at = t->steps[i].at, .accepted = s->accepted, .held = s->held, .deferred = s->deferred,
		.rejected = s->rejected, .discarded = s->discarded,
	};
	return 0;
}

static int
read_steps(struct reading *x, const char **error_r)
{
	struct traffic *t = x->t;
	struct store_traffic_query q = query(x, t->since, t->until, STORE_TRAFFIC_HOUR);
	int64_t first;

	q.brief = true;
	q.step_ms = t->step_ms = step_for(t->until - t->since);
	first = t->since - t->since % t->step_ms;
	t->n_steps = (size_t)((t->until - first + t->step_ms - 1) / t->step_ms);
	t->steps = arena_array(t->arena, t->n_steps + 1, sizeof *t->steps);
	if (t->steps == NULL)
		return -2;
	for (size_t i = 0; i < t->n_steps; i++)
		t->steps[i].at = first + (int64_t)i * t->step_ms;
	return store_reader_traffic(x->r, &q, keep_step, t, error_r);
}

static int
keep_holding(void *context, const struct store_holding *h)
{
	struct traffic *t = context;

	if (strcmp(h->state, "kept") == 0)
		t->kept += h->messages;
	else
		t->waiting += h->messages;
	return 0;
}

/* ---- what was reported by mail */

static int
keep_reported(void *context, const struct store_report *r)
{
	struct traffic *t = context;
	bool is_foreign;
	const char *keyword = reported_meaning(r, &is_foreign).keyword;
	size_t i;

	if (!r->is_believed || strcmp(r->action, "failed") != 0)
		return 0;
	for (i = 0; i < t->n_reported && strcmp(t->reported[i].keyword, keyword) != 0; i++)
		;
	if (i == t->n_reported && i < TRAFFIC_REPORTED)
		t->reported[t->n_reported++].keyword = i == TRAFFIC_REPORTED - 1 ? "others" : keyword;
	t->reported[i < TRAFFIC_REPORTED ? i : TRAFFIC_REPORTED - 1].recipients++;
	return 0;
}

static int
read_all(struct reading *x, const char **error_r)
{
	struct traffic *t = x->t;
	bool is_short = x->want->rows_only;
	int rc = is_short ? 0 : read_reasons(x, error_r); /* with the totals */

	if (rc == 0)
		rc = read_rows(x, error_r);
	if (rc == 0 && !is_short)
		rc = read_steps(x, error_r);
	if (rc == 0 && !is_short && t->only[0] == '\0')
		rc = store_reader_holding(x->r, keep_holding, t, error_r);
	if (rc == 0 && !is_short && t->only[0] == '\0')
		rc = store_reader_reports(x->r, NULL, t->since, t->until, REPORTS_MAX, keep_reported, t, error_r);
	if (rc == STORE_NO_DELIVERIES)
		rc = 0;
	if (rc == -2 || arena_failed(t->arena)) {
		*error_r = "memory is short";
		rc = -1;
	}
	return rc;
}

/* Whole hours: the one in which it begins, and up to the end of the one in which it ends. */
static void
set_range(struct traffic *t, int64_t since, int64_t until, int64_t now)
{
	t->since = since - since % HOUR_MS;
	t->until = (until + HOUR_MS - 1) / HOUR_MS * HOUR_MS;
	t->before = t->since - (t->until - t->since);
	if (t->before < 0)
		t->before = 0;
	t->is_open = t->until > now;
}

struct traffic *
traffic_read(struct store_reader *r, const char *by, int64_t since, int64_t until, int64_t now, const char **error_r)
{
	const struct traffic_want w = {.by = by};

	return traffic_read_part(r, &w, since, until, now, error_r);
}

static void
set_only(struct traffic *t, const struct traffic_want *w)
{
	const char *name = "";

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (kinds[i].by == w->only)
			name = arena_printf(t->arena, "%s %s", kinds[i].name, w->name[0] == '\0' ? kinds[i].none : w->name);
	t->only = !w->unsigned_only ? name : arena_printf(t->arena, "%s%sunsigned", name, name[0] == '\0' ? "" : ", ");
}

struct traffic *
traffic_read_part(struct store_reader *r, const struct traffic_want *w, int64_t since, int64_t until, int64_t now, const char **error_r)
{
	struct traffic *t = calloc(1, sizeof *t);
	struct reading x = {.t = t, .r = r, .by = traffic_by(w->by), .want = w};

	*error_r = "memory is short";
	if (t != NULL && (t->arena = arena_new(0)) != NULL) {
		t->by = w->by;
		set_only(t, w);
		set_range(t, since, until, now);
		if (read_all(&x, error_r) == 0)
			return t;
	}
	traffic_free(&t);
	return NULL;
}

void
traffic_free(struct traffic **t)
{
	if (*t != NULL)
		arena_free(&(*t)->arena);
	free(*t);
	*t = NULL;
}
