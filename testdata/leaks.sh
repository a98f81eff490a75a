#!/bin/sh
# Runs every test with keys that are marked, and looks for them in all that the tests print, also those that pass:
# leaks.sh [flags of go test]. The tests look into what they archive themselves, see internal/leaks.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export GOFLAGS="${GOFLAGS:-} -tags=markedkeys" # inherited by the programs that tests build

status=0
go test -v "$@" ./... >"$dir/output" 2>&1 || status=$?
go run ./internal/leaks/scan "$dir/output" || {
	keep=$(mktemp) && cp "$dir/output" "$keep"
	echo "a test prints a secret; its whole output is in $keep" >&2
	exit 1
}
if [ $status -ne 0 ]; then
	# Of the packages that failed, without what went well; go test prints them one by one.
	awk '/^(ok  |\?   )\t/ { n = 0; next } /^(FAIL|---)\t?/ && !/^--- (PASS|SKIP)/ { line[n++] = $0; if (/^FAIL\t/) { for (i = 0; i < n; i++) print line[i]; n = 0 }; next }
		!/^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS)/ { line[n++] = $0 } END { for (i = 0; i < n; i++) print line[i] }' "$dir/output"
	exit $status
fi
grep '^ok ' "$dir/output"

# That nothing was found counts only if there was something to find, and if it would have been found.
grep -q '^--- PASS: TestNoSecretLeavesTheProgram ' "$dir/output" && grep -q '^--- PASS: TestEverySecretIsMarked ' "$dir/output" || {
	echo 'the tests that show that keys are marked did not run' >&2
	exit 1
}
echo 'planted: {"manifest_key":"WORMLOGLEAKEDKEYcZn+Q0nuZo8QKKTFskyJD36LvEE="}' >>"$dir/output"
if go run ./internal/leaks/scan "$dir/output" >/dev/null 2>&1; then
	echo 'the scan misses a secret that was planted' >&2
	exit 1
fi
