package vectors

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// subject is a kind of line object, with a valid line 1 to start from.
type subject struct {
	folder, kind string
	line         string
	second       string // the second member of line 1, with the comma behind it
	third        string // the third, likewise
	text         string // some of the text in a string of line 1
	ext          bool   // line 1 may end in ext
	signer       key
	other        key // another key of the log, which must not sign this
	log          string
	// frame fills in what a reader is given beside the stored bytes of line 1.
	frame func(v *Vector, line string)
}

// logOf is the log ID that a line is signed for: for genesis its own hash.
func (x *subject) logOf(line string) string {
	if x.kind == "genesis" {
		return hexSum(line + "\n")
	}
	return x.log
}

func (x *subject) signed(line string) string { return x.signer.object(x.kind, x.logOf(line), line) }

// stored adds the vector of two lines as they are.
func (s *set) stored(x *subject, name, description, class, bytes string) {
	v := Vector{Description: description, Input: bytes, Error: class}
	line, _, _ := strings.Cut(bytes, "\n")
	x.frame(&v, line)
	s.add(x.folder, name, v)
}

// line adds the vector of a line 1 and its right signature.
func (s *set) line(x *subject, name, description, class string, change edit) {
	s.stored(x, name, description, class, x.signed(change(x.line)))
}

// repeated is line for inputs that hold "<repeat>". Signatures are over what it stands for.
func (s *set) repeated(x *subject, name, description, class string, r Repeat, change edit) {
	line := change(x.line)
	v := Vector{Description: description, Input: line, Repeat: &r}
	whole := string(v.Bytes())
	_, second, _ := strings.Cut(x.signed(whole), "\n")
	v.Input, v.Error = line+"\n"+second, class
	x.frame(&v, whole)
	s.add(x.folder, name, v)
}

// generic adds what every kind of line object has in common. Each vector is wrong in one way only: the signature fits
// whatever line 1 says, unless the signature is what is wrong.
func (s *set) generic(x *subject) {
	s.genericLine1(x)
	s.genericLine2(x)
	s.genericSignature(x)
	if x.ext {
		s.genericExt(x)
	}
}

func (s *set) genericLine1(x *subject) {
	name, value, _ := strings.Cut(x.second, ":")
	fmtMember := `"format":"` + format + `",`
	for _, c := range []struct {
		name, description string
		change            edit
	}{
		{"duplicate-member", "a member stands twice, with the same value", swap(x.second, x.second+x.second)},
		{"duplicate-member-escaped", "a member stands twice, once with an escape in its name",
			swap(x.second, x.second+`"`+escape(name[1:])+":"+value)},
		{"member-order", "two members are swapped", swap(x.second+x.third, x.third+x.second)},
		{"unknown-member", "a member that the format does not know", swap(x.second, x.second+`"extra":"",`)},
		{"missing-member", "a member that is not optional is absent", swap(x.second, "")},
		{"null-member", "a member that is not optional is null", swap(x.second, name+":null,")},
		{"member-case", "a member's name begins with a capital", swap(name, strings.ToUpper(name[:2])+name[2:])},
		{"member-escaped", "a member's name has an escape", swap(name, `"`+escape(name[1:]))},
		{"space-after-colon", "a space behind a colon", swap(name+":", name+": ")},
		{"space-first", "a space in front of line 1", swap("{", " {")},
		{"space-last", "a space behind line 1", func(l string) string { return l + " " }},
		{"carriage-return", "line 1 ends in CR LF", func(l string) string { return l + "\r" }},
		{"byte-order-mark", "a byte order mark in front of line 1", func(l string) string { return "\ufeff" + l }},
		{"two-values", "two objects in line 1", func(l string) string { return l + l }},
		{"array", "line 1 is an array", func(l string) string { return "[" + l + "]" }},
		{"format-second", "format is not the first member", swap(fmtMember+x.second, x.second+fmtMember)},
		{"format-missing", "there is no format", swap(fmtMember, "")},
		{"format-number", "the format is a number", swap(`"`+format+`"`, "1")},
		{"format-escaped", "the format is spelt with an escape", swap("draft", `dr\u0061ft`)},
		{"invalid-utf8", "a string with a byte that is not UTF-8", swap(x.text, x.text+"\xff")},
	} {
		s.line(x, c.name, c.description, malformed, c.change)
	}
	s.line(x, "format-later", "a format of a later release", unknownFormat, swap(format, "wormlog/v2"))
	s.line(x, "format-case", "a format that differs in case is another one", unknownFormat, swap(format, "Wormlog/v1-draft"))
	s.line(x, "format-empty", "the empty format is an unknown one", unknownFormat, swap(format, ""))
	s.stored(x, "format-later-unreadable", "a later format that this one's rules do not fit: two signatures, another line 1",
		unknownFormat, `{"format":"wormlog/v2","body":[1,2.5]}`+"\n"+`{"signatures":[{"k":1},{"k":2}],"more":true}`+"\n")
}

