/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See m365.h. The rows stand in the order in which they are asked: where codes are
 * shared, those that ask for words first. Texts vary, so a row asks for words only
 * where the code is not enough.
 */
#include "admin/m365.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct m365_row rows[] = {
	/* 5.1 Relay, attribution, identity. */
	{{"relay-access-denied", M365_TENANT, M365_TENANT_ADMIN,
	 "Exchange Online did not take this mail server for one of the tenant's. No inbound connector of type "
	 "OnPremises matched its address or certificate, or neither the envelope sender's domain nor the "
	 "certificate's is an accepted domain of the tenant. It also comes from a public address that changed "
	 "and from a certificate sent without its intermediate.",
	 "Compare the connector's addresses or certificate name with what this server uses now, have it send "
	 "the whole certificate chain, and use an envelope sender of an accepted domain.",
	 0}, 0, "5", 7, 64, 64, NULL},
	{{"direct-send-blocked", M365_TENANT, M365_TENANT_ADMIN,
	 "The tenant refuses Direct Send (RejectDirectSend is on): the envelope sender is of one of its own "
	 "domains, and no inbound connector matched this server.",
	 "Make an inbound connector that matches this server's address or certificate, or stop sending this "
	 "way.",
	 0}, 0, "5", 7, 68, 68, NULL},
	{{"wrong-region", M365_ROUTE, M365_MAIL_ADMIN,
	 "The mail was not attributed to the tenant, or went to the wrong host of Exchange Online (ATTR35).",
	 "Set the next hop to the MX host of the tenant, and check that its inbound connector matches this "
	 "server.",
	 M365_WAIT_SOME}, 0, "4", 4, 62, 62, NULL},
	{{"no-mail-subscription", M365_TENANT, M365_TENANT_ADMIN,
	 "The mail came unauthenticated for a domain of a tenant that has no subscription with mail (ATTR5).",
	 "Check the tenant's subscriptions, and that its inbound connector matches this server.",
	 0}, 0, "45", 4, 4, 4, "ATTR5"},
	{{"temporary-server-error", M365_RETRY, M365_NOBODY,
	 "A temporary error of Exchange Online (ATTR55).",
	 "Nothing; the mail server tries again.",
	 M365_WAIT_SOME}, 0, "4", 3, 2, 2, "ATTR55"},
	{{"temporary-server-error", M365_RETRY, M365_NOBODY,
	 "A temporary error of Exchange Online (ATTR55.1).",
	 "Nothing; the mail server tries again.",
	 M365_WAIT_SOME}, 0, "4", 4, 3, 3, "ATTR55"},
	{{"connector-blocked", M365_TENANT, M365_TENANT_ADMIN,
	 "Exchange Online takes the tenant's inbound connector for compromised and has blocked it.",
	 "Find what sent spam through it, then unblock it: Remove-BlockedConnector, or Restricted entities in "
	 "Defender. That takes up to an hour to have effect.",
	 0}, 0, "5", 7, 711, 711, NULL},
	{{"unregistered-domains", M365_TENANT, M365_TENANT_ADMIN,
	 "Too much mail with senders of domains that the tenant has not registered; it may not send any more.",
	 "Add and verify these domains or use a connector by certificate, look for connectors that nobody "
	 "knows, then ask Microsoft's support.",
	 0}, 0, "5", 7, 750, 750, NULL},
	{{"partner-connector", M365_RECIPIENT, M365_RECIPIENT_SIDE,
	 "The recipient's tenant takes mail for this domain only by a partner connector that is restricted to "
	 "certain certificates or addresses.",
	 "Ask the recipient's side which way they want the mail to come.",
	 0}, 0, "5", 7, 51, 51, NULL},
	{{"several-from", M365_MESSAGE, M365_APP_OWNER,
	 "The message has several addresses in From and no Sender (RFC 5322 asks for one then).",
	 "Have the app write one address into From, or add Sender.",
	 0}, 0, "5", 1, 20, 20, NULL},
	{{"from-malformed", M365_MESSAGE, M365_APP_OWNER,
	 "The message has no From, or one that is not well formed (RFC 5322, section 3.6.2).",
	 "Have the app write a valid From.",
	 0}, 0, "5", 7, 512, 512, NULL},
	{{"bare-line-feeds", M365_MESSAGE, M365_APP_OWNER,
	 "The body has line feeds without a carriage return before them.",
	 "Have the app end lines with CR LF, or let the mail server repair it (Postfix: "
	 "smtpd_forbid_bare_newline = normalize).",
	 0}, 0, "5", 6, 11, 11, NULL},
	{{"bad-helo", M365_ROUTE, M365_MAIL_ADMIN,
	 "This mail server named itself in HELO as the server that it connected to.",
	 "Set its own full host name (Postfix: smtp_helo_name).",
	 0}, 0, "5", 7, 506, 506, NULL},
	/* 5.2 SMTP AUTH. */
	{{"not-authenticated", M365_ROUTE, M365_MAIL_ADMIN,
	 "This server did not log in before it sent: no login is set, or there was no TLS, without which login "
	 "is not offered; or the host for SMTP AUTH is used for Direct Send.",
	 "Set login and STARTTLS for this next hop, and check that SMTP AUTH is on for the mailbox; or use the "
	 "tenant's MX host.",
	 0}, 0, "5", 7, 57, 57, NULL},
	{{"not-authenticated", M365_ROUTE, M365_MAIL_ADMIN,
	 "This server did not log in before it sent: no login is set, or there was no TLS, without which login "
	 "is not offered; or the host for SMTP AUTH is used for Direct Send.",
	 "Set login and STARTTLS for this next hop, and check that SMTP AUTH is on for the mailbox; or use the "
	 "tenant's MX host.",
	 0}, 530, NULL, 0, 0, 0, "client was not authenticated|client not authenticated"},
	{{"auth-disabled", M365_ROUTE, M365_TENANT_ADMIN,
	 "The login was refused because SMTP AUTH is switched off for the tenant or the mailbox, or because "
	 "Security Defaults, an authentication policy or Conditional Access do not allow it.",
	 "Allow it for the mailbox (Set-CASMailbox -SmtpClientAuthenticationDisabled $false) and in the "
	 "authentication policy, or log in by OAuth.",
	 0}, 0, "5", 7, 139, 139, NULL},
	{{"auth-failed", M365_ROUTE, M365_TENANT_ADMIN,
	 "The login was refused: a wrong password, or SMTP AUTH is off, or the account needs a second factor.",
	 "Check the password, and that SMTP AUTH is on for the mailbox (Set-CASMailbox "
	 "-SmtpClientAuthenticationDisabled $false), or log in by OAuth.",
	 0}, 535, "5", 7, 3, 3, NULL},
	{{"basic-auth-retired", M365_ROUTE, M365_MAIL_ADMIN,
	 "Login by password (Basic authentication) is not taken for client submission any more.",
	 "Log in by OAuth, or send by a connector, High Volume Email or Azure Communication Services.",
	 0}, 0, "5", 7, 30, 30, NULL},
	{{"send-as-denied", M365_MESSAGE, M365_TENANT_ADMIN,
	 "The sender is not the mailbox that logged in, and that may not send as it.",
	 "Give the mailbox the right Send As for this sender, have the app use the mailbox's own address, or "
	 "send by a connector.",
	 0}, 0, "5", 7, 60, 60, NULL},
	{{"send-as-denied", M365_MESSAGE, M365_TENANT_ADMIN,
	 "The sender is not the mailbox that logged in, and that may not send as it.",
	 "Give the mailbox the right Send As for this sender, have the app use the mailbox's own address, or "
	 "send by a connector.",
	 0}, 0, "5", 2, 252, 252, NULL},
	{{"send-as-denied", M365_MESSAGE, M365_TENANT_ADMIN,
	 "The sender is not the mailbox that logged in, and that may not send as it.",
	 "Give the mailbox the right Send As for this sender, have the app use the mailbox's own address, or "
	 "send by a connector.",
	 0}, 0, NULL, 0, 0, 0, "SendAsDenied"},
	{{"too-many-connections", M365_RETRY, M365_MAIL_ADMIN,
	 "More than three connections at a time for one mailbox.",
	 "Let the mail server open three at most to this next hop (Postfix: "
	 "smtp_destination_concurrency_limit); it tries again by itself.",
	 M365_WAIT_SOME}, 0, "4", 3, 2, 2, "sender thread limit exceeded|concurrent connections limit exceeded"},
	{{"submission-quota", M365_QUOTA, M365_NOBODY,
	 "The mailbox has sent to more than 10,000 recipients within 24 hours.",
	 "Wait, spread the mail over time, or send it another way.",
	 86400L}, 0, "5", 2, 0, 0, "SubmissionQuotaExceeded"},
	{{"outbound-spam", M365_ROUTE, M365_TENANT_ADMIN,
	 "The outbound spam filter stopped the mailbox: it sent too much, or the account or a new tenant is "
	 "suspended.",
	 "Look for the account at Restricted entities in Defender, send less, then ask Microsoft's support.",
	 0}, 0, "5", 2, 0, 0, "OutboundSpam|WASCL"},
	{{"mailbox-full", M365_ROUTE, M365_TENANT_ADMIN,
	 "The sending mailbox is full: every message that is sent by SMTP AUTH is kept in its Sent Items.",
	 "Empty it, and give it a retention policy for Sent Items.",
	 0}, 0, "5", 2, 2, 2, "mailbox full|MailboxFull"},
	{{"submission-quota", M365_QUOTA, M365_TENANT_ADMIN,
	 "The mailbox has reached its sending limits.",
	 "Wait until it has sent less within the last 24 hours, and check whether somebody else uses the "
	 "account.",
	 86400L}, 0, "5", 2, 2, 2, "submission quota|SubmissionQuota"},
	{{"mailbox-full", M365_ROUTE, M365_TENANT_ADMIN,
	 "The sending mailbox is full: every message that is sent by SMTP AUTH is kept in its Sent Items.",
	 "Empty it, and give it a retention policy for Sent Items.",
	 0}, 0, "5", 2, 2, 2, "QuotaExceededException"},
	{{"daily-recipients", M365_QUOTA, M365_NOBODY,
	 "The mailbox has reached its daily limit of recipients (10,000 within 24 hours).",
	 "Wait: it may send again once it is below the limit.",
	 86400L}, 0, "5", 1, 90, 90, NULL},
	{{"account-blocked", M365_ROUTE, M365_TENANT_ADMIN,
	 "The sending account was blocked because of spam.",
	 "Find out who uses it, then unblock it at Restricted entities in Defender.",
	 0}, 0, "5", 1, 8, 8, NULL},
	/* 5.3 Tenant, address, reputation. */
	{{"trial-tenant-quota", M365_QUOTA, M365_TENANT_ADMIN,
	 "The trial tenant has reached its limit of external recipients within 24 hours.",
	 "Wait, send less, or buy licences: the limit of a paid tenant is higher.",
	 86400L}, 0, "5", 7, 232, 232, NULL},
	{{"tenant-quota", M365_QUOTA, M365_TENANT_ADMIN,
	 "The tenant has reached its limit of external recipients within 24 hours (TERRL). All its apps and "
	 "mailboxes share it.",
	 "Wait, send less, buy more licences, or send bulk mail by Azure Communication Services.",
	 86400L}, 0, "5", 7, 233, 233, NULL},
	{{"onmicrosoft-quota", M365_QUOTA, M365_TENANT_ADMIN,
	 "The tenant has sent to 100 external recipients within 24 hours with senders at onmicrosoft.com, and "
	 "may do no more.",
	 "Send from a domain of your own.",
	 86400L}, 0, "5", 7, 236, 236, NULL},
	{{"account-banned", M365_ROUTE, M365_TENANT_ADMIN,
	 "The sending account is banned because of spam.",
	 "Find and stop what sent it, then ask Microsoft's support.",
	 0}, 0, "5", 7, 501, 503, NULL},
	{{"address-banned", M365_ROUTE, M365_MAIL_ADMIN,
	 "The public address of this mail server is banned.",
	 "Find and stop what sent spam, then write to delist@microsoft.com.",
	 0}, 0, "5", 7, 511, 511, NULL},
	{{"address-banned", M365_ROUTE, M365_MAIL_ADMIN,
	 "The public address of this mail server is on Microsoft's block list.",
	 "Find and stop what sent spam, then ask for removal at https://sender.office.com; that takes up to 24 "
	 "hours.",
	 0}, 0, "5", 7, 606, 649, NULL},
	{{"tenant-block-list", M365_RECIPIENT, M365_TENANT_ADMIN,
	 "The tenant's own Allow/Block List blocks a recipient. One such recipient stops the message for all "
	 "its recipients.",
	 "Take the address off the Tenant Allow/Block List, or have the app leave that recipient out.",
	 0}, 0, "5", 7, 703, 703, NULL},
	{{"tenant-blocked", M365_TENANT, M365_TENANT_ADMIN,
	 "Exchange Online has blocked the tenant because of spam or bulk mail, often from a compromised relay "
	 "or connector; it also comes when a licence was just renewed.",
	 "Find and stop what sent it, then ask Microsoft's support.",
	 0}, 0, "5", 7, 705, 705, NULL},
	{{"address-reputation", M365_TENANT, M365_TENANT_ADMIN,
	 "Exchange Online takes no mail from this address: its reputation is low. Trial tenants meet this "
	 "most.",
	 "Ask Microsoft's support for an exception, or buy licences.",
	 0}, 0, "5", 7, 708, 708, NULL},
	{{"domain-banned", M365_ROUTE, M365_MAIL_ADMIN,
	 "The host name of this mail server or the sender's domain is banned.",
	 "Ask Microsoft's support.",
	 0}, 0, "5", 7, 800, 800, NULL},
	{{"server-busy", M365_ROUTE, M365_TENANT_ADMIN,
	 "Exchange Online slows this server's address down: it does not know it by a connector, or its volume "
	 "changed. A new public address is the usual start.",
	 "Make an inbound connector that matches this server, and raise the volume slowly. The mail server "
	 "tries again by itself.",
	 M365_WAIT_SOME}, 0, "4", 7, 500, 699, NULL},
	{{"address-evaluated", M365_RETRY, M365_NOBODY,
	 "Exchange Online is still judging this server's address.",
	 "Wait; the mail server tries again.",
	 M365_WAIT_SOME}, 0, "4", 7, 850, 899, NULL},
	{{"dns-block-list", M365_ROUTE, M365_MAIL_ADMIN,
	 "The public address of this mail server is on a block list of somebody else, which the reply names.",
	 "Find and stop what sent spam, then ask that list for removal.",
	 0}, 0, "5", 7, 1, 1, "blocked using|spamhaus"},
	{{"recipient-block-list", M365_RECIPIENT, M365_RECIPIENT_SIDE,
	 "The recipient's organization has this mail server's address on a block list of its own.",
	 "Ask the recipient's side to take it off.",
	 0}, 0, "5", 7, 513, 513, NULL},
	{{"outlook-authentication", M365_MESSAGE, M365_MAIL_ADMIN,
	 "Outlook.com asks who sends much to pass SPF and DKIM and to have a DMARC record that one of them is "
	 "aligned with; this sending domain does not.",
	 "Publish SPF, DKIM and DMARC for the domain in From, and have its mail signed.",
	 0}, 0, "5", 7, 515, 515, NULL},
	{{"dmarc-reject", M365_MESSAGE, M365_MAIL_ADMIN,
	 "The message does not pass DMARC, and the sending domain's DMARC policy says to reject such mail.",
	 "Have the mail signed with a DKIM key of the domain in From, or have SPF pass for it.",
	 0}, 0, "5", 7, 509, 509, NULL},
	{{"spf-violation", M365_MESSAGE, M365_MAIL_ADMIN,
	 "SPF does not pass at the destination.",
	 "Put what sends this mail into the sending domain's SPF record.",
	 0}, 0, "5", 7, 23, 23, NULL},
	{{"ipv6-unauthenticated", M365_ROUTE, M365_MAIL_ADMIN,
	 "Mail by IPv6 needs SPF or DKIM to pass, and neither did.",
	 "Send to Exchange Online by IPv4 (Postfix: inet_protocols = ipv4); its connectors know only IPv4.",
	 0}, 0, "45", 7, 26, 26, NULL},
	{{"ipv6-no-ptr", M365_ROUTE, M365_MAIL_ADMIN,
	 "Mail by IPv6 needs a PTR record for this server's address, and there is none.",
	 "Send to Exchange Online by IPv4 (Postfix: inet_protocols = ipv4); its connectors know only IPv4.",
	 0}, 0, "45", 7, 25, 25, NULL},
	{{"ipv6-rate", M365_ROUTE, M365_MAIL_ADMIN,
	 "Too much mail by IPv6 from this server.",
	 "Send to Exchange Online by IPv4 (Postfix: inet_protocols = ipv4); its connectors know only IPv4.",
	 0}, 0, "45", 7, 508, 508, NULL},
	{{"ipv6-refused", M365_ROUTE, M365_MAIL_ADMIN,
	 "The recipient's domain takes no mail by IPv6.",
	 "Send to Exchange Online by IPv4 (Postfix: inet_protocols = ipv4); its connectors know only IPv4.",
	 0}, 0, "45", 7, 510, 510, NULL},
	/* 5.4 Recipient, routing, transport. */
	{{"domain-not-accepted", M365_RECIPIENT, M365_TENANT_ADMIN,
	 "The recipient's domain is no accepted domain there.",
	 "If it is a domain of your tenant, add it as accepted domain and check its MX record; otherwise the "
	 "mail went to the wrong host.",
	 0}, 0, "5", 4, 1, 1, "relay access denied"},
	{{"recipient-unknown", M365_RECIPIENT, M365_APP_OWNER,
	 "The address does not exist: its domain is Authoritative in Exchange Online, and the directory has no "
	 "such recipient.",
	 "Correct the address, or have the tenant's admin create the recipient or make the domain "
	 "InternalRelay.",
	 0}, 0, "5", 4, 1, 1, "recipient address rejected|access denied"},
	{{"recipient-unknown", M365_RECIPIENT, M365_APP_OWNER,
	 "There is no such recipient.",
	 "Take the address out of the app, or correct it.",
	 0}, 0, "5", 1, 10, 10, NULL},
	{{"recipient-unknown", M365_RECIPIENT, M365_APP_OWNER,
	 "There is no such recipient.",
	 "Take the address out of the app, or correct it.",
	 0}, 0, "5", 5, 0, 0, "mailbox unavailable"},
	{{"bad-address", M365_RECIPIENT, M365_APP_OWNER,
	 "The recipient's address is not good.",
	 "Correct the address in the app.",
	 0}, 0, "5", 1, 1, 1, NULL},
	{{"sender-denied", M365_MESSAGE, M365_APP_OWNER,
	 "The address of the sender is not taken.",
	 "Correct the sender in the app.",
	 0}, 0, "5", 1, 0, 0, "sender denied"},
	{{"next-server-refuses", M365_RETRY, M365_RECIPIENT_SIDE,
	 "Exchange Online cannot reach the server it passes the mail on to: the connection is refused.",
	 "If it lasts, ask the recipient's side.",
	 M365_WAIT_SOME}, 0, "4", 4, 316, 316, NULL},
	{{"next-server-tls", M365_RETRY, M365_RECIPIENT_SIDE,
	 "Exchange Online cannot connect to the server it passes the mail on to, or does not trust its "
	 "certificate.",
	 "If it lasts, ask the recipient's side; where that server is yours, check its certificate.",
	 M365_WAIT_SOME}, 0, "4", 4, 317, 317, NULL},
	{{"expired-at-microsoft", M365_RECIPIENT, M365_RECIPIENT_SIDE,
	 "Exchange Online gave up: the server it passes the mail on to refused the connection until the "
	 "message expired.",
	 "Ask the recipient's side, then send it again.",
	 0}, 0, "5", 4, 316, 316, NULL},
	{{"expired-at-microsoft", M365_RECIPIENT, M365_RECIPIENT_SIDE,
	 "Exchange Online gave up: it could not pass the message on in time (24 hours unless set otherwise).",
	 "Ask the recipient's side, then send it again.",
	 0}, 0, "45", 4, 7, 7, "message expired"},
	{{"expired-at-microsoft", M365_RECIPIENT, M365_RECIPIENT_SIDE,
	 "Exchange Online gave up: it could not pass the message on in time (24 hours unless set otherwise).",
	 "Ask the recipient's side, then send it again.",
	 0}, 0, "5", 4, 300, 300, NULL},
	{{"mta-sts", M365_RETRY, M365_RECIPIENT_SIDE,
	 "The recipient's server does not meet the MTA-STS policy of its domain.",
	 "Ask the recipient's side.",
	 M365_WAIT_SOME}, 0, "4", 4, 8, 8, NULL},
	{{"destination-tls", M365_RECIPIENT, M365_RECIPIENT_SIDE,
	 "TLS, DANE or DNSSEC of the recipient's domain failed.",
	 "Ask the recipient's side.",
	 0}, 0, "45", 7, 321, 325, NULL},
	{{"too-many-recipients", M365_MESSAGE, M365_MAIL_ADMIN,
	 "The message has more than 200 recipients of one domain.",
	 "Send it in parts of 200 recipients at most (Postfix: smtp_destination_recipient_limit, whose default "
	 "is 50); the mail server then tries again.",
	 M365_WAIT_SOME}, 0, "4", 5, 3, 3, NULL},
	{{"recipient-rate-sender", M365_RECIPIENT, M365_APP_OWNER,
	 "The recipient's mailbox took as much from this sender within an hour as it may.",
	 "Send less to this mailbox, for instance by a limit per recipient, and send again after an hour.",
	 3600L}, 0, "5", 2, 121, 121, NULL},
	{{"recipient-rate", M365_RECIPIENT, M365_APP_OWNER,
	 "The recipient's mailbox got as much within an hour as it may (3,600 messages).",
	 "Send less to this mailbox, for instance by a limit per recipient, and send again after an hour.",
	 3600L}, 0, "5", 2, 122, 122, NULL},
	{{"recipient-busy", M365_RETRY, M365_NOBODY,
	 "The recipient's mailbox is busy with other mail.",
	 "Nothing; the mail server tries again.",
	 M365_WAIT_SOME}, 0, "4", 3, 2, 2, "recipient thread limit exceeded"},
	{{"mail-loop", M365_TENANT, M365_TENANT_ADMIN,
	 "The message goes round in a loop, for instance because a domain of type InternalRelay points back at "
	 "this server.",
	 "Check the outbound connector and the type of the recipient's domain.",
	 0}, 0, "5", 4, 14, 14, NULL},
	{{"mail-loop", M365_TENANT, M365_MAIL_ADMIN,
	 "The message goes round in a loop between servers.",
	 "Check the connectors, the type of the recipient's domain and the routes of this server.",
	 0}, 0, "5", 4, 6, 6, NULL},
	{{"internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN,
	 "The group or mailbox takes mail only from authenticated senders of its own organization, and mail of "
	 "an app often comes without.",
	 "Allow senders from outside for this group or mailbox, or have the connector treat the app's mail as "
	 "internal.",
	 0}, 0, "5", 7, 12, 12, NULL},
	{{"internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN,
	 "The group or mailbox takes mail only from authenticated senders of its own organization, and mail of "
	 "an app often comes without.",
	 "Allow senders from outside for this group or mailbox, or have the connector treat the app's mail as "
	 "internal.",
	 0}, 0, "5", 7, 124, 124, NULL},
	{{"internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN,
	 "The group or mailbox takes mail only from authenticated senders of its own organization, and mail of "
	 "an app often comes without.",
	 "Allow senders from outside for this group or mailbox, or have the connector treat the app's mail as "
	 "internal.",
	 0}, 0, "5", 7, 133, 133, NULL},
	{{"internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN,
	 "The group or mailbox takes mail only from authenticated senders of its own organization, and mail of "
	 "an app often comes without.",
	 "Allow senders from outside for this group or mailbox, or have the connector treat the app's mail as "
	 "internal.",
	 0}, 0, "5", 7, 134, 134, NULL},
	{{"internal-senders-only", M365_RECIPIENT, M365_TENANT_ADMIN,
	 "The group or mailbox takes mail only from authenticated senders of its own organization, and mail of "
	 "an app often comes without.",
	 "Allow senders from outside for this group or mailbox, or have the connector treat the app's mail as "
	 "internal.",
	 0}, 0, "5", 7, 136, 136, NULL},
	{{"forwarding-not-allowed", M365_RECIPIENT, M365_TENANT_ADMIN,
	 "The organization does not allow that mail is forwarded to the outside.",
	 "Change the outbound policy, or stop the forwarding.",
	 0}, 0, "5", 7, 520, 520, NULL},
	{{"destination-no-relay", M365_RECIPIENT, M365_RECIPIENT_SIDE,
	 "The recipient's server says that it may not relay this mail.",
	 "Ask the recipient's side.",
	 0}, 0, "5", 7, 367, 367, NULL},
	{{"destination-authentication", M365_MESSAGE, M365_MAIL_ADMIN,
	 "The recipient's server did not take the message because of SPF, DKIM or DMARC.",
	 "Check SPF, DKIM and DMARC of the domain in From.",
	 0}, 0, "5", 7, 368, 368, NULL},
	{{"header-too-long", M365_MESSAGE, M365_APP_OWNER,
	 "The recipient's server refused the message; the text names a header field that is too long.",
	 "Have the app or the program that adds the field make it shorter.",
	 0}, 0, "5", 0, 350, 350, "header is too long|x-dg-ref"},
	{{"remote-error", M365_RECIPIENT, M365_RECIPIENT_SIDE,
	 "The recipient's server refused the message with an error of its own.",
	 "Read the text of the reply, and ask the recipient's side.",
	 0}, 0, "5", 0, 350, 350, NULL},
};

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])
#define WORDS_MAX 4096

