/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See spool.h.
 */
#include "gate/spool.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"

#define IN_MEMORY (256u << 10)
#define PIECE 65536u

struct spool {
	struct text memory;
	FILE *file;               /* what came after the memory was full */
	bool failed;
};

struct spool *
spool_new(void)
{
	return calloc(1, sizeof(struct spool));
}

void
spool_free(struct spool **s)
{
	if (*s == NULL)
		return;
	text_free(&(*s)->memory);
	if ((*s)->file != NULL)
		fclose((*s)->file);
	free(*s);
	*s = NULL;
}

/* A file without a name. tmpfile() does not care for $TMPDIR. */
static FILE *
open_file(void)
{
	const char *folder = getenv("TMPDIR");
	char path[PATH_MAX];
	FILE *f;
	int n, fd;

	n = snprintf(path, sizeof path, "%s/posternd-XXXXXX", folder == NULL || folder[0] != '/' ? "/tmp" : folder);
	fd = n > 0 && (size_t)n < sizeof path ? mkstemp(path) : -1;
	if (fd < 0)
		return NULL;
	unlink(path);
	f = fdopen(fd, "w+");
	if (f == NULL)
		close(fd);
	return f;
}

void
spool_add(struct spool *s, const void *data, size_t len)
{
	if (s->failed)
		return;
	if (s->file == NULL && s->memory.len + len <= IN_MEMORY) {
		text_add_octets(&s->memory, data, len);
		s->failed = s->memory.failed;
		return;
	}
	if (s->file == NULL)
		s->file = open_file();
	s->failed = s->file == NULL || fwrite(data, 1, len, s->file) != len;
}

static bool
read_file(struct spool *s, void (*take)(void *context, const void *data, size_t len), void *context)
{
	char *piece = malloc(PIECE);
	size_t n;
	bool ok;

	if (piece == NULL || fseek(s->file, 0, SEEK_SET) != 0) {
		free(piece);
		return false;
	}
	while ((n = fread(piece, 1, PIECE, s->file)) > 0)
		take(context, piece, n);
	ok = ferror(s->file) == 0;
	free(piece);
	return ok;
}

int
spool_read(struct spool *s, void (*take)(void *context, const void *data, size_t len), void *context,
	   const char **error_r)
{
	*error_r = "the body could not be kept until it was signed: the folder for temporary files is full, or memory is short";
	if (s->failed || (s->file != NULL && fflush(s->file) != 0))
		return -1;
	if (s->memory.len > 0)
		take(context, s->memory.s, s->memory.len);
	return s->file == NULL || read_file(s, take, context) ? 0 : -1;
}
