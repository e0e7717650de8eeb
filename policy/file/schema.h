/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What may stand in the policy file: a table of options for each block. The
 * same tables check a file and write the JSON Schema. For policy/file only.
 */
#ifndef POSTERN_POLICY_FILE_SCHEMA_H
#define POSTERN_POLICY_FILE_SCHEMA_H

#include <stdint.h>

#include "policy/file/yaml.h"

enum option_type {
	OPTION_TEXT,            /* any text but the empty one */
	OPTION_WORD,            /* one of `words`; the number is its index */
	OPTION_YES_NO,          /* yes, no, true, false, on, off; the number is 1 or 0 */
	OPTION_NUMBER,
	OPTION_SIZE,            /* octets: 1024, 10M */
	OPTION_DURATION,        /* seconds: 90 days */
	OPTION_PERCENT,         /* 80%; the number is 80 */
	OPTION_SHARE,           /* 500, or 10%: whether there is a % the text says */
	OPTION_DATE,            /* 2026-10-30; the number is in days since 1970 */
	OPTION_LIST,            /* of text; one text is a list of one */
	OPTION_BLOCK,           /* a mapping with the options of `block` */
	OPTION_BLOCKS,          /* a list of such mappings */
	OPTION_NAMED,           /* names, each with such a mapping */
	OPTION_SIGNING,         /* domains, each with a list of keys or with such a mapping */
	OPTION_FIELDS           /* header field names, each with a text or a list of text */
};

struct block;

struct option {
	const char *name;
	enum option_type type;
	const char *const *words;       /* ends with NULL */
	const struct block *block;
	bool is_required;
	bool in_include;                /* may stand in an included file too */
	const char *standard;           /* as it would be written; NULL when there is none */
	uint64_t min, max;              /* of the number; 0 no bound */
	const char *pattern;            /* of the text, for the JSON Schema; NULL none */
	const char *help;
};

struct block {
	const char *title;              /* "an app" */
	const struct option *options;
	size_t n;
};

/* A value as read. `node` is NULL when it was not given or was no use. */
struct value {
	const struct node *node;
	const char *text;               /* given or standard; NULL when there is neither */
	uint64_t number;
};

enum {
	TOP_LISTEN, TOP_DATABASE, TOP_DATABASE_AWAY, TOP_RELAYS, TOP_LOCAL_DATABASE, TOP_RELAY, TOP_MODE, TOP_ON_FAILURE,
	TOP_UNKNOWN_CLIENTS, TOP_INCLUDE, TOP_AUDIT, TOP_NOTIFY, TOP_SUMMARY, TOP_TENANTS, TOP_SIGNING, TOP_APPS, TOP_RULES,
	TOP_COUNT
};
enum { AUDIT_KEEP, AUDIT_SUBJECTS, AUDIT_DURABILITY, AUDIT_COUNT };
enum {
	NOTIFY_OPTION_COMMAND, NOTIFY_OPTION_MAIL, NOTIFY_OPTION_ADMIN, NOTIFY_OPTION_FROM, NOTIFY_OPTION_SENDMAIL,
	NOTIFY_OPTION_QUIET, NOTIFY_OPTION_AT, NOTIFY_OPTIONS
};
enum { SUMMARY_OWNERS, SUMMARY_ADMIN, SUMMARY_WEEKDAY, SUMMARY_TIME, SUMMARY_EMPTY, SUMMARY_COUNT };
enum {
	TENANT_ACCEPTED_DOMAINS, TENANT_ACCEPTED_DOMAINS_MAX_AGE, TENANT_CONNECTOR_AUTH, TENANT_NEXT_HOP, TENANT_UPSTREAM_PAUSE, TENANT_LICENSES,
	TENANT_TRIAL, TENANT_CREATED, TENANT_MODE, TENANT_LIMITS, TENANT_COUNT
};
enum { SIGNING_SUBDOMAINS, SIGNING_KEYS, SIGNING_COUNT };
enum { KEY_SELECTOR, KEY_FILE, KEY_COUNT };
enum {
	APP_NAME, APP_TENANT, APP_TENANTS, APP_CLIENTS, APP_LOGINS, APP_CERTIFICATES, APP_METHOD,
	APP_SENDERS, APP_LIMITS, APP_RESERVED, APP_CRITICAL, APP_MODE, APP_ON_FAILURE, APP_SIGN, APP_MAX_RECIPIENTS,
	APP_MAX_SIZE, APP_OWNER, APP_DEPARTMENT, APP_SUMMARY, APP_COUNT
};
enum {
	RULE_NAME, RULE_APPS, RULE_EXCEPT, RULE_TENANTS, RULE_METHODS, RULE_CLIENTS, RULE_LOGINS,
	RULE_SENDER, RULE_FROM, RULE_RECIPIENTS, RULE_SUBJECT, RULE_HEADER, RULE_BODY, RULE_ATTACHMENT,
	RULE_ATTACHMENT_TYPE, RULE_SIZE, RULE_RECIPIENT_COUNT, RULE_TLS, RULE_HOURS, RULE_WEEKDAYS,
	RULE_ACTION, RULE_TAG_FIELD, RULE_MESSAGE, RULE_CONTACT, RULE_MODE, RULE_OPTIONS
};

extern const struct block schema_top, schema_audit, schema_notify, schema_summary, schema_tenant, schema_signing, schema_key,
	schema_app, schema_rule;

/* Reads the members of a mapping into v[0 .. block->n - 1], with an error for
 * each that is unknown, missing or not of its type. `is_included`: only what
 * may stand in included files. false when the node is no mapping (said). */
bool schema_read(const struct block *block, const struct node *map, bool is_included,
		 struct value *v, struct problems *problems);

/* The elements of a list, or the one text: the first, and the one after n. */
const struct node *value_first(const struct value *v);
const struct node *value_next(const struct value *v, const struct node *n);
size_t value_count(const struct value *v);

#endif
