#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Two posternd that share a PostgreSQL database, while the server is killed, falls
silent or cannot be reached, under load: what database-away says becomes of the
mail; every message that was accepted has exactly one row at the end, also when
posternd is killed while it reports; limits are as they are stated.
usage: test_away.py BUILD-FOLDER [BUILD-FOLDER-WITH-CRASH-POINTS]"""

import collections
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402
import postgres  # noqa: E402

BUILD = os.path.abspath(sys.argv[1])
CRASH = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
RELAYS = 2
TIGHT, HOLD = 60, 20  # messages a day: of the app "tight", then deferred; of "held", then held
POLICY = """
listen: unix:{folder}/milter.sock
database: {url}
relay: {name}
{away}
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
signing:
  contoso.com:
    - selector: s1
      key: key.pem
apps:
  - {{name: wide, tenant: contoso, clients: [10.1.2.1], method: connector, senders: [wide@contoso.com],
     limits: [1000000 messages/day per recipient]}}
  - {{name: tight, tenant: contoso, clients: [10.1.2.2], method: connector, senders: [tight@contoso.com],
     limits: [{tight} messages/day then reject]}}
  - {{name: held, tenant: contoso, clients: [10.1.2.3], method: connector, senders: [held@contoso.com],
     limits: [{hold} messages/day then hold]}}
  - {{name: lenient, tenant: contoso, clients: [10.1.2.4], method: connector, senders: [lenient@contoso.com],
     on-failure: accept, sign: required}}
