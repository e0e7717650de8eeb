#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The audit of a real posternd, told of mail over the milter protocol: subjects that are
hashed or dropped are nowhere to be found, and postern report retries knows the clients
that come back from those that do not. usage: test_audit.py BUILD-FOLDER"""

import csv
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))
POLICY = """listen: unix:{folder}/milter.sock
database: sqlite:{folder}/postern.db
audit:
  subjects: {subjects}
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
apps:
{apps}
rules:
  - name: no-payroll
    subject: '/\\bpayroll\\b/i'
    action: reject
  - name: no-offers
    header: {{Subject: '/offer/'}}
    action: hold
  - name: watched
    subject: "news *"
    action: reject
    mode: monitor
  - name: later
    subject: "later *"
    action: defer
"""
SUBJECTS_APPS = """  - {name: crm, tenant: contoso, clients: [10.1.2.3], method: connector, senders: [crm@contoso.com]}
  - {name: trial, tenant: contoso, clients: [10.1.2.4], method: connector, senders: [trial@contoso.com], mode: monitor}
  - {name: small, tenant: contoso, clients: [10.1.2.5], method: connector, senders: [small@contoso.com], limits: [4K bytes/day]}
  - {name: printers, tenant: contoso, clients: [10.1.9.7], method: direct-send, senders: [scanner@contoso.com]}
