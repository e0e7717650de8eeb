#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The dozen, an address without brackets, and held mail through a real Sendmail that
is unpacked into a folder, not installed. Clients are told apart by their loopback
address. usage: test_sendmail.py BUILD-FOLDER"""

import glob
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dozen  # noqa: E402
import posterntest as pt  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))

MC = """divert(-1)
include(`{cf}/m4/cf.m4')
divert(0)dnl
OSTYPE(`linux')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`confPID_FILE', `{folder}/sendmail.pid')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`ALIAS_FILE', `')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,TrustStickyBit')dnl
define(`confDOMAIN_NAME', `relay.contoso.com')dnl
define(`confTO_IDENT', `0s')dnl
define(`confDELIVERY_MODE', `i')dnl
define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {next_hop}')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')dnl
define(`confCACERT', `{folder}/ca.pem')dnl
define(`confCACERT_PATH', `{folder}')dnl
define(`confSERVER_CERT', `{folder}/relay.pem')dnl
define(`confSERVER_KEY', `{folder}/relay.key')dnl
INPUT_MAIL_FILTER(`postern', `S=inet:{socket}@127.0.0.1, F=T, T=C:5s;S:10s;R:10s;E:30s')dnl
MAILER(`smtp')dnl
"""

USER = "nobody"  # whom posternd runs as

BY_CERTIFICATE = """apps:
  - name: fax
    tenant: contoso
    clients: [127.1.6.6]
    method: connector
    senders: [fax@contoso.com]
    limits: [2 messages/minute then hold]
  - name: by-certificate
    tenant: contoso
    certificates: ["*/CN=crm.contoso.com"]
    method: connector
    senders: [crm@contoso.com]
"""

RULES = """rules:
  - {name: no-eve, recipients: eve@example.net, action: reject, message: Not to Eve}
  - {name: class, apps: crm, body: /payroll/, action: tag, tag: "X-Class: payroll"}
  - {name: class-too, apps: crm, body: /twice/, action: tag, tag: "X-Class: twice"}
  - {name: vanish, subject: "throw *", action: discard}
"""

# A CA, certificates of it for the relay and a client, and one the client made itself.
CERTIFICATES = """
req() { name=$1; shift; openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.pem "$@"; }
req ca -x509 -subj /O=Contoso/CN=Contoso-CA
req own -x509 -subj /O=Contoso/CN=crm.contoso.com
for name in relay crm; do
	req $name -subj /O=Contoso/CN=$name.contoso.com
	mv $name.pem $name.csr
	openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem
done
chmod 600 *.key
"""

START = """
mount --bind {folder}/hosts /etc/hosts
mount --bind {folder}/nsswitch.conf /etc/nsswitch.conf
mount --bind {binary} /usr/sbin/sendmail
hostname relay.contoso.com
exec {binary} -bD -C {folder}/sendmail.cf
"""


def unpack(folder):
    """Sendmail's packages in a folder; the paths of the program and its cf."""
    root = os.path.join(folder, "root")
    os.makedirs(root)
    subprocess.run(["apt-get", "download", "-q", "sendmail-bin", "sendmail-cf"], cwd=root, check=True,
                   stdout=subprocess.DEVNULL)
    for package in glob.glob(root + "/*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    binary = [p for p in glob.glob(root + "/usr/l*/sm.bin/sendmail") + glob.glob(root + "/usr/l*/sendmail/sendmail")]
    return binary[0], root + "/usr/share/sendmail/cf"


class SystemLog:
    """The syslog of this machine, where it has none: into a file, as a daemon would write it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        self.file = open(path, "ab", buffering=0)
        os.chmod(path, 0o644)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                said = self.socket.recv(65536)
            except OSError:
                return
            self.file.write(re.sub(rb"^<\d+>(.{15}) ", rb"\1 relay ", said.rstrip(b"\n\0")) + b"\n")

    def close(self):
        os.remove("/dev/log")
        self.socket.close()


class Sendmail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system_log = None
        cls.folder = folder = tempfile.mkdtemp(prefix="postern-sendmail-")
        os.chmod(folder, 0o755)
        os.makedirs(folder + "/queue", 0o700)
        if not os.path.exists("/dev/log"):
            cls.system_log = SystemLog(folder + "/mail.log")
            cls.addClassCleanup(cls.system_log.close)
        cls.socket = pt.free_port()
        cls.policy, cls.records = dozen.write_policy(folder, "inet:%d@127.0.0.1" % cls.socket)
        with open(cls.policy) as f:
            policy = f.read()
        with open(cls.policy, "w") as f:
            f.write(policy.replace("clients: [10.", "clients: [127.").replace("apps:\n", BY_CERTIFICATE)
                    .replace("/postern.db", "/db/postern.db") + RULES)
        os.mkdir(folder + "/db")
        for name in ("db", "rsa.pem", "ed25519.pem"):
            shutil.chown(folder + "/" + name, USER)
        subprocess.run(["sh", "-ec", CERTIFICATES], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        cls.stand_in = pt.StandIn()
        cls.daemon = pt.Posternd(os.path.join(BUILD, "posternd"), cls.policy, cls.socket, folder + "/log",
                                 arguments=["-u", USER]).start()
        cls.addClassCleanup(lambda: cls.daemon.process.poll() is not None or cls.daemon.kill())
        cls.port = pt.free_port()
        cls.start_sendmail()

    @classmethod
    def start_sendmail(cls):
        folder = cls.folder
        binary, cf = unpack(folder)
        with open(folder + "/sendmail.mc", "w") as f:
            f.write(MC.format(cf=cf, folder=folder, next_hop=cls.stand_in.port, port=cls.port, socket=cls.socket))
        with open(folder + "/sendmail.cf", "wb") as f:
            subprocess.run(["m4", "-D_CF_DIR_=%s/" % cf, folder + "/sendmail.mc"], stdout=f, check=True)
        with open(folder + "/hosts", "w") as f:
            f.write("127.0.0.1 relay.contoso.com localhost\n")
        with open(folder + "/nsswitch.conf", "w") as f:
            f.write("hosts: files\npasswd: files\ngroup: files\n")
        with open(folder + "/output", "wb") as f:
            cls.sendmail = subprocess.Popen(["unshare", "-m", "-u", "sh", "-c",
                                             START.format(folder=folder, binary=binary)],
                                            stdout=f, stderr=f, stdin=subprocess.DEVNULL, start_new_session=True)

        def up():
            if cls.sendmail.poll() is not None:
                with open(folder + "/output") as f:
                    raise RuntimeError("sendmail ended: " + f.read())
            return pt.can_connect(cls.port)
        pt.wait_for(up, 30, "Sendmail")

    @classmethod
    def tearDownClass(cls):
        cls.sendmail.send_signal(signal.SIGTERM)
        cls.sendmail.wait(20)
        status = cls.daemon.stop()
        log = cls.daemon.log()
        cls.stand_in.close()
        shutil.rmtree(cls.folder, ignore_errors=True)
        if status != 0 or "Sanitizer" in log:
            raise AssertionError("posternd ended with %d\n%s" % (status, log[-4000:]))

    def client(self, address):
        c = pt.Client(self.port, source=address.replace("10.", "127.", 1))
        c.ehlo()
        return c

    def send(self, row):
        c = self.client(row[1])
        try:
            return c.message(row[2], row[3], row[4])
        finally:
            c.close()

    def test_1_dozen(self):
        for row in dozen.DOZEN:
            with self.subTest(row[0]):
                outcome, reply = pt.outcome(self.send(row))
                self.assertEqual(outcome, row[5], reply)
                self.assertIn(row[6], reply)
        dozen.check_delivered(self)

    def test_2_without_brackets(self):
        c = self.client("10.1.2.3")
        self.assertTrue(c.command("MAIL FROM: crm@contoso.com").startswith("250"))
        self.assertTrue(c.command("RCPT TO: bob@example.net").startswith("250"))
        c.command("DATA")
        c.send(pt.stuff(dozen.text("crm@contoso.com", "bob@example.net", "no brackets")))
        self.assertTrue(c.reply().startswith("250"))
        c.close()
        self.assertEqual(len(self.stand_in.find(b"Subject", b"no brackets")), 1)

    def test_3_what_sendmail_adds_breaks_no_signature(self):
        c = self.client("10.1.2.3")
        raw = b"From: crm@contoso.com\r\nTo: bob@example.net\r\nSubject: bare header\r\n\r\nHello\r\n"
        self.assertTrue(c.message("crm@contoso.com", ["bob@example.net"], raw)["data"].startswith("250"))
        c.close()
        got = self.stand_in.find(b"Subject", b"bare header")
        self.assertEqual(len(got), 1)
        self.assertIn(b"\r\nDate: ", got[0]["raw"])
        self.assertIn(b"\r\nMessage-I", got[0]["raw"])
        signed = pt.signatures(got[0]["raw"], self.records)
        self.assertEqual([s[2] for s in signed], [True, True])

    def test_4_a_certificate_counts_when_it_was_verified(self):
        for name, code in (("crm", "250"), ("own", "550")):
            c = self.client("10.7.7.7")
            self.assertTrue(c.command("STARTTLS").startswith("220"))
            tls = ssl.create_default_context(cafile=self.folder + "/ca.pem")
            tls.check_hostname = False
            tls.load_cert_chain("%s/%s.pem" % (self.folder, name), "%s/%s.key" % (self.folder, name))
            c.socket = tls.wrap_socket(c.socket)
            c.stream = c.socket.makefile("rb")
            c.ehlo()
            self.assertEqual(c.command("MAIL FROM:<crm@contoso.com>")[:3], code, name)
            c.close()

    def test_5_rules(self):
        c = self.client("10.1.2.3")
        raw = dozen.text("crm@contoso.com", "bob@example.net", "ruled", "X-Class: public\r\n") + b"payroll, twice\r\n"
        answers = c.message("crm@contoso.com", ["eve@example.net", "bob@example.net"], raw)
        self.assertIn("[rule:no-eve] Not to Eve (id ", answers["rcpt"][0])
        self.assertTrue(answers["rcpt"][1].startswith("250") and answers["data"].startswith("250"), answers)
        got = self.stand_in.find(b"Subject", b"ruled")
        self.assertEqual([m["recipients"] for m in got], [["bob@example.net"]])
        self.assertEqual(sorted(re.findall(rb"(?im)^x-class: *(.*)\r$", got[0]["raw"])), [b"payroll", b"twice"])
        self.assertEqual([s[2] for s in pt.signatures(got[0]["raw"], self.records)], [True, True])
        altered = got[0]["raw"].replace(b"twice\r\n", b"once\r\n", 1)
        self.assertEqual([s[2] for s in pt.signatures(altered, self.records)], [False, False])
        answers = c.message("crm@contoso.com", ["bob@example.net"], dozen.text("crm@contoso.com", "bob@example.net", "throw it"))
        self.assertTrue(answers["data"].startswith("250"), answers)
        c.close()
        self.assertEqual(self.stand_in.find(b"Subject", b"throw it"), [])

    def test_6_audit_has_the_queue_id(self):
        rows = pt.audit(self.folder + "/db/postern.db", "SELECT queue_id FROM messages WHERE verdict = 'accept'")
        self.assertTrue(rows and all(r["queue_id"] for r in rows), rows)

    def postern(self, *words):
        done = subprocess.run([BUILD + "/postern"] + list(words), user=USER, group="nogroup", extra_groups=[], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, cwd="/")
        self.assertEqual((done.returncode, done.stderr.decode()), (0, ""))
        return done.stdout.decode()

    def test_6_its_log_is_followed(self):
        if self.system_log is None:
            self.skipTest("this machine has a syslog of its own")
        replies = {"gone@example.net": "550 5.4.1 Recipient address rejected: Access denied. AS(1), dsn=2.0.0, stat=Sent (OK)",
                   "busy@example.net": "451 4.7.500 Server busy. Please try again later from [192.0.2.7]. (S77719)"}
        self.stand_in.answers.update(replies)
        self.stand_in.data_answers["quota@example.net"] = "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit"
        c = self.client("10.1.2.3")
        for to in (["gone@example.net", "busy@example.net", "bob@example.net", "amy@example.net"], ["quota@example.net"]):
            self.assertTrue(c.message("crm@contoso.com", to, dozen.text("crm@contoso.com", to[0], "followed"))["data"].startswith("250"))
        c.close()
        policy = self.folder + "/followed.yaml"
        with open(self.policy) as f, open(policy, "w") as to:
            to.write(f.read().replace("contoso-com.mail.protection.outlook.com", "127.0.0.1"))
        shutil.chown(policy, USER)

        def followed():
            self.postern("follow", "-c", policy, "--log", self.folder + "/mail.log", "--once")
            rows = pt.audit(self.folder + "/db/postern.db-deliveries", "SELECT queue_id FROM deliveries WHERE recipient = 'quota@example.net'")
            return rows
        pt.wait_for(followed, 30, "Sendmail to log")
        first = pt.audit(self.folder + "/db/postern.db-deliveries", "SELECT queue_id FROM deliveries WHERE recipient = 'gone@example.net'")[0]
        found = {}
        for queue_id in (first["queue_id"], followed()[0]["queue_id"]):
            for m in json.loads(self.postern("trace", "-c", policy, "--json", queue_id))["messages"]:
                found.update({d["recipient"]: d for d in m["deliveries"]})
        self.assertEqual({r: (d["status"], d.get("meaning", {}).get("keyword")) for r, d in found.items()},
                         {"gone@example.net": ("bounced", "recipient-unknown"), "busy@example.net": ("deferred", "server-busy"),
                          "bob@example.net": ("sent", None), "amy@example.net": ("sent", None), "quota@example.net": ("bounced", "tenant-quota")})
        self.assertTrue(all(d["believed"] for d in found.values()), found)
        del self.stand_in.answers["busy@example.net"]
        self.sendmail_says("-q")  # this one has no queue runner

    def held(self, state):
        return pt.audit(self.folder + "/db/postern.db", "SELECT queue_id FROM held WHERE state = '%s'" % state)

    def sendmail_says(self, *arguments):
        return subprocess.run(["nsenter", "-m", "-u", "-t", str(self.sendmail.pid), "/usr/sbin/sendmail", "-C",
                               self.folder + "/sendmail.cf"] + list(arguments), stdout=subprocess.PIPE,
                              timeout=60).stdout.decode()

    def unhold(self, command):
        return ["nsenter", "-m", "-u", "-t", str(self.sendmail.pid), BUILD + "/postern-unhold", "-M", "sendmail", "-c",
                self.folder + "/sendmail.cf", "-u", USER, "--"] + command

    def test_7_held_mail_leaves_in_its_turn(self):
        c = self.client("10.1.6.6")
        for i in range(5):
            raw = dozen.text("fax@contoso.com", "bob@example.net", "fax %d" % i)
            self.assertTrue(c.message("fax@contoso.com", ["bob@example.net"], raw)["data"].startswith("250"))
        c.close()
        queued = self.sendmail_says("-bp", "-qQ")
        self.assertEqual(queued.count("QUARANTINE: [limit:fax/messages-per-minute]"), 3, queued)
        self.assertEqual(len(self.held("waiting")), 3)
        # An id that is not quarantined, one that is part of others, and something else.
        some_id = self.held("waiting")[0]["queue_id"]
        wrong = some_id[:-1] + ("1" if some_id[-1] != "1" else "2")
        done = subprocess.run(self.unhold(["/bin/sh", "-c", "echo %s; read a; echo \"$a\" >&2; echo %s" % (wrong, some_id[:8])]),
                              stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn((wrong + " not-held\n").encode(), done.stderr)
        self.assertIn(b"which is no queue id", done.stderr)
        self.assertEqual(len(self.held("waiting")), 3)
        # Two leave a minute after the first two, the third a minute after those.
        with open(self.folder + "/unhold.log", "wb") as log:
            releaser = subprocess.Popen(self.unhold([BUILD + "/postern", "release", "-c", self.policy, "--follow"]),
                                        stdout=log, stderr=log)
        try:
            pt.wait_for(lambda: len(self.held("released")) == 2, 90, "the releases")
            pt.wait_for(lambda: len(self.held("released")) == 3, 90, "the last release")
        finally:
            releaser.send_signal(signal.SIGTERM)
            status = releaser.wait(30)
        with open(self.folder + "/unhold.log") as f:
            self.assertEqual(status, 0, f.read())
        pt.wait_for(lambda: "fax@contoso.com" not in self.sendmail_says("-bp") + self.sendmail_says("-bp", "-qQ"), 60,
                    "the held mail to leave the queue")
        got = [m for i in range(5) for m in self.stand_in.find(b"Subject", b"fax %d" % i)]
        self.assertEqual(len(got), 5)
        times = sorted(m["time"] for m in got)
        self.assertTrue(all(b - a >= 60 for a, b in zip(times, times[2:])), times)
        for m in got:
            self.assertEqual([s[2] for s in pt.signatures(m["raw"], self.records)], [True, True])


if __name__ == "__main__":
    unittest.main(verbosity=2)
