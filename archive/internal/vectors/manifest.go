package vectors

import (
	"fmt"
	"strings"
)

// middle is a manifest between the example's two: sequence 1, two segments of two and three entries.
type middle struct {
	leaves   []string
	one, two string // the segments
	line     string
}

func newMiddle(e *example) *middle {
	m := &middle{leaves: e.leaves[:3:3]}
	for i := range 5 {
		m.leaves = append(m.leaves, leaf(fmt.Sprintf("line %d", 3+i)))
	}
	m.one = m.segment(e, 3, 5, "2026-11-22T17:59:59.999999999Z", "2026-11-22T18:00:00.000000000Z")
	m.two = m.segment(e, 5, 8, "2026-11-22T18:00:00.000000000Z", "2026-11-22T18:00:00.000000000Z")
	m.line = m.with(e, m.one+","+m.two, 8, compact(m.leaves, 0, 8))
	return m
}

// segment describes the leaves from begin to end, whose bytes are made up.
func (m *middle) segment(e *example, begin, end int, first, last string) string {
	key := fmt.Sprintf("segments/date=%s/hour=%s/stream=%s/%020d.ndjson.zst", first[:10], first[11:13], stream, begin)
	return fmt.Sprintf(`{"key":"%s","version_id":"example-%d","bytes":400,"sha256":"%s","raw_bytes":1000,"count":%d,"first_index":%d,`+
		`"first_timestamp":"%s","last_timestamp":"%s","key_ids":["%s"],"range":%s,"retain_until":"%s"}`,
		key, begin, hexSum(key), end-begin, begin, first, last, e.signer.id, list(compact(m.leaves, begin, end)), retained)
}

func (m *middle) with(e *example, segments string, size int, hashes []string) string {
	return `{"format":"` + format + `","log_id":"` + e.logID + `","stream":"` + stream + `","sequence":1,` +
		`"previous":{"sha256":"` + hexSum(e.first) + `","version_id":"` + manifestVersion + `","retain_until":"` + retained + `"},` +
		`"sealed_at":"2026-11-22T18:00:01.000000000Z","software":"wormlog example",` +
		fmt.Sprintf(`"segments":[%s],"tree":{"size":%d,"range":%s}}`, segments, size, list(hashes))
}

func (s *set) manifests(e *example) {
	first := &subject{
		folder: "manifest", kind: "manifest", line: e.firstLine(), log: e.logID, signer: e.signer, other: e.online, ext: true,
		text: "wormlog example", second: `"log_id":"` + e.logID + `",`, third: `"stream":"` + stream + `",`,
	}
	first.frame = func(v *Vector, _ string) { v.KeyID, v.PublicKey = first.signer.id, first.signer.public() }
	s.generic(first)
	s.manifestsFirst(first, e)
	s.manifestsSegment(first, e)

	m := newMiddle(e)
	next := *first
	next.line, next.signer, next.other = m.line, e.streamKey, e.signer
	next.frame = func(v *Vector, _ string) {
		v.KeyID, v.PublicKey, v.Previous = e.streamKey.id, e.streamKey.public(), e.first
	}
	s.manifestsNext(&next, e, m)
	s.manifestsChain(&next, e, m)
}

