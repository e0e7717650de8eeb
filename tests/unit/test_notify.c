/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of postern notify, and the times of postern limits.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/notify.h"
#include "admin/when.h"

/* ---- texts */

static struct policy *policy;
static struct arena *arena;

static const char *
mail_of(const struct store_event *e, const struct limits_row *row, struct text *t)
{
	const struct notify_event n = { .policy = policy, .e = e, .row = row, .now = 1795519653000 };

	text_clear(t);
	notify_mail(&n, "anna@contoso.com", arena, t);
	assert_false(t->failed);
	return text_string(t);
}

static struct store_event
event(const char *kind, const char *name, const char *key)
{
	return (struct store_event){
		.number = 7, .time = 1795519653000, .relay = "mx1", .kind = kind, .name = name, .scope = "app:crm", .key = key,
		.unit = UNIT_MESSAGES, .period = 900, .used = 30, .count = 30, .over = OVER_DEFER, .mode = "enforce",
		.app = "crm", .tenant = "contoso", .message_id = "01K9ZQ4M7XPGVN3R8YB6T2HCDE",
	};
}

/* No line but the last of a header is longer than it should be, and none has a line end of others. */
static void
check_lines(const char *mail)
{
	size_t column = 0;

	for (const char *p = mail; *p != '\0'; p++) {
		assert_true((uint8_t)*p < 0x80 && *p != '\r');
		column = *p == '\n' ? 0 : column + 1;
		assert_true(column <= 998);
	}
}

static void
plain_is_plain(void **state)
{
	struct store_event e = event("reached", "crm/messages-per-15-minutes", "");
	struct text t = {0};
	const char *mail = mail_of(&e, NULL, &t);

	(void)state;
	check_lines(mail);
	assert_non_null(strstr(mail, "From: Postern <postern@contoso.com>\nTo: <anna@contoso.com>\n"));
	assert_non_null(strstr(mail, "\nSubject: crm/messages-per-15-minutes reached: 30 of 30 used\n"));
	assert_non_null(strstr(mail, "\nDate: Tue, 24 Nov 2026 11:27:33 +0000\n"));
	assert_non_null(strstr(mail, "\nAuto-Submitted: auto-generated\n"));
	assert_non_null(strstr(mail, "\nContent-Transfer-Encoding: 7bit\n\nThe limit"));
	assert_non_null(strstr(mail, "30 of 30 messages in any 15 minutes\n"));
	text_free(&t);
}

static void
each_kind_has_its_words(void **state)
{
	static const struct {
		const char *kind, *mode;
		enum over over;
		const char *words;
	} rows[] = {
		{"near", "enforce", OVER_DEFER, "is nearly used up"}, {"near", "enforce", OVER_DEFER, "Once spent:"},
		{"reached", "enforce", OVER_REJECT, "rejected (550)"}, {"reached", "enforce", OVER_HOLD, "is held"},
		{"reached", "enforce", OVER_OBSERVE, "only observes"}, {"reached", "monitor", OVER_REJECT, "mode: monitor"},
		{"freed", "enforce", OVER_DEFER, "has room again"}, {"freed", "enforce", OVER_DEFER, "Nothing needs to be done"},
		{"more", "enforce", OVER_DEFER, "than are told one\nby one"},
	};
	struct text t = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct store_event e = event(rows[i].kind, "crm/messages-per-minute", "");

		e.mode = rows[i].mode;
		e.over = rows[i].over;
		if (strstr(mail_of(&e, NULL, &t), rows[i].words) == NULL)
			fail_msg("%s: no \"%s\" in\n%s", rows[i].kind, rows[i].words, text_string(&t));
	}
	text_free(&t);
}

/* A key that is not ASCII: encoded words of whole characters, none too long; the text quoted. */
static void
other_letters_are_encoded(void **state)
{
	struct store_event e = event("near", "crm/messages-per-minute-per-sender",
				     "sender=j\xc3\xb6rg.\xe9\x95\xbf\xe9\x95\xbf\xe9\x95\xbf\xe9\x95\xbf\xe9\x95\xbf@contoso.com");
	struct text t = {0};
	const char *mail = mail_of(&e, NULL, &t), *p;

	(void)state;
	check_lines(mail);
	assert_non_null(p = strstr(mail, "\nSubject: =?UTF-8?B?"));
	for (p += 10; *p == '='; p++) {
		size_t n = strcspn(p, "\n");

		assert_true(n <= 75);
		assert_memory_equal(p + n - 2, "?=", 2);
		p += n + 1;
	}
	assert_non_null(strstr(mail, "Content-Transfer-Encoding: quoted-printable\n"));
	assert_non_null(strstr(mail, "sender=3Dj=C3=B6rg."));
	for (const char *line = strstr(mail, "\n\n"); line != NULL && *line != '\0'; line = strchr(line + 1, '\n'))
		assert_true(strcspn(line + 1, "\n") <= 76);
	text_free(&t);
}

