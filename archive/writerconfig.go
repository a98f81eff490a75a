package archive

import (
	"context"
	"errors"
	"fmt"
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
	// Key returns the signing key to use now, as what [SigningKeys] returns does. It is asked for every stream that opens,
	// and every KeyCheck.
	Key func(ctx context.Context) (*keys.SigningKey, error)
	// KeyCheck is how often Key is asked whether the key has turned; 0: every minute, negative: never, and a key that turned
	// takes effect when the stream is as old as StreamAge. When another key comes, the next stream opens with it; what was
	// accepted until then is signed by the old one, and no appender waits. While Key fails, or the key that comes does not
	// fit, the present one signs on and the logger and [Stats] are told.
	KeyCheck time.Duration
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

// Defaults and bounds of a [WriterConfig].
const (
	defaultBatchEntries = 10_000
	maxBatchEntries     = 100_000
	defaultBatchBytes   = 4 << 20
	maxBatchBytes       = 24 << 20 // leaves room for longer signatures when a batch moves to a stream with another key
	defaultBatchAge     = 2 * time.Second
	defaultPending      = 6 // batches
	defaultUploads      = 4
	defaultKeyCheck     = time.Minute
)

// complete fills in the defaults, refuses what contradicts itself or the log, and returns the role that the writer's
// streams need.
func (c *WriterConfig) complete() (keys.Role, error) {
	if c.Store == nil || c.Log == nil || c.Key == nil {
		return "", errors.New("a writer needs a store, a log and a signing key")
	}
	if err := checkWriter(c.Writer); err != nil {
		return "", err
	}
	setDefault(&c.BatchEntries, defaultBatchEntries)
	setDefault(&c.BatchBytes, defaultBatchBytes)
	setDefault(&c.BatchAge, defaultBatchAge)
	setDefault(&c.MaxPendingBytes, defaultPending*c.BatchBytes)
	setDefault(&c.Uploads, defaultUploads)
	setDefault(&c.StreamAge, maxStreamAge)
	setDefault(&c.KeyCheck, defaultKeyCheck)
	setDefault(&c.Software, "wormlog")
	setDefault(&c.RetentionDays, c.Log.Retention.Days)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = time.Duration(c.Log.HeartbeatSeconds) * time.Second
	}
	return StreamName{Writer: c.Writer}.Role(), c.check()
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

func (c *WriterConfig) check() error {
	switch {
	case c.BatchEntries < 1 || c.BatchEntries > maxBatchEntries:
		return fmt.Errorf("a batch of %d entries is not within 1 to %d", c.BatchEntries, maxBatchEntries)
	case c.BatchBytes < 1 || c.BatchBytes > maxBatchBytes:
		return fmt.Errorf("a batch of %d bytes is not within 1 to %d", c.BatchBytes, maxBatchBytes)
	case c.BatchAge < 0 || c.GiveUpAfter < 0 || c.Uploads < 1:
		return errors.New("the batch age, the patience and the number of uploads are not negative")
	case c.MaxPendingBytes < 2*c.BatchBytes:
		return fmt.Errorf("%d pending bytes are less than two batches of %d", c.MaxPendingBytes, c.BatchBytes)
	case c.StreamAge <= 0 || c.StreamAge > maxStreamAge:
		return fmt.Errorf("a stream age of %s is not within 7 days", c.StreamAge)
	case c.Heartbeat > 0 && c.Heartbeat%time.Second != 0:
		return fmt.Errorf("a heartbeat every %s is not in whole seconds", c.Heartbeat)
	case c.RetentionDays < c.Log.Retention.Days || c.RetentionDays > c.Log.Retention.MaxDays:
		return fmt.Errorf("a retention of %d days is not within the %d to %d days of the log's policy",
			c.RetentionDays, c.Log.Retention.Days, c.Log.Retention.MaxDays)
	}
	if _, err := c.Compression.level(); err != nil {
		return err
	}
	return checkText("software", c.Software, 128)
}
