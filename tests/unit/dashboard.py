#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern dashboard over an audit of days with words of others that try to be markup: every link of every page, what its
header says, who is let in, where it listens, on SQLite and on a PostgreSQL server of its own; and in a real Chromium that
nothing of it runs or is fetched, on a phone, in light and dark. What is not installed is skipped, with CI=true failed."""

import base64
import collections
import hashlib
import html
import html.parser
import json
import os
import re
import shutil
import socket
import sqlite3
import ssl
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import warnings
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import chromium  # noqa: E402
import dashboard_rows  # noqa: E402
import postgres  # noqa: E402
import schema  # noqa: E402

POSTERN = os.path.join(os.getcwd(), "postern")
TAGS = set("html head meta title link body a header img nav ul li form input button main div h1 h2 h3 p dl dt dd small svg g rect line desc ol span details summary "
           "table caption tr th td b code article q time footer".split())
ATTRIBUTES = set("lang charset name content rel href type class src alt width height action method role maxlength aria-label placeholder value id aria-current "
                 "viewbox preserveaspectratio aria-labelledby aria-describedby aria-hidden x y x1 x2 y1 y2 scope tabindex colspan datetime".split())
VOID = ("meta", "link", "img", "input", "rect", "line")
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HTML = "text/html; charset=utf-8"


def need(test, what, name):
    if what:
        return
    if os.environ.get("CI") == "true":
        test.fail(name + " is not installed")
    test.skipTest(name + " is not installed")


class Page(html.parser.HTMLParser):
    """What a page is made of; each tag closed by its own."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.text, self.links, self.ids = collections.Counter(), [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), attrs
        self.links += [value for name, value in attrs if name == "href" and tag == "a"]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)


def free_address():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % s.getsockname()[1]


class Server:
    """postern dashboard, until it is stopped."""

    def __init__(self, *words, listen=None, tls=None, expect=True):
        self.listen = listen or free_address()
        self.tls = tls
        self.child = subprocess.Popen([POSTERN, "dashboard", "--listen", self.listen, *words], stderr=subprocess.PIPE)
        for _ in range(200):
            try:
                self.connect().close()
                return
            except OSError:
                if self.child.poll() is not None:
                    raise AssertionError(self.child.stderr.read().decode())
                time.sleep(0.05)
        raise AssertionError("it does not listen")

    def connect(self):
        if self.listen.startswith("unix:"):
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.listen[5:])
            except OSError:
                s.close()
                raise
            return s
        host, _, port = self.listen.rpartition(":")
        s = socket.create_connection(("127.0.0.1" if host == "0.0.0.0" else host, int(port)), timeout=60)
        return self.tls.wrap_socket(s, server_hostname="localhost") if self.tls else s

    def say(self, request):
        """Status, header and body that this request gets."""
        with self.connect() as s:
            s.sendall(request.encode())
            said = b""
            while more := s.recv(1 << 16):
                said += more
        head, _, body = said.partition(b"\r\n\r\n")
        head = head.decode()
        return (int(head.split(" ")[1]) if head else 0), dict(line.split(": ", 1) for line in head.split("\r\n")[1:]), body.decode()

    def get(self, path, host="localhost", user=None, method="GET"):
        login = "" if user is None else "Authorization: Basic %s\r\n" % base64.b64encode(user.encode()).decode()
        return self.say("%s /%s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n" % (method, path, host, login))

    def stop(self):
        """What it said on standard error."""
        self.child.terminate()
        said = self.child.stderr.read().decode()
        self.child.stderr.close()
        assert self.child.wait() == 0, said
        return said


