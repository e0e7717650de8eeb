#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern report retries over audits of clients that come back after a 451, never do, do late,
or send all the time anyway; each an app of its own, so that what is said of it is known.
usage: retries.py [BUILD-FOLDER]"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import postgres  # noqa: E402
import schema  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else ".")
SECOND, MINUTE, HOUR, DAY = 1000, 60000, 3600000, 86400000
NOW = int(time.time()) * 1000
BEGIN = NOW - 20 * DAY
SILENT = BEGIN + 2 * DAY   # two days on which nobody sends
DAYS = [BEGIN + (5 + i) * DAY for i in range(14)]   # the days of what is asked for
ALICE, BOB = "alice@contoso.com", "bob@contoso.com"


class Client:
    """What one client of an app gets into the audit, as posternd would put it there."""
    count = 0

    def __init__(self, audit, app, client=None, sender=None):
        Client.count += 1
        self.audit, self.app = audit, app
        self.client = client or "10.1.0.%d" % Client.count
        self.sender = sender if sender is not None else app + "@contoso.com"

    def id(self):
        Client.count += 1
        return "%026d" % Client.count

    def mail(self, at, to=(ALICE,), mid="", subject="Hello", size=1000, verdict="accept", reason="", id=None, local=False):
        id = id or self.id()
        self.audit.add("messages", id=id, time=at, stage="eom", verdict=verdict, reason=reason, app=self.app, client="127.0.0.1" if local else
                       self.client, picked_up=int(local), sender=self.sender, subject=subject, message_id=mid, size=size,
                       recipients=len(to))
        for k, address in enumerate(to):
            self.audit.add("recipients", message_id=id, number=k, address=address, accepted=1)
        return id

    def stopped(self, at, **more):
        """A limit stops it at its end."""
        return self.mail(at, verdict="defer", reason="limit:%s/bytes-per-hour" % self.app, **more)

    def refused(self, times, stage="mail", recipient=BOB, reason=None, verdict="defer", id=None, sender=None):
        """Counted refusals of one kind: those within an hour share a row."""
        rows = []
        for at in times:
            if rows and at - rows[-1][0] < HOUR:
                rows[-1].append(at)
            else:
                rows.append([at])
        for row in rows:
            self.audit.add("refusals", id=id or self.id(), reason=reason or "limit:%s/messages-per-hour" % self.app, stage=stage,
                           first_time=row[0], last_time=row[-1], count=len(row), verdict=verdict, app=self.app, client=self.client,
                           sender=self.sender if sender is None else sender, recipient=recipient if stage == "rcpt" else "")