func (s *set) manifestsFirst(x *subject, e *example) {
	streamKey := `,"stream_key":{"algorithm":"ed25519","public_key":"` + e.streamKey.public() + `"}`
	const liveness = `"liveness":"heartbeat:3600"`
	const other = "payments.01M824P5ZZ0123456789ABCDEF"
	continues := `,"continues":{"stream":"` + other + `","sequence":7,"sha256":"` + hexSum("head") + `"}`
	empty := func(l string) string {
		l = replace(l, e.segmentRef, "")
		return replace(l, `"tree":{"size":3,"range":`+list(compact(e.leaves, 0, 3))+`}`, `"tree":{"size":0,"range":[]}`)
	}
	s.weak(x, "stream-key", "the stream key", e.streamKey.public(), "order-1", "order-4", "order-8", "y-over-p")
	s.stored(x, "example-first", "the first manifest of the example", "", e.first)
	for _, c := range []struct {
		name, description string
		change            edit
	}{
		{"first-minimal", "sequence 0 without entries, stream key and heartbeat", func(l string) string {
			return replace(replace(empty(l), streamKey, ""), liveness, `"liveness":"none"`)
		}},
		{"first-continues", "a stream that continues another one", swap(streamKey, streamKey+continues)},
		{"first-final", "a stream that ends with its first manifest, and an extension", func(l string) string {
			return strings.TrimSuffix(l, "}") + `,"final":true,"ext":{"a":"b"}}`
		}},
		{"software-escaped", "a quotation mark and a backslash are printable ASCII", swap("wormlog example", `a\"b\\c`)},
	} {
		s.line(x, c.name, c.description, "", c.change)
	}
	s.line(x, "other-log", "a manifest of another log", wrongLog, swap(e.logID, hexSum("another log")))
	const sealed = `"sealed_at":"2026-11-22T17:26:02.000000000Z"`
	for _, c := range []struct {
		name, description string
		change            edit
	}{
		{"previous-in-first", "sequence 0 has no previous", swap(`"sealed_at"`, `"previous":{"sha256":"`+hexSum("x")+`","version_id":"v","retain_until":"`+retained+`"},"sealed_at"`)},
		{"previous-null", "previous is absent in sequence 0, not null", swap(`"sealed_at"`, `"previous":null,"sealed_at"`)},
		{"open-missing", "sequence 0 must have open", swap(`"open":{`+liveness+streamKey+`},`, ``)},
		{"open-null", "open is null", swap(`{`+liveness+streamKey+`}`, `null`)},
		{"first-begins-later", "sequence 0 begins at entry 1", func(l string) string {
			l = replace(replace(l, `"first_index":0`, `"first_index":1`), "00000000000000000000.ndjson", "00000000000000000001.ndjson")
			l = replace(l, list(compact(e.leaves, 0, 3))+`,"retain`, list([]string{hexSum("a"), hexSum("b"), hexSum("c")}[:2])+`,"retain`)
			return replace(l, `"tree":{"size":3,"range":`+list(compact(e.leaves, 0, 3)), `"tree":{"size":4,"range":["`+hexSum("d")+`"]`)
		}},
		{"first-empty-but-sized", "sequence 0 without segments has a tree of three entries", swap(e.segmentRef, "")},
		{"liveness-heartbeat-0", "a heartbeat of 0 seconds", swap("heartbeat:3600", "heartbeat:0")},
		{"liveness-leading-zero", "a heartbeat with a leading zero", swap("heartbeat:3600", "heartbeat:03600")},
		{"liveness-unit", "a heartbeat with a unit", swap("heartbeat:3600", "heartbeat:1h")},
		{"liveness-plus", "a heartbeat with a sign", swap("heartbeat:3600", "heartbeat:+3600")},
		{"liveness-2-to-31", "a heartbeat over 2^31-1 seconds", swap("heartbeat:3600", "heartbeat:2147483648")},
		{"liveness-empty", "an empty liveness", swap("heartbeat:3600", "")},
		{"stream-key-null", "no stream key is absent, not null", swap(streamKey, `,"stream_key":null`)},
		{"stream-key-string", "a stream key that is only its public key", swap(streamKey, `,"stream_key":"`+e.streamKey.public()+`"`)},
		{"stream-key-hmac", "a stream key with HMAC", swap(`"algorithm":"ed25519"`, `"algorithm":"hmac-sha256"`)},
		{"stream-key-raw", "a stream key of 32 raw bytes", swap(e.streamKey.public(), b64(e.streamKey.raw()))},
		{"continues-itself", "a stream that continues itself", swap(streamKey, replace(continues, other, stream))},
		{"continues-other-writer", "a stream that continues another writer's", swap(streamKey, replace(continues, "payments", "billing"))},
		{"continues-null", "continues is null", swap(streamKey, `,"continues":null`)},
		{"continues-before-stream-key", "continues stands before stream_key", swap(streamKey, continues+streamKey)},
		{"stream-upper-case", "a writer in upper case", swap(`"stream":"payments`, `"stream":"Payments`)},
		{"stream-online", "the writer online, which no stream has", swap(`"stream":"payments`, `"stream":"online`)},
		{"stream-not-ascii", "a writer with a letter that is not ASCII", swap(`"stream":"payments`, `"stream":"paymënts`)},
		{"stream-no-ulid", "a stream without a ULID", swap(`"stream":"`+stream, `"stream":"payments`)},
		{"stream-ulid-lower-case", "a ULID in lower case", swap(`"stream":"`+stream, `"stream":"`+strings.ToLower(stream))},
		{"stream-ulid-letter", "a ULID with the letter U", swap(`"stream":"`+stream, `"stream":"payments.01M824P6200123456789ABCDEU`)},
		{"stream-ulid-overflow", "a ULID over 128 bits", swap(`"stream":"`+stream, `"stream":"payments.81M824P6200123456789ABCDEF`)},
		{"stream-ulid-year-10000", "a ULID of the year 10000", swap(`"stream":"`+stream, `"stream":"payments.76EZ91ZQ000123456789ABCDEF`)},
		{"log-id-upper-case", "the log ID is in upper-case hex", swap(e.logID, strings.ToUpper(e.logID))},
		{"sequence-minus-zero", "the sequence is -0", swap(`"sequence":0`, `"sequence":-0`)},
		{"sequence-float", "the sequence is 0.0", swap(`"sequence":0`, `"sequence":0.0`)},
		{"sequence-exponent", "the sequence is 0e0", swap(`"sequence":0`, `"sequence":0e0`)},
		{"sequence-leading-zeros", "the sequence is 00", swap(`"sequence":0`, `"sequence":00`)},
		{"sequence-string", "the sequence is in quotes", swap(`"sequence":0`, `"sequence":"0"`)},
		{"sealed-8-digits", "eight digits of a second", swap(sealed, `"sealed_at":"2026-11-22T17:26:02.00000000Z"`)},
		{"sealed-seconds", "no digits of a second", swap(sealed, `"sealed_at":"2026-11-22T17:26:02Z"`)},
		{"sealed-offset", "an offset instead of Z", swap(sealed, `"sealed_at":"2026-11-22T18:26:02.000000000+01:00"`)},
		{"sealed-1999", "the year 1999", swap(sealed, `"sealed_at":"1999-12-31T23:59:59.999999999Z"`)},
		{"software-empty", "the software is empty", swap("wormlog example", "")},
		{"software-not-ascii", "the software is not ASCII", swap("wormlog example", "wörmlog")},
		{"final-false", "final is absent, not false", func(l string) string { return strings.TrimSuffix(l, "}") + `,"final":false}` }},
		{"final-null", "final is absent, not null", func(l string) string { return strings.TrimSuffix(l, "}") + `,"final":null}` }},
		{"final-number", "final is 1", func(l string) string { return strings.TrimSuffix(l, "}") + `,"final":1}` }},
		{"segments-null", "segments is null", swap(`[`+e.segmentRef+`]`, `null`)},
		{"segments-missing", "segments is absent", swap(`"segments":[`+e.segmentRef+`],`, ``)},
		{"tree-missing", "the tree is absent", swap(`,"tree":{"size":3,"range":`+list(compact(e.leaves, 0, 3))+`}`, ``)},
	} {
		s.line(x, c.name, c.description, malformed, c.change)
	}
	s.repeated(x, "software-longest", "the longest name of software", "", Repeat{"w", 128}, swap("wormlog example", "<repeat>"))
	s.repeated(x, "software-129", "a name of software of 129 bytes", malformed, Repeat{"w", 129}, swap("wormlog example", "<repeat>"))
	s.repeated(x, "over-1-mib", "more than 1 MiB", malformed, Repeat{`{"a":"b"},`, 105_000}, swap(`"segments":[`, `"segments":[<repeat>`))
}

