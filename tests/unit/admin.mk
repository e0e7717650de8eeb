# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

dist_check_SCRIPTS += tests/unit/explain.sh tests/unit/export.py tests/unit/retries.py
TESTS += tests/unit/explain.sh tests/unit/export.py tests/unit/retries.py

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_learn
TESTS += tests/unit/test_learn
tests_unit_test_learn_SOURCES = tests/unit/test_learn.c tests/unit/folder.c tests/unit/folder.h
tests_unit_test_learn_CFLAGS = $(POLICY_FILE_CFLAGS)
tests_unit_test_learn_LDADD = liblearn.a $(POLICY_FILE_LIBS)
endif