def clients(audit):
    """{app: (habit, {evidence: count})} and what is wanted beside."""
    wanted = {}

    def client(app, habit, hold, where=None, **more):
        wanted[app, where] = (habit, hold, {key.replace("_", "-"): n for key, n in more.items()})
        return Client(audit, app, where)

    # Somebody sends all the time, so that the audit is known to be kept; but not in the silence.
    beat = Client(audit, "heartbeat")
    for at in range(BEGIN, NOW, 20 * MINUTE):
        if not SILENT <= at < SILENT + 2 * DAY:
            beat.mail(at, mid="<%d@beat>" % at)

    c = client("mta", "retries", False, same_message_id=4)
    for i in range(2):
        c.stopped(DAYS[i], mid="<%d@mta>" % i)
        c.mail(DAYS[i] + (5 + 15 * i) * MINUTE, mid="<%d@mta>" % i)
    c.stopped(DAYS[3], mid="<3@mta>")    # stopped again, and through at last
    c.stopped(DAYS[3] + 10 * MINUTE, mid="<3@mta>")
    c.mail(DAYS[3] + 25 * MINUTE, mid="<3@mta>")

    c = client("printer", "does-not-retry", True, nothing=2)
    for i in range(8):
        c.mail(DAYS[i])
    c.refused([DAYS[2] + HOUR, DAYS[4] + HOUR])

    c = client("late", "retries-late", False, same_message_id_late=1)
    c.stopped(DAYS[1], mid="<1@late>")
    c.mail(DAYS[1] + 5 * HOUR, mid="<1@late>")

    # Every minute for twelve hours, whether there is a 451 or not: ten an hour pass.
    c = client("minutely", "cannot-tell", False, sends_anyway=11, counted=539, not_over=0)
    for hour in range(12):
        for minute in range(60 if hour == 0 else 10):
            c.mail(DAYS[1] + hour * HOUR + minute * MINUTE)
        if hour > 0:
            c.refused([DAYS[1] + hour * HOUR + minute * MINUTE for minute in range(10, 60)])
    for minute in range(60):
        c.mail(DAYS[1] + 12 * HOUR + minute * MINUTE)

    def daily(c, days=range(14)):
        for i in days:
            c.mail(DAYS[i])
    c = client("daily", "retries", False, unusual_mail=3)
    daily(c)
    for i in (8, 10, 12):
        c.refused([DAYS[i] + 6 * HOUR])
        c.mail(DAYS[i] + 6 * HOUR + 10 * MINUTE)
    # Once may be chance.
    c = client("once", "cannot-tell", False, unusual_mail=1)
    daily(c)
    c.refused([DAYS[8] + 6 * HOUR])
    c.mail(DAYS[8] + 6 * HOUR + 10 * MINUTE)
    # One mail cannot be the retry of three.
    c = client("claims", "cannot-tell", False, unusual_mail=1, possible=2)
    daily(c)
    for k in range(3):
        c.refused([DAYS[8] + 6 * HOUR + k * SECOND], reason="limit:claims/%d" % k)
    c.mail(DAYS[8] + 7 * HOUR)
    # What follows at once is no retry, but may be one.
    c = client("haste", "cannot-tell", False, possible=1)
    daily(c)
    c.refused([DAYS[8] + 6 * HOUR])
    c.mail(DAYS[8] + 6 * HOUR + 30 * SECOND)
    # A day's mail is at times followed by another: then one that follows says nothing.
    c = client("often", "cannot-tell", False, sends_anyway=3)
    daily(c)
    for i in (1, 2, 3):
        c.mail(DAYS[i] + HOUR)
    for i in (8, 10, 12):
        c.refused([DAYS[i] + 6 * HOUR])
        c.mail(DAYS[i] + 6 * HOUR + 10 * MINUTE)

    c = client("young", "cannot-tell", False, habit_unknown=1)
    c.refused([DAYS[3]])
    c.mail(DAYS[3] + 10 * MINUTE)

    c = client("fresh", "cannot-tell", False, not_over=1)
    c.refused([NOW - 90 * MINUTE])

    c = client("burst", "gives-up", True, nothing_after_last=1, counted=9)
    c.refused([DAYS[3] + k * 2 * SECOND for k in range(10)])

    c = client("other", "does-not-retry", True, other_mail=1)
    c.stopped(DAYS[3], mid="<1@other>")
    c.mail(DAYS[3] + 10 * MINUTE, mid="<2@other>", size=1001)

    c = client("renamed", "retries", False, same_content=3)
    daily(c)
    for i in (8, 10, 12):
        c.stopped(DAYS[i] + 6 * HOUR, mid="<%d@renamed>" % i, subject="Report")
        c.mail(DAYS[i] + 6 * HOUR + 5 * MINUTE, mid="<%d.1@renamed>" % i, subject="Report")
    # The same by its looks, every ten minutes.
    c = client("alarm", "cannot-tell", False, sends_anyway=1)
    for k in range(60):
        at = DAYS[3] + k * 10 * MINUTE
        (c.stopped if k == 30 else c.mail)(at, mid="<%d@alarm>" % k, subject="DOWN")

    # One Message-ID to two people is two messages.
    c = client("lists", "does-not-retry", True, other_mail=1)
    c.stopped(DAYS[3], mid="<1@lists>", to=[ALICE])
    c.mail(DAYS[3] + 5 * SECOND, mid="<1@lists>", to=[BOB])

    c = client("rcpt", "does-not-retry", True, other_mail=1)
    c.refused([DAYS[3]], stage="rcpt", recipient=BOB)
    c.mail(DAYS[3] + 5 * MINUTE, to=[ALICE])
    c.refused([DAYS[3] + 6 * MINUTE], stage="rcpt", recipient="carol@contoso.com", verdict="reject")
    # To ALICE every hour, to BOB hardly ever: what comes for BOB is the retry.
    c = client("rcpt-rare", "retries", False, unusual_mail=3)
    for i in range(10):
        for k in range(5):
            c.mail(DAYS[i] + k * HOUR, to=[ALICE])
        c.mail(DAYS[i] + 2 * HOUR + MINUTE, to=[BOB])
    for i in (10, 11, 12):
        c.refused([DAYS[i]], stage="rcpt", recipient=BOB)
        c.mail(DAYS[i] + SECOND, to=[ALICE])
        c.mail(DAYS[i] + 30 * MINUTE, to=[ALICE, BOB])

    # Of several the recipient of the last is not known.
    c = client("rcpt-two", "cannot-tell", False, habit_unknown=1, counted=1)
    c.refused([DAYS[3], DAYS[3] + MINUTE], stage="rcpt", recipient=BOB)
    c.mail(DAYS[3] + 10 * MINUTE, to=[ALICE])
    # What follows a mail only because a 451 came between is no habit; nor is what follows a retry.
    c = client("rcpt-soon", "retries", False, unusual_mail=5)
    for i in range(14):
        c.mail(DAYS[i], to=[BOB])
        if i >= 9:
            c.refused([DAYS[i] + 30 * SECOND], stage="rcpt", recipient=BOB)
            c.mail(DAYS[i] + 30 * MINUTE, to=[BOB])
    c = client("rcpt-last", "does-not-retry", True, habit_unknown=3, nothing=1)
    for i in (0, 1, 2, 3, 13):
        c.mail(DAYS[i], to=[BOB])
    for i in (8, 10, 12):
        c.refused([DAYS[i]], stage="rcpt", recipient=BOB)
        c.mail(DAYS[i] + 30 * MINUTE, to=[BOB])
    c.refused([DAYS[13] + 30 * SECOND], stage="rcpt", recipient=BOB)
    c = client("queue", "retries", False, unusual_mail=10)
    daily(c)
    for i in range(9, 14):
        for k in range(2):
            c.refused([DAYS[i] + 6 * HOUR + k * SECOND], reason="limit:queue/%d" % k)
            c.mail(DAYS[i] + 6 * HOUR + (10 + 5 * k) * MINUTE)

    c = client("dead", "cannot-tell", False, silence=1)
    c.refused([SILENT + DAY])

    c = client("many", "cannot-tell", False, too_many=50)
    c.refused([DAYS[3] + k * SECOND for k in range(50)], sender="*")

    # A retry by another machine of the app.
    c = client("pool", "retries", False, where="10.2.0.1", same_message_id=1)
    c.stopped(DAYS[3], mid="<1@pool>")
    Client(audit, "pool", "10.2.0.2").mail(DAYS[3] + 10 * MINUTE, mid="<1@pool>")

    # A rule defers at the end: the first of the kind has a row of its own, all are counted.
    c = client("rule", "does-not-always-retry", False, same_message_id=1, nothing_after_last=1, counted=2)
    times = [DAYS[3] + k * MINUTE for k in range(4)]
    id = c.id()
    c.mail(times[0], mid="<1@rule>", verdict="defer", reason="rule:later", id=id)
    c.mail(times[0] + 2 * SECOND, mid="<1@rule>")
    c.refused(times, stage="eom", reason="rule:later", id=id)
    c = client("rule-one", "does-not-retry", False, nothing=1)
    id = c.id()
    c.mail(DAYS[3], mid="<1@one>", verdict="defer", reason="rule:later", id=id)
    c.refused([DAYS[3]], stage="eom", reason="rule:later", id=id)

    c = client("half", "does-not-always-retry", True, same_message_id=1, nothing=1)
    c.stopped(DAYS[3], mid="<1@half>")
    c.mail(DAYS[3] + 10 * MINUTE, mid="<1@half>")
    c.refused([DAYS[6]])

    c = client("cron", "retries", False, where="local", same_message_id=1)
    c.stopped(DAYS[3], mid="<1@cron>", local=True)
    c.mail(DAYS[3] + 10 * MINUTE, mid="<1@cron>", local=True)

    # Deferred before and after what is asked for.
    c = Client(audit, "early")
    c.refused([BEGIN + HOUR])
    return wanted


