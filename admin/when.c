/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See when.h.
 */
#include "config.h"

#include "admin/when.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

static int
parse_date(const char *s, int64_t *r)
{
	struct tm t = {0};
	const char *end = strptime(s, "%Y-%m-%d", &t);
	time_t seconds;

	if (end != NULL && *end != '\0')
		end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &t);
	if (end == NULL || *end != '\0' || (seconds = timegm(&t)) < 0)
		return -1;
	*r = (int64_t)seconds * 1000;
	return 0;
}

int
when_parse(const char *s, int64_t now_ms, int64_t *r)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {
		{"s", 1}, {"second", 1}, {"seconds", 1}, {"m", 60}, {"minute", 60}, {"minutes", 60},
		{"h", 3600}, {"hour", 3600}, {"hours", 3600}, {"d", 86400}, {"day", 86400}, {"days", 86400},
		{"w", 604800}, {"week", 604800}, {"weeks", 604800},
	};
	char number[12] = "";
	size_t n = strspn(s, "0123456789");
	uint64_t value;

	if (n == 4 && s[4] == '-')
		return parse_date(s, r);
	if (n == 0 || n >= sizeof number)
		return -1;
	memcpy(number, s, n);
	s += n + strspn(s + n, " ");
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (!text_same(units[i].name, s) || text_to_u64(number, &value) != 0 || value > 10000000)
			continue;
		*r = now_ms - (int64_t)value * units[i].seconds * 1000;
		return 0;
	}
	return -1;
}

const char *
when_format(int64_t ms, char buf[WHEN_SIZE])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm t;

	if (gmtime_r(&seconds, &t) == NULL || strftime(buf, WHEN_SIZE, "%Y-%m-%dT%H:%M:%SZ", &t) == 0)
		snprintf(buf, WHEN_SIZE, "?");
	return buf;
}
