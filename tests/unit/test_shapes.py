#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Messages of many shapes, signed by tests/unit/sign_message through the
signer and verified by python3-dkim: each signature holds, holds after what a
hop may do, and breaks after what it may not."""

import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import dkim
    import nacl  # noqa: F401: dkim verifies Ed25519 only with it
except ImportError:
    print("python3-dkim or python3-nacl is missing")
    sys.exit(77)

PROGRAM = "tests/unit/sign_message"
failures = 0
checked = 0


class Signer:
    def __init__(self, folder):
        self.folder = folder
        self.records = {}
        arguments = []
        for selector, algorithm in (("rsa1", "RSA"), ("ed1", "ED25519")):
            file = os.path.join(folder, selector + ".pem")
            self.openssl("genpkey", "-algorithm", algorithm, "-out", file)
            os.chmod(file, 0o600)
            der = self.openssl("pkey", "-in", file, "-pubout", "-outform", "DER")
            key = der[-32:] if algorithm == "ED25519" else der
            self.records[selector + "._domainkey.contoso.com."] = (
                b"v=DKIM1; k=" + algorithm.lower().encode() + b"; p=" + base64.b64encode(key))
            arguments.append("contoso.com:%s:%s" % (selector, file))
        self.process = subprocess.Popen([PROGRAM] + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @staticmethod
    def openssl(*arguments):
        return subprocess.run(("openssl",) + arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True).stdout

    def sign(self, message, first=65535, step=65535):
        """The signatures' values, lines ended by CRLF as the MTA writes them."""
        path = os.path.join(self.folder, "message")
        with open(path, "wb") as f:
            f.write(message)
        self.process.stdin.write(b"%d %d %s\n" % (first, step, path.encode()))
        self.process.stdin.flush()
        values = []
        for _ in self.records:
            kind, length = self.process.stdout.readline().split()
            text = self.process.stdout.read(int(length))
            if kind != b"S":
                raise RuntimeError("not signed: " + text.decode())
            values.append(text.replace(b"\n", b"\r\n"))
        return values

    def verify(self, value, message):
        # What the MTA does to the end of the body before it sends.
        if not message.endswith(b"\r\n"):
            message += b"\r\n"
        whole = b"DKIM-Signature: " + value + b"\r\n" + message
        try:
            return dkim.DKIM(whole).verify(dnsfunc=lambda name, timeout=5: self.records.get(
                name.decode() if isinstance(name, bytes) else name))
        except dkim.DKIMException:
            return False

    def close(self):
        self.process.stdin.close()
        return self.process.wait(20)


def check(ok, what):
    global failures, checked
    checked += 1
    if not ok:
        failures += 1
        print("FAIL: " + what)


