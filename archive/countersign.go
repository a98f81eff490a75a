package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// CountersignConfig says what is to be trusted again that a compromised key signed, and on whose word. Store, Log,
// Compromised and Reason are required, and for [Countersign] Key as well.
type CountersignConfig struct {
	Store Store
	Log   *Log
	// Key is of role authority, and not compromised.
	Key *keys.SigningKey
	// Compromised is the key whose signatures are countersigned. An authority stands for all keys that count as compromised
	// because it does.
	Compromised keys.ID
	// Reason is for people: why what is countersigned is right. 1 to 4,096 bytes.
	Reason string

	// Streams are names or <writer>.* patterns of streams that are right up to their ends, and not only up to what the store
	// dates before the compromise. Whoever has the key makes streams that look as intact as any other: only their owner knows.
	Streams []string
	// Heads is a head file that was made before the compromise: what it names is right, whatever the store's dates say.
	Heads *HeadFile
	// Except are streams, or patterns, that are left alone, whatever else says that they are right.
	Except []string

	// Copies gives the keys of HMACs. Without, what they sign is not known to be intact, so it is refused unless
	// UncheckedHMAC is set: then the hashes, ranges and signatures of manifests are taken to be enough.
	Copies        keys.VerificationCopies
	UncheckedHMAC bool

	// RetentionDays, Software, Now and Logger are as in [ActsConfig], Workers and Progress as in [VerifyConfig].
	RetentionDays uint64
	Software      string
	Now           func() time.Time
	Logger        *slog.Logger
	Workers       int
	Progress      func(Counts)
}

// Countersigning is what a countersignature covers.
type Countersigning struct {
	// Acts are what was, or is to be, recorded: none if all of it was in force already.
	Acts []Countersigned
	// Already counts the streams that are countersigned so far already.
	Already uint64
	// Left are the streams of which something still has to be doubted afterwards, ascending.
	Left []string
	// Notes are findings on the streams that are covered which do not say that anything is wrong with the evidence, or which
	// the authority has acknowledged. They are worth a look before or after.
	Notes []Finding
	// Report is that of the verification, as it was before the acts.
	Report *Report
}

// Heads counts the heads in the acts.
func (c *Countersigning) Heads() (n int) {
	for i := range c.Acts {
		n += len(c.Acts[i].Heads)
	}
	return n
}

// maxCountersignedHeads bounds the heads in one act.
const maxCountersignedHeads = 1000

// ErrNotIntact: what was to be countersigned does not verify. Nothing was written.
var ErrNotIntact = errors.New("the evidence is not intact")

// Countersign restores trust in what a compromised key signed rightly: a key of role authority signs the heads anew. By
// default these are the last manifests before the compromise, by the store's dates, of all streams that the key signed
// something in. At home such evidence stands by itself; countersigned it does in copies too, where no date counts.
//
// First it verifies the whole archive, all entries included. [ErrNotIntact]: a stream that would be covered has a finding
// that says more than that a key is compromised, or HMACs in it could not be checked; nothing was written then. A finding
// that is information or asks for attention does not matter, and neither does one of locks or of what lies over the
// evidence, if the authority has acknowledged it: to acknowledge that evidence was changed does not make it right.
//
// A second run writes nothing new, so it is what to do after an error that wraps [ErrUncertain]. What is tampered with
// after it was countersigned is found as ever: the act names hashes.
func Countersign(ctx context.Context, c CountersignConfig) (*Countersigning, error) {
	if c.Key == nil {
		return nil, errors.New("countersigning needs a signing key of role authority")
	}
	plan, err := PlanCountersign(ctx, c)
	if err != nil {
		return nil, err
	}
	acts := make([]TypedAct, len(plan.Acts))
	for i := range plan.Acts {
		acts[i] = TypedAct{ActCountersigned, &plan.Acts[i]}
	}
	return plan, RecordActs(ctx, ActsConfig{
		Store: c.Store, Log: c.Log, Key: c.Key, RetentionDays: c.RetentionDays, Software: c.Software, Now: c.Now, Logger: c.Logger,
	}, acts...)
}

