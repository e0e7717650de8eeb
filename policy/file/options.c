/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tables of options. A new option is a row here, its place in the enum of
 * schema.h, a line in postern.yaml(5) and one in the sample; check-docs sees to
 * the latter two. The words stand in the order of the enums of policy.h.
 */
#include "policy/file/schema.h"

#define ROWS(a) .options = (a), .n = sizeof(a) / sizeof(a)[0]
#define DAY UINT64_C(86400)

static const char *const mode_words[] = {"enforce", "monitor", NULL};
static const char *const on_failure_words[] = {"tempfail", "accept", NULL};
static const char *const away_words[] = {"tempfail", "accept", "local-share", NULL};
static const char *const notify_words[] = {"no", "owner", "admin", "both", NULL};
static const char *const summary_words[] = {"off", "weekly", "daily", NULL};
static const char *const weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const char *const unknown_words[] = {"reject", "direct-send", "monitor", NULL};
static const char *const subjects_words[] = {"keep", "hash", "drop", NULL};
static const char *const durability_words[] = {"power", "process", NULL};
static const char *const connector_words[] = {"ip", "certificate", NULL};
static const char *const method_words[] = {"connector", "smtp-auth", "direct-send", "hve", "acs", NULL};
static const char *const action_words[] = {
	"accept", "reject", "defer", "hold", "discard", "tag", "require-tls", NULL,
};
static const char *const sign_words[] = {"default", "required", "available", "never", NULL};

static const struct option audit_options[] = {
	[AUDIT_KEEP] = {.name = "keep", .type = OPTION_DURATION, .standard = "90 days",
		.min = DAY, .max = 36500 * DAY,
		.help = "How long audit rows are kept, such as 90 days."},
	[AUDIT_SUBJECTS] = {.name = "subjects", .type = OPTION_WORD, .words = subjects_words,
		.standard = "keep", .help = "Whether subjects are kept, hashed or dropped."},
	[AUDIT_DURABILITY] = {.name = "durability", .type = OPTION_WORD, .words = durability_words,
		.standard = "power",
		.help = "What the row of an accepted message survives: a loss of power, or the end of the process only."},
};
const struct block schema_audit = {.title = "the audit block", ROWS(audit_options)};

static const struct option notify_options[] = {
	[NOTIFY_OPTION_COMMAND] = {.name = "command", .type = OPTION_TEXT, .pattern = "^/.+$",
		.help = "The path of a program that is run for each notification, with one JSON object on its standard input."},
	[NOTIFY_OPTION_MAIL] = {.name = "mail", .type = OPTION_WORD, .words = notify_words, .standard = "no",
		.help = "Who gets mail: the app's owner, the admin, both or nobody."},
	[NOTIFY_OPTION_ADMIN] = {.name = "admin", .type = OPTION_TEXT, .help = "The admin's address."},
	[NOTIFY_OPTION_FROM] = {.name = "from", .type = OPTION_TEXT,
		.help = "The sender of the mail, an address in an accepted domain."},
	[NOTIFY_OPTION_SENDMAIL] = {.name = "sendmail", .type = OPTION_TEXT, .standard = "/usr/sbin/sendmail",
		.pattern = "^/.+$", .help = "The path of the program that takes the mail."},
	[NOTIFY_OPTION_QUIET] = {.name = "quiet", .type = OPTION_DURATION, .standard = "1 hour", .min = 60, .max = 31 * DAY,
		.help = "How long the same event of the same limit is not notified again."},
	[NOTIFY_OPTION_AT] = {.name = "at", .type = OPTION_PERCENT, .standard = "80%", .min = 1, .max = 99,
		.help = "The share of a limit from which on it is near."},
};
const struct block schema_notify = {.title = "the notify block", ROWS(notify_options)};

