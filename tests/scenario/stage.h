/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The stage of scenarios: a gate in the fake world, under a policy of this
 * folder, found below $srcdir.
 */
#ifndef POSTERN_TESTS_SCENARIO_STAGE_H
#define POSTERN_TESTS_SCENARIO_STAGE_H

#include "gate/session.h"

/* Sets the gate up, with `more` behind the lines of the policy file ("" for
 * nothing); what was there before is freed, sessions must be. Ends the program
 * when the policy does not load. */
void stage_set(struct gate *g, const char *file, const char *more);

/* Frees it. May be called at any time. */
void stage_clear(struct gate *g);

#endif
