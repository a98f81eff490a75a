package keys

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/internal/lineobject"
)

func TestRecordRoundTrip(t *testing.T) {
	authority := newTestAuthority(t, "online")
	for _, c := range []struct {
		role    Role
		streams string
		alg     Algorithm
	}{
		{RoleWriter, "payments.*", AlgorithmHMACSHA256},
		{RoleWriter, testStream, AlgorithmEd25519},
		{RoleAuthority, "authority.*", AlgorithmEd25519},
		{RoleCustodian, "custodian." + ulidText, AlgorithmEd25519},
		{RoleVerifier, "verifier.*", AlgorithmEd25519},
		{RoleOnline, "online.*", AlgorithmEd25519},
	} {
		_, r := newTestKey(t, c.role, c.streams, c.alg)
		r.Previous = testID
		r.Ext = map[string]string{"b": "", "a": "é"}
		stored, id, err := SignRecord(r, authority.Signer())
		if err != nil {
			t.Fatal(err)
		}
		got, o, err := ParseRecord(stored)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("parsed %v, want %v", got, r)
		}
		if gotID, err := got.ID(); err != nil || gotID != id {
			t.Errorf("ID %s (%v), want %s", gotID, err, id)
		}
		a := authority.Authority()
		if err := VerifyLine(KindKey, testLog, a.ID(), a.PublicKey, o); err != nil {
			t.Error(err)
		}
	}
}

func TestRecordMeaning(t *testing.T) {
	many := map[string]string{}
	for i := range 33 {
		many[fmt.Sprint(i)] = ""
	}
	for name, c := range map[string]struct {
		change func(*Record)
		says   string
	}{
		"log ID":              {func(r *Record) { r.LogID = "x" }, "log ID"},
		"role":                {func(r *Record) { r.Role = "admin" }, "role"},
		"pattern":             {func(r *Record) { r.Streams = "*" }, "pattern"},
		"reserved":            {func(r *Record) { r.Streams = "verifier.*" }, "belong to that role"},
		"control elsewhere":   {func(r *Record) { r.Role = RoleCustodian }, "custodian"},
		"online with HMAC":    {func(r *Record) { r.Role, r.Streams = RoleOnline, "online.*" }, "ed25519 only"},
		"online elsewhere":    {func(r *Record) { r.Role = RoleOnline }, "online.*"},
		"control with HMAC":   {func(r *Record) { r.Role, r.Streams = RoleVerifier, "verifier.*" }, "ed25519 only"},
		"algorithm":           {func(r *Record) { r.EntryAlgorithm = "none" }, "algorithm"},
		"no commitment":       {func(r *Record) { r.HMACCommitment = "" }, "commitment"},
		"upper case":          {func(r *Record) { r.HMACCommitment = strings.ToUpper(r.HMACCommitment) }, "commitment"},
		"ed25519, commitment": {func(r *Record) { r.EntryAlgorithm = AlgorithmEd25519 }, "commitment"},
		"public key":          {func(r *Record) { r.PublicKey = r.PublicKey[:43] }, "public key"},
		"no source":           {func(r *Record) { r.Source = nil }, "source"},
		"much source":         {func(r *Record) { r.Source = many }, "source"},
		"long source name":    {func(r *Record) { r.Source = map[string]string{strings.Repeat("a", 65): ""} }, "source"},
		"long source":         {func(r *Record) { r.Source = map[string]string{"a": strings.Repeat("a", 1025)} }, "source"},
		"source without name": {func(r *Record) { r.Source = map[string]string{"": "a"} }, "source"},
		"source not UTF-8":    {func(r *Record) { r.Source = map[string]string{"a": "\xff"} }, "UTF-8"},
		"previous":            {func(r *Record) { r.Previous = "x" }, "previous"},
	} {
		r := vectorRecord()
		c.change(&r)
		_, err := r.ID()
		t.Run(name, func(t *testing.T) { wantError(t, err, "key record", c.says) })
		if _, _, err := SignRecord(r, NewSigner(testID, vectorPrivate)); err == nil {
			t.Errorf("%s: a record that means nothing was signed", name)
		}
		// The same on the way in, for what JSON can carry.
		if line, err := lineobject.Marshal(r); err == nil {
			o := lineobject.Object{Line: line, KeyID: "x", Signature: []byte{1}}
			if _, _, err := ParseRecord(o.Bytes()); err == nil {
				t.Errorf("%s: parsed", name)
			}
		}
	}
}

