/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One rule: from its values to struct rule.
 */
#include <string.h>

#include "base/text.h"
#include "policy/file/build.h"

/* Conditions of names: apps, tenants. `known` gives the i-th name there is. */
static void
read_names(struct build *b, const struct value *v, const char *what,
	   const char *(*known)(const struct policy *p, size_t i), struct names *r)
{
	const char *names[64], *near;
	size_t n_names = 0;

	r->list = arena_array(b->arena, value_count(v) + 1, sizeof *r->list);
	while (n_names < sizeof names / sizeof names[0] && known(b->policy, n_names) != NULL) {
		names[n_names] = known(b->policy, n_names);
		n_names++;
	}
	for (const struct node *e = value_first(v); e != NULL && r->list != NULL; e = value_next(v, e)) {
		size_t i;

		for (i = 0; known(b->policy, i) != NULL && strcmp(known(b->policy, i), e->text) != 0; i++)
			;
		r->list[r->n++] = arena_string(b->arena, e->text);
		if (known(b->policy, i) != NULL)
			continue;
		near = text_nearest(e->text, names, n_names);
		node_error(b->problems, e, "there is no %s \"%s\"%s%s%s", what, e->text,
			   near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
			   near == NULL ? "" : "\"?");
	}
}

/* The apps, and "unknown" for clients that are none. */
static const char *
app_name(const struct policy *p, size_t i)
{
	if (i == p->n_apps)
		return "unknown";
	return i < p->n_apps ? p->apps[i].name : NULL;
}

static const char *
tenant_name(const struct policy *p, size_t i)
{
	return i < p->n_tenants ? p->tenants[i].name : NULL;
}

static void
read_methods(struct build *b, const struct value *v, struct rule *r)
{
	const char *names[METHOD_COUNT];

	for (int m = 0; m < METHOD_COUNT; m++)
		names[m] = method_facts((enum method)m)->name;
	for (const struct node *e = value_first(v); e != NULL; e = value_next(v, e)) {
		unsigned before = r->methods;
		const char *near = text_nearest(e->text, names, METHOD_COUNT);

		for (int m = 0; m < METHOD_COUNT; m++)
			if (strcmp(names[m], e->text) == 0)
				r->methods |= 1u << m;
		if (r->methods == before)
			node_error(b->problems, e, "\"%s\" is no method, or stands twice%s%s%s", e->text,
				   near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
				   near == NULL ? "" : "\"?");
	}
}

static void
read_clients(struct build *b, const struct value *v, struct rule *r)
{
	r->clients = arena_array(b->arena, value_count(v) + 1, sizeof *r->clients);
	for (const struct node *e = value_first(v); e != NULL && r->clients != NULL; e = value_next(v, e))
		build_client(b, e, r->clients, &r->n_clients, &r->local);
}

static void
read_pattern(struct build *b, const struct node *e, enum match_kind otherwise, struct match_list *r)
{
	const char *error = "";
	size_t column = 1;

	if (match_parse(b->arena, e->text, otherwise, &r->items[r->n], &column, &error) != 0)
		problems_add(b->problems, true, e->file, e->line, build_column(e, column), "pattern \"%s\": %s", e->text,
			     error);
	r->n++;
}

static void
read_patterns(struct build *b, const struct value *v, enum match_kind otherwise, struct match_list *r)
{
	r->items = arena_array(b->arena, value_count(v) + 1, sizeof *r->items);
	for (const struct node *e = value_first(v); e != NULL && r->items != NULL; e = value_next(v, e))
		read_pattern(b, e, otherwise, r);
}

/* Classes of recipients, and patterns. */
static void
read_recipients(struct build *b, const struct value *v, struct rule *r)
{
	static const char *const classes[] = {"internal", "external", "local"}; /* enum place */

	r->recipients.items = arena_array(b->arena, value_count(v) + 1, sizeof *r->recipients.items);
	for (const struct node *e = value_first(v); e != NULL && r->recipients.items != NULL; e = value_next(v, e)) {
		bool is_negated = e->text[0] == '!', is_class = false;

		for (unsigned i = 0; i < 3; i++) {
			if (strcmp(classes[i], e->text + (is_negated ? 1 : 0)) != 0)
				continue;
			is_class = true;
			*(is_negated ? &r->no_places : &r->places) |= 1u << i;
		}
		if (!is_class)
			read_pattern(b, e, MATCH_ADDRESS, &r->recipients);
	}
}

