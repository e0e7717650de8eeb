/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pieces are made well-formed UTF-8 on their way into a buffer. When it is full
 * it is searched; what stays is the text from where the search must go on, and
 * before it as much as the pattern looks back.
 */
#include <string.h>

#include "base/text.h"
#include "policy/regex-private.h"

#define CHARACTER_MAX 4

struct regex_scan {
	struct arena *arena;
	const struct regex *regex;
	struct regex_budget budget;
	struct regex_search *search;
	char *text;
	size_t capacity;
	size_t len;
	size_t at;              /* no match begins before this, as far as is known */
	char split[CHARACTER_MAX]; /* the octets so far of a character that was cut */
	size_t split_len;
	enum found answer;
	bool is_settled;
	bool is_missed;         /* a match may have been overlooked */
};

/* Length of the run of ASCII that s begins with. */
static size_t
ascii_run(const char *s, size_t len)
{
	size_t n = 0;
	uint64_t word;

	for (; len - n >= sizeof word; n += sizeof word) {
		memcpy(&word, s + n, sizeof word);
		if ((word & 0x8080808080808080u) != 0)
			break;
	}
	while (n < len && (unsigned char)s[n] < 0x80)
		n++;
	return n;
}

/* Whether more octets could make a character of these few. */
static bool
is_cut(const char *s, size_t len)
{
	unsigned char lead = (unsigned char)s[0];

	if (lead < 0xc2 || lead > 0xf4)
		return false;
	return len < (lead < 0xe0 ? 2u : lead < 0xf0 ? 3u : 4u);
}

size_t
regex_clean(const char *in, size_t len, bool is_end, char *out, size_t room, size_t *used_r)
{
	size_t i = 0, n = 0;

	while (i < len && room - n >= CHARACTER_MAX) {
		size_t used = ascii_run(in + i, len - i < room - n ? len - i : room - n);
		const char *from = in + i;

		if (used == 0 && text_utf8_next(from, len - i, &used) < 0) {
			if (!is_end && is_cut(from, len - i))
				break;
			from = "\xef\xbf\xbd";
			memcpy(out + n, from, 3);
			n += 3;
		} else {
			memcpy(out + n, from, used);
			n += used;
		}
		i += used;
	}
	*used_r = i;
	return n;
}

bool
regex_is_clean(const char *s, size_t len)
{
	while (len > 0) {
		size_t used = ascii_run(s, len);

		if (used == 0 && text_utf8_next(s, len, &used) < 0)
			return false;
		s += used;
		len -= used;
	}
	return true;
}

static void
settle(struct regex_scan *scan, enum found answer)
{
	scan->answer = answer;
	scan->is_settled = true;
	regex_search_free(&scan->search);
}

struct regex_scan *
regex_scan_new(struct arena *a, const struct regex *r, const struct regex_budget *b)
{
	struct regex_scan *scan = arena_alloc(a, sizeof *scan);

	if (scan == NULL)
		return NULL;
	scan->arena = a;
	scan->regex = r;
	scan->budget = *b;
	return scan;
}

void
regex_scan_free(struct regex_scan **scan)
{
	if (*scan != NULL)
		regex_search_free(&(*scan)->search);
	*scan = NULL;
}

static void
grow(struct regex_scan *scan, size_t capacity)
{
	char *text = arena_alloc(scan->arena, capacity);

	if (text == NULL) {
		settle(scan, FOUND_UNKNOWN);
		return;
	}
	if (scan->len > 0)
		memcpy(text, scan->text, scan->len);
	scan->text = text;
	scan->capacity = capacity;
}

/* The match that begins at scan->at stays unfinished. What lies in the buffer as a
 * whole may be taken if the pattern is such that nothing to come can unmake it.
 * Else this start, and those after it up to a quarter of the buffer, are given up. */
