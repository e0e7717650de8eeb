#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern metrics: its numbers, its bounds, and that Prometheus reads it; the alerts and the dashboard of
contrib/ rest on metrics that there are. Where promtool and prometheus are not installed those parts are
skipped, with CI=true failed."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import schema  # noqa: E402

BUILD = os.getcwd()
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RULES = os.path.join(TOP, "contrib", "prometheus", "postern.rules.yml")
HOUR = 3600000
HOSTILE = 'a"b\\c\nd\x1b{x="y"} 7 # \u202e'
POLICY = """listen: unix:/tmp/none.sock
database: sqlite:%s/audit.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    next-hop: mx.example
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.2.3]
    method: connector
    senders: [crm@contoso.com]
    limits: [100 messages/hour, 1000 recipients/day, 30 messages/minute per sender]
"""


def parse(text):
    """{(name, labels): value}; each series once, each metric with its type before it."""
    found, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, name
            types[name] = kind
        elif not line.startswith("#"):
            m = re.fullmatch(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\})? ([0-9.]+)', line)
            assert m, line
            name = m.group(1)
            assert name in types or re.sub("_(bucket|sum|count)$", "", name) in types, name
            labels = tuple(re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', m.group(2) or ""))
            assert (name, labels) not in found, line
            found[name, labels] = float(m.group(3))
    return found


def need(test, program):
    path = shutil.which(program)
    if path is None and os.environ.get("CI") == "true":
        test.fail(program + " is not installed")
    if path is None:
        test.skipTest(program + " is not installed")
    return path


class Metrics(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="postern-metrics-")
        self.addCleanup(shutil.rmtree, self.folder)
        with open(self.folder + "/accepted.txt", "w") as f:
            f.write("contoso.com\n")
        os.utime(self.folder + "/accepted.txt", (1700000000, 1700000000))
        self.policy = self.folder + "/postern.yaml"
        with open(self.policy, "w") as f:
            f.write(POLICY % self.folder)
        os.utime(self.policy, (1710000000, 1710000000))
        self.audit = schema.Database(self.folder + "/audit.db")
        for table in ("messages", "recipients", "charges", "signatures", "refusals", "rule_matches"):
            self.audit.db.execute("DROP TABLE " + table)
        now = int(time.time() * 1000)
        self.audit.add("limit_clock", one=1, boot_id="", anchor_wall_ms=0, anchor_boot_ms=0, latest_ms=now)
        self.audit.add("limits", id=1, scope="app:crm", unit=0, period=3600, key="", name="crm/messages-per-hour", count=100)
        self.audit.add("limits", id=2, scope="app:crm", unit=0, period=60, key="sender=a", name="x", count=30)
        self.audit.add("limits", id=3, scope="app:crm", unit=0, period=60, key="sender=b", name="x", count=30)
        for limit, period, used in ((1, 3600, 93), (2, 60, 3), (3, 60, 11)):
            self.audit.add("limit_use", limit_id=limit, slot=now * 60 // (period * 1000), used=used)
        self.total("crm", 60, first=1000, signing="no-key", within=(10, 20, 30, 40, 50, 60, 60), us=1234567, external=5)
        self.total("crm", 7, verdict="reject", reason="from-not-allowed", first=2000, counted=7)
        self.total(HOSTILE, 5, verdict="defer", reason="limit:x", first=3000, would="accept", within=(5,) * 7)
        for n, (state, app) in enumerate((("waiting", "crm"), ("kept", "crm"), ("waiting", "crm"), ("released", "crm"), ("granted", ""))):
            self.audit.add("held", number=n + 1, message_id=str(n), relay="r%d" % (n % 2), app=app, state=state)
        self.audit.db.executemany("INSERT INTO timings VALUES (?, ?, ?, ?, 1, 2, 3, 4, 5, 6, 6, ?, ?)", [
            ("r", "admit", 7, 3500000, 9, 1720000000000), ("r", "sign", 6, 1000, 0, 1720000000000), (HOSTILE, "admit", 6, 5, 1, 1720000000000)])
        self.audit.db.commit()
        followed = sqlite3.connect(self.folder + "/audit.db-deliveries")
        schema.follower_tables(followed)
        followed.executemany("INSERT INTO delivery_counts VALUES (?, ?, ?, ?, ?, ?)", [
            ("r", "try", ",contoso,", "sent", "", 90), ("r", "try", ",contoso,", "bounced", "quota", 3), ("r", "try", ",a,b,", "deferred", "retry", 2),
            ("r", "try", "", "deferred", "none", 1), ("r", "report", "", "failed", "quota", 4), (HOSTILE, "file", "", "other", "", 7)])
        now = int(time.time() * 1000)
        followed.executemany("INSERT INTO upstream VALUES (?, ?, '', ?, 1, ?, 'no', ?, ?, 1, ?)", [
            ("contoso", "", "tenant-quota", 86400000, now, now, 0), ("contoso", "@contoso.com", "relay-access-denied", 0, now, now, 0),
            ("contoso", "", "tenant-blocked", 0, now - 9000000, now - 9000000, now), ("elsewhere", "", "tenant-blocked", 0, now, now, 0)])
        followed.execute("INSERT INTO follower_state VALUES ('r', 1720000000999, 61500)")
        followed.commit()
        followed.close()

    def total(self, app, n, verdict="accept", reason="", would=None, first=1, signing="signed", counted=0, within=(0,) * 7, us=0, external=0):
        names = ["within_1ms", "within_2ms", "within_5ms", "within_10ms", "within_50ms", "within_250ms", "within_1s"]
        self.audit.add("hours", hour=0, relay="r", app=app, verdict=verdict, reason=reason, would=would or verdict, would_reason=reason, mode="enforce",
                       signing=signing, messages=n, counted=counted, external=external, first_time=first, last_time=first * 1000, decide_us=us,
                       **dict(zip(names, within)))

    def metrics(self, status=0):
        done = subprocess.run([os.path.join(BUILD, "postern"), "metrics", "-c", self.policy], capture_output=True)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return (done.stdout if status == 0 else done.stderr).decode()

    def test_numbers(self):
        found = parse(self.metrics())
        hostile = HOSTILE.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        messages = {labels: n for (name, labels), n in found.items() if name == "postern_messages_total"}
        self.assertEqual(messages, {
            (("app", "crm"), ("verdict", "accept"), ("reason", "")): 60,
            (("app", "crm"), ("verdict", "reject"), ("reason", "from-not-allowed")): 7,
            (("app", hostile), ("verdict", "defer"), ("reason", "limit:x")): 5})
        for name, n in (("unsigned_messages_total", 60), ("trial_messages_total", 5), ("external_recipients_total", 5), ("limits_left_out", 0),
                        ("decision_seconds_sum", 1.234567), ("decision_seconds_count", 65), ("last_message_timestamp_seconds", 3000),
                        ("policy_timestamp_seconds", 1710000000)):
            self.assertEqual(found["postern_" + name, ()], n, name)
        self.assertEqual([found["postern_decision_seconds_bucket", (("le", le),)] for le in ("0.001", "0.002", "0.005", "0.01", "0.05", "0.25", "1", "+Inf")],
                         [15, 25, 35, 45, 55, 65, 65, 65])
        self.assertEqual(found["postern_accepted_domains_timestamp_seconds", (("tenant", "contoso"),)], 1700000000)
        self.assertEqual({labels: n for (name, labels), n in found.items() if name == "postern_held_messages"}, {
            (("app", "crm"), ("state", "waiting")): 2, (("app", "crm"), ("state", "kept")): 1, (("app", ""), ("state", "granted")): 1})
        used = {labels[0][1]: n for (name, labels), n in found.items() if name == "postern_limit_used"}
        self.assertEqual([used["crm/messages-per-hour"], used["crm/messages-per-minute-per-sender"], used["crm/recipients-per-day"]], [93, 11, 0])
        self.assertEqual(found["postern_limit_allowed", (("limit", "crm/messages-per-hour"), ("unit", "messages"))], 100)

    def test_what_posternd_notes_of_itself(self):
        found = parse(self.metrics())
        hostile = HOSTILE.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        for name, labels, n in (("admit_seconds_bucket", (("relay", "r"), ("le", "0.001")), 1), ("admit_seconds_bucket", (("relay", "r"), ("le", "1")), 6),
                                ("admit_seconds_bucket", (("relay", "r"), ("le", "+Inf")), 7), ("admit_seconds_sum", (("relay", "r"),), 3.5),
                                ("admit_seconds_count", (("relay", "r"),), 7), ("sign_seconds_bucket", (("relay", "r"), ("le", "0.002")), 2),
                                ("sign_seconds_count", (("relay", "r"),), 6), ("writer_queue", (("relay", "r"),), 9),
                                ("writer_queue", (("relay", hostile),), 1)):
            self.assertEqual(found["postern_" + name, labels], n, name)

    def test_what_followers_count(self):
        found = parse(self.metrics())
        self.assertEqual({labels: n for (name, labels), n in found.items() if name == "postern_upstream_tries_total"}, {
            (("relay", "r"), ("tenant", "contoso"), ("status", "sent"), ("class", "")): 90,
            (("relay", "r"), ("tenant", "contoso"), ("status", "bounced"), ("class", "quota")): 3,
            (("relay", "r"), ("tenant", "a,b"), ("status", "deferred"), ("class", "retry")): 2,
            (("relay", "r"), ("tenant", ""), ("status", "deferred"), ("class", "none")): 1})
        hostile = HOSTILE.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        for name, labels, n in (("upstream_pauses", (("tenant", "contoso"),), 2), ("upstream_reports_total", (("relay", "r"), ("action", "failed"), ("class", "quota")), 4),
                                ("report_files_total", (("relay", hostile), ("kind", "other")), 7),
                                ("follow_seen_timestamp_seconds", (("relay", "r"),), 1720000000), ("follow_behind_seconds", (("relay", "r"),), 61)):
            self.assertEqual(found["postern_" + name, labels], n, name)
        for name in ("audit.db", "audit.db-deliveries"):
            label = "deliveries" if name.endswith("-deliveries") else "audit"
            size = sum(os.path.getsize(self.folder + "/" + name + end) for end in ("", "-wal") if os.path.exists(self.folder + "/" + name + end))
            self.assertEqual(found["postern_database_bytes", (("database", label),)], size)
        # Without a follower, and with one whose file is older than this version.
        for prepare in (lambda path: self.set_version(path, 1), os.remove):
            prepare(self.folder + "/audit.db-deliveries")
            names = {name for name, _ in parse(self.metrics())}
            self.assertIn("postern_messages_total", names)
            self.assertNotIn("postern_upstream_tries_total", names)

    @staticmethod
    def set_version(path, n):
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = %d" % n)
        db.close()

    def test_bounds(self):
        """Beyond 2000 series there is "other", and those that were first stay when others grow."""
        for i in range(2500):
            self.total("app%d" % i, 1 if i < 1990 else 1000, first=5000 + i)
        self.audit.db.commit()
        found = {labels: n for (name, labels), n in parse(self.metrics()).items() if name == "postern_messages_total"}
        self.assertEqual(len(found), 2001)
        self.assertEqual(sum(found.values()), 72 + 1990 + 510 * 1000)
        self.assertIn((("app", "app0"), ("verdict", "accept"), ("reason", "")), found)
        self.assertEqual(found[(("app", "other"), ("verdict", "accept"), ("reason", "other"))], 503 * 1000)

    def test_errors(self):
        os.rename(self.folder + "/audit.db", self.folder + "/away.db")
        self.assertIn("No such file", self.metrics(status=1))

    def test_promtool(self):
        done = subprocess.run([need(self, "promtool"), "check", "metrics"], input=self.metrics().encode(), capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done.stdout)

    def test_alerts(self):
        promtool = need(self, "promtool")
        done = subprocess.run([promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES], capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.folder + "/rules-test.yml", "w") as f:
            f.write("""rule_files: [%s]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'postern_build_info{version="1"}', values: '1x180'}
      - {series: 'postern_messages_total{app="crm",verdict="reject",reason="x"}', values: '0+2x180'}
      - {series: 'postern_messages_total{app="crm",verdict="accept",reason=""}', values: '0+3x180'}
      - {series: 'postern_messages_total{app="erp",verdict="reject",reason="x"}', values: '0+2x180'}
      - {series: 'postern_messages_total{app="erp",verdict="accept",reason=""}', values: '0+100x180'}
      - {series: 'postern_limit_used{limit="a",unit="messages"}', values: '81x180'}
      - {series: 'postern_limit_allowed{limit="a",unit="messages"}', values: '100x180'}
      - {series: 'postern_limit_reached{limit="a",unit="messages"}', values: '0x180'}
      - {series: 'postern_held_messages{app="crm",state="waiting"}', values: '1x180'}
      - {series: 'postern_unsigned_messages_total', values: '5x180'}
      - {series: 'postern_upstream_tries_total{relay="r",tenant="contoso",status="bounced",class="quota"}', values: '0+1x180'}
      - {series: 'postern_upstream_tries_total{relay="r",tenant="contoso",status="bounced",class="recipient"}', values: '0+9x180'}
      - {series: 'postern_upstream_reports_total{relay="r",action="failed",class="recipient"}', values: '0+9x180'}
      - {series: 'postern_follow_seen_timestamp_seconds{relay="r"}', values: '0+60x60 3600x120'}
      - {series: 'postern_follow_behind_seconds{relay="r"}', values: '0x180'}
      - {series: 'postern_upstream_pauses{tenant="contoso"}', values: '0x60 1x120'}
      - {series: 'postern_admit_seconds_bucket{relay="r",le="0.25"}', values: '0+97x180'}
      - {series: 'postern_admit_seconds_bucket{relay="r",le="1"}', values: '0+100x180'}
      - {series: 'postern_admit_seconds_bucket{relay="r",le="+Inf"}', values: '0+100x180'}
      - {series: 'postern_admit_seconds_bucket{relay="s",le="0.25"}', values: '0+100x180'}
      - {series: 'postern_admit_seconds_bucket{relay="s",le="+Inf"}', values: '0+100x180'}
    alert_rule_test:
      - {eval_time: 2h, alertname: PosternRefusals, exp_alerts: [{exp_labels: {severity: warning, app: crm}, exp_annotations: {
          summary: 'Mail of app crm is refused',
          description: 'More than a tenth of it in the last hour. postern report --by reason says why and what to do.'}}]}
      - {eval_time: 2h, alertname: PosternLimitNear, exp_alerts: [{exp_labels: {severity: warning, limit: a, unit: messages}, exp_annotations: {
          summary: 'Limit a is at 81%%', description: 'postern limits says who spends it and when it frees.'}}]}
      - {eval_time: 1h, alertname: PosternMailWaits, exp_alerts: []}
      - {eval_time: 2h10m, alertname: PosternMailWaits, exp_alerts: [{exp_labels: {severity: warning, app: crm}, exp_annotations: {
          summary: 'Mail of app crm waits for two hours', description: 'Does postern release run? postern release --list shows what waits for what.'}}]}
      - {eval_time: 2h, alertname: PosternUnsigned, exp_alerts: []}
      - {eval_time: 2h, alertname: PosternLimitReached, exp_alerts: []}
      - {eval_time: 2h, alertname: PosternMetricsMissing, exp_alerts: []}
      - {eval_time: 2h, alertname: PosternUpstreamRefuses, exp_alerts: [{exp_labels: {severity: critical, tenant: contoso, class: quota}, exp_annotations: {
          summary: 'Exchange Online refuses mail of contoso (quota)',
          description: 'postern trace of a message in question says what it means and who must act.'}}]}
      - {eval_time: 2h, alertname: PosternReportedUndeliverable, exp_alerts: []}
      - {eval_time: 2h, alertname: PosternStoreSlow, exp_alerts: [{exp_labels: {severity: warning, relay: r}, exp_annotations: {
          summary: 'On r one message in a hundred waits half a second for the database',
          description: 'A slow disk, a database server far away or busy; postern_writer_queue says how many wait at once.'}}]}
      - {eval_time: 1h, alertname: PosternPaused, exp_alerts: []}
      - {eval_time: 2h, alertname: PosternPaused, exp_alerts: [{exp_labels: {severity: critical, tenant: contoso}, exp_annotations: {
          summary: 'Mail of contoso waits because Exchange Online refuses it',
          description: 'postern pause says what was said, who must act, and until when; postern pause lift lets the mail go.'}}]}
      - {eval_time: 1h, alertname: PosternFollowBehind, exp_alerts: []}
      - {eval_time: 2h, alertname: PosternFollowBehind, exp_alerts: [{exp_labels: {severity: warning, relay: r}, exp_annotations: {
          summary: 'postern follow on r is away or behind',
          description: 'What became of the mail is not known meanwhile; nothing is lost while the log is there.'}}]}
""" % os.path.abspath(RULES))
        done = subprocess.run([promtool, "test", "rules", self.folder + "/rules-test.yml"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_contrib_asks_for_is_there(self):
        names = {name for name, _ in parse(self.metrics())}
        with open(os.path.join(TOP, "contrib", "prometheus", "postern-dashboard.json")) as f:
            panels = json.load(f)["panels"]
        expressions = [t["expr"] for p in panels for t in p["targets"]]
        self.assertGreater(len(expressions), 10)
        with open(RULES) as f:
            asked = "\n".join(expressions) + f.read()
        self.assertEqual(set(re.findall(r"postern_[a-z_]+", asked)) - names, set())
        with open(self.folder + "/dashboard.yml", "w") as f:
            json.dump({"groups": [{"name": "g", "rules": [{"record": "r:%d" % i, "expr": e} for i, e in enumerate(expressions)]}]}, f)
        done = subprocess.run([need(self, "promtool"), "check", "rules", self.folder + "/dashboard.yml"], capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def serve(self):
        """The address of postern metrics --listen."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % s.getsockname()[1]
        child = subprocess.Popen([os.path.join(BUILD, "postern"), "metrics", "-c", self.policy, "--listen", address], stderr=subprocess.PIPE)

        def stop():
            child.terminate()
            self.said = child.stderr.read().decode()
            child.stderr.close()
            self.assertEqual(child.wait(), 0, self.said)
        self.stop = stop
        self.addCleanup(lambda: child.poll() is None and stop())
        for _ in range(100):
            try:
                socket.create_connection(address.split(":")).close()
                return address
            except OSError:
                time.sleep(0.1)
        self.fail("it does not listen")

    def ask(self, address, request):
        """Status, header and body of an answer."""
        with socket.create_connection(address.split(":"), timeout=20) as s:
            s.sendall(request.encode())
            said = b""
            while more := s.recv(65536):
                said += more
        head, _, body = said.decode().partition("\r\n\r\n")
        return (int(head.split(" ")[1]) if head else 0), head, body

    def test_served(self):
        address = self.serve()
        with urllib.request.urlopen("http://%s/metrics" % address) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            text = answer.read().decode()
        self.assertEqual(text, self.metrics())
        end = "Connection: close\r\n\r\n"
        for request, status in (
                ("GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:9189\r\n", 200), ("HEAD /metrics HTTP/1.1\r\nHost: [::1]\r\n", 200),
                ("GET /metrics HTTP/1.0\r\n", 200), ("GET / HTTP/1.1\r\nHost: localhost\r\n", 404),
                ("GET /metrics/../etc HTTP/1.1\r\nHost: localhost\r\n", 404),
                ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n", 405), ("DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n", 405),
                ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n", 421), ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n", 421),
                ("GET /metrics HTTP/1.1\r\nHost: [::1]evil.example\r\n", 421), ("GET /metrics HTTP/1.1\r\nHost: \r\n", 421),
                ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n" % ("x" * 40000), 431)):
            with self.subTest(request[:60]):
                got, head, body = self.ask(address, request + end + ("abc" if "POST" in request else ""))
                self.assertEqual(got, status)
                self.assertEqual(body == text, status == 200 and "HEAD" not in request)
                if got == 405:
                    self.assertIn("Allow: GET, HEAD", head)
        self.stop()
        self.assertEqual(self.said, "")

    def test_served_through_faults(self):
        address = self.serve()
        get = "GET /metrics HTTP/1.0\r\n\r\n"
        idle = [socket.create_connection(address.split(":")) for _ in range(20)]  # who say nothing hold nobody up
        for s in idle:
            s.sendall(b"GET /metr")
        self.assertEqual(self.ask(address, get)[0], 200)
        for s in idle:
            s.close()
        # No file under the name of the database, then another one.
        self.audit.close()
        os.rename(self.folder + "/audit.db", self.folder + "/away.db")
        status, _, body = self.ask(address, get)
        self.assertEqual((status, body), (503, "the database cannot be read; standard error says why\n"))
        other = schema.Database(self.folder + "/audit.db")
        other.close()
        status, _, body = self.ask(address, get)
        self.assertEqual(status, 200)
        self.assertNotIn("from-not-allowed", body)
        # A new policy counts, one that is wrong does not.
        with open(self.policy) as f:
            text = f.read()
        with open(self.policy, "w") as f:
            f.write(text.replace("100 messages/hour", "99 messages/hour"))
        self.assertIn('postern_limit_allowed{limit="crm/messages-per-hour",unit="messages"} 99', self.ask(address, get)[2])
        with open(self.policy, "w") as f:
            f.write("apps: nonsense\n")
        self.assertIn('postern_limit_allowed{limit="crm/messages-per-hour",unit="messages"} 99', self.ask(address, get)[2])
        with open(self.policy, "w") as f:
            f.write(text)
        self.stop()
        self.assertIn("audit.db: No such file", self.said)

    def test_where_it_listens(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for address, because in (("0.0.0.0:9189", "only loopback"), ("192.0.2.1:9189", "only loopback"), ("[::]:9189", "only loopback"),
                                     ("9189", "expected an address and a port"), ("127.0.0.1", "expected an address"), ("localhost:9189", "expected an address"),
                                     ("127.0.0.1:0", "expected an address"), ("127.0.0.1:70000", "expected an address"),
                                     ("127.0.0.1:%d" % taken.getsockname()[1], "Address already in use")):
                done = subprocess.run([os.path.join(BUILD, "postern"), "metrics", "-c", self.policy, "--listen", address], capture_output=True, text=True)
                self.assertEqual(done.returncode, 1)
                self.assertIn(because, done.stderr)

    def test_prometheus_reads_it(self):
        prometheus, address = need(self, "prometheus"), self.serve()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with open(self.folder + "/prometheus.yml", "w") as f:
            json.dump({"global": {"scrape_interval": "1s"}, "rule_files": [os.path.abspath(RULES)], "scrape_configs": [
                {"job_name": "postern", "static_configs": [{"targets": [address]}]}]}, f)
        with open(self.folder + "/prometheus.log", "wb") as log:
            child = subprocess.Popen([prometheus, "--config.file=" + self.folder + "/prometheus.yml", "--storage.tsdb.path=" + self.folder + "/data",
                                      "--web.listen-address=127.0.0.1:%d" % port], stdout=log, stderr=log)
        try:
            said = None
            for _ in range(300):
                try:
                    with urllib.request.urlopen("http://127.0.0.1:%d/api/v1/query?query=%s" % (port, urllib.parse.quote(
                            'postern_messages_total{verdict!="accept"}'))) as answer:
                        said = json.load(answer)["data"]["result"]
                except OSError:
                    pass
                if said:
                    break
                time.sleep(0.2)
            else:
                with open(self.folder + "/prometheus.log") as f:
                    self.fail(f.read())
            self.assertEqual({(r["metric"]["app"], r["metric"]["reason"]): r["value"][1] for r in said},
                             {("crm", "from-not-allowed"): "7", (HOSTILE, "limit:x"): "5"})
        finally:
            child.terminate()
            child.wait()


if __name__ == "__main__":
    unittest.main()
