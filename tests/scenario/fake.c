/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See fake.h. Implements sql/store.h, swapped in at link time.
 */
#include "tests/scenario/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake fake = {.wall_ms = INT64_C(1795514400000), .boot_ms = 1000000};

struct event {
	struct event *next;
	char *counter;
	int64_t time;
	uint64_t amount;
};

struct store {
	struct event *events;
};

static int64_t
fake_wall(void *context)
{
	(void)context;
	return fake.wall_ms;
}

static int64_t
fake_boot(void *context)
{
	(void)context;
	return fake.boot_ms;
}

static const char *
fake_boot_id(void *context)
{
	(void)context;
	return "boot";
}

static void
fake_random(void *context, uint8_t *buf, size_t len)
{
	static uint32_t state = 1;

	(void)context;
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525u + 1013904223u;
		buf[i] = (uint8_t)(state >> 24);
	}
}

const struct clock *
fake_clock(void)
{
	static const struct clock c = {
		.wall_ms = fake_wall, .boot_ms = fake_boot, .boot_id = fake_boot_id, .random = fake_random,
	};

	return &c;
}

struct store *
fake_store(void)
{
	return calloc(1, sizeof(struct store));
}

void
store_close(struct store **s)
{
	while (*s != NULL && (*s)->events != NULL) {
		struct event *e = (*s)->events;

		(*s)->events = e->next;
		free(e->counter);
		free(e);
	}
	free(*s);
	*s = NULL;
}

static void
counter_name(const struct charge *c, const char *key, char *buf, size_t size)
{
	snprintf(buf, size, "%s|%d|%u|%s", c->scope, (int)c->unit, c->period, key);
}

/* What a counter with this key has used in the last period, and when that will all
 * have fallen out, where that is later than *free_ms. */
static uint64_t
used_of(const struct store *s, const struct charge *c, const char *key, int64_t *free_ms)
{
	uint64_t used = 0;
	char name[512];

	counter_name(c, key, name, sizeof name);
	for (const struct event *e = s->events; e != NULL; e = e->next) {
		int64_t free_at = e->time + (int64_t)c->period * 1000 - fake.boot_ms;

		if (free_at <= 0 || strcmp(e->counter, name) != 0)
			continue;
		used += e->amount;
		*free_ms = free_at > *free_ms ? free_at : *free_ms;
	}
	return used;
}

static void
weigh(const struct store *s, struct charge *c)
{
	uint64_t held = c->kept, most = c->kept;

	c->retry_ms = 0;
	c->used = used_of(s, c, c->key, &c->retry_ms);
	for (size_t i = 0; i < c->n_reserves; i++) {
		struct charge_reserve *r = &c->reserves[i];
		uint64_t used = used_of(s, c, r->key, &c->retry_ms);

		r->unspent = used < r->amount ? r->amount - used : 0;
		held += r->unspent;
		most += r->amount;
	}
	c->waiting = c->over == OVER_HOLD ? fake.waiting : 0;
	c->exceeded = !c->tally && (c->used + c->amount + held > c->count || c->waiting > 0);
	if (c->amount + most > c->count)
		c->retry_ms = -1;
}

static void
make_share(struct charge *c)
{
	c->whole = c->count;
	c->count /= fake.shares;
	if (c->over == OVER_REJECT)
		c->over = OVER_DEFER;
}

void
store_peek(struct store *s, struct charge *charges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fake.shares > 0 && charges[i].whole == 0)
			make_share(&charges[i]);
		weigh(s, &charges[i]);
		if (charges[i].whole > 0 && charges[i].retry_ms < 0 && charges[i].amount <= charges[i].whole)
			charges[i].retry_ms = 300000;
	}
}

void
store_note_policy(struct store *s, const struct policy_note *note)
{
	(void)s;
	(void)note;
}

int
store_reader_peek(struct store_reader *r, const struct clock *clock, struct charge *charges, size_t n,
		  const char **error_r)
{
	(void)r;
	(void)clock;
	(void)charges;
	(void)n;
	*error_r = "the fake store has no readers";
	return -1;
}

static void
remember_rules(const struct record *r)
{
	size_t n = 0;

	fake.last_rules[0] = '\0';
	for (size_t i = 0; i < r->n_rule && n < sizeof fake.last_rules; i++) {
		const struct record_rule *x = &r->rule[i];

		n += (size_t)snprintf(fake.last_rules + n, sizeof fake.last_rules - n, " %s%s%s%s", x->name,
				      strcmp(x->answer, "unknown") == 0 ? "?" : "", strcmp(x->mode, "monitor") == 0 ? "~" : "",
				      x->decided ? "*" : "");
	}
}

static void
remember(const struct record *r)
{
	snprintf(fake.last_trace, sizeof fake.last_trace, "%s", r->trace == NULL ? "" : r->trace);
	remember_rules(r);
	snprintf(fake.last_verdict, sizeof fake.last_verdict, "%s", r->verdict);
	snprintf(fake.last_would, sizeof fake.last_would, "%s", r->would);
	snprintf(fake.last_reason, sizeof fake.last_reason, "%s", r->would_reason);
	fake.records++;
}

