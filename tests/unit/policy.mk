# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_address
TESTS += tests/unit/test_address
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_address_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_limit
TESTS += tests/unit/test_limit
tests_unit_test_limit_SOURCES = tests/unit/test_limit.c
tests_unit_test_limit_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_limit_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_network
TESTS += tests/unit/test_network
tests_unit_test_network_SOURCES = tests/unit/test_network.c
tests_unit_test_network_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_network_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_display
TESTS += tests/unit/test_display
tests_unit_test_display_SOURCES = tests/unit/test_display.c
tests_unit_test_display_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_display_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_header
TESTS += tests/unit/test_header
tests_unit_test_header_SOURCES = tests/unit/test_header.c
tests_unit_test_header_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_header_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_pattern
TESTS += tests/unit/test_pattern
tests_unit_test_pattern_SOURCES = tests/unit/test_pattern.c
tests_unit_test_pattern_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_pattern_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_charset
TESTS += tests/unit/test_charset
tests_unit_test_charset_SOURCES = tests/unit/test_charset.c
tests_unit_test_charset_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_charset_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_mime
TESTS += tests/unit/test_mime
tests_unit_test_mime_SOURCES = tests/unit/test_mime.c
tests_unit_test_mime_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_mime_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_words
TESTS += tests/unit/test_words
tests_unit_test_words_SOURCES = tests/unit/test_words.c
tests_unit_test_words_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_words_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_regex
TESTS += tests/unit/test_regex
tests_unit_test_regex_SOURCES = tests/unit/test_regex.c
tests_unit_test_regex_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_regex_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)
endif
