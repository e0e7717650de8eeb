/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Lines of MTAs' logs, and of those who would like to write in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "maillog/maillog.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])
/* 2026-11-24T13:00:00Z */
#define NOW INT64_C(1795525200000)

static const char *const kinds[] = {"nothing", "delivery", "begun", "removed", "deleted", "expired", "sender", "tls"};

/* The event in one line. */
static const char *
told(const char *text, char *buf, size_t size)
{
	static char line[70000];
	struct maillog_clock clock = {.now_ms = NOW};
	struct maillog_event e;
	int n;

	snprintf(line, sizeof line, "%s", text);
	e = maillog_read(line, strlen(line), &clock);
	n = snprintf(buf, size, "%s", kinds[e.kind]);
	if (e.kind == MAILLOG_NOTHING)
		return buf;
	n += snprintf(buf + n, size - (size_t)n, " %s[%s]", e.instance, e.pid);
	if (e.queue_id[0] != '\0')
		n += snprintf(buf + n, size - (size_t)n, " %s", e.queue_id);
	if (e.old_id[0] != '\0')
		n += snprintf(buf + n, size - (size_t)n, " was %s", e.old_id);
	if (e.sender != NULL)
		n += snprintf(buf + n, size - (size_t)n, " of <%s>", e.sender);
	if (e.kind == MAILLOG_TLS)
		n += snprintf(buf + n, size - (size_t)n, " %s|%s", e.next_hop, e.tls);
	if (e.kind != MAILLOG_DELIVERY)
		return buf;
	for (const char *r; (r = maillog_recipient(&e)) != NULL;)
		n += snprintf(buf + n, size - (size_t)n, " <%s>", r);
	snprintf(buf + n, size - (size_t)n, " %s|%s|%s|%s|%lld|%s", e.original, e.next_hop, e.status, e.dsn, (long long)e.delay_ms, e.text);
	return buf;
}

#define T "Nov 24 12:58:01 relay "
#define Q "4cgZ0N6sTbz1xyz"

