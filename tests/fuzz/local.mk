# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

FUZZING_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZING_LIBS = libfile.a libpolicy.a libbase.a $(YAML_LIBS) $(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)
FUZZ_SESSION_SOURCES = tests/fuzz/fuzz_session.c tests/scenario/fake.c \
	gate/audit.c gate/day.c gate/log.c gate/pauses.c gate/session.c gate/session_sign.c gate/snapshot.c gate/spool.c gate/strip.c
FUZZ_SESSION_LINK = -Wl,--wrap=malloc -Wl,--wrap=calloc

# With libFuzzer, by hand or by tests/fuzz/run.
FUZZERS = tests/fuzz/fuzz_address tests/fuzz/fuzz_dsn tests/fuzz/fuzz_header tests/fuzz/fuzz_maillog tests/fuzz/fuzz_mime tests/fuzz/fuzz_policy_file \
	tests/fuzz/fuzz_regex tests/fuzz/fuzz_session
EXTRA_PROGRAMS += $(FUZZERS)
tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz_address.c
tests_fuzz_fuzz_address_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_address_LDADD = $(FUZZING_LIBS)
tests_fuzz_fuzz_dsn_SOURCES = tests/fuzz/fuzz_dsn.c
tests_fuzz_fuzz_dsn_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_dsn_LDADD = libmaillog.a libbase.a
tests_fuzz_fuzz_header_SOURCES = tests/fuzz/fuzz_header.c
tests_fuzz_fuzz_header_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_header_LDADD = $(FUZZING_LIBS)
tests_fuzz_fuzz_maillog_SOURCES = tests/fuzz/fuzz_maillog.c
tests_fuzz_fuzz_maillog_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_maillog_LDADD = libmaillog.a libbase.a
tests_fuzz_fuzz_mime_SOURCES = tests/fuzz/fuzz_mime.c
tests_fuzz_fuzz_mime_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_mime_LDADD = $(FUZZING_LIBS)
tests_fuzz_fuzz_policy_file_SOURCES = tests/fuzz/fuzz_policy_file.c
tests_fuzz_fuzz_policy_file_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_policy_file_LDADD = $(FUZZING_LIBS)
tests_fuzz_fuzz_regex_SOURCES = tests/fuzz/fuzz_regex.c
tests_fuzz_fuzz_regex_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
tests_fuzz_fuzz_regex_LDFLAGS = $(FUZZING_LINK)
tests_fuzz_fuzz_regex_LDADD = $(FUZZING_LIBS)
tests_fuzz_fuzz_session_SOURCES = $(FUZZ_SESSION_SOURCES)
tests_fuzz_fuzz_session_LDFLAGS = $(FUZZING_LINK) $(FUZZ_SESSION_LINK)
tests_fuzz_fuzz_session_LDADD = $(FUZZING_LIBS)

# Without it, in make check: the crashers kept, and the seeds.
check_PROGRAMS += tests/fuzz/replay_address tests/fuzz/replay_dsn tests/fuzz/replay_header tests/fuzz/replay_maillog tests/fuzz/replay_mime \
	tests/fuzz/replay_policy_file tests/fuzz/replay_regex tests/fuzz/replay_session
tests_fuzz_replay_address_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_address.c
tests_fuzz_replay_address_LDADD = $(FUZZING_LIBS)
tests_fuzz_replay_dsn_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_dsn.c
tests_fuzz_replay_dsn_LDADD = libmaillog.a libbase.a
tests_fuzz_replay_header_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_header.c
tests_fuzz_replay_header_LDADD = $(FUZZING_LIBS)
tests_fuzz_replay_maillog_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_maillog.c
tests_fuzz_replay_maillog_LDADD = libmaillog.a libbase.a
tests_fuzz_replay_mime_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_mime.c
tests_fuzz_replay_mime_LDADD = $(FUZZING_LIBS)
tests_fuzz_replay_policy_file_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_policy_file.c
tests_fuzz_replay_policy_file_LDADD = $(FUZZING_LIBS)
tests_fuzz_replay_regex_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_regex.c
tests_fuzz_replay_regex_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
tests_fuzz_replay_regex_LDADD = $(FUZZING_LIBS)
tests_fuzz_replay_session_SOURCES = tests/fuzz/replay.c $(FUZZ_SESSION_SOURCES)
tests_fuzz_replay_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_SESSION_LINK)
tests_fuzz_replay_session_LDADD = $(FUZZING_LIBS)

TESTS += tests/fuzz/replay.sh
dist_check_SCRIPTS += tests/fuzz/replay.sh
# The folder is shipped whole, with what is added to it.
EXTRA_DIST += tests/fuzz/run tests/fuzz/seeds tests/fuzz/crashers tests/fuzz/fuzz_mime.dict
fuzzers: $(FUZZERS)
.PHONY: fuzzers
