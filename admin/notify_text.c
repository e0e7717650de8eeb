/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See notify.h: an event as one line, as JSON for programs, as a message for people.
 */
#include "config.h"

#include "admin/notify.h"

#include <stdio.h>
#include <string.h>

#include "admin/mail.h"
#include "admin/when.h"
#include "base/json.h"
#include "base/printable.h"

static uint64_t
count_of(const struct store_event *e)
{
	return e->count > UINT64_MAX - e->boost ? UINT64_MAX : e->count + e->boost;
}

static bool
is_kind(const struct notify_event *n, const char *kind)
{
	return strcmp(n->e->kind, kind) == 0;
}

/* Without control octets, at most as long as a header field should be. */
static const char *
plain(struct arena *a, const char *s)
{
	struct text t = {0};
	const char *r;

	for (; *s != '\0' && t.len < 300; s++)
		text_add_char(&t, (uint8_t)*s < 0x20 || *s == 0x7f ? '?' : *s);
	r = arena_string(a, text_string(&t));
	text_free(&t);
	return r;
}

static const char *
limit_text(const struct notify_event *n, struct arena *a)
{
	return arena_printf(a, "%s%s%s", plain(a, n->e->name), n->e->key[0] == '\0' ? "" : " ", plain(a, n->e->key));
}

const char *
notify_line(const struct notify_event *n, struct arena *a)
{
	char used[32], count[32];
	const struct store_event *e = n->e;
	const char *said = is_kind(n, "near") ? "is near" : is_kind(n, "reached") ? "reached"
			   : is_kind(n, "freed") ? "has room again" : NULL;

	if (said == NULL)
		return arena_printf(a, "%s: more of its counters are near or reached", plain(a, e->name));
	return arena_printf(a, "%s %s: %s of %s used%s", limit_text(n, a), said, limits_amount(e->unit, e->used, used),
			    limits_amount(e->unit, count_of(e), count),
			    strcmp(e->mode, "monitor") == 0 ? " (monitor)" : "");
}

/* ---- JSON */

static void
set_now(const struct notify_event *n, struct jsonv *root)
{
	struct jsonv *o = n->row == NULL ? NULL : jsonv_set_object(root, "now"), *list;

	if (o == NULL)
		return;
	jsonv_set_integer(o, "used", (int64_t)n->row->used);
	jsonv_set_integer(o, "left", (int64_t)n->row->left);
	jsonv_set_integer(o, "waiting", (int64_t)n->row->waiting);
	if (n->row->next_ms >= 0)
		jsonv_set_integer(o, "next_ms", n->row->next_ms);
	jsonv_set_integer(o, "free_ms", n->row->free_ms);
	if (n->row->spent_ms >= 0)
		jsonv_set_integer(o, "spent_ms", n->row->spent_ms);
	jsonv_set_text(o, "by", n->row->by);
	list = jsonv_set_array(o, "spenders");
	for (size_t i = 0; i < n->row->n_spenders; i++) {
		struct jsonv *s = jsonv_add_object(list);

		jsonv_set_text(s, "name", n->row->spender[i].name);
		jsonv_set_integer(s, "used", (int64_t)n->row->spender[i].amount);
	}
}

int
notify_json(const struct notify_event *n, struct arena *a, struct text *t)
{
	const struct store_event *e = n->e;
	struct jsonv *root = jsonv_new_object();
	char at[WHEN_SIZE];
	int rc;

	if (root == NULL)
		return -1;
	jsonv_set_integer(root, "event", e->number);
	jsonv_set_text(root, "kind", e->kind);
	jsonv_set_text(root, "text", notify_line(n, a));
	jsonv_set_text(root, "at", when_format(e->time, at));
	jsonv_set_text(root, "relay", e->relay);
	jsonv_set_text(root, "limit", e->name);
	jsonv_set_text(root, "scope", e->scope);
	jsonv_set_text(root, "key", e->key);
	jsonv_set_text(root, "unit", limit_unit_name(e->unit));
	jsonv_set_integer(root, "period", e->period);
	jsonv_set_integer(root, "used", (int64_t)e->used);
	jsonv_set_integer(root, "count", (int64_t)e->count);
	jsonv_set_integer(root, "boost", (int64_t)e->boost);
	jsonv_set_text(root, "over", limit_over_name(e->over));
	jsonv_set_text(root, "mode", e->mode);
	jsonv_set_text(root, "app", e->app);
	jsonv_set_text(root, "tenant", e->tenant);
	jsonv_set_text(root, "owner", n->app == NULL ? "" : n->app->owner);
	jsonv_set_text(root, "department", n->app == NULL ? "" : n->app->department);
	jsonv_set_text(root, "id", e->message_id);
	set_now(n, root);
	rc = jsonv_write(root, false, t);
	text_add(t, "\n");
	jsonv_free(&root);
	return rc;
}