/* RFC 5322 section 3.6.8. */
static bool
is_field_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == ':')
			return false;
	return len > 0;
}

static void
read_headers(struct build *b, const struct value *v, struct rule *r)
{
	r->headers = arena_array(b->arena, value_count(v) + 1, sizeof *r->headers);
	for (const struct node *n = value_first(v); n != NULL && r->headers != NULL; n = value_next(v, n)) {
		struct rule_header *h = &r->headers[r->n_headers++];
		const struct value one = {.node = n};

		h->name = arena_string(b->arena, n->key->text);
		if (!is_field_name(h->name, strlen(h->name)))
			node_error(b->problems, n->key, "\"%s\" is no name of a header field", h->name);
		if (value_count(&one) == 0)
			node_error(b->problems, n, "this condition is empty, so it would never hold; take it out or fill it");
		read_patterns(b, &one, MATCH_GLOB, &h->patterns);
	}
}

/* An operator and a number, which may have K, M or G behind it. */
static void
read_comparison(struct build *b, const struct value *v, bool has_unit, struct comparison *r)
{
	static const char suffixes[] = "KMG";
	const char *s, *suffix;
	char digits[24] = "";
	size_t n;

	if (v->node == NULL)
		return;
	s = v->text;
	r->op = *s == '\0' || strchr("<>=", *s) == NULL ? '\0' : *s;
	s += r->op == '\0' ? 0 : 1;
	if ((r->op == '<' || r->op == '>') && *s == '=') {
		r->op = r->op == '<' ? 'l' : 'g';
		s++;
	}
	s += strspn(s, " ");
	n = strspn(s, "0123456789");
	if (n < sizeof digits)
		memcpy(digits, s, n);
	s += n + strspn(s + n, " ");
	suffix = has_unit && *s != '\0' ? strchr(suffixes, *s >= 'a' ? *s - ('a' - 'A') : *s) : NULL;
	if (r->op != '\0' && text_to_u64(digits, &r->value) == 0 && r->value < UINT64_C(1) << 32 &&
	    (suffix != NULL ? s[1] == '\0' : *s == '\0')) {
		for (long i = suffix == NULL ? -1 : suffix - suffixes; i >= 0; i--)
			r->value *= 1024;
		return;
	}
	node_error(b->problems, v->node, "\"%s\" is no comparison; expected <, <=, =, >= or > and a number, such as \"> %s\"",
		   v->text, has_unit ? "20M" : "50");
}

/* "18:30" as minutes, up to 24:00; -1 for none. */
static int
read_minute(const char *s, const char **end_r)
{
	int hour = 0, minute = 0;

	if (!text_is_digit(*s))
		return -1;
	for (int i = 0; i < 2 && text_is_digit(*s); i++)
		hour = hour * 10 + (*s++ - '0');
	if (*s++ != ':' || !text_is_digit(s[0]) || !text_is_digit(s[1]))
		return -1;
	minute = (s[0] - '0') * 10 + (s[1] - '0');
	*end_r = s + 2;
	return minute < 60 && hour * 60 + minute <= 24 * 60 ? hour * 60 + minute : -1;
}

static void
read_hours(struct build *b, const struct value *v, struct rule *r)
{
	r->hours = arena_array(b->arena, value_count(v) + 1, sizeof *r->hours);
	for (const struct node *e = value_first(v); e != NULL && r->hours != NULL; e = value_next(v, e)) {
		const char *end = "";
		int from = read_minute(e->text, &end), to = -1;

		if (from >= 0 && *end == '-')
			to = read_minute(end + 1, &end);
		/* 00:00-24:00 is the whole day, 24:00-00:00 and the like are nothing. */
		if (from >= 0 && to >= 0 && from != to && from % 1440 != to && *end == '\0')
			r->hours[r->n_hours++] = (struct hours){(unsigned)from % 1440, (unsigned)to};
		else
			node_error(b->problems, e, "\"%s\" is no span of hours; expected one such as 08:00-18:00", e->text);
	}
}

/* 0 for Sunday, by the first three letters; -1 for none. */
static int
weekday(const char *s, size_t len)
{
	static const char *const names[] = {
		"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
	};

	for (int i = 0; i < 7; i++)
		if ((len == 3 || len == strlen(names[i])) && text_same_n(s, names[i], len))
			return i;
	return -1;
}

