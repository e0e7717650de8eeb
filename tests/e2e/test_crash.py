#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""posternd killed at named points of the message's way, under load. Afterwards
every message that the stand-in got has its row as accepted, no limit is
exceeded, and every start needed no repair. With the commit taken out the same
check must find a loss. usage: test_crash.py BUILD-WITH-CRASH-POINTS [KILLS]"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

BUILD = os.path.abspath(sys.argv[1])
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
POINTS = ["sign-before-end", "sign-after-end", "admit-before-begin", "admit-before-commit", "admit-after-commit",
          "eom-before-reply"]
POLICY = """
listen: unix:{folder}/run/milter.sock
database: sqlite:{folder}/postern.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    connector-auth: ip
    next-hop: mx.example
signing:
  contoso.com:
    - selector: postern1
      key: rsa.pem
apps:
  - name: load
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [load@contoso.com]
    limits: [{limit} messages/day]
"""


class Load:
    """Four clients that send numbered messages until told to stop."""

    def __init__(self, port):
        self.port, self.stop, self.number, self.lock = port, False, 0, threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(4)]
        for t in self.threads:
            t.start()

    def run(self):
        while not self.stop:
            try:
                c = pt.Client(self.port)
                c.ehlo()
                c.pretend("10.1.2.3")
                for _ in range(5):
                    with self.lock:
                        self.number += 1
                        n = self.number
                    raw = ("From: load@contoso.com\r\nSubject: n%d\r\n\r\nHello\r\n" % n).encode()
                    if pt.outcome(c.message("load@contoso.com", ["x@example.net"], raw))[0] != "accept":
                        time.sleep(0.02)
                c.close()
            except (OSError, ConnectionError, RuntimeError):
                time.sleep(0.02)

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join(60)


def crash_run(kills, limit, fault=None, points=POINTS):
    """Returns (lost messages, messages at the stand-in, rows accepted, kills by
    point). A run that reaches no point within 15 s is ended and not counted."""
    died = dict.fromkeys(points, 0)
    folder = tempfile.mkdtemp(prefix="postern-crash-")
    os.chmod(folder, 0o755)
    os.makedirs(folder + "/run")
    shutil.chown(folder + "/run", group="postfix")
    os.chmod(folder + "/run", 0o2750)
    pt.make_key(folder, "rsa.pem")
    with open(folder + "/accepted.txt", "w") as f:
        f.write("contoso.com\n")
    with open(folder + "/postern.yaml", "w") as f:
        f.write(POLICY.format(folder=folder, limit=limit))
    stand_in = pt.StandIn()
    daemon = pt.Posternd(os.path.join(BUILD, "posternd"), folder + "/postern.yaml", folder + "/run/milter.sock",
                         folder + "/log")
    daemon.environment["ASAN_OPTIONS"] = "detect_leaks=0"
    postfix = pt.Postfix(folder + "/postfix", "unix:" + folder + "/run/milter.sock", stand_in.port)
    load = None
    try:
        for i in range(kills):
            point = points[i % len(points)]
            # The signer's check of itself at start passes its points once.
            first = (2 if point.startswith("sign") else 1) + (3 if fault else 0)
            daemon.environment["POSTERN_CRASH"] = "%s:%d" % (point, random.randint(first, first + 2))
            if fault:
                daemon.environment["POSTERN_FAULT"] = fault
            daemon.start(may_die=True)
            if i == 0:
                postfix.start()
                load = Load(postfix.port)
            try:
                status = daemon.process.wait(15)
                assert status == -signal.SIGKILL, "posternd ended with %d\n%s" % (status, daemon.log()[-2000:])
                died[point] += 1
            except subprocess.TimeoutExpired:
                daemon.kill()
        daemon.environment.pop("POSTERN_CRASH", None)
        daemon.environment.pop("POSTERN_FAULT", None)
        daemon.start()
        load.end()
        postfix.wait_empty(60)
        status = daemon.stop()
        log = daemon.log()
    finally:
        if load:
            load.stop = True
        postfix.stop()
        if daemon.process and daemon.process.poll() is None:
            daemon.kill()
        stand_in.close()
    assert status == 0, "the last run ended with %d" % status
    assert not re.search("repair|corrupt|malformed", log), log[-2000:]
    database = folder + "/postern.db"
    assert pt.audit(database, "PRAGMA integrity_check")[0]["integrity_check"] == "ok"
    accepted = {r["id"] for r in pt.audit(database, "SELECT id FROM messages WHERE verdict = 'accept'")}
    got = [re.search(rb"X-Postern-Id: (\S+)", m["raw"]).group(1).decode() for m in stand_in.messages]
    lost = [g for g in got if g not in accepted]
    shutil.rmtree(folder, ignore_errors=True)
    return len(lost), len(got), len(accepted), died


def finds_a_loss(point):
    """Whether kills at this point lose messages once nothing is committed. A kill that came
    before the first reply loses none, so it is tried more than once."""
    for _ in range(8):
        lost, got, _, died = crash_run(2, 100000, "no-commit", [point])
        print("with the commit taken out, killed at %s %d times: %d arrived, %d without a row (there must be some)" % (
            point, died[point], got, lost))
        if lost > 0:
            return True
    return False


def main():
    seed = random.randrange(1 << 30)
    random.seed(seed)
    print("seed %d" % seed)
    failed = 0
    lost, got, accepted, died = crash_run(KILLS, 100000)
    print("%d kills (%s): %d messages arrived, %d rows accepted, %d without a row" % (
        sum(died.values()), ", ".join("%s %d" % d for d in died.items()), got, accepted, lost))
    failed += lost != 0 or got == 0 or sum(died.values()) < KILLS or min(died.values()) == 0
    # Few enough kills that the limit is reached between them.
    lost, got, accepted, died = crash_run(12, 25)
    print("%d kills at a limit of 25 a day: %d arrived, %d rows accepted, %d without a row" % (
        sum(died.values()), got, accepted, lost))
    failed += lost != 0 or got == 0 or got > 25 or accepted > 25
    # The commit taken out: what the MTA was told before each point is lost.
    # Points before the first message's reply can lose only earlier messages,
    # so each is passed a few times before it kills.
    for point in POINTS:
        failed += not finds_a_loss(point)
    print("%d passed, %d failed" % (2 + len(POINTS) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
