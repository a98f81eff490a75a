package vectors

import "strings"

// act is a type of act with two valid examples, the second of them with everything at its bounds.
type act struct {
	name, role, data, bounds string
}

const (
	actKey    = "00112233445566778899aabbccddeeff"
	actScope  = `"streams":["payments.*","` + stream + `"],"from":"2026-11-01T00:00:00.000000000Z","to":"2026-12-01T00:00:00.000000000Z"`
	actReason = `"reason":"quarterly review, ticket \"A-7\""}`
)

func sha(s string) string { return hexSum(s) }

func actsOfAllTypes() []act {
	keyAct := `{"key_id":"` + actKey + `","since":"2026-11-22T17:00:00Z",` + actReason
	head := `{"stream":"` + stream + `","sequence":1,"sha256":"` + sha("head") + `"}`
	earlier := `{"stream":"billing.01M824P6200123456789ABCDEF","sequence":9007199254740991,"sha256":"` + sha("head") + `"}`
	object := `{"key":"` + segmentKey + `","version_id":"` + segmentVersion + `","sha256":"` + sha("segment") + `","retain_until":"2026-11-01T00:00:00Z"}`
	home := `{"home":{"bucket":"audit-2","prefix":"logs","region":"eu-west-1"},` + actReason
	return []act{
		{"key.retired", "authority", keyAct, replace(keyAct, `quarterly review, ticket \"A-7\"`, strings.Repeat("r", 4096))},
		{"key.compromised", "authority", keyAct, replace(keyAct, "quarterly", "vierteljährlich 😀")},
		{"countersigned", "authority", `{"key_id":"` + actKey + `","heads":[` + head + `],` + actReason,
			`{"key_id":"` + actKey + `","heads":[` + earlier + `,` + head + `],` + actReason},
		{"finding.acknowledged", "authority", `{"code":"delete-marker","key":"` + segmentKey + `","version_id":"v1",` + actReason,
			`{"code":"a-code-of-a-later-release","key":"log.json","version_id":"",` + actReason},
		{"policy.changed", "authority", `{"retention":{"days":2557,"max_days":3653},` + actReason, `{"retention":{"days":36500,"max_days":36500},` + actReason},
		{"home.changed", "authority", home, replace(home, `"prefix":"logs","region":"eu-west-1"`, `"prefix":"","region":""`)},
		{"hold.placed", "custodian", `{"case":"2026-017",` + actScope + `,` + actReason,
			`{"case":"` + strings.Repeat("c", 128) + `",` + replace(actScope, `"payments.*",`, "") + `,` + actReason},
		{"hold.released", "custodian", `{"case":"2026-017",` + actReason, `{"case":" !#$%&'()*+,-./:;<=>?@[]^_{|}~",` + actReason},
		{"retention.extending", "custodian", `{` + actScope + `,"retain_until":"2036-01-01T00:00:00Z",` + actReason, ""},
		{"retention.extended", "custodian", `{` + actScope + `,"retain_until":"2036-01-01T00:00:00Z","objects":7,` + actReason,
			`{` + actScope + `,"retain_until":"9999-12-31T23:59:59Z","objects":0,` + actReason},
		{"disposed", "custodian", `{"stream":"` + stream + `","size":3,"root":"` + sha("root") + `","manifest":"` + sha("manifest") +
			`","objects":[` + object + `],` + actReason, ""},
	}
}

func (s *set) acts() {
	for _, a := range actsOfAllTypes() {
		s.act(a, strings.ReplaceAll(a.name, ".", "-"), a.role, "", a.data)
		if a.bounds != "" {
			s.act(a, strings.ReplaceAll(a.name, ".", "-")+"-bounds", a.role, "", a.bounds)
		}
		s.actGeneric(a)
	}
	s.actRoles()
	s.actsInvalid()
}

func (s *set) act(a act, name, role, class, data string) {
	v := Vector{Description: "wormlog." + a.name, Input: data, Role: role, Type: "wormlog." + a.name, Error: class}
	s.add("act", name, v)
}

// actGeneric adds what is wrong in any type of act.
func (s *set) actGeneric(a act) {
	name := strings.ReplaceAll(a.name, ".", "-") + "-"
	for _, c := range []struct{ name, data string }{
		{"space", replace(a.data, ":", ": ")},
		{"unknown-member", replace(a.data, `"reason"`, `"extra":1,"reason"`)},
		{"ext", strings.TrimSuffix(a.data, "}") + `,"ext":{"a":"b"}}`},
		{"reason-missing", replace(a.data, ","+actReason, "}")},
		{"reason-empty", replace(a.data, `quarterly review, ticket \"A-7\"`, "")},
		{"reason-long", replace(a.data, `quarterly review, ticket \"A-7\"`, strings.Repeat("r", 4097))},
		{"reason-null", replace(a.data, `"quarterly review, ticket \"A-7\""`, "null")},
		{"reason-escape", replace(a.data, "quarterly", `\u0071uarterly`)},
		{"reason-twice", replace(a.data, `"reason"`, `"reason":"x","reason"`)},
		{"empty-object", "{}"},
		{"null", "null"},
		{"newline", a.data + "\n"},
	} {
		s.act(a, name+c.name, a.role, malformed, c.data)
	}
}