/* What a sender or an app is called cannot add a field or a line. */
static void
nothing_is_injected(void **state)
{
	struct store_event e = event("near", "crm/messages-per-minute-per-sender", "sender=a\nBcc: x@evil.example\r\n\r\nbody");
	struct limits_row row = {
		.used = 5, .by = "sender", .n_spenders = 1, .spender = {{"b\nX-Other: 1\n", 5}}, .next_ms = 1, .spent_ms = -1,
	};
	struct text t = {0};
	const char *mail = mail_of(&e, &row, &t);

	(void)state;
	check_lines(mail);
	assert_null(strstr(mail, "\nBcc:"));
	assert_null(strstr(mail, "\nX-Other:"));
	text_free(&t);
}

static void
json_is_one_line(void **state)
{
	struct store_event e = event("near", "crm/messages-per-minute-per-sender", "sender=a\n\"\xff@x");
	const struct notify_event n = { .policy = policy, .e = &e };
	struct text t = {0};

	(void)state;
	assert_int_equal(notify_json(&n, arena, &t), 0);
	assert_ptr_equal(strchr(text_string(&t), '\n'), text_string(&t) + t.len - 1);
	assert_non_null(strstr(text_string(&t), "\"key\":\"sender=a\\n\\\"\xef\xbf\xbd@x\""));
	text_free(&t);
}

/* ---- what was told */

static char folder[] = "/tmp/postern-notify-XXXXXX";

static const char *
in_folder(const char *name)
{
	static char path[100];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void
state_is_kept(void **state)
{
	struct notify_state s, other;
	char error[300] = "";

	(void)state;
	assert_int_equal(notify_state_read(&s, in_folder("state"), error, sizeof error), 0);
	assert_int_equal(s.number, 0);
	assert_int_equal(notify_state_open(&s, in_folder("state"), error, sizeof error), 0);
	s.number = INT64_C(9007199254740993);
	s.time = 1795519653000;
	s.parts = NOTIFY_COMMAND | NOTIFY_TO_ADMIN;
	assert_int_equal(notify_state_write(&s), 0);
	assert_int_equal(notify_state_open(&other, in_folder("state"), error, sizeof error), -1);
	assert_non_null(strstr(error, "another postern notify runs"));
	notify_state_close(&s);
	assert_int_equal(notify_state_open(&s, in_folder("state"), error, sizeof error), 0);
	assert_true(s.number == INT64_C(9007199254740993) && s.time == 1795519653000 && s.parts == 5);
	notify_state_close(&s);
}

static void
damaged_state_is_said(void **state)
{
	static const char *const texts[] = {"x", "7\n", "00000000000000000007 00000000000000000007 01\nmore"};
	struct notify_state s;
	char error[300];

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		int fd = open(in_folder("bad"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert_true(fd >= 0 && write(fd, texts[i], strlen(texts[i])) > 0);
		close(fd);
		assert_int_equal(notify_state_open(&s, in_folder("bad"), error, sizeof error), -1);
		assert_non_null(strstr(error, "no state of postern notify; remove it"));
	}
	assert_int_equal(notify_state_open(&s, "/nonexistent/x", error, sizeof error), -1);
	assert_non_null(strstr(error, "No such file"));
}

/* ---- programs */

static int
shell(const char *script, const char *input, int seconds, struct text *said)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};

	text_clear(said);
	return notify_run(argv, input, strlen(input), seconds, said);
}

