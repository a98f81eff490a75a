package keys

import (
	"bytes"
	"crypto/subtle"
	"fmt"
)

// SigningKey is a bundle that fits its record: a key that verifiers will accept. It is safe for concurrent use.
type SigningKey struct {
	redacted
	bundle *Bundle
	record Record
	signer Signer
}

// SigningKey returns the key ready for use, or an error that wraps [ErrMismatch] when the record is not the bundle's own.
// That an authority signed the record is for the caller to check, see [VerifyLine].
func (b *Bundle) SigningKey(rec Record) (*SigningKey, error) {
	id, err := rec.ID()
	if err != nil {
		return nil, err
	}
	mismatch := func(what string) error {
		return fmt.Errorf("%w: the %s of the bundle of key %s is not that of record %s; load the record that the bundle names", ErrMismatch, what, b.id, id)
	}
	switch {
	case id != b.id:
		return nil, mismatch("key ID")
	case rec.LogID != b.log:
		return nil, mismatch("log ID")
	case rec.Role != b.role:
		return nil, mismatch("role")
	case !bytes.Equal(rec.PublicKey, b.publicKey()):
		return nil, mismatch("manifest key")
	case (rec.EntryAlgorithm == AlgorithmHMACSHA256) != !b.entry.none():
		return nil, mismatch("entry algorithm")
	case !b.entry.none() && !commits(rec.HMACCommitment, b.entry, b.log):
		return nil, mismatch("entry key")
	}
	return &SigningKey{redacted: redacted{"signing key", id}, bundle: b, record: rec, signer: NewSigner(id, b.private())}, nil
}

func commits(commitment string, entry seed, log LogID) bool {
	return subtle.ConstantTimeCompare([]byte(commitment), []byte(HMACCommitment(entry.bytes(), log))) == 1
}

// ID returns the key ID.
func (k *SigningKey) ID() ID { return k.id }

// Record returns the key's record.
func (k *SigningKey) Record() Record { return k.record }

// Signer returns the signer of manifests and receipts.
func (k *SigningKey) Signer() Signer { return k.signer }

// EntrySigner returns a signer for the entries of one stream, or an error when the record does not cover it.
func (k *SigningKey) EntrySigner(stream string) (EntrySigner, error) {
	if !k.record.Covers(stream) {
		return nil, notCovered(k.ID(), k.record.Streams, stream)
	}
	if !k.bundle.entry.none() {
		return NewHMACEntrySigner(k.bundle.entry.bytes(), k.record.LogID, k.ID(), stream)
	}
	return NewEd25519EntrySigner(k.bundle.private(), k.record.LogID, k.ID()), nil
}

func notCovered(id ID, pattern, stream string) error {
	return fmt.Errorf("key %s is for streams %s and not for %s; use a key of that writer", id, pattern, stream)
}
