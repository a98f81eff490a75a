package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/wormlog/wormlog/keys"
)

// segmentTask is one segment to judge: what a believed manifest says of it.
type segmentTask struct {
	stream    StreamName
	ref       SegmentRef
	date      time.Time  // of the manifest, by the store's clock
	dated     bool       // that clock counts
	sequence  uint64     // of the manifest
	byHash    bool       // the stream's signatures cannot be judged: only what a hash pins is
	promise   time.Time  // until when it must be locked
	held      bool       // an open case holds it
	hashOnly  bool       // nor can what the manifest says of its content
	interests []interest // entries that somebody has a receipt or a copy of
}

// segmentPool judges segments in parallel. What is in memory at a time is bounded by bytes, not by the number of workers.
type segmentPool struct {
	v      *verifier
	tasks  chan *segmentTask
	memory *semaphore.Weighted
	wg     sync.WaitGroup
	// decoders are as many as there are cores: workers mostly wait for the store, and few buffers stay warm.
	decoders chan *segmentDecoder
	take     func(context.Context, *segmentTask) // instead of judging, for a Reader
}

// memoryBudget bounds the bytes of segments, stored and decompressed, that are held at a time.
const memoryBudget = 96 << 20

func newSegmentPool(ctx context.Context, v *verifier) *segmentPool {
	p := &segmentPool{v: v, tasks: make(chan *segmentTask, v.Workers), memory: semaphore.NewWeighted(memoryBudget),
		decoders: make(chan *segmentDecoder, runtime.GOMAXPROCS(0))}
	for range cap(p.decoders) {
		p.decoders <- nil // made when first needed
	}
	for range v.Workers {
		p.wg.Go(func() {
			r := &segmentReader{verifier: v, decoders: p.decoders}
			for t := range p.tasks {
				if ctx.Err() == nil {
					r.judge(ctx, t, p.memory)
				}
			}
		})
	}
	return p
}

func (p *segmentPool) add(ctx context.Context, t *segmentTask) {
	if p.take != nil {
		p.take(ctx, t)
		return
	}
	select {
	case p.tasks <- t:
	case <-ctx.Done():
	}
}

// wait ends the pool once all its tasks are done.
func (p *segmentPool) wait() {
	close(p.tasks)
	p.wg.Wait()
	for range cap(p.decoders) {
		if d := <-p.decoders; d != nil {
			d.Close()
		}
	}
}

// segmentReader judges one segment after another. Its buffers are used again.
type segmentReader struct {
	*verifier
	decoder  *segmentDecoder
	decoders chan *segmentDecoder // if not nil, decoder is taken from here for as long as a segment is checked
	line     Line
}

func (r *segmentReader) close() {
	if r.decoder != nil {
		r.decoder.Close()
	}
}

// judge looks at the object that the task's manifest pins, then at its bytes if they are asked for.
func (r *segmentReader) judge(ctx context.Context, t *segmentTask, memory *semaphore.Weighted) {
	read := r.reads(t)
	r.count(func(c *Counts) { c.Segments++; c.Entries += t.ref.Count })
	if !read {
		o, ok := r.locate(ctx, t, func(version string) (o Object, err error) { return r.head(ctx, t.ref.Key, version) })
		if ok && r.judgeObject(ctx, t, o) && !o.HasSHA256 && r.Level != LevelLocks {
			r.find(CodeReadFailed, t.ref.Key, o.VersionID, "the store keeps no SHA-256 of it, so its content is not known unless it is read (level full)")
		}
		return
	}
	weight := min(int64(t.ref.Bytes+t.ref.RawBytes), memoryBudget)
	if memory.Acquire(ctx, weight) != nil {
		return
	}
	defer memory.Release(weight)
	var b []byte
	o, ok := r.locate(ctx, t, func(version string) (o Object, err error) {
		b, o, err = r.get(ctx, t.ref.Key, version, int64(t.ref.Bytes))
		return o, err
	})
	if ok && r.judgeObject(ctx, t, o) {
		r.judgeBytes(ctx, t, o, b)
	}
}