"""
SHARE = """database-away: local-share
relays: %d
local-database: sqlite:{folder}/local.db""" % RELAYS
CLIENTS = {"wide": "10.1.2.1", "tight": "10.1.2.2", "held": "10.1.2.3", "lenient": "10.1.2.4"}
failures = 0
begun = []  # relays and hammers, for give_up()


def check(what, good, detail=""):
    global failures
    detail = str(detail) if not good or len(str(detail)) < 120 else ""
    print("%-8s %s%s" % ("good" if good else "FAILED", what, " (%s)" % detail if detail else ""), flush=True)
    failures += not good


class Proxy:
    """Between posternd and the server; cut() is a network that refuses."""

    def __init__(self, to):
        self.to, self.pairs, self.lock = to, [], threading.Lock()
        self.port = pt.free_port()
        self.listener = None
        self.open()

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(32)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to), 5)
            except OSError:
                if listener.fileno() < 0:
                    return
                near.close()
                continue
            far.settimeout(None)
            with self.lock:
                self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    @staticmethod
    def _copy(a, b):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        # shutdown() wakes accept(), which close() alone would not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for near, far in pairs:
            for s in (near, far):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Relay:
    def __init__(self, work, name, url, away="", program=None):
        self.folder = os.path.join(work, name)
        os.makedirs(self.folder, exist_ok=True)
        with open(self.folder + "/accepted.txt", "w") as f:
            f.write("contoso.com\n")
        if not os.path.exists(self.folder + "/key.pem"):
            pt.make_key(self.folder, "key.pem")
        self.write(name, url, away)
        self.name, self.socket, self.local = name, self.folder + "/milter.sock", self.folder + "/local.db"
        begun.append(self)
        self.daemon = pt.Posternd((program or BUILD) + "/posternd", self.folder + "/postern.yaml", self.socket,
                                  self.folder + "/log")

    def write(self, name, url, away):
        with open(self.folder + "/postern.yaml", "w") as f:
            f.write(POLICY.format(folder=self.folder, url=url, name=name, away=away.format(folder=self.folder),
                                  tight=TIGHT, hold=HOLD))

    def send(self, app, subject="hello", recipients=("bob@example.net",), sender=None):
        """One message; verdict, what was said, its edits."""
        c = pt.MilterClient(self.socket)
        try:
            c.socket.settimeout(120)
            c.open(CLIENTS[app])
            address = sender or app + "@contoso.com"
            raw = ("From: %s\r\nSubject: %s\r\n\r\nHello\r\n" % (address, subject)).encode()
            verdict, edits = c.message(address, list(recipients), raw)
            return verdict, c.said, edits
        finally:
            c.close()

    def local_rows(self, query):
        db = sqlite3.connect("file:%s?mode=ro" % self.local, uri=True, timeout=30)
        try:
            return db.execute(query).fetchone()[0]
        finally:
            db.close()

    def left(self):
        """Rows of the local file that are not reported."""
        tables = ("messages", "recipients", "signatures", "charges", "rule_matches", "policy_rules", "refusals", "held",
                  "held_charges", "acts", "events", "share_charges", "share_refusals")
        return self.local_rows("SELECT " + " + ".join("(SELECT count(*) FROM %s)" % t for t in tables))

    def refused(self):
        return self.local_rows("SELECT coalesce(sum(count), 0) FROM refusals")

    def log(self):
        return self.daemon.log()

    def give_up(self):
        if self.daemon.process is not None:
            self.daemon.kill()


class Hammer:
    """Sessions that send one message after the other until told to stop: how many of each app,
    and how long each rests in between."""
    REST = {"wide": 0.004, "tight": 0.05, "held": 0.05, "refused": 0.05}

    def __init__(self, relays, label, plan):
        self.label, self.stopping = label, False
        self.answers = collections.Counter()   # app, verdict
        self.accepted = collections.defaultdict(list)  # app: subjects
        self.passed = collections.Counter()    # relay: messages of "wide" that were accepted
        self.slowest, self.broken, self.refused = 0.0, 0, 0
        self.lock = threading.Lock()
        begun.append(self)
        self.threads = [threading.Thread(target=self._run, args=(relay, app, k), daemon=True)
                        for relay in relays for app, n in plan.items() for k in range(n)]
        for t in self.threads:
            t.start()

    def _send(self, relay, app, subject):
        if app == "refused":
            return relay.send("wide", subject, sender="other@contoso.com")[0]
        return relay.send(app, subject)[0]

    def _note(self, relay, app, verdict, subject, seconds):
        with self.lock:
            self.slowest = max(self.slowest, seconds)
            self.answers[app, verdict] += 1
            self.refused += (app, verdict) == ("refused", "reject")
            self.passed[relay.name] += (app, verdict) == ("wide", "accept")
            if verdict == "accept":
                self.accepted[app].append(subject)

    def _run(self, relay, app, k):
        n = 0
        while not self.stopping:
            n += 1
            subject = "%s %s %s-%d %d" % (self.label, app, relay.name, k, n)
            began = time.monotonic()
            try:
                self._note(relay, app, self._send(relay, app, subject), subject, time.monotonic() - began)
            except OSError:
                self.broken += 1
            time.sleep(self.REST[app])

    def flows(self, relays, n, seconds=60):
        """Waits until each relay passed n more messages; how long that took."""
        began, before = time.monotonic(), dict(self.passed)
        pt.wait_for(lambda: all(self.passed[r.name] >= before.get(r.name, 0) + n for r in relays), seconds,
                    "%d messages of each relay" % n)
        return time.monotonic() - began

    def give_up(self):
        self.stopping = True

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()


def rows(server, database, label, app):
    text = server.sql("SELECT subject FROM messages WHERE verdict IN ('accept', 'hold') AND subject LIKE '%s %s %%'" %
                      (label, app), database)
    return text.split("\n") if text else []


def one_row_each(what, server, database, h):
    for app, accepted in sorted(h.accepted.items()):
        recorded = rows(server, database, h.label, app)
        check("%s: %s: each message that was accepted has exactly one row" % (what, app), sorted(accepted) == sorted(recorded),
              "%d accepted, %d rows, %d missing" % (len(accepted), len(recorded), len(set(accepted) - set(recorded))))


def number(server, database, query):
    return int(server.sql(query, database))


def used(server, database, scope):
    return number(server, database, "SELECT coalesce(sum(used), 0) FROM limit_use JOIN limits ON id = limit_id"
                  " WHERE scope = '%s'" % scope)


def refusals(server, database):
    return number(server, database, "SELECT coalesce(sum(count), 0) FROM refusals WHERE reason = 'sender-not-allowed'")


def reported(relays, seconds=120):
    pt.wait_for(lambda: all(r.left() == 0 for r in relays), seconds, "the reports")


def mends(relay, app="wide", seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if relay.send(app)[0] == "accept":
            return True
        time.sleep(0.2)
    return False


def ends_well(relays):
    """All at once, for libmilter takes up to five seconds."""
    for r in relays:
        r.daemon.process.terminate()
    for r in relays:
        check(r.name + " ends well", r.daemon.process.wait(60) == 0)


def kill(server, proxy):
    server.kill()
    return server.start


def silence(server, proxy):
    server.pause()
    return server.resume


def cut(server, proxy):
    proxy.cut()
    return proxy.open


def share(server, work):
    """The server is killed, falls silent, cannot be reached: mail flows on, by shares."""
    database = server.fresh()
    proxy = Proxy(server.port)
    url = server.tcp_url(database).replace(":%d/" % server.port, ":%d/" % proxy.port)
    relays = [Relay(work, "share%d" % i, url, SHARE) for i in range(RELAYS)]
    for r in relays:
        r.daemon.start()
    h = Hammer(relays, "share", {"wide": 2, "tight": 1, "held": 1, "refused": 1})
    pt.wait_for(lambda: h.answers["tight", "reject"] > 0, 60, "a limit that is reached")
    for fault in (kill, silence, cut):
        h.flows(relays, 100)
        began = time.monotonic()
        mend = fault(server, proxy)
        pt.wait_for(lambda: all(r.local_rows("SELECT count(*) FROM messages") > 0 for r in relays), 60, "shares")
        after = time.monotonic() - began
        took = h.flows(relays, 200)
        if fault is kill:
            pt.wait_for(lambda: h.answers["tight", "tempfail"] > 0, 60, "a share that is used up")
        check("%s: mail flows on, by shares" % fault.__name__, True, "after %.1f s; 200 of each relay in %.1f s" %
              (after, took))
        mend()
        # New mail goes to the database at once, and what the file has is reported beside it.
        reported(relays)
    h.stop()
    reported(relays)
    check("mail waited for bounded times", h.slowest < 30, "%.1f s at most" % h.slowest)
    check("nothing is refused or deferred but by a limit", h.answers["wide", "tempfail"] + h.answers["wide", "reject"] == 0 and
          h.broken == 0, dict(h.answers))
    one_row_each("shares", server, database, h)
    bound = TIGHT + RELAYS * (TIGHT // RELAYS)
    n = len(h.accepted["tight"])
    check("shares: no more than the limit and the shares together", TIGHT < n <= bound,
          "%d of %d, at most %d" % (n, TIGHT, bound))
    check("shares: the database counts all of it", used(server, database, "app:tight") == n)
    n = number(server, database, "SELECT count(*) FROM held JOIN messages ON held.message_id = id WHERE held.app = 'held'"
               " AND held.state = 'waiting' AND held.relay LIKE 'share%'")
    m = number(server, database, "SELECT count(*) FROM messages WHERE verdict = 'hold'")
    check("shares: all held mail waits in the database", n == m > 0, "%d of %d" % (n, m))
    n = number(server, database, "SELECT count(*) FROM messages WHERE trace LIKE '%this relay''s share of each limit%'")
    check("shares: the trace says what was granted so", n > 0, n)
    logs = "".join(r.log() for r in relays)
    check("shares: it is said", "this relay grants its share of each limit, one of 2" in logs and
          re.search(r"what was granted while the database was away is reported: \d+ messages", logs) is not None)
    check("no password in any log", server.PASSWORD not in logs and "s3cret" not in logs)
    ends_well(relays)
    # Counted once a second; the last ones when it ends.
    n = refusals(server, database)
    check("shares: each refusal is counted once", n == h.refused, "%d of %d" % (n, h.refused))
    proxy.cut()


def kill_while_it_reports(r):
    """Kills posternd in the middle of its report and starts it again; whether it was."""
    before = r.left()
    end = time.monotonic() + 60
    while before > 0 and time.monotonic() < end and not 0 < r.left() < before:
        if r.left() == 0:
            return False
        time.sleep(0.005)
    r.daemon.kill()
    was = 0 < r.left() < before
    r.daemon.start()
    return was


def killed_while_reporting(server, work):
    """posternd is killed again and again while it reports; and at the worst moment, where points are built in."""
    database = server.fresh()
    relays = [Relay(work, "die%d" % i, server.tcp_url(database), SHARE) for i in range(RELAYS)]
    for r in relays:
        r.daemon.start()
    check("reporting: before", all(mends(r) for r in relays))
    server.stop("immediate")
    h = Hammer(relays, "die", {"wide": 3, "held": 1, "refused": 1})
    h.flows(relays, 600, 120)
    h.stop()
    pt.wait_for(lambda: sum(r.refused() for r in relays) == h.refused, 30, "the refusals")
    server.start()
    kills = sum(kill_while_it_reports(r) for _ in range(3) for r in relays)
    check("reporting: it was killed while it reported", kills >= 2, kills)
    reported(relays)
    one_row_each("killed while reporting", server, database, h)
    n = refusals(server, database)
    check("killed while reporting: each refusal is counted once", n == h.refused, "%d of %d" % (n, h.refused))
    total = number(server, database, "SELECT count(*) FROM charges WHERE charged = 1 AND name LIKE 'wide/%'")
    check("killed while reporting: each message is charged once", used(server, database, "app:wide") == total,
          "%d, %d" % (used(server, database, "app:wide"), total))
    for r in relays:
        r.daemon.kill()
    if CRASH is not None:
        killed_between(server, work, database, h.refused, total)


def killed_between(server, work, database, n_refused, n_charged):
    """The same at the moment when the database has it and the file still has it, too."""
    r = Relay(work, "die0", server.tcp_url(database), SHARE, CRASH)
    server.stop("immediate")
    r.daemon.start()
    sent = [r.send("wide", "point %d" % i)[0] for i in range(70)]
    r.send("wide", sender="other@contoso.com")
    pt.wait_for(lambda: r.refused() == 1, 30, "the refusal")
    r.daemon.kill()
    server.start()
    deaths = 0
    for n in [1] + 20 * [2]:  # each step is done twice
        r.daemon.environment["POSTERN_CRASH"] = "reported-there:%d" % n
        r.daemon.start(may_die=True)
        pt.wait_for(lambda: r.daemon.process.poll() is not None or r.left() == 0, 60, "its death")
        if r.daemon.process.poll() is None:
            break
        deaths += 1
    r.daemon.kill()
    check("killed between the two transactions, at each step", deaths >= 5, deaths)
    del r.daemon.environment["POSTERN_CRASH"]
    r.daemon.start()
    reported([r])
    n = number(server, database, "SELECT count(*) FROM messages WHERE subject LIKE 'point %'")
    check("killed between the two: one row each", sent.count("accept") == 70 == n, n)
    check("killed between the two: charged once", used(server, database, "app:wide") == n_charged + 70)
    n = refusals(server, database)
    check("killed between the two: the refusal is counted once", n == n_refused + 1, "%d of %d" % (n, n_refused + 1))
    ends_well([r])


def reporting_in_the_way(server, work):
    """What mail that comes in while a backlog is reported waits longer."""
    database = server.fresh()
    r = Relay(work, "way", server.tcp_url(database), SHARE)
    r.daemon.start()
    check("backlog: before", mends(r))

    def times(n):
        taken = []
        for _ in range(n):
            began = time.monotonic()
            if r.send("lenient")[0] == "accept":
                taken.append(time.monotonic() - began)
        return sorted(taken)
    plain = times(40)
    server.stop("immediate")
    h = Hammer([r], "way", {"wide": 4})
    h.flows([r], 1500, 120)
    h.stop()
    left = r.local_rows("SELECT count(*) FROM messages")
    server.start()
    pt.wait_for(lambda: "the database is there again" in r.log(), 60, "the database")
    began = time.monotonic()
    busy = times(40)
    still = r.local_rows("SELECT count(*) FROM messages")
    taken = time.monotonic() - began
    reported([r])
    check("backlog: mail goes on beside it", len(busy) == 40 and busy[-1] < 5,
          "median %.1f ms instead of %.1f, longest %.0f ms instead of %.0f" %
          (busy[20] * 1000, plain[20] * 1000, busy[-1] * 1000, plain[-1] * 1000))
    check("backlog: it was reported meanwhile", still < left, "%d of %d messages left after %.1f s, all gone after %.1f s" %
          (still, left, taken, time.monotonic() - began))
    ends_well([r])


def broken_file(server, work):
    """The relay's own file is damaged: said while the database is there; and then mail waits."""
    database = server.fresh()
    r = Relay(work, "broken", server.tcp_url(database), SHARE)
    r.daemon.start()
    check("file: before", mends(r))
    r.daemon.stop()
    with open(r.local, "r+b") as f:
        f.seek(0)
        f.write(os.urandom(os.path.getsize(r.local)))
    for tail in ("-wal", "-shm"):
        if os.path.exists(r.local + tail):
            os.unlink(r.local + tail)
    r.daemon.start()
    pt.wait_for(lambda: "the local database cannot be written" in r.log(), 60, "the log")
    check("file: the database is enough", mends(r))
    server.stop("immediate")
    answers = [r.send("lenient") for _ in range(3)]
    check("file: without both mail waits, whatever on-failure says",
          all(a[1].startswith("451 4.3.0 [cannot-decide]") for a in answers), answers[0][:2])
    os.unlink(r.local)
    check("file: a new one is used as soon as it can be", mends(r, "lenient"))
    server.start()
    reported([r])
    ends_well([r])


