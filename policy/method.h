/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a method reaches: where a recipient is, and whether the app's method
 * gets there. Pure.
 */
#ifndef POSTERN_POLICY_METHOD_H
#define POSTERN_POLICY_METHOD_H

#include "policy/message.h"

/* Where a recipient is, seen from m's tenant. `mailer` is the MTA's delivery
 * agent, "" when it does not say. */
enum place method_place(const struct message *m, const struct address *a, const char *mailer);

/* The keyword of the reason why the app's method cannot carry m to r, with a
 * text in *text_r (arena); NULL when it can. */
const char *method_refuses(const struct message *m, const struct recipient *r, const char **text_r);

#endif
