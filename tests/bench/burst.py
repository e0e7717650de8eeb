#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""64 messages at once, each in a session of its own, on a disk whose syncs are slow:
how long the last one waits, beside the same 64 one after the other in the same run.
libmilter has a pool of workers that grows late; a commit has to take in all who wait.
usage: burst.py POSTERND [MILLISECONDS-OF-A-SYNC]"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402

SESSIONS, ROUNDS = 64, 5
SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static int slow(const char *name, int fd)
{
	const struct timespec t = { .tv_nsec = %d * 1000000L };
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	nanosleep(&t, NULL);
	return real(fd);
}
int fsync(int fd) { return slow("fsync", fd); }
int fdatasync(int fd) { return slow("fdatasync", fd); }
"""
POLICY = """listen: unix:{folder}/m.sock
database: sqlite:{folder}/postern.db
tenants:
  contoso: {{accepted-domains: accepted.txt, connector-auth: ip, next-hop: mx.example}}
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [crm@contoso.com]
    limits: [100000 messages/day]
"""
RAW = b"From: crm@contoso.com\r\nSubject: Your order\r\n\r\nHello\r\n"


def start(posternd, folder, sync_ms):
    with open(folder + "/accepted.txt", "w") as f:
        f.write("contoso.com\n")
    with open(folder + "/postern.yaml", "w") as f:
        f.write(POLICY.format(folder=folder))
    with open(folder + "/slow.c", "w") as f:
        f.write(SLOW % sync_ms)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder + "/slow.so", folder + "/slow.c", "-ldl"], check=True)
    daemon = pt.Posternd(posternd, folder + "/postern.yaml", folder + "/m.sock", folder + "/log")
    daemon.environment["LD_PRELOAD"] = folder + "/slow.so"
    return daemon.start()


def send(client):
    verdict = client.message("crm@contoso.com", ["bob@example.net"], RAW)
    assert verdict[0] == "accept", verdict


def opened(folder):
    client = pt.MilterClient(folder + "/m.sock")
    client.open("10.1.2.3")
    return client


def at_once(folder):
    """Milliseconds until each was answered, in order."""
    clients = [opened(folder) for _ in range(SESSIONS)]
    barrier, waits = threading.Barrier(SESSIONS), []

    def run(client):
        barrier.wait()
        began = time.monotonic()
        send(client)
        waits.append((time.monotonic() - began) * 1000)
    threads = [threading.Thread(target=run, args=(c,)) for c in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for c in clients:
        c.close()
    assert len(waits) == SESSIONS
    return sorted(waits)


def one_by_one(folder):
    client = opened(folder)
    began = time.monotonic()
    for _ in range(SESSIONS):
        send(client)
    client.close()
    return (time.monotonic() - began) * 1000


def main():
    posternd, sync_ms = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory(prefix="postern-burst-") as folder:
        daemon = start(posternd, folder, sync_ms)
        bursts, rows = [], []
        for _ in range(ROUNDS):
            bursts.append(at_once(folder))
            rows.append(one_by_one(folder))
        daemon.stop()
    median = statistics.median(b[SESSIONS // 2] for b in bursts)
    last, row = statistics.median(b[-1] for b in bursts), statistics.median(rows)
    print("%d at once, %d ms a sync: median %.0f ms, the last after %.0f ms (worst round %.0f); one after the other %.0f ms; ratio %.1f"
          % (SESSIONS, sync_ms, median, last, max(b[-1] for b in bursts), row, row / last))


if __name__ == "__main__":
    main()
