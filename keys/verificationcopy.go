package keys

import (
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// VerificationCopy is the entry key of one HMAC key, kept apart from the bundle for as long as what it signed: with it
// entries can be checked (and, HMAC being symmetric, made), but no manifest can be signed. Nothing changes it.
type VerificationCopy struct {
	redacted
	log   LogID
	entry seed
}

type copyJSON struct {
	Format   string `json:"format"`
	LogID    LogID  `json:"log_id"`
	KeyID    ID     `json:"key_id"`
	EntryKey []byte `json:"entry_key"`
}

// ParseVerificationCopy parses what [VerificationCopy.Secret] wrote, with or without a newline at the end. Errors never
// hold the input; one wraps [ErrUnknownFormat].
func ParseVerificationCopy(b []byte) (*VerificationCopy, error) {
	var v copyJSON
	if err := parseSecret(b, "verification copy", &v); err != nil {
		return nil, err
	}
	entry, ok := newSeed(v.EntryKey)
	if v.Format != FormatDraft || v.LogID.Valid() != nil || v.KeyID.Valid() != nil || !ok {
		return nil, errors.New("the verification copy has a member that no copy can have; restore it from where init or rotation put it")
	}
	return &VerificationCopy{redacted: redactedCopy(v.KeyID), log: v.LogID, entry: entry}, nil
}

// KeyID returns the ID of the key.
func (c *VerificationCopy) KeyID() ID { return c.id }

// LogID returns the log the key belongs to.
func (c *VerificationCopy) LogID() LogID { return c.log }

// Secret returns the copy as it is stored: one line of canonical JSON, without newline. It is the one way to the secret.
func (c *VerificationCopy) Secret() ([]byte, error) {
	return lineobject.Marshal(copyJSON{Format: FormatDraft, LogID: c.log, KeyID: c.id, EntryKey: c.entry.bytes()})
}

// EntryVerifier returns a verifier for the entries of one stream. For HMAC it needs the verification copy, which is
// checked against the record's commitment first ([ErrMismatch]); without one the error wraps [ErrNoVerificationCopy].
// With a public key the copy is not used.
func (r Record) EntryVerifier(stream string, c *VerificationCopy) (EntryVerifier, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	if !r.Covers(stream) {
		return nil, notCovered(id, r.Streams, stream)
	}
	if !r.EntryAlgorithm.Symmetric() {
		return newPublicVerifier(r.PublicKey, r.LogID, id)
	}
	if c == nil {
		return nil, fmt.Errorf("%w: the HMACs of key %s cannot be checked", ErrNoVerificationCopy, id)
	}
	if c.id != id || c.log != r.LogID || !commits(r.HMACCommitment, c.entry, r.LogID) {
		return nil, fmt.Errorf("%w: the verification copy given for key %s is not the entry key it committed to", ErrMismatch, id)
	}
	return NewHMACEntryVerifier(c.entry.bytes(), r.LogID, id, stream)
}

func redactedCopy(id ID) redacted { return redacted{"verification copy", id} }
