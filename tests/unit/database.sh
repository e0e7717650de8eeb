#!/bin/bash
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Databases that posternd must refuse, each with a text that says why.
command -v sqlite3 >/dev/null || { echo "sqlite3 is not installed"; exit 77; }
top=$PWD
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
echo contoso.com >accepted.txt
policy() { # database
	cat >policy.yaml <<-P
	listen: unix:$work/m.sock
	database: sqlite:$1
	tenants:
	  contoso:
	    accepted-domains: accepted.txt
	    connector-auth: ip
	    next-hop: mx.example
	apps:
	  - name: app
	    tenant: contoso
	    clients: [10.1.1.1]
	    method: connector
	    senders: [app@contoso.com]
	P
}
expect() { # what, text
	timeout 20 "$top/posternd" -f -c policy.yaml >output 2>&1 </dev/null
	status=$?
	if [ $status -ne 1 ] || ! grep -qi -- "$2" output; then
		echo "FAIL: $1: status $status, expected 1 and \"$2\":"
		cat output
		failed=1
	fi
}
head -c 8192 /dev/urandom >garbage.db; policy "$work/garbage.db"; expect "garbage" "not a database\|no SQLite database"
echo "some text that is no database at all, for sure" >text.db; policy "$work/text.db"; expect "text" "not a database\|no SQLite database"
sqlite3 newer.db 'PRAGMA user_version = 999; CREATE TABLE x (y);'; policy "$work/newer.db"; expect "newer" "newer"
policy "$work/nowhere/p.db"; expect "missing folder" "nowhere"
mkdir "$work/folder.db"; policy "$work/folder.db"; expect "a folder" "folder.db"
exit $failed
