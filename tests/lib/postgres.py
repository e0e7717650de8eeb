#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""A real PostgreSQL server of a test's own, in a folder of its own, on a Unix
socket and a port of loopback, with TLS by a self-made certificate and fsync on.

    server = Postgres()                     # started
    server.url(), server.tcp_url(), server.fresh()
    server.kill(); server.start(); server.pause(); server.resume(); server.close()

Role "postgres" may do everything and needs no password on the socket; role
"postern" owns what it makes and needs Postgres.PASSWORD over TCP.

    postgres.py run COMMAND...      COMMAND with a server, which ends with it
    postgres.py control FOLDER kill|stop|start|pause|resume|standby|promote

`run` sets POSTERN_TEST_POSTGRES (URL of the socket), POSTERN_TEST_POSTGRES_TCP
(URL for role postern), POSTERN_TEST_POSTGRES_FOLDER (root.crt is in it),
POSTERN_TEST_POSTGRES_CONTROL (a command to which kill, stop, ... is added).
Without a server installed its status is 77, or 1 with CI=true."""

import atexit
import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.dont_write_bytecode = True  # the folder of the sources is not ours to write to
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from posterntest import free_port, wait_for  # noqa: E402

HBA = """\
local   all  postgres              trust
local   replication  postgres      trust
local   all  all                   scram-sha-256
host    all  all    127.0.0.1/32   scram-sha-256
"""

CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
ssl = on
ssl_cert_file = '{folder}/root.crt'
ssl_key_file = '{folder}/server.key'
fsync = on
shared_buffers = 32MB
max_connections = 100
log_destination = stderr
log_line_prefix = '%m [%p] %a '
timezone = UTC
password_encryption = scram-sha-256
"""


