# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reports as Exchange Online mails them after a 250: an explanation in its own words, the status of RFC 3464, and
the message or its header."""

import base64
import quopri


def fields(*lines):
    return "".join(line + "\r\n" for line in lines)


def recipient(final, status, reply, action="failed", *more):
    return fields("Final-Recipient: rfc822;" + final, "Action: " + action, "Status: " + status, *more) + (
        "Diagnostic-Code: smtp;" + reply + "\r\n" if reply else "")


def status(*groups, reporter="AM0PR05MB0001.eurprd05.prod.outlook.com"):
    return "\r\n".join([fields("Reporting-MTA: dns;" + reporter, "Received-From-MTA: dns;relay.contoso.com",
                               "Arrival-Date: Tue, 24 Nov 2026 10:00:00 +0000")] + list(groups)) + "\r\n"


def exchange(to, status_text, returned, message_id="<6ab77777@AM0PR05MB0001.eurprd05.prod.outlook.com>", answers="",
             returned_type="message/rfc822", encoding="", status_type="message/delivery-status", more=()):
    """`returned`: the octets of the message, or of its header."""
    if encoding == "base64":
        returned = base64.encodebytes(returned).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        returned = quopri.encodestring(returned, quotetabs=False)
    text = fields(
        *more, "MIME-Version: 1.0", "From: <postmaster@contoso.com>", "To: <%s>" % to, "Date: Tue, 24 Nov 2026 10:00:05 +0000",
        "Content-Type: multipart/report; report-type=delivery-status;", "\tboundary=\"0c4b0a5b-87d9-4ef1-9a39-0a6b4b2bca11\"",
        "X-MS-Exchange-Message-Is-Ndr:", "Content-Language: en-US", "Message-ID: " + message_id,
        *(["In-Reply-To: " + answers] if answers else []), "Subject: Undeliverable: Order 4711", "Auto-Submitted: auto-replied", "",
        "--0c4b0a5b-87d9-4ef1-9a39-0a6b4b2bca11",
        "Content-Type: multipart/alternative; differences=Content-Type;", "\tboundary=\"5e0c7a19-0c4b-4ef1-9a39-000000000001\"", "",
        "--5e0c7a19-0c4b-4ef1-9a39-000000000001", "Content-Type: text/plain; charset=\"us-ascii\"",
        "Content-Transfer-Encoding: quoted-printable", "", "Delivery has failed to these recipients or groups:", "",
        "--5e0c7a19-0c4b-4ef1-9a39-000000000001", "Content-Type: text/html; charset=\"us-ascii\"",
        "Content-Transfer-Encoding: quoted-printable", "", "<html><p><b>Delivery has failed</b></p></html>", "",
        "--5e0c7a19-0c4b-4ef1-9a39-000000000001--", "", "--0c4b0a5b-87d9-4ef1-9a39-0a6b4b2bca11", "Content-Type: " + status_type, "")
    tail = fields("--0c4b0a5b-87d9-4ef1-9a39-0a6b4b2bca11", "Content-Type: " + returned_type,
                  *(["Content-Transfer-Encoding: " + encoding] if encoding else []), "")
    return (text + status_text + tail).encode() + returned + b"\r\n--0c4b0a5b-87d9-4ef1-9a39-0a6b4b2bca11--\r\n"
