#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The pause upstream: a real Postfix, a next hop that answers as Exchange Online does, its log
followed. Each reply that stops mail opens a pause that holds for as long as it implies, then one
message tries, and it closes. Hours pass in the follower's database, not here.
usage: test_pause.py BUILD-FOLDER"""

import json
import os
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

BUILD = os.path.abspath(sys.argv.pop(1))
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
POSTERN = os.path.join(BUILD, "postern")
FILTER = os.path.join(TOP, "contrib/postfix/postern-reply-filter")

POLICY = """listen: {listen}
database: sqlite:{folder}/postern.db
relay: relay.contoso.com
tenants:
  contoso:
    accepted-domains: [contoso.txt]
    next-hop: "[127.0.0.1]:{port}"
  globex:
    accepted-domains: [globex.txt]
    next-hop: "[127.0.0.1]:{port}"
    upstream-pause: {globex}
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: ["*@contoso.com", "*@fabrikam.com", "*@contoso.onmicrosoft.com"]
  - name: bulk
    tenant: contoso
    clients: [10.1.2.4]
    method: acs
    senders: ["*@contoso.com"]
  - name: watched
    tenant: contoso
    clients: [10.1.2.5]
    method: connector
    mode: monitor
    senders: ["*@contoso.com"]
  - name: news
    tenant: contoso
    clients: [10.1.2.6]
    method: connector
    senders: ["news@contoso.com"]
    limits: [1 messages/minute then hold]
  - name: cron
    tenant: contoso
    clients: [local]
    method: connector
    senders: ["*@contoso.com"]
  - name: erp
    tenant: globex
    clients: [10.2.2.3]
    method: connector
    senders: ["*@globex.example"]
