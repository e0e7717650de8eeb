/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A log file that is rotated under its reader. A place is known again by the octets
 * before it, wherever they are now: in the file itself, in one that it was renamed to, or in
 * the copy that was made before it was truncated. From there the files are read on in the
 * order in which they were last written.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/follow.h"
#include "base/clock.h"

#define MARK_MAX 256
#define BUFFER_SIZE (256 * 1024)
/* A line beyond this is none of an MTA's. */
#define LINE_SIZE_MAX (64 * 1024)

struct file {
	char path[4096];          /* absolute: it is the place's name, too */
	char *name;               /* of what is open: the path, or what it was rotated to */
	int fd;
	struct stat st;           /* of what is open, when it was opened */
	int64_t position;         /* behind the last line handed out */
	char *buffer;             /* from position on; what is read and not handed out is [begin, end) */
	size_t begin, end;
	bool is_skipping;         /* within a line that is too long */
	bool is_checked;          /* the octets before the position are what they were, just now */
	unsigned char mark[MARK_MAX]; /* the octets before the position */
	size_t mark_length;
	struct maillog_clock clock;
};

static int
fail(const char *name, char *error_r, size_t size)
{
	snprintf(error_r, size, "%s: %s", name, strerror(errno));
	return -1;
}

static int64_t
wall_ms(void)
{
	return clock_system()->wall_ms(clock_system()->context);
}

/* ---- marks */

static size_t
mark_length(int64_t position)
{
	return position < MARK_MAX ? (size_t)position : MARK_MAX;
}

static int
read_mark(int fd, int64_t position, unsigned char mark[MARK_MAX])
{
	size_t len = mark_length(position);

	return pread(fd, mark, len, (off_t)(position - (int64_t)len)) == (ssize_t)len ? 0 : -1;
}

static size_t
mark_from_text(const char *text, unsigned char mark[MARK_MAX])
{
	size_t n = 0;
	unsigned octet;

	while (n < MARK_MAX && sscanf(text + 2 * n, "%2x", &octet) == 1)
		mark[n++] = (unsigned char)octet;
	return n;
}

static void
mark_to_text(const unsigned char *mark, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", mark[i]);
	text[2 * len] = '\0';
}

/* The octets before the position, when it moves on over `len` more. */
static void
move_mark(struct file *f, const char *s, size_t len)
{
	size_t add = len < MARK_MAX ? len : MARK_MAX, keep = f->mark_length + add > MARK_MAX ? MARK_MAX - add : f->mark_length;

	memmove(f->mark, f->mark + f->mark_length - keep, keep);
	memcpy(f->mark + keep, s + len - add, add);
	f->mark_length = keep + add;
}

/* Whether the open file has these octets before the position. */
static bool
has_mark(int fd, int64_t position, const unsigned char *mark, size_t len)
{
	unsigned char found[MARK_MAX];

	return len == mark_length(position) && read_mark(fd, position, found) == 0 && memcmp(found, mark, len) == 0;
}

/* ---- which file */

static void
close_file(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	free(f->name);
	f->name = NULL;
}

/* Opens `name` at a position, in place of what is open. 0, or -1 (errno). */
static int
open_name(struct file *f, const char *name, int64_t position)
{
	char *copy = strdup(name);
	int fd = copy == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &f->st) != 0 || !S_ISREG(f->st.st_mode)) {
		if (fd >= 0) {
			errno = EINVAL; /* a folder, a pipe */
			close(fd);
		}
		free(copy);
		return -1;
	}
	close_file(f);
	f->fd = fd;
	f->name = copy;
	f->position = position;
	f->begin = f->end = 0;
	f->is_skipping = f->is_checked = false;
	f->mark_length = mark_length(position);
	return read_mark(fd, position, f->mark);
}

static bool
is_after(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static bool
is_compressed(const char *name)
{
	static const char *const ends[] = {".gz", ".xz", ".bz2", ".zst"};
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (len > strlen(ends[i]) && strcmp(name + len - strlen(ends[i]), ends[i]) == 0)
			return true;
	return false;
}

/* A file that the path may have been rotated to: "mail.log.1", "mail.log-20261124". */
struct sibling {
	char name[4096];
	struct stat st;
	bool is_compressed;
};

/* Calls `each` for them until it returns other than 0, which is the result. */
static int
for_siblings(const char *path, int (*each)(void *context, const struct sibling *s), void *context)
{
	const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
	char folder[4096];
	struct sibling s;
	struct dirent *e;
	DIR *d;
	int rc = 0;

	snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 2 : (int)(slash - path + 1), slash == NULL ? "./" : path);
	d = opendir(folder);
	while (d != NULL && rc == 0 && (e = readdir(d)) != NULL) {
		const char *rest = e->d_name + strlen(base);

		if (strncmp(e->d_name, base, strlen(base)) != 0 || (*rest != '.' && *rest != '-'))
			continue;
		if (snprintf(s.name, sizeof s.name, "%s%s", folder, e->d_name) >= (int)sizeof s.name ||
		    stat(s.name, &s.st) != 0 || !S_ISREG(s.st.st_mode))
			continue;
		s.is_compressed = is_compressed(s.name);
		rc = each(context, &s);
	}
	if (d != NULL)
		closedir(d);
	return rc;
}

