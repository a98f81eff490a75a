package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/wormlog/wormlog/keys"
)

// ReaderConfig says what to read. The zero value of every field but Store is meaningful.
type ReaderConfig struct {
	Store Store
	// LogID is the pinned log ID; empty: any log is read.
	LogID keys.LogID
	// From and To bound the time of entries, From <= t < To; zero is open. Streams are names or <writer>.* patterns; none
	// means all data streams, and for Segments the control streams as well.
	From, To time.Time
	Streams  []string
	// FirstIndex and EndIndex bound the index of entries, FirstIndex <= index < EndIndex; an EndIndex of 0 is open.
	FirstIndex, EndIndex uint64
	// Copies gives the keys of HMACs; nil: they are not checked, and Reader.HMAC says so.
	Copies keys.VerificationCopies
	// Unverified hands out what fails a check too, as far as it can be read, beside the error that says what is wrong.
	Unverified bool
	// Workers bounds how many objects are read at a time; 0 means GOMAXPROCS, at least 4.
	Workers int
}

// Reader reads a log back, and checks what it hands out by the same rules as [Verify]: the chain and the signatures of
// manifests, the hash of every segment, every entry's place and signature. It does not look for what is missing at the
// end of a stream, at locks, or at what lies beside the archive: that is Verify's. It is for one pass, by one goroutine.
type Reader struct {
	cfg ReaderConfig
	v   *verifier

	told int // findings that were handed out as errors
}

// FindingError is evidence against what was read.
type FindingError struct{ Finding Finding }

func (e *FindingError) Error() string { return e.Finding.String() }

// OpenReader reads what entries are judged by: genesis, key records and acts. ErrNotFound: there is no log.
func OpenReader(ctx context.Context, c ReaderConfig) (*Reader, error) {
	vc := VerifyConfig{
		Store: c.Store, LogID: c.LogID, Level: LevelFull, From: c.From, To: c.To, Streams: c.Streams, Copies: c.Copies,
		Workers: c.Workers, MaxFindings: math.MaxInt, // one that is left out would not keep back what it is about
	}
	if vc.Workers == 0 {
		vc.Workers = max(4, runtime.GOMAXPROCS(0))
	}
	if err := vc.defaults(); err != nil {
		return nil, err
	}
	now, err := c.Store.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the bucket %s: %w", c.Store.Home().Bucket, err)
	}
	r := &Reader{cfg: c, v: newVerifier(vc, now)}
	if r.v.pins, err = newPins(&r.v.VerifyConfig); err != nil {
		return nil, err
	}
	ok, err := r.v.judgeGenesis(ctx)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, r.noGenesis()
	}
	r.v.scoped = true
	r.v.loadKeys(ctx)
	if err := r.v.collectActs(ctx); err != nil {
		return nil, err
	}
	r.v.tellHidden()
	return r, ctx.Err()
}

func (r *Reader) noGenesis() error {
	for _, f := range r.v.report.Findings {
		switch {
		case f.Code == CodeEmpty:
			return fmt.Errorf("reading log.json: %w: there is no log here", ErrNotFound)
		case f.Code != CodeUnpinned:
			return &FindingError{f}
		}
	}
	return fmt.Errorf("reading log.json: %w", ErrNotFound)
}

// Log returns the log that is read.
func (r *Reader) Log() *Log { return r.v.log }

// HMAC says whether the HMACs of the entries handed out so far were checked.
func (r *Reader) HMAC() HMACState {
	r.v.mu.Lock()
	defer r.v.mu.Unlock()
	return r.v.hmacState()
}

// SegmentInfo is a committed segment and what the store says of it.
type SegmentInfo struct {
	Stream   string
	Manifest SegmentRef // what the manifest says of it
	// Promise is until when it must be locked: what the manifest promised, plus recorded extensions.
	Promise time.Time
	// Object is the pinned version, or in a copy the one with equal bytes; the zero Object if that is not there.
	Object Object
	// Findings are what is wrong with it, its lock included.
	Findings []Finding
}

