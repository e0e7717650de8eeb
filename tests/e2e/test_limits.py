#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Living with limits behind a real Postfix: postern limits and what operators do
to a counter, postern notify by a command and by mail. usage: test_limits.py BUILD-FOLDER"""

import email
import email.policy
import json
import os
import pty
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
import dozen  # noqa: E402
import posterntest as pt  # noqa: E402
import postgres  # noqa: E402
import relay  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))
POSTERN = os.path.join(BUILD, "postern")

APPS = """  - name: news
    tenant: contoso
    clients: [10.1.6.0/24]
    method: connector
    senders: [news@contoso.com, "*@fabrikam.com"]
    owner: Anna@contoso.com
    limits: [10 messages/minute]
  - name: keyed
    tenant: contoso
    clients: [10.1.7.0/24]
    method: connector
    senders: ["*@contoso.com"]
    owner: the sales people
    limits: [5 messages/hour per sender]
  - name: holds
    tenant: contoso
    clients: [10.1.8.8]
    method: connector
    senders: [holds@contoso.com]
    limits: [3 messages/hour then hold]
"""


class Base(relay.Relay):
    build = BUILD

    def postern(self, *words, status=0, **environment):
        """What a command prints, and what it says is wrong."""
        done = subprocess.run([POSTERN, words[0], "-c", self.policy] + list(words[1:]), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=dict(os.environ, **environment), timeout=120)
        text, error = done.stdout.decode(), done.stderr.decode()
        self.assertNotIn("Sanitizer", error)
        self.assertEqual(done.returncode, status, text + error)
        return error if status else text

    def one(self, client, sender, n=1, expected="250"):
        """n messages of this client's; each is answered so at the end, or where it is refused."""
        for _ in range(n):
            answers = self.send(client, sender, ["bob@example.net"], dozen.text(sender, "bob@example.net", "limits"))
            last = [a for a in (answers["data"], *answers["rcpt"], answers["mail"]) if a and a[0] != "3"][0]
            self.assertTrue(last.startswith(expected), answers)

    def rows(self, query):
        db = sqlite3.connect("file:%s?mode=ro" % self.database, uri=True)
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def row(self, name, key=""):
        found = json.loads(self.postern("limits", "--json", "--app", name.split("/")[0]))["limits"]
        return [r for r in found if r["name"] == name and r["key"] == key][0]

    def empty(self, app, limit, *key):
        self.postern("limits", "reset", app, limit, *key)