// PlanCountersign does all of [Countersign] but the writing. Key may be nil.
func PlanCountersign(ctx context.Context, c CountersignConfig) (*Countersigning, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("countersigning: %w", err)
	}
	p := &countersigning{CountersignConfig: c, against: map[string][]Finding{}, notes: map[string][]Finding{}}
	v, err := newRun(ctx, VerifyConfig{
		Store: c.Store, LogID: c.Log.ID, Copies: c.Copies, RequireHMAC: !c.UncheckedHMAC, Heads: c.Heads,
		Workers: c.Workers, Progress: c.Progress, OnAffected: p.affected,
	})
	if err != nil {
		return nil, fmt.Errorf("countersigning: %w", err)
	}
	p.verifier, v.onFinding = v, p.found
	p.result.Report, err = v.complete(ctx)
	if err == nil {
		err = p.plan()
	}
	if err != nil {
		return nil, fmt.Errorf("countersigning: %w", err)
	}
	return &p.result, nil
}

func (c *CountersignConfig) check() error {
	if c.Store == nil || c.Log == nil {
		return errors.New("a store and a log are needed")
	}
	if err := errors.Join(c.Compromised.Valid(), checkReason(c.Reason)); err != nil {
		return err
	}
	if c.Key != nil && c.Key.Record().Role != keys.RoleAuthority {
		return fmt.Errorf("%w: countersigning is for a key of role %s, and key %s has the role %s", ErrKey, keys.RoleAuthority, c.Key.ID(), c.Key.Record().Role)
	}
	for _, s := range slices.Concat(c.Streams, c.Except) {
		if err := checkPattern(s); err != nil {
			return err
		}
	}
	return nil
}

// countersigning is one run: what a verification says while it goes on, and what is made of it.
type countersigning struct {
	CountersignConfig
	*verifier
	streams []Affected // with the last of their objects alone
	// against is what keeps a stream from being countersigned, notes what does not; under "" what is about no stream.
	against, notes map[string][]Finding
	result         Countersigning
}

// affected keeps what a compromised key did in a stream.
func (p *countersigning) affected(a Affected) {
	if !p.meant(a.KeyID) {
		return
	}
	if len(a.Objects) > 1 {
		a.Objects = a.Objects[len(a.Objects)-1:] // the last one says how far it has to be doubted
	}
	a.Objects = slices.Clone(a.Objects)
	p.streams = append(p.streams, a)
}

// meant says whether it is this key that is countersigned, itself or by the authority that vouched for it.
func (p *countersigning) meant(id keys.ID) bool {
	return id == p.Compromised || p.acts.inherited[id] == p.Compromised
}

// maxPerStream bounds the findings of each kind that are kept of one stream.
const maxPerStream = 5

// found keeps a finding that says more than that a key is compromised. What is about no stream matters if something was
// not looked at: whatever else is wrong with a key record or log.json shows in the streams.
func (p *countersigning) found(f Finding) {
	stream, of := findingStream(f.Key), p.against
	switch {
	case f.Code == CodeKeyCompromised || f.Verdict == Information:
		return
	case stream == "" && f.Code != CodeListFailed && f.Code != CodeHMACUnchecked:
		return
	case f.Verdict == Attention || f.Acknowledged && (f.Verdict == Shadowed || f.Verdict == UnderRetained):
		of = p.notes // the evidence itself is there and right
	}
	if stream == "" || len(of[stream]) < maxPerStream {
		of[stream] = append(of[stream], f)
	}
}

// findingStream returns the stream that an object's key is of, or that a folder of manifests is.
func findingStream(key string) string {
	for part := range strings.SplitSeq(key, "/") {
		name := strings.TrimPrefix(part, "stream=")
		if _, err := ParseStreamName(name); err == nil {
			return name
		}
	}
	return ""
}

// plan makes the acts, or says why there can be none.
func (p *countersigning) plan() error {
	if err := p.mayCountersign(); err != nil {
		return err
	}
	heads := map[keys.ID][]CountersignedHead{}
	covered := map[string][]keys.ID{} // the streams, with the keys that sign in them
	named := map[string]bool{}
	for i := range p.streams {
		a := &p.streams[i]
		head := p.covers(a, named)
		if head != nil {
			covered[a.Stream] = a.Keys
		}
		switch {
		case head == nil:
		case a.Signed != nil && a.Signed.Sequence >= head.Sequence:
			p.result.Already++
		default:
			heads[a.KeyID] = append(heads[a.KeyID], *head)
			a.Signed = head
		}
		if n := len(a.Objects); n > 0 && (a.Signed == nil || a.Signed.Sequence < a.Objects[n-1].Sequence) {
			p.result.Left = append(p.result.Left, a.Stream)
		}
	}
	for _, pattern := range p.Streams {
		if !named[pattern] {
			return fmt.Errorf("no stream that key %s signed anything in is named by %s", p.Compromised, pattern)
		}
	}
	if err := p.refuse(covered); err != nil {
		return err
	}
	slices.Sort(p.result.Left)
	p.result.Left = slices.Compact(p.result.Left)
	p.result.Acts = countersignedActs(heads, p.Reason)
	return nil
}

