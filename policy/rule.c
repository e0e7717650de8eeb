/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See rule.h: the order in which rules are asked, and their actions.
 */
#include "policy/rule.h"

#include <string.h>

#include "base/printable.h"
#include "policy/rule-private.h"

/* How many rules that did not match a trace tells of: a long list does not help. */
#define TRACED_RULES 20u

/* What an action makes of a message. */
static const struct {
	const char *name;
	bool ends_search;
	bool at_rcpt;           /* may refuse a single recipient */
	enum verdict verdict;
	int code;
	const char *enhanced;
	const char *text;
} actions[] = {
	[RULE_ACCEPT] = {"accept", true, false, VERDICT_ACCEPT, 250, "2.0.0", ""},
	[RULE_REJECT] = {"reject", true, true, VERDICT_REJECT, 550, "5.7.1", "a rule of this relay does not let it pass"},
	[RULE_DEFER] = {"defer", true, true, VERDICT_DEFER, 451, "4.7.1", "a rule of this relay does not let it pass now; "
									  "try again later"},
	[RULE_HOLD] = {"hold", true, false, VERDICT_HOLD, 250, "2.0.0", "a rule of this relay holds it for the mail admin"},
	[RULE_DISCARD] = {"discard", true, false, VERDICT_DISCARD, 250, "2.0.0", "a rule of this relay throws it away"},
	[RULE_TAG] = {"tag", false, false, VERDICT_ACCEPT, 250, "2.0.0", ""},
	[RULE_REQUIRE_TLS] = {"require-tls", true, true, VERDICT_REJECT, 550, "5.7.10",
			      "it must come over TLS; let the app use STARTTLS"},
};

const char *
rule_action_name(enum rule_action a)
{
	return actions[a].name;
}

/* Whether the rule, if it matches, has something to say: require-tls has not
 * where there is TLS, or no wire. */
static bool
has_effect(const struct message *m, const struct rule *r)
{
	return r->action != RULE_REQUIRE_TLS || (m->client->tls[0] == '\0' && !m->client->local);
}

static struct decision
decision_of(struct message *m, const struct rule *r)
{
	const char *text = r->message[0] != '\0' ? r->message : actions[r->action].text;
	const char *ask = r->contact[0] == '\0' ? "" : arena_printf(m->arena, ". Ask %s", r->contact);

	return (struct decision){
		.verdict = actions[r->action].verdict, .reason = arena_printf(m->arena, "rule:%s", r->name),
		.code = actions[r->action].code, .enhanced = actions[r->action].enhanced,
		.text = printable(m->arena, arena_printf(m->arena, "%s%s", text, ask)),
	};
}

static struct decision
undecided(struct message *m, const struct rule *r, const struct rule_notes *notes)
{
	return (struct decision){
		.verdict = VERDICT_DEFER, .reason = "cannot-decide", .code = 451, .enhanced = "4.3.0",
		.text = arena_printf(m->arena, "the rule %s cannot be decided: %s", r->name,
				     notes->doubt != NULL ? notes->doubt : "it asks for what is not known"),
	};
}

static bool
accepts_on_failure(const struct message *m)
{
	return (m->app == NULL ? m->policy->on_failure : m->app->on_failure) == ON_FAILURE_ACCEPT;
}

void
rules_recipient(struct message *m, const struct recipient *r, struct decision *d_r)
{
	struct rule_notes notes = {.doubt = NULL};

	for (size_t i = 0; i < m->policy->n_rules; i++) {
		const struct rule *rule = &m->policy->rules[i];
		enum found answer;

		if (rule->is_on_trial || !actions[rule->action].ends_search || !has_effect(m, rule))
			continue;
		answer = rule_holds(m, rule, NULL, r, RULE_KNOWN_AT_RCPT, &notes);
		if (answer == FOUND_NO)
			continue;
		/* It decides here and now, or it may still decide and ends the search. */
		if (answer == FOUND_YES && actions[rule->action].at_rcpt && (rule->given & ~RULE_KNOWN_AT_RCPT) == 0) {
			*d_r = decision_of(m, rule);
			trace_add(&m->trace, "rcpt", "rule", ANSWER_YES, "%s: %s %s", rule->name,
				  actions[rule->action].name, r->address.text);
		}
		return;
	}
}

void
rules_header(struct message *m)
{
	const struct policy *p = m->policy;
	struct rules_run *run;

	if (p->n_rules == 0 || message_is_refused(m) || m->rules != NULL)
		return;
	run = arena_alloc(m->arena, sizeof *run);
	if (run == NULL || (run->rules = arena_array(m->arena, p->n_rules, sizeof *run->rules)) == NULL)
		return;
	m->rules = run;
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = &p->rules[i];
		struct rule_run *one = &run->rules[i];

		run->n = i + 1;
		one->pending = r->given & ~RULE_KNOWN_AT_HEADER;
		one->known = has_effect(m, r) ? rule_holds(m, r, NULL, NULL, RULE_KNOWN_AT_HEADER, &one->notes)
					      : FOUND_NO;
		if (one->known == FOUND_YES && one->pending == 0 && actions[r->action].ends_search && !r->is_on_trial)
			break;
	}
	rule_body_start(m, run);
}

bool
rules_tag_later(const struct message *m)
{
	bool is_open = false;

	for (size_t i = 0; m->rules != NULL && m->mode != MODE_MONITOR && i < m->rules->n; i++) {
		const struct rule *r = &m->policy->rules[i];
		const struct rule_run *one = &m->rules->rules[i];

		if (one->known == FOUND_NO || r->is_on_trial)
			continue;
		is_open = is_open || one->pending != 0 || one->known == FOUND_UNKNOWN;
		if (is_open && r->action == RULE_TAG)
			return true;
	}
	return false;
}

