/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See limits.h: the table, and JSON. A row has its name and numbers in columns, and
 * below it what there is to say of it.
 */
#include "config.h"

#include "admin/limits.h"

#include <stdio.h>
#include <string.h>

#include "admin/when.h"
#include "base/json.h"
#include "base/printable.h"

#define INDENT 4
/* USED, LEFT, WAIT, NEXT, FREE with a blank before each. */
#define NUMBERS (16 + 9 + 6 + 5 + 5)
#define NAME_LEAST 18

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

struct page {
	const struct limits *l;
	struct text *t;
	int width, name_width;
	bool is_colored;
	int column;               /* within a line of details */
};

const char *
limits_amount(enum unit unit, uint64_t n, char buf[32])
{
	static const char letters[] = "KMGTPE";
	double v = (double)n;
	int i = -1;

	while (unit == UNIT_BYTES && v >= 1024 && i < 5) {
		v /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(buf, 32, "%llu", (unsigned long long)n);
	else
		snprintf(buf, 32, v < 100 && v != (double)(int)v ? "%.1f%c" : "%.0f%c", v, letters[i]);
	return buf;
}

static uint64_t
count_of(const struct limits_row *r)
{
	return r->count > UINT64_MAX - r->boost ? UINT64_MAX : r->count + r->boost;
}

static const char *
color_of(const struct page *p, const struct limits_row *r)
{
	if (!p->is_colored)
		return "";
	return r->left == 0 || r->is_reached ? RED : r->is_near ? YELLOW : "";
}

/* The name in its column, on a line of its own where it is too long for that. */
static void
add_name(struct page *p, const char *name, int indent)
{
	int room = p->name_width - indent;

	text_printf(p->t, "%*s%s", indent, "", name);
	if ((int)strlen(name) > room)
		text_printf(p->t, "\n%*s", p->name_width, "");
	else
		text_printf(p->t, "%*s", room - (int)strlen(name), "");
}

static void
add_numbers(struct page *p, const struct limits_row *r)
{
	char used[32], of[32], left[32], both[68], waiting[24] = "", next[WHEN_SIZE] = "", all[WHEN_SIZE] = "";
	const char *color = color_of(p, r);

	snprintf(both, sizeof both, "%s/%s", limits_amount(r->limit->unit, r->used, used),
		 limits_amount(r->limit->unit, count_of(r), of));
	if (r->waiting > 0)
		snprintf(waiting, sizeof waiting, "%llu", (unsigned long long)r->waiting);
	if (r->used > 0) {
		when_span(r->next_ms, next);
		when_span(r->free_ms, all);
	}
	text_printf(p->t, " %s%15s%s %8s %5s %4s %4s", color, both, color[0] == '\0' ? "" : PLAIN,
		    limits_amount(r->limit->unit, r->left, left), waiting, next, all);
	while (p->t->len > 0 && p->t->s[p->t->len - 1] == ' ')
		p->t->s[--p->t->len] = '\0';
	text_add(p->t, "\n");
}

/* One thing to say below a row: on the same line as the one before where it fits. */
static void
say(struct page *p, const char *s)
{
	int len = (int)strlen(s);

	if (p->column > 0 && p->column + 2 + len <= p->width) {
		text_printf(p->t, "; %s", s);
		p->column += 2 + len;
		return;
	}
	text_printf(p->t, "%s%*s%s", p->column > 0 ? ";\n" : "", 2 * INDENT, "", s);
	p->column = 2 * INDENT + len;
}

static void
end_details(struct page *p)
{
	if (p->column > 0)
		text_add(p->t, "\n");
	p->column = 0;
}

static void
say_spenders(struct page *p, const struct limits_row *r)
{
	uint64_t sum = r->others;
	char amount[32];

	for (size_t i = 0; i < r->n_spenders; i++)
		sum += r->spender[i].amount;
	for (size_t i = 0; i < r->n_spenders; i++) {
		const char *name = r->spender[i].name[0] == '\0' ? "<>" : r->spender[i].name;

		say(p, arena_printf(p->l->arena, "%s %s (%d %%)", printable(p->l->arena, name),
				    limits_amount(r->limit->unit, r->spender[i].amount, amount),
				    (int)(100.0 * (double)r->spender[i].amount / (double)(sum == 0 ? 1 : sum) + 0.5)));
	}
	if (r->others > 0)
		say(p, arena_printf(p->l->arena, "others %s", limits_amount(r->limit->unit, r->others, amount)));
}

static void
say_reserves(struct page *p, const struct limits_row *r)
{
	for (size_t i = 0; i < r->n_reserves; i++)
		say(p, arena_printf(p->l->arena, "of the %llu reserved for app %s %llu are used",
				    (unsigned long long)r->reserves[i].amount, r->reserves[i].app,
				    (unsigned long long)r->reserves[i].used));
	if (r->kept > 0)
		say(p, arena_printf(p->l->arena, "%llu are for critical apps alone", (unsigned long long)r->kept));
}

static void
say_details(struct page *p, const struct limits_row *r)
{
	char buf[WHEN_SIZE], amount[32];

	if (r->boost > 0)
		say(p, arena_printf(p->l->arena, "%s more until %s", limits_amount(r->limit->unit, r->boost, amount),
				    when_clock(r->boost_until, p->l->now, buf)));
	if (r->spent_ms > 0)
		say(p, arena_printf(p->l->arena, "at this pace, spent at %s", when_clock(p->l->now + r->spent_ms, p->l->now, buf)));
	say_reserves(p, r);
	end_details(p);
	say_spenders(p, r);
	end_details(p);
}

/* Name and action of a limit that has a counter for each key. */
static void
add_heading(struct page *p, const struct limit *l, uint64_t count)
{
	char amount[32];

	text_printf(p->t, "%s: %s each", l->name, limits_amount(l->unit, count, amount));
}

static int
name_width(const struct limits *l, int width)
{
	int widest = NAME_LEAST, most = width - NUMBERS;

	for (size_t i = 0; i < l->n_rows; i++) {
		const char *key = l->rows[i].key;
		int len = key[0] == '\0' ? (int)strlen(l->rows[i].limit->name)
					 : INDENT + (int)strlen(printable(l->arena, key));

		if (len > widest && len <= most)
			widest = len;
	}
	return widest;
}

static bool
is_per_key(const struct limits_row *r)
{
	return r->limit->key != LIMIT_PER_SCOPE;
}

static void
add_row(struct page *p, size_t i)
{
	const struct limits_row *r = &p->l->rows[i];

	if (is_per_key(r) && (i == 0 || p->l->rows[i - 1].limit != r->limit)) {
		add_heading(p, r->limit, r->count);
		text_add(p->t, r->key[0] == '\0' ? ", not used\n" : "\n");
	}
	if (is_per_key(r) && r->key[0] == '\0')
		return;
	add_name(p, is_per_key(r) ? printable(p->l->arena, r->key) : r->limit->name, is_per_key(r) ? INDENT : 0);
	add_numbers(p, r);
	say_details(p, r);
	if (r->more > 0)
		text_printf(p->t, "%*sand %zu more\n", INDENT, "", r->more);
}

void
limits_print(const struct limits *l, int width, bool is_colored, struct text *t)
{
	struct page p = {.l = l, .t = t, .width = width, .is_colored = is_colored, .name_width = name_width(l, width)};

	if (l->n_rows == 0)
		return;
	text_printf(t, "%-*s %15s %8s %5s %4s %4s\n", p.name_width, "LIMIT", "USED", "LEFT", "WAIT", "NEXT", "FREE");
	for (size_t i = 0; i < l->n_rows; i++)
		add_row(&p, i);
}

/* ---- JSON */

static void
set_ms(struct jsonv *o, const char *name, int64_t ms)
{
	if (ms < 0)
		jsonv_set_text(o, name, NULL);
	else
		jsonv_set_integer(o, name, ms);
}

static void
set_lists(struct jsonv *o, const struct limits_row *r)
{
	struct jsonv *list = jsonv_set_array(o, "reserves");

	for (size_t i = 0; i < r->n_reserves; i++) {
		struct jsonv *e = jsonv_add_object(list);

		jsonv_set_text(e, "app", r->reserves[i].app);
		jsonv_set_integer(e, "amount", (int64_t)r->reserves[i].amount);
		jsonv_set_integer(e, "used", (int64_t)r->reserves[i].used);
	}
	jsonv_set_text(o, "by", r->by);
	list = jsonv_set_array(o, "spenders");
	for (size_t i = 0; i < r->n_spenders; i++) {
		struct jsonv *e = jsonv_add_object(list);

		jsonv_set_text(e, "name", r->spender[i].name);
		jsonv_set_integer(e, "used", (int64_t)r->spender[i].amount);
	}
	jsonv_set_integer(o, "others", (int64_t)r->others);
}

static void
set_row(struct jsonv *o, const struct limits_row *r)
{
	char at[WHEN_SIZE];

	jsonv_set_text(o, "name", r->limit->name);
	jsonv_set_text(o, "scope", r->limit->scope);
	jsonv_set_text(o, "key", r->key);
	jsonv_set_text(o, "per", limit_key_name(r->limit->key));
	jsonv_set_text(o, "unit", limit_unit_name(r->limit->unit));
	jsonv_set_integer(o, "period", r->limit->period);
	jsonv_set_text(o, "over", limit_over_name(r->limit->over));
	jsonv_set_integer(o, "count", (int64_t)r->count);
	jsonv_set_integer(o, "boost", (int64_t)r->boost);
	jsonv_set_text(o, "boost_until", r->boost == 0 ? NULL : when_format(r->boost_until, at));
	jsonv_set_integer(o, "used", (int64_t)r->used);
	jsonv_set_integer(o, "left", (int64_t)r->left);
	jsonv_set_integer(o, "held_back", (int64_t)r->held_back);
	jsonv_set_integer(o, "waiting", (int64_t)r->waiting);
	jsonv_set_boolean(o, "near", r->is_near);
	jsonv_set_boolean(o, "reached", r->is_reached);
	set_ms(o, "next_ms", r->next_ms);
	set_ms(o, "free_ms", r->free_ms);
	set_ms(o, "spent_ms", r->spent_ms);
	set_lists(o, r);
}

int
limits_print_json(const struct limits *l, bool is_pretty, struct text *t)
{
	struct jsonv *root = jsonv_new_object(), *list;
	char at[WHEN_SIZE];
	int rc;

	if (root == NULL)
		return -1;
	jsonv_set_text(root, "at", when_format(l->now, at));
	list = jsonv_set_array(root, "limits");
	for (size_t i = 0; i < l->n_rows; i++)
		if (!is_per_key(&l->rows[i]) || l->rows[i].key[0] != '\0')
			set_row(jsonv_add_object(list), &l->rows[i]);
	rc = jsonv_write(root, is_pretty, t);
	if (!is_pretty)
		text_add(t, "\n");
	jsonv_free(&root);
	return rc;
}