const struct m365_row *
m365_row(size_t i)
{
	return i < COUNT_OF(rows) ? &rows[i] : NULL;
}

/* A number of at most three digits; how many there were in *len_r. */
static int
number(const char *s, size_t *len_r)
{
	int n = 0;

	for (*len_r = 0; *len_r < 4 && text_is_digit(s[*len_r]); (*len_r)++)
		n = 10 * n + (s[*len_r] - '0');
	return n;
}

/* An enhanced code at s: its length, or 0. */
static size_t
read_enhanced(const char *s, int enhanced_r[3])
{
	size_t at = 0, len;

	for (int i = 0; i < 3; i++) {
		enhanced_r[i] = number(s + at, &len);
		if (len == 0 || len > (i == 0 ? 1 : 3) || (i < 2 && s[at + len] != '.'))
			return 0;
		at += len + (i < 2);
	}
	return s[at] == '.' || text_is_digit(s[at]) || strchr("245", s[0]) == NULL ? 0 : at;
}

/* "550 5.7.64", "550-5.7.64", "550;5.7.64", "550": its length, or 0. */
static size_t
read_codes(const char *s, struct m365_reply *r)
{
	size_t len, more;

	r->code = number(s, &len);
	if (len != 3 || s[0] < '2' || s[0] > '5' || (s[3] != '\0' && strchr(" -;:", s[3]) == NULL))
		return 0;
	r->is_reply = true;
	if (s[3] == '\0')
		return 3;
	len += strspn(s + 3, " -;:");
	more = read_enhanced(s + len, r->enhanced);
	if (more == 0 || r->enhanced[0] != r->code / 100)
		memset(r->enhanced, 0, sizeof r->enhanced);
	return len + more;
}

