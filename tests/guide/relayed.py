# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""A PostgreSQL server and the two relays of the guide's page on them: the CRM sends through both
before the server stops, up to their shares while it is stopped, and nothing after."""

import os
import re
import shutil
import signal

import week  # noqa: F401: knows where the others are
import posterntest as pt
import postgres

SENDER, CLIENT, BOB = "crm@contoso.com", "10.1.2.3", "bob@example.net"
BEFORE = (30, 20)  # as the page says
SHARE = 50


def can_run():
    return postgres.binaries() is not None


class Relay:
    def __init__(self, build, folder, policy):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.socket_path = folder, os.path.join(folder, "m.sock")
        with open(os.path.join(folder, "accepted-domains.csv"), "w") as f:
            f.write("contoso.com\n")
        policy = re.sub(r"(?m)^listen:.*$", "listen: unix:" + self.socket_path, policy)
        policy = re.sub(r"(?m)^local-database:.*$", "local-database: sqlite:%s/local.db" % folder, policy)
        with open(os.path.join(folder, "postern.yaml"), "w") as f:
            f.write(policy)
        self.daemon = pt.Posternd(os.path.join(build, "posternd"), os.path.join(folder, "postern.yaml"), self.socket_path,
                                  os.path.join(folder, "log")).start()

    def send(self, n):
        """n messages; the last verdict, and what was said."""
        client = pt.MilterClient(self.socket_path)
        try:
            client.open(CLIENT)
            for _ in range(n):
                raw = "From: %s\r\nTo: %s\r\nSubject: Your order\r\n\r\nHello\r\n" % (SENDER, BOB)
                verdict, _ = client.message(SENDER, [BOB], raw.encode())
            return verdict, client.said
        finally:
            client.close()


class Site:
    def __init__(self, build, folder):
        self.build, self.folder, self.relays, self.said = build, folder, [], ""
        self.server = postgres.Postgres()
        shutil.copy(os.path.join(self.server.folder, "root.crt"), os.path.join(folder, "db-ca.crt"))

    def begin(self, policy):
        """The policy is that of the first; the second has its own name and role."""
        second = os.path.join(self.folder, "db-password-2")
        with open(os.open(second, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write("localhost:%d:postern:mail2:Secret-2\n" % self.server.port)
        policies = policy, policy.replace("mail1", "mail2").replace(self.folder + "/db-password", second)
        for i, text in enumerate(policies):
            self.relays.append(Relay(self.build, os.path.join(self.folder, "mail%d" % (i + 1)), text))
            self.expect("accept", self.relays[-1].send(BEFORE[i]))

    def expect(self, wanted, answer):
        if answer[0] != wanted:
            raise RuntimeError("%s instead of %s\n%s" % (answer, wanted, self.log()))
        self.said = answer[1]

    def stop(self):
        # Who asks while it ends is told another reason than the page says.
        for r in self.relays:
            r.daemon.process.send_signal(signal.SIGSTOP)
        self.server.stop("immediate")
        for r in self.relays:
            r.daemon.process.send_signal(signal.SIGCONT)
        for r in self.relays:
            self.expect("accept", r.send(SHARE))
            self.expect("tempfail", r.send(1))

    def start(self):
        self.server.start()
        pt.wait_for(lambda: all("while the database was away is reported" in r.daemon.log() for r in self.relays), 60, "the reports")

    def log(self):
        return self.relays[0].daemon.log() if self.relays else ""

    def check(self):
        for r in self.relays:
            if r.daemon.stop() != 0:
                raise RuntimeError("posternd did not end well:\n" + r.daemon.log())
            if "Secret-" in r.daemon.log():
                raise RuntimeError("a password stands in the log")

    def end(self):
        for r in self.relays:
            r.daemon.kill()
        self.server.close()
