/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The draft: the policy that is there, its apps with what they lack, the proposed
 * apps, and in comments what each line rests on.
 */
#include "config.h"

#include "admin/learn.h"

#include <stdlib.h>
#include <string.h>

#include "admin/learn_present.h"
#include "admin/learn_yaml.h"
#include "admin/when.h"

#define SAID 60u        /* octets of foreign text in a comment */
/* A policy file may have 4 MiB: beyond this no more apps are written. */
#define DRAFT_MAX ((size_t)3 << 20)
/* From so many addresses of one app on, the admin may prefer all of a domain. */
#define SENDERS_MANY 50u
#define SENDERS_NAMED 8u

typedef unsigned long long ull;

static void
add_day(struct text *t, int64_t time)
{
	char buf[WHEN_SIZE];

	text_add_octets(t, when_format(time, buf), 10);
}

static void
add_span(struct text *t, int64_t first, int64_t last)
{
	char a[WHEN_SIZE], b[WHEN_SIZE];
	bool one_day = strncmp(when_format(first, a), when_format(last, b), 10) == 0;

	add_day(t, first);
	if (!one_day) {
		text_add(t, " to ");
		add_day(t, last);
	}
}

static void
add_said(struct text *t, const char *before, const char *s, const char *after)
{
	if (s[0] == '\0')
		return;
	text_add(t, before);
	learn_yaml_said(t, s, SAID);
	text_add(t, after);
}

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void
write_who(const struct learn_app *a, struct text *t)
{
	size_t clients = 0;

	for (size_t i = 0; i < a->n_clients; i++)
		clients += a->clients[i].is_local ? 1 : a->clients[i].seen;
	text_printf(t, "  # %llu message%s, ", (ull)a->messages, plural(a->messages));
	add_span(t, a->first, a->last);
	text_printf(t, " (on %u day%s), from %zu client%s, ", a->days, plural(a->days), clients, plural(clients));
	if (a->proof == LEARN_BY_ADDRESS)
		text_add(t, "without login or certificate");
	else if (a->is_mixed)
		text_printf(t, "%llu of them without %s", (ull)a->without_proof,
			    a->proof == LEARN_BY_LOGIN ? "login" : "certificate");
	else
		text_add(t, a->proof == LEARN_BY_LOGIN ? "all with login" : "all with certificate");
	text_add_char(t, '\n');
	if (a->days == 1 && a->messages > 1)
		text_add(t, "  # all on one day: make sure that it is yours\n");
}

static void
write_looks(const struct learn *l, const struct learn_app *a, struct text *t)
{
	const struct learn_source *s = learn_source(l, a->sources[0]);
	size_t before;

	text_add(t, "  # looks like:");
	before = t->len;
	add_said(t, " subject \"", s->subject, "\"");
	add_said(t, "  HELO ", s->helo, "");
	add_said(t, "  client ", s->name, "");
	add_said(t, "  Message-ID @", s->host, "");
	if (t->len == before)
		text_add(t, " nothing else is known of it");
	text_add_char(t, '\n');
}

static void
write_part(const struct learn_part *p, struct text *t)
{
	text_printf(t, "  #   %llu message%s:", (ull)p->messages, plural(p->messages));
	for (size_t i = 0; i < p->n_senders && i < SENDERS_NAMED; i++)
		add_said(t, " ", p->senders[i], "");
	if (p->n_senders > SENDERS_NAMED)
		text_printf(t, " and %zu more", p->n_senders - SENDERS_NAMED);
	add_said(t, "  HELO ", p->helo, "");
	add_said(t, "  Message-ID @", p->host, "");
	text_add_char(t, '\n');
}

static void
write_parts(const struct learn_app *a, struct text *t)
{
	if (!a->is_shared && a->n_parts < 2)
		return;
	text_printf(t, "  # %s behind this address. Apps are told apart by\n"
		    "  # network, login and certificate only: to split it, give each a login of its own and an\n"
		    "  # app with that login; until then they share this one.\n",
		    a->is_shared ? "SHARED: many senders are" : "Several programs seem to be");
	for (size_t i = 0; a->n_parts > 1 && i < a->n_parts; i++)
		write_part(&a->parts[i], t);
}

