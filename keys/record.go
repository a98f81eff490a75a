package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// MaxRecord is the largest stored key record, both lines, in bytes.
const MaxRecord = 64 << 10

// Record is the public half of a signing key: what a verifier must know to judge what the key signed. An authority signs
// it and the archive keeps it under its own hash. Times are not in it: S3's date of the record begins a key, acts end it.
type Record struct {
	Format         string            `json:"format"`
	LogID          LogID             `json:"log_id"`
	Role           Role              `json:"role"`
	Streams        string            `json:"streams"`         // a writer name followed by ".*", or one whole stream name
	EntryAlgorithm Algorithm         `json:"entry_algorithm"` // always ed25519 for roles other than writer
	PublicKey      PublicKey         `json:"public_key"`      // for manifests and receipts, and for entries if ed25519
	HMACCommitment string            `json:"hmac_commitment,omitzero"`
	Source         map[string]string `json:"source"`            // where the secret came from; never empty
	Previous       ID                `json:"previous,omitzero"` // the key before this one; nothing trusts it
	Ext            map[string]string `json:"ext,omitempty"`
}

// Line returns line 1 of the stored record, without newline, or an error when the record means nothing.
func (r Record) Line() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("key record: %w", err)
	}
	line, err := lineobject.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("key record: %w", err)
	}
	return line, nil
}

// ID returns the key ID: the first 32 hex digits of the SHA-256 of line 1 with its newline.
func (r Record) ID() (ID, error) {
	line, err := r.Line()
	if err != nil {
		return "", err
	}
	return recordID(line), nil
}

func recordID(line []byte) ID { return ID(lineobject.HexDigest(line)[:32]) }

// Covers reports whether the key may sign this stream.
func (r Record) Covers(stream string) bool { return covers(r.Streams, stream) }

// SignRecord returns the record as it is stored in the archive, signed by an authority, and its key ID.
func SignRecord(r Record, authority Signer) ([]byte, ID, error) {
	line, err := r.Line()
	if err != nil {
		return nil, "", err
	}
	o, err := signLine(KindKey, r.LogID, line, authority)
	if err != nil {
		return nil, "", fmt.Errorf("sign key record %s: %w", recordID(line), err)
	}
	b := o.Bytes()
	if len(b) > MaxRecord {
		return nil, "", fmt.Errorf("key record %s has %d bytes, over the limit of %d; shorten source or ext", recordID(line), len(b), MaxRecord)
	}
	return b, recordID(line), nil
}

// ParseRecord parses a stored key record: first the format, then strictly, then what it means. The error wraps
// [ErrUnknownFormat] for a record of another format. The signature is not checked here, see [VerifyLine], and neither is
// the name it was stored under: compare it with [Record.ID].
func ParseRecord(b []byte) (Record, lineobject.Object, error) {
	if len(b) > MaxRecord {
		return Record{}, lineobject.Object{}, fmt.Errorf("key record: %d bytes, over the limit of %d", len(b), MaxRecord)
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	if err := checkFormat(line); err != nil {
		return Record{}, lineobject.Object{}, fmt.Errorf("key record: %w", err)
	}
	o, err := lineobject.Split(b)
	if err != nil {
		return Record{}, lineobject.Object{}, fmt.Errorf("key record: %w", err)
	}
	var r Record
	if err := lineobject.Unmarshal(o.Line, &r); err != nil {
		return Record{}, lineobject.Object{}, fmt.Errorf("key record: line 1: %w", err)
	}
	if err := r.check(); err != nil {
		return Record{}, lineobject.Object{}, fmt.Errorf("key record: %w", err)
	}
	return r, o, nil
}

func (r Record) check() error {
	if r.Format != FormatDraft {
		return fmt.Errorf("%w: this release knows %s only", ErrUnknownFormat, FormatDraft)
	}
	if err := r.LogID.Valid(); err != nil {
		return err
	}
	if err := r.Role.Valid(); err != nil {
		return err
	}
	if err := checkPattern(r.Role, r.Streams); err != nil {
		return err
	}
	if err := r.checkAlgorithm(); err != nil {
		return err
	}
	if r.Previous != "" && r.Previous.Valid() != nil {
		return errors.New("previous is not a key ID")
	}
	if len(r.Source) == 0 {
		return errors.New("source is empty; say where the secret came from")
	}
	return errors.Join(checkMap("source", r.Source), checkMap("ext", r.Ext))
}

func (r Record) checkAlgorithm() error {
	if err := r.EntryAlgorithm.Valid(); err != nil {
		return err
	}
	if !r.EntryAlgorithm.Symmetric() {
		if r.HMACCommitment != "" {
			return fmt.Errorf("a key that signs entries with %s has no HMAC commitment", r.EntryAlgorithm)
		}
		return r.PublicKey.Check(r.EntryAlgorithm) // the same key signs manifests
	}
	if r.Role != RoleWriter {
		return fmt.Errorf("a key of role %s signs entries with %s only", r.Role, algorithms((*scheme).public))
	}
	if !lowerHex(r.HMACCommitment, 2*sha256.Size) {
		return fmt.Errorf("a key that signs entries with %s needs a commitment of 64 lower-case hex digits", r.EntryAlgorithm)
	}
	_, err := r.PublicKey.Algorithm()
	return err
}

func checkMap(what string, m map[string]string) error {
	if len(m) > 32 {
		return fmt.Errorf("%s has %d members, over 32", what, len(m))
	}
	for k, v := range m {
		if len(k) < 1 || len(k) > 64 || len(v) > 1024 {
			return fmt.Errorf("%s: a name has 1 to 64 bytes and a value at most 1024", what)
		}
	}
	return nil
}

// HMACCommitment returns what a key record says about its entry key: HMAC-SHA256 of "wormlog/v1 commitment\n" and the log
// ID, in lower-case hex. It lets anyone who is handed the entry key check that it is the right one.
func HMACCommitment(entryKey []byte, log LogID) string {
	m := hmac.New(sha256.New, entryKey)
	m.Write([]byte("wormlog/v1 commitment\n" + string(log)))
	return hex.EncodeToString(m.Sum(nil))
}
