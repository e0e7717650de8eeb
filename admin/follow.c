/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern follow: reads the MTA's log and stores what became of each recipient. See follow.h.
 */
#include "config.h"

#include "admin/follow.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/m365.h"
#include "base/clock.h"
#include "base/crash.h"
#include "gate/relay.h"
#include "policy/file/file.h"

#define LOG "/var/log/mail.log"
#define LOOK_EVERY_MS 500
#define AGAIN_MS 1000
#define SAY_EVERY_MS 60000
#define POLICY_EVERY_MS 60000
/* Lines of one transaction at most. */
#define BATCH 5000
#define PRUNE_EVERY_MS 60000
#define PRUNE_MAX 1000
#define SEEN_EVERY_MS 10000
/* Sums of one batch. */
#define SUMS 64

struct options {
	const char *file, *log, *journal, *reports;
	bool is_journal, once;
};

/* How many tries of one kind a batch has. */
struct sum {
	char tenants[300], status[16];
	const char *class;
	int64_t n;
};

struct follower {
	const struct options *o;
	struct policy *policy;
	char relay[256];
	struct follow_source source;
	bool is_open;
	struct follow_reports *reports; /* NULL: none are read */
	struct deliveries *deliveries;
	struct deliveries_place place; /* up to which it is stored */
	struct text tenants;
	int64_t policy_ms, said_ms, pruned_ms, seen_ms;
	int64_t read_time;        /* of the last line that told something */
	struct sum sums[SUMS];    /* of the batch */
	size_t n_sums;
	char last_hop[300];       /* of which `tenants` are */
	struct follow_senders *senders;
};

static volatile sig_atomic_t ended;

static void
end(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t
boot_ms(void)
{
	return clock_system()->boot_ms(clock_system()->context);
}

static void
say(const char *line)
{
	fprintf(stderr, "postern follow: %s\n", line);
}

static void
usage(FILE *to)
{
	fputs("usage: postern follow [-c FILE] [--log FILE | --journal[=FOLDER]] [--reports FOLDER] [--once]\n"
	      "  -c, --config FILE  the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "      --log FILE     the MTA's log (default " LOG ")\n"
	      "      --journal      read the journal instead, of the machine or of this folder\n"
	      "      --reports FOLDER  read what was mailed back after a 250, too: a Maildir, or a folder with a file for each message\n"
	      "      --once         end when all that is there was read\n"
	      "It stores what became of each recipient beside the audit; postern trace shows it.\n"
	      "exit status: 0 ended, 1 something is wrong, 2 wrong command line\n", to);
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"log", required_argument, NULL, 'l'},
		{"journal", optional_argument, NULL, 'j'}, {"reports", required_argument, NULL, 'r'},
		{"once", no_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->file = optarg;
		else if (c == 'l')
			o->log = optarg;
		else if (c == 'j')
			o->is_journal = true, o->journal = optarg;
		else if (c == 'r')
			o->reports = optarg;
		else if (c == 'o')
			o->once = true;
		else
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	if (optind < argc) {
		fprintf(stderr, "postern follow: \"%s\" is one word too many\n", argv[optind]);
		return 2;
	}
	if (o->log != NULL && o->is_journal) {
		say("--log and --journal exclude each other");
		return 2;
	}
	if (o->log == NULL)
		o->log = LOG;
	return -1;
}

/* ---- events */

static const char *
tenants_of(struct follower *f, const char *next_hop)
{
	if (strcmp(next_hop, f->last_hop) != 0 || f->last_hop[0] == '\0') {
		(void)follow_tenants(f->policy, next_hop, &f->tenants);
		snprintf(f->last_hop, sizeof f->last_hop, "%s", strlen(next_hop) < sizeof f->last_hop ? next_hop : "");
	}
	return text_string(&f->tenants);
}

/* What a try came to: "" for sent, the class of what Exchange Online said, "none" where no server said anything,
 * "foreign" where another did. */
static const char *
class_of(const struct maillog_event *e, const char *tenants)
{
	struct m365_reply r;

	if (strcmp(e->status, "sent") == 0)
		return "";
	r = m365_read(e->text, strcmp(e->instance, "sendmail") == 0 && e->next_hop[0] != '\0' ? e->dsn : NULL);
	if (!r.is_reply)
		return "none";
	if (tenants[0] == '\0' && !m365_is_host(e->next_hop, maillog_host_length(e->next_hop)))
		return "foreign";
	return m365_class_name(m365_explain(&r, e->text).class);
}

static int
store_sums(struct follower *f)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->n_sums; i++) {
		const struct sum *s = &f->sums[i];
		const struct deliveries_count c = {.kind = "try", .tenants = s->tenants, .status = s->status, .class = s->class, .count = s->n};

		rc = deliveries_count(f->deliveries, &c);
	}
	f->n_sums = 0;
	return rc;
}

