/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The top level of the policy file: where the MTA and the database are, what
 * happens when something fails, and who is told.
 */
#include <string.h>
#include <sys/stat.h>

#include "policy/file/build.h"

#define SOCKET_PATH_MAX 107u
#define RELAY_NAME_MAX 200u

static void
read_listen(struct build *b, const struct value *v)
{
	const char *s = v->text, *at;
	uint64_t port = 0;
	struct ip ip;

	if (v->node == NULL)
		return;
	b->policy->listen = arena_string(b->arena, s);
	if (strncmp(s, "unix:/", 6) == 0) {
		if (strlen(s + 5) > SOCKET_PATH_MAX)
			node_error(b->problems, v->node, "the path of the socket is longer than %u octets", SOCKET_PATH_MAX);
		return;
	}
	at = strchr(s, '@');
	if (strncmp(s, "inet:", 5) != 0 || at == NULL || at[1] == '\0') {
		node_error(b->problems, v->node, "\"%s\" is no socket; expected unix:/path or inet:PORT@ADDRESS", s);
		return;
	}
	if (text_to_u64(arena_substring(b->scratch, s + 5, (size_t)(at - s) - 5), &port) != 0 || port == 0 || port > 65535)
		node_error(b->problems, v->node, "the port of \"%s\" must be a number from 1 to 65535", s);
	if (strcmp(at + 1, "localhost") == 0)
		return;
	if (ip_parse(at + 1, &ip) != 0)
		node_error(b->problems, v->node, "\"%s\" is no address; expected one such as 127.0.0.1", at + 1);
	else if ((ip.family == NETWORK_IPV4 && ip.octets[0] != 127) ||
		 (ip.family == NETWORK_IPV6 && strcmp(at + 1, "::1") != 0))
		node_warning(b->problems, v->node, "whoever can reach %s can speak to the milter as if it were the MTA; "
			     "a unix socket or 127.0.0.1 is safer", at + 1);
}

static bool
is_shared(const char *database)
{
	return strncmp(database, "postgresql://", 13) == 0 || strncmp(database, "postgres://", 11) == 0;
}

/* Whether a password stands in the URL, before the host or as a parameter. */
static bool
has_password(const char *url)
{
	const char *s = strstr(url, "://") + 3, *at = strchr(s, '@');
	size_t host = strcspn(s, "/?");

	if (at != NULL && at < s + host && memchr(s, ':', (size_t)(at - s)) != NULL)
		return true;
	return strstr(s + host, "?password=") != NULL || strstr(s + host, "&password=") != NULL;
}

static bool
is_one_word(const char *s)
{
	for (; *s > ' ' && *s < 0x7f; s++)
		;
	return *s == '\0';
}

static void
read_shared_database(struct build *b, const struct value *v)
{
	if (!is_one_word(v->text) || *(strstr(v->text, "://") + 3) == '\0') {
		node_error(b->problems, v->node, "\"%s\" is no database; expected postgresql:// and a host or a database, in "
			   "ASCII and without blanks, such as postgresql://db.contoso.com/postern", v->text);
		return;
	}
	if (has_password(v->text))
		node_warning(b->problems, v->node, "whoever reads this file reads the password of the database; put it into "
			     "a password file (passfile=/path)");
	b->policy->database = arena_string(b->arena, v->text);
}

static void
read_database(struct build *b, const struct value *v)
{
	const char *s = v->text;

	if (s == NULL)
		return;
	if (is_shared(s))
		read_shared_database(b, v);
	else if (strncmp(s, "sqlite:", 7) == 0 && s[7] != '\0')
		b->policy->database = arena_printf(b->arena, "sqlite:%s", build_path(b, s + 7));
	else
		node_error(b->problems, v->node, "\"%s\" is no database; expected sqlite:/path or postgresql://...", s);
}

static void
read_local_database(struct build *b, const struct value *v)
{
	if (v->node == NULL)
		return;
	if (strncmp(v->text, "sqlite:", 7) == 0 && v->text[7] != '\0')
		b->policy->local_database = arena_printf(b->arena, "sqlite:%s", build_path(b, v->text + 7));
	else
		node_error(b->problems, v->node, "\"%s\" is no database on this machine; expected sqlite:/path", v->text);
}

