#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reloads: what is kept when a file is broken, that posternd and postern check
say it in the same words, that no message is lost or judged by two policies
while they change under load, and that no signal is lost.
usage: test_reload.py BUILD-WITH-SANITIZERS BUILD-WITH-CRASH-POINTS [RELOADS]"""

import collections
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

SANITIZED, PLAIN = (os.path.abspath(p) for p in sys.argv[1:3])
RELOADS = int(sys.argv[3]) if len(sys.argv) > 3 else 200
SESSIONS = 32
# How much larger the process may be after the reloads than after the first of them.
GROWTH_KIB = 24 * 1024
DOMAINS = 5000
failed = 0
RELAYS = []


def check(what, good, detail=""):
    global failed
    if not good:
        failed += 1
        print("FAILED: %s %s" % (what, detail))
    return good


# Two policies that differ at every stage of a message.
POLICY = """
listen: unix:{folder}/milter.sock
database: sqlite:{folder}/postern.db
audit: {{durability: process}}
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
signing:
  contoso.com:
    - selector: {name}
      key: {name}.pem
apps:
  - name: load
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [{name}@contoso.com, both@contoso.com]
    max-recipients: {recipients}
    max-size: {size}
    limits: [10000000 {unit}/day]
"""
FACTS = {
    "a": {"recipients": 2, "size": "2K", "unit": "messages"},
    "b": {"recipients": 3, "size": "8K", "unit": "recipients"},
}
BROKEN = POLICY + "modus: enforce\n"


class Relay:
    """posternd in a folder of its own, under policy a or b."""

    def __init__(self, build, domains=1, **environment):
        self.folder = tempfile.mkdtemp(prefix="postern-reload-")
        self.build = build
        self.records = {}
        for name in "ab":
            self.make_key(name)
        self.write("accepted.txt", "contoso.com\n" + "".join("d%d.example\n" % i for i in range(1, domains)))
        self.put("a")
        self.socket = self.folder + "/milter.sock"
        self.database = self.folder + "/postern.db"
        self.daemon = pt.Posternd(build + "/posternd", self.folder + "/postern.yaml", self.socket,
                                  self.folder + "/log", environment)
        RELAYS.append(self)

    def make_key(self, name):
        _, record = pt.make_key(self.folder, name + ".new")
        self.records[("%s._domainkey.contoso.com." % name).encode()] = record
        os.rename("%s/%s.new" % (self.folder, name), "%s/%s.pem" % (self.folder, name))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, age_days=None):
        """Puts a file in its place at once, as an editor should."""
        with open(self.path(name + ".new"), "w") as f:
            f.write(text)
        os.chmod(self.path(name + ".new"), 0o600)
        if age_days is not None:
            # An hour more, so that it stays this age while the test runs.
            t = time.time() - age_days * 86400 - (3600 if age_days > 0 else -3600)
            os.utime(self.path(name + ".new"), (t, t))
        os.rename(self.path(name + ".new"), self.path(name))

    def put(self, name, text=POLICY):
        self.write("postern.yaml", text.format(folder=self.folder, name=name, **FACTS[name]))

    def start(self):
        self.daemon.start()
        return self

    def ends(self):
        """How each reload so far ended: (digest in force, broken since or "")."""
        found = re.findall(r"reload: (?:policy (\w+) of \S+ is in force|\S+ has errors since (\S+); the old policy "
                           r"stays in force: (\w+),)", self.daemon.log())
        return [(good or kept, since) for good, since, kept in found]

    def reload(self):
        """One reload, and how it ended."""
        n = len(self.ends())
        self.daemon.reload()
        pt.wait_for(lambda: len(self.ends()) > n, 30, "the reload")
        return self.ends()[-1]

    def count(self, pattern):
        return len(re.findall(pattern, self.daemon.log()))

    def send(self, sender="both"):
        s = Session(self.socket)
        try:
            return s.whole(sender, 1000)
        finally:
            s.close()

    def rows(self, query, parameters=()):
        return pt.audit(self.database, query, parameters)

    def policy_of(self, outcome):
        return self.rows("SELECT policy FROM messages WHERE id = ?", (outcome.id,))[0]["policy"]

    def end(self):
        status = self.daemon.stop()
        check("posternd ends well", status == 0, "status %s\n%s" % (status, self.daemon.log()[-3000:]))
        self.clear()

    def clear(self):
        if self in RELAYS:
            RELAYS.remove(self)
        if self.daemon.process and self.daemon.process.poll() is None:
            self.daemon.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Outcome:
    """What became of one message: where it ended, its id, and what could be seen of the policy."""

    def __init__(self, sender, size):
        self.sender, self.size = sender, size
        self.verdict, self.stage, self.said, self.id = "accept", "", "", ""
        self.taken, self.selectors, self.edits = 0, [], []
        self.raw = b""

    def signed(self):
        """The message as the MTA would send it on."""
        top = b""
        for name, value in self.edits:
            top = name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n" + top
        return top + self.raw


class Session(pt.MilterClient):
    """A milter session whose messages can stop for a while between two steps."""

    def __init__(self, path, client="10.1.2.3"):
        super().__init__(path)
        self.socket.settimeout(60)
        self.open(client)

    def steps(self, sender, size, recipients=3):
        """A message, one step at a time; yields the name of the step behind it, and at last the outcome."""
        o = Outcome(sender, size)
        o.raw = ("From: %s@contoso.com\r\nSubject: x\r\n\r\n" % sender).encode()
        o.raw += (b"x" * 70 + b"\r\n") * (size // 72)
        header, _, body = o.raw.partition(b"\r\n\r\n")
        self.packet(b"M", b"<%s@contoso.com>\0" % sender.encode())
        if not self._goes_on(o, "mail"):
            yield o
            return
        yield "mail"
        for i in range(recipients):
            self.packet(b"R", b"<r%d@example.net>\0" % i)
            o.taken += self._goes_on(o, "rcpt")
            yield "rcpt"
        for field in header.split(b"\r\n"):
            name, _, value = field.partition(b":")
            self.packet(b"L", name + b"\0" + value + b"\0")
        self.packet(b"N")
        yield "header"
        half = len(body) // 2
        self.packet(b"B", body[:half])
        yield "body"
        self.packet(b"B", body[half:])
        self.packet(b"E")
        self._end(o)
        yield o

    def _goes_on(self, o, stage):
        kind, data = self.answer()
        if kind == b"c":
            return True
        o.said = data.rstrip(b"\0").decode()
        if stage == "mail":
            self._refused(o, kind, data, stage)
        return False

    def _refused(self, o, kind, data, stage):
        o.verdict, o.stage = self._verdict(kind, data), stage
        o.said = self.said
        found = re.search(r"\(id (\w+)\)", o.said)
        o.id = found.group(1) if found else ""

    def _end(self, o):
        while True:
            kind, data = self.answer()
            if kind == b"i":
                name, value = data[4:].rstrip(b"\0").split(b"\0")
                o.edits.append((name, value))
                if name == b"X-Postern-Id":
                    o.id = value.strip().decode()
                else:
                    o.selectors += re.findall(r"\bs=(\w+);", value.decode())
            elif kind == b"c":
                return
            elif kind != b"p":
                return self._refused(o, kind, data, "eom")

    def whole(self, sender, size):
        for step in self.steps(sender, size):
            pass
        return step


# What is wrong is said in the same words by both.

SAID = re.compile(r"^(?:posternd: (error: )?)?(/.*: (error|warning): .*)$")


def problem_lines(text):
    """The lines about files; an error must be logged as one."""
    lines = []
    for line in text.splitlines():
        found = SAID.match(line)
        if found:
            lines.append(found.group(2))
            if line.startswith("posternd: "):
                check("logged as what it is", bool(found.group(1)) == (found.group(3) == "error"), line)
    return lines


def checked(relay):
    done = subprocess.run([relay.build + "/postern", "check", "-c", relay.path("postern.yaml")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def break_policy(r):
    r.put("a", POLICY.replace("connector", "conector") + "include: [more.yaml, none.yaml]\nmodus: x\n")
    r.write("more.yaml", "apps:\n  - name: load\n    tenant: nobody\n    senders: [x]\n    method: acs\n")


def break_list(r):
    r.write("accepted.txt", "contoso.com\nwww..example\nno domain\n")


def break_keys(r):
    """Every kind of broken key, lists too old and from the future, and warnings of the policy."""
    r.put("a", POLICY.replace("accepted.txt", "[accepted.txt, old.txt, ahead.json]").replace(
        "key: a.pem", "key: a.pem\n".replace("a.pem", "{name}.pem")) + """  - name: hidden
    tenant: contoso
    clients: [10.1.2.3]
    method: acs
    senders: [x@contoso.com]
