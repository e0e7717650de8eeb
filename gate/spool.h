/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Octets kept for later: in memory while they are few, then in a file without a
 * name in the folder for temporary files ($TMPDIR, or /tmp). For the few
 * messages whose body must be seen before their header can be signed.
 */
#ifndef POSTERN_GATE_SPOOL_H
#define POSTERN_GATE_SPOOL_H

#include <stddef.h>

struct spool;

/* NULL when memory is short. */
struct spool *spool_new(void);
void spool_free(struct spool **s);

/* Adds octets; a failure sticks. */
void spool_add(struct spool *s, const void *data, size_t len);

/* Hands all of it to `take`, in order. 0, or -1 with a static text when something
 * was or is lost. */
int spool_read(struct spool *s, void (*take)(void *context, const void *data, size_t len),
	       void *context, const char **error_r);

#endif
