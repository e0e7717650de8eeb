# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""posternd behind a real Postfix that hands on to a stand-in, for all tests of
a class. A test file derives from Relay and says what it wants else."""

import os
import shutil
import tempfile
import unittest

import dozen
import posterntest as pt


class Relay(unittest.TestCase):
    build = None    # the folder with posternd
    policy_more = ""  # goes below the dozen's policy file, whose end are the apps

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-e2e-")
        os.chmod(cls.folder, 0o755)
        run = os.path.join(cls.folder, "run")
        os.makedirs(run)
        shutil.chown(run, group="postfix")
        os.chmod(run, 0o2750)
        cls.socket = os.path.join(run, "milter.sock")
        cls.policy, cls.records = dozen.write_policy(cls.folder, "unix:" + cls.socket)
        with open(cls.policy, "a") as f:
            f.write(cls.policy_more)
        cls.database = os.path.join(cls.folder, "postern.db")
        cls.stand_in = pt.StandIn()
        cls.daemon = pt.Posternd(os.path.join(cls.build, "posternd"), cls.policy, cls.socket,
                                 os.path.join(cls.folder, "log")).start()
        cls.postfix = pt.Postfix(os.path.join(cls.folder, "postfix"), "unix:" + cls.socket, cls.stand_in.port).start()

    @classmethod
    def tearDownClass(cls):
        cls.postfix.stop()
        status = cls.daemon.stop()
        cls.stand_in.close()
        log = cls.daemon.log()
        shutil.rmtree(cls.folder, ignore_errors=True)
        if status != 0 or "Sanitizer" in log:
            raise AssertionError("posternd ended with %d\n%s" % (status, log[-4000:]))

    def send(self, client, sender, recipients, raw, parameters=""):
        """One message of that client's; the answers to it, by command."""
        c = pt.Client(self.postfix.port)
        try:
            c.ehlo()
            c.pretend(client)
            return c.message(sender, recipients, raw, parameters)
        finally:
            c.close()
