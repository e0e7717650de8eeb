/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern release as the child of postern-unhold: what the daemon granted goes to
 * the MTA as queue ids, what became of it goes back to the daemon as requests
 * (sql/operator.h), until nothing more can be done.
 *
 * It remembers nothing: whatever ends it, the next one reads again what is granted.
 * A grant that is not confirmed and nearly as old as its lease is not used, but
 * said to be late; so mail leaves when it was charged, not whenever somebody starts
 * the releaser.
 */
#include "config.h"

#include "admin/release.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/text.h"
#include "sql/operator.h"

#define ROUND_MAX 256
/* Asked of the MTA at once; its helper takes no more either. */
#define ASK_MAX 50
#define LOOK_MS 250
/* Without --follow: it ends when two looks so far apart find nothing. */
#define ONCE_MS 1000
#define WAIT_MS 3000
/* A younger grant is used. */
#define LATE_MS (STORE_HELD_LEASE_MS * 2 / 3)
/* What the MTA does not hold is asked for again so often, and for so long after its grant: the
 * MTA may not have put it there yet. */
#define MISSING_EVERY_MS 5000
#define MISSING_MS 60000
/* Pauses after the MTA could not be asked, or the store not read. */
#define PAUSE_MS 5000
#define PAUSE_MAX_MS 300000

struct granted {
	char id[ID_LENGTH + 1];
	char queue_id[80];
	int64_t granted_time;
	const char *what;         /* what is to be confirmed, NULL: it is to be asked for, or not known */
	bool is_missing;          /* so far */
	bool is_leased;           /* can be late */
};

struct releaser {
	const char *url, *relay;
	const struct clock *clock;
	struct granted list[ROUND_MAX];
	size_t n;
	int64_t missing_looked;   /* when the missing ones were asked for */
	int64_t pause;            /* before the next round, 0: none; longer with each that fails at the MTA */
	bool has_failed;          /* in this round */
	char said[600];           /* the last complaint */
	struct text answers;      /* what was read and is not used yet */
};

static int64_t
now(const struct releaser *r)
{
	return r->clock->wall_ms(r->clock->context);
}

/* The round failed. A complaint that goes on is said once. */
static void
complain(struct releaser *r, const char *text)
{
	r->has_failed = true;
	if (r->pause == 0)
		r->pause = PAUSE_MS;
	if (strcmp(r->said, text) == 0)
		return;
	snprintf(r->said, sizeof r->said, "%s", text);
	fprintf(stderr, "postern release: %s\n", text);
}

/* What to do with one that was granted. */
static int
add(void *context, const struct store_held *h)
{
	struct releaser *r = context;
	struct granted *g = &r->list[r->n];
	int64_t age = now(r) - h->granted_time;
	bool is_missing = strcmp(h->state, "missing") == 0;

	if (r->n == ROUND_MAX)
		return 1;
	*g = (struct granted){.granted_time = h->granted_time, .is_missing = is_missing, .is_leased = !is_missing && h->who[0] == '\0'};
	snprintf(g->id, sizeof g->id, "%s", h->id);
	snprintf(g->queue_id, sizeof g->queue_id, "%s", h->queue_id);
	if (h->queue_id[0] == '\0' || h->is_superseded || (is_missing && age > MISSING_MS))
		g->what = "gone";
	r->n++;
	return 0;
}

/* Reads what is granted; 0, or -1 (said). */
static int
look(struct releaser *r)
{
	char error[512];
	const char *why = "";
	struct store_reader *s = store_reader_open(r->url, error, sizeof error);
	int rc = s == NULL ? -1 : 0;

	r->n = 0;
	if (rc == 0)
		rc = store_reader_held(s, r->relay, "granted", add, r, &why);
	if (rc >= 0 && now(r) - r->missing_looked >= MISSING_EVERY_MS) {
		rc = store_reader_held(s, r->relay, "missing", add, r, &why);
		r->missing_looked = now(r);
	}
	if (rc < 0)
		complain(r, s == NULL ? error : why);
	store_reader_close(&s);
	return rc < 0 ? -1 : 0;
}

