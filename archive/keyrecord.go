package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// recordMarginDays is how much longer than the retention a key record is locked.
const recordMarginDays = 180

// CreateRecord publishes a key record, locked 180 days longer than the retention.
func (l *Log) CreateRecord(ctx context.Context, s Store, id keys.ID, record []byte) (Placed, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return Placed{}, err
	}
	days := min(l.Retention.Days+recordMarginDays, MaxRetentionDays)
	return put(ctx, s, RecordKey(id), record, "application/x-ndjson", Retain(now, days))
}

// errUnknownSigner: nothing is known of the key that signed a record. Whether it was one of role online cannot be told.
var errUnknownSigner = errors.New("signed by an unknown key")

var errRecordName = errors.New("a key record is named by its own hash")

// Record reads a key record and checks who signed it, as [Log.ParseRecord] does. As OpenLog it passes by what was put over
// it. ErrNotFound: there is no record of that ID.
func (l *Log) Record(ctx context.Context, s Store, id keys.ID) (keys.Record, error) {
	voucher := l.vouchers(ctx, s)
	return findRecord(ctx, s, id, func(b []byte) (keys.Record, error) { return l.checkRecord(id, b, voucher) })
}

func findRecord(ctx context.Context, s Store, id keys.ID, check func([]byte) (keys.Record, error)) (keys.Record, error) {
	right := func(b []byte) bool {
		_, err := check(b)
		return err == nil
	}
	b, err := findVersion(ctx, s, RecordKey(id), right)
	if err != nil && !errors.Is(err, errNoVersion) {
		return keys.Record{}, fmt.Errorf("reading key record %s: %w", id, err)
	}
	return check(b)
}

// ParseRecord checks a key record's bytes against its name, this log and who must have signed it: for records of the roles
// authority and online the recovery authority, for the others the online authority or a key of role online. Of such a key
// the record is looked for in s, which is asked for nothing else. Errors wrap ErrMalformed,
// ErrUnknownFormat, ErrWrongLog or keys.ErrBadSignature, unless the record of that key could not be looked for.
func (l *Log) ParseRecord(ctx context.Context, s Store, id keys.ID, b []byte) (keys.Record, error) {
	return l.checkRecord(id, b, l.vouchers(ctx, s))
}

// CheckAuthority says whether a key may sign key records of a role in this log: nil if it may. It is the key of an
// authority that genesis names, or one of role online whose record is in s. Acts are not asked: whether the key counts as
// compromised is [Verify]'s to say. ErrNotFound: the key is no authority's, and there is no record of it.
func (l *Log) CheckAuthority(ctx context.Context, s Store, signer keys.ID, role keys.Role) error {
	if err := role.Valid(); err != nil {
		return err
	}
	must := l.authorityOf(role)
	if signer == must.ID() {
		return nil
	}
	if other, ok := l.authorityNamed(signer); ok {
		return fmt.Errorf("the key %s is that of the %s authority, and records of role %s are signed by the %s authority", signer, other.Name, role, must.Name)
	}
	if role.NeedsRecovery() {
		return fmt.Errorf("the key %s may not sign records of role %s: the recovery authority alone does", signer, role)
	}
	if _, err := l.onlineRecord(ctx, s, signer); err != nil {
		return fmt.Errorf("the key %s may not be taken for an authority's: %w", signer, err)
	}
	return nil
}

// onlineRecord reads the record of a key of role online.
func (l *Log) onlineRecord(ctx context.Context, s Store, id keys.ID) (keys.Record, error) {
	return findRecord(ctx, s, id, func(b []byte) (keys.Record, error) {
		r, o, err := l.readRecord(id, b)
		if err != nil {
			return r, err
		}
		if err := mayVouch(r, id); err != nil {
			return r, err
		}
		if err := l.checkByGenesis(r, o); err != nil {
			return r, fmt.Errorf("key record %s: %w", id, err)
		}
		return r, nil
	})
}

var errNoVoucher = errors.New("it signs no key records")

func mayVouch(r keys.Record, id keys.ID) error {
	if r.Role != keys.RoleOnline {
		return fmt.Errorf("the key %s has the role %s: %w", id, r.Role, errNoVoucher)
	}
	return nil
}

// findVoucher returns the record of a key of role online.
type findVoucher func(keys.ID) (keys.Record, error)

