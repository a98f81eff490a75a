#!/bin/sh
# The AWS CLI's own commands look at what wormlog keeps in Secrets Manager and S3, after one rotation on a development
# server: awscli.sh FOLDER-OF-WORMLOG-AND-WORMLOG-DEV. The AWS CLI is the one on the machine; a machine without one gets the
# version named here, into that folder, or what Debian has.
set -eu
cd "$(dirname "$0")/.."
bin=$(cd "$1" && pwd)
PATH=$bin:$bin/awscli/bin:$PATH

version=1.45.11
install() {
	rm -rf "$bin/awscli"
	if python3 -m venv "$bin/awscli" && "$bin/awscli/bin/pip" install --quiet --disable-pip-version-check "awscli==$version"; then
		return
	fi
	rm -rf "$bin/awscli"
	[ "$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y --no-install-recommends awscli
}
if ! command -v aws >/dev/null; then
	install >&2 || {
		echo 'There is no AWS CLI here, and neither pip nor apt-get could install one. Install it (https://aws.amazon.com/cli) and run this again.' >&2
		exit 1
	}
fi
aws --version

# What the environment says of AWS or wormlog is about other accounts and archives than the one that is made here.
for name in $(env | sed -n 's/^\(AWS_[A-Z0-9_]*\|WORMLOG_[A-Z0-9_]*\)=.*/\1/p'); do
	unset "$name"
done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

dir=$(mktemp -d)
trap 'wormlog-dev stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
env=$(wormlog-dev --print-env)
eval "$env"
cd "$dir"
export AWS_PAGER='' AWS_DEFAULT_REGION="$WORMLOG_REGION" AWS_CONFIG_FILE="$dir/none" AWS_SHARED_CREDENTIALS_FILE="$dir/none"

# is NAME GOT WANT: each check is a line.
is() {
	if [ "$2" != "$3" ]; then
		echo "$1: got $2, want $3" >&2
		exit 1
	fi
	echo "ok  $1: $2"
}
secrets() { aws --endpoint-url "$WORMLOG_ENDPOINT" --output text secretsmanager "$@"; }
objects() { aws --endpoint-url "$WORMLOG_ENDPOINT" --output text s3api "$@"; }

wormlog init >/dev/null
first=$(wormlog keys current)
echo '{"n":1}' | wormlog write - >/dev/null
wormlog keys rotate >/dev/null
second=$(wormlog keys current)
echo '{"n":2}' | wormlog write - >/dev/null
[ "$first" != "$second" ] || { echo "keys rotate left key $first in force" >&2; exit 1; }

signing=$WORMLOG_SIGNING_SECRET
holds() { sed -n 's/.*"key_id":"\([0-9a-f]*\)".*/\1/p'; } # the ID of the key; the secret itself stays in the pipe
is 'list-secrets: the signing secret' "$(secrets list-secrets --query "length(SecretList[?Name=='$signing'])")" 1
is 'describe-secret: staging labels' "$(secrets describe-secret --secret-id "$signing" --query 'sort(VersionIdsToStages.*[])' | tr '\t' ' ')" 'AWSCURRENT AWSPREVIOUS'
is 'list-secret-version-ids: versions' "$(secrets list-secret-version-ids --secret-id "$signing" --include-deprecated --query 'length(Versions)')" 2
current=$(secrets list-secret-version-ids --secret-id "$signing" --query "Versions[?contains(VersionStages,'AWSCURRENT')].VersionId")
is 'get-secret-value: AWSCURRENT' "$(secrets get-secret-value --secret-id "$signing" --query SecretString | holds)" "$second"
is 'get-secret-value: AWSPREVIOUS' "$(secrets get-secret-value --secret-id "$signing" --version-stage AWSPREVIOUS --query SecretString | holds)" "$first"
is 'get-secret-value: by version' "$(secrets get-secret-value --secret-id "$signing" --version-id "$current" --query SecretString | holds)" "$second"
for key in "$first" "$second"; do
	copy=$(secrets list-secrets --query "SecretList[?ends_with(Name,'$key')].Name")
	is "the verification copy of key $key" "$(secrets get-secret-value --secret-id "$copy" --query SecretString | holds)" "$key"
	is '… says what it is' "$(secrets describe-secret --secret-id "$copy" --query 'starts_with(Description, `wormlog: verification copy of key`)')" True
done
is 'get-resource-policy: none yet' "$(secrets get-resource-policy --secret-id "$copy" --query ResourcePolicy)" None
secrets put-resource-policy --secret-id "$copy" --resource-policy \
	'{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":["secretsmanager:DeleteSecret","secretsmanager:UpdateSecret"],"Resource":"*"}]}' >/dev/null
is 'get-resource-policy: the statement of docs/keys.md' "$(secrets get-resource-policy --secret-id "$copy" --query 'contains(ResourcePolicy, `DeleteSecret`)')" True

record=keys/$second.json
is 'list-object-versions: key records' "$(objects list-object-versions --bucket "$WORMLOG_BUCKET" --prefix keys/ --query 'length(Versions)')" 3
is 'get-object-retention: the new record' "$(objects get-object-retention --bucket "$WORMLOG_BUCKET" --key "$record" --query Retention.Mode)" COMPLIANCE
is 'head-object: its lock' "$(objects head-object --bucket "$WORMLOG_BUCKET" --key "$record" --query ObjectLockMode)" COMPLIANCE
until=$(objects head-object --bucket "$WORMLOG_BUCKET" --key "$record" --query ObjectLockRetainUntilDate)
is 'get-object-retention: until the same date' "$(objects get-object-retention --bucket "$WORMLOG_BUCKET" --key "$record" --query Retention.RetainUntilDate)" "$until"
count=0
for key in $(objects list-object-versions --bucket "$WORMLOG_BUCKET" --query 'Versions[].Key'); do
	is "locked: $key" "$(objects get-object-retention --bucket "$WORMLOG_BUCKET" --key "$key" --query Retention.Mode)" COMPLIANCE
	count=$((count + 1))
done
[ $count -ge 8 ] || { echo "only $count objects, less than two streams, three records and log.json have" >&2; exit 1; }
id=$(objects head-object --bucket "$WORMLOG_BUCKET" --key "$record" --query VersionId)
if refused=$(objects delete-object --bucket "$WORMLOG_BUCKET" --key "$record" --version-id "$id" 2>&1); then
	echo "the lock did not hold: $refused" >&2
	exit 1
fi
is 'delete-object: the lock holds' "$(echo "$refused" | sed -n 's/.*(\([A-Za-z]*\)).*/\1/p')" AccessDenied
objects get-object --bucket "$WORMLOG_BUCKET" --key "$record" record.json >/dev/null
is 'get-object: the record names the version of its secret' "$(sed -n '1s/.*"version":"\([^"]*\)".*/\1/p' record.json)" "$current"
is 'get-object: … and the key before it' "$(sed -n '1s/.*"previous":"\([^"]*\)".*/\1/p' record.json)" "$first"

# What the CLI begins, wormlog finishes.
begun=$(secrets rotate-secret --secret-id "$signing" --client-request-token 11111111-2222-3333-4444-555555555555 --query VersionId)
wormlog keys rotate >/dev/null
is 'rotate-secret: finished by wormlog keys rotate' "$(secrets list-secret-version-ids --secret-id "$signing" --query "Versions[?contains(VersionStages,'AWSCURRENT')].VersionId")" "$begun"
wormlog verify >/dev/null
echo 'the AWS CLI sees what wormlog wrote'