/* ---- mail: the header */

static void
add_header(const struct notify_event *n, const char *to, struct arena *a, bool is_plain, struct text *t)
{
	const char *from = n->policy->notify.from, *domain = strrchr(from, '@');

	text_printf(t, "From: Postern <%s>\nTo: <%s>\n", from, to);
	mail_add_subject(t, notify_line(n, a));
	mail_add_date(t, n->now);
	text_printf(t, "Message-ID: <postern-event-%lld.%lld.%08lx%s>\n", (long long)n->e->number, (long long)n->e->time,
		    (unsigned long)mail_hash(to), domain == NULL ? "@localhost" : domain);
	text_add(t, "Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n");
	text_printf(t, "Content-Transfer-Encoding: %s\n\n", is_plain ? "7bit" : "quoted-printable");
}

/* ---- mail: the text */

static void
row(struct text *t, const char *name, const char *what)
{
	text_printf(t, "%-11s %s\n", name, what);
}

static const char *
period_text(struct arena *a, uint32_t period)
{
	const char *s = limit_period_name(a, period);
	struct text t = {0};

	for (; *s != '\0'; s++)
		text_add_char(&t, *s == '-' ? ' ' : *s);
	s = arena_string(a, text_string(&t));
	text_free(&t);
	return s;
}

static const char *
who_text(const struct notify_event *n, struct arena *a)
{
	if (strncmp(n->e->scope, "app:", 4) == 0)
		return arena_printf(a, "app %s", n->e->app);
	return arena_printf(a, "%s %s", strncmp(n->e->scope, "tenant:", 7) == 0 ? "tenant" : "what is built in for",
			    strchr(n->e->scope, ':') == NULL ? n->e->scope : strchr(n->e->scope, ':') + 1);
}

static const char *
opening(const struct notify_event *n, struct arena *a)
{
	const char *what = arena_printf(a, "The limit %s of %s", limit_text(n, a), who_text(n, a));

	if (is_kind(n, "near"))
		return arena_printf(a, "%s is nearly used up.", what);
	if (is_kind(n, "reached"))
		return arena_printf(a, "%s is reached.", what);
	if (is_kind(n, "freed"))
		return arena_printf(a, "%s has room again.", what);
	return arena_printf(a, "More counters of the limit %s came near or were reached within a minute than are told one\n"
			    "by one. postern limits shows them all.", plain(a, n->e->name));
}

/* What becomes of mail over it. */
static const char *
effect(const struct notify_event *n)
{
	if (strcmp(n->e->mode, "monitor") == 0)
		return "Nothing: the app is only watched (mode: monitor). Enforced, its mail would be stopped now.";
	switch (n->e->over) {
	case OVER_DEFER:
		return "Further mail is deferred (451); a program that has a queue sends it again by itself.";
	case OVER_REJECT:
		return "Further mail is rejected (550).";
	case OVER_HOLD:
		return "Further mail is held, and leaves in its turn as there is room.";
	case OVER_OBSERVE:
		break;
	}
	return "Nothing: the limit only observes.";
}

static void
add_spenders(const struct notify_event *n, struct arena *a, struct text *t)
{
	struct text list = {0};
	char amount[32];

	for (size_t i = 0; n->row != NULL && i < n->row->n_spenders; i++)
		text_printf(&list, "%s%s %s", i == 0 ? "" : ", ",
			    n->row->spender[i].name[0] == '\0' ? "<>" : plain(a, n->row->spender[i].name),
			    limits_amount(n->e->unit, n->row->spender[i].amount, amount));
	if (n->row != NULL && n->row->others > 0)
		text_printf(&list, ", others %s", limits_amount(n->e->unit, n->row->others, amount));
	if (list.len > 0)
		row(t, "Spent by:", text_string(&list));
	text_free(&list);
}

