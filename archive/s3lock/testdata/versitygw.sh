#!/bin/sh
# Runs a command against versitygw, a real S3 server, on a free loopback port with an empty bucket that has Object Lock on:
#
#   versitygw.sh PATH-OF-VERSITYGW COMMAND [ARGUMENT...]
#
# The command finds WORMLOG_TEST_S3_ENDPOINT, _BUCKET, _REGION, _ACCESS_KEY and _SECRET_KEY in its environment. Server and
# data are gone when it ends, and its exit status is the script's.
set -eu

if [ $# -lt 2 ]; then
	echo "usage: $0 PATH-OF-VERSITYGW COMMAND [ARGUMENT...]" >&2
	exit 2
fi
gateway=$1
shift

dir=$(mktemp -d)
pid=
stop() {
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM
mkdir "$dir/data" "$dir/versions"

WORMLOG_TEST_S3_BUCKET=wormlog-contract
WORMLOG_TEST_S3_REGION=us-east-1
WORMLOG_TEST_S3_ACCESS_KEY=contract
WORMLOG_TEST_S3_SECRET_KEY=contract-$$-$(date +%s)

# The server does not say which port it got for 0, so ports are tried. Only this server knows the secret: one that answers
# to it is the one started here.
admin() {
	"$gateway" admin --access "$WORMLOG_TEST_S3_ACCESS_KEY" --secret "$WORMLOG_TEST_S3_SECRET_KEY" \
		--region "$WORMLOG_TEST_S3_REGION" --endpoint-url "$WORMLOG_TEST_S3_ENDPOINT" "$@"
}
start() {
	WORMLOG_TEST_S3_ENDPOINT=http://127.0.0.1:$1
	ROOT_ACCESS_KEY=$WORMLOG_TEST_S3_ACCESS_KEY ROOT_SECRET_KEY=$WORMLOG_TEST_S3_SECRET_KEY \
		"$gateway" --quiet --region "$WORMLOG_TEST_S3_REGION" --port "127.0.0.1:$1" \
		posix --versioning-dir "$dir/versions" "$dir/data" >"$dir/log" 2>&1 &
	pid=$!
	tries=0
	while kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do
		if admin list-buckets >/dev/null 2>&1; then
			return 0
		fi
		tries=$((tries + 1))
		sleep 0.1
	done
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	pid=
	return 1
}
attempt=0
until start $((20000 + ($$ * 7 + attempt * 1009) % 12000)); do
	attempt=$((attempt + 1))
	if [ $attempt -eq 5 ]; then
		echo "$0: versitygw does not start:" >&2
		cat "$dir/log" >&2
		exit 1
	fi
done
admin create-bucket --owner "$WORMLOG_TEST_S3_ACCESS_KEY" --bucket "$WORMLOG_TEST_S3_BUCKET" \
	--object-lock-enabled-for-bucket >"$dir/create" 2>&1 || {
	echo "$0: the bucket cannot be created:" >&2
	cat "$dir/create" >&2
	exit 1
}

export WORMLOG_TEST_S3_ENDPOINT WORMLOG_TEST_S3_BUCKET WORMLOG_TEST_S3_REGION WORMLOG_TEST_S3_ACCESS_KEY WORMLOG_TEST_S3_SECRET_KEY
status=0
"$@" || status=$?
exit $status
