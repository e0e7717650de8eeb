/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the audit says, by source and sender. Memory is bounded by the numbers in
 * learn.h; the time of each message goes into a temporary file, from which the
 * peaks are made once the apps are known.
 */
#include "config.h"

#include "admin/learn.h"

#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/identify.h"

#define DAY_MS INT64_C(86400000)

struct learn *
learn_new(const struct policy *p, const char *policy_file)
{
	struct learn *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->policy = p;
	l->policy_file = policy_file;
	l->arena = arena_new(0);
	l->scratch = arena_new(0);
	l->source_keys = learn_table_new(LEARN_SOURCES_MAX);
	l->sender_keys = learn_table_new(LEARN_SENDERS_MAX);
	l->finding_keys = learn_table_new(LEARN_FINDINGS_MAX);
	l->refused_keys = learn_table_new(LEARN_FINDINGS_MAX);
	l->texts = learn_table_new(LEARN_TEXTS_MAX);
	l->events = tmpfile();
	if (l->arena == NULL || l->scratch == NULL || l->source_keys == NULL || l->sender_keys == NULL ||
	    l->finding_keys == NULL || l->refused_keys == NULL || l->texts == NULL || l->events == NULL)
		learn_free(&l);
	return l;
}

static void
free_meters(struct learn *l)
{
	for (size_t i = 0; i < l->n_sources; i++)
		free(l->sources[i].meter);
	for (size_t i = 0; i < l->n_senders; i++)
		free(l->senders[i].meter);
}

void
learn_free(struct learn **l)
{
	struct learn *x = *l;

	if (x == NULL)
		return;
	free_meters(x);
	for (size_t i = 0; i < x->n_apps; i++)
		free(x->apps[i].sources);
	if (x->events != NULL)
		fclose(x->events);
	learn_table_free(&x->source_keys);
	learn_table_free(&x->sender_keys);
	learn_table_free(&x->finding_keys);
	learn_table_free(&x->refused_keys);
	learn_table_free(&x->texts);
	text_free(&x->key);
	free(x->sources);
	free(x->senders);
	free(x->findings);
	free(x->refused);
	free(x->apps);
	arena_free(&x->arena);
	arena_free(&x->scratch);
	free(x);
	*l = NULL;
}

struct learn_source *
learn_source(const struct learn *l, uint32_t number)
{
	return &l->sources[number - 1];
}

struct learn_sender *
learn_sender(const struct learn *l, uint32_t number)
{
	return &l->senders[number - 1];
}

struct learn_source *
learn_source_of(const struct learn *l, const struct learn_app *a, size_t i)
{
	return learn_source(l, a->sources[i]);
}

/* Room for one more element, NULL when memory is short. */
static void *
grow(void *list, size_t n, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 256 : *room * 2;
	void *p;

	if (n < *room)
		return list;
	p = realloc(list, more * size);
	if (p != NULL)
		*room = more;
	return p;
}

/* The session of a source, as the engine sees it. The audit keeps no fingerprint. */
static struct client
client_of(const struct learn_source *s)
{
	struct client c = {
		.ip = s->ip, .name = s->name, .helo = s->helo, .login = s->login, .tls = "",
		.cert_subject = s->certificate,
		.cert_issuer = "", .cert_fingerprint = "", .local = strcmp(s->client, "local") == 0,
	};

	if (s->ip.family != NETWORK_NONE)
		ip_format(&s->ip, c.address);
	return c;
}

/* The app as if it named no certificate. */
static bool
matches_otherwise(const struct app *a, const struct client *c)
{
	struct app without = *a;

	without.n_certificates = 0;
	return (a->n_clients == 0 && !a->local && a->n_logins == 0) || identify_matches(&without, c);
}

/* The policy's app for a source. One that names a certificate by its issuer or
 * fingerprint is believed to be what the audit says it was. */
static const struct app *
known_app(const struct learn *l, const struct learn_source *s, const struct record *r)
{
	struct client c = client_of(s);

	c.cert_issuer = r->certificate_issuer;
	for (size_t i = 0; i < l->policy->n_apps; i++) {
		const struct app *a = &l->policy->apps[i];

		if (identify_matches(a, &c))
			return a;
		if (a->n_certificates > 0 && s->certificate[0] != '\0' && strcmp(a->name, r->app) == 0 &&
		    matches_otherwise(a, &c))
			return a;
	}
	return NULL;
}

