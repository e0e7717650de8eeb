#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""How long each page of postern dashboard takes over a large audit, made here, beside the first page's main
question asked of the rows. usage: tests/bench/dashboard.py --build FOLDER [--messages N] [--folder FOLDER]
90 days of 200 apps. The database stays in --folder, and is used again where it has as many messages."""

import argparse
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import audit  # noqa: E402
import dashboard_rows  # noqa: E402
import schema  # noqa: E402

POLICY = """listen: unix:/tmp/none.sock
database: sqlite:%s
tenants:
  contoso: {accepted-domains: accepted.txt, next-hop: mx.example}
apps:
"""
# The newest N rows, or all of them, and which name: the busiest app, and one with little mail.
PAGES = ("", "apps", "refusals", "replies", "limits", "methods", "unsigned", "app?name=app0", "app?name=app60", "tenant?name=contoso", "department?name=",
         "method?name=direct-send", "reason?name=unknown-client", "sender?name=app0-1@contoso.com", "client?name=10.1.0.1", "client?name=10.1.150.1",
         "search?q=u7@example.net", "search?q=Q77", "latest?of=unsigned", "latest?of=client&name=10.1.150.1", "message?id=%s")


def add_deliveries(path):
    if os.path.exists(path + "-deliveries"):
        return
    chance = random.Random(4711)
    db = sqlite3.connect(path + "-deliveries")
    schema.follower_tables(db)
    rows = sqlite3.connect(path).execute("SELECT queue_id, time FROM messages WHERE verdict = 'accept' ORDER BY time")
    for queue_id, at in rows:
        status, dsn, reply = ("sent", "2.6.0", "250 2.6.0 Queued mail for delivery") if chance.random() < 0.98 else chance.choice(dashboard_rows.REPLIES)
        db.execute("INSERT INTO deliveries (relay, instance, queue_id, origin_id, recipient, original, first_time, time, status, dsn, next_hop, next_hop_of, tls,"
                   " delay_ms, reply, attempts, closed) VALUES ('relay', 'postfix', ?, ?, 'bob@example.net', '', ?, ?, ?, ?, 'mx.example[192.0.2.1]:25', ',contoso,',"
                   " 'TLSv1.3', 900, ?, 1, ?)", (queue_id, queue_id, at + 900, at + 1000, status, dsn, reply, at + 1000))
    db.commit()
    db.close()


def make(folder, messages):
    path = os.path.join(folder, "audit.db")
    if os.path.exists(path):
        with sqlite3.connect(path) as db:
            if db.execute("SELECT count(*) FROM messages").fetchone()[0] == messages:
                return path
        os.unlink(path)
    audit.make_sqlite(path, messages)
    with sqlite3.connect(path) as db:
        schema.roll_up(db)
        db.executescript(schema.views("sqlite"))
    add_deliveries(path)
    with open(os.path.join(folder, "policy.yaml"), "w") as f:
        f.write(POLICY % path)
        for i in range(audit.APPS):
            f.write("  - {name: app%d, tenant: contoso, clients: [10.1.%d.0/24], method: %s, senders: ['*@contoso.com'], limits: [30 messages/minute]}\n"
                    % (i, i, "connector" if i % 2 else "direct-send"))
    with open(os.path.join(folder, "accepted.txt"), "w") as f:
        f.write("contoso.com\n")
    return path


def seconds(what, times=3):
    found = []
    for _ in range(times):
        began = time.monotonic()
        what()
        found.append(time.monotonic() - began)
    return sorted(found)[times // 2]


def get(address, page):
    with urllib.request.urlopen("http://%s/%s" % (address, page)) as answer:
        return answer.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--messages", type=int, default=1000000)
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "postern-bench-dashboard"))
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    path = make(options.folder, options.messages)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % s.getsockname()[1]
    child = subprocess.Popen([os.path.join(options.build, "postern"), "dashboard", "-c", os.path.join(options.folder, "policy.yaml"), "--listen", address])
    try:
        while True:
            try:
                get(address, "style.css")
                break
            except OSError:
                assert child.poll() is None
                time.sleep(0.1)
        db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        id = db.execute("SELECT id FROM messages WHERE queue_id = 'Q%d'" % (options.messages // 2)).fetchone()[0]
        print("%-40s %8s %8s %8s   ms, median of 3" % ("page", "24h", "7d", "30d"))
        for page in PAGES:
            page = page % id if "%s" in page else page
            times = [seconds(lambda: get(address, page + ("&" if "?" in page else "?") + "since=" + r)) for r in ("24h", "7d", "30d")]
            print("%-40s %8.0f %8.0f %8.0f" % ((page or "(overview)",) + tuple(1000 * t for t in times)), flush=True)
        for days in (1, 7, 30):
            since = int(time.time() * 1000) - days * audit.DAY
            rows = seconds(lambda: db.execute("SELECT app, verdict, reason, count(*), sum(size), sum(external) FROM messages WHERE time >= ? GROUP BY 1, 2, 3",
                                              (since,)).fetchall())
            page = seconds(lambda: get(address, "?since=%s" % ("24h" if days == 1 else "%dd" % days)))
            print("the overview's first of its sums, of the rows of %2d days: %6.0f ms; the whole page / that: %.2f" % (days, 1000 * rows, page / rows))
    finally:
        child.terminate()
        child.wait()


if __name__ == "__main__":
    main()