static const struct option summary_options[] = {
	[SUMMARY_OWNERS] = {.name = "owners", .type = OPTION_WORD, .words = summary_words, .standard = "off",
		.help = "How often the owner of an app gets a summary of its mail, where the app does not say otherwise."},
	[SUMMARY_ADMIN] = {.name = "admin", .type = OPTION_WORD, .words = summary_words, .standard = "off",
		.help = "How often the admin gets one of all mail."},
	[SUMMARY_WEEKDAY] = {.name = "weekday", .type = OPTION_WORD, .words = weekday_words, .standard = "mon",
		.help = "The day of the weekly ones; their week ends at its midnight."},
	[SUMMARY_TIME] = {.name = "time", .type = OPTION_TEXT, .standard = "07:00", .pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$",
		.help = "The time of day from which on they are sent."},
	[SUMMARY_EMPTY] = {.name = "empty", .type = OPTION_YES_NO, .standard = "no",
		.help = "Whether one is sent where there is nothing to tell."},
};
const struct block schema_summary = {.title = "the summary block", ROWS(summary_options)};

static const struct option tenant_options[] = {
	[TENANT_ACCEPTED_DOMAINS] = {.name = "accepted-domains", .type = OPTION_LIST, .is_required = true,
		.help = "Files with the tenant's accepted domains: Get-AcceptedDomain as CSV or JSON, or one domain a line."},
	[TENANT_ACCEPTED_DOMAINS_MAX_AGE] = {.name = "accepted-domains-max-age", .type = OPTION_DURATION,
		.standard = "30 days", .min = DAY, .max = 36500 * DAY,
		.help = "How long after its last change such a file is trusted to be up to date; an older one is warned of."},
	[TENANT_CONNECTOR_AUTH] = {.name = "connector-auth", .type = OPTION_WORD, .words = connector_words,
		.standard = "ip",
		.help = "How Exchange Online knows the relay; a null sender may leave only by certificate."},
	[TENANT_NEXT_HOP] = {.name = "next-hop", .type = OPTION_TEXT,
		.help = "The host that takes the tenant's mail, such as contoso-com.mail.protection.outlook.com."},
	[TENANT_UPSTREAM_PAUSE] = {.name = "upstream-pause", .type = OPTION_YES_NO, .standard = "yes",
		.help = "Whether mail is deferred while the next hop's replies say that a quota is spent or the tenant blocked."},
	[TENANT_LICENSES] = {.name = "licenses", .type = OPTION_NUMBER, .min = 1, .max = 100000000,
		.help = "Paid licences; the limit tenant-rate is made from them."},
	[TENANT_TRIAL] = {.name = "trial", .type = OPTION_YES_NO, .standard = "no",
		.help = "Whether it is a trial; the limit tenant-rate is 500 then."},
	[TENANT_CREATED] = {.name = "created", .type = OPTION_DATE,
		.help = "The day it was created, such as 2026-10-30; the limit tenant-rate is a tenth for 31 days and a quarter "
			"for 30 more."},
	[TENANT_MODE] = {.name = "mode", .type = OPTION_WORD, .words = mode_words,
		.help = "The mode of this tenant's mail; else the file's."},
	[TENANT_LIMITS] = {.name = "limits", .type = OPTION_LIST,
		.help = "COUNT UNIT/PERIOD [per KEY] [then ACTION] for all of the tenant's apps together."},
};
const struct block schema_tenant = {.title = "a tenant", ROWS(tenant_options)};

static const struct option key_options[] = {
	[KEY_SELECTOR] = {.name = "selector", .type = OPTION_TEXT, .is_required = true,
		.help = "The name of the key in DNS (s=); selector1 and selector2 are Exchange Online's."},
	[KEY_FILE] = {.name = "key", .type = OPTION_TEXT, .is_required = true,
		.help = "The file of the private key in PEM, relative to the policy file."},
};
const struct block schema_key = {.title = "a key", ROWS(key_options)};