class Limits(Base):
    policy_more = APPS

    def setUp(self):
        self.empty("news", "messages-per-minute")

    def test_table(self):
        self.one("10.1.6.1", "news@contoso.com", 6)
        self.one("10.1.6.2", "a@fabrikam.com", 3)
        r = self.row("news/messages-per-minute")
        self.assertEqual((r["used"], r["left"], r["count"], r["over"], r["near"]), (9, 1, 10, "defer", True))
        self.assertEqual(r["spenders"], [{"name": "news@contoso.com", "used": 6}, {"name": "a@fabrikam.com", "used": 3}])
        self.assertTrue(0 < r["next_ms"] <= r["free_ms"] <= 62000, r)
        self.assertTrue(0 < r["spent_ms"] < 60000, r)
        r = self.row("news/messages-per-minute")
        budget = [x for x in json.loads(self.postern("limits", "--json", "--app", "news"))["limits"]
                  if x["name"] == "contoso/external-recipients-per-day"][0]
        self.assertEqual(budget["by"], "app")
        self.assertIn("news", [s["name"] for s in budget["spenders"]])
        for columns in ("60", "80", "200"):
            text = self.postern("limits", COLUMNS=columns)
            self.assertNotIn("\033", text)
            self.assertRegex(text, r"news/messages-per-minute\s+9/10\s+1\s+\d+s\s+\d+s")
            self.assertRegex(text, r"news@contoso.com 6 \(67 %\);\s+a@fabrikam.com 3 \(33 %\)")
            self.assertRegex(text, r"at this pace, spent at \d\d:\d\d")
            # Names alone may be longer than a line.
            long = [line for line in text.splitlines() if len(line) > int(columns) and " each" not in line and
                    re.search(r"\s\d", line)]
            self.assertEqual(long, [])
        self.assertNotIn("alerts/", self.postern("limits", "--app", "news"))

    def on_a_terminal(self, **environment):
        master, slave = pty.openpty()
        with subprocess.Popen([POSTERN, "limits", "-c", self.policy, "--app", "news"], stdout=slave, stderr=slave,
                              env={**os.environ, "TERM": "xterm", **environment}):
            os.close(slave)
            said = b""
            while True:
                try:
                    piece = os.read(master, 4096)
                except OSError:
                    break
                if not piece:
                    break
                said += piece
        os.close(master)
        return said.decode()

    def test_colors_on_a_terminal_only(self):
        self.one("10.1.6.1", "news@contoso.com", 10)
        self.assertIn("\033[31m", self.on_a_terminal())
        self.assertNotIn("\033", self.on_a_terminal(NO_COLOR="1"))
        self.assertNotIn("\033", self.on_a_terminal(TERM="dumb"))

    def test_watch(self):
        with subprocess.Popen([POSTERN, "limits", "-c", self.policy, "--watch", "--json"], stdout=subprocess.PIPE) as p:
            lines = [json.loads(p.stdout.readline()) for _ in range(2)]
            p.kill()
        self.assertLess(lines[0]["at"], lines[1]["at"])

    def test_reset(self):
        self.one("10.1.6.1", "news@contoso.com", 10)
        self.one("10.1.6.1", "news@contoso.com", 1, "451")
        self.assertEqual(self.postern("limits", "reset", "news", "messages-per-minute"),
                         "news/messages-per-minute: 10 had been used\n")
        self.one("10.1.6.1", "news@contoso.com", 10)
        self.one("10.1.6.1", "news@contoso.com", 1, "451")
        # Who spends it is told since the reset.
        self.assertEqual(self.row("news/messages-per-minute")["spenders"], [{"name": "10.1.6.1", "used": 10}])

    def test_reset_is_of_one_key(self):
        for sender in ("a@contoso.com", "b@contoso.com"):
            self.empty("keyed", "messages-per-hour-per-sender", sender)
            self.one("10.1.7.1", sender, 5)
            self.one("10.1.7.1", sender, 1, "451")
        self.empty("keyed", "keyed/messages-per-hour-per-sender", "A@Contoso.com")
        self.one("10.1.7.1", "a@contoso.com", 1)
        self.one("10.1.7.1", "b@contoso.com", 1, "451")

    def test_boost_survives_a_kill_and_ends(self):
        self.one("10.1.6.1", "news@contoso.com", 10)
        said = self.postern("limits", "boost", "news", "messages-per-minute", "+3", "until", "+8s")
        until = time.monotonic() + 8
        self.assertRegex(said, r"^news/messages-per-minute: 3 more until 20\d\d-")
        self.assertRegex(self.postern("limits", "boosts"), r"news/messages-per-minute: 3 more until .* by ")
        self.daemon.kill()
        self.daemon.start()
        self.one("10.1.6.1", "news@contoso.com", 3)
        self.one("10.1.6.1", "news@contoso.com", 1, "451")
        explained = json.loads(self.postern("explain", "--json", "--client", "10.1.6.1", "--sender", "news@contoso.com",
                                            "--rcpt", "bob@example.net"))["limits"][0]
        self.assertEqual((explained["count"], explained["boost"], explained["used"]), (13, 3, 13))
        pt.wait_for(lambda: time.monotonic() > until + 1.5, 30)
        self.assertEqual(self.postern("limits", "boosts"), "no limit is boosted\n")
        r = self.row("news/messages-per-minute")
        self.assertEqual((r["boost"], r["used"], r["left"]), (0, 13, 0))

    def test_boost_lets_held_mail_go(self):
        self.one("10.1.8.8", "holds@contoso.com", 5)
        self.assertEqual(self.row("holds/messages-per-hour")["waiting"], 2)
        self.postern("limits", "boost", "holds", "messages-per-hour", "+2", "until", "+1h")
        pt.wait_for(lambda: self.rows("SELECT count(*) FROM held WHERE state = 'granted'") == [(2,)], 15, "grants")
        self.postern("limits", "unboost", "holds", "messages-per-hour")
        self.postern("limits", "unboost", "holds", "messages-per-hour", status=1)

    def test_acts_are_kept(self):
        self.postern("limits", "boost", "news", "messages-per-minute", "+1", "until", "+1h")
        self.postern("limits", "unboost", "news", "messages-per-minute")
        acts = self.rows("SELECT what, limit_name, amount, result FROM acts WHERE who <> '' ORDER BY applied_time DESC LIMIT 2")
        self.assertEqual(acts[0][:3], ("unboost", "news/messages-per-minute", 0))
        self.assertEqual(acts[1][:3], ("boost", "news/messages-per-minute", 1))

    def test_without_a_daemon(self):
        self.one("10.1.6.1", "news@contoso.com", 10)
        self.daemon.kill()
        self.assertIn("posternd does not run; it takes this up when it starts",
                      self.postern("limits", "reset", "news", "messages-per-minute", status=1))
        self.daemon.start()
        pt.wait_for(lambda: self.row("news/messages-per-minute")["used"] == 0, 15, "the reset")
        self.one("10.1.6.1", "news@contoso.com", 2)
        time.sleep(1)
        self.assertEqual(self.row("news/messages-per-minute")["used"], 2)

    def test_what_makes_no_sense_is_refused(self):
        before = self.rows("SELECT count(*) FROM acts")
        for words, expected in (
                (("reset", "news", "messages-per-minut"), 'did you mean "messages-per-minute"'),
                (("reset", "new", "messages-per-minute"), 'did you mean "news"'),
                (("reset", "news"), "expected reset APP LIMIT [KEY]"),
                (("reset", "news", "messages-per-minute", "x"), "no KEY"),
                (("reset", "keyed", "messages-per-hour-per-sender"), "counts per sender: say which one"),
                (("reset", "keyed", "messages-per-hour-per-sender", "no address"), "expected an address"),
                (("boost", "news", "messages-per-minute"), "expected +N"),
                (("boost", "news", "messages-per-minute", "5", "until", "+1h"), "expected boost APP LIMIT [KEY] +N until TIME"),
                (("boost", "news", "messages-per-minute", "+0", "until", "+1h"), "at least +1"),
                (("boost", "news", "messages-per-minute", "+5"), "until TIME"),
                (("boost", "news", "messages-per-minute", "+5M", "until", "+1h"), "expected +N"),
                (("boost", "news", "messages-per-minute", "+5", "until", "2020-01-01T10:00"), "past"),
                (("boost", "news", "messages-per-minute", "+5", "until", "25:00"), "expected a time"),
                (("boost", "news", "messages-per-minute", "+5", "until", "+400d"), "at most 366 days"),
                (("boost", "news", "messages-per-minute", "+" + "9" * 19, "until", "+1h"), "at most"),
                (("boost", "news", "messages-per-minute", "+" + "9" * 40, "until", "+1h"), "expected +N"),
                (("boosts", "x"), "boosts alone"),
                (("rest", "news"), "expected reset, boost"),
                (("--app", "nwes"), 'did you mean "news"')):
            with self.subTest(words):
                self.assertIn(expected, self.postern("limits", *words, status=2))
        self.assertEqual(self.rows("SELECT count(*) FROM acts"), before)


