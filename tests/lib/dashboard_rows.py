# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""An audit of the last days with all that a dashboard shows, and words of others that try to be markup."""

import os
import random
import sqlite3
import time

import schema

HOUR = 3600000
HOSTILE = ("<script>window.bad=1;alert(1)</script>@evil.example", "\"onmouseover=alert(1) autofocus onfocus=alert(1) x=\"@evil.example",
           "'><img src=//evil.example/x onerror=alert(1)>@x.example", "\x1b[2J\x1b[31mred@evil.example", "&lt;b&gt;@x.example",
           "</style></title></svg><svg onload=alert(1)>@x.example", "\u202egnp.exe@x.example", "a\nSubject: x@x.example", b"\xff\xfe@x.example",
           "]]><!--@x.example", "line\u2028end@x.example", "javascript:alert(1)//@x.example", "a&amp;name=b#c?d=e%00%3Cb%3E+@x.example")
APPS = {
    "crm": ("connector", "10.1.2.3", "crm@contoso.com", "Sales <&>"), "erp": ("smtp-auth", "10.1.5.5", "erp@contoso.com", "Finance"),
    "printers": ("direct-send", "10.1.9.%d", "scanner@contoso.com", "Facilities"), "newsletter": ("connector", "10.1.4.4", "news@contoso.com", "Marketing"),
    "payroll": ("hve", "10.1.5.9", "payroll@contoso.com", "Finance"), "alerts": ("connector", "10.1.8.8", "alerts@contoso.com", ""),
    "<b onclick=alert(1)>legacy</b>": ("direct-send", "10.1.7.7", "old@contoso.com", "\"><script>alert(1)</script>"), "": ("", "192.0.2.66", "spam@evil.example", ""),
}
WEIGHTS = (40, 12, 25, 30, 4, 6, 2, 3)
POLICY = """listen: unix:/tmp/none.sock
database: sqlite:%s/audit.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: contoso-com.mail.protection.outlook.com
apps:
  - name: crm
    owner: "Ada <ada@contoso.com>"
    department: "Sales <&>"
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [crm@contoso.com]
    limits: [300 messages/hour, 20000 recipients/day, 60 messages/minute per sender]
  - name: erp
    owner: erp-team@contoso.com
    department: Finance
    tenant: contoso
    clients: [10.1.5.5]
    method: smtp-auth
    senders: [erp@contoso.com]
  - name: printers
    owner: facilities@contoso.com
    department: Facilities
    tenant: contoso
    clients: [10.1.9.0/24]
    method: direct-send
    senders: [scanner@contoso.com]
    limits: [500 messages/hour]
  - name: newsletter
    department: Marketing
    tenant: contoso
    clients: [10.1.4.4]
    method: connector
    senders: [news@contoso.com]
    limits: [1000 messages/hour then hold]
  - name: payroll
    department: Finance
    tenant: contoso
    clients: [10.1.5.9]
    method: hve
    senders: [payroll@contoso.com]
  - name: alerts
    tenant: contoso
    clients: [10.1.8.8]
    method: connector
    senders: [alerts@contoso.com]
  - name: archive
    owner: nobody@contoso.com
    tenant: contoso
    clients: [10.1.77.1]
    method: connector
    senders: [archive@contoso.com]
"""
REPLIES = (
    ("deferred", "4.7.500", "host contoso-com.mail.protection.outlook.com[52.101.1.1] said: 451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)"),
    ("bounced", "5.7.64", "host contoso-com.mail.protection.outlook.com[52.101.1.1] said: 550 5.7.64 TenantAttribution; Relay Access Denied <script>alert(1)</script> (in reply to RCPT TO command)"),
    ("bounced", "5.1.10", "host contoso-com.mail.protection.outlook.com[52.101.1.1] said: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; \u202e<img src=//evil.example/y> (in reply to RCPT TO command)"),
    ("bounced", "5.7.233", "host contoso-com.mail.protection.outlook.com[52.101.1.1] said: 550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit"),
    ("deferred", "4.4.1", "connect to contoso-com.mail.protection.outlook.com[52.101.1.1]:25: Connection timed out"),
)
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def audit_id(ms, chance):
    """As base/id.c makes them."""
    text, n = "", ms
    for _ in range(10):
        text, n = LETTERS[n % 32] + text, n // 32
    return text + "".join(chance.choice(LETTERS) for _ in range(16))


def rhythm(ms):
    """How much mail there is at that hour, of 1."""
    hour, day = ms // HOUR % 24, ms // (24 * HOUR) % 7
    return (0.15 + 0.85 * max(0, 1 - abs(hour - 11) / 9)) * (0.3 if day in (2, 3) else 1)


def a_time(chance, now, days):
    while True:
        at = now - chance.randrange(days * 24 * HOUR)
        if chance.random() < rhythm(at):
            return at


