#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Sends every message of the corpus through a real Postfix and posternd (or
speaks the milter protocol where the row asks for it) and compares decision and
signing with what the row expects; asks postern explain the same questions;
then does it again with other names, addresses and order.

usage: run.py BUILD-FOLDER [--seed N] [--only ID]"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import explained  # noqa: E402
import posterntest as pt  # noqa: E402
import ruled  # noqa: E402
from explained import octets  # noqa: E402

POLICY = """
listen: unix:{socket}
database: sqlite:{database}
mode: {mode}
audit:
  durability: process
tenants:
  tenant1:
    accepted-domains: accepted.txt
    connector-auth: ip
    next-hop: {next_hop}
signing:
  {first}:
    - selector: postern1
      key: rsa.pem
    - selector: postern2
      key: ed25519.pem
  {second}:
    - selector: postern1
      key: rsa.pem
apps:
  - name: crm
    tenant: tenant1
    clients: [{crm_ip}]
    method: connector
    senders: ["crm@{first}", "*@{second}"]
{limits}
  - name: printer
    tenant: tenant1
    clients: [{printer_net}]
    method: direct-send
    senders: ["scanner@{first}"]
{rules}"""

NAMES = {"first": "contoso.com", "second": "fabrikam.com", "crm_ip": "10.1.2.3", "printer_net": "10.1.9.0/24"}
OTHER = [("contoso", "tailspin"), ("CONTOSO", "TAILSPIN"), ("Contoso", "Tailspin"), ("fabrikam.com", "woodgrove.net"),
         ("10.1.2.3", "172.20.4.9"), ("10.1.9.", "192.168.77."), ("example.net", "customer.example.org"),
         ("Hello", "Guten Tag")]


class Bench:
    """One posternd under one policy, behind one Postfix."""

    def __init__(self, build, folder, names, row, stand_in, mode):
        self.build, self.folder, self.names, self.stand_in = build, folder, names, stand_in
        run = os.path.join(folder, "run")
        os.makedirs(run)
        shutil.chown(run, group="postfix")
        os.chmod(run, 0o2750)
        self.socket = os.path.join(run, "milter.sock")
        self.database = os.path.join(folder, "postern.db")
        self.policy = os.path.join(folder, "postern.yaml")
        self.records = {}
        for selector, kind in (("postern1", "rsa"), ("postern2", "ed25519")):
            _, record = pt.make_key(folder, kind + ".pem", kind)
            for domain in (names["first"], names["second"]):
                self.records[("%s._domainkey.%s." % (selector, domain)).encode()] = record
        with open(os.path.join(folder, "accepted.txt"), "w") as f:
            f.write("%s\n%s\n" % (names["first"], names["second"]))
        limits = limits_of(row)
        with open(self.policy, "w") as f:
            f.write(POLICY.format(socket=self.socket, database=self.database, next_hop="mx.example", mode=mode,
                                  limits="    limits: [%s]" % limits if limits else "", rules=ruled.policy(row),
                                  **names))
        self.daemon = pt.Posternd(os.path.join(build, "posternd"), self.policy, self.socket,
                                  os.path.join(folder, "log")).start()
        self.postfix = pt.Postfix(os.path.join(folder, "postfix"), "unix:" + self.socket, stand_in.port).start()

    def stop(self):
        self.postfix.stop()
        return self.daemon.stop()

    def delivered(self, answers, action):
        """What the stand-in got of an accepted message, which a rule may have held or thrown away."""
        match = re.search(r"queued as (\S+)", answers["data"])
        if match is None:
            return None
        queue_id = match.group(1).encode()
        found = []
        if action == "discard":
            self.postfix.wait_empty()
            return None
        if action == "hold":
            self.postfix.release(match.group(1))

        def look():
            with self.stand_in.lock:
                found[:] = [m for m in self.stand_in.messages if b" id " + queue_id in m["raw"][:6000]
                            or b"\tby" in m["raw"][:9000] and queue_id in m["raw"].split(b"\r\n\r\n", 1)[0]]
            return found
        pt.wait_for(look, 30, "delivery of " + queue_id.decode())
        return found[0]["raw"]


def send_stream(client, stream, raw):
    """Says the whole stream at once, the message when a 354 appears."""
    answers = {"mail": "", "rcpt": [], "data": ""}
    head, _, inline = stream.partition("DATA\r\n")
    client.send(octets(stream))
    commands = (head + "DATA\r\n" if "DATA\r\n" in stream else head).split("\r\n")[:-1]
    for command in commands:
        reply = client.reply()
        verb = command.upper()
        if verb.startswith("MAIL"):
            answers = {"mail": reply, "rcpt": [], "data": ""}
        elif verb.startswith("RCPT"):
            answers["rcpt"].append(reply)
        elif verb == "DATA":
            if reply.startswith("354"):
                if not inline:
                    client.send(pt.stuff(octets(raw)))
                answers["data"] = client.reply()
            else:
                answers["data"] = answers["mail"] if answers["mail"][:1] != "2" else reply
    return answers