NOTIFY = """  - name: here
    tenant: contoso
    clients: [local]
    method: connector
    senders: [postern@contoso.com]
notify:
  command: {folder}/event
  mail: {mail}
  admin: postmaster@contoso.com
  from: {sender}
  quiet: 1 minute
  sendmail: {folder}/sendmail
"""


class Notify(Base):
    """Events by a command and by mail through the relay itself."""
    mail = "owner"
    sender = "postern@contoso.com"

    @classmethod
    def setUpClass(cls):
        cls.tools = tempfile.mkdtemp(prefix="postern-notify-")
        os.chmod(cls.tools, 0o755)
        cls.policy_more = APPS + NOTIFY.format(folder=cls.tools, mail=cls.mail, sender=cls.sender)
        super().setUpClass()
        cls.script("sendmail", 'echo x >>%s/mails; exec sendmail -C %s "$@"' % (cls.tools, cls.postfix.config))
        cls.script("event", "cat >>%s/events" % cls.tools)
        cls.follower = None

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.tools, ignore_errors=True)

    @classmethod
    def script(cls, name, text):
        path = os.path.join(cls.tools, name)
        with open(path + ".new", "w") as f:
            f.write("#!/bin/sh\n" + text + "\n")
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)

    def setUp(self):
        self.log = os.path.join(self.tools, "log")

    def tearDown(self):
        if self.follower is not None:
            self.end()

    def begin(self, *words):
        with open(self.log, "ab") as log:
            self.follower = subprocess.Popen([POSTERN, "notify", "-c", self.policy, "--follow"] + list(words), stdout=log,
                                             stderr=log, stdin=subprocess.DEVNULL)

    def end(self, how=signal.SIGTERM):
        self.follower.send_signal(how)
        status = self.follower.wait(60)
        self.follower = None
        if how == signal.SIGTERM:
            self.assertEqual(status, 0)

    def told(self, app, name="events"):
        """The kinds of events that the command got."""
        try:
            with open(os.path.join(self.tools, name)) as f:
                return [e["kind"] for e in map(json.loads, f) if e["app"] == app]
        except OSError:
            return []

    def mails(self, to, word=b""):
        with self.stand_in.lock:
            return [m for m in self.stand_in.messages if m["recipients"] == [to] and b"Auto-Submitted" in m["raw"] and
                    word in m["raw"]]

    def count(self, name):
        try:
            with open(os.path.join(self.tools, name)) as f:
                return len(f.readlines())
        except OSError:
            return 0

    def said(self):
        with open(self.log) as f:
            return f.read()

    def forget(self):
        """Nothing told so far is told again; no counter remembers an event."""
        subprocess.run([POSTERN, "notify", "-c", self.policy, "--tries", "1"], stderr=subprocess.DEVNULL)


