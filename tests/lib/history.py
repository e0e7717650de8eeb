# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Nine weeks of mail whose changes are known, for the tests of postern summary: an audit filled by hand."""

import random
import sqlite3

import schema

DAY = 86400000
WEEK = 7 * DAY
SET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(ms, chance):
    text = ""
    for _ in range(10):
        text, ms = SET[ms % 32] + text, ms // 32
    return text + "".join(chance.choice(SET) for _ in range(16))


class History:
    """until: the midnight at which the last week ends."""

    def __init__(self, audit, until, seed=7):
        self.audit, self.until, self.chance = audit, until, random.Random(seed)
        self.n = 0

    def week(self, back, app, count, **more):
        """count messages of the week so many weeks back; 0 is the last."""
        for _ in range(count):
            self.n += 1
            at = self.until - (back + 1) * WEEK + self.chance.randrange(WEEK)
            row = {"id": ulid(at, self.chance), "time": at, "relay": "r1", "queue_id": "Q%07d" % self.n, "stage": "eom", "verdict": "accept",
                   "mode": "enforce", "app": app, "tenant": "contoso", "method": "connector", "client": "10.1.2.3", "sender": app + "@contoso.com",
                   "size": 2000, "recipients": 1, "external": 1, "signing": "signed", "decide_us": 300}
            row.update(more)
            row.update(would=row["verdict"], would_reason=row.get("reason", ""), header_from=row["sender"])
            self.audit.add("messages", **row)

    def usual(self):
        """Eight weeks, and a day of the one before them, so that all of them are known."""
        for back in range(1, 10):
            self.week(back, "crm", 310 + 30 * (back % 8))
            self.week(back, "printers", 1 + back % 5, method="direct-send", client="10.1.9.7", sender="scanner@contoso.com")
            self.week(back, "nightly", 70, client="10.1.4.4")
            self.week(back, "erp", 100, client="10.1.5.1")
            self.week(back, "erp", 30, client="10.1.5.2")

    def changed(self):
        """The last week: more, a new sender and client, another method, silence, a new app."""
        self.week(0, "crm", 4120)
        self.week(0, "crm", 3, sender="ceo@contoso.com", client="10.1.2.99")
        self.week(0, "crm", 5, verdict="reject", reason="from-not-allowed")
        self.week(0, "crm", 12, signing="no-key")
        self.week(0, "printers", 14, method="direct-send", client="10.1.9.7", sender="scanner@contoso.com")
        self.week(0, "erp", 100, method="direct-send", client="10.1.5.1")
        self.week(0, "shop", 40, client="10.1.6.1")
        at = self.until - 3 * DAY
        for number, kind, used in ((1, "near", 24), (2, "reached", 30), (3, "reached", 30)):
            self.audit.add("events", number=number, time=at + number, relay="r1", kind=kind, limit_name="crm/messages-per-minute", scope="app:crm",
                           period=60, used=used, count=30, over=2, mode="enforce", app="crm", tenant="contoso", message_id="M1")
        self.audit.add("events", number=4, time=at, relay="r1", kind="reached", limit_name="contoso/external-recipients-per-day",
                       scope="tenant:contoso", unit=2, period=86400, used=1000, count=1000, over=2, mode="enforce", app="erp", tenant="contoso")
        self.audit.add("held", number=1, message_id="H1", relay="r1", queue_id="X1", app="crm", tenant="contoso", state="waiting", held_time=at)
        self.audit.add("held", number=2, message_id="H2", relay="r1", queue_id="X2", app="erp", tenant="contoso", state="kept", held_time=at)


# What is told of it, by app.
CHANGES = {
    "crm": ["crm sent more: 4140 messages, in the 8 weeks before 310 to 520",
            "crm sends as ceo@contoso.com, not seen in the 8 weeks before: 3 messages, the first at ",
            "crm sends from 10.1.2.99, not seen in the 8 weeks before: 3 messages, the first at "],
    "erp": ["erp sends by direct-send now (100 of 100 messages), before by connector",
            "10.1.5.2 of erp fell silent: nothing, in the 8 weeks before 30"],
    "nightly": ["nightly fell silent: it sent nothing, in the 8 weeks before 70"],
    "printers": [],
    "shop": ["shop is new: 40 messages, the first at "],
}


HOP = "contoso-com.mail.protection.outlook.com[192.0.2.1]:25"
DENIED = "host %s said: 550 5.7.64 TenantAttribution; Relay Access Denied (in reply to RCPT TO command)" % HOP[:-3]
FOREIGN = "host mx.example.net[192.0.2.9] said: 550 5.7.64 TenantAttribution; Relay Access Denied (in reply to RCPT TO command)"


def deliveries(path, answers):
    """The follower's file: (queue id, time, status, reply, next hop) each."""
    db = sqlite3.connect(path + "-deliveries")
    schema.follower_tables(db)
    for queue_id, time, status, reply, hop in answers:
        db.execute("INSERT INTO deliveries (relay, instance, queue_id, origin_id, recipient, original, first_time, time, status, dsn, next_hop, "
                   "next_hop_of, tls, delay_ms, reply, attempts, closed) VALUES ('r1', 'postfix', ?, ?, 'bob@example.net', '', ?, ?, ?, '5.7.64', ?, "
                   "?, '', 5, ?, 1, 0)", (queue_id, queue_id, time, time, status, hop, ",contoso," if hop == HOP else ",", reply))
    db.commit()
    db.close()