struct search {
	struct file *f;
	const struct deliveries_place *place;
	unsigned char mark[MARK_MAX];
	size_t mark_length;
};

/* Opens a file if it has the place. */
static bool
open_if(struct search *x, const char *name)
{
	int64_t at = x->place->position;
	struct stat st;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool has = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		   (at > 0 ? has_mark(fd, at, x->mark, x->mark_length) : (int64_t)st.st_ino == x->place->inode);

	if (fd >= 0)
		close(fd);
	return has && open_name(x->f, name, at) == 0;
}

static int
try_sibling(void *context, const struct sibling *s)
{
	return !s->is_compressed && open_if(context, s->name);
}

/* Finds the place again, or begins the file at its start. 0, or -1 (errno) when there is no file. */
static int
locate(struct follow_source *s, const struct deliveries_place *place)
{
	struct file *f = s->own;
	struct search x = {.f = f, .place = place, .mark_length = mark_from_text(place->mark, x.mark)};
	char line[4400];

	if (place->position > 0 || place->inode != 0) {
		if (open_if(&x, f->path) || for_siblings(f->path, try_sibling, &x) == 1)
			return 0;
		snprintf(line, sizeof line, "the place up to which %s was read is in no file beside it; it is read from its begin, and what "
			 "was written in between is not counted", f->path);
		s->say(line);
	}
	return open_name(f, f->path, 0);
}

/* ---- on to the next one */

struct succession {
	const struct file *f;
	struct sibling next;      /* the one that was last written first after the open one */
	struct sibling lost;      /* a compressed one */
};

static int
look_for_next(void *context, const struct sibling *s)
{
	struct succession *x = context;
	struct sibling *to = s->is_compressed ? &x->lost : &x->next;

	if (s->st.st_ino == x->f->st.st_ino || !is_after(&s->st.st_mtim, &x->f->st.st_mtim))
		return 0;
	if (to->name[0] == '\0' || is_after(&to->st.st_mtim, &s->st.st_mtim))
		*to = *s;
	return 0;
}

/* Whether the path names another file than the one that is open, and that has something in it: then
 * nobody writes into the open one any more. */
static bool
is_superseded(const struct file *f)
{
	struct stat st;

	return stat(f->path, &st) == 0 && (st.st_ino != f->st.st_ino || st.st_dev != f->st.st_dev) && st.st_size > 0;
}

/* To the file that was written after the open one. 1 when there is one, 0, or -1 (errno). */
static int
go_on(struct follow_source *s)
{
	struct file *f = s->own;
	static struct succession x; /* large */
	struct stat path;
	char line[4400];

	x = (struct succession){.f = f};
	if (!is_superseded(f) || fstat(f->fd, &f->st) != 0 || stat(f->path, &path) != 0)
		return 0;
	(void)for_siblings(f->path, look_for_next, &x);
	if (x.lost.name[0] != '\0' && is_after(&path.st_mtim, &x.lost.st.st_mtim)) {
		snprintf(line, sizeof line, "%s was compressed before it was read; what it says is not counted", x.lost.name);
		s->say(line);
	}
	if (x.next.name[0] != '\0' && is_after(&path.st_mtim, &x.next.st.st_mtim))
		return open_name(f, x.next.name, 0) == 0 ? 1 : -1;
	return open_name(f, f->path, 0) == 0 ? 1 : -1;
}

/* ---- lines */

/* Reads more behind what the buffer holds: how much, 0 at the end, -1 (errno). */
static ssize_t
fill(struct file *f)
{
	ssize_t n;

	memmove(f->buffer, f->buffer + f->begin, f->end - f->begin);
	f->end -= f->begin;
	f->begin = 0;
	n = pread(f->fd, f->buffer + f->end, BUFFER_SIZE - f->end, (off_t)(f->position + (int64_t)f->end));
	if (n > 0)
		f->end += (size_t)n;
	return n;
}

