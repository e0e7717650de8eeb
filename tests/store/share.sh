#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Relays that go on by themselves, with a PostgreSQL server of the test's own.
exec /usr/bin/python3 "${srcdir:-.}/tests/lib/postgres.py" run tests/store/test_share