// reads says whether a segment's bytes are wanted: always those of control streams that are read for their acts, and
// those that hold an entry somebody asks for; else as level and sample say. However small the sample, one is read.
func (v *verifier) reads(t *segmentTask) bool {
	switch {
	case len(t.interests) > 0 || v.collecting != nil:
		return true
	case v.Level != LevelFull:
		return false
	}
	return v.SamplePercent >= 100 || rand.IntN(100) < v.SamplePercent || v.sampled.CompareAndSwap(false, true)
}

// locate asks for the pinned version. If that is gone, or this is a copy, it looks for one with equal bytes.
func (r *segmentReader) locate(ctx context.Context, t *segmentTask, ask func(version string) (Object, error)) (Object, bool) {
	version := t.ref.VersionID
	if r.placement == PlacementCopy {
		version = ""
	}
	o, err := ask(version)
	switch {
	case err == nil && (r.placement == PlacementHome || Hash(o.SHA256) == t.ref.SHA256 || !o.HasSHA256):
		return o, true
	case err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrDeleteMarker) || errors.Is(err, ErrTooLarge) && version == "":
		return r.locateElsewhere(ctx, t, ask)
	case errors.Is(err, ErrTooLarge):
		r.find(CodeSegmentAltered, t.ref.Key, version, "it has more than the %d bytes that its manifest states", t.ref.Bytes)
	case ctx.Err() == nil:
		r.find(CodeReadFailed, t.ref.Key, version, "it could not be read: %v", err)
	}
	return o, false
}

// locateElsewhere looks through all versions of the key for one with the bytes that the manifest names.
func (r *segmentReader) locateElsewhere(ctx context.Context, t *segmentTask, ask func(version string) (Object, error)) (Object, bool) {
	var other Version // the newest that is there
	for g, err := range groups(ctx, r.Store, t.ref.Key, "") {
		if err != nil {
			r.find(CodeReadFailed, t.ref.Key, t.ref.VersionID, "the pinned version is not there, and the others could not be listed: %v", err)
			return Object{}, false
		}
		if g.key != t.ref.Key {
			break
		}
		for _, ver := range g.originals() {
			other = ver
			if uint64(ver.Size) != t.ref.Bytes {
				continue
			}
			o, err := ask(ver.VersionID)
			if err != nil || !o.HasSHA256 || Hash(o.SHA256) != t.ref.SHA256 {
				continue
			}
			if r.placement == PlacementHome {
				r.find(CodeVersionReplaced, t.ref.Key, ver.VersionID, "the pinned version %s is gone; this one has equal bytes", t.ref.VersionID)
			}
			return o, true
		}
	}
	if other.VersionID != "" && r.placement == PlacementCopy {
		r.find(CodeSegmentAltered, t.ref.Key, other.VersionID, "no version has the SHA-256 %s that the manifest names", t.ref.SHA256)
		return Object{}, false
	}
	r.gone(CodeSegmentMissing, t.stream.String(), t.ref.Key, t.ref.VersionID, r.acts.promise(t.stream.String(), &t.ref), "the segment of %d entries from %d on is gone", t.ref.Count, t.ref.FirstIndex)
	return Object{}, false
}

// judgeObject judges what the store says of the object: lock, size and checksum. False: its bytes are not those that the
// manifest names.
func (r *segmentReader) judgeObject(ctx context.Context, t *segmentTask, o Object) bool {
	r.judgeLock(o, t.promise, t.held)
	if r.scoped {
		r.judgeScopedVersions(ctx, t, o)
	}
	if uint64(o.Size) != t.ref.Bytes || o.HasSHA256 && Hash(o.SHA256) != t.ref.SHA256 {
		r.find(CodeSegmentAltered, t.ref.Key, o.VersionID, "it has %d bytes and SHA-256 %s; its manifest names %d and %s",
			o.Size, Hash(o.SHA256), t.ref.Bytes, t.ref.SHA256)
		return false
	}
	return true
}

