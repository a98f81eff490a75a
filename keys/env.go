package keys

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// EnvProvider reads the bundle from an environment variable: for development on loopback only, because every child
// process and everyone who may inspect the process sees the environment.
type EnvProvider struct {
	Name string // of the variable
}

// Current implements [Provider].
func (p EnvProvider) Current(context.Context) (*Bundle, error) {
	if !variableName(p.Name) {
		return nil, errors.New("the name of an environment variable has letters, digits and underscores only; what was given instead is not shown, as it could be a key")
	}
	v, ok := os.LookupEnv(p.Name)
	if !ok || v == "" {
		return nil, fmt.Errorf("%w: environment variable %s is not set; set it to a signing bundle", ErrNotFound, p.Name)
	}
	b, err := ParseBundle([]byte(v))
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", p.Name, err)
	}
	return b, nil
}

func variableName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// Version implements [Provider]. A variable has one version, named by the key ID of the bundle in it.
func (p EnvProvider) Version(ctx context.Context, version string) (*Bundle, error) {
	b, err := p.Current(ctx)
	if err != nil {
		return nil, err
	}
	return onlyVersion(b, version, "environment variable "+p.Name)
}