def other_choices(server, work):
    """tempfail and accept, which go before on-failure; and none of them."""
    database = server.fresh()
    url = server.tcp_url(database)
    r = Relay(work, "choice", url, "database-away: tempfail")
    r.daemon.start()
    check("tempfail: before", mends(r))
    server.stop("immediate")
    answers = [r.send(app)[1] for app in ("wide", "lenient")]
    check("tempfail: goes before on-failure: accept", all(a.startswith("451 4.3.0 [cannot-decide]") for a in answers), answers)
    r.write("choice", url, "database-away: accept")
    r.daemon.reload()
    pt.wait_for(lambda: r.log().count("is in force") == 1, seconds=60, what="the reload")
    verdict, said, edits = r.send("wide", "unrecorded", ["a@example.net", "b@example.net"])
    check("accept: passes after a reload", verdict == "accept", said)
    ids = [data.split(b"\0") for kind, data in edits if b"X-Postern-Id" in data]
    names = [data for kind, data in edits if b"DKIM-Signature" in data]
    check("accept: it is signed and has its id", len(ids) == 1 and len(names) == 1)
    audit_id = ids[0][1].decode().strip() if ids else "?"
    log = r.log()
    check("accept: the log has all there is to know of it",
          "%s accepted unrecorded and uncharged (database-away: accept)" % audit_id in log and
          re.search(r"%s verdict=accept .*app=wide .*sender=wide@contoso.com .*recipients=2" % audit_id, log) is not None and
          "%s unrecorded rcpt=a@example.net rcpt=b@example.net" % audit_id in log, log[-900:])
    verdict, said, _ = r.send("wide", sender="other@contoso.com")
    check("accept: what is refused stays refused", verdict == "reject", said)
    for _ in range(4):
        r.send("held", "unrecorded")
    server.start()
    pt.wait_for(lambda: "the store writes again" in r.log() and "accepted unrecorded and uncharged from" in r.log(), 60,
                "the store")
    check("accept: goes on by itself", mends(r))
    log = r.log()
    n = log.count("accepted unrecorded and uncharged (")
    check("accept: they are counted", n == 5 and "5 messages were accepted unrecorded and uncharged from" in log, n)
    n = server.sql("SELECT who || ' ' || amount || ' ' || (until >= time) FROM acts WHERE what = 'unrecorded'", database)
    check("accept: they are counted in the database", n == "choice 5 true", n)
    r.write("choice", url, "")
    r.daemon.reload()
    pt.wait_for(lambda: r.log().count("is in force") == 2, seconds=60, what="the reload")
    server.stop("immediate")
    check("without it on-failure holds", r.send("wide")[0] == "tempfail" and r.send("lenient")[0] == "accept")
    server.start()
    ends_well([r])


