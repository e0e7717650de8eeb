#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Four posternd on one PostgreSQL server, hammered, while the server is killed,
restarted and stopped from answering: no limit is exceeded by one, no message is
accepted without its row, none is recorded twice, and mail flows again by itself.
usage: test_relays.py BUILD-FOLDER"""

import collections
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402
import postgres  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(sys.argv[1])
RELAYS, SESSIONS = 4, 6
POLICY = """
listen: unix:{folder}/milter.sock
database: {url}
relay: {name}
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
apps:
  - name: tight
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [tight@contoso.com]
    limits: [{limit} messages/day, {limit} external-recipients/7 days per sender]
  - name: tighter
    tenant: contoso
    clients: [10.1.2.5]
    method: connector
    senders: [tighter@contoso.com]
    limits: [{limit} messages/day, {limit} external-recipients/7 days per sender]
  - name: wide
    tenant: contoso
    clients: [10.1.2.4]
    method: connector
    senders: [wide@contoso.com]
    limits: [1000000 messages/day per recipient]
"""
failures = 0


def check(what, good, detail=""):
    global failures
    print("%-8s %s%s" % ("good" if good else "FAILED", what, " (%s)" % detail if detail else ""), flush=True)
    failures += not good


class Relay:
    def __init__(self, work, name, url, limit):
        self.folder = os.path.join(work, name)
        os.makedirs(self.folder)
        with open(self.folder + "/accepted.txt", "w") as f:
            f.write("contoso.com\n")
        with open(self.folder + "/postern.yaml", "w") as f:
            f.write(POLICY.format(folder=self.folder, url=url, name=name, limit=limit))
        self.socket = self.folder + "/milter.sock"
        self.daemon = pt.Posternd(BUILD + "/posternd", self.folder + "/postern.yaml", self.socket, self.folder + "/log")


class Hammer:
    """Sessions on all relays that send one message after the other until told to stop."""

    def __init__(self, relays, app, label):
        self.app, self.label, self.stopping = app, label, False
        self.answers = collections.Counter()
        self.accepted, self.slowest, self.trouble = [], 0.0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(relay, i * SESSIONS + k))
                        for i, relay in enumerate(relays) for k in range(SESSIONS)]
        for t in self.threads:
            t.start()

    def _run(self, relay, number):
        n = 0
        while not self.stopping:
            n += 1
            subject = "%s %d %d" % (self.label, number, n)
            raw = ("From: %s@contoso.com\r\nSubject: %s\r\n\r\nHello\r\n" % (self.app, subject)).encode()
            began = time.monotonic()
            try:
                c = pt.MilterClient(relay.socket)
                c.socket.settimeout(120)
                c.open({"tight": "10.1.2.3", "wide": "10.1.2.4", "tighter": "10.1.2.5"}[self.app])
                verdict, _ = c.message(self.app + "@contoso.com", ["bob%d@example.net" % (number % 3)], raw)
                said = c.said
                c.close()
            except (OSError, ConnectionError) as error:
                self.trouble.append(repr(error))
                return
            with self.lock:
                self.slowest = max(self.slowest, time.monotonic() - began)
                if verdict == "accept":
                    self.accepted.append(subject)
                    self.answers["accept"] += 1
                else:
                    self.answers[said.split("]")[0].split("[")[-1].split(":")[0]] += 1
            if verdict != "accept":
                time.sleep(0.02)

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()
        if self.trouble:
            check("no session breaks off", False, "%d: %s" % (len(self.trouble), self.trouble[0]))


def rows(server, database, label):
    text = server.sql("SELECT subject FROM messages WHERE verdict = 'accept' AND subject LIKE '%s %%'" % label, database)
    return text.split("\n") if text else []


def compare(what, server, database, hammer, limit=None):
    recorded, accepted = rows(server, database, hammer.label), hammer.accepted
    missing = set(accepted) - set(recorded)
    extra = len(recorded) - len(accepted)
    check(what + ": accepted messages have their rows", not missing, "%d accepted, %d rows, %s" %
          (len(accepted), len(recorded), dict(hammer.answers)))
    check(what + ": none is recorded twice", len(set(recorded)) == len(recorded))
    # A row without a message: written, and then the daemon could not learn of it in time. It is charged.
    check(what + ": few rows without a message", extra <= RELAYS * SESSIONS * 4, extra)
    if limit is not None:
        check(what + ": the limit", len(recorded) <= limit, "%d of %d" % (len(recorded), limit))


def used(server, database, scope, key=None):
    return int(server.sql("SELECT coalesce(sum(used), 0) FROM limit_use JOIN limits ON id = limit_id WHERE scope = '%s'%s"
                          % (scope, " AND key = '%s'" % key if key is not None else ""), database))


def exactly(server, database, relays, limit):
    h = Hammer(relays, "tight", "exact")
    pt.wait_for(lambda: h.answers["limit"] > 100, 60, "the limit")
    h.stop()
    compare("undisturbed", server, database, h, limit)
    check("undisturbed: all of the limit is granted", len(h.accepted) == limit, len(h.accepted))


def disturbed(server, database, relays, limit):
    h = Hammer(relays, "tighter", "kill")
    for i in range(4):
        pt.wait_for(lambda: h.answers["accept"] >= limit // 6 * (i + 1), 60, "messages")
        server.kill()
        time.sleep(0.5 + 0.7 * i)
        server.start()
    pt.wait_for(lambda: h.answers["limit"] > 100, 60, "the limit")
    h.stop()
    compare("server killed 4 times", server, database, h, limit)
    check("server killed 4 times: it was noticed", h.answers["cannot-decide"] > 0, dict(h.answers))
    check("server killed 4 times: charged what is recorded",
          used(server, database, "app:tighter", "") == len(rows(server, database, "kill")))


def silent(server, database, relays):
    h = Hammer(relays, "wide", "silent")
    pt.wait_for(lambda: h.answers["accept"] > 200, 60, "messages")
    server.pause()
    time.sleep(13)
    server.resume()
    before = h.answers["accept"]
    pt.wait_for(lambda: h.answers["accept"] > before + 200, 60, "messages again")
    h.stop()
    compare("server silent for 13 s", server, database, h)
    check("server silent for 13 s: bounded waits", h.slowest < 45, "%.1f s at most" % h.slowest)


def restarted(server, database, relays):
    """Relays die as well; what they accepted is there, and the others go on."""
    h = Hammer(relays[1:], "wide", "others")
    pt.wait_for(lambda: h.answers["accept"] > 100, 60, "messages")
    relays[0].daemon.kill()
    server.kill()
    server.start()
    relays[0].daemon.start()
    before = h.answers["accept"]
    pt.wait_for(lambda: h.answers["accept"] > before + 100, 60, "messages again")
    h.stop()
    compare("a relay and the server killed", server, database, h)


def as_role(server, database, name):
    return server.tcp_url(database).replace("//postern:", "//%s:" % name)


def postern(*words):
    done = subprocess.run([BUILD + "/postern", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def denied(server, database, name, statement):
    try:
        server.sql("SET ROLE %s; %s" % (name, statement), database)
    except RuntimeError as error:
        return "permission denied" in str(error) or "must be owner" in str(error)
    return False


FOLLOWED = """listen: unix:/tmp/none.sock
database: %s
relay: mail1
tenants:
  contoso: {accepted-domains: accepted.txt, connector-auth: ip, next-hop: mx.example}
