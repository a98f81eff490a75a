#!/bin/sh
# Checks the example archive by hand, as docs/format.md section 1 shows it: with sh, coreutils, sed, zstd and OpenSSL 3.
#
#	sh testdata/vectors/example/check.sh
#
# The commands between the calls of "same" are those of that page, line by line; a test compares the two. Ends with
# status 0 if everything holds, else at the first thing that does not.
set -eu
export LC_ALL=C
cd "$(dirname "$0")"
for tool in openssl zstd sha256sum base64 od; do
	command -v "$tool" >/dev/null || { echo "check.sh: needs $tool, which is not installed; nothing was checked" >&2; exit 2; }
done
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

same() { # same WHAT GOT WANT
	if [ "$2" != "$3" ]; then
		echo "FAILED $1: $2, not $3" >&2
		exit 1
	fi
	echo "ok $1: $2"
}

# --- Step 1: the log ID
LOG=$(head -n1 archive/log.json | sha256sum | cut -c1-64)
echo "log ID $LOG"

# --- Step 2: genesis is signed by the online authority
sed -n '1s/.*"name":"online","algorithm":"ed25519","public_key":"\([^"]*\)".*/\1/p' archive/log.json | base64 -d > $T/online.der
ONLINE=$( (printf 'wormlog/v1 authority key\n'; tail -c 32 $T/online.der) | sha256sum | cut -c1-32)
same "authority key ID" "$ONLINE" "$(sed -n '2s/.*"key_id":"\([^"]*\)".*/\1/p' archive/log.json)"

signed() { # signed KIND FILE KEY: the signature of a line object, by a public key in DER
	id=$(sed -n '2s/.*"key_id":"\([^"]*\)".*/\1/p' "$2")
	hash=$(head -n1 "$2" | sha256sum | cut -c1-64)
	printf 'wormlog/v1 %s\n%s\n%s\n%s\n' "$1" "$LOG" "$id" "$hash" > $T/message
	sed -n '2s/.*"signature":"\([^"]*\)".*/\1/p' "$2" | base64 -d > $T/signature
	openssl pkeyutl -verify -pubin -keyform DER -inkey "$3" -rawin -in $T/message -sigfile $T/signature
}
signed genesis archive/log.json $T/online.der

# --- Step 3: the key record is named by its hash and signed by the online authority
RECORD=archive/keys/59e461821823507d060cfda8f22f1a06.json
KEY=$(head -n1 $RECORD | sha256sum | cut -c1-32)
same "key ID" "$KEY" "$(basename $RECORD .json)"
signed key $RECORD $T/online.der
sed -n '1s/.*"public_key":"\([^"]*\)".*/\1/p' $RECORD | base64 -d > $T/writer.der

# --- Step 4: the first manifest is signed by the record key
STREAM=payments.01M824P6200123456789ABCDEF
FIRST=archive/manifests/2026-11-22/$STREAM/000000000000.json
signed manifest $FIRST $T/writer.der

# --- Step 5: the segment is the one that the manifest pins, and one zstd frame
SEGMENT=archive/segments/date=2026-11-22/hour=17/stream=$STREAM/00000000000000000000.ndjson.zst
SHA=$(sha256sum < $SEGMENT | cut -c1-64)
same "segment" "$SHA" "$(sed -n '1s/.*"bytes":[0-9]*,"sha256":"\([^"]*\)".*/\1/p' $FIRST)"
od -An -v -tx1 -N12 $SEGMENT
zstd -q -d -c $SEGMENT > $T/lines
same "raw bytes" "$(wc -c < $T/lines | tr -d ' ')" "$(sed -n '1s/.*"raw_bytes":\([0-9]*\).*/\1/p' $FIRST)"
same "entries" "$(wc -l < $T/lines | tr -d ' ')" "$(sed -n '1s/.*"count":\([0-9]*\).*/\1/p' $FIRST)"

# --- Step 6: the HMAC of each entry, for whoever may read the verification copy
hex() { od -An -v -tx1 | tr -d ' \n'; }
ENTRYKEY=$(sed -n 's/.*"entry_key":"\([^"]*\)".*/\1/p' verification-copy.json | base64 -d | hex)
printf 'wormlog/v1 commitment\n%s' $LOG | openssl dgst -sha256 -mac HMAC -macopt hexkey:$ENTRYKEY
same "commitment" "$(printf 'wormlog/v1 commitment\n%s' $LOG | openssl dgst -sha256 -mac HMAC -macopt hexkey:$ENTRYKEY | sed 's/.*= *//')" \
	"$(sed -n '1s/.*"hmac_commitment":"\([^"]*\)".*/\1/p' $RECORD)"
INFO=$(printf 'wormlog/v1 entry key\n%s\n%s' $LOG $STREAM | hex)
DERIVED=$(openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:$ENTRYKEY -kdfopt hexinfo:$INFO -binary HKDF | hex)
for i in 1 2 3; do
	sed -n ${i}p $T/lines | tr -d '\n' | sed 's/^{"key_id":"[^"]*","signature":"[^"]*","entry"://; s/}$//' > $T/entry
	(printf 'wormlog/v1 entry\n%s\n%s\n' $LOG $KEY; cat $T/entry) | openssl dgst -sha256 -mac HMAC -macopt hexkey:$DERIVED -binary | base64
	same "signature of entry $i" "$( (printf 'wormlog/v1 entry\n%s\n%s\n' $LOG $KEY; cat $T/entry) | openssl dgst -sha256 -mac HMAC -macopt hexkey:$DERIVED -binary | base64)" \
		"$(sed -n "${i}s/^{\"key_id\":\"[^\"]*\",\"signature\":\"\([^\"]*\)\".*/\1/p" $T/lines)"
done

# --- Step 7: the tree of the three lines
for i in 1 2 3; do
	(printf '\000'; sed -n ${i}p $T/lines | tr -d '\n') | openssl dgst -sha256 -binary > $T/leaf$i
done
(printf '\001'; cat $T/leaf1 $T/leaf2) | openssl dgst -sha256 -binary > $T/node
RANGE="[\"$(hex < $T/node)\",\"$(hex < $T/leaf3)\"]"
same "range" "$RANGE" "$(sed -n '1s/.*"tree":{"size":3,"range":\([^]]*\]\).*/\1/p' $FIRST)"
ROOT=$( (printf '\001'; cat $T/node $T/leaf3) | sha256sum | cut -c1-64)
same "root" "$ROOT" "$(sed -n 's/.*"root":"\([^"]*\)".*/\1/p' heads.json)"

# --- Step 8: the chain, and the stream key
FINAL=archive/manifests/2026-11-22/$STREAM/000000000001.json
BEFORE=$(sha256sum < $FIRST | cut -c1-64)
same "previous" "$BEFORE" "$(sed -n '1s/.*"previous":{"sha256":"\([^"]*\)".*/\1/p' $FINAL)"
sed -n '1s/.*"stream_key":{"algorithm":"ed25519","public_key":"\([^"]*\)".*/\1/p' $FIRST | base64 -d > $T/stream.der
STREAMKEY=$( (printf 'wormlog/v1 stream key\n'; tail -c 32 $T/stream.der) | sha256sum | cut -c1-32)
same "stream key ID" "$STREAMKEY" "$(sed -n '2s/.*"key_id":"\([^"]*\)".*/\1/p' $FINAL)"
signed manifest $FINAL $T/stream.der
same "head" "$(sha256sum < $FINAL | cut -c1-64)" "$(sed -n 's/.*"manifest":"\([^"]*\)".*/\1/p' heads.json)"

# --- Step 9: the receipt
signed receipt receipt.json $T/writer.der
same "leaf of entry 3" "$(hex < $T/leaf3)" "$(sed -n '1s/.*"index":2,"timestamp":"[^"]*","leaf":"\([^"]*\)".*/\1/p' receipt.json)"

echo "everything holds"