/* Hands the octets up to `len` out, `with` of the file for them. */
static char *
hand_out(struct file *f, size_t len, size_t with)
{
	char *line = f->buffer + f->begin;

	move_mark(f, line, with);
	line[len] = '\0';
	f->begin += with;
	f->position += (int64_t)with;
	return line;
}

/* The next whole line in the buffer, or NULL. One that is too long is skipped. */
static char *
next_line(struct file *f, size_t *len_r)
{
	for (;;) {
		size_t n = f->end - f->begin;
		char *s = f->buffer + f->begin, *at = memchr(s, '\n', n);
		bool is_rest = f->is_skipping;

		if (at == NULL && n > LINE_SIZE_MAX) {
			f->is_skipping = true;
			(void)hand_out(f, n - 1, n);
			return NULL;
		}
		if (at == NULL)
			return NULL;
		f->is_skipping = false;
		*len_r = (size_t)(at - s);
		s = hand_out(f, *len_r, *len_r + 1);
		if (!is_rest)
			return s;
	}
}

/* What stands behind the last line end of a file that is written no more. */
static char *
last_line(struct file *f, size_t *len_r)
{
	*len_r = f->end - f->begin;
	return *len_r == 0 || f->is_skipping ? NULL : hand_out(f, *len_r, *len_r);
}

/* Before more is read: whether the file is what it was, and not begun anew. */
static bool
check(struct follow_source *s)
{
	struct file *f = s->own;
	struct deliveries_place place = {.inode = (int64_t)f->st.st_ino, .position = f->position};

	if (f->is_checked || has_mark(f->fd, f->position, f->mark, f->mark_length)) {
		f->is_checked = true;
		return true;
	}
	mark_to_text(f->mark, f->mark_length, place.mark);
	return locate(s, &place) == 0;
}

static int
next(struct follow_source *s, struct maillog_event *e, char *error_r, size_t size)
{
	struct file *f = s->own;
	char *line = NULL;
	size_t len = 0;
	ssize_t n = 1;
	int on = 1;

	while (line == NULL && on == 1) {
		if ((line = next_line(f, &len)) != NULL)
			break;
		if (!check(s) || (n = fill(f)) < 0)
			return fail(f->name == NULL ? f->path : f->name, error_r, size);
		if (n > 0)
			continue;
		/* Whoever wrote into it may have written a last line before they went on. */
		on = is_superseded(f) ? 1 : 0;
		if (on == 1 && (n = fill(f)) == 0 && (line = last_line(f, &len)) == NULL)
			on = go_on(s);
	}
	if (on < 0)
		return fail(f->path, error_r, size);
	if (line == NULL)
		return 0;
	*e = maillog_read(line, len, &f->clock);
	return 1;
}

static void
place(struct follow_source *s, struct deliveries_place *place_r)
{
	struct file *f = s->own;

	*place_r = (struct deliveries_place){.inode = (int64_t)f->st.st_ino, .position = f->position};
	mark_to_text(f->mark, f->mark_length, place_r->mark);
	f->is_checked = false;
	f->clock.now_ms = wall_ms();
}

static int
open_at(struct follow_source *s, const struct deliveries_place *place, char *error_r, size_t size)
{
	struct file *f = s->own;

	f->clock = (struct maillog_clock){.now_ms = wall_ms()};
	return locate(s, place) == 0 ? 0 : fail(f->path, error_r, size);
}

static void
wait_for(struct follow_source *s, int ms)
{
	(void)s;
	(void)poll(NULL, 0, ms);
}

static void
close_source(struct follow_source *s)
{
	struct file *f = s->own;

	if (f == NULL)
		return;
	close_file(f);
	free(f->buffer);
	free(f);
	s->own = NULL;
}

bool
follow_file(struct follow_source *s, const char *path)
{
	struct file *f = calloc(1, sizeof *f);
	char *buffer = malloc(BUFFER_SIZE + 1);

	if (f == NULL || buffer == NULL) {
		free(f);
		free(buffer);
		return false;
	}
	f->fd = -1;
	f->buffer = buffer;
	if (path[0] != '/' && getcwd(f->path, sizeof f->path - 1) != NULL)
		strcat(f->path, "/");
	if (strlen(f->path) + strlen(path) < sizeof f->path)
		strcat(f->path, path);
	*s = (struct follow_source){.name = f->path, .own = f, .open = open_at, .next = next, .place = place, .wait = wait_for, .close = close_source,
				    .say = s->say};
	return true;
}