/* Where the server's words begin, in what the MTA says of them. */
static const char *
server_words(const char *text)
{
	static const char *const before[] = {" said: ", " refused to talk to me: ", "Deferred: "};

	if (strncmp(text, "host ", 5) != 0 && strncmp(text, "lost connection", 15) != 0 && strncmp(text, "delivery temporarily", 20) != 0 &&
	    strncmp(text, "Deferred: ", 10) != 0)
		return text;
	for (size_t i = 0; i < COUNT_OF(before); i++) {
		const char *found = strstr(text, before[i]);

		if (found == NULL)
			continue;
		found += strlen(before[i]);
		return strncmp(found, M365_FILTERED, strlen(M365_FILTERED)) == 0 ? found + strlen(M365_FILTERED) : found;
	}
	return text;
}

struct m365_reply
m365_read(const char *text, const char *dsn)
{
	struct m365_reply r = {0};
	size_t len;

	if (read_codes(server_words(text), &r) == 0)
		r = (struct m365_reply){0};
	if (dsn == NULL || r.enhanced[0] != 0)
		return r;
	len = read_enhanced(dsn, r.enhanced);
	if (len == 0 || dsn[len] != '\0' || (r.code != 0 && r.enhanced[0] != r.code / 100))
		memset(r.enhanced, 0, sizeof r.enhanced);
	else
		r.is_reply = true;
	return r;
}

