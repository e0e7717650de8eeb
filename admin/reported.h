/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a report that was mailed means.
 */
#ifndef POSTERN_ADMIN_REPORTED_H
#define POSTERN_ADMIN_REPORTED_H

#include "admin/m365.h"
#include "sql/store.h"

/* The meaning of what Exchange Online says in it, keyword "" where there is nothing to explain: it is not
 * believed, tells of no failure, or (*is_foreign_r) passes on the words of another server. Static text. */
struct m365_meaning reported_meaning(const struct store_report *r, bool *is_foreign_r);

#endif
