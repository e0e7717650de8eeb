#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Held mail through a real Postfix, in real time, while posternd, postern-unhold
and its child are killed: all of it is delivered, none twice, none over the pace,
nothing overtakes, apps that share a limit take turns, and the queue is empty in
the end.

The great run: a limit of 600 a minute is spent, then 500 come at once; the releaser
is started as contrib/systemd says, with the rights it gives. The small one, beside
it: 60 a minute, programs with crash points, and a releaser that is away for longer
than a grant lasts. Before both, the guide's page on held mail, command by command.
usage: test_hold.py BUILD BUILD-CRASH"""

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

USER = "nobody"  # whom posternd runs as
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
POLICY = """
listen: unix:{folder}/run/milter.sock
database: sqlite:{folder}/db/postern.db
tenants:
  contoso:
    accepted-domains: [contoso.txt]
    connector-auth: ip
    next-hop: mx.example
  fabrikam:
    accepted-domains: [fabrikam.txt]
    connector-auth: ip
    next-hop: mx.example
    limits: [{shared} messages/minute then hold]
apps:
  - name: batch
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [batch@contoso.com]
    limits: [{limit} messages/minute then hold]
  - name: left
    tenant: fabrikam
    clients: [10.1.2.4]
    method: connector
    senders: [left@fabrikam.com]
  - name: right
    tenant: fabrikam
    clients: [10.1.2.5]
    method: connector
    senders: [right@fabrikam.com]