/* The text as words in lower case, one blank between; the codes that begin each line of a reply are
 * left out, so that what stood on two lines is whole again. */
static void
put_words(const char *text, const struct m365_reply *reply, char words[WORDS_MAX])
{
	struct m365_reply again = {0};
	size_t n = 0;

	for (const char *s = text; *s != '\0' && n < WORDS_MAX - 2;) {
		size_t codes = s == text || s[-1] == ' ' ? read_codes(s, &again) : 0;

		if (codes > 0 && again.code == reply->code) {
			s += codes;
			continue;
		}
		if (text_is_digit(*s) || text_is_alpha(*s))
			words[n++] = text_lower_char(*s);
		else if (n > 0 && words[n - 1] != ' ')
			words[n++] = ' ';
		s++;
	}
	words[n] = '\0';
}

/* Whether one of `list` ("one thing|another") is in the words. */
static bool
has_words(const char *words, const char *list)
{
	char one[80];

	for (const char *s = list; *s != '\0';) {
		size_t len = strcspn(s, "|"), n = 0;

		for (size_t i = 0; i < len && n < sizeof one - 1; i++) {
			char c = text_lower_char(s[i]);

			one[n++] = text_is_digit(c) || text_is_alpha(c) ? c : ' ';
		}
		one[n] = '\0';
		if (strstr(words, one) != NULL)
			return true;
		s += len + (s[len] == '|');
	}
	return false;
}