def add_message(audit, chance, at, number, hostile):
    name = chance.choices(list(APPS), WEIGHTS)[0]
    method, client, sender, department = APPS[name]
    roll = chance.random()
    verdict, reason = ("accept", "") if roll < 0.93 else ("hold", "limit:newsletter/messages-per-hour") if roll < 0.95 else (
        "defer", "limit:crm/messages-per-hour") if roll < 0.97 else ("reject", "from-not-allowed") if roll < 0.995 else ("discard", "rule:noise")
    odd = hostile and chance.random() < 0.06
    row = {"id": audit_id(at, chance), "time": at, "relay": "relay1", "queue_id": "4Q%08X" % number, "stage": "eom", "verdict": verdict, "reason": reason, "code": 250,
           "enhanced": "2.0.0", "text": "this is why", "would": verdict, "would_reason": reason, "mode": "enforce", "app": name, "tenant": "contoso" if name else "",
           "method": method, "department": department, "client": client % chance.randrange(10, 22) if "%" in client else client,
           "sender": chance.choice(HOSTILE) if odd else sender, "header_from": sender, "subject": chance.choice(HOSTILE) if odd else "Order %d" % number,
           "size": chance.randrange(2000, 90000), "recipients": 1, "external": chance.randrange(2), "signing": "signed" if chance.random() < 0.97 else chance.choice(
               ("no-key", "line-too-long")), "decide_us": 600, "policy": "0" * 64, "trace": "mail: app? %s\nrcpt: reached? yes\neom: sign? yes <b>x</b>\n" % name}
    audit.add("messages", **row)
    audit.add("recipients", message_id=row["id"], number=0, address=chance.choice(HOSTILE) if odd else "bob@example.net", domain="example.net", place="external", accepted=1)
    if number % 5 == 0:
        audit.add("charges", message_id=row["id"], number=0, name="crm/messages-per-hour", key="", amount=1, used_before=chance.randrange(300), count=300)
        audit.add("signatures", message_id=row["id"], number=0, domain="contoso.com", selector="postern1", algorithm="rsa-sha256", result="signed")
    if verdict == "hold" and at > audit.now - 6 * HOUR:
        audit.add("held", number=number + 1, message_id=row["id"], relay="relay1", queue_id=row["queue_id"], app=name, tenant="contoso", state="waiting", held_time=at)
    return row


def add_refusal(audit, chance, at):
    name = chance.choices(list(APPS), (1, 1, 6, 1, 1, 1, 1, 4))[0]
    method, client, sender, department = APPS[name]
    reason, text = ("direct-send-external", "it reaches only the own domains") if method == "direct-send" else ("unknown-client", "no app") if not name else (
        "from-not-allowed", "not one of its senders")
    audit.add("refusals", id=audit_id(at, chance), reason=reason, stage="rcpt", first_time=at, last_time=min(at + 60000, audit.now), count=1 + chance.randrange(9), verdict="reject",
              code=550, enhanced="5.7.1", text=text, app=name, tenant="contoso" if name else "", method=method,
              client=client % chance.randrange(10, 22) if "%" in client else client, sender=sender, recipient=chance.choice(HOSTILE + ("bob@example.net",) * 20),
              relay="relay1", department=department)


def add_deliveries(path, rows, chance):
    """The follower's file beside the audit."""
    db = sqlite3.connect(path + "-deliveries")
    schema.follower_tables(db)
    for i, row in enumerate(rows):
        if row["verdict"] != "accept":
            continue
        status, dsn, reply = ("sent", "2.6.0", "250 2.6.0 <x@contoso.com> Queued mail for delivery") if chance.random() < 0.97 else chance.choice(REPLIES)
        recipient = "bob@example.net" if i % 40 else chance.choice([h for h in HOSTILE if isinstance(h, str)])
        db.execute("INSERT INTO deliveries (relay, instance, queue_id, origin_id, recipient, original, first_time, time, status, dsn, next_hop, next_hop_of, tls, delay_ms,"
                   " reply, attempts, closed) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                   ("relay1", "postfix", row["queue_id"], row["queue_id"], recipient, "", row["time"] + 900, row["time"] + 1200, status, dsn,
                    "contoso-com.mail.protection.outlook.com[52.101.1.1]:25", ",contoso,", "TLSv1.3", 1200, reply, 1, 0 if status == "deferred" else row["time"] + 1300))
    if rows:
        now = max(row["time"] for row in rows)
        db.execute("INSERT INTO upstream VALUES ('contoso', '', '', 'tenant-quota', 1, 86400000, '550 5.7.233 <b>x</b>', ?, ?, 3, 0)", (now - 60000, now))
    db.commit()
    db.close()


def fill(folder, messages=4000, days=14, hostile=True, now=None):
    """audit.db, its deliveries and policy.yaml in this folder; the rows of its messages, the oldest first."""
    chance = random.Random(4711)
    audit = schema.Database(os.path.join(folder, "audit.db"))
    audit.now = now or int(time.time() * 1000)
    rows = [add_message(audit, chance, at, i, hostile) for i, at in enumerate(sorted(a_time(chance, audit.now, days) for _ in range(messages)))]
    for _ in range(messages // 20):
        add_refusal(audit, chance, a_time(chance, audit.now, days))
    audit.roll_up()
    for n, (scope, name, key, count, used, waiting) in enumerate((
            ("app:crm", "crm/messages-per-hour", "", 300, 284, 0), ("app:printers", "printers/messages-per-hour", "", 500, 120, 0),
            ("app:newsletter", "newsletter/messages-per-hour", "", 1000, 1000, 7), ("app:crm", "crm/messages-per-minute-per-sender", "sender=" + HOSTILE[0], 60, 51, 0))):
        period = 60 if "minute" in name else 3600
        audit.add("limits", id=n + 1, scope=scope, unit=0, period=period, key=key, name=name, count=count,
                  need=1 if waiting else 0, reached_time=audit.now if waiting else 0)
        audit.add("limit_use", limit_id=n + 1, slot=audit.now * 60 // (period * 1000), used=used)
    audit.add("limit_clock", one=1, boot_id="none", anchor_wall_ms=audit.now, anchor_boot_ms=0, latest_ms=audit.now)
    audit.close()
    add_deliveries(audit.path, rows, chance)
    with open(os.path.join(folder, "policy.yaml"), "w") as f:
        f.write(POLICY % folder)
    with open(os.path.join(folder, "accepted.txt"), "w") as f:
        f.write("contoso.com\n")
    return rows
