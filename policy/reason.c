/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See reason.h.
 */
#include "policy/reason.h"

#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static const struct reason reasons[] = {
	{"unknown-client", VERDICT_REJECT, 550, "5.7.1",
	 "no app matches this client, and unknown clients are refused",
	 "Add the client to an app in the policy file, or let it log in.", false},
	{"identity-conflict", VERDICT_REJECT, 550, "5.7.1",
	 "the client address is one app's, the login or certificate another's",
	 "Use the login that belongs to this machine, or name both in one app.", false},
	{"sender-malformed", VERDICT_REJECT, 553, "5.1.7",
	 "the envelope sender is ambiguous, or the MTA understood another",
	 "Send a plain local-part@domain as envelope sender.", false},
	{"sender-not-accepted", VERDICT_REJECT, 550, "5.7.1",
	 "the envelope sender's domain is no accepted domain, or may not send",
	 "Send from an accepted domain of the tenant, or have the domain added to it.", false},
	{"sender-not-allowed", VERDICT_REJECT, 550, "5.7.1",
	 "the app may not use this envelope sender",
	 "Use one of the app's senders, or add this one to the app.", false},
	{"null-sender", VERDICT_REJECT, 550, "5.7.1",
	 "a null sender where only a certificate connector could carry it",
	 "Send with a real envelope sender.", false},
	{"recipient-malformed", VERDICT_REJECT, 553, "5.1.3",
	 "the recipient's address is ambiguous, or the MTA understood another",
	 "Send to a plain local-part@domain.", false},
	{"direct-send-external", VERDICT_REJECT, 550, "5.7.1",
	 "Direct Send does not reach recipients outside the accepted domains",
	 "Use a connector or smtp-auth app.", false},
	{"method-external", VERDICT_REJECT, 550, "5.7.1",
	 "the app's method does not reach recipients outside the accepted domains",
	 "Use a connector or smtp-auth app.", false},
	{"too-many-recipients", VERDICT_DEFER, 452, "4.5.3",
	 "more recipients in one message than the method or app allows",
	 "Send the rest in another message.", false},
	{"from-missing", VERDICT_REJECT, 554, "5.6.0",
	 "the message has no header From",
	 "Add a From field with one address.", true},
	{"from-multiple", VERDICT_REJECT, 554, "5.6.0",
	 "the message has several From fields",
	 "Send exactly one From field.", true},
	{"from-malformed", VERDICT_REJECT, 554, "5.6.0",
	 "the header From does not say for certain who wrote the message",
	 "Send From as: Name <local-part@domain>.", true},
	{"from-not-accepted", VERDICT_REJECT, 550, "5.7.1",
	 "the header From's domain is no accepted domain, or may not send",
	 "Use a From address in an accepted domain of the tenant.", false},
	{"from-not-allowed", VERDICT_REJECT, 550, "5.7.1",
	 "the app may not use this header From, or its display name shows an address the app may not use",
	 "Use one of the app's senders in From.", false},
	{"from-not-aligned", VERDICT_REJECT, 550, "5.7.1",
	 "the header From belongs to another tenant than the envelope sender",
	 "Use envelope sender and From of the same tenant.", false},
	{"header-sender", VERDICT_REJECT, 550, "5.7.1",
	 "the Sender field names somebody the app may not send as",
	 "Leave Sender out, or use one of the app's senders.", false},
	{"header-resent", VERDICT_REJECT, 550, "5.7.1",
	 "the message has Resent-* fields; an application does not resend",
	 "Send a new message instead of a resent one.", true},
	{"header-malformed", VERDICT_REJECT, 554, "5.6.0",
	 "another header field that machines act on is broken",
	 "Mend the field named.", true},
	{"header-repeated", VERDICT_REJECT, 554, "5.6.0",
	 "a header field that may stand once stands twice",
	 "Send the field once; a repeated one often means that input was put into the header unchecked.", true},
	{"header-too-large", VERDICT_REJECT, 552, "5.3.4",
	 "a header field, or the header as a whole, is larger than can be passed on unharmed",
	 "Send a smaller header.", true},
	{"body-malformed", VERDICT_REJECT, 554, "5.6.0",
	 "the body holds NUL octets or bare line ends, which the next hop changes or refuses",
	 "Encode the body as quoted-printable or base64 and end lines with CRLF.", true},
	{"message-partial", VERDICT_REJECT, 550, "5.7.1",
	 "the message is a fragment (message/partial), which nobody can check",
	 "Send the message whole.", true},
	{"message-too-large", VERDICT_REJECT, 552, "5.3.4",
	 "the message is larger than the method or app allows",
	 "Send a smaller message, or a link.", false},
	{"line-too-long", VERDICT_REJECT, 554, "5.6.0",
	 "signing is required and a line would be rewrapped after signing",
	 "Encode the body as quoted-printable or base64.", false},
	{"rule", VERDICT_REJECT, 550, "5.7.1",
	 "a rule of the admin decides so (rule:NAME); code and text are the rule's",
	 "Ask the mail admin, or whom the text names.", false},
	{"limit", VERDICT_DEFER, 451, "4.7.1",
	 "a limit is reached (limit:NAME)",
	 "Try again later, or ask for a higher limit.", false},
	{"upstream-paused", VERDICT_DEFER, 451, "4.7.1",
	 "Exchange Online has said that a quota is spent or the tenant blocked; such mail waits until it is taken again",
	 "Nothing: the client tries again. The mail admin sees with postern pause what was said, and lifts it once the cause is mended.", false},
	{"signing-unavailable", VERDICT_DEFER, 451, "4.7.5",
	 "signing is required and the key cannot be used",
	 "Ask the mail admin to look at postern check.", false},
	{"cannot-decide", VERDICT_DEFER, 451, "4.3.0",
	 "Postern itself failed",
	 "Try again later; the mail admin finds the cause in the log.", false},
};

const struct reason *
reason_find(const char *keyword)
{
	size_t len = strcspn(keyword, ":");

	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		if (strncmp(reasons[i].keyword, keyword, len) == 0 && reasons[i].keyword[len] == '\0')
			return &reasons[i];
	return NULL;
}

const struct reason *
reason_table(size_t *n_r)
{
	*n_r = COUNT_OF(reasons);
	return reasons;
}

const char *
verdict_name(enum verdict v)
{
	static const char *const names[] = {"accept", "discard", "hold", "defer", "reject"};

	return names[v];
}
