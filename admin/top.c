/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern top: who sends now, what is refused, which limits are full. Reads roll-ups and limits only,
 * so that it costs the same however large the audit is.
 *
 * Rates are differences of the sums of all time between two looks, over the last minute or as long
 * as it has looked.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/limits.h"
#include "admin/terminal.h"
#include "admin/when.h"
#include "base/clock.h"
#include "base/json.h"
#include "policy/file/file.h"

#define HOUR_MS INT64_C(3600000)
/* Looks that are remembered, and over how long rates go. */
#define LOOKS 64
#define RATE_MS 60000
#define LIMITS 5

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

struct options {
	const char *policy;
	int interval;
	bool once, json;
};

/* An app, "" for mail of none. `ever`: messages of all time at each look. */
struct row {
	char *name;
	uint64_t ever[LOOKS];
	struct store_traffic hour; /* of this hour */
	double rate;              /* messages a minute */
	const struct limits_row *limit; /* its fullest */
};

struct top {
	struct policy *policy;
	struct store_reader *reader;
	struct row *rows;
	size_t n_rows, room;
	int64_t at[LOOKS];        /* boot clock */
	int n;                    /* looks so far */
	struct limits *limits;
	uint64_t waiting, kept;
	const char *error;
};

static void
usage(FILE *to)
{
	fputs("usage: postern top [-c FILE] [--interval SECONDS] [--once] [--json]\n"
	      "Who sends now, what is refused, which limits are full; again and again.\n"
	      "  -c, --config FILE    the policy file that names the database (default " COMMAND_POLICY_FILE ")\n"
	      "  --interval SECONDS   from look to look: 2 (the default), 1 to 3600\n"
	      "  --once               look twice, an interval apart, and print that\n"
	      "  --json               print JSON, a line each time\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern top: %s\npostern top --help says how it is used\n", what);
	return 2;
}

static int
read_interval(const char *s, int *r)
{
	uint64_t n;

	if (text_to_u64(s, &n) != 0 || n < 1 || n > 3600)
		return -1;
	*r = (int)n;
	return 0;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"interval", required_argument, NULL, 'i'},
		{"once", no_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->policy = optarg;
		else if (c == 'i' && read_interval(optarg, &o->interval) != 0)
			return bad_usage("--interval takes seconds, 1 to 3600");
		else if (c == 'o')
			o->once = true;
		else if (c == 'j')
			o->json = true;
		else if (c != 'i')
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	return optind == argc ? -1 : bad_usage("there is one argument too many");
}

/* ---- looking */

static struct row *
find_row(struct top *t, const char *name)
{
	struct row *more;

	for (size_t i = 0; i < t->n_rows; i++)
		if (strcmp(t->rows[i].name, name) == 0)
			return &t->rows[i];
	if (t->n_rows == t->room) {
		more = realloc(t->rows, (t->room + 64) * sizeof *more);
		if (more == NULL)
			return NULL;
		t->rows = more;
		t->room += 64;
	}
	more = &t->rows[t->n_rows];
	memset(more, 0, sizeof *more);
	more->name = strdup(name);
	if (more->name == NULL)
		return NULL;
	t->n_rows++;
	return more;
}

static int
keep_ever(void *context, const struct store_traffic *s)
{
	struct top *t = context;
	struct row *row = find_row(t, s->app);

	if (row == NULL)
		return 1;
	row->ever[t->n % LOOKS] = s->messages;
	return 0;
}

static int
keep_hour(void *context, const struct store_traffic *s)
{
	struct row *row = find_row(context, s->app);

	if (row == NULL)
		return 1;
	row->hour = *s;
	row->hour.relay = row->hour.app = "";
	return 0;
}

static int
keep_holding(void *context, const struct store_holding *h)
{
	struct top *t = context;

	*(strcmp(h->state, "kept") == 0 ? &t->kept : &t->waiting) += h->messages;
	return 0;
}

/* The oldest look that is no older than rates go, and not the last. */
static int
oldest_look(const struct top *t)
{
	int last = t->n - 1, i = last;

	while (i > 0 && last - i < LOOKS - 1 && t->at[last % LOOKS] - t->at[(i - 1) % LOOKS] <= RATE_MS)
		i--;
	if (i == last && last > 0)
		i--; /* an interval longer than that */
	return i;
}