"""
SECRET = "Quux4711"
# client, sender, From, recipient, header fields, octets of body, whether a row keeps the subject.
MAIL = [
    ("10.1.2.3", "crm@contoso.com", None, "Subject: hello " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: hello " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: hello\r\n again " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "X-None: 1", 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: payroll " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: offer " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: news " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: later " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", "ceo@contoso.com", "Subject: not mine " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: one " + SECRET + "\r\nSubject: two " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: \xe9\xff " + SECRET, 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: =?utf-8?q?" + SECRET + "?=", 10, True),
    ("10.1.2.3", "crm@contoso.com", None, "Subject: " + SECRET + "x" * 60000, 10, True),
    ("10.1.2.4", "trial@contoso.com", "ceo@contoso.com", "Subject: payroll on trial " + SECRET, 10, True),
    ("10.1.2.5", "small@contoso.com", None, "Subject: first " + SECRET, 3000, True),
    ("10.1.2.5", "small@contoso.com", None, "Subject: over the limit " + SECRET, 3000, True),
    ("10.1.2.5", "small@contoso.com", None, "Subject: over the limit " + SECRET, 3000, True),
    ("10.9.9.9", "x@evil.example", None, "Subject: stranger " + SECRET, 10, False),
]


def message(sender, header, size, message_id=None):
    return ("From: %s\r\n%s\r\nMessage-ID: <%s>\r\n\r\n%s" % (
        sender, header, message_id or "m", ("y" * 70 + "\r\n") * (size // 72 + 1))).encode("latin-1")


class Audit:
    """A folder with a policy file; posternd while mail is sent."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-audit-")
        os.chmod(self.folder, 0o755)
        self.policy = os.path.join(self.folder, "postern.yaml")
        self.database = os.path.join(self.folder, "postern.db")
        self.log = os.path.join(self.folder, "log")
        with open(os.path.join(self.folder, "accepted.txt"), "w") as f:
            f.write("contoso.com\n")

    def send(self, apps, mail, subjects="keep"):
        """The verdict of each; mail: [(client, sender, recipient, octets)]"""
        with open(self.policy, "w") as f:
            f.write(POLICY.format(folder=self.folder, subjects=subjects, apps=apps))
        path = os.path.join(self.folder, "milter.sock")
        daemon = pt.Posternd(os.path.join(BUILD, "posternd"), self.policy, path, self.log).start()
        verdicts = []
        try:
            for client, sender, recipient, raw in mail:
                c = pt.MilterClient(path)
                c.open(client)
                verdicts.append(c.message(sender, [recipient], raw)[0])
                c.close()
        finally:
            status = daemon.stop()
        if status != 0:
            raise AssertionError("posternd ended with %d\n%s" % (status, daemon.log()))
        return verdicts

    def postern(self, *words):
        done = subprocess.run([os.path.join(BUILD, "postern")] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def everything(self):
        """{where: octets}: all that Postern leaves behind, or says of it."""
        found = {}
        for name in os.listdir(self.folder):
            if name.startswith("postern.db") or name == "log":
                with open(os.path.join(self.folder, name), "rb") as f:
                    found[name] = f.read()
        for what in ("messages", "recipients", "refusals", "charges", "signatures"):
            for form in ("csv", "jsonl"):
                status, out, errors = self.postern("export", "-c", self.policy, "--what", what, "--format", form)
                if status != 0:
                    raise AssertionError(errors)
                found["export %s %s" % (what, form)] = out
        db = sqlite3.connect(self.database)
        for (id,) in db.execute("SELECT id FROM messages UNION SELECT id FROM refusals").fetchall():
            for more in ((), ("--json",)):
                status, out, errors = self.postern("explain", "-c", self.policy, *more, id)
                if status != 0 or b"crm" not in out and b"10." not in out:
                    raise AssertionError("explain %s: %d %s%s" % (id, status, out, errors))
                found["explain %s %s" % (id, more)] = out + errors
        for words in (("learn", "-c", self.policy), ("learn", "-c", self.policy, "--json"), ("report", "retries", "-c", self.policy),
                      ("simulate", "--policy", self.policy, "--json")):
            status, out, errors = self.postern(*words)
            if status != 0:
                raise AssertionError(errors)
            found[" ".join(words)] = out + errors
        return found

    def subjects(self):
        """From the export, by the order in which they came; of the first of those that are counted."""
        _, out, _ = self.postern("export", "-c", self.policy)
        return [row["subject"].lstrip("'") for row in csv.DictReader(io.StringIO(out.decode(), newline=""))]

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Subjects(unittest.TestCase):
    def audit(self, subjects):
        audit = Audit()
        self.addCleanup(audit.close)
        verdicts = audit.send(SUBJECTS_APPS, [(client, sender, "bob@example.net", message(from_ or sender, header, size))
                                              for client, sender, from_, header, size, _ in MAIL], subjects)
        # All ways to be decided are there.
        self.assertEqual(set(verdicts), {"accept", "reject", "tempfail"})
        self.assertEqual(pt.audit(audit.database, "SELECT DISTINCT verdict FROM messages WHERE verdict = 'hold'"), [{"verdict": "hold"}])
        reasons = {row["reason"] for row in pt.audit(audit.database, "SELECT reason FROM messages UNION SELECT reason FROM refusals")}
        self.assertTrue(reasons >= {"", "rule:no-payroll", "rule:no-offers", "rule:later", "from-not-allowed", "header-repeated",
                                    "header-too-large", "limit:small/bytes-per-day", "unknown-client"}, reasons)
        self.assertEqual(pt.audit(audit.database, "SELECT rule FROM rule_matches WHERE rule = 'watched'"), [{"rule": "watched"}])
        return audit

    def test_kept(self):
        """Where they are kept they are found: what the other tests look for is there to be found."""
        audit = self.audit("keep")
        where = {name for name, octets in audit.everything().items() if SECRET.encode() in octets}
        self.assertTrue(where >= {"export messages csv", "export messages jsonl", "postern.db"}, where)
        self.assertTrue(any(name.startswith("explain") for name in where))
        self.assertIn("hello again " + SECRET, audit.subjects())
        self.assertEqual([len(s) for s in audit.subjects() if "xxx" in s], [512])

    def test_hashed(self):
        audit = self.audit("hash")
        self.assertEqual([name for name, octets in audit.everything().items() if SECRET.encode() in octets], [])
        subjects = audit.subjects()
        self.assertEqual([s for s in subjects if s and not re.fullmatch("#[0-9a-f]{16}", s)], [])
        self.assertEqual(subjects[0], subjects[1])
        self.assertEqual(subjects[3], "")
        # Those that differ do; the limit's and the first two are alike.
        given = [header.replace("\r\n ", " ").split("\r\n")[0] if header.startswith("Subject") else "" for _, _, _, header, _, _ in MAIL]
        self.assertEqual(len(set(subjects)), len({g for g, row in zip(given, MAIL) if row[5]}))

    def test_dropped(self):
        audit = self.audit("drop")
        self.assertEqual([name for name, octets in audit.everything().items() if SECRET.encode() in octets], [])
        self.assertEqual(set(audit.subjects()), {"#"})


RETRY_APPS = """  - {{name: mta, tenant: contoso, clients: [10.1.0.1], method: connector, senders: [mta@contoso.com], limits: [{bytes} bytes/hour]}}
  - {{name: late, tenant: contoso, clients: [10.1.0.2], method: connector, senders: [late@contoso.com], limits: [{bytes} bytes/hour]}}
  - {{name: never, tenant: contoso, clients: [10.1.0.3], method: connector, senders: [never@contoso.com], limits: [{bytes} bytes/hour]}}
  - {{name: printer, tenant: contoso, clients: [10.1.0.4], method: connector, senders: [printer@contoso.com], limits: [{messages} messages/hour]}}
  - {{name: list, tenant: contoso, clients: [10.1.0.5], method: connector, senders: [list@contoso.com], limits: ["{messages} recipients/hour per recipient"]}}
  - {{name: minutely, tenant: contoso, clients: [10.1.0.6], method: connector, senders: [minutely@contoso.com], limits: [{many} messages/hour]}}
"""
CLIENTS = {"mta": "10.1.0.1", "late": "10.1.0.2", "never": "10.1.0.3", "printer": "10.1.0.4", "list": "10.1.0.5",
           "minutely": "10.1.0.6"}
MINUTE = 60000


class Retries(unittest.TestCase):
    """Times are moved in the file afterwards; all else is posternd's own."""

    @classmethod
    def setUpClass(cls):
        cls.audit = Audit()
        start = int(time.time() * 1000) - 3 * 86400000
        cls.at = {}

        def mail(app, n, minutes, size=10, recipient="bob@example.net"):
            id = "%s-%d" % (app, n)
            cls.at.setdefault(id, []).append(start + minutes * MINUTE)
            sender = app + "@contoso.com"
            return CLIENTS[app], sender, recipient, message(sender, "Subject: job %d" % n, size, id)
        # Under limits: the second of each is over. Then without: those that come again.
        first = [mail(app, n, n, 6000) for app in ("mta", "late", "never") for n in (1, 2)]
        first += [mail("printer", n, n) for n in (1, 2)] + [mail("list", n, n, recipient="carol@example.net") for n in (1, 2)]
        first += [mail("minutely", n, n) for n in range(1, 41)]
        small = RETRY_APPS.format(bytes="10K", messages=1, many=20)
        cls.first = cls.audit.send(small, first)
        again = [mail("mta", 2, 12, 6000), mail("late", 2, 302, 6000), mail("never", 3, 20, 5000), mail("list", 3, 30)]
        again += [mail("minutely", n, n) for n in range(41, 61)]
        again += [mail("mta", 9, 240, 10)]    # so that the audit is known to be kept
        cls.again = cls.audit.send(RETRY_APPS.format(bytes="10M", messages=1000, many=1000), again)
        db = sqlite3.connect(cls.audit.database)
        for row in db.execute("SELECT id, message_id FROM messages ORDER BY time, rowid").fetchall():
            db.execute("UPDATE messages SET time = ? WHERE id = ?", (cls.at[row[1].strip("<>")].pop(0), row[0]))
        # The eom ones are stored with their message; of the others the time is that of the second mail.
        cls.refusals = db.execute("SELECT app, stage, count FROM refusals ORDER BY app").fetchall()
        db.execute("UPDATE refusals SET first_time = ?, last_time = ? WHERE stage <> 'eom'", (start + 2 * MINUTE, start + 2 * MINUTE))
        db.execute("UPDATE refusals SET first_time = coalesce((SELECT time FROM messages m WHERE m.id = refusals.id), first_time), "
                   "last_time = coalesce((SELECT time FROM messages m WHERE m.id = refusals.id), last_time) WHERE stage = 'eom'")
        db.execute("UPDATE refusals SET first_time = ?, last_time = ? WHERE app = 'minutely'", (start + 21 * MINUTE, start + 40 * MINUTE))
        db.commit()
        db.close()
        status, out, errors = cls.audit.postern("report", "retries", "-c", cls.audit.policy, "--json")
        if status != 0:
            raise AssertionError(errors)
        cls.said = {c["app"]: c for c in json.loads(out.decode())["clients"]}

    @classmethod
    def tearDownClass(cls):
        cls.audit.close()

    def test_what_was_sent_was_decided_so(self):
        self.assertEqual(self.first[:10], ["accept", "tempfail"] * 5)
        self.assertEqual(self.first[10:], ["accept"] * 20 + ["tempfail"] * 20)
        self.assertEqual(set(self.again), {"accept"})
        self.assertEqual([r for r in self.refusals if r[0] in ("list", "minutely", "printer")],
                         [("list", "rcpt", 1), ("minutely", "mail", 20), ("printer", "mail", 1)])

    def expect(self, app, habit, **evidence):
        c = self.said[app]
        self.assertEqual((c["verdict"], {e["what"]: e["count"] for e in c["evidence"]}),
                         (habit, {key.replace("_", "-"): n for key, n in evidence.items()}))
        self.assertEqual(c["client"], CLIENTS[app])

    def test_one_that_retries(self):
        self.expect("mta", "retries", same_message_id=1)
        self.assertEqual(self.said["mta"]["soonest_ms"], 10 * MINUTE)

    def test_one_that_retries_late(self):
        self.expect("late", "retries-late", same_message_id_late=1)
        self.assertEqual(self.said["late"]["latest_ms"], 300 * MINUTE)

    def test_one_that_never_does(self):
        self.expect("never", "does-not-retry", other_mail=1)
        self.assertTrue(self.said["never"]["choose_hold"])

    def test_a_device_that_is_stopped_at_mail(self):
        self.expect("printer", "does-not-retry", nothing=1)

    def test_one_that_goes_on_to_another_recipient(self):
        self.expect("list", "does-not-retry", other_mail=1)

    def test_one_that_sends_every_minute(self):
        self.expect("minutely", "cannot-tell", sends_anyway=1, counted=19)

    def test_each_id_is_known_to_explain(self):
        for c in self.said.values():
            for e in c["evidence"]:
                status, out, errors = self.audit.postern("explain", "-c", self.audit.policy, e["id"])
                self.assertEqual((status, errors), (0, b""))
                self.assertIn(b"limit:%s/" % c["app"].encode(), out)


if __name__ == "__main__":
    unittest.main()
