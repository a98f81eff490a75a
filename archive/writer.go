package archive

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// Record is what an application hands over to be archived.
type Record struct {
	// ID names the record: the caller's idempotency key, 1 to 128 bytes of printable ASCII without " and \. Empty: the
	// writer makes a ULID. It stays when a record is written again, so readers can tell repetitions.
	ID string
	// Type says what kind of record it is, as ID in form; "entry" if empty. Types that begin with "wormlog." are acts and
	// belong to control streams.
	Type string
	// Source says where the record came from, Meta is the caller's own: at most 32 members each, names of 1 to 64 bytes
	// of UTF-8, values of at most 1,024.
	Source, Meta map[string]string
	// Data is the record itself, at most 16 MiB. JSON is kept byte for byte but for whitespace outside strings; anything
	// that is not acceptable JSON is kept as base64 and counted in [Stats]. It may be reused when Append returns.
	Data []byte
}

// WriterConfig says what a [Writer] writes and where. Store, Log, Key and Writer are required; the zero value of every
// other field is a sensible default.
type WriterConfig struct {
	Store Store
	Log   *Log
	// Key returns the signing key to use now. It is asked once for every stream that opens, so a rotation takes effect at
	// the latest when the stream is as old as StreamAge.
	Key func(ctx context.Context) (*keys.SigningKey, error)
	// Writer is the first part of the stream names: [a-z0-9][a-z0-9-]{0,62}, and a control role's name for its role alone.
	Writer string

	// A batch seals when it has so many entries, so many bytes of entry lines, or when its first entry is so old,
	// whichever comes first. Defaults: 10,000 entries, 8 MiB, 2 seconds. At most 100,000 entries and 24 MiB.
	BatchEntries int
	BatchBytes   int
	BatchAge     time.Duration
	// Compression of segments; [CompressionFastest] if empty.
	Compression Compression

	// Heartbeat is how often a stream shows that it is alive when it has nothing to write, in whole seconds. 0: as the
	// log says; negative: never, and the stream declares no liveness.
	Heartbeat time.Duration
	// RetentionDays is how long entries are kept. 0: as the log says. Less than the log's is refused, and so is more than
	// its cap.
	RetentionDays uint64
	// StreamAge is when a stream is closed and the next one opened: 7 days, which is also the most.
	StreamAge time.Duration
	// NoStreamKey has the record key sign every manifest, instead of a key of the stream's own that exists in memory only.
	NoStreamKey bool

	// MaxPendingBytes is how many bytes of entry lines may be accepted and not yet archived; Append blocks beyond.
	// Default: four batches. At least two.
	MaxPendingBytes int
	// GiveUpAfter is how long one object is tried to be written before the writer fails. 0: for ever.
	GiveUpAfter time.Duration
	// Uploads is how many segments are uploaded at the same time; default 4.
	Uploads int

	// Now is the writer's clock; time.Now if nil.
	Now func() time.Time
	// Logger gets what an operator should know: streams opened, closed, fenced; settings that could not be read. nil: none.
	Logger *slog.Logger
	// Software names the program in manifests: 1 to 128 printable ASCII characters; "wormlog" if empty.
	Software string
}

// Errors of a [Writer].
var (
	// ErrClock: the clock of this machine and that of the store differ by more than five minutes.
	ErrClock = errors.New("the clock is wrong")
	// ErrNoObjectLock: the bucket does not have Object Lock and versioning.
	ErrNoObjectLock = errors.New("no Object Lock on the bucket")
	// ErrClosed: the writer was closed.
	ErrClosed = errors.New("the writer is closed")
	// ErrRecord: a record cannot be archived as it is; the error says why. Nothing was written.
	ErrRecord = errors.New("record refused")
	// ErrNotArchived: an entry was not acknowledged. If the error wraps ErrUncertain too, it may be in the archive.
	ErrNotArchived = errors.New("not archived")
)

// Writer puts records into an archive. All methods are safe for concurrent use.
type Writer struct {
	cfg WriterConfig
}

// OpenWriter checks the configuration, the clock, the bucket and the key before anything is written. ErrClock,
// ErrNoObjectLock, keys.ErrMismatch and the store's errors tell what is wrong. Nothing is written before the first record
// or the first heartbeat.
func OpenWriter(ctx context.Context, cfg WriterConfig) (*Writer, error) {
	return nil, errors.New("under construction")
}

// Append accepts a record and returns at once, unless so much is unarchived that it has to wait. The record is archived
// when the [Pending] says so, not before. ErrRecord: it cannot be archived as it is. ErrClosed, or the error that ended
// the writer: nothing more is accepted. If ctx ends while Append waits, the record was not accepted.
func (w *Writer) Append(ctx context.Context, r Record) (Pending, error) { return Pending{}, ErrClosed }

// Receipts waits until all of the given entries are archived, and returns a signed receipt for each stream that they are
// in, in the order of first mention: one, unless a stream was closed in between.
func (w *Writer) Receipts(ctx context.Context, pending ...Pending) ([][]byte, error) {
	return nil, ErrClosed
}

// Flush seals what was accepted so far and waits until it is archived.
func (w *Writer) Flush(ctx context.Context) error { return ErrClosed }

// Close archives what was accepted, ends the stream with a final manifest and stops the writer. If ctx ends first, or on
// an error, the rest is given up: its Pendings say so, and nothing of it counts as archived.
func (w *Writer) Close(ctx context.Context) error { return nil }

// Err returns the error that ended the writer, nil while it works.
func (w *Writer) Err() error { return nil }

// Stream returns the name of the stream that Append writes to now.
func (w *Writer) Stream() string { return "" }

// Stats returns what the writer has done so far.
func (w *Writer) Stats() Stats { return Stats{} }

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
}

// Compression names how hard segments are compressed. All are zstd, and readers need not know.
type Compression string

// The compressions.
const (
	CompressionFastest Compression = "fastest"
	CompressionDefault Compression = "default"
	CompressionBetter  Compression = "better"
)

// Pending is an entry on its way into the archive. It is small and may be copied, dropped and waited for by many.
type Pending struct{}

// Wait returns once the entry is archived: in a locked segment that a committed manifest names. The error wraps
// ErrNotArchived if the entry was given up, and ErrUncertain as well if it may be in the archive all the same; if ctx
// ends, it is ctx's, and nothing is known yet.
func (p Pending) Wait(ctx context.Context) (ReceiptItem, error) { return ReceiptItem{}, ErrClosed }

// Done is closed when Wait would return at once.
func (p Pending) Done() <-chan struct{} { return nil }

// Stream returns the entry's stream and Index its place there. Both may change until Wait has returned: an entry moves on
// to a new stream if somebody else writes to the old one.
func (p Pending) Stream() string { return "" }

// Index: see [Pending.Stream].
func (p Pending) Index() uint64 { return 0 }
