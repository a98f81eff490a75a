package archive_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// signedBy makes a key whose record any signer signs, and publishes that.
func (s *site) signedBy(by keys.Signer, role keys.Role, streams string) *keys.SigningKey {
	s.t.Helper()
	k, id, record := s.madeBy(by, role, streams)
	must(s.log.CreateRecord(s.t.Context(), s.mem, id, record))(s.t)
	return k
}

func (s *site) madeBy(by keys.Signer, role keys.Role, streams string) (*keys.SigningKey, keys.ID, []byte) {
	s.t.Helper()
	bundle, record, err := keys.NewKey(s.log.ID, role, streams, keys.AlgorithmEd25519, map[string]string{"kind": "test"}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	b, id, err := keys.SignRecord(record, by)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ids[id] = record
	return must(bundle.SigningKey(record))(s.t), id, b
}

// succeed replaces the online authority: by recovery's word.
func (s *site) succeed() *keys.SigningKey {
	return s.signedBy(s.recovery.Signer(), keys.RoleOnline, "online.*")
}

func TestCheckAuthority(t *testing.T) {
	s := newSite(t)
	online, acts := s.succeed(), s.authority()
	usurper := s.signedBy(s.online.Signer(), keys.RoleOnline, "online.*")
	heir := s.signedBy(online.Signer(), keys.RoleOnline, "online.*")
	unknown := keys.ID(strings.Repeat("0", 32))
	below := []keys.Role{keys.RoleWriter, keys.RoleCustodian, keys.RoleVerifier}
	above := []keys.Role{keys.RoleAuthority, keys.RoleOnline}
	for name, c := range map[string]struct {
		id  keys.ID
		may []keys.Role
	}{
		"online authority":              {s.online.Authority().ID(), below},
		"recovery authority":            {s.recovery.Authority().ID(), above},
		"replaced online":               {online.ID(), below},
		"online vouched for by online":  {usurper.ID(), nil},
		"online vouched for by another": {heir.ID(), nil},
		"key of role authority":         {acts.ID(), nil},
		"writer's key":                  {s.key.ID(), nil},
		"unknown key":                   {unknown, nil},
	} {
		for _, role := range append(below, above...) {
			want := false
			for _, r := range c.may {
				want = want || r == role
			}
			err := s.log.CheckAuthority(t.Context(), s.mem, c.id, role)
			if (err == nil) != want {
				t.Errorf("%s, records of role %s: %v", name, role, err)
			}
			if err != nil && !strings.Contains(err.Error(), string(c.id)) {
				t.Errorf("%s: %q does not name the key", name, err)
			}
			if name == "unknown key" && !role.NeedsRecovery() && !errors.Is(err, archive.ErrNotFound) {
				t.Errorf("%s: %v is not ErrNotFound", name, err)
			}
		}
	}
	if err := s.log.CheckAuthority(t.Context(), s.mem, s.online.Authority().ID(), "root"); err == nil {
		t.Error("anybody may sign records of a role that there is not")
	}
}

// What is written with a key that a replaced online authority vouched for, is read and verified as ever.
func TestKeyOfReplacedOnlineAuthority(t *testing.T) {
	s := newSite(t)
	online := s.succeed()
	for _, writer := range []string{"a", "b", "c", "d", "e", "f"} { // some are listed before their voucher, some behind
		k := s.signedBy(online.Signer(), keys.RoleWriter, writer+".*")
		if r, err := s.log.Record(t.Context(), s.mem, k.ID()); err != nil || r.Streams != writer+".*" {
			t.Fatalf("%v: %v", r, err)
		}
		s.write(writer, k)
	}
	if r := s.verify(); r.Verdict != archive.Intact || len(r.Findings) > 0 {
		t.Errorf("%s: %v", r, r.Findings)
	}
	ids, codes := s.read(s.reader())
	if len(ids) != 6 || len(codes) > 0 {
		t.Errorf("%v, %v", ids, codes)
	}
	o := must(s.mem.Head(t.Context(), archive.RecordKey(online.ID()), ""))(t)
	if err := s.mem.Raw().DeleteVersion(o.Key, o.VersionID); err != nil {
		t.Fatal(err)
	}
	ids, codes = s.read(s.reader())
	if len(ids) > 0 || len(codes) == 0 {
		t.Errorf("without its record: %v, %v", ids, codes)
	}
}

// Whoever may write can lay a version over a record whose line 1 is the same: it must not keep anybody from the original.
func TestRecordUnderAnotherSignature(t *testing.T) {
	s := newSite(t)
	online := s.succeed()
	k, id, record := s.madeBy(online.Signer(), keys.RoleWriter, "a.*")
	must(s.log.CreateRecord(t.Context(), s.mem, id, record))(t)
	for _, by := range []keys.Signer{s.key.Signer(), s.recovery.Signer(), must(keys.NewStreamKey())(t).Signer()} {
		over, _, err := keys.SignRecord(k.Record(), by)
		if err != nil {
			t.Fatal(err)
		}
		must(s.mem.Raw().PutVersion(archive.RecordKey(id), over, archive.Lock{}, time.Now()))(t)
	}
	if _, err := s.log.Record(t.Context(), s.mem, id); err != nil {
		t.Error(err)
	}
	if r := s.verify(); r.Verdict != archive.Shadowed {
		t.Errorf("%s: %v", r, r.Findings)
	}
}

// A record that cannot be judged is not a record that is wrong.
func TestRecordWhoseVoucherCannotBeRead(t *testing.T) {
	s := newSite(t)
	online := s.succeed()
	k := s.signedBy(online.Signer(), keys.RoleWriter, "a.*")
	s.mem.Raw().Deny(archivetest.GetObject, archive.RecordKey(online.ID()))
	_, err := s.log.Record(t.Context(), s.mem, k.ID())
	if !errors.Is(err, archive.ErrDenied) || errors.Is(err, keys.ErrBadSignature) {
		t.Errorf("%v", err)
	}
	if err := s.log.CheckAuthority(t.Context(), s.mem, online.ID(), keys.RoleWriter); !errors.Is(err, archive.ErrDenied) {
		t.Errorf("%v", err)
	}
}

// That the record of the signer is not there must not read as if the record itself were not: it would be made again.
func TestRecordWhoseVoucherIsGone(t *testing.T) {
	s := newSite(t)
	_, id, record := s.madeBy(must(keys.NewStreamKey())(t).Signer(), keys.RoleWriter, "a.*")
	must(s.log.CreateRecord(t.Context(), s.mem, id, record))(t)
	if _, err := s.log.Record(t.Context(), s.mem, id); err == nil || errors.Is(err, archive.ErrNotFound) || !errors.Is(err, keys.ErrBadSignature) {
		t.Errorf("%v", err)
	}
}

// The online authority is replaced, and its successor makes a writer's key, while a verification is under way: at any
// moment of it.
func TestOnlineKeyReplacedWhileVerifying(t *testing.T) {
	for name, d := range map[string]*during{
		"before the acts":        {prefix: "control/"},
		"before the manifests":   {prefix: "manifests/"},
		"in the listing of keys": {at: "keys/"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.write("app", s.key)
			d.Store = s.mem
			d.happen = func() {
				for { // the listing is past the place of the one, and not of the other
					online, id, record := s.madeBy(s.recovery.Signer(), keys.RoleOnline, "online.*")
					k, other, vouched := s.madeBy(online.Signer(), keys.RoleWriter, "new.*")
					if d.at != "" && !(id < s.key.ID() && s.key.ID() < other) {
						continue
					}
					must(s.log.CreateRecord(t.Context(), s.mem, id, record))(t)
					must(s.log.CreateRecord(t.Context(), s.mem, other, vouched))(t)
					s.write("new", k)
					return
				}
			}
			s.mem.SetPageSize(1)
			r := must(archive.Verify(t.Context(), archive.VerifyConfig{Store: d, LogID: s.log.ID}))(t)
			if r.Verdict != archive.Intact {
				t.Error(r, r.Findings)
			}
		})
	}
}

