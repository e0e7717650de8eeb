# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libsql.a
libsql_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
libsql_a_SOURCES = \
	sql/db.c sql/db.h \
	sql/limit-clock.c sql/limit-clock.h \
	sql/memory.c \
	sql/rehearsal.c \
	sql/refusals.c sql/refusals.h \
	sql/sqlite.c sql/sqlite-private.h sql/sqlite_prune.c sql/sqlite_read.c sql/sqlite_write.c \
	sql/store.c sql/store.h sql/store-private.h \
	sql/usage.c sql/usage.h \
	sql/writer.c sql/writer.h
EXTRA_DIST += sql/sqlite/001-initial.sql \
	sql/queries/limit-use.sql \
	sql/queries/refusals-by-reason.sql \
	sql/queries/top-talkers.sql \
	sql/queries/unsigned-mail.sql \
	sql/queries/who-sends-as-whom.sql

# The schema as an array of characters.
BUILT_SOURCES += sql/initial.h
CLEANFILES += sql/initial.h
sql/initial.h: $(top_srcdir)/sql/sqlite/001-initial.sql
	$(AM_V_GEN)$(MKDIR_P) sql && { echo 'static const char initial_sql[] = {' && \
	LC_ALL=C od -An -v -tx1 $(top_srcdir)/sql/sqlite/001-initial.sql | \
	sed 's/ \(..\)/0x\1,/g' && echo '0 };'; } >$@.tmp && mv $@.tmp $@
sql/libsql_a-sqlite.$(OBJEXT): sql/initial.h
