#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The database of a running posternd is locked, filled up, made unreadable,
replaced, removed and damaged. Each time: the reply is the configured one, the
log says it, what was accepted keeps its row, no limit is exceeded, and mail
flows again by itself when the cause is gone. usage: test_store_faults.py BUILD"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

BUILD = os.path.abspath(sys.argv[1])
POLICY = """
listen: unix:{folder}/milter.sock
database: sqlite:{folder}/db/postern.db
on-failure: {on_failure}
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
apps:
  - name: load
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [load@contoso.com]
    limits: [{limit}]
"""
failed = 0


def check(what, good, detail=""):
    global failed
    if not good:
        failed += 1
        print("FAILED: %s %s" % (what, detail))


RELAYS = []


class Relay:
    """posternd with its database in a folder of its own, on a small file system where `size` says so."""

    def __init__(self, limit="100000 messages/day", on_failure="tempfail", size=None):
        self.folder = tempfile.mkdtemp(prefix="postern-faults-")
        self.db = self.folder + "/db"
        os.makedirs(self.db)
        if size is not None:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", self.db], check=True)
        with open(self.folder + "/accepted.txt", "w") as f:
            f.write("contoso.com\n")
        with open(self.folder + "/postern.yaml", "w") as f:
            f.write(POLICY.format(folder=self.folder, limit=limit, on_failure=on_failure))
        self.path = self.db + "/postern.db"
        self.daemon = pt.Posternd(BUILD + "/posternd", self.folder + "/postern.yaml", self.folder + "/milter.sock",
                                  self.folder + "/log")
        self.n = 0
        RELAYS.append(self)
        self.daemon.start()

    def send(self, subject="hello"):
        """One message; its verdict, with the text of a refusal."""
        self.n += 1
        c = pt.MilterClient(self.folder + "/milter.sock")
        try:
            c.open("10.1.2.3")
            raw = ("From: load@contoso.com\r\nSubject: %s\r\n\r\nHello %d\r\n" % (subject, self.n)).encode()
            verdict, _ = c.message("load@contoso.com", ["x@example.net"], raw)
            return verdict + (": " + c.said if c.said else "")
        finally:
            c.close()

    def rows(self, path=None):
        return {r["id"] for r in pt.audit(path or self.path, "SELECT id FROM messages WHERE verdict = 'accept'")}

    def count(self, pattern):
        return len(re.findall(pattern, self.daemon.log()))

    def end(self):
        status = self.daemon.stop()
        check("posternd ends well", status == 0, "status %s\n%s" % (status, self.daemon.log()[-800:]))
        self.clear()

    def clear(self):
        RELAYS.remove(self)
        if self.daemon.process and self.daemon.process.poll() is None:
            self.daemon.kill()
        while os.path.ismount(self.db):
            subprocess.run(["umount", self.db], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def verdict(answer):
    return answer.split(":")[0]


def until_accepted(relay, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = relay.send()
        if verdict(answer) == "accept":
            return True
        time.sleep(0.2)
    return False


def starts(relay):
    try:
        relay.daemon.start()
        return True
    except RuntimeError:
        check("status 1 when it does not start", relay.daemon.process.returncode == 1)
        return False


def deferred(what, answer):
    check(what, answer.startswith("tempfail: 451 4.3.0 [cannot-decide]"), repr(answer))


def locked():
    r = Relay()
    check("before the lock", verdict(r.send()) == "accept")
    other = sqlite3.connect(r.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    deferred("locked by another process", r.send())
    other.execute("ROLLBACK")
    other.close()
    check("recovers from a lock", until_accepted(r))
    check("the lock is said", r.count("cannot write: the database is locked") == 1, r.daemon.log())
    check("its end is said", r.count("the store writes again") == 1)
    r.end()


def locked_accept():
    r = Relay(on_failure="accept")
    other = sqlite3.connect(r.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = r.send()
    check("on-failure accept takes it", verdict(answer) == "accept", repr(answer))
    check("and says so", r.count("accepted unrecorded and uncharged") == 1)
    other.execute("ROLLBACK")
    other.close()
    r.end()


def full():
    r = Relay(size="3m")
    filler = r.db + "/filler"
    accepted = 0
    check("before the disk is full", verdict(r.send()) == "accept")
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        pass
    os.close(fd)
    answer, ids = None, 0
    for _ in range(300):  # the log may have room left within its pages
        answer = r.send("s" * 500)
        if verdict(answer) != "accept":
            break
        accepted += 1
    deferred("full disk", answer)
    for _ in range(20):
        deferred("still full", r.send("s" * 500))
    check("the full disk is said once", r.count("cannot write: the disk is full") == 1, r.daemon.log()[-600:])
    ids = len(r.rows())
    check("what was accepted has its row", ids == accepted + 1, "%d rows, %d accepted" % (ids, accepted + 1))
    os.unlink(filler)
    check("recovers when there is room", until_accepted(r))
    r.end()


def read_only():
    r = Relay(size="4m")
    check("before read-only", verdict(r.send()) == "accept")
    before = len(r.rows())
    # A plain remount is refused while files are open for writing; a bind mount over it is not.
    subprocess.run(["mount", "--bind", r.db, r.db], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", r.db], check=True)
    r.daemon.stop()
    check("refuses to start on a read-only file system", not starts(r))
    check("and says what to do", r.count("cannot be written|Read-only file system") >= 1, r.daemon.log()[-600:])
    subprocess.run(["umount", r.db], check=True)
    r.daemon.start()
    check("starts when it can write", until_accepted(r))
    check("kept its rows", len(r.rows()) == before + 1)
    r.end()


def replaced():
    r = Relay(limit="5 messages/minute")
    for _ in range(3):
        check("before the file is replaced", verdict(r.send()) == "accept")
    ids = r.rows()
    time.sleep(1.5)  # the next slot of the window
    for name in ("postern.db", "postern.db-wal", "postern.db-shm"):
        if os.path.exists(r.db + "/" + name):
            os.rename(r.db + "/" + name, r.folder + "/aside-" + name)
    answers = [verdict(r.send()) for _ in range(4)]
    check("the limit of 5 holds over a replaced file", answers.count("accept") == 2, repr(answers))
    check("the replacement is said", r.count("moved or replaced") == 1, r.daemon.log())
    check("the old rows are in the old file", r.rows(r.folder + "/aside-postern.db") == ids)
    check("the new rows are in the new file", len(r.rows()) == 2)
    used = pt.audit(r.path, "SELECT used FROM limit_usage WHERE scope = 'app:load'")
    check("the new file holds all that was used", used and used[0]["used"] == 5, repr(used))
    r.daemon.stop()
    r.daemon.start()
    check("and after a restart too", verdict(r.send()) != "accept")
    r.end()


def folder_gone():
    r = Relay()
    check("before the folder is gone", verdict(r.send()) == "accept")
    os.rename(r.db, r.db + "-away")
    answer = r.send()
    deferred("no folder", answer)
    check("the missing folder is said", r.count("cannot write: the file cannot be opened") == 1, r.daemon.log())
    os.rename(r.db + "-away", r.db)
    check("recovers when it is back", until_accepted(r))
    check("with both rows in one file", len(r.rows()) == 2)
    r.end()


def damaged():
    r = Relay()
    for _ in range(50):
        r.send("s" * 400)
    r.daemon.stop()  # checkpoints
    size = os.path.getsize(r.path)
    with open(r.path, "r+b") as f:
        f.seek(8192)
        f.write(os.urandom(size - 8192))
    if starts(r):
        answers = [r.send() for _ in range(3)]
        check("nothing is accepted into a damaged database",
              all(verdict(a) != "accept" for a in answers), repr(answers))
    check("the damage is said", r.count("damaged|not those of Postern") >= 1, r.daemon.log()[-600:])
    if r.daemon.process.poll() is None:
        r.daemon.stop()
    os.unlink(r.path)
    r.daemon.start()
    check("starts with a new file", until_accepted(r))
    r.end()


def main():
    tests = [locked, locked_accept, full, read_only, replaced, folder_gone, damaged]
    if os.geteuid() != 0:
        print("not root: a full and a read-only file system are left out")
        tests = [t for t in tests if t not in (full, read_only)]
    for t in tests:
        before = failed
        try:
            t()
        except Exception as e:
            check(t.__name__, False, repr(e))
        while RELAYS:
            RELAYS[0].clear()
        print("%-14s %s" % (t.__name__, "good" if failed == before else "FAILED"))
    print("%d passed, %d failed" % (len(tests) - min(failed, len(tests)), failed))
    if os.geteuid() != 0 and not failed:
        return 77
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
