/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of postern notify: notify.c the command, notify_state.c what was told
 * already, notify_run.c a program under a time limit, notify_text.c what is said.
 */
#ifndef POSTERN_ADMIN_NOTIFY_H
#define POSTERN_ADMIN_NOTIFY_H

#include "admin/limits.h"
#include "base/text.h"
#include "policy/policy.h"
#include "sql/store.h"

/* ---- what was told */

/* Parts of one event. */
enum { NOTIFY_COMMAND = 1, NOTIFY_TO_OWNER = 2, NOTIFY_TO_ADMIN = 4 };

/* A small file that says which event was told last, and of the next one which parts. One
 * process has it at a time. */
struct notify_state {
	int fd;
	int64_t number, time;     /* the last event that was told wholly, and its time */
	int parts;                /* of the one after it */
};

/* Opens or makes the file and takes it for this process. 0, or -1 with a text. */
int notify_state_open(struct notify_state *s, const char *path, char *error_r, size_t error_size);
/* Writes it as it is, to the disk. 0, or -1 (errno). */
int notify_state_write(const struct notify_state *s);
/* Only reads; a file that is not there is of nothing told. */
int notify_state_read(struct notify_state *s, const char *path, char *error_r, size_t error_size);
void notify_state_close(struct notify_state *s);

/* ---- programs */

/* Runs argv[0] (at most ten words, NULL behind them) with `input` on its standard input, no shell, nothing else of ours open, for at
 * most `seconds`; then it and what it started is killed. 0 when it ends with status 0; -1
 * with what happened, and what it said, in text. */
int notify_run(const char *const argv[], const char *input, size_t size, int seconds, struct text *said);

/* ---- texts */

struct notify_event {
	const struct policy *policy;
	const struct store_event *e;
	const struct limits_row *row; /* as the limit is now; NULL: not known, or not in the policy any more */
	const struct app *app;    /* whose message it was; NULL: not in the policy any more */
	int64_t now;
};

/* One line: "crm/messages-per-minute reached: 30 of 30 used". In the arena. */
const char *notify_line(const struct notify_event *n, struct arena *a);
/* The object that the command gets. 0, or -1 when memory is short. */
int notify_json(const struct notify_event *n, struct arena *a, struct text *t);
/* A message to this address. */
void notify_mail(const struct notify_event *n, const char *to, struct arena *a, struct text *t);

#endif
