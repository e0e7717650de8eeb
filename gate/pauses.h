/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is paused upstream now, for all sessions of a process: the facts that were read
 * last, and which messages try whether mail goes again (policy/pause.h). Any thread.
 */
#ifndef POSTERN_GATE_PAUSES_H
#define POSTERN_GATE_PAUSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "policy/pause.h"
#include "sql/store.h"

struct pauses;

/* NULL when memory is short. */
struct pauses *pauses_new(void);
void pauses_free(struct pauses **p);

/* The facts to be read next, of this relay. begin, add for each (a row of another relay is left out), and end
 * puts them in force; a read that failed halfway is given up by the next begin. `changed` is called, if it is
 * not NULL, for each pause that has opened or closed since. add: 0, or -1 when memory is short. */
void pauses_begin(struct pauses *p, const char *relay);
int pauses_add(void *pauses, const struct store_upstream *u);
void pauses_end(struct pauses *p, int64_t now, void (*changed)(const struct store_upstream *u, bool is_open, int64_t until));

/* Which mail. */
struct pauses_mail {
	const char *tenant, *sender;
	bool is_external;
	const struct id *id;      /* of the message; NULL: only to look */
};

/* Why it is to wait. */
struct pauses_answer {
	char keyword[40], reply[300];
	int64_t since, until;     /* until when it holds at least, which may be past */
	bool external_only;
	bool is_try;              /* it need not: it is the one that tries */
};

/* Whether mail is to wait, with *a_r. When it need not because it is the one that tries, pauses_done()
 * must say what became of the message. */
bool pauses_hold(struct pauses *p, const struct pauses_mail *m, int64_t now, struct pauses_answer *a_r);
/* Whether held mail of a tenant stays where it is: while any of the tenant's mail waits. When the time has come for a
 * try, the one that asks is it, and on its way. */
bool pauses_keep(struct pauses *p, const char *tenant, int64_t now);
/* A message that tries has ended; `went`: towards the next hop. */
void pauses_done(struct pauses *p, const struct id *id, int64_t now, bool went);

#endif