static void
give_up(struct regex_scan *scan)
{
	size_t from = scan->len - scan->capacity / 4;

	scan->is_missed = true;
	if (regex_is_monotone(scan->regex)) {
		int rc = regex_search_here(scan->search, scan->text, scan->len, scan->at);

		if (rc != 0) {
			settle(scan, rc > 0 ? FOUND_YES : FOUND_UNKNOWN);
			return;
		}
	}
	scan->at = regex_next(scan->text, scan->len, from > scan->at ? from : scan->at);
}

/* Drops what is no longer needed; half of the buffer is then free. */
static void
make_room(struct regex_scan *scan)
{
	size_t max = regex_how(scan->regex)->capacity_max;
	size_t from = regex_keep_from(scan->regex, scan->text, scan->at);

	if (scan->len - from > max / 2) {
		give_up(scan);
		if (scan->is_settled)
			return;
		from = regex_keep_from(scan->regex, scan->text, scan->at);
	}
	memmove(scan->text, scan->text + from, scan->len - from);
	scan->len -= from;
	scan->at -= from;
	if (scan->len > scan->capacity / 2 && scan->capacity < max)
		grow(scan, 2 * scan->capacity);
}

static void
look(struct regex_scan *scan, bool is_end)
{
	const char *text = scan->text != NULL ? scan->text : "";
	int rc;

	if (scan->search == NULL)
		scan->search = regex_search_new(scan->regex, &scan->budget);
	rc = scan->search == NULL ? -1 : regex_search_run(scan->search, text, scan->len, is_end,
							  &scan->at, &scan->is_missed);
	if (rc != 0)
		settle(scan, rc > 0 ? FOUND_YES : FOUND_UNKNOWN);
	else if (is_end)
		settle(scan, scan->is_missed ? FOUND_UNKNOWN : FOUND_NO);
	else
		make_room(scan);
}

/* Takes octets until they are used up or what is left is a cut character; tells
 * how many it took. */
static size_t
take(struct regex_scan *scan, const char *s, size_t len, bool is_end)
{
	size_t taken = 0;

	while (taken < len && !scan->is_settled) {
		size_t used;

		if (scan->capacity == 0)
			grow(scan, regex_how(scan->regex)->capacity);
		else if (scan->capacity - scan->len < CHARACTER_MAX)
			look(scan, false);
		if (scan->is_settled)
			break;
		scan->len += regex_clean(s + taken, len - taken, is_end, scan->text + scan->len,
					 scan->capacity - scan->len, &used);
		taken += used;
		if (scan->capacity - scan->len >= CHARACTER_MAX)
			break;
	}
	return taken;
}

/* Joins a cut character with the next octets; tells how many of them it took. */
static size_t
take_split(struct regex_scan *scan, const char *s, size_t len)
{
	char joined[2 * CHARACTER_MAX];
	size_t had = scan->split_len, more = len < CHARACTER_MAX ? len : CHARACTER_MAX, taken;

	memcpy(joined, scan->split, had);
	memcpy(joined + had, s, more);
	taken = take(scan, joined, had + more, false);
	if (taken >= had || scan->is_settled) {
		scan->split_len = 0;
		return taken >= had ? taken - had : more;
	}
	scan->split_len = had + more - taken;
	memcpy(scan->split, joined + taken, scan->split_len);
	return more;
}

bool
regex_scan_add(struct regex_scan *scan, const char *s, size_t len)
{
	size_t taken;

	if (scan == NULL || scan->is_settled)
		return true;
	if (len == 0)
		return false;
	taken = scan->split_len > 0 ? take_split(scan, s, len) : 0;
	if (taken < len)
		taken += take(scan, s + taken, len - taken, false);
	if (scan->is_settled)
		return true;
	if (taken < len) {
		scan->split_len = len - taken;
		memcpy(scan->split, s + taken, scan->split_len);
	}
	return false;
}

enum found
regex_scan_end(struct regex_scan *scan)
{
	if (scan == NULL)
		return FOUND_UNKNOWN;
	if (!scan->is_settled && scan->split_len > 0)
		(void)take(scan, scan->split, scan->split_len, true);
	if (!scan->is_settled)
		look(scan, true);
	return scan->answer;
}
