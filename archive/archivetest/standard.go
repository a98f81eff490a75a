package archivetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// Archive is a whole archive in parts, with every secret: the same bytes, version IDs and dates every time it is made.
// Nothing in it was made by [archive.Writer]. It is not safe for concurrent use, but archives share nothing.
type Archive struct {
	Log     *archive.Log
	Now     time.Time // what the store's clock shows when it is verified
	Keys    map[string]*Key
	Streams map[string]*Stream

	home    archive.Home
	label   string
	anchors map[string]RawVersion // genesis and key records, by key
}

// Names of the keys and streams in [Archive.Keys] and [Archive.Streams]:
//
//   - payments-1 and payments-2 sign the entries of writer payments with HMACs; payments-1 was replaced, and retired when
//     payments-a was closed. gateway signs those of writer gateway with Ed25519. The others are for control streams.
//   - payments-a is closed, on hold, and has a stream key, a heartbeat and a segment with entries of two keys.
//     payments-b was given up without an end, and payments-c, which lives and has a heartbeat, continues it.
//   - gateway-a is closed, its retention was extended, and the record key signs all of it. gateway-b has a stream key, is
//     open, and declares no liveness.
//   - authority-a, custodian-a and verifier-a hold acts and one attestation.
const (
	Payments1    = "payments-1"
	Payments2    = "payments-2"
	GatewayKey   = "gateway"
	AuthorityKey = "authority"
	CustodianKey = "custodian"
	VerifierKey  = "verifier"

	PaymentsA  = "payments-a"
	PaymentsB  = "payments-b"
	PaymentsC  = "payments-c"
	GatewayA   = "gateway-a"
	GatewayB   = "gateway-b"
	AuthorityA = "authority-a"
	CustodianA = "custodian-a"
	VerifierA  = "verifier-a"
)

// RetentionDays is the policy of every [Archive].
const RetentionDays = 365

// at reads the standard archive's dates, which are all in 2026: at("11-22 12:00").
func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", "2026-"+s)
	if err != nil {
		panic(err) // a constant of this package
	}
	return t
}

// ArchiveNow is the time at which a standard archive is to be verified: its store's clock must show it.
var ArchiveNow = at("11-22 12:00")

// NewArchive makes the standard archive at home.
func NewArchive(home archive.Home) (*Archive, error) { return newArchive(home, "standard") }

// NewOtherArchive makes an archive under the same origin, with streams of the same names, that shares no key and no log ID
// with the standard one: what a forger makes who holds nothing, or simply another log.
func NewOtherArchive(home archive.Home) (*Archive, error) { return newArchive(home, "other") }

func newArchive(home archive.Home, label string) (*Archive, error) {
	a := &Archive{
		Now: ArchiveNow, Keys: map[string]*Key{}, Streams: map[string]*Stream{},
		home: home, label: label, anchors: map[string]RawVersion{},
	}
	for _, step := range []func() error{a.addGenesis, a.addKeys, a.addData, a.addControl} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("archivetest: making the standard archive: %w", err)
		}
	}
	return a, nil
}

func (a *Archive) authority(name string) (*keys.AuthorityKey, error) {
	return newAuthority(name, a.label+" authority "+name)
}

func (a *Archive) addGenesis() error {
	online, err := a.authority(archive.OnlineAuthority)
	if err != nil {
		return err
	}
	recovery, err := a.authority(archive.RecoveryAuthority)
	if err != nil {
		return err
	}
	created := at("10-01 00:00")
	a.Log, err = archive.NewLog(archive.Genesis{
		Origin: "example.com/audit", Nonce: fmt.Sprintf("%x", secret(a.label + " nonce")[:16]),
		Created: archive.Instant{Time: created}, Home: a.home,
		Authorities:      []keys.Authority{online.Authority(), recovery.Authority()},
		Retention:        archive.RetentionPolicy{Days: RetentionDays, MaxDays: 3650},
		HeartbeatSeconds: 3600,
	}, online)
	if err == nil {
		a.anchor(archive.GenesisKey, a.Log.Bytes, archive.Retain(created, 3650), created)
	}
	return err
}

