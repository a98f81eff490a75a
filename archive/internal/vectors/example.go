package vectors

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// The fixed names and times of the example.
const (
	format   = "wormlog/v1-draft"
	origin   = "example.com/payments-audit"
	stream   = "payments.01M824P6200123456789ABCDEF"
	date     = "2026-11-22"
	retained = "2033-11-23T00:00:00Z"

	segmentVersion  = "example-segment-version"
	manifestVersion = "example-manifest-version"
)

// example is a tiny archive: one key, one stream of three entries in one segment, closed cleanly, and one receipt.
type example struct {
	online, recovery, signer, streamKey key
	entryKey                            []byte

	log, logID               string // log.json and the hash of its line 1
	record                   string
	entries, lines, leaves   []string
	raw, segment, segmentRef string
	first, final             string // manifests
	receipt, heads           string
}

func newExample() *example {
	e := &example{
		online: newKey(1).named("authority"), recovery: newKey(2).named("authority"),
		signer: newKey(3), entryKey: []byte(strings.Repeat("\x04", 32)), streamKey: newKey(5).named("stream"),
	}
	e.logID = hexSum(e.genesisLine() + "\n")
	e.log = e.online.object("genesis", e.logID, e.genesisLine())
	e.signer.id = hexSum(e.recordLine() + "\n")[:32]
	e.record = e.online.object("key", e.logID, e.recordLine())
	e.write()
	e.first = e.signer.object("manifest", e.logID, e.firstLine())
	e.final = e.streamKey.object("manifest", e.logID, e.finalLine())
	e.receipt = e.signer.object("receipt", e.logID, e.receiptLine())
	e.heads = e.headsLine() + "\n"
	return e
}

func (e *example) genesisLine() string {
	return `{"format":"` + format + `","origin":"` + origin + `","nonce":"000102030405060708090a0b0c0d0e0f",` +
		`"created":"2026-11-22T17:00:00.000000000Z",` +
		`"home":{"bucket":"example-audit","prefix":"logs/payments","region":"eu-central-1"},` +
		`"authorities":[{"name":"online","algorithm":"ed25519","public_key":"` + e.online.public() + `"},` +
		`{"name":"recovery","algorithm":"ed25519","public_key":"` + e.recovery.public() + `"}],` +
		`"retention":{"days":2557,"max_days":3653},"heartbeat_seconds":3600}`
}

func (e *example) recordLine() string {
	return `{"format":"` + format + `","log_id":"` + e.logID + `","role":"writer","streams":"payments.*",` +
		`"entry_algorithm":"hmac-sha256","public_key":"` + e.signer.public() + `",` +
		`"hmac_commitment":"` + e.commitment() + `",` +
		`"source":{"provider":"example","secret":"payments/signing"}}`
}

func (e *example) commitment() string {
	return fmt.Sprintf("%x", hmacSum(e.entryKey, "wormlog/v1 commitment\n"+e.logID))
}

// write makes the entries, their lines and leaves, and the segment.
func (e *example) write() {
	e.entries = []string{
		`{"stream":"` + stream + `","index":0,"id":"order-4711","timestamp":"2026-11-22T17:26:00.123456789Z",` +
			`"type":"payment.approved","source":{"host":"pay-1"},"meta":{"case":"A-7"},` +
			`"data":{"amount":12.50,"account":9007199254740993,"payee":"Größe & Söhne","note":"caf\u00e9"}}`,
		`{"stream":"` + stream + `","index":1,"id":"01M824P8ZZ000000000000000A","timestamp":"2026-11-22T17:26:00.500000000Z",` +
			`"type":"entry","data":[1.0,1e400,-0,null]}`,
		`{"stream":"` + stream + `","index":2,"id":"order-4712","timestamp":"2026-11-22T17:26:00.500000000Z",` +
			`"type":"payment.refused","data_base64":"` + b64([]byte("user=J\xfcrgen")) + `"}`,
	}
	for _, entry := range e.entries {
		signature := mac(e.entryKey, e.logID, e.signer.id, stream, entry)
		e.lines = append(e.lines, `{"key_id":"`+e.signer.id+`","signature":"`+b64(signature)+`","entry":`+entry+`}`)
	}
	for _, line := range e.lines {
		e.leaves = append(e.leaves, leaf(line))
		e.raw += line + "\n"
	}
	e.segment = frame(e.raw)
	e.segmentRef = `{"key":"` + segmentKey + `","version_id":"` + segmentVersion + `",` +
		fmt.Sprintf(`"bytes":%d,"sha256":"%s","raw_bytes":%d,`, len(e.segment), hexSum(e.segment), len(e.raw)) +
		`"count":3,"first_index":0,"first_timestamp":"2026-11-22T17:26:00.123456789Z",` +
		`"last_timestamp":"2026-11-22T17:26:00.500000000Z","key_ids":["` + e.signer.id + `"],` +
		`"range":` + list(compact(e.leaves, 0, 3)) + `,"retain_until":"` + retained + `"}`
}