static void
read_weekdays(struct build *b, const struct value *v, struct rule *r)
{
	for (const struct node *e = value_first(v); e != NULL; e = value_next(v, e)) {
		const char *dash = strchr(e->text, '-');
		int from = weekday(e->text, dash == NULL ? strlen(e->text) : (size_t)(dash - e->text));
		int to = dash == NULL ? from : weekday(dash + 1, strlen(dash + 1));

		if (from < 0 || to < 0) {
			node_error(b->problems, e, "\"%s\" is no weekday; expected one such as mon, or a span such as mon-fri",
				   e->text);
			continue;
		}
		for (int day = from;; day = (day + 1) % 7) {
			r->weekdays |= 1u << day;
			if (day == to)
				break;
		}
	}
}

/* The field that action tag adds: a name that no app can claim, and text. */
static void
read_tag(struct build *b, const struct node *n, const struct value *v, struct rule *r)
{
	const struct node *e = v->node;
	const char *colon;
	size_t len;

	r->tag_name = r->tag_value = "";
	if (r->action == RULE_TAG && e == NULL)
		node_error(b->problems, n, "action tag needs \"tag\", such as tag: \"X-Class: payroll\"");
	if (e == NULL)
		return;
	if (r->action != RULE_TAG)
		node_error(b->problems, e, "\"tag\" goes with action tag only");
	colon = strchr(v->text, ':');
	len = colon == NULL ? 0 : (size_t)(colon - v->text);
	if (len < 3 || len > 100 || !text_has_prefix(v->text, "X-") || !is_field_name(v->text, len)) {
		node_error(b->problems, e, "\"%s\" is no tag; expected a field whose name begins with X-, such as \"X-Class: payroll\"",
			   v->text);
		return;
	}
	r->tag_name = arena_substring(b->arena, v->text, len);
	colon += 1 + strspn(colon + 1, " ");
	r->tag_value = arena_string(b->arena, colon);
	if (header_is_trusted(r->tag_name))
		node_error(b->problems, e, "\"%s\" is a field of Exchange or Postern itself; choose another name", r->tag_name);
	if (*colon == '\0')
		node_error(b->problems, e, "the tag has no value; expected one such as \"X-Class: payroll\"");
	for (const char *p = colon; *p != '\0'; p++)
		if (*p < ' ' || *p > '~' || p - colon >= 500) {
			node_error(b->problems, e, "the tag's value may hold at most 500 printable ASCII characters");
			break;
		}
}

static void
read_text(struct build *b, const struct value *v, const char **r)
{
	*r = arena_string(b->arena, v->node == NULL ? "" : v->text);
	if (strlen(*r) > 300 || strpbrk(*r, "\r\n") != NULL)
		node_error(b->problems, v->node, "the text is too long for a reply; expected one line of at most 300 octets");
}

/* Which conditions were given. */
static uint32_t
given(const struct value *v)
{
	static const struct {
		int option;
		enum rule_condition condition;
	} pairs[] = {
		{RULE_APPS, CONDITION_APPS}, {RULE_EXCEPT, CONDITION_EXCEPT}, {RULE_TENANTS, CONDITION_TENANTS},
		{RULE_METHODS, CONDITION_METHODS}, {RULE_CLIENTS, CONDITION_CLIENTS}, {RULE_LOGINS, CONDITION_LOGINS},
		{RULE_SENDER, CONDITION_SENDER}, {RULE_FROM, CONDITION_FROM}, {RULE_RECIPIENTS, CONDITION_RECIPIENTS},
		{RULE_SUBJECT, CONDITION_SUBJECT}, {RULE_HEADER, CONDITION_HEADER}, {RULE_BODY, CONDITION_BODY},
		{RULE_ATTACHMENT, CONDITION_ATTACHMENT}, {RULE_ATTACHMENT_TYPE, CONDITION_ATTACHMENT_TYPE},
		{RULE_SIZE, CONDITION_SIZE}, {RULE_RECIPIENT_COUNT, CONDITION_RECIPIENT_COUNT},
		{RULE_TLS, CONDITION_TLS}, {RULE_HOURS, CONDITION_HOURS}, {RULE_WEEKDAYS, CONDITION_WEEKDAYS},
	};
	uint32_t r = 0;

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		if (v[pairs[i].option].node != NULL)
			r |= UINT32_C(1) << pairs[i].condition;
	return r;
}