static void
fill_source(struct learn *l, struct learn_source *s, const char *client, const struct record *r)
{
	*s = (struct learn_source){
		.client = arena_string(l->arena, client), .login = arena_string(l->arena, r->login),
		.certificate = arena_string(l->arena, r->certificate), .name = arena_string(l->arena, r->client_name),
		.helo = arena_string(l->arena, r->helo), .subject = "", .host = "", .first = INT64_MAX,
	};
	if (strcmp(client, "local") != 0 && ip_parse(client, &s->ip) != 0)
		s->ip.family = NETWORK_NONE;
	s->known = known_app(l, s, r);
}

/* 0 when there is no room for it. */
static uint32_t
find_source(struct learn *l, const struct record *r)
{
	char client[IP_TEXT_SIZE] = "";
	struct ip ip;
	bool is_new;
	uint32_t number;
	void *more;

	if (r->picked_up)
		memcpy(client, "local", sizeof "local");
	else if (ip_parse(r->client, &ip) == 0)
		ip_format(&ip, client);
	text_clear(&l->key);
	text_printf(&l->key, "%s\n%zu:", client, strlen(r->login));
	for (const char *p = r->login; *p != '\0'; p++)
		text_add_char(&l->key, text_lower_char(*p));
	for (const char *p = r->certificate; *p != '\0'; p++)
		text_add_char(&l->key, text_lower_char(*p));
	number = learn_table_add(l->source_keys, text_string(&l->key), &is_new);
	if (!is_new)
		return number;
	more = grow(l->sources, l->n_sources, &l->sources_room, sizeof *l->sources);
	if (more == NULL) {
		l->failed = true;
		return 0;
	}
	l->sources = more;
	fill_source(l, &l->sources[l->n_sources++], client, r);
	return number;
}

/* An address of a message in ASCII lower case, "<>" for the null sender. */
static void
set_key(struct learn *l, uint32_t source, const char *address)
{
	text_clear(&l->key);
	text_printf(&l->key, "%u:", source);
	if (address[0] == '\0')
		text_add(&l->key, "<>");
	for (; *address != '\0'; address++)
		text_add_char(&l->key, text_lower_char(*address));
}

static bool
is_rewritten(const char *local)
{
	return (text_has_prefix(local, "SRS0") || text_has_prefix(local, "SRS1")) &&
	       (local[4] == '=' || local[4] == '+' || local[4] == '-');
}

/* Why no policy should grant this address; its tenant in *tenant_r. */
static const char *
problem_of(struct learn *l, const char *text, const struct tenant **tenant_r)
{
	const struct accepted_domain *d;
	struct address_error e;
	struct address a;
	const char *path;

	*tenant_r = NULL;
	arena_reset(l->scratch);
	path = arena_printf(l->scratch, "<%s>", text);
	if (address_parse_path(l->scratch, path, false, &a, &e) != 0 || a.is_postmaster)
		return "sender-malformed";
	d = a.is_literal ? NULL : policy_domain(l->policy, a.domain);
	if (d == NULL || d->sending_disabled || d->pending_removal)
		return "sender-not-accepted";
	if (a.is_quoted || a.has_routing || strchr(a.local, '*') != NULL || is_rewritten(a.local))
		return "sender-not-allowed";
	*tenant_r = d->tenant;
	return NULL;
}

/* Whether the policy's app for the source may use it. */
static bool
is_covered(struct learn *l, const struct app *a, const char *text)
{
	struct address_error e;
	struct address x;
	const char *path;

	if (a == NULL)
		return false;
	arena_reset(l->scratch);
	path = strcmp(text, "<>") == 0 ? text : arena_printf(l->scratch, "<%s>", text);
	if (address_parse_path(l->scratch, path, false, &x, &e) != 0)
		return false;
	for (size_t i = 0; i < a->n_senders; i++)
		if (address_matches(&a->senders[i], &x))
			return true;
	return false;
}

