package archive

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// parseLineObject splits b and decodes line 1 into v, in the order of judgement of docs/format.md: first the format, so
// that a newer one is told apart from damage, then the strict form.
func parseLineObject[T any](b []byte, v *T) (lineobject.Object, error) {
	if err := checkFormat(lineobject.FirstLine(b)); err != nil {
		return lineobject.Object{}, err
	}
	o, err := lineobject.Split(b)
	if err != nil {
		return o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := lineobject.Unmarshal(o.Line, v); err != nil {
		return o, fmt.Errorf("%w: line 1: %w", ErrMalformed, err)
	}
	return o, nil
}

// checkFormat reads the first member of a line, which is its format. A line whose first member is another is malformed.
func checkFormat(line []byte) error {
	f, ok := lineobject.Format(line)
	if !ok {
		return fmt.Errorf("%w: line 1 does not begin with its format", ErrMalformed)
	}
	if f != Format {
		return fmt.Errorf("%w: %q", ErrUnknownFormat, f)
	}
	return nil
}

// signLine encodes v as line 1 and signs it.
func signLine(kind keys.Kind, log keys.LogID, signer keys.Signer, v any) ([]byte, error) {
	line, err := lineobject.Marshal(v)
	if err != nil {
		return nil, err
	}
	id := signer.KeyID()
	sig, err := signer.Sign(keys.LineMessage(kind, log, id, line))
	if err != nil {
		return nil, fmt.Errorf("signing with key %s: %w", id, err)
	}
	return lineobject.Object{Line: line, KeyID: string(id), Signature: sig}.Bytes(), nil
}

var errInteger = errors.New("an integer is over 2^53-1")

func checkIntegers(values ...uint64) error {
	for _, v := range values {
		if v > lineobject.MaxInteger {
			return fmt.Errorf("%w: %w: %d", ErrMalformed, errInteger, v)
		}
	}
	return nil
}

// criticalExt returns the names in ext that a reader must understand, ascending. All are unknown to this release.
func criticalExt(ext map[string]string) (names []string) {
	for name := range ext {
		if strings.HasPrefix(name, "critical.") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
