# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

if HAVE_CMOCKA
check_PROGRAMS += tests/store/test_store
TESTS += tests/store/test_store
tests_store_test_store_SOURCES = tests/store/test_store.c tests/lib/postgres.c tests/lib/postgres.h
tests_store_test_store_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_store_test_store_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/store/test_limits
TESTS += tests/store/test_limits
tests_store_test_limits_SOURCES = tests/store/test_limits.c tests/lib/postgres.c tests/lib/postgres.h
tests_store_test_limits_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_store_test_limits_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/store/test_hours
TESTS += tests/store/test_hours
tests_store_test_hours_SOURCES = tests/store/test_hours.c tests/store/hours.h tests/lib/postgres.c tests/lib/postgres.h
tests_store_test_hours_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_store_test_hours_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/store/test_deliveries
TESTS += tests/store/test_deliveries
tests_store_test_deliveries_SOURCES = tests/store/test_deliveries.c tests/lib/postgres.c tests/lib/postgres.h
tests_store_test_deliveries_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_store_test_deliveries_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/store/test_latest
TESTS += tests/store/test_latest
tests_store_test_latest_SOURCES = tests/store/test_latest.c
tests_store_test_latest_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_store_test_latest_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/store/test_operator
TESTS += tests/store/test_operator
tests_store_test_operator_SOURCES = tests/store/test_operator.c
tests_store_test_operator_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_store_test_operator_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/store/test_share
tests_store_test_share_SOURCES = tests/store/test_share.c tests/store/hours.h tests/lib/postgres.c tests/lib/postgres.h
tests_store_test_share_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_store_test_share_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
endif

# The same, and what is PostgreSQL's own, on a real server.
if HAVE_CMOCKA
TESTS += tests/store/postgres.sh tests/store/share.sh
endif
EXTRA_DIST += tests/store/postgres.sh tests/store/share.sh tests/lib/postgres.py

check_PROGRAMS += tests/store/test_limits_property
TESTS += tests/store/test_limits_property
tests_store_test_limits_property_SOURCES = tests/store/test_limits_property.c
tests_store_test_limits_property_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS)

# On SQLite and on a PostgreSQL server of its own.
dist_check_SCRIPTS += tests/store/queries.py
TESTS += tests/store/queries.py