def binaries():
    """The folder of the newest server installed, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres") + glob.glob("/usr/pgsql-*/bin/postgres")
    where = shutil.which("postgres")
    if where:
        found.append(where)
    found = [f for f in found if os.path.exists(os.path.join(os.path.dirname(f), "initdb"))]

    def version(path):
        digits = "".join(c if c.isdigit() else " " for c in path).split()
        return int(digits[-1]) if digits else 0
    return os.path.dirname(max(found, key=version)) if found else None


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid):
    found = []
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat) as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.split("/")[2]))
    return found


class Postgres:
    PASSWORD = "s3cret:w@rd/?"

    def __init__(self, folder=None):
        self.folder = folder
        self.bin = binaries()
        self.count = 0
        # The server refuses to run as root.
        self.user = None
        if os.geteuid() == 0:
            names = [p.pw_name for p in pwd.getpwall()]
            self.user = "postgres" if "postgres" in names else "nobody"
        if folder is None:
            self._make()
            # A test that fails before its close() leaves no server behind.
            atexit.register(self._close_at_exit, os.getpid())
            self.start()
            self.sql("CREATE ROLE postern LOGIN CREATEDB PASSWORD '%s'" % self.PASSWORD)
        else:
            with open(os.path.join(folder, "port")) as f:
                self.port = int(f.read())

    def _command(self, *command, **options):
        if self.user:
            account = pwd.getpwnam(self.user)
            options.update(user=account.pw_uid, group=account.pw_gid, extra_groups=[])
        return subprocess.run(command, check=True, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, **options).stdout

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text, mode="w"):
        with open(self._path(name), mode) as f:
            f.write(text)

    def _make(self):
        self.folder = tempfile.mkdtemp(prefix="pg-", dir="/tmp")  # short, for the socket's name
        os.chmod(self.folder, 0o755)
        if self.user:
            shutil.chown(self.folder, self.user)
        try:
            self._command(os.path.join(self.bin, "initdb"), "-D", self._path("data"), "-U", "postgres", "-E", "UTF8",
                          "--locale=C", "--auth=trust", "--no-sync")
            self._command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                          "-keyout", "server.key", "-out", "root.crt", "-days", "30", "-subj", "/CN=localhost",
                          "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        except subprocess.CalledProcessError as error:
            shutil.rmtree(self.folder)
            raise RuntimeError("%s: %s" % (error.cmd[0], error.output)) from error
        os.chmod(self._path("server.key"), 0o600)
        self.port = free_port()
        self._write("port", str(self.port))
        self._write("data/pg_hba.conf", HBA)
        self._write("data/postgresql.conf", CONF.format(port=self.port, folder=self.folder), "a")

    def set(self, line):
        """Adds a line to the configuration; it counts from the next start()."""
        self._write("data/postgresql.conf", line + "\n", "a")

    def _pid(self):
        try:
            with open(self._path("data/postmaster.pid")) as f:
                return int(f.readline())
        except (OSError, ValueError):
            return None

    def is_running(self):
        pid = self._pid()
        return pid is not None and is_alive(pid)

    def start(self):
        # After kill() the old server's processes may hold its memory for a moment.
        for attempt in range(40):
            try:
                self._command(os.path.join(self.bin, "pg_ctl"), "-D", self._path("data"), "-l", self._path("log"), "-w", "start")
                return
            except subprocess.CalledProcessError as error:
                if attempt == 39 or "could not" not in error.output:
                    with open(self._path("log")) as f:
                        raise RuntimeError(error.output + f.read()[-2000:]) from error
                time.sleep(0.25)

    def stop(self, mode="fast"):
        self._command(os.path.join(self.bin, "pg_ctl"), "-D", self._path("data"), "-w", "-m", mode, "stop")

    def _family(self):
        pid = self._pid()
        return [pid] + children(pid) if pid else []

    def _signal(self, number):
        family = self._family()
        for pid in family:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        return family

    def kill(self):
        """As a loss of power would, but for what the kernel still writes."""
        self.pause()  # so that none sees another's end
        family = self._signal(signal.SIGKILL)
        wait_for(lambda: not any(is_alive(p) for p in family), what="the server's end")

    def pause(self):
        """It keeps its sockets and says nothing more."""
        self._signal(signal.SIGSTOP)

    def resume(self):
        self._signal(signal.SIGCONT)

    def standby(self):
        """A second server that follows this one, in a folder within; close() ends it, too."""
        folder = self._path("standby")
        os.mkdir(folder)
        if self.user:
            shutil.chown(folder, self.user)
        self._command(os.path.join(self.bin, "pg_basebackup"), "-D", os.path.join(folder, "data"), "-R", "-c", "fast",
                      "--no-sync", "-d", self.url())
        port = free_port()
        with open(os.path.join(folder, "port"), "w") as f:
            f.write(str(port))
        server = Postgres(folder)
        server.set("port = %d\nunix_socket_directories = '%s'" % (port, folder))
        server.start()
        return server

    def promote(self):
        """Makes a primary of its standby."""
        server = Postgres(self._path("standby"))
        server._command(os.path.join(self.bin, "pg_ctl"), "-D", server._path("data"), "-w", "promote")

    def _close_at_exit(self, pid):
        if os.getpid() == pid:  # not in a child
            self.close()

    def close(self):
        if not os.path.exists(self.folder):
            return
        if os.path.exists(self._path("standby")):
            Postgres(self._path("standby")).close()
        if self.is_running():
            self.resume()
            try:
                self.stop("immediate")
            except subprocess.CalledProcessError:
                self.kill()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def url(self, database="postgres"):
        return "postgresql://postgres@/%s?host=%s&port=%d" % (database, self.folder, self.port)

    def tcp_url(self, database="postgres", **options):
        return "postgresql://postern:%s@127.0.0.1:%d/%s%s" % (
            urllib.parse.quote(self.PASSWORD, safe=""), self.port, database,
            "?" + urllib.parse.urlencode(options) if options else "")

    def sql(self, statement, database="postgres"):
        """The rows as psql prints them unaligned."""
        done = subprocess.run([os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d",
                               self.url(database), "-c", statement], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.rstrip("\n")

    def psql(self, *words, database="postgres", text=None):
        """What psql prints; an error in a statement is one here."""
        done = subprocess.run([os.path.join(self.bin, "psql"), "-X", "-q", "-d", self.url(database), "-v", "ON_ERROR_STOP=1"] +
                              list(words), input=text, stdin=subprocess.DEVNULL if text is None else None,
                              capture_output=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError("psql %s: %s" % (" ".join(words), done.stderr.decode(errors="replace")))
        return done.stdout.decode()

    def fresh(self, owner="postern"):
        """The name of a new, empty database."""
        self.count += 1
        name = "fresh_%d_%d" % (os.getpid(), self.count)
        self.sql('CREATE DATABASE %s OWNER %s' % (name, owner))
        return name

    def environment(self):
        return {"POSTERN_TEST_POSTGRES": self.url(), "POSTERN_TEST_POSTGRES_TCP": self.tcp_url(),
                "POSTERN_TEST_POSTGRES_FOLDER": self.folder,
                "POSTERN_TEST_POSTGRES_CONTROL": "%s %s control %s" % (sys.executable, os.path.abspath(__file__), self.folder)}


def run(command):
    if binaries() is None:
        print("SKIP: no PostgreSQL server is installed (Debian: postgresql)")
        return 1 if os.environ.get("CI") == "true" else 77
    with Postgres() as server:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        return subprocess.call(command, env=dict(os.environ, **server.environment()))


def main(arguments):
    if len(arguments) >= 2 and arguments[0] == "run":
        return run(arguments[1:])
    if len(arguments) == 3 and arguments[0] == "control" and arguments[2] in ("kill", "stop", "start", "pause", "resume", "standby", "promote"):
        getattr(Postgres(arguments[1]), arguments[2])()
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
