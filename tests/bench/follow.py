#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern follow beside pflogsumm, on the same lines of a Postfix log in the same run, each reading it into
what it keeps. usage: tests/bench/follow.py BUILD-FOLDER [LINES]"""

import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

LINES = 1000000
POLICY = """listen: unix:/tmp/none.sock
database: sqlite:{folder}/postern.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    connector-auth: ip
    next-hop: contoso-com.mail.protection.outlook.com
apps:
  - {{name: crm, tenant: contoso, clients: [10.1.2.3], method: connector, senders: [crm@contoso.com]}}
"""
HOP = "contoso-com.mail.protection.outlook.com[52.101.73.%d]:25"
SENT = "250 2.6.0 <%s@app.contoso.com> [InternalId=%d, Hostname=AM9PR01MB7777.eurprd01.prod.exchangelabs.com] 9876 bytes in 0.134, 71.600 KB/sec Queued mail for delivery"
BUSY = "host %s said: 451 4.7.500 Server busy. Please try again later from [192.0.2.7]. (S77719) (in reply to RCPT TO command)"
GONE = "host %s said: 550 5.4.1 Recipient address rejected: Access denied. [AM6EUR05FT044.eop-eur05.prod.protection.outlook.com] (in reply to RCPT TO command)"


def message(r, n, now):
    """The lines of one message: a client, one to four recipients, some of them deferred first."""
    stamp = time.strftime("%b %d %H:%M:%S", time.localtime(now)) + " relay postfix/"
    queue_id = "%X" % (0x4F9D1950000 + n * 77 % 0xFFFFFF)
    client = "app%d.contoso.com[10.1.%d.%d]" % (r.randrange(300), r.randrange(20), r.randrange(250))
    message_id = "%016x" % r.getrandbits(64)
    yield stamp + "smtpd[%d]: connect from %s" % (r.randrange(30000), client)
    yield stamp + "smtpd[%d]: %s: client=%s" % (r.randrange(30000), queue_id, client)
    yield stamp + "cleanup[%d]: %s: message-id=<%s@app.contoso.com>" % (r.randrange(30000), queue_id, message_id)
    recipients = r.choice((1, 1, 1, 1, 2, 4))
    yield stamp + "qmgr[812]: %s: from=<app%d@contoso.com>, size=%d, nrcpt=%d (queue active)" % (queue_id, n % 300, r.randrange(1000, 90000), recipients)
    yield stamp + "smtpd[%d]: disconnect from %s ehlo=1 mail=1 rcpt=%d data=1 quit=1 commands=%d" % (r.randrange(30000), client, recipients, recipients + 4)
    hop, pid = HOP % r.randrange(250), r.randrange(30000)
    if n % 3 == 0:
        yield stamp + "smtp[%d]: Trusted TLS connection established to %s: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)" % (pid, hop)
    for k in range(recipients):
        to = "%s: to=<user%d@example%d.net>, relay=%s, delay=%.2f, delays=0.04/0.01/0.2/0.3, " % (queue_id, r.randrange(50000), r.randrange(900), hop, r.random())
        if n % 20 == 0 and k == 0:
            yield stamp + "smtp[%d]: %sdsn=4.7.500, status=deferred (%s)" % (pid, to, BUSY % hop)
        if n % 50 == 1:
            yield stamp + "smtp[%d]: %sdsn=5.4.1, status=bounced (%s)" % (pid, to, GONE % hop)
        else:
            yield stamp + "smtp[%d]: %sdsn=2.6.0, status=sent (%s)" % (pid, to, SENT % (message_id, n))
    yield stamp + "qmgr[812]: %s: removed" % queue_id


def write_log(path, lines):
    r, n, written, now = random.Random(1), 0, 0, time.time() - 6 * 3600
    tries = 0
    with open(path, "w") as f:
        while written < lines:
            for line in message(r, n, now + n * 0.1):
                f.write(line + "\n")
                written += 1
                tries += "status=" in line
            n += 1
    return written, tries


def cpu(words, **more):
    """Seconds of CPU and of the clock, and memory in MiB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    p = subprocess.Popen(words, stdout=subprocess.DEVNULL, **more)
    _, status, usage = os.wait4(p.pid, 0)
    if status != 0:
        raise RuntimeError("%s ended with %d" % (words[0], status))
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss // 1024


def main():
    build, lines = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else LINES
    if shutil.which("pflogsumm") is None:
        print("pflogsumm is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        log = os.path.join(folder, "mail.log")
        written, tries = write_log(log, lines)
        with open(os.path.join(folder, "accepted.txt"), "w") as f:
            f.write("contoso.com\n")
        with open(os.path.join(folder, "policy.yaml"), "w") as f:
            f.write(POLICY.format(folder=folder))
        print("%d lines, %d of them tries, %d MB" % (written, tries, os.path.getsize(log) >> 20))
        ratios = []
        for _ in range(3):
            for name in os.listdir(folder):
                if name.startswith("postern.db"):
                    os.remove(os.path.join(folder, name))
            theirs = cpu(["pflogsumm", log])
            ours = cpu([os.path.join(build, "postern"), "follow", "-c", os.path.join(folder, "policy.yaml"), "--log", log, "--once"])
            db = sqlite3.connect(os.path.join(folder, "postern.db-deliveries"))
            stored = db.execute("SELECT sum(attempts) FROM deliveries").fetchone()[0]
            db.close()
            if stored != tries:
                raise RuntimeError("%d tries are stored" % stored)
            ratios.append(theirs[1] / ours[1])
            print("postern follow %.1f s (CPU %.1f, %d MiB)   pflogsumm %.1f s (CPU %.1f, %d MiB)   %.1f times as fast" % (
                ours[1], ours[0], ours[2], theirs[1], theirs[0], theirs[2], ratios[-1]))
        print("database %d MB" % (os.path.getsize(os.path.join(folder, "postern.db-deliveries")) >> 20))
    return 0


if __name__ == "__main__":
    sys.exit(main())
