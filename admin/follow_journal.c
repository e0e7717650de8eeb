/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The journal, as journalctl hands it out: one JSON object a line, of the facility "mail".
 * A place is its cursor, which no rotation changes.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/follow.h"
#include "base/json.h"

#define BUFFER_SIZE (256 * 1024)

struct journal {
	const char *folder;       /* NULL: the machine's own */
	bool once;
	pid_t pid;                /* of journalctl, 0 for none */
	int fd;
	char *buffer;
	size_t begin, end;
	bool has_ended;
	int64_t count;
	char cursor[sizeof ((struct deliveries_place *)0)->mark];
	struct jsonv *entry;      /* the last one, which the event lies in */
	struct text message, tag, process;
};

static int
fail(const char *what, char *error_r, size_t size)
{
	snprintf(error_r, size, "journalctl: %s", what);
	return -1;
}

/* In the child. */
static void
run(const struct journal *j, int fd)
{
	char after[sizeof j->cursor + 20], folder[4200];
	static char words[][20] = {"journalctl", "--output=json", "--no-pager", "--quiet", "--facility=mail", "--no-tail", "--follow"};
	char *argv[12];
	int n = 0;

	while (n < (j->once ? 6 : 7)) {
		argv[n] = words[n];
		n++;
	}

	if (j->cursor[0] != '\0') {
		snprintf(after, sizeof after, "--after-cursor=%s", j->cursor);
		argv[n++] = after;
	}
	if (j->folder != NULL) {
		snprintf(folder, sizeof folder, "--directory=%s", j->folder);
		argv[n++] = folder;
	}
	argv[n] = NULL;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* where we are killed it would only find out with its next line */
	if (dup2(fd, STDOUT_FILENO) < 0)
		_exit(127);
	execvp(argv[0], argv);
	_exit(127);
}

static int
start(struct journal *j)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	j->pid = fork();
	if (j->pid == 0)
		run(j, fds[1]);
	close(fds[1]);
	if (j->pid < 0) {
		j->pid = 0;
		close(fds[0]);
		return -1;
	}
	j->fd = fds[0];
	j->begin = j->end = 0;
	j->has_ended = false;
	return j->once ? 0 : fcntl(j->fd, F_SETFL, O_NONBLOCK); /* with --once its end is waited for */
}

/* Ends journalctl: its status. */
static int
stop(struct journal *j)
{
	int status = 0;

	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	if (j->pid > 0) {
		if (!j->has_ended)
			(void)kill(j->pid, SIGTERM);
		while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
			continue;
	}
	j->pid = 0;
	return status;
}

static int
open_at(struct follow_source *s, const struct deliveries_place *place, char *error_r, size_t size)
{
	struct journal *j = s->own;

	snprintf(j->cursor, sizeof j->cursor, "%s", place->mark);
	j->count = place->position;
	return start(j) == 0 ? 0 : fail(strerror(errno), error_r, size);
}

/* 1 with the next line of journalctl's, cut at its end; 0; -1. */
static int
read_line(struct journal *j, char **line_r, char *error_r, size_t size)
{
	for (;;) {
		char *s = j->buffer + j->begin, *at = memchr(s, '\n', j->end - j->begin);
		ssize_t n;

		if (at != NULL) {
			*at = '\0';
			j->begin = (size_t)(at + 1 - j->buffer);
			*line_r = s;
			return 1;
		}
		memmove(j->buffer, s, j->end - j->begin);
		j->end -= j->begin;
		j->begin = 0;
		if (j->end == BUFFER_SIZE)
			return fail("an entry is too long", error_r, size);
		n = j->has_ended ? 0 : read(j->fd, j->buffer + j->end, BUFFER_SIZE - j->end);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : fail(strerror(errno), error_r, size);
		if (n == 0)
			j->has_ended = true;
		if (n == 0 && j->once && j->pid > 0 && stop(j) != 0)
			return fail("it failed; its own words stand above", error_r, size);
		if (n == 0)
			return j->once ? 0 : fail("it has ended", error_r, size);
		j->end += (size_t)n;
	}
}

/* A field: a string or, where it is not UTF-8, an array of its octets; "" for none. */
static char *
field(const struct jsonv *entry, const char *name, struct text *t)
{
	const struct jsonv *v = jsonv_member(entry, name);
	static char none[1];
	int64_t octet;

	text_clear(t);
	if (v != NULL && jsonv_is_string(v))
		text_add(t, jsonv_text(v));
	for (size_t i = 0; v != NULL && jsonv_is_array(v) && i < jsonv_count(v); i++)
		if (jsonv_integer(jsonv_at(v, i), &octet) && octet > 0 && octet < 256)
			text_add_char(t, (char)octet);
	text_add_char(t, '\0');
	return t->failed ? none : t->s;
}

static int64_t
entry_time(const struct jsonv *entry)
{
	const struct jsonv *v = jsonv_member(entry, "__REALTIME_TIMESTAMP");
	uint64_t us;

	return v != NULL && jsonv_text(v) != NULL && text_to_u64(jsonv_text(v), &us) == 0 ? (int64_t)(us / 1000) : 0;
}

static int
next(struct follow_source *s, struct maillog_event *e, char *error_r, size_t size)
{
	struct journal *j = s->own;
	char *line = NULL, what[200], *pid;
	const char *cursor;
	int rc = read_line(j, &line, error_r, size);

	if (rc <= 0)
		return rc;
	jsonv_free(&j->entry);
	j->entry = jsonv_parse(line, strlen(line), what, sizeof what);
	cursor = j->entry == NULL ? NULL : jsonv_text(jsonv_member(j->entry, "__CURSOR"));
	if (cursor == NULL || strlen(cursor) >= sizeof j->cursor)
		return fail("it does not write JSON with a cursor", error_r, size);
	snprintf(j->cursor, sizeof j->cursor, "%s", cursor);
	j->count++;
	pid = field(j->entry, "SYSLOG_PID", &j->process);
	if (pid[0] == '\0')
		pid = field(j->entry, "_PID", &j->process);
	*e = maillog_read_message(entry_time(j->entry), field(j->entry, "SYSLOG_IDENTIFIER", &j->tag), pid,
				  field(j->entry, "MESSAGE", &j->message));
	return 1;
}

static void
place(struct follow_source *s, struct deliveries_place *place_r)
{
	const struct journal *j = s->own;

	*place_r = (struct deliveries_place){.position = j->count};
	snprintf(place_r->mark, sizeof place_r->mark, "%s", j->cursor);
}

static void
wait_for(struct follow_source *s, int ms)
{
	const struct journal *j = s->own;
	struct pollfd p = {.fd = j->fd, .events = POLLIN};

	(void)poll(&p, 1, ms);
}

static void
close_source(struct follow_source *s)
{
	struct journal *j = s->own;

	if (j == NULL)
		return;
	(void)stop(j);
	jsonv_free(&j->entry);
	text_free(&j->message);
	text_free(&j->tag);
	text_free(&j->process);
	free(j->buffer);
	free(j);
	s->own = NULL;
}

bool
follow_journal(struct follow_source *s, const char *folder, bool once)
{
	struct journal *j = calloc(1, sizeof *j);
	char *buffer = malloc(BUFFER_SIZE);

	if (j == NULL || buffer == NULL) {
		free(j);
		free(buffer);
		return false;
	}
	*j = (struct journal){.folder = folder, .once = once, .fd = -1, .buffer = buffer};
	*s = (struct follow_source){.name = "journal", .own = j, .open = open_at, .next = next, .place = place, .wait = wait_for,
				    .close = close_source, .say = s->say};
	return true;
}