static void
charge_one(struct store *s, const struct charge *c)
{
	struct event *e = calloc(1, sizeof *e);
	char name[512];

	if (e == NULL)
		return;
	counter_name(c, c->key, name, sizeof name);
	e->counter = strdup(name);
	if (e->counter == NULL) {
		free(e);
		return;
	}
	e->time = fake.boot_ms;
	e->amount = c->amount;
	e->next = s->events;
	s->events = e;
}

int
store_admit(struct store *s, struct admit *a, const char **error_r)
{
	bool stopped = false;

	a->is_away = fake.store_away;
	a->is_share = fake.shares > 0;
	if (fake.store_fails && !fake.store_late) {
		*error_r = "the fake store was told to fail";
		return -1;
	}
	store_peek(s, a->charges, a->n_charges);
	for (size_t i = 0; i < a->n_charges; i++)
		stopped |= charge_stops(&a->charges[i]);
	if (fake.store_fails) {
		a->settle(a, stopped);
		*error_r = "the fake store was told to fail at last";
		return -1;
	}
	for (size_t i = 0; i < a->n_charges && !stopped; i++)
		charge_one(s, &a->charges[i]);
	fake.last_charged = stopped ? 0 : (unsigned)a->n_charges;
	a->charged = !stopped;
	a->settle(a, stopped);
	remember(a->record);
	return 0;
}

void
store_unrecorded(struct store *s)
{
	(void)s;
	fake.unrecorded++;
}

void
store_signed(struct store *s, int64_t us)
{
	(void)s;
	(void)us;
}

struct id
store_refuse(struct store *s, const struct refusal *r, bool *is_new_r)
{
	struct id id;

	(void)s;
	snprintf(id.s, sizeof id.s, "%s", r->id);
	fake.refusals++;
	*is_new_r = true;
	return id;
}

void
store_reached(struct store *s, const struct charge *charges, size_t n, const char *id, const char *app,
	      const char *tenant)
{
	(void)s;
	(void)charges;
	(void)n;
	(void)id;
	(void)app;
	(void)tenant;
}

void
store_record(struct store *s, const struct record *r)
{
	(void)s;
	remember(r);
}

struct sign {
	const struct key *const *keys;
	size_t n;
};

static struct sign *
sign_begin(void *context, const struct key *const *keys, size_t n, const char *id, int64_t now)
{
	struct sign *s = calloc(1, sizeof *s);

	(void)context;
	(void)id;
	(void)now;
	fake.last_added[0] = '\0';
	fake.last_body = 0;
	if (s != NULL)
		*s = (struct sign){.keys = keys, .n = n};
	return s;
}

static void
sign_header(struct sign *s, const char *name, const char *value)
{
	(void)s;
	(void)name;
	(void)value;
}

static void
sign_added(struct sign *s, const char *name, const char *value)
{
	size_t n = strlen(fake.last_added);

	(void)s;
	snprintf(fake.last_added + n, sizeof fake.last_added - n, "%s: %s|", name, value);
}

static void
sign_eoh(struct sign *s)
{
	(void)s;
}

static void
sign_body(struct sign *s, const void *data, size_t len)
{
	(void)s;
	(void)data;
	fake.last_body += len;
}

static int
sign_end(struct sign *s, struct arena *arena, struct signature *r)
{
	for (size_t i = 0; i < s->n; i++)
		r[i] = (struct signature){
			.key = s->keys[i],
			.value = fake.signer_fails ? NULL : arena_printf(arena, "v=1; d=%s", s->keys[i]->domain),
			.error = "the fake signer was told to fail",
		};
	return fake.signer_fails ? -1 : 0;
}

static void
sign_free(struct sign **s)
{
	free(*s);
	*s = NULL;
}

const struct signer *
fake_signer(void)
{
	static const struct signer s = {
		.name = "fake", .begin = sign_begin, .header = sign_header, .added = sign_added, .eoh = sign_eoh,
		.body = sign_body, .end = sign_end, .free = sign_free,
	};

	return &s;
}

/* What else the room of keys provides; the fake signer needs no key material. */
struct keys {
	struct key key[64];
	size_t n;
};

struct keys *
keys_new(void)
{
	return calloc(1, sizeof(struct keys));
}

void
keys_free(struct keys **k)
{
	free(*k);
	*k = NULL;
}

const struct key *
keys_load(struct keys *k, const char *domain, const char *selector, const char *file)
{
	if (k->n == sizeof k->key / sizeof k->key[0])
		return NULL;
	k->key[k->n] = (struct key){.domain = domain, .selector = selector, .file = file, .bits = 2048,
				    .usable = true, .problem = ""};
	return &k->key[k->n++];
}

/* Its keys are all usable. */
int
keys_keep(const struct key *k, const struct key *before, int64_t now_ms)
{
	(void)k;
	(void)before;
	(void)now_ms;
	return -1;
}

const char *
key_algorithm_name(enum key_algorithm a)
{
	return a == KEY_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256";
}

int
signer_covers(const char *name)
{
	return strcmp(name, "X-Unsigned") != 0;
}
