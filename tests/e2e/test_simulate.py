#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern simulate and explain ID on the audit of a real posternd: nothing changes
under the same policy; prepared changes are found, each with its count, app, rule
and reason; what the audit does not keep is said, not guessed; an engine that
decides otherwise is noticed. usage: test_simulate.py BUILD [BUILD-WITH-CRASH-POINTS]"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

BUILD = os.path.abspath(sys.argv[1])
CRASH = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
POLICY = """
listen: unix:{folder}/milter.sock
database: sqlite:{folder}/postern.db
unknown-clients: monitor
audit:
  subjects: {subjects}
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
    licenses: 10
    limits: [tenant-rate external-recipients/day]
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [crm@contoso.com]
    limits: [12 messages/hour]
  - name: printers
    tenant: contoso
    clients: [10.1.9.0/24]
    method: direct-send
    senders: [scanner@contoso.com]
  - name: trial
    tenant: contoso
    clients: [10.1.7.7]
    method: direct-send
    senders: [trial@contoso.com]
    mode: monitor
rules:
  - name: no-partner
    recipients: "*@partner.example"
    action: reject
  - name: class
    body: /confidential/i
    action: tag
    tag: "X-Class: confidential"
  - name: no-payroll-outside
    recipients: external
    subject: '/\\bpayroll\\b/i'
    action: reject
  - name: marker
    body: /SECRET-MARKER/
    action: reject
  - name: hold-orders
    subject: "order *"
    action: hold
    mode: monitor
"""
failed = checks = 0


def check(what, got, expected):
    global failed, checks
    checks += 1
    if got != expected:
        failed += 1
        print("FAILED: %s\n  got      %r\n  expected %r" % (what, got, expected))


class Site:
    def __init__(self, subjects="keep", policy=POLICY):
        self.folder = tempfile.mkdtemp(prefix="postern-simulate-")
        with open(self.folder + "/accepted.txt", "w") as f:
            f.write("contoso.com\n")
        self.text = policy.format(folder=self.folder, subjects=subjects)
        self.write("policy.yaml", self.text)
        self.daemon = pt.Posternd(BUILD + "/posternd", self.folder + "/policy.yaml", self.folder + "/milter.sock",
                                  self.folder + "/log").start()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)
        return os.path.join(self.folder, name)

    def send(self, subject, client="10.1.2.3", sender="crm@contoso.com", rcpts=("x@example.net",), body="hello", extra="",
             header_from=None):
        c = pt.MilterClient(self.folder + "/milter.sock")
        c.open(client)
        raw = "From: %s\r\nSubject: %s\r\n%s\r\n%s\r\n" % (header_from or sender, subject, extra, body)
        c.message(sender, list(rcpts), raw.encode())
        c.close()

    def traffic(self):
        for n in range(3):
            self.send("hello %d" % n)
        self.send("Payroll list")
        self.send("=?utf-8?B?UGF5cm9sbA==?= again")
        self.send("two", rcpts=["a@partner.example", "b@example.org"])
        self.send("notes", body="strictly Confidential")
        self.send("marker", body="SECRET-MARKER")
        self.send("order 1")
        self.send("order 2", rcpts=["in@contoso.com"])
        self.send("twice", extra="Subject: twice\r\n")
        self.send("other from", header_from="ceo@contoso.com")
        for n in range(2):
            self.send("spoof", sender="ceo@contoso.com")
        self.send("scan", client="10.1.9.4", sender="scanner@contoso.com", rcpts=["in@contoso.com", "out@example.net"])
        self.send("scan out", client="10.1.9.4", sender="scanner@contoso.com", rcpts=["out@example.net"])
        self.send("trial", client="10.1.7.7", sender="trial@contoso.com", rcpts=["out@example.net"])
        self.send("stranger", client="10.8.8.8", sender="any@contoso.com")
        for n in range(8):
            self.send("many %d" % n)
        self.daemon.stop()

    def ask(self, policy, *more, build=BUILD, fault=None):
        done = subprocess.run([build + "/postern", "simulate", "--policy", policy, "--since", "1h", "--json"] + list(more),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, **({"POSTERN_FAULT": fault} if fault else {})))
        if done.returncode != 0:
            raise RuntimeError("simulate: %d %s" % (done.returncode, done.stderr.decode()))
        return json.loads(done.stdout)

    def changed(self, old, new, *more):
        """The changes under a policy in which `old` is replaced by `new`."""
        if old not in self.text:
            raise RuntimeError("no such text: " + old)
        said = self.ask(self.write("new.yaml", self.text.replace(old, new)), *more)
        return {(c["app"], c["from"]["verdict"], c["from"]["reason"],
                 c["to"]["verdict"] + " " + c["to"]["reason"] if "to" in c else c["undecidable"]): c["count"]
                for c in said["changes"]}

    def end(self):
        shutil.rmtree(self.folder)