static void
check_empty(struct build *b, const struct value *v)
{
	for (int i = RULE_APPS; i <= RULE_WEEKDAYS; i++)
		if (v[i].node != NULL && !v[i].node->is_broken && value_count(&v[i]) == 0)
			node_error(b->problems, v[i].node, "this condition is empty, so it would never hold; take it out or fill it");
}

static void
check_name(struct build *b, const struct value *v, struct rule *r)
{
	const struct policy *p = b->policy;

	r->name = arena_string(b->arena, v->node == NULL ? "" : v->text);
	if (v->node == NULL)
		return;
	build_check_name(b, v->node, "a rule", r->name);
	for (const struct rule *other = p->rules; other < r; other++)
		if (text_same(other->name, r->name))
			node_error(b->problems, v->node, "a rule \"%s\" stands at %s:%u already", r->name, other->file, other->line);
}

static void
read_conditions(struct build *b, const struct value *v, struct rule *r)
{
	read_names(b, &v[RULE_APPS], "app", app_name, &r->apps);
	read_names(b, &v[RULE_EXCEPT], "app", app_name, &r->except);
	read_names(b, &v[RULE_TENANTS], "tenant", tenant_name, &r->tenants);
	read_methods(b, &v[RULE_METHODS], r);
	read_clients(b, &v[RULE_CLIENTS], r);
	read_patterns(b, &v[RULE_LOGINS], MATCH_GLOB, &r->logins);
	read_patterns(b, &v[RULE_SENDER], MATCH_ADDRESS, &r->sender);
	read_patterns(b, &v[RULE_FROM], MATCH_ADDRESS, &r->from);
	read_recipients(b, &v[RULE_RECIPIENTS], r);
	read_patterns(b, &v[RULE_SUBJECT], MATCH_GLOB, &r->subject);
	read_headers(b, &v[RULE_HEADER], r);
	read_patterns(b, &v[RULE_BODY], MATCH_REGEX, &r->body);
	read_patterns(b, &v[RULE_ATTACHMENT], MATCH_GLOB, &r->attachment);
	read_patterns(b, &v[RULE_ATTACHMENT_TYPE], MATCH_GLOB, &r->attachment_type);
	read_patterns(b, &v[RULE_TLS], MATCH_GLOB, &r->tls);
	read_comparison(b, &v[RULE_SIZE], true, &r->size);
	read_comparison(b, &v[RULE_RECIPIENT_COUNT], false, &r->recipient_count);
	read_hours(b, &v[RULE_HOURS], r);
	read_weekdays(b, &v[RULE_WEEKDAYS], r);
	r->given = given(v);
	check_empty(b, v);
}

/* FNV-1a over a tree as it is written. */
static uint64_t
hash_node(uint64_t h, const struct node *n)
{
	const char *s = n->kind == NODE_TEXT ? n->text : n->kind == NODE_LIST ? "[" : "{";

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	h = (h ^ 0xffu) * UINT64_C(0x100000001b3);
	for (const struct node *e = n->kind == NODE_TEXT ? NULL : n->first; e != NULL; e = e->next) {
		if (n->kind == NODE_MAP)
			h = hash_node(h, e->key);
		h = hash_node(h, e);
	}
	return h;
}

static const char *
digest_conditions(struct build *b, const struct value *v)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (int i = RULE_APPS; i <= RULE_WEEKDAYS; i++)
		if (v[i].node != NULL) {
			h = hash_node(h, v[i].node->key);
			h = hash_node(h, v[i].node);
		}
	return arena_printf(b->arena, "%016llx", (unsigned long long)h);
}

void
build_rule(struct build *b, const struct node *n, struct rule *r)
{
	struct value v[RULE_OPTIONS];

	*r = (struct rule){.name = "", .file = arena_string(b->arena, n->file), .line = n->line,
			   .conditions = "", .tag_name = "", .tag_value = "", .message = "", .contact = ""};
	if (!schema_read(&schema_rule, n, false, v, b->problems))
		return;
	r->action = (enum rule_action)v[RULE_ACTION].number;
	r->is_on_trial = v[RULE_MODE].number == 1;
	check_name(b, &v[RULE_NAME], r);
	read_conditions(b, v, r);
	r->conditions = digest_conditions(b, v);
	read_tag(b, n, &v[RULE_TAG_FIELD], r);
	read_text(b, &v[RULE_MESSAGE], &r->message);
	read_text(b, &v[RULE_CONTACT], &r->contact);
}
