# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

EXTRA_PROGRAMS += tests/bench/milter-load
tests_bench_milter_load_SOURCES = tests/bench/milter-load.c
EXTRA_DIST += tests/bench/run.py

bench: posternd tests/bench/milter-load
	/usr/bin/python3 $(top_srcdir)/tests/bench/run.py .
.PHONY: bench
