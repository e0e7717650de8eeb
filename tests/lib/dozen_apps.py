# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""A fortnight of mail of a dozen undocumented apps, for the tests of postern
learn: what they are, what they send when, and what somebody else tries."""

import os

import posterntest as pt

DAY, HOUR, MINUTE = 86400, 3600, 60

POLICY = """# The policy that is there: everything is watched, one app is known.
listen: unix:{folder}/milter.sock
database: sqlite:postern.db
mode: monitor
unknown-clients: monitor
include: apps.d/*.yaml
audit:
  durability: process
tenants:
  contoso:
    accepted-domains: contoso.txt
    connector-auth: certificate
    next-hop: contoso-com.mail.protection.outlook.com
    licenses: 25
rules:
  - name: no-payroll-outside
    recipients: external
    subject: '/\\bpayslips\\b/i'
    action: reject
"""
INCLUDED = """tenants:
  globex:
    accepted-domains: [globex.txt]
    connector-auth: ip
    next-hop: globex-com.mail.protection.outlook.com
apps:
  - name: payroll
    tenant: contoso
    clients: 10.1.8.8
    method: smtp-auth
    senders: [payroll@contoso.com]
    limits: [7 messages/minute then hold]
    owner: hr@contoso.com
"""

# A login and a HELO name that try to get out of their string and their line.
EVIL_LOGIN = "o'neill\" # \n  - name: evil\n    logins: ['x"
EVIL_HELO = "x\nlisten: inet:1@0.0.0.0"


class Message:
    """One message: who sends it, when (seconds after the beginning), and whether the draft may refuse it."""
    count = 0

    def __init__(self, app, client, at, sender, rcpts, subject, header_from=None, login=None, certificate=None,
                 helo="client.example", host="app.contoso.com", extra="", suspicious="", raw=None, local=False):
        Message.count += 1
        self.id = "%06d" % Message.count
        self.app, self.client, self.at, self.sender, self.rcpts = app, client, at, sender, rcpts
        self.login, self.certificate, self.helo, self.suspicious, self.local = login, certificate, helo, suspicious, local
        self.message_id = "<%s@%s>" % (self.id, host)
        self.raw = raw or ("From: %s\r\n%sTo: <%s>\r\nSubject: %s\r\nMessage-ID: %s\r\n\r\nHello\r\n" % (
            header_from or sender, extra, rcpts[0], subject, self.message_id)).encode()
        if raw:
            self.raw = raw.replace(b"@ID@", self.message_id.encode())


INSIDE, OUTSIDE = ["alice@contoso.com"], ["bob@example.net", "alice@contoso.com"]


def traffic():
    """All messages, in no order."""
    m = []

    def spread(n, make, start=HOUR, step=7 * HOUR):
        for i in range(n):
            m.append(make(i, start + i * step))

    # Two apps behind one address, told apart by their logins; crm has a burst: 25 in 50 seconds.
    spread(30, lambda i, t: Message("crm", "10.1.2.3", t, "crm@contoso.com", OUTSIDE, "Offer %d" % i, login="crm"))
    spread(25, lambda i, t: Message("crm", "10.1.2.3", t, "crm@contoso.com", OUTSIDE, "Offer %d" % i, login="CRM"),
           5 * DAY + 61, 2)
    spread(30, lambda i, t: Message("erp", "10.1.2.3", t, "erp@contoso.com", INSIDE, "Order %d" % i, login="erp"))
    # Two behind another, told apart by a certificate; shop writes three addresses.
    spread(24, lambda i, t: Message("shop", "10.1.2.4", t, "bounce@fabrikam.com", OUTSIDE, "Your order %d" % i,
                                    header_from="Shop <orders@fabrikam.com>", extra="Sender: web@fabrikam.com\r\n",
                                    certificate="shop.contoso.com"))
    spread(30, lambda i, t: Message("alarms", "10.1.2.4", t, "monitoring@contoso.com", INSIDE, "DOWN: host%d" % i))
    # One app on two networks, and another one that uses the same sender.
    for client, n in (("10.3.1.5", 20), ("172.16.8.9", 12)):
        spread(n, lambda i, t: Message("newsletter", client, t, "noreply@contoso.com", ["bob@example.net"],
                                       "Newsletter of day %d" % i, host="news%s.contoso.com" % client[-1],
                                       helo="news%s.contoso.com" % client[-1]), 2 * HOUR)
    spread(22, lambda i, t: Message("tickets", "10.4.4.4", t, "noreply@contoso.com", INSIDE, "[Ticket #%d] opened" % i,
                                    host="otrs.contoso.com", helo="otrs.contoso.com"))
    # A pool of devices with one sender, dense; another whose senders are numbered.
    for last in (17, 18, 19, 23):
        spread(8, lambda i, t: Message("scanner", "10.1.9.%d" % last, t, "scanner@contoso.com", INSIDE,
                                       "Scan from floor %d" % (last % 4), helo="mfp%d" % last, host="10.1.9.%d" % last))
    for last in range(64, 72):
        spread(4, lambda i, t: Message("copier", "10.1.10.%d" % last, t, "copier-%d@contoso.com" % (last + 37), INSIDE,
                                       "Copy %d" % i, helo="copier%d" % last, host="copier%d.contoso.com" % last), 3 * HOUR)
    # Many programs behind one address.
    for i, name in enumerate("hr legal facility canteen library parking events travel reception archive".split()):
        spread(3 + i % 3, lambda j, t: Message("nat", "10.9.0.1", t, name + "@contoso.com", OUTSIDE if i % 2 else INSIDE,
                                               "%s notice %d" % (name, j), helo=name + ".branch.contoso.com",
                                               host=name + ".contoso.com"), (i + 1) * HOUR)
    # One that logs in at times only, one with null senders, one of another tenant, mail of the relay itself.
    spread(26, lambda i, t: Message("backup", "10.1.3.3", t, "backup@contoso.com", INSIDE, "Backup ok %d" % i,
                                    login="backup" if i % 3 else None))
    spread(20, lambda i, t: Message("autoreply", "10.1.3.4", t, "" if i % 2 else "autoreply@contoso.com", OUTSIDE, "Re: %d" % i,
                                    header_from="Reply <autoreply@contoso.com>"))
    spread(18, lambda i, t: Message("portal", "10.5.5.5", t, "portal@globex.com", ["carol@globex.com"], "Welcome %d" % i,
                                    login="portal@globex.com", host="portal.globex.com"))
    spread(10, lambda i, t: Message("root", "", t, "root@contoso.com", INSIDE, "Cron %d" % i, local=True))
    # A login at an address where another app comes without one.
    spread(7, lambda i, t: Message("vault", "10.1.3.3", t, "vault@contoso.com", INSIDE, "Sealed %d" % i, login="vault"))
    # Hostile names, good mail.
    spread(6, lambda i, t: Message("oneill", "10.1.7.7", t, "o'neill@contoso.com", INSIDE, "\"quoted\" # not a comment \\",
                                   login=EVIL_LOGIN, helo=EVIL_HELO))
    # The app that the policy has.
    spread(12, lambda i, t: Message("payroll", "10.1.8.8", t, "payroll@contoso.com", OUTSIDE, "Payment %d" % i))

    def bad(why, *args, **more):
        m.append(Message("", args[0], 6 * DAY + len(m), *args[1:], suspicious=why, **more))

    for i in range(3):
        bad("unknown-client", "10.66.6.6", "spam@evil.example", OUTSIDE, "Buy %d" % i)
    bad("sender-not-accepted", "10.1.2.3", "ceo@evil.example", OUTSIDE, "pay this", login="crm")
    bad("sender-not-accepted", "10.5.5.5", "boss@contoso.com", INSIDE, "hello", login="portal@globex.com")
    for i in range(2):
        bad("unknown-client", "10.66.6.7", "legal@contoso.com", INSIDE, "x",
            raw=b"To: <alice@contoso.com>\r\nMessage-ID: @ID@\r\n\r\nno From\r\n")
    bad("from-multiple", "10.1.2.3", "erp@contoso.com", INSIDE, "two", extra="From: ceo@contoso.com\r\n", login="erp")
    bad("from-not-accepted", "10.4.4.4", "noreply@contoso.com", INSIDE, "[Ticket] x", header_from="boss@partner.example",
        host="otrs.contoso.com")
    bad("from-not-aligned", "10.5.5.5", "portal@globex.com", ["carol@globex.com"], "cross", header_from="ceo@contoso.com",
        login="portal@globex.com")
    bad("unknown-client", "10.77.7.7", "ceo@contoso.com", INSIDE, "once")                    # a stray client
    bad("sender-not-allowed", "10.1.2.3", "ceo@contoso.com", OUTSIDE, "once", login="crm")   # a stray sender
    bad("sender-not-allowed", "10.4.4.4", "a*@contoso.com", INSIDE, "star")                  # a local part that is no pattern
    bad("sender-not-allowed", "10.4.4.4", "\"x\ty\\\" # - '\"@contoso.com".replace("\t", " "), INSIDE, "quoted")
    bad("unknown-client", "10.1.2.5", "crm@contoso.com", INSIDE, "any", login="c*")          # a login that matches others
    bad("rule:no-payroll-outside", "10.1.2.3", "crm@contoso.com", OUTSIDE, "your payslips", login="crm")
    return m


class App(pt.MilterClient):
    """A client of the milter with a name, login and certificate."""

    def __init__(self, path, m):
        super().__init__(path)
        self.m = m
        self.packet(b"O", (6).to_bytes(4, "big") + (0x1ff).to_bytes(4, "big") + (0x1fffff).to_bytes(4, "big"))
        self.answer()
        address = "127.0.0.1" if m.local else m.client
        self.packet(b"D", b"Cj\0relay.contoso.com\0{client_addr}\0" + address.encode() + b"\0{client_port}\0" +
                    (b"0\0" if m.local else b"4711\0"))
        self.packet(b"C", b"localhost\0" + b"4" + (0 if m.local else 1234).to_bytes(2, "big") + address.encode() + b"\0")
        if not m.local:
            self.packet(b"H", m.helo.encode() + b"\0")

    def send(self):
        macros = b""
        if self.m.login:
            macros += b"{auth_authen}\0" + self.m.login.encode() + b"\0"
        if self.m.certificate:
            macros += b"{tls_version}\0TLSv1.3\0{cert_subject}\0" + self.m.certificate.encode() + b"\0"
        if self.m.local:
            macros += b"i\0QUEUEID\0"
        self.packet(b"D", b"M" + macros)
        return self.message(self.m.sender, self.m.rcpts, self.m.raw)[0]


def write_policy(folder):
    os.makedirs(os.path.join(folder, "apps.d"), exist_ok=True)
    for name, text in (("contoso.txt", "contoso.com\nfabrikam.com\n"), ("globex.txt", "globex.com\n"),
                       ("apps.d/payroll.yaml", INCLUDED), ("postern.yaml", POLICY.format(folder=folder))):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    return os.path.join(folder, "postern.yaml")
