package archive

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Pending is an entry on its way into the archive. It is small and may be copied, dropped and waited for by many. The zero
// Pending is no entry; its methods panic.
type Pending struct {
	fate *fate
	i    uint32
}

// fate is what becomes of a batch. Everything but done is set before done is closed and never changed afterwards. It
// outlives the batch, whose buffers are used again, for as long as somebody holds one of its Pendings.
type fate struct {
	done   chan struct{}
	err    error
	stream *stream
	first  uint64
	entries
}

// entries are what receipts say of the entries of a batch, in few and large pieces.
type entries struct {
	ids    []byte
	idEnds []uint32
	start  time.Time
	after  []time.Duration // timestamps, since start
	leaves []Hash
}

func newFate() *fate { return &fate{done: make(chan struct{})} }

func (e *entries) item(i uint32) ReceiptItem {
	from := uint32(0)
	if i > 0 {
		from = e.idEnds[i-1]
	}
	return ReceiptItem{
		ID:        string(e.ids[from:e.idEnds[i]]),
		Timestamp: Instant{e.start.Add(e.after[i])},
		Leaf:      e.leaves[i],
	}
}

// Done is closed when Wait would return at once.
func (p Pending) Done() <-chan struct{} { return p.fate.done }

// Wait returns once the entry is archived: in a locked segment that a committed manifest names. The error wraps
// ErrNotArchived if the entry was given up, and ErrUncertain as well if it may be in the archive all the same; if ctx
// ends, it is ctx's, and nothing is known yet.
func (p Pending) Wait(ctx context.Context) (ReceiptItem, error) {
	if err := p.fate.wait(ctx); err != nil {
		return ReceiptItem{}, err
	}
	item := p.fate.item(p.i)
	item.Index = p.fate.first + uint64(p.i)
	return item, nil
}

func (f *fate) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	default:
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the archive: %w", context.Cause(ctx))
	}
}

func (f *fate) archived() bool {
	select {
	case <-f.done:
		return f.err == nil
	default:
		return false
	}
}

// Stream returns the name of the entry's stream once it is archived, else the empty string: until then it may move on to
// another one, because somebody else wrote to the first.
func (p Pending) Stream() string {
	if !p.fate.archived() {
		return ""
	}
	return p.fate.stream.name.String()
}

// Index returns the entry's place in its stream once it is archived; before, ok is false.
func (p Pending) Index() (index uint64, ok bool) {
	if !p.fate.archived() {
		return 0, false
	}
	return p.fate.first + uint64(p.i), true
}

// maxReceiptItems keeps a receipt well below MaxReceiptBytes.
const maxReceiptItems = 50_000

// Receipts waits until all of the given entries are archived and returns signed receipts for them, in order: one, unless
// the entries are in several streams (one was closed in between) or more than 50,000.
func (w *Writer) Receipts(ctx context.Context, pending ...Pending) ([][]byte, error) {
	var streams []*stream
	items := make(map[*stream][]ReceiptItem)
	for _, p := range pending {
		item, err := p.Wait(ctx)
		if err != nil {
			return nil, err
		}
		s := p.fate.stream
		if items[s] == nil {
			streams = append(streams, s)
		}
		items[s] = append(items[s], item)
	}
	var receipts [][]byte
	for _, s := range streams {
		for part := range slices.Chunk(items[s], maxReceiptItems) {
			b, err := w.signReceipt(s, part)
			if err != nil {
				return nil, err
			}
			receipts = append(receipts, b)
		}
	}
	return receipts, nil
}

// signReceipt signs with the stream's record key, which a stream key never replaces here.
func (w *Writer) signReceipt(s *stream, items []ReceiptItem) ([]byte, error) {
	return SignReceipt(&Receipt{
		LogID: w.cfg.Log.ID, Stream: s.name.String(), IssuedAt: Instant{w.cfg.Now()},
		Durability: Archived, Receipts: items,
	}, s.key.Signer())
}
