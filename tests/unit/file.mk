# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

if HAVE_CMOCKA
POLICY_FILE_LIBS = libfile.a libpolicy.a libbase.a \
	$(CMOCKA_LIBS) $(YAML_LIBS) $(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)
POLICY_FILE_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += tests/unit/test_policy_file
TESTS += tests/unit/test_policy_file
tests_unit_test_policy_file_SOURCES = tests/unit/test_policy_file.c tests/unit/folder.c tests/unit/folder.h
tests_unit_test_policy_file_CFLAGS = $(POLICY_FILE_CFLAGS)
tests_unit_test_policy_file_LDADD = $(POLICY_FILE_LIBS)

check_PROGRAMS += tests/unit/test_accepted
TESTS += tests/unit/test_accepted
tests_unit_test_accepted_SOURCES = tests/unit/test_accepted.c tests/unit/folder.c tests/unit/folder.h
tests_unit_test_accepted_CFLAGS = $(POLICY_FILE_CFLAGS)
tests_unit_test_accepted_LDADD = $(POLICY_FILE_LIBS)

check_PROGRAMS += tests/unit/test_policy_limits
TESTS += tests/unit/test_policy_limits
tests_unit_test_policy_limits_SOURCES = tests/unit/test_policy_limits.c tests/unit/folder.c tests/unit/folder.h
tests_unit_test_policy_limits_CFLAGS = $(POLICY_FILE_CFLAGS)
tests_unit_test_policy_limits_LDADD = $(POLICY_FILE_LIBS)

check_PROGRAMS += tests/unit/test_policy_rules
TESTS += tests/unit/test_policy_rules
tests_unit_test_policy_rules_SOURCES = tests/unit/test_policy_rules.c tests/unit/folder.c tests/unit/folder.h
tests_unit_test_policy_rules_CFLAGS = $(POLICY_FILE_CFLAGS)
tests_unit_test_policy_rules_LDADD = $(POLICY_FILE_LIBS)
endif
