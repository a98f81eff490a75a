package vectors

import (
	"fmt"
	"strings"
)

const (
	authorityStream   = "authority.01M824P6200123456789ABCDEF"
	authorityManifest = "control/authority/manifests/" + date + "/" + authorityStream + "/000000000000.json"
	authoritySegment  = "control/authority/segments/date=" + date + "/hour=17/stream=" + authorityStream + "/00000000000000000000.ndjson.zst"
)

// trustObject is one object of a trust file; body is its bytes in base64.
func trustObject(key, date, body string) string {
	if date != "" {
		date = `"date":"` + date + `",`
	}
	return fmt.Sprintf(`{"key":"%s","version_id":"v1",%s"body":"%s"}`, key, date, body)
}

// trust adds trust files. What their acts say is not judged here, so their bytes are any.
func (s *set) trust(e *example) {
	const when = "2026-11-22T17:00:00Z"
	file := func(objects ...string) string {
		return `{"format":"` + format + `","log_id":"` + e.logID + `","exported":"2026-11-22T18:00:07Z","objects":[` + strings.Join(objects, ",") + `]}` + "\n"
	}
	log := trustObject("log.json", when, b64([]byte(e.log)))
	recordKey := "keys/" + e.signer.id + ".json"
	record := trustObject(recordKey, when, b64([]byte(e.record)))
	manifest, segment := trustObject(authorityManifest, when, "eA=="), trustObject(authoritySegment, when, "eA==")
	base := file(manifest, segment, record, log)
	add := func(name, description, class, input string) {
		s.add("trust", name, Vector{Description: description, Input: input, Error: class})
	}
	add("example", "the trust file of the example, which has no acts", "", file(record, log))
	add("acts", "with a manifest and a segment of the authority's stream", "", base)
	add("genesis-alone", "a log without keys", "", file(log))
	add("undated", "an object without a date, as exported from a copy", "", replace(base, `"date":"`+when+`",`, ""))
	add("version-punctuation", "a version ID is any printable ASCII", "", replace(base, `"version_id":"v1"`, `"version_id":"a b/~\"\\"`))

	other := replace(e.log, "2557", "2558")
	editedRecord := replace(e.record, `"payments.*"`, `"anything.*"`)
	for _, c := range []struct{ name, description, class, input string }{
		{"format-later", "a later format", unknownFormat, replace(base, format, "wormlog/v2")},
		{"format-missing", "no format", malformed, replace(base, `"format":"`+format+`",`, "")},
		{"log-id-empty", "no log ID", malformed, replace(base, e.logID, "")},
		{"log-id-upper-case", "the log ID is in upper-case hex", malformed, replace(base, e.logID, strings.ToUpper(e.logID))},
		{"exported-instant", "a date with fractions of a second", malformed, replace(base, "18:00:07Z", "18:00:07.000000000Z")},
		{"exported-missing", "no date of the export", malformed, replace(base, `"exported":"2026-11-22T18:00:07Z",`, "")},
		{"objects-null", "the objects are null", malformed, replace(base, base[strings.Index(base, "["):strings.LastIndex(base, "]")+1], "null")},
		{"objects-empty", "no object at all", malformed, file()},
		{"genesis-missing", "no log.json", malformed, file(record)},
		{"genesis-other", "the log.json of another log", hashMismatch, file(trustObject("log.json", when, b64([]byte(other))))},
		{"genesis-format-edited", "log.json with its format edited: tampering, not a later release", hashMismatch,
			file(trustObject("log.json", when, b64([]byte(replace(e.log, format, "wormlog/v2")))))},
		{"genesis-unsigned", "log.json with the signature of another key", badSignature,
			file(trustObject("log.json", when, b64([]byte(e.recovery.object("genesis", e.logID, e.genesisLine())))))},
		{"genesis-one-line", "log.json without its second line", malformed, file(trustObject("log.json", when, b64([]byte(e.genesisLine()+"\n"))))},
		{"record-edited", "a key record that is not what its name says", hashMismatch, file(trustObject(recordKey, when, b64([]byte(editedRecord))), log)},
		{"objects-unordered", "the objects do not ascend", malformed, file(log, record)},
		{"objects-twice", "an object stands twice", malformed, file(record, record, log)},
		{"key-of-data", "a manifest of a data stream", malformed, file(log, trustObject(manifestKey("000000000000"), when, "eA=="))},
		{"key-of-segment", "a segment of a data stream", malformed, file(log, trustObject(segmentKey, when, "eA=="))},
		{"key-of-custodian", "an object of another control role", malformed,
			file(trustObject(replace(authorityManifest, "authority/", "custodian/"), when, "eA=="), log)},
		{"key-of-other-stream", "a stream of another role in the authority's folder", malformed,
			file(trustObject(replace(authorityManifest, "/authority.", "/payments."), when, "eA=="), log)},
		{"key-of-other-day", "a manifest in the folder of a day on which its stream was not opened", malformed,
			file(trustObject(replace(authorityManifest, date, "2026-11-23"), when, "eA=="), log)},
		{"key-short-sequence", "a sequence of eleven digits", malformed, file(trustObject(replace(authorityManifest, "/0000", "/000"), when, "eA=="), log)},
		{"key-short-id", "a key ID of 31 digits", malformed, file(trustObject("keys/"+e.signer.id[1:]+".json", when, b64([]byte(e.record))), log)},
		{"key-empty", "no key", malformed, file(trustObject("", when, "eA=="), log)},
		{"key-absolute", "a key that begins with a slash", malformed, file(trustObject("/log.json", when, "eA=="), log)},
		{"version-empty", "no version ID", malformed, replace(base, `"version_id":"v1"`, `"version_id":""`)},
		{"version-newline", "a version ID with a newline", malformed, replace(base, `"version_id":"v1"`, `"version_id":"v\n1"`)},
		{"date-instant", "a date with fractions of a second", malformed, replace(base, "17:00:00Z", "17:00:00.000000000Z")},
		{"date-empty", "a date that is not known is absent, not empty", malformed, replace(base, when, "")},
		{"date-null", "a date that is not known is absent, not null", malformed, replace(base, `"`+when+`"`, "null")},
		{"body-empty", "an object of no bytes", malformed, file(trustObject(authorityManifest, when, ""), log)},
		{"body-null", "an object whose bytes are null", malformed, replace(base, `"eA=="`, "null")},
		{"body-unpadded", "base64 without padding", malformed, replace(base, "eA==", "eA")},
		{"body-loose-bits", "base64 whose last bits are not zero", malformed, replace(base, "eA==", "eB==")},
		{"body-url", "base64 of the other alphabet", malformed, replace(base, "eA==", "__8=")},
		{"member-order", "two members are swapped", malformed, replace(base, `"version_id":"v1","date":"`+when+`"`, `"date":"`+when+`","version_id":"v1"`)},
		{"duplicate-member", "a member stands twice", malformed, replace(base, `"version_id":"v1"`, `"version_id":"v1","version_id":"v1"`)},
		{"space", "a space", malformed, replace(base, ":", ": ")},
		{"signatures", "a trust file has no signatures", malformed, base + `{"signatures":[]}` + "\n"},
		{"ext", "a trust file has no ext", malformed, replace(base, "]}\n", `],"ext":{"a":"b"}}`+"\n")},
		{"no-newline", "no newline ends the line", malformed, strings.TrimSuffix(base, "\n")},
		{"carriage-return", "the line ends in CR LF", malformed, replace(base, "]}\n", "]}\r\n")},
		{"empty-line", "a second, empty line", malformed, base + "\n"},
		{"empty", "no bytes at all", malformed, ""},
	} {
		add(c.name, c.description, c.class, c.input)
	}
	for _, c := range []struct {
		name, description, class string
		key, text                string
		count                    int
	}{
		{"manifest-over-1-mib", "a manifest of more than 1 MiB", malformed, authorityManifest, "eHh4", 349526},
		{"record-over-64-kib", "a key record of more than 64 KiB", malformed, recordKey, "eHh4", 21846},
		{"genesis-over-64-kib", "a log.json of more than 64 KiB", malformed, "log.json", "eHh4", 21846},
	} {
		objects := []string{trustObject(c.key, when, "<repeat>"), log}
		if c.key == "log.json" {
			objects = objects[:1]
		}
		s.add("trust", c.name, Vector{Description: c.description, Input: file(objects...), Repeat: &Repeat{c.text, c.count}, Error: c.class})
	}
	s.add("trust", "manifest-1-mib", Vector{Description: "a manifest of 1 MiB less one byte",
		Input: file(trustObject(authorityManifest, when, "<repeat>"), log), Repeat: &Repeat{"eHh4", 349525}})
}