""")
    text = open(r.path("postern.yaml")).read()
    keys = ["missing", "garbage", "short", "public", "small", "world"]
    text = text.replace("signing:\n", "signing:\n  nowhere.example:\n    - {selector: s0, key: b.pem}\n  old.example:\n"
                        + "".join("    - {selector: s%d, key: %s.pem}\n" % (i, k) for i, k in enumerate(keys)))
    r.write("postern.yaml", text)
    r.write("old.txt", "old.example\n", age_days=45)
    r.write("ahead.json", '[{"Id": "new.example", "IsVerified": true}, {"Id": "not.example", "IsVerified": false}]',
            age_days=-3)
    r.write("garbage.pem", "\x1b[2J no key \xe9\n")
    r.write("public.pem", subprocess.run(["openssl", "pkey", "-in", r.path("b.pem"), "-pubout"],
                                         stdout=subprocess.PIPE, text=True).stdout)
    for name, bits in (("short", 512), ("small", 1024), ("world", 2048)):
        subprocess.run(["openssl", "genrsa", "-out", r.path(name + ".pem"), str(bits)], stderr=subprocess.DEVNULL)
        os.chmod(r.path(name + ".pem"), 0o600)
    os.chmod(r.path("world.pem"), 0o644)


def same_words():
    sets = {"policy": (break_policy, False, 5), "list": (break_list, False, 2), "keys": (break_keys, True, 10)}
    for name, (spoil, runs, least) in sets.items():
        r = Relay(SANITIZED).start()
        spoil(r)
        status, said = checked(r)
        lines = problem_lines(said)
        check("check finds errors in the %s" % name, status == 1 and len(lines) >= least,
              "status %d, %d lines:\n%s" % (status, len(lines), said))
        before = len(r.daemon.log())
        r.reload()
        logged = problem_lines(r.daemon.log()[before:])
        check("%s: the same lines in check and at a reload" % name, lines == logged,
              "\n%s\n--\n%s" % ("\n".join(lines), "\n".join(logged)))
        r.daemon.stop()
        before = len(r.daemon.log())
        try:
            r.start()
            check("%s: does not start" % name, runs)
        except RuntimeError:
            check("%s: starts" % name, not runs, r.daemon.log()[before:])
        logged = problem_lines(r.daemon.log()[before:])
        check("%s: the same lines in check and at a start" % name, lines == logged,
              "\n%s\n--\n%s" % ("\n".join(lines), "\n".join(logged)))
        if runs:
            days = re.findall(r"old.txt: 1 accepted domains of contoso, (\d+) days old", said)
            check("check shows the age of a list", days == ["45"], said)
        r.clear()


# What a reload keeps.

def signed_by(relay, outcome, records=None):
    found = pt.signatures(outcome.signed(), records or relay.records)
    return [selector for _, selector, good in found if good]


def keeps_policy():
    r = Relay(SANITIZED).start()
    digest = r.policy_of(r.send("a"))
    ends = []
    for spoil in (lambda: r.put("b", BROKEN), lambda: r.write("postern.yaml", ""), lambda: os.unlink(r.path("postern.yaml")),
                  lambda: (r.put("b"), os.unlink(r.path("accepted.txt"))), lambda: r.write("accepted.txt", "")):
        spoil()
        ends.append(r.reload())
        o = r.send("a")
        check("the policy in force stays", o.verdict == "accept" and r.policy_of(o) == digest, o.said)
        time.sleep(1.1)  # the times said are in seconds
    check("one time since when it is broken", len({e for e in ends}) == 1 and ends[0][1], repr(ends))
    r.write("accepted.txt", "contoso.com\n")
    end = r.reload()
    check("a good file is taken", end[0] != digest and end[1] == "" and r.send("b").verdict == "accept", repr(end))
    r.put("a", BROKEN)
    end = r.reload()
    check("broken again is a new time", end[1] > ends[0][1], repr((end, ends[0])))
    r.put("a", POLICY.replace("milter.sock", "other.sock").replace("postern.db", "other.db").replace("process", "power"))
    r.reload()
    for what in ("listen", "database", "durability"):
        check("that %s takes a restart is said" % what, r.count("error: reload: %s changed.* takes a restart" % what) == 1)
    r.end()


def keeps_keys():
    r = Relay(SANITIZED)
    _, record = pt.make_key(r.folder, "shop.pem")
    records = dict(r.records)
    records[b"shop._domainkey.fabrikam.com."] = record
    r.write("accepted.txt", "contoso.com\nfabrikam.com\n")
    shop = POLICY.replace("signing:\n", "signing:\n  fabrikam.com: [{{selector: shop, key: shop.pem}}]\n") + """  - name: shop
    tenant: contoso
    clients: [10.1.2.4]
    method: connector
    senders: [shop@fabrikam.com]
