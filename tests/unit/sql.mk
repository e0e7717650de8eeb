# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_doubt
TESTS += tests/unit/test_doubt
tests_unit_test_doubt_SOURCES = tests/unit/test_doubt.c
tests_unit_test_doubt_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_doubt_LDADD = libsql.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_refusals
TESTS += tests/unit/test_refusals
tests_unit_test_refusals_SOURCES = tests/unit/test_refusals.c
tests_unit_test_refusals_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_refusals_LDADD = libsql.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_usage
TESTS += tests/unit/test_usage
tests_unit_test_usage_SOURCES = tests/unit/test_usage.c
tests_unit_test_usage_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_usage_LDADD = libsql.a libbase.a $(CMOCKA_LIBS)
endif

# The drivers of db.h, with a real PostgreSQL server.
dist_check_SCRIPTS += tests/unit/db.sh
if HAVE_CMOCKA
TESTS += tests/unit/db.sh
check_PROGRAMS += tests/unit/test_db
tests_unit_test_db_SOURCES = tests/unit/test_db.c tests/lib/postgres.c tests/lib/postgres.h
tests_unit_test_db_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_db_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_db_server
tests_unit_test_db_server_SOURCES = tests/unit/test_db_server.c tests/lib/postgres.c tests/lib/postgres.h
tests_unit_test_db_server_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_db_server_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
endif