class WholeStory(Notify):
    def test_each_event_is_told_once(self):
        """80 %, the limit, free again: one call and one mail each, over kills of both."""
        to = "Anna@contoso.com"
        self.begin()
        self.one("10.1.6.1", "news@contoso.com", 8)
        pt.wait_for(lambda: self.told("news") == ["near"] and len(self.mails(to)) == 1, 20, "near")
        self.end(signal.SIGKILL)
        self.daemon.kill()
        self.daemon.start()
        self.begin()
        self.one("10.1.6.1", "news@contoso.com", 2)
        self.one("10.1.6.1", "news@contoso.com", 5, "451")
        pt.wait_for(lambda: self.told("news") == ["near", "reached"] and len(self.mails(to)) == 2, 20, "reached")
        self.end(signal.SIGKILL)
        self.daemon.kill()
        self.daemon.start()
        self.one("10.1.6.1", "news@contoso.com", 5, "451")
        self.begin()
        pt.wait_for(lambda: self.told("news") == ["near", "reached", "freed"] and len(self.mails(to)) == 3, 90, "freed")
        # Within the quiet minute of the others nothing more; what was freed is not told to be reached.
        self.one("10.1.6.1", "news@contoso.com", 4)
        time.sleep(3)
        self.assertEqual(self.told("news"), ["near", "reached", "freed"])
        self.assertEqual([len(self.mails(to)), self.count("mails")], [3, 3])
        self.check_json()
        self.check_mail(self.mails(to, b"reached")[0])
        with subprocess.Popen([POSTERN, "notify", "-c", self.policy], stderr=subprocess.PIPE) as p:
            self.assertIn(b"another postern notify runs", p.stderr.read())
            self.assertEqual(p.wait(), 1)

    def check_json(self):
        with open(os.path.join(self.tools, "events")) as f:
            reached = [json.loads(line) for line in f][1]
        for name, value in (("limit", "news/messages-per-minute"), ("used", 10), ("count", 10), ("unit", "messages"),
                            ("period", 60), ("over", "defer"), ("mode", "enforce"), ("owner", "Anna@contoso.com"),
                            ("tenant", "contoso"), ("scope", "app:news"), ("key", "")):
            self.assertEqual(reached[name], value)
        self.assertEqual(reached["now"]["spenders"], [{"name": "10.1.6.1", "used": 10}])
        # The id is the one of the first refusal.
        self.assertEqual(self.rows("SELECT reason FROM refusals WHERE id = '%s'" % reached["id"]),
                         [("limit:news/messages-per-minute",)])

    def check_mail(self, got):
        m = email.message_from_bytes(got["raw"], policy=email.policy.default)
        self.assertEqual(got["sender"], "postern@contoso.com")
        self.assertEqual(m["Auto-Submitted"], "auto-generated")
        self.assertEqual(m["Subject"], "news/messages-per-minute reached: 10 of 10 used")
        self.assertEqual((m["From"].addresses[0].addr_spec, m["To"].addresses[0].addr_spec),
                         ("postern@contoso.com", "Anna@contoso.com"))
        text = m.get_content()
        for part in ("The limit news/messages-per-minute of app news is reached.", "10 of 10 messages in any minute",
                     "deferred (451)", "10.1.6.1 10", "postern limits boost news messages-per-minute +N until TIME"):
            self.assertIn(part, text)
        self.assertRegex(text, r"Frees: +some at \d\d:\d\d, all of it at \d\d:\d\d")
        self.assertRegex(text, r"postern explain [0-9A-Z]{26}\)")


