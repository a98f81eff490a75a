package archivetest

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// actClasses are about what authority and custodian record.
var actClasses = []Class{
	{"key-compromised", record(AuthorityA, compromised(GatewayKey, at("11-18 07:30")))},
	{"key-compromised-from-the-beginning", record(AuthorityA, compromised(GatewayKey, at("10-02 00:00")))},
	{"key-compromised-since-after-its-streams-opened", record(AuthorityA, compromised(Payments2, at("11-21 00:00")))},
	{"key-compromised-in-future", record(AuthorityA, compromised(GatewayKey, at("12-01 00:00")))},
	{"key-compromised-and-countersigned", record(AuthorityA, compromised(GatewayKey, at("11-18 07:30")), countersigned(GatewayA, GatewayB))},
	{"key-compromised-and-countersigned-in-part", record(AuthorityA, compromised(GatewayKey, at("11-18 07:30")), countersigned(GatewayB))},
	{"key-compromised-and-other-head-countersigned", record(AuthorityA, compromised(GatewayKey, at("11-18 07:30")),
		func(a *Archive) (string, archive.Act) {
			kind, act := countersigned(GatewayA, GatewayB)(a)
			for i := range act.(*archive.Countersigned).Heads {
				act.(*archive.Countersigned).Heads[i].SHA256[0] ^= 1
			}
			return kind, act
		})},
	{"retired-key-still-signing", record(AuthorityA, retired(GatewayKey, at("11-18 06:30")))},
	{"key-to-be-retired", record(AuthorityA, retired(GatewayKey, at("11-23 06:00")))},
	{"finding-acknowledged", acknowledge(AuthorityA, 0)},
	{"another-finding-acknowledged", acknowledge(AuthorityA, 1)},
	{"finding-acknowledged-by-custodian", acknowledge(CustodianA, 0)},
	{"policy-raised", record(AuthorityA, func(a *Archive) (string, archive.Act) {
		return archive.ActPolicyChanged, &archive.PolicyChanged{Retention: archive.RetentionPolicy{Days: 400, MaxDays: 3650}, Reason: "new rule"}
	})},
	{"hold-placed-just-now", recordAt(CustodianA, at("11-22 11:55"), heldGateway)},
	{"hold-not-carried-out", record(CustodianA, heldGateway)},
	{"hold-released", record(CustodianA, func(*Archive) (string, archive.Act) {
		return archive.ActHoldReleased, &archive.HoldReleased{Case: "case-1", Reason: "settled"}
	})},
	{"extension-recorded-and-not-carried-out", record(CustodianA, func(a *Archive) (string, archive.Act) {
		return archive.ActRetentionExtended, &archive.RetentionExtended{
			Streams: []string{a.Streams[GatewayB].Name.String()}, From: archive.Instant{Time: at("11-21 00:00")},
			To: archive.Instant{Time: at("11-22 00:00")}, RetainUntil: archive.Second{Time: extendedUntil}, Objects: 4, Reason: "audit"}
	})},
	{"act-malformed", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(AuthorityA, 0, 0)
		err := a.Forge(t, AuthorityA, func(*Stream) { p.Entries[0].Data = []byte(`{"key_id":"x"}`) })
		return p.Ref.Key, p.VersionID, err
	}},
	{"act-of-another-role", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(AuthorityA, 0, 0)
		err := a.Forge(t, AuthorityA, func(*Stream) {
			p.Entries[0].Type, p.Entries[0].Data = archive.ActHoldReleased, []byte(`{"case":"case-1","reason":"x"}`)
		})
		return p.Ref.Key, p.VersionID, err
	}},
	{"act-forged-without-key", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(AuthorityA, 0, 0)
		err := a.Forge(t, AuthorityA, func(*Stream) { p.Entries[0].Sign = func([]byte) []byte { return make([]byte, 64) } })
		return p.Ref.Key, p.VersionID, err
	}},
	{"stream-disposed", dispose(everything)},
	{"stream-disposed-and-pinned", dispose(everything)},
	{"stream-disposed-in-part", dispose(segmentsOnly)},
	{"stream-disposed-and-still-there", dispose(nothing)},
	{"stream-disposed-before-it-expired", func(t Tamperer, a *Archive) (string, string, error) {
		s := a.Streams[GatewayB]
		key, version := s.Manifests[0].place()
		if _, _, err := record(CustodianA, disposed(s))(t, a); err != nil {
			return "", "", err
		}
		return key, version, swap(t, s.objects(), nil)
	}},
}