static void
programs_end_as_they_end(void **state)
{
	static char much[300000];
	const char *const none[] = {"/nonexistent/program", NULL};
	struct text said = {0};
	time_t began;

	(void)state;
	memset(much, 'x', sizeof much - 1);
	assert_int_equal(shell("[ $(wc -c) = 299999 ]", much, 20, &said), 0);
	assert_string_equal(text_string(&said), "");
	assert_int_equal(shell("exit 0", much, 20, &said), 0); /* it need not read */
	assert_int_equal(shell("exec <&-; echo out; echo 'err\033[31m' >&2; exit 9", much, 20, &said), -1);
	assert_string_equal(text_string(&said), "it ended with status 9, saying: out\\x0aerr\\x1b[31m");
	assert_int_equal(shell("kill -TERM $$", "", 20, &said), -1);
	assert_string_equal(text_string(&said), "it ended by signal 15");
	text_clear(&said);
	assert_int_equal(notify_run(none, "", 0, 20, &said), -1);
	assert_string_equal(text_string(&said), "it cannot be run: No such file or directory");
	assert_int_equal(shell("yes", "", 1, &said), -1); /* much is said, little is kept */
	assert_true(said.len < 3000);
	began = time(NULL);
	assert_int_equal(shell("trap '' TERM; sleep 50 & sleep 50", "", 1, &said), -1);
	assert_non_null(strstr(text_string(&said), "was not done after 1 seconds and was killed"));
	assert_true(time(NULL) - began < 10);
	text_free(&said);
}

/* Only what it should have: three descriptors, a small environment, no arguments of ours. */
static void
programs_get_nothing_else(void **state)
{
	struct text said = {0};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	setenv("POSTERN_SECRET", "x", 1);
	assert_int_equal(shell("[ -z \"$POSTERN_SECRET\" ] && [ -n \"$PATH\" ] && [ ! -e /proc/$$/fd/3 ]", "", 20, &said), 0);
	close(fd);
	text_free(&said);
}

/* ---- times */

static void
ends_are_read(void **state)
{
	static const struct {
		const char *s;
		int64_t ms;               /* from now; -1: is none */
	} rows[] = {
		{"+2h", 7200000}, {"+90m", 5400000}, {"+1 day", 86400000}, {"12:30", 3600000}, {"11:30", 86400000},
		{"11:29", 86340000}, {"2026-11-24T12:30", 3600000}, {"2026-11-24 12:30", 3600000},
		{"2026-11-24T11:30:10Z", 3610000},
		{"", -1}, {"+", -1}, {"+2x", -1}, {"2h", -1}, {"24:61", -1}, {"12:30x", -1}, {"noon", -1}, {"2026-13-24T12:30", -1},
		{"2026-11-24T12:3", -1}, {"+99999999999999h", -1},
	};
	const int64_t now = 1795516200000; /* 2026-11-24 10:30 UTC, 11:30 here */

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t r = 0;
		int rc = when_parse_end(rows[i].s, now, &r);

		if ((rc == 0) != (rows[i].ms >= 0) || (rc == 0 && r - now != rows[i].ms))
			fail_msg("\"%s\": %d, %lld", rows[i].s, rc, (long long)(r - now));
	}
}

static void
times_are_shown(void **state)
{
	const int64_t now = 1795516200000;
	char buf[WHEN_SIZE];

	(void)state;
	assert_string_equal(when_clock(now + 3600000, now, buf), "12:30");
	assert_string_equal(when_clock(now + 86400000, now, buf), "tomorrow 11:30");
	assert_string_equal(when_clock(now + 3 * 86400000LL, now, buf), "Nov 27 11:30");
	assert_string_equal(when_span(0, buf), "0s");
	assert_string_equal(when_span(1, buf), "1s");
	assert_string_equal(when_span(99000, buf), "99s");
	assert_string_equal(when_span(3600000, buf), "60m");
	assert_string_equal(when_span(87000000, buf), "24h");
	assert_string_equal(when_span(7 * 86400000LL, buf), "7d");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_is_plain),
		cmocka_unit_test(each_kind_has_its_words),
		cmocka_unit_test(other_letters_are_encoded),
		cmocka_unit_test(nothing_is_injected),
		cmocka_unit_test(json_is_one_line),
		cmocka_unit_test(state_is_kept),
		cmocka_unit_test(damaged_state_is_said),
		cmocka_unit_test(programs_end_as_they_end),
		cmocka_unit_test(programs_get_nothing_else),
		cmocka_unit_test(ends_are_read),
		cmocka_unit_test(times_are_shown),
	};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	setenv("TZ", "CET-1", 1);
	tzset();
	policy = policy_new();
	arena = arena_new(0);
	if (policy == NULL || arena == NULL || mkdtemp(folder) == NULL)
		return 1;
	policy->notify.from = "postern@contoso.com";
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(in_folder("state"));
	unlink(in_folder("bad"));
	rmdir(folder);
	arena_free(&arena);
	policy_unref(&policy);
	return rc;
}