class Quiet(Notify):
    mail = "both"

    def test_quiet_and_trouble(self):
        self.one("10.1.6.1", "news@contoso.com", 10)
        self.one("10.1.6.1", "news@contoso.com", 1, "451")
        self.empty("news", "messages-per-minute")
        pt.wait_for(lambda: self.rows("SELECT count(*) FROM events") == [(3,)], 10, "the events")
        self.one("10.1.6.1", "news@contoso.com", 10)
        self.one("10.1.6.1", "news@contoso.com", 1, "451")
        time.sleep(1)
        self.assertEqual(self.rows("SELECT count(*) FROM events"), [(3,)])
        self.trouble()
        self.bad_owner()

    def trouble(self):
        """A command that fails, hangs, or is not there: it is said, the mail goes, the order stays."""
        shown = self.postern("notify", "--dry-run")
        self.assertEqual([shown.count("run " + self.tools), shown.count("mail to ")], [3, 6])
        self.script("event", "echo not today >&2; exit 3")
        said = self.postern("notify", "--tries", "2", status=1)
        self.assertIn("try 2 of 2: it ended with status 3, saying: not today", said)
        self.assertEqual(said.count("given up"), 3)
        self.assertEqual(said.count("try 1 of 2"), 1)   # after one that was given up others are tried once
        self.assertEqual(said.count("mail to Anna@contoso.com: done"), 3)
        self.assertEqual(self.count("mails"), 6)
        self.assertEqual(self.postern("notify"), "")
        pt.wait_for(lambda: len(self.mails("Anna@contoso.com")) == 3 and len(self.mails("postmaster@contoso.com")) == 3,
                    20, "mail")
        kinds = [re.search(rb"Subject: (.*)", m["raw"]).group(1).split(b":")[0] for m in self.mails("Anna@contoso.com")]
        self.assertEqual(sorted(kinds), [b"news/messages-per-minute has room again", b"news/messages-per-minute is near",
                                         b"news/messages-per-minute reached"])

    def bad_owner(self):
        self.script("event", "sleep 60 & sleep 60")
        self.one("10.1.7.1", "c@contoso.com", 5)
        began = time.monotonic()
        said = self.postern("notify", "--tries", "2", "--timeout", "1", status=1)
        self.assertLess(time.monotonic() - began, 30)
        self.assertIn("it was not done after 1 seconds and was killed", said)
        self.assertIn('the owner of app keyed is told nothing: "the sales people" is no address', said)
        self.assertIn("mail to postmaster@contoso.com: done", said)
        self.assertIn("the owner of app \"keyed\" is told nothing", self.postern("check"))
        os.unlink(os.path.join(self.tools, "event"))
        self.one("10.1.7.1", "d@contoso.com", 5)
        self.assertIn("it cannot be run: No such file or directory", self.postern("notify", "--tries", "1", status=1))
        # A command that kills the one who runs it: it comes once more, and what followed comes once.
        before = self.count("mails")
        self.script("event", "cat >>%s/killed; [ -e %s/once ] || { touch %s/once; kill -9 $PPID; }" % ((self.tools,) * 3))
        self.one("10.1.7.1", "e@contoso.com", 5)
        self.postern("notify", status=-signal.SIGKILL)
        self.postern("notify", status=1)    # its owner has no address
        self.postern("notify")
        self.assertEqual(self.told("keyed", "killed"), ["near", "near"])
        self.assertEqual(self.count("mails") - before, 1)


