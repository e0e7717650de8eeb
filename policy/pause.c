/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See pause.h.
 */
#include "policy/pause.h"

#include <string.h>

#include "base/text.h"

#define DAY_MS INT64_C(86400000)

/* Quotas are counts over the last 24 hours, so the latest that they can be free again is 24 hours after
 * they were used up. The others last until somebody acts. */
static const struct pause_rule rules[] = {
	{"trial-tenant-quota", PAUSE_OF_TENANT, true, true, DAY_MS},
	{"tenant-quota", PAUSE_OF_TENANT, true, true, DAY_MS},
	{"onmicrosoft-quota", PAUSE_OF_DOMAIN, true, true, DAY_MS},
	{"daily-recipients", PAUSE_OF_SENDER, false, true, DAY_MS},
	{"submission-quota", PAUSE_OF_SENDER, false, true, DAY_MS},
	/* Either this relay is not known or the domain is not accepted: both are met by the domain. */
	{"relay-access-denied", PAUSE_OF_DOMAIN, true, false, 0},
	{"direct-send-blocked", PAUSE_OF_DOMAIN, false, false, 0},
	{"tenant-blocked", PAUSE_OF_TENANT, true, true, 0},
	{"address-reputation", PAUSE_OF_TENANT, false, false, 0},
	{"connector-blocked", PAUSE_OF_TENANT, false, false, 0},
	{"unregistered-domains", PAUSE_OF_TENANT, true, true, 0},
};

const struct pause_rule *
pause_rules(size_t i)
{
	return i < sizeof rules / sizeof rules[0] ? &rules[i] : NULL;
}

const struct pause_rule *
pause_rule(const char *keyword)
{
	const struct pause_rule *r;

	for (size_t i = 0; (r = pause_rules(i)) != NULL; i++)
		if (strcmp(r->keyword, keyword) == 0)
			return r;
	return NULL;
}

/* How long it holds after it was said last. */
static int64_t
wait_of(const struct pause_facts *f)
{
	int64_t wait = f->said - (f->lifted > f->since ? f->lifted : f->since);

	if (f->wait_ms > 0)
		return f->wait_ms;
	return wait < PAUSE_FIRST_MS ? PAUSE_FIRST_MS : wait > PAUSE_LONGEST_MS ? PAUSE_LONGEST_MS : wait;
}

enum pause_state
pause_state(const struct pause_facts *f, int64_t now, int64_t *until_r)
{
	int64_t until = f->said + wait_of(f);

	if (until_r != NULL)
		*until_r = until;
	if (f->said <= 0 || f->lifted >= f->said || f->good - f->said >= PAUSE_SETTLE_MS)
		return PAUSE_CLOSED;
	if (now < until)
		return PAUSE_HOLDS;
	if (now - until >= PAUSE_OLD_MS)
		return PAUSE_CLOSED;
	if (f->tried < f->said)
		return PAUSE_TRIES;
	if (now - f->tried < PAUSE_ANSWER_MS && now >= f->tried)
		return PAUSE_WAITS;
	return f->unanswered + 1 >= PAUSE_UNANSWERED ? PAUSE_CLOSED : PAUSE_TRIES;
}

const char *
pause_scope(const struct pause_rule *r, const char *sender, char *buf, size_t size)
{
	const char *at = strrchr(sender, '@');
	const char *part = r->of == PAUSE_OF_DOMAIN ? at : sender;

	if (r->of == PAUSE_OF_TENANT)
		return "";
	if (at == NULL || at[1] == '\0' || strlen(part) >= size)
		return NULL;
	for (size_t i = 0; i <= strlen(part); i++)
		buf[i] = text_lower_char(part[i]);
	return buf;
}

bool
pause_covers(const char *scope, const char *sender)
{
	const char *at;

	if (scope[0] == '\0')
		return true;
	at = scope[0] == '@' ? strrchr(sender, '@') : sender;
	return at != NULL && text_same(at, scope);
}
