package vectors

import "strings"

func (s *set) records(e *example) {
	x := &subject{
		folder: "key", kind: "key", line: e.recordLine(), log: e.logID, signer: e.online, other: e.recovery, ext: true, text: "payments/signing",
		second: `"log_id":"` + e.logID + `",`, third: `"role":"writer",`,
		frame: func(v *Vector, line string) { v.Name = hexSum(line + "\n")[:32] },
	}
	s.generic(x)
	s.stored(x, "example", "the key record of the example", "", e.record)
	commitment := `"hmac_commitment":"` + e.commitment() + `",`
	ed25519 := func(line string) string {
		return replace(replace(line, `"hmac-sha256"`, `"ed25519"`), commitment, "")
	}
	role := func(role string) edit {
		return func(line string) string {
			return replace(replace(ed25519(line), `"writer"`, `"`+role+`"`), `"payments.*"`, `"`+role+`.*"`)
		}
	}
	const source = `"source":{"provider":"example","secret":"payments/signing"}`
	s.line(x, "ed25519", "a key that signs entries with Ed25519", "", ed25519)
	s.line(x, "custodian", "a key of role custodian", "", role("custodian"))
	s.line(x, "verifier", "a key of role verifier", "", role("verifier"))
	s.line(x, "one-stream", "a key for one whole stream", "", swap(`payments.*`, stream))
	s.line(x, "all-optional", "a record with a previous key and an extension", "",
		swap(source, source+`,"previous":"00112233445566778899aabbccddeeff","ext":{"a":"b"}`))
	authority := role("authority")(x.line)
	s.stored(x, "authority", "a key of role authority is signed by recovery", "", e.recovery.object("key", e.logID, authority))
	s.stored(x, "authority-signed-online", "a key of role authority signed by online", badSignature, e.online.object("key", e.logID, authority))
	s.recordsOfOnline(x, e, ed25519, role)
	s.recordsInvalid(x, e, source, commitment)
	s.recordsNamed(e)
	s.weak(x, "public-key", "the public key", e.signer.public())
	for _, wrong := range []string{"custodian", "verifier", "authority", "online"} {
		s.line(x, "role-"+wrong+"-hmac", "a key of role "+wrong+" that signs entries with HMAC", malformed, func(line string) string {
			return replace(replace(line, `"writer"`, `"`+wrong+`"`), `"payments.*"`, `"`+wrong+`.*"`)
		})
		s.line(x, "writer-as-"+wrong, "a writer's key for the streams of "+wrong, malformed, swap(`"payments.*"`, `"`+wrong+`.*"`))
	}
	s.line(x, "role-custodian-as-verifier", "a custodian's key for the streams of verifier", malformed, func(line string) string {
		return replace(ed25519(replace(line, `"writer"`, `"custodian"`)), `"payments.*"`, `"verifier.*"`)
	})
	s.line(x, "ed25519-with-commitment", "a key that signs entries with Ed25519 has no commitment", malformed, swap(`"hmac-sha256"`, `"ed25519"`))
}

