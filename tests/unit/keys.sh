#!/bin/bash
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Key files as postern check sees them: each fault is named at the place in the
# policy that names the key, and stops that key alone.
command -v openssl >/dev/null || { echo "openssl is not installed"; exit 77; }
top=$PWD
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
echo contoso.com >accepted.txt
cat >policy.yaml <<P
listen: unix:$work/m.sock
database: sqlite:$work/p.db
tenants:
  contoso:
    accepted-domains: accepted.txt
    connector-auth: ip
    next-hop: mx.example
signing:
  contoso.com:
    - selector: one
      key: key.pem
apps:
  - name: app
    tenant: contoso
    clients: [10.1.1.1]
    method: connector
    senders: [app@contoso.com]
P

expect() { # what, status, text in the output
	"$top/postern" check -c policy.yaml >output 2>&1
	status=$?
	if [ $status -ne "$2" ] || ! grep -q -- "$3" output; then
		echo "FAIL: $1: status $status, expected $2 and \"$3\":"
		cat output
		failed=1
	fi
	rm -rf key.pem key.pem.txt
}
rsa() { openssl genrsa "$@" 2>/dev/null; }

rsa -out key.pem 2048; chmod 600 key.pem; expect "PKCS8 RSA" 0 "1 keys"
rsa -traditional -out key.pem 2048; chmod 600 key.pem; expect "PKCS1 RSA" 0 "1 keys"
openssl genpkey -algorithm ED25519 -out key.pem; chmod 600 key.pem; expect "Ed25519" 0 "1 keys"
{ echo "# our key"; echo; rsa 2048; } >key.pem; chmod 600 key.pem; expect "comment before the PEM" 0 "1 keys"
rsa -out key.pem 2048; chmod 640 key.pem; expect "readable by its group" 0 "1 keys"
rsa -out key.pem 1024; chmod 600 key.pem; expect "1024 bits" 0 "warning: key .* 1024 bits"
rsa -out key.pem 512; chmod 600 key.pem; expect "512 bits" 1 "policy.yaml:11:[0-9]*: error: key .* 512 bits"
rsa -out key.pem 2048; chmod 644 key.pem; expect "readable by all" 1 "by everybody"
expect "missing" 1 "cannot be opened"
: >key.pem; chmod 600 key.pem; expect "empty" 1 "is empty"
mkdir key.pem; expect "a folder" 1 "no regular file"
echo rubbish >key.pem; chmod 600 key.pem; expect "rubbish" 1 "no PEM block"
rsa 2048 | head -5 >key.pem; chmod 600 key.pem; expect "cut short" 1 "cannot* be decoded\|can be decoded"
rsa -aes128 -passout pass:x -out key.pem 2048; chmod 600 key.pem; expect "encrypted" 1 "is encrypted" </dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem 2>/dev/null; chmod 600 key.pem
expect "EC" 1 "neither an RSA nor an Ed25519"
rsa -out k 2048; openssl pkey -in k -pubout -out key.pem; chmod 600 key.pem; expect "a public key" 1 "public key"
rsa -out key.pem 2048; chmod 600 key.pem; rsa -out other 2048
p=$(openssl pkey -in other -pubout -outform DER | base64 -w0)
printf 'one._domainkey IN TXT ( "v=DKIM1; k=rsa; p=%s" "%s" ) ;\n' "${p:0:200}" "${p:200}" >key.pem.txt
expect "another key's record" 1 "not the private half of the record"
rsa -out key.pem 2048; chmod 600 key.pem
p=$(openssl pkey -in key.pem -pubout -outform DER | base64 -w0)
printf 'one._domainkey IN TXT ( "v=DKIM1; k=rsa; p=%s" "%s" ) ;\n' "${p:0:200}" "${p:200}" >key.pem.txt
expect "its own record" 0 "1 keys"
exit $failed
