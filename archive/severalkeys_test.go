package archive_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// Keys that these tests add to the standard archive: as old as the log, for two writers, of both algorithms.
const (
	gatewayMAC   = "gateway-mac"
	gatewaySign  = "gateway-sign"
	paymentsMAC  = "payments-mac"
	paymentsSign = "payments-sign"
)

// withKeys is a standard archive with more keys, in a store.
func withKeys(t *testing.T) *attacked {
	t.Helper()
	a := &attacked{t, standardArchive(t), memoryStore(t, testHome)}
	since := archiveNow().AddDate(0, 0, -30)
	for name, k := range map[string]struct {
		streams   string
		algorithm keys.Algorithm
	}{
		gatewayMAC: {"gateway.*", keys.AlgorithmHMACSHA256}, gatewaySign: {"gateway.*", keys.AlgorithmEd25519},
		paymentsMAC: {"payments.*", keys.AlgorithmHMACSHA256}, paymentsSign: {"payments.*", keys.AlgorithmEd25519},
	} {
		must(a.AddKey(name, k.streams, k.algorithm, since))(t)
	}
	for i := range 11 {
		must(a.AddKey(fmt.Sprint("turn-", i), "gateway.*", []keys.Algorithm{keys.AlgorithmEd25519, keys.AlgorithmHMACSHA256}[i%2], since))(t)
	}
	if err := a.Put(a.store.raw); err != nil {
		t.Fatal(err)
	}
	return a
}

// signs has the entries of a segment signed by these keys in turn.
func (a *attacked) signs(p *archivetest.Segment, names ...string) {
	for i, e := range p.Entries {
		e.Key = a.Keys[names[i%len(names)]]
	}
}