static const struct {
	const char *line, *event;
} lines[] = {
	/* Postfix. */
	{T "postfix/smtp[123]: 4F9D195432C: to=<a@contoso.com>, relay=mx.example[192.0.2.1]:25, delay=0.12, delays=0.03/0.01/0.04/0.04, dsn=2.0.0, status=sent (250 2.0.0 OK)",
	 "delivery postfix[123] 4F9D195432C <a@contoso.com> |mx.example[192.0.2.1]:25|sent|2.0.0|120|250 2.0.0 OK"},
	{T "postfix/smtp[123]: " Q ": to=<a@contoso.com>, orig_to=<root@contoso.com>, relay=mx.example[2001:db8::1]:25, conn_use=2, delay=4000, delays=0.03/0.01/0.04/0.04, dsn=4.7.500, status=deferred (host mx.example[2001:db8::1] said: 451 4.7.500 Server busy (in reply to RCPT TO command))",
	 "delivery postfix[123] " Q " <a@contoso.com> root@contoso.com|mx.example[2001:db8::1]:25|deferred|4.7.500|4000000|host mx.example[2001:db8::1] said: 451 4.7.500 Server busy (in reply to RCPT TO command)"},
	{T "postfix-out/relay/smtp[9]: 4F9D195432C: to=<a@contoso.com>, relay=none, delay=1, delays=1/0/0/0, dsn=5.4.4, status=bounced (Host or domain name not found)",
	 "delivery postfix-out[9] 4F9D195432C <a@contoso.com> ||bounced|5.4.4|1000|Host or domain name not found"},
	{T "postfix/lmtp[9]: 4F9D195432C: to=<a@contoso.com>, relay=box[private/lmtp], delay=1, tls=may, delays=1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 <a@contoso.com> Saved)",
	 "delivery postfix[9] 4F9D195432C <a@contoso.com> |box[private/lmtp]|sent|2.0.0|1000|250 2.0.0 <a@contoso.com> Saved"},
	{T "postfix/local[9]: 4F9D195432C: to=<root@contoso.com>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)",
	 "delivery postfix[9] 4F9D195432C <root@contoso.com> |local|sent|2.0.0|1000|delivered to mailbox"},
	{T "postfix/virtual[9]: 4F9D195432C: to=<r@contoso.com>, relay=virtual, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)",
	 "delivery postfix[9] 4F9D195432C <r@contoso.com> |virtual|sent|2.0.0|1000|delivered to maildir"},
	{T "postfix/pipe[9]: 4F9D195432C: to=<r@contoso.com>, relay=prog, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (user unknown)",
	 "delivery postfix[9] 4F9D195432C <r@contoso.com> |prog|bounced|5.1.1|1000|user unknown"},
	{T "postfix/error[9]: 4F9D195432C: to=<r@contoso.com>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to mx.example[192.0.2.1]:25: Connection refused)",
	 "delivery postfix[9] 4F9D195432C <r@contoso.com> ||deferred|4.4.1|1000|delivery temporarily suspended: connect to mx.example[192.0.2.1]:25: Connection refused"},
	{T "postfix/smtp[9]: 4F9D195432C: to=<r@contoso.com>, relay=m[1.2.3.4]:25, delay=1, delays=1/0/0/0, dsn=5.1.1, status=SOFTBOUNCE (host m[1.2.3.4] said: 550 5.1.1 no)",
	 "delivery postfix[9] 4F9D195432C <r@contoso.com> |m[1.2.3.4]:25|deferred|5.1.1|1000|host m[1.2.3.4] said: 550 5.1.1 no"},
	{T "postfix/smtp[9]: 4F9D195432C: to=<r@contoso.com>, relay=m[1.2.3.4]:25, delay=1, delays=1/0/0/0, dsn=2.1.5, status=deliverable (250 2.1.5 OK)", "nothing"},
	{T "postfix/smtp[123]: Trusted TLS connection established to mx.example[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
	 "tls postfix[123] mx.example[192.0.2.1]:25|TLSv1.3, Trusted"},
	{T "postfix/smtp[123]: Anonymous TLS connection reused to m[1.2.3.4]:25: TLSv1.2 with cipher X (256/256 bits)", "tls postfix[123] m[1.2.3.4]:25|TLSv1.2, Anonymous"},
	{T "postfix/smtpd[123]: Anonymous TLS connection established from m[1.2.3.4]: TLSv1.2 with cipher X", "nothing"},
	{T "postfix/smtpd[123]: 4F9D195432C: client=app.contoso.com[10.1.2.3]", "begun postfix[123] 4F9D195432C"},
	{T "postfix/submission/smtpd[123]: 4F9D195432C: client=x[10.1.2.3], sasl_method=PLAIN, sasl_username=to=<x>, status=sent (", "begun postfix[123] 4F9D195432C"},
	{T "postfix/pickup[123]: 4F9D195432C: uid=0 from=<root>", "begun postfix[123] 4F9D195432C"},
	{T "postfix/pickup[123]: 4F9D195432C: uid=107 from=<a@contoso.com> orig_id=" Q, "begun postfix[123] 4F9D195432C was " Q},
	{T "postfix/cleanup[123]: 4F9D195432C: message-id=<x@y>", "begun postfix[123] 4F9D195432C"},
	{T "postfix/cleanup[123]: 4F9D195432C: resent-message-id=<x@y>", "begun postfix[123] 4F9D195432C"},
	{T "postfix/cleanup[123]: 4F9D195432C: milter-reject: END-OF-MESSAGE from x[10.1.2.3]: 5.7.1 no; from=<a@b> to=<c@d> proto=ESMTP helo=<x>", "removed postfix[123] 4F9D195432C"},
	{T "postfix/smtpd[123]: NOQUEUE: milter-reject: MAIL from x[10.1.2.3]: 550 5.7.1 no; from=<a@b> proto=ESMTP helo=<x>", "nothing"},
	{T "postfix/qmgr[123]: 4F9D195432C: removed", "removed postfix[123] 4F9D195432C"},
	{T "postfix/qmgr[123]: 4F9D195432C: from=<a@contoso.com>, size=500, nrcpt=1 (queue active)", "sender postfix[123] 4F9D195432C of <a@contoso.com>"},
	{T "postfix/qmgr[123]: 4F9D195432C: from=<>, size=500, nrcpt=1 (queue active)", "sender postfix[123] 4F9D195432C of <>"},
	{T "postfix/qmgr[123]: 4F9D195432C: from=<a@contoso.com>, status=skipped", "nothing"},
	{T "postfix/qmgr[123]: 4F9D195432C: from=<a@contoso.com>, status=expired, returned to sender", "expired postfix[123] 4F9D195432C"},
	{T "postfix/qmgr[123]: 4F9D195432C: from=<>, status=force-expired, returned to sender", "expired postfix[123] 4F9D195432C"},
	{T "postfix/postsuper[123]: 4F9D195432C: removed", "deleted postfix[123] 4F9D195432C"},
	{T "postfix/postsuper[123]: 4F9D195432C: requeued", "removed postfix[123] 4F9D195432C"},
	{T "postfix/postsuper[123]: 4F9D195432C: placed on hold", "nothing"},
	{T "postfix/postsuper[123]: Deleted: 1 message", "nothing"},

	/* Sendmail. */
	{T "sm-mta[7]: 5AOD4Uqb012345: to=<a@contoso.com>, ctladdr=<b@contoso.com> (0/0), delay=00:01:02, xdelay=00:00:01, mailer=relay, pri=120345, relay=mx.example. [192.0.2.1], dsn=2.0.0, stat=Sent (OK 1)",
	 "delivery sendmail[7] 5AOD4Uqb012345 <a@contoso.com> |mx.example[192.0.2.1]|sent|2.0.0|62000|Sent (OK 1)"},
	{T "sendmail[7]: 5AOD4Uqb012345: to=<a@contoso.com>,<\"b, c\"@contoso.com>,root, delay=1+00:01:02, xdelay=00:00:01, mailer=relay, pri=120345, relay=[192.0.2.1] [192.0.2.1], dsn=4.7.0, reply=451 4.7.500 busy, stat=Deferred: 451 4.7.500 busy",
	 "delivery sendmail[7] 5AOD4Uqb012345 <a@contoso.com> <\"b, c\"@contoso.com> <root> |[192.0.2.1][192.0.2.1]|deferred|4.7.0|86462000|451 4.7.500 busy, stat=Deferred: 451 4.7.500 busy"},
	{T "sm-mta[7]: 5AOD4Uqb012345: to=<a@contoso.com>, delay=00:00:00, mailer=relay, pri=30000, stat=queued", "delivery sendmail[7] 5AOD4Uqb012345 <a@contoso.com> ||deferred||0|queued"},
	{T "sm-mta[7]: 5AOD4Uqb012345: to=<a@contoso.com>, delay=00:00:00, mailer=relay, relay=mx. [1.2.3.4], dsn=5.1.1, stat=Sent (no)", "delivery sendmail[7] 5AOD4Uqb012345 <a@contoso.com> |mx[1.2.3.4]|bounced|5.1.1|0|Sent (no)"},
	{T "sm-mta[7]: 5AOD4Uqb012345: from=<a@contoso.com>, size=1, class=0, nrcpts=1, msgid=<x>, proto=ESMTP, daemon=MTA, relay=x [10.1.2.3]", "begun sendmail[7] 5AOD4Uqb012345 of <a@contoso.com>"},
	{T "sm-mta[7]: STARTTLS=client, relay=mx.example., version=TLSv1.3, verify=OK, cipher=X, bits=256/256", "tls sendmail[7] mx.example|TLSv1.3"},
	{T "sm-msp-queue[7]: 5AOD4Uqb012345: to=<a@contoso.com>, delay=00:00:00, mailer=relay, pri=30000, dsn=2.0.0, stat=Sent (x)", "nothing"},

	/* A recipient that looks like the rest of a line. */
	{T "postfix/smtp[1]: 4F9D195432C: to=<\"x>, relay=evil[1.2.3.4]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (\"@contoso.com>, relay=mx[192.0.2.1]:25, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 5.1.1 no)",
	 "delivery postfix[1] 4F9D195432C <\"x>, relay=evil[1.2.3.4]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (\"@contoso.com> |mx[192.0.2.1]:25|bounced|5.1.1|1000|host mx[192.0.2.1] said: 550 5.1.1 no"},
	{T "postfix/smtp[1]: 4F9D195432C: to=<\"x\\\">, relay=a, dsn=2.0.0, status=sent (\"@c.example>, relay=mx[192.0.2.1]:25, delay=1, dsn=5.1.1, status=bounced (no)",
	 "delivery postfix[1] 4F9D195432C <\"x\\\">, relay=a, dsn=2.0.0, status=sent (\"@c.example> |mx[192.0.2.1]:25|bounced|5.1.1|1000|no"},
	/* The same without its quotes (info_log_address_format = internal) could be read in two ways. */
	{T "postfix/smtp[1]: 4F9D195432C: to=<x y>, relay=evil[1.2.3.4]:25, dsn=2.0.0, status=sent (@contoso.com>, relay=mx[192.0.2.1]:25, delay=1, dsn=5.1.1, status=bounced (no)", "nothing"},
	{T "postfix/qmgr[1]: 4F9D195432C: from=<\"a>, status=expired, returned to sender\"@x.example>, size=1, nrcpt=1 (queue active)",
	 "sender postfix[1] 4F9D195432C of <\"a>, status=expired, returned to sender\"@x.example>"},
	{T "sm-mta[7]: 5AOD4Uqb012345: to=<\"a>, dsn=2.0.0, stat=Sent (\"@x.example>, delay=00:00:00, dsn=5.1.1, stat=User unknown", "delivery sendmail[7] 5AOD4Uqb012345 <\"a>, dsn=2.0.0, stat=Sent (\"@x.example> ||bounced|5.1.1|0|User unknown"},
	{T "sm-mta[7]: 5AOD4Uqb012345: to=<b@c>, ctladdr=<\"a, dsn=2.0.0, stat=Sent (\"@x.example> (1/1), delay=00:00:00, dsn=5.1.1, stat=User unknown", "delivery sendmail[7] 5AOD4Uqb012345 <b@c> ||bounced|5.1.1|0|User unknown"},
	/* A server's words. */
	{T "postfix/smtp[1]: 4F9D195432C: to=<a@b.example>, relay=mx[192.0.2.1]:25, delay=1, delays=1/0/0/0, dsn=5.0.0, status=bounced (host mx[192.0.2.1] said: 550 x), relay=evil[1.2.3.4]:25, dsn=2.0.0, status=sent (250 ok (in reply to RCPT TO command))",
	 "delivery postfix[1] 4F9D195432C <a@b.example> |mx[192.0.2.1]:25|bounced|5.0.0|1000|host mx[192.0.2.1] said: 550 x), relay=evil[1.2.3.4]:25, dsn=2.0.0, status=sent (250 ok (in reply to RCPT TO command)"},
	{T "sm-mta[7]: 5AOD4Uqb012345: to=<b@c>, delay=00:00:00, dsn=5.1.1, reply=550 no, dsn=2.0.0, stat=Sent (ok), stat=User unknown", "delivery sendmail[7] 5AOD4Uqb012345 <b@c> ||bounced|5.1.1|0|550 no, dsn=2.0.0, stat=Sent (ok), stat=User unknown"},
	/* A client's words, where it can put them. */
	{T "postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[10.1.2.3]: 554 5.7.1 no; from=<a@b> to=<4F9D195432C: to=<x>, relay=none, delay=0, dsn=2.0.0, status=sent (> proto=ESMTP helo=<4F9D195432C: removed>", "nothing"},
	{T "postfix/cleanup[1]: 4F9D195432C: warning: header Subject: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x) from x[10.1.2.3]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>", "nothing"},
	{T "postfix/cleanup[1]: warning: header Subject: 4F9D195432C: to=<x@y>, relay=a, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "postfix/smtpd[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "postfix/smtpd[1]: 4F9D195432C: removed", "nothing"},
	{T "postfix/smtp[1]: warning: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "postfix/smtp[1]: host mx[1.2.3.4] said: Trusted TLS connection established to a: TLSv1.3 with cipher x", "nothing"},
	/* Other programs' lines. */
	{T "app[1]: postfix/smtp[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "postfix[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "postfixed/smtp[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "not-postfix/smtp[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "postfix/smtp: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "postfix/smtp[x]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	/* Queue ids that are none. */
	{T "postfix/smtp[1]: 4F9D195432G: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "delivery postfix[1] 4F9D195432G <x@y> |a[1.2.3.4]:25|sent|2.0.0|1000|x"},
	{T "postfix/smtp[1]: ABC: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	{T "postfix/smtp[1]: 4F9D195432C' OR 1: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x)", "nothing"},
	/* Cut lines, control octets as Postfix writes them, and what is not whole. */
	{T "postfix/smtp[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (x", "nothing"},
	{T "postfix/smtp[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent", "nothing"},
	{T "postfix/smtp[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0", "nothing"},
	{T "postfix/smtp[1]: 4F9D195432C: to=<x@y>", "nothing"},
	{T "postfix/smtp[1]: 4F9D195432C: to=<x", "nothing"},
	{T "postfix/smtp[1]: 4F9D195432C: to=<\"x", "nothing"},
	{T "postfix/smtp[1]: 4F9D195432C: to=<x@y>, relay=a[1.2.3.4]:25, delay=1, dsn=9.0.0, status=sent (x)", "nothing"},
	{T "postfix/smtp[1]: 4F9D195432C: to=<x?@y>, relay=a[1.2.3.4]:25, delay=1, dsn=2.0.0, status=sent (250 ??[31m)", "delivery postfix[1] 4F9D195432C <x?@y> |a[1.2.3.4]:25|sent|2.0.0|1000|250 ??[31m"},
	{"", "nothing"}, {"Nov 24", "nothing"}, {"Nov 24 12:58:01 ", "nothing"}, {"Nov 24 12:58:01 relay", "nothing"},
	{"Foo 24 12:58:01 relay postfix/qmgr[1]: 4F9D195432C: removed", "nothing"}, {"Nov 31 12:58:01 relay postfix/qmgr[1]: 4F9D195432C: removed", "nothing"},
	{"Nov 24 24:58:01 relay postfix/qmgr[1]: 4F9D195432C: removed", "nothing"}, {"2026-02-30T12:58:01Z relay postfix/qmgr[1]: 4F9D195432C: removed", "nothing"},
	{"2026-11-24T12:58:01 relay postfix/qmgr[1]: 4F9D195432C: removed", "nothing"},
};

static void
test_lines(void **state)
{
	static char buf[80000];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		if (strcmp(told(lines[i].line, buf, sizeof buf), lines[i].event) != 0)
			fail_msg("%s\n  is    %s\n  not   %s", lines[i].line, buf, lines[i].event);
}

static int64_t
time_of(const char *stamp, int64_t now)
{
	char line[200];
	struct maillog_clock clock = {.now_ms = now};
	struct maillog_event e;

	snprintf(line, sizeof line, "%s relay postfix/qmgr[1]: 4F9D195432C: removed", stamp);
	e = maillog_read(line, strlen(line), &clock);
	return e.kind == MAILLOG_REMOVED ? e.time : -1;
}

static void
test_stamps(void **state)
{
	(void)state;
	assert_int_equal(time_of("2026-11-24T13:00:00Z", NOW), NOW);
	assert_int_equal(time_of("2026-11-24T13:00:00.250Z", NOW), NOW + 250);
	assert_int_equal(time_of("2026-11-24T14:00:00.123456+01:00", NOW), NOW + 123);
	assert_int_equal(time_of("2026-11-24T07:30:00-0530", NOW), NOW);
	assert_int_equal(time_of("2024-02-29T00:00:00Z", NOW), INT64_C(1709164800000));
	assert_int_equal(time_of("1970-01-01T00:00:00Z", NOW), 0);
	/* No year: never more than a day ahead. */
	assert_int_equal(time_of("Nov 24 13:00:00", NOW), NOW);
	assert_int_equal(time_of("Nov 25 12:59:00", NOW), NOW + 86400000 - 60000);
	assert_int_equal(time_of("Nov 25 13:01:00", NOW), NOW + 86400000 + 60000 - INT64_C(365) * 86400000);
	assert_int_equal(time_of("Nov  5 13:00:00", NOW), NOW - INT64_C(19) * 86400000);
	/* Over new year, both ways: NOW + 38 days is 2027-01-01T13:00:00Z. */
	assert_int_equal(time_of("Dec 31 23:59:59", NOW + INT64_C(38) * 86400000), NOW + INT64_C(37) * 86400000 + 39599000);
	assert_int_equal(time_of("Jan  1 00:10:00", NOW + INT64_C(37) * 86400000), NOW + INT64_C(37) * 86400000 + 40200000);
	assert_int_equal(time_of("Feb 29 00:00:00", NOW), INT64_C(1709164800000));
}

/* What the clock keeps of the last line is not another minute's. */
static void
test_clock(void **state)
{
	struct maillog_clock clock = {.now_ms = NOW};
	static const char *const stamps[] = {"Nov 24 12:00:59", "Nov 24 12:01:00", "Nov 23 12:01:00", "Nov 23 12:01:30"};
	static const int64_t back[] = {3541, 3540, 89940, 89910};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(stamps); i++) {
		char line[200];

		snprintf(line, sizeof line, "%s relay postfix/qmgr[1]: 4F9D195432C: removed", stamps[i]);
		assert_int_equal(maillog_read(line, strlen(line), &clock).time, NOW - back[i] * 1000);
	}
}

/* Nothing that stands where a server's words stand changes the rest, nor do any octets anywhere break it. */
static void
test_any_octet(void **state)
{
	static const char line[] = T "postfix/smtp[1]: 4F9D195432C: to=<a@b.example>, relay=mx[192.0.2.1]:25, delay=1, dsn=5.0.0, status=bounced (host mx[192.0.2.1] said: 550 5.0.0 text)";
	size_t text = (size_t)(strstr(line, "text)") - line);

	(void)state;
	for (size_t at = 0; at < strlen(line); at++)
		for (int octet = 1; octet < 256; octet++) {
			char copy[sizeof line];
			struct maillog_clock clock = {.now_ms = NOW};
			struct maillog_event e;

			memcpy(copy, line, sizeof line);
			copy[at] = (char)octet;
			e = maillog_read(copy, strlen(copy), &clock);
			if (at >= text && at < text + 4) {
				assert_int_equal(e.kind, MAILLOG_DELIVERY);
				assert_string_equal(e.status, "bounced");
			}
		}
}

static void
test_hosts(void **state)
{
	(void)state;
	assert_int_equal(maillog_host_length("mx.example[192.0.2.1]:25"), 10);
	assert_int_equal(maillog_host_length("mx.example."), 10);
	assert_int_equal(maillog_host_length("[192.0.2.1][192.0.2.1]"), 0);
	assert_int_equal(maillog_host_length(""), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_stamps), cmocka_unit_test(test_clock),
		cmocka_unit_test(test_any_octet), cmocka_unit_test(test_hosts),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
