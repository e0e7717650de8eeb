/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See db-postgres.h: statements and text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "sql/db-postgres.h"

#define MAX_PARAMETERS 65535

static bool
is_name_char(char c)
{
	return text_is_alpha(c) || text_is_digit(c) || c == '_' || (c & 0x80) != 0;
}

/* Behind a literal or quoted name; a quote within is doubled, which reads as two. */
static const char *
skip_quoted(const char *s, bool has_backslashes)
{
	char quote = *s++;

	for (; *s != '\0'; s++) {
		if (has_backslashes && *s == '\\' && s[1] != '\0')
			s++;
		else if (*s == quote)
			return s + 1;
	}
	return s;
}

/* Comments of this kind nest. */
static const char *
skip_comment(const char *s)
{
	int depth = 0;

	for (; *s != '\0'; s++) {
		if (s[0] == '/' && s[1] == '*') {
			depth++;
			s++;
		} else if (s[0] == '*' && s[1] == '/') {
			s++;
			if (--depth == 0)
				return s + 1;
		}
	}
	return s;
}

/* Behind $TAG$...$TAG$; s itself where none begins here. */
static const char *
skip_dollars(const char *s)
{
	size_t len = 1;
	const char *end;

	while (is_name_char(s[len]))
		len++;
	if (s[len] != '$' || text_is_digit(s[1]))
		return s;
	len++;
	for (end = s + len; *end != '\0'; end++)
		if (strncmp(end, s, len) == 0)
			return end + len;
	return end;
}

/* Behind what begins at s and cannot hold a placeholder; s itself where none such begins. */
static const char *
skip_opaque(const char *sql, const char *s)
{
	bool is_word_before = s > sql && is_name_char(s[-1]);
	bool is_e = is_word_before && text_lower_char(s[-1]) == 'e' && (s - 1 == sql || !is_name_char(s[-2]));

	if (*s == '\'' || *s == '"')
		return skip_quoted(s, *s == '\'' && is_e);
	if (s[0] == '-' && s[1] == '-')
		return s + strcspn(s, "\n");
	if (s[0] == '/' && s[1] == '*')
		return skip_comment(s);
	if (*s == '$' && !is_word_before)
		return skip_dollars(s);
	return s;
}

char *
postgres_statement(const char *sql, int *n_r)
{
	struct text t = {0};
	int n = 0;

	for (const char *s = sql; *s != '\0';) {
		const char *end = skip_opaque(sql, s);
		int number = n + 1;

		if (end > s) {
			text_add_octets(&t, s, (size_t)(end - s));
			s = end;
		} else if (*s == '?') {
			s++;
			if (text_is_digit(*s))
				for (number = 0; text_is_digit(*s) && number < MAX_PARAMETERS; s++)
					number = number * 10 + (*s - '0');
			text_printf(&t, "$%d", number);
			n = number > n ? number : n;
		} else {
			text_add_char(&t, *s++);
		}
	}
	*n_r = n;
	text_add_char(&t, '\0');
	if (!t.failed && n <= MAX_PARAMETERS)
		return t.s;
	text_free(&t);
	return NULL;
}

bool
postgres_begins_with(const char *sql, const char *word)
{
	sql += strspn(sql, " \t\r\n");
	return text_has_prefix(sql, word) && !is_name_char(sql[strlen(word)]);
}

char *
postgres_text(const char *s)
{
	struct text t = {0};
	size_t len = strlen(s);

	while (len > 0) {
		size_t used;

		if (text_utf8_next(s, len, &used) < 0)
			text_add(&t, "\xef\xbf\xbd");
		else
			text_add_octets(&t, s, used);
		s += used;
		len -= used;
	}
	text_add_char(&t, '\0');
	if (!t.failed)
		return t.s;
	text_free(&t);
	return NULL;
}

static bool
is_state(const char *s)
{
	size_t n = 0;

	while (n < POSTGRES_STATE_SIZE - 1 && (text_is_digit(s[n]) || (s[n] >= 'A' && s[n] <= 'Z')))
		n++;
	return n == POSTGRES_STATE_SIZE - 1 && s[n] == ':';
}

/* "FATAL:  28P01: password authentication failed" */
bool
postgres_state_in(const char *message, char state_r[POSTGRES_STATE_SIZE])
{
	for (const char *s = message; (s = strstr(s, ":  ")) != NULL; s++) {
		if (!is_state(s + 3))
			continue;
		memcpy(state_r, s + 3, POSTGRES_STATE_SIZE - 1);
		state_r[POSTGRES_STATE_SIZE - 1] = '\0';
		return true;
	}
	return false;
}

void
postgres_line(const char *message, char *line_r, size_t size)
{
	size_t used = 0;

	if (size == 0)
		return;
	while (*message != '\0') {
		size_t len = strcspn(message, "\n");

		if (len > 0 && strncmp(message, "LOCATION:", strlen("LOCATION:")) != 0) {
			if (used > 0 && used + 2 < size) {
				line_r[used++] = ';';
				line_r[used++] = ' ';
			}
			for (size_t i = 0; i < len && used + 1 < size; i++)
				line_r[used++] = (unsigned char)message[i] < 0x20 || message[i] == 0x7f ? ' ' : message[i];
		}
		message += len + (message[len] == '\n');
	}
	while (used > 0 && used + 1 == size && !text_is_utf8(line_r, used)) /* cut within a character */
		used--;
	line_r[used] = '\0';
}