// A stream whose keys turn within a segment, within a manifest and between manifests, with a stream key and without, is
// intact, and its HMACs are checked.
func TestKeysTurnWithinAStream(t *testing.T) {
	const gw, p2 = archivetest.GatewayKey, archivetest.Payments2
	for name, tt := range map[string]struct {
		stream string
		change func(a *attacked, s *archivetest.Stream)
	}{
		"within a segment, stream key, HMAC": {archivetest.PaymentsC, func(a *attacked, s *archivetest.Stream) {
			a.signs(s.Manifests[1].Segments[0], p2, paymentsMAC, p2)
		}},
		"within a segment, stream key, to Ed25519": {archivetest.PaymentsC, func(a *attacked, s *archivetest.Stream) {
			a.signs(s.Manifests[1].Segments[0], p2, p2, paymentsSign)
		}},
		"within a segment, no stream key, from Ed25519": {archivetest.GatewayA, func(a *attacked, s *archivetest.Stream) {
			a.signs(s.Manifests[1].Segments[1], gw, gw, gatewayMAC, gatewayMAC, gatewaySign)
		}},
		"within a manifest, no stream key": {archivetest.GatewayA, func(a *attacked, s *archivetest.Stream) {
			a.signs(s.Manifests[1].Segments[0], gw)
			a.signs(s.Manifests[1].Segments[1], gatewayMAC)
			a.signs(s.Manifests[2].Segments[0], gatewaySign)
		}},
		"manifests by the new key, no stream key": {archivetest.GatewayA, func(a *attacked, s *archivetest.Stream) {
			for i, by := range []string{gw, gatewayMAC, gatewaySign} {
				s.Manifests[i].Signer = a.Keys[by].Signing.Signer()
				for _, p := range s.Manifests[i].Segments {
					a.signs(p, gw, by)
				}
			}
		}},
		"back to the old key": {archivetest.GatewayA, func(a *attacked, s *archivetest.Stream) {
			for i, by := range []string{gatewaySign, gatewayMAC, gatewaySign} {
				s.Manifests[i].Signer = a.Keys[by].Signing.Signer()
				for _, p := range s.Manifests[i].Segments {
					a.signs(p, by)
				}
			}
		}},
		"sequence 0 by one key, its entries by another, stream key": {archivetest.GatewayB, func(a *attacked, s *archivetest.Stream) {
			s.Manifests[0].Signer = a.Keys[gatewayMAC].Signing.Signer()
			a.signs(s.Manifests[0].Segments[0], gw, gatewaySign)
			a.signs(s.Manifests[1].Segments[0], gatewayMAC)
		}},
		"sequence 0 by one key, its entries by another, no stream key": {archivetest.GatewayA, func(a *attacked, s *archivetest.Stream) {
			s.Manifests[0].Signer = a.Keys[gatewaySign].Signing.Signer()
			a.signs(s.Manifests[0].Segments[0], gatewayMAC)
		}},
		"eleven keys in a segment": {archivetest.GatewayA, func(a *attacked, s *archivetest.Stream) {
			n := 0
			for _, m := range s.Manifests {
				for _, p := range m.Segments {
					for _, e := range p.Entries {
						e.Key = a.Keys[fmt.Sprint("turn-", n%11)]
						n++
					}
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := withKeys(t)
			a.expect(a.verify(nil), archive.Intact)
			if err := a.Forge(a.store.raw, tt.stream, func(s *archivetest.Stream) { tt.change(a, s) }); err != nil {
				t.Fatal(err)
			}
			r := a.verify(func(c *archive.VerifyConfig) { c.RequireHMAC = true })
			a.expect(r, archive.Intact)
			if r.HMAC != archive.HMACChecked {
				t.Errorf("HMACs are %s", r.HMAC)
			}
			a.expect(a.verify(func(c *archive.VerifyConfig) { c.Level = archive.LevelManifests }), archive.Intact)
			a.readable(tt.stream)
		})
	}
}

// readable fails the test unless a reader hands out every entry of the stream without a complaint.
func (a *attacked) readable(stream string) {
	a.Helper()
	s := a.Streams[stream]
	r := must(archive.OpenReader(a.Context(), archive.ReaderConfig{
		Store: a.store, LogID: a.Archive.Log.ID, Copies: a.Archive, Streams: []string{s.Name.String()},
	}))(a.T)
	n := 0
	for e, err := range r.Entries(a.Context()) {
		if err != nil {
			a.Fatal(err)
		}
		if want := s.Entries()[n]; e.Index != want.Index || string(e.KeyID) != string(want.Key.ID) {
			a.Errorf("entry %d: got index %d by %s", n, e.Index, e.KeyID)
		}
		n++
	}
	if n != len(s.Entries()) || r.HMAC() != archive.HMACChecked && r.HMAC() != archive.HMACNone {
		a.Errorf("%d entries of %d, HMACs %s", n, len(s.Entries()), r.HMAC())
	}
}

// A second key that has no business in a stream, or that the manifest is silent about, is found.
func TestWrongSecondKey(t *testing.T) {
	const gw = archivetest.GatewayKey
	sign := func(name string) func(*attacked, *archivetest.Stream) {
		return func(a *attacked, s *archivetest.Stream) { a.signs(s.Manifests[1].Segments[0], gw, name) }
	}
	hide := func(ids ...string) func(*attacked, *archivetest.Stream) {
		return func(a *attacked, s *archivetest.Stream) {
			s.Manifests[1].Segments[0].Edit = func(ref *archive.SegmentRef) {
				ref.KeyIDs = nil
				for _, id := range ids {
					ref.KeyIDs = append(ref.KeyIDs, a.Keys[id].ID)
				}
				slices.Sort(ref.KeyIDs)
			}
		}
	}
	for name, tt := range map[string]struct {
		change []func(*attacked, *archivetest.Stream)
		code   archive.Code
	}{
		"of another writer":         {[]func(*attacked, *archivetest.Stream){sign(paymentsMAC)}, archive.CodeKeyRole},
		"of another writer, hidden": {[]func(*attacked, *archivetest.Stream){sign(paymentsSign), hide(gw)}, archive.CodeKeyRole},
		"of another role":           {[]func(*attacked, *archivetest.Stream){sign(archivetest.CustodianKey)}, archive.CodeKeyRole},
		"of another role, hidden":   {[]func(*attacked, *archivetest.Stream){sign(archivetest.VerifierKey), hide(gw)}, archive.CodeKeyRole},
		"not named":                 {[]func(*attacked, *archivetest.Stream){sign(gatewaySign), hide(gw)}, archive.CodeSegmentContent},
		"named and not used":        {[]func(*attacked, *archivetest.Stream){sign(gw), hide(gw, gatewaySign)}, archive.CodeSegmentContent},
		"in the name of the first": {[]func(*attacked, *archivetest.Stream){func(a *attacked, s *archivetest.Stream) {
			e := s.Manifests[1].Segments[0].Entries[1]
			e.Sign = func(signed []byte) []byte {
				signature, _ := a.Keys[gatewaySign].Signing.Signer().Sign(append(keys.EntryPrefix(a.Archive.Log.ID, e.Key.ID), signed...))
				return signature
			}
		}}, archive.CodeEntrySignature},
		"HMAC of another stream's key": {[]func(*attacked, *archivetest.Stream){func(a *attacked, s *archivetest.Stream) {
			e := s.Manifests[1].Segments[0].Entries[1]
			e.Key = a.Keys[gatewayMAC]
			e.Sign = func(signed []byte) []byte {
				signer, _ := a.Keys[gatewayMAC].Signing.EntrySigner("gateway.01ARZ3NDEKTSV4RRFFQ69G5FAV")
				mac, _ := signer.AppendSignature(nil, signed)
				return mac
			}
		}}, archive.CodeEntrySignature},
	} {
		for _, stream := range []string{archivetest.GatewayA, archivetest.GatewayB} {
			t.Run(name+"/"+stream, func(t *testing.T) {
				a := withKeys(t)
				if err := a.Forge(a.store.raw, stream, func(s *archivetest.Stream) {
					for _, f := range tt.change {
						f(a, s)
					}
				}); err != nil {
					t.Fatal(err)
				}
				r := a.verify(func(c *archive.VerifyConfig) { c.RequireHMAC = true })
				found := false
				for _, f := range r.Findings {
					found = found || f.Code == tt.code && f.Verdict == archive.Tampered
				}
				if r.Verdict != archive.Tampered || !found {
					a.expect(r, archive.Tampered, tt.code)
				}
			})
		}
	}
}