// judgeScopedVersions lists the versions of one key, in a run that does not list whole folders.
func (r *segmentReader) judgeScopedVersions(ctx context.Context, t *segmentTask, o Object) {
	r.list(ctx, t.ref.Key, "", func(g group) bool {
		if g.key == t.ref.Key {
			r.judgeBesidePinned(g, func(version string) bool { return version == t.ref.VersionID || version == o.VersionID })
		}
		return false
	})
}

// judgeBytes judges the segment's bytes: hash, frame, and every entry.
func (r *segmentReader) judgeBytes(ctx context.Context, t *segmentTask, o Object, b []byte) {
	r.count(func(c *Counts) { c.Read++ })
	if r.decoders != nil {
		r.decoder = <-r.decoders
		defer func() { r.decoders <- r.decoder; r.decoder = nil }()
	}
	if h := Hash(sha256.Sum256(b)); h != t.ref.SHA256 {
		r.find(CodeSegmentAltered, t.ref.Key, o.VersionID, "its bytes have the SHA-256 %s; its manifest names %s", h, t.ref.SHA256)
		return
	}
	if t.hashOnly {
		return
	}
	if !t.byHash {
		r.keep(o, b)
	}
	if r.decoder == nil {
		d, err := newSegmentDecoder()
		if err != nil {
			r.find(CodeReadFailed, t.ref.Key, o.VersionID, "%v", err)
			return
		}
		r.decoder = d
	}
	raw, err := r.decoder.decode(b, t.ref.RawBytes)
	if err != nil {
		r.find(CodeSegmentFrame, t.ref.Key, o.VersionID, "%v", err)
		return
	}
	c := &contentCheck{segmentReader: r, task: t, version: o.VersionID, name: t.stream.String(), tree: Range{Begin: t.ref.FirstIndex, End: t.ref.FirstIndex}}
	c.run(ctx, raw)
}

// contentCheck judges the lines of one segment.
type contentCheck struct {
	*segmentReader
	task    *segmentTask
	version string
	name    string

	tree      Range
	lastTime  []byte
	usedKeys  []keys.ID
	verifiers []entryKey
	checked   uint64
	hmacYes   uint64
	hmacNo    uint64
	stopped   bool
	extended  bool // an unknown extension was reported
	next      int  // of the task's interests
}

// entryKey is what the entries of one key are checked with.
type entryKey struct {
	id       keys.ID
	hmac     bool
	size     int                // of a signature
	verifier keys.EntryVerifier // nil: they cannot be checked
}

func (c *contentCheck) run(ctx context.Context, raw []byte) {
	ref := &c.task.ref
	err := c.judgeLines(ctx, raw)
	c.account(uint64(len(raw)))
	switch {
	case c.stopped || errors.Is(err, errStopped):
	case err != nil:
		c.find(CodeSegmentContent, ref.Key, c.version, "%v", err)
	case uint64(len(raw)) != ref.RawBytes || c.tree.End-c.tree.Begin != ref.Count:
		c.find(CodeSegmentContent, ref.Key, c.version, "it holds %d entries in %d bytes; its manifest names %d in %d",
			c.tree.End-c.tree.Begin, len(raw), ref.Count, ref.RawBytes)
	case !c.tree.Equal(ref.Leaves()):
		c.find(CodeSegmentContent, ref.Key, c.version, "its entries do not give the range that its manifest states")
	case string(c.lastTime) != ref.LastTimestamp.String():
		c.find(CodeSegmentContent, ref.Key, c.version, "its last entry is of %s; its manifest names %s", c.lastTime, ref.LastTimestamp)
	default:
		c.judgeUsedKeys()
	}
}

var errStopped = errors.New("stopped")

