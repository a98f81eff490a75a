#!/bin/sh
# Runs every fuzz target of the module for a while each: fuzz.sh DURATION
set -eu
duration=${1:-5s}
count=0
for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go | sort -u); do
		echo "fuzz $dir $target"
		go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$duration"
		count=$((count + 1))
	done
done
test "$count" -gt 0 || { echo "no fuzz target was found" >&2; exit 1; }
echo "$count fuzz targets ran"