static void
write_tenants(const struct learn_app *a, struct text *t)
{
	text_add(t, a->n_tenants == 1 ? "    tenant: " : "    tenants: [");
	for (size_t i = 0; i < a->n_tenants; i++) {
		text_add(t, i > 0 ? ", " : "");
		learn_yaml_value(t, a->tenants[i]->name);
	}
	text_add(t, a->n_tenants == 1 ? "\n" : "]   # the envelope sender's domain says which\n");
}

static void
write_client(const struct learn_client *c, const char *indent, struct text *t)
{
	char buf[LEARN_NETWORK_SIZE];
	bool is_prefix = !c->is_local && learn_is_prefix(&c->net);

	text_printf(t, "%s%s- ", indent, c->is_stray ? "# " : "");
	learn_yaml_value(t, c->is_local ? "local" : learn_network_format(&c->net, buf));
	text_printf(t, "   # %llu message%s", (ull)c->messages, plural(c->messages));
	if (is_prefix && c->net.base.family == NETWORK_IPV4)
		text_printf(t, "; %u of its %lu addresses were seen (%s), none of them another's", (unsigned)c->seen,
			    1ul << (32 - c->net.bits), c->examples);
	else if (is_prefix)
		text_printf(t, "; %u of its addresses were seen (%s), none of them another's",
			    (unsigned)c->seen, c->examples);
	if (c->is_stray) {
		text_add(t, ", ");
		add_day(t, c->first);
		text_add(t, ": too few to grant");
	}
	text_add_char(t, '\n');
}

static void
write_clients(const struct learn_app *a, struct text *t)
{
	if (a->anywhere) {
		text_printf(t, "    # no clients: its %s came from %zu places; list some to bind it to them\n",
			    a->proof == LEARN_BY_LOGIN ? "login" : "certificate", a->n_clients);
		return;
	}
	text_add(t, "    clients:\n");
	for (size_t i = 0; i < a->n_clients; i++)
		write_client(&a->clients[i], "      ", t);
}

static void
write_texts(const char *name, const char *const *list, size_t n, struct text *t)
{
	text_printf(t, "    %s:\n", name);
	for (size_t i = 0; i < n; i++) {
		text_add(t, "      - ");
		learn_yaml_value(t, list[i]);
		if (strchr(list[i], '*') != NULL)
			text_add(t, "   # * stands for any text: it matches other names too");
		text_add_char(t, '\n');
	}
}

/* How many of the proposed apps have this login. */
static size_t
apps_with_login(const struct learn *l, const char *login)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_apps; i++)
		for (size_t j = 0; j < l->apps[i].n_logins && l->apps[i].known == NULL; j++)
			n += text_same(l->apps[i].logins[j], login);
	return n;
}

static void
write_proofs(const struct learn *l, const struct learn_app *a, struct text *t)
{
	if (a->proof == LEARN_BY_LOGIN) {
		write_texts("logins", a->logins, a->n_logins, t);
		if (a->is_mixed)
			text_printf(t, "      - \"*\"   # %llu messages came without login: this lets in any login\n"
				    "            # and none from its clients; take it out when all sessions log in\n",
				    (ull)a->without_proof);
		if (a->n_logins == 1 && apps_with_login(l, a->logins[0]) > 1)
			text_printf(t, "    # %zu apps share this login: change it to one for each\n",
				    apps_with_login(l, a->logins[0]));
	} else if (a->proof == LEARN_BY_CERTIFICATE && !a->is_mixed) {
		write_texts("certificates", a->certificates, a->n_certificates, t);
	} else if (a->proof == LEARN_BY_CERTIFICATE) {
		text_add(t, "    # a certificate came with part of its mail; name it when it comes with all\n");
	}
}

static void
write_outside(const struct learn *l, const struct learn_app *a, struct text *t)
{
	const char *between = " such as ";

	for (size_t i = 0; i < a->n_sources && i < 3; i++) {
		const struct learn_source *s = learn_source_of(l, a, i);

		for (size_t j = 0; j < 3 && s->outside[j][0] != '\0'; j++) {
			add_said(t, between, s->outside[j], "");
			between = ", ";
		}
		if (between[0] == ',')
			return;
	}
}