func (s *set) manifestsSegment(x *subject, e *example) {
	hashes := compact(e.leaves, 0, 3)
	ranges := list(hashes)
	digest := hexSum(e.segment)
	ids := `"key_ids":["` + e.signer.id + `"]`
	id := e.signer.id
	for _, c := range []struct {
		name, description string
		change            edit
	}{
		{"key-other-stream", "a segment's key names another stream", swap("stream="+stream, "stream=payments.01M824P5ZZ0123456789ABCDEF")},
		{"key-other-hour", "a segment's key is in another hour than its first entry", swap("hour=17", "hour=18")},
		{"key-other-date", "a segment's key is in another day than its first entry", swap("date=2026-11-22", "date=2026-11-23")},
		{"key-other-index", "a segment's key names another first index", swap("00000000000000000000.nd", "00000000000000000001.nd")},
		{"key-control", "a data stream's segment in a control prefix", swap(`"segments/date`, `"control/custodian/segments/date`)},
		{"key-with-prefix", "a segment's key with the archive's prefix", swap(`"segments/date`, `"logs/payments/segments/date`)},
		{"key-extension", "a segment's key with another ending", swap("ndjson.zst", "ndjson.gz")},
		{"version-id-empty", "a segment without a version ID", swap(segmentVersion, "")},
		{"version-id-null", "the version ID null, as from an unversioned bucket", swap(`"`+segmentVersion+`"`, "null")},
		{"bytes-zero", "a segment of no bytes", swap(fmt.Sprintf(`"bytes":%d`, len(e.segment)), `"bytes":0`)},
		{"bytes-over-33-mib", "a segment stored in more than 33 MiB", swap(fmt.Sprintf(`"bytes":%d`, len(e.segment)), `"bytes":34603009`)},
		{"bytes-2-to-53", "a number over 2^53-1", swap(fmt.Sprintf(`"bytes":%d`, len(e.segment)), `"bytes":9007199254740992`)},
		{"raw-bytes-over-32-mib", "a segment of more than 32 MiB", swap(fmt.Sprintf(`"raw_bytes":%d`, len(e.raw)), `"raw_bytes":33554433`)},
		{"raw-bytes-under-count", "fewer bytes than lines", swap(fmt.Sprintf(`"raw_bytes":%d`, len(e.raw)), `"raw_bytes":2`)},
		{"sha256-upper-case", "a digest in upper-case hex", swap(digest, strings.ToUpper(digest))},
		{"sha256-short", "a digest of 63 digits", swap(digest, digest[1:])},
		{"sha256-base64", "a digest in base64", swap(digest, b64([]byte(sum(e.segment))))},
		{"count-zero", "a segment without entries", func(l string) string {
			return replace(replace(replace(l, `"count":3`, `"count":0`), ranges, "[]"), `"size":3,"range":`+ranges, `"size":0,"range":[]`)
		}},
		{"count-negative", "a negative count", swap(`"count":3`, `"count":-3`)},
		{"count-float", "a count as 3.0", swap(`"count":3`, `"count":3.0`)},
		{"last-before-first", "the last timestamp is before the first", swap(`"last_timestamp":"2026-11-22T17:26:00.500`, `"last_timestamp":"2026-11-22T17:26:00.100`)},
		{"timestamp-8-digits", "eight digits of a second", swap("00.123456789Z", "00.12345678Z")},
		{"key-ids-empty", "no key IDs", swap(ids, `"key_ids":[]`)},
		{"key-ids-null", "key IDs are null", swap(ids, `"key_ids":null`)},
		{"key-ids-twice", "a key ID twice", swap(ids, `"key_ids":["`+id+`","`+id+`"]`)},
		{"key-ids-descending", "key IDs descend", swap(ids, `"key_ids":["ffffffffffffffffffffffffffffffff","00000000000000000000000000000000"]`)},
		{"key-ids-upper-case", "a key ID in upper case", swap(ids, `"key_ids":["0123456789ABCDEF0123456789ABCDEF"]`)},
		{"range-one-too-many", "a segment's range has a hash too many", swap(ranges, list(append(hashes[:2:2], hexSum("x"))))},
		{"range-one-too-few", "a segment's range lacks a hash", swap(ranges, list(hashes[:1]))},
		{"range-leaves", "a segment's range lists its leaves", swap(ranges, list([]string{hexSum("a"), hexSum("b"), hexSum("c")}))},
		{"range-empty", "a segment's range is empty", swap(ranges, "[]")},
		{"range-null", "a segment's range is null", swap(ranges, "null")},
		{"range-upper-case", "a hash of a range is in upper case", swap(hashes[0], strings.ToUpper(hashes[0]))},
		{"tree-range-one-too-many", "the tree's range has a hash too many", swap(`"size":3,"range":`+ranges, `"size":3,"range":`+list(append(hashes[:2:2], hexSum("x"))))},
		{"tree-range-one-too-few", "the tree's range is its root", swap(`"size":3,"range":`+ranges, fmt.Sprintf(`"size":3,"range":["%x"]`, tree(e.leaves)))},
		{"tree-range-null", "the tree's range is null", swap(`"size":3,"range":`+ranges, `"size":3,"range":null`)},
		{"tree-size-larger", "the tree is larger than the segments", swap(`"size":3,"range":`+ranges, `"size":4,"range":["`+hexSum("x")+`"]`)},
		{"tree-size-smaller", "the tree is smaller than the segments", swap(`"size":3,"range":`+ranges, `"size":2,"range":["`+hexSum("x")+`"]`)},
		{"retain-until-instant", "a promise with fractions of a second", swap(retained, "2033-11-23T00:00:00.000000000Z")},
		{"retain-until-day", "a promise that is a day", swap(retained, "2033-11-23")},
		{"retain-until-offset", "a promise with an offset", swap(retained, "2033-11-23T00:00:00+00:00")},
		{"retain-until-null", "a promise that is null", swap(`"`+retained+`"`, "null")},
	} {
		s.line(x, c.name, c.description, malformed, c.change)
	}
}

