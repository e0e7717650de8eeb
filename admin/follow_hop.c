/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See follow.h.
 */
#include "config.h"

#include <string.h>

#include "admin/follow.h"
#include "base/text.h"

/* A next hop taken apart; nothing is copied. */
struct hop {
	const char *name, *address, *port;
	size_t name_length, address_length;
};

static bool
same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && a_len > 0 && text_same_n(a, b, a_len);
}

static bool
is_address(const char *s, size_t len)
{
	return len > 0 && (memchr(s, ':', len) != NULL || strspn(s, "0123456789.") >= len);
}

/* As the policy says it: in brackets or not, with a port or not. */
static struct hop
of_policy(const char *s)
{
	struct hop h = {.name = s, .port = ""};
	const char *end;

	if (s[0] == '[' && (end = strchr(s, ']')) != NULL) {
		h.name = s + 1;
		h.name_length = (size_t)(end - h.name);
		h.port = end[1] == ':' ? end + 2 : "";
	} else {
		end = strchr(s, ':');
		if (end != NULL && strchr(end + 1, ':') == NULL)
			h.port = end + 1;
		h.name_length = *h.port != '\0' ? (size_t)(end - s) : strlen(s);
	}
	if (h.name_length > 0 && h.name[h.name_length - 1] == '.')
		h.name_length--;
	if (is_address(h.name, h.name_length)) {
		h.address = h.name;
		h.address_length = h.name_length;
	}
	return h;
}

/* "mx.example[192.0.2.1]:25", "[192.0.2.1][192.0.2.1]" of Sendmail. */
static struct hop
of_log(const char *s)
{
	const char *bracket = strrchr(s, '['), *end = bracket == NULL ? NULL : strchr(bracket, ']');
	struct hop h = {.name = s, .name_length = maillog_host_length(s), .port = ""};

	if (end == NULL)
		return (struct hop){.name = s, .port = ""};
	h.address = bracket + 1;
	h.address_length = (size_t)(end - h.address);
	h.port = end[1] == ':' ? end + 2 : "";
	return h;
}

bool
follow_is_hop(const char *next_hop, const char *logged)
{
	struct hop p = of_policy(next_hop), l = of_log(logged);

	if (l.address == NULL || (p.port[0] != '\0' && l.port[0] != '\0' && strcmp(p.port, l.port) != 0))
		return false;
	if (p.address != NULL)
		return same(p.address, p.address_length, l.address, l.address_length);
	return same(p.name, p.name_length, l.name, l.name_length);
}

const char *
follow_tenants(const struct policy *p, const char *logged, struct text *t)
{
	text_clear(t);
	for (size_t i = 0; logged[0] != '\0' && i < p->n_tenants; i++) {
		if (!follow_is_hop(p->tenants[i].next_hop, logged))
			continue;
		text_printf(t, "%s%s,", t->len == 0 ? "," : "", p->tenants[i].name);
	}
	return t->failed ? "" : text_string(t);
}
