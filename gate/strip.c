/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See strip.h.
 */
#include "gate/strip.h"

#include <string.h>

#include "base/text.h"

/* RFC 8601 section 2.2: [CFWS] authserv-id. */
static bool
speaks_as(const char *value, const char *relay)
{
	size_t n = strlen(relay);

	value += strspn(value, " \t\r\n\"");
	return n > 0 && text_same_n(value, relay, n) &&
	       (value[n] == '\0' || strchr(" \t\r\n;\"(", value[n]) != NULL);
}

bool
strip_wants(const struct header_field *f, const char *relay)
{
	if (header_is_trusted(f->name))
		return true;
	return text_same(f->name, "Authentication-Results") && speaks_as(f->value, relay);
}
