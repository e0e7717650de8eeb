# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""A week of mail for the guide: posternd is told of it over the milter protocol, all at
once; then its audit is put into the days, and under the ids, that the pages show.
What stands in the rows beside times and ids is posternd's own."""

import datetime
import hashlib
import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import posterntest as pt  # noqa: E402
import schema  # noqa: E402

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CRM = ("10.1.2.3", "crm@contoso.com")
PAYROLL = ("10.1.5.5", "payroll@contoso.com")
LEGAL = ("10.1.6.6", "legal@contoso.com")
PRINTER = ("10.1.9.7", "scanner@contoso.com")
WIKI = ("10.1.8.8", "wiki@contoso.com")
BOB, ALICE = "bob@example.net", "alice@contoso.com"


def at(day, time):
    """Day 16 is the Monday."""
    hour, minute = time.split(":")
    return int(datetime.datetime(2026, 11, day, int(hour), int(minute),
                                 tzinfo=datetime.timezone.utc).timestamp() * 1000)


def every(day, time, step, n):
    """n times, so many minutes apart."""
    return [at(day, time) + i * step * 60000 for i in range(n)]


def schedule():
    """(time, who, recipient, From, subject, octets of body), by time."""
    rows = []

    def add(times, who, to, subject, sender=None, size=200):
        rows.extend((t, who, to, sender or who[1], subject, size) for t in times)
    for day in range(16, 21):
        for time in ("08:10", "09:30", "11:00", "13:20", "15:00", "16:40"):
            add([at(day, time)], CRM, BOB, "Your order")
        add(every(day, "09:05", 70, 4), PRINTER, ALICE, "Scan")
    add(every(19, "10:02", 3, 14), CRM, BOB, "Your invoice")
    add([at(17, "14:05")], CRM, BOB, "Payroll for October")
    add([at(18, "09:12")], CRM, BOB, "Re: payroll question")
    add([at(20, "10:20")], CRM, BOB, "=?utf-8?q?The_payroll=C2=A0portal_is_moving?=")
    add(every(20, "18:00", 1, 5), PAYROLL, BOB, "Your payroll statement")
    add(every(16, "12:00", 8, 6), CRM, BOB, "News of the month", sender="news@contoso.com")
    add([at(18, "11:11"), at(19, "16:02")], PRINTER, ALICE, "Scan", size=6 << 20)
    add(every(17, "10:30", 4, 7), PRINTER, BOB, "Scan")
    add(every(17, "02:00", 2, 25), WIKI, ALICE, "Page changed")
    add([at(16, "10:45"), at(20, "11:50")], LEGAL, BOB, "Contract")
    add([at(18, "15:30")], LEGAL, BOB, "Privileged: the draft")
    return sorted(rows, key=lambda row: row[0])


def make_id(time, n):
    """An audit id of that time; the chance in it is of n."""
    digits = ""
    for _ in range(10):
        digits = DIGITS[time % 32] + digits
        time //= 32
    return digits + "".join(DIGITS[octet % 32] for octet in hashlib.sha256(b"%d" % n).digest()[:16])


class Client(pt.MilterClient):
    """Names the queue id, and cuts the body, as an MTA does."""
    queue_id = b""

    def packet(self, command, data=b""):
        if command in (b"R", b"E"):
            super().packet(b"D", command + b"i\0" + self.queue_id + b"\0")
        for start in range(0, len(data), 65535) if command == b"B" else ():
            super().packet(command, data[start:start + 65535])
        if command != b"B":
            super().packet(command, data)


def send(path, n, row):
    """The id in the refusal, "" where it was taken. who: client, envelope sender and, where there are, TLS and certificate."""
    _, who, to, sender, subject, size = row
    body = subject + "\r\n" + ("x" * 70 + "\r\n") * (size // 72 + 1)
    raw = "From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%d@week>\r\n\r\n%s" % (sender, to, subject, n, body)
    client = Client(path)
    client.queue_id = b"4C%03X00%04X" % (n % 4096, n * 977 % 65536)
    try:
        client.open(who[0])
        if len(who) > 2:
            names = ("{tls_version}", "{cert_subject}")
            client.packet(b"D", b"M" + "".join("%s\0%s\0" % pair for pair in zip(names, who[2:])).encode())
        client.message(who[1], [to], raw.encode())
    finally:
        client.close()
    return (re.findall(r"\(id (\w+)\)", client.said) or [""])[0]


def put_in_time(database, rows, refused):
    """rows: their times first, by number; refused: {id: [numbers of the rows that were answered with it]}."""
    db = sqlite3.connect(database)
    ids = {}
    for old, n in db.execute("SELECT id, message_id FROM messages").fetchall():
        n = int(n[1:].partition("@")[0])
        ids[old] = make_id(rows[n][0], n)
        db.execute("UPDATE messages SET time = ? WHERE id = ?", (rows[n][0], old))
        db.execute("UPDATE held SET held_time = ? WHERE message_id = ?", (rows[n][0], old))
    for old, numbers in refused.items():
        ids[old] = make_id(rows[numbers[0]][0], numbers[0])
        db.execute("UPDATE refusals SET first_time = ?, last_time = ? WHERE id = ?",
                   (rows[numbers[0]][0], rows[numbers[-1]][0], old))
    for table, column in (("messages", "id"), ("recipients", "message_id"), ("signatures", "message_id"),
                          ("charges", "message_id"), ("rule_matches", "message_id"), ("held", "message_id"),
                          ("held_charges", "message_id"), ("refusals", "id")):
        db.executemany("UPDATE %s SET %s = ? WHERE %s = ?" % (table, column, column),
                       [(new, old) for old, new in ids.items()])
    schema.roll_up(db)
    db.commit()
    db.close()


def make(build, folder, policy, name="week", rows=None):
    """The audit of the week as folder/week.db; policy: the text of the file in force."""
    socket_path = os.path.join(folder, "m.sock")
    database = os.path.join(folder, name + ".db")
    path = os.path.join(folder, name + ".yaml")
    with open(path, "w") as f:
        f.write(re.sub(r"(?m)^listen:.*$", "listen: unix:" + socket_path, policy) + "database: sqlite:%s.db\n" % name)
    daemon = pt.Posternd(os.path.join(build, "posternd"), path, socket_path, os.path.join(folder, "log")).start()
    rows, refused = rows or schedule(), {}
    try:
        for n, row in enumerate(rows):
            refusal = send(socket_path, n, row)
            if refusal:
                refused.setdefault(refusal, []).append(n)
    finally:
        status = daemon.stop()
    if status != 0:
        raise RuntimeError("posternd ended with %d:\n%s" % (status, daemon.log()))
    put_in_time(database, rows, refused)
    with sqlite3.connect(database) as db:
        db.executescript(schema.views("sqlite"))
    return database
