#!/bin/bash
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# The drivers of db.h; that of PostgreSQL with a server of its own. Without one
# the part for SQLite is run, and the rest is said to be skipped.
"$srcdir/tests/lib/postgres.py" run /bin/sh -c 'tests/unit/test_db && tests/unit/test_db_server'
status=$?
[ $status -eq 77 ] && { tests/unit/test_db || exit 1; }
exit $status