// recordsOfOnline adds records of keys of role online, and records that such keys signed.
func (s *set) recordsOfOnline(x *subject, e *example, ed25519 edit, role func(string) edit) {
	own := func(k key, line string) string { return replace(line, e.signer.public(), k.public()) }
	online, authority := newKey(6), newKey(7)
	onlineLine, authorityLine := own(online, role("online")(x.line)), own(authority, role("authority")(x.line))
	online.id, authority.id = hexSum(onlineLine + "\n")[:32], hexSum(authorityLine + "\n")[:32]
	onlineRecord := e.recovery.object("key", e.logID, onlineLine)
	misvouched := e.online.object("key", e.logID, onlineLine)
	other := ed25519(x.line)

	s.stored(x, "online", "a key of role online is signed by recovery", "", onlineRecord)
	s.stored(x, "online-signed-online", "a key of role online signed by online", badSignature, misvouched)
	s.line(x, "online-one-stream", "a key of role online for one stream", malformed, func(line string) string {
		return replace(role("online")(line), `"online.*"`, `"`+replace(stream, "payments", "online")+`"`)
	})
	s.line(x, "online-for-writer", "a key of role online for the streams of a writer", malformed,
		func(line string) string { return replace(role("online")(line), `"online.*"`, `"payments.*"`) })

	for _, c := range []struct {
		name, description, class string
		signer                   key
		line                     string
		records                  []string
	}{
		{"signed-by-online-key", "a writer's key, signed by a key of role online", "", online, other, []string{onlineRecord}},
		{"signed-by-online-key-hmac", "a writer's key with HMAC, signed by a key of role online", "", online, x.line, []string{e.record, onlineRecord}},
		{"custodian-signed-by-online-key", "a custodian's key, signed by a key of role online", "", online, role("custodian")(x.line), []string{onlineRecord}},
		{"verifier-signed-by-online-key", "a verifier's key, signed by a key of role online", "", online, role("verifier")(x.line), []string{onlineRecord}},
		{"authority-signed-by-online-key", "a key of role authority, signed by a key of role online", badSignature, online, role("authority")(x.line), []string{onlineRecord}},
		{"online-signed-by-online-key", "a key of role online, signed by another one", badSignature, online, role("online")(x.line), []string{onlineRecord}},
		{"signed-by-online-key-misvouched", "a writer's key, signed by a key of role online whose own record is not signed by recovery", badSignature, online, other, []string{misvouched}},
		{"signed-by-unknown-key", "a writer's key, signed by a key of which there is no record", unknownKey, online, other, []string{e.record}},
		{"signed-by-recovery", "a writer's key, signed by recovery", badSignature, e.recovery, other, nil},
		{"signed-by-writer-key", "a writer's key, signed by another writer's key", badSignature, e.signer, other, []string{e.record}},
		{"signed-by-authority-key", "a writer's key, signed by a key of role authority", badSignature, authority, other,
			[]string{e.recovery.object("key", e.logID, authorityLine)}},
	} {
		s.recordIn(x, c.name, c.description, c.class, c.signer.object("key", e.logID, c.line), c.records)
	}
	forged := twoLines(other, online.id, e.online.sign(message("key", e.logID, online.id, other)))
	s.recordIn(x, "signed-in-the-name-of-online-key", "a writer's key that names a key of role online, which did not sign it", badSignature, forged, []string{onlineRecord})
}

// recordIn adds a record that is judged in an archive with others.
func (s *set) recordIn(x *subject, name, description, class, bytes string, others []string) {
	v := Vector{Description: description, Input: bytes, Records: others, Error: class}
	line, _, _ := strings.Cut(bytes, "\n")
	x.frame(&v, line)
	s.add(x.folder, name, v)
}