static void
add_tag(struct message *m, const struct rule *r, struct tag ***tail)
{
	struct tag *t;

	if (r->action != RULE_TAG || r->is_on_trial || m->mode == MODE_MONITOR ||
	    (t = arena_alloc(m->arena, sizeof *t)) == NULL)
		return;
	*t = (struct tag){.name = r->tag_name, .value = r->tag_value};
	**tail = t;
	*tail = &t->next;
}

void
rules_tag(struct message *m)
{
	struct tag **tail = &m->tags;

	m->tags = NULL;
	for (size_t i = 0; m->rules != NULL && i < m->rules->n; i++) {
		const struct rule *r = &m->policy->rules[i];
		const struct rule_run *one = &m->rules->rules[i];

		if (one->known == FOUND_NO || r->is_on_trial)
			continue;
		if (one->pending != 0 || one->known == FOUND_UNKNOWN)
			return; /* no tag comes after it, or rules_tag_later() had said so */
		add_tag(m, r, &tail);
		if (actions[r->action].ends_search)
			return;
	}
}

static struct rule_match *
note_match(struct message *m, const struct rule *r, enum found answer)
{
	struct rule_match *x = arena_alloc(m->arena, sizeof *x);

	trace_add(&m->trace, "end", "rule", answer == FOUND_YES ? ANSWER_YES : ANSWER_UNKNOWN, "%s: %s%s", r->name,
		  actions[r->action].name, r->is_on_trial ? ", on trial" : "");
	if (x == NULL)
		return NULL;
	*x = (struct rule_match){.rule = r, .answer = answer};
	if (m->last_rule_match == NULL)
		m->rule_matches = x;
	else
		m->last_rule_match->next = x;
	m->last_rule_match = x;
	return x;
}

/* The rule decides so, for real or on trial. */
static void
decide_so(struct message *m, const struct rule *r, struct decision d)
{
	const struct decision would = m->would;

	if (r->is_on_trial)
		message_would(m, d);
	else if (d.verdict != VERDICT_ACCEPT)
		message_refuse_with(m, d);
	if (m->rules->is_tried)
		m->would = would;
	m->rules->is_tried = m->rules->is_tried || r->is_on_trial;
}

/* What a rule that matched, or cannot be decided, does. Whether the search ends. */
static bool
act(struct message *m, const struct rule *r, enum found answer, const struct rule_notes *notes, struct tag ***tail)
{
	struct rule_match *x = note_match(m, r, answer);
	struct decision d = answer == FOUND_YES ? decision_of(m, r) : undecided(m, r, notes);

	if (answer == FOUND_UNKNOWN && accepts_on_failure(m))
		return false;
	if (answer == FOUND_YES && !actions[r->action].ends_search) {
		add_tag(m, r, tail);
		return false;
	}
	decide_so(m, r, d);
	if (r->is_on_trial)
		return false;
	if (x != NULL)
		x->decided = m->mode != MODE_MONITOR;
	return true;
}

static void
trace_no(struct message *m, const struct rule *r, const struct rule_run *one, unsigned *traced)
{
	/* Rules for other apps are of no interest. */
	if (one->notes.failed <= CONDITION_LOGINS || !has_effect(m, r) || ++*traced > TRACED_RULES)
		return;
	trace_add(&m->trace, "end", "rule", ANSWER_NO, "%s: %s", r->name, rule_condition_name(one->notes.failed));
}

/* What a rule of this name and these conditions came to when the message was here;
 * false when it was not asked then. */
static bool
as_recorded(const struct message *m, const struct rule *r, enum found *answer_r)
{
	const struct recorded *then = m->recorded;
	bool was_asked = false;

	for (size_t i = 0; i < then->n_asked; i++)
		was_asked = was_asked || (strcmp(then->asked[i].name, r->name) == 0 &&
					  strcmp(then->asked[i].conditions, r->conditions) == 0);
	*answer_r = FOUND_NO;
	for (size_t i = 0; was_asked && i < then->n_matches; i++)
		if (strcmp(then->matches[i].name, r->name) == 0)
			*answer_r = strcmp(then->matches[i].answer, "yes") == 0 ? FOUND_YES : FOUND_UNKNOWN;
	return was_asked;
}

void
rules_decide(struct message *m)
{
	struct tag **tail = &m->tags;
	unsigned traced = 0;

	if (m->rules == NULL || message_is_refused(m))
		return;
	rule_body_end(m);
	m->tags = NULL;
	for (size_t i = 0; i < m->rules->n; i++) {
		const struct rule *r = &m->policy->rules[i];
		struct rule_run *one = &m->rules->rules[i];
		enum found answer = one->known;

		if (answer != FOUND_NO)
			answer = found_and(answer, rule_holds(m, r, one, NULL, one->pending, &one->notes));
		if (answer == FOUND_UNKNOWN && m->recorded != NULL && !as_recorded(m, r, &answer)) {
			if (r->is_on_trial || !actions[r->action].ends_search)
				continue; /* it does not touch the verdict */
			m->undecidable = r;
			return;
		}
		if (answer == FOUND_NO)
			trace_no(m, r, one, &traced);
		else if (act(m, r, answer, &one->notes, &tail))
			return;
	}
}

void
rules_free(struct message *m)
{
	if (m->rules != NULL)
		rule_body_free(m, m->rules);
	m->rules = NULL;
}
