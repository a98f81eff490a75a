package devserver

import (
	"net/http"
	"time"
)

// Retention modes and legal hold states, in S3's words.
const (
	Compliance = "COMPLIANCE"
	Governance = "GOVERNANCE"
	HoldOn     = "ON"
	HoldOff    = "OFF"
)

// retained reports whether a retention is in force. S3 User Guide, "Managing
// retention periods": the version is protected until the date has passed.
func (l Lock) retained(now time.Time) bool {
	return l.Mode != "" && l.RetainUntil.After(now)
}

// checkDelete refuses the removal of a version that is protected. A bypass lifts
// GOVERNANCE and nothing else.
func (l Lock) checkDelete(now time.Time, bypass bool) error {
	if l.LegalHold == HoldOn || l.binds(now, bypass) {
		return errLocked()
	}
	return nil
}

// binds reports whether the retention binds a caller with or without bypass.
func (l Lock) binds(now time.Time, bypass bool) bool {
	return l.retained(now) && (l.Mode == Compliance || !bypass)
}

// checkRetention refuses a change of retention that would weaken one in force:
// an earlier date, COMPLIANCE turned into GOVERNANCE, or removal. To extend, and
// to turn GOVERNANCE into COMPLIANCE, needs no bypass.
func (l Lock) checkRetention(mode string, until, now time.Time, bypass bool) error {
	weaker := mode == "" || until.Before(l.RetainUntil) || (l.Mode == Compliance && mode != Compliance)
	if weaker && l.binds(now, bypass) {
		return errLocked()
	}
	return nil
}

// parseRetention reads a mode and a date that must be in the future. The names
// of mode and date are those of the request, for the error.
func parseRetention(mode, date, modeName, dateName string, now time.Time) (time.Time, error) {
	if mode != Compliance && mode != Governance {
		return time.Time{}, invalidArgument("Unknown wormMode directive.", modeName, mode)
	}
	until, err := time.Parse(time.RFC3339Nano, date)
	if err != nil {
		return time.Time{}, invalidArgument("The retain until date must be provided in ISO 8601 format", dateName, date)
	}
	if !until.After(now) {
		return time.Time{}, invalidArgument("The retain until date must be in the future!", dateName, date)
	}
	return until.UTC(), nil
}

// Lock headers of PutObject, GetObject and HeadObject.
const (
	headerMode   = "X-Amz-Object-Lock-Mode"
	headerUntil  = "X-Amz-Object-Lock-Retain-Until-Date"
	headerHold   = "X-Amz-Object-Lock-Legal-Hold"
	headerBypass = "X-Amz-Bypass-Governance-Retention"
)

// putLock is the lock that a PutObject asks for, or else the bucket's default.
func (b *bucket) putLock(h http.Header, now time.Time) (Lock, error) {
	var lock Lock
	mode, date, hold := h.Get(headerMode), h.Get(headerUntil), h.Get(headerHold)
	if !b.Lock {
		if mode != "" || date != "" || hold != "" {
			return lock, errNoLockOnBucket()
		}
		return lock, nil
	}
	if (mode == "") != (date == "") {
		return lock, invalid("InvalidArgument", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	}
	if hold != "" && hold != HoldOn && hold != HoldOff {
		return lock, invalidArgument("Legal Hold must be either of 'ON' or 'OFF'", "x-amz-object-lock-legal-hold", hold)
	}
	lock.LegalHold = hold
	if mode != "" {
		until, err := parseRetention(mode, date, "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", now)
		lock.Mode, lock.RetainUntil = mode, until
		return lock, err
	}
	if b.Default != nil {
		lock.Mode, lock.RetainUntil = b.Default.Mode, b.Default.until(now)
	}
	return lock, nil
}

// lockDate is how S3 writes a retain-until date.
func lockDate(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