type makeAct func(a *Archive) (kind string, act archive.Act)

// record adds acts to a control stream, dated 2026-11-20 12:00.
func record(stream string, acts ...makeAct) func(t Tamperer, a *Archive) (string, string, error) {
	return recordAt(stream, at("11-20 12:00"), acts...)
}

func recordAt(stream string, date time.Time, acts ...makeAct) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		p := a.resume(stream)
		before := len(p.objects())
		for i, act := range acts {
			kind, data := act(a)
			p.act(date.Add(time.Duration(i)*time.Minute), made{kind, data})
		}
		if err := sealAll(p); err != nil {
			return "", "", err
		}
		m := p.Manifests[len(p.Manifests)-1]
		return m.Key, m.VersionID, insert(t, p.objects()[before:]...)
	}
}

func compromised(key string, since time.Time) makeAct {
	return func(a *Archive) (string, archive.Act) {
		return archive.ActKeyCompromised, &archive.KeyAct{KeyID: a.id(key), Since: archive.Second{Time: since}, Reason: "found on a laptop"}
	}
}

func retired(key string, since time.Time) makeAct {
	return func(a *Archive) (string, archive.Act) {
		return archive.ActKeyRetired, &archive.KeyAct{KeyID: a.id(key), Since: archive.Second{Time: since}, Reason: "rotated"}
	}
}

// countersigned signs the last heads of streams of the gateway key anew.
func countersigned(streams ...string) makeAct { return countersignedFor(GatewayKey, streams...) }

// countersignedFor signs the last heads of streams anew, for a key or an authority.
func countersignedFor(key string, streams ...string) makeAct {
	return func(a *Archive) (string, archive.Act) {
		act := &archive.Countersigned{KeyID: a.id(key), Reason: "compared with another copy"}
		for _, name := range streams {
			h := a.Streams[name].head()
			act.Heads = append(act.Heads, archive.CountersignedHead{Stream: h.Stream, Sequence: h.Sequence, SHA256: h.SHA256})
		}
		slices.SortFunc(act.Heads, func(x, y archive.CountersignedHead) int { return cmp.Compare(x.Stream, y.Stream) })
		return archive.ActCountersigned, act
	}
}

// acknowledge hides a manifest of payments-a behind a delete marker and records in a stream that this is known; other
// moves the acknowledgement to another manifest.
func acknowledge(stream string, other int) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		key := a.Manifest(PaymentsA, 1).Key
		version, err := t.DeleteMarker(key)
		if err != nil {
			return "", "", err
		}
		_, _, err = record(stream, func(a *Archive) (string, archive.Act) {
			return archive.ActAcknowledged, &archive.Acknowledged{
				Code: string(archive.CodeDeleteMarker), Key: a.Manifest(PaymentsA, 1+other).Key, VersionID: version, Reason: "a slip"}
		})(t, a)
		return key, version, err
	}
}

func heldGateway(a *Archive) (string, archive.Act) {
	return archive.ActHoldPlaced, &archive.HoldPlaced{
		Case: "case-3", Streams: []string{a.Streams[GatewayB].Name.String()}, From: archive.Instant{Time: at("11-21 09:30")},
		To: archive.Instant{Time: at("11-22 00:00")}, Reason: "subpoena"}
}

// Parts of a disposed stream that are gone.
func everything(s *Stream) []RawVersion { return s.objects() }
func nothing(*Stream) []RawVersion      { return nil }
func segmentsOnly(s *Stream) (gone []RawVersion) {
	for _, o := range s.objects() {
		if o.Key != s.Manifests[0].Key && o.Key != s.Manifests[1].Key {
			gone = append(gone, o)
		}
	}
	return gone
}

