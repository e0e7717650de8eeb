/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern learn, inside: what is collected of the audit, the apps it is grouped
 * into, and who writes them down. One thread at a time; all that is made lives as
 * long as struct learn.
 *
 * The way: learn_message() for each message, in the order of time; learn_refusal()
 * for each counted refusal; learn_group(), learn_senders(), learn_networks(),
 * learn_names(), learn_peaks() in this order; then learn_draft() or learn_json().
 *
 * A message is judged as a whole. What no policy could let pass, or only one that
 * gives away too much, is a finding and is evidence of nothing else; all other
 * messages are evidence for their app.
 */
#ifndef POSTERN_ADMIN_LEARN_H
#define POSTERN_ADMIN_LEARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "admin/learn_shape.h"
#include "admin/learn_table.h"
#include "base/arena.h"
#include "base/record.h"
#include "base/text.h"
#include "base/window.h"
#include "policy/policy.h"
#include "sql/store.h"

/* What is kept apart at most; what is beyond is counted and said. */
#define LEARN_SOURCES_MAX 65536u
#define LEARN_SENDERS_MAX 500000u
#define LEARN_SENDERS_OF_SOURCE 512u
#define LEARN_SHAPES_OF_SOURCE 64u
#define LEARN_FINDINGS_MAX 20000u
#define LEARN_TEXTS_MAX 50000u

/* An address that a source wrote, as envelope sender, in From or in Sender. */
struct learn_sender {
	const char *text;           /* ASCII lower case; "<>"; with * where only its shape is kept */
	const char *local, *domain; /* of it */
	const struct tenant *tenant; /* whose domain it is; NULL for "<>" and where `problem` is set */
	const char *problem;        /* NULL, or the reason why no policy can grant it */
	uint32_t shape;             /* number in learn.texts of "shape@domain"; 0: nothing varies in it */
	uint32_t source, next;      /* next one of the source, number in learn.senders */
	uint32_t helo, mid;         /* numbers in learn.texts, of the first message */
	bool is_shape;              /* beyond the room of its source: stands for several addresses */
	bool is_covered;            /* by the app that the policy has for the source */
	bool is_stray;              /* its app was not granted it */
	uint64_t envelope, header;  /* messages with it, of those that are evidence */
	int64_t first, last;
	struct learn_meter *meter;  /* messages in an hour; NULL unless asked for */
};

/* Whether some message with the address is evidence, so that it can be granted. */
static inline bool
learn_is_evidence(const struct learn_sender *x)
{
	return x->problem == NULL && x->envelope + x->header > 0;
}

/* Who sends: one address with one login and one certificate. */
struct learn_source {
	const char *client;         /* canonical address, "local", "" not known */
	struct ip ip;
	const char *login, *certificate;
	const char *name, *helo, *subject, *host; /* the first ones seen */
	const struct app *known;    /* the app that the policy has for it */
	uint32_t senders, n_senders, n_shapes; /* the first of a list; how many */
	uint64_t all, all_internal, all_external; /* messages and recipients, findings included */
	uint64_t messages, internal, external, local; /* what is evidence */
	uint64_t findings, beyond;  /* messages; beyond: with a sender there was no room for */
	uint64_t null_senders;
	int64_t first, last;
	uint64_t days;              /* one bit for each of the first 64 days (UTC) of the range */
	struct learn_sketch subjects, hosts, helos;
	char outside[3][64];        /* a few domains of external recipients */
	uint32_t app;               /* number in learn.apps, 0 none */
	struct learn_meter *meter;  /* messages in an hour; NULL unless asked for */
};

/* Mail that is not granted, counted by source, reason and address. */
struct learn_finding {
	uint32_t source;
	const char *reason;         /* a keyword of refusals */
	const char *address;        /* what it is about; may hold any octets */
	uint64_t messages;
	int64_t first, last;
	char id[27];                /* of one */
};

/* Mail that was refused when it came, by client, login, reason and sender. */
struct learn_refused {
	const char *client, *login, *reason, *sender, *app;
	uint64_t count;
	int64_t last;
	char id[27];
};

/* The highest use of a rolling window, as a limit would have counted it. */
struct learn_meter {
	struct window window;
	uint64_t peak;
	int64_t at;                 /* time of the message that reached it */
};

enum learn_measure {
	LEARN_MESSAGES_MINUTE, LEARN_MESSAGES_HOUR, LEARN_MESSAGES_DAY,
	LEARN_EXTERNAL_HOUR, LEARN_EXTERNAL_DAY, LEARN_MEASURES
};

/* A limit that is proposed. */
struct learn_limit {
	enum unit unit;
	uint32_t period;
	const char *key;            /* "", or "client", "sender" */
	uint64_t peak, count;
	int64_t at;
	const char *who;            /* whose peak it is, where there is a key */
	const char *bound;          /* NULL, or what kept the count down */
};

/* A line of `senders`. */
struct learn_grant {
	const char *text;           /* an address, a pattern, "<>" */
	bool is_known;              /* the app has it already */
	bool is_stray;              /* seen too rarely: not granted */
	uint64_t envelope, header;
	int64_t first, last;
	uint32_t members;           /* of a pattern: addresses seen, and from how many clients */
	uint32_t clients;
	const char *least, *most;   /* of a pattern: two of them */
};

/* A line of `clients`. */
struct learn_client {
	struct network net;
	bool is_local;
	bool is_known, is_stray;
	uint32_t seen;              /* addresses in it */
	const char *examples;
	uint64_t messages;
	int64_t first;
};

/* Senders of one client that seem to be one program: one HELO name and one host in
 * Message-IDs. */
struct learn_part {
	const char *helo, *host;
	const char **senders;
	size_t n_senders;
	uint64_t messages;
};

