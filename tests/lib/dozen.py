# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The dozen messages of the quickstart and of the end-to-end tests, and the
policy they meet."""

POLICY = """# The quickstart's policy: two apps of one tenant.
listen: {listen}
database: sqlite:{folder}/postern.db
unknown-clients: reject
tenants:
  contoso:
    accepted-domains: accepted-domains.txt
    connector-auth: ip
    next-hop: contoso-com.mail.protection.outlook.com
    upstream-pause: no  # tests answer as Exchange Online does, and go on
    licenses: 25
    limits: [tenant-rate external-recipients/day]
signing:
  contoso.com:
    - selector: postern1
      key: rsa.pem
    - selector: postern2
      key: ed25519.pem
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [crm@contoso.com, "*@fabrikam.com"]
    department: Sales
  - name: printers
    tenant: contoso
    clients: [10.1.9.0/24]
    method: direct-send
    senders: [scanner@contoso.com]
    limits: [20 messages/hour per client then hold]
  - name: alerts
    tenant: contoso
    clients: [10.1.4.4]
    method: connector
    senders: [alerts@contoso.com]
    limits: [2 messages/minute]
"""


def text(sender, to, subject, extra=""):
    return ("From: %s\r\n%sTo: <%s>\r\nSubject: %s\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
            "Message-ID: <%s@app.contoso.com>\r\n\r\nHello\r\n" % (sender, extra, to, subject,
                                                                subject.replace(" ", "-"))).encode()


# What is sent, client, envelope sender, recipients, message, expected outcome,
# a word of the reply ("" for none), signed.
DOZEN = [
    ("CRM to a customer", "10.1.2.3", "crm@contoso.com", ["bob@example.net"],
     text("Contoso CRM <crm@contoso.com>", "bob@example.net", "invoice"), "accept", "", True),
    ("CRM as another company of ours", "10.1.2.3", "orders@fabrikam.com", ["bob@example.net"],
     text("crm@contoso.com", "bob@example.net", "order"), "accept", "", True),
    ("CRM forging the boss in From", "10.1.2.3", "crm@contoso.com", ["bob@example.net"],
     text("The Boss <ceo@contoso.com>", "bob@example.net", "pay this"), "reject", "from-not-allowed", False),
    ("CRM as somebody else's domain", "10.1.2.3", "ceo@evil.example", ["bob@example.net"],
     text("crm@contoso.com", "bob@example.net", "spoof"), "reject", "sender-not-accepted", False),
    ("printer to a colleague", "10.1.9.7", "scanner@contoso.com", ["alice@contoso.com"],
     text("Scanner <scanner@contoso.com>", "alice@contoso.com", "scan"), "accept", "", True),
    ("printer to the outside", "10.1.9.7", "scanner@contoso.com", ["bob@example.net"],
     text("scanner@contoso.com", "bob@example.net", "scan outside"), "reject", "direct-send-external", False),
    ("printer to both", "10.1.9.7", "scanner@contoso.com", ["alice@contoso.com", "bob@example.net"],
     text("scanner@contoso.com", "alice@contoso.com", "scan for two"), "reject", "direct-send-external", True),
    ("an unknown client", "10.9.9.9", "crm@contoso.com", ["alice@contoso.com"],
     text("crm@contoso.com", "alice@contoso.com", "who am I"), "reject", "unknown-client", False),
    ("two From fields", "10.1.2.3", "crm@contoso.com", ["bob@example.net"],
     text("crm@contoso.com", "bob@example.net", "two", "From: ceo@contoso.com\r\n"),
     "reject", "from-multiple", False),
    ("alerts, first of two a minute", "10.1.4.4", "alerts@contoso.com", ["ops@contoso.com"],
     text("alerts@contoso.com", "ops@contoso.com", "disk 1"), "accept", "", True),
    ("alerts, second", "10.1.4.4", "alerts@contoso.com", ["ops@contoso.com"],
     text("alerts@contoso.com", "ops@contoso.com", "disk 2"), "accept", "", True),
    ("alerts, third: over the limit", "10.1.4.4", "alerts@contoso.com", ["ops@contoso.com"],
     text("alerts@contoso.com", "ops@contoso.com", "disk 3"), "tempfail", "limit:alerts/messages-per-minute",
     False),
]


def write_policy(folder, listen):
    """The policy and what it names, in this folder; the keys' DNS records."""
    import os
    import posterntest as pt
    records = {}
    for selector, kind in (("postern1", "rsa"), ("postern2", "ed25519")):
        _, record = pt.make_key(folder, kind + ".pem", kind)
        records[("%s._domainkey.contoso.com." % selector).encode()] = record
    with open(os.path.join(folder, "accepted-domains.txt"), "w") as f:
        f.write("contoso.com\nfabrikam.com\n")
    path = os.path.join(folder, "postern.yaml")
    with open(path, "w") as f:
        f.write(POLICY.format(listen=listen, folder=folder))
    return path, records


def check_delivered(test):
    """Of the dozen the stand-in got those it should, each with both signatures
    good, and none of a printer's mail went outside. `test` is a TestCase with
    stand_in and records."""
    import posterntest as pt
    for row in DOZEN:
        subject = row[4].split(b"Subject: ")[1].split(b"\r\n")[0]
        got = [m for m in test.stand_in.find(b"Subject", subject) if m["sender"] == row[2]]
        with test.subTest(row[0]):
            test.assertEqual(len(got), 1 if row[7] else 0)
            for m in got:
                signed = pt.signatures(m["raw"], test.records)
                test.assertEqual(sorted(s[1] for s in signed), ["postern1", "postern2"])
                test.assertTrue(all(s[2] for s in signed), signed)
                test.assertNotIn("bob@example.net", m["recipients"] if row[1].startswith("10.1.9") else [])