OPEN = "rule marker asks for what the audit does not keep"
LOST = "it would pass where it was refused, and what came after is not known"


def changes():
    s = Site()
    s.traffic()
    said = s.ask(s.folder + "/policy.yaml")
    check("the same policy changes nothing", said["changes"], [])
    check("all were decided", said["unchanged"], said["messages"])
    # 26 messages, and the two recipients that were refused though their message passed
    check("every message and every refused recipient", said["messages"], 28)
    check("a wider rule", s.changed("\\bpayroll\\b", "\\b(payroll|hello)\\b"), {
        ("crm", "accept", "", "reject rule:no-payroll-outside"): 3})
    check("no rule", s.changed("subject: '/\\bpayroll\\b/i'", "subject: '/never/'"), {
        # the search ended before the rule that looks into the body
        ("crm", "reject", "rule:no-payroll-outside", OPEN): 2})
    check("a rule that is taken off trial", s.changed("    action: hold\n    mode: monitor", "    action: hold"), {
        ("crm", "accept", "", "hold rule:hold-orders"): 2})
    check("a recipient that may stay now", s.changed("*@partner.example", "*@nobody.example"), {
        ("crm", "accept", "", "other recipients rule:no-partner"): 1,
        ("crm", "reject", "rule:no-partner", LOST): 1})
    check("a body rule that is another now", s.changed("SECRET-MARKER", "ANOTHER"), {
        ("crm", "accept", "", OPEN): 12, ("crm", "reject", "rule:marker", OPEN): 1, ("printers", "accept", "", OPEN): 1,
        ("trial", "accept", "", OPEN): 1, ("unknown", "accept", "", OPEN): 1})
    check("an unchanged body rule under a changed policy stands", s.changed("10.1.9.0/24", "10.1.9.0/25"), {})
    check("a sender more", s.changed("senders: [crm@contoso.com]", "senders: [crm@contoso.com, ceo@contoso.com]"), {
        ("crm", "reject", "sender-not-allowed", LOST): 2, ("crm", "reject", "from-not-allowed", OPEN): 1})
    check("a lower limit", s.changed("12 messages/hour", "5 messages/hour")[
        ("crm", "accept", "", "defer limit:crm/messages-per-hour")] >= 6, True)
    check("the trial ends", s.changed("    mode: monitor\nrules", "    mode: enforce\nrules"), {
        ("trial", "accept", "", "reject direct-send-external"): 1})
    check("as if enforced", {k: v for k, v in s.changed("listen:", "listen:", "--enforce").items()}, {
        ("trial", "accept", "", "reject direct-send-external"): 1,
        ("crm", "accept", "", "hold rule:hold-orders"): 2,
        ("unknown", "accept", "", "reject unknown-client"): 1})
    explained(s)
    if CRASH:
        said = s.ask(s.folder + "/policy.yaml", build=CRASH, fault="no-alignment")
        check("an engine without alignment is noticed", [c["from"]["reason"] for c in said["changes"]],
              ["sender-not-allowed"])
    s.end()