static double
fullness(const struct limits_row *r)
{
	return (double)r->used / (double)(r->count + r->boost == 0 ? 1 : r->count + r->boost);
}

static void
set_limit(struct top *t, struct row *row)
{
	row->limit = NULL;
	for (size_t i = 0; i < t->limits->n_rows; i++) {
		const struct limits_row *l = &t->limits->rows[i];

		if (strncmp(l->limit->scope, "app:", 4) == 0 && strcmp(l->limit->scope + 4, row->name) == 0 && l->used > 0 &&
		    (row->limit == NULL || fullness(l) > fullness(row->limit)))
			row->limit = l;
	}
}

static int
compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	if (x->hour.messages != y->hour.messages)
		return x->hour.messages < y->hour.messages ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* With the look that was just made. */
static void
set_rates(struct top *t)
{
	int last = t->n - 1, first = oldest_look(t);
	double minutes = (double)(t->at[last % LOOKS] - t->at[first % LOOKS]) / 60000;

	for (size_t i = 0; i < t->n_rows; i++) {
		struct row *row = &t->rows[i];
		uint64_t now = row->ever[last % LOOKS], then = row->ever[first % LOOKS];

		row->rate = minutes > 0 && now > then ? (double)(now - then) / minutes : 0;
		set_limit(t, row);
	}
	qsort(t->rows, t->n_rows, sizeof *t->rows, compare_rows);
}

static int
compare_limits(const void *a, const void *b)
{
	const struct limits_row *x = a, *y = b;
	double d = fullness(y) - fullness(x);

	return d > 0 ? 1 : d < 0 ? -1 : strcmp(x->limit->name, y->limit->name);
}

/* One look; 0, or -1 and t->error says why. */
static int
look(struct top *t)
{
	const struct clock *clock = clock_system();
	int64_t now = clock->wall_ms(clock->context);
	const struct store_traffic_query ever = {.ever = true, .by = STORE_TRAFFIC_APP};
	const struct store_traffic_query hour = {.since = now - now % HOUR_MS, .until = now + HOUR_MS, .by = STORE_TRAFFIC_APP};
	const struct limits_query q = {.policy = t->policy, .reader = t->reader, .app = "", .limit = "", .keys = 1, .without_spenders = true};
	int rc;

	for (size_t i = 0; i < t->n_rows; i++) {
		t->rows[i].hour = (struct store_traffic){0};
		t->rows[i].ever[t->n % LOOKS] = 0;
	}
	t->waiting = t->kept = 0;
	limits_free(&t->limits);
	t->at[t->n % LOOKS] = clock->boot_ms(clock->context);
	rc = store_reader_traffic(t->reader, &ever, keep_ever, t, &t->error);
	if (rc == 0)
		rc = store_reader_traffic(t->reader, &hour, keep_hour, t, &t->error);
	if (rc == 0)
		rc = store_reader_holding(t->reader, keep_holding, t, &t->error);
	if (rc > 0)
		t->error = "memory is short";
	if (rc != 0 || (t->limits = limits_read(&q, &t->error)) == NULL)
		return -1;
	/* An app that is new was nothing before. */
	t->n++;
	set_rates(t);
	qsort(t->limits->rows, t->limits->n_rows, sizeof *t->limits->rows, compare_limits);
	for (size_t i = 0; i < t->n_rows; i++)
		set_limit(t, &t->rows[i]); /* they moved */
	return 0;
}

/* ---- showing */

static struct store_traffic
hour_of_all(const struct top *t, double *rate_r)
{
	struct store_traffic sum = {0};

	*rate_r = 0;
	for (size_t i = 0; i < t->n_rows; i++) {
		sum.messages += t->rows[i].hour.messages;
		sum.rejected += t->rows[i].hour.rejected;
		sum.deferred += t->rows[i].hour.deferred;
		sum.held += t->rows[i].hour.held;
		*rate_r += t->rows[i].rate;
	}
	return sum;
}

/* A name, cut to its column: a line more would move the rest of the screen. */
static void
add_name(struct text *out, const char *name, int width)
{
	struct text safe = {0};
	const char *s;
	int used = 0;

	terminal_safe(&safe, name);
	for (s = text_string(&safe); *s != '\0' && used < width;) {
		do
			text_add_char(out, *s++);
		while (((unsigned char)*s & 0xc0) == 0x80);
		used++;
	}
	text_printf(out, "%*s", width - used, "");
	text_free(&safe);
}