func (s *set) manifestsNext(x *subject, e *example, m *middle) {
	const sequence = `"sequence":1`
	s.stored(x, "example-final", "the last manifest of the example, signed by the stream key", "", e.streamKey.object("manifest", e.logID, e.finalLine()))
	s.line(x, "two-segments", "two segments on either side of an hour", "", func(l string) string { return l })
	s.line(x, "heartbeat", "a heartbeat", "", func(string) string { return m.with(e, "", 3, compact(m.leaves, 0, 3)) })
	s.line(x, "promise-not-midnight", "a promise need not end at midnight", "", swap(retained, "2033-11-23T00:00:01Z"))
	s.stored(x, "signed-by-record-key", "the record key signs where the stream key must", badSignature, e.signer.object("manifest", e.logID, x.line))
	previous := `"previous":{"sha256":"` + hexSum(e.first) + `","version_id":"` + manifestVersion + `","retain_until":"` + retained + `"},`
	for _, c := range []struct {
		name, description string
		change            edit
	}{
		{"open-in-next", "open stands in sequence 0 only", swap(`"segments"`, `"open":{"liveness":"none"},"segments"`)},
		{"previous-missing", "every sequence but 0 has previous", swap(previous, "")},
		{"previous-version-id-empty", "previous without a version ID", swap(manifestVersion, "")},
		{"previous-sha256-short", "previous with a digest of 63 digits", swap(hexSum(e.first), hexSum(e.first)[1:])},
		{"previous-member-order", "the members of previous are swapped", swap(previous, `"previous":{"version_id":"`+manifestVersion+`","sha256":"`+hexSum(e.first)+`","retain_until":"`+retained+`"},`)},
		{"sequence-13-digits", "a sequence that no key can name", swap(sequence, `"sequence":1000000000000`)},
		{"sequence-1-float", "the sequence is 1.0", swap(sequence, `"sequence":1.0`)},
		{"sequence-1-exponent", "the sequence is 1e0", swap(sequence, `"sequence":1e0`)},
		{"sequence-2-to-53", "a sequence over 2^53-1", swap(sequence, `"sequence":9007199254740992`)},
		{"segments-gap", "an index is missing between two segments", func(string) string {
			two := m.segment(e, 6, 8, "2026-11-22T18:00:00.000000000Z", "2026-11-22T18:00:00.000000000Z")
			return m.with(e, m.one+","+two, 8, compact(m.leaves, 0, 8))
		}},
		{"segments-overlap", "two segments overlap", func(string) string {
			two := m.segment(e, 4, 8, "2026-11-22T18:00:00.000000000Z", "2026-11-22T18:00:00.000000000Z")
			return m.with(e, m.one+","+two, 8, compact(m.leaves, 0, 8))
		}},
		{"segments-swapped", "two segments are swapped", func(string) string { return m.with(e, m.two+","+m.one, 8, compact(m.leaves, 0, 8)) }},
		{"segments-twice", "a segment stands twice", func(string) string { return m.with(e, m.one+","+m.one, 5, compact(m.leaves, 0, 5)) }},
		{"segments-time-back", "a segment begins before the one before ends", func(string) string {
			two := m.segment(e, 5, 8, "2026-11-22T17:59:59.999999999Z", "2026-11-22T18:00:00.000000000Z")
			return m.with(e, m.one+","+two, 8, compact(m.leaves, 0, 8))
		}},
		{"segments-short-of-tree", "the segments end before the tree", func(string) string { return m.with(e, m.one, 8, compact(m.leaves, 0, 8)) }},
	} {
		s.line(x, c.name, c.description, malformed, c.change)
	}
}