// judgeLines judges line after line of what the decoder holds, and stops at the first that fails.
func (c *contentCheck) judgeLines(ctx context.Context, raw []byte) error {
	for at := 0; at < len(raw); {
		if c.checked%1024 == 0 && ctx.Err() != nil {
			return errStopped
		}
		n := bytes.IndexByte(raw[at:], '\n')
		if n < 0 {
			return fmt.Errorf("%w: the last line has no newline", ErrMalformed)
		}
		c.judgeLine(ctx, raw[at:at+n], leafInPlace(c.decoder.buf, at+1, n))
		if c.stopped {
			return errStopped
		}
		at += n + 1
	}
	return nil
}

func (c *contentCheck) account(raw uint64) {
	c.mu.Lock()
	c.segmentReader.hmacYes += c.hmacYes
	c.segmentReader.hmacNo += c.hmacNo
	c.mu.Unlock()
	c.count(func(n *Counts) { n.Checked += c.checked; n.RawBytes += raw })
}

func (c *contentCheck) judgeUsedKeys() {
	if c.task.byHash {
		return
	}
	slices.Sort(c.usedKeys)
	if !slices.Equal(c.usedKeys, c.task.ref.KeyIDs) {
		c.find(CodeSegmentContent, c.task.ref.Key, c.version, "its entries are signed with the keys %v; its manifest names %v", c.usedKeys, c.task.ref.KeyIDs)
	}
}

// fail reports the entry that the check has come to, and ends it: what follows cannot be told apart from it.
func (c *contentCheck) fail(code Code, format string, args ...any) {
	c.stopped = true
	index := c.tree.End
	c.add(Finding{Code: code, Verdict: codes[code], Key: c.task.ref.Key, VersionID: c.version, Entry: &index, Detail: fmt.Sprintf(format, args...)})
}

func (c *contentCheck) judgeLine(ctx context.Context, line []byte, leaf Hash) {
	l := &c.line
	if err := l.parse(line); err != nil {
		c.fail(CodeEntryMalformed, "%v", err)
		return
	}
	if !c.judgePlace(l) {
		return
	}
	if !c.task.byHash && !c.judgeEntrySignature(ctx, l) {
		return
	}
	c.judgeMeaning(l)
	c.judgeInterest(l, leaf)
	c.checked++
	c.tree.Append(leaf)
	c.lastTime = l.Timestamp
}

// judgePlace judges whether an entry belongs where it is.
func (c *contentCheck) judgePlace(l *Line) bool {
	ref := &c.task.ref
	switch {
	case string(l.Stream) != c.name:
		c.fail(CodeEntryPlace, "it is of the stream %s", l.Stream)
	case l.Index != c.tree.End:
		c.fail(CodeEntryPlace, "its index is %d, but %d comes now", l.Index, c.tree.End)
	case c.lastTime == nil && string(l.Timestamp) != ref.FirstTimestamp.String():
		c.fail(CodeEntryPlace, "its time is %s; the manifest names %s as the first", l.Timestamp, ref.FirstTimestamp)
	case c.lastTime != nil && string(l.Timestamp) < string(c.lastTime):
		c.fail(CodeEntryPlace, "its time %s is before that of the entry before it", l.Timestamp)
	}
	return !c.stopped
}

func (c *contentCheck) judgeEntrySignature(ctx context.Context, l *Line) bool {
	k := c.entryKey(ctx, l.KeyID)
	if k == nil {
		return false
	}
	if k.verifier == nil {
		if len(l.Signature()) != k.size {
			c.fail(CodeEntrySignature, "its signature has %d bytes; those of key %s have %d", len(l.Signature()), k.id, k.size)
			return false
		}
		c.hmacNo++
		return true
	}
	if !k.verifier.VerifyEntry(l.Signed, l.Signature()) {
		c.fail(CodeEntrySignature, "its signature by key %s does not hold", k.id)
		return false
	}
	if k.hmac {
		c.hmacYes++
	}
	return true
}

