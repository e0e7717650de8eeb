#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""What became of the mail: a real Postfix, a next hop that answers as Exchange Online
does, its log followed over rotation and kills, and traced.
usage: test_follow.py BUILD-FOLDER [BUILD-FOLDER-WITH-CRASH-POINTS]"""

import glob
import gzip
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dozen  # noqa: E402
import posterntest as pt  # noqa: E402
import relay  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))
CRASH = os.path.abspath(sys.argv.pop(1)) if sys.argv[1:] and os.path.isdir(sys.argv[1]) else None
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
POSTERN = os.path.join(BUILD, "postern")
VIEW = os.path.join(TOP, "sql", "sqlite", "deliveries-view.sql")

# reply (r: at RCPT, d: at the end of the message), keyword, class, who acts, a word of what to do, how long to wait
TENANT, HERE, APP, THERE, NOBODY = ("the admin of the Microsoft 365 tenant", "the admin of this mail server", "the owner of the app",
                                    "the recipient's side", "nobody")
REPLIES = [
    ("r", "550 5.7.64 TenantAttribution; Relay Access Denied [host]", "relay-access-denied", "tenant", TENANT, "certificate", 0),
    ("r", "550-5.7.64 TenantAttribution; Relay Access\r\n550 5.7.64 Denied ATTR36", "relay-access-denied", "tenant", TENANT, "certificate", 0),
    ("d", "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources",
     "direct-send-blocked", "tenant", TENANT, "connector", 0),
    ("r", "451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35", "wrong-region", "route", HERE, "MX host", -1),
    ("d", "550 5.7.711 Access denied, bad inbound connector. AS(2204)", "connector-blocked", "tenant", TENANT, "Remove-BlockedConnector", 0),
    ("d", "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains", "unregistered-domains", "tenant",
     TENANT, "verify", 0),
    ("d", "550 5.1.20 Multiple From addresses are not allowed without Sender address", "several-from", "message", APP, "Sender", 0),
    ("d", "550 5.6.11 Invalid characters", "bare-line-feeds", "message", APP, "CR LF", 0),
    ("r", "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", "not-authenticated", "route", HERE,
     "STARTTLS", 0),
    ("d", "554 5.2.252 SendAsDenied; a@contoso.com not allowed to send as b@contoso.com; STOREDRV.Submission.Exception:"
     "SendAsDeniedException.MapiExceptionSendAsDenied", "send-as-denied", "message", TENANT, "Send As", 0),
    ("d", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "too-many-connections", "retry", HERE, "concurrency", -1),
    ("d", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", "submission-quota", "quota", NOBODY, "Wait", 86400),
    ("d", "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; WASCL UserAction verdict is not None. Actual verdict is Suspend",
     "outbound-spam", "route", TENANT, "Restricted entities", 0),
    ("d", "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException", "mailbox-full", "route", TENANT, "retention", 0),
    ("d", "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients", "daily-recipients",
     "quota", NOBODY, "Wait", 86400),
    ("r", "550 5.1.8 Access denied, bad outbound sender", "account-blocked", "route", TENANT, "Restricted entities", 0),
    ("r", "550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit", "trial-tenant-quota", "quota",
     TENANT, "licences", 86400),
    ("d", "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending email to external "
     "recipients (tenant external recipient rate limit)", "tenant-quota", "quota", TENANT, "licences", 86400),
    ("d", "550 5.7.236 onmicrosoft.com", "onmicrosoft-quota", "quota", TENANT, "domain of your own", 86400),
    ("r", "550 5.7.511 Access denied, banned sender", "address-banned", "route", HERE, "delist@microsoft.com", 0),
    ("r", "550 5.7.606 Access denied, banned sending IP [192.0.2.7]", "address-banned", "route", HERE, "sender.office.com", 0),
    ("d", "550 5.7.703 blocked by your organization using Tenant Allow Block List", "tenant-block-list", "recipient", TENANT,
     "Tenant Allow Block List".replace("Allow ", "Allow/"), 0),
    ("r", "550 5.7.705 Access denied, tenant has exceeded threshold", "tenant-blocked", "tenant", TENANT, "support", 0),
    ("r", "550 5.7.708 Access denied, traffic not accepted from this IP", "address-reputation", "tenant", TENANT, "exception", 0),
    ("r", "451 4.7.500 Server busy. Please try again later from [192.0.2.7]. (S77719)", "server-busy", "route", TENANT, "connector", -1),
    ("r", "451 4.7.850 Access denied, please try again later", "address-evaluated", "retry", NOBODY, "Wait", -1),
    ("r", "550 5.7.1 Service unavailable, Client host [192.0.2.7] blocked using Spamhaus", "dns-block-list", "route", HERE, "list", 0),
    ("d", "550 5.7.515 Access denied, sending domain contoso.com does not meet the required authentication level",
     "outlook-authentication", "message", HERE, "DMARC", 0),
    ("r", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "recipient-unknown", "recipient", APP, "address", 0),
    ("r", "550 5.4.1 Relay Access Denied", "domain-not-accepted", "recipient", TENANT, "accepted domain", 0),
    ("r", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", "recipient-unknown", "recipient", APP, "address", 0),
    ("r", "452 4.5.3 Too many recipients", "too-many-recipients", "message", HERE, "200", -1),
    ("r", "550 5.2.122 The recipient has exceeded the limit", "recipient-rate", "recipient", APP, "hour", 3600),
    ("r", "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", "recipient-busy", "retry", NOBODY, "tries again", -1),
    ("d", "554 5.4.14 Hop count exceeded - possible mail loop", "mail-loop", "tenant", TENANT, "connector", 0),
    ("r", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", "internal-senders-only", "recipient", TENANT, "outside", 0),
    ("r", "550 5.9.9 something new; status=sent (250 2.0.0 OK)", "not-known", "unknown", HERE, "Read the text", 0),
    ("r", "451 4.9.9 something new, for now", "not-known", "retry", NOBODY, "tries again", -1),
]

JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"

# What an MTA logs of tries, counted by other means than Postern's.
TRY = re.compile(r"^\w{3} [ \d]\d [\d:]{8} \S+ postfix/(?:smtp|error)\[\d+\]: ([0-9A-F]+): to=<([^<>\" ]+)>, .*? status=(sent|deferred|bounced) \(", re.M)


class Follow(relay.Relay):
    build = BUILD

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.log_file = os.path.join(cls.folder, "postfix/log/mail.log")
        cls.followed = os.path.join(cls.folder, "followed.yaml")
        with open(cls.policy) as f, open(cls.followed, "w") as to:
            to.write(f.read().replace("contoso-com.mail.protection.outlook.com", '"[127.0.0.1]:%d"' % cls.stand_in.port))
        cls.follower = None

    def start(self):
        with open(os.path.join(self.folder, "follow.log"), "ab") as log:
            self.follower = subprocess.Popen([POSTERN, "follow", "-c", self.followed, "--log", self.log_file], stdout=log, stderr=log)

    def stop(self, how=signal.SIGTERM):
        self.follower.send_signal(how)
        self.assertIn(self.follower.wait(30), (0, -signal.SIGKILL))

    def tearDown(self):
        if self.follower is not None and self.follower.poll() is None:
            self.stop()
        with open(os.path.join(self.folder, "follow.log"), "a+", errors="replace") as f:
            f.seek(0)
            self.assertNotIn("Sanitizer", f.read())

    def once(self):
        done = subprocess.run([POSTERN, "follow", "-c", self.followed, "--log", self.log_file, "--once"], stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stderr.decode()), (0, ""))

    def trace(self, *words, status=0):
        done = subprocess.run([POSTERN, "trace", "-c", self.followed] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout.decode() if status == 0 else done.stderr.decode()

    def deliveries(self, queue_id):
        found = json.loads(self.trace("--json", queue_id))["messages"]
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0]["followed"])
        return {d["recipient"]: d for d in found[0]["deliveries"]}

    def mail(self, recipients, client="10.1.2.3", sender="crm@contoso.com"):
        """Sends one; its queue id."""
        answers = self.send(client, sender, recipients, dozen.text(sender, "x@example.net", "delivery"))
        self.assertTrue(answers["data"].startswith("250"), answers)
        return answers["data"].split()[-1]

    def rows(self, query, *parameters):
        db = sqlite3.connect("file:%s-deliveries?mode=ro" % self.database, uri=True, timeout=10)
        try:
            return db.execute(query, parameters).fetchall()
        finally:
            db.close()

    def postconf(self, *settings):
        subprocess.run(["postconf", "-c", self.postfix.config, "-e"] + list(settings), check=True)
        subprocess.run(["postfix", "-c", self.postfix.config, "reload"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def sums(self):
        """Tries by the rows and by the sums."""
        return self.rows("SELECT coalesce(sum(attempts), 0) FROM deliveries")[0], self.rows("SELECT coalesce(sum(count), 0) FROM delivery_counts WHERE kind = 'try'")[0]

    def wait_for_tries(self, recipients, n=1):
        """Until each has n tries in the log."""
        def done():
            found = [r for _, r, _ in self.logged()]
            return all(found.count(r) >= n for r in recipients)
        pt.wait_for(done, 60, "Postfix to try")

    def logged(self):
        found = []
        for name in glob.glob(self.log_file + "*"):
            with (gzip.open if name.endswith(".gz") else open)(name, "rt", errors="replace") as f:
                found += TRY.findall(f.read())
        return found

    def check_all(self):
        """The log as it is, and what is stored of it: every recipient as often."""
        tries = {}
        for queue_id, recipient, _ in self.logged():
            tries[(queue_id, recipient)] = tries.get((queue_id, recipient), 0) + 1
        stored = {(q, r): n for q, r, n in self.rows("SELECT queue_id, recipient, sum(attempts) FROM deliveries"
                                                     " WHERE instr(recipient, '\"') = 0 AND recipient NOT LIKE 'journal%' GROUP BY 1, 2")}
        self.assertEqual(stored, tries)

    def test_each_reply_is_explained(self):
        addresses = {}
        for n, (where, reply, *_) in enumerate(REPLIES):
            addresses[n] = "reply%d@example.net" % n
            (self.stand_in.answers if where == "r" else self.stand_in.data_answers)[addresses[n]] = reply
        self.start()
        at_rcpt = [addresses[n] for n, row in enumerate(REPLIES) if row[0] == "r"]
        ids = {address: queue_id for queue_id in [self.mail(at_rcpt)] for address in at_rcpt}
        for n, row in enumerate(REPLIES):
            if row[0] == "d":
                ids[addresses[n]] = self.mail([addresses[n]])
        self.wait_for_tries(addresses.values())
        pt.wait_for(lambda: self.rows("SELECT count(DISTINCT recipient) FROM deliveries WHERE recipient LIKE 'reply%'")[0][0] >= len(REPLIES),
                    30, "the follower")
        told = {queue_id: (self.deliveries(queue_id), " ".join(self.trace(queue_id).split())) for queue_id in set(ids.values())}
        for n, (where, reply, keyword, kind, who, action, wait) in enumerate(REPLIES):
            with self.subTest(reply):
                found, text = told[ids[addresses[n]]]
                d = found[addresses[n]]
                self.assertEqual(d["status"], "deferred" if reply[0] == "4" else "bounced")
                self.assertEqual(d["dsn"], re.search(r"\d\.\d+\.\d+", reply).group())
                self.assertTrue(d["believed"])
                self.assertEqual(d["next_hop"], "127.0.0.1[127.0.0.1]:%d" % self.stand_in.port)
                meaning = d["meaning"]
                self.assertEqual((meaning["keyword"], meaning["class"], meaning["who"], meaning["wait_seconds"]), (keyword, kind, who, wait))
                self.assertIn(action, meaning["action"])
                for said in (meaning["cause"], meaning["action"], meaning["who"], meaning["wait"], d["reply"]):
                    self.assertIn(" ".join(said.split()), text)
        with open(os.path.join(TOP, "doc/guide/delivery.md")) as f:
            example = re.search(r"(?ms)^    meaning .*?^    kind .*?$", f.read()).group()
        self.assertIn(example, self.trace(ids[addresses[0]]))
        for queue in self.postfix.queue():
            subprocess.run(["postsuper", "-c", self.postfix.config, "-d", json.loads(queue)["queue_id"]], stderr=subprocess.DEVNULL)
        pt.wait_for(lambda: self.rows("SELECT count(*) FROM deliveries WHERE recipient LIKE 'reply%' AND status = 'deferred'")[0][0] == 0,
                    30, "deleted mail")
        self.assertEqual(self.deliveries(ids[addresses[3]])[addresses[3]]["status"], "deleted")
        self.stop()
        self.once()
        self.check_all()

    def test_tries_are_counted_and_the_last_reply_kept(self):
        self.stand_in.answers["later@example.net"] = ["451 4.7.500 Server busy", "451 4.3.2 Concurrent connections limit exceeded", None]
        queue_id = self.mail(["later@example.net", "now@example.net"])
        self.wait_for_tries(["later@example.net"])
        self.once()
        found = self.deliveries(queue_id)
        self.assertEqual((found["later@example.net"]["status"], found["later@example.net"]["meaning"]["keyword"]), ("deferred", "server-busy"))
        self.assertEqual((found["now@example.net"]["status"], found["now@example.net"]["attempts"]), ("sent", 1))
        self.assertNotIn("meaning", found["now@example.net"])
        self.wait_for_tries(["later@example.net"], 3)
        self.postfix.wait_empty()
        self.once()
        found = self.deliveries(queue_id)
        self.assertEqual((found["later@example.net"]["status"], found["later@example.net"]["attempts"]), ("sent", 3))
        self.assertEqual(found["later@example.net"]["reply"], "250 2.0.0 taken")
        self.assertEqual(self.rows("SELECT count(*) FROM deliveries WHERE queue_id = ? AND closed > 0", queue_id), [(2,)])
        self.check_all()

    def test_what_is_not_the_tenants_next_hop_is_not_believed(self):
        self.stand_in.answers["hearsay@example.net"] = "550 5.7.64 TenantAttribution; Relay Access Denied"
        queue_id = self.mail(["hearsay@example.net"])
        self.wait_for_tries(["hearsay@example.net"])
        other = os.path.join(self.folder, "other.yaml")
        with open(self.followed) as f, open(other, "w") as to:
            to.write(f.read().replace("[127.0.0.1]:%d" % self.stand_in.port, "mx.example"))
        shutil.copy(other, self.followed + ".keep")
        database = os.path.join(self.folder, "postern.db-deliveries")
        self.once()
        self.assertTrue(self.deliveries(queue_id)["hearsay@example.net"]["believed"])
        for name in glob.glob(database + "*"):
            os.remove(name)
        subprocess.run([POSTERN, "follow", "-c", other, "--log", self.log_file, "--once"], check=True)
        d = self.deliveries(queue_id)["hearsay@example.net"]
        self.assertFalse(d["believed"])
        self.assertNotIn("meaning", d)
        self.assertIn("not explained", self.trace(queue_id))
        for name in glob.glob(database + "*"):
            os.remove(name)

    def test_hostile_text_changes_nothing(self):
        evil = '"x>, relay=evil[192.0.2.66]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250"@example.net'
        self.stand_in.answers["victim@example.net"] = "550 5.1.10 no), relay=evil[192.0.2.66]:25, dsn=2.0.0, status=sent (250 2.0.0 OK"
        client = pt.Client(self.postfix.port, hello="4F9D195432C: to=<victim@example.net>, relay=evil[192.0.2.66]:25, dsn=2.0.0, status=sent (x)")
        client.ehlo()
        client.pretend("10.1.2.3")
        raw = dozen.text("crm@contoso.com", "x@example.net", "4F9D195432C: removed")
        answers = client.message("crm@contoso.com", ["victim@example.net", evil], raw)
        client.close()
        if not answers["data"].startswith("250"):  # Postern itself may not take such an address
            evil = ""
            queue_id = self.mail(["victim@example.net"])
        else:
            queue_id = answers["data"].split()[-1]
        self.wait_for_tries(["victim@example.net"])
        self.once()
        found = self.deliveries(queue_id)
        self.assertEqual(found["victim@example.net"]["status"], "bounced")
        self.assertEqual(found["victim@example.net"]["meaning"]["keyword"], "recipient-unknown")
        self.assertTrue(all(d["next_hop"].startswith("127.0.0.1[") for d in found.values()), found)
        self.assertLessEqual(set(found), {"victim@example.net", evil})
        self.assertEqual(self.rows("SELECT count(*) FROM deliveries WHERE next_hop LIKE 'evil%' OR queue_id = '4F9D195432C'"), [(0,)])

    def test_requeued_mail_is_the_same_message(self):
        self.stand_in.answers["again@example.net"] = ["451 4.9.1 not now", None]
        queue_id = self.mail(["again@example.net"])
        self.wait_for_tries(["again@example.net"])
        subprocess.run(["postsuper", "-c", self.postfix.config, "-r", queue_id], check=True, stderr=subprocess.DEVNULL)
        self.postfix.flush()
        self.postfix.wait_empty()
        self.once()
        found = json.loads(self.trace("--json", queue_id))["messages"][-1]["deliveries"]
        self.assertEqual([(d["status"], d["queue_id"] == queue_id) for d in found][-1], ("sent", False), found)
        self.check_all()

    def test_what_is_given_up(self):
        """A message that Postfix bounces after its time, and one that an operator makes it give up."""
        for name in ("late", "forced"):
            self.stand_in.answers[name + "@example.net"] = "451 4.7.500 Server busy"
        self.postconf("maximal_queue_lifetime=6s")
        try:
            self.start()
            late = self.mail(["late@example.net", "arrived@example.net"])
            pt.wait_for(lambda: late + ": removed" in self.postfix.log(), 60, "Postfix to give up")
            self.postconf("maximal_queue_lifetime=5d")
            forced = self.mail(["forced@example.net"])
            pt.wait_for(lambda: any(q["queue_id"] == forced and q["queue_name"] == "deferred" for q in map(json.loads, self.postfix.queue())),
                        30, "Postfix to defer it")
            subprocess.run(["postsuper", "-c", self.postfix.config, "-f", forced], check=True, stderr=subprocess.DEVNULL)
            self.postfix.flush()
            pt.wait_for(lambda: forced + ": removed" in self.postfix.log(), 60, "Postfix to give up")
            self.postfix.wait_empty(60)
            pt.wait_for(lambda: self.rows("SELECT count(*) FROM deliveries WHERE queue_id IN (?, ?) AND closed > 0", late, forced) == [(3,)],
                        30, "the follower")
            self.stop()
        finally:
            self.postconf("maximal_queue_lifetime=5d")
        self.once()
        found = self.deliveries(late)
        self.assertEqual((found["late@example.net"]["status"], found["arrived@example.net"]["status"]), ("expired", "sent"))
        self.assertGreaterEqual(found["late@example.net"]["attempts"], 2)
        # What it was given up for is explained.
        self.assertEqual(found["late@example.net"]["meaning"]["keyword"], "server-busy")
        self.assertEqual(self.deliveries(forced)["forced@example.net"]["status"], "expired")
        self.assertIn("1 sent, 1 expired: server-busy", self.trace("late@example.net"))
        self.assertIn("late@example.net: expired at ", self.trace(late))
        # The bounce went to the sender by the next hop, and is no part of either message.
        bounces = [m for m in self.stand_in.messages if m["sender"] == "" and m["recipients"] == ["crm@contoso.com"]]
        self.assertGreaterEqual(len(bounces), 2)
        self.assertEqual({r for r in self.deliveries(late)}, {"late@example.net", "arrived@example.net"})
        self.check_all()

    def test_what_is_too_old_goes(self):
        """What the audit keeps no more, while it is followed; what is newer, or open and still tried, stays."""
        self.stand_in.answers["open@example.net"] = "451 4.7.500 Server busy"
        self.once()
        stays, goes = self.mail(["stays@example.net"]), self.mail(["goes@example.net"])
        still = self.mail(["open@example.net"])
        self.wait_for_tries(["stays@example.net", "goes@example.net", "open@example.net"])
        self.once()
        keeping = os.path.join(self.folder, "keeping.yaml")
        with open(self.followed) as f, open(keeping, "w") as to:
            text = f.read()
            self.assertNotIn("audit:", text)
            to.write("audit: {keep: 1 day}\n" + text)
        day = 86400000
        db = sqlite3.connect(self.database + "-deliveries")
        db.execute("UPDATE deliveries SET time = time - ?, first_time = first_time - ? WHERE recipient = 'goes@example.net'", (2 * day, 2 * day))
        db.execute("UPDATE deliveries SET first_time = first_time - ? WHERE recipient = 'open@example.net'", (2 * day,))
        now = int(time.time() * 1000)
        db.executemany("INSERT INTO deliveries (relay, instance, queue_id, origin_id, recipient, original, first_time, time, status, closed)"
                       " SELECT relay, 'postfix', ?, ?, 'old@example.org', '', ?, ?, 'sent', 1 FROM followed LIMIT 1",
                       [("O%d" % n, "O%d" % n, now - 2 * day, now - 2 * day) for n in range(2500)])
        db.executemany("INSERT INTO requeues SELECT relay, 'postfix', ?, 'OLD', ? FROM followed LIMIT 1",
                       [("A", now - 2 * day), ("B", now - day // 2)])
        db.commit()
        db.close()
        with open(os.path.join(self.folder, "follow.log"), "ab") as log:
            self.follower = subprocess.Popen([POSTERN, "follow", "-c", keeping, "--log", self.log_file], stdout=log, stderr=log)
        # More of them than one step takes, while mail comes.
        flowing = ["flowing%d@example.net" % n for n in range(20)]
        for to in flowing:
            self.mail([to])
        pt.wait_for(lambda: self.rows("SELECT count(*) FROM deliveries WHERE recipient = 'old@example.org'") == [(0,)], 30, "old rows to go")
        self.wait_for_tries(flowing)
        self.wait_for_tries(["open@example.net"], 2)
        pt.wait_for(lambda: self.rows("SELECT max(attempts) FROM deliveries WHERE recipient = 'open@example.net'")[0][0] >= 2, 30, "the follower")
        self.stop()
        self.once()
        self.assertEqual(self.rows("SELECT recipient FROM deliveries WHERE queue_id IN (?, ?, ?) ORDER BY 1", stays, goes, still),
                         [("open@example.net",), ("stays@example.net",)])
        self.assertEqual(self.rows("SELECT count(*) FROM deliveries WHERE recipient LIKE 'flowing%'"), [(20,)])
        self.assertEqual(self.rows("SELECT queue_id FROM requeues WHERE old_id = 'OLD'"), [("B",)])
        # The message is still in the audit; nothing is made up for what is gone.
        self.assertIn("none so far", self.trace(goes))
        subprocess.run(["postsuper", "-c", self.postfix.config, "-d", still], stderr=subprocess.DEVNULL)
        for name in glob.glob(self.database + "-deliveries*"):
            os.remove(name)

    def test_addresses_are_listed(self):
        for n in range(3):
            self.mail(["listed@example.net", "more%d@example.net" % n])
        self.postfix.wait_empty()
        self.once()
        found = json.loads(self.trace("--json", "listed@EXAMPLE.net"))
        self.assertEqual([m["recipients"] for m in found["messages"]], [2, 2, 2])
        self.assertEqual({m["deliveries"] for m in found["messages"]}, {"2 sent"})
        self.assertEqual(sorted((m["id"] for m in found["messages"]), reverse=True), [m["id"] for m in found["messages"]])
        self.assertFalse(found["more"])
        self.assertIn("2 sent", self.trace("<crm@contoso.com>"))
        text = self.trace("--since", "1h", "more1@example.net")
        self.assertEqual(len(text.splitlines()), 2, text)
        self.assertIn("knows nothing of nobody@example.net", self.trace("nobody@example.net", status=1))
        self.assertIn("knows nothing", self.trace("more1@example.net", "--since", "2036-01-01", status=1))
        id = found["messages"][0]["id"]
        self.assertIn("then:  accept", self.trace(id))
        self.assertIn("then:  accept", self.trace(id.lower()))
        # A refusal that is counted.
        for _ in range(2):
            self.send("10.9.9.9", "crm@contoso.com", ["alice@contoso.com"], b"x")
        pt.wait_for(lambda: "unknown-client" in self.trace("crm@contoso.com"), 20, "the refusals, which nobody waits for")
        refused = [m for m in json.loads(self.trace("--json", "crm@contoso.com"))["messages"] if m["reason"] == "unknown-client"][0]
        self.assertEqual(refused["count"], 2)
        self.assertIn("refused 2 times", self.trace(refused["id"]))

    def test_held_mail_says_so(self):
        self.mail(["alice@contoso.com"], "10.1.9.8", "scanner@contoso.com")
        ids = [self.mail(["alice@contoso.com"], "10.1.9.8", "scanner@contoso.com") for _ in range(20)]
        text = self.trace(ids[-1])
        self.assertRegex(text, r"held:  waiting for printers/messages-per-hour-per-client client=10\.1\.9\.8, held at ")
        self.assertRegex(text, r"limit +printers/messages-per-hour-per-client")
        for queue_id in ids:
            subprocess.run(["postsuper", "-c", self.postfix.config, "-d", queue_id], stderr=subprocess.DEVNULL)

    def test_the_view_joins_messages(self):
        queue_id = self.mail(["viewed@example.net"])
        self.wait_for_tries(["viewed@example.net"])
        self.once()
        db = sqlite3.connect("file:%s?mode=ro" % self.database, uri=True)
        db.execute("ATTACH ? AS follower", ("file:%s-deliveries?mode=ro" % self.database,))
        with open(VIEW) as f:
            db.executescript(f.read())
        found = db.execute("SELECT queue_id, app, tenant, sender, status, believed, attempts FROM mail_deliveries"
                           " WHERE recipient = 'viewed@example.net'").fetchall()
        self.assertEqual(found, [(queue_id, "crm", "contoso", "crm@contoso.com", "sent", 1, 1)])
        with open(os.path.join(TOP, "doc", "postern-audit.5")) as f:
            text = f.read()
        for view in ("mail_deliveries", "mail_reports"):
            section = re.search(r"(?s)\.Ss %s\n(.*?)\n\.S[sh] " % view, text).group(1)
            documented = [w for line in re.findall(r"(?m)^\.It Li (.*)$", section) for w in re.findall(r"\w+", line)]
            self.assertEqual(sorted(c[0] for c in db.execute("SELECT * FROM " + view).description), sorted(documented))
        db.close()

    def test_as_users_of_their_own(self):
        """As the unit has it: the follower writes a folder of its own, posternd's leads there by a link, and they share a group."""
        queue_id = self.mail(["users@example.net"])
        self.wait_for_tries(["users@example.net"])
        top = os.path.join(self.folder, "users")
        for name, owner, mode in (("", "root", 0o755), ("lib", "daemon", 0o750), ("own", "bin", 0o770)):
            os.mkdir(os.path.join(top, name))
            shutil.chown(os.path.join(top, name), owner, "games")
            os.chmod(os.path.join(top, name), mode)
        store = os.path.join(top, "lib/postern.db")
        with sqlite3.connect(self.database) as db, sqlite3.connect(store) as copy:
            db.backup(copy)
        shutil.chown(store, "daemon", "games")
        os.chmod(store, 0o640)
        os.symlink(os.path.join(top, "own/deliveries"), store + "-deliveries")
        log = os.path.join(top, "mail.log")
        shutil.copy(self.log_file, log)
        shutil.chown(log, "root", "adm")
        os.chmod(log, 0o640)
        policy = os.path.join(top, "policy.yaml")
        with open(self.followed) as f, open(policy, "w") as to:
            to.write(f.read().replace("sqlite:" + self.database, "sqlite:" + store).replace("accepted-domains.txt", "../accepted-domains.txt")
                     .replace(": rsa.pem", ": ../rsa.pem").replace(": ed25519.pem", ": ../ed25519.pem"))
        words = {"bin": ["follow", "-c", policy, "--log", log, "--once"], "daemon": ["trace", "-c", policy, queue_id]}
        for user in ("bin", "daemon", "bin", "daemon"):
            done = subprocess.run([POSTERN] + words[user], user=user, group="games", extra_groups=["adm"] if user == "bin" else [],
                                  umask=0o007, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            with open(log, "a") as f:
                f.write("2026-11-24T10:00:00+00:00 x postfix/qmgr[1]: %s: removed\n" % queue_id)
        self.assertIn(b"users@example.net: sent", done.stdout)
        self.assertTrue(os.path.isfile(os.path.join(top, "own/deliveries")))
        # Root would make files that nobody else could use.
        done = subprocess.run([POSTERN] + words["bin"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"not as root", done.stderr)
        done = subprocess.run([POSTERN] + words["daemon"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertIn(b"users@example.net: sent", done.stdout)

    # ---- the journal

    journaled = 0

    def journal(self, folder, name, entries):
        """A journal file of these (tag, message), as systemd writes it."""
        machine = "0123456789abcdef0123456789abcdef"
        text = b""
        for tag, message in entries:
            self.journaled += 1  # journalctl goes by time
            n = self.journaled * 1000000
            text += ("__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_MACHINE_ID=%s\nSYSLOG_FACILITY=2\n"
                     "SYSLOG_IDENTIFIER=%s\nSYSLOG_PID=77\n" % (1795525080000000 + n, n, machine, machine, tag)).encode()
            octets = message.encode("latin-1")
            text += b"MESSAGE\n" + len(octets).to_bytes(8, "little") + octets + b"\n\n"
        subprocess.run([JOURNAL_REMOTE, "--output=%s" % os.path.join(folder, name), "-"], input=text, check=True, stderr=subprocess.DEVNULL)

    @unittest.skipUnless(os.path.exists(JOURNAL_REMOTE) and shutil.which("journalctl"), "systemd-journal-remote is not installed")
    def test_the_journal(self):
        line = "4F9D1954%03X: to=<journal%d@example.net>, relay=mx.example[192.0.2.1]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (250 %s)"
        folder = os.path.join(self.folder, "journal")
        os.mkdir(folder)
        words = [POSTERN, "follow", "-c", self.followed, "--journal=" + folder]
        count = "SELECT count(*), sum(attempts) FROM deliveries WHERE recipient LIKE 'journal%'"
        self.journal(folder, "system.journal", [("postfix/smtp", line % (n, n, "ok")) for n in range(3)] +
                     [("app", line % (9, 9, "not an MTA")), ("postfix/smtp", line % (3, 3, "octets \xff\xfe"))])
        for _ in range(2):
            done = subprocess.run(words + ["--once"], stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual(self.rows(count), [(4, 4)])
        self.assertEqual(self.rows("SELECT instance, time FROM deliveries WHERE recipient = 'journal0@example.net'"), [("postfix", 1795525081000)])
        # More comes while it is followed, and while it is killed.
        for n in range(4, 8):
            with subprocess.Popen(words, stderr=subprocess.DEVNULL) as p:
                time.sleep(0.3)
                self.journal(folder, "more%d.journal" % n, [("postfix-out/smtp", line % (n, n, "ok"))] if n != 6 else
                             [("postfix/qmgr", "4F9D1954000: removed")])
                try:
                    if n == 7:
                        pt.wait_for(lambda: self.rows(count)[0][0] >= 7, 20, "the journal")
                finally:
                    p.kill()
        done = subprocess.run(words + ["--once"], stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(self.rows(count), [(7, 7)])
        self.assertGreater(self.rows("SELECT closed FROM deliveries WHERE recipient = 'journal0@example.net'")[0][0], 0)
        done = subprocess.run(words + ["--once"], stderr=subprocess.PIPE, timeout=60, env=dict(os.environ, PATH="/nonexistent"))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"journalctl", done.stderr)

    # ---- rotation and kills

    def feed(self, stop, n):
        while not stop.is_set():
            self.mail(["flow%d@example.net" % random.randrange(50) for _ in range(3)] + ["deferred%d@example.net" % (n[0] % 7)])
            n[0] += 1
            time.sleep(0.02)

    def rotate(self):
        """As logrotate does; what was rotated before moves on."""
        for k in (3, 2, 1):
            if os.path.exists("%s.%d" % (self.log_file, k)):
                os.rename("%s.%d" % (self.log_file, k), "%s.%d" % (self.log_file, k + 1))
        os.rename(self.log_file, self.log_file + ".1")
        subprocess.run(["postfix", "-c", self.postfix.config, "reload"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def test_nothing_is_lost_or_counted_twice(self):
        for k in range(7):
            self.stand_in.answers["deferred%d@example.net" % k] = ["451 4.7.500 Server busy", None]
        self.once()
        before = self.sums()
        stop, n = threading.Event(), [0]
        feeder = threading.Thread(target=self.feed, args=(stop, n))
        feeder.start()
        try:
            random.seed(1)
            for turn in range(24):
                self.start()
                time.sleep(random.uniform(0.05, 0.6))
                if turn in (5, 11, 12):
                    self.rotate()
                    time.sleep(random.uniform(0, 0.5))
                self.stop(signal.SIGKILL)
                if turn == 17:  # while nobody reads
                    self.rotate()
                    time.sleep(0.5)
        finally:
            stop.set()
            feeder.join()
        self.assertGreater(n[0], 50)
        self.postfix.wait_empty(60)
        # Copied and truncated: what was not read stands in the copy.
        unread = ["unread%d@example.net" % k for k in range(5)]
        self.once()
        self.mail(unread)
        self.wait_for_tries(unread)
        self.postfix.wait_empty()
        shutil.copy2(self.log_file, self.log_file + "-20261124")
        os.truncate(self.log_file, 0)
        self.mail(["after@example.net"])
        self.wait_for_tries(["after@example.net"])
        self.postfix.wait_empty()
        self.once()
        self.assertEqual(self.rows("SELECT count(*) FROM deliveries WHERE recipient LIKE 'unread%'"), [(5,)])
        # What monitoring reads was counted with the rows.
        rows, counted = ([b - a for a, b in zip(before[k], self.sums()[k])] for k in (0, 1))
        self.assertEqual(rows, counted)
        self.assertGreater(min(counted), 0)
        self.check_all()
        self.once()
        self.check_all()
        self.assertEqual(self.rows("SELECT count(*) FROM deliveries WHERE closed = 0 AND recipient LIKE 'flow%'"), [(0,)])

    @unittest.skipUnless(CRASH, "no build with crash points")
    def test_killed_beside_the_commit(self):
        self.once()
        for n, (point, stored) in enumerate((("follow-before-commit", 0), ("follow-after-commit", 1))):
            to = "crash%d@example.net" % n
            self.mail([to])
            self.wait_for_tries([to])
            self.postfix.wait_empty()
            done = subprocess.run([os.path.join(CRASH, "postern"), "follow", "-c", self.followed, "--log", self.log_file, "--once"],
                                  env=dict(os.environ, POSTERN_CRASH=point + ":1"), timeout=60)
            self.assertEqual(done.returncode, -signal.SIGKILL)
            self.assertEqual(self.rows("SELECT count(*) FROM deliveries WHERE recipient = ?", to), [(stored,)])
            self.once()
            self.assertEqual(self.rows("SELECT attempts FROM deliveries WHERE recipient = ?", to), [(1,)])
        self.check_all()

    def test_two_followers_do_not_count_twice(self):
        self.start()
        pt.wait_for(lambda: os.path.exists(self.database + "-deliveries"), 20, "the follower")
        first, self.follower = self.follower, None
        self.start()
        for k in range(30):
            self.mail(["two%d@example.net" % k])
        self.postfix.wait_empty()
        time.sleep(2)
        self.stop()
        self.follower = first
        self.stop()
        self.once()
        self.check_all()

    def test_a_missing_log_is_waited_for_and_a_wrong_one_told(self):
        for path, words in (("/nonexistent/mail.log", "No such file"), (self.folder, "Invalid argument")):
            done = subprocess.run([POSTERN, "follow", "-c", self.followed, "--log", path, "--once"], stderr=subprocess.PIPE, timeout=30)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr.decode())
        late = os.path.join(self.folder, "late.log")
        with subprocess.Popen([POSTERN, "follow", "-c", self.followed, "--log", late], stderr=subprocess.DEVNULL) as p:
            time.sleep(0.5)
            with open(late, "w") as f:
                f.write("2026-11-24T10:00:00.5+00:00 x postfix-out/smtp[1]: 4cgZ0N6sTbz1xyz: to=<late@example.net>, relay=none, delay=1, "
                        "delays=1/0/0/0, dsn=4.4.1, status=deferred (x)\n")
            pt.wait_for(lambda: self.rows("SELECT count(*) FROM deliveries WHERE recipient = 'late@example.net'") == [(1,)], 20, "the log")
            p.send_signal(signal.SIGTERM)
        self.assertEqual(p.returncode, 0)
        db = sqlite3.connect(self.database + "-deliveries")
        db.execute("DELETE FROM deliveries WHERE recipient = 'late@example.net'")
        db.commit()
        db.close()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if shutil.which("postfix") is None or os.getuid() != 0:
        print("Postfix is not installed, or this is not root")
        sys.exit(77 if os.environ.get("CI") != "true" else 1)
    unittest.main()