static bool
matches(const struct m365_row *w, const struct m365_reply *r, const char *words)
{
	if (w->code != 0 && r->code != 0 && w->code != r->code)
		return false;
	if (w->classes != NULL && (r->enhanced[0] == 0 || strchr(w->classes, '0' + r->enhanced[0]) == NULL ||
				   r->enhanced[1] != w->subject || r->enhanced[2] < w->low || r->enhanced[2] > w->high))
		return false;
	return w->words == NULL || has_words(words, w->words);
}

static struct m365_meaning
not_known(int class)
{
	if (class == 4)
		return (struct m365_meaning){
			"not-known", M365_RETRY, M365_NOBODY, "Not known: Postern has no explanation of this reply. It says itself that it is temporary.",
			"Nothing as long as it is rare; the mail server tries again. If it stays, read the text of the reply.", M365_WAIT_SOME};
	return (struct m365_meaning){
		"not-known", M365_UNKNOWN, M365_MAIL_ADMIN, "Not known: Postern has no explanation of this reply. It says itself that it is permanent.",
		"Read the text of the reply.", 0};
}

static const struct m365_meaning no_reply = {
	"no-reply", M365_RETRY, M365_MAIL_ADMIN, "No server said this; it is this mail server's own text.",
	"If it stays, check name, port and network of the next hop.", M365_WAIT_SOME,
};

