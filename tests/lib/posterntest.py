# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the end-to-end tests and the quickstart stand on: a private Postfix on
loopback, posternd, a server that stands in for Exchange Online, and a client
that says exactly the octets it is told to."""

import base64
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

POSTFIX_DAEMONS = "/usr/lib/postfix/sbin"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds=15, what="something"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError("waited %d seconds for %s" % (seconds, what))


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class StandIn:
    """An SMTP server that keeps each message as it came. `answers` maps a
    recipient to the reply it gets at RCPT instead of 250, `data_answers` to the one that the message for it gets at its
    end. A reply may have several lines ("550-..\\r\\n550 .."); a list is one for each try, of which the last one stays, None
    being 250."""

    def __init__(self):
        self.messages = []
        self.answers, self.data_answers = {}, {}
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _answer(self, table, recipient):
        with self.lock:
            answer = table.get(recipient)
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            return answer

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rwb")

        def say(line):
            stream.write(line.encode("latin-1") + b"\r\n")
            stream.flush()

        sender, recipients = None, []
        try:
            say("220 stand-in.example ESMTP")
            while True:
                line = stream.readline()
                if not line:
                    return
                text = line.decode("latin-1").rstrip("\r\n")
                verb = text.upper()
                if verb.startswith("EHLO"):
                    for ext in ("stand-in.example", "PIPELINING", "8BITMIME", "SMTPUTF8"):
                        say("250-" + ext)
                    say("250 ENHANCEDSTATUSCODES")
                elif verb.startswith("MAIL FROM:"):
                    sender, recipients = text[10:].split(">")[0].lstrip(" <"), []
                    say("250 2.1.0 OK")
                elif verb.startswith("RCPT TO:"):
                    recipient = text[8:].split(">")[0].lstrip(" <")
                    answer = self._answer(self.answers, recipient)
                    if answer is None:
                        recipients.append(recipient)
                    say(answer or "250 2.1.5 OK")
                elif verb == "DATA":
                    if not recipients:
                        say("554 5.5.1 no valid recipients")
                        continue
                    say("354 go on")
                    octets = self._data(stream)
                    refused = [a for a in (self._answer(self.data_answers, r) for r in recipients) if a]
                    if not refused:
                        with self.lock:
                            self.messages.append({"sender": sender, "recipients": list(recipients), "raw": octets,
                                                  "time": time.time()})
                    say(refused[0] if refused else "250 2.0.0 taken")
                elif verb == "RSET":
                    sender, recipients = None, []
                    say("250 2.0.0 OK")
                elif verb == "QUIT":
                    say("221 2.0.0 bye")
                    return
                else:
                    say("250 2.0.0 OK")
        except OSError:
            pass
        finally:
            connection.close()

    def _data(self, stream):
        lines = []
        while True:
            line = stream.readline()
            if not line:
                raise OSError("hung up within DATA")
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def find(self, header, value):
        """The messages that have this header field with this value."""
        pattern = re.compile(rb"(?mi)^" + re.escape(header) + rb":[ \t]*" + re.escape(value) + rb"\r?$")
        with self.lock:
            return [m for m in self.messages
                    if pattern.search(m["raw"].split(b"\r\n\r\n", 1)[0])]

    def close(self):
        self.listener.close()


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
myhostname = relay.contoso.com
mydestination =
mynetworks = 127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{next_hop}
smtpd_milters = {milter}
non_smtpd_milters = {milter}
milter_default_action = tempfail
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_forbid_bare_newline = normalize
smtpd_forbid_bare_newline_exclusions =
smtpd_recipient_limit = 20000
smtpd_hard_error_limit = 20000
smtpd_soft_error_limit = 20000
smtpd_error_sleep_time = 0
smtputf8_enable = yes
local_header_rewrite_clients =
append_dot_mydomain = no
disable_dns_lookups = yes
smtp_dns_support_level = disabled
disable_mime_output_conversion = yes
smtp_host_lookup = native
message_size_limit = 60000000
minimal_backoff_time = 5s
maximal_backoff_time = 10s
queue_run_delay = 5s
alias_maps =
alias_database =
local_recipient_maps =
default_process_limit = 40
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 5 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 5 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix of our own: its configuration, queue and log in one folder."""

    def __init__(self, folder, milter, next_hop, extra=""):
        self.folder = os.path.abspath(folder)
        self.port = free_port()
        self.config = os.path.join(self.folder, "etc")
        for name in ("etc", "queue", "data", "log"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        os.chmod(self.folder, 0o755)
        shutil.chown(os.path.join(self.folder, "data"), "postfix")
        values = {"folder": self.folder, "daemons": POSTFIX_DAEMONS, "next_hop": next_hop,
                  "milter": milter, "port": self.port}
        with open(os.path.join(self.config, "main.cf"), "w") as f:
            own = {line.split("=")[0].strip() for line in extra.splitlines()}
            f.writelines(line for line in MAIN_CF.format(**values).splitlines(True)
                         if line.split("=")[0].strip() not in own)
            f.write(extra)
        with open(os.path.join(self.config, "master.cf"), "w") as f:
            f.write(MASTER_CF.format(**values))

    def _postfix(self, command):
        return subprocess.run(["postfix", "-c", self.config, command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=60)

    def start(self):
        done = self._postfix("start")
        if done.returncode != 0:
            raise RuntimeError("postfix does not start: %s\n%s" % (done.stdout.decode(), self.log()))
        wait_for(lambda: can_connect(self.port), what="Postfix")
        return self

    def stop(self):
        self._postfix("stop")
        pid_file = os.path.join(self.folder, "queue/pid/master.pid")

        def gone():
            try:
                with open(pid_file) as f:
                    os.kill(int(f.read()), 0)
                return False
            except (OSError, ValueError):
                return True
        wait_for(gone, what="Postfix to stop")

    def flush(self):
        self._postfix("flush")

    def queue(self):
        done = subprocess.run(["postqueue", "-c", self.config, "-j"], stdout=subprocess.PIPE, timeout=30)
        return [line for line in done.stdout.decode().splitlines() if line.strip()]

    def release(self, queue_id):
        """Sends what was put on hold."""
        subprocess.run(["postsuper", "-c", self.config, "-H", queue_id], stderr=subprocess.DEVNULL, timeout=30)
        self.flush()

    def wait_empty(self, seconds=30):
        wait_for(lambda: not self.queue(), seconds, "the queue to be empty")

    def submit(self, sender, recipients, raw):
        """Hands a message in on the machine itself, as cron does."""
        return subprocess.run(["sendmail", "-C", self.config, "-i", "-f", sender] + recipients,
                              input=raw, timeout=30).returncode

    def log(self):
        try:
            with open(os.path.join(self.folder, "log/mail.log"), errors="replace") as f:
                return f.read()
        except OSError:
            return ""


class Posternd:
    """The daemon under a policy file, in the foreground, its log in a file.
    socket_path: a unix socket's path, or a port on loopback."""

    def __init__(self, program, policy, socket_path, log, environment=None, arguments=()):
        self.program, self.policy, self.socket_path, self.log_file = program, policy, socket_path, log
        self.arguments = list(arguments)
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None

    def start(self, may_die=False):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([self.program, "-f", "-c", self.policy] + self.arguments, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.environment)

        def up():
            if self.process.poll() is not None:
                if may_die and self.process.returncode == -signal.SIGKILL:
                    return True
                raise RuntimeError("posternd ended with %d:\n%s" % (self.process.returncode, self.log()))
            if isinstance(self.socket_path, int):
                return can_connect(self.socket_path)
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(self.socket_path)
                return True
            except OSError:
                return False
        wait_for(up, what="posternd")
        return self

    def reload(self):
        self.process.send_signal(signal.SIGUSR1)

    def stop(self, seconds=40):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode if self.process else 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        with open(self.log_file, errors="replace") as f:
            return f.read()


class Client:
    """An SMTP client: text and octets go out as they are."""

    def __init__(self, port, hello="app.contoso.com", source=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 60, (source, 0) if source else None)
        self.stream = self.socket.makefile("rb")
        self.greeting = self.reply()
        self.hello = hello

    def reply(self):
        lines = []
        while True:
            line = self.stream.readline()
            if not line:
                raise ConnectionError("the server hung up after %r" % (lines,))
            lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode("latin-1"))

    def command(self, text):
        self.send((text if isinstance(text, bytes) else text.encode("latin-1")) + b"\r\n")
        return self.reply()

    def ehlo(self):
        return self.command("EHLO " + self.hello)

    def pretend(self, address, login=None):
        """XCLIENT: be this client."""
        text = "XCLIENT ADDR=%s NAME=client.example PORT=4711" % (
            "IPV6:" + address if ":" in address else address)
        if login:
            text += " LOGIN=" + login
        answer = self.command(text)
        if not answer.startswith("220"):
            raise RuntimeError("XCLIENT: " + answer)
        self.ehlo()

    def message(self, sender, recipients, raw, parameters=""):
        """Sends one message; returns the replies {mail, rcpt: [...], data}. The
        sender and recipients are what stands between the angle brackets."""
        answers = {"mail": self.command("MAIL FROM:<%s>%s" % (sender, " " + parameters if parameters else "")),
                   "rcpt": [], "data": ""}
        if not answers["mail"].startswith("2"):
            self.command("RSET")
            return answers
        for recipient in recipients:
            answers["rcpt"].append(self.command("RCPT TO:<%s>" % recipient))
        if not any(r.startswith("2") for r in answers["rcpt"]):
            self.command("RSET")
            return answers
        start = self.command("DATA")
        if not start.startswith("354"):
            answers["data"] = start
            return answers
        self.send(stuff(raw))
        answers["data"] = self.reply()
        return answers

    def close(self):
        try:
            self.command("QUIT")
        except (OSError, ConnectionError):
            pass
        self.socket.close()


def stuff(raw):
    """The octets of DATA: dots doubled at line starts, ended by CRLF.CRLF."""
    body = re.sub(rb"(^|\n)\.", rb"\1..", raw)
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    return body + b".\r\n"


def outcome(answers):
    """accept, reject or tempfail, and the reply that says so."""
    lines = [answers["mail"]] + answers["rcpt"] + ([answers["data"]] if answers["data"] else [])
    for line in lines:
        if line.startswith("5"):
            return "reject", line
    for line in lines:
        if line.startswith("4"):
            return "tempfail", line
    return "accept", lines[-1]


def make_key(folder, name, kind="rsa"):
    """A private key file and what its DNS record says; kind: rsa or ed25519."""
    path = os.path.join(folder, name)
    command = ["openssl", "genpkey", "-algorithm", "ED25519" if kind == "ed25519" else "RSA", "-out", path]
    if kind == "rsa":
        command += ["-pkeyopt", "rsa_keygen_bits:2048"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    os.chmod(path, 0o600)
    der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True,
                         stdout=subprocess.PIPE).stdout
    if kind == "ed25519":
        return path, b"v=DKIM1; k=ed25519; p=" + base64.b64encode(der[-32:])
    return path, b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def signatures(raw, records):
    """[(domain, selector, verifies)] of each DKIM-Signature, judged by dkimpy.
    records: {b"selector._domainkey.domain.": record}."""
    import dkim

    def lookup(name, timeout=5):
        return records.get(name if isinstance(name, bytes) else name.encode())
    found = []
    header = raw.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    for i, match in enumerate(re.finditer(rb"(?ims)^DKIM-Signature:(.*?)\r\n(?![ \t])", header)):
        tags = dict(t.strip().split(b"=", 1) for t in re.sub(rb"\s", b"", match.group(1)).split(b";") if b"=" in t)
        try:
            good = dkim.DKIM(raw).verify(idx=i, dnsfunc=lookup)
        except Exception:
            good = False
        found.append((tags.get(b"d", b"").decode(), tags.get(b"s", b"").decode(), bool(good)))
    return found


def audit(database, query, parameters=()):
    """Rows of the audit as dictionaries, read-only."""
    connection = sqlite3.connect("file:%s?mode=ro" % database, uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda octets: octets.decode("utf-8", "replace")  # a subject may be anything
    try:
        return [dict(row) for row in connection.execute(query, parameters)]
    finally:
        connection.close()


class MilterClient:
    """Speaks the milter protocol itself, for what an MTA would change first."""

    def __init__(self, path):
        self.said = ""  # the text of the last refusal
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)

    def packet(self, command, data=b""):
        self.socket.sendall((len(data) + 1).to_bytes(4, "big") + command + data)

    def _octets(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise ConnectionError("posternd hung up")
            data += more
        return data

    def answer(self):
        size = int.from_bytes(self._octets(4), "big")
        data = self._octets(size)
        return data[:1], data[1:]

    def open(self, address, family=b"4"):
        self.packet(b"O", (6).to_bytes(4, "big") + (0x1ff).to_bytes(4, "big") + (0x1fffff).to_bytes(4, "big"))
        self.answer()
        self.packet(b"D", b"Cj\0relay.contoso.com\0{client_addr}\0" + (address or "unknown").encode() +
                    b"\0{client_port}\0004711\0")
        if address is None:
            self.packet(b"C", b"client.example\0U")
        else:
            self.packet(b"C", b"client.example\0" + (b"6" if ":" in address else b"4") +
                        (1234).to_bytes(2, "big") + address.encode() + b"\0")
        self.packet(b"H", b"client.example\0")

    def message(self, sender, recipients, raw):
        """accept, reject or tempfail, and the edits of an accepted message; one that is held is quarantined
        by one of them (b"q")."""
        self.packet(b"M", b"<" + sender.encode("latin-1") + b">\0")
        kind, data = self.answer()
        if kind != b"c":
            return self._verdict(kind, data), []
        taken = 0
        for recipient in recipients:
            self.packet(b"R", b"<" + recipient.encode("latin-1") + b">\0")
            kind, data = self.answer()
            taken += kind == b"c"
        if taken == 0:
            return self._verdict(kind, data), []
        header, _, body = raw.partition(b"\r\n\r\n")
        for field in re.split(rb"\r\n(?![ \t])", header):
            name, _, value = field.partition(b":")
            self.packet(b"L", name + b"\0" + value.replace(b"\r\n", b"\n") + b"\0")
        self.packet(b"N")
        for at in range(0, len(body), 65535):
            self.packet(b"B", body[at:at + 65535])
        self.packet(b"E")
        edits = []
        while True:
            kind, data = self.answer()
            if kind in (b"h", b"i", b"m", b"q"):
                edits.append((kind, data))
            elif kind != b"p":
                return self._verdict(kind, data), edits

    def _verdict(self, kind, data):
        if kind == b"y":
            self.said = data.rstrip(b"\0").decode("ascii", "replace")
            return "reject" if data[:1] == b"5" else "tempfail"
        return {b"c": "accept", b"a": "accept", b"r": "reject", b"t": "tempfail"}.get(kind, "?" + repr(kind))

    def close(self):
        self.socket.close()