func (s *set) genericLine2(x *subject) {
	right := x.signed(x.line)
	_, second, _ := strings.Cut(right, "\n")
	second = strings.TrimSuffix(second, "\n")
	one := strings.TrimSuffix(strings.TrimPrefix(second, `{"signatures":[`), `]}`)
	signature := b64(x.signer.sign(message(x.kind, x.logOf(x.line), x.signer.id, x.line)))
	for _, c := range []struct{ name, description, second string }{
		{"signatures-two", "two signatures, both right", `{"signatures":[` + one + "," + one + `]}`},
		{"signatures-none", "no signature", `{"signatures":[]}`},
		{"signatures-null", "the signatures are null", `{"signatures":null}`},
		{"signatures-object", "the signature is not in a list", `{"signatures":` + one + `}`},
		{"signature-member-order", "signature stands before key_id", `{"signatures":[{"signature":"` + signature + `","key_id":"` + x.signer.id + `"}]}`},
		{"signature-extra-member", "a member beside the signature", strings.Replace(second, `{"key_id"`, `{"algorithm":"ed25519","key_id"`, 1)},
		{"signatures-extra-member", "a member beside the signatures", strings.Replace(second, `{"sig`, `{"signed_at":"","sig`, 1)},
		{"signature-unpadded", "the signature's base64 has no padding", strings.Replace(second, signature, strings.TrimRight(signature, "="), 1)},
		{"signature-url-alphabet", "the signature's base64 is the one for URLs", strings.Replace(second, signature, "-_"+signature[2:], 1)},
		{"signature-last-bits", "the signature's base64 has bits behind its last byte", strings.Replace(second, signature, lastBits(signature), 1)},
		{"signature-newline", "the signature's base64 is broken into lines", strings.Replace(second, signature, signature[:64]+`\n`+signature[64:], 1)},
		{"signature-escaped", "the signature's base64 has an escape", strings.Replace(second, signature, escape(signature), 1)},
		{"key-id-escaped", "the key ID has an escape", strings.Replace(second, x.signer.id, escape(x.signer.id), 1)},
		{"space-in-line-2", "a space in line 2", strings.Replace(second, ":", ": ", 1)},
		{"carriage-return-line-2", "line 2 ends in CR LF", second + "\r"},
	} {
		s.stored(x, c.name, c.description, malformed, x.line+"\n"+c.second+"\n")
	}
	for _, c := range []struct{ name, description, bytes string }{
		{"empty", "no bytes at all", ""},
		{"no-newline-last", "no newline ends line 2", strings.TrimSuffix(right, "\n")},
		{"line-1-only", "there is no line 2", x.line + "\n"},
		{"line-1-without-newline", "there is only line 1, and no newline ends it", x.line},
		{"third-line", "a third line", right + "{}\n"},
		{"empty-line-last", "an empty third line", right + "\n"},
		{"empty-line-between", "an empty line between the two", x.line + "\n\n" + second + "\n"},
		{"lines-swapped", "the signatures stand first", second + "\n" + x.line + "\n"},
	} {
		s.stored(x, c.name, c.description, malformed, c.bytes)
	}
}

