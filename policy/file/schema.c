/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Holds a mapping against the table of its options.
 */
#include "policy/file/schema.h"

#include <string.h>

#define NAMES_MAX 32u

static const struct option *
find(const struct block *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->options[i].name, name) == 0)
			return &b->options[i];
	return NULL;
}

static void
say_unknown(const struct block *b, const struct node *key, struct problems *problems)
{
	const char *names[NAMES_MAX], *near;
	struct text all = {0};
	size_t n = 0;

	for (size_t i = 0; i < b->n && n < NAMES_MAX; i++) {
		names[n++] = b->options[i].name;
		text_printf(&all, "%s%s", all.len > 0 ? ", " : "", b->options[i].name);
	}
	near = text_nearest(key->text, names, n);
	if (near != NULL)
		node_error(problems, key, "unknown option \"%s\" in %s; did you mean \"%s\"?",
			   key->text, b->title, near);
	else
		node_error(problems, key, "unknown option \"%s\" in %s; expected one of %s",
			   key->text, b->title, text_string(&all));
	text_free(&all);
}

static bool
read_word(const struct option *o, const char *s, const struct node *n, uint64_t *r, struct problems *problems)
{
	struct text all = {0};
	const char *near;
	size_t i;

	for (i = 0; o->words[i] != NULL; i++) {
		if (strcmp(o->words[i], s) == 0) {
			*r = i;
			text_free(&all);
			return true;
		}
		text_printf(&all, "%s%s", i > 0 ? ", " : "", o->words[i]);
	}
	near = text_nearest(s, o->words, i);
	node_error(problems, n, "\"%s\" is no value of \"%s\"; expected one of %s%s%s%s", s, o->name,
		   text_string(&all), near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
		   near != NULL ? "\"?)" : "");
	text_free(&all);
	return false;
}

static bool
read_yes_no(const struct option *o, const char *s, const struct node *n, uint64_t *r, struct problems *problems)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (text_same(words[i], s)) {
			*r = i & 1;
			return true;
		}
	}
	node_error(problems, n, "\"%s\" is no value of \"%s\"; expected yes or no", s, o->name);
	return false;
}

/* A decimal number at *s, which moves behind it. */
static bool
take_number(const char **s, uint64_t *r)
{
	uint64_t v = 0;

	if (!text_is_digit(**s))
		return false;
	for (; text_is_digit(**s); (*s)++) {
		if (v > (UINT64_MAX >> 4) / 10)
			return false;
		v = v * 10 + (uint64_t)(**s - '0');
	}
	*r = v;
	return true;
}

struct unit_word {
	const char *name;
	uint64_t factor;
};

static const struct unit_word size_units[] = {
	{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0},
};
static const struct unit_word duration_units[] = {
	{"seconds", 1}, {"second", 1}, {"minutes", 60}, {"minute", 60}, {"hours", 3600}, {"hour", 3600},
	{"days", 86400}, {"day", 86400}, {"weeks", 604800}, {"week", 604800}, {NULL, 0},
};
static const struct unit_word percent_units[] = {{"%", 1}, {NULL, 0}};
static const struct unit_word share_units[] = {{"", 1}, {"%", 1}, {NULL, 0}};
static const struct unit_word no_units[] = {{"", 1}, {NULL, 0}};

static bool
read_amount(const char *s, const struct unit_word *units, uint64_t *r)
{
	uint64_t v;

	if (!take_number(&s, &v))
		return false;
	s += strspn(s, " ");
	for (; units->name != NULL; units++) {
		if (text_same(units->name, s)) {
			*r = v * units->factor;
			return v <= UINT64_MAX / units->factor;
		}
	}
	return false;
}

/* A count with the greatest unit that divides it, for messages. */
static void
add_amount(struct text *t, uint64_t v, enum option_type type)
{
	if (type == OPTION_DURATION && v % 86400 == 0)
		text_printf(t, "%llu day%s", (unsigned long long)(v / 86400), v == 86400 ? "" : "s");
	else if (type == OPTION_DURATION)
		text_printf(t, "%llu minute%s", (unsigned long long)(v / 60), v == 60 ? "" : "s");
	else if (type == OPTION_PERCENT)
		text_printf(t, "%llu%%", (unsigned long long)v);
	else if (type == OPTION_SIZE && v >= 1 << 30 && v % (1 << 30) == 0)
		text_printf(t, "%lluG", (unsigned long long)(v >> 30));
	else if (type == OPTION_SIZE && v % (1 << 10) == 0)
		text_printf(t, "%lluK", (unsigned long long)(v >> 10));
	else
		text_printf(t, "%llu", (unsigned long long)v);
}