static const struct option signing_options[] = {
	[SIGNING_SUBDOMAINS] = {.name = "subdomains", .type = OPTION_YES_NO, .standard = "no",
		.help = "Whether From domains below this one are signed too, with d= this domain."},
	[SIGNING_KEYS] = {.name = "keys", .type = OPTION_BLOCKS, .block = &schema_key, .is_required = true,
		.help = "The keys; each makes a signature."},
};
const struct block schema_signing = {.title = "a signing domain", ROWS(signing_options)};

static const struct option app_options[] = {
	[APP_NAME] = {.name = "name", .type = OPTION_TEXT, .is_required = true,
		.pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
		.help = "The app's name in replies, logs, limits and the audit."},
	[APP_TENANT] = {.name = "tenant", .type = OPTION_TEXT, .help = "The tenant whose domains the app sends from."},
	[APP_TENANTS] = {.name = "tenants", .type = OPTION_LIST,
		.help = "Several tenants; the envelope sender's domain selects which."},
	[APP_CLIENTS] = {.name = "clients", .type = OPTION_LIST,
		.help = "Addresses and prefixes the app connects from; local is mail handed in on the machine itself."},
	[APP_LOGINS] = {.name = "logins", .type = OPTION_LIST,
		.help = "SMTP AUTH logins, * for any run of characters; without it only sessions without a login match."},
	[APP_CERTIFICATES] = {.name = "certificates", .type = OPTION_LIST,
		.help = "Subject or issuer of the client certificate as the MTA names it (Postfix: the common name alone), "
			"* for any run of characters."},
	[APP_METHOD] = {.name = "method", .type = OPTION_WORD, .words = method_words, .is_required = true,
		.help = "How the mail reaches Exchange Online, and so what it is held to."},
	[APP_SENDERS] = {.name = "senders", .type = OPTION_LIST, .is_required = true,
		.help = "Addresses the app may send as; * in the local part, *. before the domain, \"<>\" for the null sender."},
	[APP_LIMITS] = {.name = "limits", .type = OPTION_LIST,
		.help = "COUNT UNIT/PERIOD [per KEY] [then ACTION]."},
	[APP_RESERVED] = {.name = "reserved", .type = OPTION_SHARE, .min = 1, .max = 1000000000,
		.help = "What no other app may spend of the tenant's limits of external-recipients: recipients, or a share such "
			"as 10%."},
	[APP_CRITICAL] = {.name = "critical", .type = OPTION_YES_NO, .standard = "no",
		.help = "Whether the app may spend what is reserved for others, and alone the last tenth of those limits."},
	[APP_MODE] = {.name = "mode", .type = OPTION_WORD, .words = mode_words,
		.help = "The mode of this app's mail; else the tenant's."},
	[APP_ON_FAILURE] = {.name = "on-failure", .type = OPTION_WORD, .words = on_failure_words,
		.help = "What happens to this app's mail when Postern cannot decide; else the file's."},
	[APP_SIGN] = {.name = "sign", .type = OPTION_WORD, .words = sign_words, .standard = "default",
		.help = "Whether a DKIM signature is required, made where there is a key, or never made; default is "
			"required where the From domain has a key."},
	[APP_MAX_RECIPIENTS] = {.name = "max-recipients", .type = OPTION_NUMBER, .min = 1, .max = 1000,
		.help = "Most recipients of a message; else the method's."},
	[APP_MAX_SIZE] = {.name = "max-size", .type = OPTION_SIZE, .min = 1024, .max = UINT64_C(1) << 40,
		.help = "Largest message, such as 10M; else the method's."},
	[APP_OWNER] = {.name = "owner", .type = OPTION_TEXT, .help = "Who answers for the app."},
	[APP_DEPARTMENT] = {.name = "department", .type = OPTION_TEXT, .help = "Whom reports count it to."},
	[APP_SUMMARY] = {.name = "summary", .type = OPTION_WORD, .words = summary_words,
		.help = "How often its owner gets a summary of its mail; else what summary: owners says."},
};
const struct block schema_app = {.title = "an app", ROWS(app_options)};

