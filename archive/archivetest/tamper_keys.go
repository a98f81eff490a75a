package archivetest

import (
	"bytes"
	"fmt"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// genesisClasses are about log.json.
var genesisClasses = []Class{
	{"genesis-changed", func(t Tamperer, a *Archive) (string, string, error) {
		return anchorBytes(t, a, archive.GenesisKey, bytes.Replace(a.Log.Bytes, []byte(`"days":365`), []byte(`"days":366`), 1))
	}},
	{"genesis-format-edited", func(t Tamperer, a *Archive) (string, string, error) {
		return anchorBytes(t, a, archive.GenesisKey, bytes.Replace(a.Log.Bytes, []byte(archive.Format), []byte("wormlog/v9"), 1))
	}},
	{"genesis-removed", func(t Tamperer, a *Archive) (string, string, error) {
		o := a.anchors[archive.GenesisKey]
		return o.Key, o.VersionID, t.DeleteVersion(o.Key, o.VersionID)
	}},
	{"genesis-gone-but-for-a-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		o := a.anchors[archive.GenesisKey]
		version, err := t.DeleteMarker(o.Key)
		if err != nil {
			return "", "", err
		}
		return o.Key, version, t.DeleteVersion(o.Key, o.VersionID)
	}},
	{"genesis-under-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		version, err := t.DeleteMarker(archive.GenesisKey)
		return archive.GenesisKey, version, err
	}},
	{"genesis-overlaid", otherGenesis(Newest)},
	{"genesis-underlaid", otherGenesis(Oldest)},
	{"genesis-with-decomposed-origin", foreignOrigin("example.com/cafe\u0301")},
	{"genesis-with-composed-origin", foreignOrigin("example.com/caf\u00e9")},
	{"forged-log-under-the-same-origin", forgedLog},
	{"forged-log-unpinned", forgedLog},
	{"wrong-log-id-pinned", untouched},
}

func untouched(Tamperer, *Archive) (string, string, error) { return "", "", nil }

func anchorBytes(t Tamperer, a *Archive, key string, b []byte) (string, string, error) {
	o := a.anchors[key]
	return key, o.VersionID, t.ReplaceBody(key, o.VersionID, b, true)
}

// otherGenesis puts the log.json of a forged log under the same origin beside the real one.
func otherGenesis(at int) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		other, err := NewOtherArchive(a.home)
		if err != nil {
			return "", "", err
		}
		return overlay(t, archive.GenesisKey, other.Log.Bytes, at, a.anchors[archive.GenesisKey].Lock)
	}
}

// foreignOrigin has genesis name an origin that Unicode normalisation could turn into another, rightly signed.
func foreignOrigin(origin string) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		line := lineobject.FirstLine(a.Log.Bytes)
		line = bytes.Replace(line, []byte(a.Log.Origin), []byte(origin), 1)
		online, err := a.authority(archive.OnlineAuthority)
		if err != nil {
			return "", "", err
		}
		b, err := signedLine(keys.KindGenesis, keys.LogID(lineobject.HexDigest(line)), line, online.Signer())
		if err != nil {
			return "", "", err
		}
		return anchorBytes(t, a, archive.GenesisKey, b)
	}
}

func signedLine(kind keys.Kind, log keys.LogID, line []byte, by keys.Signer) ([]byte, error) {
	signature, err := by.Sign(keys.LineMessage(kind, log, by.KeyID(), line))
	return lineobject.Object{Line: line, KeyID: string(by.KeyID()), Signature: signature}.Bytes(), err
}

// forgedLog replaces everything by another log that is right in itself.
func forgedLog(t Tamperer, a *Archive) (string, string, error) {
	other, err := NewOtherArchive(a.home)
	if err != nil {
		return "", "", err
	}
	o := other.anchors[archive.GenesisKey]
	return o.Key, o.VersionID, swap(t, a.Objects(), other.Objects())
}

