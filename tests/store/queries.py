#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""sql/queries and the views on rows that the test knows, with the sqlite3 shell and with
psql on a PostgreSQL server of its own: each file unchanged, the same exact result on both.
Where sqlite3 or a server is not installed that half is skipped (status 77), with CI=true failed."""

import csv
import datetime
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import postgres  # noqa: E402
import schema  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def ms(text):
    """"20 08:10" of November 2026, UTC; "10-05 10:00" of October."""
    return int(datetime.datetime.strptime(("2026-" if "-" in text else "2026-11-") + text, "%Y-%m-%d %H:%M")
               .replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


NOW = ms("20 12:00")
MIB = 1 << 20
APPS = {
    "crm": {"method": "connector", "client": "10.1.2.3", "sender": "crm@contoso.com", "tls": "TLSv1.3"},
    "printers": {"method": "direct-send", "client": "10.1.9.7", "sender": "scanner@contoso.com", "tls": ""},
    "erp": {"method": "smtp-auth", "client": "10.1.5.5", "sender": "erp@contoso.com", "tls": "TLSv1.2",
            "certificate": "erp.contoso.com", "login": "erp"},
    "cron": {"method": "direct-send", "client": "", "sender": "root@contoso.com", "tls": "", "picked_up": 1},
    "intern": {"method": "connector", "client": "10.1.6.1", "sender": "intern@contoso.com", "tls": "TLSv1.3"},
    "": {"method": "", "client": "10.9.9.9", "sender": "spam@evil.example", "tls": ""},
}


class Rows:
    """The rows of the tables, as dictionaries."""

    def __init__(self):
        self.tables = {name: [] for name in ("messages", "recipients", "signatures", "charges", "rule_matches", "held", "refusals",
                                             "limits", "limit_use", "limit_clock")}

    def message(self, id, at, who, inside=1, outside=0, signatures=(), charges=(), **more):
        m = {"id": id, "time": ms(at), "relay": "relay", "queue_id": "Q" + id, "stage": "eom", "verdict": "accept", "reason": "",
             "code": 250, "enhanced": "2.0.0", "mode": "enforce", "app": who, "tenant": "contoso" if who else "",
             "size": 1000, "recipients": inside + outside, "internal": inside, "external": outside,
             "signing": "signed", "policy": "p", "trace": "steps"}
        m.update(APPS[who])
        m["header_from"] = m["sender"]
        m.update(more)
        m["header_from_domain"] = m["header_from"].partition("@")[2]
        m.setdefault("would", m["verdict"])
        m.setdefault("would_reason", m["reason"])
        wrong = m.pop("wrong", "")
        self.tables["messages"].append(m)
        for k in range(inside + outside):
            domain = "contoso.com" if k < inside else "example.net"
            self.tables["recipients"].append({
                "message_id": id, "number": k, "address": "u%d@%s" % (k, domain), "domain": domain, "accepted": 1,
                "place": "internal" if k < inside else "external", "reason": wrong if k == inside else ""})
        for k, (selector, result) in enumerate(signatures):
            self.tables["signatures"].append({"message_id": id, "number": k, "domain": "contoso.com", "selector": selector,
                                              "algorithm": "rsa-sha256", "result": result})
        for k, (name, before, count, over, charged, *key) in enumerate(charges):
            self.tables["charges"].append({"message_id": id, "number": k, "name": name, "key": "".join(key), "amount": 1,
                                           "used_before": before, "count": count, "over": over,
                                           "exceeded": int(before + 1 > count), "charged": charged})

    def refusal(self, id, first, last, count, stage, verdict, reason, app, **more):
        r = {"id": id, "first_time": ms(first), "last_time": ms(last), "count": count, "stage": stage, "verdict": verdict,
             "reason": reason, "app": app, "tenant": "contoso" if app else "", "code": 550, "enhanced": "5.7.1", "text": "no",
             "recipient": "bob@example.net", "policy": "p"}
        r.update({key: APPS[app].get(key, "") for key in ("method", "client", "sender", "tls", "login", "certificate")})
        r["header_from"] = r["sender"]
        r.update(more)
        self.tables["refusals"].append(r)

    def held(self, id, app, state, released=None):
        self.tables["held"].append({"number": len(self.tables["held"]) + 1, "message_id": id, "relay": "relay", "queue_id": "Q" + id,
                                    "app": app, "state": state, "released_time": ms(released) if released else 0})

    def limit(self, number, scope, unit, period, key, name, count, uses, boost=0, until=0):
        """uses: [(seconds ago, amount)]"""
        self.tables["limits"].append({"id": number, "scope": scope, "unit": unit, "period": period, "key": key,
                                      "name": name, "count": count, "boost": boost, "boost_until": until})
        for ago, used in uses:
            self.tables["limit_use"].append({"limit_id": number, "used": used,
                                             "slot": (NOW - ago * 1000) * 60 // (period * 1000)})

    def insert(self, dialect):
        """As SQL that both understand; what SQLite's clock tells a server knows of its relays."""
        lines = []
        with sqlite3.connect(":memory:") as db:
            db.executescript(schema.sqlite_tables())
            for table, rows in self.tables.items():
                kinds = {row[1]: row[2] for row in db.execute("PRAGMA table_info(%s)" % table)}
                for row in rows:
                    if table == "limit_clock" and dialect == "postgres":
                        lines.append("INSERT INTO relays (relay, seen) VALUES ('relay', %d);\n" % row["latest_ms"])
                        continue
                    values = [row.get(name, 0 if kind == "INTEGER" else "") for name, kind in kinds.items()]
                    lines.append("INSERT INTO %s (%s) VALUES (%s);\n" % (table, ", ".join(kinds), ", ".join(
                        str(v) if isinstance(v, int) else "'%s'" % v.replace("'", "''") for v in values)))
        return "".join(lines)


