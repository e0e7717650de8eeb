/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Patterns of `senders`; see address.h.
 */
#include <string.h>

#include "base/text.h"
#include "policy/address.h"
#include "policy/domain.h"

static int
fail(struct address_error *e, size_t column, const char *what, const char *expected)
{
	*e = (struct address_error){.column = column, .what = what, .expected = expected};
	return -1;
}

int
address_parse_pattern(struct arena *a, const char *s, struct address_pattern *r, struct address_error *error_r)
{
	const char *at = strrchr(s, '@'), *domain, *what;
	struct address whole;
	size_t column = 1;

	*r = (struct address_pattern){.local = "", .domain = "", .text = arena_string(a, s)};
	if (strcmp(s, "<>") == 0) {
		r->is_null = true;
		return 0;
	}
	if (at == NULL || at == s)
		return fail(error_r, 1, "no address pattern", "local-part@domain, *@domain or \"<>\"");
	r->has_star = memchr(s, '*', (size_t)(at - s)) != NULL;
	r->any_subdomain = at[1] == '*' && at[2] == '.';
	domain = at + (r->any_subdomain ? 3 : 1);
	r->domain = domain_normalise(a, domain, strlen(domain), &what, &column);
	if (r->domain == NULL) {
		r->domain = "";
		return fail(error_r, (size_t)(domain - s) + column, what, "a domain name");
	}
	r->local = arena_lower(a, s, (size_t)(at - s));
	if (r->has_star) {
		for (const char *p = s; p < at; p++)
			if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("\"(),:;<>@[\\]", *p) != NULL)
				return fail(error_r, (size_t)(p - s) + 1, "an octet that no local part holds unquoted",
					    "letters, digits and *");
		return 0;
	}
	if (address_parse_path(a, arena_printf(a, "%.*s@%s", (int)(at - s), s, r->domain), false, &whole, error_r) != 0)
		return -1;
	r->local = arena_lower(a, whole.local, strlen(whole.local));
	return 0;
}

/* A local part that forwarders make, not applications (SRS). */
static bool
is_rewritten(const char *local)
{
	return (text_has_prefix(local, "SRS0") || text_has_prefix(local, "SRS1")) && local[4] != '\0' &&
	       strchr("=+-", local[4]) != NULL;
}

bool
address_matches(const struct address_pattern *p, const struct address *a)
{
	if (p->is_null || a->is_null || a->is_literal)
		return p->is_null && a->is_null;
	if (p->any_subdomain ? !domain_is_below(a->domain, p->domain) : strcmp(a->domain, p->domain) != 0)
		return false;
	if (!p->has_star)
		return text_same(p->local, a->local);
	return !a->is_quoted && !a->has_routing && !is_rewritten(a->local) && text_glob(p->local, a->local);
}
