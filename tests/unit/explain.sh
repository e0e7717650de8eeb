#!/bin/bash
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# postern explain on the command line: what is said of wrong options, the shape
# of its answers, and which message files it takes. What it decides is compared
# with the daemon by tests/corpus.
command -v openssl >/dev/null && command -v python3 >/dev/null || { echo "openssl or python3 is not installed"; exit 77; }
top=$PWD
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
printf 'contoso.com\n' >accepted.txt
openssl genrsa -out key.pem 2048 2>/dev/null && chmod 600 key.pem
cat >policy.yaml <<P
listen: unix:$work/m.sock
database: sqlite:$work/p.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    connector-auth: certificate
    next-hop: mx.example
signing:
  contoso.com: [{selector: one, key: key.pem}]
apps:
  - name: crm
    tenant: contoso
    clients: [10.1.1.1]
    method: connector
    senders: ["<>", crm@contoso.com]
    limits: [5 messages/minute, 7 recipients/day per sender]
  - name: watched
    tenant: contoso
    clients: [10.1.1.2, local]
    method: direct-send
    senders: [scanner@contoso.com]
    mode: monitor
P
sed 's/mode: monitor/mode: enforce/' policy.yaml >enforce.yaml
sed "s|^    next-hop: .*|&\n    limits: [1000 external-recipients/day]|" policy.yaml >reserved.yaml
cat >>reserved.yaml <<P
  - {name: billing, tenant: contoso, clients: 10.1.1.3, method: connector, senders: crm@contoso.com, reserved: 400}
  - {name: alarm, tenant: contoso, clients: 10.1.1.4, method: connector, senders: crm@contoso.com, reserved: 5%, critical: yes}
P

fail() {
	echo "FAIL: $*"
	failed=1
}
run() { # arguments
	"$top/postern" explain "$@" >output 2>errors </dev/null
	status=$?
}
expect() { # what, status, file, text in it
	[ $status -eq "$2" ] && grep -q -e "$4" "$3" && return
	fail "$1: status $status, expected $2 and \"$4\" in $3:"
	cat output errors
}
# An expression over the answer d, which must be true.
holds() { # what, expression
	[ $status -eq 0 ] && python3 -c "import json, sys
d = json.load(open('output'))
sys.exit(0 if ($2) else 1)" && return
	fail "$1: status $status, not so: $2"
	cat output errors
}
ask="-c policy.yaml --client 10.1.1.1 --sender crm@contoso.com --rcpt bob@example.net"

# Wrong options: status 2, nothing on standard output, what is wrong comes first.
wrong() { # text, arguments
	local text=$1
	shift
	run "$@"
	[ -s output ] && fail "$*: something stands on standard output"
	expect "$*" 2 errors "^postern explain: $text"
}
wrong "--client is missing" --sender a@contoso.com --rcpt b@example.net
wrong "--sender is missing" --client 10.1.1.1 --rcpt b@example.net
wrong "--rcpt is missing" --client 10.1.1.1 --sender a@contoso.com
wrong "10.1.1 is no client" --client 10.1.1 --sender a@contoso.com --rcpt b@example.net
wrong "--rcpt needs a value" --client 10.1.1.1 --sender a@contoso.com --rcpt
wrong "-c needs a value" -c
wrong "--recipient is no option" --client 10.1.1.1 --recipient b@example.net
wrong "4bXq2k3nZzz1 is no audit id" -c policy.yaml 4bXq2k3nZzz1
wrong "--client is missing" --helo x -c policy.yaml 01ARZ3NDEKTSV4RRFFQ69G5FAV
wrong "--sender is missing" --login crm -c policy.yaml 01ARZ3NDEKTSV4RRFFQ69G5FAV
wrong "two is one message too many" $ask one two
run --help
expect "--help" 0 output "^usage: postern explain"
[ -s errors ] && fail "--help: something stands on standard error"

# JSON: the keys, and what stands in them.
run $ask --json
holds "json" 'set("verdict code enhanced reason text app tenant recipients signatures limits trace".split()) <= set(d)'
holds "json" '(d["verdict"], d["code"], d["enhanced"], d["reason"], d["text"]) == ("accept", 250, "2.0.0", "", "")'
holds "json" '(d["app"], d["tenant"]) == ("crm", "contoso")'
holds "json" 'd["recipients"] == [{"address": "bob@example.net", "place": "external", "accepted": True, "reason": ""}]'
holds "json" '[(s["domain"], s["selector"], s["made"]) for s in d["signatures"]] == [("contoso.com", "one", True)]'
holds "json" '[(c["name"], c["count"], c["amount"], c["over"]) for c in d["limits"]] == [
	("crm/messages-per-minute", 5, 1, "defer"), ("crm/recipients-per-day-per-sender", 7, 1, "defer")]'
holds "json" 'd["limits"][1]["key"] == "sender=crm@contoso.com"'
holds "json" 'all(set(t) == {"stage", "question", "answer", "detail"} for t in d["trace"]) and len(d["trace"]) > 3'
run -c policy.yaml --client 10.1.1.1 --sender crm@fabrikam.com --rcpt bob@example.net --json
holds "refused sender" '(d["verdict"], d["code"], d["enhanced"], d["reason"]) == ("reject", 550, "5.7.1", "sender-not-accepted")'
run -c policy.yaml --client 10.1.1.1 --sender $'\xff"\\@contoso.com' --rcpt $'b\xff\x01@x' --json
holds "octets that are no text" 'd["verdict"] == "reject"'
run -c policy.yaml --client 10.1.1.1 --sender '<>' --rcpt bob@example.net --json
holds "null sender, plain message" '(d["verdict"], d["signatures"][0]["made"]) == ("accept", True)'