enum learn_proof { LEARN_BY_ADDRESS, LEARN_BY_CERTIFICATE, LEARN_BY_LOGIN };

struct learn_app {
	const char *name;
	const struct app *known;    /* NULL: proposed */
	uint32_t *sources;          /* numbers of those with evidence */
	size_t n_sources, sources_room;
	enum learn_proof proof;
	bool is_mixed;              /* comes with its proof and without */
	bool is_stray;              /* seen too rarely: proposed in comments only */
	bool is_pool;               /* several like devices */
	bool is_shared;             /* several programs behind one address */
	bool anywhere;              /* known by its login, from too many addresses to list */
	const char **logins, **certificates;
	size_t n_logins, n_certificates;
	const struct tenant **tenants;
	size_t n_tenants;
	struct learn_grant *grants;
	size_t n_grants;
	struct learn_client *clients;
	size_t n_clients;
	struct learn_part *parts;
	size_t n_parts;
	enum method method;
	uint64_t messages, internal, external, local, without_proof, beyond;
	int64_t first, last;
	unsigned days;
	struct learn_meter meters[LEARN_MEASURES];
	struct learn_limit *limits;
	size_t n_limits;
};

struct learn {
	const struct policy *policy;
	const char *policy_file;
	struct arena *arena, *scratch;
	struct learn_table *source_keys, *sender_keys, *finding_keys, *refused_keys, *texts;
	struct learn_source *sources;
	struct learn_sender *senders;
	struct learn_finding *findings;
	struct learn_refused *refused;
	size_t sources_room, senders_room, findings_room, refused_room;
	size_t n_sources, n_senders, n_findings, n_refused;
	FILE *events;               /* one struct learn_event for each message of evidence */
	struct text key;
	struct store_range range;
	unsigned head_room;         /* percent */
	struct learn_app *apps;     /* the policy's first, in its order */
	size_t n_apps, apps_room;
	/* Messages: all, those that were refused or thrown away then, those of sources
	 * there was no room for, and findings there was no room for. */
	uint64_t messages, refused_then, discarded, beyond_sources, beyond_findings, beyond_refused;
	uint64_t n_refusals;
	int64_t first, last;
	bool failed;                /* memory was short */
};

struct learn_event {
	int64_t time;
	uint32_t source, sender, external;
};

/* All empty; both are borrowed. NULL when memory or room for the events is short. */
struct learn *learn_new(const struct policy *p, const char *policy_file);
void learn_free(struct learn **l);

/* The app's source i, of a->n_sources. */
struct learn_source *learn_source_of(const struct learn *l, const struct learn_app *a, size_t i);

/* "minute", "hour" or "day"; "10.1.9.0/24", or "10.1.2.3" where it is all of one. */
const char *learn_period_name(uint32_t period);
#define LEARN_NETWORK_SIZE (IP_TEXT_SIZE + 8)
const char *learn_network_format(const struct network *net, char buf[LEARN_NETWORK_SIZE]);
bool learn_is_prefix(const struct network *net);

/* For store_reader_messages() and store_reader_refusals(), the context being the
 * struct learn. 0, or -2 when memory is short. */
int learn_message(void *context, const struct record *r, const struct charge *charges, size_t n_charges);
int learn_refusal(void *context, const struct refusal *f, uint64_t count, int64_t last_time);

/* The source of a number (1 is the first), likewise a sender. */
struct learn_source *learn_source(const struct learn *l, uint32_t number);
struct learn_sender *learn_sender(const struct learn *l, uint32_t number);

/* Where the recipients of a message are, by the policy of today. */
struct learn_places {
	uint64_t internal, external, local;
	const char *outside;        /* one external domain, NULL for none */
};

/* Why a message is a finding: a keyword, with what it is about in *about_r; NULL
 * where it is evidence. `senders` are the numbers of the addresses it writes (1 to 3,
 * the envelope sender first). */
const char *learn_judge(const struct learn *l, const struct record *r, const struct learn_source *s,
			const uint32_t *senders, size_t n, const struct learn_places *p, const char **about_r);

/* The tenant whose domains these addresses are in: the first that is in any. */
const struct tenant *learn_tenant(const struct learn *l, const uint32_t *senders, size_t n);

/* Joins sources into l->apps. -1 when memory is short; so the others. */
int learn_group(struct learn *l);

/* Makes the lines of `senders`, and finds the parts of what is shared. */
int learn_senders(struct learn *l);

/* Makes the lines of `clients`. */
int learn_networks(struct learn *l);

/* Gives the proposed apps names: valid, unique, the same in the next run. */
int learn_names(struct learn *l);

/* Reads the events again and makes the limits. */
int learn_peaks(struct learn *l);

/* Whether the app keeps all of its policy's lines and no more (state "kept"). */
bool learn_is_kept(const struct learn_app *a);
const char *learn_state(const struct learn_app *a);

/* Messages in proposed apps, in kept or changed ones, in strays. */
struct learn_sums {
	uint64_t known, proposed, stray, findings, beyond;
	size_t n_known, n_proposed, n_stray;
};
struct learn_sums learn_sum(const struct learn *l);

/* Sorted for reading: findings by reason and count, refusals by count. */
void learn_sort_findings(struct learn *l);

/* The app of a source, NULL for none. */
const struct learn_app *learn_app_of(const struct learn *l, const struct learn_source *s);

/* The draft in YAML, and the same findings as JSON. */
struct learn_present;
int learn_draft(const struct learn *l, const struct learn_present *present, const char *database, struct text *t);
int learn_json(const struct learn *l, const char *database, struct text *t);

/* The comments of the draft that stand for themselves. */
void learn_write_inventory(const struct learn *l, struct text *t);
void learn_write_findings(const struct learn *l, struct text *t);

#endif