// mayCountersign judges what must be known before any stream is looked at.
func (p *countersigning) mayCountersign() error {
	if p.log == nil {
		return fmt.Errorf("%w: log.json is not to be believed, the verdict is %s", ErrNotIntact, p.result.Report)
	}
	if p.placement == PlacementCopy {
		return fmt.Errorf("the bucket %s is a copy, where the store's dates say nothing; countersign in the log's home", p.Store.Home().Bucket)
	}
	since, ok := p.acts.compromised[p.Compromised]
	if !ok {
		return fmt.Errorf("no act says that key %s is compromised; record that first", p.Compromised)
	}
	if p.Heads != nil && !p.Heads.Taken.Before(since) {
		return fmt.Errorf("the head file was taken %s, and key %s counts as compromised since %s: what it names may be a thief's; name streams instead",
			p.Heads.Taken, p.Compromised, Second{since})
	}
	return p.mayKeySign()
}

func (p *countersigning) mayKeySign() error {
	if p.Key == nil {
		return nil
	}
	id := p.Key.ID()
	if since, bad := p.acts.compromised[id]; bad {
		return fmt.Errorf("%w: key %s itself counts as compromised since %s, so its acts have no force", ErrKey, id, Second{since})
	}
	if k := p.knownKey(id); k == nil || !k.usable {
		return fmt.Errorf("%w: there is no record of key %s that is to be believed, so its acts would have no force", ErrKey, id)
	}
	return nil
}

// covers is the manifest up to which a stream is to be countersigned, nil if it is not.
func (p *countersigning) covers(a *Affected, named map[string]bool) *CountersignedHead {
	head := a.Before
	if p.Heads != nil {
		head = later(head, a.Pinned)
	}
	for _, pattern := range p.Streams {
		if covers([]string{pattern}, a.Stream) {
			named[pattern] = true
			head = later(head, a.Head)
		}
	}
	if covers(p.Except, a.Stream) {
		return nil
	}
	return head
}

func later(a, b *CountersignedHead) *CountersignedHead {
	if a == nil || b != nil && b.Sequence > a.Sequence {
		return b
	}
	return a
}

// refuse says what keeps the covered streams from being countersigned, and takes note of what does not.
func (p *countersigning) refuse(covered map[string][]keys.ID) error {
	var why []string
	used := map[string]bool{} // key records
	for _, ids := range covered {
		for _, id := range ids {
			used[RecordKey(id)] = true
		}
	}
	for _, f := range p.against[""] {
		if f.Code == CodeListFailed || used[f.Key] {
			why = append(why, f.String())
		}
	}
	for stream := range covered {
		for _, f := range p.against[stream] {
			why = append(why, f.String())
		}
		p.result.Notes = append(p.result.Notes, p.notes[stream]...)
	}
	slices.SortFunc(p.result.Notes, compareFindings)
	if len(why) == 0 {
		return nil
	}
	slices.Sort(why)
	const told = 10
	if n := len(why); n > told {
		why = append(why[:told], fmt.Sprintf("and %d more", n-told))
	}
	return fmt.Errorf("%w, so nothing was written: %s", ErrNotIntact, strings.Join(why, "; "))
}

// countersignedActs puts heads into as few acts as may hold them.
func countersignedActs(heads map[keys.ID][]CountersignedHead, reason string) (acts []Countersigned) {
	for id, list := range heads {
		slices.SortFunc(list, func(a, b CountersignedHead) int { return cmp.Compare(a.Stream, b.Stream) })
		for part := range slices.Chunk(list, maxCountersignedHeads) {
			acts = append(acts, Countersigned{KeyID: id, Heads: part, Reason: reason})
		}
	}
	slices.SortStableFunc(acts, func(a, b Countersigned) int { return cmp.Compare(a.KeyID, b.KeyID) })
	return acts
}
