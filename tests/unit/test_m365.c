/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What Exchange Online's replies mean: each row of the table is met, by the texts that
 * are published and were seen, in other words, on several lines, and as MTAs log them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/m365.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static const struct {
	const char *text, *keyword;
	enum m365_class class;
	enum m365_who who;
	long wait;
} replies[] = {
	{"550 5.7.64 TenantAttribution; Relay Access Denied [AM6EUR05FT044.eop-eur05.prod.protection.outlook.com]", "relay-access-denied", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"550 5.7.64 Relay Access Denied ATTR36. For more information, see KB 3169958", "relay-access-denied", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"550-5.7.64 TenantAttribution; Relay 550 5.7.64 Access Denied", "relay-access-denied", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"host contoso-com.mail.protection.outlook.com[52.101.73.4] said: 550 5.7.64 TenantAttribution; Relay Access Denied (in reply to RCPT TO command)", "relay-access-denied", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources", "direct-send-blocked", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35", "wrong-region", M365_ROUTE, M365_MAIL_ADMIN, M365_WAIT_SOME},
	{"550 5.4.4 Mail received as unauthenticated, incoming to a recipient domain configured in a hosted tenant which has no mail-enabled subscriptions. ATTR5", "no-mail-subscription", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"451 4.3.2 Temporary server error. Please try again later ATTR55", "temporary-server-error", M365_RETRY, M365_NOBODY, M365_WAIT_SOME},
	{"451 4.4.3 Temporary server error. Please try again later ATTR55.1", "temporary-server-error", M365_RETRY, M365_NOBODY, M365_WAIT_SOME},
	{"550;5.7.711 Access denied, bad inbound connector. AS(2204)", "connector-blocked", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"550 5.7.711 Access denied, bad inbound connector", "connector-blocked", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains", "unregistered-domains", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set", "partner-connector", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
	{"550 5.1.20 Multiple From addresses are not allowed without Sender address", "several-from", M365_MESSAGE, M365_APP_OWNER, 0},
	{"550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant", "from-malformed", M365_MESSAGE, M365_APP_OWNER, 0},
	{"550 5.6.11 Invalid characters", "bare-line-feeds", M365_MESSAGE, M365_APP_OWNER, 0},
	{"550 5.7.506 Access Denied, Bad HELO", "bad-helo", M365_ROUTE, M365_MAIL_ADMIN, 0},

	{"530 5.7.57 Client not authenticated to send mail", "not-authenticated", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", "not-authenticated", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"530 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", "not-authenticated", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"535 5.7.3 Authentication unsuccessful", "auth-failed", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant", "auth-disabled", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"535 5.7.139 Authentication unsuccessful, the organization configuration does not allow this authentication", "auth-disabled", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"550 5.7.30 Basic authentication is not supported for Client Submission.", "basic-auth-retired", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.60 SMTP; Client does not have permissions to send as this sender", "send-as-denied", M365_MESSAGE, M365_TENANT_ADMIN, 0},
	{"554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message", "send-as-denied", M365_MESSAGE, M365_TENANT_ADMIN, 0},
	{"554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message", "send-as-denied", M365_MESSAGE, M365_TENANT_ADMIN, 0},
	{"432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "too-many-connections", M365_RETRY, M365_MAIL_ADMIN, M365_WAIT_SOME},
	{"432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.", "too-many-connections", M365_RETRY, M365_MAIL_ADMIN, M365_WAIT_SOME},
	{"432-4.3.2 STOREDRV.ClientSubmit; sender thread 432 4.3.2 limit exceeded", "too-many-connections", M365_RETRY, M365_MAIL_ADMIN, M365_WAIT_SOME},
	{"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message", "submission-quota", M365_QUOTA, M365_NOBODY, 86400},
	{"554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed to process message due to a permanent exception with message [BeginDiagnosticData]WASCL UserAction verdict is not None. Actual verdict is RefuseQuota", "outbound-spam", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"554 5.2.0 Message rejected: WASCL UserAction verdict is not None. Actual verdict is Suspend", "outbound-spam", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded", "mailbox-full", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"554 5.2.2 STOREDRV.Submission.Exception:QuotaExceededException; Failed", "mailbox-full", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients", "daily-recipients", M365_QUOTA, M365_NOBODY, 86400},
	{"550 5.2.2 Submission quota exceeded", "submission-quota", M365_QUOTA, M365_TENANT_ADMIN, 86400},
	{"554 5.2.2 STOREDRV; SubmissionQuotaExceededException", "submission-quota", M365_QUOTA, M365_TENANT_ADMIN, 86400},
	{"550 5.1.8 Access denied, bad outbound sender", "account-blocked", M365_ROUTE, M365_TENANT_ADMIN, 0},

	{"550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit for sending email to external recipients", "trial-tenant-quota", M365_QUOTA, M365_TENANT_ADMIN, 86400},
	{"550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending email to external recipients (tenant external recipient rate limit)", "tenant-quota", M365_QUOTA, M365_TENANT_ADMIN, 86400},
	{"550 5.7.233 Your message can't be sent because your tenant has exceeded its limit", "tenant-quota", M365_QUOTA, M365_TENANT_ADMIN, 86400},
	{"550 5.7.236 Your message can't be sent: onmicrosoft.com", "onmicrosoft-quota", M365_QUOTA, M365_TENANT_ADMIN, 86400},
	{"550 5.7.501 Access denied, spam abuse detected", "account-banned", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"550 5.7.502 Access denied, banned sender", "account-banned", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"550 5.7.503 Access denied, banned sender", "account-banned", M365_ROUTE, M365_TENANT_ADMIN, 0},
	{"550 5.7.511 Access denied, banned sender[192.0.2.7]. To request removal from this list please forward this message to delist@microsoft.com", "address-banned", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.606 Access denied, banned sending IP [192.0.2.7]", "address-banned", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.649 Access denied, banned sending IP [192.0.2.7]", "address-banned", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.703 Your message can't be delivered because messages to x are blocked by your organization using Tenant Allow Block List", "tenant-block-list", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550 5.7.705 Access denied, tenant has exceeded threshold", "tenant-blocked", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP", "address-reputation", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"550 5.7.800 Access denied, banned sender", "domain-banned", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"451 4.7.500 Server busy. Please try again later from [192.0.2.7]. (S77719)", "server-busy", M365_ROUTE, M365_TENANT_ADMIN, M365_WAIT_SOME},
	{"451 4.7.699 Access denied, please try again later (AS780090)", "server-busy", M365_ROUTE, M365_TENANT_ADMIN, M365_WAIT_SOME},
	{"451 4.7.850 Access denied, please try again later", "address-evaluated", M365_RETRY, M365_NOBODY, M365_WAIT_SOME},
	{"451 4.7.899 Access denied, please try again later", "address-evaluated", M365_RETRY, M365_NOBODY, M365_WAIT_SOME},
	{"550 5.7.1 Service unavailable, Client host [192.0.2.7] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/192.0.2.7 (AS3130)", "dns-block-list", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.513 Service unavailable, Client host [192.0.2.7] blocked by contoso.com using Customer Block list (AS16012607)", "recipient-block-list", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
	{"550 5.7.515 Access denied, sending domain contoso.com does not meet the required authentication level", "outlook-authentication", M365_MESSAGE, M365_MAIL_ADMIN, 0},
	{"550 5.7.509 Access denied, sending domain contoso.com does not pass DMARC verification and has a DMARC policy of reject", "dmarc-reject", M365_MESSAGE, M365_MAIL_ADMIN, 0},
	{"550 5.7.23 The message was rejected because of Sender Policy Framework violation", "spf-violation", M365_MESSAGE, M365_MAIL_ADMIN, 0},
	{"450 4.7.26 Service does not accept messages sent over IPv6 unless they pass either SPF or DKIM validation", "ipv6-unauthenticated", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.26 the same for good", "ipv6-unauthenticated", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.25 the sending IPv6 address must have a PTR record", "ipv6-no-ptr", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.508 Access denied, exceeds permitted limits within IPv6 range", "ipv6-rate", M365_ROUTE, M365_MAIL_ADMIN, 0},
	{"550 5.7.510 Access denied, contoso.com does not accept email over IPv6", "ipv6-refused", M365_ROUTE, M365_MAIL_ADMIN, 0},

	{"550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "recipient-unknown", M365_RECIPIENT, M365_APP_OWNER, 0},
	{"550 5.4.1 [nobody@contoso.com]: Recipient address rejected: Access denied", "recipient-unknown", M365_RECIPIENT, M365_APP_OWNER, 0},
	{"550 5.4.1 Relay Access Denied", "domain-not-accepted", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550-5.4.1 Relay 550 5.4.1 Access Denied", "domain-not-accepted", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "recipient-unknown", M365_RECIPIENT, M365_APP_OWNER, 0},
	{"550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", "recipient-unknown", M365_RECIPIENT, M365_APP_OWNER, 0},
	{"550 5.1.1 bad destination mailbox address", "bad-address", M365_RECIPIENT, M365_APP_OWNER, 0},
	{"550 5.1.0 Sender denied", "sender-denied", M365_MESSAGE, M365_APP_OWNER, 0},
	{"450 4.4.316 Connection refused [Message=Socket error code 10061]", "next-server-refuses", M365_RETRY, M365_RECIPIENT_SIDE, M365_WAIT_SOME},
	{"450 4.4.317 Cannot connect to remote server [Message=UntrustedRoot]", "next-server-tls", M365_RETRY, M365_RECIPIENT_SIDE, M365_WAIT_SOME},
	{"550 5.4.316 Message expired, connection refused", "expired-at-microsoft", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
	{"450 4.4.7 Message expired", "expired-at-microsoft", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
	{"550 5.4.300 Message expired", "expired-at-microsoft", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
	{"450 4.4.8 MX hosts of example.com failed MTA-STS validation", "mta-sts", M365_RETRY, M365_RECIPIENT_SIDE, M365_WAIT_SOME},
	{"450 4.7.321 starttls-not-supported", "destination-tls", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
	{"550 5.7.325 certificate-host-mismatch", "destination-tls", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
	{"452 4.5.3 Too many recipients (AS780090)", "too-many-recipients", M365_MESSAGE, M365_MAIL_ADMIN, M365_WAIT_SOME},
	{"550 5.2.121 Message rate exceeded for this sender", "recipient-rate-sender", M365_RECIPIENT, M365_APP_OWNER, 3600},
	{"550 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour", "recipient-rate", M365_RECIPIENT, M365_APP_OWNER, 3600},
	{"432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", "recipient-busy", M365_RETRY, M365_NOBODY, M365_WAIT_SOME},
	{"554 5.4.14 Hop count exceeded - possible mail loop ATTR34", "mail-loop", M365_TENANT, M365_TENANT_ADMIN, 0},
	{"554 5.4.6 Hop count exceeded - possible mail loop", "mail-loop", M365_TENANT, M365_MAIL_ADMIN, 0},
	{"550 5.7.12 sender was not authenticated by organization", "internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550 5.7.124 Sender not in allowed-senders list", "internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", "internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550 5.7.134 RESOLVER.RST.SenderNotAuthenticatedForMailbox", "internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550 5.7.136 RESOLVER.RST.SenderNotAuthenticatedForMailUser", "internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550 5.7.520 Access denied, Your organization does not allow external forwarding. AS(7555)", "forwarding-not-allowed", M365_RECIPIENT, M365_TENANT_ADMIN, 0},
	{"550 5.7.367 Remote server returned not permitted to relay", "destination-no-relay", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
	{"550 5.7.368 Remote server returned authentication related error", "destination-authentication", M365_MESSAGE, M365_MAIL_ADMIN, 0},
	{"550 5.0.350 Remote server returned an error -> 550 x-dg-ref header is too long", "header-too-long", M365_MESSAGE, M365_APP_OWNER, 0},
	{"550 5.0.350 Remote server returned an error", "remote-error", M365_RECIPIENT, M365_RECIPIENT_SIDE, 0},
};

/* The rows that these tables came by, in order. */
static unsigned char met[200];

static struct m365_meaning
explain(const char *text, const char *dsn)
{
	struct m365_reply r = m365_read(text, dsn);
	struct m365_meaning m = m365_explain(&r, text);

	for (size_t i = 0; m365_row(i) != NULL; i++)
		if (m365_row(i)->meaning.cause == m.cause && m365_row(i)->low <= r.enhanced[2] && r.enhanced[2] <= m365_row(i)->high)
			met[i] = 1;
	return m;
}

static void
test_replies(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(replies); i++) {
		struct m365_meaning m = explain(replies[i].text, NULL);

		if (strcmp(m.keyword, replies[i].keyword) != 0 || m.class != replies[i].class || m.who != replies[i].who || m.wait != replies[i].wait)
			fail_msg("\"%s\": %s, %s, %s, %ld", replies[i].text, m.keyword, m365_class_name(m.class), m365_who_name(m.who), m.wait);
	}
	for (i = 0; m365_row(i) != NULL; i++)
		if (!met[i] && m365_row(i)->classes != NULL)
			fail_msg("row %zu (%s) is met by none", i, m365_row(i)->meaning.keyword);
}

/* Each as Postfix writes it of a server, with a reply of several lines joined by blanks. */
static void
test_as_logged(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(replies); i++) {
		char line[2000], lines[2000];
		struct m365_reply r = m365_read(replies[i].text, NULL);

		if (strncmp(replies[i].text, "host ", 5) == 0)
			continue;
		snprintf(line, sizeof line, "host mx.example[192.0.2.1] said: %s (in reply to end of DATA command)", replies[i].text);
		assert_string_equal(explain(line, "4.0.0").keyword, replies[i].keyword);
		snprintf(line, sizeof line, "host mx.example[192.0.2.1] refused to talk to me: %s", replies[i].text);
		assert_string_equal(explain(line, NULL).keyword, replies[i].keyword);
		snprintf(lines, sizeof lines, "%s %d %d.%d.%d more", replies[i].text, r.code, r.enhanced[0], r.enhanced[1], r.enhanced[2]);
		assert_string_equal(explain(lines, NULL).keyword, replies[i].keyword);
	}
}

static void
test_not_known(void **state)
{
	static const struct {
		const char *text, *dsn, *keyword;
		enum m365_class class;
	} table[] = {
		{"451 4.5.127 something", NULL, "not-known", M365_RETRY},
		{"550 5.7.650 Access denied", NULL, "not-known", M365_UNKNOWN},
		{"550 5.7.605 Access denied", NULL, "not-known", M365_UNKNOWN},
		{"451 4.7.700 Access denied", NULL, "not-known", M365_RETRY},
		{"451 4.7.499 Access denied", NULL, "not-known", M365_RETRY},
		{"451 4.7.64 not the permanent one", NULL, "not-known", M365_RETRY},
		{"550 5.7.1 something else", NULL, "not-known", M365_UNKNOWN},
		{"550 5.4.1 something else", NULL, "not-known", M365_UNKNOWN},
		{"432 4.3.2 something else", NULL, "not-known", M365_RETRY},
		{"554 5.2.0 something else", NULL, "not-known", M365_UNKNOWN},
		{"554 5.2.2 something else", NULL, "not-known", M365_UNKNOWN},
		{"550 5.7.3 no login was tried", NULL, "not-known", M365_UNKNOWN},
		{"550 no code", NULL, "not-known", M365_UNKNOWN},
		{"450", NULL, "not-known", M365_RETRY},
		/* The text of one code is not that of another, and codes that do not fit are none. */
		{"550 5.7.7 it says 550 5.7.64 in its text", NULL, "not-known", M365_UNKNOWN},
		{"450 5.7.64 TenantAttribution", NULL, "not-known", M365_RETRY},
		{"550 5.7.6400 long", NULL, "not-known", M365_UNKNOWN},
		{"550 5.7.64.1 longer", NULL, "not-known", M365_UNKNOWN},
		{"host a[1] said: 550 5.9.9 host b said: 550 5.7.64 x", NULL, "not-known", M365_UNKNOWN},
		/* Nobody said it. */
		{"connect to mx.example[192.0.2.1]:25: Connection timed out", NULL, "no-reply", M365_RETRY},
		{"user said: 550 5.7.64 x", NULL, "no-reply", M365_RETRY},
		{"", NULL, "no-reply", M365_RETRY},
		/* Sendmail tells the server's code and not its words. */
		{"Service unavailable", "5.7.64", "relay-access-denied", M365_TENANT},
		{"User unknown", "5.4.1", "not-known", M365_UNKNOWN},
		{"Deferred: 451 4.7.500 Server busy. Please try again later", "4.7.500", "server-busy", M365_ROUTE},
		{"Service unavailable", "5.7.64 x", "no-reply", M365_RETRY},
		{"250 2.0.0 OK", NULL, "", M365_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct m365_meaning m = explain(table[i].text, table[i].dsn);

		if (strcmp(m.keyword, table[i].keyword) != 0 || m.class != table[i].class)
			fail_msg("\"%s\": %s, %s", table[i].text, m.keyword, m365_class_name(m.class));
		if (strcmp(m.keyword, "not-known") == 0)
			assert_non_null(strstr(m.cause, "Not known"));
	}
}

/* Every row says something, in whole sentences. */
static void
test_texts(void **state)
{
	char buf[M365_WAIT_SIZE];
	size_t n = 0;

	(void)state;
	for (const struct m365_row *w; (w = m365_row(n)) != NULL; n++) {
		const char *const texts[] = {w->meaning.cause, w->meaning.action};

		for (size_t i = 0; i < 2; i++) {
			size_t len = strlen(texts[i]);

			assert_true(len > 20 && texts[i][len - 1] == '.' && strstr(texts[i], "  ") == NULL);
		}
		assert_true(w->classes != NULL || w->words != NULL);
		assert_true(strlen(m365_wait_text(&w->meaning, buf)) > 4);
	}
	assert_true(n > 70 && n < COUNT_OF(met));
}

static void
test_hosts(void **state)
{
	static const char *const theirs[] = {"contoso-com.mail.protection.outlook.com", "Contoso-com.o-v1.MX.Microsoft",
					     "smtp.office365.com", "smtp.hve.mx.microsoft"};
	static const char *const others[] = {"mail.protection.outlook.com.evil.example", ".mx.microsoft", "evilsmtp.office365.com",
					     "evil-mx.microsoft", "outlook.com", ""};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(theirs); i++)
		assert_true(m365_is_host(theirs[i], strlen(theirs[i])));
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_false(m365_is_host(others[i], strlen(others[i])));
	assert_false(m365_is_host("smtp.office365.com", 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies), cmocka_unit_test(test_as_logged), cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_texts), cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