"""
    r.put("a", shop)
    r.start()

    def send_shop():
        c = pt.MilterClient(r.socket)
        c.open("10.1.2.4")
        verdict, _ = c.message("shop@fabrikam.com", ["x@example.net"], b"From: shop@fabrikam.com\r\n\r\nx\r\n")
        c.close()
        return verdict

    check("signed with its key", signed_by(r, r.send()) == ["a"])
    ends = 0
    for spoil in (lambda: r.write("a.pem", "no key"), lambda: os.unlink(r.path("a.pem")),
                  lambda: shutil.copyfile(r.path("b.pem"), r.path("a.pem")) and os.chmod(r.path("a.pem"), 0o644)):
        spoil()
        r.reload()
        ends += 1
        check("signed with the key loaded before", signed_by(r, r.send()) == ["a"])
        since = re.findall(r"error: kept the key loaded before: a._domainkey.contoso.com .* since (\S+Z)", r.daemon.log())
        check("the kept key is said", len(since) == ends and len(set(since)) == 1, repr(since))
        time.sleep(1.1)
    r.make_key("a")
    r.reload()
    old = dict(records)
    check("another valid key is taken", signed_by(r, r.send()) == ["a"] and signed_by(r, r.send(), old) == [])
    check("and nothing is kept any more", r.count("kept the key loaded before") == ends)
    r.write("a.pem", "no key")
    r.daemon.stop()
    r.start()
    o = r.send()
    check("a start keeps nothing", o.verdict == "tempfail" and "[signing-unavailable]" in o.said, o.said)
    check("the other app is not stopped", send_shop() == "accept")
    r.make_key("a")
    r.reload()
    check("a key mended is taken without a start", signed_by(r, r.send()) == ["a"])
    r.end()


# No message under two policies.

def expected(name, o):
    """(stage at which it is refused or "", recipients taken) for a message under policy a or b."""
    if o.sender not in (name, "both"):
        return "mail", 0
    taken = min(3, FACTS[name]["recipients"])
    return ("eom" if o.size > int(FACTS[name]["size"][0]) * 1024 else ""), taken


def judge(name, o):
    """Whether all that was seen of the message is policy `name`'s."""
    stage, taken = expected(name, o)
    return (o.stage, o.taken) == (stage, taken) and o.verdict == ("reject" if stage else "accept") and \
        o.selectors == ([] if stage else [name])


