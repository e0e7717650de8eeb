# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

if HAVE_CMOCKA
check_PROGRAMS += tests/store/test_store
TESTS += tests/store/test_store
tests_store_test_store_SOURCES = tests/store/test_store.c
tests_store_test_store_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_store_test_store_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/store/test_limits_property
TESTS += tests/store/test_limits_property
tests_store_test_limits_property_SOURCES = tests/store/test_limits_property.c
tests_store_test_limits_property_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(JANSSON_LIBS)