// escape spells the first character as an escape.
func escape(s string) string { return fmt.Sprintf(`\u%04x`, s[0]) + s[1:] }

// lastBits sets a bit of the last character that no byte takes.
func lastBits(encoded string) string {
	at := len(strings.TrimRight(encoded, "=")) - 1
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return encoded[:at] + string(digits[strings.IndexByte(digits, encoded[at])|1]) + encoded[at+1:]
}

func (s *set) genericSignature(x *subject) {
	log := x.logOf(x.line)
	right := message(x.kind, log, x.signer.id, x.line)
	otherKind := "receipt"
	if x.kind == "receipt" {
		otherKind = "manifest"
	}
	signature := x.signer.sign(right)
	flipped := append([]byte(nil), signature...)
	flipped[7] ^= 1
	hexAsBase64, _ := base64.StdEncoding.DecodeString(fmt.Sprintf("%x", signature))
	upper := strings.ToUpper(x.signer.id)
	sign := x.signer.sign
	for _, c := range []struct {
		name, description, id string
		signature             []byte
	}{
		{"signed-by-other-key", "the key ID is right, but another key signed", x.signer.id, x.other.sign(right)},
		{"key-id-of-other-key", "another key of the log signed, and says so", x.other.id, x.other.sign(message(x.kind, log, x.other.id, x.line))},
		{"key-id-swapped", "the right key signed, but line 2 names another", x.other.id, signature},
		{"message-other-key-id", "the signed message names another key ID", x.signer.id, sign(message(x.kind, log, x.other.id, x.line))},
		{"message-other-kind", "the signed message is that of another kind", x.signer.id, sign(message(otherKind, log, x.signer.id, x.line))},
		{"message-other-log", "the signed message names another log", x.signer.id, sign(message(x.kind, hexSum("another log"), x.signer.id, x.line))},
		{"message-draft-domain", "the signed message begins with the format instead of wormlog/v1", x.signer.id,
			sign(strings.Replace(right, "wormlog/v1 ", format+" ", 1))},
		{"message-hash-without-newline", "the signed hash is that of line 1 without its newline", x.signer.id,
			sign(strings.Replace(right, hexSum(x.line+"\n"), hexSum(x.line), 1))},
		{"message-hash-upper-case", "the signed hash is in upper-case hex", x.signer.id,
			sign(strings.Replace(right, hexSum(x.line+"\n"), strings.ToUpper(hexSum(x.line+"\n")), 1))},
		{"message-without-last-newline", "the signed message has no newline at its end", x.signer.id, sign(strings.TrimSuffix(right, "\n"))},
		{"message-is-line-1", "what is signed is line 1 itself", x.signer.id, sign(x.line + "\n")},
		{"signature-malleated", "S is not below the group's order", x.signer.id, malleated(signature)},
		{"signature-bit-flipped", "one bit of R is flipped", x.signer.id, flipped},
		{"signature-63-bytes", "the last byte is missing", x.signer.id, signature[:63]},
		{"signature-65-bytes", "a byte too many", x.signer.id, append(append([]byte(nil), signature...), 0)},
		{"signature-empty", "the signature is empty", x.signer.id, nil},
		{"signature-hex", "the signature is in hex, which is base64 of other bytes", x.signer.id, hexAsBase64},
		{"key-id-upper-case", "the key ID is in upper case, here and in the signed message", upper, sign(message(x.kind, log, upper, x.line))},
		{"signature-hmac", "an HMAC in place of a signature, under the public key as a secret", x.signer.id, hmacSum(x.signer.raw(), right)},
		{"signature-hmac-64-bytes", "the same HMAC twice, to have the length of a signature", x.signer.id,
			append(hmacSum(x.signer.raw(), right), hmacSum(x.signer.raw(), right)...)},
		{"key-id-with-algorithm", "the key ID names an algorithm, here and in the signed message", "hmac-sha256:" + x.signer.id,
			sign(message(x.kind, log, "hmac-sha256:"+x.signer.id, x.line))},
		{"signature-zero", "the signature is all zeros", x.signer.id, make([]byte, 64)},
	} {
		s.stored(x, c.name, c.description, badSignature, twoLines(x.line, c.id, c.signature))
	}
}

