# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause


dist_check_SCRIPTS += tests/unit/keys.sh tests/unit/database.sh
TESTS += tests/unit/keys.sh tests/unit/database.sh

SIGN_LIBS = libgate.a libbase.a $(OPENDKIM_LIBS) $(CRYPTO_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/sign_message
tests_unit_sign_message_SOURCES = tests/unit/sign_message.c
tests_unit_sign_message_LDADD = $(SIGN_LIBS)

TESTS += tests/unit/test_shapes.py
dist_check_SCRIPTS += tests/unit/test_shapes.py

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_keys
TESTS += tests/unit/test_keys
tests_unit_test_keys_SOURCES = tests/unit/test_keys.c
tests_unit_test_keys_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_keys_LDADD = $(SIGN_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_sign
TESTS += tests/unit/test_sign
tests_unit_test_sign_SOURCES = tests/unit/test_sign.c
tests_unit_test_sign_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sign_LDADD = $(SIGN_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_snapshot
TESTS += tests/unit/test_snapshot
tests_unit_test_snapshot_SOURCES = tests/unit/test_snapshot.c tests/unit/folder.c tests/unit/folder.h
tests_unit_test_snapshot_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_snapshot_LDADD = libgate.a libsql.a libfile.a libpolicy.a libbase.a $(OPENDKIM_LIBS) $(CRYPTO_LIBS) $(SQLITE_LIBS) $(LIBPQ_LIBS) \
	$(YAML_LIBS) $(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)
endif

