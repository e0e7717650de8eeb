/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the modules that turn values into a policy. For policy/file only.
 */
#ifndef POSTERN_POLICY_FILE_BUILD_H
#define POSTERN_POLICY_FILE_BUILD_H

#include "policy/file/schema.h"
#include "policy/header.h"

#define POLICY_FILE_MAX ((size_t)4 << 20)
#define DOMAINS_FILE_MAX ((size_t)16 << 20)

struct build {
	struct policy *policy;
	struct arena *arena;            /* the policy's: what the result points at */
	struct arena *scratch;          /* files and trees; gone after the load */
	struct problems *problems;
	const char *folder;             /* of the policy file, with its final "/", or "" */
	uint64_t digest;                /* FNV-1a of all files read */
};

/* The octets of a regular file in the scratch arena, NUL after them, counted
 * into the digest; NULL with *error_r (static or from strerror). modified_r,
 * unless NULL: the time of its last change, in seconds since 1970. */
const char *build_read_file(struct build *b, const char *path, size_t max, size_t *len_r, int64_t *modified_r,
			    const char **error_r);

/* `path` as it is when absolute, otherwise below the policy file's folder. */
const char *build_path(struct build *b, const char *path);

/* Whether a name of an app or tenant is well formed (an error says if not). */
bool build_check_name(struct build *b, const struct node *n, const char *what, const char *name);

/* The limits of an app or a tenant, each checked. rate: see limit_parse(). */
void build_limits(struct build *b, const struct value *v, const char *scope, const struct tenant_rate *rate,
		  struct limit **limits_r, size_t *n_r);

/* Warns of each limit that can never be reached, because Exchange Online stops
 * the mail sooner. v: what the limits were read from. */
void build_check_tenant_limits(struct build *b, const struct value *v, const struct tenant *t);
void build_check_app_limits(struct build *b, const struct value *v, const struct app *a);

/* The options of the top level that are no tenants, signing, apps, rules or includes. */
void build_top(struct build *b, const struct value *v);

/* One tenant from a member of `tenants:`, whose name is the member's key. */
void build_tenant(struct build *b, const struct node *n, struct tenant *t);
/* One block of `signing:`. */
void build_signing(struct build *b, const struct node *n, struct signing *s);
/* One app; the tenants must stand. false when it has no usable name. */
bool build_app(struct build *b, const struct node *n, struct app *a);

/* What an app holds of its tenants' budgets; its tenants and method must stand. */
void build_reserved(struct build *b, const struct value *v, struct app *a);
/* Whether what all apps hold of a tenant's budget is there; the apps must stand. */
void build_check_reserves(struct build *b);

/* One rule into r, whose patterns the policy frees also where there was an
 * error; the apps must stand. */
void build_rule(struct build *b, const struct node *n, struct rule *r);

/* "10.1.2.3", a prefix, or "local", into the array and the flag; an error where it is none. */
void build_client(struct build *b, const struct node *e, struct network *clients, size_t *n, bool *local);

/* Where an octet of a text stands: right for one line, else its start. */
unsigned build_column(const struct node *n, size_t column);

/* The checks that need the whole policy. notify: that option as it was given. */
void build_cross_check(struct build *b, const struct value *notify);

/* Reads one accepted-domain file; *list grows in the scratch arena. *source_r
 * is complete where the file could be read. */
struct domain_list {
	struct accepted_domain *rows;
	size_t n, capacity;
};
void accepted_read(struct build *b, const struct node *where, struct domain_list *list,
		   struct accepted_source *source_r);

#endif
