#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# The store's contract on a PostgreSQL server of the test's own.
exec /usr/bin/python3 "${srcdir:-.}/tests/lib/postgres.py" run sh -c 'tests/store/test_store && tests/store/test_limits && tests/store/test_hours && tests/store/test_deliveries'
