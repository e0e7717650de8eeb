#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern learn on what a real posternd in monitor mode recorded of a dozen apps
(tests/lib/dozen_apps.py), fed over the milter protocol. The audit is the daemon's;
only the times of its rows are then spread over a fortnight in the SQLite file.
usage: test_learn.py BUILD-FOLDER"""

import collections
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dozen_apps as apps  # noqa: E402
import posterntest as pt  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))
POSTERN = os.path.join(BUILD, "postern")


def run(*args, environment=None):
    return subprocess.run((POSTERN,) + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          env=dict(os.environ, **(environment or {})))


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def lines_of(lines, state):
    return sorted(x.get("client") or x.get("sender") for x in lines if x["state"] == state)


class Learn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-learn-")
        os.chmod(cls.folder, 0o755)
        cls.policy = apps.write_policy(cls.folder)
        cls.database = os.path.join(cls.folder, "postern.db")
        cls.traffic = apps.traffic()
        daemon = pt.Posternd(os.path.join(BUILD, "posternd"), cls.policy, os.path.join(cls.folder, "milter.sock"),
                             os.path.join(cls.folder, "log")).start()
        for m in cls.traffic:
            client = apps.App(os.path.join(cls.folder, "milter.sock"), m)
            verdict = client.send()
            client.close()
            if verdict != "accept":
                raise AssertionError("monitor mode let %s not pass: %s" % (m.raw, verdict))
        status = daemon.stop()
        if status != 0:
            raise AssertionError("posternd ended with %d\n%s" % (status, daemon.log()[-2000:]))
        cls.begin = int(time.time()) - 13 * apps.DAY
        with sqlite3.connect(cls.database) as db:
            for m in cls.traffic:
                done = db.execute("UPDATE messages SET time = ? WHERE message_id = ?",
                                  ((cls.begin + m.at) * 1000, m.message_id))
                if done.rowcount != 1:
                    raise AssertionError("no row of %s" % m.raw)
            cls.ids = {row[0]: row[1] for row in db.execute("SELECT id, message_id FROM messages")}
        cls.draft = os.path.join(cls.folder, "elsewhere", "draft.yaml")
        os.makedirs(os.path.dirname(cls.draft))
        cls.first = run("learn", "-c", cls.policy, "-o", cls.draft)
        cls.text = read(cls.draft) if os.path.exists(cls.draft) else ""
        cls.learned = cls.json(cls.policy)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def json(cls, policy):
        done = run("learn", "-c", policy, "--json")
        if done.returncode != 0 or done.stderr:
            raise AssertionError(done.stderr.decode())
        return json.loads(done.stdout.decode())

    def app(self, client, login=None, certificate=None):
        """The one proposed app that has this client, login and certificate."""
        found = [a for a in self.learned["apps"] if a["state"] == "new" and
                 client in lines_of(a["clients"], "new") and
                 (login in a["logins"] if login else not a["logins"]) and
                 (certificate in a["certificates"] if certificate else not a["certificates"])]
        self.assertEqual(len(found), 1, "%s %s %s: %s" % (client, login, certificate, found))
        return found[0]

    def expect(self, a, clients, senders, logins=(), method=None, tenants=("contoso",), strays=()):
        self.assertEqual(lines_of(a["clients"], "new"), sorted(clients))
        self.assertEqual(lines_of(a["senders"], "new"), sorted(senders))
        self.assertEqual(lines_of(a["senders"], "stray"), sorted(strays))
        self.assertEqual(a["logins"], list(logins))
        self.assertEqual(a["tenants"], list(tenants))
        if method:
            self.assertEqual(a["method"], method)

    def test_draft_is_written_and_passes(self):
        self.assertEqual((self.first.returncode, self.first.stderr), (0, b""))
        done = run("check", "-c", self.draft)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        self.assertIn(b"good: ", done.stdout)
        self.assertNotIn(b"never reached", done.stdout)

    def test_two_apps_behind_one_address(self):
        self.expect(self.app("10.1.2.3", "crm"), ["10.1.2.3"], ["crm@contoso.com"], ["crm"], "connector",
                    strays=["ceo@contoso.com"])
        self.expect(self.app("10.1.2.3", "erp"), ["10.1.2.3"], ["erp@contoso.com"], ["erp"], "direct-send")
        shop = self.app("10.1.2.4", certificate="shop.contoso.com")
        self.expect(shop, ["10.1.2.4"], ["bounce@fabrikam.com", "orders@fabrikam.com", "web@fabrikam.com"],
                    method="connector")
        self.expect(self.app("10.1.2.4"), ["10.1.2.4"], ["monitoring@contoso.com"], method="direct-send")

    def test_one_app_on_two_networks(self):
        self.expect(self.app("10.3.1.5"), ["10.3.1.5", "172.16.8.9"], ["noreply@contoso.com"], method="connector")
        self.expect(self.app("10.4.4.4"), ["10.4.4.4"], ["noreply@contoso.com"], method="direct-send")

    def test_pools(self):
        a = self.app("10.1.9.16/29")
        self.expect(a, ["10.1.9.16/29"], ["scanner@contoso.com"], method="direct-send")
        self.assertEqual(a["clients"][0]["seen"], 4)
        self.assertTrue([x for x in a["limits"] if "per client" in x["limit"]])
        a = self.app("10.1.10.64/29")
        self.expect(a, ["10.1.10.64/29"], ["copier-*@contoso.com"], method="direct-send")
        self.assertEqual(a["senders"][0]["addresses"], 8)

    def test_shared_address(self):
        a = self.app("10.9.0.1")
        names = "hr legal facility canteen library parking events travel reception archive".split()
        self.expect(a, ["10.9.0.1"], [n + "@contoso.com" for n in names], method="connector")
        self.assertTrue(a["shared"])
        self.assertEqual(sorted(p["senders"][0] for p in a["parts"]), sorted(n + "@contoso.com" for n in names))
        self.assertTrue([x for x in a["limits"] if "per sender" in x["limit"]])

    def test_mixed_null_local_and_other_tenant(self):
        a = self.app("10.1.3.3", "backup")
        self.expect(a, ["10.1.3.3"], ["backup@contoso.com"], ["backup"])
        self.assertTrue(a["mixed"])
        self.assertEqual(a["without_proof"], 9)
        self.assertRegex(self.text, r"- backup\n +- \"\*\"")
        self.expect(self.app("10.1.3.3", "vault"), ["10.1.3.3"], ["vault@contoso.com"], ["vault"])
        self.expect(self.app("10.1.3.4"), ["10.1.3.4"], ["<>", "autoreply@contoso.com"], method="connector")
        self.expect(self.app("10.5.5.5", "portal@globex.com"), ["10.5.5.5"], ["portal@globex.com"],
                    ["portal@globex.com"], "direct-send", ["globex"])
        self.expect(self.app("local"), ["local"], ["root@contoso.com"], method="direct-send")

    def test_known_app_is_kept(self):
        a = [x for x in self.learned["apps"] if x["state"] == "kept"]
        self.assertEqual([x["name"] for x in a], ["payroll"])
        self.assertEqual((a[0]["method"], a[0]["messages"]), ("smtp-auth", 12))
        self.assertRegex(self.text, r"kept as it stands, .*apps.d/payroll.yaml:7: 12 messages")
        self.assertRegex(self.text, r"(?s)- name: payroll.*7 messages/minute then hold.*owner: hr@contoso.com")
        self.assertIn("rules:", self.text)

    def test_nothing_else_is_proposed(self):
        new = [a["name"] for a in self.learned["apps"] if a["state"] == "new"]
        self.assertEqual(len(new), 15, new)
        self.assertEqual(len(set(new)), 15)
        self.assertEqual([a["clients"][0]["client"] for a in self.learned["apps"] if a["state"] == "stray"], ["10.77.7.7"])
        self.assertFalse([a for a in self.learned["apps"] if a["state"] == "changed"])

    def test_what_is_not_granted_is_listed(self):
        got = sorted((x["reason"], x["client"], x["messages"]) for x in self.learned["not_granted"])
        self.assertEqual(got, sorted([
            ("sender-not-accepted", "10.66.6.6", 3), ("sender-not-accepted", "10.1.2.3", 1),
            ("login-of-another-tenant", "10.5.5.5", 1), ("from-missing", "10.66.6.7", 2), ("from-multiple", "10.1.2.3", 1),
            ("from-not-accepted", "10.4.4.4", 1), ("from-not-aligned", "10.5.5.5", 1), ("sender-not-allowed", "10.4.4.4", 1),
            ("sender-not-allowed", "10.4.4.4", 1), ("rule:no-payroll-outside", "10.1.2.3", 1),
            ("login-unusual", "10.1.2.5", 1)]))
        for x in self.learned["not_granted"]:
            self.assertIn(x["example"], self.text)

    def test_peaks_and_limits(self):
        """What was measured lies between the exact use of a period and that of a period and a slot."""
        crm = self.app("10.1.2.3", "crm")
        times = sorted(m.at * 1000 for m in self.traffic if m.app == "crm")
        for limit, period, unit in (("messages/minute", 60, 1), ("messages/hour", 3600, 1), ("messages/day", 86400, 1),
                                    ("external-recipients/hour", 3600, 1)):
            found = [x for x in crm["limits"] if x["limit"].endswith(" " + limit)]
            self.assertEqual(len(found), 1, limit)

            def most(ms):
                return max(sum(t - ms < x <= t for x in times) for t in times)
            self.assertLessEqual(most(period * 1000), found[0]["peak"])
            self.assertLessEqual(found[0]["peak"], most(period * 1000 + period * 1000 // 60))
            self.assertGreaterEqual(int(found[0]["limit"].split()[0]), 2 * found[0]["peak"])
        self.assertIn("50 messages/minute", [x["limit"] for x in crm["limits"]])

    def test_inventory(self):
        clients = {c["client"]: c for c in self.learned["direct_send"]["clients"]}
        expected = {m.client or "local" for m in self.traffic if not m.login and not m.certificate}
        self.assertEqual(set(clients), expected)
        for client in expected:
            mine = [m for m in self.traffic if (m.client or "local") == client and not m.login and not m.certificate]
            self.assertEqual(clients[client]["messages"], len(mine), client)
            self.assertEqual(clients[client]["external"], sum("bob@example.net" in m.rcpts for m in mine), client)
            self.assertIn("owner", clients[client])
        broken = {x["app"]: x["messages"] for x in self.learned["direct_send"]["would_break"]}
        self.assertEqual(broken[self.app("10.1.9.16/29")["name"]], 32)
        self.assertNotIn(self.app("10.1.2.3", "crm")["name"], broken)
        self.assertNotIn("payroll", broken)

    def test_hostile_text_stays_text(self):
        a = self.app("10.1.7.7", apps.EVIL_LOGIN)
        self.expect(a, ["10.1.7.7"], ["o'neill@contoso.com"], [apps.EVIL_LOGIN])
        self.assertRegex(self.text, re.compile(r"^[\n -~]*\Z"))
        self.assertNotRegex(self.text, r"(?m)^ *listen: inet")
        self.assertNotRegex(self.text, r"(?m)^ *- name: evil")
        done = run("explain", "-c", self.draft, "--client", "10.1.7.7", "--login", apps.EVIL_LOGIN, "--json",
                   "--sender", "o'neill@contoso.com", "--rcpt", "alice@contoso.com")
        self.assertEqual(json.loads(done.stdout.decode())["app"], a["name"])

    def test_simulate_refuses_what_is_suspicious_only(self):
        """As many messages as the test made suspicious, for their reasons; each of those is refused. So no other is."""
        done = run("simulate", "--policy", self.draft, "--since", "14d", "--enforce", "--json")
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        result = json.loads(done.stdout.decode())
        self.assertEqual(result["messages"], len(self.traffic))
        self.assertEqual(result["undecidable"], 0)
        bad = {m.message_id: m.suspicious for m in self.traffic if m.suspicious}
        reasons = collections.Counter()
        for change in result["changes"]:
            self.assertEqual(change["to"]["verdict"], "reject", change)
            reasons[change["to"]["reason"]] += change["count"]
        self.assertEqual(reasons, collections.Counter(bad.values()))
        ids = {message_id: id for id, message_id in self.ids.items()}
        enforced = os.path.join(self.folder, "enforced.yaml")
        write(enforced, re.sub(r"(?m)^ *mode: monitor.*\n", "", self.text).replace("unknown-clients: monitor",
                                                                                   "unknown-clients: reject"))
        for message_id, reason in bad.items():
            done = run("explain", "-c", enforced, "--json", ids[message_id])
            self.assertEqual(json.loads(done.stdout.decode())["today"]["reason"], reason, message_id)

    def test_simulate_as_installed_refuses_nothing(self):
        done = run("simulate", "--policy", self.draft, "--since", "14d", "--json")
        self.assertEqual(json.loads(done.stdout.decode())["refused"], 0)

    def test_one_app_is_enforced_as_its_comment_says(self):
        """Below a policy that says mode: monitor itself."""
        path = os.path.join(self.folder, "crm.yaml")
        text, n = re.subn(r'(?s)(- name: crm\n.*?)mode: monitor   # change to "(mode: enforce)" to enforce the app',
                          r"\1\2", self.text, count=1)
        self.assertEqual(n, 1)
        write(path, text)
        done = run("simulate", "--policy", path, "--since", "14d", "--json")
        refused = {(x["app"], x["to"]["reason"]): x["count"] for x in json.loads(done.stdout.decode())["changes"]}
        self.assertEqual(refused, {("crm", "sender-not-accepted"): 1, ("crm", "sender-not-allowed"): 1,
                                   ("crm", "rule:no-payroll-outside"): 1})

    def test_limits_without_head_room_stop_nothing(self):
        path = os.path.join(self.folder, "tight.yaml")
        self.assertEqual(run("learn", "-c", self.policy, "--head-room", "0", "-o", path).returncode, 0)
        self.assertRegex(read(path), r"- 25 messages/minute   # peak 25,")
        done = run("simulate", "--policy", path, "--since", "14d", "--enforce", "--json")
        self.assertEqual(json.loads(done.stdout.decode())["refused"], len([m for m in self.traffic if m.suspicious]))

    def test_what_is_in_force_stays_so(self):
        policy, draft = os.path.join(self.folder, "enforce.yaml"), os.path.join(self.folder, "enforce-draft.yaml")
        write(policy, read(self.policy).replace("mode: monitor", "mode: enforce", 1))
        self.assertEqual(run("learn", "-c", policy, "-o", draft).returncode, 0)
        self.assertRegex(read(draft), r"(?m)^mode: enforce$")
        done = run("simulate", "--policy", draft, "--since", "14d", "--json")
        self.assertEqual(json.loads(done.stdout.decode())["refused"], 0)

    def test_wrong_command_lines(self):
        for args in (("--since", "someday"), ("--head-room", "-5"), ("--head-room", "5%"), ("--no-such",), ("x",)):
            self.assertEqual(run("learn", "-c", self.policy, *args).returncode, 2, args)
        self.assertEqual(run("learn", "-c", "/nonexistent.yaml").returncode, 1)
        done = run("learn", "-c", self.policy, "--until", "400d", "--since", "401d")
        self.assertEqual((done.returncode, done.stderr), (0, b"postern learn: the audit has no message of that time\n"))

    def test_again_with_the_draft_in_force(self):
        again = self.json(self.draft)
        self.assertEqual({a["state"] for a in again["apps"]}, {"kept", "stray"})
        self.assertEqual(len([a for a in again["apps"] if a["state"] == "kept"]), 16)
        for a in again["apps"]:
            if a["state"] == "kept":
                self.assertFalse(lines_of(a["senders"], "new") + lines_of(a["clients"], "new"), a)
        second = os.path.join(self.folder, "second.yaml")
        self.assertEqual(run("learn", "-c", self.draft, "-o", second).returncode, 0)
        third = os.path.join(self.folder, "third.yaml")
        self.assertEqual(run("learn", "-c", second, "-o", third).returncode, 0)

        def plain(path):
            return [line.split("   #")[0].rstrip() for line in read(path).splitlines() if not re.match(r" *#", line)]
        self.assertEqual(sorted(x.strip() for x in plain(second)), sorted(x.strip() for x in plain(third)))
        done = run("check", "-c", second)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_names_are_stable(self):
        def names(since):
            done = run("learn", "-c", self.policy, "--json", "--since", since)
            return {(a["clients"][0]["client"], tuple(a["logins"])): a["name"]
                    for a in json.loads(done.stdout.decode())["apps"] if a["state"] == "new"}
        whole, part = names("14d"), names("11d")
        self.assertGreater(len(set(whole) & set(part)), 8)
        for key in set(whole) & set(part):
            self.assertEqual(whole[key], part[key])

    def test_known_app_that_lacks_something_is_changed(self):
        """A policy that knows two of the scanners only, a method that does not reach, and one sender of two."""
        path = os.path.join(self.folder, "lacking.yaml")
        write(path, read(self.policy) + "apps:\n  - name: scan\n    tenant: contoso\n    clients: [10.1.9.17, 10.1.9.18]\n"
              "    method: direct-send\n    senders: scanner@contoso.com\n"
              "  - name: web\n    tenant: contoso\n    clients: [10.1.2.4]\n    certificates: [shop.contoso.com]\n"
              "    method: hve\n    senders: [bounce@fabrikam.com]\n"
              "  - name: reply\n    tenant: contoso\n    clients: [10.1.3.4]\n    method: connector\n"
              "    senders: [auto*@contoso.com]\n    mode: enforce\n")
        learned = {a["name"]: a for a in self.json(path)["apps"]}
        self.assertEqual(learned["scan"]["state"], "changed")
        self.assertEqual(lines_of(learned["scan"]["clients"], "new"), ["10.1.9.19", "10.1.9.23"])
        # hve reaches no outside recipients: its mail is not evidence for more senders.
        self.assertEqual((learned["web"]["state"], learned["web"]["method"]), ("kept", "hve"))
        self.assertEqual((learned["reply"]["state"], lines_of(learned["reply"]["senders"], "new")), ("changed", ["<>"]))
        draft = os.path.join(self.folder, "lacking-draft.yaml")
        self.assertEqual(run("learn", "-c", path, "-o", draft).returncode, 0)
        text = read(draft)
        self.assertRegex(text, r"- \"auto\*@contoso.com\"\n +- \"<>\"   # new: 10 messages, .*\n +mode: enforce")
        self.assertRegex(text, r"- 10.1.9.18\n +- 10.1.9.19   # 8 messages\n +- 10.1.9.23")
        self.assertEqual(run("check", "-c", draft).returncode, 0)

    def test_output_file_is_not_overwritten(self):
        before = read(self.draft)
        done = run("learn", "-c", self.policy, "-o", self.draft)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"not overwritten", done.stderr)
        self.assertEqual(read(self.draft), before)

    def test_draft_that_cannot_be_checked_is_not_handed_out(self):
        path = os.path.join(self.folder, "unchecked.yaml")
        done = run("learn", "-c", self.policy, "-o", path, environment={"TMPDIR": "/nonexistent"})
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/nonexistent", done.stderr)
        self.assertFalse(os.path.exists(path))

    def test_without_a_policy_it_says_what_is_needed(self):
        done = run("learn", "--database", "sqlite:" + self.database)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"accepted-domains:", done.stderr)
        self.assertIn(b"  contoso: contoso.com\n", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