// actRoles adds acts in control streams that are not theirs, and types that are none.
func (s *set) actRoles() {
	types := actsOfAllTypes()
	for _, role := range []string{"writer", "authority", "custodian", "verifier"} {
		for _, a := range types {
			if a.role != role {
				s.act(a, strings.ReplaceAll(a.name, ".", "-")+"-in-"+role, role, malformed, a.data)
			}
		}
	}
	retired := types[0]
	for name, entryType := range map[string]string{
		"type-unknown": "key.renewed", "type-case": "Key.retired", "type-prefix-only": "", "type-longer": "key.retired.now",
	} {
		s.act(act{name: entryType}, name, "authority", malformed, retired.data)
	}
}

func (s *set) actsInvalid() {
	byName := map[string]act{}
	for _, a := range actsOfAllTypes() {
		byName[a.name] = a
	}
	for _, c := range []struct{ of, name, old, new string }{
		{"key.retired", "key-id-upper-case", "aabbccddeeff", "AABBCCDDEEFF"},
		{"key.retired", "key-id-short", "ddeeff", "ddeef"},
		{"key.compromised", "since-instant", "17:00:00Z", "17:00:00.000000000Z"},
		{"key.compromised", "since-offset", "17:00:00Z", "17:00:00+00:00"},
		{"key.compromised", "since-1999", "2026-11-22T17", "1999-11-22T17"},
		{"key.compromised", "since-null", `"2026-11-22T17:00:00Z"`, "null"},
		{"countersigned", "heads-empty", `{"stream":"` + stream + `","sequence":1,"sha256":"` + sha("head") + `"}`, ""},
		{"countersigned", "heads-null", `[{"stream":"` + stream + `","sequence":1,"sha256":"` + sha("head") + `"}]`, "null"},
		{"countersigned", "sequence-2-to-53", `"sequence":1`, `"sequence":9007199254740992`},
		{"countersigned", "sequence-exponent", `"sequence":1`, `"sequence":1e0`},
		{"countersigned", "stream-pattern", stream, "payments.*"},
		{"countersigned", "stream-online", stream, replace(stream, "payments", "online")},
		{"finding.acknowledged", "code-empty", "delete-marker", ""},
		{"finding.acknowledged", "code-upper-case", "delete-marker", "Delete-Marker"},
		{"finding.acknowledged", "code-long", "delete-marker", strings.Repeat("c", 65)},
		{"finding.acknowledged", "key-empty", segmentKey, ""},
		{"finding.acknowledged", "version-id-missing", `"version_id":"v1",`, ""},
		{"finding.acknowledged", "version-id-null", `"version_id":"v1"`, `"version_id":null`},
		{"policy.changed", "days-zero", `"days":2557`, `"days":0`},
		{"policy.changed", "days-over-max", `"days":2557`, `"days":3654`},
		{"policy.changed", "max-days-over-s3", "3653", "36501"},
		{"policy.changed", "days-float", "2557", "2557.0"},
		{"home.changed", "bucket-empty", "audit-2", ""},
		{"home.changed", "prefix-slash", `"logs"`, `"/logs"`},
		{"hold.placed", "case-empty", "2026-017", ""},
		{"hold.placed", "case-quote", "2026-017", `2026\"017`},
		{"hold.placed", "case-not-ascii", "2026-017", "Größe"},
		{"hold.placed", "streams-empty", `"payments.*","` + stream + `"`, ""},
		{"hold.placed", "streams-star", "payments.*", "*"},
		{"hold.placed", "streams-online", "payments.*", "online.*"},
		{"hold.placed", "from-after-to", "2026-11-01T00", "2026-12-02T00"},
		{"hold.placed", "from-equals-to", "2026-11-01T00", "2026-12-01T00"},
		{"hold.placed", "from-seconds", "2026-11-01T00:00:00.000000000Z", "2026-11-01T00:00:00Z"},
		{"hold.placed", "to-null", `"2026-12-01T00:00:00.000000000Z"`, "null"},
		{"hold.released", "case-129", "2026-017", strings.Repeat("c", 129)},
		{"retention.extending", "retain-until-instant", "2036-01-01T00:00:00Z", "2036-01-01T00:00:00.000000000Z"},
		{"retention.extending", "streams-half-star", "payments.*", "payments.01*"},
		{"retention.extended", "objects-minus-zero", `"objects":7`, `"objects":-0`},
		{"retention.extended", "objects-2-to-53", `"objects":7`, `"objects":9007199254740992`},
		{"retention.extended", "objects-missing", `"objects":7,`, ""},
		{"disposed", "objects-empty", `{"key":"` + segmentKey, ``},
		{"disposed", "object-key-empty", segmentKey, ""},
		{"disposed", "object-version-id-empty", segmentVersion, ""},
		{"disposed", "root-upper-case", sha("root"), strings.ToUpper(sha("root"))},
		{"disposed", "size-negative", `"size":3`, `"size":-3`},
		{"disposed", "stream-pattern", `"stream":"` + stream, `"stream":"payments.*`},
	} {
		a := byName[c.of]
		data := replace(a.data, c.old, c.new)
		if c.name == "objects-empty" {
			data = a.data[:strings.Index(a.data, "[")] + "[]" + a.data[strings.Index(a.data, "]")+1:]
		}
		s.act(a, strings.ReplaceAll(c.of, ".", "-")+"-"+c.name, a.role, malformed, data)
	}
	a := byName["countersigned"]
	heads := a.bounds[strings.Index(a.bounds, "[")+1 : strings.Index(a.bounds, "]")]
	one, two, _ := strings.Cut(heads, "},")
	s.act(a, "countersigned-heads-unordered", a.role, malformed, replace(a.bounds, heads, two+","+one+"}"))
	s.act(a, "countersigned-heads-twice", a.role, malformed, replace(a.bounds, heads, two+","+two))
}