def hash_of(password, method="-6"):
    return subprocess.run(["openssl", "passwd", method, password], capture_output=True, text=True, check=True).stdout.strip()


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-dashboard-")
        cls.rows = dashboard_rows.fill(cls.folder, messages=3000)
        cls.words = ("-c", cls.folder + "/policy.yaml")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def serve(self, *words, **more):
        server = Server(*words, **more)
        self.addCleanup(lambda: server.child.poll() is None and server.stop())
        return server

    def refused(self, *words):
        done = subprocess.run([POSTERN, "dashboard", *words], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path


class Pages(Base):
    def check_page(self, text, is_fragment=False):
        page = Page(text)
        self.assertLessEqual(set(page.tags), TAGS)
        self.assertLessEqual({name for name, _ in page.attributes}, ATTRIBUTES)
        self.assertEqual(len(page.ids), len(set(page.ids)))
        self.assertEqual(page.tags["table"], page.tags["caption"])
        self.assertEqual(page.tags["h1"], 1)
        self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2028\u2066-\u2069]")
        for name, value in page.attributes:
            self.assertNotRegex(name, "^on|^style$")
            if name in ("src", "action"):
                self.assertIn(value, ("icon.svg", "search"))
            if name == "href":
                self.assertRegex(value, r"^(#main|\.|[a-z]+(\.css|\.svg)?)?(\?[A-Za-z0-9=&%._~-]*)?$")
        return page

    def crawl(self, server, most=900):
        seen, todo = {}, collections.deque(["", "?since=7d", "?since=30d", "?since=yesterday", "latest?of=all&since=30d", "search?q=bob%40example.net"])
        # Of each kind of page so many, that the crawl ends.
        kinds = collections.Counter()
        while todo:
            path = todo.popleft()
            kind = path.split("?")[0]
            if path in seen or kinds[kind] >= 25:
                continue
            kinds[kind] += 1
            status, header, body = server.get(path)
            self.assertEqual(status, 200, path)
            self.assertEqual((header["Content-Type"], header["Content-Security-Policy"]), (HTML, POLICY))
            page = self.check_page(body)
            seen[path] = "".join(page.text)
            todo += [urllib.parse.urljoin("/" + path, link)[1:] for link in page.links if not link.startswith("#")]
        return seen, kinds

    def test_every_link(self):
        server = self.serve(*self.words)
        seen, kinds = self.crawl(server)
        self.assertLessEqual(set("apps refusals replies limits methods unsigned app tenant department method sender client reason latest message search".split()), set(kinds))
        self.assertGreater(len(seen), 150)
        everything = "\n".join(seen.values())
        for hostile in dashboard_rows.HOSTILE[:3] + dashboard_rows.HOSTILE[4:6] + dashboard_rows.HOSTILE[11:]:
            self.assertIn(hostile, everything)
        for shown in ("\\u{1b}[2J", "\\u{202e}gnp.exe", "a\\u{a}Subject", "\\xff\\xfe@x.example", "line\\u{2028}end", "TenantAttribution; Relay Access Denied <script>alert(1)</script>"):
            self.assertIn(shown, everything)
        self.assertEqual(server.stop(), "")

    def test_valid_html(self):
        try:
            import html5lib
        except ImportError:
            need(self, False, "python3-html5lib")
        server = self.serve(*self.words)
        for path in ("", "apps?since=30d", "refusals?since=30d", "replies?since=30d", "limits", "methods?since=7d", "unsigned?since=30d", "app?name=crm&since=30d", "app?name=",
                     "sender?name=" + urllib.parse.quote(dashboard_rows.HOSTILE[1]), "search", "search?q=crm", "search?q=nothing", "message?id=" + self.rows[-1]["id"], "nothing",
                     "?since=x", "latest?of=client&name=10.1.2.3&since=30d"):
            parser = html5lib.HTMLParser(strict=True)
            parser.parse(server.get(path)[2])

    def test_sums_are_those_of_the_rows(self):
        server = self.serve(*self.words)
        since = self.rows[-1]["time"] - 7 * 24 * 3600000
        for name in ("crm", "printers"):
            said = json.loads(subprocess.run([POSTERN, "report", *self.words, "--since", "7d", "--only", "app=" + name, "--json"], capture_output=True, check=True).stdout)
            text = html.unescape(server.get("app?since=7d&name=" + name)[2])
            self.assertIn("<dt>messages</dt><dd>%d" % said["total"]["messages"], text.replace("\u202f", ""))
            rows = [r for r in self.rows if r["app"] == name and r["time"] > since + 3600000]
            self.assertGreaterEqual(said["total"]["messages"], len(rows))

    def test_lists_are_whole_and_in_order(self):
        """By following the links to older ones every message of a kind comes once."""
        server = self.serve(*self.words)
        for of, name, is_of in (("client", "10.1.4.4", lambda r: r["client"] == "10.1.4.4"), ("app", "payroll", lambda r: r["app"] == "payroll"),
                                ("sender", "alerts@contoso.com", lambda r: r["sender"] == "alerts@contoso.com"), ("unsigned", "", lambda r: r["verdict"] in (
                                    "accept", "hold") and r["signing"] != "signed")):
            path, found = "latest?of=%s&name=%s&since=30d" % (of, name), []
            while path:
                page = Page(server.get(path)[2])
                found += [urllib.parse.parse_qs(link.split("?")[1])["id"][0] for link in page.links if link.startswith("message?")]
                path = ([link for link in page.links if "before=" in link] or [None])[0]
            expected = sorted(((r["time"], r["id"]) for r in self.rows if is_of(r)), reverse=True)
            ids = {id for _, id in expected}
            self.assertEqual([id for id in found if id in ids], [id for _, id in expected], of)
            self.assertEqual(len(found), len(set(found)))

    def test_rows_are_read_within_bounds(self):
        """Behind 30,000 newer rows of others a client's mail is found step by step, and its page says how far it looked."""
        other = tempfile.mkdtemp(prefix="postern-dashboard-many-")
        self.addCleanup(shutil.rmtree, other)
        shutil.copy(self.folder + "/audit.db", other)
        newest = max(r["time"] for r in self.rows)
        with sqlite3.connect(other + "/audit.db") as db:
            db.execute("INSERT INTO messages (id, time, relay, queue_id, stage, verdict, reason, would, would_reason, app, tenant, method, department, client, sender, subject, signing, trace)"
                       " WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 30000)"
                       " SELECT printf('01ZZZZZZZZZZZZZZZZZZZ%05d', n), ? + n / 50, '', '', 'eom', 'accept', '', 'accept', '', 'big', '', '', '', '10.2.2.2', '', '', 'signed', '' FROM i", (newest,))
        server = self.serve("--database", "sqlite:%s/audit.db" % other)
        text = server.get("client?since=30d&name=10.1.4.4")[2]
        self.assertIn("read from the newest 20 000 messages", html.unescape(text))
        self.assertIn("None among the newest rows", text)
        path, found, steps = "latest?of=client&name=10.1.4.4&since=30d", [], 0
        while path:
            page = Page(server.get(path)[2])
            found += [urllib.parse.parse_qs(link.split("?")[1])["id"][0] for link in page.links if link.startswith("message?")]
            path = ([link for link in page.links if "before=" in link] or [None])[0]
            steps += 1
        expected = [id for _, id in sorted(((r["time"], r["id"]) for r in self.rows if r["client"] == "10.1.4.4"), reverse=True)]
        ids = set(expected)
        self.assertEqual([id for id in found if id in ids], expected)
        # Many of one millisecond: none is lost where a page ends among them.
        path, found = "latest?of=client&name=10.2.2.2&since=30d", []
        for _ in range(8):
            page = Page(server.get(path)[2])
            found += [urllib.parse.parse_qs(link.split("?")[1])["id"][0] for link in page.links if link.startswith("message?")]
            path, = [link for link in page.links if "before=" in link]
        self.assertEqual(found, ["01ZZZZZZZZZZZZZZZZZZZ%05d" % n for n in range(30000, 30000 - 160, -1)])
        # What has an index of its own is found at once.
        self.assertNotIn("None among", server.get("sender?since=30d&name=news@contoso.com")[2])
        self.assertNotIn("None among", server.get("app?since=30d&name=newsletter")[2])

    def test_apps_that_sent_nothing(self):
        text = self.serve(*self.words).get("apps")[2]
        row = re.search(r"<tr><th scope=\"row\"><a href=\"app\?name=archive\">.*?</tr>", text, re.S).group(0)
        self.assertIn("never seen", row)
        self.assertIn("nobody@contoso.com", row)

    def test_what_needs_somebody(self):
        server = self.serve(*self.words)
        page = Page(server.get("?since=30d")[2])
        text = "".join(page.text)
        for words in ("Mail of contoso to the outside is paused: Exchange Online answered tenant-quota", "Exchange Online answered relay-access-denied", "Exchange Online answered tenant-quota", "newsletter/messages-per-hour is reached", "crm/messages-per-hour is near: 284 of 300",
                      "of the mail of printers was refused or deferred, mostly for direct-send-external", "left unsigned"):
            self.assertIn(words, text)
        for question in ("Who sent most yesterday?", "Why was this refused?", "Which devices use Direct Send?", "What is close to its limit?", "Which mail left unsigned?",
                         "What did Microsoft answer?"):
            self.assertIn(question, text)
        # One click each.
        for path, words in (("apps?since=yesterday", "crm"), ("refusals", "what to do"), ("methods", "Devices that use Direct Send"), ("limits", "Close to full"),
                            ("unsigned", "The policy has no signing key"), ("replies", "who acts")):
            self.assertIn(path, page.links)
            self.assertIn(words, server.get(path if "?" in path else path + "?since=30d")[2])

    def test_without_a_policy_and_without_deliveries(self):
        other = os.path.join(self.folder, "other")
        os.mkdir(other)
        shutil.copy(self.folder + "/audit.db", other)
        server = self.serve("--database", "sqlite:%s/audit.db" % other)
        self.assertIn("start the dashboard with <code>-c</code>", server.get("limits")[2])
        self.assertIn("has not run here", server.get("replies")[2])
        for path in ("", "apps", "app?name=crm", "message?id=" + self.rows[-1]["id"]):
            status, _, body = server.get(path)
            self.assertEqual(status, 200)
            self.check_page(body)
        # The file may go and come.
        os.rename(other + "/audit.db", other + "/away.db")
        status, _, body = server.get("apps")
        self.assertEqual(status, 503)
        self.assertNotIn(other, body)
        os.rename(other + "/away.db", other + "/audit.db")
        self.assertEqual(server.get("apps")[0], 200)
        self.assertIn("audit.db: No such file", server.stop())

    def test_no_such_page(self):
        server = self.serve(*self.words)
        for path, status in (("nothing", 404), ("apps/", 404), ("../etc/passwd", 404), ("message?id=x", 404), ("message?id=" + "0" * 26, 404), ("?since=1h", 400), ("apps?since=", 200),
                             ("latest?of=nothing", 400), ("latest?of=app&name=crm&before=x", 400), ("latest?of=app&name=crm&before=1-%3Cscript%3E", 400), ("app", 200),
                             ("search?q=%00", 200), ("search?q=%ff%fe%3Cscript%3E", 200), ("app?name=crm%00x", 200), ("search?q=" + "x" * 3000, 200), ("sender?name=" + "%3C" * 2000, 200)):
            got, header, body = server.get(path)
            self.assertEqual(got, status, path)
            self.check_page(body)

    def test_it_only_reads_and_needs_no_keys(self):
        """As a user who may read the audit's folder, and neither its keys nor write anything."""
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        folder = tempfile.mkdtemp(prefix="postern-dashboard-other-")
        self.addCleanup(shutil.rmtree, folder)
        for name in os.listdir(self.folder):
            if os.path.isfile(os.path.join(self.folder, name)):
                shutil.copy(os.path.join(self.folder, name), folder)
        writer = sqlite3.connect(folder + "/audit.db")  # as posternd, whose files are there while it runs
        writer.execute("PRAGMA user_version").fetchone()
        writer.execute("CREATE TABLE x (y)")
        with open(folder + "/key.pem", "w") as f:
            f.write("none of yours")
        os.chmod(folder + "/key.pem", 0o600)
        with open(folder + "/policy.yaml") as f:
            policy = f.read().replace(self.folder, folder)
        with open(folder + "/policy.yaml", "w") as f:
            f.write(policy + "signing:\n  contoso.com:\n    - {selector: s1, key: key.pem}\n")
        os.chmod(folder, 0o750)
        os.chown(folder, 0, 65533)
        for name in os.listdir(folder):
            os.chmod(os.path.join(folder, name), 0o600 if name == "key.pem" else 0o640)
            os.chown(os.path.join(folder, name), 0, 65533)
        before = {name: self.digest(folder, name) for name in os.listdir(folder)}
        address = free_address()
        child = subprocess.Popen(["setpriv", "--reuid=65532", "--regid=65533", "--clear-groups", POSTERN, "dashboard", "-c", folder + "/policy.yaml", "--listen", address],
                                 stderr=subprocess.PIPE, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        try:
            server = Server.__new__(Server)
            server.listen, server.tls, server.child = address, None, child
            for _ in range(100):
                try:
                    server.connect().close()
                    break
                except OSError:
                    if child.poll() is not None:
                        self.fail(child.stderr.read().decode())
                    time.sleep(0.05)
            for path in ("", "apps?since=30d", "replies?since=30d", "limits", "app?name=crm"):
                status, _, body = server.get(path)
                self.assertEqual(status, 200, body)
            self.assertIn("archive", server.get("apps")[2])
            self.assertEqual({name: self.digest(folder, name) for name in os.listdir(folder)}, before)
            # With posternd gone its -shm is gone, which only who may write beside the audit can make.
            writer.close()
            self.assertEqual(server.get("apps")[0], 503)
        finally:
            child.terminate()
            child.stderr.close()
            child.wait()

    def digest(self, folder, name):
        if name.endswith("-shm"):
            return "shared"
        with open(os.path.join(folder, name), "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()


class Http(Base):
    def test_header_fields(self):
        server = self.serve(*self.words)
        for path, kind in (("", HTML), ("style.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml"), ("nothing", HTML)):
            header = server.get(path)[1]
            self.assertEqual([header[name] for name in ("Content-Type", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control",
                                                        "Cross-Origin-Resource-Policy")], [kind, POLICY, "nosniff", "no-referrer", "no-store", "same-origin"])

    def test_requests(self):
        server = self.serve(*self.words)
        end = "Connection: close\r\n\r\n"
        for request, status in (
                ("GET / HTTP/1.1\r\nHost: localhost:9190\r\n", 200), ("GET / HTTP/1.1\r\nHost: [::1]\r\n", 200), ("GET / HTTP/1.0\r\n", 200),
                ("HEAD /apps HTTP/1.1\r\nHost: 127.0.0.1\r\n", 200), ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n", 405),
                ("PUT / HTTP/1.1\r\nHost: localhost\r\n", 405), ("DELETE /apps HTTP/1.1\r\nHost: localhost\r\n", 405), ("OPTIONS / HTTP/1.1\r\nHost: localhost\r\n", 405),
                ("GET / HTTP/1.1\r\nHost: evil.example\r\n", 421), ("GET /style.css HTTP/1.1\r\nHost: evil.example\r\n", 421),
                ("GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n", 421), ("GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n", 421),
                ("POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 3\r\n", 421), ("GET / HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n" % ("x" * 40000), 431)):
            with self.subTest(request[:50]):
                got, header, body = server.say(request + end + ("abc" if "POST" in request else ""))
                self.assertEqual(got, status)
                self.assertEqual("HEAD" in request, body == "")
                if got == 405:
                    self.assertEqual(header["Allow"], "GET, HEAD")

    def test_slow_clients_hold_nobody_up(self):
        server = self.serve(*self.words)
        idle = [server.connect() for _ in range(60)]
        for s in idle:
            s.sendall(b"GET /ap")
        began = time.monotonic()
        self.assertEqual(server.get("apps")[0], 200)
        self.assertLess(time.monotonic() - began, 5)
        for s in idle:
            s.close()

    def test_passwords(self):
        passwords = self.file("passwords", "# who may look\nada:%s\nbob:%s\n" % (hash_of("right: \u00e4"), hash_of("other", "-6")))
        server = self.serve(*self.words, "--password-file", passwords)
        for user, status in ((None, 401), ("ada:right: \u00e4", 200), ("ada:right: \u00e4", 200), ("bob:other", 200), ("bob:right: \u00e4", 401), ("ada:", 401), ("eve:x", 401), (":", 401),
                             ("ada", 401)):
            got, header, body = server.get("apps", user=user)
            self.assertEqual(got, status, user)
            self.assertEqual(header["Content-Security-Policy"], POLICY)
            if got == 401:
                self.assertEqual(header["WWW-Authenticate"], 'Basic realm="Postern", charset="UTF-8"')
                self.assertNotIn("crm", body)
        self.assertEqual(server.get("style.css")[0], 401)
        self.assertEqual(server.get("", host="evil.example", user="bob:other")[0], 421)
        # A guesser is stopped; who was right before is still let in.
        got = [server.get("", user="ada:guess%d" % i)[0] for i in range(15)]
        self.assertEqual((got[0], got[-1]), (401, 429))
        self.assertEqual(server.get("", user="ada:right: \u00e4")[0], 200)
        self.assertEqual(server.get("", user="eve:x")[0], 429)
        # Who is taken out is out at once, and a file that is wrong lets nobody in.
        time.sleep(0.01)
        self.file("passwords", "bob:%s\n" % hash_of("other"))
        self.assertNotEqual(server.get("", user="ada:right: \u00e4")[0], 200)
        os.chmod(passwords, 0o644)
        self.assertNotEqual(server.get("", user="bob:other")[0], 200)
        self.assertIn("nobody is let in: %s: others can read" % passwords, server.stop())

    def test_password_files(self):
        good = hash_of("x")
        for text, mode, because in (
                ("ada:%s\n" % hash_of("x", "-1"), 0o600, ":1: a hash by yescrypt"), ("ada:%s\n" % hash_of("x", "-5"), 0o600, ":1: a hash by yescrypt"),
                ("ada:secret\n", 0o600, "a hash by yescrypt"), ("#\nada:%s\n" % good[:-3], 0o600, ":2: the hash is not whole"), ("ada:$6$rounds=1000$" + good[3:] + "\n", 0o600, "too little work"),
                ("ada:$2b$04$" + "a" * 53 + "\n", 0o600, "too little work"), ("ada\n", 0o600, ":1: NAME:HASH"), (":%s\n" % good, 0o600, "NAME:HASH"), ("", 0o600, "it has no names"),
                ("ada:%s\n" % good, 0o644, "others can read"), ("ada:%s\n" % good, 0o660, "others can read or write"), ("x" * 2000, 0o600, "too long")):
            with self.subTest(because, text=text[:20]):
                self.assertIn(because, self.refused(*self.words, "--listen", free_address(), "--password-file", self.file("wrong", text, mode)))
        self.assertIn("No such file", self.refused(*self.words, "--password-file", self.folder + "/none"))

    def test_the_strong_methods(self):
        made = {"-6": hash_of("x")}
        if shutil.which("mkpasswd"):
            made.update({m: subprocess.run(["mkpasswd", "-m", m, "x"], capture_output=True, text=True, check=True).stdout.strip() for m in ("yescrypt", "bcrypt", "scrypt")})
            made["bcrypt"] = subprocess.run(["mkpasswd", "-m", "bcrypt", "-R", "10", "x"], capture_output=True, text=True, check=True).stdout.strip()
        else:
            need(self, False, "mkpasswd (Debian: whois)")
        server = self.serve(*self.words, "--password-file", self.file("strong", "".join("%s:%s\n" % (m.strip("-"), h) for m, h in made.items())))
        for m in made:
            self.assertEqual(server.get("style.css", user="%s:x" % m.strip("-"))[0], 200, m)
            self.assertEqual(server.get("style.css", user="%s:y" % m.strip("-"))[0], 401, m)

    def certificate(self):
        key, certificate = self.folder + "/key.pem", self.folder + "/certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], capture_output=True, check=True)
        os.chmod(key, 0o600)
        return certificate, key

    def test_other_addresses_by_tls_with_passwords_alone(self):
        certificate, key = self.certificate()
        passwords = self.file("for-tls", "ada:%s\n" % hash_of("right"))
        address = "0.0.0.0:" + free_address().split(":")[1]
        for words in ((), ("--password-file", passwords), ("--certificate", certificate, "--key", key)):
            self.assertIn("only loopback addresses are served without passwords and TLS", self.refused(*self.words, "--listen", address, *words))
        for words, because in ((("--certificate", certificate), "go together"), (("--key", key), "go together"), (("--certificate", certificate, "--key", certificate), "others can read"),
                               (("--certificate", self.folder + "/none", "--key", key), "No such file"), (("--certificate", self.file("bad.pem", "x"), "--key", key), "cannot be served")):
            self.assertIn(because, self.refused(*self.words, "--listen", free_address(), *words))
        trust = ssl.create_default_context(cafile=certificate)
        server = self.serve(*self.words, "--password-file", passwords, "--certificate", certificate, "--key", key, listen=address, tls=trust)
        # One address cannot take all connections.
        many = []
        with self.assertRaises(OSError):
            for _ in range(80):
                s = socket.create_connection(("127.0.0.1", int(address.split(":")[1])), timeout=2)
                many.append(s)
                s.settimeout(0.05)
                try:
                    if s.recv(1) == b"":
                        raise OSError
                except TimeoutError:
                    pass
        for s in many:
            s.close()
        self.assertGreaterEqual(len(many), 20)
        for _ in range(100):  # until it has seen that they are gone
            try:
                server.connect().close()
                break
            except OSError:
                time.sleep(0.1)
        self.assertEqual(server.get("apps", host="relay.contoso.com")[0], 401)
        self.assertEqual(server.get("apps", host="relay.contoso.com", user="ada:right")[0], 200)
        plain = Server.__new__(Server)
        plain.listen, plain.tls = address, None
        with self.assertRaises((ConnectionError, IndexError, ValueError, UnicodeDecodeError)):
            if plain.get("apps", user="ada:right")[0] == 0:
                raise ConnectionError
        warnings.simplefilter("ignore", DeprecationWarning)
        old = ssl.create_default_context(cafile=certificate)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        server.tls = old
        with self.assertRaises(OSError):
            server.connect()
        server.tls = trust

    def test_unix_socket(self):
        path = self.folder + "/socket"
        server = self.serve(*self.words, listen="unix:" + path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
        self.assertEqual(server.get("apps", host="postern.contoso.com")[0], 200)
        # One that is in use stays; one whose server was killed goes; what is no socket stays.
        self.assertIn("Address already in use", self.refused(*self.words, "--listen", "unix:" + path))
        self.assertEqual(server.get("apps")[0], 200)
        server.child.kill()
        server.child.wait()
        server.child.stderr.close()
        self.assertTrue(os.path.exists(path))
        again = self.serve(*self.words, listen="unix:" + path)
        self.assertEqual(again.get("")[0], 200)
        again.stop()
        self.assertFalse(os.path.exists(path))
        self.file("socket", "somebody's\n")
        self.assertIn("Address already in use", self.refused(*self.words, "--listen", "unix:" + path))
        with open(path) as f:
            self.assertEqual(f.read(), "somebody's\n")
        self.assertIn("begins with /", self.refused(*self.words, "--listen", "unix:relative"))

    def test_wrong_command_lines(self):
        self.assertIn("expected an address", self.refused(*self.words, "--listen", "localhost:9190"))
        self.assertIn("No such file", self.refused("--database", "sqlite:/nonexistent/x"))
        self.assertIn("nonexistent", self.refused("-c", "/nonexistent/x"))
        self.assertEqual(subprocess.run([POSTERN, "dashboard", "--colour"], capture_output=True).returncode, 2)


CONTRAST = """(() => {
  const numbers = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = numbers(c).slice(0, 3).map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor, n = numbers(c); if (n.length < 4 || n[3] === 1) return c; }
    return getComputedStyle(document.documentElement).backgroundColor; };
  let worst = 99, where = "";
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || e.closest("svg")) continue;
    const a = light(getComputedStyle(e).color), b = light(back(e)), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst) { worst = ratio; where = e.outerHTML.slice(0, 200); }
  }
  return [worst, where];
})()"""


class Browser(Base):
    def setUp(self):
        need(self, chromium.find(), "chromium")
        self.server = self.serve(*self.words)
        self.browser = chromium.Chromium()
        self.addCleanup(self.browser.close)
        hostile = [r for r in self.rows if not isinstance(r["subject"], bytes) and r["subject"].startswith(("<", "'", '"', "]", "</"))]
        names = [h for h in dashboard_rows.HOSTILE if isinstance(h, str)]
        self.paths = ["?since=30d", "apps?since=30d", "refusals?since=30d", "replies?since=30d", "limits", "methods?since=30d", "unsigned?since=30d", "search", "app?since=30d&name=crm",
                      "app?name=" + urllib.parse.quote("<b onclick=alert(1)>legacy</b>"), "tenant?since=30d&name=contoso", "client?since=30d&name=10.1.2.3", "latest?of=all&since=30d",
                      "search?q=%3Cscript%3Ealert(1)%3C/script%3E", "search?q=%22%20autofocus%20onfocus=alert(1)%20x=%22", "nothing"]
        self.paths += ["sender?since=30d&name=" + urllib.parse.quote(n, safe="") for n in names] + ["message?id=" + r["id"] for r in hostile[:8]]

    def open(self, path):
        self.browser.open("http://%s/%s" % (self.server.listen, path))

    def test_words_of_others_are_inert(self):
        for path in self.paths:
            self.open(path)
            self.assertEqual(self.browser.evaluate("document.querySelectorAll('script, iframe, object, embed, form:not([action=search]), [onload], [onerror], [onclick], [autofocus], [style]').length"),
                             0, path)
            self.assertEqual(self.browser.evaluate("typeof window.bad"), "undefined")
        self.assertEqual(self.browser.all_of("Page.javascriptDialogOpening"), [])
        self.assertEqual(self.browser.all_of("Runtime.consoleAPICalled"), [])
        # Nothing was stopped by the policy of content: there was nothing to stop.
        self.assertEqual([p["entry"]["text"] for p in self.browser.all_of("Log.entryAdded") if "404" not in p["entry"]["text"]], [])
        asked = {urllib.parse.urlsplit(p["request"]["url"]) for p in self.browser.all_of("Network.requestWillBeSent")}
        self.assertEqual({u.netloc for u in asked if u.scheme != "about"}, {self.server.listen})
        self.assertLessEqual({"/style.css", "/icon.svg"}, {u.path for u in asked})

    def test_the_policy_of_content_stops_what_would_run(self):
        """Had the escape failed: a script put into the page by force does not run, and nothing is fetched."""
        self.open("")
        self.browser.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=//evil.example/x onerror=\"window.bad=1\"><p style=\"color: red\">x</p>')")
        self.browser.evaluate("document.body.appendChild(document.createElement('script')).textContent = 'window.bad = 1'")
        time.sleep(0.3)
        self.browser.evaluate("1")
        self.assertEqual(self.browser.evaluate("typeof window.bad"), "undefined")
        said = " ".join(p["entry"]["text"] for p in self.browser.all_of("Log.entryAdded"))
        self.assertIn("Content Security Policy", said)
        failed = [p for p in self.browser.all_of("Network.requestWillBeSent") if "evil.example" in p["request"]["url"]]
        blocked = {p["requestId"] for p in self.browser.all_of("Network.loadingFailed") if p.get("blockedReason") == "csp"}
        self.assertLessEqual({p["requestId"] for p in failed}, blocked)

    def test_phone_and_contrast(self):
        for scheme in ("light", "dark"):
            for width in (390, 1280):
                self.browser.look(width, 844, scheme)
                for path in self.paths[:16]:
                    self.open(path)
                    self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width, path)
                    if width == 390:
                        worst, where = self.browser.evaluate(CONTRAST)
                        self.assertGreaterEqual(worst, 4.5, "%s, %s: %s" % (path, scheme, where))
            self.browser.look(800, 600, scheme)
            self.open("")
            back = self.browser.evaluate("getComputedStyle(document.body).backgroundColor")
            self.assertEqual(back == "rgb(255, 255, 255)", scheme == "light")

    def press(self, key):
        for kind in ("rawKeyDown", "keyUp"):
            self.browser.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode={"Tab": 9, "Enter": 13}[key])

    def test_keyboard_and_screen_reader(self):
        self.open("?since=30d")
        self.press("Tab")
        self.assertEqual(self.browser.evaluate("document.activeElement.textContent"), "To the content")
        self.assertGreaterEqual(self.browser.evaluate("document.activeElement.getBoundingClientRect().left"), 0)
        self.assertNotEqual(self.browser.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "none")
        self.browser.open("http://%s/app?name=crm&since=30d" % self.server.listen)
        tree = self.browser.ask("Accessibility.getFullAXTree")["nodes"]
        named = collections.Counter((n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n["ignored"])
        for role, name in (("navigation", "Pages"), ("navigation", "Time"), ("search", ""), ("main", ""), ("searchbox", "Address, queue id, audit id, app or client")):
            self.assertGreater(named[role, name], 0, (role, name))
        images = [name for role, name in named if role in ("image", "img")]
        self.assertIn("Messages over time by verdict", images)
        self.assertTrue(all(images), images)
        tables = [name for role, name in named if role == "table"]
        self.assertTrue(tables and all(tables), tables)


class OnPostgres(Pages):
    """The same pages from a server."""

    @classmethod
    def setUpClass(cls):
        if postgres.binaries() is None:
            if os.environ.get("CI") == "true":
                raise AssertionError("no PostgreSQL server is installed")
            raise unittest.SkipTest("no PostgreSQL server is installed")
        super().setUpClass()
        cls.server = postgres.Postgres()
        cls.url = schema.to_postgres(cls.server, cls.folder + "/audit.db", also=("held", "limits", "limit_use"), deliveries=True)
        # As who may only read.
        name = re.search(r"/([a-z0-9_]+)\?", cls.url).group(1)
        with open(os.path.join(schema.SQL, "postgres", "roles.sql"), "rb") as f:
            cls.server.psql("-v", "ON_ERROR_STOP=1", database=name, text=f.read() + b"CREATE ROLE dashboard1 LOGIN PASSWORD 'Secret-1' IN ROLE postern_audit;\n")
        cls.url = cls.url.replace("//postgres@", "//dashboard1:Secret-1@")
        with open(cls.folder + "/policy.yaml") as f:
            text = f.read()
        with open(cls.folder + "/policy.yaml", "w") as f:
            f.write(re.sub("(?m)^database: .*", "database: " + cls.url, text))

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        super().tearDownClass()

    # These are of a file.
    test_rows_are_read_within_bounds = test_without_a_policy_and_without_deliveries = test_it_only_reads_and_needs_no_keys = test_valid_html = None

    def test_every_link(self):
        server = self.serve(*self.words)
        seen, kinds = self.crawl(server)
        self.assertGreater(len(seen), 150)
        self.assertIn("relay-access-denied", seen["replies?since=30d"] if "replies?since=30d" in seen else server.get("replies?since=30d")[2])
        self.assertEqual(server.stop(), "")


if __name__ == "__main__":
    unittest.main()