/* Leaves out what is confirmed already by requests that no daemon has taken up so far.
 * 0, or -1 (said). */
static int
leave_out_pending(struct releaser *r, struct operator *o)
{
	const char *error;
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++) {
		int is_pending = operator_is_pending(o, r->list[i].id, NULL, &error);

		if (is_pending < 0) {
			complain(r, error);
			return -1;
		}
		if (is_pending == 0)
			r->list[kept++] = r->list[i];
	}
	r->n = kept;
	return 0;
}

/* The next answer, without its line end; NULL when postern-unhold is gone. */
static char *
next_answer(struct releaser *r, char *line, size_t size)
{
	char buf[4096];

	for (;;) {
		const char *s = text_string(&r->answers), *end = strchr(s, '\n');
		ssize_t n;

		if (end != NULL) {
			size_t len = (size_t)(end - s);

			snprintf(line, size, "%.*s", (int)(len < size ? len : size - 1), s);
			memmove(r->answers.s, end + 1, r->answers.len - len);
			r->answers.len -= len + 1;
			return line;
		}
		n = read(0, buf, sizeof buf);
		if (n == 0 || (n < 0 && errno != EINTR) || r->answers.len > 65536)
			return NULL;
		if (n > 0)
			text_add_octets(&r->answers, buf, (size_t)n);
	}
}

/* Each time it is asked again costs a turn of the mail that was granted. */
static void
mta_failed(struct releaser *r, const char *why)
{
	char text[600];

	if (!r->has_failed && r->pause != 0)
		r->pause = 2 * r->pause > PAUSE_MAX_MS ? PAUSE_MAX_MS : 2 * r->pause;
	snprintf(text, sizeof text, "the MTA does not let mail go: %s", why);
	complain(r, text);
}

/* What an answer says of a message. false when it is none. */
static bool
take_answer(struct releaser *r, struct granted *g, const char *line)
{
	size_t n = strlen(g->queue_id);

	if (strncmp(line, g->queue_id, n) != 0 || line[n] != ' ')
		return false;
	line += n + 1;
	if (strcmp(line, "released") == 0)
		g->what = "released";
	else if (strcmp(line, "not-held") == 0)
		g->what = now(r) - g->granted_time > MISSING_MS ? "gone" : g->is_missing ? NULL : "missing";
	else if (strncmp(line, "failed ", 7) == 0)
		mta_failed(r, line + 7);
	else
		return false;
	return true;
}

/* The end. */
static int
broken(const char *why)
{
	fprintf(stderr, "postern release: %s\n", why);
	return -1;
}

/* Asks for up to ASK_MAX messages from the first on; *next_r: where to go on. 0, or -1: the end. */
static int
ask(struct releaser *r, size_t first, size_t *next_r)
{
	size_t asked[ASK_MAX], n = 0, i;
	struct text t = {0};
	char line[400];
	ssize_t written;

	for (i = first; i < r->n && n < ASK_MAX; i++) {
		struct granted *g = &r->list[i];

		if (g->what == NULL && g->is_leased && now(r) - g->granted_time > LATE_MS)
			g->what = "late";
		if (g->what != NULL)
			continue;
		asked[n++] = i;
		text_printf(&t, "%s\n", g->queue_id);
	}
	*next_r = i;
	written = n == 0 ? 0 : write(1, t.s, t.len); /* less than a pipe holds */
	if (written != (ssize_t)t.len || t.failed)
		return text_free(&t), broken("postern-unhold does not read");
	text_free(&t);
	CRASH_POINT("release-asked");
	for (size_t k = 0; k < n; k++) {
		if (next_answer(r, line, sizeof line) == NULL)
			return broken("postern-unhold is gone");
		if (!take_answer(r, &r->list[asked[k]], line))
			return broken("postern-unhold answers what was not asked");
	}
	return 0;
}

