#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""posternd behind a real Postfix. usage: test_postfix.py BUILD-FOLDER"""

import os
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dozen  # noqa: E402
import posterntest as pt  # noqa: E402
import relay  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))

EXTRA = """  - name: cron
    tenant: contoso
    clients: [local]
    method: direct-send
    senders: [root@contoso.com]
  - name: burst
    tenant: contoso
    clients: [10.1.5.5]
    method: connector
    senders: [burst@contoso.com]
    limits: [25 messages/hour]
"""


class Postfix(relay.Relay):
    build = BUILD
    policy_more = EXTRA

    def test_1_dozen(self):
        for row in dozen.DOZEN:
            with self.subTest(row[0]):
                outcome, reply = pt.outcome(self.send(row[1], row[2], row[3], row[4]))
                self.assertEqual(outcome, row[5], reply)
                self.assertIn(row[6], reply)
        self.postfix.wait_empty()
        dozen.check_delivered(self)

    def test_2_trusted_headers_are_stripped(self):
        raw = dozen.text("crm@contoso.com", "bob@example.net", "strip",
                         "X-MS-Exchange-Organization-SCL: -1\r\nX-MS-Exchange-Organization-AuthAs: Internal\r\n"
                         "x-postern-id: forged\r\nAuthentication-Results: relay.contoso.com; dkim=pass\r\n"
                         "Authentication-Results: other.example; dkim=pass\r\n")
        answers = self.send("10.1.2.3", "crm@contoso.com", ["bob@example.net"], raw)
        self.assertTrue(answers["data"].startswith("250"), answers)
        self.postfix.wait_empty()
        header = self.stand_in.find(b"Subject", b"strip")[0]["raw"].split(b"\r\n\r\n")[0]
        self.assertNotIn(b"Organization", header)
        self.assertNotIn(b"forged", header)
        self.assertNotIn(b"relay.contoso.com; dkim", header)
        self.assertIn(b"other.example; dkim", header)
        self.assertEqual(header.lower().count(b"x-postern-id"), 1)

    def test_2_the_log_names_the_refused_recipient(self):
        self.send("10.1.9.7", "scanner@contoso.com", ["alice@contoso.com", "zoe@example.net"],
                  dozen.text("scanner@contoso.com", "alice@contoso.com", "log"))
        line = [x for x in self.daemon.log().splitlines() if "stage=rcpt" in x][-1]
        self.assertIn(" rcpt=zoe@example.net ", line)

    def test_2_thousands_of_recipients_too_many(self):
        client = pt.MilterClient(self.socket)
        client.open("10.1.2.3")
        many = ["a%d@example.net" % i for i in range(4000)]
        self.assertEqual(client.message("crm@contoso.com", many, dozen.text("crm@contoso.com", "a@example.net", "many"))[0],
                         "accept")
        client.close()
        rows = pt.audit(self.database, "SELECT recipients FROM messages WHERE subject = 'many'")
        self.assertEqual([r["recipients"] for r in rows], [1000])

    def test_3_picked_up_on_the_machine(self):
        good = b"From: root@contoso.com\nTo: alice@contoso.com\nSubject: cron good\n\nhello\n"
        bad = b"From: root@contoso.com\nTo: bob@example.net\nSubject: cron bad\n\nhello\n"
        self.assertEqual(self.postfix.submit("root@contoso.com", ["alice@contoso.com"], good), 0)
        self.assertEqual(self.postfix.submit("root@contoso.com", ["bob@example.net"], bad), 0)
        pt.wait_for(lambda: self.stand_in.find(b"Subject", b"cron good"), what="the picked-up message")
        pt.wait_for(lambda: pt.audit(self.database, "SELECT 1 FROM refusals WHERE app = 'cron' AND reason = "
                                     "'direct-send-external'"), what="the refusal")
        self.assertFalse([m for m in self.stand_in.find(b"Subject", b"cron bad") if m["sender"]])
        rows = pt.audit(self.database, "SELECT picked_up, app FROM messages WHERE subject = 'cron good'")
        self.assertEqual([(r["picked_up"], r["app"]) for r in rows], [(1, "cron")])

    def test_4_sixteen_sessions_never_overshoot(self):
        accepted = []

        def session():
            for _ in range(4):
                a = self.send("10.1.5.5", "burst@contoso.com", ["x@example.net"],
                              dozen.text("burst@contoso.com", "x@example.net", "burst"))
                if pt.outcome(a)[0] == "accept":
                    accepted.append(1)
        threads = [threading.Thread(target=session) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(accepted), 25)
        self.postfix.wait_empty()
        self.assertEqual(len(self.stand_in.find(b"Subject", b"burst")), 25)

    def test_5_reload(self):
        with open(self.policy) as f:
            before = f.read()
        with open(self.policy, "w") as f:
            f.write(before.replace("crm@contoso.com", "sales@contoso.com").replace("apps:", "aps:"))
        self.daemon.reload()
        pt.wait_for(lambda: "the old policy stays in force" in self.daemon.log(), what="the complaint")
        raw = dozen.text("crm@contoso.com", "bob@example.net", "old policy")
        self.assertEqual(pt.outcome(self.send("10.1.2.3", "crm@contoso.com", ["bob@example.net"], raw))[0], "accept")
        with open(self.policy, "w") as f:
            f.write(before.replace("crm@contoso.com", "sales@contoso.com"))
        self.daemon.reload()
        pt.wait_for(lambda: "is in force" in self.daemon.log().split("stays in force")[-1], what="the reload")
        self.assertEqual(pt.outcome(self.send("10.1.2.3", "crm@contoso.com", ["bob@example.net"], raw))[0], "reject")
        with open(self.policy, "w") as f:
            f.write(before)
        self.daemon.reload()

    def test_6_second_instance_is_refused(self):
        done = subprocess.run([os.path.join(BUILD, "posternd"), "-f", "-c", self.policy], stderr=subprocess.PIPE,
                              timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"another process serves this socket", done.stderr)

    def test_7_without_the_milter_nothing_passes(self):
        self.daemon.stop()
        raw = dozen.text("crm@contoso.com", "bob@example.net", "unchecked")
        self.assertEqual(pt.outcome(self.send("10.1.2.3", "crm@contoso.com", ["bob@example.net"], raw))[0], "tempfail")
        self.daemon.start()
        self.assertEqual(pt.outcome(self.send("10.1.2.3", "crm@contoso.com", ["bob@example.net"], raw))[0], "accept")


if __name__ == "__main__":
    unittest.main(verbosity=2)
