/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The time at the begin of a line: "Nov 24 12:58:01 ", in the local time zone and
 * without a year, or "2026-11-24T12:58:01.123456+01:00 ".
 */
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "maillog/internal.h"

#define DAY_MS INT64_C(86400000)

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* n digits: the number, or -1. */
static int
digits(const char *s, int n)
{
	int r = 0;

	for (int i = 0; i < n; i++) {
		if (!text_is_digit(s[i]))
			return -1;
		r = 10 * r + (s[i] - '0');
	}
	return r;
}

/* "12:58:01": seconds of the day, or -1. */
static int
clock_seconds(const char *s)
{
	int h = digits(s, 2), m, sec;

	if (h < 0 || h > 23 || s[2] != ':' || (m = digits(s + 3, 2)) < 0 || m > 59 || s[5] != ':' ||
	    (sec = digits(s + 6, 2)) < 0 || sec > 60)
		return -1;
	return h * 3600 + m * 60 + sec;
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool
is_day(int year, int month, int day)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month >= 0 && month < 12 && day >= 1 && day <= lengths[month] + (month == 1 && is_leap(year));
}

/* Days from 1970-01-01 to the first of the year. */
static int64_t
days_before(int year)
{
	int64_t y = year - 1;

	return 365 * (y - 1969) + (y / 4 - 1969 / 4) - (y / 100 - 1969 / 100) + (y / 400 - 1969 / 400);
}

static int64_t
utc_ms(int year, int month, int day, int seconds)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t days = days_before(year) + before[month] + (month > 1 && is_leap(year)) + day - 1;

	return (days * 86400 + seconds) * 1000;
}

/* "+01:00", "-0330", "Z": seconds, how long in *len_r; 0 there for none. */
static int
zone(const char *s, size_t *len_r)
{
	int h, m;

	*len_r = 1;
	if (s[0] == 'Z')
		return 0;
	*len_r = 0;
	if ((s[0] != '+' && s[0] != '-') || (h = digits(s + 1, 2)) < 0 || h > 14)
		return 0;
	m = digits(s + 3 + (s[3] == ':'), 2);
	if (m < 0 || m > 59)
		return 0;
	*len_r = s[3] == ':' ? 6 : 5;
	return (s[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
}

static int64_t
read_iso(char **line)
{
	const char *s = *line;
	int year = digits(s, 4), month, day, seconds, ms = 0, offset;
	size_t len;

	if (year < 1970 || s[4] != '-' || (month = digits(s + 5, 2)) < 1 || s[7] != '-' || (day = digits(s + 8, 2)) < 1 ||
	    (s[10] != 'T' && s[10] != ' ') || !is_day(year, month - 1, day) || (seconds = clock_seconds(s + 11)) < 0)
		return -1;
	s += 19;
	if (*s == '.' || *s == ',') {
		s++;
		for (int unit = 100; text_is_digit(*s); s++, unit /= 10)
			ms += unit * (*s - '0');
	}
	offset = zone(s, &len);
	if (len == 0 || s[len] != ' ')
		return -1;
	*line += s + len + 1 - *line;
	return utc_ms(year, month - 1, day, seconds) + ms - (int64_t)offset * 1000;
}

/* The begin of a minute of local time, of the last year in which that is not in the future; -1
 * when it is in none. */
static int64_t
local_minute(int64_t now_ms, int month, int day, int minutes)
{
	time_t now = (time_t)((now_ms + DAY_MS) / 1000);
	struct tm tm, this;

	if (localtime_r(&now, &this) == NULL)
		return -1;
	for (int back = 0; back <= 8; back++) { /* there may be no 29 February for so long */
		time_t t;

		if (!is_day(1900 + this.tm_year - back, month, day))
			continue;
		tm = (struct tm){.tm_year = this.tm_year - back, .tm_mon = month, .tm_mday = day, .tm_hour = minutes / 60,
				 .tm_min = minutes % 60, .tm_isdst = -1};
		t = mktime(&tm);
		if (t != (time_t)-1 && (int64_t)t * 1000 <= now_ms + DAY_MS)
			return (int64_t)t * 1000;
	}
	return -1;
}

static int
month_of(const char *s)
{
	for (int i = 0; i < 12; i++)
		if (strncmp(s, months + 3 * i, 3) == 0)
			return i;
	return -1;
}

static int64_t
read_traditional(char **line, struct maillog_clock *c)
{
	const char *s = *line;
	int month = month_of(s), day, seconds;

	if (month < 0 || strlen(s) < 16 || s[3] != ' ' || s[6] != ' ' || s[15] != ' ' || (seconds = clock_seconds(s + 7)) < 0)
		return -1;
	day = s[4] == ' ' ? digits(s + 5, 1) : digits(s + 4, 2);
	if (memcmp(c->minute, s, 12) != 0) {
		c->minute_ms = day < 1 ? -1 : local_minute(c->now_ms, month, day, seconds / 60);
		memcpy(c->minute, s, 12);
	}
	if (c->minute_ms < 0)
		return -1;
	*line += 16;
	return c->minute_ms + (int64_t)(seconds % 60) * 1000;
}

int64_t
read_stamp(char **s, struct maillog_clock *c)
{
	return text_is_digit(**s) ? read_iso(s) : read_traditional(s, c);
}
