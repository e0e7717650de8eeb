#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Server CPU per message and messages per second of posternd (50 apps, 4 limits
a message, durable audit) beside OpenDKIM (signing only, the same key), in turn,
in one run. usage: run.py BUILD-FOLDER [ROUNDS]"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

POLICY = """
listen: unix:{folder}/postern.sock
database: sqlite:{folder}/postern.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    connector-auth: ip
    next-hop: mx.example
    limits: [100000000 external-recipients/day]
signing:
  contoso.com:
    - selector: postern1
      key: rsa.pem
apps:
"""
APP = """  - name: app{n}
    tenant: contoso
    clients: [10.1.2.{n}]
    method: connector
    senders: [app{n}@contoso.com]
    limits: [10000000 messages/minute, 10000000 recipients/hour, 100000000 messages/day per sender]
"""
OPENDKIM = """
Domain contoso.com
KeyFile {folder}/rsa.pem
Selector postern1
Socket local:{folder}/opendkim.sock
Mode s
Canonicalization relaxed/relaxed
InternalHosts 0.0.0.0/0
OversignHeaders From
Syslog no
UserID root
RequireSafeKeys no
"""
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def load(build, path, sessions, each, total, size):
    done = subprocess.run([os.path.join(build, "tests/bench/milter-load"), path, str(sessions), str(each), str(total),
                           str(size)], stdout=subprocess.PIPE, check=True, timeout=300).stdout.split()
    return int(done[0]), int(done[1]), float(done[2])


def main():
    build = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = tempfile.mkdtemp(prefix="postern-bench-")
    pt.make_key(folder, "rsa.pem")
    with open(folder + "/accepted.txt", "w") as f:
        f.write("contoso.com\n")
    with open(folder + "/postern.yaml", "w") as f:
        # The app that sends stands last: all are tried.
        f.write(POLICY.format(folder=folder) + "".join(APP.format(n=n) for n in reversed(range(50))))
    with open(folder + "/opendkim.conf", "w") as f:
        f.write(OPENDKIM.format(folder=folder))
    daemon = pt.Posternd(os.path.join(build, "posternd"), folder + "/postern.yaml", folder + "/postern.sock",
                         folder + "/log").start()
    peers = {"postern": (daemon.process, folder + "/postern.sock")}
    if shutil.which("opendkim"):
        process = subprocess.Popen(["opendkim", "-f", "-x", folder + "/opendkim.conf"], stdin=subprocess.DEVNULL)
        pt.wait_for(lambda: os.path.exists(folder + "/opendkim.sock"), what="opendkim")
        peers["opendkim"] = (process, folder + "/opendkim.sock")
    else:
        print("opendkim is not installed: no ratio")
    try:
        for size, total in ((2048, 4000), (102400, 1000)):
            for sessions in (1, 8):
                results = {name: [] for name in peers}
                for i in range(rounds):
                    order = list(peers) if i % 2 == 0 else list(peers)[::-1]
                    for name in order:
                        process, path = peers[name]
                        before = cpu(process.pid)
                        done, signed, rate = load(build, path, sessions, 20, total, size)
                        if done != signed:
                            raise SystemExit("%s signed %d of %d" % (name, signed, done))
                        results[name].append(((cpu(process.pid) - before) / done * 1e6, rate))
                for name, got in results.items():
                    print("%6d octets, %d sessions: %-9s %5.0f us CPU a message (%.0f-%.0f), %5.0f messages/s" % (
                        size, sessions, name, statistics.median(g[0] for g in got), min(g[0] for g in got),
                        max(g[0] for g in got), statistics.median(g[1] for g in got)))
                if "opendkim" in results:
                    ratios = [a[0] / b[0] for a, b in zip(results["postern"], results["opendkim"])]
                    print("%6d octets, %d sessions: CPU ratio postern/opendkim %.2f (%.2f-%.2f)" % (
                        size, sessions, statistics.median(ratios), min(ratios), max(ratios)))
    finally:
        daemon.stop()
        if "opendkim" in peers:
            peers["opendkim"][0].send_signal(signal.SIGTERM)
            peers["opendkim"][0].wait(30)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