// recordClasses are about key records.
var recordClasses = []Class{
	{"key-record-changed", func(t Tamperer, a *Archive) (string, string, error) {
		k := a.Keys[GatewayKey]
		return anchorBytes(t, a, archive.RecordKey(k.ID), bytes.Replace(k.Bytes, []byte("gateway.*"), []byte("gateway-2.*"), 1))
	}},
	{"key-record-format-edited", func(t Tamperer, a *Archive) (string, string, error) {
		k := a.Keys[GatewayKey]
		return anchorBytes(t, a, archive.RecordKey(k.ID), bytes.Replace(k.Bytes, []byte(archive.Format), []byte("wormlog/v9"), 1))
	}},
	{"key-record-signature-replaced", func(t Tamperer, a *Archive) (string, string, error) {
		b, err := a.resignRecord(a.Keys[GatewayKey].Record, "somebody")
		if err != nil {
			return "", "", err
		}
		return anchorBytes(t, a, archive.RecordKey(a.Keys[GatewayKey].ID), b)
	}},
	{"key-record-overlaid", func(t Tamperer, a *Archive) (string, string, error) {
		return overlay(t, archive.RecordKey(a.Keys[GatewayKey].ID), a.Keys[Payments2].Bytes, Newest, archive.Lock{})
	}},
	{"key-record-underlaid", func(t Tamperer, a *Archive) (string, string, error) {
		return overlay(t, archive.RecordKey(a.Keys[GatewayKey].ID), []byte("other"), Oldest, archive.Lock{})
	}},
	{"key-record-under-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		key := archive.RecordKey(a.Keys[GatewayKey].ID)
		version, err := t.DeleteMarker(key)
		return key, version, err
	}},
	{"key-record-gone-but-for-a-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		o := a.anchors[archive.RecordKey(a.Keys[GatewayKey].ID)]
		version, err := t.DeleteMarker(o.Key)
		if err != nil {
			return "", "", err
		}
		return o.Key, version, t.DeleteVersion(o.Key, o.VersionID)
	}},
	{"key-record-removed", removeRecord(GatewayKey)},
	{"key-record-removed-that-an-act-names", removeRecord(Payments1)},
	{"key-record-dated-after-its-use", func(t Tamperer, a *Archive) (string, string, error) {
		o := a.anchors[archive.RecordKey(a.Keys[GatewayKey].ID)]
		return o.Key, o.VersionID, t.SetLastModified(o.Key, o.VersionID, at("11-19 00:00"))
	}},
	{"key-record-not-signed-by-an-authority", func(t Tamperer, a *Archive) (string, string, error) {
		return a.smuggleKey(t, keys.RoleWriter, "gateway.*", "gateway", "somebody")
	}},
	{"authority-record-signed-by-the-online-key", func(t Tamperer, a *Archive) (string, string, error) {
		return a.smuggleKey(t, keys.RoleAuthority, "authority.*", "authority", archive.OnlineAuthority)
	}},
	{"key-record-of-another-log", func(t Tamperer, a *Archive) (string, string, error) {
		other, err := NewOtherArchive(a.home)
		if err != nil {
			return "", "", err
		}
		o := other.anchors[archive.RecordKey(other.Keys[GatewayKey].ID)]
		return o.Key, o.VersionID, insert(t, o)
	}},
}

func removeRecord(name string) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		o := a.anchors[archive.RecordKey(a.Keys[name].ID)]
		return o.Key, o.VersionID, t.DeleteVersion(o.Key, o.VersionID)
	}
}

// resignRecord signs a key record with another authority's key, one of the log's or one that is none.
func (a *Archive) resignRecord(r keys.Record, authority string) ([]byte, error) {
	by, err := a.authority(authority)
	if err != nil {
		return nil, err
	}
	b, _, err := keys.SignRecord(r, by.Signer())
	return b, err
}

// smuggleKey puts a key record into the archive that the wrong authority signed, and a stream of that key beside it.
func (a *Archive) smuggleKey(t Tamperer, role keys.Role, streams, writer, authority string) (string, string, error) {
	by, err := a.authority(authority)
	if err != nil {
		return "", "", err
	}
	k, err := newKey(keys.Record{LogID: a.Log.ID, Role: role, Streams: streams, EntryAlgorithm: keys.AlgorithmEd25519}, "smuggled", by.Signer())
	if err != nil {
		return "", "", err
	}
	a.Keys["smuggled"] = k
	date := at("11-20 12:00")
	a.anchor(archive.RecordKey(k.ID), k.Bytes, archive.Retain(date, RetentionDays+180), date)
	p := a.stream("smuggled", writer, "smuggled", date, false, "none")
	if role == keys.RoleAuthority {
		p.act(date, made{archive.ActKeyCompromised, &archive.KeyAct{
			KeyID: a.Keys[GatewayKey].ID, Since: archive.Second{Time: at("11-18 00:00")}, Reason: "slander"}})
	} else {
		p.add(date, entries(2))
	}
	p.Manifests[0].Final = true
	if err := sealAll(p); err != nil {
		return "", "", err
	}
	o := a.anchors[archive.RecordKey(k.ID)]
	return o.Key, o.VersionID, insert(t, append(p.objects(), o)...)
}

