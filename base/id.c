/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See id.h; the layout is that of the ULID specification: 48 bits of time in
 * milliseconds, 80 random bits, most significant first.
 */
#include "base/id.h"

#include <string.h>

#include "base/text.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct id
id_make(int64_t wall_ms, const uint8_t random[ID_RANDOM_OCTETS])
{
	struct id id;
	uint64_t t = wall_ms < 0 ? 0 : (uint64_t)wall_ms & 0xffffffffffffu;

	for (int i = 9; i >= 0; i--, t >>= 5)
		id.s[i] = digits[t & 31];
	for (int half = 0; half < 2; half++) {
		uint64_t bits = 0;

		for (int i = 0; i < 5; i++)
			bits = bits << 8 | random[half * 5 + i];
		for (int i = 7; i >= 0; i--, bits >>= 5)
			id.s[10 + half * 8 + i] = digits[bits & 31];
	}
	id.s[ID_LENGTH] = '\0';
	return id;
}

static int
digit_value(char c)
{
	const char *p;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	p = c == '\0' ? NULL : strchr(digits, c);
	return p == NULL ? -1 : (int)(p - digits);
}

int
id_is_valid(const char *s)
{
	for (int i = 0; i < ID_LENGTH; i++)
		if (digit_value(s[i]) < 0)
			return 0;
	return s[ID_LENGTH] == '\0' && digit_value(s[0]) < 8;
}

int64_t
id_time(const char *s)
{
	int64_t t = 0;

	if (!id_is_valid(s))
		return -1;
	for (int i = 0; i < 10; i++)
		t = t << 5 | digit_value(s[i]);
	return t;
}
