# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""What postern explain says of a row of the corpus, held against what the
daemon did with it: its replies and its audit.

explain gets what an admin would type, so it cannot know what only the MTA
says: how the MTA understood the addresses ({mail_addr}, {rcpt_addr}), by which
mailer a recipient leaves, the queue id and the audit id. The corpus has no row
that is decided by one of the former; the latter two stand in no trace. Limits
are held against their use in the store, which explain does not open; rows with
a rate are left out. What the MTA refuses itself, or cuts before the milter sees
it, is said below."""

import collections
import json
import os
import re
import subprocess

import posterntest as pt

REPLY = re.compile(r"(?s)(\d{3}) (\d\.\d+\.\d+) \[([^\]]+)\] (.*) \(id ([0-9A-Z]{26})\)$")
# Postfix refuses these before it asks the milter: the verdict is all there is.
OWN = re.compile(r"501 5\.1\.[37] Bad (sender|recipient) address syntax$")
# Postfix cuts a field here, explain reads it whole: texts that count its octets differ.
FIELD_CUT = 60000
# How many answers were held against what.
compared = collections.Counter()
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def octets(s):
    return s.encode("latin-1")


def can_explain(row):
    texts = [row["envelope_from"]] + row["rcpts"]
    return row["send"] == "data" and not row.get("inject") and "rate_limit" not in row and \
        len(row["rcpts"]) < 100 and not any("\0" in t for t in texts) and "\0" not in row["raw_message"] and \
        row["id"] and not re.search(r"[^\r]\n|\r[^\n]", row["raw_message"])


def ask(bench, row):
    """The JSON of postern explain, or what is wrong."""
    path = os.path.join(bench.folder, "message")
    with open(path, "wb") as f:
        f.write(octets(row["raw_message"]))
    command = [os.path.join(bench.build, "postern"), "explain", "-c", bench.policy, "--json", "--client",
               row["client_ip"], "--relay", "relay.contoso.com", "--sender", "<%s>" % row["envelope_from"]]
    if row["auth_user"]:
        command += ["--login", row["auth_user"]]
    for recipient in row["rcpts"]:
        command += ["--rcpt", "<%s>" % recipient]
    done = subprocess.run([octets(c) for c in command] + [path.encode()], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    if done.returncode != 0:
        return None, "explain ends with %d: %s" % (done.returncode, done.stderr.decode()[-300:])
    return json.loads(done.stdout), None


def deciding(answers):
    """(stage, reply) that decided the message as a whole."""
    if answers["data"]:
        return "eom", answers["data"]
    if answers["rcpt"]:
        return "rcpt", answers["rcpt"][-1]
    return "mail", answers["mail"]


def difference(what, mine, theirs):
    if mine == theirs:
        return None
    if isinstance(mine, list):
        mine, theirs = ["\n  ".join([""] + [str(x) for x in part]) for part in (mine, theirs)]
    return "explain's %s: %s\ndaemon's: %s" % (what, mine, theirs)


def differences(pairs):
    """The first of (what, explain's, daemon's) that are not the same."""
    return next((d for d in (difference(*p) for p in pairs) if d), None)


def check_recipients(said, answers):
    """Each RCPT was answered for the reason that explain gives."""
    replies = [REPLY.match(r) for r in answers["rcpt"]]
    theirs = [(r[:1] == "2", m.group(3) if m else "") for r, m in zip(answers["rcpt"], replies)]
    mine = [(r["accepted"], "" if r["accepted"] else r["reason"]) for r in said["recipients"]]
    return difference("recipients", mine, theirs)


def check_stored(bench, said, where, value):
    """The audit row of this very message: its facts, and its trace."""
    def rows():
        return pt.audit(bench.database, "SELECT * FROM messages WHERE %s = ?" % where, (value,))
    try:
        pt.wait_for(rows, 5, "the row")
    except TimeoutError:
        return "there is no row in messages with %s %s" % (where, value)
    row = rows()[0]

    def listed(table, *columns):
        return [tuple(r[c] for c in columns) for r in pt.audit(
            bench.database, "SELECT * FROM %s WHERE message_id = ? ORDER BY number" % table, (row["id"],))]
    trace = [" ".join([t["stage"], t["question"], t["answer"], t["detail"]]).rstrip() for t in said["trace"]]
    compared["trace"] += 1
    return differences([
        ("trace", trace, row["trace"].splitlines()),
        ("decision", [said[k] for k in ("verdict", "reason", "code", "enhanced", "text", "would", "would_reason", "would_text", "app", "tenant")],
         [row[k] for k in ("verdict", "reason", "code", "enhanced", "text", "would", "would_reason", "would_text", "app", "tenant")]),
        ("recipients", [(r["address"], r["place"], int(r["accepted"]), r["reason"]) for r in said["recipients"]],
         listed("recipients", "address", "place", "accepted", "reason")),
        ("signatures", [(s["domain"], s["selector"], s["algorithm"], "signed" if s["made"] else s["error"])
                        for s in said["signatures"]],
         listed("signatures", "domain", "selector", "algorithm", "result")),
        ("limits", [(c["name"], c["key"], c["count"], c["amount"]) for c in said["limits"]],
         listed("charges", "name", "key", "count", "amount")),
    ])


def is_new(identifier, began_ms):
    """Whether an audit id (a ULID) was made since then: then this message is the
    first of its kind; otherwise the id is that of an earlier one."""
    time = 0
    for c in identifier[:10]:
        time = time * 32 + CROCKFORD.index(c)
    return time >= began_ms


def check_refused(bench, said, stage, reply, began_ms, is_cut):
    match = REPLY.match(reply)
    if match is None:
        return "the reply is not one of Postern's: %r" % reply
    code, enhanced, reason, text, identifier = match.groups()
    wrong = difference("decision", [said["code"], said["enhanced"], said["reason"], is_cut or said["text"]],
                       [int(code), enhanced, reason, is_cut or text])
    if wrong or is_cut:
        return wrong
    compared["refusal"] += 1

    def counted():
        return pt.audit(bench.database, "SELECT * FROM refusals WHERE id = ? AND reason = ? AND stage = ?",
                        (identifier, reason, stage))
    try:
        pt.wait_for(counted, 5, "the count")
    except TimeoutError:
        return "%s %s %s is not counted in refusals" % (identifier, reason, stage)
    columns = ["verdict", "reason", "code", "enhanced", "app", "tenant"]
    if is_new(identifier, began_ms):
        columns.append("text")  # of those counted along, only the first one's text is kept
    wrong = difference("refusal", [said[c] for c in columns], [counted()[0][c] for c in columns])
    if wrong or stage != "eom" or not is_new(identifier, began_ms):
        return wrong
    return check_stored(bench, said, "id", identifier)


def check(bench, row, answers, began_ms):
    """What is wrong, or None. began_ms: a time before the message was sent."""
    said, wrong = ask(bench, row)
    if wrong:
        return wrong
    is_cut = any(len(f) > FIELD_CUT for f in re.split(r"\r\n(?![ \t])", row["raw_message"].split("\r\n\r\n")[0]))
    compared["verdict"] += 1
    stage, reply = deciding(answers)
    got = {"accept": "accept", "hold": "accept", "discard": "accept", "reject": "reject", "defer": "tempfail"}.get(said["verdict"], said["verdict"])
    real = {"2": "accept", "4": "tempfail", "5": "reject"}.get(reply[:1], reply)
    if OWN.match(reply) or (is_cut and got == real == "accept"):
        return None
    if got != real:
        return "explain says %s, the daemon %s: %s" % (got, real, reply)
    wrong = check_recipients(said, answers)
    if wrong:
        return wrong
    if real != "accept":
        return check_refused(bench, said, stage, reply, began_ms, is_cut)
    match = re.search(r"queued as (\S+)", reply)
    return check_stored(bench, said, "queue_id", match.group(1)) if match else "no queue id in: " + reply
