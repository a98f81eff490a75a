package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// load appends to one writer from many goroutines while its signing key turns.
type load struct {
	Writer    archive.WriterConfig
	Appenders int
	Rate      int      // entries a second, of all together; 0: as fast as they can
	Lines     [][]byte // what is appended, in turn
	Quiet     time.Duration
	Rotations int
	Rotate    func(context.Context) error // turns the key

	rotating atomic.Bool // from before a rotation until the writer has followed it
	stop     chan struct{}
}

// outcome is what a run took, before anything is read back.
type outcome struct {
	Appended        []uint64 // by each appender
	Took            time.Duration
	Overall, Around waits         // how long Append took: of all, and while a rotation was under way
	Late            time.Duration // at most, behind the rate
	Overslept       time.Duration // at most, by a goroutine that does nothing but sleep: the machine's part in all this
	Stats           archive.Stats
}

func (o *outcome) entries() (n uint64) {
	for _, a := range o.Appended {
		n += a
	}
	return n
}

// run appends, rotates, and closes the writer: when it returns without error every entry was acknowledged.
func (l *load) run(ctx context.Context) (*outcome, error) {
	w, err := archive.OpenWriter(ctx, l.Writer)
	if err != nil {
		return nil, err
	}
	l.stop = make(chan struct{})
	all := make([]*appender, l.Appenders)
	failed := make([]error, l.Appenders)
	o := new(outcome)
	var wg sync.WaitGroup
	wg.Go(func() { o.Overslept = l.sleep() })
	start := time.Now()
	for i := range all {
		all[i] = &appender{load: l, n: i}
		wg.Go(func() { failed[i] = all[i].run(ctx, w, start) })
	}
	err = l.rotate(ctx, w)
	close(l.stop)
	wg.Wait()
	o.Took = time.Since(start)
	err = errors.Join(err, errors.Join(failed...), w.Close(ctx))
	o.Stats = w.Stats()
	for _, a := range all {
		o.Appended = append(o.Appended, a.appended)
		o.Overall.merge(&a.overall)
		o.Around.merge(&a.around)
		o.Late = max(o.Late, a.late)
	}
	if err == nil && o.Stats.Archived != o.entries() {
		err = fmt.Errorf("%d entries were accepted, and %d archived", o.entries(), o.Stats.Archived)
	}
	return o, err
}

// rotate turns the key, each time when the last turn was followed and every key has signed something.
func (l *load) rotate(ctx context.Context, w *archive.Writer) error {
	time.Sleep(l.Quiet)
	for i := range l.Rotations {
		l.rotating.Store(true)
		if err := l.Rotate(ctx); err != nil {
			return fmt.Errorf("rotation %d: %w", i+1, err)
		}
		if err := until(ctx, w, func(s archive.Stats) bool { return s.KeyTurns > uint64(i) }); err != nil {
			return fmt.Errorf("waiting for turn %d: %w", i+1, err)
		}
		then := w.Stats().Accepted + uint64(l.Appenders)
		if err := until(ctx, w, func(s archive.Stats) bool { return s.Accepted > then }); err != nil {
			return fmt.Errorf("waiting for entries by key %d: %w", i+2, err)
		}
		l.rotating.Store(false)
	}
	time.Sleep(l.Quiet)
	return nil
}

func until(ctx context.Context, w *archive.Writer, reached func(archive.Stats) bool) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !reached(w.Stats()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := w.Err(); err != nil {
			return err
		}
	}
	return nil
}

// sleep returns how much longer than a millisecond a sleep of one took.
func (l *load) sleep() (over time.Duration) {
	for {
		before := time.Now()
		select {
		case <-time.After(time.Millisecond):
			over = max(over, time.Since(before)-time.Millisecond)
		case <-l.stop:
			return over
		}
	}
}

// appender is one goroutine's part.
type appender struct {
	*load
	n               int
	appended        uint64
	overall, around waits
	late            time.Duration // at most, behind the rate
}

func (a *appender) run(ctx context.Context, w *archive.Writer, start time.Time) error {
	for ; ; a.appended++ {
		a.pace(start)
		select {
		case <-a.stop:
			return nil
		default:
		}
		r := archive.Record{ID: fmt.Sprintf("%d-%d", a.n, a.appended), Data: a.Lines[int(a.appended)%len(a.Lines)]}
		before := time.Now()
		_, err := w.Append(ctx, r)
		if err != nil {
			return fmt.Errorf("appending %s: %w", r.ID, err)
		}
		took := time.Since(before)
		a.overall.add(took)
		if a.rotating.Load() {
			a.around.add(took)
		}
	}
}

// pace waits until the next entry is due.
func (a *appender) pace(start time.Time) {
	if a.Rate == 0 {
		return
	}
	due := start.Add(time.Duration(a.appended*uint64(a.Appenders)+uint64(a.n)) * time.Second / time.Duration(a.Rate))
	if d := time.Until(due); d > 0 {
		time.Sleep(d)
	} else {
		a.late = max(a.late, -d)
	}
}

// found is what the archive holds of a run.
type found struct {
	Entries   uint64
	Lost      uint64 // appended, and not in the archive
	Twice     uint64
	Disorder  uint64 // not in the order of their appender
	Strangers uint64
	Keys      map[keys.ID]uint64 // entries by key
}

func (f *found) err() error {
	if f.Lost+f.Twice+f.Disorder+f.Strangers > 0 {
		return fmt.Errorf("%d entries are lost, %d are there twice, %d in disorder, %d were never appended", f.Lost, f.Twice, f.Disorder, f.Strangers)
	}
	return nil
}

// readBack reads the streams of a run and compares them with what was appended.
func readBack(ctx context.Context, c archive.ReaderConfig, o *outcome) (*found, error) {
	c.Streams = o.Stats.Streams
	r, err := archive.OpenReader(ctx, c)
	if err != nil {
		return nil, err
	}
	f := &found{Keys: map[keys.ID]uint64{}}
	seen := make([][]uint64, len(o.Appended)) // a bit an entry
	last := make([]int64, len(o.Appended))
	for i, n := range o.Appended {
		seen[i], last[i] = make([]uint64, n/64+1), -1
	}
	for e, err := range r.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		f.Entries++
		f.Keys[keys.ID(e.KeyID)]++
		var by int
		var seq uint64
		if _, err := fmt.Sscanf(string(e.ID), "%d-%d", &by, &seq); err != nil || by >= len(seen) || seq >= o.Appended[by] {
			f.Strangers++
			continue
		}
		if seen[by][seq/64]&(1<<(seq%64)) != 0 {
			f.Twice++
		}
		seen[by][seq/64] |= 1 << (seq % 64)
		if int64(seq) <= last[by] {
			f.Disorder++
		}
		last[by] = int64(seq)
	}
	for i, n := range o.Appended {
		for seq := range n {
			if seen[i][seq/64]&(1<<(seq%64)) == 0 {
				f.Lost++
			}
		}
	}
	return f, nil
}
