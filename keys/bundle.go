package keys

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// MaxSecret is the largest bundle, verification copy or authority key, in bytes; it is also what a secret of AWS Secrets
// Manager can hold.
const MaxSecret = 64 << 10

// ErrMismatch says that a secret and a key record do not belong together. Using them would sign what no verifier accepts.
var ErrMismatch = errors.New("the secret does not match its key record")

// Bundle is the secret half of a signing key: the entry key, if entries are signed with HMAC, and the Ed25519 key for
// manifests and receipts. It is safe for concurrent use; nothing changes it.
type Bundle struct {
	redacted
	log      LogID
	role     Role
	entry    seed // none when entries are signed with the manifest key
	manifest seed
}

type bundleJSON struct {
	Format      string `json:"format"`
	LogID       LogID  `json:"log_id"`
	KeyID       ID     `json:"key_id"`
	Role        Role   `json:"role"`
	EntryKey    []byte `json:"entry_key,omitempty"`
	ManifestKey []byte `json:"manifest_key"`
}

// NewKey makes a fresh key from the system's randomness: the bundle, and the record that fits it, which is still to be
// signed by an authority and stored. Source says where the secret will be kept, for people. Previous is the key before
// this one, or "".
func NewKey(log LogID, role Role, streams string, alg Algorithm, source map[string]string, previous ID) (*Bundle, Record, error) {
	b := &Bundle{log: log, role: role, manifest: randomSeed()}
	r := Record{
		Format: FormatDraft, LogID: log, Role: role, Streams: streams, EntryAlgorithm: alg,
		PublicKey: b.publicKey(), Source: source, Previous: previous,
	}
	if alg.Symmetric() {
		b.entry = randomSeed()
		r.HMACCommitment = HMACCommitment(b.entry.bytes(), log)
	}
	id, err := r.ID()
	if err != nil {
		return nil, Record{}, err
	}
	b.redacted = redactedBundle(id)
	return b, r, nil
}

// ParseBundle parses what [Bundle.Secret] wrote, with or without a newline at the end. Errors never hold the input; one
// wraps [ErrUnknownFormat].
func ParseBundle(b []byte) (*Bundle, error) {
	var v bundleJSON
	if err := parseSecret(b, "signing bundle", &v); err != nil {
		return nil, err
	}
	manifest, ok := newSeed(v.ManifestKey)
	entry, okEntry := newSeed(v.EntryKey)
	if v.EntryKey == nil {
		okEntry = true
	}
	if v.Format != FormatDraft || v.LogID.Valid() != nil || v.KeyID.Valid() != nil || v.Role.Valid() != nil || !ok || !okEntry {
		return nil, errors.New("the signing bundle has a member that no bundle can have; restore it from where init or rotation put it")
	}
	if !entry.none() && v.Role != RoleWriter {
		return nil, fmt.Errorf("the signing bundle of key %s has an entry key, which only role writer may have; make a new key", v.KeyID)
	}
	return &Bundle{redacted: redactedBundle(v.KeyID), log: v.LogID, role: v.Role, entry: entry, manifest: manifest}, nil
}

// parseSecret decodes one line of canonical JSON. What the JSON package says about malformed input may quote it, so that
// is left out.
func parseSecret[T any](b []byte, what string, v *T) error {
	if len(b) > MaxSecret {
		return fmt.Errorf("the %s has %d bytes, over the limit of %d", what, len(b), MaxSecret)
	}
	b = bytes.TrimSuffix(b, []byte{'\n'})
	if err := checkFormat(b); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if lineobject.Unmarshal(b, v) != nil {
		return &formError{what, len(b)}
	}
	return nil
}

// errForm: a secret is not of the kind that it was parsed as, whatever it is.
var errForm = errors.New("not of this kind")

type formError struct {
	what string
	size int
}

func (e *formError) Error() string {
	return fmt.Sprintf("this is no %s as wormlog writes it (%d bytes); check that the right secret is named and that nobody edited it", e.what, e.size)
}

func (e *formError) Is(target error) bool { return target == errForm }

// KeyID returns the ID of the key, which is the name of its record.
func (b *Bundle) KeyID() ID { return b.id }

// LogID returns the log the key belongs to.
func (b *Bundle) LogID() LogID { return b.log }

// Role returns what the key may sign for.
func (b *Bundle) Role() Role { return b.role }

// Secret returns the bundle as it is stored: one line of canonical JSON, without newline. It is the one way to the secret.
func (b *Bundle) Secret() ([]byte, error) {
	v := bundleJSON{Format: FormatDraft, LogID: b.log, KeyID: b.id, Role: b.role, ManifestKey: b.manifest.bytes()}
	if !b.entry.none() {
		v.EntryKey = b.entry.bytes()
	}
	return lineobject.Marshal(v)
}

// VerificationCopy returns what a verifier of HMACs needs, nil for a key that signs entries with Ed25519.
func (b *Bundle) VerificationCopy() *VerificationCopy {
	if b.entry.none() {
		return nil
	}
	return &VerificationCopy{redacted: redactedCopy(b.id), log: b.log, entry: b.entry}
}

func (b *Bundle) private() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(b.manifest.bytes()) }

func (b *Bundle) publicKey() PublicKey {
	return NewPublicKey(b.private().Public().(ed25519.PublicKey))
}

func redactedBundle(id ID) redacted { return redacted{"signing bundle", id} }
