/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Patterns that backtrack without end, against text made for them: what a
 * message may cost is bounded, and a rule that cannot be decided for it is never
 * taken for one that does not match. The thread's CPU clock is ours: it moves on
 * by a step each time it is asked, so that nothing here depends on speed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "tests/scenario/fake.h"
#include "tests/scenario/stage.h"

#define BUDGET_US 2000000      /* as gate/session.c has it */
#define CHUNK 65535u
#define LARGE (20u << 20)
#define SUBJECT_OCTETS 40000u

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

static struct {
	int64_t now_us, step_us;
	size_t asked;
} cpu;

int
__wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	if (id != CLOCK_THREAD_CPUTIME_ID)
		return __real_clock_gettime(id, t);
	cpu.asked++;
	cpu.now_us += cpu.step_us;
	t->tv_sec = (time_t)(cpu.now_us / 1000000);
	t->tv_nsec = (long)(cpu.now_us % 1000000) * 1000;
	return 0;
}

/* A pattern, text that keeps it busy for nothing, and text that matches. */
static const struct {
	const char *pattern, *bait, *match;
} cases[] = {
	{"(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa! ", "aaa"},
	{"(.*)*x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ", "x"},
	{"(\\w+)+\\d", "wordwordwordwordwordwordwordwordwordwordwordword- ", "word1"},
	{"^(([a-z])+.)+[A-Z]([a-z])+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a Aa"},
	{"(a|aa)+(b|bb)+\\1c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbb ", "aaabbbac"},
	{"((a*)*(b*)*)*\\2c", "aaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbaaaaaaaaaaaaaaaaa ", "ac"},
	{"(?:(x+)(x+))+\\1\\2y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ", "xxxxy"},
	{"(.*?,){11}P", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20, ", "1,2,3,4,5,6,7,8,9,10,11,P"},
	{"(?s).*?(.+)+END", "endendendendendendendendendendendendendendendend ", "END"},
	{"(?=(a+))a*b\\1c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab ", "aabaac"},
	{"(((a|a|a){2}(a|a|a){2}){2}((a|a|a){2}(a|a|a){2}){2}){2}b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ",
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"},
	{"plain", "plaiplaiplaiplai ", "plain"},
};
#define CASES (sizeof cases / sizeof cases[0])

static struct gate gate;
static unsigned failures;
static size_t checked;

static void
check(bool good, const char *what, const char *detail)
{
	checked++;
	if (good)
		return;
	printf("%s: %s\n", what, detail);
	failures++;
}

static void
set_clock(int64_t step_us)
{
	cpu.now_us = 0;
	cpu.step_us = step_us;
	cpu.asked = 0;
}

static void
set_rules(const char *condition, const char *pattern)
{
	struct text t = {0};

	text_printf(&t, " - {name: x, %s: '/%s/', action: reject}\n", condition, pattern);
	stage_set(&gate, "rules.yaml", text_string(&t));
	text_free(&t);
}

static struct session *
connect(void)
{
	struct session_connect c = {.name = "client.example"};
	struct session *s;

	if (ip_parse("10.1.2.3", &c.ip) != 0 || (s = session_new(&gate, &c)) == NULL)
		exit(1);
	return s;
}

static void
envelope(struct session *s)
{
	const struct session_mail mail = {.sender = "<crm@contoso.com>"};

	(void)session_mail(s, &mail);
	(void)session_rcpt(s, "<bob@example.net>", NULL, NULL, NULL);
	session_header(s, "From", " crm@contoso.com");
}

/* The bait over and over for so many octets, then the match. */
static char *
hostile(size_t i, size_t octets, size_t *len_r)
{
	const char *bait = cases[i].bait;
	size_t n = strlen(bait), m = strlen(cases[i].match);
	char *s = malloc(octets + m + 1);

	if (s == NULL)
		exit(1);
	for (size_t at = 0; at < octets; at++)
		s[at] = bait[at % n];
	memcpy(s + octets, cases[i].match, m + 1);
	*len_r = octets + m;
	return s;
}

/* As text with lines: each time the bait is over one ends. */
static void
break_lines(char *s, size_t octets)
{
	for (size_t at = 900; at + 1 < octets; at += 900)
		memcpy(s + at, "\r\n", 2);
}

static const struct reply *
with_subject(struct session *s, size_t i)
{
	size_t len;
	char *subject = hostile(i, SUBJECT_OCTETS, &len);
	const struct edit *edits;

	envelope(s);
	session_header(s, "Subject", subject);
	free(subject);
	session_eoh(s);
	return session_eom(s, NULL, &edits);
}

static const struct reply *
with_body(struct session *s, size_t i)
{
	size_t len;
	char *body = hostile(i, LARGE, &len);
	const struct edit *edits;

	break_lines(body, LARGE);
	envelope(s);
	session_eoh(s);
	for (size_t at = 0; at < len; at += CHUNK)
		(void)session_body(s, body + at, len - at < CHUNK ? len - at : CHUNK);
	free(body);
	return session_eom(s, NULL, &edits);
}

static bool
is_refused(const struct reply *r, int code, const char *keyword)
{
	return r->action == ACTION_REFUSE && r->code == code && strstr(r->text, keyword) != NULL;
}

/* From the first question on the budget is spent: unknown, also of what would be
 * found at once. */
static void
test_spent(void)
{
	for (size_t i = 0; i < CASES; i++) {
		struct session *s;

		set_rules("subject", cases[i].pattern);
		s = connect();
		set_clock(BUDGET_US + 1);
		check(is_refused(with_subject(s, i), 451, "[cannot-decide]"), "subject, spent", cases[i].pattern);
		session_free(&s);
		set_rules("body", cases[i].pattern);
		s = connect();
		set_clock(BUDGET_US + 1);
		check(is_refused(with_body(s, i), 451, "[cannot-decide]"), "body, spent", cases[i].pattern);
		session_free(&s);
	}
}

/* The budget is worth so many questions: no more are asked of patterns, but for
 * the two around each call. What matches is found or unknown, never overlooked. */
static void
test_bounded(void)
{
	const size_t worth = 400;

	for (size_t i = 0; i < 2 * CASES; i++) {
		const char *pattern = cases[i / 2].pattern;
		struct session *s;
		const struct edit *edits;
		const struct reply *r;
		size_t most = worth + 20 + (i % 2 == 0 ? 0 : 2 * (LARGE / CHUNK + 2));

		set_rules(i % 2 == 0 ? "subject" : "body", pattern);
		s = connect();
		set_clock(BUDGET_US / (int64_t)worth);
		r = i % 2 == 0 ? with_subject(s, i / 2) : with_body(s, i / 2);
		check(is_refused(r, 451, "[cannot-decide]") || is_refused(r, 550, "[rule:x]"), "overlooked", pattern);
		check(cpu.asked <= most, "asked too often", pattern);
		/* The next message has a budget of its own. */
		set_clock(BUDGET_US / (int64_t)worth);
		envelope(s);
		r = session_eom(s, NULL, &edits);
		check(r->action == ACTION_ACCEPT, "the next message", pattern);
		session_free(&s);
	}
}

/* One budget for all rules and all recipients of a message. */
static void
test_shared(void)
{
	const struct session_mail mail = {.sender = "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@contoso.com>"};
	const size_t worth = 400, recipients = 500, rules = 20;
	const struct edit *edits;
	struct text t = {0};
	struct session *s;

	for (size_t i = 0; i < rules; i++)
		text_printf(&t, " - {name: r%zu, recipients: external, sender: ['/(a+)+$/', '/(a*)*x/'], action: reject}\n", i);
	stage_set(&gate, "rules.yaml", text_string(&t));
	text_free(&t);
	s = connect();
	set_clock(BUDGET_US / (int64_t)worth);
	(void)session_mail(s, &mail);
	for (size_t i = 0; i < recipients; i++)
		(void)session_rcpt(s, "<bob@example.net>", NULL, NULL, NULL);
	session_header(s, "From", " crm@contoso.com");
	session_eoh(s);
	check(is_refused(session_eom(s, NULL, &edits), 451, "[cannot-decide]"), "shared", "not unknown");
	/* For each recipient the two around the call and one for each pattern of the rule that is unknown. */
	check(cpu.asked <= worth + recipients * 4 + rules * 2 * 2 + 20, "shared", "asked too often");
	session_free(&s);
}

/* Calls that come on several threads see several clocks: only what passes within
 * a call counts. */
static void
test_threads(void)
{
	const struct edit *edits;
	struct session *s;
	const struct reply *r;

	set_rules("body", "END$");
	s = connect();
	set_clock(1);
	envelope(s);
	cpu.now_us = INT64_C(3600) * 1000000;
	session_eoh(s);
	for (int i = 0; i < 50; i++) {
		cpu.now_us = i % 2 == 0 ? 5 : INT64_C(7200) * 1000000;
		(void)session_body(s, "word word word\r\n", 16);
	}
	(void)session_body(s, "END", 3);
	cpu.now_us = INT64_C(9999) * 1000000;
	r = session_eom(s, NULL, &edits);
	check(is_refused(r, 550, "[rule:x]"), "threads", r->text);
	session_free(&s);
}

/* Many small calls add up. */
static void
test_adds_up(void)
{
	const struct edit *edits;
	struct session *s;
	const struct reply *r;

	set_rules("body", "END$");
	s = connect();
	set_clock(BUDGET_US / 200);
	envelope(s);
	session_eoh(s);
	for (int i = 0; i < 300; i++)
		(void)session_body(s, "word word word\r\n", 16);
	(void)session_body(s, "END", 3);
	r = session_eom(s, NULL, &edits);
	check(is_refused(r, 451, "[cannot-decide]"), "adds up", r->text);
	session_free(&s);
}

int
main(void)
{
	test_spent();
	test_bounded();
	test_shared();
	test_threads();
	test_adds_up();
	stage_clear(&gate);
	printf("%zu checked, %u failed\n", checked, failures);
	return failures == 0 ? 0 : 1;
}
