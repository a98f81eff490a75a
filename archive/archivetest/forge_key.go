package archivetest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// Key is a signing key of an [Archive], with its secrets: what an adversary may have stolen.
type Key struct {
	ID      keys.ID
	Record  keys.Record
	Bytes   []byte // of the key record, as stored
	Signing *keys.SigningKey
	Copy    *keys.VerificationCopy // nil for keys that sign entries with Ed25519
}

// secret is 32 bytes that depend on nothing but the label. Archives made here are the same every time, and no secret at
// all.
func secret(label string) []byte {
	sum := sha256.Sum256([]byte("archivetest " + label))
	return sum[:]
}

// newAuthority returns an authority's key that belongs to no log yet.
func newAuthority(name, label string) (*keys.AuthorityKey, error) {
	b, err := lineobject.Marshal(struct {
		Format string `json:"format"`
		Name   string `json:"name"`
		Key    []byte `json:"key"`
	}{archive.Format, name, secret(label)})
	if err != nil {
		return nil, err
	}
	return keys.ParseAuthorityKey(b)
}

// newKey makes a key whose secrets follow from the label, and has its record signed.
func newKey(record keys.Record, label string, by keys.Signer) (*Key, error) {
	manifest := ed25519.NewKeyFromSeed(secret(label + " manifest"))
	record.Format = archive.Format
	record.PublicKey = keys.NewPublicKey(manifest.Public().(ed25519.PublicKey))
	record.Source = map[string]string{"test": label}
	var entry []byte
	if record.EntryAlgorithm == keys.AlgorithmHMACSHA256 {
		entry = secret(label + " entry")
		record.HMACCommitment = keys.HMACCommitment(entry, record.LogID)
	}
	b, id, err := keys.SignRecord(record, by)
	if err != nil {
		return nil, err
	}
	bundle, err := parseBundle(record, id, manifest.Seed(), entry)
	if err != nil {
		return nil, err
	}
	k := &Key{ID: id, Record: record, Bytes: b, Copy: bundle.VerificationCopy()}
	k.Signing, err = bundle.SigningKey(record)
	return k, err
}

// AddKey gives the archive one more key of role writer, whose record the online authority signs and the store dates so. It
// is in what is put into a store afterwards.
func (a *Archive) AddKey(name, streams string, algorithm keys.Algorithm, date time.Time) (*Key, error) {
	err := a.addKey(keyRole{name, keys.RoleWriter, streams, algorithm, date})
	return a.Keys[name], err
}

func parseBundle(r keys.Record, id keys.ID, manifest, entry []byte) (*keys.Bundle, error) {
	b, err := lineobject.Marshal(struct {
		Format      string     `json:"format"`
		LogID       keys.LogID `json:"log_id"`
		KeyID       keys.ID    `json:"key_id"`
		Role        keys.Role  `json:"role"`
		EntryKey    []byte     `json:"entry_key,omitempty"`
		ManifestKey []byte     `json:"manifest_key"`
	}{archive.Format, r.LogID, id, r.Role, entry, manifest})
	if err != nil {
		return nil, err
	}
	return keys.ParseBundle(b)
}

// newStreamKey returns a stream key's signer and what sequence 0 says of it.
func newStreamKey(label string) (keys.Signer, *archive.StreamKey) {
	priv := ed25519.NewKeyFromSeed(secret(label + " stream key"))
	pub := priv.Public().(ed25519.PublicKey)
	introduced := &archive.StreamKey{Algorithm: keys.AlgorithmEd25519, PublicKey: keys.NewPublicKey(pub)}
	return keys.NewSigner(introduced.ID(), priv), introduced
}

// EntryKey implements [keys.VerificationCopies] for the archive's HMAC keys.
func (a *Archive) EntryKey(_ context.Context, id keys.ID) (*keys.VerificationCopy, error) {
	for _, k := range a.Keys {
		if k.ID == id && k.Copy != nil {
			return k.Copy, nil
		}
	}
	return nil, fmt.Errorf("key %s: %w", id, keys.ErrNoVerificationCopy)
}
