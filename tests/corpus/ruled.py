# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
"""The rule of a row of the corpus, as rules of a policy file. A row says it as

    [CONDITION] PATTERN [->] [ACTION]

where PATTERN is /PCRE2/ with flags, or PCRE2 as it is, and without an action
the message is rejected. A row that names no condition means the message as a
whole: its subject, its text and the names of what is attached to it."""

import re

CONDITIONS = ("subject", "body", "attachment", "attachment-type", "sender", "from", "recipients")
ACTIONS = ("accept", "reject", "defer", "hold", "discard", "require-tls")
EVERYWHERE = ("subject", "body", "attachment")
# Matching is always of UTF-8; (*UTF) and its like say so and are no part of a pattern here.
VERBS = re.compile(r"^(\(\*[A-Z0-9_]+\))+")


def parse(text):
    """(conditions, pattern between slashes, action)."""
    conditions, action, rest = EVERYWHERE, "reject", text.strip()
    first = re.match(r"(%s)(:|\s)\s*" % "|".join(sorted(CONDITIONS, key=len, reverse=True)), rest)
    if first:
        conditions, rest = (first.group(1),), rest[first.end():]
    last = re.search(r"\s(->\s*)?(%s)$" % "|".join(ACTIONS), rest)
    if last:
        action, rest = last.group(2), rest[:last.start()].rstrip()
    rest = VERBS.sub("", rest)
    slashed = re.fullmatch(r"(?s)(!?\s*)/(.*)/([imsx]*)", rest)
    before, pattern, flags = slashed.groups() if slashed else ("", rest, "")
    pattern = VERBS.sub("", pattern)
    if not pattern:
        raise ValueError("a rule without a pattern: %r" % text)
    return conditions, "%s/%s/%s" % (before, pattern, flags), action


def policy(row):
    """What stands behind the policy file of a row; "" without a rule."""
    if "rule" not in row:
        return ""
    conditions, pattern, action = parse(row["rule"])
    return "rules:\n" + "".join("  - name: corpus-%s\n    %s: '%s'\n    action: %s\n" % (
        c, c, pattern.replace("'", "''"), action) for c in conditions)


def action(row):
    return parse(row["rule"])[2] if "rule" in row else ""
