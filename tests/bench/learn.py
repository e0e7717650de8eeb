#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Seconds and memory of postern learn and postern simulate over a large audit, made
here. usage: tests/bench/learn.py --build FOLDER [--messages N] [--folder FOLDER]
The database stays in --folder, and is used again where it has as many messages."""

import argparse
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
POLICY = """listen: unix:{folder}/milter.sock
database: sqlite:{folder}/postern.db
mode: monitor
unknown-clients: monitor
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
    licenses: 1000
"""
APPS, DAYS = 300, 14
MESSAGE = ("id time relay queue_id stage verdict reason code enhanced text would would_reason would_text mode app tenant "
           "method department client client_name helo login tls certificate certificate_issuer picked_up sender "
           "sender_domain header_from header_from_domain header_sender subject message_id form size recipients internal "
           "external local signing stripped policy trace decide_us").split()


def word(i):
    """A name of letters only: what differs in numbers alone is taken for one app's devices."""
    return "".join("bdfgklmnprst"[i // 12 ** k % 12] + "aeiou"[(i + k) % 5] for k in range(3))


def app_of(i):
    """What app i looks like: a third logs in, a third is one address, a third a pool of four."""
    return {"clients": ["10.%d.%d.%d" % (i % 3 + 1, i // 3, 16 + k) for k in range(4 if i % 3 == 2 else 1)],
            "login": word(i) if i % 3 == 0 else "", "sender": word(i) + "@contoso.com" if i % 5 else "noreply@contoso.com",
            "subject": "%s report %%d" % word(i), "host": word(i),
            "external": i % 2, "weight": 1 + i % 17}


def rows(n):
    chance = random.Random(4711)
    apps = [app_of(i) for i in range(APPS)]
    begin = int(time.time() * 1000) - DAYS * 86400000 + 3600000
    step = (DAYS * 86400000 - 7200000) / n
    chosen = chance.choices(apps, [a["weight"] for a in apps], k=n)
    for i, a in enumerate(chosen):
        id = "%026d" % i
        sender = a["sender"]
        rcpts = [("u%d@contoso.com" % (i % 1000), "contoso.com", "internal")]
        if a["external"]:
            rcpts.append(("c%d@example.net" % (i % 5000), "example.net", "external"))
        values = {"id": id, "time": int(begin + i * step), "relay": "relay", "queue_id": "Q%d" % i, "stage": "eom",
                  "verdict": "accept", "code": 250, "enhanced": "2.0.0", "would": "reject", "would_reason": "unknown-client",
                  "mode": "monitor", "app": "unknown", "tenant": "contoso", "method": "direct-send",
                  "client": chance.choice(a["clients"]), "helo": "host", "login": a["login"], "sender": sender,
                  "sender_domain": "contoso.com", "header_from": sender, "header_from_domain": "contoso.com",
                  "subject": a["subject"] % i, "message_id": "<%d@%s.contoso.com>" % (i, a["host"]),
                  "size": 2000, "recipients": len(rcpts), "internal": 1, "external": len(rcpts) - 1, "policy": "0" * 16,
                  "trace": "mail: app? no\nmail: sender-aligned? yes\nrcpt: recipient-reached? yes\n" * 3}
        numbers = ("picked_up", "local", "stripped", "decide_us")
        yield [values.get(c, 0 if c in numbers else "") for c in MESSAGE], [(id, k) + r + (1, "") for k, r in enumerate(rcpts)]


def make(path, n):
    with sqlite3.connect(path) as db:
        db.executescript(open(os.path.join(TOP, "sql", "sqlite", "001-initial.sql")).read())
        db.execute("PRAGMA user_version = 1")
        db.execute("PRAGMA synchronous = OFF")
        insert = "INSERT INTO messages (%s) VALUES (%s)" % (", ".join(MESSAGE), ", ".join("?" * len(MESSAGE)))
        messages, recipients = [], []
        for m, r in rows(n):
            messages.append(m)
            recipients += r
            if len(messages) == 20000:
                db.executemany(insert, messages)
                db.executemany("INSERT INTO recipients VALUES (?, ?, ?, ?, ?, ?, ?)", recipients)
                messages, recipients = [], []
        db.executemany(insert, messages)
        db.executemany("INSERT INTO recipients VALUES (?, ?, ?, ?, ?, ?, ?)", recipients)


def measure(what, command, out):
    began = time.monotonic()
    with open(out, "wb") as f:
        process = subprocess.Popen(command, stdout=f)
        _, status, use = os.wait4(process.pid, 0)
    print("%-10s status %d, %6.1f s (user %.1f, system %.1f), peak %.0f MiB, output %d KiB" % (
        what, os.waitstatus_to_exitcode(status), time.monotonic() - began, use.ru_utime, use.ru_stime,
        use.ru_maxrss / 1024, os.path.getsize(out) // 1024), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--messages", type=int, default=1000000)
    parser.add_argument("--folder")
    o = parser.parse_args()
    folder = o.folder or tempfile.mkdtemp(prefix="postern-bench-learn-")
    os.makedirs(folder, exist_ok=True)
    policy, database = os.path.join(folder, "postern.yaml"), os.path.join(folder, "postern.db")
    for name, text in (("accepted.txt", "contoso.com\n"), ("postern.yaml", POLICY.format(folder=folder))):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    if not os.path.exists(database):
        make(database, o.messages)
    print("%d messages, %d MiB" % (o.messages, os.path.getsize(database) >> 20))
    postern = os.path.join(o.build, "postern")
    draft = os.path.join(folder, "draft.yaml")
    measure("learn", [postern, "learn", "-c", policy], draft)
    measure("simulate", [postern, "simulate", "--policy", draft, "--since", "14d", "--enforce"], os.path.join(folder, "simulated"))
    with open(os.path.join(folder, "simulated")) as f:
        sys.stdout.write(f.read(2000))


if __name__ == "__main__":
    main()
