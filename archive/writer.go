package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wormlog/wormlog/internal/trouble"
	"github.com/wormlog/wormlog/keys"
)

// Errors of a [Writer].
var (
	// ErrClock: the clock of this machine and that of the store differ by more than five minutes.
	ErrClock = errors.New("the clock is wrong")
	// ErrNoObjectLock: the bucket does not have Object Lock and versioning.
	ErrNoObjectLock = errors.New("no Object Lock on the bucket")
	// ErrKey: the signing key does not fit: another log, role or writer, or its record is not in the bucket.
	ErrKey = errors.New("the signing key does not fit")
	// ErrClosed: the writer was closed, or has failed.
	ErrClosed = errors.New("the writer is closed")
	// ErrRecord: a record cannot be archived as it is; the error says why. Nothing was written.
	ErrRecord = errors.New("record refused")
	// ErrNotArchived: an entry was not acknowledged. If the error wraps ErrUncertain too, it may be in the archive.
	ErrNotArchived = errors.New("not archived")
)

// Writer puts records into an archive. All methods are safe for concurrent use.
//
// The way of an entry: Append gives it a place in the open batch. A batch that is full or old joins the queue. There it is
// sealed and its segment uploaded, several batches at a time. The committer takes the batches in order, once their
// segments are known to exist, and writes the manifest that names them; only then their entries count as archived.
type Writer struct {
	cfg  WriterConfig
	role keys.Role
	log  *slog.Logger

	ctx    context.Context // ends when the writer is closed or has failed
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	wake         chan struct{} // holds an element when the committer should look at the queue
	renewNow     chan struct{} // holds an element when the stream's age or the key is to be looked at now
	sealers      chan *sealer  // those not in use
	uploads      chan struct{} // an element for each upload under way
	clock        atomic.Int64  // what the store's clock is ahead of ours, in nanoseconds
	writeTrouble *trouble.Trouble
	openTrouble  *trouble.Trouble
	keyTrouble   *trouble.Trouble
	moves        int // streams given up in a row; the committer's
	queueSize    int

	mu           sync.Mutex
	stream       *stream
	open         *batch
	queue        []*batch
	pendingBytes int
	room         chan struct{} // closed when there may be room; nil if nobody waits
	spare        []buffers
	stats        Stats
	checkKeyAt   time.Time // when the key is asked for next; zero: never
	closing      bool
	err          error
}

// OpenWriter checks the configuration, the clock, the bucket and the key before anything is written. ErrClock,
// ErrNoObjectLock, ErrKey and the store's errors tell what is wrong. Nothing is written before the first record or, if
// there is none for so long, the first heartbeat.
func OpenWriter(ctx context.Context, cfg WriterConfig) (*Writer, error) {
	role, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	w := &Writer{
		cfg: cfg, role: role, log: cfg.Logger,
		wake: make(chan struct{}, 1), renewNow: make(chan struct{}, 1),
		uploads: make(chan struct{}, cfg.Uploads), queueSize: max(1, cfg.MaxPendingBytes/cfg.BatchBytes-1),
		stats: Stats{Base64: make(map[string]uint64)},
	}
	w.cfg.Store = telling{cfg.Store, w}
	w.writeTrouble = trouble.New(w.log, "an attempt to write failed", "writing works again")
	w.openTrouble = trouble.New(w.log, "an attempt to open a stream failed", "opening a stream worked at last")
	w.keyTrouble = trouble.New(w.log, "the signing key could not be looked at; the present one signs on", "the signing key can be used again")
	if err := w.makeSealers(); err != nil {
		return nil, err
	}
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	if err := w.openFirst(ctx); err != nil {
		w.cancel(err)
		return nil, err
	}
	w.wg.Go(w.commitAll)
	w.wg.Go(w.renewStreams)
	return w, nil
}

func (w *Writer) openFirst(ctx context.Context) error {
	if err := w.checkClock(ctx); err != nil {
		return err
	}
	if err := w.checkBucket(ctx); err != nil {
		return err
	}
	s, err := w.openStream(ctx, nil)
	if err != nil {
		return err
	}
	w.use(s)
	w.keyChecked(nil)
	w.sayOpened(s)
	return nil
}

