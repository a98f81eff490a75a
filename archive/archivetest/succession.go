package archivetest

import (
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// Names of the keys and the stream that [Archive.Succeed] adds.
const (
	OnlineKey = "online-2"
	OrdersKey = "orders"
	OrdersA   = "orders-a"
)

// Succeed adds what follows when the online authority is replaced: the record of a key of role online, signed by recovery,
// that of a key for writer orders, which the new key signed, and a closed stream of that writer. They are part of the
// archive afterwards; in a store that holds it already the objects returned are still to be inserted. The record of role
// online is the first of them.
func (a *Archive) Succeed() ([]RawVersion, error) {
	recovery, err := a.authority(archive.RecoveryAuthority)
	if err != nil {
		return nil, err
	}
	online, err := a.mint(OnlineKey, keys.RoleOnline, "online.*", recovery.Signer(), at("11-21 00:00"))
	if err != nil {
		return nil, err
	}
	writer, err := a.mint(OrdersKey, keys.RoleWriter, "orders.*", a.Keys[OnlineKey].Signing.Signer(), at("11-21 00:10"))
	if err != nil {
		return nil, err
	}
	p := a.stream(OrdersA, "orders", OrdersKey, at("11-21 01:00"), true, "none")
	p.add(at("11-21 01:05"), entries(3))
	p.add(at("11-21 02:00"), entries(2)).Final = true
	if err := sealAll(p); err != nil {
		return nil, err
	}
	return append([]RawVersion{online, writer}, p.objects()...), nil
}

// mint makes a key whose record somebody signs, whoever may, and puts that into the archive.
func (a *Archive) mint(name string, role keys.Role, streams string, by keys.Signer, date time.Time) (RawVersion, error) {
	k, err := newKey(keys.Record{LogID: a.Log.ID, Role: role, Streams: streams, EntryAlgorithm: keys.AlgorithmEd25519}, a.label+" "+name, by)
	if err != nil {
		return RawVersion{}, err
	}
	a.Keys[name] = k
	key := archive.RecordKey(k.ID)
	a.anchor(key, k.Bytes, archive.Retain(date, RetentionDays+180), date)
	return a.anchors[key], nil
}

// id is that of a key, or of an authority of genesis.
func (a *Archive) id(name string) keys.ID {
	if k := a.Keys[name]; k != nil {
		return k.ID
	}
	authority, _ := a.Log.Authority(name)
	return authority.ID()
}

// signerNamed is the signer of a key, or of an authority.
func (a *Archive) signerNamed(name string) (keys.Signer, error) {
	if k := a.Keys[name]; k != nil {
		return k.Signing.Signer(), nil
	}
	k, err := a.authority(name)
	if err != nil {
		return nil, err
	}
	return k.Signer(), nil
}