static const char *
color_of(bool is_colored, const struct limits_row *l)
{
	return !is_colored || l == NULL ? "" : l->left == 0 || l->is_reached ? RED : l->is_near ? YELLOW : "";
}

static void
add_row(struct text *out, const struct row *r, int width, bool is_colored)
{
	const char *color = color_of(is_colored, r->limit);

	add_name(out, r->name[0] == '\0' ? "(no app)" : r->name, width - 64);
	text_printf(out, " %7.1f %9llu %8llu %8llu %5llu", r->rate, (unsigned long long)r->hour.messages,
		    (unsigned long long)r->hour.rejected, (unsigned long long)r->hour.deferred, (unsigned long long)r->hour.held);
	if (r->limit != NULL) {
		text_printf(out, " %s%3.0f%% ", color, 100 * fullness(r->limit));
		add_name(out, strchr(r->limit->limit->name, '/') == NULL ? r->limit->limit->name : strchr(r->limit->limit->name, '/') + 1, 16);
		text_add(out, color[0] == '\0' ? "" : PLAIN);
	}
	while (out->len > 0 && out->s[out->len - 1] == ' ')
		out->s[--out->len] = '\0';
	text_add_char(out, '\n');
}

static void
add_limits(struct text *out, const struct top *t, int width, bool is_colored)
{
	char used[32], count[32], left[32], both[68];

	text_printf(out, "\n%s%-*s %19s %9s %6s%s\n", is_colored ? BOLD : "", width - 38, "FULLEST LIMITS", "USED", "LEFT", "WAIT",
		    is_colored ? PLAIN : "");
	for (size_t i = 0; i < t->limits->n_rows && i < LIMITS; i++) {
		const struct limits_row *l = &t->limits->rows[i];
		const char *color = color_of(is_colored, l);
		struct text name = {0};

		if (l->used == 0)
			break;
		text_printf(&name, "%s%s%s", l->limit->name, l->key[0] == '\0' ? "" : " ", l->key);
		add_name(out, text_string(&name), width - 38);
		text_free(&name);
		snprintf(both, sizeof both, "%s/%s", limits_amount(l->limit->unit, l->used, used),
			 limits_amount(l->limit->unit, l->count + l->boost, count));
		text_printf(out, " %s%19s%s %9s %6llu\n", color, both, color[0] == '\0' ? "" : PLAIN,
			    limits_amount(l->limit->unit, l->left, left), (unsigned long long)l->waiting);
	}
}

/* Over the rows that the screen has, but no fewer than five apps. */
static void
add_screen(struct text *out, const struct top *t, int width, int lines, bool is_colored)
{
	const struct clock *clock = clock_system();
	int apps = lines == 0 ? 1000000 : lines - LIMITS - 7, shown = 0;
	char at[WHEN_SIZE];
	double rate;
	struct store_traffic sum = hour_of_all(t, &rate);

	text_printf(out, "postern top  %s  %.1f messages a minute\n", when_format(clock->wall_ms(clock->context), at), rate);
	text_printf(out, "this hour: %llu messages, %llu rejected, %llu deferred, %llu held; held now: %llu\n\n",
		    (unsigned long long)sum.messages, (unsigned long long)sum.rejected, (unsigned long long)sum.deferred,
		    (unsigned long long)sum.held, (unsigned long long)(t->waiting + t->kept));
	text_printf(out, "%s%-*s %7s %9s %8s %8s %5s %s%s\n", is_colored ? BOLD : "", width - 64, "APP", "/MIN", "THIS HOUR", "REJECTED",
		    "DEFERRED", "HELD", "FULLEST LIMIT", is_colored ? PLAIN : "");
	for (size_t i = 0; i < t->n_rows && shown < (apps < 5 ? 5 : apps); i++)
		if (t->rows[i].rate > 0 || t->rows[i].hour.messages > 0) {
			add_row(out, &t->rows[i], width, is_colored);
			shown++;
		}
	if (shown == 0)
		text_add(out, "no mail in this hour\n");
	add_limits(out, t, width, is_colored);
}

