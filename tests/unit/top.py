#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern top over an audit whose roll-ups and limits the test writes while it looks: the numbers,
80 columns, nothing of a name moves the cursor; and that it reads no row of the audit, for there are none: it works
with the tables of the messages taken away, and SQLite's plan reads the hours by their key."""

import fcntl
import json
import os
import pty
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import schema  # noqa: E402

BUILD = os.getcwd()
HOUR = 3600000
POLICY = """listen: unix:/tmp/none.sock
database: sqlite:%s/audit.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [crm@contoso.com]
    limits: [100 messages/hour, 1000 recipients/day]
  - name: printers
    tenant: contoso
    clients: [10.1.9.0/24]
    method: direct-send
    senders: [scanner@contoso.com]
"""


class Top(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="postern-top-")
        self.addCleanup(shutil.rmtree, self.folder)
        with open(self.folder + "/accepted.txt", "w") as f:
            f.write("contoso.com\n")
        self.policy = self.folder + "/postern.yaml"
        with open(self.policy, "w") as f:
            f.write(POLICY % self.folder)
        self.audit = schema.Database(self.folder + "/audit.db")
        for table in ("messages", "recipients", "charges", "signatures", "refusals", "rule_matches"):
            self.audit.db.execute("DROP TABLE " + table)
        self.now = int(time.time() * 1000)
        self.audit.add("limit_clock", one=1, boot_id="", anchor_wall_ms=0, anchor_boot_ms=0, latest_ms=self.now)
        self.audit.add("limits", id=1, scope="app:crm", unit=0, period=3600, key="", name="crm/messages-per-hour", count=100)
        self.audit.add("limit_use", limit_id=1, slot=self.now * 60 // 3600000, used=93)
        self.traffic("crm", 900, hour=self.now - 30 * HOUR)
        self.traffic("crm", 60)
        self.traffic("crm", 7, verdict="reject", reason="from-not-allowed")
        self.traffic("\x1b[2Jevil\n\u202e" + "x" * 100, 5, verdict="defer", reason="limit:x")
        self.audit.add("held", number=1, message_id="A", relay="r", app="crm", state="waiting")
        self.audit.add("held", number=2, message_id="B", relay="r", app="crm", state="kept")
        self.audit.add("held", number=3, message_id="C", relay="r", app="crm", state="released")
        self.audit.db.commit()

    def traffic(self, app, n, hour=None, verdict="accept", reason="", db=None):
        hour = self.now if hour is None else hour
        db = db or self.audit.db
        for h in (hour - hour % HOUR, 0):
            db.execute("INSERT INTO hours VALUES (?, 'r', ?, 'contoso', '', 'connector', 'enforce', ?, ?, ?, ?, 'signed', ?, 0, 0, 0, 0, ?, ?, "
                       "0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT DO UPDATE SET messages = messages + excluded.messages",
                       (h, app, verdict, reason, verdict, reason, n, hour, hour))

    def more_later(self, seconds, app, n):
        def add():
            db = sqlite3.connect(self.folder + "/audit.db")
            with db:
                self.traffic(app, n, db=db)
            db.close()
        timer = threading.Timer(seconds, add)
        timer.start()
        self.addCleanup(timer.join)

    def top(self, *words, status=0, env=None):
        done = subprocess.run([os.path.join(BUILD, "postern"), "top", "-c", self.policy] + list(words), capture_output=True,
                              env=dict(os.environ, **(env or {})))
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return (done.stdout if status == 0 else done.stderr).decode()

    def test_numbers(self):
        self.more_later(1.0, "crm", 40)
        said = json.loads(self.top("--once", "--json", "--interval", "2"))
        self.assertEqual([a["app"] for a in said["apps"]][0], "crm")
        crm = said["apps"][0]
        self.assertEqual([crm["messages"], crm["rejected"]], [107, 7])
        self.assertTrue(11000 < crm["per_minute_x10"] <= 12000, crm)  # 40 in two seconds
        self.assertEqual(crm["fullest_limit"], {"name": "crm/messages-per-hour", "key": "", "used": 93, "count": 100, "waiting": 0,
                                                "near": True, "reached": False})
        self.assertEqual([said["messages"], said["deferred"], said["waiting"], said["kept"]], [112, 5, 1, 1])
        self.assertEqual([row["name"] for row in said["limits"]], ["crm/messages-per-hour"])

    def test_eighty_columns(self):
        said = self.top("--once", "--interval", "1", env={"COLUMNS": "80"})
        for line in said.splitlines():
            self.assertLessEqual(len(line), 80, line)
        self.assertNotIn("\x1b", said)
        self.assertNotIn("\u202e", said)
        self.assertRegex(said, r"(?m)^crm +0\.0 +67 +7 +0 +0  93% messages-per-ho")
        self.assertRegex(said, r"(?m)^\\u\{1b\}\[2Jevil")
        self.assertRegex(said, r"(?m)^crm/messages-per-hour +93/100 +7 +0$")

    def test_screen(self):
        """On a terminal it starts at the top each time and stays within its lines."""
        for i in range(60):
            self.traffic("app%d" % i, 1000 - i)
        self.audit.db.commit()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        child = subprocess.Popen([os.path.join(BUILD, "postern"), "top", "-c", self.policy, "--interval", "1"], stdout=theirs,
                                 env=dict(os.environ, TERM="xterm", NO_COLOR=""))
        os.close(theirs)
        time.sleep(3.5)
        child.terminate()
        said = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:
                break
            if not more:
                break
            said += more
        os.close(ours)
        child.wait()
        screens = said.decode().split("\x1b[H\x1b[J")[1:]
        self.assertGreaterEqual(len(screens), 3)
        for screen in screens[:-1]:
            self.assertLess(screen.count("\n"), 24)
        self.assertIn("\x1b[33m", said.decode())  # the limit is near
        self.assertLessEqual(set(re.findall("\x1b[^mHJ]*[mHJ]", said.decode())), {"\x1b[H", "\x1b[J", "\x1b[1m", "\x1b[0m", "\x1b[33m", "\x1b[31m"})

    def test_wrong_command_lines(self):
        for words, because in ((("--interval", "0"), "--interval takes seconds"), (("--interval", "x"), "--interval takes seconds"),
                               (("x",), "one argument too many")):
            self.assertIn(because, self.top(*words, status=2))
        os.rename(self.folder + "/audit.db", self.folder + "/away.db")
        self.assertIn("No such file", self.top("--once", status=1))

    def test_plans(self):
        """As sql/read_traffic.c puts them together."""
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "sql", "read_traffic.c")) as f:
            where = re.findall(r'" WHERE (hour [^"]*)"', f.read())
        self.assertEqual(len(where), 2)
        for condition in where:
            plan = self.audit.db.execute("EXPLAIN QUERY PLAN SELECT app, sum(messages) FROM hours WHERE %s GROUP BY app ORDER BY 2" % re.sub(
                r"\?\d", "17", condition)).fetchall()
            self.assertRegex(plan[0][3], r"^SEARCH hours USING PRIMARY KEY \(hour(>\? AND hour<\?|=\?)\)$")


if __name__ == "__main__":
    unittest.main()
