package vectors

import (
	"fmt"
	"strings"
)

// headJSON is one head of an attestation or a head file.
func headJSON(stream string, size int, state string) string {
	return fmt.Sprintf(`{"stream":"%s","size":%d,"root":"%s","manifest":"%s","state":"%s"}`,
		stream, size, hexSum(stream+" root"), hexSum(stream+" manifest"), state)
}

// headsOfThree ascend by stream; one of each state.
func headsOfThree() []string {
	return []string{
		headJSON("authority.01M824P6200123456789ABCDEF", 2, "open"),
		headJSON("billing.01M824P6200123456789ABCDEF", 0, "disposed"),
		headJSON(stream, 3, "final"),
	}
}

// headsRoot is the tree of the heads' JSON.
func headsRoot(heads []string) string {
	var leaves []string
	for _, h := range heads {
		leaves = append(leaves, leaf(h))
	}
	return fmt.Sprintf("%x", tree(leaves))
}

func attestationJSON(snapshot bool, log, heads, findings string) string {
	return fmt.Sprintf(`{"level":"full","sample_percent":100,"started":"2026-11-22T18:00:00Z","finished":"2026-11-22T18:00:07Z",`+
		`"hmac":"checked","verdict":"INTACT","snapshot":%t,%s,"streams":3,"heads_root":"%s","heads":[%s],"findings":[%s]}`,
		snapshot, log, headsRoot(headsOfThree()), heads, findings)
}

func (s *set) attestations() {
	heads := headsOfThree()
	all := strings.Join(heads, ",")
	leaves := []string{leaf("a"), leaf("b"), leaf("c"), leaf("d"), leaf("e")}
	const first = `"log":{"size":0,"range":[]}`
	previous := fmt.Sprintf(`"previous":{"stream":"verifier.01M824P6200123456789ABCDEF","index":4,"leaf":"%x"}`, leaves[4])
	later := `"log":{"size":5,"range":` + list(compact(leaves, 0, 5)) + `},` + previous
	const finding = `{"code":"delete-marker","verdict":"SHADOWED","key":"` + segmentKey + `","version_id":"m1","detail":"a marker hides it"}`
	const withEntry = `{"code":"entry-signature","verdict":"TAMPERED","key":"` + segmentKey + `","version_id":"v1","entry":0,"detail":"","acknowledged":true}`
	const notice = `{"code":"some-later-code","verdict":"INFORMATION","key":"","version_id":"","detail":"x"}`

	base := attestationJSON(true, first, all, "")
	change := attestationJSON(false, later, heads[2], finding+","+withEntry+","+notice)
	s.attestation("first", "the first attestation: a snapshot", "", base)
	s.attestation("changes", "a later one: what changed, and findings with and without optional members", "", change)
	s.attestation("no-change", "nothing changed", "", attestationJSON(false, later, "", ""))
	s.attestation("empty-log", "a snapshot of no streams", "",
		replace(replace(attestationJSON(true, first, "", ""), `"streams":3`, `"streams":0`), headsRoot(heads), hexSum("")))

	for _, c := range []struct{ name, description, from, old, new string }{
		{"space", "a space", base, ":", ": "},
		{"unknown-member", "an unknown member", base, `"level"`, `"extra":1,"level"`},
		{"member-order", "two members are swapped", base, `"level":"full","sample_percent":100`, `"sample_percent":100,"level":"full"`},
		{"level-unknown", "an unknown level", base, `"full"`, `"deep"`},
		{"sample-101", "a sample of 101 %", base, `"sample_percent":100`, `"sample_percent":101`},
		{"sample-float", "a sample of 12.5 %", base, `"sample_percent":100`, `"sample_percent":12.5`},
		{"started-instant", "a start with fractions of a second", base, "18:00:00Z", "18:00:00.000000000Z"},
		{"hmac-unknown", "an unknown state of HMACs", base, `"checked"`, `"yes"`},
		{"verdict-lower-case", "a verdict in lower case", base, "INTACT", "intact"},
		{"verdict-information", "the verdict of a whole run is never INFORMATION", base, "INTACT", "INFORMATION"},
		{"snapshot-null", "the snapshot is null", base, `"snapshot":true`, `"snapshot":null`},
		{"snapshot-other-root", "a snapshot whose heads do not give the root", base, headsRoot(heads), hexSum("another root")},
		{"snapshot-without-a-head", "a snapshot that leaves out a stream", base, heads[1] + ",", ""},
		{"heads-unordered", "the heads do not ascend", base, heads[0] + "," + heads[1], heads[1] + "," + heads[0]},
		{"heads-twice", "a head stands twice", change, heads[2], heads[2] + "," + heads[2]},
		{"heads-null", "the heads are null", base, `"heads":[` + all + `]`, `"heads":null`},
		{"head-state", "a head with an unknown state", base, `"final"`, `"closed"`},
		{"head-stream", "a head of no stream", change, `"heads":[{"stream":"` + stream, `"heads":[{"stream":"payments`},
		{"head-size-2-to-53", "a head's size over 2^53-1", change, `"size":3`, `"size":9007199254740992`},
		{"heads-over-streams", "more heads than streams", change, `"streams":3`, `"streams":0`},
		{"streams-2-to-53", "more than 2^53-1 streams", change, `"streams":3`, `"streams":9007199254740992`},
		{"log-null", "no log before is size 0, not null", base, `{"size":0,"range":[]}`, "null"},
		{"log-range-null", "the log's range is null", base, `"size":0,"range":[]`, `"size":0,"range":null`},
		{"log-range-one-too-few", "the log's range lacks a hash", change, `"range":` + list(compact(leaves, 0, 5)), `"range":` + list(compact(leaves, 0, 5)[:1])},
		{"log-range-one-too-many", "the log's range has a hash too many", base, `"size":0,"range":[]`, `"size":0,"range":["` + hexSum("x") + `"]`},
		{"log-size-2-to-53", "a log of 2^53 attestations", change, `"size":5,"range":` + list(compact(leaves, 0, 5)), `"size":9007199254740992,"range":["` + hexSum("x") + `"]`},
		{"previous-missing", "a log that has begun, without previous", change, "," + previous, ""},
		{"previous-in-first", "previous, and no log before", base, first, first + "," + previous},
		{"previous-null", "previous is absent in the first, not null", base, first, first + `,"previous":null`},
		{"previous-index-exponent", "an index as 4e0", change, `"index":4`, `"index":4e0`},
		{"previous-stream", "previous names no stream", change, `"stream":"verifier.01M824P6200123456789ABCDEF"`, `"stream":"verifier"`},
		{"findings-null", "the findings are null", base, `"findings":[]`, `"findings":null`},
		{"finding-code-empty", "a finding without a code", change, `"code":"delete-marker"`, `"code":""`},
		{"finding-verdict", "a finding with an unknown verdict", change, `"SHADOWED"`, `"HIDDEN"`},
		{"finding-intact", "a finding that says INTACT", change, `"SHADOWED"`, `"INTACT"`},
		{"finding-entry-null", "a finding about no entry has none, not null", change, `"entry":0`, `"entry":null`},
		{"finding-entry-2-to-53", "an entry over 2^53-1", change, `"entry":0`, `"entry":9007199254740992`},
		{"finding-acknowledged-false", "a finding not acknowledged does not say so", change, `"acknowledged":true`, `"acknowledged":false`},
	} {
		s.attestation(c.name, c.description, malformed, replace(c.from, c.old, c.new))
	}
	for _, role := range []string{"writer", "authority", "custodian"} {
		s.add("attestation", "in-"+role, Vector{Description: "an attestation in a stream of " + role, Input: base, Role: role,
			Type: "wormlog.attestation", Error: malformed})
	}
}

