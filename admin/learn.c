/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern learn: a draft of a policy from the mail that the audit remembers, and
 * which clients send without proof. Reads; writes nothing but the draft, which has
 * passed postern check's tests before it is handed out.
 */
#include "config.h"

#include "admin/learn.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/learn_present.h"
#include "admin/learn_yaml.h"
#include "admin/when.h"
#include "base/clock.h"
#include "policy/file/file.h"

#define HEAD_ROOM_MAX 10000u
#define NAMED_MAX 20u

struct options {
	const char *policy, *database, *since, *until, *output;
	unsigned head_room;
	bool json;
};

static void
usage(FILE *to)
{
	fputs("usage: postern learn [-c FILE] [--since WHEN] [--until WHEN] [--database URL] [--head-room PERCENT]\n"
	      "                     [--json] [-o FILE]\n"
	      "  -c, --config FILE    the policy that is there (default " COMMAND_POLICY_FILE ")\n"
	      "  --since WHEN         mail from then on: 14d (the default), 24h, or a date such as 2026-11-17\n"
	      "  --until WHEN         up to then; the default is now\n"
	      "  --database URL       the audit to read; the default is the policy's database\n"
	      "  --head-room PERCENT  how far limits are above the highest use (default 100)\n"
	      "  --json               print JSON instead of a draft\n"
	      "  -o, --output FILE    write to this file, which must not exist\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern learn: %s\n", what);
	usage(stderr);
	return 2;
}

static int
read_head_room(const char *s, unsigned *r)
{
	uint64_t n;

	if (text_to_u64(s, &n) != 0 || n > HEAD_ROOM_MAX)
		return -1;
	*r = (unsigned)n;
	return 0;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"since", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 'u'}, {"database", required_argument, NULL, 'd'},
		{"head-room", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
		{"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:o:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->policy = optarg;
		else if (c == 's')
			o->since = optarg;
		else if (c == 'u')
			o->until = optarg;
		else if (c == 'd')
			o->database = optarg;
		else if (c == 'o')
			o->output = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == 'h')
			return usage(stdout), 0;
		else if (c != 'r')
			return usage(stderr), 2;
		else if (read_head_room(optarg, &o->head_room) != 0)
			return bad_usage("--head-room takes a number of percent, such as 100");
	}
	return optind == argc ? -1 : bad_usage("there is one argument too many");
}

static int
fail(const char *what)
{
	fprintf(stderr, "postern learn: %s\n", what);
	return 1;
}

/* What the audit says of the tenants, for who has no policy file. */
struct seen {
	struct learn_table *names;  /* "tenant: domain" */
};

static int
see(void *context, const struct record *r, const struct charge *charges, size_t n_charges)
{
	struct seen *s = context;
	struct text t = {0};

	(void)charges;
	(void)n_charges;
	for (size_t i = 0; i < r->n_rcpt; i++) {
		if (strcmp(r->rcpt[i].place, "internal") != 0 || r->tenant[0] == '\0')
			continue;
		text_clear(&t);
		text_printf(&t, "%s: %s", r->tenant, r->rcpt[i].domain);
		(void)learn_table_add(s->names, text_string(&t), NULL);
	}
	text_free(&t);
	return 0;
}

static void
say_tenants(const struct learn_table *names)
{
	struct text t = {0};

	for (uint32_t i = 1; i <= learn_table_count(names); i++) {
		text_clear(&t);
		learn_yaml_said(&t, learn_table_text(names, i), 200);
		fprintf(stderr, "  %s\n", text_string(&t));
	}
	text_free(&t);
}

/* Without a policy nobody knows which domains are accepted. */
static int
say_what_is_needed(const struct options *o, const struct store_range *range)
{
	struct policy p = {.database = o->database};
	struct seen s = {.names = learn_table_new(NAMED_MAX)};
	char error[512] = "memory is short";
	const char *why = error;
	struct store_reader *reader = s.names == NULL ? NULL : database_open(&p, error, sizeof error);

	if (reader == NULL || store_reader_messages(reader, range, see, &s, &why) != 0) {
		store_reader_close(&reader);
		learn_table_free(&s.names);
		return fail(why);
	}
	fputs("postern learn: no audit says which domains the tenants accept: a policy file is needed (-c FILE).\n"
	      "This much will do:\n"
	      "\n"
	      "listen: unix:/var/spool/postfix/postern/milter.sock\n"
	      "mode: monitor\n"
	      "unknown-clients: monitor\n"
	      "tenants:\n"
	      "  contoso:                                    # one for each Microsoft 365 tenant\n"
	      "    accepted-domains: accepted-domains.csv    # of Get-AcceptedDomain, or one domain a line\n"
	      "    next-hop: contoso-com.mail.protection.outlook.com\n", stderr);
	if (learn_table_count(s.names) > 0)
		fputs("\nThe audit has mail to these, which were accepted domains then (tenant: domain):\n", stderr);
	say_tenants(s.names);
	store_reader_close(&reader);
	learn_table_free(&s.names);
	return 1;
}

static int
collect(struct learn *l, struct store_reader *reader, const char **error_r)
{
	int rc = store_reader_messages(reader, &l->range, learn_message, l, error_r);

	if (rc == 0)
		rc = store_reader_refusals(reader, &l->range, false, learn_refusal, l, error_r);
	return rc != 0 ? rc : store_reader_refusals(reader, &l->range, true, learn_refusal, l, error_r);
}

