# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""An audit for the guide's page on asking it: the guide's week (week.py) without the wiki, what
went before it, and apps that meet limits, rules and a trial. posternd is told of it all at
once; then it is put into its days, and the limits are counted anew in their order."""

import os
import re
import sqlite3
import sys

import week

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import schema  # noqa: E402

CRM_SHOP = ("10.1.2.3", "orders@fabrikam.com", "TLSv1.3")
ALERTS = ("10.1.4.4", "alerts@contoso.com")
REPORTS = ("10.1.4.5", "reports@contoso.com", "TLSv1.3")
ERP = ("10.1.7.7", "erp@contoso.com", "TLSv1.2", "erp.contoso.com")
WIKI = ("10.1.8.8", "wiki@contoso.com")
NOW = week.at(21, "00:00")


def schedule():
    rows = [row for row in week.schedule() if row[1] != week.WIKI]
    rows = [(t, who + ("TLSv1.3",) if who == week.CRM else who, *rest) for t, who, *rest in rows]

    def add(times, who, to, subject, sender=None):
        rows.extend((t, who, to, sender or who[1], subject, 200) for t in times)
    for day in range(9, 14):
        add(week.every(day, "08:10", 240, 2), week.CRM + ("TLSv1.3",), week.BOB, "Your order")
        add([week.at(day, "09:30")], week.PRINTER, week.ALICE, "Scan")
    for day in range(9, 18):
        add(week.every(day, "06:00", 30, 2), ERP, week.BOB, "Purchase order")
    add(week.every(18, "14:20", 10, 2), CRM_SHOP, week.BOB, "Your order at Fabrikam")
    # Over its limit: three pass, three are told to come again, and never do.
    add(week.every(19, "10:30", 1, 6), ALERTS, week.ALICE, "disk full")
    add(week.every(20, "07:00", 2, 6), REPORTS, week.BOB, "Report of the week")
    add(week.every(18, "10:00", 3, 2), WIKI, week.ALICE, "Page changed", sender="intranet@contoso.com")
    add(week.every(19, "10:00", 3, 2), WIKI, week.ALICE, "Page changed")
    return sorted(rows, key=lambda row: row[0])


def count_anew(path):
    """Uses of limits as they were at the times that the messages now have."""
    db = sqlite3.connect(path)
    periods = dict(db.execute("SELECT name, period FROM limits").fetchall())
    numbers = {(name, key): id for id, name, key in db.execute("SELECT id, name, key FROM limits")}
    uses = {}
    db.execute("DELETE FROM limit_use")
    for id, number, name, key, amount, charged, time in db.execute(
            "SELECT c.message_id, c.number, c.name, c.key, c.amount, c.charged, m.time FROM charges c "
            "JOIN messages m ON m.id = c.message_id ORDER BY m.time, m.rowid").fetchall():
        length = periods[name] * 1000
        used = uses.setdefault((name, key), [])
        db.execute("UPDATE charges SET used_before = ? WHERE message_id = ? AND number = ?",
                   (sum(n for t, n in used if t > time - length), id, number))
        if charged:
            used.append((time, amount))
            db.execute("INSERT INTO limit_use VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET used = used + excluded.used",
                       (numbers[name, key], time * 60 // length, amount))
    db.execute("UPDATE limit_clock SET latest_ms = ?", (max(time for (time,) in db.execute("SELECT time FROM messages")),))
    db.commit()
    db.close()


def make(build, folder, policy):
    """folder/asked.db, whose clock stands at the end of the week."""
    path = week.make(build, folder, policy, "asked", schedule())
    count_anew(path)
    db = sqlite3.connect(path)
    db.executescript("DROP VIEW clock; CREATE VIEW clock AS " + re.sub(r"^CREATE TEMP VIEW clock AS ", "", schema.clock(NOW)))
    db.close()
    return path
