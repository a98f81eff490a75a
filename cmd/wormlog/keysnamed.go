package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// namedKey is a key that an operator named.
type namedKey struct {
	ID        keys.ID
	Authority string      // its name in genesis, online or recovery; empty for a key with a record
	Record    keys.Record // zero for a key of genesis
}

// what says for people which key it is.
func (k namedKey) what() string {
	if k.Authority != "" {
		return fmt.Sprintf("%s, the %s key of genesis", k.ID, k.Authority)
	}
	return fmt.Sprintf("%s of role %s", k.ID, k.Record.Role)
}

// vouches says whether the key signs key records.
func (k namedKey) vouches() bool { return k.Authority != "" || k.Record.Role == keys.RoleOnline }

// leastDigits of a key ID name a key: a typing error is not to name another one.
const leastDigits = 8

// findKey finds the key of the log that is meant: by its ID, or by the first digits of it, if no other key has them.
func (s *session) findKey(ctx context.Context, l *archive.Log, name string) (namedKey, error) {
	if len(name) < leastDigits || len(name) > 32 || strings.Trim(name, "0123456789abcdef") != "" {
		return namedKey{}, withHint(fmt.Errorf("%q is no key ID: 32 lower-case hex digits, or the first %d of them at least", name, leastDigits), listsKeys)
	}
	ids, err := s.keysLike(ctx, l, name)
	switch {
	case err != nil:
		return namedKey{}, err
	case len(ids) == 0:
		return namedKey{}, withHint(fmt.Errorf("the log has no key %s", name), listsKeys)
	case len(ids) > 1:
		return namedKey{}, withHint(fmt.Errorf("%s may be %s", name, orList(ids)), "give more digits")
	}
	k := namedKey{ID: ids[0]}
	if name, ok := authorityName(l, k.ID); ok {
		k.Authority = name
		return k, nil
	}
	if k.Record, err = l.Record(ctx, s.store, k.ID); err != nil {
		return k, s.recordError(k.ID, err)
	}
	return k, nil
}

// authorityName returns the name under which genesis has a key, if it has.
func authorityName(l *archive.Log, id keys.ID) (name string, ok bool) {
	for _, a := range l.Authorities {
		if a.ID() == id {
			return a.Name, true
		}
	}
	return "", false
}

const listsKeys = "`wormlog keys list` shows the keys of the log"

// recordError explains why a record that has a name in the archive cannot be used.
func (s *session) recordError(id keys.ID, err error) error {
	switch {
	case errors.Is(err, archive.ErrDeleteMarker):
		return withHint(fmt.Errorf("the record of key %s is hidden by a %w", id, archive.ErrDeleteMarker), "`wormlog verify` says what else happened; the marker can be removed by its version ID")
	case errors.Is(err, keys.ErrBadSignature), errors.Is(err, archive.ErrMalformed), errors.Is(err, archive.ErrWrongLog):
		return withHint(fmt.Errorf("the record of key %s cannot be believed: %w", id, err), "`wormlog verify` says what that means for the evidence")
	}
	return err
}

// keysLike returns the IDs of genesis and of all key records that begin so.
func (s *session) keysLike(ctx context.Context, l *archive.Log, digits string) (ids []keys.ID, err error) {
	for _, a := range l.Authorities {
		if strings.HasPrefix(string(a.ID()), digits) {
			ids = append(ids, a.ID())
		}
	}
	for v, err := range s.store.Versions(ctx, "keys/"+digits, "") {
		if err != nil {
			return nil, err
		}
		name, ok := strings.CutSuffix(strings.TrimPrefix(v.Key, "keys/"), ".json")
		if id := keys.ID(name); ok && id.Valid() == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func orList(ids []keys.ID) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = string(id)
	}
	if len(all) == 1 {
		return all[0]
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}
