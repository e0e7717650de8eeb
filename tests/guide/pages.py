# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the guide's pages on rules, on learning, on relays and on the audit show is so. usage: pages.py GUIDE BUILD FOLDER

In each page, from the top: a policy in ```yaml is in force from there on, one that begins
with "rules:" takes the place of the rules of the last; ```eml NAME is a saved message;
```diff is applied to the policy in force and makes new.yaml; the commands in ```console
print exactly what stands below them; ```text below ```sql is what the query finds in the
audit of a week (week.py). reports.md and questions.md are told of the audit of asking.md. limits.md has a daemon (class LimitsPage), relays.md two and a server (class RelaysPage), learn.md an audit of its own (class LearnPage), so has summary.md
NAME.sql is the answer to that file of sql/queries (class AskingPage). Tables whose last column is Matches or Result are put to
postern explain, a row at a time. And the JSON of simulate and explain ID has the members
that postern(1) lists."""

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys

import asked
import fortnight
import limited
import relayed
import week
import history  # noqa: E402: week knows where
import posterntest  # noqa: E402
import dashboard_rows  # noqa: E402
import schema  # noqa: E402

PAGES = ("rules.md", "simulate.md", "refusals.md")
APPS = {"crm": week.CRM, "payroll": week.PAYROLL, "legal": week.LEGAL, "printers": week.PRINTER}
NOTHING = {"verdict": "nothing", "reason": "", "trace": [], "recipients": []}
failed = []
counts = {"rows": 0, "commands": 0, "queries": 0, "recipes": 0, "excerpts": 0, "questions": 0}
LEAST = {"rows": 70, "commands": 26, "queries": 2, "recipes": 8, "excerpts": 3, "questions": 17}


def fail(page, line, text):
    failed.append("%s:%d: %s" % (page, line, text))


def squeeze(text):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" -")]


def is_last(header):
    return re.search(r"\| (Matches|Result) \|", header)


class Page:
    """One page being read; `policy` is in force."""

    def __init__(self, name, build, folder, policy):
        self.name, self.build, self.folder, self.policy = name, build, folder, policy
        self.sql = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def set_policy(self, text, name="postern.yaml"):
        self.write(name, text + "\ndatabase: sqlite:week.db\n")

    def run(self, words):
        """What a command of the page prints, paths as on the page."""
        words[0] = os.path.join(self.build, words[0])
        if words[1] in ("check", "explain", "export") and "-c" not in words:
            words[2:2] = ["-c", "postern.yaml"]
        if words[1] == "report":
            words += ["-c", "postern.yaml"]
        said = subprocess.run(words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "COLUMNS": "100"}).stdout.decode()
        said = said.replace("\r\n", "\n")
        return re.sub(r"(?m)^postern\.yaml:", "/etc/postern/postern.yaml:", said)

    # ---- fenced blocks

    def yaml(self, line, text):
        if text.startswith("rules:"):
            self.policy = self.policy[:self.policy.index("\nrules:") + 1] + text
            counts["recipes"] += 1
        else:
            self.policy = text
        self.set_policy(self.policy)
        if ": good: " not in self.checked() or ": warning: " in self.checked():
            fail(self.name, line, "postern check says\n" + self.checked())

    def checked(self):
        return self.run(["postern", "check"])

    def diff(self, line, text):
        new = self.policy
        for hunk in re.split(r"(?m)^@@.*\n", text)[1:]:
            rows = [row if row else " " for row in hunk.splitlines()]
            before = "".join(row[1:] + "\n" for row in rows if row[0] in " -")
            after = "".join(row[1:] + "\n" for row in rows if row[0] in " +")
            if new.count(before) != 1:
                fail(self.name, line, "this part stands %d times in the policy:\n%s" % (new.count(before), before))
            new = new.replace(before, after, 1)
        self.set_policy(new, "new.yaml")

    def console(self, line, text):
        for part in re.split(r"(?m)^# ", text)[1:]:
            command, _, wanted = part.partition("\n")
            said = self.run(shlex.split(command))
            if said.strip() != wanted.strip():
                fail(self.name, line, "%s prints\n%s" % (command, said))
            counts["commands"] += 1

    def text(self, line, text):
        if self.sql is None:
            return
        db = sqlite3.connect("file:%s?mode=ro" % self.path("week.db"), uri=True)
        query = db.execute(self.sql.rstrip().rstrip(";"))
        rows = [[column[0] for column in query.description]] + query.fetchall()
        said = "\n".join(" ".join("" if x is None else str(x) for x in row) for row in rows)
        if squeeze(said) != squeeze(text):
            fail(self.name, line, "the query finds\n%s" % said)
        counts["queries"] += 1

    def block(self, line, info, text):
        words = info.split()
        language = words[0] if words else ""
        if language == "yaml":
            self.yaml(line, text)
        elif language == "eml":
            self.write(words[1], text)
        elif language in ("diff", "console", "text"):
            getattr(self, language)(line, text)
        self.sql = text if language == "sql" else None

    # ---- tables

    def message(self, cell, who):
        """The message of a cell as message.eml; the recipients."""
        head, body, to, parts = [], "Hello\n", [], []
        for what, span in re.findall(r"(an attachment |a body of |)`([^`]*)`", cell):
            span = span.replace("\\n", "\n")
            if what.startswith("an att"):
                parts.append(span)
            elif what:
                body = span + "\n"
            elif span.startswith("RCPT TO:"):
                to.append(span[8:])
            else:
                head.append(span)
        size = re.search(r"a body of (\d+) MiB", cell)
        if size:
            body = ("x" * 63 + "\n") * (int(size.group(1)) << 14)
        if parts:
            head.append("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b")
            body = "--b\n\n%s" % body + "".join("--b\nContent-Type: application/octet-stream\nContent-Disposition: "
                                                "attachment; filename=\"%s\"\n\nx\n" % name for name in parts) + "--b--\n"
        if not any(re.match("(?i)from:", field) for field in head):
            head.insert(0, "From: " + who[1])
        self.write("message.eml", "\n".join(head) + "\n\n" + body)
        return to or [week.BOB if who != week.PRINTER else week.ALICE]

    def explain(self, cell, who):
        words = ["postern", "explain", "--json", "--client", who[0], "--sender", who[1]]
        for to in self.message(cell, who):
            words += ["--rcpt", to]
        return json.loads(self.run(words + ["message.eml"]) or json.dumps(NOTHING))

    def row_of_rule(self, line, cells):
        """A rule, what arrives, whether it matches."""
        rule = "".join("    %s\n" % span for span in re.findall(r"`([^`]*)`", cells[0].replace("\\|", "|")))
        self.set_policy(self.policy[:self.policy.index("\nrules:") + 1] +
                        "rules:\n  - name: it\n    action: hold\n" + rule)
        answers = [step["answer"] for step in self.explain(cells[1], week.CRM)["trace"] if step["question"] == "rule"]
        if answers != [cells[-1].strip("*")]:
            fail(self.name, line, "says %s, postern explain says %s" % (cells[-1], answers or self.checked()))

    def row_of_app(self, line, cells):
        """An app, what arrives, what becomes of it under the rules above."""
        said = self.explain(cells[1], APPS[cells[0]])
        verdict = {"reject": "refused", "hold": "held", "discard": "discarded", "defer": "deferred",
                   "accept": "passes", "nothing": "nothing"}[said["verdict"]]
        got = verdict + (": `%s`" % said["reason"] if said["reason"] else "")
        tags = [step["detail"] for step in said["trace"] if step["answer"] == "yes" and step["detail"].endswith(": tag")]
        refused = [r for r in said["recipients"] if not r["accepted"]]
        if tags:
            got = "tagged"
        if refused and said["verdict"] == "accept":
            got = "%s refused: `%s`" % (refused[0]["address"].split("@")[0], refused[0]["reason"])
        if cells[-1] != got:
            fail(self.name, line, "says %s, postern explain says %s" % (cells[-1], got))

    def table(self, first, rows):
        cells = [re.split(r" \| ", row.strip("| ")) for row in rows]
        by_app = cells[0][0] == "App"
        for i, row in enumerate(cells[2:]):
            (self.row_of_app if by_app else self.row_of_rule)(first + 2 + i, row)
            counts["rows"] += 1
        if not by_app:
            self.set_policy(self.policy)

    # ---- the page

    def read(self, lines):
        i = 0
        while i < len(lines):
            start = i
            if lines[i].startswith("```"):
                info, text = lines[i][3:], []
                for i in range(i + 1, len(lines)):
                    if lines[i] == "```":
                        break
                    text.append(lines[i] + "\n")
                self.block(start + 1, info, "".join(text))
            elif lines[i].startswith("| ") and is_last(lines[i]):
                while i + 1 < len(lines) and lines[i + 1].startswith("| "):
                    i += 1
                self.table(start + 1, lines[start:i + 1])
            i += 1


class LearnPage(Page):
    """The page on learning begins with a policy and no audit. The first policy records a fortnight,
    and what is installed after the draft a further week (fortnight.py). ```diff FILE edits
    that file; ```text FILE has parts of it, with ... between them."""
    ROOTS = ("/etc/postern/", "/var/lib/postern/", "/var/spool/postfix/postern/")

    def __init__(self, name, build, folder):
        super().__init__(name, build, folder, "")
        self.audit = fortnight.Audit(build, folder)
        self.later = [fortnight.later]

    def here(self, text):
        for root in self.ROOTS:
            text = text.replace(root, self.folder + "/")
        return text

    def there(self, text):
        """As on the page."""
        text = text.replace("sqlite:%s/" % self.folder, "sqlite:/var/lib/postern/")
        return text.replace(self.folder + "/", "/etc/postern/")

    def set_policy(self, text, name="postern.yaml"):
        self.write(name, self.here(text))

    def yaml(self, line, text):
        super().yaml(line, text)
        self.audit.record(self.path("postern.yaml"), fortnight.first())

    def run(self, words):
        if words[0] == "install":
            return self.install(words[-2])
        if words[1] in ("check", "learn") and "-c" not in words:
            words[2:2] = ["-c", self.path("postern.yaml")]
        return self.there(super().run(words))

    def contents(self, name):
        with open(self.path(name)) as f:
            return self.there(f.read())

    def install(self, name):
        self.policy = self.contents(name)
        self.set_policy(self.policy)
        if name == "new.yaml" and self.later:
            self.audit.record(self.path("postern.yaml"), self.later.pop(0)())
        return ""

    def block(self, line, info, text):
        words = info.split()
        if len(words) == 2 and words[0] == "diff":
            now, self.policy = self.policy, self.contents(words[1])
            self.diff(line, text)
            os.replace(self.path("new.yaml"), self.path(words[1]))
            self.policy = now
        elif len(words) == 2 and words[0] == "text":
            self.excerpt(line, self.contents(words[1]), text)
        else:
            super().block(line, info, text)

    def excerpt(self, line, whole, text):
        at = 0
        for part in re.split(r"(?m)^ *\.\.\.\n", text):
            found = ("\n" + whole).find("\n" + part, at)
            if found < 0:
                fail(self.name, line, "this does not stand in the file, or not here:\n%s" % part)
            at = max(at, found + len(part))
        counts["excerpts"] += 1


class AskingPage(Page):
    """The page on the audit. Its first policy makes the audit (asked.py); then each of sql/queries is asked. Where "..."
    ends what stands on the page, more follows."""

    def __init__(self, name, build, folder):
        super().__init__(name, build, folder, "")
        self.waiting = schema.queries()

    def set_policy(self, text, name="postern.yaml"):
        self.write(name, text + "\ndatabase: sqlite:asked.db\n")

    def yaml(self, line, text):
        super().yaml(line, text)
        asked.make(self.build, self.folder, text)

    def block(self, line, info, text):
        name = info[len("text "):-len(".sql")]
        if not info.startswith("text ") or not info.endswith(".sql"):
            super().block(line, info, text)
        elif name not in self.waiting:
            fail(self.name, line, "there is no %s.sql, or it was asked before" % name)
        else:
            self.answer(line, self.waiting.pop(name), text)

    def answer(self, line, path, text):
        db = sqlite3.connect("file:%s?mode=ro" % self.path("asked.db"), uri=True)
        with open(path) as f:
            query = db.execute(f.read())
        rows = [[column[0] for column in query.description]] + query.fetchall()
        said = [" ".join("" if x is None else str(x) for x in row) for row in rows]
        wanted = squeeze(text)
        found = squeeze("\n".join(said))
        if wanted and wanted[-1] == "...":
            found = found[:len(wanted) - 1] + ["..."] * (len(found) >= len(wanted))
        if found != wanted or len(wanted) < 2:
            fail(self.name, line, "%s finds\n%s" % (os.path.basename(path), "\n".join(said)))
        counts["questions"] += 1

    def end(self):
        for name in self.waiting:
            fail(self.name, 0, "%s.sql is not asked" % name)


class LimitsPage(Page):
    """The page on limits: a daemon runs under its policy, and the CRM has run into a limit (limited.py). Times, spans
    and ids are any; "..." stands for what is left out."""

    def __init__(self, name, build, folder):
        super().__init__(name, build, folder, "")
        self.relay = limited.Relay(build, folder)

    def set_policy(self, text, name="postern.yaml"):
        self.write(name, re.sub(r"(?m)^listen:.*$", "listen: unix:" + self.relay.socket_path, text) +
                   "\ndatabase: sqlite:limits.db\n")

    def yaml(self, line, text):
        super().yaml(line, text)
        self.relay.begin(self.path("postern.yaml"))

    def run(self, words):
        words[0] = os.path.join(self.build, words[0])
        words[2:2] = ["-c", "postern.yaml"]
        return subprocess.run(words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "COLUMNS": "100", "TZ": "UTC"}).stdout.decode()

    @staticmethod
    def any_time(text):
        for pattern, name in ((r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME"), (r"(tomorrow )?\b\d\d:\d\d\b", "CLOCK"), (r"\b\d+[smhd]\b", "SPAN"),
                              (r"\b[0-9A-Z]{26}\b", "ID"), (r"by .* at CLOCK", "by WHO at CLOCK"), (r"relay \S+", "relay R"),
                              (r'"relay":"[^"]*"', '"relay":"R"'), (r"_ms\":\d+", '_ms":N'), (r"\w{3}, \d+ \w{3} \d{4} [\d:]+ \+0000", "DATE"),
                              (r"event-[\w.]+@", "event@")):
            text = re.sub(pattern, name, text)
        return squeeze(text)

    @staticmethod
    def stands_in(lines, wanted):
        """Whether the parts between "..." follow each other, the first and the last at the ends."""
        at, parts = 0, [part.split("\n") for part in re.split(r"(?:^|\n)\.\.\.(?:\n|$)", "\n".join(wanted))]
        if len(parts) == 1:
            return lines == wanted
        for i, part in enumerate(parts):
            part = [row for row in part if row]
            places = [0] if i == 0 else [len(lines) - len(part)] if i == len(parts) - 1 and part else range(at, len(lines) + 1)
            found = [n for n in places if n >= at and lines[n:n + len(part)] == part]
            if not found:
                return False
            at = found[0] + len(part)
        return True

    def console(self, line, text):
        for part in re.split(r"(?m)^# ", text)[1:]:
            command, _, wanted = part.partition("\n")
            said = self.run(shlex.split(command))
            if not self.stands_in(self.any_time(said), self.any_time(wanted)):
                fail(self.name, line, "%s prints\n%s" % (command, said))
            counts["commands"] += 1


class SummaryPage(Page):
    """The page on summaries: nine weeks whose changes are known (tests/lib/history.py)."""

    def __init__(self, name, build, folder):
        super().__init__(name, build, folder, "")
        audit = schema.Database(self.path("history.db"))
        weeks = history.History(audit, 1795392000000)  # 2026-11-23
        weeks.usual()
        weeks.changed()
        audit.roll_up()
        audit.close()

    def set_policy(self, text, name="postern.yaml"):
        # All is kept, whenever this runs.
        self.write(name, text + "\ndatabase: sqlite:history.db\naudit: {keep: 36500 days}\n")

    def run(self, words):
        words[0] = os.path.join(self.build, words[0])
        words[2:2] = ["-c", "postern.yaml"]
        return subprocess.run(words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "TZ": "UTC"}).stdout.decode().replace("\n-- \n", "\n--\n")


class QuestionsPage(Page):
    """The page of questions, asked of the audit of asking.md with what became of its mail; ID is the newest refusal of the printers. "..." as on
    the page of limits, and within a line. Commands that are indented are run, and may find nothing."""

    def __init__(self, name, build, folder):
        super().__init__(name, build, folder, "")
        self.db = sqlite3.connect(self.path("asked.db"))
        self.id, = self.db.execute("SELECT id FROM refusals WHERE app = 'printers' ORDER BY last_time DESC LIMIT 1").fetchone()
        rows = [{"queue_id": q or id, "time": t, "verdict": v} for id, q, t, v in self.db.execute("SELECT id, queue_id, time, verdict FROM messages WHERE app = 'crm' ORDER BY time DESC")]
        self.deliveries(rows)

    def deliveries(self, rows):
        class Chance:
            """The first three failed, in the order of REPLIES from its second on."""
            n = 0

            def random(self):
                self.n += 1
                return 1 if self.n <= 3 else 0

            def choice(self, of):
                return (of[1], of[1], of[0])[self.n - 1] if of is dashboard_rows.REPLIES else "bob@example.net"
        dashboard_rows.add_deliveries(self.path("asked.db"), rows, Chance())

    def run(self, words):
        words = [self.id if w == "ID" else w for w in words]
        words[0] = os.path.join(self.build, words[0])
        return subprocess.run(words + ["-c", "postern.yaml"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "COLUMNS": "100", "TZ": "UTC"}).stdout.decode()

    def console(self, line, text):
        for part in re.split(r"(?m)^# ", text)[1:]:
            command, _, wanted = part.partition("\n")
            said = self.run(shlex.split(command))
            as_said = re.sub(r"\b%s\b" % self.id, "ID", said)
            pattern = "".join(".*" if piece == "..." else re.escape(piece) if piece != "TIME" else "[0-9TZ:-]+" for piece in re.split(r"(\.\.\.|TIME)", wanted.strip()))
            if not re.fullmatch(pattern, as_said.strip(), re.S):
                fail(self.name, line, "%s prints\n%s" % (command, said))
            counts["commands"] += 1

    def read(self, lines):
        super().read(lines)
        for i, text in enumerate(lines):
            if text.startswith("    postern "):
                said = self.run(shlex.split(text))
                if "usage:" in said or "postern: " in said:
                    fail(self.name, i + 1, "%s prints\n%s" % (text, said))
                counts["commands"] += 1


class RelaysPage(Page):
    """The page on relays: a PostgreSQL server, and two daemons under its policy (relayed.py). ```pgpass PATH is a password
    file; systemctl stops and starts the server; ```text log and ```text reply stand in the log of the first, and in
    what its client was told last, spans of time aside."""

    def __init__(self, name, build, folder, top):
        super().__init__(name, build, folder, "")
        self.site = relayed.Site(build, folder)
        self.write("accepted-domains.csv", "contoso.com\n")
        self.roles = os.path.join(top, "sql", "postgres", "roles.sql")

    def here(self, text):
        for there, here in (("/usr/local/share/postern/postgres/roles.sql", self.roles),
                            ("@db.contoso.com/", "@localhost:%d/" % self.site.server.port),
                            ("db.contoso.com:5432:", "localhost:%d:" % self.site.server.port),
                            ("/etc/postern/", self.folder + "/"),
                            ("/var/lib/postern/", self.folder + "/"), ("/var/spool/postfix/postern/", self.folder + "/")):
            text = text.replace(there, here)
        return text

    def there(self, text):
        text = re.sub(r"(?m) +$", "", text.replace("@localhost:%d/" % self.site.server.port, "@db.contoso.com/"))
        return text.replace(self.folder + "/", "/etc/postern/")

    def yaml(self, line, text):
        self.write("postern.yaml", self.here(text))
        said = self.run(["postern", "check", "-c", self.path("postern.yaml")])
        if ": good: " not in said or ": warning: " in said:
            fail(self.name, line, "postern check says\n" + said)
        self.site.begin(self.here(text))

    def run(self, words):
        if words[0] == "systemctl":
            getattr(self.site, words[1])()
            return ""
        words = [self.here(word) for word in words]
        if words[0] == "psql":
            words = [os.path.join(self.site.server.bin, "psql"), "-X"] + words[1:]
            if not any(word.startswith("postgresql:") for word in words):
                words += ["-d", self.site.server.url()]
        else:
            words[0] = os.path.join(self.build, words[0])
        return self.there(subprocess.run(words, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, timeout=60).stdout.decode())

    def block(self, line, info, text):
        words = info.split()
        if words[:1] == ["pgpass"]:
            name = os.path.basename(words[1])
            with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as f:
                f.write(self.here(text))
        elif words in (["text", "log"], ["text", "reply"]):
            self.stands_in(line, text, self.site.log() if words[1] == "log" else self.site.said)
        else:
            super().block(line, info, text)

    def stands_in(self, line, text, whole):
        counts["excerpts"] += 1
        plain = [re.sub(r"\b\d+ (second|minute)s?\b", "SPAN", part) for part in (text, whole)]
        for row in plain[0].splitlines():
            if row not in plain[1]:
                fail(self.name, line, "this does not stand in\n%s" % whole[-2000:])


# ---- postern(1)

def documented(manual, section):
    """The members that a section lists below "one object"."""
    text = manual[manual.index(section):]
    text = text[text.index("one object with these members"):]
    return {name for line in re.findall(r"(?m)^\.It Li (.*)$", text[:text.index("\n.El\n")]) for name in line.split(" , ")}


def check_members(page, manual):
    for section, words in ((".Sh OUTPUT OF SIMULATE", ["simulate", "--policy", "new.yaml", "--since", "2026-11-16"]),
                           (".Ss Of an id", ["explain", week.make_id(week.at(16, "08:10"), 0)])):
        said = set(json.loads(page.run(["postern"] + words + ["--json"]) or "{}"))
        if said != documented(manual, section):
            failed.append("postern.1, %s: has %s, postern %s prints %s" %
                          (section, documented(manual, section) - said, words[0], said - documented(manual, section)))


def check_limits(page, manual):
    """The same of what postern limits shows and postern notify hands on."""
    shown = json.loads(page.run(["postern", "limits", "--json"]))["limits"][0]
    handed = json.loads(page.run(["postern", "notify", "--dry-run"]).split("\n")[1])
    for section, said in ((".Sh OUTPUT OF LIMITS", shown), (".Sh OUTPUT OF NOTIFY", handed)):
        if set(said) != documented(manual, section):
            failed.append("postern.1, %s: has %s, printed is %s" %
                          (section, documented(manual, section) - set(said), set(said) - documented(manual, section)))


def read_relays(guide, build, folder):
    if not relayed.can_run():
        print("relays.md was not run: no PostgreSQL server is installed (Debian: postgresql)")
        if os.environ.get("CI") == "true":
            failed.append("relays.md was not run")
        return
    os.makedirs(folder, exist_ok=True)
    page = RelaysPage("relays.md", build, folder, os.path.join(guide, "..", ".."))
    with open(os.path.join(guide, "relays.md")) as f:
        text = f.read()
    try:
        page.read(text.split("\n"))
        page.site.check()
    except (RuntimeError, TimeoutError) as error:
        failed.append("relays.md: ... %s" % str(error)[-1000:])
    finally:
        page.site.end()


def main():
    guide, build, folder = (os.path.abspath(argument) for argument in sys.argv[1:])
    with open(os.path.join(guide, "rules.md")) as f:
        policy = re.search(r"(?ms)^```yaml\n(.*?)^```", f.read()).group(1)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "accepted-domains.csv"), "w") as f:
        f.write("contoso.com\nfabrikam.com\n")
    week.make(build, folder, policy)
    for name in PAGES:
        page = Page(name, build, folder, policy)
        page.set_policy(policy)
        with open(os.path.join(guide, name)) as f:
            page.read(f.read().split("\n"))
    learning = os.path.join(folder, "learning")
    os.makedirs(learning, exist_ok=True)
    shutil.copy(os.path.join(folder, "accepted-domains.csv"), learning)
    with open(os.path.join(guide, "learn.md")) as f:
        text = f.read()
    try:
        LearnPage("learn.md", build, learning).read(text.split("\n"))
    except RuntimeError as error:
        failed.append("learn.md: ... %s" % str(error)[-1000:])
    asking = os.path.join(folder, "asking")
    os.makedirs(asking, exist_ok=True)
    shutil.copy(os.path.join(folder, "accepted-domains.csv"), asking)
    posterntest.make_key(asking, "key.pem")
    with open(os.path.join(guide, "asking.md")) as f:
        text = f.read()
    try:
        questions = AskingPage("asking.md", build, asking)
        questions.read(text.split("\n"))
        questions.end()
        with open(os.path.join(guide, "reports.md")) as f:
            Page("reports.md", build, asking, "").read(f.read().split("\n"))
        with open(os.path.join(guide, "questions.md")) as f:
            QuestionsPage("questions.md", build, asking).read(f.read().split("\n"))
    except RuntimeError as error:
        failed.append("asking.md: ... %s" % str(error)[-1000:])
    summed = os.path.join(folder, "summary")
    os.makedirs(summed, exist_ok=True)
    shutil.copy(os.path.join(folder, "accepted-domains.csv"), summed)
    with open(os.path.join(guide, "summary.md")) as f:
        SummaryPage("summary.md", build, summed).read(f.read().split("\n"))
    living = os.path.join(folder, "limits")
    os.makedirs(living, exist_ok=True)
    shutil.copy(os.path.join(folder, "accepted-domains.csv"), living)
    limits = LimitsPage("limits.md", build, living)
    with open(os.path.join(guide, "limits.md")) as f:
        text = f.read()
    try:
        limits.read(text.split("\n"))
        with open(os.path.join(guide, "..", "postern.1")) as f:
            check_limits(limits, f.read())
    except RuntimeError as error:
        failed.append("limits.md: ... %s" % str(error)[-1000:])
    finally:
        limits.relay.end()
    read_relays(guide, build, os.path.join(folder, "relays"))
    with open(os.path.join(guide, "..", "postern.1")) as f:
        check_members(page, f.read())
    for name, least in LEAST.items():
        if counts[name] < least:
            failed.append("only %d %s were found" % (counts[name], name))
    for text in failed:
        print(text)
    print(", ".join("%d %s" % (counts[name], name) for name in counts) + " of the pages on rules, learning and the audit")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
