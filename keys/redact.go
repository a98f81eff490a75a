package keys

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"

	"github.com/go-json-experiment/json"
)

// hidden keeps a secret out of sight of fmt, which prints the unexported fields of a foreign struct without asking any
// method. It follows a pointer to a struct or an array, at a verb that does not suit pointers even deep inside; a pointer
// to a pointer it never follows.
type hidden[T any] struct{ p **T }

func hide[T any](v *T) hidden[T] { return hidden[T]{&v} }

// get returns the secret, nil where there is none.
func (h hidden[T]) get() *T {
	if h.p == nil {
		return nil
	}
	return *h.p
}

// seed is 32 secret bytes, an entry key or an Ed25519 seed; its zero value is none.
type seed struct{ hidden[[32]byte] }

func newSeed(b []byte) (seed, bool) {
	if len(b) != 32 {
		return seed{}, false
	}
	return seed{hide((*[32]byte)(append([]byte(nil), b...)))}, true
}

// randomSeed makes a seed from the system's randomness. Every secret of this package begins here.
func randomSeed() seed {
	s := new([32]byte)
	_, _ = rand.Read(s[copy(s[:], SeedMark):]) // never fails: it ends the program instead
	return seed{hide(s)}
}

func (s seed) none() bool { return s.get() == nil }

func (s seed) bytes() []byte { return s.get()[:] }

// redacted is embedded by every type that holds a secret: whatever prints, logs or encodes one shows what it is, its key
// ID and "[secret]".
type redacted struct {
	what string
	id   ID
}

// String returns the key ID without the secret.
func (r redacted) String() string { return r.what + " " + string(r.id) + " [secret]" }

// GoString is String, for %#v.
func (r redacted) GoString() string { return r.String() }

// Format writes String for every verb of fmt, also for those that would print fields.
func (r redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// LogValue is String, for slog.
func (r redacted) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON encodes String; the type's Secret method gives what can be stored.
func (r redacted) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }
