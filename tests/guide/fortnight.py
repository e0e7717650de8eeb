# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Mail for the guide's page on learning: a fortnight of some of the dozen apps
(tests/lib/dozen_apps.py) and what somebody else tries; then a week in which one app
comes from a new address and a new one begins. posternd is told of it over the milter
protocol; then its audit is put into the days, and under the ids, that the page shows."""

import os
import sys

import week

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dozen_apps as apps  # noqa: E402
import posterntest as pt  # noqa: E402

APPS = ("crm", "erp", "newsletter", "scanner", "root")
OTHERS = ("10.1.2.3", "10.66.6.6", "10.77.7.7")
NAMES = {"10.1.2.3": "app1.contoso.com", "10.1.2.9": "app2.contoso.com", "10.1.8.8": "wiki.contoso.com"}


class App(apps.App):
    """Has a name, and cuts the body as an MTA does."""

    def packet(self, command, data=b""):
        if command == b"C":
            name = "localhost" if self.m.local else self.m.helo if self.m.helo.endswith(".contoso.com") else \
                "[%s]" % self.m.client
            data = name.encode() + data[data.index(b"\0"):]
        super().packet(command, data)


def first():
    """The messages of the fortnight."""
    return [m for m in apps.traffic() if m.app in APPS or
            m.suspicious and m.client in OTHERS and not m.suspicious.startswith("rule:")]


def later():
    """Those of the week after it."""
    new = [apps.Message("crm", "10.1.2.9", 14 * apps.DAY + i * 7 * apps.HOUR, "crm@contoso.com", apps.OUTSIDE,
                        "Offer %d" % i, login="crm") for i in range(9)]
    return new + [apps.Message("wiki", "10.1.8.8", 14 * apps.DAY + i * 5 * apps.HOUR, "wiki@contoso.com", apps.INSIDE,
                               "Page %d changed" % i, host="wiki.contoso.com") for i in range(20)]


class Audit:
    """folder/postern.db as it grows."""

    def __init__(self, build, folder):
        self.build, self.folder, self.times = build, folder, {}

    def record(self, policy, messages):
        """policy: the path of the file in force; a copy of it keeps the rows, whatever the date is."""
        with open(policy) as f:
            text = f.read()
        policy = os.path.join(self.folder, "daemon.yaml")
        with open(policy, "w") as f:
            f.write(text + "\naudit:\n  keep: 36500 days\n")
        socket_path = os.path.join(self.folder, "milter.sock")
        daemon = pt.Posternd(os.path.join(self.build, "posternd"), policy, socket_path,
                             os.path.join(self.folder, "log")).start()
        try:
            for m in messages:
                if m.helo == "client.example":
                    m.helo = NAMES.get(m.client, m.helo)
                client = App(socket_path, m)
                verdict = client.send()
                client.close()
                if verdict != "accept":
                    raise RuntimeError("%s: %s" % (m.raw, verdict))
                self.times[int(m.id)] = (week.at(9, "00:00") + m.at * 1000,)
        finally:
            status = daemon.stop()
        if status != 0:
            raise RuntimeError("posternd ended with %d:\n%s" % (status, daemon.log()))
        week.put_in_time(os.path.join(self.folder, "postern.db"), self.times, {})
