#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rules behind a real Postfix: what they add is signed, what they hold, throw
away or refuse goes where it should. usage: test_rules.py BUILD-FOLDER"""

import json
import os
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dozen  # noqa: E402
import posterntest as pt  # noqa: E402
import relay  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))
STREAMED, SPOOLED, OTHER = "10.1.5.5", "10.1.5.6", "10.1.5.7"
LARGE = 20 << 20

RULES = """  - name: streamed
    tenant: contoso
    clients: [10.1.5.5]
    method: connector
    senders: [app@contoso.com]
  - name: spooled
    tenant: contoso
    clients: [10.1.5.6]
    method: connector
    senders: [app@contoso.com]
  - name: other
    tenant: contoso
    clients: [10.1.5.7, local]
    method: connector
    senders: [app@contoso.com]
    limits: [100 messages/hour]
rules:
  - {name: no-bob, recipients: bob@example.net, action: reject, message: Not to Bob, contact: it@contoso.com}
  - {name: class, apps: spooled, body: /payroll/, action: tag, tag: "X-Class: payroll"}
  - {name: class-too, apps: spooled, body: /twice/, action: tag, tag: "X-Class: the second"}
  - {name: outside, apps: [streamed, spooled], recipients: external, action: tag, tag: "X-Outside: yes"}
  - {name: encrypt, subject: "encrypt *", action: require-tls}
  - {name: quarantine, subject: "hold *", action: hold, message: Look at it}
  - {name: vanish, subject: "throw *", action: discard}
  - {name: words, body: /forbidden words/, action: reject}
