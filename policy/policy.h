/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The loaded policy: tenants, apps, signing, limits. Immutable once built;
 * reference counted; any thread may read it. Built by policy/file (or by hand
 * in tests); all it points at lives in its arena.
 */
#ifndef POSTERN_POLICY_POLICY_H
#define POSTERN_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "policy/address.h"
#include "policy/limit.h"
#include "policy/network.h"
#include "policy/rule.h"

enum mode { MODE_ENFORCE, MODE_MONITOR };
enum on_failure { ON_FAILURE_TEMPFAIL, ON_FAILURE_ACCEPT };
enum unknown_clients { UNKNOWN_REJECT, UNKNOWN_DIRECT_SEND, UNKNOWN_MONITOR };
enum subjects { SUBJECTS_KEEP, SUBJECTS_HASH, SUBJECTS_DROP };
enum durability { DURABILITY_POWER, DURABILITY_PROCESS };
enum database_away { AWAY_ON_FAILURE, AWAY_TEMPFAIL, AWAY_ACCEPT, AWAY_LOCAL_SHARE };
enum notify_mail { NOTIFY_NO, NOTIFY_OWNER, NOTIFY_ADMIN, NOTIFY_BOTH };
enum summary_every { SUMMARY_OFF, SUMMARY_WEEKLY, SUMMARY_DAILY };
enum connector_auth { CONNECTOR_BY_IP, CONNECTOR_BY_CERTIFICATE };

enum method {
	METHOD_CONNECTOR,
	METHOD_SMTP_AUTH,
	METHOD_DIRECT_SEND,
	METHOD_HVE,
	METHOD_ACS,
	METHOD_COUNT
};

/* What Exchange Online does with a method's mail. */
struct method_facts {
	const char *name;               /* "direct-send" */
	const char *title;              /* "Direct Send" */
	bool accepted_only;             /* reaches only the tenant's own domains */
	const char *external_reason;    /* keyword when it does not reach */
	uint64_t max_recipients;        /* a message; the app may set a lower one */
	uint64_t max_size;              /* octets; 0 none */
	bool counts_to_tenant_rate;     /* external recipients are charged to the tenant's budget */
	bool by_next_hop;               /* goes to the tenant's own next hop, not to a service beside it */
	bool spends_mailbox_rate;       /* 30 messages/minute, 10000 recipients/day per sender */
};

const struct method_facts *method_facts(enum method m);

enum sign_wish { SIGN_DEFAULT, SIGN_REQUIRED, SIGN_AVAILABLE, SIGN_NEVER };

struct tenant;

struct accepted_domain {
	const char *name;               /* A-labels, lower case */
	const struct tenant *tenant;
	bool subdomains;                /* MatchSubDomains */
	bool sending_disabled;          /* SendingFromDomainDisabled */
	bool pending_removal;
	const char *file;               /* where it was read */
	unsigned line;
};

/* One accepted-domain file. */
struct accepted_source {
	const char *file;
	int64_t modified;               /* seconds since 1970 UTC, as its file system has it */
	size_t n_domains;
	const char *policy_file;        /* where the policy names it */
	unsigned line, column;
};

struct tenant {
	const char *name;
	enum connector_auth connector_auth;
	const char *next_hop;           /* "" when not given */
	bool upstream_pause;            /* mail waits while its replies say that it is refused */
	struct tenant_rate rate;
	const char *created_file;       /* where it says since when it is; "" when it does not */
	unsigned created_line, created_column;
	enum mode mode;
	struct limit *limits;
	size_t n_limits;
	struct reserve *reserves;       /* of its budget; made by policy_finish(), as has_critical is */
	size_t n_reserves;
	bool has_critical;              /* some app that spends its budget is critical */
	struct accepted_domain *domains;
	size_t n_domains;
	struct accepted_source *sources;
	size_t n_sources;
	uint64_t sources_max_age;       /* seconds; a file older than that is to be warned of */
};

struct signing_key {
	const char *selector;
	const char *file;               /* absolute, or beside the policy file */
	unsigned line, column;          /* where the policy names it */
	const char *policy_file;
};

struct signing {
	const char *domain;             /* d= */
	bool subdomains;                /* also signs From domains below it, with d= this domain */
	struct signing_key *keys;
	size_t n_keys;
	size_t first_key;               /* index of keys[0] among all keys of the policy, in order */
};