const segmentKey = "segments/date=" + date + "/hour=17/stream=" + stream + "/00000000000000000000.ndjson.zst"

func (e *example) firstLine() string {
	return `{"format":"` + format + `","log_id":"` + e.logID + `","stream":"` + stream + `","sequence":0,` +
		`"sealed_at":"2026-11-22T17:26:02.000000000Z","software":"wormlog example",` +
		`"open":{"liveness":"heartbeat:3600","stream_key":{"algorithm":"ed25519","public_key":"` + e.streamKey.public() + `"}},` +
		`"segments":[` + e.segmentRef + `],"tree":{"size":3,"range":` + list(compact(e.leaves, 0, 3)) + `}}`
}

func (e *example) finalLine() string {
	return `{"format":"` + format + `","log_id":"` + e.logID + `","stream":"` + stream + `","sequence":1,` +
		`"previous":{"sha256":"` + hexSum(e.first) + `","version_id":"` + manifestVersion + `","retain_until":"` + retained + `"},` +
		`"sealed_at":"2026-11-22T17:26:09.000000000Z","software":"wormlog example",` +
		`"segments":[],"tree":{"size":3,"range":` + list(compact(e.leaves, 0, 3)) + `},"final":true}`
}

func (e *example) receiptLine() string {
	var items []string
	for i, id := range []string{"order-4711", "01M824P8ZZ000000000000000A", "order-4712"} {
		timestamp := "2026-11-22T17:26:00.500000000Z"
		if i == 0 {
			timestamp = "2026-11-22T17:26:00.123456789Z"
		}
		items = append(items, fmt.Sprintf(`{"id":"%s","index":%d,"timestamp":"%s","leaf":"%x"}`, id, i, timestamp, e.leaves[i]))
	}
	return `{"format":"` + format + `","log_id":"` + e.logID + `","stream":"` + stream + `",` +
		`"issued_at":"2026-11-22T17:26:03.000000000Z","durability":"archived","receipts":[` + strings.Join(items, ",") + `]}`
}

func (e *example) headsLine() string {
	return `{"format":"` + format + `","log_id":"` + e.logID + `","taken":"2026-11-22T17:27:00Z","heads":[` + e.head() + `]}`
}

func (e *example) head() string {
	return fmt.Sprintf(`{"stream":"%s","size":3,"root":"%x","manifest":"%s","state":"final"}`, stream, tree(e.leaves), hexSum(e.final))
}

// files are the example's files: the archive as its prefix holds it, and what is handed out or kept beside it.
func (e *example) files() map[string][]byte {
	text := map[string]string{
		"archive/log.json":                       e.log,
		"archive/keys/" + e.signer.id + ".json":  e.record,
		"archive/" + segmentKey:                  e.segment,
		"archive/" + manifestKey("000000000000"): e.first,
		"archive/" + manifestKey("000000000001"): e.final,
		"receipt.json":                           e.receipt,
		"heads.json":                             e.heads,
		"verification-copy.json": `{"format":"` + format + `","log_id":"` + e.logID + `","key_id":"` + e.signer.id + `",` +
			`"entry_key":"` + base64.StdEncoding.EncodeToString(e.entryKey) + `"}` + "\n",
	}
	files := map[string][]byte{}
	for path, s := range text {
		files[path] = []byte(s)
	}
	return files
}

func manifestKey(sequence string) string {
	return "manifests/" + date + "/" + stream + "/" + sequence + ".json"
}
