/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The trace: what was asked of a message and answered, in order. Pure.
 */
#ifndef POSTERN_POLICY_TRACE_H
#define POSTERN_POLICY_TRACE_H

#include "base/arena.h"
#include "base/text.h"

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_UNKNOWN, ANSWER_NOTE };

struct trace_step {
	const char *stage;      /* "mail", "rcpt", "header", "body", "end" */
	const char *question;   /* static: "app", "sender-accepted" */
	enum answer answer;
	const char *detail;     /* printable ASCII */
	struct trace_step *next;
};

struct trace {
	struct arena *arena;
	struct trace_step *first, *last;
};

void trace_start(struct trace *t, struct arena *a);

/* Adds a step; the detail is formatted and made printable. */
void trace_add(struct trace *t, const char *stage, const char *question,
	       enum answer answer, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* "yes", "no", "unknown", "-". */
const char *answer_name(enum answer a);

/* The steps, one a line: "STAGE QUESTION ANSWER DETAIL". */
void trace_write(const struct trace *t, struct text *out);

#endif