// signerClasses have manifests signed by a key that must not sign them.
var signerClasses = []Class{
	{"manifest-signed-by-unknown-key", forgeTail(PaymentsC, func(a *Archive, m *Manifest) error {
		signer, _ := newStreamKey("unknown")
		m.Signer = signer
		return nil
	})},
	{"manifest-signed-by-key-without-record", forgeTail(GatewayA, func(a *Archive, m *Manifest) error {
		signer, _ := newStreamKey("unknown")
		m.Signer = signer
		return nil
	})},
	{"stream-signed-by-unknown-key", forgeStream(func(a *Archive) (*Key, error) {
		by, err := a.authority("nobody")
		if err != nil {
			return nil, err
		}
		return newKey(keys.Record{LogID: a.Log.ID, Role: keys.RoleWriter, Streams: "payments.*", EntryAlgorithm: keys.AlgorithmEd25519}, "unknown", by.Signer())
	}, "payments")},
	{"stream-signed-by-key-of-another-writer", forgeStream(keyNamed(GatewayKey), "payments")},
	{"stream-signed-by-key-of-wrong-role", forgeStream(keyNamed(CustodianKey), "payments")},
	{"authority-stream-signed-by-writer-key", forgeStream(keyNamed(GatewayKey), "authority")},
	{"manifest-signed-by-key-of-wrong-role", forgeTail(GatewayA, func(a *Archive, m *Manifest) error {
		m.Signer = a.Keys[CustodianKey].Signing.Signer()
		return nil
	})},
	{"manifest-signed-by-key-of-another-writer", forgeTail(GatewayA, func(a *Archive, m *Manifest) error {
		m.Signer = a.Keys[Payments2].Signing.Signer()
		return nil
	})},
	{"manifest-signed-by-authority-itself", forgeTail(GatewayA, func(a *Archive, m *Manifest) error {
		by, err := a.authority(archive.OnlineAuthority)
		if err == nil {
			m.Signer = by.Signer()
		}
		return err
	})},
	{"manifest-signed-past-the-stream-key", forgeTail(PaymentsC, func(a *Archive, m *Manifest) error {
		m.Signer = a.Keys[Payments2].Signing.Signer()
		return nil
	})},
	{"stream-extended-past-the-stream-key", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.resume(GatewayB)
		m := p.add(at("11-22 09:00"), entries(2))
		m.Signer = p.key.Signing.Signer()
		if err := sealAll(p); err != nil {
			return "", "", err
		}
		return m.Key, m.VersionID, insert(t, p.objects()[len(p.objects())-2:]...)
	}},
	{"manifest-signed-in-wrong-domain", forgeTail(PaymentsC, func(a *Archive, m *Manifest) error {
		m.Sign = func(line []byte) []byte {
			signature, _ := m.Signer.Sign(keys.LineMessage(keys.KindReceipt, a.Log.ID, m.Signer.KeyID(), line))
			return signature
		}
		return nil
	})},
	{"manifest-signed-for-another-log", forgeTail(PaymentsC, func(a *Archive, m *Manifest) error {
		m.Sign = func(line []byte) []byte {
			signature, _ := m.Signer.Sign(keys.LineMessage(keys.KindManifest, keys.LogID(fmt.Sprintf("%064d", 0)), m.Signer.KeyID(), line))
			return signature
		}
		return nil
	})},
	{"manifest-naming-another-log", forgeTail(PaymentsC, func(a *Archive, m *Manifest) error {
		m.Edit = func(b *archive.Manifest) { b.LogID = keys.LogID(fmt.Sprintf("%064d", 0)) }
		return nil
	})},
}

func keyNamed(name string) func(a *Archive) (*Key, error) {
	return func(a *Archive) (*Key, error) { return a.Keys[name], nil }
}

// forgeTail has the last manifest of a stream made in another way.
func forgeTail(stream string, change func(a *Archive, m *Manifest) error) func(t Tamperer, a *Archive) (string, string, error) {
	return forgeManifest(stream, -1, change)
}

// forgeManifest has one manifest made in another way, and those after it to fit; -1 is the last one.
func forgeManifest(stream string, n int, change func(a *Archive, m *Manifest) error) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		all := a.Streams[stream].Manifests
		if n < 0 {
			n = len(all) - 1
		}
		var wrong error
		err := a.Forge(t, stream, func(*Stream) { wrong = change(a, all[n]) })
		if wrong != nil {
			err = wrong
		}
		return all[n].Key, all[n].VersionID, err
	}
}

// forgeStream adds a new stream of a writer that is signed by some key.
func forgeStream(key func(a *Archive) (*Key, error), writer string) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		k, err := key(a)
		if err != nil {
			return "", "", err
		}
		a.Keys["forger"] = k
		p := a.stream("forged", writer, "forger", at("11-22 10:00"), false, "none")
		p.add(at("11-22 10:10"), entries(2)).Final = true
		if err := sealAll(p); err != nil {
			return "", "", err
		}
		m := p.Manifests[0]
		return m.Key, m.VersionID, insert(t, p.objects()...)
	}
}
