package keys

import (
	"bytes"
	"crypto/subtle"
	"fmt"
)

// SigningKey is a key that fits its record, so that verifiers will accept what it signs. It is safe for concurrent use.
type SigningKey struct {
	redacted
	record Record
	signer Signer
	entry  seed // none unless entries are signed with a secret
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
	case rec.EntryAlgorithm.Symmetric() == b.entry.none():
		return nil, mismatch("entry algorithm")
	case !b.entry.none() && !commits(rec.HMACCommitment, b.entry, b.log):
		return nil, mismatch("entry key")
	}
	return &SigningKey{redacted: redacted{"signing key", id}, record: rec, signer: NewSigner(id, b.private()), entry: b.entry}, nil
}

// NewSigningKey returns a key whose private half this program does not hold: signer signs with it where it is, such as in
// AWS KMS, under the ID of the record. With a symmetric entry algorithm entries says with what secret entries are signed;
// with a public key signer signs them too, one call each, and entries is not used. One message is signed to prove that the
// signer's key is the record's; the error wraps [ErrMismatch] if it is not, and if entries is not the copy that the record
// committed to. That an authority signed the record is for the caller to check, see [VerifyLine].
func NewSigningKey(rec Record, signer Signer, entries *VerificationCopy) (*SigningKey, error) {
	id, err := rec.ID()
	if err != nil {
		return nil, err
	}
	k := &SigningKey{redacted: redacted{"signing key", id}, record: rec, signer: signer}
	if rec.EntryAlgorithm.Symmetric() {
		if entries == nil {
			return nil, fmt.Errorf("%w: key %s signs entries with a secret, which was not given", ErrNoVerificationCopy, id)
		}
		if entries.id != id || !commits(rec.HMACCommitment, entries.entry, rec.LogID) {
			return nil, fmt.Errorf("%w: the verification copy given for key %s is not the entry key it committed to", ErrMismatch, id)
		}
		k.entry = entries.entry
	}
	if signer.KeyID() != id {
		return nil, fmt.Errorf("%w: the signer signs as key %s, not as %s", ErrMismatch, signer.KeyID(), id)
	}
	proof, err := signLine(kindProof, rec.LogID, nil, signer)
	if err != nil {
		return nil, fmt.Errorf("key %s does not sign: %w", id, err)
	}
	if err := VerifyLine(kindProof, rec.LogID, id, rec.PublicKey, proof); err != nil {
		return nil, fmt.Errorf("%w: the signer of key %s does not hold the private key of that record", ErrMismatch, id)
	}
	return k, nil
}

// kindProof is that of a message which is nothing else: it is no object, and no object can be made of it.
const kindProof Kind = "proof of possession"

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
	if k.record.EntryAlgorithm.Symmetric() {
		return NewHMACEntrySigner(k.entry.bytes(), k.record.LogID, k.ID(), stream)
	}
	return newSignerEntries(k.signer, k.record.EntryAlgorithm.scheme(), k.record.LogID), nil
}

func notCovered(id ID, pattern, stream string) error {
	return fmt.Errorf("key %s is for streams %s and not for %s; use a key of that writer", id, pattern, stream)
}