static void
write_method(const struct learn *l, const struct learn_app *a, struct text *t)
{
	uint64_t all = a->internal + a->external;

	text_printf(t, "    method: %s   # ", method_facts(a->method)->name);
	if (a->external == 0) {
		text_printf(t, "all %llu recipient%s in accepted domains%s\n", (ull)all, all == 1 ? " is" : "s are",
			    a->local > 0 ? " or local" : "");
		return;
	}
	text_printf(t, "%llu of %llu recipients are outside,", (ull)a->external, (ull)all);
	write_outside(l, a, t);
	text_add_char(t, '\n');
	if (a->external * 100 < all)
		text_add(t, "    # if that is a mistake, direct-send refuses those few and lets the others pass\n");
	if (a->proof == LEARN_BY_LOGIN)
		text_add(t, "    # smtp-auth only where the relay logs in to smtp.office365.com for this app\n");
}

static void
write_grant(const struct learn_app *a, const struct learn_grant *g, const char *indent, struct text *t)
{
	text_printf(t, "%s%s- ", indent, g->is_stray ? "# " : "");
	learn_yaml_value(t, g->text);
	text_add(t, "   # ");
	if (a->known != NULL && !g->is_stray)
		text_add(t, "new: ");
	if (g->envelope > 0)
		text_printf(t, "%llu message%s, ", (ull)g->envelope, plural(g->envelope));
	if (g->header > 0)
		text_printf(t, "%llu time%s in From or Sender %s, ", (ull)g->header, plural(g->header),
			    g->envelope > 0 ? "of another sender's" : "only");
	add_span(t, g->first, g->last);
	if (g->members > 0) {
		text_printf(t, "; %u addresses", (unsigned)g->members);
		add_said(t, ", ", g->least, "");
		add_said(t, " to ", g->most, "");
		text_printf(t, ", from %u client%s; * is any text", (unsigned)g->clients, plural(g->clients));
	}
	if (g->is_stray && strcmp(g->text, "<>") == 0 && a->n_tenants > 1)
		text_add(t, ": it goes with one tenant only");
	else if (g->is_stray)
		text_add(t, ": too few to grant");
	text_add_char(t, '\n');
}

/* The way out of a long list, for who knows that it is a mail server. */
static void
write_domains(const struct learn_app *a, struct text *t)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_grants; i++)
		n += a->grants[i].members == 0 && !a->grants[i].is_stray;
	if (n < SENDERS_MANY)
		return;
	text_printf(t, "      # %zu addresses: a mail server, or people? In place of them one line would do:\n"
		    "      # - \"*", n);
	learn_yaml_said(t, strchr(a->grants[0].text, '@') == NULL ? "@..." : strchr(a->grants[0].text, '@'), SAID);
	text_add(t, "\"   # whoever reaches these clients may then be anybody there\n");
}

static void
write_limit(const struct learn_limit *x, struct text *t)
{
	char at[WHEN_SIZE];

	text_printf(t, "      - %llu %s/%s%s%s   # peak %llu, ", (ull)x->count, limit_unit_name(x->unit),
		    learn_period_name(x->period), x->key[0] == '\0' ? "" : " per ", x->key, (ull)x->peak);
	text_add(t, when_format(x->at, at));
	add_said(t, ", by ", x->who, "");
	if (x->bound != NULL)
		text_printf(t, "; %s", x->bound);
	text_add_char(t, '\n');
}

