/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of postern summary: summary.c the command, summary_read.c what the store
 * knows of a week or a day, summary_text.c and summary_html.c how it is told, summary_mail.c
 * the message, summary_state.c what was sent already.
 */
#ifndef POSTERN_ADMIN_SUMMARY_H
#define POSTERN_ADMIN_SUMMARY_H

#include "admin/drift.h"
#include "admin/m365.h"
#include "base/arena.h"
#include "base/text.h"
#include "policy/policy.h"
#include "sql/store.h"

/* ---- facts: of all apps */

struct summary_app {
	const char *name;         /* "" for what was no app's */
	struct store_traffic now; /* without its words */
	uint64_t before;          /* messages of the range before */
	bool is_before_known;
	uint64_t waiting, kept;   /* messages that the MTA holds now: for a limit, and until somebody lets them go */
	uint64_t sent, unsent;    /* recipients whose delivery was done, or was not so far */
	const char *first_id;     /* of its first message in the range; "" not known */
	struct drift_app series;
};

struct summary_cause {
	const char *app, *reason, *verdict;
	uint64_t messages;
};

/* What a next hop answered to recipients that did not get the mail, or not yet. */
struct summary_answer {
	const char *app, *status;
	struct m365_meaning meaning;
	bool is_foreign;          /* it was said by a server that is neither the tenant's next hop nor Exchange Online's */
	const char *reply;        /* one of them */
	uint64_t recipients;
};

/* A counter of a limit that came near or was reached. */
struct summary_limit {
	const char *app;          /* "" where it is not one app's */
	const char *name, *key;
	uint64_t near, reached;   /* how often */
	uint64_t used, count;     /* at the last time */
	enum unit unit;
	int64_t last;
};

struct summary_facts {
	struct arena *arena;
	struct drift_ranges ranges;
	int64_t since, until;     /* of range 0 */
	struct summary_app *apps; /* by name */
	size_t n_apps;
	struct summary_cause *causes; /* most messages first */
	size_t n_causes;
	struct summary_answer *answers; /* most recipients first */
	size_t n_answers;
	struct summary_limit *limits; /* those reached first */
	size_t n_limits;
	struct drift *drifts;     /* app by app */
	size_t n_drifts;
	bool is_followed;         /* what became of the mail is known at all */
	bool is_short;            /* too little is kept to tell what is new or unusual */
	bool is_young;            /* likewise because the audit began so lately */
	uint64_t left_out;        /* causes, answers, limits and drifts for which there was no room */
};

/* The range of time that ended last: the day, or the seven days, before a midnight of this time zone that is
 * at least `minute` minutes ago; the week's is that of its weekday. */
void summary_ranges(bool is_daily, const struct summary_wish *w, int minute, int64_t now, struct drift_ranges *r);

/* Reads it all. NULL with a static text. */
struct summary_facts *summary_read(struct store_reader *r, const struct policy *p, const struct drift_ranges *ranges,
				   int64_t now, const char **error_r);
void summary_free(struct summary_facts **f);

/* ---- one summary: what one address is told */

struct summary {
	const struct summary_facts *facts;
	const struct policy *policy;
	const char *to;
	bool is_admin;            /* of all apps; else of those with this owner */
	int64_t not_since;        /* none was sent since then, though some were due; 0 for none */
	const struct app **apps;  /* the owner's; by summary_choose() */
	size_t n_apps;
};

/* Finds the owner's apps; facts, policy and `to` must stand. */
void summary_choose(struct summary *s, struct arena *a);
/* Whether this app is its business. */
bool summary_has(const struct summary *s, const char *app);
/* Whether there is anything to tell. */
bool summary_is_empty(const struct summary *s);
/* All of it. */
struct store_traffic summary_total(const struct summary *s);
size_t summary_drifts(const struct summary *s);

/* "Weekly summary, 16 to 22 Nov: 4120 messages, ..."; and the range in words. In the arena. */
const char *summary_title(const struct summary *s, struct arena *a);
const char *summary_range(const struct summary *s, struct arena *a);
/* What an app is called; how its mail compares with that before: "+12%". */
const char *summary_app_name(const char *app);
#define SUMMARY_WORD 24
const char *summary_change(const struct summary *s, const struct summary_app *a, char buf[SUMMARY_WORD]);
/* What its owner can do about it; "" for nothing. */
const char *summary_advice(const struct summary_cause *c);
/* "reached twice", "near 3 times" */
const char *summary_limit_text(const struct summary_limit *l, struct arena *a);
/* Whose words, by whom to be acted on: for answers that are explained. */
const char *summary_answer_text(const struct summary_answer *a, struct arena *arena);

/* Adds it for people: lines of at most 78 columns where they can be broken; HTML. In both what others wrote is inert. */
void summary_text(const struct summary *s, struct arena *a, struct text *t);
void summary_html(const struct summary *s, struct arena *a, struct text *t);
/* Adds it as an object to an array. */
struct jsonv;
void summary_json(const struct summary *s, struct arena *a, struct jsonv *array);

/* The message. */
void summary_mail(const struct summary *s, int64_t now, struct arena *a, struct text *t);

/* ---- what was sent */

/* A small file with a line of fixed length for each address and kind: until when it was told. One process has it
 * at a time. */
struct summary_state {
	int fd;
	const char *path;
};

/* Opens or makes the file and takes it for this process. 0, or -1 with a text. */
int summary_state_open(struct summary_state *s, const char *path, char *error_r, size_t error_size);
/* Until when the last one went to this address, 0 for none; -1 with a text. */
int64_t summary_state_find(const struct summary_state *s, bool is_daily, const char *to, char *error_r, size_t error_size);
/* Notes one, to the disk. 0, or -1 with a text. */
int summary_state_note(const struct summary_state *s, bool is_daily, const char *to, int64_t until, char *error_r, size_t error_size);
void summary_state_close(struct summary_state *s);

#endif