/* local-share needs a database that is shared, by how many, and one of its own. */
static void
check_away(struct build *b, const struct value *v)
{
	static const size_t needed[] = {TOP_RELAYS, TOP_LOCAL_DATABASE};
	const struct policy *p = b->policy;
	bool is_share = p->database_away == AWAY_LOCAL_SHARE;

	if (p->database_away != AWAY_ON_FAILURE && !is_share && p->database[0] != '\0' && !is_shared(p->database))
		node_warning(b->problems, v[TOP_DATABASE_AWAY].node->key, "\"database-away\" is of no use with an SQLite file, "
			     "which is never away; \"on-failure\" holds for it");
	if (is_share && p->database[0] != '\0' && !is_shared(p->database))
		node_error(b->problems, v[TOP_DATABASE_AWAY].node, "local-share goes with a database that relays share; expected "
			   "\"database: postgresql://...\", or tempfail or accept here");
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		const char *name = schema_top.options[needed[i]].name;

		if (is_share && v[needed[i]].node == NULL)
			node_error(b->problems, v[TOP_DATABASE_AWAY].node, "local-share needs \"%s\"", name);
		else if (!is_share && v[needed[i]].node != NULL)
			node_warning(b->problems, v[needed[i]].node->key, "\"%s\" is of no use without \"database-away: "
				     "local-share\"", name);
	}
}

static void
read_away(struct build *b, const struct value *v)
{
	struct policy *p = b->policy;

	if (v[TOP_DATABASE_AWAY].node != NULL)
		p->database_away = (enum database_away)(v[TOP_DATABASE_AWAY].number + AWAY_TEMPFAIL);
	p->relays = v[TOP_RELAYS].number;
	read_local_database(b, &v[TOP_LOCAL_DATABASE]);
	check_away(b, v);
}

/* The block of an option, or one without members where it is not given. */
static bool
read_block(struct build *b, const struct block *block, const struct value *from, struct value *v)
{
	const struct node empty = {.kind = NODE_MAP, .file = "", .text = ""};
	const struct node *n = from->node;

	return schema_read(block, n != NULL && n->kind == NODE_MAP ? n : &empty, false, v, b->problems);
}

static void
read_audit(struct build *b, const struct value *from)
{
	struct policy *p = b->policy;
	struct value v[AUDIT_COUNT];

	if (!read_block(b, &schema_audit, from, v))
		return;
	p->audit_keep = v[AUDIT_KEEP].number;
	p->subjects = (enum subjects)v[AUDIT_SUBJECTS].number;
	p->durability = (enum durability)v[AUDIT_DURABILITY].number;
}

/* An address in canonical form; "" where none is given or it is wrong (said). */
static const char *
read_address(struct build *b, const struct value *v)
{
	struct address_error error = {0};
	struct address a;

	if (v->node == NULL || v->node->is_broken)
		return "";
	if (address_parse_path(b->arena, v->text, false, &a, &error) != 0)
		problems_add(b->problems, true, v->node->file, v->node->line, build_column(v->node, error.column),
			     "\"%s\" is no address: %s; expected %s", v->text, error.what, error.expected);
	else if (a.is_null || a.is_postmaster)
		node_error(b->problems, v->node, "\"%s\" is no address; expected one such as postmaster@contoso.com", v->text);
	else
		return a.text;
	return "";
}

/* The path of a program. That it is not there yet is no error: the policy may
 * be checked on another machine. */