def known():
    r = Rows()
    minute, outside = "crm/messages-per-minute", "contoso/external-recipients-per-day"
    # The CRM: from two From addresses, one of them new this week; one message over a limit, one held, one on trial.
    r.message("M01", "01 10:00", "crm", 0, 1)
    r.message("M02", "16 08:00", "crm", 0, 1, size=2 * MIB)
    r.message("M03", "18 10:00", "crm", 0, 1, mode="monitor", header_from="ceo@contoso.com",
              would="reject", would_reason="from-not-allowed")
    r.message("M04", "19 09:00", "crm", 0, 1, header_from="news@contoso.com")
    r.message("M05", "19 09:30", "crm", 0, 1, verdict="defer", reason="limit:" + minute, code=451, signing="",
              would="reject", would_reason="rule:x", charges=[(minute, 30, 30, 2, 0)])
    r.message("M06", "19 10:00", "crm", 0, 3, verdict="hold", reason="rule:privileged")
    r.held("M06", "crm", "kept")
    r.message("M17", "19 11:40", "crm", 0, 2, verdict="hold", reason="limit:" + minute, charges=[(minute, 30, 30, 1, 1)])
    r.held("M17", "crm", "released", "20 01:00")
    r.message("M18", "19 11:50", "crm", 0, 1, verdict="hold", reason="rule:privileged")
    r.held("M18", "crm", "gone", "20 02:00")
    r.message("M19", "19 11:51", "printers", 0, 1, verdict="hold", reason="rule:privileged")
    r.held("M19", "printers", "released", "20 02:00")
    r.message("MIA", "19 11:52", "intern", verdict="hold", reason="rule:privileged")
    r.held("MIA", "intern", "released", "20 02:00")
    r.message("MIB", "19 11:53", "printers", verdict="hold", reason="rule:privileged")  # before held mail was remembered
    r.message("M07", "20 08:10", "crm", 0, 1, signatures=[("postern1", "signed"), ("postern2", "the key is gone")],
              charges=[(minute, 20, 30, 2, 1), (outside, 10, 1000, 2, 1), (outside + "-per-app", 450, 500, 2, 1, "app=crm")])
    r.message("M08", "20 08:40", "crm", 1, 1, signatures=[("postern1", "signed")], charges=[(minute, 14, 30, 2, 1)])
    # Printers by Direct Send: a large scan, one unsigned, one with a recipient on trial.
    r.message("M09", "17 09:00", "printers", size=6 * MIB)
    r.message("M10", "18 12:00", "printers", 1, 1, mode="monitor", would="reject", would_reason="direct-send-external",
              wrong="direct-send-external")
    r.message("M11", "20 09:05", "printers", signing="no-key")
    # The ERP sent until the third and is silent since.
    for k in range(12):
        r.message("M2%s" % "ABCDEFGHIJKL"[k], "%02d 07:%02d" % (2 + k // 8, k), "erp", 0, 3)
    # Others, so that sums and orders say something: a batch long ago, what seldom came, what a limit refused for good.
    for k in range(10):
        r.message("M4%d" % k, "10-20 07:%02d" % k, "erp", sender="batch@contoso.com", app="batch", method="direct-send")
    for k in range(9):
        r.message("M5%d" % k, "10-21 07:%02d" % k, "erp", app="seldom", method="direct-send")
    r.message("M12", "20 09:30", "printers", verdict="defer", reason="limit:printers/bytes-per-day", code=451, signing="")
    r.message("M13", "19 09:40", "crm", 0, 1, verdict="reject", reason="limit:crm/bytes-per-day", code=552, signing="", size=4 * MIB)
    r.message("M14", "16 09:00", "printers", signing="no-key", client="10.1.9.8")
    r.message("M15", "17 09:00", "intern")
    r.message("M16", "18 09:00", "intern", 0, 5)
    # As in the last weeks, but before any of the times that are asked for.
    old = "10-05 10:00"
    r.message("M60", old, "crm", 0, 1, signing="no-key", signatures=[("postern2", "the key is gone")], charges=[(minute, 30, 30, 0, 1)],
              mode="monitor", would="reject", would_reason="from-not-allowed", header_from="old@contoso.com", tls="TLSv1")
    r.message("M61", old, "printers", header_from="old@contoso.com", client="10.1.9.9")
    r.message("M62", old, "crm", 0, 1, verdict="hold", reason="rule:privileged", header_from="old@contoso.com")
    r.held("M62", "crm", "released", "10-06 10:00")
    r.refusal("R60", "10-05 10:00", "10-05 10:30", 8, "mail", "defer", "limit:crm/messages-per-minute", "crm")
    r.refusal("R61", "10-05 10:00", "10-05 10:30", 8, "rcpt", "reject", "direct-send-external", "printers")
    r.message("M30", "19 02:00", "cron")
    # Refusals: the first one of a kind that is refused at the end has a row among the messages.
    r.message("R01", "19 11:00", "crm", 0, 1, verdict="reject", reason="from-not-allowed", code=550, signing="",
              header_from="ceo@contoso.com")
    r.refusal("R01", "19 11:00", "19 11:30", 4, "eom", "reject", "from-not-allowed", "crm", header_from="ceo@contoso.com")
    r.refusal("R02", "17 10:30", "17 10:54", 7, "rcpt", "reject", "direct-send-external", "printers", header_from="")
    r.refusal("R03", "18 09:00", "18 09:50", 5, "mail", "defer", "limit:printers/messages-per-hour-per-client", "printers",
              header_from="", code=451, enhanced="4.7.1")
    r.refusal("R04", "20 03:00", "20 03:02", 3, "mail", "reject", "unknown-client", "", header_from="")
    r.refusal("R05", "05 10:00", "05 10:59", 100, "mail", "reject", "sender-not-accepted", "crm", header_from="")
    r.refusal("R06", "18 09:00", "18 09:20", 9, "eom", "reject", "from-missing", "printers", header_from="")
    # A recipient of M08 was refused under the id of M08, which passed; and of M05, which a limit stopped.
    r.refusal("M05", "19 09:30", "19 09:30", 1, "rcpt", "defer", "too-many-recipients", "crm", header_from="", code=452)
    r.refusal("M08", "20 08:40", "20 08:40", 1, "rcpt", "defer", "too-many-recipients", "crm", header_from="", code=452)
    # Of a minute the last 60 seconds and the slot that they touch count.
    r.limit(1, "app:crm", 0, 60, "", minute, 30, [(0, 5), (60, 7), (61, 9), (66, 3)])
    r.limit(2, "tenant:contoso", 2, 86400, "", outside, 1000, [(3600, 250), (86400, 50), (2 * 86400, 400)])
    r.limit(3, "app:printers", 0, 3600, "client=10.1.9.7", "printers/messages-per-hour-per-client", 20, [(600, 21)])
    r.limit(4, "app:erp", 3, 60, "", "erp/bytes-per-minute", 1000, [(3600, 999)])
    r.limit(5, "app:zz", 1, 60, "", "zz/recipients-per-minute", 100, [(1, 10)], 50, NOW + 3600000)
    r.limit(6, "app:past", 1, 60, "", "past/recipients-per-minute", 100, [(1, 20)], 50, NOW - 1000)
    r.limit(7, "tenant:contoso", 2, 86400, "app=crm", outside + "-per-app", 500, [(3600, 250)])
    r.tables["limit_clock"].append({"one": 1, "boot_id": "b", "latest_ms": NOW - 5000})
    return r


# What each query finds, as CSV: a row a line.
WANTED = {
    "apps-gone-silent": """
batch,10,2026-10-20T07:00:00Z,2026-10-20T07:09:00Z,31
erp,12,2026-11-02T07:00:00Z,2026-11-03T07:11:00Z,17
""",
    "day-by-app-and-hour": """
02,cron,1,1,0,0,0,0
09,crm,3,1,0,0,2,3
10,crm,1,0,1,0,0,3
11,crm,3,0,2,0,1,4
11,intern,1,0,1,0,0,0
11,printers,2,0,2,0,0,1
""",
    "deferred-by-limit": """
limit:printers/messages-per-hour-per-client,printers,10.1.9.7,5,2026-11-18T09:00:00Z,2026-11-18T09:50:00Z
too-many-recipients,crm,10.1.2.3,2,2026-11-19T09:30:00Z,2026-11-20T08:40:00Z
limit:crm/messages-per-minute,crm,10.1.2.3,1,2026-11-19T09:30:00Z,2026-11-19T09:30:00Z
limit:printers/bytes-per-day,printers,10.1.9.7,1,2026-11-20T09:30:00Z,2026-11-20T09:30:00Z
""",
    "direct-send-sources": """
10.1.9.7,printers,5,6,7,2026-11-20T09:05:00Z
,cron,1,1,0,2026-11-19T02:00:00Z
10.1.9.8,printers,1,1,0,2026-11-16T09:00:00Z
""",
    "external-recipients-by-day": """
2026-11-20,contoso,crm,3,4,4,100.0
2026-11-19,contoso,crm,1,1,1,100.0
2026-11-18,contoso,intern,1,5,6,83.3
2026-11-18,contoso,crm,1,1,6,16.7
2026-11-16,contoso,crm,1,1,1,100.0
2026-11-03,contoso,erp,4,12,12,100.0
2026-11-02,contoso,erp,8,24,24,100.0
2026-11-01,contoso,crm,1,1,1,100.0
""",
    "held": """
2026-11-19T11:53:00Z,QMIB,rule:privileged,printers,10.1.9.7,scanner@contoso.com,1,,,MIB
2026-11-19T11:52:00Z,QMIA,rule:privileged,intern,10.1.6.1,intern@contoso.com,1,released,2026-11-20T02:00:00Z,MIA
2026-11-19T11:51:00Z,QM19,rule:privileged,printers,10.1.9.7,scanner@contoso.com,1,released,2026-11-20T02:00:00Z,M19
2026-11-19T11:50:00Z,QM18,rule:privileged,crm,10.1.2.3,crm@contoso.com,1,gone,2026-11-20T02:00:00Z,M18
2026-11-19T11:40:00Z,QM17,limit:crm/messages-per-minute,crm,10.1.2.3,crm@contoso.com,2,released,2026-11-20T01:00:00Z,M17
2026-11-19T10:00:00Z,QM06,rule:privileged,crm,10.1.2.3,crm@contoso.com,3,kept,,M06
""",
    "largest-messages": """
6291456,2026-11-17T09:00:00Z,printers,10.1.9.7,scanner@contoso.com,1,accept,M09
4194304,2026-11-19T09:40:00Z,crm,10.1.2.3,crm@contoso.com,1,reject,M13
2097152,2026-11-16T08:00:00Z,crm,10.1.2.3,crm@contoso.com,1,accept,M02
1000,2026-11-16T09:00:00Z,printers,10.1.9.8,scanner@contoso.com,1,accept,M14
1000,2026-11-17T09:00:00Z,intern,10.1.6.1,intern@contoso.com,1,accept,M15
1000,2026-11-18T09:00:00Z,intern,10.1.6.1,intern@contoso.com,5,accept,M16
1000,2026-11-18T10:00:00Z,crm,10.1.2.3,crm@contoso.com,1,accept,M03
1000,2026-11-18T12:00:00Z,printers,10.1.9.7,scanner@contoso.com,2,accept,M10
1000,2026-11-19T02:00:00Z,cron,,root@contoso.com,1,accept,M30
1000,2026-11-19T09:00:00Z,crm,10.1.2.3,crm@contoso.com,1,accept,M04
1000,2026-11-19T09:30:00Z,crm,10.1.2.3,crm@contoso.com,1,defer,M05
1000,2026-11-19T10:00:00Z,crm,10.1.2.3,crm@contoso.com,3,hold,M06
1000,2026-11-19T11:00:00Z,crm,10.1.2.3,crm@contoso.com,1,reject,R01
1000,2026-11-19T11:40:00Z,crm,10.1.2.3,crm@contoso.com,2,hold,M17
1000,2026-11-19T11:50:00Z,crm,10.1.2.3,crm@contoso.com,1,hold,M18
1000,2026-11-19T11:51:00Z,printers,10.1.9.7,scanner@contoso.com,1,hold,M19
1000,2026-11-19T11:52:00Z,intern,10.1.6.1,intern@contoso.com,1,hold,MIA
1000,2026-11-19T11:53:00Z,printers,10.1.9.7,scanner@contoso.com,1,hold,MIB
1000,2026-11-20T08:10:00Z,crm,10.1.2.3,crm@contoso.com,1,accept,M07
1000,2026-11-20T08:40:00Z,crm,10.1.2.3,crm@contoso.com,2,accept,M08
""",
    "limit-use": """
printers/messages-per-hour-per-client,client=10.1.9.7,messages,3600,21,20,0,0,105.0
crm/messages-per-minute,,messages,60,12,30,0,18,40.0
contoso/external-recipients-per-day,,external-recipients,86400,300,1000,0,700,30.0
past/recipients-per-minute,,recipients,60,20,100,0,80,20.0
zz/recipients-per-minute,,recipients,60,10,100,50,140,6.7
""",
    "limit-use-over-time": """
2026-11-19T09,crm/messages-per-minute,,30,30,100.0,1
2026-11-19T11,crm/messages-per-minute,,30,30,100.0,1
2026-11-20T08,crm/messages-per-minute,,21,30,70.0,0
""",
    "new-senders": """
printers,scanner@contoso.com,10.1.9.7,6,2026-11-16T09:00:00Z
intern,intern@contoso.com,10.1.6.1,3,2026-11-17T09:00:00Z
crm,ceo@contoso.com,10.1.2.3,1,2026-11-18T10:00:00Z
cron,root@contoso.com,,1,2026-11-19T02:00:00Z
crm,news@contoso.com,10.1.2.3,1,2026-11-19T09:00:00Z
""",
    "refusals-by-reason": """
from-missing,printers,10.1.9.7,9,0,2026-11-18T09:20:00Z,R06
direct-send-external,printers,10.1.9.7,7,0,2026-11-17T10:54:00Z,R02
limit:printers/messages-per-hour-per-client,printers,10.1.9.7,5,5,2026-11-18T09:50:00Z,R03
from-not-allowed,crm,10.1.2.3,4,0,2026-11-19T11:30:00Z,R01
unknown-client,,10.9.9.9,3,0,2026-11-20T03:02:00Z,R04
too-many-recipients,crm,10.1.2.3,2,2,2026-11-20T08:40:00Z,M08
limit:crm/bytes-per-day,crm,10.1.2.3,1,0,2026-11-19T09:40:00Z,M13
limit:crm/messages-per-minute,crm,10.1.2.3,1,1,2026-11-19T09:30:00Z,M05
limit:printers/bytes-per-day,printers,10.1.9.7,1,1,2026-11-20T09:30:00Z,M12
""",
    "tls-of-clients": """
crm,10.1.2.3,TLSv1.3,,11,2026-11-20T08:40:00Z
intern,10.1.6.1,TLSv1.3,,3,2026-11-19T11:52:00Z
printers,10.1.9.7,clear text,,6,2026-11-20T09:30:00Z
printers,10.1.9.8,clear text,,1,2026-11-16T09:00:00Z
cron,,local,,1,2026-11-19T02:00:00Z
""",
    "top-talkers": """
crm,10.1.2.3,2,3,2,0.0
printers,10.1.9.7,1,1,0,0.0
""",
    "unaligned-attempts": """
from-missing,refused,printers,10.1.9.7,scanner@contoso.com,,9,2026-11-18T09:20:00Z
from-not-allowed,refused,crm,10.1.2.3,crm@contoso.com,ceo@contoso.com,4,2026-11-19T11:30:00Z
from-not-allowed,passed,crm,10.1.2.3,crm@contoso.com,ceo@contoso.com,1,2026-11-18T10:00:00Z
""",
    "unsigned-mail": """
no-key,printers,contoso.com,,,2,2026-11-20T09:05:00Z
signed,crm,contoso.com,postern2,the key is gone,1,2026-11-20T08:10:00Z
""",
    "who-sends-as-whom": """
erp,erp@contoso.com,erp@contoso.com,12,2026-11-03T07:11:00Z
crm,crm@contoso.com,crm@contoso.com,7,2026-11-20T08:40:00Z
printers,scanner@contoso.com,scanner@contoso.com,6,2026-11-20T09:05:00Z
intern,intern@contoso.com,intern@contoso.com,3,2026-11-19T11:52:00Z
crm,ceo@contoso.com,crm@contoso.com,1,2026-11-18T10:00:00Z
crm,news@contoso.com,crm@contoso.com,1,2026-11-19T09:00:00Z
cron,root@contoso.com,root@contoso.com,1,2026-11-19T02:00:00Z
""",
    "would-have-been-refused": """
reject,direct-send-external,printers,10.1.9.7,1,2,1,2026-11-18T12:00:00Z,M10
reject,from-not-allowed,crm,10.1.2.3,1,1,0,2026-11-18T10:00:00Z,M03
""",
}


def table(text):
    return list(csv.reader(io.StringIO(text.replace("\r\n", "\n"))))


class Shell:
    """The sqlite3 shell on a file."""
    name = "sqlite"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-queries-")
        self.path = os.path.join(self.folder, "audit.db")

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, text, *words):
        done = subprocess.run(["sqlite3", "-bail"] + list(words) + [self.path], input=text.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        if done.returncode != 0 or done.stderr:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode()

    def file(self, path, *before):
        """What a file of queries prints, as one runs it: read-only, the file on standard input."""
        with open(path) as f:
            return table(self.run(f.read(), "-readonly", "-csv", *[w for s in before for w in ("-cmd", s)]))

    def columns(self, view):
        return self.run("SELECT name FROM pragma_table_info('%s') ORDER BY cid;" % view).split()

    def tables(self):
        return schema.sqlite_tables()


class Psql:
    """psql on a server of our own."""
    name = "postgres"

    def __init__(self):
        self.server = postgres.Postgres()
        # A role that may only read: the views are enough for it.
        self.server.psql("-c", "CREATE ROLE auditor LOGIN")

    def close(self):
        self.server.close()

    def run(self, text, *words):
        return self.server.psql("--csv", "-t", *words, text=text.encode())

    def file(self, path, *before):
        self.server.psql("-c", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor")
        return table(self.server.psql("--csv", "-t", *[w for s in ("SET ROLE auditor", *before) for w in ("-c", s)], "-f", path))

    def columns(self, view):
        return self.run("SELECT column_name FROM information_schema.columns WHERE table_name = '%s' ORDER BY ordinal_position" %
                        view).split()

    def tables(self):
        return schema.postgres_tables()


VIEWS = re.findall(r"(?m)^CREATE VIEW (\w+) AS", schema.views("sqlite"))


def fixed_clock(now):
    """The clock itself, stopped."""
    return ("CAST({0} AS BIGINT) AS now_ms, '2026-11-20T12:00:00Z' AS now_at, "
            "CAST({0} - {0} % 86400000 AS BIGINT) AS today_ms, CAST(3600000 AS BIGINT) AS hour_ms, "
            "CAST(86400000 AS BIGINT) AS day_ms").format(now)


class Both:
    """What holds for each of the two. They are slow to start, so they are kept for all tests."""
    shell = None

    @classmethod
    def setUpClass(cls):
        cls.shell = cls.make()
        cls.shell.run(cls.shell.tables() + schema.views(cls.shell.name))
        cls.moment = (time.time(), cls.shell.run("SELECT now_ms, now_at, today_ms FROM clock;", "-csv" if cls.make is Shell else "-t"),
                      time.time())
        # Anew over what is there, as each start does.
        cls.shell.run(schema.views(cls.shell.name) + known().insert(cls.shell.name))
        cls.set_clock(NOW)

    @classmethod
    def tearDownClass(cls):
        cls.shell.close()

    def test_the_clock_is_right(self):
        before, said, after = self.moment
        now, at, today = said.strip().split(",")
        self.assertTrue(before * 1000 - 1000 <= int(now) <= after * 1000 + 1000, said)
        self.assertEqual(int(today), int(now) - int(now) % 86400000)
        self.assertEqual(at, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(now) // 1000)))

    def test_every_query_finds_what_it_should(self):
        self.assertEqual(set(schema.queries()), set(WANTED))
        for name, path in schema.queries().items():
            with self.subTest(name):
                self.assertEqual(self.shell.file(path), table(WANTED[name].strip("\n")))

    def test_another_time_can_be_asked_for(self):
        path = schema.queries()["top-talkers"]
        self.assertEqual(self.shell.file(path, schema.clock(ms("21 08:20"))),
                         [["crm", "10.1.2.3", "1", "2", "1", "0.0"], ["printers", "10.1.9.7", "1", "1", "0", "0.0"]])

    def test_use_is_seen_from_the_later_of_now_and_the_latest_charge(self):
        path = schema.queries()["limit-use"]
        self.set_clock(NOW + 60000)
        self.assertEqual([row[4] for row in self.shell.file(path) if row[0] == "crm/messages-per-minute"], ["5"])
        self.set_clock(NOW + 61000)
        self.assertEqual([row[4] for row in self.shell.file(path) if row[0] == "crm/messages-per-minute"], [])
        self.set_clock(NOW - 3600000)
        self.assertEqual([row[4] for row in self.shell.file(path) if row[0] == "crm/messages-per-minute"], ["21"])
        self.set_clock(NOW)

    def test_units_and_actions_are_words(self):
        said = self.shell.run("SELECT over FROM mail_charges WHERE message_id IN ('M05', 'M17', 'M60') ORDER BY message_id; SELECT unit FROM limit_usage ORDER BY name;")
        self.assertEqual(said.split(), ["defer", "hold", "observe", "external-recipients", "external-recipients", "messages",
                                        "bytes", "recipients", "messages", "recipients"])

    def test_the_first_of_a_kind_is_told_once(self):
        said = self.shell.run("SELECT id, stage, count FROM stopped ORDER BY id, stage;", *self.as_csv)
        self.assertEqual([" ".join(row) for row in table(said)], [
            "M05 eom 1", "M05 rcpt 1", "M08 rcpt 1", "M12 eom 1", "M13 eom 1", "R01 eom 4", "R02 rcpt 7", "R03 mail 5",
            "R04 mail 3", "R05 mail 100", "R06 eom 9", "R60 mail 8", "R61 rcpt 8"])

    def test_what_the_documents_ask_runs(self):
        """On both, though the guide's own test knows SQLite only."""
        n = 0
        for page, text in documents():
            for block in re.findall(r"(?ms)^```sql\n(.*?)^```", text) + re.findall(r"(?s)\.Bd -literal[^\n]*\n(.*?)\n\.Ed", text):
                n += 1
                with self.subTest(page, block=block):
                    self.shell.run(block)
        self.assertGreater(n, 20)

    def test_columns_are_those_of_the_manual(self):
        for view in VIEWS:
            with self.subTest(view):
                self.assertEqual(sorted(self.shell.columns(view)), sorted(documented()[view]))


class OnSqlite(Both, unittest.TestCase):
    make, as_csv = Shell, ("-csv",)

    @classmethod
    def set_clock(cls, now):
        cls.shell.run("DROP VIEW clock; CREATE VIEW clock AS SELECT %s;" % fixed_clock(now))

    def test_queries_of_a_time_read_the_rows_of_that_time(self):
        """However many there are: by an index, without statistics."""
        for name, path in schema.queries().items():
            with open(path) as f:
                text = f.read()
            plan = self.shell.run("EXPLAIN QUERY PLAN " + re.sub(r"(?m)^--.*\n", "", text))
            if "time >=" in text:
                with self.subTest(name):
                    self.assertRegex(plan, r"SEARCH (messages|refusals) USING INDEX (messages_time|refusals_last_time)")
                    self.assertNotRegex(plan, r"(SCAN (messages|refusals|recipients|charges|signatures|held|h|r)\b|AUTOMATIC)", plan)


class OnPostgres(Both, unittest.TestCase):
    make, as_csv = Psql, ()

    @classmethod
    def set_clock(cls, now):
        cls.shell.run("CREATE OR REPLACE VIEW clock AS SELECT %s;" % fixed_clock(now))


def documents():
    folder = os.path.join(TOP, "doc", "guide")
    for path in [os.path.join(folder, name) for name in sorted(os.listdir(folder))] + [os.path.join(TOP, "doc", "postern-audit.5")]:
        with open(path) as f:
            yield os.path.basename(path), f.read()


def documented():
    """{view: its columns} in postern-audit(5)."""
    with open(os.path.join(TOP, "doc", "postern-audit.5")) as f:
        text = f.read()
    found = {}
    for section in re.split(r"(?m)^\.S[sh] ", text)[1:]:
        name = section.split("\n", 1)[0]
        found[name] = [word for line in re.findall(r"(?m)^\.It Li (.*)$", section) for word in re.findall(r"\w+", line)]
    return found


class Files(unittest.TestCase):
    def test_twins_have_the_same_views_in_the_same_order(self):
        self.assertEqual(VIEWS, re.findall(r"(?m)^CREATE VIEW (\w+) AS", schema.views("postgres")))
        for dialect in ("sqlite", "postgres"):
            self.assertEqual(VIEWS[::-1], re.findall(r"(?m)^DROP VIEW IF EXISTS (\w+);", schema.views(dialect)))

    def test_each_query_says_what_it_answers_and_what_to_change(self):
        for name, path in schema.queries().items():
            with self.subTest(name), open(path) as f:
                text = f.read()
                head = re.match(r"-- SPDX.*\n-- SPDX.*\n--\n((-- .*\n)+)(SELECT|WITH) ", text)
                self.assertIsNotNone(head)
                self.assertIn("-- Change ", head.group(1))
                self.assertEqual(text.count(";\n"), 1)
                self.assertTrue(max(map(len, text.splitlines())) <= 120)


def main():
    missing = []
    if shutil.which("sqlite3") is None:
        missing.append("OnSqlite")
        print("SKIP: no sqlite3 shell is installed: the SQLite half was not run")
    if postgres.binaries() is None:
        missing.append("OnPostgres")
        print("SKIP: no PostgreSQL server is installed: the PostgreSQL half was not run")
    for name in missing:
        del globals()[name]
    done = unittest.main(exit=False).result
    if not done.wasSuccessful():
        return 1
    return 0 if not missing else 1 if os.environ.get("CI") == "true" else 77


if __name__ == "__main__":
    sys.exit(main())
