#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""What was mailed back after a 250: a next hop that takes a message and then mails a report in Exchange Online's
form, through a real Postfix into a Maildir that is followed.
usage: test_reports.py BUILD-FOLDER [BUILD-FOLDER-WITH-CRASH-POINTS]"""

import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dozen  # noqa: E402
import posterntest as pt  # noqa: E402
import relay  # noqa: E402
import reports  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))
CRASH = os.path.abspath(sys.argv.pop(1)) if sys.argv[1:] and os.path.isdir(sys.argv[1]) else None
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
POSTERN = os.path.join(BUILD, "postern")
QUOTA = "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending email to external recipients"
UNKNOWN = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"

# The listener for reports, as the guide has it: no milter, and nothing but this address. "127.0.0.1:%d" stands for port 25 of
# an address that Exchange Online reaches.
LISTENER = """
127.0.0.1:%d inet n - n - - smtpd
  -o smtpd_milters=
  -o smtpd_relay_restrictions=reject_unauth_destination
  -o smtpd_recipient_restrictions=reject_unauth_destination
virtual unix - n n - - virtual
"""
MAIN = """
virtual_mailbox_domains = reports.contoso.com
virtual_mailbox_base = %s
virtual_mailbox_maps = inline:{ exchange@reports.contoso.com=reports/ }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_mailbox_limit = 0
"""


class Reports(relay.Relay):
    build = BUILD

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.log_file = os.path.join(cls.folder, "postfix/log/mail.log")
        cls.followed = os.path.join(cls.folder, "followed.yaml")
        with open(cls.policy) as f, open(cls.followed, "w") as to:
            to.write(f.read().replace("contoso-com.mail.protection.outlook.com", '"[127.0.0.1]:%d"' % cls.stand_in.port))
        cls.mail_folder = os.path.join(cls.folder, "mail")
        cls.maildir = os.path.join(cls.mail_folder, "reports")
        os.mkdir(cls.mail_folder)
        shutil.chown(cls.mail_folder, "nobody", "nogroup")
        cls.port = pt.free_port()
        with open(os.path.join(cls.postfix.config, "master.cf"), "a") as f:
            f.write(LISTENER % cls.port)
        with open(os.path.join(cls.postfix.config, "main.cf"), "a") as f:
            f.write(MAIN % cls.mail_folder)
        subprocess.run(["postfix", "-c", cls.postfix.config, "reload"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pt.wait_for(lambda: pt.can_connect(cls.port), what="the listener for reports")

    def setUp(self):
        self.n = 0

    def words(self, *more):
        return ["follow", "-c", self.followed, "--log", self.log_file, "--reports", self.maildir] + list(more)

    def once(self, program=POSTERN, status=0, environment=None):
        done = subprocess.run([program] + self.words("--once"), stderr=subprocess.PIPE, timeout=60, env=dict(os.environ, **(environment or {})))
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotIn(b"Sanitizer", done.stderr)
        return done.stderr.decode(errors="replace")

    def trace(self, *words):
        done = subprocess.run([POSTERN, "trace", "-c", self.followed] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def story(self, queue_id):
        found = json.loads(self.trace("--json", queue_id))["messages"]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def rows(self, query, *parameters):
        db = sqlite3.connect("file:%s-deliveries?mode=ro" % self.database, uri=True, timeout=10)
        try:
            return db.execute(query, parameters).fetchall()
        finally:
            db.close()

    def mail(self, recipients, message_id=None):
        """Sends one, which the next hop takes: its queue id, and the message as it got there."""
        octets = dozen.text("crm@contoso.com", recipients[0], "order")
        if message_id:
            octets = re.sub(rb"(?m)^Message-ID: .*\r$", b"Message-ID: " + message_id.encode() + b"\r", octets)
        answers = self.send("10.1.2.3", "crm@contoso.com", recipients, octets)
        self.assertTrue(answers["data"].startswith("250"), answers)
        taken = []

        def done():
            taken[:] = [m for m in self.stand_in.messages if recipients[0] in m["recipients"]]
            return bool(taken)
        pt.wait_for(done, 30, "the next hop")
        self.postfix.wait_empty()
        return answers["data"].split()[-1], taken[-1]["raw"]

    def report(self, raw, client=None, maildir=True):
        """Mails it to the relay as Exchange Online does; or a client of another (name, address)."""
        before = set(glob.glob(self.maildir + "/new/*"))
        c = pt.Client(self.port, hello="mail-a.outbound.protection.outlook.com")
        c.ehlo()
        if client:
            self.assertTrue(c.command("XCLIENT NAME=%s ADDR=%s" % client).startswith("220"))
            c.ehlo()
        answers = c.message("", ["exchange@reports.contoso.com"], raw)
        c.close()
        self.assertTrue(answers["data"].startswith("250"), answers)
        pt.wait_for(lambda: set(glob.glob(self.maildir + "/new/*")) - before, 30, "the Maildir")
        return (set(glob.glob(self.maildir + "/new/*")) - before).pop()

    def ndr(self, raw, *groups, **words):
        self.n += 1
        words.setdefault("message_id", "<%s-%d@AM0PR05MB0001.eurprd05.prod.outlook.com>" % (self.id(), self.n))
        return reports.exchange("crm@contoso.com", reports.status(*groups), raw, **words)

    def deliveries(self):
        return self.rows("SELECT * FROM deliveries WHERE recipient NOT LIKE 'exchange@%' ORDER BY number")

    def test_reported_after_a_250(self):
        queue_id, raw = self.mail(["gone@example.net", "fine@example.net", "slow@example.net"])
        self.once()
        before = self.deliveries()
        self.report(self.ndr(raw, reports.recipient("gone@EXAMPLE.net", "5.7.233", QUOTA),
                             reports.recipient("slow@example.net", "4.4.7", "451 4.4.7 Message delayed", "delayed")))
        self.assertEqual(self.once(), "")
        self.assertEqual(self.deliveries(), before)  # the 250 stays
        story = self.story(queue_id)
        self.assertEqual({d["recipient"]: d["status"] for d in story["deliveries"]}, {r + "@example.net": "sent" for r in ("gone", "fine", "slow")})
        found = {r["recipient"]: r for r in story["reports"]}
        self.assertEqual(set(found), {"gone@EXAMPLE.net", "slow@example.net"})
        gone = found["gone@EXAMPLE.net"]
        self.assertEqual((gone["action"], gone["status"], gone["reply"], gone["path"], gone["has_audit_id"], gone["sent"], gone["believed"]),
                         ("failed", "5.7.233", QUOTA, "next-hop", True, True, True))
        self.assertEqual((gone["meaning"]["keyword"], gone["meaning"]["class"], gone["meaning"]["who"]),
                         ("tenant-quota", "quota", "the admin of the Microsoft 365 tenant"))
        text = " ".join(self.trace(queue_id).split())
        sent = text.index("gone@example.net: sent at ")
        reported = text.index("reported by mail: gone@EXAMPLE.net: undeliverable, reported at ")
        self.assertLess(sent, reported)
        for words in ("came from localhost[127.0.0.1], the tenant's next hop", "reporter AM0PR05MB0001.eurprd05.prod.outlook.com",
                      gone["meaning"]["cause"], "what to do " + gone["meaning"]["action"], "slow@example.net: delayed, still being tried"):
            self.assertIn(" ".join(words.split()), text)
        # Found by the address as well.
        self.assertIn("3 sent, 1 reported undeliverable: tenant-quota", self.trace("gone@example.net"))
        with open(os.path.join(TOP, "doc/guide/delivery.md")) as f:
            example = re.search(r"(?ms)^reported by mail:$.*?^    kind .*?$", f.read()).group()
        told = self.trace(queue_id)
        for line in example.splitlines():
            if re.match(r"    (meaning|who acts|what to do|wait|kind|reporter|tried again)|       ", line):
                self.assertIn(line, told)

        self.assertEqual(told.count("    tried again "), 1)
        done = subprocess.run([POSTERN, "metrics", "-c", self.followed], stdout=subprocess.PIPE, check=True, timeout=60)
        self.assertRegex(done.stdout.decode(), r'(?m)^postern_upstream_reports_total\{relay="[^"]*",action="failed",class="quota"\} [1-9]')
        self.assertRegex(done.stdout.decode(), r'(?m)^postern_upstream_tries_total\{relay="[^"]*",tenant="contoso",status="sent",class=""\} [1-9]')
        # And counted: of all apps, in the hours in which it came.
        done = subprocess.run([POSTERN, "report", "-c", self.followed, "--json"], stdout=subprocess.PIPE, check=True, timeout=60)
        counted = {r["keyword"]: r["recipients"] for r in json.loads(done.stdout)["reported"]}
        self.assertEqual(counted["tenant-quota"], 1)
        done = subprocess.run([POSTERN, "report", "-c", self.followed], stdout=subprocess.PIPE, check=True, timeout=60)
        self.assertRegex(done.stdout.decode(), r"(?m)^reported by mail +%d  undeliverable after a 250: .*1 tenant-quota" % sum(counted.values()))
        done = subprocess.run([POSTERN, "report", "-c", self.followed, "--html", "-"], stdout=subprocess.PIPE, check=True, timeout=60)
        self.assertIn(b"<dt>reported undeliverable later</dt>", done.stdout)

    def test_each_report_once(self):
        queue_id, raw = self.mail(["once@example.net"])
        octets = self.ndr(raw, reports.recipient("once@example.net", "5.1.10", UNKNOWN))
        name = self.report(octets)
        count = "SELECT count(*) FROM reported WHERE recipient = 'once@example.net'"
        for _ in range(2):
            self.once()
            self.assertEqual(self.rows(count), [(1,)])
        # Read by somebody else, who moves it; and a second copy, as a tool that fetches again makes it.
        os.rename(name, name.replace("/new/", "/cur/") + ":2,S")
        self.report(octets)
        self.once()
        self.assertEqual(self.rows(count), [(1,)])
        self.assertEqual(self.story(queue_id)["reports"][0]["meaning"]["keyword"], "recipient-unknown")
        # The same told anew is another report.
        self.report(self.ndr(raw, reports.recipient("once@example.net", "5.1.10", UNKNOWN)))
        self.once()
        self.assertEqual(self.rows(count), [(2,)])
        self.assertTrue(os.path.exists(name.replace("/new/", "/cur/") + ":2,S"))

    @unittest.skipUnless(CRASH, "no build with crash points")
    def test_killed_beside_the_commit(self):
        self.once()
        for n, (point, stored) in enumerate((("report-before-commit", 0), ("report-after-commit", 1))):
            to = "crash%d@example.net" % n
            queue_id, raw = self.mail([to])
            self.report(self.ndr(raw, reports.recipient(to, "5.1.10", UNKNOWN)))
            counted = self.rows("SELECT coalesce(sum(count), 0) FROM delivery_counts WHERE kind = 'report'")[0][0]
            self.once(os.path.join(CRASH, "postern"), -signal.SIGKILL, {"POSTERN_CRASH": point + ":1"})
            for _ in range(2):
                self.assertEqual(self.rows("SELECT count(*) FROM reported WHERE recipient = ?", to), [(stored,)])
                self.once()
                stored = 1
            self.assertEqual(self.rows("SELECT sum(count) FROM delivery_counts WHERE kind = 'report'"), [(counted + 1,)])
            self.assertEqual(len(self.story(queue_id)["reports"]), 1)

    def test_while_it_is_followed_and_killed(self):
        sent = [self.mail(["live%d@example.net" % n]) for n in range(6)]
        for n, (_, raw) in enumerate(sent):
            with subprocess.Popen([POSTERN] + self.words(), stderr=subprocess.DEVNULL) as p:
                self.report(self.ndr(raw, reports.recipient("live%d@example.net" % n, "5.1.10", UNKNOWN)))
                time.sleep(0.2 * n)
                p.kill()
        self.once()
        self.assertEqual(self.rows("SELECT count(*), count(DISTINCT recipient) FROM reported WHERE recipient LIKE 'live%'"), [(6, 6)])

    def test_forged_reports_change_nothing(self):
        queue_id, raw = self.mail(["victim@example.net"], "<forged@crm.contoso.com>")
        others, _ = self.mail(["other@example.net"])
        self.once()
        before = self.deliveries()
        bare = re.sub(rb"(?mi)^X-Postern-Id:.*\r\n", b"", raw)
        evil = ("host.evil.example", "192.0.2.66")
        # Of whoever got the message, by mail from elsewhere: told, and not believed.
        self.report(self.ndr(raw, reports.recipient("victim@example.net", "5.7.233", QUOTA)), evil)
        # From Exchange Online's hosts, about somebody the message never went to.
        exchange = ("mail-a.outbound.protection.outlook.com", "192.0.2.1")
        self.report(self.ndr(raw, reports.recipient("other@example.net", "5.7.233", QUOTA)), exchange)
        # Of a message that the audit does not have, or with an id that is none.
        self.report(self.ndr(b"X-Postern-Id: 01K9ZQ4M7XPGVN3R8YB6T2HCDE\r\n\r\n", reports.recipient("other@example.net", "5.7.233", QUOTA)))
        self.report(self.ndr(b"X-Postern-Id: ' OR 1=1 --\r\nMessage-ID: %\r\n\r\n", reports.recipient("other@example.net", "5.7.233", QUOTA)))
        # By Message-ID from elsewhere.
        self.report(self.ndr(bare, reports.recipient("victim@example.net", "5.7.233", QUOTA)), evil)
        # A report within a report is what was returned.
        self.report(self.ndr(b"Message-ID: <none@x>\r\n\r\n" + self.ndr(raw, reports.recipient("victim@example.net", "5.7.233", QUOTA)),
                             reports.recipient("nobody@example.net", "5.0.0", "550 no")))
        self.once()
        self.assertEqual(self.deliveries(), before)
        self.assertEqual(self.story(others)["reports"], [])
        story = self.story(queue_id)
        self.assertEqual([(r["recipient"], r["path"], r["has_audit_id"], r["sent"], r["believed"], "meaning" in r) for r in story["reports"]],
                         [("victim@example.net", "elsewhere", True, True, False, False), ("other@example.net", "exchange", True, False, False, False),
                          ("victim@example.net", "elsewhere", False, True, False, False)])
        text = " ".join(self.trace(queue_id).split())
        self.assertIn("came from host.evil.example[192.0.2.66], neither the tenant's next hop nor Exchange Online", text)
        self.assertIn("not believed: it came from neither", text)
        self.assertIn("not believed: the tenant's next hop is not known to have taken the message for this recipient", text)
        self.assertNotIn("reported undeliverable", self.trace("victim@example.net"))
        # The real one comes after all.
        self.report(self.ndr(raw, reports.recipient("victim@example.net", "5.1.10", UNKNOWN)), exchange)
        self.once()
        last = self.story(queue_id)["reports"][-1]
        self.assertEqual((last["path"], last["believed"], last["meaning"]["keyword"]), ("exchange", True, "recipient-unknown"))
        self.assertIn("1 sent, 1 reported undeliverable: recipient-unknown", self.trace("victim@example.net"))

    def test_by_message_id_alone(self):
        queue_id, raw = self.mail(["named@example.net"], "<named@crm.contoso.com>")
        self.report(self.ndr(b"From: x@y\r\n\r\n", reports.recipient("named@example.net", "5.1.10", UNKNOWN), answers="<named@crm.contoso.com>"))
        self.once()
        report, = self.story(queue_id)["reports"]
        self.assertEqual((report["has_audit_id"], report["believed"], report["meaning"]["keyword"]), (False, True, "recipient-unknown"))

    def test_hostile_text_is_inert(self):
        queue_id, raw = self.mail(["hostile@example.net"])
        self.report(self.ndr(raw, reports.recipient("hostile@example.net", "5.1.10", "550 5.1.10 \x1b[2J\x1b]0;owned\x07 <script>alert(1)</script> "
                                                    "\r\n deliveries:\r\n\t x: sent", "failed", "Remote-MTA: dns;\x1b[31mred")))
        self.once()
        text = self.trace(queue_id)
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\x07", text)
        self.assertIn("deliveries: x: sent", text)
        json.loads(self.trace("--json", queue_id))

    def test_other_mail_and_broken_reports(self):
        self.once()
        counts = "SELECT status, count FROM delivery_counts WHERE kind = 'file'"
        before = dict(self.rows(counts))
        _, raw = self.mail(["whole@example.net"])
        plain = self.report(dozen.text("someone@example.net", "exchange@reports.contoso.com", "hello"))
        self.assertEqual(self.once(), "")
        broken = self.report(self.ndr(raw))
        unbound = self.report(self.ndr(b"Subject: x\r\n\r\n", reports.recipient("whole@example.net", "5.0.0", "550 no")))
        said = self.once()
        self.assertEqual(len(said.splitlines()), 2, said)
        self.assertIn("%s: a report that cannot be used: expected Final-Recipient (rfc822) and Action" % broken, said)
        self.assertIn("%s: a report that cannot be used: expected X-Postern-Id or Message-ID" % unbound, said)
        self.assertEqual(self.once(), "")
        after = dict(self.rows(counts))
        self.assertEqual({k: after[k] - before.get(k, 0) for k in after}, {k: {"other": 1, "broken": 2}.get(k, 0) for k in after})
        for name in (plain, broken, unbound):
            self.assertTrue(os.path.isfile(name))

    def test_folders_and_files_of_other_kinds(self):
        """One file for each message, what is still written, links, pipes, folders and what may not be read."""
        queue_id, raw = self.mail(["filed@example.net"])
        folder = os.path.join(self.folder, "filed")
        os.mkdir(folder)
        words = [POSTERN, "follow", "-c", self.followed, "--log", self.log_file, "--reports", folder, "--once"]
        octets = self.ndr(raw, reports.recipient("filed@example.net", "5.1.10", UNKNOWN))

        def follow(user=None):
            done = subprocess.run(words, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, 0)
            return done.stderr.decode()
        name = os.path.join(folder, "17")
        with open(name, "wb") as f:
            f.write(octets[:400])
        os.mkfifo(os.path.join(folder, "pipe"))
        os.mkdir(os.path.join(folder, "sub"))
        os.symlink(name, os.path.join(folder, "link"))
        with open(os.path.join(folder, ".18"), "wb") as f:
            f.write(octets)
        self.assertEqual(follow(), "")
        with open(name, "ab") as f:
            f.write(octets[400:])
        for age, n in ((0, 0), (60, 1), (60, 1)):
            os.utime(name, (time.time() - age, time.time() - age))
            self.assertEqual(follow(), "")
            self.assertEqual(self.rows("SELECT count(*) FROM reported WHERE recipient = 'filed@example.net'"), [(n,)])
        report, = self.story(queue_id)["reports"]
        self.assertEqual((report["path"], report["believed"], report["file"]), ("unknown", True, "17"))
        words[words.index(folder)] = folder + "/nothing"
        self.assertIn("/filed/nothing: No such file or directory; its reports are not read", follow())

    def test_what_is_older_than_the_audit_is_not_read(self):
        queue_id, raw = self.mail(["aged@example.net"])
        name = self.report(self.ndr(raw, reports.recipient("aged@example.net", "5.1.10", UNKNOWN)))
        os.utime(name, (1, 1))
        self.once()
        self.assertEqual(self.story(queue_id)["reports"], [])
        now = time.time()
        os.utime(name, (now, now))
        self.once()
        self.assertEqual(len(self.story(queue_id)["reports"]), 1)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if shutil.which("postfix") is None or os.getuid() != 0:
        print("Postfix is not installed, or this is not root")
        sys.exit(77 if os.environ.get("CI") != "true" else 1)
    unittest.main()
