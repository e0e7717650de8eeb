/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * For C tests that `postgres.py run` has started: a database of their own on its
 * server, and the server itself. All of it fails the test when it fails. Include
 * after cmocka.h.
 */
#ifndef POSTERN_TESTS_LIB_POSTGRES_H
#define POSTERN_TESTS_LIB_POSTGRES_H

#include <stdbool.h>

/* Whether there is a server. */
bool postgres_is_there(void);

/* The URL of a new, empty database that belongs to role postern, as its owner over TCP, or as the
 * superuser over the Unix socket. The caller's to free. */
char *postgres_fresh(void);
char *postgres_fresh_as_superuser(void);

/* The URL of another database, for the same role by the same way; the caller's to free. */
char *postgres_url(const char *database, const char *parameters);

/* Runs a statement as the superuser. */
void postgres_sql(const char *sql);

/* kill, stop, start, pause, resume, standby (begins one, in folder "standby"), promote (makes a primary of
 * it); the server's folder. */
void postgres_control(const char *what);
const char *postgres_folder(void);

#endif
