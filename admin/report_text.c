/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See traffic.h: the report as a table, and as JSON.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "admin/limits.h"
#include "admin/terminal.h"
#include "admin/traffic.h"
#include "admin/when.h"
#include "base/json.h"

/* Rows and reasons of the table. */
#define ROWS 30
#define REASONS 10
/* MESSAGES to SIZE, with a blank before each. */
#define NUMBERS (10 + 5 + 7 + 9 + 9 + 6 + 9 + 7)
#define NAME_LEAST 16
#define NAME_MOST 60

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

typedef unsigned long long ull;


struct page {
	const struct traffic *t;
	struct text *out;
	int width, name_width;
	bool is_colored;
};

static void
add_colored(const struct page *p, const char *color, const char *s)
{
	text_printf(p->out, "%s%s%s", p->is_colored ? color : "", s, p->is_colored ? PLAIN : "");
}

/* A number in its column, in a color unless it is 0. */
static void
add_number(const struct page *p, int width, uint64_t n, const char *color)
{
	char s[32];

	snprintf(s, sizeof s, " %*llu", width, (ull)n);
	if (n == 0 || color == NULL)
		text_add(p->out, s);
	else
		add_colored(p, color, s);
}

/* The name in its column; on a line of its own where it is too long for that. */
static void
add_name(const struct page *p, const char *name)
{
	struct text safe = {0};
	int used;

	terminal_safe(&safe, name);
	used = terminal_columns(text_string(&safe));
	text_add(p->out, text_string(&safe));
	if (used > p->name_width)
		text_printf(p->out, "\n%*s", p->name_width, "");
	else
		text_printf(p->out, "%*s", p->name_width - used, "");
	text_free(&safe);
}

static void
add_row(const struct page *p, const struct traffic_row *r)
{
	char share[TRAFFIC_WORD], change[TRAFFIC_WORD], size[32];

	add_name(p, traffic_name(p->t, r->name));
	text_printf(p->out, " %9llu %4s %6s", (ull)r->now.messages, traffic_share(r->now.messages, p->t->total.messages, share),
		    r->is_known_before ? traffic_change(p->t, r->now.messages, r->before, change) : "?");
	add_number(p, 8, r->now.rejected, RED);
	add_number(p, 8, r->now.deferred, YELLOW);
	add_number(p, 5, r->now.held, YELLOW);
	add_number(p, 8, r->now.is_unsigned, NULL);
	text_printf(p->out, " %6s\n", limits_amount(UNIT_BYTES, r->now.bytes, size));
}

static void
add_table(struct page *p)
{
	size_t n = p->t->n_rows < ROWS ? p->t->n_rows : ROWS;
	uint64_t others = p->t->others;
	char by[TRAFFIC_WORD];
	int widest = NAME_LEAST;

	for (size_t i = 0; i < n; i++) {
		int used = terminal_columns(traffic_name(p->t, p->t->rows[i].name));

		widest = used > widest ? used : widest;
	}
	p->name_width = p->width - NUMBERS - 1 < widest ? p->width - NUMBERS - 1 : widest;
	if (p->name_width < NAME_LEAST)
		p->name_width = NAME_LEAST;
	if (p->name_width > NAME_MOST)
		p->name_width = NAME_MOST;
	snprintf(by, sizeof by, "%s", p->t->by);
	for (char *c = by; *c != '\0'; c++)
		*c = (char)(*c - ('a' - 'A'));
	text_printf(p->out, "\n%s%-*s %9s %4s %6s %8s %8s %5s %8s %6s%s\n", p->is_colored ? BOLD : "", p->name_width, by, "MESSAGES", "",
		    "CHANGE", "REJECTED", "DEFERRED", "HELD", "UNSIGNED", "SIZE", p->is_colored ? PLAIN : "");
	for (size_t i = 0; i < n; i++)
		add_row(p, &p->t->rows[i]);
	for (size_t i = n; i < p->t->n_rows; i++)
		others += p->t->rows[i].now.messages;
	if (others > 0)
		text_printf(p->out, "%-*s %9llu\n", p->name_width, p->t->is_gone ? "(not kept)" : "(others)", (ull)others);
	if (p->t->is_gone)
		text_printf(p->out, "Of %llu messages the audit has only the sums: their rows are older than is kept.\n", (ull)p->t->others);
}

/* Words, wrapped and indented. */
static void
add_wrapped(const struct page *p, int indent, const char *s)
{
	int column = 0;

	while (*s != '\0') {
		int len = (int)strcspn(s, " ");

		if (column == 0 || column + 1 + len > p->width) {
			text_printf(p->out, "%s%*s", column == 0 ? "" : "\n", indent, "");
			column = indent;
		} else {
			text_add_char(p->out, ' ');
			column++;
		}
		text_add_octets(p->out, s, (size_t)len);
		column += len;
		s += len;
		s += strspn(s, " ");
	}
	text_add_char(p->out, '\n');
}

