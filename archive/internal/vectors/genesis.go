package vectors

import (
	"strings"
)

func (s *set) genesis(e *example) {
	line := e.genesisLine()
	x := &subject{
		folder: "genesis", kind: "genesis", line: line, signer: e.online, other: e.recovery, ext: true, text: "example.com",
		second: `"origin":"` + origin + `",`, third: `"nonce":"000102030405060708090a0b0c0d0e0f",`,
		frame: func(*Vector, string) {},
	}
	s.generic(x)
	s.stored(x, "example", "the genesis of the example", "", e.log)
	for _, c := range []struct {
		name, description string
		change            edit
	}{
		{"home-root", "an archive at the root of a bucket, on a server without regions", swap(`"prefix":"logs/payments","region":"eu-central-1"`, `"prefix":"","region":""`)},
		{"no-heartbeat", "streams declare no liveness by default", swap(`"heartbeat_seconds":3600`, `"heartbeat_seconds":0`)},
		{"retention-longest", "the longest retention", swap(`"days":2557,"max_days":3653`, `"days":36500,"max_days":36500`)},
		{"origin-punctuation", "an origin may have all printable ASCII but space and plus; two of it are escaped",
			swap(origin, `!\"#$%&'()*,-./:;<=>?@[\\]^_{|}~`+"`")},
		{"year-9999", "the last instant", swap("2026-11-22T17:00:00.000000000Z", "9999-12-31T23:59:59.999999999Z")},
	} {
		s.line(x, c.name, c.description, "", c.change)
	}
	s.genesisInvalid(x)
	s.genesisAuthorities(x, e)
	pinned := e.logID
	edited := e.online.object("genesis", hexSum(replace(line, "2557", "1")+"\n"), replace(line, "2557", "1"))
	s.add("genesis", "pinned-other", Vector{Description: "a right log.json of another log than the one pinned",
		Input: edited, Name: pinned, Error: hashMismatch})
	s.add("genesis", "pinned-format-edited", Vector{Description: "the pinned log.json with its format edited: tampering, not a later release",
		Input: replace(e.log, format, "wormlog/v2"), Name: pinned, Error: hashMismatch})
	s.add("genesis", "pinned-broken", Vector{Description: "the pinned log.json with a byte lost: the hash is judged before the form",
		Input: replace(e.log, `"home"`, `home"`), Name: pinned, Error: hashMismatch})
	s.add("genesis", "pinned", Vector{Description: "the log ID is the SHA-256 of line 1 with its newline", Input: e.log, Name: pinned})
}

