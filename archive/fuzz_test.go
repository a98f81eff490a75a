package archive_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// What these parsers accept is written again as the same bytes, and what they refuse says so with a typed error: nobody
// can make a second spelling of anything that a hash or a signature covers.

// fuzzObject fuzzes a parser of two-line objects, from the vectors of a folder.
func fuzzObject(f *testing.F, folder string, parse func(b []byte) (value any, err error)) {
	seed(f, folder)
	f.Fuzz(func(t *testing.T, b []byte) {
		value, err := parse(b)
		if err != nil {
			mustBeTyped(t, err)
			return
		}
		if again := rewritten(t, b, value); !bytes.Equal(again, b) {
			t.Fatalf("parsed %q, wrote %q", b, again)
		}
	})
}

func seed(f *testing.F, folder string) {
	for _, validity := range []string{"/valid", "/invalid"} {
		for _, v := range readVectors(f, folder+validity) {
			if v.Repeat != nil && v.Repeat.Count*len(v.Repeat.Text) >= 64<<10 {
				continue // every worker makes the seeds anew
			}
			if b := v.Bytes(); len(b) < 64<<10 {
				f.Add(b)
			}
		}
	}
}

func mustBeTyped(t *testing.T, err error) {
	t.Helper()
	for _, known := range []error{archive.ErrMalformed, archive.ErrUnknownFormat, archive.ErrWrongLog, keys.ErrBadSignature} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("an error of no type: %v", err)
}

// FuzzParseLog signs nothing, so it gets past the parser only with what was signed before; genesis without its signature
// is fuzzed by FuzzParseLogLine.
func FuzzParseLog(f *testing.F) {
	fuzzObject(f, "genesis", func(b []byte) (any, error) {
		l, err := archive.ParseLog(b)
		if err != nil {
			return nil, err
		}
		return l.Genesis, nil
	})
}

// FuzzParseLogLine takes a bad signature for success: what is in front of it has been parsed and accepted by then.
func FuzzParseLogLine(f *testing.F) {
	seed(f, "genesis")
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := archive.ParseLog(b); err != nil && !errors.Is(err, keys.ErrBadSignature) {
			mustBeTyped(t, err)
			return
		}
		var g archive.Genesis
		if err := lineobject.Unmarshal(lineobject.FirstLine(b), &g); err != nil {
			t.Fatalf("%q was accepted: %v", b, err)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	fuzzObject(f, "manifest", func(b []byte) (any, error) {
		m, _, err := archive.ParseManifest(b)
		return m, err
	})
}

func FuzzParseReceipt(f *testing.F) {
	fuzzObject(f, "receipt", func(b []byte) (any, error) {
		r, _, err := archive.ParseReceipt(b)
		return r, err
	})
}

// The first byte chooses type and role.
func FuzzParseAct(f *testing.F) {
	types := []string{
		archive.ActKeyRetired, archive.ActKeyCompromised, archive.ActCountersigned, archive.ActAcknowledged, archive.ActPolicyChanged,
		archive.ActHomeChanged, archive.ActHoldPlaced, archive.ActHoldReleased, archive.ActRetentionExtending,
		archive.ActRetentionExtended, archive.ActDisposed, archive.ActAttestation,
	}
	roles := []keys.Role{keys.RoleAuthority, keys.RoleCustodian, keys.RoleVerifier}
	for _, folder := range []string{"act/valid", "act/invalid", "attestation/valid", "attestation/invalid"} {
		for _, v := range readVectors(f, folder) {
			f.Add(byte(slices.Index(types, v.Type)*len(roles)+slices.Index(roles, keys.Role(v.Role))), v.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, choice byte, b []byte) {
		act, err := archive.ParseAct(roles[int(choice)%len(roles)], types[int(choice)/len(roles)%len(types)], b)
		if err != nil {
			mustBeTyped(t, err)
			return
		}
		if again, err := archive.FormatAct(act); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("parsed %q, wrote %q, %v", b, again, err)
		}
	})
}

func FuzzParseHeadFile(f *testing.F) {
	seed(f, "heads")
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := archive.ParseHeadFile(b)
		if err != nil {
			mustBeTyped(t, err)
			return
		}
		if again, err := archive.FormatHeadFile(h); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("parsed %q, wrote %q, %v", b, again, err)
		}
	})
}

func FuzzParseTrustFile(f *testing.F) {
	seed(f, "trust")
	f.Fuzz(func(t *testing.T, b []byte) {
		trust, err := archive.ParseTrustFile(b)
		if err != nil {
			mustBeTyped(t, err)
			return
		}
		if again, err := archive.FormatTrustFile(trust); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("parsed %q, wrote %q, %v", b, again, err)
		}
	})
}