class Loop(Notify):
    """Notices that are refused, or that are too many themselves, do not breed."""
    mail = "admin"
    sender = "nobody@contoso.com"       # which app here may not use

    def test_no_loop(self):
        self.begin()
        self.one("10.1.6.1", "news@contoso.com", 10)
        self.one("10.1.6.1", "news@contoso.com", 2, "451")
        pt.wait_for(lambda: self.count("mails") == 2, 20, "two notices")
        pt.wait_for(lambda: self.rows("SELECT sum(count) FROM refusals WHERE app = 'here'") == [(2,)], 20, "their refusal")
        time.sleep(8)
        self.assertEqual(self.count("mails"), 2)
        self.assertEqual(self.rows("SELECT count(*) FROM events"), [(2,)])
        self.assertEqual(self.mails("postmaster@contoso.com"), [])


class SelfLimit(Notify):
    """The app of the notices has a limit of its own, and its events are told as well."""
    mail = "admin"

    def test_bounded(self):
        with open(self.policy) as f:
            text = f.read()
        with open(self.policy, "w") as f:
            f.write(text.replace("senders: [postern@contoso.com]", "senders: [postern@contoso.com]\n    limits: [2 messages/hour]"))
        self.daemon.reload()
        pt.wait_for(lambda: "is in force" in self.daemon.log(), 15, "the reload")
        self.begin()
        self.one("10.1.6.1", "news@contoso.com", 10)
        self.one("10.1.6.1", "news@contoso.com", 2, "451")
        # near and reached of news; the notices use up the limit of two: near and reached of it.
        pt.wait_for(lambda: self.count("mails") == 4, 30, "four notices")
        time.sleep(8)
        self.assertEqual(self.count("mails"), 4)
        self.assertEqual(sorted(self.rows("SELECT app, kind FROM events")),
                         [("here", "near"), ("here", "reached"), ("news", "near"), ("news", "reached")])


SHARED = """
listen: unix:{folder}/milter.sock
database: {url}
relay: {name}
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
apps:
  - name: news
    tenant: contoso
    clients: [10.1.6.1]
    method: connector
    senders: [news@contoso.com]
    owner: anna@contoso.com
    limits: [10 messages/hour]
notify:
  command: {folder}/event
"""


