/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See mail.h.
 */
#include "admin/mail.h"

#include <string.h>
#include <time.h>

/* RFC 2047: octets of UTF-8 in one encoded word, which may have 75 characters. */
#define WORD_OCTETS 39u
#define WRAP 76u

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((uint8_t)*s < 0x20 || (uint8_t)*s > 0x7e)
			return false;
	return true;
}

static void
add_base64(struct text *t, const uint8_t *p, size_t n)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		text_add_char(t, set[v >> 18]);
		text_add_char(t, set[v >> 12 & 63]);
		text_add_char(t, i + 1 < n ? set[v >> 6 & 63] : '=');
		text_add_char(t, i + 2 < n ? set[v & 63] : '=');
	}
}

/* Octets of s that go into one encoded word: whole characters. */
static size_t
word_length(const char *s)
{
	size_t n = 0, used;

	while (s[n] != '\0') {
		(void)text_utf8_next(s + n, strlen(s + n), &used);
		if (n + used > WORD_OCTETS)
			break;
		n += used;
	}
	return n;
}

void
mail_add_subject(struct text *t, const char *s)
{
	size_t column = strlen("Subject:"), n;

	text_add(t, "Subject:");
	if (!is_ascii(s) || strstr(s, "=?") != NULL) {
		for (bool first = true; *s != '\0'; s += n, first = false) {
			n = word_length(s);
			text_add(t, first ? " =?UTF-8?B?" : "\n =?UTF-8?B?");
			add_base64(t, (const uint8_t *)s, n);
			text_add(t, "?=");
		}
		text_add(t, "\n");
		return;
	}
	for (; *s != '\0'; s += n) {
		s += *s == ' ';
		n = strcspn(s, " ");
		if (column + 1 + n > WRAP && column > strlen("Subject:")) {
			text_add(t, "\n");
			column = 0;
		}
		text_add_char(t, ' ');
		text_add_octets(t, s, n);
		column += 1 + n;
	}
	text_add(t, "\n");
}

void
mail_add_date(struct text *t, int64_t ms)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) != NULL)
		text_printf(t, "Date: %s, %d %s %d %02d:%02d:%02d +0000\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
			    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* FNV-1a. */
uint32_t
mail_hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

void
mail_add_quoted(struct text *t, const char *s)
{
	size_t column = 0;

	for (; *s != '\0'; s++) {
		bool is_last = s[1] == '\n' || s[1] == '\0';
		bool is_safe = (*s > ' ' && *s <= '~' && *s != '=' && !(*s == '.' && column == 0)) || (*s == ' ' && !is_last);

		if (*s == '\n') {
			text_add(t, "\n");
			column = 0;
			continue;
		}
		if (column + 3 > WRAP - 1) {
			text_add(t, "=\n");
			column = 0;
		}
		if (is_safe)
			text_add_char(t, *s);
		else
			text_printf(t, "=%02X", (uint8_t)*s);
		column += is_safe ? 1 : 3;
	}
}
