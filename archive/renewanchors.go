package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// AnchorConfig says whose anchors are renewed: log.json and the key records. Store and Log are required.
type AnchorConfig struct {
	Store Store
	Log   *Log
	// RotationDays is how often this is done: after so many days keys rotate, and the next run comes. 0: 90.
	RotationDays uint64
	// RetentionDays is the longest that any writer is set to keep entries, if that is more than the log's policy asks for.
	RetentionDays uint64
}

// RenewedAnchor is an anchor whose lock was extended.
type RenewedAnchor struct {
	Key       string    // of the object
	VersionID string    // that is believed
	KeyID     keys.ID   // empty for log.json
	Before    time.Time // until when it was locked; zero if it was not
	Until     time.Time // until when it is locked now, as the store says
}

const (
	defaultRotationDays = 90
	dayLength           = 24 * time.Hour
	// anchorMargin is how late a run may come, and how much longer an anchor is locked than what it vouches for.
	anchorMargin = 30 * dayLength
	// afterLife is how long after a key was replaced it may still vouch for something new: as long as its last stream lives,
	// what that was given at its end is written, and a cached bundle goes on.
	afterLife = maxStreamAge + lateness + grace
)

// RenewAnchors extends the locks of log.json and of those key records that will be needed longer than they are locked.
//
// It does not look at evidence, but reckons: a key that may sign until the next run, given a month of delay, may then open
// a last stream, and what that promises at its end is kept for the retention in force. So long the record is needed, and
// another month. For a key that was superseded or retired the date of that takes the place of the next run's. Whoever
// vouches for a record is needed as long, and log.json as long as any of them. Recorded extensions of the retention count.
// An anchor that falls short is extended to what is needed now and, if its key can still sign, another period of rotation,
// so that not every run has something to do; never beyond S3's bound of 100 years. Nothing is ever shortened.
//
// Only the version of an object that is believed is touched: the oldest that is what its name, or the log ID, says. The
// clock is the store's, and what counts is what the store shows afterwards. Anything that keeps one anchor from being
// renewed is an error, but the others are tried; the errors are joined. If acts could not be read, or not be believed, a
// raised retention may be missed, and that is an error too. It may run at any time, and twice at the same time.
func RenewAnchors(ctx context.Context, c AnchorConfig) ([]RenewedAnchor, error) {
	if c.Store == nil || c.Log == nil {
		return nil, errors.New("renewing anchors needs a store and a log")
	}
	view, err := readControl(ctx, c.Store, c.Log.ID, nil, areas[:2]...)
	if err != nil {
		return nil, fmt.Errorf("renewing anchors: %w", err)
	}
	unsure, _ := view.unsure()
	if view.log == nil {
		return nil, fmt.Errorf("renewing anchors: log.json is not to be believed: %s", strings.Join(findingTexts(unsure), "; "))
	}
	if view.acts.home != nil {
		view.place(*view.acts.home)
	}
	if view.placement == PlacementCopy {
		return nil, fmt.Errorf("renewing anchors: the bucket %s is a copy; its locks vouch for nothing", c.Store.Home().Bucket)
	}
	r := newRenewal(c, view)
	renewed, err := r.run(ctx)
	if len(unsure) > 0 {
		err = errors.Join(err, fmt.Errorf("what bears on how long anchors are needed could not all be read: %s", strings.Join(findingTexts(unsure), "; ")))
	}
	if err != nil {
		return renewed, fmt.Errorf("renewing anchors: %w", err)
	}
	return renewed, nil
}

func findingTexts(findings []Finding) (texts []string) {
	const told = 10
	for i, f := range findings {
		if i == told {
			return append(texts, fmt.Sprintf("and %d more", len(findings)-told))
		}
		texts = append(texts, f.String())
	}
	return texts
}

// anchorRenewal is one run.
type anchorRenewal struct {
	*authorityView
	rotation  time.Duration
	retention time.Duration
	needs     map[*keyState]time.Time // until when it must be locked
	signs     map[*keyState]bool      // its key can still sign, so that grows
}

func newRenewal(c AnchorConfig, view *authorityView) *anchorRenewal {
	setDefault(&c.RotationDays, defaultRotationDays)
	days := max(c.Log.Retention.Days, c.RetentionDays)
	for _, p := range view.acts.policies {
		days = max(days, p.policy.Days) // one that was lowered since has promised as much
	}
	days = min(days, c.Log.Retention.MaxDays) // more than any writer promises; a lock cannot be taken back
	r := &anchorRenewal{
		authorityView: view, rotation: time.Duration(c.RotationDays) * dayLength, retention: time.Duration(days) * dayLength,
		needs: map[*keyState]time.Time{}, signs: map[*keyState]bool{},
	}
	r.reckon()
	return r
}

// reckon finds out until when each anchor is needed.
func (r *anchorRenewal) reckon() {
	genesis := r.keyring[genesisAnchor]
	r.signs[genesis] = true
	r.need(genesis, r.until(r.nextRun()))
	superseded := r.superseded()
	for id, k := range r.keyring {
		if id == genesisAnchor || !k.usable {
			continue
		}
		end, ended := r.acts.retired[id]
		if next := superseded[id]; next != nil && next.object.LastModified.After(end) {
			end, ended = next.object.LastModified, true
		}
		if !ended || end.After(r.nextRun()) {
			end = r.nextRun()
		}
		until := r.extended(k, r.until(end))
		r.signs[k] = !ended
		for ; k != nil; k = k.voucher {
			r.need(k, until)
		}
		r.need(genesis, until)
	}
}

