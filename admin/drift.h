/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Drift: in what an app's mail of a range of time differs from that of the ranges
 * before. Pure arithmetic on counts: any thread, no I/O, the same answer each time.
 * HACKING.md says which statistics, and why.
 */
#ifndef POSTERN_ADMIN_DRIFT_H
#define POSTERN_ADMIN_DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Ranges of the time before, at most: eight weeks, or as many days. */
#define DRIFT_BEFORE 56
/* Names that are told of one kind of one app; the others are counted. */
#define DRIFT_NAMES 3
#define DRIFT_METHODS 8

/* Range 0 is the one that is told about, range i the i-th before it. Range i goes from bound[i + 1] up to but not
 * including bound[i]. Wall time, milliseconds. */
struct drift_ranges {
	bool is_daily;            /* a range is a day; else a week */
	size_t n;                 /* how many before; at most DRIFT_BEFORE */
	int64_t bound[DRIFT_BEFORE + 2];
	int64_t known_since;      /* what came before is not kept, or was before the first message ever */
	int64_t began;            /* when the first message ever came */
};

struct drift_method {
	const char *name;
	uint64_t n[DRIFT_BEFORE + 1];
};

/* An app's messages by range. What is deferred comes again: it was tried, not sent. */
struct drift_app {
	const char *name;
	int64_t first;            /* when its first message ever came */
	uint64_t sent[DRIFT_BEFORE + 1], tried[DRIFT_BEFORE + 1];
	struct drift_method method[DRIFT_METHODS]; /* of those tried */
	size_t n_methods;
};

/* A sender or a client of an app; what went by range. */
struct drift_name {
	const char *name;
	uint64_t n[DRIFT_BEFORE + 1];
	int64_t first;            /* of its messages in range 0, if any: when the first came, */
	const char *first_id;     /* and its audit id */
};

enum drift_kind {
	DRIFT_NEW_APP, DRIFT_BACK, DRIFT_SILENT_APP, DRIFT_MORE, DRIFT_LESS, DRIFT_METHOD,
	DRIFT_NEW_SENDER, DRIFT_NEW_CLIENT, DRIFT_SILENT_CLIENT
};

struct drift {
	enum drift_kind kind;
	bool is_daily;
	const char *app;
	const char *name;         /* the sender, client or method; "" for `now` more of them */
	const char *was;          /* the method before; else "" */
	uint64_t now, of;         /* messages in the range; of the method: of so many */
	/* What was usual: from low to high in `values` ranges before, all but `odd` of them. */
	uint64_t low, high;
	size_t values, odd;
	bool is_weekday;          /* the ranges are the same day of the week */
	int64_t first;            /* of the new: when its first message came; 0 not known */
	const char *id;           /* and its audit id; "" not known */
};

/* Most of one app that drift_app() tells. */
#define DRIFT_OF_APP 4

/* What is to be told of an app's mail as a whole; the strings are the facts'. How many. */
size_t drift_app(const struct drift_ranges *r, const struct drift_app *a, struct drift drifts[DRIFT_OF_APP]);

/* The senders, or the clients, of one app, one after the other, each once. */
struct drift_names {
	const struct drift_ranges *ranges;
	const struct drift_app *app;
	bool is_client;
	size_t n_new, n_new_before, n_silent;
	struct drift added[DRIFT_NAMES], silent[DRIFT_NAMES]; /* those with most messages */
};

void drift_names_begin(struct drift_names *x, const struct drift_ranges *r, const struct drift_app *a, bool is_client);
/* Copies what it keeps into the arena. */
void drift_names_add(struct drift_names *x, const struct drift_name *n, struct arena *a);
/* Most that this tells. */
#define DRIFT_OF_NAMES (2 * (DRIFT_NAMES + 1))
size_t drift_names_end(const struct drift_names *x, struct drift drifts[DRIFT_OF_NAMES]);

/* "more", "new-sender", ... */
const char *drift_kind_name(enum drift_kind kind);
/* One sentence with reason and numbers, in the arena; names of others stand in it as they are. */
const char *drift_text(const struct drift *d, struct arena *a);

#endif