/* The shape of an address: "scanner-*@contoso.com". false where nothing varies. */
static bool
shape_of(struct text *t, const char *local, const char *domain)
{
	unsigned stars;

	text_clear(t);
	stars = learn_shape_local(local, t);
	text_printf(t, "@%s", domain);
	return stars > 0;
}

static const char *
local_of(struct learn *l, const char *text)
{
	const char *at = strrchr(text, '@');

	return at == NULL ? text : arena_substring(l->arena, text, (size_t)(at - text));
}

/* l->key holds "SOURCE:text" of an address that is new to the source. */
static uint32_t
add_sender(struct learn *l, uint32_t source, const char *text, bool is_shape)
{
	struct learn_source *s = learn_source(l, source);
	const char *at = strrchr(text, '@');
	struct text shape = {0};
	struct learn_sender *x;
	void *more;

	more = grow(l->senders, l->n_senders, &l->senders_room, sizeof *l->senders);
	if (more == NULL) {
		l->failed = true;
		return 0;
	}
	l->senders = more;
	x = &l->senders[l->n_senders];
	*x = (struct learn_sender){
		.text = arena_string(l->arena, text), .local = local_of(l, text),
		.domain = at == NULL ? "" : arena_string(l->arena, at + 1), .source = source, .next = s->senders,
		.is_shape = is_shape, .first = INT64_MAX,
	};
	if (strcmp(text, "<>") != 0)
		x->problem = problem_of(l, is_shape ? arena_printf(l->arena, "x@%s", x->domain) : text, &x->tenant);
	x->is_covered = is_covered(l, s->known, text);
	if (x->problem == NULL && at != NULL && (is_shape || shape_of(&shape, x->local, x->domain)))
		x->shape = learn_table_add(l->texts, is_shape ? text : text_string(&shape), NULL);
	text_free(&shape);
	s->senders = (uint32_t)++l->n_senders;
	s->n_senders += !is_shape;
	s->n_shapes += is_shape;
	return s->senders;
}

/* Beyond the room of its source an address is kept by its shape only. 0 when there
 * is no room for that either. */
static uint32_t
find_shape(struct learn *l, uint32_t source, const char *address)
{
	struct learn_source *s = learn_source(l, source);
	const char *at = strrchr(address, '@');
	struct text shape = {0};
	uint32_t number = 0;
	bool is_new = false;
	char local[256];

	if (at == NULL || (size_t)(at - address) >= sizeof local)
		return 0;
	memcpy(local, address, (size_t)(at - address));
	local[at - address] = '\0';
	if (shape_of(&shape, local, at + 1)) {
		set_key(l, source, text_string(&shape));
		number = learn_table_find(l->sender_keys, text_string(&l->key));
		if (number == 0 && s->n_shapes < LEARN_SHAPES_OF_SOURCE)
			number = learn_table_add(l->sender_keys, text_string(&l->key), &is_new);
		if (is_new)
			number = add_sender(l, source, text_string(&shape), true);
	}
	text_free(&shape);
	return number;
}

static uint32_t
find_sender(struct learn *l, uint32_t source, const char *address)
{
	uint32_t number;

	set_key(l, source, address);
	number = learn_table_find(l->sender_keys, text_string(&l->key));
	if (number != 0)
		return number;
	if (learn_source(l, source)->n_senders >= LEARN_SENDERS_OF_SOURCE)
		return find_shape(l, source, address);
	number = learn_table_add(l->sender_keys, text_string(&l->key), NULL);
	if (number == 0)
		return 0;
	return add_sender(l, source, strchr(text_string(&l->key), ':') + 1, false);
}

/* The addresses the message writes, envelope sender first, each once; 0 for one
 * there was no room for. */
static size_t
find_senders(struct learn *l, uint32_t source, const struct record *r, uint32_t senders[3])
{
	const char *const written[] = {r->header_from, r->header_sender};
	size_t n = 0;

	senders[n++] = find_sender(l, source, r->sender);
	for (size_t i = 0; i < 2; i++) {
		uint32_t number;

		if (written[i][0] == '\0')
			continue;
		number = find_sender(l, source, written[i]);
		if (number != senders[0] && (n == 1 || number != senders[1]))
			senders[n++] = number;
	}
	return n;
}

