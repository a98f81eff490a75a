package vectors

import "fmt"

func (s *set) receipts(e *example) {
	x := &subject{
		folder: "receipt", kind: "receipt", line: e.receiptLine(), log: e.logID, signer: e.signer, other: e.streamKey, text: "order",
		second: `"log_id":"` + e.logID + `",`, third: `"stream":"` + stream + `",`,
	}
	x.frame = func(v *Vector, _ string) { v.KeyID, v.PublicKey = e.signer.id, e.signer.public() }
	s.generic(x)
	s.stored(x, "example", "the receipt of the example", "", e.receipt)
	s.line(x, "spooled", "a receipt for what is on the writer's disk only", "", swap(`"archived"`, `"spooled"`))
	s.line(x, "id-punctuation", "an ID with all the punctuation there is", "", swap("order-4711", "!#$%&'()*+,-./ :;<=>?@[]^_`{|}~"))
	item := func(i int) string {
		return fmt.Sprintf(`{"id":"id-%d","index":%d,"timestamp":"2026-11-22T17:26:00.500000000Z","leaf":"%x"}`, i, i, e.leaves[2])
	}
	head := `{"format":"` + format + `","log_id":"` + e.logID + `","stream":"` + stream + `",` +
		`"issued_at":"2026-11-22T17:26:03.000000000Z","durability":"archived","receipts":`
	whole := func(items string) edit { return func(string) string { return head + items + "}" } }
	s.line(x, "any-order", "the items are in the order asked for, whatever their indices", "", whole("["+item(2)+","+item(0)+"]"))
	s.line(x, "largest-index", "the largest index", "", whole("["+replace(item(0), `"index":0`, `"index":9007199254740991`)+"]"))
	for _, c := range []struct {
		name, description string
		change            edit
	}{
		{"durability-unknown", "an unknown durability", swap(`"archived"`, `"buffered"`)},
		{"durability-empty", "no durability", swap(`"archived"`, `""`)},
		{"items-empty", "a receipt for nothing", whole("[]")},
		{"items-null", "the items are null", whole("null")},
		{"items-object", "the item is not in a list", whole(item(0))},
		{"ext", "receipts have no ext", swap(`}]}`, `}],"ext":{"a":"b"}}`)},
		{"id-empty", "an empty ID", swap("order-4711", "")},
		{"id-quote", "an ID with a quotation mark", swap("order-4711", `order\"`)},
		{"id-backslash", "an ID with a backslash", swap("order-4711", `order\\`)},
		{"id-not-ascii", "an ID that is not ASCII", swap("order-4711", "örder")},
		{"id-newline", "an ID with a newline", swap("order-4711", `order\n`)},
		{"index-float", "an index as 0.0", swap(`"index":0`, `"index":0.0`)},
		{"index-exponent", "an index as 1e3", swap(`"index":0`, `"index":1e3`)},
		{"index-minus-zero", "the index -0", swap(`"index":0`, `"index":-0`)},
		{"index-2-to-53", "an index over 2^53-1", swap(`"index":0`, `"index":9007199254740992`)},
		{"index-2-to-64", "an index over 2^64-1", swap(`"index":0`, `"index":18446744073709551616`)},
		{"index-string", "an index in quotes", swap(`"index":0`, `"index":"0"`)},
		{"leaf-upper-case", "a leaf in upper-case hex", swap(fmt.Sprintf("%x", e.leaves[0]), fmt.Sprintf("%X", e.leaves[0]))},
		{"leaf-short", "a leaf of 63 digits", swap(fmt.Sprintf("%x", e.leaves[0]), fmt.Sprintf("%x", e.leaves[0])[1:])},
		{"leaf-null", "a leaf that is null", swap(fmt.Sprintf(`"%x"`, e.leaves[0]), "null")},
		{"timestamp-8-digits", "eight digits of a second", swap("00.123456789Z", "00.12345678Z")},
		{"timestamp-offset", "an offset instead of Z", swap("00.123456789Z", "00.123456789+00:00")},
		{"issued-seconds", "an instant without fractions", swap("17:26:03.000000000Z", "17:26:03Z")},
		{"stream-with-slash", "a stream with a slash", swap(`"stream":"payments`, `"stream":"pay/ments`)},
	} {
		s.line(x, c.name, c.description, malformed, c.change)
	}
	s.line(x, "other-log", "a receipt of another log", wrongLog, swap(e.logID, hexSum("another log")))
	s.stored(x, "signed-by-stream-key", "receipts are signed by the record key, never by the stream key", badSignature,
		e.streamKey.object("receipt", e.logID, x.line))
	s.repeated(x, "id-longest", "the longest ID", "", Repeat{"i", 128}, swap("order-4711", "<repeat>"))
	s.repeated(x, "id-129", "an ID of 129 bytes", malformed, Repeat{"i", 129}, swap("order-4711", "<repeat>"))
	s.repeated(x, "over-16-mib", "more than 16 MiB", malformed, Repeat{item(0) + ",", 1 << 17}, swap(`"receipts":[`, `"receipts":[<repeat>`))
}