func (r *anchorRenewal) need(k *keyState, until time.Time) {
	if until.After(r.needs[k]) {
		r.needs[k] = until
	}
}

// extended is until when a record is needed if recorded extensions of the retention count too, as far as the log's cap
// allows them.
func (r *anchorRenewal) extended(k *keyState, until time.Time) time.Time {
	longest := r.now.Add(time.Duration(r.log.Retention.MaxDays) * dayLength)
	for _, e := range r.acts.extended {
		about := func(p string) bool { return overlapping(p, k.record.Streams) }
		if t := e.RetainUntil.Time; t.After(until) && !t.After(longest) && slices.ContainsFunc(e.Streams, about) {
			until = t
		}
	}
	return until
}

// nextRun is when the next run comes at the latest.
func (r *anchorRenewal) nextRun() time.Time { return r.now.Add(r.rotation + anchorMargin) }

// until is how long the record is needed of a key that signs no longer than end.
func (r *anchorRenewal) until(end time.Time) time.Time {
	return end.Add(afterLife + r.retention + anchorMargin)
}

// overlapping says whether two patterns, stream names or <writer>.*, may be about one stream.
func overlapping(a, b string) bool { return covers([]string{a}, b) || covers([]string{b}, a) }

func (r *anchorRenewal) run(ctx context.Context) (renewed []RenewedAnchor, err error) {
	ids := make([]keys.ID, 0, len(r.keyring))
	for id, k := range r.keyring {
		if _, needed := r.needs[k]; needed {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, cmp.Compare[keys.ID])
	for _, id := range ids {
		k := r.keyring[id]
		a, extended, failed := r.renew(ctx, k)
		if failed != nil {
			err = errors.Join(err, failed)
		}
		if extended {
			a.KeyID = id
			renewed = append(renewed, a)
		}
		if ctx.Err() != nil {
			return renewed, errors.Join(err, ctx.Err())
		}
	}
	return renewed, err
}

// renew extends the lock of one anchor if it falls short.
func (r *anchorRenewal) renew(ctx context.Context, k *keyState) (a RenewedAnchor, extended bool, err error) {
	o, need := k.object, r.bound(r.needs[k])
	if o.RetentionHidden {
		return a, false, fmt.Errorf("%s: until when version %s is locked may not be read, so it is not known whether it must be extended; give the role s3:GetObjectRetention", o.Key, o.VersionID)
	}
	if lockedUntil(o, need) {
		return a, false, nil
	}
	until := need
	if r.signs[k] {
		until = r.bound(need.Add(r.rotation))
	}
	now, err := r.extend(ctx, o, need, until)
	if err != nil {
		return a, false, fmt.Errorf("%s (version %s) is locked until %s and needed until %s: %w", o.Key, o.VersionID, day(o.Lock.RetainUntil), day(need), err)
	}
	return RenewedAnchor{Key: o.Key, VersionID: o.VersionID, Before: o.Lock.RetainUntil, Until: now.Lock.RetainUntil}, true, nil
}

// bound rounds up to midnight, as all retentions are, and keeps within what S3 can lock.
func (r *anchorRenewal) bound(t time.Time) time.Time {
	longest := r.now.Add(MaxRetentionDays * dayLength).UTC().Truncate(dayLength)
	if t = Retain(t, 0); t.After(longest) {
		return longest
	}
	return t
}

// lockedUntil says whether the store shows a lock in mode COMPLIANCE at least until then.
func lockedUntil(o Object, until time.Time) bool {
	return o.Lock.Mode == Compliance && !o.Lock.RetainUntil.Before(until)
}

// extend moves the lock of a version and looks at what it is afterwards. An answer that says nothing is followed by a look,
// too, since the request may have taken effect, and by another attempt if it did not. What was asked for is at least need;
// somebody else may have done as much meanwhile.
func (r *anchorRenewal) extend(ctx context.Context, o Object, need, until time.Time) (now Object, err error) {
	now = o
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if now.Lock.RetainUntil.After(until) {
			until = now.Lock.RetainUntil // of a lock in another mode: nothing is ever shortened
		}
		extendErr := r.Store.ExtendRetention(ctx, o.Key, o.VersionID, until)
		now, err = r.head(ctx, o.Key, o.VersionID)
		switch {
		case err == nil && lockedUntil(now, need):
			return now, nil
		case extendErr == nil && err == nil && now.RetentionHidden:
			return now, errors.New("its lock was extended, and what it is now may not be read; give the role s3:GetObjectRetention")
		case extendErr == nil && err == nil:
			return now, fmt.Errorf("the store took the extension to %s and shows the lock %s until %s", day(until), now.Lock.Mode, day(now.Lock.RetainUntil))
		case extendErr == nil:
			return now, fmt.Errorf("the store took the extension to %s, and the lock could not be looked at: %w", day(until), err)
		case !passing(extendErr) || pause >= lastPause:
			return now, fmt.Errorf("extending its lock: %w", extendErr)
		case !sleep(ctx, pause):
			return now, fmt.Errorf("extending its lock: %w", errors.Join(extendErr, context.Cause(ctx)))
		}
		if err != nil {
			now = o
		}
	}
}
