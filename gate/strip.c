/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See strip.h.
 */
#include "gate/strip.h"

#include <string.h>

#include "base/text.h"

/* What Exchange calls its header firewall covers these families. */
static const char *const families[] = {
	"X-MS-Exchange-Organization-",
	"X-MS-Exchange-CrossPremises-",
	"X-MS-Exchange-CrossTenant-",
	"X-MS-Exchange-Forest-",
	"X-Postern-",
};

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
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (text_has_prefix(f->name, families[i]))
			return true;
	return text_same(f->name, "Authentication-Results") && speaks_as(f->value, relay);
}
