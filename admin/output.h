/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where a command of postern writes to: standard output or a new file. What is not
 * written is noticed and told.
 */
#ifndef POSTERN_ADMIN_OUTPUT_H
#define POSTERN_ADMIN_OUTPUT_H

#include <stddef.h>

struct output {
	const char *command;  /* "export": whose messages these are */
	const char *path;     /* NULL: standard output */
	int fd;
};

/* Opens the file, which must not exist, or takes standard output where `path` is NULL;
 * from there on a reader that goes away is an error like any other. 0, or -1 and it is
 * told. */
int output_open(struct output *o, const char *command, const char *path);

/* Writes it all. 0, or -1 and it is told. */
int output_write(const struct output *o, const char *s, size_t len);

/* Closes; a file that holds nothing whole (`well` is false) is taken away. Returns -1
 * where the file could not be closed, and it is told. */
int output_close(struct output *o, int well);

#endif
