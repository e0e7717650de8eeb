# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# `make bench` compares posternd with the signing filters that are installed.
# `make bench-regex` tells how fast body rules are and how far beyond their budget
# they run. `make bench-store` measures the store alone. None is part of make check.
# BENCH_FLAGS: see tests/bench/run.py --help, tests/bench/store.py --help. What
# rules cost: tests/bench/rules.py BUILD-FOLDER. Questions and export over a large audit:
# tests/bench/audit.py; the pages of the dashboard: tests/bench/dashboard.py. The follower beside pflogsumm: tests/bench/follow.py.

EXTRA_PROGRAMS += tests/bench/milter-load
tests_bench_milter_load_SOURCES = tests/bench/milter-load.c tests/bench/load.h tests/bench/wire.c
tests_bench_milter_load_CFLAGS = $(AM_CFLAGS) $(MILTER_CFLAGS)
EXTRA_DIST += tests/bench/audit.py tests/bench/burst.py tests/bench/dashboard.py tests/bench/follow.py tests/bench/store.py tests/bench/run.py tests/bench/learn.py tests/bench/rules.py
CLEANFILES += tests/bench/milter-load tests/bench/regex tests/bench/store

EXTRA_PROGRAMS += tests/bench/regex
tests_bench_regex_SOURCES = tests/bench/regex.c
tests_bench_regex_LDADD = libpolicy.a libbase.a $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)

EXTRA_PROGRAMS += tests/bench/store
tests_bench_store_SOURCES = tests/bench/store.c
tests_bench_store_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(LIBPQ_CFLAGS)
tests_bench_store_LDADD = libsql.a libbase.a $(SQLITE_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS)

.PHONY: bench bench-regex bench-store
bench: posternd tests/bench/milter-load
	/usr/bin/python3 $(srcdir)/tests/bench/run.py --build . $(BENCH_FLAGS)
bench-regex: tests/bench/regex
	tests/bench/regex
bench-store: tests/bench/store
	/usr/bin/python3 $(srcdir)/tests/bench/store.py . $(BENCH_FLAGS)
