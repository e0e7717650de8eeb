# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

FUZZERS = tests/fuzz/fuzz_address tests/fuzz/fuzz_policy_file tests/fuzz/fuzz_regex tests/fuzz/fuzz_session
FUZZING_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZING_LIBS = libfile.a libpolicy.a libbase.a $(YAML_LIBS) $(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)

EXTRA_PROGRAMS += $(FUZZERS)
tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz_address.c
tests_fuzz_fuzz_address_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_address_LDADD = $(FUZZING_LIBS)
tests_fuzz_fuzz_policy_file_SOURCES = tests/fuzz/fuzz_policy_file.c
tests_fuzz_fuzz_policy_file_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_policy_file_LDADD = $(FUZZING_LIBS)
tests_fuzz_fuzz_regex_SOURCES = tests/fuzz/fuzz_regex.c
tests_fuzz_fuzz_regex_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
tests_fuzz_fuzz_regex_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_regex_LDADD = $(FUZZING_LIBS)
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c tests/scenario/fake.c \
	gate/audit.c gate/log.c gate/session.c gate/snapshot.c gate/strip.c
tests_fuzz_fuzz_session_LDFLAGS = $(FUZZING_LINK) -Wl,--wrap=malloc -Wl,--wrap=calloc
tests_fuzz_fuzz_session_LDADD = $(FUZZING_LIBS)

EXTRA_DIST += tests/fuzz/run
fuzzers: $(FUZZERS)
.PHONY: fuzzers