// A thief of the online authority's key mints one while a verification is under way that knows of the theft.
func TestKeyMintedByCompromisedAuthorityWhileVerifying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write("app", s.key)
		time.Sleep(time.Hour)
		s.act(keyAct(archive.ActKeyCompromised, s.online.Authority().ID(), time.Now()))
		time.Sleep(time.Hour)
		d := &during{Store: s.mem, prefix: "manifests/", happen: func() {
			s.write("new", s.newKey(keys.RoleWriter, "new.*", keys.AlgorithmEd25519))
		}}
		r := s.verify(at(d))
		if r.Verdict != archive.Unverifiable || !has(r, archive.CodeKeyCompromised) {
			t.Error(r, r.Findings)
		}
	})
}

func has(r *archive.Report, code archive.Code) bool {
	for _, f := range r.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// A receipt bears no date of the store's: that of a key which a compromised authority made since proves nothing, and that
// of a key which it made before does.
func TestReceiptOfKeyOfCompromisedAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		online := s.succeed()
		before := s.signedBy(online.Signer(), keys.RoleWriter, "a.*")
		time.Sleep(time.Hour)
		since := time.Now()
		after := s.signedBy(online.Signer(), keys.RoleWriter, "b.*")
		receipts := map[string][]byte{"a": s.receipt("a", before), "b": s.receipt("b", after)}
		time.Sleep(time.Hour)
		for name, id := range map[string]keys.ID{"the online key": online.ID(), "another key": s.key.ID()} {
			r := s.verify(func(c *archive.VerifyConfig) {
				c.Suppose = []archive.KeyAct{{KeyID: id, Since: archive.Second{Time: since}, Reason: "test"}}
				c.Receipts = [][]byte{receipts["a"], receipts["b"]}
			})
			if got, want := has(r, archive.CodeReceiptInvalid), id == online.ID(); got != want {
				t.Errorf("%s is compromised: receipt-invalid %t; %v", name, got, r.Findings)
			}
		}
		r := s.verify(func(c *archive.VerifyConfig) {
			c.Suppose = []archive.KeyAct{{KeyID: online.ID(), Since: archive.Second{Time: since}, Reason: "test"}}
			c.Receipts = [][]byte{receipts["a"]}
		})
		if r.Verdict != archive.Intact {
			t.Errorf("what the key made before: %s, %v", r, r.Findings)
		}
	})
}

// receipt archives an entry and returns what the writer says of it.
func (s *site) receipt(writer string, key *keys.SigningKey) []byte {
	s.t.Helper()
	w := s.open(func(c *archive.WriterConfig) {
		c.Writer, c.Key = writer, func(context.Context) (*keys.SigningKey, error) { return key, nil }
	})
	_, pending := s.add(w, writer, 1)
	s.close(w)
	items := s.acknowledged(pending)
	r := &archive.Receipt{LogID: s.log.ID, Stream: w.Stream(), IssuedAt: archive.Instant{Time: time.Now()}, Durability: archive.Archived, Receipts: items}
	return must(archive.SignReceipt(r, key.Signer()))(s.t)
}