static void
add_now(const struct notify_event *n, struct arena *a, struct text *t)
{
	char used[32], left[32], next[WHEN_SIZE], all[WHEN_SIZE];
	const struct limits_row *r = n->row;

	if (r == NULL)
		return;
	row(t, "Now:", arena_printf(a, "%s used, %s left%s", limits_amount(n->e->unit, r->used, used),
				    limits_amount(n->e->unit, r->left, left),
				    r->waiting == 0 ? "" : arena_printf(a, ", %llu messages wait", (unsigned long long)r->waiting)));
	if (r->used > 0)
		row(t, "Frees:", arena_printf(a, "some at %s, all of it at %s", when_clock(n->now + r->next_ms, n->now, next),
					      when_clock(n->now + r->free_ms, n->now, all)));
	if (r->spent_ms > 0)
		row(t, "Forecast:", arena_printf(a, "at this pace, spent at %s", when_clock(n->now + r->spent_ms, n->now, next)));
	add_spenders(n, a, t);
}

static void
add_advice(const struct notify_event *n, struct arena *a, struct text *t)
{
	const char *owner = strchr(n->e->scope, ':') == NULL ? n->e->scope : strchr(n->e->scope, ':') + 1;
	const char *limit = strrchr(n->e->name, '/') == NULL ? n->e->name : strrchr(n->e->name, '/') + 1;
	const char *key = strchr(n->e->key, '=') == NULL ? "" : strchr(n->e->key, '=') + 1;

	if (is_kind(n, "freed")) {
		text_add(t, "\nNothing needs to be done.\n");
		return;
	}
	text_add(t, "\nIf the mail is wanted, let the app send less at once, or ask the mail administrators, who can add to\n"
		    "the limit for some hours:\n\n");
	text_printf(t, "    postern limits --app %s\n    postern limits boost %s %s%s%s +N until TIME\n", plain(a, n->e->app),
		    plain(a, owner), plain(a, limit), key[0] == '\0' ? "" : " ", plain(a, key));
}

static void
add_text(const struct notify_event *n, struct arena *a, struct text *t)
{
	char used[32], count[32], at[WHEN_SIZE];
	const struct store_event *e = n->e;

	text_printf(t, "%s\n\n", opening(n, a));
	row(t, "Used:", arena_printf(a, "%s of %s %s in any %s%s", limits_amount(e->unit, e->used, used),
				     limits_amount(e->unit, count_of(e), count), limit_unit_name(e->unit),
				     period_text(a, e->period), e->boost == 0 ? "" : ", a boost included"));
	row(t, "At:", arena_printf(a, "%s, on relay %s", when_format(e->time, at), plain(a, e->relay)));
	if (!is_kind(n, "freed"))
		row(t, is_kind(n, "near") ? "Once spent:" : "Effect:", effect(n));
	add_now(n, a, t);
	if (e->message_id[0] != '\0')
		row(t, "Message:", arena_printf(a, "%s (postern explain %s)", plain(a, e->message_id), plain(a, e->message_id)));
	add_advice(n, a, t);
	text_add(t, "\n-- \nSent by postern notify. Each event of a limit is told once in its quiet time.\n");
}

static bool
is_plain_text(const char *s)
{
	size_t column = 0;

	for (; *s != '\0'; s++) {
		column = *s == '\n' ? 0 : column + 1;
		if ((*s != '\n' && ((uint8_t)*s < 0x20 || (uint8_t)*s > 0x7e)) || column > 900)
			return false;
	}
	return true;
}

void
notify_mail(const struct notify_event *n, const char *to, struct arena *a, struct text *t)
{
	struct text body = {0};

	add_text(n, a, &body);
	if (body.failed)
		t->failed = true;
	if (is_plain_text(text_string(&body))) {
		add_header(n, to, a, true, t);
		text_add(t, text_string(&body));
	} else {
		add_header(n, to, a, false, t);
		mail_add_quoted(t, text_string(&body));
	}
	text_free(&body);
}