func (s *set) recordsInvalid(x *subject, e *example, source, commitment string) {
	for _, c := range []struct {
		name, description, class string
		change                   edit
	}{
		{"other-log", "a record of another log", wrongLog, swap(e.logID, hexSum("another log"))},
		{"log-id-upper-case", "the log ID is in upper-case hex", malformed, swap(e.logID, strings.ToUpper(e.logID))},
		{"log-id-short", "the log ID has 63 digits", malformed, swap(e.logID, e.logID[1:])},
		{"role-unknown", "an unknown role", malformed, swap(`"writer"`, `"reader"`)},
		{"streams-list", "the pattern is in a list", malformed, swap(`"payments.*"`, `["payments.*"]`)},
		{"streams-star", "a pattern for all streams", malformed, swap(`payments.*`, `*`)},
		{"streams-empty", "an empty pattern", malformed, swap(`payments.*`, ``)},
		{"streams-prefix", "a pattern with a star inside the writer's name", malformed, swap(`payments.*`, `pay*.*`)},
		{"streams-half-star", "a pattern with a star inside the ULID", malformed, swap(`payments.*`, `payments.01*`)},
		{"streams-no-ulid", "a writer's name alone", malformed, swap(`payments.*`, `payments`)},
		{"streams-upper-case", "a writer's name in upper case", malformed, swap(`payments.*`, `Payments.*`)},
		{"streams-hyphen-first", "a writer's name that begins with a hyphen", malformed, swap(`payments.*`, `-payments.*`)},
		{"streams-64-bytes", "a writer's name of 64 bytes", malformed, swap(`payments.*`, "a23456789012345678901234567890123456789012345678901234567890abcd.*")},
		{"streams-ulid-1999", "a stream of the year 1999", malformed, swap(`payments.*`, "payments.00VHNCZAZZ0123456789ABCDEF")},
		{"streams-ulid-lower-case", "a ULID in lower case", malformed, swap(`payments.*`, "payments.01m824p6200123456789abcdef")},
		{"algorithm-unknown", "an unknown algorithm", malformed, swap(`"hmac-sha256"`, `"hmac-sha512"`)},
		{"algorithm-case", "an algorithm in upper case", malformed, swap(`"hmac-sha256"`, `"HMAC-SHA256"`)},
		{"commitment-missing", "HMAC without a commitment", malformed, swap(commitment, "")},
		{"commitment-null", "the commitment is null", malformed, swap(commitment, `"hmac_commitment":null,`)},
		{"commitment-empty", "the commitment is empty", malformed, swap(commitment, `"hmac_commitment":"",`)},
		{"commitment-upper-case", "the commitment is in upper-case hex", malformed, swap(commitment, `"hmac_commitment":"`+"ABCDEF"+e.commitment()[6:]+`",`)},
		{"commitment-base64", "the commitment is in base64", malformed, swap(commitment, `"hmac_commitment":"`+b64([]byte(sum("x")))+`",`)},
		{"public-key-raw", "a public key of 32 raw bytes", malformed, swap(e.signer.public(), b64(e.signer.raw()))},
		{"source-empty", "the source is empty", malformed, swap(source, `"source":{}`)},
		{"source-missing", "there is no source", malformed, swap(`,`+source, ``)},
		{"source-null", "the source is null", malformed, swap(source, `"source":null`)},
		{"source-string", "the source is a string", malformed, swap(source, `"source":"example"`)},
		{"source-unordered", "the names of source do not ascend", malformed, swap(source, `"source":{"secret":"payments/signing","provider":"example"}`)},
		{"previous-null", "the previous key is null", malformed, swap(source, source+`,"previous":null`)},
		{"previous-empty", "the previous key is empty", malformed, swap(source, source+`,"previous":""`)},
		{"previous-short", "the previous key is no key ID", malformed, swap(source, source+`,"previous":"00"`)},
		{"previous-upper-case", "the previous key is in upper-case hex", malformed, swap(source, source+`,"previous":"00112233445566778899AABBCCDDEEFF"`)},
	} {
		s.line(x, c.name, c.description, c.class, c.change)
	}
	s.repeated(x, "over-64-kib", "more than 64 KiB", malformed, Repeat{"x", 64 << 10}, swap("payments/signing", "<repeat>"))
}

// recordsNamed adds records that are not what they are named after.
func (s *set) recordsNamed(e *example) {
	for _, c := range []struct{ name, description, input string }{
		{"edited", "a record that was edited under its name", replace(e.record, `"writer"`, `"reader"`)},
		{"format-edited", "the record with its format edited: tampering, not a later release", replace(e.record, format, "wormlog/v2")},
		{"byte-lost", "the record with a byte lost: the hash is judged before the form", replace(e.record, `"role"`, `role"`)},
		{"newline-missing", "the record with its newline replaced", replace(e.record, "\n", "\r")},
	} {
		s.add("key", c.name, Vector{Description: c.description, Input: c.input, Name: e.signer.id, Error: hashMismatch})
	}
}