class SharedRelay:
    """posternd of one relay, over the milter protocol."""

    def __init__(self, work, name, url):
        self.folder = os.path.join(work, name)
        os.makedirs(self.folder)
        self.policy = self.folder + "/postern.yaml"
        for path, text in (("accepted.txt", "contoso.com\n"), ("postern.yaml", SHARED.format(folder=self.folder, url=url, name=name)),
                           ("event", "#!/bin/sh\ncat >>%s/events\n" % self.folder)):
            with open(os.path.join(self.folder, path), "w") as f:
                f.write(text)
        os.chmod(self.folder + "/event", 0o755)
        self.daemon = pt.Posternd(os.path.join(BUILD, "posternd"), self.policy, self.folder + "/milter.sock",
                                  self.folder + "/log").start()

    def send(self, n=1):
        """n messages; how many were accepted."""
        accepted = 0
        client = pt.MilterClient(self.folder + "/milter.sock")
        try:
            client.open("10.1.6.1")
            for _ in range(n):
                verdict, _ = client.message("news@contoso.com", ["bob@example.net"],
                                            b"From: news@contoso.com\r\nSubject: news\r\n\r\nHello\r\n")
                accepted += verdict == "accept"
        finally:
            client.close()
        return accepted

    def postern(self, *words):
        done = subprocess.run([POSTERN, words[0], "-c", self.policy] + list(words[1:]), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout.decode()

    def told(self):
        try:
            with open(self.folder + "/events") as f:
                return [json.loads(line)["kind"] for line in f]
        except OSError:
            return []


@unittest.skipIf(postgres.binaries() is None and os.environ.get("CI") != "true", "no PostgreSQL server is installed")
class OnPostgres(unittest.TestCase):
    """Two relays on one server: what operators do through one holds on both, and each relay tells its own events."""

    def test_two_relays(self):
        with tempfile.TemporaryDirectory(prefix="postern-shared-") as work, postgres.Postgres() as server:
            os.chmod(work, 0o755)
            url = server.tcp_url(server.fresh())
            one, two = (SharedRelay(work, name, url) for name in ("one", "two"))
            try:
                self.both(one, two)
            finally:
                statuses = [relay.daemon.stop() for relay in (one, two)]
            self.assertEqual(statuses, [0, 0])

    def both(self, one, two):
        self.assertEqual(one.send(6) + two.send(6), 10)
        shown = json.loads(two.postern("limits", "--json", "--app", "news")[1])["limits"]
        row = [r for r in shown if r["name"] == "news/messages-per-hour"][0]
        self.assertEqual((row["used"], row["left"], row["spenders"]), (10, 0, [{"name": "10.1.6.1", "used": 10}]))
        self.assertEqual(one.postern("limits", "reset", "news", "messages-per-hour"),
                         (0, "news/messages-per-hour: 10 had been used\n"))
        time.sleep(2.5)     # the other relay looks once a second
        self.assertEqual(two.send(12), 10)
        self.assertEqual(one.send(2), 0)
        self.assertEqual(two.postern("limits", "boost", "news", "messages-per-hour", "+4", "until", "+1h")[0], 0)
        time.sleep(2.5)
        self.assertEqual(one.send(3) + two.send(3), 4)
        self.assertIn("news/messages-per-hour: 4 more until", one.postern("limits", "boosts")[1])
        said = [relay.postern("notify", "--state", relay.folder + "/state") for relay in (one, two)]
        self.assertEqual([status for status, _ in said], [0, 0], said)
        self.assertEqual(sorted(one.told() + two.told()), ["freed", "near", "reached"])
        again = [relay.postern("notify", "--state", relay.folder + "/state") for relay in (one, two)]
        self.assertEqual(again, [(0, ""), (0, "")])


if __name__ == "__main__":
    unittest.main()
