/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who runs this program, for the record of what operators did.
 */
#ifndef POSTERN_ADMIN_PERSON_H
#define POSTERN_ADMIN_PERSON_H

#define PERSON_SIZE 120

/* "alice (uid 1000)", "alice (sudo, uid 0)": the name that sudo or the terminal's login tells,
 * otherwise the user's. To be asked before the program becomes another user. */
const char *person_name(char buf[PERSON_SIZE]);

#endif
