#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Each harness over its crashers and, where python3 makes them, its seeds.
top=${srcdir:-.}
seeds=tests/fuzz/replay-seeds
POLICY=$top/tests/scenario/policy.yaml
export POLICY
failed=0
rm -rf $seeds
if command -v python3 >/dev/null; then
	python3 "$top/tests/fuzz/seeds" "$top" $seeds || failed=1
else
	echo "no python3: the crashers only"
fi
for folder in "$top"/tests/fuzz/crashers/fuzz_*; do
	name=${folder##*/fuzz_}
	set -- "$folder"
	[ -d "$seeds/fuzz_$name" ] && set -- "$@" "$seeds/fuzz_$name"
	if "./tests/fuzz/replay_$name" "$@" >"$seeds.log" 2>&1; then
		echo "$name: $(tail -1 "$seeds.log")"
	else
		echo "$name FAILED:"
		tail -40 "$seeds.log"
		failed=1
	fi
done
rm -rf $seeds $seeds.log
exit $failed