def in_flight():
    """Every stage: begun under one policy, the other comes, ended under the one it began with."""
    r = Relay(SANITIZED).start()
    digests = {"a": r.policy_of(r.send("a"))}
    now, other = "a", "b"
    for stop_at in ("mail", "rcpt", "header", "body"):
        for _ in range(2):
            s = Session(r.socket)
            r.put(other)
            outcomes = []
            waited = False
            for step in s.steps("both", 1000):
                if step == stop_at and not waited:
                    digest, _ = r.reload()
                    digests.setdefault(other, digest)
                    waited = True
                if isinstance(step, Outcome):
                    outcomes.append(step)
            o = outcomes[0]
            check("%s after %s stays %s" % (other, stop_at, now), judge(now, o) and r.policy_of(o) == digests[now],
                  repr(vars(o)))
            o = s.whole(other, 1000)
            check("the next message of the session is %s" % other, judge(other, o) and r.policy_of(o) == digests[other],
                  repr(vars(o)))
            s.close()
            now, other = other, now
    r.end()


class Load:
    """Milter sessions that send messages of all kinds until told to stop. Every fourth stops in each message
    until a reload has passed."""

    def __init__(self, relay, sessions):
        self.relay, self.stop, self.generation = relay, False, 0
        self.passed = threading.Condition()
        self.outcomes, self.errors, self.straddled = [], [], 0
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(sessions)]
        for t in self.threads:
            t.start()

    def reloaded(self):
        with self.passed:
            self.generation += 1
            self.passed.notify_all()

    def wait_for_reload(self):
        with self.passed:
            before = self.generation
            self.passed.wait_for(lambda: self.generation > before or self.stop, 20)
            self.straddled += self.generation > before

    def run(self, number):
        chance = random.Random(number)
        try:
            while not self.stop:
                s = Session(self.relay.socket)
                for _ in range(chance.randint(1, 20)):
                    if self.stop:
                        break
                    self.message(s, chance, number % 4 == 0)
                s.close()
        except Exception as e:
            self.errors.append("session %d: %r" % (number, e))

    def message(self, s, chance, waits):
        at = chance.randint(1, 6) if waits else 0
        for n, step in enumerate(s.steps(chance.choice(["a", "b", "both", "both"]), chance.choice([500, 1000, 4000]))):
            if n + 1 == at and not isinstance(step, Outcome):
                self.wait_for_reload()
        self.outcomes.append(step)

    def end(self):
        self.stop = True
        self.reloaded()
        for t in self.threads:
            t.join(90)
            if t.is_alive():
                self.errors.append("a session hangs")


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def change(r, i, now):
    """One change of the files and a reload; the policy that must be in force then, and what is to be mended."""
    if i % 5 == 3:  # a broken file
        r.put("b" if now == "a" else "a", BROKEN)
        return now, None
    if i % 5 == 4:  # the key of the policy in force is gone, or is no key
        os.rename(r.path(now + ".pem"), r.path(now + ".aside"))
        if i % 2:
            r.write(now + ".pem", "no key\n")
        r.put(now)
        return now, now
    now = "b" if now == "a" else "a"
    r.put(now)
    return now, None


