# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The audit's tables and views as SQL, for tests that fill them by hand."""

import csv
import io
import os
import re
import sqlite3

SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "sql")
with open(os.path.join(SQL, "schema.c")) as f:
    VERSION = int(re.search(r"(?m)^#define VERSION (\d+)$", f.read()).group(1))
QUERIES = os.path.join(SQL, "queries")


def read(*names):
    with open(os.path.join(SQL, *names)) as f:
        return f.read()


def follower_tables(db):
    """Makes the tables of the follower's own file in this new one."""
    with open(os.path.join(SQL, "read-private.h")) as f:
        version = int(re.search(r"(?m)^#define DELIVERIES_VERSION (\d+)$", f.read()).group(1))
    for name in ("deliveries.sql", "deliveries-upstream.sql", "deliveries-reported.sql"):
        db.executescript(read("sqlite", name))
    db.execute("PRAGMA user_version = %d" % version)


def sqlite_tables():
    return (read("sqlite", "001-initial.sql").split("-- The views")[0] + read("sqlite", "002-held.sql") + read("sqlite", "003-hours.sql") +
            read("sqlite", "004-trace.sql") + read("sqlite", "007-timings.sql"))


def postgres_tables():
    return "".join(read("postgres", name) for name in sorted(os.listdir(os.path.join(SQL, "postgres"))) if name[0] == "0")


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


def roll_up(db):
    """Makes the roll-ups anew of the rows, as the migration does."""
    db.execute("DELETE FROM hours")
    db.executescript(read("sqlite", "003-hours.sql").split("WITHOUT ROWID;")[1])


class Database:
    """An SQLite audit filled by hand: rows are dictionaries, what they lack is "" or 0;
    octets (bytes) become text as they are."""

    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript(sqlite_tables() + views("sqlite"))
        self.db.execute("PRAGMA user_version = %d" % VERSION)
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

    def roll_up(self):
        roll_up(self.db)

    def columns(self, view):
        return [row[1] for row in self.db.execute("PRAGMA table_info(%s)" % view)]

    def close(self):
        self.db.commit()
        self.db.close()


def to_postgres(server, path, also=(), deliveries=False):
    """An SQLite audit in a new database of the server (postgres.py), with these tables also and the follower's file; its URL. Octets that are no UTF-8, which a server
    does not take, become U+FFFD each, as posternd has them."""
    name = server.fresh()
    server.psql(database=name, text=(
        "CREATE TABLE schema_version (one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL);\n"
        "INSERT INTO schema_version VALUES (1, %d);\n%s%s" % (VERSION, postgres_tables(), views("postgres"))).encode())
    db = sqlite3.connect(path)
    db.text_factory = lambda octets: "".join(c if not "\udc80" <= c <= "\udcff" else "\ufffd"
                                             for c in octets.decode("utf-8", "surrogateescape"))
    tables = ("messages", "recipients", "signatures", "charges", "rule_matches", "refusals", "hours") + also
    if deliveries:
        db.execute("ATTACH ? AS follower", (path + "-deliveries",))
        tables += ("deliveries", "upstream")
    for table in tables:
        rows = db.execute("SELECT * FROM %s%s" % (table, " ORDER BY rowid" if table == "messages" else ""))
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
        server.psql("-c", "\\copy %s (%s) FROM STDIN WITH (FORMAT csv)" % (table, ", ".join(c[0] for c in rows.description)),
                    database=name, text=text.getvalue().encode())
    db.close()
    return server.url(name)
