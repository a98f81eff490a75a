package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// bar shows progress on a terminal, and nothing elsewhere.
type bar struct{ *progressbar.ProgressBar }

// newBar shows a bar on w, at once, of so many units; -1 if that is not known. The empty unit is bytes.
func newBar(w io.Writer, show bool, total int64, unit, doing string) bar {
	if !show {
		return bar{}
	}
	rate := progressbar.OptionShowBytes(true)
	if unit != "" {
		rate = progressbar.OptionShowIts()
	}
	return bar{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(doing), progressbar.OptionSetRenderBlankState(true),
		rate, progressbar.OptionSetItsString(unit), progressbar.OptionUseIECUnits(false), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionFullWidth(), progressbar.OptionSetPredictTime(total >= 0), progressbar.OptionClearOnFinish(),
		progressbar.OptionShowElapsedTimeOnFinish())}
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
