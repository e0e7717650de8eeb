# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The audit's tables and views as SQL, for tests that fill them by hand."""

import os
import sqlite3

SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "sql")
QUERIES = os.path.join(SQL, "queries")


def read(*names):
    with open(os.path.join(SQL, *names)) as f:
        return f.read()


def sqlite_tables():
    return read("sqlite", "001-initial.sql").split("-- The views")[0] + read("sqlite", "002-held.sql")


def postgres_tables():
    return read("postgres", "002-initial.sql")


def views(dialect):
    """dialect: sqlite or postgres."""
    return read(dialect, "views.sql")


def queries():
    """{name without .sql: path}"""
    return {name[:-4]: os.path.join(QUERIES, name) for name in sorted(os.listdir(QUERIES)) if name.endswith(".sql")}


def clock(ms):
    """Statements that tell the queries of one session that it is this time, on an audit of then."""
    return ("CREATE TEMP VIEW clock AS SELECT now_ms, now_ms - now_ms % 86400000 AS today_ms, "
            "CAST(3600000 AS BIGINT) AS hour_ms, CAST(86400000 AS BIGINT) AS day_ms "
            "FROM (SELECT CAST({} AS BIGINT) AS now_ms) AS n;\n").replace("{}", str(ms))


class Database:
    """An SQLite audit filled by hand: rows are dictionaries, what they lack is "" or 0;
    octets (bytes) become text as they are."""

    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript(sqlite_tables() + views("sqlite"))
        self.db.execute("PRAGMA user_version = 2")
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")
        self.kinds = {}

    def add(self, table, **row):
        if table not in self.kinds:
            self.kinds[table] = {c[1]: c[2] for c in self.db.execute("PRAGMA table_info(%s)" % table)}
        kinds = self.kinds[table]
        unknown = set(row) - set(kinds)
        if unknown:
            raise KeyError("%s has no %s" % (table, unknown))
        values = [row.get(name, 0 if kinds[name] == "INTEGER" else "") for name in kinds]
        self.db.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(kinds), ", ".join(
            "CAST(? AS TEXT)" if isinstance(v, bytes) else "?" for v in values)), values)

    def columns(self, view):
        return [row[1] for row in self.db.execute("PRAGMA table_info(%s)" % view)]

    def close(self):
        self.db.commit()
        self.db.close()
