package archive

import (
	"context"
	"errors"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// VerifyConfig says what to verify and how. The zero value of every field but Store is meaningful.
type VerifyConfig struct {
	Store Store
	// LogID is the pinned log ID. Empty: the report says genesis: unpinned, and RequirePin makes that count.
	LogID      keys.LogID
	RequirePin bool
	// Level defaults to LevelFull.
	Level Level
	// SamplePercent of the segments in range are read at LevelFull, chosen at random; 0 means 100.
	SamplePercent int
	// From and To bound the time of entries, From <= t < To; zero is open. Streams are names or <writer>.* patterns; none
	// means all.
	From, To time.Time
	Streams  []string
	// Copies gives the keys of HMACs; nil: they are not checked. RequireHMAC makes unchecked ones count.
	Copies      keys.VerificationCopies
	RequireHMAC bool
	// Heads pins the tail: every head in it must be found or extended.
	Heads *HeadFile
	// Receipts are receipt objects whose entries must be in the archive, Lines single entry lines that must be. Given
	// without a Streams filter, they narrow the run to the streams that they name.
	Receipts [][]byte
	Lines    [][]byte
	// Workers bounds how many objects are read at a time; 0 means twice GOMAXPROCS, at least 4.
	Workers int
	// MaxFindings bounds the findings kept in the report; 0 means 10,000. Beyond it they are counted.
	MaxFindings int
	// Progress is called now and then, never concurrently.
	Progress func(Counts)
}

// Verify looks at every object version in range and returns what it found. An error means that the run could not start
// (no such bucket, no answer at all, a bad configuration); whatever goes wrong later is in the report, as not checked.
func Verify(ctx context.Context, c VerifyConfig) (*Report, error) {
	return nil, errors.New("not built")
}
