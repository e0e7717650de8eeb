#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""postern-unhold itself: what its command gets and what it takes from it. No MTA has
to run, nor to be there. usage: unhold.py PROGRAM; root only"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "./postern-unhold"
USER = "nobody"
NOWHERE = "/nonexistent/postfix"  # no MTA has its configuration there


def command(script, *options):
    return [PROGRAM, "-c", NOWHERE, "-u", USER, *options, "--", "/bin/sh", "-c", script]


def run(words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **more)
    return done.returncode, done.stderr.decode("latin-1")


class Unhold(unittest.TestCase):
    def test_wrong_command_lines(self):
        for words, said in ((["-u", USER], "usage:"), (["--", "/bin/true"], "usage:"), (["-M", "exim", "-u", USER], "postfix or sendmail"),
                            (["-u", USER, "--", "sh"], "must begin with /"), (["-c", "etc", "-u", USER, "--", "/bin/sh"], "must begin with /"),
                            (["-x"], "usage:")):
            with self.subTest(words):
                status, text = run([PROGRAM] + words)
                self.assertEqual(status, 2)
                self.assertIn(said, text)

    def test_who_may_run_what(self):
        self.assertIn("root; name the user", run([PROGRAM, "-u", "root", "--", "/bin/true"])[1])
        self.assertIn("no such user", run([PROGRAM, "-u", "nobody-of-this-name", "--", "/bin/true"])[1])
        status, text = run(command("true"), user=USER, group="nogroup", extra_groups=[])
        self.assertEqual((status, "only root" in text), (1, True), text)

    def test_the_command_has_nothing_of_ours(self):
        read, write = os.pipe()
        os.set_inheritable(read, True)
        script = ("exec >&2; id -u; id -G; grep NoNewPrivs /proc/self/status; pwd; env | sort; echo; umask; "
                  "exec ls /proc/self/fd")
        status, text = run(command(script), env=dict(os.environ, SECRET="x", LD_LIBRARY_PATH="/tmp", PATH="/tmp:" + os.environ["PATH"]),
                           close_fds=False)
        os.close(read)
        os.close(write)
        lines = text.splitlines()
        uid = subprocess.run(["id", "-u", USER], stdout=subprocess.PIPE).stdout.decode().strip()
        gids = subprocess.run(["id", "-G", USER], stdout=subprocess.PIPE).stdout.decode().strip()
        self.assertEqual(status, 0, text)
        self.assertEqual(lines[:4], [uid, gids, "NoNewPrivs:\t1", "/"])
        names = {line.split("=")[0] for line in lines[4:lines.index("")]}
        self.assertLessEqual(names, {"HOME", "LOGNAME", "PATH", "USER", "PWD", "SHLVL", "_", "OLDPWD"})
        self.assertIn("PATH=/usr/bin:/bin", lines)
        self.assertEqual(lines[lines.index("") + 1:], ["0027", "0", "1", "2", "3"])  # 3: the folder that ls reads

    def test_what_is_no_queue_id_ends_it(self):
        for said, shown in (("ALL", "ALL"), ("", '""'), ("../../x", "../../x"), ("ABCDEF; id", "ABCDEF; id"), ("ABCDEF ", "ABCDEF "),
                            ("-H", "-H"), ("ABC\\033DEF", "\\x1b"), ("A" * 65, "AAAA"), ("\\303\\244\\303\\244\\303\\244", "\\xc3")):
            with self.subTest(said):
                began = time.monotonic()
                status, text = run(command("printf -- '%s\\n'; exec sleep 50" % said))
                self.assertEqual(status, 1)
                self.assertIn("which is no queue id; it is ended", text)
                self.assertIn(shown, text)
                self.assertNotIn("released", text)
                self.assertLess(time.monotonic() - began, 20)
        # Without a line end, too; and what is none for Sendmail is one for Postfix.
        self.assertEqual(run(command("printf %s; exec sleep 50" % ("A" * 5000)))[0], 1)
        status, text = run(command("echo 2AA60A7631F; exec sleep 50", "-M", "sendmail"))
        self.assertIn("which is no queue id", text)

    def test_each_id_is_answered_once_in_its_order(self):
        ids = ["ID%06d" % i for i in range(120)]
        script = "printf '%%s\\n' %s; n=0; while [ $n -lt 120 ]; do read a && echo \"$a\" >&2; n=$((n + 1)); done" % " ".join(ids)
        status, text = run(command(script))
        lines = [line for line in text.splitlines() if line.startswith("ID")]
        self.assertEqual(status, 0)
        self.assertEqual([line.split()[0] for line in lines], ids)
        self.assertTrue(all(line.split()[1] == "failed" and len(line.split()) > 2 for line in lines), lines[0])

    def test_an_id_that_comes_in_pieces(self):
        status, text = run(command("printf ABC; sleep 0.3; printf 'DEF\\nGHI'; sleep 0.3; echo JKL; read a; read b; echo \"$a|$b\" >&2"))
        self.assertEqual(status, 0)
        self.assertRegex(text, r"(?m)^ABCDEF failed .*\|GHIJKL failed ")

    def test_how_the_command_ends(self):
        self.assertEqual(run(command("exit 7"))[0], 7)
        status, text = run(command("kill -9 $$"))
        self.assertEqual((status, "ended by a signal" in text), (1, True))
        status, text = run([PROGRAM, "-u", USER, "--", "/nonexistent/program"])
        self.assertEqual(status, 127)
        self.assertIn("No such file", text)

    def test_it_is_told_to_end(self):
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(sig), tempfile.NamedTemporaryFile("r", dir="/tmp") as f:
                os.chmod(f.name, 0o666)
                p = subprocess.Popen(command("echo $$ >%s; exec sleep 100" % f.name))
                while not f.read().strip():
                    time.sleep(0.02)
                    f.seek(0)
                f.seek(0)
                child = int(f.read())
                p.send_signal(sig)
                self.assertEqual(p.wait(20), 0)
                self.assertFalse(os.path.exists("/proc/%d" % child))

    def test_when_it_is_killed_its_command_sees_the_end(self):
        with tempfile.NamedTemporaryFile("r", dir="/tmp") as f:
            os.chmod(f.name, 0o666)
            p = subprocess.Popen(command("echo ready >%s; read a || echo gone >%s" % (f.name, f.name)))
            for wanted in ("ready", "gone"):
                for _ in range(500):
                    f.seek(0)
                    if f.read().strip() == wanted:
                        break
                    time.sleep(0.02)
                f.seek(0)
                self.assertEqual(f.read().strip(), wanted)
                p.kill()
            p.wait()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("only root can try postern-unhold")
        sys.exit(77)
    unittest.main(verbosity=2)