"""

# where it is said (r: at RCPT, d: at the end of the message), the reply, keyword, whose mail (tenant, domain, sender), whether mail to our own
# domains goes on, and for how long it holds
CONTOSO, FABRIKAM, BOB = "crm@contoso.com", "crm@fabrikam.com", "bob@contoso.com"
MOERA = "crm@contoso.onmicrosoft.com"
DAY, WHILE = 86400, 600
REPLIES = [
    ("d", "550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit", "trial-tenant-quota", "tenant", True, DAY),
    ("d", "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending email to external recipients",
     "tenant-quota", "tenant", True, DAY),
    ("r", "550 5.7.236 onmicrosoft.com limit", "onmicrosoft-quota", "domain", True, DAY),
    ("d", "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients", "daily-recipients", "sender",
     False, DAY),
    ("d", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", "submission-quota", "sender", False, DAY),
    ("d", "550 5.2.2 Submission quota exceeded", "submission-quota", "sender", False, DAY),
    ("r", "550 5.7.64 TenantAttribution; Relay Access Denied [host]", "relay-access-denied", "domain", True, WHILE),
    ("d", "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources", "direct-send-blocked",
     "domain", False, WHILE),
    ("r", "550 5.7.705 Access denied, tenant has exceeded threshold", "tenant-blocked", "tenant", True, WHILE),
    ("r", "550 5.7.708 Access denied, traffic not accepted from this IP", "address-reputation", "tenant", False, WHILE),
    ("d", "550 5.7.711 Access denied, bad inbound connector. AS(2204)", "connector-blocked", "tenant", False, WHILE),
    ("d", "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains", "unregistered-domains", "tenant", True, WHILE),
]
# Replies that say nothing of other mail.
OTHERS = ["550 5.1.10 RESOLVER.ADR.RecipientNotFound", "451 4.7.500 Server busy", "550 5.7.703 blocked by your organization",
          "550 5.9.9 tenant exceeded, 5.7.233", "554 5.2.252 SendAsDenied"]


class Paused(unittest.TestCase):
    main_cf = ""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-e2e-")
        os.chmod(cls.folder, 0o755)
        run = os.path.join(cls.folder, "run")
        os.makedirs(run)
        shutil.chown(run, group="postfix")
        os.chmod(run, 0o2750)
        for name, text in (("contoso", "contoso.com\nfabrikam.com\ncontoso.onmicrosoft.com\n"), ("globex", "globex.example\n")):
            with open(os.path.join(cls.folder, name + ".txt"), "w") as f:
                f.write(text)
        cls.socket = os.path.join(run, "milter.sock")
        cls.policy = os.path.join(cls.folder, "postern.yaml")
        cls.database = os.path.join(cls.folder, "postern.db")
        cls.stand_in = pt.StandIn()
        cls.write_policy("yes")
        cls.daemon = pt.Posternd(os.path.join(BUILD, "posternd"), cls.policy, cls.socket, os.path.join(cls.folder, "log")).start()
        cls.postfix = pt.Postfix(os.path.join(cls.folder, "postfix"), "unix:" + cls.socket, cls.stand_in.port, cls.main_cf).start()
        with open(os.path.join(cls.folder, "follow.log"), "ab") as log:
            cls.follower = subprocess.Popen([POSTERN, "follow", "-c", cls.policy, "--log", os.path.join(cls.folder, "postfix/log/mail.log")],
                                            stdout=log, stderr=log)
        cls.n = 0

    @classmethod
    def write_policy(cls, globex):
        with open(cls.policy, "w") as f:
            f.write(POLICY.format(listen="unix:" + cls.socket, folder=cls.folder, port=cls.stand_in.port, globex=globex))

    @classmethod
    def tearDownClass(cls):
        cls.follower.send_signal(signal.SIGTERM)
        ended = cls.follower.wait(30)
        cls.postfix.stop()
        status = cls.daemon.stop()
        cls.stand_in.close()
        log = cls.daemon.log()
        with open(os.path.join(cls.folder, "follow.log"), errors="replace") as f:
            followed = f.read()
        shutil.rmtree(cls.folder, ignore_errors=True)
        if status != 0 or ended != 0 or "Sanitizer" in log + followed:
            raise AssertionError("posternd ended with %d, the follower with %d\n%s\n%s" % (status, ended, log[-4000:], followed[-4000:]))

    def setUp(self):
        pt.wait_for(lambda: os.path.exists(self.database + "-deliveries"), 20, "the follower")
        self.stand_in.answers.clear()
        self.stand_in.data_answers.clear()

    def tearDown(self):
        """Nothing is paused for the next one."""
        for queue in self.postfix.queue():
            subprocess.run(["postsuper", "-c", self.postfix.config, "-d", json.loads(queue)["queue_id"]], stderr=subprocess.DEVNULL)
        self.write("DELETE FROM upstream")
        pt.wait_for(lambda: self.pauses() == [], 20, "no pause")
        time.sleep(2.5)  # posternd looks every 2 s

    def write(self, statement, *values):
        db = sqlite3.connect(self.database + "-deliveries", timeout=20)
        with db:
            db.execute(statement, values)
        db.close()

    def pass_time(self, seconds):
        self.write("UPDATE upstream SET since = since - ?1, said = said - ?1, good = max(good - ?1, 0)", seconds * 1000)
        time.sleep(2.5)

    def pauses(self):
        return json.loads(subprocess.run([POSTERN, "pause", "-c", self.policy, "--json"], check=True, stdout=subprocess.PIPE, timeout=60).stdout)

    def postern(self, *words, status=0):
        done = subprocess.run([POSTERN, words[0], "-c", self.policy, *words[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, status, done)
        return (done.stdout + done.stderr).decode()

    def address(self, domain="example.net"):
        type(self).n += 1
        return "to%d@%s" % (self.n, domain)

    def send(self, sender, recipients, client="10.1.2.3"):
        c = pt.Client(self.postfix.port)
        try:
            c.ehlo()
            c.pretend(client)
            return c.message(sender, recipients, dozen.text(sender, recipients[0], "pause"))
        finally:
            c.close()

    def answer(self, *words, **more):
        """The answer that decides."""
        a = self.send(*words, **more)
        return a["data"] or a["rcpt"][-1]

    def goes(self, sender, domain="example.net", **more):
        answer = self.answer(sender, [self.address(domain)], **more)
        self.assertTrue(answer.startswith("250"), answer)

    def waits(self, sender, domain="example.net", **more):
        answer = self.answer(sender, [self.address(domain)], **more)
        self.assertTrue(answer.startswith("451 4.7.1 [upstream-paused] "), answer)
        return answer

    def be_refused(self, where, reply, sender, client="10.1.2.3", wait=True):
        """Its queue id. What the next hop took after all is no refusal, and sent again."""
        for _ in range(3):
            to = self.address()
            (self.stand_in.answers if where == "r" else self.stand_in.data_answers)[to] = reply
            answers = self.send(sender, [to], client)
            self.assertTrue(answers["data"].startswith("250"), answers)
            pt.wait_for(lambda: "to=<%s>" % to in self.postfix.log(), 30, "Postfix to try")
            if [x for x in self.postfix.log().splitlines() if "to=<%s>" % to in x and "status=sent" not in x]:
                break
        if wait:
            pt.wait_for(lambda: self.pauses() != [], 30, "a pause after " + reply)
            time.sleep(2.5)
        return answers["data"].split()[-1]

    def state(self):
        return [(p["tenant"], p["sender"], p["keyword"], p["state"]) for p in self.pauses()]


class Pause(Paused):
    def check_reply(self, where, reply, keyword, whose, is_external_only, seconds):
        sender = MOERA if keyword == "onmicrosoft-quota" else CONTOSO
        scope = {"tenant": "", "domain": sender[sender.index("@"):], "sender": sender}[whose]
        queue_id = self.be_refused(where, reply, sender)
        self.assertEqual(self.state(), [("contoso", scope, keyword, "paused")])
        pause = self.pauses()[0]
        until, said = (time.mktime(time.strptime(pause[k], "%Y-%m-%dT%H:%M:%SZ")) for k in ("until", "said"))
        self.assertEqual((until - said, pause["external_only"], pause["times"]), (seconds, is_external_only, 1))
        self.assertIn(reply[4:30], pause["reply"])
        # What it stops, and what not.
        answer = self.waits(sender)
        self.assertIn(keyword, answer)
        self.assertIn(reply[4:40], answer)
        self.assertIn("meaning", self.postern("trace", queue_id))
        self.assertIn("upstream-paused", self.postern("explain", "--client", "10.1.2.3", "--sender", sender, "--rcpt", "x@example.net"))
        (self.goes if is_external_only else self.waits)(sender, "contoso.com")
        {"tenant": self.waits, "domain": self.goes, "sender": self.goes}[whose](FABRIKAM)
        if sender == CONTOSO:
            (self.goes if whose == "sender" else self.waits)(BOB)
            self.goes(CONTOSO, client="10.1.2.4")  # by ACS, which is not this next hop
            self.goes(CONTOSO, client="10.1.2.5")  # only monitored
        self.goes("erp@globex.example", client="10.2.2.3")
        # It holds; then one tries, and while nothing is known of that no other.
        self.postfix.wait_empty()
        time.sleep(2)  # the follower has read of what went
        self.write("UPDATE upstream SET good = 0")
        self.pass_time(seconds - 60)
        self.waits(sender)
        self.stand_in.data_answers.clear()
        self.stand_in.answers.clear()
        os.kill(self.follower.pid, signal.SIGSTOP)
        try:
            self.pass_time(60)
            self.assertEqual(self.state()[0][3], "tries")
            self.goes(sender)
            self.waits(sender)
        finally:
            os.kill(self.follower.pid, signal.SIGCONT)
        pt.wait_for(lambda: self.pauses() == [], 20, "the try to be known")
        time.sleep(2.5)
        self.goes(sender)
        self.assertIn("goes again: %s is over" % keyword, self.daemon.log())

    def test_each_reply(self):
        for row in REPLIES:
            with self.subTest(row[1]):
                self.check_reply(*row)
            self.tearDown()

    def test_other_replies_stop_nothing(self):
        for reply in OTHERS:
            self.be_refused("d", reply, CONTOSO, wait=False)
        self.postfix.flush()
        time.sleep(3)
        self.assertEqual(self.pauses(), [])
        self.assertEqual(self.postern("pause").strip(), "Nothing is paused.")
        self.goes(CONTOSO)

    def test_a_refused_try_holds_longer(self):
        self.be_refused("r", "550 5.7.705 Access denied", CONTOSO)
        self.pass_time(WHILE)
        self.be_refused("r", "550 5.7.705 Access denied", CONTOSO, wait=False)
        pt.wait_for(lambda: self.pauses()[0]["times"] == 2, 20, "the refused try")
        time.sleep(2.5)
        self.waits(CONTOSO)
        pause = self.pauses()[0]
        until, said, since = (time.mktime(time.strptime(pause[k], "%Y-%m-%dT%H:%M:%SZ")) for k in ("until", "said", "since"))
        self.assertEqual(until - said, max(said - since, WHILE))
        self.pass_time(WHILE + 60)
        self.be_refused("r", "550 5.7.705 Access denied", CONTOSO, wait=False)
        pt.wait_for(lambda: self.pauses()[0]["times"] == 3, 20, "the second refused try")
        pause = self.pauses()[0]
        until, said = (time.mktime(time.strptime(pause[k], "%Y-%m-%dT%H:%M:%SZ")) for k in ("until", "said"))
        self.assertGreaterEqual(until - said, 2 * WHILE)

    def test_a_try_that_is_not_sent_leaves_it_to_another(self):
        self.be_refused("d", "550 5.7.233 quota", CONTOSO)
        self.pass_time(DAY)
        c = pt.Client(self.postfix.port)
        c.ehlo()
        c.pretend("10.1.2.3")
        c.command("MAIL FROM:<crm@contoso.com>")
        self.assertTrue(c.command("RCPT TO:<first@example.net>").startswith("250"))
        self.assertTrue(c.command("RCPT TO:<second@example.net>").startswith("250"))
        self.waits(CONTOSO)
        c.command("RSET")
        c.close()
        pt.wait_for(lambda: self.answer(CONTOSO, [self.address()]).startswith("250"), 10, "the end of the first, which nobody answers")

    def test_an_admin_lifts_it(self):
        # Of a sender that no other test has, for they set the time back behind the lift.
        self.be_refused("d", "550 5.1.90 daily limit", BOB)
        self.assertIn("no tenant initech", self.postern("pause", "lift", "initech", status=2))
        self.assertIn("nothing of that is paused", self.postern("pause", "lift", "contoso", status=1))
        self.assertIn("expected lift TENANT", self.postern("pause", "lift", status=2))
        self.assertIn("not raise", self.postern("pause", "raise", status=2))
        self.assertIn("goes on", self.postern("pause", "lift", "contoso", BOB))
        self.assertEqual(self.pauses(), [])
        time.sleep(2.5)
        self.goes(BOB)
        db = sqlite3.connect("file:%s?mode=ro" % self.database, uri=True)
        self.assertEqual(db.execute("SELECT limit_name, key, result FROM acts WHERE what = 'resume'").fetchall(),
                         [("contoso", BOB, "done: mail of contoso from bob@contoso.com goes on")])
        db.close()
        # Said again, it holds again.
        self.be_refused("d", "550 5.1.90 daily limit", BOB)
        self.waits(BOB)

    def test_it_can_be_switched_off(self):
        self.be_refused("d", "550 5.7.233 quota", "erp@globex.example", "10.2.2.3")
        self.waits("erp@globex.example", client="10.2.2.3")
        self.write_policy("no")
        try:
            self.daemon.reload()
            pt.wait_for(lambda: self.answer("erp@globex.example", [self.address()], client="10.2.2.3").startswith("250"), 20, "a reload")
            self.assertEqual(self.state(), [("globex", "", "tenant-quota", "off")])
            self.assertIn("upstream-pause is off", self.postern("pause"))
        finally:
            self.write_policy("yes")
            self.daemon.reload()

    def test_mail_of_the_machine_itself_waits(self):
        self.be_refused("d", "550 5.7.233 quota", CONTOSO)
        to = self.address()
        self.postfix.submit(CONTOSO, [to, "alice@contoso.com"], dozen.text(CONTOSO, to, "cron"))
        pt.wait_for(lambda: "upstream-paused" in self.daemon.log() and "app=cron" in self.daemon.log(), 20, "cron's mail")
        self.assertFalse([m for m in self.stand_in.messages if to in m["recipients"]])

    def held(self):
        db = sqlite3.connect("file:%s?mode=ro" % self.database, uri=True)
        found = db.execute("SELECT state FROM held").fetchall()
        db.close()
        return [s[0] for s in found]

    def test_held_mail_stays_held(self):
        self.goes("news@contoso.com", client="10.1.2.6")
        self.goes("news@contoso.com", client="10.1.2.6")
        self.assertEqual(self.held(), ["waiting"])
        self.be_refused("d", "550 5.7.233 quota", CONTOSO)
        # A window and more is over: it would have been granted.
        time.sleep(66)
        self.assertEqual(self.held(), ["waiting"])
        self.postern("pause", "lift", "contoso")
        pt.wait_for(lambda: self.held() == ["granted"], 20, "its turn")

    def test_it_outlives_posternd(self):
        self.be_refused("d", "550 5.7.233 quota", CONTOSO)
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start()
        time.sleep(1)
        self.waits(CONTOSO)


class Filtered(Paused):
    """With the reply filter nothing that is in the queue bounces."""
    main_cf = "smtp_reply_filter = regexp:%s\n" % FILTER

    def test_nothing_queued_bounces(self):
        queued = []
        for where, reply, keyword, *_ in REPLIES:
            sender = MOERA if keyword == "onmicrosoft-quota" else CONTOSO
            to = self.address()
            (self.stand_in.answers if where == "r" else self.stand_in.data_answers)[to] = reply.replace("\n", " ")
            queued.append((sender, to, reply, keyword))
        # In the queue before anything is said.
        subprocess.run(["postconf", "-c", self.postfix.config, "-e", "defer_transports = smtp"], check=True)
        self.postfix._postfix("reload")
        ids = {}
        for sender, to, _, _ in queued:
            ids[to] = self.send(sender, [to])["data"].split()[-1]
        subprocess.run(["postconf", "-c", self.postfix.config, "-e", "defer_transports ="], check=True)
        self.postfix._postfix("reload")
        self.postfix.flush()
        pt.wait_for(lambda: {p["keyword"] for p in self.pauses()} == {q[3] for q in queued}, 40, "every pause")
        log = self.postfix.log()
        self.assertNotIn("status=bounced", log)
        for _, to, reply, keyword in queued:
            found = json.loads(self.postern("trace", "--json", ids[to]))["messages"][0]["deliveries"][0]
            self.assertEqual((found["status"], found["meaning"]["keyword"]), ("deferred", keyword), reply)
            self.assertIn("[upstream-paused] " + reply[:9], found["reply"])
        time.sleep(2.5)
        self.waits(CONTOSO)
        # It is over at Exchange Online: the queue itself is what tries.
        self.write("UPDATE upstream SET since = since - 120000, said = said - 120000")
        self.stand_in.answers.clear()
        self.stand_in.data_answers.clear()
        self.postfix.flush()
        self.postfix.wait_empty(60)
        pt.wait_for(lambda: self.pauses() == [], 20, "no pause any more")
        self.assertEqual({r for m in self.stand_in.messages for r in m["recipients"]} & {q[1] for q in queued}, {q[1] for q in queued})

    def test_other_replies_stay_as_they_are(self):
        for n, reply in enumerate(("550 5.7.233x no code", "550 5.7.2333 longer", "550 5.7.641 other", "550 5.2.2 mailbox full", "550 5.1.10 none",
                                   "451 4.7.233 for now")):
            to = self.address()
            self.stand_in.answers[to] = reply
            self.send(CONTOSO, [to])
            pt.wait_for(lambda: "to=<%s>" % to in self.postfix.log(), 20, "Postfix to try")
            line = [x for x in self.postfix.log().splitlines() if "to=<%s>" % to in x][0]
            if n > 0:
                self.assertNotIn("[upstream-paused]", line)


if __name__ == "__main__":
    unittest.main(verbosity=2)