static int
add_tries(struct follower *f, const struct maillog_event *e, const char *tenants, int64_t n)
{
	const char *class = class_of(e, tenants);
	struct sum *s;

	for (s = f->sums; s < f->sums + f->n_sums; s++)
		if (s->class == class && strcmp(s->status, e->status) == 0 && strcmp(s->tenants, tenants) == 0)
			return s->n += n, 0;
	if (f->n_sums == SUMS && store_sums(f) != 0)
		return -1;
	s = &f->sums[f->n_sums++];
	*s = (struct sum){.class = class, .n = n};
	snprintf(s->tenants, sizeof s->tenants, "%s", tenants);
	snprintf(s->status, sizeof s->status, "%s", e->status);
	return 0;
}

static int
store_tries(struct follower *f, struct maillog_event *e, const struct deliveries_key *k)
{
	char host[256];
	int64_t n = 0;
	struct deliveries_try t = {
		.key = *k, .pid = e->pid, .host = host, .original = e->original, .status = e->status, .dsn = e->dsn,
		.next_hop = e->next_hop, .reply = e->text, .next_hop_of = tenants_of(f, e->next_hop), .delay_ms = e->delay_ms,
	};

	snprintf(host, sizeof host, "%.*s", (int)maillog_host_length(e->next_hop), e->next_hop);
	for (; (t.recipient = maillog_recipient(e)) != NULL; n++)
		if (deliveries_tried(f->deliveries, &t) != 0 ||
		    follow_upstream(f->deliveries, f->policy, follow_sender(f->senders, k), &t) != 0)
			return -1;
	return add_tries(f, e, t.next_hop_of, n);
}

static int
store_event(struct follower *f, struct maillog_event *e)
{
	const struct deliveries_key k = {.instance = e->instance, .queue_id = e->queue_id, .time = e->time};
	char host[256];

	if (e->sender != NULL)
		follow_note_sender(f->senders, &k, e->sender);
	switch (e->kind) {
	case MAILLOG_NOTHING:
	case MAILLOG_SENDER:
		return 0;
	case MAILLOG_DELIVERY:
		return store_tries(f, e, &k);
	case MAILLOG_BEGUN:
		return deliveries_begun(f->deliveries, &k, e->old_id);
	case MAILLOG_REMOVED:
		return deliveries_removed(f->deliveries, &k);
	case MAILLOG_DELETED:
		return deliveries_deleted(f->deliveries, &k);
	case MAILLOG_EXPIRED:
		return deliveries_expired(f->deliveries, &k);
	case MAILLOG_TLS:
		snprintf(host, sizeof host, "%.*s", (int)maillog_host_length(e->next_hop), e->next_hop);
		return deliveries_tls(f->deliveries, &k, e->pid, host, e->tls);
	}
	return 0;
}

/* ---- reading */

static void
close_all(struct follower *f)
{
	if (f->is_open)
		f->source.close(&f->source);
	f->is_open = false;
	if (f->reports != NULL)
		follow_reports_again(f->reports);
	deliveries_close(&f->deliveries);
}

/* 0, or -1 with a text. */
static int
open_all(struct follower *f, char *error_r, size_t size)
{
	if (f->is_open)
		return 0;
	f->deliveries = deliveries_open(f->policy->database, f->relay, error_r, size);
	if (f->deliveries == NULL)
		return -1;
	f->source.say = say;
	if (!(f->o->is_journal ? follow_journal(&f->source, f->o->journal, f->o->once) : follow_file(&f->source, f->o->log))) {
		snprintf(error_r, size, "memory is short");
		return -1;
	}
	f->is_open = true;
	if (deliveries_place(f->deliveries, f->source.name, &f->place) < 0) {
		snprintf(error_r, size, "%s", deliveries_error(f->deliveries));
		return -1;
	}
	return f->source.open(&f->source, &f->place, error_r, size);
}

/* Stores how far it was read. 0, or -1 with a text. */
static int
commit(struct follower *f, char *error_r, size_t size)
{
	struct deliveries_place to;
	int rc;

	f->source.place(&f->source, &to);
	if (store_sums(f) != 0) {
		snprintf(error_r, size, "%s", deliveries_error(f->deliveries));
		return -1;
	}
	CRASH_POINT("follow-before-commit");
	rc = deliveries_commit(f->deliveries, f->source.name, &f->place, &to);
	CRASH_POINT("follow-after-commit");
	if (rc == 0) {
		f->place = to;
		return 0;
	}
	snprintf(error_r, size, "%s", rc == 1 ? "another postern follow reads this log for the same relay; end one of them"
					      : deliveries_error(f->deliveries));
	return -1;
}

/* What there is, up to a batch: how many lines, or -1 with a text. */
static int
read_batch(struct follower *f, char *error_r, size_t size)
{
	struct maillog_event e;
	int n = 0, rc = 1;

	f->n_sums = 0;
	while (n < BATCH && (rc = f->source.next(&f->source, &e, error_r, size)) == 1) {
		if (n++ == 0 && deliveries_begin(f->deliveries) != 0)
			rc = -2;
		else if (store_event(f, &e) != 0)
			rc = -2;
		if (rc == -2)
			break;
		if (e.kind != MAILLOG_NOTHING)
			f->read_time = e.time;
	}
	if (rc == -2)
		snprintf(error_r, size, "%s", deliveries_error(f->deliveries));
	else if (n > 0 && commit(f, error_r, size) != 0)
		rc = -2;
	return rc < 0 ? -1 : n;
}

