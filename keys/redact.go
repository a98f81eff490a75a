package keys

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/go-json-experiment/json"
)

// seed is 32 secret bytes: an entry key or an Ed25519 seed. It is a pointer because fmt prints unexported fields of a
// foreign struct without asking any method, but never follows a pointer there.
type seed = *[32]byte

func newSeed(b []byte) (seed, bool) {
	if len(b) != 32 {
		return nil, false
	}
	return seed(append([]byte(nil), b...)), true
}

// redacted is all that is ever shown of a value that holds a secret. Types that hold one embed the interfaces' methods
// by delegating to it: Format serves every verb of fmt, LogValue slog, MarshalJSON both JSON packages.
type redacted struct {
	what string
	id   string
}

func (r redacted) String() string { return r.what + " " + r.id + " [secret]" }

func (r redacted) format(s fmt.State) { _, _ = io.WriteString(s, r.String()) }

func (r redacted) logValue() slog.Value { return slog.StringValue(r.String()) }

func (r redacted) marshalJSON() ([]byte, error) { return json.Marshal(r.String()) }
