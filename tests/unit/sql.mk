# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_refusals
TESTS += tests/unit/test_refusals
tests_unit_test_refusals_SOURCES = tests/unit/test_refusals.c
tests_unit_test_refusals_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_refusals_LDADD = libsql.a libbase.a $(CMOCKA_LIBS)
endif