func (s *set) attestation(name, description, class, data string) {
	s.add("attestation", name, Vector{Description: description, Input: data, Role: "verifier", Type: "wormlog.attestation", Error: class})
}

// heads adds the files that pin a tail.
func (s *set) heads(e *example) {
	three := headsOfThree()
	file := func(heads ...string) string {
		return `{"format":"` + format + `","log_id":"` + e.logID + `","taken":"2026-11-22T18:00:07Z","heads":[` + strings.Join(heads, ",") + `]}` + "\n"
	}
	base := file(three...)
	s.add("heads", "example", Vector{Description: "the head file of the example", Input: e.heads})
	s.add("heads", "three", Vector{Description: "a head of each state", Input: base})
	s.add("heads", "none", Vector{Description: "an archive without streams", Input: file()})
	for _, c := range []struct{ name, description, class, old, new string }{
		{"format-later", "a later format", unknownFormat, format, "wormlog/v2"},
		{"format-missing", "no format", malformed, `"format":"` + format + `",`, ""},
		{"format-second", "the format is not the first member", malformed, `"format":"` + format + `","log_id":"` + e.logID + `",`, `"log_id":"` + e.logID + `","format":"` + format + `",`},
		{"log-id-empty", "no log ID", malformed, e.logID, ""},
		{"log-id-upper-case", "the log ID is in upper-case hex", malformed, e.logID, strings.ToUpper(e.logID)},
		{"taken-instant", "a date with fractions of a second", malformed, "18:00:07Z", "18:00:07.000000000Z"},
		{"heads-unordered", "the heads do not ascend", malformed, three[0] + "," + three[1], three[1] + "," + three[0]},
		{"heads-twice", "a head stands twice", malformed, three[0], three[0] + "," + three[0]},
		{"heads-null", "the heads are null", malformed, "[" + strings.Join(three, ",") + "]", "null"},
		{"head-duplicate-member", "a member stands twice in a head", malformed, `"size":3`, `"size":3,"size":3`},
		{"head-member-order", "two members of a head are swapped", malformed, `"size":2,"root":"` + hexSum("authority.01M824P6200123456789ABCDEF root") + `"`,
			`"root":"` + hexSum("authority.01M824P6200123456789ABCDEF root") + `","size":2`},
		{"head-size-float", "a size as 3.0", malformed, `"size":3`, `"size":3.0`},
		{"head-size-2-to-53", "a size over 2^53-1", malformed, `"size":3`, `"size":9007199254740992`},
		{"head-state-null", "a head without a state", malformed, `"open"`, "null"},
		{"head-stream-online", "a head of the writer online, which no stream has", malformed, `"stream":"billing.`, `"stream":"online.`},
		{"signatures", "a head file has no signatures", malformed, "]}\n", "]}\n" + `{"signatures":[]}` + "\n"},
		{"no-newline", "no newline ends the line", malformed, "]}\n", "]}"},
		{"carriage-return", "the line ends in CR LF", malformed, "]}\n", "]}\r\n"},
		{"empty-line", "a second, empty line", malformed, "]}\n", "]}\n\n"},
		{"ext", "a head file has no ext", malformed, "]}\n", `],"ext":{"a":"b"}}` + "\n"},
	} {
		s.add("heads", c.name, Vector{Description: c.description, Error: c.class, Input: replace(base, c.old, c.new)})
	}
	s.add("heads", "empty", Vector{Description: "no bytes at all", Error: malformed})
}
