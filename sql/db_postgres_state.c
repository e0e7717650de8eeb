/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See db-postgres.h: the first row that fits a SQLSTATE says what it means.
 */
#include <string.h>

#include "sql/db-postgres.h"

static const struct postgres_failure failures[] = {
	{POSTGRES_LATE, true, true, true, "the database server does not answer in time; look whether it runs, is overloaded or is cut off"},
	{POSTGRES_MEMORY, true, true, false, "memory is short"},
	{POSTGRES_ENCODING, true, false, false, "the database is not in UTF-8; make one WITH ENCODING 'UTF8' TEMPLATE template0"},
	{POSTGRES_SET_READ_ONLY, true, true, false, "the database server only reads; name the primary, or set "
	 "default_transaction_read_only = off"},
	{POSTGRES_URL, true, false, false, "the URL of the database cannot be read; in user, password and database write what is not a letter or "
			     "digit as %XX"},
	{"08001", true, true, true, "the database server cannot be reached; look at host, port and TLS files, and whether it runs"},
	{"08P01", true, true, false, "what answers does not speak PostgreSQL's protocol as it should; look at host and port"},
	{"08", true, true, true, "the connection to the database server was lost"},
	{"23", false, false, false, "a row of this key is there already, or a value is not one that the tables take"},
	{"25006", true, true, true, "the database server only reads; name the primary, or all servers with target_session_attrs=read-write"},
	{"25P02", false, false, false, "an earlier statement of the transaction failed"},
	{"25P03", true, true, false, "the server ended the connection because a transaction stood still"},
	{"22021", false, false, false, "the database does not take a character; it must be in UTF-8"},
	{"22P05", false, false, false, "the database does not take a character; it must be in UTF-8"},
	{"22", false, false, false, "a value is not one that the tables take"},
	{"26000", true, true, false, "prepared statements get lost on the way; a pooler must keep a session for each connection"},
	{"42P05", true, true, false, "prepared statements get lost on the way; a pooler must keep a session for each connection"},
	{"28", true, false, false, "the database server refuses the login; look at user, password file and the server's pg_hba.conf"},
	{"3D000", true, false, false, "there is no database of this name on the server; make it"},
	{"40", false, true, false, "another transaction was in the way; the same again may well succeed"},
	{"42501", false, false, false, "the database role lacks a right; grant it (see sql/postgres/roles.sql)"},
	{"42P01", true, false, false, "the tables are not there or not those of Postern"},
	{"42703", true, false, false, "the tables are not there or not those of Postern"},
	{"3F000", true, false, false, "the tables are not there or not those of Postern"},
	{"42", false, false, false, "the database server does not understand a statement; it may be too old or of another kind"},
	{"0A", false, false, false, "the database server does not understand a statement; it may be too old or of another kind"},
	{"53100", false, false, false, "the disk of the database server is full; make room"},
	{"53200", false, true, false, "the database server is short of memory"},
	{"53300", true, true, true, "the database server has too many connections; raise max_connections or end some"},
	{"53", false, true, false, "the database server is short of something; look at its log"},
	{"55P03", false, true, false, "a lock of another transaction was in the way for too long"},
	{"55", false, false, false, "the database server is not in the state for this; look at its log"},
	{"57014", false, false, false, "the statement was cancelled, by statement_timeout or by hand"},
	{"57P03", true, true, true, "the database server is starting or stopping"},
	{"57P04", true, false, false, "the database was dropped"},
	{"57P", true, true, true, "the database server ended the connection"},
	{"57", true, true, false, "the database server ended the connection"},
	{"58", true, false, false, "the database server cannot read or write its files; look at its log"},
	{"XX001", true, false, false, "the database is damaged; look at the server's log"},
	{"XX002", true, false, false, "the database is damaged; look at the server's log"},
	{"", false, false, false, "the database server reports an error; look at its log"},
};

const struct postgres_failure *
postgres_failure(const char *state)
{
	const struct postgres_failure *f = failures;

	while (strncmp(f->state, state, strlen(f->state)) != 0)
		f++;
	return f;
}
