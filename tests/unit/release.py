#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern release over a store of posternd's, with this test in the place of
postern-unhold. usage: release.py BUILD-FOLDER"""

import json
import os
import select
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else os.getcwd()
POLICY = """listen: inet:{port}@127.0.0.1
database: sqlite:{folder}/postern.db
tenants:
  contoso:
    accepted-domains: [accepted.txt]
    connector-auth: ip
    next-hop: mx.example
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [crm@contoso.com]
    limits: [10 messages/minute then hold]
"""


def audit_id(n):
    return "01K9ZQ4M7XPGVN3R8YB6T2H%03d" % n


class Release(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="postern-release-")
        cls.folder = cls.temporary.name
        port = pt.free_port()
        cls.policy = cls.folder + "/postern.yaml"
        with open(cls.folder + "/accepted.txt", "w") as f:
            f.write("contoso.com\n")
        with open(cls.policy, "w") as f:
            f.write(POLICY.format(folder=cls.folder, port=port))
        cls.daemon = pt.Posternd(BUILD + "/posternd", cls.policy, port, cls.folder + "/log")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.n = 0

    @classmethod
    def tearDownClass(cls):
        assert cls.daemon.stop() == 0, cls.daemon.log()

    def setUp(self):
        self.children = []
        if self.daemon.process is None or self.daemon.process.poll() is not None:
            self.daemon.start()
        self.sql("DELETE FROM held; DELETE FROM held_charges")

    def tearDown(self):
        for p in self.children:
            if p.poll() is None:
                p.kill()
            p.wait()
            for stream in (p.stdin, p.stdout, p.stderr):
                stream.close()
        if os.path.exists(self.folder + "/postern.db-operator"):
            os.unlink(self.folder + "/postern.db-operator")

    def sql(self, text):
        db = sqlite3.connect(self.folder + "/postern.db", timeout=10)
        db.executescript(text)
        db.commit()
        db.close()

    def hold(self, state, queue_id="ABCDEF", age=0, who=""):
        """A message in this state, granted so many seconds ago."""
        type(self).n += 1
        now = int(time.time() * 1000)
        self.sql("INSERT OR IGNORE INTO limits (id, scope, unit, period, key, name, count) VALUES"
                 " (1, 'app:crm', 0, 60, '', 'crm/messages-per-minute', 10);"
                 "INSERT INTO messages (id, time, app, sender, reason, verdict) VALUES ('%s', %d, 'crm', 'crm@contoso.com',"
                 " 'limit:crm/messages-per-minute', 'hold');"
                 "INSERT INTO held (message_id, relay, queue_id, app, tenant, limit_id, state, held_time, granted_time, who)"
                 " VALUES ('%s', '%s', '%s', 'crm', 'contoso', 1, '%s', %d, %d, '%s')"
                 % (audit_id(self.n), now, audit_id(self.n), os.uname().nodename, queue_id, state, now - 1000 * age - 3000,
                    now - 1000 * age if state in ("granted", "missing") else 0, who))
        return audit_id(self.n)

    def state(self, message):
        return pt.audit(self.folder + "/postern.db", "SELECT state FROM held WHERE message_id = '%s'" % message)[0]["state"]

    def comes_to(self, message, state, seconds=10):
        pt.wait_for(lambda: self.state(message) == state, seconds, "%s to be %s, not %s" % (message, state, self.state(message)))

    def releaser(self, *arguments):
        p = subprocess.Popen([BUILD + "/postern", "release", "-c", self.policy, *arguments], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.children.append(p)
        return p

    def asked(self, p, seconds=5):
        """The next id that it asks for; None when there is none so soon."""
        if not select.select([p.stdout], [], [], seconds)[0]:
            return None
        return p.stdout.readline().decode().strip()

    def answer(self, p, text):
        p.stdin.write((text + "\n").encode())

    def postern(self, *arguments):
        done = subprocess.run([BUILD + "/postern", "release", "-c", self.policy, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_command_lines(self):
        for words, said in ((["--list", "--now"], "exclude each other"), (["--now"], "needs the audit ids"), (["--now", "x"], "is no audit id"),
                            ([audit_id(1)], "go with --now"), (["--follow", "--json"], "--json goes with"), (["--what"], "usage:")):
            with self.subTest(words):
                status, out, err = self.postern(*words)
                self.assertEqual((status, out), (2, ""), err)
                self.assertIn(said, err)
        status, out, err = self.postern("--list", "-c", "/nonexistent")
        self.assertEqual(status, 1)
        self.assertIn("/nonexistent", err)

    def test_a_person_is_told_what_it_is_for(self):
        master, slave = os.openpty()
        done = subprocess.run([BUILD + "/postern", "release", "-c", self.policy], stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                              timeout=20)
        os.close(master)
        os.close(slave)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"people use --list and --now", done.stderr)

    def test_list(self):
        self.assertEqual(self.postern("--list"), (0, "nothing is held, and nothing was in the last 24 hours\n", ""))
        waiting = [self.hold("kept", queue_id="Q%05d" % i, age=300) for i in range(25)]
        self.sql("UPDATE held SET limit_id = 0; UPDATE messages SET reason = 'rule:big' WHERE id IN (SELECT message_id FROM held)")
        granted = self.hold("granted", who="alice")
        # As long as it has a charge to be held against, posternd does not forget the counter.
        self.sql("INSERT INTO held_charges (message_id, number, limit_id, amount, over, granted) VALUES ('%s', 0, 1, 1, 0, 1)" % granted)
        self.sql("INSERT INTO held (message_id, relay, queue_id, app, tenant, limit_id, state, held_time, released_time) VALUES"
                 " ('%s', '%s', 'X', 'crm', '', 1, 'gone', 5, %d)" % (audit_id(999), os.uname().nodename, time.time() * 1000))
        status, out, err = self.postern("--list")
        self.assertEqual((status, err), (0, ""))
        rows = [line.split() for line in out.splitlines()]
        self.assertIn(["crm/messages-per-minute", "crm", "0", "3", "s", "1", "0", "1"], rows)
        self.assertIn(["rule:big", "crm", "25", "5", "min", "0", "0", "0"], rows)
        self.assertIn([waiting[0], "kept", "5", "min", "Q00000", "crm", "crm@contoso.com"], rows)
        self.assertIn("  and 6 more; --json lists all", out)
        self.assertNotIn("RELAY", out)
        self.sql("UPDATE held SET relay = 'other' WHERE message_id = '%s'" % audit_id(999))
        rows = [line.split() for line in self.postern("--list")[1].splitlines()]
        self.assertIn(["other", "crm/messages-per-minute", "crm", "0", "-", "0", "0", "1"], rows)
        self.sql("INSERT INTO messages (id, time, app, sender, reason, verdict) VALUES ('%s', %d, 'crm', 'crm@contoso.com',"
                 " 'limit:crm/messages-per-minute', 'hold'); DELETE FROM held_charges; DELETE FROM limits"
                 % (audit_id(999), time.time() * 1000))
        rows = [line.split() for line in self.postern("--list")[1].splitlines()]
        self.assertIn(["other", "crm/messages-per-minute", "crm", "0", "-", "0", "0", "1"], rows)
        status, out, err = self.postern("--list", "--json")
        said = json.loads(out)
        self.assertEqual([m["id"] for m in said["held"]], [granted] + waiting)
        self.assertEqual((said["held"][0]["who"], said["held"][0]["state"], said["held"][1]["granted_at"]), ("alice", "granted", None))
        self.assertEqual([(x["state"], x["count"]) for x in said["left_in_24_hours"]], [("gone", 1)])
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/postern.1")) as f:
            manual = f.read().split(".Sh OUTPUT OF RELEASE")[1].split("\n.Sh")[0]
        for name in list(said) + list(said["held"][0]) + list(said["left_in_24_hours"][0]):
            self.assertRegex(manual, r"(?m)^\.Li .*\b%s\b" % name)

    def test_now(self):
        kept = self.hold("kept")
        status, out, err = self.postern("--now", kept, audit_id(998))
        self.assertEqual((status, out), (1, kept + ": it goes now; it was charged when it came\n"))
        self.assertIn(audit_id(998) + ": no message of this id was held", err)
        who = pt.audit(self.folder + "/postern.db", "SELECT who FROM held WHERE message_id = '%s'" % kept)[0]["who"]
        self.assertRegex(who, r"^\S+ \((sudo, )?uid \d+\)$")
        self.daemon.stop()
        status, out, err = self.postern("--now", "--json", kept)
        self.assertEqual((status, json.loads(out)), (1, [{"id": kept, "answer": "later", "text":
                                                          "posternd does not run; it takes this up when it starts"}]))

    def test_what_is_granted_is_asked_for_and_confirmed(self):
        a, b = self.hold("granted", "AAAAAA"), self.hold("granted", "BBBBBB", who="alice")
        p = self.releaser("--follow")
        self.assertEqual([self.asked(p), self.asked(p)], ["AAAAAA", "BBBBBB"])
        self.answer(p, "AAAAAA released")
        self.answer(p, "BBBBBB not-held")
        self.comes_to(a, "released")
        self.comes_to(b, "missing")
        # After some seconds again.
        began = time.monotonic()
        self.assertEqual(self.asked(p, 12), "BBBBBB")
        self.assertGreater(time.monotonic() - began, 2)
        self.answer(p, "BBBBBB released")
        self.comes_to(b, "released")

    def test_what_nobody_took_up_is_not_asked_for_again(self):
        a = self.hold("granted", "AAAAAA", who="alice")
        self.daemon.stop()
        p = self.releaser("--follow")
        self.assertEqual(self.asked(p), "AAAAAA")
        self.answer(p, "AAAAAA released")
        self.assertIsNone(self.asked(p, 5))
        p.kill()
        p = self.releaser("--follow")
        self.assertIsNone(self.asked(p, 2))
        self.assertEqual(self.state(a), "granted")
        self.daemon.start()
        self.comes_to(a, "released")

    def test_a_late_grant_is_not_used(self):
        late, operators = self.hold("granted", "AAAAAA", age=12), self.hold("granted", "BBBBBB", age=1000, who="alice")
        p = self.releaser("--follow")
        self.assertEqual(self.asked(p), "BBBBBB")
        self.answer(p, "BBBBBB released")
        self.comes_to(operators, "released")
        # It waited again, had room at once, and was granted anew.
        self.assertEqual(self.asked(p), "AAAAAA")
        self.answer(p, "AAAAAA released")
        self.comes_to(late, "released")
        acts = pt.audit(self.folder + "/postern.db", "SELECT what FROM acts WHERE message_id = '%s' ORDER BY applied_time" % late)
        self.assertEqual([x["what"] for x in acts], ["late", "released"])

    def test_what_the_mta_cannot_have_is_gone(self):
        unnamed, old = self.hold("granted", ""), self.hold("missing", "AAAAAA", age=61)
        reused = self.hold("granted", "BBBBBB")
        self.hold("kept", "BBBBBB")
        p = self.releaser("--follow")
        for message in (unnamed, old, reused):
            self.comes_to(message, "gone")
        self.assertIsNone(self.asked(p, 1))

    def test_an_mta_that_fails_is_given_time(self):
        a = self.hold("granted", "AAAAAA", who="alice")
        p = self.releaser("--follow")
        began = time.monotonic()
        self.assertEqual(self.asked(p), "AAAAAA")
        self.answer(p, "AAAAAA failed no such queue")
        self.assertEqual(self.asked(p, 12), "AAAAAA")
        self.assertGreater(time.monotonic() - began, 4)
        self.answer(p, "AAAAAA released")
        self.comes_to(a, "released")
        p.kill()
        self.assertEqual(p.stderr.read().decode().count("the MTA does not let mail go: no such queue"), 1)

    def test_answers_that_are_none_end_it(self):
        for text in ("CCCCCC released", "AAAAAA", "AAAAAA perhaps", "AAAAAAA released", ""):
            with self.subTest(text):
                p = self.releaser("--follow")
                self.hold("granted", "AAAAAA", who="alice")
                self.assertEqual(self.asked(p), "AAAAAA")
                self.answer(p, text)
                self.assertEqual(p.wait(10), 1)
                self.assertIn(b"answers what was not asked", p.stderr.read())
                self.sql("DELETE FROM held")

    def test_it_ends_with_postern_unhold(self):
        p = self.releaser("--follow")
        self.assertIsNone(self.asked(p, 1))
        p.stdin.close()
        self.assertEqual(p.wait(10), 1)
        self.hold("granted", "AAAAAA", who="alice")
        p = self.releaser("--follow")
        self.assertEqual(self.asked(p), "AAAAAA")
        p.stdin.close()
        self.assertEqual(p.wait(10), 1)

    def test_once(self):
        p = self.releaser()
        self.assertEqual(p.wait(20), 0)
        a = self.hold("granted", "AAAAAA", who="alice")
        p = self.releaser()
        self.assertEqual(self.asked(p), "AAAAAA")
        self.answer(p, "AAAAAA released")
        self.assertEqual(p.wait(20), 0)
        self.assertEqual(self.state(a), "released")

    def test_a_store_that_comes_later(self):
        self.daemon.stop()
        os.rename(self.folder + "/postern.db", self.folder + "/aside")
        p = self.releaser("--follow")
        self.assertIsNone(self.asked(p, 2))
        os.rename(self.folder + "/aside", self.folder + "/postern.db")
        self.daemon.start()
        a = self.hold("granted", "AAAAAA", who="alice")
        self.assertEqual(self.asked(p, 10), "AAAAAA")
        self.answer(p, "AAAAAA released")
        self.comes_to(a, "released")


if __name__ == "__main__":
    unittest.main(verbosity=2)
