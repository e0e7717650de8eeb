/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See limit.h. The first half reads what an admin writes; the second holds a
 * message against it.
 */
#include "policy/limit.h"

#include <string.h>

#include "base/printable.h"
#include "base/text.h"
#include "policy/message.h"

#define MINUTE 60u
#define HOUR 3600u
#define DAY 86400u

static const char *const unit_names[] = {"messages", "recipients", "external-recipients", "bytes"};
static const char *const over_names[] = {"observe", "hold", "defer", "reject"};
static const char *const key_names[] = {
	"app", "sender", "sender-domain", "login", "client", "recipient", "recipient-domain",
};

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

const char *
limit_unit_name(enum unit unit)
{
	return unit_names[unit];
}

const char *
limit_key_name(enum limit_key key)
{
	return key_names[key];
}

const char *
limit_over_name(enum over over)
{
	return over_names[over];
}

uint64_t
limit_count(const struct limit *l, int64_t day)
{
	return l->rate == NULL ? l->count : budget_rate(l->rate, day);
}

bool
limit_is_above(const struct limit *l, uint64_t most, uint32_t seconds)
{
	uint64_t windows = (l->period + seconds - 1) / seconds;

	return l->count > most * windows;
}

/* What is being read: the text, and where in it. */
struct reader {
	struct arena *arena;
	const char *text, *at;
	const char *error;
	size_t column;
};

static bool
fail(struct reader *r, const char *where, const char *error)
{
	if (r->error == NULL) {
		r->error = error;
		r->column = (size_t)(where - r->text) + 1;
	}
	return false;
}

/* The next word, lower case, up to white space or '/'; "" at the end. */
static const char *
next_word(struct reader *r, const char **start_r)
{
	size_t n;

	r->at += strspn(r->at, " \t");
	*start_r = r->at;
	n = strcspn(r->at, " \t/");
	r->at += n;
	return arena_lower(r->arena, *start_r, n);
}

/* Which of the names the next word is; a final "s" may be missing. */
static int
word_of(const char *word, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		if (strcmp(word, names[i]) == 0)
			return (int)i;
		if (names[i][len - 1] == 's' && strlen(word) == len - 1 && strncmp(word, names[i], len - 1) == 0)
			return (int)i;
	}
	return -1;
}