static void
prune(struct follower *f)
{
	int64_t keep = (int64_t)f->policy->audit_keep * 1000, now = clock_system()->wall_ms(clock_system()->context);

	if (keep == 0 || (f->pruned_ms != 0 && boot_ms() - f->pruned_ms < PRUNE_EVERY_MS))
		return;
	if (deliveries_prune(f->deliveries, now - keep, PRUNE_MAX) < PRUNE_MAX)
		f->pruned_ms = boot_ms();
}

/* Tells monitoring that it looks, and how far it is behind. A log that is read up to its end is not. */
static int
tell_seen(struct follower *f, bool is_all)
{
	int64_t now = clock_system()->wall_ms(clock_system()->context), behind = is_all || f->read_time == 0 ? 0 : now - f->read_time;

	if (f->seen_ms != 0 && boot_ms() - f->seen_ms < SEEN_EVERY_MS)
		return 0;
	f->seen_ms = boot_ms();
	return deliveries_seen(f->deliveries, now, behind < 0 ? 0 : behind);
}

/* The policy as it is now: next hops may have changed. */
static void
load_policy(struct follower *f)
{
	struct problems *problems = NULL;
	struct policy *p;

	if (boot_ms() - f->policy_ms < POLICY_EVERY_MS)
		return;
	f->policy_ms = boot_ms();
	p = policy_load(f->o->file, &problems);
	if (p == NULL)
		fprintf(stderr, "postern follow: %s has errors; what it said before holds\n", f->o->file);
	problems_free(&problems);
	if (p == NULL)
		return;
	policy_unref(&f->policy);
	f->policy = p;
	f->last_hop[0] = '\0';
}

static void
say_failure(struct follower *f, const char *error)
{
	if (f->said_ms != 0 && boot_ms() - f->said_ms < SAY_EVERY_MS)
		return;
	say(error);
	f->said_ms = boot_ms();
}

/* One turn of reading: how many lines and reports, or -1. */
static int
turn(struct follower *f)
{
	char error[600] = "";
	int n = open_all(f, error, sizeof error) == 0 ? read_batch(f, error, sizeof error) : -1;
	int reports = n < 0 || f->reports == NULL ? 0 : follow_reports_read(f->reports, f->deliveries, f->policy);

	if (n >= 0 && (reports < 0 || tell_seen(f, n < BATCH) != 0)) {
		snprintf(error, sizeof error, "%s", deliveries_error(f->deliveries));
		n = -1;
	} else if (n >= 0) {
		n += reports;
	}
	if (n < 0) {
		say_failure(f, error);
		close_all(f); /* what was not committed is read again */
	} else {
		prune(f);
	}
	return n;
}

static int
follow(struct follower *f)
{
	int n = 0;

	while (!ended && (n = turn(f)) >= (f->o->once ? 1 : -1)) {
		load_policy(f);
		if (n < 0 && !ended)
			(void)usleep(AGAIN_MS * 1000);
		else if (n == 0 && !ended)
			f->source.wait(&f->source, LOOK_EVERY_MS);
	}
	close_all(f);
	return f->o->once && n < 0 ? 1 : 0;
}

/* Files that root makes here nobody else could use. */
static bool
is_wrong_root(const struct policy *p)
{
	struct stat st;

	return geteuid() == 0 && strncmp(p->database, "sqlite:", 7) == 0 && stat(p->database + 7, &st) == 0 && st.st_uid != 0;
}

int
command_follow(int argc, char **argv)
{
	struct options o = {.file = COMMAND_POLICY_FILE};
	struct follower f = {.o = &o};
	const struct sigaction stop = {.sa_handler = end};
	struct problems *problems = NULL;
	int rc = read_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	f.policy = policy_load(o.file, &problems);
	if (f.policy == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (f.policy == NULL)
		return 1;
	f.policy_ms = boot_ms();
	rc = 1;
	if (is_wrong_root(f.policy)) {
		say("not as root: run it as a user of its own that may read the log; the guide's page on deliveries says how");
	} else {
		(void)signal(SIGPIPE, SIG_IGN);
		(void)sigaction(SIGTERM, &stop, NULL);
		(void)sigaction(SIGINT, &stop, NULL);
		relay_name(f.policy, f.relay, sizeof f.relay);
		f.senders = follow_senders_new();
		f.reports = o.reports == NULL ? NULL : follow_reports_new(o.reports, say);
		if (f.senders == NULL || (o.reports != NULL && f.reports == NULL))
			say("memory is short, or the path of --reports too long");
		else
			rc = follow(&f);
	}
	follow_senders_free(&f.senders);
	follow_reports_free(&f.reports);
	text_free(&f.tenants);
	policy_unref(&f.policy);
	return rc;
}