def explained(s):
    row = pt.audit(s.folder + "/postern.db", "SELECT * FROM messages WHERE subject = 'hello 1'")[0]
    new = s.write("new.yaml", s.text.replace("\\bpayroll\\b", "\\b(payroll|hello)\\b"))
    done = subprocess.run([BUILD + "/postern", "explain", "-c", new, "--json", row["id"]], stdout=subprocess.PIPE)
    said = json.loads(done.stdout)
    check("explain ID: then", [said["id"], said["verdict"], said["trace"]], [row["id"], "accept", row["trace"].splitlines()])
    check("explain ID: today", [said["today"]["verdict"], said["today"]["reason"]], ["reject", "rule:no-payroll-outside"])
    check("explain ID: limits then", [(c["name"], c["used"], c["amount"]) for c in said["limits"]][0],
          ("crm/messages-per-hour", 1, 1))
    counted = pt.audit(s.folder + "/postern.db", "SELECT * FROM refusals WHERE reason = 'sender-not-allowed'")[0]
    done = subprocess.run([BUILD + "/postern", "explain", "-c", new, counted["id"]], stdout=subprocess.PIPE)
    check("explain ID of a count", b"refused at mail, 2 times" in done.stdout, True)
    done = subprocess.run([BUILD + "/postern", "explain", "-c", new, "0" * 26], stderr=subprocess.PIPE)
    check("an id that is not there", (done.returncode, b"has no message" in done.stderr), (1, True))
    subprocess.run(["sqlite3", s.folder + "/postern.db", "VACUUM INTO '%s/copy.db'" % s.folder], check=True)
    subprocess.run(["sqlite3", s.folder + "/copy.db", "UPDATE messages SET subject = char(27) || '[2J' || char(10) ||"
                    " 'verdict: accept' || char(8238), sender = sender || char(7) WHERE id = '%s'" % row["id"]], check=True)
    copy = s.write("copy.yaml", s.text.replace("/postern.db", "/copy.db"))
    done = subprocess.run([BUILD + "/postern", "explain", "-c", copy, row["id"]], stdout=subprocess.PIPE)
    said = done.stdout.decode()
    check("what others wrote does nothing to a terminal",
          ([c for c in said if ord(c) < 32 and c not in "\n\t" or c == "\u202e"], "\nverdict: accept" in said,
           "subject    \\u{1b}[2J\\u{a}verdict: accept\\u{202e}\n" in said), ([], False, True))

def subjects():
    """What is not kept cannot be judged by."""
    for kept in ("hash", "drop"):
        s = Site(kept)
        s.send("hello")
        s.send("payroll", rcpts=["in@contoso.com"])
        s.daemon.stop()
        check("unchanged rules stand (%s)" % kept, s.ask(s.folder + "/policy.yaml")["changes"], [])
        check("a changed subject rule is open (%s)" % kept, s.changed("\\bpayroll\\b", "hello"), {
            ("crm", "accept", "", "rule no-payroll-outside asks for what the audit does not keep"): 1})
        s.end()


BUDGET = """
listen: unix:{folder}/milter.sock
database: sqlite:{folder}/postern.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
    limits: [10 external-recipients/day]
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [crm@contoso.com]
  - name: billing
    tenant: contoso
    clients: [10.1.2.4]
    method: connector
    senders: [billing@contoso.com]
    reserved: 40%
"""


