#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""What rules cost posternd: CPU and memory of a large message with and without
rules on its body, CPU of small messages with 0 and 50 rules on envelope and
header, and CPU of messages made to keep a pattern busy. CPU is user and system
time of the process, from /proc; memory its VmHWM, in a process of its own for
each row. usage: rules.py BUILD-FOLDER [large] [small] [hostile]"""

import os
import shutil
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import posterntest as pt  # noqa: E402
import run  # noqa: E402

APPS = "apps:\n  - name: crm\n    tenant: contoso\n    clients: [10.1.2.3]\n    method: connector\n    senders: [crm@contoso.com]\n"
HEAD = ("From: crm@contoso.com\r\nTo: <bob@example.net>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n")
ATTACHMENT = b"--b\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
WORDS = b"The quick brown fox jumps over the lazy dog and thinks of its supper.\r\n"
BASE64 = b"QWxsIHdvcmsgYW5kIG5vIHBsYXkgbWFrZXMgYSBkdWxsIG1haWwsIHNheXMgZXZlcnlib2R5\r\n"
BODY_PATTERNS = [r"/\bpayroll\b/i", r"/\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b/", r"/\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b/",
                 "/confidential|secret|restricted/i", r"/\bpassword\s*[:=]/i", r"/\b\d{3}-\d{2}-\d{4}\b/",
                 r"/BEGIN (RSA |EC )?PRIVATE KEY/", r"/project\s+(falcon|osprey)/i", r"/\bsalar(y|ies)\b/i",
                 r"/[\w.]+@[\w.]+\.example/"]
HOSTILE = [("(a+)+$", b"a" * 60 + b"! "), ("(.*)*x", b"a" * 60 + b" "), (r"(\w+)+\d", b"word" * 15 + b"- "),
           (r"^(([a-z])+.)+[A-Z]([a-z])+$", b"a" * 70), (r"((a*)*(b*)*)*\2c", b"aaaabbbb" * 8 + b" "),
           (r"(?:(x+)(x+))+\1\2y", b"x" * 70 + b" "), ("(?s).*?(.+)+END", b"end" * 20 + b" ")]


def rules(conditions, action="reject"):
    return "rules:\n" + "".join("  - {name: r%d, %s, action: %s}\n" % (i, c, action)
                                for i, c in enumerate(conditions)) if conditions else ""


def quoted(pattern):
    return "'%s'" % pattern.replace("'", "''")


# What an admin might ask of envelope and header; none of them matches.
ENVELOPE = [c.format(i=i) for i in range(10) for c in (
    "apps: [app{i}], recipients: ['*@competitor{i}.example', '/^(sales|info)\\d*@/']",
    "sender: ['noreply{i}@contoso.com'], hours: '00:00-24:00'",
    "subject: '/\\bpayroll {i}\\b/i', recipients: external",
    "header: {{X-Mailer: '*mailer{i}*'}}, weekdays: [mon-sun]",
    "recipient-count: '> {i}00', size: '> 2{i}G'")]


class Relay:
    def __init__(self, build, more):
        self.folder = tempfile.mkdtemp(prefix="postern-rules-bench-")
        run.prepare(self.folder)
        policy = self.folder + "/postern.yaml"
        with open(policy, "w") as f:
            f.write(run.POSTERN.format(folder=self.folder).replace("apps:\n", APPS) +
                    "".join(run.APP.format(n=n) for n in range(run.APPS)) + more)
        self.daemon = pt.Posternd(build + "/posternd", policy, self.folder + "/postern.sock", self.folder + "/log").start()

    def proc(self, name):
        with open("/proc/%d/%s" % (self.daemon.process.pid, name)) as f:
            return f.read()

    def cpu(self):
        fields = self.proc("stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / run.TICKS

    def peak(self):
        return int(next(x for x in self.proc("status").splitlines() if x.startswith("VmHWM")).split()[1]) / 1024

    def send(self, raw):
        c = pt.MilterClient(self.folder + "/postern.sock")
        c.socket.settimeout(120)
        c.open("10.1.2.3")
        verdict, edits = c.message("crm@contoso.com", ["bob@example.net"], raw)
        c.close()
        return verdict + (" " + c.said.split("]")[0] + "]" if c.said else ""), edits

    def stop(self):
        self.daemon.stop()
        shutil.rmtree(self.folder)


def message(text, octets, subject=b"hello"):
    """So many octets of text, then of an attachment."""
    head = HEAD.encode() % subject
    body = WORDS * (text // len(WORDS)) + ATTACHMENT + BASE64 * ((octets - text) // len(BASE64))
    return head + body + b"--b--\r\n"


def large(build):
    print("A message of 35 MB, by its rules (median of 3; peak of a process that had but these)")
    print("%-28s %-24s %9s %9s  %s" % ("rules", "message", "CPU ms", "peak MiB", "answer"))
    body = ["body: %s" % quoted(p) for p in BODY_PATTERNS]
    sets = [("none", ""), ("10 on envelope, header", rules(ENVELOPE[:10])), ("1 on the body", rules(body[:1])),
            ("10 on the body", rules(body)), ("1 on attachment names", rules(["attachment: '*.exe'"])),
            ("1 tag by the body", rules([body[0]], "tag, tag: 'X-Class: payroll'"))]
    for text, what in ((100 << 10, "100 KB text"), (15 << 20, "15 MB text")):
        raw = message(text, 35 << 20)
        for name, more in sets:
            r = Relay(build, more)
            try:
                r.send(message(1000, 2000))
                took = []
                for _ in range(3):
                    before = r.cpu()
                    answer, _ = r.send(raw)
                    took.append(r.cpu() - before)
                print("%-28s %-24s %9.0f %9.1f  %s" % (name, what, statistics.median(took) * 1000, r.peak(), answer),
                      flush=True)
            finally:
                r.stop()


def small(build):
    print("A message of 2 KiB under 0 and 50 rules without conditions on the body (in turn, 5 times 2 seconds)")
    load = os.path.abspath(build + "/tests/bench/milter-load")
    relays = [("0 rules", Relay(build, "")), ("50 rules", Relay(build, rules(ENVELOPE)))]
    took = {name: [] for name, _ in relays}
    try:
        for i in range(6):
            for name, r in relays if i % 2 else reversed(relays):
                before = r.cpu()
                done = run.subprocess.run([load, "-c", "1", "-k", "20", "-b", "2048", "-t", "2", "-a", str(run.APPS),
                                           "unix:" + r.folder + "/postern.sock"], stdout=run.subprocess.PIPE, timeout=60)
                said = run.json.loads(done.stdout)
                if said["errors"] or said["refused"] or not said["messages"]:
                    raise RuntimeError("%s: %r" % (name, said))
                if i > 0:
                    took[name].append((r.cpu() - before) * 1e6 / said["messages"])
    finally:
        for _, r in relays:
            r.stop()
    for name, values in took.items():
        print("%-28s %9.0f us CPU a message (%.0f to %.0f)" % (name, statistics.median(values), min(values), max(values)))


def hostile(build):
    print("A message made for the pattern of the one rule")
    print("%-32s %-10s %9s  %s" % ("pattern", "where", "CPU ms", "answer"))
    for pattern, bait in HOSTILE:
        line = bait * (900 // len(bait)) + b"\r\n"
        body = b"From: crm@contoso.com\r\nSubject: hello\r\n\r\n" + line * ((15 << 20) // len(line))
        subject = b"From: crm@contoso.com\r\nSubject: " + bait * (40000 // len(bait)) + b"\r\n\r\nHello\r\n"
        for where, raw in (("subject", subject), ("body", body)):
            r = Relay(build, rules(["%s: %s" % (where, quoted("/%s/" % pattern))]))
            try:
                before = r.cpu()
                answer, _ = r.send(raw)
                print("%-32s %-10s %9.0f  %s" % (pattern, where, (r.cpu() - before) * 1000, answer), flush=True)
            finally:
                r.stop()


def main():
    build, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:] or ["large", "small", "hostile"]
    for name in wanted:
        {"large": large, "small": small, "hostile": hostile}[name](build)
        print()


if __name__ == "__main__":
    main()
