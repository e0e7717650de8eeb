# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# `make bench` compares posternd with the signing filters that are installed.
# `make bench-regex` tells how fast body rules are and how far beyond their budget
# they run. Neither is part of make check. BENCH_FLAGS: see tests/bench/run.py --help. What
# rules cost: tests/bench/rules.py BUILD-FOLDER.

EXTRA_PROGRAMS += tests/bench/milter-load
tests_bench_milter_load_SOURCES = tests/bench/milter-load.c tests/bench/load.h tests/bench/wire.c
tests_bench_milter_load_CFLAGS = $(AM_CFLAGS) $(MILTER_CFLAGS)
EXTRA_DIST += tests/bench/run.py tests/bench/learn.py tests/bench/rules.py
CLEANFILES += tests/bench/milter-load tests/bench/regex

EXTRA_PROGRAMS += tests/bench/regex
tests_bench_regex_SOURCES = tests/bench/regex.c
tests_bench_regex_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)

.PHONY: bench bench-regex
bench: posternd tests/bench/milter-load
	/usr/bin/python3 $(srcdir)/tests/bench/run.py --build . $(BENCH_FLAGS)
bench-regex: tests/bench/regex
	tests/bench/regex
