/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See terminal.h.
 */
#include "admin/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/printable.h"
#include "base/text.h"

/* Of terminal_wrapped(). */
#define WIDTH 96

void
terminal_print(const char *format, ...)
{
	struct text raw = {0}, safe = {0};
	va_list ap;

	va_start(ap, format);
	text_vprintf(&raw, format, ap);
	va_end(ap);
	printable_add_lines(&safe, text_string(&raw), raw.len);
	fputs(raw.failed || safe.failed ? "(memory is short)\n" : text_string(&safe), stdout);
	text_free(&raw);
	text_free(&safe);
}

void
terminal_fact(const char *name, const char *value)
{
	struct text t = {0};

	printable_add_line(&t, value, strlen(value));
	printf("%-10s %s\n", name, t.failed ? "(memory is short)" : text_string(&t));
	text_free(&t);
}

void
terminal_safe(struct text *t, const char *s)
{
	printable_add_line(t, s, strlen(s));
}

/* One for each code point: wide and combining ones are not known here. */
int
terminal_columns(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int
terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col < 40 ? 40 : size.ws_col;
	if (columns != NULL && atoi(columns) >= 40)
		return atoi(columns) > 1000 ? 1000 : atoi(columns);
	return isatty(1) ? 80 : 120;
}

bool
terminal_is_colored(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(1) && (no_color == NULL || no_color[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

int
terminal_lines(void)
{
	struct winsize size;

	if (!isatty(1))
		return 0;
	return ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

void
terminal_wrapped(const char *name, const char *text)
{
	size_t room = WIDTH - 16;

	printf("    %-11s ", name);
	while (strlen(text) > room) {
		size_t len = room;

		while (len > 0 && text[len] != ' ')
			len--;
		if (len == 0)
			break;
		printf("%.*s\n%16s", (int)len, text, "");
		text += len + 1;
	}
	puts(text);
}
