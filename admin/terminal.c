/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See terminal.h.
 */
#include "admin/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "base/text.h"

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
