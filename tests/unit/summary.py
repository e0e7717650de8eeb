#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern summary over nine weeks whose changes the test knows, on SQLite and on a PostgreSQL server of its
own where there is one (CI=true: it must be): who is told what, once, over kills, and with hostile words in it.
A real MTA is in tests/e2e/test_summary.py."""

import datetime
import email
import email.policy
import glob
import html.parser
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import history  # noqa: E402
import postgres  # noqa: E402
import schema  # noqa: E402

POSTERN = os.path.join(os.getcwd(), "postern")
UNTIL = int(datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc).timestamp()) * 1000
HOSTILE = ("<script>alert(1)</script>@evil.example", "\"onmouseover=alert(1) x=\"@evil.example", "\x1b[2J\x1b[31mred@evil.example",
           "\u202egnp.exe@x.example", "a\nBcc: x@x.example\n\nHello", b"\xff\xfe@x.example", "]]><!--@x.example", "line\u2028end@x.example",
           "=?UTF-8?Q?x?=@x.example", ".\r\n.\r\n@x.example", "--=_postern-summary--\n@x.example")
POLICY = """
listen: unix:{folder}/milter.sock
database: {url}
notify: {{admin: Admin@contoso.com, from: postern@contoso.com, sendmail: {folder}/sendmail}}
summary: {summary}
audit: {{keep: 36500 days}}
tenants:
  contoso: {{accepted-domains: accepted.txt, next-hop: mx.example}}