const struct tenant *
learn_tenant(const struct learn *l, const uint32_t *senders, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (senders[i] != 0 && learn_sender(l, senders[i])->tenant != NULL)
			return learn_sender(l, senders[i])->tenant;
	return NULL;
}

static struct learn_places
count_places(const struct learn *l, const struct record *r, const struct tenant *t)
{
	struct learn_places p = {0};

	for (size_t i = 0; i < r->n_rcpt; i++) {
		const struct record_recipient *x = &r->rcpt[i];
		const struct accepted_domain *d;

		if (!x->accepted)
			continue;
		if (strcmp(x->place, "local") == 0) {
			p.local++;
			continue;
		}
		if (x->domain[0] == '\0')
			continue; /* it could not be read */
		d = policy_domain(l->policy, x->domain);
		if (d != NULL && (t == NULL || d->tenant == t)) {
			p.internal++;
		} else {
			p.external++;
			p.outside = x->domain;
		}
	}
	return p;
}

static void
note_outside(struct learn_source *s, const char *domain)
{
	for (size_t i = 0; domain != NULL && i < 3; i++) {
		if (s->outside[i][0] == '\0')
			snprintf(s->outside[i], sizeof s->outside[i], "%s", domain);
		if (strncmp(s->outside[i], domain, sizeof s->outside[i] - 1) == 0)
			return;
	}
}

static void
add_finding(struct learn *l, uint32_t source, const struct record *r, const char *reason, const char *about)
{
	struct learn_finding *f;
	bool is_new;
	uint32_t number;
	void *more;

	text_clear(&l->key);
	text_printf(&l->key, "%u:%s:%s", source, reason, about);
	number = learn_table_add(l->finding_keys, text_string(&l->key), &is_new);
	if (number == 0) {
		l->beyond_findings++;
		return;
	}
	more = is_new ? grow(l->findings, l->n_findings, &l->findings_room, sizeof *l->findings) : l->findings;
	if (more == NULL) {
		l->failed = true;
		return;
	}
	l->findings = more;
	f = &l->findings[number - 1];
	if (is_new) {
		*f = (struct learn_finding){
			.source = source, .reason = arena_string(l->arena, reason),
			.address = arena_string(l->arena, about),
			.first = r->time,
		};
		snprintf(f->id, sizeof f->id, "%s", r->id);
		l->n_findings++;
	}
	f->messages++;
	f->last = r->time;
}

static void
note_features(struct learn *l, struct learn_source *s, const struct record *r, struct learn_sender *sender)
{
	struct text t = {0};

	learn_sketch_add(&s->subjects, learn_shape_subject(r->subject));
	if (s->subject[0] == '\0' && r->subject[0] != '\0' && r->subject[0] != '#')
		s->subject = arena_string(l->arena, r->subject);
	learn_shape_message_id(r->message_id, &t);
	if (t.len > 0 && !text_same(text_string(&t), r->relay)) {
		learn_sketch_add(&s->hosts, learn_shape_number(text_string(&t)));
		if (s->host[0] == '\0')
			s->host = arena_string(l->arena, text_string(&t));
		if (sender != NULL && sender->mid == 0)
			sender->mid = learn_table_add(l->texts, text_string(&t), NULL);
	}
	text_clear(&t);
	learn_shape_host(r->helo, &t);
	if (t.len > 0) {
		learn_sketch_add(&s->helos, learn_shape_number(text_string(&t)));
		if (sender != NULL && sender->helo == 0)
			sender->helo = learn_table_add(l->texts, r->helo, NULL);
	}
	l->failed = l->failed || t.failed;
	text_free(&t);
}

static void
note_time(const struct learn *l, struct learn_source *s, int64_t time)
{
	int64_t day = time / DAY_MS - l->range.since / DAY_MS;

	if (time < s->first)
		s->first = time;
	s->last = time;
	s->days |= UINT64_C(1) << (day < 0 ? 0 : day > 63 ? 63 : day);
}

