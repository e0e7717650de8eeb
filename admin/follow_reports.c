/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reports that were mailed, from a folder: a Maildir (new/ and cur/), or one with a file for each message.
 * The folder is somebody else's: nothing in it is moved, changed or removed. What was read is known by name, stored in
 * the transaction of what it said. In new/ and cur/ the name up to ":" stays, and a file there is whole; in
 * another folder it is when it was not written to for a while.
 *
 * What is older than the audit keeps is not read, so that no name need be known for longer.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/follow.h"
#include "admin/m365.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/id.h"
#include "maillog/dsn.h"

#define SCAN_EVERY_MS 5000
/* Not written to for so long: a file outside of a Maildir is whole. */
#define QUIET_MS 5000
/* A folder may change within one stamp of its time. */
#define STAMP_MS 2000
/* Files of one turn, so that the log is read between. */
#define FILES_MAX 200
/* So much is told of why nothing is read. */
#define SAY_EVERY_MS 3600000

struct part {
	char path[PATH_MAX + 8];
	bool is_maildir;
	struct timespec time;     /* of the folder, when all in it was read; 0: not so */
};

struct follow_reports {
	char path[PATH_MAX];
	void (*say)(const char *line);
	void *known;              /* of tsearch(): names */
	char *buffer;
	bool is_loaded, has_more;
	struct part part[2];
	size_t n_parts;
	int64_t scanned_ms, said_ms;
	struct text tenants;
	struct dsn dsn;           /* large */
};

/* A file, and what it is known by. */
struct file {
	const char *folder, *name;
	char key[400];
	int64_t time;             /* wall time, milliseconds */
};

static int64_t
boot_ms(void)
{
	return clock_system()->boot_ms(clock_system()->context);
}

static int64_t
wall_ms(void)
{
	return clock_system()->wall_ms(clock_system()->context);
}

