/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Patterns of senders: reading and matching. See address.h.
 */
#include <string.h>

#include "base/text.h"
#include "policy/address.h"
#include "policy/domain.h"

static int
fail(struct address_error *error_r, size_t column, const char *what, const char *expected)
{
	error_r->column = column;
	error_r->what = what;
	error_r->expected = expected;
	return -1;
}

static bool
is_atext(char c)
{
	return text_is_alpha(c) || text_is_digit(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* A dot-atom, in which * counts as an atom's octet. */
static int
check_local(const char *s, size_t len, struct address_error *error_r)
{
	if (len == 0)
		return fail(error_r, 1, "no local part", "a local part or *");
	if (len > 64)
		return fail(error_r, 65, "a local part of more than 64 octets", "a shorter one");
	for (size_t i = 0; i < len; i++) {
		bool is_dot = s[i] == '.';

		if (is_dot && (i == 0 || i + 1 == len || s[i - 1] == '.'))
			return fail(error_r, i + 1, "a dot with no atom beside it", "an atom");
		if (!is_dot && !is_atext(s[i]))
			return fail(error_r, i + 1, "an octet that no plain local part has",
				    "letters, digits, dots or *");
	}
	return 0;
}

int
address_parse_pattern(struct arena *a, const char *s, struct address_pattern *r,
		      struct address_error *error_r)
{
	const char *at = strchr(s, '@'), *domain, *why;
	size_t local_len, column;

	memset(r, 0, sizeof *r);
	r->local = r->domain = "";
	r->text = arena_string(a, s);
	r->is_null = strcmp(s, "<>") == 0;
	if (r->is_null)
		return 0;
	local_len = at != NULL ? (size_t)(at - s) : strlen(s);
	if (check_local(s, local_len, error_r) != 0)
		return -1;
	if (at == NULL)
		return fail(error_r, local_len + 1, "no domain", "'@' and a domain");
	r->local = arena_lower(a, s, local_len);
	r->has_star = memchr(s, '*', local_len) != NULL;
	domain = at + 1;
	r->any_subdomain = strncmp(domain, "*.", 2) == 0;
	if (r->any_subdomain)
		domain += 2;
	r->domain = domain_normalise(a, domain, strlen(domain), &why, &column);
	if (r->domain == NULL) {
		r->domain = "";
		return fail(error_r, (size_t)(domain - s) + column, why, "a domain");
	}
	return 0;
}

/* SRS0=..., SRS1+...: an address that stands for another one. */
static bool
is_rewritten(const char *local)
{
	if (!text_has_prefix(local, "SRS0") && !text_has_prefix(local, "SRS1"))
		return false;
	return local[4] == '=' || local[4] == '+' || local[4] == '-';
}

static bool
local_matches(const struct address_pattern *p, const struct address *a)
{
	if (a->is_quoted)
		return false;
	if (!p->has_star)
		return text_same(p->local, a->local);
	return !a->has_routing && !is_rewritten(a->local) && text_glob(p->local, a->local);
}

bool
address_matches(const struct address_pattern *p, const struct address *a)
{
	if (p->is_null || a->is_null)
		return p->is_null && a->is_null;
	if (a->is_literal || a->domain[0] == '\0')
		return false;
	if (p->any_subdomain ? !domain_is_below(a->domain, p->domain)
			     : strcmp(a->domain, p->domain) != 0)
		return false;
	return local_matches(p, a);
}

bool
address_same(const struct address *a, const struct address *b)
{
	return a->is_null == b->is_null && text_same(a->local, b->local) &&
	       text_same(a->domain, b->domain);
}
