/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See saved.h.
 */
#include "admin/saved.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX (150u << 20)

/* The octets of f with CRLF line ends. */
static void
read_lines(FILE *f, struct text *t)
{
	int c, last = 0;

	while (t->len <= MESSAGE_MAX && (c = getc(f)) != EOF) {
		if (c == '\n' && last != '\r')
			text_add_char(t, '\r');
		text_add_char(t, (char)c);
		last = c;
	}
}

int
saved_read(const char *path, struct text *t, const char **error_r)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	const char *why = NULL;

	if (f != NULL)
		read_lines(f, t);
	if (f == NULL || ferror(f))
		why = strerror(errno);
	else if (t->failed)
		why = "memory is short";
	else if (t->len > MESSAGE_MAX)
		why = "the message is larger than 150M, the most that Exchange Online takes";
	if (f != NULL && f != stdin)
		fclose(f);
	*error_r = why;
	return why == NULL ? 0 : -1;
}

/* Where a field name ends: its colon; NULL when the line is no field. */
static const char *
field_colon(const char *line, const char *end)
{
	const char *p = line;

	while (p < end && *p > ' ' && *p != ':' && *p < 0x7f)
		p++;
	if (p == line)
		return NULL;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p < end && *p == ':' ? p : NULL;
}

static const char *
next_line(const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));

	return nl == NULL ? end : nl + 1;
}

/* Hands one field over: its lines joined by "\n" without CR. */
static void
give_field(struct session *s, const char *line, const char *colon, const char *end)
{
	struct text name = {0}, value = {0};
	size_t n = 0;

	while (line + n < colon && line[n] != ' ' && line[n] != '\t')
		n++;
	text_add_octets(&name, line, n);
	for (const char *p = colon + 1; p < end; p++)
		if (*p != '\r' || p + 1 == end || p[1] != '\n')
			text_add_char(&value, *p);
	if (value.len > 0 && value.s[value.len - 1] == '\n')
		value.s[--value.len] = '\0';
	if (!name.failed && !value.failed)
		session_header(s, text_string(&name), text_string(&value));
	text_free(&name);
	text_free(&value);
}

/* The header ends at the empty line, or before a line that is no field. */
static const char *
give_header(struct session *s, const char *p, const char *end)
{
	while (p < end) {
		const char *stop = next_line(p, end), *colon = field_colon(p, stop);

		if (p[0] == '\r' && p + 1 < end && p[1] == '\n')
			return stop;
		if (colon == NULL)
			return p;
		while (stop < end && (*stop == ' ' || *stop == '\t'))
			stop = next_line(stop, end);
		give_field(s, p, colon, stop);
		p = stop;
	}
	return end;
}

bool
saved_give(struct session *s, const struct text *t)
{
	const char *start = text_string(t), *end = start + t->len, *body = give_header(s, start, end);
	const struct edit *edits;

	session_eoh(s);
	if (body < end)
		session_body(s, body, (size_t)(end - body));
	return session_eom(s, NULL, &edits)->action != ACTION_REFUSE || message_is_refused(session_message(s));
}
