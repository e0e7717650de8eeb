/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See notify.h. The file is one line of fixed length, written over in place: the
 * number of the last event, its time, and the parts of the next one.
 */
#include "config.h"

#include "admin/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LINE "%020lld %020lld %02d\n"
#define LINE_LENGTH 45

static int
parse(struct notify_state *s, const char *line, ssize_t n)
{
	long long number, time;
	int parts, end = 0;

	if (n == 0)
		return 0;
	if (n != LINE_LENGTH || sscanf(line, "%20lld %20lld %2d%n", &number, &time, &parts, &end) != 3 ||
	    end != LINE_LENGTH - 1 || number < 0)
		return -1;
	s->number = number;
	s->time = time;
	s->parts = parts;
	return 0;
}

static int
load(struct notify_state *s, const char *path, char *error_r, size_t size)
{
	char line[LINE_LENGTH + 2] = "";
	ssize_t n = pread(s->fd, line, LINE_LENGTH + 1, 0);

	if (n >= 0 && parse(s, line, n) == 0)
		return 0;
	snprintf(error_r, size, "%s: %s", path, n < 0 ? strerror(errno)
		 : "this is no state of postern notify; remove it to begin with the events of the last day");
	return -1;
}

int
notify_state_open(struct notify_state *s, const char *path, char *error_r, size_t error_size)
{
	*s = (struct notify_state){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640)};
	if (s->fd < 0) {
		snprintf(error_r, error_size, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (flock(s->fd, LOCK_EX | LOCK_NB) != 0)
		snprintf(error_r, error_size, "%s: another postern notify runs with this state", path);
	else if (load(s, path, error_r, error_size) == 0)
		return 0;
	notify_state_close(s);
	return -1;
}

int
notify_state_read(struct notify_state *s, const char *path, char *error_r, size_t error_size)
{
	int rc;

	*s = (struct notify_state){.fd = open(path, O_RDONLY | O_CLOEXEC)};
	if (s->fd < 0 && errno == ENOENT)
		return 0;
	if (s->fd < 0) {
		snprintf(error_r, error_size, "%s: %s", path, strerror(errno));
		return -1;
	}
	rc = load(s, path, error_r, error_size);
	notify_state_close(s);
	return rc;
}

int
notify_state_write(const struct notify_state *s)
{
	char line[LINE_LENGTH + 20];

	snprintf(line, sizeof line, LINE, (long long)s->number, (long long)s->time, s->parts);
	if (pwrite(s->fd, line, LINE_LENGTH, 0) != LINE_LENGTH)
		return -1;
	return fdatasync(s->fd);
}

void
notify_state_close(struct notify_state *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