"""
CLIENTS = {"batch": ("10.1.2.3", "batch@contoso.com"), "left": ("10.1.2.4", "left@fabrikam.com"),
           "right": ("10.1.2.5", "right@fabrikam.com")}


class Service:
    """A program that is started again whenever it ends, as systemd does."""

    def __init__(self, command, log, pause=0.3):
        self.command, self.log, self.pause, self.process = command, log, pause, None
        self.stopping, self.away_until, self.deaths = False, 0, []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        while not self.stopping:
            if time.monotonic() >= self.away_until:
                command, environment = self.command(), dict(os.environ)
                if isinstance(command, tuple):
                    command, environment = command[0], dict(environment, **command[1])
                with open(self.log, "ab") as log:
                    self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                    env=environment, start_new_session=True)
                self.process.wait()
                self.deaths.append(self.process.returncode)
            time.sleep(self.pause)

    def kill(self, away=0.0):
        """Kills it, and keeps it from starting for so many seconds."""
        self.away_until = time.monotonic() + away
        if self.process is not None and self.process.poll() is None:
            self.process.kill()

    def stop(self):
        self.stopping = True
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.thread.join(40)
        return self.deaths[-1] if self.deaths else None


class Run:
    """A relay with its releaser, and what is sent through it."""

    def __init__(self, build, limit, shared, points=None, policy=POLICY, as_unit=False):
        self.build, self.limit, self.shared, self.points = build, limit, shared, points or {}
        self.as_unit = as_unit
        self.folder = folder = tempfile.mkdtemp(prefix="postern-hold-")
        os.chmod(folder, 0o755)
        for name, group, mode in (("run", "postfix", 0o2750), ("db", None, 0o700)):
            os.makedirs(folder + "/" + name)
            shutil.chown(folder + "/" + name, USER, group)
            os.chmod(folder + "/" + name, mode)
        for tenant in ("contoso", "fabrikam"):
            with open("%s/%s.txt" % (folder, tenant), "w") as f:
                f.write(tenant + ".com\n")
        self.policy = folder + "/postern.yaml"
        with open(self.policy, "w") as f:
            f.write(policy.format(folder=folder, limit=limit, shared=shared))
        self.database = folder + "/db/postern.db"
        self.stand_in = pt.StandIn()
        self.postfix = pt.Postfix(folder + "/postfix", "unix:" + folder + "/run/milter.sock", self.stand_in.port,
                                  extra="queue_run_delay = 300s\nminimal_backoff_time = 300s\n").start()
        self.daemon = Service(self.daemon_command, folder + "/posternd.log").start()
        self.unhold = Service(self.unhold_command, folder + "/unhold.log").start()
        self.sent, self.lock = [], threading.Lock()
        pt.wait_for(lambda: os.path.exists(folder + "/run/milter.sock"), what="posternd")

    def point(self, program):
        """The next crash point of a program, as environment."""
        left = self.points.get(program)
        return {"POSTERN_CRASH": left.pop(0)} if left else {}

    def daemon_command(self):
        return [self.build + "/posternd", "-f", "-u", USER, "-c", self.policy], self.point("posternd")

    def unit_command(self):
        """What the unit starts, with our paths, below what it leaves of root's rights."""
        with open(TOP + "/contrib/systemd/postern-release.service") as f:
            unit = dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line and line[0] != "#")
        rights = ",".join("+" + c[4:].lower() for c in unit["CapabilityBoundingSet"].split())
        assert unit["NoNewPrivileges"] == "yes"
        words = unit["ExecStart"].split()
        assert words[1:5] == ["-u", "postern", "--", "/usr/local/bin/postern"], words
        return (["setpriv", "--no-new-privs", "--bounding-set", "-all," + rights, self.build + "/postern-unhold",
                 "-c", self.postfix.config, "-u", USER, "--", self.build + "/postern"] + words[5:] + ["-c", self.policy])

    def unhold_command(self):
        if self.as_unit:
            return self.unit_command()
        crash = ["%s=%s" % x for x in self.point("release").items()]
        return ([self.build + "/postern-unhold", "-c", self.postfix.config, "-u", USER, "--", "/usr/bin/env"] + crash +
                ["ASAN_OPTIONS=detect_leaks=0", self.build + "/postern", "release", "-c", self.policy, "--follow"],
                self.point("unhold"))

    def send(self, app, names, per_second=None, sessions=4, to="x@example.net"):
        """Messages of an app, each until it is taken, in order within a session."""
        names, began, done = list(names), time.monotonic(), [0]

        def session():
            client = None
            while True:
                with self.lock:
                    if not names:
                        break
                    name = names.pop(0)
                    done[0] += 1
                    due = began + done[0] / per_second if per_second else 0
                time.sleep(max(0, due - time.monotonic()))
                client = self.send_one(client, app, name, to)
            client.close()
        threads = [threading.Thread(target=session) for _ in range(sessions)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def send_one(self, client, app, name, to):
        address, sender = CLIENTS[app]
        end = time.monotonic() + 60
        raw = ("From: %s\r\nSubject: %s\r\n\r\nHello\r\n" % (sender, name)).encode()
        while True:
            try:
                if client is None:
                    client = pt.Client(self.postfix.port)
                    client.ehlo()
                    client.pretend(address)
                if pt.outcome(client.message(sender, [to], raw))[0] == "accept":
                    with self.lock:
                        self.sent.append(name)
                    return client
                client.close()
            except (OSError, RuntimeError):
                pass
            assert time.monotonic() < end, "nobody takes %s\n%s" % (name, self.logs())
            client = None
            time.sleep(0.1)

    def audit(self, query):
        return pt.audit(self.database, query)

    def count(self, condition):
        return self.audit("SELECT count(*) AS n FROM held WHERE " + condition)[0]["n"]

    def wait_for_end(self, seconds):
        def done():
            return (len(self.stand_in.messages) >= len(self.sent) and not self.postfix.queue() and
                    self.count("state IN ('waiting', 'kept', 'granted', 'missing')") == 0)
        try:
            pt.wait_for(done, seconds, "the held mail to leave")
        except TimeoutError as e:
            raise AssertionError("%s: %d sent, %d arrived, %d in the queue, states %s\n%s" % (
                e, len(self.sent), len(self.stand_in.messages), len(self.postfix.queue()),
                self.audit("SELECT state, count(*) AS n FROM held GROUP BY state"), self.logs()))

    def logs(self):
        text = ""
        for name in ("posternd.log", "unhold.log"):
            with open(self.folder + "/" + name, errors="replace") as f:
                text += "".join(x for x in f if "verdict=" not in x)[-3000:]
        return text

    def close(self):
        status = self.daemon.stop(), self.unhold.stop()
        self.postfix.stop()
        self.stand_in.close()
        log = self.logs()
        shutil.rmtree(self.folder, ignore_errors=True)
        return status, log


def most_in_a_minute(times):
    """The most of these moments (seconds) in any 60 s, wherever they begin."""
    times, first, most = sorted(times), 0, 0
    for last, t in enumerate(times):
        while times[first] <= t - 60:
            first += 1
        most = max(most, last - first + 1)
    return most


def check(run, name):
    """What must hold of a run that is over; prints what was measured."""
    got = [m["raw"].split(b"Subject: ")[1].split(b"\r\n")[0].decode() for m in run.stand_in.messages]
    twice = sorted({g for g in got if got.count(g) > 1})
    lost = sorted(set(run.sent) - set(got))
    assert not lost, "%s: %d messages were lost: %s" % (name, len(lost), lost[:5])
    assert not twice, "%s: %d came twice: %s" % (name, len(twice), twice[:5])
    rows = run.audit("SELECT m.rowid AS n, m.app, m.time, m.verdict, m.subject, h.state, h.granted_time, h.held_time"
                     " FROM messages m LEFT JOIN held h ON h.message_id = m.id ORDER BY m.rowid")
    for r in rows:
        r["charged"] = r["granted_time"] if r["verdict"] == "hold" else r["time"]
    report = []
    for apps, limit in ((["batch"], run.limit), (["left", "right"], run.shared)):
        charged = [r["charged"] / 1000 for r in rows if r["app"] in apps]
        arrived = [m["time"] for m, g in zip(run.stand_in.messages, got) if g.split("-")[0] in apps]
        most = most_in_a_minute(charged), most_in_a_minute(arrived)
        report.append("%s: %d charged, in a minute at most %d, %d by arrival, of %d" % (
            "+".join(apps), len(charged), most[0], most[1], limit))
        assert most[0] <= limit and most[1] <= limit, "%s: over the pace: %s" % (name, report[-1])
    # Nothing overtakes what its app sent before and had held.
    for app in CLIENTS:
        last = 0
        for r in (r for r in rows if r["app"] == app):
            assert r["charged"] >= last, "%s: %s of %s overtook" % (name, r["subject"], app)
            last = r["charged"] if r["verdict"] == "hold" else last
    acts = {a["what"]: a["n"] for a in run.audit("SELECT what, count(*) AS n FROM acts GROUP BY what")}
    states = {}
    for r in rows:
        states[r["state"]] = states.get(r["state"], 0) + 1
    delays = sorted(m["time"] - next(r["charged"] for r in rows if r["subject"] == g and r["state"] == "released") / 1000
                    for m, g in zip(run.stand_in.messages, got)
                    if any(r["subject"] == g and r["state"] == "released" for r in rows))
    print("%s: %d sent, all arrived once; %s; %s, confirmed %s; grant to arrival median %.2f s, most %.2f s; posternd died %d times, "
          "postern-unhold %d" % (name, len(run.sent), "; ".join(report), states, acts, delays[len(delays) // 2], delays[-1],
                                 len(run.daemon.deaths), len(run.unhold.deaths)))
    return rows


def check_turns(rows, name):
    """While both wait, neither app gets more than its turn."""
    held = [r for r in rows if r["app"] != "batch" and r["verdict"] == "hold"]
    few = sum(r["app"] == "right" for r in held)
    went = {"left": 0, "right": 0}
    for t in sorted({r["granted_time"] for r in held}):
        for r in held:
            went[r["app"]] += r["granted_time"] == t
        if went["right"] < few:
            assert abs(went["left"] - went["right"]) <= 2, "%s: the apps do not take turns: %s" % (name, went)
    assert few > 0 and went["right"] == few


def child_of(process):
    """The process that postern-unhold started, 0 for none."""
    try:
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as f:
            return int((f.read().split() or ["0"])[0])
    except (OSError, ValueError):
        return 0


def great(build, then):
    run = Run(build, 600, 30, as_unit=True)
    then()
    try:
        shared = threading.Thread(target=lambda: (run.send("left", ["left-%d" % i for i in range(55)], sessions=1),
                                                  run.send("right", ["right-%d" % i for i in range(8)], sessions=1)))
        shared.start()
        time.sleep(12)  # so that they take turns before anything is killed; who had a turn is not kept
        run.send("batch", ["batch-first-%d" % i for i in range(600)], per_second=30)
        shared.join()
        assert run.count("state <> 'waiting'") == 0 and run.count("app = 'batch'") == 0
        pt.wait_for(lambda: len(run.stand_in.messages) >= 630, 30, "what was not held")
        began = time.monotonic()
        run.send("batch", ["batch-held-%d" % i for i in range(500)])
        print("great: 500 came within %.1f s, %d wait" % (time.monotonic() - began, run.count("app = 'batch'")))
        assert run.count("app = 'batch'") >= 500
        newcomers = threading.Thread(target=run.send, args=("batch", ["batch-new-%d" % i for i in range(25)], 0.7, 1))
        newcomers.start()
        pt.wait_for(lambda: run.count("app = 'batch' AND state = 'released'") > 0, 60, "the first release")
        for i in range(4):
            time.sleep(random.uniform(0.3, 2))
            run.daemon.kill(random.uniform(0, 2))
            time.sleep(random.uniform(0.3, 2))
            run.unhold.kill(random.uniform(0, 2))
            time.sleep(random.uniform(0.3, 2))
            child = child_of(run.unhold.process)
            if child:
                os.kill(child, signal.SIGKILL)
        newcomers.join()
        run.wait_for_end(150)
        rows = check(run, "great")
        check_turns(rows, "great")
    finally:
        status, log = run.close()
    assert status[0] == 0 and "Sanitizer" not in log, "%s\n%s" % (status, log)


# Where each program dies, in turn: at its first, second, third ... pass of the point.
POINTS = {
    "posternd": ["admit-before-commit:90", "admit-after-commit:60", "admit-before-commit:9", "admit-after-commit:7"],
    "unhold": ["unhold-before-deliver:1", "unhold-before-answer:1", "unhold-before-deliver:2", "unhold-before-answer:2"],
    "release": ["", "", "release-asked:1", "release-before-confirm:1", "release-after-confirm:1", "release-asked:2",
                "release-after-confirm:2"],
}


def small(build):
    run = Run(build, 60, 10, {k: list(v) for k, v in POINTS.items()})
    try:
        run.send("left", ["left-%d" % i for i in range(15)], sessions=1)
        run.send("right", ["right-%d" % i for i in range(3)], sessions=1)
        run.send("batch", ["batch-first-%d" % i for i in range(60)], per_second=12)
        run.send("batch", ["batch-held-%d" % i for i in range(50)])
        pt.wait_for(lambda: run.count("app = 'batch' AND state = 'released'") > 8, 90, "the first releases")
        # Away for longer than a grant lasts: what comes then is no burst.
        run.unhold.kill(22)
        time.sleep(18)
        granted = run.count("state = 'granted'")
        waiting = run.count("app = 'batch' AND state = 'waiting'")
        time.sleep(3)
        assert granted > 0 and run.count("app = 'batch' AND state = 'waiting'") >= waiting, "granted to nobody"
        run.wait_for_end(240)
        check(run, "small")
        left = {k: v for k, v in run.points.items() if v}
        assert not left, "not reached: %s" % left
    finally:
        status, log = run.close()
    assert status[0] == 0, "%s\n%s" % (status, log)


class Page:
    """The guide's page on held mail, whose commands are run and print what it shows."""

    def __init__(self, build):
        with open(TOP + "/doc/guide/held.md") as f:
            self.text = f.read()
        policy = re.search(r"```yaml\n(.*?)```", self.text, re.S).group(1)
        policy = re.sub(r"(?m)^listen: .*$", "listen: unix:{folder}/run/milter.sock\ndatabase: sqlite:{folder}/db/postern.db",
                        policy).replace("accepted-domains.csv", "contoso.txt")
        self.run, self.ids, self.commands = Run(build, 3, 3, policy=policy), {}, 0

    def know_ids(self, shown, real):
        """The ids of the page are those of the messages, in their order."""
        for a, b in zip(re.findall(r"\b01K[0-9A-Z]{23}\b", shown), re.findall(r"\b01[0-9A-Z]{24}\b", real)):
            self.ids.setdefault(a, b)

    def plain(self, text):
        """Without what is different each time."""
        for a, b in self.ids.items():
            text = text.replace(b, a)
        text = re.sub(r"\b\d+ (s|min)\b", "AGE", text)
        text = re.sub(r"(?m)(  waiting +AGE +)[0-9A-F]{6,}", r"\1QUEUE", text)
        return [" ".join(line.split()) for line in text.splitlines()]

    def command(self, line, shown):
        for a, b in self.ids.items():
            line = line.replace(a, b)
        line = re.sub(r"^postern (\w+)", lambda m: "%s/postern %s -c %s" % (shlex.quote(self.run.build), m.group(1),
                                                                       shlex.quote(self.run.policy)), line)
        done = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        said = done.stdout.decode()
        self.know_ids(shown, said)
        assert self.plain(said) == self.plain(shown), "held.md: %s\nshows\n%s\nand printed\n%s" % (line, shown, said)
        self.commands += 1

    def read(self):
        run = self.run
        try:
            for i in range(5):
                CLIENTS["printers"] = ("10.1.9.7", "scanner@contoso.com")
                run.send("printers", ["printers-%d" % i], sessions=1, to="alice@contoso.com")
            for block in re.findall(r"```console\n(.*?)```", self.text, re.S):
                if "GRANTED  RELEASED  GONE\n" in block and "waiting" not in block:  # "A minute later"
                    pt.wait_for(lambda: run.count("state = 'released'") == 2, 130, "the last release")
                line, shown = block.split("\n", 1)
                assert line.startswith("$ ")
                self.command(line[2:], shown)
            run.wait_for_end(30)
        finally:
            status, log = run.close()
        assert self.commands >= 5 and status[0] == 0, "%s\n%s" % (status, log)
        print("the guide's page: %d commands" % self.commands)


def main():
    if sys.argv[1] == "--small":
        small(os.path.abspath(sys.argv[2]))
        return 0
    build, crash = (os.path.abspath(x) for x in sys.argv[1:3])
    seed = random.randrange(1 << 30)
    random.seed(seed)
    print("seed %d" % seed, flush=True)
    Page(build).read()
    beside = []
    try:
        great(build, lambda: beside.append(subprocess.Popen([sys.executable, os.path.abspath(__file__), "--small", crash])))
    finally:
        status = beside[0].wait(420) if beside else 1
    print("held mail: great run passed, small run %s" % ("passed" if status == 0 else "FAILED"))
    return status


if __name__ == "__main__":
    sys.exit(main())