func (s *set) genesisInvalid(x *subject) {
	const created = "2026-11-22T17:00:00.000000000Z"
	for _, c := range []struct {
		name, description string
		change            edit
	}{
		{"origin-empty", "the origin is empty", swap(origin, "")},
		{"origin-space", "the origin has a space", swap(origin, "example.com/payments audit")},
		{"origin-plus", "the origin has a plus", swap(origin, "example.com/payments+audit")},
		{"origin-newline", "the origin has a newline", swap(origin, `example.com\n`)},
		{"origin-not-ascii", "the origin has a letter that Unicode can compose in two ways", swap(origin, "exämple.com")},
		{"origin-decomposed", "the same letter, decomposed", swap(origin, "exämple.com")},
		{"origin-delete", "the origin has U+007F", swap(origin, "example\u007f.com")},
		{"nonce-short", "the nonce has 31 digits", swap("0e0f", "0e0")},
		{"nonce-upper-case", "the nonce is in upper-case hex", swap("0e0f", "0E0F")},
		{"nonce-not-hex", "the nonce has a g", swap("0e0f", "0e0g")},
		{"created-8-digits", "eight digits of a second", swap(created, "2026-11-22T17:00:00.00000000Z")},
		{"created-seconds", "no digits of a second", swap(created, "2026-11-22T17:00:00Z")},
		{"created-comma", "a comma in the second", swap(created, "2026-11-22T17:00:00,000000000Z")},
		{"created-offset", "an offset instead of Z", swap(created, "2026-11-22T17:00:00.000000000+00:00")},
		{"created-lower-case", "a lower-case z", swap(created, "2026-11-22T17:00:00.000000000z")},
		{"created-space", "a space instead of T", swap(created, "2026-11-22 17:00:00.000000000Z")},
		{"created-1999", "the year 1999", swap(created, "1999-12-31T23:59:59.999999999Z")},
		{"created-leap-second", "a 61st second", swap(created, "2026-12-31T23:59:60.000000000Z")},
		{"created-february-30", "the 30th of February", swap(created, "2026-02-30T00:00:00.000000000Z")},
		{"created-hour-24", "the hour 24", swap(created, "2026-11-22T24:00:00.000000000Z")},
		{"created-number", "a number of seconds", swap(`"`+created+`"`, "1795366800")},
		{"bucket-empty", "the home has no bucket", swap("example-audit", "")},
		{"bucket-not-ascii", "the home's bucket is not ASCII", swap("example-audit", "exämple-audit")},
		{"prefix-slash-first", "the home's prefix begins with a slash", swap("logs/payments", "/logs")},
		{"prefix-slash-last", "the home's prefix ends with a slash", swap("logs/payments", "logs/")},
		{"home-null", "the home is null", swap(`{"bucket":"example-audit","prefix":"logs/payments","region":"eu-central-1"}`, "null")},
		{"home-missing-region", "the home has no region", swap(`,"region":"eu-central-1"`, "")},
		{"days-zero", "a retention of no days", swap(`"days":2557`, `"days":0`)},
		{"days-over-max", "a retention over its cap", swap(`"days":2557`, `"days":3654`)},
		{"max-days-over-s3", "a cap over 36,500 days", swap(`3653`, `36501`)},
		{"days-float", "a number as 2557.0", swap(`"days":2557`, `"days":2557.0`)},
		{"days-exponent", "a number as 1e3", swap(`"days":2557`, `"days":1e3`)},
		{"days-negative", "a negative number", swap(`"days":2557`, `"days":-1`)},
		{"days-leading-zero", "a number with a leading zero", swap(`"days":2557`, `"days":02557`)},
		{"days-string", "a number in quotes", swap(`"days":2557`, `"days":"2557"`)},
		{"heartbeat-minus-zero", "the number -0", swap(`"heartbeat_seconds":3600`, `"heartbeat_seconds":-0`)},
		{"heartbeat-2-to-53", "a number over 2^53-1", swap(`"heartbeat_seconds":3600`, `"heartbeat_seconds":9007199254740992`)},
		{"heartbeat-over-a-year", "a heartbeat of more than 366 days", swap(`"heartbeat_seconds":3600`, `"heartbeat_seconds":31622401`)},
		{"heartbeat-null", "no heartbeat is 0, not null", swap(`"heartbeat_seconds":3600`, `"heartbeat_seconds":null`)},
	} {
		s.line(x, c.name, c.description, malformed, c.change)
	}
	s.repeated(x, "origin-longest", "the longest origin", "", Repeat{"o", 255}, swap(origin, "<repeat>"))
	s.repeated(x, "origin-256", "an origin of 256 bytes", malformed, Repeat{"o", 256}, swap(origin, "<repeat>"))
	s.repeated(x, "over-64-kib", "more than 64 KiB", malformed, Repeat{"p", 64 << 10}, swap("logs/payments", "<repeat>"))
}

func (s *set) genesisAuthorities(x *subject, e *example) {
	online := `{"name":"online","algorithm":"ed25519","public_key":"` + e.online.public() + `"}`
	recovery := `{"name":"recovery","algorithm":"ed25519","public_key":"` + e.recovery.public() + `"}`
	both := `[` + online + `,` + recovery + `]`
	key := e.online.public()
	for _, c := range []struct {
		name, description, class string
		change                   edit
	}{
		{"authorities-one", "there is no recovery authority", malformed, swap(both, `[`+online+`]`)},
		{"authorities-none", "there is no authority", malformed, swap(both, `[]`)},
		{"authorities-three", "there is a third authority", malformed, swap(both, `[`+online+`,`+recovery+`,`+strings.Replace(recovery, "recovery", "third", 1)+`]`)},
		{"authorities-swapped", "recovery stands first", malformed, swap(both, `[`+recovery+`,`+online+`]`)},
		{"authorities-renamed", "the online authority has another name", malformed, swap(`"online"`, `"Online"`)},
		{"authorities-equal", "both authorities have one key", malformed, swap(e.recovery.public(), key)},
		{"authority-algorithm", "an authority with HMAC", malformed, swap(`"ed25519"`, `"hmac-sha256"`)},
		{"public-key-raw", "a public key of 32 raw bytes", malformed, swap(key, b64(e.online.raw()))},
		{"public-key-unpadded", "a public key's base64 without padding", malformed, swap(key, strings.TrimRight(key, "="))},
		{"public-key-x25519", "a public key of another algorithm: the OID of X25519", malformed, swap("MCowBQYDK2VwAyEA", "MCowBQYDK2VuAyEA")},
		{"public-key-pem", "a public key as PEM", malformed, swap(key, `-----BEGIN PUBLIC KEY-----\n`+key+`\n-----END PUBLIC KEY-----\n`)},
		{"public-key-trailing", "a byte behind a public key", malformed, swap(key, key[:len(key)-1]+"A")},
	} {
		s.line(x, c.name, c.description, c.class, c.change)
	}
	s.weak(x, "recovery", "the recovery authority's key", e.recovery.public(), "order-1", "order-4", "order-8", "y-over-p")
	s.stored(x, "signed-by-recovery", "the recovery authority signed", badSignature, e.recovery.object("genesis", hexSum(x.line+"\n"), x.line))
}
