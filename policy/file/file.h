/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern.yaml(5) read into a policy, and what was wrong with it. Not thread
 * safe for one list of problems; otherwise any thread may load.
 */
#ifndef POSTERN_POLICY_FILE_FILE_H
#define POSTERN_POLICY_FILE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"
#include "policy/policy.h"

/* Something found in a file. Line and column begin with 1; 0 when the file as
 * a whole is meant. */
struct problem {
	bool is_error;
	const char *file;
	unsigned line, column;
	const char *text;
};

struct problems;

/* An empty list. NULL when memory is short. */
struct problems *problems_new(void);
void problems_free(struct problems **p);

/* Adds one. A list holds at most 1000; what comes after is counted only. The
 * strings are copied. */
void problems_add(struct problems *p, bool is_error, const char *file, unsigned line,
		  unsigned column, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* NULL is an empty list. */
size_t problems_count(const struct problems *p);
size_t problems_errors(const struct problems *p);
const struct problem *problems_at(const struct problems *p, size_t i);

/* In the order of the files as they were first named, then line and column. */
void problems_sort(struct problems *p);

/* Adds "FILE:LINE:COLUMN: error: text" without a line end. What is not
 * printable is shown as \xHH. */
void problem_write(const struct problem *p, struct text *t);

/* All of them, one a line. */
void problems_print(const struct problems *p, FILE *f);

/* Reads `file` and what it includes. NULL if there was any error; warnings do
 * not prevent it. *problems_r gets all problems of the run, sorted; it is NULL
 * only when memory was short, and is the caller's to free. */
struct policy *policy_load(const char *file, struct problems **problems_r);

/* Adds the JSON Schema (draft 2020-12) of the policy file. 0, or -1 when
 * memory was short. */
int schema_json(struct text *t);

#endif
