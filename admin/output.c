/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See output.h.
 */
#include "config.h"

#include "admin/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
fail(const struct output *o, const char *why)
{
	fprintf(stderr, "postern %s: %s: %s\n", o->command, o->path == NULL ? "standard output" : o->path, why);
	return -1;
}

int
output_open(struct output *o, const char *command, const char *path)
{
	*o = (struct output){.command = command, .path = path, .fd = STDOUT_FILENO};
	signal(SIGPIPE, SIG_IGN);
	if (path == NULL)
		return 0;
	o->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (o->fd >= 0)
		return 0;
	return fail(o, errno == EEXIST ? "it exists; what may have been written into it is not overwritten" : strerror(errno));
}

int
output_write(const struct output *o, const char *s, size_t len)
{
	while (len > 0) {
		ssize_t n = write(o->fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(o, strerror(errno));
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

int
output_close(struct output *o, int well)
{
	int rc = 0;

	if (o->path == NULL || o->fd < 0)
		return 0;
	if (close(o->fd) != 0)
		rc = fail(o, strerror(errno));
	o->fd = -1;
	if ((!well || rc != 0) && unlink(o->path) != 0)
		fail(o, "it is left behind, and is not whole");
	return rc;
}