def reserves():
    """What is reserved of a tenant's budget, across a restart: decided, explained, simulated."""
    s = Site(policy=BUDGET)

    def billing(n):
        s.send("invoices", client="10.1.2.4", sender="billing@contoso.com", rcpts=["r%d@example.net" % i for i in range(n)])

    billing(3)
    s.daemon.stop()
    s.daemon.start()
    for n in range(7):
        s.send("news %d" % n)
    billing(2)
    s.daemon.stop()
    rows = pt.audit(s.folder + "/postern.db", "SELECT * FROM messages ORDER BY time, id")
    check("three are billing's own, six crm's, one is left to billing", [(r["app"], r["verdict"], r["external"]) for r in rows],
          [("billing", "accept", 3)] + [("crm", "accept", 1)] * 6 + [("billing", "accept", 1)])
    refused = pt.audit(s.folder + "/postern.db", "SELECT * FROM refusals ORDER BY app DESC")
    check("the refusals say why", [(r["app"], r["stage"], r["reason"], r["text"].partition("; try again")[0]) for r in refused], [
        ("crm", "rcpt", "limit:contoso/external-recipients-per-day", "crm (10.1.2.3) has used 9 of 10 external-recipients per day, "
         "1 of the rest is reserved for app billing"),
        ("billing", "rcpt", "limit:contoso/external-recipients-per-day", "billing (10.1.2.4) has used 9 of 10 "
         "external-recipients per day")])
    check("the same policy changes nothing", s.ask(s.folder + "/policy.yaml")["changes"], [])
    same = "it was for what is reserved of a limit, and whether that is another now is not known"
    check("more is reserved", s.changed("40%", "60%"), {
        ("crm", "accept", "", "defer limit:contoso/external-recipients-per-day"): 2,
        ("billing", "accept", "", "other recipients limit:contoso/external-recipients-per-day"): 1,
        ("crm", "defer", "limit:contoso/external-recipients-per-day", same): 1})
    check("crm is critical", s.changed("senders: [crm@contoso.com]", "senders: [crm@contoso.com]\n    critical: yes"), {
        ("crm", "defer", "limit:contoso/external-recipients-per-day", same): 1,
        ("billing", "accept", "", "defer limit:contoso/external-recipients-per-day"): 1})
    done = subprocess.run([BUILD + "/postern", "explain", "-c", s.folder + "/policy.yaml", "--client", "10.1.2.3", "--sender",
                           "crm@contoso.com", "--rcpt", "x@example.net", "--json"], stdout=subprocess.PIPE)
    limit = json.loads(done.stdout)["limits"][0]
    check("explain: what is held back", (limit["used"], limit["exceeded"], limit["reserved"]),
          (10, True, [{"app": "billing", "amount": 4, "unspent": 0}]))
    done = subprocess.run([BUILD + "/postern", "explain", "-c", s.folder + "/policy.yaml", "--json", rows[-1]["id"]],
                          stdout=subprocess.PIPE)
    said = json.loads(done.stdout)
    check("explain ID: the reserve is no limit", ([c["name"] for c in said["limits"]], [
        (c["key"], c["used"], c["count"], c["amount"]) for c in said["reserves"]]),
        (["contoso/external-recipients-per-day"], [("app=billing", 3, 4, 1)]))
    done = subprocess.run([BUILD + "/postern", "explain", "-c", s.folder + "/policy.yaml", rows[-1]["id"]], stdout=subprocess.PIPE)
    check("explain ID in words", b"\nreserve    contoso/external-recipients-per-day-per-app app=billing: 3 of 4 were used, this "
          b"message added 1\n" in done.stdout, True)
    s.end()


def bad_input():
    s = Site()
    s.daemon.stop()
    for arguments, status, text in [
            ([], 2, "--policy is missing"), (["--policy", "/nonexistent"], 1, "/nonexistent"),
            (["--policy", s.folder + "/policy.yaml", "--since", "someday"], 2, "--since takes a time"),
            (["--policy", s.folder + "/policy.yaml", "--database", "sqlite:/nonexistent/x.db"], 1, "No such file"),
            (["--policy", s.folder + "/policy.yaml", "more"], 2, "one argument too many"), (["--help"], 0, "")]:
        done = subprocess.run([BUILD + "/postern", "simulate"] + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check("postern simulate %s" % arguments, (done.returncode, text in done.stderr.decode()), (status, True))
    s.end()


def main():
    for test in (changes, subjects, reserves, bad_input):
        test()
    print("%d passed, %d failed" % (checks - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