static const struct option rule_options[] = {
	[RULE_NAME] = {.name = "name", .type = OPTION_TEXT, .is_required = true,
		.pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
		.help = "The rule's name, in replies as rule:NAME."},
	[RULE_APPS] = {.name = "apps", .type = OPTION_LIST, .help = "The apps it is for."},
	[RULE_EXCEPT] = {.name = "except", .type = OPTION_LIST, .help = "The apps it leaves alone."},
	[RULE_TENANTS] = {.name = "tenants", .type = OPTION_LIST, .help = "The tenants it is for."},
	[RULE_METHODS] = {.name = "methods", .type = OPTION_LIST, .help = "The methods it is for."},
	[RULE_CLIENTS] = {.name = "clients", .type = OPTION_LIST,
		.help = "Client addresses and prefixes, or local."},
	[RULE_LOGINS] = {.name = "logins", .type = OPTION_LIST, .help = "Patterns of the SMTP AUTH login."},
	[RULE_SENDER] = {.name = "sender", .type = OPTION_LIST, .help = "Patterns of the envelope sender."},
	[RULE_FROM] = {.name = "from", .type = OPTION_LIST, .help = "Patterns of the header From's address."},
	[RULE_RECIPIENTS] = {.name = "recipients", .type = OPTION_LIST,
		.help = "internal, external, local, or patterns; one recipient that matches is enough, but for accept all must."},
	[RULE_SUBJECT] = {.name = "subject", .type = OPTION_LIST, .help = "Patterns of the subject."},
	[RULE_HEADER] = {.name = "header", .type = OPTION_FIELDS,
		.help = "Header fields by name, each with patterns of its value; all of them must match."},
	[RULE_BODY] = {.name = "body", .type = OPTION_LIST,
		.help = "Patterns between slashes, searched in the decoded text of the message."},
	[RULE_ATTACHMENT] = {.name = "attachment", .type = OPTION_LIST, .help = "Patterns of attachments' file names."},
	[RULE_ATTACHMENT_TYPE] = {.name = "attachment-type", .type = OPTION_LIST,
		.help = "Patterns of attachments' media types, such as application/zip."},
	[RULE_SIZE] = {.name = "size", .type = OPTION_TEXT, .pattern = "^(<|<=|=|>=|>) *[0-9]+ *[KkMmGg]?$",
		.help = "The message's size, such as \"> 20M\"."},
	[RULE_RECIPIENT_COUNT] = {.name = "recipient-count", .type = OPTION_TEXT, .pattern = "^(<|<=|=|>=|>) *[0-9]+$",
		.help = "How many recipients, such as \"> 50\"."},
	[RULE_TLS] = {.name = "tls", .type = OPTION_LIST,
		.help = "yes, no, or patterns of the protocol version on the client's side, such as TLSv1.3."},
	[RULE_HOURS] = {.name = "hours", .type = OPTION_LIST,
		.help = "Times of the relay's day, such as 18:00-06:00; the end is not included."},
	[RULE_WEEKDAYS] = {.name = "weekdays", .type = OPTION_LIST,
		.help = "Days of the relay's week, such as mon-fri or sat."},
	[RULE_ACTION] = {.name = "action", .type = OPTION_WORD, .words = action_words, .is_required = true,
		.help = "What becomes of a message that matches."},
	[RULE_TAG_FIELD] = {.name = "tag", .type = OPTION_TEXT, .pattern = "^X-[!-9;-~]+:.+$",
		.help = "The header field that action tag adds, such as \"X-Class: payroll\"; apps cannot bring it themselves."},
	[RULE_MESSAGE] = {.name = "message", .type = OPTION_TEXT, .help = "The refusal's text."},
	[RULE_CONTACT] = {.name = "contact", .type = OPTION_TEXT, .help = "Where the refused may ask."},
	[RULE_MODE] = {.name = "mode", .type = OPTION_WORD, .words = mode_words, .standard = "enforce",
		.help = "monitor puts this rule alone on trial: it is recorded, and the search goes on."},
};
const struct block schema_rule = {.title = "a rule", ROWS(rule_options)};