static int64_t
to_ms(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- what is known */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool
is_known(const struct follow_reports *x, const char *key)
{
	return tfind(key, &x->known, compare_names) != NULL;
}

static int
know(void *context, const char *key)
{
	struct follow_reports *x = context;
	char *name;

	if (is_known(x, key))
		return 0;
	name = strdup(key);
	if (name == NULL || tsearch(name, &x->known, compare_names) == NULL) {
		free(name);
		return -2;
	}
	return 0;
}

/* A POSIX tree has no way to be freed but from its root. */
static void
forget_all(struct follow_reports *x)
{
	while (x->known != NULL) {
		char *name = *(char **)x->known;

		(void)tdelete(name, &x->known, compare_names);
		free(name);
	}
	x->is_loaded = false;
}

struct follow_reports *
follow_reports_new(const char *path, void (*say)(const char *line))
{
	struct follow_reports *x = calloc(1, sizeof *x);

	if (x == NULL)
		return NULL;
	x->buffer = malloc(DSN_SIZE_MAX + 1);
	x->say = say;
	if (x->buffer == NULL || (realpath(path, x->path) == NULL && snprintf(x->path, sizeof x->path, "%s", path) >= (int)sizeof x->path))
		follow_reports_free(&x);
	return x;
}

void
follow_reports_free(struct follow_reports **x)
{
	if (*x == NULL)
		return;
	forget_all(*x);
	text_free(&(*x)->tenants);
	free((*x)->buffer);
	free(*x);
	*x = NULL;
}

void
follow_reports_again(struct follow_reports *x)
{
	forget_all(x);
	x->scanned_ms = 0;
	x->n_parts = 0;
}

/* ---- a report */

/* Two copies of a report have the same; to forge it takes the whole report. */
static uint64_t
hash(uint64_t h, const char *s)
{
	do {
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	} while (*s++ != '\0');
	return h;
}

static void
write_digest(const struct dsn *r, char digest[40])
{
	uint64_t a = UINT64_C(14695981039346656037), b = ~a;

	a = hash(hash(hash(a, r->id), r->audit_id), r->message_id);
	for (size_t i = 0; i < r->n_recipients; i++) {
		const struct dsn_recipient *p = &r->recipient[i];

		b = hash(hash(hash(hash(hash(b, p->recipient), p->action), p->status), p->reply), r->id);
	}
	snprintf(digest, 40, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
}

/* Which way it came, by what the last server says of its client. */
static const char *
path_of(struct follow_reports *x, const struct policy *p, const char *via)
{
	size_t len = maillog_host_length(via);

	text_clear(&x->tenants);
	if (via[0] == '\0')
		return "unknown";
	if (*follow_tenants(p, via, &x->tenants) != '\0')
		return "next-hop";
	if (m365_is_sender(via, len))
		return "exchange";
	return strstr(via, "[127.") != NULL || strstr(via, "[::1]") != NULL ? "unknown" : "elsewhere";
}

/* The class of what a reply means, where Exchange Online itself says it. */
static const char *
class_of(const struct dsn_recipient *p)
{
	struct m365_reply reply = m365_read(p->reply, p->status[0] == '\0' ? NULL : p->status);

	if (p->remote[0] != '\0' && !m365_is_sender(p->remote, strlen(p->remote)))
		return "foreign";
	return m365_class_name(m365_explain(&reply, p->reply).class);
}

static int
count(struct deliveries *d, const char *kind, const char *status, const char *class, int64_t n)
{
	const struct deliveries_count c = {.kind = kind, .tenants = "", .status = status, .class = class, .count = n};

	return n == 0 ? 0 : deliveries_count(d, &c);
}

/* Stores it, in the transaction that is open. 0 or -1. */
static int
store(struct follow_reports *x, struct deliveries *d, const struct policy *p, const struct file *f)
{
	struct dsn *r = &x->dsn;
	char digest[40], audit_id[ID_LENGTH + 1] = "";
	const char *via = dsn_client(r->received);
	struct deliveries_report to = {.digest = digest, .audit_id = audit_id, .header_id = "", .reporter = r->reporter,
				       .via = via == NULL ? "" : via, .file = f->name, .time = f->time};
	int rc = 0;

	write_digest(r, digest);
	if (id_is_valid(r->audit_id))
		for (size_t i = 0; i < ID_LENGTH; i++)
			audit_id[i] = text_is_alpha(r->audit_id[i]) ? (char)(r->audit_id[i] & ~0x20) : r->audit_id[i];
	else
		to.header_id = r->message_id[0] != '\0' ? r->message_id : r->answers;
	to.path = path_of(x, p, to.via);
	to.next_hop_of = text_string(&x->tenants);
	for (size_t i = 0; rc >= 0 && i < r->n_recipients; i++) {
		const struct dsn_recipient *s = &r->recipient[i];

		to.recipient = s->recipient;
		to.original = s->original;
		to.action = s->action;
		to.status = s->status;
		to.remote = s->remote;
		to.reply = s->reply;
		rc = deliveries_reported(d, &to);
		if (rc == 1)
			rc = count(d, "report", s->action, class_of(s), 1);
	}
	return rc < 0 ? -1 : 0;
}

/* Of which message it is must be told in some way. */
static bool
is_bound(const struct dsn *r)
{
	return id_is_valid(r->audit_id) || r->message_id[0] != '\0' || r->answers[0] != '\0';
}

static void
say_broken(struct follow_reports *x, const struct file *f, const char *expected)
{
	char line[PATH_MAX + 600];

	snprintf(line, sizeof line, "%s/%s: a report that cannot be used: expected %s", f->folder, f->name, expected);
	x->say(line);
}

/* One message, read into the buffer: its rows, its name and its count, all or none of it. 0 or -1. */
static int
read_message(struct follow_reports *x, struct deliveries *d, const struct policy *p, const struct file *f, size_t len)
{
	const char *expected;
	int rc;

	dsn_read(x->buffer, len, &x->dsn);
	expected = x->dsn.kind == DSN_BROKEN ? x->dsn.expected : x->dsn.kind == DSN_REPORT && !is_bound(&x->dsn) ?
		   "X-Postern-Id or Message-ID in the header of the message that it returns" : NULL;
	if (deliveries_begin(d) != 0)
		return -1;
	rc = deliveries_file(d, x->path, f->key, f->time);
	if (rc == 1 && expected == NULL && x->dsn.kind == DSN_REPORT)
		rc = store(x, d, p, f) == 0 && count(d, "file", "incomplete", "", x->dsn.n_broken > 0) == 0 ? 1 : -1;
	if (rc == 1 && count(d, "file", expected != NULL ? "broken" : x->dsn.kind == DSN_REPORT ? "report" : "other", "", 1) != 0)
		rc = -1;
	CRASH_POINT("report-before-commit");
	if (rc < 0 || deliveries_end(d) != 0) {
		deliveries_abandon(d);
		return -1;
	}
	CRASH_POINT("report-after-commit");
	if (rc == 1 && expected != NULL)
		say_broken(x, f, expected);
	return 0;
}

/* ---- files */

/* Reads the begin of a file: how much, or -1 (errno). */
static ssize_t
read_begin(struct follow_reports *x, int fd)
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < DSN_SIZE_MAX && (n = read(fd, x->buffer + len, DSN_SIZE_MAX - len)) > 0)
		len += (size_t)n;
	x->buffer[len] = '\0';
	return n < 0 ? -1 : (ssize_t)len;
}

/* What cannot be read is said from time to time, and looked at again. */
static void
say_unreadable(struct follow_reports *x, const char *folder, const char *name, int error)
{
	char line[PATH_MAX + 600];

	if (x->said_ms != 0 && boot_ms() - x->said_ms < SAY_EVERY_MS)
		return;
	x->said_ms = boot_ms();
	snprintf(line, sizeof line, "%s%s%s: %s; its reports are not read", folder, name[0] == '\0' ? "" : "/", name, strerror(error));
	x->say(line);
}

static void
set_key(struct file *f, const struct part *part, const struct stat *st)
{
	if (part->is_maildir)
		snprintf(f->key, sizeof f->key, "%.*s", (int)strcspn(f->name, ":"), f->name);
	else
		snprintf(f->key, sizeof f->key, "%s %lld.%09ld %lld", f->name, (long long)st->st_mtim.tv_sec, (long)st->st_mtim.tv_nsec,
			 (long long)st->st_size);
	f->time = to_ms(st->st_mtim);
}

