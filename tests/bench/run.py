#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Server CPU per message and messages per second of posternd, and of the
signing filters that are installed beside it (opendkim, rspamd), with the same
RSA-2048 key on the same messages in one run.

posternd does its whole work: 50 apps, 4 limits a message, an audit row on disk
before the message is accepted. The others only sign. They take turns, in
reverse order every second round; the table has medians, and the ratios are of
the medians of one cell. CPU is user and system time of the filter's processes,
from /proc; the load generator shares the machine and is not in it."""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

APPS = 50
TICKS = os.sysconf("SC_CLK_TCK")

OPENDKIM = """
Mode s
Socket local:{folder}/opendkim.sock
Domain contoso.com
Selector bench
KeyFile {folder}/bench.pem
Canonicalization relaxed/relaxed
SignHeaders From,Reply-To,Subject,Date,To,Cc,Message-ID,In-Reply-To,References,MIME-Version,Content-Type,Content-Transfer-Encoding
OversignHeaders From,Reply-To,Subject,Date,To,Cc,Message-ID,MIME-Version,Content-Type,Content-Transfer-Encoding
InternalHosts {folder}/hosts
Background no
Syslog no
RequireSafeKeys no
"""

# Nothing but the proxy worker and the signing plugin; no Redis.
RSPAMD = """
options {{
  pidfile = "{folder}/rspamd.pid";
  tempdir = "{folder}";
  control_socket = "{folder}/rspamd-control.sock mode=0600";
  filters = "dkim";
  local_addrs = "10.0.0.0/8";
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 1s; retransmits = 1; }}
  url_tld = "/usr/share/rspamd/effective_tld_names.dat";
}}
logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "warning"; }}
worker "rspamd_proxy" {{
  bind_socket = "{folder}/rspamd.sock mode=0666";
  milter = yes;
  timeout = 120s;
  count = 2;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
modules {{ path = "/usr/share/rspamd/plugins/dkim_signing.lua"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
dkim {{ sign_headers = "(o)from:(o)reply-to:(o)subject:(o)date:(o)to:(o)cc:(o)message-id:in-reply-to:references:(o)mime-version:(o)content-type:(o)content-transfer-encoding"; }}
dkim_signing {{
  domain {{ contoso.com {{ path = "{folder}/bench.pem"; selector = "bench"; }} }}
  allow_hdrfrom_mismatch = true;
  sign_local = true;
  use_domain = "header";
  use_esld = false;
  check_pubkey = false;
}}
"""

POSTERN = """
listen: unix:{folder}/postern.sock
database: sqlite:{folder}/postern.db
mode: enforce
audit:
  durability: power
tenants:
  contoso:
    accepted-domains: {folder}/accepted.txt
    next-hop: contoso-com.mail.protection.outlook.com
signing:
  contoso.com:
    - selector: bench
      key: {folder}/bench.pem
apps:
"""

APP = """
  - name: app{n}
    tenant: contoso
    clients: [10.77.{n}.0/24]
    method: connector
    senders: [app{n}@contoso.com]
    limits:
      - 100000000 messages/minute
      - 100000000 messages/hour
      - 100000000 recipients/day
      - 100000000 messages/day per sender
"""


class Peer:
    def __init__(self, name, folder, command):
        self.name, self.folder = name, folder
        self.socket = os.path.join(folder, name + ".sock")
        self.log = open(os.path.join(folder, name + ".out"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.cells = {}
        end = time.monotonic() + 20
        while not self.up():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError("%s does not start:\n%s" % (name, self.said()))
            time.sleep(0.05)

    def up(self):
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(self.socket)
                return True
            except OSError:
                return False

    def said(self):
        text = ""
        for end in (".out", ".log"):
            path = os.path.join(self.folder, self.name + end)
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    text += f.read()[-3000:]
        return text

    def pids(self):
        """The process and its children."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    todo += [int(p) for p in f.read().split()]
            except OSError:
                pass
        return found

    def cpu(self):
        total = 0
        for pid in self.pids():
            try:
                with open("/proc/%d/stat" % pid) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return total / TICKS

    def memory(self):
        total = 0
        for pid in self.pids():
            with open("/proc/%d/statm" % pid) as f:
                total += int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return total / 1048576

    def run(self, load, octets, sessions, messages, seconds):
        before = self.cpu()
        done = subprocess.run([load, "-c", str(sessions), "-k", str(messages), "-b", str(octets), "-t", str(seconds),
                               "-a", str(APPS), "unix:" + self.socket], stdout=subprocess.PIPE, timeout=seconds + 60)
        time.sleep(0.1)
        r = json.loads(done.stdout)
        if r["errors"] or r["refused"] or r["signatures"] != r["messages"] or not r["messages"]:
            raise RuntimeError("%s: not every message was signed: %r\n%s" % (self.name, r, self.said()))
        r["cpu_us"] = (self.cpu() - before) * 1e6 / r["messages"]
        return r

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def prepare(folder):
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                    folder + "/bench.pem"], check=True, stderr=subprocess.DEVNULL)
    os.chmod(folder + "/bench.pem", 0o600)
    files = {"hosts": "0.0.0.0/0\n", "accepted.txt": "contoso.com\n",
             "opendkim.conf": OPENDKIM.format(folder=folder), "rspamd.conf": RSPAMD.format(folder=folder),
             "postern.yaml": POSTERN.format(folder=folder) + "".join(APP.format(n=n) for n in range(APPS))}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)


def start(folder, posternd, wanted):
    opendkim = shutil.which("opendkim", path=os.environ["PATH"] + ":/usr/sbin")
    rspamd = shutil.which("rspamd")
    commands = {"postern": [posternd, "-f", "-c", folder + "/postern.yaml"],
                "opendkim": opendkim and [opendkim, "-f", "-x", folder + "/opendkim.conf"],
                "rspamd": rspamd and [rspamd, "-f", "-i", "-c", folder + "/rspamd.conf"]}
    peers = []
    try:
        for name in wanted:
            if not commands[name]:
                print("%s is not installed: left out" % name)
                continue
            peers.append(Peer(name, folder, commands[name]))
    except RuntimeError as e:
        if name == "postern":
            stop(peers)
            raise
        print("%s\nleft out" % e)
    return peers


def stop(peers):
    for peer in peers:
        peer.stop()


def measure(peers, load, cells, repeat, messages, seconds):
    for peer in peers:  # warm up
        peer.run(load, 2048, 4, messages, 0.3)
    for octets, sessions in cells:
        for i in range(repeat):
            for peer in peers if i % 2 == 0 else reversed(peers):
                peer.cells.setdefault((octets, sessions), []).append(
                    peer.run(load, octets, sessions, messages, seconds))


def median(peer, cell, what):
    return statistics.median(r[what] for r in peer.cells[cell])


def table(peers, cells):
    print("%8s %3s %-9s %8s %9s %15s %8s %8s %8s %8s" % (
        "octets", "c", "filter", "msg/s", "cpu us", "range", "p50 us", "p95 us", "p99 us", "max us"))
    for cell in cells:
        for peer in peers:
            cpu = [r["cpu_us"] for r in peer.cells[cell]]
            print("%8d %3d %-9s %8.0f %9.0f %15s %8.0f %8.0f %8.0f %8.0f" % (
                cell + (peer.name, median(peer, cell, "rate"), statistics.median(cpu),
                        "%.0f-%.0f" % (min(cpu), max(cpu))) +
                tuple(median(peer, cell, p) for p in ("p50", "p95", "p99", "max"))))
    for peer in peers:
        print("%-9s %.0f MiB resident at the end" % (peer.name, peer.memory()))
    mine = next((p for p in peers if p.name == "postern"), None)
    for peer in peers if mine else ():
        for cell in cells if peer is not mine else ():
            print("postern / %-9s %7d octets, c=%-2d: CPU a message %.2f, messages a second %.2f" % (
                (peer.name,) + cell + (median(mine, cell, "cpu_us") / median(peer, cell, "cpu_us"),
                                       median(mine, cell, "rate") / median(peer, cell, "rate"))))


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=".", help="the folder of posternd and tests/bench/milter-load")
    p.add_argument("--filters", default="postern,opendkim,rspamd")
    p.add_argument("--octets", default="2048,102400")
    p.add_argument("--sessions", default="1,8")
    p.add_argument("--messages", type=int, default=20, help="messages a session")
    p.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--full", action="store_true", help="1, 8 and 32 sessions, five times 3 seconds")
    p.add_argument("--keep", action="store_true", help="keep the folder")
    o = p.parse_args()
    if o.full:
        o.sessions, o.repeat, o.seconds = "1,8,32", 5, 3
    return o


def main():
    o = options()
    folder = tempfile.mkdtemp(prefix="postern-bench-")
    cells = [(int(b), int(c)) for b in o.octets.split(",") for c in o.sessions.split(",")]
    peers = []
    try:
        prepare(folder)
        peers = start(folder, os.path.abspath(os.path.join(o.build, "posternd")), o.filters.split(","))
        measure(peers, os.path.abspath(os.path.join(o.build, "tests/bench/milter-load")), cells, o.repeat, o.messages,
                o.seconds)
        table(peers, cells)
    finally:
        stop(peers)
        if o.keep:
            print("kept: " + folder)
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