static const struct option top_options[] = {
	[TOP_LISTEN] = {.name = "listen", .type = OPTION_TEXT, .is_required = true,
		.pattern = "^(unix:/.+|inet:[0-9]+@.+)$",
		.help = "Where the MTA reaches posternd: unix:/path or inet:PORT@ADDRESS."},
	[TOP_DATABASE] = {.name = "database", .type = OPTION_TEXT,
		.standard = "sqlite:" LOCALSTATEDIR "/lib/postern/postern.db", .pattern = "^(sqlite:.+|postgres(ql)?://.+)$",
		.help = "Where limits and audit are kept: sqlite:/path, or postgresql://... as libpq reads it."},
	[TOP_DATABASE_AWAY] = {.name = "database-away", .type = OPTION_WORD, .words = away_words,
		.help = "What happens to mail while the database cannot be reached; else what on-failure says."},
	[TOP_RELAYS] = {.name = "relays", .type = OPTION_NUMBER, .min = 1, .max = 1000,
		.help = "How many relays share the database; each grants that share of a limit while it is away."},
	[TOP_LOCAL_DATABASE] = {.name = "local-database", .type = OPTION_TEXT, .pattern = "^sqlite:.+$",
		.help = "Where this relay keeps what it grants while the database is away: sqlite:/path."},
	[TOP_RELAY] = {.name = "relay", .type = OPTION_TEXT, .pattern = "^[A-Za-z0-9._-]+$",
		.help = "This relay's name in the audit, its own among those that share a database; else the host's."},
	[TOP_MODE] = {.name = "mode", .type = OPTION_WORD, .words = mode_words, .standard = "enforce",
		.help = "Whether mail is stopped, or let through with a record of what would have been done."},
	[TOP_ON_FAILURE] = {.name = "on-failure", .type = OPTION_WORD, .words = on_failure_words,
		.standard = "tempfail", .help = "What happens to mail when Postern cannot decide."},
	[TOP_UNKNOWN_CLIENTS] = {.name = "unknown-clients", .type = OPTION_WORD, .words = unknown_words,
		.standard = "reject", .help = "What becomes of mail from a client that is no app."},
	[TOP_INCLUDE] = {.name = "include", .type = OPTION_LIST,
		.help = "Further files, such as apps.d/*.yaml, in sorted order; each adds tenants, signing, apps or rules."},
	[TOP_AUDIT] = {.name = "audit", .type = OPTION_BLOCK, .block = &schema_audit,
		.help = "What is recorded of each message."},
	[TOP_NOTIFY] = {.name = "notify", .type = OPTION_BLOCK, .block = &schema_notify,
		.help = "Who is told that a limit is near, reached and free again."},
	[TOP_SUMMARY] = {.name = "summary", .type = OPTION_BLOCK, .block = &schema_summary,
		.help = "Who gets a summary of the mail, weekly or daily."},
	[TOP_TENANTS] = {.name = "tenants", .type = OPTION_NAMED, .block = &schema_tenant, .in_include = true,
		.help = "The Microsoft 365 tenants, by name."},
	[TOP_SIGNING] = {.name = "signing", .type = OPTION_SIGNING, .block = &schema_signing, .in_include = true,
		.help = "The DKIM keys, by the From domain they sign for."},
	[TOP_APPS] = {.name = "apps", .type = OPTION_BLOCKS, .block = &schema_app, .in_include = true,
		.help = "The apps; the first that matches a session is the app."},
	[TOP_RULES] = {.name = "rules", .type = OPTION_BLOCKS, .block = &schema_rule, .in_include = true,
		.help = "Rules; the first match that decides wins."},
};
const struct block schema_top = {.title = "the policy file", ROWS(top_options)};
