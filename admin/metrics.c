/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern metrics: what monitoring counts, as the text format of Prometheus. Counters are the sums of
 * all time in the roll-ups, so that they only grow; nothing of the audit's rows is read.
 *
 * Labels are names of the policy, never those of senders or clients. What is beyond SERIES goes under
 * app="other", and always the same: the groups that were there first keep their name.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/http.h"
#include "admin/limits.h"
#include "admin/output.h"
#include "base/clock.h"
#include "policy/file/file.h"
#include "policy/pause.h"

/* Of one metric. */
#define SERIES 2000

struct group {
	const char *app, *verdict, *reason;
	struct store_traffic sum;
};

struct holding {
	const char *app, *state;
	uint64_t messages;
};

/* Something that a follower counted. */
struct counted {
	const char *relay, *kind, *tenants, *status, *class;
	int64_t count, behind_ms;
};

struct metrics {
	struct arena *arena;
	struct text out;
	struct group *groups;
	size_t n_groups, room;
	struct holding held[SERIES];
	size_t n_held;
	struct counted counted[SERIES];
	size_t n_counted;
	struct store_traffic total;
	const struct limits *limits;
	const struct policy *policy;
	uint64_t *paused;         /* of each tenant, how many pauses upstream */
	bool is_followed;
	struct store_timing timings[SERIES / 10];
	size_t n_timings;
};