/* A number, for bytes with K, M or G behind it. */
static bool
read_number(const char *word, uint64_t *r, bool *has_suffix_r)
{
	static const char suffixes[] = "kmg";
	uint64_t v = 0;
	const char *p = word, *s;

	for (; text_is_digit(*p); p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (v > (UINT64_MAX / 4 - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (p == word)
		return false;
	*has_suffix_r = *p != '\0';
	if (*p != '\0') {
		s = strchr(suffixes, *p);
		if (s == NULL || p[1] != '\0')
			return false;
		for (long i = s - suffixes; i >= 0; i--) {
			if (v > UINT64_MAX / 4 / 1024)
				return false;
			v *= 1024;
		}
	}
	*r = v;
	return true;
}

static bool
read_count(struct reader *r, const struct tenant_rate *rate, struct limit *l, bool *has_suffix_r)
{
	const char *start, *word = next_word(r, &start);

	*has_suffix_r = false;
	if (strcmp(word, "tenant-rate") == 0) {
		if (rate == NULL || !budget_is_known(rate))
			return fail(r, start, "\"tenant-rate\" needs the tenant's \"licenses\", or \"trial: yes\"");
		l->rate = rate;
		l->count = budget_rate(rate, INT64_MAX);
		return true;
	}
	if (!read_number(word, &l->count, has_suffix_r))
		return fail(r, start, "expected a count, such as 30 (for bytes also 500M), or tenant-rate");
	if (l->count == 0)
		return fail(r, start, "expected a count of at least 1");
	return true;
}

static bool
read_unit(struct reader *r, struct limit *l, bool has_suffix)
{
	const char *start, *word = next_word(r, &start);
	int i = word_of(word, unit_names, COUNT_OF(unit_names));

	if (i < 0)
		return fail(r, start, "expected messages, recipients, external-recipients or bytes");
	l->unit = (enum unit)i;
	if (has_suffix && l->unit != UNIT_BYTES)
		return fail(r, r->text, "K, M and G go with bytes only");
	return true;
}

static bool
read_period(struct reader *r, struct limit *l)
{
	static const char *const names[] = {"minutes", "hours", "days"};
	static const uint32_t seconds[] = {MINUTE, HOUR, DAY};
	const char *start, *word;
	uint64_t n = 1;
	int i;

	r->at += strspn(r->at, " \t");
	if (*r->at != '/')
		return fail(r, r->at, "expected \"/\" and a period, such as /hour or /15 minutes");
	r->at++;
	word = next_word(r, &start);
	if (text_to_u64(word, &n) == 0)
		word = next_word(r, &start);
	i = word_of(word, names, COUNT_OF(names));
	if (i < 0)
		return fail(r, start, "expected minute, hour or day, or a number of them");
	if (n == 0 || n > 366u * DAY / seconds[i])
		return fail(r, start, "expected a period of one minute to 366 days");
	l->period = (uint32_t)n * seconds[i];
	return true;
}

static bool
read_key(struct reader *r, struct limit *l)
{
	const char *start, *word = next_word(r, &start);
	int i = word_of(word, key_names, COUNT_OF(key_names));

	if (i < 0)
		return fail(r, start, "expected app, sender, sender-domain, login, client, recipient or "
				      "recipient-domain");
	l->key = (enum limit_key)i;
	return true;
}

static bool
read_over(struct reader *r, struct limit *l)
{
	const char *start, *word = next_word(r, &start);
	int i = word_of(word, over_names, COUNT_OF(over_names));

	if (i < 0)
		return fail(r, start, "expected defer, reject, hold or observe");
	l->over = (enum over)i;
	return true;
}

static bool
read_rest(struct reader *r, struct limit *l)
{
	bool per = false, then = false;

	for (;;) {
		const char *start, *word = next_word(r, &start);

		if (*start == '\0')
			return true;
		if (strcmp(word, "per") == 0 && !per && !then) {
			per = true;
			if (!read_key(r, l))
				return false;
		} else if (strcmp(word, "then") == 0 && !then) {
			then = true;
			if (!read_over(r, l))
				return false;
		} else {
			return fail(r, start, "expected \"per KEY\", \"then ACTION\" or the end");
		}
	}
}

const char *
limit_period_name(struct arena *a, uint32_t period)
{
	if (period == MINUTE)
		return "minute";
	if (period == HOUR)
		return "hour";
	if (period == DAY)
		return "day";
	if (period % DAY == 0)
		return arena_printf(a, "%u-days", period / DAY);
	if (period % HOUR == 0)
		return arena_printf(a, "%u-hours", period / HOUR);
	return arena_printf(a, "%u-minutes", period / MINUTE);
}

int
limit_parse(struct arena *a, const char *text, const char *scope, const struct tenant_rate *rate,
	    struct limit *l, size_t *column_r, const char **error_r)
{
	struct reader r = {.arena = a, .text = text, .at = text};
	const char *owner = strchr(scope, ':');
	bool has_suffix;

	*l = (struct limit){.scope = scope, .over = OVER_DEFER, .key = LIMIT_PER_SCOPE};
	if (!read_count(&r, rate, l, &has_suffix) || !read_unit(&r, l, has_suffix) ||
	    !read_period(&r, l) || !read_rest(&r, l)) {
		*column_r = r.column;
		*error_r = r.error;
		return -1;
	}
	l->name = arena_printf(a, "%s/%s-per-%s%s%s", owner == NULL ? scope : owner + 1, unit_names[l->unit],
			       limit_period_name(a, l->period), l->key == LIMIT_PER_SCOPE ? "" : "-per-",
			       l->key == LIMIT_PER_SCOPE ? "" : key_names[l->key]);
	return 0;
}

static uint64_t
message_amount(const struct message *m, enum unit unit)
{
	switch (unit) {
	case UNIT_MESSAGES:
		return 1;
	case UNIT_RECIPIENTS:
		return m->accepted;
	case UNIT_EXTERNAL_RECIPIENTS:
		return m->external;
	case UNIT_BYTES:
		return m->header.octets + m->body.octets;
	case UNIT_COUNT:
		break;
	}
	return 0;
}

/* The charges being made; room for one per limit and recipient. */
struct collector {
	struct message *m;
	size_t room;
	const struct recipient *only; /* of the recipients, this one alone; NULL: all */
};

/* NULL where nothing is charged. */
static struct charge *
add_charge(struct collector *c, const struct limit *l, const char *who, uint64_t amount)
{
	struct message *m = c->m;
	const char *key = l->key == LIMIT_PER_SCOPE ? ""
			  : arena_printf(m->arena, "%s=%s", key_names[l->key], who);

	if (amount == 0 || m->n_charges == c->room)
		return NULL;
	m->charges[m->n_charges++] = (struct charge){
		.scope = l->scope, .unit = l->unit, .period = l->period, .key = key,
		.name = l->name, .count = limit_count(l, m->day), .amount = amount, .over = l->over,
		.enforced = m->mode == MODE_ENFORCE,
	};
	return &m->charges[m->n_charges - 1];
}

/* A limit of the app or tenant as a whole; of a budget, also what is reserved of it. */
static void
add_whole(struct collector *c, const struct limit *l, uint64_t amount)
{
	struct message *m = c->m;
	struct charge *charge = add_charge(c, l, "", amount);

	if (charge == NULL || l->tally == NULL)
		return;
	budget_hold_back(m, l, charge);
	if (m->n_charges < c->room && budget_tally(m, l, charge, &m->charges[m->n_charges]))
		m->n_charges++;
}

static uint64_t
recipient_amount(const struct message *m, enum unit unit, const struct recipient *r)
{
	if (unit == UNIT_BYTES)
		return m->header.octets + m->body.octets;
	if (unit == UNIT_EXTERNAL_RECIPIENTS)
		return r->place == PLACE_EXTERNAL;
	return 1;
}

/* One charge per recipient, or per recipient domain. Two recipients with one
 * key share a charge: messages and bytes count once, recipients add up. */
static void
add_per_recipient(struct collector *c, const struct limit *l)
{
	struct message *m = c->m;
	size_t first = m->n_charges;
	bool adds_up = l->unit == UNIT_RECIPIENTS || l->unit == UNIT_EXTERNAL_RECIPIENTS;

	for (const struct recipient *r = c->only == NULL ? m->recipients : c->only; r != NULL; r = r->next) {
		const char *what = l->key == LIMIT_PER_RECIPIENT ? r->address.text : r->address.domain;
		uint64_t amount = recipient_amount(m, l->unit, r);
		const char *who;
		size_t i;

		if (!r->accepted || r->place == PLACE_LOCAL)
			continue;
		who = arena_lower(m->arena, what, strlen(what));
		for (i = first; i < m->n_charges && l->key == LIMIT_PER_RECIPIENT_DOMAIN; i++)
			if (strcmp(strchr(m->charges[i].key, '=') + 1, who) == 0)
				break;
		if (l->key == LIMIT_PER_RECIPIENT_DOMAIN && i < m->n_charges)
			m->charges[i].amount += adds_up ? amount : 0;
		else
			add_charge(c, l, who, amount);
		if (c->only != NULL)
			return;
	}
}

static void
add_limit(struct collector *c, const struct limit *l)
{
	struct message *m = c->m;
	uint64_t amount = message_amount(m, l->unit);
	const char *sender = m->sender.is_null ? "<>" : m->sender.text;

	switch (l->key) {
	case LIMIT_PER_SCOPE:
		add_whole(c, l, amount);
		break;
	case LIMIT_PER_SENDER:
		add_charge(c, l, arena_lower(m->arena, sender, strlen(sender)), amount);
		break;
	case LIMIT_PER_SENDER_DOMAIN:
		add_charge(c, l, m->sender.is_null ? "<>" : m->sender.domain, amount);
		break;
	case LIMIT_PER_LOGIN:
		add_charge(c, l, m->client->login, amount);
		break;
	case LIMIT_PER_CLIENT:
		add_charge(c, l, m->client->local ? "local" : m->client->address, amount);
		break;
	case LIMIT_PER_RECIPIENT:
	case LIMIT_PER_RECIPIENT_DOMAIN:
		add_per_recipient(c, l);
		break;
	}
}

static bool
is_onmicrosoft(const struct address *a)
{
	size_t n = strlen(a->domain), tail = strlen(".onmicrosoft.com");

	return n > tail && strcmp(a->domain + n - tail, ".onmicrosoft.com") == 0;
}

/* Whether a built-in limit is for this message. */
static bool
built_in_applies(const struct message *m, const struct limit *l)
{
	const char *owner = strchr(l->scope, ':') + 1;

	if (l->only_onmicrosoft)
		return m->tenant != NULL && strcmp(owner, m->tenant->name) == 0 && is_onmicrosoft(&m->sender);
	return m->app != NULL && strcmp(owner, method_facts(m->app->method)->name) == 0;
}

static bool
tenant_limit_applies(const struct message *m, const struct limit *l)
{
	return l->unit != UNIT_EXTERNAL_RECIPIENTS || m->app == NULL ||
	       method_facts(m->app->method)->counts_to_tenant_rate;
}

/* Makes room for the charges, keeping the array of the stage before. */
static bool
make_room(struct message *m, size_t room)
{
	m->n_charges = 0;
	if (room <= m->charges_room)
		return true;
	m->charges = arena_array(m->arena, room, sizeof *m->charges);
	m->charges_room = m->charges == NULL ? 0 : room;
	return m->charges != NULL;
}

void
limit_collect(struct message *m, const struct recipient *only)
{
	const struct policy *p = m->policy;
	size_t limits = p->n_built_in + (m->app == NULL ? 0 : m->app->n_limits) +
			(m->tenant == NULL ? 0 : 2 * m->tenant->n_limits); /* each may have a tally */
	struct collector c = {.m = m, .only = only, .room = limits * (only == NULL ? m->accepted + 1 : 1)};

	if (!make_room(m, c.room) || m->decision.verdict == VERDICT_DISCARD)
		return; /* what is thrown away spends nothing */
	for (size_t i = 0; m->app != NULL && i < m->app->n_limits; i++)
		add_limit(&c, &m->app->limits[i]);
	for (size_t i = 0; m->tenant != NULL && i < m->tenant->n_limits; i++)
		if (tenant_limit_applies(m, &m->tenant->limits[i]))
			add_limit(&c, &m->tenant->limits[i]);
	for (size_t i = 0; i < p->n_built_in; i++)
		if (built_in_applies(m, &p->built_in[i]))
			add_limit(&c, &p->built_in[i]);
}

/* The charge that decides: one that can never pass, otherwise the strongest. */
static const struct charge *
limit_worst(const struct message *m)
{
	const struct charge *worst = NULL;

	for (size_t i = 0; i < m->n_charges; i++) {
		const struct charge *c = &m->charges[i];

		if (c->exceeded && c->over != OVER_OBSERVE &&
		    (worst == NULL || (c->retry_ms < 0 && worst->retry_ms >= 0) ||
		     ((c->retry_ms < 0) == (worst->retry_ms < 0) && c->over > worst->over)))
			worst = c;
	}
	return worst;
}

static const char *
wait_text(struct arena *a, int64_t ms)
{
	int64_t s = (ms + 999) / 1000;

	if (s < 120)
		return arena_printf(a, "%lld seconds", (long long)s);
	if (s < 7200)
		return arena_printf(a, "%lld minutes", (long long)(s + 59) / 60);
	return arena_printf(a, "%lld hours", (long long)(s + 3599) / 3600);
}

/* Its place among the messages that wait for the same limit. */
static const char *
queue_text(struct arena *a, uint64_t waiting)
{
	if (waiting == 0)
		return "the first that waits";
	return arena_printf(a, "behind %llu that %s", (unsigned long long)waiting, waiting == 1 ? "waits" : "wait");
}

/* What is held back, where the message would fit without that. */
static const char *
reserve_text(struct arena *a, const struct charge *c)
{
	uint64_t count = charge_count(c);
	const char *s;

	if (c->amount > count || (c->retry_ms >= 0 && (c->used > count - c->amount ||
						       charge_held(c) <= count - c->amount - c->used)))
		return "";
	s = c->retry_ms < 0 ? budget_text(a, c, " of these", count, true)
			    : budget_text(a, c, " of the rest", count - c->used, false);
	return s[0] == '\0' ? "" : arena_printf(a, ", %s", s);
}

/* That the count is a share, and what of. */
static const char *
share_text(struct arena *a, const struct charge *c)
{
	return c->whole == 0 ? "" : arena_printf(a, ", this relay's share of %llu while the database is away",
						 (unsigned long long)c->whole);
}

static struct decision
limit_decision(struct message *m, const struct charge *c)
{
	struct decision d = {.reason = arena_printf(m->arena, "limit:%s", c->name)};
	const char *who = strchr(c->key, '=');
	const char *of = who == NULL ? "" : arena_printf(m->arena, " for %s", printable(m->arena, who + 1));

	d.verdict = c->retry_ms < 0 || c->over == OVER_REJECT ? VERDICT_REJECT
		    : c->over == OVER_HOLD ? VERDICT_HOLD : VERDICT_DEFER;
	d.code = c->retry_ms < 0 ? 552 : d.verdict == VERDICT_REJECT ? 550 : d.verdict == VERDICT_HOLD ? 250 : 451;
	d.enhanced = c->retry_ms < 0 ? (c->unit == UNIT_BYTES ? "5.3.4" : "5.5.3")
		     : d.verdict == VERDICT_REJECT ? "5.7.1" : d.verdict == VERDICT_HOLD ? "2.0.0" : "4.7.1";
	if (c->retry_ms < 0)
		d.text = arena_printf(m->arena, "this message alone has %llu %s%s; the limit is %llu%s",
				      (unsigned long long)c->amount, unit_names[c->unit], of,
				      (unsigned long long)(c->whole == 0 ? charge_count(c) : c->whole),
				      reserve_text(m->arena, c));
	else if (d.verdict == VERDICT_HOLD)
		d.text = arena_printf(m->arena, "%s has used %llu of %llu %s per %s%s%s%s; held until there is room, %s",
				      message_who(m), (unsigned long long)c->used, (unsigned long long)charge_count(c),
				      unit_names[c->unit], limit_period_name(m->arena, c->period), of,
				      reserve_text(m->arena, c), share_text(m->arena, c),
				      queue_text(m->arena, c->waiting));
	else
		d.text = arena_printf(m->arena, "%s has used %llu of %llu %s per %s%s%s%s; try again in %s", message_who(m),
				      (unsigned long long)c->used, (unsigned long long)charge_count(c), unit_names[c->unit],
				      limit_period_name(m->arena, c->period), of, reserve_text(m->arena, c),
				      share_text(m->arena, c), wait_text(m->arena, c->retry_ms));
	return d;
}

bool
limit_is_reached(struct message *m, bool is_recipient, struct decision *d_r)
{
	const struct charge *worst;

	for (size_t i = 0; i < m->n_charges; i++) {
		struct charge *c = &m->charges[i];

		if (c->over == OVER_HOLD)
			c->exceeded = false;
		if (is_recipient && c->retry_ms < 0)
			c->retry_ms = (int64_t)c->period * 1000;
	}
	worst = limit_worst(m);
	*d_r = worst == NULL ? m->decision : limit_decision(m, worst);
	return d_r->verdict >= VERDICT_DEFER;
}

void
limit_decide(struct message *m)
{
	const struct charge *worst = limit_worst(m);

	if (worst == NULL)
		return;
	trace_add(&m->trace, "end", "limits-allow", ANSWER_NO, "%s", worst->name);
	message_refuse_with(m, limit_decision(m, worst));
}
