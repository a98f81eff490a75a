package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// bar shows progress on a terminal, and nothing elsewhere.
type bar struct{ *progressbar.ProgressBar }

// newBar makes a bar on w of so many bytes; -1 if that is not known.
func newBar(w io.Writer, show bool, total int64, doing string) bar {
	if !show {
		return bar{}
	}
	return bar{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(doing), progressbar.OptionShowBytes(true),
		progressbar.OptionUseIECUnits(false), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionShowElapsedTimeOnFinish())}
}

func (b bar) add(n uint64) {
	if b.ProgressBar != nil {
		_ = b.Add64(int64(n)) // a terminal that takes no more has nobody in front of it
	}
}

func (b bar) say(format string, args ...any) {
	if b.ProgressBar != nil {
		b.Describe(fmt.Sprintf(format, args...))
	}
}

func (b bar) end() {
	if b.ProgressBar != nil {
		_ = b.Finish()
		_ = b.Clear()
	}
}