def send_bdat(client, row):
    answers = {"mail": client.command("MAIL FROM:<%s>" % row["envelope_from"]), "rcpt": [], "data": ""}
    for recipient in row["rcpts"]:
        answers["rcpt"].append(client.command("RCPT TO:<%s>" % recipient))
    raw = octets(row["raw_message"])
    client.send(b"BDAT %d LAST\r\n" % len(raw) + raw)
    answers["data"] = client.reply()
    return answers


def send_once(bench, row):
    client = pt.Client(bench.postfix.port)
    try:
        client.ehlo()
        client.pretend(row["client_ip"], row["auth_user"])
        if row["send"] == "stream":
            return send_stream(client, row["smtp_stream"], row["raw_message"])
        if row["send"] == "bdat":
            return send_bdat(client, row)
        return client.message(row["envelope_from"], row["rcpts"], octets(row["raw_message"]),
                              row.get("mail_params", ""))
    finally:
        client.close()


def send_many(bench, row):
    """Repeated and parallel rows: the answers of the last that was stopped."""
    times = row.get("parallel", 0)
    results = []
    if times:
        threads = [threading.Thread(target=lambda: results.append(send_once(bench, row))) for _ in range(times)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    else:
        results = [send_once(bench, row) for _ in range(row.get("repeat", 1))]
    accepted = sum(pt.outcome(r)[0] == "accept" for r in results)
    limit = int(re.match(r"\d+", row["rate_limit"]).group()) if "rate_limit" in row else None
    if limit is not None and "rcpt" not in row["rate_limit"] and accepted > limit:
        return {"mail": "999 %d accepted, the limit is %d" % (accepted, limit), "rcpt": [], "data": ""}
    stopped = [r for r in results if pt.outcome(r)[0] != "accept"]
    return (stopped or results)[-1]


def mutate(raw, change):
    data = octets(change.get("data", ""))
    if change["op"] == "append_body":
        return raw + data
    if change["op"] == "prepend_header":
        return data + raw
    if change["op"] == "refold_subject":
        return re.sub(rb"(?m)^Subject: (\S)", rb"Subject:\r\n  \1", raw, count=1)
    raise ValueError(change["op"])


def check_row(bench, row):
    """What is wrong, or None; and the answers."""
    want = row["expected"]
    if row.get("inject") == "milter":
        client = pt.MilterClient(bench.socket)
        client.open(row["client_ip"])
        got, edits = client.message(row["envelope_from"], row["rcpts"], octets(row["raw_message"]))
        client.close()
        signed = any(b"DKIM-Signature" in data for _, data in edits)
        answers, reply = None, got
    else:
        answers = send_many(bench, row)
        got, reply = pt.outcome(answers)
        raw = bench.delivered(answers, ruled.action(row)) if answers["data"].startswith("2") else None
        ours = [s for s in pt.signatures(raw, bench.records) if s[1].startswith("postern")] if raw else []
        if any(not good for _, _, good in ours):
            return "a signature does not verify: %r" % (ours,), answers
        signed = bool(ours)
        if raw and "post_sign_mutation" in row:
            changed = [s for s in pt.signatures(mutate(raw, row["post_sign_mutation"]), bench.records)
                       if s[1].startswith("postern")]
            good = bool(changed) and all(s[2] for s in changed)
            if good != (row["expected_verify"] == "pass"):
                return "after the mutation the signatures are %r" % (changed,), answers
    if got != want["decision"]:
        return "expected %s, got %s: %s" % (want["decision"], got, reply), answers
    if row["send"] == "stream" and not answers["data"] and got == "accept":
        return None, answers  # a stream that aborts all its messages sends none
    if signed != (want["dkim"] == "sign") and not (got == "tempfail"):
        return "expected %s, got signed=%s" % (want["dkim"], signed), answers
    return None, answers


def check_stream(bench, row):
    """Octets straight to the milter socket: the daemon stays, accepts nothing."""
    import socket
    before = pt.audit(bench.database, "SELECT count(*) AS n FROM messages WHERE verdict = 'accept'")[0]["n"]
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(0.3)
        s.connect(bench.socket)
        try:
            s.sendall(bytes.fromhex(row["milter_stream_hex"]))
            while s.recv(4096):
                pass
        except OSError:
            pass
    after = pt.audit(bench.database, "SELECT count(*) AS n FROM messages WHERE verdict = 'accept'")[0]["n"]
    if bench.daemon.process.poll() is not None:
        return "posternd died"
    return None if before == after else "an accepted message was recorded"


def limits_of(row):
    if "rate_limit" not in row:
        return ""
    count, unit = re.match(r"(\d+)( rcpt)?/h", row["rate_limit"]).groups()
    return "%s %s/hour" % (count, "recipients" if unit else "messages")


def other_names(row):
    """The same row with other names; None where a name is hidden in an encoding."""
    text = json.dumps(row)
    if "=?" in row["raw_message"] or "milter_stream_hex" in row or "gen" in row or "base64" in text:
        return None
    row = json.loads(text)
    for field in ("envelope_from", "raw_message", "smtp_stream", "client_ip", "rule"):
        for old, new in OTHER:
            if isinstance(row.get(field), str):
                row[field] = row[field].replace(old, new)
    for old, new in OTHER:
        row["rcpts"] = [r.replace(old, new) for r in row["rcpts"]]
    return row


class Run:
    def __init__(self, build, top):
        self.build, self.top, self.stand_in = build, top, pt.StandIn()
        self.passed, self.failed, self.count, self.simulated = 0, 0, 0, 0
        with open(os.path.join(HERE, "deviations.json")) as f:
            self.deviations = json.load(f)

    def note(self, row, what, wrong):
        listed = self.deviations.get(row["id"])
        if wrong is None or (listed and row["expected"]["strictness"] == "default" and what == "decision"):
            self.passed += 1
            if wrong is None and listed and what == "decision":
                print("note: %s is listed as a deviation and is none" % row["id"])
        else:
            self.failed += 1
            print("FAILED %s (%s, %s): %s\n   %s" % (row["id"], what, row["expected"]["strictness"], wrong,
                                                  row["expected"]["reason"]))

    def rows(self, rows, names, what, mode="enforce"):
        """what is done with each row, by a method of this class."""
        by_policy = {}
        for row in rows:
            by_policy.setdefault(row["id"] if "rate_limit" in row or "rule" in row else "", []).append(row)
        for group in by_policy.values():
            self.count += 1
            folder = os.path.join(self.top, "bench%d" % self.count)
            os.makedirs(folder)
            os.chmod(folder, 0o755)
            try:
                bench = Bench(self.build, folder, names, group[0], self.stand_in, mode)
            except Exception as e:  # a rule that is not understood, here or by posternd
                if "rule" not in group[0]:
                    raise
                self.note(group[0], "rule", "%s: %s" % (type(e).__name__, e))
                continue
            try:
                for row in group:
                    self.one(bench, row, what)
            finally:
                status = bench.stop()
                log = bench.daemon.log()
            self.simulate(bench)
            if status != 0 or "Sanitizer" in log or "runtime error" in log:
                self.failed += 1
                print("FAILED: posternd ended with %s\n%s" % (status, log[-3000:]))

    def simulate(self, bench):
        """All that the audit remembers, decided again under the same policy, comes out as it was."""
        done = subprocess.run([os.path.join(self.build, "postern"), "simulate", "--policy", bench.policy, "--json",
                               "--since", "1d"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            said = json.loads(done.stdout)
            wrong = None if said["messages"] == said["unchanged"] else json.dumps(said["changes"], indent=1)
            self.simulated += said["messages"]
        except ValueError:
            wrong = "status %d: %s" % (done.returncode, done.stdout.decode(errors="replace"))
        self.note({"id": "simulate", "expected": {"strictness": "must", "reason": "the policy is unchanged"}}, "simulate",
                  wrong)

    def one(self, bench, row, what):
        try:
            what(bench, row)
        except Exception as e:  # a row that cannot be run has failed
            self.note(row, "run", "%s: %s" % (type(e).__name__, e))

    def decide(self, bench, row):
        if row["send"] == "milter-stream":
            self.note(row, "protocol", check_stream(bench, row))
            return None
        wrong, answers = check_row(bench, row)
        self.note(row, "decision", wrong)
        return answers

    def decide_and_explain(self, bench, row):
        began_ms = int(time.time() * 1000)
        answers = self.decide(bench, row)
        if answers is not None and explained.can_explain(row):
            self.note(row, "explain", explained.check(bench, row, answers, began_ms))

    def explain(self, bench, row):
        self.note(row, "explain, monitored", explained.check(bench, row, send_once(bench, row), 0))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--only")
    options = parser.parse_args()
    with open(os.path.join(HERE, "messages.jsonl")) as f:
        rows = [json.loads(line) for line in f]
    mine = [r for r in rows if r["expected"]["layer"] == "milter"]
    if options.only:
        mine = [r for r in mine if r["id"].startswith(options.only)]
    top = tempfile.mkdtemp(prefix="postern-corpus-")
    os.chmod(top, 0o755)
    run = Run(os.path.abspath(options.build), top)
    try:
        run.rows(mine, NAMES, run.decide_and_explain)
        # Where nothing is stopped, every message leaves its trace in the audit.
        run.rows([r for r in mine if explained.can_explain(r)], NAMES, run.explain, "monitor")
        print("seed %d" % options.seed)
        changed = [m for m in (other_names(r) for r in mine if "repeat" not in r and len(r["rcpts"]) < 100)
                   if m is not None]
        random.Random(options.seed).shuffle(changed)
        run.rows(changed, {"first": "tailspin.com", "second": "woodgrove.net", "crm_ip": "172.20.4.9",
                           "printer_net": "192.168.77.0/24"}, run.decide)
    finally:
        run.stand_in.close()
        shutil.rmtree(top, ignore_errors=True)
    print("corpus: %d rows, %d of them with a rule, %d again with other names; the rest is the MTA's" % (
        len(mine), sum("rule" in r for r in mine), len(changed)))
    print("explain: %(verdict)d verdicts, %(refusal)d refusals, %(trace)d traces compared" % explained.compared)
    print("simulate: %d messages decided again as they were" % run.simulated)
    print("%d passed, %d failed" % (run.passed, run.failed))
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main())