static void
set_numbers(struct jsonv *o, const struct store_traffic *s, double rate)
{
	jsonv_set_integer(o, "per_minute_x10", (int64_t)(rate * 10 + 0.5));
	jsonv_set_integer(o, "messages", (int64_t)s->messages);
	jsonv_set_integer(o, "rejected", (int64_t)s->rejected);
	jsonv_set_integer(o, "deferred", (int64_t)s->deferred);
	jsonv_set_integer(o, "held", (int64_t)s->held);
}

static void
set_limit_json(struct jsonv *o, const struct limits_row *l)
{
	jsonv_set_text(o, "name", l->limit->name);
	jsonv_set_text(o, "key", l->key);
	jsonv_set_integer(o, "used", (int64_t)l->used);
	jsonv_set_integer(o, "count", (int64_t)(l->count + l->boost));
	jsonv_set_integer(o, "waiting", (int64_t)l->waiting);
	jsonv_set_boolean(o, "near", l->is_near);
	jsonv_set_boolean(o, "reached", l->is_reached);
}

static int
add_json(struct text *out, const struct top *t)
{
	struct jsonv *root = jsonv_new_object(), *list;
	const struct clock *clock = clock_system();
	char at[WHEN_SIZE];
	double rate;
	struct store_traffic sum = hour_of_all(t, &rate);
	int rc;

	jsonv_set_text(root, "at", when_format(clock->wall_ms(clock->context), at));
	set_numbers(root, &sum, rate);
	jsonv_set_integer(root, "waiting", (int64_t)t->waiting);
	jsonv_set_integer(root, "kept", (int64_t)t->kept);
	list = jsonv_set_array(root, "apps");
	for (size_t i = 0; i < t->n_rows; i++)
		if (t->rows[i].rate > 0 || t->rows[i].hour.messages > 0) {
			struct jsonv *o = jsonv_add_object(list);

			jsonv_set_text(o, "app", t->rows[i].name);
			set_numbers(o, &t->rows[i].hour, t->rows[i].rate);
			if (t->rows[i].limit != NULL)
				set_limit_json(jsonv_set_object(o, "fullest_limit"), t->rows[i].limit);
		}
	list = jsonv_set_array(root, "limits");
	for (size_t i = 0; i < t->limits->n_rows && i < LIMITS && t->limits->rows[i].used > 0; i++)
		set_limit_json(jsonv_add_object(list), &t->limits->rows[i]);
	rc = jsonv_write(root, false, out);
	text_add_char(out, '\n');
	jsonv_free(&root);
	return rc;
}

static int
show(const struct top *t, const struct options *o)
{
	struct text out = {0};
	int rc = 0;

	if (o->json)
		rc = add_json(&out, t);
	else
		add_screen(&out, t, terminal_width() < 72 ? 72 : terminal_width(), terminal_lines(), terminal_is_colored());
	if (!o->json && !o->once && isatty(1))
		fputs("\033[H\033[J", stdout);
	fputs(text_string(&out), stdout);
	if (fflush(stdout) != 0 || out.failed)
		rc = -1;
	text_free(&out);
	return rc;
}

static int
run(struct top *t, const struct options *o)
{
	const struct timespec pause = {.tv_sec = o->interval};
	int rc = look(t);

	while (rc == 0) {
		if (!o->once && show(t, o) != 0)
			return 1;
		nanosleep(&pause, NULL);
		rc = look(t);
		if (rc == 0 && o->once)
			return show(t, o) == 0 ? 0 : 1;
	}
	fprintf(stderr, "postern top: %s\n", t->error);
	return 1;
}

int
command_top(int argc, char **argv)
{
	struct options o = {.policy = COMMAND_POLICY_FILE, .interval = 2};
	struct problems *problems = NULL;
	struct top t = {.n = 0};
	char error[512];
	int rc = read_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	t.policy = policy_load(o.policy, &problems);
	if (t.policy == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (t.policy == NULL)
		return 1;
	t.reader = database_open(t.policy, error, sizeof error);
	if (t.reader == NULL)
		fprintf(stderr, "postern top: %s\n", error);
	rc = t.reader == NULL ? 1 : run(&t, &o);
	limits_free(&t.limits);
	for (size_t i = 0; i < t.n_rows; i++)
		free(t.rows[i].name);
	free(t.rows);
	store_reader_close(&t.reader);
	policy_unref(&t.policy);
	return rc;
}