# Recipients: those refused are listed; the decision is the last one's when all are.
outside="--client 10.1.1.2 --sender scanner@contoso.com --rcpt bob@example.net"
run -c enforce.yaml $outside --rcpt ann@contoso.com --json
holds "one refused" 'd["verdict"] == "accept" and [r["reason"] for r in d["recipients"]] == ["direct-send-external", ""]'
run -c enforce.yaml $outside --rcpt '<>' --json
holds "all refused" '(d["verdict"], d["code"], d["reason"]) == ("reject", 553, "recipient-malformed")'
holds "all refused" 'd["text"].startswith("the recipient <> is empty")'

# Monitor: delivered, and what would have been.
run -c policy.yaml $outside --json
holds "monitor" '(d["verdict"], d["code"], d["reason"], d["would"], d["would_reason"]) == ("accept", 250, "", "reject", "direct-send-external")'
run -c policy.yaml $outside
expect "monitor" 0 output "^verdict: accept (only monitored; it would reject)"
expect "monitor" 0 output "^would:   550 5.7.1 \[direct-send-external\] watched (10.1.1.2) sends by Direct Send"
expect "monitor" 0 output "^advice:  Use a connector or smtp-auth app"
run -c enforce.yaml $outside
expect "enforce" 0 output "^verdict: reject$"
expect "enforce" 0 output "^reply:   550 5.7.1 \[direct-send-external\]"
run -c enforce.yaml --client local --sender scanner@contoso.com --rcpt bob@example.net --json
holds "picked up" '(d["verdict"], d["reason"]) == ("reject", "direct-send-external")'

# What is reserved of a limit, for others and for the app itself; the latter is no limit.
to_outside="--sender crm@contoso.com --rcpt bob@example.net"
run -c reserved.yaml --client 10.1.1.1 $to_outside
expect "reserved for others" 0 output "^limit:   contoso/external-recipients-per-day: 1000, use not known, 400 are reserved for app billing, 50 for app alarm, 100 for critical apps, this message adds 1$"
grep -q '^reserve:' output && fail "a reserve where there is none: $(cat output)"
run -c reserved.yaml --client 10.1.1.3 $to_outside
expect "reserved for itself" 0 output "^reserve: contoso/external-recipients-per-day-per-app app=billing: 400, use not known, this message adds 1$"
expect "reserved for itself" 0 output "1000, use not known, 50 are reserved for app alarm, 100 for critical apps, this"
run -c reserved.yaml --client 10.1.1.4 $to_outside
expect "critical" 0 output "^limit:   contoso/external-recipients-per-day: 1000, use not known, this message adds 1$"
run -c reserved.yaml --client 10.1.1.3 $to_outside --json
holds "reserved" '[(l["name"], l["reserved"], l["for_critical_apps"]) for l in d["limits"]] == [
	("contoso/external-recipients-per-day", [{"app": "alarm", "amount": 50}], 100)]'
holds "reserved" 'd["reserves"] == [{"name": "contoso/external-recipients-per-day-per-app", "key": "app=billing",
	"count": 400, "amount": 1}]'
holds "reserved" '[t["detail"] for t in d["trace"] if t["question"] == "charged"] == ["contoso/external-recipients-per-day 1"]'

# Message files. The size of a body shows in the limit's bytes only, so look at the decision.
message='From: CRM\n\t<crm@contoso.com>\nSubject: x\n\nline\n.\n'
printf "$message" >lf
printf "${message//\\n/\\r\\n}" >crlf
printf 'Subject: x\n\n' >no-from
printf 'From: crm@contoso.com\n\na\rb\n' >bare-cr
printf 'From: crm@contoso.com\nno field\n' >no-empty-line
: >empty
mkdir folder
for m in lf crlf; do
	run $ask --json $m
	holds "$m" '(d["verdict"], d["signatures"][0]["made"]) == ("accept", True)'
	cp output $m.json
done
cmp -s lf.json crlf.json || fail "bare LF and CRLF are explained differently"
"$top/postern" explain $ask --json - <lf >output 2>errors
status=$?
cmp -s lf.json output || fail "standard input is explained differently from a file"
run $ask --json no-from
holds "no From" '(d["code"], d["enhanced"], d["reason"]) == (554, "5.6.0", "from-missing")'
run $ask --json empty
holds "an empty file" 'd["reason"] == "from-missing"'
run $ask --json bare-cr
holds "a bare CR" 'd["reason"] == "body-malformed"'
run $ask --json no-empty-line
holds "no empty line" 'd["verdict"] == "accept"'
run $ask missing
expect "a missing message" 1 errors "missing: No such file"
run $ask folder
expect "a folder" 1 errors "folder: Is a directory"
run $ask -c nowhere.yaml
expect "a missing policy" 1 errors "nowhere.yaml: error: the file cannot be read: No such file"
exit $failed