// vouchers looks for records in a store, for each once.
func (l *Log) vouchers(ctx context.Context, s Store) findVoucher {
	type answer struct {
		record keys.Record
		err    error
	}
	known := map[keys.ID]answer{}
	return func(id keys.ID) (keys.Record, error) {
		a, ok := known[id]
		if !ok {
			a.record, a.err = l.onlineRecord(ctx, s, id)
			known[id] = a
		}
		return a.record, a.err
	}
}

// checkRecord is [Log.ParseRecord].
func (l *Log) checkRecord(id keys.ID, b []byte, voucher findVoucher) (keys.Record, error) {
	r, o, err := l.readRecord(id, b)
	if err != nil {
		return r, err
	}
	if l.byGenesis(r, o) {
		err = l.checkByGenesis(r, o)
	} else if err = l.checkByVoucher(o, voucher); err != nil {
		err = fmt.Errorf("not signed by the %s authority nor by a key of role %s: %w", OnlineAuthority, keys.RoleOnline, err)
	}
	if err != nil {
		return r, fmt.Errorf("key record %s: %w", id, err)
	}
	return r, nil
}

// readRecord judges what a record is by itself: its name, its form, its log.
func (l *Log) readRecord(id keys.ID, b []byte) (keys.Record, lineobject.Object, error) {
	if got := lineobject.HexDigest(lineobject.FirstLine(b))[:32]; got != string(id) {
		return keys.Record{}, lineobject.Object{}, fmt.Errorf("%w: %w: key record %s hashes to %s", ErrMalformed, errRecordName, id, got)
	}
	r, o, err := keys.ParseRecord(b)
	if errors.Is(err, ErrUnknownFormat) {
		return r, o, fmt.Errorf("key record %s: %w", id, err)
	}
	if err != nil {
		return r, o, fmt.Errorf("key record %s: %w: %w", id, ErrMalformed, err)
	}
	if r.LogID != l.ID {
		return r, o, fmt.Errorf("key record %s: %w: it is of log %s", id, ErrWrongLog, r.LogID)
	}
	return r, o, nil
}

// authorityOf is the authority of genesis that signs records of a role.
func (l *Log) authorityOf(role keys.Role) keys.Authority {
	name := OnlineAuthority
	if role.NeedsRecovery() {
		name = RecoveryAuthority
	}
	a, _ := l.Authority(name)
	return a
}

// authorityNamed returns the authority of genesis whose key has that ID.
func (l *Log) authorityNamed(id keys.ID) (keys.Authority, bool) {
	for _, a := range l.Authorities {
		if a.ID() == id {
			return a, true
		}
	}
	return keys.Authority{}, false
}

// byGenesis says whether a record is to be judged by genesis alone: its role leaves nobody else, or the signer is named
// there.
func (l *Log) byGenesis(r keys.Record, o lineobject.Object) bool {
	_, named := l.authorityNamed(keys.ID(o.KeyID))
	return named || r.Role.NeedsRecovery()
}

func (l *Log) checkByGenesis(r keys.Record, o lineobject.Object) error {
	a := l.authorityOf(r.Role)
	if err := keys.VerifyLine(keys.KindKey, l.ID, a.ID(), a.PublicKey, o); err != nil {
		return fmt.Errorf("not signed by the %s authority: %w", a.Name, err)
	}
	return nil
}

func (l *Log) checkByVoucher(o lineobject.Object, voucher findVoucher) error {
	signer := keys.ID(o.KeyID)
	if err := signer.Valid(); err != nil {
		return fmt.Errorf("%w: %w", keys.ErrBadSignature, err)
	}
	by, err := voucher(signer)
	switch {
	case errors.Is(err, ErrNotFound):
		// Not wrapped: that the record itself is not there would be another matter.
		return fmt.Errorf("%w: %w: there is no record of the key %s", keys.ErrBadSignature, errUnknownSigner, signer)
	case errors.Is(err, errNoVoucher):
		return fmt.Errorf("%w: %w", keys.ErrBadSignature, err)
	case err != nil:
		return fmt.Errorf("whether the key %s is one: %w", signer, err)
	}
	return keys.VerifyLine(keys.KindKey, l.ID, signer, by.PublicKey, o)
}
