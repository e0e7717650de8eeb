# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""A real Chromium without a window, told what to do by its DevTools protocol over a pipe."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


def find():
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Chromium:
    """One browser with one page. `events` has all that it told: (method, parameters)."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="postern-chromium-")
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self.child = subprocess.Popen(
            ["sh", "-c", 'exec "$@" 3<&%d 4>&%d' % (theirs_in, theirs_out), "sh", find(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" + self.folder, "--remote-debugging-pipe",
             *options, "about:blank"], pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.input, self.output = ours_in, ours_out
        self.buffer, self.number, self.answers, self.events, self.session = b"", 0, {}, [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "DOM", "Accessibility"):
            self.ask(domain + ".enable")

    def close(self):
        self.child.terminate()
        self.child.wait()
        os.close(self.input)
        os.close(self.output)
        shutil.rmtree(self.folder, ignore_errors=True)

    def read(self, seconds):
        """Whether something came."""
        if not select.select([self.input], [], [], seconds)[0]:
            return False
        more = os.read(self.input, 1 << 20)
        if not more:
            raise AssertionError("chromium ended")
        self.buffer += more
        while b"\0" in self.buffer:
            line, self.buffer = self.buffer.split(b"\0", 1)
            said = json.loads(line)
            if "id" in said:
                self.answers[said["id"]] = said
            else:
                self.events.append((said["method"], said.get("params", {})))
        return True

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.output, data):]
        end = time.monotonic() + 60
        while self.number not in self.answers:
            if time.monotonic() > end:
                raise AssertionError("chromium does not answer " + method)
            self.read(1)
        answer = self.answers.pop(self.number)
        if "error" in answer:
            raise AssertionError("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def open(self, url):
        before = len(self.events)
        self.ask("Page.navigate", url=url)
        end = time.monotonic() + 60
        while not any(m == "Page.loadEventFired" for m, _ in self.events[before:]):
            if time.monotonic() > end:
                raise AssertionError("chromium does not load " + url)
            self.read(1)
        while self.read(0.05):
            pass

    def look(self, width, height=800, scheme="light"):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def evaluate(self, expression):
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def all_of(self, method):
        return [p for m, p in self.events if m == method]
