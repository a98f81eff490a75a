package archive

import (
	"context"
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
	// whichever comes first. Defaults: 10,000 entries, 4 MiB, 2 seconds. At most 100,000 entries and 24 MiB.
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
	// Default: six batches. At least two.
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