static void
write_new_app(const struct learn *l, const struct learn_app *a, struct text *t)
{
	write_who(a, t);
	write_looks(l, a, t);
	write_parts(a, t);
	if (a->beyond > 0)
		text_printf(t, "  # %llu more messages, by further addresses, are not covered\n", (ull)a->beyond);
	text_add(t, "  - name: ");
	learn_yaml_value(t, a->name);
	text_add_char(t, '\n');
	write_tenants(a, t);
	write_clients(a, t);
	write_proofs(l, a, t);
	write_method(l, a, t);
	text_add(t, "    senders:\n");
	for (size_t i = 0; i < a->n_grants; i++)
		write_grant(a, &a->grants[i], "      ", t);
	write_domains(a, t);
	text_add(t, "    limits:\n");
	for (size_t i = 0; i < a->n_limits; i++)
		write_limit(&a->limits[i], t);
	text_add(t, "    mode: monitor   # change to \"mode: enforce\" to enforce the app\n"
		 "    # owner:          # who answers for it?\n");
}

/* What a kept app lacks, for learn_present_write_app(). */
static bool
has_new(void *context, const char *list)
{
	const struct learn_app *a = context;

	if (strcmp(list, "senders") == 0)
		for (size_t i = 0; i < a->n_grants; i++)
			if (!a->grants[i].is_known)
				return true;
	if (strcmp(list, "clients") == 0)
		for (size_t i = 0; i < a->n_clients; i++)
			if (!a->clients[i].is_known)
				return true;
	return false;
}

static void
add_new(void *context, const char *list, const char *indent, struct text *t)
{
	const struct learn_app *a = context;

	for (size_t i = 0; i < a->n_grants && strcmp(list, "senders") == 0; i++)
		if (!a->grants[i].is_known)
			write_grant(a, &a->grants[i], indent, t);
	for (size_t i = 0; i < a->n_clients && strcmp(list, "clients") == 0; i++)
		if (!a->clients[i].is_known)
			write_client(&a->clients[i], indent, t);
}

static void
write_known_app(const struct learn *l, const struct learn_present *present, size_t i, struct text *t)
{
	struct learn_app *a = &l->apps[i];
	struct learn_additions more = {.has = has_new, .add = add_new, .context = a};
	char at[WHEN_SIZE];

	text_printf(t, "  # %s, ", learn_is_kept(a) ? "kept as it stands" : "CHANGED");
	add_said(t, "", a->known->file, "");
	text_printf(t, ":%u: ", a->known->line);
	if (a->messages == 0) {
		text_add(t, "no message of it was seen\n");
	} else {
		text_printf(t, "%llu message%s, ", (ull)a->messages, plural(a->messages));
		add_span(t, a->first, a->last);
		text_printf(t, ", peak %llu in an hour (", (ull)a->meters[LEARN_MESSAGES_HOUR].peak);
		text_printf(t, "%s)\n", when_format(a->meters[LEARN_MESSAGES_HOUR].at, at));
	}
	learn_present_write_app(present, i, &more, t);
}

/* More specific apps first: the first that matches a session is the app. */
static int
rank(const struct learn_app *a)
{
	if (a->is_mixed)
		return 3;
	if (a->proof != LEARN_BY_ADDRESS)
		return a->proof == LEARN_BY_CERTIFICATE ? 2 : a->anywhere;
	for (size_t i = 0; i < a->n_clients; i++)
		if (a->clients[i].seen > 1)
			return 5;
	return 4;
}

static int
by_rank(const void *a, const void *b)
{
	const struct learn_app *x = *(const struct learn_app *const *)a, *y = *(const struct learn_app *const *)b;
	int r = rank(x) - rank(y);

	return r != 0 ? r : strcmp(x->name, y->name);
}

static void
write_strays(const struct learn *l, const struct learn_app *const *list, size_t n, struct text *t)
{
	struct text one = {0};
	size_t i;

	if (n > 0)
		text_add(t, "\n  # Seen once only, without login or certificate: not granted. Take the marks out\n"
			 "  # of those you know.\n");
	for (i = 0; i < n && t->len < DRAFT_MAX; i++) {
		text_clear(&one);
		write_new_app(l, list[i], &one);
		learn_yaml_comment_out(t, text_string(&one), "  ");
	}
	if (i < n)
		text_printf(t, "  # and %zu more\n", n - i);
	text_free(&one);
}

struct drafting {
	const struct learn *l;
	const struct learn_present *present;
	bool failed;
};

