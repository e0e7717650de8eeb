/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See summary.h. A line is "day" or "week", the wall time in milliseconds up to which the last
 * one told, and the address, padded; it is written over in place.
 */
#include "config.h"

#include "admin/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESS_MAX 320
#define LINE_LENGTH (4 + 1 + 20 + 1 + ADDRESS_MAX + 1)

struct line {
	bool is_daily;
	int64_t until;
	char to[ADDRESS_MAX + 1];
};

static int
fail(const struct summary_state *s, const char *why, char *error_r, size_t size)
{
	snprintf(error_r, size, "%s: %s", s->path, why);
	return -1;
}

static int
parse(const char *raw, struct line *l)
{
	char kind[5] = "";
	long long until;
	int end = 0;

	if (sscanf(raw, "%4s %20lld %n", kind, &until, &end) != 2 || end != 26 || raw[LINE_LENGTH - 1] != '\n' || until <= 0)
		return -1;
	l->is_daily = strcmp(kind, "day") == 0;
	if (!l->is_daily && strcmp(kind, "week") != 0)
		return -1;
	l->until = until;
	memcpy(l->to, raw + end, ADDRESS_MAX);
	l->to[ADDRESS_MAX] = '\0';
	for (size_t n = ADDRESS_MAX; n > 0 && l->to[n - 1] == ' ';)
		l->to[--n] = '\0';
	return 0;
}

/* The line of an address; its number, or that of the line behind the last. -1 with a text. */
static long
find(const struct summary_state *s, bool is_daily, const char *to, struct line *l, char *error_r, size_t size)
{
	char raw[LINE_LENGTH + 1] = "";

	for (long i = 0;; i++) {
		ssize_t n = pread(s->fd, raw, LINE_LENGTH, (off_t)i * LINE_LENGTH);

		if (n < 0)
			return fail(s, strerror(errno), error_r, size);
		*l = (struct line){.until = 0};
		if (n == 0)
			return i;
		if (n < LINE_LENGTH) /* a line whose writing was cut off is not there */
			return i;
		if (parse(raw, l) != 0)
			return fail(s, "this is no state of postern summary; remove it to have the last summaries sent again", error_r, size);
		if (l->is_daily == is_daily && strcmp(l->to, to) == 0)
			return i;
	}
}

int
summary_state_open(struct summary_state *s, const char *path, char *error_r, size_t error_size)
{
	struct line l;

	*s = (struct summary_state){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640), .path = path};
	if (s->fd < 0)
		return fail(s, strerror(errno), error_r, error_size);
	if (flock(s->fd, LOCK_EX | LOCK_NB) != 0)
		(void)fail(s, "another postern summary runs with this state", error_r, error_size);
	else if (find(s, false, "", &l, error_r, error_size) >= 0)
		return 0;
	summary_state_close(s);
	return -1;
}

int64_t
summary_state_find(const struct summary_state *s, bool is_daily, const char *to, char *error_r, size_t error_size)
{
	struct line l;

	return find(s, is_daily, to, &l, error_r, error_size) < 0 ? -1 : l.until;
}

int
summary_state_note(const struct summary_state *s, bool is_daily, const char *to, int64_t until, char *error_r, size_t error_size)
{
	char raw[LINE_LENGTH + 1];
	struct line l;
	long i = find(s, is_daily, to, &l, error_r, error_size);

	if (i < 0)
		return -1;
	if (strlen(to) > ADDRESS_MAX)
		return fail(s, "the address is too long", error_r, error_size);
	snprintf(raw, sizeof raw, "%-4s %020lld %-*s\n", is_daily ? "day" : "week", (long long)until, ADDRESS_MAX, to);
	if (pwrite(s->fd, raw, LINE_LENGTH, (off_t)i * LINE_LENGTH) != LINE_LENGTH || fdatasync(s->fd) != 0)
		return fail(s, strerror(errno), error_r, error_size);
	return 0;
}

void
summary_state_close(struct summary_state *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