// Segments returns the segments of all believed manifests in range, stream by stream in the order in which these were
// opened, control streams first. An error is a [FindingError] about a manifest, behind which the rest still comes, or
// that of ctx, which is the last.
func (r *Reader) Segments(ctx context.Context) iter.Seq2[SegmentInfo, error] {
	return func(yield func(SegmentInfo, error) bool) {
		for j, err := range r.read(ctx, areas, (*readJob).head) {
			if j == nil {
				if !yield(SegmentInfo{}, err) {
					return
				}
				continue
			}
			info := SegmentInfo{Stream: j.task.stream.String(), Manifest: j.task.ref, Promise: j.task.promise, Object: j.object, Findings: r.v.findingsOn(j.task.ref.Key)}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// ReadEntry is an entry line, as it is archived (without its newline) and parsed.
type ReadEntry struct {
	Line
	Bytes []byte
}

// Entries returns the entries in range, stream by stream in the order in which these were opened. An entry is valid until
// the next one. Entries of a segment come only once all of it was checked; of one that fails none come, but an error, a
// [FindingError], and the segments behind it. Any other error is the last element.
func (r *Reader) Entries(ctx context.Context) iter.Seq2[ReadEntry, error] {
	in := areas
	if len(r.cfg.Streams) == 0 {
		in = []string{dataArea}
	}
	return func(yield func(ReadEntry, error) bool) {
		for j, err := range r.read(ctx, in, (*readJob).content) {
			if j == nil {
				if !yield(ReadEntry{}, err) {
					return
				}
				continue
			}
			if !r.hand(j, yield) {
				return
			}
		}
	}
}

// hand yields the lines of one segment. It says whether to go on.
func (r *Reader) hand(j *readJob, yield func(ReadEntry, error) bool) bool {
	if !r.cfg.Unverified && (j.task.byHash || r.v.refuted(j.task.ref.Key)) {
		return true // the reason has been told
	}
	from, to := boundary(r.cfg.From), boundary(r.cfg.To)
	end := r.cfg.EndIndex
	err := lines(j.raw, func(line []byte) error {
		l, err := ParseLine(line)
		switch {
		case err != nil: // only reached by Unverified: it was told already
			return nil
		case l.Index < r.cfg.FirstIndex, end > 0 && l.Index >= end, from != "" && string(l.Timestamp) < from, to != "" && string(l.Timestamp) >= to:
			return nil
		case !yield(ReadEntry{l, line}, nil):
			return errStopped
		}
		return nil
	})
	return !errors.Is(err, errStopped)
}

// boundary is a time as entries carry it.
func boundary(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return Instant{t}.String()
}

// refutes says whether a finding is a reason not to hand out what it is about.
func (f Finding) refutes() bool {
	switch f.Code {
	case CodeLockHidden, CodeSettingsHidden:
		return false
	}
	switch f.Verdict {
	case Tampered, Missing, Unverifiable, NotChecked:
		return true
	}
	return false
}

// refuted says whether something found about an object is a reason not to hand it out.
func (v *verifier) refuted(key string) bool {
	return slices.ContainsFunc(v.findingsOn(key), Finding.refutes)
}

func (v *verifier) findingsOn(key string) (found []Finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, f := range v.report.Findings {
		if f.Key == key {
			found = append(found, f)
		}
	}
	return found
}

// tell yields the findings that came since the last call and that refute something.
func (r *Reader) tell(yield func(*readJob, error) bool) bool {
	r.v.mu.Lock()
	fresh := slices.Clone(r.v.report.Findings[r.told:])
	r.told += len(fresh)
	r.v.mu.Unlock()
	for _, f := range fresh {
		if f.refutes() && !yield(nil, &FindingError{f}) {
			return false
		}
	}
	return true
}

// readJob is one segment on its way through a worker.
type readJob struct {
	task       *segmentTask
	unverified bool // its lines are wanted even if they are refuted
	object     Object
	raw        []byte
	weight     int64
	done       chan struct{}
}

func (j *readJob) head(ctx context.Context, r *segmentReader) {
	j.object, _ = r.locate(ctx, j.task, func(version string) (Object, error) { return r.head(ctx, j.task.ref.Key, version) })
	if j.object.Key != "" {
		r.judgeObject(ctx, j.task, j.object)
	}
}

func (j *readJob) content(ctx context.Context, r *segmentReader) {
	var b []byte
	o, ok := r.locate(ctx, j.task, func(version string) (o Object, err error) {
		b, o, err = r.get(ctx, j.task.ref.Key, version, int64(j.task.ref.Bytes))
		return o, err
	})
	if !ok {
		return
	}
	j.object = o
	if r.judgeObject(ctx, j.task, o) {
		r.judgeBytes(ctx, j.task, o, b)
	}
	if !r.refuted(j.task.ref.Key) {
		j.raw = r.decoder.keep() // as it was just judged
		return
	}
	if j.unverified {
		j.raw = decodeRefuted(b)
	}
}

// decodeRefuted returns what can be read of a segment that fails; what is wrong with it is known.
func decodeRefuted(b []byte) []byte {
	d, err := newSegmentDecoder()
	if err != nil {
		return nil
	}
	defer d.Close()
	raw, _ := d.decode(b, MaxSegmentBytes)
	return raw
}

// read walks the manifests of the areas and yields their segments in order, each after a worker has dealt with it.
func (r *Reader) read(ctx context.Context, in []string, work func(*readJob, context.Context, *segmentReader)) iter.Seq2[*readJob, error] {
	return func(yield func(*readJob, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		p := &readPool{memory: semaphore.NewWeighted(memoryBudget), ordered: make(chan *readJob, r.v.Workers), work: make(chan *readJob)}
		defer p.wg.Wait()
		defer cancel()
		r.v.segments = &segmentPool{v: r.v, take: func(ctx context.Context, t *segmentTask) {
			if r.wanted(t) {
				p.add(ctx, t, r.cfg.Unverified)
			}
		}}
		for range r.v.Workers {
			p.wg.Go(func() { p.serve(inner, r.v, work) })
		}
		p.wg.Go(func() {
			defer close(p.ordered)
			defer close(p.work)
			for _, area := range in {
				r.v.walk(inner, area)
			}
		})
		for j := range p.ordered {
			select {
			case <-j.done:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				break
			}
			if !r.tell(yield) || !yield(j, nil) {
				return
			}
			p.memory.Release(j.weight)
		}
		if err := ctx.Err(); err != nil {
			yield(nil, fmt.Errorf("reading: %w", context.Cause(ctx)))
			return
		}
		r.tell(yield)
	}
}

func (r *Reader) wanted(t *segmentTask) bool {
	first := t.ref.FirstIndex
	return first+t.ref.Count > r.cfg.FirstIndex && (r.cfg.EndIndex == 0 || first < r.cfg.EndIndex)
}

// readPool works on segments in parallel and gives them back in order.
type readPool struct {
	memory  *semaphore.Weighted
	ordered chan *readJob
	work    chan *readJob
	wg      sync.WaitGroup
}

// add is called in order, so that memory is given to the segment that will be handed out first.
func (p *readPool) add(ctx context.Context, t *segmentTask, unverified bool) {
	j := &readJob{task: t, unverified: unverified, weight: min(int64(t.ref.Bytes+2*t.ref.RawBytes), memoryBudget), done: make(chan struct{})}
	if p.memory.Acquire(ctx, j.weight) != nil {
		return
	}
	for _, to := range []chan *readJob{p.ordered, p.work} {
		select {
		case to <- j:
		case <-ctx.Done():
			return
		}
	}
}

func (p *readPool) serve(ctx context.Context, v *verifier, work func(*readJob, context.Context, *segmentReader)) {
	r := &segmentReader{verifier: v}
	defer r.close()
	for j := range p.work {
		if ctx.Err() == nil {
			work(j, ctx, r)
		}
		close(j.done)
	}
}
