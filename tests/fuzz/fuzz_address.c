/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Mailboxes and paths from any octets: what is accepted is printable ASCII with
 * one way to read it, and reading it again gives the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct arena *a, const struct address *r)
{
	struct address again;
	struct address_error e;

	if (r->is_null || r->is_postmaster)
		return;
	for (const char *p = r->text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			abort();
	if (address_parse_path(a, r->text, false, &again, &e) != 0 || !address_same(r, &again))
		abort();
}

/* What a scanner for the last angle brackets would take for the address. */
static void
check_naive(const char *value, const struct mailbox *m)
{
	const char *open = strrchr(value, '<'), *close = strrchr(value, '>');

	if (strpbrk(value, "\"()\\") != NULL || open == NULL || close == NULL || close < open)
		return;
	if (m->address.is_quoted || m->address.is_literal)
		return;
	for (const char *p = open + 1; p < close; p++)
		if ((unsigned char)*p >= 0x80)
			return;
	if (strlen(m->address.text) != (size_t)(close - open - 1) ||
	    !text_same_n(m->address.text, open + 1, (size_t)(close - open - 1)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(0);
	const char *s = arena_substring(a, (const char *)data, size);
	struct mailbox m;
	struct address path, found;
	struct address_pattern pattern;
	struct address_error e;

	if (address_parse_mailbox(a, s, &m, &e) == 0) {
		check(a, &m.address);
		check_naive(s, &m);
		(void)address_display_is_hostile(m.display);
		for (const char *p = m.display; (p = address_find_in_text(a, p, &found)) != NULL;)
			check(a, &found);
	} else if (e.column == 0 || e.column > strlen(s) + 1 || e.what == NULL || e.expected == NULL) {
		abort();
	}
	if (address_parse_path(a, s, size % 2 == 0, &path, &e) == 0)
		check(a, &path);
	if (address_parse_pattern(a, s, &pattern, &e) == 0 && !path.is_null)
		(void)address_matches(&pattern, &path);
	arena_free(&a);
	return 0;
}