func TestParseRecordJudgesFormatFirst(t *testing.T) {
	r := vectorRecord()
	stored, _, err := SignRecord(r, NewSigner(testID, vectorPrivate))
	if err != nil {
		t.Fatal(err)
	}
	for name, later := range map[string][]byte{
		"other member": bytes.Replace(stored, []byte(FormatDraft), []byte("wormlog/v9"), 1),
		"other shape":  []byte("{\"format\":\"wormlog/v9\",\"roles\":[]}\nwhatever"),
	} {
		if _, _, err := ParseRecord(later); !errors.Is(err, ErrUnknownFormat) {
			t.Errorf("%s: error %v, want ErrUnknownFormat", name, err)
		}
	}
	for name, bad := range map[string]string{
		"empty":         "",
		"no format":     "{}\n{}\n",
		"format second": "{\"roles\":[],\"format\":\"wormlog/v9\"}\n{}\n",
		"null format":   "{\"format\":null}\n{}\n",
		"number format": "{\"format\":9}\n{}\n",
		"line 1 only":   vectorLine + "\n",
		"space":         strings.Replace(string(stored), ":", ": ", 1),
		"order":         strings.Replace(string(stored), `"role":"writer","streams":"payments.*"`, `"streams":"payments.*","role":"writer"`, 1),
		"repeated":      strings.Replace(string(stored), `"role"`, `"role":"writer","role"`, 1),
		"unknown":       strings.Replace(string(stored), `"role"`, `"expires":"","role"`, 1),
		"no signature":  vectorLine + "\n{\"signatures\":[]}\n",
		"trailing":      string(stored) + "\n",
	} {
		if _, _, err := ParseRecord([]byte(bad)); !errors.Is(err, lineobject.ErrNotCanonical) {
			t.Errorf("%s: error %v, want ErrNotCanonical", name, err)
		}
	}
}

func TestRecordSize(t *testing.T) {
	r := vectorRecord()
	full := map[string]string{}
	for i := range 32 {
		full[strings.Repeat("n", i+1)] = strings.Repeat("x", 1024)
	}
	r.Source, r.Ext = full, full
	_, _, err := SignRecord(r, NewSigner(testID, vectorPrivate))
	wantError(t, err, "over the limit")
	_, _, err = ParseRecord(make([]byte, MaxRecord+1))
	wantError(t, err, "over the limit")
}

func TestRecordIDDependsOnEveryMember(t *testing.T) {
	seen := map[ID]string{}
	for name, change := range map[string]func(*Record){
		"as it is":   func(*Record) {},
		"log":        func(r *Record) { r.LogID = testLog[:62] + "00" },
		"streams":    func(r *Record) { r.Streams = "payroll.*" },
		"algorithm":  func(r *Record) { r.EntryAlgorithm, r.HMACCommitment = AlgorithmEd25519, "" },
		"public key": func(r *Record) { r.PublicKey = bytes.Clone(r.PublicKey); r.PublicKey[43] ^= 1 },
		"commitment": func(r *Record) { r.HMACCommitment = string(testLog) },
		"source":     func(r *Record) { r.Source = maps.Clone(r.Source); r.Source["a"] = "b" },
		"previous":   func(r *Record) { r.Previous = testID },
		"ext":        func(r *Record) { r.Ext = map[string]string{"a": "b"} },
	} {
		r := vectorRecord()
		change(&r)
		id, err := r.ID()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have one ID", name, other)
		}
		seen[id] = name
	}
}

func FuzzParseRecord(f *testing.F) {
	stored, _, err := SignRecord(vectorRecord(), NewSigner(testID, vectorPrivate))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add([]byte("{\"format\":\"wormlog/v9\"}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, o, err := ParseRecord(b)
		if err != nil {
			return
		}
		line, err := r.Line()
		if err != nil {
			t.Fatalf("parsed what cannot be written: %v", err)
		}
		again := lineobject.Object{Line: line, KeyID: o.KeyID, Signature: o.Signature}.Bytes()
		if !bytes.Equal(again, b) {
			t.Fatalf("parsed %q, wrote %q", b, again)
		}
	})
}