"""


def message(subject, body, extra=""):
    head = dozen.text("app@contoso.com", "zoe@example.net", subject, extra).split(b"\r\n\r\n")[0]
    return head + b"\r\n\r\n" + body


MULTIPART = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"


def large(last):
    """A large attachment and then a text."""
    line = b"QWxsIHdvcmsgYW5kIG5vIHBsYXkgbWFrZXMgYSBkdWxsIG1haWw=\r\n"
    return (b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
            line * (LARGE // len(line)) + b"--b\r\nContent-Type: text/plain\r\n\r\n" + last + b"--b--\r\n")


def header_of(raw, name):
    """The values of a field, unfolded."""
    head = raw.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    return [re.sub(rb"\r\n(?=[ \t])", b"", v).strip() for v in
            re.findall(rb"(?ims)^" + re.escape(name) + rb":(.*?)\r\n(?![ \t])", head)]


class Rules(relay.Relay):
    build = BUILD
    policy_more = RULES

    def send(self, client, recipients, raw):
        return super().send(client, "app@contoso.com", recipients, raw)

    def delivered(self, client, subject, body, extra=""):
        """Sends it to zoe; what the stand-in got."""
        answers = self.send(client, ["zoe@example.net"], message(subject, body, extra))
        self.assertTrue(answers["data"].startswith("250"), answers)
        pt.wait_for(lambda: self.stand_in.find(b"Subject", subject.encode()), 60, "delivery of " + subject)
        return self.stand_in.find(b"Subject", subject.encode())[0]["raw"]

    def assert_signed(self, raw, good=True):
        found = pt.signatures(raw, self.records)
        self.assertEqual([(s[1], s[2]) for s in sorted(found)], [("postern1", good), ("postern2", good)])

    def assert_covered(self, raw, name):
        """The signature holds, and breaks with the field's value or without the field."""
        self.assert_signed(raw)
        field = re.search(rb"(?im)^" + re.escape(name) + rb": [^\r]*\r\n", raw).group(0)
        self.assert_signed(raw.replace(field, field[:-3] + b"?\r\n", 1), False)
        self.assert_signed(raw.replace(field, b"", 1), False)

    def recorded(self, subject):
        rows = []

        def look():
            rows[:] = pt.audit(self.database, "SELECT * FROM messages WHERE subject = ?", (subject,))
            return rows
        pt.wait_for(look, what="the row of " + subject)
        self.assertEqual(len(rows), 1, subject)
        rules = pt.audit(self.database, "SELECT rule, action, decided FROM rule_matches WHERE message_id = ? "
                         "ORDER BY number", (rows[0]["id"],))
        return rows[0], [(r["rule"], r["action"], r["decided"]) for r in rules]

    def test_1_tag_by_the_body(self):
        raw = self.delivered(SPOOLED, "by body", b"Hello\r\nthe payroll of May\r\n")
        self.assertEqual(header_of(raw, b"X-Class"), [b"payroll"])
        self.assert_covered(raw, b"X-Class")
        self.assertEqual(self.recorded("by body")[1], [("class", "tag", 0), ("outside", "tag", 0)])

    def test_1_tag_by_a_body_that_is_large(self):
        raw = self.delivered(SPOOLED, "by large body", large(b"the payroll of May\r\n"), MULTIPART)
        self.assertGreater(len(raw), LARGE - 100)
        self.assertEqual(header_of(raw, b"X-Class"), [b"payroll"])
        self.assert_covered(raw, b"X-Class")
        raw = self.delivered(SPOOLED, "by no large body", large(b"the pay roll of May\r\n"), MULTIPART)
        self.assertEqual(header_of(raw, b"X-Class"), [])
        self.assert_signed(raw)

    def test_1_two_tags_of_one_name(self):
        raw = self.delivered(SPOOLED, "tagged twice", b"payroll, twice\r\n")
        self.assertEqual(sorted(header_of(raw, b"X-Class")), [b"payroll", b"the second"])
        self.assert_covered(raw, b"X-Class")
        self.assert_covered(raw, b"X-Outside")

    def test_1_tag_by_the_envelope(self):
        raw = self.delivered(STREAMED, "by envelope", large(b"the end\r\n"), MULTIPART)
        self.assertEqual(header_of(raw, b"X-Outside"), [b"yes"])
        self.assert_covered(raw, b"X-Outside")
        answers = self.send(STREAMED, ["alice@contoso.com"], message("inside", b"Hello\r\n"))
        self.assertTrue(answers["data"].startswith("250"), answers)
        pt.wait_for(lambda: self.stand_in.find(b"Subject", b"inside"), what="delivery")
        raw = self.stand_in.find(b"Subject", b"inside")[0]["raw"]
        self.assertEqual(header_of(raw, b"X-Outside"), [])
        self.assert_signed(raw)

    def test_2_a_tag_of_the_app_itself_is_stripped(self):
        forged = "X-Class: public\r\nx-class: also public\r\nX-Other: stays\r\n"
        raw = self.delivered(SPOOLED, "forged and tagged", b"payroll\r\n", forged)
        self.assertEqual(header_of(raw, b"X-Class"), [b"payroll"])
        self.assertEqual(header_of(raw, b"X-Other"), [b"stays"])
        self.assert_covered(raw, b"X-Class")
        for client, subject in ((SPOOLED, "forged"), (STREAMED, "forged for another app")):
            raw = self.delivered(client, subject, b"Hello\r\n", forged)
            self.assertEqual(header_of(raw, b"X-Class"), [])
            self.assert_signed(raw)

    def test_2_nothing_leaves_unsigned_where_the_body_cannot_be_kept(self):
        folder = tempfile.mkdtemp(prefix="postern-rules-")
        daemon = None
        try:
            policy, _ = dozen.write_policy(folder, "unix:%s/milter.sock" % folder)
            with open(policy, "a") as f:
                f.write(RULES)
            daemon = pt.Posternd(os.path.join(BUILD, "posternd"), policy, folder + "/milter.sock", folder + "/log",
                                 {"TMPDIR": folder + "/none"}).start()
            small, too_large = b"--b\r\n\r\nHello\r\n--b--\r\n", large(b"Hello\r\n")
            for client, body, expected in ((SPOOLED, small, "accept"), (SPOOLED, too_large, "tempfail"),
                                           (SPOOLED, small, "accept"), (STREAMED, too_large, "accept")):
                c = pt.MilterClient(folder + "/milter.sock")
                c.open(client)
                got, _ = c.message("app@contoso.com", ["zoe@example.net"], message("kept", body, MULTIPART))
                c.close()
                self.assertEqual(got, expected, c.said)
                if expected == "tempfail":
                    self.assertIn("451 4.7.5 [signing-unavailable]", c.said)
                    self.assertIn("could not be kept", daemon.log())
        finally:
            if daemon is not None:
                self.assertEqual(daemon.stop(), 0)
            shutil.rmtree(folder)

    def test_3_hold(self):
        answers = self.send(OTHER, ["zoe@example.net"], message("hold this", b"Hello\r\n"))
        queue_id = re.match(r"250 2\.0\.0 Ok: queued as (\S+)", answers["data"]).group(1)

        def held():
            return [q for q in map(json.loads, self.postfix.queue()) if q["queue_id"] == queue_id]
        pt.wait_for(held, what="the message in the queue")
        self.assertEqual(held()[0]["queue_name"], "hold")
        self.assertEqual(self.stand_in.find(b"Subject", b"hold this"), [])
        self.assertRegex(self.daemon.log(), r"verdict=hold .*reason=rule:quarantine")
        row, rules = self.recorded("hold this")
        self.assertEqual((row["verdict"], row["reason"], row["queue_id"]), ("hold", "rule:quarantine", queue_id))
        self.assertEqual(rules, [("quarantine", "hold", 1)])
        self.postfix.release(queue_id)
        pt.wait_for(lambda: self.stand_in.find(b"Subject", b"hold this"), what="the released message")
        self.assert_signed(self.stand_in.find(b"Subject", b"hold this")[0]["raw"])

    def test_3_discard(self):
        answers = self.send(OTHER, ["zoe@example.net"], message("throw this", b"Hello\r\n"))
        self.assertTrue(answers["data"].startswith("250 2.0.0"), answers)
        self.delivered(OTHER, "and keep this", b"Hello\r\n")
        self.postfix.wait_empty()
        self.assertEqual(self.stand_in.find(b"Subject", b"throw this"), [])
        row, rules = self.recorded("throw this")
        self.assertEqual((row["verdict"], row["reason"], row["signing"]), ("discard", "rule:vanish", ""))
        self.assertEqual(rules, [("vanish", "discard", 1)])
        self.assertEqual(pt.audit(self.database, "SELECT * FROM charges WHERE message_id = ?", (row["id"],)), [])
        kept, _ = self.recorded("and keep this")
        self.assertEqual(len(pt.audit(self.database, "SELECT * FROM charges WHERE message_id = ?", (kept["id"],))), 2)

    def test_4_one_recipient(self):
        answers = self.send(OTHER, ["bob@example.net", "zoe@example.net"], message("to two", b"Hello\r\n"))
        self.assertRegex(answers["rcpt"][0], r"^550 5\.7\.1 \[rule:no-bob\] Not to Bob\. Ask it@contoso\.com \(id \w{26}\)$")
        self.assertTrue(answers["rcpt"][1].startswith("250"), answers)
        self.assertTrue(answers["data"].startswith("250"), answers)
        pt.wait_for(lambda: self.stand_in.find(b"Subject", b"to two"), what="delivery")
        self.assertEqual(self.stand_in.find(b"Subject", b"to two")[0]["recipients"], ["zoe@example.net"])
        self.assertEqual(self.recorded("to two")[1], [])

    def test_4_whole_message(self):
        answers = self.send(OTHER, ["alice@contoso.com", "zoe@example.net"],
                            message("words", b"some forbidden words\r\n"))
        self.assertTrue(all(r.startswith("250") for r in answers["rcpt"]))
        self.assertRegex(answers["data"], r"^550 5\.7\.1 \[rule:words\] ")
        row, rules = self.recorded("words")
        self.assertEqual((row["verdict"], rules), ("reject", [("words", "reject", 1)]))

    def test_4_no_tls(self):
        answers = self.send(OTHER, ["zoe@example.net"], message("encrypt this", b"Hello\r\n"))
        self.assertRegex(answers["data"], r"^550 5\.7\.10 \[rule:encrypt\] it must come over TLS")
        self.assertEqual(self.postfix.submit("app@contoso.com", ["zoe@example.net"],
                                             b"From: app@contoso.com\nSubject: encrypt by hand\n\nhello\n"), 0)
        pt.wait_for(lambda: self.stand_in.find(b"Subject", b"encrypt by hand"), what="the picked-up message")

    def test_4_picked_up_mail_is_decided_whole(self):
        self.assertEqual(self.postfix.submit("app@contoso.com", ["bob@example.net", "zoe@example.net"],
                                             b"From: app@contoso.com\nSubject: handed in\n\nhello\n"), 0)
        row, rules = self.recorded("handed in")
        self.assertEqual((row["verdict"], row["reason"], rules), ("reject", "rule:no-bob", [("no-bob", "reject", 1)]))
        self.assertEqual([m for m in self.stand_in.find(b"Subject", b"handed in") if m["sender"]], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