/* Whether a file is to be read now; where it may be later, *is_all_r is false. */
static bool
is_due(const struct follow_reports *x, const struct part *part, const struct file *f, const struct stat *st, int64_t since, bool *is_all_r)
{
	if (!S_ISREG(st->st_mode) || f->time < since || is_known(x, f->key))
		return false;
	if (!part->is_maildir && wall_ms() - f->time < QUIET_MS && f->time <= wall_ms() + QUIET_MS)
		return *is_all_r = false;
	return true;
}

/* 1 when it was read, 0 when not, -1 when it cannot be stored. */
static int
read_file(struct follow_reports *x, const struct part *part, int folder, const char *name, struct deliveries *d, const struct policy *p,
	  int64_t since, bool *is_all_r)
{
	struct file f = {.folder = part->path, .name = name};
	struct stat st;
	ssize_t len;
	int fd;

	/* In a Maildir a known file costs no look at it. */
	if (part->is_maildir) {
		set_key(&f, part, &(struct stat){0});
		if (is_known(x, f.key))
			return 0;
	}
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0) {
		*is_all_r = false;
		if (fd < 0 && errno != ENOENT && errno != ELOOP)
			say_unreadable(x, part->path, name, errno);
		return 0;
	}
	set_key(&f, part, &st);
	if (!is_due(x, part, &f, &st, since, is_all_r)) {
		close(fd);
		return 0;
	}
	len = read_begin(x, fd);
	if (len < 0) {
		*is_all_r = false;
		say_unreadable(x, part->path, name, errno);
	}
	close(fd);
	if (len < 0)
		return 0;
	return read_message(x, d, p, &f, (size_t)len) == 0 && know(x, f.key) == 0 ? 1 : -1;
}

/* ---- the folder */

static void
find_parts(struct follow_reports *x)
{
	static const char *const names[] = {"/new", "/cur"}; /* in the order in which files go */
	size_t len = strlen(x->path);
	struct stat st;

	x->n_parts = 0;
	for (size_t i = 0; i < 2; i++) {
		struct part *part = &x->part[x->n_parts];

		*part = (struct part){.is_maildir = true};
		memcpy(part->path, x->path, len);
		strcpy(part->path + len, names[i]);
		if (stat(part->path, &st) == 0 && S_ISDIR(st.st_mode))
			x->n_parts++;
	}
	if (x->n_parts == 0) {
		x->n_parts = 1;
		x->part[0] = (struct part){.is_maildir = false};
		memcpy(x->part[0].path, x->path, len + 1);
	}
}

static int
read_names(struct follow_reports *x, struct part *part, DIR *folder, struct deliveries *d, const struct policy *p, int64_t since, int *n)
{
	struct dirent *e;
	bool is_all = true;
	struct stat st;
	int rc = 0;

	if (fstat(dirfd(folder), &st) != 0)
		st.st_mtim.tv_sec = 0;
	while (rc >= 0 && (e = readdir(folder)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (*n >= FILES_MAX) {
			x->has_more = true;
			return 0;
		}
		rc = read_file(x, part, dirfd(folder), e->d_name, d, p, since, &is_all);
		*n += rc > 0;
	}
	if (rc >= 0 && is_all && wall_ms() - to_ms(st.st_mtim) > STAMP_MS)
		part->time = st.st_mtim;
	return rc < 0 ? -1 : 0;
}

static bool
is_unchanged(const struct part *part)
{
	struct stat st;

	return part->time.tv_sec != 0 && stat(part->path, &st) == 0 && st.st_mtim.tv_sec == part->time.tv_sec &&
	       st.st_mtim.tv_nsec == part->time.tv_nsec;
}

static int
read_part(struct follow_reports *x, struct part *part, struct deliveries *d, const struct policy *p, int64_t since, int *n)
{
	DIR *folder;
	int rc;

	if (is_unchanged(part))
		return 0;
	part->time.tv_sec = 0;
	folder = opendir(part->path);
	if (folder == NULL) {
		say_unreadable(x, part->path, "", errno);
		return 0;
	}
	rc = read_names(x, part, folder, d, p, since, n);
	closedir(folder);
	return rc;
}

int
follow_reports_read(struct follow_reports *x, struct deliveries *d, const struct policy *p)
{
	int64_t since = p->audit_keep == 0 ? INT64_MIN : wall_ms() - (int64_t)p->audit_keep * 1000;
	int n = 0, rc = 0;

	if (x->scanned_ms != 0 && !x->has_more && boot_ms() - x->scanned_ms < SCAN_EVERY_MS)
		return 0;
	if (!x->is_loaded && deliveries_files(d, x->path, know, x) != 0)
		return -1;
	x->is_loaded = true;
	x->scanned_ms = boot_ms();
	x->has_more = false;
	if (x->n_parts == 0 || !x->part[0].is_maildir)
		find_parts(x);
	for (size_t i = 0; rc == 0 && i < x->n_parts; i++)
		rc = read_part(x, &x->part[i], d, p, since, &n);
	return rc < 0 ? -1 : n;
}
