# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# `make bench` compares posternd with the signing filters that are installed.
# It is no part of make check. BENCH_FLAGS: see tests/bench/run.py --help.

EXTRA_PROGRAMS += tests/bench/milter-load
tests_bench_milter_load_SOURCES = tests/bench/milter-load.c tests/bench/load.h tests/bench/wire.c
tests_bench_milter_load_CFLAGS = $(AM_CFLAGS) $(MILTER_CFLAGS)
EXTRA_DIST += tests/bench/run.py
CLEANFILES += tests/bench/milter-load

.PHONY: bench
bench: posternd tests/bench/milter-load
	/usr/bin/python3 $(srcdir)/tests/bench/run.py --build . $(BENCH_FLAGS)