static void
add_evidence(struct learn *l, uint32_t source, const struct record *r, const uint32_t *senders, size_t n,
	     const struct learn_places *p)
{
	struct learn_source *s = learn_source(l, source);
	struct learn_event e = {.time = r->time, .source = source, .sender = senders[0]};

	s->messages++;
	s->internal += p->internal;
	s->external += p->external;
	s->local += p->local;
	s->null_senders += r->sender[0] == '\0';
	note_outside(s, p->outside);
	note_time(l, s, r->time);
	for (size_t i = 0; i < n; i++) {
		struct learn_sender *x = learn_sender(l, senders[i]);

		x->envelope += i == 0;
		x->header += i > 0;
		if (r->time < x->first)
			x->first = r->time;
		x->last = r->time;
	}
	note_features(l, s, r, learn_sender(l, senders[0]));
	e.external = p->external > UINT32_MAX ? UINT32_MAX : (uint32_t)p->external;
	if (fwrite(&e, sizeof e, 1, l->events) != 1)
		l->failed = true;
}

static void
one_message(struct learn *l, uint32_t source, const struct record *r)
{
	struct learn_source *s = learn_source(l, source);
	uint32_t senders[3];
	size_t n = find_senders(l, source, r, senders);
	struct learn_places p = count_places(l, r, learn_tenant(l, senders, n));
	const char *about = "", *reason;
	bool beyond = false;

	for (size_t i = 0; i < n; i++)
		beyond = beyond || senders[i] == 0;
	s->all++;
	s->all_internal += p.internal;
	s->all_external += p.external;
	if (l->failed)
		return;
	reason = beyond ? NULL : learn_judge(l, r, s, senders, n, &p, &about);
	if (beyond) {
		s->beyond++;
	} else if (reason != NULL) {
		s->findings++;
		add_finding(l, source, r, reason, about);
	} else {
		add_evidence(l, source, r, senders, n, &p);
	}
}

static bool
is_failed(const struct learn *l)
{
	return l->failed || arena_failed(l->arena) || l->key.failed || learn_table_failed(l->source_keys) ||
	       learn_table_failed(l->sender_keys) || learn_table_failed(l->finding_keys) ||
	       learn_table_failed(l->refused_keys) || learn_table_failed(l->texts);
}

int
learn_message(void *context, const struct record *r, const struct charge *charges, size_t n_charges)
{
	struct learn *l = context;
	uint32_t source;

	(void)charges;
	(void)n_charges;
	l->messages++;
	if (l->messages == 1)
		l->first = r->time;
	l->last = r->time;
	if (strcmp(r->verdict, "reject") == 0 || strcmp(r->verdict, "defer") == 0) {
		l->refused_then++; /* its count is among the refusals */
	} else if (strcmp(r->verdict, "discard") == 0) {
		l->discarded++;
	} else if ((source = find_source(l, r)) == 0) {
		l->beyond_sources++;
	} else {
		one_message(l, source, r);
	}
	return is_failed(l) ? -2 : 0;
}

int
learn_refusal(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct learn *l = context;
	struct learn_refused *x;
	bool is_new;
	uint32_t number;
	void *more;

	l->n_refusals += count;
	text_clear(&l->key);
	text_printf(&l->key, "%s:%zu:%s:%s:%s", f->client, strlen(f->login), f->login, f->reason, f->sender);
	number = learn_table_add(l->refused_keys, text_string(&l->key), &is_new);
	if (number == 0) {
		l->beyond_refused += count;
		return is_failed(l) ? -2 : 0;
	}
	more = is_new ? grow(l->refused, l->n_refused, &l->refused_room, sizeof *l->refused) : l->refused;
	if (more == NULL)
		return -2;
	l->refused = more;
	x = &l->refused[number - 1];
	if (is_new) {
		*x = (struct learn_refused){
			.client = arena_string(l->arena, f->client), .login = arena_string(l->arena, f->login),
			.reason = arena_string(l->arena, f->reason), .sender = arena_string(l->arena, f->sender),
			.app = arena_string(l->arena, f->app),
		};
		snprintf(x->id, sizeof x->id, "%s", f->id);
		l->n_refused++;
	}
	x->count += count;
	x->last = last_time > x->last ? last_time : x->last;
	return is_failed(l) ? -2 : 0;
}
