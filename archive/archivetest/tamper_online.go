package archivetest

import (
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// tamper is what a [Class] does.
type tamper = func(t Tamperer, a *Archive) (key, version string, err error)

// onlineClasses are about an archive whose online authority was replaced, see [Archive.Succeed].
var onlineClasses = []Class{
	{"online-key-replaced", succeeded(untouched)},
	{"online-key-replaced-in-a-copy", succeeded(untouched)},
	{"online-key-record-changed", succeeded(func(t Tamperer, a *Archive) (string, string, error) {
		return anchorBytes(t, a, archive.RecordKey(a.id(OnlineKey)), flip(a.Keys[OnlineKey].Bytes))
	})},
	{"online-key-record-signature-replaced", succeeded(resign(OnlineKey, "somebody"))},
	{"online-key-record-removed", succeeded(removeRecord(OnlineKey))},
	{"online-key-record-removed-that-an-act-names", succeeded(both(
		record(AuthorityA, retired(OnlineKey, at("11-22 11:00"))), removeRecord(OnlineKey)))},
	{"online-key-record-gone-but-for-a-delete-marker", succeeded(both(removeRecord(OnlineKey), markRecord(OnlineKey)))},
	{"online-key-record-under-delete-marker", succeeded(markRecord(OnlineKey))},
	{"online-key-record-overlaid", succeeded(func(t Tamperer, a *Archive) (string, string, error) {
		return overlay(t, archive.RecordKey(a.id(OnlineKey)), a.Keys[GatewayKey].Bytes, Newest, archive.Lock{})
	})},
	{"online-key-record-unreadable", succeeded(func(t Tamperer, a *Archive) (string, string, error) {
		return deny(GetObject, archive.RecordKey(a.id(OnlineKey)))(t, a)
	})},
	{"online-key-record-dated-after-what-it-vouched-for", succeeded(func(t Tamperer, a *Archive) (string, string, error) {
		o := a.anchors[archive.RecordKey(a.id(OnlineKey))]
		return o.Key, o.VersionID, t.SetLastModified(o.Key, o.VersionID, at("11-21 00:20"))
	})},
	{"online-key-record-unlocked", succeeded(lockAnchor(recordAnchor(OnlineKey), archive.Lock{}))},
	{"online-key-record-lock-due", succeeded(lockAnchor(recordAnchor(OnlineKey), locked(at("12-01 00:00"))))},
	{"online-key-record-lock-lapsed", succeeded(lockAnchor(recordAnchor(OnlineKey), locked(at("11-21 12:00"))))},
	{"online-key-record-hold-missing", succeeded(func(t Tamperer, a *Archive) (string, string, error) {
		for _, o := range append(a.Streams[OrdersA].objects(), a.anchors[archive.RecordKey(a.id(OrdersKey))]) {
			o.Lock.LegalHold = true
			if err := t.SetLock(o.Key, o.VersionID, o.Lock); err != nil {
				return "", "", err
			}
		}
		if _, _, err := record(CustodianA, heldOrders)(t, a); err != nil {
			return "", "", err
		}
		o := a.anchors[archive.RecordKey(a.id(OnlineKey))]
		return o.Key, o.VersionID, nil
	})},
	{"key-record-signature-by-online-key-replaced", succeeded(resign(OrdersKey, "somebody"))},
	{"key-record-signature-by-online-key-broken", succeeded(func(t Tamperer, a *Archive) (string, string, error) {
		k := a.Keys[OrdersKey]
		by, err := a.signerNamed(OnlineKey)
		if err != nil {
			return "", "", err
		}
		b, _, err := keys.SignRecord(k.Record, misnamed{a.Keys[GatewayKey].Signing.Signer(), by.KeyID()})
		if err != nil {
			return "", "", err
		}
		return anchorBytes(t, a, archive.RecordKey(k.ID), b)
	})},
}

// misnamed signs with one key in the name of another.
type misnamed struct {
	keys.Signer
	id keys.ID
}

func (m misnamed) KeyID() keys.ID { return m.id }

// stolenClasses use keys for what they must not do. None has an effect, whatever else is found.
var stolenClasses = []Class{
	{"key-record-signed-by-writer-key", minted("smuggled", keys.RoleWriter, "payments", GatewayKey)},
	{"key-record-signed-by-custodian-key", minted("smuggled", keys.RoleWriter, "payments", CustodianKey)},
	{"key-record-signed-by-acts-key", minted("smuggled", keys.RoleWriter, "payments", AuthorityKey)},
	{"key-record-signed-by-recovery", minted("smuggled", keys.RoleWriter, "payments", archive.RecoveryAuthority)},
	{"custodian-record-signed-by-writer-key", minted("smuggled", keys.RoleCustodian, "custodian", GatewayKey)},
	{"online-record-signed-by-the-online-authority", mintedChain(archive.OnlineAuthority)},
	{"online-record-signed-by-acts-key", mintedChain(AuthorityKey)},
	{"online-record-signed-by-online-key", succeeded(mintedChain(OnlineKey))},
	{"authority-record-signed-by-online-key", succeeded(minted("smuggled", keys.RoleAuthority, "authority", OnlineKey))},
	{"key-record-signed-by-key-that-an-online-key-vouched-for", succeeded(minted("smuggled", keys.RoleWriter, "payments", OrdersKey))},
	{"key-records-that-sign-each-other", func(t Tamperer, a *Archive) (string, string, error) {
		one, err := a.circle("circle-1", "circle-2")
		if err != nil {
			return "", "", err
		}
		other, err := a.circle("circle-2", "circle-1")
		if err != nil {
			return "", "", err
		}
		return one.Key, one.VersionID, insert(t, one, other)
	}},
	{"stream-signed-by-online-key", succeeded(forgeStream(keyNamed(OnlineKey), "orders"))},
	{"authority-stream-signed-by-online-key", succeeded(forgeActs(OnlineKey, "authority", compromised(GatewayKey, at("11-18 00:00"))))},
	{"stream-named-online", succeeded(func(t Tamperer, a *Archive) (string, string, error) {
		key, version, err := forgeStream(keyNamed(OnlineKey), "online")(t, a)
		if err != nil {
			return "", "", err
		}
		control := a.anchors[archive.RecordKey(a.id(OnlineKey))]
		control.Key = "control/online/" + key
		control.LastModified = at("11-22 10:10")
		return key, version, insert(t, control)
	})},
	{"attestation-signed-by-writer-key", func(t Tamperer, a *Archive) (string, string, error) {
		attestation, err := a.attestation()
		if err != nil {
			return "", "", err
		}
		return forgeActs(GatewayKey, "verifier", func(*Archive) (string, archive.Act) { return archive.ActAttestation, attestation })(t, a)
	}},
	{"hold-released-by-writer-key", both(
		lock(segmentPart(PaymentsA, 1, 1), locked(at("11-20 00:00").AddDate(1, 0, 0))),
		forgeActs(GatewayKey, "custodian", func(*Archive) (string, archive.Act) {
			return archive.ActHoldReleased, &archive.HoldReleased{Case: "case-1", Reason: "settled"}
		}))},
	{"hold-placed-by-writer-key", forgeActs(GatewayKey, "custodian", heldGateway)},
	{"finding-acknowledged-by-writer-key", acknowledgedBy(GatewayKey)},
	{"finding-acknowledged-by-custodian-key", acknowledgedBy(CustodianKey)},
	{"policy-lowered-by-writer-key", forgeActs(GatewayKey, "authority", func(*Archive) (string, archive.Act) {
		return archive.ActPolicyChanged, &archive.PolicyChanged{Retention: archive.RetentionPolicy{Days: 3000, MaxDays: 3650}, Reason: "rule"}
	})},
	{"countersigned-by-the-compromised-key", both(
		record(AuthorityA, compromised(GatewayKey, at("11-18 07:30"))),
		forgeActs(GatewayKey, "authority", countersigned(GatewayA, GatewayB)))},
}

// authorityClasses declare authorities compromised: what they vouched for since then does not count.
var authorityClasses = []Class{
	{"online-authority-compromised-after-all-records", record(AuthorityA, compromised(archive.OnlineAuthority, at("11-21 00:00")))},
	{"online-authority-compromised-before-a-record", record(AuthorityA, compromised(archive.OnlineAuthority, at("11-19 00:00")))},
	{"online-authority-compromised-and-countersigned", record(AuthorityA, compromised(archive.OnlineAuthority, at("11-19 00:00")),
		countersignedFor(archive.OnlineAuthority, PaymentsA, PaymentsB, PaymentsC))},
	{"online-authority-compromised-and-countersigned-for-the-key", record(AuthorityA, compromised(archive.OnlineAuthority, at("11-19 00:00")),
		countersignedFor(Payments2, PaymentsA, PaymentsB, PaymentsC))},
	{"online-authority-and-key-compromised-and-countersigned-for-the-authority", record(AuthorityA,
		compromised(archive.OnlineAuthority, at("11-19 00:00")), compromised(Payments2, at("11-19 00:00")),
		countersignedFor(archive.OnlineAuthority, PaymentsA, PaymentsB, PaymentsC))},
	{"online-authority-compromised-and-key-minted", both(
		minted("minted", keys.RoleWriter, "payments", archive.OnlineAuthority),
		record(AuthorityA, compromised(archive.OnlineAuthority, at("11-20 11:00"))))},
	{"online-authority-compromised-and-custodian-minted", both(
		lock(segmentPart(PaymentsA, 1, 1), locked(at("11-20 00:00").AddDate(1, 0, 0))),
		minted("minted", keys.RoleCustodian, "custodian", archive.OnlineAuthority),
		record(AuthorityA, compromised(archive.OnlineAuthority, at("11-20 11:00"))))},
	{"online-authority-compromised-in-a-copy", record(AuthorityA, compromised(archive.OnlineAuthority, at("11-21 00:00")),
		countersignedFor(archive.OnlineAuthority, PaymentsA))},
	{"online-authority-compromised-and-countersigned-in-a-copy", record(AuthorityA, compromised(archive.OnlineAuthority, at("11-21 00:00")),
		countersignedFor(archive.OnlineAuthority, PaymentsA, PaymentsB, PaymentsC, GatewayA, GatewayB, CustodianA, VerifierA))},
	{"online-key-compromised", succeeded(record(AuthorityA, compromised(OnlineKey, at("11-21 00:05"))))},
	{"online-key-compromised-later", succeeded(record(AuthorityA, compromised(OnlineKey, at("11-22 00:00"))))},
	{"recovery-compromised", succeeded(record(AuthorityA, compromised(archive.RecoveryAuthority, at("11-20 23:00"))))},
	{"recovery-compromised-later", succeeded(record(AuthorityA, compromised(archive.RecoveryAuthority, at("11-22 00:00"))))},
	{"recovery-slandered-by-a-stolen-acts-key", both(
		forgeActsAt(at("11-22 08:00"), AuthorityKey, "authority", compromised(archive.RecoveryAuthority, at("10-01 00:00"))),
		anotherActsKey(compromised(AuthorityKey, at("11-22 07:00"))))},
	{"recovery-compromised-and-acts-key-minted", both(
		minted("minted", keys.RoleAuthority, "authority", archive.RecoveryAuthority),
		record(AuthorityA, compromised(archive.RecoveryAuthority, at("11-20 11:00"))))},
	{"acts-key-compromised-in-a-copy", both(
		record(AuthorityA, compromised(GatewayKey, at("11-18 07:30")), countersignedFor(GatewayKey, GatewayA, GatewayB)),
		anotherActsKey(compromised(AuthorityKey, at("11-22 00:00"))))},
	{"acts-key-compromised-and-countersigned-in-a-copy", both(
		record(AuthorityA, compromised(GatewayKey, at("11-18 07:30")), countersignedFor(GatewayKey, GatewayA, GatewayB)),
		anotherActsKey(compromised(AuthorityKey, at("11-22 00:00")), countersignedFor(AuthorityKey, AuthorityA)))},
}

// both does one thing after another, and is about the last.
func both(steps ...tamper) tamper {
	return func(t Tamperer, a *Archive) (key, version string, err error) {
		for _, step := range steps {
			if key, version, err = step(t, a); err != nil {
				return "", "", err
			}
		}
		return key, version, nil
	}
}

// succeeded replaces the online authority first.
func succeeded(then tamper) tamper {
	return func(t Tamperer, a *Archive) (string, string, error) {
		objects, err := a.Succeed()
		if err == nil {
			err = insert(t, objects...)
		}
		if err != nil {
			return "", "", err
		}
		return then(t, a)
	}
}

func resign(name, by string) tamper {
	return func(t Tamperer, a *Archive) (string, string, error) {
		b, err := a.resignRecord(a.Keys[name].Record, by)
		if err != nil {
			return "", "", err
		}
		return anchorBytes(t, a, archive.RecordKey(a.id(name)), b)
	}
}

func markRecord(name string) tamper {
	return func(t Tamperer, a *Archive) (string, string, error) {
		key := archive.RecordKey(a.id(name))
		version, err := t.DeleteMarker(key)
		return key, version, err
	}
}

func heldOrders(a *Archive) (string, archive.Act) {
	return archive.ActHoldPlaced, &archive.HoldPlaced{
		Case: "case-3", Streams: []string{"orders.*"}, From: archive.Instant{Time: at("11-21 00:00")},
		To: archive.Instant{Time: at("11-22 00:00")}, Reason: "subpoena"}
}

// minted publishes a key whose record somebody signed, dated 2026-11-20 12:00, and a stream of it: one that slanders,
// acknowledges and releases as far as the role has such acts.
func minted(name string, role keys.Role, writer, by string) tamper {
	return func(t Tamperer, a *Archive) (string, string, error) {
		signer, err := a.signerNamed(by)
		if err != nil {
			return "", "", err
		}
		o, err := a.mint(name, role, writer+".*", signer, at("11-20 12:00"))
		if err == nil {
			err = insert(t, o)
		}
		if err != nil {
			return "", "", err
		}
		switch role {
		case keys.RoleAuthority:
			_, _, err = acknowledgedBy(name)(t, a)
		case keys.RoleCustodian:
			_, _, err = forgeActs(name, writer, func(*Archive) (string, archive.Act) {
				return archive.ActHoldReleased, &archive.HoldReleased{Case: "case-1", Reason: "settled"}
			})(t, a)
		default:
			_, _, err = forgeStream(keyNamed(name), writer)(t, a)
		}
		return o.Key, o.VersionID, err
	}
}

// mintedChain publishes a record of role online that somebody signed, and what the new key vouches for.
func mintedChain(by string) tamper {
	return func(t Tamperer, a *Archive) (string, string, error) {
		signer, err := a.signerNamed(by)
		if err != nil {
			return "", "", err
		}
		o, err := a.mint("usurper", keys.RoleOnline, "online.*", signer, at("11-20 11:00"))
		if err == nil {
			err = insert(t, o)
		}
		if err != nil {
			return "", "", err
		}
		if _, _, err := minted("smuggled", keys.RoleWriter, "payments", "usurper")(t, a); err != nil {
			return "", "", err
		}
		return o.Key, o.VersionID, nil
	}
}

// circle makes the record of a writer's key that another such key signed, which need not be there.
func (a *Archive) circle(name, by string) (RawVersion, error) {
	signer, err := newKey(keys.Record{LogID: a.Log.ID, Role: keys.RoleWriter, Streams: "payments.*", EntryAlgorithm: keys.AlgorithmEd25519},
		a.label+" "+by, a.Keys[GatewayKey].Signing.Signer())
	if err != nil {
		return RawVersion{}, err
	}
	return a.mint(name, keys.RoleWriter, "payments.*", signer.Signing.Signer(), at("11-20 12:00"))
}

// forgeActs adds a stream of acts that a key signs, dated 2026-11-21 12:00.
func forgeActs(key, writer string, acts ...makeAct) tamper {
	return forgeActsAt(at("11-21 12:00"), key, writer, acts...)
}

func forgeActsAt(date time.Time, key, writer string, acts ...makeAct) tamper {
	return func(t Tamperer, a *Archive) (string, string, error) {
		p := a.stream("forged acts of "+key, writer, key, date, true, "none")
		for i, act := range acts {
			kind, data := act(a)
			p.act(date.Add(time.Duration(i+1)*time.Minute), made{kind, data})
		}
		p.Manifests[len(p.Manifests)-1].Final = true
		if err := sealAll(p); err != nil {
			return "", "", err
		}
		key, version := p.Manifests[0].place()
		return key, version, insert(t, p.objects()...)
	}
}

// acknowledgedBy hides a manifest behind a delete marker and has a key acknowledge that, as if it were the authority's.
func acknowledgedBy(key string) tamper {
	return func(t Tamperer, a *Archive) (string, string, error) {
		hidden := a.Manifest(PaymentsA, 1).Key
		version, err := t.DeleteMarker(hidden)
		if err != nil {
			return "", "", err
		}
		return forgeActs(key, "authority", func(*Archive) (string, archive.Act) {
			return archive.ActAcknowledged, &archive.Acknowledged{Code: string(archive.CodeDeleteMarker), Key: hidden, VersionID: version, Reason: "a slip"}
		})(t, a)
	}
}

// anotherActsKey records acts with a new key of role authority, rightly.
func anotherActsKey(acts ...makeAct) tamper {
	return func(t Tamperer, a *Archive) (string, string, error) {
		recovery, err := a.signerNamed(archive.RecoveryAuthority)
		if err != nil {
			return "", "", err
		}
		o, err := a.mint("authority-2", keys.RoleAuthority, "authority.*", recovery, at("11-22 09:00"))
		if err == nil {
			err = insert(t, o)
		}
		if err != nil {
			return "", "", err
		}
		return forgeActsAt(at("11-22 10:00"), "authority-2", "authority", acts...)(t, a)
	}
}