def many_reloads(r, load, n, warm):
    now, digests, rss = "a", {}, 0
    for i in range(n):
        now, spoiled = change(r, i, now)
        digest, _ = r.reload()
        check("reload %d leaves policy %s" % (i, now), digests.setdefault(now, digest) == digest)
        if spoiled:
            os.rename(r.path(spoiled + ".aside"), r.path(spoiled + ".pem"))
        load.reloaded()
        if i == warm:
            rss = rss_kib(r.daemon.process.pid)
    return {d: n for n, d in digests.items()}, rss


def check_outcomes(r, outcomes, names):
    """Each reply against the audit row of its message."""
    rows = {m["id"]: m for m in r.rows("SELECT id, verdict, reason, policy, recipients FROM messages")}
    selectors, charges = ({m["message_id"]: m["x"] for m in r.rows("SELECT message_id, %s x FROM %s" % q)}
                          for q in (("selector", "signatures"), ("name", "charges WHERE name LIKE 'load/%'")))
    wrong, seen = [], collections.Counter()
    for o in outcomes:
        row = rows.get(o.id)
        if o.stage == "mail":
            seen["sender-not-allowed"] += 1
            good = "[sender-not-allowed]" in o.said and o.sender != "both"
        elif row is None:
            good = False
        else:
            name = names.get(row["policy"], "?")
            good = name in FACTS and judge(name, o) and row["verdict"] == o.verdict
            if good and o.verdict == "accept":
                good = row["recipients"] == o.taken and selectors[o.id] == name and \
                    charges[o.id] == "load/%s-per-day" % FACTS[name]["unit"]
            seen[(name, o.verdict)] += 1
            seen["message-too-large"] += o.stage == "eom"
        if not good:
            wrong.append((vars(o), row))
    check("every message is right under one policy", not wrong, "%d of %d, such as %r" % (
        len(wrong), len(outcomes), [({k: v for k, v in o.items() if k not in ("raw", "edits")}, row)
                                    for o, row in wrong[:3]]))
    accepted = [o.id for o in outcomes if o.verdict == "accept"]
    check("every accepted message has a row of its own", len(set(accepted)) == len(accepted) ==
          sum(m["verdict"] == "accept" for m in rows.values()))
    counted = {m["reason"]: m["n"] for m in r.rows("SELECT reason, sum(count) n FROM refusals GROUP BY reason")}
    for reason in ("sender-not-allowed", "message-too-large"):
        check("every refusal is counted", counted.get(reason, 0) == seen[reason],
              "%s: %s of %d" % (reason, counted.get(reason), seen[reason]))
    for name in FACTS:
        check("messages were accepted under both policies", seen[(name, "accept")] > 0, repr(seen))
    check("messages were refused under one", seen["message-too-large"] > 0 and seen["sender-not-allowed"] > 0)


