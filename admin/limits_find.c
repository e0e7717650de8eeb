/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See limits.h: the limit and the counter that a person names, with the nearest
 * name where there is none of it.
 */
#include "config.h"

#include "admin/limits.h"

#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "policy/address.h"
#include "policy/domain.h"

struct finder {
	const char *owner, *name;
	struct arena *arena;
	bool knows_owner, is_ambiguous;
	const struct limit *found;
	const char *owners[2000], *names[2000]; /* to suggest one */
	size_t n_owners, n_names;
};

static const char *
owner_of(const struct limit *l)
{
	return strchr(l->scope, ':') + 1;
}

/* "crm", or "app:crm". */
static bool
is_owner(const char *s, const struct limit *l)
{
	return text_same(s, owner_of(l)) || text_same(s, l->scope);
}

/* "crm/messages-per-minute", or what is behind the "/". */
static bool
is_name(const char *s, const struct limit *l)
{
	const char *rest = strrchr(l->name, '/');

	return text_same(s, l->name) || (rest != NULL && text_same(s, rest + 1));
}

static void
note(const char **list, size_t *n, const char *s)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i], s) == 0)
			return;
	if (*n < 2000)
		list[(*n)++] = s;
}

static int
look(void *context, const struct limit *l)
{
	struct finder *f = context;

	if (!is_owner(f->owner, l)) {
		note(f->owners, &f->n_owners, owner_of(l));
		return 0;
	}
	f->knows_owner = true;
	note(f->names, &f->n_names, strrchr(l->name, '/') + 1);
	if (!is_name(f->name, l))
		return 0;
	f->is_ambiguous = f->found != NULL;
	f->found = l;
	return 0;
}

static void
say_unknown(const struct finder *f, char *error_r, size_t size)
{
	const char *near = f->knows_owner ? text_nearest(f->name, f->names, f->n_names)
					  : text_nearest(f->owner, f->owners, f->n_owners);
	struct text all = {0};

	for (size_t i = 0; near == NULL && f->knows_owner && i < f->n_names && i < 10; i++)
		text_printf(&all, "%s%s", i == 0 ? "; it has " : ", ", f->names[i]);
	if (f->is_ambiguous)
		snprintf(error_r, size, "\"%s\" is an app and a tenant that both have %s: say %s:%s or its like", f->owner,
			 f->name, "app", f->owner);
	else
		snprintf(error_r, size, "%s \"%s\"%s%s%s%s",
			 f->knows_owner ? arena_printf(f->arena, "%s has no limit", f->owner)
					: "no limit is of an app, tenant or method",
			 f->knows_owner ? f->name : f->owner, near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
			 near == NULL ? "" : "\"?", text_string(&all));
	text_free(&all);
}

/* The value as it is counted under; NULL with what was expected. */
static const char *
normalise(struct arena *a, enum limit_key key, const char *s, const char **error_r)
{
	struct address_error wrong;
	struct address address;
	char text[IP_TEXT_SIZE];
	size_t column;
	struct ip ip;

	switch (key) {
	case LIMIT_PER_SENDER:
	case LIMIT_PER_RECIPIENT:
		*error_r = "an address";
		if (key == LIMIT_PER_SENDER && strcmp(s, "<>") == 0)
			return s;
		return address_parse_path(a, s, false, &address, &wrong) != 0 ? NULL
			: arena_lower(a, address.text, strlen(address.text));
	case LIMIT_PER_SENDER_DOMAIN:
	case LIMIT_PER_RECIPIENT_DOMAIN:
		*error_r = "a domain";
		if (key == LIMIT_PER_SENDER_DOMAIN && strcmp(s, "<>") == 0)
			return s;
		return domain_normalise(a, s, strlen(s), error_r, &column);
	case LIMIT_PER_CLIENT:
		*error_r = "an IP address, or local";
		if (strcmp(s, "local") == 0)
			return s;
		if (ip_parse(s, &ip) != 0)
			return NULL;
		ip_format(&ip, text);
		return arena_string(a, text);
	case LIMIT_PER_LOGIN:
		*error_r = "a login";
		return s[0] == '\0' ? NULL : s;
	case LIMIT_PER_SCOPE:
		break;
	}
	*error_r = "no key";
	return NULL;
}

static int
find_key(const struct limit *l, const char *key, struct arena *a, struct limits_named *r, char *error_r, size_t size)
{
	const char *name = limit_key_name(l->key), *expected = "", *value;

	r->key = "";
	if (l->key == LIMIT_PER_SCOPE && key == NULL)
		return 0;
	if (l->key == LIMIT_PER_SCOPE || key == NULL) {
		snprintf(error_r, size, key == NULL ? "%s counts per %s: say which one" : "%s counts %s as a whole: no KEY",
			 l->name, key == NULL ? name : owner_of(l));
		return -1;
	}
	if (strncmp(key, name, strlen(name)) == 0 && key[strlen(name)] == '=')
		key += strlen(name) + 1;
	value = normalise(a, l->key, key, &expected);
	if (value == NULL) {
		snprintf(error_r, size, "%s counts per %s, and \"%s\" is none: expected %s", l->name, name, printable(a, key),
			 expected);
		return -1;
	}
	r->key = arena_printf(a, "%s=%s", name, value);
	return 0;
}

int
limits_find(const struct policy *p, const char *owner, const char *name, const char *key, struct arena *a,
	    struct limits_named *r, char *error_r, size_t error_size)
{
	struct finder *f = arena_alloc(a, sizeof *f);

	if (f == NULL) {
		snprintf(error_r, error_size, "memory is short");
		return -1;
	}
	f->owner = owner;
	f->name = name;
	f->arena = a;
	(void)limits_each(p, look, f);
	if (f->found == NULL || f->is_ambiguous) {
		say_unknown(f, error_r, error_size);
		return -1;
	}
	r->limit = f->found;
	return find_key(f->found, key, a, r, error_r, error_size);
}
