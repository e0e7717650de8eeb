/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What needs an admin today: out of what has been read of traffic, limits, replies and policy, the few things that
 * somebody should act on, the most urgent first.
 */
#ifndef POSTERN_ADMIN_NEEDS_H
#define POSTERN_ADMIN_NEEDS_H

#include "admin/limits.h"
#include "admin/replies.h"
#include "admin/traffic.h"

enum need_when { NEED_NOW, NEED_SOON, NEED_KNOW };

struct need {
	enum need_when when;
	const char *title;        /* text of others may be in both */
	const char *action;
	const char *page, *name;  /* where there is more: "app" and its name, or a page alone and "" */
};

#define NEEDS_MOST 24

struct needs {
	struct arena *arena;      /* the caller's */
	struct need list[NEEDS_MOST];
	size_t n;
	size_t more;              /* that are left out */
};

/* Mail that waits because Exchange Online refuses all of it (policy/pause.h). */
struct needs_pause {
	const char *tenant, *sender, *keyword; /* sender "": everybody's */
	bool external_only;
	bool tries;               /* the next message tries whether it goes again */
	int64_t until;
};

/* What it is made of; NULL where it is not known. */
struct needs_facts {
	const struct traffic *traffic; /* by app */
	const struct limits *limits;
	const struct replies *replies;
	const struct policy *policy;
	const struct needs_pause *pauses;
	size_t n_pauses;
	int64_t now, last;        /* when the last message came, 0 for never */
};

void needs_find(const struct needs_facts *f, struct needs *n);

#endif