static const char *
read_program(struct build *b, const struct value *v)
{
	struct stat st;

	if (v->text == NULL || (v->node != NULL && v->node->is_broken))
		return "";
	if (v->node == NULL)
		return v->text;
	if (v->text[0] != '/')
		node_error(b->problems, v->node, "\"%s\" is no path from the root; expected one such as "
			   "/usr/local/bin/postern-event", v->text);
	else if (stat(v->text, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		node_warning(b->problems, v->node, "%s is no program that could be run", v->text);
	return arena_string(b->arena, v->text);
}

static void
check_notify(struct build *b, const struct value *v)
{
	const struct notify *n = &b->policy->notify;
	bool to_admin = n->mail == NOTIFY_ADMIN || n->mail == NOTIFY_BOTH;

	if (n->mail != NOTIFY_NO && v[NOTIFY_OPTION_FROM].node == NULL)
		node_error(b->problems, v[NOTIFY_OPTION_MAIL].node, "mail needs \"from\", an address in an accepted domain");
	if (to_admin && v[NOTIFY_OPTION_ADMIN].node == NULL)
		node_error(b->problems, v[NOTIFY_OPTION_MAIL].node, "mail to the admin needs \"admin\", an address");
}

static void
read_notify(struct build *b, const struct value *from)
{
	struct value v[NOTIFY_OPTIONS];

	if (!read_block(b, &schema_notify, from, v))
		return;
	b->policy->notify = (struct notify){
		.command = read_program(b, &v[NOTIFY_OPTION_COMMAND]),
		.mail = (enum notify_mail)v[NOTIFY_OPTION_MAIL].number,
		.admin = read_address(b, &v[NOTIFY_OPTION_ADMIN]), .from = read_address(b, &v[NOTIFY_OPTION_FROM]),
		.sendmail = read_program(b, &v[NOTIFY_OPTION_SENDMAIL]),
		.quiet = v[NOTIFY_OPTION_QUIET].number, .at = v[NOTIFY_OPTION_AT].number,
	};
	check_notify(b, v);
}

/* "07:00" in minutes; the pattern of the option is for editors. */
static int
read_time(struct build *b, const struct value *v)
{
	const char *s = v->text;
	int hour, minute;

	if (s == NULL || (v->node != NULL && v->node->is_broken))
		return 0;
	if (strlen(s) == 5 && s[2] == ':' && text_is_digit(s[0]) && text_is_digit(s[1]) && text_is_digit(s[3]) && text_is_digit(s[4])) {
		hour = (s[0] - '0') * 10 + s[1] - '0';
		minute = (s[3] - '0') * 10 + s[4] - '0';
		if (hour < 24 && minute < 60)
			return hour * 60 + minute;
	}
	node_error(b->problems, v->node, "\"%s\" is no value of \"time\"; expected a time of day from 00:00 to 23:59", s);
	return 0;
}

/* Whom it goes to and from stands in the notify block. */
static void
check_summary(struct build *b, const struct value *notify, const struct value *v)
{
	static const int wishes[] = {SUMMARY_OWNERS, SUMMARY_ADMIN};
	const struct notify *n = &b->policy->notify;

	for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
		const struct value *w = &v[wishes[i]];

		if (w->node == NULL || w->node->is_broken || w->number == SUMMARY_OFF)
			continue;
		if (n->from[0] == '\0' && (notify->node == NULL || !notify->node->is_broken))
			node_error(b->problems, w->node, "a summary needs \"from\" in the block \"notify\", an address in an accepted domain");
		if (wishes[i] == SUMMARY_ADMIN && n->admin[0] == '\0')
			node_error(b->problems, w->node, "a summary to the admin needs \"admin\" in the block \"notify\", an address");
	}
}

static void
read_summary(struct build *b, const struct value *notify, const struct value *from)
{
	struct value v[SUMMARY_COUNT];

	if (!read_block(b, &schema_summary, from, v))
		return;
	b->policy->summary = (struct summary_wish){
		.owners = (enum summary_every)v[SUMMARY_OWNERS].number, .admin = (enum summary_every)v[SUMMARY_ADMIN].number,
		.weekday = (int)v[SUMMARY_WEEKDAY].number, .minute = read_time(b, &v[SUMMARY_TIME]),
		.empty = v[SUMMARY_EMPTY].number != 0,
	};
	check_summary(b, notify, v);
}

static void
read_relay(struct build *b, const struct value *v)
{
	size_t n = v->node == NULL ? 0 : strlen(v->text);

	if (n == 0)
		return;
	b->policy->relay = arena_string(b->arena, v->text);
	if (n > RELAY_NAME_MAX || strspn(v->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != n)
		node_error(b->problems, v->node, "\"%s\" is no name of a relay; expected letters, digits, \".\", \"_\" and "
			   "\"-\", at most %u", v->text, RELAY_NAME_MAX);
}

void
build_top(struct build *b, const struct value *v)
{
	struct policy *p = b->policy;

	read_listen(b, &v[TOP_LISTEN]);
	read_database(b, &v[TOP_DATABASE]);
	p->mode = (enum mode)v[TOP_MODE].number;
	p->on_failure = (enum on_failure)v[TOP_ON_FAILURE].number;
	p->unknown_clients = (enum unknown_clients)v[TOP_UNKNOWN_CLIENTS].number;
	read_away(b, v);
	read_relay(b, &v[TOP_RELAY]);
	read_audit(b, &v[TOP_AUDIT]);
	read_notify(b, &v[TOP_NOTIFY]);
	read_summary(b, &v[TOP_NOTIFY], &v[TOP_SUMMARY]);
}