def under_load(build, reloads, domains, bound, **environment):
    r = Relay(build, domains, **environment).start()
    load = Load(r, SESSIONS)
    try:
        names, before = many_reloads(r, load, reloads, reloads // 5)
        after = rss_kib(r.daemon.process.pid)
    finally:
        load.end()
    check("no session failed", not load.errors, repr(load.errors[:3]))
    check("messages were in flight at reloads", load.straddled >= min(reloads, 20), str(load.straddled))
    status = r.daemon.stop()
    log = r.daemon.log()
    check("posternd ends well", status == 0, "status %s\n%s" % (status, log[-3000:]))
    check_outcomes(r, load.outcomes, names)
    check("none fails with cannot-decide", "cannot-decide" not in log and
          not any("cannot-decide" in o.said for o in load.outcomes))
    check("keys were kept", log.count("kept the key loaded before") >= reloads // 5 - 1)
    print("  %d reloads, %d messages, %d of them over a reload, RSS %d KiB, then %d KiB" % (
        reloads, len(load.outcomes), load.straddled, before, after))
    if bound:
        check("the process does not grow", after - before < bound, "from %d to %d KiB" % (before, after))
    r.clear()


def load_plain():
    under_load(PLAIN, RELOADS, DOMAINS, GROWTH_KIB)


def load_sanitized():
    # RSA only: libopendkim loses memory with each Ed25519 signature.
    under_load(SANITIZED, max(RELOADS // 5, 10), 50, None, ASAN_OPTIONS="detect_leaks=1", LSAN_OPTIONS="")


# No signal is lost.

def blocks_usr1(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"SigBlk:\s+(\w+)", f.read()).group(1), 16) >> (signal.SIGUSR1 - 1) & 1


def before_the_socket():
    r = Relay(PLAIN, 60000)
    done = False
    for _ in range(5):
        r.put("a")
        with open(r.path("log"), "wb") as log:
            p = r.daemon.process = subprocess.Popen([PLAIN + "/posternd", "-f", "-c", r.path("postern.yaml")],
                                                    stdout=log, stderr=log)
        while p.poll() is None and not blocks_usr1(p.pid) and not os.path.exists(r.socket):
            pass
        early = not os.path.exists(r.socket)
        r.put("b")
        r.daemon.reload()
        pt.wait_for(lambda: p.poll() is not None or r.ends(), 30, "the reload")
        check("SIGUSR1 before the socket is open", p.poll() is None and r.send("b").verdict == "accept",
              "status %s\n%s" % (p.poll(), r.daemon.log()))
        r.daemon.stop()
        done = done or early
    check("the socket was not yet open", done)
    r.clear()


def in_progress(r, old):
    """SIGUSR1, and a reload that has read the files and is not yet in force."""
    n = r.count("old.txt was last changed")
    r.daemon.reload()
    pt.wait_for(lambda: r.count("old.txt was last changed") > n, 30, "the reload to begin")
    return len(r.ends()) == old


AGED = POLICY.replace("accepted.txt", "[accepted.txt, old.txt]")


def slow(fault="slow-reload"):
    r = Relay(PLAIN, POSTERN_FAULT=fault)
    r.write("old.txt", "old.example\n", age_days=50)
    r.put("a", AGED)
    return r.start()


def succession():
    r = slow()
    for now, last in (("b", "a"), ("a", "b"), ("b", "a")):
        before = len(r.ends())
        r.put(now, AGED)
        check("a reload is under way", in_progress(r, before))
        r.put(last, AGED)
        for _ in range(20):
            r.daemon.reload()
        pt.wait_for(lambda: len(r.ends()) >= before + 2, 30, "the second reload")
        check("the last file is in force", r.send(last).verdict == "accept")
    r.end()
    # As fast as they come, with mail under way.
    r = Relay(PLAIN).start()
    load = Load(r, 4)
    for i in range(300):
        r.put("ab"[i % 2])
        r.daemon.reload()
    r.put("b")
    digest, _ = r.reload()
    load.end()
    o = r.send("b")
    check("the last of many is in force", o.verdict == "accept" and r.policy_of(o) == digest, o.said)
    check("no session failed", not load.errors, repr(load.errors[:3]))
    check("none fails", not any(o.verdict == "tempfail" for o in load.outcomes))
    r.end()


def hurry(r):
    """libmilter looks whether it is to stop when somebody connects, else every five seconds."""
    while r.daemon.process.poll() is None:
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(r.socket)
        except OSError:
            return
        time.sleep(0.02)


def finish(steps, answers):
    try:
        answers.append(next(steps))
    except (OSError, ConnectionError):
        pass


def stop_during_reload():
    """Twice it ends as fast as it can, twice not before the reload."""
    for fault in ("slow-reload", "slow-reload,slow-stop"):
        stop_twice(slow(fault))


def stop_twice(r):
    for n in (1, 2):
        before = len(r.ends())
        load = Load(r, 4)
        held = Session(r.socket)
        steps = held.steps("both", 1000)
        while next(steps) != "body":
            pass
        r.put("b", AGED)
        under_way = in_progress(r, before)
        answers = []
        last = threading.Thread(target=finish, args=(steps, answers), daemon=True)
        last.start()
        r.daemon.process.send_signal(signal.SIGTERM)
        load.stop = True
        hurry(r)
        status = r.daemon.stop()
        load.end()
        last.join(60)
        check("a reload was under way", under_way)
        check("stops in the middle of a reload", status == 0 and r.count("posternd: stopped\n") == n,
              "status %s\n%s" % (status, r.daemon.log()[-500:]))
        check("the socket is gone", not os.path.exists(r.socket))
        r.put("a", AGED)
        r.start()
        rows = {m["id"] for m in r.rows("SELECT id FROM messages WHERE verdict = 'accept'")}
        told = [o.id for o in load.outcomes + answers if o.verdict == "accept"]
        check("what was accepted has its row", set(told) <= rows, "%d of %d" % (len(rows & set(told)), len(told)))
        check("the message under way is accepted or the MTA is hung up on", not last.is_alive() and
              all(o.verdict == "accept" for o in answers), repr([o.said for o in answers]))
        check("starts again", r.send("a").verdict == "accept")
    r.end()


def once_a_day():
    """Days of one second."""
    r = Relay(PLAIN, POSTERN_FAULT="short-day")
    r.write("old.txt", "old.example\n", age_days=50)
    r.put("a", AGED)
    r.start()
    pt.wait_for(lambda: r.count(r"old.txt was last changed 50 days ago") >= 3, what="the list to be warned of daily")
    check("what is not broken is not said to be", r.count("kept the key|has errors") == 0)
    check("once a day is not all the time", r.count("old.txt was last changed") < 30)
    os.unlink(r.path("a.pem"))
    r.reload()
    r.put("b", BROKEN)
    r.reload()
    words = ("old.txt was last changed", "error: kept the key loaded before", "error: reload: .* has errors since")
    n = [r.count(w) for w in words]

    def again():
        r.daemon.process.send_signal(signal.SIGUSR2)  # signals do not put the day off
        return all(r.count(w) >= before + 2 for w, before in zip(words, n))
    pt.wait_for(again, what="all to be said daily")
    r.end()


def main():
    for t in (same_words, keeps_policy, keeps_keys, in_flight, before_the_socket, succession, stop_during_reload,
              once_a_day, load_plain, load_sanitized):
        before, began = failed, time.monotonic()
        try:
            t()
        except Exception as e:
            check(t.__name__, False, repr(e))
        while RELAYS:
            RELAYS[0].clear()
        print("%-20s %s, %d s" % (t.__name__, "good" if failed == before else "FAILED", time.monotonic() - began),
              flush=True)
    print("%d failed" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
