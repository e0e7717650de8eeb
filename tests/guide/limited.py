# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""posternd for the guide's page on limits: two apps have sent some mail, and one of them
has run into its limit."""

import os

import week
import posterntest as pt


def send(path, who, sender, n):
    """n messages to the outside; the verdict on the last."""
    client = pt.MilterClient(path)
    try:
        client.open(who)
        for i in range(n):
            raw = "From: %s\r\nTo: %s\r\nSubject: Your order\r\n\r\nHello\r\n" % (sender, week.BOB)
            verdict, _ = client.message(sender, [week.BOB], raw.encode())
    finally:
        client.close()
    return verdict


class Relay:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.socket_path = os.path.join(folder, "m.sock")
        self.daemon = None

    def begin(self, policy):
        self.daemon = pt.Posternd(os.path.join(self.build, "posternd"), policy, self.socket_path,
                                  os.path.join(self.folder, "log")).start()
        for who, sender, n, expected in (("10.1.2.4", "billing@contoso.com", 12, "accept"),
                                         ("10.1.2.3", "crm@contoso.com", 21, "accept"),
                                         ("10.1.2.3", "news@contoso.com", 9, "accept"),
                                         ("10.1.2.3", "news@contoso.com", 3, "tempfail")):
            verdict = send(self.socket_path, who, sender, n)
            if verdict != expected:
                raise RuntimeError("%s: %s\n%s" % (sender, verdict, self.daemon.log()))
        pt.wait_for(lambda: pt.audit(os.path.join(self.folder, "limits.db"), "SELECT 1 FROM events WHERE kind = 'reached'"), 10, "the events")

    def end(self):
        if self.daemon is not None and self.daemon.stop() != 0:
            raise RuntimeError("posternd did not end well:\n" + self.daemon.log())
