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

#define DAY_MS INT64_C(86400000)

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

/* "7d", "2 weeks": so many milliseconds. */
static int
parse_span(const char *s, int64_t *r)
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

	if (n == 0 || n >= sizeof number)
		return -1;
	memcpy(number, s, n);
	s += n + strspn(s + n, " ");
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (!text_same(units[i].name, s) || text_to_u64(number, &value) != 0 || value > 10000000)
			continue;
		*r = (int64_t)value * units[i].seconds * 1000;
		return 0;
	}
	return -1;
}

int
when_parse(const char *s, int64_t now_ms, int64_t *r)
{
	int64_t span;

	if (strcmp(s, "today") == 0 || strcmp(s, "yesterday") == 0) {
		*r = now_ms - now_ms % DAY_MS - (s[0] == 'y' ? DAY_MS : 0);
		return 0;
	}
	if (strspn(s, "0123456789") == 4 && s[4] == '-')
		return parse_date(s, r);
	if (parse_span(s, &span) != 0)
		return -1;
	*r = now_ms - span;
	return 0;
}

/* The time of the day, by the clock on the wall, that comes next. */
static int
parse_clock(const char *s, int64_t now_ms, int64_t *r)
{
	time_t now = (time_t)(now_ms / 1000), then;
	struct tm t, at = {0};
	const char *end = strptime(s, "%H:%M", &at);

	if (end == NULL || *end != '\0' || localtime_r(&now, &t) == NULL)
		return -1;
	t.tm_hour = at.tm_hour;
	t.tm_min = at.tm_min;
	t.tm_sec = 0;
	for (int day = 0; day < 2; day++) {
		struct tm try = t;

		try.tm_mday += day;
		try.tm_isdst = -1;
		then = mktime(&try);
		if (then == (time_t)-1)
			return -1;
		*r = (int64_t)then * 1000;
		if (*r > now_ms)
			return 0;
	}
	return 0;
}

static int
parse_local(const char *s, int64_t *r)
{
	struct tm t = {.tm_isdst = -1};
	const char *end = strptime(s, "%Y-%m-%dT%H:%M", &t);
	time_t then;

	if (end == NULL)
		end = strptime(s, "%Y-%m-%d %H:%M", &t);
	if (end == NULL || *end != '\0' || (then = mktime(&t)) == (time_t)-1)
		return -1;
	*r = (int64_t)then * 1000;
	return 0;
}

int
when_parse_end(const char *s, int64_t now_ms, int64_t *r)
{
	int64_t span;

	if (s[0] == '+') {
		if (parse_span(s + 1, &span) != 0)
			return -1;
		*r = now_ms + span;
		return 0;
	}
	if (strspn(s, "0123456789") == 4 && s[4] == '-')
		return strlen(s) == strlen("2026-11-17T15:40") ? parse_local(s, r) : parse_date(s, r);
	return parse_clock(s, now_ms, r);
}

/* Days since some day, here. */
static long
day_of(const struct tm *t)
{
	return t->tm_year * 366L + t->tm_yday;
}

const char *
when_clock(int64_t ms, int64_t now_ms, char buf[WHEN_SIZE])
{
	time_t then = (time_t)(ms / 1000), today = (time_t)(now_ms / 1000), tomorrow = today + 86400;
	struct tm t, d, m;
	size_t n;

	if (localtime_r(&then, &t) == NULL || localtime_r(&today, &d) == NULL || localtime_r(&tomorrow, &m) == NULL)
		return "?";
	if (day_of(&t) == day_of(&d))
		n = strftime(buf, WHEN_SIZE, "%H:%M", &t);
	else if (day_of(&t) == day_of(&m))
		n = strftime(buf, WHEN_SIZE, "tomorrow %H:%M", &t);
	else
		n = strftime(buf, WHEN_SIZE, "%b %e %H:%M", &t);
	return n == 0 ? "?" : buf;
}

const char *
when_span(int64_t ms, char buf[WHEN_SIZE])
{
	int64_t s = ms <= 0 ? 0 : (ms + 999) / 1000;

	if (s < 100)
		snprintf(buf, WHEN_SIZE, "%llds", (long long)s);
	else if (s < 6000)
		snprintf(buf, WHEN_SIZE, "%lldm", (long long)(s + 30) / 60);
	else if (s < 172800)
		snprintf(buf, WHEN_SIZE, "%lldh", (long long)(s + 1800) / 3600);
	else
		snprintf(buf, WHEN_SIZE, "%lldd", (long long)(s + 43200) / 86400);
	return buf;
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