// anchor puts genesis or a key record into its place.
func (a *Archive) anchor(key string, b []byte, until, date time.Time) {
	a.anchors[key] = object(key, a.version(key), b, locked(until), date)
}

func locked(until time.Time) archive.Lock {
	return archive.Lock{Mode: archive.Compliance, RetainUntil: until}
}

func (a *Archive) version(key string) string { return versionID(a.label+" "+a.home.Bucket, key, 0) }

// keyRole says how the standard archive's keys are recorded.
type keyRole struct {
	name      string
	role      keys.Role
	streams   string
	algorithm keys.Algorithm
	date      time.Time
}

func (a *Archive) addKeys() error {
	first := at("10-01 00:10")
	for _, r := range []keyRole{
		{Payments1, keys.RoleWriter, "payments.*", keys.AlgorithmHMACSHA256, first},
		{Payments2, keys.RoleWriter, "payments.*", keys.AlgorithmHMACSHA256, at("11-20 00:00")},
		{GatewayKey, keys.RoleWriter, "gateway.*", keys.AlgorithmEd25519, first},
		{AuthorityKey, keys.RoleAuthority, "authority.*", keys.AlgorithmEd25519, first},
		{CustodianKey, keys.RoleCustodian, "custodian.*", keys.AlgorithmEd25519, first},
		{VerifierKey, keys.RoleVerifier, "verifier.*", keys.AlgorithmEd25519, first},
	} {
		if err := a.addKey(r); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) addKey(r keyRole) error {
	by := archive.OnlineAuthority
	if r.role == keys.RoleAuthority {
		by = archive.RecoveryAuthority
	}
	signer, err := a.authority(by)
	if err != nil {
		return err
	}
	k, err := newKey(keys.Record{LogID: a.Log.ID, Role: r.role, Streams: r.streams, EntryAlgorithm: r.algorithm}, a.label+" "+r.name, signer.Signer())
	if err != nil {
		return err
	}
	a.Keys[r.name] = k
	a.anchor(archive.RecordKey(k.ID), k.Bytes, archive.Retain(r.date, RetentionDays+180), r.date)
	return nil
}

// extendedUntil is until when the retention of gateway-a was extended.
var extendedUntil = time.Date(2028, 6, 1, 0, 0, 0, 0, time.UTC)

func (a *Archive) addData() error {
	p := a.stream(PaymentsA, "payments", Payments1, at("11-19 22:00"), true, "heartbeat:3600")
	p.add(at("11-19 22:05"), entries(3))
	p.add(at("11-19 23:00"), entries(4), entries(2))
	p.add(at("11-20 00:00"))
	p.add(at("11-20 01:00"), entries(2, a.Keys[Payments1], a.Keys[Payments2]))
	p.add(at("11-20 01:30")).Final = true

	b := a.stream(PaymentsB, "payments", Payments2, at("11-20 01:30"), true, "heartbeat:3600")
	b.add(at("11-20 01:35"), entries(3))
	b.add(at("11-20 02:35"), entries(2))

	g := a.stream(GatewayA, "gateway", GatewayKey, at("11-18 06:00"), false, "none")
	g.add(at("11-18 06:10"), entries(3))
	g.add(at("11-18 07:00"), entries(2), entries(5))
	g.add(at("11-18 08:00"), entries(1)).Final = true

	h := a.stream(GatewayB, "gateway", GatewayKey, at("11-21 09:00"), true, "none")
	h.add(at("11-21 09:10"), entries(3))
	h.add(at("11-21 10:00"), entries(2))
	if err := sealAll(p, b, g, h); err != nil {
		return err
	}
	a.hold(p.Stream, Payments1, Payments2)
	a.extend(g.Stream)

	c := a.stream(PaymentsC, "payments", Payments2, at("11-20 04:00"), true, "heartbeat:3600")
	c.add(at("11-20 04:05"), entries(2))
	c.Manifests[0].Open.Continues = b.head()
	c.add(at("11-22 11:00"), entries(3))
	c.add(at("11-22 11:30"))
	return sealAll(c)
}

// hold switches the legal hold of a stream on: segments, manifests, the key records that vouch for them, genesis.
func (a *Archive) hold(s *Stream, names ...string) {
	for _, m := range s.Manifests {
		m.Lock.LegalHold = true
		for _, p := range m.Segments {
			p.Lock.LegalHold = true
		}
	}
	anchors := []string{archive.GenesisKey}
	for _, name := range names {
		anchors = append(anchors, archive.RecordKey(a.Keys[name].ID))
	}
	for _, key := range anchors {
		o := a.anchors[key]
		o.Lock.LegalHold = true
		a.anchors[key] = o
	}
}

// extend carries out the extension of a stream: segments, manifests, the key records that they name.
func (a *Archive) extend(s *Stream) {
	for _, m := range s.Manifests {
		m.Lock = locked(extendedUntil)
		for _, p := range m.Segments {
			p.Lock = locked(extendedUntil)
		}
	}
	record := a.anchors[archive.RecordKey(s.key.ID)]
	record.Lock = locked(extendedUntil)
	a.anchors[record.Key] = record
}

func (a *Archive) addControl() error {
	auth := a.stream(AuthorityA, "authority", AuthorityKey, at("11-20 02:00"), true, "none")
	auth.act(at("11-20 02:05"), made{archive.ActKeyRetired, &archive.KeyAct{
		KeyID: a.Keys[Payments1].ID, Since: archive.Second{Time: at("11-20 02:00")}, Reason: "rotated"}})

	c := a.stream(CustodianA, "custodian", CustodianKey, at("11-20 08:00"), true, "none")
	from, to := archive.Instant{Time: at("11-18 00:00")}, archive.Instant{Time: at("11-20 01:30")}
	hold := &archive.HoldPlaced{Case: "case-1", Streams: []string{"payments.*"}, From: from, To: to, Reason: "subpoena"}
	released := *hold
	released.Case, released.Streams = "case-2", []string{"gateway.*"}
	until := archive.Second{Time: extendedUntil}
	c.act(at("11-20 08:05"),
		made{archive.ActHoldPlaced, hold},
		made{archive.ActHoldPlaced, &released},
		made{archive.ActHoldReleased, &archive.HoldReleased{Case: "case-2", Reason: "settled"}},
		made{archive.ActRetentionExtending, &archive.RetentionExtending{
			Streams: []string{"gateway.*"}, From: from, To: to, RetainUntil: until, Reason: "audit"}},
		made{archive.ActRetentionExtended, &archive.RetentionExtended{
			Streams: []string{"gateway.*"}, From: from, To: to, RetainUntil: until, Objects: 9, Reason: "audit"}})
	c.act(at("11-20 08:10"), made{archive.ActRetentionExtending, &archive.RetentionExtending{
		Streams: []string{a.Streams[GatewayB].Name.String()}, From: from, To: archive.Instant{Time: at("11-22 00:00")},
		RetainUntil: until, Reason: "begun and not done yet"}})
	if err := sealAll(auth, c); err != nil {
		return err
	}
	attestation, err := a.attestation()
	if err != nil {
		return err
	}
	v := a.stream(VerifierA, "verifier", VerifierKey, at("11-22 11:40"), true, "none")
	v.act(at("11-22 11:45"), made{archive.ActAttestation, attestation})
	return sealAll(v)
}

func (a *Archive) attestation() (*archive.Attestation, error) {
	heads := a.Heads()
	root, err := archive.HeadsRoot(heads)
	return &archive.Attestation{
		Level: archive.LevelFull, SamplePercent: 100, Started: archive.Second{Time: at("11-22 11:40")},
		Finished: archive.Second{Time: at("11-22 11:41")}, HMAC: archive.HMACChecked, Verdict: archive.Intact, Snapshot: true,
		Log: archive.TreeState{Range: []archive.Hash{}}, Streams: uint64(len(heads)), HeadsRoot: root, Heads: heads,
		Findings: []archive.Finding{},
	}, err
}

// Heads are where the streams stand, ascending: what an untouched archive's verification reports.
func (a *Archive) Heads() (heads []archive.Head) {
	for _, s := range a.Streams {
		heads = append(heads, s.headState())
	}
	slices.SortFunc(heads, func(x, y archive.Head) int { return cmp.Compare(x.Stream, y.Stream) })
	return heads
}

// HeadFile pins the tail as it is in the untouched archive.
func (a *Archive) HeadFile() *archive.HeadFile {
	return &archive.HeadFile{Format: archive.Format, LogID: string(a.Log.ID), Taken: archive.Second{Time: a.Now}, Heads: a.Heads()}
}

// Receipt returns a receipt for entries of a stream, signed by its record key.
func (a *Archive) Receipt(stream string, change func(*archive.Receipt)) ([]byte, error) {
	s := a.Streams[stream]
	r := &archive.Receipt{LogID: a.Log.ID, Stream: s.Name.String(), IssuedAt: archive.Instant{Time: a.Now}, Durability: archive.Archived}
	for _, e := range s.Entries() {
		leaf, err := e.leaf()
		if err != nil {
			return nil, err
		}
		r.Receipts = append(r.Receipts, archive.ReceiptItem{ID: e.ID, Index: e.Index, Timestamp: archive.Instant{Time: e.Timestamp}, Leaf: leaf})
	}
	if change != nil {
		change(r)
	}
	return archive.SignReceipt(r, s.key.Signing.Signer())
}

// VerifyConfig is how the archive is to be verified: log ID pinned, HMACs checked.
func (a *Archive) VerifyConfig(store archive.Store, level archive.Level) archive.VerifyConfig {
	return archive.VerifyConfig{Store: store, LogID: a.Log.ID, RequirePin: true, Level: level, Copies: a, RequireHMAC: true}
}

// Objects are all objects of the archive as they lie in its bucket, keys ascending.
func (a *Archive) Objects() (all []RawVersion) {
	for _, o := range a.anchors {
		all = append(all, o)
	}
	for _, s := range a.Streams {
		all = append(all, s.objects()...)
	}
	slices.SortFunc(all, func(x, y RawVersion) int { return cmp.Compare(x.Key, y.Key) })
	return all
}

// Object is the archive's object under a key.
func (a *Archive) Object(key string) (RawVersion, bool) {
	for _, o := range a.Objects() {
		if o.Key == key {
			return o, true
		}
	}
	return RawVersion{}, false
}

// Put puts the archive into an empty store.
func (a *Archive) Put(t Tamperer) error {
	for _, o := range a.Objects() {
		if _, err := t.InsertVersion(o, Newest); err != nil {
			return err
		}
	}
	return nil
}

// stream begins a stream. Its ULID follows from the time and the label.
func (a *Archive) stream(name, writer, key string, opened time.Time, ownKey bool, liveness string) *plan {
	var id ulid.ULID
	if err := id.SetTime(ulid.Timestamp(opened)); err != nil {
		panic(err) // a constant of this package
	}
	if err := id.SetEntropy(secret("stream " + name)[:10]); err != nil {
		panic(err)
	}
	s := &Stream{Name: archive.StreamName{Writer: writer, ID: id}, log: a.Log.ID, key: a.Keys[key]}
	p := &plan{Stream: s, archive: a, open: &archive.Open{Liveness: liveness}, until: archive.Retain(opened.AddDate(0, 0, 8), RetentionDays)}
	if ownKey {
		s.own, p.open.StreamKey = newStreamKey(a.label + " " + name)
	}
	a.Streams[name] = s
	return p
}
