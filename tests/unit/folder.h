/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A folder of its own for one test program, and policies read from it. Include
 * after cmocka.h.
 */
#ifndef POSTERN_TESTS_UNIT_FOLDER_H
#define POSTERN_TESTS_UNIT_FOLDER_H

#include "policy/file/file.h"

/* For cmocka_run_group_tests(); the second removes all that was written. */
int folder_make(void **state);
int folder_remove(void **state);

/* The path of a name in it. Static memory, until the next call. */
const char *folder_path(const char *name);

/* Writes a file; the folder before a "/" in its name is made. */
void folder_write_octets(const char *name, const char *s, size_t len);
void folder_write(const char *name, const char *s);

/* Writes p.yaml and loads it. Both results are the caller's to free. */
struct policy *folder_load(const char *yaml, struct problems **problems_r);

/* The same for a policy that must load without an error. */
struct policy *folder_load_good(const char *yaml, struct problems **problems_r);

/* The first problem must stand there and say these words; file is a name in
 * the folder. */
void folder_expect(const struct problems *problems, bool is_error, const char *file, unsigned line,
		   unsigned column, const char *words);

#endif