apps:
"""
APP = "  - {{name: {}, tenant: contoso, clients: [{}], method: connector, senders: ['*@contoso.com'], {}}}\n"
APPS = (("crm", "10.1.2.0/24", "owner: anna@Contoso.com"), ("printers", "10.1.9.0/24", "owner: pia@contoso.com"),
        ("erp", "10.1.5.0/24", "owner: eva@contoso.com"), ("nightly", "10.1.4.4", "owner: pia@contoso.com"),
        ("shop", "10.1.6.0/24", "owner: Sales people"))


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.names, self.text = set(), set(), ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


class Base(unittest.TestCase):
    summary = "{owners: weekly, admin: weekly}"
    apps = APPS

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="postern-summary-")
        self.file = os.path.join(self.folder, "audit.db")
        self.url = "sqlite:" + self.file
        self.policy = os.path.join(self.folder, "postern.yaml")
        with open(os.path.join(self.folder, "accepted.txt"), "w") as f:
            f.write("contoso.com\n")
        self.write_policy()
        self.sendmail()

    def tearDown(self):
        shutil.rmtree(self.folder)

    def write_policy(self, summary=None):
        with open(self.policy, "w") as f:
            f.write(POLICY.format(folder=self.folder, url=self.url, summary=summary or self.summary))
            f.write("".join(APP.format(*app) for app in self.apps))

    def sendmail(self, more=""):
        """A program that keeps what it is given, and how it was called."""
        path = os.path.join(self.folder, "sendmail")
        with open(path, "w") as f:
            f.write("#!/bin/sh\nn=$(ls %s | grep -c '^mail\\.'); cat >%s/mail.$n; echo \"$*\" >%s/call.$n\n%s\n" % ((self.folder,) * 3 + (more,)))
        os.chmod(path, stat.S_IRWXU)

    def fill(self, until=UNTIL, changed=True):
        audit = schema.Database(self.file)
        h = history.History(audit, until)
        h.usual()
        if changed:
            h.changed()
        audit.roll_up()
        audit.close()
        return h

    def run_it(self, *words, status=0, env=None):
        done = subprocess.run([POSTERN, "summary", "-c", self.policy] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "TZ": "UTC", **(env or {})}, timeout=120)
        self.assertNotIn(b"Sanitizer", done.stderr)
        self.assertEqual(done.returncode, status, done.stderr)
        return (done.stderr if status or "--send" in words else done.stdout).decode()

    def told(self, *words, **more):
        return json.loads(self.run_it("--until", "2026-11-24", "--json", *words, **more))

    def mails(self):
        """[(arguments, message)] in the order in which they were sent"""
        found = []
        for i in range(len(glob.glob(self.folder + "/call.*"))):
            with open("%s/call.%d" % (self.folder, i)) as call, open("%s/mail.%d" % (self.folder, i), "rb") as mail:
                found.append((call.read().strip(), email.message_from_bytes(mail.read(), policy=email.policy.default)))
        return found


def last_monday():
    now = int(time.time())
    today = now - now % 86400
    return (today - datetime.datetime.fromtimestamp(today, datetime.timezone.utc).weekday() * 86400) * 1000


def changes(said):
    return [re.sub(r"\d{4}-\d\d-\d\dT.*", "", c["text"]) for c in said["changes"]]


class Told(Base):
    """What is printed."""

    def setUp(self):
        super().setUp()
        h = self.fill()
        rows = [("Q%07d" % n, at) for n, at in self.rows("SELECT CAST(substr(queue_id, 2) AS INTEGER), time FROM messages WHERE app = 'crm' "
                                                         "ORDER BY time DESC LIMIT 10")]
        history.deliveries(self.file, [(q, at + 100, "bounced", history.DENIED, history.HOP) for q, at in rows[:3]] +
                           [(q, at + 100, "bounced", history.FOREIGN, "mx.example.net[192.0.2.9]:25") for q, at in rows[3:5]] +
                           [(q, at + 100, "sent", "250 ok", history.HOP) for q, at in rows[5:]] +
                           [("ZZZ", h.until - 5, "bounced", history.DENIED, history.HOP)])

    def rows(self, query):
        db = sqlite3.connect(self.file)
        found = db.execute(query).fetchall()
        db.close()
        return found

    def test_the_admin_is_told_all(self):
        said = self.told()
        self.assertEqual((said["to"], said["is_admin"], said["since"], said["until"]),
                         ("Admin@contoso.com", True, "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"))
        self.assertEqual(changes(said), sum((history.CHANGES[a] for a in sorted(history.CHANGES)), []))
        self.assertEqual(said["title"], "Weekly summary 2026-11-22: 4294 messages, 5 refused, 7 changes to look at")
        crm = [a for a in said["apps"] if a["app"] == "crm"][0]
        self.assertEqual({k: crm[k] for k in ("messages", "before", "accepted", "rejected", "unsigned", "waiting", "kept", "sent", "unsent")},
                         {"messages": 4140, "before": 340, "accepted": 4135, "rejected": 5, "unsigned": 12, "waiting": 1, "kept": 0, "sent": 5, "unsent": 5})
        self.assertEqual([(r["app"], r["reason"], r["messages"], r["advice"]) for r in said["reasons"]],
                         [("crm", "from-not-allowed", 5, "Use one of the app's senders in From.")])
        self.assertEqual([(x["app"], x["name"], x["near"], x["reached"]) for x in said["limits"]],
                         [("crm", "crm/messages-per-minute", 1, 2), ("", "contoso/external-recipients-per-day", 0, 1)])
        self.assertEqual([(x["app"], x["recipients"], x["foreign"], x.get("keyword")) for x in said["answers"]],
                         [("crm", 3, False, "relay-access-denied"), ("crm", 2, True, None), ("", 1, False, "relay-access-denied")])

    def test_the_first_message_of_what_is_new_is_named(self):
        for c in self.told()["changes"]:
            if c["kind"] in ("new-sender", "new-client", "new-app"):
                where = {"new-sender": "sender = '%s'", "new-client": "client = '%s'", "new-app": "app = '%s'"}[c["kind"]] % (c["name"] or c["app"])
                self.assertEqual(self.rows("SELECT id FROM messages WHERE %s ORDER BY time LIMIT 1" % where), [(c["first_id"],)])

    def test_owners_see_their_own_apps_only(self):
        for who, apps in (("anna@contoso.com", ["crm"]), ("Anna@CONTOSO.com", ["crm"]), ("pia@contoso.com", ["nightly", "printers"]), ("eva@contoso.com", ["erp"])):
            with self.subTest(who):
                said = self.told("--for", who)
                self.assertEqual([a["app"] for a in said["apps"]], apps)
                self.assertEqual(changes(said), sum((history.CHANGES[a] for a in apps), []))
                for part in ("reasons", "limits", "answers"):
                    self.assertLessEqual({x["app"] for x in said[part]}, set(apps))
                for form in ("--text", "--html"):
                    text = self.run_it("--until", "2026-11-24", "--for", who, form)
                    for other in ({"crm", "printers", "erp", "nightly", "shop"} - set(apps)) | {"external-recipients-per-day"}:
                        self.assertNotRegex(text, r"\b%s\b" % other)

    def test_text(self):
        text = self.run_it("--until", "2026-11-24")
        for part in ("All mail through this relay: the week from Monday, 2026-11-16 to Sunday,\n2026-11-22.",
                     "  crm                       4140    x12        5        0      0       12\n",
                     "  * crm: 5 by from-not-allowed (reject)\n    Use one of the app's senders in From.\n",
                     "  * crm/messages-per-minute: reached twice, near once, the last time at\n    2026-11-20T00:00:00Z: 30 of 30 used\n",
                     "  * crm: 12 of 4135\n", "  * erp: 0 wait for a limit, 1 until somebody lets them go",
                     "  * crm: 3 recipients bounced, relay-access-denied\n", "A server that is not Microsoft's said so", "  5 recipients got theirs.\n"):
            self.assertIn(part, text)
        self.assertEqual([line for line in text.splitlines() if len(line) > 78], [])
        all_of_it = self.run_it("--until", "2026-11-24", "--for", "all")
        self.assertEqual(re.findall(r"(?m)^To: (.*)$", all_of_it), ["Admin@contoso.com", "anna@contoso.com", "pia@contoso.com", "eva@contoso.com"])

    def test_a_day(self):
        said = self.told("--period", "day", "--for", "anna@contoso.com")
        self.assertEqual((said["since"], said["until"], said["period"]), ("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", "day"))
        self.assertTrue(said["is_empty"] or said["changes"])
        said = self.told("--period", "day", "--for", "anna@contoso.com", "--until", "2026-11-23")
        self.assertRegex(said["changes"][0]["text"], r"^crm sent more: \d+ messages, on the 8 same weekdays before \d+ to \d+")

    def test_days_are_those_of_the_time_zone(self):
        berlin = {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}
        for until, period, since, to in (("2026-03-30T12:00:00Z", "week", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"),
                                         ("2026-10-26T12:00:00Z", "day", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
                                         ("2026-11-22T22:59:59Z", "week", "2026-11-08T23:00:00Z", "2026-11-15T23:00:00Z"),
                                         ("2026-11-22T23:00:00Z", "week", "2026-11-15T23:00:00Z", "2026-11-22T23:00:00Z")):
            said = self.told("--until", until, "--period", period, env=berlin)
            self.assertEqual((said["since"], said["until"]), (since, to))

    def test_little_kept_tells_little(self):
        with open(self.policy) as f:
            text = f.read()
        with open(self.policy, "w") as f:
            f.write(text.replace("36500 days", "20 days"))
        db = sqlite3.connect(self.file)
        now = int(time.time() * 1000)
        for table, column in (("messages", "time"), ("hours", "hour")):
            db.execute("UPDATE %s SET %s = %s + %d WHERE %s > 0" % (table, column, column, last_monday() - UNTIL, column))
        db.execute("DELETE FROM messages WHERE time < %d" % (now - 20 * history.DAY))
        db.execute("DELETE FROM hours WHERE hour > 0 AND hour < %d" % (now - 20 * history.DAY))
        db.commit()
        db.close()
        said = json.loads(self.run_it("--json"))
        self.assertEqual({c["kind"] for c in said["changes"]} & {"more", "less", "silent-app", "silent-client", "back"}, set())
        self.assertIn("audit: keep is too short", self.run_it("--for", "pia@contoso.com"))

    def test_wrong_command_lines(self):
        for words, because in ((("--period", "month"), "--period takes day or week"), (("--html", "--json"), "exclude each other"),
                               (("--send", "--html"), "as text and HTML"), (("--send", "--until", "7d"), "as text and HTML"),
                               (("--until", "soon"), "--until takes"), (("--html", "--for", "all"), "say --for whom"), (("more",), "too many"),
                               (("--tries", "0"), "--tries takes"), (("--timeout", "x"), "--timeout takes"), (("--state", "x"), "goes with --send"),
                               (("--for", "ana@contoso.com"), 'did you mean "anna@contoso.com"')):
            self.assertIn(because, self.run_it(*words, status=2))


class Young(Base):
    def test_the_first_week_is_no_drift(self):
        audit = schema.Database(self.file)
        h = history.History(audit, UNTIL)
        h.changed()
        audit.roll_up()
        audit.close()
        self.assertEqual(self.told()["changes"], [])
        self.assertIn("the audit is too young", self.run_it("--until", "2026-11-24"))


class Hostile(Base):
    apps = APPS + (("evil", "10.1.7.0/24", "owner: eva@contoso.com"),)

    def setUp(self):
        super().setUp()
        self.until = last_monday()
        audit = schema.Database(self.file)
        h = history.History(audit, self.until)
        h.usual()
        for i, hostile in enumerate(HOSTILE):
            h.week(3, "evil", 5, sender="evil@contoso.com", client="10.1.7.1")
            h.week(0, "evil", 20 - i, sender=hostile, client=hostile)
        h.week(0, "evil", 3, verdict="reject", reason="rule:<i>x</i>\n.\n")
        h.week(0, "<b>a\x1b[1m&amp;\r\nX: y</b>", 5)
        audit.add("events", number=1, time=self.until - 1000, relay="r1", kind="reached", limit_name="evil/messages-per-hour-per-sender",
                  key="sender=<script>\x1b]0;x\x07\r\nX-Bad: 1", scope="app:evil", period=60, used=1, count=1, over=2, mode="enforce", app="evil")
        audit.roll_up()
        audit.close()
        history.deliveries(self.file, [("none", self.until - 900, "bounced", "host x said: 550 \x1b[31m</style></code><script>\u202e\r\n.\r\n", history.HOP)])

    def check_text(self, text):
        self.assertIsNone(re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u2028]", text), repr(text))

    def test_words_of_others_are_inert(self):
        for who in ("admin", "eva@contoso.com"):
            self.check_text(self.run_it("--for", who))
            page = self.run_it("--for", who, "--html")
            self.check_text(page)
            parsed = Page(page)
            self.assertLessEqual(parsed.tags, set("html head meta title style body h1 h2 p dl div dt dd table tr th td ul li code".split()))
            self.assertLessEqual(parsed.names, set("lang charset name content http-equiv class scope tabindex".split()))
            self.assertIn(HOSTILE[0], parsed.text)
            self.assertIsNone(re.search(r"https?:|src=|href|url\(|@import", re.sub(r"&[a-z#0-9]+;[^<]*", "", page)))

    def test_nothing_gets_into_the_header(self):
        self.run_it("--send")
        mails = self.mails()
        self.assertGreaterEqual(len(mails), 3)
        for call, m in mails:
            self.assertEqual(m.defects, [])
            self.assertEqual(sorted(m.keys()), sorted("From To Subject Date Message-ID List-Id Auto-Submitted X-Auto-Response-Suppress MIME-Version "
                                                      "Content-Type".split()))
            self.assertEqual([p.get_content_type() for p in m.iter_parts()], ["text/plain", "text/html"])
            for part in m.iter_parts():
                self.assertEqual(part.defects, [])
                self.check_text(part.get_content())
                self.assertLess(max(map(len, part.as_bytes().split(b"\n"))), 79)
                self.assertIsNone(re.search(rb"(?m)^\.", part.get_payload().encode()))


class Sent(Base):
    def test_each_gets_its_own_once(self):
        self.fill(last_monday())
        said = self.run_it("--send")
        self.assertEqual(said.count(": sent\n"), 4)
        mails = self.mails()
        self.assertEqual([call for call, _ in mails], ["-i -f postern@contoso.com -- " + to for to in (
            "Admin@contoso.com", "anna@contoso.com", "pia@contoso.com", "eva@contoso.com")])
        for call, m in mails:
            self.assertEqual(m["To"].addresses[0].addr_spec, call.split()[-1])
            self.assertEqual((m["Auto-Submitted"], m["X-Auto-Response-Suppress"], m["From"].addresses[0].addr_spec),
                             ("auto-generated", "All", "postern@contoso.com"))
            self.assertEqual(m["List-Id"], "Postern summaries <postern-summary.contoso.com>")
            self.assertEqual(m.get_content_type(), "multipart/alternative")
        text = [m.get_body(("plain",)).get_content() for _, m in mails]
        self.assertIn("crm sent more", text[1])
        self.assertNotIn("erp", text[1])
        self.assertEqual(text[3].replace("\n", ""), self.run_it("--for", "eva@contoso.com").replace("\n", ""))
        self.assertEqual(mails[1][1]["Subject"].split(": ")[0], "Postern")
        self.assertEqual(self.run_it("--send"), "")
        self.assertEqual(len(self.mails()), 4)
        # Daily ones are others.
        self.write_policy("{owners: daily, admin: off}")
        self.run_it("--send")
        self.assertLessEqual(len(self.mails()), 7)
        self.assertEqual(self.run_it("--send"), "")

    def test_a_kill_between_mail_and_note_is_one_more_at_most(self):
        self.fill(last_monday())
        self.sendmail("test -e %s/killed || { touch %s/killed; kill -9 $PPID; }" % (self.folder, self.folder))
        self.run_it("--send", status=-9)
        self.assertEqual(len(self.mails()), 1)
        self.run_it("--send")
        self.assertEqual(self.run_it("--send"), "")
        ids = [m["Message-ID"] for _, m in self.mails()]
        self.assertEqual((len(ids), len(set(ids))), (5, 4))
        self.assertEqual(ids[0], ids[1])

    def test_what_fails_is_tried_again(self):
        self.fill(last_monday())
        self.sendmail("case \"$*\" in *anna*) rm -f %s/call.$n %s/mail.$n; echo not today >&2; exit 75;; esac" % (self.folder, self.folder))
        said = self.run_it("--send", "--tries", "2", status=1)
        self.assertIn("mail to anna@contoso.com: try 2 of 2: it ended with status 75, saying: not today", said)
        self.assertEqual(len(self.mails()), 3)
        self.sendmail()
        self.assertEqual(self.run_it("--send").count(": sent"), 1)
        self.assertEqual(self.mails()[-1][0].split()[-1], "anna@contoso.com")

    def test_after_an_absence_the_last_one_only(self):
        self.fill(last_monday())
        state = self.file + "-summary"
        self.run_it("--send", "--for", "anna@contoso.com")
        with open(state) as f:
            line = f.read()
        self.assertEqual(line.split(), ["week", "%020d" % last_monday(), "anna@contoso.com"])
        self.assertEqual(len(line), 347)
        with open(state, "w") as f:
            f.write(line.replace("%020d" % last_monday(), "%020d" % (last_monday() - 3 * history.WEEK)))
        self.assertEqual(self.run_it("--send", "--for", "anna@contoso.com").count(": sent"), 1)
        mails = self.mails()
        self.assertEqual(len(mails), 2)
        text = [" ".join(m.get_body(("plain",)).get_content().split()) for _, m in mails]
        self.assertNotIn("were not sent", text[0])
        self.assertIn("The summaries since %s were not sent" % datetime.datetime.fromtimestamp(
            last_monday() / 1000 - 3 * 7 * 86400, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), text[1])

    def test_before_its_time_nothing_is_due(self):
        """By a clock that says 11:59 on the day of the week, and by one that says 12:00."""
        now = time.time()
        today = now - now % 86400
        weekday = datetime.datetime.fromtimestamp(today, datetime.timezone.utc).strftime("%a").lower()
        self.write_policy("{admin: weekly, weekday: %s, time: 12:00}" % weekday)
        self.fill(last_monday())
        for minute, weeks in ((11 * 60 + 59, 1), (12 * 60, 0)):
            ahead = int(today + minute * 60 + 20 - now)  # as a zone, east of Greenwich
            zone = "XXX%s%d:%02d:%02d" % ("-" if ahead > 0 else "+", abs(ahead) // 3600, abs(ahead) // 60 % 60, abs(ahead) % 60)
            self.run_it("--send", env={"TZ": zone})
            with open(self.file + "-summary") as f:
                until = int(f.read().split()[1])
            self.assertAlmostEqual((today * 1000 - until) / history.WEEK, weeks, delta=0.2)

    def test_nothing_to_tell(self):
        self.write_policy("{owners: weekly, admin: weekly, empty: no}")
        self.fill(last_monday() - 10 * history.WEEK, changed=False)
        self.assertEqual(self.run_it("--send"), "")
        self.assertEqual(self.mails(), [])
        self.assertEqual(self.run_it("--send"), "")
        os.unlink(self.file + "-summary")
        self.write_policy("{owners: weekly, admin: weekly, empty: yes}")
        self.assertEqual(self.run_it("--send").count(": sent"), 4)
        self.assertIn("Nothing to tell", self.mails()[0][1].get_body(("plain",)).get_content())

    def test_apps_say_otherwise(self):
        self.apps = (("crm", "10.1.2.0/24", "owner: anna@contoso.com"), ("erp", "10.1.5.0/24", "owner: anna@contoso.com, summary: daily"),
                     ("nightly", "10.1.4.4", "owner: pia@contoso.com, summary: off"))
        self.write_policy("{owners: weekly}")
        self.fill(last_monday())
        said = json.loads(self.run_it("--json", "--for", "all"))
        self.assertEqual([(s["to"], s["period"], [a["app"] for a in s["apps"]]) for s in said],
                         [("anna@contoso.com", "week", ["crm"]), ("anna@contoso.com", "day", ["erp"])])
        self.assertEqual([s["to"] for s in [json.loads(self.run_it("--json", "--for", "pia@contoso.com"))]], ["pia@contoso.com"])
        self.run_it("--send", "--period", "week")
        self.assertEqual([call.split()[-1] for call, _ in self.mails()], ["anna@contoso.com"])

    def test_an_owner_with_the_admins_address(self):
        self.apps = (("crm", "10.1.2.0/24", "owner: admin@contoso.com"),)
        self.write_policy()
        self.fill(last_monday())
        self.run_it("--send")
        self.assertEqual(len(self.mails()), 1)
        self.assertIn("erp", self.mails()[0][1].get_body(("plain",)).get_content())

    def test_the_state(self):
        self.fill(last_monday())
        state = os.path.join(self.folder, "state")
        self.assertEqual(self.run_it("--send", "--state", state).count(": sent"), 4)
        with open(state, "r+") as f:  # the last line was cut off by a crash: that one comes again
            f.truncate(os.path.getsize(state) - 40)
        self.assertEqual(self.run_it("--send", "--state", state).count(": sent"), 1)
        self.assertEqual(os.path.getsize(state), 4 * 347)
        with open(state, "r+") as f:
            f.write("what is this")
        self.assertIn("no state of postern summary", self.run_it("--send", "--state", state, status=1))
        self.assertIn("Is a directory", self.run_it("--send", "--state", self.folder, status=1))
        with open(os.path.join(self.folder, "other"), "w") as f:
            import fcntl
            fcntl.flock(f, fcntl.LOCK_EX)
            self.assertIn("another postern summary runs", self.run_it("--send", "--state", f.name, status=1))

    def test_off(self):
        self.write_policy("{}")
        self.fill(last_monday())
        self.assertEqual(self.run_it("--send"), "")
        self.assertIn("asks for no summary", self.run_it("--for", "all"))
        self.assertEqual(json.loads(self.run_it("--json"))["to"], "Admin@contoso.com")


class OnPostgres(Base):
    def test_the_same_is_told(self):
        if postgres.binaries() is None:
            if os.environ.get("CI") == "true":
                self.fail("no PostgreSQL server is installed")
            self.skipTest("no PostgreSQL server is installed")
        self.fill()
        here = [self.told("--for", who) for who in ("admin", "anna@contoso.com", "eva@contoso.com")]
        with postgres.Postgres() as server:
            self.url = schema.to_postgres(server, self.file)
            self.write_policy()
            there = [self.told("--for", who) for who in ("admin", "anna@contoso.com", "eva@contoso.com")]
            self.assertTrue(there[0]["is_followed"])
            state = os.path.join(self.folder, "state")
            self.run_it("--send", "--state", state)
        for a, b in zip(here, there):
            for app in a["apps"]:
                app.update(waiting=0, kept=0)  # held and events are not copied
            self.assertEqual([a[k] for k in ("changes", "apps", "reasons", "title")], [b[k] for k in ("changes", "apps", "reasons", "title")])


if __name__ == "__main__":
    unittest.main()
