# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libsql.a
libsql_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(LIBPQ_CFLAGS)
libsql_a_SOURCES = \
	sql/acts.c \
	sql/boosts.c \
	sql/connector.c sql/connector.h \
	sql/deliveries.c sql/deliveries.h \
	sql/db.c sql/db.h sql/db-private.h sql/db_url.c \
	sql/db_postgres.c sql/db-postgres.h sql/db_postgres_state.c sql/db_postgres_text.c sql/db_sqlite.c \
	sql/limit-clock.c sql/limit-clock.h \
	sql/memory.c \
	sql/backend-private.h \
	sql/events.c \
	sql/doubt.c sql/doubt.h \
	sql/held.c \
	sql/hours.c sql/hours.h \
	sql/read-private.h sql/read_latest.c sql/read_limits.c sql/read_traffic.c \
	sql/postgres.c \
	sql/operator.c sql/operator.h \
	sql/prune.c \
	sql/read.c sql/read-private.h sql/read_held.c sql/read_reports.c sql/read_summary.c sql/read_timings.c sql/read_trace.c sql/read_upstream.c \
	sql/rehearsal.c \
	sql/report.c sql/report.h \
	sql/requests.c sql/requests.h \
	sql/refusals.c sql/refusals.h \
	sql/reserves.c sql/reserves.h \
	sql/rows.c \
	sql/schema.c \
	sql/share.c \
	sql/sqlite.c \
	sql/store.c sql/store.h sql/store-private.h \
	sql/usage.c sql/usage.h \
	sql/writer.c sql/writer.h
EXTRA_DIST += $(SCHEMA_TEXTS)

# Rights on a database server.
postgresdir = $(pkgdatadir)/postgres
dist_postgres_DATA = sql/postgres/roles.sql

# For the sqlite3 shell.
sqlitedir = $(pkgdatadir)/sqlite
dist_sqlite_DATA = sql/sqlite/deliveries-view.sql

# The questions that admins ask.
queriesdir = $(pkgdatadir)/queries
dist_queries_DATA = \
	sql/queries/apps-gone-silent.sql \
	sql/queries/day-by-app-and-hour.sql \
	sql/queries/deferred-by-limit.sql \
	sql/queries/direct-send-sources.sql \
	sql/queries/external-recipients-by-day.sql \
	sql/queries/held.sql \
	sql/queries/largest-messages.sql \
	sql/queries/limit-use-over-time.sql \
	sql/queries/limit-use.sql \
	sql/queries/new-senders.sql \
	sql/queries/refusals-by-reason.sql \
	sql/queries/tls-of-clients.sql \
	sql/queries/top-talkers.sql \
	sql/queries/unaligned-attempts.sql \
	sql/queries/unsigned-mail.sql \
	sql/queries/who-sends-as-whom.sql \
	sql/queries/would-have-been-refused.sql

# The SQL files as strings, named DIALECT_FILE.
SCHEMA_TEXTS = sql/sqlite/001-initial.sql sql/sqlite/002-held.sql sql/sqlite/003-hours.sql sql/sqlite/004-trace.sql \
	sql/sqlite/deliveries.sql sql/sqlite/deliveries-upstream.sql sql/sqlite/deliveries-reported.sql sql/sqlite/views.sql \
	sql/postgres/002-initial.sql sql/postgres/003-hours.sql sql/postgres/004-deliveries.sql sql/postgres/005-upstream.sql \
	sql/sqlite/007-timings.sql sql/postgres/006-reported.sql sql/postgres/007-timings.sql sql/postgres/deliveries-view.sql sql/postgres/views.sql
BUILT_SOURCES += sql/schema-texts.h
CLEANFILES += sql/schema-texts.h
sql/schema-texts.h: $(SCHEMA_TEXTS)
	$(AM_V_GEN)$(MKDIR_P) sql && for f in $(SCHEMA_TEXTS); do \
		name=`echo "$$f" | sed 's,^sql/,,; s,\.sql$$,,; s,[^a-z0-9],_,g'`; \
		echo "static const char $$name[] = {" && \
		LC_ALL=C od -An -v -tx1 $(top_srcdir)/$$f | sed 's/ \(..\)/0x\1,/g' && echo '0 };' || exit 1; \
	done >$@.tmp && mv $@.tmp $@
sql/libsql_a-schema.$(OBJEXT): sql/schema-texts.h