// entryKey returns what entries of that key are checked with, nil after reporting a key that must not sign here.
func (c *contentCheck) entryKey(ctx context.Context, id []byte) *entryKey {
	for i := range c.verifiers {
		if string(c.verifiers[i].id) == string(id) {
			return &c.verifiers[i]
		}
	}
	k := entryKey{id: keys.ID(id)}
	state, code, reason := c.usableKey(k.id, use{c.task.stream, c.task.date, c.task.ref.Key, c.version})
	if code != "" {
		c.fail(code, "%s", reason)
		return nil
	}
	k.hmac, k.size = state.record.EntryAlgorithm.Symmetric(), state.record.EntryAlgorithm.SignatureSize()
	var err error
	k.verifier, err = state.record.EntryVerifier(c.task.stream.String(), c.verificationCopy(ctx, k.id, state))
	if err != nil {
		k.verifier = nil
		if state.copyErr != nil {
			err = state.copyErr
		}
		c.uncheckedHMAC(state, k.id, err)
	}
	c.usedKeys = append(c.usedKeys, k.id)
	c.verifiers = append(c.verifiers, k)
	return &c.verifiers[len(c.verifiers)-1]
}

// judgeMeaning looks at what an entry says only as far as it is ours: acts in control streams, critical extensions.
func (c *contentCheck) judgeMeaning(l *Line) {
	if names := l.CriticalExt(); len(names) > 0 {
		index := l.Index
		c.add(Finding{Code: CodeCritical, Verdict: codes[CodeCritical], Key: c.task.ref.Key, VersionID: c.version, Entry: &index,
			Detail: fmt.Sprintf("it must not be judged without understanding %q", names)})
	} else if l.ext != nil && !c.extended {
		c.extended = true
		index := l.Index
		c.add(Finding{Code: CodeExt, Verdict: codes[CodeExt], Key: c.task.ref.Key, VersionID: c.version, Entry: &index,
			Detail: "it, and perhaps entries after it, have extension members that this release does not know"})
	}
	role := c.task.stream.Role()
	if role == keys.RoleWriter {
		if len(l.Type) >= len(reservedTypePrefix) && string(l.Type[:len(reservedTypePrefix)]) == reservedTypePrefix {
			c.fail(CodeActMisplaced, "its type %s is for control streams", l.Type)
		}
		return
	}
	act, err := ParseAct(role, string(l.Type), l.Data)
	if l.Binary && err == nil {
		err = fmt.Errorf("%w: an act is never kept as data_base64", ErrMalformed)
	}
	if err != nil {
		index := l.Index
		c.add(Finding{Code: CodeActMalformed, Verdict: codes[CodeActMalformed], Key: c.task.ref.Key, VersionID: c.version, Entry: &index, Detail: err.Error()})
		return
	}
	if c.collecting != nil && !c.task.byHash { // what nobody signed is no act
		c.collecting.add(takenAct{act, string(l.Type), keys.ID(l.KeyID), c.task.date, c.task.dated, string(l.Timestamp), c.name, c.task.sequence})
	}
}

// judgeInterest compares the entry with the receipts and lines that are about it.
func (c *contentCheck) judgeInterest(l *Line, leaf Hash) {
	for c.next < len(c.task.interests) && c.task.interests[c.next].index == c.tree.End {
		in := c.task.interests[c.next]
		c.next++
		detail := ""
		switch {
		case in.leaf != leaf:
			detail = fmt.Sprintf("%s names the leaf %s, but the archive holds %s there", in.what, in.leaf, leaf)
		case in.id != string(l.ID) || in.timestamp != string(l.Timestamp):
			detail = fmt.Sprintf("%s names the entry %s of %s, but the archive holds %s of %s there", in.what, in.id, in.timestamp, l.ID, l.Timestamp)
		default:
			continue
		}
		index := c.tree.End
		c.add(Finding{Code: in.differs, Verdict: codes[in.differs], Key: c.task.ref.Key, VersionID: c.version, Entry: &index, Detail: detail})
	}
}