apps:
  - {name: crm, tenant: contoso, clients: [10.1.2.3], method: connector, senders: [crm@contoso.com]}
"""


def follow(server, database):
    """The follower has rights of its own, and needs no others."""
    server.sql("CREATE ROLE fred LOGIN PASSWORD '%s'; GRANT postern_follow TO fred" % server.PASSWORD, database)
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/accepted.txt", "w") as f:
            f.write("contoso.com\n")
        with open(folder + "/postern.yaml", "w") as f:
            f.write(FOLLOWED % as_role(server, database, "fred"))
        os.chmod(folder + "/postern.yaml", 0o600)
        for n in (1, 2):
            with open(folder + "/mail.log", "a") as f:
                f.write("2026-11-24T10:00:00.5+00:00 x postfix/smtp[1]: 4F9D195432C: to=<bob@example.net>, relay=mx.example[192.0.2.1]:25, "
                        "delay=1, delays=1/0/0/0, dsn=4.7.500, status=deferred (host mx.example[192.0.2.1] said: 451 4.7.500 x)\n")
            code, said = postern("follow", "-c", folder + "/postern.yaml", "--log", folder + "/mail.log", "--once")
            check("the follower writes with its role", code == 0 and said == "", said)
    found = server.sql("SELECT relay, recipient, attempts, next_hop_of FROM deliveries", database)
    check("each line once", "mail1" in str(found) and "2" in str(found) and ",contoso," in str(found), str(found))
    check("it does not read the audit", denied(server, database, "fred", "SELECT * FROM messages"))
    check("nor write it", denied(server, database, "fred", "DELETE FROM refusals"))
    check("posternd does not write what became of mail", denied(server, database, "mail", "DELETE FROM deliveries"))
    check("a reader of the audit sees it", not denied(server, database, "eva", "SELECT * FROM mail_deliveries"))


def rights(server, database):
    """The tables are made by their owner; posternd and the readers may do what they must and no more."""
    for name in ("mail", "eva", "otto"):
        server.sql("CREATE ROLE %s LOGIN PASSWORD '%s'" % (name, server.PASSWORD))
    code, said = postern("migrate", "--database", as_role(server, database, "mail"))
    check("a role without rights makes no tables", code == 1 and "roles.sql" in said and "s3cret" not in said, said)
    code, said = postern("migrate", "--database", server.tcp_url(database))
    check("their owner does", code == 0, said)
    server.psql("-f", os.path.join(HERE, "..", "..", "sql", "postgres", "roles.sql"), database=database)
    server.psql("-f", os.path.join(HERE, "..", "..", "sql", "postgres", "roles.sql"), database=database)  # may be run again
    server.sql("GRANT postern_relay TO mail; GRANT postern_audit TO eva; GRANT postern_operator TO otto", database)
    check("posternd may not make tables", denied(server, database, "mail", "CREATE TABLE x (y INT)"))
    check("nor drop them", denied(server, database, "mail", "DROP TABLE messages"))
    check("nor say of which version they are", denied(server, database, "mail", "UPDATE schema_version SET version = 1"))
    check("a reader of the audit may not write it", denied(server, database, "eva", "DELETE FROM messages"))
    check("nor ask for anything", denied(server, database, "eva", "INSERT INTO requests (id) VALUES ('x')"))
    check("an operator may ask", not denied(server, database, "otto", "BEGIN; INSERT INTO requests (id) VALUES ('x'); ROLLBACK"))
    check("but not change the audit", denied(server, database, "otto", "UPDATE messages SET verdict = 'accept'"))
    code, said = postern("export", "--database", as_role(server, database, "eva"), "--format", "jsonl")
    check("a reader can read", code == 0, said)
    server.sql("CREATE TABLE later (n INT); CREATE VIEW looked AS SELECT n FROM later", database)
    check("and what a later migration makes", not denied(server, database, "eva", "SELECT * FROM looked, later"))
    check("but not write it", denied(server, database, "eva", "INSERT INTO later VALUES (1)"))
    check("as posternd may", not denied(server, database, "mail", "INSERT INTO later VALUES (1)"))
    server.sql("DROP VIEW looked; DROP TABLE later", database)
    follow(server, database)


def main():
    if postgres.binaries() is None:
        print("SKIP: no PostgreSQL server is installed (Debian: postgresql)")
        return 1 if os.environ.get("CI") == "true" else 77
    limit = 1200
    work = tempfile.mkdtemp(prefix="postern-relays-")
    with postgres.Postgres() as server:
        database = server.fresh()
        rights(server, database)
        relays = [Relay(work, "relay%d" % i, as_role(server, database, "mail"), limit) for i in range(RELAYS)]
        try:
            starters = [threading.Thread(target=r.daemon.start) for r in relays]  # the tables are made by one of them
            for t in starters:
                t.start()
            for t in starters:
                t.join()
            exactly(server, database, relays, limit)
            disturbed(server, database, relays, limit)
            silent(server, database, relays)
            restarted(server, database, relays)
            names = server.sql("SELECT string_agg(relay, ' ' ORDER BY relay) FROM relays", database)
            check("each relay is known by its name", names == " ".join("relay%d" % i for i in range(RELAYS)), names)
            logs = "".join(r.daemon.log() for r in relays)
            check("no password in any log", server.PASSWORD not in logs and "s3cret" not in logs)
            check("the fault is said, and that it is over", "the store cannot write" in logs and "the store writes again" in logs)
        finally:
            for r in relays:
                if r.daemon.process is not None:
                    check(r.folder[-6:] + " ends well", r.daemon.stop() == 0)
    if failures == 0:
        shutil.rmtree(work)
    else:
        print("see " + work)
    print("%d failed" % failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