static void
add_reason(const struct page *p, const struct traffic_reason *r)
{
	char change[TRAFFIC_WORD], share[TRAFFIC_WORD];
	struct text line = {0};

	terminal_safe(&line, r->reason[0] == '\0' ? "(no reason)" : r->reason);
	text_printf(p->out, "%9llu %6s  %-8s  %s\n", (ull)r->messages, traffic_change(p->t, r->messages, r->before, change), r->verdict,
		    text_string(&line));
	text_clear(&line);
	if (r->app[0] != '\0') {
		text_printf(&line, "%s of it: ", traffic_share(r->of_app, r->messages, share));
		terminal_safe(&line, r->app);
		text_add(&line, ". ");
	}
	text_add(&line, traffic_advice(r));
	if (line.len > 0)
		add_wrapped(p, 18, text_string(&line));
	text_free(&line);
}

static void
add_reasons(const struct page *p)
{
	if (p->t->n_reasons == 0) {
		text_add(p->out, "\nnothing was refused, deferred or held\n");
		return;
	}
	text_add(p->out, "\n");
	add_colored(p, BOLD, "Why mail was refused, deferred or held, and what its owner can do");
	text_add(p->out, "\n");
	for (size_t i = 0; i < p->t->n_reasons && i < REASONS; i++)
		add_reason(p, &p->t->reasons[i]);
	if (p->t->n_reasons > REASONS)
		text_printf(p->out, "and %zu reasons more: --by reason, or --json\n", p->t->n_reasons - REASONS);
}

static void
add_total(const struct page *p, const char *name, uint64_t now, uint64_t before)
{
	char change[TRAFFIC_WORD];

	if (now > 0 || before > 0)
		text_printf(p->out, "%-20s %12llu  %6s\n", name, (ull)now, traffic_change(p->t, now, before, change));
}

static uint64_t
reported_of(const struct traffic *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < t->n_reported; i++)
		n += t->reported[i].recipients;
	return n;
}

/* "reported by mail 3  undeliverable after a 250: 2 tenant-quota, 1 not explained" */
static void
add_reported(const struct page *p)
{
	if (p->t->n_reported == 0)
		return;
	text_printf(p->out, "%-20s %12llu  undeliverable after a 250:", "reported by mail", (ull)reported_of(p->t));
	for (size_t i = 0; i < p->t->n_reported; i++)
		text_printf(p->out, "%s %llu %s", i == 0 ? "" : ",", (ull)p->t->reported[i].recipients,
			    p->t->reported[i].keyword[0] == '\0' ? "not explained" : p->t->reported[i].keyword);
	text_add_char(p->out, '\n');
}

static void
add_totals(const struct page *p)
{
	const struct store_traffic *n = &p->t->total, *b = &p->t->total_before;
	char size[32];

	add_total(p, "messages", n->messages, b->messages);
	add_total(p, "accepted", n->accepted, b->accepted);
	add_total(p, "rejected", n->rejected, b->rejected);
	add_total(p, "deferred", n->deferred, b->deferred);
	add_total(p, "held", n->held, b->held);
	add_total(p, "discarded", n->discarded, b->discarded);
	add_total(p, "unsigned", n->is_unsigned, b->is_unsigned);
	add_total(p, "trial differs", n->on_trial, b->on_trial);
	add_total(p, "recipients", n->recipients, b->recipients);
	add_total(p, "external recipients", n->external, b->external);
	text_printf(p->out, "%-20s %12s\n", "size", limits_amount(UNIT_BYTES, n->bytes, size));
	add_reported(p);
	if (p->t->waiting + p->t->kept > 0)
		text_printf(p->out, "the MTA holds now    %12llu  %llu of them until somebody lets them go\n",
			    (ull)(p->t->waiting + p->t->kept), (ull)p->t->kept);
}

void
report_text(const struct traffic *t, int width, bool is_colored, struct text *out)
{
	struct page p = {.t = t, .out = out, .width = width, .is_colored = is_colored};
	char since[WHEN_SIZE], until[WHEN_SIZE];

	text_add(out, t->only[0] == '\0' ? "Mail" : "Mail (");
	terminal_safe(out, t->only);
	text_printf(out, "%s from %s to %s%s,\nbeside the %lld hours before\n\n", t->only[0] == '\0' ? "" : ")", when_format(t->since, since),
		    when_format(t->until, until), t->is_open ? " (this hour is not over)" : "",
		    (long long)((t->since - t->before) / 3600000));
	if (t->total.messages == 0) {
		text_add(out, "no mail\n");
		return;
	}
	add_totals(&p);
	add_table(&p);
	add_reasons(&p);
}

