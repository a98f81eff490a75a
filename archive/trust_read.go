package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// authorityView is what a store shows of whom to trust: what is believed of it, and what is not.
type authorityView struct {
	*verifier
	acts *acts // in force
}

// readAuthority judges genesis, key records and the authority's control streams of the pinned log, as a verification does.
// The error is for a store that cannot be asked.
func readAuthority(ctx context.Context, s Store, id keys.LogID) (*authorityView, error) {
	return readControl(ctx, s, id, &keptObjects{byKey: map[string]TrustObject{}}, authorityArea)
}

// readControl does so with the control streams of the given areas. kept takes the objects, if they are wanted.
func readControl(ctx context.Context, s Store, id keys.LogID, kept *keptObjects, areas ...string) (*authorityView, error) {
	c := VerifyConfig{Store: s, LogID: id}
	if err := c.defaults(); err != nil {
		return nil, err
	}
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	v := newVerifier(c, now)
	v.collecting = newTakenActs()
	v.collecting.kept = kept
	if v.pins, err = newPins(&VerifyConfig{}); err != nil {
		return nil, err
	}
	if ok, err := v.judgeGenesis(ctx); err != nil || !ok {
		return &authorityView{verifier: v, acts: newActs()}, err
	}
	v.loadKeys(ctx)
	v.segments = newSegmentPool(ctx, v)
	for _, area := range areas {
		v.walk(ctx, area)
	}
	v.segments.wait()
	v.acts = v.inForce(v.collecting)
	v.judgeUnvouched()
	return &authorityView{verifier: v, acts: v.acts}, ctx.Err()
}

// unsure returns the findings that keep acts, or anything at all, from being known, acknowledged ones left out; and apart
// from them those on key records that count as absent.
func (a *authorityView) unsure() (unsure, records []Finding) {
	for _, f := range a.report.Findings {
		f.Acknowledged = a.acts.acknowledges(f)
		_, record := recordID(f.Key)
		switch {
		case f.Acknowledged:
		case record && f.Verdict != NotChecked:
			if f.Verdict == Tampered || f.Verdict == Missing || f.Verdict == Unverifiable {
				records = append(records, f)
			}
		case f.hidesEvidence():
			unsure = append(unsure, f)
		}
	}
	slices.SortStableFunc(unsure, compareFindings)
	slices.SortStableFunc(records, compareFindings)
	return unsure, records
}

// hidesEvidence says whether a finding means that something was not read or is not believed. Locks, and what lies beside
// an original that is intact, do not; nor does an act that is believed and has no force.
func (f *Finding) hidesEvidence() bool {
	switch f.Code {
	case CodeKeyCompromised, CodeVersionReplaced, CodeActMalformed, CodeLockHidden, CodeSettingsHidden:
		return false
	}
	return f.Verdict == Tampered || f.Verdict == Missing || f.Verdict == Unverifiable || f.Verdict == NotChecked
}

// keptObjects takes the believed objects of a run that are to go into a trust file.
type keptObjects struct {
	mu    sync.Mutex
	byKey map[string]TrustObject
}

func (k *keptObjects) add(key, version string, date time.Time, body []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byKey[key] = TrustObject{key, version, Second{date}, slices.Clone(body)}
}

// keep takes an object along if that is what the run is for. Its date goes with it if it is S3's own.
func (v *verifier) keep(o Object, body []byte) {
	if v.collecting == nil || v.collecting.kept == nil {
		return
	}
	var date time.Time
	if v.dated(o) {
		date = o.LastModified.UTC().Truncate(time.Second)
	}
	v.collecting.kept.add(o.Key, o.VersionID, date, body)
}

// ExportTrust reads everything that decides whom to trust in l from the store and puts it into a trust file, with the
// dates if the store is the log's home. What the archive's own verification does not believe is left out: left lists the
// key records that count as absent. Anything that could not be read, or a control stream of the authority that is not in
// order, is an error, unless the authority has acknowledged it: a compromise may be declared in what is not seen.
func ExportTrust(ctx context.Context, s Store, l *Log) (f TrustFile, left []Finding, err error) {
	a, err := readAuthority(ctx, s, l.ID)
	if err != nil {
		return f, nil, fmt.Errorf("exporting a trust file: %w", err)
	}
	unsure, left := a.unsure()
	if len(unsure) > 0 {
		return f, nil, fmt.Errorf("exporting a trust file: whom to trust cannot be told in full: %s", unsure[0])
	}
	if a.report.FindingsOmitted > 0 {
		return f, nil, fmt.Errorf("exporting a trust file: there are over %d findings on what it would hold", a.MaxFindings)
	}
	f = TrustFile{Format: Format, LogID: l.ID, Exported: Second{a.now.UTC().Truncate(time.Second)}}
	for _, o := range a.collecting.kept.byKey {
		f.Objects = append(f.Objects, o)
	}
	slices.SortFunc(f.Objects, func(a, b TrustObject) int { return strings.Compare(a.Key, b.Key) })
	if err := f.check(); err != nil {
		return f, nil, fmt.Errorf("exporting a trust file: %w", err)
	}
	return f, left, nil
}
