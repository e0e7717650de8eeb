# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The quickstart's second half: a private Postfix, posternd, a stand-in for
Exchange Online and a dozen messages. usage: quickstart.py BUILD FOLDER"""

import os
import re
import shutil
import sys
import textwrap

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import dozen  # noqa: E402
import posterntest as pt  # noqa: E402


def send(port, row):
    client = pt.Client(port)
    try:
        client.ehlo()
        client.pretend(row[1])
        return client.message(row[2], row[3], row[4])
    finally:
        client.close()


def recorded(database, reply, answers):
    """What the audit holds of it, found by the id or queue id in the reply."""
    match = re.search(r"queued as (\S+)", answers["data"])
    if match:
        rows = pt.audit(database, "SELECT verdict, app, signing FROM messages WHERE queue_id = ?", (match.group(1),))
        return "%(verdict)s %(app)s %(signing)s" % rows[0] if rows else "nothing"
    match = re.search(r"\(id (\w+)\)", reply)

    def find():
        return pt.audit(database, "SELECT verdict, app, reason, count FROM refusals WHERE id = ?",
                        (match.group(1),)) if match else []
    try:
        pt.wait_for(find, 5)
    except TimeoutError:
        return "nothing"
    row = find()[0]
    return "%s %s" % (row["verdict"], row["reason"])


def main():
    build, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    run = os.path.join(folder, "run")
    os.makedirs(run)
    shutil.chown(run, group="postfix")
    os.chmod(run, 0o2750)
    socket_path = os.path.join(run, "milter.sock")
    policy, records = dozen.write_policy(folder, "unix:" + socket_path)
    database = os.path.join(folder, "postern.db")
    stand_in = pt.StandIn()
    daemon = pt.Posternd(os.path.join(build, "posternd"), policy, socket_path, os.path.join(folder, "posternd.log"))
    postfix = pt.Postfix(os.path.join(folder, "postfix"), "unix:" + socket_path, stand_in.port)
    rows, wrong = [], []
    try:
        daemon.start()
        postfix.start()
        for row in dozen.DOZEN:
            answers = send(postfix.port, row)
            rows.append((row, answers))
        postfix.wait_empty()
        print("%-30s %-9s %-38s %-24s %s" % ("what was sent", "reply", "reason", "signatures", "audit"))
        for row, answers in rows:
            outcome, reply = pt.outcome(answers)
            reason = (re.search(r"\[([^]]+)\]", reply) or [None, ""])[1]
            got = [m for m in stand_in.find(b"Subject", row[4].split(b"Subject: ")[1].split(b"\r\n")[0])
                   if m["sender"] == row[2]]
            signed = pt.signatures(got[0]["raw"], records) if got else []
            shown = ", ".join("%s %s" % (s[1], "good" if s[2] else "BAD") for s in signed) or "-"
            audit = recorded(database, reply, answers)
            good = (outcome == row[5] and reason == row[6] and bool(signed) == row[7] and
                    all(s[2] for s in signed) and audit != "nothing")
            if not good:
                wrong.append(row[0])
            print("%-30s %-9s %-38s %-24s %s%s" % (row[0], reply[:3] + " " + reply[4:9].strip(), reason or "-",
                                                  shown, audit, "" if good else "   <-- NOT AS EXPECTED"))
        print("\nOne refusal in full, as the app's owner sees it:\n" + textwrap.indent(textwrap.fill(
            pt.outcome(rows[5][1])[1], 100), "  "))
    finally:
        postfix.stop()
        status = daemon.stop()
        stand_in.close()
    if wrong or status != 0:
        print("\nNOT as expected: %s (posternd ended with %d)" % (", ".join(wrong) or "-", status))
        return 1
    print("\nAll %d came out as expected. The policy, the audit (postern.db, for sqlite3) and the logs stay in\n  %s"
          % (len(rows), folder))
    print("""
To point your own MTA at it (make install first; man postern.yaml, posternd, postern):
  Postfix:  smtpd_milters = unix:postern/milter.sock   non_smtpd_milters = $smtpd_milters
            milter_default_action = tempfail           smtpd_forbid_bare_newline = normalize
            smtpd_forbid_bare_newline_exclusions =
  Sendmail: INPUT_MAIL_FILTER(`postern', `S=unix:/run/postern/milter.sock, F=T, T=C:5s;S:10s;R:10s;E:5m')
  Start in trial: "mode: monitor" in postern.yaml delivers everything and records what it would have refused.""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