static void
usage(FILE *to)
{
	fputs("usage: postern metrics [-c FILE] [--listen ADDRESS]\n"
	      "Counters and gauges in the text format of Prometheus.\n"
	      "  -c, --config FILE  the policy file that names the database (default " COMMAND_POLICY_FILE ")\n"
	      "  --listen ADDRESS   serve them at http://ADDRESS/metrics, such as 127.0.0.1:9189, until it is stopped\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

/* ---- the format */

static void
begin(struct metrics *m, const char *name, const char *type, const char *help)
{
	text_printf(&m->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The value of a label: the format wants UTF-8 and escapes these three. */
static void
add_label(struct metrics *m, const char *before, const char *name, const char *s)
{
	size_t len = strlen(s), used;

	text_printf(&m->out, "%s%s=\"", before, name);
	for (size_t i = 0; i < len; i += used) {
		if (text_utf8_next(s + i, len - i, &used) < 0)
			text_add(&m->out, "\xef\xbf\xbd");
		else if (s[i] == '\n')
			text_add(&m->out, "\\n");
		else if (s[i] == '"' || s[i] == '\\')
			text_printf(&m->out, "\\%c", s[i]);
		else
			text_add_octets(&m->out, s + i, used);
	}
	text_add_char(&m->out, '"');
}

static void
end_labels(struct metrics *m, uint64_t n)
{
	text_printf(&m->out, "} %llu\n", (unsigned long long)n);
}

static void
add_plain(struct metrics *m, const char *name, uint64_t n)
{
	text_printf(&m->out, "%s %llu\n", name, (unsigned long long)n);
}

/* ---- messages */

static int
keep_total(void *context, const struct store_traffic *s)
{
	struct metrics *m = context;

	m->total = *s;
	return 0;
}

static int
keep_group(void *context, const struct store_traffic *s)
{
	struct metrics *m = context;

	if (m->n_groups == m->room) {
		struct group *more = arena_array(m->arena, m->room = m->room == 0 ? 256 : 2 * m->room, sizeof *more);

		if (more == NULL)
			return 1;
		if (m->n_groups > 0)
			memcpy(more, m->groups, m->n_groups * sizeof *more);
		m->groups = more;
	}
	m->groups[m->n_groups++] = (struct group){
		.app = arena_string(m->arena, s->app), .verdict = arena_string(m->arena, s->verdict),
		.reason = arena_string(m->arena, s->reason), .sum = *s,
	};
	return 0;
}

static int
compare_age(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int c;

	if (x->sum.first != y->sum.first)
		return x->sum.first < y->sum.first ? -1 : 1;
	c = strcmp(x->app, y->app);
	if (c == 0)
		c = strcmp(x->verdict, y->verdict);
	return c != 0 ? c : strcmp(x->reason, y->reason);
}

static int
compare_verdict(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return strcmp(x->verdict, y->verdict);
}

static void
add_group(struct metrics *m, const char *app, const char *verdict, const char *reason, uint64_t n)
{
	text_add(&m->out, "postern_messages_total");
	add_label(m, "{", "app", app);
	add_label(m, ",", "verdict", verdict);
	add_label(m, ",", "reason", reason);
	end_labels(m, n);
}

/* Those that came after the first SERIES, by verdict. */
static void
add_others(struct metrics *m)
{
	struct group *g = m->groups + SERIES;
	size_t n = m->n_groups - SERIES;

	qsort(g, n, sizeof *g, compare_verdict);
	for (size_t i = 0, k; i < n; i = k) {
		uint64_t sum = 0;

		for (k = i; k < n && strcmp(g[k].verdict, g[i].verdict) == 0; k++)
			sum += g[k].sum.messages;
		add_group(m, "other", g[i].verdict, "other", sum);
	}
}

static void
add_messages(struct metrics *m)
{
	begin(m, "postern_messages_total", "counter", "Messages decided, by app, what the MTA was told, and why.");
	if (m->n_groups > 0)
		qsort(m->groups, m->n_groups, sizeof *m->groups, compare_age);
	for (size_t i = 0; i < m->n_groups && i < SERIES; i++)
		add_group(m, m->groups[i].app, m->groups[i].verdict, m->groups[i].reason, m->groups[i].sum.messages);
	if (m->n_groups > SERIES)
		add_others(m);
}

static void
add_sums(struct metrics *m)
{
	const struct {
		const char *name, *help;
		uint64_t n;
	} sums[] = {
		{"postern_unsigned_messages_total", "Messages accepted or held that left without a signature.", m->total.is_unsigned},
		{"postern_trial_messages_total", "Messages that would have fared otherwise with nothing on trial.", m->total.on_trial},
		{"postern_recipients_total", "Recipients of messages accepted or held.", m->total.recipients},
		{"postern_external_recipients_total", "Those of them outside the accepted domains.", m->total.external},
		{"postern_message_bytes_total", "Octets of messages accepted or held.", m->total.bytes},
	};

	for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
		begin(m, sums[i].name, "counter", sums[i].help);
		add_plain(m, sums[i].name, sums[i].n);
	}
}

static void
add_seconds(struct metrics *m, const char *name, uint64_t us)
{
	text_printf(&m->out, "%s %llu.%06llu\n", name, (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static void
add_decisions(struct metrics *m)
{
	uint64_t n = m->total.messages - m->total.counted;

	begin(m, "postern_decision_seconds", "histogram", "How long deciding and signing a message took, refusals that are counted aside.");
	for (int i = 0; i < STORE_TRAFFIC_BUCKETS; i++)
		text_printf(&m->out, "postern_decision_seconds_bucket{le=\"%g\"} %llu\n", (double)store_traffic_within_us[i] / 1e6,
			    (unsigned long long)m->total.within[i]);
	text_printf(&m->out, "postern_decision_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)n);
	add_seconds(m, "postern_decision_seconds_sum", m->total.decide_us);
	add_plain(m, "postern_decision_seconds_count", n);
}

/* ---- what posternd noted of itself */

static int
keep_timing(void *context, const struct store_timing *t)
{
	struct metrics *m = context;

	if (m->n_timings < SERIES / 10) {
		m->timings[m->n_timings] = *t;
		m->timings[m->n_timings].relay = arena_string(m->arena, t->relay);
		m->timings[m->n_timings++].what = arena_string(m->arena, t->what);
	}
	return 0;
}

static void
add_histogram(struct metrics *m, const char *what, const char *name, const char *help)
{
	begin(m, name, "histogram", help);
	for (size_t i = 0; i < m->n_timings; i++) {
		const struct store_timing *t = &m->timings[i];
		char bound[32];

		if (strcmp(t->what, what) != 0)
			continue;
		for (int k = 0; k <= STORE_TRAFFIC_BUCKETS; k++) {
			snprintf(bound, sizeof bound, "%g", k < STORE_TRAFFIC_BUCKETS ? (double)store_traffic_within_us[k] / 1e6 : 0);
			text_printf(&m->out, "%s_bucket", name);
			add_label(m, "{", "relay", t->relay);
			add_label(m, ",", "le", k < STORE_TRAFFIC_BUCKETS ? bound : "+Inf");
			end_labels(m, k < STORE_TRAFFIC_BUCKETS ? t->within[k] : t->count);
		}
		text_printf(&m->out, "%s_sum", name);
		add_label(m, "{", "relay", t->relay);
		text_printf(&m->out, "} %.6f\n", (double)t->sum_us / 1e6);
		text_printf(&m->out, "%s_count", name);
		add_label(m, "{", "relay", t->relay);
		end_labels(m, t->count);
	}
}

static void
add_timings(struct metrics *m)
{
	if (m->n_timings == 0)
		return;
	add_histogram(m, "admit", "postern_admit_seconds", "How long a message waited until its row was written and its limits charged.");
	add_histogram(m, "sign", "postern_sign_seconds", "How long signing a message took.");
	begin(m, "postern_writer_queue", "gauge", "The most messages that waited at once to be written, in the ten seconds before they were counted last.");
	for (size_t i = 0; i < m->n_timings; i++)
		if (strcmp(m->timings[i].what, "admit") == 0) {
			text_add(&m->out, "postern_writer_queue");
			add_label(m, "{", "relay", m->timings[i].relay);
			end_labels(m, m->timings[i].most);
		}
}

/* ---- what stands now */

/* Relays aside; the last of the room is for all apps that find none. */
static int
keep_holding(void *context, const struct store_holding *h)
{
	struct metrics *m = context;
	bool is_full = m->n_held >= SERIES - 8;
	const char *app = is_full ? "other" : h->app;

	for (size_t i = 0; i < m->n_held; i++)
		if (strcmp(m->held[i].app, h->app) == 0 && strcmp(m->held[i].state, h->state) == 0) {
			m->held[i].messages += h->messages;
			return 0;
		}
	for (size_t i = 0; is_full && i < m->n_held; i++)
		if (strcmp(m->held[i].app, app) == 0 && strcmp(m->held[i].state, h->state) == 0) {
			m->held[i].messages += h->messages;
			return 0;
		}
	if (m->n_held < SERIES)
		m->held[m->n_held++] = (struct holding){
			arena_string(m->arena, app), arena_string(m->arena, h->state), h->messages,
		};
	return 0;
}

static void
add_held(struct metrics *m)
{
	begin(m, "postern_held_messages", "gauge", "Messages that the MTA holds: waiting for a limit, kept until somebody lets them go, or on their way.");
	for (size_t i = 0; i < m->n_held; i++) {
		text_add(&m->out, "postern_held_messages");
		add_label(m, "{", "app", m->held[i].app);
		add_label(m, ",", "state", m->held[i].state);
		end_labels(m, m->held[i].messages);
	}
}

static uint64_t
used_of(const struct limits_row *r)
{
	return r->used;
}

static uint64_t
count_of(const struct limits_row *r)
{
	return r->count + r->boost;
}

static uint64_t
waiting_of(const struct limits_row *r)
{
	return r->waiting;
}

static uint64_t
reached_of(const struct limits_row *r)
{
	return r->is_reached ? 1 : 0;
}

/* One series per limit: of a limit per key the counter that is fullest. */
static void
add_limits(struct metrics *m)
{
	static const struct {
		const char *name, *help;
		uint64_t (*of)(const struct limits_row *r);
	} kinds[] = {
		{"postern_limit_used", "Use of a limit in its period; of a limit per sender and the like, of the fullest.", used_of},
		{"postern_limit_allowed", "What the limit allows, with what an operator added for now.", count_of},
		{"postern_limit_waiting", "Messages that wait for the limit.", waiting_of},
		{"postern_limit_reached", "1 from the first message that it stopped until such a message fits again.", reached_of},
	};

	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		begin(m, kinds[k].name, "gauge", kinds[k].help);
		for (size_t i = 0; i < m->limits->n_rows && i < SERIES; i++) {
			text_add(&m->out, kinds[k].name);
			add_label(m, "{", "limit", m->limits->rows[i].limit->name);
			add_label(m, ",", "unit", limit_unit_name(m->limits->rows[i].limit->unit));
			end_labels(m, kinds[k].of(&m->limits->rows[i]));
		}
	}
	begin(m, "postern_limits_left_out", "gauge", "Limits that have no series because there are too many.");
	add_plain(m, "postern_limits_left_out", m->limits->n_rows > SERIES ? m->limits->n_rows - SERIES : 0);
}

/* When the oldest of a tenant's lists was changed. */
static uint64_t
list_time(const struct tenant *t)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < t->n_sources; i++)
		oldest = t->sources[i].modified < oldest ? t->sources[i].modified : oldest;
	return t->n_sources == 0 || oldest < 0 ? 0 : (uint64_t)oldest;
}

static void
add_ages(struct metrics *m, const struct policy *p, const char *file)
{
	struct stat st;

	begin(m, "postern_build_info", "gauge", "1; the version is its label.");
	text_add(&m->out, "postern_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	begin(m, "postern_last_message_timestamp_seconds", "gauge", "When the last message was decided; 0 for never.");
	add_plain(m, "postern_last_message_timestamp_seconds", (uint64_t)m->total.last / 1000);
	if (stat(file, &st) == 0) {
		begin(m, "postern_policy_timestamp_seconds", "gauge", "When the policy file was last changed.");
		add_plain(m, "postern_policy_timestamp_seconds", st.st_mtime < 0 ? 0 : (uint64_t)st.st_mtime);
	}
	begin(m, "postern_accepted_domains_timestamp_seconds", "gauge", "When the tenant's list of accepted domains was last changed.");
	for (size_t i = 0; i < p->n_tenants && i < SERIES; i++) {
		text_add(&m->out, "postern_accepted_domains_timestamp_seconds");
		add_label(m, "{", "tenant", p->tenants[i].name);
		end_labels(m, list_time(&p->tenants[i]));
	}
}

/* ---- what the followers say */

static int
keep_counted(void *context, const struct store_followed *f)
{
	struct metrics *m = context;
	struct arena *a = m->arena;

	if (m->n_counted < SERIES)
		m->counted[m->n_counted++] = (struct counted){
			arena_string(a, f->relay), arena_string(a, f->kind), arena_string(a, f->tenants), arena_string(a, f->status),
			arena_string(a, f->class), f->count, f->behind_ms,
		};
	return 0;
}

/* ",contoso," as it is named. */
static const char *
tenants_of(struct metrics *m, const struct counted *c)
{
	size_t len = strlen(c->tenants);

	return len < 2 ? "" : arena_printf(m->arena, "%.*s", (int)(len - 2), c->tenants + 1);
}

static void
add_counted(struct metrics *m, const char *kind, const char *name, const char *const labels[3])
{
	for (size_t i = 0; i < m->n_counted; i++) {
		const struct counted *c = &m->counted[i];

		if (strcmp(c->kind, kind) != 0)
			continue;
		text_add(&m->out, name);
		add_label(m, "{", "relay", c->relay);
		if (labels[0] != NULL)
			add_label(m, ",", labels[0], tenants_of(m, c));
		if (labels[1] != NULL)
			add_label(m, ",", labels[1], c->status);
		if (labels[2] != NULL)
			add_label(m, ",", labels[2], c->class);
		end_labels(m, c->count < 0 ? 0 : (uint64_t)c->count);
	}
}

static void
add_states(struct metrics *m, const char *name, bool is_behind)
{
	for (size_t i = 0; i < m->n_counted; i++) {
		const struct counted *c = &m->counted[i];

		if (strcmp(c->kind, "state") != 0)
			continue;
		text_add(&m->out, name);
		add_label(m, "{", "relay", c->relay);
		end_labels(m, (uint64_t)(is_behind ? c->behind_ms : c->count) / 1000);
	}
}

static int
keep_paused(void *context, const struct store_upstream *u)
{
	const struct pause_facts facts = {.since = u->since, .said = u->said, .good = u->good, .lifted = u->lifted, .wait_ms = u->wait_ms};
	struct metrics *m = context;

	m->is_followed = true;
	if (pause_state(&facts, clock_system()->wall_ms(NULL), NULL) == PAUSE_CLOSED)
		return 0;
	for (size_t i = 0; i < m->policy->n_tenants; i++)
		m->paused[i] += strcmp(m->policy->tenants[i].name, u->tenant) == 0 && m->policy->tenants[i].upstream_pause;
	return 0;
}

static void
add_paused(struct metrics *m)
{
	begin(m, "postern_upstream_pauses", "gauge", "Replies of the next hop that mail of the tenant waits for now.");
	for (size_t i = 0; i < m->policy->n_tenants; i++) {
		text_add(&m->out, "postern_upstream_pauses");
		add_label(m, "{", "tenant", m->policy->tenants[i].name);
		end_labels(m, m->paused[i]);
	}
}

static void
add_followed(struct metrics *m)
{
	if (m->is_followed || m->n_counted > 0)
		add_paused(m);
	if (m->n_counted == 0)
		return;
	begin(m, "postern_upstream_tries_total", "counter", "Tries to deliver to a recipient, by tenant whose next hop it was, outcome and what the reply is about.");
	add_counted(m, "try", "postern_upstream_tries_total", (const char *const[]){"tenant", "status", "class"});
	begin(m, "postern_upstream_reports_total", "counter", "Recipients reported by mail, whoever mailed it, by what is said and what it is about.");
	add_counted(m, "report", "postern_upstream_reports_total", (const char *const[]){NULL, "action", "class"});
	begin(m, "postern_report_files_total", "counter", "Messages read in the folder of reports: report, incomplete (some recipients of a report), broken, other.");
	add_counted(m, "file", "postern_report_files_total", (const char *const[]){NULL, "kind", NULL});
	begin(m, "postern_follow_seen_timestamp_seconds", "gauge", "When postern follow last looked.");
	add_states(m, "postern_follow_seen_timestamp_seconds", false);
	begin(m, "postern_follow_behind_seconds", "gauge", "How old the line was that it had read then; 0 at the end of the log.");
	add_states(m, "postern_follow_behind_seconds", true);
}

/* ---- how large it is */

static void
add_size(struct metrics *m, const char *path, const char *end, const char *label)
{
	static const char *const parts[] = {"", "-wal"};
	uint64_t size = 0;
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		const char *name = arena_printf(m->arena, "%s%s%s", path, end, parts[i]);

		if (name != NULL && stat(name, &st) == 0)
			size += (uint64_t)st.st_size;
		else if (i == 0)
			return;
	}
	text_add(&m->out, "postern_database_bytes");
	add_label(m, "{", "database", label);
	end_labels(m, size);
}

/* Of files, with their write-ahead logs. */
static void
add_sizes(struct metrics *m, const char *url)
{
	if (strncmp(url, "sqlite:", 7) != 0)
		return;
	begin(m, "postern_database_bytes", "gauge", "The size of an SQLite database, with its write-ahead log.");
	add_size(m, url + 7, "", "audit");
	add_size(m, url + 7, "-deliveries", "deliveries");
}

/* ---- all of it */

static int
read_all(struct metrics *m, struct store_reader *r, const char **error_r)
{
	const struct store_traffic_query all = {.ever = true};
	const struct store_traffic_query groups = {
		.ever = true, .by = STORE_TRAFFIC_APP | STORE_TRAFFIC_VERDICT | STORE_TRAFFIC_REASON,
	};
	int rc = store_reader_traffic(r, &all, keep_total, m, error_r);

	if (rc == 0)
		rc = store_reader_traffic(r, &groups, keep_group, m, error_r);
	if (rc == 0)
		rc = store_reader_holding(r, keep_holding, m, error_r);
	if (rc == 0)
		rc = store_reader_timings(r, keep_timing, m, error_r);
	if (rc == 0)
		rc = store_reader_upstream(r, keep_paused, m, error_r);
	if (rc == 0)
		rc = store_reader_followed(r, keep_counted, m, error_r);
	if (rc == STORE_NO_DELIVERIES)
		rc = 0;
	if (rc > 0 || arena_failed(m->arena))
		*error_r = "memory is short";
	return rc == 0 && !arena_failed(m->arena) ? 0 : -1;
}

static void
write_all(struct metrics *m, const struct policy *p, const char *file)
{
	add_messages(m);
	add_sums(m);
	add_decisions(m);
	add_timings(m);
	add_held(m);
	add_limits(m);
	add_ages(m, p, file);
	add_followed(m);
	add_sizes(m, p->database);
}

static int
fail(const char *what)
{
	fprintf(stderr, "postern metrics: %s\n", what);
	return 1;
}

/* All of it, or nothing and -1 with a static text. The caller frees `out`. */
static int
collect(struct policy *p, struct store_reader *r, const char *file, struct text *out, const char **error_r)
{
	const struct limits_query q = {.policy = p, .reader = r, .app = "", .limit = "", .keys = 1, .without_spenders = true};
	struct metrics *m = calloc(1, sizeof *m);
	struct limits *limits = NULL;
	int rc = -1;

	*error_r = "memory is short";
	if (m != NULL) {
		m->policy = p;
		m->arena = arena_new(0);
		m->paused = calloc(p->n_tenants + 1, sizeof *m->paused);
	}
	if (m != NULL && m->arena != NULL && m->paused != NULL && read_all(m, r, error_r) == 0 && (limits = limits_read(&q, error_r)) != NULL) {
		m->limits = limits;
		write_all(m, p, file);
		*out = m->out;
		*error_r = "memory is short";
		rc = out->failed ? -1 : 0;
	}
	limits_free(&limits);
	if (m != NULL) {
		free(m->paused);
		arena_free(&m->arena);
	}
	free(m);
	return rc;
}

static int
print(struct policy *p, struct store_reader *r, const char *file)
{
	struct text out = {0};
	struct output output;
	const char *error;
	int rc;

	if (collect(p, r, file, &out, &error) != 0)
		rc = fail(error);
	else
		rc = output_open(&output, "metrics", NULL) == 0 && output_write(&output, text_string(&out), out.len) == 0 ? 0 : 1;
	text_free(&out);
	return rc;
}

/* ---- served */

struct service {
	const char *file;
	struct policy *policy;
};

/* The policy as it is now; while its file is wrong, as it was. */
static void
renew(struct service *s)
{
	struct problems *problems = NULL;
	struct policy *p = policy_load(s->file, &problems);

	problems_free(&problems);
	if (p == NULL)
		return;
	policy_unref(&s->policy);
	s->policy = p;
}

static unsigned
answer(void *context, const char *path, struct http_page *page)
{
	struct service *s = context;
	struct store_reader *r;
	char text[512];
	const char *error = text;
	unsigned status = 503;

	if (strcmp(path, "/metrics") != 0) {
		text_add(&page->body, "there is /metrics\n");
		return 404;
	}
	renew(s);
	r = store_reader_open(s->policy->database, text, sizeof text); /* anew: the file may be another one by now */
	if (r != NULL && collect(s->policy, r, s->file, &page->body, &error) == 0) {
		page->type = "text/plain; version=0.0.4; charset=utf-8";
		status = 200;
	} else {
		fail(error);
		text_free(&page->body);
		text_add(&page->body, "the database cannot be read; standard error says why\n");
	}
	store_reader_close(&r);
	return status;
}

static int
serve(struct policy **p, const char *file, const char *address)
{
	struct service s = {file, *p};
	char error[300];
	int rc = http_serve(address, answer, &s, error, sizeof error);

	*p = s.policy;
	return rc == 0 ? 0 : fail(error);
}

/* ---- the command */

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, const char **file, const char **listen)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"listen", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			*file = optarg;
		else if (c == 'l')
			*listen = optarg;
		else
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	if (optind == argc)
		return -1;
	usage(stderr);
	return 2;
}

int
command_metrics(int argc, char **argv)
{
	const char *file = COMMAND_POLICY_FILE, *listen = NULL;
	struct problems *problems = NULL;
	struct store_reader *r;
	struct policy *p;
	char error[512];
	int rc = read_options(argc, argv, &file, &listen);

	if (rc >= 0)
		return rc;
	p = policy_load(file, &problems);
	if (p == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (p == NULL)
		return 1;
	r = database_open(p, error, sizeof error);
	rc = r == NULL ? fail(error) : listen != NULL ? serve(&p, file, listen) : print(p, r, file);
	store_reader_close(&r);
	policy_unref(&p);
	return rc;
}