// manifestsChain adds manifests that are right by themselves and do not follow the one before.
func (s *set) manifestsChain(x *subject, e *example, m *middle) {
	altered := append([]string(nil), m.leaves...)
	altered[0] = leaf("another line")
	segments := m.one + "," + m.two
	for _, c := range []struct {
		name, description, class string
		change                   edit
	}{
		{"chain-other-hash", "previous names another manifest", chainBroken, swap(hexSum(e.first), hexSum("another"))},
		{"chain-hash-of-line-1", "previous hashes line 1 instead of the whole object", chainBroken, swap(hexSum(e.first), hexSum(e.firstLine()+"\n"))},
		{"chain-sequence-skipped", "the sequence skips a number", chainBroken, swap(`"sequence":1`, `"sequence":2`)},
		{"chain-other-stream", "the manifest before is of another stream", chainBroken, func(l string) string {
			return strings.ReplaceAll(l, stream, "payments.01M824P5ZZ0123456789ABCDEF")
		}},
		{"tree-entry-skipped", "the segments begin behind the end of the tree before", treeMismatch, func(string) string {
			return m.with(e, m.two, 8, compact(m.leaves, 0, 8))
		}},
		{"tree-heartbeat-grows", "a heartbeat whose tree has grown", treeMismatch, func(string) string { return m.with(e, "", 8, compact(m.leaves, 0, 8)) }},
		{"tree-of-other-leaves", "an earlier entry is another one in this tree", treeMismatch, func(string) string { return m.with(e, segments, 8, compact(altered, 0, 8)) }},
		{"tree-of-other-segment", "a segment's range is not what the tree was built of", treeMismatch, func(l string) string {
			return replace(l, compact(m.leaves, 3, 4)[0], hexSum("another leaf"))
		}},
	} {
		s.line(x, c.name, c.description, c.class, c.change)
	}
	final := Vector{Description: "a manifest behind the final one", Error: chainBroken, Previous: e.final, KeyID: e.streamKey.id, PublicKey: e.streamKey.public()}
	line := replace(replace(m.with(e, "", 3, compact(m.leaves, 0, 3)), hexSum(e.first), hexSum(e.final)), `"sequence":1`, `"sequence":2`)
	final.Input = e.streamKey.object("manifest", e.logID, line)
	s.add("manifest", "after-final", final)
}