// use makes s the stream that takes entries. Callers hold the lock or are alone.
func (w *Writer) use(s *stream) {
	w.stream = s
	w.noteOpened(s)
}

func (w *Writer) noteOpened(s *stream) {
	w.stats.Streams = append(w.stats.Streams, s.name.String())
}

// sayOpened logs a new stream. Callers do not hold the lock: a log may block.
func (w *Writer) sayOpened(s *stream) {
	w.log.Info("stream opened", "stream", s.name.String(), "key_id", string(s.key.ID()))
}

func (w *Writer) makeSealers() error {
	n := min(runtime.GOMAXPROCS(0), w.queueSize) // each takes some 9 MiB
	w.sealers = make(chan *sealer, n)
	for range n {
		s, err := newSealer(w.cfg.Compression)
		if err != nil {
			return err
		}
		w.sealers <- s
	}
	return nil
}

// Flush seals what was accepted so far and waits until it is archived.
func (w *Writer) Flush(ctx context.Context) error {
	last, open := w.last()
	for open != nil {
		sealed, wait := w.flush(open)
		if sealed {
			break
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return w.behind(context.Cause(ctx))
		}
	}
	if last == nil {
		return w.Err()
	}
	// Batches are committed in order, so everything before the last one is archived as well.
	return last.wait(ctx)
}

// last returns the fate of the newest batch, and the batch if it is still open.
func (w *Writer) last() (*fate, *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != nil {
		return w.open.fate, w.open
	}
	if n := len(w.queue); n > 0 {
		return w.queue[n-1].fate, nil
	}
	return nil, nil
}

// flush seals b if it is still the open batch and there is room, else it says when to try again.
func (w *Writer) flush(b *batch) (sealed bool, wait <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != b || w.trySeal() {
		return true, nil
	}
	return false, w.roomLater()
}

// Close archives what was accepted, ends the stream with a final manifest and stops the writer. If ctx ends first, or on
// an error, the rest is given up: its Pendings say so, and nothing of it counts as archived. It returns the error that
// ended the writer, nil if everything is in the archive; more calls return the same.
func (w *Writer) Close(ctx context.Context) error {
	w.beginClosing()
	finished := make(chan struct{})
	go func() {
		w.wg.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		w.fail(w.behind(context.Cause(ctx)))
		<-finished
	}
	return w.Err()
}

func (w *Writer) beginClosing() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing || w.err != nil {
		return
	}
	w.closing = true
	w.sealFinal()
	w.makeRoom()
}

// Err returns the error that ended the writer, nil while it works and after a Close that archived everything.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// refusal says why nothing is accepted any more. Callers hold the lock.
func (w *Writer) refusal() error {
	if w.err != nil {
		return fmt.Errorf("%w: %w", ErrClosed, w.err)
	}
	if w.closing {
		return ErrClosed
	}
	return nil
}

// Stream returns the name of the stream that Append writes to now.
func (w *Writer) Stream() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stream.name.String()
}

// Stats returns what the writer has done so far.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.stats
	st.Base64 = maps.Clone(st.Base64)
	st.Streams = slices.Clone(st.Streams)
	return st
}

// Stats counts what a [Writer] has done since it was opened.
type Stats struct {
	Accepted     uint64            // entries that Append took
	Archived     uint64            // entries that are in the archive and acknowledged
	Base64       map[string]uint64 // entries kept as base64, by reason
	RawBytes     uint64            // of archived segments: lines with newlines
	SegmentBytes uint64            // of archived segments, compressed
	Segments     uint64            // archived
	Manifests    uint64            // heartbeats included
	Heartbeats   uint64
	Streams      []string // opened so far, the present one last
	Fenced       uint64   // streams that ended because somebody else wrote to them
	KeyTurns     uint64   // streams that were opened because another signing key came
	// KeyTrouble is why the signing key could not be looked at when that was last due, or why the one that came was not
	// taken; the key of the present stream signs on. nil if all was well.
	KeyTrouble error
}