// genericExt adds what may and may not stand in ext.
func (s *set) genericExt(x *subject) {
	ext := func(members string) edit {
		return func(line string) string { return strings.TrimSuffix(line, "}") + `,"ext":` + members + "}" }
	}
	var many []string
	for i := range 33 {
		many = append(many, fmt.Sprintf(`"%02d":""`, i))
	}
	long := strings.Repeat("n", 64)
	s.line(x, "ext", "an extension: names ascend by UTF-8 bytes", "", ext(`{"a":"","b":"2","z":"3","é":"4","😀":"5"}`))
	s.line(x, "ext-32-members", "as many extensions as there may be", "", ext("{"+strings.Join(many[:32], ",")+"}"))
	s.line(x, "ext-longest", "the longest name and value", "", ext(`{"`+long+`":"`+strings.Repeat("v", 1024)+`"}`))
	s.line(x, "ext-escapes", "every escape that there is, and what needs none", "",
		ext(`{"a":"\"\\\b\t\n\f\r\u0000\u001f","b":"/<>&'`+"\u007f\u0080\u2028\u2029\ufeff\uffff😀"+`"}`))
	for _, c := range []struct{ name, description, ext string }{
		{"ext-empty", "ext is empty; it has to be absent", `{}`},
		{"ext-null", "ext is null", `null`},
		{"ext-list", "ext is a list", `["a"]`},
		{"ext-number", "a value of ext is a number", `{"a":1}`},
		{"ext-nested", "a value of ext is an object", `{"a":{}}`},
		{"ext-unordered", "the names of ext do not ascend", `{"b":"","a":""}`},
		{"ext-utf16-order", "the names of ext ascend by UTF-16 units, not by bytes", `{"😀":"",` + "\"\uffff\"" + `:""}`},
		{"ext-duplicate", "a name stands twice in ext", `{"a":"","a":""}`},
		{"ext-name-empty", "an empty name in ext", `{"":""}`},
		{"ext-name-long", "a name of 65 bytes in ext", `{"` + long + `n":""}`},
		{"ext-value-long", "a value of 1,025 bytes in ext", `{"a":"` + strings.Repeat("v", 1025) + `"}`},
		{"ext-33-members", "33 members in ext", "{" + strings.Join(many, ",") + "}"},
		{"ext-escape-needless", "an escape that is not needed", `{"a":"\u0061"}`},
		{"ext-escape-solidus", "an escaped solidus", `{"a":"\/"}`},
		{"ext-escape-long", "a long escape where there is a short one", `{"a":"\u000a"}`},
		{"ext-escape-upper-case", "an escape in upper-case hex", `{"a":"\u001F"}`},
		{"ext-escape-html", "an escape as for HTML", `{"a":"\u003c"}`},
		{"ext-escape-surrogates", "an escaped surrogate pair", `{"a":"\ud83d\ude00"}`},
		{"ext-lone-surrogate", "a lone surrogate", `{"a":"\ud83d"}`},
		{"ext-raw-control", "a control character that is not escaped", `{"a":"` + "\x1f" + `"}`},
		{"ext-raw-tab", "a tab that is not escaped", `{"a":"` + "\t" + `"}`},
	} {
		s.line(x, c.name, c.description, malformed, ext(c.ext))
	}
	s.line(x, "ext-not-last", "ext is not the last member", malformed, swap(x.second, `"ext":{"a":""},`+x.second))
}