struct app {
	const char *name;
	const char *file;               /* where it stands */
	unsigned line, column;
	const struct tenant **tenants;  /* one or several */
	size_t n_tenants;
	struct network *clients;
	size_t n_clients;
	bool local;                     /* clients: [local] among them */
	const char **logins;            /* globs; n_logins 0: only sessions without a login */
	size_t n_logins;
	const char **certificates;      /* globs on subject, issuer or fingerprint */
	size_t n_certificates;
	enum method method;
	struct address_pattern *senders;
	size_t n_senders;
	struct limit *limits;
	size_t n_limits;
	struct share reserved;          /* of the budget of each of its tenants */
	unsigned reserved_line, reserved_column;
	bool is_critical;
	enum mode mode;
	bool has_mode;                  /* its own; otherwise the tenant's holds */
	enum on_failure on_failure;
	enum sign_wish sign;
	uint64_t max_recipients;        /* as in force: the app's own or the method's */
	uint64_t max_size;              /* octets; 0 none */
	const char *owner;              /* "" when not given */
	const char *department;
	enum summary_every summary;     /* how often its owner gets one; as in force */
	bool has_summary;               /* its own; otherwise the file's holds */
	bool is_unknown;                /* the built-in app for clients that are no app */
};

/* Who hears of a limit's events, and how. */
struct notify {
	const char *command;            /* absolute path; gets one JSON object on standard input; "" for none */
	enum notify_mail mail;
	const char *admin;              /* address, "" when not given; given where mail goes to the admin */
	const char *from;               /* address, "" when not given; given where mail is sent */
	const char *sendmail;           /* absolute path */
	uint64_t quiet;                 /* seconds from one notification of a limit and event to the next */
	uint64_t at;                    /* a limit is near from this share of its count on, in percent */
};

/* Who gets a summary by mail, and when. Sender, admin and program are those of struct notify. */
struct summary_wish {
	enum summary_every owners, admin;
	int weekday;                    /* of the weekly ones, 0 is Sunday; a week goes up to its midnight */
	int minute;                     /* of the day, from which on they are sent */
	bool empty;                     /* also where there is nothing to tell */
};

struct policy {
	struct arena *arena;
	const char *listen;             /* "unix:/path" or "inet:PORT@ADDRESS" */
	const char *database;           /* "sqlite:/path", or "postgresql://..." (or postgres://) as it is written */
	enum database_away database_away; /* goes before on_failure where the database cannot be reached */
	const char *relay;              /* this relay's name, "" for the host's */
	uint64_t relays;                /* how many share the database; 0 when not given */
	const char *local_database;     /* "sqlite:/path", "" when not given; given with AWAY_LOCAL_SHARE, as relays is */
	struct notify notify;
	struct summary_wish summary;
	enum mode mode;
	enum on_failure on_failure;
	enum unknown_clients unknown_clients;
	uint64_t audit_keep;            /* seconds */
	enum subjects subjects;
	enum durability durability;
	struct tenant *tenants;
	size_t n_tenants;
	struct accepted_domain **index; /* of all tenants, sorted by name */
	size_t n_index;
	struct signing *signing;        /* sorted by domain */
	size_t n_signing;
	size_t n_keys;
	struct app *apps;
	size_t n_apps;
	struct app *unknown;            /* NULL when unknown clients are refused */
	struct rule *rules;             /* in the order they are asked */
	size_t n_rules;
	struct limit *built_in;         /* limits that methods bring, with scope "method:..." */
	size_t n_built_in;
	const char *digest;             /* of all files read, hexadecimal */
};

/* An empty policy with one reference and the defaults of postern.yaml(5). */
struct policy *policy_new(void);

/* Must be called once all members are set: sorts the index, makes the built-in
 * limits and the unknown app. -1 when memory was short. */
int policy_finish(struct policy *p);

/* One more reference; returns p. */
struct policy *policy_ref(struct policy *p);
/* One reference fewer; frees with the last one. Sets *p to NULL. */
void policy_unref(struct policy **p);

/* The most specific accepted-domain record for a normalised domain: the record
 * itself, or the nearest one above that has subdomains; NULL when none. The
 * record found may still not send. */
const struct accepted_domain *policy_domain(const struct policy *p, const char *domain);

/* Whether some rule adds a header field of this name (ASCII case ignored). */
bool policy_is_tag(const struct policy *p, const char *name);

/* The signing block for a From domain: its own, or the nearest above that has
 * subdomains; NULL when none. */
const struct signing *policy_signing(const struct policy *p, const char *domain);

#endif
