#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Summaries by mail behind a real Postfix: they leave through the relay that they tell of, judged and signed by posternd, each
owner gets its own, once, over kills between the mail and its note. usage: test_summary.py BUILD-FOLDER [BUILD-WITH-CRASH-POINTS]"""

import datetime
import email
import email.policy
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import history  # noqa: E402
import posterntest as pt  # noqa: E402
import relay  # noqa: E402
import schema  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))
CRASH = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else None

APPS = """  - {{name: erp, tenant: contoso, clients: [10.1.95.0/24], method: connector, senders: [erp@contoso.com], owner: eva@contoso.com}}
  - {{name: nightly, tenant: contoso, clients: [10.1.94.4], method: connector, senders: [nightly@contoso.com], owner: Pia@contoso.com}}
  - {{name: shop, tenant: contoso, clients: [10.1.96.1], method: connector, senders: [shop@contoso.com], owner: Pia@contoso.com}}
  - {{name: here, tenant: contoso, clients: [local], method: connector, senders: [postern@contoso.com]}}
notify:
  admin: postmaster@contoso.com
  from: postern@contoso.com
  sendmail: {folder}/sendmail
summary: {{owners: weekly, admin: weekly, time: 00:00}}
"""
TO = ["Pia@contoso.com", "eva@contoso.com", "postmaster@contoso.com"]


class Existing(schema.Database):
    """The audit of a posternd that does not run."""

    def __init__(self, path):
        self.path, self.kinds, self.db = path, {}, sqlite3.connect(path)


def last_monday():
    now = int(time.time())
    today = now - now % 86400
    return (today - datetime.datetime.fromtimestamp(today, datetime.timezone.utc).weekday() * 86400) * 1000


class Summaries(relay.Relay):
    build = BUILD

    @classmethod
    def setUpClass(cls):
        cls.tools = tempfile.mkdtemp(prefix="postern-summaries-")
        os.chmod(cls.tools, 0o755)
        cls.policy_more = APPS.format(folder=cls.tools)
        super().setUpClass()
        path = os.path.join(cls.tools, "sendmail")
        with open(path, "w") as f:
            f.write('#!/bin/sh\necho x >>%s/calls; exec sendmail -C %s "$@"\n' % (cls.tools, cls.postfix.config))
        os.chmod(path, 0o755)
        cls.daemon.stop()
        audit = Existing(cls.database)
        weeks = history.History(audit, last_monday())
        weeks.usual()
        weeks.changed()
        audit.roll_up()
        audit.close()
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.tools, ignore_errors=True)

    def setUp(self):
        self.state = os.path.join(self.tools, self._testMethodName)
        with self.stand_in.lock:
            self.stand_in.messages.clear()

    def run_it(self, *words, build=BUILD, status=0, **environment):
        done = subprocess.run([os.path.join(build, "postern"), "summary", "-c", self.policy, "--send", "--state", self.state] + list(words),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, TZ="UTC", **environment), timeout=120)
        self.assertNotIn(b"Sanitizer", done.stdout)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout.decode()

    def mails(self):
        with self.stand_in.lock:
            return [m for m in self.stand_in.messages if b"Auto-Submitted: auto-generated" in m["raw"]]

    def wait_for(self, n):
        pt.wait_for(lambda: len(self.mails()) >= n, 30, "%d summaries" % n)
        self.postfix.wait_empty()
        self.assertEqual(len(self.mails()), n)
        return sorted(self.mails(), key=lambda m: m["recipients"])

    def test_each_gets_its_own_once(self):
        self.assertEqual(self.run_it().count(": sent\n"), 3)
        got = self.wait_for(3)
        self.assertEqual([m["recipients"] for m in got], [[to] for to in TO])
        for m, apps in zip(got, (("nightly", "shop"), ("erp",), ("crm", "erp", "nightly", "printers", "shop"))):
            self.assertEqual(m["sender"], "postern@contoso.com")
            self.assertTrue(all(s[2] for s in pt.signatures(m["raw"], self.records)))
            self.assertGreaterEqual(len(pt.signatures(m["raw"], self.records)), 1)
            self.check_mail(email.message_from_bytes(m["raw"], policy=email.policy.default), apps)
        # What posternd made of them: the app of this machine's own mail.
        rows = pt.audit(self.database, "SELECT app, verdict, count(*) AS n FROM messages WHERE sender = 'postern@contoso.com' GROUP BY 1, 2")
        self.assertEqual([(r["app"], r["verdict"]) for r in rows], [("here", "accept")])
        self.assertGreaterEqual(rows[0]["n"], 3)
        for _ in range(3):
            self.assertEqual(self.run_it(), "")
        time.sleep(1)
        self.assertEqual(len(self.mails()), 3)

    def check_mail(self, m, apps):
        self.assertEqual(m.defects, [])
        self.assertRegex(m["Subject"], r"^Postern: Weekly summary \d{4}-\d\d-\d\d: \d+ messages, \d+ refused, \d changes? to look at$")
        self.assertEqual([p.get_content_type() for p in m.iter_parts()], ["text/plain", "text/html"])
        for part in m.iter_parts():
            text = " ".join(re.sub(r"<[^>]*>", " ", part.get_content()).split())
            for app, told in history.CHANGES.items():
                self.assertEqual(bool(re.search(r"\b%s\b" % app, text)), app in apps, (app, m["To"]))
                for change in told if app in apps else ():
                    self.assertIn(change.strip(), text)

    def test_another_run_at_once(self):
        """Several timers at the same time: one of them sends."""
        words = [os.path.join(BUILD, "postern"), "summary", "-c", self.policy, "--send", "--state", self.state]
        runs = [subprocess.Popen(words, stderr=subprocess.PIPE, env=dict(os.environ, TZ="UTC")) for _ in range(6)]
        said = [p.communicate(timeout=120)[1] for p in runs]
        self.assertTrue(all(p.returncode == 0 or b"another postern summary runs" in s for p, s in zip(runs, said)), said)
        self.run_it()
        self.wait_for(3)

    @unittest.skipUnless(CRASH, "no build with crash points")
    def test_killed_between_mail_and_note(self):
        """Each of the mails in turn: it comes once more, under the same Message-ID, and the others once."""
        self.run_it(build=CRASH, status=-signal.SIGKILL, POSTERN_CRASH="summary-sent:1")
        self.run_it(build=CRASH, status=-signal.SIGKILL, POSTERN_CRASH="summary-sent:2")
        self.run_it(build=CRASH, status=-signal.SIGKILL, POSTERN_CRASH="summary-sent:2")
        self.run_it(build=CRASH)
        self.assertEqual(self.run_it(build=CRASH), "")
        got = self.wait_for(6)
        ids = {}
        for m in got:
            ids.setdefault(m["recipients"][0], set()).add(email.message_from_bytes(m["raw"])["Message-ID"])
        self.assertEqual(sorted(ids), TO)
        self.assertEqual({len(x) for x in ids.values()}, {1})

    def test_killed_at_any_time(self):
        """SIGKILL after random times, until all is sent: no more mails than runs that were killed, and none is missing."""
        killed = 0
        for i in range(12):
            p = subprocess.Popen([os.path.join(BUILD, "postern"), "summary", "-c", self.policy, "--send", "--state", self.state],
                                 stderr=subprocess.DEVNULL, env=dict(os.environ, TZ="UTC"))
            time.sleep(0.1 + 0.08 * i)
            if p.poll() is None:
                p.kill()
                killed += 1
            p.wait()
        self.run_it()
        self.assertEqual(self.run_it(), "")
        pt.wait_for(lambda: {m["recipients"][0] for m in self.mails()} == set(TO), 30, "all of them")
        self.postfix.wait_empty()
        self.assertGreater(killed, 0)
        self.assertLessEqual(len(self.mails()), 3 + killed)

    def test_the_mta_is_away(self):
        path = os.path.join(self.tools, "sendmail")
        os.rename(path, path + ".gone")
        try:
            self.assertEqual(self.run_it("--tries", "1", status=1).count("it cannot be run"), 3)
        finally:
            os.rename(path + ".gone", path)
        self.assertEqual(self.run_it().count(": sent\n"), 3)
        self.wait_for(3)


if __name__ == "__main__":
    unittest.main()