/* ---- JSON */

static void
set_sum(struct jsonv *o, const struct store_traffic *s)
{
	const struct {
		const char *name;
		uint64_t n;
	} numbers[] = {
		{"messages", s->messages}, {"accepted", s->accepted}, {"held", s->held}, {"deferred", s->deferred},
		{"rejected", s->rejected}, {"discarded", s->discarded}, {"counted", s->counted}, {"trial_differs", s->on_trial},
		{"unsigned", s->is_unsigned}, {"recipients", s->recipients}, {"external", s->external}, {"bytes", s->bytes},
		{"decide_us", s->decide_us},
	};
	char at[WHEN_SIZE];

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		jsonv_set_integer(o, numbers[i].name, (int64_t)numbers[i].n);
	jsonv_set_text(o, "first", s->messages == 0 ? NULL : when_format(s->first, at));
	jsonv_set_text(o, "last", s->messages == 0 ? NULL : when_format(s->last, at));
}

static void
set_rows(struct jsonv *root, const struct traffic *t)
{
	struct jsonv *list = jsonv_set_array(root, "rows");

	for (size_t i = 0; i < t->n_rows; i++) {
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "name", t->rows[i].name);
		set_sum(o, &t->rows[i].now);
		if (t->rows[i].is_known_before)
			jsonv_set_integer(o, "messages_before", (int64_t)t->rows[i].before);
		else
			jsonv_set_text(o, "messages_before", NULL);
	}
	jsonv_set_integer(root, "others", (int64_t)t->others);
}

static void
set_reasons(struct jsonv *root, const struct traffic *t)
{
	struct jsonv *list = jsonv_set_array(root, "reasons");

	for (size_t i = 0; i < t->n_reasons; i++) {
		const struct traffic_reason *r = &t->reasons[i];
			struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "reason", r->reason);
		jsonv_set_text(o, "verdict", r->verdict);
		jsonv_set_integer(o, "messages", (int64_t)r->messages);
		jsonv_set_integer(o, "messages_before", (int64_t)r->before);
		jsonv_set_text(o, "app", r->app);
		jsonv_set_integer(o, "of_app", (int64_t)r->of_app);
		jsonv_set_text(o, "advice", traffic_advice(r));
	}
}

static void
set_steps(struct jsonv *root, const struct traffic *t)
{
	struct jsonv *list = jsonv_set_array(root, "times");
	char at[WHEN_SIZE];

	jsonv_set_integer(root, "step_ms", t->step_ms);
	for (size_t i = 0; i < t->n_steps; i++) {
		const struct traffic_step *s = &t->steps[i];
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "at", when_format(s->at, at));
		jsonv_set_integer(o, "accepted", (int64_t)s->accepted);
		jsonv_set_integer(o, "held", (int64_t)s->held);
		jsonv_set_integer(o, "deferred", (int64_t)s->deferred);
		jsonv_set_integer(o, "rejected", (int64_t)s->rejected);
		jsonv_set_integer(o, "discarded", (int64_t)s->discarded);
	}
}

static void
set_reported(struct jsonv *root, const struct traffic *t)
{
	struct jsonv *list = jsonv_set_array(root, "reported");

	for (size_t i = 0; i < t->n_reported; i++) {
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "keyword", t->reported[i].keyword);
		jsonv_set_integer(o, "recipients", (int64_t)t->reported[i].recipients);
	}
}

int
report_json(const struct traffic *t, struct text *out)
{
	struct jsonv *root = jsonv_new_object();
	char at[WHEN_SIZE];
	int rc;

	jsonv_set_text(root, "since", when_format(t->since, at));
	jsonv_set_text(root, "until", when_format(t->until, at));
	jsonv_set_boolean(root, "is_open", t->is_open);
	jsonv_set_text(root, "before", when_format(t->before, at));
	jsonv_set_text(root, "by", t->by);
	jsonv_set_text(root, "only", t->only);
	set_sum(jsonv_set_object(root, "total"), &t->total);
	set_sum(jsonv_set_object(root, "total_before"), &t->total_before);
	set_rows(root, t);
	set_reasons(root, t);
	set_steps(root, t);
	set_reported(root, t);
	jsonv_set_integer(root, "waiting", (int64_t)t->waiting);
	jsonv_set_integer(root, "kept", (int64_t)t->kept);
	rc = jsonv_write(root, true, out);
	jsonv_free(&root);
	return rc;
}