static void
say_counts(const struct operator_request *requests, size_t n)
{
	static const char *const words[][2] = {
		{"released", "released"}, {"missing", "not held (so far)"}, {"gone", "not held any more"}, {"late", "late, wait again"},
	};
	struct text t = {0};

	for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
		size_t count = 0;

		for (size_t i = 0; i < n; i++)
			count += strcmp(requests[i].what, words[w][0]) == 0;
		if (count > 0)
			text_printf(&t, "%s%zu %s", t.len == 0 ? "" : ", ", count, words[w][1]);
	}
	fprintf(stderr, "postern release: %s\n", text_string(&t));
	text_free(&t);
}

/* Tells the daemon of the messages from `first` up to `end`; the last request's id, if any, in
 * last_r. */
static void
confirm(struct releaser *r, struct operator *o, size_t first, size_t end, char last_r[ID_LENGTH + 1])
{
	struct operator_request requests[ROUND_MAX];
	const char *error;
	size_t n = 0;

	for (size_t i = first; i < end; i++)
		if (r->list[i].what != NULL)
			requests[n++] = (struct operator_request){
				.who = "postern release", .what = r->list[i].what, .message_id = r->list[i].id,
			};
	if (n == 0)
		return;
	CRASH_POINT("release-before-confirm");
	if (operator_add(o, r->clock, requests, n, &error) != 0) {
		complain(r, error);
		return;
	}
	CRASH_POINT("release-after-confirm");
	say_counts(requests, n);
	snprintf(last_r, ID_LENGTH + 1, "%s", requests[n - 1].id);
}

/* Some after the other, so that little is in doubt when all of this is killed. 0, or -1: the end. */
static int
ask_all(struct releaser *r, struct operator *o)
{
	char last[ID_LENGTH + 1] = "", text[400];
	size_t first = 0, next = 0;
	int rc = 0;

	for (; rc == 0 && first < r->n && !r->has_failed; first = next) {
		rc = ask(r, first, &next);
		confirm(r, o, first, next, last);
	}
	if (last[0] != '\0')
		(void)operator_wait(o, last, WAIT_MS, text, sizeof text);
	return rc;
}

/* One look and what follows from it; *n_r: how many there were to do. 0, or -1: the end. */
static int
go_round(struct releaser *r, size_t *n_r)
{
	struct operator *o = NULL;
	char error[512];
	int rc = 0;

	*n_r = 0;
	r->has_failed = false;
	if (look(r) != 0 || r->n == 0)
		return 0;
	o = operator_open(r->url, error, sizeof error);
	if (o == NULL)
		complain(r, error);
	if (o != NULL && leave_out_pending(r, o) == 0) {
		*n_r = r->n;
		rc = ask_all(r, o);
	}
	operator_close(&o);
	return rc;
}

/* Sleeps; 0, or -1 when postern-unhold is gone. */
static int
nap(int64_t ms)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};

	return poll(&p, 1, (int)ms) > 0 ? broken("postern-unhold is gone") : 0;
}

/* Round after round. 0, or -1. */
static int
run(struct releaser *r, bool follow)
{
	int idle = 0, rc = 0;
	size_t n;

	while (rc == 0 && (follow || idle < 2)) {
		rc = go_round(r, &n);
		idle = n == 0 ? idle + 1 : 0;
		if (!r->has_failed) {
			r->pause = 0;
			r->said[0] = '\0';
		} else if (!follow) {
			rc = -1;
		}
		if (rc == 0)
			rc = nap(r->pause != 0 ? r->pause : follow ? LOOK_MS : ONCE_MS);
	}
	return rc;
}

int
release_follow(const char *url, const char *relay, bool follow)
{
	struct releaser *r = calloc(1, sizeof *r);
	int rc;

	if (r == NULL)
		return broken("memory is short"), 1;
	*r = (struct releaser){.url = url, .relay = relay, .clock = clock_system()};
	rc = run(r, follow);
	text_free(&r->answers);
	free(r);
	return rc == 0 ? 0 : 1;
}