STARTS = {"none": "", "tempfail": "database-away: tempfail", "accept": "database-away: accept", "local-share": SHARE}


def starts_alone(server, work):
    """posternd starts before its database, and finds it."""
    databases = [server.fresh() for _ in STARTS]
    server.stop("immediate")
    relays = {name: Relay(work, "alone-" + name, server.tcp_url(d), away) for (name, away), d in zip(STARTS.items(), databases)}
    for name, r in relays.items():
        began = time.monotonic()
        r.daemon.start()
        check("start, %s: without the server" % name, True, "%.1f s" % (time.monotonic() - began))
        check("start, %s: it is said" % name, "the database server cannot be reached" in r.log())
    check("start, none: lenient mail passes", relays["none"].send("lenient", "early")[0] == "accept")
    for name in ("accept", "local-share"):
        check("start, %s: mail passes" % name, relays[name].send("wide", "early")[0] == "accept")
    for name in ("none", "tempfail"):
        check("start, %s: other mail waits" % name, relays[name].send("wide")[1].startswith("451 4.3.0 [cannot-decide]"))
    server.start()
    for name, r in relays.items():
        check("start, %s: goes on by itself" % name, mends(r))
    reported([relays["local-share"]])
    n = number(server, databases[-1], "SELECT count(*) FROM messages WHERE subject = 'early'")
    check("start, local-share: what passed before is reported", n == 1, n)
    ends_well(relays.values())


