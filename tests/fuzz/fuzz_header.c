/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A header of any fields, parted by NUL, each "NAME:VALUE". Counts are what a
 * plain recount gives; unfolding twice is as once; what passes as well formed
 * is; From and Sender read the same folded and unfolded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/address.h"
#include "policy/header.h"

/* Recounting takes the square of the fields. */
#define RECOUNTED 300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
add_fields(struct arena *a, struct header *h, const char *s, size_t size)
{
	const char *end = s + size;
	size_t fields = 0;

	while (s < end) {
		size_t len = strlen(s), name = strcspn(s, ":");
		const char *value = name < len ? s + name + 1 : "";

		header_add(h, arena_substring(a, s, name), value, fields % 2 == 0);
		fields++;
		s += len + 1;
	}
	require(h->count == fields);
	require(h->largest <= h->octets && h->longest_signed_line <= h->largest);
}

/* The fields of this name, up to and with `last` (NULL: all). */
static size_t
recount(const struct header *h, const char *name, const struct header_field *last)
{
	size_t n = 0;

	for (const struct header_field *f = h->first; f != NULL; f = f->next) {
		n += text_same(f->name, name);
		if (f == last)
			break;
	}
	return n;
}

static void
check_counts(const struct header *h)
{
	size_t fields = 0;

	for (const struct header_field *f = h->first; f != NULL && fields < RECOUNTED; f = f->next, fields++) {
		size_t len = strlen(f->name);

		require(len == 0 || (f->name[len - 1] != ' ' && f->name[len - 1] != '\t'));
		require(f->index == recount(h, f->name, f));
		require(header_count(h, f->name) == recount(h, f->name, NULL));
		require(header_find(h, f->name)->index == 1);
	}
	require(header_count(h, "no field: has this") == 0 && header_find(h, "no field: has this") == NULL);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
has_fold(const char *s)
{
	for (; (s = strchr(s, '\n')) != NULL; s++)
		if (is_blank(s[1]))
			return true;
	return false;
}

static void
check_unfold(struct arena *a, const struct header *h)
{
	bool is_well = header_broken(h) == NULL;

	for (const struct header_field *f = h->first; f != NULL; f = f->next) {
		const char *s = header_unfold(a, f->value);
		size_t len = strlen(s);

		require(len <= strlen(f->value));
		require(len == 0 || (!is_blank(s[0]) && !is_blank(s[len - 1])));
		require(!has_fold(s));
		require(strcmp(header_unfold(a, s), s) == 0);
		require(!is_well || strpbrk(s, "\r\n") == NULL);
		require(!is_well || (f->name[0] != '\0' && strpbrk(f->name, " \t\r\n:") == NULL));
	}
}

static void
check_form(struct arena *a, const struct header *h)
{
	const char *name, *type = header_media_type(h, a);
	size_t slashes = 0;

	if ((name = header_repeated(h)) != NULL)
		require(header_count(h, name) > 1 && !text_same(name, "From"));
	if ((name = header_resent(h)) != NULL)
		require(text_has_prefix(name, "Resent-") && header_count(h, name) > 0);
	else
		require(header_count(h, "Resent-From") == 0);
	for (const char *p = type; *p != '\0'; p++) {
		require(*p > ' ' && *p <= '~' && *p == text_lower_char(*p) && *p != ';');
		slashes += *p == '/';
	}
	require(slashes == 1 && type[0] != '/' && type[strlen(type) - 1] != '/');
}

static void
check_mailbox(struct arena *a, const struct header *h, const char *name)
{
	const struct header_field *f = header_find(h, name);
	struct mailbox m, again;
	struct address found;
	struct address_error e;

	if (f == NULL)
		return;
	if (address_parse_mailbox(a, f->value, &m, &e) != 0) {
		require(e.column > 0 && e.column <= strlen(f->value) + 1);
		return;
	}
	for (const char *p = m.address.text; *p != '\0'; p++)
		require(*p >= ' ' && *p <= '~');
	require(address_parse_mailbox(a, header_unfold(a, f->value), &again, &e) == 0);
	require(address_same(&m.address, &again.address));
	require(strcmp(m.display, again.display) == 0 && m.display_is_certain == again.display_is_certain);
	(void)address_display_is_hostile(m.display);
	for (const char *p = m.display; p != NULL;)
		p = address_find_in_text(a, p, &found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(0);
	const char *s = arena_substring(a, (const char *)data, size);
	struct header h;

	header_start(&h, a);
	add_fields(a, &h, s, size);
	check_counts(&h);
	check_unfold(a, &h);
	check_form(a, &h);
	check_mailbox(a, &h, "From");
	check_mailbox(a, &h, "Sender");
	require(!arena_failed(a));
	arena_free(&a);
	return 0;
}