// dispose adds a stream of the year before, which has expired, and records that it is disposed of; gone is what is deleted.
func dispose(gone func(*Stream) []RawVersion) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		opened := at("10-01 06:00").AddDate(-1, 0, 0)
		for _, o := range []RawVersion{a.anchors[archive.GenesisKey], a.anchors[archive.RecordKey(a.Keys[GatewayKey].ID)]} {
			if err := t.SetLastModified(o.Key, o.VersionID, opened.AddDate(0, -1, 0)); err != nil {
				return "", "", err
			}
		}
		p := a.stream("expired", "gateway", GatewayKey, opened, false, "none")
		p.add(opened.Add(time.Hour), entries(2))
		p.add(opened.Add(2*time.Hour), entries(2)).Final = true
		if err := sealAll(p); err != nil {
			return "", "", err
		}
		if err := insert(t, p.objects()...); err != nil {
			return "", "", err
		}
		if _, _, err := record(CustodianA, disposed(p.Stream))(t, a); err != nil {
			return "", "", err
		}
		return p.Name.ManifestPrefix(), "", swap(t, gone(p.Stream), nil)
	}
}

func disposed(s *Stream) makeAct {
	return func(*Archive) (string, archive.Act) {
		h := s.headState()
		act := &archive.Disposed{Stream: h.Stream, Size: h.Size, Root: h.Root, Manifest: h.Manifest, Reason: "expired"}
		for _, o := range s.objects() {
			act.Objects = append(act.Objects, archive.DisposedObject{
				Key: o.Key, VersionID: o.VersionID, SHA256: sha256.Sum256(o.Body), RetainUntil: archive.Second{Time: o.Lock.RetainUntil}})
		}
		return archive.ActDisposed, act
	}
}

// runClasses leave the archive as it is, or let it grow: what matters is what the verifier may see, and what it is given.
var runClasses = []Class{
	{"untouched", untouched},
	{"untouched-tail-pinned", untouched},
	{"untouched-unpinned", untouched},
	{"grown-since-the-pin", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.resume(GatewayB)
		before := len(p.objects())
		m := p.add(at("11-22 09:00"), entries(2))
		if err := sealAll(p); err != nil {
			return "", "", err
		}
		return m.Key, m.VersionID, insert(t, p.objects()[before:]...)
	}},
	{"listing-denied", deny(ListBucketVersions, "")},
	{"listing-of-keys-denied", deny(ListBucketVersions, "keys/")},
	{"listing-of-manifests-denied", deny(ListBucketVersions, "manifests/")},
	{"listing-of-manifests-denied-and-tail-pinned", deny(ListBucketVersions, "manifests/")},
	{"listing-of-manifests-denied-and-receipt-given", deny(ListBucketVersions, "manifests/")},
	{"listing-of-segments-denied", deny(ListBucketVersions, "segments/")},
	{"genesis-unreadable", deny(GetObject, archive.GenesisKey)},
	{"key-records-unreadable", deny(GetObject, "keys/")},
	{"manifests-unreadable", deny(GetObject, "manifests/2026-11-18/")},
	{"manifests-unreadable-and-tail-pinned", deny(GetObject, "manifests/2026-11-18/")},
	{"segments-unreadable", deny(GetObject, "segments/date=2026-11-21/")},
	{"retention-hidden", deny(GetObjectRetention, "segments/date=2026-11-21/")},
	{"retention-of-everything-hidden", deny(GetObjectRetention, "")},
	{"hold-hidden", deny(GetObjectLegalHold, "segments/")},
	{"lock-settings-hidden", deny(GetBucketObjectLockConfiguration, "")},
	{"versioning-hidden", deny(GetBucketVersioning, "")},
	{"lifecycle-hidden", deny(GetLifecycleConfiguration, "")},
	{"pages-reversed", misorder(PagesReversed)},
	{"listing-oldest-first", misorder(OldestFirst)},
	{"hmac-keys-not-given", untouched},
	{"hmac-keys-not-given-and-required", untouched},
	{"hmac-keys-of-another-log", untouched},
	{"writer-key-not-rotated", untouched},
	{"writer-key-about-to-be-rotated", untouched},
	{"writer-key-not-rotated-and-retired", record(AuthorityA, retired(GatewayKey, at("11-22 10:30")))},
	{"receipt-kept", untouched},
	{"receipt-without-entry", untouched},
	{"receipt-without-stream", untouched},
	{"receipt-that-differs", untouched},
	{"receipt-edited", untouched},
	{"receipt-of-another-log", untouched},
	{"line-kept", untouched},
	{"line-edited", untouched},
	{"line-without-entry", untouched},
}

func deny(action Action, prefix string) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, _ *Archive) (string, string, error) {
		t.Deny(action, prefix)
		return "", "", nil
	}
}

func misorder(order Misorder) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, _ *Archive) (string, string, error) {
		t.Misorder(order)
		return "", "", nil
	}
}