HEAD = (b"Received: from app (app [10.1.2.3]) by relay; Mon, 2 Nov 2026 10:00:00 +0000\r\n"
        b"From: CRM <crm@contoso.com>\r\nTo: bob@example.net\r\n"
        b"Subject: the quarter in figures\r\n and what follows from it\r\n"
        b"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@contoso.com>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"X-Mailer: crm\r\n")
FROM = b"From: crm@contoso.com\r\n"


def message(body=b"Hello\r\n", head=HEAD):
    return head + b"\r\n" + body


SHAPES = {
    "plain": message(),
    "From alone": message(head=FROM),
    "no body at all": HEAD + b"\r\n",
    "only line ends": message(b"\r\n" * 7),
    "one line end": message(b"\r\n"),
    "no final line end": message(b"Hello"),
    "no final line end, two lines": message(b"Hello\r\nyou"),
    "final CR": message(b"Hello\r"),
    "trailing empty lines": message(b"Hello\r\n\r\n\r\n\r\n"),
    "trailing white space": message(b"Hello \t \r\n  \r\n\t\r\nyou  \r\n"),
    "runs of white space": message(b"a  b\t\tc \t d\r\n"),
    "lines of a dot": message(b".\r\n..\r\n.a\r\n.\r\n"),
    "8-bit": message("Grüße, 日本\r\n".encode() + bytes(range(128, 256)) + b"\r\n"),
    "NUL in the body": message(b"a\0b\r\n\0\r\n"),
    "a megabyte": message(b"All work and no play makes a dull mail.\r\n" * 25000),
    "one long line": message(b"x" * 5000 + b"\r\n"),
    "many short lines": message(b"x\r\n" * 10000),
    "8-bit subject": message(head=FROM + "Subject: Grüße\r\n".encode()),
    "raw 8-bit display name": message(head="From: Jürgen <crm@contoso.com>\r\n".encode()),
    "fold by tab": message(head=FROM + b"Subject: one\r\n\ttwo\r\n\t  three\r\n"),
    "fold right after the colon": message(head=FROM + b"Subject:\r\n one\r\n"),
    "fold within From": message(head=b"From: CRM\r\n <crm@contoso.com>\r\n"),
    "empty subject": message(head=FROM + b"Subject:\r\n"),
    "subject of one space": message(head=FROM + b"Subject: \r\n"),
    "trailing space in a field": message(head=FROM + b"Subject: one  \r\n"),
    "no space after the colon": message(head=b"From:crm@contoso.com\r\nSubject:one\r\n"),
    "many spaces after the colon": message(head=b"From:   crm@contoso.com\r\nSubject: \t one\r\n"),
    "names in other case": message(head=b"FROM: crm@contoso.com\r\nsUBJECT: one\r\n"),
    "fields twice": message(head=FROM + b"References: <a@b>\r\nReferences: <c@d>\r\nIn-Reply-To: <a@b>\r\n"
                            b"In-Reply-To: <c@d>\r\nX-A: 1\r\nX-A: 2\r\n"),
    "a name of 300 octets": message(head=FROM + b"X" * 300 + b": one\r\n"),
    "300 X- fields before From": message(head=b"".join(b"X-Header-%d: value %d\r\n" % (i, i) for i in range(300))
                                         + HEAD),
    "a subject of 9000 octets": message(head=FROM + b"Subject: " + b"\r\n ".join([b"word " * 12] * 150) + b"\r\n"),
    "500 recipients in To": message(head=FROM + b"To: " + b",\r\n ".join(b"a%d@example.net" % i
                                                                        for i in range(500)) + b"\r\n"),
    "a signature of somebody else": message(head=b"DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=x;\r\n"
                                            b" h=from; bh=AAAA; b=BBBB\r\n" + FROM),
    "a broken signature": message(head=b"DKIM-Signature: nothing\r\n" + FROM),
    "a semicolon and an equals sign": message(head=FROM + b"Subject: v=1; b=; h=\r\n"),
}

SUBJECT = b"Subject: the quarter in figures\r\n and what follows from it\r\n"

# What is done to the signed message, and whether it may still verify.
CHANGES = {
    "a line more in the body": (lambda m: m + b"more\r\n", False),
    "another word in the body": (lambda m: m.replace(b"Hello", b"Hallo"), False),
    "a From in front": (lambda m: b"From: ceo@contoso.com\r\n" + m, False),
    "a From at the end": (lambda m: m.replace(b"\r\n\r\n", b"\r\nFrom: ceo@contoso.com\r\n\r\n", 1), False),
    "a Subject in front": (lambda m: b"Subject: other\r\n" + m, False),
    "a Reply-To, where none was": (lambda m: b"Reply-To: x@evil.example\r\n" + m, False),
    "a Cc, where none was": (lambda m: b"Cc: x@evil.example\r\n" + m, False),
    "a Content-Transfer-Encoding, where none was": (lambda m: b"Content-Transfer-Encoding: base64\r\n" + m, False),
    "a second Content-Type": (lambda m: b"Content-Type: text/html\r\n" + m, False),
    "another Date": (lambda m: m.replace(b"Date: Mon, 2 Nov", b"Date: Mon, 9 Nov"), False),
    # Not noticed, so that MTAs may add what is missing: see `oversigned`.
    "a second Date": (lambda m: b"Date: Mon, 9 Nov 2026 10:00:00 +0000\r\n" + m, True),
    "another From": (lambda m: m.replace(b"crm@contoso.com", b"ceo@contoso.com"), False),
    "no Subject": (lambda m: m.replace(SUBJECT, b""), False),
    "the Subject folded elsewhere": (lambda m: m.replace(
        SUBJECT, b"Subject: the quarter\r\n in figures and\r\n\twhat follows from it\r\n"), True),
    "an X- field more": (lambda m: b"X-Seen: yes\r\n" + m, True),
    "an X- field less": (lambda m: m.replace(b"X-Mailer: crm\r\n", b""), True),
    "a Received more": (lambda m: b"Received: from relay by hop; Mon, 2 Nov 2026 10:00:01 +0000\r\n" + m, True),
    "empty lines at the end": (lambda m: m + b"\r\n\r\n", True),
}


def tags(value):
    return dict((t.split(b"=", 1)[0], t.split(b"=", 1)[1])
                for t in re.sub(rb"\s+", b"", value).split(b";") if t)


def shapes(signer):
    for name, text in SHAPES.items():
        for value in signer.sign(text):
            t = tags(value)
            check(signer.verify(value, text), "%s: %s does not verify" % (name, t[b"a"].decode()))
            check(b"l" not in t, name + ": has l=")
            check(t[b"h"].lower().split(b":").count(b"from") == 2, name + ": From not oversigned")
            check(t[b"d"] == b"contoso.com" and t[b"c"] == b"relaxed/relaxed", name + ": d= or c=")


def borders(signer):
    for body in (b"a b\r\n \r\nc\td \r\n\r\n", b"no end", b"\r\n\r\nx\r\n\r\n", b"x\r"):
        text = message(body, FROM)
        for first in range(1, len(body) + 1):
            for step in (1, 2, 3, 65535):
                for value in signer.sign(text, first, step):
                    check(signer.verify(value, text), "%r cut at %d, then by %d" % (body, first, step))
    text = SHAPES["many short lines"]
    for step in (1, 7, 65535):
        for value in signer.sign(text, 1, step):
            check(signer.verify(value, text), "many short lines by %d" % step)


def changes(signer):
    text = SHAPES["plain"]
    for value in signer.sign(text):
        for name, (change, holds) in CHANGES.items():
            changed = change(text)
            check(changed != text, name + ": changes nothing")
            check(signer.verify(value, changed) == holds,
                  "%s: %s" % (name, "breaks the signature" if holds else "is not noticed"))


def main():
    folder = tempfile.mkdtemp(prefix="postern-shapes-")
    try:
        signer = Signer(folder)
        shapes(signer)
        borders(signer)
        changes(signer)
        check(signer.close() == 0, "sign_message ends with an error")
    finally:
        shutil.rmtree(folder)
    print("%d shapes, %d changes, %d checks, %d failed" % (len(SHAPES), len(CHANGES), checked, failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
