package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/wormlog/wormlog/archive"
)

// accepted is an entry that the writer took, and where it came from.
type accepted struct {
	archive.Pending
	at position
}

// acks follows accepted entries until they are archived, in the order in which they were accepted.
type acks struct {
	writer   *archive.Writer
	receipts *os.File // nil: none are asked for
	progress func(archived uint64)

	queue chan accepted
	done  chan struct{}

	// set when done is closed
	archived  uint64
	last      *position // of those that are archived, before any that is not
	first     *position // the first that is not archived
	failure   error     // why
	uncertain bool      // some of them may be in the archive all the same
	lost      error     // receipts could not be written
}

// receiptBatch bounds how many entries one receipt names.
const receiptBatch = 1000

func followAcks(w *archive.Writer, receipts *os.File, progress func(uint64)) *acks {
	a := &acks{writer: w, receipts: receipts, progress: progress, queue: make(chan accepted, 1<<14), done: make(chan struct{})}
	go a.run()
	return a
}

func (a *acks) add(p archive.Pending, at position) { a.queue <- accepted{p, at} }

// wait returns when all that was added has been archived or given up.
func (a *acks) wait() {
	close(a.queue)
	<-a.done
}

func (a *acks) run() {
	defer close(a.done)
	var batch []archive.Pending
	for entry := range a.queue {
		select {
		case <-entry.Done():
		default: // the ones before are acknowledged; say so before waiting
			batch = a.issue(batch)
		}
		if _, err := entry.Wait(context.Background()); err != nil {
			a.fail(entry.at, err)
			continue
		}
		a.archived++
		if a.first == nil {
			a.last = &entry.at
		}
		if a.receipts != nil {
			if batch = append(batch, entry.Pending); len(batch) == receiptBatch {
				batch = a.issue(batch)
			}
		}
		if a.archived%1000 == 0 {
			a.progress(a.archived)
		}
	}
	a.issue(batch)
	a.progress(a.archived)
	if a.receipts != nil {
		a.lost = errors.Join(a.lost, a.receipts.Close())
	}
}

func (a *acks) fail(at position, err error) {
	if a.first == nil {
		a.first, a.failure = &at, err
	}
	a.uncertain = a.uncertain || errors.Is(err, archive.ErrUncertain)
}

// issue writes receipts for archived entries, and returns the emptied batch.
func (a *acks) issue(batch []archive.Pending) []archive.Pending {
	if len(batch) == 0 || a.lost != nil {
		return batch[:0]
	}
	receipts, err := a.writer.Receipts(context.Background(), batch...)
	for _, r := range receipts {
		if err == nil {
			_, err = a.receipts.Write(r)
		}
	}
	if err == nil {
		err = a.receipts.Sync()
	}
	if err != nil {
		a.lost = fmt.Errorf("receipts could not be written: %w", err)
	}
	return batch[:0]
}
