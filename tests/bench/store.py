#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the store can do, beside what is usually written in its place.

  rates    admits a second at 1, 8 and 64 sessions, and beside each in the same run
           the same rows by a connection per session: in SQLite one transaction a
           message (WAL, synchronous=FULL for both), in PostgreSQL one round trip a
           message; the ratio of the medians is what counts
  growth   admits a second at 8 sessions with 10^4 ... 10^7 messages in the audit
  reading  admits at full load while reports over all of the audit run one after
           the other, beside reports over a copy of its file, and without any
usage: store.py BUILD-FOLDER [rates] [growth] [reading] [--postgres URL-OF-AN-EMPTY-DATABASE]
       [--repeat N] [--seconds N] [--largest N]"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time

FILL = """
INSERT INTO messages (id,time,relay,queue_id,stage,verdict,reason,code,enhanced,text,would,would_reason,would_text,mode,app,
  tenant,method,department,client,client_name,helo,login,tls,certificate,certificate_issuer,picked_up,sender,sender_domain,
  header_from,header_from_domain,header_sender,subject,message_id,form,size,recipients,internal,external,local,signing,
  stripped,policy,trace,decide_us)
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :end)
SELECT printf('00%024d', i), 1600000000000 + i * 700, 'relay', printf('4b%09d', i), 'eom',
  CASE i % 50 WHEN 0 THEN 'reject' ELSE 'accept' END, CASE i % 50 WHEN 0 THEN 'sender-not-accepted' ELSE '' END, 250, '2.0.0',
  '', 'accept', '', '', 'enforce', 'app' || (i % 300), 'contoso', 'connector', 'Sales', '10.1.2.' || (i % 200), 'c', 'c', '',
  'TLSv1.3', '', '', 0, 'app' || (i % 300) || '@contoso.com', 'contoso.com', 'app' || (i % 300) || '@contoso.com',
  'contoso.com', '', 'Your order ' || i || ' has been shipped', '<' || i || '@contoso.com>', '', 2048, 1, 0, 1, 0, 'signed', 0,
  '0123456789abcdef', 'mail app-identified yes', 300 FROM n"""
PARTS = ["""INSERT INTO recipients SELECT id, 0, 'bob@example.net', 'example.net', 'external', 1, '' FROM messages
            WHERE time >= 1600000000000 + :first * 700 AND time < 1600000000000 + :end * 700""",
         """INSERT INTO charges SELECT id, 0, 'crm/messages-per-minute', '', 1, 5, 30, 2, 0, 1 FROM messages
            WHERE time >= 1600000000000 + :first * 700 AND time < 1600000000000 + :end * 700"""]
REPORT = """SELECT app, verdict, count(*), sum(size), count(DISTINCT client), max(time) FROM mail
            GROUP BY app, verdict ORDER BY 3 DESC LIMIT 20"""


def bench(build, what, url, sessions, seconds):
    out = subprocess.run([os.path.join(build, "tests/bench/store"), what, url, str(sessions), str(seconds)],
                         check=True, capture_output=True, text=True).stdout
    result = json.loads(out)
    if result["failed"]:
        raise SystemExit("%s %s: %d failed" % (what, url, result["failed"]))
    return result