static int
make(struct learn *l)
{
	if (learn_group(l) != 0 || learn_senders(l) != 0 || learn_networks(l) != 0 || learn_names(l) != 0)
		return -1;
	learn_sort_findings(l);
	return learn_peaks(l);
}

static int
write_all(int fd, const char *s, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Reads the draft as the daemon would. */
static int
check_draft(const struct text *draft)
{
	const char *folder = getenv("TMPDIR");
	struct problems *problems = NULL;
	struct policy *p = NULL;
	struct text path = {0};
	int fd;

	text_printf(&path, "%s/postern-draft-XXXXXX", folder == NULL || folder[0] == '\0' ? "/tmp" : folder);
	fd = path.failed ? -1 : mkstemp(path.s);
	if (fd < 0 || write_all(fd, draft->s, draft->len) != 0) {
		fprintf(stderr, "postern learn: %s: %s\n", text_string(&path), strerror(errno));
	} else {
		p = policy_load(path.s, &problems);
		if (p == NULL) {
			fputs("postern learn: the draft does not pass; the owner of the database, as whom it is read, must be able to "
			      "read the accepted domains, and anything else is a fault of this program:\n", stderr);
			problems_print(problems, stderr);
		}
	}
	if (fd >= 0) {
		close(fd);
		unlink(path.s);
	}
	text_free(&path);
	problems_free(&problems);
	fd = p == NULL ? -1 : 0;
	policy_unref(&p);
	return fd;
}

/* What is opened and read before the database, for whose sake root is given up. */
struct work {
	const struct options *o;
	struct learn_present *present;
	struct learn *learn;
	int output;
};

static int
open_work(struct work *w, struct policy *p, const struct store_range *range)
{
	char error[512];

	w->output = STDOUT_FILENO;
	w->present = learn_present_read(w->o->policy, error, sizeof error);
	if (w->present == NULL)
		return fail(error);
	w->learn = learn_new(p, w->o->policy);
	if (w->learn == NULL)
		return fail("memory, or room for a temporary file, is short");
	w->learn->range = *range;
	w->learn->head_room = w->o->head_room;
	if (w->o->output != NULL)
		w->output = open(w->o->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (w->output >= 0)
		return 0;
	fprintf(stderr, "postern learn: %s: %s%s\n", w->o->output, strerror(errno),
		errno == EEXIST ? "; what may have been written into it is not overwritten" : "");
	return 1;
}

/* Takes away an output file that holds nothing whole. */
static void
close_work(struct work *w, int rc)
{
	if (w->o->output != NULL && w->output >= 0) {
		close(w->output);
		if (rc != 0 && unlink(w->o->output) != 0)
			fprintf(stderr, "postern learn: %s is left behind\n", w->o->output);
	}
	learn_present_free(&w->present);
	learn_free(&w->learn);
}

static int
write_out(const struct work *w, const char *database)
{
	struct text t = {0};
	int rc = 1;

	if ((w->o->json ? learn_json(w->learn, database, &t) : learn_draft(w->learn, w->present, database, &t)) != 0)
		fail("memory is short");
	else if (w->o->json || check_draft(&t) == 0)
		rc = write_all(w->output, t.s, t.len) == 0 ? 0 : fail(strerror(errno));
	text_free(&t);
	return rc;
}

static int
run(const struct options *o, struct policy *p, const struct store_range *range)
{
	char error[512];
	const char *why = "memory is short";
	struct work w = {.o = o};
	struct store_reader *reader = NULL;
	int rc = open_work(&w, p, range);

	if (o->database != NULL)
		p->database = o->database;
	if (rc == 0 && (reader = database_open(p, error, sizeof error)) == NULL)
		rc = fail(error);
	if (rc == 0 && collect(w.learn, reader, &why) != 0)
		rc = fail(why);
	if (rc == 0 && make(w.learn) != 0)
		rc = fail("memory is short, or a temporary file cannot be read");
	if (rc == 0 && w.learn->messages == 0)
		fputs("postern learn: the audit has no message of that time\n", stderr);
	if (rc == 0)
		rc = write_out(&w, p->database);
	store_reader_close(&reader);
	close_work(&w, rc);
	return rc;
}

int
command_learn(int argc, char **argv)
{
	struct options o = {.since = "14d", .head_room = 100};
	int r = read_options(argc, argv, &o);
	int64_t now = clock_system()->wall_ms(NULL);
	struct store_range range = {.until = now + 1};
	struct problems *problems = NULL;
	struct policy *p;

	if (r >= 0)
		return r;
	if (when_parse(o.since, now, &range.since) != 0)
		return bad_usage("--since takes a time such as 14d, 24h or 2026-11-17");
	if (o.until != NULL && when_parse(o.until, now, &range.until) != 0)
		return bad_usage("--until takes a time such as 14d, 24h or 2026-11-17");
	if (o.policy == NULL && o.database != NULL && access(COMMAND_POLICY_FILE, F_OK) != 0)
		return say_what_is_needed(&o, &range);
	if (o.policy == NULL)
		o.policy = COMMAND_POLICY_FILE;
	p = policy_load(o.policy, &problems);
	if (p == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (p == NULL)
		return 1;
	r = run(&o, p, &range);
	policy_unref(&p);
	return r;
}