def is_told_at_once(server, work):
    """What will not mend by itself is an error at the start."""
    database, newer = server.fresh(), server.fresh()
    server.sql("CREATE TABLE schema_version (one BIGINT PRIMARY KEY, version BIGINT); GRANT ALL ON schema_version TO postern;"
               "INSERT INTO schema_version VALUES (1, 99)", newer)
    for what, url, words in (
            ("wrong password", server.tcp_url(database, password="wrong"), "refuses the login"),
            ("wrong database", server.tcp_url("nonesuch"), "there is no database of this name"),
            ("newer tables", server.tcp_url(newer), "written by a newer Postern")):
        r = Relay(work, "wrong-" + what.replace(" ", "-"), url, SHARE)
        try:
            r.daemon.start()
            check("start: %s is an error" % what, False)
            r.daemon.stop()
        except RuntimeError:
            check("start: %s is an error" % what, r.daemon.process.returncode == 1 and words in r.log(), r.log()[-300:])


def give_up(server):
    """Clears the way for the next part."""
    for one in begun:
        one.give_up()
    if server.is_running():
        server.resume()
    else:
        server.start()


def main():
    if postgres.binaries() is None:
        print("SKIP: no PostgreSQL server is installed (Debian: postgresql)")
        return 1 if os.environ.get("CI") == "true" else 77
    work = tempfile.mkdtemp(prefix="postern-away-")
    wanted = os.environ.get("AWAY", "").split()
    with postgres.Postgres() as server:
        for part in (share, killed_while_reporting, reporting_in_the_way, broken_file, other_choices,
                     starts_alone, is_told_at_once):
            if wanted and part.__name__ not in wanted:
                continue
            began = time.monotonic()
            try:
                part(server, work)
            except Exception as error:
                check(part.__name__, False, repr(error))
                give_up(server)
            print("-- %s: %.0f s" % (part.__name__, time.monotonic() - began), flush=True)
    if failures == 0:
        shutil.rmtree(work)
    else:
        print("see " + work)
    print("%d failed" % failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