static bool
read_number(const struct option *o, const char *s, const struct node *n, uint64_t *r, struct problems *problems)
{
	const struct unit_word *units = no_units;
	const char *expected = "a number";
	bool is_percent = o->type == OPTION_PERCENT;
	uint64_t max = o->max;
	struct text range = {0};
	bool ok;

	if (o->type == OPTION_SIZE) {
		units = size_units;
		expected = "a size such as 500K or 10M";
	} else if (o->type == OPTION_DURATION) {
		units = duration_units;
		expected = "a time such as 12 hours or 90 days";
	} else if (o->type == OPTION_PERCENT) {
		units = percent_units;
		expected = "a share such as 80%";
	} else if (o->type == OPTION_SHARE) {
		units = share_units;
		expected = "a number such as 500 or a share such as 10%";
		is_percent = strchr(s, '%') != NULL;
		max = is_percent ? 100 : max;
	}
	if (!read_amount(s, units, r)) {
		node_error(problems, n, "\"%s\" is no value of \"%s\"; expected %s", s, o->name, expected);
		return false;
	}
	ok = *r >= o->min && (max == 0 || *r <= max);
	if (!ok) {
		add_amount(&range, o->min, is_percent ? OPTION_PERCENT : o->type);
		text_add(&range, " to ");
		add_amount(&range, max, is_percent ? OPTION_PERCENT : o->type);
		node_error(problems, n, "\"%s\" is out of range for \"%s\"; expected %s", s, o->name,
			   text_string(&range));
	}
	text_free(&range);
	return ok;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; years begin in March here,
 * so that a leap day is the last. */
static int64_t
days_since_1970(int64_t year, int64_t month, int64_t day)
{
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	year -= month <= 2;
	return 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719468;
}

static bool
is_day(uint64_t year, uint64_t month, uint64_t day)
{
	static const uint64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return year >= 2000 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

static bool
read_date(const struct option *o, const char *s, const struct node *n, uint64_t *r, struct problems *problems)
{
	uint64_t part[3] = {0};
	const char *p = s;
	bool ok = strlen(s) == 10 && s[4] == '-' && s[7] == '-';

	for (size_t i = 0; ok && i < 3; i++) {
		ok = take_number(&p, &part[i]) && *p == (i == 2 ? '\0' : '-');
		p += ok && i < 2 ? 1 : 0;
	}
	if (ok && is_day(part[0], part[1], part[2])) {
		*r = (uint64_t)days_since_1970((int64_t)part[0], (int64_t)part[1], (int64_t)part[2]);
		return true;
	}
	node_error(problems, n, "\"%s\" is no value of \"%s\"; expected a day from 2000 on, such as 2026-10-30", s, o->name);
	return false;
}

static bool
read_text(const struct option *o, const char *s, const struct node *n, struct value *v, struct problems *problems)
{
	v->text = s;
	switch (o->type) {
	case OPTION_WORD:
		return read_word(o, s, n, &v->number, problems);
	case OPTION_YES_NO:
		return read_yes_no(o, s, n, &v->number, problems);
	case OPTION_NUMBER:
	case OPTION_SIZE:
	case OPTION_DURATION:
	case OPTION_PERCENT:
	case OPTION_SHARE:
		return read_number(o, s, n, &v->number, problems);
	case OPTION_DATE:
		return read_date(o, s, n, &v->number, problems);
	default:
		return true;
	}
}

static bool
is_scalar(enum option_type t)
{
	return t <= OPTION_DATE;
}

/* Nothing after the colon. */
static bool
is_empty(const struct node *n)
{
	return n->kind == NODE_TEXT && !n->is_quoted && n->text[0] == '\0';
}

static bool
check_list(const struct option *o, const struct node *n, struct problems *problems)
{
	bool ok = true;

	if (n->kind == NODE_MAP) {
		node_error(problems, n, "\"%s\" holds a mapping; expected a list of text", o->name);
		return false;
	}
	for (const struct node *e = n->kind == NODE_LIST ? n->first : NULL; e != NULL; e = e->next) {
		if (e->is_broken) {
			ok = false;
		} else if (e->kind != NODE_TEXT || e->text[0] == '\0') {
			node_error(problems, e, "\"%s\" holds %s; expected text", o->name,
				   e->kind == NODE_TEXT ? "an empty element" : node_kind_name(e));
			ok = false;
		}
	}
	return ok;
}

/* Whether the node has the shape that the type asks for. */
static bool
check_shape(const struct option *o, const struct node *n, struct problems *problems)
{
	if (is_scalar(o->type)) {
		if (n->kind == NODE_TEXT && n->text[0] != '\0')
			return true;
		node_error(problems, n, "\"%s\" holds %s; expected one value", o->name,
			   n->kind == NODE_TEXT ? "nothing" : node_kind_name(n));
		return false;
	}
	if (o->type == OPTION_LIST)
		return check_list(o, n, problems);
	if (o->type == OPTION_BLOCKS && n->kind != NODE_LIST) {
		node_error(problems, n, "\"%s\" holds %s; expected a list, each element after \"- \"", o->name,
			   node_kind_name(n));
		return false;
	}
	if (o->type != OPTION_BLOCKS && n->kind != NODE_MAP) {
		node_error(problems, n, "\"%s\" holds %s; expected a mapping, one \"name: ...\" a line", o->name,
			   node_kind_name(n));
		return false;
	}
	for (const struct node *e = o->type == OPTION_FIELDS ? n->first : NULL; e != NULL; e = e->next)
		if (!check_list(o, e, problems))
			return false;
	return true;
}

static void
read_member(const struct block *b, const struct node *n, bool is_included, struct value *v,
	    struct problems *problems)
{
	const struct option *o = find(b, n->key->text);

	if (n->key->is_broken)
		return;
	if (o == NULL) {
		say_unknown(b, n->key, problems);
	} else if (is_included && !o->in_include) {
		node_error(problems, n->key, "\"%s\" may not stand in an included file; expected tenants, signing, "
			   "apps or rules", o->name);
	} else {
		struct value *r = &v[o - b->options];

		*r = (struct value){.node = n};
		if (n->is_broken)
			r->text = ""; /* said already; what reads on must find a text */
		if (n->is_broken || (is_empty(n) && !is_scalar(o->type) && !o->is_required))
			return;
		if (!check_shape(o, n, problems) || !read_text(o, n->text, n, r, problems))
			*r = (struct value){0};
	}
}

bool
schema_read(const struct block *block, const struct node *map, bool is_included,
	    struct value *v, struct problems *problems)
{
	bool given[NAMES_MAX] = {false};

	memset(v, 0, block->n * sizeof *v);
	if (map->kind != NODE_MAP) {
		if (!map->is_broken)
			node_error(problems, map, "expected %s as a mapping, one \"name: value\" a line, but %s stands here",
				   block->title, node_kind_name(map));
		return false;
	}
	for (const struct node *n = map->first; n != NULL; n = n->next) {
		const struct option *o = find(block, n->key->text);

		read_member(block, n, is_included, v, problems);
		if (o != NULL)
			given[o - block->options] = true;
	}
	for (size_t i = 0; i < block->n; i++) {
		const struct option *o = &block->options[i];

		if (given[i] || is_included)
			continue;
		if (o->is_required)
			node_error(problems, map, "%s needs \"%s\"", block->title, o->name);
		else if (o->standard != NULL)
			read_text(o, o->standard, map, &v[i], problems);
	}
	return true;
}

const struct node *
value_first(const struct value *v)
{
	if (v->node == NULL || v->node->is_broken || is_empty(v->node))
		return NULL;
	return v->node->kind == NODE_TEXT ? v->node : v->node->first;
}

const struct node *
value_next(const struct value *v, const struct node *n)
{
	return n == v->node ? NULL : n->next;
}

size_t
value_count(const struct value *v)
{
	size_t n = 0;

	for (const struct node *e = value_first(v); e != NULL; e = value_next(v, e))
		n++;
	return n;
}