def run(*words):
    done = subprocess.run([os.path.join(BUILD, "postern"), "report"] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Retries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-retries-")
        audit = schema.Database(os.path.join(cls.folder, "audit.db"))
        cls.wanted = clients(audit)
        audit.close()
        cls.url = "sqlite:" + audit.path
        cls.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((BEGIN + 2 * HOUR) // 1000))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def report(self, *words):
        status, out, errors = run("retries", "--database", self.url, *words)
        self.assertEqual((status, errors), (0, ""))
        return out

    def test_each_client(self):
        said = json.loads(self.report("--since", self.since, "--json"))
        found = {c["app"]: c for c in said["clients"]}
        self.assertEqual(len(found), len(said["clients"]))
        self.assertEqual(set(found), {app for app, _ in self.wanted})
        for (app, where), (habit, hold, evidence) in self.wanted.items():
            c = found[app]
            with self.subTest(app):
                self.assertEqual({e["what"]: e["count"] for e in c["evidence"]}, {k: n for k, n in evidence.items() if n > 0})
                self.assertEqual((c["verdict"], c["choose_hold"]), (habit, hold))
                self.assertEqual(c["deferrals"], sum(evidence.values()))
                self.assertEqual(c["came_back"] + c["nothing_followed"] + c["cannot_tell"], c["deferrals"])
                self.assertEqual({len(e["id"]) for e in c["evidence"]}, {26})
                if where:
                    self.assertEqual(c["client"], where)
        self.assertEqual((found["mta"]["soonest_ms"], found["mta"]["latest_ms"]), (5 * MINUTE, 20 * MINUTE))
        self.assertEqual((said["within_ms"], said["since"]), (4 * HOUR, self.since))

    def test_a_server_says_the_same(self):
        if postgres.binaries() is None:
            if os.environ.get("CI") == "true":
                self.fail("no PostgreSQL server is installed")
            self.skipTest("no PostgreSQL server is installed")
        with postgres.Postgres() as server:
            url = schema.to_postgres(server, self.url[len("sqlite:"):])
            status, out, errors = run("retries", "--database", url, "--since", self.since, "--json")
        self.assertEqual((status, errors), (0, ""))
        mine = json.loads(self.report("--since", self.since, "--json"))
        said = json.loads(out)
        del mine["until"], said["until"]
        self.assertEqual(said, mine)

    def test_within(self):
        said = {c["app"]: c for c in json.loads(self.report("--since", self.since, "--json", "--within", "6h"))["clients"]}
        self.assertEqual(said["late"]["verdict"], "retries")
        self.assertEqual(said["fresh"]["verdict"], "cannot-tell")
        said = {c["app"]: c for c in json.loads(self.report("--since", self.since, "--json", "--within", "1h"))["clients"]}
        self.assertEqual(said["fresh"]["nothing_followed"], 1)

    def test_until_asks_for_less_but_looks_on(self):
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((DAYS[3] + 5 * MINUTE) // 1000))
        said = {c["app"]: c for c in json.loads(self.report("--since", self.since, "--until", until, "--json"))["clients"]}
        self.assertEqual(said["mta"]["came_back"], 3)
        self.assertEqual(said["pool"]["came_back"], 1)
        self.assertEqual(said["printer"]["deferrals"], 1)
        self.assertNotIn("half-", "".join(said))
        self.assertEqual(said["half"]["deferrals"], 1)

    def test_text(self):
        text = self.report("--since", self.since)
        self.assertRegex(text, r"^451s from %s to .*Z, and what followed within 4 h of each\n\napp +client +451s +came back" % self.since)
        rows = dict(re.findall(r"(?m)^(\S+) +\S+ +\d+ +\d+ +\d+ +\d+  (.*)$", text))
        self.assertEqual(rows["printer"], 'does not retry: choose "then hold"')
        self.assertEqual(rows["rule-one"], "does not retry")
        self.assertEqual(rows["mta"], "retries")
        self.assertEqual(rows["minutely"], "cannot tell")
        self.assertRegex(text, r"\n +4  the same Message-ID came again \(all after 5 min to 20 min\); such as \d{26}\n")
        self.assertRegex(text, r"\n +1  the same Message-ID came again, but later than that \(after 5 h\); such as \d{26}\n")
        # Those that lose mail come first.
        order = [m.group(1) for m in re.finditer(r"(?m)^(\S+) +\S+ +\d+ +\d+ +\d+ +\d+  ", text)]
        self.assertEqual(order[0], "printer")
        self.assertEqual(order[-1], sorted(o for o in order if rows[o] == "retries" and o in ("cron", "pool"))[-1])

    def test_names_are_those_of_the_manual(self):
        with open(os.path.join(TOP, "doc", "postern.1")) as f:
            section = re.search(r"(?s)\.Sh OUTPUT OF REPORT RETRIES\n(.*?)\n\.Sh ", f.read()).group(1)
        told = {word for line in re.findall(r"(?m)^\.(?:It )?Li (.*)$", section) for word in re.findall(r"[a-z_-]+", line)}
        with open(os.path.join(TOP, "admin", "report_retries.c")) as f:
            names = set(re.findall(r'\] = \{"([a-z-]+)",', f.read()))
        self.assertEqual(len(names), 20)
        members = {"since", "until", "within_ms", "clients"} | {
            key for c in json.loads(self.report("--since", self.since, "--json"))["clients"] for key in c} | {"what", "count", "id"}
        self.assertEqual(told, names | members)

    def test_nobody(self):
        self.assertIn("nobody was told to come again\n", self.report("--until", "1999-01-01", "--since", "1998-01-01"))
        self.assertEqual(json.loads(self.report("--until", "1999-01-01", "--since", "1998-01-01", "--json"))["clients"], [])

    def test_wrong_command_lines(self):
        for words, text in ((["sends"], "no such report"), (["retries", "x"], "one argument too many"),
                            (["retries", "--within", "5m"], "--within takes a time from 1h to 7d"),
                            (["retries", "--within", "8d"], "--within takes"), (["retries", "--within", "2026-11-01"], "--within takes"),
                            (["retries", "--since", "soon"], "--since takes"), (["retries", "--nonsense"], "usage")):
            status, out, errors = run(*words)
            self.assertEqual((status, out), (2, ""), words)
            self.assertIn(text, errors)

    def test_what_goes_wrong_is_told(self):
        status, out, errors = run("retries", "--database", self.url + ".none")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("audit.db.none: No such file", errors)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([os.path.join(BUILD, "postern"), "report", "retries", "--database", self.url], stdout=full,
                                  stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (1, b"postern report: standard output: No space left on device\n"))


if __name__ == "__main__":
    unittest.main()