static size_t
choose(const struct learn *l, bool stray, const struct learn_app **list)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_apps; i++)
		if (l->apps[i].known == NULL && l->apps[i].is_stray == stray)
			list[n++] = &l->apps[i];
	if (n > 1)
		qsort(list, n, sizeof *list, by_rank);
	return n;
}

static void
write_apps(void *context, struct text *t)
{
	struct drafting *d = context;
	const struct learn *l = d->l;
	const struct learn_app **list = calloc(l->n_apps + 1, sizeof *list);
	size_t n, i;

	if (list == NULL) {
		d->failed = true;
		return;
	}
	n = choose(l, false, list);
	text_add(t, l->policy->n_apps + n == 0 ? "apps: []\n" : "apps:\n");
	for (i = 0; i < l->policy->n_apps; i++)
		write_known_app(l, d->present, i, t);
	if (n > 0)
		text_printf(t, "\n  # Proposed: %zu app%s\n", n, plural(n));
	for (i = 0; i < n && t->len < DRAFT_MAX; i++) {
		text_add_char(t, '\n');
		write_new_app(l, list[i], t);
	}
	if (i < n)
		text_printf(t, "  # and %zu more, too many for one file: install these, then learn again\n", n - i);
	n = choose(l, true, list);
	write_strays(l, list, n, t);
	free(list);
}

static void
write_counts(const struct learn *l, struct text *t)
{
	struct learn_sums s = learn_sum(l);

	text_printf(t, "# %llu message%s: %llu of %zu app%s that the policy has, %llu of %zu proposed here,\n",
		    (ull)l->messages, plural(l->messages), (ull)s.known, s.n_known, plural(s.n_known),
		    (ull)s.proposed, s.n_proposed);
	text_printf(t, "# %llu seen once only, %llu not granted, %llu refused or thrown away then, %llu with more\n"
		    "# senders or clients than are kept apart.\n", (ull)s.stray, (ull)(s.findings + l->beyond_findings),
		    (ull)(l->refused_then + l->discarded), (ull)(s.beyond + l->beyond_sources));
}

static void
write_head(const struct learn *l, const char *database, struct text *t)
{
	char a[WHEN_SIZE], b[WHEN_SIZE];

	text_add(t, "# A draft of postern learn, from ");
	learn_yaml_said(t, database, 200);
	text_printf(t, ",\n# %s to %s, on top of ", when_format(l->range.since, a),
		    when_format(l->range.until - 1, b));
	learn_yaml_said(t, l->policy_file, 200);
	text_add(t, ", whose comments stay there.\n");
	write_counts(l, t);
	if (l->messages > 0 && l->last - l->first < INT64_C(7) * 86400000)
		text_printf(t, "# The messages span %lld hours only: what sends once a week or month is not in it.\n",
			    (long long)((l->last - l->first) / 3600000));
	text_printf(t, "#\n"
		    "# It is safe to install: what is in force stays so, and each proposed app has mode: monitor\n"
		    "# of its own, so that its mail passes as it does today. What to do next:\n"
		    "#   1. read the apps, fill in who owns them, strike out what you do not know\n"
		    "#   2. postern check -c THIS; postern simulate --policy THIS --since %.10s --enforce\n"
		    "#   3. install it, reload posternd, and watch what the audit would have refused\n"
		    "#   4. enforce app by app: change its mode: monitor to mode: enforce\n"
		    "#   5. when nothing you know comes from unknown clients any more: unknown-clients: reject,\n"
		    "#      and mode: enforce at the top\n"
		    "# Limits are the highest use of a rolling window, counted as the limit itself counts (in 60\n"
		    "# slots), plus %u %%, rounded up. They defer; a device that does not try again loses such mail,\n"
		    "# unless its limit says: then hold.\n",
		    a, l->head_room);
}

int
learn_draft(const struct learn *l, const struct learn_present *present, const char *database, struct text *t)
{
	struct drafting d = {.l = l, .present = present};

	write_head(l, database, t);
	learn_write_inventory(l, t);
	text_add_char(t, '\n');
	learn_present_write(present, t, write_apps, &d);
	learn_write_findings(l, t);
	return d.failed || t->failed ? -1 : 0;
}