class Folder:
    """A new database file each time."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="postern-bench-", dir=os.environ.get("BENCH_DIR"))
        self.file = os.path.join(self.path, "audit.db")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    @property
    def url(self):
        return "sqlite:" + self.file


def rates(args):
    print("| store | sessions | admits/s | p99 ms | peer/s | peer p99 ms | ratio |\n|---|---|---|---|---|---|---|")
    for name in ["SQLite"] + (["PostgreSQL"] if args.postgres else []):
        for sessions in (1, 8, 64):
            ours, theirs = [], []
            for _ in range(args.repeat):
                for what, results in (("store", ours), ("peer", theirs)):
                    with Folder() as f:
                        url = f.url if name == "SQLite" else args.postgres
                        results.append(bench(args.build, what, url, sessions, args.seconds))
            a, b = (statistics.median(r["per_second"] for r in x) for x in (ours, theirs))
            p, q = (statistics.median(r["p99_us"] for r in x) / 1000 for x in (ours, theirs))
            print("| %s | %d | %.0f | %.1f | %.0f | %.1f | %.2f |" % (name, sessions, a, p, b, q, a / b), flush=True)


def fill(file, first, end):
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA synchronous=OFF")
    step = 500000
    for at in range(first, end, step):
        bounds = {"first": at, "end": min(at + step, end)}
        db.execute("BEGIN")
        for sql in [FILL] + PARTS:
            db.execute(sql, bounds)
        db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    os.sync()


class Reader(threading.Thread):
    """Reports over all of the audit, one after the other, read-only."""

    def __init__(self, file):
        super().__init__()
        self.file, self.times, self.stopping = file, [], False

    def run(self):
        code = ("import sqlite3,sys\ndb=sqlite3.connect('file:%s?mode=ro',uri=True)\n"
                "list(db.execute(sys.argv[1]))\n" % self.file)
        while not self.stopping:
            began = time.monotonic()
            self.child = subprocess.Popen(["/usr/bin/python3", "-c", code, REPORT])
            self.child.wait()
            self.times.append(time.monotonic() - began)

    def stop(self):
        self.stopping = True
        self.child.kill()
        self.join()


def line(label, r):
    return "| %s | %d | %.1f | %.1f | %.1f |" % (label, r["per_second"], r["p50_us"] / 1000, r["p99_us"] / 1000, r["max_us"] / 1000)


def growth(args, do_growth, do_reading):
    with Folder() as f:
        bench(args.build, "store", f.url, 1, 1)
        size, have = 10000, 0
        if do_growth:
            print("| messages in the audit | admits/s | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|")
        while size <= args.largest:
            fill(f.file, have, size)
            have = size
            if do_growth:
                runs = [bench(args.build, "store", f.url, 8, args.seconds) for _ in range(args.repeat)]
                runs.sort(key=lambda r: r["per_second"])
                print(line(size, runs[len(runs) // 2]), flush=True)
            size *= 10
        if do_reading:
            reading(args, f, have)


def reading(args, folder, have):
    """Reports over a copy show what a busy core and a busy disk cost; those over the audit, what reading it costs beside."""
    kinds = [("nobody reads", None), ("reports over a copy", folder.file + "-copy"), ("reports over the audit", folder.file)]
    shutil.copy(folder.file, folder.file + "-copy")
    os.sync()
    runs, times = {label: [] for label, _ in kinds}, {label: [] for label, _ in kinds}
    bench(args.build, "store", folder.url, 8, args.seconds)
    for _ in range(args.repeat):
        for label, file in kinds:
            reader = Reader(file) if file else None
            if reader:
                reader.start()
            runs[label].append(bench(args.build, "store", folder.url, 8, max(args.seconds, 20)))
            if reader:
                reader.stop()
                times[label] += reader.times[:-1]
    print("| at %d messages | admits/s | p50 ms | p99 ms | max ms | reports done |\n|---|---|---|---|---|---|" % have)
    for label, _ in kinds:
        middle = sorted(runs[label], key=lambda r: r["per_second"])[args.repeat // 2]
        print(line(label, middle) + " %d%s |" % (len(times[label]), ", %.1f s each" % statistics.mean(times[label]) if times[label] else ""))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build")
    p.add_argument("what", nargs="*")
    p.add_argument("--postgres")
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--largest", type=int, default=10000000)
    args = p.parse_args()
    what = args.what or ["rates", "growth", "reading"]
    if "rates" in what:
        rates(args)
    if "growth" in what or "reading" in what:
        growth(args, "growth" in what, "reading" in what)


if __name__ == "__main__":
    main()
