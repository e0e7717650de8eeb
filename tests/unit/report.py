#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern report over an audit of two days whose sums the test knows, with names and senders that
try to be markup or to move the cursor: text, JSON and HTML, on SQLite and on a PostgreSQL server of
its own where there is one; and the page in a real Chromium where that is installed (CI=true: both
must be)."""

import datetime
import email
import email.policy
import html.parser
import json
import os
import pty
import random
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import postgres  # noqa: E402
import schema  # noqa: E402

BUILD = os.getcwd()
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HOUR = 3600000
BEGAN = int(datetime.datetime(2026, 11, 20, tzinfo=datetime.timezone.utc).timestamp()) * 1000
SINCE, UNTIL = "2026-11-21", "2026-11-22"
HOSTILE = ("<script>alert(1)</script>@evil.example", "\"onmouseover=alert(1) x=\"@evil.example", "'><img src=//evil.example/x>@x.example",
           "\x1b[2J\x1b[31mred@evil.example", "&lt;b&gt;@x.example", "</style></svg><svg onload=alert(1)>@x.example",
           "\u202egnp.exe@x.example", "a\nSubject: x@x.example", b"\xff\xfe@x.example", "]]><!--@x.example", "line\u2028end@x.example")
APPS = ("crm", "erp", "<b>printers</b>", "", "news", "a-very-long-name-of-an-app-that-fits-into-no-column-of-the-table-at-all")


def text_of(octets):
    return octets.decode("utf-8", "replace") if isinstance(octets, bytes) else octets


def fill(audit):
    """[what each message counts as]"""
    chance, facts = random.Random(4711), []
    for i in range(4000):
        at = BEGAN + chance.randrange(48 * HOUR)
        app = chance.choice(APPS[:1] * 5 + APPS)
        roll = chance.random()
        verdict, reason = ("accept", "") if roll < 0.9 else ("hold", "limit:crm/messages-per-hour") if roll < 0.93 else (
            "defer", "limit:crm/messages-per-hour") if roll < 0.97 else ("discard", "rule:noise")
        row = {"id": "M%05d" % i, "time": at, "relay": chance.choice(("relay1", "relay2")), "stage": "eom", "verdict": verdict, "reason": reason,
               "would": verdict if roll > 0.05 else "reject", "would_reason": reason if roll > 0.05 else "from-not-allowed",
               "mode": "enforce" if roll > 0.05 else "monitor", "app": app, "tenant": "contoso" if app else "",
               "method": chance.choice(("connector", "direct-send")), "department": "Sales <&>" if app == "crm" else "",
               "client": "10.0.0.%d" % chance.randrange(5), "sender": chance.choice(HOSTILE + ("crm@contoso.com",) * 9 + ("",)),
               "subject": chance.choice(HOSTILE), "size": chance.randrange(100000), "recipients": 2, "external": chance.randrange(2),
               "signing": chance.choice(("signed", "signed", "no-key")), "decide_us": 300}
        audit.add("messages", **row)
        facts.append((row, 1))
    for i in range(300):
        at = BEGAN + chance.randrange(47 * HOUR)
        eom = i % 3 == 0
        app = chance.choice(APPS)
        row = {"id": "R%05d" % i, "reason": chance.choice(("from-not-allowed", "unknown-client", "rule:<i>x</i>")),
               "stage": "eom" if eom else "mail", "first_time": at, "last_time": at + chance.randrange(HOUR), "count": 1 + chance.randrange(30),
               "verdict": "reject", "app": app, "tenant": "contoso" if app else "", "method": "connector", "client": "10.0.0.9",
               "sender": chance.choice(HOSTILE), "relay": "", "department": ""}
        audit.add("refusals", **row)
        facts.append((dict(row, time=at, signing="", size=0, recipients=0, external=0, would="reject", would_reason=row["reason"]), row["count"]))
        if eom:  # the first of them with its facts, not to be counted again
            audit.add("messages", **{k: v for k, v in row.items() if k not in ("first_time", "last_time", "count")}, time=at, size=5,
                      recipients=3, signing="signed", mode="enforce", would="reject", would_reason=row["reason"])
    return facts


def sums(facts, since, until, by):
    """{name: its numbers}"""
    found = {}
    for row, n in facts:
        if not since <= row["time"] - row["time"] % HOUR < until:
            continue
        s = found.setdefault("" if by is None else text_of(row.get(by, "")), dict.fromkeys(
            "messages accepted held deferred rejected discarded trial_differs unsigned recipients external bytes".split(), 0))
        went = row["verdict"] in ("accept", "hold")
        s["messages"] += n
        s[{"accept": "accepted", "hold": "held", "defer": "deferred", "reject": "rejected", "discard": "discarded"}[row["verdict"]]] += n
        s["trial_differs"] += n * ((row["would"], row["would_reason"]) != (row["verdict"], row["reason"]))
        s["unsigned"] += n * (went and row["signing"] != "signed")
        for name, column in (("recipients", "recipients"), ("external", "external"), ("bytes", "size")):
            s[name] += row[column] * went
    return found


def run(*words, status=0, env=None):
    done = subprocess.run([os.path.join(BUILD, "postern"), "report"] + list(words), capture_output=True, env=dict(os.environ, **(env or {})))
    if done.returncode != status:
        raise AssertionError("report %s: %d, %s" % (words, done.returncode, done.stderr.decode()))
    return (done.stdout if status == 0 else done.stderr).decode()


class Page(html.parser.HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.text = set(), [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)


class Report:
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-report-")
        cls.file = os.path.join(cls.folder, "audit.db")
        audit = schema.Database(cls.file)
        cls.facts = fill(audit)
        audit.roll_up()
        audit.close()
        cls.start()

    @classmethod
    def tearDownClass(cls):
        cls.stop()
        shutil.rmtree(cls.folder)

    def report(self, *words, **more):
        return run("--database", self.url, *words, **more)

    def test_json_has_the_sums(self):
        since = BEGAN + 24 * HOUR
        for by in ("app", "department", "tenant", "method", "sender", "client", "reason", "relay"):
            with self.subTest(by):
                said = json.loads(self.report("--since", SINCE, "--until", UNTIL, "--by", by, "--json"))
                expected = sums(self.facts, since, since + 24 * HOUR, by)
                before = sums(self.facts, since - 24 * HOUR, since, by)
                self.assertEqual({r["name"] for r in said["rows"]}, set(expected) if by != "sender" else {r["name"] for r in said["rows"]})
                for row in said["rows"]:
                    if by == "sender" and row["name"] not in expected:
                        continue  # octets that are no UTF-8, which JSON shows in another way
                    self.assertEqual({k: row[k] for k in expected[row["name"]]}, expected[row["name"]], row["name"])
                    self.assertEqual(row["messages_before"], before.get(row["name"], {"messages": 0})["messages"])
                total = sums(self.facts, since, since + 24 * HOUR, None)[""]
                self.assertEqual({k: said["total"][k] for k in total}, total)
                self.assertEqual(sum(r["messages"] for r in said["rows"]) + said["others"], total["messages"])
                self.assertEqual([r["messages"] for r in said["rows"]], sorted((r["messages"] for r in said["rows"]), reverse=True))
                self.assertEqual(sum(t["accepted"] for t in said["times"]), total["accepted"])
                self.assertEqual(sum(t["rejected"] for t in said["times"]), total["rejected"])
                self.assertEqual(len(said["times"]), 24)
                self.assertEqual(sum(r["messages"] for r in said["reasons"]), total["messages"] - total["accepted"])

    def test_of_a_part(self):
        since = BEGAN + 24 * HOUR
        unsigned = [(row, n) for row, n in self.facts if row["verdict"] in ("accept", "hold") and row["signing"] != "signed"]
        parts = [(("--only", "%s=%s" % (what, name)), [f for f in self.facts if text_of(f[0].get(what, "")) == name]) for what, name in (
            ("app", "crm"), ("app", ""), ("app", "<b>printers</b>"), ("department", "Sales <&>"), ("tenant", "contoso"), ("method", "direct-send"), ("reason", "unknown-client"),
            ("client", "10.0.0.9"), ("client", "10.0.0.1"), ("sender", "crm@contoso.com"), ("sender", ""), ("sender", HOSTILE[0]), ("relay", "relay1"))]
        parts += [(("--unsigned",), unsigned), (("--unsigned", "--only", "app=crm"), [f for f in unsigned if f[0]["app"] == "crm"]),
                  (("--unsigned", "--only", "client=10.0.0.1"), [f for f in unsigned if f[0]["client"] == "10.0.0.1"])]
        for words, facts in parts:
            for by in ("app", "client", "reason"):
                with self.subTest(words, by=by):
                    said = json.loads(self.report("--since", SINCE, "--until", UNTIL, "--by", by, "--json", *words))
                    expected = sums(facts, since, since + 24 * HOUR, by)
                    self.assertEqual({r["name"]: {k: r[k] for k in ("messages", "accepted", "rejected", "unsigned", "external", "bytes")} for r in said["rows"]},
                                     {name: {k: s[k] for k in ("messages", "accepted", "rejected", "unsigned", "external", "bytes")} for name, s in expected.items()})
                    self.assertEqual(said["total"]["messages"], sum(s["messages"] for s in expected.values()))
                    self.assertEqual(said["total_before"]["messages"], sums(facts, since - 24 * HOUR, since, None).get("", {"messages": 0})["messages"])
                    self.assertEqual(sum(t["accepted"] for t in said["times"]), said["total"]["accepted"])
        self.assertIn("Mail (method direct-send, unsigned) from", self.report("--only", "method=direct-send", "--unsigned"))
        self.assertIn("<p>app &lt;b&gt;printers&lt;/b&gt;</p>", self.report("--only", "app=<b>printers</b>", "--html", "-"))

    def test_reasons_say_whose_and_what_to_do(self):
        said = json.loads(self.report("--since", SINCE, "--until", UNTIL, "--json"))
        reason = [r for r in said["reasons"] if r["reason"] == "from-not-allowed"][0]
        self.assertEqual(reason["advice"], "Use one of the app's senders in From.")
        by_app = {}
        for row, n in self.facts:
            if row["reason"] == "from-not-allowed" and row["verdict"] == "reject" and row["time"] // HOUR * HOUR >= BEGAN + 24 * HOUR:
                by_app[row["app"]] = by_app.get(row["app"], 0) + n
        self.assertEqual(reason["messages"], sum(by_app.values()))
        self.assertEqual(reason["of_app"], max(by_app.values()))

    def test_the_table_fits_and_is_inert(self):
        for by in ("app", "sender", "reason", "client"):
            for width in (80, 100, 200):
                with self.subTest(by, width=width):
                    said = self.report("--since", SINCE, "--until", UNTIL, "--by", by, env={"COLUMNS": str(width)})
                    self.assertNotIn("\x1b", said)
                    self.assertNotIn("\u202e", said)
                    self.assertNotIn("\u2028", said)
                    for line in said.splitlines():
                        if not line.startswith("a-very-long"):
                            self.assertLessEqual(len(line), width, line)

    def test_colors_on_a_terminal_only(self):
        words = [os.path.join(BUILD, "postern"), "report", "--database", self.url, "--since", SINCE, "--until", UNTIL]
        for env, colored in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            ours, theirs = pty.openpty()
            child = subprocess.Popen(words, stdout=theirs, env=dict(os.environ, **dict({"NO_COLOR": ""}, **env)))
            os.close(theirs)
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
            self.assertEqual(child.wait(), 0)
            self.assertEqual(b"\x1b[31m" in said, colored)
            self.assertLessEqual(set(re.findall(rb"\x1b[^m]*m?", said)), {b"\x1b[31m", b"\x1b[33m", b"\x1b[1m", b"\x1b[0m"})

    def test_nothing_in_the_page_is_markup(self):
        for by in ("app", "department", "sender", "client", "reason"):
            with self.subTest(by):
                text = self.report("--since", SINCE, "--until", UNTIL, "--by", by, "--html", "-")
                page = Page(text)
                self.assertEqual(page.open, [])
                self.assertLessEqual(page.tags, set("html head meta title style body h1 h2 p dl div dt dd small svg g rect line desc ol ul li span details "
                                                    "summary table caption tr th td".split()))
                names = {name for name, _ in page.attributes}
                self.assertLessEqual(names, set("lang charset name content http-equiv class viewbox preserveaspectratio role aria-labelledby aria-describedby id x1 x2 y1 y2 aria-hidden "
                                                "x y width height scope tabindex colspan".split()))
                self.assertIsNone(re.search(r"https?:|src=|href|url\(|@import|javascript:", re.sub(r"&[a-z#0-9]+;[^<]*", "", text)))
                self.assertNotIn("\x1b", text)
                self.assertNotIn("\u202e", text)
                if by == "sender":
                    said = "".join(page.text)
                    for hostile in HOSTILE[:3] + HOSTILE[4:6]:
                        self.assertIn(hostile, said)

    def test_the_guide_mails_it(self):
        with open(os.path.join(TOP, "doc", "guide", "reports.md")) as f:
            script = re.search(r"(?ms)^    \(printf.*?\| sendmail -t$", f.read()).group(0)
        script = script.replace("postern report --since 7d", "./postern report --database %s --since %s --until %s" % (shlex.quote(self.url), SINCE, UNTIL))
        done = subprocess.run(["sh", "-c", script.replace("| sendmail -t", "| cat")], capture_output=True, check=True)
        message = email.message_from_bytes(done.stdout, policy=email.policy.default)
        self.assertEqual(message["To"], "ops@contoso.com")
        self.assertEqual(message.get_content_type(), "text/html")
        self.assertEqual(message.get_content(), self.report("--since", SINCE, "--until", UNTIL, "--html", "-"))

    def test_files(self):
        path = os.path.join(self.folder, "page.html")
        self.report("--html", path, "--since", SINCE, "--until", UNTIL)
        with open(path) as f:
            self.assertTrue(f.read().endswith("</html>\n"))
        self.assertIn("it exists", self.report("--html", path, status=1))
        os.unlink(path)
        self.assertIn("no mail", self.report("--since", "2020-01-01", "--until", "2020-01-03"))
        self.assertIn("No mail", self.report("--since", "2020-01-01", "--until", "2020-01-03", "--html", "-"))

    def test_ranges(self):
        said = json.loads(self.report("--since", "2026-11-21T10:30:00Z", "--until", "2026-11-21T12:10:00Z", "--json"))
        self.assertEqual([said[k] for k in ("before", "since", "until", "is_open")],
                         ["2026-11-21T07:00:00Z", "2026-11-21T10:00:00Z", "2026-11-21T13:00:00Z", False])
        self.assertTrue(json.loads(self.report("--json"))["is_open"])
        for days, steps in ((3, 72), (7, 56), (30, 60), (400, 59)):
            said = json.loads(self.report("--since", "%dd" % days, "--json"))
            self.assertLessEqual(len(said["times"]), 72)
            self.assertGreater(len(said["times"]), 20)

    def test_days_have_names(self):
        today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT00:00:00Z")
        said = json.loads(self.report("--since", "yesterday", "--until", "today", "--json"))
        self.assertEqual(said["until"], today)
        self.assertEqual(datetime.datetime.fromisoformat(today[:-1]) - datetime.datetime.fromisoformat(said["since"][:-1]), datetime.timedelta(days=1))

    def test_wrong_command_lines(self):
        for words, because in ((("--by", "colour"), "--by takes one of app"), (("--since", "soon"), "--since takes"), (("nothing",), "no such report"),
                               (("--json", "--html", "x"), "two reports"), (("--only", "app"), "--only takes"), (("--only", "colour=red"), "--only takes"), (("--since", "2026-11-22", "--until", "2026-11-21"), "not before")):
            self.assertIn(because, self.report(*words, status=2))
        self.assertIn("No such file", run("--database", "sqlite:/nonexistent/x", status=1))


class OnSqlite(Report, unittest.TestCase):
    @classmethod
    def start(cls):
        cls.url = "sqlite:" + cls.file

    @classmethod
    def stop(cls):
        pass

    def test_roll_ups_are_read_and_no_rows(self):
        """With the rows gone the report is the same, but for senders and clients."""
        before = self.report("--since", SINCE, "--until", UNTIL, "--json")
        other = os.path.join(self.folder, "other.db")
        shutil.copy(self.file, other)
        with sqlite3.connect(other) as db:
            db.execute("DROP TABLE messages")
            db.execute("DROP TABLE refusals")
        self.assertEqual(run("--database", "sqlite:" + other, "--since", SINCE, "--until", UNTIL, "--json"), before)

    def test_in_chromium(self):
        chromium = shutil.which("chromium")
        if chromium is None:
            if os.environ.get("CI") == "true":
                self.fail("chromium is not installed")
            self.skipTest("chromium is not installed")
        path = os.path.join(self.folder, "sender.html")
        self.report("--since", SINCE, "--until", UNTIL, "--by", "sender", "--html", path)
        with open(path) as f:
            text = f.read()
        # Had anything of others become markup, there would be more elements than the page's own.
        done = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + self.folder + "/profile", "--dump-dom",
                               "file://" + path], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(re.findall(r"<tr\b", done.stdout)), len(re.findall(r"<tr\b", text)))
        for tag in ("script", "img", "b>", "i>"):
            self.assertNotIn("<" + tag, done.stdout)
        self.assertEqual(len(re.findall(r"<svg\b", done.stdout)), len(re.findall(r"<svg\b", text)))


class OnPostgres(Report, unittest.TestCase):
    @classmethod
    def start(cls):
        if postgres.binaries() is None:
            if os.environ.get("CI") == "true":
                raise AssertionError("no PostgreSQL server is installed")
            raise unittest.SkipTest("no PostgreSQL server is installed")
        cls.server = postgres.Postgres()
        cls.url = schema.to_postgres(cls.server, cls.file)

    @classmethod
    def stop(cls):
        cls.server.close()


if __name__ == "__main__":
    unittest.main()
