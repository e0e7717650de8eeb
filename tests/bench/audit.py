#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""How long sql/queries and postern export take over a large audit, made here, and by which
way the queries reach their rows. usage: tests/bench/audit.py --build FOLDER [--messages N]
[--folder FOLDER] [--postgres] [--also "CREATE INDEX ..."]...
90 days; with --postgres also on a server of its own. The SQLite database stays in --folder,
and is used again where it has as many messages."""

import argparse
import csv
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import postgres  # noqa: E402
import schema  # noqa: E402

DAYS, APPS, DAY = 90, 200, 86400000
TABLES = ("messages", "recipients", "signatures", "charges", "refusals")
TRACE = ("mail    app                    yes      crm, method connector\nmail    sender-aligned         yes      x\n"
         "rcpt    recipient-reached      yes      bob@example.net: external\nheader  from-single            yes      x\n"
         "header  from-aligned           yes      x\nheader  sign                   yes      contoso.com\n")


def columns(table):
    with sqlite3.connect(":memory:") as db:
        db.executescript(schema.sqlite_tables())
        return [row[1] for row in db.execute("PRAGMA table_info(%s)" % table)]


def rows(n):
    """(table, row as a dictionary), by time."""
    chance = random.Random(4711)
    begin = int(time.time() * 1000) - DAYS * DAY
    for i in range(n):
        app = min(int(chance.expovariate(0.03)), APPS - 1)
        at, outside = begin + i * DAYS * DAY // n, app % 2
        roll = chance.random()
        verdict = "defer" if roll < 0.002 else "hold" if roll < 0.004 else "accept"
        would = ("reject", "sender-not-allowed") if roll > 0.99 else (verdict, "")
        id = "%010dABCDEFGHJKMNPQRS" % i
        sender = "app%d-%d@contoso.com" % (app, chance.randrange(3))
        if app % 7 == 3 and i > n * 0.97:
            sender = "new%d@contoso.com" % app
        reason = "limit:app%d/messages-per-minute" % app if verdict != "accept" else ""
        yield "messages", {
            "id": id, "time": at, "relay": "relay", "queue_id": "Q%d" % i, "stage": "eom", "verdict": verdict, "reason": reason,
            "code": 250, "enhanced": "2.0.0", "would": would[0], "would_reason": would[1] or reason, "mode": "enforce",
            "app": "app%d" % app, "tenant": "contoso", "method": "connector" if outside else "direct-send",
            "client": "10.1.%d.%d" % (app, chance.randrange(4)), "helo": "host", "tls": "TLSv1.3" if app % 3 else "",
            "sender": sender, "sender_domain": "contoso.com", "header_from": sender, "header_from_domain": "contoso.com",
            "subject": "Report %d" % i, "message_id": "<%d@app.contoso.com>" % i, "size": 2000 + app * 100 + i % 977,
            "recipients": 1 + outside, "internal": 1, "external": outside, "signing": "signed" if app % 5 else "no-key",
            "policy": "0123456789abcdef", "trace": TRACE * 2, "decide_us": 300}
        for k in range(1 + outside):
            yield "recipients", {"message_id": id, "number": k, "address": "u%d@%s" % (i % 5000, "example.net" if k else "contoso.com"),
                                 "domain": "example.net" if k else "contoso.com", "place": "external" if k else "internal",
                                 "accepted": 1}
        if app % 5:
            yield "signatures", {"message_id": id, "number": 0, "domain": "contoso.com", "selector": "postern1",
                                 "algorithm": "rsa-sha256", "result": "signed"}
        for k, (name, count) in enumerate((("app%d/messages-per-minute" % app, 30), ("contoso/external-recipients-per-day", 72446))):
            yield "charges", {"message_id": id, "number": k, "name": name, "key": "", "amount": 1,
                              "used_before": chance.randrange(count), "count": count, "over": 2,
                              "exceeded": int(verdict == "defer"), "charged": int(verdict != "defer")}
        if i % 20 == 0:
            reason, stage, what = chance.choice((("unknown-client", "mail", "reject"), ("from-not-allowed", "eom", "reject"),
                                                 ("limit:app%d/messages-per-minute" % app, "mail", "defer"),
                                                 ("direct-send-external", "rcpt", "reject")))
            yield "refusals", {"id": id[::-1], "reason": reason, "stage": stage, "first_time": at,
                               "last_time": at + chance.randrange(3600000), "count": 1 + chance.randrange(9), "verdict": what,
                               "code": 550, "enhanced": "5.7.1", "text": "no", "app": "app%d" % app, "tenant": "contoso",
                               "method": "connector", "client": "10.1.%d.1" % app, "sender": sender, "header_from": sender,
                               "recipient": "bob@example.net", "policy": "0123456789abcdef"}


NUMBERS = set("time code picked_up size recipients internal external local stripped decide_us number accepted amount "
              "used_before count over exceeded charged first_time last_time".split())


def lists(n):
    names = {table: columns(table) for table in TABLES}
    for table, row in rows(n):
        yield table, [row.get(c, 0 if c in NUMBERS else "") for c in names[table]]


def make_sqlite(path, n):
    db = sqlite3.connect(path)
    db.executescript(schema.sqlite_tables())
    db.execute("PRAGMA user_version = %d" % schema.VERSION)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    waiting = {table: [] for table in TABLES}
    for i, (table, row) in enumerate(lists(n)):
        waiting[table].append(row)
        if i % 100000 == 0:
            flush(db, waiting)
    flush(db, waiting)
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def flush(db, waiting):
    for table, some in waiting.items():
        if some:
            db.executemany("INSERT INTO %s VALUES (%s)" % (table, ", ".join("?" * len(some[0]))), some)
            some.clear()


def make_postgres(pg, n):
    pg.psql(text=schema.postgres_tables().encode())
    files = {table: open(os.path.join(pg.folder, table + ".csv"), "w", newline="") for table in TABLES}
    writers = {table: csv.writer(f, quoting=csv.QUOTE_NONNUMERIC) for table, f in files.items()}
    for table, row in lists(n):
        writers[table].writerow(row)
    for table, f in files.items():
        f.close()
        pg.psql("-c", "\\copy %s (%s) FROM '%s' WITH (FORMAT csv)" % (table, ", ".join(columns(table)), f.name))
        os.unlink(f.name)
    pg.psql("-c", "ANALYZE")


def plan_of(db, text):
    db_rows = db.execute("EXPLAIN QUERY PLAN " + text).fetchall()
    steps = [row[3] for row in db_rows]
    return [s for s in steps if re.match(r"(SCAN|SEARCH) (messages|refusals|m\b|r\b|f\b|s\b|c\b|o\b|u\b|l\b|limits)", s)]


def ask_sqlite(path, also):
    db = sqlite3.connect(path)
    db.executescript(schema.views("sqlite"))
    for index in also:
        began = time.monotonic()
        db.execute(index)
        db.commit()
        print("%s: %.1f s" % (index, time.monotonic() - began))
    for name, file in schema.queries().items():
        with open(file) as f:
            text = re.sub(r"(?m)^--.*\n", "", f.read()).strip().rstrip(";")
        began = time.monotonic()
        found = db.execute(text).fetchall()
        print("sqlite   %-28s %7.0f ms %6d rows  %s" % (name, 1000 * (time.monotonic() - began), len(found), "; ".join(plan_of(db, text))))


def ask_postgres(pg, also):
    pg.psql(text=schema.views("postgres").encode())
    for index in also:
        pg.psql("-c", index)
    for name, file in schema.queries().items():
        with open(file) as f:
            text = f.read()
        began = time.monotonic()
        n = len(pg.psql("--csv", "-t", text=text.encode()).splitlines())
        spent = time.monotonic() - began
        plan = pg.psql("-t", "-A", text=re.sub(r"(?m)^(SELECT|WITH)", r"EXPLAIN \1", text, count=1).encode())
        ways = [s.group(0).strip() for s in re.finditer(r"(Seq Scan|Index (Only )?Scan|Bitmap Index Scan)[^(]*", plan)]
        print("postgres %-28s %7.0f ms %6d rows  %s" % (name, 1000 * spent, n, "; ".join(ways)))


def export(build, folder, n):
    policy = os.path.join(folder, "postern.yaml")
    with open(policy, "w") as f:
        f.write("listen: unix:%s/m.sock\ndatabase: sqlite:%s/audit.db\nmode: monitor\ntenants:\n  contoso:\n"
                "    accepted-domains: accepted.txt\n    next-hop: mx.example\n" % (folder, folder))
    with open(os.path.join(folder, "accepted.txt"), "w") as f:
        f.write("contoso.com\n")
    for what in ("messages", "recipients", "refusals", "charges", "signatures"):
        for form in ("csv", "jsonl"):
            began = time.monotonic()
            done = subprocess.Popen([os.path.join(build, "postern"), "export", "-c", policy, "--what", what, "--format", form],
                                    stdout=subprocess.PIPE)
            lines = sum(1 for _ in done.stdout)
            _, status, use = os.wait4(done.pid, 0)
            print("export %-10s %-5s: status %d, %.1f s, %d lines, at most %d MiB" %
                  (what, form, status, time.monotonic() - began, lines, use.ru_maxrss // 1024))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=".")
    parser.add_argument("--messages", type=int, default=1000000)
    parser.add_argument("--folder")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--also", action="append", default=[])
    o = parser.parse_args()
    folder = o.folder or tempfile.mkdtemp(prefix="postern-audit-")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "audit.db")
    have = 0
    if os.path.exists(path):
        have = sqlite3.connect(path).execute("SELECT count(*) FROM messages").fetchone()[0]
    if have != o.messages:
        if have:
            os.unlink(path)
        make_sqlite(path, o.messages)
    print("%d messages, %d MiB, in %s" % (o.messages, os.path.getsize(path) >> 20, folder))
    if o.export:
        export(os.path.abspath(o.build), folder, o.messages)
        return
    ask_sqlite(path, o.also)
    if o.postgres:
        pg = postgres.Postgres()
        try:
            make_postgres(pg, o.messages)
            ask_postgres(pg, o.also)
        finally:
            pg.close()


if __name__ == "__main__":
    main()