struct m365_meaning
m365_explain(const struct m365_reply *reply, const char *text)
{
	int class = reply->code != 0 ? reply->code / 100 : reply->enhanced[0];
	char words[WORDS_MAX];

	if (!reply->is_reply)
		return no_reply;
	if (class != 4 && class != 5)
		return (struct m365_meaning){"", M365_UNKNOWN, M365_NOBODY, "", "", 0};
	put_words(text, reply, words);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (matches(&rows[i], reply, words))
			return rows[i].meaning;
	return not_known(class);
}

/* Whether a name is one of these, or within one that begins with a dot. */
static bool
is_one_of(const char *name, size_t len, const char *const *ends, size_t n_ends)
{
	for (size_t i = 0; i < n_ends; i++) {
		size_t n = strlen(ends[i]);

		if ((ends[i][0] == '.' ? len > n : len == n) && text_same_n(name + len - n, ends[i], n))
			return true;
	}
	return false;
}

bool
m365_is_host(const char *name, size_t len)
{
	static const char *const ends[] = {
		".mail.protection.outlook.com", ".mx.microsoft", "smtp.office365.com", "smtp-legacy.office365.com",
		"smtp-hve.office365.com",
	};

	return is_one_of(name, len, ends, COUNT_OF(ends));
}

bool
m365_is_sender(const char *name, size_t len)
{
	static const char *const ends[] = {".outbound.protection.outlook.com", ".prod.outlook.com"};

	return is_one_of(name, len, ends, COUNT_OF(ends));
}

const char *
m365_class_name(enum m365_class class)
{
	static const char *const names[] = {"quota", "tenant", "route", "recipient", "message", "retry", "unknown"};

	return names[class];
}

const char *
m365_who_name(enum m365_who who)
{
	static const char *const names[] = {
		"the admin of the Microsoft 365 tenant", "the admin of this mail server", "the owner of the app",
		"the recipient's side", "Microsoft's support", "nobody",
	};

	return names[who];
}

const char *
m365_wait_text(const struct m365_meaning *m, char buf[M365_WAIT_SIZE])
{
	if (m->wait == 0)
		snprintf(buf, M365_WAIT_SIZE, "waiting does not help");
	else if (m->wait == M365_WAIT_SOME)
		snprintf(buf, M365_WAIT_SIZE, "yes; for how long is not published");
	else
		snprintf(buf, M365_WAIT_SIZE, "yes, up to %ld hour%s", m->wait / 3600, m->wait == 3600 ? "" : "s");
	return buf;
}
