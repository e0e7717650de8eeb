/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See trace.h.
 */
#include "policy/trace.h"

#include <string.h>

#include "base/printable.h"

void
trace_start(struct trace *t, struct arena *a)
{
	*t = (struct trace){.arena = a};
}

void
trace_add(struct trace *t, const char *stage, const char *question,
	  enum answer answer, const char *format, ...)
{
	struct trace_step *s = arena_alloc(t->arena, sizeof *s);
	va_list args;

	if (s == NULL)
		return;
	s->stage = stage;
	s->question = question;
	s->answer = answer;
	va_start(args, format);
	s->detail = printable(t->arena, arena_vprintf(t->arena, format, args));
	va_end(args);
	if (t->last == NULL)
		t->first = s;
	else
		t->last->next = s;
	t->last = s;
}

const char *
answer_name(enum answer a)
{
	static const char *const names[] = {"yes", "no", "unknown", "-"};

	return names[a];
}

void
trace_write(const struct trace *t, struct text *out)
{
	for (const struct trace_step *s = t->first; s != NULL; s = s->next) {
		text_add(out, s->stage);
		text_add_char(out, ' ');
		text_add(out, s->question);
		text_add_char(out, ' ');
		text_add(out, answer_name(s->answer));
		if (s->detail[0] != '\0') {
			text_add_char(out, ' ');
			text_add(out, s->detail);
		}
		text_add_char(out, '\n');
	}
}
